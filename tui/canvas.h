/* A rectangle of cells that views paint and term.c shows. No curses here: tests print a canvas as plain text.
 *
 * Everything is clipped: painting outside does nothing. A wide character that does not fit whole at the right edge becomes a space. */
#ifndef PROBETOP_CANVAS_H
#define PROBETOP_CANVAS_H

#include "base/buf.h"
#include "base/text.h"
#include "tui/theme.h"

struct cell {
    uint32_t codepoint[3]; /* 0 in [0]: the right half of a wide character */
    uint8_t columns;       /* 1 or 2; 0 for a right half */
    uint8_t style;         /* enum style */
    uint8_t attributes;    /* ATTR_ bits added to the style's */
};

struct canvas {
    int columns, rows;
    bool ascii;         /* the terminal shows ASCII only: canvas_text() turns other characters into '?' */
    struct cell *cells; /* owned; rows * columns */
};

void canvas_init(struct canvas *canvas, int columns, int rows, bool ascii);
void canvas_resize(struct canvas *canvas, int columns, int rows);
void canvas_free(struct canvas *canvas);
void canvas_clear(struct canvas *canvas); /* spaces in STYLE_TEXT */

/* Our own words: a literal or formatted numbers (never outside bytes: those go through a struct text). Returns the column after the last cell. `limit`: columns at most. */
int canvas_puts(struct canvas *canvas, int row, int column, int limit, enum style style, const char *utf8);
int canvas_printf(struct canvas *canvas, int row, int column, int limit, enum style style, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* Outside text, cut at the end with U+2026 (".." in ascii) where longer than `limit`. */
int canvas_text(struct canvas *canvas, int row, int column, int limit, enum style style, const struct text *text);
/* A name, cut in the middle. */
int canvas_name(struct canvas *canvas, int row, int column, int limit, enum style style, const struct text *text);
/* Right-aligned in [column, column + width). */
void canvas_right(struct canvas *canvas, int row, int column, int width, enum style style, const char *utf8);
void canvas_fill(struct canvas *canvas, int row, int column, int width, enum style style,
                 const char *glyph); /* one glyph, repeated */
void canvas_row_style(struct canvas *canvas, int row,
                      enum style style); /* lays a style's background and attributes over a row (selection) */

bool canvas_cell_equal(const struct cell *a, const struct cell *b);
/* The picture as lines of UTF-8 without trailing blanks; with `styles`, a second block of the same size with one letter per cell (the style's first letter, '.' for text). */
void canvas_dump(const struct canvas *canvas, bool styles, struct buf *out);

#endif
