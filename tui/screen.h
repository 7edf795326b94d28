/* The half with the terminal: joins the app, a feed over the journal, the terminal, the control socket and a loop. */
#ifndef PROBETOP_SCREEN_H
#define PROBETOP_SCREEN_H

#include "engine/guard.h"
#include "tui/options.h"

/* Runs until the user quits, a signal ends it, or the engine half is gone; the terminal is given back before this returns, and only then is anything written to standard error.
 * guard: of the screen half, its socket is taken over; NULL for a replay, which has no engine. journal: the live journal's directory, or the recording. Returns the exit status. */
int screen_run(const struct options *options, struct guard *guard, const char *journal);

#endif
