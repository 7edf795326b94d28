/* What carries connections into a pod: the native session (portforward.h) or a kubectl child (kubectl_forward.h). A gate (gate.h) is its user. */
#ifndef PROBETOP_CARRIER_H
#define PROBETOP_CARRIER_H

#include "tunnel/tunnel.h"

struct forward; /* one connection, a carrier's own */

struct forward_ops {
    void (*data)(void *user, const char *bytes, size_t length);
    /* The pod's side has ended, or the way to it: word UP (the pod closed), REFUSED_IN_POD, or why there is no way any more. detail: the far side's own text, hostile until cleaned, "" none. The forward is gone after this. */
    void (*ended)(void *user, enum tunnel_word word, const char *detail);
};

struct carrier_ops {
    /* Begins one to a port. NULL unless the carrier is up and has room. No callback comes before this returns. */
    struct forward *(*open)(void *carrier, int32_t port, const struct forward_ops *ops, void *user);
    bool (*send)(struct forward *forward, const char *bytes, size_t length); /* false: more than a probe ever sends */
    void (*finish)(
        struct forward
            *forward); /* our side sends nothing more, and the other side may know it; what it sends still comes */
    void (*close)(struct forward *forward); /* given up: no callback comes any more */
    bool (*is_up)(const void *carrier);
    /* What to say of a connection that got no answer now: UP only where the way to the pod is known to work; STARTING: it is being made for the first time, or anew with nothing lost. */
    enum tunnel_word (*word)(const void *carrier);
};

struct carrier {
    const struct carrier_ops *ops; /* NULL: none */
    void *self;
};

/* Most bytes that are sent over one forward. */
enum { FORWARD_SEND_MAX = 256 * 1024 };

/* ---- reading and writing libuv's streams, as all carriers and gates do it ---- */

/* Writes all of it, now or, where the kernel does not take it, later: what is queued then shows in uv_stream_get_write_queue_size(). A failure shows on the reading side. */
void carrier_write(uv_stream_t *stream, const char *bytes, size_t length);
/* For uv_read_start(); the reader gives the memory back with mem_free(). */
enum { CARRIER_READ_SIZE = 16 * 1024 };
void carrier_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out);

#endif
