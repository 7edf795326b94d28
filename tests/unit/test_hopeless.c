/* What does not mend by itself, and all that may: by hints made here, so that the rules stand alone. */
#include "model/hopeless.h"
#include "tests/support/story.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* How the pod stands. */
enum shape {
    SHAPE_LOADING,
    SHAPE_ENDED,          /* once */
    SHAPE_CRASH_LOOP,     /* twice at least */
    SHAPE_STARTUP_KILL,   /* its startup probe ended it once */
    SHAPE_STARTUP_KILLS,  /* and again */
    SHAPE_LIVENESS_KILLS, /* its liveness probe did, twice */
    SHAPE_IMAGE_NONE,     /* "not found" */
    SHAPE_IMAGE_NETWORK,  /* the registry does not answer */
    SHAPE_IMAGE_INVALID,
    SHAPE_PENDING,        /* no node; an autoscaler may come */
    SHAPE_NO_ROOM_NOW,    /* the autoscaler says: at its bound */
    SHAPE_NO_NODE,        /* the autoscaler says: never */
    SHAPE_SECRET_MISSING, /* for a moment */
    SHAPE_SECRET_LATE,    /* for more than a minute */
    SHAPE_COUNT
};

static void wait_as(struct story *story, const char *reason, const char *message)
{
    story->facts.serving.state = CONTAINER_WAITING;
    text_set_str(&story->facts.serving.reason, reason, TEXT_NAME);
    text_set_str(&story->facts.serving.message, message, TEXT_LINE);
    story_tell(story);
}

static void end_run(struct story *story, const char *then)
{
    story->t += SECONDS(30);
    struct container_facts *serving = &story->facts.serving;
    serving->last = (struct termination){
        .known = true, .exit_code = 1, .started_at = story->t - SECONDS(29), .finished_at = story->t};
    if (then)
        wait_as(story, then, "back-off 10s restarting failed container");
    else {
        serving->state = CONTAINER_TERMINATED;
        story_tell(story);
    }
}

static void unscheduled(struct story *story)
{
    story->facts.scheduled.status = TRI_FALSE;
    story->facts.serving.state = CONTAINER_UNKNOWN;
    text_free(&story->facts.serving.reason);
    story_tell(story);
    story_event(story, "s", "FailedScheduling", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.", 1);
}

static void shape_kills(struct story *story, const char *message, int32_t times)
{
    for (int32_t i = 0; i < times; i++) {
        story_run(story, i);
        story->t += SECONDS(60);
        story_event(story, "k", "Killing", message, i + 1);
    }
}

static void shape_make(struct story *story, enum shape shape)
{
    static const char NONE[] = "Back-off pulling image \"x:1\": ErrImagePull: docker.io/library/x:1: not found";
    static const char NETWORK[] = "failed to do request: Head \"https://r/x\": dial tcp: lookup r: no such host";
    story_begin(story, true, 8000, 8000);
    story->t = SECONDS(1);
    if (shape == SHAPE_LOADING || shape == SHAPE_ENDED || shape == SHAPE_CRASH_LOOP)
        story_run(story, shape == SHAPE_CRASH_LOOP ? 1 : 0);
    if (shape == SHAPE_ENDED || shape == SHAPE_CRASH_LOOP)
        end_run(story, shape == SHAPE_CRASH_LOOP ? "CrashLoopBackOff" : NULL);
    if (shape == SHAPE_STARTUP_KILL || shape == SHAPE_STARTUP_KILLS)
        shape_kills(story, "Container vllm failed startup probe, will be restarted",
                    shape == SHAPE_STARTUP_KILL ? 1 : 2);
    if (shape == SHAPE_LIVENESS_KILLS)
        shape_kills(story, "Container vllm failed liveness probe, will be restarted", 2);
    if (shape == SHAPE_IMAGE_NONE)
        wait_as(story, "ImagePullBackOff", NONE);
    if (shape == SHAPE_IMAGE_NETWORK) {
        wait_as(story, "ImagePullBackOff", "Back-off pulling image \"x:1\"");
        story_event(story, "f", "Failed", NETWORK, 2);
    }
    if (shape == SHAPE_IMAGE_INVALID)
        wait_as(story, "InvalidImageName", "couldn't parse image reference \"X\"");
    if (shape == SHAPE_PENDING || shape == SHAPE_NO_ROOM_NOW || shape == SHAPE_NO_NODE)
        unscheduled(story);
    if (shape == SHAPE_NO_ROOM_NOW)
        story_event(story, "a", "NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached", 1);
    if (shape == SHAPE_NO_NODE)
        story_event(story, "a", "NotTriggerScaleUp",
                    "pod didn't trigger scale-up (it wouldn't fit if a new node is added): 1 node(s) ...", 1);
    if (shape == SHAPE_SECRET_MISSING || shape == SHAPE_SECRET_LATE)
        wait_as(story, "CreateContainerConfigError", "secret \"hf-token\" not found");
    if (shape == SHAPE_SECRET_LATE)
        story->t += SECONDS(61);
}

/* The pod of that shape with that hint first. */
static enum prospect judge(enum shape shape, enum cause cause, enum confidence confidence)
{
    struct story story;
    struct hints hints = {.count = cause == CAUSE_NONE ? 0 : 1};
    const struct hint *why;
    shape_make(&story, shape);
    hints.list[0].cause = cause;
    hints.list[0].confidence = confidence;
    enum prospect prospect = pod_prospect(story_pod(&story), &hints, story.t, &why);
    assert_true(why == (prospect == PROSPECT_HOPELESS ? &hints.list[0] : NULL));
    story_end(&story);
    return prospect;
}

static void table(void **state)
{
    /* From which shapes on, and how sure, it is hopeless. */
    static const struct {
        enum cause cause;
        enum confidence confidence;
        enum shape hopeless[4];
    } ROWS[] = {
        {CAUSE_GPU_OOM, CONFIDENCE_CERTAIN, {SHAPE_CRASH_LOOP}},
        {CAUSE_GPU_OOM, CONFIDENCE_LIKELY, {SHAPE_CRASH_LOOP}},
        {CAUSE_GPU_OOM, CONFIDENCE_POSSIBLE, {SHAPE_LOADING}},
        {CAUSE_CONFIG_ERROR, CONFIDENCE_CERTAIN, {SHAPE_ENDED, SHAPE_CRASH_LOOP, SHAPE_SECRET_LATE}},
        {CAUSE_CONFIG_ERROR, CONFIDENCE_LIKELY, {SHAPE_CRASH_LOOP, SHAPE_SECRET_LATE}},
        {CAUSE_IMAGE_PULL, CONFIDENCE_LIKELY, {SHAPE_IMAGE_NONE, SHAPE_IMAGE_INVALID}},
        {CAUSE_UNSCHEDULABLE_RESOURCES, CONFIDENCE_CERTAIN, {SHAPE_NO_NODE}},
        {CAUSE_STARTUP_BUDGET_EXCEEDED, CONFIDENCE_LIKELY, {SHAPE_STARTUP_KILLS, SHAPE_LIVENESS_KILLS}},
        {CAUSE_WRONG_PORT, CONFIDENCE_LIKELY, {SHAPE_STARTUP_KILLS, SHAPE_LIVENESS_KILLS}},
        {CAUSE_DOWNLOAD_AUTH, CONFIDENCE_LIKELY, {SHAPE_CRASH_LOOP}},
        /* These come to an end or come back. */
        {CAUSE_DOWNLOAD_NETWORK, CONFIDENCE_CERTAIN, {SHAPE_LOADING}},
        {CAUSE_DOWNLOAD_SLOW, CONFIDENCE_CERTAIN, {SHAPE_LOADING}},
        {CAUSE_NCCL_NETWORK, CONFIDENCE_CERTAIN, {SHAPE_LOADING}},
        {CAUSE_DIED_SILENTLY, CONFIDENCE_CERTAIN, {SHAPE_LOADING}},
        {CAUSE_MOUNT, CONFIDENCE_CERTAIN, {SHAPE_LOADING}},
        {CAUSE_TUNNEL, CONFIDENCE_CERTAIN, {SHAPE_LOADING}},
        {CAUSE_HEALTHY_SLOW, CONFIDENCE_CERTAIN, {SHAPE_LOADING}},
        {CAUSE_OWN, CONFIDENCE_CERTAIN, {SHAPE_LOADING}},
        {CAUSE_NONE, CONFIDENCE_NONE, {SHAPE_LOADING}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        for (int shape = SHAPE_LOADING; shape < SHAPE_COUNT; shape++) {
            bool wanted = false;
            for (size_t n = 0; n < 4; n++) /* SHAPE_LOADING: none of them, and the end of the list */
                wanted = wanted || (ROWS[i].hopeless[n] == (enum shape)shape && shape != SHAPE_LOADING);
            enum prospect is = judge((enum shape)shape, ROWS[i].cause, ROWS[i].confidence);
            if (is != (wanted ? PROSPECT_HOPELESS : PROSPECT_OPEN))
                fail_msg("%s (%s), shape %d: %d", cause_label(ROWS[i].cause), confidence_name(ROWS[i].confidence),
                         shape, (int)is);
        }
}

/* Without a key, or without TLS, no answer will ever do. */
static void never_answered(void **state)
{
    (void)state;
    assert_int_equal(judge(SHAPE_LOADING, CAUSE_API_KEY, CONFIDENCE_CERTAIN), PROSPECT_HOPELESS);
    assert_int_equal(judge(SHAPE_LOADING, CAUSE_API_KEY, CONFIDENCE_LIKELY), PROSPECT_OPEN);
    assert_int_equal(judge(SHAPE_LOADING, CAUSE_SPEAKS_TLS, CONFIDENCE_CERTAIN), PROSPECT_HOPELESS);
}

/* A cause behind another decides nothing: the first may be what really holds it up. */
static void only_the_first(void **state)
{
    struct story story;
    struct hints hints = {.count = 2};
    const struct hint *why;
    (void)state;
    shape_make(&story, SHAPE_CRASH_LOOP);
    hints.list[0].cause = CAUSE_DOWNLOAD_NETWORK;
    hints.list[1].cause = CAUSE_GPU_OOM;
    hints.list[0].confidence = hints.list[1].confidence = CONFIDENCE_CERTAIN;
    assert_int_equal(pod_prospect(story_pod(&story), &hints, story.t, &why), PROSPECT_OPEN);
    assert_null(why);
    story_end(&story);
}

/* Pods that have ended for good: with a workload another comes, without one nothing does. */
static void ended_for_good(void **state)
{
    static const struct {
        enum pod_phase phase;
        const char *workload;
        bool deleting;
        enum prospect prospect;
    } ROWS[] = {
        {PHASE_FAILED, "", false, PROSPECT_HOPELESS},
        {PHASE_SUCCEEDED, "", false, PROSPECT_HOPELESS},
        {PHASE_FAILED, "deploy/decode", false, PROSPECT_REPLACED},
        {PHASE_FAILED, "", true, PROSPECT_REPLACED},
        {PHASE_RUNNING, "deploy/decode", true, PROSPECT_REPLACED},
        {PHASE_RUNNING, "", false, PROSPECT_OPEN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct story story;
        struct hints hints = {.count = 0};
        const struct hint *why;
        story_begin(&story, true, 8000, 8000);
        story.facts.phase = ROWS[i].phase;
        story.facts.deleting = ROWS[i].deleting;
        text_set_str(&story.facts.workload, ROWS[i].workload, TEXT_NAME);
        story_tell(&story);
        assert_int_equal(pod_prospect(story_pod(&story), &hints, story.t, &why), ROWS[i].prospect);
        assert_null(why);
        story_end(&story);
    }
}

/* Killed twice; what the third load's log counts decides: half of the weights in a minute of a budget of half an hour, or next to none. */
static void third_time_faster(void **state)
{
    static const struct {
        int32_t per_second;
        enum prospect prospect;
    } ROWS[] = {{2, PROSPECT_OPEN}, {0, PROSPECT_HOPELESS}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct story story;
        struct hints hints = {.count = 1};
        const struct hint *why;
        char line[128];
        shape_make(&story, SHAPE_STARTUP_KILLS);
        story_run(&story, 2);
        for (int32_t second = 0; second < 60; second++) {
            story.t += SECONDS(1);
            int32_t done = ROWS[i].per_second > 0 ? second * ROWS[i].per_second : second / 20;
            snprintf(line, sizeof line, "Loading safetensors checkpoint shards: %d%% Completed | %d/1000 [00:01<00:01]",
                     (int)done / 10, (int)done);
            story_log(&story, line);
        }
        hints.list[0].cause = CAUSE_STARTUP_BUDGET_EXCEEDED;
        hints.list[0].confidence = CONFIDENCE_CERTAIN;
        assert_int_equal(pod_prospect(story_pod(&story), &hints, story.t, &why), ROWS[i].prospect);
        /* A port that is wrong stays so however fast the load is. */
        hints.list[0].cause = CAUSE_WRONG_PORT;
        assert_int_equal(pod_prospect(story_pod(&story), &hints, story.t, &why), PROSPECT_HOPELESS);
        story_end(&story);
    }
}

/* An endpoint's emulated restarts are nobody's kill: its process goes on loading. */
static void endpoints_are_not_killed(void **state)
{
    struct story story;
    struct hints hints = {.count = 1};
    const struct hint *why;
    (void)state;
    story_begin(&story, false, 8000, 8000);
    for (int32_t i = 0; i < 3; i++)
        story_event(&story, "k", "Killing", "Container vllm failed startup probe, will be restarted", i + 1);
    hints.list[0].cause = CAUSE_STARTUP_BUDGET_EXCEEDED;
    hints.list[0].confidence = CONFIDENCE_CERTAIN;
    assert_int_equal(pod_prospect(story_pod(&story), &hints, story.t, &why), PROSPECT_OPEN);
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table),
                                       cmocka_unit_test(never_answered),
                                       cmocka_unit_test(only_the_first),
                                       cmocka_unit_test(ended_for_good),
                                       cmocka_unit_test(third_time_faster),
                                       cmocka_unit_test(endpoints_are_not_killed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
