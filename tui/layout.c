#include "tui/layout.h"

#include <stddef.h>
#include <string.h>

enum { LEVELS = 10, ALWAYS = LEVELS };

/* A column's claims. It is there on levels below `leaves`; from level `shrinks` on its least width is `small`. */
struct claim {
    int gap, least, small, shrinks, leaves;
};

static const struct claim FLEET_CLAIMS[FLEET_COLUMN_COUNT] = {
    [FLEET_NAME] = {0, 17, 14, 5, ALWAYS},   [FLEET_ROLE] = {1, 7, 7, ALWAYS, 2},
    [FLEET_STAGE] = {1, 18, 8, 8, ALWAYS},   [FLEET_FOR] = {1, 5, 5, ALWAYS, 8},
    [FLEET_RESTARTS] = {1, 2, 2, ALWAYS, 8}, [FLEET_LANES] = {2, 5, 5, ALWAYS, 6},
    [FLEET_NEXT] = {2, 25, 16, 5, ALWAYS},   [FLEET_P50] = {1, 5, 5, ALWAYS, 1},
    [FLEET_P99] = {1, 5, 5, ALWAYS, 3},      [FLEET_TIMELINE] = {1, 16, TIMELINE_CELLS_MIN, 5, 7},
};

static const struct claim LANE_CLAIMS[LANE_COLUMN_COUNT] = {
    [LANE_COLUMN_NAME] = {0, 9, 9, ALWAYS, ALWAYS}, [LANE_COLUMN_SPEC] = {1, 22, 22, ALWAYS, 2},
    [LANE_COLUMN_THRESHOLD] = {1, 9, 9, ALWAYS, 4}, [LANE_COLUMN_STREAK] = {2, 21, 14, 5, ALWAYS},
    [LANE_COLUMN_LAST] = {2, 18, 12, 3, 5},         [LANE_COLUMN_WHO] = {1, 7, 7, ALWAYS, 1},
    [LANE_COLUMN_BEATS] = {2, 15, 12, 2, 6},
};

/* Who gets how much of what is left over, one after the other. */
struct wish {
    int column, width;
};

static int least(const struct claim *claim, int level)
{
    return level >= claim->shrinks ? claim->small : claim->least;
}

static int needed(const struct claim *claims, int count, int level)
{
    int sum = 0;
    for (int i = 0; i < count; i++)
        if (level < claims[i].leaves)
            sum += claims[i].gap + least(&claims[i], level);
    return sum;
}

static void columns_place(const struct claim *claims, int count, int first_level, int left, int columns,
                          const struct wish *wishes, int wish_count, struct place *out)
{
    int level = first_level;
    while (level < LEVELS - 1 && left + needed(claims, count, level) > columns)
        level++;
    int spare = columns - left - needed(claims, count, level);
    for (int i = 0; i < count; i++)
        out[i].width = level < claims[i].leaves ? least(&claims[i], level) : 0;
    for (int i = 0; i < wish_count && spare > 0; i++) {
        int *width = &out[wishes[i].column].width;
        int more = wishes[i].width - *width;
        more = more > spare ? spare : more;
        if (*width == 0 || more <= 0)
            continue;
        *width += more;
        spare -= more;
    }
    int at = left;
    for (int i = 0; i < count; i++) {
        if (out[i].width == 0)
            continue;
        at += i > 0 ? claims[i].gap : 0;
        out[i].column = at;
        if (at + out[i].width > columns) /* narrower than anything promised */
            out[i].width = columns > at ? columns - at : 0;
        at += out[i].width;
    }
}

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

struct page_layout layout_page(int columns, int rows)
{
    struct page_layout layout = {0};
    (void)columns;
    layout.rule = rows >= 12;
    layout.bottom = rows > 1 ? rows - 1 : -1;
    layout.body.row = layout.rule ? 2 : 1;
    layout.body.rows = clamp(rows - 1 - layout.body.row, 0, rows);
    return layout;
}

enum {
    LATELY_LEAST = 4, /* a title and three lines: fewer are not worth a pane */
    HINTS_MOST = 12
};

/* The list takes what the pods need, the hints stand below it; where room is short the list gives first, down to half of it. */
static void fleet_panes(struct fleet_layout *layout, int rows, int pods)
{
    int top = layout->rule ? 2 : rows > 1 ? 1 : 0;
    layout->heads = layout->rule ? top++ : -1;
    int room = rows - 1 - top;
    int wanted = rows >= 20 ? 7 : rows >= 14 ? 4 : rows >= 7 ? 2 : 0;
    int blank = wanted > 2 ? 1 : 0; /* above it */
    int most = clamp(room - wanted - blank, 0, rows);
    layout->list.row = top;
    layout->list.rows = clamp(pods > 0 ? pods : 1, 1, most > 1 ? most : 1);
    if (layout->list.rows > room)
        layout->list.rows = clamp(room, 0, rows);
    if (wanted == 0 || pods == 0)
        return;
    layout->hints.row = top + layout->list.rows + blank;
    int left = rows - 1 - layout->hints.row;
    /* Its place is fixed: what happened does not move when the hints get longer. */
    if (rows >= 20 && left >= wanted + LATELY_LEAST) {
        layout->hints.rows = clamp(wanted + (left - wanted - LATELY_LEAST) / 2, wanted, HINTS_MOST);
        layout->lately.row = layout->hints.row + layout->hints.rows;
        layout->lately.rows = rows - 1 - layout->lately.row;
        return;
    }
    /* one blank row above the bottom line where there is room for it */
    layout->hints.rows = clamp(left > wanted ? left - 1 : left, 0, HINTS_MOST);
}

enum { NAME_LEAST = 10, STAGE_WISH = 27, STAGE_WISH_MOST = 34 };

struct fleet_layout layout_fleet(int columns, int rows, bool wide, bool roles, int pods, int name_cells)
{
    struct fleet_layout layout;
    memset(&layout, 0, sizeof layout);
    struct page_layout page = layout_page(columns, rows);
    layout.rule = page.rule;
    layout.bottom = page.bottom;
    fleet_panes(&layout, rows, pods);
    struct claim claims[FLEET_COLUMN_COUNT];
    memcpy(claims, FLEET_CLAIMS, sizeof claims);
    if (!roles)
        claims[FLEET_ROLE].leaves = 0;
    /* What short names do not need is the stage's, for its reason. */
    struct claim *name = &claims[FLEET_NAME];
    int stage = clamp(STAGE_WISH + name->least - name_cells, STAGE_WISH, STAGE_WISH_MOST);
    name->least = clamp(name_cells, NAME_LEAST, name->least);
    name->small = name->small < name->least ? name->small : name->least;
    const struct wish wishes[] = {{FLEET_NAME, clamp(name_cells, NAME_LEAST, 15)},
                                  {FLEET_STAGE, 22},
                                  {FLEET_NEXT, 26},
                                  {FLEET_NAME, clamp(name_cells, NAME_LEAST, 24)},
                                  {FLEET_STAGE, stage},
                                  {FLEET_NEXT, 34},
                                  {FLEET_NAME, clamp(name_cells, NAME_LEAST, 32)},
                                  {FLEET_STAGE, STAGE_WISH_MOST},
                                  {FLEET_TIMELINE, 36},
                                  {FLEET_ROLE, 14},
                                  {FLEET_NAME, clamp(name_cells, NAME_LEAST, 63)},
                                  {FLEET_STAGE, 40},
                                  {FLEET_NEXT, 44},
                                  {FLEET_RESTARTS, 4},
                                  {FLEET_TIMELINE, 60}};
    columns_place(claims, FLEET_COLUMN_COUNT, wide ? 0 : 1, columns > FLEET_LEFT ? FLEET_LEFT : 0, columns, wishes,
                  (int)(sizeof wishes / sizeof *wishes), layout.place);
    return layout;
}

struct lane_layout layout_lanes(int columns)
{
    struct lane_layout layout;
    memset(&layout, 0, sizeof layout);
    const struct wish wishes[] = {{LANE_COLUMN_LAST, 28},  {LANE_COLUMN_SPEC, 26},   {LANE_COLUMN_LAST, 50},
                                  {LANE_COLUMN_WHO, 13},   {LANE_COLUMN_STREAK, 34}, {LANE_COLUMN_LAST, 70},
                                  {LANE_COLUMN_BEATS, 100}};
    columns_place(LANE_CLAIMS, LANE_COLUMN_COUNT, 0, columns > 1 ? 1 : 0, columns, wishes,
                  (int)(sizeof wishes / sizeof *wishes), layout.place);
    return layout;
}
