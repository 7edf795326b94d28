#include "tests/support/script.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

struct script_write {
    uv_write_t write;
    char bytes[];
};

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void script_close(struct script_connection *connection)
{
    for (struct script_connection **at = &connection->script->open; *at; at = &(*at)->next) {
        if (*at == connection) {
            *at = connection->next;
            uv_close((uv_handle_t *)&connection->pipe, on_closed);
            return;
        }
    }
}

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    mem_free(write);
}

void script_send(struct script_connection *connection, const char *bytes, size_t length)
{
    struct script_write *write = mem_new(sizeof *write + length);
    memcpy(write->bytes, bytes, length);
    uv_buf_t buf = uv_buf_init(write->bytes, (unsigned)length);
    if (uv_write(&write->write, (uv_stream_t *)&connection->pipe, &buf, 1, on_written) != 0)
        mem_free(write);
}

void script_puts(struct script_connection *connection, const char *string)
{
    script_send(connection, string, strlen(string));
}

void script_answer(struct script_connection *connection, int status, const char *body)
{
    char head[128];
    snprintf(head, sizeof head, "HTTP/1.1 %d Said\r\nContent-Length: %zu\r\n\r\n", status, strlen(body));
    script_puts(connection, head);
    script_puts(connection, body);
}

void script_begin(struct script_connection *connection, int status)
{
    char head[128];
    snprintf(head, sizeof head, "HTTP/1.1 %d Said\r\nTransfer-Encoding: chunked\r\n\r\n", status);
    script_puts(connection, head);
}

void script_piece(struct script_connection *connection, const char *string)
{
    char size[32];
    snprintf(size, sizeof size, "%zx\r\n", strlen(string));
    script_puts(connection, size);
    script_puts(connection, string);
    script_puts(connection, "\r\n");
}

void script_end(struct script_connection *connection)
{
    script_puts(connection, "0\r\n\r\n");
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    struct script_connection *connection = handle->data;
    (void)suggested;
    *room = uv_buf_init(connection->head + connection->head_length,
                        (unsigned)(sizeof connection->head - 1 - connection->head_length));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *room)
{
    struct script_connection *connection = stream->data;
    struct script *script = connection->script;
    char target[SCRIPT_HEAD_MAX];
    (void)room;
    if (count < 0) {
        script_close(connection);
        return;
    }
    connection->head_length += (size_t)count;
    connection->head[connection->head_length] = '\0';
    if (!strstr(connection->head, "\r\n\r\n"))
        return;
    memcpy(script->last, connection->head, connection->head_length + 1);
    connection->head_length = 0;
    script->asked++;
    if (sscanf(script->last, "GET %16383s", target) == 1)
        script->ask(script->user, connection, target);
    else
        script_close(connection);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct script *script = listener->data;
    if (status != 0)
        return;
    struct script_connection *connection = mem_new(sizeof *connection);
    connection->script = script;
    connection->next = script->open;
    script->open = connection;
    script->accepted++;
    uv_pipe_init(script->loop, &connection->pipe, 0);
    connection->pipe.data = connection;
    if (uv_accept(listener, (uv_stream_t *)&connection->pipe) != 0 ||
        uv_read_start((uv_stream_t *)&connection->pipe, on_room, on_read) != 0)
        script_close(connection);
}

bool script_listen(struct script *script, uv_loop_t *loop, const char *path, script_ask_fn *ask, void *user)
{
    *script = (struct script){.loop = loop, .ask = ask, .user = user};
    uv_pipe_init(loop, &script->listener, 0);
    script->listener.data = script;
    return uv_pipe_bind(&script->listener, path) == 0 &&
           uv_listen((uv_stream_t *)&script->listener, 16, on_connection) == 0;
}

void script_stop(struct script *script)
{
    while (script->open)
        script_close(script->open);
    uv_close((uv_handle_t *)&script->listener, NULL);
}
