/* Servers that misbehave in every way we know of, on real sockets: each has one stated error, outcome and cause, ends in time, and costs bounded memory; nothing that it sends gets past
 * the cleaning. */
#include "base/buf.h"
#include "base/clock.h"
#include "model/fact.h"
#include "probe/classify.h"
#include "probe/http.h"
#include "sim/server.h"
#include "tests/support/raw_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    DEADLINE_MS = 20000,
    SOON_US = 300000, /* the time limit of probes that are to run into it */
    LONG_US = 10000000,
    GROWTH_MAX_KB = 24 * 1024 /* of the whole process, our own servers' buffers included */
};

struct stage {
    uv_loop_t loop;
    struct http *http;
    struct server *server;
    struct answer answer;
    struct raw_server raw;
    struct classify_question question;
    struct sample sample;
    enum http_error error;
    int times, asked;
    char headers[512];
};

static void on_asked(void *user, const char *path, const char *request, struct answer *answer)
{
    struct stage *stage = user;
    (void)path;
    (void)request;
    stage->asked++;
    *answer = stage->answer;
}

static void on_done(void *user, const struct http_result *result)
{
    struct stage *stage = user;
    stage->times++;
    stage->error = result->error;
    classify(&stage->question, result, 1, &stage->sample);
}

static int setup(void **state)
{
    static struct stage stage;
    memset(&stage, 0, sizeof stage);
    sample_init(&stage.sample);
    if (uv_loop_init(&stage.loop) != 0 || server_new(&stage.loop, on_asked, &stage, &stage.server, NULL) != STATUS_OK)
        return -1;
    stage.http = http_new(&stage.loop, "kube-probe/1.34");
    *state = &stage;
    return stage.http ? 0 : -1;
}

static int teardown(void **state)
{
    struct stage *stage = *state;
    http_free(stage->http);
    server_free(stage->server);
    sample_free(&stage->sample);
    if (stage->raw.tcp.data)
        raw_stop(&stage->raw);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    return uv_loop_close(&stage->loop);
}

static bool is_timeout(enum http_error error)
{
    return error == HTTP_TIMEOUT_CONNECT || error == HTTP_TIMEOUT_TLS || error == HTTP_TIMEOUT_HEADERS ||
           error == HTTP_TIMEOUT_BODY;
}

static void probe(struct stage *stage, int32_t port, const char *path, bool https, enum http_error expected)
{
    struct http_address address = {.host = "127.0.0.1", .port = port};
    struct probe_spec spec = {0};
    int64_t until = clock_mono_us() + DEADLINE_MS * (int64_t)MILLISECOND_US;
    probe_spec_http(&spec, path, port);
    spec.https = https;
    stage->question = (struct classify_question){.lane = LANE_READINESS,
                                                 .action = PROBE_HTTP_GET,
                                                 .path = path,
                                                 .https = https,
                                                 .tunnel = TUNNEL_UP,
                                                 .expected_model = ""};
    stage->times = 0;
    sample_free(&stage->sample);
    sample_init(&stage->sample);
    assert_true(
        http_get(stage->http, &spec, &address, NULL, is_timeout(expected) ? SOON_US : LONG_US, on_done, stage) != 0);
    while (stage->times == 0 && clock_mono_us() < until)
        uv_run(&stage->loop, UV_RUN_ONCE);
    assert_int_equal(stage->times, 1);
    probe_spec_free(&spec);
}

/* Only printable ASCII may come of what hostile servers send here: they send nothing that is a letter elsewhere. */
static void clean_check(const char *what, const struct text *text)
{
    for (const char *byte = text_str(text); *byte; byte++)
        if ((unsigned char)*byte < 0x20 || *byte == 0x7f || ((unsigned char)*byte >= 0x80 && !text->cut))
            fail_msg("%s: byte %02x reaches the screen", what, (unsigned)(unsigned char)*byte);
}

static void sample_check_clean(const char *what, const struct sample *sample)
{
    clean_check(what, &sample->detail);
    clean_check(what, &sample->body);
    for (int i = 0; i < sample->model_count; i++)
        clean_check(what, &sample->models[i]);
}

static void expect(const struct stage *stage, const char *what, enum http_error error, enum outcome outcome,
                   enum probe_cause cause)
{
    /* Nothing outlives its time limit by much. */
    if (is_timeout(error) && stage->sample.total > SOON_US + 3 * SECOND_US)
        fail_msg("%s: took %d ms", what, (int)(stage->sample.total / MILLISECOND_US));
    if (stage->error != error || stage->sample.outcome != outcome || stage->sample.cause != cause)
        fail_msg("%s: \"%s\" (%s), %s, %s", what, http_error_sentence(stage->error), text_str(&stage->sample.detail),
                 outcome_name(stage->sample.outcome), probe_cause_name(stage->sample.cause));
    sample_check_clean(what, &stage->sample);
}

/* ---- the server of sim/, in all its manners ---- */

static void test_manners(void **state)
{
    static const struct {
        const char *what;
        enum manner manner;
        enum http_error error;
        enum outcome outcome;
        enum probe_cause cause;
    } rows[] = {
        {"resets", MANNER_RESET, HTTP_RESET, OUTCOME_FAIL, PROBE_CAUSE_RESET},
        {"closes", MANNER_CLOSE, HTTP_EMPTY_REPLY, OUTCOME_FAIL, PROBE_CAUSE_EMPTY},
        {"hangs", MANNER_HANG, HTTP_TIMEOUT_HEADERS, OUTCOME_FAIL, PROBE_CAUSE_TIMEOUT_HEADERS},
        {"drips", MANNER_DRIP, HTTP_TIMEOUT_HEADERS, OUTCOME_FAIL, PROBE_CAUSE_TIMEOUT_HEADERS},
        {"hangs in the body", MANNER_HALF, HTTP_TIMEOUT_BODY, OUTCOME_ERRORED, PROBE_CAUSE_TIMEOUT_BODY},
        {"claims twice the length", MANNER_SHORT_BODY, HTTP_BODY_SHORT, OUTCOME_ERRORED, PROBE_CAUSE_BODY_SHORT},
        {"claims a terabyte", MANNER_LONG_LENGTH, HTTP_BODY_SHORT, OUTCOME_ERRORED, PROBE_CAUSE_BODY_SHORT},
        {"sends a gigabyte", MANNER_ENDLESS_BODY, HTTP_OK, OUTCOME_OK, PROBE_CAUSE_NONE},
        {"headers without end", MANNER_ENDLESS_HEADERS, HTTP_HEADERS_TOO_BIG, OUTCOME_FAIL,
         PROBE_CAUSE_HEADERS_TOO_BIG},
        {"one header line without end", MANNER_ENDLESS_HEADER, HTTP_HEADERS_TOO_BIG, OUTCOME_FAIL,
         PROBE_CAUSE_HEADERS_TOO_BIG},
        {"100 Continue without end", MANNER_ENDLESS_CONTINUE, HTTP_HEADERS_TOO_BIG, OUTCOME_FAIL,
         PROBE_CAUSE_HEADERS_TOO_BIG},
        {"garbage", MANNER_GARBAGE, HTTP_NOT_HTTP, OUTCOME_FAIL, PROBE_CAUSE_NOT_HTTP},
    };
    struct stage *stage = *state;
    probe(stage, server_port(stage->server), "/health", false, HTTP_REFUSED);
    expect(stage, "refuses", HTTP_REFUSED, OUTCOME_FAIL, PROBE_CAUSE_REFUSED);
    server_listen(stage->server);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        stage->answer = (struct answer){
            .manner = rows[i].manner, .status = 200, .headers = "", .body = "0123456789", .body_length = 10};
        probe(stage, server_port(stage->server), "/health", false, rows[i].error);
        expect(stage, rows[i].what, rows[i].error, rows[i].outcome, rows[i].cause);
    }
}

/* ---- bytes to the letter ---- */

#define REPLY(text) text, sizeof(text) - 1
#define HEAD200 "HTTP/1.1 200 OK\r\n"
#define LIST(ids) HEAD200 "Server: uvicorn\r\n\r\n{\"object\":\"list\",\"data\":[" ids "]}"

struct raw_row {
    const char *what;
    const char *reply;
    size_t length;
    enum raw_end end;
    bool unasked;
    enum http_error error;
    enum outcome outcome;
    enum probe_cause cause;
    int32_t status;
    bool https;
};

static const struct raw_row raw_rows[] = {
    {"resets as soon as one connects", REPLY(""), RAW_RESET, true, HTTP_RESET, OUTCOME_FAIL, PROBE_CAUSE_RESET, 0,
     false},
    {"speaks first, as mail servers do", REPLY("220 mail ESMTP\r\n"), RAW_KEEP, true, HTTP_NOT_HTTP, OUTCOME_FAIL,
     PROBE_CAUSE_NOT_HTTP, 0, false},
    {"NULs", REPLY("\0\0\0\0"), RAW_KEEP, false, HTTP_NOT_HTTP, OUTCOME_FAIL, PROBE_CAUSE_NOT_HTTP, 0, false},
    {"a status line and no more", REPLY("HTTP/1.1 200 OK\r\n"), RAW_CLOSE, false, HTTP_EMPTY_REPLY, OUTCOME_FAIL,
     PROBE_CAUSE_EMPTY, 200, false},
    {"headers that break off", REPLY(HEAD200 "Server: a\r\nX: "), RAW_CLOSE, false, HTTP_EMPTY_REPLY, OUTCOME_FAIL,
     PROBE_CAUSE_EMPTY, 200, false},
    {"headers that never end", REPLY(HEAD200 "Server: a\r\n"), RAW_KEEP, false, HTTP_TIMEOUT_HEADERS, OUTCOME_FAIL,
     PROBE_CAUSE_TIMEOUT_HEADERS, 200, false},
    {"a reset in the body", REPLY(HEAD200 "Content-Length: 99\r\n\r\nabc"), RAW_RESET, false, HTTP_BODY_SHORT,
     OUTCOME_ERRORED, PROBE_CAUSE_BODY_SHORT, 200, false},
    {"more than it said", REPLY(HEAD200 "Content-Length: 2\r\n\r\nokNOT PART OF IT"), RAW_KEEP, false, HTTP_OK,
     OUTCOME_OK, PROBE_CAUSE_NONE, 200, false},
    {"a length that is no number", REPLY(HEAD200 "Content-Length: -7\r\n\r\nabc"), RAW_CLOSE, false, HTTP_NOT_HTTP,
     OUTCOME_FAIL, PROBE_CAUSE_NOT_HTTP, 200, false},
    {"chunks that lie", REPLY(HEAD200 "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc"), RAW_CLOSE, false,
     HTTP_BODY_SHORT, OUTCOME_ERRORED, PROBE_CAUSE_BODY_SHORT, 200, false},
    {"chunks that break off", REPLY(HEAD200 "Transfer-Encoding: chunked\r\n\r\n5\r\nab"), RAW_CLOSE, false,
     HTTP_BODY_SHORT, OUTCOME_ERRORED, PROBE_CAUSE_BODY_SHORT, 200, false},
    {"another protocol's version", REPLY("HTTP/7.7 200 OK\r\n\r\n"), RAW_CLOSE, false, HTTP_NOT_HTTP, OUTCOME_FAIL,
     PROBE_CAUSE_NOT_HTTP, 0, false},
    {"100 Continue, then nothing", REPLY("HTTP/1.1 100 Continue\r\n\r\n"), RAW_KEEP, false, HTTP_TIMEOUT_HEADERS,
     OUTCOME_FAIL, PROBE_CAUSE_TIMEOUT_HEADERS, 0, false},
    {"103, then an answer",
     REPLY("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), RAW_KEEP, false,
     HTTP_OK, OUTCOME_OK, PROBE_CAUSE_NONE, 200, false},
    {"not a gzip, though it says so", REPLY(HEAD200 "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"), RAW_KEEP,
     false, HTTP_OK, OUTCOME_OK, PROBE_CAUSE_NONE, 200, false},
    {"TLS server: an alert", REPLY("\x15\x03\x01\x00\x02\x02\x46"), RAW_CLOSE, false, HTTP_NOT_HTTP, OUTCOME_FAIL,
     PROBE_CAUSE_PLAIN_TO_TLS, 0, false},
    {"TLS server: Go's words",
     REPLY("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"), RAW_CLOSE, false,
     HTTP_OK, OUTCOME_FAIL, PROBE_CAUSE_PLAIN_TO_TLS, 400, false},
    {"TLS asked of a plain server", REPLY("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), RAW_CLOSE, false,
     HTTP_TLS_PLAIN_SERVER, OUTCOME_FAIL, PROBE_CAUSE_TLS_TO_PLAIN, 0, true},
    {"TLS refused by an alert", REPLY("\x15\x03\x03\x00\x02\x02\x28"), RAW_CLOSE, false, HTTP_TLS, OUTCOME_FAIL,
     PROBE_CAUSE_TLS, 0, true},
    {"TLS greeting never answered", REPLY(""), RAW_KEEP, false, HTTP_TIMEOUT_TLS, OUTCOME_FAIL, PROBE_CAUSE_TIMEOUT_TLS,
     0, true},
    {"401 with a clear screen", REPLY("HTTP/1.1 401 No\r\nContent-Length: 4\r\n\r\n\033[2J"), RAW_KEEP, false, HTTP_OK,
     OUTCOME_FAIL, PROBE_CAUSE_UNAUTHORIZED, 401, false},
    {"a header with an escape sequence", REPLY(HEAD200 "Server: \033]0;a\007\r\n\r\n"), RAW_CLOSE, false, HTTP_NOT_HTTP,
     OUTCOME_FAIL, PROBE_CAUSE_NOT_HTTP, 200, false},
    {"a header with a NUL", REPLY(HEAD200 "Server: a\0b\r\n\r\n"), RAW_CLOSE, false, HTTP_NOT_HTTP, OUTCOME_FAIL,
     PROBE_CAUSE_NOT_HTTP, 200, false},
    {"redirected to an escape sequence", REPLY("HTTP/1.1 302 Found\r\nLocation: http://x.test/\033]0;a\007\r\n\r\n"),
     RAW_CLOSE, false, HTTP_NOT_HTTP, OUTCOME_FAIL, PROBE_CAUSE_NOT_HTTP, 302, false},
    {"redirected to bidi marks", REPLY("HTTP/1.1 302 Found\r\nLocation: http://x.test/\xe2\x80\xae\r\n\r\n"), RAW_CLOSE,
     false, HTTP_OK, OUTCOME_WARN, PROBE_CAUSE_REDIRECT_ELSEWHERE, 302, false},
    {"redirected to a file", REPLY("HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n"), RAW_CLOSE, false,
     HTTP_OK, OUTCOME_WARN, PROBE_CAUSE_REDIRECT_ELSEWHERE, 302, false},
    {"redirected to the metadata service",
     REPLY("HTTP/1.1 307 Found\r\nLocation: http://169.254.169.254/latest/\r\n\r\n"), RAW_CLOSE, false, HTTP_OK,
     OUTCOME_WARN, PROBE_CAUSE_REDIRECT_ELSEWHERE, 307, false},
    {"redirected to another protocol here", REPLY("HTTP/1.1 302 Found\r\nLocation: gopher://127.0.0.1/\r\n\r\n"),
     RAW_CLOSE, false, HTTP_NOT_HTTP, OUTCOME_FAIL, PROBE_CAUSE_NOT_HTTP, 302, false},
    {"redirected in a circle", REPLY("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"), RAW_CLOSE, false,
     HTTP_TOO_MANY_REDIRECTS, OUTCOME_FAIL, PROBE_CAUSE_REDIRECT_LOOP, 302, false},
};

static void test_bytes(void **state)
{
    struct stage *stage = *state;
    int32_t port = raw_listen(&stage->raw, &stage->loop, "127.0.0.1");
    assert_true(port > 0);
    for (size_t i = 0; i < sizeof raw_rows / sizeof raw_rows[0]; i++) {
        const struct raw_row *row = &raw_rows[i];
        stage->raw.reply = row->reply;
        stage->raw.length = row->length;
        stage->raw.end = row->end;
        stage->raw.unasked = row->unasked;
        stage->raw.accepted = 0;
        probe(stage, port, "/health", row->https, row->error);
        expect(stage, row->what, row->error, row->outcome, row->cause);
        if (stage->sample.status != row->status)
            fail_msg("%s: status %d", row->what, (int)stage->sample.status);
        assert_in_range(stage->raw.accepted, 1, HTTP_REQUESTS_MAX);
    }
}

/* Model ids made to fool the eye or the terminal: shown, never obeyed. */
static void test_model_ids(void **state)
{
    static const struct {
        const char *reply;
        size_t length;
        int32_t count;
        const char *id;
    } rows[] = {
        {REPLY(LIST("{\"id\":\"\\u001b]0;owned\\u0007\"}")), 1, "\\x1b]0;owned\\x07"},
        {REPLY(LIST("{\"id\":\"a\\u202egnp.exe\"}")), 1, "a\\u{202e}gnp.exe"},
        {REPLY(LIST("{\"id\":\"a\xe2\x80\xae\"}")), 1, "a\\u{202e}"},
        {REPLY(LIST("{\"id\":\"llama\\u0000x\"}")), 1, "llama\\u0000x"},
        {REPLY(LIST("{\"id\":\"llama\0x\"}")), -1, NULL}, /* a raw NUL is no JSON */
        {REPLY(LIST("{\"id\":\"\033[2J\"}")), -1, NULL},
        {REPLY(LIST("{\"id\":\"a\xff\"}")), -1, NULL},
        {REPLY(LIST("{\"id\":\"a\\n\\r\\tb\"}")), 1, "a\\n\\r\\tb"},
        {REPLY(LIST("{\"id\":{\"a\":1}},{\"id\":null},{},7,[]")), 0, NULL},
        {REPLY(LIST("{\"id\":\"a\",\"id\":\"b\"}")), 1, "a"},
    };
    struct stage *stage = *state;
    int32_t port = raw_listen(&stage->raw, &stage->loop, "127.0.0.1");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        stage->raw.reply = rows[i].reply;
        stage->raw.length = rows[i].length;
        probe(stage, port, "/v1/models", false, HTTP_OK);
        assert_int_equal(stage->error, HTTP_OK);
        assert_int_equal(stage->sample.outcome, OUTCOME_OK); /* the kubelet does not look inside */
        if (stage->sample.model_count != rows[i].count ||
            (rows[i].id && !text_is(&stage->sample.models[0], rows[i].id)))
            fail_msg("row %zu: %d models, \"%s\"", i, (int)stage->sample.model_count,
                     text_str(&stage->sample.models[0]));
        sample_check_clean("models", &stage->sample);
    }
}

/* ---- cost ---- */

/* Under the address sanitizer freed memory is kept for long: a little of that is enough here. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=2";
}

static long peak_kb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* A hundred of each kind of flood in a row leave the process no bigger than a few of them do. */
static void test_memory_is_bounded(void **state)
{
    static const enum manner floods[] = {MANNER_ENDLESS_BODY, MANNER_ENDLESS_HEADERS, MANNER_ENDLESS_HEADER,
                                         MANNER_ENDLESS_CONTINUE, MANNER_GARBAGE};
    struct stage *stage = *state;
    long before = 0;
    server_listen(stage->server);
    for (int round = 0; round < 100; round++) {
        for (size_t i = 0; i < sizeof floods / sizeof floods[0]; i++) {
            stage->answer =
                (struct answer){.manner = floods[i], .status = 500, .headers = "", .body = "x", .body_length = 1};
            probe(stage, server_port(stage->server), "/health", false, HTTP_OK);
            assert_int_equal(stage->sample.outcome, OUTCOME_FAIL);
            assert_true(stage->sample.body.len <= (size_t)TEXT_BODY * 4);
        }
        if (round == 4)
            before = peak_kb();
    }
    if (peak_kb() - before > GROWTH_MAX_KB)
        fail_msg("grew by %ld KB", peak_kb() - before);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(test_manners),
        ON_STAGE(test_bytes),
        ON_STAGE(test_model_ids),
        ON_STAGE(test_memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
