/* The real program without a screen: command lines, files and pipes that are not as they should be, line mode, check, and what each exits with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sanitizer.h"
#include "sim/server.h"
#include "tests/support/pty.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 16, OUTPUT_MAX = 8 << 20, DEADLINE_US = 60 * SECOND_US, TURN_MS = 5 };

struct place {
    char dir[64]; /* HOME and everything below it */
    uv_loop_t loop;
    struct server *server; /* that is up; NULL */
    pid_t running;         /* child that a failed test left behind; 0 */
};

struct child {
    pid_t pid;
    int out, err; /* -1 once closed */
    struct buf stdout_bytes, stderr_bytes;
    int code; /* exit status, or 128 + signal */
};

/* What else is done to the child before it becomes the program. */
struct birth {
    const char *program; /* NULL: $PROBETOP */
    rlim_t file_size;    /* 0: no limit */
};

/* ---- places ---- */

static int setup(void **state)
{
    struct place *place = mem_new(sizeof *place);
    snprintf(place->dir, sizeof place->dir, "/tmp/probetop-commands-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    assert_non_null(getenv("PROBETOP"));
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&place->loop);
    *state = place;
    return 0;
}

static void remove_below(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        char below[1024];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (unlink(below) != 0)
            remove_below(below);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

static int teardown(void **state)
{
    struct place *place = *state;
    if (place->running > 0) {
        kill(place->running, SIGKILL);
        waitpid(place->running, NULL, 0);
    }
    if (place->server)
        server_free(place->server);
    remove_below(place->dir);
    uv_run(&place->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&place->loop), 0);
    mem_free(place);
    return 0;
}

static const char *path_in(const struct place *place, const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", place->dir, name);
    return out;
}

static void write_file(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void read_file(const char *path, struct buf *out)
{
    char bytes[65536];
    size_t got;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while ((got = fread(bytes, 1, sizeof bytes, file)) > 0)
        assert_true(buf_append(out, bytes, got));
    fclose(file);
}

/* The newest run's directory; false: there is none. */
static bool journal_left(const struct place *place, char *out, size_t size)
{
    char state[256];
    bool found = false;
    const struct dirent *entry;
    DIR *dir = opendir(path_in(place, "state/probetop", state, sizeof state));
    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        found = true;
        snprintf(out, size, "%s/%.200s", state, entry->d_name);
    }
    if (dir)
        closedir(dir);
    return found;
}

/* ---- children ---- */

static void child_environment(const struct place *place)
{
    char path[256];
    const char *themes = getenv("PROBETOP_THEMES"), *asan = getenv("ASAN_OPTIONS"), *ubsan = getenv("UBSAN_OPTIONS");
    char *kept[] = {themes ? mem_dup(themes) : NULL, asan ? mem_dup(asan) : NULL, ubsan ? mem_dup(ubsan) : NULL};
    clearenv();
    setenv("HOME", place->dir, 1);
    setenv("XDG_STATE_HOME", path_in(place, "state", path, sizeof path), 1);
    setenv("XDG_CONFIG_HOME", path_in(place, "config", path, sizeof path), 1);
    setenv("TMPDIR", place->dir, 1);
    setenv("TZ", "UTC", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("TERM", "xterm-256color", 1);
    if (kept[0])
        setenv("PROBETOP_THEMES", kept[0], 1);
    if (kept[1])
        setenv("ASAN_OPTIONS", kept[1], 1);
    if (kept[2])
        setenv("UBSAN_OPTIONS", kept[2], 1);
}

static void child_become(const struct place *place, const struct birth *birth, const char *const *arguments, int out,
                         int err)
{
    char program[512], *argv[ARGUMENTS_MAX + 2] = {program};
    snprintf(program, sizeof program, "%s", birth && birth->program ? birth->program : getenv("PROBETOP"));
    for (int i = 0; i < ARGUMENTS_MAX && arguments[i]; i++)
        argv[i + 1] = mem_dup(arguments[i]);
    child_environment(place);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    for (int number = 1; number < 32; number++)
        signal(number, SIG_DFL); /* whoever runs the tests in the background ignores some, and probetop would too */
    if (birth && birth->file_size > 0) {
        struct rlimit limit = {birth->file_size, birth->file_size};
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    execv(program, argv);
    _exit(126);
}

static void child_start(struct place *place, const struct birth *birth, const char *const *arguments,
                        struct child *child)
{
    int out[2], err[2];
    memset(child, 0, sizeof *child);
    buf_init(&child->stdout_bytes, OUTPUT_MAX);
    buf_init(&child->stderr_bytes, OUTPUT_MAX);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    child->pid = fork();
    assert_true(child->pid >= 0);
    if (child->pid == 0)
        child_become(place, birth, arguments, out[1], err[1]);
    place->running = child->pid;
    close(out[1]);
    close(err[1]);
    child->out = out[0];
    child->err = err[0];
}

static void child_read(int *fd, short ready, struct buf *into)
{
    char bytes[65536];
    if (*fd < 0 || !(ready & (POLLIN | POLLHUP)))
        return;
    ssize_t got = read(*fd, bytes, sizeof bytes);
    if (got > 0) {
        buf_append(into, bytes, (size_t)got);
    } else if (got == 0) {
        close(*fd);
        *fd = -1;
    }
}

/* One turn: what the child wrote, and what the servers of this test have to do. */
static void child_turn(struct place *place, struct child *child)
{
    struct pollfd ready[] = {
        {child->out, POLLIN, 0}, {child->err, POLLIN, 0}, {uv_backend_fd(&place->loop), POLLIN, 0}};
    poll(ready, 3, TURN_MS);
    child_read(&child->out, ready[0].revents, &child->stdout_bytes);
    child_read(&child->err, ready[1].revents, &child->stderr_bytes);
    uv_run(&place->loop, UV_RUN_NOWAIT);
}

static void child_end(struct place *place, struct child *child)
{
    int64_t deadline = clock_mono_us() + DEADLINE_US;
    int how = 0;
    while (child->out >= 0 || child->err >= 0) {
        if (clock_mono_us() > deadline)
            fail_msg("it did not end; it said: %s%s", buf_str(&child->stdout_bytes), buf_str(&child->stderr_bytes));
        child_turn(place, child);
    }
    assert_int_equal(waitpid(child->pid, &how, 0), child->pid);
    place->running = 0;
    child->code = WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
}

static void child_free(struct child *child)
{
    buf_free(&child->stdout_bytes);
    buf_free(&child->stderr_bytes);
}

static void run(struct place *place, const struct birth *birth, struct child *child, const char *const *arguments)
{
    child_start(place, birth, arguments, child);
    child_end(place, child);
}

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void assert_says(const struct buf *bytes, const char *part)
{
    if (!strstr(buf_str(bytes), part))
        fail_msg("\"%s\" is not in: %s", part, buf_str(bytes));
}

static void assert_code(const struct child *child, int code)
{
    if (child->code != code)
        fail_msg("exit status %d, expected %d; it said: %s%s", child->code, code, buf_str(&child->stdout_bytes),
                 buf_str(&child->stderr_bytes));
}

static void assert_wait_out(struct place *place, struct child *child, const char *part)
{
    int64_t deadline = clock_mono_us() + DEADLINE_US;
    while (!strstr(buf_str(&child->stdout_bytes), part)) {
        if (clock_mono_us() > deadline || child->out < 0)
            fail_msg("\"%s\" did not come: %s", part, buf_str(&child->stdout_bytes));
        child_turn(place, child);
    }
}

/* ---- command lines ---- */

static void test_usage_errors(void **state)
{
    static const struct {
        const char *arguments[6], *says;
    } ROWS[] = {
        {{"pod/x", "http://127.0.0.1:1"}, "do not go together"},
        {{"check", "-n", "x", "http://127.0.0.1:1"}, "--namespace is about a cluster"},
        {{"--them", "mono", "--thene", "demo"}, "unknown flag --thene; did you mean --theme?"},
        {{"-x"}, "unknown flag -x"},
        {{"demo", "rolout"}, "unknown story \"rolout\"; did you mean rollout?"},
        {{"chekc", "http://127.0.0.1:1"}, "unknown command \"chekc\"; did you mean check?"},
        {{"--theme", "nosuch", "demo"}, "unknown theme \"nosuch\""},
        {{"demo", "--speed"}, "--speed needs a value"},
        {{"demo", "--pods", "many"}, "--pods=many: expected a whole number"},
        {{"check", "--for", "soon", "http://127.0.0.1:1"}, "--for=soon"},
        {{"ftp://127.0.0.1"}, "ftp://127.0.0.1"},
        {{"http://127.0.0.1:99999"}, "http://127.0.0.1:99999"},
        {{"http://"}, "http://"},
        {{"a=http://127.0.0.1:1", "a=http://127.0.0.1:2"}, "\"a\""},
        {{"http://me:secret@127.0.0.1:1"}, "header"},
        {{"--config", "/nowhere/probetop.conf", "demo"}, "/nowhere/probetop.conf"},
        {{"replay", "/nowhere/recording"}, "/nowhere/recording"},
        {{"record"}, "record needs the name of a file"},
        {{"record", "/nowhere/recording", "demo"}, "/nowhere/recording"},
        {{"http://127.0.0.1:1/\x1b[2J"}, "\\x1b"},
    };
    struct place *place = *state;
    char left[512];
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct child child;
        run(place, NULL, &child, ROWS[i].arguments);
        assert_code(&child, 2);
        assert_says(&child.stderr_bytes, "probetop: ");
        assert_says(&child.stderr_bytes, ROWS[i].says);
        assert_int_equal(child.stdout_bytes.len, 0);
        assert_null(strchr(buf_str(&child.stderr_bytes), 0x1b));
        child_free(&child);
    }
    assert_false(journal_left(place, left, sizeof left));
}

static void test_told_on_standard_output(void **state)
{
    static const struct {
        const char *arguments[5], *says;
    } ROWS[] = {
        {{"--help"}, "Usage: probetop [FLAGS]"},
        {{"check", "--help"}, "--output=FORMAT"},
        {{"demo", "-h"}, "--pods=N"},
        {{"--version"}, "probetop "},
        {{"demo", "--list"}, "rollout "},
        {{"--list", "demo", "--", "hang"}, "hostile "},
    };
    struct place *place = *state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct child child;
        run(place, NULL, &child, ROWS[i].arguments);
        assert_code(&child, 0);
        assert_says(&child.stdout_bytes, ROWS[i].says);
        assert_int_equal(child.stderr_bytes.len, 0);
        child_free(&child);
    }
}

/* Rights that came with the file are refused before anything is read. Needs root to be tried. */
static void test_set_id(void **state)
{
    struct place *place = *state;
    char copy[256];
    struct buf bytes;
    struct stat now;
    if (geteuid() != 0)
        skip();
    buf_init(&bytes, 256 << 20);
    read_file(getenv("PROBETOP"), &bytes);
    write_file(path_in(place, "probetop", copy, sizeof copy), bytes.data, bytes.len);
    buf_free(&bytes);
    assert_int_equal(chmod(place->dir, 0711), 0);
    assert_int_equal(chown(copy, 65534, 65534), 0);
    assert_int_equal(chmod(copy, 04755), 0);
    struct child child;
    run(place, &(struct birth){.program = copy}, &child, ARGUMENTS("--version"));
    if (stat(copy, &now) == 0 && child.code == 0) {
        child_free(&child);
        skip(); /* a file system that ignores the bit */
    }
    assert_says(&child.stderr_bytes, "set-user-id");
    if (!UNDER_ADDRESS_SANITIZER) /* whose leak checker fails in such a process and changes the status */
        assert_code(&child, 2);
    child_free(&child);
}

/* ---- files ---- */

/* What is wrong with the configuration or a theme is told with its place, and the story is told all the same. */
static void test_broken_configuration(void **state)
{
    static const char CONFIGURATION[] = "[probetop]\nascii = perhaps\n[nonsense]\nx = y\n[keys]\nwide =\n";
    static const char THEME[] = "[ok]\nfg = not a colour\n";
    struct place *place = *state;
    char configuration[256], theme[256], where[512];
    write_file(path_in(place, "broken.conf", configuration, sizeof configuration), CONFIGURATION,
               sizeof CONFIGURATION - 1);
    write_file(path_in(place, "broken.theme", theme, sizeof theme), THEME, sizeof THEME - 1);
    struct child child;
    run(place, NULL, &child, ARGUMENTS("demo", "hang", "--speed=512", "--config", configuration, "--theme", theme));
    assert_code(&child, 0);
    snprintf(where, sizeof where, "%s:2: ", configuration);
    assert_says(&child.stderr_bytes, where);
    snprintf(where, sizeof where, "%s:4: ", configuration);
    assert_says(&child.stderr_bytes, where);
    snprintf(where, sizeof where, "%s:6: ", configuration);
    assert_says(&child.stderr_bytes, where);
    snprintf(where, sizeof where, "%s:", theme);
    assert_says(&child.stderr_bytes, where);
    assert_says(&child.stdout_bytes, "became Ready");
    child_free(&child);
}

static void test_no_journal(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
    } ROWS[] = {
        {"", 0},
        {"hello\n", 6},
        {"{\"kind\":\"pod\"}\n", 15},
        {"\x7f"
         "ELF\x02\x01\x01\0\0\0\0\0\n\0\0\n",
         16},
        {"{\"k\":\"hello\",\"version\":99}\n", 27},
    };
    struct place *place = *state;
    char path[256];
    path_in(place, "file", path, sizeof path);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct child child;
        write_file(path, ROWS[i].bytes, ROWS[i].length);
        run(place, NULL, &child, ARGUMENTS("replay", path));
        assert_code(&child, 2);
        assert_says(&child.stderr_bytes, path);
        assert_int_equal(child.stdout_bytes.len, 0);
        child_free(&child);
    }
    struct child child;
    run(place, NULL, &child, ARGUMENTS("replay", place->dir)); /* a directory, but no journal's */
    assert_code(&child, 2);
    assert_says(&child.stderr_bytes, place->dir);
    child_free(&child);
}

/* Line mode and the replay of its recording say the same; a torn end is no error, a broken line is told and passed over. */
static void test_record_and_replay(void **state)
{
    struct place *place = *state;
    char recording[256], torn[256], broken[256], left[512];
    struct child told, replayed;
    struct buf bytes;
    path_in(place, "recording.jsonl", recording, sizeof recording);
    run(place, NULL, &told, ARGUMENTS("record", recording, "demo", "hang", "--speed", "256"));
    assert_code(&told, 0);
    assert_says(&told.stdout_bytes, "became Degraded");
    assert_int_equal(told.stderr_bytes.len, 0);
    assert_false(journal_left(place, left, sizeof left)); /* an orderly end leaves the recording alone */
    run(place, NULL, &replayed, ARGUMENTS("replay", recording));
    assert_code(&replayed, 0);
    assert_string_equal(buf_str(&replayed.stdout_bytes), buf_str(&told.stdout_bytes));
    child_free(&replayed);

    buf_init(&bytes, 64 << 20);
    read_file(recording, &bytes);
    write_file(path_in(place, "torn.jsonl", torn, sizeof torn), bytes.data, bytes.len - 20);
    run(place, NULL, &replayed, ARGUMENTS("replay", torn));
    assert_code(&replayed, 0);
    assert_int_equal(replayed.stderr_bytes.len, 0);
    assert_int_equal(strncmp(buf_str(&told.stdout_bytes), buf_str(&replayed.stdout_bytes), replayed.stdout_bytes.len),
                     0);
    child_free(&replayed);

    size_t first = (size_t)(strchr(bytes.data, '\n') - bytes.data) + 1;
    bytes.data[first + 1] = '!';
    write_file(path_in(place, "broken.jsonl", broken, sizeof broken), bytes.data, bytes.len);
    run(place, NULL, &replayed, ARGUMENTS("replay", broken));
    assert_code(&replayed, 0);
    assert_says(&replayed.stderr_bytes, "broken.jsonl:2: ");
    assert_says(&replayed.stdout_bytes, "became Ready");
    child_free(&replayed);
    child_free(&told);
    buf_free(&bytes);
}

static void test_recording_is_not_overwritten(void **state)
{
    struct place *place = *state;
    char path[256], left[512];
    struct child child;
    struct buf bytes;
    write_file(path_in(place, "precious", path, sizeof path), "do not lose me", 14);
    run(place, NULL, &child, ARGUMENTS("demo", "--record", path));
    assert_code(&child, 2);
    assert_says(&child.stderr_bytes, path);
    assert_int_equal(child.stdout_bytes.len, 0);
    child_free(&child);
    buf_init(&bytes, 1024);
    read_file(path, &bytes);
    assert_string_equal(buf_str(&bytes), "do not lose me");
    buf_free(&bytes);
    assert_false(journal_left(place, left, sizeof left));
}

/* No room left: the recording stops with a note, the watching goes on to its end. */
static void test_full_disk(void **state)
{
    struct place *place = *state;
    char recording[256];
    struct child child;
    struct stat size;
    path_in(place, "recording.jsonl", recording, sizeof recording);
    run(place, &(struct birth){.file_size = 32768}, &child,
        ARGUMENTS("record", recording, "demo", "hang", "--speed=256"));
    assert_code(&child, 0);
    assert_says(&child.stdout_bytes, recording);
    assert_says(&child.stdout_bytes, "stopped");
    const char *note = strstr(buf_str(&child.stdout_bytes), "stopped");
    if (!strstr(note, "Ready"))
        fail_msg("nothing was told after the note: %s", note);
    assert_int_equal(stat(recording, &size), 0);
    assert_true(size.st_size <= 32768);
    child_free(&child);
}

/* ---- line mode ---- */

static void test_line_mode_ends_by_signal(void **state)
{
    static const int SIGNALS[] = {SIGINT, SIGTERM, SIGHUP};
    struct place *place = *state;
    char left[512];
    for (size_t i = 0; i < sizeof SIGNALS / sizeof SIGNALS[0]; i++) {
        struct child child;
        child_start(place, NULL, ARGUMENTS("demo"), &child);
        assert_wait_out(place, &child, "is Pending");
        kill(child.pid, SIGNALS[i]);
        child_end(place, &child);
        assert_code(&child, 128 + SIGNALS[i]);
        assert_false(journal_left(place, left, sizeof left));
        child_free(&child);
    }
}

static void test_killed_run_can_be_replayed(void **state)
{
    struct place *place = *state;
    char left[512] = "";
    struct child child, replayed;
    child_start(place, NULL, ARGUMENTS("demo", "--speed=8"), &child);
    assert_wait_out(place, &child, "became Creating");
    kill(child.pid, SIGKILL);
    child_end(place, &child);
    assert_code(&child, 128 + SIGKILL);
    assert_true(journal_left(place, left, sizeof left));
    run(place, NULL, &replayed, ARGUMENTS("replay", left));
    assert_code(&replayed, 0);
    assert_says(&replayed.stdout_bytes, "is Pending");
    assert_int_equal(replayed.stderr_bytes.len, 0);
    child_free(&child);
    child_free(&replayed);
}

/* Without a file, replay tells what there is: nothing, then a run that was kept, and one under way. */
static void test_journals_are_listed(void **state)
{
    struct place *place = *state;
    struct child child, live;
    run(place, NULL, &child, ARGUMENTS("replay"));
    assert_code(&child, 2);
    assert_int_equal(child.stdout_bytes.len, 0);
    assert_says(&child.stderr_bytes, "no journal to replay");
    child_free(&child);
    run(place, NULL, &child, ARGUMENTS("demo", "hang", "--speed=512", "--keep-journal"));
    assert_code(&child, 0);
    child_free(&child);
    child_start(place, NULL, ARGUMENTS("demo"), &live);
    assert_wait_out(place, &live, "is Pending");
    run(place, NULL, &child, ARGUMENTS("replay"));
    assert_code(&child, 0);
    assert_int_equal(child.stderr_bytes.len, 0);
    assert_says(&child.stdout_bytes, "LAST WRITE");
    assert_says(&child.stdout_bytes, "KB  live     ");
    assert_says(&child.stdout_bytes, "KB  over     ");
    assert_says(&child.stdout_bytes, "state/probetop/run-");
    child_free(&child);
    kill(live.pid, SIGKILL);
    child_end(place, &live);
    child_free(&live);
    run(place, NULL, &child, ARGUMENTS("replay"));
    assert_code(&child, 0);
    assert_null(strstr(buf_str(&child.stdout_bytes), "live"));
    child_free(&child);
}

static void test_reader_that_leaves(void **state)
{
    struct place *place = *state;
    char left[512];
    struct child child;
    child_start(place, NULL, ARGUMENTS("demo", "--speed=64"), &child);
    assert_wait_out(place, &child, "is Pending");
    close(child.out);
    child.out = -1;
    child_end(place, &child);
    assert_code(&child, 2);
    assert_int_equal(child.stderr_bytes.len, 0);
    assert_false(journal_left(place, left, sizeof left));
    child_free(&child);
}

static void test_keep_journal(void **state)
{
    struct place *place = *state;
    char left[512] = "";
    struct child child;
    run(place, NULL, &child, ARGUMENTS("demo", "hang", "--speed=512", "--keep-journal"));
    assert_code(&child, 0);
    assert_true(journal_left(place, left, sizeof left));
    child_free(&child);
    run(place, NULL, &child, ARGUMENTS("replay", left));
    assert_code(&child, 0);
    assert_says(&child.stdout_bytes, "became Ready");
    child_free(&child);
}

static void test_unknown_terminal(void **state)
{
    static const char *const ENVIRONMENT[] = {"TERM=nosuchterminal", NULL};
    (void)state;
    struct pty_options options = {.arguments = ARGUMENTS("demo", "hang", "--speed=512"), .environment = ENVIRONMENT};
    struct pty *pty = pty_start(&options);
    assert_true(pty_wait_raw(pty, "going on in line mode"));
    assert_true(pty_wait_raw(pty, "became Ready"));
    assert_true(pty_wait_exit(pty));
    assert_int_equal(WEXITSTATUS(pty->status), 0);
    assert_false(pty->alternate);
    pty_free(pty);
}

/* ---- check ---- */

struct stand_in {
    struct server *server;
    const char *models; /* body of /v1/models */
    enum manner manner;
    char target[64];
};

static const char MODELS[] =
    "{\"object\":\"list\",\"data\":[{\"id\":\"meta-llama/Llama\",\"object\":\"model\",\"owned_by\":"
    "\"vllm\",\"root\":\"x\",\"max_model_len\":8}]}";
static const char HOSTILE_MODELS[] =
    "{\"object\":\"list\",\"data\":[{\"id\":\"x\\u001b]0;owned\\u0007\\u202eevil\\u009b2J\",\"object\":\"model\"}]}";

static void answer_like_vllm(void *user, const char *path, const char *request, struct answer *answer)
{
    const struct stand_in *stand_in = user;
    (void)request;
    bool models = strcmp(path, "/v1/models") == 0;
    *answer = (struct answer){.manner = stand_in->manner,
                              .status = 200,
                              .headers = models ? "Server: uvicorn\r\nContent-Type: application/json\r\n"
                                                : "Server: uvicorn\r\n",
                              .body = models ? stand_in->models : "",
                              .body_length = models ? strlen(stand_in->models) : 0};
}

static void stand_in_start(struct place *place, struct stand_in *stand_in)
{
    struct problem problem = {""};
    assert_int_equal(server_new(&place->loop, answer_like_vllm, stand_in, &stand_in->server, &problem), STATUS_OK);
    place->server = stand_in->server;
    assert_int_equal(server_listen(stand_in->server), STATUS_OK);
    snprintf(stand_in->target, sizeof stand_in->target, "pod-0=http://127.0.0.1:%d", server_port(stand_in->server));
}

static void stand_in_stop(struct place *place, struct stand_in *stand_in)
{
    server_free(stand_in->server);
    place->server = NULL;
}

static void test_check_well(void **state)
{
    struct place *place = *state;
    struct stand_in stand_in = {.models = MODELS, .manner = MANNER_ANSWER};
    struct child child;
    struct json *document = NULL;
    stand_in_start(place, &stand_in);
    run(place, NULL, &child, ARGUMENTS("check", stand_in.target));
    assert_code(&child, 0);
    assert_says(&child.stdout_bytes, "STAGE");
    assert_says(&child.stdout_bytes, "Ready");
    assert_int_equal(child.stderr_bytes.len, 0);
    child_free(&child);

    run(place, NULL, &child, ARGUMENTS("check", "-o", "json", stand_in.target));
    assert_code(&child, 0);
    assert_int_equal(json_parse(child.stdout_bytes.data, child.stdout_bytes.len, OUTPUT_MAX, &document, NULL),
                     STATUS_OK);
    const struct json *pod = json_first(json_get(document, "pods"));
    assert_string_equal(json_string(json_get(pod, "name")), "pod-0");
    assert_string_equal(json_string(json_get(pod, "stage")), "Ready");
    for (const struct json *lane = json_first(json_get(pod, "lanes")); lane; lane = json_next(lane))
        assert_string_equal(json_string(json_get(lane, "outcome")), "ok"); /* each has answered */
    json_free(document);
    child_free(&child);
    stand_in_stop(place, &stand_in);
}

/* Each row is one endpoint that is not well, in its own way. */
static void test_check_unwell(void **state)
{
    static const struct {
        enum manner manner;
        const char *says;
    } ROWS[] = {
        {MANNER_RESET, "Running"},
        {MANNER_HANG, "timeout"},
        {MANNER_GARBAGE, "not-http"},
        {MANNER_ENDLESS_HEADERS, "headers-too-big"},
    };
    struct place *place = *state;
    struct child child;
    char path[256], configuration[512];
    path_in(place, "one.conf", path, sizeof path);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct stand_in stand_in = {.models = MODELS, .manner = ROWS[i].manner};
        stand_in_start(place, &stand_in);
        snprintf(configuration, sizeof configuration, "[endpoint pod-0]\nurl = %s\nstartupProbe.timeoutSeconds = 1\n",
                 strchr(stand_in.target, '=') + 1);
        write_file(path, configuration, strlen(configuration));
        run(place, NULL, &child, ARGUMENTS("check", "--config", path));
        assert_code(&child, 1);
        assert_says(&child.stdout_bytes, ROWS[i].says);
        child_free(&child);
        stand_in_stop(place, &stand_in);
    }
    run(place, NULL, &child, ARGUMENTS("check", "http://127.0.0.1:1"));
    assert_code(&child, 1);
    assert_says(&child.stdout_bytes, "refused");
    child_free(&child);
}

/* What a server says of itself reaches the terminal as printable text or not at all. */
static void test_check_hostile_names(void **state)
{
    static const char *const FORMATS[] = {"table", "wide", "json", "jsonl"};
    struct place *place = *state;
    struct stand_in stand_in = {.models = HOSTILE_MODELS, .manner = MANNER_ANSWER};
    stand_in_start(place, &stand_in);
    for (size_t i = 0; i < sizeof FORMATS / sizeof FORMATS[0]; i++) {
        struct child child;
        run(place, NULL, &child, ARGUMENTS("check", "-o", FORMATS[i], stand_in.target));
        for (size_t b = 0; b < child.stdout_bytes.len; b++) {
            unsigned char byte = (unsigned char)child.stdout_bytes.data[b];
            assert_true(byte == '\n' || (byte >= ' ' && byte != 0x7f));
        }
        assert_null(strstr(buf_str(&child.stdout_bytes), "\xe2\x80\xae"));
        assert_null(strstr(buf_str(&child.stdout_bytes), "\xc2\x9b"));
        if (i > 0)
            assert_says(&child.stdout_bytes, "x1b]0;owned");
        child_free(&child);
    }
    stand_in_stop(place, &stand_in);
}

static void test_check_for_a_time(void **state)
{
    struct place *place = *state;
    struct stand_in stand_in = {.models = MODELS, .manner = MANNER_ANSWER};
    struct child child;
    stand_in_start(place, &stand_in);
    int64_t began = clock_mono_us();
    run(place, NULL, &child, ARGUMENTS("check", "--for", "1s", "-ojsonl", stand_in.target));
    assert_code(&child, 0);
    assert_true(clock_mono_us() - began >= 1 * (int64_t)SECOND_US);
    assert_says(&child.stdout_bytes, "\"schema\":\"probetop.check/v1\"");
    child_free(&child);
    stand_in_stop(place, &stand_in);
}

int main(void)
{
#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_PLACE(test_usage_errors),
        WITH_PLACE(test_told_on_standard_output),
        WITH_PLACE(test_set_id),
        WITH_PLACE(test_broken_configuration),
        WITH_PLACE(test_no_journal),
        WITH_PLACE(test_record_and_replay),
        WITH_PLACE(test_recording_is_not_overwritten),
        WITH_PLACE(test_full_disk),
        WITH_PLACE(test_line_mode_ends_by_signal),
        WITH_PLACE(test_killed_run_can_be_replayed),
        WITH_PLACE(test_journals_are_listed),
        WITH_PLACE(test_reader_that_leaves),
        WITH_PLACE(test_keep_journal),
        cmocka_unit_test(test_unknown_terminal),
        WITH_PLACE(test_check_well),
        WITH_PLACE(test_check_unwell),
        WITH_PLACE(test_check_hostile_names),
        WITH_PLACE(test_check_for_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
