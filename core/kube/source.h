/* The source for a cluster: finds the pods, keeps them, their events and logs in view, and says truthfully where it stands when it cannot (facts/kube.md 2 and 3). */
#ifndef PROBETOP_KUBE_SOURCE_H
#define PROBETOP_KUBE_SOURCE_H

#include "engine/engine.h"
#include "kube/discover.h"
#include "kube/kubectl.h"

struct kube_options {
    struct kubectl_flags flags; /* flags.ns NULL: the context's own */
    bool all_namespaces;
    char *selector, *field_selector;
    struct kube_target *targets;
    size_t target_count;
    bool rollouts; /* of targets that are Deployments and StatefulSets it is told how far their rollouts are */
    char *via;     /* "auto", "portforward", "kubectl", "podproxy", "direct" */
};
void kube_options_free(struct kube_options *options);

extern const struct source_ops kube_ops;
/* kubectl must have been found. dir: private directory for sockets (the journal's, or one of its own). `options` is taken over with its memory (mem_new()), so that the tunnel may point to the flags in it. The tunnel (tunnel/kube_tunnel.h) is borrowed. */
struct kube_tunnel;
void *kube_source_new(struct kube_options *options, const char *kubectl, const char *dir, struct kube_tunnel *tunnel,
                      void (*group)(void *user, pid_t group, bool alive), void *group_user);

#endif
