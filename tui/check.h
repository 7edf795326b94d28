/* `probetop check`: one look at every endpoint, printed. */
#ifndef PROBETOP_CHECK_H
#define PROBETOP_CHECK_H

#include "tui/options.h"

/* Probes until every lane that may send has answered once, or for options->check_for_us; prints the report. 0 all well, 1 something is unwell, 2 it could not be done. */
int check_run(struct options *options);

#endif
