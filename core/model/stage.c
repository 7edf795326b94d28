#include "model/stage.h"

#include "base/mem.h"

#include <string.h>

struct stage_row {
    const char *word, *glyph, *cell, *help;
    char ascii[2], ascii_cell[2];
    int rank;
};

/* The table's ASCII signs are characters; here they become strings. */
static const struct stage_row *stage_row(enum stage stage)
{
    static const struct stage_row rows[] = {
#define X(id, word, glyph, ascii, cell, ascii_cell, rank, help)                                                        \
    {word, glyph, cell, help, {ascii, 0}, {ascii_cell, 0}, rank},
        STAGE_TABLE(X)
#undef X
    };
    return &rows[(unsigned)stage < STAGE_COUNT ? stage : STAGE_UNKNOWN];
}

const char *stage_word(enum stage stage)
{
    return stage_row(stage)->word;
}

const char *stage_glyph(enum stage stage, bool ascii)
{
    return ascii ? stage_row(stage)->ascii : stage_row(stage)->glyph;
}

const char *stage_cell(enum stage stage, bool ascii)
{
    return ascii ? stage_row(stage)->ascii_cell : stage_row(stage)->cell;
}

int stage_rank(enum stage stage)
{
    return stage_row(stage)->rank;
}

const char *stage_help(enum stage stage)
{
    return stage_row(stage)->help;
}

void spans_free(struct spans *spans)
{
    for (uint32_t i = 0; i < spans->count; i++)
        text_free(&spans->list[i].why);
    mem_free(spans->list);
    memset(spans, 0, sizeof *spans);
}

const struct span *spans_now(const struct spans *spans)
{
    return spans->count ? &spans->list[spans->count - 1] : NULL;
}

/* Room for one more: the list doubles up to SPANS_MAX, then the oldest goes. */
static struct span *spans_push(struct spans *spans)
{
    if (spans->count == SPANS_MAX) {
        text_free(&spans->list[0].why);
        memmove(spans->list, spans->list + 1, (SPANS_MAX - 1) * sizeof *spans->list);
        spans->count--;
        spans->forgotten++;
    } else if ((spans->count & (spans->count - 1)) == 0) { /* 0, 1, 2, 4, ...: full */
        spans->list = mem_resize(spans->list, spans->count ? 2 * (size_t)spans->count : 1, sizeof *spans->list);
    }
    struct span *span = &spans->list[spans->count++];
    memset(span, 0, sizeof *span);
    return span;
}

bool spans_enter(struct spans *spans, enum stage stage, int64_t t, uint32_t run, bool restart, const char *why)
{
    struct span *present = spans->count ? &spans->list[spans->count - 1] : NULL;
    if (present && present->ended < 0 && present->stage == stage && !restart)
        return false;
    struct span *span = present;
    if (present && present->ended < 0 && present->began >= t) {
        restart = restart || present->restart; /* zero length: the new one takes its place */
        if (spans->count > 1 && !restart && spans->list[spans->count - 2].stage == stage) {
            text_free(&present->why); /* back to what it was a moment ago: as if nothing had been */
            spans->count--;
            spans->list[spans->count - 1].ended = -1;
            return true;
        }
    } else {
        if (present && present->ended < 0)
            present->ended = t;
        span = spans_push(spans);
        span->began = t;
    }
    span->stage = stage;
    span->ended = -1;
    span->run = run;
    span->restart = restart;
    text_set_str(&span->why, why, TEXT_LINE);
    return true;
}

bool spans_cell(const struct spans *spans, int64_t from, int64_t to, enum stage *stage, bool *restart)
{
    bool found = false;
    *restart = false;
    for (uint32_t i = spans->count; i-- > 0;) {
        const struct span *span = &spans->list[i];
        if (span->began >= to)
            continue;
        if (span->ended >= 0 && span->ended <= from)
            break; /* spans stand in order: older ones ended before */
        if (!found || stage_rank(span->stage) > stage_rank(*stage))
            *stage = span->stage;
        found = true;
        *restart = *restart || (span->restart && span->began >= from);
    }
    return found;
}
