#include "engine/endpoints.h"

#include "base/mem.h"
#include "engine/follow.h"
#include "model/progress.h"

#include <string.h>
#include <strings.h>

enum {
    BACKLOG_MAX = 2 * FOLLOW_BACKLOG_MAX,
    GRACE_SECONDS = 30,
    MANY = 50,                /* endpoints; of more than these each is asked for its health less often: see below */
    MANY_HEALTH_SECONDS = 10, /* as often as the recommended livenessProbe, which then covers it */
    LINES_A_SECOND_MAX = 500  /* of one log: a server gone mad must not push everything else out of the journal */
};

struct source;

/* One endpoint while it is watched. */
struct target {
    struct source *source;
    const struct endpoint *endpoint;
    uint32_t id;
    uint32_t run;          /* number of the emulated container run, from 1 */
    int64_t run_began;     /* t; of the first run only when we first saw it */
    struct follow *follow; /* NULL: no log file, or ended */
    struct progress seen;  /* of the log's present process: to tell where another one begins */
    struct buf backlog;    /* lines that were there at the start, each with its newline, from the newest process on */
    bool caught_up;
    int64_t second_began; /* real µs; for counting lines */
    int32_t lines_in_second, lines_dropped;
};

struct source {
    struct engine *engine;
    struct endpoints endpoints;
    struct tunnel *direct;
    struct target *targets;
    size_t open_follows;
    bool stopping;
};

/* ---- what is told of an endpoint ---- */

static void target_texts(const struct target *target, struct pod_facts *facts)
{
    const struct endpoint *endpoint = target->endpoint;
    text_set_str(&facts->name, endpoint->name, TEXT_NAME);
    text_set_str(&facts->expected_model, endpoint->expected_model, TEXT_NAME);
    text_set_str(&facts->via, direct_ops.name, TEXT_NAME);
    struct endpoint_url url;
    if (endpoint->unix_path != NULL) {
        text_printf(&facts->address, TEXT_LINE, "unix:%s", endpoint->unix_path);
    } else if (endpoint_url_parse(endpoint->url, "url", &url, NULL) == STATUS_OK) {
        text_printf(&facts->address, TEXT_LINE, strchr(url.host, ':') != NULL ? "[%s]:%d" : "%s:%d", url.host,
                    (int)url.port);
    }
}

/* Headers of the whole endpoint stand in every spec by name; the engine knows their values (engine_set_headers). One that the probe has itself is the probe's. */
static void spec_add_headers(struct probe_spec *spec, const struct endpoint *endpoint)
{
    size_t own = spec->header_count;
    spec->headers = mem_resize(spec->headers, own + endpoint->header_count, sizeof *spec->headers);
    for (size_t i = 0; i < endpoint->header_count; i++) {
        bool has = false;
        for (size_t k = 0; k < own; k++)
            has = has || strcasecmp(spec->headers[k].name, endpoint->headers[i].name) == 0;
        if (!has) {
            spec->headers[spec->header_count] = (struct probe_header){mem_dup(endpoint->headers[i].name), NULL};
            spec->header_count++;
        }
    }
}

static void target_specs(const struct target *target, struct pod_facts *facts)
{
    const struct endpoint *endpoint = target->endpoint;
    struct endpoint_url url = {0};
    endpoint_url_parse(endpoint->url, "url", &url, NULL);
    facts->serving_port = facts->vllm_port = url.port;
    if (endpoint->vllm_url != NULL) {
        endpoint_url_parse(endpoint->vllm_url, "vllm", &url, NULL);
        facts->vllm_port = url.port;
    }
    for (enum lane_kind lane = 0; lane < LANE_COUNT; lane++) {
        endpoint_spec(endpoint, lane, &facts->probes[lane]);
        if (facts->probes[lane].action != PROBE_NONE)
            spec_add_headers(&facts->probes[lane], endpoint);
    }
    if (target->source->endpoints.count > MANY)
        facts->probes[LANE_HEALTH].period = MANY_HEALTH_SECONDS;
}

/* Nobody tells us of a container: we take it that one runs. When it began is known only where we began the run ourselves. */
static void target_container(const struct target *target, struct pod_facts *facts)
{
    struct container_facts *container = &facts->serving;
    container->exists = true;
    container->state = CONTAINER_RUNNING;
    container->started_at = target->run_began;
    container->started_at_known = target->run > 1;
    text_printf(&container->container_id, TEXT_NAME, "emulated-%u", (unsigned)target->run);
    if (target->endpoint->vllm_url != NULL) {
        facts->sidecar.exists = true;
        facts->sidecar.state = CONTAINER_RUNNING;
    }
}

static void target_tell(struct target *target)
{
    struct fact fact;
    fact_init(&fact, FACT_POD, target->id);
    struct pod_facts *facts = &fact.u.facts;
    facts->id = target->id;
    facts->role = target->endpoint->role;
    facts->phase = PHASE_RUNNING;
    facts->grace = GRACE_SECONDS;
    target_texts(target, facts);
    target_specs(target, facts);
    target_container(target, facts);
    engine_emit(target->source->engine, &fact);
    fact_free(&fact);
}

static void target_begin_run(struct target *target)
{
    target->run++;
    target->run_began = clock_now(engine_clock(target->source->engine));
    target_tell(target);
}

/* ---- log files ---- */

/* Whether another line may be told of in this second. What was left out is told with its number when lines are taken again. */
static bool target_has_room(struct target *target)
{
    int64_t now = clock_mono_us();
    if (now - target->second_began >= SECOND_US) {
        if (target->lines_dropped > 0) {
            engine_note(target->source->engine, "%s: %d log lines left out: more than %d came in a second",
                        target->endpoint->name, (int)target->lines_dropped, LINES_A_SECOND_MAX);
        }
        target->second_began = now;
        target->lines_in_second = target->lines_dropped = 0;
    }
    if (target->lines_in_second >= LINES_A_SECOND_MAX) {
        target->lines_dropped++;
        return false;
    }
    target->lines_in_second++;
    return true;
}

static void target_line(struct target *target, const char *line, size_t length)
{
    struct engine *engine = target->source->engine;
    if (progress_begins_anew(&target->seen, line, length)) {
        /* another process writes this log: whoever restarted it, it is another run */
        progress_free(&target->seen);
        target->seen = (struct progress){0};
        target_begin_run(target);
    }
    progress_line(&target->seen, line, length, clock_now(engine_clock(engine)));
    if (target->caught_up && !target_has_room(target))
        return;
    struct fact fact;
    fact_init(&fact, FACT_LOG, target->id);
    text_set(&fact.u.log.line, line, length, TEXT_LINE);
    fact.u.log.written = -1; /* vLLM's own timestamps have neither year nor zone */
    engine_emit(engine, &fact);
    fact_free(&fact);
}

/* A line that was there at the start. What earlier processes wrote says nothing about this one. */
static void target_old_line(struct target *target, const char *line, size_t length)
{
    if (progress_begins_anew(&target->seen, line, length)) {
        progress_free(&target->seen);
        target->seen = (struct progress){0};
        buf_clear(&target->backlog);
    }
    progress_line(&target->seen, line, length, 0);
    buf_append(&target->backlog, line, length);
    buf_putc(&target->backlog, '\n');
}

static void target_caught_up(struct target *target)
{
    struct buf lines = target->backlog;
    buf_init(&target->backlog, 0);
    progress_free(&target->seen);
    target->seen = (struct progress){0};
    size_t at = 0;
    while (at < lines.len) {
        const char *line = lines.data + at;
        const char *end = memchr(line, '\n', lines.len - at);
        size_t length = end != NULL ? (size_t)(end - line) : lines.len - at;
        target_line(target, line, length);
        at += length + 1;
    }
    buf_free(&lines);
    target->caught_up = true;
}

static void on_follow(void *user, enum follow_word word, const char *bytes, size_t length)
{
    struct target *target = user;
    switch (word) {
    case FOLLOW_LINE:
        if (target->caught_up)
            target_line(target, bytes, length);
        else
            target_old_line(target, bytes, length);
        break;
    case FOLLOW_CAUGHT_UP:
        target_caught_up(target);
        break;
    case FOLLOW_PROBLEM:
        engine_note(target->source->engine, "%s: %.*s", target->endpoint->name, (int)length, bytes);
        break;
    case FOLLOW_NEW_FILE:
        break; /* log rotation alone is no restart */
    }
}

/* ---- the source ---- */

/* Where connections for a container port go. */
static void target_address(const struct target *target, int32_t port, const char *url)
{
    const struct endpoint *endpoint = target->endpoint;
    struct endpoint_url parts;
    if (endpoint->unix_path != NULL)
        direct_set(target->source->direct, target->id, port, NULL, 0, endpoint->unix_path);
    else if (endpoint_url_parse(url, "url", &parts, NULL) == STATUS_OK)
        direct_set(target->source->direct, target->id, port, parts.host, port, NULL);
}

/* Every port that a lane asks is one of the URL's host, but for vLLM's own, which has a URL itself. */
static void target_addresses(const struct target *target)
{
    const struct endpoint *endpoint = target->endpoint;
    struct pod_facts facts = {0};
    target_specs(target, &facts);
    for (int lane = 0; lane < LANE_COUNT; lane++)
        if (facts.probes[lane].action != PROBE_NONE)
            target_address(target, facts.probes[lane].port, endpoint->url);
    target_address(target, facts.serving_port, endpoint->url);
    if (endpoint->vllm_url != NULL)
        target_address(target, facts.vllm_port, endpoint->vllm_url);
    pod_facts_free(&facts);
}

static void target_start(struct source *source, size_t index)
{
    struct target *target = &source->targets[index];
    target->source = source;
    target->endpoint = &source->endpoints.list[index];
    target->id = engine_new_pod_id(source->engine);
    buf_init(&target->backlog, BACKLOG_MAX);
    target_addresses(target);
    engine_set_headers(source->engine, target->id, target->endpoint->headers, target->endpoint->header_count);
    target_begin_run(target);
    if (target->endpoint->log_path != NULL) {
        target->follow = follow_new(engine_loop(source->engine), target->endpoint->log_path, on_follow, target);
        source->open_follows++;
    }
}

static enum status endpoints_start(void *user, struct engine *engine, struct problem *problem)
{
    struct source *source = user;
    source->engine = engine;
    if (source->endpoints.count == 0)
        return problem_set(problem, STATUS_BAD_INPUT, "no endpoints; expected at least one as URL or NAME=URL");
    struct fact fact;
    fact_init(&fact, FACT_SOURCE, 0);
    fact.u.source.state = SOURCE_WATCHING;
    engine_emit(engine, &fact);
    fact_free(&fact);
    source->targets = mem_array(source->endpoints.count, sizeof *source->targets);
    for (size_t i = 0; i < source->endpoints.count; i++)
        target_start(source, i);
    return STATUS_OK;
}

/* The endpoint of this pod: ids were handed out one after the other. */
static struct target *source_target(const struct source *source, uint32_t id)
{
    if (source->targets == NULL || id < source->targets[0].id)
        return NULL;
    size_t index = id - source->targets[0].id;
    return index < source->endpoints.count && source->targets[index].id == id ? &source->targets[index] : NULL;
}

/* Where a kubelet would kill the container now, another run begins (facts/kube.md 1.2.12 and 1.3). */
static void endpoints_after(void *user, const struct fact *fact, const struct pod *pod)
{
    struct source *source = user;
    if (fact->kind != FACT_PROBE || pod == NULL || source->stopping)
        return;
    enum lane_kind lane = fact->u.sample.lane;
    if (lane != LANE_STARTUP && lane != LANE_LIVENESS)
        return;
    const struct prober *prober = &pod->lanes[lane].prober;
    struct target *target = source_target(source, fact->pod);
    if (target != NULL && prober->on_hold && prober->stored == VERDICT_FAILURE)
        target_begin_run(target);
}

static void on_follow_closed(void *user)
{
    struct source *source = user;
    source->open_follows--;
    if (source->open_follows == 0)
        engine_source_stopped(source->engine);
}

static void endpoints_stop(void *user)
{
    struct source *source = user;
    source->stopping = true;
    if (source->open_follows == 0) {
        engine_source_stopped(source->engine);
        return;
    }
    for (size_t i = 0; i < source->endpoints.count; i++) {
        if (source->targets[i].follow != NULL) {
            follow_free(source->targets[i].follow, on_follow_closed, source);
            source->targets[i].follow = NULL;
        }
    }
}

static void endpoints_source_free(void *user)
{
    struct source *source = user;
    for (size_t i = 0; source->targets != NULL && i < source->endpoints.count; i++) {
        buf_free(&source->targets[i].backlog);
        progress_free(&source->targets[i].seen);
    }
    mem_free(source->targets);
    endpoints_free(&source->endpoints);
    mem_free(source);
}

const struct source_ops endpoints_ops = {
    .name = "endpoints",
    .start = endpoints_start,
    .after = endpoints_after,
    .stop = endpoints_stop,
    .free = endpoints_source_free,
};

void *endpoints_source_new(struct endpoints *endpoints, struct tunnel *direct)
{
    struct source *source = mem_new(sizeof *source);
    source->endpoints = *endpoints;
    *endpoints = (struct endpoints){0};
    source->direct = direct;
    return source;
}
