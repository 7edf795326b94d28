/* The incident card: all that somebody else needs to know of a pod, as Markdown. Pure. Nothing from outside can break out of its fence or become markup. */
#ifndef PROBETOP_REPORT_CARD_H
#define PROBETOP_REPORT_CARD_H

#include "base/buf.h"
#include "model/hints.h"

/* State, timeline (wall clock, UTC), streaks, effective probe settings, last failing body, all hints with commands. */
void report_card(const struct fleet *fleet, const struct pod *pod, int64_t now, struct buf *out);

#endif
