/* What a real cluster permits, and what becomes of it: each right missing in turn, credentials that end and come back, and InferencePools.
 *
 * Needs what test_cluster.c needs, and the rights of an administrator. The API server is restarted where PROBETOP_CLUSTER_CONTROL can do that: it lets watches run on whose credentials have ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/support/cluster.h"
#include "tests/support/watcher.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { SECONDS_MAX = 60, TEXT_MAX = 1 << 16, CACHED_SECONDS = 12, SOON_US = 2 * SECOND_US };

struct place {
    bool skip;
    char dir[64], ns[64];
    char empty[64]; /* a namespace without pods */
    char tier[32];  /* a label that this run's pods alone have */
};

static struct place *place_of(void **state)
{
    struct place *place = *state;
    if (place->skip)
        skip();
    return place;
}

/* rest: members of the pod's spec, with a comma after each. */
static void put_pod(struct buf *yaml, const char *ns, const char *name, const char *tier, const char *rest)
{
    buf_printf(
        yaml,
        "---\n{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: %s, labels: {app: vllm, tier: %s}}, "
        "spec: {%sterminationGracePeriodSeconds: 1, automountServiceAccountToken: false, containers: [{name: vllm, "
        "image: 'local/probetop-pod:1', imagePullPolicy: Never, command: [pod_server, ok], ports: "
        "[{containerPort: 8000}], readinessProbe: {httpGet: {path: /v1/models, port: 8000}, periodSeconds: "
        "1}}]}}\n",
        name, ns, tier, rest);
}

static int group_setup(void **state)
{
    struct place *place = mem_new(sizeof *place);
    struct buf yaml;
    *state = place;
    run_directory(place->dir);
    place->skip = !cluster_is_there() || !cluster_has_pod_server(place->dir);
    if (place->skip)
        return 0;
    cluster_environment(place->dir);
    snprintf(place->ns, sizeof place->ns, "probetop-%d-access", (int)getpid());
    snprintf(place->empty, sizeof place->empty, "probetop-%d-empty", (int)getpid());
    snprintf(place->tier, sizeof place->tier, "probetop-%d", (int)getpid());
    cluster_namespace(place->dir, place->ns);
    cluster_namespace(place->dir, place->empty);
    buf_init(&yaml, TEXT_MAX);
    put_pod(&yaml, place->ns, "gold", "gold", "");
    put_pod(&yaml, place->ns, "silver", "silver", "");
    cluster_apply(place->dir, buf_str(&yaml));
    buf_free(&yaml);
    return 0;
}

static int group_teardown(void **state)
{
    struct place *place = *state;
    if (!place->skip) {
        cluster_namespace_end(place->dir, place->ns);
        cluster_namespace_end(place->dir, place->empty);
    }
    run_directory_remove(place->dir);
    mem_free(place);
    return 0;
}

static bool is_ready(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && !pod->gone && pod->stage == STAGE_READY && pod->lanes[LANE_READINESS].ok >= 2;
}

static bool is_gone(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->gone;
}

static bool has_said(const struct watcher *watcher, const void *words)
{
    return watcher_said(watcher, words);
}

static bool source_is(const struct watcher *watcher, const void *state)
{
    return watcher->fleet->source == *(const enum source_state *)state;
}
static const enum source_state WATCHING = SOURCE_WATCHING, DENIED = SOURCE_DENIED, NONE_FOUND = SOURCE_NONE_FOUND;

static bool nobody_is_blamed(const struct watcher *watcher, const void *user)
{
    (void)user;
    for (uint32_t i = 0; i < watcher->fleet->count; i++) {
        const struct pod *pod = watcher->fleet->pods[i];
        if (stage_is_broken(pod->stage) || pod->lanes[LANE_READINESS].failed > 0)
            return false;
    }
    return true;
}

/* ---- rights ---- */

#define PODS "{apiGroups: [''], resources: [pods], verbs: [get, list, watch]}"
#define EVENTS "{apiGroups: [''], resources: [events], verbs: [list, watch]}"
#define LOGS "{apiGroups: [''], resources: [pods/log], verbs: [get]}"
#define FORWARD(verbs) "{apiGroups: [''], resources: [pods/portforward], verbs: [" verbs "]}"
#define PROXY "{apiGroups: [''], resources: [pods/proxy], verbs: [get]}"

#define EVERYWHERE "{apiGroup: rbac.authorization.k8s.io, kind: User, name: everywhere}"

static const struct {
    const char *user, *rules, *via;
    const char *says; /* NULL: nothing is missing */
    bool works;       /* pods are seen, and probed, all the same */
} RIGHTS[] = {
    {"full", PODS "," EVENTS "," LOGS "," FORWARD("get, create"), "auto", NULL, true},
    {"none", "{apiGroups: [''], resources: [configmaps], verbs: [get]}", "auto", "the right to list pods", false},
    {"no-list", "{apiGroups: [''], resources: [pods], verbs: [get, watch]}," EVENTS "," LOGS "," FORWARD("get, create"),
     "auto", "the right to list pods", false},
    {"no-watch", "{apiGroups: [''], resources: [pods], verbs: [get, list]}," EVENTS "," LOGS "," FORWARD("get, create"),
     "auto", "the right to watch pods", false},
    {"no-events", PODS "," LOGS "," FORWARD("get, create"), "auto", "the right to list events", true},
    {"no-event-watch", PODS "," LOGS ",{apiGroups: [''], resources: [events], verbs: [list]}," FORWARD("get, create"),
     "auto", "the right to watch events", true},
    {"no-log", PODS "," EVENTS "," FORWARD("get, create"), "auto", "the right to get pods/log", true},
    {"no-forward", PODS "," EVENTS "," LOGS, "portforward", "pods/portforward", false},
    {"create-alone", PODS "," EVENTS "," LOGS "," FORWARD("create"), "portforward", NULL, true},
    {"proxied", PODS "," EVENTS "," LOGS "," PROXY, "podproxy", NULL, true},
    {"no-proxy", PODS "," EVENTS "," LOGS "," FORWARD("get, create"), "podproxy", "the right to get pods/proxy", false},
};
enum { RIGHTS_COUNT = sizeof RIGHTS / sizeof RIGHTS[0] };

static void put_role(struct buf *yaml, const char *ns, const char *name, const char *rules, const char *subject)
{
    buf_printf(yaml,
               "---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: %s, namespace: %s}, "
               "rules: [%s]}\n---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: %s, "
               "namespace: %s}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: %s}, subjects: "
               "[%s]}\n",
               name, ns, rules, name, ns, name, subject);
}

/* What is missing is named, with the Role, at once and without a pod that needs it; with pods there, what can be seen is seen. */
static void right_is_told(struct place *place, size_t at, const char *ns)
{
    struct watcher watcher;
    char as[64], via[32];
    bool pods = ns == place->ns;
    snprintf(as, sizeof as, "--as=%s", RIGHTS[at].user);
    snprintf(via, sizeof via, "--via=%s", RIGHTS[at].via);
    watcher_start(&watcher, place->dir, RIGHTS[at].user, NULL, (const char *const[]){"-n", ns, as, via, NULL});
    if (RIGHTS[at].says) {
        assert_true(watcher_wait(&watcher, has_said, RIGHTS[at].says, SECONDS_MAX));
        int64_t began = clock_mono_us();
        assert_true(watcher_wait(&watcher, has_said, "kind: Role", SECONDS_MAX));
        assert_true(clock_mono_us() - began < SOON_US);
    }
    if (pods && RIGHTS[at].works)
        assert_true(watcher_wait(&watcher, is_ready, "gold", SECONDS_MAX));
    if (!RIGHTS[at].says)
        assert_true(watcher_wait(&watcher, source_is, pods ? &WATCHING : &NONE_FOUND, SECONDS_MAX));
    if (!RIGHTS[at].says && watcher_said(&watcher, "is missing"))
        fail_msg("%s: %s", RIGHTS[at].user, buf_str(&watcher.run.out));
    assert_true(nobody_is_blamed(&watcher, NULL));
    assert_int_equal(watcher_end(&watcher), 128 + SIGTERM);
}

static void test_rights(void **state)
{
    struct place *place = place_of(state);
    struct buf yaml;
    char subject[160];
    buf_init(&yaml, TEXT_MAX);
    for (size_t i = 0; i < RIGHTS_COUNT; i++) {
        snprintf(subject, sizeof subject, "{apiGroup: rbac.authorization.k8s.io, kind: User, name: %s}",
                 RIGHTS[i].user);
        put_role(&yaml, place->ns, RIGHTS[i].user, RIGHTS[i].rules, subject);
        put_role(&yaml, place->empty, RIGHTS[i].user, RIGHTS[i].rules, subject);
    }
    cluster_apply(place->dir, buf_str(&yaml));
    buf_free(&yaml);
    for (size_t i = 0; i < RIGHTS_COUNT; i++) {
        print_message("%s\n", RIGHTS[i].user);
        right_is_told(place, i, place->empty);
        right_is_told(place, i, place->ns);
    }
}

/* Pods may be listed everywhere, logs and port-forwards are permitted in one namespace: of the other it is said, though its pod does not run; with the ClusterRole. */
static void test_rights_everywhere(void **state)
{
    struct place *place = place_of(state);
    struct watcher watcher;
    struct buf yaml;
    char selector[48], words[160];
    buf_init(&yaml, TEXT_MAX);
    put_pod(&yaml, place->ns, "here", place->tier, "");
    put_pod(&yaml, place->empty, "waits", place->tier, "nodeSelector: {no-such-node: 'true'}, ");
    buf_printf(&yaml,
               "---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: %s}, rules: [" PODS
               "," EVENTS "]}\n---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: "
               "{name: %s}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %s}, subjects: "
               "[" EVERYWHERE "]}\n",
               place->tier, place->tier, place->tier);
    put_role(&yaml, place->ns, "everywhere", LOGS "," FORWARD("get, create"), EVERYWHERE);
    cluster_apply(place->dir, buf_str(&yaml));
    buf_free(&yaml);
    snprintf(selector, sizeof selector, "tier=%s", place->tier);
    watcher_start(&watcher, place->dir, "everywhere", NULL,
                  (const char *const[]){"-A", "-l", selector, "--as=everywhere", "--via=portforward", NULL});
    snprintf(words, sizeof words, "the right to get pods/log is missing in the namespace %s", place->empty);
    assert_true(watcher_wait(&watcher, has_said, words, SECONDS_MAX));
    snprintf(words, sizeof words, "pods/portforward is missing in the namespace %s", place->empty);
    assert_true(watcher_wait(&watcher, has_said, words, SECONDS_MAX));
    assert_true(watcher_wait(&watcher, has_said, "kind: ClusterRole", SECONDS_MAX));
    assert_true(watcher_wait(&watcher, is_ready, "here", SECONDS_MAX));
    snprintf(words, sizeof words, "missing in the namespace %s", place->ns);
    assert_false(watcher_said(&watcher, words));
    assert_true(nobody_is_blamed(&watcher, NULL));
    assert_int_equal(watcher_end(&watcher), 128 + SIGTERM);
}

static int everywhere_teardown(void **state)
{
    struct place *place = *state;
    if (place->skip)
        return 0;
    CLUSTER_KUBECTL(place->dir, NULL, "delete", "clusterrole,clusterrolebinding", place->tier, "--ignore-not-found");
    CLUSTER_KUBECTL(place->dir, NULL, "delete", "pod", "waits", "-n", place->empty, "--ignore-not-found");
    return 0;
}

/* ---- credentials ---- */

/* A kubeconfig with a fresh token of a service account, made for it. */
static void log_in(const struct place *place, const char *path)
{
    char command[1024];
    struct run run;
    snprintf(command, sizeof command,
             "set -e; kubectl create sa watcher -n %s; token=$(kubectl create token watcher -n %s --duration=10m)\n"
             "kubectl config view --raw --minify --flatten | sed \"s/^    token:.*/    token: $token/\" >%s.new\n"
             "mv %s.new %s",
             place->ns, place->ns, path, path, path);
    run_start(&run, (const char *const[]){"sh", "-c", command, NULL}, place->dir, NULL);
    run_wait_exit(&run);
    if (run_code(&run) != 0)
        fail_msg("%s", buf_str(&run.out));
    run_end(&run);
}

static bool gold_is_unknown(const struct watcher *watcher, const void *user)
{
    const struct pod *pod = watcher_pod(watcher, "gold");
    (void)user;
    return pod && pod->lanes[LANE_READINESS].last.outcome == OUTCOME_UNKNOWN;
}

static bool always(const struct watcher *watcher, const void *user)
{
    (void)user;
    return !watcher->run.exited;
}

/* The account is taken away, as an expired token is refused: 401. Nobody is blamed, no right is said to be missing, and another token in the kubeconfig is taken up. */
static void test_login_ends(void **state)
{
    struct place *place = place_of(state);
    struct watcher watcher;
    struct buf yaml;
    char subject[160], config[128], flag[160];
    if (!cluster_has_control())
        skip();
    buf_init(&yaml, TEXT_MAX);
    snprintf(subject, sizeof subject, "{kind: ServiceAccount, name: watcher, namespace: %s}", place->ns);
    put_role(&yaml, place->ns, "watcher", PODS "," EVENTS "," LOGS "," FORWARD("get, create"), subject);
    cluster_apply(place->dir, buf_str(&yaml));
    buf_free(&yaml);
    snprintf(config, sizeof config, "%s/login", place->dir);
    snprintf(flag, sizeof flag, "--kubeconfig=%s", config);
    log_in(place, config);
    watcher_start(&watcher, place->dir, "login", NULL,
                  (const char *const[]){"-n", place->ns, flag, "pod/gold", "--via=portforward", NULL});
    assert_true(watcher_wait(&watcher, is_ready, "gold", SECONDS_MAX));
    assert_int_equal(CLUSTER_KUBECTL(place->dir, NULL, "delete", "sa", "watcher", "-n", place->ns), 0);
    /* The API server believes in a token for ten seconds, and in what runs already for ever. */
    assert_true(watcher_holds(&watcher, always, NULL, CACHED_SECONDS));
    cluster_api_restart(place->dir);
    assert_true(watcher_wait(&watcher, source_is, &DENIED, SECONDS_MAX));
    assert_true(watcher_wait(&watcher, gold_is_unknown, NULL, SECONDS_MAX));
    assert_true(watcher_wait(&watcher, has_said, "log in again", SECONDS_MAX));
    assert_true(watcher_holds(&watcher, nobody_is_blamed, NULL, 3));
    if (watcher_said(&watcher, "is missing"))
        fail_msg("%s", buf_str(&watcher.run.out));
    uint64_t before = watcher_pod(&watcher, "gold")->lanes[LANE_READINESS].ok;
    log_in(place, config);
    assert_true(watcher_wait(&watcher, source_is, &WATCHING, SECONDS_MAX));
    while (watcher_pod(&watcher, "gold")->lanes[LANE_READINESS].ok <= before)
        watcher_turn(&watcher);
    assert_true(watcher_wait(&watcher, is_ready, "gold", SECONDS_MAX));
    assert_true(nobody_is_blamed(&watcher, NULL));
    assert_int_equal(watcher_end(&watcher), 128 + SIGTERM);
}

/* ---- pools ---- */

static const struct {
    const char *group, *version;
} APIS[] = {{"inference.networking.k8s.io", "v1"}, {"inference.networking.x-k8s.io", "v1alpha2"}};

/* As little of the CustomResourceDefinition as will do. */
static void put_definition(struct buf *yaml, size_t at)
{
    buf_printf(yaml,
               "---\n{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: "
               "inferencepools.%s, annotations: {api-approved.kubernetes.io: 'unapproved, for a test'}}, spec: "
               "{group: %s, scope: Namespaced, names: {plural: inferencepools, singular: inferencepool, kind: "
               "InferencePool}, versions: [{name: %s, served: true, storage: true, schema: {openAPIV3Schema: {type: "
               "object, properties: {spec: {type: object, x-kubernetes-preserve-unknown-fields: true}}}}}]}}\n",
               APIS[at].group, APIS[at].group, APIS[at].version);
}

static void put_pool(const struct place *place, size_t at, const char *name, const char *tier)
{
    char yaml[512], selector[64];
    snprintf(selector, sizeof selector, at == 0 ? "{matchLabels: {tier: %s}}" : "{tier: %s}", tier);
    snprintf(yaml, sizeof yaml,
             "{apiVersion: %s/%s, kind: InferencePool, metadata: {name: %s, namespace: %s}, spec: {selector: %s}}\n",
             APIS[at].group, APIS[at].version, name, place->ns, selector);
    cluster_apply(place->dir, yaml);
}

static void pool_is_followed(const struct place *place, size_t at)
{
    struct watcher watcher;
    char name[16], target[32], missing[64];
    snprintf(name, sizeof name, "pool-%zu", at);
    snprintf(target, sizeof target, "pool/%s", name);
    snprintf(missing, sizeof missing, "there is no InferencePool %s in the namespace", name);
    watcher_start(&watcher, place->dir, name, NULL, (const char *const[]){"-n", place->ns, target, NULL});
    assert_true(watcher_wait(&watcher, has_said, missing, SECONDS_MAX));
    put_pool(place, at, name, "gold");
    assert_true(watcher_wait(&watcher, is_ready, "gold", SECONDS_MAX));
    assert_true(source_is(&watcher, &WATCHING));
    assert_int_equal(watcher.fleet->count, 1);
    put_pool(place, at, name, "silver");
    assert_true(watcher_wait(&watcher, is_ready, "silver", SECONDS_MAX));
    assert_true(watcher_wait(&watcher, is_gone, "gold", SECONDS_MAX));
    assert_int_equal(CLUSTER_KUBECTL(place->dir, NULL, "patch", "-n", place->ns, "pod", "gold", "-p",
                                     "{\"metadata\":{\"labels\":{\"tier\":\"silver\"}}}"),
                     0);
    assert_true(watcher_wait(&watcher, is_ready, "gold", SECONDS_MAX));
    assert_int_equal(CLUSTER_KUBECTL(place->dir, NULL, "patch", "-n", place->ns, "pod", "gold", "-p",
                                     "{\"metadata\":{\"labels\":{\"tier\":\"gold\"}}}"),
                     0);
    assert_true(watcher_wait(&watcher, is_gone, "gold", SECONDS_MAX));
    char resource[128];
    snprintf(resource, sizeof resource, "inferencepools.%s", APIS[at].group);
    assert_int_equal(CLUSTER_KUBECTL(place->dir, NULL, "delete", "-n", place->ns, resource, name), 0);
    assert_true(watcher_wait(&watcher, is_gone, "silver", SECONDS_MAX));
    assert_true(watcher_wait(&watcher, source_is, &NONE_FOUND, SECONDS_MAX));
    assert_true(nobody_is_blamed(&watcher, NULL));
    assert_int_equal(watcher_end(&watcher), 128 + SIGTERM);
}

static void test_pools(void **state)
{
    struct place *place = place_of(state);
    struct watcher watcher;
    struct buf yaml;
    enum { COUNT = sizeof APIS / sizeof APIS[0] };
    buf_init(&yaml, TEXT_MAX);
    if (CLUSTER_KUBECTL(place->dir, NULL, "get", "crd", "inferencepools.inference.networking.k8s.io") == 0) {
        buf_free(&yaml);
        skip(); /* somebody's own: they are not touched */
    }
    watcher_start(&watcher, place->dir, "unknown", NULL, (const char *const[]){"-n", place->ns, "pool/none", NULL});
    assert_true(watcher_wait(&watcher, has_said, "the cluster knows no InferencePools", SECONDS_MAX));
    assert_int_equal(watcher_end(&watcher), 128 + SIGTERM);
    for (size_t i = 0; i < COUNT; i++)
        put_definition(&yaml, i);
    cluster_apply(place->dir, buf_str(&yaml));
    buf_free(&yaml);
    assert_int_equal(CLUSTER_KUBECTL(place->dir, NULL, "wait", "--for=condition=Established", "--timeout=15s", "crd",
                                     "inferencepools.inference.networking.k8s.io",
                                     "inferencepools.inference.networking.x-k8s.io"),
                     0);
    for (size_t i = 0; i < COUNT; i++)
        pool_is_followed(place, i);
}

static int pools_teardown(void **state)
{
    struct place *place = *state;
    if (!place->skip)
        CLUSTER_KUBECTL(place->dir, NULL, "delete", "crd", "--ignore-not-found", "--wait=false",
                        "inferencepools.inference.networking.k8s.io", "inferencepools.inference.networking.x-k8s.io");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rights), cmocka_unit_test_teardown(test_rights_everywhere, everywhere_teardown),
        cmocka_unit_test(test_login_ends), cmocka_unit_test_teardown(test_pools, pools_teardown)};
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
