/* The application without terminal, loop and clock: keys in, canvas out. tui/screen.c joins it to the real ones; tests drive it with a journal and a list of keys. */
#ifndef PROBETOP_APP_H
#define PROBETOP_APP_H

#include "base/buf.h"
#include "tui/theme.h"
#include "tui/view.h"

struct app_options {
    bool ascii, replay;
    struct keymap keymap;
    char **theme_names;     /* NULL-terminated; borrowed */
    const char *theme;      /* the present one's name */
    const char *themes_dir; /* may be NULL */
    const char
        *clipboard; /* what to say of a text sent to the terminal's clipboard: clipboard_words(); "" it has none */
};

struct app;
struct app *app_new(const struct app_options *options);
void app_free(struct app *app);
/* A key or character; returns reactions. */
int app_key(struct app *app, const struct fleet *fleet, int64_t now, int key);
/* Paints the whole screen at the canvas's size. The same app, fleet, now and size give the same cells. */
void app_paint(struct app *app, const struct fleet *fleet, int64_t now, struct canvas *canvas);
/* The t after `now` at which the picture changes by time alone (ages, countdowns, timeline): never earlier than needed, so that at rest nothing is painted. */
int64_t app_next_change(const struct app *app, const struct fleet *fleet, int64_t now);
void app_set_playback(struct app *app, bool paused, double speed, bool at_end, bool back_in_time);
/* The run's own time while an earlier moment is shown, for "2:10 ago"; -1 (as at first): not told. */
void app_set_live(struct app *app, int64_t live_now);
void app_message(struct app *app,
                 const char *sentence);        /* our own words, shown in the bottom line until the next key */
const char *app_control_line(struct app *app); /* after REACT_CONTROL */
const struct theme *app_theme(const struct app *app);

const struct text *app_copied(const struct app *app); /* after REACT_COPY */
/* After REACT_CARD: its text, and what its file is to be called, without ".md". */
const struct buf *app_card(const struct app *app, const char **name);

/* After REACT_FEED. */
enum feed_request { FEED_NOTHING, FEED_TOGGLE_PAUSE, FEED_SEEK, FEED_FASTER, FEED_SLOWER };
enum feed_request app_feed_request(struct app *app, int64_t *seek_to);

#endif
