/* What is due when. Due times lie on a 100 ms grid (of t; with speed N that is N times 100 ms) so that many probes share one wake-up.
 *
 * A ticker is one lane of one pod and behaves as Go's time.Ticker does for the kubelet (facts/kube.md 1.1): due every `period`; while its probe is under way ticks are dropped, except
 * that one missed tick fires as soon as the probe ends; never two probes of one lane at once. First ticks of many pods that appear together are spread over min(period, 1 s).
 * Costs grow with what is due, not with what exists. */
#ifndef PROBETOP_SCHEDULE_H
#define PROBETOP_SCHEDULE_H

#include "model/spec.h"

#include <stddef.h>

enum { SCHEDULE_GRID_US = 100000 };

struct schedule;
struct ticker {
    uint32_t pod;
    enum lane_kind lane;
    int64_t due;  /* the tick's own moment, before the grid */
    int64_t fire; /* when it was to be sent: on the grid, or at once after schedule_now() and missed ticks */
};

struct schedule *schedule_new(int64_t grid_us);
void schedule_free(struct schedule *schedule);
/* Adds the ticker, first due at `first`, or changes its period, keeping its phase. period_us > 0. */
void schedule_set(struct schedule *schedule, uint32_t pod, enum lane_kind lane, int64_t period_us, int64_t first);
void schedule_remove(struct schedule *schedule, uint32_t pod, enum lane_kind lane); /* absent: nothing */
void schedule_remove_pod(struct schedule *schedule, uint32_t pod);
/* Takes the next ticker that is due at or before `now` and moves it on by its period. False when none is left. The caller then calls schedule_begun() if it really sends. */
bool schedule_take(struct schedule *schedule, int64_t now, struct ticker *out);
void schedule_begun(struct schedule *schedule, uint32_t pod, enum lane_kind lane);
void schedule_ended(struct schedule *schedule, uint32_t pod, enum lane_kind lane, int64_t now);
/* An extra tick at once, and the period counted from there (the kubelet's manual trigger of readiness, facts/kube.md 1.1). */
void schedule_now(struct schedule *schedule, uint32_t pod, enum lane_kind lane, int64_t now);
int64_t schedule_next(const struct schedule *schedule); /* t of the next due ticker, on the grid; INT64_MAX when none */
size_t schedule_count(const struct schedule *schedule);

#endif
