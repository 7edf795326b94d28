/* core/tunnel/upgrade.c: what is asked, and what whole, half and hostile answers mean. */
#include "tunnel/upgrade.h"
#include "tunnel/websocket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char KEY[] = "dGhlIHNhbXBsZSBub25jZQ==";

static void test_request(void **state)
{
    (void)state;
    for (int post = 0; post < 2; post++) {
        struct buf out;
        buf_init(&out, 4096);
        upgrade_request(&out, "ns", "web-0", post == 1, KEY);
        const char *text = buf_str(&out),
                   *begin = post ? "POST /api/v1/namespaces/ns/pods/web-0/portforward HTTP/1.1\r\n"
                                 : "GET /api/v1/namespaces/ns/pods/web-0/portforward HTTP/1.1\r\n";
        assert_int_equal(strncmp(text, begin, strlen(begin)), 0);
        assert_non_null(strstr(text, "\r\nHost: localhost\r\n"));
        assert_non_null(strstr(text, "\r\nConnection: Upgrade\r\n"));
        assert_non_null(strstr(text, post ? "\r\nUpgrade: SPDY/3.1\r\n" : "\r\nUpgrade: websocket\r\n"));
        assert_non_null(strstr(text, post ? "\r\nX-Stream-Protocol-Version: portforward.k8s.io\r\n"
                                          : "\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
        assert_string_equal(text + out.len - 4, "\r\n\r\n");
        buf_free(&out);
    }
}

#define SWITCH "HTTP/1.1 101 Switching Protocols\r\n"
#define ACCEPT "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define PROTOCOL "Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n"
#define STATUS(code, reason, message)                                                                                  \
    "HTTP/1.1 " code " X\r\nContent-Length: 1\r\n\r\n{\"kind\":\"Status\",\"message\":\"" message                      \
    "\",\"reason\":\"" reason "\"}"

static void test_answers(void **state)
{
    static const struct {
        const char *answer;
        bool ended, post;
        enum upgrade_state state;
        enum tunnel_word word;
        bool proxys_own;
        const char *text; /* in the refusal, or what follows the upgrade */
    } rows[] = {
        {"", false, false, UPGRADE_UNDER_WAY, 0, false, ""},
        {"", true, false, UPGRADE_CUT, 0, false, ""},
        {"HTTP/1.1 101 Switch", false, false, UPGRADE_UNDER_WAY, 0, false, ""},
        {"HTTP/1.1 101 Switch", true, false, UPGRADE_CUT, 0, false, ""},
        {SWITCH ACCEPT PROTOCOL "\r\nrest", false, false, UPGRADE_ACCEPTED, 0, false, "rest"},
        {SWITCH ACCEPT PROTOCOL "\r\n", true, false, UPGRADE_ACCEPTED, 0, false, ""},
        {SWITCH "\r\nrest", false, true, UPGRADE_ACCEPTED, 0, false, "rest"},
        {SWITCH ACCEPT "\r\n", false, false, UPGRADE_REFUSED, TUNNEL_BACKOFF, false, "accepted wrongly"},
        {SWITCH PROTOCOL "\r\n", false, false, UPGRADE_REFUSED, TUNNEL_BACKOFF, false, "accepted wrongly"},
        {SWITCH "x: " ACCEPT PROTOCOL "\r\n", false, false, UPGRADE_REFUSED, TUNNEL_BACKOFF, false, "accepted wrongly"},
        /* refusals, as far as they have come */
        {"HTTP/1.1 400 X\r\nContent-Length: 3\r\n\r\nol", false, false, UPGRADE_UNDER_WAY, 0, false, ""},
        {"HTTP/1.1 400 X\r\nContent-Length: 3\r\n\r\nold", false, false, UPGRADE_REFUSED, TUNNEL_BACKOFF, false,
         "HTTP 400 old"},
        {"HTTP/1.1 400 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nold\r\n", false, false, UPGRADE_UNDER_WAY, 0, false,
         ""},
        {"HTTP/1.1 400 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, false, UPGRADE_REFUSED, TUNNEL_BACKOFF,
         false, "HTTP 400"},
        {"HTTP/1.1 400 X\r\n\r\nold", false, false, UPGRADE_UNDER_WAY, 0, false, ""},
        {"HTTP/1.1 400 X\r\n\r\nold", true, false, UPGRADE_REFUSED, TUNNEL_BACKOFF, false, "HTTP 400 old"},
        {"HTTP/1.1 400 X\r\nContent-Length: -1\r\n\r\nold", true, false, UPGRADE_REFUSED, TUNNEL_BACKOFF, false, "old"},
        {"gar\x1b[2Jbage\r\n\r\n", true, false, UPGRADE_REFUSED, TUNNEL_BACKOFF, false, "HTTP 0"},
        {"\r\n\r\n", true, false, UPGRADE_REFUSED, TUNNEL_BACKOFF, false, "HTTP 0"},
        /* what they mean */
        {STATUS("401", "Unauthorized", "Unauthorized"), false, false, UPGRADE_REFUSED, TUNNEL_FORBIDDEN, false,
         "Unauthorized"},
        {STATUS("403", "Forbidden", "cannot get"), false, false, UPGRADE_REFUSED, TUNNEL_FORBIDDEN, false,
         "cannot get"},
        {"HTTP/1.1 403 X\r\nContent-Length: 9\r\n\r\nForbidden", false, false, UPGRADE_REFUSED, TUNNEL_FORBIDDEN, true,
         "HTTP 403 Forbidden"},
        {STATUS("404", "NotFound", "pods not found"), false, false, UPGRADE_REFUSED, TUNNEL_POD_GONE, false,
         "pods not found"},
        {STATUS("404", "", "no such path"), false, false, UPGRADE_REFUSED, TUNNEL_BACKOFF, false, "no such path"},
        {STATUS("500", "", "container not running: no such container"), false, false, UPGRADE_REFUSED, TUNNEL_POD_GONE,
         false, "no such container"},
        {STATUS("500", "", "error dialing backend: dial tcp 10.0.0.7:10250: i/o timeout"), false, false,
         UPGRADE_REFUSED, TUNNEL_NODE_LOST, false, "i/o timeout"},
        {"HTTP/1.1 500 X\r\n\r\ndial tcp 127.0.0.1:6443: connect: connection refused", true, false, UPGRADE_REFUSED,
         TUNNEL_API_LOST, false, "dial tcp"},
        {"HTTP/1.1 504 X\r\nContent-Length: 0\r\n\r\n", false, false, UPGRADE_REFUSED, TUNNEL_API_LOST, false,
         "HTTP 504"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf answer;
        struct upgrade_answer out;
        buf_init(&answer, UPGRADE_ANSWER_MAX);
        buf_puts(&answer, rows[i].answer);
        upgrade_read(&answer, rows[i].ended, rows[i].post, KEY, &out);
        const char *text = out.state == UPGRADE_ACCEPTED ? answer.data + out.rest : out.text.text;
        bool right = out.state == rows[i].state && strstr(text, rows[i].text) != NULL;
        if (out.state == UPGRADE_REFUSED)
            right = right && out.word == rows[i].word && out.proxys_own == rows[i].proxys_own;
        if (!right)
            fail_msg("row %zu: state %d, %s, '%s'", i, (int)out.state, tunnel_word_name(out.word), text);
        buf_free(&answer);
    }
}

/* An answer without end is refused where it stops being understood. */
static void test_endless(void **state)
{
    (void)state;
    for (int headers = 0; headers < 2; headers++) {
        struct buf answer;
        struct upgrade_answer out;
        buf_init(&answer, UPGRADE_ANSWER_MAX);
        buf_puts(&answer, headers ? "HTTP/1.1 500 X\r\n" : "HTTP/1.1 500 X\r\nContent-Length: 99999999\r\n\r\n");
        while (buf_puts(&answer, "x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n")) {
        }
        upgrade_read(&answer, false, false, KEY, &out);
        assert_int_equal(out.state, headers ? UPGRADE_CUT : UPGRADE_REFUSED);
        buf_free(&answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_endless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
