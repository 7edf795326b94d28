/* probetop in line mode, watched by a test: what it records is folded into the same model that the screen shows, so that a test can ask what a person would have been told, now or at an earlier moment. */
#ifndef PROBETOP_TEST_WATCHER_H
#define PROBETOP_TEST_WATCHER_H

#include "model/fleet.h"
#include "tests/support/run.h"

struct watcher {
    struct run run;
    char record[128];
    long read; /* bytes of the recording that have been folded */
    struct fleet *fleet;
};

/* Runs `probetop --lines record DIR/NAME.jsonl ARGUMENTS...`; dir is its HOME too. loop: the test's own servers, or NULL. */
void watcher_start(struct watcher *watcher, const char *dir, const char *name, uv_loop_t *loop,
                   const char *const *arguments);
/* One turn: serves the loop, and folds what has been recorded. */
void watcher_turn(struct watcher *watcher);
typedef bool watcher_condition(const struct watcher *watcher, const void *user);
/* Until the condition holds; false, with what was said on standard error, when it does not within `seconds` or probetop has ended. */
bool watcher_wait(struct watcher *watcher, watcher_condition *condition, const void *user, int seconds);
/* Lets this much time pass, as long as the condition holds all the while. */
bool watcher_holds(struct watcher *watcher, watcher_condition *condition, const void *user, int seconds);
/* The newest pod whose name begins so, gone or not; NULL: none. */
const struct pod *watcher_pod(const struct watcher *watcher, const char *name);
/* The same recording folded up to the moment `wall` (Unix µs): what was known then. Free it with fleet_free(). */
struct fleet *watcher_fleet_at(const struct watcher *watcher, int64_t wall);
bool watcher_said(const struct watcher *watcher,
                  const char *words);               /* in line mode, or as a note or state of the source */
int64_t watcher_now(const struct watcher *watcher); /* t of the run's clock */
/* Ends it by SIGTERM, and forgets all. The exit status as a shell tells it, -1 when it did not end. */
int watcher_end(struct watcher *watcher);

#endif
