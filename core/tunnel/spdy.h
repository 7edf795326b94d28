/* SPDY/3.1 as spdystream speaks it, the little of it that a port-forward needs: both directions of the framing, no sockets (facts/kube.md 4). Pure but for zlib's state.
 * Every length is checked before it is believed; a peer that breaks the rules ends the session with a sentence. spdystream ignores flow control, so do we. */
#ifndef PROBETOP_SPDY_H
#define PROBETOP_SPDY_H

#include "base/buf.h"
#include "base/status.h"

#include <stdint.h>

enum { SPDY_FRAME_MAX = 1 << 20, SPDY_HEADERS_MAX = 64 * 1024 };

struct spdy; /* one session, either side */
struct spdy_header {
    const char *name, *value;
};

struct spdy_ops {
    void (*opened)(void *user, uint32_t stream, const struct spdy_header *headers, size_t count,
                   bool fin); /* SYN_STREAM: servers only */
    void (*reply)(void *user, uint32_t stream, const struct spdy_header *headers, size_t count,
                  bool fin); /* SYN_REPLY */
    void (*data)(void *user, uint32_t stream, const char *bytes, size_t length, bool fin);
    void (*reset)(void *user, uint32_t stream, uint32_t status);
    void (*ping)(void *user, uint32_t id); /* the answer to ours; theirs are answered by themselves */
    void (*goaway)(void *user, uint32_t status);
};

struct spdy *spdy_new(bool is_server, struct buf *out, const struct spdy_ops *ops,
                      void *user); /* frames to send are appended to `out` (borrowed) */
void spdy_free(struct spdy *spdy);
/* Takes bytes as they come, calls ops. STATUS_BAD_INPUT with a sentence when the session is over because of what came. */
enum status spdy_receive(struct spdy *spdy, const char *bytes, size_t length, struct problem *problem);
uint32_t spdy_open(struct spdy *spdy, const struct spdy_header *headers, size_t count,
                   bool fin); /* the new stream's id */
void spdy_reply(struct spdy *spdy, uint32_t stream, const struct spdy_header *headers, size_t count, bool fin);
void spdy_send(struct spdy *spdy, uint32_t stream, const char *bytes, size_t length, bool fin);
void spdy_reset(struct spdy *spdy, uint32_t stream, uint32_t status);
void spdy_ping(struct spdy *spdy, uint32_t id);
void spdy_goaway(struct spdy *spdy);

#endif
