/* The ladder's rules: facts/vllm.md 1.8 for what the answers mean, facts/kube.md 1.2 and 1.3 for the kubelet's side. */
#include "model/pod_fold.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum { AGE_SIZE = 32, REASON_SIZE = 160 };

bool pod_is_out_with_its_node(const struct pod *pod)
{
    const struct pod_facts *facts = &pod->facts;
    return facts->kubelet && facts->ready.status == TRI_FALSE && facts->containers_ready.status == TRI_TRUE &&
           text_empty(&facts->ready.reason);
}

bool cause_is_timeout(enum probe_cause cause)
{
    return cause == PROBE_CAUSE_TIMEOUT_CONNECT || cause == PROBE_CAUSE_TIMEOUT_TLS ||
           cause == PROBE_CAUSE_TIMEOUT_HEADERS || cause == PROBE_CAUSE_TIMEOUT_BODY;
}

const char *cause_words(enum probe_cause cause, int32_t status, char *out, size_t size)
{
    const char *words = probe_cause_name(cause);
    if (cause == PROBE_CAUSE_STATUS) {
        snprintf(out, size, "status %d", (int)status);
        return out;
    }
    if (cause_is_timeout(cause))
        words = "timeout";
    else if (cause == PROBE_CAUSE_ENGINE_DEAD)
        words = "engine dead";
    else if (cause == PROBE_CAUSE_SIDECAR_NOT_READY || cause == PROBE_CAUSE_SIDECAR_BAD_GATEWAY)
        words = "only the sidecar answers";
    else if (cause == PROBE_CAUSE_UNAUTHORIZED)
        words = "401, key needed";
    else if (cause == PROBE_CAUSE_NOT_FOUND)
        words = "404";
    else if (cause == PROBE_CAUSE_NO_MODEL)
        words = "no model";
    else if (cause == PROBE_CAUSE_WRONG_MODEL)
        words = "wrong model";
    snprintf(out, size, "%s", words);
    return out;
}

/* "shards 41/163", "download"; false when the log has said nothing. */
static bool substage_reason(const struct pod *pod, char *reason, size_t size)
{
    const struct progress *progress = &pod->progress;
    if (progress->furthest == SUBSTAGE_NONE)
        return false;
    if (progress->total > 0) {
        snprintf(reason, size, "%s %d/%d", substage_word(progress->furthest), (int)progress->done,
                 (int)progress->total);
    } else {
        snprintf(reason, size, "%s", substage_word(progress->furthest));
    }
    return true;
}

/* Whether a container that waits does so because something failed, and not because it is being made. "Init:" stands before the reason of an init container that failed, or before how many are done. */
static bool waiting_is_backoff(const struct text *reason)
{
    const char *word = text_str(reason);
    if (strncmp(word, "Init:", 5) == 0)
        return !(word[5] >= '0' && word[5] <= '9');
    static const char *const failures[] = {"CrashLoopBackOff",
                                           "ImagePullBackOff",
                                           "ErrImagePull",
                                           "ErrImageNeverPull",
                                           "ImageInspectError",
                                           "RegistryUnavailable",
                                           "SignatureValidationFailed",
                                           "InvalidImageName",
                                           "CreateContainerConfigError",
                                           "CreateContainerError",
                                           "PreCreateHookError",
                                           "PreStartHookError",
                                           "PostStartHookError",
                                           "RunContainerError",
                                           "Error"}; /* as kubectl get pods has it of one that ended badly */
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
        if (strcmp(word, failures[i]) == 0)
            return true;
    return false;
}

static void termination_reason(const struct container_facts *container, char *reason, size_t size)
{
    const struct termination *end = &container->last;
    if (!end->known)
        snprintf(reason, size, "%s", text_str(&container->reason));
    else if (text_empty(&end->reason) || text_is(&end->reason, "Error") || text_is(&end->reason, "Completed"))
        snprintf(reason, size, "exit code %d", (int)end->exit_code);
    else
        snprintf(reason, size, "%s, exit code %d", text_str(&end->reason), (int)end->exit_code);
}

/* Why a pod has to go, where Kubernetes says it: reasons of the condition DisruptionTarget. */
static const char *going_reason(const struct text *reason)
{
    static const struct {
        const char *reason, *words;
    } rows[] = {{"EvictionByEvictionAPI", "evicted"},
                {"DeletionByTaintManager", "evicted by a taint of its node"},
                {"PreemptionByScheduler", "preempted"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (text_is(reason, rows[i].reason))
            return rows[i].words;
    return text_str(reason);
}

/* Stages that the pod's own status decides. False: the container runs, and the probes decide. */
static bool stage_by_status(const struct pod *pod, enum stage *stage, char *reason, size_t size)
{
    const struct pod_facts *facts = &pod->facts;
    const struct container_facts *serving = &facts->serving;
    reason[0] = '\0';
    if (facts->deleting) {
        *stage = STAGE_TERMINATING;
        snprintf(reason, size, "%s", going_reason(&facts->phase_reason));
    } else if (facts->phase == PHASE_FAILED) {
        *stage = STAGE_FAILED;
        if (text_empty(&facts->phase_reason))
            termination_reason(serving, reason, size);
        else
            snprintf(reason, size, "%s", text_str(&facts->phase_reason));
    } else if (facts->phase == PHASE_SUCCEEDED) {
        *stage = STAGE_COMPLETED;
        termination_reason(serving, reason, size);
    } else if (serving->state == CONTAINER_RUNNING) {
        return false;
    } else if (serving->state == CONTAINER_TERMINATED) {
        bool well = serving->last.known && serving->last.exit_code == 0 && serving->last.signal == 0;
        *stage = well ? STAGE_COMPLETED : facts->never_restart ? STAGE_FAILED : STAGE_BACKOFF;
        termination_reason(serving, reason, size);
    } else if (serving->state == CONTAINER_WAITING && waiting_is_backoff(&serving->reason)) {
        *stage = STAGE_BACKOFF;
        if (serving->last.known && text_is(&serving->reason, "CrashLoopBackOff"))
            termination_reason(serving, reason, size); /* why it waits; that it waits the stage says */
        else
            snprintf(reason, size, "%s", text_str(&serving->reason));
    } else if (!facts->kubelet) {
        *stage = STAGE_UNKNOWN;
    } else if (facts->scheduled.status == TRI_TRUE || serving->state == CONTAINER_WAITING) {
        *stage = STAGE_CREATING;
        snprintf(reason, size, "%s", text_is(&serving->reason, "ContainerCreating") ? "" : text_str(&serving->reason));
    } else {
        *stage = facts->phase == PHASE_PENDING ? STAGE_PENDING : STAGE_UNKNOWN;
        snprintf(reason, size, "%s", text_str(&facts->scheduled.reason));
    }
    return true;
}

bool pod_is_ready(const struct pod *pod)
{
    const struct pod_facts *facts = &pod->facts;
    if (facts->kubelet)
        return facts->serving.ready == TRI_TRUE && facts->ready.status != TRI_FALSE;
    const struct lane *readiness = &pod->lanes[LANE_READINESS];
    struct container_view view = pod_view(pod);
    if (pod->reborn || !view.started || (readiness->present && readiness->prober.stored != VERDICT_SUCCESS))
        return false;
    /* With no probe to decide it a container is Ready at once; an endpoint that nobody has seen answer is not called so. */
    return readiness->present || pod->lanes[LANE_STARTUP].present || pod->api_up_at >= 0;
}

static bool lane_times_out(const struct lane *lane)
{
    return lane->present && lane->streak_failing && cause_is_timeout(lane->streak_cause);
}

/* The API server answers nothing any more, on more than one path: not one slow handler but all of it. */
static bool pod_hangs(const struct pod *pod)
{
    const struct lane *lanes = pod->lanes;
    bool health = lane_times_out(&lanes[LANE_LIVENESS]) || lane_times_out(&lanes[LANE_HEALTH]);
    bool models = lane_times_out(&lanes[LANE_READINESS]) || lane_times_out(&lanes[LANE_MODELS]);
    return health && models;
}

/* The serving container is Ready, the pod is not: that may be the sidecar's doing (facts/kube.md 1.9). */
static bool sidecar_reason(const struct pod *pod, char *reason, size_t size)
{
    const struct lane *lane = &pod->lanes[LANE_SIDECAR_READINESS];
    const struct pod_facts *facts = &pod->facts;
    char words[AGE_SIZE];
    if (!facts->kubelet || !facts->sidecar.exists || facts->serving.ready != TRI_TRUE ||
        facts->sidecar.ready != TRI_FALSE)
        return false;
    bool failing = lane->present && lane->streak > 0 && lane->streak_failing;
    snprintf(reason, size, "sidecar not ready%s%s", failing ? ": " : "",
             failing ? cause_words(lane->streak_cause, lane->streak_status, words, sizeof words) : "");
    return true;
}

static void degraded_reason(const struct pod *pod, char *reason, size_t size)
{
    static const enum lane_kind order[] = {LANE_LIVENESS, LANE_READINESS, LANE_HEALTH, LANE_MODELS, LANE_STARTUP};
    char words[AGE_SIZE];
    if (pod->refused_now) {
        snprintf(reason, size, "process gone");
        return;
    }
    if (pod->engine_dead) {
        snprintf(reason, size, "engine dead");
        return;
    }
    if (pod_hangs(pod)) {
        snprintf(reason, size, "hangs");
        return;
    }
    if (sidecar_reason(pod, reason, size))
        return;
    if (pod_is_out_with_its_node(pod)) {
        snprintf(reason, size, WHY_NODE);
        return;
    }
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        const struct lane *lane = &pod->lanes[order[i]];
        if (lane->present && lane->streak_failing) {
            /* the cause first: where room is short the end is cut, and which lane it is stands elsewhere too */
            snprintf(reason, size, "%s, %s", cause_words(lane->streak_cause, lane->streak_status, words, sizeof words),
                     lane_name(order[i]));
            return;
        }
    }
    snprintf(reason, size, "%s", pod->facts.kubelet ? "the kubelet says NotReady" : "not seen alive since");
}

static bool is_degraded(const struct pod *pod, bool ready)
{
    const struct lane *liveness = &pod->lanes[LANE_LIVENESS];
    bool about_to_die = liveness->present && liveness->prober.on_hold && liveness->prober.stored == VERDICT_FAILURE;
    return pod->engine_dead || about_to_die || pod->fallen || (pod->ready_at >= 0 && !ready);
}

/* Nothing is loaded yet: what the log says, else what the newest probe found. */
static void loading_reason(const struct pod *pod, char *reason, size_t size)
{
    char words[AGE_SIZE];
    if (pod->is_simulator) {
        snprintf(reason, size, "simulator");
        return;
    }
    if (substage_reason(pod, reason, size))
        return;
    reason[0] = '\0';
    for (int i = 0; i < LANE_SERVING_COUNT; i++) {
        const struct lane *lane = &pod->lanes[i];
        if (lane->present && lane->streak > 0 && lane->streak_failing) {
            snprintf(reason, size, "%s", cause_words(lane->streak_cause, lane->streak_status, words, sizeof words));
            return;
        }
    }
}

/* What keeps a loaded model from being Ready, where a probe sent since then tells. */
static void loaded_reason(const struct pod *pod, char *reason, size_t size)
{
    char words[AGE_SIZE];
    if (pod->wrong_model || pod->unauthorized) {
        snprintf(reason, size, "%s", pod->wrong_model ? "wrong model" : "key needed");
        return;
    }
    if (sidecar_reason(pod, reason, size))
        return;
    for (int i = LANE_STARTUP; i <= LANE_READINESS; i++) {
        const struct lane *lane = &pod->lanes[i];
        if (i != LANE_LIVENESS && lane->present && lane->streak > 0 && lane->streak_failing &&
            lane->last_counted_sent > pod->loaded_at) {
            snprintf(reason, size, "%s, %s", cause_words(lane->streak_cause, lane->streak_status, words, sizeof words),
                     lane_name((enum lane_kind)i));
            return;
        }
    }
    snprintf(reason, size, "not Ready yet");
}

/* An answer, or a refusal, has been seen from the pod itself. */
static bool pod_has_spoken(const struct pod *pod)
{
    for (int i = 0; i < LANE_COUNT; i++) {
        const struct lane *lane = &pod->lanes[i];
        if (lane->streak > 0 && probe_cause_whose(lane->streak_cause) == 'p')
            return true;
    }
    return false;
}

static enum stage stage_by_probes(const struct pod *pod, char *reason, size_t size)
{
    bool ready = pod_is_ready(pod);
    reason[0] = '\0';
    if (is_degraded(pod, ready)) {
        degraded_reason(pod, reason, size);
        return STAGE_DEGRADED;
    }
    if (ready) {
        snprintf(reason, size, "%s", pod->wrong_model ? "wrong model" : "");
        return STAGE_READY;
    }
    if (pod->loaded_at >= 0) {
        loaded_reason(pod, reason, size);
        return STAGE_LOADED;
    }
    loading_reason(pod, reason, size);
    if (pod->api_up_at >= 0)
        return STAGE_API_UP;
    return pod->facts.kubelet || pod->progress.furthest > SUBSTAGE_NONE || pod_has_spoken(pod) ? STAGE_RUNNING
                                                                                               : STAGE_UNKNOWN;
}

/* Short: it stands in a narrow column behind the stage's name. */
static void unreachable_reason(const struct pod *pod, char *reason, size_t size)
{
    static const char *const words[TUNNEL_WORD_COUNT] = {[TUNNEL_POD_GONE] = "pod gone",
                                                         [TUNNEL_API_LOST] = "API lost",
                                                         [TUNNEL_NODE_LOST] = "node lost",
                                                         [TUNNEL_FORBIDDEN] = "not let in"};
    const char *word = (unsigned)pod->tunnel < TUNNEL_WORD_COUNT ? words[pod->tunnel] : NULL;
    snprintf(reason, size, "%s", word ? word : "no tunnel");
}

enum stage pod_stage_of(const struct pod *pod, char *reason, size_t size)
{
    enum stage stage;
    if (stage_by_status(pod, &stage, reason, size))
        return stage;
    if (pod->unreachable) {
        unreachable_reason(pod, reason, size);
        return STAGE_UNREACHABLE;
    }
    return stage_by_probes(pod, reason, size);
}

/* "became Ready after 5:50", "became Degraded after 2:11 of Ready: engine dead". */
static void stage_happened(struct fold *fold, enum stage before, bool first, int64_t in_stage, const char *reason)
{
    const struct pod *pod = fold->pod;
    char age[AGE_SIZE], took[AGE_SIZE * 2] = "";
    const char *colon = reason[0] ? ": " : "";
    char mood = stage_is_broken(pod->stage)       ? 'x'
                : pod->stage == STAGE_READY       ? '+'
                : pod->stage == STAGE_UNREACHABLE ? '!'
                                                  : ' ';
    if (first) {
        pod_happened(fold, fold->t, HAPPENED_STAGE, mood, "is %s%s%s", stage_word(pod->stage), colon, reason);
        return;
    }
    bool climbs = pod->stage >= STAGE_API_UP && pod->stage <= STAGE_READY && before < pod->stage;
    if (climbs && pod->seen_loading)
        snprintf(took, sizeof took, " after %s", clock_age(fold->t - pod->run_began, age, sizeof age));
    else if (!climbs && in_stage >= SECOND_US)
        snprintf(took, sizeof took, " after %s of %s", clock_age(in_stage, age, sizeof age), stage_word(before));
    pod_happened(fold, fold->t, HAPPENED_STAGE, mood, "became %s%s%s%s", stage_word(pod->stage), took, colon, reason);
}

/* When the stage in which the pod is first seen began: where the kubelet tells, that may be long before us. */
static int64_t first_since(const struct fold *fold, enum stage stage)
{
    const struct pod_facts *facts = &fold->pod->facts;
    int64_t since = 0;
    if (stage == STAGE_READY && facts->ready.status == TRI_TRUE)
        since = facts->ready.since;
    else if (stage == STAGE_RUNNING && facts->serving.started_at_known)
        since = facts->serving.started_at;
    else if (stage == STAGE_CREATING && facts->scheduled.status == TRI_TRUE)
        since = facts->scheduled.since;
    else if (stage == STAGE_PENDING)
        since = facts->created_at;
    else if (stage_is_broken(stage) && facts->serving.last.known)
        since = facts->serving.last.finished_at;
    return since != 0 && since < fold->t ? since : fold->t;
}

/* A lost tunnel that is there again within seconds says nothing of the pod, and neither does its absence. That it stays away the facts tell that go on to come: a probe that cannot be sent is one.
 * A refusal, and a tunnel that has never been there, need no waiting. */
static void unreachable_take(struct fold *fold)
{
    enum { GRACE_SECONDS = 5 };
    struct pod *pod = fold->pod;
    bool may_be_short = pod->tunnel_ever_up && pod->tunnel != TUNNEL_FORBIDDEN && pod->tunnel != TUNNEL_POD_GONE;
    bool lasts = fold->t - pod->tunnel_lost_at >= GRACE_SECONDS * (int64_t)SECOND_US;
    pod->unreachable = pod->tunnel_down && (pod->unreachable || !may_be_short || lasts);
}

/* Since when the pod is in the stage that it enters now. */
static int64_t since_of(struct fold *fold, enum stage now)
{
    struct pod *pod = fold->pod;
    if (now == STAGE_UNREACHABLE) {
        pod->hidden_stage = pod->stage;
        pod->hidden_since = pod->stage_since;
        pod->hidden_run = pod->run;
    } else if (pod->stage == STAGE_UNREACHABLE && now == pod->hidden_stage && pod->run == pod->hidden_run) {
        return pod->hidden_since;
    }
    return fold->t;
}

void pod_restage(struct fold *fold, bool restart)
{
    struct pod *pod = fold->pod;
    struct fleet *fleet = fold->fleet;
    if (pod->gone)
        return; /* late facts about it: its last stage stands */
    unreachable_take(fold);
    char reason[REASON_SIZE];
    enum stage before = pod->stage, now = pod_stage_of(pod, reason, sizeof reason);
    bool first = pod->spans.count == 0;
    if (now == STAGE_READY && pod->ready_at < 0)
        pod->ready_at = fold->t;
    bool new_words = !text_is(&pod->reason, reason);
    if (new_words)
        text_set_str(&pod->reason, reason, REASON_SIZE);
    if (!first && now == before && !restart) {
        if (new_words && now == STAGE_DEGRADED && pod->refused_now)
            pod_happened(fold, fold->t, HAPPENED_STAGE, 'x', "still Degraded: %s", reason);
        return;
    }
    int64_t in_stage = first ? -1 : fold->t - pod->stage_since, since = first ? first_since(fold, now) : fold->t;
    if (first || now != before)
        pod->stage_since = first ? since : since_of(fold, now);
    else if (now != STAGE_UNREACHABLE)
        pod->stage_since = since; /* killed and started again at once: its start begins anew */
    pod->stage = now;
    spans_enter(&pod->spans, now, since, pod->run, restart, reason);
    if (first || now != before) {
        if (!first)
            fleet->by_stage[before]--;
        fleet->by_stage[now]++;
        stage_happened(fold, before, first, in_stage, reason);
    }
}
