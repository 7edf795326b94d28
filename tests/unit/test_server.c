/* The misbehaving server, asked over plain sockets: what it sends is looked at byte by byte. */
#include "base/buf.h"
#include "base/clock.h"
#include "sim/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DEADLINE_MS = 5000, REPLY_MAX = 1 << 20 };

struct stage {
    uv_loop_t loop;
    struct server *server;
    struct answer answer; /* given to every request */
    int asked;
    char path[64];
};

static void stage_answer(void *user, const char *path, const char *request, struct answer *answer)
{
    struct stage *stage = user;
    assert_non_null(strstr(request, "\r\n\r\n"));
    stage->asked++;
    strncpy(stage->path, path, sizeof stage->path - 1);
    *answer = stage->answer;
}

static int stage_setup(void **state)
{
    static struct stage stage;
    memset(&stage, 0, sizeof stage);
    stage.answer = (struct answer){.status = 200, .headers = "X-Who: me\r\n", .body = "hello", .body_length = 5};
    if (uv_loop_init(&stage.loop) != 0 ||
        server_new(&stage.loop, stage_answer, &stage, &stage.server, NULL) != STATUS_OK)
        return -1;
    *state = &stage;
    return 0;
}

static int stage_teardown(void **state)
{
    struct stage *stage = *state;
    server_free(stage->server);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    return uv_loop_close(&stage->loop);
}

/* A blocking connect: the kernel's backlog answers without the loop. errno on failure, 0 otherwise. */
static int dial(const struct stage *stage, int *fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server_port(stage->server))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(*fd >= 0);
    return connect(*fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
}

/* Runs the loop and reads until EOF, an error or `enough` bytes. Returns 0 at EOF, an errno, or -1 when enough came or the deadline passed. */
static int reply_read(struct stage *stage, int fd, struct buf *reply, size_t enough, int deadline_ms)
{
    int64_t until = clock_mono_us() + deadline_ms * (int64_t)MILLISECOND_US;
    while (clock_mono_us() < until && reply->len < enough) {
        char bytes[4096];
        uv_run(&stage->loop, UV_RUN_NOWAIT);
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, 5) <= 0)
            continue;
        ssize_t count = read(fd, bytes, sizeof bytes);
        if (count < 0)
            return errno;
        if (count == 0)
            return 0;
        buf_append(reply, bytes, (size_t)count);
    }
    return -1;
}

static int ask(struct stage *stage, struct buf *reply, size_t enough, int deadline_ms)
{
    static const char request[] = "GET /v1/models?a=b HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd;
    buf_init(reply, REPLY_MAX);
    assert_int_equal(dial(stage, &fd), 0);
    assert_int_equal(write(fd, request, sizeof request - 1), sizeof request - 1);
    int end = reply_read(stage, fd, reply, enough, deadline_ms);
    close(fd);
    return end;
}

static void test_bound_port_refuses_until_it_listens(void **state)
{
    struct stage *stage = *state;
    int fd;
    struct buf reply;
    for (int round = 0; round < 3; round++) {
        assert_int_equal(dial(stage, &fd), ECONNREFUSED);
        close(fd);
        assert_int_equal(server_listen(stage->server), STATUS_OK);
        assert_int_equal(server_listen(stage->server), STATUS_OK); /* again: nothing */
        assert_int_equal(ask(stage, &reply, REPLY_MAX, DEADLINE_MS), 0);
        assert_non_null(strstr(buf_str(&reply), "hello"));
        buf_free(&reply);
        server_mute(stage->server, true);
    }
    assert_int_equal(stage->asked, 3);
}

static void test_answer(void **state)
{
    struct stage *stage = *state;
    struct buf reply;
    server_listen(stage->server);
    assert_int_equal(ask(stage, &reply, REPLY_MAX, DEADLINE_MS), 0);
    assert_string_equal(buf_str(&reply),
                        "HTTP/1.1 200 OK\r\nX-Who: me\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
    assert_string_equal(stage->path, "/v1/models?a=b");
    buf_free(&reply);
}

static void test_delay(void **state)
{
    struct stage *stage = *state;
    struct buf reply;
    int64_t began = clock_mono_us();
    server_listen(stage->server);
    stage->answer.delay_us = 60000;
    assert_int_equal(ask(stage, &reply, REPLY_MAX, DEADLINE_MS), 0);
    assert_true(clock_mono_us() - began >= 55000);
    assert_int_equal(stage->asked, 1);
    buf_free(&reply);
}

/* How each manner ends (0 EOF, an errno, -1 not at all) and what is in what came. */
static void test_manners(void **state)
{
    static const struct {
        enum manner manner;
        int end;
        const char *has;
        const char *has_not;
    } rows[] = {
        {MANNER_RESET, ECONNRESET, "", "HTTP"},
        {MANNER_CLOSE, 0, "", "HTTP"},
        {MANNER_HANG, -1, "", "HTTP"},
        {MANNER_DRIP, -1, "HT", "hello"},
        {MANNER_SHORT_BODY, 0, "Content-Length: 11\r\n", "Length: 5\r"},
        {MANNER_LONG_LENGTH, 0, "Content-Length: 1099511627776\r\n", "hellohello"},
        {MANNER_ENDLESS_BODY, -1, "hellohellohello", "Content-Length"},
        {MANNER_ENDLESS_HEADERS, -1, "X-More: and more\r\nX-More: and more\r\n", "\r\n\r\n"},
        {MANNER_ENDLESS_HEADER, -1, "X-More: endless endless", "\r\nendless"},
        {MANNER_ENDLESS_CONTINUE, -1, "100 Continue\r\n\r\nHTTP/1.1 100 Continue", "200"},
        {MANNER_GARBAGE, 0, "\x1b]0;owned", "HTTP/"},
        {MANNER_HALF, -1, "\r\n\r\nhe", "hell"},
    };
    struct stage *stage = *state;
    server_listen(stage->server);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf reply;
        stage->answer.manner = rows[i].manner;
        int end = ask(stage, &reply, REPLY_MAX - 8192,
                      rows[i].end == -1 && rows[i].manner != MANNER_ENDLESS_BODY ? 400 : DEADLINE_MS);
        if (end != rows[i].end || !strstr(buf_str(&reply), rows[i].has) || strstr(buf_str(&reply), rows[i].has_not))
            fail_msg("manner %d ended %d with \"%.200s\"", rows[i].manner, end, buf_str(&reply));
        buf_free(&reply);
    }
}

/* A TLS greeting is no request: answered as a plain server does, without asking anybody. */
static void test_no_http(void **state)
{
    static const char hello[] = "\x16\x03\x01\x02\x00\x01";
    struct stage *stage = *state;
    struct buf reply;
    int fd;
    server_listen(stage->server);
    buf_init(&reply, REPLY_MAX);
    assert_int_equal(dial(stage, &fd), 0);
    assert_int_equal(write(fd, hello, sizeof hello - 1), sizeof hello - 1);
    assert_int_equal(reply_read(stage, fd, &reply, REPLY_MAX, DEADLINE_MS), 0);
    close(fd);
    assert_non_null(strstr(buf_str(&reply), "HTTP/1.1 400 "));
    assert_int_equal(stage->asked, 0);
    buf_free(&reply);
}

/* Muting gently lets the answer under way finish; the port is refused meanwhile. */
static void test_mute_gently(void **state)
{
    static const char request[] = "GET / HTTP/1.1\r\n\r\n";
    struct stage *stage = *state;
    struct buf reply;
    int fd, other;
    server_listen(stage->server);
    stage->answer.delay_us = 50000;
    assert_int_equal(dial(stage, &fd), 0);
    assert_int_equal(write(fd, request, sizeof request - 1), sizeof request - 1);
    int64_t until = clock_mono_us() + DEADLINE_MS * (int64_t)MILLISECOND_US;
    while (stage->asked == 0 && clock_mono_us() < until)
        uv_run(&stage->loop, UV_RUN_ONCE);
    server_mute(stage->server, false);
    assert_int_equal(dial(stage, &other), ECONNREFUSED);
    close(other);
    buf_init(&reply, REPLY_MAX);
    assert_int_equal(reply_read(stage, fd, &reply, REPLY_MAX, DEADLINE_MS), 0);
    assert_non_null(strstr(buf_str(&reply), "hello"));
    close(fd);
    buf_free(&reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bound_port_refuses_until_it_listens, stage_setup, stage_teardown),
        cmocka_unit_test_setup_teardown(test_answer, stage_setup, stage_teardown),
        cmocka_unit_test_setup_teardown(test_delay, stage_setup, stage_teardown),
        cmocka_unit_test_setup_teardown(test_manners, stage_setup, stage_teardown),
        cmocka_unit_test_setup_teardown(test_no_http, stage_setup, stage_teardown),
        cmocka_unit_test_setup_teardown(test_mute_gently, stage_setup, stage_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
