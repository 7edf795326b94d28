/* Every line of the tables of facts/kube.md 1.6, 3.1 and facts/vllm.md 1.2 to 1.4 as a row; and, over all combinations, what must always hold. */
#include "model/fact.h"
#include "probe/classify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define CARD                                                                                                           \
    "{\"id\":\"llama\",\"object\":\"model\",\"created\":1,\"owned_by\":\"vllm\",\"root\":\"/m\",\"parent\":null,"
#define VLLM_MODELS                                                                                                    \
    "{\"object\":\"list\",\"data\":[" CARD "\"max_model_len\":8,\"permission\":[{\"id\":\"modelperm-1\"}]}]}"
#define SIM_MODELS "{\"object\":\"list\",\"data\":[" CARD "\"max_model_len\":8}]}"
#define NOT_READY                                                                                                      \
    "{\"object\":\"error\",\"message\":\"The decode node is not ready. Please "                                        \
    "check.\",\"type\":\"ServiceUnavailable\",\"param\":\"\",\"code\":503}"
#define BAD_GATEWAY "{\"object\":\"error\",\"message\":\"failed\",\"type\":\"BadGateway\",\"param\":\"\",\"code\":502}"
#define SCALING "{\"error\": \"The model is currently scaling. Please try again later.\"}"
#define API_STATUS(code, reason, message)                                                                              \
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"" message         \
    "\",\"reason\":\"" reason "\",\"code\":" #code "}"
#define REACH "error trying to reach service: dial tcp 10.201.0.6:8000: "

/* ---- rows ---- */

struct row {
    const char *name;
    enum lane_kind lane;
    const char *path;
    enum http_error error;
    int32_t status;
    const char *server, *body;
    enum outcome outcome;
    enum probe_cause cause;
    enum answerer answerer;
    bool behind_sidecar, tunnelled, proxied, elsewhere;
    const char *type;
    enum tunnel_word word; /* TUNNEL_STARTING stands for up */
    const char *location, *expected, *detail, *said;
    enum probe_action action; /* PROBE_NONE stands for httpGet */
    bool body_cut;
    enum answerer known;
};

static void row_run(const struct row *row, struct sample *sample)
{
    struct classify_question question = {
        .lane = row->lane,
        .action = row->action ? row->action : PROBE_HTTP_GET,
        .path = row->path,
        .tunnelled = row->tunnelled,
        .proxied = row->proxied,
        .tunnel = row->word ? row->word : TUNNEL_UP,
        .said = row->said,
        .behind_sidecar = row->behind_sidecar,
        .known = row->known,
        .expected_model = row->expected ? row->expected : "",
    };
    struct http_result result = {
        .error = row->error,
        .status = row->status,
        .dns = -1,
        .connect = 10,
        .tls = -1,
        .first_byte = 20,
        .total = 30,
        .redirect_elsewhere = row->elsewhere,
        .body = row->body,
        .body_length = strlen(row->body),
        .body_cut = row->body_cut,
        .server = row->server,
        .content_type = row->type ? row->type : "",
        .location = row->location ? row->location : "",
        .detail = row->error ? "curl's words" : "",
    };
    sample_init(sample);
    classify(&question, &result, 1, sample);
}

static void rows_check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sample sample;
        row_run(&rows[i], &sample);
        if (sample.outcome != rows[i].outcome || sample.cause != rows[i].cause || sample.answerer != rows[i].answerer ||
            (rows[i].detail && !text_is(&sample.detail, rows[i].detail)))
            fail_msg("%s: %s, %s, by %s, \"%s\"", rows[i].name, outcome_name(sample.outcome),
                     probe_cause_name(sample.cause), answerer_name(sample.answerer), text_str(&sample.detail));
        sample_free(&sample);
    }
}

#define ROWS(...)                                                                                                      \
    static const struct row rows[] = {__VA_ARGS__};                                                                    \
    (void)state;                                                                                                       \
    rows_check(rows, sizeof rows / sizeof rows[0])

/* Rows are read as rows. */
/* clang-format off */
#define HEALTH LANE_LIVENESS, "/health"
#define MODELS LANE_READINESS, "/v1/models"
#define OK OUTCOME_OK, PROBE_CAUSE_NONE

/* facts/vllm.md 1.2: vLLM's own port. */
static void test_vllm(void **state)
{
    ROWS(
        {.name = "loading", MODELS, HTTP_REFUSED, 0, "", "", OUTCOME_FAIL, PROBE_CAUSE_REFUSED, ANSWERER_NOBODY},
        {.name = "health", HEALTH, HTTP_OK, 200, "uvicorn", "", OK, ANSWERER_VLLM, .detail = ""},
        {.name = "models", MODELS, HTTP_OK, 200, "uvicorn", VLLM_MODELS, OK, ANSWERER_VLLM, .detail = ""},
        {.name = "models, the Rust front end", MODELS, HTTP_OK, 200, "",
         "{\"data\":[{\"id\":\"a\",\"owned_by\":\"vllm-frontend-rs\"}]}", OK, ANSWERER_VLLM},
        {.name = "the expected model", MODELS, HTTP_OK, 200, "uvicorn", VLLM_MODELS, OK, ANSWERER_VLLM,
         .expected = "llama"},
        {.name = "API key", MODELS, HTTP_OK, 401, "uvicorn", "{\"error\":\"Unauthorized\"}", OUTCOME_FAIL,
         PROBE_CAUSE_UNAUTHORIZED, ANSWERER_VLLM, .detail = "401: Unauthorized"},
        {.name = "scaling", HEALTH, HTTP_OK, 503, "uvicorn", SCALING, OUTCOME_FAIL, PROBE_CAUSE_SCALING, ANSWERER_VLLM},
        {.name = "scaling, models", MODELS, HTTP_OK, 503, "uvicorn", SCALING, OUTCOME_FAIL, PROBE_CAUSE_SCALING,
         ANSWERER_VLLM},
        {.name = "engine dead", HEALTH, HTTP_OK, 503, "uvicorn", "", OUTCOME_FAIL, PROBE_CAUSE_ENGINE_DEAD,
         ANSWERER_VLLM, .detail = "HTTP probe failed with statuscode: 503", .known = ANSWERER_VLLM},
        {.name = "engine dead, /ping", LANE_LIVENESS, "/ping?x=1", HTTP_OK, 503, "uvicorn", "", OUTCOME_FAIL,
         PROBE_CAUSE_ENGINE_DEAD, ANSWERER_VLLM, .known = ANSWERER_VLLM},
        {.name = "engine dead, 0.9.2 to 0.10", HEALTH, HTTP_OK, 500, "uvicorn", "", OUTCOME_FAIL,
         PROBE_CAUSE_ENGINE_DEAD, ANSWERER_VLLM, .known = ANSWERER_VLLM},
        {.name = "engine dead, models are still listed", MODELS, HTTP_OK, 200, "uvicorn", VLLM_MODELS, OK,
         ANSWERER_VLLM},
        {.name = "event loop busy", HEALTH, HTTP_TIMEOUT_HEADERS, 0, "", "", OUTCOME_FAIL,
         PROBE_CAUSE_TIMEOUT_HEADERS, ANSWERER_NOBODY, .detail = "curl's words"},
        {.name = "no such path", LANE_READINESS, "/health/ready", HTTP_OK, 404, "uvicorn",
         "{\"detail\":\"Not Found\"}", OUTCOME_FAIL, PROBE_CAUSE_NOT_FOUND, ANSWERER_VLLM, .detail = "404: Not Found"},
        {.name = "500 elsewhere", MODELS, HTTP_OK, 500, "uvicorn", "oops", OUTCOME_FAIL, PROBE_CAUSE_STATUS,
         ANSWERER_VLLM},
        {.name = "503 with words is not a dead engine", HEALTH, HTTP_OK, 503, "uvicorn", "busy", OUTCOME_FAIL,
         PROBE_CAUSE_STATUS, ANSWERER_VLLM},
        {.name = "405", MODELS, HTTP_OK, 405, "uvicorn", "", OUTCOME_FAIL, PROBE_CAUSE_STATUS, ANSWERER_VLLM});
}

/* facts/vllm.md 1.3. */
static void test_special_servers(void **state)
{
    ROWS(
        {.name = "simulator", MODELS, HTTP_OK, 200, "fasthttp", SIM_MODELS, OK, ANSWERER_SIMULATOR},
        {.name = "simulator without its header", MODELS, HTTP_OK, 200, "", SIM_MODELS, OK, ANSWERER_SIMULATOR},
        {.name = "simulator's health", HEALTH, HTTP_OK, 200, "fasthttp", "{}", OK, ANSWERER_SIMULATOR},
        {.name = "simulator not ready", LANE_READINESS, "/health/ready", HTTP_OK, 503, "fasthttp", "", OUTCOME_FAIL,
         PROBE_CAUSE_STATUS, ANSWERER_SIMULATOR},
        {.name = "SGLang", MODELS, HTTP_OK, 200, "uvicorn", "{\"data\":[{\"id\":\"q\",\"owned_by\":\"sglang\"}]}", OK,
         ANSWERER_SGLANG},
        {.name = "SGLang loads, and is known", HEALTH, HTTP_OK, 503, "uvicorn", "", OUTCOME_FAIL, PROBE_CAUSE_STATUS,
         ANSWERER_SGLANG, .detail = "HTTP probe failed with statuscode: 503", .known = ANSWERER_SGLANG},
        {.name = "SGLang or a dead vLLM: not known yet", HEALTH, HTTP_OK, 503, "uvicorn", "", OUTCOME_FAIL,
         PROBE_CAUSE_STATUS, ANSWERER_VLLM},
        {.name = "the same, as the witness", LANE_HEALTH, "/health", HTTP_OK, 503, "uvicorn", "", OUTCOME_FAIL,
         PROBE_CAUSE_STATUS, ANSWERER_VLLM},
        {.name = "500, not known yet", HEALTH, HTTP_OK, 500, "uvicorn", "", OUTCOME_FAIL, PROBE_CAUSE_STATUS,
         ANSWERER_VLLM},
        {.name = "SGLang is warm", HEALTH, HTTP_OK, 200, "uvicorn", "", OK, ANSWERER_SGLANG, .known = ANSWERER_SGLANG},
        {.name = "SGLang fails later", HEALTH, HTTP_OK, 503, "uvicorn", "", OUTCOME_FAIL, PROBE_CAUSE_STATUS,
         ANSWERER_SGLANG, .known = ANSWERER_SGLANG},
        {.name = "a list of vLLM's is surer than what was known", MODELS, HTTP_OK, 200, "uvicorn", VLLM_MODELS, OK,
         ANSWERER_VLLM, .known = ANSWERER_SGLANG},
        {.name = "engine dead behind the Rust front end", HEALTH, HTTP_OK, 503, "", "", OUTCOME_FAIL,
         PROBE_CAUSE_ENGINE_DEAD, ANSWERER_OTHER, .known = ANSWERER_VLLM},
        {.name = "another server", MODELS, HTTP_OK, 200, "llama.cpp",
         "{\"data\":[{\"id\":\"q\",\"owned_by\":\"llamacpp\"}]}", OK, ANSWERER_OTHER},
        {.name = "DP supervisor ready", LANE_READINESS, "/readyz", HTTP_OK, 200, "uvicorn", "", OK,
         ANSWERER_DP_SUPERVISOR},
        {.name = "DP supervisor not ready", LANE_READINESS, "/readyz", HTTP_OK, 503, "uvicorn", "", OUTCOME_FAIL,
         PROBE_CAUSE_STATUS, ANSWERER_DP_SUPERVISOR},
        {.name = "vLLM has no /readyz", LANE_READINESS, "/readyz", HTTP_OK, 404, "uvicorn",
         "{\"detail\":\"Not Found\"}", OUTCOME_FAIL, PROBE_CAUSE_NOT_FOUND, ANSWERER_VLLM},
        {.name = "nginx", HEALTH, HTTP_OK, 404, "nginx", "<html>", OUTCOME_FAIL, PROBE_CAUSE_NOT_FOUND, ANSWERER_OTHER});
}

/* facts/vllm.md 1.4: through the llm-d routing sidecar. */
static void test_sidecar(void **state)
{
    ROWS(
        {.name = "its own health", HEALTH, HTTP_OK, 200, "", "", OK, ANSWERER_SIDECAR, .behind_sidecar = true},
        {.name = "decode not ready", MODELS, HTTP_OK, 503, "", NOT_READY, OUTCOME_FAIL, PROBE_CAUSE_SIDECAR_NOT_READY,
         ANSWERER_SIDECAR, .behind_sidecar = true, .detail = "503: The decode node is not ready. Please check."},
        {.name = "decode not ready, sidecar not known of", MODELS, HTTP_OK, 503, "", NOT_READY, OUTCOME_FAIL,
         PROBE_CAUSE_SIDECAR_NOT_READY, ANSWERER_SIDECAR},
        {.name = "old sidecar", MODELS, HTTP_OK, 502, "", "", OUTCOME_FAIL, PROBE_CAUSE_SIDECAR_NOT_READY,
         ANSWERER_SIDECAR, .behind_sidecar = true},
        {.name = "502 without a sidecar", MODELS, HTTP_OK, 502, "nginx", "", OUTCOME_FAIL, PROBE_CAUSE_STATUS,
         ANSWERER_OTHER},
        {.name = "connection broken midway", MODELS, HTTP_OK, 502, "", BAD_GATEWAY, OUTCOME_FAIL,
         PROBE_CAUSE_SIDECAR_BAD_GATEWAY, ANSWERER_SIDECAR, .behind_sidecar = true},
        {.name = "proxied models", MODELS, HTTP_OK, 200, "uvicorn", VLLM_MODELS, OK, ANSWERER_VLLM,
         .behind_sidecar = true},
        {.name = "proxied simulator", MODELS, HTTP_OK, 200, "fasthttp", SIM_MODELS, OK, ANSWERER_SIMULATOR,
         .behind_sidecar = true},
        {.name = "503 on the sidecar's port is no dead engine", HEALTH, HTTP_OK, 503, "", "", OUTCOME_FAIL,
         PROBE_CAUSE_STATUS, ANSWERER_OTHER, .behind_sidecar = true});
}

/* facts/kube.md 1.6: what the kubelet makes of answers. */
static void test_kubelet(void **state)
{
    ROWS(
        {.name = "399", HEALTH, HTTP_OK, 399, "", "", OUTCOME_WARN, PROBE_CAUSE_REDIRECT_UNFOLLOWED, ANSWERER_OTHER},
        {.name = "400", HEALTH, HTTP_OK, 400, "", "", OUTCOME_FAIL, PROBE_CAUSE_STATUS, ANSWERER_OTHER},
        {.name = "204", HEALTH, HTTP_OK, 204, "", "", OK, ANSWERER_OTHER},
        {.name = "101", HEALTH, HTTP_OK, 101, "", "", OUTCOME_FAIL, PROBE_CAUSE_STATUS, ANSWERER_OTHER},
        {.name = "304", HEALTH, HTTP_OK, 304, "", "", OUTCOME_WARN, PROBE_CAUSE_REDIRECT_UNFOLLOWED, ANSWERER_OTHER},
        {.name = "redirected elsewhere", HEALTH, HTTP_OK, 302, "", "moved", OUTCOME_WARN,
         PROBE_CAUSE_REDIRECT_ELSEWHERE, ANSWERER_OTHER, .elsewhere = true, .location = "http://a\033b/", .detail = "302 to http://a\\x1bb/"},
        {.name = "redirected in a circle", HEALTH, HTTP_TOO_MANY_REDIRECTS, 302, "", "", OUTCOME_FAIL,
         PROBE_CAUSE_REDIRECT_LOOP, ANSWERER_OTHER},
        {.name = "timeout in the body", MODELS, HTTP_TIMEOUT_BODY, 200, "uvicorn", "{\"da", OUTCOME_ERRORED,
         PROBE_CAUSE_TIMEOUT_BODY, ANSWERER_VLLM},
        {.name = "short body", MODELS, HTTP_BODY_SHORT, 200, "uvicorn", "{\"da", OUTCOME_ERRORED,
         PROBE_CAUSE_BODY_SHORT, ANSWERER_VLLM},
        {.name = "short body of a failure is errored too", MODELS, HTTP_BODY_SHORT, 503, "", "x", OUTCOME_ERRORED,
         PROBE_CAUSE_BODY_SHORT, ANSWERER_OTHER},
        {.name = "empty list", MODELS, HTTP_OK, 200, "uvicorn", "{\"data\":[]}", OUTCOME_OK, PROBE_CAUSE_NO_MODEL,
         ANSWERER_VLLM},
        {.name = "another model", MODELS, HTTP_OK, 200, "uvicorn", VLLM_MODELS, OUTCOME_OK, PROBE_CAUSE_WRONG_MODEL,
         ANSWERER_VLLM, .expected = "qwen"},
        {.name = "no list at all", MODELS, HTTP_OK, 200, "nginx", "<html>", OK, ANSWERER_OTHER});
}

/* Our own witness of /v1/models says no where the kubelet would say yes. */
static void test_models_witness(void **state)
{
#define WITNESS LANE_MODELS, "/v1/models"
    ROWS(
        {.name = "list", WITNESS, HTTP_OK, 200, "uvicorn", VLLM_MODELS, OK, ANSWERER_VLLM},
        {.name = "empty list", WITNESS, HTTP_OK, 200, "uvicorn", "{\"data\":[]}", OUTCOME_FAIL, PROBE_CAUSE_NO_MODEL,
         ANSWERER_VLLM},
        {.name = "no list", WITNESS, HTTP_OK, 200, "nginx", "<html>", OUTCOME_FAIL, PROBE_CAUSE_NO_MODEL,
         ANSWERER_OTHER, .detail = "the answer is no list of models"},
        {.name = "another model", WITNESS, HTTP_OK, 200, "uvicorn", VLLM_MODELS, OUTCOME_WARN,
         PROBE_CAUSE_WRONG_MODEL, ANSWERER_VLLM, .expected = "qwen"},
        {.name = "key wanted: loaded", WITNESS, HTTP_OK, 401, "uvicorn", "{\"error\":\"Unauthorized\"}", OUTCOME_WARN,
         PROBE_CAUSE_UNAUTHORIZED, ANSWERER_VLLM},
        {.name = "a key wanted on /health is strange", LANE_HEALTH, "/health", HTTP_OK, 401, "uvicorn", "",
         OUTCOME_FAIL, PROBE_CAUSE_UNAUTHORIZED, ANSWERER_VLLM},
        {.name = "engine dead", LANE_HEALTH, "/health", HTTP_OK, 503, "uvicorn", "", OUTCOME_FAIL,
         PROBE_CAUSE_ENGINE_DEAD, ANSWERER_VLLM, .known = ANSWERER_VLLM},
        {.name = "refused", WITNESS, HTTP_REFUSED, 0, "", "", OUTCOME_FAIL, PROBE_CAUSE_REFUSED, ANSWERER_NOBODY});
}

/* The transport by itself. */
static void test_transport(void **state)
{
#define NO(error, outcome, cause) {.name = #error, HEALTH, error, 0, "", "", outcome, cause, ANSWERER_NOBODY}
    ROWS(
        NO(HTTP_UNREACHABLE, OUTCOME_UNKNOWN, PROBE_CAUSE_UNREACHABLE),
        NO(HTTP_RESOLVE, OUTCOME_UNKNOWN, PROBE_CAUSE_RESOLVE),
        NO(HTTP_CONNECT_FAILED, OUTCOME_UNKNOWN, PROBE_CAUSE_UNREACHABLE),
        NO(HTTP_TIMEOUT_CONNECT, OUTCOME_FAIL, PROBE_CAUSE_TIMEOUT_CONNECT),
        NO(HTTP_TIMEOUT_TLS, OUTCOME_FAIL, PROBE_CAUSE_TIMEOUT_TLS),
        NO(HTTP_EMPTY_REPLY, OUTCOME_FAIL, PROBE_CAUSE_EMPTY),
        NO(HTTP_RESET, OUTCOME_FAIL, PROBE_CAUSE_RESET),
        NO(HTTP_HEADERS_TOO_BIG, OUTCOME_FAIL, PROBE_CAUSE_HEADERS_TOO_BIG),
        NO(HTTP_TLS, OUTCOME_FAIL, PROBE_CAUSE_TLS),
        NO(HTTP_TLS_PLAIN_SERVER, OUTCOME_FAIL, PROBE_CAUSE_TLS_TO_PLAIN),
        NO(HTTP_NO_RESOURCES, OUTCOME_UNKNOWN, PROBE_CAUSE_TOOL),
        NO(HTTP_BAD_REQUEST, OUTCOME_UNKNOWN, PROBE_CAUSE_TOOL),
        NO(HTTP_CANCELLED, OUTCOME_UNKNOWN, PROBE_CAUSE_TOOL),
        NO(HTTP_OTHER, OUTCOME_UNKNOWN, PROBE_CAUSE_TOOL),
        {.name = "garbage", HEALTH, HTTP_NOT_HTTP, 0, "", "220 smtp", OUTCOME_FAIL, PROBE_CAUSE_NOT_HTTP,
         ANSWERER_NOBODY},
        {.name = "TLS alert", HEALTH, HTTP_NOT_HTTP, 0, "", "\x15\x03\x01", OUTCOME_FAIL, PROBE_CAUSE_PLAIN_TO_TLS,
         ANSWERER_NOBODY},
        {.name = "Go's TLS server", HEALTH, HTTP_OK, 400, "", "Client sent an HTTP request to an HTTPS server.\n",
         OUTCOME_FAIL, PROBE_CAUSE_PLAIN_TO_TLS, ANSWERER_OTHER},
        {.name = "nginx's TLS server", HEALTH, HTTP_OK, 400, "nginx",
         "<center>The plain HTTP request was sent to HTTPS port</center>", OUTCOME_FAIL, PROBE_CAUSE_PLAIN_TO_TLS, ANSWERER_OTHER});
}

/* facts/kube.md 3.1: what libcurl sees through a stream tunnel. */
static void test_tunnel(void **state)
{
#define THROUGH(what, error, word_, outcome, cause)                                                                    \
    {.name = what, HEALTH, error, 0, "", "", outcome, cause, ANSWERER_NOBODY, .tunnelled = true, .word = word_}
    ROWS(
        {.name = "serves", HEALTH, HTTP_OK, 503, "uvicorn", "", OUTCOME_FAIL, PROBE_CAUSE_ENGINE_DEAD, ANSWERER_VLLM,
         .tunnelled = true, .known = ANSWERER_VLLM},
        THROUGH("refuses", HTTP_EMPTY_REPLY, TUNNEL_REFUSED_IN_POD, OUTCOME_FAIL, PROBE_CAUSE_REFUSED),
        THROUGH("refuses, reset at our end", HTTP_RESET, TUNNEL_REFUSED_IN_POD, OUTCOME_FAIL, PROBE_CAUSE_REFUSED),
        THROUGH("closes without data", HTTP_EMPTY_REPLY, TUNNEL_UP, OUTCOME_FAIL, PROBE_CAUSE_EMPTY),
        THROUGH("hangs", HTTP_TIMEOUT_HEADERS, TUNNEL_UP, OUTCOME_FAIL, PROBE_CAUSE_TIMEOUT_HEADERS),
        THROUGH("API server black-holed", HTTP_TIMEOUT_HEADERS, TUNNEL_API_LOST, OUTCOME_UNKNOWN, PROBE_CAUSE_API_LOST),
        THROUGH("sandbox gone", HTTP_EMPTY_REPLY, TUNNEL_POD_GONE, OUTCOME_UNKNOWN, PROBE_CAUSE_POD_GONE),
        THROUGH("forbidden", HTTP_EMPTY_REPLY, TUNNEL_FORBIDDEN, OUTCOME_UNKNOWN, PROBE_CAUSE_FORBIDDEN),
        THROUGH("starting", HTTP_EMPTY_REPLY, TUNNEL_STARTING, OUTCOME_FAIL, PROBE_CAUSE_EMPTY),
        /* stands for up */ THROUGH("backing off", HTTP_EMPTY_REPLY, TUNNEL_BACKOFF, OUTCOME_UNKNOWN,
         PROBE_CAUSE_TUNNEL_DOWN),
        THROUGH("forwarder dead", HTTP_REFUSED, TUNNEL_UP, OUTCOME_UNKNOWN, PROBE_CAUSE_TUNNEL_DOWN),
        THROUGH("forwarder dead of a refusal", HTTP_REFUSED, TUNNEL_REFUSED_IN_POD, OUTCOME_UNKNOWN,
         PROBE_CAUSE_TUNNEL_DOWN),
        THROUGH("forwarder does not accept", HTTP_TIMEOUT_CONNECT, TUNNEL_UP, OUTCOME_UNKNOWN, PROBE_CAUSE_TUNNEL_DOWN),
        THROUGH("TLS broken by a refusal", HTTP_TLS, TUNNEL_REFUSED_IN_POD, OUTCOME_FAIL, PROBE_CAUSE_REFUSED),
        {.name = "partial body", HEALTH, HTTP_BODY_SHORT, 200, "", "x", OUTCOME_ERRORED, PROBE_CAUSE_BODY_SHORT,
         ANSWERER_OTHER, .tunnelled = true},
        {.name = "tunnel lost amid the body", HEALTH, HTTP_BODY_SHORT, 200, "", "x", OUTCOME_UNKNOWN,
         PROBE_CAUSE_API_LOST, ANSWERER_OTHER, .tunnelled = true, .word = TUNNEL_API_LOST, .detail = "tunnel api-lost: curl's words"},
        {.name = "the far side's own words of a refusal", HEALTH, HTTP_EMPTY_REPLY, 0, "", "", OUTCOME_FAIL, PROBE_CAUSE_REFUSED,
         ANSWERER_NOBODY, .tunnelled = true, .word = TUNNEL_REFUSED_IN_POD,
         .said = "error forwarding port 8000 to pod 6f: dial tcp4 127.0.0.1:8000: connect:\033[2J connection refused\n",
         .detail = "tunnel refused-in-pod: error forwarding port 8000 to pod 6f: dial tcp4 127.0.0.1:8000: connect:\\x1b[2J connection refused\\n"},
        {.name = "a reset in the pod", HEALTH, HTTP_EMPTY_REPLY, 0, "", "", OUTCOME_FAIL, PROBE_CAUSE_RESET, ANSWERER_NOBODY,
         .tunnelled = true, .said = "read tcp4 127.0.0.1:8000: read: connection reset by peer",
         .detail = "read tcp4 127.0.0.1:8000: read: connection reset by peer"},
        {.name = "a server's words are not the tunnel's", HEALTH, HTTP_EMPTY_REPLY, 0, "", "", OUTCOME_FAIL, PROBE_CAUSE_EMPTY,
         ANSWERER_NOBODY, .said = "connection reset by peer", .detail = "curl's words"},
        {.name = "a pod plays the API server", HEALTH, HTTP_OK, 503, "", API_STATUS(503, "ServiceUnavailable",
         REACH "x"), OUTCOME_FAIL, PROBE_CAUSE_STATUS, ANSWERER_OTHER, .tunnelled = true});
}

/* facts/kube.md 3.2: an HTTP proxy of the cluster on the way. */
static void test_api_server(void **state)
{
    ROWS(
        {.name = "refused", HEALTH, HTTP_OK, 503, "", API_STATUS(503, "ServiceUnavailable",
         REACH "connect: connection refused"), OUTCOME_FAIL, PROBE_CAUSE_REFUSED, ANSWERER_API_SERVER},
        {.name = "timeout", HEALTH, HTTP_OK, 503, "", API_STATUS(503, "ServiceUnavailable", REACH "i/o timeout"),
         OUTCOME_FAIL, PROBE_CAUSE_TIMEOUT_CONNECT, ANSWERER_API_SERVER},
        {.name = "no route", HEALTH, HTTP_OK, 503, "", API_STATUS(503, "ServiceUnavailable",
         REACH "connect: no route to host"), OUTCOME_UNKNOWN, PROBE_CAUSE_UNREACHABLE, ANSWERER_API_SERVER},
        {.name = "forbidden", HEALTH, HTTP_OK, 403, "", API_STATUS(403, "Forbidden", "pods is forbidden"),
         OUTCOME_UNKNOWN, PROBE_CAUSE_FORBIDDEN, ANSWERER_API_SERVER},
        {.name = "no such pod", HEALTH, HTTP_OK, 404, "", API_STATUS(404, "NotFound", "pods x not found"),
         OUTCOME_UNKNOWN, PROBE_CAUSE_POD_GONE, ANSWERER_API_SERVER},
        {.name = "it is silent", HEALTH, HTTP_TIMEOUT_HEADERS, 0, "", "", OUTCOME_UNKNOWN, PROBE_CAUSE_API_LOST, ANSWERER_NOBODY,
         .proxied = true, .word = TUNNEL_API_LOST, .detail = "tunnel api-lost: curl's words"},
        {.name = "the pod is silent", HEALTH, HTTP_TIMEOUT_HEADERS, 0, "", "", OUTCOME_FAIL, PROBE_CAUSE_TIMEOUT_HEADERS,
         ANSWERER_NOBODY, .proxied = true},
        {.name = "kubectl's proxy is gone", HEALTH, HTTP_REFUSED, 0, "", "", OUTCOME_UNKNOWN, PROBE_CAUSE_TUNNEL_DOWN,
         ANSWERER_NOBODY, .proxied = true},
        {.name = "kubectl's proxy ends", HEALTH, HTTP_EMPTY_REPLY, 0, "", "", OUTCOME_UNKNOWN, PROBE_CAUSE_TUNNEL_DOWN,
         ANSWERER_NOBODY, .proxied = true},
        {.name = "kubectl's proxy does not reach it", HEALTH, HTTP_OK, 500, "", "dial tcp 127.0.0.1:6443: connect: connection refused\n",
         OUTCOME_UNKNOWN, PROBE_CAUSE_API_LOST, ANSWERER_NOBODY, .proxied = true, .type = "text/plain; charset=utf-8"},
        {.name = "a pod that says the same", HEALTH, HTTP_OK, 500, "uvicorn", "dial tcp 127.0.0.1:6443: connect: connection refused\n",
         OUTCOME_FAIL, PROBE_CAUSE_STATUS, ANSWERER_VLLM, .proxied = true, .type = "text/plain; charset=utf-8"},
        {.name = "and not through a proxy", HEALTH, HTTP_OK, 500, "", "dial tcp 127.0.0.1:6443: connect: connection refused\n",
         OUTCOME_FAIL, PROBE_CAUSE_STATUS, ANSWERER_OTHER, .type = "text/plain; charset=utf-8"},
        {.name = "its own trouble", HEALTH, HTTP_OK, 500, "", API_STATUS(500, "InternalError", "etcd"),
         OUTCOME_UNKNOWN, PROBE_CAUSE_API_LOST, ANSWERER_API_SERVER});
}

static void test_tcp(void **state)
{
#define TCP(what, error, through, word_, outcome, cause)                                                               \
    {.name = what,                                                                                                     \
     LANE_LIVENESS,                                                                                                    \
     "",                                                                                                               \
     error,                                                                                                            \
     0,                                                                                                                \
     "",                                                                                                               \
     "",                                                                                                               \
     outcome,                                                                                                          \
     cause,                                                                                                            \
     ANSWERER_NOBODY,                                                                                                  \
     .action = PROBE_TCP_SOCKET,                                                                                       \
     .tunnelled = through,                                                                                             \
     .word = word_}
    ROWS(
        TCP("connected", HTTP_OK, false, 0, OUTCOME_OK, PROBE_CAUSE_NONE),
        TCP("refused", HTTP_REFUSED, false, 0, OUTCOME_FAIL, PROBE_CAUSE_REFUSED),
        TCP("timeout", HTTP_TIMEOUT_CONNECT, false, 0, OUTCOME_FAIL, PROBE_CAUSE_TIMEOUT_CONNECT),
        TCP("tunnel says nothing", HTTP_OK, true, 0, OUTCOME_UNKNOWN, PROBE_CAUSE_NOT_REPRODUCIBLE),
        TCP("tunnel says refused", HTTP_OK, true, TUNNEL_REFUSED_IN_POD, OUTCOME_FAIL, PROBE_CAUSE_REFUSED),
        TCP("tunnel says gone", HTTP_OK, true, TUNNEL_POD_GONE, OUTCOME_UNKNOWN, PROBE_CAUSE_POD_GONE));
}

/* clang-format on */

/* ---- what is stored ---- */

static void test_models_are_kept(void **state)
{
    const struct row row = {
        "two",
        MODELS,
        HTTP_OK,
        200,
        "",
        "{\"data\":[{\"id\":\"a\\u001b[2J\"},{\"id\":7},{\"id\":\"ok\\u0000evil\"},{\"id\":\"\\u202eb\"}]}",
        OK,
        ANSWERER_OTHER,
        .expected = "ok"};
    struct sample sample;
    (void)state;
    row_run(&row, &sample);
    assert_int_equal(sample.model_count, 3);
    assert_string_equal(text_str(&sample.models[0]), "a\\x1b[2J");
    assert_string_equal(text_str(&sample.models[1]), "ok\\u0000evil");
    assert_string_equal(text_str(&sample.models[2]), "\\u{202e}b");
    assert_int_equal(sample.cause, PROBE_CAUSE_WRONG_MODEL); /* "ok" and a NUL and more is not "ok" */
    assert_true(text_empty(&sample.body));
    assert_int_equal(sample.connect, 10);
    assert_int_equal(sample.tls, -1);
    sample_free(&sample);
}

/* More models than are kept, and a list that was cut at 10 KiB: what is whole of it counts, and nothing is said about what may have been cut off. */
static void test_long_lists(void **state)
{
    char body[HTTP_BODY_MAX + 1] = "{\"object\":\"list\",\"data\":[";
    struct sample sample;
    struct row row = {
        .name = "long", MODELS, HTTP_OK, 200, "", body, OK, ANSWERER_OTHER, .expected = "m-500", .body_cut = true};
    (void)state;
    for (int i = 0; strlen(body) + 80 < sizeof body; i++)
        snprintf(body + strlen(body), sizeof body - strlen(body), "%s{\"id\":\"m-%d\",\"p\":[{\"a\":\"]}\\\"\"}]}",
                 i ? "," : "", i);
    strcat(body, ",{\"id\":\"m-9");
    row_run(&row, &sample);
    assert_int_equal(sample.model_count, SAMPLE_MODELS_MAX);
    assert_string_equal(text_str(&sample.models[15]), "m-15");
    assert_int_equal(sample.outcome, OUTCOME_OK);
    assert_int_equal(sample.cause, PROBE_CAUSE_NONE);
    sample_free(&sample);
    row.body_cut = false; /* then it is broken JSON */
    row_run(&row, &sample);
    assert_int_equal(sample.model_count, -1);
    sample_free(&sample);
}

static void test_body_is_kept_when_it_fails(void **state)
{
    char body[HTTP_BODY_MAX + 1];
    struct row row = {.name = "big", HEALTH, HTTP_OK, 500, "", body, OUTCOME_FAIL, PROBE_CAUSE_STATUS, ANSWERER_OTHER};
    struct sample sample;
    (void)state;
    memset(body, 'x', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    body[0] = '\033';
    row_run(&row, &sample);
    assert_int_equal(sample.body.cells, TEXT_BODY);
    assert_true(sample.body.cut);
    assert_memory_equal(text_str(&sample.body), "\\x1bxxx", 7);
    sample_free(&sample);
}

static void test_speed(void **state)
{
    struct classify_question question = {
        .action = PROBE_HTTP_GET, .path = "/health", .tunnel = TUNNEL_UP, .expected_model = ""};
    struct http_result result = {.status = 200,
                                 .dns = -1,
                                 .connect = 10,
                                 .tls = 20,
                                 .first_byte = 30,
                                 .total = 40,
                                 .redirects = 2,
                                 .body = "",
                                 .server = "",
                                 .content_type = "",
                                 .location = "",
                                 .detail = ""};
    struct sample sample;
    (void)state;
    sample_init(&sample);
    classify(&question, &result, 20, &sample);
    assert_int_equal(sample.dns, -1);
    assert_int_equal(sample.connect, 200);
    assert_int_equal(sample.tls, 400);
    assert_int_equal(sample.first_byte, 600);
    assert_int_equal(sample.total, 800);
    assert_int_equal(sample.redirects, 2);
    sample_free(&sample);
}

static void test_unsent(void **state)
{
    static const enum probe_cause causes[TUNNEL_WORD_COUNT] = {
        [TUNNEL_STARTING] = PROBE_CAUSE_TUNNEL_DOWN,       [TUNNEL_UP] = PROBE_CAUSE_TOOL,
        [TUNNEL_REFUSED_IN_POD] = PROBE_CAUSE_TUNNEL_DOWN, [TUNNEL_POD_GONE] = PROBE_CAUSE_POD_GONE,
        [TUNNEL_API_LOST] = PROBE_CAUSE_API_LOST,          [TUNNEL_FORBIDDEN] = PROBE_CAUSE_FORBIDDEN,
        [TUNNEL_NODE_LOST] = PROBE_CAUSE_NODE_LOST,        [TUNNEL_BACKOFF] = PROBE_CAUSE_TUNNEL_DOWN};
    (void)state;
    for (int action = PROBE_NONE; action <= PROBE_EXEC; action++) {
        for (int word = 0; word < TUNNEL_WORD_COUNT; word++) {
            struct sample sample;
            bool possible = action == PROBE_HTTP_GET || action == PROBE_TCP_SOCKET;
            sample_init(&sample);
            classify_unsent(LANE_MODELS, (enum probe_action)action, (enum tunnel_word)word, &sample);
            assert_int_equal(sample.outcome, OUTCOME_UNKNOWN);
            assert_int_equal(sample.cause, possible ? causes[word] : PROBE_CAUSE_NOT_REPRODUCIBLE);
            assert_int_equal(sample.lane, LANE_MODELS);
            assert_int_equal(sample.total, -1);
            sample_free(&sample);
        }
    }
}

/* ---- what always holds ---- */

static const char *const bodies[] = {"",
                                     "\x15\x03\x01",
                                     VLLM_MODELS,
                                     "{\"data\":[]}",
                                     "{}",
                                     "null",
                                     SIM_MODELS,
                                     NOT_READY,
                                     SCALING,
                                     "{\"data\":7}",
                                     "{\"error\":{}}",
                                     "[[[[",
                                     API_STATUS(503, "ServiceUnavailable", REACH "connect: connection refused")};

static void combination_check(const struct row *row, const struct sample *sample)
{
    bool answered = row->error == HTTP_OK, kubelets = lane_is_kubelets(row->lane);
    bool cut = row->error == HTTP_TIMEOUT_BODY || row->error == HTTP_BODY_SHORT;
    bool word_ok = !row->tunnelled || row->word == TUNNEL_UP || row->word == TUNNEL_REFUSED_IN_POD;
    /* Unknown exactly where the cause is not the pod's. */
    assert_int_equal(sample->outcome == OUTCOME_UNKNOWN, probe_cause_whose(sample->cause) != 'p');
    /* Thrown away exactly where the kubelet would (facts/kube.md 1.2.10). */
    assert_int_equal(sample->outcome == OUTCOME_ERRORED, cut && word_ok);
    /* 200 to 399 is a success for the kubelet whatever the body, and nothing else is. */
    bool success = sample->outcome == OUTCOME_OK || sample->outcome == OUTCOME_WARN;
    if (kubelets)
        assert_int_equal(success, answered && row->status >= 200 && row->status < 400);
    if (sample->outcome == OUTCOME_WARN && kubelets)
        assert_true(row->status >= 300);
    /* Whoever sent a status is somebody. */
    assert_int_equal(sample->answerer == ANSWERER_NOBODY, row->status == 0);
    /* A failure has a cause, and something to show for it. */
    if (!success) {
        assert_int_not_equal(sample->cause, PROBE_CAUSE_NONE);
        assert_false(text_empty(&sample->detail));
    }
    assert_true(sample->model_count >= -1 && sample->model_count <= SAMPLE_MODELS_MAX);
    assert_true(sample->model_count == -1 || (answered && row->status == 200));
}

static void walk_bodies(struct row *row)
{
    static const char *const paths[] = {"/health", "/v1/models", "/readyz", ""};
    /* Without an answer only the first bytes matter. */
    size_t count = row->error == HTTP_OK ? sizeof bodies / sizeof bodies[0] : 3;
    for (size_t body = 0; body < count; body++) {
        for (int side = 0; side < 16; side++) {
            struct sample sample;
            row->body = bodies[body];
            row->path = paths[side % 4];
            row->behind_sidecar = side & 4;
            row->server = side & 8 ? "uvicorn" : "";
            row_run(row, &sample);
            combination_check(row, &sample);
            sample_free(&sample);
        }
    }
}

static void test_all_combinations(void **state)
{
    static const int32_t statuses[] = {0, 101, 200, 204, 302, 399, 400, 401, 403, 404, 500, 502, 503, 599, 999};
    (void)state;
    for (int error = 0; error < HTTP_ERROR_COUNT; error++) {
        for (int word = TUNNEL_UP; word < TUNNEL_WORD_COUNT; word++) {
            for (int lane = 0; lane < LANE_COUNT; lane++) {
                for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
                    struct row row = {.error = (enum http_error)error,
                                      .status = statuses[i],
                                      .word = (enum tunnel_word)word,
                                      .tunnelled = word != TUNNEL_UP || i % 2,
                                      .lane = (enum lane_kind)lane};
                    if (error == HTTP_OK && row.status == 0)
                        continue; /* cannot come */
                    walk_bodies(&row);
                }
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vllm),
        cmocka_unit_test(test_special_servers),
        cmocka_unit_test(test_sidecar),
        cmocka_unit_test(test_kubelet),
        cmocka_unit_test(test_models_witness),
        cmocka_unit_test(test_transport),
        cmocka_unit_test(test_tunnel),
        cmocka_unit_test(test_api_server),
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_models_are_kept),
        cmocka_unit_test(test_long_lists),
        cmocka_unit_test(test_body_is_kept_when_it_fails),
        cmocka_unit_test(test_speed),
        cmocka_unit_test(test_unsent),
        cmocka_unit_test(test_all_combinations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
