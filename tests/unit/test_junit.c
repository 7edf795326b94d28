/* JUnit XML, literally. */
#include "base/clock.h"
#include "report/junit.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { ROOM = 1 << 16 };
static const int64_t WALL = INT64_C(1760000000) * SECOND_US; /* 2025-10-09T08:53:20Z */

static void whole(void **state)
{
    static const struct junit_case CASES[] = {
        {.name = "decode-0", .class_name = "llm-d.deploy/decode", .took = 350 * (int64_t)SECOND_US, .output = "a\nb\n"},
        {.name = "decode-1",
         .class_name = "llm-d",
         .took = 1500,
         .outcome = JUNIT_FAILED,
         .type = "gpu-oom",
         .message = "GPU memory ran out",
         .detail = "line 1\nline 2"},
        {.name = "decode-2", .class_name = "llm-d", .outcome = JUNIT_SKIPPED, .message = "on its way"},
        {.name = "wait", .class_name = "pods", .outcome = JUNIT_ERROR, .type = "failed", .message = "no"},
    };
    struct junit_suite suite = {.name = "probetop wait --for=ready",
                                .began = WALL,
                                .took = 400250 * MILLISECOND_US,
                                .cases = CASES,
                                .count = 4};
    struct buf out;
    (void)state;
    buf_init(&out, ROOM);
    report_junit(&suite, &out);
    assert_string_equal(buf_str(&out),
                        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                        "<testsuites>\n"
                        "  <testsuite name=\"probetop wait --for=ready\" tests=\"4\" failures=\"1\" errors=\"1\" "
                        "skipped=\"1\" time=\"400.250\" timestamp=\"2025-10-09T08:53:20Z\">\n"
                        "    <testcase name=\"decode-0\" classname=\"llm-d.deploy/decode\" time=\"350.000\">\n"
                        "      <system-out>a\nb\n</system-out>\n"
                        "    </testcase>\n"
                        "    <testcase name=\"decode-1\" classname=\"llm-d\" time=\"0.001\">\n"
                        "      <failure message=\"GPU memory ran out\" type=\"gpu-oom\">line 1\nline 2</failure>\n"
                        "    </testcase>\n"
                        "    <testcase name=\"decode-2\" classname=\"llm-d\" time=\"0.000\">\n"
                        "      <skipped message=\"on its way\"/>\n"
                        "    </testcase>\n"
                        "    <testcase name=\"wait\" classname=\"pods\" time=\"0.000\">\n"
                        "      <error message=\"no\" type=\"failed\"></error>\n"
                        "    </testcase>\n"
                        "  </testsuite>\n"
                        "</testsuites>\n");
    buf_free(&out);
}

/* Whatever a pod is called and its log says, it stays text, and the document stays one that every reader takes. */
static void hostile(void **state)
{
    static const struct {
        const char *words, *escaped;
    } ROWS[] = {
        {"a\"b'c<d>e&f", "a&quot;b&apos;c&lt;d&gt;e&amp;f"},
        {"]]></failure><testcase/>", "]]&gt;&lt;/failure&gt;&lt;testcase/&gt;"},
        {"&#0;&lt;", "&amp;#0;&amp;lt;"},
        {"esc\033[2J bell\a nul\001", "esc?[2J bell? nul?"},
        {"\xFF\xFE broken \xC3", "?? broken ?"},
        {"\xEF\xBF\xBF\xEF\xBF\xBE noncharacters", "?? noncharacters"},
        {"\xE6\xBC\xA2 \xF0\x9F\x94\xA5 e\xCC\x81", "\xE6\xBC\xA2 \xF0\x9F\x94\xA5 e\xCC\x81"},
    };
    struct buf out, wanted;
    (void)state;
    buf_init(&out, ROOM);
    buf_init(&wanted, ROOM);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct junit_case one = {.name = ROWS[i].words, .outcome = JUNIT_FAILED, .detail = ROWS[i].words};
        struct junit_suite suite = {.name = "s", .cases = &one, .count = 1};
        buf_clear(&out);
        report_junit(&suite, &out);
        buf_clear(&wanted);
        buf_printf(&wanted, "<testcase name=\"%s\" classname=\"\"", ROWS[i].escaped);
        assert_non_null(strstr(buf_str(&out), buf_str(&wanted)));
        buf_clear(&wanted);
        buf_printf(&wanted, "<failure message=\"\" type=\"\">%s</failure>", ROWS[i].escaped);
        assert_non_null(strstr(buf_str(&out), buf_str(&wanted)));
    }
    buf_free(&out);
    buf_free(&wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole), cmocka_unit_test(hostile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
