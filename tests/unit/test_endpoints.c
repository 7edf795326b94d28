#include "base/mem.h"
#include "engine/endpoints.h"
#include "sim/server.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { DEADLINE_US = 20 * SECOND_US, RUNS_MAX = 64, LINES_MAX = 64 };

/* ---- URLs ---- */

static void urls_are_taken_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool https;
        const char *host;
        int32_t port;
        const char *wrong; /* part of the sentence */
    } rows[] = {
        {"http://127.0.0.1:8000", false, "127.0.0.1", 8000, NULL},
        {"http://127.0.0.1:8000/", false, "127.0.0.1", 8000, NULL},
        {"HTTPS://vllm.example:8443", true, "vllm.example", 8443, NULL},
        {"http://decode-0", false, "decode-0", 80, NULL},
        {"https://decode_0.llm-d.svc", true, "decode_0.llm-d.svc", 443, NULL},
        {"http://[::1]:8000", false, "::1", 8000, NULL},
        {"http://[fd00::7]", false, "fd00::7", 80, NULL},
        {"http://h:1", false, "h", 1, NULL},
        {"http://h:65535", false, "h", 65535, NULL},
        {"", false, "", 0, "no scheme"},
        {"127.0.0.1:8000", false, "", 0, "no scheme"},
        {"ftp://h", false, "", 0, "unknown scheme"},
        {"unix:///run/vllm.sock", false, "", 0, "unknown scheme"},
        {"http://", false, "", 0, "no host"},
        {"http:///v1", false, "", 0, "no host"},
        {"http://:8000", false, "", 0, "no host"},
        {"http://h:", false, "", 0, "port"},
        {"http://h:0", false, "", 0, "port"},
        {"http://h:65536", false, "", 0, "port"},
        {"http://h:080000", false, "", 0, "port"},
        {"http://h:+80", false, "", 0, "port"},
        {"http://h:80x", false, "", 0, "port"},
        {"http://[::1]8000", false, "", 0, "port"},
        {"http://[::1", false, "", 0, "bracket"},
        {"http://[nonsense]:80", false, "", 0, "not a host"},
        {"http://[]:80", false, "", 0, "no host"},
        {"http://::1:8000", false, "", 0, "no host"},
        {"http://a b", false, "", 0, "not a host"},
        {"http://a\x1b[31m", false, "", 0, "not a host"},
        {"http://k\xc3\xb6ln", false, "", 0, "not a host"},
        {"http://user@h", false, "", 0, "user or password"},
        {"http://user:secret-word@h:80/", false, "", 0, "user or password"},
        {"http://h/v1", false, "", 0, "path"},
        {"http://h/?a=b", false, "", 0, "path"},
        {"http://h?a=b", false, "", 0, "path"},
        {"http://h/#top", false, "", 0, "fragment"},
        {"http://h#top", false, "", 0, "fragment"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct endpoint_url url = {0};
        struct problem problem = {{0}};
        enum status status = endpoint_url_parse(rows[i].url, "url", &url, &problem);
        if (rows[i].wrong == NULL) {
            assert_int_equal(status, STATUS_OK);
            assert_int_equal(url.https, rows[i].https);
            assert_string_equal(url.host, rows[i].host);
            assert_int_equal(url.port, rows[i].port);
        } else {
            assert_int_equal(status, STATUS_BAD_INPUT);
            if (strstr(problem.text, rows[i].wrong) == NULL)
                print_error("%s: %s\n", rows[i].url, problem.text);
            assert_non_null(strstr(problem.text, rows[i].wrong));
            assert_non_null(strstr(problem.text, "expected"));
            assert_null(strstr(problem.text, "secret-word"));
        }
    }
}

static void a_host_name_has_a_limit(void **state)
{
    (void)state;
    char url[400];
    struct endpoint_url parts;
    struct problem problem;
    snprintf(url, sizeof url, "http://%0253d:80", 0);
    assert_int_equal(endpoint_url_parse(url, "url", &parts, &problem), STATUS_OK);
    snprintf(url, sizeof url, "http://%0254d:80", 0);
    assert_int_equal(endpoint_url_parse(url, "url", &parts, &problem), STATUS_BAD_INPUT);
}

/* ---- arguments ---- */

static void arguments_are_urls_with_or_without_a_name(void **state)
{
    (void)state;
    struct endpoints endpoints = {0};
    struct problem problem = {{0}};
    static const struct {
        const char *argument, *name, *wrong;
    } rows[] = {
        {"http://127.0.0.1:8000", "127.0.0.1:8000", NULL},
        {"decode-0=http://127.0.0.1:8000", "decode-0", NULL},
        {"http://[::1]:9000", "[::1]:9000", NULL},
        {"http://plain", "plain:80", NULL},
        {"http://127.0.0.1:8000", NULL, "taken"},
        {"decode-0=http://127.0.0.1:8001", NULL, "\"decode-0\" is taken"},
        {"=http://h", NULL, "NAME=URL"},
        {"http", NULL, "NAME=URL"},
        {"127.0.0.1:8000", NULL, "NAME=URL"},
        {"a=127.0.0.1:8000", NULL, "NAME=URL"},
        {"a=ftp://h", NULL, "unknown scheme"},
    };
    size_t good = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum status status = endpoints_add_argument(&endpoints, rows[i].argument, &problem);
        if (rows[i].wrong == NULL) {
            assert_int_equal(status, STATUS_OK);
            assert_string_equal(endpoints.list[good].name, rows[i].name);
            good++;
        } else {
            assert_int_equal(status, STATUS_BAD_INPUT);
            assert_non_null(strstr(problem.text, rows[i].wrong));
            assert_non_null(strstr(problem.text, "expected"));
        }
        assert_int_equal(endpoints.count, good);
    }
    endpoints_free(&endpoints);
}

static void an_endpoint_without_more_has_the_recommended_probes_on_its_port(void **state)
{
    (void)state;
    struct endpoints endpoints = {0};
    struct problem problem;
    assert_int_equal(endpoints_add_argument(&endpoints, "https://h:8443", &problem), STATUS_OK);
    static const struct {
        enum lane_kind lane;
        const char *path;
        int32_t period, timeout, failures;
    } rows[] = {{LANE_STARTUP, "/v1/models", 30, 5, 60},
                {LANE_LIVENESS, "/health", 10, 5, 3},
                {LANE_READINESS, "/v1/models", 5, 2, 3},
                {LANE_HEALTH, "/health", 1, 5, 3},
                {LANE_MODELS, "/v1/models", 5, 5, 3}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct probe_spec spec = {0};
        endpoint_spec(&endpoints.list[0], rows[i].lane, &spec);
        assert_int_equal(spec.action, PROBE_HTTP_GET);
        assert_string_equal(spec.path, rows[i].path);
        assert_int_equal(spec.port, 8443);
        assert_true(spec.https);
        assert_int_equal(spec.period, rows[i].period);
        assert_int_equal(spec.timeout, rows[i].timeout);
        assert_int_equal(spec.failure_threshold, rows[i].failures);
        probe_spec_free(&spec);
    }
    endpoints_free(&endpoints);
}

/* ---- the configuration file ---- */

struct conf_row {
    const char *key, *value, *wrong; /* wrong NULL: the line is fine */
};

static void conf_lines(struct endpoints *endpoints, const char *section, const struct conf_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct problem problem = {{0}};
        enum status status = endpoints_conf_line(endpoints, section, rows[i].key, rows[i].value, &problem);
        if (rows[i].wrong == NULL) {
            if (status != STATUS_OK)
                print_error("%s = %s: %s\n", rows[i].key, rows[i].value, problem.text);
            assert_int_equal(status, STATUS_OK);
        } else {
            assert_int_not_equal(status, STATUS_OK);
            if (strstr(problem.text, rows[i].wrong) == NULL)
                print_error("%s = %s: %s\n", rows[i].key, rows[i].value, problem.text);
            assert_non_null(strstr(problem.text, rows[i].wrong));
            assert_non_null(strstr(problem.text, "expected"));
        }
    }
}

static void every_key_is_understood_or_answered_with_what_was_expected(void **state)
{
    (void)state;
    struct endpoints endpoints = {0};
    setenv("TEST_KEY", "sk-abc-123", 1);
    setenv("TEST_SHORT", "abc", 1);
    unsetenv("TEST_UNSET");
    static const struct conf_row rows[] = {
        {"url", "http://h:8000", NULL},
        {"url", "http://h:8001", "twice"},
        {"vllm", "http://h:8200", NULL},
        {"vllm", "h:8200", "no scheme"},
        {"role", "decode", NULL},
        {"role", "boss", "prefill, decode"},
        {"unix", "/run/vllm.sock", NULL},
        {"log", "/var/log/vllm.log", NULL},
        {"log", "", "empty"},
        {"model", "meta-llama/Llama-3.1-8B-Instruct", NULL},
        {"header", "Authorization: Bearer ${TEST_KEY}", NULL},
        {"header", "X-Plain: 1", NULL},
        {"header", "X-Two: ${TEST_KEY}-${TEST_KEY}", NULL},
        {"header", "no colon", "Name: value"},
        {"header", "X: ${TEST_UNSET}", "TEST_UNSET is not set"},
        {"header", "X: ${TEST_SHORT}", "TEST_SHORT is shorter than 4"},
        {"header", "X: ${", "${NAME}"},
        {"header", "X: ${TEST_KEY", "${NAME}"},
        {"header", "Authorization: Bearer abc", "shorter than 4"},
        {"livenessProbe", "off", NULL},
        {"livenessProbe", "on", "off"},
        {"health", "off", NULL},
        {"health", "no", "off"},
        {"startupProbe.failureThreshold", "120", NULL},
        {"startupProbe.initialDelaySeconds", "0", NULL},
        {"readinessProbe.path", "/ready", NULL},
        {"readinessProbe.port", "9000", NULL},
        {"readinessProbe.port", "http", "number"},
        {"readinessProbe.scheme", "HTTPS", NULL},
        {"readinessProbe.header", "X-Probe: ${TEST_KEY}", NULL},
        {"readinessProbe.header", "X-Probe: ${TEST_UNSET}", "not set"},
        {"readinessProbe.periodSeconds", "-5", "periodSeconds"},
        {"readinessProbe.frequency", "5", "frequency is not known"},
        {"readinessProb.path", "/", "not known"},
        {"health.path", "/", "not known"},
        {"colour", "blue", "url, vllm, role"},
    };
    conf_lines(&endpoints, "endpoint decode-0", rows, sizeof rows / sizeof *rows);
    struct problem problem;
    assert_int_equal(endpoints_conf_line(&endpoints, "endpoint", "url", "http://h", &problem), STATUS_BAD_INPUT);
    assert_int_equal(endpoints_conf_line(&endpoints, "endpoint ", "url", "http://h", &problem), STATUS_BAD_INPUT);
    assert_int_equal(endpoints_conf_line(&endpoints, "endpoints x", "url", "http://h", &problem), STATUS_BAD_INPUT);
    assert_int_equal(endpoints.count, 1);

    struct conf_problems problems = {0};
    endpoints_check(&endpoints, "probetop.conf", &problems);
    assert_int_equal(problems.count, 0);
    assert_int_equal(endpoints.count, 1);
    const struct endpoint *endpoint = &endpoints.list[0];
    assert_int_equal(endpoint->role, ROLE_DECODE);
    assert_int_equal(endpoint->header_count, 3);
    assert_string_equal(endpoint->headers[0].value, "Bearer sk-abc-123");
    assert_string_equal(endpoint->headers[2].value, "sk-abc-123-sk-abc-123");
    const struct probe_spec *probes = endpoint->probes;
    assert_int_equal(probes[LANE_STARTUP].failure_threshold, 120);
    assert_int_equal(probes[LANE_STARTUP].initial_delay, 0); /* given, not left out */
    assert_int_equal(probes[LANE_STARTUP].port, 8200);       /* vLLM's own container port */
    assert_int_equal(probes[LANE_LIVENESS].action, PROBE_NONE);
    assert_string_equal(probes[LANE_READINESS].path, "/ready");
    assert_int_equal(probes[LANE_READINESS].port, 9000);
    assert_true(probes[LANE_READINESS].https);
    assert_int_equal(probes[LANE_READINESS].period, 5);
    assert_int_equal(probes[LANE_READINESS].header_count, 1);
    assert_string_equal(probes[LANE_READINESS].headers[0].value, "sk-abc-123");
    assert_int_equal(probes[LANE_HEALTH].action, PROBE_NONE);
    assert_int_equal(probes[LANE_MODELS].port, 8000); /* where clients talk to */
    endpoints_free(&endpoints);
}

static void broken_endpoints_go_with_a_sentence_and_the_others_stay(void **state)
{
    (void)state;
    struct endpoints endpoints = {0};
    static const struct conf_row good[] = {{"url", "http://h:8000", NULL}};
    static const struct conf_row no_url[] = {{"role", "decode", NULL}};
    static const struct conf_row same_port[] = {{"url", "http://h:8000", NULL}, {"vllm", "http://i:8000", NULL}};
    static const struct conf_row bad_spec[] = {{"url", "http://h:8000", NULL},
                                               {"livenessProbe.successThreshold", "2", NULL}};
    conf_lines(&endpoints, "endpoint a", no_url, 1);
    conf_lines(&endpoints, "endpoint b", good, 1);
    conf_lines(&endpoints, "endpoint c", same_port, 2);
    conf_lines(&endpoints, "endpoint d", bad_spec, 2);
    conf_lines(&endpoints, "endpoint e", good, 1);
    struct conf_problems problems = {0};
    endpoints_check(&endpoints, "/etc/x.conf", &problems);
    assert_int_equal(endpoints.count, 2);
    assert_string_equal(endpoints.list[0].name, "b");
    assert_string_equal(endpoints.list[1].name, "e");
    assert_int_equal(problems.count, 3);
    assert_non_null(strstr(problems.list[0].text, "/etc/x.conf: endpoint \"a\" has no url"));
    assert_non_null(strstr(problems.list[1].text, "same port 8000"));
    assert_non_null(strstr(problems.list[2].text, "livenessProbe.successThreshold"));
    conf_problems_free(&problems);
    endpoints_free(&endpoints);
}

static void secrets_are_values_and_the_tokens_in_them(void **state)
{
    (void)state;
    struct endpoints endpoints = {0};
    setenv("TEST_KEY", "sk-abc-123", 1);
    setenv("TEST_WORD", "pass-word", 1);
    static const struct conf_row rows[] = {{"url", "http://h:8000", NULL},
                                           {"header", "Authorization: Bearer ${TEST_KEY}", NULL},
                                           {"header", "X-Short: 1", NULL},
                                           {"header", "Cookie: session=abcdef", NULL},
                                           {"header", "X-Inside: <<${TEST_WORD}>>", NULL},
                                           {"readinessProbe.header", "X-Probe: probe-value", NULL}};
    conf_lines(&endpoints, "endpoint a", rows, sizeof rows / sizeof *rows);
    struct conf_problems problems = {0};
    endpoints_check(&endpoints, "x", &problems);
    assert_int_equal(problems.count, 0);
    size_t count = 0;
    char **secrets = endpoints_secrets(&endpoints, &count);
    static const char *const expected[] = {"Bearer sk-abc-123", "sk-abc-123",  "session=abcdef", "abcdef",
                                           "<<pass-word>>",     "probe-value", "pass-word"};
    assert_int_equal(count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(secrets[i], expected[i]);
        mem_free(secrets[i]);
    }
    mem_free(secrets);
    endpoints_free(&endpoints);
}

/* ---- the source ---- */

struct rig {
    uv_loop_t loop;
    struct engine *engine;
    struct server *server;
    struct answer answer;
    char request[1024];
    struct tunnel *direct;
    struct journal *journal;
    char runs[RUNS_MAX][32]; /* container ids as told */
    bool began_known[RUNS_MAX];
    size_t run_count, line_count, probe_count, note_count;
    char lines[LINES_MAX][128];
    uint32_t line_run[LINES_MAX]; /* runs told before the line */
    char note[256];
    bool stopped;
    char dir[64], log[96];
};

static void on_request(void *user, const char *path, const char *request, struct answer *answer)
{
    struct rig *rig = user;
    (void)path;
    snprintf(rig->request, sizeof rig->request, "%s", request);
    *answer = rig->answer;
}

static void on_fact(void *user, const struct fact *fact)
{
    struct rig *rig = user;
    if (fact->kind == FACT_POD && rig->run_count < RUNS_MAX) {
        snprintf(rig->runs[rig->run_count], sizeof rig->runs[0], "%.30s",
                 text_str(&fact->u.facts.serving.container_id));
        rig->began_known[rig->run_count] = fact->u.facts.serving.started_at_known;
        rig->run_count++;
    } else if (fact->kind == FACT_LOG && rig->line_count < LINES_MAX) {
        snprintf(rig->lines[rig->line_count], sizeof rig->lines[0], "%.120s", text_str(&fact->u.log.line));
        assert_int_equal(fact->u.log.written, -1);
        rig->line_run[rig->line_count] = (uint32_t)rig->run_count;
        rig->line_count++;
    } else if (fact->kind == FACT_PROBE) {
        rig->probe_count++;
    } else if (fact->kind == FACT_NOTE) {
        snprintf(rig->note, sizeof rig->note, "%.250s", text_str(&fact->u.note));
        rig->note_count++;
    }
}

static struct rig *rig_new(void)
{
    struct rig *rig = mem_new(sizeof *rig);
    struct problem problem = {{0}};
    assert_int_equal(uv_loop_init(&rig->loop), 0);
    assert_int_equal(server_new(&rig->loop, on_request, rig, &rig->server, &problem), STATUS_OK);
    rig->answer = (struct answer){.manner = MANNER_ANSWER, .status = 200, .headers = "", .body = "", .body_length = 0};
    strcpy(rig->dir, "/tmp/probetop-endpoints-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    snprintf(rig->log, sizeof rig->log, "%s/vllm.log", rig->dir);
    return rig;
}

/* Watches one endpoint at the rig's server, with these further lines of configuration. */
static void rig_start(struct rig *rig, double speed, const struct conf_row *rows, size_t count)
{
    struct endpoints endpoints = {0};
    struct conf_problems problems = {0};
    struct problem problem = {{0}};
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", (int)server_port(rig->server));
    const struct conf_row base = {"url", url, NULL};
    conf_lines(&endpoints, "endpoint a", &base, 1);
    conf_lines(&endpoints, "endpoint a", rows, count);
    endpoints_check(&endpoints, "x", &problems);
    assert_int_equal(problems.count, 0);
    rig->direct = direct_new();
    size_t secret_count = 0;
    char **secrets = endpoints_secrets(&endpoints, &secret_count);
    struct engine_options options = {.journal = rig->journal,
                                     .secrets = secrets,
                                     .secret_count = secret_count,
                                     .loop = &rig->loop,
                                     .title = "endpoints",
                                     .source_ops = &endpoints_ops,
                                     .source = endpoints_source_new(&endpoints, rig->direct),
                                     .tunnel_ops = &direct_ops,
                                     .tunnel = rig->direct};
    assert_int_equal(endpoints.count, 0); /* taken over */
    clock_start(&options.clock, speed);
    rig->engine = engine_new(&options);
    for (size_t i = 0; i < secret_count; i++)
        mem_free(secrets[i]); /* the engine has its own */
    mem_free(secrets);
    engine_observe(rig->engine, on_fact, rig);
    assert_int_equal(engine_start(rig->engine, &problem), STATUS_OK);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static bool run_until(struct rig *rig, const size_t *count, size_t least, const bool *flag)
{
    int64_t deadline = clock_mono_us() + DEADLINE_US;
    uv_timer_t tick;
    uv_timer_init(&rig->loop, &tick);
    uv_timer_start(&tick, on_tick, 5, 5);
    bool met = false;
    while (!met && clock_mono_us() < deadline) {
        uv_run(&rig->loop, UV_RUN_ONCE);
        met = (count != NULL && *count >= least) || (flag != NULL && *flag);
    }
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&rig->loop, UV_RUN_NOWAIT);
    return met;
}

static void on_stopped(void *user)
{
    struct rig *rig = user;
    rig->stopped = true;
}

static void rig_free(struct rig *rig)
{
    engine_stop(rig->engine, on_stopped, rig);
    assert_true(run_until(rig, NULL, 0, &rig->stopped));
    engine_free(rig->engine);
    server_free(rig->server);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&rig->loop), 0);
    unlink(rig->log);
    rmdir(rig->dir);
    mem_free(rig);
}

static const struct pod *the_pod(const struct rig *rig)
{
    assert_int_equal(engine_fleet(rig->engine)->count, 1);
    return engine_fleet(rig->engine)->pods[0];
}

static void an_endpoint_is_a_pod_without_a_kubelet(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    setenv("TEST_KEY", "sk-abc-123", 1);
    static const struct conf_row rows[] = {{"role", "prefill", NULL},
                                           {"model", "a-model", NULL},
                                           {"header", "Authorization: Bearer ${TEST_KEY}", NULL},
                                           {"startupProbe", "off", NULL}};
    assert_int_equal(server_listen(rig->server), STATUS_OK);
    rig_start(rig, 1, rows, 4);
    assert_true(run_until(rig, &rig->probe_count, 1, NULL));
    const struct pod_facts *facts = &the_pod(rig)->facts;
    assert_string_equal(text_str(&facts->name), "a");
    assert_int_equal(facts->role, ROLE_PREFILL);
    assert_false(facts->kubelet);
    assert_int_equal(facts->serving.state, CONTAINER_RUNNING);
    assert_false(facts->serving.started_at_known);
    assert_int_equal(facts->serving.started, TRI_UNKNOWN);
    assert_int_equal(facts->serving_port, server_port(rig->server));
    assert_int_equal(facts->vllm_port, facts->serving_port);
    assert_false(facts->sidecar.exists);
    assert_string_equal(text_str(&facts->expected_model), "a-model");
    assert_string_equal(text_str(&facts->via), "direct");
    assert_null(facts->probes[LANE_READINESS].headers[0].value); /* the name only */
    assert_non_null(strstr(rig->request, "Authorization: Bearer sk-abc-123\r\n"));
    rig_free(rig);
}

static void where_a_kubelet_would_kill_another_run_begins(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    static const struct conf_row rows[] = {{"startupProbe.initialDelaySeconds", "0", NULL},
                                           {"startupProbe.periodSeconds", "1", NULL},
                                           {"startupProbe.failureThreshold", "3", NULL}};
    rig_start(rig, 20, rows, 3); /* nothing listens */
    assert_true(run_until(rig, &rig->run_count, 3, NULL));
    assert_string_equal(rig->runs[0], "emulated-1");
    assert_string_equal(rig->runs[1], "emulated-2");
    assert_string_equal(rig->runs[2], "emulated-3");
    assert_false(rig->began_known[0]);
    assert_true(rig->began_known[1]); /* we began it ourselves */
    assert_true(the_pod(rig)->lanes[LANE_STARTUP].failed >= 6);
    rig_free(rig);
}

static void liveness_failures_begin_another_run_and_readiness_failures_do_not(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    static const struct conf_row rows[] = {{"startupProbe", "off", NULL},
                                           {"livenessProbe.periodSeconds", "1", NULL},
                                           {"livenessProbe.failureThreshold", "1000", NULL},
                                           {"readinessProbe.periodSeconds", "1", NULL}};
    assert_int_equal(server_listen(rig->server), STATUS_OK);
    rig->answer.status = 503;
    rig_start(rig, 20, rows, 4);
    assert_true(run_until(rig, &rig->probe_count, 20, NULL));
    assert_int_equal(rig->run_count, 1);
    rig_free(rig);

    rig = rig_new();
    static const struct conf_row deadly[] = {{"startupProbe", "off", NULL},
                                             {"livenessProbe.periodSeconds", "1", NULL},
                                             {"livenessProbe.failureThreshold", "2", NULL}};
    assert_int_equal(server_listen(rig->server), STATUS_OK);
    rig->answer.status = 503;
    rig_start(rig, 20, deadly, 3);
    assert_true(run_until(rig, &rig->run_count, 2, NULL));
    rig_free(rig);
}

static void log_write(const char *path, const char *lines)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, lines, strlen(lines)), strlen(lines));
    close(fd);
}

#define BANNER "INFO 11-24 05:54:10 [api_server.py:1840] vLLM API server version 0.11.0\n"
#define SHARDS "Loading safetensors checkpoint shards:  50% Completed | 2/4 [00:02<00:02,  1.00s/it]\n"

static void only_the_newest_process_in_a_log_is_told_of(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    log_write(rig->log, "old words\n" BANNER "loading the first time\n" SHARDS BANNER "the second time\n");
    const struct conf_row row = {"log", rig->log, NULL};
    rig_start(rig, 1, &row, 1);
    assert_true(run_until(rig, &rig->line_count, 2, NULL));
    assert_non_null(strstr(rig->lines[0], "vLLM API server version"));
    assert_string_equal(rig->lines[1], "the second time");
    assert_int_equal(rig->run_count, 1);
    /* a process that begins while we watch is another run */
    log_write(rig->log, SHARDS BANNER "again\n");
    assert_true(run_until(rig, &rig->line_count, 5, NULL));
    assert_int_equal(rig->run_count, 2);
    assert_string_equal(rig->runs[1], "emulated-2");
    assert_true(rig->began_known[1]);
    assert_int_equal(rig->line_run[2], 1);
    assert_int_equal(rig->line_run[3], 2); /* the banner belongs to the new one */
    rig_free(rig);
}

static void a_log_that_is_not_there_is_told_of_once_and_found_later(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    const struct conf_row row = {"log", rig->log, NULL};
    rig_start(rig, 1, &row, 1);
    assert_true(run_until(rig, &rig->note_count, 1, NULL));
    assert_non_null(strstr(rig->note, rig->log));
    log_write(rig->log, "here\n");
    assert_true(run_until(rig, &rig->line_count, 1, NULL));
    assert_string_equal(rig->lines[0], "here");
    assert_int_equal(rig->note_count, 1);
    rig_free(rig);
}

static void a_log_gone_mad_is_held_back(void **state)
{
    (void)state;
    enum { FLOOD = 3000 };
    struct rig *rig = rig_new();
    log_write(rig->log, "first\n");
    const struct conf_row row = {"log", rig->log, NULL};
    rig_start(rig, 1, &row, 1);
    assert_true(run_until(rig, &rig->line_count, 1, NULL));
    char *flood = mem_array(FLOOD, 8);
    for (int i = 0; i < FLOOD; i++)
        snprintf(flood + strlen(flood), 8, "mad %d\n", i % 10);
    log_write(rig->log, flood);
    mem_free(flood);
    /* one line a look until the next second lets it through, and tells what was left out */
    int64_t deadline = clock_mono_us() + DEADLINE_US;
    while (rig->note_count == 0 && clock_mono_us() < deadline) {
        log_write(rig->log, "sane\n");
        uv_run(&rig->loop, UV_RUN_ONCE);
    }
    assert_non_null(strstr(rig->note, "log lines left out"));
    rig_free(rig);
}

/* ---- where they are asked ---- */

static void addresses_follow_url_vllm_and_unix(void **state)
{
    (void)state;
    static const struct conf_row sidecar[] = {{"vllm", "http://127.0.0.2:8200", NULL},
                                              {"readinessProbe.port", "9000", NULL}};
    static const struct conf_row local[] = {{"unix", "/run/vllm.sock", NULL}};
    struct rig *rig = rig_new();
    struct http_address address;
    rig_start(rig, 1, sidecar, 2);
    uint32_t id = the_pod(rig)->facts.id;
    assert_int_equal(direct_ops.address(rig->direct, id, server_port(rig->server), &address), STATUS_OK);
    assert_string_equal(address.host, "127.0.0.1");
    assert_int_equal(direct_ops.address(rig->direct, id, 8200, &address), STATUS_OK);
    assert_string_equal(address.host, "127.0.0.2");
    assert_int_equal(address.port, 8200);
    assert_int_equal(direct_ops.address(rig->direct, id, 9000, &address), STATUS_OK);
    assert_string_equal(address.host, "127.0.0.1");
    assert_true(the_pod(rig)->facts.sidecar.exists);
    assert_int_equal(the_pod(rig)->facts.vllm_port, 8200);
    rig_free(rig);

    rig = rig_new();
    rig_start(rig, 1, local, 1);
    id = the_pod(rig)->facts.id;
    assert_int_equal(direct_ops.address(rig->direct, id, server_port(rig->server), &address), STATUS_OK);
    assert_null(address.host);
    assert_string_equal(address.unix_path, "/run/vllm.sock");
    assert_string_equal(text_str(&the_pod(rig)->facts.address), "unix:/run/vllm.sock");
    rig_free(rig);
}

/* ---- no secret is ever written ---- */

static const char SECRET[] = "sk-never-written-0123456789";

/* All bytes of all files of the directory. */
static void read_all(const char *dir, struct buf *out)
{
    DIR *files = opendir(dir);
    struct dirent *entry;
    assert_non_null(files);
    while ((entry = readdir(files)) != NULL) {
        char path[512], bytes[65536];
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        int fd = open(path, O_RDONLY);
        ssize_t got;
        while (entry->d_name[0] != '.' && (got = read(fd, bytes, sizeof bytes)) > 0)
            buf_append(out, bytes, (size_t)got);
        close(fd);
    }
    closedir(files);
}

static void journal_holds_no_secret(const char *dir)
{
    struct buf all;
    buf_init(&all, 1 << 24);
    read_all(dir, &all);
    assert_non_null(strstr(buf_str(&all), "[redacted]"));
    assert_null(strstr(buf_str(&all), "sk-never"));
    buf_free(&all);
}

/* The server says the key wherever a server can say something, and the log does too. */
static void what_was_sent_never_reaches_the_journal(void **state)
{
    (void)state;
    static const struct {
        int32_t status;
        const char *headers, *body;
    } answers[] = {
        {500, "", "you sent Authorization: Bearer sk-never-written-0123456789"},
        {500, "", "and cut: sk-never-written"},
        {200, "content-type: application/json\r\n",
         "{\"object\":\"list\",\"data\":[{\"id\":\"sk-never-written-0123456789\"},{\"id\":\"m/"
         "sk-never-written-0123456789/x\"}]}"},
        {302, "Location: http://elsewhere.example/?k=sk-never-written-0123456789\r\n", ""},
        {404, "Server: sk-never-written-0123456789\r\n", "{\"detail\":\"sk-never-written-0123456789\"}"},
    };
    setenv("TEST_SECRET", SECRET, 1);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct rig *rig = rig_new();
        char dir[] = "/tmp/probetop-secret-XXXXXX";
        struct problem problem = {{0}};
        assert_non_null(mkdtemp(dir));
        assert_int_equal(journal_create(dir, 1 << 20, 2, &rig->journal, &problem), STATUS_OK);
        log_write(rig->log, "INFO api_key='sk-never-written-0123456789'\n");
        const struct conf_row rows[] = {{"header", "Authorization: Bearer ${TEST_SECRET}", NULL},
                                        {"model", SECRET, NULL},
                                        {"readinessProbe.path", "/v1/models?key=sk-never-written-0123456789", NULL},
                                        {"startupProbe", "off", NULL},
                                        {"log", rig->log, NULL}};
        rig->answer = (struct answer){.manner = MANNER_ANSWER,
                                      .status = answers[i].status,
                                      .headers = answers[i].headers,
                                      .body = answers[i].body,
                                      .body_length = strlen(answers[i].body)};
        assert_int_equal(server_listen(rig->server), STATUS_OK);
        rig_start(rig, 1, rows, 5);
        assert_true(run_until(rig, &rig->probe_count, 3, NULL));
        assert_true(run_until(rig, &rig->line_count, 1, NULL));
        uv_run(&rig->loop, UV_RUN_NOWAIT);
        assert_non_null(strstr(rig->request, SECRET)); /* it was really sent */
        struct journal *journal = rig->journal;
        rig_free(rig);
        journal_holds_no_secret(dir);
        journal_close(journal, false);
        rmdir(dir);
    }
}

static void no_endpoint_at_all_is_an_error(void **state)
{
    (void)state;
    struct endpoints endpoints = {0};
    struct problem problem = {{0}};
    struct tunnel *direct = direct_new();
    void *source = endpoints_source_new(&endpoints, direct);
    assert_int_equal(endpoints_ops.start(source, NULL, &problem), STATUS_BAD_INPUT);
    assert_non_null(strstr(problem.text, "NAME=URL"));
    endpoints_ops.free(source);
    direct_ops.free(direct);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_strictly),
        cmocka_unit_test(a_host_name_has_a_limit),
        cmocka_unit_test(arguments_are_urls_with_or_without_a_name),
        cmocka_unit_test(an_endpoint_without_more_has_the_recommended_probes_on_its_port),
        cmocka_unit_test(every_key_is_understood_or_answered_with_what_was_expected),
        cmocka_unit_test(broken_endpoints_go_with_a_sentence_and_the_others_stay),
        cmocka_unit_test(secrets_are_values_and_the_tokens_in_them),
        cmocka_unit_test(an_endpoint_is_a_pod_without_a_kubelet),
        cmocka_unit_test(where_a_kubelet_would_kill_another_run_begins),
        cmocka_unit_test(liveness_failures_begin_another_run_and_readiness_failures_do_not),
        cmocka_unit_test(only_the_newest_process_in_a_log_is_told_of),
        cmocka_unit_test(a_log_that_is_not_there_is_told_of_once_and_found_later),
        cmocka_unit_test(a_log_gone_mad_is_held_back),
        cmocka_unit_test(addresses_follow_url_vllm_and_unix),
        cmocka_unit_test(what_was_sent_never_reaches_the_journal),
        cmocka_unit_test(no_endpoint_at_all_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
