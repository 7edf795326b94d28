#include "tests/support/pod_file.h"

#include <stdio.h>
#include <stdlib.h>

enum { POD_MAX = 1 << 20 };

struct json *pod_file(const char *name)
{
    const char *source = getenv("srcdir");
    char path[1024], piece[4096];
    struct buf bytes;
    struct json *pod = NULL;
    struct problem problem = {""};
    snprintf(path, sizeof path, "%s/tests/data/pods/%s.json", source != NULL ? source : ".", name);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fprintf(stderr, "%s cannot be read\n", path);
        abort();
    }
    buf_init(&bytes, POD_MAX);
    for (size_t got; (got = fread(piece, 1, sizeof piece, file)) > 0;) {
        buf_append(&bytes, piece, got);
    }
    fclose(file);
    if (json_parse(bytes.data, bytes.len, POD_MAX, &pod, &problem) != STATUS_OK) {
        fprintf(stderr, "%s: %s\n", path, problem.text);
        abort();
    }
    buf_free(&bytes);
    return pod;
}
