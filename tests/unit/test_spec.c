/* Probe specs: defaults, what Kubernetes refuses (facts/kube.md 1.5), setting by name, words, and the guide's probes. */
#include "base/text.h"
#include "model/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void lanes_have_names(void **state)
{
    (void)state;
    for (enum lane_kind lane = 0; lane < LANE_COUNT; lane++) {
        assert_true(lane_name(lane)[0] != '\0');
        for (enum lane_kind other = 0; other < lane; other++)
            assert_string_not_equal(lane_name(lane), lane_name(other));
        assert_true(lane_help(lane)[0] != '\0');
        assert_int_equal(lane_is_kubelets(lane), lane != LANE_HEALTH && lane != LANE_MODELS);
    }
    assert_int_equal(lane_letter(LANE_STARTUP), 'S');
    assert_int_equal(lane_letter(LANE_MODELS), 'm');
}

static void actions_have_names(void **state)
{
    (void)state;
    assert_string_equal(probe_action_name(PROBE_NONE), "none");
    assert_string_equal(probe_action_name(PROBE_HTTP_GET), "httpGet");
    assert_string_equal(probe_action_name(PROBE_TCP_SOCKET), "tcpSocket");
    assert_string_equal(probe_action_name(PROBE_GRPC), "grpc");
    assert_string_equal(probe_action_name(PROBE_EXEC), "exec");
}

static void defaults_are_kubernetes_own(void **state)
{
    struct probe_spec spec = {.action = PROBE_HTTP_GET, .port = 8000};
    struct problem problem;

    (void)state;
    probe_spec_defaults(&spec);
    assert_int_equal(spec.initial_delay, 0);
    assert_int_equal(spec.timeout, 1);
    assert_int_equal(spec.period, 10);
    assert_int_equal(spec.success_threshold, 1);
    assert_int_equal(spec.failure_threshold, 3);
    assert_int_equal(spec.termination_grace, 0);
    assert_string_equal(spec.path, "/");
    assert_false(spec.https);
    assert_true(spec.timeout_unset);
    assert_int_equal(probe_spec_check(&spec, LANE_LIVENESS, &problem), STATUS_OK);
    assert_string_equal(problem.text, "");
    probe_spec_free(&spec);
    assert_null(spec.path);
}

static void defaults_leave_what_is_set(void **state)
{
    struct probe_spec spec = {.action = PROBE_TCP_SOCKET,
                              .initial_delay = 7,
                              .timeout = 2,
                              .period = 4,
                              .success_threshold = 5,
                              .failure_threshold = 6};

    (void)state;
    probe_spec_defaults(&spec);
    assert_int_equal(spec.initial_delay, 7);
    assert_int_equal(spec.timeout, 2);
    assert_int_equal(spec.period, 4);
    assert_int_equal(spec.success_threshold, 5);
    assert_int_equal(spec.failure_threshold, 6);
    assert_null(spec.path);
    assert_false(spec.timeout_unset);
}

/* One spec that is fine, with one field changed. */
struct check_row {
    enum lane_kind lane;
    struct probe_spec spec;
    const char *says; /* NULL: fine */
};

#define HTTP .action = PROBE_HTTP_GET, .port = 8000, .path = (char *)(uintptr_t) "/x"
#define TIMES .timeout = 1, .period = 10, .success_threshold = 1, .failure_threshold = 3
static const struct check_row checks[] = {
    {LANE_STARTUP, {HTTP, TIMES}, NULL},
    {LANE_READINESS, {.action = PROBE_NONE}, NULL},
    {LANE_LIVENESS, {.action = PROBE_EXEC, TIMES}, NULL},
    {LANE_LIVENESS,
     {HTTP, .timeout = 1, .period = 10, .success_threshold = 2, .failure_threshold = 3},
     "livenessProbe.successThreshold: must be 1, is 2"},
    {LANE_STARTUP,
     {HTTP, .timeout = 1, .period = 10, .success_threshold = 3, .failure_threshold = 3},
     "startupProbe.successThreshold: must be 1, is 3"},
    {LANE_READINESS, {HTTP, .timeout = 1, .period = 10, .success_threshold = 3, .failure_threshold = 3}, NULL},
    {LANE_READINESS,
     {HTTP, .initial_delay = -1, TIMES},
     "readinessProbe.initialDelaySeconds: must be at least 0, is -1"},
    {LANE_READINESS,
     {HTTP, .timeout = 0, .period = 10, .success_threshold = 1, .failure_threshold = 3},
     "readinessProbe.timeoutSeconds: must be at least 1, is 0"},
    {LANE_READINESS,
     {HTTP, .timeout = 1, .period = -5, .success_threshold = 1, .failure_threshold = 3},
     "readinessProbe.periodSeconds: must be at least 1, is -5"},
    {LANE_READINESS,
     {HTTP, .timeout = 1, .period = 10, .success_threshold = -1, .failure_threshold = 3},
     "readinessProbe.successThreshold: must be at least 1, is -1"},
    {LANE_READINESS,
     {HTTP, .timeout = 1, .period = 10, .success_threshold = 1, .failure_threshold = 0},
     "readinessProbe.failureThreshold: must be at least 1, is 0"},
    {LANE_LIVENESS, {HTTP, TIMES, .termination_grace = 60}, NULL},
    {LANE_LIVENESS,
     {HTTP, TIMES, .termination_grace = -1},
     "livenessProbe.terminationGracePeriodSeconds: must be at least 1 where it is set, is -1"},
    {LANE_READINESS,
     {HTTP, TIMES, .termination_grace = 60},
     "readinessProbe.terminationGracePeriodSeconds: must not be set, a readiness probe kills nothing"},
    {LANE_READINESS,
     {.action = PROBE_HTTP_GET, .path = (char *)(uintptr_t) "/", TIMES},
     "readinessProbe.httpGet.port: must be 1 to 65535, is 0"},
    {LANE_READINESS,
     {.action = PROBE_TCP_SOCKET, .port = 65536, TIMES},
     "readinessProbe.tcpSocket.port: must be 1 to 65535, is 65536"},
    {LANE_READINESS, {.action = PROBE_GRPC, .port = -1, TIMES}, "readinessProbe.grpc.port: must be 1 to 65535, is -1"},
    {LANE_READINESS, {.action = PROBE_GRPC, .port = 65535, TIMES}, NULL},
    {LANE_READINESS,
     {.action = PROBE_GRPC, .port_name = (char *)(uintptr_t) "rpc", TIMES},
     "readinessProbe.grpc.port: must be a number, is \"rpc\""},
    {LANE_READINESS, {.action = PROBE_TCP_SOCKET, .port_name = (char *)(uintptr_t) "http", TIMES}, NULL},
    {LANE_READINESS,
     {.action = PROBE_TCP_SOCKET, .port_name = (char *)(uintptr_t) "HTTP", TIMES},
     "readinessProbe.tcpSocket.port: a name must be at most 15 lower case letters, digits and dashes, is \"HTTP\""},
    {LANE_READINESS, {.action = PROBE_HTTP_GET, .port = 8000, TIMES}, "readinessProbe.httpGet.path: must not be empty"},
    {LANE_HEALTH,
     {HTTP, .timeout = 1, .period = 0, .success_threshold = 1, .failure_threshold = 3},
     "health.periodSeconds: must be at least 1, is 0"},
};

static void check_refuses_what_kubernetes_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        const struct check_row *row = &checks[i];
        struct problem problem = {"left over"};
        const enum status status = probe_spec_check(&row->spec, row->lane, &problem);

        assert_string_equal(problem.text, row->says == NULL ? "" : row->says);
        assert_int_equal(status, row->says == NULL ? STATUS_OK : STATUS_BAD_INPUT);
        assert_int_equal(probe_spec_check(&row->spec, row->lane, NULL), status);
    }
}

static void check_looks_at_header_names(void **state)
{
    struct probe_header header = {.name = (char *)(uintptr_t) "X A", .value = NULL};
    const struct probe_spec spec = {HTTP, TIMES, .headers = &header, .header_count = 1};
    struct problem problem;

    (void)state;
    assert_int_equal(probe_spec_check(&spec, LANE_READINESS, &problem), STATUS_BAD_INPUT);
    assert_string_equal(problem.text, "readinessProbe.httpGet.httpHeaders[0].name: is not a header's name");
    header.name = (char *)(uintptr_t) "X-A";
    assert_int_equal(probe_spec_check(&spec, LANE_READINESS, &problem), STATUS_OK);
}

struct set_row {
    const char *field, *value;
    enum status status;
    const char *says; /* the beginning of the sentence, or "" */
};

static const struct set_row sets[] = {
    {"path", "/v1/models?a=b%20c", STATUS_OK, ""},
    {"path", "v1/models", STATUS_BAD_INPUT, "path: expected a path such as /v1/models"},
    {"path", "/a b", STATUS_BAD_INPUT, "path: expected"},
    {"path", "/a\r\nX: y", STATUS_BAD_INPUT, "path: expected"},
    {"path", "", STATUS_BAD_INPUT, "path: expected"},
    {"port", "1", STATUS_OK, ""},
    {"port", "65535", STATUS_OK, ""},
    {"port", "http-2", STATUS_OK, ""},
    {"port", "0", STATUS_BAD_INPUT, "port: expected 1 to 65535 or a port's name, got \"0\""},
    {"port", "65536", STATUS_BAD_INPUT, "port: expected"},
    {"port", "-1", STATUS_BAD_INPUT, "port: expected"},
    {"port", "99999999999999999999", STATUS_BAD_INPUT, "port: expected"},
    {"port", "a--b", STATUS_BAD_INPUT, "port: expected"},
    {"port", "http-", STATUS_BAD_INPUT, "port: expected"},
    {"port", "sixteen-letters0", STATUS_BAD_INPUT, "port: expected"},
    {"port", "", STATUS_BAD_INPUT, "port: expected"},
    {"scheme", "HTTPS", STATUS_OK, ""},
    {"scheme", "http", STATUS_OK, ""},
    {"scheme", "ftp", STATUS_BAD_INPUT, "scheme: expected HTTP or HTTPS, got \"ftp\""},
    {"host", "127.0.0.1", STATUS_OK, ""},
    {"host", "a/b", STATUS_BAD_INPUT, "host: expected a host name or an address"},
    {"host", "", STATUS_BAD_INPUT, "host: expected"},
    {"initialDelaySeconds", "0", STATUS_OK, ""},
    {"initialDelaySeconds", "604800", STATUS_OK, ""},
    {"initialDelaySeconds", "604801", STATUS_BAD_INPUT,
     "initialDelaySeconds: expected a whole number from 0 to 604800, got \"604801\""},
    {"timeoutSeconds", "0", STATUS_BAD_INPUT, "timeoutSeconds: expected a whole number from 1"},
    {"timeoutSeconds", "5s", STATUS_BAD_INPUT, "timeoutSeconds: expected"},
    {"timeoutSeconds", "1.5", STATUS_BAD_INPUT, "timeoutSeconds: expected"},
    {"timeoutSeconds", " 1", STATUS_BAD_INPUT, "timeoutSeconds: expected"},
    {"periodSeconds", "", STATUS_BAD_INPUT, "periodSeconds: expected"},
    {"periodSeconds", "+3", STATUS_BAD_INPUT, "periodSeconds: expected"},
    {"successThreshold", "2", STATUS_OK, ""},
    {"failureThreshold", "100000", STATUS_OK, ""},
    {"failureThreshold", "100001", STATUS_BAD_INPUT, "failureThreshold: expected a whole number from 1 to 100000"},
    {"terminationGracePeriodSeconds", "0", STATUS_BAD_INPUT, "terminationGracePeriodSeconds: expected"},
    {"header", "X-Key: v", STATUS_OK, ""},
    {"header", "Accept:", STATUS_OK, ""},
    {"header", "no colon", STATUS_BAD_INPUT, "header: expected \"Name: value\" on one line"},
    {"header", ": v", STATUS_BAD_INPUT, "header: expected"},
    {"header", "Bad Name: v", STATUS_BAD_INPUT, "header: expected"},
    {"header", "X: a\nY: b", STATUS_BAD_INPUT, "header: expected"},
    {"Path", "/", STATUS_NOT_FOUND, "no probe field \"Path\"; expected path, port,"},
    {"timeout", "1", STATUS_NOT_FOUND, "no probe field \"timeout\"; expected"},
    {"", "1", STATUS_NOT_FOUND, "no probe field \"\"; expected"},
};

static void set_says_what_was_expected(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        const struct set_row *row = &sets[i];
        struct probe_spec spec = {0};
        struct problem problem = {"left over"};
        char beginning[PROBLEM_MAX];

        assert_int_equal(probe_spec_set(&spec, row->field, row->value, &problem), row->status);
        snprintf(beginning, sizeof beginning, "%.*s", (int)strlen(row->says), problem.text);
        assert_string_equal(beginning, row->says);
        assert_int_equal(problem.text[0] == '\0', row->status == STATUS_OK);
        assert_int_equal(probe_spec_set(&spec, row->field, row->value, NULL), row->status);
        probe_spec_free(&spec);
    }
}

static void set_puts_it_there(void **state)
{
    static const char *const lines[][2] = {{"path", "/health"},       {"port", "8200"},
                                           {"scheme", "HTTPS"},       {"host", "::1"},
                                           {"timeoutSeconds", "2"},   {"initialDelaySeconds", "3"},
                                           {"periodSeconds", "4"},    {"successThreshold", "5"},
                                           {"failureThreshold", "6"}, {"header", "X-Key:  s3cret "},
                                           {"header", "Accept:"},     {"terminationGracePeriodSeconds", "7"}};
    struct probe_spec spec = {.timeout_unset = true};

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_int_equal(probe_spec_set(&spec, lines[i][0], lines[i][1], NULL), STATUS_OK);
    assert_int_equal(spec.action, PROBE_HTTP_GET);
    assert_string_equal(spec.path, "/health");
    assert_int_equal(spec.port, 8200);
    assert_null(spec.port_name);
    assert_true(spec.https);
    assert_string_equal(spec.host, "::1");
    assert_int_equal(spec.timeout, 2);
    assert_false(spec.timeout_unset);
    assert_int_equal(spec.initial_delay, 3);
    assert_int_equal(spec.period, 4);
    assert_int_equal(spec.success_threshold, 5);
    assert_int_equal(spec.failure_threshold, 6);
    assert_int_equal(spec.termination_grace, 7);
    assert_int_equal(spec.header_count, 2);
    assert_string_equal(spec.headers[0].name, "X-Key");
    assert_string_equal(spec.headers[0].value, "s3cret ");
    assert_string_equal(spec.headers[1].name, "Accept");
    assert_string_equal(spec.headers[1].value, "");
    assert_int_equal(probe_spec_set(&spec, "port", "http", NULL), STATUS_OK);
    assert_int_equal(spec.port, 0);
    assert_string_equal(spec.port_name, "http");
    assert_int_equal(probe_spec_set(&spec, "path", "nonsense", NULL), STATUS_BAD_INPUT);
    assert_string_equal(spec.path, "/health");
    probe_spec_http(&spec, "/v1/models", 8000);
    assert_null(spec.port_name);
    assert_int_equal(spec.port, 8000);
    assert_int_equal(spec.timeout, 2);
    probe_spec_free(&spec);
}

static void set_numbers_make_no_http_probe(void **state)
{
    struct probe_spec spec = {0};

    (void)state;
    assert_int_equal(probe_spec_set(&spec, "periodSeconds", "4", NULL), STATUS_OK);
    assert_int_equal(probe_spec_set(&spec, "port", "0", NULL), STATUS_BAD_INPUT);
    assert_int_equal(spec.action, PROBE_NONE);
}

static void headers_have_an_end_and_no_echo(void **state)
{
    struct probe_spec spec = {0};
    struct problem problem;

    (void)state;
    for (int i = 0; i < PROBE_HEADERS_MAX; i++)
        assert_int_equal(probe_spec_set(&spec, "header", "X: 1", NULL), STATUS_OK);
    assert_int_equal(probe_spec_set(&spec, "header", "X: 1", &problem), STATUS_FULL);
    assert_string_equal(problem.text, "header: expected at most 16 headers");
    assert_int_equal(spec.header_count, PROBE_HEADERS_MAX);
    assert_int_equal(probe_spec_set(&spec, "header", "Authorization s3cret", &problem), STATUS_BAD_INPUT);
    assert_null(strstr(problem.text, "s3cret"));
    probe_spec_free(&spec);
}

static void copy_is_deep(void **state)
{
    struct probe_spec from = {0}, to = {0};

    (void)state;
    assert_int_equal(probe_spec_set(&from, "port", "http", NULL), STATUS_OK);
    assert_int_equal(probe_spec_set(&from, "path", "/p", NULL), STATUS_OK);
    assert_int_equal(probe_spec_set(&from, "host", "h", NULL), STATUS_OK);
    assert_int_equal(probe_spec_set(&from, "header", "X: 1", NULL), STATUS_OK);
    probe_spec_http(&to, "/old", 1);
    probe_spec_copy(&to, &from);
    probe_spec_copy(&to, &to);
    assert_true(probe_spec_same_target(&to, &from));
    assert_ptr_not_equal(to.path, from.path);
    probe_spec_free(&from);
    assert_string_equal(to.path, "/p");
    assert_string_equal(to.port_name, "http");
    assert_string_equal(to.host, "h");
    assert_string_equal(to.headers[0].value, "1");
    probe_spec_copy(&to, &from);
    assert_int_equal(to.action, PROBE_NONE);
    assert_int_equal(to.header_count, 0);
    probe_spec_free(&to);
}

/* A header known by name only: a decoded fact has no value. */
static void copy_keeps_an_unknown_value(void **state)
{
    struct probe_header header = {.name = (char *)(uintptr_t) "Authorization", .value = NULL};
    const struct probe_spec from = {HTTP, TIMES, .headers = &header, .header_count = 1};
    struct probe_spec to = {0};

    (void)state;
    probe_spec_copy(&to, &from);
    assert_string_equal(to.headers[0].name, "Authorization");
    assert_null(to.headers[0].value);
    probe_spec_free(&to);
}

static void same_target(void **state)
{
    static const struct {
        struct probe_spec a, b;
        bool same;
    } rows[] = {
        {{HTTP}, {HTTP, .period = 3}, true},
        {{HTTP}, {.action = PROBE_HTTP_GET, .port = 8000, .path = (char *)(uintptr_t) "/y"}, false},
        {{HTTP}, {.action = PROBE_HTTP_GET, .port = 8001, .path = (char *)(uintptr_t) "/x"}, false},
        {{HTTP}, {HTTP, .https = true}, false},
        {{HTTP}, {HTTP, .host = (char *)(uintptr_t) "127.0.0.1"}, false},
        {{HTTP}, {HTTP, .port_name = (char *)(uintptr_t) "http"}, true},
        {{.action = PROBE_TCP_SOCKET, .port = 8000}, {.action = PROBE_GRPC, .port = 8000}, false},
        {{.action = PROBE_TCP_SOCKET, .port_name = (char *)(uintptr_t) "a"},
         {.action = PROBE_TCP_SOCKET, .port_name = (char *)(uintptr_t) "b"},
         false},
        {{.action = PROBE_NONE}, {.action = PROBE_NONE}, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(probe_spec_same_target(&rows[i].a, &rows[i].b), rows[i].same);
        assert_int_equal(probe_spec_same_target(&rows[i].b, &rows[i].a), rows[i].same);
    }
}

static void describe(void **state)
{
    static const struct {
        struct probe_spec spec;
        const char *words;
    } rows[] = {
        {{.action = PROBE_HTTP_GET, .port = 8200, .path = (char *)(uintptr_t) "/v1/models"}, "GET :8200/v1/models"},
        {{HTTP, .https = true}, "GET https://:8000/x"},
        {{HTTP, .host = (char *)(uintptr_t) "127.0.0.1"}, "GET 127.0.0.1:8000/x"},
        {{.action = PROBE_HTTP_GET, .port_name = (char *)(uintptr_t) "http", .path = (char *)(uintptr_t) "/"},
         "GET :http/"},
        {{.action = PROBE_HTTP_GET, .port = 1, .path = (char *)(uintptr_t) "/\x1b[2J"}, "GET :1/\\x1b[2J"},
        {{.action = PROBE_TCP_SOCKET, .port = 8000}, "TCP :8000"},
        {{.action = PROBE_GRPC, .port = 9000}, "gRPC :9000"},
        {{.action = PROBE_EXEC}, "exec"},
        {{.action = PROBE_NONE}, "no probe"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text words = {0};

        probe_spec_describe(&rows[i].spec, &words);
        assert_string_equal(text_str(&words), rows[i].words);
        text_free(&words);
    }
}

static void recommended(void **state)
{
    static const struct {
        enum lane_kind lane;
        const char *path;
        int32_t delay, period, timeout, failures;
    } rows[] = {
        {LANE_STARTUP, "/v1/models", 15, 30, 5, 60}, {LANE_LIVENESS, "/health", 0, 10, 5, 3},
        {LANE_READINESS, "/v1/models", 0, 5, 2, 3},  {LANE_HEALTH, "/health", 0, 10, 5, 3},
        {LANE_MODELS, "/v1/models", 0, 5, 2, 3},
    };
    struct probe_spec spec = {0};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct problem problem;

        probe_spec_recommended(&spec, rows[i].lane, 8200);
        assert_int_equal(spec.action, PROBE_HTTP_GET);
        assert_string_equal(spec.path, rows[i].path);
        assert_int_equal(spec.port, 8200);
        assert_int_equal(spec.initial_delay, rows[i].delay);
        assert_int_equal(spec.period, rows[i].period);
        assert_int_equal(spec.timeout, rows[i].timeout);
        assert_int_equal(spec.failure_threshold, rows[i].failures);
        assert_int_equal(spec.success_threshold, 1);
        assert_false(spec.timeout_unset);
        assert_int_equal(probe_spec_check(&spec, rows[i].lane, &problem), STATUS_OK);
    }
    probe_spec_free(&spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_have_names),
        cmocka_unit_test(actions_have_names),
        cmocka_unit_test(defaults_are_kubernetes_own),
        cmocka_unit_test(defaults_leave_what_is_set),
        cmocka_unit_test(check_refuses_what_kubernetes_refuses),
        cmocka_unit_test(check_looks_at_header_names),
        cmocka_unit_test(set_says_what_was_expected),
        cmocka_unit_test(set_puts_it_there),
        cmocka_unit_test(set_numbers_make_no_http_probe),
        cmocka_unit_test(headers_have_an_end_and_no_echo),
        cmocka_unit_test(copy_is_deep),
        cmocka_unit_test(copy_keeps_an_unknown_value),
        cmocka_unit_test(same_target),
        cmocka_unit_test(describe),
        cmocka_unit_test(recommended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
