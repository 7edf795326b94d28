/* Facts as lines of JSON, the journal's format (version 1). Header values of probe specs are never written. */
#ifndef PROBETOP_FACT_JSON_H
#define PROBETOP_FACT_JSON_H

#include "base/buf.h"
#include "model/fact.h"

enum { FACT_LINE_MAX = 256 * 1024 };

/* Appends one line with its newline. A line that would not fit FACT_LINE_MAX is not written: STATUS_FULL. */
enum status fact_encode(const struct fact *fact, struct buf *out);
/* Reads one line (without or with its newline). On success `fact` (uninitialised before) is to be freed with fact_free(); otherwise it needs no freeing and `problem` (may be NULL) says what was
 * wrong. Unknown keys are ignored; an unknown kind gives STATUS_UNSUPPORTED (skip it). */
enum status fact_decode(const char *line, size_t length, struct fact *fact, struct problem *problem);

#endif
