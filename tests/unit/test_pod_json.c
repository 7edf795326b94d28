/* Pod JSON to facts: every shape of status, every kind of probe, and nothing but sane facts from pods that lie about their types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kube/discover.h"
#include "tests/support/pod_file.h"

enum { ID = 7 };

static const struct clock CLOCK = {.wall_zero = 1795500000 * (int64_t)SECOND_US}; /* 2026-11-24T06:00:00Z */

static int64_t at(int minutes, int seconds)
{
    return (minutes * 60 + seconds) * (int64_t)SECOND_US;
}

static void facts_of(const struct json *pod, struct pod_facts *facts)
{
    struct discovery found;
    *facts = (struct pod_facts){0};
    discover_pod(pod, true, &found);
    pod_facts_from_json(pod, &found, &CLOCK, ID, facts);
}

static void facts_of_file(const char *file, struct pod_facts *facts)
{
    struct json *pod = pod_file(file);
    facts_of(pod, facts);
    json_free(pod);
}

static void assert_text(const struct text *text, const char *expected)
{
    assert_string_equal(text_str(text), expected);
}

/* ---- status ---- */

static void test_status(void **state)
{
    static const struct {
        const char *file;
        enum pod_phase phase;
        enum container_state state;
        const char *reason, *message;
        enum tri scheduled, ready, container_ready, started;
        int32_t restarts;
        const char *last; /* reason of the termination; NULL: none known */
        int32_t exit_code;
    } ROWS[] = {
        {"status-fresh", PHASE_PENDING, CONTAINER_UNKNOWN, "", "", TRI_UNKNOWN, TRI_UNKNOWN, TRI_UNKNOWN, TRI_UNKNOWN,
         0, NULL, 0},
        {"status-unschedulable", PHASE_PENDING, CONTAINER_UNKNOWN, "", "", TRI_FALSE, TRI_UNKNOWN, TRI_UNKNOWN,
         TRI_UNKNOWN, 0, NULL, 0},
        {"status-waiting", PHASE_PENDING, CONTAINER_WAITING, "ContainerCreating", "", TRI_TRUE, TRI_FALSE, TRI_FALSE,
         TRI_FALSE, 0, NULL, 0},
        {"status-pulling", PHASE_PENDING, CONTAINER_WAITING, "ImagePullBackOff",
         "Back-off pulling image \"vllm/vllm-openai:v0.24.0\"", TRI_TRUE, TRI_FALSE, TRI_FALSE, TRI_FALSE, 0, NULL, 0},
        {"status-running", PHASE_RUNNING, CONTAINER_RUNNING, "", "", TRI_TRUE, TRI_FALSE, TRI_FALSE, TRI_FALSE, 0, NULL,
         0},
        {"status-ready", PHASE_RUNNING, CONTAINER_RUNNING, "", "", TRI_TRUE, TRI_TRUE, TRI_TRUE, TRI_TRUE, 0, NULL, 0},
        {"status-terminated", PHASE_RUNNING, CONTAINER_TERMINATED, "Error", "", TRI_TRUE, TRI_FALSE, TRI_FALSE,
         TRI_FALSE, 0, "Error", 1},
        {"status-oom-killed", PHASE_RUNNING, CONTAINER_RUNNING, "", "", TRI_TRUE, TRI_FALSE, TRI_FALSE, TRI_FALSE, 1,
         "OOMKilled", 137},
        {"status-crash-loop", PHASE_RUNNING, CONTAINER_WAITING, "CrashLoopBackOff",
         "back-off 20s restarting failed container=vllm pod=decode-6d4b75cb6d-x2x9k_llm-d(5f1c)", TRI_TRUE, TRI_FALSE,
         TRI_FALSE, TRI_FALSE, 2, "Error", 1},
        {"status-deleting", PHASE_RUNNING, CONTAINER_RUNNING, "", "", TRI_TRUE, TRI_TRUE, TRI_TRUE, TRI_TRUE, 0, NULL,
         0},
        {"status-evicted", PHASE_FAILED, CONTAINER_UNKNOWN, "", "", TRI_UNKNOWN, TRI_UNKNOWN, TRI_UNKNOWN, TRI_UNKNOWN,
         0, NULL, 0},
        {"status-succeeded", PHASE_SUCCEEDED, CONTAINER_TERMINATED, "Completed", "", TRI_TRUE, TRI_FALSE, TRI_FALSE,
         TRI_FALSE, 0, "Completed", 0},
        {"status-init-running", PHASE_PENDING, CONTAINER_WAITING, "Init:0/2", "init container download is not done",
         TRI_TRUE, TRI_FALSE, TRI_FALSE, TRI_FALSE, 0, NULL, 0},
        {"status-init-crash-loop", PHASE_PENDING, CONTAINER_WAITING, "Init:CrashLoopBackOff",
         "init container download: back-off 10s restarting failed container=download", TRI_TRUE, TRI_FALSE, TRI_FALSE,
         TRI_FALSE, 0, NULL, 0},
        {"status-init-failed", PHASE_PENDING, CONTAINER_WAITING, "Init:Error",
         "init container download ended with exit code 4", TRI_TRUE, TRI_FALSE, TRI_FALSE, TRI_FALSE, 0, NULL, 0},
        {"status-init-sidecar", PHASE_PENDING, CONTAINER_WAITING, "Init:1/2",
         "init container routing-proxy is not done", TRI_TRUE, TRI_FALSE, TRI_FALSE, TRI_FALSE, 0, NULL, 0},
        {"real-badimage", PHASE_PENDING, CONTAINER_WAITING, "ErrImageNeverPull",
         "Container image \"local/nowhere:1\" is not present with pull policy of Never", TRI_TRUE, TRI_FALSE, TRI_FALSE,
         TRI_FALSE, 0, NULL, 0},
        {"real-nospace", PHASE_PENDING, CONTAINER_UNKNOWN, "", "", TRI_FALSE, TRI_UNKNOWN, TRI_UNKNOWN, TRI_UNKNOWN, 0,
         NULL, 0},
        {"real-decode", PHASE_RUNNING, CONTAINER_RUNNING, "", "", TRI_TRUE, TRI_TRUE, TRI_TRUE, TRI_TRUE, 0, NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct pod_facts facts;
        facts_of_file(ROWS[i].file, &facts);
        const struct container_facts *serving = &facts.serving;
        if (facts.phase != ROWS[i].phase || serving->state != ROWS[i].state ||
            !text_is(&serving->reason, ROWS[i].reason) || !text_is(&serving->message, ROWS[i].message) ||
            facts.scheduled.status != ROWS[i].scheduled || facts.ready.status != ROWS[i].ready ||
            serving->ready != ROWS[i].container_ready || serving->started != ROWS[i].started ||
            serving->restart_count != ROWS[i].restarts || serving->last.known != (ROWS[i].last != NULL) ||
            (ROWS[i].last != NULL && !text_is(&serving->last.reason, ROWS[i].last)) ||
            serving->last.exit_code != ROWS[i].exit_code) {
            fail_msg("%s: %s, state %d, \"%s\", \"%s\", scheduled %d, ready %d, container %d, started %d, restarts %d, "
                     "last %d \"%s\" %d",
                     ROWS[i].file, pod_phase_name(facts.phase), (int)serving->state, text_str(&serving->reason),
                     text_str(&serving->message), (int)facts.scheduled.status, (int)facts.ready.status,
                     (int)serving->ready, (int)serving->started, (int)serving->restart_count, serving->last.known,
                     text_str(&serving->last.reason), (int)serving->last.exit_code);
        }
        assert_true(facts.kubelet && serving->exists);
        assert_int_equal(facts.id, ID);
        assert_text(&serving->name, "vllm");
        pod_facts_free(&facts);
    }
}

static void test_moments(void **state)
{
    struct pod_facts facts;
    (void)state;
    facts_of_file("status-oom-killed", &facts);
    assert_int_equal(facts.created_at, 0);
    assert_int_equal(facts.initialized.since, at(1, 0));
    assert_int_equal(facts.ready.since, at(5, 0));
    assert_true(facts.serving.started_at_known);
    assert_int_equal(facts.serving.started_at, at(3, 20));
    assert_int_equal(facts.serving.last.started_at, at(1, 30));
    assert_int_equal(facts.serving.last.finished_at, at(3, 15));
    assert_text(&facts.serving.container_id, "containerd://bb22");
    pod_facts_free(&facts);

    facts_of_file("status-deleting", &facts);
    assert_true(facts.deleting);
    assert_int_equal(facts.deletion_at, at(9, 30));
    assert_int_equal(facts.grace, 12);
    assert_text(&facts.phase_reason, "");
    pod_facts_free(&facts);

    facts_of_file("status-drained", &facts);
    assert_true(facts.deleting);
    assert_text(&facts.phase_reason, "EvictionByEvictionAPI");
    assert_text(&facts.phase_message, "Eviction API: evicting");
    pod_facts_free(&facts);

    facts_of_file("status-waiting", &facts);
    assert_false(facts.deleting || facts.serving.started_at_known);
    assert_int_equal(facts.grace, 30);
    pod_facts_free(&facts);
}

static void test_words(void **state)
{
    struct pod_facts facts;
    (void)state;
    facts_of_file("status-evicted", &facts);
    assert_text(&facts.phase_reason, "Evicted");
    assert_text(&facts.phase_message, "The node was low on resource: ephemeral-storage.");
    assert_true(facts.never_restart);
    assert_text(&facts.name, "decode-6d4b75cb6d-x2x9k");
    assert_text(&facts.ns, "llm-d");
    assert_text(&facts.node, "gpu-7");
    assert_text(&facts.workload, "deploy/decode");
    assert_false(text_empty(&facts.uid));
    pod_facts_free(&facts);

    facts_of_file("status-unschedulable", &facts);
    assert_text(&facts.scheduled.reason, "Unschedulable");
    assert_text(&facts.scheduled.message, "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.");
    assert_text(&facts.node, "");
    assert_false(facts.never_restart);
    pod_facts_free(&facts);

    facts_of_file("status-crash-loop", &facts);
    assert_text(&facts.serving.last.message, "RuntimeError: Engine core initialization failed.");
    assert_text(&facts.serving.image, "vllm/vllm-openai:v0.24.0");
    assert_text(&facts.pod_ip, "10.0.0.7");
    pod_facts_free(&facts);

    facts_of_file("status-init-sidecar", &facts);
    assert_true(facts.sidecar.exists);
    assert_text(&facts.sidecar.name, "routing-proxy");
    assert_int_equal(facts.sidecar.state, CONTAINER_RUNNING);
    assert_int_equal(facts.sidecar.started, TRI_FALSE);
    pod_facts_free(&facts);
}

/* ---- probes ---- */

/* "GET :8200/health" and the numbers, in one line. */
static void probe_line(const struct probe_spec *spec, char *out, size_t size)
{
    struct text words = {0};
    probe_spec_describe(spec, &words);
    snprintf(out, size, "%s %s%d+%dx%d t%d s%d", spec->action == PROBE_NONE ? "none" : text_str(&words),
             spec->https ? "https " : "", (int)spec->initial_delay, (int)spec->period, (int)spec->failure_threshold,
             (int)spec->timeout, (int)spec->success_threshold);
    text_free(&words);
}

static void test_probes(void **state)
{
    static const struct {
        const char *file;
        struct {
            enum probe_action action;
            int32_t port, period, failures;
            const char *path;
            bool https;
        } lanes[LANE_COUNT];
    } ROWS[] = {
        {"recipe-decode",
         {{PROBE_HTTP_GET, 8200, 30, 60, "/v1/models", false},
          {PROBE_HTTP_GET, 8200, 10, 3, "/health", false},
          {PROBE_HTTP_GET, 8200, 10, 3, "/v1/models", false},
          {PROBE_HTTP_GET, 8200, 5, 3, "/health", false},
          {PROBE_HTTP_GET, 8000, 5, 3, "/v1/models", false}}},
        {"wide-ep-decode",
         {{PROBE_HTTP_GET, 8208, 1, 2700, "/health", false},
          {PROBE_HTTP_GET, 8208, 30, 3, "/health", false},
          {PROBE_HTTP_GET, 8208, 10, 3, "/readyz", false},
          {PROBE_HTTP_GET, 8200, 5, 3, "/health", false},
          {PROBE_HTTP_GET, 8000, 5, 3, "/v1/models", false}}},
        /* The sidecar's own probes are not the serving container's. */
        {"kserve-decode",
         {{PROBE_NONE, 0, 0, 0, NULL, false},
          {PROBE_HTTP_GET, 8001, 10, 5, "/health", true},
          {PROBE_HTTP_GET, 8001, 10, 60, "/health", true},
          {PROBE_HTTP_GET, 8001, 5, 3, "/health", true},
          {PROBE_HTTP_GET, 8000, 5, 3, "/v1/models", true},
          {PROBE_NONE, 0, 0, 0, NULL, false},
          {PROBE_HTTP_GET, 8000, 10, 3, "/health", true},
          {PROBE_HTTP_GET, 8000, 10, 3, "/health", true}}},
        {"modelservice-decode",
         {{PROBE_NONE, 0, 0, 0, NULL, false},
          {PROBE_NONE, 0, 0, 0, NULL, false},
          {PROBE_NONE, 0, 0, 0, NULL, false},
          {PROBE_HTTP_GET, 8200, 5, 3, "/health", false},
          {PROBE_HTTP_GET, 8000, 5, 3, "/v1/models", true}}},
        {"gpu-deployment",
         {{PROBE_HTTP_GET, 8000, 1, 600, "/health", false},
          {PROBE_HTTP_GET, 8000, 1, 5, "/health", false},
          {PROBE_HTTP_GET, 8000, 1, 1, "/health", false},
          {PROBE_HTTP_GET, 8000, 5, 3, "/health", false},
          {PROBE_HTTP_GET, 8000, 5, 3, "/v1/models", false}}},
        {"multi-host-worker", {{PROBE_NONE, 0, 0, 0, NULL, false}}},
        /* Nobody serves there, and that is to be seen: the probe keeps its wrong port. */
        {"wrong-port",
         {{PROBE_NONE, 0, 0, 0, NULL, false},
          {PROBE_NONE, 0, 0, 0, NULL, false},
          {PROBE_HTTP_GET, 8080, 10, 3, "/health", false},
          {PROBE_HTTP_GET, 8000, 5, 3, "/health", false},
          {PROBE_HTTP_GET, 8000, 5, 3, "/v1/models", false}}},
        {"real-decode",
         {{PROBE_EXEC, 0, 10, 3, NULL, false},
          {PROBE_TCP_SOCKET, 8200, 10, 3, NULL, false},
          {PROBE_HTTP_GET, 8200, 2, 3, "/health", false},
          {PROBE_HTTP_GET, 8200, 5, 3, "/health", false},
          {PROBE_HTTP_GET, 8000, 5, 3, "/v1/models", false}}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct pod_facts facts;
        facts_of_file(ROWS[i].file, &facts);
        for (int lane = 0; lane < LANE_COUNT; lane++) {
            const struct probe_spec *spec = &facts.probes[lane];
            const char *path = spec->path != NULL ? spec->path : "-";
            const char *wanted = ROWS[i].lanes[lane].path != NULL ? ROWS[i].lanes[lane].path : "-";
            if (spec->action != ROWS[i].lanes[lane].action || spec->port != ROWS[i].lanes[lane].port ||
                spec->period != ROWS[i].lanes[lane].period || spec->failure_threshold != ROWS[i].lanes[lane].failures ||
                strcmp(path, wanted) != 0 || spec->https != ROWS[i].lanes[lane].https) {
                char line[256];
                probe_line(spec, line, sizeof line);
                fail_msg("%s, %s: %s", ROWS[i].file, lane_name((enum lane_kind)lane), line);
            }
        }
        pod_facts_free(&facts);
    }
}

static void test_other_probes(void **state)
{
    struct pod_facts facts;
    (void)state;
    facts_of_file("other-probes", &facts);
    assert_int_equal(facts.probes[LANE_STARTUP].action, PROBE_EXEC);
    assert_int_equal(facts.probes[LANE_LIVENESS].action, PROBE_GRPC);
    assert_int_equal(facts.probes[LANE_LIVENESS].port, 50051);
    assert_int_equal(facts.probes[LANE_READINESS].action, PROBE_TCP_SOCKET);
    assert_int_equal(facts.probes[LANE_READINESS].port, 50051);
    assert_string_equal(facts.probes[LANE_READINESS].port_name, "grpc");
    assert_int_equal(facts.probes[LANE_READINESS].success_threshold, 2);
    assert_int_equal(facts.probes[LANE_READINESS].timeout, 3);
    pod_facts_free(&facts);

    facts_of_file("headers", &facts);
    const struct probe_spec *readiness = &facts.probes[LANE_READINESS], *liveness = &facts.probes[LANE_LIVENESS];
    assert_int_equal(readiness->port, 8000); /* a number written as a string */
    assert_string_equal(readiness->host, "127.0.0.1");
    assert_int_equal(readiness->header_count, 2);
    assert_string_equal(readiness->headers[0].name, "Authorization");
    assert_string_equal(readiness->headers[0].value, "Bearer sk-secret");
    assert_string_equal(readiness->headers[1].value, "");
    assert_int_equal(liveness->port, 0); /* no port of that name */
    assert_string_equal(liveness->port_name, "nowhere");
    assert_int_equal(liveness->termination_grace, 5);
    pod_facts_free(&facts);
}

/* ---- what lies ---- */

static const char *const HOSTILE[] = {
    "null",
    "[]",
    "7",
    "{}",
    "{'metadata':null,'spec':null,'status':null}",
    "{'metadata':[],'spec':7,'status':'x'}",
    "{'spec':{'containers':{'name':'vllm'}}}",
    "{'spec':{'containers':[null,7,[],{},{'name':7},{'name':'vllm','ports':'x','command':{},'args':7}]}}",
    "{'metadata':{'name':{},'uid':[],'labels':['llm-d.ai/role'],'ownerReferences':[7,{'kind':7,'name':'x'}],"
    "'creationTimestamp':1e300,'deletionTimestamp':true},'spec':{'containers':[{'name':'vllm'}]}}",
    "{'metadata':{'labels':{'llm-d.ai/role':'\\u001b[2J','pod-template-hash':'','leaderworkerset.sigs.k8s.io/name':''},"
    "'ownerReferences':[{'kind':'ReplicaSet','name':'-'}]},'spec':{'containers':[{'name':'vllm'}]}}",
    "{'spec':{'terminationGracePeriodSeconds':-1e99,'containers':[{'name':'vllm','ports':[{'containerPort':1e99},"
    "{'name':'http','containerPort':-5},{'name':'http','containerPort':70000}],"
    "'readinessProbe':{'httpGet':{'port':'http','path':7,'scheme':[],'httpHeaders':{'name':'x'}},"
    "'periodSeconds':99999999999999999999,'timeoutSeconds':-1,'failureThreshold':1e300,'successThreshold':0.5},"
    "'livenessProbe':{'httpGet':7,'tcpSocket':[],'grpc':null,'exec':'x'},"
    "'startupProbe':{'httpGet':{'port':1.5,'host':''}}}]}}",
    "{'spec':{'containers':[{'name':'vllm'}]},'status':{'phase':7,'conditions':{'type':'Ready'},"
    "'containerStatuses':[7,{'name':'vllm','ready':'yes','started':1,'restartCount':-1e30,'state':[],"
    "'lastState':{'terminated':{'exitCode':1e30,'signal':-9,'finishedAt':'x'}}}]}}",
    "{'spec':{'containers':[{'name':'vllm'}]},'status':{'containerStatuses':[{'name':'vllm','restartCount':1e30,"
    "'state':{'running':{'startedAt':'0001-01-01T00:00:00Z'},'waiting':{'reason':'x'},'terminated':{}}}]}}",
    "{'spec':{'containers':[{'name':'vllm'}]},'status':{'containerStatuses':[{'name':'vllm',"
    "'state':{'running':{'startedAt':'1970-01-01T00:00:00Z'}}}]}}",
    "{'spec':{'containers':[{'name':'vllm'}]},'status':{'initContainerStatuses':[null,{'name':7,'state':"
    "{'waiting':{'reason':[]}}}]}}",
};

static void assert_sane(const struct pod_facts *facts, const char *text)
{
    bool sane = facts->id == ID && facts->kubelet && facts->grace >= 0 && facts->serving.restart_count >= 0 &&
                facts->serving_port >= 0 && facts->serving_port <= 65535 && facts->vllm_port >= 0 &&
                facts->vllm_port <= 65535 && facts->phase == PHASE_UNKNOWN && facts->ready.status == TRI_UNKNOWN &&
                facts->serving.ready == TRI_UNKNOWN && facts->serving.started == TRI_UNKNOWN &&
                !facts->serving.started_at_known && facts->created_at == 0 && facts->serving.last.signal >= 0;
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        const struct probe_spec *spec = &facts->probes[lane];
        sane = sane && (spec->action == PROBE_NONE ||
                        (spec->period >= 1 && spec->timeout >= 1 && spec->success_threshold >= 1 &&
                         spec->failure_threshold >= 1 && spec->initial_delay >= 0 && spec->port >= 0 &&
                         spec->port <= 65535 && spec->period <= PROBE_SECONDS_MAX));
        sane = sane && (spec->action != PROBE_HTTP_GET || spec->path != NULL);
    }
    if (!sane)
        fail_msg("from %s came facts that are not sane", text);
}

static void test_hostile(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof HOSTILE / sizeof HOSTILE[0]; i++) {
        char *text = mem_dup(HOSTILE[i]);
        for (char *c = text; *c != '\0'; c++)
            *c = *c == '\'' ? '"' : *c;
        struct json *pod;
        struct problem problem = {""};
        struct pod_facts facts;
        if (json_parse(text, strlen(text), 1 << 20, &pod, &problem) != STATUS_OK)
            fail_msg("%s: %s", text, problem.text);
        facts_of(pod, &facts);
        assert_sane(&facts, text);
        pod_facts_free(&facts);
        json_free(pod);
        mem_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status), cmocka_unit_test(test_moments),      cmocka_unit_test(test_words),
        cmocka_unit_test(test_probes), cmocka_unit_test(test_other_probes), cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
