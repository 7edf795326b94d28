/* One pod on its way: stages, sub-stages, verdicts, the timeline, and what readers ask of it. */
#include "tests/support/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define STAGE_IS(story, expected) assert_string_equal(stage_word(story_pod(&(story))->stage), stage_word(expected))
#define REASON_IS(story, expected) assert_string_equal(text_str(&story_pod(&(story))->reason), expected)

static void to_ready(struct story *story)
{
    story->t += SECONDS(1);
    if (story->facts.kubelet)
        story_run(story, 0);
    story->t += SECONDS(60);
    story_refused(story, LANE_STARTUP);
    story->t += SECONDS(60);
    story_models(story, LANE_STARTUP, ANSWERER_VLLM);
    if (story->facts.kubelet)
        story_word(story, true, false);
    story_health(story, LANE_LIVENESS, ANSWERER_VLLM);
    story_models(story, LANE_READINESS, ANSWERER_VLLM);
    if (story->facts.kubelet)
        story_word(story, true, true);
    STAGE_IS(*story, STAGE_READY);
}

/* What a server answers that listens before its model is loaded is no fault of it; once it was loaded it is. */
static void loading_sglang_is_no_failure(void **state)
{
    static const struct {
        enum answerer answerer;
        int32_t status;
        bool loaded, fails;
    } rows[] = {{ANSWERER_SGLANG, 503, false, false},
                {ANSWERER_VLLM, 503, false, false},
                {ANSWERER_SGLANG, 500, false, true},
                {ANSWERER_OTHER, 503, false, true},
                {ANSWERER_SGLANG, 503, true, true}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct story s;
        story_begin(&s, true, 8000, 8000);
        s.t = SECONDS(1);
        story_run(&s, 0);
        s.t = SECONDS(2);
        if (rows[i].loaded) {
            story_health(&s, LANE_HEALTH, ANSWERER_SGLANG);
            STAGE_IS(s, STAGE_LOADED);
        }
        s.t = SECONDS(4);
        story_probe(&s, LANE_HEALTH, OUTCOME_FAIL, PROBE_CAUSE_STATUS, rows[i].status, rows[i].answerer);
        assert_int_equal(story_happened(&s, "health fails"), rows[i].fails);
        assert_int_equal(story_happened(&s, "loading is expected here"), !rows[i].fails);
        story_end(&s);
    }
}

/* That a container ends is what deleting its pod means. */
static void end_of_deleted_pod_is_neutral(void **state)
{
    (void)state;
    for (int deleting = 0; deleting < 2; deleting++) {
        struct story s;
        story_begin(&s, true, 8000, 8000);
        s.t = SECONDS(1);
        story_run(&s, 0);
        s.t = SECONDS(50);
        s.facts.deleting = deleting;
        s.facts.serving.state = CONTAINER_TERMINATED;
        s.facts.serving.last =
            (struct termination){.known = true, .exit_code = 137, .started_at = SECONDS(1), .finished_at = SECONDS(49)};
        story_tell(&s);
        char mood = 0;
        const struct happening *happening;
        for (uint32_t back = 0; (happening = pod_happening(story_pod(&s), back)); back++)
            mood = strstr(text_str(&happening->words), "the container ended") ? happening->mood : mood;
        assert_int_equal(mood, deleting ? ' ' : 'x');
        story_end(&s);
    }
}

static void ladder_direct(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    STAGE_IS(s, STAGE_CREATING);
    s.t = SECONDS(10);
    story_run(&s, 0);
    STAGE_IS(s, STAGE_RUNNING);
    assert_int_equal(pod_gate(story_pod(&s), LANE_LIVENESS, SECONDS(60)), GATE_WAITS_FOR_STARTUP);
    s.t = SECONDS(30);
    story_refused(&s, LANE_STARTUP);
    story_refused(&s, LANE_MODELS);
    story_refused(&s, LANE_HEALTH);
    REASON_IS(s, "refused");
    assert_int_equal(story_happened(&s, "loading is expected here"), 1);
    assert_int_equal(story_happened(&s, "fails"), 0);
    story_log(&s, "(EngineCore pid=1) INFO 11-23 10:10:51 [x.py:1] Starting to load model m...");
    REASON_IS(s, "download");
    story_log(&s, "Loading safetensors checkpoint shards:  25% Completed | 41/163 [02:40<07:50]");
    REASON_IS(s, "shards 41/163");
    STAGE_IS(s, STAGE_RUNNING);
    s.t = SECONDS(130);
    story_health(&s, LANE_HEALTH, ANSWERER_VLLM);
    STAGE_IS(s, STAGE_LOADED);
    assert_true(story_pod(&s)->api_and_loaded_together);
    assert_int_equal(story_pod(&s)->api_up_at, story_pod(&s)->loaded_at);
    assert_int_equal(story_pod(&s)->last_load_took, s.t - SECONDS(10));
    story_models(&s, LANE_STARTUP, ANSWERER_VLLM);
    story_word(&s, true, false);
    assert_int_equal(pod_gate(story_pod(&s), LANE_STARTUP, s.t), GATE_ON_HOLD); /* 1.2.12 */
    assert_int_equal(pod_gate(story_pod(&s), LANE_READINESS, s.t), GATE_SEND);
    story_models(&s, LANE_READINESS, ANSWERER_VLLM);
    STAGE_IS(s, STAGE_LOADED); /* the kubelet has not said so yet */
    story_word(&s, true, true);
    STAGE_IS(s, STAGE_READY);
    REASON_IS(s, "");
    assert_int_equal(story_happened(&s, "became Ready after 2:00"), 1);
    assert_int_equal(s.fleet->by_stage[STAGE_READY], 1);
    assert_string_equal(text_str(&story_pod(&s)->models[0]), "m");
    story_end(&s);
}

static void ladder_behind_a_sidecar(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8200);
    story_run(&s, 0);
    s.t = SECONDS(20);
    story_refused(&s, LANE_HEALTH);
    STAGE_IS(s, STAGE_RUNNING);
    story_probe(&s, LANE_STARTUP, OUTCOME_FAIL, PROBE_CAUSE_SIDECAR_NOT_READY, 503, ANSWERER_SIDECAR);
    STAGE_IS(s, STAGE_API_UP);
    REASON_IS(s, "only the sidecar answers");
    assert_int_equal(story_pod(&s)->answered_by[0], ANSWERER_SIDECAR);
    s.t = SECONDS(90);
    story_models(&s, LANE_STARTUP, ANSWERER_VLLM);
    STAGE_IS(s, STAGE_LOADED);
    assert_false(story_pod(&s)->api_and_loaded_together);
    assert_true(story_pod(&s)->api_up_at < story_pod(&s)->loaded_at);
    story_end(&s);
}

/* Who answers decides what an answer shows (facts/vllm.md 1.8). */
static void what_shows_loaded(void **state)
{
    (void)state;
    static const struct {
        enum lane_kind lane;
        enum answerer answerer;
        enum stage stage;
    } rows[] = {
        {LANE_MODELS, ANSWERER_VLLM, STAGE_LOADED},      {LANE_HEALTH, ANSWERER_VLLM, STAGE_LOADED},
        {LANE_MODELS, ANSWERER_OTHER, STAGE_LOADED},     {LANE_HEALTH, ANSWERER_OTHER, STAGE_API_UP},
        {LANE_MODELS, ANSWERER_SIMULATOR, STAGE_API_UP}, {LANE_HEALTH, ANSWERER_SIMULATOR, STAGE_API_UP},
        {LANE_MODELS, ANSWERER_SGLANG, STAGE_API_UP},    {LANE_HEALTH, ANSWERER_SGLANG, STAGE_LOADED},
        {LANE_HEALTH, ANSWERER_SIDECAR, STAGE_API_UP},   {LANE_HEALTH, ANSWERER_API_SERVER, STAGE_RUNNING},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct story s;
        story_begin(&s, true, 8000, 8000);
        story_run(&s, 0);
        s.t = SECONDS(20);
        if (rows[i].lane == LANE_MODELS)
            story_models(&s, LANE_MODELS, rows[i].answerer);
        else
            story_health(&s, LANE_HEALTH, rows[i].answerer);
        STAGE_IS(s, rows[i].stage);
        story_end(&s);
    }
}

static void key_needed(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    story_run(&s, 0);
    s.t = SECONDS(20);
    story_probe(&s, LANE_STARTUP, OUTCOME_FAIL, PROBE_CAUSE_UNAUTHORIZED, 401, ANSWERER_VLLM);
    STAGE_IS(s, STAGE_API_UP);
    story_health(&s, LANE_HEALTH, ANSWERER_VLLM);
    STAGE_IS(s, STAGE_LOADED);
    REASON_IS(s, "key needed");
    story_end(&s);
}

/* Stages that the pod's own status decides. */
static void by_status(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    s.facts.scheduled.status = TRI_FALSE;
    s.facts.serving.state = CONTAINER_UNKNOWN;
    text_free(&s.facts.serving.reason);
    text_set_str(&s.facts.scheduled.reason, "Unschedulable", TEXT_NAME);
    story_tell(&s);
    STAGE_IS(s, STAGE_PENDING);
    REASON_IS(s, "Unschedulable");
    s.facts.serving.state = CONTAINER_WAITING;
    text_set_str(&s.facts.serving.reason, "ImagePullBackOff", TEXT_NAME);
    story_tell(&s);
    STAGE_IS(s, STAGE_BACKOFF);
    text_set_str(&s.facts.serving.reason, "Init:0/2", TEXT_NAME); /* an init container's turn, as kubectl says it */
    story_tell(&s);
    STAGE_IS(s, STAGE_CREATING);
    REASON_IS(s, "Init:0/2");
    text_set_str(&s.facts.serving.reason, "Init:CrashLoopBackOff", TEXT_NAME);
    story_tell(&s);
    STAGE_IS(s, STAGE_BACKOFF);
    REASON_IS(s, "Init:CrashLoopBackOff");
    text_set_str(&s.facts.serving.reason, "CrashLoopBackOff", TEXT_NAME);
    story_tell(&s);
    STAGE_IS(s, STAGE_BACKOFF);
    s.facts.serving.state = CONTAINER_TERMINATED;
    s.facts.serving.last.known = true;
    s.facts.serving.last.exit_code = 137;
    text_set_str(&s.facts.serving.last.reason, "OOMKilled", TEXT_NAME);
    story_tell(&s);
    STAGE_IS(s, STAGE_BACKOFF);
    REASON_IS(s, "OOMKilled, exit code 137");
    s.facts.never_restart = true;
    story_tell(&s);
    STAGE_IS(s, STAGE_FAILED);
    s.facts.serving.last.exit_code = 0;
    text_set_str(&s.facts.serving.last.reason, "Completed", TEXT_NAME);
    story_tell(&s);
    STAGE_IS(s, STAGE_COMPLETED);
    s.facts.phase = PHASE_FAILED;
    text_set_str(&s.facts.phase_reason, "Evicted", TEXT_NAME);
    story_tell(&s);
    STAGE_IS(s, STAGE_FAILED);
    REASON_IS(s, "Evicted");
    s.facts.deleting = true;
    story_tell(&s);
    STAGE_IS(s, STAGE_TERMINATING);
    text_set_str(&s.facts.phase_reason, "EvictionByEvictionAPI", TEXT_NAME);
    story_tell(&s);
    REASON_IS(s, "evicted");
    story_end(&s);
}

static void engine_dies(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    to_ready(&s);
    s.t += SECONDS(10);
    story_probe(&s, LANE_LIVENESS, OUTCOME_FAIL, PROBE_CAUSE_ENGINE_DEAD, 503, ANSWERER_VLLM);
    STAGE_IS(s, STAGE_DEGRADED); /* though the kubelet still says Ready */
    REASON_IS(s, "engine dead");
    assert_int_equal(story_happened(&s, "liveness fails"), 1);
    enum lane_kind lane;
    struct forecast next = pod_next(story_pod(&s), s.t, &lane);
    assert_int_equal(next.consequence, CONSEQUENCE_RESTART);
    assert_int_equal(lane, LANE_LIVENESS);
    assert_int_equal(next.count, 1);
    assert_true(next.at > s.t && next.at <= s.t + SECONDS(25));
    s.t += SECONDS(2);
    story_refused(&s, LANE_READINESS);
    REASON_IS(s, "process gone");
    /* the container ends, as vLLM's does, with exit code 0 */
    s.t += SECONDS(1);
    s.facts.serving.state = CONTAINER_TERMINATED;
    s.facts.serving.last.known = true;
    s.facts.serving.last.started_at = s.facts.serving.started_at;
    s.facts.serving.last.finished_at = s.t;
    text_set_str(&s.facts.serving.last.reason, "Completed", TEXT_NAME);
    story_tell(&s);
    STAGE_IS(s, STAGE_COMPLETED);
    assert_int_equal(story_happened(&s, "the container ended after"), 1);
    s.t += SECONDS(1);
    story_run(&s, 1);
    STAGE_IS(s, STAGE_RUNNING);
    const struct pod *pod = story_pod(&s);
    assert_int_equal(pod->run, 2);
    assert_int_equal(pod->kills, 1);
    assert_false(pod->engine_dead);
    assert_int_equal(pod->loaded_at, -1);
    assert_true(spans_now(&pod->spans)->restart);
    assert_int_equal(pod->lanes[LANE_LIVENESS].prober.stored, VERDICT_SUCCESS);
    story_end(&s);
}

/* The next process answers before the API server has told of its start. */
static void engine_dies_and_news_is_late(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    to_ready(&s);
    s.t += SECONDS(10);
    story_probe(&s, LANE_LIVENESS, OUTCOME_FAIL, PROBE_CAUSE_ENGINE_DEAD, 503, ANSWERER_VLLM);
    assert_true(story_pod(&s)->engine_dead);
    int64_t started = s.t + SECONDS(5);
    s.t = started + SECONDS(1);
    story_health(&s, LANE_HEALTH, ANSWERER_VLLM);
    assert_false(story_pod(&s)->engine_dead);
    s.t = started;
    story_run(&s, 1);
    assert_int_equal(story_pod(&s)->run, 2);
    assert_true(story_pod(&s)->engine_died_before);
    /* One that came to again within its run did not die of it. */
    s.t = started + SECONDS(20);
    story_probe(&s, LANE_LIVENESS, OUTCOME_FAIL, PROBE_CAUSE_ENGINE_DEAD, 503, ANSWERER_VLLM);
    s.t += SECONDS(5);
    story_health(&s, LANE_HEALTH, ANSWERER_VLLM);
    s.t += SECONDS(60);
    story_run(&s, 2);
    assert_false(story_pod(&s)->engine_died_before);
    story_end(&s);
}

static void readiness_fails_and_recovers(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, false, 8000, 8000); /* the verdict is our own */
    to_ready(&s);
    assert_int_equal(story_happened(&s, "readiness succeeded: Ready for a kubelet"), 1);
    for (int i = 0; i < 3; i++) {
        STAGE_IS(s, STAGE_READY);
        s.t += SECONDS(5);
        story_timeout(&s, LANE_READINESS);
    }
    STAGE_IS(s, STAGE_DEGRADED);
    REASON_IS(s, "timeout, readiness");
    assert_int_equal(story_happened(&s, "readiness failed 3 times: NotReady"), 1);
    assert_int_equal(story_happened(&s, "readiness fails: connected, but no answer"), 1);
    for (int i = 0; i < 2; i++) {
        s.t += SECONDS(10);
        story_timeout(&s, LANE_LIVENESS);
    }
    REASON_IS(s, "hangs");
    story_models(&s, LANE_READINESS, ANSWERER_VLLM);
    STAGE_IS(s, STAGE_READY);
    assert_int_equal(story_happened(&s, "readiness answers again after 3 failures"), 1);
    story_end(&s);
}

/* Unknown and errored samples count nothing for anybody. */
static void unknown_leaves_streaks(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, false, 8000, 8000);
    to_ready(&s);
    s.t += SECONDS(5);
    story_timeout(&s, LANE_READINESS);
    const struct lane *lane = &story_pod(&s)->lanes[LANE_READINESS];
    for (int i = 0; i < 10; i++) {
        s.t += SECONDS(5);
        story_probe(&s, LANE_READINESS, OUTCOME_UNKNOWN, PROBE_CAUSE_TUNNEL_DOWN, 0, ANSWERER_NOBODY);
        story_probe(&s, LANE_READINESS, OUTCOME_ERRORED, PROBE_CAUSE_BODY_SHORT, 200, ANSWERER_VLLM);
    }
    assert_int_equal(lane->streak, 1);
    assert_true(lane->streak_failing);
    assert_int_equal(lane->unknown, 10);
    assert_int_equal(lane->errored, 10);
    assert_int_equal(prober_failures(&lane->prober), 1);
    STAGE_IS(s, STAGE_READY);
    story_end(&s);
}

static void liveness_kills_an_endpoint(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, false, 8000, 8000);
    to_ready(&s);
    for (int i = 0; i < 3; i++) {
        s.t += SECONDS(10);
        story_refused(&s, LANE_LIVENESS);
    }
    STAGE_IS(s, STAGE_DEGRADED);
    REASON_IS(s, "process gone");
    assert_int_equal(story_happened(&s, "a kubelet would now kill and restart the container"), 1);
    assert_int_equal(story_pod(&s)->kills, 1);
    assert_int_equal(pod_gate(story_pod(&s), LANE_LIVENESS, s.t), GATE_ON_HOLD);
    assert_int_equal(pod_gate(story_pod(&s), LANE_HEALTH, s.t), GATE_SEND); /* the witness takes over */
    /* the source begins an emulated run: nobody restarted the process, so it stays broken until it is seen alive */
    s.t += 1;
    text_set_str(&s.facts.serving.container_id, "emulated-2", TEXT_NAME);
    story_tell(&s);
    STAGE_IS(s, STAGE_DEGRADED);
    REASON_IS(s, "process gone");
    assert_int_equal(story_pod(&s)->run, 2);
    assert_int_equal(pod_gate(story_pod(&s), LANE_STARTUP, s.t), GATE_SEND);
    s.t += SECONDS(20);
    story_models(&s, LANE_STARTUP, ANSWERER_VLLM);
    STAGE_IS(s, STAGE_LOADED);
    story_models(&s, LANE_READINESS, ANSWERER_VLLM);
    STAGE_IS(s, STAGE_READY);
    story_end(&s);
}

static void endpoint_without_an_answer(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, false, 8000, 8000);
    STAGE_IS(s, STAGE_UNKNOWN);
    s.t = SECONDS(1);
    story_probe(&s, LANE_STARTUP, OUTCOME_UNKNOWN, PROBE_CAUSE_UNREACHABLE, 0, ANSWERER_NOBODY);
    STAGE_IS(s, STAGE_UNKNOWN);
    story_refused(&s, LANE_STARTUP);
    STAGE_IS(s, STAGE_RUNNING);
    story_end(&s);
}

static void log_tells_of_another_process(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, false, 8000, 8000);
    to_ready(&s);
    story_log(&s, "INFO:     Application startup complete.");
    s.t += SECONDS(5);
    story_refused(&s, LANE_READINESS);
    story_log(&s, "(APIServer pid=1) INFO 02-13 11:00:00 [utils.py:325] vLLM API server version 0.16.0");
    STAGE_IS(s, STAGE_RUNNING);
    REASON_IS(s, "server");
    assert_non_null(story_pod(&s)->previous);
    assert_int_equal(story_pod(&s)->previous->furthest, SUBSTAGE_LISTENING);
    s.t += SECONDS(40);
    story_models(&s, LANE_READINESS, ANSWERER_VLLM);
    STAGE_IS(s, STAGE_READY);
    story_end(&s);
}

/* A probe that found no tunnel. */
static void unsent(struct story *s)
{
    story_probe(s, LANE_READINESS, OUTCOME_UNKNOWN, PROBE_CAUSE_TUNNEL_DOWN, 0, ANSWERER_NOBODY);
}

static void tunnel_lost(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    to_ready(&s);
    story_tunnel(&s, TUNNEL_UP);
    STAGE_IS(s, STAGE_READY);
    s.t += SECONDS(1);
    int64_t since = story_pod(&s)->stage_since, lost = s.t;
    story_tunnel(&s, TUNNEL_API_LOST);
    STAGE_IS(s, STAGE_READY); /* it may be for a moment only */
    story_tunnel(&s, TUNNEL_BACKOFF);
    s.t = lost + SECONDS(4);
    unsent(&s);
    STAGE_IS(s, STAGE_READY);
    s.t = lost + SECONDS(5);
    unsent(&s);
    STAGE_IS(s, STAGE_UNREACHABLE);
    assert_int_equal(story_pod(&s)->stage_since, s.t);
    s.t += SECONDS(4);
    story_tunnel(&s, TUNNEL_STARTING);
    STAGE_IS(s, STAGE_UNREACHABLE);
    s.t += SECONDS(1);
    story_tunnel(&s, TUNNEL_UP);
    STAGE_IS(s, STAGE_READY); /* what it was, and since when */
    assert_int_equal(story_pod(&s)->stage_since, since);
    assert_int_equal(story_happened(&s, "became Ready after 5s of Unreachable"), 1);
    assert_int_equal(story_happened(&s, "tunnel up again"), 1);
    s.t += SECONDS(1);
    story_tunnel(&s, TUNNEL_REFUSED_IN_POD); /* the tunnel is fine */
    STAGE_IS(s, STAGE_READY);
    story_end(&s);
}

static void tunnel_lost_for_a_moment(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    to_ready(&s);
    story_tunnel(&s, TUNNEL_UP);
    int64_t since = story_pod(&s)->stage_since;
    for (int i = 0; i < 3; i++) { /* each loss has its own grace */
        s.t += SECONDS(4);
        story_tunnel(&s, TUNNEL_BACKOFF);
        s.t += SECONDS(2);
        story_tunnel(&s, TUNNEL_STARTING);
        s.t += SECONDS(1);
        story_tunnel(&s, TUNNEL_UP);
    }
    STAGE_IS(s, STAGE_READY);
    assert_int_equal(story_pod(&s)->stage_since, since);
    assert_int_equal(story_happened(&s, "Unreachable"), 0);
    s.t += SECONDS(1);
    story_tunnel(&s, TUNNEL_FORBIDDEN); /* an answer, and no accident */
    STAGE_IS(s, STAGE_UNREACHABLE);
    s.t += SECONDS(9);
    story_run(&s, 1); /* another run: its stage begins when it is seen */
    story_tunnel(&s, TUNNEL_UP);
    STAGE_IS(s, STAGE_RUNNING);
    assert_int_equal(story_pod(&s)->stage_since, s.t);
    story_end(&s);
}

static void tunnel_never_there(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    s.t = SECONDS(1);
    story_run(&s, 0);
    story_tunnel(&s, TUNNEL_BACKOFF);
    STAGE_IS(s, STAGE_UNREACHABLE);
    story_end(&s);
}

static void came_late(void **state)
{
    (void)state;
    struct story late;
    story_begin(&late, true, 8000, 8000);
    fleet_free(late.fleet);
    late.fleet = fleet_new(fleet_limits_reader());
    late.t = SECONDS(1);
    late.facts.phase = PHASE_RUNNING;
    late.facts.serving.state = CONTAINER_RUNNING;
    late.facts.serving.started_at = -SECONDS(7200);
    late.facts.serving.started_at_known = true;
    late.facts.serving.restart_count = 4;
    text_set_str(&late.facts.serving.container_id, "containerd://x", TEXT_NAME);
    late.facts.ready.since = -SECONDS(6000);
    late.facts.ready.status = TRI_TRUE;
    story_word(&late, true, true);
    STAGE_IS(late, STAGE_READY);
    const struct pod *pod = story_pod(&late);
    assert_int_equal(pod->stage_since, -SECONDS(6000)); /* the kubelet's word, not our own coming */
    assert_int_equal(pod->spans.list[0].began, -SECONDS(6000));
    late.t = SECONDS(9);
    story_word(&late, true, false);
    assert_int_equal(pod->spans.list[0].ended, SECONDS(9));
    assert_int_equal(story_happened(&late, "became Degraded after 1h40 of Ready"), 1);
    story_word(&late, true, true);
    assert_int_equal(pod->run, 2); /* it is not the pod's first */
    assert_int_equal(pod->lanes[LANE_READINESS].prober.stored, VERDICT_SUCCESS);
    story_models(&late, LANE_READINESS, ANSWERER_VLLM);
    assert_int_equal(pod->last_load_took, -1); /* nobody saw it load */
    assert_int_equal(story_happened(&late, "readiness succeeded"), 0);
    story_end(&late);
}

static void budget_and_in_time(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    story_run(&s, 0); /* at t 0: startup 15 + 60 x 30 */
    s.t = SECONDS(30);
    story_log(&s, "INFO [x.py:1] Starting to load model m...");
    story_log(&s, "Loading safetensors checkpoint shards:   0% Completed | 0/100 [00:00]");
    int64_t done;
    assert_int_equal(pod_in_time(story_pod(&s), s.t, &done), TRI_UNKNOWN);
    assert_int_equal(done, -1);
    s.t = SECONDS(130);
    story_log(&s, "Loading safetensors checkpoint shards:  10% Completed | 10/100 [01:40]"); /* 10 s each */
    struct budget budget = pod_budget(story_pod(&s), s.t);
    assert_true(budget.applies);
    assert_false(budget.guess);
    assert_int_equal(budget.deadline, SECONDS(1815));
    assert_int_equal(pod_in_time(story_pod(&s), s.t, &done), TRI_UNKNOWN); /* what comes after the shards? */
    assert_int_equal(pod_in_time_of(story_pod(&s)), SUBSTAGE_SHARDS);
    assert_int_equal(done, SECONDS(1030));
    int32_t calm = pod_severity(story_pod(&s), s.t);
    s.facts.probes[LANE_STARTUP].failure_threshold = 10;
    story_tell(&s);
    assert_int_equal(pod_in_time(story_pod(&s), s.t, &done), TRI_FALSE);
    assert_true(pod_severity(story_pod(&s), s.t) > calm);
    story_end(&s);
}

static void rest_as_in_the_run_before(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    story_run(&s, 0);
    s.t = SECONDS(100);
    story_log(&s, "INFO [x.py:1] Loading weights took 90.0 seconds");
    s.t = SECONDS(160);
    story_log(&s, "INFO:     Application startup complete.");
    s.t = SECONDS(500);
    story_run(&s, 1);
    s.t = SECONDS(600);
    story_log(&s, "INFO [x.py:1] Loading weights took 90.0 seconds");
    int64_t done;
    assert_int_equal(pod_in_time(story_pod(&s), s.t, &done), TRI_TRUE);
    assert_int_equal(done, SECONDS(660));
    assert_int_equal(pod_in_time_of(story_pod(&s)), SUBSTAGE_NONE);
    assert_int_equal(pod_in_time(story_pod(&s), SECONDS(700), &done), TRI_UNKNOWN); /* slower than last time */
    story_end(&s);
}

static void container_runs(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    story_run(&s, 0);
    assert_int_equal(story_pod(&s)->run, 1);
    s.t = SECONDS(10);
    s.facts.serving.restart_count = 1; /* told before the new ID is */
    story_tell(&s);
    assert_int_equal(story_pod(&s)->run, 2);
    STAGE_IS(s, STAGE_RUNNING);
    assert_int_equal(story_pod(&s)->stage_since, SECONDS(10)); /* this run's, though it never was in another stage */
    s.t = SECONDS(11);
    story_run(&s, 1);
    assert_int_equal(story_pod(&s)->run, 2);
    /* an answer to a probe sent to the container before says nothing of this one */
    struct fact fact;
    fact_init(&fact, FACT_PROBE, 1);
    sample_init(&fact.u.sample);
    fact.t = SECONDS(12);
    fact.u.sample.lane = LANE_MODELS;
    fact.u.sample.outcome = OUTCOME_OK;
    fact.u.sample.status = 200;
    sample_add_model(&fact.u.sample);
    fact.u.sample.answerer = ANSWERER_VLLM;
    fact.u.sample.sent = SECONDS(9);
    fleet_apply(s.fleet, &fact);
    fact_free(&fact);
    STAGE_IS(s, STAGE_RUNNING);
    assert_int_equal(story_pod(&s)->lanes[LANE_MODELS].history.count, 1);
    story_end(&s);
}

static void timeline_is_bounded_and_sorted(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    story_run(&s, 0);
    char line[64];
    for (int i = 0; i < 1000; i++) {
        s.t += SECONDS(1);
        snprintf(line, sizeof line, "ERROR 01-01 00:00:00 [x.py:1] fault %d", i);
        story_log(&s, line);
        story_event(&s, i % 3 ? "same" : "other", "Unhealthy", "Startup probe failed", i);
    }
    const struct pod *pod = story_pod(&s);
    assert_int_equal(story_happened(&s, "fault"), 20);
    assert_int_equal(pod->event_count, 2);
    assert_int_equal(pod->log_count, POD_LOGS_MAX);
    assert_null(pod_log(pod, POD_LOGS_MAX));
    assert_string_equal(text_str(&pod_log(pod, 0)->line), line);
    /* events of long ago arrive late and stand where they belong */
    for (int i = 0; i < 300; i++) {
        struct fact fact;
        fact_init(&fact, FACT_EVENT, 1);
        fact.t = s.t;
        text_printf(&fact.u.event.uid, TEXT_NAME, "uid-%d", i);
        text_set_str(&fact.u.event.reason, "Pulled", TEXT_NAME);
        fact.u.event.first = fact.u.event.last = SECONDS((i * 37) % 300) - SECONDS(100);
        fleet_apply(s.fleet, &fact);
        fact_free(&fact);
    }
    assert_int_equal(pod->event_count, POD_EVENTS_MAX);
    assert_int_equal(pod->happening_count, POD_HAPPENINGS_MAX);
    for (uint32_t back = 1; pod_happening(pod, back); back++)
        assert_true(pod_happening(pod, back)->t <= pod_happening(pod, back - 1)->t);
    for (uint32_t i = 1; i < pod->event_count; i++)
        assert_true(pod->events[i].last >= pod->events[i - 1].last);
    story_end(&s);
}

static void failing_answers_are_kept(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    to_ready(&s);
    for (int i = 0; i < 20; i++) {
        s.t += SECONDS(1);
        story_probe(&s, LANE_HEALTH, OUTCOME_FAIL, PROBE_CAUSE_STATUS, 500 + i % 6, ANSWERER_VLLM);
    }
    const struct pod *pod = story_pod(&s);
    assert_int_equal(pod->failure_count, POD_FAILURES_MAX);
    assert_int_equal(pod->failures[0].status, 501);
    assert_int_equal(pod->failures[1].status, 500);
    assert_int_equal(pod->failures[3].status, 504);
    story_end(&s);
}

static void witnesses_are_covered(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    assert_int_equal(pod_gate(story_pod(&s), LANE_MODELS, s.t), GATE_NO_CONTAINER);
    to_ready(&s);
    assert_int_equal(pod_gate(story_pod(&s), LANE_MODELS, s.t), GATE_COVERED); /* readiness asks every 5 s */
    assert_int_equal(pod_gate(story_pod(&s), LANE_HEALTH, s.t), GATE_COVERED); /* liveness asks every 10 s */
    s.facts.probes[LANE_LIVENESS].period = 30;
    probe_spec_http(&s.facts.probes[LANE_READINESS], "/health", 8000);
    story_tell(&s);
    assert_int_equal(pod_gate(story_pod(&s), LANE_MODELS, s.t), GATE_SEND);
    s.facts.probes[LANE_MODELS].action = PROBE_NONE;
    story_tell(&s);
    assert_int_equal(pod_gate(story_pod(&s), LANE_MODELS, s.t), GATE_STOPPED);
    story_end(&s);
}

/* What a pod's first stage began with, and what the log's lines say. */
static void first_seen_long_after(void **state)
{
    (void)state;
    static const struct {
        bool running;
        int32_t exit_code;
        const char *stage;
        int64_t since;
    } rows[] = {{true, -1, "Running", -SECONDS(100)},
                {false, 1, "Backoff", -SECONDS(20)},
                {false, -1, "Creating", -SECONDS(300)}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct story s;
        story_begin(&s, true, 8000, 8000);
        fleet_free(s.fleet);
        s.fleet = fleet_new(fleet_limits_reader());
        s.t = SECONDS(1);
        s.facts.scheduled.since = -SECONDS(300);
        struct container_facts *serving = &s.facts.serving;
        serving->state = rows[i].running          ? CONTAINER_RUNNING
                         : rows[i].exit_code >= 0 ? CONTAINER_TERMINATED
                                                  : CONTAINER_WAITING;
        serving->started_at = -SECONDS(100);
        serving->started_at_known = rows[i].running;
        serving->last.known = rows[i].exit_code >= 0;
        serving->last.exit_code = rows[i].exit_code;
        serving->last.finished_at = -SECONDS(20);
        story_tell(&s);
        assert_string_equal(stage_word(story_pod(&s)->stage), rows[i].stage);
        assert_int_equal(story_pod(&s)->stage_since, rows[i].since);
        story_end(&s);
    }
}

static void lines_say(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"INFO 11-24 06:20:00 [core.py:123] Loading weights took 82.63 seconds", "Loading weights took 82.63 seconds"},
        {"(EngineCore pid=9) ERROR 11-24 06:20:00 [core.py:1] RuntimeError: x", "RuntimeError: x"},
        {"(EngineCore pid=9) ERROR 11-24 06:20:00 [core.py:1]     data = y(", "    data = y("},
        {"INFO:     Application startup complete.", "Application startup complete."},
        {"INFO:     127.0.0.1:1 - \"GET /health HTTP/1.1\" 200", "127.0.0.1:1 - \"GET /health HTTP/1.1\" 200"},
        {"ERROR [x.py:1] 12 errors", "12 errors"},
        {"INFORMATION desk", "INFORMATION desk"},
        {"INFO 11-24 06:20:00 [core.py:123]", "INFO 11-24 06:20:00 [core.py:123]"},
        {"no level [here] at all", "no level [here] at all"},
        {"", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *start;
        size_t rest;
        line_sentence(rows[i][0], strlen(rows[i][0]), &start, &rest);
        assert_int_equal(rest, strlen(rows[i][1]));
        assert_memory_equal(start, rows[i][1], rest);
    }
    struct story s;
    story_begin(&s, true, 8000, 8000);
    story_log(&s, "(EngineCore pid=9) ERROR 11-24 06:20:00 [core.py:1]     data = y(");
    story_log(&s, "(EngineCore pid=9) ERROR 11-24 06:20:00 [core.py:1] RuntimeError: x");
    assert_int_equal(story_happened(&s, "data = y("), 0);
    assert_int_equal(story_happened(&s, "RuntimeError: x"), 1);
    assert_int_equal(story_happened(&s, "core.py"), 0);
    story_end(&s);
}

/* The kubelet's own words on its back-off: facts/kube.md. */
static void back_off_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        int64_t after;
    } rows[] = {{"back-off 10s restarting failed container=vllm pod=a_b(c)", SECONDS(10)},
                {"back-off 1m20s restarting failed container=vllm pod=a_b(c)", SECONDS(80)},
                {"back-off 5m0s restarting failed container=vllm", SECONDS(300)},
                {"back-off 9x restarting", -1},
                {"back-off 99999999999999999999s", -1},
                {"back-off ", -1},
                {"", -1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct story s;
        story_begin(&s, true, 8000, 8000);
        s.t = SECONDS(5);
        text_set_str(&s.facts.serving.reason, "CrashLoopBackOff", TEXT_NAME);
        text_set_str(&s.facts.serving.message, rows[i].message, TEXT_LINE);
        s.facts.serving.last.known = true;
        s.facts.serving.last.exit_code = 1;
        s.facts.serving.last.finished_at = SECONDS(4);
        story_tell(&s);
        STAGE_IS(s, STAGE_BACKOFF);
        REASON_IS(s, "exit code 1");
        assert_int_equal(pod_starts_again_at(story_pod(&s)), rows[i].after < 0 ? -1 : SECONDS(4) + rows[i].after);
        story_end(&s);
    }
}

static void severity_orders(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    to_ready(&s);
    int32_t ready = pod_severity(story_pod(&s), s.t);
    s.t += SECONDS(5);
    story_timeout(&s, LANE_READINESS);
    int32_t soon_not_ready = pod_severity(story_pod(&s), s.t);
    story_timeout(&s, LANE_LIVENESS);
    int32_t soon_restart = pod_severity(story_pod(&s), s.t);
    story_timeout(&s, LANE_LIVENESS);
    int32_t sooner = pod_severity(story_pod(&s), s.t);
    story_timeout(&s, LANE_LIVENESS);
    int32_t degraded = pod_severity(story_pod(&s), s.t);
    assert_int_equal(ready, 0);
    assert_true(soon_not_ready > ready);
    assert_true(soon_restart > soon_not_ready);
    assert_true(sooner > soon_restart);
    assert_true(degraded > sooner);
    STAGE_IS(s, STAGE_DEGRADED);
    story_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loading_sglang_is_no_failure),
        cmocka_unit_test(end_of_deleted_pod_is_neutral),
        cmocka_unit_test(ladder_direct),
        cmocka_unit_test(ladder_behind_a_sidecar),
        cmocka_unit_test(what_shows_loaded),
        cmocka_unit_test(key_needed),
        cmocka_unit_test(by_status),
        cmocka_unit_test(engine_dies),
        cmocka_unit_test(engine_dies_and_news_is_late),
        cmocka_unit_test(readiness_fails_and_recovers),
        cmocka_unit_test(unknown_leaves_streaks),
        cmocka_unit_test(liveness_kills_an_endpoint),
        cmocka_unit_test(endpoint_without_an_answer),
        cmocka_unit_test(log_tells_of_another_process),
        cmocka_unit_test(tunnel_lost),
        cmocka_unit_test(tunnel_lost_for_a_moment),
        cmocka_unit_test(tunnel_never_there),
        cmocka_unit_test(came_late),
        cmocka_unit_test(budget_and_in_time),
        cmocka_unit_test(rest_as_in_the_run_before),
        cmocka_unit_test(container_runs),
        cmocka_unit_test(timeline_is_bounded_and_sorted),
        cmocka_unit_test(failing_answers_are_kept),
        cmocka_unit_test(witnesses_are_covered),
        cmocka_unit_test(first_seen_long_after),
        cmocka_unit_test(lines_say),
        cmocka_unit_test(back_off_is_read),
        cmocka_unit_test(severity_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
