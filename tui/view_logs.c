/* The log lines of the selected pod, newest at the bottom. */
#include "tui/scroller.h"
#include "tui/widget.h"

#include <stdio.h>

struct log_page {
    const struct fleet *fleet;
    const struct log_line *lines[POD_LOGS_MAX]; /* those that match, oldest first */
    int count;
};

static int log_item(void *user, int index, struct canvas *canvas, int row)
{
    const struct log_page *page = user;
    const struct log_line *line = page->lines[index];
    char time[32];
    bool roomy = canvas->columns >= 60;
    clock_format(fleet_wall(page->fleet, line->t), roomy ? CLOCK_HMS : CLOCK_HM, time, sizeof time);
    int column = canvas_puts(canvas, row, 1, canvas->columns - 1, STYLE_MUTED, time) + 1;
    if (line->previous)
        column = canvas_puts(canvas, row, column, 9, STYLE_WARN, roomy ? "previous" : "p") + 1;
    if (line->sidecar)
        column = canvas_puts(canvas, row, column, 8, STYLE_ACCENT, roomy ? "sidecar" : "s") + 1;
    int width = canvas->columns - column - 1;
    enum style style = line->previous ? STYLE_MUTED : STYLE_TEXT;
    return canvas_wrap(canvas, row, column, width > 1 ? width : 1, 8, style, &line->line);
}

/* Collects what matches; returns how many of them are new since the last paint. */
static int page_fill(struct log_page *page, struct view_state *state, const struct pod *pod)
{
    int added = 0;
    for (uint32_t back = pod->log_count; back > 0 && page->count < POD_LOGS_MAX; back--) {
        const struct log_line *line = pod_log(pod, back - 1);
        if (!scroller_matches(state, &line->line))
            continue;
        page->lines[page->count++] = line;
        added += line->t > state->anchor;
    }
    if (page->count > 0)
        state->anchor = page->lines[page->count - 1]->t;
    return added;
}

static void paint(struct view_state *state, const struct fleet *fleet, int64_t now, struct canvas *canvas)
{
    const struct pod *pod = fleet_pod(fleet, state->selected);
    static const struct text NOBODY;
    struct log_page page = {.fleet = fleet};
    (void)now;
    int added = pod ? page_fill(&page, state, pod) : 0;
    const char *none = pod && pod->facts.kubelet
                           ? "no log line was seen: none is written yet, or pods/log may not be read"
                           : "no log line was seen: is there a log to follow?";
    const struct scroller scroller = {.item = log_item,
                                      .user = &page,
                                      .count = page.count,
                                      .from_end = true,
                                      .empty = pod ? none : "this pod is no longer known",
                                      .added = added};
    scroller_paint(&scroller, state, canvas);
    scroller_head(state, canvas, pod ? &pod->facts.name : &NOBODY, "log");
}

static int act(struct view_state *state, const struct fleet *fleet, int64_t now, enum action action)
{
    (void)fleet;
    (void)now;
    return scroller_act(state, action, true);
}

const struct view_ops view_logs = {"logs", IN_TEXT, paint, act};
