/* Where a real kubelet and we see different things of a pod, and which of us is told the truth: the reason is named, with the kubelet's own words and our figures.
 *
 * Needs what test_cluster.c needs. A NetworkPolicy that keeps the kubelet out is made without one, on any network: pod_server.c --walled. */
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
#include "tests/support/watcher.h"

#include <stdio.h>
#include <unistd.h>

enum { SECONDS_MAX = 120, TEXT_MAX = 1 << 16 };

struct place {
    bool skip;
    char dir[64], ns[64];
    struct watcher watcher;
};

#define READINESS "readinessProbe: {httpGet: {path: /v1/models, port: 8000}, periodSeconds: 1}"
#define LIVENESS "livenessProbe: {httpGet: {path: /health, port: 8000}, periodSeconds: 5, failureThreshold: 3}"
#define STARTUP "startupProbe: {httpGet: {path: /v1/models, port: 8000}, periodSeconds: 4, failureThreshold: 4}"

/* What is to be told of each, in the end; quotes: of the kubelet's words, or of our probes. */
static const struct row {
    const char *name, *command, *probes;
    enum cause cause;
    enum confidence confidence; /* no less */
    const char *title, *quoted;
} ROWS[] = {
    {"barred", "--walled, ok", READINESS, CAUSE_PROBE_BLOCKED, CONFIDENCE_LIKELY,
     "the kubelet's readiness probe times out, ours is answered: NetworkPolicy",
     "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"},
    {"walled-alive", "--walled, ok", LIVENESS, CAUSE_PROBE_BLOCKED, CONFIDENCE_LIKELY,
     "the kubelet's liveness probe killed it, ours was answered: NetworkPolicy", "context deadline exceeded"},
    {"walled-start", "--walled, ok", STARTUP, CAUSE_PROBE_BLOCKED, CONFIDENCE_LIKELY,
     "the kubelet's startup probe killed it, ours was answered: NetworkPolicy", "context deadline exceeded"},
    {"lonely", "--host, 127.0.0.1, ok", LIVENESS, CAUSE_PROBE_BLOCKED, CONFIDENCE_LIKELY,
     "the kubelet's liveness probe killed it, ours was answered: the server listens on loopback only",
     "connect: connection refused"},
    {"slow", "slow", READINESS, CAUSE_PROBE_TIMEOUT, CONFIDENCE_LIKELY, "timeoutSeconds of 1: the server is slow",
     "of the 1.00s allowed"},
    {"port", "--port, '8001', ok", READINESS, CAUSE_WRONG_PORT, CONFIDENCE_LIKELY,
     "the readiness probe asks port 8000, where nothing listens", "port 8001 answers"},
};
enum { ROWS_COUNT = sizeof ROWS / sizeof ROWS[0] };

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
    snprintf(place->ns, sizeof place->ns, "probetop-%d-differs", (int)getpid());
    cluster_namespace(place->dir, place->ns);
    watcher_start(&place->watcher, place->dir, "differs", NULL,
                  (const char *const[]){"-n", place->ns, "-l", "set=differs", "--via=portforward", NULL});
    buf_init(&yaml, TEXT_MAX);
    for (size_t i = 0; i < ROWS_COUNT; i++)
        buf_printf(
            &yaml,
            "---\n{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: %s, labels: {set: differs}}, spec: "
            "{terminationGracePeriodSeconds: 1, automountServiceAccountToken: false, containers: [{name: vllm, "
            "image: 'local/probetop-pod:1', imagePullPolicy: Never, command: [pod_server, %s], ports: "
            "[{containerPort: 8000}], %s}]}}\n",
            ROWS[i].name, place->ns, ROWS[i].command, ROWS[i].probes);
    cluster_apply(place->dir, buf_str(&yaml));
    buf_free(&yaml);
    return 0;
}

static int group_teardown(void **state)
{
    struct place *place = *state;
    if (!place->skip) {
        watcher_end(&place->watcher);
        cluster_namespace_end(place->dir, place->ns);
    }
    run_directory_remove(place->dir);
    mem_free(place);
    return 0;
}

static bool is_told(const struct watcher *watcher, const void *user)
{
    const struct row *row = user;
    const struct pod *pod = watcher_pod(watcher, row->name);
    struct hints hints;
    bool told = false, quoted = false;
    if (!pod)
        return false;
    pod_hints(watcher->fleet, pod, watcher_now(watcher), &hints);
    if (hints.count > 0) {
        const struct hint *hint = &hints.list[0];
        told = hint->cause == row->cause && hint->confidence >= row->confidence &&
               strstr(text_str(&hint->title), row->title);
        for (uint32_t i = 0; i < hint->evidence_count; i++)
            quoted |= strstr(text_str(&hint->evidence[i].words), row->quoted) != NULL;
    }
    hints_free(&hints);
    return told && quoted;
}

static void test_told(void **state)
{
    struct place *place = *state;
    if (place->skip)
        skip();
    for (size_t i = 0; i < ROWS_COUNT; i++)
        if (!watcher_wait(&place->watcher, is_told, &ROWS[i], SECONDS_MAX))
            fail_msg("%s: not told that %s", ROWS[i].name, ROWS[i].title);
    /* None of our own probes of the barred pod has failed. */
    const struct pod *pod = watcher_pod(&place->watcher, "barred");
    assert_int_equal(pod->lanes[LANE_READINESS].failed, 0);
    assert_int_not_equal(pod->facts.ready.status, TRI_TRUE);
}

/* Who comes later has not seen the kubelet's first words, which are the only ones for minutes: they are quoted all the same. */
static void test_check(void **state)
{
    struct place *place = *state;
    struct run run;
    if (place->skip)
        skip();
    run_start(&run,
              (const char *const[]){getenv("PROBETOP"), "check", "-n", place->ns, "--for=16s", "--via=portforward",
                                    "pod/barred", NULL},
              place->dir, NULL);
    assert_true(run_wait_exit(&run));
    if (!strstr(buf_str(&run.out), "ours is answered: NetworkPolicy, mesh or firewall?") ||
        !strstr(buf_str(&run.out), "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"))
        fail_msg("%s", buf_str(&run.out));
    run_end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_told), cmocka_unit_test(test_check)};
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
