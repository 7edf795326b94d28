/* `probetop wait`: until the pods are where they are wanted, or cannot get there. */
#ifndef PROBETOP_WAIT_H
#define PROBETOP_WAIT_H

#include "tui/options.h"

/* 0 they are, 2 it could not be done, 3 they will not get there by themselves, 124 timeout, 128+N ended by signal N. */
int wait_run(struct options *options);

#endif
