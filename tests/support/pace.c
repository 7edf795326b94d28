#include "tests/support/pace.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BEAT_MS = 1, US_PER_SECOND = 1000000, NS_PER_US = 1000 };

/* Of the whole process, as the clocks are. */
static struct {
    bool begun;
    int64_t read_us, lost_us;
} paced;

static int64_t paced_us(int64_t real_us)
{
    int64_t gap = real_us - paced.read_us;
    if (paced.begun && gap > PACE_MOST_US)
        paced.lost_us += gap - PACE_MOST_US;
    paced.read_us = real_us;
    return real_us - paced.lost_us;
}

/* In the place of libc's for the whole program, the libraries it uses included. */
int clock_gettime(clockid_t id, struct timespec *out)
{
    long now[2]; /* seconds and ns, as the kernel has them */
    bool counts = id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_MONOTONIC_RAW;
    if (syscall(SYS_clock_gettime, counts ? CLOCK_MONOTONIC : id, now) != 0)
        return -1;
    *out = (struct timespec){.tv_sec = now[0], .tv_nsec = now[1]};
    if (counts) {
        int64_t us = paced_us((int64_t)now[0] * US_PER_SECOND + now[1] / NS_PER_US);
        *out = (struct timespec){.tv_sec = us / US_PER_SECOND, .tv_nsec = us % US_PER_SECOND * NS_PER_US};
    }
    return 0;
}

/* Only that the loop comes by again: the time that it waits for something to happen is to count. */
static void on_beat(uv_timer_t *beat)
{
    (void)beat;
}

void pace_begin(struct pace *pace, uv_loop_t *loop)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); /* what was before does not count as a gap */
    paced.begun = true;
    uv_timer_init(loop, &pace->beat);
    uv_timer_start(&pace->beat, on_beat, BEAT_MS, BEAT_MS);
}

void pace_end(struct pace *pace)
{
    paced.begun = false;
    uv_close((uv_handle_t *)&pace->beat, NULL);
}
