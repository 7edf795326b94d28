/* How hints are made, ranked and completed; what findings and endings say, and for how long; what files of kubectl's alone come to. */
#include "base/buf.h"
#include "kube/diagnosis.h"
#include "model/hints_make.h"
#include "tests/support/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define OOM                                                                                                            \
    "(EngineCore_DP0 pid=9) ERROR 01-02 03:04:05 [core.py:1] torch.OutOfMemoryError: CUDA out of memory. Tried to "    \
    "allocate 2.00 GiB."
#define WRAPPER                                                                                                        \
    "(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}"
#define LISTENS "(APIServer pid=1) INFO:     Application startup complete."

/* A run from 10:00:00 on, as kubectl describe tells it. */
#define ENDED(reason, code, finished)                                                                                  \
    "Name:  v\nNamespace:  d\nStatus:  Running\nContainers:\n  vllm:\n    Image:  vllm/vllm-openai:v1\n"               \
    "    State:  Waiting\n      Reason:  CrashLoopBackOff\n    Last State:  Terminated\n      Reason:  " reason        \
    "\n      Exit Code:  " code                                                                                        \
    "\n      Started:  Mon, 02 Jan 2023 10:00:00 +0000\n      Finished:  Mon, 02 Jan 2023 " finished                   \
    " +0000\n    Ready:  False\n    Restart Count:  1\n    Startup:  http-get http://:8000/health delay=0s "           \
    "timeout=1s "                                                                                                      \
    "period=10s #success=1 #failure=10\n"

/* ---- making ---- */

static void test_making(void **state)
{
    struct story story;
    struct hints hints = {0};
    (void)state;
    story_begin(&story, true, 8000, 8000);
    struct hint_maker maker = {story.fleet, story_pod(&story), story.t, &hints};
    struct hint *hint = hint_add(&maker, CAUSE_GPU_OOM, CONFIDENCE_POSSIBLE, 5);
    assert_ptr_equal(hint_add(&maker, CAUSE_GPU_OOM, CONFIDENCE_LIKELY, 1), hint); /* the better of both stays */
    assert_int_equal(hint->confidence, CONFIDENCE_LIKELY);
    assert_int_equal(hint->weight, 5);
    assert_ptr_not_equal(hint_add_labelled(&maker, CAUSE_OWN, "mine", CONFIDENCE_POSSIBLE, 0),
                         hint_add_labelled(&maker, CAUSE_OWN, "yours", CONFIDENCE_POSSIBLE, 0));
    hint_title(hint, 2, "%d of 3", 1);
    hint_title(hint, 1, "no");
    hint_title(hint, 3, "yes");
    assert_string_equal(text_str(&hint->title), "yes");
    for (int i = 0; i < 2 * HINT_EVIDENCE_MAX; i++)
        hint_evidence(hint, EVIDENCE_LOGS, i, i, "line %d", i / 2);
    assert_int_equal(hint->evidence_count, HINT_EVIDENCE_MAX);
    assert_string_equal(text_str(&hint->evidence[1].words), "line 1"); /* said once */
    hint_fix(hint, "do %s", "this");
    hint_fix(hint, "do this");
    assert_int_equal(hint->fix_count, 1);
    hint_command(&maker, hint, "{kubectl} get pod {pod}");
    hint_command(&maker, hint, "{kubectl} get node {node}"); /* on none yet: no half command */
    assert_int_equal(hint->command_count, 1);
    hint_patch(hint, "a:\n  b: \x1b[1m\n");
    assert_string_equal(text_str(&hint->patch), "a:\n  b: \\x1b[1m\n");
    hint_title(NULL, 1, "x");
    hint_evidence(NULL, EVIDENCE_LOGS, 0, 0, "x");
    hint_fix(NULL, "x");
    hint_command(&maker, NULL, "x");
    hint_patch(NULL, "x");
    hints_free(&hints);
    assert_int_equal(hints.count, 0);
    story_end(&story);
}

/* A full list keeps the better ones. */
static void test_full(void **state)
{
    struct story story;
    struct hints hints = {0};
    char label[16];
    (void)state;
    story_begin(&story, true, 8000, 8000);
    struct hint_maker maker = {story.fleet, story_pod(&story), story.t, &hints};
    for (int i = 0; i < HINTS_MAX; i++) {
        snprintf(label, sizeof label, "own-%d", i);
        assert_non_null(hint_add_labelled(&maker, CAUSE_OWN, label, CONFIDENCE_LIKELY, 10 + i));
    }
    assert_null(hint_add(&maker, CAUSE_GPU_OOM, CONFIDENCE_POSSIBLE, 1000));
    assert_null(hint_add(&maker, CAUSE_GPU_OOM, CONFIDENCE_LIKELY, 9));
    assert_non_null(hint_add(&maker, CAUSE_GPU_OOM, CONFIDENCE_CERTAIN, 0));
    assert_int_equal(hints.count, HINTS_MAX);
    for (uint32_t i = 0; i < hints.count; i++)
        assert_false(text_is(&hints.list[i].label, "own-0"));
    hints_free(&hints);
    story_end(&story);
}

/* ---- living pods ---- */

/* The labels of the hints, best first, with what they are sure of: "gpu-oom certain, engine-dead likely"; without hints the verdict. */
static void hints_list(const struct hints *hints, struct buf *out)
{
    for (uint32_t i = 0; i < hints->count; i++)
        buf_printf(out, "%s%s %s", i > 0 ? ", " : "", text_str(&hints->list[i].label),
                   confidence_name(hints->list[i].confidence));
    if (hints->count == 0)
        buf_puts(out, cause_label(hints->verdict));
}

static void told(const struct story *story, const char *wanted)
{
    struct hints hints;
    struct buf list;
    buf_init(&list, 4096);
    pod_hints(story->fleet, story_pod(story), story->t, &hints);
    hints_list(&hints, &list);
    if (strcmp(buf_str(&list), wanted) != 0)
        fail_msg("expected \"%s\", not \"%s\" (%s)", wanted, buf_str(&list), text_str(&hints.state));
    for (uint32_t i = 0; i < hints.count; i++) {
        assert_false(text_empty(&hints.list[i].title));
        assert_int_not_equal(hints.list[i].evidence_count, 0);
    }
    buf_free(&list);
    hints_free(&hints);
}

static void crash(struct story *story, int32_t code, const char *reason)
{
    struct container_facts *serving = &story->facts.serving;
    serving->last = (struct termination){.known = true,
                                         .exit_code = code,
                                         .started_at = serving->started_at,
                                         .finished_at = story->t,
                                         .reason = serving->last.reason,
                                         .message = serving->last.message};
    text_set_str(&serving->last.reason, reason, TEXT_NAME);
    serving->state = CONTAINER_WAITING;
    text_set_str(&serving->reason, "CrashLoopBackOff", TEXT_NAME);
    serving->started = serving->ready = story->facts.ready.status = TRI_FALSE;
    story_tell(story);
}

static void start(struct story *story)
{
    story_begin(story, true, 8000, 8000);
    story->t = SECONDS(10);
    story_run(story, 0);
    story->t = SECONDS(40);
}

/* From the crash through the next start to Ready: the hint goes when its cause does. */
static void test_life(void **state)
{
    struct story s;
    (void)state;
    start(&s);
    told(&s, "healthy-slow");
    story_log(&s, OOM);
    story_log(&s, WRAPPER);
    told(&s, "gpu-oom certain");
    s.t += SECONDS(2);
    crash(&s, 1, "Error");
    told(&s, "gpu-oom certain");
    struct hints hints;
    pod_hints(s.fleet, story_pod(&s), s.t, &hints);
    const struct hint *hint = &hints.list[0];
    assert_int_equal(hint->evidence[0].source, EVIDENCE_LOGS);
    assert_int_equal(hint->evidence[0].line, 1);
    assert_int_equal(hint->evidence[0].t, SECONDS(40));
    assert_string_equal(text_str(&hint->evidence[1].words), "exit code 1, Error, after 32s");
    assert_string_equal(text_str(&hint->commands[0]), "kubectl -n llm-d logs decode-0 -c vllm --previous --tail=200");
    assert_int_not_equal(hint->fix_count, 0);
    hints_free(&hints);
    s.t += SECONDS(20);
    story_run(&s, 1);
    told(&s, "gpu-oom certain"); /* and so it will be again, as far as is known */
    pod_hints(s.fleet, story_pod(&s), s.t, &hints);
    assert_int_equal(hints.list[0].evidence[0].source, EVIDENCE_PREVIOUS);
    hints_free(&hints);
    story_log(&s, "(EngineCore_DP0 pid=9) INFO 01-02 03:04:05 [core.py:1] Starting to load model m...");
    told(&s, "gpu-oom certain");
    s.t += SECONDS(300);
    story_models(&s, LANE_STARTUP, ANSWERER_VLLM);
    told(&s, "healthy");
    story_word(&s, true, true);
    story_health(&s, LANE_LIVENESS, ANSWERER_VLLM);
    story_models(&s, LANE_READINESS, ANSWERER_VLLM);
    told(&s, "healthy");
    story_end(&s);
}

static void test_old(void **state)
{
    struct story s;
    (void)state;
    start(&s);
    story_log(&s, OOM);
    crash(&s, 1, "Error");
    story_run(&s, 1);
    s.t += SECONDS(599);
    told(&s, "gpu-oom certain");
    s.t += SECONDS(2); /* it has outlived what killed its forerunner */
    told(&s, "healthy-slow");
    story_end(&s);
}

/* What start-up survives is no cause, and a warning is not believed lightly. */
static void test_survived(void **state)
{
    struct story s;
    (void)state;
    start(&s);
    story_log(&s, "requests.exceptions.ReadTimeout: (ReadTimeoutError(...))");
    told(&s, "download-network likely");
    story_log(&s, "(EngineCore pid=9) INFO 01-02 03:04:05 [w.py:1] Loading weights took 3.00 seconds");
    told(&s, "healthy-slow");
    story_log(&s, "(EngineCore pid=9) WARNING 01-02 03:04:05 [c.py:1] this is not supported and is turned off");
    told(&s, "healthy-slow");
    story_end(&s);
}

/* A rank that dies takes the others with it: what they print is its echo. */
static void test_ranks(void **state)
{
    struct story s;
    (void)state;
    start(&s);
    story_log(&s, "(Worker_TP1 pid=8) ERROR 01-02 03:04:05 [m.py:1] RuntimeError: NCCL error: remote process exited");
    story_log(&s, "(Worker_TP0 pid=7) ERROR 01-02 03:04:05 [m.py:1] torch.OutOfMemoryError: CUDA out of memory.");
    story_log(&s,
              "(APIServer pid=1) ERROR vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.");
    told(&s, "gpu-oom certain, nccl-network certain, engine-dead likely");
    story_end(&s);
}

static void test_ends(void **state)
{
    static const struct {
        int32_t code;
        const char *reason, *line, *wanted;
    } rows[] = {
        {137, "OOMKilled", "INFO 01-02 03:04:05 [a.py:1] Starting to load model m...", "host-oom certain"},
        {137, "Error", "INFO 01-02 03:04:05 [a.py:1] Starting to load model m...", "host-oom likely"},
        {139, "Error", "", "crash-segfault certain"},
        {134, "Error", "", "crash-segfault likely"},
        {135, "Error", "", "shm-too-small likely"},
        {143, "Error", "", "probe-killed possible"},
        {0, "Completed", "", "engine-dead likely"},
        {127, "ContainerCannotRun", "", "config-error likely"},
        {1, "Error", "", "died-silently likely"},
        {1, "Error", WRAPPER, "died-silently likely"},
        {1, "Error", "KeyError: 'layers.0.q'", "config-error possible"},
        {1, "Error", "OSError: [Errno 98] Address already in use", "port-in-use certain"},
        {137, "Error", "RuntimeError: No CUDA GPUs are available", "no-gpu certain"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct story s;
        start(&s);
        if (rows[i].line[0])
            story_log(&s, rows[i].line);
        crash(&s, rows[i].code, rows[i].reason);
        told(&s, rows[i].wanted);
        story_end(&s);
    }
}

/* What comes before a container runs is over when it does. */
static void test_before_start(void **state)
{
    struct story s;
    (void)state;
    story_begin(&s, true, 8000, 8000);
    s.facts.scheduled.status = TRI_FALSE;
    text_set_str(&s.facts.scheduled.reason, "Unschedulable", TEXT_NAME);
    text_set_str(&s.facts.scheduled.message, "0/2 nodes are available: 2 Insufficient nvidia.com/gpu.", TEXT_LINE);
    s.facts.serving.state = CONTAINER_UNKNOWN;
    text_free(&s.facts.serving.reason);
    story_tell(&s);
    told(&s, "unschedulable-resources certain");
    story_event(&s, "e1", "FailedScheduling", "0/2 nodes are available: 2 Insufficient nvidia.com/gpu.", 1);
    told(&s, "unschedulable-resources certain");
    s.t += SECONDS(30);
    s.facts.scheduled.status = TRI_TRUE;
    text_set_str(&s.facts.node, "gpu-1", TEXT_NAME);
    s.facts.serving.state = CONTAINER_WAITING;
    text_set_str(&s.facts.serving.reason, "ContainerCreating", TEXT_NAME);
    story_tell(&s);
    told(&s, "");
    story_event(&s, "e2", "Failed", "Failed to pull image \"x\": toomanyrequests", 1);
    text_set_str(&s.facts.serving.reason, "ImagePullBackOff", TEXT_NAME);
    text_set_str(&s.facts.serving.message, "Back-off pulling image \"x\"", TEXT_LINE);
    story_tell(&s);
    told(&s, "image-pull certain");
    s.t += SECONDS(30);
    story_run(&s, 0);
    told(&s, "healthy-slow");
    s.facts.deleting = true;
    story_log(&s, OOM);
    story_tell(&s);
    told(&s, "");
    story_end(&s);
}

/* While it is Ready: its engine's own words count, those of its start and of its clients do not. */
static void test_ready(void **state)
{
    struct story s;
    (void)state;
    start(&s);
    story_log(&s, "RuntimeError: NCCL error: unhandled system error");
    story_log(&s, LISTENS);
    story_models(&s, LANE_STARTUP, ANSWERER_VLLM);
    story_word(&s, true, true);
    story_health(&s, LANE_LIVENESS, ANSWERER_VLLM);
    story_models(&s, LANE_READINESS, ANSWERER_VLLM);
    s.t += SECONDS(60);
    story_log(&s, "INFO:     10.0.0.9:1 - \"GET /v1/models HTTP/1.1\" 401 Unauthorized");
    story_log(&s, "{\"message\":\"The model `x` does not exist.\"}");
    told(&s, "healthy");
    story_log(&s, "(Worker_TP0 pid=4) ERROR 01-02 03:04:05 [n.py:1] NIXL transfer failure: handshake_setup_failed");
    told(&s, "nccl-network certain");
    s.t += SECONDS(599);
    told(&s, "nccl-network certain");
    s.t += SECONDS(2);
    told(&s, "healthy");
    story_end(&s);
}

static void test_own(void **state)
{
    static struct signature own[] = {{.cause = CAUSE_OWN,
                                      .pattern = "license server*unreachable",
                                      .where = WHERE_ANY,
                                      .confidence = CONFIDENCE_CERTAIN,
                                      .title = "no licence",
                                      .label = "licence",
                                      .fix = "Ask the licence desk.",
                                      .command = "{kubectl} get pod {pod} -o wide"}};
    const struct signatures signatures = {own, 1};
    struct story s;
    struct hints hints;
    (void)state;
    start(&s);
    s.fleet->limits.signatures = &signatures;
    story_log(&s, "INFO 01-02 03:04:05 [x.py:1] License Server 10.0.0.1 unreachable");
    told(&s, "licence certain");
    pod_hints(s.fleet, story_pod(&s), s.t, &hints);
    assert_string_equal(text_str(&hints.list[0].title), "no licence");
    assert_string_equal(text_str(&hints.list[0].fixes[0]), "Ask the licence desk.");
    assert_string_equal(text_str(&hints.list[0].commands[0]), "kubectl -n llm-d get pod decode-0 -o wide");
    hints_free(&hints);
    story_end(&s);
}

/* The number that the log says would fit is the first fix. */
static void test_number(void **state)
{
    struct story s;
    struct hints hints;
    (void)state;
    start(&s);
    story_log(
        &s,
        "ValueError: To serve at least one request with the model's max seq len (9000), (9 GiB KV cache is needed, "
        "which "
        "is larger than the available KV cache memory (2 GiB). Based on the available memory, the estimated maximum "
        "model length is 2048.");
    story_log(&s, "ERROR 01-02 03:04:05 [m.py:1] Worker proc VllmWorker-0 died unexpectedly (exit code: None)");
    story_log(&s, WRAPPER);
    told(&s, "kv-cache-too-small certain");
    pod_hints(s.fleet, story_pod(&s), s.t, &hints);
    assert_string_equal(text_str(&hints.list[0].fixes[0]),
                        "Set --max-model-len to 2048 or lower: by the log, so much fits.");
    hints_free(&hints);
    story_end(&s);
}

/* The first fix is the one for this very case: by the line, or by how far the start had come. */
static void test_fixes(void **state)
{
    static const struct {
        const char *before, *line, *fix;
    } rows[] = {
        {"Loading safetensors checkpoint shards:  10% Completed | 1/10 [00:30<04:30, 30.0s/it]",
         "torch.OutOfMemoryError: CUDA out of memory.", "The weights alone do not fit"},
        {"Capturing CUDA graphs (decode, FULL):  10%|#   | 4/35 [00:40<05:10]",
         "torch.OutOfMemoryError: CUDA out of memory.", "Lower --gpu-memory-utilization or --max-num-seqs"},
        {"x", "torch.OutOfMemoryError: CUDA out of memory.", "Lower --gpu-memory-utilization, --max-model-len"},
        {"x", "ValueError: Free memory on device (1/24 GiB) on startup is less than desired GPU memory utilization",
         "See what holds the GPU"},
        {"1 validation error for ModelConfig", "ValueError: Bfloat16 is only supported on GPUs with compute capability",
         "Add --dtype half."},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct story s;
        struct hints hints;
        start(&s);
        story_log(&s, rows[i].before);
        story_log(&s, rows[i].line);
        story_log(&s, WRAPPER);
        pod_hints(s.fleet, story_pod(&s), s.t, &hints);
        assert_int_not_equal(hints.count, 0);
        if (strncmp(text_str(&hints.list[0].fixes[0]), rows[i].fix, strlen(rows[i].fix)) != 0)
            fail_msg("row %zu: \"%s\"", i, text_str(&hints.list[0].fixes[0]));
        /* What says most is quoted first, wherever it stood. */
        assert_string_equal(text_str(&hints.list[0].evidence[0].words), rows[i].line);
        hints_free(&hints);
        story_end(&s);
    }
}

/* A further pod of the Deployment, of another version. */
static void put_sibling(struct story *s, uint32_t id, const char *name, int64_t created, bool ready)
{
    struct fact fact;
    fact_init(&fact, FACT_POD, id);
    fact.t = s->t;
    pod_facts_copy(&fact.u.facts, &s->facts);
    fact.u.facts.id = id;
    fact.u.facts.created_at = created;
    text_set_str(&fact.u.facts.name, name, TEXT_NAME);
    fact.u.facts.serving.state = CONTAINER_RUNNING;
    fact.u.facts.serving.started = fact.u.facts.serving.ready = ready ? TRI_TRUE : TRI_FALSE;
    fact.u.facts.ready.status = fact.u.facts.serving.ready;
    fleet_apply(s->fleet, &fact);
    fact_free(&fact);
}

/* A rollout that fails while the version before serves: the way back is shown. Not where the older one does not serve either, nor to a pod of the version before. */
static void test_rollout(void **state)
{
    static const struct {
        const char *name, *sibling;
        bool older, serves, back;
    } rows[] = {
        {"decode-222-x", "decode-111-x", true, true, true},
        {"decode-222-x", "decode-111-x", true, false, false},
        {"decode-111-x", "decode-222-x", false, true, false},
        {"decode-222-x", "decode-222-y", true, true, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct story s;
        struct hints hints;
        bool back = false;
        start(&s);
        text_set_str(&s.facts.workload, "deploy/decode", TEXT_NAME);
        text_set_str(&s.facts.name, rows[i].name, TEXT_NAME);
        s.facts.created_at = SECONDS(100);
        put_sibling(&s, 2, rows[i].sibling, rows[i].older ? SECONDS(50) : SECONDS(150), rows[i].serves);
        story_log(&s, "ValueError: Unknown quantization method: awq_x.");
        crash(&s, 1, "Error");
        pod_hints(s.fleet, story_pod(&s), s.t, &hints);
        assert_int_equal(hints.list[0].cause, CAUSE_CONFIG_ERROR);
        for (uint32_t c = 0; c < hints.list[0].command_count; c++)
            back = back || strstr(text_str(&hints.list[0].commands[c]), "rollout undo deploy/decode");
        if (back != rows[i].back || (hints.why_count > 0 && strstr(text_str(&hints.why[0]), "newest version")) != back)
            fail_msg("row %zu", i);
        hints_free(&hints);
        story_end(&s);
    }
}

/* ---- files alone ---- */

static const struct {
    const char *logs, *previous, *events, *describe, *wanted;
} files[] = {
    {.logs = "INFO 01-02 03:04:05 [a.py:1] Starting to load model org/m...\n", .wanted = "download-slow possible"},
    {.logs = "INFO 01-02 03:04:05 [a.py:1] Starting to load model /models/m...\n", .wanted = "healthy-slow"},
    {.logs = "Fetching 4 files:  25%|##   | 1/4 [05:00<15:00, 300s/it]\n", .wanted = "download-slow possible"},
    {.logs = "Loading safetensors checkpoint shards:  10% Completed | 1/10 [00:30<04:30, 30.0s/it]\n",
     .wanted = "healthy-slow"},
    {.logs = "(EngineCore pid=2) INFO 01-02 03:04:05 [c.py:1] init engine (profile, create kv cache, warmup model) "
             "took 9 s\n",
     .wanted = "healthy"},
    {.logs = "Capturing CUDA graphs (decode, FULL):  10%|#   | 4/35 [00:40<05:10]\n", .wanted = "healthy-slow"},
    {.logs = LISTENS "\nINFO:     10.0.0.1:1 - \"GET /health HTTP/1.1\" 200 OK\n", .wanted = "healthy"},
    {.logs = "INFO 01-02 03:04:05 [m.py:1] Model loading took 9.1 GiB and 7.0 seconds\nDEBUG 01-02 03:04:09 "
             "[core.py:1] EngineCore "
             "exiting.\nTraceback (most recent call last):\n  File \"x\", line 1\nKeyboardInterrupt: terminated\n",
     .wanted = "startup-budget-exceeded likely"},
    {.previous =
         "INFO 01-02 03:04:05 [m.py:1] Model loading took 9.1 GiB and 7.0 seconds\nKeyboardInterrupt: terminated\n",
     .logs = "INFO 01-02 03:05:05 [a.py:1] Using max model len 4096\n",
     .wanted = "startup-budget-exceeded likely"},
    {.previous = OOM "\n" WRAPPER "\n",
     .logs = "INFO 01-02 03:05:05 [a.py:1] Using max model len 4096\n",
     .wanted = "gpu-oom certain"},
    {.logs = WRAPPER "\n", .wanted = "died-silently possible"},
    {.logs = "INFO 01-02 03:04:05 [m.py:1] Model loading took 9.1 GiB and 7.0 seconds\n" WRAPPER "\n",
     .wanted = "gpu-oom possible, died-silently possible"},
    {.logs = "whatever this is\n", .wanted = ""},
    {.events = "Warning  Unhealthy  5s (x9 over 2m)  kubelet  Startup probe failed: Get "
               "\"http://10.0.0.1:8000/health\": dial tcp "
               "10.0.0.1:8000: connect: connection refused\nNormal  Started  3m  kubelet  Started container vllm\n",
     .wanted = "healthy-slow"},
    {.events = "Warning  Unhealthy  9s (x60 over 10m)  kubelet  Startup probe failed: Get "
               "\"http://10.0.0.1:8000/health\": dial tcp "
               "10.0.0.1:8000: connect: connection refused\nNormal  Killing  9s  kubelet  Container vllm failed "
               "startup probe, will be "
               "restarted\n",
     .wanted = "startup-budget-exceeded certain"},
    {.events = "Warning  Unhealthy  9s (x3 over 1m)  kubelet  Liveness probe failed: Get "
               "\"http://10.0.0.1:8000/health\": dial tcp "
               "10.0.0.1:8000: connect: connection refused\nNormal  Killing  9s  kubelet  Container vllm failed "
               "liveness probe, will be "
               "restarted\n",
     .wanted = "startup-budget-exceeded likely"},
    {.events = "Warning  Unhealthy  9s (x3 over 1m)  kubelet  Liveness probe failed: Get "
               "\"http://10.0.0.1:8000/health\": context "
               "deadline exceeded (Client.Timeout exceeded while awaiting headers)\nNormal  Killing  9s  kubelet  "
               "Container vllm failed "
               "liveness probe, will be restarted\n",
     .wanted = "probe-timeout likely, probe-killed possible"},
    {.events = "Warning  Unhealthy  9s (x99 over 20m)  kubelet  Readiness probe failed: Get "
               "\"http://10.0.0.1:8000/health\": dial tcp "
               "10.0.0.1:8000: connect: connection refused\n",
     .logs = "INFO 01-02 03:04:05 [a.py:1] Starting vLLM API server 0 on http://0.0.0.0:8200\n" LISTENS "\n",
     .wanted = "wrong-port likely"},
    {.events = "Warning  BackOff  9s (x5 over 2m)  kubelet  Back-off restarting failed container vllm in pod v_d(1)\n",
     .logs = "(Worker_TP0 pid=4) ERROR 01-02 03:04:05 [m.py:1] RuntimeError: CUDA error: unspecified launch "
             "failure\n" WRAPPER "\n",
     .wanted = "cuda-error certain"},
    {.events =
         "Warning  Unhealthy  5s (x3 over 15s)  kubelet  Startup probe failed: Get \"http://10.0.0.1:8000/health\": "
         "dial tcp 10.0.0.1:8000: connect: connection refused\nWarning  BackOff  1s (x5 over 9m)  kubelet  Back-off "
         "restarting failed container vllm in pod v_d(1)\n",
     .wanted = "startup-budget-exceeded possible, died-silently possible"},
    {.events = "Warning  Failed  9m  kubelet  Error: ErrImagePull\nNormal  Pulled  5m  kubelet  Successfully pulled "
               "image \"v:1\" in "
               "4m\nNormal  Started  5m  kubelet  Started container vllm\n",
     .wanted = "healthy-slow"},
    /* Deleted or drained: an exit code 0 is no engine's death then; ended by itself it is. */
    {.describe = "Name:  v\nNamespace:  d\nStatus:  Succeeded\nContainers:\n  vllm:\n    Image:  vllm/vllm-openai:v1\n"
                 "    State:  Terminated\n      Reason:  Completed\n      Exit Code:  0\n    Ready:  False\n",
     .events =
         "Normal  Started  3m  kubelet  Started container vllm\nNormal  Killing  54s  kubelet  Stopping container "
         "vllm\n",
     .wanted = ""},
    {.describe = "Name:  v\nNamespace:  d\nStatus:  Succeeded\nContainers:\n  vllm:\n    Image:  vllm/vllm-openai:v1\n"
                 "    State:  Terminated\n      Reason:  Completed\n      Exit Code:  0\n    Ready:  False\n",
     .events = "Normal  Killing  9m  kubelet  Stopping container vllm\nNormal  Started  3m  kubelet  Started container "
               "vllm\n",
     .wanted = "engine-dead likely"},
    /* The startup probe killed it, though no event says so: it lived for 1:35 of 10 x 10 s. Not so one that lived for 40 s, or that the kernel killed. */
    {.describe = ENDED("Error", "137", "10:01:35"), .wanted = "startup-budget-exceeded likely"},
    {.describe = ENDED("Completed", "0", "10:01:44"), .wanted = "startup-budget-exceeded likely"},
    {.describe = ENDED("Error", "137", "10:00:40"), .wanted = "host-oom likely"},
    {.describe = ENDED("OOMKilled", "137", "10:01:35"), .wanted = "host-oom certain"},
    {.describe = ENDED("Error", "1", "10:01:35"), .wanted = "died-silently likely"},
    /* A warning's traceback is somebody's who went on. */
    {.logs =
         "(EngineCore pid=7) INFO 08-19 20:11:04 [k.py:1] GPU KV cache size: 2,315,808 tokens\n(EngineCore pid=7) "
         "WARNING "
         "08-19 20:11:05 [i.py:1] Module deep_gemm was found but failed to import\n(EngineCore pid=7) WARNING 08-19 "
         "20:11:05 [i.py:1] Traceback (most recent call last):\n",
     .wanted = "healthy"},
    /* On its way down it ends its workers; before it was told to, that is a death. */
    {.logs = LISTENS
     "\nINFO:     Shutting down\nINFO:     Finished server process [1]\nERROR 08-18 05:53:42 [m.py:1] Worker "
     "VllmWorkerProcess pid 9 died, exit code: -15\nINFO 08-18 05:53:42 [m.py:1] Killing local vLLM worker "
     "processes\n",
     .wanted = "healthy"},
    {.logs = LISTENS
     "\nINFO 08-18 05:53:42 [m.py:1] Killing local vLLM worker processes\nINFO:     Shutting down\nINFO:     "
     "Finished server process [1]\n",
     .wanted = "died-silently possible"},
    /* A kill by a probe is why it ended with 137: vLLM does not end within its grace. */
    {.describe = "    exitCode: 137\n    reason: Error\n",
     .events =
         "Warning  Unhealthy  71s (x3 over 91s)  kubelet  Liveness probe failed: Get \"http://10.0.0.1:8000/health\": "
         "dial tcp 10.0.0.1:8000: connect: connection refused\nNormal  Killing  71s  kubelet  Container vllm failed "
         "liveness probe, will be restarted\n",
     .wanted = "startup-budget-exceeded likely"},
    {.describe = "    exitCode: 137\n    reason: Error\n", .wanted = "host-oom likely"},
    /* No event is left that says why. */
    {.describe = "Name:  v\nNamespace:  d\nNode:  <none>\nStatus:  Pending\nContainers:\n  vllm:\n    Image:  "
                 "vllm/vllm-openai:v1\nConditions:\n  Type           Status\n  PodScheduled   False\n",
     .wanted = "unschedulable-resources likely"},
    /* A 401 shows that the port is right, whatever the startup probe then did. */
    {.events =
         "Warning  Unhealthy  9s (x60 over 9m)  kubelet  Startup probe failed: HTTP probe failed with statuscode: "
         "401\nNormal  Killing  9s  kubelet  Container vllm failed startup probe, will be restarted\n",
     .wanted = "api-key certain"},
    {.logs = "Success: LoRA adapter 'a1' added successfully.\n",
     .describe = "{\"object\":\"list\",\"data\":[{\"id\":\"base\",\"object\":\"model\"}]}\n",
     .wanted = "model-unloaded likely"},
    {.logs = LISTENS
     "\n(APIServer pid=1) ERROR 01-02 03:04:05 [async_llm.py:1] AsyncLLM output_handler failed.\nNotImplementedError: "
     "this is not there\n",
     .wanted = "engine-dead likely, config-error possible"},
    {.logs = LISTENS "\nINFO 01-02 03:04:05 [e.py:1] It took 1.1 seconds to fall asleep.\n",
     .wanted = "model-unloaded likely"},
    {.logs = LISTENS
     "\nINFO 01-02 03:04:05 [e.py:1] It took 1.1 seconds to fall asleep.\nINFO 01-02 03:04:05 [e.py:1] It took 0.3 "
     "seconds to wake up.\n",
     .wanted = "healthy"},
    {.logs = "  File \"/usr/lib/python3.12/multiprocessing/shared_memory.py\", line 114, in __init__\n"
             "    os.ftruncate(self._fd, size)\nOSError: [Errno 28] No space left on device\n",
     .wanted = "shm-too-small certain"},
    {.logs = "  File \"/usr/lib/python3.12/shutil.py\", line 1\nOSError: [Errno 28] No space left on device\n",
     .wanted = "disk-full certain"},
    /* Told to end, it complains on its way down; an engine that died before is another matter. */
    {.logs = LISTENS
     "\n(EngineCore pid=2) INFO 01-02 03:04:05 [core.py:1] [shutdown] EngineCore: trigger received signal=SIGTERM\n"
     "ERROR 01-02 03:04:05 [async_llm.py:1] AsyncLLM output_handler failed.\nEngineDeadError: x\n",
     .wanted = "healthy"},
    {.previous = LISTENS "\nINFO:     Shutting down\n",
     .logs = "INFO 01-02 03:05:05 [a.py:1] Using max model len 4096\n",
     .wanted = "probe-killed possible"},
    {.events =
         "Normal  Scheduled  9s  default-scheduler  Successfully assigned d/v to n\nNormal  Pulling  8s  kubelet  "
         "Pulling image \"v:1\"\n",
     .wanted = "healthy-slow"},
    {.logs =
         "[2026-01-02 03:04:05,678 W 71 71] gcs_rpc_client.h:151: Failed to connect to GCS at address 10.0.0.1:6379 "
         "within 5 seconds.\n",
     .wanted = "healthy-slow"},
    {.logs =
         "[2026-01-02 03:04:05,678 E 71 71] gcs_rpc_client.h:151: Failed to connect to GCS at address 10.0.0.1:6379 "
         "within 60 seconds.\n",
     .wanted = "nccl-network likely"},
    {.logs = "openai.BadRequestError: Error code: 400 - {'message': 'unsupported image'}\n", .wanted = ""},
    {.logs = LISTENS "\nINFO 01-02 03:04:05 [u.py:1] [shutdown] Process manager: send sigterm to process EngineCore\n"
                     "ERROR 01-02 03:04:05 [async_llm.py:1] AsyncLLM output_handler failed.\nINFO:     Shutting down\n",
     .wanted = "engine-dead likely"},
    /* No kubelet sends SIGINT: somebody ended it at a keyboard. */
    {.logs = LISTENS
     "\n(EngineCore pid=2) INFO 01-02 03:04:05 [core.py:1] [shutdown] EngineCore: trigger received signal=SIGINT\n"
     "(APIServer pid=1) INFO 01-02 03:04:05 [l.py:1] [shutdown] API server: shutdown triggered\n",
     .wanted = "healthy"},
    /* One client's request went wrong, no more. */
    {.logs = "ERROR 01-02 03:04:05 [serving_chat.py:2] Traceback (most recent call last):\n"
             "ERROR 01-02 03:04:05 [serving_chat.py:2] ValueError: too long\n",
     .wanted = "healthy"},
    {.logs = "(Worker_TP0 pid=4) WARNING 01-02 03:04:05 [moe.py:1] Using default MoE config.\n",
     .wanted = "healthy-slow"},
    /* An error in words that nobody knows, and nothing after it: nothing good can be said, either. */
    {.logs = "INFO 01-02 03:04:05 [a.py:1] Using max model len 4096\nERROR 01-02 03:04:06 [a.py:1] this went wrong\n",
     .wanted = ""},
    {.logs = "ERROR 01-02 03:04:06 [a.py:1] this went wrong\nINFO 01-02 03:04:05 [a.py:1] Using max model len 4096\n",
     .wanted = "healthy-slow"},
    /* A node is on its way, for a while. */
    {.events = "Warning  FailedScheduling  9m  default-scheduler  0/7 nodes are available: 7 Insufficient "
               "nvidia.com/gpu.\nNormal  TriggeredScaleUp  8m  cluster-autoscaler  pod triggered scale-up: [{a 0->1 "
               "(max: 9)}]\n",
     .wanted = "healthy-slow"},
    {.events = "Warning  FailedScheduling  9s (x9 over 40m)  default-scheduler  0/7 nodes are available: 7 "
               "Insufficient nvidia.com/gpu.\nNormal  TriggeredScaleUp  40m  cluster-autoscaler  pod triggered "
               "scale-up: [{a 0->1 (max: 9)}]\n",
     .wanted = "unschedulable-resources certain"},
    {.logs = "httpx.HTTPStatusError: Client error '403 Forbidden' for url "
             "'https://huggingface.co/m/resolve/main/config.json'\n"
             "OSError: We couldn't connect to 'https://huggingface.co' to load the files\n",
     .wanted = "download-auth certain, download-network certain"},
    {.logs = "Traceback (most recent call last):\n  File \"p.py\", line 1\nValueError: an optional plugin\nINFO 01-02 "
             "03:04:05 [a.py:1] "
             "goes on without\n",
     .wanted = "healthy-slow"},
};

static struct diagnosis_text text_of(const char *name, const char *bytes)
{
    return (struct diagnosis_text){.name = name, .bytes = bytes, .length = bytes ? strlen(bytes) : 0};
}

static void test_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct diagnosis_texts texts = {.logs = text_of("logs", files[i].logs),
                                        .previous = text_of("previous", files[i].previous),
                                        .events = text_of("events", files[i].events),
                                        .describe = text_of("describe", files[i].describe)};
        struct fleet *fleet;
        struct problem problem;
        struct hints hints;
        struct buf list;
        assert_int_equal(diagnosis_fleet(&texts, NULL, &fleet, &problem), STATUS_OK);
        pod_hints(fleet, fleet->pods[0], fleet->t, &hints);
        buf_init(&list, 4096);
        hints_list(&hints, &list);
        if (strcmp(buf_str(&list), files[i].wanted) != 0)
            fail_msg("row %zu: expected \"%s\", not \"%s\"", i, files[i].wanted, buf_str(&list));
        buf_free(&list);
        hints_free(&hints);
        fleet_free(fleet);
    }
}

/* What is to be pasted where the cause itself says it. */
static void test_patches(void **state)
{
    static const struct {
        const char *line, *patch;
    } rows[] = {
        {"RuntimeError: Bus error: it is possible that the shared memory (/dev/shm) is too small",
         "  volumeMounts:\n  - {name: shm, mountPath: /dev/shm}\nvolumes:\n- name: shm\n  emptyDir: {medium: Memory"},
        {"Failed to initialize NVML: Unknown Error", ""}, /* it asks for one already */
        {"RuntimeError: No CUDA GPUs are available", "containers:\n- name: vllm  # and what else it has\n  resources:\n"
                                                     "    limits:\n      nvidia.com/gpu: 1"},
        {"huggingface_hub.errors.GatedRepoError: 401 Client Error. Access to model m is restricted",
         "  - name: HF_TOKEN\n    valueFrom:\n      secretKeyRef: "},
        {"socket.gaierror: [Errno -3] Temporary failure in name resolution", "# Have the weights there before"},
        {"torch.OutOfMemoryError: CUDA out of memory.", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct story s;
        struct hints hints;
        start(&s);
        story_log(&s, rows[i].line);
        crash(&s, 1, "Error");
        pod_hints(s.fleet, story_pod(&s), s.t, &hints);
        assert_int_not_equal(hints.count, 0);
        const char *patch = text_str(&hints.list[0].patch);
        if (rows[i].patch[0] ? !strstr(patch, rows[i].patch) : patch[0])
            fail_msg("row %zu (%s): \"%s\"", i, text_str(&hints.list[0].label), patch);
        hints_free(&hints);
        story_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_making), cmocka_unit_test(test_full),         cmocka_unit_test(test_life),
        cmocka_unit_test(test_old),    cmocka_unit_test(test_survived),     cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_ends),   cmocka_unit_test(test_before_start), cmocka_unit_test(test_ready),
        cmocka_unit_test(test_own),    cmocka_unit_test(test_patches),      cmocka_unit_test(test_number),
        cmocka_unit_test(test_fixes),  cmocka_unit_test(test_rollout),      cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
