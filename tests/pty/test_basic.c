/* The real program on a terminal: first frame, keys, sizes, suspension, terminals that cannot do it, colours, and silence at rest. */
#include "base/clock.h"
#include "tests/support/pty.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { POD_COUNT = 3, REST_MS = 2500 };

/* Ports that refuse: bound, not listening. */
struct fixture {
    int fds[POD_COUNT];
    char urls[POD_COUNT][64];
    struct pty *pty;
};

static int setup(void **state)
{
    static struct fixture fixture;
    static const char *const names[POD_COUNT] = {"alpha", "bravo", "charlie"};
    if (!pty_has_program()) {
        *state = NULL;
        return 0;
    }
    for (int i = 0; i < POD_COUNT; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof address;
        fixture.fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(fixture.fds[i], (struct sockaddr *)&address, sizeof address) != 0 ||
            getsockname(fixture.fds[i], (struct sockaddr *)&address, &length) != 0)
            return -1;
        snprintf(fixture.urls[i], sizeof fixture.urls[i], "%s=http://127.0.0.1:%d", names[i], ntohs(address.sin_port));
    }
    fixture.pty = NULL;
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    if (fixture == NULL)
        return 0;
    if (fixture->pty != NULL)
        pty_free(fixture->pty);
    for (int i = 0; i < POD_COUNT; i++)
        close(fixture->fds[i]);
    return 0;
}

/* Starts the program over the three endpoints. */
static struct pty *start(struct fixture *fixture, const char *const *environment, int rows, int columns)
{
    const char *const arguments[] = {fixture->urls[0], fixture->urls[1], fixture->urls[2], NULL};
    fixture->pty = pty_start(
        &(struct pty_options){.arguments = arguments, .environment = environment, .rows = rows, .columns = columns});
    return fixture->pty;
}

static void expect(struct pty *pty, bool condition, const char *what)
{
    if (!condition) {
        pty_print(pty);
        fail_msg("%s", what);
    }
}

static void expect_quit(struct pty *pty)
{
    pty_keys(pty, "Q");
    expect(pty, pty_wait_exit(pty), "it ends at Q");
    assert_true(WIFEXITED(pty->status) && WEXITSTATUS(pty->status) == 0);
    expect(pty, pty_is_restored(pty), "the terminal is as before");
}

#define NEEDS_PROGRAM(fixture)                                                                                         \
    do {                                                                                                               \
        if ((fixture) == NULL)                                                                                         \
            skip();                                                                                                    \
    } while (0)

/* ---- looking ---- */

static void the_first_frame_shows_every_pod(void **state)
{
    struct fixture *fixture = *state;
    NEEDS_PROGRAM(fixture);
    struct pty *pty = start(fixture, NULL, 24, 100);
    expect(pty, pty_wait_screen(pty), "a first frame");
    assert_false(pty->cursor_visible);
    expect(pty, pty_wait_text(pty, "alpha") && pty_wait_text(pty, "bravo") && pty_wait_text(pty, "charlie"),
           "all pods");
    expect(pty, pty_wait_text(pty, "refused"), "what their ports say");
    expect_quit(pty);
    assert_true(pty_wait_alone(pty));
}

/* The selected pod's row begins with the mark. */
static bool is_selected(struct pty *pty, const void *user)
{
    const char *name = user;
    char row[PTY_ROW_MAX];
    for (int i = 0; i < pty->rows; i++) {
        pty_row(pty, i, row);
        if (row[0] == '>' && strstr(row, name) != NULL)
            return true;
    }
    return false;
}

static void keys_move_open_and_go_back(void **state)
{
    struct fixture *fixture = *state;
    NEEDS_PROGRAM(fixture);
    struct pty *pty = start(fixture, NULL, 24, 100);
    static const struct {
        const char *keys, *selected;
    } moves[] = {{"j", "bravo"},   {"j", "charlie"}, {"k", "bravo"},      {"\x1bOA", "alpha"},
                 {"G", "charlie"}, {"g", "alpha"},   {"\x1bOB", "bravo"}, {"jjjjjj", "charlie"}};
    /* until all have answered once their order may change */
    expect(pty, pty_wait_text(pty, "3 loading") && pty_wait(pty, is_selected, "alpha", PTY_WAIT_MS),
           "the first pod is selected");
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        pty_keys(pty, moves[i].keys);
        expect(pty, pty_wait(pty, is_selected, moves[i].selected, PTY_WAIT_MS), moves[i].selected);
    }
    static const char *const back[] = {"q", "\x1b"};
    for (size_t i = 0; i < 2; i++) {
        pty_keys(pty, "\r");
        expect(pty, pty_wait_text(pty, "STAGES"), "Enter opens the pod");
        pty_keys(pty, back[i]);
        expect(pty, pty_wait_no_text(pty, "STAGES"), "and back");
    }
    pty_keys(pty, "?");
    expect(pty, pty_wait_text(pty, "one line up"), "help");
    pty_keys(pty, "q");
    expect(pty, pty_wait_no_text(pty, "one line up"), "and back from help");
    pty_keys(pty, "q");
    expect(pty, pty_wait_exit(pty), "q on the fleet view quits");
    assert_int_equal(WEXITSTATUS(pty->status), 0);
}

/* Its last row is filled, and nothing of the picture lies beyond. */
static bool fills_the_screen(struct pty *pty, const void *user)
{
    (void)user;
    char first[PTY_ROW_MAX], last[PTY_ROW_MAX];
    return strstr(pty_row(pty, 0, first), "3 pods") != NULL && pty_row(pty, pty->rows - 1, last)[0] != '\0' &&
           strstr(last, "alpha") == NULL && pty_has_text(pty, "alpha");
}

static void every_size_is_painted_anew(void **state)
{
    struct fixture *fixture = *state;
    NEEDS_PROGRAM(fixture);
    struct pty *pty = start(fixture, NULL, 24, 80);
    static const struct {
        int rows, columns;
    } sizes[] = {{10, 40}, {80, 250}, {24, 80}, {10, 250}, {80, 40}};
    expect(pty, pty_wait_screen(pty), "a first frame");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        pty_resize(pty, sizes[i].rows, sizes[i].columns);
        expect(pty, pty_wait(pty, fills_the_screen, NULL, PTY_WAIT_MS), "the new size is used");
    }
    /* far too small: nothing need be seen, but it must live on */
    for (int size = 1; size < 9; size++) {
        pty_resize(pty, size, size);
        pty_keys(pty, "j");
        pty_pump(pty, 100, true);
    }
    pty_resize(pty, 24, 80);
    expect(pty, pty_wait(pty, fills_the_screen, NULL, PTY_WAIT_MS), "back to an ordinary size");
    expect_quit(pty);
}

/* ---- suspension ---- */

static bool is_ordinary(struct pty *pty, const void *user)
{
    (void)user;
    return !pty->alternate && pty->cursor_visible;
}

static void suspended_it_gives_the_shell_its_terminal(void **state)
{
    struct fixture *fixture = *state;
    NEEDS_PROGRAM(fixture);
    char command[1024];
    fixture->pty =
        pty_start(&(struct pty_options){.program = "/bin/sh", .arguments = (const char *const[]){"-i", NULL}});
    struct pty *pty = fixture->pty;
    snprintf(command, sizeof command, "%s %s\n", getenv("PROBETOP"), fixture->urls[0]);
    pty_keys(pty, command);
    expect(pty, pty_wait_screen(pty) && pty_wait_text(pty, "alpha"), "a first frame");
    for (int i = 0; i < 2; i++) {
        pty_keys(pty, "\x1a");
        expect(pty, pty_wait(pty, is_ordinary, NULL, PTY_WAIT_MS), "^Z gives the terminal back");
        pty_keys(pty, i == 0 ? "echo in-the-$((40+2))-shell\n" : "echo once-$((40+2))-more\n");
        expect(pty, pty_wait_text(pty, i == 0 ? "in-the-42-shell" : "once-42-more"), "the shell has it");
        expect(pty, pty_is_restored(pty), "with its modes");
        pty_keys(pty, "fg\n");
        expect(pty, pty_wait_screen(pty) && pty_wait_text(pty, "alpha"), "fg comes back");
        pty_keys(pty, "?");
        expect(pty, pty_wait_text(pty, "one line up"), "and takes keys");
        pty_keys(pty, "q");
        expect(pty, pty_wait_no_text(pty, "one line up"), "as before");
    }
    pty_keys(pty, "Q");
    expect(pty, pty_wait(pty, is_ordinary, NULL, PTY_WAIT_MS), "it ends");
    pty_keys(pty, "echo exit-was-$?; exit\n");
    expect(pty, pty_wait_text(pty, "exit-was-0"), "in good order");
    expect(pty, pty_wait_exit(pty) && pty_wait_alone(pty), "nothing is left");
}

static void stopped_and_continued_from_outside_it_paints_anew(void **state)
{
    struct fixture *fixture = *state;
    NEEDS_PROGRAM(fixture);
    struct pty *pty = start(fixture, NULL, 24, 80);
    expect(pty, pty_wait_screen(pty) && pty_wait_text(pty, "alpha"), "a first frame");
    assert_int_equal(kill(pty->pid, SIGSTOP), 0);
    static const char spoil[] = "\x1b[2J\x1b[Hsomebody else wrote here\r\n";
    assert_int_equal(write(pty->slave, spoil, sizeof spoil - 1), sizeof spoil - 1);
    expect(pty, pty_wait_text(pty, "somebody else"), "a spoilt screen");
    assert_int_equal(kill(pty->pid, SIGCONT), 0);
    expect(pty, pty_wait_no_text(pty, "somebody else") && pty_wait_text(pty, "charlie"), "painted anew");
    expect_quit(pty);
}

/* ---- terminals that cannot do it ---- */

static void an_unknown_terminal_gets_line_mode_with_a_word_about_it(void **state)
{
    struct fixture *fixture = *state;
    NEEDS_PROGRAM(fixture);
    static const struct {
        const char *environment, *words;
    } rows[] = {{"TERM=nosuch", "'nosuch' is not known"}, {"TERM=dumb", "'dumb' cannot"}, {"TERM=", "TERM is not set"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const environment[] = {rows[i].environment, NULL};
        struct pty *pty = start(fixture, environment, 24, 100);
        expect(pty, pty_wait_raw(pty, rows[i].words), rows[i].words);
        expect(pty, pty_wait_raw(pty, "line mode"), "line mode is named");
        expect(pty, pty_wait_raw(pty, "alpha"), "and what happens is told in lines");
        assert_false(pty->alternate);
        assert_null(memchr(pty->raw.data, 0x1b, pty->raw.len)); /* not one escape sequence */
        pty_keys(pty, "\x03");
        expect(pty, pty_wait_exit(pty) && pty_wait_alone(pty), "^C ends it");
        expect(pty, pty_is_restored(pty), "the terminal is as before");
        pty_free(pty);
        fixture->pty = NULL;
    }
}

/* ---- colours ---- */

static bool is_colour(int parameter)
{
    return (parameter >= 30 && parameter <= 38) || (parameter >= 40 && parameter <= 48) ||
           (parameter >= 90 && parameter <= 107);
}

/* How many SGR parameters among the bytes are colours. */
static int colours_count(const struct buf *raw)
{
    int count = 0;
    for (size_t i = 0; i + 2 < raw->len; i++) {
        if (raw->data[i] != 0x1b || raw->data[i + 1] != '[')
            continue;
        size_t end = i + 2;
        while (end < raw->len && (isdigit((unsigned char)raw->data[end]) || raw->data[end] == ';'))
            end++;
        if (end == raw->len || raw->data[end] != 'm')
            continue;
        for (size_t at = i + 2; at < end; at++) {
            char *next;
            long parameter = strtol(raw->data + at, &next, 10);
            count += is_colour((int)parameter) ? 1 : 0;
            at = (size_t)(next - raw->data);
        }
    }
    return count;
}

static void colours_only_where_they_are_wanted(void **state)
{
    struct fixture *fixture = *state;
    NEEDS_PROGRAM(fixture);
    static const struct {
        const char *environment[3];
        bool coloured;
    } rows[] = {{{NULL}, true},          {{"NO_COLOR=1"}, false}, {{"NO_COLOR="}, true},
                {{"TERM=vt100"}, false}, {{"TERM=xterm"}, true},  {{"TERM=screen"}, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pty *pty = start(fixture, rows[i].environment, 24, 100);
        expect(pty, pty_wait_text(pty, "alpha") && pty_wait_text(pty, "refused"), "something to colour");
        expect_quit(pty);
        assert_int_equal(colours_count(&pty->raw) > 0, rows[i].coloured);
        pty_free(pty);
        fixture->pty = NULL;
    }
}

/* ---- at rest ---- */

static void a_held_picture_writes_not_one_byte(void **state)
{
    struct fixture *fixture = *state;
    NEEDS_PROGRAM(fixture);
    struct pty *pty = start(fixture, NULL, 24, 100);
    expect(pty, pty_wait_screen(pty) && pty_wait_text(pty, "charlie"), "a first frame");
    assert_true(pty_pump(pty, REST_MS, true) > 0); /* ages grow: it is not always silent */
    pty_keys(pty, " ");
    expect(pty, pty_wait_text(pty, "FROZEN"), "the picture is held");
    pty_pump(pty, 300, false);
    assert_int_equal(pty_pump(pty, REST_MS, false), 0);
    pty_keys(pty, " ");
    expect_quit(pty);
}

static void a_replay_at_its_end_writes_not_one_byte(void **state)
{
    struct fixture *fixture = *state;
    NEEDS_PROGRAM(fixture);
    char dir[] = "/tmp/probetop-basic-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/run.jsonl", dir);
    const char *const record[] = {"record", path, fixture->urls[0], NULL};
    fixture->pty = pty_start(&(struct pty_options){.arguments = record});
    expect(fixture->pty, pty_wait_screen(fixture->pty) && pty_wait_text(fixture->pty, "refused"), "a recording");
    expect_quit(fixture->pty);
    pty_free(fixture->pty);
    const char *const replay[] = {"replay", path, NULL};
    struct pty *pty = fixture->pty = pty_start(&(struct pty_options){.arguments = replay});
    expect(pty, pty_wait_screen(pty) && pty_wait_text(pty, "refused"), "the replay");
    pty_keys(pty, "}"); /* to the end */
    pty_pump(pty, 500, false);
    assert_int_equal(pty_pump(pty, REST_MS, false), 0);
    expect_quit(pty);
    expect(pty, pty_wait_alone(pty), "nothing is left");
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_frame_shows_every_pod, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_move_open_and_go_back, setup, teardown),
        cmocka_unit_test_setup_teardown(every_size_is_painted_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(suspended_it_gives_the_shell_its_terminal, setup, teardown),
        cmocka_unit_test_setup_teardown(stopped_and_continued_from_outside_it_paints_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_terminal_gets_line_mode_with_a_word_about_it, setup, teardown),
        cmocka_unit_test_setup_teardown(colours_only_where_they_are_wanted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_held_picture_writes_not_one_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(a_replay_at_its_end_writes_not_one_byte, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
