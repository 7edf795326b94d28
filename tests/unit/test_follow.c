#include "base/buf.h"
#include "base/clock.h"
#include "engine/follow.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

enum { DEADLINE_US = 10 * SECOND_US };

struct fixture {
    uv_loop_t loop;
    char dir[64], path[96], moved[96];
    struct follow *follow;
    struct buf said; /* lines with "L ", and the other words as one letter a line */
    bool free_at_line, closed;
};

static void on_closed(void *user)
{
    struct fixture *fixture = user;
    fixture->closed = true;
}

static void on_follow(void *user, enum follow_word word, const char *bytes, size_t length)
{
    struct fixture *fixture = user;
    static const char *const words[] = {
        [FOLLOW_LINE] = "L ", [FOLLOW_CAUGHT_UP] = "C", [FOLLOW_NEW_FILE] = "N", [FOLLOW_PROBLEM] = "P"};
    buf_puts(&fixture->said, words[word]);
    buf_append(&fixture->said, bytes, word == FOLLOW_LINE ? length : 0);
    buf_putc(&fixture->said, '\n');
    if (word == FOLLOW_LINE && fixture->free_at_line) {
        follow_free(fixture->follow, on_closed, fixture);
        fixture->follow = NULL;
    }
}

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    strcpy(fixture.dir, "/tmp/probetop-follow-XXXXXX");
    assert_non_null(mkdtemp(fixture.dir));
    snprintf(fixture.path, sizeof fixture.path, "%s/vllm.log", fixture.dir);
    snprintf(fixture.moved, sizeof fixture.moved, "%s/vllm.log.1", fixture.dir);
    buf_init(&fixture.said, 1 << 22);
    assert_int_equal(uv_loop_init(&fixture.loop), 0);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    if (fixture->follow != NULL)
        follow_free(fixture->follow, on_closed, fixture);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    unlink(fixture->path);
    unlink(fixture->moved);
    rmdir(fixture->dir);
    buf_free(&fixture->said);
    return uv_loop_close(&fixture->loop);
}

static void file_write(const char *path, int flags, const char *bytes, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | flags, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    close(fd);
}

static void file_append(const char *path, const char *string)
{
    file_write(path, O_APPEND, string, strlen(string));
}

static void begin(struct fixture *fixture)
{
    fixture->follow = follow_new(&fixture->loop, fixture->path, on_follow, fixture);
    assert_int_equal(fixture->said.len, 0); /* nothing before the loop runs */
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

/* Runs the loop until what was said ends in `end`. */
static void run_until(struct fixture *fixture, const char *end)
{
    int64_t deadline = clock_mono_us() + DEADLINE_US;
    uv_timer_t tick;
    uv_timer_init(&fixture->loop, &tick);
    uv_timer_start(&tick, on_tick, 5, 5);
    size_t length = strlen(end);
    bool met = false;
    while (!met && clock_mono_us() < deadline) {
        uv_run(&fixture->loop, UV_RUN_ONCE);
        met = fixture->said.len >= length && strcmp(buf_str(&fixture->said) + fixture->said.len - length, end) == 0;
    }
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&fixture->loop, UV_RUN_NOWAIT);
    if (!met)
        print_error("expected the end \"%s\", got \"%s\"\n", end, buf_str(&fixture->said));
    assert_true(met);
}

static void what_is_there_and_what_comes(void **state)
{
    struct fixture *fixture = *state;
    file_append(fixture->path, "one\n\ntwo\nthr");
    begin(fixture);
    run_until(fixture, "L one\nL two\nC\n");
    file_append(fixture->path, "ee\nfour\n");
    run_until(fixture, "C\nL three\nL four\n");
}

static void a_progress_bar_redraws_its_line_with_a_carriage_return(void **state)
{
    struct fixture *fixture = *state;
    file_append(fixture->path, "\rshards 0/2\rshards 1/2\rshards 2/2\r\nnext\r\n");
    begin(fixture);
    run_until(fixture, "L shards 0/2\nL shards 1/2\nL shards 2/2\nL next\nC\n");
}

static void bytes_of_all_kinds_are_handed_on(void **state)
{
    struct fixture *fixture = *state;
    static const char bytes[] = "a\0b\x1b[31m\xff\n";
    file_write(fixture->path, O_APPEND, bytes, sizeof bytes - 1);
    begin(fixture);
    int64_t deadline = clock_mono_us() + DEADLINE_US;
    while (fixture->said.len < 14 && clock_mono_us() < deadline)
        uv_run(&fixture->loop, UV_RUN_ONCE);
    assert_memory_equal(fixture->said.data, "L a\0b\x1b[31m\xff\nC\n", 14);
}

static void a_long_line_is_cut_and_the_next_one_is_whole(void **state)
{
    struct fixture *fixture = *state;
    size_t length = 3 * (size_t)FOLLOW_LINE_MAX;
    char *line = malloc(length + 1);
    memset(line, 'x', length);
    line[length] = '\n';
    file_write(fixture->path, O_APPEND, line, length + 1);
    file_append(fixture->path, "next\n");
    begin(fixture);
    run_until(fixture, "x\nL next\nC\n");
    assert_int_equal(fixture->said.len, 2 + FOLLOW_LINE_MAX + 1 + strlen("L next\nC\n"));
    free(line);
}

/* `lines` lines of 64 bytes each; the first FOLLOW_BACKLOG_MAX from the end begin with a whole line. */
static void fill(struct fixture *fixture, int first, int lines)
{
    char *bytes = malloc((size_t)lines * 64 + 1);
    for (int i = 0; i < lines; i++)
        snprintf(bytes + (size_t)i * 64, 65, "%063d\n", first + i);
    file_write(fixture->path, O_APPEND, bytes, (size_t)lines * 64);
    free(bytes);
}

static void only_the_last_part_of_a_big_file_is_read(void **state)
{
    struct fixture *fixture = *state;
    enum { FIT = FOLLOW_BACKLOG_MAX / 64, MORE = 1000 };
    fill(fixture, 0, FIT + MORE);
    begin(fixture);
    run_until(fixture, "C\n");
    char first[80];
    snprintf(first, sizeof first, "L %063d\n", MORE);
    assert_memory_equal(fixture->said.data, first, strlen(first));
    assert_int_equal(fixture->said.len, FIT * 66 + 2);
    /* and with the cut inside a line, that line is left out */
    follow_free(fixture->follow, on_closed, fixture);
    fixture->follow = NULL;
    buf_clear(&fixture->said);
    file_append(fixture->path, "short\n");
    begin(fixture);
    run_until(fixture, "L short\nC\n");
    snprintf(first, sizeof first, "L %063d\n", MORE + 1);
    assert_memory_equal(fixture->said.data, first, strlen(first));
}

static void a_truncated_file_is_read_from_its_beginning(void **state)
{
    struct fixture *fixture = *state;
    file_append(fixture->path, "a first line\nhalf a line");
    begin(fixture);
    run_until(fixture, "C\n");
    file_write(fixture->path, O_TRUNC, "new\n", 4);
    run_until(fixture, "C\nN\nL new\n");
    file_append(fixture->path, "more\n");
    run_until(fixture, "N\nL new\nL more\n");
}

static void a_rotated_file_is_read_to_its_end_then_the_new_one(void **state)
{
    struct fixture *fixture = *state;
    file_append(fixture->path, "one\n");
    begin(fixture);
    run_until(fixture, "C\n");
    assert_int_equal(rename(fixture->path, fixture->moved), 0);
    file_append(fixture->moved, "two\nlast words without a newline");
    run_until(fixture, "L two\n");
    file_append(fixture->path, "three\n");
    run_until(fixture, "L last words without a newline\nN\nL three\n");
    file_append(fixture->path, "four\n");
    run_until(fixture, "L three\nL four\n");
}

static void a_file_that_comes_later_is_found(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture);
    run_until(fixture, "P\n");
    /* it is looked for several times more before it comes */
    int64_t looked = clock_mono_us() + (5 * FOLLOW_POLL_MS / 2) * (int64_t)MILLISECOND_US;
    while (clock_mono_us() < looked)
        uv_run(&fixture->loop, UV_RUN_ONCE);
    assert_string_equal(buf_str(&fixture->said), "P\n");
    file_append(fixture->path, "one\n");
    run_until(fixture, "P\nL one\nC\n");
}

static void what_is_no_regular_file_is_refused_without_waiting(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    begin(fixture);
    run_until(fixture, "P\n");
}

static void it_may_be_freed_from_within_a_line(void **state)
{
    struct fixture *fixture = *state;
    file_append(fixture->path, "one\ntwo\n");
    fixture->free_at_line = true;
    begin(fixture);
    run_until(fixture, "L one\n");
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_true(fixture->closed);
    assert_string_equal(buf_str(&fixture->said), "L one\n");
}

/* ---- a file system that does not answer ---- */

static struct hang {
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool hangs;
    int waiting;
} hang = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

/* In the C library's place: while it hangs, a read waits as it does for a server that is gone. */
ssize_t pread(int fd, void *bytes, size_t length, off_t offset)
{
    pthread_mutex_lock(&hang.lock);
    hang.waiting++;
    while (hang.hangs)
        pthread_cond_wait(&hang.change, &hang.lock);
    hang.waiting--;
    pthread_mutex_unlock(&hang.lock);
    return syscall(SYS_pread64, fd, bytes, length, offset);
}

static void hang_set(bool hangs)
{
    pthread_mutex_lock(&hang.lock);
    hang.hangs = hangs;
    pthread_cond_broadcast(&hang.change);
    pthread_mutex_unlock(&hang.lock);
}

static int hang_waiting(void)
{
    pthread_mutex_lock(&hang.lock);
    int waiting = hang.waiting;
    pthread_mutex_unlock(&hang.lock);
    return waiting;
}

static void on_count(uv_timer_t *timer)
{
    ++*(int *)timer->data;
}

static void a_read_that_hangs_holds_up_nothing(void **state)
{
    struct fixture *fixture = *state;
    uv_timer_t timer;
    int ticks = 0;
    file_write(fixture->path, O_TRUNC, "one\n", 4);
    hang_set(true);
    uv_timer_init(&fixture->loop, &timer);
    timer.data = &ticks;
    uv_timer_start(&timer, on_count, 1, 1);
    fixture->follow = follow_new(&fixture->loop, fixture->path, on_follow, fixture);
    int64_t deadline = clock_mono_us() + DEADLINE_US;
    while ((ticks < 20 || hang_waiting() == 0) && clock_mono_us() < deadline)
        uv_run(&fixture->loop, UV_RUN_ONCE);
    assert_true(ticks >= 20);
    assert_int_equal(hang_waiting(), 1);
    assert_int_equal(fixture->said.len, 0);
    hang_set(false);
    run_until(fixture, "L one\nC\n");
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&fixture->loop, UV_RUN_NOWAIT);
}

/* Whoever lets go of it does not wait for it either; it ends later, and says nothing more. */
static void a_read_that_hangs_is_let_go(void **state)
{
    struct fixture *fixture = *state;
    file_write(fixture->path, O_TRUNC, "one\n", 4);
    hang_set(true);
    fixture->follow = follow_new(&fixture->loop, fixture->path, on_follow, fixture);
    int64_t deadline = clock_mono_us() + DEADLINE_US;
    while (hang_waiting() == 0 && clock_mono_us() < deadline)
        uv_run(&fixture->loop, UV_RUN_NOWAIT);
    follow_free(fixture->follow, on_closed, fixture);
    fixture->follow = NULL;
    while (!fixture->closed && clock_mono_us() < deadline)
        uv_run(&fixture->loop, UV_RUN_NOWAIT);
    assert_true(fixture->closed);
    assert_int_equal(hang_waiting(), 1);
    hang_set(false);
    while (hang_waiting() > 0 && clock_mono_us() < deadline) {
    }
    assert_int_equal(hang_waiting(), 0);
    assert_int_equal(fixture->said.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_there_and_what_comes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_progress_bar_redraws_its_line_with_a_carriage_return, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_of_all_kinds_are_handed_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_line_is_cut_and_the_next_one_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(only_the_last_part_of_a_big_file_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_truncated_file_is_read_from_its_beginning, setup, teardown),
        cmocka_unit_test_setup_teardown(a_rotated_file_is_read_to_its_end_then_the_new_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_comes_later_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_regular_file_is_refused_without_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(it_may_be_freed_from_within_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(a_read_that_hangs_holds_up_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_read_that_hangs_is_let_go, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
