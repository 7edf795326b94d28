/* A child process on the loop: its own process group, standard input from /dev/null, output drained whatever happens, and two events that come in either order (anchors of the design: exit, and end of
 * output; only both together mean that it is over). child.c and guard.c alone make or signal processes. */
#ifndef PROBETOP_CHILD_H
#define PROBETOP_CHILD_H

#include "base/status.h"

#include <stdbool.h>
#include <uv.h>

enum { CHILD_LINE_MAX = 8192 };

struct child;

struct child_options {
    uv_loop_t *loop;
    const char *path;        /* absolute */
    const char *const *argv; /* NULL-terminated, argv[0] included */
    /* A complete line of standard output or standard error, without its newline, cut at CHILD_LINE_MAX. Hostile until cleaned. May be NULL: thrown away. */
    void (*line)(void *user, bool is_stderr, const char *line, size_t length);
    /* Over: exited and all output read. `signal` 0 unless a signal ended it. Called once; the child is freed after it returns. */
    void (*over)(void *user, int exit_code, int signal);
    /* A process group began (alive) or is no more: for the other half's registry (engine/guard.h). May be NULL. */
    void (*group)(void *group_user, pid_t group, bool alive);
    void *user, *group_user;
};

/* Starts it, with the environment reduced to an allow-list (HOME, PATH, USER, LANG, LC_*, TZ, TMPDIR, XDG_*, KUBECONFIG, KUBERNETES_*, HTTP(S)_PROXY, NO_PROXY, SSL_CERT_*, AWS_*, AZURE_*, GOOGLE_*, CLOUDSDK_*, SSH_AUTH_SOCK, and what exec
 * plugins need), PR_SET_PDEATHSIG where there is one. */
enum status child_spawn(const struct child_options *options, struct child **out, struct problem *problem);
pid_t child_pid(const struct child *child);
/* SIGTERM to its group now, SIGKILL after grace_ms if it is still there. `over` still comes. */
void child_end(struct child *child, int grace_ms);

#endif
