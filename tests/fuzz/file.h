/* An input as a file, for decoders that take a path. */
#ifndef PROBETOP_FUZZ_FILE_H
#define PROBETOP_FUZZ_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FUZZ_PATH_MAX = 64 };

/* Removed by the caller. In memory where that is to be had: it is done very often. */
static inline void fuzz_file(const uint8_t *data, size_t size, char path[FUZZ_PATH_MAX])
{
    snprintf(path, FUZZ_PATH_MAX, "%s/probetop-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd) != 0)
        abort();
}

#endif
