/* The stories as tables: who appears, with which probes, and what happens to them. Data only; sim.c plays it. */
#ifndef PROBETOP_SIM_STORIES_H
#define PROBETOP_SIM_STORIES_H

#include "model/facts.h"
#include "sim/sim.h"
#include "sim/vllm.h"

/* A step of the script that the process in the serving container follows. Seconds are of t. */
enum act_kind {
    ACT_STAY,    /* nothing more happens by itself */
    ACT_WAIT,    /* exactly these seconds */
    ACT_CHAPTER, /* log lines of chapter `number` over about these seconds */
    ACT_FACE,    /* shows face `number` from now on */
    ACT_SLOW,    /* over these seconds answers come to take `number` ms */
    ACT_EVENT,   /* hostile event `number` */
    ACT_EXIT,    /* the process ends with exit code `number` */
    ACT_BACK     /* goes back `number` acts */
};
struct act {
    enum act_kind kind;
    double seconds;
    int32_t number;
};

/* A probe of the kubelet, by lane. threshold 0: there is none. */
struct part_probe {
    const char *path;
    int32_t port, delay, period, timeout, threshold;
};
struct part_probes {
    struct part_probe lanes[LANE_READINESS + 1];
};

/* A kind of pod. */
struct part {
    const char *workload; /* "decode": the Deployment, and the beginning of the name */
    const char *name;     /* the pod's whole name instead, raw bytes; NULL: made up */
    enum role role;
    bool sidecar;            /* a routing sidecar on 8000 before vLLM */
    bool old;                /* Ready for hours when the story begins */
    bool new_revision;       /* of another ReplicaSet than its siblings */
    const char *model;       /* NULL: Llama 3.3 70B, in 30 shards on 4 GPUs */
    int32_t shards, gpus;    /* 0: likewise */
    int32_t port;            /* vLLM's own */
    double appears, spread;  /* seconds after the beginning, and up to so many more by chance */
    double pending, pulling; /* seconds; pending above 5: for want of GPUs; pulling 0: the image is there */
    const struct part_probes *probes;
    const struct act *script, *again; /* first run, and every further one */
    int32_t weight;                   /* how many of this kind come before the next kind; 0: one */
};

struct story {
    const struct part *cast;
    size_t parts;
    const char *ending; /* the sentence at the end */
};
/* The table behind a story of sim_stories(). */
const struct story *story_of(const struct sim_story *told);

enum { HOSTILE_EVENTS = 3 };
struct hostile_event {
    const char *reason, *message;
};
extern const struct hostile_event STORY_EVENTS[HOSTILE_EVENTS];

/* What a process does that gets its SIGTERM: while loading, in service, and when it does not hear it (then SIGKILL comes). */
extern const struct act STORY_KILLED_LOADING[], STORY_KILLED_SERVING[], STORY_KILLED_DEAF[];

#endif
