#include "base/buf.h"
#include "base/clock.h"
#include "engine/control.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { DEADLINE_US = 10 * SECOND_US };

struct end {
    struct control *control;
    struct buf lines; /* as received, each with a newline */
    size_t count;
    bool over;
    bool free_at_line; /* control_free() from within the first line */
};

struct fixture {
    uv_loop_t loop;
    int fds[2];
    struct end a, b;
};

static void on_line(void *user, const char *line)
{
    struct end *end = user;
    assert_false(end->over); /* the end comes once and last */
    if (line == NULL) {
        end->over = true;
        return;
    }
    buf_puts(&end->lines, line);
    buf_putc(&end->lines, '\n');
    end->count++;
    if (end->free_at_line) {
        control_free(end->control);
        end->control = NULL;
    }
}

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    assert_int_equal(uv_loop_init(&fixture.loop), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fixture.fds), 0);
    buf_init(&fixture.a.lines, 1 << 22);
    buf_init(&fixture.b.lines, 1 << 22);
    fixture.a.control = control_new(&fixture.loop, fixture.fds[0], on_line, &fixture.a);
    *state = &fixture;
    return 0;
}

static void other_end(struct fixture *fixture)
{
    fixture->b.control = control_new(&fixture->loop, fixture->fds[1], on_line, &fixture->b);
    fixture->fds[1] = -1;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    control_free(fixture->a.control);
    control_free(fixture->b.control);
    if (fixture->fds[1] >= 0)
        close(fixture->fds[1]);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    buf_free(&fixture->a.lines);
    buf_free(&fixture->b.lines);
    return uv_loop_close(&fixture->loop);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

/* Runs the loop until *count is at least `least`, or *flag is true. */
static bool run_until(struct fixture *fixture, const size_t *count, size_t least, const bool *flag)
{
    int64_t deadline = clock_mono_us() + DEADLINE_US;
    uv_timer_t tick;
    uv_timer_init(&fixture->loop, &tick);
    uv_timer_start(&tick, on_tick, 5, 5);
    bool met = false;
    while (!met && clock_mono_us() < deadline) {
        uv_run(&fixture->loop, UV_RUN_ONCE);
        met = (count != NULL && *count >= least) || (flag != NULL && *flag);
    }
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&fixture->loop, UV_RUN_NOWAIT);
    return met;
}

static void lines_go_both_ways(void **state)
{
    struct fixture *fixture = *state;
    other_end(fixture);
    control_send(fixture->a.control, "probe %d", 7);
    control_wake(fixture->a.control, "journal");
    control_send(fixture->b.control, "bye %s", "all done");
    assert_true(run_until(fixture, &fixture->b.count, 2, NULL));
    assert_true(run_until(fixture, &fixture->a.count, 1, NULL));
    assert_string_equal(buf_str(&fixture->b.lines), "probe 7\njournal\n");
    assert_string_equal(buf_str(&fixture->a.lines), "bye all done\n");
}

static void a_line_may_come_in_pieces(void **state)
{
    struct fixture *fixture = *state;
    static const char bytes[] = "logs 3\nquit\n";
    for (size_t i = 0; i < sizeof bytes - 1; i++) {
        assert_int_equal(send(fixture->fds[1], bytes + i, 1, MSG_NOSIGNAL), 1);
        uv_run(&fixture->loop, UV_RUN_NOWAIT);
    }
    assert_true(run_until(fixture, &fixture->a.count, 2, NULL));
    assert_string_equal(buf_str(&fixture->a.lines), "logs 3\nquit\n");
}

static void a_newline_in_what_is_sent_makes_no_second_line(void **state)
{
    struct fixture *fixture = *state;
    other_end(fixture);
    control_send(fixture->a.control, "bye %s", "one\nquit\nthree");
    assert_true(run_until(fixture, &fixture->b.count, 1, NULL));
    assert_string_equal(buf_str(&fixture->b.lines), "bye one quit three\n");
}

static void the_longest_line_arrives_and_a_longer_one_ends_it(void **state)
{
    struct fixture *fixture = *state;
    char line[CONTROL_LINE_MAX + 2];
    memset(line, 'x', sizeof line);
    line[CONTROL_LINE_MAX] = '\n';
    assert_int_equal(send(fixture->fds[1], line, CONTROL_LINE_MAX + 1, MSG_NOSIGNAL), CONTROL_LINE_MAX + 1);
    assert_true(run_until(fixture, &fixture->a.count, 1, NULL));
    assert_int_equal(fixture->a.lines.len, CONTROL_LINE_MAX + 1);
    line[CONTROL_LINE_MAX] = 'x';
    assert_int_equal(send(fixture->fds[1], line, sizeof line, MSG_NOSIGNAL), sizeof line);
    assert_true(run_until(fixture, NULL, 0, &fixture->a.over));
    assert_int_equal(fixture->a.count, 1);
}

static void the_other_sides_end_is_told_after_its_last_line(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(send(fixture->fds[1], "quit\nhalf a li", 14, MSG_NOSIGNAL), 14);
    close(fixture->fds[1]);
    fixture->fds[1] = -1;
    control_send(fixture->a.control, "nobody hears this"); /* no SIGPIPE, and what was said is still read */
    assert_true(run_until(fixture, NULL, 0, &fixture->a.over));
    assert_string_equal(buf_str(&fixture->a.lines), "quit\n");
}

static void a_full_socket_drops_wake_ups_and_ends_at_a_line(void **state)
{
    struct fixture *fixture = *state;
    assert_true(control_wake(fixture->a.control, "journal"));
    for (int i = 1; i < 1000000; i++)
        control_wake(fixture->a.control, "journal");
    assert_false(control_wake(fixture->a.control, "journal")); /* whoever sent it can tell */
    uv_run(&fixture->loop, UV_RUN_NOWAIT);
    assert_false(fixture->a.over);
    /* what arrived is whole lines, and fewer than were sent */
    other_end(fixture);
    size_t some = 100;
    assert_true(run_until(fixture, &fixture->b.count, some, NULL));
    assert_true(fixture->b.count < 1000000);
    for (const char *at = buf_str(&fixture->b.lines); *at != '\0'; at += strlen("journal\n"))
        assert_memory_equal(at, "journal\n", strlen("journal\n"));
    /* once read, waking works again */
    while (uv_run(&fixture->loop, UV_RUN_NOWAIT) != 0 && fixture->b.lines.len > 0)
        buf_clear(&fixture->b.lines);
    size_t before = fixture->b.count;
    control_wake(fixture->a.control, "journal");
    assert_true(run_until(fixture, &fixture->b.count, before + 1, NULL));
}

static void a_line_that_finds_no_room_ends_the_connection(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 1000000; i++)
        control_wake(fixture->a.control, "journal");
    control_send(fixture->a.control, "bye");
    assert_false(fixture->a.over); /* told from the loop, not from within */
    assert_true(run_until(fixture, NULL, 0, &fixture->a.over));
}

static void it_may_be_freed_from_within_a_line(void **state)
{
    struct fixture *fixture = *state;
    fixture->a.free_at_line = true;
    assert_int_equal(send(fixture->fds[1], "one\ntwo\n", 8, MSG_NOSIGNAL), 8);
    assert_true(run_until(fixture, &fixture->a.count, 1, NULL));
    assert_string_equal(buf_str(&fixture->a.lines), "one\n");
    assert_false(fixture->a.over);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_go_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(a_line_may_come_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(a_newline_in_what_is_sent_makes_no_second_line, setup, teardown),
        cmocka_unit_test_setup_teardown(the_longest_line_arrives_and_a_longer_one_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(the_other_sides_end_is_told_after_its_last_line, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_socket_drops_wake_ups_and_ends_at_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(a_line_that_finds_no_room_ends_the_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(it_may_be_freed_from_within_a_line, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
