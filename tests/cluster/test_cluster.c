/* probetop beside a real kubelet: pods that follow a script (pod_server.c), with real probes, and what probetop says of them against what Kubernetes did.
 *
 * Needs a cluster by KUBECONFIG, kubectl, and PROBETOP_IMAGE_LOADER: a command that is given an image's name and a program, and makes that image of it where the cluster's nodes find it; skips itself otherwise. With
 * PROBETOP_CLUSTER_CONTROL, a command that takes `kill`, `start`, `freeze` and `thaw` with a PART, the API server and the kubelet are taken away too. Everything happens in namespaces of its own, which it removes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/hints.h"
#include "tests/support/cluster.h"
#include "tests/support/drain.h"
#include "tests/support/watcher.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS_MAX = 90, TEXT_MAX = 1 << 17, MANY = 50, NEAR_US = SECOND_US, STEP_US = SECOND_US / 4, STEPS = 40 };

struct cluster {
    bool skip;
    char dir[64], ns[64], many[64];
    struct watcher watcher; /* of everything in `ns`, from before its first pod */
    bool watching;
};

/* The one cluster of this program: cmocka's group state. */
static struct cluster *cluster_of(void **state)
{
    struct cluster *cluster = *state;
    if (cluster->skip)
        skip();
    return cluster;
}

/* ---- pods ---- */

struct pod_row {
    const char *name;
    const char *command; /* of pod_server, as a YAML list's inside */
    const char *probes;  /* YAML members of the container */
    const char *set;     /* the label of that name */
};

#define PROBE(kind, path, numbers) kind ": {httpGet: {path: " path ", port: 8000}, " numbers "}"
#define STARTUP(numbers) PROBE("startupProbe", "/v1/models", numbers)
#define LIVENESS(numbers) PROBE("livenessProbe", "/health", numbers)
#define READINESS(numbers) PROBE("readinessProbe", "/v1/models", numbers)

static const struct pod_row SPECS[] = {
    /* the stages of a start */
    {"slow", "'load:12', ok", STARTUP("periodSeconds: 1, failureThreshold: 60") ", " READINESS("periodSeconds: 1"),
     "one"},
    /* killed by the start-up probe, by several specs */
    {"late-1-6", "refuse", STARTUP("periodSeconds: 1, failureThreshold: 6"), "late"},
    {"late-2-4", "refuse", STARTUP("initialDelaySeconds: 3, periodSeconds: 2, failureThreshold: 4"), "late"},
    {"late-3-3", "hang", STARTUP("periodSeconds: 3, failureThreshold: 3, timeoutSeconds: 2"), "late"},
    {"late-5-3", "error", STARTUP("periodSeconds: 5, failureThreshold: 3"), "late"},
    /* killed by the liveness probe */
    {"dies", "'ok:12', dead", LIVENESS("periodSeconds: 2, failureThreshold: 3"), "one"},
    /* out of the endpoints and back */
    {"flaps", "'ok:12', 'error:8', ok",
     LIVENESS("periodSeconds: 2, failureThreshold: 30") ", " READINESS("periodSeconds: 1, failureThreshold: 3"), "one"},
    /* what a server can do, for every kind of tunnel */
    {"fine", "ok", READINESS("periodSeconds: 1"), "manners"},
    {"refuses", "refuse", READINESS("periodSeconds: 1"), "manners"},
    {"hangs", "hang", READINESS("periodSeconds: 1"), "manners"},
    {"errs", "error", READINESS("periodSeconds: 1"), "manners"},
    /* A reset comes through a port-forward a second late. */
    {"resets", "reset", READINESS("periodSeconds: 1, timeoutSeconds: 3"), "manners"},
    /* So does the end of an answer that nothing else ends; the kubelet sees it at once. */
    {"bare", "bare", READINESS("periodSeconds: 2"), "manners"},
    {"loopback", "'--host', '127.0.0.1', ok", READINESS("periodSeconds: 1"), "manners"},
};

static void put_pod_spec(struct buf *yaml, const char *command, const char *probes)
{
    buf_printf(
        yaml,
        "{terminationGracePeriodSeconds: 1, automountServiceAccountToken: false, containers: [{name: vllm, image: "
        "'local/probetop-pod:1', imagePullPolicy: Never, command: [pod_server, %s], ports: [{containerPort: 8000}]",
        command);
    buf_printf(yaml, ", %s}]}", probes);
}

static void put_pod(struct buf *yaml, const char *ns, const struct pod_row *row)
{
    buf_printf(yaml,
               "---\n{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: %s, labels: {app: vllm, set: %s}}, ",
               row->name, ns, row->set);
    buf_puts(yaml, "spec: ");
    put_pod_spec(yaml, row->command, row->probes);
    buf_puts(yaml, "}\n");
}

static void put_deployment(struct buf *yaml, const char *ns, const char *name, int replicas)
{
    buf_printf(yaml,
               "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: %s, namespace: %s}, spec: {replicas: %d, "
               "selector: {matchLabels: {set: %s}}, template: {metadata: {labels: {app: vllm, set: %s}}, spec: ",
               name, ns, replicas, name, name);
    put_pod_spec(yaml, "'load:3', ok",
                 STARTUP("periodSeconds: 1, failureThreshold: 60") ", " READINESS("periodSeconds: 5"));
    buf_puts(yaml, "}}}\n");
}

/* ---- setting up ---- */

static int group_setup(void **state)
{
    struct cluster *cluster = mem_new(sizeof *cluster);
    struct buf yaml;
    *state = cluster;
    run_directory(cluster->dir);
    cluster->skip = !cluster_is_there() || !cluster_has_pod_server(cluster->dir);
    if (cluster->skip)
        return 0;
    cluster_environment(cluster->dir);
    snprintf(cluster->ns, sizeof cluster->ns, "probetop-%d", (int)getpid());
    snprintf(cluster->many, sizeof cluster->many, "probetop-%d-many", (int)getpid());
    cluster_namespace(cluster->dir, cluster->ns);
    cluster_namespace(cluster->dir, cluster->many);
    watcher_start(&cluster->watcher, cluster->dir, "all", NULL,
                  (const char *const[]){"-n", cluster->ns, "--via=portforward", NULL});
    cluster->watching = true;
    buf_init(&yaml, TEXT_MAX);
    for (size_t i = 0; i < sizeof SPECS / sizeof SPECS[0]; i++)
        put_pod(&yaml, cluster->ns, &SPECS[i]);
    put_deployment(&yaml, cluster->ns, "rolling", 1);
    cluster_apply(cluster->dir, buf_str(&yaml));
    buf_free(&yaml);
    return 0;
}

static int group_teardown(void **state)
{
    struct cluster *cluster = *state;
    if (cluster->watching)
        watcher_end(&cluster->watcher);
    if (!cluster->skip) {
        cluster_namespace_end(cluster->dir, cluster->ns);
        cluster_namespace_end(cluster->dir, cluster->many);
    }
    run_directory_remove(cluster->dir);
    mem_free(cluster);
    return 0;
}

/* ---- what Kubernetes says ---- */

/* "2026-11-24T07:20:55.123456789Z" as Unix µs. */
static int64_t moment_of(const char *stamp)
{
    struct tm parts = {0};
    const char *rest = strptime(stamp, "%Y-%m-%dT%H:%M:%S", &parts);
    assert_non_null(rest);
    double fraction = *rest == '.' ? strtod(rest, NULL) : 0;
    return (int64_t)timegm(&parts) * SECOND_US + (int64_t)(fraction * SECOND_US);
}

/* When the container's first run got its SIGTERM, by the container runtime's own stamp. */
static int64_t killed_at(const struct cluster *cluster, const char *name)
{
    struct buf out;
    buf_init(&out, TEXT_MAX);
    assert_int_equal(CLUSTER_KUBECTL(cluster->dir, &out, "logs", "-n", cluster->ns, "--previous", "--timestamps", name),
                     0);
    const char *word = strstr(buf_str(&out), " pod_server: SIGTERM");
    assert_non_null(word);
    while (word > buf_str(&out) && word[-1] != '\n')
        word--;
    int64_t moment = moment_of(word);
    buf_free(&out);
    return moment;
}

/* A field of the pod, by kubectl's JSONPath. */
static void field(const struct cluster *cluster, const char *name, const char *path, struct buf *out)
{
    char argument[256];
    snprintf(argument, sizeof argument, "jsonpath=%s", path);
    assert_int_equal(CLUSTER_KUBECTL(cluster->dir, out, "get", "pod", "-n", cluster->ns, name, "-o", argument), 0);
}

/* ---- what is waited for ---- */

static bool is_ready(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->stage == STAGE_READY && pod->facts.ready.status == TRI_TRUE && pod->model_count == 1;
}

static bool was_killed(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->facts.serving.restart_count >= 1;
}

static bool source_is(const struct watcher *watcher, const void *state)
{
    return watcher->fleet->source == *(const enum source_state *)state;
}
static const enum source_state WATCHING = SOURCE_WATCHING, LOST = SOURCE_LOST;

#define AWAIT(watcher, condition, user) assert_true(watcher_wait(watcher, condition, user, SECONDS_MAX))

static bool passed_through(const struct pod *pod, enum stage stage)
{
    for (uint32_t i = 0; i < pod->spans.count; i++)
        if (pod->spans.list[i].stage == stage)
            return true;
    return false;
}

/* ---- tests ---- */

static void test_slow_start(void **state)
{
    struct cluster *cluster = cluster_of(state);
    struct buf out;
    AWAIT(&cluster->watcher, is_ready, "slow");
    const struct pod *pod = watcher_pod(&cluster->watcher, "slow");
    assert_true(passed_through(pod, STAGE_CREATING));
    assert_true(passed_through(pod, STAGE_RUNNING));
    assert_true(pod->lanes[LANE_STARTUP].failed >= 5);
    assert_int_equal(pod->facts.serving.restart_count, 0);
    assert_true(pod->log_count > 20); /* followed while it loaded */
    buf_init(&out, TEXT_MAX);
    field(cluster, "slow", "{.status.conditions[?(@.type==\"Ready\")].lastTransitionTime}", &out);
    int64_t theirs = moment_of(buf_str(&out)), ours = fleet_wall(cluster->watcher.fleet, pod->ready_at);
    buf_free(&out);
    print_message("Ready: the kubelet's %.3f s after ours\n", (double)(theirs - ours) / SECOND_US);
    assert_true(theirs - ours < 2 * SECOND_US && ours - theirs < 2 * SECOND_US);
    /* Halfway it was told as loading, with what it was doing. */
    struct fleet *then = watcher_fleet_at(&cluster->watcher, ours - 6 * SECOND_US);
    pod = NULL;
    for (uint32_t i = 0; i < then->count; i++)
        pod = text_is(&then->pods[i]->facts.name, "slow") ? then->pods[i] : pod;
    assert_non_null(pod);
    assert_int_equal(pod->stage, STAGE_RUNNING);
    print_message("six seconds before it was Ready: %s\n", text_str(&pod->reason));
    assert_false(text_empty(&pod->reason));
    fleet_free(then);
}

static const struct pod *pod_in(const struct fleet *fleet, const char *name)
{
    for (uint32_t i = fleet->count; i > 0; i--)
        if (text_is(&fleet->pods[i - 1]->facts.name, name))
            return fleet->pods[i - 1];
    return NULL;
}

/* What was foretold last before the kubelet did it, or before our own probes had it decided, less what it did; both Unix µs. */
static int64_t foretold(const struct cluster *cluster, const char *name, enum lane_kind lane, int64_t kill)
{
    int64_t off = INT64_MAX;
    for (int step = 1; step <= STEPS && off == INT64_MAX; step++) {
        int64_t wall = kill - step * (int64_t)STEP_US;
        struct fleet *then = watcher_fleet_at(&cluster->watcher, wall);
        const struct pod *pod = pod_in(then, name);
        int64_t zero = then->clock.wall_zero;
        if (pod) {
            struct forecast forecast = pod_forecast(pod, lane, wall - zero);
            off = forecast.consequence == CONSEQUENCE_RESTART ? fleet_wall(then, forecast.at) - kill : INT64_MAX;
            if (off != INT64_MAX) {
                print_message("%s: foretold at %.2f of the run %.2f s %s, when %d of %d failures were seen\n", name,
                              (double)(wall - zero - pod->run_began) / SECOND_US,
                              (double)(off < 0 ? -off : off) / SECOND_US, off < 0 ? "too early" : "too late",
                              (int)forecast.count, (int)forecast.threshold);
            }
        }
        fleet_free(then);
    }
    return off;
}

static void assert_foretold(const struct cluster *cluster, const char *name, enum lane_kind lane)
{
    int64_t off = foretold(cluster, name, lane, killed_at(cluster, name));
    if (off > NEAR_US || off < -NEAR_US)
        fail_msg("%s: the %s probe's restart was not foretold within a second", name, lane_name(lane));
}

static void test_startup_kill_foretold(void **state)
{
    struct cluster *cluster = cluster_of(state);
    for (size_t i = 0; i < sizeof SPECS / sizeof SPECS[0]; i++)
        if (strcmp(SPECS[i].set, "late") == 0)
            AWAIT(&cluster->watcher, was_killed, SPECS[i].name);
    for (size_t i = 0; i < sizeof SPECS / sizeof SPECS[0]; i++) {
        if (strcmp(SPECS[i].set, "late") == 0) {
            assert_foretold(cluster, SPECS[i].name, LANE_STARTUP);
            assert_int_equal(watcher_pod(&cluster->watcher, SPECS[i].name)->killed_by, LANE_STARTUP);
        }
    }
}

static void test_liveness_restart(void **state)
{
    struct cluster *cluster = cluster_of(state);
    AWAIT(&cluster->watcher, was_killed, "dies");
    assert_foretold(cluster, "dies", LANE_LIVENESS);
    const struct pod *pod = watcher_pod(&cluster->watcher, "dies");
    assert_int_equal(pod->killed_by, LANE_LIVENESS);
    /* NONE: the kubelet had it decided before our own third failure. */
    assert_true(pod->killed_cause == PROBE_CAUSE_ENGINE_DEAD || pod->killed_cause == PROBE_CAUSE_NONE);
    assert_true(pod->engine_died_before || pod->engine_dead);
}

static bool has_flapped(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && passed_through(pod, STAGE_DEGRADED) && is_ready(watcher, name);
}

static void test_readiness_flap(void **state)
{
    struct cluster *cluster = cluster_of(state);
    AWAIT(&cluster->watcher, has_flapped, "flaps");
    const struct pod *pod = watcher_pod(&cluster->watcher, "flaps");
    assert_int_equal(pod->facts.serving.restart_count, 0);
    assert_true(pod->lanes[LANE_READINESS].failed >= 3);
}

/* ---- every kind of tunnel ---- */

enum { VIAS = 4, MANNERS = 7 };
static const char *const VIA[VIAS] = {"portforward", "kubectl", "podproxy", "direct"};
static const struct {
    const char *name;
    enum probe_cause cause[VIAS]; /* NONE: it answers well */
    bool either;                  /* a reset shows as an empty answer where streams lie between */
} MANNER[MANNERS] = {
    {"fine", {PROBE_CAUSE_NONE, PROBE_CAUSE_NONE, PROBE_CAUSE_NONE, PROBE_CAUSE_NONE}, false},
    {"refuses", {PROBE_CAUSE_REFUSED, PROBE_CAUSE_REFUSED, PROBE_CAUSE_REFUSED, PROBE_CAUSE_REFUSED}, false},
    {"hangs",
     {PROBE_CAUSE_TIMEOUT_HEADERS, PROBE_CAUSE_TIMEOUT_HEADERS, PROBE_CAUSE_TIMEOUT_HEADERS,
      PROBE_CAUSE_TIMEOUT_HEADERS},
     false},
    {"errs", {PROBE_CAUSE_STATUS, PROBE_CAUSE_STATUS, PROBE_CAUSE_STATUS, PROBE_CAUSE_STATUS}, false},
    {"resets", {PROBE_CAUSE_RESET, PROBE_CAUSE_RESET, PROBE_CAUSE_RESET, PROBE_CAUSE_RESET}, true},
    {"bare", {PROBE_CAUSE_NONE, PROBE_CAUSE_NONE, PROBE_CAUSE_NONE, PROBE_CAUSE_NONE}, false},
    /* The tunnel dials localhost in the pod, the kubelet and the others its IP. */
    {"loopback", {PROBE_CAUSE_NONE, PROBE_CAUSE_NONE, PROBE_CAUSE_REFUSED, PROBE_CAUSE_REFUSED}, false},
};

static bool all_judged(const struct watcher *watcher, const void *user)
{
    (void)user;
    for (size_t i = 0; i < MANNERS; i++) {
        const struct pod *pod = watcher_pod(watcher, MANNER[i].name);
        if (!pod || pod->lanes[LANE_READINESS].streak < 2)
            return false;
    }
    return true;
}

static void judge(const struct watcher *watcher, size_t via)
{
    for (size_t i = 0; i < MANNERS; i++) {
        const struct lane *lane = &watcher_pod(watcher, MANNER[i].name)->lanes[LANE_READINESS];
        enum probe_cause wanted = MANNER[i].cause[via];
        enum probe_cause seen = lane->streak_failing ? lane->streak_cause : PROBE_CAUSE_NONE;
        if (seen != wanted && !(MANNER[i].either && seen == PROBE_CAUSE_EMPTY)) {
            fail_msg("%s through %s: %s, expected %s (%s)", MANNER[i].name, VIA[via], probe_cause_name(seen),
                     probe_cause_name(wanted), text_str(&lane->last.detail));
        }
    }
}

static void test_manners(void **state, size_t via)
{
    struct cluster *cluster = cluster_of(state);
    struct watcher watcher;
    char flag[32];
    snprintf(flag, sizeof flag, "--via=%s", VIA[via]);
    watcher_start(&watcher, cluster->dir, VIA[via], NULL,
                  (const char *const[]){"-n", cluster->ns, "-l", "set=manners", flag, NULL});
    assert_true(watcher_wait(&watcher, all_judged, NULL, SECONDS_MAX));
    judge(&watcher, via);
    assert_int_equal(watcher_end(&watcher), 128 + SIGTERM);
}

static void test_through_portforward(void **state)
{
    test_manners(state, 0);
}

static void test_through_kubectl(void **state)
{
    test_manners(state, 1);
}

static void test_through_podproxy(void **state)
{
    test_manners(state, 2);
}

static void test_through_direct(void **state)
{
    test_manners(state, 3);
}

/* ---- why ---- */

static const struct behind {
    const char *pod;
    enum cause cause;
} BEHIND[] = {
    {"hangs", CAUSE_SERVER_HANGS},
    {"late-1-6", CAUSE_STARTUP_BUDGET_EXCEEDED},
    {"late-2-4", CAUSE_STARTUP_BUDGET_EXCEEDED},
    {"fine", CAUSE_HEALTHY},
};

static bool is_explained(const struct watcher *watcher, const void *user)
{
    const struct behind *behind = user;
    const struct pod *pod = watcher_pod(watcher, behind->pod);
    struct hints hints;
    if (!pod)
        return false;
    pod_hints(watcher->fleet, pod, watcher->fleet->t, &hints);
    bool found = hints.verdict == behind->cause;
    hints_free(&hints);
    return found;
}

/* The first hint about each pod is what is behind it, by the kubelet's own words beside our probes. */
static void test_behind(void **state)
{
    struct cluster *cluster = cluster_of(state);
    for (size_t i = 0; i < sizeof BEHIND / sizeof BEHIND[0]; i++)
        if (!watcher_wait(&cluster->watcher, is_explained, &BEHIND[i], SECONDS_MAX))
            fail_msg("%s: no %s", BEHIND[i].pod, cause_label(BEHIND[i].cause));
}

/* ---- replaced, and many ---- */

static bool is_replaced(const struct watcher *watcher, const void *name)
{
    const struct pod *now = watcher_pod(watcher, "rolling-");
    return now && !now->gone && !text_is(&now->facts.name, name) && is_ready(watcher, "rolling-");
}

static bool is_gone(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->gone;
}

static void test_replaced(void **state)
{
    struct cluster *cluster = cluster_of(state);
    char old[256];
    AWAIT(&cluster->watcher, is_ready, "rolling-");
    snprintf(old, sizeof old, "%s", text_str(&watcher_pod(&cluster->watcher, "rolling-")->facts.name));
    assert_int_equal(CLUSTER_KUBECTL(cluster->dir, NULL, "delete", "pod", "-n", cluster->ns, old, "--wait=false"), 0);
    AWAIT(&cluster->watcher, is_replaced, old);
    AWAIT(&cluster->watcher, is_gone, old);
    const struct pod *was = watcher_pod(&cluster->watcher, old), *is = watcher_pod(&cluster->watcher, "rolling-");
    assert_string_equal(text_str(&was->facts.workload), "deploy/rolling");
    assert_string_equal(text_str(&is->facts.workload), "deploy/rolling");
    assert_false(stage_is_broken(was->stage));
}

/* The pods go because they were evicted, which is no fault of theirs; their successors wait for a node, and are probed as soon as there is one. */
static void test_drained(void **state)
{
    struct cluster *cluster = cluster_of(state);
    struct buf yaml, node;
    struct watcher watcher;
    buf_init(&yaml, TEXT_MAX);
    buf_init(&node, TEXT_MAX);
    put_deployment(&yaml, cluster->ns, "drained", DRAINED);
    watcher_start(&watcher, cluster->dir, "drained", NULL,
                  (const char *const[]){"-n", cluster->ns, "deploy/drained", "--via=portforward", NULL});
    cluster_apply(cluster->dir, buf_str(&yaml));
    AWAIT(&watcher, drain_is_ahead, NULL);
    field(cluster, text_str(&watcher.fleet->pods[0]->facts.name), "{.spec.nodeName}", &node);
    int drained = CLUSTER_KUBECTL(cluster->dir, NULL, "drain", buf_str(&node), "--pod-selector=set=drained",
                                  "--ignore-daemonsets", "--timeout=30s");
    bool took = watcher_wait(&watcher, drain_took, NULL, SECONDS_MAX);
    bool waits = watcher_wait(&watcher, drain_is_waited_for, NULL, SECONDS_MAX);
    /* The others need it back, whatever came of this. */
    assert_int_equal(CLUSTER_KUBECTL(cluster->dir, NULL, "uncordon", buf_str(&node)), 0);
    assert_true(drained == 0 && took && waits);
    AWAIT(&watcher, drain_is_over, NULL);
    drain_assert_told_right(&watcher, "deploy/drained");
    assert_int_equal(watcher_end(&watcher), 128 + SIGTERM);
    buf_free(&yaml);
    buf_free(&node);
}

/* ---- the kubelet is refused where we are not ---- */

/* A server that listens on localhost alone: our port-forward gets there, the kubelet's probe does not. */
static bool is_told_as_blocked(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    struct hints hints;
    if (!pod)
        return false;
    pod_hints(watcher->fleet, pod, watcher_now(watcher), &hints);
    bool told = hints.count > 0 && hints.list[0].cause == CAUSE_PROBE_BLOCKED;
    if (told)
        print_message("%s: %s\n", (const char *)name, text_str(&hints.list[0].title));
    hints_free(&hints);
    return told;
}

static void test_loopback_alone(void **state)
{
    struct cluster *cluster = cluster_of(state);
    AWAIT(&cluster->watcher, is_told_as_blocked, "loopback");
    const struct pod *pod = watcher_pod(&cluster->watcher, "loopback");
    assert_int_equal(pod->lanes[LANE_READINESS].failed, 0);
    assert_int_not_equal(pod->facts.ready.status, TRI_TRUE);
}

/* ---- the API server ---- */

/* What is said of the pod that nothing is wrong with. Should its node be called not Ready meanwhile, that is what is told. */
static bool fine_is_not_blamed(const struct watcher *watcher, const void *user)
{
    const struct pod *pod = watcher_pod(watcher, "fine");
    (void)user;
    bool broken = pod && stage_is_broken(pod->stage) && !text_is(&pod->reason, WHY_NODE);
    return pod && pod->lanes[LANE_READINESS].failed == 0 && !broken;
}

struct count {
    uint64_t ok;
};
static bool fine_answers_more(const struct watcher *watcher, const void *user)
{
    const struct count *before = user;
    const struct pod *pod = watcher_pod(watcher, "fine");
    return pod && pod->lanes[LANE_READINESS].ok > before->ok + 2 && pod->stage == STAGE_READY;
}

static void test_api_server_lost(void **state)
{
    struct cluster *cluster = cluster_of(state);
    if (!cluster_has_control())
        skip();
    struct watcher watcher;
    watcher_start(&watcher, cluster->dir, "lost", NULL,
                  (const char *const[]){"-n", cluster->ns, "pod/fine", "--via=portforward", NULL});
    bool ready = watcher_wait(&watcher, fine_answers_more, &(struct count){1}, SECONDS_MAX);
    assert_int_equal(cluster_control(cluster->dir, "kill apiserver"), 0);
    bool lost = watcher_wait(&watcher, source_is, &LOST, 15);
    bool held = watcher_holds(&watcher, fine_is_not_blamed, NULL, 4);
    /* The others need it back, whatever came of this. */
    cluster_start(cluster->dir, "apiserver");
    assert_true(ready && lost && held);
    struct count before = {watcher_pod(&watcher, "fine")->lanes[LANE_READINESS].ok};
    AWAIT(&watcher, source_is, &WATCHING);
    AWAIT(&watcher, fine_answers_more, &before);
    assert_true(fine_is_not_blamed(&watcher, NULL));
    assert_int_equal(watcher_end(&watcher), 128 + SIGTERM);
}

static bool fine_is_unknown(const struct watcher *watcher, const void *user)
{
    const struct pod *pod = watcher_pod(watcher, "fine");
    (void)user;
    return pod && pod->lanes[LANE_READINESS].last.outcome == OUTCOME_UNKNOWN;
}

/* Tunnels end at the kubelet: one that is gone refuses connections too, and that is not the pod's word. */
static void test_kubelet_lost(void **state)
{
    struct cluster *cluster = cluster_of(state);
    if (!cluster_has_control())
        skip();
    struct watcher watcher;
    watcher_start(&watcher, cluster->dir, "kubelet", NULL,
                  (const char *const[]){"-n", cluster->ns, "pod/fine", "--via=portforward", NULL});
    bool ready = watcher_wait(&watcher, fine_answers_more, &(struct count){1}, SECONDS_MAX);
    assert_int_equal(cluster_control(cluster->dir, "kill kubelet"), 0);
    bool unknown = watcher_wait(&watcher, fine_is_unknown, NULL, 10);
    bool held = watcher_holds(&watcher, fine_is_not_blamed, NULL, 5);
    cluster_start(cluster->dir, "kubelet");
    assert_true(ready && unknown && held);
    assert_true(source_is(&watcher, &WATCHING));
    struct count before = {watcher_pod(&watcher, "fine")->lanes[LANE_READINESS].ok};
    AWAIT(&watcher, fine_answers_more, &before);
    assert_true(fine_is_not_blamed(&watcher, NULL));
    assert_int_equal(watcher_end(&watcher), 128 + SIGTERM);
}

/* ---- the kubelet stands still ---- */

/* Whether the kubelet lies on that way: what ends at the pod's own address goes on without it. */
static const bool BY_KUBELET[VIAS] = {true, true, false, false};

static bool fine_and_hung(const struct watcher *watcher, const void *user)
{
    const struct pod *pod = watcher_pod(watcher, "hangs");
    return fine_answers_more(watcher, user) && pod && pod->lanes[LANE_READINESS].failed >= 2;
}

static bool node_is_named(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->lanes[LANE_READINESS].last.cause == PROBE_CAUSE_NODE_LOST &&
           pod->lanes[LANE_READINESS].last.outcome == OUTCOME_UNKNOWN &&
           watcher_said(watcher, "does not answer the API server");
}

static bool hung_again(const struct watcher *watcher, const void *user)
{
    const struct pod *pod = watcher_pod(watcher, "hangs");
    return pod && pod->lanes[LANE_READINESS].failed > ((const struct count *)user)->ok;
}

/* What is seen by one way from the moment on that the kubelet stands still. */
static bool frozen_is_told(struct watcher *watcher, size_t via)
{
    struct count before = {watcher_pod(watcher, "fine")->lanes[LANE_READINESS].ok};
    bool fine = BY_KUBELET[via] ? watcher_wait(watcher, node_is_named, "fine", 10)
                                : watcher_wait(watcher, fine_answers_more, &before, 10);
    /* A direct way has nothing to do with the API server. */
    bool hung = strcmp(VIA[via], "direct") == 0 || watcher_wait(watcher, node_is_named, "hangs", 10);
    bool unblamed = fine_is_not_blamed(watcher, NULL);
    if (!fine || !hung || !unblamed)
        print_message("%s: %s%s%s\n", VIA[via], fine ? "" : "fine is not told right ",
                      hung ? "" : "hangs is not told right ", unblamed ? "" : "fine is blamed");
    return fine && hung && unblamed;
}

/* The API server answers, the kubelet takes connections and says nothing: of a pod that is not reached nothing is known, and of one that hangs neither, until it is back. */
static void test_kubelet_frozen(void **state)
{
    struct cluster *cluster = cluster_of(state);
    if (!cluster_has_control())
        skip();
    struct watcher watchers[VIAS];
    bool ready = true, told = true;
    for (size_t i = 0; i < VIAS; i++) {
        char flag[32], name[32];
        snprintf(flag, sizeof flag, "--via=%s", VIA[i]);
        snprintf(name, sizeof name, "frozen-%s", VIA[i]);
        watcher_start(&watchers[i], cluster->dir, name, NULL,
                      (const char *const[]){"-n", cluster->ns, "pod/fine", "pod/hangs", flag, NULL});
    }
    for (size_t i = 0; i < VIAS; i++)
        ready = watcher_wait(&watchers[i], fine_and_hung, &(struct count){1}, SECONDS_MAX) && ready;
    bool frozen = cluster_control(cluster->dir, "freeze kubelet") == 0;
    for (size_t i = 0; i < VIAS; i++)
        told = frozen_is_told(&watchers[i], i) && told;
    /* The others need it back, whatever came of this. */
    assert_int_equal(cluster_control(cluster->dir, "thaw kubelet"), 0);
    assert_true(ready && frozen && told);
    for (size_t i = 0; i < VIAS; i++) {
        struct count before = {watcher_pod(&watchers[i], "fine")->lanes[LANE_READINESS].ok};
        struct count hung = {watcher_pod(&watchers[i], "hangs")->lanes[LANE_READINESS].failed};
        AWAIT(&watchers[i], fine_answers_more, &before);
        AWAIT(&watchers[i], hung_again, &hung);
        assert_true(fine_is_not_blamed(&watchers[i], NULL));
        assert_int_equal(watcher_end(&watchers[i]), 128 + SIGTERM);
    }
}

static bool all_ready(const struct watcher *watcher, const void *user)
{
    (void)user;
    return watcher->fleet->by_stage[STAGE_READY] == MANY;
}

static void test_many(void **state)
{
    struct cluster *cluster = cluster_of(state);
    struct watcher watcher;
    struct buf yaml;
    buf_init(&yaml, TEXT_MAX);
    put_deployment(&yaml, cluster->many, "many", MANY);
    watcher_start(&watcher, cluster->dir, "many", NULL,
                  (const char *const[]){"-n", cluster->many, "deploy/many", NULL});
    cluster_apply(cluster->dir, buf_str(&yaml));
    buf_free(&yaml);
    assert_true(watcher_wait(&watcher, all_ready, NULL, 2 * SECONDS_MAX));
    for (uint32_t i = 0; i < watcher.fleet->count; i++) {
        const struct pod *pod = watcher.fleet->pods[i];
        assert_int_equal(pod->facts.serving.restart_count, 0);
        assert_false(passed_through(pod, STAGE_DEGRADED));
        assert_string_equal(text_str(&pod->facts.via), "portforward");
    }
    assert_int_equal(watcher_end(&watcher), 128 + SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_slow_start),
                                       cmocka_unit_test(test_behind),
                                       cmocka_unit_test(test_through_portforward),
                                       cmocka_unit_test(test_through_kubectl),
                                       cmocka_unit_test(test_through_podproxy),
                                       cmocka_unit_test(test_through_direct),
                                       cmocka_unit_test(test_startup_kill_foretold),
                                       cmocka_unit_test(test_liveness_restart),
                                       cmocka_unit_test(test_readiness_flap),
                                       cmocka_unit_test(test_replaced),
                                       cmocka_unit_test(test_drained),
                                       cmocka_unit_test(test_loopback_alone),
                                       cmocka_unit_test(test_api_server_lost),
                                       cmocka_unit_test(test_kubelet_lost),
                                       cmocka_unit_test(test_kubelet_frozen),
                                       cmocka_unit_test(test_many)};
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
