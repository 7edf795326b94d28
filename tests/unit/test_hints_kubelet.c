/* Where the kubelet and we see different things: which cause is named, how surely, and that neither is believed too early. */
#include "model/hints.h"
#include "tests/support/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool quotes(const struct hint *hint, enum evidence_source source, const char *words)
{
    for (uint32_t i = 0; i < hint->evidence_count; i++)
        if (hint->evidence[i].source == source && strstr(text_str(&hint->evidence[i].words), words))
            return true;
    return false;
}

/* The first hint is this one. */
static void says(const struct story *story, enum cause cause, enum confidence confidence, const char *title,
                 const char *kubelet)
{
    struct hints hints;
    pod_hints(story->fleet, story_pod(story), story->t, &hints);
    assert_string_equal(cause_label(hints.verdict), cause_label(cause));
    assert_int_not_equal(hints.count, 0);
    assert_string_equal(confidence_name(hints.list[0].confidence), confidence_name(confidence));
    if (!strstr(text_str(&hints.list[0].title), title))
        fail_msg("no \"%s\" in \"%s\"", title, text_str(&hints.list[0].title));
    if (kubelet && !quotes(&hints.list[0], EVIDENCE_KUBELET, kubelet))
        fail_msg("no \"%s\" is quoted", kubelet);
    assert_int_not_equal(hints.list[0].command_count, 0);
    hints_free(&hints);
}

static void says_nothing(const struct story *story)
{
    struct hints hints;
    pod_hints(story->fleet, story_pod(story), story->t, &hints);
    if (hints.count > 0)
        fail_msg("%s is cried", text_str(&hints.list[0].title));
    hints_free(&hints);
}

static void event(struct story *story, const char *message)
{
    struct fact fact;
    fact_init(&fact, FACT_EVENT, 1);
    fact.t = story->t;
    text_set_str(&fact.u.event.uid, message, TEXT_NAME);
    text_set_str(&fact.u.event.reason, "Unhealthy", TEXT_NAME);
    text_set_str(&fact.u.event.message, message, TEXT_LINE);
    text_set_str(&fact.u.event.container, "vllm", TEXT_NAME);
    fact.u.event.warning = true;
    fact.u.event.count = 3;
    fact.u.event.first = fact.u.event.last = story->t;
    fleet_apply(story->fleet, &fact);
    fact_free(&fact);
}

/* A container that has started loads for 100 s; then our readiness probes are answered for `seconds`, one each 5 s. */
static void answered(struct story *story, int seconds, int64_t took)
{
    for (int64_t until = story->t + SECONDS(seconds); story->t < until;) {
        struct fact fact;
        fact_init(&fact, FACT_PROBE, 1);
        sample_init(&fact.u.sample);
        story->t += SECONDS(5);
        fact.t = story->t;
        fact.u.sample.lane = LANE_READINESS;
        fact.u.sample.outcome = OUTCOME_OK;
        fact.u.sample.status = 200;
        fact.u.sample.answerer = ANSWERER_VLLM;
        fact.u.sample.sent = story->t - took;
        fact.u.sample.total = took;
        sample_add_model(&fact.u.sample);
        fleet_apply(story->fleet, &fact);
        fact_free(&fact);
    }
}

static void begin(struct story *story, const char *via)
{
    story_begin(story, true, 8000, 8000);
    text_set_str(&story->facts.via, via, TEXT_NAME);
    story->t = SECONDS(1);
    story_run(story, 0);
    story->t = SECONDS(100);
    story_models(story, LANE_STARTUP, ANSWERER_VLLM);
    story_word(story, true, false);
}

static void loopback_only(void **state)
{
    static const struct {
        const char *via, *line;
        enum confidence confidence;
        const char *title;
    } rows[] = {
        {"portforward", NULL, CONFIDENCE_LIKELY, "listens on loopback only?"},
        {"portforward", "INFO:     Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)", CONFIDENCE_CERTAIN,
         "listens on loopback only"},
        {"kubectl",
         "(APIServer pid=1) INFO 11-24 06:20:00 [launcher.py:1] Starting vLLM API server 0 on http://127.0.0.1:8000",
         CONFIDENCE_CERTAIN, "listens on loopback only"},
        {"direct", NULL, CONFIDENCE_POSSIBLE, "the kubelet's probes do not get through"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct story s;
        begin(&s, rows[i].via);
        if (rows[i].line)
            story_log(&s, rows[i].line);
        event(&s, "Readiness probe failed: Get \"http://10.2.0.7:8000/v1/models\": dial tcp 10.2.0.7:8000: connect: "
                  "connection refused");
        answered(&s, 10, 3000);
        says_nothing(&s); /* it may have asked a moment before we did */
        answered(&s, 20, 3000);
        event(&s, "Readiness probe failed: Get \"http://10.2.0.7:8000/v1/models\": dial tcp 10.2.0.7:8000: connect: "
                  "connection refused");
        says(&s, CAUSE_PROBE_BLOCKED, rows[i].confidence, rows[i].title, "connection refused");
        story_word(&s, true, true); /* and when it gets in, the hint goes */
        s.t += SECONDS(121);
        says_nothing(&s);
        story_end(&s);
    }
}

static void kept_out(void **state)
{
    static const struct {
        const char *message;
        enum confidence confidence;
    } rows[] = {
        {"Readiness probe failed: Get \"http://10.2.0.7:8000/v1/models\": dial tcp 10.2.0.7:8000: i/o timeout "
         "(Client.Timeout exceeded while awaiting headers)",
         CONFIDENCE_LIKELY},
        {"Readiness probe failed: Get \"http://10.2.0.7:8000/v1/models\": context deadline exceeded (Client.Timeout "
         "exceeded while awaiting headers)",
         CONFIDENCE_LIKELY}, /* what a real kubelet says where its SYN is dropped */
        {"Readiness probe failed: Get \"http://10.2.0.7:8000/v1/models\": EOF", CONFIDENCE_POSSIBLE},
        {NULL, CONFIDENCE_POSSIBLE}, /* no event comes at all */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct story s;
        begin(&s, "portforward");
        answered(&s, 40, 3000);
        if (rows[i].message)
            event(&s, rows[i].message);
        says(&s, CAUSE_PROBE_BLOCKED, rows[i].confidence,
             rows[i].message ? "answered: NetworkPolicy" : "answered: loopback only, NetworkPolicy",
             rows[i].message ? rows[i].message : "NotReady");
        story_end(&s);
    }
}

#define TIMED_OUT(probe, path)                                                                                         \
    probe " probe failed: Get \"http://10.2.0.7:8000" path                                                             \
          "\": context deadline exceeded (Client.Timeout exceeded while "                                              \
          "awaiting headers)"

/* Its newest word, said before we began to look: events come ever more rarely. */
static void old_word_is_quoted(void **state)
{
    struct story s;
    (void)state;
    begin(&s, "portforward");
    event(&s, TIMED_OUT("Readiness", "/v1/models"));
    answered(&s, 60, 3000);
    says(&s, CAUSE_PROBE_BLOCKED, CONFIDENCE_POSSIBLE, "NetworkPolicy", "context deadline exceeded");
    story_end(&s);
}

/* Our startup probe has succeeded, and so is not asked again; the kubelet's is refused, and was before we came. */
static void startup_refused_outside(void **state)
{
    struct story s;
    (void)state;
    begin(&s, "portforward");
    story_word(&s, false, false);
    event(&s, "Startup probe failed: Get \"http://10.2.0.7:8000/v1/models\": dial tcp 10.2.0.7:8000: connect: "
              "connection refused");
    s.t += SECONDS(1);
    story_models(&s, LANE_STARTUP, ANSWERER_VLLM);
    for (int n = 0; n < 12; n++) {
        s.t += SECONDS(10);
        story_health(&s, LANE_HEALTH, ANSWERER_VLLM);
        if (n == 0)
            says_nothing(&s);
    }
    says(&s, CAUSE_PROBE_BLOCKED, CONFIDENCE_LIKELY, "listens on loopback only?", "not started");
    story_word(&s, true, true);
    says_nothing(&s);
    story_end(&s);
}

/* The kubelet's probe ends a run in which ours was answered: which of the two reasons it is, its events tell. */
static void killed_apart(void **state)
{
    static const struct {
        const char *via, *message, *title;
    } rows[] = {
        {"portforward", TIMED_OUT("Liveness", "/health"), "liveness probe killed it, ours was answered: NetworkPolicy"},
        {"portforward",
         "Liveness probe failed: Get \"http://10.2.0.7:8000/health\": dial tcp 10.2.0.7:8000: connect: connection "
         "refused",
         "liveness probe killed it, ours was answered: the server listens on loopback only?"},
        {"podproxy",
         "Liveness probe failed: Get \"http://10.2.0.7:8000/health\": dial tcp 10.2.0.7:8000: connect: connection "
         "refused",
         "liveness probe killed it, ours was answered: NetworkPolicy"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct story s;
        begin(&s, rows[i].via);
        for (int n = 0; n < 10; n++) {
            s.t += SECONDS(10);
            story_health(&s, LANE_LIVENESS, ANSWERER_VLLM);
        }
        event(&s, rows[i].message);
        story_event(&s, "k", "Killing", "Container vllm failed liveness probe, will be restarted", 1);
        s.t += SECONDS(1);
        story_run(&s, 1);
        says(&s, CAUSE_PROBE_BLOCKED, CONFIDENCE_LIKELY, rows[i].title, rows[i].message);
        story_word(&s, true, true); /* it gets in now */
        struct hints hints;
        pod_hints(s.fleet, story_pod(&s), s.t, &hints);
        for (uint32_t n = 0; n < hints.count; n++)
            assert_int_not_equal(hints.list[n].cause, CAUSE_PROBE_BLOCKED);
        hints_free(&hints);
        story_end(&s);
    }
}

/* Ours failed too, shortly before: then it is no difference. */
static void killed_together(void **state)
{
    struct story s;
    struct hints hints;
    (void)state;
    begin(&s, "portforward");
    for (int n = 0; n < 10; n++) {
        s.t += SECONDS(10);
        story_health(&s, LANE_LIVENESS, ANSWERER_VLLM);
    }
    s.t += SECONDS(10);
    story_timeout(&s, LANE_LIVENESS);
    s.t += SECONDS(10);
    story_timeout(&s, LANE_LIVENESS);
    event(&s, TIMED_OUT("Liveness", "/health"));
    story_event(&s, "k", "Killing", "Container vllm failed liveness probe, will be restarted", 1);
    s.t += SECONDS(1);
    story_run(&s, 1);
    pod_hints(s.fleet, story_pod(&s), s.t, &hints);
    for (uint32_t n = 0; n < hints.count; n++)
        assert_int_not_equal(hints.list[n].cause, CAUSE_PROBE_BLOCKED);
    hints_free(&hints);
    story_end(&s);
}

/* It times out where we see answers that take nearly as long. */
static void times_out(void **state)
{
    struct story s;
    (void)state;
    begin(&s, "portforward");
    s.facts.probes[LANE_READINESS].timeout = 1;
    story_tell(&s);
    answered(&s, 60, 970000);
    story_word(&s, true, true);
    event(&s, "Readiness probe failed: Get \"http://10.2.0.7:8000/v1/models\": context deadline exceeded "
              "(Client.Timeout exceeded while awaiting headers)");
    says(&s, CAUSE_PROBE_TIMEOUT, CONFIDENCE_LIKELY, "timeoutSeconds of 1", "deadline exceeded");
    story_end(&s);
}

/* A kubelet that was not let in at first and then is: what it said before our answers is no difference, and its old events are none either. */
static void old_words(void **state)
{
    struct story s;
    (void)state;
    begin(&s, "portforward");
    event(&s, "Readiness probe failed: HTTP probe failed with statuscode: 503");
    answered(&s, 10, 3000);
    story_word(&s, true, true);
    answered(&s, 60, 3000);
    says_nothing(&s);
    story_end(&s);
}

/* It says Ready, and ours fail: then our way is in question, not the pod. */
static void ours_fail(void **state)
{
    struct story s;
    (void)state;
    begin(&s, "portforward");
    answered(&s, 10, 3000);
    story_word(&s, true, true);
    for (int i = 0; i < 3; i++) {
        s.t += SECONDS(5);
        story_refused(&s, LANE_READINESS);
    }
    says(&s, CAUSE_DIED_SILENTLY, CONFIDENCE_LIKELY, "nothing listens on the port any more", NULL);
    for (int i = 0; i < 8; i++) {
        s.t += SECONDS(5);
        story_refused(&s, LANE_READINESS);
    }
    says(&s, CAUSE_TUNNEL, CONFIDENCE_LIKELY, "our readiness probes fail for", "the kubelet says Ready");
    event(&s,
          "Readiness probe failed: Get \"http://10.2.0.7:8000/v1/models\": dial tcp 10.2.0.7:8000: connect: connection "
          "refused");
    says(&s, CAUSE_DIED_SILENTLY, CONFIDENCE_LIKELY, "nothing listens on the port any more", NULL);
    story_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_word_is_quoted),
        cmocka_unit_test(killed_apart),
        cmocka_unit_test(killed_together),
        cmocka_unit_test(loopback_only),
        cmocka_unit_test(startup_refused_outside),
        cmocka_unit_test(kept_out),
        cmocka_unit_test(times_out),
        cmocka_unit_test(old_words),
        cmocka_unit_test(ours_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
