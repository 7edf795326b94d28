#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
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

void mem_replace(char **slot, const char *string)
{
    char *copy = mem_dup(string);
    mem_free(*slot);
    *slot = copy;
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

void mem_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

#ifdef __GLIBC__
/* Relocations within pages that are not to be written to: those pages are no longer what the file has. */
static bool has_text_relocations(const struct dl_phdr_info *object)
{
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        if (object->dlpi_phdr[i].p_type != PT_DYNAMIC)
            continue;
        const ElfW(Dyn) *entry = (const void *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
        for (; entry->d_tag != DT_NULL; entry++)
            if (entry->d_tag == DT_TEXTREL || (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0))
                return true;
    }
    return false;
}

static int object_shed(struct dl_phdr_info *object, size_t size, void *user)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)size;
    (void)user;
    for (size_t i = 0; i < object->dlpi_phnum && !has_text_relocations(object); i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        uintptr_t begin = (object->dlpi_addr + part->p_vaddr) / page * page;
        uintptr_t end = object->dlpi_addr + part->p_vaddr + part->p_filesz;
        if (part->p_type == PT_LOAD && (part->p_flags & PF_W) == 0)
            madvise((void *)begin, end - begin, MADV_DONTNEED);
    }
    return 0;
}
#endif

void mem_shed(void)
{
#ifdef __GLIBC__
    dl_iterate_phdr(object_shed, NULL);
#endif
}
