/* Follows a growing log file: whole lines, across truncation and rotation.
 *
 * A line ends at \n or at \r (progress bars redraw their line with it); empty lines are skipped. Lines are handed on up to FOLLOW_LINE_MAX bytes, the rest of a longer one is dropped. It
 * starts with at most the last FOLLOW_BACKLOG_MAX bytes of what is there. The file's calls are made on a thread: a file system that does not answer holds up nothing but this. The system tells of changes where it can (uv_fs_event); a slow poll finds the others, and a file that comes later. */
#ifndef PROBETOP_FOLLOW_H
#define PROBETOP_FOLLOW_H

#include <stddef.h>
#include <uv.h>

enum { FOLLOW_LINE_MAX = 8192, FOLLOW_BACKLOG_MAX = 256 * 1024, FOLLOW_POLL_MS = 1000 };

enum follow_word {
    FOLLOW_LINE,      /* a line, hostile */
    FOLLOW_CAUGHT_UP, /* all lines that were there at the start have been given; comes once */
    FOLLOW_NEW_FILE,  /* truncated or replaced: what follows was written anew */
    FOLLOW_PROBLEM /* it cannot be read just now: `bytes` is a sentence with the path; comes once until it can be read again */
};

struct follow;
/* Called from the loop only, never before follow_new() returns. `bytes` is not NUL-terminated and lives for the call. */
typedef void follow_fn(void *user, enum follow_word word, const char *bytes, size_t length);
struct follow *follow_new(uv_loop_t *loop, const char *path, follow_fn *fn, void *user);
/* No call comes after this one; `closed` (may be NULL) tells when nothing of it is left on the loop. */
void follow_free(struct follow *follow, void (*closed)(void *user), void *user);

#endif
