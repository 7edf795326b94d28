/* The only way from outside bytes to drawable text.
 *
 * Everything that comes from outside (names, bodies, log lines, events, model ids, paths, file contents) is hostile until
 * text_set() has cleaned it. What a `struct text` holds is valid UTF-8 made only of printable characters: letters, marks,
 * numbers, punctuation, symbols and plain spaces. Everything else is shown, never dropped silently:
 *   - control bytes and invalid UTF-8 become `\xNN`, with `\n`, `\r` and `\t` for those three and `\\` staying one backslash;
 *   - invisible or direction-changing characters (Cf, Cc, Co, Cn, Cs, Zl, Zp, U+3164 and other blank letters) become `\u{HEX}`;
 *   - no-break and other odd spaces become a plain space; more than 2 combining marks on one character are cut.
 * No escape sequence is ever parsed, so none can be parsed wrongly. Views and reports take nothing else from outside.
 *
 * Width is by Unicode's East Asian Width (utf8proc), independent of the locale of the machine. */
#ifndef PROBETOP_TEXT_H
#define PROBETOP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TEXT_NAME = 253,  /* most cells of a name (RFC 1123 subdomain) */
    TEXT_LINE = 1024, /* most cells of a log line, an event's message, a sentence */
    TEXT_BODY = 4096, /* most cells of a response body */
};

/* Zero-initialise to get the empty text. Owned by whoever holds the struct; free with text_free(). */
struct text {
    char *bytes;    /* owned; NULL when empty: read it by text_str() */
    uint32_t len;   /* bytes, without the NUL */
    uint32_t cells; /* columns on a terminal */
    bool escaped;   /* something had to be shown as an escape: worth a mark on the screen */
    bool cut;       /* longer than max_cells: it ends in U+2026 */
};

/* Replaces what `text` holds. `bytes` need not end in NUL and may hold NULs. max_cells is one of the TEXT_ limits or any other number
 * of columns; a longer text is cut there. */
void text_set(struct text *text, const char *bytes, size_t length, size_t max_cells);
/* The same for a NUL-terminated string; NULL gives the empty text. */
void text_set_str(struct text *text, const char *string, size_t max_cells);
/* printf into a text; what the arguments bring in is cleaned like everything else. */
void text_printf(struct text *text, size_t max_cells, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same line by line, for a patch or a block of a file: line ends stay line ends, so draw such a text by its lines only. Each line is cut at max_cells; cells are those of the widest. */
void text_set_lines(struct text *text, const char *bytes, size_t length, size_t max_cells);
void text_copy(struct text *to, const struct text *from);
void text_move(struct text *to, struct text *from); /* `from` becomes empty */
void text_free(struct text *text);                  /* leaves the empty text */

const char *text_str(const struct text *text); /* never NULL */
bool text_empty(const struct text *text);
bool text_equal(const struct text *a, const struct text *b);
bool text_is(const struct text *text, const char *string);

/* Walks clean UTF-8 (a struct text's bytes or our own literals) one terminal character at a time: a base character with up to 2
 * combining marks. Returns the bytes taken, 0 at the end. `columns` is 1 or 2. Bytes that are not valid UTF-8 count as one '?'. */
struct glyph {
    uint32_t codepoint[3]; /* base and marks, 0-filled */
    uint8_t columns;
    uint8_t bytes; /* same as the return value */
};
size_t text_glyph(const char *utf8, size_t length, struct glyph *glyph);

/* Columns of clean UTF-8. */
size_t text_columns(const char *utf8, size_t length);

/* The name cut in the middle to at most `columns` columns, with U+2026 (or ".." where `ascii`) where something is missing: pods differ at
 * their ends. Writes a NUL-terminated string into `out` and returns it; `size` is at least 4 * columns + 4. */
const char *text_middle(const struct text *text, size_t columns, bool ascii, char *out, size_t size);

#endif
