/* Lists of the API, item by item, over anything: what json_parse() takes for an object is told with the items that it has, and nothing is read beyond the end. */
#include "kube/items.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The number of items, -1 where there is no list or it is broken. */
static int64_t items_count(const char *bytes, size_t length)
{
    struct items_span metadata, items;
    struct json *item;
    if (!items_find(bytes, length, &metadata, &items))
        return -1;
    for (int64_t count = 0;; count++) {
        if (!items_take(&items, &item))
            return -1;
        if (!item)
            return count;
        json_free(item);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json *document;
    int64_t count = items_count((const char *)data, size);
    /* A key may be written with escapes, which the API does not do and items_find() does not read. */
    if (memchr(data, '\\', size) || json_parse((const char *)data, size, INPUT_MAX, &document, NULL) != STATUS_OK)
        return 0;
    const struct json *items = json_get(document, "items");
    bool is_list = json_is_object(document) && (json_is_null(items) || json_is_array(items));
    if (count != (is_list ? (int64_t)json_count(items) : -1))
        abort();
    json_free(document);
    return 0;
}
