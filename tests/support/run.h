/* A program run by a test, without a terminal: what it writes to standard output and error is kept. Ends with the test, whatever happens to that. Every wait has a deadline. */
#ifndef PROBETOP_TEST_RUN_H
#define PROBETOP_TEST_RUN_H

#include "base/buf.h"

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

enum { RUN_WAIT_MS = 20000 };

struct run {
    pid_t pid;       /* 0: not running */
    int fd;          /* the reading end of what it writes; -1 once closed */
    struct buf out;  /* the newest 1 MiB */
    bool exited;     /* and taken leave of */
    int status;      /* of waitpid(), once exited */
    uv_loop_t *loop; /* the test's own servers, served while it waits; NULL: none */
};

/* arguments: NULL-terminated, [0] is looked for in PATH. It starts in `dir`, which is its HOME too. A program that is not there exits with 127. */
void run_start(struct run *run, const char *const *arguments, const char *dir, uv_loop_t *loop);
bool run_wait_text(struct run *run, const char *text); /* anywhere in what it wrote; false: not in time */
bool run_wait_exit(struct run *run);                   /* and all it wrote is there */
int run_code(const struct run *run);                   /* the exit status; -1: a signal ended it, or it runs still */
/* Takes in what comes within some milliseconds, and serves the loop. */
void run_pump(struct run *run);
/* Ends it if it runs, and forgets what it wrote. */
void run_end(struct run *run);

/* A new directory, and its end with all that is in it. `path` has room for 64 bytes. */
void run_directory(char *path);
void run_directory_remove(const char *path);
/* A file of that name in it. */
void run_directory_put(const char *dir, const char *name, const char *bytes, size_t length);

#endif
