/* What a kubelet's own events do to forecasts: they tell its ticks and how far it is, which our probes can only guess. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/pod.h"
#include "tests/support/story.h"

static const char FAILED[] = "Startup probe failed: HTTP probe failed with statuscode: 503";

/* A container that has run for ten seconds, and is asked every 30 s up to 60 times. */
static void begin(struct story *story)
{
    story_begin(story, true, 8000, 8000);
    story->t = SECONDS(10);
    story_run(story, 0);
    story->t = SECONDS(30);
}

static void event(struct story *story, const char *uid, const char *reason, const char *message, int32_t count,
                  int64_t last)
{
    struct fact fact;
    fact_init(&fact, FACT_EVENT, 1);
    fact.t = story->t;
    text_set_str(&fact.u.event.uid, uid, TEXT_NAME);
    text_set_str(&fact.u.event.reason, reason, TEXT_NAME);
    text_set_str(&fact.u.event.message, message, TEXT_LINE);
    text_set_str(&fact.u.event.container, "vllm", TEXT_NAME);
    fact.u.event.count = count;
    fact.u.event.first = fact.u.event.last = last;
    fleet_apply(story->fleet, &fact);
    fact_free(&fact);
}

static struct forecast startup(const struct story *story)
{
    return pod_forecast(story_pod(story), LANE_STARTUP, story->t);
}

static void events_foretell(void **state)
{
    struct story story;
    (void)state;
    begin(&story);
    story_refused(&story, LANE_STARTUP);
    story.t = SECONDS(40) + 250000;
    event(&story, "u", "Unhealthy", FAILED, 1, SECONDS(40));
    assert_int_equal(startup(&story).count, 1);
    assert_int_equal(startup(&story).at, SECONDS(40) + 250000 + 59 * SECONDS(30));
    story.t += SECONDS(30);
    event(&story, "u", "Unhealthy", FAILED, 2, SECONDS(70));
    assert_int_equal(startup(&story).consequence, CONSEQUENCE_RESTART);
    assert_int_equal(startup(&story).count, 2);
    assert_int_equal(startup(&story).at, SECONDS(70) + 250000 + 58 * SECONDS(30));
    /* Events that stop coming (the kubelet sends few) tell nothing any more: our own streak does. */
    story.t += SECONDS(40);
    assert_int_equal(startup(&story).count, 1);
    story_end(&story);
}

/* What is left of the budget is until the moment that the forecast names, whoever tells it. */
static void the_budget_agrees_with_the_forecast(void **state)
{
    struct story story;
    (void)state;
    begin(&story);
    for (int step = 0; step < 8; step++) {
        story_refused(&story, LANE_STARTUP);
        if (step == 3 || step == 4) { /* the kubelet ticks a third of a period before us, and is further on */
            story.t += SECONDS(20) + 1;
            event(&story, "u", "Unhealthy", FAILED, step * 2, story.t / SECONDS(1) * SECONDS(1));
            story.t += SECONDS(9);
        } else {
            story.t += SECONDS(29);
        }
        struct forecast forecast = startup(&story);
        struct budget budget = pod_budget(story_pod(&story), story.t);
        assert_int_equal(forecast.consequence, CONSEQUENCE_RESTART);
        assert_int_equal(budget.deadline, forecast.at);
        assert_int_equal(budget.left, forecast.at - story.t);
        assert_int_equal(budget.may_be_killed_from, forecast.earliest);
        assert_int_equal(budget.count, forecast.count);
        assert_int_equal(budget.used + budget.left, budget.deadline - budget.start);
    }
    story_end(&story);
}

static void old_events_tell_no_tick(void **state)
{
    struct story story;
    (void)state;
    begin(&story);
    story_refused(&story, LANE_STARTUP);
    story.t = SECONDS(60);
    event(&story, "u", "Unhealthy", FAILED, 7, SECONDS(50));
    event(&story, "v", "Unhealthy", "Readiness probe failed: x", 7, SECONDS(60));
    event(&story, "w", "Unhealthy", "Startup probe errored and resulted in failure state: x", 7, SECONDS(60));
    assert_int_equal(startup(&story).count, 1); /* ours */
    assert_int_equal(story_pod(&story)->lanes[LANE_STARTUP].kubelet_run, 0);
    story_end(&story);
}

/* The kubelet was first to decide: what we had counted until then says nothing about the next run (facts/kube.md 1.2.12). */
static void its_kill_ends_our_streak(void **state)
{
    struct story story;
    (void)state;
    begin(&story);
    story_refused(&story, LANE_STARTUP);
    story_refused(&story, LANE_STARTUP);
    assert_int_equal(startup(&story).count, 2);
    story.t = SECONDS(50);
    event(&story, "k", "Killing", "Container vllm failed startup probe, will be restarted", 1, SECONDS(50));
    assert_int_equal(startup(&story).consequence, CONSEQUENCE_NONE);
    assert_int_equal(story_pod(&story)->killed_by, LANE_STARTUP);
    story.t = SECONDS(52);
    story_run(&story, 1);
    story.t = SECONDS(70);
    story_refused(&story, LANE_STARTUP);
    assert_int_equal(startup(&story).count, 1);
    /* Told again, or late, it is not about this run. */
    event(&story, "k", "Killing", "Container vllm failed startup probe, will be restarted", 1, SECONDS(50));
    event(&story, "l", "Killing", "Container vllm failed startup probe, will be restarted", 1, SECONDS(52));
    assert_int_equal(startup(&story).count, 1);
    story_end(&story);
}

/* The kubelet's word that comes when the run it ended is over: after the restart, or before we came. */
static void a_late_word_finds_its_run(void **state)
{
    static const struct {
        int64_t at; /* of the event, seconds */
        uint32_t killed_run;
        int64_t killed_after;
    } rows[] = {{50, 1, 40}, {51, 1, 41}, {52, 1, 42}, {53, 2, 1}, {5, 0, 0}};
    (void)state;
    for (int late = 0; late < 2; late++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            struct story story;
            begin(&story);
            if (late) { /* nothing of the first run was seen */
                fleet_free(story.fleet);
                story.fleet = fleet_new(fleet_limits_reader());
            }
            story.t = SECONDS(52);
            story.facts.serving.last.known = true;
            story.facts.serving.last.exit_code = 137;
            story.facts.serving.last.started_at = SECONDS(10);
            story.facts.serving.last.finished_at = SECONDS(52);
            story_run(&story, 1);
            story.t = SECONDS(60);
            event(&story, "k", "Killing", "Container vllm failed startup probe, will be restarted", 1,
                  rows[i].at * 1000000);
            const struct pod *pod = story_pod(&story);
            assert_int_equal(pod->run, 2);
            assert_int_equal(pod->killed_run, rows[i].killed_run);
            assert_int_equal(pod->killed_after, SECONDS(rows[i].killed_after));
            assert_int_equal(pod->killed_at, rows[i].killed_run ? SECONDS(rows[i].at) : 0);
            /* Only what is about this run ends its streak. */
            assert_int_equal(pod->lanes[LANE_STARTUP].prober.on_hold, rows[i].killed_run == 2);
            story_end(&story);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_foretell), cmocka_unit_test(the_budget_agrees_with_the_forecast),
        cmocka_unit_test(old_events_tell_no_tick), cmocka_unit_test(its_kill_ends_our_streak),
        cmocka_unit_test(a_late_word_finds_its_run)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
