/* Private to the journal: the directories of runs, where they may be, and whose they are.
 *
 * The process that writes a run holds a lock on the file "lock" in it for as long as it lives, however it ends; that is what tells a run under way from what a killed one left. A file "keep" says that the user
 * asked for it. */
#ifndef PROBETOP_JOURNAL_RUNS_H
#define PROBETOP_JOURNAL_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Where a run's directory may be, in the order of preference at its beginning; and from the end of the list on when it must move. */
enum run_place {
    PLACE_STATE,     /* $XDG_STATE_HOME/probetop */
    PLACE_HOME,      /* ~/.local/state/probetop */
    PLACE_TEMPORARY, /* $TMPDIR, or /tmp */
    PLACE_MEMORY,    /* /dev/shm */
    PLACE_RUNTIME,   /* $XDG_RUNTIME_DIR */
    PLACE_COUNT
};
/* A fresh private directory there; to be freed. NULL, with errno, where that place does not serve or is on the device `avoid` (NULL: any will do). */
char *run_make(enum run_place place, const dev_t *avoid);
/* Says that the run is under way. Returns the file to hold; -1 with errno. */
int run_lock(int dir_fd);
void run_keep(int dir_fd);
/* A fresh private directory below `parent` for the sockets of a run that has no journal, or one elsewhere; to be freed, NULL with errno. *lock is held until the run's end: whoever is killed leaves the directory behind, and the
 * next that is made there finds it without its holder and removes it. */
char *run_make_for_sockets(const char *parent, size_t path_max, int *lock);
/* Lowers the bounds to what the directory's medium allows: less in memory than on a disk, and no file beyond the process's limit. */
void run_bound(int dir_fd, size_t *segment_max, unsigned *segments);

#endif
