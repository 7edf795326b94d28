/* progress_line() over any log, line by line: the furthest sub-stage never goes back, counts make sense, and what is told of a line lies within it. */
#include "model/progress.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void progress_check(const struct progress *progress, int64_t now)
{
    int32_t percent = progress_percent(progress);
    require(progress->furthest < SUBSTAGE_COUNT && percent >= -1 && percent <= 100);
    require(progress->total >= 0 && progress->done >= 0 && (progress->total == 0 || progress->done <= progress->total));
    require(progress_eta(progress, now) >= -1 && progress_silence(progress, now) >= -1);
    require(progress->download_seconds >= 0 && progress->weights_seconds >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct progress progress = {0};
    const char *line = (const char *)data, *end = line + size;
    for (int64_t t = 1; line < end; t += 700000) {
        const char *newline = memchr(line, '\n', (size_t)(end - line)), *start;
        size_t length = newline != NULL ? (size_t)(newline - line) : (size_t)(end - line), rest;
        enum substage before = progress.furthest;
        progress_strip(line, length, &start, &rest);
        require(start >= line && rest <= length && start + rest <= line + length);
        progress_begins_anew(&progress, line, length);
        progress_line(&progress, line, length, t);
        require(progress.furthest >= before);
        progress_check(&progress, t + 1000);
        line += length + (newline != NULL ? 1 : 0);
    }
    progress_free(&progress);
    return 0;
}
