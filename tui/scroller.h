/* Pages that scroll: a header in row 0, a rule, and a body of items of one or more rows each. Shared by all views but the fleet's. */
#ifndef PROBETOP_SCROLLER_H
#define PROBETOP_SCROLLER_H

#include "tui/layout.h"
#include "tui/view.h"

/* Paints item `index` beginning at `row` (which may lie outside the canvas: then nothing is painted, but all is counted) and returns the rows it takes. */
typedef int scroller_item_fn(void *user, int index, struct canvas *canvas, int row);

struct scroller {
    scroller_item_fn *item;
    void *user;
    int count;
    bool from_end;     /* scroll counts rows back from the end, and 0 follows what comes */
    const char *empty; /* what to say when there are no items */
    int added; /* items at the end that are new since the last paint: they do not push away what is being read */
};

/* Paints the body and the rule; the header is to be painted afterwards, over what stuck out. Corrects state->scroll. */
void scroller_paint(const struct scroller *scroller, struct view_state *state, struct canvas *canvas);
int scroller_act(struct view_state *state, enum action action, bool from_end); /* reactions */
bool scroller_matches(const struct view_state *state,
                      const struct text *text); /* the present text filter lets it through */
/* Clears row 0 and paints a pod's name with a word and the filter beside it; returns the column after. */
int scroller_head(const struct view_state *state, struct canvas *canvas, const struct text *name, const char *word);

#endif
