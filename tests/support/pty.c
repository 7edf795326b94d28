#include "tests/support/pty.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>
#include <vterm.h>

enum { RAW_MAX = 8 * 1024 * 1024, STEP_MS = 20, ENVIRONMENT_MAX = 64 };

static void fail(const char *what)
{
    fprintf(stderr, "pty: %s: %s\n", what, strerror(errno));
    abort();
}

bool pty_has_program(void)
{
    const char *program = getenv("PROBETOP");
    return program != NULL && access(program, X_OK) == 0;
}

/* ---- the terminal ---- */

static int on_property(VTermProp property, VTermValue *value, void *user)
{
    struct pty *pty = user;
    if (property == VTERM_PROP_ALTSCREEN)
        pty->alternate = value->boolean;
    else if (property == VTERM_PROP_CURSORVISIBLE)
        pty->cursor_visible = value->boolean;
    return 1;
}

static const VTermScreenCallbacks CALLBACKS = {.settermprop = on_property};

static void terminal_start(struct pty *pty)
{
    pty->vterm = vterm_new(pty->rows, pty->columns);
    vterm_set_utf8(pty->vterm, 1);
    pty->screen = vterm_obtain_screen(pty->vterm);
    vterm_screen_enable_altscreen(pty->screen, 1);
    vterm_screen_set_callbacks(pty->screen, &CALLBACKS, pty);
    vterm_screen_reset(pty->screen, 1);
    pty->cursor_visible = true;
}

static void terminal_take(struct pty *pty, const char *bytes, size_t length)
{
    if (pty->raw.len + length > pty->raw.max)
        buf_drop(&pty->raw, pty->raw.len / 2);
    buf_append(&pty->raw, bytes, length);
    vterm_input_write(pty->vterm, bytes, length);
    char answer[256];
    size_t answered = vterm_output_read(pty->vterm, answer, sizeof answer);
    if (answered > 0 && pty->master >= 0 && write(pty->master, answer, answered) < 0 && errno != EIO)
        fail("answer");
}

/* ---- starting ---- */

/* The child never comes back from here. */
static _Noreturn void program_run(const struct pty *pty, const struct pty_options *options)
{
    static const char *const kept[] = {"PATH",         "ASAN_OPTIONS",    "UBSAN_OPTIONS",
                                       "LSAN_OPTIONS", "PROBETOP_THEMES", "TMPDIR"};
    const char *program = options->program != NULL ? options->program : getenv("PROBETOP");
    const char *argv[ENVIRONMENT_MAX + 2] = {program};
    char *environment[ENVIRONMENT_MAX] = {NULL};
    char home[128];
    size_t count = 0;
    snprintf(home, sizeof home, "HOME=%s", pty->home);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        const char *value = getenv(kept[i]);
        if (value != NULL && asprintf(&environment[count], "%s=%s", kept[i], value) > 0)
            count++;
    }
    environment[count++] = home;
    environment[count++] = (char[]){"LANG=C.UTF-8"};
    environment[count++] = (char[]){"TERM=xterm-256color"};
    environment[count] = NULL;
    for (size_t i = 0; options->arguments != NULL && options->arguments[i] != NULL && i < ENVIRONMENT_MAX; i++)
        argv[i + 1] = options->arguments[i];
    environ = environment;
    for (size_t i = 0; options->environment != NULL && options->environment[i] != NULL; i++)
        putenv((char *)(uintptr_t)options->environment[i]);
    for (int number = 1; number < 32; number++)
        signal(number, SIG_DFL);
    execve(program, (char *const *)(uintptr_t)argv, environ);
    _exit(127);
}

struct pty *pty_start(const struct pty_options *options)
{
    struct pty *pty = calloc(1, sizeof *pty);
    if (pty == NULL)
        fail("calloc");
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    pty->rows = options->rows > 0 ? options->rows : 24;
    pty->columns = options->columns > 0 ? options->columns : 80;
    buf_init(&pty->raw, RAW_MAX);
    snprintf(pty->home, sizeof pty->home, "/tmp/probetop-pty-XXXXXX");
    struct winsize size = {.ws_row = (unsigned short)pty->rows, .ws_col = (unsigned short)pty->columns};
    if (mkdtemp(pty->home) == NULL || openpty(&pty->master, &pty->slave, NULL, NULL, &size) != 0 ||
        tcgetattr(pty->slave, &pty->before) != 0)
        fail("start");
    fcntl(pty->master, F_SETFD, FD_CLOEXEC);
    fcntl(pty->master, F_SETFL, O_NONBLOCK);
    terminal_start(pty);
    pty->pid = fork();
    if (pty->pid < 0)
        fail("fork");
    if (pty->pid == 0) {
        if (login_tty(pty->slave) != 0)
            _exit(126);
        program_run(pty, options);
    }
    fcntl(pty->slave, F_SETFD, FD_CLOEXEC);
    return pty;
}

/* ---- processes ---- */

/* Takes leave of what has ended; orphans come to this process too. */
static void pty_reap(struct pty *pty)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == pty->pid) {
            pty->exited = true;
            pty->status = status;
        }
    }
}

struct process {
    pid_t pid, parent;
    char state;
};

static bool process_read(const char *name, struct process *out)
{
    char path[300], line[1024];
    snprintf(path, sizeof path, "/proc/%s/stat", name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    const char *after = read ? strrchr(line, ')') : NULL; /* the name before it may hold anything */
    int parent = 0;
    if (after == NULL || sscanf(after + 1, " %c %d", &out->state, &parent) != 2)
        return false;
    out->pid = (pid_t)strtol(name, NULL, 10);
    out->parent = (pid_t)parent;
    return true;
}

/* All processes of the machine. */
static size_t processes_read(struct process **out)
{
    size_t count = 0, room = 0;
    struct dirent *entry;
    DIR *dir = opendir("/proc");
    *out = NULL;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        struct process process;
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !process_read(entry->d_name, &process))
            continue;
        if (count == room) {
            room = room == 0 ? 256 : 2 * room;
            *out = realloc(*out, room * sizeof **out);
            if (*out == NULL)
                fail("realloc");
        }
        (*out)[count++] = process;
    }
    if (dir != NULL)
        closedir(dir);
    return count;
}

static bool descends(const struct process *all, size_t count, pid_t pid, pid_t from)
{
    for (int steps = 0; steps < 64 && pid > 1; steps++) {
        size_t i = 0;
        while (i < count && all[i].pid != pid)
            i++;
        if (i == count)
            return false;
        pid = all[i].parent;
        if (pid == from)
            return true;
    }
    return false;
}

size_t pty_processes(struct pty *pty, pid_t *pids, size_t max)
{
    pty_reap(pty);
    struct process *all;
    size_t count = processes_read(&all), found = 0;
    for (size_t i = 0; i < count && found < max; i++)
        if (all[i].state != 'Z' && descends(all, count, all[i].pid, getpid()))
            pids[found++] = all[i].pid;
    free(all);
    return found;
}

pid_t pty_engine(struct pty *pty)
{
    struct process *all;
    size_t count = processes_read(&all);
    pid_t engine = 0;
    for (size_t i = 0; i < count; i++)
        if (all[i].parent == pty->pid && all[i].state != 'Z')
            engine = all[i].pid;
    free(all);
    return engine;
}

/* ---- waiting ---- */

size_t pty_pump(struct pty *pty, int ms, bool until_something)
{
    int64_t deadline = clock_mono_us() + (int64_t)ms * MILLISECOND_US;
    size_t came = 0;
    for (;;) {
        int64_t left = (deadline - clock_mono_us()) / MILLISECOND_US;
        struct pollfd ready = {.fd = pty->master, .events = POLLIN};
        int polled = poll(&ready, 1, left > 0 ? (int)left : 0);
        char bytes[65536];
        ssize_t got = polled > 0 ? read(pty->master, bytes, sizeof bytes) : 0;
        if (got > 0) {
            terminal_take(pty, bytes, (size_t)got);
            came += (size_t)got;
        }
        if ((until_something && came > 0) || left <= 0)
            return came;
    }
}

bool pty_wait(struct pty *pty, pty_condition *condition, const void *user, int ms)
{
    int64_t deadline = clock_mono_us() + (int64_t)ms * MILLISECOND_US;
    do {
        pty_pump(pty, STEP_MS, true);
        pty_reap(pty);
        if (condition(pty, user))
            return true;
    } while (clock_mono_us() < deadline);
    return false;
}

static bool text_is_there(struct pty *pty, const void *user)
{
    return pty_has_text(pty, user);
}

static bool text_is_not_there(struct pty *pty, const void *user)
{
    return !pty_has_text(pty, user);
}

static bool raw_is_there(struct pty *pty, const void *user)
{
    const char *bytes = user;
    return pty->raw.len > 0 && memmem(pty->raw.data, pty->raw.len, bytes, strlen(bytes)) != NULL;
}

static bool has_exited(struct pty *pty, const void *user)
{
    (void)user;
    return pty->exited;
}

static bool has_screen(struct pty *pty, const void *user)
{
    (void)user;
    char row[PTY_ROW_MAX];
    return pty->alternate && pty_row(pty, 0, row)[0] != '\0' && pty_row(pty, pty->rows - 1, row)[0] != '\0';
}

static bool is_alone(struct pty *pty, const void *user)
{
    (void)user;
    pid_t pids[1];
    return pty_processes(pty, pids, 1) == 0;
}

bool pty_wait_text(struct pty *pty, const char *text)
{
    return pty_wait(pty, text_is_there, text, PTY_WAIT_MS);
}

bool pty_wait_no_text(struct pty *pty, const char *text)
{
    return pty_wait(pty, text_is_not_there, text, PTY_WAIT_MS);
}

bool pty_wait_raw(struct pty *pty, const char *bytes)
{
    return pty_wait(pty, raw_is_there, bytes, PTY_WAIT_MS);
}

bool pty_wait_exit(struct pty *pty)
{
    return pty_wait(pty, has_exited, NULL, PTY_WAIT_MS);
}

bool pty_wait_screen(struct pty *pty)
{
    return pty_wait(pty, has_screen, NULL, PTY_WAIT_MS);
}

bool pty_wait_alone(struct pty *pty)
{
    return pty_wait(pty, is_alone, NULL, PTY_WAIT_MS);
}

/* ---- doing ---- */

void pty_keys(struct pty *pty, const char *bytes)
{
    if (write(pty->master, bytes, strlen(bytes)) != (ssize_t)strlen(bytes))
        fail("keys");
}

void pty_resize(struct pty *pty, int rows, int columns)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    pty->rows = rows;
    pty->columns = columns;
    vterm_set_size(pty->vterm, rows, columns);
    if (ioctl(pty->master, TIOCSWINSZ, &size) != 0)
        fail("resize");
}

void pty_hang_up(struct pty *pty)
{
    close(pty->slave);
    close(pty->master);
    pty->slave = pty->master = -1;
}

/* ---- looking ---- */

const char *pty_row(struct pty *pty, int row, char *out)
{
    VTermRect rect = {.start_row = row, .end_row = row + 1, .start_col = 0, .end_col = pty->columns};
    size_t length = vterm_screen_get_text(pty->screen, out, PTY_ROW_MAX - 1, rect);
    while (length > 0 && (out[length - 1] == ' ' || out[length - 1] == '\n' || out[length - 1] == '\0'))
        length--;
    out[length] = '\0';
    return out;
}

bool pty_has_text(struct pty *pty, const char *text)
{
    char row[PTY_ROW_MAX];
    for (int i = 0; i < pty->rows; i++)
        if (strstr(pty_row(pty, i, row), text) != NULL)
            return true;
    return false;
}

void pty_print(struct pty *pty)
{
    char row[PTY_ROW_MAX];
    fprintf(stderr, "screen %dx%d, %s, cursor %s, %s %d\n", pty->columns, pty->rows,
            pty->alternate ? "alternate" : "ordinary", pty->cursor_visible ? "shown" : "hidden",
            pty->exited ? "exited with" : "running", pty->status);
    for (int i = 0; i < pty->rows; i++)
        fprintf(stderr, "|%s\n", pty_row(pty, i, row));
}

bool pty_is_restored(struct pty *pty)
{
    struct termios now;
    if (tcgetattr(pty->slave, &now) != 0)
        return false;
    const struct termios *before = &pty->before;
    return now.c_iflag == before->c_iflag && now.c_oflag == before->c_oflag && now.c_cflag == before->c_cflag &&
           now.c_lflag == before->c_lflag && memcmp(now.c_cc, before->c_cc, sizeof now.c_cc) == 0 && !pty->alternate &&
           pty->cursor_visible;
}

bool pty_journal(struct pty *pty, char *out, size_t size)
{
    char state[128];
    snprintf(state, sizeof state, "%s/.local/state/probetop", pty->home);
    DIR *dir = opendir(state);
    struct dirent *entry;
    bool found = false;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            snprintf(out, size, "%s/%s", state, entry->d_name);
            found = true;
        }
    }
    if (dir != NULL)
        closedir(dir);
    return found;
}

/* ---- the end ---- */

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    (void)about;
    (void)kind;
    (void)walk;
    return remove(path);
}

void pty_free(struct pty *pty)
{
    pid_t pids[PTY_PROCESSES_MAX];
    int64_t deadline = clock_mono_us() + 10 * (int64_t)SECOND_US;
    size_t count;
    while ((count = pty_processes(pty, pids, PTY_PROCESSES_MAX)) > 0 && clock_mono_us() < deadline) {
        for (size_t i = 0; i < count; i++)
            kill(pids[i], SIGKILL);
        poll(NULL, 0, 1);
    }
    if (pty->master >= 0)
        pty_hang_up(pty);
    nftw(pty->home, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    vterm_free(pty->vterm);
    buf_free(&pty->raw);
    free(pty);
}
