/* `probetop wait`, the real program: over a cluster that is not there (see test_scenarios.c) and over servers on loopback. Each of its ends, what it says before and how it leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "tests/support/fake_cluster.h"
#include "tests/support/run.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 12, EXIT_HOPELESS = 3, EXIT_TIMEOUT = 124, FILE_MAX = 1 << 20 };

struct scene {
    struct fake_cluster cluster;
    struct run run;
};

static const struct fake_probe MODELS = {.path = "/v1/models", .period = 1, .timeout = 1, .threshold = 3};
static const struct fake_probe SHORT_START = {.path = "/v1/models", .period = 1, .timeout = 1, .threshold = 2};
static const struct fake_probe LONG_START = {.path = "/v1/models", .period = 1, .timeout = 1, .threshold = 600};

static int setup(void **state)
{
    struct scene *scene = mem_new(sizeof *scene);
    fake_cluster_begin(&scene->cluster);
    unsetenv("GITHUB_ACTIONS");
    scene->run.fd = -1;
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    run_end(&scene->run);
    fake_cluster_end(&scene->cluster);
    mem_free(scene);
    return 0;
}

static struct fake_api *api(struct scene *scene)
{
    return fake_pods_api(scene->cluster.pods);
}

/* ---- running it ---- */

#define WAIT(scene, ...) begin(scene, (const char *const[]){__VA_ARGS__, NULL})

static void begin(struct scene *scene, const char *const *arguments)
{
    const char *all[ARGUMENTS_MAX + 3] = {getenv("PROBETOP"), "wait"};
    for (int i = 0; arguments[i] && i < ARGUMENTS_MAX; i++)
        all[i + 2] = arguments[i];
    run_end(&scene->run);
    run_start(&scene->run, all, scene->cluster.dir, &scene->cluster.loop);
}

static void says(struct scene *scene, const char *words)
{
    if (!run_wait_text(&scene->run, words))
        fail_msg("\"%s\" is not in: %s", words, buf_str(&scene->run.out));
}

static void says_not(const struct scene *scene, const char *words)
{
    if (strstr(buf_str(&scene->run.out), words))
        fail_msg("\"%s\" is in: %s", words, buf_str(&scene->run.out));
}

/* Whenever it was seen first. */
static void says_ready(struct scene *scene, const char *name)
{
    char became[96], is[96];
    int64_t until = clock_mono_us() + RUN_WAIT_MS * (int64_t)MILLISECOND_US;
    snprintf(became, sizeof became, "%s became Ready", name);
    snprintf(is, sizeof is, "%s is Ready", name);
    while (!strstr(buf_str(&scene->run.out), became) && !strstr(buf_str(&scene->run.out), is)) {
        if (clock_mono_us() > until)
            fail_msg("%s is not said to be Ready: %s", name, buf_str(&scene->run.out));
        run_pump(&scene->run);
    }
}

static void ends_with(struct scene *scene, int code)
{
    if (!run_wait_exit(&scene->run))
        fail_msg("it did not end: %s", buf_str(&scene->run.out));
    if (run_code(&scene->run) != code)
        fail_msg("it ended with %d, not %d: %s", run_code(&scene->run), code, buf_str(&scene->run.out));
}

/* No socket, and no directory for any. */
static bool directory_is_left(const struct scene *scene)
{
    bool left = false;
    const struct dirent *entry;
    DIR *dir = opendir(scene->cluster.dir);
    while (dir && (entry = readdir(dir)))
        left = left || strncmp(entry->d_name, "probetop-", 9) == 0;
    if (dir)
        closedir(dir);
    return left;
}

static struct fake_pod *add(struct scene *scene, const char *name, double loads)
{
    return fake_pods_add(
        scene->cluster.pods,
        &(struct fake_pod_options){
            .name = name, .workload = "decode", .startup = LONG_START, .readiness = MODELS, .loads = loads});
}

/* The status of a pod whose image nobody has. */
static const char NO_IMAGE[] =
    "\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"True\"}],\"containerStatuses\":["
    "{"
    "\"name\":\"vllm\",\"image\":\"x:1\",\"restartCount\":0,\"ready\":false,\"state\":{\"waiting\":{\"reason\":"
    "\"ImagePullBackOff\",\"message\":\"Back-off pulling image \\\"x:1\\\": ErrImagePull: rpc error: code = "
    "NotFound "
    "desc = failed to pull and unpack image \\\"docker.io/library/x:1\\\": not found\"}}}]";

/* A pod that only stands in the API: what of its metadata and status matters, as JSON members. */
static void put(struct scene *scene, const char *name, const char *metadata, const char *spec, const char *status)
{
    char meta[2048], members[4096];
    snprintf(
        meta, sizeof meta,
        ",\"creationTimestamp\":\"2026-01-01T00:00:00Z\",\"labels\":{\"app\":\"vllm\",\"pod-template-hash\":\"0ld\"}%s",
        metadata);
    snprintf(
        members, sizeof members,
        ",\"spec\":{\"containers\":[{\"name\":\"vllm\",\"image\":\"vllm/vllm-openai:v0.11.0\"}]%s},\"status\":{%s}",
        spec, status);
    fake_api_put(api(scene), FAKE_PODS, "llm-d", name, name, meta, members);
}

/* The Deployment "decode" as the API has it after an apply, its controller that far. */
static void put_deployment(struct scene *scene, int observed, int replicas, int updated)
{
    char members[512];
    snprintf(members, sizeof members,
             ",\"spec\":{\"replicas\":1},\"status\":{\"observedGeneration\":%d,\"replicas\":%d,\"updatedReplicas\":%d}",
             observed, replicas, updated);
    fake_api_put(api(scene), FAKE_DEPLOYMENTS, "llm-d", "decode", "d", ",\"generation\":2", members);
}

/* ---- there ---- */

static void test_ready_from_nothing(void **state)
{
    struct scene *scene = *state;
    WAIT(scene, "--for=ready");
    says(scene, "there are no pods");
    add(scene, "decode-a", 2);
    says_ready(scene, "decode-a");
    ends_with(scene, 0);
    says(scene, "1 of 1 pod is ready after ");
    assert_false(directory_is_left(scene));
}

static void test_stages(void **state)
{
    static const char *const GOALS[] = {"--for=running", "--for=api", "--for=loaded", "--for=ready"};
    struct scene *scene = *state;
    add(scene, "decode-a", 3);
    for (size_t i = 0; i < sizeof GOALS / sizeof GOALS[0]; i++) {
        WAIT(scene, GOALS[i]);
        ends_with(scene, 0);
        if (i == 0)
            says_not(scene, "API up");
    }
}

/* Right after an apply the old pods are Ready, and not what is waited for. */
static void test_just_applied(void **state)
{
    struct scene *scene = *state;
    add(scene, "decode-a", 0);
    put_deployment(scene, 1, 1, 1);
    WAIT(scene, "--for=ready", "deploy/decode");
    says(scene, "deploy/decode: its controller has not seen its newest version yet");
    says_ready(scene, "decode-a");
    put_deployment(scene, 2, 1, 0);
    says(scene, "deploy/decode: 0 of 1 pod is of its newest version");
    put_deployment(scene, 2, 2, 1);
    says(scene, "deploy/decode: 1 pod is of an older version");
    assert_false(scene->run.exited);
    put_deployment(scene, 2, 1, 1);
    ends_with(scene, 0);
    says(scene, "deploy/decode: all its pods (1) are of its newest version");
    put_deployment(scene, 1, 1, 1);
    WAIT(scene, "--for=ready", "--any", "deploy/decode", "--timeout=2s");
    ends_with(scene, EXIT_TIMEOUT);
    says(scene,
         "timeout: 1 of 1 pod is ready after 2s; deploy/decode: its controller has not seen its newest version yet");
    fake_api_deny(api(scene), "list deployments");
    WAIT(scene, "--for=ready", "deploy/decode");
    ends_with(scene, 0);
    says(scene, "the right to list it is missing");
}

/* As many as asked for, even if they are still to come. */
static void test_count(void **state)
{
    struct scene *scene = *state;
    add(scene, "decode-a", 0);
    add(scene, "decode-b", -1);
    WAIT(scene, "--for=ready", "--any");
    ends_with(scene, 0);
    says(scene, "1 of 1 pod is ready");
    WAIT(scene, "--for=ready", "--count=2");
    says_ready(scene, "decode-a");
    add(scene, "decode-c", 1);
    ends_with(scene, 0);
    says(scene, "2 of 2 pods are ready");
    WAIT(scene, "--for=ready", "--count=4", "--timeout=3s");
    ends_with(scene, EXIT_TIMEOUT);
    says(scene, "timeout: 2 of 4 pods are ready");
}

static void test_gone(void **state)
{
    struct scene *scene = *state;
    WAIT(scene, "--for=gone");
    ends_with(scene, 0);
    says(scene, "there are no pods");
    struct fake_pod *pod = add(scene, "decode-a", 0);
    WAIT(scene, "--for=gone", "--timeout=2s");
    ends_with(scene, EXIT_TIMEOUT);
    says(scene, "1 pod is still there");
    WAIT(scene, "--for=gone");
    says(scene, "decode-a is ");
    fake_pod_delete(pod);
    ends_with(scene, 0);
    says(scene, "all pods are gone");
    /* And one that is gone is not there any more. */
    pod = add(scene, "decode-b", 0);
    WAIT(scene, "--for=ready", "--count=2");
    says_ready(scene, "decode-b");
    fake_pod_delete(pod);
    says(scene, "decode-b is gone");
    add(scene, "decode-c", 0);
    says_ready(scene, "decode-c");
    add(scene, "decode-d", 0);
    ends_with(scene, 0);
    says_ready(scene, "decode-d");
}

/* What a rollout leaves behind is nobody's to wait for. */
static void test_rollout(void **state)
{
    static const char OLD[] = "\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\"}]";
    static const char EVICTED[] = "\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"low on memory\"";
    static const char OWNED[] = ",\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"name\":"
                                "\"decode-0ld\",\"controller\":true}]";
    struct scene *scene = *state;
    put(scene, "decode-old", ",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"", "", OLD);
    put(scene, "decode-0ld-evicted", OWNED, "", EVICTED);
    put(scene, "decode-0ld-broken", OWNED, ",\"nodeName\":\"n1\"", NO_IMAGE); /* the revision that the rollout mends */
    add(scene, "decode-6d5b8f-new", 1);
    WAIT(scene, "--for=ready");
    ends_with(scene, 0);
    says(scene, "1 of 1 pod is ready");
    WAIT(scene, "--for=running", "--count=2", "--timeout=1s");
    ends_with(scene, EXIT_TIMEOUT);
    says(scene, "1 of 2 pods");
}

/* ---- hopeless ---- */

static void test_crash_loop(void **state)
{
    static const char OOM[] =
        "(EngineCore_DP0 pid=99) ERROR 11-24 06:20:00 [core.py:708] torch.OutOfMemoryError: CUDA out of memory. "
        "Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.25 GiB of which 1.10 GiB is free.";
    struct scene *scene = *state;
    struct fake_pod *pod = add(scene, "decode-a", -1);
    WAIT(scene, "--for=ready", "-o", "json");
    says(scene, "startup: refused");
    fake_api_log(api(scene), "llm-d", "decode-a", "vllm", OOM);
    fake_pod_crash(pod, 1, "Error");
    says(scene, "started the container again (restart 1)");
    assert_false(scene->run.exited); /* the first crash may mend */
    fake_api_log(api(scene), "llm-d", "decode-a", "vllm", OOM);
    fake_pod_crash(pod, 1, "Error");
    ends_with(scene, EXIT_HOPELESS);
    says(scene, "\"result\":\"hopeless\",\"exit\":3");
    says(scene, "\"cause\":\"gpu-oom\"");
    says(scene, "decode-a will not be ready by itself");
    says(scene, "CUDA out of memory");
    says(scene, "  do    kubectl -n llm-d ");
    assert_false(directory_is_left(scene));
}

static void test_startup_kills(void **state)
{
    struct scene *scene = *state;
    fake_pods_add(scene->cluster.pods, &(struct fake_pod_options){.name = "late", .startup = SHORT_START, .loads = -1});
    WAIT(scene, "--for=ready");
    says(scene, "started the container again (restart 1)");
    assert_false(scene->run.exited);
    ends_with(scene, EXIT_HOPELESS);
    says(scene, "late will not be ready by itself");
}

static void test_no_image(void **state)
{
    struct scene *scene = *state;
    add(scene, "decode-a", 0);
    put(scene, "decode-b", "", ",\"nodeName\":\"n1\"", NO_IMAGE);
    WAIT(scene, "--for=ready");
    ends_with(scene, EXIT_HOPELESS);
    says(scene, "decode-b will not be ready by itself");
    says_not(scene, "decode-a will not");
    /* With one pod enough, another's image is nobody's matter. */
    WAIT(scene, "--for=ready", "--any");
    ends_with(scene, 0);
}

/* Without a workload nobody makes another. */
static void test_failed_for_good(void **state)
{
    struct scene *scene = *state;
    put(scene, "bare", "", ",\"restartPolicy\":\"Never\"", "\"phase\":\"Failed\",\"reason\":\"Evicted\"");
    WAIT(scene, "--for=running");
    ends_with(scene, EXIT_HOPELESS);
    says(scene, "bare will not be running by itself");
    WAIT(scene, "--for=gone", "--timeout=1s");
    ends_with(scene, EXIT_TIMEOUT);
}

/* An autoscaler may bring a node. */
static void test_unscheduled_is_not_hopeless(void **state)
{
    static const char STATUS[] =
        "\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\","
        "\"reason\":\"Unschedulable\",\"message\":\"0/3 nodes are available: 3 Insufficient "
        "nvidia.com/gpu. preemption: 0/3 nodes are available\"}]";
    struct scene *scene = *state;
    put(scene, "decode-a", "", "", STATUS);
    WAIT(scene, "--for=ready", "--timeout=3s");
    ends_with(scene, EXIT_TIMEOUT);
    says(scene, "decode-a is Pending, Unschedulable for ");
    says(scene, "nvidia.com/gpu");
}

static void test_denied(void **state)
{
    struct scene *scene = *state;
    fake_api_deny(api(scene), "list pods");
    WAIT(scene, "--for=ready");
    ends_with(scene, EXIT_HOPELESS);
    says(scene, "the right to list pods");
    /* Where only the tunnels are denied the kubelet's word is there. */
    fake_api_deny(api(scene), NULL);
    fake_api_deny(api(scene), "create pods/portforward");
    fake_api_deny(api(scene), "get pods/portforward");
    add(scene, "decode-a", 1);
    WAIT(scene, "--for=ready");
    ends_with(scene, 0);
}

/* ---- neither ---- */

static void test_timeout(void **state)
{
    struct scene *scene = *state;
    WAIT(scene, "--for=ready", "--timeout=1s");
    ends_with(scene, EXIT_TIMEOUT);
    says(scene, "timeout: no pod came within ");
    add(scene, "decode-a", -1);
    WAIT(scene, "--for=ready", "--timeout=3s");
    ends_with(scene, EXIT_TIMEOUT);
    says(scene, "timeout: 0 of 1 pod is ready after ");
    says(scene, "decode-a is Running");
    says(scene, "loading");
}

/* Nothing is decided while nothing is known, and it goes on by itself. */
static void test_api_lost(void **state)
{
    struct scene *scene = *state;
    add(scene, "decode-a", 4);
    WAIT(scene, "--for=ready");
    says(scene, "decode-a is ");
    fake_api_down(api(scene), true);
    says(scene, "the API server cannot be reached");
    assert_false(scene->run.exited);
    fake_api_down(api(scene), false);
    ends_with(scene, 0);
}

static void test_signals(void **state)
{
    static const int SIGNALS[] = {SIGTERM, SIGINT, SIGHUP};
    struct scene *scene = *state;
    add(scene, "decode-a", -1);
    for (size_t i = 0; i < sizeof SIGNALS / sizeof SIGNALS[0]; i++) {
        WAIT(scene, "--for=ready");
        says(scene, "decode-a: startup: refused");
        kill(scene->run.pid, SIGNALS[i]);
        ends_with(scene, 128 + SIGNALS[i]);
        says(scene, "ended by signal");
        assert_false(directory_is_left(scene));
    }
}

/* Nobody can tidy up after that, until the next comes. */
static void test_killed(void **state)
{
    struct scene *scene = *state;
    add(scene, "decode-a", 0);
    WAIT(scene, "--for=gone");
    says(scene, "decode-a is ");
    assert_true(directory_is_left(scene));
    kill(scene->run.pid, SIGKILL);
    assert_true(run_wait_exit(&scene->run));
    assert_true(directory_is_left(scene));
    WAIT(scene, "--for=ready");
    ends_with(scene, 0);
    assert_false(directory_is_left(scene));
}

static void test_cannot_begin(void **state)
{
    struct scene *scene = *state;
    WAIT(scene, "--for=ready", "--report=/nowhere/report.xml");
    ends_with(scene, 2);
    says(scene, "/nowhere/report.xml: ");
    setenv("PATH", scene->cluster.dir, 1);
    WAIT(scene, "--for=ready");
    ends_with(scene, 2);
    says(scene, "kubectl");
}

/* ---- for programs ---- */

static void test_json(void **state)
{
    struct scene *scene = *state;
    struct json *line = NULL;
    bool result = false;
    add(scene, "decode-a", 1);
    WAIT(scene, "--for=ready", "-o", "json");
    ends_with(scene, 0);
    for (const char *at = buf_str(&scene->run.out); *at;) {
        size_t length = strcspn(at, "\n");
        assert_false(result); /* it is the last */
        assert_int_equal(json_parse(at, length, FILE_MAX, &line, NULL), STATUS_OK);
        assert_string_equal(json_string(json_get(line, "schema")), "probetop.wait/v1");
        const char *type = json_string(json_get(line, "type"));
        result = strcmp(type, "result") == 0;
        if (result) {
            const struct json *pod = json_first(json_get(line, "pods"));
            assert_string_equal(json_string(json_get(line, "result")), "there");
            assert_string_equal(json_string(json_get(line, "for")), "ready");
            assert_int_equal(json_int(json_get(line, "exit"), -1), 0);
            assert_int_equal(json_int(json_get(line, "there"), -1), 1);
            assert_string_equal(json_string(json_get(pod, "name")), "decode-a");
            assert_string_equal(json_string(json_get(pod, "workload")), "deploy/decode");
            assert_string_equal(json_string(json_get(pod, "state")), "there");
            assert_true(json_is_array(json_get(pod, "hints")));
        } else if (strcmp(type, "transition") == 0) {
            assert_string_equal(json_string(json_get(line, "pod")), "decode-a");
            assert_non_null(json_string(json_get(line, "words")));
        }
        json_free(line);
        at += length + (at[length] == '\n');
    }
    assert_true(result);
}

static void file_read(const struct scene *scene, const char *name, struct buf *out)
{
    char path[256], bytes[4096];
    snprintf(path, sizeof path, "%s/%s", scene->cluster.dir, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    buf_init(out, FILE_MAX);
    for (size_t got; (got = fread(bytes, 1, sizeof bytes, file)) > 0;)
        buf_append(out, bytes, got);
    fclose(file);
}

static void assert_has(const struct buf *bytes, const char *part)
{
    if (!strstr(buf_str(bytes), part))
        fail_msg("\"%s\" is not in: %s", part, buf_str(bytes));
}

static void test_junit(void **state)
{
    struct scene *scene = *state;
    struct buf xml;
    add(scene, "decode-a", 0);
    add(scene, "decode-b", -1);
    WAIT(scene, "--for=ready", "--timeout=4s", "--report=wait.xml");
    ends_with(scene, EXIT_TIMEOUT);
    file_read(scene, "wait.xml", &xml);
    assert_has(&xml, "<testsuite name=\"probetop wait --for=ready\" tests=\"3\" failures=\"2\" errors=\"0\"");
    assert_has(&xml, "<testcase name=\"decode-a\" classname=\"llm-d.deploy/decode\"");
    assert_has(&xml, "<failure message=\"decode-b is Running");
    assert_has(&xml, " Ready");
    assert_has(&xml, "</testsuites>\n");
    buf_free(&xml);
    /* Stopped in the middle: the report says so. */
    WAIT(scene, "--for=ready", "--report=wait.xml");
    says(scene, "decode-a is ");
    kill(scene->run.pid, SIGTERM);
    ends_with(scene, 128 + SIGTERM);
    file_read(scene, "wait.xml", &xml);
    assert_has(&xml, "<error message=\"ended by signal 15");
    buf_free(&xml);
}

static void test_github(void **state)
{
    static const char EVIL[] = "ERROR ##[add-mask]x ::error::y 100%";
    struct scene *scene = *state;
    add(scene, "decode-a", 1);
    setenv("GITHUB_ACTIONS", "true", 1);
    WAIT(scene, "--for=ready");
    ends_with(scene, 0);
    says(scene, "\n::notice title=probetop wait::1 of 1 pod is ready after ");
    unsetenv("GITHUB_ACTIONS");
    add(scene, "decode-b", -1);
    WAIT(scene, "--for=ready", "--report=github", "--timeout=4s");
    says(scene, "decode-b: startup: refused");
    fake_api_log(api(scene), "llm-d", "decode-b", "vllm", EVIL);
    ends_with(scene, EXIT_TIMEOUT);
    says(scene, "\n::error title=probetop wait::timeout: 1 of 2 pods are ready after ");
    says(scene, "\n::error title=probetop%3A decode-b::decode-b is Running");
    says(scene, "add-mask"); /* it was told, and commands nothing */
    says_not(scene, "##[");
    says_not(scene, "\n::error::y");
}

/* ---- endpoints given by hand ---- */

struct stand_in {
    struct server *server;
    struct vllm vllm;
    struct dice dice;
    struct buf body;
};

static void answer_like_vllm(void *user, const char *path, const char *request, struct answer *answer)
{
    struct stand_in *stand_in = user;
    (void)request;
    vllm_answer(&stand_in->vllm, false, path, 0, 0, &stand_in->dice, &stand_in->body, answer);
}

static void test_url(void **state)
{
    struct scene *scene = *state;
    struct stand_in stand_in = {.vllm = {.face = FACE_SERVING, .model = "m"}};
    struct problem problem = {""};
    char target[96];
    buf_init(&stand_in.body, FILE_MAX);
    assert_int_equal(server_new(&scene->cluster.loop, answer_like_vllm, &stand_in, &stand_in.server, &problem),
                     STATUS_OK);
    snprintf(target, sizeof target, "a=http://127.0.0.1:%d", server_port(stand_in.server));
    /* Nothing listens: gone, and not running. */
    WAIT(scene, "--for=gone", target);
    ends_with(scene, 0);
    WAIT(scene, "--for=running", "--timeout=2s", target);
    ends_with(scene, EXIT_TIMEOUT);
    /* It opens its port while it is waited for. */
    assert_int_equal(server_listen(stand_in.server), STATUS_OK);
    WAIT(scene, "--for=ready", target);
    ends_with(scene, 0);
    says(scene, "a became Ready");
    WAIT(scene, "--for=gone", target);
    says(scene, "a became Ready");
    server_mute(stand_in.server, true);
    ends_with(scene, 0);
    server_free(stand_in.server);
    buf_free(&stand_in.body);
}

int main(void)
{
#define SCENE(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {SCENE(ready_from_nothing),
                                       SCENE(stages),
                                       SCENE(count),
                                       SCENE(gone),
                                       SCENE(just_applied),
                                       SCENE(rollout),
                                       SCENE(crash_loop),
                                       SCENE(startup_kills),
                                       SCENE(no_image),
                                       SCENE(failed_for_good),
                                       SCENE(unscheduled_is_not_hopeless),
                                       SCENE(denied),
                                       SCENE(timeout),
                                       SCENE(api_lost),
                                       SCENE(signals),
                                       SCENE(killed),
                                       SCENE(cannot_begin),
                                       SCENE(json),
                                       SCENE(junit),
                                       SCENE(github),
                                       SCENE(url)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
