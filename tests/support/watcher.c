#include "tests/support/watcher.h"

#include "base/clock.h"
#include "engine/fact_json.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { ARGUMENTS_MAX = 24, SIGNALLED = 128 };

void watcher_start(struct watcher *watcher, const char *dir, const char *name, uv_loop_t *loop,
                   const char *const *arguments)
{
    const char *all[ARGUMENTS_MAX + 5] = {getenv("PROBETOP"), "--lines", "record", watcher->record};
    memset(watcher, 0, sizeof *watcher);
    snprintf(watcher->record, sizeof watcher->record, "%s/%s.jsonl", dir, name);
    for (size_t i = 0; i < ARGUMENTS_MAX && arguments[i]; i++)
        all[i + 4] = arguments[i];
    remove(watcher->record);
    watcher->fleet = fleet_new(fleet_limits_reader());
    run_start(&watcher->run, all, dir, loop);
}

/* Folds whole lines from `from` on, up to the moment `until` (Unix µs); returns where the first line begins that was not. */
static long fold(const char *path, long from, struct fleet *fleet, int64_t until)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    FILE *file = fopen(path, "r");
    bool goes_on = file && fseek(file, from, SEEK_SET) == 0;
    while (goes_on && (length = getline(&line, &room, file)) > 0 && line[length - 1] == '\n') {
        struct fact fact;
        if (fact_decode(line, (size_t)length, &fact, NULL) == STATUS_OK) {
            goes_on = fact.kind == FACT_HELLO || fleet_wall(fleet, fact.t) <= until;
            if (goes_on)
                fleet_apply(fleet, &fact);
            fact_free(&fact);
        }
        from = goes_on ? ftell(file) : from;
    }
    if (file)
        fclose(file);
    free(line);
    return from;
}

void watcher_turn(struct watcher *watcher)
{
    run_pump(&watcher->run);
    watcher->read = fold(watcher->record, watcher->read, watcher->fleet, INT64_MAX);
}

bool watcher_wait(struct watcher *watcher, watcher_condition *condition, const void *user, int seconds)
{
    int64_t deadline = clock_mono_us() + (int64_t)seconds * SECOND_US;
    while (!condition(watcher, user)) {
        if (clock_mono_us() > deadline || watcher->run.exited) {
            fprintf(stderr, "it said:\n%s\n", buf_str(&watcher->run.out));
            return false;
        }
        watcher_turn(watcher);
    }
    return true;
}

bool watcher_holds(struct watcher *watcher, watcher_condition *condition, const void *user, int seconds)
{
    int64_t deadline = clock_mono_us() + (int64_t)seconds * SECOND_US;
    while (condition(watcher, user)) {
        if (clock_mono_us() > deadline)
            return true;
        watcher_turn(watcher);
    }
    fprintf(stderr, "it said:\n%s\n", buf_str(&watcher->run.out));
    return false;
}

const struct pod *watcher_pod(const struct watcher *watcher, const char *name)
{
    for (uint32_t i = watcher->fleet->count; i > 0; i--) {
        const struct pod *pod = watcher->fleet->pods[i - 1];
        if (strncmp(text_str(&pod->facts.name), name, strlen(name)) == 0)
            return pod;
    }
    return NULL;
}

struct fleet *watcher_fleet_at(const struct watcher *watcher, int64_t wall)
{
    struct fleet *fleet = fleet_new(fleet_limits_reader());
    fold(watcher->record, 0, fleet, wall);
    return fleet;
}

bool watcher_said(const struct watcher *watcher, const char *words)
{
    return strstr(buf_str(&watcher->run.out), words) != NULL;
}

int64_t watcher_now(const struct watcher *watcher)
{
    return clock_mono_us() - watcher->fleet->clock.mono_zero;
}

int watcher_end(struct watcher *watcher)
{
    int code = -1;
    if (watcher->run.pid > 0 && !watcher->run.exited)
        kill(watcher->run.pid, SIGTERM);
    if (run_wait_exit(&watcher->run))
        code = WIFSIGNALED(watcher->run.status) ? SIGNALLED + WTERMSIG(watcher->run.status) : run_code(&watcher->run);
    run_end(&watcher->run);
    fleet_free(watcher->fleet);
    memset(watcher, 0, sizeof *watcher);
    return code;
}
