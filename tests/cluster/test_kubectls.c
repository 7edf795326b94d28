/* Other kubectls than the first in PATH, old ones above all, beside the same pods: whatever kubectl does, the pods are told of as they are.
 *
 * Needs what test_cluster.c needs, and PROBETOP_KUBECTLS: absolute paths, parted by colons. */
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

/* A refused port is asked so often that a kubectl which does not get over refusals is found out: 1.20 hangs from the fourth one on. */
enum { SECONDS_MAX = 60, TEXT_MAX = 1 << 14, OFTEN = 8, PATH_SIZE = 1024 };

struct place {
    bool skip;
    char dir[64], ns[64];
};

static const char *const PODS[] = {"ok", "refuse", "hang"};
enum { PODS_COUNT = sizeof PODS / sizeof PODS[0] };

static int group_setup(void **state)
{
    struct place *place = mem_new(sizeof *place);
    struct buf yaml;
    *state = place;
    run_directory(place->dir);
    place->skip = !cluster_is_there() || !getenv("PROBETOP_KUBECTLS") || !cluster_has_pod_server(place->dir);
    if (place->skip)
        return 0;
    cluster_environment(place->dir);
    snprintf(place->ns, sizeof place->ns, "probetop-%d-kubectls", (int)getpid());
    cluster_namespace(place->dir, place->ns);
    buf_init(&yaml, TEXT_MAX);
    for (size_t i = 0; i < PODS_COUNT; i++)
        buf_printf(&yaml,
                   "---\n{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: %s, labels: {app: vllm}}, spec: "
                   "{terminationGracePeriodSeconds: 1, automountServiceAccountToken: false, containers: [{name: vllm, "
                   "image: 'local/probetop-pod:1', imagePullPolicy: Never, command: [pod_server, %s], ports: "
                   "[{containerPort: 8000}], readinessProbe: {httpGet: {path: /v1/models, port: 8000}, periodSeconds: "
                   "1}}]}}\n",
                   PODS[i], place->ns, PODS[i]);
    cluster_apply(place->dir, buf_str(&yaml));
    buf_free(&yaml);
    return 0;
}

static int group_teardown(void **state)
{
    struct place *place = *state;
    if (!place->skip)
        cluster_namespace_end(place->dir, place->ns);
    run_directory_remove(place->dir);
    mem_free(place);
    return 0;
}

static bool asked_often(const struct watcher *watcher, const void *user)
{
    (void)user;
    for (size_t i = 0; i < PODS_COUNT; i++) {
        const struct pod *pod = watcher_pod(watcher, PODS[i]);
        if (!pod || pod->lanes[LANE_READINESS].ok + pod->lanes[LANE_READINESS].failed < OFTEN)
            return false;
    }
    return true;
}

/* Every failure of the lane has this cause, and every other result is unknown; NONE: nothing has failed. */
static void assert_failures(const struct watcher *watcher, const char *name, enum probe_cause cause, const char *what)
{
    const struct lane *lane = &watcher_pod(watcher, name)->lanes[LANE_READINESS];
    for (uint32_t back = 0; back < lane->history.count; back++) {
        const struct mark *mark = history_get(&lane->history, back);
        if (mark->outcome == OUTCOME_FAIL && mark->cause != cause)
            fail_msg("%s: %s has failed by %s", what, name, probe_cause_name((enum probe_cause)mark->cause));
        if (mark->outcome == OUTCOME_OK && cause != PROBE_CAUSE_NONE)
            fail_msg("%s: %s has answered", what, name);
    }
}

static void assert_told_truly(const struct place *place, const char *kubectl, const char *via)
{
    struct watcher watcher;
    char flag[PATH_SIZE + 16], way[32], what[PATH_SIZE + 64];
    snprintf(flag, sizeof flag, "--kubectl=%s", kubectl);
    snprintf(way, sizeof way, "--via=%s", via);
    snprintf(what, sizeof what, "%s, %s", kubectl, way);
    print_message("%s\n", what);
    watcher_start(&watcher, place->dir, "kubectls", NULL, (const char *const[]){"-n", place->ns, flag, way, NULL});
    if (!watcher_wait(&watcher, asked_often, NULL, SECONDS_MAX))
        fail_msg("%s: the pods are not probed", what);
    assert_failures(&watcher, "ok", PROBE_CAUSE_NONE, what);
    assert_failures(&watcher, "refuse", PROBE_CAUSE_REFUSED, what);
    assert_failures(&watcher, "hang", PROBE_CAUSE_TIMEOUT_HEADERS, what);
    assert_int_equal(watcher_end(&watcher), 128 + SIGTERM);
}

static void test_kubectls(void **state)
{
    static const char *const ways[] = {"portforward", "kubectl", "podproxy"};
    const struct place *place = *state;
    char kubectl[PATH_SIZE];
    if (place->skip)
        skip();
    const char *list = getenv("PROBETOP_KUBECTLS");
    for (size_t length; *list; list += length + (list[length] != '\0')) {
        length = strcspn(list, ":");
        snprintf(kubectl, sizeof kubectl, "%.*s", (int)length, list);
        for (size_t i = 0; length > 0 && i < sizeof ways / sizeof ways[0]; i++)
            assert_told_truly(place, kubectl, ways[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kubectls)};
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
