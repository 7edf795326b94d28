#include "model/history.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 8 };

void history_init(struct history *history, uint32_t depth)
{
    memset(history, 0, sizeof *history);
    history->depth = depth;
    history->p50 = history->p99 = -1;
}

void history_free(struct history *history)
{
    mem_free(history->marks);
    memset(history, 0, sizeof *history);
    history->p50 = history->p99 = -1;
}

/* Doubles the ring up to its depth, oldest mark first again. */
static void history_grow(struct history *history)
{
    uint32_t capacity = history->capacity ? history->capacity * 2 : FIRST_CAPACITY;
    capacity = capacity > history->depth ? history->depth : capacity;
    struct mark *marks = mem_array(capacity, sizeof *marks);
    for (uint32_t i = 0; i < history->count; i++)
        marks[i] = history->marks[(history->first + i) % history->capacity];
    mem_free(history->marks);
    history->marks = marks;
    history->capacity = capacity;
    history->first = 0;
}

static uint32_t clamp_u32(int64_t value, uint32_t most)
{
    return value < 0 ? 0 : value > (int64_t)most ? most : (uint32_t)value;
}

void history_add(struct history *history, const struct sample *sample, int64_t t, int32_t timeout_seconds)
{
    if (history->depth == 0)
        return;
    if (history->count == history->capacity && history->capacity < history->depth)
        history_grow(history);
    struct mark mark = {
        .at_ms = clamp_u32(t / 1000, UINT32_MAX),
        .total_us = sample->total < 0 ? UINT32_MAX : clamp_u32(sample->total, UINT32_MAX - 1),
        .status = (uint16_t)clamp_u32(sample->status, UINT16_MAX),
        .outcome = (uint8_t)sample->outcome,
        .cause = (uint8_t)sample->cause,
        .answerer = (uint8_t)sample->answerer,
        .flags = sample->is_late ? MARK_LATE : 0,
    };
    if (sample->total > 0 && timeout_seconds > 0)
        mark.timeout_share = (uint16_t)clamp_u32(sample->total / ((int64_t)timeout_seconds * 1000), UINT16_MAX);
    if (history->count < history->capacity) {
        history->marks[(history->first + history->count++) % history->capacity] = mark;
    } else {
        history->marks[history->first] = mark;
        history->first = (history->first + 1) % history->capacity;
    }
    history->added++;
}

const struct mark *history_get(const struct history *history, uint32_t back)
{
    if (back >= history->count)
        return NULL;
    return &history->marks[(history->first + history->count - 1 - back) % history->capacity];
}

/* A mark whose total is the pod's own: an answer came (OK, WARN, or FAIL with a status) and our loop was not behind. */
static bool mark_counts(const struct mark *mark)
{
    bool answered = mark->outcome == OUTCOME_OK || mark->outcome == OUTCOME_WARN ||
                    (mark->outcome == OUTCOME_FAIL && mark->status > 0);
    return answered && mark->total_us != UINT32_MAX && !(mark->flags & MARK_LATE);
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int64_t nearest_rank(const uint32_t *sorted, uint32_t count, double p)
{
    if (count == 0)
        return -1;
    double rank = ceil(p / 100 * count);
    uint32_t index = rank < 1 ? 0 : rank > count ? count - 1 : (uint32_t)rank - 1;
    return sorted[index];
}

/* All totals that count, sorted; owned by the caller. */
static uint32_t *totals_sorted(const struct history *history, uint32_t *count)
{
    uint32_t *totals = mem_array(history->count, sizeof *totals);
    *count = 0;
    for (uint32_t i = 0; i < history->count; i++)
        if (mark_counts(&history->marks[i]))
            totals[(*count)++] = history->marks[i].total_us;
    qsort(totals, *count, sizeof *totals, compare_u32);
    return totals;
}

int64_t history_percentile(const struct history *history, double p)
{
    if (history->count == 0)
        return -1;
    bool cached = (p >= 50 && p <= 50) || (p >= 99 && p <= 99);
    if (cached && history->percentiles_at == history->added)
        return p < 99 ? history->p50 : history->p99;
    uint32_t count;
    uint32_t *totals = totals_sorted(history, &count);
    int64_t value = nearest_rank(totals, count, p);
    if (cached) {
        struct history *cache = (struct history *)(uintptr_t)history; /* the cache is no part of what a reader sees */
        cache->p50 = nearest_rank(totals, count, 50);
        cache->p99 = nearest_rank(totals, count, 99);
        cache->percentiles_at = history->added;
    }
    mem_free(totals);
    return value;
}

int64_t history_max(const struct history *history)
{
    int64_t most = -1;
    for (uint32_t i = 0; i < history->count; i++)
        if (mark_counts(&history->marks[i]) && history->marks[i].total_us > most)
            most = history->marks[i].total_us;
    return most;
}
