/* yaml_file_parse() over anything: what it takes is within its bounds and can be walked to its last value, each of which stands on a line of the file; what it does not take has a sentence with a line. */
#include "base/yaml.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static size_t walk(const struct yaml_file *file, const struct json *value, size_t lines, int depth)
{
    size_t count = 1;
    uint32_t line = yaml_file_line(file, value), key_line = yaml_file_key_line(file, value);
    must(depth <= YAML_DEPTH_MAX && line >= 1 && line <= lines && key_line >= 1 && key_line <= lines);
    for (const struct json *e = json_first(value); e != NULL; e = json_next(e)) {
        must(json_is_object(value) == (json_key(e) != NULL));
        must(!json_is_object(value) || json_get(value, json_key(e)) == e); /* no key is there twice */
        count += walk(file, e, lines, depth + 1);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { SMALL = 4096 }; /* looking up every key again takes its time */
    struct yaml_file *file;
    struct problem problem = {""};
    size_t lines = 2, count = 0;
    enum status status = yaml_file_parse("in", (const char *)data, size, SMALL, &file, &problem);
    must((status == STATUS_OK) == (file != NULL) && (status == STATUS_OK) == (problem.text[0] == '\0'));
    if (file == NULL) {
        must(strncmp(problem.text, "in:", 3) == 0);
        return 0;
    }
    for (size_t i = 0; i < size; i++) /* YAML has more than one kind of line end */
        lines += data[i] == '\n' || data[i] == '\r' || data[i] == 0x85 || data[i] >= 0xa8;
    for (size_t i = 0; i < yaml_file_count(file); i++)
        count += walk(file, yaml_file_document(file, i), lines, 0);
    must(count <= YAML_NODES_MAX);
    yaml_file_free(file);
    return 0;
}
