/* What lint says of probes: each rule where it should speak and where it should not, and that what it says to write leaves it nothing more to say. */
#include "base/mem.h"
#include "base/yaml.h"
#include "kube/discover.h"
#include "model/lint.h"
#include "tests/support/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- pods in YAML: what differs is the container's own lines ---- */

#define GET(path, port) "{httpGet: {path: " path ", port: " port "}, timeoutSeconds: 5, "
#define STARTUP "startupProbe: " GET("/health", "8000") "failureThreshold: 60}\n"
#define LIVENESS "livenessProbe: " GET("/health", "8000") "failureThreshold: 6}\n"
#define READINESS "readinessProbe: " GET("/health", "8000") "failureThreshold: 3}\n"
#define SIDECAR_STARTUP "startupProbe: " GET("/health", "8200") "failureThreshold: 60}\n"
#define SIDECAR_LIVENESS "livenessProbe: " GET("/health", "8200") "failureThreshold: 3}\n"
#define SIDECAR_READINESS "readinessProbe: " GET("/v1/models", "8000") "failureThreshold: 3}\n"
#define PROXY "{name: routing-proxy, image: x/sidecar, restartPolicy: Always, args: ["

enum shape { ALONE, BEHIND_SIDECAR, RANKS, SUPERVISED };
static const char *const inits[] = {
    [ALONE] = "",
    [BEHIND_SIDECAR] = PROXY "--port=8000, --vllm-port=8200]}",
    [RANKS] = PROXY "--port=8000, --vllm-port=8200, --data-parallel-size=4]}",
    [SUPERVISED] = PROXY "--port=8000, --vllm-port=8200, --data-parallel-size=4]}",
};
static const char *const args[] = {
    [ALONE] = "--port=8000",
    [BEHIND_SIDECAR] = "--port=8200",
    [RANKS] = "--port=8200",
    [SUPERVISED] = "--port=8200, --data-parallel-multi-port-external-lb, --data-parallel-supervisor-port=8204",
};

/* `container`: lines of the serving container, at its margin. */
static void facts_of(enum shape shape, const char *image, const char *container, struct pod_facts *out)
{
    const struct clock clock = {0};
    struct discovery found;
    struct yaml_file *file;
    struct problem problem = {""};
    struct buf pod;
    buf_init(&pod, 1 << 16);
    buf_printf(&pod,
               "metadata: {name: p}\nspec:\n  initContainers: [%s]\n  containers:\n  - name: vllm\n    image: %s\n"
               "    command: [vllm, serve, m]\n    args: [%s]\n",
               inits[shape], image, args[shape]);
    for (const char *at = container; *at != '\0';) {
        size_t length = strcspn(at, "\n");
        buf_printf(&pod, "    %.*s\n", (int)length, at);
        at += length + (at[length] == '\n');
    }
    if (yaml_file_parse("row", pod.data, pod.len, pod.len, &file, &problem) != STATUS_OK)
        fail_msg("%s in\n%s", problem.text, buf_str(&pod));
    *out = (struct pod_facts){0};
    discover_pod(yaml_file_document(file, 0), true, &found);
    pod_facts_from_json(yaml_file_document(file, 0), &found, &clock, 1, out);
    yaml_file_free(file);
    buf_free(&pod);
}

/* The names of all findings, in order, with a mark behind the serious ones. */
static void names_of(const struct lint *lint, struct buf *out)
{
    for (uint32_t i = 0; i < lint->count; i++)
        buf_printf(out, "%s%s%s", i == 0 ? "" : " ", lint_rule_name(lint->list[i].rule),
                   lint->list[i].serious ? "!" : "");
}

static const struct {
    const char *what;
    enum shape shape;
    const char *container, *says;
} table[] = {
    {"all three ask /health", ALONE, STARTUP LIVENESS READINESS, ""},
    {"the guide's numbers", ALONE,
     "startupProbe: " GET("/v1/models",
                          "8000") "initialDelaySeconds: 15, periodSeconds: 30, failureThreshold: 60}\n"
                                  "livenessProbe: " GET("/health",
                                                        "8000") "periodSeconds: 10, failureThreshold: 3}\n"
                                                                "readinessProbe: {httpGet: {path: /v1/models, port: "
                                                                "8000}, periodSeconds: 5, timeoutSeconds: 2}\n",
     ""},
    {"no liveness is no harm", ALONE, STARTUP READINESS, ""},
    {"the way in and the engine", BEHIND_SIDECAR, SIDECAR_STARTUP SIDECAR_LIVENESS SIDECAR_READINESS, ""},
    {"the engine is all that readiness asks", BEHIND_SIDECAR,
     SIDECAR_STARTUP SIDECAR_LIVENESS "readinessProbe: " GET("/health", "8200") "failureThreshold: 2}\n", ""},
    {"the supervisor of all ranks", SUPERVISED,
     "startupProbe: " GET("/health", "8204") "periodSeconds: 1, failureThreshold: 2700}\n"
                                             "livenessProbe: " GET("/health", "8204") "periodSeconds: 30}\n"
                                                                                      "readinessProbe: " GET(
                                                                                          "/readyz", "8204") "}\n",
     ""},

    {"no startupProbe, short liveness", ALONE, LIVENESS READINESS, "no-startup-probe!"},
    {"a delay instead", ALONE, "livenessProbe: " GET("/health", "8000") "initialDelaySeconds: 300}\n" READINESS,
     "no-startup-probe! liveness-is-readiness"},
    {"a liveness that waits long enough", ALONE,
     "livenessProbe: " GET("/health", "8000") "initialDelaySeconds: 600, failureThreshold: 6}\n" READINESS, ""},
    {"a bare startupProbe", ALONE,
     "startupProbe: {httpGet: {path: /health, port: 8000}, timeoutSeconds: 5}\n" LIVENESS READINESS,
     "startup-budget-too-short!"},
    {"two minutes may do", ALONE, "startupProbe: " GET("/health", "8000") "failureThreshold: 12}\n" LIVENESS READINESS,
     ""},

    {"timeouts unset", ALONE,
     STARTUP "livenessProbe: {httpGet: {path: /health, port: 8000}, failureThreshold: 6}\n"
             "readinessProbe: {httpGet: {path: /health, port: 8000}, failureThreshold: 3}\n",
     "timeout-unset timeout-unset"},
    {"one second on purpose", ALONE,
     STARTUP
     "livenessProbe: {httpGet: {path: /health, port: 8000}, timeoutSeconds: 1, failureThreshold: 6}\n" READINESS,
     ""},
    {"start-up's timeout unset", ALONE,
     "startupProbe: {httpGet: {path: /health, port: 8000}, failureThreshold: 60}\n" LIVENESS READINESS,
     "timeout-unset"},

    {"readiness on /v1/models, nothing else", ALONE, STARTUP "readinessProbe: " GET("/v1/models", "8000") "}\n",
     "readiness-on-models-alone!"},
    {"liveness is no help", ALONE,
     STARTUP "livenessProbe: {tcpSocket: {port: 8000}, timeoutSeconds: 5, failureThreshold: 6}\n"
             "readinessProbe: " GET("/v1/models", "8000") "}\n",
     "readiness-on-models-alone!"},
    {"liveness is slow", ALONE,
     STARTUP "livenessProbe: " GET("/health", "8000") "periodSeconds: 30}\n"
                                                      "readinessProbe: " GET("/v1/models", "8000") "}\n",
     "readiness-on-models-alone"},
    {"liveness is quick", ALONE, STARTUP LIVENESS "readinessProbe: " GET("/v1/models?x=1", "8000") "}\n",
     "readiness-on-models-alone"},
    {"/ping is /health", ALONE,
     STARTUP
     "livenessProbe: " GET("/ping", "8000") "failureThreshold: 4}\nreadinessProbe: " GET("/v1/models", "8000") "}\n",
     ""},
    {"through the sidecar, and nobody sees the engine", BEHIND_SIDECAR, SIDECAR_STARTUP SIDECAR_READINESS,
     "readiness-on-models-alone!"},

    {"liveness on the sidecar's own /health", BEHIND_SIDECAR,
     SIDECAR_STARTUP "livenessProbe: " GET("/health", "8000") "}\nreadinessProbe: " GET("/health", "8200") "}\n",
     "liveness-on-sidecar-health!"},
    {"liveness connects to the sidecar", BEHIND_SIDECAR,
     SIDECAR_STARTUP "livenessProbe: {tcpSocket: {port: 8000}, timeoutSeconds: 5}\n"
                     "readinessProbe: " GET("/health", "8200") "}\n",
     "liveness-on-sidecar-health!"},
    {"/health alone is no sidecar's", ALONE, STARTUP LIVENESS READINESS, ""},

    {"a port that nobody serves", ALONE,
     STARTUP "livenessProbe: " GET("/health", "8080") "failureThreshold: 6}\n" READINESS, "probe-port-unserved!"},
    {"a name that is none", ALONE, STARTUP "readinessProbe: " GET("/health", "http") "}\n", "probe-port-unserved!"},
    {"a name that is one", ALONE,
     "ports: [{name: http, containerPort: 8000}]\n" STARTUP LIVENESS "readinessProbe: " GET("/health", "http") "}\n",
     ""},
    {"a port beside, by its name", ALONE,
     "ports: [{name: metrics, containerPort: 9090}]\n" STARTUP LIVENESS "readinessProbe: " GET("/ok", "metrics") "}\n",
     ""},

    {"liveness through the sidecar", BEHIND_SIDECAR,
     SIDECAR_STARTUP "livenessProbe: " GET("/v1/models", "8000") "}\nreadinessProbe: " GET("/health", "8200") "}\n",
     "liveness-on-models probe-port-skips"},
    {"readiness on the sidecar alone", BEHIND_SIDECAR,
     SIDECAR_STARTUP SIDECAR_LIVENESS "readinessProbe: " GET("/health", "8000") "}\n", "probe-port-skips!"},
    {"start-up on the sidecar alone", BEHIND_SIDECAR,
     "startupProbe: " GET("/health", "8000") "failureThreshold: 60}\n" SIDECAR_LIVENESS SIDECAR_READINESS,
     "probe-port-skips!"},
    {"readiness past the sidecar", BEHIND_SIDECAR,
     SIDECAR_STARTUP SIDECAR_LIVENESS "readinessProbe: " GET("/v1/models", "8200") "}\n", "probe-port-skips"},

    {"liveness on /v1/models without a startupProbe", ALONE,
     "livenessProbe: " GET("/v1/models", "8000") "failureThreshold: 6}\n" READINESS,
     "no-startup-probe! liveness-on-models!"},
    {"liveness on /v1/models behind a startupProbe", ALONE,
     STARTUP "livenessProbe: " GET("/v1/models", "8000") "failureThreshold: 6}\n" READINESS, "liveness-on-models"},

    {"exec probes", ALONE,
     "startupProbe: {exec: {command: [x]}, failureThreshold: 60}\nlivenessProbe: {exec: {command: [x]}, "
     "failureThreshold: 6}\n"
     "readinessProbe: {exec: {command: [x]}}\n",
     "exec-probe exec-probe exec-probe"},

    {"identical", ALONE,
     STARTUP "livenessProbe: " GET("/health", "8000") "}\nreadinessProbe: " GET("/health", "8000") "}\n",
     "liveness-is-readiness"},
    {"liveness gives up first", ALONE,
     STARTUP
     "livenessProbe: " GET("/health", "8000") "failureThreshold: 5}\n"
                                              "readinessProbe: " GET("/health", "8000") "failureThreshold: 60}\n",
     "liveness-is-readiness"},

    {"ranks of which one is asked", RANKS, SIDECAR_STARTUP "readinessProbe: " GET("/health", "8200") "}\n",
     "data-parallel-rank-unprobed!"},
    {"ranks asked past their supervisor", SUPERVISED,
     "startupProbe: " GET("/health", "8204") "failureThreshold: 60}\nreadinessProbe: " GET("/health", "8201") "}\n",
     "data-parallel-rank-unprobed"},

    {"no probe at all", ALONE, "", "no-readiness-probe!"},
    {"no readiness behind a startupProbe", ALONE, STARTUP LIVENESS, "no-readiness-probe"},
};

static void test_table(void **state)
{
    (void)state;
    struct lint_measured measured = lint_measured_none();
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct pod_facts facts;
        struct lint lint;
        struct buf names;
        buf_init(&names, 1 << 12);
        facts_of(table[i].shape, "x/vllm-openai:v1", table[i].container, &facts);
        lint_pod(&facts, &measured, &lint);
        names_of(&lint, &names);
        if (strcmp(buf_str(&names), table[i].says) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", table[i].what, buf_str(&names), table[i].says);
        for (uint32_t f = 0; f < lint.count; f++) {
            assert_false(text_empty(&lint.list[f].field) || text_empty(&lint.list[f].reason));
            assert_false(lint.list[f].reason.cut);
        }
        buf_free(&names);
        lint_free(&lint);
        pod_facts_free(&facts);
    }
}

/* ---- what is to be written ---- */

/* The container's lines with its probes replaced by those that the findings say. */
static void rewrite(const char *container, const struct lint *lint, struct buf *out)
{
    for (const char *at = container; *at != '\0';) {
        size_t length = strcspn(at, "\n");
        bool replaced = false;
        for (uint32_t i = 0; i < lint->count; i++) {
            const char *lane = lane_name(lint->list[i].lane);
            replaced = replaced || strncmp(at, lane, strlen(lane)) == 0;
        }
        if (!replaced)
            buf_printf(out, "%.*s\n", (int)length, at);
        at += length + (at[length] == '\n');
    }
    for (int lane = LANE_STARTUP; lane <= LANE_READINESS; lane++)
        for (uint32_t i = 0; i < lint->count; i++)
            if ((int)lint->list[i].lane == lane) {
                buf_puts(out, text_str(&lint->list[i].yaml));
                break;
            }
}

static void test_cure(void **state)
{
    (void)state;
    struct lint_measured measured = lint_measured_none();
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct pod_facts facts;
        struct lint lint;
        struct buf names, cured;
        buf_init(&names, 1 << 12);
        buf_init(&cured, 1 << 14);
        facts_of(table[i].shape, "x/vllm-openai:v1", table[i].container, &facts);
        lint_pod(&facts, &measured, &lint);
        pod_facts_free(&facts);
        rewrite(table[i].container, &lint, &cured);
        lint_free(&lint);
        if (table[i].shape == RANKS) { /* it says arguments too: test_ranks */
            buf_free(&cured);
            continue;
        }
        facts_of(table[i].shape, "x/vllm-openai:v1", buf_str(&cured), &facts);
        lint_pod(&facts, &measured, &lint);
        names_of(&lint, &names);
        if (lint.count > 0)
            fail_msg("%s: what it says to write gives \"%s\":\n%s", table[i].what, buf_str(&names), buf_str(&cured));
        buf_free(&names);
        buf_free(&cured);
        lint_free(&lint);
        pod_facts_free(&facts);
    }
}

static const struct lint_finding *finding_of(const struct lint *lint, enum lint_rule rule)
{
    for (uint32_t i = 0; i < lint->count; i++)
        if (lint->list[i].rule == rule)
            return &lint->list[i];
    fail_msg("nothing of %s", lint_rule_name(rule));
    return NULL;
}

static void assert_has(const struct text *text, const char *part)
{
    if (strstr(text_str(text), part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, text_str(text));
}

static void lint_of(enum shape shape, const char *container, const struct lint_measured *measured, struct lint *out)
{
    struct pod_facts facts;
    facts_of(shape, "x/vllm-openai:v1", container, &facts);
    lint_pod(&facts, measured, out);
    pod_facts_free(&facts);
}

/* Serious ones come first, all of one probe say the same YAML, and the numbers are in the reasons. */
static void test_words(void **state)
{
    (void)state;
    struct lint_measured measured = lint_measured_none();
    struct lint lint;
    lint_of(BEHIND_SIDECAR,
            "livenessProbe: {httpGet: {path: /health, port: 8000}, initialDelaySeconds: 60}\n" SIDECAR_READINESS,
            &measured, &lint);
    assert_true(lint.count >= 3);
    for (uint32_t i = 1; i < lint.count; i++)
        assert_true(lint.list[i - 1].serious >= lint.list[i].serious);
    const struct lint_finding *sidecar = finding_of(&lint, LINT_LIVENESS_SIDECAR_HEALTH),
                              *unset = finding_of(&lint, LINT_TIMEOUT_UNSET),
                              *startup = finding_of(&lint, LINT_NO_STARTUP_PROBE);
    assert_string_equal(text_str(&sidecar->field), "livenessProbe.httpGet.port");
    assert_string_equal(text_str(&startup->field), "startupProbe");
    assert_has(&startup->reason, "1:30 (60 s + 3 x 10 s)");
    assert_has(&sidecar->reason, "8200");
    assert_true(text_equal(&sidecar->yaml, &unset->yaml));
    assert_string_equal(text_str(&sidecar->yaml), "livenessProbe:\n"
                                                  "  httpGet:\n"
                                                  "    path: /health\n"
                                                  "    port: 8200\n"
                                                  "  initialDelaySeconds: 60\n"
                                                  "  periodSeconds: 10\n"
                                                  "  timeoutSeconds: 5\n"
                                                  "  failureThreshold: 3\n");
    lint_free(&lint);
}

static void test_ranks(void **state)
{
    (void)state;
    struct lint_measured measured = lint_measured_none();
    struct lint lint;
    lint_of(RANKS, SIDECAR_STARTUP "readinessProbe: " GET("/health", "8200") "}\n", &measured, &lint);
    const struct lint_finding *finding = finding_of(&lint, LINT_RANK_UNPROBED);
    assert_has(&finding->reason, "4 data-parallel ranks serve on 8200 to 8203");
    assert_has(&finding->yaml, "--data-parallel-supervisor-port=8204\n");
    assert_has(&finding->yaml, "    path: /readyz\n    port: 8204\n");
    lint_free(&lint);
}

/* ---- by what was measured ---- */

static void test_measured_load(void **state)
{
    (void)state;
    static const struct {
        const char *container;
        int64_t seconds;
        const char *says, *yaml;
    } rows[] = {
        {STARTUP LIVENESS READINESS, 500, "", NULL},
        {STARTUP LIVENESS READINESS, 590, "", NULL}, /* killed from 590 s on */
        {STARTUP LIVENESS READINESS, 591, "startup-budget-too-short!", "failureThreshold: 119\n"},
        {STARTUP LIVENESS READINESS, 3000, "startup-budget-too-short!", "failureThreshold: 601\n"},
        {LIVENESS READINESS, 30, "", NULL}, /* what was measured goes before what is usual */
        {LIVENESS READINESS, 70, "no-startup-probe!", "failureThreshold: 15\n"},
        {"startupProbe: {httpGet: {path: /health, port: 8000}, timeoutSeconds: 5}\n" LIVENESS READINESS, 10, "", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lint_measured measured = lint_measured_none();
        struct lint lint;
        struct buf names;
        buf_init(&names, 1 << 12);
        measured.longest_load = rows[i].seconds * SECOND_US;
        lint_of(ALONE, rows[i].container, &measured, &lint);
        names_of(&lint, &names);
        assert_string_equal(buf_str(&names), rows[i].says);
        if (rows[i].yaml != NULL) {
            assert_has(&lint.list[0].yaml, rows[i].yaml);
            assert_has(&lint.list[0].reason, "this workload's pods needed up to ");
        }
        buf_free(&names);
        lint_free(&lint);
    }
}

static void test_measured_latency(void **state)
{
    (void)state;
    static const struct {
        const char *timeout; /* of readiness */
        int64_t p99_ms;
        const char *says, *yaml;
    } rows[] = {
        {"timeoutSeconds: 2", 1999, "", NULL},
        {"timeoutSeconds: 2", 2000, "timeout-below-p99!", "timeoutSeconds: 6\n"},
        {"timeoutSeconds: 2", 30000, "timeout-below-p99!", "timeoutSeconds: 76\n"},
        {"successThreshold: 1", -1, "timeout-unset", "timeoutSeconds: 5\n"},
        {"successThreshold: 1", 199, "", NULL}, /* it never took a fifth of the second */
        {"successThreshold: 1", 200, "timeout-unset", "timeoutSeconds: 5\n"},
        {"successThreshold: 1", 1200, "timeout-below-p99!", "timeoutSeconds: 5\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lint_measured measured = lint_measured_none();
        struct lint lint;
        struct buf names;
        char container[1024];
        buf_init(&names, 1 << 12);
        snprintf(container, sizeof container, "%sreadinessProbe: {httpGet: {path: /health, port: 8000}, %s}\n",
                 STARTUP LIVENESS, rows[i].timeout);
        measured.p99[LANE_READINESS] = rows[i].p99_ms < 0 ? -1 : rows[i].p99_ms * MILLISECOND_US;
        lint_of(ALONE, container, &measured, &lint);
        names_of(&lint, &names);
        assert_string_equal(buf_str(&names), rows[i].says);
        if (rows[i].yaml != NULL)
            assert_has(&lint.list[0].yaml, rows[i].yaml);
        buf_free(&names);
        lint_free(&lint);
    }
}

/* A live pod whose sidecar answers, and vLLM's own port never did although the model has loaded. */
static void test_measured_ports(void **state)
{
    (void)state;
    struct lint_measured measured = lint_measured_none();
    struct lint lint;
    const char *container = SIDECAR_STARTUP SIDECAR_LIVENESS SIDECAR_READINESS;
    measured.serving_known = measured.served[0] = true;
    lint_of(BEHIND_SIDECAR, container, &measured, &lint);
    assert_int_equal(lint.count, 2);
    assert_int_equal(lint.list[0].rule, LINT_PORT_UNSERVED);
    lint_free(&lint);
    measured.served[1] = true;
    lint_of(BEHIND_SIDECAR, container, &measured, &lint);
    assert_int_equal(lint.count, 0);
    lint_free(&lint);
}

/* From a fleet: the longest of this pod's own loads and its siblings', the worst of a probe and of our witness that asks the same, ports that answered. */
static void test_measured_of(void **state)
{
    (void)state;
    struct story story;
    story_begin(&story, true, 8000, 8000);
    struct lint_measured measured = lint_measured_of(story.fleet, story_pod(&story));
    assert_int_equal(measured.longest_load, -1);
    assert_int_equal(measured.p99[LANE_LIVENESS], -1);
    assert_false(measured.serving_known);
    story.t = SECONDS(10);
    story_run(&story, 0);
    story.t = SECONDS(100);
    story_models(&story, LANE_STARTUP, ANSWERER_VLLM);
    story_word(&story, true, true);
    for (int i = 0; i < 30; i++) {
        story.t += SECONDS(10);
        story_health(&story, LANE_LIVENESS, ANSWERER_VLLM);
        story_models(&story, LANE_READINESS, ANSWERER_VLLM);
    }
    measured = lint_measured_of(story.fleet, story_pod(&story));
    assert_int_equal(measured.longest_load / SECOND_US, 90);
    assert_int_equal(measured.p99[LANE_LIVENESS], MILLISECOND_US);
    assert_int_equal(measured.p99[LANE_STARTUP], -1); /* one answer is no measure */
    assert_true(measured.serving_known && measured.served[0] && measured.served[1]);
    struct lint lint;
    lint_pod(&story_pod(&story)->facts, &measured, &lint);
    assert_int_equal(lint.count, 0); /* the guide's numbers, and a pod that keeps well within them */
    lint_free(&lint);
    story_end(&story);
}

/* ---- who is not judged ---- */

static void test_not_judged(void **state)
{
    (void)state;
    struct lint_measured measured = lint_measured_none();
    struct pod_facts facts = {0};
    struct lint lint;
    lint_pod(&facts, &measured, &lint); /* nothing is known */
    assert_int_equal(lint.count, 0);
    facts_of(ALONE, "x/llm-d-inference-sim:v0.6.1", LIVENESS READINESS, &facts); /* it loads nothing */
    lint_pod(&facts, &measured, &lint);
    assert_int_equal(lint.count, 0);
    pod_facts_free(&facts);
    facts_of(ALONE, "x/vllm-openai", "", &facts);
    facts.kubelet = false; /* an endpoint given by hand */
    lint_pod(&facts, &measured, &lint);
    assert_int_equal(lint.count, 0);
    facts.kubelet = true;
    facts.role = ROLE_WORKER;
    lint_pod(&facts, &measured, &lint);
    assert_int_equal(lint.count, 0);
    pod_facts_free(&facts);
    facts_of(ALONE, "x/vllm-openai",
             STARTUP LIVENESS "readinessProbe: {httpGet: {path: /v1/models, port: 9, host: h}}\n",
             &facts); /* a host of its own: only its numbers */
    lint_pod(&facts, &measured, &lint);
    assert_int_equal(lint.count, 1);
    assert_int_equal(lint.list[0].rule, LINT_TIMEOUT_UNSET);
    lint_free(&lint);
    pod_facts_free(&facts);
}

/* A live pod's 1 s may be the API server's. */
static void test_live_timeout(void **state)
{
    (void)state;
    struct lint_measured measured = lint_measured_none();
    struct pod_facts facts;
    struct lint lint;
    facts_of(ALONE, "x/vllm-openai",
             STARTUP LIVENESS "readinessProbe: {httpGet: {path: /health, port: 8000}, timeoutSeconds: 1}\n", &facts);
    text_set_str(&facts.uid, "0-1", TEXT_NAME);
    lint_pod(&facts, &measured, &lint);
    assert_int_equal(lint.count, 1);
    assert_has(&lint.list[0].reason, "1 s, as where it is not set");
    lint_free(&lint);
    pod_facts_free(&facts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),          cmocka_unit_test(test_cure),
        cmocka_unit_test(test_words),          cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_measured_load),  cmocka_unit_test(test_measured_latency),
        cmocka_unit_test(test_measured_ports), cmocka_unit_test(test_measured_of),
        cmocka_unit_test(test_not_judged),     cmocka_unit_test(test_live_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
