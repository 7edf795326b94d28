/* Where things go on a screen of a given size. Pure: sizes in, places out; nothing is painted here.
 *
 * Narrow means fewer things, not smaller things: columns leave in a fixed order (p50, role, p99; then the timeline shrinks to 12 cells; then lanes, the timeline,
 * restarts and age leave); name, stage and what comes next stay. Widths handed out never overlap and never reach outside. */
#ifndef PROBETOP_LAYOUT_H
#define PROBETOP_LAYOUT_H

#include <stdbool.h>

struct place { /* columns of the screen; width 0: not shown */
    int column, width;
};
struct pane { /* rows of the screen; rows 0: not shown */
    int row, rows;
};

enum fleet_column {
    FLEET_NAME,
    FLEET_ROLE,
    FLEET_STAGE,
    FLEET_FOR,
    FLEET_RESTARTS,
    FLEET_LANES,
    FLEET_NEXT,
    FLEET_P50,
    FLEET_P99,
    FLEET_TIMELINE,
    FLEET_COLUMN_COUNT
};

enum { TIMELINE_CELLS_MIN = 12, FLEET_LEFT = 3 /* cursor, glyph, mark */ };

struct fleet_layout {
    bool rule; /* a rule in row 1 */
    int heads; /* row of the column headings; -1 none */
    struct pane list;
    struct pane hints;  /* of the selected pod */
    struct pane lately; /* what happened to all of them, with its title; only where rows are left over */
    int bottom;         /* the bottom line's row */
    struct place place[FLEET_COLUMN_COUNT];
};
/* roles: pods differ by them; pods: rows wanted; name_cells: columns of the longest name. */
struct fleet_layout layout_fleet(int columns, int rows, bool wide, bool roles, int pods, int name_cells);

enum lane_column {
    LANE_COLUMN_NAME,
    LANE_COLUMN_SPEC,
    LANE_COLUMN_THRESHOLD,
    LANE_COLUMN_STREAK,
    LANE_COLUMN_LAST,
    LANE_COLUMN_WHO,
    LANE_COLUMN_BEATS,
    LANE_COLUMN_COUNT
};
struct lane_layout {
    struct place place[LANE_COLUMN_COUNT];
};
struct lane_layout layout_lanes(int columns);

/* A page with a header, perhaps a rule, and a body that scrolls. */
struct page_layout {
    bool rule;
    struct pane body;
    int bottom;
};
struct page_layout layout_page(int columns, int rows);

#endif
