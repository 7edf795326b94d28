#include "model/signature.h"

static const struct signature table[] = {
    {.cause = CAUSE_GPU_OOM, .pattern = "CUDA out of memory", .where = WHERE_ANY, .confidence = CONFIDENCE_CERTAIN},
};

const struct signature *signatures_built_in(size_t *count)
{
    *count = sizeof table / sizeof table[0];
    return table;
}
