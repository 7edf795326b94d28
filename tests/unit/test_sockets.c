/* Watching sockets that others open and close. This program tests what Linux has; test_sockets_portable and test_http_portable what everybody has. */
#include "base/clock.h"
#include "probe/sockets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DEADLINE_MS = 10000, MANY = 200 };

struct stage {
    uv_loop_t loop;
    uv_timer_t timer; /* what is watched alone does not keep the loop going */
    struct sockets *sockets;
    int pair[2];
    int calls, afters, fd;
    bool error, in, out;
    int forget; /* this one, as soon as anything is ready; 0: nothing */
};

static void on_ready(void *user, int fd, bool error, bool in, bool out)
{
    struct stage *stage = user;
    stage->calls++;
    stage->fd = fd;
    stage->error = error;
    stage->in = in;
    stage->out = out;
    if (stage->forget > 0) {
        sockets_forget(stage->sockets, stage->forget);
        close(stage->forget);
        stage->forget = 0;
    }
}

static void on_after(void *user)
{
    struct stage *stage = user;
    assert_true(stage->calls > 0); /* never for nothing */
    stage->afters++;
}

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
}

static int setup(void **state)
{
    static struct stage stage;
    memset(&stage, 0, sizeof stage);
    if (uv_loop_init(&stage.loop) != 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, stage.pair) != 0)
        return -1;
    uv_timer_init(&stage.loop, &stage.timer);
    uv_timer_start(&stage.timer, on_timer, DEADLINE_MS, 0);
    stage.sockets = sockets_new(&stage.loop, on_ready, on_after, &stage);
    *state = &stage;
    return stage.sockets ? 0 : -1;
}

static int teardown(void **state)
{
    struct stage *stage = *state;
    sockets_free(stage->sockets);
    uv_close((uv_handle_t *)&stage->timer, NULL);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    close(stage->pair[0]);
    close(stage->pair[1]);
    return uv_loop_close(&stage->loop); /* no handle is left */
}

static void turn(struct stage *stage)
{
    stage->calls = stage->afters = 0;
    uv_run(&stage->loop, UV_RUN_NOWAIT);
}

static void wait_for_call(struct stage *stage)
{
    int64_t until = clock_mono_us() + DEADLINE_MS * (int64_t)MILLISECOND_US;
    do
        turn(stage);
    while (stage->calls == 0 && clock_mono_us() < until);
    assert_int_equal(stage->calls, 1);
    assert_int_equal(stage->afters, 1);
}

static void test_what_is_waited_for(void **state)
{
    struct stage *stage = *state;
    int fd = stage->pair[0];
    turn(stage);
    assert_int_equal(stage->calls, 0);
    sockets_watch(stage->sockets, fd, true, false, true);
    wait_for_call(stage);
    assert_true(stage->fd == fd && stage->out && !stage->in && !stage->error);
    sockets_watch(stage->sockets, fd, false, true, false); /* nothing to read yet */
    turn(stage);
    assert_int_equal(stage->calls, 0);
    assert_int_equal(write(stage->pair[1], "x", 1), 1);
    for (int i = 0; i < 3; i++) { /* for as long as it is not read */
        wait_for_call(stage);
        assert_true(stage->in && !stage->out);
    }
    sockets_watch(stage->sockets, fd, false, true, true);
    wait_for_call(stage);
    assert_true(stage->in && stage->out);
    sockets_forget(stage->sockets, fd);
    turn(stage);
    assert_int_equal(stage->calls, 0);
    sockets_forget(stage->sockets, fd); /* not watched: fine */
}

/* The peer's end comes as something to read, at the least. */
static void test_end_of_the_other_side(void **state)
{
    struct stage *stage = *state;
    sockets_watch(stage->sockets, stage->pair[0], true, true, false);
    close(stage->pair[1]);
    wait_for_call(stage);
    assert_true(stage->in || stage->error);
    sockets_forget(stage->sockets, stage->pair[0]);
}

/* A callback may forget and close any socket, also one that is ready in the same turn; a new one may have its number at once. */
static void test_forgotten_meanwhile(void **state)
{
    struct stage *stage = *state;
    int other[2], fd;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, other), 0);
    sockets_watch(stage->sockets, stage->pair[0], true, false, true);
    sockets_watch(stage->sockets, other[0], true, false, true);
    stage->forget = other[0];
    turn(stage);
    assert_in_range(stage->calls, 1, 2);
    turn(stage);
    assert_int_equal(stage->calls, 1);
    assert_int_equal(stage->fd, stage->pair[0]);
    fd = dup(other[1]);
    assert_int_equal(fd, other[0]);
    sockets_watch(stage->sockets, fd, true, true, true);
    int seen = 0;
    for (int i = 0; i < 3; i++) {
        turn(stage);
        seen += stage->calls;
    }
    assert_true(seen >= 6);
    sockets_forget(stage->sockets, fd);
    sockets_forget(stage->sockets, stage->pair[0]);
    close(fd);
    close(other[1]);
}

/* A connection that is kept for later: it may become ready, and be waited for again, before or after it did. */
static void test_forgotten_and_wanted_again(void **state)
{
    struct stage *stage = *state;
    int fd = stage->pair[0];
    assert_int_equal(write(stage->pair[1], "x", 1), 1);
    for (int turns = 0; turns < 3; turns++) {
        sockets_watch(stage->sockets, fd, true, false, true);
        wait_for_call(stage);
        assert_true(stage->fd == fd && stage->out && !stage->in);
        sockets_forget(stage->sockets, fd);
        for (int i = 0; i < turns; i++) {
            turn(stage);
            assert_int_equal(stage->calls, 0);
            assert_int_equal(stage->afters, 0);
        }
        sockets_watch(stage->sockets, fd, true, true, false);
        wait_for_call(stage);
        assert_true(stage->fd == fd && stage->in && !stage->out);
        sockets_forget(stage->sockets, fd);
    }
}

static void test_many(void **state)
{
    struct stage *stage = *state;
    int fds[MANY], seen = 0;
    for (int i = 0; i < MANY; i++) {
        fds[i] = dup(stage->pair[0]);
        assert_true(fds[i] >= 0);
        sockets_watch(stage->sockets, fds[i], true, false, true);
    }
    for (int i = 0; i < 100 && seen < MANY; i++) {
        turn(stage);
        seen += stage->calls;
    }
    assert_true(seen >= MANY);
    for (int i = 0; i < MANY; i++)
        if (i % 2) /* the others are left to sockets_free() */
            sockets_forget(stage->sockets, fds[i]);
    sockets_free(stage->sockets);
    stage->sockets = NULL;
    turn(stage);
    assert_int_equal(stage->calls, 0);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    sockets_free(NULL);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(test_what_is_waited_for),
        ON_STAGE(test_end_of_the_other_side),
        ON_STAGE(test_forgotten_meanwhile),
        ON_STAGE(test_forgotten_and_wanted_again),
        ON_STAGE(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
