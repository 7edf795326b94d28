#include "model/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void add(struct history *history, enum outcome outcome, int32_t status, int64_t total, bool late)
{
    struct sample sample;
    sample_init(&sample);
    sample.outcome = outcome;
    sample.status = status;
    sample.total = total;
    sample.is_late = late;
    history_add(history, &sample, total, 1);
    sample_free(&sample);
}

static void grows_to_its_depth_and_no_further(void **state)
{
    (void)state;
    struct history history;
    history_init(&history, 20);
    assert_null(history.marks);
    assert_null(history_get(&history, 0));
    for (uint32_t i = 1; i <= 100; i++) {
        add(&history, OUTCOME_OK, 200, i * 1000, false);
        assert_true(history.capacity <= 20);
        assert_int_equal(history.count, i < 20 ? i : 20);
        assert_int_equal(history_get(&history, 0)->total_us, i * 1000);
        assert_int_equal(history_get(&history, history.count - 1)->total_us, (i < 20 ? 1 : i - 19) * 1000);
        assert_null(history_get(&history, history.count));
    }
    assert_int_equal(history.added, 100);
    history_free(&history);
}

static void depth_zero_keeps_nothing(void **state)
{
    (void)state;
    struct history history;
    history_init(&history, 0);
    add(&history, OUTCOME_OK, 200, 1000, false);
    assert_null(history.marks);
    assert_int_equal(history_percentile(&history, 50), -1);
    assert_int_equal(history_max(&history), -1);
    history_free(&history);
}

static void percentiles_are_of_the_pod_only(void **state)
{
    (void)state;
    struct history history;
    history_init(&history, 256);
    assert_int_equal(history_percentile(&history, 99), -1);
    add(&history, OUTCOME_FAIL, 0, 5000000, false);      /* a refusal or timeout has no latency */
    add(&history, OUTCOME_UNKNOWN, 200, 6000000, false); /* the tunnel's */
    add(&history, OUTCOME_ERRORED, 200, 6000000, false);
    add(&history, OUTCOME_OK, 200, 7000000, true); /* our own loop was behind */
    add(&history, OUTCOME_OK, 200, -1, false);
    assert_int_equal(history_percentile(&history, 50), -1);
    for (int i = 1; i <= 100; i++)
        add(&history, i % 2 ? OUTCOME_OK : OUTCOME_FAIL, 503, i * 10, false);
    assert_int_equal(history_percentile(&history, 50), 500);
    assert_int_equal(history_percentile(&history, 99), 990);
    assert_int_equal(history_percentile(&history, 100), 1000);
    assert_int_equal(history_percentile(&history, 0.1), 10);
    assert_int_equal(history_max(&history), 1000);
    assert_int_equal(history.percentiles_at, history.added);
    add(&history, OUTCOME_OK, 200, 20, false); /* a new mark: computed again */
    assert_int_equal(history_percentile(&history, 50), 500);
    add(&history, OUTCOME_OK, 200, 20, false);
    assert_int_equal(history_percentile(&history, 50), 490);
    history_free(&history);
}

static void marks_hold_what_fits(void **state)
{
    (void)state;
    struct history history;
    struct sample sample;
    history_init(&history, 4);
    sample_init(&sample);
    sample.outcome = OUTCOME_FAIL;
    sample.cause = PROBE_CAUSE_TIMEOUT_HEADERS;
    sample.answerer = ANSWERER_VLLM;
    sample.total = INT64_MAX;
    sample.status = -5;
    history_add(&history, &sample, -77, 1);
    const struct mark *mark = history_get(&history, 0);
    assert_int_equal(sizeof *mark, 16);
    assert_int_equal(mark->at_ms, 0);
    assert_int_equal(mark->total_us, UINT32_MAX - 1);
    assert_int_equal(mark->timeout_share, UINT16_MAX);
    assert_int_equal(mark->status, 0);
    assert_int_equal(mark->cause, PROBE_CAUSE_TIMEOUT_HEADERS);
    sample.total = 810000;
    history_add(&history, &sample, 5000000, 1);
    assert_int_equal(history_get(&history, 0)->timeout_share, 810);
    assert_int_equal(history_get(&history, 0)->at_ms, 5000);
    history_free(&history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_to_its_depth_and_no_further),
        cmocka_unit_test(depth_zero_keeps_nothing),
        cmocka_unit_test(percentiles_are_of_the_pod_only),
        cmocka_unit_test(marks_hold_what_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
