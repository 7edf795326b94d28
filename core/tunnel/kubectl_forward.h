/* One port of a pod through a supervised `kubectl port-forward` child (facts/kube.md 3.1), for clusters where the native session cannot be made.
 *
 * Every kubectl since 1.23 ends when the pod refuses one connection: that is a probe's result, not a fault, and the next child is started soon after, so that it is there before the next probe; an older one would
 * stay, and hang from the fourth one on, so that it is ended then. Why a connection ended without an answer stands on the child's standard error a moment later, so the end is held back for that moment. */
#ifndef PROBETOP_KUBECTL_FORWARD_H
#define PROBETOP_KUBECTL_FORWARD_H

#include "kube/kubectl.h"
#include "tunnel/carrier.h"

/* Shared by all children of a tunnel: a kubectl costs 13 MB and 60 to 90 ms of CPU to start. */
enum { CHILDREN_MAX = 100, CHILDREN_STARTING_MAX = 4 };
struct kubectl_crowd {
    int starting, running;
};

struct kubectl_forward;
struct kubectl_forward_options {
    uv_loop_t *loop;
    const char *kubectl;               /* copied */
    const struct kubectl_flags *flags; /* borrowed */
    const char *ns, *name;             /* copied */
    int32_t port;
    struct kubectl_crowd *crowd; /* borrowed */
    void (*group)(void *group_user, pid_t group, bool alive);
    void *group_user;
    /* How the child stands, on every change: UP, REFUSED_IN_POD (it ended by that and will be replaced), or why there is none. detail: kubectl's own words, hostile until cleaned. */
    void (*word)(void *user, enum tunnel_word word, const char *detail);
    void *user;
};

struct kubectl_forward *kubectl_forward_new(const struct kubectl_forward_options *options); /* starts in a later turn */
/* Ends it. Its forwards are gone without another word; `done` is called from the loop when nothing is left on it. */
void kubectl_forward_free(struct kubectl_forward *forward, void (*done)(void *user), void *user);
struct carrier kubectl_forward_carrier(struct kubectl_forward *forward);
/* What a kubectl's words mean for the way to a pod. */
enum tunnel_word kubectl_forward_word_of(enum kubectl_word word);

#endif
