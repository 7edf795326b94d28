/* One port-forward session to one pod, kept up (facts/kube.md 4): a connection to the unix socket of `kubectl proxy`, an upgrade to SPDY/3.1, and a pair of streams for each forwarded connection.
 *
 * The upgrade is asked for as a WebSocket first (GET, `SPDY/3.1+portforward.k8s.io`); where the server is too old for that, by POST. After a loss the session is made again with pauses of 0.2 s doubling to
 * 10 s. A PING goes out with the first of the open connections and every 5 s: its answer comes from the far end of the way, so it measures the way alone, and where it stays out the way is dead, not the pod. */
#ifndef PROBETOP_PORTFORWARD_H
#define PROBETOP_PORTFORWARD_H

#include "tunnel/tunnel.h"

enum { FORWARDS_MAX = 64, FORWARD_SEND_MAX = 256 * 1024 };

struct portforward;
struct portforward_options {
    uv_loop_t *loop;
    const char *proxy;     /* path of the proxy's socket; copied */
    const char *ns, *name; /* the pod; copied */
    bool by_post;          /* begin with POST: a session of the same cluster has found that it must be so */
    uint64_t seed;
    /* How the session stands, told on every change and, while it is up, with a new round trip twice a minute. round_trip in real µs, -1 unknown; detail "" or a sentence, hostile until cleaned. */
    void (*word)(void *user, enum tunnel_word word, int64_t round_trip, const char *detail);
    void *user;
};

struct portforward *portforward_new(const struct portforward_options *options); /* idle */
void portforward_start(struct portforward *portforward);                        /* connects unless that is under way */
/* Ends it. Its forwards are gone without another word; `done` is called from the loop when nothing is left on it. */
void portforward_free(struct portforward *portforward, void (*done)(void *user), void *user);
/* What to say of a connection that got no answer now: UP only where the way to the pod is known to work. */
enum tunnel_word portforward_word(const struct portforward *portforward);
bool portforward_is_up(const struct portforward *portforward);
bool portforward_by_post(const struct portforward *portforward);
int64_t portforward_round_trip(const struct portforward *portforward); /* the last one, µs; -1 unknown */

/* ---- forwarded connections ---- */

struct forward_ops {
    void (*data)(void *user, const char *bytes, size_t length);
    /* The pod's side has ended, or the session: word UP (the pod closed), REFUSED_IN_POD, or why there is no way any more. The forward is gone after this. */
    void (*ended)(void *user, enum tunnel_word word, const char *detail);
};

struct forward;
/* Begins one to a port. NULL unless the session is up and has room. No callback comes before this returns. */
struct forward *forward_open(struct portforward *portforward, int32_t port, const struct forward_ops *ops, void *user);
bool forward_send(struct forward *forward, const char *bytes, size_t length); /* false: more than FORWARD_SEND_MAX */
void forward_close(struct forward *forward);                                  /* given up: no callback comes any more */

#endif
