/* Waiting for a condition while a loop goes on. */
#ifndef PROBETOP_TEST_LOOP_H
#define PROBETOP_TEST_LOOP_H

#include "base/clock.h"

#include <unistd.h>
#include <uv.h>

enum { LOOP_SECONDS = 20, LOOP_PAUSE_US = 200 };

#define LOOP_UNTIL(loop, condition)                                                                                    \
    do {                                                                                                               \
        int64_t deadline_ = clock_mono_us() + LOOP_SECONDS * (int64_t)SECOND_US;                                       \
        while (!(condition)) {                                                                                         \
            if (clock_mono_us() > deadline_)                                                                           \
                fail_msg("never: %s", #condition);                                                                     \
            uv_run(loop, UV_RUN_NOWAIT);                                                                               \
            usleep(LOOP_PAUSE_US);                                                                                     \
        }                                                                                                              \
    } while (0)

#endif
