/* Start-up log lines of vLLM 0.7 to today -> sub-stage, shards, percent, ETA (facts/vllm.md section 2). Pure.
 *
 * Phases are a set with "furthest seen", never backwards within one container run: lines of several processes interleave and versions swap 16 and 18. */
#ifndef PROBETOP_PROGRESS_H
#define PROBETOP_PROGRESS_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/*     id                    word on the screen   meaning */
#define SUBSTAGE_TABLE(X)                                                                                              \
    X(SUBSTAGE_NONE, "", "no start-up line seen yet")                                                                  \
    X(SUBSTAGE_PYTHON, "python", "imports; platform detected")                                                         \
    X(SUBSTAGE_SERVER, "server", "the API server process has begun")                                                   \
    X(SUBSTAGE_CONFIG, "config", "arguments and model configuration are read")                                         \
    X(SUBSTAGE_ENGINE, "engine", "the engine process has begun")                                                       \
    X(SUBSTAGE_DISTRIBUTED, "distributed", "ranks find each other")                                                    \
    X(SUBSTAGE_DOWNLOAD, "download",                                                                                   \
      "weights are looked for and, if not there, downloaded: vLLM prints nothing meanwhile")                           \
    X(SUBSTAGE_SHARDS, "shards", "weight files are read into memory")                                                  \
    X(SUBSTAGE_WEIGHTS, "weights", "all weights are read")                                                             \
    X(SUBSTAGE_COMPILE, "compile", "torch.compile")                                                                    \
    X(SUBSTAGE_PROFILE, "profile", "first run, memory is measured")                                                    \
    X(SUBSTAGE_KV_CACHE, "kv cache", "the KV cache is set up")                                                         \
    X(SUBSTAGE_WARM_UP, "warm-up", "kernels are warmed up and tuned")                                                  \
    X(SUBSTAGE_GRAPHS, "graphs", "CUDA graphs are captured")                                                           \
    X(SUBSTAGE_ENGINE_READY, "engine ready", "the engine is initialised")                                              \
    X(SUBSTAGE_APP, "app", "the HTTP application starts")                                                              \
    X(SUBSTAGE_LISTENING, "listening", "application start-up complete: the port opens within moments")

enum substage {
#define X(id, word, help) id,
    SUBSTAGE_TABLE(X)
#undef X
        SUBSTAGE_COUNT
};
const char *substage_word(enum substage substage);

/* One container run's progress. Zero-initialise for a new run; progress_free() at its end. */
struct progress {
    enum substage furthest;
    int64_t entered[SUBSTAGE_COUNT]; /* t when each was first seen; 0: never */
    int64_t last_line;               /* t of the last log line of any kind; 0: none */
    struct text last_text;           /* that line */
    int32_t done, total; /* shards (SHARDS), graphs (GRAPHS), prefetched files (DOWNLOAD); total 0: not known */
    int64_t counted_from, counted_at; /* t of the first and of the newest count of the present sub-stage */
    int32_t counted_from_done;
    uint8_t bar;                /* which of the bars that follow each other is counted (graphs: piecewise, then full) */
    struct text version, model; /* when the log told them */
    int32_t port;               /* where the server listens, when the log told; 0 not */
    double download_seconds, weights_seconds; /* when the log told them; 0 not */
    bool shutting_down;                       /* shutdown lines were seen */
};
void progress_free(struct progress *progress);

/* Takes one log line of the serving container. Returns true when the sub-stage, its count or a told fact changed. */
bool progress_line(struct progress *progress, const char *line, size_t length, int64_t t);

/* The line without collector and process prefixes, colour escapes and box characters: what patterns are matched against. *start points into the line. */
void progress_strip(const char *line, size_t length, const char **start, size_t *rest);

/* Whether this line can only come from another start of the server process (its greeting, after loading had begun): for endpoints, where no container ID tells of a restart. */
bool progress_begins_anew(const struct progress *progress, const char *line, size_t length);

/* 0 to 100 for the present sub-stage, -1 unknown. */
int32_t progress_percent(const struct progress *progress);
/* µs until the present sub-stage's count is complete at the rate seen, -1 unknown (fewer than 2 counts, or none for a long time). An estimate: mark it as such. */
int64_t progress_eta(const struct progress *progress, int64_t now);
/* µs since the last log line; -1 when there was none. Long silence is no fault: it is told with its length. */
int64_t progress_silence(const struct progress *progress, int64_t now);

#endif
