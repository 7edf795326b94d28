/* Manifests to pods: every kind that has a pod template somewhere, what a chart and KServe add, what is passed over, and on which line everything stands. */
#include "kube/manifest.h"

#include "base/mem.h"
#include "tests/support/pod_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct manifest *read_string(const char *string)
{
    struct manifest *manifest;
    struct problem problem = {""};
    enum status status = manifest_parse("f.yaml", string, strlen(string), &manifest, &problem);
    if (status != STATUS_OK)
        fail_msg("%s", problem.text);
    return manifest;
}

static struct manifest *read_data(const char *name)
{
    char path[128];
    struct buf bytes;
    struct manifest *manifest;
    struct problem problem = {""};
    snprintf(path, sizeof path, "manifests/%s", name);
    data_file(path, &bytes);
    if (manifest_parse(name, buf_str(&bytes), bytes.len, &manifest, &problem) != STATUS_OK)
        fail_msg("%s", problem.text);
    buf_free(&bytes);
    return manifest;
}

#define SERVER                                                                                                         \
    "{containers: [{name: vllm, image: x/vllm-openai, args: [--port=8123], readinessProbe: {httpGet: {path: /health, " \
    "port: 8123}}}]}"
#define TEMPLATE "{metadata: {labels: {a: b}}, spec: " SERVER "}"

static void test_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *in, *what;
        enum role role;
    } rows[] = {
        {"kind: Pod\nmetadata: {name: p}\nspec: " SERVER, "Pod p", ROLE_STANDALONE},
        {"kind: PodTemplate\nmetadata: {name: p}\ntemplate: " TEMPLATE, "PodTemplate p", ROLE_STANDALONE},
        {"kind: Deployment\nmetadata: {name: d}\nspec: {template: " TEMPLATE "}", "Deployment d", ROLE_STANDALONE},
        {"kind: StatefulSet\nmetadata: {name: s}\nspec: {template: " TEMPLATE "}", "StatefulSet s", ROLE_STANDALONE},
        {"kind: DaemonSet\nmetadata: {name: s}\nspec: {template: " TEMPLATE "}", "DaemonSet s", ROLE_STANDALONE},
        {"kind: ReplicaSet\nmetadata: {name: s}\nspec: {template: " TEMPLATE "}", "ReplicaSet s", ROLE_STANDALONE},
        {"kind: Job\nspec: {template: " TEMPLATE "}", "Job", ROLE_STANDALONE},
        {"kind: CronJob\nmetadata: {name: c}\nspec: {jobTemplate: {spec: {template: " TEMPLATE "}}}", "CronJob c",
         ROLE_STANDALONE},
        {"kind: LeaderWorkerSet\nmetadata: {name: l}\nspec: {leaderWorkerTemplate: {workerTemplate: " TEMPLATE "}}",
         "LeaderWorkerSet l", ROLE_STANDALONE},
        {"kind: InferenceService\nmetadata: {name: i}\nspec: {predictor: " SERVER "}", "InferenceService i",
         ROLE_STANDALONE},
        {"kind: InferenceService\nmetadata: {name: i}\nspec:\n  predictor:\n    model: {image: x/vllm-openai, args: "
         "[--port=8123]}",
         "InferenceService i", ROLE_STANDALONE},
        {"kind: LLMInferenceService\nmetadata: {name: i}\nspec: {template: " SERVER "}", "LLMInferenceService i",
         ROLE_STANDALONE},
        {"kind: ServingRuntime\nmetadata: {name: r}\nspec: " SERVER, "ServingRuntime r", ROLE_STANDALONE},
        {"kind: List\nitems:\n- {kind: Pod, metadata: {name: p}, spec: " SERVER "}", "Pod p", ROLE_STANDALONE},
        {"kind: PodList\nitems:\n- {kind: Pod, metadata: {name: p}, spec: " SERVER "}", "Pod p", ROLE_STANDALONE},
        {"- {kind: Pod, metadata: {name: p}, spec: " SERVER "}", "Pod p", ROLE_STANDALONE},
        {"{\"kind\": \"Pod\", \"metadata\": {\"name\": \"p\"}, \"spec\": {\"containers\": [{\"name\": \"vllm\", "
         "\"args\": [\"--port=8123\"]}]}}",
         "Pod p", ROLE_STANDALONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct manifest *manifest = read_string(rows[i].in);
        if (manifest->pod_count != 1)
            fail_msg("row %zu: %zu pods", i, manifest->pod_count);
        const struct manifest_pod *pod = &manifest->pods[0];
        assert_string_equal(text_str(&pod->what), rows[i].what);
        assert_int_equal(pod->facts.role, rows[i].role);
        assert_int_equal(pod->facts.vllm_port, 8123);
        assert_true(pod->facts.serving.exists && pod->facts.kubelet);
        manifest_free(manifest);
    }
}

static void test_groups(void **state)
{
    (void)state;
    struct manifest *manifest = read_data("good-wide-ep.yaml");
    assert_int_equal(manifest->pod_count, 3);
    assert_string_equal(text_str(&manifest->pods[0].what), "LeaderWorkerSet wide-ep-decode");
    assert_int_equal(manifest->pods[0].facts.role, ROLE_DECODE);
    assert_int_equal(manifest->pods[0].facts.ranks, 8);
    assert_int_equal(manifest->pods[0].facts.supervisor_port, 8208);
    assert_string_equal(text_str(&manifest->pods[1].what), "LeaderWorkerSet multi-host, leader");
    assert_int_equal(manifest->pods[1].facts.role, ROLE_STANDALONE);
    assert_string_equal(text_str(&manifest->pods[2].what), "LeaderWorkerSet multi-host, worker");
    assert_int_equal(manifest->pods[2].facts.role, ROLE_WORKER);
    manifest_free(manifest);
    manifest = read_data("recipe-base.yaml");
    assert_int_equal(manifest->pod_count, 1);
    assert_string_equal(text_str(&manifest->pods[0].what), "DisaggregatedSet pd, prefill");
    assert_int_equal(manifest->pods[0].facts.role, ROLE_PREFILL);
    manifest_free(manifest);
}

static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *in; /* of decode's container and what stands beside it */
        int32_t serving_port, vllm_port;
        bool sidecar;
    } rows[] = {
        {"decode: {containers: [{image: x/llm-d-inference-sim, modelCommand: imageDefault}]}", 8000, 8200, true},
        {"decode: {containers: [{image: x/llm-d-cuda, modelCommand: vllmServe}]}\nrouting: {servicePort: 8080, proxy: "
         "{targetPort: 8300}}",
         8080, 8300, true},
        {"decode: {containers: [{image: x/llm-d-cuda, modelCommand: vllmServe}]}\nrouting: {proxy: {enabled: false}}",
         8000, 8000, false},
        {"decode: {containers: [{image: x/llm-d-cuda, command: [vllm, serve, m, --port, '8201']}]}", 8000, 8201, true},
        {"prefill: {containers: [{image: x/llm-d-cuda, modelCommand: vllmServe}]}", 8000, 8000, false},
        {"decode: {containers: [{image: x/llm-d-cuda, modelCommand: vllmServe}]}\nrouting: {servicePort: nonsense, "
         "proxy: {targetPort: 99999}}",
         8000, 8200, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct manifest *manifest = read_string(rows[i].in);
        assert_int_equal(manifest->pod_count, 1);
        const struct pod_facts *facts = &manifest->pods[0].facts;
        assert_int_equal(facts->serving_port, rows[i].serving_port);
        assert_int_equal(facts->vllm_port, rows[i].vllm_port);
        assert_int_equal(facts->sidecar.exists, rows[i].sidecar);
        manifest_free(manifest);
    }
    struct manifest *manifest = read_data("guide-ms-sim.values.yaml");
    assert_int_equal(manifest->pod_count, 2);
    assert_string_equal(text_str(&manifest->pods[0].what), "modelservice values decode");
    assert_int_equal(manifest->pods[0].facts.role, ROLE_DECODE);
    assert_int_equal(manifest->pods[1].facts.role, ROLE_PREFILL);
    assert_int_equal(manifest->pods[1].facts.probes[LANE_READINESS].period, 5); /* its own goes before what is merged */
    assert_string_equal(manifest->pods[1].facts.probes[LANE_READINESS].path, "/v1/models");
    manifest_free(manifest);
}

/* extraConfig is part of the container, and the container's own goes before it. */
static void test_extra_config(void **state)
{
    (void)state;
    struct manifest *manifest = read_string("decode:\n"
                                            "  parallelism: {data: 4}\n"
                                            "  containers:\n"
                                            "  - name: vllm\n"
                                            "    image: x/llm-d-cuda\n"
                                            "    modelCommand: vllmServe\n"
                                            "    extraConfig:\n"
                                            "      livenessProbe:\n"
                                            "        httpGet:\n"
                                            "          path: /health\n"
                                            "          port: 8200\n"
                                            "      startupProbe: {httpGet: {path: /b, port: 1}}\n"
                                            "    startupProbe: {httpGet: {path: /a, port: 1}}\n");
    const struct manifest_pod *pod = &manifest->pods[0];
    assert_int_equal(pod->facts.probes[LANE_LIVENESS].port, 8200);
    assert_string_equal(pod->facts.probes[LANE_STARTUP].path, "/a");
    assert_int_equal(manifest_line(manifest, pod, "livenessProbe.httpGet.port"), 11);
    assert_int_equal(manifest_line(manifest, pod, "livenessProbe.timeoutSeconds"), 8);
    assert_int_equal(manifest_line(manifest, pod, "startupProbe.httpGet.path"), 13);
    assert_int_equal(manifest_line(manifest, pod, "readinessProbe"), 4);
    manifest_free(manifest);
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        uint32_t line;
    } rows[] = {{"", 9},
                {"startupProbe", 9},
                {"livenessProbe", 15},
                {"livenessProbe.httpGet.port", 18},
                {"livenessProbe.timeoutSeconds", 15},
                {"readinessProbe.exec", 22},
                {"readinessProbe.httpGet.path", 21}};
    struct manifest *manifest = read_data("bad-docs.yaml");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (manifest_line(manifest, &manifest->pods[0], rows[i].field) != rows[i].line)
            fail_msg("%s: line %u", rows[i].field,
                     (unsigned)manifest_line(manifest, &manifest->pods[0], rows[i].field));
    manifest_free(manifest);
}

static void assert_passed(const struct manifest *manifest, size_t i, const char *kind, uint32_t count)
{
    assert_true(i < manifest->passed_count);
    assert_string_equal(text_str(&manifest->passed[i].kind), kind);
    assert_int_equal(manifest->passed[i].count, count);
}

static void test_passed_over(void **state)
{
    (void)state;
    struct manifest *manifest =
        read_string("kind: Service\n---\nkind: ConfigMap\n---\nkind: Service\n---\n# nothing\n---\n"
                    "kind: Deployment\nspec: {template: {spec: {containers: [{name: web, image: nginx}]}}}\n---\n"
                    "kind: Deployment\nspec: {}\n---\nsome: values\n---\n- 1\n---\n12\n---\nkind: [x]\n");
    assert_int_equal(manifest->pod_count, 0);
    assert_int_equal(manifest->passed_count, 5);
    assert_passed(manifest, 0, "Service", 2);
    assert_passed(manifest, 1, "ConfigMap", 1);
    assert_passed(manifest, 2, "Deployment without vLLM", 1);
    assert_passed(manifest, 3, "Deployment without a pod template", 1);
    assert_passed(manifest, 4, "a document without a kind", 4);
    manifest_free(manifest);
    manifest = read_string("decode: {create: false, containers: [{image: x/vllm}]}\n");
    assert_int_equal(manifest->pod_count, 0);
    assert_passed(manifest, 0, "decode that is not created", 1);
    manifest_free(manifest);
    manifest = read_string("");
    assert_int_equal(manifest->pod_count + manifest->passed_count, 0);
    manifest_free(manifest);
}

static void test_templates(void **state)
{
    (void)state;
    struct manifest *manifest = read_string("decode:\n"
                                            "  containers:\n"
                                            "  - image: x/llm-d-cuda\n"
                                            "    command: [vllm, serve]\n"
                                            "    args: ['{{ .Values.more }}']\n"
                                            "    livenessProbe:\n"
                                            "      httpGet: {path: /health, port: 8200}\n"
                                            "      failureThreshold: '{{ .Values.n }}'\n"
                                            "    startupProbe:\n"
                                            "      httpGet: {path: /health, port: 8200}\n");
    const struct manifest_pod *pod = &manifest->pods[0];
    assert_true(pod->templated[LANE_LIVENESS]);
    assert_false(pod->templated[LANE_STARTUP]);
    assert_int_equal(manifest->note_count, 2);
    assert_int_equal(manifest->notes[0].line, 8);
    assert_non_null(strstr(text_str(&manifest->notes[0].words), "livenessProbe has a template in it"));
    assert_int_equal(manifest->notes[1].line, 5);
    manifest_free(manifest);
}

/* Of odd types everywhere: nothing is found, or what can be, and nothing breaks. */
static void test_odd(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "kind: Pod\nspec: [1]",
        "kind: Pod\nspec: {containers: {name: vllm}}",
        "kind: Pod\nspec: {containers: [1, null, [], {name: 5}]}",
        "kind: Pod\nmetadata: 7\nspec: {containers: [{name: vllm, ports: 5, args: {a: b}, livenessProbe: [x]}]}",
        "kind: Pod\nspec: {containers: [{name: vllm, livenessProbe: {httpGet: {port: {}}, periodSeconds: x}}]}",
        "kind: LeaderWorkerSet\nspec: {leaderWorkerTemplate: 5}",
        "kind: DisaggregatedSet\nspec: {roles: {a: b}}",
        "kind: InferenceService\nspec: {predictor: {model: 5}}",
        "kind: InferenceService\nspec: {predictor: {model: {}, containers: 5}}",
        "kind: List\nitems: [{kind: List, items: [{kind: List, items: [{kind: List, items: [{kind: List}]}]}]}]",
        "decode: {containers: [5, {extraConfig: 5, modelCommand: {}}]}\nrouting: 5",
        "decode: {containers: [{image: x/vllm, extraConfig: [1], args: 5}], initContainers: 5, parallelism: 5}",
        "prefill: {containers: []}",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct manifest *manifest = read_string(rows[i]);
        for (size_t p = 0; p < manifest->pod_count; p++)
            manifest_line(manifest, &manifest->pods[p], "livenessProbe.httpGet.port");
        manifest_free(manifest);
    }
    struct manifest *manifest;
    struct problem problem = {""};
    assert_int_equal(manifest_parse("f.yaml", "a: [", 4, &manifest, &problem), STATUS_BAD_INPUT);
    assert_null(manifest);
    assert_int_equal(strncmp(problem.text, "f.yaml:1: ", 10), 0);
    manifest_free(NULL);
}

/* Many pods, and more than are looked at. */
static void test_many(void **state)
{
    (void)state;
    struct buf in;
    struct manifest *manifest;
    buf_init(&in, 1 << 20);
    for (int i = 0; i < MANIFEST_PODS_MAX + 3; i++)
        buf_printf(&in, "---\nkind: Pod\nmetadata: {name: p%d}\nspec: {containers: [{name: vllm}]}\n", i);
    assert_int_equal(manifest_parse("f.yaml", in.data, in.len, &manifest, NULL), STATUS_OK);
    assert_int_equal(manifest->pod_count, MANIFEST_PODS_MAX);
    assert_passed(manifest, 0, "Pod beyond the first 512", 3);
    manifest_free(manifest);
    buf_free(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),        cmocka_unit_test(test_groups), cmocka_unit_test(test_values),
        cmocka_unit_test(test_extra_config), cmocka_unit_test(test_lines),  cmocka_unit_test(test_passed_over),
        cmocka_unit_test(test_templates),    cmocka_unit_test(test_odd),    cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
