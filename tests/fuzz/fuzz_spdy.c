/* core/tunnel/spdy.c over anything: taken whole or byte by byte it tells the same, ends the same, and answers with no more than it was sent. The first byte says which side we are. */
#include "base/buf.h"
#include "tunnel/spdy.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 1 << 20 };

/* What was told, as a checksum that does not depend on the pieces that data came in. */
struct told {
    uint64_t sum;
};

static void add(struct told *told, uint64_t number)
{
    told->sum = (told->sum ^ number) * UINT64_C(0x100000001b3);
}

static void add_headers(struct told *told, uint32_t stream, const struct spdy_header *headers, size_t count, bool fin)
{
    add(told, stream);
    for (size_t i = 0; i < count; i++) {
        for (const char *byte = headers[i].name; *byte != '\0'; byte++)
            add(told, (unsigned char)*byte);
        for (const char *byte = headers[i].value; *byte != '\0'; byte++)
            add(told, (unsigned char)*byte);
    }
    add(told, fin);
}

static void on_opened(void *user, uint32_t stream, const struct spdy_header *headers, size_t count, bool fin)
{
    add(user, 1);
    add_headers(user, stream, headers, count, fin);
}

static void on_reply(void *user, uint32_t stream, const struct spdy_header *headers, size_t count, bool fin)
{
    add(user, 2);
    add_headers(user, stream, headers, count, fin);
}

static void on_data(void *user, uint32_t stream, const char *bytes, size_t length, bool fin)
{
    for (size_t i = 0; i < length; i++) {
        add(user, stream);
        add(user, (unsigned char)bytes[i]);
    }
    if (fin) {
        add(user, 3);
        add(user, stream);
    }
}

static void on_reset(void *user, uint32_t stream, uint32_t status)
{
    add(user, 4);
    add(user, stream);
    add(user, status);
}

static void on_ping(void *user, uint32_t id)
{
    add(user, 5);
    add(user, id);
}

static void on_goaway(void *user, uint32_t status)
{
    add(user, 6);
    add(user, status);
}

static enum status take(const char *bytes, size_t length, size_t piece, bool is_server, struct told *told,
                        struct buf *out)
{
    static const struct spdy_ops ops = {on_opened, on_reply, on_data, on_reset, on_ping, on_goaway};
    struct spdy *spdy = spdy_new(is_server, out, &ops, told);
    struct problem problem = {0};
    enum status status = STATUS_OK;
    for (size_t at = 0; at < length && status == STATUS_OK; at += piece) {
        status = spdy_receive(spdy, bytes + at, piece < length - at ? piece : length - at, &problem);
        if ((status == STATUS_OK) != (problem.text[0] == '\0'))
            abort();
    }
    spdy_free(spdy);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *bytes = (const char *)data + 1;
    bool is_server = data[0] % 2 == 1;
    struct told whole = {0}, pieces = {0};
    struct buf out, again;
    buf_init(&out, OUT_MAX);
    buf_init(&again, OUT_MAX);
    enum status status = take(bytes, size - 1, size, is_server, &whole, &out);
    if (take(bytes, size - 1, 1, is_server, &pieces, &again) != status || whole.sum != pieces.sum ||
        out.len != again.len || out.len > 2 * size + 16)
        abort();
    buf_free(&out);
    buf_free(&again);
    return 0;
}
