#include "probe/stream.h"

#include "base/clock.h"
#include "base/mem.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include <curl/curl.h>

enum {
    RECEIVE_BUFFER = 16384, /* libcurl's, for each stream under way */
    PIECE_MAX = 8 << 20     /* what libcurl hands over in one go, between two tellings: about 100 times that buffer */
};

struct stream {
    struct transfer transfer; /* the first member, so that libcurl's handle leads here */
    struct streams *streams;
    struct stream *next;
    uint64_t ticket;
    stream_data_fn *data;
    stream_done_fn *done;
    void *user;
    int64_t idle_us, deadline; /* CLOCK_MONOTONIC µs */
    struct buf piece;          /* come and not yet told */
    size_t header_bytes;
    int os_errno;
    bool added, headers_done, headers_told, telling, dead, late;
    char words[CURL_ERROR_SIZE];
};

struct streams {
    struct multi *multi;
    uv_timer_t timer; /* the first deadline */
    struct stream *all;
    uint64_t tickets;
};

static void deadlines_arm(struct streams *streams);

/* ---- what libcurl calls during a transfer ---- */

static curl_socket_t on_open(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)user;
    (void)purpose;
    int fd = socket(address->family, address->socktype, address->protocol);
    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
    struct stream *stream = user;
    size_t length = size * count;
    long status = 0;
    stream->header_bytes += length;
    if (stream->header_bytes > HTTP_HEADERS_MAX)
        return 0;
    curl_easy_getinfo(stream->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
    if ((line[0] == '\r' || line[0] == '\n') && status >= 200 && !stream->headers_done) {
        stream->headers_done = true;
        stream->deadline = clock_mono_us() + stream->idle_us;
        multi_news(stream->streams->multi, &stream->transfer);
    }
    return length;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
    struct stream *stream = user;
    size_t length = size * count;
    stream->deadline = clock_mono_us() + stream->idle_us;
    multi_news(stream->streams->multi, &stream->transfer);
    return buf_append(&stream->piece, bytes, length) ? length : 0;
}

/* ---- telling, and the end ---- */

static void stream_unlink(struct stream *stream)
{
    struct streams *streams = stream->streams;
    for (struct stream **at = &streams->all; *at; at = &(*at)->next) {
        if (*at == stream) {
            *at = stream->next;
            break;
        }
    }
    if (stream->added)
        multi_remove(streams->multi, &stream->transfer);
    stream->added = false;
}

static void stream_delete(struct stream *stream)
{
    curl_easy_cleanup(stream->transfer.easy);
    buf_free(&stream->piece);
    mem_free(stream);
}

static int32_t stream_status(const struct stream *stream)
{
    long status = 0;
    curl_easy_getinfo(stream->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
    return stream->headers_done && status < 1000 ? (int32_t)status : 0;
}

/* Returns false when it was cancelled meanwhile, and is gone. */
static bool stream_tell(struct stream *stream)
{
    int32_t status = stream_status(stream);
    stream->telling = true;
    if (stream->headers_done && !stream->headers_told) {
        stream->headers_told = true;
        deadlines_arm(stream->streams); /* it may be nearer now */
        stream->data(stream->user, status, "", 0);
    }
    if (!stream->dead && stream->piece.len > 0)
        stream->data(stream->user, status, buf_str(&stream->piece), stream->piece.len);
    stream->telling = false;
    if (stream->dead) {
        stream_delete(stream);
        return false;
    }
    buf_clear(&stream->piece);
    return true;
}

static void on_news(struct transfer *transfer)
{
    stream_tell((struct stream *)transfer);
}

static void stream_finish(struct stream *stream, enum http_error error, const char *words)
{
    if (!stream_tell(stream))
        return;
    int32_t status = stream_status(stream);
    stream_unlink(stream);
    stream->done(stream->user, error, status, words);
    stream_delete(stream);
}

static void on_ended(struct transfer *transfer, int curl_code)
{
    struct stream *stream = (struct stream *)transfer;
    long os_errno = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &os_errno);
    struct http_reached reached = {.connected = transfer->connected_mono > 0,
                                   .headers_done = stream->headers_done,
                                   .os_errno = (int)os_errno,
                                   .words = stream->words};
    enum http_error error = http_error_of_curl(curl_code, &reached);
    const char *words = stream->words[0] ? stream->words : curl_easy_strerror((CURLcode)curl_code);
    if (error == HTTP_OK && !stream->headers_done)
        error = HTTP_EMPTY_REPLY;
    if (stream->header_bytes > HTTP_HEADERS_MAX)
        error = HTTP_HEADERS_TOO_BIG;
    stream_finish(stream, error, curl_code == CURLE_OK ? "" : words);
}

static void on_deadline(uv_timer_t *timer)
{
    struct streams *streams = timer->data;
    int64_t now = clock_mono_us();
    for (struct stream *stream = streams->all; stream; stream = stream->next)
        stream->late = stream->deadline <= now;
    for (struct stream *stream = streams->all; stream;) {
        if (!stream->late) {
            stream = stream->next;
            continue;
        }
        enum http_error error = !stream->added         ? HTTP_NO_RESOURCES
                                : stream->headers_done ? HTTP_TIMEOUT_BODY
                                                       : HTTP_TIMEOUT_HEADERS;
        stream_finish(stream, error, http_error_sentence(error));
        stream = streams->all; /* callbacks may have changed the list */
    }
    deadlines_arm(streams);
}

/* One timer for all: bytes only move a stream's own deadline, which is looked at when the timer fires. */
static void deadlines_arm(struct streams *streams)
{
    int64_t first = INT64_MAX, now = clock_mono_us();
    for (const struct stream *stream = streams->all; stream; stream = stream->next)
        first = stream->deadline < first ? stream->deadline : first;
    if (first == INT64_MAX)
        uv_timer_stop(&streams->timer);
    else
        uv_timer_start(&streams->timer, on_deadline,
                       first > now ? (uint64_t)((first - now + MILLISECOND_US - 1) / MILLISECOND_US) : 0, 0);
}

/* ---- starting ---- */

static void easy_set_up(struct stream *stream, const struct stream_options *options)
{
    CURL *easy = stream->transfer.easy;
    struct buf url;
    buf_init(&url, HTTP_HEADERS_MAX);
    buf_printf(&url, "http://localhost%s", options->target); /* the Host that kubectl proxy accepts */
    curl_easy_setopt(easy, CURLOPT_URL, buf_str(&url));
    buf_free(&url);
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, options->unix_path);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, options->user_agent);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, stream->words);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, stream);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, stream);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
}

uint64_t stream_start(struct streams *streams, const struct stream_options *options, stream_data_fn *data,
                      stream_done_fn *done, void *user)
{
    struct stream *stream = mem_new(sizeof *stream);
    int64_t now = clock_mono_us();
    *stream = (struct stream){.transfer = {.ended = on_ended, .news = on_news},
                              .streams = streams,
                              .next = streams->all,
                              .ticket = ++streams->tickets,
                              .data = data,
                              .done = done,
                              .user = user,
                              .idle_us = options->idle_us,
                              .deadline = now + options->answer_us};
    buf_init(&stream->piece, PIECE_MAX);
    streams->all = stream;
    CURL *easy = curl_easy_init();
    if (easy) {
        multi_adopt(&stream->transfer, easy);
        easy_set_up(stream, options);
        stream->added = multi_add(streams->multi, &stream->transfer);
    }
    if (!stream->added)
        stream->deadline = now; /* told from the loop */
    deadlines_arm(streams);
    return stream->ticket;
}

void stream_cancel(struct streams *streams, uint64_t ticket)
{
    struct stream *stream = streams->all;
    while (stream && stream->ticket != ticket)
        stream = stream->next;
    if (!stream)
        return;
    stream_unlink(stream);
    stream->dead = true;
    if (!stream->telling)
        stream_delete(stream);
    deadlines_arm(streams);
}

struct streams *streams_new(uv_loop_t *loop, struct multi *multi)
{
    struct streams *streams = mem_new(sizeof *streams);
    streams->multi = multi;
    uv_timer_init(loop, &streams->timer);
    streams->timer.data = streams;
    return streams;
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void streams_free(struct streams *streams)
{
    while (streams->all)
        stream_cancel(streams, streams->all->ticket);
    uv_close((uv_handle_t *)&streams->timer, on_closed);
}
