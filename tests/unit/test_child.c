/* Children on the loop: what they are given, what they say, and that nothing of them is left. */
#include "base/buf.h"
#include "base/clock.h"
#include "engine/child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

enum { DEADLINE_MS = 20000, SAID_MAX = 1024 * 1024 };

struct stage {
    uv_loop_t loop;
    uv_timer_t deadline;
    struct child *child;
    struct buf said; /* "out: LINE\n" and "err: LINE\n" */
    size_t lines, longest, ends;
    int exit_code, signal;
    pid_t group, gone, session; /* as told; session: of the group's first, when it began */
    int end_after_ms;           /* the first line ends the child with this grace; -1: it does not */
};

static void on_line(void *user, bool is_stderr, const char *line, size_t length)
{
    struct stage *stage = user;
    buf_printf(&stage->said, "%s: %.*s\n", is_stderr ? "err" : "out", (int)(length < 200 ? length : 200), line);
    stage->lines++;
    stage->longest = length > stage->longest ? length : stage->longest;
    if (stage->lines == 1 && stage->end_after_ms >= 0)
        child_end(stage->child, stage->end_after_ms);
}

static void on_over(void *user, int exit_code, int signal)
{
    struct stage *stage = user;
    stage->ends++;
    stage->exit_code = exit_code;
    stage->signal = signal;
    uv_close((uv_handle_t *)&stage->deadline, NULL);
}

static void on_group(void *user, pid_t group, bool alive)
{
    struct stage *stage = user;
    *(alive ? &stage->group : &stage->gone) = group;
    if (alive)
        stage->session = getsid(group);
}

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("the child did not end in time");
}

static int setup(void **state)
{
    static struct stage stage;
    memset(&stage, 0, sizeof stage);
    stage.end_after_ms = -1;
    buf_init(&stage.said, SAID_MAX);
    uv_loop_init(&stage.loop);
    uv_timer_init(&stage.loop, &stage.deadline);
    *state = &stage;
    return 0;
}

/* Nothing may be left on the loop. */
static int teardown(void **state)
{
    struct stage *stage = *state;
    buf_free(&stage->said);
    return uv_loop_close(&stage->loop);
}

static enum status stage_spawn(struct stage *stage, const char *const *argv, struct problem *problem)
{
    struct child_options options = {.loop = &stage->loop,
                                    .path = argv[0],
                                    .argv = argv,
                                    .line = on_line,
                                    .over = on_over,
                                    .group = on_group,
                                    .user = stage,
                                    .group_user = stage};
    return child_spawn(&options, &stage->child, problem);
}

/* A shell script, until it is over. */
static void stage_run(struct stage *stage, const char *script)
{
    struct problem problem = {""};
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    assert_int_equal(stage_spawn(stage, argv, &problem), STATUS_OK);
    assert_int_equal(child_pid(stage->child), stage->group);
    uv_timer_start(&stage->deadline, on_deadline, DEADLINE_MS, 0);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    assert_int_equal(stage->ends, 1);
    assert_int_equal(stage->gone, stage->group);
}

/* ---- what it says ---- */

static void it_is_over_after_its_exit_and_its_last_words(void **state)
{
    static const struct {
        const char *script, *said;
        int exit_code, signal;
    } rows[] = {
        {"echo a; echo b; exit 3", "out: a\nout: b\n", 3, 0},
        {"echo a >&2", "err: a\n", 0, 0},
        {"printf 'no newline'", "out: no newline\n", 0, 0},
        {"printf 'a\\n\\nb\\n'", "out: a\nout: \nout: b\n", 0, 0},
        {"", "", 0, 0},
        {"exec >&- 2>&-; exit 4", "", 4, 0},
        {"echo a; kill -9 $$", "out: a\n", 0, SIGKILL},
        {"kill -TERM $$; echo no", "", 0, SIGTERM},
        {"kill -STOP $$; echo goes on", "out: goes on\n", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *stage_of;
        setup(&stage_of);
        struct stage *stage = stage_of;
        stage_run(stage, rows[i].script);
        assert_string_equal(buf_str(&stage->said), rows[i].said);
        assert_int_equal(stage->exit_code, rows[i].exit_code);
        assert_int_equal(stage->signal, rows[i].signal);
        assert_int_equal(teardown(&stage_of), 0);
    }
}

static void a_line_without_end_is_cut(void **state)
{
    struct stage *stage = *state;
    stage_run(stage, "head -c 20000000 /dev/zero | tr '\\0' x; echo; echo end");
    assert_int_equal(stage->lines, 2);
    assert_int_equal(stage->longest, CHILD_LINE_MAX);
    assert_non_null(strstr(buf_str(&stage->said), "\nout: end\n"));
}

static void a_flood_of_lines_blocks_nobody(void **state)
{
    struct stage *stage = *state;
    stage_run(stage, "yes 2>/dev/null | head -n 3000000; echo 3 >&2");
    assert_int_equal(stage->lines, 3000001);
    assert_int_equal(stage->exit_code, 0);
}

/* ---- what it is given ---- */

static void it_has_a_session_of_its_own_and_no_input(void **state)
{
    struct stage *stage = *state;
    stage_run(stage, "cat; echo $$; (exec 3</dev/tty) 2>/dev/null && echo terminal");
    char expected[64];
    snprintf(expected, sizeof expected, "out: %ld\n", (long)stage->group);
    assert_string_equal(buf_str(&stage->said), expected);
    assert_int_equal(stage->session, stage->group);
    assert_int_not_equal(getsid(0), stage->group);
}

static void none_of_our_files_is_open_in_it(void **state)
{
    struct stage *stage = *state;
    char script[256];
    int low = dup(STDOUT_FILENO), high = fcntl(STDOUT_FILENO, F_DUPFD, 200); /* no close-on-exec: as a library might */
    snprintf(script, sizeof script,
             "for fd in 3 4 5 6 7 8 9; do (: >&$fd) 2>/dev/null && echo $fd; done; "
             "[ ! -e /proc/self/fd/%d ] || echo %d; [ ! -e /proc/self/fd/%d ] || echo %d",
             low, low, high, high);
    stage_run(stage, script);
    close(low);
    close(high);
    assert_string_equal(buf_str(&stage->said), "");
}

static void its_signals_are_as_new(void **state)
{
    struct stage *stage = *state;
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    void (*handler)(int) = signal(SIGPIPE, SIG_IGN);
    /* signals 32 and 33 are the C library's own, and may have come to us ignored */
    stage_run(stage, "if [ -r /proc/self/status ]; then grep -E '^Sig(Blk|Ign):' /proc/self/status | "
                     "grep -vE ':[[:space:]]*0*1?[08]0{7}$'; fi; kill -PIPE $$; echo ignored");
    signal(SIGPIPE, handler);
    assert_string_equal(buf_str(&stage->said), "");
    assert_int_equal(stage->signal, SIGPIPE);
    sigset_t now;
    sigprocmask(SIG_SETMASK, &before, &now);
    assert_true(sigismember(&now, SIGTERM)); /* and ours are as they were */
}

static void it_gets_only_what_it_needs_of_our_environment(void **state)
{
    static const struct {
        const char *name;
        bool passes;
    } rows[] = {
        {"HOME", true},
        {"PATH", true},
        {"LC_TIME", true},
        {"KUBECONFIG", true},
        {"AWS_PROFILE", true},
        {"HTTPS_PROXY", true},
        {"https_proxy", true},
        {"XDG_CACHE_HOME", true},
        {"TZ", true},
        {"NO_PROXY", true},
        {"SSH_AUTH_SOCK", true},
        {"CLOUDSDK_CONFIG", true},
        {"PATHS", false},
        {"HOMES", false},
        {"SECRET_TOKEN", false},
        {"BASH_ENV", false},
        {"GITHUB_TOKEN", false},
        {"ENV", false},
        {"LD_LIBRARY_PATH", false},
        {"PROBETOP_CONFIG", false},
    };
    struct stage *stage = *state;
    char *path = strdup(getenv("PATH"));
    char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        setenv(rows[i].name, strcmp(rows[i].name, "PATH") == 0 ? path : "/x", 1);
    stage_run(stage, "exec /usr/bin/env");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[64];
        snprintf(line, sizeof line, "out: %s=", rows[i].name);
        if ((strstr(buf_str(&stage->said), line) != NULL) != rows[i].passes)
            fail_msg("%s", rows[i].name);
        if (strcmp(rows[i].name, "PATH") != 0)
            unsetenv(rows[i].name);
    }
    if (home)
        setenv("HOME", home, 1);
    free(home);
    free(path);
}

static void a_program_that_cannot_be_run_is_said_at_once(void **state)
{
    static const struct {
        const char *path;
        enum status status;
    } rows[] = {{"/nonexistent/kubectl", STATUS_NOT_FOUND}, {"/etc/passwd", STATUS_DENIED}, {"/", STATUS_DENIED}};
    struct stage *stage = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const argv[] = {rows[i].path, NULL};
        struct problem problem = {""};
        assert_int_equal(stage_spawn(stage, argv, &problem), rows[i].status);
        assert_null(stage->child);
        assert_non_null(strstr(problem.text, rows[i].path));
        assert_int_equal(stage->group, 0);
    }
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* not even a zombie */
    uv_close((uv_handle_t *)&stage->deadline, NULL);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
}

/* ---- its end ---- */

static void it_ends_when_told_to(void **state)
{
    struct stage *stage = *state;
    stage->end_after_ms = DEADLINE_MS;
    /* It goes round without a child: one that is being forked when the signal comes would run the trap as well. */
    stage_run(stage, "trap 'echo bye; exit 5' TERM; echo ready; while :; do :; done");
    assert_string_equal(buf_str(&stage->said), "out: ready\nout: bye\n");
    assert_int_equal(stage->exit_code, 5);
}

static void one_that_does_not_listen_is_killed_with_its_whole_group(void **state)
{
    struct stage *stage = *state;
    stage->end_after_ms = 30;
    stage_run(stage, "trap '' TERM; echo ready; while :; do sleep 0.01; done");
    assert_int_equal(stage->signal, SIGKILL);
    while (waitpid(-stage->group, NULL, 0) > 0)
        ; /* its orphans, dead: they were taken in by this program */
    assert_int_equal(kill(-stage->group, 0), -1);
    assert_int_equal(errno, ESRCH);
}

/* Whether this process is gone; orphans are taken in by this program where the system allows that. */
static bool is_gone(pid_t pid)
{
    int64_t deadline = clock_mono_us() + DEADLINE_MS * (int64_t)1000;
    while (clock_mono_us() < deadline) {
        if (waitpid(pid, NULL, WNOHANG) == pid || (kill(pid, 0) < 0 && errno == ESRCH))
            return true;
        usleep(1000); /* between two looks */
    }
    return false;
}

static pid_t told_pid(const struct stage *stage)
{
    const char *said = strstr(buf_str(&stage->said), "out: ");
    return said ? (pid_t)strtol(said + 5, NULL, 10) : -1;
}

static void what_it_leaves_in_its_group_goes_with_it(void **state)
{
    struct stage *stage = *state;
    stage_run(stage, "sleep 1000 & echo $!");
    assert_true(told_pid(stage) > 0);
    assert_true(is_gone(told_pid(stage)));
    assert_int_equal(stage->exit_code, 0);
}

static void output_held_open_by_one_who_left_the_group_is_not_waited_for(void **state)
{
    struct stage *stage = *state;
    stage->end_after_ms = DEADLINE_MS;
    stage_run(stage, "setsid sh -c 'echo $$; exec sleep 1000' & wait");
    pid_t left = told_pid(stage);
    assert_true(left > 0 && left != stage->group);
    assert_int_equal(stage->signal, SIGTERM);
    assert_int_equal(kill(left, SIGKILL), 0);
    assert_true(is_gone(left));
}

/* The process between: starts a child and waits to be killed. */
static void between(int told)
{
    struct stage stage = {.end_after_ms = -1};
    struct problem problem = {""};
    const char *const argv[] = {"/bin/sh", "-c", "exec sleep 1000", NULL};
    uv_loop_init(&stage.loop);
    buf_init(&stage.said, SAID_MAX);
    if (stage_spawn(&stage, argv, &problem) == STATUS_OK) {
        pid_t pid = child_pid(stage.child);
        if (write(told, &pid, sizeof pid) == (ssize_t)sizeof pid)
            uv_run(&stage.loop, UV_RUN_DEFAULT);
    }
    _exit(1);
}

static void it_goes_when_we_are_killed(void **state)
{
    struct stage *stage = *state;
    int told[2];
    pid_t child = -1;
#ifndef __linux__
    skip();
#endif
    assert_int_equal(pipe(told), 0);
    pid_t pid = fork();
    if (pid == 0)
        between(told[1]);
    assert_int_equal(read(told[0], &child, sizeof child), (ssize_t)sizeof child);
    assert_int_equal(kill(child, 0), 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_true(is_gone(pid));
    assert_true(is_gone(child));
    close(told[0]);
    close(told[1]);
    uv_close((uv_handle_t *)&stage->deadline, NULL);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_over_after_its_exit_and_its_last_words),
        T(a_line_without_end_is_cut),
        T(a_flood_of_lines_blocks_nobody),
        T(it_has_a_session_of_its_own_and_no_input),
        T(none_of_our_files_is_open_in_it),
        T(its_signals_are_as_new),
        T(it_gets_only_what_it_needs_of_our_environment),
        T(a_program_that_cannot_be_run_is_said_at_once),
        T(it_ends_when_told_to),
        T(one_that_does_not_listen_is_killed_with_its_whole_group),
        T(what_it_leaves_in_its_group_goes_with_it),
        T(output_held_open_by_one_who_left_the_group_is_not_waited_for),
        T(it_goes_when_we_are_killed),
    };
#ifdef __linux__
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
