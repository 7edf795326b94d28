#include "tests/support/fleet_fixture.h"

#include "base/clock.h"
#include "engine/fact_json.h"

#include <stdio.h>
#include <string.h>

enum { JOURNAL_MAX = 8 << 20, VLLM_PORT = 8200, SERVING_PORT = 8000 };

static const int64_t WALL_ZERO = INT64_C(1795528500) * SECOND_US; /* 2026-11-24T13:55:00Z */

void fixture_begin(struct fixture *fixture, const char *title, bool write)
{
    struct fact fact;
    memset(fixture, 0, sizeof *fixture);
    fixture->fleet = fleet_new(fleet_limits_reader());
    fixture->write = write;
    buf_init(&fixture->journal, JOURNAL_MAX);
    fact_init(&fact, FACT_HELLO, 0);
    fact.u.hello.version = 1;
    fact.u.hello.wall_zero = WALL_ZERO;
    fact.u.hello.speed = 1;
    text_set_str(&fact.u.hello.title, title, TEXT_NAME);
    text_set_str(&fact.u.hello.source, "simulated", TEXT_NAME);
    text_set_str(&fact.u.hello.program, "probetop", TEXT_NAME);
    fixture_fact(fixture, &fact);
    fact_init(&fact, FACT_SOURCE, 0);
    fact.u.source.state = SOURCE_WATCHING;
    fixture_fact(fixture, &fact);
}

void fixture_end(struct fixture *fixture)
{
    fleet_free(fixture->fleet);
    buf_free(&fixture->journal);
}

void fixture_fact(struct fixture *fixture, struct fact *fact)
{
    fact->t = fixture->t;
    if (fixture->write)
        fact_encode(fact, &fixture->journal);
    fleet_apply(fixture->fleet, fact);
    fact_free(fact);
}

static int64_t seconds(int32_t second)
{
    return (int64_t)second * SECOND_US;
}

/* The second in which the first startup probe after loading succeeds. */
static int32_t starts_at(const struct actor *actor)
{
    int32_t loaded = actor->loaded - actor->started;
    return actor->no_startup || actor->loaded > FIXTURE_NEVER / 2 ? actor->loaded
                                                                  : actor->started + (loaded + 29) / 30 * 30;
}

static void actor_probes(const struct actor *actor, struct pod_facts *facts)
{
    int32_t vllm = actor->sidecar ? VLLM_PORT : SERVING_PORT;
    for (int lane = LANE_STARTUP; lane <= LANE_READINESS; lane++)
        if (lane != LANE_STARTUP || !actor->no_startup)
            probe_spec_recommended(&facts->probes[lane], (enum lane_kind)lane,
                                   lane == LANE_LIVENESS ? vllm : SERVING_PORT);
    facts->probes[LANE_READINESS].timeout = 1;
    facts->serving_port = SERVING_PORT;
    facts->vllm_port = vllm;
}

static void condition_set(struct condition *condition, bool is, int32_t since)
{
    condition->status = is ? TRI_TRUE : TRI_FALSE;
    condition->since = seconds(since);
}

void fixture_pod(struct fixture *fixture, uint32_t id, const struct actor *actor, int32_t second)
{
    struct fact fact;
    fact_init(&fact, FACT_POD, id);
    struct pod_facts *facts = &fact.u.facts;
    bool runs = second >= actor->started, ready = second > starts_at(actor) && second <= actor->dies + 15;
    facts->id = id;
    text_set_str(&facts->name, actor->name, TEXT_NAME);
    text_set_str(&facts->ns, actor->by_hand ? "" : "llm-d", TEXT_NAME);
    text_set_str(&facts->via, actor->by_hand ? "direct" : "portforward", TEXT_NAME);
    text_set_str(&facts->address, actor->by_hand ? "127.0.0.1:8000" : "", TEXT_NAME);
    text_set_str(&facts->node, actor->by_hand ? "" : "gpu-17", TEXT_NAME);
    facts->role = actor->role;
    facts->kubelet = !actor->by_hand;
    facts->phase = runs ? PHASE_RUNNING : PHASE_PENDING;
    facts->created_at = seconds(actor->created);
    facts->grace = 30;
    condition_set(&facts->scheduled, true, actor->created);
    condition_set(&facts->ready, ready, ready ? actor->loaded : actor->created);
    facts->sidecar.exists = actor->sidecar;
    struct container_facts *serving = &facts->serving;
    serving->exists = true;
    text_set_str(&serving->name, "vllm", TEXT_NAME);
    text_set_str(&serving->image, actor->by_hand ? "" : "vllm:v0.32.0", TEXT_NAME);
    serving->state = runs ? CONTAINER_RUNNING : CONTAINER_WAITING;
    if (runs)
        text_printf(&serving->container_id, TEXT_NAME, "containerd://%u-%d", id, actor->restarts);
    else
        text_set_str(&serving->reason, "ContainerCreating", TEXT_NAME);
    serving->started_at = runs ? seconds(actor->started) : 0;
    serving->started_at_known = runs && !actor->by_hand;
    serving->restart_count = actor->restarts;
    serving->started = actor->by_hand ? TRI_UNKNOWN : second > starts_at(actor) ? TRI_TRUE : TRI_FALSE;
    serving->ready = actor->by_hand ? TRI_UNKNOWN : ready ? TRI_TRUE : TRI_FALSE;
    actor_probes(actor, facts);
    fixture_fact(fixture, &fact);
    if (actor->by_hand)
        return;
    fact_init(&fact, FACT_TUNNEL, id);
    fact.u.tunnel.word = TUNNEL_UP;
    fact.u.tunnel.round_trip = 3 * MILLISECOND_US;
    fixture_fact(fixture, &fact);
}

void fixture_probe(struct fixture *fixture, uint32_t id, enum lane_kind lane, enum outcome outcome,
                   enum probe_cause cause, int32_t status, int64_t took)
{
    struct fact fact;
    fact_init(&fact, FACT_PROBE, id);
    struct sample *sample = &fact.u.sample;
    sample->lane = lane;
    sample->outcome = outcome;
    sample->cause = cause;
    sample->status = status;
    sample->attempt = 1;
    sample->sent = fixture->t;
    sample->late = 0;
    sample->dns = 0;
    sample->connect = took / 4;
    sample->first_byte = status ? took - took / 8 : -1;
    sample->total = took;
    sample->tunnel = took / 4;
    sample->answerer = status ? ANSWERER_VLLM : ANSWERER_NOBODY;
    if (outcome == OUTCOME_OK && lane != LANE_LIVENESS)
        text_set_str(sample_add_model(sample), "meta-llama/Llama-3.3-70B-Instruct", TEXT_NAME);
    if (outcome == OUTCOME_FAIL && status == 0)
        text_set_str(&sample->detail, "Connection refused", TEXT_LINE);
    fixture->t += took;
    fixture_fact(fixture, &fact);
    fixture->t -= took;
}

void fixture_log(struct fixture *fixture, uint32_t id, const char *line)
{
    struct fact fact;
    fact_init(&fact, FACT_LOG, id);
    text_set_str(&fact.u.log.container, "vllm", TEXT_NAME);
    text_set_str(&fact.u.log.line, line, TEXT_LINE);
    fixture_fact(fixture, &fact);
}

void fixture_event(struct fixture *fixture, uint32_t id, const char *reason, const char *message, bool warning)
{
    struct fact fact;
    fact_init(&fact, FACT_EVENT, id);
    text_set_str(&fact.u.event.reason, reason, TEXT_NAME);
    text_set_str(&fact.u.event.message, message, TEXT_LINE);
    text_printf(&fact.u.event.uid, TEXT_NAME, "%u-%lld", id, (long long)fixture->t);
    fact.u.event.warning = warning;
    fact.u.event.count = 1;
    fact.u.event.first = fact.u.event.last = fixture->t;
    fixture_fact(fixture, &fact);
}

static bool lane_due(const struct actor *actor, enum lane_kind lane, int32_t second)
{
    static const int32_t PERIODS[] = {[LANE_STARTUP] = 30, [LANE_LIVENESS] = 10, [LANE_READINESS] = 5};
    int32_t since = second - actor->started;
    bool loaded = second > starts_at(actor);
    if (since <= 0 || (lane == LANE_STARTUP ? loaded || actor->no_startup : !loaded && !actor->no_startup))
        return false;
    return since % PERIODS[lane] == 0;
}

static void actor_probe(struct fixture *fixture, uint32_t id, const struct actor *actor, enum lane_kind lane,
                        int32_t second)
{
    int64_t took = (second >= actor->slow_from ? actor->slow_millis : actor->millis) * (int64_t)MILLISECOND_US;
    if (second < actor->loaded)
        fixture_probe(fixture, id, lane, OUTCOME_FAIL, PROBE_CAUSE_REFUSED, 0, MILLISECOND_US);
    else if (second >= actor->dies && lane == LANE_LIVENESS)
        fixture_probe(fixture, id, lane, OUTCOME_FAIL, PROBE_CAUSE_ENGINE_DEAD, 503, took);
    else if (took > SECOND_US && lane == LANE_READINESS)
        fixture_probe(fixture, id, lane, OUTCOME_FAIL, PROBE_CAUSE_TIMEOUT_HEADERS, 0, SECOND_US);
    else
        fixture_probe(fixture, id, lane, OUTCOME_OK, PROBE_CAUSE_NONE, 200, took);
}

static void actor_log(struct fixture *fixture, uint32_t id, const struct actor *actor, int32_t second)
{
    char line[160];
    int32_t since = second - actor->started, shard = (second - actor->shards_from) / 2;
    if (since == 9)
        fixture_log(fixture, id, "INFO 11-24 13:57:21 [api_server.py:1044] vLLM API server version 0.11.0");
    if (since == 20)
        fixture_log(fixture, id,
                    "(EngineCore_DP0 pid=45) INFO 11-24 13:57:32 [gpu_model_runner.py:2338] Starting to load model "
                    "meta-llama/Llama-3.3-70B-Instruct...");
    if (actor->shards_from != 0 && second >= actor->shards_from && (second - actor->shards_from) % 10 == 0 &&
        shard <= 163) {
        snprintf(line, sizeof line,
                 "(EngineCore_DP0 pid=45) Loading safetensors checkpoint shards:  %2d%% Completed | %d/163 "
                 "[01:22<04:04,  2.00s/it]",
                 shard * 100 / 163, shard);
        fixture_log(fixture, id, line);
    }
    if (second == actor->dies)
        fixture_log(fixture, id,
                    "(EngineCore_DP0 pid=45) ERROR 11-24 14:03:04 [core.py:710] EngineCore encountered a fatal error.");
}

static void actor_second(struct fixture *fixture, uint32_t id, const struct actor *actor, int32_t second, bool first)
{
    fixture->t = seconds(second) + (int64_t)id * MILLISECOND_US;
    if (second < actor->created)
        return;
    if (first || second == actor->created || second == actor->started || second == starts_at(actor) + 1 ||
        second == actor->dies + 16)
        fixture_pod(fixture, id, actor, second);
    if (second == actor->started)
        fixture_event(fixture, id, "Started", "Started container vllm", false);
    actor_log(fixture, id, actor, second);
    for (int lane = LANE_STARTUP; lane <= LANE_READINESS; lane++)
        if (lane_due(actor, (enum lane_kind)lane, second))
            actor_probe(fixture, id, actor, (enum lane_kind)lane, second);
}

void fixture_live(struct fixture *fixture, const struct actor *actors, uint32_t count, int32_t from, int32_t to)
{
    for (int32_t second = from; second < to; second++)
        for (uint32_t i = 0; i < count; i++)
            actor_second(fixture, i + 1, &actors[i], second, second == from);
}

static const struct actor INCIDENT[] = {
    {"decode-7f9c-x2k4q", ROLE_DECODE, true, false, false, -7880, -7860, -7500, 484, 0, 4, FIXTURE_NEVER, 0, 0},
    {"decode-7f9c-9hw2p", ROLE_DECODE, true, false, false, 130, 132, 900, FIXTURE_NEVER, 0, 3, FIXTURE_NEVER, 0, 418},
    {"decode-7f9c-pp0zt", ROLE_DECODE, true, false, false, -7880, -7863, -7500, FIXTURE_NEVER, 0, 9, FIXTURE_NEVER, 0,
     0},
    {"prefill-5d4-abcde", ROLE_PREFILL, false, false, false, -7880, -7861, -7480, FIXTURE_NEVER, 0, 12, FIXTURE_NEVER,
     0, 0},
    {"prefill-5d4-fghij", ROLE_PREFILL, false, false, false, -7880, -7862, -7470, FIXTURE_NEVER, 1, 30, 300, 810, 0},
    {"embed-0", ROLE_NONE, false, true, false, -273600, -273599, -273500, FIXTURE_NEVER, 0, 4, FIXTURE_NEVER, 0, 0}};

void fixture_incident_live(struct fixture *fixture, int32_t from, int32_t to)
{
    fixture_live(fixture, INCIDENT, sizeof INCIDENT / sizeof *INCIDENT, from, to);
    fixture->t = seconds(to);
}

void fixture_incident(struct fixture *fixture, bool write)
{
    fixture_begin(fixture, "prod-west/llm-d", write);
    fixture_incident_live(fixture, 0, 502);
}

void fixture_healthy(struct fixture *fixture, bool write)
{
    struct actor actors[sizeof INCIDENT / sizeof *INCIDENT];
    memcpy(actors, INCIDENT, sizeof actors);
    for (size_t i = 0; i < sizeof actors / sizeof *actors; i++) {
        actors[i].dies = actors[i].slow_from = FIXTURE_NEVER;
        if (actors[i].loaded > 0)
            actors[i] = (struct actor){actors[i].name, ROLE_DECODE,   true, false, false,         -900, -890,
                                       -400,           FIXTURE_NEVER, 0,    3,     FIXTURE_NEVER, 0,    0};
    }
    fixture_begin(fixture, "prod-west/llm-d", write);
    fixture_live(fixture, actors, sizeof actors / sizeof *actors, 0, 205);
    fixture->t = seconds(205);
}

void fixture_hostile(struct fixture *fixture, bool write)
{
    static const struct actor ACTORS[] = {
        {"esc\033[31mred\033]0;title\007", ROLE_DECODE, true, false, true, 0, 0, 20, 90, 0, 4, FIXTURE_NEVER, 0, 0},
        {"bidi\xE2\x80\xAEgnp.exe", ROLE_NONE, false, false, true, 0, 0, 900, FIXTURE_NEVER, 0, 4, FIXTURE_NEVER, 0, 0},
        {"wide-\xE6\xBC\xA2\xE5\xAD\x97-\xE6\xBC\xA2\xE5\xAD\x97-\xE6\xBC\xA2\xE5\xAD\x97-end", ROLE_NONE, false, false,
         true, 0, 0, 10, FIXTURE_NEVER, 0, 4, FIXTURE_NEVER, 0, 0},
        {"zalgo-e\xCC\x81\xCC\x81\xCC\x81\xCC\x81\xCC\x81 line\r\nbreak\ttab \xFF\xFE", ROLE_PREFILL, false, false,
         true, 0, 0, 10, FIXTURE_NEVER, 0, 4, FIXTURE_NEVER, 0, 0}};
    fixture_begin(fixture, "evil\033[2J\xE2\x80\x8Ftitle", write);
    fixture_live(fixture, ACTORS, sizeof ACTORS / sizeof *ACTORS, 0, 100);
    fixture->t = seconds(100);
    fixture_log(fixture, 1,
                "\033[1;31mred\033[0m \x9B"
                "31m csi \xE2\x80\xAE"
                "drawkcab\xE2\x80\xAC \xE3\x85\xA4 \\x1b typed");
    fixture_log(fixture, 1,
                "\xE6\xBC\xA2\xE5\xAD\x97 wide letters and a very long line that has to be broken somewhere: "
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa end");
    fixture_event(fixture, 1, "Unheal\033[5mthy", "Readiness probe failed:\nHTTP\x08\x08\x08\x08 503", true);
}
