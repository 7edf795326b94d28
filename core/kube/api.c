#include "kube/api.h"

#include "base/clock.h"
#include "base/mem.h"
#include "probe/stream.h"

#include <stdio.h>
#include <string.h>

enum {
    LINE_MAX_BYTES = 4 << 20,
    REFUSAL_MAX = 65536, /* kept of an answer that is not 200 */
    WORDS_SIZE = 1024
};
/* A list of thousands of pods takes its time. */
static const int64_t answer_us = (int64_t)30 * SECOND_US;

struct api_request {
    struct api *api;
    struct api_request *next;
    uint64_t ticket; /* the stream's */
    size_t max_body;
    struct buf bytes;      /* the body, or the line that is not yet complete, or the refusal */
    api_answer_fn *answer; /* one answer */
    api_line_fn *line;     /* or lines */
    api_end_fn *end;
    void (*opened)(void *user);
    void *user;
    bool busy, dead; /* cancelled while one of its callbacks runs */
};

struct api {
    struct http *http;
    char *socket_path;
    struct api_request *all;
    uint64_t requests;
};

const char *api_end_sentence(enum api_end end)
{
    static const char *const sentences[] = {[API_OK] = "the API answers",
                                            [API_CUT] = "the API's answer broke off",
                                            [API_UNREACHABLE] = "the API server cannot be reached",
                                            [API_UNAUTHORIZED] = "the API server does not accept these credentials",
                                            [API_FORBIDDEN] = "the API server forbids it",
                                            [API_NOT_FOUND] = "the API server does not have it",
                                            [API_GONE] = "too old for the API server: it is read anew",
                                            [API_INVALID] = "the API server refuses what was asked for",
                                            [API_BAD] = "the API's answer is not what was expected"};
    return (unsigned)end < sizeof sentences / sizeof sentences[0] ? sentences[end] : "other";
}

/* ---- what an end means ---- */

/* The message of a Status. False: the body is none, so it is not the API server that speaks. */
static bool status_words(const struct buf *body, char *words)
{
    struct json *status = NULL;
    json_parse(buf_str(body), body->len, REFUSAL_MAX, &status, NULL);
    const char *kind = json_string(json_get(status, "kind")), *message = json_string(json_get(status, "message"));
    bool is_status = kind && strcmp(kind, "Status") == 0;
    if (is_status)
        snprintf(words, WORDS_SIZE, "%s", message ? message : "");
    json_free(status);
    return is_status;
}

/* What is not a Status was said by kubectl proxy or by something between it and the API server (facts/kube.md 3.2). */
static enum api_end end_of_plain(int32_t status, const struct buf *body, char *words)
{
    size_t length = body->len;
    while (length > 0 && strchr("\r\n ", buf_str(body)[length - 1]))
        length--;
    snprintf(words, WORDS_SIZE, "HTTP %d%s%.*s", (int)status, length > 0 ? ": " : "",
             (int)(length < 512 ? length : 512), buf_str(body));
    if (status == 403) {
        snprintf(words, WORDS_SIZE, "kubectl proxy's own filters let this request not through");
        return API_BAD;
    }
    if (status == 404)
        return API_NOT_FOUND; /* a kind of object that this API server does not know */
    if (status == 401 || (status == 500 && strstr(words, "getting credentials")))
        return API_UNAUTHORIZED; /* an exec plugin that failed */
    return status >= 500 && status <= 504 ? API_UNREACHABLE : API_BAD;
}

static enum api_end end_of_status(int32_t status, const struct buf *body, char *words)
{
    if (!status_words(body, words))
        return end_of_plain(status, body, words);
    switch (status) {
    case 401:
        return API_UNAUTHORIZED;
    case 403:
        return API_FORBIDDEN;
    case 404:
        return API_NOT_FOUND;
    case 410:
        return API_GONE;
    case 400:
    case 422:
        return API_INVALID;
    default:
        return API_BAD;
    }
}

static enum api_end end_of_error(enum http_error error, int32_t status)
{
    if (status != 0)
        return API_CUT;
    switch (error) {
    case HTTP_REFUSED:
    case HTTP_UNREACHABLE:
    case HTTP_CONNECT_FAILED:
    case HTTP_TIMEOUT_CONNECT:
    case HTTP_TIMEOUT_HEADERS:
    case HTTP_EMPTY_REPLY:
    case HTTP_RESET:
        return API_UNREACHABLE;
    default:
        return API_BAD;
    }
}

/* ---- requests ---- */

static void request_unlink(struct api_request *request)
{
    for (struct api_request **at = &request->api->all; *at; at = &(*at)->next) {
        if (*at == request) {
            *at = request->next;
            break;
        }
    }
}

static void request_delete(struct api_request *request)
{
    buf_free(&request->bytes);
    mem_free(request);
}

static void request_finish(struct api_request *request, enum api_end end, const char *words)
{
    bool has_body = end == API_OK && request->answer;
    request_unlink(request);
    if (request->answer)
        request->answer(request->user, end, words, has_body ? buf_str(&request->bytes) : "",
                        has_body ? request->bytes.len : 0);
    else
        request->end(request->user, end, words);
    request_delete(request);
}

/* Tells all complete lines. A line that came in one piece is told from there, without being copied. */
static void lines_tell(struct api_request *request, const char *bytes, size_t length)
{
    while (length > 0 && !request->dead) {
        const char *newline = memchr(bytes, '\n', length);
        size_t part = newline ? (size_t)(newline - bytes) : length;
        bool whole = newline && request->bytes.len == 0;
        if (whole) {
            request->line(request->user, bytes, part);
        } else {
            buf_append(&request->bytes, bytes, part);
            if (newline)
                request->line(request->user, buf_str(&request->bytes), request->bytes.len);
        }
        if (newline)
            buf_clear(&request->bytes);
        part += newline ? 1 : 0;
        bytes += part;
        length -= part;
    }
}

static void on_data(void *user, int32_t status, const char *bytes, size_t length)
{
    struct api_request *request = user;
    request->busy = true;
    if (length == 0 && status == 200 && request->opened)
        request->opened(request->user);
    else if (request->line && status == 200)
        lines_tell(request, bytes, length);
    else
        buf_append(&request->bytes, bytes, length);
    request->busy = false;
    if (request->dead) {
        request_delete(request);
    } else if (request->answer && status == 200 &&
               (request->bytes.truncated || request->bytes.len > request->max_body)) {
        char words[WORDS_SIZE];
        snprintf(words, sizeof words, "an answer of more than %zu bytes", request->max_body);
        stream_cancel(http_streams(request->api->http), request->ticket);
        request_finish(request, API_BAD, words);
    }
}

static void on_done(void *user, enum http_error error, int32_t status, const char *detail)
{
    struct api_request *request = user;
    char words[WORDS_SIZE] = "";
    enum api_end end = API_OK;
    if (status != 0 && status != 200) {
        end = end_of_status(status, &request->bytes, words); /* however its body ended */
    } else if (error != HTTP_OK) {
        end = end_of_error(error, status);
        /* Of libcurl's own words only where there are no others: over a unix socket they speak of ports and hosts that there are not. */
        snprintf(words, sizeof words, "%s%s%s%s", status == 0 ? "kubectl proxy: " : "", http_error_sentence(error),
                 end == API_BAD && detail[0] ? ": " : "", end == API_BAD ? detail : "");
    } else if (request->line && request->bytes.len > 0) {
        request->busy = true; /* a last line without its end */
        request->line(request->user, buf_str(&request->bytes), request->bytes.len);
        if (request->dead) {
            request_delete(request);
            return;
        }
    }
    request_finish(request, end, words);
}

static struct api_request *request_start(struct api *api, const char *path, size_t max, int idle_seconds)
{
    struct api_request *request = mem_new(sizeof *request);
    int64_t idle_us = (int64_t)idle_seconds * SECOND_US;
    /* A server may send its headers with the first line only. */
    struct stream_options options = {.unix_path = api->socket_path,
                                     .target = path,
                                     .user_agent = "probetop/" PACKAGE_VERSION,
                                     .answer_us = idle_us > answer_us ? idle_us : answer_us,
                                     .idle_us = idle_us};
    request->api = api;
    buf_init(&request->bytes, max > REFUSAL_MAX ? max : REFUSAL_MAX);
    request->next = api->all;
    api->all = request;
    api->requests++;
    request->ticket = stream_start(http_streams(api->http), &options, on_data, on_done, request);
    return request;
}

uint64_t api_get(struct api *api, const char *path, size_t max_body, api_answer_fn *answer, void *user)
{
    struct api_request *request = request_start(api, path, max_body, (int)(answer_us / SECOND_US));
    request->answer = answer;
    request->max_body = max_body;
    request->user = user;
    return request->ticket;
}

uint64_t api_stream(struct api *api, const char *path, int idle_seconds, api_line_fn *line, api_end_fn *end, void *user)
{
    struct api_request *request = request_start(api, path, LINE_MAX_BYTES, idle_seconds);
    request->line = line;
    request->end = end;
    request->user = user;
    return request->ticket;
}

static struct api_request *request_of(struct api *api, uint64_t ticket)
{
    struct api_request *request = api->all;
    while (request && request->ticket != ticket)
        request = request->next;
    return request;
}

void api_on_open(struct api *api, uint64_t ticket, void (*opened)(void *user))
{
    struct api_request *request = request_of(api, ticket);
    if (request)
        request->opened = opened;
}

void api_cancel(struct api *api, uint64_t ticket)
{
    struct api_request *request = request_of(api, ticket);
    if (!request)
        return;
    stream_cancel(http_streams(api->http), ticket);
    request_unlink(request);
    request->dead = true;
    if (!request->busy)
        request_delete(request);
}

uint64_t api_requests(const struct api *api)
{
    return api->requests;
}

struct api *api_new(struct http *http, const char *socket_path)
{
    struct api *api = mem_new(sizeof *api);
    api->http = http;
    api->socket_path = mem_dup(socket_path);
    return api;
}

void api_free(struct api *api)
{
    if (!api)
        return;
    while (api->all)
        api_cancel(api, api->all->ticket);
    mem_free(api->socket_path);
    mem_free(api);
}
