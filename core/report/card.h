/* The incident card: all that somebody else needs to know of a pod, as Markdown. Pure. Nothing from outside can break out of its fence or become markup. */
#ifndef PROBETOP_REPORT_CARD_H
#define PROBETOP_REPORT_CARD_H

#include "base/buf.h"
#include "model/hints.h"

/* State, timeline (wall clock, UTC), streaks, effective probe settings, last failing body, all hints with commands. */
void report_card(const struct fleet *fleet, const struct pod *pod, int64_t now, struct buf *out);
/* What its file is called, without ".md": "probetop-decode-0-20261124T091554Z". Of the pod's name only what every file system and shell takes as it is; the rest becomes '_'. */
void report_card_name(const struct fleet *fleet, const struct pod *pod, int64_t now, struct buf *out);

#endif
