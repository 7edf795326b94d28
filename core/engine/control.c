#include "engine/control.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

enum { READS_MAX = 16 }; /* a turn; the rest comes in the next one */

struct control {
    uv_poll_t poll;
    int fd;
    control_line_fn *line;
    void *user;
    struct buf in, out; /* out: the rest of a line that the socket took a part of */
    bool over;          /* the other side is gone: told, nothing is read or written any more */
    bool mute;          /* ended by us: only what was said before is still read */
    bool closing;
};

static void on_poll(uv_poll_t *poll, int status, int events);

static void control_over(struct control *control)
{
    if (control->over)
        return;
    control->over = true;
    uv_poll_stop(&control->poll);
    if (!control->closing)
        control->line(control->user, NULL);
}

static void control_watch(struct control *control)
{
    if (!control->over && !control->closing) {
        int events = UV_READABLE | (control->out.len > 0 ? UV_WRITABLE : 0);
        uv_poll_start(&control->poll, events, on_poll);
    }
}

/* Hands out the complete lines. A line longer than CONTROL_LINE_MAX is not one of ours: nothing on that side can be trusted then. */
static void control_take_lines(struct control *control)
{
    while (!control->closing && control->in.len > 0) {
        char *newline = memchr(control->in.data, '\n', control->in.len);
        if (newline == NULL) {
            if (control->in.len > CONTROL_LINE_MAX)
                control_over(control);
            return;
        }
        size_t length = (size_t)(newline - control->in.data);
        char *line = mem_dup_n(control->in.data, length);
        buf_drop(&control->in, length + 1);
        control->line(control->user, line);
        mem_free(line);
    }
}

static void control_read(struct control *control)
{
    char bytes[CONTROL_LINE_MAX];
    for (int reads = 0; reads < READS_MAX && !control->over && !control->closing; reads++) {
        ssize_t got = recv(control->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
            return;
        if (got <= 0) {
            control_over(control);
            return;
        }
        buf_append(&control->in, bytes, (size_t)got);
        control_take_lines(control);
    }
}

/* Writes without waiting. Returns how much was taken, -1 when the other side is gone. */
static ssize_t control_write(struct control *control, const char *bytes, size_t length)
{
    ssize_t put = send(control->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return 0;
    return put;
}

static void control_drain(struct control *control)
{
    ssize_t put = control_write(control, control->out.data, control->out.len);
    if (put > 0)
        buf_drop(&control->out, (size_t)put);
    control_watch(control);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct control *control = poll->data;
    if (status < 0) {
        control_over(control);
        return;
    }
    if ((events & UV_WRITABLE) != 0 && control->out.len > 0)
        control_drain(control);
    if ((events & UV_READABLE) != 0)
        control_read(control);
}

struct control *control_new(uv_loop_t *loop, int fd, control_line_fn *line, void *user)
{
    struct control *control = mem_new(sizeof *control);
    control->fd = fd;
    control->line = line;
    control->user = user;
    buf_init(&control->in, 2 * CONTROL_LINE_MAX + 2);
    buf_init(&control->out, CONTROL_LINE_MAX + 2);
#ifdef SO_NOSIGPIPE
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    uv_poll_init(loop, &control->poll, fd);
    control->poll.data = control;
    control_watch(control);
    return control;
}

/* Sends a line with its newline; what the socket does not take of a line begun is kept. Returns false when not one byte of it was taken. */
static bool control_put(struct control *control, const char *line, size_t length)
{
    ssize_t put = control->out.len > 0 ? 0 : control_write(control, line, length);
    if (put <= 0)
        return false;
    if ((size_t)put < length) {
        buf_append(&control->out, line + put, length - (size_t)put);
        control_watch(control);
    }
    return true;
}

bool control_wake(struct control *control, const char *line)
{
    char bytes[CONTROL_LINE_MAX + 2];
    if (control->over || control->closing || control->mute)
        return false;
    size_t length = strnlen(line, CONTROL_LINE_MAX);
    for (size_t i = 0; i < length; i++)
        bytes[i] = line[i] == '\n' ? ' ' : line[i];
    bytes[length] = '\n';
    return control_put(control, bytes, length + 1);
}

void control_send(struct control *control, const char *format, ...)
{
    char line[CONTROL_LINE_MAX + 1];
    if (control->over || control->closing || control->mute)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (!control_wake(control, line)) {
        /* the connection ends; what the other side had said before is still read, then the loop finds the end */
        control->mute = true;
        shutdown(control->fd, SHUT_RDWR);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct control *control = handle->data;
    close(control->fd);
    buf_free(&control->in);
    buf_free(&control->out);
    mem_free(control);
}

void control_free(struct control *control)
{
    if (control != NULL && !control->closing) {
        control->closing = true;
        uv_close((uv_handle_t *)&control->poll, on_closed);
    }
}
