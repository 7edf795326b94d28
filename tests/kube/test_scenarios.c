/* The real program against a cluster that is not there: a stand-in for kubectl carries its requests to an API within this test, whose pods are the simulated kubelet's over real servers. What goes wrong in a cluster
 * goes wrong here, one thing at a time; each time the pods must not be blamed for it, and all must recover by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "tests/support/drain.h"
#include "tests/support/fake_cluster.h"
#include "tests/support/watcher.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECONDS_MAX = 30, MANY = 50, NAME_SIZE = 64 };

struct scene {
    struct fake_cluster cluster;
    struct watcher watcher;
    bool watching;
};

static const struct fake_probe NONE = {.threshold = 0};
/* A busy machine answers late: only what is to time out is given little time. */
static const struct fake_probe MODELS = {.path = "/v1/models", .period = 1, .timeout = 3, .threshold = 3};
static const struct fake_probe HEALTH = {.path = "/health", .period = 1, .timeout = 3, .threshold = 3};
static const struct fake_probe LONG_START = {.path = "/v1/models", .period = 1, .timeout = 1, .threshold = 60};

/* ---- setting the scene ---- */

static int setup(void **state)
{
    struct scene *scene = mem_new(sizeof *scene);
    fake_cluster_begin(&scene->cluster);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    if (scene->watching)
        watcher_end(&scene->watcher);
    fake_cluster_end(&scene->cluster);
    mem_free(scene);
    return 0;
}

static struct fake_api *api(struct scene *scene)
{
    return fake_pods_api(scene->cluster.pods);
}

static void put_pool(struct scene *scene, const char *name, const char *labels)
{
    char members[256];
    snprintf(members, sizeof members, ",\"spec\":{\"selector\":{\"matchLabels\":{%s}}}", labels);
    fake_api_put(api(scene), FAKE_POOLS, "llm-d", name, name, "", members);
}

#define WATCH(scene, ...) watch(scene, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void watch(struct scene *scene, const char *const *arguments)
{
    watcher_start(&scene->watcher, scene->cluster.dir, "seen", &scene->cluster.loop, arguments);
    scene->watching = true;
}

#define AWAIT(scene, condition, user) assert_true(watcher_wait(&(scene)->watcher, condition, user, SECONDS_MAX))
#define HOLDS(scene, condition, user, seconds) assert_true(watcher_holds(&(scene)->watcher, condition, user, seconds))

static struct fake_pod *add_ready(struct scene *scene, const char *name)
{
    return fake_pods_add(
        scene->cluster.pods,
        &(struct fake_pod_options){.name = name, .workload = "decode", .liveness = HEALTH, .readiness = MODELS});
}

/* ---- what is waited for ---- */

static bool is_ready(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->stage == STAGE_READY && pod->lanes[LANE_READINESS].ok >= 2;
}

static bool is_gone(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->gone;
}

static bool source_is(const struct watcher *watcher, const void *state)
{
    return watcher->fleet->source == *(const enum source_state *)state;
}

static bool has_said(const struct watcher *watcher, const void *words)
{
    return watcher_said(watcher, words);
}

static uint64_t bad_answers(const struct watcher *watcher)
{
    uint64_t bad = 0;
    for (uint32_t i = 0; i < watcher->fleet->count; i++)
        for (int lane = 0; lane < LANE_COUNT; lane++)
            bad += watcher->fleet->pods[i]->lanes[lane].failed;
    return bad;
}

/* No pod is said to be broken, and no probe counted against one. */
static bool nobody_is_blamed(const struct watcher *watcher, const void *user)
{
    (void)user;
    for (uint32_t i = 0; i < watcher->fleet->count; i++)
        if (stage_is_broken(watcher->fleet->pods[i]->stage))
            return false;
    return bad_answers(watcher) == 0;
}

static const enum source_state WATCHING = SOURCE_WATCHING, NONE_FOUND = SOURCE_NONE_FOUND, LOST = SOURCE_LOST,
                               DENIED = SOURCE_DENIED, NO_CLUSTER = SOURCE_NO_CLUSTER;

struct answers {
    const char *name;
    uint64_t ok;
};
static bool answers_more(const struct watcher *watcher, const void *user)
{
    const struct answers *before = user;
    const struct pod *pod = watcher_pod(watcher, before->name);
    return pod && pod->lanes[LANE_READINESS].ok >= before->ok + 2 && pod->stage == STAGE_READY;
}

/* The usual beginning: a pod that is Ready, and is seen to be so by this way. */
static void watch_ready(struct scene *scene, const char *via)
{
    add_ready(scene, "decode-a");
    WATCH(scene, via);
    AWAIT(scene, is_ready, "decode-a");
}

/* The usual end of one program of several. */
static void end_watch(struct scene *scene)
{
    assert_int_equal(watcher_end(&scene->watcher), 128 + SIGTERM);
    scene->watching = false;
}

/* From here on probes get through again, and it is told. */
static void assert_recovers(struct scene *scene, const char *name)
{
    const struct pod *pod = watcher_pod(&scene->watcher, name);
    struct answers before = {name, pod ? pod->lanes[LANE_READINESS].ok : 0};
    AWAIT(scene, source_is, &WATCHING);
    AWAIT(scene, answers_more, &before);
}

/* ---- scenes ---- */

static void test_discovery(void **state)
{
    struct scene *scene = *state;
    fake_pods_add(scene->cluster.pods, &(struct fake_pod_options){.name = "by-label", .readiness = MODELS});
    fake_pods_add(scene->cluster.pods,
                  &(struct fake_pod_options){.name = "by-container", .labels = "\"app\":\"x\"", .readiness = MODELS});
    fake_pods_add(scene->cluster.pods, &(struct fake_pod_options){.name = "stranger",
                                                                  .labels = "\"app\":\"nginx\"",
                                                                  .container = "nginx",
                                                                  .image = "nginx:1.29",
                                                                  .readiness = NONE});
    WATCH(scene, "--via=portforward", "--context=fake");
    AWAIT(scene, is_ready, "by-label");
    AWAIT(scene, is_ready, "by-container");
    assert_null(watcher_pod(&scene->watcher, "stranger"));
    assert_true(watcher_said(&scene->watcher, "2 of 3 pods"));
    assert_string_equal(text_str(&watcher_pod(&scene->watcher, "by-label")->facts.via), "portforward");
    assert_string_equal(text_str(&watcher_pod(&scene->watcher, "by-label")->facts.context), "fake");
    assert_string_equal(text_str(&scene->watcher.fleet->title), "fake/llm-d");
    assert_int_equal(fake_cluster_processes(&scene->cluster, "kubectl", NULL), 1);
}

static void test_selectors(void **state)
{
    static const struct {
        const char *argument, *finds;
    } ROWS[] = {{"--selector=tier=gold", "gold"}, {"pod/silver", "silver"}, {"deploy/smith", "of-smith"}};
    struct scene *scene = *state;
    fake_pods_add(scene->cluster.pods,
                  &(struct fake_pod_options){
                      .name = "gold", .labels = "\"tier\":\"gold\"", .container = "x", .readiness = HEALTH});
    fake_pods_add(scene->cluster.pods,
                  &(struct fake_pod_options){
                      .name = "silver", .labels = "\"tier\":\"silver\"", .container = "x", .readiness = HEALTH});
    fake_pods_add(
        scene->cluster.pods,
        &(struct fake_pod_options){.name = "of-smith", .workload = "smith", .container = "x", .readiness = HEALTH});
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        WATCH(scene, ROWS[i].argument);
        AWAIT(scene, is_ready, ROWS[i].finds);
        assert_int_equal(scene->watcher.fleet->count, 1);
        end_watch(scene);
    }
}

static bool is_refused(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->lanes[LANE_STARTUP].failed >= 3 && pod->lanes[LANE_STARTUP].streak_cause == PROBE_CAUSE_REFUSED;
}

/* A server that loads refuses; that is the pod's own word, the tunnel stays up and is not made again. */
static void test_slow_start(void **state)
{
    struct scene *scene = *state;
    fake_pods_add(scene->cluster.pods,
                  &(struct fake_pod_options){
                      .name = "slow", .startup = LONG_START, .liveness = HEALTH, .readiness = MODELS, .loads = 6});
    WATCH(scene, "--via=portforward");
    AWAIT(scene, is_refused, "slow");
    const struct pod *pod = watcher_pod(&scene->watcher, "slow");
    assert_int_equal(pod->stage, STAGE_RUNNING);
    assert_false(pod->tunnel_down);
    assert_non_null(strstr(text_str(&pod->failures[0].detail), "inside namespace"));
    assert_non_null(strstr(text_str(&pod->failures[0].detail), "connect: connection refused"));
    assert_true(pod_budget(pod, watcher_now(&scene->watcher)).applies);
    assert_true(pod->log_count > 0);
    AWAIT(scene, is_ready, "slow");
    pod = watcher_pod(&scene->watcher, "slow");
    assert_int_equal(pod->kills, 0);
    assert_int_equal(pod->tunnel, TUNNEL_UP);
    assert_true(pod->loaded_at >= 0 && pod->ready_at >= 0);
    assert_int_equal(pod->model_count, 1);
    assert_int_equal(fake_api_requests(api(scene), "/slow/portforward"), 1);
}

static bool answers_well(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->lanes[LANE_READINESS].ok >= 3;
}

static bool is_told_in_time(const struct watcher *watcher, const void *name)
{
    const struct lane *lane = &watcher_pod(watcher, name)->lanes[LANE_READINESS];
    return lane->last_at - lane->last.sent < 900 * MILLISECOND_US;
}

/* Answers that end by the server's close come through a container runtime a second late; the kubelet, with its time-out of a second, sees them end at once. Here they are known before the next probe is due. */
static void test_answers_ended_by_close(void **state)
{
    static const struct fake_probe every_second = {.path = "/v1/models", .period = 1, .timeout = 1, .threshold = 3};
    struct scene *scene = *state;
    fake_api_hold(api(scene), 1000);
    struct fake_pod *bare =
        fake_pods_add(scene->cluster.pods, &(struct fake_pod_options){.name = "bare", .readiness = every_second});
    fake_pod_face(bare, FACE_BARE);
    WATCH(scene, "--via=portforward");
    AWAIT(scene, answers_well, "bare");
    AWAIT(scene, is_told_in_time, "bare");
    const struct lane *lane = &watcher_pod(&scene->watcher, "bare")->lanes[LANE_READINESS];
    assert_int_equal(lane->errored, 0);
    assert_int_equal(lane->failed, 0);
    assert_true(lane->last.total < SECOND_US / 2);
}

static bool sidecar_probed(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->stage == STAGE_READY && pod->lanes[LANE_SIDECAR_LIVENESS].ok >= 2 &&
           pod->lanes[LANE_SIDECAR_READINESS].ok >= 2;
}

static bool sidecar_decided(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->lanes[LANE_SIDECAR_LIVENESS].prober.on_hold &&
           pod->lanes[LANE_SIDECAR_READINESS].prober.stored == VERDICT_FAILURE;
}

static bool sidecar_blamed(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->stage == STAGE_DEGRADED && text_is(&pod->reason, "sidecar not ready: refused");
}

static bool sidecar_again(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->sidecar_run == 2 && sidecar_probed(watcher, name);
}

/* A native sidecar's own probes are sent, foretell its restart and no other, and its readiness is the pod's. */
static void test_sidecar(void **state)
{
    static const struct fake_probe own = {.path = "/health", .period = 1, .timeout = 1, .threshold = 3};
    struct scene *scene = *state;
    struct fake_pod *pod = fake_pods_add(scene->cluster.pods, &(struct fake_pod_options){.name = "decode",
                                                                                         .liveness = HEALTH,
                                                                                         .readiness = HEALTH,
                                                                                         .sidecar_liveness = own,
                                                                                         .sidecar_readiness = own});
    WATCH(scene, "--via=portforward");
    AWAIT(scene, sidecar_probed, "decode");
    const struct pod *seen = watcher_pod(&scene->watcher, "decode");
    assert_int_equal(seen->facts.serving_port, 8000);
    assert_int_equal(seen->facts.vllm_port, 8200);
    assert_int_equal(seen->lanes[LANE_SIDECAR_LIVENESS].failed, 0);
    assert_int_equal(seen->lanes[LANE_SIDECAR_LIVENESS].last.answerer, ANSWERER_SIDECAR);
    fake_pod_sidecar_refuses(pod, true);
    AWAIT(scene, sidecar_decided, "decode");
    assert_true(watcher_said(&scene->watcher, "connection refused"));
    assert_int_equal(seen->killed_run, 0);
    assert_int_equal(seen->lanes[LANE_LIVENESS].failed, 0);
    fake_pod_sidecar_is(pod, false, 0);
    AWAIT(scene, sidecar_blamed, "decode");
    fake_pod_sidecar_refuses(pod, false);
    fake_pod_sidecar_is(pod, true, 1);
    AWAIT(scene, sidecar_again, "decode");
    assert_int_equal(seen->run, 1);
    assert_int_equal(seen->facts.serving.restart_count, 0);
}

static bool was_killed(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->facts.serving.restart_count >= 1;
}

static void test_killed_by_startup(void **state)
{
    struct scene *scene = *state;
    struct fake_probe startup = {.path = "/v1/models", .period = 1, .timeout = 1, .threshold = 5};
    fake_pods_add(scene->cluster.pods, &(struct fake_pod_options){.name = "late", .startup = startup, .loads = -1});
    WATCH(scene, "--via=portforward");
    AWAIT(scene, is_refused, "late");
    const struct pod *pod = watcher_pod(&scene->watcher, "late");
    struct budget budget = pod_budget(pod, watcher_now(&scene->watcher));
    assert_int_equal(budget.threshold, 5);
    AWAIT(scene, was_killed, "late");
    pod = watcher_pod(&scene->watcher, "late");
    assert_int_equal(pod->killed_by, LANE_STARTUP);
    assert_int_equal(pod->killed_cause, PROBE_CAUSE_REFUSED);
    /* What was foretold, and what its kubelet did. */
    assert_in_range(pod->killed_at, (uint64_t)(budget.may_be_killed_from - SECOND_US),
                    (uint64_t)(budget.deadline + SECOND_US));
}

static bool lanes_are_unknown(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->lanes[LANE_READINESS].last.outcome == OUTCOME_UNKNOWN;
}

static void test_api_lost(void **state)
{
    struct scene *scene = *state;
    watch_ready(scene, "--via=portforward");
    fake_api_down(api(scene), true);
    AWAIT(scene, source_is, &LOST);
    AWAIT(scene, lanes_are_unknown, "decode-a");
    HOLDS(scene, nobody_is_blamed, NULL, 4);
    assert_true(watcher_said(&scene->watcher, "the API server cannot be reached"));
    assert_true(stage_rank(watcher_pod(&scene->watcher, "decode-a")->stage) <= stage_rank(STAGE_UNREACHABLE));
    fake_api_down(api(scene), false);
    assert_recovers(scene, "decode-a");
    assert_true(nobody_is_blamed(&scene->watcher, NULL));
    assert_int_equal(fake_cluster_starts(&scene->cluster, "proxy"), 1);
}

static void test_api_never_there(void **state)
{
    struct scene *scene = *state;
    add_ready(scene, "decode-a");
    fake_api_down(api(scene), true);
    WATCH(scene, "--via=portforward");
    AWAIT(scene, source_is, &LOST);
    assert_int_equal(scene->watcher.fleet->count, 0);
    fake_api_down(api(scene), false);
    AWAIT(scene, is_ready, "decode-a");
}

static void test_token_expires(void **state)
{
    struct scene *scene = *state;
    watch_ready(scene, "--via=portforward");
    fake_api_expire(api(scene), true);
    AWAIT(scene, source_is, &DENIED);
    AWAIT(scene, has_said, "log in again");
    HOLDS(scene, nobody_is_blamed, NULL, 3);
    fake_api_expire(api(scene), false);
    assert_recovers(scene, "decode-a");
}

/* Each right that is missing is named, with the Role that grants it; what can be seen without it is seen. */
static void test_denied(void **state)
{
    static const struct {
        const char *rights[2], *says;
        enum source_state source;
        bool probes; /* get through all the same */
    } ROWS[] = {
        {{"list pods", NULL}, "the right to list pods", SOURCE_DENIED, false},
        {{"watch pods", NULL}, "the right to watch pods", SOURCE_DENIED, false},
        {{"list events", NULL}, "the right to list events", SOURCE_WATCHING, true},
        {{"watch events", NULL}, "the right to watch events", SOURCE_WATCHING, true},
        {{"get pods/log", NULL}, "the right to get pods/log", SOURCE_WATCHING, true},
        {{"get pods/portforward", "create pods/portforward"}, "pods/portforward", SOURCE_WATCHING, false},
    };
    struct scene *scene = *state;
    fake_pods_add(scene->cluster.pods, &(struct fake_pod_options){.name = "decode-a", .readiness = MODELS, .loads = 3});
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        print_message("without %s\n", ROWS[i].rights[0]);
        fake_api_deny(api(scene), ROWS[i].rights[0]);
        if (ROWS[i].rights[1])
            fake_api_deny(api(scene), ROWS[i].rights[1]);
        WATCH(scene, "--via=portforward");
        AWAIT(scene, has_said, ROWS[i].says);
        AWAIT(scene, has_said, "kind: Role");
        AWAIT(scene, source_is, &ROWS[i].source);
        if (ROWS[i].probes)
            AWAIT(scene, is_ready, "decode-a");
        fake_api_deny(api(scene), NULL);
        end_watch(scene);
    }
}

/* What is needed only when a pod is there is asked for before one is: the right that is missing, by its name, and the Role, within a second of what else is told. */
static void test_denied_before_any_pod(void **state)
{
    static const struct {
        const char *right, *other, *via, *target, *says, *grants;
    } ROWS[] = {
        {"get pods/log", NULL, "--via=auto", NULL, "the right to get pods/log is missing", "pods/log"},
        {"create pods/portforward", "get pods/portforward", "--via=portforward", NULL,
         "the right to create pods/portforward is missing", "pods/portforward"},
        {"get pods/proxy", NULL, "--via=podproxy", NULL, "the right to get pods/proxy is missing", "pods/proxy"},
        {"list inferencepools", NULL, "--via=auto", "pool/mine", "the right to list inferencepools is missing",
         "inferencepools"},
        {"watch inferencepools", NULL, "--via=auto", "pool/mine", "the right to watch inferencepools is missing",
         "inferencepools"},
    };
    struct scene *scene = *state;
    put_pool(scene, "mine", "\"app\":\"vllm\"");
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        print_message("without %s\n", ROWS[i].right);
        fake_api_deny(api(scene), ROWS[i].right);
        if (ROWS[i].other)
            fake_api_deny(api(scene), ROWS[i].other);
        WATCH(scene, ROWS[i].via, ROWS[i].target);
        AWAIT(scene, has_said, ROWS[i].says);
        AWAIT(scene, has_said, "kind: Role");
        AWAIT(scene, has_said, ROWS[i].grants);
        fake_api_deny(api(scene), NULL);
        end_watch(scene);
    }
}

static bool has_log(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->log_count > 0;
}

/* With -A: each namespace in which a pod is seen is asked for, whether the pod runs or not; what is missing is named with it, and the rest goes on. */
static void test_denied_in_one_namespace(void **state)
{
    static const char *const rights[] = {"get pods/log in team-b", "get pods/portforward in team-b",
                                         "create pods/portforward in team-b"};
    static const char full[] = "0/8 nodes are available: 8 Insufficient nvidia.com/gpu.";
    struct scene *scene = *state;
    fake_pods_add(
        scene->cluster.pods,
        &(struct fake_pod_options){.name = "pending", .ns = "team-b", .unscheduled = full, .readiness = MODELS});
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++)
        fake_api_deny(api(scene), rights[i]);
    WATCH(scene, "-A", "--via=portforward");
    AWAIT(scene, has_said, "the right to get pods/log is missing in the namespace team-b");
    AWAIT(scene, has_said, "the right to create pods/portforward is missing in the namespace team-b");
    AWAIT(scene, has_said, "kind: ClusterRole");
    fake_pods_add(scene->cluster.pods, &(struct fake_pod_options){.name = "decode-a", .readiness = MODELS, .loads = 3});
    AWAIT(scene, has_log, "decode-a");
    AWAIT(scene, is_ready, "decode-a");
    assert_false(watcher_said(&scene->watcher, "namespace llm-d"));
    assert_false(watcher_said(&scene->watcher, "kind: Role"));
    assert_false(stage_is_broken(watcher_pod(&scene->watcher, "pending")->stage));
}

static bool twenty_are_ready(const struct watcher *watcher, const void *user)
{
    (void)user;
    return watcher->fleet->by_stage[STAGE_READY] == 20;
}

/* A cluster of many namespaces is not asked about all of them. */
static void test_many_namespaces(void **state)
{
    struct scene *scene = *state;
    char ns[NAME_SIZE];
    for (int i = 0; i < 10; i++) {
        snprintf(ns, sizeof ns, "team-%d", i);
        fake_pods_add(scene->cluster.pods,
                      &(struct fake_pod_options){.name = "decode-a", .ns = ns, .readiness = MODELS});
        fake_pods_add(scene->cluster.pods,
                      &(struct fake_pod_options){.name = "decode-b", .ns = ns, .readiness = MODELS});
    }
    WATCH(scene, "-A", "--via=portforward");
    AWAIT(scene, twenty_are_ready, NULL);
    assert_int_equal(fake_api_requests(api(scene), "probetop-asks-what-it-may/log"), 8);
    assert_int_equal(fake_api_requests(api(scene), "probetop-asks-what-it-may/portforward"), 8);
}

static bool is_hidden(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->gone;
}

/* A pool selects its pods by labels that may change, and it may come and go. */
static void test_pool(void **state)
{
    struct scene *scene = *state;
    fake_pods_add(scene->cluster.pods,
                  &(struct fake_pod_options){.name = "gold", .labels = "\"tier\":\"gold\"", .readiness = HEALTH});
    fake_pods_add(scene->cluster.pods,
                  &(struct fake_pod_options){.name = "silver", .labels = "\"tier\":\"silver\"", .readiness = HEALTH});
    WATCH(scene, "pool/mine");
    AWAIT(scene, has_said, "the cluster knows no InferencePools");
    end_watch(scene);
    put_pool(scene, "other", "\"tier\":\"silver\"");
    WATCH(scene, "pool/mine");
    AWAIT(scene, has_said, "there is no InferencePool mine in the namespace llm-d");
    AWAIT(scene, source_is, &NONE_FOUND);
    put_pool(scene, "mine", "\"tier\":\"gold\"");
    AWAIT(scene, is_ready, "gold");
    AWAIT(scene, source_is, &WATCHING);
    assert_int_equal(scene->watcher.fleet->count, 1);
    put_pool(scene, "mine", "\"tier\":\"silver\"");
    AWAIT(scene, is_ready, "silver");
    AWAIT(scene, is_hidden, "gold");
    assert_true(nobody_is_blamed(&scene->watcher, NULL));
    fake_api_delete(api(scene), FAKE_POOLS, "llm-d", "mine");
    AWAIT(scene, is_hidden, "silver");
    AWAIT(scene, source_is, &NONE_FOUND);
    put_pool(scene, "mine", "\"tier\":\"silver\"");
    AWAIT(scene, is_ready, "silver");
    assert_true(nobody_is_blamed(&scene->watcher, NULL));
}

static bool is_forbidden(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->tunnel == TUNNEL_FORBIDDEN;
}

/* By either way, and when it is permitted after all, it is seen. */
static void test_forbidden_tunnel_blames_nobody(void **state)
{
    static const struct {
        const char *via, *rights[2];
    } ROWS[] = {{"--via=portforward", {"get pods/portforward", "create pods/portforward"}},
                {"--via=podproxy", {"get pods/proxy", "get pods/proxy"}}};
    struct scene *scene = *state;
    add_ready(scene, "decode-a");
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        fake_api_deny(api(scene), ROWS[i].rights[0]);
        fake_api_deny(api(scene), ROWS[i].rights[1]);
        WATCH(scene, ROWS[i].via);
        AWAIT(scene, is_forbidden, "decode-a");
        AWAIT(scene, lanes_are_unknown, "decode-a");
        HOLDS(scene, nobody_is_blamed, NULL, 3);
        assert_true(watcher_said(&scene->watcher, "is missing in the namespace llm-d"));
        fake_api_deny(api(scene), NULL);
        assert_recovers(scene, "decode-a");
        assert_true(nobody_is_blamed(&scene->watcher, NULL));
        end_watch(scene);
    }
}

/* Where only the older way by POST is permitted, or known, that is taken. */
static void test_post_is_enough(void **state)
{
    struct scene *scene = *state;
    fake_api_deny(api(scene), "get pods/portforward");
    watch_ready(scene, "--via=portforward");
    assert_false(watcher_said(&scene->watcher, "is missing"));
}

static void test_old_server(void **state)
{
    struct scene *scene = *state;
    fake_api_old_server(api(scene), true);
    watch_ready(scene, "--via=portforward");
    assert_true(fake_api_requests(api(scene), "POST ") >= 1);
}

static void test_pod_replaced(void **state)
{
    struct scene *scene = *state;
    struct fake_pod *old = add_ready(scene, "decode-6d5b8f-aaaaa");
    WATCH(scene, "--via=portforward");
    AWAIT(scene, is_ready, "decode-6d5b8f-aaaaa");
    fake_pod_delete(old);
    add_ready(scene, "decode-6d5b8f-bbbbb");
    AWAIT(scene, is_gone, "decode-6d5b8f-aaaaa");
    AWAIT(scene, is_ready, "decode-6d5b8f-bbbbb");
    assert_string_equal(text_str(&watcher_pod(&scene->watcher, "decode-6d5b8f-bbbbb")->facts.workload),
                        "deploy/decode");
    assert_true(nobody_is_blamed(&scene->watcher, NULL));
    /* A StatefulSet's pod comes back under its own name. */
    old = add_ready(scene, "worker-0");
    AWAIT(scene, is_ready, "worker-0");
    uint32_t id = watcher_pod(&scene->watcher, "worker-0")->facts.id;
    fake_pod_delete(old);
    add_ready(scene, "worker-0");
    AWAIT(scene, is_ready, "worker-0");
    while (watcher_pod(&scene->watcher, "worker-0")->facts.id == id) {
        assert_false(scene->watcher.run.exited);
        watcher_turn(&scene->watcher);
    }
    AWAIT(scene, is_ready, "worker-0");
    assert_true(nobody_is_blamed(&scene->watcher, NULL));
}

/* Pods go because they were evicted, which is no fault of theirs, though their servers refuse while they end; their successors wait for a node, and are probed as soon as there is one. */
static void test_drained(void **state)
{
    static const char cordoned[] = "0/1 nodes are available: 1 node(s) were unschedulable.";
    struct scene *scene = *state;
    struct fake_pod *pods[DRAINED];
    char name[NAME_SIZE];
    for (int i = 0; i < DRAINED; i++) {
        snprintf(name, sizeof name, "decode-6d5b8f-%d", i);
        pods[i] = add_ready(scene, name);
    }
    WATCH(scene, "--via=portforward", "deploy/decode");
    AWAIT(scene, drain_is_ahead, NULL);
    for (int i = 0; i < DRAINED; i++) {
        snprintf(name, sizeof name, "decode-6d5b8f-%d", DRAINED + i);
        fake_pod_evict(pods[i]);
        pods[i] = fake_pods_add(
            scene->cluster.pods,
            &(struct fake_pod_options){
                .name = name, .workload = "decode", .unscheduled = cordoned, .liveness = HEALTH, .readiness = MODELS});
    }
    AWAIT(scene, drain_took, NULL);
    AWAIT(scene, drain_is_waited_for, NULL);
    assert_true(source_is(&scene->watcher, &WATCHING));
    for (int i = 0; i < DRAINED; i++)
        fake_pod_schedule(pods[i]);
    AWAIT(scene, drain_is_over, NULL);
    drain_assert_told_right(&scene->watcher, "deploy/decode");
}

static bool goes_by(const struct watcher *watcher, const void *via)
{
    const struct pod *pod = watcher_pod(watcher, "decode-a");
    return pod && text_is(&pod->facts.via, via) && pod->lanes[LANE_READINESS].ok >= 3 && pod->stage == STAGE_READY;
}

/* --via auto goes on to what works, and says why. No port-forward is answered with anything useful, and kubectl, which cannot do it either, ends at once. */
static void test_auto_without_forwards(void **state)
{
    struct scene *scene = *state;
    fake_api_no_forwards(api(scene), true);
    add_ready(scene, "decode-a");
    WATCH(scene, "--via=auto");
    AWAIT(scene, goes_by, "podproxy");
    assert_true(watcher_said(&scene->watcher, "kubectl port-forward instead"));
    assert_true(watcher_said(&scene->watcher, "the pods' proxy of the API server instead"));
    assert_true(nobody_is_blamed(&scene->watcher, NULL));
    assert_true(fake_cluster_starts(&scene->cluster, "port-forward") >= 2);
}

/* The right to a port-forward is missing, for kubectl as well; that to the pods' proxy is there. */
static void test_auto_forbidden_forward(void **state)
{
    struct scene *scene = *state;
    fake_api_deny(api(scene), "get pods/portforward");
    fake_api_deny(api(scene), "create pods/portforward");
    add_ready(scene, "decode-a");
    WATCH(scene, "--via=auto");
    AWAIT(scene, goes_by, "podproxy");
    assert_true(watcher_said(&scene->watcher, "pods' proxy of the API server instead"));
    assert_false(watcher_said(&scene->watcher, "kind: Role")); /* nothing is missing */
    assert_int_equal(fake_cluster_starts(&scene->cluster, "port-forward"), 0);
    fake_api_down(api(scene), true);
    AWAIT(scene, source_is, &LOST);
    HOLDS(scene, nobody_is_blamed, NULL, 2);
    fake_api_down(api(scene), false);
    assert_recovers(scene, "decode-a");
    assert_true(nobody_is_blamed(&scene->watcher, NULL));
}

/* By the pod's own name: what is allowed is asked by another, before or after that. */
static bool has_asked_once(const struct watcher *watcher, const void *api)
{
    (void)watcher;
    return fake_api_requests(api, "/decode-a:8000/proxy/health") == 1;
}

/* Neither right: the one that is asked for is the port-forward's. */
static void test_auto_nothing_allowed(void **state)
{
    struct scene *scene = *state;
    fake_api_deny(api(scene), "get pods/portforward");
    fake_api_deny(api(scene), "create pods/portforward");
    fake_api_deny(api(scene), "get pods/proxy");
    add_ready(scene, "decode-a");
    WATCH(scene, "--via=auto");
    AWAIT(scene, has_said, "kind: Role");
    assert_string_equal(text_str(&watcher_pod(&scene->watcher, "decode-a")->facts.via), "portforward");
    AWAIT(scene, has_asked_once, api(scene));
    HOLDS(scene, has_asked_once, api(scene), 2);
    assert_true(nobody_is_blamed(&scene->watcher, NULL));
}

/* An API server that answers nobody and closes nothing: said within seconds, whichever way the probes go, and no pod is blamed. */
static void silent_api(struct scene *scene, const char *via)
{
    watch_ready(scene, via);
    fake_api_freeze(api(scene), true);
    int64_t began = clock_mono_us();
    AWAIT(scene, source_is, &LOST);
    assert_true(clock_mono_us() - began < 5 * (int64_t)SECOND_US);
    assert_true(watcher_said(&scene->watcher, "the API server does not answer"));
    HOLDS(scene, nobody_is_blamed, NULL, 3);
    fake_api_freeze(api(scene), false);
    assert_recovers(scene, "decode-a");
    assert_true(nobody_is_blamed(&scene->watcher, NULL));
}

static void test_silent_api_by_portforward(void **state)
{
    silent_api(*state, "--via=portforward");
}

static void test_silent_api_by_podproxy(void **state)
{
    silent_api(*state, "--via=podproxy");
}

static bool lost_its_node(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    const struct lane *lane = pod ? &pod->lanes[LANE_READINESS] : NULL;
    return lane && lane->last.outcome == OUTCOME_UNKNOWN && lane->last.cause == PROBE_CAUSE_NODE_LOST;
}

/* The API server is well, but what lies behind a node is not to be reached: said within seconds with the node's name, whichever way the probes go, and none of its pods is blamed. */
static void lost_node(struct scene *scene, const char *via)
{
    char words[96];
    watch_ready(scene, via);
    const char *node = text_str(&watcher_pod(&scene->watcher, "decode-a")->facts.node);
    snprintf(words, sizeof words, "node %s does not answer the API server", node);
    fake_api_swallow(api(scene), node);
    AWAIT(scene, lost_its_node, "decode-a");
    AWAIT(scene, has_said, words);
    HOLDS(scene, nobody_is_blamed, NULL, 3);
    assert_true(source_is(&scene->watcher, &WATCHING));
    fake_api_swallow(api(scene), NULL);
    assert_recovers(scene, "decode-a");
    assert_true(nobody_is_blamed(&scene->watcher, NULL));
}

static void test_lost_node_by_portforward(void **state)
{
    lost_node(*state, "--via=portforward");
}

static void test_lost_node_by_podproxy(void **state)
{
    lost_node(*state, "--via=podproxy");
}

static bool hangs(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->lanes[LANE_READINESS].streak_failing && pod->lanes[LANE_READINESS].streak >= 3 &&
           pod->lanes[LANE_READINESS].streak_cause == PROBE_CAUSE_TIMEOUT_HEADERS;
}

/* A pod that hangs on a node that is well: its node is asked once for each probe that got no answer, and the pod is blamed; also where nobody may ask. */
static void test_hanging_by_podproxy(void **state)
{
    static const struct fake_probe quick = {.path = "/v1/models", .period = 1, .timeout = 1, .threshold = 3};
    static const char *const rights[] = {NULL, "get pods/log"};
    struct scene *scene = *state;
    struct fake_pod *pod =
        fake_pods_add(scene->cluster.pods, &(struct fake_pod_options){.name = "stuck", .readiness = quick});
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++) {
        if (rights[i])
            fake_api_deny(api(scene), rights[i]);
        fake_pod_face(pod, FACE_SERVING);
        WATCH(scene, "--via=podproxy");
        AWAIT(scene, is_ready, "stuck");
        size_t before = fake_api_requests(api(scene), "limitBytes=1");
        fake_pod_face(pod, FACE_FROZEN);
        AWAIT(scene, hangs, "stuck");
        const struct pod *seen = watcher_pod(&scene->watcher, "stuck");
        size_t silences = seen->lanes[LANE_READINESS].failed + seen->lanes[LANE_HEALTH].failed;
        assert_in_range(fake_api_requests(api(scene), "limitBytes=1") - before, 1, silences + 1);
        end_watch(scene);
    }
}

static bool is_denied(const struct watcher *watcher, const void *user)
{
    (void)user;
    return watcher->fleet->source == SOURCE_DENIED || watcher_said(watcher, "kind: Role");
}

static bool is_not_denied(const struct watcher *watcher, const void *user)
{
    return !is_denied(watcher, user);
}

/* An API server that has just begun refuses for a moment what it allows. */
static void test_forbidden_for_a_moment(void **state)
{
    static const char *const rights[] = {"list pods",    "watch pods",   "list events",
                                         "watch events", "get pods/log", "get pods/portforward"};
    struct scene *scene = *state;
    watch_ready(scene, "--via=portforward");
    fake_api_down(api(scene), true);
    AWAIT(scene, source_is, &LOST);
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++)
        fake_api_deny(api(scene), rights[i]);
    size_t before = fake_api_requests(api(scene), "");
    fake_api_down(api(scene), false);
    while (fake_api_requests(api(scene), "") < before + 2)
        uv_run(&scene->cluster.loop, UV_RUN_ONCE);
    fake_api_deny(api(scene), NULL);
    HOLDS(scene, is_not_denied, NULL, 1);
    assert_recovers(scene, "decode-a");
    assert_true(is_not_denied(&scene->watcher, NULL));
}

static void test_none_found(void **state)
{
    struct scene *scene = *state;
    fake_pods_add(scene->cluster.pods, &(struct fake_pod_options){.name = "web",
                                                                  .labels = "\"app\":\"web\"",
                                                                  .container = "web",
                                                                  .image = "example.org/shop/web:2",
                                                                  .readiness = NONE});
    WATCH(scene, "--via=portforward");
    AWAIT(scene, source_is, &NONE_FOUND);
    assert_true(watcher_said(&scene->watcher, "namespace llm-d"));
    assert_true(watcher_said(&scene->watcher, "1 pod"));
    assert_true(watcher_said(&scene->watcher, "(web)"));
    add_ready(scene, "decode-a");
    AWAIT(scene, is_ready, "decode-a");
    assert_true(source_is(&scene->watcher, &WATCHING));
}

static bool proxy_is_again(const struct watcher *watcher, const void *user)
{
    (void)watcher;
    return fake_cluster_starts(user, "proxy") >= 2;
}

static void test_proxy_killed(void **state)
{
    struct scene *scene = *state;
    pid_t proxy = 0;
    watch_ready(scene, "--via=portforward");
    assert_int_equal(fake_cluster_processes(&scene->cluster, "kubectl", &proxy), 1);
    kill(proxy, SIGKILL);
    AWAIT(scene, proxy_is_again, &scene->cluster);
    assert_recovers(scene, "decode-a");
    assert_true(nobody_is_blamed(&scene->watcher, NULL));
    assert_int_equal(fake_cluster_processes(&scene->cluster, "kubectl", NULL), 1);
}

static void test_forwards_cut(void **state)
{
    struct scene *scene = *state;
    watch_ready(scene, "--via=portforward");
    for (int i = 0; i < 3; i++) {
        fake_api_cut_forwards(api(scene));
        assert_recovers(scene, "decode-a");
    }
    assert_true(nobody_is_blamed(&scene->watcher, NULL));
}

/* Watches end in every way there is; no pod is lost, and none comes twice. */
static void test_watch_ends(void **state)
{
    struct scene *scene = *state;
    char name[NAME_SIZE];
    WATCH(scene, "--via=portforward");
    AWAIT(scene, source_is, &NONE_FOUND);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "decode-%d", i);
        add_ready(scene, name);
        if (i == 0) {
            fake_api_bookmark(api(scene));
            fake_api_end_watches(api(scene), false);
        } else if (i == 1) {
            fake_api_end_watches(api(scene), true);
        } else if (i == 2) {
            fake_api_forget(api(scene));
        }
        AWAIT(scene, is_ready, name);
    }
    assert_int_equal(scene->watcher.fleet->count, 4);
    assert_true(nobody_is_blamed(&scene->watcher, NULL));
}

static bool has_previous_log(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    for (uint32_t i = 0; pod && i < pod->log_count; i++)
        if (pod_log(pod, i)->previous && strstr(text_str(&pod_log(pod, i)->line), "CUDA out of memory"))
            return true;
    return false;
}

/* How the run before ended is read even by who comes later. */
static void test_crash(void **state)
{
    struct scene *scene = *state;
    struct fake_pod *pod = fake_pods_add(
        scene->cluster.pods,
        &(struct fake_pod_options){.name = "oom", .startup = LONG_START, .readiness = MODELS, .loads = -1});
    fake_api_log(api(scene), "llm-d", "oom", "vllm",
                 "(EngineCore pid=99) ERROR torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB");
    fake_pod_crash(pod, 1, "Error");
    while (fake_pod_restarts(pod) == 0)
        uv_run(&scene->cluster.loop, UV_RUN_ONCE);
    WATCH(scene, "--via=portforward");
    AWAIT(scene, is_refused, "oom");
    AWAIT(scene, has_previous_log, "oom");
    /* And live, whoever is there. */
    fake_api_log(api(scene), "llm-d", "oom", "vllm", "(EngineCore pid=7) ERROR RuntimeError: the second time");
    fake_pod_crash(pod, 1, "Error");
    AWAIT(scene, has_said, "the container ended");
    AWAIT(scene, has_said, "the second time");
}

static bool all_ready(const struct watcher *watcher, const void *user)
{
    (void)user;
    return watcher->fleet->by_stage[STAGE_READY] == MANY;
}

/* One kubectl, one session a pod, and a handful of requests besides. */
static bool all_answer(const struct watcher *watcher, const void *user)
{
    (void)user;
    for (uint32_t i = 0; i < watcher->fleet->count; i++)
        if (watcher->fleet->pods[i]->lanes[LANE_READINESS].ok == 0)
            return false;
    return watcher->fleet->count == MANY;
}

static void test_many(void **state)
{
    struct scene *scene = *state;
    char name[NAME_SIZE];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "decode-%d", i);
        fake_pods_add(scene->cluster.pods,
                      &(struct fake_pod_options){
                          .name = name, .workload = "decode", .startup = LONG_START, .readiness = MODELS, .loads = 3});
    }
    WATCH(scene, "--via=portforward");
    AWAIT(scene, all_ready, NULL);
    AWAIT(scene, all_answer, NULL); /* by our own probes too */
    assert_int_equal(fake_cluster_processes(&scene->cluster, "kubectl", NULL), 1);
    assert_int_equal(fake_api_forwards(api(scene)), MANY);
    assert_int_equal(fake_api_requests(api(scene), "/portforward"), MANY + 1); /* and one that asks for the right */
    assert_true(fake_api_requests(api(scene), "") - fake_api_requests(api(scene), "/portforward") -
                    fake_api_requests(api(scene), "/log") <=
                10);
    end_watch(scene);
    fake_cluster_assert_nothing_left(&scene->cluster);
}

static void test_nothing_left(void **state)
{
    static const int SIGNALS[] = {SIGTERM, SIGINT, SIGHUP};
    struct scene *scene = *state;
    add_ready(scene, "decode-a");
    for (size_t i = 0; i < sizeof SIGNALS / sizeof SIGNALS[0]; i++) {
        WATCH(scene, "--via=portforward");
        AWAIT(scene, is_ready, "decode-a");
        kill(scene->watcher.run.pid, SIGNALS[i]);
        assert_true(run_wait_exit(&scene->watcher.run));
        assert_int_equal(watcher_end(&scene->watcher), 128 + SIGNALS[i]);
        fake_cluster_assert_nothing_left(&scene->cluster);
    }
    /* While the API is away, and while kubectl is. */
    for (int i = 0; i < 2; i++) {
        pid_t proxy = 0;
        WATCH(scene, "--via=portforward");
        AWAIT(scene, is_ready, "decode-a");
        fake_api_down(api(scene), true);
        if (i == 1 && fake_cluster_processes(&scene->cluster, "kubectl", &proxy) == 1)
            kill(proxy, SIGKILL);
        AWAIT(scene, source_is, &LOST);
        end_watch(scene);
        fake_cluster_assert_nothing_left(&scene->cluster);
        fake_api_down(api(scene), false);
    }
}

/* Ended in the middle of its beginning, at any moment of it. */
static void test_ended_early(void **state)
{
    enum { TIMES = 24, TURNS = 2 };
    struct scene *scene = *state;
    add_ready(scene, "decode-a");
    for (int i = 0; i < TIMES; i++) {
        int before = fake_cluster_starts(&scene->cluster, "proxy");
        WATCH(scene, "--via=portforward");
        while (fake_cluster_starts(&scene->cluster, "proxy") == before && !scene->watcher.run.exited)
            watcher_turn(&scene->watcher);
        for (int turn = 0; turn < TURNS * i; turn++)
            watcher_turn(&scene->watcher);
        end_watch(scene);
    }
    fake_cluster_assert_nothing_left(&scene->cluster);
}

/* Nobody can tidy up after that, but no process lives on. */
static void test_killed(void **state)
{
    struct scene *scene = *state;
    watch_ready(scene, "--via=portforward");
    kill(scene->watcher.run.pid, SIGKILL);
    int64_t deadline = clock_mono_us() + SECONDS_MAX * (int64_t)SECOND_US;
    while (fake_cluster_processes(&scene->cluster, "kubectl", NULL) > 0 && clock_mono_us() < deadline)
        uv_run(&scene->cluster.loop, UV_RUN_NOWAIT);
    assert_int_equal(fake_cluster_processes(&scene->cluster, "kubectl", NULL), 0);
}

static void kubectl_words(const struct scene *scene, const char *name, const char *words)
{
    char path[160];
    snprintf(path, sizeof path, "%s.%s", scene->cluster.socket, name);
    FILE *file = words ? fopen(path, "w") : NULL;
    if (!words) {
        unlink(path);
    } else {
        fputs(words, file);
        fclose(file);
    }
}

static void test_no_context(void **state)
{
    struct scene *scene = *state;
    add_ready(scene, "decode-a");
    kubectl_words(scene, "fail", "error: context \"prod\" does not exist\n");
    WATCH(scene, "--context=prod");
    AWAIT(scene, has_said, "no such context");
    AWAIT(scene, source_is, &NO_CLUSTER);
    /* Somebody mends the kubeconfig. */
    kubectl_words(scene, "fail", NULL);
    utimensat(AT_FDCWD, scene->cluster.socket, (const struct timespec[]){{.tv_sec = 1}, {.tv_sec = 1}}, 0);
    AWAIT(scene, is_ready, "decode-a");
    AWAIT(scene, source_is, &WATCHING);
}

/* A login that has run out, as most people meet it. */
static void test_plugin_fails(void **state)
{
    struct scene *scene = *state;
    watch_ready(scene, "--via=portforward");
    kubectl_words(
        scene, "plugin",
        "Get \"https://127.0.0.1:6443/api\": getting credentials: exec: executable aws failed with exit code 255");
    fake_api_down(api(scene), true);
    fake_api_down(api(scene), false);
    AWAIT(scene, has_said, "log in");
    AWAIT(scene, lanes_are_unknown, "decode-a");
    HOLDS(scene, nobody_is_blamed, NULL, 3);
    kubectl_words(scene, "plugin", NULL);
    assert_recovers(scene, "decode-a");
}

/* ---- check ---- */

static int check(struct scene *scene, struct run *run, const char *const *arguments)
{
    const char *all[8] = {getenv("PROBETOP"), "check"};
    for (size_t i = 0; arguments[i] && i < 5; i++)
        all[i + 2] = arguments[i];
    run_start(run, all, scene->cluster.dir, &scene->cluster.loop);
    assert_true(run_wait_exit(run));
    return run_code(run);
}

static void test_check(void **state)
{
    struct scene *scene = *state;
    struct run run;
    struct fake_pod *pod = add_ready(scene, "decode-a");
    while (!fake_pod_ready(pod))
        uv_run(&scene->cluster.loop, UV_RUN_ONCE);
    int code = check(scene, &run, (const char *const[]){"-o", "json", NULL});
    const char *begin = strchr(buf_str(&run.out), '{');
    struct json *report = NULL;
    assert_int_equal(code, 0);
    assert_non_null(begin);
    assert_int_equal(json_parse(begin, strlen(begin), RUN_WAIT_MS * 100, &report, NULL), STATUS_OK);
    const struct json *told = json_first(json_get(report, "pods"));
    assert_string_equal(json_string(json_get(told, "name")), "decode-a");
    assert_int_equal(json_count(json_get(report, "pods")), 1);
    json_free(report);
    run_end(&run);
    fake_cluster_assert_nothing_left(&scene->cluster);

    fake_api_down(api(scene), true);
    assert_int_equal(check(scene, &run, (const char *const[]){"--for=3s", NULL}), 2);
    assert_non_null(strstr(buf_str(&run.out), "the API server cannot be reached"));
    run_end(&run);
    fake_api_down(api(scene), false);

    fake_api_deny(api(scene), "list pods");
    assert_int_equal(check(scene, &run, (const char *const[]){NULL}), 2);
    assert_non_null(strstr(buf_str(&run.out), "the right to list pods"));
    run_end(&run);
    fake_cluster_assert_nothing_left(&scene->cluster);
}

int main(void)
{
#define SCENE(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {SCENE(discovery),
                                       SCENE(selectors),
                                       SCENE(slow_start),
                                       SCENE(answers_ended_by_close),
                                       SCENE(auto_without_forwards),
                                       SCENE(auto_forbidden_forward),
                                       SCENE(auto_nothing_allowed),
                                       SCENE(silent_api_by_portforward),
                                       SCENE(silent_api_by_podproxy),
                                       SCENE(lost_node_by_portforward),
                                       SCENE(lost_node_by_podproxy),
                                       SCENE(hanging_by_podproxy),
                                       SCENE(forbidden_for_a_moment),
                                       SCENE(sidecar),
                                       SCENE(killed_by_startup),
                                       SCENE(api_lost),
                                       SCENE(api_never_there),
                                       SCENE(token_expires),
                                       SCENE(denied),
                                       SCENE(denied_before_any_pod),
                                       SCENE(denied_in_one_namespace),
                                       SCENE(many_namespaces),
                                       SCENE(pool),
                                       SCENE(forbidden_tunnel_blames_nobody),
                                       SCENE(post_is_enough),
                                       SCENE(old_server),
                                       SCENE(pod_replaced),
                                       SCENE(drained),
                                       SCENE(none_found),
                                       SCENE(proxy_killed),
                                       SCENE(forwards_cut),
                                       SCENE(watch_ends),
                                       SCENE(crash),
                                       SCENE(many),
                                       SCENE(nothing_left),
                                       SCENE(ended_early),
                                       SCENE(killed),
                                       SCENE(no_context),
                                       SCENE(plugin_fails),
                                       SCENE(check)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
