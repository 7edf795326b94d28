/* `probetop lint`: what about the probes in manifests will hurt. */
#ifndef PROBETOP_TUI_LINT_H
#define PROBETOP_TUI_LINT_H

#include "tui/options.h"

/* 0 clean, 1 findings, 2 unusable input. */
int lint_run(const struct options *options);

#endif
