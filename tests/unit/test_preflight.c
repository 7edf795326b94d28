/* core/kube/preflight.c: each namespace is asked once for what will be needed there, no more than a few of them; what is refused is told, what nobody answered is asked again. */
#include "base/clock.h"
#include "base/mem.h"
#include "kube/preflight.h"
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

enum { DEADLINE_MS = 10000, PLACES = 12 };

struct stage {
    uv_loop_t loop;
    struct http *http;
    struct api *api;
    struct kubectl_flags flags;
    struct kube_tunnel *tunnel;
    struct preflight *preflight;
    struct script script;
    char dir[64], path[96], refused[64]; /* refused: what of a target is not permitted */
    int status;                          /* of all that is permitted, and its body */
    const char *body;
    int logs, proxies, forwards;
    int denied[RIGHT_COUNT];
    char words[256];
    bool stopped;
};

static void on_asked(void *user, struct script_connection *connection, const char *target)
{
    struct stage *stage = user;
    stage->logs += strstr(target, "/log?") != NULL;
    stage->proxies += strstr(target, "/proxy/") != NULL;
    stage->forwards += strstr(target, "/portforward") != NULL;
    bool refused = stage->refused[0] && strstr(target, stage->refused);
    script_answer(connection, refused ? 403 : stage->status,
                  refused ? "{\"kind\":\"Status\",\"message\":\"pods is forbidden: no\",\"code\":403}" : stage->body);
}

static void on_denied(void *user, enum right right, const char *words)
{
    struct stage *stage = user;
    stage->denied[right]++;
    snprintf(stage->words, sizeof stage->words, "%s", words);
}

static void on_word(void *user, uint32_t pod, enum tunnel_word word, int64_t round_trip, const char *detail)
{
    struct stage *stage = user;
    (void)round_trip;
    assert_true(preflight_word(stage->preflight, pod, word, detail));
}

static void stage_make(struct stage *stage, enum via via, const char *pod)
{
    memset(stage, 0, sizeof *stage);
    uv_loop_init(&stage->loop);
    snprintf(stage->dir, sizeof stage->dir, "/tmp/pt-pre-XXXXXX");
    assert_non_null(mkdtemp(stage->dir));
    snprintf(stage->path, sizeof stage->path, "%s/k.sock", stage->dir);
    stage->status = 404;
    stage->body = "{\"kind\":\"Status\",\"message\":\"there is no such pod\",\"reason\":\"NotFound\"}";
    assert_true(script_listen(&stage->script, &stage->loop, stage->path, on_asked, stage));
    stage->http = http_new(&stage->loop, "test");
    stage->api = api_new(stage->http, stage->path);
    stage->tunnel = kube_tunnel_new(&(struct kube_tunnel_options){
        .loop = &stage->loop, .via = via, .dir = stage->dir, .kubectl = "/bin/false", .flags = &stage->flags});
    kube_tunnel_on_word(stage->tunnel, on_word, stage);
    kube_tunnel_proxy(stage->tunnel, stage->path, true);
    stage->preflight = preflight_new(&(struct preflight_options){.loop = &stage->loop,
                                                                 .api = stage->api,
                                                                 .tunnel = stage->tunnel,
                                                                 .pod = pod,
                                                                 .via = via,
                                                                 .denied = on_denied,
                                                                 .user = stage});
}

static void on_stopped(void *user)
{
    struct stage *stage = user;
    stage->stopped = true;
}

static void stage_end(struct stage *stage)
{
    preflight_free(stage->preflight);
    api_free(stage->api);
    http_free(stage->http);
    kube_tunnel_stop(stage->tunnel, on_stopped, stage);
    for (int64_t end = clock_mono_us() + DEADLINE_MS * (int64_t)MILLISECOND_US;
         !stage->stopped && clock_mono_us() < end; usleep(200))
        uv_run(&stage->loop, UV_RUN_NOWAIT);
    assert_true(stage->stopped);
    kube_tunnel_ops.free((struct tunnel *)stage->tunnel);
    script_stop(&stage->script);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    unlink(stage->path);
    assert_int_equal(rmdir(stage->dir), 0);
    assert_int_equal(uv_loop_close(&stage->loop), 0);
}

static void run_for(struct stage *stage, int64_t us)
{
    for (int64_t until = clock_mono_us() + us; clock_mono_us() < until; usleep(200))
        uv_run(&stage->loop, UV_RUN_NOWAIT);
}

#define UNTIL(stage, condition) LOOP_UNTIL(&(stage)->loop, condition)

static void test_once_each(void **state)
{
    struct stage stage;
    char ns[16];
    (void)state;
    stage_make(&stage, VIA_PODPROXY, NULL);
    for (int i = 0; i < 3 * PLACES; i++) {
        snprintf(ns, sizeof ns, "team-%d", i % PLACES);
        preflight_look(stage.preflight, ns);
        run_for(&stage, 1000);
    }
    UNTIL(&stage, stage.logs == PREFLIGHT_PLACES && stage.proxies == PREFLIGHT_PLACES);
    preflight_go(stage.preflight); /* all is known */
    run_for(&stage, 50000);
    assert_int_equal(stage.logs, PREFLIGHT_PLACES);
    assert_int_equal(stage.proxies, PREFLIGHT_PLACES);
    assert_int_equal(stage.denied[RIGHT_LOGS] + stage.denied[RIGHT_PODPROXY], 0);
    assert_non_null(strstr(stage.script.last, "probetop-asks-what-it-may"));
    stage_end(&stage);
}

static void test_refused(void **state)
{
    static const struct {
        enum via via;
        const char *refused;
        enum right right;
    } rows[] = {{VIA_KUBECTL, "/team-b/pods/web/log", RIGHT_LOGS},
                {VIA_PODPROXY, "/team-b/pods/probetop-asks-what-it-may:1/proxy/", RIGHT_PODPROXY},
                {VIA_PORTFORWARD, "/team-b/pods/web/portforward", RIGHT_FORWARD}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stage stage;
        stage_make(&stage, rows[i].via, "web");
        snprintf(stage.refused, sizeof stage.refused, "%s", rows[i].refused);
        preflight_look(stage.preflight, "team-a");
        preflight_look(stage.preflight, "team-b");
        UNTIL(&stage, stage.denied[rows[i].right] == 1);
        assert_string_equal(stage.words, "pods is forbidden: no");
        run_for(&stage, 50000);
        for (enum right right = 0; right < RIGHT_COUNT; right++)
            assert_int_equal(stage.denied[right], right == rows[i].right);
        stage_end(&stage);
    }
}

/* An API server that is away, or does not take the credentials, has not said anything about rights. */
static void test_asked_again(void **state)
{
    static const struct {
        int status;
        const char *body;
    } rows[] = {{401, "{\"kind\":\"Status\",\"message\":\"Unauthorized\",\"code\":401}"},
                {502, "dial tcp 10.0.0.1:6443: connect: connection refused"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stage stage;
        stage_make(&stage, VIA_KUBECTL, NULL);
        stage.status = rows[i].status;
        stage.body = rows[i].body;
        preflight_look(stage.preflight, "team-a");
        UNTIL(&stage, stage.logs == 1);
        run_for(&stage, 20000);
        snprintf(stage.refused, sizeof stage.refused, "%s", "/log");
        preflight_go(stage.preflight);
        UNTIL(&stage, stage.denied[RIGHT_LOGS] == 1);
        assert_int_equal(stage.logs, 2);
        stage_end(&stage);
    }
}

static void test_words_of_other_pods(void **state)
{
    struct stage stage;
    (void)state;
    stage_make(&stage, VIA_PORTFORWARD, NULL);
    assert_false(preflight_word(stage.preflight, 7, TUNNEL_FORBIDDEN, ""));
    assert_false(preflight_word(stage.preflight, PREFLIGHT_PODS, TUNNEL_FORBIDDEN, "")); /* no place is looked at */
    assert_int_equal(stage.denied[RIGHT_FORWARD], 0);
    stage_end(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_once_each), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_asked_again), cmocka_unit_test(test_words_of_other_pods)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
