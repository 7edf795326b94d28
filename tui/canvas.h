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
    uint8_t over;          /* enum style whose background and attributes lie over it; STYLE_TEXT: none */
};

struct canvas {
    int columns, rows;
    bool ascii; /* the terminal shows ASCII only: our own signs get their stand-ins, everything else becomes '?' */
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
/* Outside text over several rows of `width` columns, broken between words where possible. Returns the rows taken: at least 1, at most `rows` (then the last one is cut). */
int canvas_wrap(struct canvas *canvas, int row, int column, int width, int rows, enum style style,
                const struct text *text);
/* A name, cut in the middle. */
int canvas_name(struct canvas *canvas, int row, int column, int limit, enum style style, const struct text *text);
/* Right-aligned in [column, column + width). */
void canvas_right(struct canvas *canvas, int row, int column, int width, enum style style, const char *utf8);
void canvas_fill(struct canvas *canvas, int row, int column, int width, enum style style,
                 const char *glyph); /* one glyph, repeated */
void canvas_row_style(struct canvas *canvas, int row,
                      enum style style); /* lays a style's background and attributes over a row (selection) */

size_t codepoint_utf8(uint32_t codepoint, char out[5]); /* bytes written before the NUL */
bool canvas_cell_equal(const struct cell *a, const struct cell *b);
/* The picture as lines of UTF-8 without trailing blanks; with `styles`, a second block of the same size with one letter per cell: the
 * style's first letter, '.' for text, 'x' for escaped; a capital (':' for text) where another style lies over it. */
void canvas_dump(const struct canvas *canvas, bool styles, struct buf *out);

#endif
