/* Real TLS: openssl's own server with a certificate that nobody would trust, asked as the kubelet asks (no verification), and what each mismatch of TLS and plain HTTP comes to; through
 * the probe and through the whole program. */
#include "base/clock.h"
#include "model/fact.h"
#include "probe/classify.h"
#include "probe/http.h"
#include "tests/support/pty.h"
#include "tests/support/raw_server.h"
#include "tests/support/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODELS "{\"object\":\"list\",\"data\":[{\"id\":\"tls-model\",\"owned_by\":\"vllm\",\"permission\":[]}]}"
#define PLAIN_REPLY                                                                                                    \
    "HTTP/1.1 200 OK\r\nServer: uvicorn\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" /* whatever it was sent */

enum { DEADLINE_MS = 20000, SOON_US = 300000, LONG_US = 10000000 };

/* Made once for all tests. */
struct place {
    bool able; /* openssl is installed and made a certificate */
    char dir[64];
};

struct stage {
    const struct place *place;
    uv_loop_t loop;
    struct http *http;
    struct raw_server raw;
    struct run server;
    struct sample sample;
    struct classify_question question;
    enum http_error error;
    int64_t tls;
    int times;
};

static void file_write(const char *dir, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static int group_setup(void **state)
{
    static struct place place;
    static const char *const make[] = {
        "openssl", "req",  "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
        "key",     "-out", "cert",  "-days",   "1",  "-subj",    "/CN=elsewhere.invalid",   NULL};
    char models[80];
    struct run run;
    run_directory(place.dir);
    run_start(&run, make, place.dir, NULL);
    place.able = run_wait_exit(&run) && run_code(&run) == 0;
    if (!place.able)
        print_message("           no openssl to make a certificate with: %s\n", buf_str(&run.out));
    run_end(&run);
    file_write(place.dir, "health", "");
    snprintf(models, sizeof models, "%s/v1", place.dir);
    assert_int_equal(mkdir(models, 0700), 0);
    file_write(place.dir, "v1/models", MODELS);
    *state = &place;
    return 0;
}

static int group_teardown(void **state)
{
    const struct place *place = *state;
    run_directory_remove(place->dir);
    return 0;
}

static int setup(void **state)
{
    static struct stage stage;
    const struct place *place = *state;
    memset(&stage, 0, sizeof stage);
    stage.place = place;
    stage.server.fd = -1;
    sample_init(&stage.sample);
    if (uv_loop_init(&stage.loop) != 0)
        return -1;
    stage.http = http_new(&stage.loop, "kube-probe/1.34");
    *state = &stage;
    return stage.http ? 0 : -1;
}

static int teardown(void **state)
{
    struct stage *stage = *state;
    run_end(&stage->server);
    http_free(stage->http);
    sample_free(&stage->sample);
    if (stage->raw.tcp.data)
        raw_stop(&stage->raw);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    *state = (void *)(uintptr_t)stage->place;
    return uv_loop_close(&stage->loop);
}

/* openssl's server on a free port, serving the files of the place. */
static int32_t server_start(struct stage *stage, const char *const *more)
{
    const char *arguments[16] = {"openssl", "s_server", "-accept", "127.0.0.1:0", "-cert",
                                 "cert",    "-key",     "key",     "-WWW"};
    size_t count = 9;
    while (more && *more)
        arguments[count++] = *more++;
    run_end(&stage->server);
    run_start(&stage->server, arguments, stage->place->dir, NULL);
    if (!run_wait_text(&stage->server, "ACCEPT 127.0.0.1:"))
        fail_msg("openssl s_server: %s", buf_str(&stage->server.out));
    const char *port = strstr(buf_str(&stage->server.out), "127.0.0.1:") + strlen("127.0.0.1:");
    return (int32_t)strtol(port, NULL, 10);
}

static void on_done(void *user, const struct http_result *result)
{
    struct stage *stage = user;
    stage->times++;
    stage->error = result->error;
    stage->tls = result->tls;
    classify(&stage->question, result, 1, &stage->sample);
}

static void probe(struct stage *stage, int32_t port, const char *path, bool https, int64_t timeout_us)
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
    http_get(stage->http, &spec, &address, NULL, timeout_us, on_done, stage);
    while (stage->times == 0 && clock_mono_us() < until)
        uv_run(&stage->loop, UV_RUN_ONCE);
    assert_int_equal(stage->times, 1);
    probe_spec_free(&spec);
}

static void expect(const struct stage *stage, const char *what, enum http_error error, enum outcome outcome,
                   enum probe_cause cause)
{
    if (stage->error != error || stage->sample.outcome != outcome || stage->sample.cause != cause)
        fail_msg("%s: \"%s\" (%s), %s, %s", what, http_error_sentence(stage->error), text_str(&stage->sample.detail),
                 outcome_name(stage->sample.outcome), probe_cause_name(stage->sample.cause));
}

/* A certificate of oneself's making, for another name, and either version that kubelets speak. */
static void test_not_verified(void **state)
{
    static const char *const versions[] = {"-tls1_2", "-tls1_3"};
    struct stage *stage = *state;
    if (!stage->place->able)
        skip();
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        int32_t port = server_start(stage, (const char *const[]){versions[i], NULL});
        for (int again = 0; again < 2; again++) { /* no session is resumed */
            probe(stage, port, "/v1/models", true, LONG_US);
            expect(stage, versions[i], HTTP_OK, OUTCOME_OK, PROBE_CAUSE_NONE);
            assert_int_equal(stage->sample.status, 200);
            assert_int_equal(stage->sample.model_count, 1);
            assert_string_equal(text_str(&stage->sample.models[0]), "tls-model");
            assert_true(stage->tls > 0 && stage->sample.tls > stage->sample.connect);
        }
    }
}

/* openssl's server closes without a word when it is sent plain HTTP, as every server built on it does: no more can be told than that. Servers that say it are rows of test_hostile. */
static void test_plain_to_tls(void **state)
{
    struct stage *stage = *state;
    if (!stage->place->able)
        skip();
    probe(stage, server_start(stage, NULL), "/v1/models", false, LONG_US);
    expect(stage, "plain to TLS", HTTP_EMPTY_REPLY, OUTCOME_FAIL, PROBE_CAUSE_EMPTY);
}

/* What the server demands and a kubelet does not give. In TLS 1.3 the refusal comes when the client believes the handshake to be over. */
static void test_handshakes_that_fail(void **state)
{
    static const struct {
        const char *what, *arguments[4];
    } rows[] = {
        {"TLS 1.2, wants a certificate", {"-tls1_2", "-Verify", "1", NULL}},
        {"TLS 1.3, wants a certificate", {"-tls1_3", "-Verify", "1", NULL}},
        {"TLS 1.2, a cipher nobody has", {"-tls1_2", "-cipher", "aNULL", NULL}},
    };
    struct stage *stage = *state;
    if (!stage->place->able)
        skip();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        probe(stage, server_start(stage, rows[i].arguments), "/v1/models", true, LONG_US);
        expect(stage, rows[i].what, HTTP_TLS, OUTCOME_FAIL, PROBE_CAUSE_TLS);
    }
}

static int32_t plain_start(struct stage *stage, const char *reply, enum raw_end end)
{
    stage->raw.reply = reply;
    stage->raw.length = strlen(reply);
    stage->raw.end = end;
    int32_t port = raw_listen(&stage->raw, &stage->loop, "127.0.0.1");
    assert_true(port > 0);
    return port;
}

static void test_tls_to_plain(void **state)
{
    struct stage *stage = *state;
    probe(stage, plain_start(stage, PLAIN_REPLY, RAW_CLOSE), "/v1/models", true, LONG_US);
    expect(stage, "TLS to plain", HTTP_TLS_PLAIN_SERVER, OUTCOME_FAIL, PROBE_CAUSE_TLS_TO_PLAIN);
}

static void test_handshake_never_ends(void **state)
{
    struct stage *stage = *state;
    probe(stage, plain_start(stage, "", RAW_KEEP), "/v1/models", true, SOON_US);
    expect(stage, "never ends", HTTP_TIMEOUT_TLS, OUTCOME_FAIL, PROBE_CAUSE_TIMEOUT_TLS);
    assert_true(stage->sample.connect > 0);
    assert_int_equal(stage->tls, -1);
}

/* A real server that is stopped before it shakes hands: the kernel alone has accepted. */
static void test_stopped_server(void **state)
{
    struct stage *stage = *state;
    if (!stage->place->able)
        skip();
    int32_t port = server_start(stage, NULL);
    assert_int_equal(kill(stage->server.pid, SIGSTOP), 0);
    probe(stage, port, "/v1/models", true, SOON_US);
    expect(stage, "stopped", HTTP_TIMEOUT_TLS, OUTCOME_FAIL, PROBE_CAUSE_TIMEOUT_TLS);
    assert_int_equal(kill(stage->server.pid, SIGCONT), 0);
    probe(stage, port, "/v1/models", true, LONG_US);
    expect(stage, "goes on", HTTP_OK, OUTCOME_OK, PROBE_CAUSE_NONE);
}

/* ---- the whole way ---- */

static void check(struct stage *stage, const char *scheme, int32_t port, int code, const char *const *words)
{
    char url[64];
    struct run run;
    snprintf(url, sizeof url, "%s://127.0.0.1:%d", scheme, (int)port);
    run_start(&run, (const char *const[]){getenv("PROBETOP"), "check", "-o", "json", url, NULL}, stage->place->dir,
              &stage->loop);
    if (!run_wait_exit(&run) || run_code(&run) != code)
        fail_msg("check %s: exit status %d, not %d: %s", url, run_code(&run), code, buf_str(&run.out));
    for (; *words; words++)
        if (!strstr(buf_str(&run.out), *words))
            fail_msg("check %s: no %s in %s", url, *words, buf_str(&run.out));
    run_end(&run);
}

static void test_program(void **state)
{
    struct stage *stage = *state;
    if (!stage->place->able || !pty_has_program())
        skip();
    int32_t port = server_start(stage, NULL);
    check(stage, "https", port, 0,
          (const char *const[]){"\"stage\":\"Ready\"", "\"status\":200", "\"models\":[\"tls-model\"]", NULL});
    check(stage, "http", port, 1, (const char *const[]){"\"cause\":\"empty-reply\"", NULL});
    check(stage, "https", plain_start(stage, PLAIN_REPLY, RAW_CLOSE), 1,
          (const char *const[]){"\"cause\":\"tls-to-plain\"", NULL});
}

static void test_program_handshake_never_ends(void **state)
{
    struct stage *stage = *state;
    if (!pty_has_program())
        skip();
    check(stage, "https", plain_start(stage, "", RAW_KEEP), 1,
          (const char *const[]){"\"cause\":\"timeout-tls\"", NULL});
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(test_not_verified),
        ON_STAGE(test_plain_to_tls),
        ON_STAGE(test_handshakes_that_fail),
        ON_STAGE(test_tls_to_plain),
        ON_STAGE(test_handshake_never_ends),
        ON_STAGE(test_stopped_server),
        ON_STAGE(test_program),
        ON_STAGE(test_program_handshake_never_ends),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
