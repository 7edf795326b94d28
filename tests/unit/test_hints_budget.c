/* Time to start: what siblings and earlier runs needed speaks for and against a pod that loads, and what is to be set is computed, with this pod's own probe as YAML. */
#include "model/hints.h"
#include "tests/support/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A second pod of the same workload (or of another one), which loaded in so many seconds while it was watched. */
static void sibling(struct story *story, uint32_t id, const char *workload, int took)
{
    struct fact fact;
    int64_t t = story->t;
    for (int step = 0; step < 3; step++) {
        fact_init(&fact, step == 1 ? FACT_PROBE : FACT_POD, id);
        fact.t = t + SECONDS(took) * (step > 0);
        if (step == 1) {
            sample_init(&fact.u.sample);
            fact.u.sample.lane = LANE_STARTUP;
            fact.u.sample.outcome = OUTCOME_OK;
            fact.u.sample.status = 200;
            fact.u.sample.answerer = ANSWERER_VLLM;
            sample_add_model(&fact.u.sample);
            fact.u.sample.sent = fact.t;
            fact.u.sample.total = 1000;
        } else {
            pod_facts_copy(&fact.u.facts, &story->facts);
            struct container_facts *serving = &fact.u.facts.serving;
            fact.u.facts.id = id;
            text_printf(&fact.u.facts.name, TEXT_NAME, "sibling-%u", (unsigned)id);
            text_set_str(&fact.u.facts.workload, workload, TEXT_NAME);
            text_printf(&serving->container_id, TEXT_NAME, "containerd://s%u", (unsigned)id);
            serving->state = CONTAINER_RUNNING;
            serving->started_at = t;
            serving->started_at_known = true;
            fact.u.facts.phase = PHASE_RUNNING;
            if (step == 0) {
                serving->state = CONTAINER_WAITING;
                text_set_str(&serving->container_id, "", TEXT_NAME);
            }
        }
        fleet_apply(story->fleet, &fact);
        if (step == 0) { /* seen before it ran, so that its start is known */
            struct container_facts *serving = &fact.u.facts.serving;
            serving->state = CONTAINER_RUNNING;
            text_printf(&serving->container_id, TEXT_NAME, "containerd://s%u", (unsigned)id);
            fleet_apply(story->fleet, &fact);
        }
        fact_free(&fact);
    }
    story->t = t;
}

static void begin(struct story *story, int period, int threshold)
{
    story_begin(story, true, 8200, 8200);
    text_set_str(&story->facts.workload, "deploy/decode", TEXT_NAME);
    story->facts.probes[LANE_STARTUP].period = period;
    story->facts.probes[LANE_STARTUP].failure_threshold = threshold;
    story->facts.probes[LANE_STARTUP].timeout = 5;
    story->t = SECONDS(1);
    story_tell(story);
}

static const struct hint *first(const struct hints *hints, enum cause cause, enum confidence confidence)
{
    assert_string_equal(cause_label(hints->verdict), cause_label(cause));
    assert_int_not_equal(hints->count, 0);
    assert_string_equal(confidence_name(hints->list[0].confidence), confidence_name(confidence));
    return &hints->list[0];
}

static bool quotes(const struct hint *hint, enum evidence_source source, const char *words)
{
    for (uint32_t i = 0; i < hint->evidence_count; i++)
        if (hint->evidence[i].source == source && strstr(text_str(&hint->evidence[i].words), words))
            return true;
    return false;
}

static void holds(const struct text *text, const char *words)
{
    if (!strstr(text_str(text), words))
        fail_msg("no \"%s\" in \"%s\"", words, text_str(text));
}

/* The budget is known to be too short before it is used up, because the others needed longer. */
static void siblings_needed_more(void **state)
{
    struct story s;
    struct hints hints;
    (void)state;
    begin(&s, 10, 24); /* 4:15 */
    sibling(&s, 2, "deploy/decode", 250);
    sibling(&s, 3, "deploy/decode", 361);
    sibling(&s, 4, "deploy/prefill", 900); /* of another workload: it says nothing */
    s.t = SECONDS(400);
    story_run(&s, 0);
    s.t += SECONDS(60);
    story_log(&s, "INFO [x.py:1] Starting to load model m...");
    s.t += SECONDS(1);
    pod_hints(s.fleet, story_pod(&s), s.t, &hints);
    const struct hint *hint = first(&hints, CAUSE_STARTUP_BUDGET_EXCEEDED, CONFIDENCE_LIKELY);
    holds(&hint->title, "the start-up budget of 4:15 is shorter than loading took elsewhere");
    assert_true(
        quotes(hint, EVIDENCE_SIBLINGS, "the other 2 of deploy/decode loaded in 4:10 to 6:01; this one is at 1:01"));
    holds(&hint->fixes[0], "failureThreshold to 53 instead of 24, or periodSeconds to 22 instead of 10: 9:05 in all");
    holds(&hint->fixes[1], "download the model beforehand");
    holds(&hint->patch,
          "startupProbe:\n  httpGet:\n    path: /v1/models\n    port: 8200\n  initialDelaySeconds: 15\n"
          "  periodSeconds: 10\n  timeoutSeconds: 5\n  failureThreshold: 53  # was 24; or leave it and set "
          "periodSeconds: 22\n");
    holds(&hint->patch, "initContainers:\n- name: fetch-model\n");
    holds(&hint->patch, "persistentVolumeClaim: {claimName: models}");
    hints_free(&hints);
    story_end(&s);
}

/* What they needed from here on says that this one will be in time, too. */
static void siblings_promise_the_rest(void **state)
{
    struct story s;
    struct hints hints;
    (void)state;
    begin(&s, 10, 60); /* 10:15 */
    sibling(&s, 2, "deploy/decode", 300);
    for (int step = 0; step < 2; step++) {
        struct fact fact;
        fact_init(&fact, FACT_LOG, 2);
        fact.t = s.t + SECONDS(200 + 60 * step);
        fact.u.log.written = -1;
        text_set_str(&fact.u.log.line,
                     step ? "INFO:     Application startup complete." : "INFO [x.py:1] Starting to load model m...",
                     TEXT_LINE);
        fleet_apply(s.fleet, &fact);
        fact_free(&fact);
    }
    s.t = SECONDS(400);
    story_run(&s, 0);
    s.t += SECONDS(500);
    story_log(&s, "INFO [x.py:1] Starting to load model m...");
    s.t += SECONDS(20); /* four fifths are used, and those took one minute more */
    pod_hints(s.fleet, story_pod(&s), s.t, &hints);
    assert_int_equal(hints.count, 0);
    assert_string_equal(cause_label(hints.verdict), "healthy-slow");
    holds(&hints.why[1], "the other one of deploy/decode loaded in 5:00");
    hints_free(&hints);
    s.t += SECONDS(70); /* but it takes longer */
    pod_hints(s.fleet, story_pod(&s), s.t, &hints);
    first(&hints, CAUSE_STARTUP_BUDGET_EXCEEDED, CONFIDENCE_POSSIBLE);
    hints_free(&hints);
    story_end(&s);
}

/* The others were loaded long ago, and this one still downloads. */
static void much_slower(void **state)
{
    struct story s;
    struct hints hints;
    (void)state;
    begin(&s, 30, 60);
    sibling(&s, 2, "deploy/decode", 240);
    sibling(&s, 3, "deploy/decode", 250);
    s.t = SECONDS(400);
    story_run(&s, 0);
    story_log(&s, "INFO [x.py:1] Starting to load model m...");
    s.t += SECONDS(420);
    pod_hints(s.fleet, story_pod(&s), s.t, &hints);
    assert_int_equal(hints.count, 0);
    hints_free(&hints);
    s.t += SECONDS(30);
    pod_hints(s.fleet, story_pod(&s), s.t, &hints);
    const struct hint *hint = first(&hints, CAUSE_DOWNLOAD_SLOW, CONFIDENCE_POSSIBLE);
    assert_true(
        quotes(hint, EVIDENCE_SIBLINGS, "the other 2 of deploy/decode loaded in 4:00 to 4:10; this one is at 7:30"));
    holds(&hint->patch, "command: [hf, download, m]");
    hints_free(&hints);
    story_end(&s);
}

/* Nothing holds liveness back: it counts while the model loads, and kills. */
static void no_startup_probe(void **state)
{
    struct story s;
    struct hints hints;
    (void)state;
    begin(&s, 10, 60);
    probe_spec_free(&s.facts.probes[LANE_STARTUP]);
    s.facts.probes[LANE_STARTUP].action = PROBE_NONE;
    probe_spec_free(&s.facts.probes[LANE_READINESS]);
    s.facts.probes[LANE_READINESS].action = PROBE_NONE;
    s.t = SECONDS(10);
    story_run(&s, 0);
    s.facts.serving.started = TRI_TRUE;
    story_tell(&s);
    story_log(&s, "INFO [x.py:1] Starting to load model m...");
    s.t += SECONDS(10);
    story_refused(&s, LANE_LIVENESS);
    pod_hints(s.fleet, story_pod(&s), s.t, &hints);
    const struct hint *hint = first(&hints, CAUSE_STARTUP_BUDGET_EXCEEDED, CONFIDENCE_LIKELY);
    holds(&hint->title, "there is no startup probe");
    holds(&hint->patch, "startupProbe:\n  httpGet:\n    path: /v1/models\n    port: 8200\n  periodSeconds: 10\n  "
                        "timeoutSeconds: 5\n  failureThreshold: 180\n");
    hints_free(&hints);
    for (int i = 0; i < 2; i++) {
        s.t += SECONDS(10);
        story_refused(&s, LANE_LIVENESS);
    }
    s.t += SECONDS(5);
    s.facts.serving.last.known = true;
    s.facts.serving.last.exit_code = 143;
    s.facts.serving.last.finished_at = s.t;
    story_run(&s, 1);
    story_word(&s, true, true); /* it has no readiness probe */
    pod_hints(s.fleet, story_pod(&s), s.t, &hints);
    holds(&hints.state, "called Ready while it still starts");
    hint = first(&hints, CAUSE_STARTUP_BUDGET_EXCEEDED, CONFIDENCE_CERTAIN);
    holds(&hint->title, "killed by its liveness probe while it loaded");
    hints_free(&hints);
    story_end(&s);
}

/* YAML that a hostile path cannot become anything in but a value. */
static void patches_are_quoted(void **state)
{
    struct story s;
    struct hints hints;
    (void)state;
    begin(&s, 10, 6);
    probe_spec_http(&s.facts.probes[LANE_STARTUP], "/v1/x?a='b\n  evil: # [{", 8200);
    s.facts.probes[LANE_STARTUP].https = true;
    s.facts.probes[LANE_STARTUP].period = 10;
    s.facts.probes[LANE_STARTUP].failure_threshold = 6;
    story_tell(&s);
    s.t = SECONDS(10);
    story_run(&s, 0);
    s.t += SECONDS(70);
    pod_hints(s.fleet, story_pod(&s), s.t, &hints);
    const struct hint *hint = first(&hints, CAUSE_STARTUP_BUDGET_EXCEEDED, CONFIDENCE_POSSIBLE);
    holds(&hint->patch, "    path: '/v1/x?a=''b\\n  evil: # [{'\n");
    holds(&hint->patch, "    scheme: HTTPS\n");
    hints_free(&hints);
    story_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siblings_needed_more), cmocka_unit_test(siblings_promise_the_rest),
        cmocka_unit_test(much_slower),          cmocka_unit_test(no_startup_probe),
        cmocka_unit_test(patches_are_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
