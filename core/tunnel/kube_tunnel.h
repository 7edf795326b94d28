/* The tunnels into a cluster behind one interface, and which of them a pod uses (--via).
 *
 * portforward (default): our own client of the pod's `portforward` subresource through the proxy's unix socket. One session per pod: a WebSocket that carries SPDY/3.1 (`SPDY/3.1+portforward.k8s.io`, by GET), or, where that is refused, SPDY/3.1 by POST through a second proxy that lets nothing else through:
 * old servers, and rights that were given for POST only. For each (pod, containerPort) a listening unix socket in the private directory, made when first asked for, is what libcurl connects to; each connection becomes one pair of streams (error, data). A refusal
 * arrives as text on the error stream and does not end the session; it is remembered as the word for that connection's probe. The far end's reply to each new stream, or to a PING where there was none for 12 s, measures the tunnel's own round trip. After loss of the API the session is made again with pauses of
 * 0.2 s doubling to 10 s; meanwhile the word is api-lost and probes are unknown.
 * kubectl: supervised `kubectl port-forward --address 127.0.0.1 pod/NAME :PORT` children; a child that ends because a probe was refused gave a probe's result, not a fault; the next is started just before the next due probe, at most 4 starting at a time, 100 in all.
 * podproxy: GET through the pod's proxy subresource. direct: the pod's own IP.
 * auto: portforward; kubectl for a pod whose upgrades are answered, three times in a row, with something else than a port-forward; podproxy where the right to a port-forward is missing (it is missing for both of them
 * then), or kubectl's children do not come up either. podproxy needs a right of its own, that administrators dislike to give, and a proxy that lets more through: a second kubectl proxy is started for it, and asked
 * once for each pod whether that right is there. Says which way it took and why. */
#ifndef PROBETOP_KUBE_TUNNEL_H
#define PROBETOP_KUBE_TUNNEL_H

#include "kube/kubectl.h"
#include "tunnel/tunnel.h"

enum via { VIA_AUTO, VIA_PORTFORWARD, VIA_KUBECTL, VIA_PODPROXY, VIA_DIRECT };
const char *via_name(enum via via);
bool via_from_name(const char *name, enum via *via);

struct kube_tunnel_options {
    uv_loop_t *loop;
    enum via via;
    const char *dir;     /* private 0700 directory for the sockets; short (107 bytes bound a socket's path); copied */
    const char *kubectl; /* absolute path, for children; copied */
    const struct kubectl_flags *flags; /* borrowed */
    void (*group)(void *group_user, pid_t group, bool alive);
    void *group_user;
};

/* The struct is a tunnel of tunnel/tunnel.h: hand (struct tunnel *)kube_tunnel and &kube_tunnel_ops to the engine. */
struct kube_tunnel *kube_tunnel_new(const struct kube_tunnel_options *options);
extern const struct tunnel_ops kube_tunnel_ops;
/* Words about pods go here (the source turns them into FACT_TUNNEL). Set before the first pod. */
void kube_tunnel_on_word(struct kube_tunnel *tunnel, tunnel_word_fn *word, void *user);
/* Called, from the loop, as a probe is about to be sent by a way that cannot tell a silent API server from a silent pod: kubectl's children and the pods' proxy. Whoever is told finds out which it is and says so below. */
void kube_tunnel_on_wait(struct kube_tunnel *tunnel, void (*wait)(void *user), void *user);
/* The API server answers nobody just now, or does again. By those two ways nothing is sent meanwhile, and what was sent says nothing about the pods. */
void kube_tunnel_silent(struct kube_tunnel *tunnel, bool silent);
/* A pod to reach; again with the same values changes nothing; a changed uid or ip closes what there was. running: its sandbox is there (before that nothing is tried). */
void kube_tunnel_pod(struct kube_tunnel *tunnel, uint32_t pod, const char *ns, const char *name, const char *uid,
                     const char *ip, bool running);
void kube_tunnel_proxy(struct kube_tunnel *tunnel, const char *socket_path,
                       bool up);                                             /* the proxy's socket came or went */
const char *kube_tunnel_via(const struct kube_tunnel *tunnel, uint32_t pod); /* what it uses now: "portforward", ... */
/* Whether its way cannot tell whose silence it is: kubectl's children and the pods' proxy. */
bool kube_tunnel_is_deaf(const struct kube_tunnel *tunnel, uint32_t pod);
/* Ends all sessions and children, removes the sockets, then `done`. Called by the source's stop(); tunnel_ops.free only frees memory afterwards. */
void kube_tunnel_stop(struct kube_tunnel *tunnel, void (*done)(void *user), void *user);

#endif
