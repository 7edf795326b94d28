/* core/tunnel/websocket.c: the examples of RFC 6455, both sides against each other in pieces of any size, and peers that break the rules. */
#include "base/mem.h"
#include "tunnel/websocket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 1 << 20 };

struct side {
    struct websocket *websocket;
    struct buf payload, out;
};

static void side_init(struct side *side, bool is_server)
{
    side->websocket = websocket_new(is_server, 42);
    buf_init(&side->payload, ROOM);
    buf_init(&side->out, ROOM);
}

static void side_free(struct side *side)
{
    websocket_free(side->websocket);
    buf_free(&side->payload);
    buf_free(&side->out);
}

static enum status take(struct side *side, const void *bytes, size_t length, struct problem *problem)
{
    return websocket_receive(side->websocket, bytes, length, &side->payload, &side->out, problem);
}

/* RFC 6455 1.3 and 4.2.2, and one whose digest was worked out with another program. */
static void test_accept_key(void **state)
{
    (void)state;
    char accept[29];
    websocket_accept_key("dGhlIHNhbXBsZSBub25jZQ==", accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    websocket_accept_key("x3JJHMbDL1EzLkh9GBhXDw==", accept);
    assert_string_equal(accept, "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
    websocket_accept_key("", accept);
    assert_string_equal(accept, "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w=");
}

/* RFC 6455 5.7, with binary in the place of text. */
static void test_rfc_frames(void **state)
{
    (void)state;
    struct side client, server;
    side_init(&client, false);
    side_init(&server, true);
    assert_int_equal(take(&client, "\x82\x05Hello", 7, NULL), STATUS_OK);
    assert_int_equal(take(&client, "\x02\x03Hel\x80\x02lo", 9, NULL), STATUS_OK);
    assert_string_equal(buf_str(&client.payload), "HelloHello");
    assert_int_equal(take(&server, "\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11, NULL), STATUS_OK);
    assert_string_equal(buf_str(&server.payload), "Hello");
    /* a ping between two fragments is answered with its own bytes */
    assert_int_equal(take(&client, "\x02\x01X\x89\x05Hello\x80\x01Y", 13, NULL), STATUS_OK);
    assert_string_equal(buf_str(&client.payload), "HelloHelloXY");
    assert_int_equal(client.out.len, 2 + 4 + 5);
    assert_int_equal((unsigned char)client.out.data[0], 0x8a);
    assert_int_equal((unsigned char)client.out.data[1], 0x85);
    assert_int_equal(take(&server, client.out.data, client.out.len, NULL), STATUS_OK);
    side_free(&client);
    side_free(&server);
}

static void exchange(struct side *from, struct side *to, size_t size, uint32_t seed)
{
    char *bytes = mem_new(size + 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 7 + seed);
    buf_clear(&from->out);
    buf_clear(&to->payload);
    websocket_send(from->websocket, bytes, size, &from->out);
    websocket_send(from->websocket, "end", 3, &from->out);
    for (size_t at = 0, piece; at < from->out.len; at += piece) {
        seed = seed * 1103515245U + 12345U;
        piece = 1 + (seed >> 16) % (size > 1000 ? 5000 : 9);
        piece = piece < from->out.len - at ? piece : from->out.len - at;
        assert_int_equal(take(to, from->out.data + at, piece, NULL), STATUS_OK);
    }
    assert_int_equal(to->payload.len, size + 3);
    assert_memory_equal(to->payload.data, bytes, size);
    assert_memory_equal(to->payload.data + size, "end", 3);
    mem_free(bytes);
}

static void test_both_sides(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 5, 125, 126, 127, 300, 65535, 65536, 200000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (uint32_t seed = 1; seed <= 20; seed++) {
            struct side client, server;
            side_init(&client, false);
            side_init(&server, true);
            exchange(&client, &server, sizes[i], seed);
            exchange(&server, &client, sizes[i], seed);
            side_free(&client);
            side_free(&server);
        }
    }
}

/* Two frames of a client do not look the same: each has a mask of its own. */
static void test_masks_differ(void **state)
{
    (void)state;
    struct side client;
    side_init(&client, false);
    websocket_send(client.websocket, "same", 4, &client.out);
    websocket_send(client.websocket, "same", 4, &client.out);
    assert_int_equal(client.out.len, 20);
    assert_memory_not_equal(client.out.data, client.out.data + 10, 10);
    side_free(&client);
}

static void test_close(void **state)
{
    (void)state;
    struct side client, server;
    struct problem problem = {0};
    side_init(&client, false);
    side_init(&server, true);
    assert_int_equal(take(&client, "\x88\x09\x03\xf3gone\x1b[1", 11, &problem), STATUS_END);
    assert_non_null(strstr(problem.text, "1011"));
    assert_non_null(strstr(problem.text, "gone\\x1b"));
    assert_int_equal(client.out.len, 2 + 4 + 2);
    assert_int_equal(take(&client, "\x82\x01x", 3, NULL), STATUS_END);
    assert_int_equal(client.payload.len, 0);
    websocket_close(client.websocket, 1000, &client.out); /* once only */
    assert_int_equal(client.out.len, 2 + 4 + 2);
    assert_int_equal(take(&server, client.out.data, client.out.len, &problem), STATUS_END);
    assert_non_null(strstr(problem.text, "1011"));
    side_free(&client);
    side_free(&server);
}

static void test_hostile(void **state)
{
    (void)state;
    static const struct {
        bool is_server;
        const char *words;
        size_t length;
        const char *bytes;
    } rows[] = {
        {false, "reserved bits", 2, "\xc2\x01"},
        {false, "a text frame", 2, "\x81\x01"},
        {false, "unknown kind", 2, "\x83\x00"},
        {false, "unknown kind", 2, "\x8b\x00"},
        {false, "is masked", 6, "\x82\x81\x01\x02\x03\x04"},
        {true, "not masked", 2, "\x82\x01"},
        {false, "a control frame", 4, "\x89\x7e\x01\x00"},
        {false, "a control frame", 2, "\x09\x01"},
        {false, "a continuation of nothing", 2, "\x80\x01"},
        {false, "within a message", 5, "\x02\x01x\x02\x01"},
        {false, "more than 63 bits", 10, "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct side side;
        struct problem problem = {0};
        enum status status = STATUS_OK;
        side_init(&side, rows[i].is_server);
        for (size_t at = 0; at < rows[i].length && status == STATUS_OK; at++)
            status = take(&side, rows[i].bytes + at, 1, &problem);
        assert_int_equal(status, STATUS_BAD_INPUT);
        if (strstr(problem.text, rows[i].words) == NULL)
            fail_msg("'%s' does not say '%s'", problem.text, rows[i].words);
        side_free(&side);
    }
}

/* A frame may say that it is huge; what comes of it is handed on, and no more than the reader has room for. */
static void test_huge(void **state)
{
    (void)state;
    struct side client;
    struct problem problem = {0};
    side_init(&client, false);
    client.payload.max = 8;
    assert_int_equal(take(&client, "\x82\x7f\0\0\0\xff\0\0\0\0abcd", 14, NULL), STATUS_OK);
    assert_string_equal(buf_str(&client.payload), "abcd");
    assert_int_equal(take(&client, "efghi", 5, &problem), STATUS_BAD_INPUT);
    assert_non_null(strstr(problem.text, "more payload"));
    side_free(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept_key), cmocka_unit_test(test_rfc_frames),   cmocka_unit_test(test_both_sides),
        cmocka_unit_test(test_hostile),    cmocka_unit_test(test_masks_differ), cmocka_unit_test(test_close),
        cmocka_unit_test(test_huge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
