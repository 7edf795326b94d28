/* In the place of libFuzzer: gives each file of the target's corpus to it, and each of their beginnings too, so that `make check` replays what is known with any compiler. A target that finds something wrong aborts. */
#include "base/mem.h"

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 1024 * 1024, PREFIXES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In memory of exactly that size, so that a byte read behind it is found out. */
static void give(const char *bytes, size_t size)
{
    uint8_t *own = mem_new(size);
    memcpy(own, bytes, size);
    LLVMFuzzerTestOneInput(own, size);
    mem_free(own);
}

static void replay_file(const char *dir, const char *name, int number)
{
    char path[1024];
    char *bytes = mem_new(INPUT_MAX);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "re");
    size_t size = file != NULL ? fread(bytes, 1, INPUT_MAX, file) : 0;
    printf("# %s, %zu bytes\n", path, size); /* said before, for the case that it aborts */
    fflush(stdout);
    for (size_t i = 1; i < PREFIXES; i++)
        give(bytes, size * i / PREFIXES);
    give(bytes, size);
    printf("%s %d - %s\n", file != NULL ? "ok" : "not ok", number, name);
    if (file != NULL)
        fclose(file);
    mem_free(bytes);
}

/* "…/fuzz_text": the corpus of that name. */
int main(int argc, char **argv)
{
    char dir[768];
    const char *top = getenv("srcdir");
    const char *name = argc > 0 ? strstr(argv[0], "fuzz_") : NULL;
    int count = 0;
    snprintf(dir, sizeof dir, "%s/tests/fuzz/corpus/%s", top != NULL ? top : ".",
             name != NULL ? name + strlen("fuzz_") : "");
    DIR *list = opendir(dir);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;)
        if (entry->d_name[0] != '.')
            replay_file(dir, entry->d_name, ++count);
    if (list != NULL)
        closedir(list);
    if (count == 0)
        printf("not ok 1 - a corpus in %s\n", dir);
    printf("1..%d\n", count > 0 ? count : 1);
    return count > 0 ? 0 : 1;
}
