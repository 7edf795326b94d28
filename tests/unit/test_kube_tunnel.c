/* core/tunnel/kube_tunnel.c: which address a pod's port has by which way, when there is one, and what is left when all is over. The native sessions themselves are test_portforward's. */
#include "base/clock.h"
#include "base/mem.h"
#include "tunnel/kube_tunnel.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { DEADLINE_S = 10 };

struct world {
    uv_loop_t loop;
    char dir[32], proxy[64];
    struct kubectl_flags flags;
    struct kube_tunnel *made;
    struct tunnel *tunnel;
    enum tunnel_word word;
    uint32_t pod;
    int words;
    bool stopped;
};

static void on_word(void *user, uint32_t pod, enum tunnel_word word, int64_t round_trip, const char *detail)
{
    struct world *world = user;
    (void)round_trip;
    assert_non_null(detail);
    world->word = word;
    world->pod = pod;
    world->words++;
}

static void world_begin(struct world *world, enum via via)
{
    memset(world, 0, sizeof *world);
    uv_loop_init(&world->loop);
    snprintf(world->dir, sizeof world->dir, "/tmp/pt-kt-XXXXXX");
    assert_non_null(mkdtemp(world->dir));
    snprintf(world->proxy, sizeof world->proxy, "%s/k.sock", world->dir);
    world->made = kube_tunnel_new(&(struct kube_tunnel_options){
        .loop = &world->loop, .via = via, .dir = world->dir, .kubectl = "/bin/false", .flags = &world->flags});
    world->tunnel = (struct tunnel *)world->made;
    kube_tunnel_on_word(world->made, on_word, world);
}

static void on_stopped(void *user)
{
    *(bool *)user = true;
}

/* Nothing is left on the loop and in the directory. */
static void world_end(struct world *world)
{
    kube_tunnel_stop(world->made, on_stopped, &world->stopped);
    int64_t deadline = clock_mono_us() + (int64_t)DEADLINE_S * SECOND_US;
    while (!world->stopped && clock_mono_us() < deadline)
        uv_run(&world->loop, UV_RUN_NOWAIT);
    assert_true(world->stopped);
    kube_tunnel_ops.free(world->tunnel);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    assert_int_equal(rmdir(world->dir), 0);
}

static enum status address(struct world *world, uint32_t pod, int32_t port, struct http_address *out)
{
    memset(out, 0, sizeof *out);
    return kube_tunnel_ops.address(world->tunnel, pod, port, out);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = {"auto", "portforward", "kubectl", "podproxy", "direct"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        enum via via;
        assert_true(via_from_name(names[i], &via));
        assert_string_equal(via_name(via), names[i]);
    }
    enum via via;
    assert_false(via_from_name("ssh", &via));
}

static void test_direct(void **state)
{
    struct world world;
    struct http_address first, second;
    (void)state;
    world_begin(&world, VIA_DIRECT);
    assert_int_equal(address(&world, 7, 8000, &first), STATUS_AGAIN); /* nobody has told of it */
    kube_tunnel_pod(world.made, 7, "ns", "web", "u1", "", false);
    assert_int_equal(address(&world, 7, 8000, &first), STATUS_AGAIN); /* not running */
    kube_tunnel_pod(world.made, 7, "ns", "web", "u1", "10.0.0.7", true);
    assert_int_equal(world.word, TUNNEL_UP);
    assert_int_equal(address(&world, 7, 8000, &first), STATUS_OK);
    assert_string_equal(first.host, "10.0.0.7");
    assert_int_equal(first.port, 8000);
    assert_false(kube_tunnel_ops.streams(world.tunnel, 7));
    assert_int_equal(kube_tunnel_ops.word(world.tunnel, 7, 8000), TUNNEL_UP);
    assert_string_equal(kube_tunnel_via(world.made, 7), "direct");
    /* another pod in its place; who asked before still holds the old address */
    kube_tunnel_pod(world.made, 7, "ns", "web", "u2", "10.0.0.8", true);
    assert_int_equal(address(&world, 7, 8000, &second), STATUS_OK);
    assert_string_equal(second.host, "10.0.0.8");
    assert_string_equal(first.host, "10.0.0.7");
    kube_tunnel_ops.close_pod(world.tunnel, 7);
    assert_int_equal(address(&world, 7, 8000, &first), STATUS_AGAIN);
    world_end(&world);
}

static void test_podproxy(void **state)
{
    struct world world;
    struct http_address found;
    (void)state;
    world_begin(&world, VIA_PODPROXY);
    kube_tunnel_pod(world.made, 1, "ns", "web", "u1", "10.0.0.7", true);
    assert_int_equal(world.words, 0);
    assert_int_equal(address(&world, 1, 8000, &found), STATUS_AGAIN); /* no proxy yet */
    kube_tunnel_proxy(world.made, world.proxy, true);
    assert_int_equal(world.word, TUNNEL_UP);
    assert_int_equal(address(&world, 1, 8000, &found), STATUS_OK);
    assert_string_equal(found.unix_path, world.proxy);
    assert_string_equal(found.prefix, "/api/v1/namespaces/ns/pods/web:8000/proxy");
    assert_string_equal(found.prefix_https, "/api/v1/namespaces/ns/pods/https:web:8000/proxy");
    kube_tunnel_proxy(world.made, world.proxy, false);
    assert_int_equal(world.word, TUNNEL_API_LOST);
    assert_int_equal(kube_tunnel_ops.word(world.tunnel, 1, 8000), TUNNEL_API_LOST);
    assert_int_equal(address(&world, 1, 8000, &found), STATUS_AGAIN);
    world_end(&world);
}

static void on_wait(void *user)
{
    ++*(int *)user;
}

/* By a way that cannot tell a silent API server from a silent pod, the server's silence is told by somebody else: nothing is sent, and nothing is the pod's. */
static void test_silence(void **state)
{
    struct world world;
    struct http_address found;
    int waits = 0;
    (void)state;
    world_begin(&world, VIA_PODPROXY);
    kube_tunnel_on_wait(world.made, on_wait, &waits);
    kube_tunnel_pod(world.made, 1, "ns", "web", "u1", "10.0.0.7", true);
    kube_tunnel_proxy(world.made, world.proxy, true);
    assert_int_equal(address(&world, 1, 8000, &found), STATUS_OK);
    assert_int_equal(found.close_late, 0);
    assert_int_equal(waits, 1);
    kube_tunnel_silent(world.made, true);
    assert_int_equal(world.word, TUNNEL_API_LOST);
    assert_int_equal(kube_tunnel_ops.word(world.tunnel, 1, 8000), TUNNEL_API_LOST);
    assert_int_equal(address(&world, 1, 8000, &found), STATUS_AGAIN);
    kube_tunnel_silent(world.made, false);
    assert_int_equal(world.word, TUNNEL_UP);
    assert_int_equal(kube_tunnel_ops.word(world.tunnel, 1, 8000), TUNNEL_UP);
    assert_int_equal(address(&world, 1, 8000, &found), STATUS_OK);
    assert_int_equal(waits, 2);
    world_end(&world);
    /* its own sessions measure the way themselves */
    waits = 0;
    world_begin(&world, VIA_PORTFORWARD);
    kube_tunnel_on_wait(world.made, on_wait, &waits);
    kube_tunnel_pod(world.made, 1, "ns", "web", "u1", "10.0.0.7", true);
    address(&world, 1, 8000, &found);
    kube_tunnel_silent(world.made, true);
    assert_int_equal(kube_tunnel_ops.word(world.tunnel, 1, 8000), TUNNEL_STARTING);
    assert_int_equal(waits, 0);
    world_end(&world);
    world_begin(&world, VIA_KUBECTL);
    kube_tunnel_on_wait(world.made, on_wait, &waits);
    kube_tunnel_pod(world.made, 1, "ns", "web", "u1", "10.0.0.7", true);
    address(&world, 1, 8000, &found);
    assert_int_equal(waits, 1);
    kube_tunnel_silent(world.made, true);
    assert_int_equal(kube_tunnel_ops.word(world.tunnel, 1, 8000), TUNNEL_API_LOST);
    world_end(&world);
}

/* There is a socket for each port that was asked for, in the private directory, and none before; nothing is tried for a pod that does not run. */
static void test_native(void **state)
{
    struct world world;
    struct http_address found;
    char path[64];
    (void)state;
    world_begin(&world, VIA_AUTO);
    kube_tunnel_pod(world.made, 3, "ns", "web", "u1", "", false);
    assert_string_equal(kube_tunnel_via(world.made, 3), "portforward");
    assert_int_equal(address(&world, 3, 8000, &found), STATUS_AGAIN);
    snprintf(path, sizeof path, "%s/3.8000", world.dir);
    assert_int_not_equal(access(path, F_OK), 0);
    kube_tunnel_pod(world.made, 3, "ns", "web", "u1", "10.0.0.7", true);
    assert_int_equal(address(&world, 3, 8000, &found), STATUS_AGAIN); /* no proxy yet */
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(kube_tunnel_ops.word(world.tunnel, 3, 8000), TUNNEL_STARTING);
    assert_true(kube_tunnel_ops.streams(world.tunnel, 3));
    /* a proxy that is not there after all */
    kube_tunnel_proxy(world.made, world.proxy, true);
    int64_t deadline = clock_mono_us() + (int64_t)DEADLINE_S * SECOND_US;
    while (world.word != TUNNEL_API_LOST && clock_mono_us() < deadline)
        uv_run(&world.loop, UV_RUN_NOWAIT);
    assert_int_equal(world.word, TUNNEL_API_LOST);
    assert_int_equal(world.pod, 3);
    assert_int_equal(kube_tunnel_ops.word(world.tunnel, 3, 8000), TUNNEL_API_LOST);
    assert_int_equal(address(&world, 3, 8000, &found), STATUS_AGAIN);
    kube_tunnel_ops.close_pod(world.tunnel, 3);
    assert_int_not_equal(access(path, F_OK), 0);
    world_end(&world);
}

/* kubectl that cannot even be run to the end is a fault of ours, never the pod's. */
static void test_kubectl_fails(void **state)
{
    struct world world;
    struct http_address found;
    (void)state;
    world_begin(&world, VIA_KUBECTL);
    kube_tunnel_pod(world.made, 1, "ns", "web", "u1", "10.0.0.7", true);
    assert_int_equal(address(&world, 1, 8000, &found), STATUS_AGAIN);
    int64_t deadline = clock_mono_us() + (int64_t)DEADLINE_S * SECOND_US;
    while (world.words == 0 && clock_mono_us() < deadline)
        uv_run(&world.loop, UV_RUN_NOWAIT);
    assert_int_equal(world.word, TUNNEL_BACKOFF);
    assert_int_equal(kube_tunnel_ops.word(world.tunnel, 1, 8000), TUNNEL_BACKOFF);
    assert_int_equal(address(&world, 1, 8000, &found), STATUS_AGAIN);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),  cmocka_unit_test(test_direct),  cmocka_unit_test(test_podproxy),
        cmocka_unit_test(test_native), cmocka_unit_test(test_silence), cmocka_unit_test(test_kubectl_fails),
    };
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
