#include "engine/signatures_conf.h"

#include "base/mem.h"

enum status signatures_read(const char *path, struct signatures *out, struct conf_problems *problems)
{
    (void)path;
    (void)out;
    (void)problems;
    return STATUS_NOT_FOUND;
}

void signatures_free(struct signatures *signatures)
{
    mem_free(signatures->own);
    signatures->own = NULL;
    signatures->own_count = 0;
}
