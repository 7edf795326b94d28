#include "report/report_forms.h"

#include "base/clock.h"
#include "base/mem.h"
#include "report/plain.h"

#include <stdlib.h>
#include <string.h>

/* ---- cells ---- */

/* The slowest lane's percentile; -1 with none. */
static int64_t latency_of(const struct pod *pod, double percentile)
{
    int64_t worst = -1;
    for (int l = 0; l < LANE_COUNT; l++) {
        int64_t latency = pod->lanes[l].present ? history_percentile(&pod->lanes[l].history, percentile) : -1;
        worst = latency > worst ? latency : worst;
    }
    return worst;
}

struct cell_view {
    const struct pod *pod;
    int64_t now;
    bool ascii;
};

static void cell_glyph(const struct cell_view *view, struct buf *out)
{
    buf_puts(out, stage_glyph(view->pod->stage, view->ascii));
}

static void cell_name(const struct cell_view *view, struct buf *out)
{
    report_plain(text_str(&view->pod->facts.name), view->ascii, out);
}

static void put_or_dash(struct buf *out, const char *utf8, bool ascii)
{
    report_plain(utf8[0] ? utf8 : "\u2013", ascii, out);
}

static void cell_namespace(const struct cell_view *view, struct buf *out)
{
    put_or_dash(out, text_str(&view->pod->facts.ns), view->ascii);
}

static void cell_role(const struct cell_view *view, struct buf *out)
{
    put_or_dash(out, role_name(view->pod->facts.role), view->ascii);
}

static void cell_stage(const struct cell_view *view, struct buf *out)
{
    buf_puts(out, stage_word(view->pod->stage));
    if (!text_empty(&view->pod->reason)) {
        buf_puts(out, "  ");
        report_plain(text_str(&view->pod->reason), view->ascii, out);
    }
}

static void cell_for(const struct cell_view *view, struct buf *out)
{
    char age[16];
    report_plain(clock_age(view->now - view->pod->stage_since, age, sizeof age), view->ascii, out);
}

static void cell_restarts(const struct cell_view *view, struct buf *out)
{
    buf_printf(out, "%d", report_restarts(view->pod));
}

static void put_mark(const struct cell_view *view, enum lane_kind kind, struct buf *out)
{
    static const char *const MARKS[OUTCOME_COUNT][2] = {[OUTCOME_UNKNOWN] = {"?", "?"},
                                                        [OUTCOME_OK] = {"\u2713", "+"},
                                                        [OUTCOME_WARN] = {"\u2713", "+"},
                                                        [OUTCOME_FAIL] = {"\u2717", "x"},
                                                        [OUTCOME_ERRORED] = {"!", "!"}};
    const struct lane *lane = &view->pod->lanes[kind];
    if (!lane->present)
        report_plain("\u2013", view->ascii, out);
    else if (kind == LANE_STARTUP && pod_view(view->pod).started) /* also where it was over before we came */
        buf_puts(out, MARKS[OUTCOME_OK][view->ascii]);
    else if (!report_lane_answered(lane))
        buf_puts(out, view->ascii ? "." : "\u00b7");
    else
        buf_puts(out, MARKS[lane->last.outcome][view->ascii]);
}

static void cell_startup(const struct cell_view *view, struct buf *out)
{
    put_mark(view, LANE_STARTUP, out);
}

static void cell_liveness(const struct cell_view *view, struct buf *out)
{
    put_mark(view, LANE_LIVENESS, out);
}

static void cell_readiness(const struct cell_view *view, struct buf *out)
{
    put_mark(view, LANE_READINESS, out);
}

static void cell_health(const struct cell_view *view, struct buf *out)
{
    put_mark(view, LANE_HEALTH, out);
}

static void cell_models(const struct cell_view *view, struct buf *out)
{
    put_mark(view, LANE_MODELS, out);
}

/* The start-up budget while it runs, else the streak that matters most; a consequence, not a count. */
static void cell_next(const struct cell_view *view, struct buf *out)
{
    static const char *const LEADS[] = {[CONSEQUENCE_NONE] = "",
                                        [CONSEQUENCE_RESTART] = "restart",
                                        [CONSEQUENCE_NOT_READY] = "NotReady",
                                        [CONSEQUENCE_READY] = "Ready",
                                        [CONSEQUENCE_STARTED] = "started"};
    enum lane_kind lane = LANE_STARTUP;
    char age[16];
    struct budget budget = pod_budget(view->pod, view->now);
    struct forecast next = pod_next(view->pod, view->now, &lane);
    if (budget.applies) {
        bool overdue = budget.left < 0;
        clock_age(overdue ? -budget.left : budget.left, age, sizeof age);
        buf_printf(out, "start-up %d/%d, %s%s %s", budget.count, budget.threshold, budget.guess ? "~" : "", age,
                   overdue ? "overdue" : "left");
    } else if (next.consequence != CONSEQUENCE_NONE) {
        buf_printf(out, "%s %d/%d, %s", lane_name(lane), next.count, next.threshold, LEADS[next.consequence]);
        if (next.at >= view->now)
            buf_printf(out, " in %s", clock_age(next.at - view->now, age, sizeof age));
    }
}

static void put_latency(const struct cell_view *view, double percentile, struct buf *out)
{
    char latency[16];
    report_plain(clock_latency(latency_of(view->pod, percentile), latency, sizeof latency), view->ascii, out);
}

static void cell_p50(const struct cell_view *view, struct buf *out)
{
    put_latency(view, 50, out);
}

static void cell_p99(const struct cell_view *view, struct buf *out)
{
    put_latency(view, 99, out);
}

static void cell_address(const struct cell_view *view, struct buf *out)
{
    put_or_dash(out, text_str(&view->pod->facts.address), view->ascii);
}

static void cell_answered(const struct cell_view *view, struct buf *out)
{
    enum answerer answerer = view->pod->answered_by[0];
    put_or_dash(out, answerer == ANSWERER_NOBODY ? "" : answerer_name(answerer), view->ascii);
}

static void cell_model(const struct cell_view *view, struct buf *out)
{
    const struct pod *pod = view->pod;
    if (pod->model_count <= 0)
        put_or_dash(out, "", view->ascii);
    for (int32_t i = 0; i < pod->model_count; i++) {
        buf_puts(out, i == 0 ? "" : ",");
        report_plain(text_str(&pod->models[i]), view->ascii, out);
    }
}

/* ---- the table ---- */

struct column {
    const char *title;
    bool wide_only, right;
    void (*cell)(const struct cell_view *view, struct buf *out);
};
static const struct column COLUMNS[] = {
    {"", false, false, cell_glyph},
    {"POD", false, false, cell_name},
    {"NAMESPACE", true, false, cell_namespace},
    {"ROLE", false, false, cell_role},
    {"STAGE", false, false, cell_stage},
    {"FOR", false, true, cell_for},
    {"RESTARTS", false, true, cell_restarts},
    {"S", false, false, cell_startup},
    {"L", false, false, cell_liveness},
    {"R", false, false, cell_readiness},
    {"h", true, false, cell_health},
    {"m", true, false, cell_models},
    {"NEXT", false, false, cell_next},
    {"P50", true, true, cell_p50},
    {"P99", false, true, cell_p99},
    {"ANSWERED BY", true, false, cell_answered},
    {"ADDRESS", true, false, cell_address},
    {"MODELS", true, false, cell_model},
};
enum { COLUMN_COUNT = sizeof COLUMNS / sizeof COLUMNS[0], CELL_MAX = 2048 };

struct ranked {
    const struct pod *pod;
    int32_t severity;
    uint32_t order;
};

static int ranked_compare(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->severity != y->severity)
        return x->severity > y->severity ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* The pods that are there, worst first. mem_free() it. */
static struct ranked *ranked_new(const struct fleet *fleet, int64_t now, uint32_t *count)
{
    struct ranked *list = mem_array(fleet->count + 1, sizeof *list);
    *count = 0;
    for (uint32_t i = 0; i < fleet->count; i++)
        if (!fleet->pods[i]->gone)
            list[(*count)++] = (struct ranked){fleet->pods[i], pod_severity(fleet->pods[i], now), i};
    qsort(list, *count, sizeof *list, ranked_compare);
    return list;
}

/* `owed`: blanks between this cell and the one before; not written after the last cell of a line. */
static void put_padded(struct buf *out, const struct buf *cell, size_t width, bool right, size_t *owed)
{
    size_t columns = text_columns(buf_str(cell), cell->len), blanks = width > columns ? width - columns : 0;
    if (cell->len == 0) {
        *owed += width;
        return;
    }
    for (*owed += right ? blanks : 0; *owed > 0; (*owed)--)
        buf_putc(out, ' ');
    buf_puts(out, buf_str(cell));
    *owed = right ? 0 : blanks;
}

static void table_write(const struct ranked *list, uint32_t count, int64_t now, bool wide, bool ascii, struct buf *out)
{
    size_t width[COLUMN_COUNT];
    struct buf cell;
    buf_init(&cell, CELL_MAX);
    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        width[c] = strlen(COLUMNS[c].title);
        for (uint32_t i = 0; i < count; i++) {
            buf_clear(&cell);
            COLUMNS[c].cell(&(struct cell_view){list[i].pod, now, ascii}, &cell);
            size_t columns = text_columns(buf_str(&cell), cell.len);
            width[c] = columns > width[c] ? columns : width[c];
        }
    }
    for (uint32_t row = 0; row <= count; row++) { /* row 0: the titles */
        size_t owed = 0;
        for (size_t c = 0; c < COLUMN_COUNT; c++) {
            if (COLUMNS[c].wide_only && !wide)
                continue;
            buf_clear(&cell);
            if (row == 0)
                buf_puts(&cell, COLUMNS[c].title);
            else
                COLUMNS[c].cell(&(struct cell_view){list[row - 1].pod, now, ascii}, &cell);
            put_padded(out, &cell, width[c], COLUMNS[c].right, &owed);
            owed += COLUMNS[c].title[0] ? 2 : 1;
        }
        buf_putc(out, '\n');
    }
    buf_free(&cell);
}

/* Below the table, of every pod that somebody should look at. */
static void put_hints(const struct fleet *fleet, const struct pod *pod, int64_t now, bool ascii, struct buf *out)
{
    struct hints hints;
    struct text command = {0};
    pod_hints(fleet, pod, now, &hints);
    if (hints_command(&hints, pod, now, &command) || hints.count > 0 || pod_is_unwell(pod, now)) {
        buf_putc(out, '\n');
        report_plain(text_str(&pod->facts.name), ascii, out);
        buf_puts(out, ": ");
        report_hints(pod, &hints, now, ascii, out);
    }
    text_free(&command);
    hints_free(&hints);
}

void report_table(const struct fleet *fleet, int64_t now, bool wide, bool ascii, struct buf *out)
{
    uint32_t count;
    struct ranked *list = ranked_new(fleet, now, &count);
    if (count > 0) /* titles alone say nothing; standard error says what was looked for */
        table_write(list, count, now, wide, ascii, out);
    for (uint32_t i = 0; i < count; i++)
        put_hints(fleet, list[i].pod, now, ascii, out);
    mem_free(list);
}
