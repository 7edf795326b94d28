/* What kubectl prints for people: descriptions against the JSON of the same pods, tables of events and pods in all their shapes, pieces, and what none of them is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "kube/describe.h"
#include "kube/discover.h"
#include "tests/support/pod_file.h"

static const struct clock CLOCK = {.wall_zero = 1795500000 * (int64_t)SECOND_US}; /* 2026-11-24T06:00:00Z */

static int64_t seconds(int64_t count)
{
    return count * SECOND_US;
}

static void assert_text(const struct text *text, const char *expected)
{
    assert_string_equal(text_str(text), expected);
}

static void read_string(const char *string, struct described *out)
{
    describe_read(string, strlen(string), out);
}

static void facts_of(const struct json *pod, struct pod_facts *facts)
{
    struct discovery found;
    *facts = (struct pod_facts){0};
    discover_pod(pod, true, &found);
    pod_facts_from_json(pod, &found, &CLOCK, 1, facts);
}

/* ---- descriptions against JSON ---- */

static void same_termination(const struct termination *a, const struct termination *b)
{
    assert_int_equal(a->known, b->known);
    assert_int_equal(a->exit_code, b->exit_code);
    assert_int_equal(a->signal, b->signal);
    assert_true(a->started_at == b->started_at);
    assert_true(a->finished_at == b->finished_at);
    assert_text(&a->reason, text_str(&b->reason));
}

static void same_container(const struct container_facts *a, const struct container_facts *b)
{
    assert_int_equal(a->exists, b->exists);
    assert_text(&a->name, text_str(&b->name));
    assert_text(&a->image, text_str(&b->image));
    assert_text(&a->container_id, text_str(&b->container_id));
    assert_int_equal(a->state, b->state);
    assert_text(&a->reason, text_str(&b->reason));
    assert_int_equal(a->restart_count, b->restart_count);
    assert_int_equal(a->ready, b->ready);
    assert_int_equal(a->started_at_known, b->started_at_known);
    assert_true(a->started_at == b->started_at);
    same_termination(&a->last, &b->last);
}

static void same_probe(const struct probe_spec *a, const struct probe_spec *b)
{
    assert_int_equal(a->action, b->action);
    assert_int_equal(a->port, b->port);
    assert_int_equal(a->https, b->https);
    assert_int_equal(a->initial_delay, b->initial_delay);
    assert_int_equal(a->timeout, b->timeout);
    assert_int_equal(a->period, b->period);
    assert_int_equal(a->success_threshold, b->success_threshold);
    assert_int_equal(a->failure_threshold, b->failure_threshold);
    assert_string_equal(a->path ? a->path : "", b->path ? b->path : "");
}

static void same_facts(const struct pod_facts *a, const struct pod_facts *b)
{
    assert_text(&a->name, text_str(&b->name));
    assert_text(&a->ns, text_str(&b->ns));
    assert_text(&a->node, text_str(&b->node));
    assert_text(&a->pod_ip, text_str(&b->pod_ip));
    assert_text(&a->workload, text_str(&b->workload));
    assert_int_equal(a->role, b->role);
    assert_int_equal(a->phase, b->phase);
    assert_int_equal(a->scheduled.status, b->scheduled.status);
    assert_int_equal(a->initialized.status, b->initialized.status);
    assert_int_equal(a->ready.status, b->ready.status);
    assert_int_equal(a->serving_port, b->serving_port);
    assert_int_equal(a->vllm_port, b->vllm_port);
    same_container(&a->serving, &b->serving);
    same_container(&a->sidecar, &b->sidecar);
    for (int lane = LANE_STARTUP; lane <= LANE_READINESS; lane++)
        same_probe(&a->probes[lane], &b->probes[lane]);
}

/* Files of one moment, made by kubectl 1.34 of pods on a node: a crash loop behind a sidecar, an init container that fails, no node, no image, a liveness probe that kills, no memory. */
static void test_same_as_json(void **state)
{
    static const char *const NAMES[] = {"decode-0", "kserve-predictor-abc", "big", "nopull", "liveness", "oom"};
    (void)state;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        char path[128];
        struct buf bytes;
        struct described described;
        struct pod_facts told, facts;
        snprintf(path, sizeof path, "describe/%s.txt", NAMES[i]);
        data_file(path, &bytes);
        snprintf(path, sizeof path, "describe/%s.json", NAMES[i]);
        struct json *pod = data_json(path);
        describe_read(buf_str(&bytes), bytes.len, &described);
        assert_int_equal(described.pod_count, 1);
        assert_int_equal(described.pods_described, 1);
        facts_of(described.pods[0], &told);
        facts_of(pod, &facts);
        same_facts(&told, &facts);
        pod_facts_free(&told);
        pod_facts_free(&facts);
        json_free(pod);
        described_free(&described);
        buf_free(&bytes);
    }
}

/* A message of several lines stands at the beginning of its lines; they are for the signatures, with their numbers. */
static void test_message_lines(void **state)
{
    struct buf bytes;
    struct described described;
    (void)state;
    data_file("describe/decode-0.txt", &bytes);
    describe_read(buf_str(&bytes), bytes.len, &described);
    assert_int_equal(described.rest_count, 2);
    assert_int_equal(described.rest[0].number, 54);
    assert_true(slice_find(described.rest[0].words, "OutOfMemoryError") != NULL);
    assert_int_equal(described.rest[1].number, 55);
    assert_int_equal(described.event_count, 8);
    assert_text(&described.events[7].reason, "BackOff");
    assert_int_equal(described.events[7].count, 7);
    assert_true(described.events[7].age == seconds(4) && described.events[7].first_age == seconds(43));
    described_free(&described);
    buf_free(&bytes);
}

/* ---- events ---- */

static const char DESCRIBE_HEADER[] = "Events:\n"
                                      "  Type     Reason     Age                  From               Message\n"
                                      "  ----     ------     ----                 ----               -------\n";

struct event_row {
    const char *text;
    bool warning;
    const char *reason, *message, *object, *container;
    int32_t count;
    int64_t age, first_age; /* seconds; -1 */
};

static void event_check(const char *text, const struct event_row *row)
{
    struct described described;
    read_string(text, &described);
    assert_int_equal(described.event_count, 1);
    assert_int_equal(described.rest_count, 0);
    assert_int_equal(described.pod_count, 0);
    const struct told_event *event = &described.events[0];
    assert_int_equal(event->warning, row->warning);
    assert_text(&event->reason, row->reason);
    assert_text(&event->message, row->message);
    assert_text(&event->object, row->object);
    assert_text(&event->container, row->container);
    assert_int_equal(event->count, row->count);
    assert_true(event->age == (row->age < 0 ? -1 : seconds(row->age)));
    assert_true(event->first_age == (row->first_age < 0 ? -1 : seconds(row->first_age)));
    described_free(&described);
}

static void test_event_shapes(void **state)
{
    static const struct event_row ROWS[] = {
        /* blanks lost */
        {"Warning FailedScheduling 5m2s (x3 over 15m) default-scheduler 0/1 nodes are available", true,
         "FailedScheduling", "0/1 nodes are available", "", "", 3, 302, 900},
        /* no age */
        {"  Warning  Failed     kubelet  Error: ErrImagePull", true, "Failed", "Error: ErrImagePull", "", "", 1, -1,
         -1},
        {"  Warning  BackOff    <unknown>          kubelet, gpu-7  Back-off restarting failed container", true,
         "BackOff", "Back-off restarting failed container", "", "", 1, -1, -1},
        {"Normal Pulled 31s kubelet Successfully pulled image", false, "Pulled", "Successfully pulled image", "", "", 1,
         31, 31},
        /* kubectl get events without its header */
        {"5s (x3 over 15s)   Warning   Unhealthy   pod/decode-0   Liveness probe failed: HTTP 503", true, "Unhealthy",
         "Liveness probe failed: HTTP 503", "pod/decode-0", "", 3, 5, 15},
        {"llm-d   2m11s   Normal   Killing   pod/decode-0   Stopping container vllm", false, "Killing",
         "Stopping container vllm", "pod/decode-0", "", 1, 131, 131},
        /* a sentence alone */
        {"Readiness probe failed: Get \"http://10.1.2.45:8012/\": context deadline exceeded\r\n", true, "Unhealthy",
         "Readiness probe failed: Get \"http://10.1.2.45:8012/\": context deadline exceeded", "", "", 1, -1, -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        event_check(ROWS[i].text, &ROWS[i]);
}

static void test_event_columns(void **state)
{
    static const struct event_row ROWS[] = {
        {"LAST SEEN   TYPE      REASON             OBJECT                     MESSAGE\n"
         "50s         Warning   FailedScheduling   pod/big                    0/1 nodes  are available\n",
         true, "FailedScheduling", "0/1 nodes  are available", "pod/big", "", 1, 50, 50},
        {"NAMESPACE   LAST SEEN   TYPE      REASON    OBJECT       MESSAGE\n"
         "llm-d       3h2m        Normal    Killing   pod/vllm-0   Stopping container vllm\n",
         false, "Killing", "Stopping container vllm", "pod/vllm-0", "", 1, 10920, 10920},
        /* -o wide: who told it may be missing, and more follows the message */
        {"LAST SEEN   TYPE      REASON   OBJECT         SUBOBJECT                SOURCE        MESSAGE         FIRST "
         "SEEN   COUNT   NAME\n"
         "21s         Warning   Failed   pod/decode-0   spec.containers{vllm}    kubelet, n1   Error: no       45s     "
         " "
         "    3       decode-0.18ea\n",
         true, "Failed", "Error: no", "pod/decode-0", "vllm", 3, 21, 45},
        {"LAST SEEN   TYPE      REASON   OBJECT         SUBOBJECT                SOURCE        MESSAGE         FIRST "
         "SEEN   COUNT   NAME\n"
         "51s         Normal    Pulled   pod/decode-0                                          fine            51s     "
         " "
         "    1       decode-0.18ea\n",
         false, "Pulled", "fine", "pod/decode-0", "", 1, 51, 51},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        event_check(ROWS[i].text, &ROWS[i]);
}

static void test_event_messages_go_on(void **state)
{
    char text[1024];
    struct event_row row = {.warning = true,
                            .reason = "Unhealthy",
                            .message = "Startup probe failed: HTTP probe failed with statuscode: 500, then more of it",
                            .object = "",
                            .container = "",
                            .count = 1,
                            .age = 5,
                            .first_age = 5};
    (void)state;
    snprintf(text, sizeof text, "%s%s", DESCRIBE_HEADER,
             "  Warning  Unhealthy  5s                   kubelet            Startup probe failed: HTTP probe failed "
             "with statuscode: 500,\nthen more of it\n");
    event_check(text, &row);
}

/* Sentences that only begin like a row. */
static void test_no_events(void **state)
{
    static const char *const LINES[] = {"Warning: spec.template uses a deprecated field", "Normal operation resumed",
                                        "5m ago it still worked", "Readiness probe was changed yesterday",
                                        "Warning 5s kubelet"};
    (void)state;
    for (size_t i = 0; i < sizeof LINES / sizeof LINES[0]; i++) {
        struct described described;
        read_string(LINES[i], &described);
        assert_int_equal(described.event_count, 0);
        assert_int_equal(described.rest_count, 1);
        assert_int_equal(described.rest[0].number, 1);
        described_free(&described);
    }
}

/* ---- pods of tables ---- */

static void test_pod_rows(void **state)
{
    static const struct {
        const char *row, *name, *ns, *reason;
        enum pod_phase phase;
        enum container_state state;
        int32_t restarts;
        enum tri ready;
    } ROWS[] = {
        {"decode-0   0/1   CrashLoopBackOff   5 (2m11s ago)   14m", "decode-0", "", "CrashLoopBackOff", PHASE_RUNNING,
         CONTAINER_WAITING, 5, TRI_FALSE},
        {"llm-d   decode-0   2/2   Running   0   14m   10.0.0.1   n1", "decode-0", "llm-d", "", PHASE_RUNNING,
         CONTAINER_RUNNING, 0, TRI_TRUE},
        {"pod/decode-0   0/1   Running   6 (101s ago)   22m", "decode-0", "", "", PHASE_RUNNING, CONTAINER_RUNNING, 6,
         TRI_FALSE},
        {"a   0/2   Init:Error   3   1h", "a", "", "Init:Error", PHASE_PENDING, CONTAINER_WAITING, 3, TRI_FALSE},
        {"a   0/1   Pending   0   1h", "a", "", "", PHASE_PENDING, CONTAINER_UNKNOWN, 0, TRI_FALSE},
        {"a   0/1   Evicted   0   1h", "a", "", "", PHASE_FAILED, CONTAINER_UNKNOWN, 0, TRI_FALSE},
        {"a   0/1   OOMKilled   2   1h", "a", "", "OOMKilled", PHASE_RUNNING, CONTAINER_TERMINATED, 2, TRI_FALSE},
        {"a   0/1   Completed   0   1h", "a", "", "Completed", PHASE_SUCCEEDED, CONTAINER_TERMINATED, 0, TRI_FALSE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct described described;
        struct pod_facts facts;
        read_string(ROWS[i].row, &described);
        assert_int_equal(described.pod_count, 1);
        assert_int_equal(described.pods_described, 0);
        facts_of(described.pods[0], &facts);
        assert_text(&facts.name, ROWS[i].name);
        assert_text(&facts.ns, ROWS[i].ns);
        assert_text(&facts.serving.reason, ROWS[i].reason);
        assert_int_equal(facts.phase, ROWS[i].phase);
        assert_int_equal(facts.serving.state, ROWS[i].state);
        assert_int_equal(facts.serving.restart_count, ROWS[i].restarts);
        assert_int_equal(facts.serving.ready, ROWS[i].ready);
        pod_facts_free(&facts);
        described_free(&described);
    }
}

static void test_no_pod_rows(void **state)
{
    static const char TEXT[] = "NAME     READY   UP-TO-DATE   AVAILABLE   AGE\n"
                               "decode   0/2     2            0           5m\n"
                               "shards 1/2 loading\n";
    struct described described;
    (void)state;
    read_string(TEXT, &described);
    assert_int_equal(described.pod_count, 0);
    described_free(&described);
}

/* ---- pieces and strangers ---- */

static void test_pieces(void **state)
{
    static const char TEXT[] = "State:          Waiting\n"
                               "  Reason:       CreateContainerConfigError\n"
                               "Restart Count:  4\n"
                               "Liveness:   http-get http://:8000/health delay=5s timeout=1s period=10s #failure=3\n"
                               "and then it says: nothing\n";
    struct described described;
    struct pod_facts facts;
    (void)state;
    read_string(TEXT, &described);
    assert_int_equal(described.pod_count, 1);
    assert_int_equal(described.rest_count, 1);
    assert_int_equal(described.rest[0].number, 5);
    facts_of(described.pods[0], &facts);
    assert_int_equal(facts.serving.state, CONTAINER_WAITING);
    assert_text(&facts.serving.reason, "CreateContainerConfigError");
    assert_int_equal(facts.serving.restart_count, 4);
    assert_int_equal(facts.probes[LANE_LIVENESS].port, 8000);
    assert_int_equal(facts.probes[LANE_LIVENESS].initial_delay, 5);
    pod_facts_free(&facts);
    described_free(&described);
}

static void test_probe_lines(void **state)
{
    static const struct {
        const char *words;
        enum probe_action action;
        int32_t port, timeout;
        const char *path;
        bool https;
    } ROWS[] = {
        {"http-get http://:8000/health delay=0s timeout=1s period=10s #success=1 #failure=3", PROBE_HTTP_GET, 8000, 1,
         "/health", false},
        {"http-get https://[::1]:8443/v1/models?x=1 delay=0s timeout=7s", PROBE_HTTP_GET, 8443, 7, "/v1/models?x=1",
         true},
        {"http-get /live timeout=4s #failure=1", PROBE_HTTP_GET, 0, 4, "/live", false},
        {"tcp-socket :8200 delay=0s timeout=1s", PROBE_TCP_SOCKET, 8200, 1, "", false},
        {"grpc <pod>:9000  delay=0s timeout=2s", PROBE_GRPC, 9000, 2, "", false},
        {"exec [sh -c curl -f localhost:8000/health] delay=0s timeout=3s", PROBE_EXEC, 0, 3, "", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char text[512];
        struct described described;
        struct pod_facts facts;
        snprintf(text, sizeof text, "Startup:  %s\n", ROWS[i].words);
        read_string(text, &described);
        assert_int_equal(described.pod_count, 1);
        facts_of(described.pods[0], &facts);
        const struct probe_spec *probe = &facts.probes[LANE_STARTUP];
        assert_int_equal(probe->action, ROWS[i].action);
        assert_int_equal(probe->port, ROWS[i].port);
        assert_int_equal(probe->timeout, ROWS[i].timeout);
        assert_int_equal(probe->https, ROWS[i].https);
        assert_string_equal(probe->path ? probe->path : "", ROWS[i].path);
        pod_facts_free(&facts);
        described_free(&described);
    }
}

/* A port's name is in the description since kubectl 1.33; before, the only port there is must be meant. */
static void test_port_names(void **state)
{
    static const char *const PORTS[] = {"Port:  8200/TCP (web)", "Ports:  5557/TCP (zmq), 8200/TCP (web)",
                                        "Port:  8200/TCP"};
    (void)state;
    for (size_t i = 0; i < sizeof PORTS / sizeof PORTS[0]; i++) {
        char text[512];
        struct described described;
        struct pod_facts facts;
        snprintf(text, sizeof text,
                 "Name:  a\nNamespace:  b\nContainers:\n  vllm:\n    %s\n    Liveness:  http-get http://:web/health "
                 "delay=0s\n",
                 PORTS[i]);
        read_string(text, &described);
        facts_of(described.pods[0], &facts);
        assert_int_equal(facts.probes[LANE_LIVENESS].port, 8200);
        pod_facts_free(&facts);
        described_free(&described);
    }
}

static void test_several(void **state)
{
    static const char TEXT[] = "Name:         a\nNamespace:    x\nStatus:       Running\n\n\n"
                               "Name:         b\nNamespace:    x\nStatus:       Pending\n";
    struct described described;
    (void)state;
    read_string(TEXT, &described);
    assert_int_equal(described.pods_described, 2);
    assert_string_equal(json_string(json_get(json_get(described.pods[1], "metadata"), "name")), "b");
    described_free(&described);
}

/* kubectl describe deployment, before the pod's. */
static void test_other_objects(void **state)
{
    static const char TEXT[] = "Name:                   decode\nNamespace:              x\n"
                               "CreationTimestamp:      Tue, 24 Nov 2026 06:00:00 +0000\n"
                               "Replicas:               1 desired | 1 updated | 1 total | 0 available | 1 unavailable\n"
                               "Pod Template:\n  Containers:\n   vllm:\n    Image:      vllm/vllm-openai\n\n"
                               "Name:         a\nNamespace:    x\nStatus:       Running\n";
    struct described described;
    (void)state;
    read_string(TEXT, &described);
    assert_int_equal(described.pod_count, 1);
    assert_string_equal(json_string(json_get(json_get(described.pods[0], "metadata"), "name")), "a");
    described_free(&described);
}

/* Words that a program wrote, after the description and instead of one. */
static void test_other_words(void **state)
{
    static const char TEXT[] = "Name:         a\n"
                               "Namespace:    x\n"
                               "Containers:\n"
                               "  vllm:\n"
                               "    Image:  vllm/vllm-openai\n"
                               "Error: failed to create containerd task: OCI runtime create failed\n"
                               "  more of it\n";
    struct described described;
    (void)state;
    read_string(TEXT, &described);
    assert_int_equal(described.pods_described, 1);
    assert_int_equal(described.rest_count, 2);
    assert_int_equal(described.rest[0].number, 6);
    described_free(&described);
}

static void test_limits(void **state)
{
    struct buf text;
    struct described described;
    (void)state;
    buf_init(&text, 16 << 20);
    for (int i = 0; i < DESCRIBED_EVENTS_MAX + 10; i++)
        buf_puts(&text, "Warning Failed 6s kubelet words\n");
    for (int i = 0; i < DESCRIBED_PODS_MAX + 10; i++)
        buf_puts(&text, "decode-0 0/1 Running 1 5m\n");
    buf_puts(&text, "\n");
    for (int i = 0; i < DESCRIBED_LINES_MAX + 10; i++)
        buf_puts(&text, "?\n");
    describe_read(buf_str(&text), text.len, &described);
    assert_int_equal(described.event_count, DESCRIBED_EVENTS_MAX);
    assert_int_equal(described.pod_count, DESCRIBED_PODS_MAX);
    assert_int_equal(described.rest_count, DESCRIBED_LINES_MAX);
    assert_int_equal(described.left_out, 30);
    described_free(&described);
    buf_free(&text);
}

static void test_ages(void **state)
{
    static const struct {
        const char *words;
        int64_t seconds; /* -1: none */
    } ROWS[] = {{"0s", 0},         {"59s", 59},      {"2m11s", 131}, {"5d3h", 442800}, {"1y2d", 31708800},
                {"<unknown>", -1}, {"", -1},         {"5", -1},      {"s", -1},        {"5x", -1},
                {"-5s", -1},       {"9999999s", -1}, {"5s ago", -1}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        int64_t us = -1;
        assert_int_equal(kubectl_age(slice_of(ROWS[i].words), &us), ROWS[i].seconds >= 0);
        assert_true(us == (ROWS[i].seconds < 0 ? -1 : seconds(ROWS[i].seconds)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_json),
        cmocka_unit_test(test_message_lines),
        cmocka_unit_test(test_event_shapes),
        cmocka_unit_test(test_event_columns),
        cmocka_unit_test(test_event_messages_go_on),
        cmocka_unit_test(test_no_events),
        cmocka_unit_test(test_pod_rows),
        cmocka_unit_test(test_no_pod_rows),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_probe_lines),
        cmocka_unit_test(test_port_names),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_other_objects),
        cmocka_unit_test(test_other_words),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_ages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
