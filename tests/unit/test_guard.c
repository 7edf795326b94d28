#include "base/clock.h"
#include "engine/guard.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

enum { DEADLINE_MS = 10000 };

/* What the engine half of a test does; its result is its exit status. */
typedef int engine_half(struct guard *guard);

struct terminal {
    int master, slave;
    struct termios before;
};

static void terminal_open(struct terminal *terminal)
{
    assert_int_equal(openpty(&terminal->master, &terminal->slave, NULL, NULL, NULL), 0);
    assert_int_equal(tcgetattr(terminal->slave, &terminal->before), 0);
}

static void terminal_close(struct terminal *terminal)
{
    close(terminal->master);
    close(terminal->slave);
}

/* Splits; the engine half never returns from here. */
static void split(int tty, engine_half *half, struct guard *guard)
{
    struct problem problem = {{0}};
    assert_int_equal(guard_split(tty, guard, &problem), STATUS_OK);
    if (guard->is_engine)
        _exit(half(guard));
    assert_true(guard->other > 0);
    assert_true(guard->fd >= 0);
}

/* Waits until the socket can be read. */
static bool can_read(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    return poll(&ready, 1, DEADLINE_MS) == 1;
}

/* The next byte, or 0 at the end. */
static char next_byte(int fd)
{
    char byte = 0;
    return can_read(fd) && read(fd, &byte, 1) == 1 ? byte : '\0';
}

static int reap(struct guard *guard, char *words, size_t size)
{
    int code = guard_reap(guard, words, size);
    guard_free(guard);
    return code;
}

/* ---- what the engine half is ---- */

static int answer_pings(struct guard *guard)
{
    char byte;
    while ((byte = next_byte(guard->fd)) != '\0')
        if (write(guard->fd, &byte, 1) != 1)
            return 1;
    return 7;
}

static void the_engine_half_has_its_own_session_and_ignores_the_terminals_signals(void **state)
{
    (void)state;
    struct terminal terminal;
    struct guard guard;
    char words[128];
    terminal_open(&terminal);
    split(terminal.slave, answer_pings, &guard);
    assert_int_equal(write(guard.fd, "a", 1), 1);
    assert_int_equal(next_byte(guard.fd), 'a');
    assert_int_equal(getsid(guard.other), guard.other);
    static const int ignored[] = {SIGHUP, SIGPIPE, SIGTTOU, SIGTTIN, SIGTSTP};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        assert_int_equal(kill(guard.other, ignored[i]), 0);
        assert_int_equal(write(guard.fd, "b", 1), 1);
        assert_int_equal(next_byte(guard.fd), 'b');
    }
    close(guard.fd);
    guard.fd = -1;
    assert_int_equal(reap(&guard, words, sizeof words), 7);
    assert_string_equal(words, "ended with exit status 7");
    terminal_close(&terminal);
}

static bool stream_is_null(int fd)
{
    struct stat stream, null;
    return fstat(fd, &stream) == 0 && stat("/dev/null", &null) == 0 && stream.st_rdev == null.st_rdev;
}

static int check_rights(struct guard *guard)
{
    struct rlimit core;
    for (int fd = 0; fd <= 2; fd++)
        if (!stream_is_null(fd))
            return 10 + fd;
    if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0 || core.rlim_max != 0)
        return 20;
    if ((fcntl(guard->fd, F_GETFD) & FD_CLOEXEC) == 0 || (fcntl(guard->tty, F_GETFD) & FD_CLOEXEC) == 0)
        return 21;
    char line[256];
    bool limited = false;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        limited = limited || strcmp(line, "NoNewPrivs:\t1\n") == 0;
    if (file != NULL)
        fclose(file);
    return limited ? 0 : 22;
}

static void neither_core_dumps_nor_rights_nor_streams(void **state)
{
    (void)state;
    struct terminal terminal;
    struct guard guard;
    char words[128];
    terminal_open(&terminal);
    split(terminal.slave, check_rights, &guard);
    assert_int_equal(reap(&guard, words, sizeof words), 0);
    terminal_close(&terminal);
}

/* ---- restoring ---- */

static const char RESTORE[] = "\x1b[0m\x1b[?25h\x1b[?1049l";

static int restore_at_the_end(struct guard *guard)
{
    if (next_byte(guard->fd) != '\0')
        return 1;
    guard_restore_terminal(guard, RESTORE, sizeof RESTORE - 1);
    return 0;
}

static void make_raw(const struct terminal *terminal)
{
    struct termios raw = terminal->before;
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(terminal->slave, TCSANOW, &raw), 0);
}

static bool modes_are_back(const struct terminal *terminal)
{
    struct termios now;
    return tcgetattr(terminal->slave, &now) == 0 && now.c_iflag == terminal->before.c_iflag &&
           now.c_oflag == terminal->before.c_oflag && now.c_cflag == terminal->before.c_cflag &&
           now.c_lflag == terminal->before.c_lflag;
}

static void the_terminal_is_put_back_when_the_screen_half_is_gone(void **state)
{
    (void)state;
    struct terminal terminal;
    struct guard guard;
    char words[128], shown[256] = "";
    terminal_open(&terminal);
    split(terminal.slave, restore_at_the_end, &guard);
    make_raw(&terminal);
    assert_false(modes_are_back(&terminal));
    close(guard.fd);
    guard.fd = -1;
    assert_int_equal(reap(&guard, words, sizeof words), 0);
    assert_true(modes_are_back(&terminal));
    assert_true(can_read(terminal.master));
    assert_true(read(terminal.master, shown, sizeof shown - 1) > 0);
    assert_memory_equal(shown, RESTORE, sizeof RESTORE - 1);
    /* on the screen that was given back, in modes that are given back */
    assert_ptr_equal(strstr(shown, "probetop: the screen half has ended before its time"), shown + sizeof RESTORE - 1);
    assert_non_null(strstr(shown, "probetop replay\r\n"));
    terminal_close(&terminal);
}

static void a_terminal_that_is_gone_is_no_trouble(void **state)
{
    (void)state;
    struct terminal terminal;
    struct guard guard;
    char words[128];
    terminal_open(&terminal);
    split(terminal.slave, restore_at_the_end, &guard);
    terminal_close(&terminal);
    close(guard.fd);
    guard.fd = -1;
    assert_int_equal(reap(&guard, words, sizeof words), 0);
}

static void a_terminal_that_has_stopped_reading_is_not_waited_for(void **state)
{
    (void)state;
    struct terminal terminal;
    struct guard guard;
    char words[128], full[4096];
    terminal_open(&terminal);
    split(terminal.slave, restore_at_the_end, &guard);
    make_raw(&terminal);
    memset(full, 'x', sizeof full);
    assert_int_equal(fcntl(terminal.slave, F_SETFL, O_NONBLOCK), 0);
    while (write(terminal.slave, full, sizeof full) > 0) {
    }
    close(guard.fd);
    guard.fd = -1;
    assert_int_equal(reap(&guard, words, sizeof words), 0); /* and not "did not end" */
    assert_true(modes_are_back(&terminal));
    terminal_close(&terminal);
}

static void there_may_be_no_terminal(void **state)
{
    (void)state;
    struct guard guard;
    char words[128];
    split(-1, restore_at_the_end, &guard);
    assert_int_equal(guard.tty, -1);
    close(guard.fd);
    guard.fd = -1;
    assert_int_equal(reap(&guard, words, sizeof words), 0);
}

/* ---- how the engine half ended ---- */

static int wait_for_ever(struct guard *guard)
{
    char ready = 'r';
    if (write(guard->fd, &ready, 1) != 1)
        return 1;
    while (pause() != 0) {
    }
    return 0;
}

static int let_go_and_go_on(struct guard *guard)
{
    close(guard->fd);
    while (pause() != 0) {
    }
    return 0;
}

static void a_signal_is_named(void **state)
{
    (void)state;
    static const struct {
        int number;
        const char *words;
    } rows[] = {{SIGKILL, "was ended by signal 9 (Killed)"},
                {SIGTERM, "was ended by signal 15 (Terminated)"},
                {SIGUSR1, "was ended by signal 10 (User defined signal 1)"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct guard guard;
        char words[128];
        split(-1, wait_for_ever, &guard);
        assert_int_equal(next_byte(guard.fd), 'r');
        assert_int_equal(kill(guard.other, rows[i].number), 0);
        assert_int_equal(next_byte(guard.fd), '\0'); /* the socket's end tells of it */
        assert_int_equal(reap(&guard, words, sizeof words), 128 + rows[i].number);
        assert_string_equal(words, rows[i].words);
    }
}

static void one_that_goes_on_for_nobody_is_killed(void **state)
{
    (void)state;
    struct guard guard;
    char words[128];
    split(-1, let_go_and_go_on, &guard);
    pid_t other = guard.other;
    assert_int_equal(next_byte(guard.fd), '\0');
    assert_int_equal(reap(&guard, words, sizeof words), 128 + SIGKILL);
    assert_string_equal(words, "did not end and was killed");
    assert_int_equal(kill(other, 0), -1);
}

static void one_that_was_reaped_already_is_not_signalled(void **state)
{
    (void)state;
    struct guard guard;
    char words[128];
    split(-1, answer_pings, &guard);
    close(guard.fd);
    guard.fd = -1;
    int status;
    assert_int_equal(waitpid(guard.other, &status, 0), guard.other);
    assert_int_equal(reap(&guard, words, sizeof words), 128);
    assert_string_equal(words, "is gone");
}

/* ---- process groups ---- */

static void the_list_of_groups_goes_over_in_one_line(void **state)
{
    static const struct {
        const char *line;
        bool taken;
        const char *then; /* as it is told on */
    } rows[] = {
        {"groups 12 13", true, "groups 12 13"},
        {"groups 13", true, "groups 13"},
        {"group 14", false, "groups 13"},
        {"groupsies", false, "groups 13"},
        {"groups 1 0 -5 7 x 9", true, "groups 7"},
        {"groups 5 5", true, "groups 5"},
        {"groups", true, "groups"},
    };
    struct guard_groups groups = {.count = 0};
    struct buf line;
    (void)state;
    buf_init(&line, 8192);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(guard_groups_read(&groups, rows[i].line), rows[i].taken);
        buf_clear(&line);
        guard_groups_write(&groups, &line);
        assert_string_equal(buf_str(&line), rows[i].then);
    }
    for (pid_t group = 4190000; group < 4190000 + 2 * GUARD_GROUPS_MAX; group++)
        guard_groups_note(&groups, group, true);
    buf_clear(&line);
    guard_groups_write(&groups, &line);
    assert_false(line.truncated); /* the longest line there can be */
    assert_int_equal(groups.count, GUARD_GROUPS_MAX);
    guard_groups_note(&groups, 4190000, false);
    assert_int_equal(groups.count, GUARD_GROUPS_MAX - 1);
    buf_free(&line);
}

/* A child in a group of its own, with a child that shares it; says when both are ready. */
static pid_t group_start(bool deaf, int *alive)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        signal(SIGTERM, deaf ? SIG_IGN : SIG_DFL);
        close(ready[0]);
        fork();
        if (write(ready[1], "r", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    close(ready[1]);
    assert_int_equal(next_byte(ready[0]), 'r');
    assert_int_equal(next_byte(ready[0]), 'r');
    *alive = ready[0]; /* ends when both have */
    return pid;
}

static void groups_are_ended_the_deaf_ones_too(void **state)
{
    struct guard_groups groups = {.count = 0};
    int alive[2], how;
    (void)state;
    pid_t polite = group_start(false, &alive[0]), deaf = group_start(true, &alive[1]);
    guard_groups_note(&groups, polite, true);
    guard_groups_note(&groups, deaf, true);
    guard_groups_note(&groups, 1 << 30, true); /* there is none */
    assert_int_equal(guard_groups_end(&groups), 2);
    assert_int_equal(guard_groups_end(&groups), 0);
    assert_int_equal(next_byte(alive[0]), '\0');
    assert_int_equal(next_byte(alive[1]), '\0');
    assert_int_equal(waitpid(polite, &how, 0), polite);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGTERM);
    assert_int_equal(waitpid(deaf, &how, 0), deaf);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    close(alive[0]);
    close(alive[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_engine_half_has_its_own_session_and_ignores_the_terminals_signals),
        cmocka_unit_test(neither_core_dumps_nor_rights_nor_streams),
        cmocka_unit_test(the_terminal_is_put_back_when_the_screen_half_is_gone),
        cmocka_unit_test(a_terminal_that_is_gone_is_no_trouble),
        cmocka_unit_test(a_terminal_that_has_stopped_reading_is_not_waited_for),
        cmocka_unit_test(there_may_be_no_terminal),
        cmocka_unit_test(a_signal_is_named),
        cmocka_unit_test(one_that_goes_on_for_nobody_is_killed),
        cmocka_unit_test(one_that_was_reaped_already_is_not_signalled),
        cmocka_unit_test(the_list_of_groups_goes_over_in_one_line),
        cmocka_unit_test(groups_are_ended_the_deaf_ones_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
