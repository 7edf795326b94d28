/* json_parse() over anything: what it takes can be walked to its last value, written by us, and is then taken again. */
#include "base/json.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void value_write(struct json_writer *writer, const char *key, const struct json *value, int depth)
{
    bool object = json_is_object(value);
    if (depth < 30 && (object || json_is_array(value))) {
        if (object)
            json_open_object(writer, key);
        else
            json_open_array(writer, key);
        for (const struct json *element = json_first(value); element != NULL; element = json_next(element))
            value_write(writer, json_key(element), element, depth + 1);
        if (object)
            json_close_object(writer);
        else
            json_close_array(writer);
    } else if (json_is_number(value)) {
        if (json_int(value, INT64_MIN) != INT64_MIN)
            json_put_int(writer, key, json_int(value, 0));
        else
            json_put_real(writer, key, json_real(value, 0));
    } else {
        json_put_string(writer, key, json_string(value));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json *document, *again;
    struct problem problem = {0};
    enum status status = json_parse((const char *)data, size, INPUT_MAX, &document, &problem);
    if ((status == STATUS_OK) != (document != NULL) || (status == STATUS_OK) != (problem.text[0] == '\0'))
        abort();
    if (document == NULL)
        return 0;
    struct json_writer writer;
    struct buf out;
    /* A number of few bytes can be written with many. */
    buf_init(&out, 400 * (size_t)INPUT_MAX);
    json_writer_init(&writer, &out);
    value_write(&writer, NULL, document, 0);
    if (out.truncated || json_parse(out.data, out.len, out.max, &again, NULL) != STATUS_OK)
        abort();
    json_free(again);
    json_free(document);
    buf_free(&out);
    return 0;
}
