/* The kubelet's doProbe, step by step, without the kubelet (facts/kube.md 1.2). The numbers in the comments are its steps. */
#include "model/prober.h"

#include "base/clock.h"

#include <string.h>

enum { PROBER_ATTEMPTS_MAX = 3 }; /* the kubelet's maxProbeRetries (1.2.10) */

/* A number that differs between container IDs; 0 is kept for "no ID yet". FNV-1a. */
static uint64_t run_of(const struct text *container_id)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    if (text_empty(container_id))
        return 0;
    for (const char *c = text_str(container_id); *c != '\0'; c++) {
        hash ^= (uint8_t)*c;
        hash *= UINT64_C(0x100000001b3);
    }
    return hash == 0 ? 1 : hash;
}

static struct container_view view_of(const struct pod_facts *facts, const struct container_facts *container)
{
    return (struct container_view){
        .run = run_of(&container->container_id),
        .running = container->state == CONTAINER_RUNNING,
        .terminated = container->state == CONTAINER_TERMINATED,
        .pod_over = facts->phase == PHASE_FAILED || facts->phase == PHASE_SUCCEEDED,
        .deleting = facts->deleting,
        .started_at = container->started_at,
        .started_at_known = container->started_at_known,
        .started = container->started == TRI_TRUE,
    };
}

struct container_view sidecar_view_of(const struct pod_facts *facts)
{
    return view_of(facts, &facts->sidecar);
}

struct container_view container_view_of(const struct pod_facts *facts, bool own_startup_success)
{
    struct container_view view = view_of(facts, &facts->serving);

    view.never_restart = facts->never_restart;
    if (!facts->kubelet)
        view.started = view.running && (facts->probes[LANE_STARTUP].action == PROBE_NONE || own_startup_success);
    return view;
}

const char *verdict_name(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_SUCCESS:
        return "success";
    case VERDICT_FAILURE:
        return "failure";
    case VERDICT_UNKNOWN:
    default:
        return "unknown";
    }
}

const char *gate_sentence(enum gate gate)
{
    switch (gate) {
    case GATE_SEND:
        return "is probed";
    case GATE_NO_CONTAINER:
        return "waits for a container";
    case GATE_NOT_RUNNING:
        return "waits: not running";
    case GATE_ON_HOLD:
        return "decided";
    case GATE_STOPPED:
        return "over for this pod";
    case GATE_INITIAL_DELAY:
        return "waits: initial delay";
    case GATE_WAITS_FOR_STARTUP:
        return "waits for startup";
    case GATE_STARTED:
        return "done";
    case GATE_COVERED:
        return "a probe asks that";
    default:
        return "";
    }
}

void prober_init(struct prober *prober, enum lane_kind lane, const struct probe_spec *spec)
{
    *prober = (struct prober){
        .lane = lane_base(lane),
        .initial_delay = spec->initial_delay,
        .success_threshold = spec->success_threshold,
        .failure_threshold = spec->failure_threshold,
    };
}

static enum verdict verdict_at_first(enum lane_kind lane)
{
    switch (lane) {
    case LANE_READINESS:
        return VERDICT_FAILURE;
    case LANE_LIVENESS:
        return VERDICT_SUCCESS;
    default:
        return VERDICT_UNKNOWN;
    }
}

bool prober_observe(struct prober *prober, const struct container_view *view)
{
    const enum verdict before = prober->stored;

    if (prober->stopped)
        return false;
    if (view->pod_over) { /* 2 */
        prober->stopped = true;
        return false;
    }
    if (view->run == 0) /* 3 */
        return false;
    if (view->run != prober->run) { /* 4: the streak is left as it is (12) */
        prober->run = view->run;
        prober->stored = verdict_at_first(prober->lane);
        prober->on_hold = false;
        prober->errored = 0;
    }
    if (prober->on_hold) /* 5: comes before 6 and 7, so what was decided stays */
        return prober->stored != before;
    if (!view->running) { /* 6 */
        prober->stored = VERDICT_FAILURE;
        prober->stopped = view->terminated && view->never_restart;
    } else if (view->deleting && prober->lane != LANE_READINESS) { /* 7 */
        prober->stored = VERDICT_SUCCESS;
        prober->stopped = true;
    }
    return prober->stored != before;
}

enum gate prober_gate(const struct prober *prober, const struct container_view *view, int64_t now)
{
    const bool is_startup = prober->lane == LANE_STARTUP;

    if (prober->stopped || view->pod_over) /* 2 */
        return GATE_STOPPED;
    if (view->run == 0) /* 3 */
        return GATE_NO_CONTAINER;
    if (prober->on_hold) /* 5 */
        return GATE_ON_HOLD;
    if (!view->running) /* 6 */
        return view->terminated && view->never_restart ? GATE_STOPPED : GATE_NOT_RUNNING;
    if (view->deleting && prober->lane != LANE_READINESS) /* 7 */
        return GATE_STOPPED;
    /* 8: whole seconds; the division truncates as the kubelet's int32() does */
    if (view->started_at_known && (now - view->started_at) / SECOND_US < prober->initial_delay)
        return GATE_INITIAL_DELAY;
    if (view->started == is_startup) /* 9 */
        return is_startup ? GATE_STARTED : GATE_WAITS_FOR_STARTUP;
    return GATE_SEND;
}

/* 11 and 12, for a probe that counts. */
static enum prober_step prober_count(struct prober *prober, enum verdict verdict)
{
    const int32_t threshold = verdict == VERDICT_FAILURE ? prober->failure_threshold : prober->success_threshold;
    const bool kills = verdict == VERDICT_FAILURE && prober->lane != LANE_READINESS;
    const bool changed = prober->stored != verdict;

    if (prober->last != verdict) {
        prober->last = verdict;
        prober->result_run = 0;
    }
    if (prober->result_run < INT32_MAX)
        prober->result_run++;
    if (prober->result_run < threshold)
        return PROBER_NOTHING;
    prober->stored = verdict;
    if (kills || prober->lane == LANE_STARTUP) { /* 12 */
        prober->on_hold = true;
        prober->result_run = 0;
    }
    if (kills)
        return PROBER_KILL;
    return changed ? PROBER_CHANGED : PROBER_NOTHING;
}

enum prober_step prober_result(struct prober *prober, enum outcome outcome)
{
    if (prober->stopped || prober->on_hold) /* a late answer: the kubelet's worker has stopped asking */
        return PROBER_NOTHING;
    if (outcome == OUTCOME_ERRORED && ++prober->errored < PROBER_ATTEMPTS_MAX) /* 10 */
        return PROBER_RETRY;
    prober->errored = 0;
    switch (outcome) {
    case OUTCOME_OK:
    case OUTCOME_WARN:
        return prober_count(prober, VERDICT_SUCCESS);
    case OUTCOME_FAIL:
        return prober_count(prober, VERDICT_FAILURE);
    default:
        return PROBER_NOTHING;
    }
}

void prober_decided(struct prober *prober)
{
    prober->stored = VERDICT_FAILURE;
    prober->on_hold = true;
    prober->result_run = 0;
    prober->errored = 0;
}

int32_t prober_failures(const struct prober *prober)
{
    return prober->last == VERDICT_FAILURE ? prober->result_run : 0;
}

int32_t prober_successes(const struct prober *prober)
{
    return prober->last == VERDICT_SUCCESS ? prober->result_run : 0;
}
