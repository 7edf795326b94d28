#include "engine/engine_work.h"

#include "base/mem.h"
#include "probe/classify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    PODS_MAX = 1 << 20, /* ids; far beyond what a fleet keeps */
    NOTES_A_FLUSH = 4
};

struct run_pod *engine_run_pod(const struct engine *engine, uint32_t id)
{
    return id < engine->pod_capacity ? engine->pods[id] : NULL;
}

static struct run_pod *run_pod_make(struct engine *engine, uint32_t id)
{
    if (id == 0 || id >= PODS_MAX)
        return NULL;
    if (id >= engine->pod_capacity) {
        uint32_t capacity = id < 32 ? 64 : 2 * id;
        engine->pods = mem_resize(engine->pods, capacity, sizeof(struct run_pod *));
        memset(engine->pods + engine->pod_capacity, 0, (capacity - engine->pod_capacity) * sizeof(struct run_pod *));
        engine->pod_capacity = capacity;
    }
    if (engine->pods[id] == NULL)
        engine->pods[id] = mem_new(sizeof(struct run_pod));
    return engine->pods[id];
}

static void headers_free(struct probe_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mem_free(headers[i].name);
        mem_free(headers[i].value);
    }
    mem_free(headers);
}

static void run_pod_free(struct engine *engine, uint32_t id)
{
    struct run_pod *pod = engine->pods[id];
    if (pod == NULL)
        return;
    engine->pods[id] = NULL;
    for (int lane = 0; lane < LANE_COUNT; lane++)
        probe_spec_free(&pod->lanes[lane].spec);
    headers_free(pod->headers, pod->header_count);
    mem_free(pod);
}

/* ---- what is due ---- */

static bool spec_is_sendable(const struct engine *engine, const struct probe_spec *spec)
{
    bool is_ours = spec->action == PROBE_HTTP_GET || spec->action == PROBE_TCP_SOCKET;
    /* httpGet.host is dialled from the node: a tunnel into the pod would ask somebody else */
    return is_ours && spec->port > 0 && !(spec->host != NULL && engine->options.tunnel_ops->is_stream);
}

static void lane_emit_unsent(struct engine *engine, uint32_t id, enum lane_kind lane, const struct probe_spec *spec,
                             enum tunnel_word word, bool possible)
{
    struct fact fact;
    fact_init(&fact, FACT_PROBE, id);
    classify_unsent(lane, spec->action, word, &fact.u.sample);
    if (sample_is_silence(&fact.u.sample))
        sample_judge(engine, id, clock_mono_us(), word, &fact.u.sample);
    if (!possible)
        fact.u.sample.cause = PROBE_CAUSE_NOT_REPRODUCIBLE;
    if (spec->port_name != NULL && spec->port == 0)
        text_printf(&fact.u.sample.detail, TEXT_LINE, "the container has no port named %s", spec->port_name);
    fact.u.sample.sent = clock_now(&engine->options.clock);
    fact.u.sample.attempt = 1;
    engine_emit(engine, &fact);
    fact_free(&fact);
}

/* Told once for each container run, not at every tick: nothing about it changes. */
static void lane_tell_unsendable(struct engine *engine, const struct pod *pod, struct run_lane *run,
                                 enum lane_kind lane)
{
    uint64_t container = pod_lane_view(pod, lane).run;
    if (!run->told || run->told_run != container) {
        run->told = true;
        run->told_run = container;
        lane_emit_unsent(engine, pod->facts.id, lane, &run->spec, TUNNEL_UP, false);
    }
}

static void lane_tick(struct engine *engine, const struct ticker *ticker, int64_t now)
{
    struct run_pod *run = engine_run_pod(engine, ticker->pod);
    const struct pod *pod = fleet_pod(engine->fleet, ticker->pod);
    if (run == NULL || pod == NULL || run->lanes[ticker->lane].flight != NULL ||
        pod_gate(pod, ticker->lane, now) != GATE_SEND)
        return;
    struct run_lane *lane = &run->lanes[ticker->lane];
    if (!spec_is_sendable(engine, &lane->spec)) {
        lane_tell_unsendable(engine, pod, lane, ticker->lane);
        return;
    }
    const struct tunnel_ops *ops = engine->options.tunnel_ops;
    struct tunnel *tunnel = engine->options.tunnel;
    struct http_address address = {0};
    if (ops->address(tunnel, ticker->pod, lane->spec.port, &address) != STATUS_OK) {
        lane_emit_unsent(engine, ticker->pod, ticker->lane, &lane->spec,
                         ops->word(tunnel, ticker->pod, lane->spec.port), true);
        return;
    }
    if (lane->spec.action == PROBE_TCP_SOCKET && address.prefix != NULL) { /* a proxy speaks HTTP only */
        lane_tell_unsendable(engine, pod, lane, ticker->lane);
        return;
    }
    /* a tick that waited for the lane's own last probe is not our lateness */
    int64_t due = ticker->fire > lane->free_at ? ticker->fire : lane->free_at;
    flight_begin(engine, pod, run, ticker->lane, due, &address);
}

static void engine_run_due(struct engine *engine)
{
    int64_t now = clock_now(&engine->options.clock);
    struct ticker ticker;
    while (engine->phase == RUNNING && !engine->ended && schedule_take(engine->schedule, now, &ticker))
        lane_tick(engine, &ticker, now);
}

/* ---- following pod facts ---- */

/* Keeps what is really to be sent, before secrets are taken out of the fact. */
static void pod_take_specs(struct engine *engine, const struct fact *fact)
{
    struct run_pod *run = run_pod_make(engine, fact->pod);
    if (run == NULL)
        return;
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        const struct probe_spec *spec = &fact->u.facts.probes[lane];
        if (!probe_spec_same_target(spec, &run->lanes[lane].spec))
            run->lanes[lane].told = false;
        probe_spec_copy(&run->lanes[lane].spec, spec);
    }
}

static bool pod_is_ready(const struct pod *pod)
{
    return pod->facts.kubelet ? pod->facts.serving.ready == TRI_TRUE
                              : pod->lanes[LANE_READINESS].prober.stored == VERDICT_SUCCESS;
}

static void pod_follow(struct engine *engine, uint32_t id, int64_t now)
{
    struct run_pod *run = engine_run_pod(engine, id);
    const struct pod *pod = fleet_pod(engine->fleet, id);
    if (run == NULL || pod == NULL)
        return;
    for (enum lane_kind lane = 0; lane < LANE_COUNT; lane++) {
        struct run_lane *run_lane = &run->lanes[lane];
        bool wanted = run_lane->spec.action != PROBE_NONE && run_lane->spec.period > 0;
        if (wanted)
            schedule_set(engine->schedule, id, lane, (int64_t)run_lane->spec.period * SECOND_US, now);
        else if (run_lane->scheduled)
            schedule_remove(engine->schedule, id, lane);
        run_lane->scheduled = wanted;
    }
    /* the kubelet's manual trigger: its status of a started pod that is not ready was made anew */
    if (run->known && pod_view(pod).started && !pod_is_ready(pod))
        engine_readiness_follow(engine, id, LANE_READINESS, now);
    if (run->known && pod->facts.sidecar.started == TRI_TRUE && pod->facts.sidecar.ready != TRI_TRUE)
        engine_readiness_follow(engine, id, LANE_SIDECAR_READINESS, now);
    run->known = true;
}

static void pod_forget(struct engine *engine, uint32_t id)
{
    struct run_pod *run = engine_run_pod(engine, id);
    schedule_remove_pod(engine->schedule, id);
    for (int lane = 0; run != NULL && lane < LANE_COUNT; lane++)
        if (run->lanes[lane].flight != NULL)
            flight_drop(run->lanes[lane].flight);
    engine->options.tunnel_ops->close_pod(engine->options.tunnel, id);
    if (run != NULL)
        run_pod_free(engine, id);
}

static void engine_cancel_all(struct engine *engine)
{
    struct flight *flight = engine->flights;
    while (flight != NULL) {
        struct flight *next = flight->next;
        flight_drop(flight);
        flight = next;
    }
}

/* ---- facts ---- */

void engine_emit(struct engine *engine, struct fact *fact)
{
    if (engine->phase != RUNNING || engine->ended)
        return;
    int64_t now = clock_now(&engine->options.clock);
    fact->t = now;
    if (fact->kind == FACT_POD)
        pod_take_specs(engine, fact);
    redact_fact(engine->redact, fact);
    fleet_apply(engine->fleet, fact);
    if (fact->kind == FACT_POD)
        pod_follow(engine, fact->pod, now);
    else if (fact->kind == FACT_GONE)
        pod_forget(engine, fact->pod);
    if (engine->options.journal != NULL) {
        journal_append(engine->options.journal, fact);
        engine->dirty = true;
    }
    for (size_t i = 0; i < engine->observer_count; i++)
        engine->observers[i].fn(engine->observers[i].user, fact);
    if (fact->kind == FACT_END) {
        engine->ended = true;
        engine_cancel_all(engine);
    }
    const struct source_ops *ops = engine->options.source_ops;
    if (ops->after != NULL)
        ops->after(engine->options.source, fact, fleet_pod(engine->fleet, fact->pod));
}

void engine_note(struct engine *engine, const char *format, ...)
{
    char words[TEXT_LINE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    struct fact fact;
    fact_init(&fact, FACT_NOTE, 0);
    text_set_str(&fact.u.note, words, TEXT_LINE);
    engine_emit(engine, &fact);
    fact_free(&fact);
}

void engine_end(struct engine *engine, const char *reason)
{
    struct fact fact;
    fact_init(&fact, FACT_END, 0);
    text_set_str(&fact.u.end, reason, TEXT_LINE);
    engine_emit(engine, &fact);
    fact_free(&fact);
}

static void engine_hello(struct engine *engine)
{
    struct fact fact;
    fact_init(&fact, FACT_HELLO, 0);
    fact.u.hello.version = 1;
    fact.u.hello.mono_zero = engine->options.clock.mono_zero;
    fact.u.hello.wall_zero = engine->options.clock.wall_zero;
    fact.u.hello.speed = engine->options.clock.speed;
    text_set_str(&fact.u.hello.title, engine->title, TEXT_LINE);
    text_set_str(&fact.u.hello.source, engine->options.source_ops->name, TEXT_NAME);
    text_set_str(&fact.u.hello.program, "probetop " PACKAGE_VERSION, TEXT_NAME);
    engine_emit(engine, &fact);
    fact_free(&fact);
}

void engine_retitle(struct engine *engine, const char *title)
{
    mem_free(engine->title);
    engine->title = mem_dup(title);
    engine_hello(engine);
}

static void engine_flush(struct engine *engine)
{
    if (!engine->dirty)
        return;
    struct problem trouble = {{0}};
    /* a full disk stops both files at once; each has its own note */
    for (int told = 0; journal_flush(engine->options.journal, &trouble) && told < NOTES_A_FLUSH; told++)
        engine_note(engine, "%s", trouble.text);
    engine->dirty = false;
    if (engine->flushed != NULL)
        engine->flushed(engine->flushed_user);
}

/* ---- the loop ---- */

/* Our own loop was not there for a while: what was under way meanwhile has waited for us, not for the pod. */
static void engine_mark_stalled(struct engine *engine)
{
    for (struct flight *flight = engine->flights; flight != NULL; flight = flight->next)
        flight->stalled = true;
}

static void on_check(uv_check_t *check)
{
    struct engine *engine = check->data;
    engine->turn_began = clock_mono_us();
    if (engine->wake_by >= 0 && engine_is_behind(engine, engine->turn_began - engine->wake_by))
        engine_mark_stalled(engine);
}

static void on_timer(uv_timer_t *timer)
{
    /* only ends the loop's waiting: what is due is done in on_prepare() */
    struct engine *engine = timer->data;
    engine->armed_for = INT64_MAX;
}

static void engine_arm(struct engine *engine)
{
    int64_t next = engine->phase == RUNNING && !engine->ended ? schedule_next(engine->schedule) : INT64_MAX;
    if (next == engine->armed_for)
        return;
    engine->armed_for = next;
    if (next == INT64_MAX) {
        uv_timer_stop(&engine->timer);
        return;
    }
    int64_t wait = clock_real_ms_until(&engine->options.clock, next);
    uv_update_time(engine->options.loop);
    uv_timer_start(&engine->timer, on_timer, wait > 0 ? (uint64_t)wait : 1, 0);
}

static void engine_close(struct engine *engine);

static void on_prepare(uv_prepare_t *prepare)
{
    struct engine *engine = prepare->data;
    int64_t now = clock_mono_us();
    if (engine->turn_began >= 0 && engine_is_behind(engine, now - engine->turn_began))
        engine_mark_stalled(engine);
    engine_run_due(engine);
    engine_flush(engine);
    if (engine->phase == SOURCE_STOPPED) {
        engine_close(engine);
        return;
    }
    engine_arm(engine);
    int wait = uv_backend_timeout(engine->options.loop);
    engine->wake_by = wait < 0 ? -1 : clock_mono_us() + (int64_t)wait * MILLISECOND_US;
}

struct engine *engine_new(const struct engine_options *options)
{
    struct engine *engine = mem_new(sizeof *engine);
    engine->options = *options;
    engine->title = mem_dup(options->title != NULL ? options->title : "");
    engine->next_id = 1;
    engine->armed_for = INT64_MAX;
    engine->wake_by = engine->turn_began = -1;
    engine->fleet = fleet_new(fleet_limits_engine());
    /* 100 ms of real time, but never more than a second of t: periods are whole seconds */
    double grid = SCHEDULE_GRID_US * (options->clock.speed > 0 ? options->clock.speed : 1);
    engine->schedule = schedule_new(grid < SECOND_US ? (int64_t)grid : SECOND_US);
    engine->http = http_new(options->loop, options->user_agent != NULL ? options->user_agent : "kube-probe/1.34");
    engine->redact = redact_new(options->secrets, options->secret_count);
    uv_timer_init(options->loop, &engine->timer);
    uv_check_init(options->loop, &engine->check);
    uv_prepare_init(options->loop, &engine->prepare);
    engine->timer.data = engine->check.data = engine->prepare.data = engine;
    return engine;
}

enum status engine_start(struct engine *engine, struct problem *problem)
{
    if (engine->http == NULL)
        return problem_set(problem, STATUS_UNSUPPORTED, "libcurl cannot start");
    uv_check_start(&engine->check, on_check);
    uv_prepare_start(&engine->prepare, on_prepare);
    engine_hello(engine);
    enum status status = engine->options.source_ops->start(engine->options.source, engine, problem);
    mem_shed();
    return status;
}

/* ---- the end ---- */

static void on_prepare_closed(uv_handle_t *handle)
{
    struct engine *engine = handle->data;
    engine->phase = CLOSED;
    engine->done(engine->done_user);
}

/* One after the other: libcurl's own handles, closed before these, are gone by the last. */
static void on_check_closed(uv_handle_t *handle)
{
    struct engine *engine = handle->data;
    uv_close((uv_handle_t *)&engine->prepare, on_prepare_closed);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct engine *engine = handle->data;
    uv_close((uv_handle_t *)&engine->check, on_check_closed);
}

/* The source has let go: ends probes, then the tunnels they used. */
static void engine_close(struct engine *engine)
{
    engine->phase = CLOSING;
    if (engine->http != NULL) {
        engine_cancel_all(engine);
        http_free(engine->http);
        engine->http = NULL;
    }
    engine->options.source_ops->free(engine->options.source);
    engine->options.tunnel_ops->free(engine->options.tunnel);
    uv_close((uv_handle_t *)&engine->timer, on_timer_closed);
}

void engine_stop(struct engine *engine, void (*done)(void *user), void *user)
{
    if (engine->phase != RUNNING)
        return;
    engine->phase = STOPPING;
    engine->done = done;
    engine->done_user = user;
    uv_prepare_start(&engine->prepare, on_prepare);
    engine->options.source_ops->stop(engine->options.source);
}

void engine_source_stopped(struct engine *engine)
{
    if (engine->phase == STOPPING) {
        engine->phase = SOURCE_STOPPED;
        /* the source is freed in the next turn, not under its own feet; a turn comes soon */
        uv_timer_start(&engine->timer, on_timer, 0, 0);
    }
}

void engine_free(struct engine *engine)
{
    if (engine == NULL)
        return;
    for (uint32_t id = 0; id < engine->pod_capacity; id++)
        run_pod_free(engine, id);
    mem_free(engine->pods);
    mem_free(engine->observers);
    mem_free(engine->title);
    redact_free(engine->redact);
    schedule_free(engine->schedule);
    fleet_free(engine->fleet);
    mem_free(engine);
}

/* ---- for others ---- */

void engine_observe(struct engine *engine, void (*fn)(void *user, const struct fact *fact), void *user)
{
    engine->observers = mem_resize(engine->observers, engine->observer_count + 1, sizeof *engine->observers);
    engine->observers[engine->observer_count] = (struct observer){fn, user};
    engine->observer_count++;
}

void engine_on_flush(struct engine *engine, void (*fn)(void *user), void *user)
{
    engine->flushed = fn;
    engine->flushed_user = user;
}

uv_loop_t *engine_loop(struct engine *engine)
{
    return engine->options.loop;
}

const struct clock *engine_clock(const struct engine *engine)
{
    return &engine->options.clock;
}

const struct fleet *engine_fleet(const struct engine *engine)
{
    return engine->fleet;
}

uint32_t engine_new_pod_id(struct engine *engine)
{
    return engine->next_id++;
}

void engine_set_headers(struct engine *engine, uint32_t pod, const struct probe_header *headers, size_t count)
{
    struct run_pod *run = run_pod_make(engine, pod);
    if (run == NULL)
        return;
    headers_free(run->headers, run->header_count);
    run->headers = mem_array(count, sizeof *headers);
    run->header_count = count;
    for (size_t i = 0; i < count; i++) {
        run->headers[i].name = mem_dup(headers[i].name);
        run->headers[i].value = mem_dup(headers[i].value);
        if (headers[i].value != NULL)
            redact_add(engine->redact, headers[i].value);
    }
}

static void pod_probe_now(struct engine *engine, uint32_t id, int64_t now)
{
    const struct run_pod *run = engine_run_pod(engine, id);
    for (enum lane_kind lane = 0; run != NULL && lane < LANE_COUNT; lane++)
        if (run->lanes[lane].scheduled)
            schedule_now(engine->schedule, id, lane, now);
}

void engine_probe_now(struct engine *engine, uint32_t pod)
{
    int64_t now = clock_now(&engine->options.clock);
    if (pod != 0) {
        pod_probe_now(engine, pod, now);
        return;
    }
    for (uint32_t id = 1; id < engine->pod_capacity; id++)
        pod_probe_now(engine, id, now);
}
