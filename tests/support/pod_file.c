#include "tests/support/pod_file.h"

#include <stdio.h>
#include <stdlib.h>

enum { DATA_MAX = 1 << 20 };

void data_file(const char *name, struct buf *out)
{
    const char *source = getenv("srcdir");
    char path[1024], piece[4096];
    snprintf(path, sizeof path, "%s/tests/data/%s", source != NULL ? source : ".", name);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fprintf(stderr, "%s cannot be read\n", path);
        abort();
    }
    buf_init(out, DATA_MAX);
    for (size_t got; (got = fread(piece, 1, sizeof piece, file)) > 0;)
        buf_append(out, piece, got);
    fclose(file);
}

struct json *data_json(const char *name)
{
    struct buf bytes;
    struct json *document = NULL;
    struct problem problem = {""};
    data_file(name, &bytes);
    if (json_parse(bytes.data, bytes.len, DATA_MAX, &document, &problem) != STATUS_OK) {
        fprintf(stderr, "%s: %s\n", name, problem.text);
        abort();
    }
    buf_free(&bytes);
    return document;
}

struct json *pod_file(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "pods/%s.json", name);
    return data_json(path);
}
