/* bench-late FILE: how late probes were sent, from a recording: "probes median-us p99-us max-us". */
#include "engine/journal.h"

#include <stdio.h>
#include <stdlib.h>

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    struct journal_reader *reader;
    struct problem problem;
    if (argc != 2 || journal_open(argv[1], &reader, &problem) != STATUS_OK) {
        fprintf(stderr, "bench-late: %s\n", argc == 2 ? problem.text : "FILE");
        return 2;
    }
    size_t count = 0, capacity = 1 << 20;
    int64_t *late = malloc(capacity * sizeof *late);
    struct fact fact;
    while (late && count < capacity && journal_next(reader, &fact, &problem) == STATUS_OK) {
        if (fact.kind == FACT_PROBE && fact.u.sample.sent >= 0)
            late[count++] = fact.u.sample.late;
        fact_free(&fact);
    }
    journal_reader_free(reader);
    if (!late || count == 0) {
        fputs("bench-late: no probes in the recording\n", stderr);
        return 2;
    }
    qsort(late, count, sizeof *late, by_size);
    printf("%zu %lld %lld %lld\n", count, (long long)late[count / 2], (long long)late[count * 99 / 100],
           (long long)late[count - 1]);
    free(late);
    return 0;
}
