/* Time for tests that play minutes of a story in a second, where a time-out lasts some ms: what is asked of the program there must not depend on whether the machine lets this process run. From pace_begin() to
 * pace_end() this process's monotonic clocks, libuv's and libcurl's too, count no more than PACE_MOST_US from one reading to the next, so the moments in which it stood still do not count. They stay monotonic.
 * On a machine at rest this time is the real one. Not for programs with further processes: those have another time. */
#ifndef PROBETOP_TEST_PACE_H
#define PROBETOP_TEST_PACE_H

#include <uv.h>

enum { PACE_MOST_US = 2000 };

struct pace {
    uv_timer_t beat;
};
void pace_begin(struct pace *pace, uv_loop_t *loop); /* before anything else is on the loop */
void pace_end(struct pace *pace);                    /* its handle ends within the next loop turn */

#endif
