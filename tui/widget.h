/* The small things that rows and pages are made of: ages, signs of lanes, heartbeats, timeline strips, what comes next in words.
 *
 * At rest nothing changes: everything about a pod that is Ready and quiet is shown as of the last whole ten seconds of the wall clock, everything else as of the last whole
 * second, so that all rows change at one moment and app_next_change() can tell it. */
#ifndef PROBETOP_WIDGET_H
#define PROBETOP_WIDGET_H

#include "base/clock.h"
#include "model/hints.h"
#include "tui/canvas.h"

enum { QUIET_STEP_US = 10 * SECOND_US };

/* The newest moment, at `t` or before it, at which the wall clock shows a multiple of `unit`. */
int64_t widget_floor(const struct fleet *fleet, int64_t t, int64_t unit);
/* Loading, failing, on its way to something, or new: to be looked at by the second. */
bool widget_restless(const struct pod *pod, int64_t now);
/* A hint says what is wrong with it, or its sidecar has ended, though its stage does not show that. */
bool widget_in_trouble(const struct pod *pod);
/* Somebody should look at it: broken, failing, too slow, or close to a limit. */
bool widget_needs_look(const struct fleet *fleet, const struct pod *pod, int64_t now);
/* Worst first: higher is worse. Made of what was seen in the last minute, so that a pod that flaps does not jump up and down: one that serves again stands below all that are broken and
 * above all that load. Of nothing but the model, so that a replay sorts as the live run did. */
int widget_rank(const struct pod *pod, int64_t now);

/* How long since `since`, as it is to be shown for this pod. */
const char *widget_age(const struct fleet *fleet, const struct pod *pod, int64_t since, int64_t now, char *out,
                       size_t size);
/* The moment at which what is said about this pod is true: its ages are then those that widget_age() shows. */
int64_t widget_moment(const struct fleet *fleet, const struct pod *pod, int64_t now);
/* Loading is a warning's colour; where it will not be done in time, or a hint says why it cannot be, a fault's. */
enum style widget_stage_style(const struct pod *pod, int64_t now);

bool widget_lane_done(const struct pod *pod, enum lane_kind lane); /* the startup probe, once it has succeeded */

struct sign {
    const char *glyph;
    enum style style;
};
/* A lane in one character: ✓ ✗ · (waits) – (not there) ! (errored) ? (unknown). */
struct sign widget_lane_sign(const struct pod *pod, enum lane_kind lane, int64_t now);

/* What comes next, in forms from the longest to the shortest. Our own words and numbers only. */
enum { NEXT_FORMS_MAX = 6, NEXT_WORDS_MAX = 72 };
struct next {
    enum style style;
    char forms[NEXT_FORMS_MAX][NEXT_WORDS_MAX];
    int count; /* 0: nothing */
};
void widget_next(const struct fleet *fleet, const struct pod *pod, int64_t now, struct next *out);
/* Where one lane's streak leads; count 0 when nowhere. */
void widget_streak(const struct pod *pod, enum lane_kind lane, int64_t now, struct next *out);
/* The longest form that fits. */
void widget_next_paint(const struct next *next, struct canvas *canvas, int row, int column, int width);

/* Nearest-rank percentile of the answers that ended up to `until`, as history_percentile() counts them; -1 with none. */
int64_t widget_percentile(const struct history *history, int percent, int64_t until);
/* The lane whose latency is the pod's: what decides about traffic, or else whatever answered; NULL when nothing did. */
const struct lane *widget_traffic_lane(const struct pod *pod);
/* The kubelet's lane whose p99 is closest to its timeout, from half of it on; false: none. */
bool widget_near_limit(const struct fleet *fleet, const struct pod *pod, int64_t now, enum lane_kind *lane,
                       int64_t *p99);

/* The newest samples, newest at the right: latency as a share of the timeout (▁ one eighth, █ at it), ✗ failed, ? unknown, ! errored, · our own delay. */
void widget_beats(struct canvas *canvas, int row, int column, int width, const struct lane *lane);
/* One cell a bucket of `cell` µs of the wall clock, the newest at the right. */
void widget_timeline(struct canvas *canvas, int row, int column, int width, const struct fleet *fleet,
                     const struct pod *pod, int64_t now, int64_t cell);
const char *widget_cell_words(int64_t cell, char *out, size_t size); /* "10 s a cell" */

/* A picture of time over `cells` columns. */
struct axis {
    int64_t from, cell;
    int cells;
};
int widget_axis_cell(const struct axis *axis, int64_t t); /* may lie outside */
/* One stage's row of a Gantt chart: where the pod was in that stage. Returns the column after the last painted cell, -1 when it never was in it. */
int widget_gantt(struct canvas *canvas, int row, int column, const struct axis *axis, const struct pod *pod,
                 enum stage stage, int64_t now);

/* One entry of the merged timeline over at most `rows` rows; returns the rows taken. */
int widget_happening(struct canvas *canvas, int row, const struct fleet *fleet, const struct happening *happening,
                     int rows);

/* What a hint quotes, as one line: "14:03:10 probes  liveness GET :8200/health: ..."; without a moment "siblings  ...". */
void widget_evidence(const struct fleet *fleet, const struct evidence *evidence, struct text *out);

/* The newest happenings of these pods, merged, newest first: at most `most` into `out`; returns how many. What is expected, and what is told twice, is left to the pod's own page. The work is bounded by
 * the number of pods, not by how much happened to them. */
struct recent {
    const struct pod *pod;
    const struct happening *happening;
};
int widget_recent(const struct pod *const *pods, uint32_t count, int64_t now, struct recent *out, int most);
/* One of them in one row: when, how bad, to whom, what. */
void widget_recent_paint(struct canvas *canvas, int row, const struct fleet *fleet, const struct recent *recent,
                         bool selected);

/* Whether `text` contains `needle`, whatever the case of ASCII letters. */
bool widget_contains(const struct text *text, const struct text *needle);

#endif
