#include "tunnel/spdy_link.h"

#include "base/mem.h"
#include "tunnel/carrier.h"
#include "tunnel/websocket.h"

#include <string.h>

enum { OUT_MAX = 4 << 20 };

struct spdy_link {
    struct spdy_link_options options; /* strings borrowed, and not looked at after the upgrade */
    bool closed;                      /* given up: nobody is told anything any more */
    uv_pipe_t pipe;
    uv_connect_t connect;
    char key[UPGRADE_KEY_SIZE];
    struct buf answer; /* the upgrade's, up to the end of its body where it is a refusal */
    struct buf out;    /* what is to be written */
    struct buf spdy_out, payload;
    size_t unhurried; /* bytes at the start of spdy_out that may wait until there is more to say */
    struct spdy *spdy;
    struct websocket *websocket; /* NULL by POST */
    void (*gone)(void *user);
    void *gone_user;
};

static uint64_t seed_next(struct spdy_link *link)
{
    uint64_t seed = link->options.seed;
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    link->options.seed = seed;
    return seed;
}

static void key_make(struct spdy_link *link)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < 21; i++)
        link->key[i] = letters[seed_next(link) >> 20 & 63];
    memcpy(link->key + 21, "A==", 4); /* 16 bytes leave two bits to the last letter */
}

/* ---- what comes over SPDY ---- */

static void on_opened(void *user, uint32_t stream, const struct spdy_header *headers, size_t count, bool fin)
{
    (void)user; /* only servers are asked */
    (void)stream;
    (void)headers;
    (void)count;
    (void)fin;
}

static void on_reply(void *user, uint32_t stream, const struct spdy_header *headers, size_t count, bool fin)
{
    struct spdy_link *link = user;
    (void)headers;
    (void)count;
    if (!link->closed)
        link->options.ops->reply(link->options.user, stream, fin);
}

static void on_data(void *user, uint32_t stream, const char *bytes, size_t length, bool fin)
{
    struct spdy_link *link = user;
    if (!link->closed)
        link->options.ops->data(link->options.user, stream, bytes, length, fin);
}

static void on_reset(void *user, uint32_t stream, uint32_t status)
{
    struct spdy_link *link = user;
    (void)status;
    if (!link->closed)
        link->options.ops->reset(link->options.user, stream);
}

static void on_ping(void *user, uint32_t id)
{
    struct spdy_link *link = user;
    if (!link->closed)
        link->options.ops->pong(link->options.user, id);
}

static void link_lose(struct spdy_link *link, enum tunnel_word word, const char *detail)
{
    if (!link->closed)
        link->options.ops->lost(link->options.user, word, detail);
}

static void on_goaway(void *user, uint32_t status)
{
    (void)status;
    link_lose(user, TUNNEL_API_LOST, "the session was ended by the other side");
}

/* ---- sending ---- */

struct spdy *spdy_link_spdy(struct spdy_link *link)
{
    return link->spdy;
}

void spdy_link_flush(struct spdy_link *link)
{
    link->unhurried = 0;
    if (link->websocket != NULL && link->spdy_out.len > 0) {
        websocket_send(link->websocket, link->spdy_out.data, link->spdy_out.len, &link->out);
        buf_clear(&link->spdy_out);
    }
    struct buf *out = link->websocket != NULL || link->spdy == NULL ? &link->out : &link->spdy_out;
    if (out->len == 0 || link->closed)
        return;
    uv_stream_t *stream = (uv_stream_t *)&link->pipe;
    bool stuck = out->truncated || uv_stream_get_write_queue_size(stream) > OUT_MAX;
    carrier_write(stream, out->data, out->len);
    buf_clear(out);
    if (stuck)
        link->options.ops->stuck(link->options.user);
}

void spdy_link_reset(struct spdy_link *link, uint32_t stream, uint32_t status)
{
    bool nothing_else = link->spdy_out.len == link->unhurried;
    spdy_reset(link->spdy, stream, status);
    if (nothing_else)
        link->unhurried = link->spdy_out.len;
}

/* ---- receiving ---- */

/* Bytes of the upgraded connection. */
static void link_receive(struct spdy_link *link, const char *bytes, size_t length)
{
    struct problem problem = {0};
    enum status status = STATUS_OK, ended = STATUS_OK;
    if (link->websocket != NULL) {
        buf_clear(&link->payload);
        ended = websocket_receive(link->websocket, bytes, length, &link->payload, &link->out, &problem);
        bytes = buf_str(&link->payload);
        length = link->payload.len;
    }
    if (length > 0) {
        struct problem spdy_problem = {0};
        status = spdy_receive(link->spdy, bytes, length, &spdy_problem);
        if (status != STATUS_OK)
            problem = spdy_problem;
    }
    if (link->out.len > 0 || link->spdy_out.len > link->unhurried)
        spdy_link_flush(link);
    if (status != STATUS_OK || ended != STATUS_OK) {
        bool gone = upgrade_word_of(problem.text, TUNNEL_API_LOST) == TUNNEL_POD_GONE;
        link_lose(link, gone ? TUNNEL_POD_GONE : TUNNEL_API_LOST, problem.text);
    }
}

static void upgrade_accepted(struct spdy_link *link, const char *rest, size_t length)
{
    static const struct spdy_ops ops = {.opened = on_opened,
                                        .reply = on_reply,
                                        .data = on_data,
                                        .reset = on_reset,
                                        .ping = on_ping,
                                        .goaway = on_goaway};
    link->spdy = spdy_new(false, &link->spdy_out, &ops, link);
    if (!link->options.post)
        link->websocket = websocket_new(false, seed_next(link));
    link->options.ops->accepted(link->options.user);
    if (!link->closed && length > 0)
        link_receive(link, rest, length);
    buf_free(&link->answer);
}

static void upgrade_receive(struct spdy_link *link, bool ended)
{
    struct upgrade_answer answer;
    upgrade_read(&link->answer, ended, link->options.post, link->key, &answer);
    switch (answer.state) {
    case UPGRADE_UNDER_WAY:
        break;
    case UPGRADE_ACCEPTED:
        upgrade_accepted(link, link->answer.data + answer.rest, link->answer.len - answer.rest);
        break;
    case UPGRADE_REFUSED:
        link->options.ops->refused(link->options.user, &answer);
        break;
    case UPGRADE_CUT:
        link_lose(link, TUNNEL_API_LOST, "the proxy closed the connection without an answer");
        break;
    }
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *room)
{
    struct spdy_link *link = stream->data;
    if (!link->closed && length > 0 && link->spdy == NULL) {
        buf_append(&link->answer, room->base, (size_t)length);
        upgrade_receive(link, false);
    } else if (!link->closed && length > 0) {
        link_receive(link, room->base, (size_t)length);
    } else if (!link->closed && length < 0 && link->spdy == NULL) {
        upgrade_receive(link, true);
    } else if (length < 0) {
        link_lose(link, TUNNEL_API_LOST, "the connection to the API server broke off");
    }
    mem_free(room->base);
}

static void on_connect(uv_connect_t *request, int status)
{
    struct spdy_link *link = request->data;
    if (link->closed)
        return;
    if (status != 0 || uv_read_start((uv_stream_t *)&link->pipe, carrier_alloc, on_read) != 0) {
        link->options.ops->unreachable(link->options.user);
        return;
    }
    upgrade_request(&link->out, link->options.ns, link->options.name, link->options.post, link->key);
    spdy_link_flush(link);
}

/* ---- beginning and end ---- */

struct spdy_link *spdy_link_new(const struct spdy_link_options *options)
{
    struct spdy_link *link = mem_new(sizeof *link);
    link->options = *options;
    link->options.seed |= 1; /* xorshift stands still at 0 */
    link->pipe.data = link->connect.data = link;
    key_make(link);
    buf_init(&link->answer, UPGRADE_ANSWER_MAX);
    buf_init(&link->out, OUT_MAX);
    buf_init(&link->spdy_out, OUT_MAX);
    buf_init(&link->payload, CARRIER_READ_SIZE);
    uv_pipe_init(options->loop, &link->pipe, 0);
    uv_pipe_connect(&link->connect, &link->pipe, options->socket, on_connect);
    return link;
}

static void on_closed(uv_handle_t *handle)
{
    struct spdy_link *link = handle->data;
    struct buf *bufs[] = {&link->answer, &link->out, &link->spdy_out, &link->payload};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
        buf_free(bufs[i]);
    spdy_free(link->spdy);
    websocket_free(link->websocket);
    void (*gone)(void *user) = link->gone;
    void *user = link->gone_user;
    mem_free(link);
    gone(user);
}

void spdy_link_close(struct spdy_link *link, void (*closed)(void *user), void *user)
{
    link->closed = true;
    link->gone = closed;
    link->gone_user = user;
    uv_close((uv_handle_t *)&link->pipe, on_closed);
}
