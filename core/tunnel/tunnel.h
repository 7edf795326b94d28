/* How a probe gets to a port of a pod. A tunnel gives the engine something to connect to, and a word about what happened inside. One interface, several backends. */
#ifndef PROBETOP_TUNNEL_H
#define PROBETOP_TUNNEL_H

#include "model/fact.h"
#include "probe/http.h"

/* Reports a change of the tunnel to a pod; round_trip in real µs or -1. */
typedef void tunnel_word_fn(void *user, uint32_t pod, enum tunnel_word word, int64_t round_trip, const char *detail);

struct tunnel; /* a backend's own */

/* A backend. All calls are made from the loop. */
struct tunnel_ops {
    const char *name; /* "direct", "portforward", ... as in pod_facts.via and --via */
    bool is_stream;   /* a refusal in the pod shows as an empty reply: classification needs the word */
    /* Whether that holds for this pod, where its ways differ from pod to pod; NULL: is_stream says it for all. */
    bool (*streams)(struct tunnel *tunnel, uint32_t pod);
    /* The address to connect to for this container port now. STATUS_AGAIN: not yet (the probe is UNKNOWN with word()). The address's strings live until the pod is closed. */
    enum status (*address)(struct tunnel *tunnel, uint32_t pod, int32_t container_port, struct http_address *out);
    /* What the tunnel says happened to the connection that just ended for this port. */
    enum tunnel_word (*word)(struct tunnel *tunnel, uint32_t pod, int32_t container_port);
    /* What the far side said as it told word()'s newest word of this port: the exact text of a refusal; hostile until cleaned; "" nothing. Valid until the tunnel is called again or the loop turns. NULL: never anything. */
    const char *(*said)(struct tunnel *tunnel, uint32_t pod, int32_t container_port);
    void (*close_pod)(struct tunnel *tunnel, uint32_t pod);
    void (*free)(struct tunnel *tunnel);
};

/* tunnel/direct.c: fixed addresses, always up. */
struct tunnel *direct_new(void);
extern const struct tunnel_ops direct_ops;
/* Connections for (pod, container_port) go to this address. Strings are copied. host NULL with a unix_path. */
void direct_set(struct tunnel *direct, uint32_t pod, int32_t container_port, const char *host, int32_t port,
                const char *unix_path);

#endif
