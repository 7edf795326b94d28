/* The incident card's file: in the present directory, for the user alone, and never in place of another. */
#ifndef PROBETOP_CARD_FILE_H
#define PROBETOP_CARD_FILE_H

#include "base/buf.h"
#include "base/status.h"

/* name: without ".md"; where such a file is there already the next free of "name-2" to "name-9" is taken. *said tells where it is, or why there is none. */
enum status card_file_write(const char *name, const struct buf *card, struct problem *said);

#endif
