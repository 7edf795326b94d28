/* Pieces of bytes that somebody else keeps, for reading what kubectl prints for people. Nothing here needs a NUL at the end, and nothing is cleaned: see text_set(). */
#ifndef PROBETOP_SLICE_H
#define PROBETOP_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
    const char *bytes; /* NULL: there is nothing */
    size_t length;
};

struct slice slice_of(const char *string);
bool slice_is(struct slice slice, const char *string);
bool slice_starts(struct slice slice, const char *string);
/* Where the words stand in it, NULL: nowhere. */
const char *slice_find(struct slice slice, const char *words);
struct slice slice_from(struct slice slice, size_t from);     /* without the first `from` bytes */
struct slice slice_before(struct slice slice, size_t length); /* the first `length` bytes */
struct slice slice_trim(struct slice slice);                  /* without blanks at both ends */
size_t slice_indent(struct slice line);                       /* blanks that it begins with; a tab counts as one */
/* Takes the next line from what is left, without its "\n" or "\r\n". False: nothing is left. */
bool slice_line(struct slice *left, struct slice *line);
/* Takes the next word; empty at the end. */
struct slice slice_word(struct slice *left);
/* A whole number of decimal digits, and nothing else. */
bool slice_number(struct slice slice, int64_t *out);

#endif
