/* Moments that log lines carry: kubectl's own (--timestamps), and those that the program wrote, by its container's clock and mostly without a year. Pure. */
#ifndef PROBETOP_STAMP_H
#define PROBETOP_STAMP_H

#include "kube/slice.h"

/* What kubectl logs --timestamps puts before a line: Unix µs, and the words behind it. False: the line begins with none. */
bool line_moment(struct slice line, int64_t *wall, struct slice *words);

/* vLLM's "INFO 11-24 06:20:00 [core.py:33]", Python's "2026-11-24 06:20:00,123", NCCL's "[2026-11-24 06:20:00]": whole seconds as Unix µs if the clock's zone is UTC. `year` is taken where the line has none, or the next one where that would lie months before `after`, the log's first stamp (0: not known yet).
 * *year_found: that the line has; 0: none. False: nothing like that stands near the line's beginning. */
bool line_stamp(struct slice line, int year, int64_t after, int64_t *wall, int *year_found);

/* What a log's stamps tell as a whole. */
struct stamps {
    bool any;
    int year; /* that one of its lines has; 0: none has one */
    int64_t first, newest;
};
/* `year`: for lines without one. */
void stamps_of(struct slice log, int year, struct stamps *out);

#endif
