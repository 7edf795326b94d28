/* Kubernetes' events as facts: which times count, which container they are about, and that nothing odd in them is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kube/discover.h"

static struct json *json_of(const char *text)
{
    struct json *document;
    struct problem problem = {""};
    char *copy = mem_dup(text);
    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    if (json_parse(copy, strlen(copy), 1 << 20, &document, &problem) != STATUS_OK)
        fail_msg("%s: %s", text, problem.text);
    mem_free(copy);
    return document;
}

#define POD "'involvedObject':{'kind':'Pod','name':'p','uid':'u-1','fieldPath':'spec.containers{vllm}'}"
#define BORN "'metadata':{'uid':'e-1','creationTimestamp':'2026-11-24T06:00:00Z'}"

static const struct clock CLOCK = {.wall_zero = 1795500000 * (int64_t)SECOND_US}; /* 2026-11-24T06:00:00Z */

static void test_event(void **state)
{
    struct fact fact;
    const char *uid;
    (void)state;
    struct json *event = json_of(
        "{" BORN "," POD ",'reason':'Unhealthy','message':'Startup probe failed: dial tcp\\u001b[31m: refused',"
        "'type':'Warning','count':12,'firstTimestamp':'2026-11-24T05:59:00Z','lastTimestamp':'2026-11-24T06:02:05Z',"
        "'eventTime':null,'series':null}");
    assert_true(event_from_json(event, &CLOCK, &fact, &uid));
    assert_string_equal(uid, "u-1");
    assert_int_equal(fact.kind, FACT_EVENT);
    assert_int_equal(fact.t, 125 * (int64_t)SECOND_US);
    assert_int_equal(fact.u.event.first, -60 * (int64_t)SECOND_US);
    assert_int_equal(fact.u.event.last, 125 * (int64_t)SECOND_US);
    assert_int_equal(fact.u.event.count, 12);
    assert_true(fact.u.event.warning);
    assert_true(text_is(&fact.u.event.reason, "Unhealthy"));
    assert_true(text_is(&fact.u.event.message, "Startup probe failed: dial tcp\\x1b[31m: refused"));
    assert_true(text_is(&fact.u.event.container, "vllm"));
    assert_true(text_is(&fact.u.event.uid, "e-1"));
    fact_free(&fact);
    json_free(event);
}

static void test_shapes(void **state)
{
    static const struct {
        const char *event;
        bool is_one;
        int32_t count;
        int64_t first, last; /* seconds */
        const char *container;
    } ROWS[] = {
        {"{" BORN "," POD "}", true, 1, 0, 0, "vllm"},
        {"{" BORN "," POD ",'eventTime':'2026-11-24T06:00:01.500000Z','series':{'count':4,'lastObservedTime':"
         "'2026-11-24T06:00:09.000000Z'}}",
         true, 4, 0, 9, "vllm"},
        {"{" BORN "," POD ",'count':3,'series':{'count':9}}", true, 3, 0, 0, "vllm"},
        {"{" BORN "," POD ",'count':0}", true, 1, 0, 0, "vllm"},
        {"{" BORN "," POD ",'count':-7}", true, 1, 0, 0, "vllm"},
        {"{" BORN "," POD ",'count':1e300}", true, 1, 0, 0, "vllm"},
        {"{" BORN "," POD ",'count':99999999999}", true, INT32_MAX, 0, 0, "vllm"},
        {"{" BORN "," POD ",'count':'x','series':[],'type':7,'reason':{},'message':null}", true, 1, 0, 0, "vllm"},
        {"{" BORN ",'involvedObject':{'kind':'Pod','uid':'u','fieldPath':'spec.initContainers{a}'}}", true, 1, 0, 0,
         "a"},
        {"{" BORN ",'involvedObject':{'kind':'Pod','uid':'u'}}", true, 1, 0, 0, ""},
        {"{" BORN ",'involvedObject':{'kind':'Pod','uid':'u','fieldPath':'}{'}}", true, 1, 0, 0, ""},
        {"{" BORN ",'involvedObject':{'kind':'Pod','uid':7}}", false, 0, 0, 0, ""},
        {"{" BORN ",'involvedObject':{'kind':'Node','uid':'u'}}", false, 0, 0, 0, ""},
        {"{" BORN "}", false, 0, 0, 0, ""},
        {"{" POD ",'lastTimestamp':'yesterday'}", false, 0, 0, 0, ""},
        {"{" POD ",'lastTimestamp':'0001-01-01T00:00:00Z'}", false, 0, 0, 0, ""},
        {"[]", false, 0, 0, 0, ""},
        {"null", false, 0, 0, 0, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct json *event = json_of(ROWS[i].event);
        struct fact fact;
        const char *uid;
        bool is_one = event_from_json(event, &CLOCK, &fact, &uid);
        if (is_one != ROWS[i].is_one)
            fail_msg("%s: %d", ROWS[i].event, is_one);
        if (is_one) {
            if (fact.u.event.count != ROWS[i].count || fact.u.event.first != ROWS[i].first * SECOND_US ||
                fact.u.event.last != ROWS[i].last * SECOND_US || !text_is(&fact.u.event.container, ROWS[i].container)) {
                fail_msg("%s: %d, %lld, %lld, \"%s\"", ROWS[i].event, (int)fact.u.event.count,
                         (long long)fact.u.event.first, (long long)fact.u.event.last,
                         text_str(&fact.u.event.container));
            }
            fact_free(&fact);
        }
        json_free(event);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_event), cmocka_unit_test(test_shapes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
