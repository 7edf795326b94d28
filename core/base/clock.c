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
    if (clock->speed <= 0)
        return clock->frozen;
    int64_t real = clock_mono_us() - clock->mono_zero;
    return (int64_t)((double)real * clock->speed);
}

int64_t clock_real_ms_until(const struct clock *clock, int64_t t)
{
    int64_t now = clock_now(clock);
    if (t <= now)
        return 0;
    if (clock->speed <= 0)
        return INT64_MAX / 2;
    double ms = ((double)t - (double)now) / clock->speed / MILLISECOND_US;
    if (ms >= (double)(INT64_MAX / 2))
        return INT64_MAX / 2;
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
    if (written == 0)
        snprintf(out, size, "?");
    return out;
}

/* Takes exactly `digits` digits, then `mark` ('\0': nothing). */
static bool digits_take(const char **at, int digits, char mark, int64_t lowest, int64_t highest, int64_t *out)
{
    int64_t value = 0;
    for (int i = 0; i < digits; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        value = value * 10 + (**at - '0');
    }
    *out = value;
    if (mark != '\0' && *(*at)++ != mark)
        return false;
    return value >= lowest && value <= highest;
}

static int64_t month_days(int64_t year, int64_t month)
{
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 ? (leap ? 29 : 28) : month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* Days from 1970-01-01 in the Gregorian calendar, which RFC 3339 takes back to year 0. */
static int64_t civil_days(int64_t year, int64_t month, int64_t day)
{
    enum { DAYS_TO_1970 = 719528 }; /* from 0000-01-01 */
    int64_t before = year > 0 ? year - 1 : 0;
    int64_t days = 365 * year + (year > 0 ? before / 4 - before / 100 + before / 400 + 1 : 0) + day - 1;
    for (int64_t m = 1; m < month; m++)
        days += month_days(year, m);
    return days - DAYS_TO_1970;
}

/* "Z", "+01:00"; µs to take off. */
static bool offset_take(const char **at, int64_t *out)
{
    int64_t hours = 0, minutes = 0;
    char sign = *(*at)++;
    *out = 0;
    if (sign == 'Z' || sign == 'z')
        return true;
    if ((sign != '+' && sign != '-') || !digits_take(at, 2, ':', 0, 23, &hours) ||
        !digits_take(at, 2, '\0', 0, 59, &minutes))
        return false;
    *out = (hours * 60 + minutes) * 60 * SECOND_US * (sign == '-' ? -1 : 1);
    return true;
}

bool clock_parse_rfc3339(const char *string, int64_t *wall_us)
{
    const char *at = string;
    int64_t year, month, day, hour, minute, second, micros = 0, offset;
    if (!digits_take(&at, 4, '-', 0, 9999, &year) || !digits_take(&at, 2, '-', 1, 12, &month) ||
        !digits_take(&at, 2, '\0', 1, month_days(year, month), &day) || (*at != 'T' && *at != 't'))
        return false;
    at++;
    /* A second 60 is a leap second: the next one's 0. */
    if (!digits_take(&at, 2, ':', 0, 23, &hour) || !digits_take(&at, 2, ':', 0, 59, &minute) ||
        !digits_take(&at, 2, '\0', 0, 60, &second))
        return false;
    if (*at == '.') {
        at++;
        const char *began = at;
        for (int64_t unit = SECOND_US / 10; *at >= '0' && *at <= '9'; at++, unit /= 10)
            micros += (*at - '0') * unit;
        if (at == began)
            return false;
    }
    if (!offset_take(&at, &offset) || *at != '\0')
        return false;
    int64_t minutes = (civil_days(year, month, day) * 24 + hour) * 60 + minute;
    *wall_us = (minutes * 60 + second) * SECOND_US + micros - offset;
    return true;
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
    if (span_us < 0)
        return clock_dash(out, size);
    if (minutes == 0)
        snprintf(out, size, "%" PRId64 "s", seconds);
    else if (hours == 0)
        snprintf(out, size, "%" PRId64 ":%02" PRId64, minutes, seconds % 60);
    else if (hours < 24)
        snprintf(out, size, "%" PRId64 "h%02" PRId64, hours, minutes % 60);
    else
        snprintf(out, size, "%" PRId64 "d%" PRId64 "h", hours / 24, hours % 24);
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
    if (span_us < 0)
        return clock_dash(out, size);
    if (span_us < MILLISECOND_US)
        snprintf(out, size, "<1ms");
    else if (ms < 100)
        snprintf(out, size, "%" PRId64 "ms", ms);
    else if (hundredths < 1000)
        snprintf(out, size, "%" PRId64 ".%02" PRId64 "s", hundredths / 100, hundredths % 100);
    else
        snprintf(out, size, "%" PRId64 ".%" PRId64 "s", tenths / 10, tenths % 10);
    return out;
}
