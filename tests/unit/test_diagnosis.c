/* Files that kubectl wrote, to a fleet of one pod: what is fed in which order, what lines and moments are told, whose events count, and which input is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "kube/diagnosis.h"
#include "model/hints.h"
#include "tests/support/pod_file.h"

#define OOM "(EngineCore_DP0 pid=33) ERROR 11-24 06:20:41 [core.py:700] torch.OutOfMemoryError: CUDA out of memory."

static struct diagnosis_text text_of(const char *name, const char *bytes)
{
    return (struct diagnosis_text){.name = name, .bytes = bytes, .length = strlen(bytes)};
}

static struct fleet *fleet_of(const struct diagnosis_texts *texts)
{
    struct fleet *fleet;
    struct problem problem = {{0}};
    enum status status = diagnosis_fleet(texts, NULL, &fleet, &problem);
    assert_string_equal(problem.text, "");
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(fleet->count, 1);
    return fleet;
}

static struct fleet *fleet_of_logs(const char *logs)
{
    struct diagnosis_texts texts = {.logs = text_of("logs", logs)};
    return fleet_of(&texts);
}

static void assert_problem(const struct diagnosis_texts *texts, const char *expected)
{
    struct fleet *fleet;
    struct problem problem = {{0}};
    assert_int_equal(diagnosis_fleet(texts, NULL, &fleet, &problem), STATUS_BAD_INPUT);
    assert_null(fleet);
    assert_string_equal(problem.text, expected);
}

/* The first finding of that cause; fails when there is none. */
static const struct finding *finding_of(const struct fleet *fleet, enum cause cause)
{
    const struct findings *findings = &fleet->pods[0]->findings;
    for (uint32_t i = 0; i < findings->count; i++)
        if (findings->list[i].signature->cause == cause)
            return &findings->list[i];
    fail_msg("nothing was found of %s", cause_label(cause));
    return NULL;
}

static const struct hint *first_hint(struct fleet *fleet, struct hints *hints)
{
    pod_hints(fleet, fleet->pods[0], fleet->t, hints);
    assert_true(hints->count > 0);
    return &hints->list[0];
}

/* ---- logs ---- */

static void test_lines_are_counted(void **state)
{
    static const char *const LOGS[] = {("one\n\n\n" OOM "\n"), ("one\r\n\r\n\r\n" OOM "\r\n"), ("one\n\n\n" OOM)};
    (void)state;
    for (size_t i = 0; i < sizeof LOGS / sizeof LOGS[0]; i++) {
        struct fleet *fleet = fleet_of_logs(LOGS[i]);
        const struct finding *found = finding_of(fleet, CAUSE_GPU_OOM);
        assert_int_equal(found->line, 4);
        assert_int_equal(found->source, EVIDENCE_LOGS);
        assert_null(strstr(text_str(&found->quote), "\\r"));
        fleet_free(fleet);
    }
}

static void test_bytes_that_are_no_text(void **state)
{
    static const char LOG[] = "\0\0\x1b[31m\xff\xfe\n" OOM "\0\n";
    struct diagnosis_texts texts = {.logs = {.name = "logs", .bytes = LOG, .length = sizeof LOG - 1}};
    (void)state;
    struct fleet *fleet = fleet_of(&texts);
    assert_int_equal(finding_of(fleet, CAUSE_GPU_OOM)->line, 2);
    fleet_free(fleet);
}

static void test_previous_is_another_run(void **state)
{
    struct diagnosis_texts texts = {.logs = text_of("logs", "INFO 11-24 06:30:00 [api_server.py:1] vLLM API server\n"),
                                    .previous = text_of("previous", OOM "\n")};
    (void)state;
    struct fleet *fleet = fleet_of(&texts);
    const struct pod *pod = fleet->pods[0];
    assert_int_equal(pod->run, 2);
    assert_int_equal(pod->facts.serving.restart_count, 1);
    assert_int_equal(finding_of(fleet, CAUSE_GPU_OOM)->run, 1);
    assert_int_equal(finding_of(fleet, CAUSE_GPU_OOM)->source, EVIDENCE_PREVIOUS);
    assert_int_equal(finding_of(fleet, CAUSE_GPU_OOM)->line, 1);
    assert_true(pod_log(pod, 1)->previous);
    assert_false(pod_log(pod, 0)->previous);
    fleet_free(fleet);
}

/* Made by 2>&1, or empty because there was none. */
static void test_no_previous(void **state)
{
    static const char *const PREVIOUS[] = {
        "", "\n", "Error from server (BadRequest): previous terminated container \"vllm\" in pod \"a\" not found\n"};
    (void)state;
    for (size_t i = 0; i < sizeof PREVIOUS / sizeof PREVIOUS[0]; i++) {
        struct diagnosis_texts texts = {.logs = text_of("logs", "one\n"), .previous = text_of("previous", PREVIOUS[i])};
        struct fleet *fleet = fleet_of(&texts);
        assert_int_equal(fleet->pods[0]->run, 1);
        assert_int_equal(fleet->pods[0]->log_count, 1);
        fleet_free(fleet);
    }
}

/* From /var/log/pods of the node. */
static void test_file_of_a_node(void **state)
{
    struct fleet *fleet = fleet_of_logs("2026-11-24T06:20:00.123456789Z stderr F INFO 11-24 06:20:00 [a.py:1] one\n"
                                        "2026-11-24T06:20:01.123456789Z stdout P \n"
                                        "2026-11-24T06:20:02.123456789Z stdout two\n");
    (void)state;
    assert_string_equal(text_str(&pod_log(fleet->pods[0], 2)->line), "INFO 11-24 06:20:00 [a.py:1] one");
    assert_string_equal(text_str(&pod_log(fleet->pods[0], 1)->line), "");
    assert_string_equal(text_str(&pod_log(fleet->pods[0], 0)->line), "stdout two");
    fleet_free(fleet);
}

/* kubectl logs --timestamps: the moment is the line's, and no word of it. */
static void test_timestamps(void **state)
{
    char moment[32];
    struct fleet *fleet = fleet_of_logs("2026-11-24T06:20:00.123456789Z one\n"
                                        "2026-11-24T06:20:41.000000000Z " OOM "\n"
                                        "2026-11-24T06:20:44.5Z three\n");
    (void)state;
    const struct finding *found = finding_of(fleet, CAUSE_GPU_OOM);
    clock_format(fleet_wall(fleet, found->first), CLOCK_ISO_UTC, moment, sizeof moment);
    assert_string_equal(moment, "2026-11-24T06:20:41Z");
    clock_format(fleet_wall(fleet, fleet->t), CLOCK_ISO_UTC, moment, sizeof moment);
    assert_string_equal(moment, "2026-11-24T06:20:44Z");
    assert_string_equal(text_str(&pod_log(fleet->pods[0], 2)->line), "one");
    fleet_free(fleet);
}

/* The program's own stamps have neither year nor zone: spans, and no dates. A line without one was written with the one before it. */
static void test_stamps(void **state)
{
    struct fleet *fleet = fleet_of_logs("before all\n"
                                        "INFO 11-24 06:20:00 [api_server.py:1] vLLM API server version 0.11.0\n"
                                        "(EngineCore_DP0 pid=33) INFO 11-24 06:20:41 [core.py:700] words\n"
                                        "torch.OutOfMemoryError: CUDA out of memory.\n"
                                        "INFO 11-24 06:22:00 [launcher.py:1] end\n");
    (void)state;
    const struct pod *pod = fleet->pods[0];
    assert_true(fleet->clock.wall_zero == 0);
    assert_true(fleet->t - finding_of(fleet, CAUSE_GPU_OOM)->first == 79 * (int64_t)SECOND_US);
    assert_true(fleet->t - pod_log(pod, 4)->t == 120 * (int64_t)SECOND_US);
    assert_true(pod_log(pod, 0)->t == fleet->t);
    fleet_free(fleet);
}

static void test_stamps_with_years(void **state)
{
    struct fleet *fleet = fleet_of_logs("[2025-12-31 23:59:50] NCCL WARN words\n"
                                        "2026-01-01 00:00:05,250 kserve ERROR words\n");
    (void)state;
    assert_true(fleet->t - pod_log(fleet->pods[0], 1)->t == 15 * (int64_t)SECOND_US);
    fleet_free(fleet);
}

/* Without a year in the log, and with one in the pod. */
static void test_stamps_at_new_year(void **state)
{
    static const char LOG[] = "INFO 12-31 23:59:50 [a.py:1] one\nINFO 01-01 00:00:05 [a.py:1] two\n";
    static const char POD[] = "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},\"status\":{\"phase\":\"Running\","
                              "\"startTime\":\"2025-12-31T23:59:40Z\",\"x\":\"2026-01-01T00:00:10Z\"}}";
    struct diagnosis_texts texts = {.logs = text_of("logs", LOG)};
    (void)state;
    struct fleet *fleet = fleet_of(&texts);
    assert_true(fleet->t - pod_log(fleet->pods[0], 1)->t == 15 * (int64_t)SECOND_US);
    fleet_free(fleet);
    texts.pod = text_of("pod.json", POD);
    fleet = fleet_of(&texts);
    assert_true(fleet->t - pod_log(fleet->pods[0], 1)->t == 20 * (int64_t)SECOND_US);
    assert_true(fleet->t - pod_log(fleet->pods[0], 0)->t == 5 * (int64_t)SECOND_US);
    fleet_free(fleet);
}

/* By a container's clock in another zone the log would have been written after the pod was looked at. */
static void test_stamps_that_do_not_fit(void **state)
{
    static const char POD[] = "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},\"status\":{\"phase\":\"Running\","
                              "\"startTime\":\"2026-11-24T06:20:00Z\"}}";
    static const struct {
        const char *log;
        int64_t ago;
    } ROWS[] = {{"INFO 11-24 06:19:58 [a.py:1] one\nINFO 11-24 06:20:10 [a.py:1] two\n", 12 * (int64_t)SECOND_US},
                {"INFO 11-24 14:20:00 [a.py:1] one\nINFO 11-24 14:20:10 [a.py:1] two\n", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct diagnosis_texts texts = {.pod = text_of("pod.json", POD), .logs = text_of("logs", ROWS[i].log)};
        struct fleet *fleet = fleet_of(&texts);
        assert_true(fleet->clock.wall_zero != 0);
        assert_true(fleet->t - pod_log(fleet->pods[0], 1)->t == ROWS[i].ago);
        fleet_free(fleet);
    }
}

static void test_gap(void **state)
{
    static const char LOG[] = "one\ntwo\n" OOM "\n";
    struct diagnosis_texts texts = {.logs = text_of("logs", LOG)};
    (void)state;
    texts.logs.gap_at = 6; /* within the second line */
    texts.logs.gap_lines = 1000;
    texts.logs.gap_bytes = 3 << 20;
    struct fleet *fleet = fleet_of(&texts);
    assert_int_equal(finding_of(fleet, CAUSE_GPU_OOM)->line, 1003);
    assert_int_equal(fleet->note_count, 1);
    assert_string_equal(text_str(&fleet->notes[0].words),
                        "logs: 3.0 MiB (1000 lines) in its middle were not looked at");
    fleet_free(fleet);
}

/* kubectl logs --all-containers --prefix */
static void test_prefixes(void **state)
{
    static const char POD[] = "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"containers\":[{\"name\":"
                              "\"vllm\",\"image\":\"vllm/vllm-openai\"},{\"name\":\"other\"}]}}";
    struct diagnosis_texts texts = {.pod = text_of("pod.json", POD),
                                    .logs = text_of("logs", "[pod/a/other] words\n[pod/a/vllm] 2026-11-24T06:20:00Z "
                                                            "more words\n")};
    (void)state;
    struct fleet *fleet = fleet_of(&texts);
    const struct log_line *other = pod_log(fleet->pods[0], 1), *vllm = pod_log(fleet->pods[0], 0);
    assert_true(other->sidecar);
    assert_string_equal(text_str(&other->line), "words");
    assert_false(vllm->sidecar);
    assert_string_equal(text_str(&vllm->line), "more words");
    fleet_free(fleet);
}

/* The init container has not let the others begin: the log can only be its own. */
static void test_init_container(void **state)
{
    struct buf bytes;
    struct hints hints;
    (void)state;
    data_file("describe/kserve-predictor-abc.txt", &bytes);
    struct diagnosis_texts texts = {.describe = text_of("describe.txt", buf_str(&bytes)),
                                    .logs =
                                        text_of("logs", "huggingface_hub.errors.GatedRepoError: 401 Client Error.\n")};
    struct fleet *fleet = fleet_of(&texts);
    assert_false(finding_of(fleet, CAUSE_DOWNLOAD_AUTH)->sidecar);
    assert_int_equal(fleet->pods[0]->stage, STAGE_BACKOFF);
    const struct hint *hint = first_hint(fleet, &hints);
    assert_int_equal(hint->cause, CAUSE_DOWNLOAD_AUTH);
    bool named = false;
    for (uint32_t i = 0; i < hint->command_count; i++)
        named = named || strstr(text_str(&hint->commands[i]), "-c storage-initializer");
    assert_true(named);
    hints_free(&hints);
    fleet_free(fleet);
    buf_free(&bytes);
}

/* ---- pods ---- */

#define POD_JSON(name) "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"" name "\"},\"status\":{\"phase\":\"Pending\"}}"

static void test_pods(void **state)
{
    static const char *const PODS[] = {
        POD_JSON("a"),
        "  \n{\"kind\":\"List\",\"items\":[" POD_JSON("a") "]}",
        "{\"kind\":\"PodList\",\"items\":[{\"metadata\":{\"name\":\"a\"},\"status\":{\"phase\":\"Pending\"}}]}",
        "{\"kind\":\"List\",\"items\":[{\"kind\":\"Service\"}," POD_JSON("a") "]}",
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nstatus:\n  phase: Pending\n",
        "---\nkind: Service\n---\nkind: Pod\nmetadata: {name: a}\nstatus: {phase: Pending}\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof PODS / sizeof PODS[0]; i++) {
        struct diagnosis_texts texts = {.pod = text_of("pod", PODS[i])};
        struct fleet *fleet = fleet_of(&texts);
        assert_string_equal(text_str(&fleet->pods[0]->facts.name), "a");
        assert_int_equal(fleet->pods[0]->facts.phase, PHASE_PENDING);
        fleet_free(fleet);
        /* in the wrong place, but a pod all the same */
        texts = (struct diagnosis_texts){.describe = text_of("describe", PODS[i])};
        fleet = fleet_of(&texts);
        assert_string_equal(text_str(&fleet->pods[0]->facts.name), "a");
        fleet_free(fleet);
    }
}

/* Of several containers the one that fails is asked about, unless the serving one fails too; a sidecar has its own place. */
static void test_which_container(void **state)
{
#define STATUS(name, ready, state) "{\"name\":\"" name "\",\"ready\":" ready ",\"state\":{" state "}}"
#define BACKOFF "\"waiting\":{\"reason\":\"CrashLoopBackOff\"}"
#define RUNS "\"running\":{}"
    static const struct {
        const char *statuses, *serving;
    } ROWS[] = {
        {STATUS("a", "true", RUNS) "," STATUS("b", "true", RUNS), "a"},
        {STATUS("a", "true", RUNS) "," STATUS("b", "false", BACKOFF), "b"},
        {STATUS("a", "false", RUNS) "," STATUS("b", "false", BACKOFF), "b"},
        {STATUS("a", "false", RUNS) "," STATUS("b", "false", RUNS), "a"},
        {STATUS("a", "false", BACKOFF) "," STATUS("b", "false", BACKOFF), "a"},
        {STATUS("a", "false", RUNS) "," STATUS("b", "false", "\"waiting\":{\"reason\":\"ContainerCreating\"}"), "a"},
        {STATUS("a", "true", RUNS) "," STATUS("routing-proxy", "false", BACKOFF), "a"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char pod[2048];
        snprintf(
            pod, sizeof pod,
            "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"x\"},\"spec\":{\"containers\":[{\"name\":\"a\",\"command\":["
            "\"vllm\",\"serve\"]},{\"name\":\"b\",\"command\":[\"vllm\",\"serve\"]},{\"name\":\"routing-proxy\"}]},"
            "\"status\":{\"phase\":\"Running\",\"containerStatuses\":[%s]}}",
            ROWS[i].statuses);
        struct diagnosis_texts texts = {.pod = text_of("pod", pod)};
        struct fleet *fleet = fleet_of(&texts);
        assert_string_equal(text_str(&fleet->pods[0]->facts.serving.name), ROWS[i].serving);
        assert_string_equal(text_str(&fleet->pods[0]->facts.sidecar.name), "routing-proxy");
        fleet_free(fleet);
    }
}

static void test_no_pods(void **state)
{
    static const struct {
        const char *bytes, *problem;
    } ROWS[] = {
        {"", "pod: empty; expected a pod, as kubectl get pod NAME -o json or -o yaml writes it"},
        {" \n", "pod: empty; expected a pod, as kubectl get pod NAME -o json or -o yaml writes it"},
        {"{\"kind\":\"List\",\"items\":[" POD_JSON("a") "," POD_JSON("b") "]}", "pod: 2 pods, expected one: a, b"},
        {"{\"kind\":\"Deployment\"}", "pod:1: expected a pod, as kubectl get pod NAME -o json or -o yaml writes it; "
                                      "this is a Deployment"},
        {"{\"kind\":\"List\",\"items\":[]}", "pod:1: expected a pod, as kubectl get pod NAME -o json or -o yaml "
                                             "writes it; this is a List without one"},
        {"[1]", "pod:1: expected a pod, as kubectl get pod NAME -o json or -o yaml writes it"},
        {"Error from server (NotFound)", "pod:1: expected a pod, as kubectl get pod NAME -o json or -o yaml writes it"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct diagnosis_texts texts = {.pod = text_of("pod", ROWS[i].bytes)};
        assert_problem(&texts, ROWS[i].problem);
    }
}

/* What is broken is told with its place. */
static void test_broken_documents(void **state)
{
    static const char *const BROKEN[] = {"{\"kind\":\"Pod\",", "kind: Pod\n  - what\n: [\n"};
    (void)state;
    for (size_t i = 0; i < sizeof BROKEN / sizeof BROKEN[0]; i++) {
        struct fleet *fleet;
        struct problem problem = {{0}};
        struct diagnosis_texts texts = {.pod = text_of("pod.x", BROKEN[i])};
        assert_int_equal(diagnosis_fleet(&texts, NULL, &fleet, &problem), STATUS_BAD_INPUT);
        assert_ptr_equal(strstr(problem.text, "pod.x:"), problem.text);
        assert_true(strpbrk(problem.text, "0123456789") != NULL);
    }
}

static void test_nothing_given(void **state)
{
    struct diagnosis_texts texts = {0};
    (void)state;
    assert_problem(&texts, "no file was given");
    texts.logs = text_of("logs.txt", "");
    texts.events = text_of("events.txt", " \n");
    assert_problem(&texts, "events.txt: empty; there is nothing to look at");
    /* a log may be empty where something else is not */
    texts.pod = text_of("pod", POD_JSON("a"));
    fleet_free(fleet_of(&texts));
}

static void test_files_must_agree(void **state)
{
    struct diagnosis_texts texts = {.pod = text_of("pod.json", POD_JSON("a")),
                                    .describe = text_of("describe.txt", "Name:  b\nNamespace:  x\nStatus:  Running\n")};
    (void)state;
    assert_problem(&texts, "describe.txt is about pod b, pod.json about a");
    texts.pod = (struct diagnosis_text){0};
    texts.describe = text_of(
        "describe.txt", "Name:  a\nNamespace:  x\nNode:  n1/10.0.0.1\n\nName:  b\nNamespace:  x\nStatus:  Running\n");
    assert_problem(&texts, "describe.txt: 2 pods, expected one: a, b");
}

/* Of a table the pod that is not all ready; the others are well. */
static void test_pod_of_a_table(void **state)
{
    struct diagnosis_texts texts = {.describe = text_of("pods.txt", "NAME  READY  STATUS             RESTARTS  AGE\n"
                                                                    "a     1/1    Running            0         5m\n"
                                                                    "b     0/1    CrashLoopBackOff   7         5m\n"
                                                                    "c     1/1    Running            0         5m\n")};
    (void)state;
    struct fleet *fleet = fleet_of(&texts);
    assert_string_equal(text_str(&fleet->pods[0]->facts.name), "b");
    assert_int_equal(fleet->pods[0]->stage, STAGE_BACKOFF);
    fleet_free(fleet);
}

/* ---- events ---- */

static const char TABLE[] =
    "LAST SEEN   TYPE      REASON             OBJECT         MESSAGE\n"
    "50s         Warning   FailedScheduling   pod/big        0/1 nodes are available: 1 Insufficient nvidia.com/gpu.\n"
    "40s         Normal    Scheduled          pod/a          Successfully assigned x/a to n1\n"
    "5s          Warning   Unhealthy          pod/a          Liveness probe failed: HTTP probe failed with statuscode: "
    "404\n"
    "4s          Warning   Failed             pod/a          Error: words\n"
    "4s          Warning   FailedCreate       replicaset/a   quota\n";

static void test_events_of_a_namespace(void **state)
{
    struct diagnosis_texts texts = {.pod = text_of("pod.json", POD_JSON("a")), .events = text_of("events.txt", TABLE)};
    (void)state;
    struct fleet *fleet = fleet_of(&texts);
    const struct pod *pod = fleet->pods[0];
    assert_int_equal(pod->event_count, 4); /* the ReplicaSet made it */
    assert_string_equal(text_str(&pod->events[0].reason), "Scheduled");
    assert_true(fleet->t - pod->events[0].last == 40 * (int64_t)SECOND_US);
    assert_int_equal(fleet->note_count, 0);
    fleet_free(fleet);
    /* without a pod's name: the one with the most warnings, and that it was chosen is said */
    texts.pod = (struct diagnosis_text){0};
    fleet = fleet_of(&texts);
    assert_string_equal(text_str(&fleet->pods[0]->facts.name), "a");
    assert_int_equal(finding_of(fleet, CAUSE_WRONG_PORT)->line, 4);
    assert_int_equal(fleet->note_count, 1);
    fleet_free(fleet);
}

static void test_events_as_json(void **state)
{
    static const char EVENTS[] =
        "{\"kind\":\"List\",\"items\":["
        "{\"kind\":\"Event\",\"type\":\"Warning\",\"reason\":\"Unhealthy\",\"message\":\"Startup probe failed: x\","
        "\"involvedObject\":{\"kind\":\"Pod\",\"name\":\"a\",\"uid\":\"1\"},\"metadata\":{\"uid\":\"e1\"},"
        "\"lastTimestamp\":\"2026-11-24T06:20:00Z\",\"count\":3},"
        "{\"kind\":\"Event\",\"reason\":\"Killing\",\"message\":\"y\","
        "\"involvedObject\":{\"kind\":\"Pod\",\"name\":\"b\",\"uid\":\"2\"},\"metadata\":{\"uid\":\"e2\"},"
        "\"lastTimestamp\":\"2026-11-24T06:21:00Z\"}]}";
    char moment[32];
    struct diagnosis_texts texts = {.pod = text_of("pod.json", POD_JSON("a")), .events = text_of("events", EVENTS)};
    (void)state;
    struct fleet *fleet = fleet_of(&texts);
    const struct pod *pod = fleet->pods[0];
    assert_int_equal(pod->event_count, 1);
    assert_int_equal(pod->events[0].count, 3);
    assert_string_equal(clock_format(fleet_wall(fleet, pod->events[0].last), CLOCK_ISO_UTC, moment, sizeof moment),
                        "2026-11-24T06:20:00Z");
    fleet_free(fleet);
}

static void test_too_many_events(void **state)
{
    struct buf table;
    struct diagnosis_texts texts = {0};
    (void)state;
    buf_init(&table, 1 << 20);
    for (int i = 0; i < 4100; i++)
        buf_puts(&table, "5s Warning Failed pod/a Error: words\n");
    texts.events = text_of("events", buf_str(&table));
    struct fleet *fleet = fleet_of(&texts);
    assert_string_equal(text_str(&fleet->notes[0].words), "4 rows and lines were too many to be looked at");
    assert_int_equal(fleet->pods[0]->event_count, POD_EVENTS_MAX);
    fleet_free(fleet);
    buf_free(&table);
}

/* What is no event's row is looked at as it is. */
static void test_other_lines(void **state)
{
    struct diagnosis_texts texts = {
        .events = text_of("events", "\nfailed: Insufficient nvidia.com/gpu.\n"),
        .describe =
            text_of("describe", "words\nOCI runtime create failed: exec: \"python3\": executable file not found "
                                "in $PATH\n")};
    (void)state;
    struct fleet *fleet = fleet_of(&texts);
    assert_int_equal(finding_of(fleet, CAUSE_CONFIG_ERROR)->source, EVIDENCE_DESCRIBE);
    assert_int_equal(finding_of(fleet, CAUSE_CONFIG_ERROR)->line, 2);
    assert_int_equal(finding_of(fleet, CAUSE_UNSCHEDULABLE_RESOURCES)->source, EVIDENCE_EVENTS);
    assert_int_equal(finding_of(fleet, CAUSE_UNSCHEDULABLE_RESOURCES)->line, 2);
    assert_string_equal(diagnosis_file(&texts, EVIDENCE_EVENTS), "events");
    assert_null(diagnosis_file(&texts, EVIDENCE_LOGS));
    fleet_free(fleet);
}

/* ---- moments ---- */

/* A description has dates and ages: the last start was 20 s before it was written, so everything is told as of then. */
static void test_when_it_was_written(void **state)
{
    struct buf bytes;
    char moment[32];
    (void)state;
    data_file("describe/decode-0.txt", &bytes);
    struct diagnosis_texts texts = {.describe = text_of("describe.txt", buf_str(&bytes))};
    struct fleet *fleet = fleet_of(&texts);
    assert_string_equal(clock_format(fleet_wall(fleet, fleet->t), CLOCK_ISO_UTC, moment, sizeof moment),
                        "2026-11-24T09:18:53Z");
    assert_int_equal(finding_of(fleet, CAUSE_GPU_OOM)->line, 54);
    fleet_free(fleet);
    buf_free(&bytes);
}

static void test_nothing_is_dated(void **state)
{
    struct hints hints;
    struct fleet *fleet = fleet_of_logs("words\ntorch.OutOfMemoryError: CUDA out of memory.\n");
    (void)state;
    assert_true(fleet->clock.wall_zero == 0);
    assert_true(finding_of(fleet, CAUSE_GPU_OOM)->first == fleet->t);
    assert_int_equal(first_hint(fleet, &hints)->cause, CAUSE_GPU_OOM);
    hints_free(&hints);
    fleet_free(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_are_counted),
        cmocka_unit_test(test_bytes_that_are_no_text),
        cmocka_unit_test(test_previous_is_another_run),
        cmocka_unit_test(test_no_previous),
        cmocka_unit_test(test_file_of_a_node),
        cmocka_unit_test(test_timestamps),
        cmocka_unit_test(test_stamps),
        cmocka_unit_test(test_stamps_with_years),
        cmocka_unit_test(test_stamps_at_new_year),
        cmocka_unit_test(test_stamps_that_do_not_fit),
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_init_container),
        cmocka_unit_test(test_pods),
        cmocka_unit_test(test_which_container),
        cmocka_unit_test(test_no_pods),
        cmocka_unit_test(test_broken_documents),
        cmocka_unit_test(test_nothing_given),
        cmocka_unit_test(test_files_must_agree),
        cmocka_unit_test(test_pod_of_a_table),
        cmocka_unit_test(test_events_of_a_namespace),
        cmocka_unit_test(test_events_as_json),
        cmocka_unit_test(test_too_many_events),
        cmocka_unit_test(test_other_lines),
        cmocka_unit_test(test_when_it_was_written),
        cmocka_unit_test(test_nothing_is_dated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
