/* Kubernetes' side of one simulated pod: its status as the API server would tell it, the kubelet's three probe workers (model/prober.h), its events in its own
 * words (facts/kube.md 1.8), kills, restarts and back-off. Pure: no socket, no clock, no engine. What its probes would be answered it asks through `hands`, and through
 * them it tells what changed. All times are t in µs. */
#ifndef PROBETOP_SIM_KUBELET_H
#define PROBETOP_SIM_KUBELET_H

#include "model/prober.h"
#include "sim/vllm.h"

enum { KUBELET_EVENTS_MAX = 12 };

/* One event object. The message is outside text, as an event's is. */
struct kubelet_event {
    const char *reason; /* a literal */
    struct text message;
    uint64_t uid;
    bool warning, of_container;
    int32_t count;
    int64_t first, last;
};

/* What the kubelet uses of the world. */
struct kubelet_hands {
    /* What GET spec->path on spec->port would be answered at t. Returns false when nothing listens there. `answer` as vllm_answer() fills it, delay_us in µs of t. *steady: it
     * will be the same until kubelet_wake(). */
    bool (*look)(void *user, const struct probe_spec *spec, int64_t t, struct answer *answer, bool *steady);
    void (*changed)(void *user); /* the facts are others now */
    void (*event)(void *user, const struct kubelet_event *event);
    void (*kill)(void *user,
                 int64_t t); /* the serving container gets its SIGTERM; kubelet_exit() follows when it is gone */
    void (*start)(void *user, int64_t t); /* a restart is due; kubelet_start() follows */
};

struct kubelet_lane {
    struct prober prober;
    int64_t phase;        /* any tick's moment: ticks are phase + n * period */
    int64_t next;         /* the next tick; INT64_MAX: asleep, since nothing would change */
    int64_t ends;         /* when the probe under way ends; -1: none is */
    enum outcome outcome; /* of the probe under way */
    struct text words;    /* what the kubelet will say of it when it failed */
    bool steady;
};

/* Owned by whoever embeds it: kubelet_init() to kubelet_free(). */
struct kubelet {
    struct pod_facts facts;
    const struct kubelet_hands *hands; /* borrowed */
    void *user;                        /* for the hands */
    struct dice dice;
    struct kubelet_lane lanes[LANE_READINESS + 1];
    struct kubelet_event events[KUBELET_EVENTS_MAX]; /* oldest is replaced */
    uint32_t event_next;
    double tokens[2]; /* of the event recorder, for normal and for warning events (facts/kube.md 2.2) */
    int64_t tokens_at;
    int64_t back_off;    /* µs of the present CrashLoopBackOff; 0: none yet */
    int64_t backed_at;   /* when it was last raised */
    int64_t restart_due; /* -1: none */
    int64_t waits_due;   /* when the back-off is told (again); -1: none */
    int64_t waits;       /* µs of the back-off now waited for */
    bool killing;        /* SIGTERM was sent */
};

/* `facts` is taken over: names, probes, ports and roles filled in. */
void kubelet_init(struct kubelet *kubelet, struct pod_facts *facts, const struct kubelet_hands *hands, void *user,
                  uint64_t seed);
void kubelet_free(struct kubelet *kubelet);

/* The way to a running container, step by step. */
void kubelet_created(struct kubelet *kubelet, int64_t t);       /* the pod object is there, nothing else */
void kubelet_unschedulable(struct kubelet *kubelet, int64_t t); /* no node has the GPUs asked for */
void kubelet_scheduled(struct kubelet *kubelet, int64_t t);     /* on facts.node; image and sidecar next */
void kubelet_pulling(struct kubelet *kubelet, int64_t t);
void kubelet_pulled(struct kubelet *kubelet, int64_t t, int64_t took); /* took 0: the image was present */
void kubelet_start(struct kubelet *kubelet, int64_t t);                /* the serving container runs (again) */
/* A pod that has been Ready for `age` already, with all its probers settled. */
void kubelet_adopt(struct kubelet *kubelet, int64_t t, int64_t age);

/* The serving container's process has ended. Plans the restart and tells it by hands->start when due. reason as the container runtime says it ("Error", "Completed", "OOMKilled"). */
void kubelet_exit(struct kubelet *kubelet, int64_t t, int32_t exit_code, const char *reason);
/* An event with these outside words about the pod. */
void kubelet_say(struct kubelet *kubelet, int64_t t, bool warning, const char *reason, const char *message);

int64_t kubelet_next(const struct kubelet *kubelet); /* when it next has something to do; INT64_MAX never */
void kubelet_run(struct kubelet *kubelet,
                 int64_t now); /* does all that is due up to now, in order, each at its own moment */
void kubelet_wake(struct kubelet *kubelet, int64_t now); /* the servers' answers are others from now on */

/* What a probe with this spec comes to, and the kubelet's words when it is no success. Returns how long it takes, µs of t. */
int64_t kubelet_judge(const struct probe_spec *spec, const char *host, bool listens, const struct answer *answer,
                      enum outcome *outcome, struct text *words);

#endif
