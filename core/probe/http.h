/* One HTTP GET as the kubelet sends it (facts/kube.md 1.6), many at a time; http.c is the only user of libcurl.
 *
 * Runs on a uv loop with curl_multi_socket_action. Every request is a new connection: no keep-alive, no proxy, no cookies, no netrc, no decompression, HTTP/1.1,
 * `Connection: close`, `Accept` of any kind, `User-Agent: kube-probe/<version>`, `Host: <podIP:port>` or as given, TLS without verification, 10 KiB of body at the most
 * (longer is fine and judged by its status), own redirect loop (same hostname only, at most 10 requests in all, as Go counts). Easy handles are kept and used again. */
#ifndef PROBETOP_HTTP_H
#define PROBETOP_HTTP_H

#include "base/buf.h"
#include "model/spec.h"
#include "probe/wire.h"

#include <uv.h>

/* libcurl's results, reduced to what matters for a probe. http_error.c gives every CURLcode one of them. */
#define HTTP_ERROR_TABLE(X)                                                                                            \
    X(HTTP_OK, "ok")                                                                                                   \
    X(HTTP_REFUSED, "connection refused")                                                                              \
    X(HTTP_UNREACHABLE, "no route")                                                                                    \
    X(HTTP_RESOLVE, "name not resolved")                                                                               \
    X(HTTP_CONNECT_FAILED, "could not connect") /* any other failure of connect() */                                   \
    X(HTTP_TIMEOUT_CONNECT, "timeout while connecting")                                                                \
    X(HTTP_TIMEOUT_TLS, "timeout in the TLS handshake")                                                                \
    X(HTTP_TIMEOUT_HEADERS, "timeout while awaiting headers")                                                          \
    X(HTTP_TIMEOUT_BODY, "timeout while reading the body")                                                             \
    X(HTTP_EMPTY_REPLY, "closed without an answer")                                                                    \
    X(HTTP_RESET, "connection reset")                                                                                  \
    X(HTTP_BODY_SHORT, "the body broke off")                                                                           \
    X(HTTP_HEADERS_TOO_BIG, "endless headers")                                                                         \
    X(HTTP_NOT_HTTP, "not HTTP")                                                                                       \
    X(HTTP_TLS, "TLS handshake failed")                                                                                \
    X(HTTP_TLS_PLAIN_SERVER, "the server does not speak TLS")                                                          \
    X(HTTP_TOO_MANY_REDIRECTS, "stopped after 10 redirects")                                                           \
    X(HTTP_NO_RESOURCES, "no file descriptor, memory or local port left") /* ours */                                   \
    X(HTTP_BAD_REQUEST,                                                                                                \
      "no request can be built from this address, path and headers") /* ours: unusable URL, path or header */          \
    X(HTTP_CANCELLED, "given up by ourselves")                                                                         \
    X(HTTP_OTHER, "other")

enum http_error {
#define X(id, sentence) id,
    HTTP_ERROR_TABLE(X)
#undef X
        HTTP_ERROR_COUNT
};
const char *http_error_sentence(enum http_error error);

/* HTTP_REQUESTS_MAX: Go stops at the redirect that would need an 11th request. */
enum { HTTP_BODY_MAX = 10240, HTTP_HEADERS_MAX = 65536, HTTP_REQUESTS_MAX = 10 };

/* What came back. Valid during the callback only. */
struct http_result {
    enum http_error error;
    int32_t status; /* of the last answer whose status line came; 0: none */
    int64_t dns, connect, tls, first_byte,
        total;               /* real µs from libcurl's own timers, -1 where not reached; over redirects: the sum */
    int64_t started_mono;    /* CLOCK_MONOTONIC µs when it was really sent */
    int32_t redirects;       /* followed */
    bool redirect_elsewhere; /* ended at a redirect to another hostname */
    const char *body;        /* up to HTTP_BODY_MAX bytes; not NUL-terminated; never NULL */
    size_t body_length;
    bool body_cut;            /* there was more */
    const char *server;       /* Server header, "" when absent; hostile */
    const char *content_type; /* "" when absent; hostile */
    const char *location;     /* of a 3xx not followed, "" otherwise; hostile */
    const char *detail;       /* libcurl's own words, "" on success; may hold outside bytes: clean it */
};

/* How far a transfer came, for telling apart what libcurl reports under one code. */
struct http_reached {
    bool https;
    bool unresolved;   /* the host name had not been resolved yet */
    bool connected;    /* the TCP (or unix) connection stood */
    bool tls_done;     /* the TLS handshake was over */
    bool headers_done; /* a final status line and all headers had come */
    int os_errno;      /* of the failed socket call; 0 not known */
    const char *words; /* libcurl's own, never NULL */
};
/* The table behind http_result.error: every CURLcode has a row. Pure; here for its test. */
enum http_error http_error_of_curl(int curl_code, const struct http_reached *reached);

struct http; /* the multi handle and its idle easy handles */
typedef void http_done_fn(void *user, const struct http_result *result);

/* user_agent as sent. NULL when libcurl cannot start (never seen). Free with http_free(), which cancels what is under way (callbacks run with HTTP_CANCELLED) and must not be called
 * from a callback; its handles end within the next loop turns. */
struct http *http_new(uv_loop_t *loop, const char *user_agent);
void http_free(struct http *http);

/* Sends GET scheme://host:port/path. spec gives scheme, path, port (for Host), headers and httpGet.host; `address` says where to connect; timeout_us is real time for the whole, redirects included.
 * `host_header` is what the kubelet would send ("10.0.0.7:8000"), NULL: host:port of the address (or "localhost" over a unix socket). `done` is called later from the loop, never before this returns, exactly once.
 * Returns a ticket for http_cancel(), 0 never. */
uint64_t http_get(struct http *http, const struct probe_spec *spec, const struct http_address *address,
                  const char *host_header, int64_t timeout_us, http_done_fn *done, void *user);
void http_cancel(struct http *http,
                 uint64_t ticket); /* `done` runs at once with HTTP_CANCELLED; an old ticket does nothing */
/* A bare TCP connect (tcpSocket probes) the same way: result.error, connect and total only. */
uint64_t http_tcp_connect(struct http *http, const struct http_address *address, int64_t timeout_us, http_done_fn *done,
                          void *user);
size_t http_in_flight(const struct http *http);

/* Long answers, told as they come, over the same sockets: probe/stream.h. They end with `http`. */
struct streams *http_streams(struct http *http);

#endif
