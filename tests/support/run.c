#include "tests/support/run.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUT_MAX = 1 << 20, STEP_MS = 5, DIRECTORY_SIZE = 64 };

static void fail(const char *what)
{
    fprintf(stderr, "run: %s: %s\n", what, strerror(errno));
    abort();
}

/* The child never comes back from here. */
static _Noreturn void program_become(const char *const *arguments, const char *dir, int out)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (int number = 1; number < 32; number++)
        signal(number, SIG_DFL); /* whoever runs the tests in the background ignores some, and probetop would too */
    dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    setenv("HOME", dir, 1);
    unsetenv("XDG_STATE_HOME");
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("XDG_RUNTIME_DIR");
    if (chdir(dir) == 0)
        execvp(arguments[0], (char *const *)(uintptr_t)arguments);
    _exit(127);
}

void run_start(struct run *run, const char *const *arguments, const char *dir, uv_loop_t *loop)
{
    int ends[2];
    *run = (struct run){.loop = loop};
    buf_init(&run->out, OUT_MAX);
    if (pipe2(ends, O_CLOEXEC) != 0 || (run->pid = fork()) < 0)
        fail("start");
    if (run->pid == 0)
        program_become(arguments, dir, ends[1]);
    close(ends[1]);
    run->fd = ends[0];
    fcntl(run->fd, F_SETFL, O_NONBLOCK);
}

void run_pump(struct run *run)
{
    char bytes[4096];
    struct pollfd ready = {.fd = run->fd, .events = POLLIN};
    if (run->loop != NULL)
        uv_run(run->loop, UV_RUN_NOWAIT);
    poll(&ready, 1, STEP_MS);
    ssize_t got = run->fd >= 0 ? read(run->fd, bytes, sizeof bytes) : 0;
    if (got > 0) {
        if (run->out.len + (size_t)got > run->out.max)
            buf_drop(&run->out, run->out.len / 2);
        buf_append(&run->out, bytes, (size_t)got);
    } else if (got == 0 && run->fd >= 0) {
        close(run->fd);
        run->fd = -1;
    }
    if (run->pid > 0 && !run->exited && waitpid(run->pid, &run->status, WNOHANG) == run->pid)
        run->exited = true;
}

bool run_wait_text(struct run *run, const char *text)
{
    int64_t until = clock_mono_us() + RUN_WAIT_MS * (int64_t)MILLISECOND_US;
    while (memmem(buf_str(&run->out), run->out.len, text, strlen(text)) == NULL) {
        if (clock_mono_us() > until || (run->exited && run->fd < 0))
            return false;
        run_pump(run);
    }
    return true;
}

bool run_wait_exit(struct run *run)
{
    int64_t until = clock_mono_us() + RUN_WAIT_MS * (int64_t)MILLISECOND_US;
    while ((!run->exited || run->fd >= 0) && clock_mono_us() < until)
        run_pump(run);
    return run->exited;
}

int run_code(const struct run *run)
{
    return run->exited && WIFEXITED(run->status) ? WEXITSTATUS(run->status) : -1;
}

void run_end(struct run *run)
{
    if (run->pid > 0 && !run->exited) {
        kill(run->pid, SIGKILL);
        waitpid(run->pid, &run->status, 0);
    }
    if (run->fd >= 0)
        close(run->fd);
    buf_free(&run->out);
    *run = (struct run){.fd = -1};
}

void run_directory(char *path)
{
    snprintf(path, DIRECTORY_SIZE, "/tmp/probetop-run-XXXXXX");
    if (mkdtemp(path) == NULL)
        fail("directory");
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    (void)about;
    (void)kind;
    (void)walk;
    return remove(path);
}

void run_directory_remove(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void run_directory_put(const char *dir, const char *name, const char *bytes, size_t length)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, length, file) != length || fclose(file) != 0)
        fail("file");
}
