/* One port-forward session to one pod, kept up (facts/kube.md 4): a connection to the unix socket of `kubectl proxy`, an upgrade to SPDY/3.1, and a pair of streams for each forwarded connection.
 *
 * The upgrade is asked for as a WebSocket first (GET, `SPDY/3.1+portforward.k8s.io`); where the server is too old for that, by POST. After a loss the session is made again with pauses of 0.2 s doubling to
 * 10 s. The far end answers by itself to each new stream, and, where none was opened for 12 s, to a PING: that measures the way alone, and where it stays out the way is dead, not the pod. */
#ifndef PROBETOP_PORTFORWARD_H
#define PROBETOP_PORTFORWARD_H

#include "tunnel/carrier.h"

enum { FORWARDS_MAX = 64 };

/* How long refusals take here, shared by the sessions of one cluster: real µs, 0 not known yet. See forward_open(). */
struct portforward_pace {
    int64_t refusal;
};

struct portforward;
struct portforward_options {
    uv_loop_t *loop;
    const char *proxy;      /* path of the proxy's socket; copied */
    const char *post_proxy; /* of the proxy that lets POST through; there may be none there yet; copied */
    const char *ns, *name;  /* the pod; copied */
    bool by_post;           /* begin with POST: a session of the same cluster has found that it must be so */
    uint64_t seed;
    struct portforward_pace *pace; /* borrowed */
    /* How the session stands, told on every change, at every attempt that fails, whenever it has been made anew, and, while it is up, with a new round trip twice a minute. round_trip in real µs, -1 unknown; detail "" or a sentence, hostile until cleaned. */
    void (*word)(void *user, enum tunnel_word word, int64_t round_trip, const char *detail);
    void *user;
};

struct portforward *portforward_new(const struct portforward_options *options); /* idle */
/* connects now, whatever pause is running, unless that is under way */
void portforward_start(struct portforward *portforward);
/* Ends it. Its forwards are gone without another word; `done` is called from the loop when nothing is left on it. */
void portforward_free(struct portforward *portforward, void (*done)(void *user), void *user);
bool portforward_wants_post(const struct portforward *portforward);    /* GET was refused: a proxy for POST is needed */
bool portforward_by_post(const struct portforward *portforward);       /* up, and by POST */
int64_t portforward_round_trip(const struct portforward *portforward); /* the newest, real µs; -1: none yet */
struct carrier portforward_carrier(struct portforward *portforward);

#endif
