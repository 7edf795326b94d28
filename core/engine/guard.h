/* The two halves and how each guards the other.
 *
 * guard_split() makes two processes: the engine half (the child: own session, no terminal of its own) and the screen half (the parent, whom the shell waits for). They are joined by a socket pair, whose end of
 * file tells each of the other's death, however it came.
 *   - The screen half dies or its terminal goes: the engine half restores the terminal (the termios saved before the split, and the bytes the screen half registered: leave alternate screen, show cursor, normal keypad and attributes),
 *     ends its children and itself. The journal stays unless the end was orderly.
 *   - The engine half dies: the screen half leaves the screen, ends the process groups that were registered, says what happened and where the journal is, exits 2.
 * SIGHUP, SIGINT and SIGQUIT from the terminal reach the screen half alone. */
#ifndef PROBETOP_GUARD_H
#define PROBETOP_GUARD_H

#include "base/buf.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct guard {
    bool is_engine; /* which half this is */
    int fd;         /* control socket of this half; whoever takes it over (control_new) sets it to -1 here */
    pid_t other;    /* the other half */
    int tty;        /* engine half: the terminal, for restoring it; -1 where there is none */
    void *saved;    /* private: termios */
};

/* Core dumps off and no new privileges in both halves. tty_fd: the terminal (-1: none). */
enum status guard_split(int tty_fd, struct guard *out, struct problem *problem);
/* Engine half, when the screen half has gone without a word: puts the terminal back and says so in a sentence. `bytes` is what the screen half registered. Safe when the terminal is gone. */
void guard_restore_terminal(const struct guard *guard, const char *bytes, size_t length);
/* Screen half: how the engine half ended, as words ("was ended by signal 9 (Killed)"), after its socket closed; waits for it at most 2 s. Returns its exit status, or 128 + signal. */
int guard_reap(const struct guard *guard, char *words, size_t size);
void guard_free(struct guard *guard);

/* ---- process groups ---- */

/* The process groups of the engine half's children. Both halves hold the list, so that what a killed engine half leaves behind is ended by the other. The engine half tells it as a whole, in one line, whenever it has changed:
 * where the screen half takes nothing just now the line can be dropped and is said again. */
enum {
    GUARD_GROUPS_MAX = 512
}; /* several times as many children as there ever are; what is beyond has PR_SET_PDEATHSIG alone */
struct guard_groups {
    pid_t list[GUARD_GROUPS_MAX];
    size_t count;
};
void guard_groups_note(struct guard_groups *groups, pid_t group, bool alive);
void guard_groups_write(const struct guard_groups *groups, struct buf *out); /* "groups 123 456" */
/* Takes such a line's list for its own; false when it is another line. */
bool guard_groups_read(struct guard_groups *groups, const char *line);
/* SIGTERM to all, SIGKILL after 500 ms to those that are still there. Returns how many there were. */
size_t guard_groups_end(struct guard_groups *groups);

#endif
