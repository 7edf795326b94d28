#include "report/report.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/hints.h"
#include "report/diagnosis.h"

#include <stdlib.h>
#include <string.h>

static const char *const SCHEMA = "probetop.check/v1";

bool report_format_from_name(const char *name, enum report_format *format)
{
    static const char *const NAMES[] = {
        [REPORT_TABLE] = "table", [REPORT_WIDE] = "wide", [REPORT_JSON] = "json", [REPORT_JSONL] = "jsonl"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (strcmp(name, NAMES[i]) == 0) {
            *format = (enum report_format)i;
            return true;
        }
    }
    return false;
}

/* ---- what both forms need ---- */

static int32_t restarts_of(const struct pod *pod)
{
    return pod->facts.kubelet ? pod->facts.serving.restart_count : pod->kills;
}

static bool lane_answered(const struct lane *lane)
{
    return lane->last.sent >= 0;
}

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

static const char *consequence_word(enum consequence consequence)
{
    static const char *const WORDS[] = {[CONSEQUENCE_NONE] = NULL,
                                        [CONSEQUENCE_RESTART] = "restart",
                                        [CONSEQUENCE_NOT_READY] = "not-ready",
                                        [CONSEQUENCE_READY] = "ready",
                                        [CONSEQUENCE_STARTED] = "started"};
    return WORDS[consequence];
}

/* ---- whether anything is unwell ---- */

bool report_unhealthy(const struct fleet *fleet, int64_t now)
{
    uint32_t present = 0;
    for (uint32_t i = 0; i < fleet->count; i++) {
        if (fleet->pods[i]->gone)
            continue;
        present++;
        if (pod_is_unwell(fleet->pods[i], now))
            return true;
    }
    return present == 0;
}

/* ---- cells ---- */

void report_plain(const char *utf8, bool ascii, struct buf *out)
{
    struct glyph glyph;
    size_t length = strlen(utf8), taken;
    if (!ascii) {
        buf_puts(out, utf8);
        return;
    }
    for (size_t at = 0; (taken = text_glyph(utf8 + at, length - at, &glyph)) > 0; at += taken)
        if (glyph.codepoint[0] == 0x2013)
            buf_putc(out, '-');
        else
            buf_putc(out, glyph.codepoint[0] < 0x80 ? (char)glyph.codepoint[0] : '?');
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
    buf_printf(out, "%d", restarts_of(view->pod));
}

static void put_mark(const struct cell_view *view, enum lane_kind kind, struct buf *out)
{
    static const char *const MARKS[OUTCOME_COUNT][2] = {[OUTCOME_UNKNOWN] = {"?", "?"},
                                                        [OUTCOME_OK] = {"\u2713", "+"},
                                                        [OUTCOME_WARN] = {"\u2713", "+"},
                                                        [OUTCOME_FAIL] = {"\u2717", "x"},
                                                        [OUTCOME_ERRORED] = {"?", "?"}};
    const struct lane *lane = &view->pod->lanes[kind];
    if (!lane->present)
        report_plain("\u2013", view->ascii, out);
    else if (!lane_answered(lane))
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

static void put_line(const char *label, const struct text *words, bool ascii, struct buf *out)
{
    if (text_empty(words))
        return;
    buf_printf(out, "  %-5s ", label);
    report_plain(text_str(words), ascii, out);
    buf_putc(out, '\n');
}

static void put_hint(const struct hint *hint, int64_t now, bool ascii, struct buf *out)
{
    struct text words = {0};
    report_plain(text_str(&hint->title), ascii, out);
    buf_printf(out, " (%s)\n", confidence_name(hint->confidence));
    for (uint32_t i = 0; i < hint->evidence_count; i++) {
        evidence_words(&hint->evidence[i], now, &words);
        put_line(i == 0 ? "why" : "", &words, ascii, out);
    }
    for (uint32_t i = 0; i < hint->fix_count; i++)
        put_line(i == 0 ? "fix" : "", &hint->fixes[i], ascii, out);
    text_free(&words);
}

void report_hints(const struct pod *pod, const struct hints *hints, int64_t now, bool ascii, struct buf *out)
{
    struct text words = {0};
    if (hints->count > 0) {
        put_hint(&hints->list[0], now, ascii, out);
    } else {
        report_plain(text_str(&hints->state), ascii, out);
        buf_putc(out, '\n');
    }
    for (uint32_t i = 1; i < hints->count; i++) {
        text_printf(&words, TEXT_LINE, "%s (%s)", text_str(&hints->list[i].title),
                    confidence_name(hints->list[i].confidence));
        put_line(i == 1 ? "also" : "", &words, ascii, out);
    }
    if (hints->count > 0)
        put_line("now", &hints->state, ascii, out);
    for (uint32_t i = 0; i < hints->why_count; i++)
        put_line(i == 0 && hints->count == 0 ? "why" : "", &hints->why[i], ascii, out);
    put_line("next", &hints->next, ascii, out);
    hints_command(hints, pod, now, &words);
    put_line("do", &words, ascii, out);
    text_free(&words);
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

static void report_table(const struct fleet *fleet, int64_t now, bool wide, bool ascii, struct buf *out)
{
    uint32_t count;
    struct ranked *list = ranked_new(fleet, now, &count);
    table_write(list, count, now, wide, ascii, out);
    for (uint32_t i = 0; i < count; i++)
        put_hints(fleet, list[i].pod, now, ascii, out);
    mem_free(list);
}

/* ---- JSON ---- */

static void put_text_or_null(struct json_writer *writer, const char *key, const struct text *text)
{
    if (text_empty(text))
        json_put_string(writer, key, NULL);
    else
        json_put_text(writer, key, text);
}

static void put_word_or_null(struct json_writer *writer, const char *key, const char *word)
{
    json_put_string(writer, key, word && word[0] ? word : NULL);
}

static void put_moment(struct json_writer *writer, const char *key, const struct fleet *fleet, int64_t t)
{
    char iso[32];
    json_put_string(writer, key, clock_format(fleet_wall(fleet, t), CLOCK_ISO_UTC, iso, sizeof iso));
}

static void put_milliseconds(struct json_writer *writer, const char *key, int64_t us)
{
    if (us < 0)
        json_put_string(writer, key, NULL);
    else
        json_put_real(writer, key, (double)us / MILLISECOND_US);
}

static void put_seconds(struct json_writer *writer, const char *key, int64_t us)
{
    json_put_real(writer, key, (double)us / SECOND_US);
}

/* The streak against its threshold; witnesses have a streak that leads nowhere. */
static void put_streak(struct json_writer *writer, const struct pod *pod, enum lane_kind kind, int64_t now)
{
    const struct lane *lane = &pod->lanes[kind];
    const struct probe_spec *spec = &pod->facts.probes[kind];
    struct forecast forecast = {.consequence = CONSEQUENCE_NONE};
    json_put_int(writer, "streak", lane->streak);
    if (lane_is_kubelets(kind)) {
        json_put_int(writer, "threshold", lane->streak_failing ? spec->failure_threshold : spec->success_threshold);
        forecast = pod_forecast(pod, kind, now);
    } else {
        json_put_string(writer, "threshold", NULL);
    }
    json_put_string(writer, "leads_to", consequence_word(forecast.consequence));
    if (forecast.consequence != CONSEQUENCE_NONE && forecast.at >= 0)
        put_seconds(writer, "leads_to_in_s", forecast.at > now ? forecast.at - now : 0);
    else
        json_put_string(writer, "leads_to_in_s", NULL);
}

static void put_lane(struct json_writer *writer, const struct pod *pod, enum lane_kind kind, int64_t now)
{
    const struct lane *lane = &pod->lanes[kind];
    bool answered = lane_answered(lane);
    json_open_object(writer, NULL);
    json_put_string(writer, "name", lane_name(kind));
    json_put_string(writer, "outcome", answered ? outcome_name(lane->last.outcome) : NULL);
    json_put_string(writer, "cause", answered ? probe_cause_name(lane->last.cause) : NULL);
    if (answered && lane->last.status > 0)
        json_put_int(writer, "status", lane->last.status);
    else
        json_put_string(writer, "status", NULL);
    put_streak(writer, pod, kind, now);
    put_milliseconds(writer, "p50_ms", history_percentile(&lane->history, 50));
    put_milliseconds(writer, "p99_ms", history_percentile(&lane->history, 99));
    json_put_string(writer, "answered_by",
                    answered && lane->last.answerer != ANSWERER_NOBODY ? answerer_name(lane->last.answerer) : NULL);
    json_close_object(writer);
}

static void put_budget(struct json_writer *writer, const struct fleet *fleet, const struct pod *pod, int64_t now)
{
    int64_t done_at = -1;
    struct budget budget = pod_budget(pod, now);
    if (!budget.applies) {
        json_put_string(writer, "budget", NULL);
        return;
    }
    enum tri in_time = pod_in_time(pod, now, &done_at);
    json_open_object(writer, "budget");
    put_seconds(writer, "used_s", budget.used);
    put_seconds(writer, "left_s", budget.left);
    put_moment(writer, "may_be_killed_from", fleet, budget.may_be_killed_from);
    put_moment(writer, "deadline", fleet, budget.deadline);
    json_put_int(writer, "failures", budget.count);
    json_put_int(writer, "threshold", budget.threshold);
    json_put_bool(writer, "guess", budget.guess);
    if (in_time == TRI_UNKNOWN)
        json_put_string(writer, "in_time", NULL);
    else
        json_put_bool(writer, "in_time", in_time == TRI_TRUE);
    json_close_object(writer);
}

static void put_hints_json(struct json_writer *writer, const struct fleet *fleet, const struct pod *pod, int64_t now)
{
    struct hints hints;
    struct text command = {0};
    pod_hints(fleet, pod, now, &hints);
    hints_command(&hints, pod, now, &command);
    put_text_or_null(writer, "state", &hints.state);
    json_open_array(writer, "why");
    for (uint32_t i = 0; i < hints.why_count; i++)
        json_put_text(writer, NULL, &hints.why[i]);
    json_close_array(writer);
    put_text_or_null(writer, "next", &hints.next);
    put_text_or_null(writer, "command", &command);
    report_hints_json(writer, fleet, &hints);
    text_free(&command);
    hints_free(&hints);
}

static void put_models(struct json_writer *writer, const struct pod *pod)
{
    if (pod->model_count < 0) {
        json_put_string(writer, "models", NULL);
        return;
    }
    json_open_array(writer, "models");
    for (int32_t i = 0; i < pod->model_count; i++)
        json_put_text(writer, NULL, &pod->models[i]);
    json_close_array(writer);
}

static void put_pod(struct json_writer *writer, const struct fleet *fleet, const struct pod *pod, int64_t now,
                    bool with_schema)
{
    json_open_object(writer, NULL);
    if (with_schema) {
        json_put_string(writer, "schema", SCHEMA);
        put_moment(writer, "time", fleet, now);
    }
    json_put_text(writer, "name", &pod->facts.name);
    put_text_or_null(writer, "namespace", &pod->facts.ns);
    put_word_or_null(writer, "role", role_name(pod->facts.role));
    put_text_or_null(writer, "address", &pod->facts.address);
    json_put_string(writer, "stage", stage_word(pod->stage));
    put_text_or_null(writer, "reason", &pod->reason);
    put_moment(writer, "since", fleet, pod->stage_since);
    json_put_bool(writer, "unhealthy", pod_is_unwell(pod, now));
    json_put_int(writer, "run", pod->run);
    json_put_int(writer, "restarts", restarts_of(pod));
    json_open_array(writer, "lanes");
    for (int l = 0; l < LANE_COUNT; l++)
        if (pod->lanes[l].present)
            put_lane(writer, pod, (enum lane_kind)l, now);
    json_close_array(writer);
    put_models(writer, pod);
    put_budget(writer, fleet, pod, now);
    put_hints_json(writer, fleet, pod, now);
    json_close_object(writer);
}

static void report_json(const struct fleet *fleet, int64_t now, struct buf *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_put_string(&writer, "schema", SCHEMA);
    put_moment(&writer, "time", fleet, now);
    json_put_bool(&writer, "unhealthy", report_unhealthy(fleet, now));
    json_open_array(&writer, "pods");
    for (uint32_t i = 0; i < fleet->count; i++)
        if (!fleet->pods[i]->gone)
            put_pod(&writer, fleet, fleet->pods[i], now, false);
    json_close_array(&writer);
    json_close_object(&writer);
    buf_putc(out, '\n');
}

static void report_jsonl(const struct fleet *fleet, int64_t now, struct buf *out)
{
    for (uint32_t i = 0; i < fleet->count; i++) {
        struct json_writer writer;
        if (fleet->pods[i]->gone)
            continue;
        json_writer_init(&writer, out);
        put_pod(&writer, fleet, fleet->pods[i], now, true);
        buf_putc(out, '\n');
    }
}

void report_fleet(const struct fleet *fleet, int64_t now, enum report_format format, bool ascii, struct buf *out)
{
    if (format == REPORT_JSON)
        report_json(fleet, now, out);
    else if (format == REPORT_JSONL)
        report_jsonl(fleet, now, out);
    else
        report_table(fleet, now, format == REPORT_WIDE, ascii, out);
}

bool report_is_transition(const struct happening *happening)
{
    bool quoted = happening->kind == HAPPENED_EVENT || happening->kind == HAPPENED_LOG;
    return !quoted || happening->mood != ' ';
}

bool report_happening_command(const struct fleet *fleet, const struct pod *pod, const struct happening *happening,
                              struct text *out)
{
    struct hints hints;
    text_free(out);
    if (happening->kind != HAPPENED_HINT || happening->mood == ' ')
        return false;
    pod_hints(fleet, pod, happening->t, &hints);
    const struct text *label = &hints.list[0].label;
    bool is_first = hints.count > 0 && strncmp(text_str(&happening->words), text_str(label), label->len) == 0;
    bool has_command = is_first && hints_command(&hints, pod, happening->t, out);
    hints_free(&hints);
    return has_command;
}

void report_happening(const struct fleet *fleet, const struct pod *pod, const struct happening *happening,
                      struct buf *out)
{
    char clock[32];
    bool about_stage = happening->kind == HAPPENED_STAGE; /* its words go on from the name */
    bool quoted = happening->kind == HAPPENED_EVENT || happening->kind == HAPPENED_LOG;
    buf_printf(out, "%s %s%s ", clock_format(fleet_wall(fleet, happening->t), CLOCK_HMS, clock, sizeof clock),
               text_str(&pod->facts.name), about_stage ? "" : ":");
    if (quoted)
        buf_printf(out, "%s ", happening_name(happening->kind));
    buf_puts(out, text_str(&happening->words));
    struct text command = {0};
    if (report_happening_command(fleet, pod, happening, &command))
        buf_printf(out, "; do: %s", text_str(&command));
    text_free(&command);
}
