/* What lies behind the fake API: logs, port-forwards, the pods' proxy; see fake_api_work.h. */
#include "tests/support/fake_api_work.h"

#include "base/clock.h"
#include "base/mem.h"
#include "tunnel/spdy.h"
#include "tunnel/websocket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- logs ---- */

static struct log *log_find(struct fake_api *api, const char *ns, const char *pod, const char *container)
{
    for (size_t i = 0; i < api->log_count; i++) {
        struct log *log = api->logs[i];
        if (strcmp(log->ns, ns) == 0 && strcmp(log->pod, pod) == 0 &&
            (!container[0] || strcmp(log->container, container) == 0))
            return log;
    }
    struct log *log = mem_new(sizeof *log);
    snprintf(log->ns, sizeof log->ns, "%s", ns);
    snprintf(log->pod, sizeof log->pod, "%s", pod);
    snprintf(log->container, sizeof log->container, "%s", container);
    buf_init(&log->now, LOG_MAX);
    buf_init(&log->before, LOG_MAX);
    api->logs = mem_resize(api->logs, api->log_count + 1, sizeof(struct log *));
    return api->logs[api->log_count++] = log;
}

static void logs_send(struct fake_api *api)
{
    for (struct connection *connection = api->connections; connection; connection = connection->next) {
        if (connection->use == USE_LOG && connection->log_at < connection->log->now.len) {
            connection_chunk(connection, connection->log->now.data + connection->log_at,
                             connection->log->now.len - connection->log_at);
            connection->log_at = connection->log->now.len;
        }
    }
}

void fake_api_log(struct fake_api *api, const char *ns, const char *pod, const char *container, const char *line)
{
    struct log *log = log_find(api, ns, pod, container);
    struct clock clock;
    char moment[32];
    clock_start(&clock, 1);
    clock_format(clock.wall_zero, CLOCK_ISO_UTC, moment, sizeof moment);
    size_t length = strlen(moment);
    buf_printf(&log->now, "%.*s.%06dZ %s\n", (int)(length - 1), moment, (int)(clock.wall_zero % SECOND_US), line);
    logs_send(api);
}

/* Ends what is streamed of it in good order. */
static void log_streams_end(struct fake_api *api, const struct log *log)
{
    for (struct connection *connection = api->connections; connection; connection = connection->next) {
        if (connection->use == USE_LOG && connection->log == log) {
            connection_write(connection, "0\r\n\r\n", 5);
            connection->use = USE_HTTP;
        }
    }
}

void fake_api_log_turn(struct fake_api *api, const char *ns, const char *pod, const char *container)
{
    struct log *log = log_find(api, ns, pod, container);
    log_streams_end(api, log);
    buf_free(&log->before);
    log->before = log->now;
    buf_init(&log->now, LOG_MAX);
}

/* What was written since then, without timestamps when none were asked for. since "": all. */
static void log_copy(const struct buf *log, bool timestamps, const char *since, struct buf *out)
{
    const char *at = buf_str(log), *end = at + log->len;
    size_t compared = strcspn(since, "Z");
    while (at < end) {
        const char *line = timestamps ? at : (const char *)memchr(at, ' ', (size_t)(end - at)) + 1;
        const char *next = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
        if (strncmp(at, since, compared) >= 0)
            buf_append(out, line, (size_t)(next - line));
        at = next;
    }
}

void answer_log(struct connection *connection, const struct request *request)
{
    struct fake_api *api = connection->api;
    char container[NAME_SIZE], since[64];
    struct buf out;
    query_get(request, "sinceTime", since, sizeof since);
    query_get(request, "container", container, sizeof container);
    struct log *log = log_find(api, request->ns, request->name, container);
    bool previous = query_true(request, "previous"), timestamps = query_true(request, "timestamps");
    if (previous && log->before.len == 0) {
        answer_status(connection, 400, "previous terminated container \"vllm\" in pod not found");
        return;
    }
    buf_init(&out, LOG_MAX);
    log_copy(previous ? &log->before : &log->now, timestamps, since, &out);
    if (query_true(request, "follow") && !previous) {
        stream_head(connection, "text/plain");
        if (out.len > 0)
            connection_chunk(connection, out.data, out.len);
        connection->use = USE_LOG;
        connection->log = log;
        connection->log_at = log->now.len;
    } else {
        answer(connection, 200, "text/plain", buf_str(&out), out.len);
    }
    buf_free(&out);
}

/* ---- port-forward ---- */

static void pair_freed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void pair_closed(uv_handle_t *handle)
{
    struct pair *pair = handle->data;
    uv_close((uv_handle_t *)&pair->hold, pair_freed);
}

void pair_close(struct pair *pair)
{
    if (pair->connection) {
        struct pair **at = &pair->connection->pairs;
        while (*at != pair)
            at = &(*at)->next;
        *at = pair->next;
        pair->connection = NULL;
    }
    if (!pair->open)
        mem_free(pair);
    else if (!uv_is_closing((uv_handle_t *)&pair->tcp))
        uv_close((uv_handle_t *)&pair->tcp, pair_closed);
}

static void frames_flush(struct connection *connection)
{
    struct buf out;
    if (connection->frames.len == 0)
        return;
    buf_init(&out, ANSWER_MAX);
    if (connection->websocket)
        websocket_send(connection->websocket, connection->frames.data, connection->frames.len, &out);
    else
        buf_append(&out, connection->frames.data, connection->frames.len);
    buf_clear(&connection->frames);
    connection_write(connection, out.data, out.len);
    buf_free(&out);
}

/* Both streams end; `words`: on the error stream before. */
static void pair_end(struct pair *pair, const char *words)
{
    struct connection *connection = pair->connection;
    if (connection) {
        spdy_send(connection->spdy, pair->error, words, strlen(words), true);
        spdy_send(connection->spdy, pair->data, "", 0, true);
        frames_flush(connection);
    }
    pair_close(pair);
}

static void pair_fail(struct pair *pair, const char *why)
{
    char words[1024];
    snprintf(
        words, sizeof words,
        "error forwarding port %d to pod 6f1c5d, uid : failed to execute portforward in network namespace "
        "\"/var/run/netns/cni-6f1c5d\": failed to connect to localhost:%d inside namespace \"6f1c5d\", IPv4: dial tcp4 "
        "127.0.0.1:%d: connect: %s IPv6 dial tcp6: address localhost: no suitable address found ",
        (int)pair->port, (int)pair->port, (int)pair->port, why);
    pair_end(pair, words);
}

void room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct fake_api *api = handle->loop->data;
    (void)suggested;
    *out = uv_buf_init(api->room, sizeof api->room);
}

static void pair_held(uv_timer_t *timer)
{
    struct pair *pair = timer->data;
    if (pair->connection)
        pair_end(pair, "");
}

static void pair_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *bytes)
{
    struct pair *pair = stream->data;
    if (count < 0) {
        if (count == UV_EOF && pair->connection) {
            pair->pod_ended = true;
            uv_timer_start(&pair->hold, pair_held, pair->client_ended ? 0 : pair->connection->api->hold, 0);
        } else if (count != UV_EOF) {
            char words[512];
            snprintf(words, sizeof words,
                     "error forwarding port %d to pod 6f1c5d, uid : failed to execute portforward in network namespace "
                     "\"/var/run/netns/cni-6f1c5d\": read tcp4 127.0.0.1:47512->127.0.0.1:%d: read: connection reset "
                     "by peer",
                     (int)pair->port, (int)pair->port);
            pair_end(pair, words);
        }
    } else if (count > 0 && pair->connection) {
        spdy_send(pair->connection->spdy, pair->data, bytes->base, (size_t)count, false);
        frames_flush(pair->connection);
    }
}

static void pair_connected(uv_connect_t *connect, int status)
{
    struct pair *pair = connect->data;
    if (status == UV_ECANCELED)
        return;
    if (status != 0)
        pair_fail(pair, status == UV_ECONNREFUSED ? "connection refused" : uv_strerror(status));
    else if (uv_read_start((uv_stream_t *)&pair->tcp, room, pair_read) != 0)
        pair_end(pair, "");
}

static void pair_begin(struct pair *pair)
{
    struct connection *connection = pair->connection;
    struct fake_api *api = connection->api;
    struct sockaddr_in address;
    int32_t port = api->options.port(api->options.user, connection->ns, connection->pod, pair->port);
    if (port < 0) {
        pair_end(pair,
                 "error forwarding port 8000 to pod 6f1c5d, uid : network namespace for sandbox \"6f1c5d\" is closed");
        return;
    }
    if (port == 0) { /* nothing has ever been bound there */
        pair_fail(pair, "connection refused");
        return;
    }
    uv_ip4_addr("127.0.0.1", port, &address);
    uv_tcp_init(api->loop, &pair->tcp);
    pair->open = true;
    uv_timer_init(api->loop, &pair->hold);
    pair->tcp.data = pair->connect.data = pair->hold.data = pair;
    int error = uv_tcp_connect(&pair->connect, &pair->tcp, (struct sockaddr *)&address, pair_connected);
    if (error != 0)
        pair_fail(pair, uv_strerror(error));
}

static const char *spdy_value(const struct spdy_header *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(headers[i].name, name) == 0)
            return headers[i].value;
    return "";
}

static void forward_opened(void *user, uint32_t stream, const struct spdy_header *headers, size_t count, bool fin)
{
    struct connection *connection = user;
    const char *request = spdy_value(headers, count, "requestid");
    struct pair *pair = connection->pairs;
    (void)fin;
    while (pair && strcmp(pair->request, request) != 0)
        pair = pair->next;
    if (!pair) {
        pair = mem_new(sizeof *pair);
        pair->connection = connection;
        pair->next = connection->pairs;
        pair->port = (int32_t)strtol(spdy_value(headers, count, "port"), NULL, 10);
        snprintf(pair->request, sizeof pair->request, "%s", request);
        connection->pairs = pair;
    }
    spdy_reply(connection->spdy, stream, NULL, 0, false);
    if (strcmp(spdy_value(headers, count, "streamtype"), "error") == 0)
        pair->error = stream;
    else
        pair->data = stream;
    if (pair->error && pair->data)
        pair_begin(pair);
}

static struct pair *pair_of(struct connection *connection, uint32_t stream)
{
    struct pair *pair = connection->pairs;
    while (pair && pair->data != stream)
        pair = pair->next;
    return pair;
}

static void forward_data(void *user, uint32_t stream, const char *bytes, size_t length, bool fin)
{
    struct pair *pair = pair_of(user, stream);
    if (!pair || !pair->open)
        return;
    if (length > 0)
        stream_write((uv_stream_t *)&pair->tcp, bytes, length);
    if (fin) {
        pair->client_ended = true;
        if (pair->pod_ended || pair->connection->api->hold > 0)
            uv_timer_start(&pair->hold, pair_held, pair->pod_ended ? 0 : pair->connection->api->hold, 0);
    }
}

static void forward_reset(void *user, uint32_t stream, uint32_t status)
{
    struct pair *pair = pair_of(user, stream);
    (void)status;
    if (pair)
        pair_close(pair);
}

static void forward_reply(void *user, uint32_t stream, const struct spdy_header *headers, size_t count, bool fin)
{
    (void)user, (void)stream, (void)headers, (void)count, (void)fin;
}

static void forward_number(void *user, uint32_t number)
{
    (void)user, (void)number;
}

static const struct spdy_ops FORWARD = {.opened = forward_opened,
                                        .reply = forward_reply,
                                        .data = forward_data,
                                        .reset = forward_reset,
                                        .ping = forward_number,
                                        .goaway = forward_number};

void forward_take(struct connection *connection)
{
    struct buf out;
    struct problem problem = {""};
    enum status status = STATUS_OK;
    buf_init(&out, ANSWER_MAX);
    if (connection->websocket) {
        status = websocket_receive(connection->websocket, buf_str(&connection->in), connection->in.len,
                                   &connection->payload, &out, &problem);
    } else {
        buf_append(&connection->payload, buf_str(&connection->in), connection->in.len);
    }
    buf_clear(&connection->in);
    if (out.len > 0)
        connection_write(connection, out.data, out.len);
    buf_free(&out);
    if (connection->payload.len > 0 &&
        spdy_receive(connection->spdy, connection->payload.data, connection->payload.len, &problem) != STATUS_OK)
        status = STATUS_BAD_INPUT;
    buf_clear(&connection->payload);
    frames_flush(connection);
    if (status == STATUS_BAD_INPUT)
        fprintf(stderr, "fake_api: %s\n", problem.text);
    if (status != STATUS_OK)
        connection_close(connection);
}

void answer_forward(struct connection *connection, const struct request *request)
{
    char key[128], head[512];
    bool is_websocket = header_has(request, "Upgrade", "websocket", NULL, 0);
    if (connection->api->no_forwards) {
        answer_status(connection, 500, "the streaming endpoint is switched off here");
        return;
    }
    if (!is_websocket && !header_has(request, "Upgrade", "SPDY/3.1", NULL, 0)) {
        answer_status(connection, 400, "Upgrade request required");
        return;
    }
    if (is_websocket && (connection->api->old_server ||
                         !header_has(request, "Sec-WebSocket-Protocol", "SPDY/3.1+portforward.k8s.io", NULL, 0) ||
                         !header_has(request, "Sec-WebSocket-Key", NULL, key, sizeof key))) {
        answer_status(connection, 400, "query parameter \"port\" is required");
        return;
    }
    if (is_websocket) {
        char accept[29];
        websocket_accept_key(key, accept);
        snprintf(head, sizeof head,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n\r\n",
                 accept);
        connection->websocket = websocket_new(true, SPDY_SEED);
    } else {
        snprintf(head, sizeof head,
                 "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
                 "X-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n");
    }
    connection_write(connection, head, strlen(head));
    connection->use = USE_FORWARD;
    connection->spdy = spdy_new(true, &connection->frames, &FORWARD, connection);
}

/* ---- a pod's proxy ---- */

static void relay_fail(struct connection *connection, const char *why)
{
    char words[256];
    snprintf(words, sizeof words, "error trying to reach service: dial tcp 10.244.0.7:8000: connect: %s", why);
    answer_status(connection, 503, words);
    connection->use = USE_HTTP;
}

static void relay_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *bytes)
{
    struct connection *connection = stream->data;
    if (connection && count < 0)
        connection_close(connection); /* after what was written: the answers say Connection: close */
    else if (connection && count > 0)
        connection_write(connection, bytes->base, (size_t)count);
}

static void relay_connected(uv_connect_t *connect, int status)
{
    uv_stream_t *stream = connect->handle;
    struct connection *connection = stream->data;
    if (!connection)
        return;
    if (status != 0) {
        relay_fail(connection, status == UV_ECONNREFUSED ? "connection refused" : uv_strerror(status));
    } else {
        stream_write(stream, buf_str(&connection->asked), connection->asked.len);
        uv_read_start(stream, room, relay_read);
    }
}

/* GET .../pods/[http:]NAME:PORT/proxy/PATH, to the pod as the API server would dial it. */
void answer_proxy(struct connection *connection, const struct request *request, int32_t container_port)
{
    struct fake_api *api = connection->api;
    struct sockaddr_in address;
    const char *path = strstr(request->path, "/proxy");
    int32_t port = api->options.port(api->options.user, request->ns, request->name, container_port);
    if (port <= 0) {
        relay_fail(connection, "connection refused");
        return;
    }
    buf_init(&connection->asked, HEAD_MAX);
    buf_printf(&connection->asked, "GET %s HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n",
               path + strlen("/proxy"));
    connection->use = USE_RELAY;
    struct relay *relay = connection->relay = mem_new(sizeof *relay);
    uv_ip4_addr("127.0.0.1", port, &address);
    uv_tcp_init(api->loop, &relay->tcp);
    relay->tcp.data = connection;
    if (uv_tcp_connect(&relay->connect, &relay->tcp, (struct sockaddr *)&address, relay_connected) != 0)
        relay_fail(connection, "no route to host");
}
