#include "kube/slice.h"

#include <string.h>

struct slice slice_of(const char *string)
{
    return (struct slice){string, strlen(string)};
}

bool slice_is(struct slice slice, const char *string)
{
    return slice.length == strlen(string) && memcmp(slice.bytes ? slice.bytes : "", string, slice.length) == 0;
}

bool slice_starts(struct slice slice, const char *string)
{
    size_t length = strlen(string);
    return slice.length >= length && memcmp(slice.bytes ? slice.bytes : "", string, length) == 0;
}

const char *slice_find(struct slice slice, const char *words)
{
    size_t length = strlen(words);
    for (size_t at = 0; at + length <= slice.length; at++)
        if (memcmp(slice.bytes + at, words, length) == 0)
            return slice.bytes + at;
    return NULL;
}

struct slice slice_from(struct slice slice, size_t from)
{
    from = from < slice.length ? from : slice.length;
    return from > 0 ? (struct slice){slice.bytes + from, slice.length - from} : slice;
}

struct slice slice_before(struct slice slice, size_t length)
{
    return (struct slice){slice.bytes, length < slice.length ? length : slice.length};
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

struct slice slice_trim(struct slice slice)
{
    while (slice.length > 0 && is_blank(slice.bytes[0]))
        slice = slice_from(slice, 1);
    while (slice.length > 0 && is_blank(slice.bytes[slice.length - 1]))
        slice.length--;
    return slice;
}

size_t slice_indent(struct slice line)
{
    size_t indent = 0;
    while (indent < line.length && is_blank(line.bytes[indent]))
        indent++;
    return indent;
}

bool slice_line(struct slice *left, struct slice *line)
{
    if (left->length == 0)
        return false;
    const char *end = memchr(left->bytes, '\n', left->length);
    size_t length = end ? (size_t)(end - left->bytes) : left->length;
    *line = slice_before(*left, length);
    *left = slice_from(*left, length + (end ? 1 : 0));
    if (line->length > 0 && line->bytes[line->length - 1] == '\r')
        line->length--;
    return true;
}

struct slice slice_word(struct slice *left)
{
    struct slice rest = slice_from(*left, slice_indent(*left));
    size_t length = 0;
    while (length < rest.length && !is_blank(rest.bytes[length]))
        length++;
    *left = slice_from(rest, length);
    return slice_before(rest, length);
}

bool slice_number(struct slice slice, int64_t *out)
{
    enum { DIGITS_MAX = 18 };
    int64_t number = 0;
    if (slice.length == 0 || slice.length > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < slice.length; i++) {
        if (slice.bytes[i] < '0' || slice.bytes[i] > '9')
            return false;
        number = number * 10 + (slice.bytes[i] - '0');
    }
    *out = number;
    return true;
}
