/* The kubelet's probe worker as a pure state machine: no clock, no I/O, no memory of its own. facts/kube.md 1.1 to 1.4 to the letter.
 *
 * One `struct prober` is one worker: one (pod, container, lane). The caller shows it the container (prober_observe) whenever something may have changed,
 * asks at each tick whether to send (prober_gate), and reports what each probe came to (prober_result). Ticks themselves are the schedule's matter (probe/schedule.h).
 * The same struct folds recorded probes again with other settings: create it with another spec and feed it the same results.
 * Witness lanes have no prober. */
#ifndef PROBETOP_PROBER_H
#define PROBETOP_PROBER_H

#include "model/facts.h"
#include "model/sample.h"

/* What the worker knows of its container at a moment. */
struct container_view {
    uint64_t run;          /* identifies the container ID; 0: no container ID known yet (1.2.3) */
    bool running;          /* state.running */
    bool terminated;       /* state.terminated */
    bool never_restart;    /* restartPolicy Never */
    bool pod_over;         /* pod Failed or Succeeded (1.2.2) */
    bool deleting;         /* 1.2.7 */
    int64_t started_at;    /* t, µs */
    bool started_at_known; /* otherwise initialDelaySeconds is taken as over */
    bool started; /* status.started: the startup probe has succeeded, or there is none and the container runs (1.2.9) */
};

/* The serving container as these facts tell it. `started` is the kubelet's word where there is a kubelet; else: the container runs and (has no startup probe or `own_startup_success`). */
struct container_view container_view_of(const struct pod_facts *facts, bool own_startup_success);
/* The sidecar. A native one is started again whatever the pod's restartPolicy says (facts/kube.md 1.9). */
struct container_view sidecar_view_of(const struct pod_facts *facts);

/* A stored result, as the kubelet's results manager keeps it. */
enum verdict { VERDICT_UNKNOWN, VERDICT_SUCCESS, VERDICT_FAILURE };
const char *verdict_name(enum verdict verdict);

/* Why a tick sends nothing, or that it sends. */
enum gate {
    GATE_SEND,
    GATE_NO_CONTAINER,      /* 1.2.3 */
    GATE_NOT_RUNNING,       /* 1.2.6 */
    GATE_ON_HOLD,           /* 1.2.5: decided; waits for a new container */
    GATE_STOPPED,           /* 1.2.2, 1.2.6, 1.2.7: this worker is done for good */
    GATE_INITIAL_DELAY,     /* 1.2.8 */
    GATE_WAITS_FOR_STARTUP, /* 1.2.9 for liveness and readiness */
    GATE_STARTED,           /* 1.2.9 for startup: it has nothing left to do */
    GATE_COVERED            /* witnesses only: a kubelet's probe asks the same, often enough */
};
const char *gate_sentence(enum gate gate); /* "waits for startup", ... */

struct prober {
    enum lane_kind lane; /* LANE_STARTUP, LANE_LIVENESS or LANE_READINESS: the sidecar's too */
    int32_t initial_delay, success_threshold, failure_threshold;
    uint64_t run;        /* container the stored result belongs to; 0: none seen */
    enum verdict stored; /* what the kubelet acts on */
    enum verdict last;   /* last counted probe */
    int32_t result_run;  /* how many in a row like `last`; lives on across a restart for another reason (1.2.12) */
    int32_t errored;     /* attempts errored within this tick */
    bool on_hold, stopped;
};

void prober_init(struct prober *prober, enum lane_kind lane, const struct probe_spec *spec);

/* Steps 2 to 7 of doProbe, which need no probe: a new container resets the stored result (readiness Failure, liveness Success, startup Unknown) and ends the hold,
 * a container that does not run is Failure, deletion makes liveness and startup Success for good. Returns true when `stored` changed. */
bool prober_observe(struct prober *prober, const struct container_view *view);

/* Steps 5 to 9: would a tick at `now` send a probe? Pure. */
enum gate prober_gate(const struct prober *prober, const struct container_view *view, int64_t now);

/* What a result led to. */
enum prober_step {
    PROBER_NOTHING, /* counted, or thrown away */
    PROBER_RETRY,   /* errored: send again at once (at most 3 attempts in one tick) */
    PROBER_CHANGED, /* `stored` changed: started, ready, not ready */
    PROBER_KILL     /* `stored` is a startup or liveness Failure: the kubelet kills the container now */
};
/* Steps 10 to 12. OK and WARN are Success, FAIL is Failure, ERRORED is thrown away after 3 attempts, UNKNOWN (no tunnel) counts nothing. Results that come while on hold or stopped are ignored. */
enum prober_step prober_result(struct prober *prober, enum outcome outcome);

/* The kubelet says that its own worker has decided to kill the container: what PROBER_KILL leaves, for a worker that has not come so far (1.2.12). */
void prober_decided(struct prober *prober);

/* Failures (or successes) in a row just now, 0 when the last counted probe was of the other kind. */
int32_t prober_failures(const struct prober *prober);
int32_t prober_successes(const struct prober *prober);

#endif
