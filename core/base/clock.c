#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static int64_t clock_read_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * SECOND_US + now.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return clock_read_us(CLOCK_MONOTONIC);
}

void clock_start(struct clock *clock, double speed)
{
    *clock = (struct clock){
        .mono_zero = clock_mono_us(),
        .wall_zero = clock_read_us(CLOCK_REALTIME),
        .speed = speed,
    };
}

int64_t clock_now(const struct clock *clock)
{
    if (clock->speed <= 0) {
        return clock->frozen;
    }
    int64_t real = clock_mono_us() - clock->mono_zero;
    return (int64_t)((double)real * clock->speed);
}

int64_t clock_real_ms_until(const struct clock *clock, int64_t t)
{
    int64_t now = clock_now(clock);
    if (t <= now) {
        return 0;
    }
    if (clock->speed <= 0) {
        return INT64_MAX / 2;
    }
    double ms = ((double)t - (double)now) / clock->speed / MILLISECOND_US;
    if (ms >= (double)(INT64_MAX / 2)) {
        return INT64_MAX / 2;
    }
    int64_t whole = (int64_t)ms;
    return (double)whole < ms ? whole + 1 : whole;
}

const char *clock_format(int64_t wall_us, enum clock_style style, char *out, size_t size)
{
    /* Rounded down, also before 1970, so that no two moments swap. */
    time_t seconds = (time_t)(wall_us / SECOND_US - (wall_us % SECOND_US < 0 ? 1 : 0));
    struct tm parts = {0};
    size_t written = 0;
    switch (style) {
    case CLOCK_HMS:
        written = strftime(out, size, "%H:%M:%S", localtime_r(&seconds, &parts));
        break;
    case CLOCK_HM:
        written = strftime(out, size, "%H:%M", localtime_r(&seconds, &parts));
        break;
    case CLOCK_ISO_UTC:
        written = strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &parts));
        break;
    }
    if (written == 0) {
        snprintf(out, size, "?");
    }
    return out;
}

static const char *clock_dash(char *out, size_t size)
{
    snprintf(out, size, "\xe2\x80\x93");
    return out;
}

const char *clock_age(int64_t span_us, char *out, size_t size)
{
    int64_t seconds = span_us / SECOND_US;
    int64_t minutes = seconds / 60;
    int64_t hours = minutes / 60;
    if (span_us < 0) {
        return clock_dash(out, size);
    }
    if (minutes == 0) {
        snprintf(out, size, "%" PRId64 "s", seconds);
    } else if (hours == 0) {
        snprintf(out, size, "%" PRId64 ":%02" PRId64, minutes, seconds % 60);
    } else if (hours < 24) {
        snprintf(out, size, "%" PRId64 "h%02" PRId64, hours, minutes % 60);
    } else {
        snprintf(out, size, "%" PRId64 "d%" PRId64 "h", hours / 24, hours % 24);
    }
    return out;
}

/* `span` in units of `unit`, rounded half up. */
static int64_t clock_rounded(int64_t span, int64_t unit)
{
    return span / unit + (span % unit >= unit / 2 ? 1 : 0);
}

const char *clock_latency(int64_t span_us, char *out, size_t size)
{
    /* Each style is left as soon as the rounded number would no longer fit it: 99.6 ms is "0.10s", 9.996 s is "10.0s". */
    int64_t ms = clock_rounded(span_us, MILLISECOND_US);
    int64_t hundredths = clock_rounded(span_us, SECOND_US / 100);
    int64_t tenths = clock_rounded(span_us, SECOND_US / 10);
    if (span_us < 0) {
        return clock_dash(out, size);
    }
    if (span_us < MILLISECOND_US) {
        snprintf(out, size, "<1ms");
    } else if (ms < 100) {
        snprintf(out, size, "%" PRId64 "ms", ms);
    } else if (hundredths < 1000) {
        snprintf(out, size, "%" PRId64 ".%02" PRId64 "s", hundredths / 100, hundredths % 100);
    } else {
        snprintf(out, size, "%" PRId64 ".%" PRId64 "s", tenths / 10, tenths % 10);
    }
    return out;
}
