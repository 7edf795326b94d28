/* The real program under a pseudo-terminal, with libvterm as the terminal that shows what it draws. One at a time in a test program, since orphans of the program under test are taken in by
 * the test's own process. Every wait has a deadline; nothing here sleeps. */
#ifndef PROBETOP_TEST_PTY_H
#define PROBETOP_TEST_PTY_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

enum { PTY_WAIT_MS = 20000, PTY_PROCESSES_MAX = 32, PTY_ROW_MAX = 4096 };

struct pty_options {
    const char *program;          /* NULL: what PROBETOP in the environment names */
    const char *const *arguments; /* NULL-terminated, without the program's own name; NULL: none */
    const char *const *
        environment; /* NULL-terminated "NAME=value" on top of a small fixed one (TERM=xterm-256color, LANG=C.UTF-8, own HOME); NULL: none */
    int rows, columns; /* 0: 24 x 80 */
};

struct pty {
    pid_t pid;  /* the program: later the screen half */
    int master; /* -1 after pty_hang_up() */
    int slave;  /* held open, so that the terminal outlives the program; -1 after pty_hang_up() */
    int rows, columns;
    struct termios before; /* as the program found the terminal */
    struct buf raw;        /* every byte it wrote (the newest 8 MiB) */
    bool alternate, cursor_visible;
    bool exited;
    int status;           /* of waitpid(), once exited */
    char home[64];        /* HOME and everything below, removed by pty_free() */
    void *vterm, *screen; /* private: libvterm's */
};

/* Whether PROBETOP names a program; tests skip themselves otherwise. */
bool pty_has_program(void);
struct pty *pty_start(const struct pty_options *options);
/* Ends what still runs, and removes the files. */
void pty_free(struct pty *pty);

/* Takes in what the program writes for at most `ms`; returns the bytes that came. Ends early when something came and `until_something`. */
size_t pty_pump(struct pty *pty, int ms, bool until_something);
typedef bool pty_condition(struct pty *pty, const void *user);
/* Takes in what is written until the condition holds; false when it does not within `ms`. */
bool pty_wait(struct pty *pty, pty_condition *condition, const void *user, int ms);
bool pty_wait_text(struct pty *pty, const char *text);    /* somewhere on the screen */
bool pty_wait_no_text(struct pty *pty, const char *text); /* nowhere on the screen */
bool pty_wait_raw(struct pty *pty, const char *bytes);    /* among the bytes written */
bool pty_wait_exit(struct pty *pty);
bool pty_wait_screen(struct pty *pty); /* alternate screen, and something on it */

void pty_keys(struct pty *pty, const char *bytes);
void pty_resize(struct pty *pty, int rows, int columns);
void pty_hang_up(struct pty *pty); /* the terminal is closed, as when an ssh connection ends */

/* A row as UTF-8 without trailing spaces. Returns out (PTY_ROW_MAX bytes). */
const char *pty_row(struct pty *pty, int row, char *out);
bool pty_has_text(struct pty *pty, const char *text);
void pty_print(struct pty *pty); /* the screen, to standard error: for a failed test */
/* The terminal's modes are those from before, the alternate screen is left and the cursor shows. */
bool pty_is_restored(struct pty *pty);

/* Processes that descend from this test, the program itself included, zombies not. */
size_t pty_processes(struct pty *pty, pid_t *pids, size_t max);
/* The other half: the program's child. 0 when there is none. */
pid_t pty_engine(struct pty *pty);
bool pty_wait_alone(struct pty *pty); /* nothing that was started is left */

/* The newest journal directory below HOME; false when there is none. `size` bytes at `out`. */
bool pty_journal(struct pty *pty, char *out, size_t size);

#endif
