/* What a lane has answered: a ring of compact samples, and percentiles over it. Grows on demand up to its stated depth. */
#ifndef PROBETOP_HISTORY_H
#define PROBETOP_HISTORY_H

#include "model/sample.h"

struct mark {          /* 16 bytes */
    uint32_t at_ms;    /* t in ms, when the probe ended */
    uint32_t total_us; /* UINT32_MAX unknown */
    uint16_t status;
    uint8_t outcome, cause, answerer, flags; /* MARK_LATE */
    uint16_t timeout_share;                  /* total as a share of timeoutSeconds, in 1/1000, capped */
};
enum { MARK_LATE = 1 };

struct history {
    struct mark *marks;       /* owned */
    uint32_t capacity, depth; /* allocated, and most ever */
    uint32_t first, count;    /* ring */
    uint64_t added;           /* marks ever added: changes with each */
    int64_t p50, p99;         /* cached; see history_percentiles() */
    uint64_t percentiles_at;  /* `added` when they were computed */
};

void history_init(struct history *history, uint32_t depth);
void history_free(struct history *history);
void history_add(struct history *history, const struct sample *sample, int64_t t, int32_t timeout_seconds);
const struct mark *history_get(const struct history *history, uint32_t back); /* 0 is the newest; NULL beyond */

/* Percentile (0 < p <= 100) of total over answers that are OK, WARN or FAIL with a status, not late; µs, -1 with none. Nearest rank. */
int64_t history_percentile(const struct history *history, double p);
int64_t history_max(const struct history *history);

#endif
