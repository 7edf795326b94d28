/* A small Kubernetes API on a unix socket, served by the test's own loop: what facts/kube.md 2, 3.2, 3.4 and 4 say the real one does, with the words it does it in. The stand-in for kubectl (fake_kubectl.c) carries requests to it.
 *
 * It lists with pages and selectors, watches with bookmarks and 410, follows logs, and forwards ports: SPDY/3.1 in a WebSocket, or by POST, to real ports on loopback. Everything that can go wrong is one call. */
#ifndef PROBETOP_TEST_FAKE_API_H
#define PROBETOP_TEST_FAKE_API_H

#include "base/json.h"

#include <uv.h>

/* The API knows InferencePools (of inference.networking.k8s.io/v1 alone) from the first on that is put. */
enum fake_kind { FAKE_PODS, FAKE_EVENTS, FAKE_POOLS, FAKE_DEPLOYMENTS, FAKE_STATEFULSETS, FAKE_KINDS };

/* What a port of a pod is, instead of a number of a port on loopback (which may well refuse). */
enum { FAKE_PORT_SANDBOX_GONE = -1 };

struct fake_api;
struct fake_api_options {
    uv_loop_t *loop;
    const char *socket; /* its path; copied */
    int32_t (*port)(void *user, const char *ns, const char *pod, int32_t container_port);
    void *user;
};
struct fake_api *fake_api_new(const struct fake_api_options *options);
void fake_api_free(struct fake_api *api); /* the loop has handles to close afterwards */

/* An object, new or changed. `metadata` is what its metadata has besides name, namespace, uid and resourceVersion (members, with a leading comma, or ""), `members` what the object has besides (likewise). */
void fake_api_put(struct fake_api *api, enum fake_kind kind, const char *ns, const char *name, const char *uid,
                  const char *metadata, const char *members);
void fake_api_delete(struct fake_api *api, enum fake_kind kind, const char *ns, const char *name);
void fake_api_log(struct fake_api *api, const char *ns, const char *pod, const char *container, const char *line);
/* The container's run is over: its log is the previous one from now on. */
void fake_api_log_turn(struct fake_api *api, const char *ns, const char *pod, const char *container);

/* ---- what goes wrong ---- */
void fake_api_down(struct fake_api *api, bool down); /* the API server is not there: everything under way breaks off */
void fake_api_expire(struct fake_api *api, bool expired); /* the token: 401 */
/* "list pods", "get pods/log", "create pods/portforward in team-b" ...; NULL: allow all again */
void fake_api_deny(struct fake_api *api, const char *right);
void fake_api_forget(struct fake_api *api); /* old resourceVersions are too old: 410 on every watch */
void fake_api_end_watches(struct fake_api *api, bool abruptly); /* in good order, or in the middle of a line */
void fake_api_bookmark(struct fake_api *api);                   /* to every watch */
void fake_api_old_server(struct fake_api *api, bool old);       /* no port-forward by WebSocket: 400, as before 1.31 */
void fake_api_cut_forwards(struct fake_api *api);               /* every port-forward session breaks off */

/* It answers nobody and takes nothing any more, as behind a firewall that drops everything; connections stay. What came and would have gone meanwhile comes and goes when that is over. */
void fake_api_freeze(struct fake_api *api, bool frozen);
/* The same of all that lies behind a node, logs, port-forwards and its pods' ports, while the API itself is well. What was asked meanwhile is never answered. NULL: none. */
void fake_api_swallow(struct fake_api *api, const char *node);
/* Port-forwards are answered with an error of no known kind, whichever way they are asked for. */
void fake_api_no_forwards(struct fake_api *api, bool none);
/* When one side of a forward has ended, it is ended as a whole so much later at the latest, and at once when the other side ends too, as the container runtime has it (facts/kube.md 3.1: 1 s); 0: at once when the pod's server has closed. */
void fake_api_hold(struct fake_api *api, unsigned milliseconds);

/* ---- what was asked ---- */
size_t fake_api_requests(const struct fake_api *api,
                         const char *part);           /* how many request lines hold these words; "" all */
size_t fake_api_forwards(const struct fake_api *api); /* sessions that are open */
const char *fake_api_request_log(const struct fake_api *api);

#endif
