#include "engine/guard.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/sanitizer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

enum { REAP_US = 2 * SECOND_US, REAP_STEP_MS = 10, RESTORE_WAIT_MS = 500, GROUPS_US = SECOND_US / 2 };

static void signal_ignore(int number)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_IGN;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

/* What holds for both halves: no core file with tokens or bodies in it, and nothing that is started from here gains rights. */
static void guard_limit(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
#ifdef __linux__
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#endif
}

/* The terminal opened once more where it has a name: an open file of its own may be non-blocking without making the shell's non-blocking too. */
static int tty_reopen(int tty_fd)
{
    char name[256];
    if (ttyname_r(tty_fd, name, sizeof name) == 0) {
        int fd = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0)
            return fd;
    }
    return fcntl(tty_fd, F_DUPFD_CLOEXEC, 3);
}

/* The engine half never speaks to the terminal by accident: its standard streams lead nowhere. */
static void guard_leave_streams(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    if (null > STDERR_FILENO)
        close(null);
}

static void guard_become_engine(int tty_fd, struct guard *guard)
{
    static const int ignored[] = {SIGHUP, SIGPIPE, SIGTTOU, SIGTTIN, SIGTSTP};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal_ignore(ignored[i]);
    setsid();
    guard->is_engine = true;
    guard->other = getppid();
    guard->tty = tty_fd >= 0 ? tty_reopen(tty_fd) : -1;
    guard_leave_streams();
#if defined(__linux__) && !UNDER_ADDRESS_SANITIZER
    /* nobody but root looks into the half that holds the tokens; the leak checker would not be able to either */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

static enum status guard_pair(int ends[2], struct problem *problem)
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return problem_set(problem, status_from_errno(errno), "cannot join the two halves: %s", strerror(errno));
    for (int i = 0; i < 2; i++) {
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
        fcntl(ends[i], F_SETFL, O_NONBLOCK);
    }
    return STATUS_OK;
}

static void *termios_saved(int tty_fd)
{
    struct termios now;
    if (tty_fd < 0 || tcgetattr(tty_fd, &now) != 0)
        return NULL;
    struct termios *saved = mem_new(sizeof *saved);
    *saved = now;
    return saved;
}

enum status guard_split(int tty_fd, struct guard *out, struct problem *problem)
{
    *out = (struct guard){.fd = -1, .tty = -1};
    int ends[2];
    enum status status = guard_pair(ends, problem);
    if (status != STATUS_OK)
        return status;
    guard_limit();
    out->saved = termios_saved(tty_fd);
    fflush(NULL); /* or both halves would write what is buffered */
    pid_t child = fork();
    if (child < 0) {
        status = problem_set(problem, status_from_errno(errno), "cannot start the engine half: %s", strerror(errno));
        close(ends[0]);
        close(ends[1]);
        guard_free(out);
        return status;
    }
    bool is_engine = child == 0;
    close(ends[is_engine ? 0 : 1]);
    out->fd = ends[is_engine ? 1 : 0];
    out->other = child;
    if (is_engine)
        guard_become_engine(tty_fd, out);
    else
        mem_shed(); /* all that is there only for the network */
    return STATUS_OK;
}

/* A terminal that has stopped reading gets half a second; it is not waited for longer. */
static void tty_write(int tty, const char *bytes, size_t length)
{
    while (length > 0) {
        struct pollfd ready = {.fd = tty, .events = POLLOUT};
        if (poll(&ready, 1, RESTORE_WAIT_MS) <= 0 || (ready.revents & POLLOUT) == 0)
            return;
        ssize_t put = write(tty, bytes, length);
        if (put <= 0)
            return;
        bytes += put;
        length -= (size_t)put;
    }
}

void guard_restore_terminal(const struct guard *guard, const char *bytes, size_t length)
{
    if (guard->tty < 0)
        return;
    if (guard->saved != NULL)
        tcsetattr(guard->tty, TCSANOW, guard->saved);
    tty_write(guard->tty, bytes, length);
    /* what the screen half may have said, out of memory for one, went down with the screen it was written on */
    static const char words[] =
        "probetop: the screen half has ended before its time; to look at what was recorded: probetop replay\n";
    tty_write(guard->tty, words, sizeof words - 1);
}

enum wait_end { WAIT_ENDED, WAIT_NOT_OURS, WAIT_LATE };

/* Waits for the engine half, but not for longer than REAP_US. */
static enum wait_end guard_wait(pid_t pid, int *how)
{
    int64_t deadline = clock_mono_us() + REAP_US;
    for (;;) {
        pid_t got = waitpid(pid, how, WNOHANG);
        if (got == pid || (got < 0 && errno != EINTR))
            return got == pid ? WAIT_ENDED : WAIT_NOT_OURS;
        if (clock_mono_us() >= deadline)
            return WAIT_LATE;
        poll(NULL, 0, REAP_STEP_MS);
    }
}

int guard_reap(const struct guard *guard, char *words, size_t size)
{
    int how = 0;
    enum wait_end end = guard_wait(guard->other, &how);
    if (end == WAIT_NOT_OURS) {
        snprintf(words, size, "is gone");
        return 128;
    }
    if (end == WAIT_LATE) {
        /* it let go of its socket and yet goes on: it would probe for nobody for ever */
        kill(guard->other, SIGKILL);
        waitpid(guard->other, &how, 0);
        snprintf(words, size, "did not end and was killed");
        return 128 + SIGKILL;
    }
    if (WIFSIGNALED(how)) {
        int number = WTERMSIG(how);
        snprintf(words, size, "was ended by signal %d (%s)", number, strsignal(number));
        return 128 + number;
    }
    snprintf(words, size, "ended with exit status %d", WEXITSTATUS(how));
    return WEXITSTATUS(how);
}

void guard_free(struct guard *guard)
{
    if (guard->fd >= 0)
        close(guard->fd);
    if (guard->is_engine && guard->tty >= 0)
        close(guard->tty);
    mem_free(guard->saved);
    *guard = (struct guard){.fd = -1, .tty = -1};
}

/* ---- process groups ---- */

void guard_groups_note(struct guard_groups *groups, pid_t group, bool alive)
{
    for (size_t i = 0; i < groups->count; i++)
        if (groups->list[i] == group)
            groups->list[i--] = groups->list[--groups->count];
    if (alive && group > 1 && groups->count < GUARD_GROUPS_MAX)
        groups->list[groups->count++] = group;
}

static const char GROUPS_WORD[] = "groups";

void guard_groups_write(const struct guard_groups *groups, struct buf *out)
{
    buf_puts(out, GROUPS_WORD);
    for (size_t i = 0; i < groups->count; i++)
        buf_printf(out, " %ld", (long)groups->list[i]);
}

bool guard_groups_read(struct guard_groups *groups, const char *line)
{
    size_t length = sizeof GROUPS_WORD - 1;
    if (strncmp(line, GROUPS_WORD, length) != 0 || (line[length] != ' ' && line[length] != '\0'))
        return false;
    groups->count = 0;
    char *end = NULL;
    for (const char *at = line + length; *at == ' '; at = end) {
        guard_groups_note(groups, (pid_t)strtol(at, &end, 10), true);
        if (end == at)
            break;
    }
    return true;
}

/* Forgets those that are gone or that are not ours to end. */
static void groups_sift(struct guard_groups *groups, int number)
{
    for (size_t i = groups->count; i > 0; i--)
        if (kill(-groups->list[i - 1], number) != 0)
            groups->list[i - 1] = groups->list[--groups->count];
}

size_t guard_groups_end(struct guard_groups *groups)
{
    groups_sift(groups, SIGTERM);
    size_t were = groups->count;
    groups_sift(groups, SIGCONT); /* one that is stopped would not hear of it */
    int64_t deadline = clock_mono_us() + GROUPS_US;
    while (groups->count > 0 && clock_mono_us() < deadline) {
        poll(NULL, 0, REAP_STEP_MS);
        groups_sift(groups, 0);
    }
    groups_sift(groups, SIGKILL);
    groups->count = 0;
    return were;
}
