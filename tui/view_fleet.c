/* All pods, worst first, and what is to be said about the selected one. */
#include "tui/layout.h"
#include "tui/view.h"
#include "tui/widget.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t CALM_US = (int64_t)5 * SECOND_US;  /* rows move only so long after the user did */
static const int64_t ROSE_US = (int64_t)10 * SECOND_US; /* a pod that got worse carries a mark so long */

/* ---- order ---- */

enum sort { SORT_WORST, SORT_NAME, SORT_ROLE, SORT_STAGE, SORT_FOR, SORT_RESTARTS, SORT_P99, SORT_COUNT };

void view_fleet_order_words(const struct view_state *state, char *out, size_t size)
{
    static const char *const WORDS[SORT_COUNT] = {[SORT_WORST] = "the worst first",
                                                  [SORT_NAME] = "sorted by name",
                                                  [SORT_ROLE] = "sorted by role",
                                                  [SORT_STAGE] = "sorted by stage",
                                                  [SORT_FOR] = "sorted by the time in the stage",
                                                  [SORT_RESTARTS] = "sorted by restarts",
                                                  [SORT_P99] = "sorted by p99"};
    snprintf(out, size, "%s%s", WORDS[state->sort], state->sort_inverted ? ", inverted" : "");
}

struct row {
    const struct pod *pod;
    const char *words; /* sorted by these where not NULL, upwards */
    int64_t key;       /* else by this, downwards */
    uint32_t index;
    bool inverted;
};

static int row_compare(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int order = x->words ? strcmp(x->words, y->words) : (x->key < y->key) - (x->key > y->key);
    if (order == 0)
        return x->index < y->index ? -1 : 1;
    return x->inverted ? -order : order;
}

static bool row_wanted(const struct view_state *state, const struct fleet *fleet, const struct pod *pod, int64_t now)
{
    static const int64_t GONE_SHOWN_US = (int64_t)60 * SECOND_US;
    if (pod->gone && now - pod->gone_at > GONE_SHOWN_US)
        return false;
    if (state->faults_only && !widget_needs_look(fleet, pod, now))
        return false;
    if (text_empty(&state->filter))
        return true;
    struct text stage = {0}, role = {0};
    text_set_str(&stage, stage_word(pod->stage), TEXT_NAME);
    text_set_str(&role, role_name(pod->facts.role), TEXT_NAME);
    const struct text *const fields[] = {&pod->facts.name, &pod->facts.node,     &pod->reason,
                                         &stage,           &pod->facts.workload, &role};
    bool found = false;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        found |= widget_contains(fields[i], &state->filter);
    text_free(&stage);
    text_free(&role);
    return found != state->filter_not;
}

static void row_key(struct row *row, const struct view_state *state, const struct fleet *fleet, int64_t now)
{
    const struct pod *pod = row->pod;
    const struct lane *lane;
    switch (state->sort) {
    case SORT_NAME:
        row->words = text_str(&pod->facts.name);
        break;
    case SORT_ROLE:
        row->words = role_name(pod->facts.role);
        break;
    case SORT_STAGE:
        row->key = stage_rank(pod->stage);
        break;
    case SORT_FOR:
        row->key = -pod->stage_since;
        break;
    case SORT_RESTARTS:
        row->key = pod->kills;
        break;
    case SORT_P99:
        lane = widget_traffic_lane(pod);
        row->key = lane ? widget_percentile(&lane->history, 99, widget_floor(fleet, now, QUIET_STEP_US)) : -1;
        break;
    default:
        row->key = widget_rank(pod, now);
    }
}

/* The rows as they should stand now; returns how many. `rows` has room for all pods. */
static uint32_t rows_ideal(const struct view_state *state, const struct fleet *fleet, int64_t now, struct row *rows)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fleet->count; i++) {
        const struct pod *pod = fleet->pods[i];
        if (!row_wanted(state, fleet, pod, now))
            continue;
        rows[count] = (struct row){.pod = pod, .index = i, .inverted = state->sort_inverted};
        row_key(&rows[count++], state, fleet, now);
    }
    if (count > 1)
        qsort(rows, count, sizeof *rows, row_compare);
    return count;
}

static int id_compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Keeps the rows where they are: those that left are taken out, new ones come last. */
static uint32_t order_kept(const struct view_state *state, const struct row *ideal, uint32_t count, uint32_t *order)
{
    uint32_t kept = 0;
    uint32_t *wanted = mem_array(count + 1, sizeof *wanted), *known = mem_array(state->order_count + 1, sizeof *known);
    for (uint32_t i = 0; i < count; i++)
        wanted[i] = ideal[i].pod->facts.id;
    qsort(wanted, count, sizeof *wanted, id_compare);
    for (uint32_t i = 0; i < state->order_count; i++) {
        known[i] = state->order[i];
        if (bsearch(&state->order[i], wanted, count, sizeof *wanted, id_compare))
            order[kept++] = state->order[i];
    }
    qsort(known, state->order_count, sizeof *known, id_compare);
    for (uint32_t i = 0; i < count; i++)
        if (!bsearch(&ideal[i].pod->facts.id, known, state->order_count, sizeof *known, id_compare))
            order[kept++] = ideal[i].pod->facts.id;
    mem_free(wanted);
    mem_free(known);
    return kept;
}

static int order_index(const struct view_state *state, uint32_t id)
{
    for (uint32_t i = 0; i < state->order_count; i++)
        if (state->order[i] == id)
            return (int)i;
    return -1;
}

/* Brings state->order and state->selected up to date. */
static void fleet_order(struct view_state *state, const struct fleet *fleet, int64_t now)
{
    int before = order_index(state, state->selected);
    bool moved = state->moved_at >= 0 && now >= state->moved_at && now - state->moved_at < CALM_US;
    bool keep = state->order_count > 0 && (moved || state->top > 0);
    struct row *rows = mem_array(fleet->count + 1, sizeof *rows);
    uint32_t *order = mem_array(fleet->count + 1, sizeof *order);
    uint32_t count = rows_ideal(state, fleet, now, rows);
    if (keep)
        count = order_kept(state, rows, count, order);
    for (uint32_t i = 0; !keep && i < count; i++)
        order[i] = rows[i].pod->facts.id;
    state->order_held = false;
    for (uint32_t i = 0; keep && i < count; i++)
        state->order_held |= order[i] != rows[i].pod->facts.id;
    mem_free(rows);
    mem_free(state->order);
    state->order = order;
    state->order_count = count;
    if (!state->chosen || order_index(state, state->selected) < 0) {
        uint32_t at = state->chosen && before > 0 ? (uint32_t)before : 0;
        state->selected = count == 0 ? 0 : order[at < count ? at : count - 1];
        state->chosen = state->chosen && count > 0;
    }
}

/* ---- header ---- */

static int paint_count(struct canvas *canvas, int column, int limit, enum style style, uint32_t count, const char *word)
{
    char words[64];
    if (count == 0)
        return column;
    snprintf(words, sizeof words, "%" PRIu32 " %s", count, word);
    if (column + 3 + (int)strlen(words) > limit)
        return column;
    const char *between = limit >= 60 ? " · " : "  ";
    column = canvas_puts(canvas, 0, column, limit - column, STYLE_MUTED, between);
    return canvas_puts(canvas, 0, column, limit - column, style, words);
}

static double probe_rate(const struct fleet *fleet, int64_t now)
{
    double rate = 0;
    for (uint32_t i = 0; i < fleet->count; i++) {
        const struct pod *pod = fleet->pods[i];
        for (int lane = 0; lane < LANE_COUNT && !pod->gone; lane++)
            if (pod->lanes[lane].present && pod->facts.probes[lane].period > 0 &&
                pod_gate(pod, (enum lane_kind)lane, now) == GATE_SEND)
                rate += 1.0 / pod->facts.probes[lane].period;
    }
    return rate;
}

/* How probes get there, and how many a second go out: "tunnels 6, 3ms   3.6 probes/s". */
static void tunnel_words(const struct fleet *fleet, int64_t now, char *out, size_t size, enum style *style)
{
    uint32_t tunnels = 0, up = 0, direct = 0;
    int64_t slowest = -1;
    for (uint32_t i = 0; i < fleet->count; i++) {
        const struct pod *pod = fleet->pods[i];
        direct += !pod->gone && (text_is(&pod->facts.via, "direct") || text_empty(&pod->facts.via));
        bool running = pod->facts.phase == PHASE_RUNNING; /* before and after that there is nothing to tunnel to */
        if (pod->gone || !running || text_is(&pod->facts.via, "direct") || text_empty(&pod->facts.via))
            continue;
        tunnels++;
        up += pod->tunnel == TUNNEL_UP || pod->tunnel == TUNNEL_REFUSED_IN_POD;
        slowest = pod->tunnel_round_trip > slowest ? pod->tunnel_round_trip : slowest;
    }
    char trip[16] = "", tunnel[64] = "direct";
    if (direct == 0)
        tunnel[0] = '\0'; /* nobody to get to yet */
    *style = up < tunnels ? STYLE_WARN : STYLE_TEXT;
    if (tunnels > 0 && up < tunnels)
        snprintf(tunnel, sizeof tunnel, "tunnels %" PRIu32 " of %" PRIu32, up, tunnels);
    else if (tunnels > 0)
        snprintf(tunnel, sizeof tunnel, "tunnels %" PRIu32 "%s%s", up, slowest < 0 ? "" : ", ",
                 slowest < 0 ? "" : clock_latency(slowest, trip, sizeof trip));
    snprintf(out, size, "%s   %.1f probes/s", tunnel, probe_rate(fleet, now));
}

/* Of those before it, how many a hint says will not make it: "3 loading (2!)". */
static int paint_trouble(const struct fleet *fleet, struct canvas *canvas, int column, int limit)
{
    enum { WIDTH = 8 };
    uint32_t count = 0;
    for (uint32_t i = 0; i < fleet->count; i++)
        count += stage_is_loading(fleet->pods[i]->stage) && widget_in_trouble(fleet->pods[i]);
    if (count == 0 || column + WIDTH > limit)
        return column;
    return canvas_printf(canvas, 0, column, limit - column, STYLE_BAD, " (%" PRIu32 "!)", count);
}

static int paint_counts(const struct fleet *fleet, struct canvas *canvas, int column, int limit)
{
    uint32_t pods = 0, loading = 0, broken = 0;
    for (int stage = 0; stage < STAGE_COUNT; stage++) {
        pods += fleet->by_stage[stage];
        loading += stage_is_loading((enum stage)stage) ? fleet->by_stage[stage] : 0;
        broken += stage_is_broken((enum stage)stage) ? fleet->by_stage[stage] : 0;
    }
    column =
        canvas_printf(canvas, 0, column, limit - column, STYLE_TEXT, "%" PRIu32 " pod%s", pods, pods == 1 ? "" : "s");
    bool narrow = limit < 60; /* then first what is wrong */
    if (narrow)
        column = paint_count(canvas, column, limit, STYLE_BAD, broken, "broken");
    if (!narrow)
        column = paint_count(canvas, column, limit, STYLE_TEXT, fleet->by_stage[STAGE_READY], "Ready");
    column = paint_count(canvas, column, limit, STYLE_WARN, loading, "loading");
    column = paint_trouble(fleet, canvas, column, limit);
    if (!narrow)
        column = paint_count(canvas, column, limit, STYLE_BAD, broken, "broken");
    column = paint_count(canvas, column, limit, STYLE_MUTED, fleet->by_stage[STAGE_TERMINATING], "terminating");
    uint32_t unknown = fleet->by_stage[STAGE_UNKNOWN] + fleet->by_stage[STAGE_UNREACHABLE];
    column = paint_count(canvas, column, limit, STYLE_UNKNOWN, unknown, "unknown");
    return paint_count(canvas, column, limit, STYLE_WARN,
                       fleet->pods_over > UINT32_MAX ? UINT32_MAX : (uint32_t)fleet->pods_over, "too many");
}

static void paint_header(const struct view_state *state, const struct fleet *fleet, int64_t now, struct canvas *canvas)
{
    int limit = state->header_columns, column = 1;
    if (limit >= 70)
        column = canvas_puts(canvas, 0, column, 11, STYLE_HEADER, "probetop") + 2;
    struct text title = {0};
    const char *slash =
        limit < 60 ? strrchr(text_str(&fleet->title), '/') : NULL; /* "prod-west/llm-d": the end matters */
    text_set_str(&title, slash ? slash + 1 : text_str(&fleet->title), TEXT_NAME);
    int room = limit >= 100 ? 32 : limit >= 60 ? 20 : 12;
    column = canvas_name(canvas, 0, column, room, STYLE_STRONG, &title) + (limit >= 60 ? 3 : 2);
    text_free(&title);
    column = paint_counts(fleet, canvas, column, limit);
    if (fleet->source >= SOURCE_LOST)
        column = canvas_printf(canvas, 0, column + 2, limit - column - 2, STYLE_WARN, "%s",
                               fleet->source == SOURCE_LOST     ? "source lost"
                               : fleet->source == SOURCE_DENIED ? "not permitted"
                                                                : "no cluster");
    if (!text_empty(&state->filter) || state->faults_only) {
        column = canvas_puts(canvas, 0, column + 2, limit - column - 2, STYLE_ACCENT,
                             state->faults_only  ? (limit - column >= 14 ? "faults only " : "! ")
                             : state->filter_not ? "/!"
                                                 : "/");
        column = canvas_text(canvas, 0, column, limit - column, STYLE_ACCENT, &state->filter);
    }
    char words[96];
    enum style style;
    tunnel_words(fleet, now, words, sizeof words, &style);
    int width = (int)strlen(words);
    if (column + 3 + width <= limit)
        canvas_right(canvas, 0, column, limit - column, style, words);
}

/* ---- rows ---- */

static void paint_heads(const struct view_state *state, const struct fleet_layout *layout, struct canvas *canvas)
{
    static const struct {
        const char *word;
        bool right;
        enum sort sort;
    } HEADS[FLEET_COLUMN_COUNT] = {
        [FLEET_NAME] = {"POD", false, SORT_NAME},      [FLEET_ROLE] = {"ROLE", false, SORT_ROLE},
        [FLEET_STAGE] = {"STAGE", false, SORT_STAGE},  [FLEET_FOR] = {"FOR", true, SORT_FOR},
        [FLEET_RESTARTS] = {"↻", true, SORT_RESTARTS}, [FLEET_LANES] = {"S L R", false, SORT_COUNT},
        [FLEET_NEXT] = {"NEXT", false, SORT_COUNT},    [FLEET_P50] = {"P50", true, SORT_COUNT},
        [FLEET_P99] = {"P99", true, SORT_P99},         [FLEET_TIMELINE] = {"", false, SORT_COUNT}};
    if (layout->heads < 0)
        return;
    for (int i = 0; i < FLEET_COLUMN_COUNT; i++) {
        const struct place *place = &layout->place[i];
        char words[32];
        bool sorted = state->sort != SORT_WORST && (int)HEADS[i].sort == state->sort;
        snprintf(words, sizeof words, "%s%s", HEADS[i].word, !sorted ? "" : state->sort_inverted ? "↑" : "↓");
        if (i == FLEET_TIMELINE)
            widget_cell_words(state->cell_us, words, sizeof words);
        else if (i == FLEET_NAME && state->order_held)
            snprintf(words, sizeof words, "POD ↕ order held");
        if (HEADS[i].right)
            canvas_right(canvas, layout->heads, place->column, place->width, sorted ? STYLE_ACCENT : STYLE_MUTED,
                         words);
        else
            canvas_puts(canvas, layout->heads, place->column, place->width, sorted ? STYLE_ACCENT : STYLE_MUTED, words);
    }
}

/* The stage's word or, where it does not fit, what is left of it that cannot be taken for another. */
static const char *stage_words(const struct pod *pod, int width)
{
    const char *word = pod->gone ? "gone" : stage_word(pod->stage);
    return pod->stage == STAGE_LOADED && !pod->gone && (int)strlen(word) > width ? "Loaded" : word;
}

static void paint_stage(const struct pod *pod, int64_t now, const struct place *place, struct canvas *canvas, int row)
{
    enum style style = widget_stage_style(pod, now);
    int end = place->column + place->width;
    int column = canvas_puts(canvas, row, place->column, place->width, style, stage_words(pod, place->width));
    column += place->width >= 18 && column + 2 + (int)pod->reason.cells <= end ? 2 : 1;
    if (column + 4 <= end && !pod->gone)
        canvas_text(canvas, row, column, end - column, style, &pod->reason);
}

static void paint_lanes(const struct pod *pod, int64_t now, const struct place *place, struct canvas *canvas, int row)
{
    for (int lane = LANE_STARTUP; lane <= LANE_READINESS && place->width > 0; lane++) {
        struct sign sign =
            pod->gone ? (struct sign){"·", STYLE_MUTED} : widget_lane_sign(pod, (enum lane_kind)lane, now);
        canvas_puts(canvas, row, place->column + 2 * lane, 1, sign.style, sign.glyph);
    }
}

static void paint_latency(const struct fleet *fleet, const struct pod *pod, int64_t now, const struct place *place,
                          int percent, struct canvas *canvas, int row)
{
    if (place->width == 0)
        return;
    const struct lane *lane = widget_traffic_lane(pod);
    char words[16];
    int64_t total = lane ? widget_percentile(&lane->history, percent, widget_floor(fleet, now, QUIET_STEP_US)) : -1;
    clock_latency(total, words, sizeof words);
    canvas_right(canvas, row, place->column, place->width, total < 0 ? STYLE_MUTED : STYLE_TEXT, words);
}

/* Whether the pod got worse a moment ago. */
static bool pod_rose(const struct pod *pod, int64_t now)
{
    uint32_t count = pod->spans.count;
    return count > 1 && stage_is_broken(pod->stage) && now - pod->stage_since < ROSE_US &&
           stage_rank(pod->stage) > stage_rank(pod->spans.list[count - 2].stage);
}

/* The role's name, or where it does not fit, a shorter one that cannot be taken for another. */
static const char *role_words(enum role role, int width)
{
    static const char *const SHORT[ROLE_COUNT] = {[ROLE_PREFILL_DECODE] = "p+d",
                                                  [ROLE_ENCODE_PREFILL] = "e+p",
                                                  [ROLE_ENCODE_DECODE] = "e+d",
                                                  [ROLE_ENCODE_PREFILL_DECODE] = "e+p+d",
                                                  [ROLE_STANDALONE] = "alone"};
    const char *name = role_name(role);
    return (int)strlen(name) > width && SHORT[role] ? SHORT[role] : name;
}

static void paint_row(const struct view_state *state, const struct fleet *fleet, const struct pod *pod, int64_t now,
                      const struct fleet_layout *layout, struct canvas *canvas, int row)
{
    const struct place *place = layout->place;
    enum style style = widget_stage_style(pod, now);
    char words[24];
    if (pod_rose(pod, now))
        canvas_puts(canvas, row, 2, 1, STYLE_ACCENT, "↑");
    else if (widget_in_trouble(pod))
        canvas_puts(canvas, row, 2, 1, STYLE_BAD, "!");
    canvas_puts(canvas, row, 1, 1, style, stage_glyph(pod->gone ? STAGE_TERMINATING : pod->stage, canvas->ascii));
    canvas_name(canvas, row, place[FLEET_NAME].column, place[FLEET_NAME].width,
                stage_is_broken(pod->stage) && !pod->gone ? STYLE_STRONG
                : pod->gone                               ? STYLE_MUTED
                                                          : STYLE_TEXT,
                &pod->facts.name);
    const char *role = role_words(pod->facts.role, place[FLEET_ROLE].width);
    canvas_puts(canvas, row, place[FLEET_ROLE].column, place[FLEET_ROLE].width, *role ? STYLE_TEXT : STYLE_MUTED,
                *role ? role : "–");
    paint_stage(pod, now, &place[FLEET_STAGE], canvas, row);
    widget_age(fleet, pod, pod->gone ? pod->gone_at : pod->stage_since, now, words, sizeof words);
    canvas_right(canvas, row, place[FLEET_FOR].column, place[FLEET_FOR].width, STYLE_TEXT, words);
    snprintf(words, sizeof words, "%" PRId32, pod->kills);
    canvas_right(canvas, row, place[FLEET_RESTARTS].column, place[FLEET_RESTARTS].width,
                 pod->kills == 0 ? STYLE_MUTED : STYLE_TEXT, words);
    paint_lanes(pod, now, &place[FLEET_LANES], canvas, row);
    struct next next;
    widget_next(fleet, pod, now, &next);
    widget_next_paint(&next, canvas, row, place[FLEET_NEXT].column, place[FLEET_NEXT].width);
    paint_latency(fleet, pod, now, &place[FLEET_P50], 50, canvas, row);
    paint_latency(fleet, pod, now, &place[FLEET_P99], 99, canvas, row);
    widget_timeline(canvas, row, place[FLEET_TIMELINE].column, place[FLEET_TIMELINE].width, fleet, pod, now,
                    state->cell_us);
    if (pod->facts.id == state->selected) {
        canvas_row_style(canvas, row, STYLE_SELECTED);
        canvas_puts(canvas, row, 0, 1, STYLE_ACCENT, ">");
    }
}

/* ---- hints ---- */

enum { HINTS_IN_PANE = 3 };

/* One paragraph with its label; returns the row after. */
static int paint_paragraph(struct canvas *canvas, int row, int end, int rows, const char *label, enum style style,
                           const struct text *text)
{
    bool narrow = canvas->columns < 60;
    int column = narrow ? 1 : 3, width = canvas->columns - 1;
    if (row >= end || text_empty(text))
        return row;
    canvas_puts(canvas, row, column, 6, STYLE_MUTED, label);
    column += narrow ? (int)strlen(label) + 1 : 6;
    return row + canvas_wrap(canvas, row, column, width - column, rows < end - row ? rows : end - row, style, text);
}

/* What the pane says first: the first hint's title, or what the pod is doing. With the pod's name before it where both fit in one row. Returns the row after. */
static int paint_headline(const struct pod *pod, const struct hints *hints, int rows, struct canvas *canvas, int row)
{
    const char *sure = hints->count > 0 ? confidence_name(hints->list[0].confidence) : "";
    const struct text *words = hints->count > 0 ? &hints->list[0].title : &hints->state;
    int confidence = (int)strlen(sure), column = 1;
    int end = canvas->columns - 1, words_end = end - (confidence ? confidence + 2 : 0);
    int name = (int)pod->facts.name.cells;
    if (column + name + 3 + (int)words->cells <= words_end) {
        column = canvas_name(canvas, row, column, name, STYLE_ACCENT, &pod->facts.name);
        column = canvas_puts(canvas, row, column, 3, STYLE_MUTED, " ─ ");
    }
    int width = words_end - column;
    canvas_right(canvas, row, end - confidence, confidence, STYLE_MUTED, sure);
    return row + canvas_wrap(canvas, row, column, width > 1 ? width : 1, rows,
                             hints->count > 0 ? STYLE_STRONG : STYLE_TEXT, words);
}

/* The second and third hint, a line each. */
static int paint_others(const struct hints *hints, struct canvas *canvas, int row, int end)
{
    struct text line = {0};
    for (uint32_t i = 1; i < hints->count && i < HINTS_IN_PANE; i++) {
        text_printf(&line, TEXT_LINE, "%s (%s)", text_str(&hints->list[i].title),
                    confidence_name(hints->list[i].confidence));
        row = paint_paragraph(canvas, row, end, 1, i == 1 ? "also" : "", STYLE_TEXT, &line);
    }
    text_free(&line);
    return row;
}

/* Why: what the first hint quotes, or where there is none what belongs to the state. */
static int paint_why(const struct fleet *fleet, const struct hints *hints, struct canvas *canvas, int row, int end)
{
    struct text line = {0};
    for (uint32_t i = 0; hints->count > 0 && i < hints->list[0].evidence_count; i++) {
        widget_evidence(fleet, &hints->list[0].evidence[i], &line);
        row = paint_paragraph(canvas, row, end, 2, i == 0 ? "why" : "", STYLE_TEXT, &line);
    }
    for (uint32_t i = 0; hints->count == 0 && i < hints->why_count; i++)
        row = paint_paragraph(canvas, row, end, 2, i == 0 ? "why" : "", STYLE_TEXT, &hints->why[i]);
    text_free(&line);
    return row;
}

/* Rows that a text takes as a paragraph, of at most `most`. */
static int paragraph_rows(const struct canvas *canvas, const struct text *text, int most)
{
    enum { LABELS = 9, MARGIN = 2 };
    int width = canvas->columns - LABELS - MARGIN;
    int rows = width > 0 ? ((int)text->cells + width - 1) / width : most;
    return rows > most ? most : rows;
}

/* What must not fall out stands at the end, and its rows are kept free: what mends it, what comes by itself, and what to run. Where there are few rows, what comes is left to the list's NEXT. */
static void paint_hints(const struct fleet *fleet, const struct pod *pod, int64_t now, const struct pane *pane,
                        struct canvas *canvas)
{
    enum { ROOMY = 6, ROOMIER = 9, TIGHT = 2 };
    static const struct text NONE;
    struct hints hints;
    struct text command = {0};
    int row = pane->row, end = pane->row + pane->rows;
    bool narrow = canvas->columns < 60, tight = pane->rows <= TIGHT, roomy = pane->rows >= ROOMY;
    if (!pod || pane->rows == 0)
        return;
    int64_t moment = widget_moment(fleet, pod, now);
    pod_hints(fleet, pod, moment, &hints);
    hints_command(&hints, pod, moment, &command);
    const struct text *fix = hints.count > 0 && hints.list[0].fix_count > 0 ? &hints.list[0].fixes[0] : &NONE;
    const struct text *next = roomy || text_empty(fix) ? &hints.next : &NONE;
    int most = roomy ? 2 : 1, others = roomy && hints.count > 1 ? (int)hints.count - 1 : 0;
    others = others < HINTS_IN_PANE ? others : HINTS_IN_PANE - 1;
    int does = paragraph_rows(canvas, &command, pane->rows >= ROOMIER ? 2 : 1);
    int below = does + paragraph_rows(canvas, next, 1), fixes = paragraph_rows(canvas, fix, most);
    row = paint_headline(pod, &hints, most, canvas, row);
    if (!tight)
        row = paint_why(fleet, &hints, canvas, row, end - below - fixes - others);
    row = paint_others(&hints, canvas, row, others > 0 ? end - below - fixes : row);
    if (!tight || does == 0) {
        row = paint_paragraph(canvas, row, end - below, 2, narrow ? "fix:" : "fix", STYLE_TEXT, fix);
        row = paint_paragraph(canvas, row, end - does, 2, narrow ? "next:" : "next", STYLE_TEXT, next);
    }
    paint_paragraph(canvas, row, end, 2, narrow ? "do:" : "do", STYLE_ACCENT, &command);
    text_free(&command);
    hints_free(&hints);
}

/* ---- what happened lately ---- */

static void paint_lately(const struct view_state *state, const struct fleet *fleet, int64_t now,
                         const struct pane *pane, struct canvas *canvas)
{
    enum { LINES_MAX = 64 };
    struct recent recent[LINES_MAX];
    int lines = pane->rows - 1;
    if (pane->rows == 0)
        return;
    const struct pod **pods = mem_array(state->order_count + 1, sizeof *pods);
    uint32_t count = 0;
    for (uint32_t i = 0; i < state->order_count; i++)
        if ((pods[count] = fleet_pod(fleet, state->order[i])))
            count++;
    count = (uint32_t)widget_recent(pods, count, now, recent, lines < LINES_MAX ? lines : LINES_MAX);
    mem_free(pods);
    int column = canvas_puts(canvas, pane->row, 1, canvas->columns - 2, STYLE_MUTED,
                             count > 0 || fleet->ended ? "LATELY" : "LATELY  nothing yet");
    if (fleet->ended) /* a story's last words */
        canvas_text(canvas, pane->row, column + 2, canvas->columns - 3 - column, STYLE_STRONG, &fleet->end_reason);
    for (uint32_t i = 0; i < count; i++)
        widget_recent_paint(canvas, pane->row + 1 + (int)i, fleet, &recent[i],
                            recent[i].pod->facts.id == state->selected);
}

/* ---- the view ---- */

static int longest_name(const struct view_state *state, const struct fleet *fleet)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < state->order_count; i++) {
        const struct pod *pod = fleet_pod(fleet, state->order[i]);
        if (pod && pod->facts.name.cells > most)
            most = pod->facts.name.cells;
    }
    return most > 253 ? 253 : (int)most;
}

static bool has_roles(const struct fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->count; i++) {
        enum role role = fleet->pods[i]->facts.role;
        if (!fleet->pods[i]->gone && *role_name(role) && role != ROLE_STANDALONE)
            return true;
    }
    return false;
}

static void paint_empty(const struct view_state *state, const struct fleet *fleet, struct canvas *canvas, int row)
{
    const char *words = "no pods yet";
    if (fleet->count > 0)
        words = state->faults_only ? "no pod needs a look; ! shows all" : "no pod matches the filter; Esc shows all";
    else if (state->back_in_time)
        words = "no pod had been seen by then";
    else if (fleet->source == SOURCE_STARTING)
        words = "looking for pods";
    else if (fleet->source == SOURCE_NONE_FOUND)
        words = "no pod of vLLM or llm-d is there yet; probetop goes on looking";
    else if (fleet->source == SOURCE_LOST)
        words = "the cluster cannot be reached";
    else if (fleet->source == SOURCE_DENIED)
        words = "the cluster does not permit it";
    else if (fleet->source == SOURCE_NO_CLUSTER)
        words = "kubectl leads to no cluster";
    else if (fleet->source == SOURCE_REFUSED)
        words = "the API server refuses the question";
    canvas_puts(canvas, row, 1, canvas->columns - 2, STYLE_MUTED, words);
    if (fleet->count == 0)
        canvas_wrap(canvas, row + 1, 1, canvas->columns - 2, canvas->rows - row - 2, STYLE_TEXT, &fleet->source_detail);
}

static void paint(struct view_state *state, const struct fleet *fleet, int64_t now, struct canvas *canvas)
{
    fleet_order(state, fleet, now);
    struct fleet_layout layout = layout_fleet(canvas->columns, canvas->rows, state->wide, has_roles(fleet),
                                              (int)state->order_count, longest_name(state, fleet));
    int selected = order_index(state, state->selected), rows = layout.list.rows, count = (int)state->order_count;
    state->body_rows = rows;
    if (selected < state->top)
        state->top = selected < 0 ? 0 : selected;
    if (rows > 0 && selected >= state->top + rows)
        state->top = selected - rows + 1;
    if (state->top > (count > rows ? count - rows : 0))
        state->top = count > rows ? count - rows : 0;
    paint_header(state, fleet, now, canvas);
    if (layout.rule) {
        char more[48];
        canvas_fill(canvas, 1, 1, canvas->columns - 2, STYLE_MUTED, "─");
        snprintf(more, sizeof more, " %d to %d of %d ", state->top + 1, state->top + rows, count);
        if (count > rows)
            canvas_right(canvas, 1, 1, canvas->columns - 4, STYLE_MUTED, more);
    }
    if (count == 0) {
        paint_empty(state, fleet, canvas, layout.list.row);
        return;
    }
    paint_heads(state, &layout, canvas);
    for (int i = 0; i < rows && state->top + i < count; i++) {
        const struct pod *pod = fleet_pod(fleet, state->order[state->top + i]);
        if (pod)
            paint_row(state, fleet, pod, now, &layout, canvas, layout.list.row + i);
    }
    paint_hints(fleet, fleet_pod(fleet, state->selected), now, &layout.hints, canvas);
    paint_lately(state, fleet, now, &layout.lately, canvas);
}

static int select_by(struct view_state *state, int64_t now, int by)
{
    int index = order_index(state, state->selected), count = (int)state->order_count;
    if (count == 0)
        return REACT_NOTHING;
    index = by < -count ? 0 : by > count ? count - 1 : index + by;
    index = index < 0 ? 0 : index >= count ? count - 1 : index;
    state->selected = state->order[index];
    state->chosen = true;
    state->moved_at = now;
    return REACT_PAINT;
}

static int resort(struct view_state *state)
{
    state->order_count = 0;
    state->top = 0;
    return REACT_PAINT;
}

static int act(struct view_state *state, const struct fleet *fleet, int64_t now, enum action action)
{
    enum { FAR = 1 << 20 };
    int page = state->body_rows > 1 ? state->body_rows : 1;
    if (state->order_count == 0)
        fleet_order(state, fleet, now);
    switch (action) {
    case ACTION_UP:
        return select_by(state, now, -1);
    case ACTION_DOWN:
        return select_by(state, now, 1);
    case ACTION_HALF_UP:
        return select_by(state, now, -(page + 1) / 2);
    case ACTION_HALF_DOWN:
        return select_by(state, now, (page + 1) / 2);
    case ACTION_PAGE_UP:
        return select_by(state, now, -page);
    case ACTION_PAGE_DOWN:
        return select_by(state, now, page);
    case ACTION_FIRST:
        return select_by(state, now, -FAR);
    case ACTION_LAST:
        return select_by(state, now, FAR);
    case ACTION_NEXT_POD:
        return select_by(state, now, 1);
    case ACTION_PREVIOUS_POD:
        return select_by(state, now, -1);
    case ACTION_FAULTS:
        state->faults_only = !state->faults_only;
        return resort(state);
    case ACTION_SORT:
        state->sort = (state->sort + 1) % SORT_COUNT;
        return resort(state);
    case ACTION_SORT_BACK:
        state->sort = (state->sort + SORT_COUNT - 1) % SORT_COUNT;
        return resort(state);
    case ACTION_INVERT:
        state->sort_inverted = !state->sort_inverted;
        return resort(state);
    case ACTION_WIDE:
        state->wide = !state->wide;
        return REACT_PAINT;
    default:
        return REACT_NOTHING;
    }
}

const struct view_ops view_fleet = {"fleet", IN_FLEET, paint, act};
