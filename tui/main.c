/* The composition root: decides which parts run, and joins them. */
#include "base/mem.h"
#include "tui/check.h"
#include "tui/diagnose.h"
#include "tui/engine_half.h"
#include "tui/lines.h"
#include "tui/lint.h"
#include "tui/screen.h"
#include "tui/wait.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HELP_BYTES_MAX = 64 * 1024, JOURNALS_BYTES_MAX = 1024 * 1024 };

static void complain(const char *sentence)
{
    fprintf(stderr, "probetop: %s\n", sentence);
}

/* A closed standard stream would be given out again as a socket or a file, and what is meant for people would land in it. */
static void streams_open(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            exit(2);
}

static bool rights_are_plain(void)
{
    return getuid() == geteuid() && getgid() == getegid();
}

static void problems_print(const struct options *options)
{
    for (size_t i = 0; i < options->problems.count && i < CONF_PROBLEMS_MAX; i++)
        complain(options->problems.list[i].text);
}

static int print_all(const struct buf *out)
{
    fwrite(buf_str(out), 1, out->len, stdout);
    return fflush(stdout) == 0 ? 0 : 2;
}

static int print_help(const struct options *options)
{
    struct buf out;
    buf_init(&out, HELP_BYTES_MAX);
    options_help(options->help_topic, &out);
    int code = print_all(&out);
    buf_free(&out);
    return code;
}

static int print_stories(void)
{
    size_t count = 0;
    struct buf out;
    const struct sim_story *stories = sim_stories(&count);
    buf_init(&out, HELP_BYTES_MAX);
    for (size_t i = 0; i < count; i++)
        buf_printf(&out, "%-15s %s\n", stories[i].name, stories[i].sentence);
    int code = print_all(&out);
    buf_free(&out);
    return code;
}

/* What replay can show. */
static int print_journals(void)
{
    struct journal_run *runs;
    size_t count = journal_runs(&runs), told = 0;
    struct buf out;
    buf_init(&out, JOURNALS_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        char moment[32];
        if (runs[i].bytes == 0)
            continue;
        clock_format(runs[i].written, CLOCK_ISO_UTC, moment, sizeof moment);
        if (told++ == 0)
            buf_printf(&out, "%-20s  %8s  %-7s  %s\n", "LAST WRITE", "SIZE", "RUN", "JOURNAL");
        buf_printf(&out, "%-20s  %5llu KB  %-7s  %s\n", moment, (unsigned long long)(runs[i].bytes + 999) / 1000,
                   runs[i].live ? "live" : "over", runs[i].dir);
    }
    if (told == 0)
        complain("no journal to replay: a run leaves one when it is killed or was given --keep-journal; a recording is "
                 "shown by probetop replay FILE");
    int code = told > 0 ? print_all(&out) : 2;
    buf_free(&out);
    journal_runs_free(runs, count);
    return code;
}

static int print_version(void)
{
    printf("probetop %s\n", PACKAGE_VERSION);
    return fflush(stdout) == 0 ? 0 : 2;
}

/* A screen needs a terminal at both ends and one that can move the cursor; otherwise it is line mode, with a word about it where somebody sat before a terminal. */
static bool screen_is_possible(const struct options *options)
{
    struct problem problem = {""};
    if (options->lines || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return false;
    if (term_usable(&problem) == STATUS_OK)
        return true;
    fprintf(stderr, "probetop: %s: going on in line mode\n", problem.text);
    return false;
}

/* The two halves: see engine/guard.h. */
static int run_halves(struct options *options)
{
    struct journal *journal = NULL;
    struct problem problem = {""};
    struct guard guard;
    struct cluster_way way;
    if (engine_half_journal(options, &journal, &problem) != STATUS_OK) {
        complain(problem.text);
        return 2;
    }
    if (cluster_way_find(options, journal, &way, &problem) != STATUS_OK ||
        guard_split(STDIN_FILENO, &guard, &problem) != STATUS_OK) {
        complain(problem.text);
        cluster_way_end(&way);
        journal_close(journal, false);
        return 2;
    }
    int code;
    if (guard.is_engine) {
        code = engine_half_run(options, &way, journal, &guard);
        guard.fd = -1; /* it was the control connection's, which has closed it */
    } else {
        char *dir = mem_dup(journal_dir(journal));
        journal_close(journal, true); /* only this half's hold on it */
        code = screen_run(options, &guard, dir);
        mem_free(dir);
    }
    cluster_way_end(&way); /* the engine half has ended by now, or removes it itself */
    guard_free(&guard);
    return code;
}

static int run(struct options *options)
{
    bool on_screen = false;
    switch (options->command) {
    case COMMAND_HELP:
        return print_help(options);
    case COMMAND_VERSION:
        return print_version();
    case COMMAND_DEMO_LIST:
        return print_stories();
    case COMMAND_CHECK:
        problems_print(options);
        return check_run(options);
    case COMMAND_WAIT:
        problems_print(options);
        return wait_run(options);
    case COMMAND_DIAGNOSE:
        problems_print(options);
        return diagnose_run(options);
    case COMMAND_LINT:
        return lint_run(options);
    case COMMAND_REPLAY:
        if (!options->replay_path)
            return print_journals();
        on_screen = screen_is_possible(options);
        break;
    case COMMAND_WATCH:
    case COMMAND_DEMO:
        on_screen = screen_is_possible(options);
        break;
    }
    if (!on_screen)
        problems_print(options);
    if (options->command == COMMAND_REPLAY)
        return on_screen ? screen_run(options, NULL, options->replay_path) : lines_replay(options);
    return on_screen ? run_halves(options) : lines_run(options);
}

int main(int argc, char **argv)
{
    struct options options;
    struct problem problem = {""};
    int code = 2;
    streams_open();
    if (!rights_are_plain()) {
        complain("will not run set-user-id or set-group-id: start it as yourself");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN); /* a reader that has gone is an error of write() like others */
    signal(SIGXFSZ, SIG_IGN); /* and so is a file that may not grow */
    enum status status = options_parse(argc, argv, &options, &problem);
    if (status == STATUS_OK) {
        if (!options.ascii_given)
            options.ascii = term_is_ascii();
        code = run(&options);
    } else {
        problems_print(&options);
        complain(problem.text);
    }
    options_free(&options);
    return code;
}
