/* The arithmetic of facts/kube.md 1.4, by table. Seconds with fractions in the tables, µs in the code. */
#include "base/clock.h"
#include "model/forecast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const int64_t known_start = 100 * (int64_t)SECOND_US;

/* Seconds after the container's start as a moment; -1 stays -1. */
static int64_t after_start(double seconds)
{
    return seconds < 0 ? -1 : known_start + (int64_t)(seconds * SECOND_US + 0.5);
}

static struct probe_spec spec_of(int32_t delay, int32_t period, int32_t failures, int32_t successes, int32_t timeout)
{
    return (struct probe_spec){.action = PROBE_HTTP_GET,
                               .initial_delay = delay,
                               .period = period,
                               .failure_threshold = failures,
                               .success_threshold = successes,
                               .timeout = timeout};
}

static struct container_view view_of(bool started, bool start_known)
{
    return (struct container_view){.run = 1,
                                   .running = true,
                                   .started = started,
                                   .started_at = start_known ? known_start : 0,
                                   .started_at_known = start_known};
}

/* Letters: o OK, f FAIL, e ERRORED, u UNKNOWN. */
static void prober_feed(struct prober *prober, const struct container_view *view, const char *results)
{
    (void)prober_observe(prober, view);
    for (; *results != '\0'; results++) {
        static const char letters[] = {'u', 'o', 'w', 'f', 'e'}; /* as enum outcome has them */

        (void)prober_result(prober, (enum outcome)((const char *)memchr(letters, *results, sizeof letters) - letters));
    }
}

struct budget_row {
    const char *name;
    int32_t delay, period, failures, timeout;
    bool start_known;
    const char *results;               /* so far */
    double first_seen, last_sent, now; /* seconds after the start */
    double from, deadline;             /* what is expected, likewise */
    int32_t count;
    double took; /* the last probe, seconds */
};

static const struct budget_row budgets[] = {
    {"1.4: d + (N-1)p to d + N*p before any probe", 2, 3, 4, 1, true, "", 0, -1, 0, 11, 14, 0, 0},
    {"1.4 measured: d=2 p=3 N=4, first probe at d: killed 11 s after the start", 2, 3, 4, 1, true, "fff", 0, 8, 8.1, 11,
     11, 3, 0},
    {"llm-d guide 15/30/60: 1785 to 1815 s", 15, 30, 60, 5, true, "", 0, -1, 100, 1785, 1815, 0, 0},
    {"wide-ep 30/10/60: 620 to 630 s", 30, 10, 60, 5, true, "", 0, -1, 100, 620, 630, 0, 0},
    {"after the first failure the probes tell", 15, 30, 60, 5, true, "f", 0, 20, 25, 1790, 1790, 1, 0},
    {"half way", 15, 30, 60, 5, true, "ffffffffff", 0, 290, 292, 1790, 1790, 10, 0},
    {"errored and unknown attempts do not count", 0, 10, 3, 1, true, "feeeuuu", 0, 5, 6, 25, 25, 1, 0},
    {"a lost tick pushes the moment on while the arithmetic allows it", 0, 10, 6, 1, true, "ff", 0, 10.5, 22, 60.5,
     60.5, 2, 0},
    {"came late: the kubelet has counted what we have not", 0, 10, 6, 1, true, "f", 35, 35, 36, 50, 60, 1, 0},
    {"no tunnel for long: the same", 0, 10, 6, 1, true, "ff", 0, 10, 55, 50, 60, 2, 0},
    {"streak of the container before lives on, no probe yet", 5, 10, 6, 1, true, "ffff", 0, -1, 2, 15, 25, 4, 0},
    {"start not known: from first seen, no delay in it", 15, 30, 60, 5, false, "", 7, -1, 10, 1777, 1807, 0, 0},
    {"start not known: then the probes tell, however late", 15, 30, 3, 5, false, "f", 7, 200, 201, 260, 260, 1, 0},
    {"overdue", 0, 10, 3, 1, true, "", 0, -1, 45, 20, 30, 0, 0},
    {"decided: the last probe was it", 0, 10, 3, 1, true, "fff", 0, 25, 26, 25, 25, 3, 0},
    {"decided: and stays where it was", 0, 10, 3, 1, true, "fff", 0, 25, 60, 25, 25, 3, 0},
    {"success that the kubelet does not tell of yet", 0, 10, 3, 1, true, "o", 0, 0.5, 6, 20, 30, 0, 0},
    {"refused at once, however long it might have taken: 150 x 2 s are 5 minutes", 0, 2, 150, 5, true, "ff", 0, 3, 4,
     299, 299.001, 2, 0.001},
    {"each hangs for its timeout, which is longer than the period", 0, 2, 10, 5, true, "ff", 0, 3, 9, 19, 48, 2, 5},
    {"slow, but faster than the period", 0, 10, 6, 5, true, "ff", 0, 12, 16, 52, 55, 2, 3},
    {"threshold 1: nothing before it", 3, 10, 1, 1, true, "", 0, -1, 0, 3, 13, 0, 0},
};

static void budget_row_holds(void **state)
{
    const struct budget_row *row = *state;
    const struct probe_spec spec = spec_of(row->delay, row->period, row->failures, 1, row->timeout);
    const struct container_view view = view_of(false, row->start_known);
    const int64_t now = after_start(row->now);
    struct prober startup;
    struct budget budget;

    prober_init(&startup, LANE_STARTUP, &spec);
    prober_feed(&startup, &view, row->results);
    budget = budget_of(&startup, &spec, &view, after_start(row->first_seen), after_start(row->last_sent),
                       (int64_t)(row->took * SECOND_US), now);
    assert_true(budget.applies);
    assert_int_equal(budget.guess, !row->start_known);
    assert_int_equal(budget.may_be_killed_from - known_start, after_start(row->from) - known_start);
    assert_int_equal(budget.deadline - known_start, after_start(row->deadline) - known_start);
    assert_int_equal(budget.count, row->count);
    assert_int_equal(budget.threshold, row->failures);
    assert_int_equal(budget.start, row->start_known ? known_start : after_start(row->first_seen));
    assert_int_equal(budget.used, now - budget.start);
    assert_int_equal(budget.left, budget.deadline - now);
    assert_int_equal(budget.used + budget.left, budget.deadline - budget.start);
}

struct streak_row {
    const char *name;
    enum lane_kind lane;
    int32_t delay, period, failures, successes, timeout;
    const char *results;
    double last_sent, last_total, now;
    enum consequence consequence;
    int32_t count, threshold;
    double at, earliest, latest;
};

#define L LANE_LIVENESS
#define R LANE_READINESS
#define S LANE_STARTUP
#define NOTHING CONSEQUENCE_NONE, 0, 0, -1, -1, -1
static const struct streak_row streaks[] = {
    {"readiness 2/3, NotReady in 5 s", R, 0, 5, 3, 1, 2, "off", 60, 0, 60, CONSEQUENCE_NOT_READY, 2, 3, 65, 65, 67},
    {"liveness 1/3, restart in 20 s", L, 0, 10, 3, 1, 5, "of", 60, 0, 60, CONSEQUENCE_RESTART, 1, 3, 80, 80, 85},
    {"a hanging server adds only to the last", L, 0, 10, 3, 1, 5, "f", 60, 5, 65, CONSEQUENCE_RESTART, 1, 3, 85, 80,
     85},
    {"and never more than its timeout", L, 0, 10, 3, 1, 5, "f", 60, 30, 61, CONSEQUENCE_RESTART, 1, 3, 85, 80, 85},
    {"unless it outlasts the period", L, 0, 1, 3, 1, 4, "f", 60, 4, 64, CONSEQUENCE_RESTART, 1, 3, 72, 62, 72},
    {"an unknown duration counts as none", L, 0, 10, 2, 1, 5, "f", 60, -1, 61, CONSEQUENCE_RESTART, 1, 2, 70, 70, 75},
    {"a tick under way is no lost tick", L, 0, 10, 2, 1, 5, "f", 60, 0, 74, CONSEQUENCE_RESTART, 1, 2, 70, 70, 75},
    {"a lost tick pushes the moment on", L, 0, 10, 2, 1, 5, "fu", 60, 0, 76, CONSEQUENCE_RESTART, 1, 2, 80, 80, 85},
    {"three lost ticks", L, 0, 10, 3, 1, 1, "feeeueee", 60, 0, 92, CONSEQUENCE_RESTART, 1, 3, 110, 110, 111},
    {"last probe not known: the next tick is within a period", L, 0, 10, 3, 1, 1, "ff", -1, -1, 60, CONSEQUENCE_RESTART,
     2, 3, -1, 60, 71},
    {"startup failures lead to a restart", S, 2, 3, 4, 1, 1, "fff", 8, 0, 8, CONSEQUENCE_RESTART, 3, 4, 11, 11, 12},
    {"startup: came late, so the arithmetic", S, 0, 10, 6, 1, 1, "f", 35, 0, 36, CONSEQUENCE_RESTART, 1, 6, 60, 50, 60},
    {"towards Ready: any moment now, at the own pace later", R, 0, 5, 3, 3, 2, "o", 60, 0, 60.5, CONSEQUENCE_READY, 1,
     3, 70, 60.5, 72},
    {"towards Ready: one missing", R, 0, 5, 3, 3, 2, "oo", 60, 0, 60, CONSEQUENCE_READY, 2, 3, 65, 60, 67},
    {"towards Ready: the last one is under way", R, 0, 5, 3, 3, 2, "oo", 60, 0, 66, CONSEQUENCE_READY, 2, 3, 65, 65,
     67},
    {"no result yet", L, 0, 10, 3, 1, 1, "", -1, -1, 60, NOTHING},
    {"liveness succeeds: nothing follows", L, 0, 10, 3, 1, 1, "fo", 60, 0, 60, NOTHING},
    {"Ready and successes: nothing follows", R, 0, 5, 3, 3, 2, "oooo", 60, 0, 60, NOTHING},
    {"not Ready and failures: nothing follows", R, 0, 5, 3, 1, 2, "ff", 60, 0, 60, NOTHING},
    {"NotReady is decided", R, 0, 5, 3, 1, 2, "offff", 60, 0, 60, NOTHING},
    {"on hold", L, 0, 10, 2, 1, 1, "ff", 60, 0, 60, NOTHING},
    {"startup is decided", S, 0, 10, 2, 1, 1, "ff", 60, 0, 60, NOTHING},
    {"gated by the initial delay", L, 30, 10, 3, 1, 1, "f", -1, 0, 20, NOTHING},
};

static void streak_row_holds(void **state)
{
    const struct streak_row *row = *state;
    const struct probe_spec spec = spec_of(row->delay, row->period, row->failures, row->successes, row->timeout);
    const struct container_view view = view_of(row->lane != LANE_STARTUP, true);
    const int64_t total = row->last_total < 0 ? -1 : (int64_t)(row->last_total * SECOND_US);
    struct prober prober;
    struct forecast forecast;

    prober_init(&prober, row->lane, &spec);
    prober_feed(&prober, &view, row->results);
    forecast = forecast_streak(&prober, &spec, &view, after_start(row->last_sent), total, after_start(row->now));
    assert_int_equal(forecast.consequence, row->consequence);
    assert_int_equal(forecast.count, row->count);
    assert_int_equal(forecast.threshold, row->threshold);
    assert_int_equal(forecast.at, after_start(row->at));
    assert_int_equal(forecast.earliest, after_start(row->earliest));
    assert_int_equal(forecast.latest, after_start(row->latest));
    assert_false(forecast.guess);
}

static struct forecast forecast_with(enum lane_kind lane, const struct container_view *view)
{
    const struct container_view before = view_of(lane != LANE_STARTUP, true);
    const struct probe_spec spec = spec_of(0, 10, 5, 1, 1);
    struct prober prober;

    prober_init(&prober, lane, &spec);
    prober_feed(&prober, &before, lane == LANE_READINESS ? "of" : "f");
    (void)prober_observe(&prober, view);
    return forecast_streak(&prober, &spec, view, after_start(60), 0, after_start(61));
}

static void gated_lanes_have_no_forecast(void **state)
{
    struct container_view view = view_of(true, true);

    (void)state;
    assert_int_equal(forecast_with(LANE_LIVENESS, &view).consequence, CONSEQUENCE_RESTART);
    assert_int_equal(forecast_with(LANE_STARTUP, &view).consequence, CONSEQUENCE_NONE); /* it has started */
    view.started = false;
    assert_int_equal(forecast_with(LANE_LIVENESS, &view).consequence, CONSEQUENCE_NONE);
    assert_int_equal(forecast_with(LANE_STARTUP, &view).consequence, CONSEQUENCE_RESTART);
    view = view_of(true, true);
    view.running = false;
    assert_int_equal(forecast_with(LANE_LIVENESS, &view).consequence, CONSEQUENCE_NONE);
    view = view_of(true, true);
    view.deleting = true;
    assert_int_equal(forecast_with(LANE_LIVENESS, &view).consequence, CONSEQUENCE_NONE);
    assert_int_equal(forecast_with(LANE_READINESS, &view).consequence, CONSEQUENCE_NOT_READY);
    view = view_of(true, true);
    view.pod_over = true;
    assert_int_equal(forecast_with(LANE_READINESS, &view).consequence, CONSEQUENCE_NONE);
}

/* Only start-up's arithmetic begins at the start: other lanes' streaks are exact without it. */
static void unknown_start_is_a_guess(void **state)
{
    struct container_view view = view_of(false, false);
    struct forecast forecast = forecast_with(LANE_STARTUP, &view);

    (void)state;
    assert_int_equal(forecast.consequence, CONSEQUENCE_RESTART);
    assert_true(forecast.guess);
    assert_int_equal(forecast.at, after_start(100));
    view.started = true;
    assert_false(forecast_with(LANE_LIVENESS, &view).guess);
}

/* A streak that a crash did not end: the next failing probe of the new container may kill it (1.2.12). */
static void streak_of_the_container_before(void **state)
{
    const struct probe_spec spec = spec_of(0, 10, 3, 1, 1);
    struct container_view view = view_of(true, true);
    struct prober prober;
    struct forecast forecast;

    (void)state;
    prober_init(&prober, LANE_LIVENESS, &spec);
    prober_feed(&prober, &view, "ff");
    view.run = 2;
    view.started_at = after_start(33);
    (void)prober_observe(&prober, &view);
    forecast = forecast_streak(&prober, &spec, &view, after_start(30), 0, after_start(45));
    assert_int_equal(forecast.consequence, CONSEQUENCE_RESTART);
    assert_int_equal(forecast.count, 2);
    assert_int_equal(forecast.at, after_start(50)); /* the worker's ticks go on: 40 went by unasked */
    prober_init(&prober, LANE_READINESS, &spec);    /* a complete streak promises nothing for the next container */
    prober_feed(&prober, &view, "oo");
    view.run = 3;
    (void)prober_observe(&prober, &view);
    assert_int_equal(forecast_streak(&prober, &spec, &view, after_start(50), 0, after_start(51)).consequence,
                     CONSEQUENCE_NONE);
}

static void budget_applies_only_while_starting(void **state)
{
    struct probe_spec spec = spec_of(0, 10, 3, 1, 1);
    struct container_view view = view_of(false, true);
    struct prober startup;

    (void)state;
    prober_init(&startup, LANE_STARTUP, &spec);
    prober_feed(&startup, &view, "f");
    assert_true(budget_of(&startup, &spec, &view, known_start, known_start, -1, known_start).applies);
    view.started = true;
    assert_false(budget_of(&startup, &spec, &view, known_start, known_start, -1, known_start).applies);
    view = view_of(false, true);
    view.running = false;
    assert_false(budget_of(&startup, &spec, &view, known_start, known_start, -1, known_start).applies);
    view = view_of(false, true);
    view.deleting = true; /* startup is Success for good then (1.2.7) */
    assert_false(budget_of(&startup, &spec, &view, known_start, known_start, -1, known_start).applies);
    view = view_of(false, true);
    spec.action = PROBE_NONE;
    assert_false(budget_of(&startup, &spec, &view, known_start, known_start, -1, known_start).applies);
}

/* Kubernetes takes any int32; sums of them must not run over. */
static void largest_numbers(void **state)
{
    const struct probe_spec spec = spec_of(INT32_MAX, INT32_MAX, INT32_MAX, 1, INT32_MAX);
    const struct container_view view = view_of(false, true);
    struct prober startup;
    struct budget budget;

    (void)state;
    prober_init(&startup, LANE_STARTUP, &spec);
    prober_feed(&startup, &view, "f");
    budget = budget_of(&startup, &spec, &view, known_start, known_start, -1, known_start);
    assert_true(budget.deadline > budget.start && budget.left > 0);
}

int main(void)
{
    enum { BUDGETS = sizeof budgets / sizeof budgets[0], STREAKS = sizeof streaks / sizeof streaks[0] };
    struct CMUnitTest budget_tests[BUDGETS], streak_tests[STREAKS];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(gated_lanes_have_no_forecast),
        cmocka_unit_test(unknown_start_is_a_guess),
        cmocka_unit_test(streak_of_the_container_before),
        cmocka_unit_test(budget_applies_only_while_starting),
        cmocka_unit_test(largest_numbers),
    };
    int failed = 0;

    for (size_t i = 0; i < BUDGETS; i++) {
        budget_tests[i] = (struct CMUnitTest){
            .name = budgets[i].name, .test_func = budget_row_holds, .initial_state = (void *)(uintptr_t)&budgets[i]};
    }
    for (size_t i = 0; i < STREAKS; i++) {
        streak_tests[i] = (struct CMUnitTest){
            .name = streaks[i].name, .test_func = streak_row_holds, .initial_state = (void *)(uintptr_t)&streaks[i]};
    }
    failed += cmocka_run_group_tests_name("start-up budgets", budget_tests, NULL, NULL);
    failed += cmocka_run_group_tests_name("streaks", streak_tests, NULL, NULL);
    failed += cmocka_run_group_tests_name("forecast", others, NULL, NULL);
    return failed;
}
