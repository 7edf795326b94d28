/* core/tunnel/websocket.c over anything: taken whole or byte by byte it gives the same payload, ends the same, and answers with a bounded multiple of what it was sent. The first byte says which side we are. */
#include "base/buf.h"
#include "tunnel/websocket.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 1 << 22 };

static enum status take(const char *bytes, size_t length, size_t piece, bool is_server, struct buf *payload,
                        struct buf *out)
{
    struct websocket *websocket = websocket_new(is_server, 1);
    struct problem problem = {0};
    enum status status = STATUS_OK;
    for (size_t at = 0; at < length && status == STATUS_OK; at += piece) {
        status =
            websocket_receive(websocket, bytes + at, piece < length - at ? piece : length - at, payload, out, &problem);
        if ((status == STATUS_OK) != (problem.text[0] == '\0'))
            abort();
    }
    websocket_free(websocket);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *bytes = (const char *)data + 1;
    bool is_server = data[0] % 2 == 1;
    struct buf payload[2], out[2];
    for (int i = 0; i < 2; i++) {
        buf_init(&payload[i], ROOM);
        buf_init(&out[i], ROOM);
    }
    enum status status = take(bytes, size - 1, size, is_server, &payload[0], &out[0]);
    if (take(bytes, size - 1, 1, is_server, &payload[1], &out[1]) != status || payload[0].len != payload[1].len ||
        (payload[0].len > 0 && memcmp(payload[0].data, payload[1].data, payload[0].len) != 0) ||
        out[0].len != out[1].len || payload[0].len > size || out[0].len > 4 * size + 16)
        abort();
    for (int i = 0; i < 2; i++) {
        buf_free(&payload[i]);
        buf_free(&out[i]);
    }
    return 0;
}
