/* Time. clock.c alone reads the system's clocks; everybody else is told what time it is.
 *
 * A run of probetop has one clock. Its time, called t, counts microseconds from the run's start and is what facts are stamped with. With a speed other
 * than 1 (the simulated fleet's --speed) t runs that many times as fast as real time, and so does everything that is told in it. The wall-clock time
 * of a moment is wall_zero + t: monotonic, so a corrected system clock cannot reorder facts. Both halves of the program share one clock by sharing
 * its three numbers (they stand in the journal's first line), since CLOCK_MONOTONIC is the same in all processes of a machine. */
#ifndef PROBETOP_CLOCK_H
#define PROBETOP_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SECOND_US = 1000000, MILLISECOND_US = 1000 };

struct clock {
    int64_t mono_zero; /* CLOCK_MONOTONIC in µs at t = 0 */
    int64_t wall_zero; /* Unix time in µs at t = 0 */
    double speed;      /* t per real time; 0 is a clock that stands at `frozen` (replay, tests) */
    int64_t frozen;    /* t while speed is 0 */
};

void clock_start(struct clock *clock, double speed); /* t = 0 now */
int64_t clock_now(const struct clock *clock);        /* t, in µs */
/* Real milliseconds from now until `t`, rounded up, at least 0; for arming timers. A standing clock gives INT64_MAX / 2 for the future. */
int64_t clock_real_ms_until(const struct clock *clock, int64_t t);
int64_t clock_mono_us(void); /* CLOCK_MONOTONIC now, for measuring real spans only */

/* "14:03:22" or, with date, "2026-11-24T14:03:22Z" style. Local time by TZ unless utc. `size` at least 32. Returns out. */
enum clock_style { CLOCK_HMS, CLOCK_HM, CLOCK_ISO_UTC };
const char *clock_format(int64_t wall_us, enum clock_style style, char *out, size_t size);

/* Unix µs of a moment written as RFC 3339 has it ("2026-11-24T06:00:00Z", "...00.25+01:00"), finer than µs cut off. False: it is not one, or there is no such day or time. */
bool clock_parse_rfc3339(const char *string, int64_t *wall_us);

/* The one style of durations on every screen and report (µs in): "0s" to "59s", "1:00" to "59:59", "1h00" to "23h59", "1d0h" upwards; negative gives "–" ("-" in ascii).
 * Latencies: "3ms" below 1 s (below 1 ms: "<1ms"), "0.97s" style from 100 ms on, "12.3s" from 10 s; negative gives the same dash. `size` at least 16. */
const char *clock_age(int64_t span_us, char *out, size_t size);
const char *clock_latency(int64_t span_us, char *out, size_t size);

#endif
