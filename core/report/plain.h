/* Words for terminals and files that may not know UTF-8. */
#ifndef PROBETOP_PLAIN_H
#define PROBETOP_PLAIN_H

#include "base/buf.h"

/* Appends clean UTF-8 as it is or, in ASCII, with '-' for a dash and '?' for every other character beyond it. */
void report_plain(const char *utf8, bool ascii, struct buf *out);

#endif
