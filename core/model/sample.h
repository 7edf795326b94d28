/* One probe's answer, as facts carry it and histories keep it. */
#ifndef PROBETOP_SAMPLE_H
#define PROBETOP_SAMPLE_H

#include "base/text.h"
#include "model/spec.h"

#include <stdbool.h>
#include <stdint.h>

/* What a probe came to. OK, WARN and FAIL count for the kubelet (OK and WARN are its Success: facts/kube.md 1.6); ERRORED is what the kubelet throws away (1.2.10);
 * UNKNOWN means that no answer can be told from the pod: no tunnel, or our own fault. Unknown never counts and is never drawn as 0. */
#define OUTCOME_TABLE(X)                                                                                               \
    X(OUTCOME_UNKNOWN, "unknown")                                                                                      \
    X(OUTCOME_OK, "ok")                                                                                                \
    X(OUTCOME_WARN, "warn")                                                                                            \
    X(OUTCOME_FAIL, "fail")                                                                                            \
    X(OUTCOME_ERRORED, "errored")

enum outcome {
#define X(id, name) id,
    OUTCOME_TABLE(X)
#undef X
        OUTCOME_COUNT
};
const char *outcome_name(enum outcome outcome);

/* Why. `mine` says whose matter it is: 'p' the pod's, 't' the tunnel's or the network's on the way, 'o' our own. The sentence is what the screen shows. */
/*     id                      name                 whose  sentence */
#define PROBE_CAUSE_TABLE(X)                                                                                           \
    X(PROBE_CAUSE_NONE, "none", 'p', "answered")                                                                       \
    X(PROBE_CAUSE_REFUSED, "refused", 'p', "connection refused: nothing listens on the port")                          \
    X(PROBE_CAUSE_RESET, "reset", 'p', "the connection was reset before an answer")                                    \
    X(PROBE_CAUSE_EMPTY, "empty-reply", 'p', "the connection was closed without an answer")                            \
    X(PROBE_CAUSE_TIMEOUT_CONNECT, "timeout-connect", 'p', "no connection within timeoutSeconds")                      \
    X(PROBE_CAUSE_TIMEOUT_TLS, "timeout-tls", 'p', "the TLS handshake did not end within timeoutSeconds")              \
    X(PROBE_CAUSE_TIMEOUT_HEADERS, "timeout-headers", 'p', "connected, but no answer within timeoutSeconds")           \
    X(PROBE_CAUSE_TIMEOUT_BODY, "timeout-body", 'p', "the answer began but did not end within timeoutSeconds")         \
    X(PROBE_CAUSE_BODY_SHORT, "short-body", 'p', "the answer broke off before its stated length")                      \
    X(PROBE_CAUSE_STATUS, "status", 'p', "the HTTP status is a failure")                                               \
    X(PROBE_CAUSE_ENGINE_DEAD, "engine-dead", 'p', "vLLM answers 503 on /health: its engine is dead")                  \
    X(PROBE_CAUSE_SCALING, "scaling", 'p', "vLLM answers 503: it is scaling its expert-parallel ranks")                \
    X(PROBE_CAUSE_SIDECAR_NOT_READY, "decode-not-ready", 'p',                                                          \
      "the sidecar answers: vLLM behind it does not listen yet")                                                       \
    X(PROBE_CAUSE_SIDECAR_BAD_GATEWAY, "bad-gateway", 'p', "the sidecar lost its connection to vLLM")                  \
    X(PROBE_CAUSE_UNAUTHORIZED, "unauthorized", 'p', "401: the server wants an API key that was not sent")             \
    X(PROBE_CAUSE_NOT_FOUND, "not-found", 'p',                                                                         \
      "404: this server has no such path; wrong port or other kind of server")                                         \
    X(PROBE_CAUSE_NO_MODEL, "no-model", 'p', "/v1/models answers with an empty list")                                  \
    X(PROBE_CAUSE_WRONG_MODEL, "wrong-model", 'p', "the expected model is not in /v1/models")                          \
    X(PROBE_CAUSE_REDIRECT_ELSEWHERE, "redirect-elsewhere", 'p',                                                       \
      "redirected to another host: the kubelet warns and counts it as success")                                        \
    X(PROBE_CAUSE_REDIRECT_UNFOLLOWED, "redirect-unfollowed", 'p',                                                     \
      "a 3xx that leads nowhere: the kubelet warns and counts it as success")                                          \
    X(PROBE_CAUSE_REDIRECT_LOOP, "redirect-loop", 'p', "stopped after 10 redirects")                                   \
    X(PROBE_CAUSE_TLS_TO_PLAIN, "tls-to-plain", 'p', "TLS was spoken to a server that speaks plain HTTP")              \
    X(PROBE_CAUSE_PLAIN_TO_TLS, "plain-to-tls", 'p', "plain HTTP was spoken to a server that wants TLS")               \
    X(PROBE_CAUSE_TLS, "tls", 'p', "the TLS handshake failed")                                                         \
    X(PROBE_CAUSE_NOT_HTTP, "not-http", 'p', "the answer is not HTTP")                                                 \
    X(PROBE_CAUSE_HEADERS_TOO_BIG, "headers-too-big", 'p', "the answer's headers have no end")                         \
    X(PROBE_CAUSE_UNREACHABLE, "unreachable", 't', "no route to the address")                                          \
    X(PROBE_CAUSE_RESOLVE, "resolve", 't', "the host name cannot be resolved")                                         \
    X(PROBE_CAUSE_POD_GONE, "pod-gone", 't', "the tunnel says: the pod is gone")                                       \
    X(PROBE_CAUSE_TUNNEL_DOWN, "tunnel-down", 't', "no tunnel to the pod")                                             \
    X(PROBE_CAUSE_API_LOST, "api-lost", 't', "the API server cannot be reached")                                       \
    X(PROBE_CAUSE_NODE_LOST, "node-lost", 't', "the API server does not get to the pod's node")                        \
    X(PROBE_CAUSE_FORBIDDEN, "forbidden", 't', "the cluster does not permit this way to the pod")                      \
    X(PROBE_CAUSE_NOT_REPRODUCIBLE, "not-reproducible", 'o',                                                           \
      "this kind of probe cannot be sent from outside the node")                                                       \
    X(PROBE_CAUSE_TOOL, "tool", 'o', "probetop itself could not send the probe")

enum probe_cause {
#define X(id, name, whose, sentence) id,
    PROBE_CAUSE_TABLE(X)
#undef X
        PROBE_CAUSE_COUNT
};
const char *probe_cause_name(enum probe_cause cause);
const char *probe_cause_sentence(enum probe_cause cause);
char probe_cause_whose(enum probe_cause cause);

/* Who answered, by the signs of facts/vllm.md 1.2 to 1.4. */
#define ANSWERER_TABLE(X)                                                                                              \
    X(ANSWERER_NOBODY, "nobody")                                                                                       \
    X(ANSWERER_VLLM, "vLLM")                                                                                           \
    X(ANSWERER_SIDECAR, "sidecar")                                                                                     \
    X(ANSWERER_SIMULATOR, "simulator")                                                                                 \
    X(ANSWERER_SGLANG, "SGLang")                                                                                       \
    X(ANSWERER_DP_SUPERVISOR, "DP supervisor")                                                                         \
    X(ANSWERER_API_SERVER, "API server")                                                                               \
    X(ANSWERER_OTHER, "other")

enum answerer {
#define X(id, name) id,
    ANSWERER_TABLE(X)
#undef X
        ANSWERER_COUNT
};
const char *answerer_name(enum answerer answerer);

enum { SAMPLE_MODELS_MAX = 16, SAMPLE_BODY_MAX = 4096 };

/* A probe in full, as a fact carries it. Times in µs of the run's clock (so they scale with its speed); -1 where libcurl has none (connection reused, never got there). */
struct sample {
    enum lane_kind lane;
    enum outcome outcome;
    enum probe_cause cause;
    enum answerer answerer;
    int32_t status;  /* HTTP status of the last answer; 0: none came */
    int32_t attempt; /* 1 to 3: the kubelet sends an errored probe again at once (facts/kube.md 1.2.10) */
    int64_t sent;    /* t when it was really sent; the fact's own t is when it ended */
    int64_t dns, connect, tls, first_byte, total; /* µs since sent: each the moment that phase was over */
    int64_t tunnel;                               /* µs of `total` that the tunnel took; -1 unknown */
    int64_t late;                                 /* µs between due and sent */
    bool is_late; /* our own loop was behind (more than 250 ms real): its latencies are not the pod's */
    int32_t redirects;
    /* what the transport or the server said, one line: "Connection refused", a redirect's target, ... */
    struct text detail;
    struct text body;    /* first 4 KiB of a failing or warning answer's body; empty otherwise */
    struct text *models; /* ids from /v1/models, when the answer was one: model_count of them, owned */
    int32_t model_count; /* -1: the answer was no list of models */
};
void sample_init(struct sample *sample); /* unknown, all times -1, model_count -1 */
void sample_free(struct sample *sample);
void sample_copy(struct sample *to, const struct sample *from);
/* Begins a list of models where there is none, and adds an empty id to it; no more than SAMPLE_MODELS_MAX. */
struct text *sample_add_model(struct sample *sample);
/* Lists of models, as samples and pods hold them: most have none or one, so they take memory only as they grow. */
void models_free(struct text **models, int32_t *count); /* leaves none: a count of -1 */
void models_copy(struct text **models, int32_t *count, const struct text *from, int32_t from_count);

#endif
