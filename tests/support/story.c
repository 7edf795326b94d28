#include "tests/support/story.h"

#include <stdio.h>
#include <string.h>

static void apply(struct story *story, struct fact *fact)
{
    fact->t = story->t;
    fleet_apply(story->fleet, fact);
    fact_free(fact);
}

void story_tell(struct story *story)
{
    struct fact fact;
    fact_init(&fact, FACT_POD, 1);
    pod_facts_copy(&fact.u.facts, &story->facts);
    apply(story, &fact);
}

void story_begin(struct story *story, bool kubelet, int32_t serving_port, int32_t vllm_port)
{
    memset(story, 0, sizeof *story);
    story->fleet = fleet_new(fleet_limits_reader());
    struct pod_facts *facts = &story->facts;
    facts->id = 1;
    facts->kubelet = kubelet;
    facts->grace = 30;
    facts->serving_port = serving_port;
    facts->vllm_port = vllm_port;
    facts->sidecar.exists = serving_port != vllm_port;
    facts->serving.exists = true;
    text_set_str(&facts->name, "decode-0", TEXT_NAME);
    text_set_str(&facts->serving.name, "vllm", TEXT_NAME);
    for (int i = 0; i < LANE_SERVING_COUNT; i++) {
        bool health = i == LANE_LIVENESS || i == LANE_HEALTH;
        probe_spec_recommended(&facts->probes[i], (enum lane_kind)i, health ? vllm_port : serving_port);
    }
    probe_spec_http(&facts->probes[LANE_HEALTH], "/health", vllm_port);
    probe_spec_http(&facts->probes[LANE_MODELS], "/v1/models", serving_port);
    if (kubelet) {
        text_set_str(&facts->ns, "llm-d", TEXT_NAME);
        facts->phase = PHASE_PENDING;
        facts->scheduled.status = TRI_TRUE;
        facts->serving.state = CONTAINER_WAITING;
        facts->serving.started = facts->serving.ready = TRI_FALSE;
        facts->ready.status = TRI_FALSE;
        text_set_str(&facts->serving.reason, "ContainerCreating", TEXT_NAME);
    } else {
        facts->phase = PHASE_RUNNING;
        facts->serving.state = CONTAINER_RUNNING;
        text_set_str(&facts->serving.container_id, "emulated-1", TEXT_NAME);
        text_printf(&facts->address, TEXT_NAME, "127.0.0.1:%d", (int)serving_port);
    }
    story_tell(story);
}

void story_end(struct story *story)
{
    fleet_free(story->fleet);
    pod_facts_free(&story->facts);
}

const struct pod *story_pod(const struct story *story)
{
    return fleet_pod(story->fleet, 1);
}

void story_run(struct story *story, int32_t restart_count)
{
    struct container_facts *serving = &story->facts.serving;
    story->facts.phase = PHASE_RUNNING;
    serving->state = CONTAINER_RUNNING;
    serving->restart_count = restart_count;
    serving->started_at = story->t;
    serving->started_at_known = true;
    text_free(&serving->reason);
    text_printf(&serving->container_id, TEXT_NAME, "containerd://%d-%lld", (int)restart_count, (long long)story->t);
    if (story->facts.kubelet)
        serving->started = serving->ready = story->facts.ready.status = TRI_FALSE;
    story_tell(story);
}

void story_word(struct story *story, bool started, bool ready)
{
    story->facts.serving.started = started ? TRI_TRUE : TRI_FALSE;
    story->facts.serving.ready = story->facts.ready.status = ready ? TRI_TRUE : TRI_FALSE;
    story_tell(story);
}

static void probe(struct story *story, struct sample *sample, enum lane_kind lane, enum outcome outcome,
                  enum probe_cause cause, int32_t status, enum answerer answerer)
{
    struct fact fact;
    fact_init(&fact, FACT_PROBE, 1);
    sample->lane = lane;
    sample->outcome = outcome;
    sample->cause = cause;
    sample->status = status;
    sample->answerer = answerer;
    sample->attempt = 1;
    sample->sent = story->t;
    if (sample->total < 0)
        sample->total = 1000;
    story->t += sample->total;
    fact.u.sample = *sample;
    apply(story, &fact);
}

void story_probe(struct story *story, enum lane_kind lane, enum outcome outcome, enum probe_cause cause, int32_t status,
                 enum answerer answerer)
{
    struct sample sample;
    sample_init(&sample);
    probe(story, &sample, lane, outcome, cause, status, answerer);
}

void story_refused(struct story *story, enum lane_kind lane)
{
    story_probe(story, lane, OUTCOME_FAIL, PROBE_CAUSE_REFUSED, 0, ANSWERER_NOBODY);
}

void story_timeout(struct story *story, enum lane_kind lane)
{
    struct sample sample;
    sample_init(&sample);
    sample.total = SECONDS(story->facts.probes[lane].timeout);
    probe(story, &sample, lane, OUTCOME_FAIL, PROBE_CAUSE_TIMEOUT_HEADERS, 0, ANSWERER_NOBODY);
}

void story_models(struct story *story, enum lane_kind lane, enum answerer answerer)
{
    struct sample sample;
    sample_init(&sample);
    text_set_str(sample_add_model(&sample), "m", TEXT_NAME);
    probe(story, &sample, lane, OUTCOME_OK, PROBE_CAUSE_NONE, 200, answerer);
}

void story_health(struct story *story, enum lane_kind lane, enum answerer answerer)
{
    story_probe(story, lane, OUTCOME_OK, PROBE_CAUSE_NONE, 200, answerer);
}

void story_log(struct story *story, const char *line)
{
    struct fact fact;
    fact_init(&fact, FACT_LOG, 1);
    text_set_str(&fact.u.log.line, line, TEXT_LINE);
    fact.u.log.written = -1;
    apply(story, &fact);
}

void story_event(struct story *story, const char *uid, const char *reason, const char *message, int32_t count)
{
    struct fact fact;
    fact_init(&fact, FACT_EVENT, 1);
    text_set_str(&fact.u.event.uid, uid, TEXT_NAME);
    text_set_str(&fact.u.event.reason, reason, TEXT_NAME);
    text_set_str(&fact.u.event.message, message, TEXT_LINE);
    fact.u.event.warning = true;
    fact.u.event.count = count;
    fact.u.event.first = fact.u.event.last = story->t;
    apply(story, &fact);
}

void story_tunnel(struct story *story, enum tunnel_word word)
{
    struct fact fact;
    fact_init(&fact, FACT_TUNNEL, 1);
    fact.u.tunnel.word = word;
    fact.u.tunnel.round_trip = -1;
    apply(story, &fact);
}

int story_happened(const struct story *story, const char *words)
{
    int count = 0;
    const struct pod *pod = story_pod(story);
    for (uint32_t back = 0; pod_happening(pod, back); back++)
        count += strstr(text_str(&pod_happening(pod, back)->words), words) != NULL;
    return count;
}
