/* The simulated kubelet against facts/kube.md: what it says, when it decides, how it restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "sim/kubelet.h"

enum { HEARD_MAX = 400 };
#define S(count) ((int64_t)(count)*SECOND_US)

/* A world around one pod: what its server answers, and what was heard of it. */
struct world {
    struct kubelet kubelet;
    bool listens, steady;
    struct answer answer;
    int looks, changes, kills, starts;
    int64_t killed_at, started_at;
    struct {
        char reason[24], message[256];
        int32_t count;
    } heard[HEARD_MAX];
    int events;
};

static bool world_look(void *user, const struct probe_spec *spec, int64_t t, struct answer *answer, bool *steady)
{
    struct world *world = user;

    (void)spec;
    (void)t;
    world->looks++;
    *answer = world->answer;
    *steady = world->steady;
    return world->listens;
}

static void world_changed(void *user)
{
    ((struct world *)user)->changes++;
}

static void world_event(void *user, const struct kubelet_event *event)
{
    struct world *world = user;

    assert_true(world->events < HEARD_MAX);
    strncpy(world->heard[world->events].reason, event->reason, 23);
    strncpy(world->heard[world->events].message, text_str(&event->message), 255);
    world->heard[world->events].count = event->count;
    world->events++;
}

static void world_kill(void *user, int64_t t)
{
    struct world *world = user;

    world->kills++;
    world->killed_at = t;
}

static void world_start(void *user, int64_t t)
{
    struct world *world = user;

    world->starts++;
    world->started_at = t;
    kubelet_start(&world->kubelet, t);
}

static const struct kubelet_hands HANDS = {
    .look = world_look, .changed = world_changed, .event = world_event, .kill = world_kill, .start = world_start};

/* startup d=15 p=10 N=6, liveness p=10 N=3, readiness p=5 N=3, timeouts 5 s. */
static void world_init(struct world *world)
{
    struct pod_facts facts = {.id = 1};

    *world = (struct world){.answer = {.manner = MANNER_ANSWER, .status = 200, .headers = "", .body = ""}};
    text_set_str(&facts.name, "decode-0", TEXT_NAME);
    text_set_str(&facts.ns, "llm-d", TEXT_NAME);
    text_set_str(&facts.uid, "u-1", TEXT_NAME);
    text_set_str(&facts.node, "gpu-17", TEXT_NAME);
    text_set_str(&facts.pod_ip, "10.244.3.17", TEXT_NAME);
    text_set_str(&facts.serving.name, "vllm", TEXT_NAME);
    text_set_str(&facts.serving.image, "image:1", TEXT_NAME);
    facts.serving.exists = true;
    for (enum lane_kind lane = LANE_STARTUP; lane <= LANE_READINESS; lane++) {
        probe_spec_http(&facts.probes[lane], lane == LANE_LIVENESS ? "/health" : "/v1/models", 8200);
        facts.probes[lane].timeout = 5;
        facts.probes[lane].period = lane == LANE_READINESS ? 5 : 10;
    }
    facts.probes[LANE_STARTUP].initial_delay = 15;
    facts.probes[LANE_STARTUP].failure_threshold = 6;
    kubelet_init(&world->kubelet, &facts, &HANDS, world, 1);
}

static void world_run(struct world *world)
{
    kubelet_created(&world->kubelet, 0);
    kubelet_scheduled(&world->kubelet, 0);
    kubelet_pulled(&world->kubelet, SECOND_US, 0);
    kubelet_start(&world->kubelet, S(2));
}

static const char *heard_last(const struct world *world, const char *reason)
{
    for (int i = world->events; i-- > 0;)
        if (strcmp(world->heard[i].reason, reason) == 0)
            return world->heard[i].message;
    return "";
}

static int heard_count(const struct world *world, const char *reason)
{
    for (int i = world->events; i-- > 0;)
        if (strcmp(world->heard[i].reason, reason) == 0)
            return world->heard[i].count;
    return 0;
}

/* ---- a probe's outcome and words ---- */

#define URL "Get \"http://10.0.0.7:8000/health\": "
static const struct {
    bool listens;
    struct answer answer;
    enum outcome outcome;
    const char *words;
    int64_t took; /* -1: the answer's delay */
} JUDGED[] = {
    {false, {0}, OUTCOME_FAIL, URL "dial tcp 10.0.0.7:8000: connect: connection refused", 300},
    {true, {.manner = MANNER_ANSWER, .status = 200, .delay_us = 3000}, OUTCOME_OK, "", -1},
    {true,
     {.manner = MANNER_ANSWER, .status = 399, .delay_us = 3000},
     OUTCOME_WARN,
     "Probe terminated redirects, Response body: ",
     -1},
    {true, {.manner = MANNER_ANSWER, .status = 503}, OUTCOME_FAIL, "HTTP probe failed with statuscode: 503", -1},
    {true, {.manner = MANNER_ANSWER, .status = 401}, OUTCOME_FAIL, "HTTP probe failed with statuscode: 401", -1},
    {true,
     {.manner = MANNER_ANSWER, .status = 302, .headers = "Location: /circle\r\n"},
     OUTCOME_FAIL,
     URL "stopped after 10 redirects",
     -1},
    {true, {.manner = MANNER_ANSWER, .status = 200, .delay_us = 999999}, OUTCOME_OK, "", -1},
    {true,
     {.manner = MANNER_ANSWER, .status = 200, .delay_us = 1000000},
     OUTCOME_FAIL,
     URL "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
     1000000},
    {true,
     {.manner = MANNER_HANG, .status = 200},
     OUTCOME_FAIL,
     URL "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
     1000000},
    {true, {.manner = MANNER_CLOSE}, OUTCOME_FAIL, URL "EOF", -1},
    {true,
     {.manner = MANNER_HALF, .status = 200},
     OUTCOME_ERRORED,
     "context deadline exceeded (Client.Timeout or context cancellation while reading body)",
     1000000},
    {true, {.manner = MANNER_SHORT_BODY, .status = 200}, OUTCOME_ERRORED, "unexpected EOF", -1},
    {true, {.manner = MANNER_LONG_LENGTH, .status = 200}, OUTCOME_ERRORED, "unexpected EOF", -1},
    {true, {.manner = MANNER_ENDLESS_BODY, .status = 200}, OUTCOME_OK, "", -1},
};

static void probes_are_judged_in_the_kubelets_words(void **state)
{
    struct probe_spec spec = {0};
    struct text words = {0};

    (void)state;
    probe_spec_http(&spec, "/health", 8000);
    spec.timeout = 1;
    for (size_t i = 0; i < sizeof JUDGED / sizeof JUDGED[0]; i++) {
        struct answer answer = JUDGED[i].answer;
        enum outcome outcome = OUTCOME_UNKNOWN;

        answer.headers = answer.headers == NULL ? "" : answer.headers;
        const int64_t took = kubelet_judge(&spec, "10.0.0.7", JUDGED[i].listens, &answer, &outcome, &words);

        assert_int_equal(outcome, JUDGED[i].outcome);
        assert_string_equal(text_str(&words), JUDGED[i].words);
        assert_int_equal(took, JUDGED[i].took < 0 ? answer.delay_us : JUDGED[i].took);
    }
    text_free(&words);
    probe_spec_free(&spec);
}

/* ---- the way up ---- */

static void a_pod_comes_up(void **state)
{
    struct world world;
    const struct pod_facts *facts = &world.kubelet.facts;

    (void)state;
    world_init(&world);
    kubelet_created(&world.kubelet, 0);
    kubelet_unschedulable(&world.kubelet, 0);
    assert_int_equal(facts->phase, PHASE_PENDING);
    assert_int_equal(facts->scheduled.status, TRI_FALSE);
    assert_string_equal(text_str(&facts->scheduled.reason), "Unschedulable");
    kubelet_scheduled(&world.kubelet, S(5));
    assert_int_equal(facts->scheduled.status, TRI_TRUE);
    assert_string_equal(text_str(&facts->serving.reason), "ContainerCreating");
    kubelet_pulling(&world.kubelet, S(6));
    kubelet_pulled(&world.kubelet, S(30), 24300 * MILLISECOND_US);
    assert_string_equal(heard_last(&world, "Pulled"), "Successfully pulled image \"image:1\" in 24.3s (24.3s including "
                                                      "waiting). Image size: 9418273511 bytes.");
    kubelet_start(&world.kubelet, S(31) + 700000);
    assert_int_equal(facts->phase, PHASE_RUNNING);
    assert_int_equal(facts->serving.state, CONTAINER_RUNNING);
    assert_int_equal(facts->serving.started_at, S(31)); /* whole seconds */
    assert_int_equal(facts->serving.started, TRI_FALSE);
    assert_int_equal(facts->ready.status, TRI_FALSE);
    assert_int_equal(facts->serving.restart_count, 0);
    assert_string_equal(heard_last(&world, "Created"), "Created container: vllm");

    kubelet_run(&world.kubelet, S(45)); /* initialDelaySeconds 15 */
    assert_int_equal(world.looks, 0);
    kubelet_run(&world.kubelet, S(57));
    assert_int_equal(world.looks, 1);
    assert_string_equal(heard_last(&world, "Unhealthy"),
                        "Startup probe failed: Get \"http://10.244.3.17:8200/v1/models\": "
                        "dial tcp 10.244.3.17:8200: connect: connection refused");
    world.listens = true;
    kubelet_wake(&world.kubelet, S(57));
    const int changes = world.changes;

    kubelet_run(&world.kubelet, S(67));
    assert_int_equal(facts->serving.started, TRI_TRUE);
    assert_int_equal(facts->serving.ready, TRI_TRUE); /* asked at once after startup (1.1) */
    assert_int_equal(facts->ready.status, TRI_TRUE);
    assert_int_equal(world.changes, changes + 2);
    kubelet_free(&world.kubelet);
}

/* Killed between d + (N-1)p and d + Np after the start, and at once begun again (1.3, 1.4). */
static void the_startup_budget_ends_in_a_kill(void **state)
{
    struct world world;
    const struct container_facts *serving = &world.kubelet.facts.serving;

    (void)state;
    world_init(&world);
    world_run(&world);
    kubelet_run(&world.kubelet, S(200));
    assert_int_equal(world.kills, 1);
    assert_in_range(world.killed_at, S(2 + 15 + 50), S(2 + 15 + 60 + 1));
    assert_string_equal(heard_last(&world, "Killing"), "Container vllm failed startup probe, will be restarted");
    assert_int_equal(heard_count(&world, "Unhealthy"), 6); /* one event, counted up */
    assert_int_equal(serving->state, CONTAINER_RUNNING);   /* until its process has ended */
    const int changes = world.changes;

    kubelet_exit(&world.kubelet, S(201), 143, "Error");
    kubelet_run(&world.kubelet, S(204));
    assert_int_equal(world.changes, changes + 1); /* running again is all that is told (facts/kubelet-traces) */
    assert_int_equal(world.starts, 1);
    assert_int_equal(serving->state, CONTAINER_RUNNING);
    assert_int_equal(serving->restart_count, 1);
    assert_true(serving->last.known);
    assert_int_equal(serving->last.exit_code, 143);
    kubelet_run(&world.kubelet, S(300));
    assert_int_equal(world.kills, 2); /* the budget began anew */
    kubelet_free(&world.kubelet);
}

/* The first crash is mended at once, then the wait is 10 s, doubled each time, and forgotten after a long life (1.3). */
static void crashes_are_backed_off(void **state)
{
    static const struct {
        int64_t lives, waits; /* seconds */
    } rows[] = {{30, 0}, {30, 10}, {30, 20}, {30, 40}, {30, 80}, {30, 160}, {30, 300}, {30, 300}, {700, 0}, {30, 10}};
    struct world world;
    const struct container_facts *serving = &world.kubelet.facts.serving;
    int64_t t = S(2);

    (void)state;
    world_init(&world);
    world_run(&world);
    world.listens = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const int64_t died = t + S(rows[i].lives);

        kubelet_run(&world.kubelet, died);
        kubelet_exit(&world.kubelet, died, 1, "Error");
        assert_int_equal(serving->state, CONTAINER_TERMINATED);
        kubelet_run(&world.kubelet, died + SECOND_US - 1);
        if (rows[i].waits > 0) {
            assert_string_equal(text_str(&serving->reason), "CrashLoopBackOff");
            assert_int_equal(serving->state, CONTAINER_WAITING);
            assert_string_equal(heard_last(&world, "BackOff"),
                                "Back-off restarting failed container vllm in pod decode-0_llm-d(u-1)");
            assert_non_null(
                strstr(text_str(&serving->message), "restarting failed container=vllm pod=decode-0_llm-d(u-1)"));
        }
        kubelet_run(&world.kubelet, died + S(rows[i].waits + 1));
        assert_int_equal(world.starts, i + 1);
        assert_in_range(world.started_at - died, S(rows[i].waits), S(rows[i].waits + 1));
        assert_int_equal(serving->state, CONTAINER_RUNNING);
        t = world.started_at;
    }
    kubelet_free(&world.kubelet);
}

/* ---- in service ---- */

static void a_pod_of_long_standing_is_ready_and_costs_nothing(void **state)
{
    struct world world;
    const struct pod_facts *facts = &world.kubelet.facts;

    (void)state;
    world_init(&world);
    world.listens = world.steady = true;
    kubelet_adopt(&world.kubelet, 0, S(7200));
    assert_int_equal(facts->ready.status, TRI_TRUE);
    assert_int_equal(facts->serving.started, TRI_TRUE);
    assert_true(facts->serving.started_at < S(-7000));
    kubelet_run(&world.kubelet, S(3600));
    assert_in_range(world.looks, 1, 2);
    assert_int_equal(kubelet_next(&world.kubelet), INT64_MAX);
    assert_int_equal(world.events, 0);
    assert_int_equal(world.changes, 1);

    /* it stops answering: liveness counts to three, readiness takes it out of service before */
    world.answer.manner = MANNER_HANG;
    kubelet_wake(&world.kubelet, S(3600));
    kubelet_run(&world.kubelet, S(3624));
    assert_int_equal(facts->ready.status, TRI_FALSE);
    assert_string_equal(text_str(&facts->ready.message), "containers with unready status: [vllm]");
    assert_int_equal(world.kills, 0);
    kubelet_run(&world.kubelet, S(3640));
    assert_int_equal(world.kills, 1);
    assert_in_range(world.killed_at, S(3620), S(3636)); /* (N-1)p to Np and the timeout */
    assert_string_equal(heard_last(&world, "Killing"), "Container vllm failed liveness probe, will be restarted");
    kubelet_free(&world.kubelet);
}

static void two_failures_and_a_success_change_nothing(void **state)
{
    struct world world;
    int64_t t = 0;

    (void)state;
    world_init(&world);
    world.listens = true;
    kubelet_adopt(&world.kubelet, 0, S(7200));
    kubelet_run(&world.kubelet, S(20));
    const int changes = world.changes;

    for (int i = 0; i < 5; i++) {
        t = S(20) + i * S(20);
        world.answer.status = 503;
        kubelet_run(&world.kubelet, t + S(10)); /* two readiness probes, one liveness probe */
        world.answer.status = 200;
        kubelet_run(&world.kubelet, t + S(20));
    }
    assert_int_equal(world.changes, changes);
    assert_int_equal(world.kills, 0);
    assert_string_equal(heard_last(&world, "Unhealthy"),
                        "Readiness probe failed: HTTP probe failed with statuscode: 503");
    kubelet_free(&world.kubelet);
}

/* An answer that breaks off is asked for three times in one tick, then thrown away (1.2.10). */
static void errored_probes_count_nothing(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    world.listens = true;
    kubelet_adopt(&world.kubelet, 0, S(7200));
    kubelet_run(&world.kubelet, S(20));
    world.answer.manner = MANNER_SHORT_BODY;
    world.looks = 0;
    kubelet_run(&world.kubelet, S(30));
    assert_int_equal(world.looks, 9); /* readiness twice, liveness once */
    kubelet_run(&world.kubelet, S(300));
    assert_int_equal(world.kubelet.facts.ready.status, TRI_TRUE);
    assert_int_equal(world.kills, 0);
    kubelet_free(&world.kubelet);
}

/* 25 at once, then one each five minutes, while the count goes on (2.2). */
static void the_recorder_holds_events_back(void **state)
{
    struct world world;
    int told = 0;

    (void)state;
    world_init(&world);
    world_run(&world);
    world.events = 0;
    for (int i = 1; i <= 100; i++)
        kubelet_say(&world.kubelet, i * SECOND_US, true, "Unhealthy", "the same words");
    told = world.events;
    assert_int_equal(told, 25);
    assert_int_equal(world.heard[told - 1].count, 25);
    kubelet_say(&world.kubelet, S(400), true, "Unhealthy", "the same words");
    assert_int_equal(world.events, 26);
    assert_int_equal(world.heard[25].count, 101);
    kubelet_say(&world.kubelet, S(401), false, "Pulled", "other words"); /* of another kind: another bucket */
    assert_int_equal(world.events, 27);
    assert_int_equal(world.heard[26].count, 1);
    kubelet_free(&world.kubelet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probes_are_judged_in_the_kubelets_words),
        cmocka_unit_test(a_pod_comes_up),
        cmocka_unit_test(the_startup_budget_ends_in_a_kill),
        cmocka_unit_test(crashes_are_backed_off),
        cmocka_unit_test(a_pod_of_long_standing_is_ready_and_costs_nothing),
        cmocka_unit_test(two_failures_and_a_success_change_nothing),
        cmocka_unit_test(errored_probes_count_nothing),
        cmocka_unit_test(the_recorder_holds_events_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
