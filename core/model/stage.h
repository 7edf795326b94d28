/* The ladder of lifecycle stages, and spans spent on it. */
#ifndef PROBETOP_STAGE_H
#define PROBETOP_STAGE_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/*     id                word            glyph  ascii cell  ascii  rank (higher: more in need of a look)  meaning */
#define STAGE_TABLE(X)                                                                                                 \
    X(STAGE_UNKNOWN, "Unknown", "?", '?', "?", '?', 2, "nothing is known yet, or no probe gets there")                 \
    X(STAGE_PENDING, "Pending", "○", 'o', "·", '.', 3, "waits for a node")                                             \
    X(STAGE_CREATING, "Creating", "○", 'o', "·", '.', 3, "on a node; image, volumes, init containers")                 \
    X(STAGE_RUNNING, "Running", "◔", '~', "░", ':', 4, "the container runs, nothing answers on the port yet")          \
    X(STAGE_API_UP, "API up", "◑", 'a', "▒", '-', 4, "an API server answers, the model is not loaded")                 \
    X(STAGE_LOADED, "Model loaded", "◕", 'm', "▓", '=', 3, "the model is loaded, the pod is not Ready yet")            \
    X(STAGE_READY, "Ready", "●", '*', "█", '#', 0, "gets traffic")                                                     \
    X(STAGE_DEGRADED, "Degraded", "✗", 'X', "▚", 'x', 7, "was Ready; now its probes fail or its engine is dead")       \
    X(STAGE_TERMINATING, "Terminating", "▽", 'v', "▽", 'v', 1, "is being deleted")                                     \
    X(STAGE_BACKOFF, "Backoff", "✗", 'X', "▚", 'x', 6, "crashed; the kubelet waits before the next start")             \
    X(STAGE_FAILED, "Failed", "✗", 'X', "▚", 'x', 6, "ended and is not restarted")                                     \
    X(STAGE_COMPLETED, "Completed", "✗", 'X', "▚", 'x', 5, "ended with exit code 0: vLLM never does that on purpose")  \
    X(STAGE_UNREACHABLE, "Unreachable", "?", '?', "?", '?', 3, "no tunnel to the pod: nothing can be said of it")

enum stage {
#define X(id, word, glyph, ascii, cell, ascii_cell, rank, help) id,
    STAGE_TABLE(X)
#undef X
        STAGE_COUNT
};
const char *stage_word(enum stage stage);
const char *stage_glyph(enum stage stage, bool ascii);
const char *stage_cell(enum stage stage, bool ascii);
int stage_rank(enum stage stage);
const char *stage_help(enum stage stage);
static inline bool stage_is_broken(enum stage stage)
{
    return stage == STAGE_DEGRADED || stage == STAGE_BACKOFF || stage == STAGE_FAILED || stage == STAGE_COMPLETED;
}
static inline bool stage_is_loading(enum stage stage)
{
    return stage >= STAGE_PENDING && stage <= STAGE_LOADED;
}

/* Time spent in one stage. */
struct span {
    enum stage stage;
    int64_t began, ended; /* t; ended -1 while it lasts */
    uint32_t run;         /* container run it belongs to, from 1 */
    bool restart;         /* this span began with a restart of the container */
    struct text why;      /* why it began */
};

enum { SPANS_MAX = 96 };

/* The newest SPANS_MAX spans, oldest first. Zero-initialise. */
struct spans {
    struct span *list; /* owned */
    uint32_t count;
    uint32_t forgotten; /* older spans dropped */
};
void spans_free(struct spans *spans);
/* Ends the present span and begins another; nothing when the stage is the same and `restart` is false. A span of zero length is replaced. Returns true when something changed. */
bool spans_enter(struct spans *spans, enum stage stage, int64_t t, uint32_t run, bool restart, const char *why);
const struct span *spans_now(const struct spans *spans); /* NULL before the first */

/* What a timeline cell for [from, to) shows: the stage most in need of a look among the spans that touch it; `restart` whether one began in it. Before the first span, or
 * after `now`: false. */
bool spans_cell(const struct spans *spans, int64_t from, int64_t to, enum stage *stage, bool *restart);

#endif
