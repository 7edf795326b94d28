/* What a view is: a table of functions. A new screen is one file and one row in app.c. Views see the fleet const, paint a canvas, and say by a bit set what a key led to. */
#ifndef PROBETOP_VIEW_H
#define PROBETOP_VIEW_H

#include "model/fleet.h"
#include "tui/canvas.h"
#include "tui/keymap.h"

/* What a key or command led to; the app acts on it. */
enum reaction {
    REACT_NOTHING = 0,
    REACT_PAINT = 1,
    REACT_QUIT = 2,
    REACT_SUSPEND = 4,
    REACT_REDRAW = 8,
    REACT_CONTROL = 16, /* app_control_line() has a line for the engine */
    REACT_THEME = 32,   /* the theme changed: tell the terminal */
    REACT_FEED = 64,    /* app_feed_request() has something for the feed */
    REACT_COPY = 128,   /* app_copied() is for the terminal's clipboard */
    REACT_CARD = 256    /* app_card() is to be written to a file */
};

/* What all views share. Owned by the app. */
struct view_state {
    int columns, rows;
    bool ascii, wide, replay;
    uint32_t selected;  /* pod id; 0 none */
    int64_t cell_us;    /* time in a timeline cell */
    struct text filter; /* of the fleet view */
    bool filter_not, faults_only;
    int sort; /* column of the fleet view, 0: worst first */
    bool sort_inverted;
    int scroll;              /* of the present text view, lines */
    struct text text_filter; /* of the present text view */
    bool text_filter_not;
    bool paused;  /* the picture is held */
    double speed; /* of a replay */
    bool at_end;
    bool back_in_time; /* live, but showing an earlier moment */
    const struct keymap *keymap;
    const char *message; /* one line to show in the bottom line, "" none */
    /* The fleet view's present order of pod ids: kept so that rows do not jump under the cursor. Owned. */
    uint32_t *order;
    uint32_t order_count;
    int top;          /* first row shown */
    bool chosen;      /* the user chose the selected pod; otherwise it is the first in the list */
    int64_t moved_at; /* t at which the user last moved in the list, -1 never: rows stay where they are for a while */
    bool order_held;  /* the rows would stand otherwise, were it not for that */
    int64_t anchor;   /* t of the lowest line shown while a text view is scrolled back: new lines do not push it away */
    int body_rows;    /* rows that the present view had for what scrolls when it was last painted */
    int header_columns; /* columns of row 0 that are the view's; the rest is the app's (clock, what is frozen) */
    bool restless;      /* something is loading, failing or frozen: seconds are shown */
};

struct view_ops {
    const char *name;
    int where; /* IN_FLEET, IN_POD or IN_TEXT */
    /* Paints rows [0, rows - 1); the bottom line is the app's. */
    void (*paint)(struct view_state *state, const struct fleet *fleet, int64_t now, struct canvas *canvas);
    int (*act)(struct view_state *state, const struct fleet *fleet, int64_t now, enum action action); /* reactions */
};
/* How the fleet view's rows stand, in words: "sorted by role, inverted". */
void view_fleet_order_words(const struct view_state *state, char *out, size_t size);
extern const struct view_ops view_fleet, view_pod, view_logs, view_events, view_help;

#endif
