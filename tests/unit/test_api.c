/* What kubectl proxy and the API server behind it say, and how streams of lines begin, go on and end (facts/kube.md 3.2). */
#include "base/clock.h"
#include "base/mem.h"
#include "kube/api.h"
#include "probe/stream.h"
#include "tests/support/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEADLINE_MS = 10000, BODY_MAX = 100000 };

#define STATUS(code, message)                                                                                          \
    "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"" message "\",\"code\":" #code "}"

struct stage {
    uv_loop_t loop;
    struct http *http;
    struct api *api;
    struct script script;
    char dir[64], path[96];
    /* what the server does */
    int status;
    const char *raw, *body, *pieces[8];
    bool closes, hangs;
    struct script_connection *asking;
    /* what was told */
    int ended, opened, lines;
    enum api_end end;
    enum http_error error;
    char words[1200];
    struct buf told; /* bodies; lines, each followed by '|' */
    size_t longest;
    uint64_t ticket;
    int act; /* what the first line's callback does */
    bool api_gone;
};
enum { ACT_NOT, ACT_CANCEL, ACT_FREE, ACT_ANOTHER };

static void on_asked(void *user, struct script_connection *connection, const char *target)
{
    struct stage *stage = user;
    (void)target;
    stage->asking = connection;
    if (stage->raw) {
        script_puts(connection, stage->raw);
    } else if (stage->pieces[0]) {
        script_begin(connection, stage->status);
        for (size_t i = 0; stage->pieces[i]; i++)
            script_piece(connection, stage->pieces[i]);
        if (!stage->hangs && !stage->closes)
            script_end(connection);
    } else if (!stage->hangs) {
        script_answer(connection, stage->status, stage->body);
    }
    if (stage->closes)
        script_close(connection);
}

static void keep_end(struct stage *stage, enum api_end end, const char *words)
{
    stage->ended++;
    stage->end = end;
    snprintf(stage->words, sizeof stage->words, "%s", words);
}

static void on_answer(void *user, enum api_end end, const char *words, const char *body, size_t length)
{
    struct stage *stage = user;
    assert_true(end == API_OK || length == 0);
    keep_end(stage, end, words);
    buf_append(&stage->told, body, length);
}

static void on_end(void *user, enum api_end end, const char *words)
{
    keep_end(user, end, words);
}

static void on_open(void *user)
{
    struct stage *stage = user;
    assert_int_equal(stage->lines, 0);
    stage->opened++;
}

static void on_line(void *user, const char *line, size_t length)
{
    struct stage *stage = user;
    stage->lines++;
    stage->longest = length > stage->longest ? length : stage->longest;
    buf_append(&stage->told, line, length < 100 ? length : 100);
    buf_putc(&stage->told, '|');
    if (stage->lines > 1)
        return;
    if (stage->act == ACT_CANCEL) {
        api_cancel(stage->api, stage->ticket);
    } else if (stage->act == ACT_FREE) {
        api_free(stage->api);
        stage->api_gone = true;
    } else if (stage->act == ACT_ANOTHER) {
        api_get(stage->api, "/another", BODY_MAX, on_answer, stage);
    }
}

static int setup(void **state)
{
    struct stage *stage = mem_new(sizeof *stage);
    buf_init(&stage->told, BODY_MAX);
    snprintf(stage->dir, sizeof stage->dir, "/tmp/test_api.XXXXXX");
    if (!mkdtemp(stage->dir) || uv_loop_init(&stage->loop) != 0)
        return -1;
    snprintf(stage->path, sizeof stage->path, "%s/k.sock", stage->dir);
    stage->http = http_new(&stage->loop, "kube-probe/1.34");
    stage->api = api_new(stage->http, stage->path);
    *state = stage;
    return script_listen(&stage->script, &stage->loop, stage->path, on_asked, stage) ? 0 : -1;
}

static int teardown(void **state)
{
    struct stage *stage = *state;
    if (!stage->api_gone)
        api_free(stage->api);
    http_free(stage->http);
    script_stop(&stage->script);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    int left = uv_loop_close(&stage->loop);
    rmdir(stage->dir);
    buf_free(&stage->told);
    mem_free(stage);
    return left;
}

/* Runs the loop until `*count` is `wanted`. */
static void wait_for(struct stage *stage, const int *count, int wanted)
{
    int64_t until = clock_mono_us() + DEADLINE_MS * (int64_t)MILLISECOND_US;
    while (*count < wanted && clock_mono_us() < until) {
        uv_run(&stage->loop, UV_RUN_NOWAIT);
        usleep(200);
    }
    assert_int_equal(*count, wanted);
}

/* Whatever is still to come has had time to. */
static void settle(struct stage *stage)
{
    for (int i = 0; i < 50; i++) {
        uv_run(&stage->loop, UV_RUN_NOWAIT);
        usleep(200);
    }
}

static void get(struct stage *stage)
{
    stage->ended = 0;
    buf_clear(&stage->told);
    stage->ticket = api_get(stage->api, "/api/v1/namespaces/x/pods?limit=1", BODY_MAX, on_answer, stage);
    assert_int_not_equal(stage->ticket, 0);
    assert_int_equal(stage->ended, 0);
    wait_for(stage, &stage->ended, 1);
}

static void stream(struct stage *stage, int idle_seconds)
{
    stage->ticket = api_stream(stage->api, "/watch", idle_seconds, on_line, on_end, stage);
    api_on_open(stage->api, stage->ticket, on_open);
}

static void test_answers(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum api_end end;
        const char *words; /* in what is said */
    } rows[] = {
        {200, "{\"items\":[]}", API_OK, ""},
        {200, "", API_OK, ""},
        {401, STATUS(401, "Unauthorized"), API_UNAUTHORIZED, "Unauthorized"},
        {401, "go away", API_UNAUTHORIZED, "HTTP 401: go away"},
        {403, STATUS(403, "pods is forbidden: User \\\"viewer\\\" cannot list resource \\\"pods\\\""), API_FORBIDDEN,
         "User \"viewer\" cannot list"},
        {403, "Forbidden\n", API_BAD, "kubectl proxy's own filters"},
        {403, "", API_BAD, "kubectl proxy's own filters"},
        {404, STATUS(404, "pods \\\"x\\\" not found"), API_NOT_FOUND, "pods \"x\" not found"},
        {404, "404 page not found\n", API_NOT_FOUND, "404 page not found"},
        {410, STATUS(410, "The provided continue parameter is too old"), API_GONE, "too old"},
        {500, "dial tcp 127.0.0.1:7443: connect: connection refused\n", API_UNREACHABLE,
         "dial tcp 127.0.0.1:7443: connect: connection refused"},
        {500, "net/http: TLS handshake timeout\n", API_UNREACHABLE, "TLS handshake timeout"},
        {500, "getting credentials: exec: executable aws not found\n", API_UNAUTHORIZED, "executable aws not found"},
        /* Here it is the kubelet that the API server cannot reach. */
        {500, STATUS(500, "dial tcp 10.0.0.1:10250: connect: connection refused"), API_BAD, "dial tcp 10.0.0.1:10250"},
        {502, "<html>Bad Gateway</html>", API_UNREACHABLE, "HTTP 502: <html>Bad Gateway"},
        {503, "", API_UNREACHABLE, "HTTP 503"},
        {504, "upstream", API_UNREACHABLE, "upstream"},
        {429, STATUS(429, "slow down"), API_BAD, "slow down"},
        {429, "slow down", API_BAD, "HTTP 429: slow down"},
        {400, STATUS(400, "container is waiting to start"), API_INVALID, "waiting to start"},
        {302, "", API_BAD, "HTTP 302"},
        {500, "{\"kind\":\"Pod\"}", API_UNREACHABLE, "HTTP 500"},
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        stage->status = rows[i].status;
        stage->body = rows[i].body;
        get(stage);
        if (stage->end != rows[i].end || !strstr(stage->words, rows[i].words))
            fail_msg("row %zu (HTTP %d %s): end %d, words \"%s\"", i, rows[i].status, rows[i].body, (int)stage->end,
                     stage->words);
        assert_string_equal(buf_str(&stage->told), rows[i].end == API_OK ? rows[i].body : "");
        assert_true(stage->end == API_OK ? stage->words[0] == '\0' : stage->words[0] != '\0');
    }
    assert_int_equal(api_requests(stage->api), sizeof rows / sizeof rows[0]);
    assert_int_equal(stage->script.accepted, 1); /* one connection for all */
}

static void test_request_head(void **state)
{
    struct stage *stage = *state;
    stage->status = 200;
    stage->body = "x";
    get(stage);
    const char *begin = "GET /api/v1/namespaces/x/pods?limit=1 HTTP/1.1\r\nHost: localhost\r\n";
    assert_memory_equal(stage->script.last, begin, strlen(begin));
    assert_non_null(strstr(stage->script.last, "User-Agent: probetop/"));
    assert_null(strstr(stage->script.last, "Connection: close"));
}

static void test_broken_answers(void **state)
{
    static const struct {
        const char *raw;
        enum api_end end;
    } rows[] = {
        {"", API_UNREACHABLE},
        {"HTTP/1.1 200 OK\r\nContent-Le", API_UNREACHABLE},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", API_CUT},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", API_CUT},
        {"HTTP/1.1 403 No\r\nContent-Length: 900\r\n\r\n", API_BAD},
        {"nonsense\r\n\r\n", API_BAD},
    };
    struct stage *stage = *state;
    stage->closes = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        stage->raw = rows[i].raw;
        get(stage);
        if (stage->end != rows[i].end)
            fail_msg("row %zu: end %d, words \"%s\"", i, (int)stage->end, stage->words);
        assert_int_not_equal(stage->words[0], '\0');
    }
}

static void test_no_proxy(void **state)
{
    struct stage *stage = *state;
    unlink(stage->path);
    get(stage);
    assert_int_equal(stage->end, API_UNREACHABLE);
}

static void test_body_too_long(void **state)
{
    struct stage *stage = *state;
    char *body = mem_new(BODY_MAX + 2);
    memset(body, 'x', BODY_MAX);
    stage->status = 200;
    stage->body = body;
    get(stage);
    assert_int_equal(stage->end, API_OK);
    assert_int_equal(stage->told.len, BODY_MAX);
    body[BODY_MAX] = 'x';
    get(stage);
    assert_int_equal(stage->end, API_BAD);
    assert_non_null(strstr(stage->words, "more than 100000 bytes"));
    stage->ended = 0;
    api_get(stage->api, "/small", 10, on_answer, stage);
    wait_for(stage, &stage->ended, 1);
    assert_int_equal(stage->end, API_BAD);
    mem_free(body);
}

static void test_lines(void **state)
{
    struct stage *stage = *state;
    stage->status = 200;
    stage->pieces[0] = "one\ntw";
    stage->pieces[1] = "o";
    stage->pieces[2] = "\n\nfour\nfi";
    stage->pieces[3] = "ve";
    stream(stage, 10);
    wait_for(stage, &stage->ended, 1);
    assert_int_equal(stage->end, API_OK);
    assert_string_equal(buf_str(&stage->told), "one|two||four|five|");
    assert_int_equal(stage->opened, 1);
}

static void test_open_without_lines(void **state)
{
    struct stage *stage = *state;
    stage->raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream(stage, 10);
    wait_for(stage, &stage->opened, 1);
    settle(stage);
    assert_int_equal(stage->lines + stage->ended, 0);
    script_piece(stage->asking, "late\n");
    wait_for(stage, &stage->lines, 1);
    script_close(stage->asking); /* the API server has died */
    wait_for(stage, &stage->ended, 1);
    assert_int_equal(stage->end, API_CUT);
    assert_string_equal(buf_str(&stage->told), "late|");
}

static void test_refused_stream(void **state)
{
    struct stage *stage = *state;
    stage->status = 403;
    stage->body = STATUS(403, "cannot watch") "\n";
    stream(stage, 10);
    wait_for(stage, &stage->ended, 1);
    assert_int_equal(stage->end, API_FORBIDDEN);
    assert_string_equal(stage->words, "cannot watch");
    assert_int_equal(stage->lines + stage->opened, 0);
}

static void test_idle(void **state)
{
    struct stage *stage = *state;
    stage->status = 200;
    stage->hangs = true;
    stage->pieces[0] = "one\nnot whole";
    int64_t begun = clock_mono_us();
    stream(stage, 1);
    wait_for(stage, &stage->ended, 1);
    assert_int_equal(stage->end, API_CUT);
    assert_string_equal(buf_str(&stage->told), "one|");
    assert_in_range(clock_mono_us() - begun, SECOND_US, 3 * SECOND_US);
}

static void test_long_line(void **state)
{
    enum { MEGABYTE = 1 << 20 };
    struct stage *stage = *state;
    char *megabyte = mem_new(MEGABYTE + 1);
    memset(megabyte, 'x', MEGABYTE);
    stage->status = 200;
    for (int i = 0; i < 5; i++)
        stage->pieces[i] = megabyte;
    stage->pieces[5] = "\nshort\n";
    stream(stage, 10);
    wait_for(stage, &stage->ended, 1);
    assert_int_equal(stage->end, API_OK);
    assert_int_equal(stage->lines, 2);
    assert_int_equal(stage->longest, 4 * MEGABYTE);
    assert_non_null(strstr(buf_str(&stage->told), "|short|"));
    mem_free(megabyte);
}

/* Whatever a line's callback does, nothing comes that should not. */
static void test_acts_within(void **state)
{
    struct stage *stage = *state;
    stage->status = 200;
    stage->body = "another";
    for (int act = ACT_CANCEL; act <= ACT_ANOTHER; act++) {
        stage->act = act == ACT_FREE      ? ACT_ANOTHER
                     : act == ACT_ANOTHER ? ACT_FREE
                                          : act; /* the one without return is last */
        stage->lines = stage->ended = 0;
        stage->pieces[0] = "one\ntwo\nthree";
        buf_clear(&stage->told);
        stream(stage, 10);
        if (stage->act == ACT_ANOTHER) {
            wait_for(stage, &stage->ended, 2);
            assert_int_equal(stage->lines, 3);
        } else {
            wait_for(stage, &stage->lines, 1);
            settle(stage);
            assert_int_equal(stage->ended, 0);
            assert_int_equal(stage->lines, 1);
        }
    }
}

static void test_cancel(void **state)
{
    struct stage *stage = *state;
    stage->hangs = true;
    stage->ticket = api_get(stage->api, "/x", BODY_MAX, on_answer, stage);
    api_cancel(stage->api, stage->ticket);
    api_cancel(stage->api, stage->ticket);
    api_cancel(stage->api, 0);
    stage->ticket = api_get(stage->api, "/x", BODY_MAX, on_answer, stage);
    wait_for(stage, &stage->script.asked, 1);
    api_cancel(stage->api, stage->ticket);
    settle(stage);
    assert_int_equal(stage->ended, 0);
    assert_null(stage->script.open); /* the server has seen it go */
}

/* ---- the stream below ---- */

static void on_stream_done(void *user, enum http_error error, int32_t status, const char *words)
{
    struct stage *stage = user;
    stage->ended++;
    stage->error = error;
    stage->status = status;
    snprintf(stage->words, sizeof stage->words, "%s", words);
}

static void on_stream_data(void *user, int32_t status, const char *bytes, size_t length)
{
    struct stage *stage = user;
    assert_int_equal(status, 200);
    buf_append(&stage->told, bytes, length);
}

static void test_no_answer(void **state)
{
    struct stage *stage = *state;
    struct stream_options options = {.unix_path = stage->path,
                                     .target = "/",
                                     .user_agent = "x",
                                     .answer_us = 50 * MILLISECOND_US,
                                     .idle_us = (int64_t)10 * SECOND_US};
    stage->hangs = true;
    stream_start(http_streams(stage->http), &options, on_stream_data, on_stream_done, stage);
    wait_for(stage, &stage->ended, 1);
    assert_int_equal(stage->error, HTTP_TIMEOUT_HEADERS);
    assert_int_equal(stage->status, 0);
    stage->raw = "HTTP/1.1 200 OK\r\n\r\nx"; /* no length: it ends with the connection */
    options.idle_us = 50 * MILLISECOND_US;
    stream_start(http_streams(stage->http), &options, on_stream_data, on_stream_done, stage);
    wait_for(stage, &stage->ended, 2);
    assert_int_equal(stage->error, HTTP_TIMEOUT_BODY);
    assert_int_equal(stage->status, 200);
    assert_string_equal(buf_str(&stage->told), "x");
}

static void test_endless_headers(void **state)
{
    struct stage *stage = *state;
    struct buf raw;
    buf_init(&raw, 1 << 20);
    buf_puts(&raw, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 3000; i++)
        buf_printf(&raw, "X-%d: something to fill a line with\r\n", i);
    stage->raw = buf_str(&raw);
    get(stage);
    assert_int_equal(stage->end, API_BAD);
    assert_non_null(strstr(stage->words, http_error_sentence(HTTP_HEADERS_TOO_BIG)));
    buf_free(&raw);
}

static void test_sentences(void **state)
{
    (void)state;
    for (int end = API_OK; end <= API_BAD; end++)
        assert_string_not_equal(api_end_sentence((enum api_end)end), "other");
    assert_string_equal(api_end_sentence((enum api_end)99), "other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_request_head, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_proxy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_body_too_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_without_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_acts_within, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_endless_headers, setup, teardown),
        cmocka_unit_test(test_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
