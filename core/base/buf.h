/* Bytes with a stated maximum. No buffer in probetop grows without a bound: `max` is given at buf_init() and counts the
 * bytes held, without the NUL that always follows them. An append that does not fit takes what fits, sets `truncated`
 * and returns false; nothing else goes wrong. Read the fields, change them only through the functions. */
#ifndef PROBETOP_BUF_H
#define PROBETOP_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data;     /* owned; NULL while empty and never appended to: use buf_str() for a string */
    size_t len;     /* bytes held */
    size_t cap;     /* bytes allocated */
    size_t max;     /* most bytes ever held */
    bool truncated; /* something did not fit since buf_init() or buf_clear() */
};

void buf_init(struct buf *buf, size_t max);
void buf_free(struct buf *buf);  /* leaves an empty buffer with the same max */
void buf_clear(struct buf *buf); /* keeps the memory */
bool buf_append(struct buf *buf, const char *bytes, size_t length);
bool buf_puts(struct buf *buf, const char *string);
bool buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_drop(struct buf *buf, size_t length); /* removes the first `length` bytes (all, when more) */
void buf_cut(struct buf *buf, size_t length);  /* keeps the first `length` bytes only; what did not fit is forgotten */
bool buf_write(const struct buf *buf, int fd); /* all of it to a file that blocks; false with errno */
const char *buf_str(const struct buf *buf);    /* never NULL, NUL-terminated; valid until the next change */

/* Here because it is short and what requests and lines of the journal are put together with. */
static inline bool buf_putc(struct buf *buf, char byte)
{
    if (buf->cap - buf->len < 2) /* the byte and the NUL */
        return buf_append(buf, &byte, 1);
    buf->data[buf->len++] = byte;
    buf->data[buf->len] = '\0';
    return true;
}

#endif
