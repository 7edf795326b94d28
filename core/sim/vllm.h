/* A vLLM, and the llm-d routing sidecar that may stand before it: what they answer over HTTP and write into their logs, by phase of their life
 * (facts/vllm.md 1.2, 1.4 and 2). Pure: no socket, no clock; chance comes from the dice it is handed. The simulated servers and the simulated kubelet ask the same functions. */
#ifndef PROBETOP_SIM_VLLM_H
#define PROBETOP_SIM_VLLM_H

#include "base/buf.h"
#include "sim/server.h"

/* ---- chance that can be repeated ---- */
struct dice {
    uint64_t state;
};
uint64_t dice_roll(struct dice *dice);                                /* any number (splitmix64) */
int64_t dice_between(struct dice *dice, int64_t least, int64_t most); /* both included */
double dice_spread(struct dice *dice, double value, double share);    /* value, give or take that share of it */

/* ---- HTTP ---- */

/* What the server shows to the world. The ports are open from FACE_SERVING on. The hostile ones answer every path alike. */
/*     id                       manner                  status  further header lines, what for */
#define FACE_TABLE(X)                                                                                                  \
    X(FACE_LOADING, MANNER_ANSWER, 0, "")       /* bound, not listening */                                             \
    X(FACE_SERVING, MANNER_ANSWER, 200, "")     /* all is well, if perhaps slow */                                     \
    X(FACE_ENGINE_DEAD, MANNER_ANSWER, 503, "") /* /health 503 and empty, /v1/models still 200 */                      \
    X(FACE_BLOCKED, MANNER_HANG, 200, "")       /* the event loop stands still; a sidecar before it lives */           \
    X(FACE_FROZEN, MANNER_HANG, 200, "")        /* nothing answers at all, neither does the sidecar */                 \
    X(FACE_ODD_MODELS, MANNER_ANSWER, 200, "")  /* escape sequences, bidi marks and NULs in model ids */               \
    X(FACE_ODD_BODY, MANNER_ANSWER, 503, "")    /* the same in the body of a failure */                                \
    X(FACE_BIG_BODY, MANNER_ANSWER, 500, "")    /* 1 MB */                                                             \
    X(FACE_CIRCLE, MANNER_ANSWER, 302, "")      /* redirected to itself */                                             \
    X(FACE_ELSEWHERE, MANNER_ANSWER, 307, "Location: http://203.0.113.9/elsewhere\r\n")                                \
    X(FACE_ENDLESS_HEADERS, MANNER_ENDLESS_HEADERS, 200, "")                                                           \
    X(FACE_ENDLESS_HEADER, MANNER_ENDLESS_HEADER, 200, "")                                                             \
    X(FACE_ENDLESS_BODY, MANNER_ENDLESS_BODY, 200, "")                                                                 \
    X(FACE_SHORT_BODY, MANNER_SHORT_BODY, 200, "")                                                                     \
    X(FACE_LONG_LENGTH, MANNER_LONG_LENGTH, 200, "")                                                                   \
    X(FACE_HALF, MANNER_HALF, 200, "")                                                                                 \
    X(FACE_DRIP, MANNER_DRIP, 200, "")                                                                                 \
    X(FACE_GARBAGE, MANNER_GARBAGE, 200, "")                                                                           \
    X(FACE_RESET, MANNER_RESET, 200, "")                                                                               \
    X(FACE_CLOSE, MANNER_CLOSE, 200, "")                                                                               \
    X(FACE_BARE, MANNER_BARE, 200, "") /* answers that end by the connection's end */

enum vllm_face {
#define X(id, manner, status, headers) id,
    FACE_TABLE(X)
#undef X
        FACE_COUNT
};

struct vllm {
    const char *model;       /* borrowed */
    int32_t max_model_len;   /* tokens */
    int32_t shards;          /* weight files */
    int32_t tensor_parallel; /* GPUs, each with a worker process */
    int32_t port;            /* its own */
    enum vllm_face face;
    int64_t slow_from, slow_to;         /* how long an answer takes, µs of t: from ... to ... */
    int64_t slow_begins, slow_ends;     /* ... between these moments (t), and `slow_to` from there */
    double download_took, weights_took; /* seconds, for the log */
};

bool vllm_listens(const struct vllm *vllm);
/* Whether the same question gets the same kind of answer until the face changes, well within any timeout. */
bool vllm_is_steady(const struct vllm *vllm);
/* What GET path gets at t. `behind_sidecar`: asked on the sidecar's port. `body` holds the answer's body until the next call. `wall` is Unix µs. delay_us is µs of t. */
void vllm_answer(const struct vllm *vllm, bool behind_sidecar, const char *path, int64_t t, int64_t wall,
                 struct dice *dice, struct buf *body, struct answer *answer);

/* ---- logs ---- */

/* A group of lines that are written over some stretch of time. */
enum vllm_chapter {
    CHAPTER_BOOT,       /* imports, arguments, configuration */
    CHAPTER_ENGINE,     /* the engine process, ranks */
    CHAPTER_LOAD,       /* "Starting to load model" */
    CHAPTER_CACHED,     /* the weights are there already */
    CHAPTER_DOWNLOAD,   /* silence, and at its end how long it took */
    CHAPTER_SHARDS,     /* a count up to vllm.shards */
    CHAPTER_WEIGHTS,    /* all read */
    CHAPTER_COMPILE,    /* torch.compile */
    CHAPTER_KV_CACHE,   /* profile, KV cache */
    CHAPTER_GRAPHS,     /* two counts */
    CHAPTER_APP,        /* ends with "Application startup complete." */
    CHAPTER_TRAFFIC,    /* one line of statistics in service */
    CHAPTER_BUSY,       /* the same with a long queue */
    CHAPTER_OOM,        /* the GPU's memory is too small, told with all its wrappers */
    CHAPTER_DEATH,      /* the engine dies in service */
    CHAPTER_STALL,      /* what workers say while one of them stands still */
    CHAPTER_TERMINATED, /* SIGTERM while loading */
    CHAPTER_SHUTDOWN,   /* SIGTERM in service */
    CHAPTER_HOSTILE,    /* lines that try to do something to the terminal */
    CHAPTER_SIDECAR,    /* the sidecar's own */
    CHAPTER_COUNT
};

size_t vllm_lines(const struct vllm *vllm, enum vllm_chapter chapter);
/* When line `index` comes, as a share of the chapter's time; not decreasing. */
double vllm_line_at(const struct vllm *vllm, enum vllm_chapter chapter, size_t index);
/* The line, raw. `seconds`: the chapter's whole time. `wall`: Unix µs at which it is written. */
void vllm_line(const struct vllm *vllm, enum vllm_chapter chapter, size_t index, double seconds, int64_t wall,
               struct buf *out);

#endif
