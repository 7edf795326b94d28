#include "base/buf.h"

#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BUF_FIRST = 64 };

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2};
}

void buf_free(struct buf *buf)
{
    mem_free(buf->data);
    buf_init(buf, buf->max);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->truncated = false;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

/* Room for `more` bytes and a NUL, as far as max allows; what does not fit is noted. Returns the bytes there is room for. */
static size_t buf_reserve(struct buf *buf, size_t more)
{
    size_t room = buf->max - buf->len;
    if (more > room) {
        more = room;
        buf->truncated = true;
    }
    size_t needed = buf->len + more + 1;
    if (needed > buf->cap) {
        size_t cap = buf->cap < BUF_FIRST ? BUF_FIRST : 2 * buf->cap;
        if (cap > buf->max + 1)
            cap = buf->max + 1;
        if (cap < needed)
            cap = needed;
        buf->data = mem_resize(buf->data, cap, 1);
        buf->cap = cap;
    }
    return more;
}

bool buf_append(struct buf *buf, const char *bytes, size_t length)
{
    size_t taken = buf->cap - buf->len > length ? length : buf_reserve(buf, length);
    if (taken > 0)
        memcpy(buf->data + buf->len, bytes, taken);
    buf->len += taken;
    buf->data[buf->len] = '\0';
    return taken == length;
}

bool buf_puts(struct buf *buf, const char *string)
{
    return buf_append(buf, string, strlen(string));
}

bool buf_printf(struct buf *buf, const char *format, ...)
{
    va_list arguments;
    va_list again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        va_end(again);
        buf->truncated = true;
        return false;
    }
    size_t taken = buf_reserve(buf, (size_t)length);
    int written = vsnprintf(buf->data + buf->len, taken + 1, format, again);
    va_end(again);
    (void)written; /* the same as `length` */
    buf->len += taken;
    return taken == (size_t)length;
}

void buf_drop(struct buf *buf, size_t length)
{
    if (buf->data == NULL)
        return;
    if (length > buf->len)
        length = buf->len;
    buf->len -= length;
    memmove(buf->data, buf->data + length, buf->len);
    buf->data[buf->len] = '\0';
}

void buf_cut(struct buf *buf, size_t length)
{
    buf->truncated = false;
    if (length < buf->len) {
        buf->len = length;
        buf->data[length] = '\0';
    }
}

const char *buf_str(const struct buf *buf)
{
    return buf->data == NULL ? "" : buf->data;
}

bool buf_write(const struct buf *buf, int fd)
{
    for (size_t at = 0; at < buf->len;) {
        ssize_t wrote = write(fd, buf->data + at, buf->len - at);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        at += (size_t)wrote;
    }
    return true;
}
