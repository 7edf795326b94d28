#include "tui/widget.h"

#include "base/mem.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t RECENT_US = (int64_t)60 * SECOND_US;

int64_t widget_floor(const struct fleet *fleet, int64_t t, int64_t unit)
{
    int64_t wall = fleet_wall(fleet, t), rest = wall % unit;
    return t - (rest < 0 ? rest + unit : rest);
}

/* ---- how a pod stands ---- */

bool widget_restless(const struct pod *pod, int64_t now)
{
    enum lane_kind lane;
    if (pod->gone)
        return false;
    if (stage_is_broken(pod->stage) || stage_is_loading(pod->stage) || pod->stage == STAGE_TERMINATING)
        return true;
    return now - pod->stage_since < RECENT_US || pod_next(pod, now, &lane).consequence != CONSEQUENCE_NONE;
}

static bool failed_recently(const struct pod *pod, enum lane_kind lane, int64_t now)
{
    const struct history *history = &pod->lanes[lane].history;
    for (uint32_t back = 0; back < history->count; back++) {
        const struct mark *mark = history_get(history, back);
        if ((int64_t)mark->at_ms * MILLISECOND_US < now - RECENT_US)
            return false;
        if (mark->outcome == OUTCOME_FAIL)
            return true;
    }
    return false;
}

bool widget_in_trouble(const struct pod *pod)
{
    return !pod->gone && !stage_is_broken(pod->stage) && (pod_is_warned(pod) || pod_sidecar_is_down(pod));
}

bool widget_needs_look(const struct fleet *fleet, const struct pod *pod, int64_t now)
{
    enum lane_kind lane;
    int64_t p99;
    if (pod->gone)
        return false;
    if (stage_rank(pod->stage) >= stage_rank(STAGE_COMPLETED) || pod->stage == STAGE_UNREACHABLE)
        return true;
    if (pod_in_time(pod, now, NULL) == TRI_FALSE || pod->wrong_model || pod->unauthorized || widget_in_trouble(pod))
        return true;
    enum consequence consequence = pod_next(pod, now, &lane).consequence;
    return (consequence == CONSEQUENCE_RESTART && lane != LANE_STARTUP) || consequence == CONSEQUENCE_NOT_READY ||
           widget_near_limit(fleet, pod, now, &lane, &p99);
}

int widget_rank(const struct pod *pod, int64_t now)
{
    enum { STEP = 4 };
    const int broken = stage_rank(STAGE_COMPLETED) * STEP; /* the least of those that are broken */
    enum stage worst;
    bool restart;
    if (pod->gone)
        return -1;
    /* pods on their way up stay where they are: one more rung is no reason to look */
    bool loading = stage_is_loading(pod->stage);
    int rank = stage_rank(loading ? STAGE_RUNNING : pod->stage) * STEP;
    if (!loading && spans_cell(&pod->spans, now - RECENT_US, now + SECOND_US, &worst, &restart) &&
        stage_rank(worst) * STEP > rank)
        rank = stage_rank(worst) * STEP - 1;
    if (pod->stage == STAGE_READY && rank >= broken)
        rank = broken - 1; /* it was broken a moment ago: below all that are so now */
    int at_least = 0;
    if (pod_in_time(pod, now, NULL) == TRI_FALSE)
        at_least = broken + 1;
    else if (loading && widget_in_trouble(pod))
        at_least = broken;
    else if (pod->lanes[LANE_LIVENESS].present && failed_recently(pod, LANE_LIVENESS, now))
        at_least = pod_lane_fails(pod, LANE_LIVENESS, now) ? broken : broken - 1;
    else if (pod->stage == STAGE_READY && pod->lanes[LANE_READINESS].present &&
             failed_recently(pod, LANE_READINESS, now))
        at_least = stage_rank(STAGE_RUNNING) * STEP + 1;
    return rank > at_least ? rank : at_least;
}

static int64_t age_shown(const struct fleet *fleet, const struct pod *pod, int64_t since, int64_t now)
{
    bool quiet = !widget_restless(pod, now);
    int64_t age = widget_floor(fleet, now, quiet ? QUIET_STEP_US : SECOND_US) - since;
    age = age < 0 ? 0 : age;
    return quiet && age >= RECENT_US /* facts of a whole second come within it */
               ? (age + SECOND_US - 1) / QUIET_STEP_US * QUIET_STEP_US
               : age;
}

const char *widget_age(const struct fleet *fleet, const struct pod *pod, int64_t since, int64_t now, char *out,
                       size_t size)
{
    return clock_age(age_shown(fleet, pod, since, now), out, size);
}

int64_t widget_moment(const struct fleet *fleet, const struct pod *pod, int64_t now)
{
    int64_t since = pod->gone ? pod->gone_at : pod->stage_since;
    return since + age_shown(fleet, pod, since, now);
}

enum style widget_stage_style(const struct pod *pod, int64_t now)
{
    if (pod->gone || pod->stage == STAGE_TERMINATING)
        return STYLE_MUTED;
    bool doomed = stage_is_loading(pod->stage) && (pod_in_time(pod, now, NULL) == TRI_FALSE || widget_in_trouble(pod));
    if (stage_is_broken(pod->stage) || doomed)
        return STYLE_BAD;
    if (stage_is_loading(pod->stage))
        return STYLE_WARN;
    return pod->stage == STAGE_READY ? STYLE_TEXT : STYLE_UNKNOWN;
}

bool widget_lane_done(const struct pod *pod, enum lane_kind lane)
{
    return lane == LANE_STARTUP && pod_view(pod).started;
}

struct sign widget_lane_sign(const struct pod *pod, enum lane_kind kind, int64_t now)
{
    const struct lane *lane = &pod->lanes[kind];
    if (!lane->present)
        return (struct sign){"–", STYLE_MUTED};
    enum gate gate = pod_gate(pod, kind, now);
    if (widget_lane_done(pod, kind))
        return (struct sign){"✓", STYLE_TEXT};
    if ((gate != GATE_SEND && gate != GATE_ON_HOLD) || lane->last.sent < 0 || lane->last_at < pod->run_began)
        return (struct sign){"·", STYLE_MUTED};
    switch (lane->last.outcome) {
    case OUTCOME_OK:
        return (struct sign){"✓", STYLE_TEXT};
    case OUTCOME_WARN:
        return (struct sign){"✓", STYLE_WARN};
    case OUTCOME_FAIL: /* while it loads, failing is what start-up probes do */
        return (struct sign){"✗", kind == LANE_STARTUP && stage_is_loading(pod->stage) ? STYLE_TEXT : STYLE_BAD};
    case OUTCOME_ERRORED:
        return (struct sign){"!", STYLE_WARN};
    default:
        return (struct sign){"?", STYLE_UNKNOWN};
    }
}

/* ---- latencies ---- */

static bool mark_counts(const struct mark *mark)
{
    return mark->total_us != UINT32_MAX && !(mark->flags & MARK_LATE) &&
           (mark->outcome == OUTCOME_OK || mark->outcome == OUTCOME_WARN ||
            (mark->outcome == OUTCOME_FAIL && mark->status != 0));
}

static int total_compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

int64_t widget_percentile(const struct history *history, int percent, int64_t until)
{
    if (history->count == 0)
        return -1;
    uint32_t *totals = mem_array(history->count, sizeof *totals), count = 0;
    for (uint32_t back = 0; back < history->count; back++) {
        const struct mark *mark = history_get(history, back);
        if (mark_counts(mark) && (int64_t)mark->at_ms * MILLISECOND_US <= until)
            totals[count++] = mark->total_us;
    }
    int64_t out = -1;
    if (count > 0) {
        qsort(totals, count, sizeof *totals, total_compare);
        uint32_t rank = (count * (uint32_t)percent + 99) / 100;
        out = totals[rank > 0 ? rank - 1 : 0];
    }
    mem_free(totals);
    return out;
}

static bool ever_answered(const struct lane *lane)
{
    return lane->present && lane->ok > 0;
}

const struct lane *widget_traffic_lane(const struct pod *pod)
{
    static const enum lane_kind ORDER[] = {LANE_READINESS, LANE_MODELS, LANE_HEALTH, LANE_LIVENESS, LANE_STARTUP};
    for (size_t i = 0; i < sizeof ORDER / sizeof *ORDER; i++)
        if (ever_answered(&pod->lanes[ORDER[i]]))
            return &pod->lanes[ORDER[i]];
    return NULL;
}

/* Whether any answer took half of its timeout: without one no percentile can be so high, and this is cheaper to find out. */
static bool ever_near_limit(const struct history *history)
{
    for (uint32_t back = 0; back < history->count; back++)
        if (history_get(history, back)->timeout_share >= 500)
            return true;
    return false;
}

bool widget_near_limit(const struct fleet *fleet, const struct pod *pod, int64_t now, enum lane_kind *lane,
                       int64_t *p99)
{
    enum { ENOUGH = 5 };
    int64_t until = widget_floor(fleet, now, QUIET_STEP_US), best = 499;
    bool found = false;
    for (int kind = LANE_LIVENESS; kind <= LANE_READINESS; kind++) {
        const struct lane *candidate = &pod->lanes[kind];
        int64_t timeout = pod->facts.probes[kind].timeout;
        if (!candidate->present || timeout <= 0 || candidate->history.count < ENOUGH ||
            !ever_near_limit(&candidate->history))
            continue;
        int64_t total = widget_percentile(&candidate->history, 99, until);
        int64_t share = total / (timeout * MILLISECOND_US); /* in 1/1000 */
        if (share <= best)
            continue;
        best = share;
        *lane = (enum lane_kind)kind;
        *p99 = total;
        found = true;
    }
    return found;
}

/* ---- what comes next ---- */

static void next_add(struct next *next, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void next_add(struct next *next, const char *format, ...)
{
    va_list arguments;
    if (next->count == NEXT_FORMS_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(next->forms[next->count++], NEXT_WORDS_MAX, format, arguments);
    va_end(arguments);
}

static const char *until_words(int64_t left, char *out, size_t size)
{
    if (left >= SECOND_US)
        return clock_age(left, out, size);
    snprintf(out, size, "now");
    return out;
}

static void next_budget(const struct pod *pod, const struct budget *budget, int64_t now, struct next *out)
{
    char left[16], done[16];
    int64_t done_at = -1;
    enum tri in_time = pod_in_time(pod, now, &done_at);
    const char *about = budget->guess ? "~" : "";
    bool little = pod_budget_is_short(pod, budget, now);
    out->style = in_time == TRI_FALSE || budget->left < 0 ? STYLE_BAD : little ? STYLE_WARN : STYLE_TEXT;
    if (budget->left < 0) {
        const char *verb = pod->facts.kubelet ? "restart" : "would restart";
        next_add(out, "start-up %d/%d → %s now", budget->count, budget->threshold, verb);
        next_add(out, "start-up over → %s", verb);
        next_add(out, "%s now", verb);
        return;
    }
    clock_age(budget->left, left, sizeof left);
    bool expected = done_at >= now + SECOND_US;
    clock_age(expected ? done_at - now : 0, done, sizeof done);
    const char *what = pod_in_time_of(pod) == SUBSTAGE_NONE ? "done" : substage_word(pod_in_time_of(pod));
    if (in_time == TRI_FALSE) {
        next_add(out, "start-up %s%s left, too slow: %s in %s", about, left, what, done);
        next_add(out, "start-up %s%s left, too slow", about, left);
        next_add(out, "%s%s left, too slow", about, left);
    } else if (expected) {
        next_add(out, "start-up %s%s left, %s in %s", about, left, what, done);
        next_add(out, "%s%s left, %s in %s", about, left, what, done);
    } else {
        next_add(out, "start-up %d/%d, %s%s left", budget->count, budget->threshold, about, left);
    }
    if (in_time != TRI_FALSE)
        next_add(out, "start-up %s%s left", about, left);
    next_add(out, "%s%s left", about, left);
}

/* Its verdict has fallen; the container lives on through its grace period. */
static void next_killed(const struct pod *pod, int64_t left, struct next *out)
{
    char span[16];
    const char *then = pod->facts.never_restart ? "ends" : "restart";
    out->style = STYLE_BAD;
    clock_age(left > 0 ? left : 0, span, sizeof span);
    next_add(out, "being killed → %s within %s", then, span);
    next_add(out, "%s within %s", then, span);
    next_add(out, "%s <%s", then, span);
    next_add(out, "%s", then);
}

static const char *consequence_words(const struct pod *pod, enum consequence consequence)
{
    switch (consequence) {
    case CONSEQUENCE_RESTART:
        return pod->facts.never_restart ? (pod->facts.kubelet ? "fails" : "would fail")
               : pod->facts.kubelet     ? "restart"
                                        : "would restart";
    case CONSEQUENCE_NOT_READY:
        return "NotReady";
    case CONSEQUENCE_READY:
        return "Ready";
    case CONSEQUENCE_STARTED:
        return "started";
    default:
        return "";
    }
}

static void next_forecast(const struct pod *pod, const struct forecast *forecast, enum lane_kind lane, int64_t now,
                          struct next *out)
{
    char time[24] = "", span[16];
    if (forecast->consequence == CONSEQUENCE_NONE)
        return;
    if (forecast->at >= 0)
        snprintf(time, sizeof time, " %s%s", forecast->guess ? "~" : "",
                 until_words(forecast->at - now, span, sizeof span));
    const char *words = consequence_words(pod, forecast->consequence);
    out->style = forecast->consequence == CONSEQUENCE_RESTART     ? STYLE_BAD
                 : forecast->consequence == CONSEQUENCE_NOT_READY ? STYLE_WARN
                                                                  : STYLE_TEXT;
    next_add(out, "%s %d/%d → %s%s", lane_name(lane), forecast->count, forecast->threshold, words, time);
    next_add(out, "%d/%d → %s%s", forecast->count, forecast->threshold, words, time);
    next_add(out, "%s%s", words, time);
    next_add(out, "%s", words);
}

void widget_streak(const struct pod *pod, enum lane_kind lane, int64_t now, struct next *out)
{
    memset(out, 0, sizeof *out);
    struct forecast forecast = pod_forecast(pod, lane, now);
    next_forecast(pod, &forecast, lane, now, out);
}

void widget_next(const struct fleet *fleet, const struct pod *pod, int64_t now, struct next *out)
{
    enum lane_kind lane = LANE_STARTUP;
    memset(out, 0, sizeof *out);
    if (pod->gone)
        return;
    now = widget_floor(fleet, now, SECOND_US);
    struct budget budget = pod_budget(pod, now);
    struct forecast forecast = pod_next(pod, now, &lane);
    int64_t killed = pod_killed_until(pod, now);
    if (killed >= 0) {
        next_killed(pod, killed - now, out);
        return;
    }
    if (budget.applies) {
        next_budget(pod, &budget, now, out);
        return;
    }
    if (forecast.consequence != CONSEQUENCE_NONE) {
        next_forecast(pod, &forecast, lane, now, out);
        return;
    }
    int64_t p99, again = pod_starts_again_at(pod);
    char words[16];
    if (again >= 0) {
        until_words(again - now, words, sizeof words);
        next_add(out, "starts again %s%s", again > now + SECOND_US ? "in " : "", words);
        next_add(out, "again %s%s", again > now + SECOND_US ? "in " : "", words);
        next_add(out, "%s%s", again > now + SECOND_US ? "in " : "", words);
        return;
    }
    if (widget_near_limit(fleet, pod, now, &lane, &p99)) {
        clock_latency(p99, words, sizeof words);
        out->style = STYLE_WARN;
        next_add(out, "%s %s of %ds", lane_name(lane), words, pod->facts.probes[lane].timeout);
        next_add(out, "%s of %ds", words, pod->facts.probes[lane].timeout);
        return;
    }
    for (lane = LANE_LIVENESS; pod->stage == STAGE_READY && lane <= LANE_READINESS; lane++) {
        if (!pod->lanes[lane].present || !failed_recently(pod, lane, now))
            continue;
        out->style = STYLE_TEXT; /* why it still stands so high in the list */
        next_add(out, "%s failed a moment ago", lane_name(lane));
        next_add(out, "%s failed", lane_name(lane));
        return;
    }
}

void widget_next_paint(const struct next *next, struct canvas *canvas, int row, int column, int width)
{
    for (int i = 0; i < next->count; i++) {
        const char *words = next->forms[i];
        size_t length = strlen(words);
        /* in ASCII an arrow takes two columns */
        size_t columns = text_columns(words, length) + (canvas->ascii && strstr(words, "→") ? 1 : 0);
        if (columns > (size_t)(width < 0 ? 0 : width) && i < next->count - 1)
            continue;
        canvas_puts(canvas, row, column, width, next->style, words);
        return;
    }
}

/* ---- pictures of time ---- */

static struct sign mark_sign(const struct mark *mark)
{
    static const char *const EIGHTHS[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    if (mark->outcome == OUTCOME_FAIL)
        return (struct sign){"✗", STYLE_BAD};
    if (mark->outcome == OUTCOME_ERRORED)
        return (struct sign){"!", STYLE_WARN};
    if (mark->outcome == OUTCOME_UNKNOWN)
        return (struct sign){"?", STYLE_UNKNOWN};
    if (mark->flags & MARK_LATE)
        return (struct sign){"·", STYLE_MUTED};
    int eighth = (mark->timeout_share * 8 + 999) / 1000;
    eighth = eighth < 1 ? 1 : eighth > 8 ? 8 : eighth;
    bool warn = mark->outcome == OUTCOME_WARN || mark->timeout_share >= 500;
    return (struct sign){EIGHTHS[eighth - 1], warn ? STYLE_WARN : STYLE_TEXT};
}

void widget_beats(struct canvas *canvas, int row, int column, int width, const struct lane *lane)
{
    for (int i = 0; i < width; i++) {
        const struct mark *mark = history_get(&lane->history, (uint32_t)(width - 1 - i));
        if (!mark)
            continue;
        struct sign sign = mark_sign(mark);
        canvas_puts(canvas, row, column + i, 1, sign.style, sign.glyph);
    }
}

static enum style cell_style(enum stage stage)
{
    return stage_is_broken(stage)       ? STYLE_BAD
           : stage == STAGE_READY       ? STYLE_MUTED /* quiet: the eye is for what is not */
           : stage_is_loading(stage)    ? STYLE_TEXT
           : stage == STAGE_TERMINATING ? STYLE_MUTED
                                        : STYLE_UNKNOWN;
}

void widget_timeline(struct canvas *canvas, int row, int column, int width, const struct fleet *fleet,
                     const struct pod *pod, int64_t now, int64_t cell)
{
    int64_t newest = widget_floor(fleet, now, cell);
    for (int i = 0; i < width; i++) {
        int64_t from = newest - (int64_t)(width - 1 - i) * cell;
        enum stage stage;
        bool restart;
        if (pod->gone && from > pod->gone_at)
            return;
        if (!spans_cell(&pod->spans, from, from + cell, &stage, &restart))
            continue;
        if (restart)
            canvas_puts(canvas, row, column + i, 1, STYLE_WARN, "↻");
        else
            canvas_puts(canvas, row, column + i, 1, cell_style(stage), stage_cell(stage, canvas->ascii));
    }
}

const char *widget_cell_words(int64_t cell, char *out, size_t size)
{
    int64_t seconds = cell / SECOND_US;
    if (seconds < 60)
        snprintf(out, size, "%" PRId64 " s a cell", seconds);
    else if (seconds < 3600)
        snprintf(out, size, "%" PRId64 " min a cell", seconds / 60);
    else
        snprintf(out, size, "%" PRId64 " h a cell", seconds / 3600);
    return out;
}

int widget_axis_cell(const struct axis *axis, int64_t t)
{
    int64_t cell = (t - axis->from) / axis->cell;
    return t < axis->from ? -1 : cell > INT16_MAX ? INT16_MAX : (int)cell;
}

int widget_gantt(struct canvas *canvas, int row, int column, const struct axis *axis, const struct pod *pod,
                 enum stage stage, int64_t now)
{
    int after = -1;
    for (uint32_t i = 0; i < pod->spans.count; i++) {
        const struct span *span = &pod->spans.list[i];
        int64_t ended = span->ended < 0 ? now : span->ended;
        if (span->stage != stage || ended < axis->from)
            continue;
        int from = span->began < axis->from ? 0 : widget_axis_cell(axis, span->began);
        int to = widget_axis_cell(axis, ended) + 1; /* even the shortest stay is to be seen */
        to = to > axis->cells ? axis->cells : to;
        for (int cell = from; cell < to; cell++)
            canvas_puts(canvas, row, column + cell, 1, cell_style(stage), stage_cell(stage, canvas->ascii));
        if (span->restart && from < axis->cells)
            canvas_puts(canvas, row, column + from, 1, STYLE_WARN, "↻");
        if (to > from && column + to > after)
            after = column + to;
    }
    return after;
}

int widget_happening(struct canvas *canvas, int row, const struct fleet *fleet, const struct happening *happening,
                     int rows)
{
    char time[32];
    bool roomy = canvas->columns >= 60;
    enum style style = happening->mood == 'x' ? STYLE_BAD : happening->mood == '!' ? STYLE_WARN : STYLE_TEXT;
    clock_format(fleet_wall(fleet, happening->t), CLOCK_HMS, time, sizeof time);
    int column = canvas_puts(canvas, row, 1, canvas->columns - 1, STYLE_MUTED, time) + 1;
    if (roomy) {
        canvas_puts(canvas, row, column + 1, 8, STYLE_MUTED, happening_name(happening->kind));
        column += 10;
    }
    int width = canvas->columns - column - 1;
    return canvas_wrap(canvas, row, column, width > 1 ? width : 1, rows, style, &happening->words);
}

void widget_evidence(const struct fleet *fleet, const struct evidence *evidence, struct text *out)
{
    char time[32] = "";
    if (evidence->t != INT64_MIN)
        clock_format(fleet_wall(fleet, evidence->t), CLOCK_HMS, time, sizeof time);
    text_printf(out, TEXT_LINE, "%s%s%s  %s", time, time[0] ? " " : "", evidence_source_name(evidence->source),
                text_str(&evidence->words));
}

/* Whether the entry `back` is the stage that a container's end or start, told just before it, leads to. */
static bool happening_repeats(const struct pod *pod, uint32_t back)
{
    enum { NEAR = 3 };
    static const char ENDED[] = "the container ended", STARTED[] = "the kubelet started the container";
    const struct happening *happening = pod_happening(pod, back);
    for (uint32_t i = 1; i <= NEAR && happening->kind == HAPPENED_STAGE; i++) {
        const struct happening *before = pod_happening(pod, back + i);
        if (!before || happening->t - before->t > 2 * SECOND_US)
            break;
        const char *words = text_str(&before->words);
        if (before->kind == HAPPENED_KUBELET &&
            (strncmp(words, ENDED, sizeof ENDED - 1) == 0 || strncmp(words, STARTED, sizeof STARTED - 1) == 0))
            return true;
    }
    return false;
}

/* Start-up lines of logs, probes that fail as they are expected to, events of the ordinary course or of what was told already, and how a pod was when it was first seen are no news to somebody who looks at all pods. */
static bool happening_is_news(const struct pod *pod, uint32_t back)
{
    const struct happening *happening = pod_happening(pod, back);
    bool routine =
        happening->kind == HAPPENED_LOG || happening->kind == HAPPENED_EVENT || happening->kind == HAPPENED_PROBE;
    const char *words = text_str(&happening->words);
    if (happening->kind == HAPPENED_EVENT &&
        (strncmp(words, "Unhealthy:", 10) == 0 || strncmp(words, "BackOff:", 8) == 0))
        return false; /* our own probes and the stage have told the same */
    if (happening_repeats(pod, back))
        return false;
    bool first = happening->kind == HAPPENED_STAGE && happening->t <= pod->first_seen;
    return happening->mood == 'x' || (routine ? happening->mood != ' ' : !first);
}

int widget_recent(const struct pod *const *pods, uint32_t count, int64_t now, struct recent *out, int most)
{
    enum { LOOK_BACK = 64 };
    int found = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t back = 0; back < LOOK_BACK; back++) {
            const struct happening *happening = pod_happening(pods[i], back);
            if (!happening || (found == most && happening->t <= out[found - 1].happening->t))
                break; /* nor is anything older of this pod */
            if (happening->t > now || !happening_is_news(pods[i], back))
                continue;
            int at = found < most ? found++ : found - 1;
            for (; at > 0 && out[at - 1].happening->t < happening->t; at--)
                out[at] = out[at - 1];
            out[at] = (struct recent){pods[i], happening};
        }
    }
    return found;
}

static struct sign mood_sign(char mood)
{
    return mood == 'x'   ? (struct sign){"✗", STYLE_BAD}
           : mood == '!' ? (struct sign){"!", STYLE_WARN}
           : mood == '+' ? (struct sign){"✓", STYLE_TEXT}
                         : (struct sign){" ", STYLE_TEXT};
}

void widget_recent_paint(struct canvas *canvas, int row, const struct fleet *fleet, const struct recent *recent,
                         bool selected)
{
    enum { NAME_LEAST = 15, NAME_SHARE = 6 };
    char time[32];
    int name = canvas->columns / NAME_SHARE > NAME_LEAST ? canvas->columns / NAME_SHARE : NAME_LEAST;
    struct sign sign = mood_sign(recent->happening->mood);
    clock_format(fleet_wall(fleet, recent->happening->t), CLOCK_HMS, time, sizeof time);
    int column = canvas_puts(canvas, row, 1, canvas->columns - 2, STYLE_MUTED, time);
    canvas_puts(canvas, row, column + 1, 1, sign.style, sign.glyph);
    column += 3;
    canvas_name(canvas, row, column, name, selected ? STYLE_ACCENT : STYLE_TEXT, &recent->pod->facts.name);
    column += name + 2;
    canvas_text(canvas, row, column, canvas->columns - 1 - column, sign.style, &recent->happening->words);
}

bool widget_contains(const struct text *text, const struct text *needle)
{
    const char *in = text_str(text), *wanted = text_str(needle);
    for (uint32_t at = 0; at + needle->len <= text->len; at++) {
        uint32_t i = 0;
        while (i < needle->len && tolower((unsigned char)in[at + i]) == tolower((unsigned char)wanted[i]))
            i++;
        if (i == needle->len)
            return true;
    }
    return false;
}
