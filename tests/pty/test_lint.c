/* The real `probetop lint` on files and pipes: what it says on which line, what it exits with, and that nothing from a file reaches the terminal as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "tests/support/pod_file.h"
#include "tests/support/run.h"

struct place {
    char dir[64];
    struct run run;
};

static int setup(void **state)
{
    struct place *place = mem_new(sizeof *place);
    assert_non_null(getenv("PROBETOP"));
    run_directory(place->dir);
    place->run.fd = -1;
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    run_end(&place->run);
    run_directory_remove(place->dir);
    mem_free(place);
    return 0;
}

static void put_string(const struct place *place, const char *name, const char *string)
{
    run_directory_put(place->dir, name, string, strlen(string));
}

/* A file of tests/data/manifests, into the directory. */
static void put_manifest(const struct place *place, const char *name)
{
    char path[128];
    struct buf bytes;
    snprintf(path, sizeof path, "manifests/%s", name);
    data_file(path, &bytes);
    run_directory_put(place->dir, name, bytes.data, bytes.len);
    buf_free(&bytes);
}

/* `command` is a shell's, with lint as $LINT. Returns what it exited with. */
static int lint(struct place *place, const char *command)
{
    char script[1024];
    run_end(&place->run);
    snprintf(script, sizeof script, "LINT=\"$PROBETOP lint\"; %s", command);
    run_start(&place->run, (const char *const[]){"sh", "-c", script, NULL}, place->dir, NULL);
    assert_true(run_wait_exit(&place->run));
    return run_code(&place->run);
}

static void assert_says(const struct place *place, const char *words)
{
    if (strstr(buf_str(&place->run.out), words) == NULL)
        fail_msg("\"%s\" is not in:\n%s", words, buf_str(&place->run.out));
}

static void test_findings(void **state)
{
    struct place *place = *state;
    put_manifest(place, "bad-docs.yaml");
    assert_int_equal(lint(place, "$LINT bad-docs.yaml 2>/dev/null"), 1);
    assert_says(place,
                "bad-docs.yaml:9: startupProbe: there is none, so livenessProbe counts from the start and restarts the "
                "container after 1:30 (60 s + 3 x 10 s) without an answer");
    assert_says(place,
                "[no-startup-probe]\n  write into container mistral of Deployment mistral:\n    startupProbe:\n");
    assert_says(place, "bad-docs.yaml:15: livenessProbe.timeoutSeconds: not set, so 1 s");
    assert_says(place, "bad-docs.yaml:22: readinessProbe.exec: ");
    assert_says(
        place, "bad-docs.yaml:38: startupProbe.httpGet.port: nothing in this pod listens on 8000; vLLM listens on 8080 "
               "[probe-port-unserved]\n");
}

/* What lint has to say of the guide's two examples (facts/readiness-probes-guide.md). */
static void test_guide(void **state)
{
    struct place *place = *state;
    put_manifest(place, "guide-ms-sim.values.yaml");
    put_manifest(place, "guide-wide-ep.yaml");
    assert_int_equal(
        lint(
            place,
            "$LINT guide-ms-sim.values.yaml guide-wide-ep.yaml 2>/dev/null | grep -c '\\]$'; $LINT guide-wide-ep.yaml"),
        1);
    assert_says(place, "2\n");
    assert_int_equal(lint(place, "$LINT guide-ms-sim.values.yaml"), 1);
    assert_says(
        place,
        "guide-ms-sim.values.yaml:38: readinessProbe.httpGet.port: requests come in through the sidecar on 8000");
    assert_int_equal(lint(place, "$LINT guide-wide-ep.yaml"), 1);
    assert_says(place, "guide-wide-ep.yaml:30: readinessProbe.httpGet.path: ");
    assert_says(place, "requests go to a dead engine for up to 1:35 [readiness-on-models-alone]\n");
}

static void test_good(void **state)
{
    static const char *const names[] = {"good-standalone.yaml", "good-decode.yaml", "good-wide-ep.yaml",
                                        "good-kserve.yaml"};
    struct place *place = *state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        put_manifest(place, names[i]);
    assert_int_equal(lint(place, "$LINT good-*.yaml 2>/dev/null"), 0);
    assert_string_equal(buf_str(&place->run.out), "");
    assert_int_equal(lint(place, "$LINT good-*.yaml"), 0);
    assert_says(place, "good-standalone.yaml: note: passed over: 1 Service\n");
    assert_says(place, "probetop: 7 pod templates looked at: nothing to say\n");
    assert_int_equal(lint(place, "cat good-decode.yaml | $LINT -"), 0);
}

static void test_unusable(void **state)
{
    struct place *place = *state;
    put_manifest(place, "bad-docs.yaml");
    put_string(place, "service.yaml", "kind: Service\n");
    put_string(place, "broken.yaml", "kind: Pod\nspec:\n\tx: 1\n");
    put_string(place, "helm.yaml", "kind: Pod\nspec: {{ .Values.spec }}\n");
    put_string(place, "empty.yaml", "");
    run_directory_put(place->dir, "binary.yaml",
                      "\x7f"
                      "ELF\x02\x01\0\0",
                      8);
    assert_int_equal(lint(place, "$LINT service.yaml"), 2);
    assert_says(place, "probetop: service.yaml: nothing here serves a model with vLLM; expected a Pod, Deployment, ");
    assert_says(place, "service.yaml: note: passed over: 1 Service\n");
    assert_int_equal(lint(place, "$LINT empty.yaml"), 2);
    assert_int_equal(lint(place, "$LINT broken.yaml"), 2);
    assert_says(place, "broken.yaml:3: not YAML: ");
    assert_int_equal(lint(place, "$LINT helm.yaml"), 2);
    assert_says(place,
                "helm.yaml:2: a key must be a plain word or a string; is this a template that is not rendered yet?");
    assert_int_equal(lint(place, "$LINT binary.yaml"), 2);
    assert_says(place, "binary.yaml:1: no text that YAML allows");
    assert_int_equal(lint(place, "$LINT nothing.yaml"), 2);
    assert_says(place, "probetop: nothing.yaml: No such file or directory\n");
    assert_int_equal(lint(place, "$LINT ."), 2);
    assert_int_equal(lint(place, "$LINT"), 2);
    assert_int_equal(lint(place, "yes 'kind: Pod #' | head -c 9000000 | $LINT -"), 2);
    assert_says(place, "standard input: more than 8 MiB\n");
    /* One that is unusable does not hide what is found in another. */
    assert_int_equal(lint(place, "$LINT nothing.yaml bad-docs.yaml"), 2);
    assert_says(place, "bad-docs.yaml:9: startupProbe: ");
    assert_int_equal(lint(place, "$LINT bad-docs.yaml >/dev/full"), 2);
}

static void test_json(void **state)
{
    struct place *place = *state;
    struct json *document;
    put_manifest(place, "bad-decode.yaml");
    assert_int_equal(lint(place, "$LINT -o json bad-decode.yaml 2>/dev/null"), 1);
    assert_int_equal(json_parse(place->run.out.data, place->run.out.len, 1 << 20, &document, NULL), STATUS_OK);
    assert_string_equal(json_string(json_get(document, "schema")), "probetop.lint/v1");
    assert_int_equal(json_int(json_get(document, "pods"), -1), 1);
    const struct json *findings = json_get(document, "findings"), *second = json_next(json_first(findings));
    assert_int_equal(json_count(findings), 5);
    assert_string_equal(json_string(json_get(second, "file")), "bad-decode.yaml");
    assert_int_equal(json_int(json_get(second, "line"), -1), 21);
    assert_string_equal(json_string(json_get(second, "rule")), "liveness-on-sidecar-health");
    assert_string_equal(json_string(json_get(second, "object")), "StatefulSet decode");
    assert_string_equal(json_string(json_get(second, "namespace")), "llm-d");
    assert_string_equal(json_string(json_get(second, "container")), "vllm");
    assert_true(json_bool(json_get(second, "serious"), false));
    assert_non_null(strstr(json_string(json_get(second, "yaml")), "livenessProbe:\n  httpGet:\n    path: /health\n"));
    json_free(document);
    put_manifest(place, "good-decode.yaml");
    assert_int_equal(lint(place, "$LINT -o json good-decode.yaml 2>/dev/null"), 0);
    assert_string_equal(buf_str(&place->run.out), "{\"schema\":\"probetop.lint/v1\",\"findings\":[],\"pods\":1}\n");
}

/* What a template holds is not guessed: no word about that probe, and a note that says why. */
static void test_templates(void **state)
{
    static const char values[] = "decode:\n"
                                 "  containers:\n"
                                 "  - image: x/llm-d-cuda\n"
                                 "    modelCommand: vllmServe\n"
                                 "    startupProbe:\n"
                                 "      httpGet: {path: /health, port: 8200}\n"
                                 "      failureThreshold: '{{ .Values.threshold }}'\n"
                                 "    readinessProbe: {httpGet: {path: /health, port: 8200}, timeoutSeconds: 5}\n";
    struct place *place = *state;
    put_string(place, "values.yaml", values);
    assert_int_equal(lint(place, "$LINT values.yaml"), 0);
    assert_says(place,
                "values.yaml:7: note: startupProbe has a template in it, which is not resolved here: not looked at\n");
}

/* Names, ports and paths of a file may be anything. */
static void test_hostile(void **state)
{
    static const char pod[] = "kind: Pod\n"
                              "metadata: {name: \"a\\e[2Jb\\u202ec\"}\n"
                              "spec:\n"
                              "  containers:\n"
                              "  - name: \"vllm\\e]0;x\\a\"\n"
                              "    image: x/vllm\n"
                              "    readinessProbe:\n"
                              "      httpGet: {path: \"/v1/models\\n  injected: true\", port: \"p\\r\\n\\e[31m\"}\n";
    struct place *place = *state;
    put_string(place, "pod.yaml", pod);
    for (int json = 0; json < 2; json++) {
        assert_int_equal(lint(place, json ? "$LINT -o json pod.yaml" : "$LINT pod.yaml"), 1);
        const struct buf *out = &place->run.out;
        for (size_t i = 0; i < out->len; i++)
            assert_true(out->data[i] == '\n' || (unsigned char)out->data[i] >= 0x20);
        assert_null(strstr(buf_str(out), "\n  injected"));
        assert_null(strstr(buf_str(out), "\xe2\x80\xae"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_findings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_guide, setup, teardown),
        cmocka_unit_test_setup_teardown(test_good, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unusable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_templates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
