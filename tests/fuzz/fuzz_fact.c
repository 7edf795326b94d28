/* fact_decode() over anything: what it takes can be written, and what is written comes back and is written the same. */
#include "engine/fact_json.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fact fact, again;
    struct problem problem = {0};
    struct buf first, second;
    if (fact_decode((const char *)data, size, &fact, &problem) != STATUS_OK) {
        if (problem.text[0] == '\0')
            abort();
        return 0;
    }
    buf_init(&first, 2 * FACT_LINE_MAX);
    buf_init(&second, 2 * FACT_LINE_MAX);
    if (fact_encode(&fact, &first) == STATUS_OK) {
        if (fact_decode(first.data, first.len, &again, &problem) != STATUS_OK ||
            fact_encode(&again, &second) != STATUS_OK || second.len != first.len ||
            memcmp(first.data, second.data, first.len) != 0)
            abort();
        fact_free(&again);
    }
    fact_free(&fact);
    buf_free(&first);
    buf_free(&second);
    return 0;
}
