#include "tui/engine_half.h"

#include "base/buf.h"
#include "base/mem.h"
#include "engine/control.h"
#include "engine/journal_runs.h"
#include "kube/source.h"
#include "sim/sim.h"
#include "tunnel/kube_tunnel.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    STOP_MS = 1500,
    RESTORE_MAX = CONTROL_LINE_MAX / 2,
    SOCKET_NAME_MAX = 24 /* of the sockets that kubectl's proxy and the tunnels make */
};

struct half {
    uv_loop_t loop;
    uv_timer_t bound; /* an end that does not come is made without it */
    struct engine *engine;
    struct journal *journal;
    char *told_dir; /* where the screen half looks for the journal */
    bool told_lost; /* it knows that the journal has stopped */
    struct control *control;
    const struct source_ops *source_ops;
    void *source;
    const struct guard *guard;
    struct buf restore;         /* bytes that give the terminal back, as the screen half said */
    struct guard_groups groups; /* of the children */
    bool groups_told;
    bool orderly, stopping, stopped, screen_gone;
};

/* ---- the way to a cluster ---- */

static char *sockets_dir_make(int *lock)
{
    const char *places[] = {getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp"};
    size_t path_max = sizeof((struct sockaddr_un *)NULL)->sun_path - 1 - SOCKET_NAME_MAX;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *dir = places[i] && places[i][0] == '/' ? run_make_for_sockets(places[i], path_max, lock) : NULL;
        if (dir)
            return dir;
    }
    return NULL;
}

enum status cluster_way_find(const struct options *options, const struct journal *journal, struct cluster_way *out,
                             struct problem *problem)
{
    *out = (struct cluster_way){.dir = NULL};
    if (!options->use_kube)
        return STATUS_OK;
    struct problem why = {""};
    enum status status = kubectl_find(&options->kube.flags, &out->kubectl, &why);
    if (status != STATUS_OK)
        return problem_set(problem, status, "%s. Without a cluster: probetop http://HOST:PORT, or probetop demo",
                           why.text);
    const char *dir = journal ? journal_dir(journal) : NULL;
    if (dir && strlen(dir) + SOCKET_NAME_MAX < sizeof((struct sockaddr_un *)NULL)->sun_path)
        out->dir = mem_dup(dir);
    else
        out->dir = sockets_dir_make(&out->lock);
    out->is_own_dir = !dir || !out->dir || strcmp(dir, out->dir) != 0;
    if (out->dir)
        return STATUS_OK;
    cluster_way_end(out);
    return problem_set(problem, STATUS_DENIED,
                       "no directory for sockets can be made; set XDG_RUNTIME_DIR or TMPDIR to a short path of a "
                       "directory that can be written");
}

/* What a half that was killed left in it goes too. */
static void sockets_dir_remove(const char *path)
{
    DIR *list = opendir(path);
    for (struct dirent *entry; list && (entry = readdir(list)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(list), entry->d_name, 0);
    if (list)
        closedir(list);
    rmdir(path);
}

void cluster_way_end(struct cluster_way *way)
{
    if (way->is_own_dir && way->dir) {
        sockets_dir_remove(way->dir);
        close(way->lock);
    }
    mem_free(way->kubectl);
    mem_free(way->dir);
    *way = (struct cluster_way){.dir = NULL};
}

/* ---- which source, and which tunnel ---- */

static const struct source_ops *source_ops_of(const struct options *options)
{
    if (options->command == COMMAND_DEMO)
        return &sim_ops;
    return options->use_kube ? &kube_ops : &endpoints_ops;
}

/* What an engine is made of, beside the options. */
struct parts {
    const struct cluster_way *way;
    uv_loop_t *loop;
    struct journal *journal;
    engine_group_fn *group;
    void *group_user;
};

static void parts_kube(struct options *options, const struct parts *parts, struct engine_options *engine)
{
    struct kube_options *kube = mem_new(sizeof *kube);
    *kube = options->kube;
    options->kube = (struct kube_options){.via = NULL};
    struct kube_tunnel_options tunnel = {.loop = parts->loop,
                                         .via = VIA_AUTO,
                                         .dir = parts->way->dir,
                                         .kubectl = parts->way->kubectl,
                                         .flags = &kube->flags,
                                         .group = parts->group,
                                         .group_user = parts->group_user};
    if (kube->via)
        via_from_name(kube->via, &tunnel.via);
    struct kube_tunnel *made = kube_tunnel_new(&tunnel);
    engine->tunnel_ops = &kube_tunnel_ops;
    engine->tunnel = (struct tunnel *)made;
    engine->source = kube_source_new(kube, parts->way->kubectl, parts->way->dir, made, parts->group, parts->group_user);
}

/* The source is the engine's to free, but control lines go to it past the engine. */
static struct engine *engine_make(struct options *options, const struct parts *parts, void **source)
{
    struct engine_options engine = {.loop = parts->loop,
                                    .journal = parts->journal,
                                    .user_agent = options->user_agent,
                                    .tunnel_ops = &direct_ops,
                                    .source_ops = source_ops_of(options)};
    bool demo = options->command == COMMAND_DEMO;
    double speed = options->speed > 0 ? options->speed : demo ? options->sim.story->default_speed : 1;
    struct buf title;
    buf_init(&title, 512);
    if (engine.source_ops == &kube_ops) {
        /* what is known before kubectl has told the rest */
        buf_puts(&title, options->kube.flags.context ? options->kube.flags.context : "kubernetes");
        parts_kube(options, parts, &engine);
    } else if (demo) {
        engine.tunnel = direct_new();
        buf_printf(&title, "demo: %s", options->sim.story->name);
        engine.source = sim_source_new(&options->sim, engine.tunnel);
    } else {
        engine.tunnel = direct_new();
        buf_puts(&title, "endpoints");
        engine.secrets = endpoints_secrets(&options->endpoints, &engine.secret_count);
        engine.source = endpoints_source_new(&options->endpoints, engine.tunnel);
    }
    engine.title = buf_str(&title);
    clock_start(&engine.clock, speed);
    struct engine *made = engine_new(&engine);
    *source = engine.source;
    for (size_t i = 0; i < engine.secret_count; i++)
        mem_free(engine.secrets[i]);
    mem_free(engine.secrets);
    buf_free(&title);
    return made;
}

struct engine *engine_half_engine(struct options *options, const struct cluster_way *way, uv_loop_t *loop,
                                  struct journal *journal)
{
    void *source;
    struct parts parts = {.way = way, .loop = loop, .journal = journal};
    return engine_make(options, &parts, &source);
}

enum status engine_half_journal(const struct options *options, struct journal **out, struct problem *problem)
{
    char *dir = NULL;
    *out = NULL;
    enum status status = journal_make_dir(&dir, problem);
    if (status == STATUS_OK)
        status = journal_create(dir, JOURNAL_SEGMENT_MAX, JOURNAL_SEGMENTS, out, problem);
    if (status == STATUS_OK && options->record_path)
        status = journal_record(*out, options->record_path, problem);
    if (status != STATUS_OK && *out)
        journal_close(*out, false);
    else if (*out && options->keep_journal)
        journal_keep(*out);
    if (status != STATUS_OK)
        *out = NULL;
    mem_free(dir);
    return status;
}

/* ---- commands without a screen ---- */

static void on_end_signal(uv_signal_t *signal, int number)
{
    struct end_signals *signals = signal->data;
    signals->asked(signals->user, number);
}

void end_signals_watch(struct end_signals *signals, uv_loop_t *loop, void (*asked)(void *user, int number), void *user)
{
    static const int numbers[END_SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
    signals->asked = asked;
    signals->user = user;
    for (size_t i = 0; i < END_SIGNALS; i++) {
        struct sigaction now;
        uv_signal_init(loop, &signals->list[i]);
        signals->list[i].data = signals;
        if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            uv_signal_start(&signals->list[i], on_end_signal, numbers[i]);
    }
}

void end_signals_close(struct end_signals *signals)
{
    for (size_t i = 0; i < END_SIGNALS; i++)
        uv_close((uv_handle_t *)&signals->list[i], NULL);
}

/* ---- the end ---- */

static void half_over(struct half *half)
{
    if (half->control)
        control_free(half->control);
    half->control = NULL;
    if (!uv_is_closing((uv_handle_t *)&half->bound))
        uv_close((uv_handle_t *)&half->bound, NULL);
}

static void on_stopped(void *user)
{
    struct half *half = user;
    half->stopped = true;
    half_over(half);
}

static void on_bound(uv_timer_t *timer)
{
    struct half *half = timer->data;
    uv_stop(&half->loop);
}

static void half_stop(struct half *half)
{
    if (half->stopping)
        return;
    half->stopping = true;
    uv_timer_start(&half->bound, on_bound, STOP_MS, 0);
    engine_stop(half->engine, on_stopped, half);
}

/* ---- what the screen half says ---- */

static void half_restore_bytes(struct half *half, const char *hex)
{
    buf_clear(&half->restore);
    for (; hex[0] && hex[1]; hex += 2) {
        char pair[3] = {hex[0], hex[1], '\0'};
        buf_putc(&half->restore, (char)strtoul(pair, NULL, 16));
    }
}

static void on_line(void *user, const char *line)
{
    struct half *half = user;
    if (!line) {
        half->screen_gone = true;
        if (!half->orderly)
            guard_restore_terminal(half->guard, buf_str(&half->restore), half->restore.len);
        half_stop(half);
    } else if (strcmp(line, "quit") == 0) {
        half->orderly = true;
        half_stop(half);
    } else if (strncmp(line, "terminal ", 9) == 0) {
        half_restore_bytes(half, line + 9);
    } else if (half->stopping) {
        return; /* the source may be gone by now */
    } else if (strncmp(line, "probe ", 6) == 0) {
        engine_probe_now(half->engine, (uint32_t)strtoul(line + 6, NULL, 10));
    } else if (half->source_ops->control) {
        half->source_ops->control(half->source, line);
    }
}

/* Where the journal has gone. A screen half that takes nothing just now is told at the next flush. */
static void half_tell_place(struct half *half)
{
    const char *dir = journal_dir(half->journal);
    if (!journal_goes_on(half->journal)) {
        half->told_lost = half->told_lost || control_wake(half->control, "lost");
    } else if (strcmp(dir, half->told_dir) != 0) {
        struct buf line;
        buf_init(&line, CONTROL_LINE_MAX);
        buf_printf(&line, "moved %s", dir);
        if (control_wake(half->control, buf_str(&line))) {
            mem_free(half->told_dir);
            half->told_dir = mem_dup(dir);
        }
        buf_free(&line);
    }
}

/* The screen half ends what we leave behind. */
static void half_tell_groups(struct half *half)
{
    if (half->groups_told || !half->control)
        return;
    struct buf line;
    buf_init(&line, CONTROL_LINE_MAX);
    guard_groups_write(&half->groups, &line);
    half->groups_told = control_wake(half->control, buf_str(&line));
    buf_free(&line);
}

static void on_group(void *user, pid_t group, bool alive)
{
    struct half *half = user;
    guard_groups_note(&half->groups, group, alive);
    half->groups_told = false;
    half_tell_groups(half);
}

static void on_flush(void *user)
{
    struct half *half = user;
    if (!half->control)
        return;
    half_tell_place(half);
    half_tell_groups(half);
    control_wake(half->control, "journal");
}

/* ---- running ---- */

static void half_start(struct half *half, const struct options *options)
{
    struct problem problem = {""};
    if (engine_start(half->engine, &problem) != STATUS_OK) {
        control_send(half->control, "bye %s", problem.text);
        half->orderly = true; /* nothing is in the journal that its reason does not say */
        half_stop(half);
        return;
    }
    for (size_t i = 0; i < options->problems.count && i < CONF_PROBLEMS_MAX; i++)
        engine_note(half->engine, "%s", options->problems.list[i].text);
}

int engine_half_run(struct options *options, const struct cluster_way *way, struct journal *journal,
                    const struct guard *guard)
{
    struct half half = {.guard = guard,
                        .source_ops = source_ops_of(options),
                        .journal = journal,
                        .groups_told = true, /* there are none */
                        .told_dir = mem_dup(journal_dir(journal))};
    buf_init(&half.restore, RESTORE_MAX);
    uv_loop_init(&half.loop);
    uv_timer_init(&half.loop, &half.bound);
    half.bound.data = &half;
    half.control = control_new(&half.loop, guard->fd, on_line, &half);
    struct parts parts = {.way = way, .loop = &half.loop, .journal = journal, .group = on_group, .group_user = &half};
    half.engine = engine_make(options, &parts, &half.source);
    engine_on_flush(half.engine, on_flush, &half);
    half_start(&half, options);
    uv_run(&half.loop, UV_RUN_DEFAULT);
    guard_groups_end(&half.groups); /* none, unless the end had to be made without waiting for it */
    journal_close(journal, !half.orderly || options->keep_journal);
    if (half.stopped) {
        engine_free(half.engine);
        uv_loop_close(&half.loop);
    }
    buf_free(&half.restore);
    mem_free(half.told_dir);
    return half.stopped || !half.orderly ? 0 : 2;
}
