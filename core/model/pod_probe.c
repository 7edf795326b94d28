/* What a probe's answer does to its pod: the lane's streak and verdict, and the evidence for the stages (facts/vllm.md 1.2 to 1.4, 1.8). */
#include "model/pod_fold.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum { AGE_SIZE = 32, SENTENCE_SIZE = 256 };

static bool path_is(const struct probe_spec *spec, const char *path)
{
    size_t length = strlen(path);
    return spec->action == PROBE_HTTP_GET && spec->path && strncmp(spec->path, path, length) == 0 &&
           (spec->path[length] == '\0' || spec->path[length] == '?');
}

static bool outcome_is_good(enum outcome outcome)
{
    return outcome == OUTCOME_OK || outcome == OUTCOME_WARN;
}

/* What a loading vLLM's port, or the sidecar in front of it, answers: nothing to worry about before the model is loaded. */
static bool failure_is_expected(const struct pod *pod, const struct sample *sample)
{
    switch (sample->cause) {
    case PROBE_CAUSE_REFUSED:
    case PROBE_CAUSE_SIDECAR_NOT_READY:
    case PROBE_CAUSE_SIDECAR_BAD_GATEWAY:
    case PROBE_CAUSE_EMPTY:
    case PROBE_CAUSE_RESET:
        return true;
    case PROBE_CAUSE_STATUS: /* SGLang listens before its model is loaded, and says so (facts/vllm.md 1.3) */
        return sample->status == 503 && text_empty(&sample->body) &&
               (sample->answerer == ANSWERER_SGLANG || sample->answerer == ANSWERER_VLLM) &&
               path_is(&pod->facts.probes[sample->lane], "/health");
    default:
        return false;
    }
}

static void models_take(struct pod *pod, const struct sample *sample)
{
    bool same = pod->model_count == sample->model_count;
    for (int32_t i = 0; same && i < sample->model_count; i++)
        same = text_equal(&pod->models[i], &sample->models[i]);
    if (!same && sample->model_count >= 0)
        models_copy(&pod->models, &pod->model_count, sample->models, sample->model_count);
}

/* Marks the model as loaded; together with the API server when vLLM's own port is asked directly (facts/vllm.md 1.1). */
static void loaded_take(struct pod *pod, const struct sample *sample, int64_t t)
{
    const struct pod_facts *facts = &pod->facts;
    if (pod->loaded_at >= 0)
        return;
    pod->loaded_at = t;
    bool direct = !facts->sidecar.exists && facts->serving_port == facts->vllm_port;
    pod->api_and_loaded_together = direct && sample->answerer == ANSWERER_VLLM;
    if (pod->seen_loading)
        pod->last_load_took = t - pod->run_began;
}

/* Whether this answer shows that the model is loaded. */
static bool sample_shows_loaded(const struct pod *pod, const struct sample *sample)
{
    const struct probe_spec *spec = &pod->facts.probes[sample->lane];
    bool health = path_is(spec, "/health") || path_is(spec, "/ping");
    if (!outcome_is_good(sample->outcome) || sample->status != 200)
        return false;
    switch (sample->answerer) {
    case ANSWERER_SIMULATOR: /* has no model to load */
    case ANSWERER_API_SERVER:
    case ANSWERER_NOBODY:
        return false;
    case ANSWERER_SIDECAR: /* its own /health says nothing of vLLM */
        return path_is(spec, "/v1/models") && sample->model_count > 0;
    case ANSWERER_SGLANG: /* lists its models before they are loaded (facts/vllm.md 1.3) */
        return health;
    case ANSWERER_DP_SUPERVISOR: /* listens only when all ranks are healthy (facts/vllm.md 1.3) */
        return true;
    case ANSWERER_VLLM:
        if (health && (spec->port == pod->facts.vllm_port || pod->facts.vllm_port == 0))
            return true;
        return path_is(spec, "/v1/models") && sample->model_count > 0;
    default:
        return path_is(spec, "/v1/models") && sample->model_count > 0;
    }
}

/* Which of the pod's two ports this lane asks. */
static void answerer_take(struct pod *pod, const struct sample *sample)
{
    const struct pod_facts *facts = &pod->facts;
    int32_t port = facts->probes[sample->lane].port;
    if (port == facts->serving_port)
        pod->answered_by[0] = sample->answerer;
    if (port == facts->vllm_port)
        pod->answered_by[1] = sample->answerer;
}

/* An HTTP answer of the present run. */
static void answer_take(struct pod *pod, const struct sample *sample, int64_t t)
{
    const struct pod_facts *facts = &pod->facts;
    const struct probe_spec *spec = &facts->probes[sample->lane];
    bool ours = spec->port == facts->serving_port || spec->port == facts->vllm_port ||
                (facts->serving_port == 0 && facts->vllm_port == 0) || sample->answerer == ANSWERER_DP_SUPERVISOR;
    if (sample->answerer == ANSWERER_NOBODY || sample->answerer == ANSWERER_API_SERVER || !ours)
        return;
    answerer_take(pod, sample);
    pod->is_simulator = pod->is_simulator || sample->answerer == ANSWERER_SIMULATOR;
    if (pod->api_up_at < 0)
        pod->api_up_at = t;
    if (path_is(spec, "/v1/models")) {
        models_take(pod, sample);
        pod->unauthorized = sample->cause == PROBE_CAUSE_UNAUTHORIZED;
        pod->wrong_model = sample->cause == PROBE_CAUSE_WRONG_MODEL;
    }
    if (sample_shows_loaded(pod, sample))
        loaded_take(pod, sample, t);
    if (sample->cause == PROBE_CAUSE_ENGINE_DEAD)
        pod->engine_dead = true;
}

/* Whether something listens on vLLM's own port, as far as this answer tells. */
static void listening_take(struct pod *pod, const struct sample *sample)
{
    const struct pod_facts *facts = &pod->facts;
    const struct probe_spec *spec = &facts->probes[sample->lane];
    bool vllm_port = spec->port == facts->vllm_port || facts->vllm_port == 0;
    bool behind = sample->cause == PROBE_CAUSE_SIDECAR_NOT_READY || sample->cause == PROBE_CAUSE_SIDECAR_BAD_GATEWAY;
    bool good = outcome_is_good(sample->outcome);
    bool of_vllm = vllm_port || behind || (good && path_is(spec, "/v1/models"));
    if (!of_vllm)
        return;
    if (good && sample->answerer != ANSWERER_SIDECAR) {
        if (pod->refused_now || path_is(spec, "/health") || path_is(spec, "/ping")) {
            pod->engine_back_at = pod->engine_dead ? sample->sent : pod->engine_back_at;
            pod->engine_dead = false; /* another process, or vLLM's own word */
        }
        pod->fallen = pod->reborn = false;
    }
    if (!good && !behind && sample->cause != PROBE_CAUSE_REFUSED) {
        pod->refused_now = sample->status > 0 ? false : pod->refused_now;
        return;
    }
    pod->refused_now = !good;
}

/* ---- lanes ---- */

static void lane_count(struct lane *lane, const struct sample *sample, int64_t t)
{
    bool failing = sample->outcome == OUTCOME_FAIL;
    if (lane->streak == 0 || lane->streak_failing != failing) {
        lane->streak = 0;
        lane->streak_failing = failing;
        lane->streak_since = t;
    }
    if (lane->streak < INT32_MAX)
        lane->streak++;
    lane->streak_cause = sample->cause;
    lane->streak_status = sample->status;
    lane->last_counted_sent = sample->sent;
}

static void failure_keep(struct fold *fold, const struct sample *sample)
{
    struct pod *pod = fold->pod;
    int32_t place = 0;
    if (!fold->fleet->limits.keep_texts || sample->outcome != OUTCOME_FAIL)
        return;
    for (place = 0; place < pod->failure_count; place++) {
        const struct failure *old = &pod->failures[place];
        if (old->lane == sample->lane && old->cause == sample->cause && old->status == sample->status)
            break; /* the same again: only the newest is kept */
    }
    if (place == pod->failure_count && pod->failure_count < POD_FAILURES_MAX)
        pod->failure_count++;
    else if (place == POD_FAILURES_MAX)
        place = POD_FAILURES_MAX - 1;
    struct failure kept = pod->failures[place];
    memmove(&pod->failures[1], &pod->failures[0], (size_t)place * sizeof kept);
    kept.t = fold->t;
    kept.lane = sample->lane;
    kept.cause = sample->cause;
    kept.status = sample->status;
    kept.total = sample->total;
    text_copy(&kept.detail, &sample->detail);
    text_copy(&kept.body, &sample->body);
    pod->failures[0] = kept;
}

/* The first failure of a streak and its end go on the timeline; refusals before the model is loaded are one neutral entry in a run. */
static void streak_happened(struct fold *fold, const struct sample *sample, int32_t failures_before, int64_t since)
{
    struct pod *pod = fold->pod;
    struct lane *lane = &pod->lanes[sample->lane];
    char age[AGE_SIZE], status[AGE_SIZE] = "";
    const char *name = lane_name(sample->lane);
    if (sample->outcome != OUTCOME_FAIL) {
        if (lane->told) {
            pod_happened(fold, fold->t, HAPPENED_PROBE, '+', "%s answers again after %d failure%s in %s", name,
                         (int)failures_before, failures_before == 1 ? "" : "s",
                         clock_age(fold->t - since, age, sizeof age));
        }
        lane->told = false;
        return;
    }
    bool expected = pod->loaded_at < 0 && !pod->fallen && pod->ready_at < 0 && failure_is_expected(pod, sample);
    if (expected) {
        if (!pod->expected_told) {
            char words[AGE_SIZE];
            pod_happened(fold, fold->t, HAPPENED_PROBE, ' ', "%s: %s (loading is expected here)", name,
                         cause_words(sample->cause, sample->status, words, sizeof words));
        }
        pod->expected_told = true;
        return;
    }
    if (lane->told || pod->facts.deleting) /* who ends refuses: that is the way of things */
        return;
    lane->told = true;
    if (sample->cause == PROBE_CAUSE_STATUS)
        snprintf(status, sizeof status, " (%d)", (int)sample->status);
    pod_happened(fold, fold->t, HAPPENED_PROBE, '!', "%s fails: %s%s", name, probe_cause_sentence(sample->cause),
                 status);
}

/* The sidecar's: its end is not the serving container's. */
static void sidecar_verdict_happened(struct fold *fold, const struct prober *prober, enum prober_step step)
{
    const char *name = lane_name(prober->lane), *plural = prober->failure_threshold == 1 ? "" : "s";
    int times = (int)prober->failure_threshold;
    if (step == PROBER_KILL) {
        pod_happened(fold, fold->t, HAPPENED_KUBELET, 'x', "the sidecar's %s failed %d time%s: the kubelet restarts it",
                     name, times, plural);
    } else if (step == PROBER_CHANGED && prober->lane == LANE_STARTUP) {
        pod_happened(fold, fold->t, HAPPENED_KUBELET, '+', "the sidecar's startup succeeded: it is started");
    } else if (step == PROBER_CHANGED && prober->lane == LANE_READINESS && prober->stored == VERDICT_FAILURE) {
        pod_happened(fold, fold->t, HAPPENED_KUBELET, '!',
                     "the sidecar's readiness failed %d time%s: that makes the pod NotReady", times, plural);
    } else if (step == PROBER_CHANGED && prober->lane == LANE_READINESS && fold->pod->facts.sidecar.ready != TRI_TRUE) {
        pod_happened(fold, fold->t, HAPPENED_KUBELET, '+', "the sidecar's readiness succeeded");
    }
}

/* What a step of the kubelet's own arithmetic led to. */
static void verdict_happened(struct fold *fold, const struct lane *lane, enum prober_step step)
{
    struct pod *pod = fold->pod;
    const struct prober *prober = &lane->prober;
    const char *name = lane_name(prober->lane);
    bool kubelet = pod->facts.kubelet;
    if (step == PROBER_KILL) {
        if (!kubelet)
            pod->kills++;
        pod->killed_by = prober->lane;
        pod->killed_run = pod->run;
        pod->killed_at = fold->t;
        pod->killed_after = fold->t > pod->run_began ? fold->t - pod->run_began : 0;
        pod->killed_cause = lane->streak_cause;
        pod->killed_status = lane->streak_status;
        pod_happened(fold, fold->t, HAPPENED_KUBELET, 'x', "%s failed %d time%s: %s the container", name,
                     (int)prober->failure_threshold, prober->failure_threshold == 1 ? "" : "s",
                     kubelet ? "the kubelet kills" : "a kubelet would now kill and restart");
        return;
    }
    if (step != PROBER_CHANGED)
        return;
    if (prober->lane == LANE_STARTUP) {
        pod_happened(fold, fold->t, HAPPENED_KUBELET, '+', "startup succeeded: started, liveness and readiness begin");
    } else if (prober->lane == LANE_READINESS && prober->stored == VERDICT_FAILURE) {
        pod_happened(fold, fold->t, HAPPENED_KUBELET, '!', "readiness failed %d time%s: NotReady%s",
                     (int)prober->failure_threshold, prober->failure_threshold == 1 ? "" : "s",
                     kubelet ? "" : " for a kubelet");
    } else if (prober->lane == LANE_READINESS && !(kubelet && pod->facts.serving.ready == TRI_TRUE)) {
        pod_happened(fold, fold->t, HAPPENED_KUBELET, '+', "readiness succeeded: Ready%s",
                     kubelet ? "" : " for a kubelet");
    }
}

/* Gives the result to the lane's prober, unless the worker would not have asked any more. */
static void prober_take(struct fold *fold, enum lane_kind kind, enum outcome outcome)
{
    struct lane *lane = &fold->pod->lanes[kind];
    struct container_view view = pod_lane_view(fold->pod, kind);
    enum gate gate = prober_gate(&lane->prober, &view, fold->t);
    if (gate == GATE_SEND || gate == GATE_INITIAL_DELAY || gate == GATE_WAITS_FOR_STARTUP) {
        enum prober_step step = prober_result(&lane->prober, outcome);
        if (lane_is_sidecars(kind))
            sidecar_verdict_happened(fold, &lane->prober, step);
        else
            verdict_happened(fold, lane, step);
    }
}

static void lane_take(struct fold *fold, const struct sample *sample)
{
    struct pod *pod = fold->pod;
    struct lane *lane = &pod->lanes[sample->lane];
    sample_copy(&lane->last, sample);
    lane->last_at = fold->t;
    history_add(&lane->history, sample, fold->t, pod->facts.probes[sample->lane].timeout);
    switch (sample->outcome) {
    case OUTCOME_OK:
    case OUTCOME_WARN:
        lane->ok++;
        break;
    case OUTCOME_FAIL:
        lane->failed++;
        break;
    case OUTCOME_ERRORED:
        lane->errored++;
        break;
    default:
        lane->unknown++;
        break;
    }
}

/* What an answer of the serving container tells beside its lane's streak. The sidecar's own probes tell of the sidecar. */
static void evidence_take(struct fold *fold, const struct sample *sample)
{
    struct pod *pod = fold->pod;
    if (lane_is_sidecars(sample->lane))
        return;
    if (sample->status > 0)
        answer_take(pod, sample, fold->t);
    listening_take(pod, sample);
    bool loading = pod->loaded_at < 0 && sample->outcome == OUTCOME_FAIL && failure_is_expected(pod, sample);
    pod->seen_loading = pod->seen_loading || loading;
}

/* Whether the probe was sent before the container's present run. */
static bool sample_is_old(const struct pod *pod, const struct sample *sample)
{
    const struct container_facts *sidecar = &pod->facts.sidecar;
    if (lane_is_sidecars(sample->lane))
        return sidecar->started_at_known && sample->sent < sidecar->started_at;
    return sample->sent < pod->run_from;
}

void pod_take_sample(struct fold *fold, const struct sample *sample)
{
    struct pod *pod = fold->pod;
    if ((unsigned)sample->lane >= LANE_COUNT)
        return;
    struct lane *lane = &pod->lanes[sample->lane];
    lane_take(fold, sample);
    fold->fleet->probes++;
    if (sample_is_old(pod, sample) || pod->gone)
        return; /* an answer of the run before: it says nothing of this one */
    bool counts = outcome_is_good(sample->outcome) || sample->outcome == OUTCOME_FAIL;
    if (counts) {
        int32_t failures = lane->streak_failing ? lane->streak : 0;
        int64_t since = lane->streak_since;
        lane_count(lane, sample, fold->t);
        failure_keep(fold, sample);
        evidence_take(fold, sample);
        streak_happened(fold, sample, failures, since);
    }
    if (lane->present && lane_is_kubelets(sample->lane))
        prober_take(fold, sample->lane, sample->outcome);
    pod_restage(fold, false);
}
