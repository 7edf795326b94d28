#include "tests/support/drain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef bool pod_condition(const struct pod *pod);

static bool all_of(const struct watcher *watcher, uint32_t first, pod_condition *condition)
{
    const struct fleet *fleet = watcher->fleet;
    for (uint32_t i = first; i < first + DRAINED; i++)
        if (i >= fleet->count || !condition(fleet->pods[i]))
            return false;
    return true;
}

static bool is_ready(const struct pod *pod)
{
    return pod->stage == STAGE_READY && pod->lanes[LANE_READINESS].ok >= 1;
}

static bool passed_through(const struct pod *pod, enum stage stage, const char *why)
{
    for (uint32_t i = 0; i < pod->spans.count; i++)
        if (pod->spans.list[i].stage == stage && (why == NULL || text_is(&pod->spans.list[i].why, why)))
            return true;
    return false;
}

static bool was_evicted(const struct pod *pod)
{
    return pod->gone && passed_through(pod, STAGE_TERMINATING, "evicted");
}

static bool waits(const struct pod *pod)
{
    return pod->stage == STAGE_PENDING && text_is(&pod->reason, "Unschedulable");
}

bool drain_is_ahead(const struct watcher *watcher, const void *user)
{
    (void)user;
    return all_of(watcher, 0, is_ready);
}

bool drain_took(const struct watcher *watcher, const void *user)
{
    (void)user;
    return all_of(watcher, 0, was_evicted);
}

bool drain_is_waited_for(const struct watcher *watcher, const void *user)
{
    (void)user;
    return all_of(watcher, DRAINED, waits) && watcher_said(watcher, "were unschedulable") &&
           watcher_said(watcher, "cordoned");
}

bool drain_is_over(const struct watcher *watcher, const void *user)
{
    (void)user;
    return all_of(watcher, DRAINED, is_ready);
}

void drain_assert_told_right(const struct watcher *watcher, const char *workload)
{
    assert_int_equal(watcher->fleet->count, 2 * DRAINED);
    for (uint32_t i = 0; i < watcher->fleet->count; i++) {
        const struct pod *pod = watcher->fleet->pods[i];
        assert_string_equal(text_str(&pod->facts.workload), workload);
        assert_false(stage_is_broken(pod->stage));
        assert_false(passed_through(pod, STAGE_DEGRADED, NULL));
        assert_int_equal(pod->facts.serving.restart_count, 0);
    }
    assert_false(watcher_said(watcher, "readiness fails"));
    assert_false(watcher_said(watcher, "liveness fails"));
}
