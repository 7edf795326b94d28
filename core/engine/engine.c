#include "engine/engine.h"

#include "base/mem.h"
#include "engine/redact.h"
#include "probe/classify.h"
#include "probe/schedule.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    PODS_MAX = 1 << 20, /* ids; far beyond what a fleet keeps */
    ATTEMPTS_MAX = 3,   /* facts/kube.md 1.2.10 */
    /* Real time by which our own loop may be late before its latencies are not the pod's. Time-outs are shorter where t runs faster, so less is allowed there, down to what timers of whole ms are late by themselves. */
    BEHIND_US = 250 * MILLISECOND_US,
    BEHIND_LEAST_US = 5 * MILLISECOND_US,
    HOST_MAX = 300,
    NOTES_A_FLUSH = 4
};

/* A probe under way, through all its attempts. */
struct flight {
    struct engine *engine;
    struct flight *previous, *next; /* all flights of the engine */
    uint32_t pod;
    enum lane_kind lane;
    uint64_t ticket;
    int32_t attempt;
    int64_t due;       /* t from which it could have been sent */
    bool stalled;      /* our own loop stood still meanwhile */
    struct fact *held; /* no answer came, and whose silence that was is being found out; NULL: it is not that far */
    int64_t sent;      /* then: real µs when it was sent */
    bool judging;      /* it is to be looked at again in this round of engine_judge() */
    struct probe_spec spec; /* own copy: the pod's may change meanwhile */
    char host[HOST_MAX];
    struct http_address address;
};

struct run_lane {
    /* as the source gave it, before secrets were taken out, with all header values that are known */
    struct probe_spec spec;
    bool scheduled;
    int64_t free_at;       /* t when its last probe ended */
    struct flight *flight; /* NULL: none under way */
    bool told;             /* that it cannot be sent from here, for this container run */
    uint64_t told_run;
};

/* What the engine keeps of a pod beside its fleet. */
struct run_pod {
    struct run_lane lanes[LANE_COUNT];
    struct probe_header *headers;
    size_t header_count;
    bool known; /* a pod fact has come */
};

struct observer {
    void (*fn)(void *user, const struct fact *fact);
    void *user;
};

struct engine {
    struct engine_options options; /* strings and secrets in it are not used after engine_new() */
    char *title;
    struct fleet *fleet;
    struct schedule *schedule;
    struct http *http;
    struct redact *redact;
    struct run_pod **pods; /* by id */
    uint32_t pod_capacity, next_id;
    struct flight *flights;
    struct observer *observers;
    size_t observer_count;
    void (*flushed)(void *user);
    void *flushed_user;
    bool dirty; /* the journal holds something that is not flushed */
    bool ended; /* FACT_END is recorded: nothing more may come */
    uv_timer_t timer;
    uv_check_t check;
    uv_prepare_t prepare;
    int64_t armed_for;  /* t that the timer is armed for; INT64_MAX: not armed */
    int64_t wake_by;    /* real µs by which the loop should be back from waiting; -1: whenever */
    int64_t turn_began; /* real µs when it came back */
    enum { RUNNING, STOPPING, SOURCE_STOPPED, CLOSING, CLOSED } phase;
    void (*done)(void *user);
    void *done_user;
};

static struct run_pod *run_pod_get(const struct engine *engine, uint32_t id)
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

/* Real µs for a span of t. */
static int64_t real_us(const struct engine *engine, int64_t span)
{
    double speed = engine->options.clock.speed;
    return speed > 0 ? (int64_t)((double)span / speed) : span;
}

static bool is_behind(const struct engine *engine, int64_t real)
{
    int64_t allowed = real_us(engine, BEHIND_US);
    return real > (allowed > BEHIND_LEAST_US ? allowed : BEHIND_LEAST_US);
}

static int64_t t_of_mono(const struct engine *engine, int64_t mono)
{
    const struct clock *clock = &engine->options.clock;
    return clock->speed > 0 ? (int64_t)((double)(mono - clock->mono_zero) * clock->speed) : clock->frozen;
}

/* ---- probes under way ---- */

static void flight_free(struct flight *flight)
{
    struct engine *engine = flight->engine;
    if (flight->previous != NULL)
        flight->previous->next = flight->next;
    else
        engine->flights = flight->next;
    if (flight->next != NULL)
        flight->next->previous = flight->previous;
    probe_spec_free(&flight->spec);
    if (flight->held != NULL)
        fact_free(flight->held);
    mem_free(flight->held);
    mem_free(flight);
}

/* Values that the facts do not carry but the source has told. A header without a value is left out: an empty one would be another request. */
static void spec_fill_headers(struct probe_spec *spec, const struct run_pod *pod)
{
    size_t kept = 0;
    for (size_t i = 0; i < spec->header_count; i++) {
        struct probe_header header = spec->headers[i];
        for (size_t k = 0; header.value == NULL && k < pod->header_count; k++)
            if (strcmp(pod->headers[k].name, header.name) == 0)
                header.value = mem_dup(pod->headers[k].value);
        if (header.value == NULL) {
            mem_free(header.name);
        } else {
            spec->headers[kept] = header;
            kept++;
        }
    }
    spec->header_count = kept;
}

static void flight_done(void *user, const struct http_result *result);

static void flight_send(struct flight *flight)
{
    struct engine *engine = flight->engine;
    int64_t timeout = real_us(engine, (int64_t)flight->spec.timeout * SECOND_US);
    if (timeout < MILLISECOND_US)
        timeout = MILLISECOND_US;
    flight->attempt++;
    if (flight->spec.action == PROBE_TCP_SOCKET) {
        flight->ticket = http_tcp_connect(engine->http, &flight->address, timeout, flight_done, flight);
    } else {
        flight->ticket = http_get(engine->http, &flight->spec, &flight->address,
                                  flight->host[0] != '\0' ? flight->host : NULL, timeout, flight_done, flight);
    }
}

/* The Host header as the kubelet sends it: the pod's IP, whatever way the request takes. */
static void flight_set_host(struct flight *flight, const struct pod_facts *facts)
{
    const char *ip = text_str(&facts->pod_ip);
    if (ip[0] != '\0') {
        bool is_v6 = strchr(ip, ':') != NULL;
        snprintf(flight->host, sizeof flight->host, is_v6 ? "[%s]:%d" : "%s:%d", ip, (int)flight->spec.port);
    }
}

static void flight_begin(struct engine *engine, const struct pod *pod, struct run_pod *run, enum lane_kind lane,
                         int64_t due, const struct http_address *address)
{
    struct flight *flight = mem_new(sizeof *flight);
    flight->engine = engine;
    flight->next = engine->flights;
    if (engine->flights != NULL)
        engine->flights->previous = flight;
    engine->flights = flight;
    flight->pod = pod->facts.id;
    flight->lane = lane;
    flight->due = due;
    flight->address = *address;
    probe_spec_copy(&flight->spec, &run->lanes[lane].spec);
    spec_fill_headers(&flight->spec, run);
    flight_set_host(flight, &pod->facts);
    run->lanes[lane].flight = flight;
    schedule_begun(engine->schedule, flight->pod, lane);
    flight_send(flight);
}

/* Who has shown to serve in this run, see classify.h. */
static enum answerer pod_known_server(const struct pod *pod)
{
    if (pod->answered_by[0] == ANSWERER_SGLANG || pod->answered_by[1] == ANSWERER_SGLANG)
        return ANSWERER_SGLANG;
    return pod->loaded_at >= 0 ? ANSWERER_VLLM : ANSWERER_NOBODY;
}

static struct classify_question flight_question(const struct flight *flight, const struct pod *pod)
{
    const struct engine *engine = flight->engine;
    const struct tunnel_ops *ops = engine->options.tunnel_ops;
    const struct probe_spec *spec = &flight->spec;
    const struct pod_facts *facts = &pod->facts;
    struct tunnel *tunnel = engine->options.tunnel;
    bool streams = ops->streams != NULL ? ops->streams(tunnel, flight->pod) : ops->is_stream;
    enum tunnel_word word = ops->word(tunnel, flight->pod, spec->port);
    return (struct classify_question){
        .lane = flight->lane,
        .action = spec->action,
        .path = spec->path != NULL ? spec->path : "",
        .https = spec->https,
        .proxied = flight->address.prefix != NULL,
        .tunnelled = streams,
        .tunnel = word,
        .said = streams && ops->said != NULL ? ops->said(tunnel, flight->pod, spec->port) : "",
        .behind_sidecar =
            facts->sidecar.exists && spec->port == facts->serving_port && facts->serving_port != facts->vllm_port,
        .known = pod_known_server(pod),
        .expected_model = text_str(&facts->expected_model),
    };
}

/* A time-out while our own loop stood still says nothing about the pod. */
static void sample_blame_ourselves(struct sample *sample)
{
    if (!cause_is_timeout(sample->cause))
        return;
    sample->outcome = OUTCOME_UNKNOWN;
    sample->cause = PROBE_CAUSE_TOOL;
    text_set_str(&sample->detail, "probetop itself was held up while it waited for the answer", TEXT_LINE);
}

static void flight_fill(struct flight *flight, const struct pod *pod, const struct http_result *result,
                        struct sample *sample)
{
    struct engine *engine = flight->engine;
    struct classify_question question = flight_question(flight, pod);
    classify(&question, result, engine->options.clock.speed, sample);
    sample->sent = t_of_mono(engine, result->started_mono);
    sample->attempt = flight->attempt;
    sample->late = sample->sent > flight->due ? sample->sent - flight->due : 0;
    sample->is_late = flight->stalled || is_behind(engine, real_us(engine, sample->late));
    if (question.tunnelled && pod->tunnel_round_trip >= 0)
        sample->tunnel = pod->tunnel_round_trip < sample->total ? pod->tunnel_round_trip : sample->total;
    if (flight->stalled)
        sample_blame_ourselves(sample);
}

/* Startup has just succeeded: the kubelet probes the same container's readiness at once (facts/kube.md 1.1). */
static void readiness_follow(struct engine *engine, uint32_t id, enum lane_kind readiness, int64_t now)
{
    const struct run_pod *run = run_pod_get(engine, id);
    const struct pod *pod = fleet_pod(engine->fleet, id);
    if (run != NULL && pod != NULL && run->lanes[readiness].scheduled && pod_gate(pod, readiness, now) == GATE_SEND)
        schedule_now(engine->schedule, id, readiness, now);
}

static bool startup_succeeded(const struct engine *engine, uint32_t id, enum lane_kind lane)
{
    const struct pod *pod = fleet_pod(engine->fleet, id);
    return pod != NULL && lane_base(lane) == LANE_STARTUP && pod->lanes[lane].present &&
           pod->lanes[lane].prober.stored == VERDICT_SUCCESS;
}

/* Whether the kubelet would send it again within this tick; the fleet has folded the attempt already. */
static bool flight_wants_retry(const struct flight *flight, enum outcome outcome)
{
    const struct pod *pod = fleet_pod(flight->engine->fleet, flight->pod);
    if (outcome != OUTCOME_ERRORED || !lane_is_kubelets(flight->lane) || flight->attempt >= ATTEMPTS_MAX || pod == NULL)
        return false;
    int32_t errored = pod->lanes[flight->lane].prober.errored;
    return errored > 0 && errored < ATTEMPTS_MAX;
}

static void flight_end(struct flight *flight, int64_t now)
{
    struct engine *engine = flight->engine;
    struct run_pod *run = run_pod_get(engine, flight->pod);
    if (run != NULL) {
        run->lanes[flight->lane].flight = NULL;
        run->lanes[flight->lane].free_at = now;
        schedule_ended(engine->schedule, flight->pod, flight->lane, now);
    }
    flight_free(flight);
}

/* Tells what came of it, and what follows from that. */
static void flight_tell(struct flight *flight, struct fact *fact)
{
    struct engine *engine = flight->engine;
    enum lane_kind lane = flight->lane;
    uint32_t id = flight->pod;
    bool was_started = startup_succeeded(engine, id, lane);
    engine_emit(engine, fact);
    int64_t now = clock_now(&engine->options.clock);
    bool goes_on = engine->phase == RUNNING && !engine->ended && run_pod_get(engine, id) != NULL;
    if (goes_on && flight_wants_retry(flight, fact->u.sample.outcome)) {
        flight->due = now;
        flight->stalled = false;
        flight_send(flight);
        return;
    }
    flight_end(flight, now);
    if (goes_on && !was_started && startup_succeeded(engine, id, lane))
        readiness_follow(engine, id, lane_is_sidecars(lane) ? LANE_SIDECAR_READINESS : LANE_READINESS, now);
}

/* The source may know better than the tunnel whose silence it was, or know it later. False: later. */
static bool sample_judge(const struct engine *engine, uint32_t id, int64_t sent, enum tunnel_word word,
                         struct sample *sample)
{
    const struct source_ops *ops = engine->options.source_ops;
    enum tunnel_word judged = word;
    const char *why = "";
    if (ops->judge == NULL)
        return true;
    bool known = ops->judge(engine->options.source, id, sent, &judged, &why);
    if (judged != word)
        classify_lost(judged, why, sample);
    return known;
}

/* Nobody answered, by a way that is up as far as its own word goes, or that lost the API server by that word. */
static bool sample_is_silence(const struct sample *sample)
{
    return sample->outcome == OUTCOME_UNKNOWN ? sample->cause == PROBE_CAUSE_API_LOST : cause_is_timeout(sample->cause);
}

static bool flight_judge(const struct flight *flight, int64_t sent, struct sample *sample)
{
    enum tunnel_word word = sample->outcome == OUTCOME_UNKNOWN ? TUNNEL_API_LOST : TUNNEL_UP;
    return !sample_is_silence(sample) || sample_judge(flight->engine, flight->pod, sent, word, sample);
}

static void flight_done(void *user, const struct http_result *result)
{
    struct flight *flight = user;
    struct engine *engine = flight->engine;
    const struct pod *pod = fleet_pod(engine->fleet, flight->pod);
    flight->ticket = 0;
    if (result->error == HTTP_CANCELLED || engine->phase != RUNNING || engine->ended || pod == NULL) {
        flight_end(flight, clock_now(&engine->options.clock));
        return;
    }
    struct fact fact;
    fact_init(&fact, FACT_PROBE, flight->pod);
    flight_fill(flight, pod, result, &fact.u.sample);
    if (flight_judge(flight, result->started_mono, &fact.u.sample)) {
        flight_tell(flight, &fact);
        fact_free(&fact);
    } else {
        flight->sent = result->started_mono;
        flight->held = mem_new(sizeof fact);
        *flight->held = fact; /* with all it owns */
    }
}

/* Nobody is left who would hear what came of it. */
static void flight_drop(struct flight *flight)
{
    if (flight->ticket != 0)
        http_cancel(flight->engine->http, flight->ticket);
    else if (flight->held != NULL)
        flight_end(flight, clock_now(&flight->engine->options.clock));
}

static struct flight *flight_to_judge(const struct engine *engine)
{
    struct flight *flight = engine->flights;
    while (flight != NULL && !flight->judging)
        flight = flight->next;
    return flight;
}

/* What is told here may end any of the others: each is looked for anew. */
void engine_judge(struct engine *engine)
{
    struct flight *flight;
    for (flight = engine->flights; flight != NULL; flight = flight->next)
        flight->judging = flight->held != NULL;
    while ((flight = flight_to_judge(engine)) != NULL) {
        struct fact *fact = flight->held;
        flight->judging = false;
        if (!flight_judge(flight, flight->sent, &fact->u.sample))
            continue;
        flight->held = NULL;
        flight_tell(flight, fact);
        fact_free(fact);
        mem_free(fact);
    }
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
    struct run_pod *run = run_pod_get(engine, ticker->pod);
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
    struct run_pod *run = run_pod_get(engine, id);
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
        readiness_follow(engine, id, LANE_READINESS, now);
    if (run->known && pod->facts.sidecar.started == TRI_TRUE && pod->facts.sidecar.ready != TRI_TRUE)
        readiness_follow(engine, id, LANE_SIDECAR_READINESS, now);
    run->known = true;
}

static void pod_forget(struct engine *engine, uint32_t id)
{
    struct run_pod *run = run_pod_get(engine, id);
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
    if (engine->wake_by >= 0 && is_behind(engine, engine->turn_began - engine->wake_by))
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
    if (engine->turn_began >= 0 && is_behind(engine, now - engine->turn_began))
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
    const struct run_pod *run = run_pod_get(engine, id);
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
