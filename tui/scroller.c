#include "tui/scroller.h"

#include "tui/widget.h"

#include <limits.h>
#include <stdio.h>

enum { NOWHERE = -100000 }; /* a row at which nothing is painted: for measuring */

static void paint_rule(const struct page_layout *layout, struct canvas *canvas, int first, int shown, int total)
{
    if (!layout->rule)
        return;
    canvas_fill(canvas, 1, 0, canvas->columns, STYLE_TEXT, " ");
    canvas_fill(canvas, 1, 1, canvas->columns - 2, STYLE_MUTED, "─");
    if (total <= shown)
        return;
    char words[64];
    snprintf(words, sizeof words, " %d to %d of %d ", first + 1, first + shown, total);
    canvas_right(canvas, 1, 1, canvas->columns - 4, STYLE_MUTED, words);
}

static int scroller_measure(const struct scroller *scroller, struct canvas *canvas, int *added_rows)
{
    int total = 0;
    *added_rows = 0;
    for (int i = 0; i < scroller->count; i++) {
        int rows = scroller->item(scroller->user, i, canvas, NOWHERE);
        total += rows;
        if (i >= scroller->count - scroller->added)
            *added_rows += rows;
    }
    return total;
}

void scroller_paint(const struct scroller *scroller, struct view_state *state, struct canvas *canvas)
{
    struct page_layout layout = layout_page(canvas->columns, canvas->rows);
    int added, total = scroller_measure(scroller, canvas, &added);
    int most = total > layout.body.rows ? total - layout.body.rows : 0;
    if (scroller->from_end && state->scroll > 0)
        state->scroll += added;
    state->scroll = state->scroll < 0 ? 0 : state->scroll > most ? most : state->scroll;
    state->body_rows = layout.body.rows;
    int first = scroller->from_end ? most - state->scroll : state->scroll;
    int row = layout.body.row - first, end = layout.body.row + layout.body.rows;
    for (int i = 0; i < scroller->count && row < end; i++)
        row += scroller->item(scroller->user, i, canvas, row);
    for (int below = end; below < canvas->rows; below++) /* what stuck out at the bottom */
        canvas_fill(canvas, below, 0, canvas->columns, STYLE_TEXT, " ");
    if (scroller->count == 0)
        canvas_puts(canvas, layout.body.row, 1, canvas->columns - 2, STYLE_MUTED,
                    text_empty(&state->text_filter) ? scroller->empty : "nothing matches the filter");
    paint_rule(&layout, canvas, first, layout.body.rows, total);
}

int scroller_act(struct view_state *state, enum action action, bool from_end)
{
    int page = state->body_rows > 2 ? state->body_rows - 1 : 1, by = 0;
    switch (action) {
    case ACTION_UP:
        by = -1;
        break;
    case ACTION_DOWN:
        by = 1;
        break;
    case ACTION_HALF_UP:
        by = -(page + 1) / 2;
        break;
    case ACTION_HALF_DOWN:
        by = (page + 1) / 2;
        break;
    case ACTION_PAGE_UP:
        by = -page;
        break;
    case ACTION_PAGE_DOWN:
        by = page;
        break;
    case ACTION_FIRST:
        by = -INT_MAX / 4;
        break;
    case ACTION_LAST:
        by = INT_MAX / 4;
        break;
    default:
        return REACT_NOTHING;
    }
    state->scroll += from_end ? -by : by;
    if (state->scroll < 0)
        state->scroll = 0;
    return REACT_PAINT;
}

bool scroller_matches(const struct view_state *state, const struct text *text)
{
    return text_empty(&state->text_filter) || widget_contains(text, &state->text_filter) != state->text_filter_not;
}

int scroller_head(const struct view_state *state, struct canvas *canvas, const struct text *name, const char *word)
{
    canvas_fill(canvas, 0, 0, canvas->columns, STYLE_TEXT, " ");
    enum { NARROW = 60, NAME_NARROW = 18, NAME_WIDE = 40 };
    int room = state->header_columns;
    int most = room >= NARROW ? NAME_WIDE : NAME_NARROW; /* what stands behind it is wanted too */
    int column = canvas_name(canvas, 0, 1, room - 1 < most ? room - 1 : most, STYLE_HEADER, name);
    if (column + 2 < room)
        column = canvas_puts(canvas, 0, column + 2, room - column - 2, STYLE_TEXT, word);
    if (!text_empty(&state->text_filter) && column + 4 < room) {
        column = canvas_puts(canvas, 0, column + 2, 2, STYLE_ACCENT, state->text_filter_not ? "/!" : "/");
        column = canvas_text(canvas, 0, column, room - column, STYLE_ACCENT, &state->text_filter);
    }
    return column;
}
