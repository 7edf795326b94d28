#include "engine/engine_work.h"

#include "base/mem.h"
#include "probe/classify.h"

#include <stdio.h>
#include <string.h>

enum {
    ATTEMPTS_MAX = 3, /* facts/kube.md 1.2.10 */
    /* Real time by which our own loop may be late before its latencies are not the pod's. Time-outs are shorter where t runs faster, so less is allowed there, down to what timers of whole ms are late by themselves. */
    BEHIND_US = 250 * MILLISECOND_US,
    BEHIND_LEAST_US = 5 * MILLISECOND_US
};

/* Real µs for a span of t. */
static int64_t real_us(const struct engine *engine, int64_t span)
{
    double speed = engine->options.clock.speed;
    return speed > 0 ? (int64_t)((double)span / speed) : span;
}

bool engine_is_behind(const struct engine *engine, int64_t real)
{
    int64_t allowed = real_us(engine, BEHIND_US);
    return real > (allowed > BEHIND_LEAST_US ? allowed : BEHIND_LEAST_US);
}

static int64_t t_of_mono(const struct engine *engine, int64_t mono)
{
    const struct clock *clock = &engine->options.clock;
    return clock->speed > 0 ? (int64_t)((double)(mono - clock->mono_zero) * clock->speed) : clock->frozen;
}

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

void flight_begin(struct engine *engine, const struct pod *pod, struct run_pod *run, enum lane_kind lane, int64_t due,
                  const struct http_address *address)
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
    sample->is_late = flight->stalled || engine_is_behind(engine, real_us(engine, sample->late));
    if (question.tunnelled && pod->tunnel_round_trip >= 0)
        sample->tunnel = pod->tunnel_round_trip < sample->total ? pod->tunnel_round_trip : sample->total;
    if (flight->stalled)
        sample_blame_ourselves(sample);
}

void engine_readiness_follow(struct engine *engine, uint32_t id, enum lane_kind readiness, int64_t now)
{
    const struct run_pod *run = engine_run_pod(engine, id);
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
    struct run_pod *run = engine_run_pod(engine, flight->pod);
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
    bool goes_on = engine->phase == RUNNING && !engine->ended && engine_run_pod(engine, id) != NULL;
    if (goes_on && flight_wants_retry(flight, fact->u.sample.outcome)) {
        flight->due = now;
        flight->stalled = false;
        flight_send(flight);
        return;
    }
    flight_end(flight, now);
    if (goes_on && !was_started && startup_succeeded(engine, id, lane))
        engine_readiness_follow(engine, id, lane_is_sidecars(lane) ? LANE_SIDECAR_READINESS : LANE_READINESS, now);
}

bool sample_judge(const struct engine *engine, uint32_t id, int64_t sent, enum tunnel_word word, struct sample *sample)
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

bool sample_is_silence(const struct sample *sample)
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

void flight_drop(struct flight *flight)
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
