/* Whichever half dies, however it dies, and when the terminal goes: the terminal is given back, nothing is left running, and what was recorded can be read. */
#include "base/clock.h"
#include "engine/journal.h"
#include "tests/support/pty.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { DEADLINE_US = 20 * SECOND_US };

/* A port that refuses, for as long as the socket is held: bound, not listening. */
static int refusing_port(int *fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

struct fixture {
    struct pty *pty;
    int port_fd;
    char url[64];
    pid_t engine;
};

static void fixture_start(struct fixture *fixture, const char *const *before)
{
    const char *arguments[8] = {NULL};
    size_t count = 0;
    while (before != NULL && before[count] != NULL) {
        arguments[count] = before[count];
        count++;
    }
    snprintf(fixture->url, sizeof fixture->url, "http://127.0.0.1:%d", refusing_port(&fixture->port_fd));
    arguments[count] = fixture->url;
    fixture->pty = pty_start(&(struct pty_options){.arguments = arguments});
    /* a probe's answer on the screen: both halves are at work, and the journal holds it */
    if (!pty_wait_screen(fixture->pty) || !pty_wait_text(fixture->pty, "127.0.0.1")) {
        pty_print(fixture->pty);
        fail_msg("no screen");
    }
    fixture->engine = pty_engine(fixture->pty);
    assert_true(fixture->engine > 0);
    assert_true(fixture->pty->alternate);
    assert_false(pty_is_restored(fixture->pty)); /* or this test could not fail */
}

static void fixture_end(struct fixture *fixture)
{
    pty_free(fixture->pty);
    close(fixture->port_fd);
}

static bool is_restored(struct pty *pty, const void *user)
{
    (void)user;
    return pty_is_restored(pty);
}

static bool has_processes(struct pty *pty, const void *user)
{
    pid_t pids[PTY_PROCESSES_MAX];
    return pty_processes(pty, pids, PTY_PROCESSES_MAX) >= *(const size_t *)user;
}

/* Facts of a journal or recording, or -1 when it cannot be read. */
static int journal_facts(const char *path)
{
    struct journal_reader *reader;
    struct problem problem = {{0}};
    struct fact fact;
    int count = 0;
    if (journal_open(path, &reader, &problem) != STATUS_OK) {
        print_error("%s: %s\n", path, problem.text);
        return -1;
    }
    enum status status;
    while ((status = journal_next(reader, &fact, &problem)) == STATUS_OK) {
        fact_free(&fact);
        count++;
    }
    journal_reader_free(reader);
    return status == STATUS_AGAIN || status == STATUS_END ? count : -1;
}

/* ---- the death matrix ---- */

enum half { SCREEN, ENGINE };
enum fate { DIES, LIVES }; /* lives: the signal is ignored, and the program ends in good order afterwards */
enum left { KEPT, REMOVED };

struct death {
    enum half half;
    int number;
    enum fate fate;
    enum left journal;
};

static const struct death DEATHS[] = {
    {SCREEN, SIGHUP, DIES, KEPT},      {SCREEN, SIGINT, DIES, REMOVED},   {SCREEN, SIGQUIT, DIES, KEPT},
    {SCREEN, SIGABRT, DIES, KEPT},     {SCREEN, SIGKILL, DIES, KEPT},     {SCREEN, SIGSEGV, DIES, KEPT},
    {SCREEN, SIGTERM, DIES, REMOVED},  {SCREEN, SIGPIPE, LIVES, REMOVED}, {ENGINE, SIGHUP, LIVES, REMOVED},
    {ENGINE, SIGINT, DIES, KEPT},      {ENGINE, SIGQUIT, DIES, KEPT},     {ENGINE, SIGABRT, DIES, KEPT},
    {ENGINE, SIGKILL, DIES, KEPT},     {ENGINE, SIGSEGV, DIES, KEPT},     {ENGINE, SIGTERM, DIES, KEPT},
    {ENGINE, SIGPIPE, LIVES, REMOVED},
};

static void check_journal(struct pty *pty, enum left left)
{
    char dir[512];
    bool there = pty_journal(pty, dir, sizeof dir);
    assert_int_equal(there, left == KEPT);
    if (there) {
        assert_true(journal_facts(dir) >= 2); /* the hello and the pod at least */
        struct stat about;
        assert_int_equal(stat(dir, &about), 0);
        assert_int_equal(about.st_mode & 07777, 0700);
    }
}

static void check_death(const struct death *death)
{
    struct fixture fixture = {0};
    fixture_start(&fixture, NULL);
    struct pty *pty = fixture.pty;
    assert_int_equal(kill(death->half == SCREEN ? pty->pid : fixture.engine, death->number), 0);
    if (death->fate == LIVES) {
        pty_keys(pty, "?"); /* the screen half answers, and the engine half is there */
        assert_true(pty_wait_text(pty, "one line up"));
        assert_int_equal(pty_engine(pty), fixture.engine);
        pty_keys(pty, "Q");
    }
    assert_true(pty_wait_exit(pty));
    assert_true(pty_wait_alone(pty));
    if (!pty_wait(pty, is_restored, NULL, PTY_WAIT_MS)) {
        pty_print(pty);
        fail_msg("the terminal is not as it was");
    }
    if (death->fate == LIVES) {
        assert_true(WIFEXITED(pty->status) && WEXITSTATUS(pty->status) == 0);
    } else if (death->half == ENGINE) {
        assert_true(WIFEXITED(pty->status) && WEXITSTATUS(pty->status) == 2);
        assert_true(pty_wait_text(pty, "the engine half"));
        assert_true(pty_wait_raw(pty, "probetop replay"));
    } else {
        assert_true(WIFSIGNALED(pty->status) || WEXITSTATUS(pty->status) != 0);
    }
    check_journal(pty, death->journal);
    fixture_end(&fixture);
}

static void either_half_killed_by_any_signal(void **state)
{
    (void)state;
    if (!pty_has_program())
        skip();
    for (size_t i = 0; i < sizeof DEATHS / sizeof *DEATHS; i++) {
        print_message("           %s half, signal %d\n", DEATHS[i].half == SCREEN ? "screen" : "engine",
                      DEATHS[i].number);
        check_death(&DEATHS[i]);
    }
}

/* ---- kubectl's processes ---- */

/* In kubectl's place a script, as wrappers of it are, that starts another process: the system ends the script with the half that started it, the other process is ours to end. */
static void wrapper_write(char *dir, char *path, size_t size)
{
    assert_non_null(mkdtemp(dir));
    snprintf(path, size, "%s/kubectl", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("#!/bin/sh\ncase $1 in\nproxy) trap '' TERM; : >${2#--unix-socket=}; echo Starting to serve on x\n"
          "sleep 1000 & sleep 1000 ;;\n"
          "*) echo '{\"contexts\":[{\"name\":\"c\",\"context\":{}}]}' ;;\nesac\n",
          file);
    fclose(file);
    assert_int_equal(chmod(path, 0755), 0);
}

static void no_kubectl_outlives_either_half(void **state)
{
    static const struct {
        enum half half;
        int number; /* 0: the key Q */
    } rows[] = {{ENGINE, SIGKILL}, {ENGINE, SIGSEGV}, {SCREEN, SIGKILL}, {SCREEN, SIGTERM}, {SCREEN, 0}};
    (void)state;
    if (!pty_has_program())
        skip();
    char dir[] = "/tmp/probetop-kubectl-XXXXXX", path[64];
    wrapper_write(dir, path, sizeof path);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pty *pty = pty_start(&(struct pty_options){.arguments = (const char *const[]){"--kubectl", path, NULL}});
        assert_true(pty_wait_screen(pty));
        assert_true(pty_wait(pty, has_processes, &(size_t){5}, PTY_WAIT_MS)); /* two halves, the script, its two */
        pty_keys(pty, "?");                                                   /* the screen half has heard of them */
        assert_true(pty_wait_text(pty, "one line up"));
        if (rows[i].number == 0) {
            pty_keys(pty, "Q");
        } else {
            pid_t victim = rows[i].half == SCREEN ? pty->pid : pty_engine(pty);
            assert_int_equal(kill(victim, rows[i].number), 0);
        }
        assert_true(pty_wait_exit(pty));
        assert_true(pty_wait_alone(pty));
        assert_true(pty_wait(pty, is_restored, NULL, PTY_WAIT_MS));
        if (rows[i].half == ENGINE)
            assert_true(pty_wait_raw(pty, "it left 1 kubectl process, ended now"));
        pty_free(pty);
    }
    unlink(path);
    rmdir(dir);
}

/* Neither processes nor directories: dir holds the script alone afterwards, or cannot be removed. */
static void a_command_without_a_screen_leaves_nothing_either(void **state)
{
    static const struct {
        const char *arguments[6];
        size_t at;  /* where the path of kubectl goes */
        int number; /* 0: ^C */
    } rows[] = {{{"check", "--for", "1h", "--kubectl"}, 4, 0},
                {{"check", "--for", "1h", "--kubectl"}, 4, SIGTERM},
                {{"--lines", "--kubectl"}, 2, 0},
                {{"--lines", "--kubectl"}, 2, SIGHUP}};
    (void)state;
    if (!pty_has_program())
        skip();
    char dir[] = "/tmp/probetop-kubectl-XXXXXX", path[64], place[64];
    wrapper_write(dir, path, sizeof path);
    snprintf(place, sizeof place, "TMPDIR=%s", dir);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *arguments[6];
        memcpy(arguments, rows[i].arguments, sizeof arguments);
        arguments[rows[i].at] = path;
        struct pty *pty =
            pty_start(&(struct pty_options){.arguments = arguments, .environment = (const char *const[]){place, NULL}});
        assert_true(pty_wait(pty, has_processes, &(size_t){4}, PTY_WAIT_MS)); /* itself, the script, its two */
        int expected = rows[i].number ? rows[i].number : SIGINT;
        if (rows[i].number == 0)
            pty_keys(pty, "\x03");
        else
            assert_int_equal(kill(pty->pid, rows[i].number), 0);
        assert_true(pty_wait_exit(pty));
        assert_true(WIFEXITED(pty->status) && WEXITSTATUS(pty->status) == 128 + expected);
        assert_true(pty_wait_alone(pty));
        pty_free(pty);
    }
    unlink(path);
    assert_int_equal(rmdir(dir), 0);
}

/* ---- other ends ---- */

static void the_terminal_is_closed(void **state)
{
    (void)state;
    if (!pty_has_program())
        skip();
    struct fixture fixture = {0};
    fixture_start(&fixture, NULL);
    pty_hang_up(fixture.pty);
    assert_true(pty_wait_exit(fixture.pty));
    assert_true(pty_wait_alone(fixture.pty));
    check_journal(fixture.pty, KEPT);
    fixture_end(&fixture);
}

static void the_screen_half_is_stopped_and_then_killed(void **state)
{
    (void)state;
    if (!pty_has_program())
        skip();
    struct fixture fixture = {0};
    fixture_start(&fixture, NULL);
    assert_int_equal(kill(fixture.pty->pid, SIGSTOP), 0);
    assert_int_equal(kill(fixture.pty->pid, SIGKILL), 0);
    assert_true(pty_wait_exit(fixture.pty));
    assert_true(pty_wait_alone(fixture.pty));
    assert_true(pty_wait(fixture.pty, is_restored, NULL, PTY_WAIT_MS));
    check_journal(fixture.pty, KEPT);
    fixture_end(&fixture);
}

static void a_normal_end_leaves_nothing(void **state)
{
    (void)state;
    if (!pty_has_program())
        skip();
    static const char *const keys[] = {"q", "Q", "\x03"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct fixture fixture = {0};
        fixture_start(&fixture, NULL);
        pty_keys(fixture.pty, keys[i]);
        assert_true(pty_wait_exit(fixture.pty));
        assert_true(WIFEXITED(fixture.pty->status) && WEXITSTATUS(fixture.pty->status) == 0);
        assert_true(pty_wait_alone(fixture.pty));
        assert_true(pty_is_restored(fixture.pty));
        check_journal(fixture.pty, REMOVED);
        fixture_end(&fixture);
    }
}

static void a_recording_stays_at_a_normal_end(void **state)
{
    (void)state;
    if (!pty_has_program())
        skip();
    char dir[] = "/tmp/probetop-record-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/run.jsonl", dir);
    struct fixture fixture = {0};
    fixture_start(&fixture, (const char *const[]){"record", path, NULL});
    pty_keys(fixture.pty, "Q");
    assert_true(pty_wait_exit(fixture.pty));
    assert_true(pty_wait_alone(fixture.pty));
    check_journal(fixture.pty, REMOVED);
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    assert_true(journal_facts(path) >= 2);
    fixture_end(&fixture);
    unlink(path);
    rmdir(dir);
}

/* ---- a terminal that has stopped reading ---- */

static void a_frozen_terminal_does_not_slow_the_engine(void **state)
{
    (void)state;
    if (!pty_has_program())
        skip();
    struct fixture fixture = {0};
    char dir[512];
    fixture_start(&fixture, NULL);
    assert_true(pty_journal(fixture.pty, dir, sizeof dir));
    /* each ^L paints the whole screen; nobody reads from here on, so the screen half soon hangs in a write */
    for (int i = 0; i < 200; i++)
        pty_keys(fixture.pty, "\x0c");
    int before = journal_facts(dir);
    int64_t deadline = clock_mono_us() + DEADLINE_US;
    while (journal_facts(dir) < before + 3 && clock_mono_us() < deadline)
        poll(NULL, 0, 20); /* between two looks */
    assert_true(journal_facts(dir) >= before + 3);
    /* killed while it hangs: the engine half gives the terminal back all the same, as far as it takes bytes */
    assert_int_equal(kill(fixture.pty->pid, SIGKILL), 0);
    assert_true(pty_wait_exit(fixture.pty));
    assert_true(pty_wait_alone(fixture.pty));
    fixture_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(either_half_killed_by_any_signal),
        cmocka_unit_test(no_kubectl_outlives_either_half),
        cmocka_unit_test(a_command_without_a_screen_leaves_nothing_either),
        cmocka_unit_test(the_terminal_is_closed),
        cmocka_unit_test(the_screen_half_is_stopped_and_then_killed),
        cmocka_unit_test(a_normal_end_leaves_nothing),
        cmocka_unit_test(a_recording_stays_at_a_normal_end),
        cmocka_unit_test(a_frozen_terminal_does_not_slow_the_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
