/* A server for tests that sends exactly the bytes it is told to, over TCP (either loopback) or a unix socket, and keeps what it was sent. What sim/server.h cannot do because it speaks HTTP.
 * Header only: two test programs use it. */
#ifndef PROBETOP_TESTS_RAW_SERVER_H
#define PROBETOP_TESTS_RAW_SERVER_H

#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <uv.h>

enum raw_end { RAW_CLOSE, RAW_RESET, RAW_KEEP };

struct raw_server {
    uv_tcp_t tcp;
    uv_pipe_t pipe;
    bool is_pipe;
    const char *reply;
    size_t length;
    enum raw_end end;
    bool unasked;                 /* replies as soon as somebody connects */
    const char *second;           /* sent second_ms after the reply; NULL: nothing more is */
    unsigned second_ms, close_ms; /* close_ms: after the reply, or the second, a RAW_CLOSE comes so much later */
    unsigned cut_ms;              /* the client's end is not ours: that comes so much later at the latest; 0: it is */
    int accepted;
    int open;        /* connections not closed yet */
    char got[16384]; /* of the last connection */
    size_t got_length;
    char room[4096];
};

struct raw_connection {
    union {
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } u;
    uv_write_t write;
    uv_timer_t timer;
    struct raw_server *server;
    bool replied, seconded;
};

static inline void raw_timer_closed(uv_handle_t *handle)
{
    struct raw_connection *connection = handle->data;
    connection->server->open--;
    mem_free(connection);
}

static inline void raw_closed(uv_handle_t *handle)
{
    struct raw_connection *connection = handle->data;
    uv_close((uv_handle_t *)&connection->timer, raw_timer_closed);
}

static inline void raw_close(struct raw_connection *connection, bool reset)
{
    if (uv_is_closing((uv_handle_t *)&connection->u.stream))
        return;
    if (!reset || connection->server->is_pipe || uv_tcp_close_reset(&connection->u.tcp, raw_closed) != 0)
        uv_close((uv_handle_t *)&connection->u.stream, raw_closed);
}

static inline void raw_written(uv_write_t *write, int status);

static inline void raw_time(uv_timer_t *timer)
{
    struct raw_connection *connection = timer->data;
    struct raw_server *server = connection->server;
    if (server->second && !connection->seconded) {
        uv_buf_t bytes = uv_buf_init((char *)server->second, (unsigned)strlen(server->second));
        connection->seconded = true;
        if (uv_write(&connection->write, &connection->u.stream, &bytes, 1, raw_written) != 0)
            raw_close(connection, true);
    } else {
        raw_close(connection, false);
    }
}

static inline void raw_written(uv_write_t *write, int status)
{
    struct raw_connection *connection = write->data;
    const struct raw_server *server = connection->server;
    bool second = server->second && !connection->seconded;
    if (status == 0 && (second || (server->end == RAW_CLOSE && server->close_ms > 0))) {
        if (!uv_is_closing((uv_handle_t *)&connection->timer))
            uv_timer_start(&connection->timer, raw_time, second ? server->second_ms : server->close_ms, 0);
        return;
    }
    if (status != 0 || connection->server->end != RAW_KEEP)
        raw_close(connection, connection->server->end == RAW_RESET);
}

static inline void raw_reply(struct raw_connection *connection)
{
    struct raw_server *server = connection->server;
    uv_buf_t bytes = uv_buf_init((char *)server->reply, (unsigned)server->length);
    connection->replied = true;
    connection->write.data = connection;
    if (server->length == 0)
        raw_written(&connection->write, 0);
    else if (uv_write(&connection->write, &connection->u.stream, &bytes, 1, raw_written) != 0)
        raw_close(connection, true);
}

static inline void raw_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    struct raw_connection *connection = handle->data;
    (void)suggested;
    *room = uv_buf_init(connection->server->room, sizeof connection->server->room);
}

static inline void raw_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *room)
{
    struct raw_connection *connection = stream->data;
    struct raw_server *server = connection->server;
    if (count < 0) {
        if (count != UV_EOF || server->cut_ms == 0)
            raw_close(connection, false);
        else if (!uv_is_active((uv_handle_t *)&connection->timer))
            uv_timer_start(&connection->timer, raw_time, server->cut_ms, 0);
        return;
    }
    size_t left = sizeof server->got - 1 - server->got_length, take = (size_t)count < left ? (size_t)count : left;
    memcpy(server->got + server->got_length, room->base, take);
    server->got_length += take;
    server->got[server->got_length] = '\0';
    /* A whole request head, or the first bytes of something else. */
    if (!connection->replied && (strstr(server->got, "\r\n\r\n") || server->got[0] < 'A'))
        raw_reply(connection);
}

static inline void raw_accept(uv_stream_t *listener, int status)
{
    struct raw_server *server = listener->data;
    if (status != 0)
        return;
    struct raw_connection *connection = mem_new(sizeof *connection);
    connection->server = server;
    server->accepted++;
    server->open++;
    server->got_length = 0;
    server->got[0] = '\0';
    if (server->is_pipe)
        uv_pipe_init(listener->loop, &connection->u.pipe, 0);
    else
        uv_tcp_init(listener->loop, &connection->u.tcp);
    connection->u.stream.data = connection->timer.data = connection;
    uv_timer_init(listener->loop, &connection->timer);
    if (uv_accept(listener, &connection->u.stream) != 0 ||
        uv_read_start(&connection->u.stream, raw_room, raw_read) != 0)
        raw_close(connection, true);
    else if (server->unasked)
        raw_reply(connection);
}

/* Listens on a free port of "127.0.0.1" or "::1". Returns it, or 0 where that is not to be had. */
static inline int32_t raw_listen(struct raw_server *server, uv_loop_t *loop, const char *host)
{
    struct sockaddr_storage address;
    int size = sizeof address;
    server->is_pipe = false;
    uv_tcp_init(loop, &server->tcp);
    server->tcp.data = server;
    int error = strchr(host, ':') ? uv_ip6_addr(host, 0, (struct sockaddr_in6 *)&address)
                                  : uv_ip4_addr(host, 0, (struct sockaddr_in *)&address);
    if (error || uv_tcp_bind(&server->tcp, (struct sockaddr *)&address, 0) ||
        uv_listen((uv_stream_t *)&server->tcp, 16, raw_accept) ||
        uv_tcp_getsockname(&server->tcp, (struct sockaddr *)&address, &size))
        return 0;
    return ntohs(((struct sockaddr_in *)&address)->sin_port); /* at the same place in both families */
}

static inline bool raw_listen_unix(struct raw_server *server, uv_loop_t *loop, const char *path)
{
    server->is_pipe = true;
    uv_pipe_init(loop, &server->pipe, 0);
    server->pipe.data = server;
    return uv_pipe_bind(&server->pipe, path) == 0 && uv_listen((uv_stream_t *)&server->pipe, 16, raw_accept) == 0;
}

/* Stops listening; connections end as their clients do. The loop finishes it. */
static inline void raw_stop(struct raw_server *server)
{
    uv_close(server->is_pipe ? (uv_handle_t *)&server->pipe : (uv_handle_t *)&server->tcp, NULL);
}

#endif
