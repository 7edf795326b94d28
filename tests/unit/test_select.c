#include "base/mem.h"
#include "kube/select.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct json *parse(const char *text)
{
    struct json *json = NULL;
    struct problem problem;
    assert_int_equal(json_parse(text, strlen(text), 1 << 20, &json, &problem), STATUS_OK);
    return json;
}

static void test_escape(void **state)
{
    static const struct {
        const char *plain, *escaped;
    } ROWS[] = {{"decode-0.x_y~", "decode-0.x_y~"},
                {"app in (a,b),!c", "app%20in%20%28a%2Cb%29%2C%21c"},
                {"a=b&watch=1", "a%3Db%26watch%3D1"},
                {"../secrets", "..%2Fsecrets"},
                {"\xc3\xbc\n#?%", "%C3%BC%0A%23%3F%25"}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct buf out;
        buf_init(&out, 256);
        select_escape(ROWS[i].plain, &out);
        assert_string_equal(buf_str(&out), ROWS[i].escaped);
        buf_free(&out);
    }
}

static void test_query(void **state)
{
    struct kube_target pod = {.kind = TARGET_POD, .name = "vllm-0"},
                       deploy = {.kind = TARGET_DEPLOYMENT, .name = "vllm"};
    struct kube_target two[] = {pod, pod};
    const struct {
        struct kube_options options;
        const char *query;
        bool asked;
    } ROWS[] = {
        {{.via = NULL}, "", false},
        {{.selector = (char *)"app=vllm"}, "labelSelector=app%3Dvllm", true},
        {{.field_selector = (char *)"spec.nodeName=n1"}, "fieldSelector=spec.nodeName%3Dn1", true},
        {{.selector = (char *)"a=b", .field_selector = (char *)"c=d"}, "labelSelector=a%3Db&fieldSelector=c%3Dd", true},
        {{.targets = &pod, .target_count = 1}, "fieldSelector=metadata.name%3Dvllm-0", true},
        {{.targets = two, .target_count = 2}, "", true},
        {{.targets = &deploy, .target_count = 1}, "", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct buf out;
        buf_init(&out, 256);
        select_query(&ROWS[i].options, &out);
        assert_string_equal(buf_str(&out), ROWS[i].query);
        assert_int_equal(select_is_asked(&ROWS[i].options), ROWS[i].asked);
        buf_free(&out);
    }
}

static void test_collection(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 256);
    select_collection("llm-d", "pods", &out);
    assert_string_equal(buf_str(&out), "/api/v1/namespaces/llm-d/pods");
    buf_clear(&out);
    select_collection(NULL, "events", &out);
    assert_string_equal(buf_str(&out), "/api/v1/events");
    buf_free(&out);
}

/* Both APIs' spelling of a selector, and objects that have none. */
static void test_pool(void **state)
{
    static const struct {
        const char *object;
        size_t labels;
    } ROWS[] = {{"{\"spec\":{\"selector\":{\"matchLabels\":{\"app\":\"vllm\",\"tier\":\"gpu\"}}}}", 4},
                {"{\"spec\":{\"selector\":{\"app\":\"vllm\",\"tier\":\"gpu\"}}}", 4},
                {"{\"spec\":{\"selector\":{}}}", 0},
                {"{\"spec\":{\"selector\":\"app=vllm\"}}", 0},
                {"{\"spec\":{\"selector\":{\"matchLabels\":{}}}}", 0},
                {"{}", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct json *object = parse(ROWS[i].object);
        struct pool pool = {.name = "p"};
        assert_int_equal(pool_take(&pool, object), ROWS[i].labels > 0);
        assert_int_equal(pool.label_count, ROWS[i].labels);
        pool_free(&pool);
        json_free(object);
    }
}

static void test_pool_paths(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 256);
    assert_int_equal(pool_path("n/../s", 0, &out), 0);
    assert_string_equal(buf_str(&out), "/apis/inference.networking.k8s.io/v1/namespaces/n%2F..%2Fs/inferencepools");
    buf_clear(&out);
    assert_int_equal(pool_path("ns", 1, &out), 0);
    assert_string_equal(buf_str(&out), "/apis/inference.networking.x-k8s.io/v1alpha2/namespaces/ns/inferencepools");
    assert_int_equal(pool_path("ns", 2, &out), -1);
    buf_free(&out);
}

static void test_has(void **state)
{
    struct kube_target targets[] = {{TARGET_POD, (char *)"a"}, {TARGET_POOL, (char *)"p"}, {TARGET_POOL, (char *)"q"}};
    struct kube_options options = {.targets = targets, .target_count = 3}, none = {.via = NULL};
    char *labels[] = {(char *)"app", (char *)"vllm", (char *)"tier", (char *)"gpu"};
    struct pool pools[] = {{.name = "p", .missing = true}, {.name = "q", .labels = labels, .label_count = 4}};
    static const struct {
        const char *pod;
        bool has;
    } ROWS[] = {{"{\"metadata\":{\"name\":\"a\"}}", true},
                {"{\"metadata\":{\"name\":\"b\"}}", false},
                {"{\"metadata\":{\"name\":\"b\",\"labels\":{\"app\":\"vllm\",\"tier\":\"gpu\",\"x\":\"y\"}}}", true},
                {"{\"metadata\":{\"name\":\"b\",\"labels\":{\"app\":\"vllm\"}}}", false},
                {"{\"metadata\":{\"name\":\"b\",\"labels\":{\"app\":\"vllm\",\"tier\":7}}}", false},
                {"{}", false}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct json *pod = parse(ROWS[i].pod);
        assert_int_equal(select_has(&options, pools, pod), ROWS[i].has);
        assert_true(select_has(&none, NULL, pod));
        json_free(pod);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_escape),     cmocka_unit_test(test_query),
                                       cmocka_unit_test(test_collection), cmocka_unit_test(test_pool),
                                       cmocka_unit_test(test_pool_paths), cmocka_unit_test(test_has)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
