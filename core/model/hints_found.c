/* Rules over what the signatures found in logs, events and statuses, and over how a run ended.
 *
 * A finding says the cause only while it still can be it: what a run survived is not why it is unwell, what belongs to an older run goes when a newer one is well, and the kubelet's words about images, nodes and
 * volumes go when the container runs. */
#include "base/clock.h"
#include "model/hints_live.h"

#include <stdio.h>
#include <string.h>

enum {
    /* Among equally sure ones: what can be behind others before what others can be behind of (corpus/README.md). Rules over probes weigh less: see hints_live.h. */
    WEIGHT_ROOT = 3000,
    WEIGHT_RANKS = 2000, /* ranks that lose each other: one of them may have died of something else */
    WEIGHT_VERDICT = 1500,
    WEIGHT_ENGINE = 1000,
    WEIGHT_NOTHING = 0,
    WEIGHT_DEEP = 500,
    WEIGHT_SURVIVED = -1500,
    WEIGHT_SIDECAR = -1000,
    WEIGHT_OLDER = -300,
    ORDER_STEPS = 400 /* the earlier of two findings weighs more, down to this many lines apart */
};
static const int64_t RECENT_US = INT64_C(600) * SECOND_US;

/* The pod with what the rules keep asking for. */
struct look {
    struct hint_maker *maker;
    const struct pod *pod;
    const struct findings *findings;
    int64_t now;
    bool files;     /* no probes of ours tell anything */
    bool bare;      /* of files, and nothing tells of the container's state: it may be dead */
    bool ended;     /* the present run has ended, by the container's state */
    bool dead;      /* that, or the log shows it */
    bool listening; /* the present run's log came to its end of start-up, or it was loaded */
    bool
        desperate; /* it is dead, and nothing else says why: what start-up seemed to survive may yet be it, for outputs interleave */
    bool served; /* the log shows that it had come up, if not in its start-up lines */
};

/* ---- findings ---- */

static bool is_log(const struct finding *finding)
{
    return finding->source == EVIDENCE_LOGS || finding->source == EVIDENCE_PREVIOUS;
}

/* How many runs ago; what belongs to no run is of now. */
static uint32_t runs_ago(const struct pod *pod, const struct finding *finding)
{
    if (finding->run == 0)
        return finding->source == EVIDENCE_PREVIOUS ? 1 : 0;
    return finding->run < pod->run ? pod->run - finding->run : 0;
}

/* The newest finding of this clue that is not too old; NULL none. */
static const struct finding *clue_find(const struct look *look, enum clue clue, uint32_t runs)
{
    const struct finding *found = NULL;
    for (uint32_t i = 0; i < look->findings->count; i++) {
        const struct finding *finding = &look->findings->list[i];
        if (finding->signature->clue == clue && !finding->sidecar && runs_ago(look->pod, finding) <= runs &&
            (!found || finding->last_order > found->last_order))
            found = finding;
    }
    return found;
}

static bool came_after(const struct finding *later, const struct finding *sooner)
{
    if (!later)
        return false;
    return later->last != sooner->last ? later->last > sooner->last : later->last_order > sooner->last_order;
}

/* Its last words came after all progress. */
static bool is_last(const struct look *look, const struct finding *finding)
{
    return finding && is_log(finding) && finding->last_order > look->findings->moved;
}

static bool log_is_dead(const struct look *look)
{
    const struct finding *stopped = clue_find(look, CLUE_STOPPED, 0), *death = clue_find(look, CLUE_DEATH, 0);
    bool goes_on = death && look->findings->calm > death->last_order; /* a traceback that somebody survived */
    return (is_last(look, death) && !goes_on) || is_last(look, clue_find(look, CLUE_START_FAILED, 0)) ||
           (stopped && is_log(stopped)) || look->pod->progress.shutting_down;
}

/* The engine's or API server's own words that it died in service. */
static bool engine_is_told_dead(const struct look *look)
{
    for (uint32_t i = 0; i < look->findings->count; i++) {
        const struct finding *finding = &look->findings->list[i];
        if (finding->signature->cause == CAUSE_ENGINE_DEAD && is_log(finding) && runs_ago(look->pod, finding) == 0)
            return true;
    }
    return false;
}

static void look_begin(struct look *look, struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    const struct container_facts *serving = &pod->facts.serving;
    memset(look, 0, sizeof *look);
    look->maker = maker;
    look->pod = pod;
    look->findings = &pod->findings;
    look->now = maker->now;
    look->files = text_is(&maker->fleet->source_name, "files");
    look->bare = look->files && !serving->started_at_known &&
                 (serving->state == CONTAINER_RUNNING || serving->state == CONTAINER_UNKNOWN);
    look->ended = pod->stage == STAGE_BACKOFF || pod->stage == STAGE_FAILED || pod->stage == STAGE_COMPLETED;
    look->dead = look->ended || log_is_dead(look);
    look->listening = pod->progress.furthest == SUBSTAGE_LISTENING || pod->loaded_at >= 0;
    look->served = look->listening || clue_find(look, CLUE_SERVED, 0) ||
                   (engine_is_told_dead(look) && !clue_find(look, CLUE_START_FAILED, 1));
}

/* The kubelet's or scheduler's words about what comes before a container runs are over when it did. */
static bool told_is_over(const struct look *look, const struct finding *finding)
{
    const struct pod *pod = look->pod;
    enum cause cause = finding->signature->cause;
    const struct finding *started = clue_find(look, CLUE_STARTED, 0);
    const struct finding *pulled = clue_find(look, CLUE_PULLED, 0);
    const struct finding *scheduled = clue_find(look, CLUE_SCHEDULED, 0);
    bool runs = pod->facts.serving.state == CONTAINER_RUNNING && !look->bare;
    bool ran = runs || pod->facts.serving.last.known;
    bool placed = !text_empty(&pod->facts.node) && pod->facts.phase != PHASE_FAILED;
    switch (cause) {
    case CAUSE_UNSCHEDULABLE_RESOURCES:
        return placed || ran || came_after(scheduled, finding) || came_after(pulled, finding) ||
               came_after(started, finding);
    case CAUSE_IMAGE_PULL:
        return ran || came_after(pulled, finding) || came_after(started, finding);
    case CAUSE_CONFIG_ERROR:
    case CAUSE_MOUNT:
    case CAUSE_NO_GPU:
    case CAUSE_CUDA_ERROR:
        return runs || came_after(started, finding);
    case CAUSE_API_KEY:
    case CAUSE_WRONG_PORT:
    case CAUSE_PROBE_TIMEOUT:
    case CAUSE_SPEAKS_TLS:
    case CAUSE_ENGINE_DEAD:
        return look->now - finding->last > RECENT_US && !look->bare;
    default:
        return false;
    }
}

/* What a pod that gets traffic is still told: its engine's own words from after it became Ready, and not long ago. */
static bool ready_is_told(const struct look *look, const struct finding *finding)
{
    const struct pod *pod = look->pod;
    bool says = finding->signature->cause == CAUSE_ENGINE_DEAD || finding->deep || finding->signature->label;
    return says && is_log(finding) && runs_ago(pod, finding) == 0 && pod->ready_at >= 0 &&
           finding->last >= pod->ready_at && look->now - finding->last < RECENT_US &&
           finding->signature->confidence >= CONFIDENCE_LIKELY;
}

/* Start-up went on after the line. */
static bool is_survived(const struct look *look, const struct finding *finding)
{
    return is_log(finding) && runs_ago(look->pod, finding) == 0 && look->findings->moved > finding->last_order;
}

static bool present_counts(const struct look *look, const struct finding *finding)
{
    const struct pod *pod = look->pod;
    enum confidence confidence = finding->signature->confidence;
    if (!is_log(finding))
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
    if (!is_log(finding) && told_is_over(look, finding))
        return false;
    if (look->bare || finding->source == EVIDENCE_PREVIOUS)
        return pod->loaded_at < 0;
    if (look->ended)
        return false;
    return stage_is_loading(pod->stage) && pod->loaded_at < 0 && end->known && end->finished_at != 0 &&
           look->now - end->finished_at < RECENT_US;
}

/* What a client did in the access log, or undid. Where we probe ourselves, our own answers tell what the server does. */
static bool is_of_clients(const struct look *look, const struct finding *finding)
{
    enum cause cause = finding->signature->cause;
    bool asked = cause == CAUSE_API_KEY || cause == CAUSE_MODEL_UNLOADED || cause == CAUSE_WRONG_PORT;
    if (!is_log(finding) || !asked || finding->signature->label)
        return false;
    return !look->files ||
           (finding->signature->clue == CLUE_ASLEEP && came_after(clue_find(look, CLUE_AWAKE, 0), finding));
}

/* In a start that failed, the end of the engine is what the cause did, and nothing more. */
static bool is_of_failed_start(const struct look *look, const struct finding *finding)
{
    return finding->signature->cause == CAUSE_ENGINE_DEAD && is_log(finding) && !look->listening &&
           clue_find(look, CLUE_START_FAILED, 1);
}

/* What was written after the server was told to end: on its way down it complains, of its engine first. */
static bool is_of_shutdown(const struct look *look, const struct finding *finding)
{
    const struct signature *signature = finding->signature;
    bool echo = signature->cause == CAUSE_ENGINE_DEAD || signature->confidence == CONFIDENCE_POSSIBLE;
    for (uint32_t i = 0; echo && is_log(finding) && i < look->findings->count; i++) {
        const struct finding *stopped = &look->findings->list[i];
        if (stopped->signature->clue == CLUE_STOPPED && stopped->run == finding->run &&
            stopped->source == finding->source && stopped->order < finding->order)
            return true;
    }
    return false;
}

static bool finding_counts(const struct look *look, const struct finding *finding)
{
    uint32_t ago = runs_ago(look->pod, finding);
    if (finding->signature->confidence == CONFIDENCE_NONE || ago > 1 || is_of_clients(look, finding) ||
        is_of_failed_start(look, finding) || is_of_shutdown(look, finding))
        return false;
    if (look->pod->stage == STAGE_READY)
        return ready_is_told(look, finding);
    return ago == 0 ? present_counts(look, finding) : earlier_counts(look, finding);
}

/* How sure, in this pod: what only a start can fail of is no more than possible in one that had come up. */
static enum confidence finding_confidence(const struct look *look, const struct finding *finding)
{
    enum confidence confidence = look->desperate ? CONFIDENCE_POSSIBLE : finding->signature->confidence;
    switch (finding->signature->cause) {
    case CAUSE_CONFIG_ERROR:
    case CAUSE_DOWNLOAD_AUTH:
    case CAUSE_DOWNLOAD_NOT_FOUND:
    case CAUSE_DOWNLOAD_NETWORK:
    case CAUSE_WEIGHTS_CORRUPT:
        return look->served && is_log(finding) && runs_ago(look->pod, finding) == 0 ? CONFIDENCE_POSSIBLE : confidence;
    default:
        return confidence;
    }
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
    weight += is_survived(look, finding) ? WEIGHT_SURVIVED : 0;
    weight += runs_ago(look->pod, finding) > 0 ? WEIGHT_OLDER : 0;
    return weight;
}

static void finding_quote(const struct look *look, struct hint *hint, const struct finding *finding)
{
    bool older = finding->source == EVIDENCE_LOGS && runs_ago(look->pod, finding) > 0;
    hint_evidence(hint, older ? EVIDENCE_PREVIOUS : finding->source, finding->line, finding->first, "%s",
                  text_str(&finding->quote));
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

/* No room left says where only by the frames above it: those of shared memory mean /dev/shm (corpus/README.md). */
static bool is_of_shm(const struct look *look, const struct finding *finding)
{
    enum { FRAMES = 12 };
    const struct finding *frame = clue_find(look, CLUE_SHM_FRAME, 1);
    return frame && finding->signature->cause == CAUSE_DISK_FULL && is_log(finding) && frame->run == finding->run &&
           frame->last_order < finding->order && finding->order - frame->last_order <= FRAMES &&
           !strchr(text_str(&finding->quote), '/');
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
    finding_quote(look, hint, finding);
    if (signature->cause == CAUSE_KV_CACHE_TOO_SMALL)
        number_fix(hint, text_str(&finding->quote));
    if (signature->fix)
        hint_fix(hint, "%s", signature->fix);
    if (signature->command)
        hint_command(look->maker, hint, signature->command);
}

/* ---- several findings together ---- */

static bool hints_have(const struct look *look, enum confidence at_least)
{
    const struct hints *hints = look->maker->out;
    for (uint32_t i = 0; i < hints->count; i++)
        if (hints->list[i].confidence >= at_least)
            return true;
    return false;
}

static bool hint_is_there(const struct look *look, enum cause cause)
{
    return hint_find(look->maker, cause) != NULL;
}

/* The name between the first quotes. */
static bool quoted_name(const char *words, char *out, size_t size)
{
    size_t begin = strcspn(words, "'\"");
    const char *name = words[begin] ? words + begin + 1 : words + begin;
    size_t length = strcspn(name, "'\"");
    if (length == 0 || length >= size || name[length] == '\0')
        return false;
    memcpy(out, name, length);
    out[length] = '\0';
    return true;
}

/* An adapter was loaded, and a later answer of /v1/models does not list it. */
static void adapter_is_missing(const struct look *look)
{
    char name[128];
    const struct finding *loaded = clue_find(look, CLUE_ADAPTER_LOADED, 0);
    const struct finding *list = clue_find(look, CLUE_MODELS_LIST, 0);
    if (!loaded || !list || !quoted_name(text_str(&loaded->quote), name, sizeof name) ||
        strstr(text_str(&list->quote), name))
        return;
    struct hint *hint = hint_add(look->maker, CAUSE_MODEL_UNLOADED, CONFIDENCE_LIKELY, WEIGHT_ROOT);
    hint_title(hint, WEIGHT_ROOT, "the adapter %s was loaded, and /v1/models does not list it", name);
    finding_quote(look, hint, loaded);
    finding_quote(look, hint, list);
}

/* Whether the run that a probe killed had come up: then the probe asked wrongly, and time was no matter. */
static bool killed_run_was_up(const struct look *look)
{
    const struct progress *previous = look->pod->previous;
    bool was = previous && previous->furthest == SUBSTAGE_LISTENING;
    return look->listening || was;
}

/* A probe that fails asks a port on which, by the pod's own spec, nothing listens. */
static void asks_nobodys_port(const struct look *look)
{
    static const struct {
        enum lane_kind lane;
        enum clue clues[2];
    } rows[] = {{LANE_STARTUP, {CLUE_STARTUP_KILL, CLUE_STARTUP_FAILED}},
                {LANE_LIVENESS, {CLUE_LIVENESS_KILL, CLUE_LIVENESS_REFUSED}},
                {LANE_READINESS, {CLUE_READINESS_REFUSED, CLUE_READINESS_REFUSED}}};
    const struct pod_facts *facts = &look->pod->facts;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct probe_spec *spec = &facts->probes[rows[i].lane];
        const struct finding *kill = clue_find(look, rows[i].clues[0], 1);
        const struct finding *failed = clue_find(look, rows[i].clues[1], 1);
        bool elsewhere = facts->vllm_port > 0 && facts->vllm_port != spec->port;
        if (!spec->unserved || !elsewhere || (!kill && !failed) || look->pod->stage == STAGE_READY)
            continue;
        struct hint *hint = hint_add(look->maker, CAUSE_WRONG_PORT, CONFIDENCE_LIKELY, WEIGHT_ROOT);
        hint_title(hint, WEIGHT_ROOT, "the %s probe asks port %d, where nothing in the pod listens: vLLM is on %d",
                   lane_name(rows[i].lane), (int)spec->port, (int)facts->vllm_port);
        finding_quote(look, hint, kill ? kill : failed);
        hint_evidence(hint, EVIDENCE_POD, 0, INT64_MIN, "%sProbe asks %d; vLLM's port is %d", lane_name(rows[i].lane),
                      (int)spec->port, (int)facts->vllm_port);
        hint_patch_port(hint, look->pod, spec->port, facts->vllm_port);
        return;
    }
}

/* The kubelet's verdicts, by its own words, where no probes of ours say more. */
static void kubelet_killed(const struct look *look)
{
    const struct finding *startup = clue_find(look, CLUE_STARTUP_KILL, 1);
    const struct finding *liveness = clue_find(look, CLUE_LIVENESS_KILL, 1);
    const struct finding *refused = clue_find(look, CLUE_LIVENESS_REFUSED, 1);
    const struct finding *kill = startup ? startup : liveness;
    if (!kill || look->pod->stage == STAGE_READY || look->pod->loaded_at >= 0)
        return;
    bool asked_wrongly = hint_is_there(look, CAUSE_WRONG_PORT) || hint_is_there(look, CAUSE_API_KEY);
    bool other = asked_wrongly || hint_is_there(look, CAUSE_PROBE_TIMEOUT) || hint_is_there(look, CAUSE_ENGINE_DEAD);
    bool up = killed_run_was_up(look);
    enum cause cause = startup || refused ? CAUSE_STARTUP_BUDGET_EXCEEDED : CAUSE_PROBE_KILLED;
    enum confidence confidence = startup ? CONFIDENCE_CERTAIN : refused ? CONFIDENCE_LIKELY : CONFIDENCE_POSSIBLE;
    if (startup && (asked_wrongly || up))
        cause = CAUSE_WRONG_PORT;
    else if (other || (up && cause == CAUSE_STARTUP_BUDGET_EXCEEDED))
        cause = CAUSE_PROBE_KILLED;
    if (asked_wrongly && startup)
        return;
    if (cause == CAUSE_PROBE_KILLED)
        confidence = CONFIDENCE_POSSIBLE;
    else if (cause == CAUSE_WRONG_PORT || hints_have(look, CONFIDENCE_LIKELY))
        confidence = CONFIDENCE_LIKELY;
    struct hint *hint = hint_add(look->maker, cause, confidence, WEIGHT_VERDICT);
    if (cause == CAUSE_WRONG_PORT)
        hint_title(hint, WEIGHT_VERDICT, "killed by its start-up probe although vLLM was up: the probe asks in vain");
    else if (startup)
        hint_title(hint, WEIGHT_VERDICT, "killed by its start-up probe before loading was done");
    else if (refused)
        hint_title(hint, WEIGHT_VERDICT, "killed by its liveness probe while it still started");
    finding_quote(look, hint, kill);
    if (refused && !startup)
        finding_quote(look, hint, refused);
}

/* The port of the URL in an event's words; 0 none. */
static int32_t port_asked(const char *words)
{
    const char *url = strstr(words, "//"), *colon = url ? strchr(url, ':') : NULL;
    int32_t port = 0;
    for (const char *p = colon ? colon + 1 : ""; *p >= '0' && *p <= '9' && port < 65536; p++)
        port = port * 10 + (*p - '0');
    return port < 65536 ? port : 0;
}

/* Probes are refused although the log says that the server is up, or that it listens elsewhere. Where we probe ourselves, rules over probes know better. */
static void refused_though_up(const struct look *look)
{
    static const enum clue clues[] = {CLUE_READINESS_REFUSED, CLUE_LIVENESS_REFUSED, CLUE_STARTUP_FAILED};
    const struct finding *refused = NULL;
    int32_t listens = look->pod->progress.port, asked;
    for (size_t i = 0; i < sizeof clues / sizeof clues[0] && !refused; i++)
        refused = clue_find(look, clues[i], 0);
    if (!refused || !look->files || look->pod->stage == STAGE_READY ||
        !strstr(text_str(&refused->quote), "connection refused"))
        return;
    asked = port_asked(text_str(&refused->quote));
    bool elsewhere = asked != 0 && listens != 0 && asked != listens;
    if (!elsewhere && (!look->listening || look->dead || asked == listens))
        return;
    struct hint *hint = hint_add(look->maker, CAUSE_WRONG_PORT, CONFIDENCE_LIKELY, WEIGHT_ROOT);
    if (elsewhere)
        hint_title(hint, WEIGHT_ROOT, "a probe asks port %d, and vLLM listens on %d", (int)asked, (int)listens);
    else
        hint_title(hint, WEIGHT_ROOT, "a probe is refused although vLLM is up: it asks another port");
    finding_quote(look, hint, refused);
    if (listens != 0)
        hint_evidence(hint, EVIDENCE_LOGS, 0, INT64_MIN, "vLLM's port is %d", (int)listens);
    if (elsewhere)
        hint_patch_port(hint, look->pod, asked, listens);
}

/* ---- runs that ended ---- */

static void stopped_from_outside(const struct look *look, const struct progress *progress, uint32_t runs)
{
    const struct finding *stopped = clue_find(look, CLUE_STOPPED, runs);
    bool loading = progress->furthest > SUBSTAGE_NONE && progress->furthest < SUBSTAGE_LISTENING;
    if ((!progress->shutting_down && !(stopped && runs_ago(look->pod, stopped) == runs)) ||
        hints_have(look, CONFIDENCE_LIKELY) || look->pod->stage == STAGE_READY)
        return;
    struct hint *hint = hint_add(look->maker, loading ? CAUSE_STARTUP_BUDGET_EXCEEDED : CAUSE_PROBE_KILLED,
                                 loading ? CONFIDENCE_LIKELY : CONFIDENCE_POSSIBLE, WEIGHT_VERDICT);
    if (loading) {
        hint_title(hint, WEIGHT_VERDICT, "told to end while it loaded, and no error before: a probe killed it");
        hint_evidence(hint, runs == 0 ? EVIDENCE_LOGS : EVIDENCE_PREVIOUS, 0, progress->entered[progress->furthest],
                      "it had come to: %s", substage_word(progress->furthest));
    } else {
        hint_title(hint, WEIGHT_VERDICT, "told to end from outside, and no error before: a probe, or somebody");
    }
    if (stopped)
        finding_quote(look, hint, stopped);
}

/* A log that breaks off between the weights and the end of graph capture, where memory is at its highest, and says nothing. */
static void died_while_measuring(const struct look *look, const struct finding *death)
{
    enum substage at = look->pod->progress.furthest;
    if (at < SUBSTAGE_WEIGHTS || at == SUBSTAGE_COMPILE || at > SUBSTAGE_GRAPHS)
        return;
    struct hint *hint = hint_add(look->maker, CAUSE_GPU_OOM, CONFIDENCE_POSSIBLE, WEIGHT_ENGINE);
    hint_title(hint, WEIGHT_ENGINE, "died without a message where GPU memory is at its highest: after %s",
               substage_word(at));
    finding_quote(look, hint, death);
}

static void died_silently(const struct look *look)
{
    const struct finding *death = clue_find(look, CLUE_START_FAILED, look->bare ? 1 : 0);
    death = death ? death : clue_find(look, CLUE_DEATH, look->bare ? 1 : 0);
    if (!look->dead || !death || hints_have(look, CONFIDENCE_POSSIBLE) || look->pod->stage == STAGE_READY)
        return;
    died_while_measuring(look, death);
    struct hint *hint = hint_add(look->maker, CAUSE_DIED_SILENTLY, CONFIDENCE_POSSIBLE, WEIGHT_NOTHING);
    finding_quote(look, hint, death);
}

/* A download under way at the end of a log, where nothing tells how long it has gone on. */
static void still_downloads(const struct look *look)
{
    const struct finding *bar = clue_find(look, CLUE_DOWNLOAD, 0);
    const struct progress *progress = &look->pod->progress;
    bool silent = progress->furthest == SUBSTAGE_DOWNLOAD && text_str(&progress->model)[0] != '/';
    if (!look->bare || look->dead || look->listening || hints_have(look, CONFIDENCE_POSSIBLE) ||
        progress->furthest > SUBSTAGE_DOWNLOAD || (!bar && !silent))
        return;
    struct hint *hint = hint_add(look->maker, CAUSE_DOWNLOAD_SLOW, CONFIDENCE_POSSIBLE, WEIGHT_VERDICT);
    if (bar) {
        finding_quote(look, hint, bar);
    } else {
        hint_title(hint, WEIGHT_VERDICT,
                   "the log ends where the weights are looked for: vLLM prints nothing while it downloads");
        hint_evidence(hint, EVIDENCE_LOGS, 0, progress->last_line, "%s", text_str(&progress->last_text));
    }
}

static void findings_tell(const struct look *look)
{
    for (uint32_t i = 0; i < look->findings->count; i++)
        if (finding_counts(look, &look->findings->list[i]))
            finding_tell(look, &look->findings->list[i]);
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
    adapter_is_missing(&look);
    refused_though_up(&look);
    asks_nobodys_port(&look);
    kubelet_killed(&look);
}

/* What an exit code or signal means by itself; false: nothing in particular. */
static bool exit_means(const struct termination *end, enum cause *cause, enum confidence *confidence)
{
    static const struct {
        int32_t code;
        enum cause cause;
        enum confidence confidence;
    } rows[] = {{0, CAUSE_ENGINE_DEAD, CONFIDENCE_LIKELY},
                {128 + 9, CAUSE_HOST_OOM, CONFIDENCE_LIKELY},
                {128 + 11, CAUSE_CRASH_SEGFAULT, CONFIDENCE_CERTAIN},
                {128 + 6, CAUSE_CRASH_SEGFAULT, CONFIDENCE_LIKELY},
                {128 + 4, CAUSE_CRASH_SEGFAULT, CONFIDENCE_LIKELY},
                {128 + 7, CAUSE_SHM_TOO_SMALL, CONFIDENCE_LIKELY},
                {128 + 15, CAUSE_PROBE_KILLED, CONFIDENCE_POSSIBLE},
                {128 + 2, CAUSE_PROBE_KILLED, CONFIDENCE_POSSIBLE},
                {126, CAUSE_CONFIG_ERROR, CONFIDENCE_LIKELY},
                {127, CAUSE_CONFIG_ERROR, CONFIDENCE_LIKELY},
                {128, CAUSE_CONFIG_ERROR, CONFIDENCE_LIKELY}};
    int32_t code = end->exit_code == 0 && end->signal > 0 ? 128 + end->signal : end->exit_code;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].code == code) {
            *cause = rows[i].cause;
            *confidence = rows[i].confidence;
            return true;
        }
    }
    return false;
}

static void exit_quote(struct hint *hint, const struct termination *end)
{
    char lived[64], words[128] = "";
    if (end->finished_at != 0 && end->started_at != 0 && end->finished_at >= end->started_at)
        snprintf(words, sizeof words, ", after %s", clock_age(end->finished_at - end->started_at, lived, sizeof lived));
    hint_evidence(hint, EVIDENCE_POD, 0, end->finished_at != 0 ? end->finished_at : INT64_MIN, "exit code %d%s%s%s",
                  (int)end->exit_code, text_empty(&end->reason) ? "" : ", ", text_str(&end->reason), words);
}

/* The best of the hints so far, by what they will be ranked by. */
static struct hint *hint_best(const struct look *look)
{
    struct hints *hints = look->maker->out;
    struct hint *best = NULL;
    for (uint32_t i = 0; i < hints->count; i++) {
        struct hint *hint = &hints->list[i];
        if (!best || hint->confidence > best->confidence ||
            (hint->confidence == best->confidence && hint->weight > best->weight))
            best = hint;
    }
    return best;
}

/* Whether the run lasted just as long as its start-up budget, with the grace after it, and then was ended by a signal or in order: the startup probe's verdict, though no event is here that says so. Of memory the kubelet
 * says OOMKilled, not Error (facts/kube.md 2.1). */
static bool lived_its_budget(const struct look *look, const struct termination *end)
{
    enum { SLACK_SECONDS = 2 };
    const struct probe_spec *spec = &look->pod->facts.probes[LANE_STARTUP];
    bool told = end->exit_code == 0 || end->exit_code == 128 + 9 || end->exit_code == 128 + 15;
    if (spec->action == PROBE_NONE || !told || look->served || end->started_at == 0 || end->finished_at == 0)
        return false;
    int64_t lived = (end->finished_at - end->started_at) / SECOND_US;
    int64_t soonest = (int64_t)spec->initial_delay + (int64_t)(spec->failure_threshold - 1) * spec->period;
    int64_t latest = soonest + 2 * (int64_t)spec->period + spec->timeout + look->pod->facts.grace;
    return lived >= soonest - SLACK_SECONDS && lived <= latest + SLACK_SECONDS;
}

/* A run that ended by itself, or was ended by the kernel: a probe's verdict has its own rules. */
static void ended_tell(const struct look *look, const struct termination *end)
{
    enum cause cause;
    enum confidence confidence;
    struct hint *best = hint_best(look);
    if (text_is(&end->reason, "OOMKilled")) {
        struct hint *hint = hint_add(look->maker, CAUSE_HOST_OOM, CONFIDENCE_CERTAIN, WEIGHT_ROOT + WEIGHT_DEEP);
        hint_title(hint, WEIGHT_ROOT + WEIGHT_DEEP,
                   "out of host memory: the container went beyond its memory limit and was killed");
        exit_quote(hint, end);
        return;
    }
    if (best && best->confidence >= CONFIDENCE_LIKELY) {
        exit_quote(best, end);
        return;
    }
    if (lived_its_budget(look, end)) {
        struct hint *hint = hint_add(look->maker, CAUSE_STARTUP_BUDGET_EXCEEDED, CONFIDENCE_LIKELY, WEIGHT_VERDICT);
        hint_title(hint, WEIGHT_VERDICT, "it lived just as long as its start-up budget: its startup probe killed it");
        exit_quote(hint, end);
        return;
    }
    if (exit_means(end, &cause, &confidence)) {
        struct hint *hint = hint_add(look->maker, cause, confidence, WEIGHT_ENGINE);
        if (cause == CAUSE_HOST_OOM)
            hint_title(hint, WEIGHT_ENGINE,
                       "killed with SIGKILL (exit code 137): out of memory, or not ended within its grace");
        else if (end->exit_code == 0)
            hint_title(hint, WEIGHT_ENGINE, "vLLM ended by itself with exit code 0: so it does when its engine dies");
        exit_quote(hint, end);
        return;
    }
    if (best) {
        exit_quote(best, end);
        return;
    }
    struct hint *hint = hint_add(look->maker, CAUSE_DIED_SILENTLY, CONFIDENCE_LIKELY, WEIGHT_NOTHING);
    hint_title(hint, WEIGHT_NOTHING, "the container ended with exit code %d, and no line of its log says why",
               (int)end->exit_code);
    exit_quote(hint, end);
}

/* The kubelet ended the container because the pod had to go, and has started it no more: how it ended says nothing. */
static bool was_removed(const struct look *look)
{
    const struct finding *removed = clue_find(look, CLUE_REMOVED, 0), *started = clue_find(look, CLUE_STARTED, 0);
    return removed && (!started || came_after(removed, started));
}

void hints_of_termination(struct hint_maker *maker)
{
    struct look look;
    const struct pod *pod = maker->pod;
    const struct container_facts *serving = &pod->facts.serving;
    const struct termination *end = &serving->last;
    look_begin(&look, maker);
    if (pod->gone || pod->facts.deleting || pod->stage == STAGE_READY || was_removed(&look))
        return;
    uint32_t run = look.ended ? pod->run : pod->run - 1;
    bool again = !look.ended && stage_is_loading(pod->stage) && pod->loaded_at < 0 &&
                 (look.bare || (end->finished_at != 0 && look.now - end->finished_at < RECENT_US));
    bool cannot_start = pod->stage == STAGE_BACKOFF && serving->state == CONTAINER_WAITING &&
                        !text_is(&serving->reason, "CrashLoopBackOff");
    bool killed = pod->killed_run != 0 && pod->killed_run == run;
    if (end->known && (look.ended || again) && !cannot_start && !killed)
        ended_tell(&look, end);
    if (!end->known || look.bare) {
        stopped_from_outside(&look, &pod->progress, 0);
        if (pod->previous && look.bare)
            stopped_from_outside(&look, pod->previous, 1);
        died_silently(&look);
        still_downloads(&look);
    }
}

/* Whether the log shows a model that is loaded, and nothing left to do but the engine's own last steps. */
static bool log_is_through(const struct look *look)
{
    const struct progress *progress = &look->pod->progress;
    bool counting = progress->furthest == SUBSTAGE_GRAPHS && progress->done < progress->total;
    bool warming = progress->furthest == SUBSTAGE_WARM_UP;
    return clue_find(look, CLUE_SERVED, 0) != NULL ||
           (progress->furthest >= SUBSTAGE_KV_CACHE && !counting && !warming);
}

/* An ERROR line that no signature knows, with no progress after it: nothing good can be said either. */
static bool log_has_unknown_error(const struct look *look)
{
    const struct finding *error = clue_find(look, CLUE_ERROR, 0);
    return look->dead || (is_last(look, error) && error->last_order > look->findings->calm);
}

/* Loading, as far as anything shows it. */
static bool pod_loads(const struct look *look)
{
    const struct pod *pod = look->pod;
    bool started = look->bare && (clue_find(look, CLUE_STARTED, 0) || clue_find(look, CLUE_WAITING, 0) ||
                                  clue_find(look, CLUE_STARTUP_FAILED, 0));
    bool runs = stage_is_loading(pod->stage) && pod->facts.serving.state == CONTAINER_RUNNING;
    bool talks = pod->progress.furthest != SUBSTAGE_NONE || look->findings->calm > 0;
    return started || (runs && (!look->bare || talks));
}

enum cause hints_verdict(struct hint_maker *maker)
{
    struct look look;
    const struct pod *pod = maker->pod;
    look_begin(&look, maker);
    if (maker->out->count > 0)
        return maker->out->list[0].cause;
    if (pod->gone || pod->facts.deleting)
        return CAUSE_NONE;
    if (pod->stage == STAGE_READY || pod->stage == STAGE_LOADED)
        return CAUSE_HEALTHY;
    if (look.ended || (look.bare && log_has_unknown_error(&look)))
        return CAUSE_NONE;
    if (log_is_through(&look))
        return CAUSE_HEALTHY;
    return pod_loads(&look) ? CAUSE_HEALTHY_SLOW : CAUSE_NONE;
}
