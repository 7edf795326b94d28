/* What goes over the wire, to the letter of facts/kube.md 1.6, and how every end of a transfer is told. */
#include "base/buf.h"
#include "base/clock.h"
#include "probe/http.h"
#include "sim/server.h"
#include "tests/support/raw_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DEADLINE_MS = 10000, TIMEOUT_US = 5000000 };

/* A result that outlives its callback. */
struct told {
    int times;
    enum http_error error;
    int32_t status, redirects;
    bool elsewhere, body_cut;
    size_t body_length;
    int64_t dns, connect, tls, first_byte, total, started;
    char body[HTTP_BODY_MAX + 1], server[256], location[256], detail[256];
};

struct stage {
    uv_loop_t loop;
    struct http *http;
    struct server *server;
    struct told told;
    /* what the server answers, and what it was sent */
    struct answer answer;
    int asked, redirects_to_give;
    struct buf heads; /* all requests, one after the other */
    char location[512];
};

static void keep(char *out, size_t size, const char *string)
{
    snprintf(out, size, "%s", string);
}

static void on_done(void *user, const struct http_result *result)
{
    struct told *told = user;
    told->times++;
    told->error = result->error;
    told->status = result->status;
    told->redirects = result->redirects;
    told->elsewhere = result->redirect_elsewhere;
    told->body_cut = result->body_cut;
    told->body_length = result->body_length;
    told->dns = result->dns;
    told->connect = result->connect;
    told->tls = result->tls;
    told->first_byte = result->first_byte;
    told->total = result->total;
    told->started = result->started_mono;
    assert_true(result->body_length <= HTTP_BODY_MAX);
    memcpy(told->body, result->body, result->body_length);
    told->body[result->body_length] = '\0';
    keep(told->server, sizeof told->server, result->server);
    keep(told->location, sizeof told->location, result->location);
    keep(told->detail, sizeof told->detail, result->detail);
}

static void on_asked(void *user, const char *path, const char *request, struct answer *answer)
{
    struct stage *stage = user;
    (void)path;
    stage->asked++;
    buf_puts(&stage->heads, request);
    *answer = stage->answer;
    if (stage->redirects_to_give > 0) {
        stage->redirects_to_give--;
        answer->status = 302;
        answer->headers = stage->location;
    }
}

static int setup(void **state)
{
    static struct stage stage;
    memset(&stage, 0, sizeof stage);
    buf_init(&stage.heads, 1 << 20);
    stage.answer = (struct answer){.status = 200, .headers = "Server: uvicorn\r\n", .body = "hello", .body_length = 5};
    if (uv_loop_init(&stage.loop) != 0 || server_new(&stage.loop, on_asked, &stage, &stage.server, NULL) != STATUS_OK ||
        server_listen(stage.server) != STATUS_OK)
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
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    buf_free(&stage->heads);
    return uv_loop_close(&stage->loop);
}

/* Runs the loop until `count` results have come. */
static void wait_for(struct stage *stage, const int *times, int count)
{
    int64_t until = clock_mono_us() + DEADLINE_MS * (int64_t)MILLISECOND_US;
    while (*times < count && clock_mono_us() < until) {
        uv_run(&stage->loop, UV_RUN_NOWAIT);
        usleep(200);
    }
    assert_int_equal(*times, count);
}

static void ask_at(struct stage *stage, const struct probe_spec *spec, const struct http_address *address,
                   const char *host_header, int64_t timeout_us)
{
    memset(&stage->told, 0, sizeof stage->told);
    uint64_t ticket = http_get(stage->http, spec, address, host_header, timeout_us, on_done, &stage->told);
    assert_true(ticket != 0);
    assert_int_equal(stage->told.times, 0); /* never before it returns */
    wait_for(stage, &stage->told.times, 1);
}

static struct http_address own_address(const struct stage *stage)
{
    return (struct http_address){.host = "127.0.0.1", .port = server_port(stage->server)};
}

static struct probe_spec spec_of(const char *path, int32_t port)
{
    struct probe_spec spec = {0};
    probe_spec_http(&spec, path, port);
    return spec;
}

static void ask(struct stage *stage, const char *path, const char *host_header)
{
    struct http_address address = own_address(stage);
    struct probe_spec spec = spec_of(path, address.port);
    ask_at(stage, &spec, &address, host_header, TIMEOUT_US);
    probe_spec_free(&spec);
}

/* ---- the request ---- */

static void headers_set(struct probe_spec *spec, const char *const *pairs)
{
    for (; pairs[0]; pairs += 2) {
        spec->headers = mem_resize(spec->headers, spec->header_count + 1, sizeof *spec->headers);
        spec->headers[spec->header_count++] =
            (struct probe_header){.name = mem_dup(pairs[0]), .value = mem_dup(pairs[1])};
    }
}

/* As captured from a real kubelet. */
static void test_wire_form(void **state)
{
    struct stage *stage = *state;
    struct http_address address = own_address(stage);
    struct probe_spec spec = spec_of("/st?a=b%20c", 8000);
    headers_set(&spec, (const char *const[]){"x-a", "1", NULL});
    ask_at(stage, &spec, &address, "10.201.0.7:8000", TIMEOUT_US);
    probe_spec_free(&spec);
    assert_int_equal(stage->told.error, HTTP_OK);
    assert_string_equal(buf_str(&stage->heads),
                        "GET /st?a=b%20c HTTP/1.1\r\nHost: 10.201.0.7:8000\r\nUser-Agent: kube-probe/1.34\r\n"
                        "Accept: */*\r\nX-A: 1\r\nConnection: close\r\n\r\n");
}

/* What libcurl makes of the lines that are not plain (see test_wire for all others), and what is not sent at all. */
static void test_headers(void **state)
{
#define AGENT "User-Agent: kube-probe/1.34\r\n"
    static const struct {
        const char *pairs[5];
        const char *sent; /* NULL: refused */
    } rows[] = {
        {{NULL}, AGENT "Accept: */*\r\n"},
        {{"Accept", "", NULL}, AGENT},
        {{"User-Agent", "", "Accept-Encoding", "gzip", NULL}, "Accept: */*\r\nAccept-Encoding: gzip\r\n"},
        {{"X-Empty", "", NULL}, AGENT "Accept: */*\r\nX-Empty:\r\n"},
        {{"X-Smuggle", "1\r\nX-Other: 2", NULL}, NULL},
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_address address = own_address(stage);
        struct probe_spec spec = spec_of("/", 8000);
        char expected[512];
        headers_set(&spec, rows[i].pairs);
        buf_clear(&stage->heads);
        ask_at(stage, &spec, &address, "h:1", TIMEOUT_US);
        probe_spec_free(&spec);
        snprintf(expected, sizeof expected, "GET / HTTP/1.1\r\nHost: h:1\r\n%sConnection: close\r\n\r\n",
                 rows[i].sent ? rows[i].sent : "");
        assert_int_equal(stage->told.error, rows[i].sent ? HTTP_OK : HTTP_BAD_REQUEST);
        assert_string_equal(buf_str(&stage->heads), rows[i].sent ? expected : "");
    }
}

/* libcurl leaves the target as it was built. */
static void test_paths(void **state)
{
    static const struct {
        const char *path, *target; /* NULL: refused */
    } rows[] = {
        {"/a/../b/./c", "/a/../b/./c"},
        {"?a=b", "/?a=b"},
        {"/a\"<>\\^`{|}\xc3\xa4 b", "/a%22%3C%3E%5C%5E%60%7B%7C%7D%C3%A4%20b"},
        {"/user@host:9/x?x=[1]&y=@", "/user@host:9/x?x=[1]&y=@"},
        {"/a\r\nX: y", NULL},
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[256];
        buf_clear(&stage->heads);
        ask(stage, rows[i].path, NULL);
        snprintf(line, sizeof line, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n", rows[i].target ? rows[i].target : "",
                 (int)server_port(stage->server));
        assert_int_equal(stage->told.error, rows[i].target ? HTTP_OK : HTTP_BAD_REQUEST);
        if (rows[i].target && strncmp(buf_str(&stage->heads), line, strlen(line)) != 0)
            fail_msg("path \"%s\": %.60s", rows[i].path, buf_str(&stage->heads));
    }
}

static void test_unusable_address(void **state)
{
    static const struct http_address address = {.host = "a@b", .port = 1};
    struct stage *stage = *state;
    struct probe_spec spec = spec_of("/", 1);
    ask_at(stage, &spec, &address, NULL, TIMEOUT_US);
    assert_int_equal(stage->told.error, HTTP_BAD_REQUEST);
    probe_spec_free(&spec);
}

/* More at once than handles are kept for; those that were given back are made again. */
static void test_crowd(void **state)
{
    enum { CROWD = 300 };
    static struct told told[CROWD];
    struct stage *stage = *state;
    const struct http_address address = own_address(stage);
    struct probe_spec spec = spec_of("/", address.port);
    for (int round = 0; round < 3; round++) {
        memset(told, 0, sizeof told);
        for (int i = 0; i < CROWD; i++)
            assert_true(http_get(stage->http, &spec, &address, NULL, TIMEOUT_US, on_done, &told[i]) != 0);
        for (int i = 0; i < CROWD; i++) {
            wait_for(stage, &told[i].times, 1);
            assert_int_equal(told[i].error, HTTP_OK);
            assert_string_equal(told[i].body, "hello");
        }
        assert_int_equal(http_in_flight(stage->http), 0);
    }
    probe_spec_free(&spec);
}

/* A zone says where the address is: without it the system takes no link-local address at all. The handle that asked so asks elsewhere next, and the other way round. */
static void test_zone(void **state)
{
    struct stage *stage = *state;
    char name[IF_NAMESIZE] = "", host[64];
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 nowhere = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
    inet_pton(AF_INET6, "fe80::1", &nowhere.sin6_addr);
    bool refuses_zoneless = fd >= 0 && connect(fd, (struct sockaddr *)&nowhere, sizeof nowhere) < 0 && errno == EINVAL;
    if (fd >= 0)
        close(fd);
    if (!refuses_zoneless || !if_indextoname(1, name))
        skip(); /* no IPv6 here */
    snprintf(host, sizeof host, "fe80::1%%%s", name);
    const struct http_address address = {.host = host, .port = 9};
    struct probe_spec spec = spec_of("/", 9);
    for (int i = 0; i < 2; i++) {
        ask_at(stage, &spec, &address, NULL, 100 * MILLISECOND_US);
        assert_int_not_equal(stage->told.error, HTTP_OK);
        assert_null(strstr(stage->told.detail, strerror(EINVAL)));
        assert_int_not_equal(stage->told.error, HTTP_CONNECT_FAILED);
        ask(stage, "/", NULL);
        assert_int_equal(stage->told.error, HTTP_OK);
    }
    probe_spec_free(&spec);
}

/* More than one segment, and all of it arrives. */
static void test_big_request(void **state)
{
    static char value[6000];
    struct stage *stage = *state;
    struct http_address address = own_address(stage);
    struct probe_spec spec = spec_of("/", 8000);
    memset(value, 'v', sizeof value - 1);
    headers_set(&spec, (const char *const[]){"X-Big", value, NULL});
    for (int i = 0; i < 2; i++) {
        buf_clear(&stage->heads);
        ask_at(stage, &spec, &address, NULL, TIMEOUT_US);
        assert_int_equal(stage->told.error, HTTP_OK);
        ask(stage, "/", NULL); /* a small one with the same handle */
        assert_int_equal(stage->told.error, HTTP_OK);
    }
    probe_spec_free(&spec);
}

/* ---- the answer ---- */

static void test_answer(void **state)
{
    struct stage *stage = *state;
    int64_t before = clock_mono_us();
    ask(stage, "/v1/models", NULL);
    assert_int_equal(stage->told.error, HTTP_OK);
    assert_int_equal(stage->told.status, 200);
    assert_string_equal(stage->told.body, "hello");
    assert_string_equal(stage->told.server, "uvicorn");
    assert_string_equal(stage->told.detail, "");
    assert_false(stage->told.body_cut);
    assert_true(stage->told.started >= before && stage->told.started <= clock_mono_us());
    assert_true(stage->told.connect > 0 && stage->told.first_byte >= stage->told.connect);
    assert_true(stage->told.total >= stage->told.first_byte && stage->told.total < TIMEOUT_US);
    assert_int_equal(stage->told.tls, -1);
    assert_int_equal(http_in_flight(stage->http), 0);
}

/* What was not reached has no time. */
static void test_times_of_failures(void **state)
{
    struct stage *stage = *state;
    stage->answer.manner = MANNER_CLOSE;
    ask(stage, "/", NULL);
    assert_int_equal(stage->told.error, HTTP_EMPTY_REPLY);
    assert_true(stage->told.connect > 0 && stage->told.total >= stage->told.connect);
    assert_int_equal(stage->told.first_byte, -1);
    server_mute(stage->server, true);
    ask(stage, "/", NULL);
    assert_int_equal(stage->told.error, HTTP_REFUSED);
    assert_int_equal(stage->told.connect, -1);
    assert_int_equal(stage->told.first_byte, -1);
    assert_true(stage->told.total > 0);
}

static void test_statuses(void **state)
{
    static const int32_t statuses[] = {200, 204, 299, 304, 399, 400, 401, 404, 500, 503, 599};
    struct stage *stage = *state;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        bool bodiless = statuses[i] == 204 || statuses[i] == 304;
        stage->answer.status = statuses[i];
        stage->answer.body_length = bodiless ? 0 : 5;
        ask(stage, "/", NULL);
        assert_int_equal(stage->told.error, HTTP_OK);
        assert_int_equal(stage->told.status, statuses[i]);
        assert_string_equal(stage->told.body, bodiless ? "" : "hello");
    }
}

/* 10 KiB are read and no more; longer is fine. */
static void test_body_limit(void **state)
{
    static char big[HTTP_BODY_MAX * 3];
    struct stage *stage = *state;
    memset(big, 'x', sizeof big);
    for (int more = -1; more <= 1; more++) {
        stage->answer.body = big;
        stage->answer.body_length = (size_t)(HTTP_BODY_MAX + more);
        ask(stage, "/", NULL);
        assert_int_equal(stage->told.error, HTTP_OK);
        assert_int_equal(stage->told.body_length, more < 0 ? HTTP_BODY_MAX - 1 : HTTP_BODY_MAX);
        assert_int_equal(stage->told.body_cut, more > 0);
    }
    stage->answer.body_length = sizeof big;
    ask(stage, "/", NULL);
    assert_int_equal(stage->told.error, HTTP_OK);
    assert_true(stage->told.body_cut);
}

/* ---- redirects ---- */

static void redirect_to(struct stage *stage, int times, const char *location)
{
    stage->redirects_to_give = times;
    stage->asked = 0;
    buf_clear(&stage->heads);
    snprintf(stage->location, sizeof stage->location, "Location: %s\r\n", location);
}

static void test_redirects(void **state)
{
    static const struct {
        const char *location;
        enum http_error error;
        int32_t status, redirects;
        bool elsewhere;
        const char *line; /* of the second request */
    } rows[] = {
        {"/b", HTTP_OK, 200, 1, false, "GET /b HTTP/1.1\r\n"},
        {"b?c=d#e", HTTP_OK, 200, 1, false, "GET /a/b?c=d HTTP/1.1\r\n"},
        {"../x", HTTP_OK, 200, 1, false, "GET /x HTTP/1.1\r\n"},
        {"?q", HTTP_OK, 200, 1, false, "GET /a/one?q HTTP/1.1\r\n"},
        {"http://127.0.0.1:PORT/abs", HTTP_OK, 200, 1, false, "GET /abs HTTP/1.1\r\n"},
        {"//127.0.0.1:PORT/net", HTTP_OK, 200, 1, false, "GET /net HTTP/1.1\r\n"},
        {"http://127.0.0.1:PORT", HTTP_OK, 200, 1, false, "GET / HTTP/1.1\r\n"},
        {"http://example.test/", HTTP_OK, 302, 0, true, NULL},
        {"//169.254.169.254/latest/meta-data", HTTP_OK, 302, 0, true, NULL},
        {"http://localhost:PORT/", HTTP_OK, 302, 0, true, NULL}, /* another name, even if the same machine */
        {"http://127.0.0.1@example.test/", HTTP_OK, 302, 0, true, NULL},
        {"file:///etc/passwd", HTTP_OK, 302, 0, true, NULL},
        {"mailto:a@b", HTTP_OK, 302, 0, true, NULL},
        {"ftp://127.0.0.1/x", HTTP_NOT_HTTP, 302, 0, false, NULL},
        {"http://[bad", HTTP_NOT_HTTP, 302, 0, false, NULL},
        {"", HTTP_OK, 302, 0, false, NULL}, /* no Location: the answer itself */
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char location[256];
        const char *port = strstr(rows[i].location, "PORT");
        if (port)
            snprintf(location, sizeof location, "%.*s%d%s", (int)(port - rows[i].location), rows[i].location,
                     (int)server_port(stage->server), port + 4);
        else
            keep(location, sizeof location, rows[i].location);
        redirect_to(stage, 1, location);
        ask(stage, "/a/one", NULL);
        const char *second = strstr(buf_str(&stage->heads) + 1, "GET ");
        if (stage->told.error != rows[i].error || stage->told.status != rows[i].status ||
            stage->told.redirects != rows[i].redirects || stage->told.elsewhere != rows[i].elsewhere ||
            (second != NULL) != (rows[i].line != NULL) ||
            (rows[i].line && strncmp(second, rows[i].line, strlen(rows[i].line)) != 0))
            fail_msg("\"%s\": %s, %d, %d followed, elsewhere %d, then \"%.60s\"", rows[i].location,
                     http_error_sentence(stage->told.error), (int)stage->told.status, (int)stage->told.redirects,
                     stage->told.elsewhere, second ? second : "");
    }
}

/* Go's client makes ten requests and gives up at the redirect that asks for an eleventh. */
static void test_redirect_limit(void **state)
{
    struct stage *stage = *state;
    redirect_to(stage, 9, "/next");
    ask(stage, "/", NULL);
    assert_int_equal(stage->told.error, HTTP_OK);
    assert_int_equal(stage->told.redirects, 9);
    assert_int_equal(stage->asked, 10);
    redirect_to(stage, 1000, "/next");
    ask(stage, "/", NULL);
    assert_int_equal(stage->told.error, HTTP_TOO_MANY_REDIRECTS);
    assert_int_equal(stage->asked, 10);
    stage->redirects_to_give = 0;
}

/* The time limit is one for all hops, and the times told are counted from the first. */
static void test_redirect_timing(void **state)
{
    struct stage *stage = *state;
    struct http_address address = own_address(stage);
    struct probe_spec spec = spec_of("/", address.port);
    redirect_to(stage, 3, "/next");
    stage->answer.delay_us = 60000;
    ask_at(stage, &spec, &address, NULL, TIMEOUT_US);
    assert_int_equal(stage->told.error, HTTP_OK);
    assert_true(stage->told.connect > 170000 && stage->told.first_byte > 230000 &&
                stage->told.total >= stage->told.first_byte);
    redirect_to(stage, 3, "/next");
    ask_at(stage, &spec, &address, NULL, 150000);
    assert_int_equal(stage->told.error, HTTP_TIMEOUT_HEADERS);
    assert_in_range(stage->told.total, 140000, 3000000);
    assert_in_range(stage->told.redirects, 1, 2);
    assert_int_equal(stage->told.status, 0);
    probe_spec_free(&spec);
}

/* A redirect's own body is not waited for. */
static void test_redirect_body(void **state)
{
    struct stage *stage = *state;
    redirect_to(stage, 1, "/next");
    stage->answer.manner = MANNER_HALF;
    stage->answer.delay_us = 0;
    struct http_address address = own_address(stage);
    struct probe_spec spec = spec_of("/", address.port);
    ask_at(stage, &spec, &address, NULL, 300000);
    assert_int_equal(stage->told.redirects, 1);
    assert_int_equal(stage->told.error, HTTP_TIMEOUT_BODY); /* of the second answer, which is half too */
    probe_spec_free(&spec);
}

/* Go's rules for headers on the second request. */
static void test_redirect_headers(void **state)
{
    static const struct {
        const char *location, *custom_host, *host, *referer;
    } rows[] = {
        {"/b", NULL, "10.0.0.7:8000", "http://10.0.0.7:8000/a"},
        {"/b", "mine.test", "mine.test", "http://10.0.0.7:8000/a"},
        {"http://10.0.0.7:8000/b", "mine.test", "10.0.0.7:8000", "http://10.0.0.7:8000/a"},
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_address address = own_address(stage);
        struct probe_spec spec = spec_of("/a", 8000);
        char expected[512];
        headers_set(
            &spec, (const char *const[]){"X-Key", "k", rows[i].custom_host ? "Host" : NULL, rows[i].custom_host, NULL});
        redirect_to(stage, 1, rows[i].location);
        ask_at(stage, &spec, &address, "10.0.0.7:8000", TIMEOUT_US);
        probe_spec_free(&spec);
        snprintf(expected, sizeof expected,
                 "GET /b HTTP/1.1\r\nHost: %s\r\n" AGENT
                 "Accept: */*\r\nReferer: %s\r\nX-Key: k\r\nConnection: close\r\n\r\n",
                 rows[i].host, rows[i].referer);
        assert_int_equal(stage->told.error, HTTP_OK);
        assert_string_equal(strstr(buf_str(&stage->heads) + 1, "GET "), expected);
    }
}

/* Through a forward (we dial another port than the pod's) only the asked port is at hand; directly, any port of the same host. */
static void test_redirect_to_another_port(void **state)
{
    struct stage *stage = *state;
    struct server *other;
    struct http_address address = own_address(stage);
    char location[128];
    assert_int_equal(server_new(&stage->loop, on_asked, stage, &other, NULL), STATUS_OK);
    assert_int_equal(server_listen(other), STATUS_OK);
    snprintf(location, sizeof location, "http://127.0.0.1:%d/b", (int)server_port(other));
    redirect_to(stage, 1, location);
    ask(stage, "/", NULL);
    assert_int_equal(stage->told.error, HTTP_OK);
    assert_int_equal(stage->told.status, 200);
    snprintf(location, sizeof location, "Host: 127.0.0.1:%d\r\n", (int)server_port(other));
    assert_non_null(strstr(buf_str(&stage->heads), location));

    struct probe_spec spec = spec_of("/", 8000);
    redirect_to(stage, 1, "http://10.0.0.7:8001/b");
    ask_at(stage, &spec, &address, "10.0.0.7:8000", TIMEOUT_US);
    assert_int_equal(stage->told.error, HTTP_BAD_REQUEST);
    redirect_to(stage, 1, "http://10.0.0.7:8000/b");
    ask_at(stage, &spec, &address, "10.0.0.7:8000", TIMEOUT_US);
    assert_int_equal(stage->told.error, HTTP_OK);
    assert_int_equal(stage->told.status, 200);
    probe_spec_free(&spec);
    server_free(other);
}

/* ---- ways to connect ---- */

static void test_ipv6(void **state)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nv6";
    struct stage *stage = *state;
    struct raw_server raw = {.reply = reply, .length = sizeof reply - 1};
    int32_t port = raw_listen(&raw, &stage->loop, "::1");
    if (port == 0) {
        raw_stop(&raw);
        skip();
    }
    struct http_address address = {.host = "::1", .port = port};
    struct probe_spec spec = spec_of("/", port);
    char line[64];
    ask_at(stage, &spec, &address, NULL, TIMEOUT_US);
    assert_int_equal(stage->told.error, HTTP_OK);
    assert_string_equal(stage->told.body, "v6");
    snprintf(line, sizeof line, "\r\nHost: [::1]:%d\r\n", (int)port);
    assert_non_null(strstr(raw.got, line));
    probe_spec_free(&spec);
    raw_stop(&raw);
    uv_run(&stage->loop, UV_RUN_NOWAIT);
}

static void test_unix_socket(void **state)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nunix";
    struct stage *stage = *state;
    struct raw_server raw = {.reply = reply, .length = sizeof reply - 1};
    char directory[] = "/tmp/test-http-XXXXXX", path[64];
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/s", directory);
    struct http_address address = {.unix_path = path};
    struct probe_spec spec = spec_of("/v1/models", 8000);
    ask_at(stage, &spec, &address, NULL, TIMEOUT_US);
    assert_int_equal(stage->told.error, HTTP_REFUSED); /* not there yet */
    assert_true(raw_listen_unix(&raw, &stage->loop, path));
    ask_at(stage, &spec, &address, NULL, TIMEOUT_US);
    assert_int_equal(stage->told.error, HTTP_OK);
    assert_string_equal(stage->told.body, "unix");
    assert_non_null(strstr(raw.got, "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n"));
    ask(stage, "/", NULL); /* and the same handle over TCP again */
    assert_string_equal(stage->told.body, "hello");
    probe_spec_free(&spec);
    raw_stop(&raw);
    uv_run(&stage->loop, UV_RUN_NOWAIT);
    unlink(path);
    rmdir(directory);
}

static void test_tcp_connect(void **state)
{
    struct stage *stage = *state;
    struct http_address address = own_address(stage);
    for (int round = 0; round < 3; round++) {
        memset(&stage->told, 0, sizeof stage->told);
        assert_true(http_tcp_connect(stage->http, &address, TIMEOUT_US, on_done, &stage->told) != 0);
        wait_for(stage, &stage->told.times, 1);
        assert_int_equal(stage->told.error, HTTP_OK);
        assert_true(stage->told.connect > 0 && stage->told.total >= stage->told.connect);
        assert_int_equal(stage->told.first_byte, -1);
        ask(stage, "/", NULL); /* the same handle asks again */
        assert_int_equal(stage->told.status, 200);
    }
    assert_int_equal(stage->asked, 3);
    server_mute(stage->server, true);
    memset(&stage->told, 0, sizeof stage->told);
    http_tcp_connect(stage->http, &address, TIMEOUT_US, on_done, &stage->told);
    wait_for(stage, &stage->told.times, 1);
    assert_int_equal(stage->told.error, HTTP_REFUSED);
    address.host = NULL;
    memset(&stage->told, 0, sizeof stage->told);
    http_tcp_connect(stage->http, &address, TIMEOUT_US, on_done, &stage->told);
    wait_for(stage, &stage->told.times, 1);
    assert_int_equal(stage->told.error, HTTP_BAD_REQUEST);
}

/* No name server need be asked: a label of more than 63 letters cannot be. */
static void test_name_that_does_not_resolve(void **state)
{
    struct stage *stage = *state;
    struct http_address address = {
        .host = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.invalid", .port = 80};
    struct probe_spec spec = spec_of("/", 80);
    ask_at(stage, &spec, &address, NULL, 2000000);
    assert_int_equal(stage->told.error, HTTP_RESOLVE);
    assert_int_equal(stage->told.dns, -1);
    probe_spec_free(&spec);
}

/* ---- what must not get in or out ---- */

/* Neither the environment's proxies nor cookies of an earlier answer have a say, and compression is neither asked for nor undone. */
static void test_no_outside_influence(void **state)
{
    struct stage *stage = *state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    stage->answer.headers = "Set-Cookie: a=b\r\nContent-Encoding: gzip\r\nAlt-Svc: h2=\":1\"\r\n";
    for (int i = 0; i < 3; i++) {
        ask(stage, "/", NULL);
        assert_int_equal(stage->told.error, HTTP_OK);
        assert_string_equal(stage->told.body, "hello");
    }
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    assert_int_equal(stage->asked, 3);
    assert_null(strstr(buf_str(&stage->heads), "Cookie"));
    assert_null(strstr(buf_str(&stage->heads), "Encoding"));
}

/* Children (kubectl) must not inherit a probe's socket. */
static void test_close_on_exec(void **state)
{
    struct stage *stage = *state;
    struct http_address address = own_address(stage);
    struct probe_spec spec = spec_of("/", address.port);
    int found = 0;
    stage->answer.manner = MANNER_HANG;
    memset(&stage->told, 0, sizeof stage->told);
    uint64_t ticket = http_get(stage->http, &spec, &address, NULL, TIMEOUT_US, on_done, &stage->told);
    wait_for(stage, &stage->asked, 1);
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && ntohs(peer.sin_port) == address.port) {
            assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
            found++;
        }
    }
    assert_int_equal(found, 1);
    http_cancel(stage->http, ticket);
    probe_spec_free(&spec);
}

/* ---- many, cancelled, none left ---- */

static void test_many_at_once(void **state)
{
    enum { MANY = 300 };
    static struct told told[MANY];
    struct stage *stage = *state;
    struct http_address address = own_address(stage);
    struct probe_spec spec = spec_of("/", address.port);
    uint64_t last = 0;
    int done = 0;
    memset(told, 0, sizeof told);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            uint64_t ticket = http_get(stage->http, &spec, &address, NULL, TIMEOUT_US * 2, on_done, &told[i]);
            assert_true(ticket != 0 && ticket != last);
            last = ticket;
        }
        assert_int_equal(http_in_flight(stage->http), MANY);
        for (int i = 0; i < MANY; i++) {
            wait_for(stage, &told[i].times, round + 1);
            done += told[i].error == HTTP_OK;
        }
    }
    assert_int_equal(done, 2 * MANY);
    assert_int_equal(http_in_flight(stage->http), 0);
    probe_spec_free(&spec);
}

static void test_cancel(void **state)
{
    struct stage *stage = *state;
    struct http_address address = own_address(stage);
    struct probe_spec spec = spec_of("/", address.port), bad = spec_of("/", address.port);
    stage->answer.manner = MANNER_HANG;
    memset(&stage->told, 0, sizeof stage->told);
    uint64_t ticket = http_get(stage->http, &spec, &address, NULL, TIMEOUT_US, on_done, &stage->told);
    wait_for(stage, &stage->asked, 1);
    http_cancel(stage->http, ticket);
    assert_int_equal(stage->told.times, 1);
    assert_int_equal(stage->told.error, HTTP_CANCELLED);
    http_cancel(stage->http, ticket); /* old */
    http_cancel(stage->http, 0);
    http_cancel(stage->http, UINT64_MAX);
    assert_int_equal(stage->told.times, 1);
    /* One that was to fail on the next turn. */
    mem_free(bad.path);
    bad.path = mem_dup("/\n");
    ticket = http_get(stage->http, &bad, &address, NULL, TIMEOUT_US, on_done, &stage->told);
    http_cancel(stage->http, ticket);
    assert_int_equal(stage->told.times, 2);
    assert_int_equal(stage->told.error, HTTP_CANCELLED);
    uv_run(&stage->loop, UV_RUN_NOWAIT);
    assert_int_equal(stage->told.times, 2);
    /* And the end of everything with one under way. */
    http_get(stage->http, &spec, &address, NULL, TIMEOUT_US, on_done, &stage->told);
    wait_for(stage, &stage->asked, 2);
    http_free(stage->http);
    stage->http = NULL;
    assert_int_equal(stage->told.times, 3);
    assert_int_equal(stage->told.error, HTTP_CANCELLED);
    probe_spec_free(&spec);
    probe_spec_free(&bad);
}

/* No descriptor left is our own fault, not the pod's. */
static void test_no_descriptors(void **state)
{
    struct stage *stage = *state;
    struct rlimit old, none;
    int spare = dup(0);
    ask(stage, "/", NULL); /* whatever is opened once is open */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    ask(stage, "/", NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    close(spare);
    assert_int_equal(stage->told.error, HTTP_NO_RESOURCES);
    assert_non_null(strstr(stage->told.detail, "open files"));
}

/* A listener whose queue is full does not answer the SYN. */
static void test_timeout_connect(void **state)
{
    enum { FILLERS = 4 };
    struct stage *stage = *state;
    int fds[FILLERS + 1], full = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in name = {.sin_family = AF_INET};
    socklen_t size = sizeof name;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(full, (struct sockaddr *)&name, size), 0);
    assert_int_equal(listen(full, 0), 0);
    assert_int_equal(getsockname(full, (struct sockaddr *)&name, &size), 0);
    for (int i = 0; i < FILLERS; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        assert_true(connect(fds[i], (struct sockaddr *)&name, size) == 0 || errno == EINPROGRESS);
    }
    struct http_address address = {.host = "127.0.0.1", .port = ntohs(name.sin_port)};
    struct probe_spec spec = spec_of("/", address.port);
    ask_at(stage, &spec, &address, NULL, 200000);
    assert_int_equal(stage->told.error, HTTP_TIMEOUT_CONNECT);
    assert_int_equal(stage->told.connect, -1);
    assert_in_range(stage->told.total, 190000, 2000000);
    probe_spec_free(&spec);
    for (int i = 0; i < FILLERS; i++)
        close(fds[i]);
    close(full);
}

/* ---- libcurl's codes ---- */

/* Every code has a row; those that are no HTTP client's are HTTP_OTHER, and only 0 is fine. */
static void test_every_curl_code(void **state)
{
    enum { PAST_THE_LAST = 130 };
    const struct http_reached nothing = {.words = ""};
    (void)state;
    for (int code = -1; code < PAST_THE_LAST; code++) {
        enum http_error error = http_error_of_curl(code, &nothing);
        assert_int_equal(error == HTTP_OK, code == 0);
        assert_in_range(error, 0, HTTP_ERROR_COUNT - 1);
    }
}

static void test_curl_codes(void **state)
{
    static const struct {
        int code;
        enum http_error error;
        struct http_reached reached;
    } rows[] = {
        {7, HTTP_REFUSED, {.os_errno = ECONNREFUSED}},
        {7, HTTP_UNREACHABLE, {.os_errno = EHOSTUNREACH}},
        {7, HTTP_UNREACHABLE, {.os_errno = ENETUNREACH}},
        {7, HTTP_TIMEOUT_CONNECT, {.os_errno = ETIMEDOUT}},
        {7, HTTP_NO_RESOURCES, {.os_errno = EMFILE}},
        {7, HTTP_NO_RESOURCES, {.os_errno = ENFILE}},
        {7, HTTP_NO_RESOURCES, {.os_errno = EADDRNOTAVAIL}},
        {7, HTTP_NO_RESOURCES, {.os_errno = ENOBUFS}},
        {7, HTTP_NO_RESOURCES, {.os_errno = EACCES}},
        {7, HTTP_RESET, {.os_errno = ECONNRESET}},
        {7, HTTP_CONNECT_FAILED, {.os_errno = 0}},
        {6, HTTP_RESOLVE, {.os_errno = 0}},
        {28, HTTP_TIMEOUT_CONNECT, {.connected = false}},
        {28, HTTP_RESOLVE, {.unresolved = true}},
        {28, HTTP_TIMEOUT_HEADERS, {.connected = true}},
        {28, HTTP_TIMEOUT_TLS, {.connected = true, .https = true}},
        {28, HTTP_TIMEOUT_HEADERS, {.connected = true, .https = true, .tls_done = true}},
        {28, HTTP_TIMEOUT_BODY, {.connected = true, .headers_done = true}},
        {52, HTTP_EMPTY_REPLY, {.connected = true}},
        {55, HTTP_RESET, {.connected = true}},
        {56, HTTP_RESET, {.connected = true}},
        {56, HTTP_BODY_SHORT, {.connected = true, .headers_done = true}},
        {56,
         HTTP_TLS,
         {.connected = true, .https = true, .tls_done = true, .words = "tlsv13 alert certificate required"}},
        {56, HTTP_RESET, {.connected = true, .words = "tlsv13 alert certificate required"}},
        {18, HTTP_BODY_SHORT, {.connected = true, .headers_done = true}},
        {8, HTTP_NOT_HTTP, {.connected = true}},
        {1, HTTP_NOT_HTTP, {.connected = true}},
        {1, HTTP_BAD_REQUEST, {.connected = false}},
        {61, HTTP_BODY_SHORT, {.connected = true, .headers_done = true}},
        {27, HTTP_HEADERS_TOO_BIG, {.connected = true}},
        {27, HTTP_NO_RESOURCES, {.connected = false}},
        {27, HTTP_NO_RESOURCES, {.connected = true, .headers_done = true}},
        {100, HTTP_HEADERS_TOO_BIG, {.connected = true}},
        {35, HTTP_TLS, {.connected = true, .https = true}},
        {60, HTTP_TLS, {.connected = true}},
        {35, HTTP_TLS_PLAIN_SERVER, {.connected = true, .words = "error:0A00010B:SSL routines::wrong version number"}},
        {3, HTTP_BAD_REQUEST, {.os_errno = 0}},
        {42, HTTP_CANCELLED, {.os_errno = 0}},
        {47, HTTP_TOO_MANY_REDIRECTS, {.os_errno = 0}},
        {30, HTTP_OTHER, {.os_errno = 0}},
        {78, HTTP_OTHER, {.os_errno = 0}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_reached reached = rows[i].reached;
        reached.words = reached.words ? reached.words : "";
        if (http_error_of_curl(rows[i].code, &reached) != rows[i].error)
            fail_msg("row %zu: code %d is %s", i, rows[i].code,
                     http_error_sentence(http_error_of_curl(rows[i].code, &reached)));
    }
}

static void test_sentences(void **state)
{
    (void)state;
    for (int error = 0; error < HTTP_ERROR_COUNT; error++)
        assert_true(strlen(http_error_sentence((enum http_error)error)) > 1);
    assert_string_equal(http_error_sentence((enum http_error)99), "other");
}

/* Stops it, and nothing of it is left on the loop. */
static void raw_over(struct stage *stage, struct raw_server *raw)
{
    int64_t until = clock_mono_us() + DEADLINE_MS * (int64_t)MILLISECOND_US;
    raw_stop(raw);
    do
        uv_run(&stage->loop, UV_RUN_NOWAIT);
    while (raw->open > 0 && clock_mono_us() < until);
    assert_int_equal(raw->open, 0);
}

/* What a way does that passes the end of a connection on late, and what the kubelet, which sees it at once, makes of it. The time-out is 600 ms. */
static void test_close_passed_on_late(void **state)
{
#define HEAD "HTTP/1.1 200 OK\r\n"
    static const struct {
        const char *what, *reply, *second;
        unsigned second_ms, close_ms;
        enum raw_end end;
        /* HELD: the way holds the end back until ours has come. OPEN: the server has not closed by then. AT_ONCE: it is no such way. */
        enum { HELD, OPEN, AT_ONCE } way;
        enum http_error error;
        int32_t status;
        int least_ms, most_ms, total_ms;
    } rows[] = {
        {"closed at once", HEAD "\r\nhello", NULL, 0, 0, RAW_KEEP, HELD, HTTP_OK, 200, 290, 550, 200},
        {"no body", HEAD "Server: x\r\n\r\n", NULL, 0, 0, RAW_KEEP, HELD, HTTP_OK, 200, 290, 550, 200},
        {"in two pieces", HEAD "\r\nhel", "lo", 100, 0, RAW_KEEP, HELD, HTTP_OK, 200, 290, 550, 290},
        {"late headers", HEAD, "\r\nhello", 400, 0, RAW_KEEP, HELD, HTTP_OK, 200, 390, 590, 500},
        {"passed on before ours", HEAD "\r\nhello", NULL, 0, 150, RAW_CLOSE, HELD, HTTP_OK, 200, 140, 290, 140},
        {"closed between ours and the time-out", HEAD "\r\nhello", NULL, 0, 450, RAW_CLOSE, OPEN, HTTP_OK, 200, 440,
         650, 200},
        {"never closed, but cut by the way", HEAD "\r\nhello", NULL, 0, 0, RAW_KEEP, OPEN, HTTP_TIMEOUT_BODY, 200, 690,
         880, 600},
        {"closed too late", HEAD "\r\nhello", NULL, 0, 750, RAW_CLOSE, AT_ONCE, HTTP_TIMEOUT_BODY, 200, 590, 740, 740},
        {"dribbles past the time-out", HEAD "\r\nhel", "lo", 650, 1, RAW_CLOSE, OPEN, HTTP_TIMEOUT_BODY, 200, 640, 880,
         600},
        {"headers after the time-out", HEAD, "\r\nhello", 700, 1, RAW_CLOSE, OPEN, HTTP_TIMEOUT_HEADERS, 200, 590, 695,
         600},
        {"silent", "", NULL, 0, 0, RAW_KEEP, OPEN, HTTP_TIMEOUT_HEADERS, 0, 590, 740, 600},
        {"less than promised", HEAD "Content-Length: 9\r\n\r\nhello", NULL, 0, 0, RAW_KEEP, OPEN, HTTP_TIMEOUT_BODY,
         200, 590, 740, 600},
        {"as much as promised", HEAD "Content-Length: 5\r\n\r\nhello", NULL, 0, 0, RAW_KEEP, OPEN, HTTP_OK, 200, 0, 200,
         200},
        {"in chunks without an end", HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", NULL, 0, 0, RAW_KEEP,
         OPEN, HTTP_TIMEOUT_BODY, 200, 590, 740, 600},
    };
#undef HEAD
    struct stage *stage = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct raw_server raw = {.reply = rows[i].reply,
                                 .length = strlen(rows[i].reply),
                                 .end = rows[i].end,
                                 .second = rows[i].second,
                                 .second_ms = rows[i].second_ms,
                                 .close_ms = rows[i].close_ms,
                                 .cut_ms = rows[i].way == OPEN ? 500 : 0};
        int32_t port = raw_listen(&raw, &stage->loop, "127.0.0.1");
        struct http_address address = {.host = "127.0.0.1", .port = port};
        if (rows[i].way != AT_ONCE) {
            address.close_late = 1100 * MILLISECOND_US;
            address.close_way = 100 * MILLISECOND_US;
        }
        struct probe_spec spec = spec_of("/", port);
        int64_t began = clock_mono_us();
        ask_at(stage, &spec, &address, NULL, 600 * MILLISECOND_US);
        int64_t took = (clock_mono_us() - began) / MILLISECOND_US;
        raw_over(stage, &raw);
        bool right = stage->told.error == rows[i].error && stage->told.status == rows[i].status &&
                     took >= rows[i].least_ms && took <= rows[i].most_ms &&
                     stage->told.total <= (rows[i].total_ms + 1) * (int64_t)MILLISECOND_US;
        if (!right)
            fail_msg("%s: %s, status %d, after %d ms, total %d us", rows[i].what,
                     http_error_sentence(stage->told.error), (int)stage->told.status, (int)took,
                     (int)stage->told.total);
        probe_spec_free(&spec);
    }
}

/* Two that wait for their deadlines at once, the one that is later first. */
static void test_two_deadlines(void **state)
{
    struct stage *stage = *state;
    struct raw_server raw = {.reply = "", .length = 0, .end = RAW_KEEP};
    int32_t port = raw_listen(&raw, &stage->loop, "127.0.0.1");
    struct http_address address = {.host = "127.0.0.1", .port = port, .close_late = 5000 * MILLISECOND_US};
    struct probe_spec spec = spec_of("/", port);
    struct told slow = {0}, quick = {0};
    int64_t began = clock_mono_us();
    http_get(stage->http, &spec, &address, NULL, 400 * MILLISECOND_US, on_done, &slow);
    http_get(stage->http, &spec, &address, NULL, 100 * MILLISECOND_US, on_done, &quick);
    wait_for(stage, &quick.times, 1);
    assert_in_range(clock_mono_us() - began, 90 * MILLISECOND_US, 380 * MILLISECOND_US);
    assert_int_equal(slow.times, 0);
    wait_for(stage, &slow.times, 1);
    assert_in_range(clock_mono_us() - began, 390 * MILLISECOND_US, 2000 * MILLISECOND_US);
    assert_int_equal(quick.error, HTTP_TIMEOUT_HEADERS);
    assert_int_equal(slow.error, HTTP_TIMEOUT_HEADERS);
    raw_over(stage, &raw);
    probe_spec_free(&spec);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(test_wire_form),
        ON_STAGE(test_headers),
        ON_STAGE(test_paths),
        ON_STAGE(test_unusable_address),
        ON_STAGE(test_zone),
        ON_STAGE(test_crowd),
        ON_STAGE(test_big_request),
        ON_STAGE(test_answer),
        ON_STAGE(test_times_of_failures),
        ON_STAGE(test_statuses),
        ON_STAGE(test_body_limit),
        ON_STAGE(test_redirects),
        ON_STAGE(test_redirect_limit),
        ON_STAGE(test_redirect_timing),
        ON_STAGE(test_redirect_body),
        ON_STAGE(test_redirect_headers),
        ON_STAGE(test_redirect_to_another_port),
        ON_STAGE(test_ipv6),
        ON_STAGE(test_unix_socket),
        ON_STAGE(test_tcp_connect),
        ON_STAGE(test_name_that_does_not_resolve),
        ON_STAGE(test_no_outside_influence),
        ON_STAGE(test_close_on_exec),
        ON_STAGE(test_many_at_once),
        ON_STAGE(test_cancel),
        ON_STAGE(test_no_descriptors),
        ON_STAGE(test_timeout_connect),
        ON_STAGE(test_close_passed_on_late),
        ON_STAGE(test_two_deadlines),
        cmocka_unit_test(test_every_curl_code),
        cmocka_unit_test(test_curl_codes),
        cmocka_unit_test(test_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
