#include "model/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void table(void **state)
{
    (void)state;
    assert_string_equal(stage_word(STAGE_LOADED), "Model loaded");
    assert_string_equal(stage_glyph(STAGE_READY, true), "*");
    assert_string_equal(stage_glyph(STAGE_READY, false), "●");
    assert_string_equal(stage_cell(STAGE_READY, true), "#");
    assert_string_equal(stage_cell(STAGE_DEGRADED, false), "▚");
    for (int i = 0; i < STAGE_COUNT; i++) {
        enum stage stage = (enum stage)i;
        assert_int_equal(strlen(stage_glyph(stage, true)), 1);
        assert_int_equal(strlen(stage_cell(stage, true)), 1);
        assert_int_equal(text_columns(stage_glyph(stage, false), strlen(stage_glyph(stage, false))), 1);
        assert_true(stage_help(stage)[0] != '\0');
        assert_true(stage_rank(stage) <= stage_rank(STAGE_DEGRADED)); /* nothing needs a look more */
    }
    assert_string_equal(stage_word(STAGE_COUNT), "Unknown");
}

static void entering(void **state)
{
    (void)state;
    struct spans spans = {0};
    assert_null(spans_now(&spans));
    assert_true(spans_enter(&spans, STAGE_RUNNING, 10, 1, false, "started"));
    assert_false(spans_enter(&spans, STAGE_RUNNING, 20, 1, false, "still"));
    assert_string_equal(text_str(&spans_now(&spans)->why), "started");
    assert_true(spans_enter(&spans, STAGE_READY, 30, 1, false, "ready"));
    assert_int_equal(spans.count, 2);
    assert_int_equal(spans.list[0].ended, 30);
    assert_int_equal(spans_now(&spans)->ended, -1);
    /* the same stage again, but of another container run */
    assert_true(spans_enter(&spans, STAGE_READY, 40, 2, true, "restarted"));
    assert_int_equal(spans.count, 3);
    assert_true(spans_now(&spans)->restart);
    assert_int_equal(spans_now(&spans)->run, 2);
    /* zero length: replaced, and the restart is not forgotten */
    assert_true(spans_enter(&spans, STAGE_RUNNING, 40, 2, false, "runs"));
    assert_int_equal(spans.count, 3);
    assert_true(spans_now(&spans)->restart);
    assert_int_equal(spans_now(&spans)->stage, STAGE_RUNNING);
    /* a flicker of zero length leaves nothing behind */
    assert_true(spans_enter(&spans, STAGE_READY, 50, 2, false, ""));
    assert_true(spans_enter(&spans, STAGE_DEGRADED, 60, 2, false, ""));
    assert_true(spans_enter(&spans, STAGE_READY, 60, 2, false, ""));
    assert_int_equal(spans.count, 4);
    assert_int_equal(spans_now(&spans)->began, 50);
    assert_int_equal(spans_now(&spans)->ended, -1);
    spans_free(&spans);
    assert_int_equal(spans.count, 0);
}

static void bounded(void **state)
{
    (void)state;
    struct spans spans = {0};
    for (int i = 0; i < 1000; i++)
        spans_enter(&spans, i % 2 ? STAGE_READY : STAGE_DEGRADED, i + 1, 1, false, "flaps");
    assert_int_equal(spans.count, SPANS_MAX);
    assert_int_equal(spans.forgotten, 1000 - SPANS_MAX);
    for (uint32_t i = 1; i < spans.count; i++)
        assert_int_equal(spans.list[i].began, spans.list[i - 1].ended);
    spans_free(&spans);
}

static void cells(void **state)
{
    (void)state;
    struct spans spans = {0};
    enum stage stage = STAGE_COUNT;
    bool restart;
    assert_false(spans_cell(&spans, 0, 100, &stage, &restart));
    spans_enter(&spans, STAGE_RUNNING, 100, 1, false, "");
    spans_enter(&spans, STAGE_READY, 200, 1, false, "");
    spans_enter(&spans, STAGE_DEGRADED, 305, 1, false, "");
    spans_enter(&spans, STAGE_READY, 306, 1, false, "");
    spans_enter(&spans, STAGE_RUNNING, 400, 2, true, "");
    static const struct {
        int64_t from, to;
        bool found;
        enum stage stage;
        bool restart;
    } rows[] = {
        {0, 100, false, STAGE_UNKNOWN, false},  {90, 101, true, STAGE_RUNNING, false},
        {150, 200, true, STAGE_RUNNING, false}, {150, 201, true, STAGE_RUNNING, false},
        {200, 300, true, STAGE_READY, false},   {300, 310, true, STAGE_DEGRADED, false}, /* short, but it shows */
        {306, 310, true, STAGE_READY, false},   {390, 410, true, STAGE_RUNNING, true},
        {410, 420, true, STAGE_RUNNING, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(spans_cell(&spans, rows[i].from, rows[i].to, &stage, &restart), rows[i].found);
        assert_int_equal(restart, rows[i].restart);
        if (rows[i].found)
            assert_int_equal(stage, rows[i].stage);
    }
    spans_free(&spans);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(entering), cmocka_unit_test(bounded),
                                       cmocka_unit_test(cells)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
