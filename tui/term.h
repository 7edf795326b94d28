/* The terminal; term.c is the only user of curses. */
#ifndef PROBETOP_TERM_H
#define PROBETOP_TERM_H

#include "base/status.h"
#include "tui/canvas.h"
#include "tui/keymap.h"

struct term; /* at most one */

enum term_colour { TERM_COLOUR_AUTO, TERM_COLOUR_ALWAYS, TERM_COLOUR_NEVER };

/* Whether term_open() would find a terminal it can use; writes nothing. For deciding on line mode before anything is started. */
enum status term_usable(struct problem *problem);
/* Takes the terminal over. STATUS_UNSUPPORTED with a sentence when TERM is unknown, dumb or cannot move the cursor: fall back to line mode. `ascii` comes from term_is_ascii(). */
enum status term_open(enum term_colour colour, struct term **out, struct problem *problem);
void term_close(struct term *term); /* gives the terminal back as it was; NULL is fine */
/* The bytes that give this terminal back without curses (leave alternate screen, show cursor, keypad off, attributes off), for guard.h. */
void term_restore_bytes(const struct term *term, struct buf *out);
void term_theme(struct term *term, const struct theme *theme);
int term_columns(const struct term *term);
int term_rows(const struct term *term);
void term_resized(struct term *term); /* after SIGWINCH: asks the terminal again */
/* Shows the canvas; writes only what differs from what is shown; nothing differs: writes nothing. */
void term_show(struct term *term, const struct canvas *canvas);
/* Bytes for the terminal itself, between frames: they must neither move the cursor nor change the picture. */
void term_send(struct term *term, const char *bytes, size_t length);
void term_redraw(struct term *term); /* the next term_show() paints everything */
int term_key(struct term *term); /* enum key or a Unicode code point; KEY_NONE when there is none now. Never blocks. */
void term_suspend(struct term *term); /* gives the terminal back for ^Z; term_resume() takes it again */
void term_resume(struct term *term);
bool term_gone(const struct term *term); /* reading failed for good: the terminal is no longer there */

/* No UTF-8: LC_ALL, LC_CTYPE, LANG in that order say so, or TERM is one that cannot. */
bool term_is_ascii(void);

#endif
