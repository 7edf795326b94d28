/* Line mode: one sentence per transition on standard output, for pipes, logs and terminals that cannot move the cursor. */
#ifndef PROBETOP_LINES_H
#define PROBETOP_LINES_H

#include "tui/options.h"

/* Runs the engine in-process until the story ends (0), SIGINT, SIGTERM or SIGHUP (128 + its number), or nothing more can be written (2). */
int lines_run(struct options *options);
/* The same sentences from a recording, at full speed. 0, or 2 when it cannot be read. */
int lines_replay(const struct options *options);

/* What a fact says that concerns no pod in particular; NULL nothing. A source that watches says more than a transition with every pod that comes, and endpoints say nothing: *told is the state last told of. */
const struct text *lines_general_words(const struct fact *fact, enum source_state *told);

#endif
