/* Time: how it runs, and how it is written. */
#include "base/clock.h"

#include <time.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIN (INT64_C(60) * SECOND_US)
#define HOUR (60 * MIN)
#define DAY (24 * HOUR)
#define DASH "\xe2\x80\x93"

static void test_age(void **state)
{
    (void)state;
    static const struct {
        int64_t span;
        const char *expected;
    } rows[] = {
        {-1, DASH},
        {INT64_MIN, DASH},
        {0, "0s"},
        {999999, "0s"},
        {SECOND_US, "1s"},
        {MIN - 1, "59s"},
        {MIN, "1:00"},
        {12 * MIN + 40 * SECOND_US, "12:40"},
        {HOUR - 1, "59:59"},
        {HOUR, "1h00"},
        {DAY - 1, "23h59"},
        {DAY, "1d0h"},
        {3 * DAY + 5 * HOUR + 59 * MIN, "3d5h"},
        {400 * DAY, "400d0h"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[16];
        assert_string_equal(clock_age(rows[i].span, out, sizeof out), rows[i].expected);
    }
}

static void test_latency(void **state)
{
    (void)state;
    static const struct {
        int64_t span;
        const char *expected;
    } rows[] = {
        {-1, DASH},          {0, "<1ms"},           {999, "<1ms"},      {1000, "1ms"},      {3400, "3ms"},
        {3500, "4ms"},       {99499, "99ms"},       {99500, "0.10s"},   {100000, "0.10s"},  {970000, "0.97s"},
        {1200000, "1.20s"},  {1234567, "1.23s"},    {9994999, "9.99s"}, {9995000, "10.0s"}, {12300000, "12.3s"},
        {59960000, "60.0s"}, {605000000, "605.0s"}, {INT64_MIN, DASH},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[16];
        assert_string_equal(clock_latency(rows[i].span, out, sizeof out), rows[i].expected);
    }
}

static void test_spans_fit_and_are_ordered(void **state)
{
    (void)state;
    /* No span gives more than a row's room, up to the largest. */
    for (int64_t span = 1; span < INT64_MAX / 3; span *= 3) {
        char age[16], latency[16];
        assert_true(strlen(clock_age(span, age, sizeof age)) < 16);
        assert_true(strlen(clock_latency(span, latency, sizeof latency)) < 16);
    }
}

static void test_format(void **state)
{
    (void)state;
    static const struct {
        const char *zone;
        int64_t wall;
        enum clock_style style;
        const char *expected;
    } rows[] = {
        {"UTC0", INT64_C(1795701802) * SECOND_US, CLOCK_HMS, "14:03:22"},
        {"UTC0", INT64_C(1795701802) * SECOND_US + 999999, CLOCK_HMS, "14:03:22"},
        {"UTC0", INT64_C(1795701802) * SECOND_US, CLOCK_HM, "14:03"},
        {"EST5", INT64_C(1795701802) * SECOND_US, CLOCK_HMS, "09:03:22"},
        {"EST5", INT64_C(1795701802) * SECOND_US, CLOCK_ISO_UTC, "2026-11-26T14:03:22Z"},
        {"UTC0", -1, CLOCK_ISO_UTC, "1969-12-31T23:59:59Z"},
        {"UTC0", 0, CLOCK_ISO_UTC, "1970-01-01T00:00:00Z"},
        {"UTC0", INT64_MAX, CLOCK_ISO_UTC, "294247-01-10T04:00:54Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[32];
        setenv("TZ", rows[i].zone, 1);
        tzset();
        assert_string_equal(clock_format(rows[i].wall, rows[i].style, out, sizeof out), rows[i].expected);
    }
}

static void test_runs(void **state)
{
    (void)state;
    static const double speeds[] = {1, 0.5, 60};
    for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++) {
        struct clock clock;
        int64_t before = clock_mono_us();
        clock_start(&clock, speeds[i]);
        assert_in_range(clock.mono_zero, before, clock_mono_us());
        int64_t low = clock_mono_us() - clock.mono_zero;
        int64_t t = clock_now(&clock);
        int64_t high = clock_mono_us() - clock.mono_zero;
        assert_true(t >= (int64_t)((double)low * speeds[i]));
        assert_true(t <= (int64_t)((double)high * speeds[i]));
        assert_true(clock_now(&clock) >= t);
        time_t now = time(NULL);
        assert_in_range(clock.wall_zero / SECOND_US, now - 5, now + 5);
    }
}

static void test_shared(void **state)
{
    (void)state;
    /* Another process builds its clock from the three numbers: a start 10 s ago at speed 6 is t = 60 s. */
    struct clock clock = {.mono_zero = clock_mono_us() - 10 * SECOND_US, .speed = 6};
    assert_in_range(clock_now(&clock), MIN, MIN + 6 * SECOND_US);
}

static void test_frozen(void **state)
{
    (void)state;
    struct clock clock = {.frozen = 5000};
    assert_int_equal(clock_now(&clock), 5000);
    assert_int_equal(clock_real_ms_until(&clock, 5000), 0);
    assert_int_equal(clock_real_ms_until(&clock, 4000), 0);
    assert_true(clock_real_ms_until(&clock, 5001) == INT64_MAX / 2);
}

static void test_until(void **state)
{
    (void)state;
    struct clock clock;
    clock_start(&clock, 10);
    int64_t now = clock_now(&clock);
    assert_int_equal(clock_real_ms_until(&clock, now), 0);
    assert_int_equal(clock_real_ms_until(&clock, INT64_MIN), 0);
    /* 100 s of t are 10 s real; some of them are over by now. */
    assert_in_range(clock_real_ms_until(&clock, now + 100 * SECOND_US), 5000, 10000);
    clock.speed = 0.001;
    clock.mono_zero = clock_mono_us();
    /* Rounded up: 1 µs of t is a whole ms at this speed. */
    assert_in_range(clock_real_ms_until(&clock, clock_now(&clock) + 1), 1, 1);
    assert_true(clock_real_ms_until(&clock, INT64_MAX) == INT64_MAX / 2);
}

static void test_rfc3339(void **state)
{
    static const struct {
        const char *written;
        int64_t wall_us; /* -1: none */
    } ROWS[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-24T06:00:00Z", 1795500000 * (int64_t)SECOND_US},
        {"2026-11-24T06:00:00.25Z", 1795500000 * (int64_t)SECOND_US + 250000},
        {"2026-11-24T06:00:00.123456789Z", 1795500000 * (int64_t)SECOND_US + 123456},
        {"2026-11-24T07:00:00+01:00", 1795500000 * (int64_t)SECOND_US},
        {"2026-11-23t20:30:00.5-09:30", 1795500000 * (int64_t)SECOND_US + 500000},
        {"2000-02-29T12:00:00Z", 951825600 * (int64_t)SECOND_US},
        {"2016-12-31T23:59:60Z", 1483228800 * (int64_t)SECOND_US},
        {"1969-12-31T23:59:59Z", -(int64_t)SECOND_US},
        {"0001-01-01T00:00:00Z", -62135596800 * (int64_t)SECOND_US},
        {"0000-03-01T00:00:00Z", -62162035200 * (int64_t)SECOND_US},
        {"9999-12-31T23:59:59.999999Z", 253402300799 * (int64_t)SECOND_US + 999999},
        {"2001-02-29T12:00:00Z", -1},
        {"1900-02-29T12:00:00Z", -1},
        {"2026-13-01T00:00:00Z", -1},
        {"2026-00-01T00:00:00Z", -1},
        {"2026-01-00T00:00:00Z", -1},
        {"2026-04-31T00:00:00Z", -1},
        {"2026-01-01T24:00:00Z", -1},
        {"2026-01-01T00:60:00Z", -1},
        {"2026-01-01T00:00:61Z", -1},
        {"2026-01-01T00:00:00", -1},
        {"2026-01-01T00:00:00.Z", -1},
        {"2026-01-01T00:00:00Zx", -1},
        {"2026-01-01 00:00:00Z", -1},
        {"2026-01-01T00:00:00+1:00", -1},
        {"2026-01-01T00:00:00+24:00", -1},
        {"2026-1-1T00:00:00Z", -1},
        {"-026-01-01T00:00:00Z", -1},
        {"", -1},
        {"now", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        int64_t wall = 7;
        bool is_moment = clock_parse_rfc3339(ROWS[i].written, &wall);
        bool expected = ROWS[i].wall_us != -1;
        if (is_moment != expected || (expected && wall != ROWS[i].wall_us))
            fail_msg("\"%s\": %d, %lld", ROWS[i].written, is_moment, (long long)wall);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_age),    cmocka_unit_test(test_latency), cmocka_unit_test(test_spans_fit_and_are_ordered),
        cmocka_unit_test(test_format), cmocka_unit_test(test_runs),    cmocka_unit_test(test_shared),
        cmocka_unit_test(test_frozen), cmocka_unit_test(test_until),   cmocka_unit_test(test_rfc3339),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
