/* Private to the engine: what engine.c (pods, ticks, facts, the loop) and flight.c (one probe, from its sending to what is told of it) share. */
#ifndef PROBETOP_ENGINE_WORK_H
#define PROBETOP_ENGINE_WORK_H

#include "engine/engine.h"
#include "engine/redact.h"
#include "probe/http.h"
#include "probe/schedule.h"

enum { HOST_MAX = 300 };

/* A probe under way, through all its attempts. */
struct flight {
    struct engine *engine;
    struct flight *previous, *next; /* all flights of the engine */
    uint32_t pod;
    enum lane_kind lane;
    uint64_t ticket;
    int32_t attempt;
    int64_t due;       /* t from which it could have been sent */
    bool stalled;      /* our own loop stood still meanwhile */
    struct fact *held; /* no answer came, and whose silence that was is being found out; NULL: it is not that far */
    int64_t sent;      /* then: real µs when it was sent */
    bool judging;      /* it is to be looked at again in this round of engine_judge() */
    struct probe_spec spec; /* own copy: the pod's may change meanwhile */
    char host[HOST_MAX];
    struct http_address address;
};

struct run_lane {
    /* as the source gave it, before secrets were taken out, with all header values that are known */
    struct probe_spec spec;
    bool scheduled;
    int64_t free_at;       /* t when its last probe ended */
    struct flight *flight; /* NULL: none under way */
    bool told;             /* that it cannot be sent from here, for this container run */
    uint64_t told_run;
};

/* What the engine keeps of a pod beside its fleet. */
struct run_pod {
    struct run_lane lanes[LANE_COUNT];
    struct probe_header *headers;
    size_t header_count;
    bool known; /* a pod fact has come */
};

struct observer {
    void (*fn)(void *user, const struct fact *fact);
    void *user;
};

struct engine {
    struct engine_options options; /* strings and secrets in it are not used after engine_new() */
    char *title;
    struct fleet *fleet;
    struct schedule *schedule;
    struct http *http;
    struct redact *redact;
    struct run_pod **pods; /* by id */
    uint32_t pod_capacity, next_id;
    struct flight *flights;
    struct observer *observers;
    size_t observer_count;
    void (*flushed)(void *user);
    void *flushed_user;
    bool dirty; /* the journal holds something that is not flushed */
    bool ended; /* FACT_END is recorded: nothing more may come */
    uv_timer_t timer;
    uv_check_t check;
    uv_prepare_t prepare;
    int64_t armed_for;  /* t that the timer is armed for; INT64_MAX: not armed */
    int64_t wake_by;    /* real µs by which the loop should be back from waiting; -1: whenever */
    int64_t turn_began; /* real µs when it came back */
    enum { RUNNING, STOPPING, SOURCE_STOPPED, CLOSING, CLOSED } phase;
    void (*done)(void *user);
    void *done_user;
};

/* NULL: the engine keeps nothing of that pod. */
struct run_pod *engine_run_pod(const struct engine *engine, uint32_t id);
/* Whether our own loop was away for so long (real µs) that what it measured meanwhile is not the pod's. */
bool engine_is_behind(const struct engine *engine, int64_t real);
/* The startup probe has succeeded: the kubelet asks for readiness at once, without waiting for its tick (facts/kube.md 1.1). */
void engine_readiness_follow(struct engine *engine, uint32_t id, enum lane_kind readiness, int64_t now);

/* ---- flight.c ---- */

/* Sends the lane's probe; `due` is t from which it could have been sent. */
void flight_begin(struct engine *engine, const struct pod *pod, struct run_pod *run, enum lane_kind lane, int64_t due,
                  const struct http_address *address);
/* Nobody is left who would hear what came of it. */
void flight_drop(struct flight *flight);
/* Nobody answered, by a way that is up as far as its own word goes, or that lost the API server by that word. */
bool sample_is_silence(const struct sample *sample);
/* Of such a sample: whose silence it was, by source_ops.judge; a better word changes the sample. False: that is being found out. */
bool sample_judge(const struct engine *engine, uint32_t id, int64_t sent, enum tunnel_word word, struct sample *sample);

#endif
