/* Rules over what the signatures found in logs, events and statuses.
 *
 * A finding says the cause only while it still can be it: what a run survived is not why it is unwell, what belongs to an older run goes when a newer one is well, and the kubelet's words about images, nodes and
 * volumes go when the container runs. */
#include "model/hints_look.h"

#include <string.h>

/* How long a node with GPUs may take from an autoscaler's word on. */
#define NODE_PATIENCE_US (900 * (int64_t)SECOND_US)

/* On top of what a cause weighs (hints_look.h). */
enum {
    WEIGHT_SURVIVED = -1500,
    WEIGHT_SIDECAR = -1000,
    WEIGHT_OLDER = -300,
    WEIGHT_VAGUE = -450,
    ORDER_STEPS = 400 /* the earlier of two findings weighs more, down to this many lines apart */
};

/* An autoscaler adds a node: until then the scheduler says again and again that there is none. */
static bool node_is_coming(const struct look *look, const struct finding *finding)
{
    const struct finding *scaling = look_clue(look, CLUE_SCALING, 0);
    if (!scaling || finding_came_after(look_clue(look, CLUE_NO_SCALE, 0), scaling))
        return false;
    return finding->last - scaling->last < NODE_PATIENCE_US &&
           (look->bare || look->now - scaling->last < NODE_PATIENCE_US);
}

/* The kubelet's or scheduler's words about what comes before a container runs are over when it did. */
static bool told_is_over(const struct look *look, const struct finding *finding)
{
    const struct pod *pod = look->pod;
    enum cause cause = finding->signature->cause;
    const struct finding *started = look_clue(look, CLUE_STARTED, 0);
    const struct finding *pulled = look_clue(look, CLUE_PULLED, 0);
    const struct finding *scheduled = look_clue(look, CLUE_SCHEDULED, 0);
    bool runs = pod->facts.serving.state == CONTAINER_RUNNING && !look->bare;
    bool ran = runs || pod->facts.serving.last.known;
    bool placed = !text_empty(&pod->facts.node) && pod->facts.phase != PHASE_FAILED;
    bool attached = finding_came_after(look_clue(look, CLUE_ATTACHED, 0), finding);
    switch (cause) {
    case CAUSE_UNSCHEDULABLE_RESOURCES:
        return placed || ran || finding_came_after(scheduled, finding) || finding_came_after(pulled, finding) ||
               finding_came_after(started, finding) || node_is_coming(look, finding);
    case CAUSE_IMAGE_PULL:
        return ran || finding_came_after(pulled, finding) || finding_came_after(started, finding);
    case CAUSE_MOUNT:
        return runs || attached || finding_came_after(pulled, finding) || finding_came_after(started, finding);
    case CAUSE_CONFIG_ERROR:
    case CAUSE_NO_GPU:
    case CAUSE_CUDA_ERROR:
        return runs || finding_came_after(started, finding);
    case CAUSE_API_KEY:
    case CAUSE_WRONG_PORT:
    case CAUSE_PROBE_TIMEOUT:
    case CAUSE_PROBE_BLOCKED:
    case CAUSE_SPEAKS_TLS:
    case CAUSE_ENGINE_DEAD:
        return look->now - finding->last > LIVE_RECENT_US && !look->bare;
    default:
        return false;
    }
}

/* What a pod that gets traffic is still told: its engine's own words from after it became Ready, and not long ago. */
static bool ready_is_told(const struct look *look, const struct finding *finding)
{
    const struct pod *pod = look->pod;
    bool says = finding->signature->cause == CAUSE_ENGINE_DEAD || finding->deep || finding->signature->label;
    return says && finding_is_log(finding) && finding_runs_ago(pod, finding) == 0 && pod->ready_at >= 0 &&
           finding->last >= pod->ready_at && look->now - finding->last < LIVE_RECENT_US &&
           finding->signature->confidence >= CONFIDENCE_LIKELY;
}

/* Start-up went on after the line. */
static bool is_survived(const struct look *look, const struct finding *finding)
{
    return finding_is_log(finding) && finding_runs_ago(look->pod, finding) == 0 &&
           look->findings->moved > finding->last_order;
}

static bool present_counts(const struct look *look, const struct finding *finding)
{
    const struct pod *pod = look->pod;
    enum confidence confidence = finding->signature->confidence;
    if (!finding_is_log(finding))
        return !told_is_over(look, finding);
    if (pod->ready_at >= 0 && finding->last < pod->ready_at)
        return false; /* of a start that came to its end */
    if (confidence == CONFIDENCE_POSSIBLE && !look->dead && (!look->bare || look->findings->calm > finding->last_order))
        return false;
    if (!is_survived(look, finding))
        return confidence > CONFIDENCE_POSSIBLE || look->dead || !look->listening;
    return look->desperate || (confidence == CONFIDENCE_CERTAIN && (look->dead || !look->listening));
}

/* Of the run before: while the next one has not come up, and that is not long ago. */
static bool earlier_counts(const struct look *look, const struct finding *finding)
{
    const struct pod *pod = look->pod;
    const struct termination *end = &pod->facts.serving.last;
    if (!finding_is_log(finding) && told_is_over(look, finding))
        return false;
    if (look->bare || finding->source == EVIDENCE_PREVIOUS)
        return pod->loaded_at < 0;
    if (look->ended)
        return false;
    return stage_is_loading(pod->stage) && pod->loaded_at < 0 && end->known && end->finished_at != 0 &&
           look->now - end->finished_at < LIVE_RECENT_US;
}

/* What a client did in the access log, or undid. Where we probe ourselves, our own answers tell what the server does. */
static bool is_of_clients(const struct look *look, const struct finding *finding)
{
    enum cause cause = finding->signature->cause;
    bool asked = cause == CAUSE_API_KEY || cause == CAUSE_MODEL_UNLOADED || cause == CAUSE_WRONG_PORT;
    if (!finding_is_log(finding) || !asked || finding->signature->label)
        return false;
    return !look->files ||
           (finding->signature->clue == CLUE_ASLEEP && finding_came_after(look_clue(look, CLUE_AWAKE, 0), finding));
}

/* In a start that failed, the end of the engine is what the cause did, and nothing more. */
static bool is_of_failed_start(const struct look *look, const struct finding *finding)
{
    return finding->signature->cause == CAUSE_ENGINE_DEAD && finding_is_log(finding) && !look->listening &&
           look_clue(look, CLUE_START_FAILED, 1);
}

/* What was written after the server was told to end: on its way down it complains, of its engine first. */
static bool is_of_shutdown(const struct look *look, const struct finding *finding)
{
    const struct signature *signature = finding->signature;
    bool echo = signature->cause == CAUSE_ENGINE_DEAD || signature->confidence == CONFIDENCE_POSSIBLE;
    for (uint32_t i = 0; echo && finding_is_log(finding) && i < look->findings->count; i++) {
        const struct finding *stopped = &look->findings->list[i];
        if (stopped->signature->clue == CLUE_STOPPED && stopped->run == finding->run &&
            stopped->source == finding->source && stopped->order < finding->order)
            return true;
    }
    return false;
}

/* A probe's verdict explains an end by SIGKILL: vLLM did not end within its grace. */
static bool is_of_kill(const struct look *look, const struct finding *finding)
{
    return finding->signature->clue == CLUE_SIGKILL &&
           (look_clue(look, CLUE_STARTUP_KILL, 1) || look_clue(look, CLUE_LIVENESS_KILL, 1));
}

static bool finding_counts(const struct look *look, const struct finding *finding)
{
    uint32_t ago = finding_runs_ago(look->pod, finding);
    if (finding->signature->confidence == CONFIDENCE_NONE || ago > 1 || is_of_clients(look, finding) ||
        is_of_failed_start(look, finding) || is_of_shutdown(look, finding) || is_of_kill(look, finding))
        return false;
    if (look->pod->stage == STAGE_READY)
        return ready_is_told(look, finding);
    return ago == 0 ? present_counts(look, finding) : earlier_counts(look, finding);
}

/* How sure, in this pod: what only a start can fail of is no more than possible in one that had come up. */
static enum confidence finding_confidence(const struct look *look, const struct finding *finding)
{
    enum confidence confidence = look->desperate ? CONFIDENCE_POSSIBLE : finding->signature->confidence;
    bool served = look->served && finding_is_log(finding) && finding_runs_ago(look->pod, finding) == 0;
    return served && cause_is_of_start(finding->signature->cause) ? CONFIDENCE_POSSIBLE : confidence;
}

static int32_t cause_weight(enum cause cause)
{
    switch (cause) {
    case CAUSE_NCCL_NETWORK:
    case CAUSE_MODEL_UNLOADED:
        return WEIGHT_RANKS;
    case CAUSE_STARTUP_BUDGET_EXCEEDED:
    case CAUSE_PROBE_TIMEOUT:
    case CAUSE_EVICTED:
        return WEIGHT_VERDICT;
    case CAUSE_ENGINE_DEAD:
        return WEIGHT_ENGINE;
    default:
        return WEIGHT_ROOT;
    }
}

static int32_t finding_weight(const struct look *look, const struct finding *finding)
{
    uint32_t first = UINT32_MAX;
    for (uint32_t i = 0; i < look->findings->count; i++)
        first = look->findings->list[i].order < first ? look->findings->list[i].order : first;
    uint32_t behind = finding->order - first;
    int32_t weight = cause_weight(finding->signature->cause);
    weight += behind < ORDER_STEPS ? ORDER_STEPS - (int32_t)behind : 0;
    weight += finding->deep ? WEIGHT_DEEP : 0;
    weight += finding->sidecar ? WEIGHT_SIDECAR : 0;
    weight += finding->signature->vague ? WEIGHT_VAGUE : 0;
    weight += is_survived(look, finding) ? WEIGHT_SURVIVED : 0;
    weight += finding_runs_ago(look->pod, finding) > 0 ? WEIGHT_OLDER : 0;
    return weight;
}

/* The number that the line itself says would do. */
static void number_fix(struct hint *hint, const char *words)
{
    static const char *const stems[] = {"maximum model length is ", "can be stored in KV cache ("};
    for (size_t i = 0; i < sizeof stems / sizeof stems[0]; i++) {
        const char *stem = strstr(words, stems[i]);
        const char *number = stem ? stem + strlen(stems[i]) : "";
        size_t digits = strspn(number, "0123456789");
        if (digits > 0 && digits < 9)
            hint_fix(hint, "Set --max-model-len to %.*s or lower: by the log, so much fits.", (int)digits, number);
    }
}

/* What helps against a GPU that is full is told by how far the run had come. */
static void memory_fix(const struct look *look, struct hint *hint, const struct finding *finding)
{
    const struct pod *pod = look->pod;
    bool earlier = finding_runs_ago(pod, finding) > 0 || finding->source == EVIDENCE_PREVIOUS;
    const struct progress *progress = earlier ? pod->previous : &pod->progress;
    enum substage at = progress ? progress->furthest : SUBSTAGE_NONE;
    if (at == SUBSTAGE_DOWNLOAD || at == SUBSTAGE_SHARDS)
        hint_fix(hint,
                 "The weights alone do not fit: spread the model over more GPUs (--tensor-parallel-size), or take "
                 "a quantised one.");
    else if (at == SUBSTAGE_WARM_UP || at == SUBSTAGE_GRAPHS)
        hint_fix(hint, "Lower --gpu-memory-utilization or --max-num-seqs: the KV cache leaves too little for the CUDA "
                       "graphs; --enforce-eager does without them.");
    else if (at == SUBSTAGE_LISTENING)
        hint_fix(hint, "Lower --gpu-memory-utilization, so that requests find some memory free, and "
                       "--max-num-batched-tokens or --max-num-seqs.");
}

/* No room left says where only by the frames above it: those of shared memory mean /dev/shm (corpus/README.md). */
static bool is_of_shm(const struct look *look, const struct finding *finding)
{
    enum { FRAMES = 12 };
    const struct finding *frame = look_clue(look, CLUE_SHM_FRAME, 1);
    return frame && finding->signature->cause == CAUSE_DISK_FULL && finding_is_log(finding) &&
           frame->run == finding->run && frame->last_order < finding->order &&
           finding->order - frame->last_order <= FRAMES && !strchr(text_str(&finding->quote), '/');
}

/* What one finding says by itself. */
static void finding_tell(const struct look *look, const struct finding *finding)
{
    const struct signature *signature = finding->signature;
    enum cause cause = is_of_shm(look, finding) ? CAUSE_SHM_TOO_SMALL : signature->cause;
    int32_t weight = finding_weight(look, finding);
    const char *label = signature->label ? signature->label : cause_label(cause);
    struct hint *hint = hint_add_labelled(look->maker, cause, label, finding_confidence(look, finding), weight);
    if (signature->title)
        hint_title(hint, weight, "%s", signature->title);
    if (hint && hint->evidence_count == 0)
        hint->particular = signature->fix && !signature->label;
    look_quote(look, hint, finding);
    if (signature->cause == CAUSE_KV_CACHE_TOO_SMALL)
        number_fix(hint, text_str(&finding->quote));
    if (signature->fix)
        hint_fix(hint, "%s", signature->fix);
    else if (cause == CAUSE_GPU_OOM && finding_is_log(finding))
        memory_fix(look, hint, finding);
    if (signature->command)
        hint_command(look->maker, hint, signature->command);
}

/* The vague ones come last, so that they are quoted behind those that say more. */
static void findings_tell(const struct look *look)
{
    for (int vague = 0; vague <= 1; vague++) {
        for (uint32_t i = 0; i < look->findings->count; i++) {
            const struct finding *finding = &look->findings->list[i];
            if (finding->signature->vague == vague && finding_counts(look, finding))
                finding_tell(look, finding);
        }
    }
}

void hints_of_findings(struct hint_maker *maker)
{
    struct look look;
    const struct pod *pod = maker->pod;
    look_begin(&look, maker);
    if (pod->gone || pod->facts.deleting)
        return;
    findings_tell(&look);
    if (look.dead && maker->out->count == 0 && pod->stage != STAGE_READY) {
        look.desperate = true;
        findings_tell(&look);
    }
    look_join(&look);
}
