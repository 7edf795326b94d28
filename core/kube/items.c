#include "kube/items.h"

#include <string.h>

enum { ITEM_MAX = 4 << 20 };

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static void span_drop(struct items_span *span, size_t length)
{
    span->bytes += length;
    span->length -= length;
}

static void span_skip_blank(struct items_span *span)
{
    while (span->length > 0 && is_blank(span->bytes[0]))
        span_drop(span, 1);
}

/* Takes `byte` from the front, blanks before it too. */
static bool span_take(struct items_span *span, char byte)
{
    span_skip_blank(span);
    if (span->length == 0 || span->bytes[0] != byte)
        return false;
    span_drop(span, 1);
    return true;
}

/* The bytes of the string that begins at `at`, with both quotes; 0: it does not end. */
static size_t string_length(const char *bytes, size_t length)
{
    for (size_t i = 1; i < length; i++)
        if (bytes[i] == '\\')
            i++;
        else if (bytes[i] == '"')
            return i + 1;
    return 0;
}

/* Takes one value from the front. Brackets are only counted: json_parse() checks what is looked at. */
static bool span_take_value(struct items_span *span, struct items_span *value)
{
    size_t at = 0, depth = 0;
    span_skip_blank(span);
    while (at < span->length) {
        char byte = span->bytes[at];
        if (depth == 0 && at > 0 && (byte == ',' || byte == ']' || byte == '}' || is_blank(byte)))
            break;
        size_t step = byte == '"' ? string_length(span->bytes + at, span->length - at) : 1;
        bool opens = byte == '{' || byte == '[', closes = byte == '}' || byte == ']';
        if (step == 0 || (closes && depth == 0))
            return false;
        depth += opens;
        depth -= closes;
        at += step;
        if (depth == 0 && (closes || byte == '"'))
            break;
    }
    *value = (struct items_span){span->bytes, at};
    span_drop(span, at);
    return depth == 0 && at > 0;
}

static bool span_is(const struct items_span *span, const char *string)
{
    return span->length == strlen(string) && memcmp(span->bytes, string, span->length) == 0;
}

bool items_find(const char *bytes, size_t length, struct items_span *metadata, struct items_span *items)
{
    struct items_span rest = {bytes, length}, key, value;
    *metadata = *items = (struct items_span){"", 0};
    if (!span_take(&rest, '{'))
        return false;
    while (!span_take(&rest, '}')) {
        if (!span_take_value(&rest, &key) || !span_take(&rest, ':') || !span_take_value(&rest, &value))
            return false;
        /* The first of two wins, as in base/json. */
        if (metadata->length == 0 && span_is(&key, "\"metadata\""))
            *metadata = value;
        else if (items->length == 0 && span_is(&key, "\"items\""))
            *items = value;
        span_take(&rest, ',');
    }
    bool is_array = items->length > 0 && items->bytes[0] == '[';
    if (items->length > 0 && !is_array && !span_is(items, "null"))
        return false;
    /* what stands between the brackets */
    *items = is_array ? (struct items_span){items->bytes + 1, items->length - 2} : (struct items_span){"", 0};
    return true;
}

bool items_take(struct items_span *items, struct json **item)
{
    struct items_span value;
    *item = NULL;
    span_skip_blank(items);
    if (items->length == 0)
        return true;
    if (!span_take_value(items, &value) || json_parse(value.bytes, value.length, ITEM_MAX, item, NULL) != STATUS_OK)
        return false;
    span_take(items, ',');
    return true;
}
