#include "engine/child.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

extern char **environ;

enum {
    READ_BYTES = 64 * 1024,
    STREAMS = 2,           /* standard output and standard error */
    HANDLES = STREAMS + 2, /* and the signal and the timer */
    LINGER_MS = 500,       /* output still held open, by somebody who left the group, this long after the exit */
    FD_LIMIT = 65536,      /* where the system cannot close a range: most that are closed one by one */
    EXEC_FD = STDERR_FILENO + 1
};

/* What a child may know of our environment, for kubectl and the credential plugins it starts. A name that ends in '*' stands for all that begin so. No variable that changes which code is loaded. */
static const char *const ALLOWED[] = {
    "HOME",
    "PATH",
    "USER",
    "LOGNAME",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "TMPDIR",
    "XDG_*",
    "KUBECONFIG",
    "KUBERC",
    "KUBERNETES_*",
    "KUBE_*",
    "KUBECTL_*",
    "KUBECACHEDIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_*",
    "NIX_SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_*",
    "AZURE_*",
    "ARM_*",
    "AAD_*",
    "MSI_*",
    "IDENTITY_*",
    "GOOGLE_*",
    "CLOUDSDK_*",
    "GCE_*",
    "USE_GKE_GCLOUD_AUTH_PLUGIN",
    "OCI_*",
    "IBMCLOUD_*",
    "ALIBABA_CLOUD_*",
    "DIGITALOCEAN_*",
    "LINODE_*",
    "YC_*",
    "OIDC_*",
    "VAULT_*",
    "TELEPORT_*",
    "TSH_*",
    "RANCHER_*",
    "KRB5CCNAME",
    "KRB5_*",
    "GNUPGHOME",
    "SSH_AUTH_SOCK",
    "DBUS_SESSION_BUS_ADDRESS",
};

struct stream {
    struct child *child;
    uv_pipe_t pipe;
    struct buf line; /* the line begun */
    bool over;       /* its end was read, or it is not waited for any more */
};

struct child {
    struct child_options options;
    pid_t pid;
    uv_signal_t changed; /* SIGCHLD */
    uv_timer_t bound;    /* before the exit: SIGKILL; after it: output is not waited for any more */
    struct stream streams[STREAMS];
    bool exited, closing;
    int exit_code, signal, handles;
    char bytes[READ_BYTES];
};

/* ---- between fork and exec: nothing but system calls ---- */

struct start {
    const char *path;
    char *const *argv, *const *environment;
    int null, out[STREAMS],
        failed; /* failed: takes the error number of an exec that did not work, and closes with one that did */
    int fd_limit;
    pid_t parent;
};

static void signals_plain(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    sigemptyset(&action.sa_mask);
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &action, NULL);
    sigprocmask(SIG_SETMASK, &action.sa_mask, NULL);
}

static void close_from(int first, int limit)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, ~0U, 0U) == 0)
        return;
#endif
    for (int fd = first; fd < limit; fd++)
        close(fd);
}

/* All of them lie above EXEC_FD, so none is overwritten before it has been used. */
static bool start_streams(const struct start *start)
{
    return dup2(start->null, STDIN_FILENO) >= 0 && dup2(start->out[0], STDOUT_FILENO) >= 0 &&
           dup2(start->out[1], STDERR_FILENO) >= 0 && dup2(start->failed, EXEC_FD) >= 0 &&
           fcntl(EXEC_FD, F_SETFD, FD_CLOEXEC) == 0;
}

/* A session of its own: a group of its own, and no terminal that a credential plugin could ask on. */
static _Noreturn void start_exec(const struct start *start)
{
    int failed = start->failed;
    setsid();
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != start->parent)
        _exit(127); /* it died before it could be watched */
#endif
    if (start_streams(start)) {
        failed = EXEC_FD;
        close_from(EXEC_FD + 1, start->fd_limit);
        signals_plain();
        execve(start->path, start->argv, start->environment);
    }
    int error = errno;
    ssize_t ignored = write(failed, &error, sizeof error);
    (void)ignored;
    _exit(127);
}

/* ---- starting ---- */

static bool name_allowed(const char *variable)
{
    for (size_t i = 0; i < sizeof ALLOWED / sizeof *ALLOWED; i++) {
        const char *name = ALLOWED[i];
        size_t length = strlen(name);
        if (name[length - 1] == '*' ? strncmp(variable, name, length - 1) == 0
                                    : strncmp(variable, name, length) == 0 && variable[length] == '=')
            return true;
    }
    return false;
}

/* The strings stay the environment's own. */
static char **environment_new(void)
{
    size_t count = 0, kept = 0;
    while (environ && environ[count])
        count++;
    char **list = mem_array(count + 1, sizeof *list);
    for (size_t i = 0; i < count; i++)
        if (name_allowed(environ[i]))
            list[kept++] = environ[i];
    return list;
}

/* A descriptor above all that the child will have; takes `fd` over. */
static int fd_above(int fd)
{
    int above = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, EXEC_FD + 1);
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return above;
}

/* ends[0] to read here, ends[1] for the child. */
static bool pipe_make(int ends[2])
{
    int made[2];
    if (pipe(made) != 0)
        return false;
    ends[1] = fd_above(made[1]);
    ends[0] = fd_above(made[0]);
    return ends[0] >= 0 && ends[1] >= 0;
}

static void fds_close(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/* Forks with all signals held, so that none of our handlers runs in the child. */
static pid_t start_fork(const struct start *start)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        start_exec(start);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}

/* Waits until the program runs: 0, or the error number. */
static int start_outcome(int failed, pid_t pid)
{
    int error = 0;
    ssize_t got;
    while ((got = read(failed, &error, sizeof error)) < 0 && errno == EINTR)
        ;
    if (got != (ssize_t)sizeof error)
        return 0;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return error;
}

/* pipes: pairs of standard output, standard error, and of the exec's failure. Returns 0 or the error number. */
static int start_run(const struct child_options *options, int pipes[STREAMS + 1][2], pid_t *pid)
{
    struct start start = {.path = options->path, .argv = (char *const *)options->argv, .parent = getpid()};
    for (int i = 0; i <= STREAMS; i++)
        if (!pipe_make(pipes[i]))
            return errno;
    long limit = sysconf(_SC_OPEN_MAX);
    start.fd_limit = limit > 0 && limit < FD_LIMIT ? (int)limit : FD_LIMIT;
    start.null = fd_above(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (start.null < 0)
        return errno;
    for (int i = 0; i < STREAMS; i++)
        start.out[i] = pipes[i][1];
    start.failed = pipes[STREAMS][1];
    char **environment = environment_new();
    start.environment = environment;
    *pid = start_fork(&start);
    int error = *pid < 0 ? errno : 0;
    for (int i = 0; i <= STREAMS; i++) {
        close(pipes[i][1]);
        pipes[i][1] = -1;
    }
    close(start.null);
    mem_free(environment);
    return error ? error : start_outcome(pipes[STREAMS][0], *pid);
}

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle)
{
    struct child *child = handle->data;
    if (--child->handles > 0)
        return;
    child->options.over(child->options.user, child->exit_code, child->signal);
    for (int i = 0; i < STREAMS; i++)
        buf_free(&child->streams[i].line);
    mem_free(child);
}

static void child_over_when_both(struct child *child)
{
    if (!child->exited || !child->streams[0].over || !child->streams[1].over || child->closing)
        return;
    child->closing = true;
    uv_close((uv_handle_t *)&child->changed, on_closed);
    uv_close((uv_handle_t *)&child->bound, on_closed);
    for (int i = 0; i < STREAMS; i++)
        uv_close((uv_handle_t *)&child->streams[i].pipe, on_closed);
}

static void stream_tell(struct stream *stream)
{
    struct child *child = stream->child;
    if (child->options.line)
        child->options.line(child->options.user, stream == &child->streams[1], buf_str(&stream->line),
                            stream->line.len);
    buf_clear(&stream->line);
}

static void stream_over(struct stream *stream)
{
    if (stream->over)
        return;
    stream->over = true;
    uv_read_stop((uv_stream_t *)&stream->pipe);
    if (stream->line.len > 0)
        stream_tell(stream); /* last words without a newline */
    child_over_when_both(stream->child);
}

static void on_bound(uv_timer_t *timer)
{
    struct child *child = timer->data;
    if (!child->exited) {
        kill(-child->pid, SIGKILL);
        return;
    }
    for (int i = 0; i < STREAMS; i++)
        stream_over(&child->streams[i]);
}

/* The exit has been seen but not taken: while it is a zombie its number, and so its group's, is nobody else's. */
static void child_reap(struct child *child)
{
    int how = 0;
    kill(-child->pid, SIGKILL); /* what it may have left in its group */
    while (waitpid(child->pid, &how, 0) < 0 && errno == EINTR)
        ;
    child->exited = true;
    child->exit_code = WIFEXITED(how) ? WEXITSTATUS(how) : 0;
    child->signal = WIFSIGNALED(how) ? WTERMSIG(how) : 0;
    uv_signal_stop(&child->changed);
    uv_timer_start(&child->bound, on_bound, LINGER_MS, 0);
    if (child->options.group)
        child->options.group(child->options.group_user, child->pid, false);
    child_over_when_both(child);
}

static void child_look(struct child *child)
{
    siginfo_t info = {.si_pid = 0};
    if (child->exited)
        return;
    while (waitid(P_PID, (id_t)child->pid, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid == child->pid) {
        kill(-child->pid, SIGCONT); /* nobody is there who could wake it */
        info.si_pid = 0;
    }
    info.si_pid = 0;
    if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child->pid)
        child_reap(child);
}

static void on_changed(uv_signal_t *signal, int number)
{
    (void)number;
    child_look(signal->data);
}

void child_end(struct child *child, int grace_ms)
{
    if (child->exited)
        return;
    kill(-child->pid, SIGTERM);
    kill(-child->pid, SIGCONT);
    uv_timer_start(&child->bound, on_bound, (uint64_t)grace_ms, 0);
}

pid_t child_pid(const struct child *child)
{
    return child->pid;
}

/* ---- output ---- */

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    struct child *child = handle->data;
    (void)suggested;
    *room = uv_buf_init(child->bytes, READ_BYTES);
}

static void stream_take(struct stream *stream, const char *bytes, size_t length)
{
    while (length > 0) {
        const char *newline = memchr(bytes, '\n', length);
        size_t part = newline ? (size_t)(newline - bytes) : length;
        buf_append(&stream->line, bytes, part);
        if (!newline)
            return;
        stream_tell(stream);
        bytes += part + 1;
        length -= part + 1;
    }
}

static void on_read(uv_stream_t *pipe, ssize_t got, const uv_buf_t *room)
{
    struct child *child = pipe->data;
    struct stream *stream = (uv_stream_t *)&child->streams[0].pipe == pipe ? &child->streams[0] : &child->streams[1];
    if (got > 0)
        stream_take(stream, room->base, (size_t)got);
    else if (got < 0)
        stream_over(stream);
}

static struct child *child_new(const struct child_options *options, pid_t pid, int pipes[STREAMS + 1][2])
{
    struct child *child = mem_new(sizeof *child);
    child->options = *options;
    child->pid = pid;
    child->handles = HANDLES;
    uv_signal_init(options->loop, &child->changed);
    uv_timer_init(options->loop, &child->bound);
    child->changed.data = child->bound.data = child;
    uv_signal_start(&child->changed, on_changed, SIGCHLD);
    for (int i = 0; i < STREAMS; i++) {
        struct stream *stream = &child->streams[i];
        stream->child = child;
        buf_init(&stream->line, CHILD_LINE_MAX);
        uv_pipe_init(options->loop, &stream->pipe, 0);
        stream->pipe.data = child;
        uv_pipe_open(&stream->pipe, pipes[i][0]);
        pipes[i][0] = -1;
        uv_read_start((uv_stream_t *)&stream->pipe, on_room, on_read);
    }
    return child;
}

enum status child_spawn(const struct child_options *options, struct child **out, struct problem *problem)
{
    int pipes[STREAMS + 1][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
    pid_t pid = -1;
    int error = start_run(options, pipes, &pid);
    *out = NULL;
    if (error == 0) {
        *out = child_new(options, pid, pipes);
        if (options->group)
            options->group(options->group_user, pid, true);
        child_look(*out); /* it may have ended before SIGCHLD was waited for; `over` comes later all the same */
    }
    fds_close(&pipes[0][0], sizeof pipes / sizeof pipes[0][0]);
    return error == 0
               ? STATUS_OK
               : problem_set(problem, status_from_errno(error), "cannot start %s: %s", options->path, strerror(error));
}
