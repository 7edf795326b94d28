#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

/* The message is written without stdio: there is no memory left for its buffers. */
void mem_exhausted(void)
{
    static const char message[] = "probetop: out of memory\n";
    ssize_t ignored = write(STDERR_FILENO, message, sizeof message - 1);
    (void)ignored;
    _exit(2);
}

static size_t mem_product(size_t count, size_t size)
{
    size_t product;
    if (__builtin_mul_overflow(count, size, &product))
        mem_exhausted();
    return product > 0 ? product : 1;
}

void *mem_new(size_t size)
{
    return mem_array(1, size);
}

void *mem_array(size_t count, size_t size)
{
    void *memory = calloc(1, mem_product(count, size));
    if (memory == NULL)
        mem_exhausted();
    return memory;
}

void *mem_resize(void *memory, size_t count, size_t size)
{
    void *resized = realloc(memory, mem_product(count, size));
    if (resized == NULL)
        mem_exhausted();
    return resized;
}

char *mem_dup(const char *string)
{
    return string == NULL ? NULL : mem_dup_n(string, strlen(string));
}

char *mem_dup_n(const char *bytes, size_t length)
{
    if (length == SIZE_MAX)
        mem_exhausted();
    char *copy = mem_resize(NULL, length + 1, 1);
    if (length > 0)
        memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

void mem_free(void *memory)
{
    free(memory);
}

void mem_tune(void)
{
#ifdef __GLIBC__
    mallopt(M_MXFAST, 0);
#endif
}
