/* core/kube/nodes.c: a node is asked by one byte of a pod's log, seldom; what each answer says of it, and what no answer does. */
#include "base/clock.h"
#include "base/mem.h"
#include "kube/nodes.h"
#include "tests/support/loop.h"
#include "tests/support/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEADLINE_MS = 10000, TEXT_MAX = 1024, MANY_NODES = 300 };

struct stage {
    uv_loop_t loop;
    struct http *http;
    struct api *api;
    struct nodes *nodes;
    struct script script;
    struct pod_facts pod, other; /* on two nodes */
    char dir[64], path[96], target[256];
    const char *body;
    int status, asked, settled;
    bool hangs;
};

static void on_asked(void *user, struct script_connection *connection, const char *target)
{
    struct stage *stage = user;
    stage->asked++;
    snprintf(stage->target, sizeof stage->target, "%s", target);
    if (!stage->hangs)
        script_answer(connection, stage->status, stage->body);
}

static void on_settled(void *user)
{
    struct stage *stage = user;
    stage->settled++;
}

static void pod_make(struct pod_facts *pod, const char *name, const char *node)
{
    text_set_str(&pod->ns, "llm-d", TEXT_NAME);
    text_set_str(&pod->name, name, TEXT_NAME);
    text_set_str(&pod->node, node, TEXT_NAME);
    text_set_str(&pod->serving.name, "vllm", TEXT_NAME);
}

static int setup(void **state)
{
    struct stage *stage = mem_new(sizeof *stage);
    uv_loop_init(&stage->loop);
    snprintf(stage->dir, sizeof stage->dir, "/tmp/pt-nodes-XXXXXX");
    assert_non_null(mkdtemp(stage->dir));
    snprintf(stage->path, sizeof stage->path, "%s/k.sock", stage->dir);
    stage->status = 200;
    stage->body = "p";
    assert_true(script_listen(&stage->script, &stage->loop, stage->path, on_asked, stage));
    stage->http = http_new(&stage->loop, "test");
    stage->api = api_new(stage->http, stage->path);
    stage->nodes = nodes_new(&stage->loop, stage->api, on_settled, stage);
    pod_make(&stage->pod, "decode-a", "n1");
    pod_make(&stage->other, "decode-b", "n2");
    *state = stage;
    return 0;
}

static int teardown(void **state)
{
    struct stage *stage = *state;
    nodes_free(stage->nodes);
    api_free(stage->api);
    http_free(stage->http);
    script_stop(&stage->script);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    pod_facts_free(&stage->pod);
    pod_facts_free(&stage->other);
    unlink(stage->path);
    rmdir(stage->dir);
    int left = uv_loop_close(&stage->loop);
    mem_free(stage);
    return left;
}

/* Until more is known, as a probe waits for it. */
static enum pulse_word await(struct stage *stage, const struct pod_facts *pod, int64_t since)
{
    int64_t deadline = clock_mono_us() + DEADLINE_MS * (int64_t)MILLISECOND_US;
    enum pulse_word word = nodes_ask(stage->nodes, pod, since);
    while (word == PULSE_UNKNOWN && clock_mono_us() < deadline) {
        int before = stage->settled;
        while (stage->settled == before && clock_mono_us() < deadline) {
            uv_run(&stage->loop, UV_RUN_NOWAIT);
            usleep(200);
        }
        word = nodes_ask(stage->nodes, pod, since);
    }
    return word;
}

static const char *why(struct stage *stage, struct buf *out)
{
    buf_init(out, TEXT_MAX);
    nodes_why(stage->nodes, &stage->pod, out);
    return buf_str(out);
}

#define STATUS(code, message)                                                                                          \
    code, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"" message "\",\"code\":0}"

static void test_answers(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum pulse_word word;
    } rows[] = {
        {200, "", PULSE_ANSWERS}, /* a container that has said nothing */
        {200, "p", PULSE_ANSWERS},
        {STATUS(400, "container \\\"vllm\\\" in pod \\\"decode-a\\\" is waiting to start"), PULSE_ANSWERS},
        {STATUS(401, "Unauthorized"), PULSE_ANSWERS},
        {STATUS(403, "pods \\\"decode-a\\\" is forbidden: User \\\"viewer\\\" cannot get resource \\\"pods/log\\\""),
         PULSE_ANSWERS},
        {STATUS(404, "pods \\\"decode-a\\\" not found"), PULSE_ANSWERS},
        {STATUS(500, "Get \\\"https://10.0.0.7:10250/containerLogs/llm-d/decode-a/vllm\\\": dial tcp 10.0.0.7:10250: "
                     "connect: connection refused"),
         PULSE_SILENT},
        {STATUS(500, "Get \\\"https://10.0.0.7:10250/containerLogs/llm-d/decode-a/vllm\\\": dial tcp 10.0.0.7:10250: "
                     "i/o timeout"),
         PULSE_SILENT},
        {STATUS(500, "error dialing backend: No agent available"), PULSE_SILENT},
        {STATUS(500, "No agent available"), PULSE_SILENT},
        {502, "dial tcp 10.0.0.1:6443: connect: connection refused", PULSE_SILENT}, /* kubectl proxy's own words */
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        stage->status = rows[i].status;
        stage->body = rows[i].body;
        print_message("%d %s\n", rows[i].status, rows[i].body);
        assert_int_equal(await(stage, &stage->pod, clock_mono_us()), rows[i].word);
        assert_string_equal(stage->target,
                            "/api/v1/namespaces/llm-d/pods/decode-a/log?container=vllm&tailLines=1&limitBytes=1");
        stage->status = 200; /* a silent one is asked again by itself */
        LOOP_UNTIL(&stage->loop, !nodes_was_silent(stage->nodes, &stage->pod, clock_mono_us()));
        assert_int_equal(await(stage, &stage->pod, clock_mono_us()), PULSE_ANSWERS);
    }
}

static void test_silent_and_back(void **state)
{
    struct stage *stage = *state;
    struct buf words;
    int64_t sent = clock_mono_us();
    stage->hangs = true;
    assert_int_equal(await(stage, &stage->pod, sent), PULSE_SILENT);
    assert_string_equal(why(stage, &words), "node n1 does not answer the API server");
    buf_free(&words);
    for (int i = 0; i < 100; i++)
        assert_int_equal(nodes_ask(stage->nodes, &stage->pod, clock_mono_us()), PULSE_SILENT);
    assert_int_equal(stage->asked, 1);
    stage->hangs = false;
    assert_int_equal(await(stage, &stage->other, clock_mono_us()), PULSE_ANSWERS); /* another node is another matter */
    LOOP_UNTIL(&stage->loop, !nodes_was_silent(stage->nodes, &stage->pod, clock_mono_us()));
    /* Of what was sent before or meanwhile it is still not known what became. */
    assert_int_equal(nodes_ask(stage->nodes, &stage->pod, sent), PULSE_SILENT);
    assert_int_equal(await(stage, &stage->pod, clock_mono_us()), PULSE_ANSWERS);
}

static void test_words_of_why(void **state)
{
    static const struct {
        const char *message, *why;
    } rows[] = {{"error dialing backend: No agent available", "(error dialing backend: No agent available)"},
                {"Get \\\"https://10.0.0.7:10250/containerLogs/x\\\": dial tcp 10.0.0.7:10250: i/o timeout",
                 "(dial tcp 10.0.0.7:10250: i/o timeout)"}};
    struct stage *stage = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf words;
        char body[256], wanted[256];
        snprintf(body, sizeof body, "{\"kind\":\"Status\",\"message\":\"%s\"}", rows[i].message);
        snprintf(wanted, sizeof wanted, "node n1 does not answer the API server %s", rows[i].why);
        stage->status = 500;
        stage->body = body;
        assert_int_equal(await(stage, &stage->pod, clock_mono_us()), PULSE_SILENT);
        assert_string_equal(why(stage, &words), wanted);
        buf_free(&words);
        stage->status = 200;
        stage->body = "p";
        LOOP_UNTIL(&stage->loop, !nodes_was_silent(stage->nodes, &stage->pod, clock_mono_us()));
    }
}

/* However many pods are silent there: one question serves all probes that were sent before it, and there is one a second. */
static void test_seldom(void **state)
{
    struct stage *stage = *state;
    int64_t began = clock_mono_us();
    assert_int_equal(await(stage, &stage->pod, began), PULSE_ANSWERS);
    assert_int_equal(await(stage, &stage->pod, began - SECOND_US), PULSE_ANSWERS);
    assert_int_equal(stage->asked, 1);
    while (clock_mono_us() - began < 2 * (int64_t)SECOND_US) {
        nodes_ask(stage->nodes, &stage->pod, clock_mono_us());
        uv_run(&stage->loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    assert_in_range(stage->asked, 2, 4);
}

static void test_bounded(void **state)
{
    struct stage *stage = *state;
    struct pod_facts pod = {0};
    char node[32];
    stage->hangs = true;
    for (int i = 0; i < MANY_NODES; i++) {
        snprintf(node, sizeof node, "node-%d", i);
        pod_make(&pod, "decode", node);
        assert_int_equal(nodes_ask(stage->nodes, &pod, clock_mono_us()), PULSE_UNKNOWN);
        uv_run(&stage->loop, UV_RUN_NOWAIT);
    }
    pod_facts_free(&pod); /* teardown frees the rest amid its questions */
}

int main(void)
{
#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {ON_STAGE(test_answers), ON_STAGE(test_silent_and_back),
                                       ON_STAGE(test_words_of_why), ON_STAGE(test_seldom), ON_STAGE(test_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
