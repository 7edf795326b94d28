/* A node is drained of the pods of one Deployment, as a watcher sees it: the same scene beside a fake API and beside a real kubelet. The first DRAINED pods that are seen are those that have to go, the next ones their successors. */
#ifndef PROBETOP_TEST_DRAIN_H
#define PROBETOP_TEST_DRAIN_H

#include "tests/support/watcher.h"

enum { DRAINED = 2 };

/* Conditions of watcher_wait(), in the order in which they come true. */
bool drain_is_ahead(const struct watcher *watcher, const void *user); /* all of them are Ready and answer */
bool drain_took(const struct watcher *watcher, const void *user);     /* all of them have been evicted, and are gone */
bool drain_is_waited_for(const struct watcher *watcher,
                         const void *user); /* the successors wait for a node, and it is said why */
bool drain_is_over(const struct watcher *watcher, const void *user); /* they are Ready and answer */

/* Nobody is blamed for any of it, and the successors are the same workload's. */
void drain_assert_told_right(const struct watcher *watcher, const char *workload);

#endif
