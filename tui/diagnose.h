/* `probetop diagnose`: causes from files that kubectl wrote. */
#ifndef PROBETOP_DIAGNOSE_H
#define PROBETOP_DIAGNOSE_H

#include "tui/options.h"

/* 0 nothing wrong, 1 something found, 2 unusable input. */
int diagnose_run(const struct options *options);

#endif
