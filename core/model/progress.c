#include "model/progress.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *substage_word(enum substage substage)
{
    static const char *const words[] = {
#define X(id, word, help) word,
        SUBSTAGE_TABLE(X)
#undef X
    };
    return (unsigned)substage < SUBSTAGE_COUNT ? words[substage] : "";
}

void progress_free(struct progress *progress)
{
    text_free(&progress->last_text);
    text_free(&progress->version);
    text_free(&progress->model);
    memset(progress, 0, sizeof *progress);
}

/* A piece of the line being read: never NUL-terminated. */
struct piece {
    const char *at, *end;
};

static size_t piece_left(const struct piece *piece)
{
    return (size_t)(piece->end - piece->at);
}

static bool piece_begins(const struct piece *piece, const char *stem)
{
    size_t length = strlen(stem);
    return piece_left(piece) >= length && memcmp(piece->at, stem, length) == 0;
}

/* Where `words` first stands in the piece, or NULL. */
static const char *piece_find(const struct piece *piece, const char *words)
{
    return memmem(piece->at, piece_left(piece), words, strlen(words));
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- prefixes: each function says how many bytes of the front are one ---- */

static size_t prefix_space(const struct piece *piece)
{
    const char *p = piece->at;
    while (p < piece->end && (*p == ' ' || *p == '\t'))
        p++;
    return (size_t)(p - piece->at);
}

/* A colour escape, raw, as text_set() shows it, or as a collector does. */
static size_t prefix_escape(const struct piece *piece)
{
    static const char *const begins[] = {"\x1b[", "\\x1b[", "\\x1B[", "#033["}; /* the last as rsyslog writes it */
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        if (piece_begins(piece, begins[i])) {
            const char *p = piece->at + strlen(begins[i]);
            while (p < piece->end && (is_digit(*p) || *p == ';'))
                p++;
            return p < piece->end && isalpha((unsigned char)*p) ? (size_t)(p + 1 - piece->at) : 0;
        }
    }
    return 0;
}

/* U+2500 to U+257F, and a bar of plain ASCII. */
static size_t prefix_box(const struct piece *piece)
{
    if (piece_begins(piece, "|"))
        return 1;
    return piece_begins(piece, "\xe2\x94") || piece_begins(piece, "\xe2\x95") ? (piece_left(piece) > 2 ? 3 : 0) : 0;
}

/* "(EngineCore_DP0 pid=271)", Ray's "(RayWorkerWrapper pid=12, ip=10.0.0.1)". */
static size_t prefix_process(const struct piece *piece)
{
    if (!piece_begins(piece, "("))
        return 0;
    size_t length = piece_left(piece) < 100 ? piece_left(piece) : 100;
    const char *end = memchr(piece->at, ')', length);
    struct piece inside = {piece->at, end};
    return end && piece_find(&inside, "pid=") ? (size_t)(end + 1 - piece->at) : 0;
}

/* A collector's RFC 3339 time, or Python's "2025-05-08 02:10:12,123". */
static size_t prefix_time(const struct piece *piece)
{
    static const char shape[] = "dddd-dd-dd?dd:dd:dd"; /* Go's has slashes */
    if (piece_left(piece) < sizeof shape - 1)
        return 0;
    for (size_t i = 0; i < sizeof shape - 1; i++) {
        char c = piece->at[i];
        bool fits = shape[i] == 'd'   ? is_digit(c)
                    : shape[i] == '?' ? c == 'T' || c == ' '
                    : shape[i] == '-' ? c == '-' || c == '/'
                                      : c == shape[i];
        if (!fits)
            return 0;
    }
    const char *p = piece->at + sizeof shape - 1;
    while (p < piece->end && (is_digit(*p) || strchr(".,:+-Z", *p)))
        p++;
    return (size_t)(p - piece->at);
}

/* The same in brackets, perhaps with a rank behind it, or behind a dash. */
static size_t prefix_framed_time(const struct piece *piece)
{
    enum { BEHIND = 16 };
    bool bracket = piece_begins(piece, "["), dash = piece_begins(piece, "- ");
    struct piece inside = {piece->at + (bracket ? 1 : 2), piece->end};
    size_t length = bracket || dash ? prefix_time(&inside) : 0;
    if (length == 0)
        return 0;
    inside.at += length;
    size_t left = piece_left(&inside) < BEHIND ? piece_left(&inside) : BEHIND;
    const char *close = bracket ? memchr(inside.at, ']', left) : NULL;
    return bracket ? (close ? (size_t)(close + 1 - piece->at) : 0) : length + 2;
}

/* What a container runtime or logger wraps each line in as JSON. */
static size_t prefix_json(const struct piece *piece)
{
    static const char *const begins[] = {"{\"log\":\"", "{\"log\": \"", "{\"message\":\"", "{\"message\": \""};
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
        if (piece_begins(piece, begins[i]))
            return strlen(begins[i]);
    return 0;
}

/* "(raylet) ", and with more in it before the bracket ends. */
static size_t prefix_raylet(const struct piece *piece)
{
    const char *end = piece_begins(piece, "(raylet") ? memchr(piece->at, ')', piece_left(piece)) : NULL;
    return end ? (size_t)(end + 1 - piece->at) : 0;
}

/* The CRI log's stream and tag. */
static size_t prefix_stream(const struct piece *piece)
{
    return piece_begins(piece, "stdout F ") || piece_begins(piece, "stderr F ") || piece_begins(piece, "stdout P ") ||
                   piece_begins(piece, "stderr P ")
               ? 9
               : 0;
}

/* kubectl's "[pod/NAME/CONTAINER] ", torch's "[rank0]:" and "[default0]:". */
static size_t prefix_bracket(const struct piece *piece)
{
    if (!piece_begins(piece, "[pod/") && !piece_begins(piece, "[rank") && !piece_begins(piece, "[default"))
        return 0;
    const char *end = memchr(piece->at, ']', piece_left(piece));
    if (!end)
        return 0;
    end++;
    return (size_t)(end - piece->at) + (end < piece->end && *end == ':' ? 1 : 0);
}

/* Compose's "vllm-1  | ". */
static size_t prefix_compose(const struct piece *piece)
{
    const char *p = piece->at;
    while (p < piece->end && (isalnum((unsigned char)*p) || *p == '_' || *p == '.' || *p == '-'))
        p++;
    const char *name_end = p;
    if (piece_begins(piece, "INFO") || piece_begins(piece, "DEBUG") || piece_begins(piece, "WARNING") ||
        piece_begins(piece, "ERROR"))
        return 0; /* loguru's "INFO     | words" */
    while (p < piece->end && *p == ' ')
        p++;
    bool is = name_end > piece->at && p > name_end && p + 1 < piece->end && p[0] == '|' && p[1] == ' ';
    return is ? (size_t)(p + 2 - piece->at) : 0;
}

static void piece_strip(struct piece *piece)
{
    static size_t (*const prefixes[])(const struct piece *) = {
        prefix_space,  prefix_escape,  prefix_box,     prefix_process,     prefix_time, prefix_stream,
        prefix_raylet, prefix_bracket, prefix_compose, prefix_framed_time, prefix_json};
    size_t taken;
    do {
        taken = 0;
        for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
            size_t bytes = prefixes[i](piece);
            piece->at += bytes;
            taken += bytes;
        }
    } while (taken > 0);
    while (piece->end > piece->at && isspace((unsigned char)piece->end[-1]))
        piece->end--;
    while (piece_left(piece) >= 3 && (memcmp(piece->end - 3, "\xe2\x94\x82", 3) == 0 || piece->end[-1] == ' '))
        piece->end -= piece->end[-1] == ' ' ? 1 : 3; /* the right-hand side of a box */
}

void progress_strip(const char *line, size_t length, const char **start, size_t *rest)
{
    struct piece piece = {line, line + length};
    piece_strip(&piece);
    *start = piece.at;
    *rest = piece_left(&piece);
}

/* ---- what is read out of a line ---- */

/* "41/163" at p; false when it is not there or is nonsense. */
static bool read_count(const char *p, const char *end, int32_t *done, int32_t *total)
{
    int64_t numbers[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        const char *from = p;
        while (p < end && is_digit(*p) && p - from < 7)
            numbers[i] = numbers[i] * 10 + (*p++ - '0');
        if (p == from || (i == 0 && (p >= end || *p++ != '/')))
            return false;
    }
    *done = (int32_t)numbers[0];
    *total = (int32_t)numbers[1];
    return *total > 0 && *done <= *total;
}

/* The first number with a decimal point or without after `p`; 0 when there is none. */
static double read_seconds(const char *p, const char *end)
{
    while (p < end && !is_digit(*p))
        p++;
    double whole = 0, share = 0.1;
    for (; p < end && is_digit(*p); p++)
        whole = whole * 10 + (*p - '0');
    if (p < end && *p == '.')
        for (p++; p < end && is_digit(*p); p++, share /= 10)
            whole += share * (*p - '0');
    return isfinite(whole) ? whole : 0;
}

/* A word from p up to a space, comma or the end, into `out`; true when it changed. */
static bool read_word(const char *p, const char *end, struct text *out)
{
    while (p < end && *p == ' ')
        p++;
    const char *from = p;
    while (p < end && *p != ' ' && *p != ',' && *p != '"')
        p++;
    while (p > from && p[-1] == '.')
        p--; /* "Starting to load model X..." */
    if (p == from || (text_str(out)[0] && strlen(text_str(out)) == (size_t)(p - from) &&
                      memcmp(text_str(out), from, (size_t)(p - from)) == 0))
        return false;
    text_set(out, from, (size_t)(p - from), TEXT_NAME);
    return true;
}

/* Sub-stages are a set with "furthest seen" (facts/vllm.md 2): entering an earlier one later changes nothing. */
static bool advance(struct progress *progress, enum substage substage, int64_t t)
{
    if (progress->entered[substage] == 0)
        progress->entered[substage] = t == 0 ? 1 : t;
    if (substage <= progress->furthest)
        return false;
    progress->furthest = substage;
    progress->done = progress->total = progress->counted_from_done = 0;
    progress->counted_from = progress->counted_at = 0;
    progress->bar = 0;
    return true;
}

/* Takes a count of the present sub-stage. `bar` tells apart bars that follow each other (graphs: piecewise, then full); a count never goes back within one bar: ranks interleave. */
static bool count(struct progress *progress, enum substage substage, uint8_t bar, int32_t done, int32_t total,
                  int64_t t)
{
    if (progress->furthest != substage || bar < progress->bar)
        return false;
    bool first = progress->total == 0 || bar > progress->bar;
    if (!first && progress->total != total) {
        if (progress->done < progress->total)
            return false; /* another rank with another number of files: the first bar goes on */
        first = true;
    }
    if (!first && done <= progress->done)
        return false;
    if (first) {
        progress->counted_from = t;
        progress->counted_from_done = done;
    }
    progress->bar = bar;
    progress->done = done;
    progress->total = total;
    progress->counted_at = t;
    return true;
}

/* ---- the table: stems, because wording drifts between versions (corpus/README.md) ---- */

enum take {
    TAKE_NOTHING,
    TAKE_VERSION,      /* "vLLM API server version 0.10.0", with ", serving model X" later */
    TAKE_LOGO_VERSION, /* the logo block: "version X" beside block characters */
    TAKE_LOGO_MODEL,
    TAKE_MODEL,    /* "Starting to load model X..." */
    TAKE_SHARDS,   /* "...: 25% Completed | 41/163 [" */
    TAKE_PREFETCH, /* "...: 10% (3/30)" */
    TAKE_GRAPHS,   /* "...: 40%|####    | 14/35" */
    TAKE_DOWNLOAD, /* a bar of the hub's client */
    TAKE_DOWNLOAD_SECONDS,
    TAKE_WEIGHTS_SECONDS,
    TAKE_PORT, /* "... on http://0.0.0.0:8200" */
    TAKE_ARGS, /* "..., port=8000, ..." or "'port': 8000" */
    TAKE_SHUTDOWN
};

struct stem {
    const char *words;
    uint8_t substage, take;
};

/* Longer stems stand before shorter ones they begin with. Sources: facts/vllm.md 2 and 2.1; those of 0.7 to 0.9 with other wording are marked. */
static const struct stem stems[] = {
    {"Automatically detected platform", SUBSTAGE_PYTHON, TAKE_NOTHING},
    {"vLLM API server version ", SUBSTAGE_SERVER, TAKE_VERSION},
    {"vLLM server version ", SUBSTAGE_SERVER, TAKE_VERSION},
    {"version ", SUBSTAGE_SERVER, TAKE_LOGO_VERSION},
    {"model ", SUBSTAGE_SERVER, TAKE_LOGO_MODEL},
    {"Launching vLLM DP Servers", SUBSTAGE_SERVER, TAKE_NOTHING},
    {"non-default args: ", SUBSTAGE_CONFIG, TAKE_ARGS},
    {"args: Namespace(", SUBSTAGE_CONFIG, TAKE_ARGS}, /* 0.7 */
    {"Resolved architecture: ", SUBSTAGE_CONFIG, TAKE_NOTHING},
    {"Using max model len ", SUBSTAGE_CONFIG, TAKE_NOTHING},
    {"This model supports multiple tasks", SUBSTAGE_CONFIG, TAKE_NOTHING}, /* 0.7 */
    {"Initializing a V1 LLM engine", SUBSTAGE_ENGINE, TAKE_NOTHING},
    {"Initializing a V0 LLM engine", SUBSTAGE_ENGINE, TAKE_NOTHING}, /* 0.7 */
    {"Initializing an LLM engine", SUBSTAGE_ENGINE, TAKE_NOTHING},   /* 0.7 */
    {"Started engine process with PID", SUBSTAGE_ENGINE, TAKE_NOTHING},
    {"data parallel engine(s) in headless mode", SUBSTAGE_ENGINE, TAKE_NOTHING},
    {"in world size ", SUBSTAGE_DISTRIBUTED, TAKE_NOTHING},
    {"vLLM is using nccl==", SUBSTAGE_DISTRIBUTED, TAKE_NOTHING},
    {"distributed_init_method=", SUBSTAGE_DISTRIBUTED, TAKE_NOTHING},
    {"Starting to load model ", SUBSTAGE_DOWNLOAD, TAKE_MODEL},
    {"Loading model from scratch", SUBSTAGE_DOWNLOAD, TAKE_NOTHING},
    {"Using model weights format", SUBSTAGE_DOWNLOAD, TAKE_NOTHING}, /* 0.7 */
    {"Time spent downloading weights for ", SUBSTAGE_DOWNLOAD, TAKE_DOWNLOAD_SECONDS},
    {"Filesystem type for checkpoints: ", SUBSTAGE_DOWNLOAD, TAKE_NOTHING},
    {"Prefetching checkpoint files: ", SUBSTAGE_DOWNLOAD, TAKE_PREFETCH},
    {"Fetching ", SUBSTAGE_NONE, TAKE_DOWNLOAD},
    {"Downloading ", SUBSTAGE_NONE, TAKE_DOWNLOAD},
    {"safetensors: ", SUBSTAGE_NONE, TAKE_DOWNLOAD},
    {"bin: ", SUBSTAGE_NONE, TAKE_DOWNLOAD},
    {"gguf: ", SUBSTAGE_NONE, TAKE_DOWNLOAD},
    {"Loading safetensors ", SUBSTAGE_SHARDS, TAKE_SHARDS},
    {"Loading pt checkpoint shards", SUBSTAGE_SHARDS, TAKE_SHARDS},
    {"Loading np_cache checkpoint shards", SUBSTAGE_SHARDS, TAKE_SHARDS},
    {"Multi-thread loading ", SUBSTAGE_SHARDS, TAKE_SHARDS},
    {"Loading weights took ", SUBSTAGE_WEIGHTS, TAKE_WEIGHTS_SECONDS},
    {"Loading model weights took ", SUBSTAGE_WEIGHTS, TAKE_NOTHING}, /* 0.7: gigabytes */
    {"Model loading took ", SUBSTAGE_WEIGHTS, TAKE_NOTHING},
    {"Using cache directory: ", SUBSTAGE_COMPILE, TAKE_NOTHING},
    {"Dynamo bytecode transform time", SUBSTAGE_COMPILE, TAKE_NOTHING},
    {"Start compiling function", SUBSTAGE_COMPILE, TAKE_NOTHING},
    {"Compiling a graph for ", SUBSTAGE_COMPILE, TAKE_NOTHING},
    {"Cache the graph ", SUBSTAGE_COMPILE, TAKE_NOTHING},
    {"Directly load the compiled graph", SUBSTAGE_COMPILE, TAKE_NOTHING},
    {"Directly load AOT compilation", SUBSTAGE_COMPILE, TAKE_NOTHING},
    {"saved AOT compiled function", SUBSTAGE_COMPILE, TAKE_NOTHING},
    {"torch.compile takes ", SUBSTAGE_COMPILE, TAKE_NOTHING},
    {"torch.compile took ", SUBSTAGE_COMPILE, TAKE_NOTHING},
    {"Warming up model for the compilation", SUBSTAGE_COMPILE, TAKE_NOTHING}, /* CPU */
    {"Warming up done", SUBSTAGE_PROFILE, TAKE_NOTHING},                      /* CPU: before the KV cache */
    {"Initial profiling/warmup run took", SUBSTAGE_PROFILE, TAKE_NOTHING},
    {"Starting profile run", SUBSTAGE_PROFILE, TAKE_NOTHING},   /* 0.6 */
    {"Memory profiling takes", SUBSTAGE_PROFILE, TAKE_NOTHING}, /* 0.7 */
    {"Profiling CUDA graph memory", SUBSTAGE_PROFILE, TAKE_NOTHING},
    {"Estimated CUDA graph memory", SUBSTAGE_PROFILE, TAKE_NOTHING},
    {"Available KV cache memory", SUBSTAGE_KV_CACHE, TAKE_NOTHING},
    {"KV cache size: ", SUBSTAGE_KV_CACHE, TAKE_NOTHING}, /* GPU or CPU before it */
    {"Maximum concurrency for ", SUBSTAGE_KV_CACHE, TAKE_NOTHING},
    {"# cuda blocks: ", SUBSTAGE_KV_CACHE, TAKE_NOTHING}, /* 0.7 */
    {"# GPU blocks: ", SUBSTAGE_KV_CACHE, TAKE_NOTHING},  /* 0.7 */
    {"# cpu blocks: ", SUBSTAGE_KV_CACHE, TAKE_NOTHING},  /* 0.7 */
    {"Warming up ", SUBSTAGE_WARM_UP, TAKE_NOTHING},
    {"Compile and warming up model", SUBSTAGE_WARM_UP, TAKE_NOTHING},
    {"Compiling the model with different input shapes", SUBSTAGE_WARM_UP, TAKE_NOTHING}, /* TPU */
    {"[Warmup][", SUBSTAGE_WARM_UP, TAKE_NOTHING},                                       /* Gaudi */
    {"Warmup finished in ", SUBSTAGE_WARM_UP, TAKE_NOTHING},                             /* Gaudi */
    {"DeepGEMM warmup", SUBSTAGE_WARM_UP, TAKE_NOTHING},
    {"Autotuning FlashInfer", SUBSTAGE_WARM_UP, TAKE_NOTHING},
    {"Capturing CUDA graph", SUBSTAGE_GRAPHS, TAKE_GRAPHS},
    {"Capturing cudagraphs", SUBSTAGE_GRAPHS, TAKE_NOTHING}, /* 0.7 */
    {"Capturing ACL graph", SUBSTAGE_GRAPHS, TAKE_GRAPHS},   /* Ascend */
    {"Graph capturing finished", SUBSTAGE_GRAPHS, TAKE_NOTHING},
    {"init engine (profile", SUBSTAGE_ENGINE_READY, TAKE_NOTHING},
    {"Supported tasks: ", SUBSTAGE_APP, TAKE_NOTHING},
    {"Supported_tasks: ", SUBSTAGE_APP, TAKE_NOTHING},
    {"Starting vLLM API server", SUBSTAGE_APP, TAKE_PORT},
    {"Starting vLLM server", SUBSTAGE_APP, TAKE_PORT},
    {"Available routes are", SUBSTAGE_APP, TAKE_NOTHING},
    {"Started server process ", SUBSTAGE_APP, TAKE_NOTHING},
    {"Waiting for application startup", SUBSTAGE_APP, TAKE_NOTHING},
    {"Application startup complete", SUBSTAGE_LISTENING, TAKE_NOTHING},
    {"Uvicorn running on ", SUBSTAGE_NONE, TAKE_PORT}, /* before 0.6.3 */
    {"[shutdown] ", SUBSTAGE_NONE, TAKE_SHUTDOWN},
    {"Shutting down", SUBSTAGE_NONE, TAKE_SHUTDOWN},
    {"Application shutdown complete", SUBSTAGE_NONE, TAKE_SHUTDOWN},
    {"Finished server process", SUBSTAGE_NONE, TAKE_SHUTDOWN},
    {"EngineCore exiting", SUBSTAGE_NONE, TAKE_SHUTDOWN},
    {"KeyboardInterrupt: terminated", SUBSTAGE_NONE, TAKE_SHUTDOWN},
};

static bool take_shards(struct progress *progress, const struct piece *after, int64_t t)
{
    const char *completed = piece_find(after, "Completed | ");
    int32_t done, total;
    if (!completed || !read_count(completed + strlen("Completed | "), after->end, &done, &total))
        return false;
    bool changed = advance(progress, SUBSTAGE_SHARDS, t);
    return count(progress, SUBSTAGE_SHARDS, 0, done, total, t) || changed;
}

static bool take_graphs(struct progress *progress, const struct piece *after, int64_t t)
{
    bool changed = advance(progress, SUBSTAGE_GRAPHS, t);
    uint8_t bar = piece_find(after, "FULL") ? 2 : 1;
    const char *last = after->end;
    for (const char *p = after->at; p < after->end; p++)
        last = *p == '|' ? p : last; /* the count stands behind the bar's right-hand side */
    int32_t done, total;
    if (last + 2 < after->end && read_count(last + 2, after->end, &done, &total))
        changed = count(progress, SUBSTAGE_GRAPHS, bar, done, total, t) || changed;
    return changed;
}

static bool take_prefetch(struct progress *progress, const struct piece *after, int64_t t)
{
    bool changed = advance(progress, SUBSTAGE_DOWNLOAD, t);
    const char *open = memchr(after->at, '(', piece_left(after));
    int32_t done, total;
    if (open && read_count(open + 1, after->end, &done, &total))
        changed = count(progress, SUBSTAGE_DOWNLOAD, 0, done, total, t) || changed;
    return changed;
}

static bool take_seconds(struct progress *progress, const struct stem *stem, const struct piece *after, int64_t t)
{
    bool changed = advance(progress, (enum substage)stem->substage, t);
    double *kept = stem->take == TAKE_DOWNLOAD_SECONDS ? &progress->download_seconds : &progress->weights_seconds;
    const char *from = after->at;
    if (stem->take == TAKE_DOWNLOAD_SECONDS) { /* the model's name, which may hold digits, ends in ": " */
        const char *colon = piece_find(after, ": ");
        from = colon ? colon : after->end;
    }
    double seconds = read_seconds(from, after->end);
    if (seconds > *kept) { /* the slowest rank's */
        *kept = seconds;
        changed = true;
    }
    return changed;
}

static bool read_port(const char *p, const char *end, int32_t *port)
{
    int32_t number = 0;
    const char *from = p;
    while (p < end && is_digit(*p) && p - from < 5)
        number = number * 10 + (*p++ - '0');
    bool changed = number > 0 && number <= 65535 && number != *port;
    *port = changed ? number : *port;
    return changed;
}

static bool take_port(struct progress *progress, const struct piece *after)
{
    const char *colon = NULL;
    const char *host = piece_find(after, "://");
    for (const char *p = host ? host + 3 : after->end; p < after->end; p++)
        colon = *p == ':' ? p : colon; /* the last: an IPv6 address has others */
    return colon && read_port(colon + 1, after->end, &progress->port);
}

static bool take_args(struct progress *progress, const struct piece *after)
{
    static const char *const marks[] = {"'port': ", " port=", "(port="};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        const char *mark = piece_find(after, marks[i]);
        if (mark)
            return read_port(mark + strlen(marks[i]), after->end, &progress->port);
    }
    return false;
}

/* Does what the stem's row says. *is_match false: the words only looked like it. */
static bool take(struct progress *progress, const struct stem *stem, const struct piece *whole,
                 const struct piece *after, int64_t t, bool *is_match)
{
    bool changed = false;
    *is_match = true;
    if (stem->take == TAKE_LOGO_VERSION || stem->take == TAKE_LOGO_MODEL) {
        struct piece before = {whole->at, after->at};
        if (!piece_find(&before, "\xe2\x96")) { /* block characters U+2580 to U+25BF */
            *is_match = false;
            return false;
        }
        changed =
            read_word(after->at, after->end, stem->take == TAKE_LOGO_MODEL ? &progress->model : &progress->version);
        return advance(progress, SUBSTAGE_SERVER, t) || changed;
    }
    switch ((enum take)stem->take) {
    case TAKE_SHARDS:
        return take_shards(progress, after, t);
    case TAKE_GRAPHS:
        return take_graphs(progress, after, t);
    case TAKE_PREFETCH:
        return take_prefetch(progress, after, t);
    case TAKE_DOWNLOAD_SECONDS:
    case TAKE_WEIGHTS_SECONDS:
        return take_seconds(progress, stem, after, t);
    case TAKE_SHUTDOWN:
        changed = !progress->shutting_down;
        progress->shutting_down = true;
        return changed;
    case TAKE_PORT:
        changed = take_port(progress, after);
        break;
    case TAKE_ARGS:
        changed = take_args(progress, after);
        break;
    case TAKE_DOWNLOAD: /* other bars begin so, too */
        *is_match = piece_find(after, "%|") != NULL;
        return *is_match && advance(progress, SUBSTAGE_DOWNLOAD, t);
    case TAKE_VERSION: {
        changed = read_word(after->at, after->end, &progress->version);
        const char *model = piece_find(after, "serving model ");
        changed = (model && read_word(model + strlen("serving model "), after->end, &progress->model)) || changed;
        break;
    }
    case TAKE_MODEL:
        changed = text_empty(&progress->model) && read_word(after->at, after->end, &progress->model);
        break;
    default:
        break;
    }
    return advance(progress, (enum substage)stem->substage, t) || changed;
}

/* One line, or one of several that a bar wrote over each other. The leftmost stem that begins a word decides. */
static bool piece_read(struct progress *progress, struct piece piece, int64_t t)
{
    piece_strip(&piece);
    for (const char *p = piece.at; p < piece.end; p++) {
        if (p > piece.at && (isalnum((unsigned char)p[-1]) || p[-1] == '_'))
            continue;
        struct piece rest = {p, piece.end};
        for (size_t i = 0; i < sizeof stems / sizeof stems[0]; i++) {
            if (stems[i].words[0] == *p && piece_begins(&rest, stems[i].words)) {
                struct piece after = {p + strlen(stems[i].words), piece.end};
                bool is_match;
                bool changed = take(progress, &stems[i], &piece, &after, t, &is_match);
                if (is_match)
                    return changed;
            }
        }
    }
    return false;
}

/* The next carriage return, raw or as text_set() shows it; its length in *bytes. */
static const char *next_return(const char *p, const char *end, size_t *bytes)
{
    for (; p < end; p++) {
        if (*p == '\r') {
            *bytes = 1;
            return p;
        }
        if (*p == '\\' && p + 1 < end && p[1] == 'r') {
            *bytes = 2;
            return p;
        }
    }
    *bytes = 0;
    return end;
}

bool progress_line(struct progress *progress, const char *line, size_t length, int64_t t)
{
    const char *end = line + length;
    bool changed = false;
    for (const char *p = line; p < end;) {
        size_t bytes;
        const char *stop = next_return(p, end, &bytes);
        changed = piece_read(progress, (struct piece){p, stop}, t) || changed;
        p = stop + bytes;
    }
    progress->last_line = t == 0 ? 1 : t;
    text_set(&progress->last_text, line, length, TEXT_LINE);
    return changed;
}

bool progress_begins_anew(const struct progress *progress, const char *line, size_t length)
{
    struct progress fresh = {0};
    if (progress->furthest < SUBSTAGE_DOWNLOAD && !progress->shutting_down)
        return false; /* several processes say the first few lines */
    piece_read(&fresh, (struct piece){line, line + length}, 1);
    bool anew = fresh.furthest == SUBSTAGE_SERVER;
    progress_free(&fresh);
    return anew;
}

int32_t progress_percent(const struct progress *progress)
{
    return progress->total > 0 ? (int32_t)((int64_t)progress->done * 100 / progress->total) : -1;
}

int64_t progress_eta(const struct progress *progress, int64_t now)
{
    if (progress->total <= 0)
        return -1;
    if (progress->done >= progress->total)
        return 0;
    int64_t counted = progress->done - progress->counted_from_done;
    int64_t took = progress->counted_at - progress->counted_from;
    int64_t since = now > progress->counted_at ? now - progress->counted_at : 0;
    if (counted <= 0 || took <= 0)
        return -1;
    int64_t each = took / counted;
    int64_t long_time = each > 12000000 ? 5 * each : 60000000; /* five files' time, at least a minute: stalled */
    if (since > long_time)
        return -1;
    int64_t left = (progress->total - progress->done) * each;
    return left > since ? left - since : 0;
}

int64_t progress_silence(const struct progress *progress, int64_t now)
{
    if (progress->last_line == 0)
        return -1;
    return now > progress->last_line ? now - progress->last_line : 0;
}
