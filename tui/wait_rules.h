/* When waiting is over, by what is known of the pods and of where they come from. Pure; wait.c looks, this decides. */
#ifndef PROBETOP_WAIT_RULES_H
#define PROBETOP_WAIT_RULES_H

#include "model/fleet.h"

enum wait_verdict {
    WAIT_GOES_ON,
    WAIT_IS_THERE,
    WAIT_IS_HOPELESS, /* too few pods are left that may get there */
    WAIT_IS_DENIED,   /* we may not look */
    WAIT_IS_BLIND     /* there is no cluster to look at */
};

struct wait_view {
    bool gone_wanted; /* until no pod is left, instead of until `wanted` are there */
    size_t wanted;    /* 0: all there are */
    bool of_cluster;
    size_t expected;         /* endpoints given by hand */
    size_t known;            /* pods told of, gone ones too */
    enum source_state state; /* a cluster's */
    int64_t state_for;       /* µs */
    bool stood;              /* it has told all pods once */
    bool rolls;              /* a rollout has not brought the pods that are wanted yet: workload_rolls() */
    /* Pods that count: that are not gone, not being deleted, and not replaced by their workload. */
    size_t present, there, hopeless;
};
/* All pods have been told of, and what is known of them is so now. */
bool wait_view_is_whole(const struct wait_view *view);
enum wait_verdict wait_decide(const struct wait_view *view);
/* Whether that workload has still to make pods of its newest version, or to take others away, before those that are there are the ones that are waited for. `wanted` pods are enough; 0: all. */
bool workload_rolls(const struct workload_facts *workload, size_t wanted);

#endif
