/* What our own probes, budgets and the kubelet's word show of a pod, story by story. */
#include "model/hints.h"
#include "tests/support/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void holds(const struct text *text, const char *words)
{
    if (!strstr(text_str(text), words))
        fail_msg("expected \"%s\" in \"%s\"", words, text_str(text));
}

/* Whether these words stand among the evidence or the fixes, or in what belongs to the state. */
static bool quotes(const struct hints *hints, const char *words)
{
    bool found = strstr(text_str(&hints->state), words) != NULL;
    for (uint32_t i = 0; i < hints->why_count; i++)
        found = found || strstr(text_str(&hints->why[i]), words);
    for (uint32_t i = 0; hints->count > 0 && i < hints->list[0].fix_count; i++)
        found = found || strstr(text_str(&hints->list[0].fixes[i]), words);
    for (uint32_t i = 0; hints->count > 0 && i < hints->list[0].evidence_count; i++) {
        found = found || strstr(text_str(&hints->list[0].evidence[i].words), words);
        assert_null(strstr(text_str(&hints->list[0].evidence[i].words), "See root cause above"));
    }
    return found;
}

/* Checks the first hint, or with confidence "" that there is none and what the state says; NULL: not looked at. `evidence` must stand in one of the quoted lines. */
static void told(const struct story *story, const char *confidence, const char *headline, const char *evidence,
                 const char *next, const char *command)
{
    struct hints hints;
    pod_hints(story->fleet, story_pod(story), story->t, &hints);
    assert_false(text_empty(&hints.state));
    if (confidence[0] == '\0') {
        if (hints.count > 0)
            fail_msg("expected no hint, not \"%s\"", text_str(&hints.list[0].title));
        holds(&hints.state, headline);
    } else {
        assert_int_not_equal(hints.count, 0);
        holds(&hints.list[0].title, headline);
        assert_string_equal(confidence_name(hints.list[0].confidence), confidence);
        assert_int_equal(hints.verdict, hints.list[0].cause);
    }
    if (evidence && !quotes(&hints, evidence))
        fail_msg("no \"%s\" among: %s | %s | %s", evidence, text_str(&hints.why[0]),
                 hints.count ? text_str(&hints.list[0].evidence[0].words) : "",
                 hints.count ? text_str(&hints.list[0].evidence[1].words) : "");
    if (next)
        holds(&hints.next, next);
    struct text run = {0};
    hints_command(&hints, story_pod(story), story->t, &run);
    if (command)
        assert_string_equal(text_str(&run), command);
    text_free(&run);
    hints_free(&hints);
    assert_null(hints.state.bytes);
}

static void ready(struct story *story, bool kubelet, int32_t serving_port, int32_t vllm_port)
{
    story_begin(story, kubelet, serving_port, vllm_port);
    story->t = SECONDS(1);
    if (kubelet)
        story_run(story, 0);
    story->t += SECONDS(100);
    story_refused(story, LANE_STARTUP);
    story->t += SECONDS(250);
    story_models(story, LANE_STARTUP, ANSWERER_VLLM);
    if (kubelet)
        story_word(story, true, true);
    story_health(story, LANE_LIVENESS, ANSWERER_VLLM);
    story_models(story, LANE_READINESS, ANSWERER_VLLM);
    story_models(story, LANE_MODELS, ANSWERER_VLLM);
    assert_int_equal(story_pod(story)->stage, STAGE_READY);
}

/* Connections that are closed unanswered, for long, and by a server that should be there: perhaps plain HTTP is the wrong scheme. */
static void perhaps_tls(void **state)
{
    static const struct {
        bool https, loading, listens;
        int seconds;
        bool said;
    } rows[] = {{false, false, false, 40, true},
                {false, false, false, 20, false},
                {true, false, false, 40, false},
                {false, true, false, 40, false},
                {false, true, true, 40, true}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct story s;
        story_begin(&s, true, 8000, 8000);
        s.facts.probes[LANE_STARTUP].https = rows[i].https;
        s.t = SECONDS(1);
        story_run(&s, 0);
        if (rows[i].loading)
            story_log(&s, "(EngineCore pid=1) INFO 11-23 10:10:51 [x.py:1] Starting to load model m...");
        if (rows[i].listens)
            story_log(&s, "(APIServer pid=1) INFO:     Application startup complete.");
        for (int second = 0; second <= rows[i].seconds; second += 10) {
            s.t = SECONDS(2 + second);
            story_probe(&s, LANE_STARTUP, OUTCOME_FAIL, PROBE_CAUSE_EMPTY, 0, ANSWERER_NOBODY);
        }
        struct hints hints;
        pod_hints(s.fleet, story_pod(&s), s.t, &hints);
        assert_int_equal(hints.verdict == CAUSE_SPEAKS_TLS, rows[i].said);
        hints_free(&hints);
        if (rows[i].said) {
            told(&s, "possible", "perhaps it speaks TLS", "scheme: HTTPS", NULL,
                 "kubectl -n llm-d describe pod decode-0");
        }
        story_end(&s);
    }
}

static void healthy(void **state)
{
    (void)state;
    struct story s;
    ready(&s, true, 8000, 8000);
    s.t += SECONDS(7200);
    told(&s, "", "nothing wrong: Ready for 2h00", NULL, NULL, "");
    story_end(&s);
}

static void loading(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    told(&s, "", "the container is being made", NULL, NULL, NULL);
    s.t = SECONDS(1);
    story_run(&s, 0);
    s.t = SECONDS(31);
    story_refused(&s, LANE_STARTUP);
    told(&s, "", "nothing wrong: loading within its budget, for 30s: no start-up line seen", NULL, "left", NULL);
    story_log(&s, "INFO [x.py:1] Starting to load model m...");
    s.t = SECONDS(202);
    told(&s, "", "download, no line for 2:50", "silence is no fault", "start-up budget: ", NULL);
    story_log(&s, "Loading safetensors checkpoint shards:   0% Completed | 0/163 [00:00]");
    s.t = SECONDS(211);
    story_log(&s, "Loading safetensors checkpoint shards:  25% Completed | 41/163 [00:10]");
    told(&s, "", "shards 41/163", NULL, "shards done in about 26s at this rate, then more is to come", NULL);
    s.t = SECONDS(240);
    story_models(&s, LANE_STARTUP, ANSWERER_VLLM);
    told(&s, "", "the model is loaded", NULL, NULL, NULL);
    story_end(&s);
}

static void budget_nearly_used_up(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    s.facts.probes[LANE_STARTUP].initial_delay = 0;
    s.facts.probes[LANE_STARTUP].period = 10;
    s.facts.probes[LANE_STARTUP].failure_threshold = 10;
    s.t = SECONDS(1);
    story_run(&s, 0);
    story_log(&s, "INFO [x.py:1] Starting to load model m...");
    s.t = SECONDS(70);
    story_refused(&s, LANE_STARTUP);
    told(&s, "", "nothing wrong: loading within its budget", NULL, NULL, NULL);
    s.t = SECONDS(85);
    told(&s, "possible", "its start-up budget is nearly used up, and nothing shows that loading ends before",
         "download", "left", NULL);
    story_end(&s);
}

static void budget_too_short(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    s.facts.probes[LANE_STARTUP].period = 10;
    s.facts.probes[LANE_STARTUP].failure_threshold = 6;
    s.t = SECONDS(1);
    story_run(&s, 0);
    story_log(&s, "Loading safetensors checkpoint shards:   0% Completed | 0/100 [00:00]");
    s.t = SECONDS(21);
    story_log(&s, "Loading safetensors checkpoint shards:  10% Completed | 10/100 [00:20]");
    told(&s, "likely", "will not be done within the start-up budget", "failureThreshold", "too late", NULL);
    for (int i = 0; i < 6; i++) {
        s.t += SECONDS(10);
        story_refused(&s, LANE_STARTUP);
    }
    story_event(&s, "e", "Killing", "Container vllm failed startup probe, will be restarted", 1);
    s.t += SECONDS(30);
    s.facts.serving.last.known = true;
    s.facts.serving.last.exit_code = 137;
    s.facts.serving.last.finished_at = s.t;
    story_run(&s, 1);
    s.t += SECONDS(1);
    told(&s, "certain", "killed by its start-up probe after 6 failures: the budget of 1:15 was too short for this load",
         "it had come to: shards 10/100", NULL, "kubectl -n llm-d logs decode-0 -c vllm --previous --tail=200");
    told(&s, "certain", "killed by its start-up probe", "failureThreshold ", NULL, NULL);
    story_end(&s);
}

/* vLLM was up and the probe asked in vain: more time would not have helped. */
static void killed_while_up(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    s.facts.probes[LANE_STARTUP].period = 10;
    s.facts.probes[LANE_STARTUP].failure_threshold = 6;
    s.t = SECONDS(1);
    story_run(&s, 0);
    story_log(&s, "INFO:     Application startup complete.");
    for (int i = 0; i < 7; i++) {
        s.t += SECONDS(10);
        story_refused(&s, LANE_STARTUP);
    }
    s.facts.serving.last.known = true;
    s.facts.serving.last.exit_code = 143;
    s.facts.serving.last.finished_at = s.t;
    story_run(&s, 1);
    s.t += SECONDS(1);
    told(&s, "likely", "killed by its start-up probe although vLLM was up: it asks port 8000 in vain",
         "had been complete for 1:00; the probe asks GET :8000/v1/models", "left", NULL);
    story_end(&s);
}

/* What the run before was like is told of the next one while it loads. */
static void restarted_by_liveness(void **state)
{
    (void)state;
    static const struct {
        enum probe_cause cause;
        int32_t status;
        const char *confidence, *headline;
    } rows[] = {
        {PROBE_CAUSE_ENGINE_DEAD, 503, "certain", "the engine died; the liveness probe then restarted the container"},
        {PROBE_CAUSE_TIMEOUT_HEADERS, 0, "likely",
         "it hung: the liveness probe killed the container after 3 failures (timeout)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct story s;
        ready(&s, true, 8000, 8000);
        for (int k = 0; k < 3; k++) {
            s.t += SECONDS(10);
            story_probe(&s, LANE_LIVENESS, OUTCOME_FAIL, rows[i].cause, rows[i].status,
                        rows[i].status ? ANSWERER_VLLM : ANSWERER_NOBODY);
        }
        s.facts.serving.last.known = true;
        s.facts.serving.last.exit_code = 137;
        s.facts.serving.last.finished_at = s.t;
        s.facts.serving.ready = s.facts.serving.started = TRI_FALSE;
        story_run(&s, 1);
        s.t += SECONDS(5);
        told(&s, rows[i].confidence, rows[i].headline, "loading again within its budget", NULL, NULL);
        story_end(&s);
    }
}

/* Ready again, and what was before is not forgotten at once. */
static void ready_after_a_fall(void **state)
{
    (void)state;
    struct story s;
    ready(&s, true, 8000, 8000);
    for (int fall = 1; fall <= 2; fall++) {
        s.t += SECONDS(60);
        story_timeout(&s, LANE_READINESS);
        story_word(&s, true, false);
        assert_int_equal(story_pod(&s)->stage, STAGE_DEGRADED);
        s.t += SECONDS(8);
        story_models(&s, LANE_READINESS, ANSWERER_VLLM);
        story_word(&s, true, true);
        s.t += SECONDS(7);
        if (fall == 1)
            told(&s, "", "nothing wrong: Ready for 7s", "Degraded until 7s ago, for 8s: timeout, readiness", NULL,
                 NULL);
    }
    told(&s, "certain", "it comes and goes: Degraded 2 times in the last 10 minutes", "Degraded until 7s ago", NULL,
         "kubectl -n llm-d logs decode-0 -c vllm --tail=200");
    s.t += SECONDS(600);
    told(&s, "", "nothing wrong: Ready for 10:07", NULL, NULL, "");
    s.facts.serving.last.known = true;
    s.facts.serving.last.exit_code = 137;
    s.facts.serving.last.finished_at = s.t - SECONDS(5);
    story_tell(&s);
    told(&s, "", "nothing wrong: Ready", "its last run ended 5s ago: exit code 137", NULL, NULL);
    story_end(&s);
}

/* A server that hangs while liveness asks it: nobody need add a probe. When that has had its say, the container has its grace left. */
static void hangs_until_killed(void **state)
{
    struct story s;
    struct hints hints;
    (void)state;
    ready(&s, true, 8000, 8000);
    s.facts.grace = 30;
    story_tell(&s);
    for (int failure = 0; failure < 3; failure++) {
        s.t += SECONDS(10);
        story_timeout(&s, LANE_READINESS);
        story_timeout(&s, LANE_LIVENESS);
        story_timeout(&s, LANE_MODELS);
    }
    story_word(&s, true, false);
    s.t += SECONDS(5);
    pod_hints(s.fleet, story_pod(&s), s.t, &hints);
    assert_int_not_equal(hints.count, 0);
    assert_string_equal(text_str(&hints.list[0].title),
                        "vLLM's API server hangs: it takes connections and answers none");
    assert_non_null(strstr(text_str(&hints.list[0].fixes[0]), "see where it stands"));
    assert_string_equal(text_str(&hints.next),
                        "the kubelet ends the container: it may take 23s more to stop, then it is "
                        "killed; it is started again after that");
    hints_free(&hints);
    story_end(&s);
}

/* A sidecar that ends again and again: the pod is out because of it, and what its probes say is no word on vLLM. */
static void sidecar_is_down(void **state)
{
    struct story s;
    struct hints hints;
    struct fact fact;
    struct text command = {0};
    (void)state;
    ready(&s, true, 8000, 8200);
    text_set_str(&s.facts.sidecar.name, "routing-proxy", TEXT_NAME);
    story_tell(&s);
    s.t += SECONDS(30);
    fact_init(&fact, FACT_EVENT, 1);
    fact.t = fact.u.event.first = fact.u.event.last = s.t;
    text_set_str(&fact.u.event.reason, "Unhealthy", TEXT_NAME);
    text_set_str(&fact.u.event.message, "Liveness probe failed: HTTP probe failed with statuscode: 503", TEXT_LINE);
    text_copy(&fact.u.event.container, &s.facts.sidecar.name);
    fact.u.event.warning = true;
    fleet_apply(s.fleet, &fact);
    fact_free(&fact);
    s.facts.sidecar.state = CONTAINER_WAITING;
    s.facts.sidecar.ready = s.facts.ready.status = TRI_FALSE;
    s.facts.sidecar.restart_count = 3;
    text_set_str(&s.facts.sidecar.reason, "CrashLoopBackOff", TEXT_NAME);
    s.facts.sidecar.last = (struct termination){.known = true, .exit_code = 1, .finished_at = s.t};
    story_tell(&s);
    s.t += SECONDS(5);
    pod_hints(s.fleet, story_pod(&s), s.t, &hints);
    assert_int_equal(hints.count, 0);
    assert_int_not_equal(hints.why_count, 0);
    assert_non_null(
        strstr(text_str(&hints.why[0]), "ended with exit code 1, 5s ago (CrashLoopBackOff), after 3 restarts"));
    assert_true(hints_command(&hints, story_pod(&s), s.t, &command));
    assert_non_null(strstr(text_str(&command), "logs decode-0 -c routing-proxy --previous"));
    assert_true(pod_is_unwell(story_pod(&s), s.t));
    text_free(&command);
    hints_free(&hints);
    story_end(&s);
}

/* What comes and goes is the sidecar: its log is the one to look at. */
static void sidecar_comes_and_goes(void **state)
{
    struct story s;
    struct hints hints;
    (void)state;
    ready(&s, true, 8000, 8200);
    text_set_str(&s.facts.sidecar.name, "routing-proxy", TEXT_NAME);
    for (int fall = 0; fall < 2; fall++) {
        s.t += SECONDS(30);
        s.facts.sidecar.ready = s.facts.ready.status = TRI_FALSE;
        story_tell(&s);
        assert_int_equal(story_pod(&s)->stage, STAGE_DEGRADED);
        s.t += SECONDS(20);
        s.facts.sidecar.ready = s.facts.ready.status = TRI_TRUE;
        story_tell(&s);
    }
    s.t += SECONDS(5);
    pod_hints(s.fleet, story_pod(&s), s.t, &hints);
    assert_int_equal(hints.count, 1);
    assert_int_equal(hints.list[0].cause, CAUSE_FLAPPING);
    assert_non_null(strstr(text_str(&hints.list[0].fixes[0]), "Look at the sidecar"));
    assert_non_null(strstr(text_str(&hints.list[0].commands[0]), "logs decode-0 -c routing-proxy"));
    hints_free(&hints);
    story_end(&s);
}

/* What a lost tunnel hid was no recovery. */
static void one_fall_with_a_gap(void **state)
{
    (void)state;
    struct story s;
    ready(&s, true, 8000, 8000);
    s.t += SECONDS(60);
    story_timeout(&s, LANE_READINESS);
    story_word(&s, true, false);
    for (int gap = 0; gap < 3; gap++) {
        s.t += SECONDS(8);
        story_tunnel(&s, TUNNEL_API_LOST);
        s.t += SECONDS(8);
        story_tunnel(&s, TUNNEL_API_LOST);
        story_tell(&s);
        assert_int_equal(story_pod(&s)->stage, STAGE_UNREACHABLE);
        assert_string_equal(text_str(&story_pod(&s)->reason), "API lost");
        s.t += SECONDS(8);
        story_tunnel(&s, TUNNEL_UP);
        assert_int_equal(story_pod(&s)->stage, STAGE_DEGRADED);
    }
    struct hints hints;
    pod_hints(s.fleet, story_pod(&s), s.t, &hints);
    for (uint32_t i = 0; i < hints.count; i++)
        assert_int_not_equal(hints.list[i].cause, CAUSE_FLAPPING);
    hints_free(&hints);
    story_end(&s);
}

/* The node controller's word, not the kubelet's: it touches the condition Ready alone, and says no reason. */
static void out_with_its_node(void **state)
{
    (void)state;
    struct story s;
    ready(&s, true, 8000, 8000);
    text_set_str(&s.facts.node, "gpu-07", TEXT_NAME);
    s.facts.containers_ready.status = TRI_TRUE;
    s.facts.ready.status = TRI_FALSE;
    s.t += SECONDS(5);
    s.facts.ready.since = s.t;
    story_tell(&s);
    assert_int_equal(story_pod(&s)->stage, STAGE_DEGRADED);
    told(&s, "", "was Ready and is not any more: node not Ready", "its containers are ready", NULL,
         "kubectl -n llm-d describe node gpu-07");
    for (int restart = 0; restart < 2; restart++) { /* and once more, by a kubelet that has just begun */
        s.t += SECONDS(20);
        story_word(&s, true, true);
        s.t += SECONDS(1);
        s.facts.ready.status = restart ? TRI_TRUE : TRI_FALSE;
        story_tell(&s);
    }
    struct hints hints;
    pod_hints(s.fleet, story_pod(&s), s.t, &hints);
    for (uint32_t i = 0; i < hints.count; i++)
        assert_int_not_equal(hints.list[i].cause, CAUSE_FLAPPING);
    hints_free(&hints);
    s.facts.ready.status = TRI_FALSE;
    text_set_str(&s.facts.ready.reason, "ReadinessGatesNotReady", TEXT_NAME);
    story_tell(&s);
    assert_string_equal(text_str(&story_pod(&s)->reason), "the kubelet says NotReady");
    story_end(&s);
}

/* An endpoint that refuses and whose log is silent may be loading, or may not be there at all. */
static void silent_endpoint(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, false, 8000, 8000);
    s.t = SECONDS(30);
    story_refused(&s, LANE_STARTUP);
    told(&s, "", "nothing answers at 127.0.0.1:8000, and nothing shows that anything is loading there",
         "loading for 30s, or not there", NULL, "curl -sv --max-time 2 http://127.0.0.1:8000/v1/models");
    assert_true(pod_is_unwell(story_pod(&s), s.t));
    story_log(&s, "INFO [x.py:1] Starting to load model m...");
    told(&s, "", "nothing wrong: loading within its budget", NULL, NULL, NULL);
    assert_false(pod_is_unwell(story_pod(&s), s.t));
    story_end(&s);

    story_begin(&s, false, 8000, 8000);
    s.t = SECONDS(30);
    story_probe(&s, LANE_MODELS, OUTCOME_FAIL, PROBE_CAUSE_STATUS, 404, ANSWERER_OTHER);
    told(&s, "", "no server of models answers at 127.0.0.1:8000", NULL, NULL, NULL);
    assert_true(pod_is_unwell(story_pod(&s), s.t));
    story_end(&s);
}

/* A witness that a probe has made superfluous, and the startup probe once the container has started, fail no more. */
static void old_failures_are_not_told(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    s.t = SECONDS(1);
    story_run(&s, 0);
    for (int i = 0; i < 4; i++) {
        s.t += SECONDS(10);
        story_refused(&s, LANE_STARTUP);
        story_refused(&s, LANE_HEALTH);
    }
    assert_true(pod_lane_fails(story_pod(&s), LANE_HEALTH, s.t));
    s.t += SECONDS(10);
    story_word(&s, true, true); /* before our own startup probe found out */
    story_health(&s, LANE_LIVENESS, ANSWERER_VLLM);
    story_models(&s, LANE_READINESS, ANSWERER_VLLM);
    s.t += SECONDS(70);
    assert_false(pod_lane_fails(story_pod(&s), LANE_HEALTH, s.t));
    assert_false(pod_lane_fails(story_pod(&s), LANE_STARTUP, s.t));
    told(&s, "", "nothing wrong: Ready", NULL, NULL, NULL);
    story_end(&s);
}

static void engine_dead(void **state)
{
    (void)state;
    struct story s;
    ready(&s, true, 8000, 8000);
    s.t += SECONDS(3);
    story_log(&s, "(EngineCore pid=9) ERROR 11-23 10:00:00 [core.py:1] EngineCore encountered a fatal error.");
    story_log(&s, "(EngineCore pid=9) ERROR 11-23 10:00:00 [core.py:1] Traceback (most recent call last):");
    story_log(&s, "(EngineCore pid=9) ERROR 11-23 10:00:00 [core.py:1]   File \"/x/y.py\", line 3, in z");
    story_log(&s,
              "(EngineCore pid=9) ERROR 11-23 10:00:00 [core.py:1] TimeoutError: RPC call to sample_tokens timed out.");
    story_log(&s, "(APIServer pid=1) ERROR 11-23 10:00:00 [async_llm.py:1] EngineDeadError: EngineCore encountered an "
                  "issue. See stack trace (above) for the root cause.");
    story_probe(&s, LANE_LIVENESS, OUTCOME_FAIL, PROBE_CAUSE_ENGINE_DEAD, 503, ANSWERER_VLLM);
    told(&s, "certain", "the engine process died; its API server answers", "sample_tokens timed out",
         "the kubelet restarts the container in about", "kubectl -n llm-d logs decode-0 -c vllm --tail=200");
    told(&s, "certain", "the engine process died", "liveness", "loading took 5:50 last time", NULL);
    story_log(&s,
              "(EngineCore pid=9) ERROR 11-23 10:00:00 [core.py:1] RuntimeError: CUDA error: an illegal memory access");
    told(&s, "certain", "the GPU or its driver failed", "illegal memory access", NULL, NULL); /* what is behind it */
    story_end(&s);
}

static void gone_and_hanging_endpoints(void **state)
{
    (void)state;
    struct story s;
    ready(&s, false, 8000, 8000);
    for (int i = 0; i < 3; i++) {
        s.t += SECONDS(5);
        story_timeout(&s, LANE_READINESS);
    }
    told(&s, "possible", "readiness runs into its timeoutSeconds of 2", "readiness GET", NULL, NULL);
    story_timeout(&s, LANE_LIVENESS);
    told(&s, "likely", "hangs", "3 in a row", "a kubelet would restart the container in about",
         "curl -sv --max-time 5 http://127.0.0.1:8000/health");
    for (int i = 0; i < 3; i++) {
        s.t += SECONDS(5);
        story_refused(&s, LANE_READINESS);
    }
    told(&s, "certain", "nothing listens on the port any more", "refused", NULL, NULL);
    story_end(&s);
}

static void wrong_port(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8200);
    s.t = SECONDS(1);
    story_run(&s, 0);
    s.t = SECONDS(100);
    story_refused(&s, LANE_STARTUP);
    told(&s, "", "nothing wrong: loading", NULL, NULL, NULL);
    story_health(&s, LANE_HEALTH, ANSWERER_VLLM);
    told(&s, "", "the model is loaded", NULL, NULL, NULL); /* the startup lane has not been asked since */
    s.t = SECONDS(130);
    story_refused(&s, LANE_STARTUP);
    told(&s, "certain", "the startup probe asks port 8000, where nothing listens", "port 8200 answers", NULL,
         "kubectl -n llm-d describe pod decode-0");
    story_end(&s);

    story_begin(&s, true, 8000, 8000);
    s.t = SECONDS(1);
    story_run(&s, 0);
    s.t = SECONDS(90);
    story_log(&s, "INFO:     Application startup complete.");
    s.t = SECONDS(100);
    story_refused(&s, LANE_STARTUP);
    told(&s, "", "nothing wrong", NULL, NULL, NULL); /* too soon to say */
    s.t = SECONDS(130);
    story_refused(&s, LANE_STARTUP);
    told(&s, "certain", "where nothing listens", "application start-up complete", NULL, NULL);
    story_end(&s);
}

static void answers_of_the_wrong_kind(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    s.t = SECONDS(1);
    text_set_str(&s.facts.expected_model, "llama", TEXT_NAME);
    story_run(&s, 0);
    s.t = SECONDS(100);
    story_health(&s, LANE_HEALTH, ANSWERER_VLLM);
    story_probe(&s, LANE_STARTUP, OUTCOME_FAIL, PROBE_CAUSE_UNAUTHORIZED, 401, ANSWERER_VLLM);
    told(&s, "certain", "wants an API key", "startup", NULL, NULL);
    story_probe(&s, LANE_MODELS, OUTCOME_FAIL, PROBE_CAUSE_WRONG_MODEL, 200, ANSWERER_VLLM);
    told(&s, "certain", "another model is served", "expected llama", NULL, NULL);
    story_end(&s);
}

static void ended(struct story *story, int32_t code, const char *reason)
{
    struct container_facts *serving = &story->facts.serving;
    serving->state = CONTAINER_WAITING;
    text_set_str(&serving->reason, "CrashLoopBackOff", TEXT_NAME);
    serving->last.known = true;
    serving->last.exit_code = code;
    serving->last.started_at = serving->started_at;
    serving->last.finished_at = story->t;
    text_set_str(&serving->last.reason, reason, TEXT_NAME);
    story_tell(story);
}

static void crashes(void **state)
{
    (void)state;
    static const struct {
        int32_t code;
        const char *reason, *line, *confidence, *headline, *evidence;
    } rows[] = {
        {137, "OOMKilled", NULL, "certain", "out of host memory", "exit code 137, OOMKilled"},
        {137, "Error", NULL, "likely", "SIGKILL", "exit code 137"},
        {143, "Error", NULL, "possible", "a probe had the container killed", "exit code 143"},
        {139, "Error", NULL, "certain", "crashed in native code", "exit code 139"},
        {0, "Completed", NULL, "likely", "ended by itself with exit code 0", NULL},
        {1, "Error",
         "(EngineCore pid=9) ERROR [core.py:1] torch.OutOfMemoryError: CUDA out of memory. Tried to allocate",
         "certain", "GPU memory ran out", "Tried to allocate"},
        {1, "Error", "(EngineCore pid=9) ERROR [core.py:1] ValueError: No available memory for the cache blocks.",
         "certain", "KV cache", "cache blocks"},
        {1, "Error", "(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above.",
         "likely", "exit code 1, and no line of its log says why", "exit code 1"},
        {2, "Error", "api_server.py: error: unrecognized arguments: --foo", "certain",
         "a flag that this version of vLLM does not have", "unrecognized arguments"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct story s;
        story_begin(&s, true, 8000, 8000);
        s.t = SECONDS(1);
        story_run(&s, 0);
        s.t = SECONDS(40);
        if (rows[i].line)
            story_log(&s, rows[i].line);
        ended(&s, rows[i].code, rows[i].reason);
        s.t = SECONDS(50);
        told(&s, rows[i].confidence, rows[i].headline, rows[i].evidence, "back-off", NULL);
        /* and it is not forgotten while the next run loads */
        text_free(&s.facts.serving.reason);
        story_run(&s, 1);
        told(&s, rows[i].confidence, rows[i].headline, rows[i].evidence, NULL, NULL);
        story_end(&s);
    }
}

static void cannot_start(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    text_set_str(&s.facts.serving.reason, "ImagePullBackOff", TEXT_NAME);
    text_set_str(&s.facts.serving.message, "Back-off pulling image \"x\"", TEXT_LINE);
    story_tell(&s);
    story_event(&s, "e", "Failed", "Failed to pull image \"x\": not found", 1);
    told(&s, "certain", "image", "not found", NULL, NULL);
    told(&s, "certain", "image", "cannot be started: ImagePullBackOff", NULL, NULL);
    story_end(&s);

    story_begin(&s, true, 8000, 8000);
    s.facts.serving.state = CONTAINER_UNKNOWN;
    text_free(&s.facts.serving.reason);
    s.facts.scheduled.status = TRI_FALSE;
    story_tell(&s);
    story_event(&s, "f", "FailedScheduling", "0/4 nodes are available: 4 Insufficient nvidia.com/gpu.", 1);
    told(&s, "certain", "no node has as many GPUs free", "Insufficient nvidia.com/gpu", NULL, NULL);
    story_end(&s);
}

static void not_the_pods_fault(void **state)
{
    (void)state;
    struct story s;
    ready(&s, true, 8000, 8000);
    story_tunnel(&s, TUNNEL_FORBIDDEN);
    told(&s, "certain", "no tunnel to the pod: nothing can be said of it", "forbidden", NULL, NULL);
    told(&s, "certain", "no tunnel", "nothing here is the pod's fault", "tried again by itself", NULL);
    text_set_str(&s.facts.node, "gpu-07", TEXT_NAME);
    story_tell(&s);
    story_tunnel(&s, TUNNEL_NODE_LOST);
    told(&s, "certain", "the API server does not get to its node: nothing can be said of the pod", "node-lost",
         "tried again by itself", "kubectl -n llm-d describe node gpu-07");
    story_end(&s);
}

static void near_the_limit(void **state)
{
    (void)state;
    struct story s;
    ready(&s, true, 8000, 8000);
    for (int i = 0; i < 6; i++) {
        struct fact fact;
        s.t += SECONDS(5);
        fact_init(&fact, FACT_PROBE, 1);
        sample_init(&fact.u.sample);
        fact.t = s.t;
        fact.u.sample.lane = LANE_READINESS;
        fact.u.sample.outcome = OUTCOME_OK;
        fact.u.sample.status = 200;
        fact.u.sample.answerer = ANSWERER_VLLM;
        fact.u.sample.sent = s.t - 1800000;
        fact.u.sample.total = 1800000; /* of the 2 s allowed */
        fleet_apply(s.fleet, &fact);
        fact_free(&fact);
    }
    told(&s, "likely", "readiness comes close to its timeoutSeconds of 2", "1.80s", NULL, NULL);
    story_end(&s);
}

/* What would be pasted into a shell must not do anything but what it says. */
static void commands_are_quoted(void **state)
{
    (void)state;
    struct story s;
    ready(&s, true, 8000, 8000);
    text_set_str(&s.facts.name, "x; rm -rf '$HOME'", TEXT_NAME);
    story_tell(&s);
    story_probe(&s, LANE_LIVENESS, OUTCOME_FAIL, PROBE_CAUSE_ENGINE_DEAD, 503, ANSWERER_VLLM);
    told(&s, "certain", "the engine process died", NULL, NULL,
         "kubectl -n llm-d logs 'x; rm -rf '\\''$HOME'\\''' -c vllm --tail=200");
    text_set_str(&s.facts.context, "prod;west", TEXT_NAME);
    text_set_str(&s.facts.kubeconfig, "/k/config", TEXT_NAME);
    text_set_str(&s.facts.name, "x", TEXT_NAME);
    story_tell(&s);
    told(&s, "certain", "the engine process died", NULL, NULL,
         "kubectl --kubeconfig=/k/config --context='prod;west' -n llm-d logs x -c vllm --tail=200");
    story_end(&s);

    ready(&s, false, 8000, 8000);
    text_set_str(&s.facts.address, "unix:/run/a b.sock", TEXT_NAME);
    story_tell(&s);
    story_probe(&s, LANE_LIVENESS, OUTCOME_FAIL, PROBE_CAUSE_ENGINE_DEAD, 503, ANSWERER_VLLM);
    told(&s, "certain", "the engine process died", NULL, NULL,
         "curl -sv --max-time 5 --unix-socket '/run/a b.sock' http://localhost/health");
    story_end(&s);
}

/* The timeline keeps that a hint was there: once, when it has stood for a while or is certain, and that it is over, once it stays away. */
static void timeline_keeps_hints(void **state)
{
    (void)state;
    struct story s;
    ready(&s, true, 8000, 8000);
    s.t += SECONDS(10);
    story_probe(&s, LANE_LIVENESS, OUTCOME_FAIL, PROBE_CAUSE_ENGINE_DEAD, 503, ANSWERER_VLLM);
    assert_int_equal(story_happened(&s, "engine-dead, certain: the engine process died"), 1);
    s.t += SECONDS(10);
    story_probe(&s, LANE_LIVENESS, OUTCOME_FAIL, PROBE_CAUSE_ENGINE_DEAD, 503, ANSWERER_VLLM);
    s.t += SECONDS(10);
    story_health(&s, LANE_LIVENESS, ANSWERER_VLLM);
    assert_int_equal(story_happened(&s, "engine-dead"), 1);
    assert_int_equal(story_happened(&s, "is over"), 0);
    s.t += SECONDS(10);
    story_health(&s, LANE_LIVENESS, ANSWERER_VLLM);
    s.t += SECONDS(10);
    story_health(&s, LANE_LIVENESS, ANSWERER_VLLM);
    assert_int_equal(story_happened(&s, "engine-dead is over, after 10s"), 1);

    story_timeout(&s, LANE_READINESS); /* a possible one that is gone again at once */
    s.t += SECONDS(2);
    story_models(&s, LANE_READINESS, ANSWERER_VLLM);
    s.t += SECONDS(30);
    story_models(&s, LANE_READINESS, ANSWERER_VLLM);
    assert_int_equal(story_happened(&s, "probe-timeout"), 0);
    story_timeout(&s, LANE_READINESS);
    s.t += SECONDS(6);
    story_timeout(&s, LANE_READINESS);
    assert_int_equal(story_happened(&s, "probe-timeout, possible"), 1);
    s.t += SECONDS(1);
    story_tunnel(&s, TUNNEL_FORBIDDEN); /* then nothing can be said of it, and nothing is over */
    s.t += SECONDS(60);
    story_timeout(&s, LANE_READINESS);
    s.t += SECONDS(60);
    story_timeout(&s, LANE_READINESS);
    assert_int_equal(story_happened(&s, "is over"), 1);
    assert_int_equal(story_happened(&s, "tunnel, certain"), 0);
    story_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeline_keeps_hints),
        cmocka_unit_test(perhaps_tls),
        cmocka_unit_test(healthy),
        cmocka_unit_test(loading),
        cmocka_unit_test(budget_nearly_used_up),
        cmocka_unit_test(budget_too_short),
        cmocka_unit_test(killed_while_up),
        cmocka_unit_test(restarted_by_liveness),
        cmocka_unit_test(ready_after_a_fall),
        cmocka_unit_test(hangs_until_killed),
        cmocka_unit_test(sidecar_is_down),
        cmocka_unit_test(sidecar_comes_and_goes),
        cmocka_unit_test(one_fall_with_a_gap),
        cmocka_unit_test(out_with_its_node),
        cmocka_unit_test(silent_endpoint),
        cmocka_unit_test(old_failures_are_not_told),
        cmocka_unit_test(engine_dead),
        cmocka_unit_test(gone_and_hanging_endpoints),
        cmocka_unit_test(wrong_port),
        cmocka_unit_test(answers_of_the_wrong_kind),
        cmocka_unit_test(crashes),
        cmocka_unit_test(cannot_start),
        cmocka_unit_test(not_the_pods_fault),
        cmocka_unit_test(near_the_limit),
        cmocka_unit_test(commands_are_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
