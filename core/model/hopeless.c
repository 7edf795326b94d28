#include "model/hopeless.h"

#include "base/clock.h"

#include <string.h>

/* What must be seen beside the hint. */
enum need {
    NEED_NOTHING,
    NEED_END,           /* the container has ended: the same start ends the same way */
    NEED_CRASH_LOOP,    /* it has ended twice at least, and the kubelet calls it a crash loop */
    NEED_KILLS,         /* a probe has ended it twice while it started */
    NEED_SLOW_LOADS,    /* the same, and this time it is not seen to be faster */
    NEED_NO_IMAGE,      /* the registry answers, and has no such image for us */
    NEED_CONFIGURATION, /* something that the container needs is missing, and has been for a while */
    NEED_NO_NODE        /* an autoscaler says that no node it could make would do */
};

/* The one table of what does not mend by itself. Causes that are not here may: networks, hubs and peers come back, slow loads come to an end, and what has no known cause is nobody's to judge. The hint must be the
 * pod's first, since another cause before it may be what really holds it up. */
static const struct {
    enum cause cause;
    enum confidence at_least;
    enum need need;
} NEVER_MENDS[] = {
    {CAUSE_IMAGE_PULL, CONFIDENCE_LIKELY, NEED_NO_IMAGE},
    {CAUSE_UNSCHEDULABLE_RESOURCES, CONFIDENCE_LIKELY, NEED_NO_NODE},
    {CAUSE_CONFIG_ERROR, CONFIDENCE_CERTAIN, NEED_END},
    {CAUSE_CONFIG_ERROR, CONFIDENCE_LIKELY, NEED_CRASH_LOOP},
    {CAUSE_CONFIG_ERROR, CONFIDENCE_LIKELY, NEED_CONFIGURATION},
    {CAUSE_DOWNLOAD_AUTH, CONFIDENCE_LIKELY, NEED_CRASH_LOOP},
    {CAUSE_DOWNLOAD_NOT_FOUND, CONFIDENCE_LIKELY, NEED_CRASH_LOOP},
    {CAUSE_DISK_FULL, CONFIDENCE_LIKELY, NEED_CRASH_LOOP},
    {CAUSE_GPU_OOM, CONFIDENCE_LIKELY, NEED_CRASH_LOOP},
    {CAUSE_KV_CACHE_TOO_SMALL, CONFIDENCE_LIKELY, NEED_CRASH_LOOP},
    {CAUSE_HOST_OOM, CONFIDENCE_LIKELY, NEED_CRASH_LOOP},
    {CAUSE_SHM_TOO_SMALL, CONFIDENCE_LIKELY, NEED_CRASH_LOOP},
    {CAUSE_NO_GPU, CONFIDENCE_LIKELY, NEED_CRASH_LOOP},
    {CAUSE_CUDA_ERROR, CONFIDENCE_LIKELY, NEED_CRASH_LOOP},
    {CAUSE_WEIGHTS_CORRUPT, CONFIDENCE_LIKELY, NEED_CRASH_LOOP},
    {CAUSE_PORT_IN_USE, CONFIDENCE_LIKELY, NEED_CRASH_LOOP},
    {CAUSE_CRASH_SEGFAULT, CONFIDENCE_LIKELY, NEED_CRASH_LOOP},
    {CAUSE_STARTUP_BUDGET_EXCEEDED, CONFIDENCE_LIKELY, NEED_SLOW_LOADS},
    {CAUSE_WRONG_PORT, CONFIDENCE_LIKELY, NEED_KILLS},
    {CAUSE_API_KEY, CONFIDENCE_CERTAIN, NEED_NOTHING},
    {CAUSE_SPEAKS_TLS, CONFIDENCE_CERTAIN, NEED_NOTHING},
};

/* ---- what the pod shows ---- */

/* "Init:" stands before the reason of an init container that the serving one waits for. */
static bool waits_as(const struct pod *pod, const char *reason)
{
    const struct container_facts *serving = &pod->facts.serving;
    const char *word = text_str(&serving->reason);
    word += strncmp(word, "Init:", 5) == 0 ? 5 : 0;
    return serving->state == CONTAINER_WAITING && strcmp(word, reason) == 0;
}

static bool has_any(const char *words, const char *const *parts)
{
    for (; *parts; parts++)
        if (strcasestr(words, *parts))
            return true;
    return false;
}

/* What the newest event of that reason says; "" none. */
static const char *event_words(const struct pod *pod, const char *reason)
{
    for (uint32_t i = pod->event_count; i > 0; i--)
        if (text_is(&pod->events[i - 1].reason, reason))
            return text_str(&pod->events[i - 1].message);
    return "";
}

/* A Secret or a ConfigMap that is missing: whoever makes it may be about to. */
static bool configuration_is_late(const struct pod *pod, int64_t now)
{
    static const int64_t PATIENCE_US = INT64_C(60) * SECOND_US;
    return waits_as(pod, "CreateContainerConfigError") && now - pod->stage_since >= PATIENCE_US;
}

static bool has_ended(const struct pod *pod)
{
    const struct container_facts *serving = &pod->facts.serving;
    return serving->state == CONTAINER_TERMINATED || (serving->last.known && waits_as(pod, "CrashLoopBackOff"));
}

/* The kubelet starts a container that ends for the first time again at once, and backs off when it ends again before it has run well for ten minutes. */
static bool crashes_again_and_again(const struct pod *pod)
{
    return waits_as(pod, "CrashLoopBackOff");
}

/* Events are the kubelet's own count; where they are not to be had, the newest kill and the restarts are. A liveness probe ends starts too, where no startup probe holds it back. */
static bool killed_twice_at_start(const struct pod *pod)
{
    int64_t kills = 0;
    for (uint32_t i = 0; i < pod->event_count; i++) {
        const char *words = text_str(&pod->events[i].message);
        if (text_is(&pod->events[i].reason, "Killing") &&
            (strstr(words, "failed startup probe") || strstr(words, "failed liveness probe")))
            kills += pod->events[i].count > 0 ? pod->events[i].count : 1;
    }
    return pod->facts.kubelet &&
           (kills >= 2 || (kills == 0 && pod->killed_run != 0 && pod->facts.serving.restart_count >= 2));
}

/* By what the log counts, as far as it tells. */
static bool loads_in_time(const struct pod *pod, int64_t now)
{
    int64_t done_at = -1;
    bool running = pod->facts.serving.state == CONTAINER_RUNNING;
    return running && pod_in_time(pod, now, &done_at) != TRI_FALSE && done_at >= 0;
}

static bool image_is_not_to_be_had(const struct pod *pod)
{
    static const char *const ANSWERS[] = {
        "not found", "manifest unknown", "does not exist",        "unauthorized",         "authorization failed",
        "denied",    "403 forbidden",    "no match for platform", "no matching manifest", NULL};
    if (waits_as(pod, "InvalidImageName") || waits_as(pod, "ErrImageNeverPull"))
        return true;
    return waits_as(pod, "ImagePullBackOff") &&
           (has_any(text_str(&pod->facts.serving.message), ANSWERS) || has_any(event_words(pod, "Failed"), ANSWERS));
}

/* An autoscaler that says only "max node group size reached" may still get room; one that says that no kind of node would do has said all. */
static bool no_node_will_do(const struct pod *pod)
{
    static const char *const VERDICTS[] = {"wouldn't fit if a new node is added", "no instance type", NULL};
    return pod->facts.scheduled.status == TRI_FALSE && (has_any(event_words(pod, "NotTriggerScaleUp"), VERDICTS) ||
                                                        has_any(event_words(pod, "FailedScheduling"), VERDICTS));
}

/* ---- judging ---- */

static bool need_is_met(enum need need, const struct pod *pod, int64_t now)
{
    switch (need) {
    case NEED_NOTHING:
        return true;
    case NEED_END:
        return has_ended(pod);
    case NEED_CRASH_LOOP:
        return crashes_again_and_again(pod);
    case NEED_KILLS:
        return killed_twice_at_start(pod);
    case NEED_SLOW_LOADS:
        return killed_twice_at_start(pod) && !loads_in_time(pod, now);
    case NEED_NO_IMAGE:
        return image_is_not_to_be_had(pod);
    case NEED_CONFIGURATION:
        return configuration_is_late(pod, now);
    case NEED_NO_NODE:
        return no_node_will_do(pod);
    }
    return false;
}

static bool never_mends(const struct hint *hint, const struct pod *pod, int64_t now)
{
    for (size_t i = 0; i < sizeof NEVER_MENDS / sizeof NEVER_MENDS[0]; i++)
        if (NEVER_MENDS[i].cause == hint->cause && hint->confidence >= NEVER_MENDS[i].at_least &&
            need_is_met(NEVER_MENDS[i].need, pod, now))
            return true;
    return false;
}

enum prospect pod_prospect(const struct pod *pod, const struct hints *hints, int64_t now, const struct hint **why)
{
    const struct pod_facts *facts = &pod->facts;
    const struct hint *first = hints->count > 0 ? &hints->list[0] : NULL;
    *why = NULL;
    if (facts->deleting || pod->gone)
        return PROSPECT_REPLACED;
    if (facts->phase == PHASE_FAILED || facts->phase == PHASE_SUCCEEDED) {
        *why = first;
        return text_empty(&facts->workload) ? PROSPECT_HOPELESS : PROSPECT_REPLACED;
    }
    if (!first || !never_mends(first, pod, now))
        return PROSPECT_OPEN;
    *why = first;
    return PROSPECT_HOPELESS;
}
