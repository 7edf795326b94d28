/* Rights that are needed only when a pod is there and runs, asked for before: a right that is missing is told with the first look at a cluster, not in the middle of a roll-out.
 *
 * Asks for a pod that need not exist: whoever may have a pod's log is told that there is no such pod, whoever may not is told that (403 comes before 404). Nothing is created for it, and no pod is touched; SelfSubjectAccessReview
 * would be a POST, which the proxy lets through for port-forwards alone. Rights are given by namespace: the one that is looked at is asked for at once, and where all are looked at each in which a pod is seen, the first eight of them; what is
 * missing in others is learnt when it is needed. */
#ifndef PROBETOP_PREFLIGHT_H
#define PROBETOP_PREFLIGHT_H

#include "kube/api.h"
#include "kube/rights.h"
#include "tunnel/kube_tunnel.h"

/* Numbers of no pod, from PREFLIGHT_PODS up: what the tunnel says of them goes to preflight_word(). */
enum { PREFLIGHT_PLACES = 8, PREFLIGHT_PODS = INT32_MAX - PREFLIGHT_PLACES };

struct preflight_options {
    uv_loop_t *loop;
    struct api *api;
    struct kube_tunnel *tunnel;
    const char *pod; /* the one pod that was asked for, which may be all that is permitted; NULL: none; copied */
    enum via via;
    void (*denied)(void *user, enum right right, const char *words);
    void *user;
};
struct preflight *preflight_new(const struct preflight_options *options);
/* Asks for what will be needed in this namespace. One that has been asked for, or is one too many, is left alone. */
void preflight_look(struct preflight *preflight, const char *ns);
/* Asks for all that is not known yet: the proxy serves now, or the API server answers again. */
void preflight_go(struct preflight *preflight);
/* False: it is about another pod. */
bool preflight_word(struct preflight *preflight, uint32_t pod, enum tunnel_word word, const char *detail);
void preflight_free(struct preflight *preflight); /* NULL is fine */

#endif
