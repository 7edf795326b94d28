/* The half without a terminal: runs the engine until the screen half says "quit" or is gone. Also what every command needs that runs an engine: one made from the options. */
#ifndef PROBETOP_ENGINE_HALF_H
#define PROBETOP_ENGINE_HALF_H

#include "engine/engine.h"
#include "engine/guard.h"
#include "tui/options.h"

/* An engine over what the options name, not yet started; its clock begins now. Takes options->endpoints over. */
struct engine *engine_half_engine(struct options *options, uv_loop_t *loop, struct journal *journal);
/* The journal of this run, recorded to options->record_path too where there is one. */
enum status engine_half_journal(const struct options *options, struct journal **out, struct problem *problem);

/* After guard_split(), in the engine half. Takes the journal over: it is removed at an orderly end unless it was asked for, and stays otherwise. Returns the exit status. */
int engine_half_run(struct options *options, struct journal *journal, const struct guard *guard);

#endif
