/* The sidecar's own probes (facts/kube.md 1.9): gated by the sidecar alone, restarting it alone, counting into the pod's Ready. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/hints.h"
#include "tests/support/story.h"

#include <stdio.h>
#include <string.h>

static void spec_set(struct probe_spec *spec, const char *path, int32_t period, int32_t failures)
{
    probe_spec_http(spec, path, 8000);
    spec->period = period;
    spec->failure_threshold = failures;
}

/* A pod whose sidecar has all three probes, and has not begun. */
static void begin(struct story *story)
{
    story_begin(story, true, 8000, 8200);
    struct pod_facts *facts = &story->facts;
    text_set_str(&facts->serving.name, "vllm", TEXT_NAME);
    text_set_str(&facts->sidecar.name, "proxy", TEXT_NAME);
    facts->sidecar.state = CONTAINER_WAITING;
    spec_set(&facts->probes[LANE_SIDECAR_STARTUP], "/health", 1, 5);
    spec_set(&facts->probes[LANE_SIDECAR_LIVENESS], "/health", 10, 3);
    spec_set(&facts->probes[LANE_SIDECAR_READINESS], "/health", 5, 2);
    story_tell(story);
}

static void sidecar_run(struct story *story, int32_t restarts)
{
    char id[32];
    struct container_facts *sidecar = &story->facts.sidecar;
    snprintf(id, sizeof id, "containerd://proxy%d", (int)restarts);
    text_set_str(&sidecar->container_id, id, TEXT_NAME);
    sidecar->state = CONTAINER_RUNNING;
    sidecar->restart_count = restarts;
    sidecar->started_at = story->t;
    sidecar->started_at_known = true;
    sidecar->started = sidecar->ready = TRI_FALSE;
    story_tell(story);
}

static void sidecar_word(struct story *story, bool started, bool ready)
{
    story->facts.sidecar.started = started ? TRI_TRUE : TRI_FALSE;
    story->facts.sidecar.ready = ready ? TRI_TRUE : TRI_FALSE;
    story_tell(story);
}

static void sidecar_answers(struct story *story, enum lane_kind lane)
{
    story_probe(story, lane, OUTCOME_OK, PROBE_CAUSE_NONE, 200, ANSWERER_SIDECAR);
}

static enum gate gate(const struct story *story, enum lane_kind lane)
{
    return pod_gate(story_pod(story), lane, story->t);
}

static void names(void **state)
{
    (void)state;
    assert_int_equal(lane_base(LANE_SIDECAR_READINESS), LANE_READINESS);
    assert_int_equal(lane_base(LANE_SIDECAR_STARTUP), LANE_STARTUP);
    assert_int_equal(lane_base(LANE_MODELS), LANE_MODELS);
    assert_true(lane_is_sidecars(LANE_SIDECAR_LIVENESS));
    assert_false(lane_is_sidecars(LANE_LIVENESS));
    assert_false(lane_is_sidecars(LANE_MODELS));
}

/* A native sidecar is probed while the other containers wait for it. */
static void its_own_status_gates_it(void **state)
{
    struct story story;
    (void)state;
    begin(&story);
    assert_int_equal(gate(&story, LANE_SIDECAR_STARTUP), GATE_NO_CONTAINER);
    story.t = SECONDS(1);
    sidecar_run(&story, 0);
    assert_int_equal(gate(&story, LANE_SIDECAR_STARTUP), GATE_SEND);
    assert_int_equal(gate(&story, LANE_SIDECAR_LIVENESS), GATE_WAITS_FOR_STARTUP);
    assert_int_equal(gate(&story, LANE_STARTUP), GATE_NO_CONTAINER);
    assert_int_equal(story_pod(&story)->stage, STAGE_CREATING);
    sidecar_word(&story, true, false);
    assert_int_equal(gate(&story, LANE_SIDECAR_STARTUP), GATE_STARTED);
    assert_int_equal(gate(&story, LANE_SIDECAR_LIVENESS), GATE_SEND);
    assert_int_equal(gate(&story, LANE_SIDECAR_READINESS), GATE_SEND);
    story.t = SECONDS(5);
    story_run(&story, 0); /* the serving container loads: that is no matter of the sidecar's */
    assert_int_equal(gate(&story, LANE_STARTUP), GATE_INITIAL_DELAY);
    assert_int_equal(gate(&story, LANE_LIVENESS), GATE_WAITS_FOR_STARTUP);
    assert_int_equal(gate(&story, LANE_SIDECAR_LIVENESS), GATE_SEND);
    story.facts.deleting = true;
    story_tell(&story);
    assert_int_equal(gate(&story, LANE_SIDECAR_LIVENESS), GATE_STOPPED);
    assert_int_equal(gate(&story, LANE_SIDECAR_READINESS), GATE_SEND);
    story_end(&story);
}

static void serving_ready(struct story *story)
{
    begin(story);
    story->t = SECONDS(1);
    sidecar_run(story, 0);
    sidecar_word(story, true, true);
    story->t = SECONDS(2);
    story_run(story, 0);
    story->t = SECONDS(60);
    story_models(story, LANE_STARTUP, ANSWERER_VLLM);
    story_word(story, true, true);
    story->facts.ready.status = TRI_TRUE;
    story_tell(story);
    assert_int_equal(story_pod(story)->stage, STAGE_READY);
}

/* Its liveness restarts it alone: foretold, told, and nothing of the serving container changes. */
static void its_liveness_restarts_it_alone(void **state)
{
    struct story story;
    (void)state;
    serving_ready(&story);
    const struct pod *pod = story_pod(&story);
    story.t = SECONDS(100);
    story_refused(&story, LANE_SIDECAR_LIVENESS);
    struct forecast forecast = pod_forecast(pod, LANE_SIDECAR_LIVENESS, story.t);
    assert_int_equal(forecast.consequence, CONSEQUENCE_RESTART);
    assert_int_equal(forecast.count, 1);
    assert_in_range(forecast.at, SECONDS(120), SECONDS(120) + 10000);
    assert_int_equal(pod_forecast(pod, LANE_LIVENESS, story.t).consequence, CONSEQUENCE_NONE);
    enum lane_kind lane;
    assert_int_equal(pod_next(pod, story.t, &lane).consequence, CONSEQUENCE_NONE); /* of the serving container */
    story.t = SECONDS(110);
    story_refused(&story, LANE_SIDECAR_LIVENESS);
    story.t = SECONDS(120);
    story_refused(&story, LANE_SIDECAR_LIVENESS);
    assert_int_equal(gate(&story, LANE_SIDECAR_LIVENESS), GATE_ON_HOLD);
    assert_int_equal(story_happened(&story, "the sidecar's liveness failed 3 times: the kubelet restarts it"), 1);
    assert_int_equal(pod->killed_run, 0);
    assert_int_equal(pod->stage, STAGE_READY);
    uint64_t answers = pod->lanes[LANE_STARTUP].ok;
    text_set_str(&story.facts.sidecar.last.reason, "Error", TEXT_NAME);
    story.facts.sidecar.last.known = true;
    story.facts.sidecar.last.exit_code = 137;
    story.facts.sidecar.last.started_at = SECONDS(1);
    story.facts.sidecar.last.finished_at = SECONDS(121);
    story.t = SECONDS(122);
    sidecar_run(&story, 1);
    assert_int_equal(pod->run, 1);
    assert_int_equal(pod->sidecar_run, 2);
    assert_int_equal(pod->lanes[LANE_STARTUP].ok, answers);
    assert_int_equal(pod->lanes[LANE_SIDECAR_LIVENESS].streak, 0);
    assert_int_equal(story_happened(&story, "the sidecar ended after 2:00: Error, exit code 137"), 1);
    assert_int_equal(story_happened(&story, "the kubelet started the sidecar again (restart 1)"), 1);
    assert_int_equal(gate(&story, LANE_SIDECAR_STARTUP), GATE_SEND);
    /* An answer to what was asked before is about the run before. */
    story.t = SECONDS(122);
    sidecar_word(&story, true, false);
    story_end(&story);
}

/* The serving container's restart leaves the sidecar's streaks as they are. */
static void the_servings_restart_is_not_its(void **state)
{
    struct story story;
    (void)state;
    serving_ready(&story);
    story.t = SECONDS(100);
    story_refused(&story, LANE_SIDECAR_LIVENESS);
    story.t = SECONDS(105);
    story_run(&story, 1);
    const struct pod *pod = story_pod(&story);
    assert_int_equal(pod->run, 2);
    assert_int_equal(pod->lanes[LANE_SIDECAR_LIVENESS].streak, 1);
    assert_int_equal(pod_forecast(pod, LANE_SIDECAR_LIVENESS, story.t).consequence, CONSEQUENCE_RESTART);
    story_end(&story);
}

static void its_readiness_counts_into_the_pods(void **state)
{
    struct story story;
    (void)state;
    serving_ready(&story);
    const struct pod *pod = story_pod(&story);
    sidecar_answers(&story, LANE_SIDECAR_READINESS);
    story.t = SECONDS(100);
    story_refused(&story, LANE_SIDECAR_READINESS);
    struct forecast forecast = pod_forecast(pod, LANE_SIDECAR_READINESS, story.t);
    assert_int_equal(forecast.consequence, CONSEQUENCE_NOT_READY);
    assert_in_range(forecast.at, SECONDS(105), SECONDS(105) + 10000);
    struct hints hints;
    pod_hints(story.fleet, pod, story.t, &hints);
    assert_string_equal(text_str(&hints.state), "still Ready, but the probes of its sidecar proxy have begun to fail");
    assert_string_equal(text_str(&hints.next), "the pod is NotReady in about 5s (its readiness failure 1 of 2)");
    hints_free(&hints);
    story.t = SECONDS(105);
    story_refused(&story, LANE_SIDECAR_READINESS);
    assert_int_equal(story_happened(&story, "the sidecar's readiness failed 2 times: that makes the pod NotReady"), 1);
    story.facts.ready.status = TRI_FALSE;
    sidecar_word(&story, true, false);
    assert_int_equal(pod->stage, STAGE_DEGRADED);
    assert_string_equal(text_str(&pod->reason), "sidecar not ready: refused");
    story.t = SECONDS(110);
    sidecar_answers(&story, LANE_SIDECAR_READINESS);
    assert_int_equal(story_happened(&story, "the sidecar's readiness succeeded"), 1);
    story.facts.ready.status = TRI_TRUE;
    sidecar_word(&story, true, true);
    assert_int_equal(pod->stage, STAGE_READY);
    story_end(&story);
}

/* What the sidecar says of itself shows nothing about the model behind it. */
static void it_is_no_evidence_of_a_model(void **state)
{
    struct story story;
    (void)state;
    begin(&story);
    story.t = SECONDS(1);
    sidecar_run(&story, 0);
    sidecar_word(&story, true, true);
    story.t = SECONDS(2);
    story_run(&story, 0);
    sidecar_answers(&story, LANE_SIDECAR_READINESS);
    const struct pod *pod = story_pod(&story);
    assert_int_equal(pod->api_up_at, -1);
    assert_int_equal(pod->stage, STAGE_RUNNING);
    story_refused(&story, LANE_SIDECAR_LIVENESS);
    assert_false(pod->refused_now);
    story_end(&story);
}

static void event_of(struct story *story, const char *container, const char *reason, const char *message, int64_t at)
{
    struct fact fact;
    fact_init(&fact, FACT_EVENT, 1);
    fact.t = story->t;
    text_set_str(&fact.u.event.uid, message, TEXT_NAME);
    text_set_str(&fact.u.event.reason, reason, TEXT_NAME);
    text_set_str(&fact.u.event.message, message, TEXT_LINE);
    text_set_str(&fact.u.event.container, container, TEXT_NAME);
    fact.u.event.count = 1;
    fact.u.event.first = fact.u.event.last = at;
    fleet_apply(story->fleet, &fact);
    fact_free(&fact);
}

/* The kubelet's words about the sidecar are not about the serving container, and the other way round. */
static void events_are_of_a_container(void **state)
{
    struct story story;
    (void)state;
    serving_ready(&story);
    const struct pod *pod = story_pod(&story);
    story.t = SECONDS(101);
    event_of(&story, "proxy", "Unhealthy", "Liveness probe failed: x", SECONDS(101));
    assert_int_equal(pod->lanes[LANE_SIDECAR_LIVENESS].kubelet_failures, 1);
    assert_int_equal(pod->lanes[LANE_LIVENESS].kubelet_run, 0);
    struct forecast forecast = pod_forecast(pod, LANE_SIDECAR_LIVENESS, story.t);
    assert_int_equal(forecast.consequence, CONSEQUENCE_RESTART);
    assert_int_equal(forecast.at, SECONDS(121));
    event_of(&story, "proxy", "Killing", "Init container proxy failed liveness probe", SECONDS(101));
    assert_int_equal(pod->killed_run, 0);
    assert_int_equal(gate(&story, LANE_SIDECAR_LIVENESS), GATE_ON_HOLD);
    assert_int_equal(gate(&story, LANE_LIVENESS), GATE_SEND);
    event_of(&story, "logger", "Killing", "Container logger failed liveness probe, will be restarted", SECONDS(101));
    assert_int_equal(pod->killed_run, 0);
    assert_int_equal(gate(&story, LANE_LIVENESS), GATE_SEND);
    event_of(&story, "vllm", "Killing", "Container vllm failed liveness probe, will be restarted", SECONDS(101));
    assert_int_equal(pod->killed_run, 1);
    assert_int_equal(pod->killed_by, LANE_LIVENESS);
    assert_int_equal(gate(&story, LANE_LIVENESS), GATE_ON_HOLD);
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(its_own_status_gates_it),
        cmocka_unit_test(its_liveness_restarts_it_alone),
        cmocka_unit_test(the_servings_restart_is_not_its),
        cmocka_unit_test(its_readiness_counts_into_the_pods),
        cmocka_unit_test(it_is_no_evidence_of_a_model),
        cmocka_unit_test(events_are_of_a_container),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
