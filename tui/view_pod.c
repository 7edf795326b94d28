/* One pod: what to do, its stages over time, its lanes, what its probes took, its last failing answer, and what happened. One page that scrolls. */
#include "tui/scroller.h"
#include "tui/widget.h"

#include "model/lint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What the blocks of the page share. Each block paints from `row` on and returns the row after it. */
struct page {
    const struct view_state *state;
    const struct fleet *fleet;
    const struct pod *pod;
    int64_t now;
    struct canvas *canvas;
    int64_t moment;            /* at which what is said of the pod is true: widget_moment() */
    const struct hints *hints; /* of that moment */
};

enum { LABEL_COLUMN = 1, LABEL_WIDTH = 13, LABEL_SIZE = 24 };

static int block_title(const struct page *page, int row, const char *title, const char *note)
{
    int column = canvas_puts(page->canvas, row, LABEL_COLUMN, page->canvas->columns - 1, STYLE_STRONG, title);
    canvas_puts(page->canvas, row, column + 2, page->canvas->columns - column - 3, STYLE_MUTED, note);
    return row + 1;
}

/* ---- what it is, and what to do ---- */

enum { INDENT = 6 };

/* A text with its label before it, or none. Returns the row after. */
static int paragraph(const struct page *page, int row, const char *label, enum style style, const struct text *text)
{
    enum { ROWS = 6 };
    if (text_empty(text))
        return row;
    canvas_puts(page->canvas, row, LABEL_COLUMN, INDENT, STYLE_MUTED, label);
    int column = LABEL_COLUMN + INDENT, width = page->canvas->columns - column - 1;
    return row + canvas_wrap(page->canvas, row, column, width > 1 ? width : 1, ROWS, style, text);
}

static int texts(const struct page *page, int row, const char *label, enum style style, const struct text *list,
                 uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        row = paragraph(page, row, i == 0 ? label : "", style, &list[i]);
    return row;
}

/* A sentence, and at the right how sure it is. */
static int headline(const struct page *page, int row, enum style style, const struct text *words, const char *sure)
{
    int end = page->canvas->columns - 1, confidence = (int)strlen(sure);
    int width = end - LABEL_COLUMN - (confidence > 0 ? confidence + 2 : 0);
    canvas_right(page->canvas, row, end - confidence, confidence, STYLE_MUTED, sure);
    return row + canvas_wrap(page->canvas, row, LABEL_COLUMN, width > 1 ? width : 1, 3, style, words);
}

static int evidence(const struct page *page, int row, const struct hint *hint, uint32_t most)
{
    struct text line = {0};
    for (uint32_t i = 0; i < hint->evidence_count && i < most; i++) {
        widget_evidence(page->fleet, &hint->evidence[i], &line);
        row = paragraph(page, row, i == 0 ? "why" : "", STYLE_TEXT, &line);
    }
    text_free(&line);
    return row;
}

/* In short: the first hint with the most of its evidence and what mends it, the others in a line each, what the pod is doing, what comes next, and what to run. */
static int block_summary(const struct page *page, int row)
{
    const struct hints *hints = page->hints;
    const uint32_t shown = page->canvas->columns < 60 ? 1 : 3;
    struct text words = {0};
    if (hints->count == 0) {
        row = headline(page, row, STYLE_TEXT, &hints->state, "");
    } else {
        row = headline(page, row, STYLE_STRONG, &hints->list[0].title, confidence_name(hints->list[0].confidence));
        row = evidence(page, row, &hints->list[0], shown);
        row = texts(page, row, "fix", STYLE_TEXT, hints->list[0].fixes, hints->list[0].fix_count > 0);
        for (uint32_t i = 1; i < hints->count; i++) {
            text_printf(&words, TEXT_LINE, "%s (%s)", text_str(&hints->list[i].title),
                        confidence_name(hints->list[i].confidence));
            row = paragraph(page, row, i == 1 ? "also" : "", STYLE_TEXT, &words);
        }
        if (page->pod->stage != STAGE_DEGRADED) /* the header says that */
            row = paragraph(page, row, "now", STYLE_TEXT, &hints->state);
    }
    row = texts(page, row, hints->count == 0 ? "why" : "", STYLE_TEXT, hints->why, hints->why_count);
    row = paragraph(page, row, "next", STYLE_TEXT, &hints->next);
    hints_command(hints, page->pod, page->moment, &words);
    row = paragraph(page, row, "do", STYLE_ACCENT, &words);
    text_free(&words);
    return row + 1;
}

/* YAML keeps its lines. */
static int patch(const struct page *page, int row, const struct text *yaml)
{
    struct text line = {0};
    const char *at = text_str(yaml);
    for (bool first = true; *at; first = false) {
        size_t length = strcspn(at, "\n");
        text_set(&line, at, length, TEXT_LINE);
        canvas_puts(page->canvas, row, LABEL_COLUMN, INDENT, STYLE_MUTED, first ? "yaml" : "");
        canvas_text(page->canvas, row, LABEL_COLUMN + INDENT, page->canvas->columns - LABEL_COLUMN - INDENT - 1,
                    STYLE_TEXT, &line);
        at += length + (at[length] == '\n');
        row++;
    }
    text_free(&line);
    return row;
}

/* All of them in full: what each means, all that is quoted, every way to mend it, and every command. */
static int block_hints(const struct page *page, int row)
{
    const struct hints *hints = page->hints;
    struct text meaning = {0};
    if (hints->count == 0)
        return row;
    row = block_title(page, row, "HINTS", "what each is, why, and what mends it");
    for (uint32_t i = 0; i < hints->count; i++) {
        const struct hint *hint = &hints->list[i];
        row = headline(page, row, STYLE_STRONG, &hint->title, confidence_name(hint->confidence));
        text_set_str(&meaning, cause_info(hint->cause)->meaning, TEXT_LINE);
        row = paragraph(page, row, "what", STYLE_TEXT, &meaning);
        row = evidence(page, row, hint, HINT_EVIDENCE_MAX);
        row = texts(page, row, "fix", STYLE_TEXT, hint->fixes, hint->fix_count);
        row = patch(page, row, &hint->patch);
        row = texts(page, row, "do", STYLE_ACCENT, hint->commands, hint->command_count) + 1;
    }
    text_free(&meaning);
    return row;
}

/* What about its probes will hurt one day, by what was measured. */
static int block_lint(const struct page *page, int row)
{
    struct lint lint;
    struct text words = {0};
    const struct lint_measured measured = lint_measured_of(page->fleet, page->pod);
    lint_pod(&page->pod->facts, &measured, &lint);
    for (uint32_t i = 0; i < lint.count; i++) {
        const struct lint_finding *finding = &lint.list[i];
        text_printf(&words, TEXT_LINE, "%s: %s", text_str(&finding->field), text_str(&finding->reason));
        row = paragraph(page, row, "lint:", finding->serious ? STYLE_WARN : STYLE_TEXT, &words);
    }
    row += lint.count > 0;
    text_free(&words);
    lint_free(&lint);
    return row;
}

/* ---- stages ---- */

/* While loading, from the run's beginning to the end of its budget: one picture that only fills. Otherwise the last cells of the timeline, as in the fleet view. */
static struct axis stages_axis(const struct page *page, const struct budget *budget, int cells)
{
    const struct pod *pod = page->pod;
    struct axis axis = {0, page->state->cell_us, cells > 1 ? cells : 1};
    if (budget->applies && budget->deadline > budget->start) {
        int64_t from = budget->start, span = budget->deadline - from;
        for (uint32_t i = 0; i < pod->spans.count;
             i++) /* Pending and Creating of this run too, unless they were long */
            if (pod->spans.list[i].run == pod->run && pod->spans.list[i].began < from &&
                from - pod->spans.list[i].began < span / 2)
                from = pod->spans.list[i].began;
        axis.from = from;
        axis.cell = (budget->deadline - from) / (axis.cells > 4 ? axis.cells - 3 : 1) + 1;
        return axis;
    }
    int note = cells >= 100 ? 24 : cells >= 60 ? 16 : 0; /* room for the words after the last cell */
    axis.cells -= note;
    axis.from = widget_floor(page->fleet, page->now, axis.cell) - (axis.cells - 1) * axis.cell;
    int64_t first = pod->spans.count > 0 ? widget_floor(page->fleet, pod->spans.list[0].began, axis.cell) : axis.from;
    if (first > axis.from)
        axis.from = first;
    return axis;
}

static void axis_labels(const struct page *page, const struct axis *axis, const struct budget *budget, int row,
                        int column)
{
    char words[64], time[32];
    bool seconds = axis->cell < 6 * SECOND_US;
    int step = seconds ? 16 : 12;
    int kill = budget->applies ? widget_axis_cell(axis, budget->deadline) : axis->cells;
    int labels_end = axis->cells;
    if (budget->applies) {
        clock_format(fleet_wall(page->fleet, budget->deadline), CLOCK_HMS, time, sizeof time);
        snprintf(words, sizeof words, "%s at %s%s", page->pod->facts.kubelet ? "killed" : "would be killed",
                 budget->guess ? "~" : "", time);
        int width = (int)strlen(words);
        int at = kill + 1 - width;
        labels_end = at > 0 ? at - 1 : 0;
        canvas_puts(page->canvas, row, column + (at > 0 ? at : 0), axis->cells + 2, STYLE_BAD, words);
    }
    for (int cell = 0; cell + (seconds ? 8 : 5) < labels_end; cell += step) {
        clock_format(fleet_wall(page->fleet, axis->from + cell * axis->cell), seconds ? CLOCK_HMS : CLOCK_HM, time,
                     sizeof time);
        canvas_puts(page->canvas, row, column + cell, 8, STYLE_MUTED, time);
    }
}

/* How long the pod was in this stage in this run, and what is to be said of it now. */
static void stage_note(const struct page *page, enum stage stage, int row, int column)
{
    int64_t spent = 0;
    char words[24];
    const struct pod *pod = page->pod;
    int room = page->canvas->columns - column - 1;
    for (uint32_t i = 0; i < pod->spans.count; i++) {
        const struct span *span = &pod->spans.list[i];
        if (span->stage == stage && span->run == pod->run)
            spent += (span->ended < 0 ? page->now : span->ended) - span->began;
    }
    if (spent < SECOND_US && stage != pod->stage) /* a moment, or it was in an earlier run */
        return;
    if (stage == pod->stage)
        widget_age(page->fleet, pod, page->now - spent, page->now, words, sizeof words);
    else
        clock_age(spent, words, sizeof words);
    if ((int)strlen(words) > room) /* half a number would be another one */
        return;
    column = canvas_puts(page->canvas, row, column, room, STYLE_MUTED, words);
    if (stage == pod->stage && !text_empty(&pod->reason) && room > 12)
        canvas_text(page->canvas, row, column + 2, page->canvas->columns - column - 3, STYLE_TEXT, &pod->reason);
}

static int stage_row(const struct page *page, const struct axis *axis, const struct budget *budget, enum stage stage,
                     int row)
{
    int column = LABEL_COLUMN + LABEL_WIDTH;
    struct canvas *canvas = page->canvas;
    bool present = stage == page->pod->stage;
    int kill = budget->applies ? column + widget_axis_cell(axis, budget->deadline) : -1;
    canvas_puts(canvas, row, LABEL_COLUMN, LABEL_WIDTH - 1,
                present ? widget_stage_style(page->pod, page->now) : STYLE_MUTED, stage_word(stage));
    if (kill >= 0) /* under what is said about the stage */
        canvas_puts(canvas, row, kill, 1, STYLE_BAD, "┊");
    int after = widget_gantt(canvas, row, column, axis, page->pod, stage, page->now);
    int64_t done_at = -1;
    if (present && after >= 0)
        pod_in_time(page->pod, page->now, &done_at);
    if (done_at > page->now) {
        int end = column + widget_axis_cell(axis, done_at) + 1;
        end = end > column + axis->cells ? column + axis->cells : end;
        if (end > after) {
            canvas_fill(canvas, row, after, end - after, STYLE_ESTIMATE, "┄");
            after = end;
        }
    }
    if (after >= 0)
        stage_note(page, stage, row, after + 1);
    return row + 1;
}

static bool stage_was_seen(const struct pod *pod, enum stage stage, const struct axis *axis)
{
    for (uint32_t i = 0; i < pod->spans.count; i++)
        if (pod->spans.list[i].stage == stage &&
            (pod->spans.list[i].ended < 0 || pod->spans.list[i].ended >= axis->from))
            return true;
    return false;
}

/* The sub-stage the log is in now: "shards 41/163 25 % · silent for 0:40". */
static void substage_now(const struct page *page, enum substage now, struct buf *out)
{
    const struct progress *progress = &page->pod->progress;
    char span[16];
    buf_puts(out, substage_word(now));
    if (progress->total > 0)
        buf_printf(out, " %" PRId32 "/%" PRId32, progress->done, progress->total);
    int32_t percent = progress_percent(progress);
    if (percent >= 0)
        buf_printf(out, " %" PRId32 " %%", percent);
    int64_t silence = progress_silence(progress, page->now);
    if (stage_is_loading(page->pod->stage) && silence >= 15 * (int64_t)SECOND_US)
        buf_printf(out, " · silent for %s", clock_age(silence, span, sizeof span));
}

/* Sub-stages of start-up as the log told them, with how long each took: "download 2:40 · shards 41/163 25 %". Where they do not fit the first ones leave. */
static int substages(const struct page *page, int row)
{
    enum { WORDS_MAX = 1024 };
    const struct progress *progress = &page->pod->progress;
    struct canvas *canvas = page->canvas;
    int column = LABEL_COLUMN + LABEL_WIDTH, room = canvas->columns - 1 - column;
    int64_t entered = 0;
    enum substage before = SUBSTAGE_NONE;
    struct buf words, now;
    if (progress->furthest == SUBSTAGE_NONE)
        return row;
    buf_init(&words, WORDS_MAX);
    buf_init(&now, WORDS_MAX);
    for (int i = SUBSTAGE_PYTHON; i < SUBSTAGE_COUNT; i++) {
        char span[16];
        if (progress->entered[i] == 0)
            continue;
        if (before != SUBSTAGE_NONE && progress->entered[i] - entered >= SECOND_US)
            buf_printf(&words, "%s %s · ", substage_word(before),
                       clock_age(progress->entered[i] - entered, span, sizeof span));
        before = (enum substage)i;
        entered = progress->entered[i];
    }
    substage_now(page, before, &now);
    room -= (int)text_columns(buf_str(&now), now.len);
    const char *shown = buf_str(&words);
    for (const char *next = shown; next && (int)text_columns(shown, strlen(shown)) > room;) {
        next = strstr(shown, " · ");
        shown = next ? next + strlen(" · ") : "";
    }
    canvas_puts(canvas, row, LABEL_COLUMN, LABEL_WIDTH - 1, STYLE_MUTED, "log");
    column = canvas_puts(canvas, row, column, canvas->columns - 1 - column, STYLE_MUTED, shown);
    canvas_puts(canvas, row, column, canvas->columns - 1 - column, STYLE_TEXT, buf_str(&now));
    buf_free(&words);
    buf_free(&now);
    return row + 1;
}

static int block_stages(const struct page *page, int row)
{
    struct budget budget = pod_budget(page->pod, page->now);
    int column = LABEL_COLUMN + LABEL_WIDTH;
    struct axis axis = stages_axis(page, &budget, page->canvas->columns - column - 1);
    char cell[32];
    block_title(page, row, "STAGES", "");
    if (page->canvas->columns >= 60)
        axis_labels(page, &axis, &budget, row, column);
    else
        canvas_puts(page->canvas, row, column, page->canvas->columns - column - 1, STYLE_MUTED,
                    widget_cell_words(axis.cell, cell, sizeof cell));
    row++;
    for (int stage = STAGE_PENDING; stage <= STAGE_UNREACHABLE; stage++) {
        bool ladder = stage_is_loading(page->pod->stage) && stage >= STAGE_RUNNING && stage <= STAGE_READY;
        if (stage == STAGE_API_UP && page->pod->api_and_loaded_together)
            ladder = false; /* one moment with Model loaded on a port that is vLLM's own */
        if (ladder || stage_was_seen(page->pod, (enum stage)stage, &axis))
            row = stage_row(page, &axis, &budget, (enum stage)stage, row);
    }
    return substages(page, row) + 1;
}

/* ---- lanes ---- */

static void lane_streak(const struct page *page, enum lane_kind kind, const struct place *place, int row)
{
    const struct lane *lane = &page->pod->lanes[kind];
    struct canvas *canvas = page->canvas;
    enum gate gate = pod_gate(page->pod, kind, page->now);
    struct budget budget = pod_budget(page->pod, page->now);
    struct next next;
    char left[16];
    widget_streak(page->pod, kind, page->now, &next);
    if (kind == LANE_STARTUP && budget.applies && budget.left < 0)
        canvas_printf(canvas, row, place->column, place->width, STYLE_BAD, "%" PRId32 "/%" PRId32 "  used up",
                      budget.count, budget.threshold);
    else if (kind == LANE_STARTUP && budget.applies)
        canvas_printf(canvas, row, place->column, place->width,
                      pod_in_time(page->pod, page->now, NULL) == TRI_FALSE ? STYLE_BAD : STYLE_TEXT,
                      "%" PRId32 "/%" PRId32 "  %s%s left", budget.count, budget.threshold, budget.guess ? "~" : "",
                      clock_age(budget.left, left, sizeof left));
    else if (next.count > 1) {
        /* the lane's name stands in the row already */
        memmove(next.forms, next.forms + 1, sizeof *next.forms * (size_t)(next.count - 1));
        next.count--;
        widget_next_paint(&next, canvas, row, place->column, place->width);
    } else if (gate != GATE_SEND)
        canvas_puts(canvas, row, place->column, place->width, STYLE_MUTED,
                    widget_lane_done(page->pod, kind) ? "done" : gate_sentence(gate));
    else if (lane->streak > 0)
        canvas_printf(canvas, row, place->column, place->width,
                      lane->streak_failing ? (lane_is_kubelets(kind) ? STYLE_BAD : STYLE_WARN) : STYLE_TEXT,
                      "%" PRId32 " %s", lane->streak, lane->streak_failing ? "failed in a row" : "in a row");
    else
        canvas_puts(canvas, row, place->column, place->width, STYLE_MUTED, "–");
}

static void lane_last(const struct page *page, const struct lane *lane, const struct place *place, int row)
{
    const struct sample *last = &lane->last;
    int column = place->column, end = place->column + place->width;
    char words[16];
    if (place->width == 0 || last->sent < 0)
        return;
    enum style style = last->outcome == OUTCOME_FAIL      ? STYLE_BAD
                       : last->outcome == OUTCOME_UNKNOWN ? STYLE_UNKNOWN
                       : last->outcome == OUTCOME_OK      ? STYLE_TEXT
                                                          : STYLE_WARN;
    char cause[32];
    const char *sentence = last->cause == PROBE_CAUSE_STATUS ? "" : probe_cause_sentence(last->cause);
    if ((int)text_columns(sentence, strlen(sentence)) + 4 > end - column)
        sentence = cause_words(last->cause, last->status, cause, sizeof cause);
    if (last->status > 0 && !(sentence[0] >= '0' && sentence[0] <= '9')) /* some sentences begin with it */
        column = canvas_printf(page->canvas, row, column, end - column, style, "%" PRId32 " ", last->status);
    if (last->status > 0 && last->total >= 0 && last->cause == PROBE_CAUSE_NONE)
        column = canvas_printf(page->canvas, row, column, end - column, STYLE_TEXT, "in %s",
                               clock_latency(last->total, words, sizeof words));
    if (last->cause != PROBE_CAUSE_NONE)
        canvas_puts(page->canvas, row, column, end - column, style, sentence);
    else if (!text_empty(&last->detail) && end - column > 6)
        canvas_text(page->canvas, row, column + 1, end - column - 1, STYLE_MUTED, &last->detail);
}

static void lane_row(const struct page *page, enum lane_kind kind, const struct lane_layout *layout, int row)
{
    const struct lane *lane = &page->pod->lanes[kind];
    const struct probe_spec *spec = &page->pod->facts.probes[kind];
    const struct place *place = layout->place;
    struct canvas *canvas = page->canvas;
    canvas_puts(canvas, row, place[LANE_COLUMN_NAME].column, place[LANE_COLUMN_NAME].width, STYLE_TEXT,
                lane_name(lane_base(kind))); /* the sidecar's stand under its name */
    if (!lane->present) {
        canvas_puts(canvas, row, place[LANE_COLUMN_STREAK].column, place[LANE_COLUMN_STREAK].width, STYLE_MUTED,
                    "not set");
        return;
    }
    struct text target = {0};
    probe_spec_describe(spec, &target);
    canvas_text(canvas, row, place[LANE_COLUMN_SPEC].column, place[LANE_COLUMN_SPEC].width, STYLE_MUTED, &target);
    text_free(&target);
    if (lane_is_kubelets(kind))
        canvas_printf(canvas, row, place[LANE_COLUMN_THRESHOLD].column, place[LANE_COLUMN_THRESHOLD].width, STYLE_MUTED,
                      "%" PRId32 "×%" PRId32 "s", spec->failure_threshold, spec->period);
    else
        canvas_puts(canvas, row, place[LANE_COLUMN_THRESHOLD].column, place[LANE_COLUMN_THRESHOLD].width, STYLE_MUTED,
                    "(witness)");
    lane_streak(page, kind, &place[LANE_COLUMN_STREAK], row);
    lane_last(page, lane, &place[LANE_COLUMN_LAST], row);
    if (lane->last.sent >= 0 && lane->last.answerer != ANSWERER_NOBODY)
        canvas_puts(canvas, row, place[LANE_COLUMN_WHO].column, place[LANE_COLUMN_WHO].width, STYLE_TEXT,
                    answerer_name(lane->last.answerer));
    widget_beats(canvas, row, place[LANE_COLUMN_BEATS].column, place[LANE_COLUMN_BEATS].width, lane);
}

/* The lanes of the sidecar's own probes, where it has any. */
static int block_sidecar(const struct page *page, const struct lane_layout *layout, int row)
{
    const struct container_facts *sidecar = &page->pod->facts.sidecar;
    bool titled = false;
    for (int kind = LANE_SERVING_COUNT; kind < LANE_COUNT; kind++) {
        if (!page->pod->lanes[kind].present)
            continue;
        if (!titled) {
            int column =
                canvas_puts(page->canvas, row, LABEL_COLUMN, page->canvas->columns - 2, STYLE_MUTED, "sidecar ");
            column =
                canvas_text(page->canvas, row, column, page->canvas->columns - column - 1, STYLE_TEXT, &sidecar->name);
            if (sidecar->restart_count > 0)
                canvas_printf(page->canvas, row, column, page->canvas->columns - column - 1, STYLE_MUTED,
                              ", restarts %" PRId32, sidecar->restart_count);
            row++;
            titled = true;
        }
        lane_row(page, (enum lane_kind)kind, layout, row++);
    }
    return row;
}

static int block_lanes(const struct page *page, int row)
{
    static const char *const HEADS[LANE_COLUMN_COUNT] = {
        [LANE_COLUMN_NAME] = "LANES",      [LANE_COLUMN_SPEC] = "asks", [LANE_COLUMN_THRESHOLD] = "fails at",
        [LANE_COLUMN_STREAK] = "streak",   [LANE_COLUMN_LAST] = "last", [LANE_COLUMN_WHO] = "by",
        [LANE_COLUMN_BEATS] = "time/limit"};
    struct lane_layout layout = layout_lanes(page->canvas->columns);
    for (int i = 0; i < LANE_COLUMN_COUNT; i++)
        canvas_puts(page->canvas, row, layout.place[i].column, layout.place[i].width,
                    i == LANE_COLUMN_NAME ? STYLE_STRONG : STYLE_MUTED, HEADS[i]);
    row++;
    for (int kind = 0; kind < LANE_SERVING_COUNT; kind++)
        if (lane_is_kubelets((enum lane_kind)kind) || page->pod->lanes[kind].present)
            lane_row(page, (enum lane_kind)kind, &layout, row++);
    return block_sidecar(page, &layout, row) + 1;
}

/* ---- latencies ---- */

/* "+readiness": the sidecar's, where nothing else says so. */
static const char *lane_label(enum lane_kind kind, char out[LABEL_SIZE])
{
    snprintf(out, LABEL_SIZE, "%s%s", lane_is_sidecars(kind) ? "+" : "", lane_name(lane_base(kind)));
    return out;
}

static int latency_row(const struct page *page, enum lane_kind kind, int row)
{
    enum { WIDTH = 8, FIRST = 12, LIMIT = 3 };
    const struct lane *lane = &page->pod->lanes[kind];
    const struct sample *last = &lane->last;
    int64_t until = widget_floor(page->fleet, page->now, QUIET_STEP_US);
    const int64_t values[] = {last->total,
                              widget_percentile(&lane->history, 50, until),
                              widget_percentile(&lane->history, 99, until),
                              (int64_t)page->pod->facts.probes[kind].timeout * SECOND_US,
                              last->dns,
                              last->connect,
                              last->tls,
                              last->first_byte,
                              last->tunnel};
    char words[16], label[LABEL_SIZE];
    canvas_puts(page->canvas, row, LABEL_COLUMN, FIRST - 1, STYLE_TEXT, lane_label(kind, label));
    for (int i = 0; i < (int)(sizeof values / sizeof *values); i++) {
        int column = FIRST + i * WIDTH;
        if (column + WIDTH > page->canvas->columns)
            break;
        clock_latency(values[i], words, sizeof words);
        bool near = i < LIMIT && values[i] * 2 >= values[LIMIT];
        canvas_right(page->canvas, row, column, WIDTH - 1,
                     values[i] < 0 ? STYLE_MUTED
                     : near        ? STYLE_WARN
                                   : STYLE_TEXT,
                     words);
    }
    return row + 1;
}

static int block_latencies(const struct page *page, int row)
{
    static const char *const HEADS[] = {"total", "p50", "p99", "limit", "dns", "connect", "tls", "first", "tunnel"};
    enum { WIDTH = 8, FIRST = 12 };
    bool any = false;
    for (int kind = 0; kind < LANE_COUNT; kind++)
        any |= page->pod->lanes[kind].present && page->pod->lanes[kind].last.total >= 0;
    if (!any)
        return row;
    block_title(page, row, "LATENCY", "");
    for (int i = 0; i < (int)(sizeof HEADS / sizeof *HEADS); i++)
        if (FIRST + (i + 1) * WIDTH <= page->canvas->columns)
            canvas_right(page->canvas, row, FIRST + i * WIDTH, WIDTH - 1, STYLE_MUTED, HEADS[i]);
    row++;
    for (int kind = 0; kind < LANE_COUNT; kind++)
        if (page->pod->lanes[kind].present && page->pod->lanes[kind].last.total >= 0)
            row = latency_row(page, (enum lane_kind)kind, row);
    return row + 1;
}

/* ---- the last failing answer, and what happened ---- */

/* What it said: its body, or else what was told of its end, where that is more than the cause says anyway; may be empty. */
static const struct text *failure_words(const struct failure *failure)
{
    bool repeats = strcasestr(probe_cause_sentence(failure->cause), text_str(&failure->detail)) != NULL;
    return text_empty(&failure->body) && !repeats ? &failure->detail : &failure->body;
}

static int block_failure(const struct page *page, int row)
{
    enum { BODY_ROWS = 6 };
    char time[32], cause[32], title[96];
    const struct failure *failure = NULL;
    for (int i = 0; i < page->pod->failure_count && !failure; i++) /* one that said something, if any did */
        if (!text_empty(&page->pod->failures[i].body))
            failure = &page->pod->failures[i];
    for (int i = 0; i < page->pod->failure_count && !failure; i++)
        if (!text_empty(failure_words(&page->pod->failures[i])))
            failure = &page->pod->failures[i];
    if (!failure)
        return row;
    clock_format(fleet_wall(page->fleet, failure->t), CLOCK_HMS, time, sizeof time);
    snprintf(title, sizeof title, "%s  %s %s", time, lane_name(failure->lane),
             cause_words(failure->cause, failure->status, cause, sizeof cause));
    row = block_title(page, row, "LAST FAILING ANSWER", title);
    int width = page->canvas->columns - LABEL_COLUMN - 3;
    return row + 1 +
           canvas_wrap(page->canvas, row, LABEL_COLUMN + 2, width > 1 ? width : 1, BODY_ROWS, STYLE_TEXT,
                       failure_words(failure));
}

static int block_happenings(const struct page *page, int row)
{
    enum { SHOWN = 40 };
    row = block_title(page, row, "WHAT HAPPENED", "newest first");
    if (page->pod->happening_count == 0)
        canvas_puts(page->canvas, row++, LABEL_COLUMN, page->canvas->columns - 2, STYLE_MUTED, "nothing yet");
    for (uint32_t back = 0; back < page->pod->happening_count && back < SHOWN; back++)
        row += widget_happening(page->canvas, row, page->fleet, pod_happening(page->pod, back), 2);
    return row;
}

static int page_item(void *user, int index, struct canvas *canvas, int row)
{
    struct page *page = user;
    int first = row;
    (void)index;
    page->canvas = canvas;
    row = block_summary(page, row);
    row = block_stages(page, row);
    row = block_lanes(page, row);
    row = block_hints(page, row);
    row = block_lint(page, row);
    row = block_latencies(page, row);
    row = block_failure(page, row);
    row = block_happenings(page, row);
    return row - first;
}

/* ---- header ---- */

static void paint_header(const struct page *page)
{
    const struct pod *pod = page->pod;
    const struct view_state *state = page->state;
    struct canvas *canvas = page->canvas;
    char age[24];
    int limit = state->header_columns;
    int column = scroller_head(state, canvas, &pod->facts.name, limit >= 60 ? role_name(pod->facts.role) : "");
    enum style style = widget_stage_style(pod, page->now);
    int stage_room =
        (int)text_columns(stage_word(pod->stage), strlen(stage_word(pod->stage))) + 12 + (int)pod->reason.cells;
    const struct text *const facts[] = {&pod->facts.ns, &pod->facts.node, &pod->facts.serving.image,
                                        &pod->facts.address};
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        if (column + 3 + (int)facts[i]->cells + stage_room >= limit)
            break;
        if (!text_empty(facts[i]))
            column = canvas_text(canvas, 0, column + 3, limit - column - 3, STYLE_MUTED, facts[i]);
    }
    column += limit > 60 ? 3 : 1;
    column = canvas_puts(canvas, 0, column, limit - column, style, pod->gone ? "gone" : stage_word(pod->stage));
    if (!text_empty(&pod->reason) && column + 10 < limit) {
        column = canvas_puts(canvas, 0, column, limit - column, style, ", ");
        column = canvas_text(canvas, 0, column, limit - column - 8, style, &pod->reason);
    }
    widget_age(page->fleet, pod, pod->stage_since, page->now, age, sizeof age);
    if (column + 3 + (int)strlen(age) <= limit)
        canvas_puts(canvas, 0, column + 2, limit - column - 2, STYLE_TEXT, age);
}

static void paint(struct view_state *state, const struct fleet *fleet, int64_t now, struct canvas *canvas)
{
    static const struct text NOBODY;
    struct hints hints = {0};
    struct page page = {state, fleet, fleet_pod(fleet, state->selected), now, canvas, now, &hints};
    const struct scroller scroller = {
        .item = page_item, .user = &page, .count = page.pod ? 1 : 0, .empty = "this pod is no longer known"};
    if (page.pod) {
        page.moment = widget_moment(fleet, page.pod, now);
        pod_hints(fleet, page.pod, page.moment, &hints);
    }
    scroller_paint(&scroller, state, canvas);
    if (page.pod)
        paint_header(&page);
    else
        scroller_head(state, canvas, &NOBODY, "");
    hints_free(&hints);
}

static int act(struct view_state *state, const struct fleet *fleet, int64_t now, enum action action)
{
    int by = action == ACTION_NEXT_POD ? 1 : action == ACTION_PREVIOUS_POD ? -1 : 0;
    if (by == 0)
        return scroller_act(state, action, false);
    state->scroll = 0;
    return view_fleet.act(state, fleet, now, action);
}

const struct view_ops view_pod = {"pod", IN_POD, paint, act};
