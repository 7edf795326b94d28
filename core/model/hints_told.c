/* The timeline keeps which hints stood, and when. They are looked at within the fold, at moments that the facts alone decide, so that a replay tells the same; and only where something may have changed, so that a
 * fleet that is well costs nothing: at once (but at most once a second) when what hints are made of is something else than before, each few seconds while a pod is loading, failing or has a hint, else never. */
#include "base/clock.h"
#include "model/hints.h"
#include "model/pod_fold.h"

/* A hint that comes and goes within this time is not worth a line; nor is its going, when it is back within this time. */
static const int64_t STANDS_US = 5 * (int64_t)SECOND_US, GONE_US = 15 * (int64_t)SECOND_US;
static const int64_t SOONEST_US = SECOND_US, AGAIN_US = 5 * (int64_t)SECOND_US;

static uint64_t mixed(uint64_t sign, uint64_t more)
{
    return (sign ^ more) * UINT64_C(1099511628211);
}

/* The newest answer took most of what it may take. */
static bool lane_is_near(const struct pod *pod, enum lane_kind kind)
{
    return pod->lanes[kind].last.total * 5 >= (int64_t)pod->facts.probes[kind].timeout * SECOND_US * 4;
}

/* What hints are made of, in a number: another one when something of it has changed. */
static uint64_t sign_of(const struct pod *pod)
{
    uint64_t sign = mixed((uint64_t)pod->stage, pod->run);
    for (enum lane_kind i = LANE_STARTUP; i < LANE_COUNT; i++) {
        const struct lane *lane = &pod->lanes[i];
        if (lane->present)
            sign = mixed(sign, (uint64_t)lane->streak_failing << 8 | (uint64_t)lane->streak_cause << 1 |
                                   (uint64_t)lane_is_near(pod, i));
    }
    sign = mixed(sign, pod->findings.count);
    sign = mixed(sign, pod->event_count);
    sign = mixed(sign, (uint64_t)pod->killed_run << 8 | (uint64_t)pod->progress.furthest);
    return mixed(sign, (uint64_t)pod->engine_dead | (uint64_t)pod->refused_now << 1 | (uint64_t)pod->unauthorized << 2 |
                           (uint64_t)pod->wrong_model << 3 | (uint64_t)pod->facts.deleting << 4 |
                           (uint64_t)pod->gone << 5 | (uint64_t)pod->facts.serving.last.known << 6 |
                           (uint64_t)(pod->model_count == 0) << 7);
}

/* Nothing that time alone could make a hint of, or end. */
static bool is_at_rest(const struct pod *pod)
{
    if (pod->stage != STAGE_READY && !pod->gone)
        return false;
    for (int i = 0; i < POD_TOLD_MAX; i++)
        if (pod->told[i].cause != CAUSE_NONE)
            return false;
    for (int i = 0; i < LANE_COUNT && !pod->gone; i++)
        if (pod->lanes[i].present && pod->lanes[i].streak_failing)
            return false;
    return true;
}

static struct told_hint *told_find(struct pod *pod, enum cause cause)
{
    for (int i = 0; i < POD_TOLD_MAX; i++)
        if (pod->told[i].cause == cause)
            return &pod->told[i];
    return NULL;
}

/* One that stands now. Possible ones are told when they come first. */
static void hint_stands(struct fold *fold, const struct hint *hint, bool first)
{
    struct told_hint *told = told_find(fold->pod, hint->cause);
    if (hint->cause == CAUSE_TUNNEL) /* the timeline has its own words for that */
        return;
    if (!told && (first || hint->confidence > CONFIDENCE_POSSIBLE)) {
        told = told_find(fold->pod, CAUSE_NONE);
        if (told)
            *told = (struct told_hint){.cause = hint->cause, .since = fold->t};
    }
    if (!told)
        return;
    told->seen = fold->t;
    bool sure = hint->confidence == CONFIDENCE_CERTAIN;
    bool surer = hint->confidence > told->confidence;
    if ((sure || fold->t - told->since >= STANDS_US) && surer) {
        told->told = true;
        told->confidence = hint->confidence;
        pod_happened(fold, fold->t, HAPPENED_HINT, sure ? 'x' : '!', "%s, %s: %s", text_str(&hint->label),
                     confidence_name(hint->confidence), text_str(&hint->title));
    }
}

static void hints_end(struct fold *fold)
{
    char age[32];
    for (int i = 0; i < POD_TOLD_MAX; i++) {
        struct told_hint *told = &fold->pod->told[i];
        if (told->cause == CAUSE_NONE || told->seen == fold->t || (told->told && fold->t - told->seen < GONE_US))
            continue;
        if (told->told)
            pod_happened(fold, told->seen, HAPPENED_HINT, ' ', "%s is over, after %s", cause_label(told->cause),
                         clock_age(told->seen - told->since, age, sizeof age));
        *told = (struct told_hint){0};
    }
}

void pod_take_hints(struct fold *fold)
{
    struct pod *pod = fold->pod;
    uint64_t sign;
    /* Of a pod that waits for a node few facts come, all in its first moment: there may be no later one to look again at. */
    bool busy = pod->stage != STAGE_PENDING && pod->hints_at != 0 && fold->t - pod->hints_at < SOONEST_US;
    if (!fold->fleet->limits.keep_texts || busy)
        return;
    sign = sign_of(pod);
    if (sign == pod->hints_sign && (is_at_rest(pod) || fold->t - pod->hints_at < AGAIN_US))
        return;
    pod->hints_sign = sign;
    pod->hints_at = fold->t;
    struct hints hints;
    pod_hints(fold->fleet, pod, fold->t, &hints);
    for (uint32_t i = 0; i < hints.count; i++)
        hint_stands(fold, &hints.list[i], i == 0);
    if (pod->stage != STAGE_UNREACHABLE) /* then nothing can be said of the pod, not even that something is over */
        hints_end(fold);
    hints_free(&hints);
}
