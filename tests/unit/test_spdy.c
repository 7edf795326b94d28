/* core/tunnel/spdy.c: both sides against each other in pieces of any size, header blocks that another implementation made, and peers that break the rules. */
#include "base/mem.h"
#include "tunnel/spdy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { LOG_MAX = 1 << 16, OUT_MAX = 8 << 20 };

/* What one side was told, as text. */
struct side {
    struct spdy *spdy;
    struct buf out, log;
    uint64_t data_bytes;
};

static void log_headers(struct side *side, const char *what, uint32_t stream, const struct spdy_header *headers,
                        size_t count, bool fin)
{
    buf_printf(&side->log, "%s %u", what, stream);
    for (size_t i = 0; i < count; i++)
        buf_printf(&side->log, " %s=%s", headers[i].name, headers[i].value);
    buf_puts(&side->log, fin ? " fin\n" : "\n");
}

static void on_opened(void *user, uint32_t stream, const struct spdy_header *headers, size_t count, bool fin)
{
    log_headers(user, "opened", stream, headers, count, fin);
}

static void on_reply(void *user, uint32_t stream, const struct spdy_header *headers, size_t count, bool fin)
{
    log_headers(user, "reply", stream, headers, count, fin);
}

/* Data is told in pieces as it comes: runs of it are joined, so that the log does not depend on the pieces. */
static void on_data(void *user, uint32_t stream, const char *bytes, size_t length, bool fin)
{
    struct side *side = user;
    char begin[32];
    snprintf(begin, sizeof begin, "data %u ", stream);
    const char *open =
        side->log.len > 0 && side->log.data[side->log.len - 1] != '\n' ? strrchr(buf_str(&side->log), '\n') : NULL;
    const char *last = open != NULL ? open + 1 : buf_str(&side->log);
    bool same =
        side->log.len > 0 && side->log.data[side->log.len - 1] != '\n' && strncmp(last, begin, strlen(begin)) == 0;
    if (!same)
        buf_printf(&side->log, "%s", begin);
    side->data_bytes += length;
    buf_append(&side->log, bytes, length < 64 ? length : 0);
    if (fin)
        buf_puts(&side->log, " fin\n");
    else if (length >= 64)
        buf_puts(&side->log, "\n");
}

static void on_reset(void *user, uint32_t stream, uint32_t status)
{
    buf_printf(&((struct side *)user)->log, "reset %u %u\n", stream, status);
}

static void on_ping(void *user, uint32_t id)
{
    buf_printf(&((struct side *)user)->log, "pong %u\n", id);
}

static void on_goaway(void *user, uint32_t status)
{
    buf_printf(&((struct side *)user)->log, "goaway %u\n", status);
}

static const struct spdy_ops ops = {on_opened, on_reply, on_data, on_reset, on_ping, on_goaway};

static void side_init(struct side *side, bool is_server)
{
    memset(side, 0, sizeof *side);
    buf_init(&side->out, OUT_MAX);
    buf_init(&side->log, LOG_MAX);
    side->spdy = spdy_new(is_server, &side->out, &ops, side);
}

static void side_free(struct side *side)
{
    spdy_free(side->spdy);
    buf_free(&side->out);
    buf_free(&side->log);
}

/* Hands what `from` has to send over in pieces whose sizes the seed tells; 0: all at once. */
static void pass(struct side *from, struct side *to, uint32_t *seed)
{
    size_t at = 0;
    while (at < from->out.len) {
        size_t piece = from->out.len - at;
        if (*seed != 0) {
            *seed = *seed * 1103515245U + 12345U;
            size_t most = 1 + (*seed >> 16) % 40;
            piece = piece < most ? piece : most;
        }
        assert_int_equal(spdy_receive(to->spdy, from->out.data + at, piece, NULL), STATUS_OK);
        at += piece;
    }
    buf_clear(&from->out);
}

/* A refused and an answered connection, as a port-forward has them. */
static void conversation(struct side *client, struct side *server, uint32_t seed)
{
    struct spdy_header headers[] = {{"streamtype", "error"}, {"port", "8000"}, {"requestid", "7"}};
    uint32_t error = spdy_open(client->spdy, headers, 3, true);
    headers[0].value = "data";
    uint32_t data = spdy_open(client->spdy, headers, 3, false);
    spdy_send(client->spdy, data, "GET / HTTP/1.1\r\n", 16, false);
    spdy_ping(client->spdy, 1);
    pass(client, server, &seed);
    spdy_reply(server->spdy, error, NULL, 0, false);
    spdy_reply(server->spdy, data, NULL, 0, false);
    spdy_send(server->spdy, error, "connection refused", 18, true);
    spdy_send(server->spdy, data, "", 0, true);
    spdy_ping(server->spdy, 2);
    pass(server, client, &seed);
    spdy_reset(client->spdy, data, 5);
    spdy_goaway(client->spdy);
    pass(client, server, &seed);
}

static void test_conversation(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 200; seed++) {
        struct side client, server;
        side_init(&client, false);
        side_init(&server, true);
        conversation(&client, &server, seed);
        assert_string_equal(buf_str(&server.log), "opened 1 streamtype=error port=8000 requestid=7 fin\n"
                                                  "opened 3 streamtype=data port=8000 requestid=7\n"
                                                  "data 3 GET / HTTP/1.1\r\n"
                                                  "pong 2\nreset 3 5\ngoaway 0\n");
        assert_string_equal(buf_str(&client.log), "pong 1\nreply 1\nreply 3\ndata 1 connection refused fin\n"
                                                  "data 3  fin\n");
        side_free(&client);
        side_free(&server);
    }
}

/* The compression goes on over the whole session: a thousand openings stay readable, and short. */
static void test_shared_state(void **state)
{
    (void)state;
    struct side client, server;
    uint32_t seed = 1;
    side_init(&client, false);
    side_init(&server, true);
    for (int i = 0; i < 1000; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        struct spdy_header headers[] = {{"streamtype", "data"}, {"port", "8200"}, {"requestid", id}};
        assert_int_equal(spdy_open(client.spdy, headers, 3, false), 2 * i + 1);
        if (i == 500)
            assert_true(client.out.len < 18 + 40);
        char expected[64];
        snprintf(expected, sizeof expected, "opened %d streamtype=data port=8200 requestid=%d\n", 2 * i + 1, i);
        buf_clear(&server.log);
        pass(&client, &server, &seed);
        assert_string_equal(buf_str(&server.log), expected);
    }
    side_free(&client);
    side_free(&server);
}

/* More than one frame holds. */
static void test_big_data(void **state)
{
    (void)state;
    struct side client, server;
    uint32_t seed = 0;
    size_t size = 2 * SPDY_FRAME_MAX + 12345;
    char *bytes = mem_new(size);
    side_init(&client, false);
    side_init(&server, true);
    spdy_send(client.spdy, 1, bytes, size, true);
    pass(&client, &server, &seed);
    assert_int_equal(server.data_bytes, size);
    assert_non_null(strstr(buf_str(&server.log), "fin"));
    mem_free(bytes);
    side_free(&client);
    side_free(&server);
}

/* Two SYN_STREAMs as zlib's Python binding packs them with the same dictionary: level 9, a window of 32 KiB. */
static void test_other_implementation(void **state)
{
    (void)state;
    static const unsigned char frames[] = {
        0x80, 0x03, 0x00, 0x01, 0x01, 0x00, 0x00, 0x3d, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x78, 0xf9, 0xe3, 0xc6, 0xa7, 0xc2, 0x02, 0x25, 0x3a, 0x70, 0x3a, 0x2b, 0x29, 0x4a, 0x4d, 0xcc,
        0x85, 0x16, 0x25, 0xac, 0xa9, 0xa0, 0x80, 0x86, 0x14, 0xcb, 0x45, 0xe0, 0x1c, 0x60, 0x61, 0x60, 0x60,
        0x00, 0xa4, 0x39, 0x8b, 0x20, 0xd1, 0x98, 0x09, 0x4a, 0xde, 0x8c, 0x06, 0x00, 0x00, 0x00, 0x00, 0xff,
        0xff, 0x80, 0x03, 0x00, 0x01, 0x00, 0x00, 0x00, 0x18, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0xc2, 0xaa, 0x19, 0x54, 0x0e, 0x25, 0x12, 0xd6, 0x0b, 0x00, 0x00, 0x00, 0xff, 0xff,
    };
    struct side server;
    side_init(&server, true);
    assert_int_equal(spdy_receive(server.spdy, (const char *)frames, sizeof frames, NULL), STATUS_OK);
    assert_string_equal(buf_str(&server.log), "opened 1 streamtype=error port=8000 requestid=0 fin\n"
                                              "opened 3 streamtype=data port=8000 requestid=0\n");
    side_free(&server);
}

/* A client is asked to take a stream: it says no, and goes on, with the compression in step. */
static void test_client_refuses(void **state)
{
    (void)state;
    struct side client, server;
    uint32_t seed = 0;
    struct spdy_header header = {"a", "b"};
    side_init(&client, false);
    side_init(&server, true);
    spdy_open(server.spdy, &header, 1, false);
    spdy_reply(server.spdy, 1, &header, 1, true);
    pass(&server, &client, &seed);
    assert_string_equal(buf_str(&client.log), "reply 1 a=b fin\n");
    pass(&client, &server, &seed);
    assert_string_equal(buf_str(&server.log), "reset 2 3\n");
    side_free(&client);
    side_free(&server);
}

/* ---- hostile peers ---- */

static void expect_bad(const unsigned char *bytes, size_t length, const char *words)
{
    struct side side;
    struct problem problem = {0};
    side_init(&side, false);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < length && status == STATUS_OK; i++)
        status = spdy_receive(side.spdy, (const char *)bytes + i, 1, &problem);
    assert_int_equal(status, STATUS_BAD_INPUT);
    if (strstr(problem.text, words) == NULL)
        fail_msg("'%s' does not say '%s'", problem.text, words);
    /* Nothing is taken after that. */
    assert_int_equal(spdy_receive(side.spdy, "\0", 1, NULL), STATUS_BAD_INPUT);
    side_free(&side);
}

static void test_hostile(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        size_t length;
        unsigned char bytes[32];
    } rows[] = {
        {"version 2", 12, {0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1}},
        {"too short", 10, {0x80, 3, 0, 6, 0, 0, 0, 2, 0, 0}},          /* PING */
        {"too short", 12, {0x80, 3, 0, 3, 0, 0, 0, 4, 0, 0, 0, 1}},    /* RST_STREAM */
        {"too short", 12, {0x80, 3, 0, 7, 0, 0, 0, 4, 0, 0, 0, 1}},    /* GOAWAY */
        {"too short", 10, {0x80, 3, 0, 2, 0, 0, 0, 2, 0, 0}},          /* SYN_REPLY */
        {"too short", 12, {0x80, 3, 0, 1, 0, 0, 0, 4, 0, 0, 0, 1}},    /* SYN_STREAM */
        {"too short", 8, {0x80, 3, 0, 6, 0, 0, 0, 0}},                 /* PING, empty */
        {"a frame of 16777215", 8, {0, 0, 0, 1, 0, 0xff, 0xff, 0xff}}, /* data */
        {"a frame of 65537", 8, {0x80, 3, 0, 2, 0, 1, 0, 1}},          /* control */
        {"cannot be unpacked", 16, {0x80, 3, 0, 2, 0, 0, 0, 8, 0, 0, 0, 1, 'j', 'u', 'n', 'k'}},
        {"cut short", 12, {0x80, 3, 0, 2, 0, 0, 0, 4, 0, 0, 0, 1}}, /* no header block at all */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_bad(rows[i].bytes, rows[i].length, rows[i].words);
}

/* Kinds that mean nothing to us, and data for streams that nobody opened, do no harm. */
static void test_ignored(void **state)
{
    (void)state;
    static const unsigned char frames[] = {
        0x80, 3, 0, 4,  0, 0, 0, 4, 0,   0,   0, 0,             /* SETTINGS */
        0x80, 3, 0, 9,  0, 0, 0, 8, 0,   0,   0, 1, 0, 1, 0, 0, /* WINDOW_UPDATE */
        0x80, 3, 0, 99, 0, 0, 0, 0,                             /* unknown, empty */
        0,    0, 0, 9,  1, 0, 0, 2, 'h', 'i',                   /* data */
    };
    struct side client;
    side_init(&client, false);
    assert_int_equal(spdy_receive(client.spdy, (const char *)frames, sizeof frames, NULL), STATUS_OK);
    assert_string_equal(buf_str(&client.log), "data 9 hi fin\n");
    side_free(&client);
}

/* A header of 100,000 bytes, packed into 150. */
static void test_bomb(void **state)
{
    (void)state;
    static const unsigned char frame[] = {
        0x80, 0x03, 0x00, 0x02, 0x00, 0x00, 0x00, 0x8f, 0x00, 0x00, 0x00, 0x01, 0x78, 0xf9, 0xe3, 0xc6, 0xa7,
        0xc2, 0xec, 0xd2, 0x41, 0x11, 0x00, 0x30, 0x08, 0xc0, 0x30, 0x90, 0x8a, 0x0b, 0x14, 0x4c, 0xc7, 0xa4,
        0x8e, 0xb9, 0xe0, 0x91, 0xdc, 0xd5, 0x41, 0xe7, 0xa3, 0xfc, 0x55, 0xe4, 0xb9, 0x0d, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xac, 0xf5, 0x00, 0x00, 0x00, 0xff, 0xff,
    };
    expect_bad(frame, sizeof frame, "headers of more than");
}

/* Any byte of a good session may be any other: never more than an error. */
static void test_flipped_bytes(void **state)
{
    (void)state;
    struct side client;
    struct spdy_header headers[] = {{"streamtype", "error"}, {"port", "8000"}};
    side_init(&client, false);
    spdy_open(client.spdy, headers, 2, true);
    spdy_ping(client.spdy, 1);
    spdy_send(client.spdy, 1, "hello", 5, true);
    for (size_t i = 0; i < client.out.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct side server;
            char changed[512];
            assert_true(client.out.len <= sizeof changed);
            memcpy(changed, client.out.data, client.out.len);
            changed[i] = (char)((unsigned char)changed[i] ^ (1U << bit));
            side_init(&server, true);
            enum status status = spdy_receive(server.spdy, changed, client.out.len, NULL);
            assert_true(status == STATUS_OK || status == STATUS_BAD_INPUT);
            side_free(&server);
        }
    }
    side_free(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversation),   cmocka_unit_test(test_shared_state),
        cmocka_unit_test(test_big_data),       cmocka_unit_test(test_other_implementation),
        cmocka_unit_test(test_client_refuses), cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_ignored),        cmocka_unit_test(test_bomb),
        cmocka_unit_test(test_flipped_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
