/* When a pod's first hint is worth a line: for those who read along without a screen. */
#ifndef PROBETOP_HINT_LINES_H
#define PROBETOP_HINT_LINES_H

#include "model/hints.h"

struct hint_told;
/* Zero-initialise. */
struct hint_lines {
    struct hint_told *list; /* owned */
    uint32_t count, capacity;
};
void hint_lines_free(struct hint_lines *lines);
/* After the fact was folded: whether its pod's first hint, likely at least, is one that was not told yet since the pod was last well. *words then is "GPU memory ran out (certain); do: kubectl ...".
 * A pod is looked at once a second. */
bool hint_lines_take(struct hint_lines *lines, const struct fleet *fleet, const struct fact *fact, struct text *words);

#endif
