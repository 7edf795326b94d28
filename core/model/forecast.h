/* What the kubelet will do next, and when: the arithmetic of facts/kube.md 1.4. Pure. */
#ifndef PROBETOP_FORECAST_H
#define PROBETOP_FORECAST_H

#include "model/prober.h"

enum consequence {
    CONSEQUENCE_NONE,
    CONSEQUENCE_RESTART,   /* killed and restarted (or, with restartPolicy Never, failed) */
    CONSEQUENCE_NOT_READY, /* out of the endpoints */
    CONSEQUENCE_READY,
    CONSEQUENCE_STARTED
};

/* A running streak of one lane and where it leads. Moments are t in µs. */
struct forecast {
    enum consequence consequence;
    int32_t count, threshold;
    int64_t at;       /* the expected moment: the last of the missing probes at the lane's own pace, -1 unknown */
    int64_t earliest; /* it may happen from here ... */
    int64_t latest;   /* ... to here */
    bool guess;       /* startup lane only: when the container started, and so what was asked before us, is not known */
};

/* Where the lane's streak leads if it goes on. last_sent: when the last counted probe was sent (t), -1 none. No streak, on hold, stopped or gated: CONSEQUENCE_NONE. last_total: how long that probe took, -1 unknown.
 * Ticks that passed without a counted probe push the moments on. READY may come any moment (extra probes while not ready, 1.1), hence earliest is then at most now. */
struct forecast forecast_streak(const struct prober *prober, const struct probe_spec *spec,
                                const struct container_view *view, int64_t last_sent, int64_t last_total, int64_t now);

/* The start-up budget: d + N*p from the container's start (deadline), d + (N-1)*p (may be killed from here). When the start is not known it counts from
 * first_seen and is a guess. used + left = deadline - start. With failures counted already, the moments follow the probes really sent, as far apart as the last one's time (last_total, -1 unknown) makes them: a server that refuses
 * is not given the timeouts of one that hangs. Unless these fall behind what the arithmetic allows: then the kubelet has counted some that we did not see. No initial delay in it where the start is not known (the gate has none either). */
struct budget {
    bool applies; /* there is a startup probe, the container runs and is not started */
    bool guess;
    int64_t start, may_be_killed_from, deadline; /* t */
    int64_t used, left;                          /* µs at `now`; left < 0: overdue */
    int32_t count, threshold;                    /* failures so far of failureThreshold */
};
struct budget budget_of(const struct prober *startup, const struct probe_spec *spec, const struct container_view *view,
                        int64_t first_seen, int64_t last_sent, int64_t last_total, int64_t now);

#endif
