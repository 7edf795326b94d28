/* WebSocket framing (RFC 6455) for a session that carries SPDY in binary frames. Pure. Clients mask, servers do not; fragments are joined as they are a stream of bytes; pings are answered. */
#ifndef PROBETOP_WEBSOCKET_H
#define PROBETOP_WEBSOCKET_H

#include "base/buf.h"
#include "base/status.h"

#include <stdint.h>

struct websocket;                                               /* one connection after its handshake, either side */
struct websocket *websocket_new(bool is_server, uint64_t seed); /* seed: for masks, which hide nothing here */
void websocket_free(struct websocket *websocket);
void websocket_send(struct websocket *websocket, const char *bytes, size_t length,
                    struct buf *out); /* one binary frame */
void websocket_close(struct websocket *websocket, uint16_t code, struct buf *out);
/* Takes raw bytes; appends payload to `payload` and what must be answered (pongs, close) to `out`. STATUS_END after a close frame, STATUS_BAD_INPUT with a sentence. */
enum status websocket_receive(struct websocket *websocket, const char *bytes, size_t length, struct buf *payload,
                              struct buf *out, struct problem *problem);
/* Value of Sec-WebSocket-Accept for a key; 28 characters and a NUL. */
void websocket_accept_key(const char *key, char out[29]);

#endif
