#include "tunnel/tunnel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int setup(void **state)
{
    *state = direct_new();
    return 0;
}

static int teardown(void **state)
{
    direct_ops.free(*state);
    return 0;
}

static void expect_tcp(struct tunnel *tunnel, uint32_t pod, int32_t container_port, const char *host, int32_t port)
{
    struct http_address address;
    assert_int_equal(direct_ops.address(tunnel, pod, container_port, &address), STATUS_OK);
    assert_string_equal(address.host, host);
    assert_int_equal(address.port, port);
    assert_null(address.unix_path);
    assert_int_equal(direct_ops.word(tunnel, pod, container_port), TUNNEL_UP);
}

static void test_what_it_is(void **state)
{
    (void)state;
    assert_string_equal(direct_ops.name, "direct");
    assert_false(direct_ops.is_stream);
}

static void test_addresses(void **state)
{
    struct tunnel *tunnel = *state;
    struct http_address address;
    assert_int_equal(direct_ops.address(tunnel, 1, 8000, &address), STATUS_NOT_FOUND);
    direct_set(tunnel, 1, 8000, "127.0.0.1", 40001, NULL);
    direct_set(tunnel, 1, 8200, "127.0.0.1", 40002, NULL);
    direct_set(tunnel, 2, 8000, NULL, 0, "/run/vllm.sock");
    expect_tcp(tunnel, 1, 8000, "127.0.0.1", 40001);
    expect_tcp(tunnel, 1, 8200, "127.0.0.1", 40002);
    assert_int_equal(direct_ops.address(tunnel, 2, 8000, &address), STATUS_OK);
    assert_null(address.host);
    assert_string_equal(address.unix_path, "/run/vllm.sock");
    assert_int_equal(direct_ops.address(tunnel, 2, 8200, &address), STATUS_NOT_FOUND);
}

/* Strings given out live until the pod is closed, even when its address has changed since (the sanitizer watches). */
static void test_replacement(void **state)
{
    struct tunnel *tunnel = *state;
    struct http_address old;
    direct_set(tunnel, 1, 8000, "10.0.0.1", 8000, NULL);
    assert_int_equal(direct_ops.address(tunnel, 1, 8000, &old), STATUS_OK);
    direct_set(tunnel, 1, 8000, "10.0.0.1", 8000, NULL); /* the same again */
    direct_set(tunnel, 1, 8000, "10.0.0.2", 8000, NULL);
    direct_set(tunnel, 1, 8000, NULL, 0, "/tmp/s");
    direct_set(tunnel, 1, 8000, "10.0.0.3", 8001, NULL);
    expect_tcp(tunnel, 1, 8000, "10.0.0.3", 8001);
    assert_string_equal(old.host, "10.0.0.1");
}

static void test_close(void **state)
{
    struct tunnel *tunnel = *state;
    struct http_address address;
    for (uint32_t pod = 1; pod <= 100; pod++)
        for (int32_t port = 8000; port < 8003; port++)
            direct_set(tunnel, pod, port, "127.0.0.1", (int32_t)pod, NULL);
    direct_ops.close_pod(tunnel, 50);
    direct_ops.close_pod(tunnel, 50);
    direct_ops.close_pod(tunnel, 1000);
    assert_int_equal(direct_ops.address(tunnel, 50, 8001, &address), STATUS_NOT_FOUND);
    expect_tcp(tunnel, 49, 8001, "127.0.0.1", 49);
    expect_tcp(tunnel, 51, 8002, "127.0.0.1", 51);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replacement, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
