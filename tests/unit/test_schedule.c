/* The schedule against the kubelet's own loop, played out tick by tick. */
#include "base/clock.h"
#include "probe/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <string.h>

static bool take(struct schedule *schedule, int64_t now, struct ticker *ticker)
{
    memset(ticker, 0, sizeof *ticker);
    return schedule_take(schedule, now, ticker);
}

static void test_empty(void **state)
{
    struct schedule *schedule = schedule_new(SCHEDULE_GRID_US);
    struct ticker ticker;
    (void)state;
    assert_true(schedule_next(schedule) == INT64_MAX);
    assert_false(take(schedule, INT64_MAX, &ticker));
    schedule_remove(schedule, 1, LANE_HEALTH);
    schedule_begun(schedule, 1, LANE_HEALTH);
    schedule_ended(schedule, 1, LANE_HEALTH, 0);
    schedule_now(schedule, 1, LANE_HEALTH, 0);
    assert_int_equal(schedule_count(schedule), 0);
    schedule_free(schedule);
    schedule_free(NULL);
}

/* Due times between grid points are taken on the next one, late by less than the grid; the phase is not rounded. */
static void test_grid(void **state)
{
    struct schedule *schedule = schedule_new(SCHEDULE_GRID_US);
    struct ticker ticker;
    (void)state;
    schedule_set(schedule, 7, LANE_LIVENESS, 2 * SECOND_US, 130000);
    assert_int_equal(schedule_next(schedule), 200000);
    assert_false(take(schedule, 199999, &ticker));
    assert_true(take(schedule, 200000, &ticker));
    assert_int_equal(ticker.pod, 7);
    assert_int_equal(ticker.lane, LANE_LIVENESS);
    assert_int_equal(ticker.due, 130000);
    assert_int_equal(ticker.fire, 200000); /* lateness counts from here */
    assert_false(take(schedule, 200000, &ticker));
    assert_int_equal(schedule_next(schedule), 2200000);
    assert_true(take(schedule, 2200000, &ticker));
    assert_int_equal(ticker.due, 2130000);
    schedule_free(schedule);
}

/* While a probe is under way its ticks pass; the first of them is caught up with at once when it ends, and the phase stays. */
static void test_long_probe(void **state)
{
    struct schedule *schedule = schedule_new(SCHEDULE_GRID_US);
    struct ticker ticker;
    (void)state;
    schedule_set(schedule, 1, LANE_READINESS, 5 * SECOND_US, 0);
    assert_true(take(schedule, 0, &ticker));
    schedule_begun(schedule, 1, LANE_READINESS);
    assert_true(schedule_next(schedule) == INT64_MAX); /* a fleet that hangs costs no wake-ups */
    assert_false(take(schedule, 16 * SECOND_US, &ticker));
    schedule_ended(schedule, 1, LANE_READINESS, 17 * SECOND_US + 1);
    assert_true(take(schedule, 17 * SECOND_US + 1, &ticker));
    assert_int_equal(ticker.due, 5 * SECOND_US);
    assert_int_equal(schedule_next(schedule), 20 * SECOND_US);
    schedule_free(schedule);
}

static void test_trigger(void **state)
{
    struct schedule *schedule = schedule_new(SCHEDULE_GRID_US);
    struct ticker ticker;
    (void)state;
    schedule_set(schedule, 1, LANE_READINESS, 5 * SECOND_US, 0);
    assert_true(take(schedule, 0, &ticker));
    schedule_now(schedule, 1, LANE_READINESS, 1234567);
    assert_int_equal(schedule_next(schedule), 1234567);
    assert_true(take(schedule, 1234567, &ticker));
    assert_int_equal(schedule_next(schedule), 6300000); /* counted from the trigger, then the grid */
    schedule_begun(schedule, 1, LANE_READINESS);
    schedule_now(schedule, 1, LANE_READINESS, 2000000); /* while busy: right after it */
    assert_false(take(schedule, 2000000, &ticker));
    schedule_ended(schedule, 1, LANE_READINESS, 3000001);
    assert_true(take(schedule, 3000001, &ticker));
    assert_false(take(schedule, 7900000, &ticker));
    assert_true(take(schedule, 8100000, &ticker));
    assert_int_equal(ticker.due, 8000001);
    schedule_free(schedule);
}

static void test_change_of_period(void **state)
{
    struct schedule *schedule = schedule_new(SCHEDULE_GRID_US);
    struct ticker ticker;
    (void)state;
    schedule_set(schedule, 1, LANE_STARTUP, 10 * SECOND_US, 0);
    assert_true(take(schedule, 0, &ticker));
    schedule_set(schedule, 1, LANE_STARTUP, 10 * SECOND_US, 3 * SECOND_US); /* the same: nothing */
    assert_int_equal(schedule_next(schedule), 10 * SECOND_US);
    schedule_set(schedule, 1, LANE_STARTUP, 4 * SECOND_US, 3 * SECOND_US);
    assert_int_equal(schedule_next(schedule), 4 * SECOND_US);
    schedule_begun(schedule, 1, LANE_STARTUP);
    schedule_set(schedule, 1, LANE_STARTUP, 6 * SECOND_US, 0);
    assert_true(schedule_next(schedule) == INT64_MAX);
    schedule_ended(schedule, 1, LANE_STARTUP, 5 * SECOND_US);
    assert_int_equal(schedule_next(schedule), 6 * SECOND_US);
    schedule_free(schedule);
}

/* A loop that stood still takes each ticker once, and goes on in phase. */
static void test_after_a_stall(void **state)
{
    struct schedule *schedule = schedule_new(SCHEDULE_GRID_US);
    struct ticker ticker;
    (void)state;
    schedule_set(schedule, 1, LANE_HEALTH, SECOND_US, 0);
    assert_true(take(schedule, 60 * SECOND_US + 5, &ticker));
    assert_int_equal(ticker.due, 0);
    assert_false(take(schedule, 60 * SECOND_US + 5, &ticker));
    assert_int_equal(schedule_next(schedule), 61 * SECOND_US);
    schedule_free(schedule);
}

/* One pod is asked at once; the first ticks of a crowd are spread evenly over a second, or over the period when that is shorter. */
static void test_crowd(void **state)
{
    enum { PODS = 1000 };
    int in_slot[10] = {0}, lanes_of_first = 0;
    struct schedule *schedule = schedule_new(SCHEDULE_GRID_US);
    struct ticker ticker;
    (void)state;
    for (uint32_t pod = 1; pod <= PODS; pod++) {
        schedule_set(schedule, pod, LANE_LIVENESS, 10 * SECOND_US, pod);
        schedule_set(schedule, pod, LANE_READINESS, 10 * SECOND_US, pod);
    }
    assert_int_equal(schedule_count(schedule), 2 * PODS);
    while (take(schedule, 2 * SECOND_US, &ticker)) {
        assert_in_range(ticker.due, 0, SECOND_US + PODS);
        lanes_of_first += ticker.pod == 1 && ticker.due == 1;
        if (ticker.due < SECOND_US)
            in_slot[ticker.due / SCHEDULE_GRID_US]++;
    }
    assert_int_equal(lanes_of_first, 2);
    for (int i = 0; i < 10; i++)
        assert_in_range(in_slot[i], 2 * PODS / 10 - 10, 2 * PODS / 10 + 10);
    schedule_set(schedule, 5000, LANE_LIVENESS, 10 * SECOND_US, 5 * SECOND_US); /* much later: alone again */
    assert_int_equal(schedule_next(schedule), 5 * SECOND_US);
    schedule_free(schedule);
}

static void test_removal(void **state)
{
    struct schedule *schedule = schedule_new(1);
    struct ticker ticker;
    (void)state;
    for (uint32_t pod = 1; pod <= 50; pod++)
        for (int lane = 0; lane < LANE_COUNT; lane++)
            schedule_set(schedule, pod, (enum lane_kind)lane, SECOND_US, (int64_t)((pod * 37) % 50) * 10 * SECOND_US);
    for (uint32_t pod = 2; pod <= 50; pod += 2)
        schedule_remove_pod(schedule, pod);
    schedule_remove(schedule, 1, LANE_HEALTH);
    assert_int_equal(schedule_count(schedule), 25 * LANE_COUNT - 1);
    size_t taken = 0;
    for (int64_t last = 0, next; (next = schedule_next(schedule)) != INT64_MAX; last = next, taken++) {
        assert_true(next >= last);
        assert_true(take(schedule, next, &ticker));
        assert_int_equal(ticker.pod % 2, 1);
        assert_false(ticker.pod == 1 && ticker.lane == LANE_HEALTH);
        schedule_remove(schedule, ticker.pod, ticker.lane);
    }
    assert_int_equal(taken, 25 * LANE_COUNT - 1);
    schedule_free(schedule);
}

/* ---- against Go's ticker ---- */

enum { TICKERS = 40, ROUNDS = 60, STEPS = 4000, STEP_US = 50000 };

static uint64_t roll(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* A worker as facts/kube.md 1.1 has it: time.Ticker with room for one tick in its channel, and a loop that probes and then waits for it. Ticks and probe ends both lie on
 * multiples of the grid, so there is nothing to round. */
struct worker {
    int64_t period, next_tick, busy_until;
    int64_t buffered; /* when the tick in the channel was due; -1 none */
};

/* What the worker does at `now`; the due time of the tick it probes for, or -1. */
static int64_t worker_step(struct worker *worker, int64_t now)
{
    if (worker->next_tick <= now) {
        if (worker->buffered < 0)
            worker->buffered = worker->next_tick;
        worker->next_tick += worker->period;
    }
    if (now < worker->busy_until || worker->buffered < 0)
        return -1;
    int64_t due = worker->buffered;
    worker->buffered = -1;
    return due;
}

static void round_run(uint64_t *seed)
{
    struct worker workers[TICKERS];
    bool busy[TICKERS] = {false};
    struct schedule *schedule = schedule_new(STEP_US);
    for (uint32_t i = 0; i < TICKERS; i++) {
        int64_t first = (int64_t)(i + 1) * 2 * SECOND_US; /* no crowd: each alone */
        workers[i] =
            (struct worker){.period = (int64_t)(1 + roll(seed) % 100) * STEP_US, .next_tick = first, .buffered = -1};
        schedule_set(schedule, i + 1, (enum lane_kind)(i % LANE_COUNT), workers[i].period, first);
    }
    for (int64_t now = 0; now < (int64_t)STEPS * STEP_US; now += STEP_US) {
        int64_t expected[TICKERS];
        struct ticker ticker;
        for (uint32_t i = 0; i < TICKERS; i++) {
            if (busy[i] && workers[i].busy_until <= now) {
                schedule_ended(schedule, i + 1, (enum lane_kind)(i % LANE_COUNT), now);
                busy[i] = false;
            }
            expected[i] = worker_step(&workers[i], now);
        }
        while (take(schedule, now, &ticker)) {
            uint32_t i = ticker.pod - 1;
            assert_int_equal(ticker.due, expected[i]);
            assert_int_equal(ticker.lane, i % LANE_COUNT);
            expected[i] = -1;
            int64_t takes = (int64_t)(roll(seed) % 300) * STEP_US;
            if (takes > 0) {
                workers[i].busy_until = now + takes;
                busy[i] = true;
                schedule_begun(schedule, ticker.pod, ticker.lane);
            }
        }
        for (uint32_t i = 0; i < TICKERS; i++)
            assert_int_equal(expected[i], -1); /* the worker probed and the schedule did not */
    }
    schedule_free(schedule);
}

static void test_against_go(void **state)
{
    uint64_t seed = 88172645463325252U;
    (void)state;
    for (int i = 0; i < ROUNDS; i++)
        round_run(&seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_grid),
        cmocka_unit_test(test_long_probe),
        cmocka_unit_test(test_trigger),
        cmocka_unit_test(test_change_of_period),
        cmocka_unit_test(test_after_a_stall),
        cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_removal),
        cmocka_unit_test(test_against_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
