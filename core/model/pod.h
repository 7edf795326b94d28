/* One pod of the model: what was told of it, and what follows from that. Only fleet.c and pod.c write here; everybody else reads it const. */
#ifndef PROBETOP_POD_H
#define PROBETOP_POD_H

#include "model/fact.h"
#include "model/forecast.h"
#include "model/history.h"
#include "model/progress.h"
#include "model/prober.h"
#include "model/signature.h"
#include "model/stage.h"

enum { POD_FAILURES_MAX = 4, POD_LOGS_MAX = 300, POD_EVENTS_MAX = 64, POD_HAPPENINGS_MAX = 200 };

struct lane {
    bool present;         /* the spec has it, or the source asks for this witness */
    struct prober prober; /* not for witnesses */
    struct history history;
    struct sample last;        /* the newest sample; last.sent -1 before the first */
    int64_t last_at;           /* t when it ended */
    int64_t last_counted_sent; /* t when the newest probe that counted was sent; -1 none */
    int32_t streak;            /* like results in a row, for witnesses too; UNKNOWN and ERRORED leave it */
    bool streak_failing;
    int64_t streak_since;          /* t of the streak's first result */
    enum probe_cause streak_cause; /* of the newest result that counted */
    int32_t streak_status;
    bool told; /* the timeline has this streak of failures */
    /* t when the newest Unhealthy event of this lane came, in time to tell the kubelet's own tick; of run kubelet_run */
    int64_t kubelet_failed_at;
    int32_t kubelet_failures;              /* how many of its failures in a row such events told of */
    uint32_t kubelet_run;                  /* 0: no such event yet */
    uint64_t ok, failed, errored, unknown; /* counts ever */
};

/* A failing answer kept longer than the ring of samples keeps it. */
struct failure {
    int64_t t;
    enum lane_kind lane;
    enum probe_cause cause;
    int32_t status;
    int64_t total;
    struct text detail, body;
};

/* An entry of the merged timeline: probes' transitions, the kubelet's doings, events, notable log lines. Our own words, outside parts cleaned. */
enum happening_kind {
    HAPPENED_STAGE,
    HAPPENED_PROBE,
    HAPPENED_KUBELET,
    HAPPENED_EVENT,
    HAPPENED_LOG,
    HAPPENED_TUNNEL,
    HAPPENED_HINT,
    HAPPENED_KIND_COUNT
};
const char *happening_name(enum happening_kind kind); /* "stage", "probe", ... */
struct happening {
    int64_t t;
    enum happening_kind kind;
    char mood; /* ' ' neutral, '+' good, '!' needs a look, 'x' bad */
    struct text words;
};

struct log_line {
    int64_t t;
    bool previous, sidecar;
    uint32_t run; /* container run it belongs to */
    struct text line;
};

struct pod_event {
    int64_t first, last;
    int32_t count;
    bool warning;
    struct text uid, reason, message, container;
};

/* A hint that stands, as far as the timeline keeps it (hints_told.c). */
struct told_hint {
    enum cause cause; /* CAUSE_NONE: a free place */
    enum confidence confidence;
    int64_t since, seen; /* t when it first and when it last stood */
    bool told;           /* the timeline has it */
};
enum { POD_TOLD_MAX = 4 };

struct pod {
    struct pod_facts facts;
    bool gone; /* no longer there; kept until the fleet forgets it */
    int64_t first_seen, gone_at;
    uint32_t run;      /* container run, as far as we have seen: from 1, or from 2 where there was one before we came */
    int64_t run_began; /* t when this run began: startedAt, or when we first saw it (then run_guess) */
    /* answers to probes sent before this belong to the run before; by facts alone, so that the engine's fleet agrees */
    int64_t run_from;
    bool run_guess;
    int32_t kills; /* restarts a kubelet would have made (endpoints given by hand) or made (told by restartCount) */
    struct lane lanes[LANE_COUNT];
    struct progress progress;
    struct progress *previous; /* of the run before, NULL when there was none; owned */

    enum stage stage;
    int64_t stage_since;
    struct text reason; /* a few words beside the stage: "engine dead", "shards 41/163", "behind the sidecar" */
    struct spans spans;
    int64_t api_up_at, loaded_at, ready_at; /* t in this run; -1 not yet */
    int64_t last_load_took;                 /* µs from run_began to loaded in the newest run that got there; -1 */
    bool api_and_loaded_together;           /* a direct vLLM port: both stages are one moment */
    bool engine_dead;                       /* /health of vLLM's own port says 503 with an empty body, in this run */
    bool engine_died_before;                /* the run before ended so */
    /* t of the probe whose good answer took engine_dead back: of the next run already, where that is told of later; -1 none */
    int64_t engine_back_at;
    bool wrong_model, unauthorized, is_simulator;
    struct text *models; /* the newest list: model_count of them, owned */
    int32_t model_count; /* -1: none seen in this run */
    bool refused_now;    /* the newest answer about vLLM's own port: nothing listens there */
    bool seen_loading;   /* in this run it was seen before it was loaded, so that durations up to there are true */
    bool fallen;         /* endpoints: broken before the emulated restart, and not seen alive since */
    bool reborn;         /* endpoints: the log tells of a new process, which has not answered yet */
    bool expected_told;  /* the timeline has this run's first expected failure (refused while loading) */
    bool progress_ahead; /* the log already told of a new process, the container's facts not yet */
    int32_t errors_told; /* ERROR lines of this run on the timeline */
    bool tunnel_down;    /* the tunnel was lost and has not been up since */
    bool tunnel_ever_up; /* so that a loss may be a short one */
    bool unreachable;    /* it is down, and not just for a moment */
    int64_t tunnel_lost_at;
    /* The stage that Unreachable hides: whoever comes back to it in the same run was never seen to leave it. */
    enum stage hidden_stage;
    int64_t hidden_since;
    uint32_t hidden_run;
    bool run_running;     /* the container ran when it was last told of */
    bool run_id_old;      /* restartCount told of this run while run_id was still the old container's */
    uint32_t sidecar_run; /* the sidecar's own run, from 1 */
    int32_t run_restarts; /* restartCount of this run */
    struct text run_id;   /* container ID of this run; empty while not known */
    /* The newest verdict that ended a run: whose, when, in which run and how long after that run's beginning. killed_run 0: none. */
    enum lane_kind killed_by;
    uint32_t killed_run;
    int64_t killed_at, killed_after;
    enum probe_cause killed_cause; /* of the failure that decided; NONE when only an event tells of the kill */
    int32_t killed_status;
    enum answerer answered_by[2]; /* newest answerer on [0] the serving port, [1] vLLM's own port */

    enum tunnel_word tunnel;
    int64_t tunnel_since, tunnel_round_trip;
    struct text tunnel_detail;

    struct failure failures[POD_FAILURES_MAX]; /* newest first */
    int32_t failure_count;
    struct happening *happenings; /* ring */
    uint32_t happening_first, happening_count, happening_capacity;
    struct log_line *logs; /* ring */
    uint32_t log_first, log_count, log_capacity;
    struct pod_event *events; /* oldest first by `last` */
    uint32_t event_count;
    struct findings findings; /* what the signatures matched; only where texts are kept */
    struct told_hint told[POD_TOLD_MAX];
    int64_t hints_at;    /* t when the hints were looked at for the timeline; 0 never */
    uint64_t hints_sign; /* of what they were made of then */
    uint64_t version;    /* changes whenever anything above does */
};

const struct happening *pod_happening(const struct pod *pod, uint32_t back); /* 0 newest; NULL beyond */
const struct log_line *pod_log(const struct pod *pod, uint32_t back);

/* Cells of an ERROR or CRITICAL line are a fault's own words; false for every other line. Wrapper lines ("See root cause above") count too: see line_is_wrapper(). */
bool line_is_error(const char *line);
/* Lines that only pass a failure on and are never its cause (corpus/README.md). */
bool line_is_wrapper(const char *line);
/* What a log line says: without the prefixes of collectors and processes, and without vLLM's own "INFO 11-24 06:20:00 [core.py:123] ". Blanks that indent what is left stay.
 * *start points into the line. */
void line_sentence(const char *line, size_t length, const char **start, size_t *rest);
/* "refused", "timeout", "status 500": a cause in a word or two. `size` at least 32. Returns out. */
const char *cause_words(enum probe_cause cause, int32_t status, char *out, size_t size);
/* The node controller has taken it out of service because its node is not Ready: no kubelet has said anything against it. A readiness gate, by which Ready is false beside containers that are ready too, has a reason. */
bool pod_is_out_with_its_node(const struct pod *pod);
#define WHY_NODE "node not Ready" /* the reason of a stage that is so */
bool cause_is_timeout(enum probe_cause cause);

/* The serving container as its lanes see it now. */
struct container_view pod_view(const struct pod *pod);
/* The container that this lane is about. */
struct container_view pod_lane_view(const struct pod *pod, enum lane_kind lane);
/* Why the lane sends nothing now, or GATE_SEND. Witnesses: GATE_SEND while the container runs and no kubelet's lane covers them (same target, sending, period <= 10 s). */
enum gate pod_gate(const struct pod *pod, enum lane_kind lane, int64_t now);
struct forecast pod_forecast(const struct pod *pod, enum lane_kind lane, int64_t now);
/* The forecast that matters most now: a restart before NotReady before Ready; CONSEQUENCE_NONE when nothing is running up. */
struct forecast pod_next(const struct pod *pod, int64_t now, enum lane_kind *lane);
/* Its moments are the start-up lane's forecast's, where that has one. */
struct budget pod_budget(const struct pod *pod, int64_t now);
/* Little of the start-up budget is left (less than a fifth), and nothing shows that loading will be done in time. */
bool pod_budget_is_short(const struct pod *pod, const struct budget *budget, int64_t now);
/* The lane is asked, or was until it decided, and its newest results are failures. A witness that a probe has made superfluous, or the startup probe of a container that has started, says nothing any more. */
bool pod_lane_fails(const struct pod *pod, enum lane_kind lane, int64_t now);
/* Whether anything shows that something is loading there: a kubelet vouches for the container, the log tells, or a server of models answers. A refused port alone does not, and neither does an answer
 * by who knows whom. */
bool pod_loading_is_seen(const struct pod *pod);
/* vLLM is ready and its sidecar is not, since that has ended and is not running: what keeps the pod out is the sidecar. */
bool pod_sidecar_is_down(const struct pod *pod);
/* Neither Ready nor, as far as can be seen, on its way there: what makes a check fail. */
bool pod_is_unwell(const struct pod *pod, int64_t now);
/* By when a container that still runs after a verdict to kill it is gone: its grace period is over then, the probe's own where that has one, or else the pod's (facts/kube.md 1.3). -1: none is being
 * killed, or it has outlived that, so that the verdict was not the kubelet's. */
int64_t pod_killed_until(const struct pod *pod, int64_t now);
/* When the kubelet starts the container again, by its own words on the back-off; -1 when that is not known. */
int64_t pod_starts_again_at(const struct pod *pod);
/* Whether loading will be done in time at the present rate: TRI_UNKNOWN without an ETA. *done_at (may be NULL) is the expected moment or -1. Where nothing tells how long what follows the present sub-stage
 * takes, it is the moment at which that sub-stage ends, and so never TRI_TRUE. An estimate. */
enum tri pod_in_time(const struct pod *pod, int64_t now, int64_t *done_at);
/* The sub-stage that ends at pod_in_time()'s moment, SUBSTAGE_NONE when loading does. */
enum substage pod_in_time_of(const struct pod *pod);
/* A hint stands that is likely at least, as the timeline has it. */
bool pod_is_warned(const struct pod *pod);
/* Same-named rank for "worst first": stage rank, raised when a streak runs or the budget is short, with 2 decimals as an integer (higher is worse). */
int32_t pod_severity(const struct pod *pod, int64_t now);

#endif
