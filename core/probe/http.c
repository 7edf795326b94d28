/* What differs from the kubelet on purpose, because one thread serves all pods here:
 *   - no SO_LINGER of 1 s: the peer cannot see the difference, but close(), even of a non-blocking socket, would wait that long for a peer that does not answer (measured: 1.01 s) and
 *     hold up every other probe;
 *   - the headers of an answer may be 64 KiB, not 10 MiB. */
#include "probe/http.h"

#include "base/clock.h"
#include "base/mem.h"
#include "probe/multi.h"
#include "probe/stream.h"
#include "probe/wire.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

enum {
    RECEIVE_BUFFER = 4096, /* libcurl's, for each transfer under way */
    PART_MAX = 65536,      /* bytes of an answer's header that is kept, or of a part of a URL */
    IDLE_MAX = 256,        /* easy handles, 7 KB each, kept for the next probes: what a thousand pods want at once */
    SLOT_BITS = 20,        /* of a ticket: which request; the rest tells its uses apart */
    FINISH_MS = 300        /* so long before its deadline a request sends its own end: see deadline_watch() */
};

/* Why one of our callbacks ended a transfer. */
enum stop {
    STOP_NOT,
    STOP_BODY_FULL,
    STOP_HEADERS_TOO_BIG,
    STOP_NOT_HTTP,
    STOP_BAD_HEADER,
    STOP_REDIRECT,
    STOP_LATE /* the body went on after the deadline */
};

/* One probe, or an idle easy handle that waits for the next one. */
struct request {
    struct transfer transfer; /* the first member, so that libcurl's handle leads here */
    struct http *http;
    struct request *next; /* in the idle, the bare or the failed list */
    uint64_t ticket;      /* 0: idle */
    uint32_t slot;
    http_done_fn *done;
    void *user;
    bool added; /* to the multi handle */

    /* what is sent */
    bool tcp_only;
    struct wire wire;
    CURLU *url;                              /* what libcurl dials, taken apart; NULL: not made yet */
    struct buf url_taken;                    /* the text of it; empty: none */
    struct buf unix_path;                    /* empty: TCP */
    struct curl_slist lines[WIRE_LINES_MAX]; /* over the bytes of `wire`, so that a probe needs no list of its own */
    int64_t deadline;                        /* CLOCK_MONOTONIC µs */
    int64_t close_late, close_way;           /* of the address: see deadline_watch() */

    /* what came */
    enum stop stop;
    bool status_seen, headers_done;
    bool has_end;      /* the headers say where the body ends; otherwise the connection's end does */
    bool finished;     /* we have sent our own end */
    int fd;            /* the newest connection's, libcurl's own; -1: none */
    int64_t last_byte; /* CLOCK_MONOTONIC µs of the newest */
    size_t header_bytes;
    int32_t status;
    int socket_errno; /* of socket() */
    struct buf body, server, content_type, location;
    enum http_error own_error; /* with failed: what it ends with */
    int64_t hops_us;           /* of the redirects followed so far */
    int64_t started_mono;
    int32_t redirects;
    bool elsewhere;
    char words[CURL_ERROR_SIZE];
};

struct http {
    struct multi *multi;
    struct streams *streams;
    uv_timer_t failed_timer, deadline_timer;
    int64_t deadline_armed; /* CLOCK_MONOTONIC µs that deadline_timer is armed for; INT64_MAX: not armed */
    char *user_agent;
    struct request **slots; /* owned */
    uint32_t slot_count, slot_capacity;
    uint64_t uses;                        /* makes tickets unique */
    struct request *idle, *bare, *failed; /* bare: idle, and without an easy handle */
    size_t idle_count;
    bool crowded; /* memory was given back since nothing was under way */
    size_t in_flight;
};

/* ---- what libcurl calls during a transfer ---- */

static curl_socket_t on_open(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct request *request = user;
    (void)purpose;
#ifdef SOCK_CLOEXEC /* children must not inherit it, not even for a moment */
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
#else
    int fd = socket(address->family, address->socktype, address->protocol);
    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
#endif
    if (fd < 0)
        request->socket_errno = errno;
    request->fd = fd;
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static bool header_is(const char *name, const char *line, size_t length)
{
    size_t name_length = strlen(name);
    return length > name_length && line[name_length] == ':' && strncasecmp(line, name, name_length) == 0;
}

/* If the line is this header, stores its value (the first one wins, as in Go) and returns true. */
static bool header_take(struct buf *value, const char *name, const char *line, size_t length)
{
    if (!header_is(name, line, length))
        return false;
    line += strlen(name) + 1;
    length -= strlen(name) + 1;
    for (; length > 0 && strchr(" \t", line[0]); line++)
        length--;
    for (; length > 0 && line[length - 1] && strchr(" \t\r\n", line[length - 1]); length--)
        ;
    if (value->len == 0)
        buf_append(value, line, length);
    return true;
}

static void headers_begin(struct request *request, const char *line, size_t length)
{
    const char *space = memchr(line, ' ', length);
    request->status_seen = true;
    request->has_end = false;
    request->status = 0;
    for (size_t i = space ? (size_t)(space - line) + 1 : length; i < length && isdigit((unsigned char)line[i]); i++)
        request->status = request->status < 1000 ? request->status * 10 + (line[i] - '0') : request->status;
    buf_clear(&request->server);
    buf_clear(&request->content_type);
    buf_clear(&request->location);
}

static bool status_is_interim(int32_t status)
{
    return status >= 100 && status < 200 && status != 101;
}

/* The answer ends with the connection, by a way that may pass that on late. */
static bool waits_for_close(const struct request *request)
{
    return request->close_late > 0 && request->headers_done && !request->has_end;
}

static int64_t finish_moment(const struct request *request)
{
    return request->deadline - FINISH_MS * (int64_t)MILLISECOND_US;
}

/* Nothing more will be sent, and the other side may know it. */
static void request_end_sending(struct request *request)
{
    if (!request->finished && request->fd >= 0)
        shutdown(request->fd, SHUT_WR);
    request->finished = true;
}

/* Redirects that Go's client follows: these five, with a Location. */
static bool is_redirect(const struct request *request)
{
    int32_t status = request->status;
    return (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) &&
           request->location.len > 0;
}

/* Go's client refuses an answer with control bytes in a header. */
static bool header_is_clean(const char *line, size_t length)
{
    for (; length > 0 && (line[length - 1] == '\r' || line[length - 1] == '\n'); length--)
        ;
    for (size_t i = 0; i < length; i++)
        if (wire_is_control(line[i]) && line[i] != '\t')
            return false;
    return true;
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
    struct request *request = user;
    size_t length = size * count;
    request->header_bytes += length;
    if (request->close_late > 0)
        request->last_byte = clock_mono_us();
    if (request->header_bytes > HTTP_HEADERS_MAX) {
        request->stop = STOP_HEADERS_TOO_BIG;
        return 0;
    }
    if (request->headers_done) /* trailers */
        return length;
    if (!header_is_clean(line, length)) {
        request->stop = STOP_BAD_HEADER;
        return 0;
    }
    if (length >= 5 && strncmp(line, "HTTP/", 5) == 0) {
        headers_begin(request, line, length);
    } else if (line[0] != '\r' && line[0] != '\n') {
        request->has_end = request->has_end || header_is("Content-Length", line, length) ||
                           header_is("Transfer-Encoding", line, length);
        if (!header_take(&request->server, "Server", line, length) &&
            !header_take(&request->content_type, "Content-Type", line, length))
            header_take(&request->location, "Location", line, length);
    } else if (!status_is_interim(request->status)) {
        request->headers_done = true;
        if (is_redirect(request)) {
            request->stop = STOP_REDIRECT; /* its body is of no interest: no reason to wait for it */
            return 0;
        }
        if (waits_for_close(request) && request->last_byte >= finish_moment(request))
            request_end_sending(request);
    }
    return length;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
    struct request *request = user;
    size_t length = size * count;
    if (request->close_late > 0) {
        request->last_byte = clock_mono_us();
        if (request->last_byte > request->deadline) {
            request->stop = STOP_LATE;
            return 0;
        }
    }
    bool fits = buf_append(&request->body, bytes, length);
    if (!request->status_seen) { /* allowed through by HTTP09_ALLOWED so that we see what came instead of HTTP */
        request->stop = STOP_NOT_HTTP;
        return 0;
    }
    if (fits && request->body.len < HTTP_BODY_MAX)
        return length;
    request->stop = STOP_BODY_FULL;
    return 0;
}

/* ---- a transfer's end ---- */

static enum http_error request_send(struct request *request);

static int64_t moment(struct request *request, CURLINFO info)
{
    curl_off_t us = 0;
    curl_easy_getinfo(request->transfer.easy, info, &us);
    return us > 0 ? (int64_t)us + request->hops_us : -1;
}

/* Gives back all but the struct itself, which can be used as before. */
static void request_strip(struct request *request)
{
    struct buf *all[] = {&request->url_taken,    &request->unix_path, &request->server,
                         &request->content_type, &request->location,  &request->body};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        buf_free(all[i]);
    wire_free(&request->wire);
    curl_easy_cleanup(request->transfer.easy);
    curl_url_cleanup(request->url);
    request->transfer.easy = NULL;
    request->url = NULL;
}

/* When thousands of pods hang at once each needs a handle of its own; those are not kept for ever, and when the last one has ended the C library lets go of what they took. */
static void request_idle(struct request *request)
{
    struct http *http = request->http;
    bool keep = http->idle_count < IDLE_MAX;
    struct request **list = keep ? &http->idle : &http->bare;
    if (!keep)
        request_strip(request);
    http->idle_count += keep;
    request->next = *list;
    *list = request;
    http->crowded = http->crowded || !keep;
    if (http->crowded && http->in_flight == 0) {
        http->crowded = false;
        mem_trim();
    }
}

/* When the answer was over at its end of the way, where that passes the end on late. */
static int64_t total_on_time(const struct request *request, enum http_error error, int64_t total)
{
    int64_t end =
        error == HTTP_OK && request->headers_done && !request->has_end ? request->last_byte : request->deadline;
    return total > end - request->started_mono ? end - request->started_mono : total;
}

static void request_finish(struct request *request, enum http_error error, const char *words)
{
    struct http *http = request->http;
    struct http_result result = {.error = error,
                                 .status = status_is_interim(request->status) ? 0 : request->status,
                                 .dns = -1,
                                 .connect = -1,
                                 .tls = -1,
                                 .first_byte = -1,
                                 .total = clock_mono_us() - request->started_mono,
                                 .started_mono = request->started_mono,
                                 .redirects = request->redirects,
                                 .redirect_elsewhere = request->elsewhere,
                                 .body = buf_str(&request->body),
                                 .body_length = request->body.len,
                                 .body_cut = request->body.truncated,
                                 .server = buf_str(&request->server),
                                 .content_type = buf_str(&request->content_type),
                                 .location = buf_str(&request->location),
                                 .detail = error == HTTP_OK ? "" : words};
    if (request->added) {
        result.dns = moment(request, CURLINFO_NAMELOOKUP_TIME_T);
        result.connect = moment(request, CURLINFO_CONNECT_TIME_T);
        if (result.connect < 0 && request->wire.https && request->transfer.connected_mono > 0)
            result.connect = request->transfer.connected_mono - request->started_mono;
        result.tls = moment(request, CURLINFO_APPCONNECT_TIME_T);
        if (request->header_bytes > 0 || request->body.len > 0) /* libcurl also takes an EOF for the first byte */
            result.first_byte = moment(request, CURLINFO_STARTTRANSFER_TIME_T);
        if (error != HTTP_CANCELLED && moment(request, CURLINFO_TOTAL_TIME_T) > 0)
            result.total = moment(request, CURLINFO_TOTAL_TIME_T);
        multi_remove(http->multi, &request->transfer);
        request->added = false;
    }
    if (request->close_late > 0)
        result.total = total_on_time(request, error, result.total);
    if (request->tcp_only) {
        curl_easy_setopt(request->transfer.easy, CURLOPT_CONNECT_ONLY, 0L);
        result.first_byte = -1;
    }
    request->ticket = 0;
    http->in_flight--;
    request->done(request->user, &result);
    request_idle(request);
}

static void on_failed_timer(uv_timer_t *timer)
{
    struct http *http = timer->data;
    while (http->failed) {
        struct request *request = http->failed;
        http->failed = request->next;
        request_finish(request, request->own_error, http_error_sentence(request->own_error));
    }
}

/* Ends the request from the loop, because `done` must not run before the caller has the ticket. */
static void request_fail_later(struct request *request, enum http_error error)
{
    struct http *http = request->http;
    request->own_error = error;
    request->next = http->failed;
    http->failed = request;
    uv_timer_start(&http->failed_timer, on_failed_timer, 0, 0);
}

/* ---- redirects ---- */

/* Parts of a URL as libcurl gives them, "" where it has none. */
struct parts {
    char *scheme, *host, *port, *port_number, *path, *query, *whole;
};

static char *part_get(CURLU *url, CURLUPart part, unsigned flags)
{
    char *value = NULL;
    return curl_url_get(url, part, &value, flags) == CURLUE_OK ? value : NULL;
}

static void parts_get(struct parts *parts, CURLU *url)
{
    curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
    *parts = (struct parts){.scheme = part_get(url, CURLUPART_SCHEME, 0),
                            .host = part_get(url, CURLUPART_HOST, 0),
                            .port = part_get(url, CURLUPART_PORT, 0),
                            .port_number = part_get(url, CURLUPART_PORT, CURLU_DEFAULT_PORT),
                            .path = part_get(url, CURLUPART_PATH, 0),
                            .query = part_get(url, CURLUPART_QUERY, 0),
                            .whole = part_get(url, CURLUPART_URL, 0)};
}

static void parts_free(struct parts *parts)
{
    char *all[] = {parts->scheme, parts->host,  parts->port, parts->port_number,
                   parts->path,   parts->query, parts->whole};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        curl_free(all[i]);
}

static const char *string_of(const char *part)
{
    return part ? part : "";
}

static struct wire_location location_of(const struct parts *parts, bool relative)
{
    return (struct wire_location){.scheme = string_of(parts->scheme),
                                  .host = string_of(parts->host),
                                  .port = string_of(parts->port),
                                  .port_number = (int32_t)strtol(string_of(parts->port_number), NULL, 10),
                                  .path = string_of(parts->path),
                                  .query = string_of(parts->query),
                                  .whole = string_of(parts->whole),
                                  .relative = relative};
}

/* Whether the resolved Location is followed: HTTP_OK and `*follow`, or an end. */
static enum http_error location_judge(struct request *request, const struct wire_location *location, bool *follow,
                                      const char **words)
{
    if (!wire_is_same_host(&request->wire, location->host)) {
        request->elsewhere = true;
        return HTTP_OK;
    }
    if (request->redirects + 1 >= HTTP_REQUESTS_MAX) {
        *words = http_error_sentence(HTTP_TOO_MANY_REDIRECTS);
        return HTTP_TOO_MANY_REDIRECTS;
    }
    if (strcmp(location->scheme, "http") != 0 && strcmp(location->scheme, "https") != 0) {
        *words = "redirected to a scheme that is not HTTP";
        return HTTP_NOT_HTTP; /* Go: unsupported protocol scheme */
    }
    if (!wire_redirect(&request->wire, location)) {
        *words = "redirected to another port, where the tunnel does not lead";
        return HTTP_BAD_REQUEST;
    }
    *follow = true;
    return HTTP_OK;
}

/* What becomes of a redirect that has come. */
static enum http_error redirect_judge(struct request *request, CURLU *url, bool *follow, const char **words)
{
    const char *location = buf_str(&request->location);
    const unsigned flags = CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE;
    bool relative = location[strcspn(location, ":/?#")] != ':';
    if (curl_url_set(url, CURLUPART_URL, buf_str(&request->wire.asked), CURLU_URLENCODE) != CURLUE_OK ||
        curl_url_set(url, CURLUPART_URL, location, flags) != CURLUE_OK) {
        /* Go fails at a Location it cannot parse. What has a scheme but no host (file:///etc/passwd, mailto:) parses for Go, and its host is another one. */
        request->elsewhere = !relative && location[strcspn(location, ":") + 1] != '/';
        *words = "the Location of the redirect is no URL";
        return request->elsewhere ? HTTP_OK : HTTP_NOT_HTTP;
    }
    struct parts parts;
    parts_get(&parts, url);
    struct wire_location resolved = location_of(&parts, relative);
    enum http_error error = location_judge(request, &resolved, follow, words);
    parts_free(&parts);
    return error;
}

static void request_redirected(struct request *request)
{
    CURLU *url = curl_url();
    bool follow = false;
    const char *words = "";
    enum http_error error = url ? redirect_judge(request, url, &follow, &words) : HTTP_NO_RESOURCES;
    curl_url_cleanup(url);
    if (follow) {
        request->hops_us = clock_mono_us() - request->started_mono;
        request->redirects++;
        multi_remove(request->http->multi, &request->transfer);
        request->added = false;
        error = request_send(request);
        if (error == HTTP_OK)
            return;
        words = http_error_sentence(error);
    }
    request_finish(request, error, words);
}

static struct http_reached request_reached(struct request *request)
{
    long os_errno = 0;
    curl_easy_getinfo(request->transfer.easy, CURLINFO_OS_ERRNO, &os_errno);
    bool unresolved = request->unix_path.len == 0 && moment(request, CURLINFO_NAMELOOKUP_TIME_T) < 0;
    bool connected = request->transfer.connected_mono > 0 || moment(request, CURLINFO_CONNECT_TIME_T) > 0;
    return (struct http_reached){.https = request->wire.https,
                                 .unresolved = unresolved,
                                 .connected = connected,
                                 .tls_done = moment(request, CURLINFO_APPCONNECT_TIME_T) > 0,
                                 .headers_done = request->headers_done,
                                 .os_errno = request->socket_errno ? request->socket_errno : (int)os_errno,
                                 .words = request->words};
}

/* ---- deadlines, where the end of a connection is passed on late ---- */

static void on_deadline(uv_timer_t *timer);

static void deadline_arm(struct http *http, int64_t at)
{
    http->deadline_armed = at;
    if (at == INT64_MAX) {
        uv_timer_stop(&http->deadline_timer);
        return;
    }
    int64_t left = at - clock_mono_us();
    uv_timer_start(&http->deadline_timer, on_deadline,
                   left > 0 ? (uint64_t)((left + MILLISECOND_US - 1) / MILLISECOND_US) : 0, 0);
}

/* A server that says where its answer ends only by closing has answered in time for the kubelet when it closes in time, but a port-forward passes the close on about a second later, for as long as our side of it is
 * open (facts/kube.md 3.1). Closing our side at once would cut an answer that takes its time. So we do it shortly before the deadline: what is closed by then, or from then on, is known at once, and the next probe
 * is not held up by this one; what the way itself cuts off comes too late to be taken for the server's own end. */
static void deadline_watch(struct request *request)
{
    if (request->close_late > 0 && finish_moment(request) < request->http->deadline_armed)
        deadline_arm(request->http, finish_moment(request));
}

/* Does what is due by now; when to look again, or INT64_MAX where it has ended. */
static int64_t deadline_look(struct request *request, int64_t now)
{
    bool waits = waits_for_close(request);
    if (now < finish_moment(request))
        return finish_moment(request);
    if (waits)
        request_end_sending(request);
    int64_t last = request->deadline + (waits ? request->close_way : 0);
    if (now < last)
        return last;
    struct http_reached reached = request_reached(request);
    enum http_error error = http_error_of_curl(CURLE_OPERATION_TIMEDOUT, &reached);
    request_finish(request, error, http_error_sentence(error));
    return INT64_MAX;
}

static void on_deadline(uv_timer_t *timer)
{
    struct http *http = timer->data;
    int64_t now = clock_mono_us(), next = INT64_MAX;
    http->deadline_armed = INT64_MAX;
    for (uint32_t i = 0; i < http->slot_count; i++) { /* whoever is told of an end may begin another, maybe here */
        struct request *request = http->slots[i];
        if (request->ticket == 0 || request->close_late == 0 || !request->added)
            continue;
        int64_t again = deadline_look(request, now);
        next = again < next ? again : next;
    }
    if (next < http->deadline_armed)
        deadline_arm(http, next);
}

/* libcurl has ended the transfer. */
static void request_ended(struct transfer *transfer, int curl_code)
{
    struct request *request = (struct request *)transfer;
    struct http_reached reached = request_reached(request);
    enum http_error error = http_error_of_curl(curl_code, &reached);
    const char *words = request->words[0] ? request->words : curl_easy_strerror((CURLcode)curl_code);
    if (request->socket_errno)
        words = strerror(request->socket_errno);
    switch (request->stop) {
    case STOP_REDIRECT:
        request_redirected(request);
        return;
    case STOP_BODY_FULL:
        error = HTTP_OK;
        break;
    case STOP_HEADERS_TOO_BIG:
        error = HTTP_HEADERS_TOO_BIG;
        words = "more than 64 KiB of headers";
        break;
    case STOP_NOT_HTTP:
        error = HTTP_NOT_HTTP;
        words = "the answer has no status line";
        break;
    case STOP_LATE:
        error = HTTP_TIMEOUT_BODY;
        words = http_error_sentence(error);
        break;
    case STOP_BAD_HEADER:
        error = HTTP_NOT_HTTP;
        words = "control bytes in a header of the answer";
        break;
    case STOP_NOT:
        /* libcurl is content with headers that break off; Go is not. */
        if (error == HTTP_OK && !request->headers_done && !request->tcp_only) {
            error = HTTP_EMPTY_REPLY;
            words = "closed amid the headers";
        }
        break;
    }
    request_finish(request, error, words);
}

/* ---- requests ---- */

/* What never changes from one probe to the next (facts/kube.md 1.6). */
static void easy_set_up(struct request *request, CURL *easy)
{
    multi_adopt(&request->transfer, easy);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->words);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, request);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, &request->lines[0]);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 1L); /* see on_body() */
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL); /* nothing is verified: do not read the system's certificates */
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a name server that hangs must not hold up the loop */
#endif
}

static struct request *request_new(struct http *http)
{
    struct request *request = mem_new(sizeof *request);
    request->http = http;
    request->transfer.ended = request_ended;
    request->slot = http->slot_count;
    struct buf *all[] = {&request->url_taken, &request->unix_path, &request->server, &request->content_type,
                         &request->location};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        buf_init(all[i], PART_MAX);
    wire_init(&request->wire);
    buf_init(&request->body, HTTP_BODY_MAX);
    if (http->slot_count == http->slot_capacity) {
        http->slot_capacity = http->slot_capacity * 2 + 16;
        http->slots = mem_resize(http->slots, http->slot_capacity, sizeof *http->slots);
    }
    http->slots[http->slot_count++] = request;
    return request;
}

static void request_delete(struct request *request)
{
    request_strip(request);
    mem_free(request);
}

/* The list begins at lines[0], which libcurl has been told once and for all. */
static void lines_link(struct request *request)
{
    char *lines[WIRE_LINES_MAX];
    size_t count = wire_lines(&request->wire, lines);
    for (size_t i = 0; i < count; i++)
        request->lines[i] =
            (struct curl_slist){.data = lines[i], .next = i + 1 < count ? &request->lines[i + 1] : NULL};
}

/* Tells libcurl what to dial, as a URL already taken apart: from a text it would take it apart, put it together again and copy it for each probe, though most probes have the same one as
 * the one before (through tunnels it names only the port and the path). An address with a zone is left in the text, because libcurl 7.88 loses the zone of a URL that was taken apart. */
static bool url_set(struct request *request)
{
    CURL *easy = request->transfer.easy;
    const struct buf *url = &request->wire.url;
    if (strchr(buf_str(&request->wire.dial_host), '%')) {
        buf_clear(&request->url_taken);
        return curl_easy_setopt(easy, CURLOPT_CURLU, NULL) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_URL, buf_str(url)) == CURLE_OK;
    }
    if (request->url_taken.len > 0 && strcmp(buf_str(&request->url_taken), buf_str(url)) == 0)
        return true;
    buf_clear(&request->url_taken);
    if (!request->url)
        request->url = curl_url();
    if (!request->url || curl_url_set(request->url, CURLUPART_URL, buf_str(url), CURLU_PATH_AS_IS) != CURLUE_OK ||
        curl_easy_setopt(easy, CURLOPT_CURLU, request->url) != CURLE_OK)
        return false;
    return buf_append(&request->url_taken, buf_str(url), url->len);
}

/* One hop. What is left of the time limit covers it and all that follow. HTTP_OK: it is under way. */
static enum http_error request_send(struct request *request)
{
    CURL *easy = request->transfer.easy;
    int64_t left = request->deadline + request->close_late - clock_mono_us();
    request->stop = STOP_NOT;
    request->status_seen = request->headers_done = request->has_end = request->finished = false;
    request->fd = -1;
    request->last_byte = 0;
    request->header_bytes = 0;
    request->status = 0;
    request->socket_errno = 0;
    request->words[0] = '\0';
    buf_clear(&request->body);
    buf_clear(&request->server);
    buf_clear(&request->content_type);
    buf_clear(&request->location);
    lines_link(request);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, wire_is_one_segment(&request->wire) ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(left > 0 ? (left + MILLISECOND_US - 1) / MILLISECOND_US : 1));
    if (easy && !url_set(request))
        return HTTP_BAD_REQUEST;
    request->added = multi_add(request->http->multi, &request->transfer);
    deadline_watch(request);
    return request->added ? HTTP_OK : HTTP_NO_RESOURCES;
}

/* A request with everything but what is to be sent. Should libcurl have no easy handle for us, everything else takes the NULL and request_send() fails. */
static struct request *request_take(struct http *http, const struct http_address *address, int64_t timeout_us,
                                    http_done_fn *done, void *user)
{
    struct request **list = http->idle ? &http->idle : &http->bare;
    struct request *request = *list ? *list : request_new(http);
    http->idle_count -= http->idle != NULL;
    if (*list)
        *list = request->next;
    CURL *easy = request->transfer.easy ? NULL : curl_easy_init();
    if (easy)
        easy_set_up(request, easy);
    request->ticket = ++http->uses << SLOT_BITS | (request->slot + 1);
    request->done = done;
    request->user = user;
    request->started_mono = clock_mono_us();
    request->deadline = request->started_mono + timeout_us;
    request->close_late = address->close_late > 0 ? address->close_late : 0;
    request->close_way = address->close_way;
    request->hops_us = 0;
    request->redirects = 0;
    request->status = 0;
    request->elsewhere = request->tcp_only = request->added = false;
    const char *unix_path = address->unix_path ? address->unix_path : "";
    if (strcmp(buf_str(&request->unix_path), unix_path) != 0) {
        buf_clear(&request->unix_path);
        buf_puts(&request->unix_path, unix_path);
        curl_easy_setopt(request->transfer.easy, CURLOPT_UNIX_SOCKET_PATH, unix_path[0] ? unix_path : NULL);
    }
    http->in_flight++;
    return request;
}

/* Sends what is in request->wire, where it could be `built`. */
static uint64_t request_begin(struct request *request, bool built)
{
    enum http_error error = built ? request_send(request) : HTTP_BAD_REQUEST;
    if (error != HTTP_OK)
        request_fail_later(request, error);
    return request->ticket;
}

uint64_t http_get(struct http *http, const struct probe_spec *spec, const struct http_address *address,
                  const char *host_header, int64_t timeout_us, http_done_fn *done, void *user)
{
    struct request *request = request_take(http, address, timeout_us, done, user);
    return request_begin(request, wire_build(&request->wire, spec, address, host_header, http->user_agent));
}

uint64_t http_tcp_connect(struct http *http, const struct http_address *address, int64_t timeout_us, http_done_fn *done,
                          void *user)
{
    struct request *request = request_take(http, address, timeout_us, done, user);
    struct probe_spec spec = {0};
    request->tcp_only = true;
    request->close_late = 0;
    curl_easy_setopt(request->transfer.easy, CURLOPT_CONNECT_ONLY, 1L);
    return request_begin(request, wire_build(&request->wire, &spec, address, NULL, ""));
}

void http_cancel(struct http *http, uint64_t ticket)
{
    uint64_t slot = ticket & ((UINT64_C(1) << SLOT_BITS) - 1);
    struct request *request = slot > 0 && slot <= http->slot_count ? http->slots[slot - 1] : NULL;
    if (!request || request->ticket != ticket)
        return;
    for (struct request **at = &http->failed; *at; at = &(*at)->next) {
        if (*at == request) {
            *at = request->next;
            break;
        }
    }
    request_finish(request, HTTP_CANCELLED, http_error_sentence(HTTP_CANCELLED));
}

size_t http_in_flight(const struct http *http)
{
    return http->in_flight;
}

struct streams *http_streams(struct http *http)
{
    return http->streams;
}

struct http *http_new(uv_loop_t *loop, const char *user_agent)
{
    mem_tune();
    struct multi *multi = multi_new(loop);
    if (!multi)
        return NULL;
    struct http *http = mem_new(sizeof *http);
    http->multi = multi;
    http->streams = streams_new(loop, multi);
    http->user_agent = mem_dup(user_agent);
    uv_timer_init(loop, &http->failed_timer);
    uv_timer_init(loop, &http->deadline_timer);
    http->failed_timer.data = http->deadline_timer.data = http;
    http->deadline_armed = INT64_MAX;
    return http;
}

static void on_http_closed(uv_handle_t *handle)
{
    struct http *http = handle->data;
    mem_free(http->slots);
    mem_free(http->user_agent);
    mem_free(http);
}

static void on_failed_closed(uv_handle_t *handle)
{
    struct http *http = handle->data;
    uv_close((uv_handle_t *)&http->deadline_timer, on_http_closed);
}

void http_free(struct http *http)
{
    if (!http)
        return;
    for (uint32_t i = 0; i < http->slot_count; i++)
        if (http->slots[i]->ticket)
            http_cancel(http, http->slots[i]->ticket);
    for (uint32_t i = 0; i < http->slot_count; i++)
        request_delete(http->slots[i]);
    streams_free(http->streams);
    multi_free(http->multi);
    uv_timer_stop(&http->deadline_timer);
    uv_close((uv_handle_t *)&http->failed_timer, on_failed_closed);
}
