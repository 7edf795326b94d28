/* What a screen looks at: a fleet folded from a journal up to a moment. Live, frozen, back in time and replay are one mechanism: how far the journal is folded, and what time it is.
 *
 * Going back folds the journal again from its beginning into a new fleet (pointers into the old one are then gone; ids stay). */
#ifndef PROBETOP_FEED_H
#define PROBETOP_FEED_H

#include "base/clock.h"
#include "engine/journal.h"
#include "model/fleet.h"

struct feed;

/* live: follow the journal as it grows, time is the run's clock. Otherwise replay: time begins at the first fact and runs `speed` times as fast as recorded; it stops at the last fact. Takes the reader over. */
struct feed *feed_new(struct journal_reader *reader, bool live, double speed,
                      const struct signatures *signatures); /* the user's own; must outlive the feed; NULL: none */
void feed_free(struct feed *feed);
/* Folds what has come and is due by now. Returns true when the picture may have changed. At most `budget` facts a call (then feed_behind() is true: call again soon). */
bool feed_pump(struct feed *feed, int budget);
bool feed_behind(const struct feed *feed);
const struct fleet *feed_fleet(const struct feed *feed); /* valid until the next pump or seek */
int64_t feed_now(const struct feed *feed);               /* the t that the picture shows */
int64_t
feed_real_ms_until_next(const struct feed *feed); /* replay: real ms until the next fact is due; live: INT64_MAX / 2 */

void feed_pause(struct feed *feed, bool paused); /* live: the picture stands still, the journal grows on */
bool feed_paused(const struct feed *feed);
void feed_speed(struct feed *feed, double speed); /* replay only; 1/8 to 1024 */
double feed_speed_now(const struct feed *feed);
void feed_seek(struct feed *feed,
               int64_t t); /* INT64_MAX: to now / the end; live: going back pauses, going to now resumes */
/* live: the journal goes on in this directory, see journal_follow(). */
void feed_follow(struct feed *feed, const char *dir);
/* live: the journal goes on nowhere. What is in it is still folded; then time stands, since nobody knows what happens after it. */
void feed_lose(struct feed *feed);
bool feed_is_live(const struct feed *feed);
/* replay: the last fact is folded; live: the fleet has ended, or its journal is lost */
bool feed_at_end(const struct feed *feed);
const char *feed_problem(const struct feed *feed); /* newest reading problem as a sentence, "" none */

#endif
