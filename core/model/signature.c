#include "model/signature.h"

#include "base/mem.h"
#include "model/pod.h"

#include <ctype.h>
#include <string.h>

enum { QUOTE_CELLS = 400 };

const char *evidence_source_name(enum evidence_source source)
{
    static const char *const names[] = {
#define X(id, name) name,
        EVIDENCE_TABLE(X)
#undef X
    };
    return (unsigned)source < EVIDENCE_SOURCE_COUNT ? names[source] : "";
}

static const char *const confidences[] = {"", "possible", "likely", "certain"};

const char *confidence_name(enum confidence confidence)
{
    return (unsigned)confidence <= CONFIDENCE_CERTAIN ? confidences[confidence] : "";
}

bool confidence_from_name(const char *name, enum confidence *confidence)
{
    for (int i = CONFIDENCE_POSSIBLE; i <= CONFIDENCE_CERTAIN; i++) {
        if (strcmp(name, confidences[i]) == 0) {
            *confidence = (enum confidence)i;
            return true;
        }
    }
    return false;
}

/* ---- patterns ---- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The pattern's next byte, in lower case; a star that stands for itself loses its backslash. */
static char pattern_take(const char **at)
{
    if ((*at)[0] == '\\' && (*at)[1] == '*')
        (*at)++;
    return lower(*(*at)++);
}

/* Whether the pattern up to its next star stands at `line`; then *after is behind it there. */
static bool piece_stands(const char *pattern, const char *line, const char **after)
{
    while (*pattern && *pattern != '*')
        if (!*line || pattern_take(&pattern) != lower(*line++))
            return false;
    *after = line;
    return true;
}

static const char *piece_end(const char *pattern)
{
    while (*pattern && *pattern != '*')
        pattern_take(&pattern);
    return pattern;
}

bool pattern_matches(const char *pattern, const char *line)
{
    /* Each piece where it first stands: a later place can only leave less for the pieces behind it. */
    while (*pattern) {
        if (*pattern == '*') {
            pattern++;
            continue;
        }
        const char *after;
        while (!piece_stands(pattern, line, &after)) {
            if (!*line)
                return false;
            line++;
        }
        line = after;
        pattern = piece_end(pattern);
    }
    return true;
}

/* ---- looking up ---- */

/* Which two bytes stand side by side in a line, in lower case: most patterns are seen not to be there by one look. */
struct pairs {
    uint64_t bits[65536 / 64];
};

static uint32_t pair_of(char a, char b)
{
    return (uint32_t)(unsigned char)a << 8 | (unsigned char)b;
}

static bool pair_stands(const struct pairs *pairs, uint32_t pair)
{
    return pairs->bits[pair / 64] >> pair % 64 & 1;
}

static void pairs_of(struct pairs *pairs, const char *line)
{
    memset(pairs, 0, sizeof *pairs);
    for (char last = lower(line[0]); last && line[1]; line++) {
        char next = lower(line[1]);
        uint32_t pair = pair_of(last, next);
        pairs->bits[pair / 64] |= UINT64_C(1) << pair % 64;
        last = next;
    }
}

/* False: the pattern cannot match. */
static bool pairs_allow(const struct pairs *pairs, const char *pattern)
{
    for (; pattern[0] && pattern[1]; pattern++) {
        bool literal = pattern[0] != '*' && pattern[1] != '*' && pattern[0] != '\\' && pattern[1] != '\\';
        if (literal && !pair_stands(pairs, pair_of(lower(pattern[0]), lower(pattern[1]))))
            return false;
    }
    return true;
}

static bool is_log(enum evidence_source source)
{
    return source == EVIDENCE_LOGS || source == EVIDENCE_PREVIOUS;
}

/* How loud a line is by its level; one without a level is as loud as an error. */
enum volume { VOLUME_CALM, VOLUME_WARNING, VOLUME_LOUD };

/* What may stand before a level's name. An '=' may not: NCCL_DEBUG=INFO stands in errors. */
static bool level_may_begin(const char *from, const char *at)
{
    return at == from || strchr(" [|\"", at[-1]) != NULL;
}

/* The level's name at `at`; false when none stands there. */
static bool level_read(const char *at, const char *end, enum volume *volume)
{
    static const struct {
        const char *word;
        enum volume volume;
    } levels[] = {{"INFO", VOLUME_CALM},        {"DEBUG", VOLUME_CALM},         {"TRACE", VOLUME_CALM},
                  {"WARNING", VOLUME_WARNING},  {"WARN", VOLUME_WARNING},       {"ERROR", VOLUME_LOUD},
                  {"CRITICAL", VOLUME_LOUD},    {"FATAL", VOLUME_LOUD},         {"level=info", VOLUME_CALM},
                  {"level=debug", VOLUME_CALM}, {"level=warn", VOLUME_WARNING}, {"info\"", VOLUME_CALM},
                  {"debug\"", VOLUME_CALM},     {"warn\"", VOLUME_WARNING},     {"warning\"", VOLUME_WARNING}};
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        size_t length = strlen(levels[i].word);
        if ((size_t)(end - at) > length && memcmp(at, levels[i].word, length) == 0 &&
            !isalnum((unsigned char)at[length])) {
            *volume = levels[i].volume;
            return true;
        }
    }
    return false;
}

static bool shape_stands(const char *at, const char *shape)
{
    for (; *shape; at++, shape++)
        if (*shape == '0' ? !isdigit((unsigned char)*at) : *at != *shape)
            return false;
    return true;
}

/* What Go's klog begins its lines with, "W0121 12:04:24.666244 ", and torch's, "[W307 12:04:24.666244244 " or "[W socket.cpp:1] ". */
static bool klog_read(const char *at, size_t length, enum volume *volume)
{
    if (length < sizeof "I0000 00:00:00")
        return false;
    bool torch = at[0] == '[' && (isdigit((unsigned char)at[2]) || at[2] == ' ');
    const char level = torch ? at[1] : at[0];
    if (level == '\0' || !strchr("IWEF", level))
        return false;
    if (!torch && !shape_stands(at + 1, "0000 00:00:00"))
        return false;
    *volume = level == 'I' ? VOLUME_CALM : level == 'W' ? VOLUME_WARNING : VOLUME_LOUD;
    return true;
}

/* Ray's, behind the moment: "[2026-01-02 03:04:05,678 W 71 71]". */
static bool ray_read(const char *line, enum volume *volume)
{
    static const char shape[] = "[0000-00-00 00:00:00,000 ";
    const char *at = strchr(line, '[');
    if (!at || !shape_stands(at, shape))
        return false;
    const char level = at[sizeof shape - 1];
    *volume = level == 'W' ? VOLUME_WARNING : level == 'E' || level == 'C' || level == 'F' ? VOLUME_LOUD : VOLUME_CALM;
    return strchr("DIWECF", level) != NULL && at[sizeof shape] == ' ';
}

/* vLLM's own level, which it writes before the date: it counts wherever it stands, for a collector puts its own one, of all lines alike, before it. */
static bool own_level_read(const char *line, enum volume *volume)
{
    for (const char *at = strchr(line, ' '); at; at = strchr(at + 1, ' ')) {
        const char *word = at;
        if (!shape_stands(at, " 00-00 00:00:00"))
            continue;
        while (word > line && isupper((unsigned char)word[-1]))
            word--;
        if (level_read(word, at + 1, volume))
            return true;
    }
    return false;
}

/* vLLM's own level tells, or the first one near the line's beginning. NCCL's WARN is an error's. False: the line has none. */
static bool line_level(const char *line, enum volume *volume)
{
    enum { NEAR = 64 };
    const char *start;
    size_t rest;
    progress_strip(line, strlen(line), &start, &rest);
    if (own_level_read(line, volume) || ray_read(line, volume) || klog_read(start, rest, volume))
        return true;
    for (const char *at = start; at < start + rest && at < start + NEAR; at++) {
        bool nccl = at - start >= 5 && memcmp(at - 5, "NCCL ", 5) == 0;
        if (level_may_begin(start, at) && level_read(at, start + rest, volume)) {
            *volume = nccl && *volume == VOLUME_WARNING ? VOLUME_LOUD : *volume;
            return true;
        }
    }
    return false;
}

static enum volume line_volume(const char *line)
{
    enum volume volume;
    return line_level(line, &volume) ? volume : VOLUME_LOUD;
}

/* Whether it looks at lines that report no fault of themselves. */
static bool hears_quiet(const struct signature *signature, enum volume volume)
{
    bool certain = signature->confidence == CONFIDENCE_CERTAIN || signature->cause == CAUSE_NONE;
    return (signature->where & WHERE_CALM) || (volume == VOLUME_WARNING && certain);
}

static const struct signature *look_up(const struct signatures *own, const char *line, enum evidence_source source,
                                       enum volume volume)
{
    struct pairs pairs;
    pairs_of(&pairs, line);
    for (size_t i = 0; own && i < own->own_count; i++)
        if ((own->own[i].where & 1 << source) && pairs_allow(&pairs, own->own[i].pattern) &&
            pattern_matches(own->own[i].pattern, line))
            return &own->own[i];
    size_t count;
    const struct signature *table = signatures_built_in(&count);
    for (size_t i = 0; i < count; i++) {
        const struct signature *row = &table[i];
        /* By far the most rows end here: a built-in pattern begins with two characters in lower case that stand for themselves. */
        if (!pair_stands(&pairs, pair_of(row->pattern[0], row->pattern[1])))
            continue;
        if ((row->where & 1 << source) && (volume == VOLUME_LOUD || hears_quiet(row, volume)) &&
            pairs_allow(&pairs, row->pattern) && pattern_matches(row->pattern, line) &&
            (!row->whole || strlen(row->pattern) == strlen(line)))
            return row;
    }
    return NULL;
}

const struct signature *signature_find(const struct signatures *own, const char *line, enum evidence_source source)
{
    return look_up(own, line, source, is_log(source) ? line_volume(line) : VOLUME_LOUD);
}

/* ---- findings ---- */

void findings_free(struct findings *findings)
{
    for (uint32_t i = 0; i < findings->count; i++)
        text_free(&findings->list[i].quote);
    mem_free(findings->list);
    memset(findings, 0, sizeof *findings);
}

void findings_forget(struct findings *findings, uint32_t oldest)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < findings->count; i++)
        if (findings->list[i].run != 0 && findings->list[i].run < oldest)
            text_free(&findings->list[i].quote);
        else
            findings->list[kept++] = findings->list[i];
    findings->count = kept;
    findings->moved = findings->calm = findings->quiet = findings->loud = findings->asked = findings->request = 0;
}

/* A worker's or engine's own words: by the process's name, and where versions print none by the file that only those processes run. */
static bool line_is_deep(const char *line)
{
    static const char *const marks[] = {
        "(EngineCore", "(Worker",   "(VllmWorker",           "(RayWorker",
        "(raylet",     "[core.py:", "multiproc_executor.py", "multiproc_worker_utils.py",
        "worker.py:",  "gpu_worker"};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (strstr(line, marks[i]))
            return true;
    return false;
}

static bool same_log(const struct finding *a, const struct finding *b)
{
    return a->source == b->source && a->run == b->run && a->sidecar == b->sidecar;
}

/* A traceback's line of source code: it names the exception, whose own line comes later and says more. */
static bool is_source(const char *words)
{
    return strncmp(words, "raise ", strlen("raise ")) == 0;
}

/* What was found in a line of source code becomes what the exception itself is found as, from where it stood. */
static void source_gives_way(struct findings *findings, const struct finding *like)
{
    struct finding *source = NULL;
    for (uint32_t i = 0; i < findings->count; i++) {
        struct finding *there = &findings->list[i];
        bool code = is_source(text_str(&there->quote));
        if (!same_log(there, like) || there->signature->cause != like->signature->cause)
            continue;
        if (there->signature == like->signature && !code)
            return;
        if (code && (!source || there->signature == like->signature))
            source = there;
    }
    if (!source)
        return;
    source->signature = like->signature;
    source->line = like->line;
    source->count = 0;
}

/* The finding of the same kind that is there already, or a new one; NULL when there is no room. */
static struct finding *finding_place(struct findings *findings, const struct finding *like)
{
    for (uint32_t i = 0; i < findings->count; i++) {
        struct finding *there = &findings->list[i];
        if (there->signature == like->signature && same_log(there, like))
            return there;
    }
    if (findings->count == FINDINGS_MAX)
        return NULL;
    if (findings->count == findings->capacity) {
        findings->capacity = findings->capacity == 0 ? 4 : 2 * findings->capacity;
        findings->list = mem_resize(findings->list, findings->capacity, sizeof *findings->list);
    }
    struct finding *made = &findings->list[findings->count++];
    *made = *like;
    return made;
}

static const struct finding *finding_take(struct findings *findings, const struct finding *like, const char *start,
                                          size_t rest)
{
    if (!is_source(start))
        source_gives_way(findings, like);
    struct finding *finding = finding_place(findings, like);
    if (!finding)
        return NULL;
    if (finding->count++ == 0)
        text_set(&finding->quote, start, rest, QUOTE_CELLS);
    finding->deep = finding->deep || like->deep;
    finding->last = like->last;
    finding->last_order = like->last_order;
    return finding;
}

/* ---- lines about one client's request ---- */

/* vLLM's tag of a source file that works for requests alone: "[serving_chat.py:183]", in older versions without the bracket before it. The models' file works at start-up, too. */
static bool has_request_tag(const char *line)
{
    static const char *const marks[] = {"serving_", "serving.py:", "_tool_parser.py:", "_reasoning_parser.py:"};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        const char *at = strstr(line, marks[i]), *tag = at ? strstr(at, ".py:") : NULL;
        if (tag && isdigit((unsigned char)tag[4]) && !memchr(at, ' ', (size_t)(tag - at)) &&
            strncmp(at, "serving_models", strlen("serving_models")) != 0)
            return true;
    }
    return false;
}

/* Whether the line is about one client's request: by its tag, or as one of a traceback's, which goes on until a line has a level of its own. The API server alone writes such; what goes wrong in them is answered to
 * that client, and the server goes on. */
static bool request_goes_on(struct findings *findings, const struct finding *like, const char *line)
{
    uint32_t bit = UINT32_C(1) << (like->source + (like->sidecar ? EVIDENCE_SOURCE_COUNT : 0));
    enum volume volume;
    bool begins = strstr(line, "Exception in ASGI application") != NULL;
    if (begins)
        findings->request |= bit;
    else if ((findings->request & bit) && line_level(line, &volume))
        findings->request &= ~bit;
    return !like->deep && (begins || (findings->request & bit) || has_request_tag(line));
}

/* ---- several lines in one ---- */

/* A rank's line of NCCL's, "host:71:80 [0] NCCL INFO": where it begins, when its tag stands at `at`; NULL: none. */
static const char *nccl_head(const char *from, const char *at)
{
    const char *p = at;
    if (p == from || *--p != ']')
        return NULL;
    while (p > from && p[-1] != '[')
        p--;
    p -= p - from >= 2 ? 2 : 0;
    while (p > from && p[-1] != ' ')
        p--;
    return p > from ? p : NULL;
}

/* Where, behind `at`, the next line of a process's or of a level's begins, when the breaks between lines were lost; `end` when none does. */
static const char *next_head(const char *at, const char *end)
{
    static const char *const heads[] = {" (APIServer pid=", " (EngineCore", " (Worker", " (VllmWorker", " (RayWorker"};
    const char *start;
    size_t rest;
    for (const char *p = at; (p = memchr(p, ' ', (size_t)(end - p))); p++) {
        const char *head = NULL;
        enum volume volume;
        for (size_t i = 0; p[1] == '(' && i < sizeof heads / sizeof heads[0] && !head; i++)
            head = strncmp(p, heads[i], strlen(heads[i])) == 0 ? p + 1 : NULL;
        if (!head && strncmp(p, " NCCL ", 6) == 0)
            head = nccl_head(at, p);
        if (!head && shape_stands(p, " 00-00 00:00:00")) {
            const char *word = p;
            while (word > at && isupper((unsigned char)word[-1]))
                word--;
            head = level_read(word, end, &volume) ? word : NULL;
        }
        if (!head)
            continue;
        progress_strip(at, (size_t)(head - at), &start, &rest);
        if (rest > 0)
            return head;
    }
    return end;
}

/* The end of the piece that begins at `at`: a break that JSON wrapped, or the next head. *next is where what follows begins; *head: it has a level of its own. A prompt that is logged is one, whatever it quotes. */
static const char *piece_stop(const char *at, const char *end, bool whole, const char **next, bool *head)
{
    const char *wrapped = strstr(at, "\\n"), *own = whole ? end : next_head(at, end);
    wrapped = wrapped ? wrapped : end;
    *head = own < wrapped;
    *next = *head ? own : wrapped < end ? wrapped + 2 : end;
    return *head ? own : wrapped;
}

/* One of several lines that stand in one. */
static const struct finding *piece_offer(struct findings *findings, const struct signatures *own,
                                         const struct finding *like, const char *line, size_t length,
                                         enum volume volume)
{
    char words[TEXT_BODY * 2];
    const char *start;
    size_t rest;
    line_sentence(line, length, &start, &rest);
    while (rest > 0 && *start == ' ') {
        start++;
        rest--;
    }
    if (rest == 0 || rest >= sizeof words)
        return NULL;
    memcpy(words, start, rest);
    words[rest] = '\0';
    struct finding found = *like;
    found.signature = look_up(own, words, like->source, volume);
    if (!found.signature || found.signature->cause == CAUSE_NONE)
        return NULL;
    bool is_of_start = cause_is_of_start(found.signature->cause) || found.signature->clue == CLUE_DEATH;
    if (found.request && is_of_start && !found.signature->label && !(found.signature->where & WHERE_REQUEST))
        return NULL;
    return finding_take(findings, &found, start, rest);
}

/* What the line's level, and whom it is about, says of the run. */
static void line_weigh(struct findings *findings, const struct finding *like, enum volume volume, bool errs)
{
    if (like->source != EVIDENCE_LOGS || like->sidecar)
        return;
    findings->calm = volume == VOLUME_CALM || like->request ? findings->order : findings->calm;
    findings->quiet = volume != VOLUME_LOUD || like->request ? findings->order : findings->quiet;
    findings->loud = errs && !like->request ? findings->order : findings->loud;
    findings->asked = like->request ? findings->order : findings->asked;
}

const struct finding *findings_offer(struct findings *findings, const struct signatures *own, const struct text *line,
                                     enum evidence_source source, bool sidecar, uint32_t run, int64_t t)
{
    const char *at = text_str(line), *end = at + line->len, *next;
    findings->order++;
    findings->lines[source]++;
    struct finding like = {.source = source,
                           .run = run,
                           .line = is_log(source) || source == EVIDENCE_DESCRIBE ? findings->lines[source] : 0,
                           .deep = is_log(source) && line_is_deep(at),
                           .sidecar = sidecar,
                           .first = t,
                           .last = t,
                           .order = findings->order,
                           .last_order = findings->order};
    like.request = is_log(source) && request_goes_on(findings, &like, at);
    bool whole = !is_log(source) || strstr(at, "prompt: ") != NULL, head = false;
    enum volume volume = is_log(source) ? line_volume(at) : VOLUME_LOUD, named;
    bool errs = is_log(source) && own_level_read(at, &named) && named == VOLUME_LOUD;
    ptrdiff_t found = -1; /* the list may move when the next piece is found */
    line_weigh(findings, &like, volume, errs);
    for (; at < end; at = next) {
        volume = head ? line_volume(at) : volume;
        const char *stop = piece_stop(at, end, whole, &next, &head);
        const struct finding *piece = piece_offer(findings, own, &like, at, (size_t)(stop - at), volume);
        found = found < 0 && piece ? piece - findings->list : found;
    }
    return found < 0 ? NULL : &findings->list[found];
}
