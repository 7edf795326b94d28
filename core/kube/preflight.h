/* Rights that are needed only when a pod is there, asked for before: a right that is missing is told with the first look at a cluster, not in the middle of a roll-out.
 *
 * Asks for a pod that need not exist: whoever may have a pod's log is told that there is no such pod, whoever may not is told that (403 comes before 404). Nothing is created for it, and no pod is touched; SelfSubjectAccessReview
 * would be a POST, which the proxy lets through for port-forwards alone. */
#ifndef PROBETOP_PREFLIGHT_H
#define PROBETOP_PREFLIGHT_H

#include "kube/api.h"
#include "kube/rights.h"
#include "tunnel/kube_tunnel.h"

enum { PREFLIGHT_POD = INT32_MAX }; /* the number of no pod: what the tunnel says of it goes to preflight_word() */

struct preflight_options {
    uv_loop_t *loop;
    struct api *api;
    struct kube_tunnel *tunnel;
    const char *ns;  /* copied */
    const char *pod; /* the one pod that was asked for, which may be all that is permitted; NULL: none; copied */
    enum via via;
    void (*denied)(void *user, enum right right, const char *words);
    void *user;
};
struct preflight *preflight_new(const struct preflight_options *options);
/* Asks for all that is not known yet: the proxy serves now, or the API server answers again. */
void preflight_go(struct preflight *preflight);
void preflight_word(struct preflight *preflight, enum tunnel_word word, const char *detail);
void preflight_free(struct preflight *preflight);

#endif
