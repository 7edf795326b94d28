/* Everything that happened to the selected pod, in order, newest at the bottom: stages, probes, the kubelet's doings, events, notable log lines. */
#include "tui/scroller.h"
#include "tui/widget.h"

struct event_page {
    const struct fleet *fleet;
    const struct happening *list[POD_HAPPENINGS_MAX]; /* those that match, oldest first */
    int count;
};

static int event_item(void *user, int index, struct canvas *canvas, int row)
{
    const struct event_page *page = user;
    return widget_happening(canvas, row, page->fleet, page->list[index], 8);
}

static int page_fill(struct event_page *page, struct view_state *state, const struct pod *pod)
{
    int added = 0;
    for (uint32_t back = pod->happening_count; back > 0 && page->count < POD_HAPPENINGS_MAX; back--) {
        const struct happening *happening = pod_happening(pod, back - 1);
        if (!scroller_matches(state, &happening->words))
            continue;
        page->list[page->count++] = happening;
        added += happening->t > state->anchor;
    }
    if (page->count > 0)
        state->anchor = page->list[page->count - 1]->t;
    return added;
}

static void paint(struct view_state *state, const struct fleet *fleet, int64_t now, struct canvas *canvas)
{
    const struct pod *pod = fleet_pod(fleet, state->selected);
    static const struct text NOBODY;
    struct event_page page = {.fleet = fleet};
    (void)now;
    int added = pod ? page_fill(&page, state, pod) : 0;
    const struct scroller scroller = {.item = event_item,
                                      .user = &page,
                                      .count = page.count,
                                      .from_end = true,
                                      .empty = pod ? "nothing has happened yet" : "this pod is no longer known",
                                      .added = added};
    scroller_paint(&scroller, state, canvas);
    scroller_head(state, canvas, pod ? &pod->facts.name : &NOBODY, "what happened");
}

static int act(struct view_state *state, const struct fleet *fleet, int64_t now, enum action action)
{
    (void)fleet;
    (void)now;
    return scroller_act(state, action, true);
}

const struct view_ops view_events = {"events", IN_TEXT, paint, act};
