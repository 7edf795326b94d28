/* The table of causes is whole: every row says what it is, how it shows and what to do, and its commands can be filled in. */
#include "model/command.h"
#include "tests/support/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_rows(void **state)
{
    (void)state;
    for (int i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++) {
        enum cause cause = (enum cause)i;
        const struct cause_info *info = cause_info(cause);
        if (!info->label || !info->title || !info->meaning || !info->shows || info->title[0] == '\0')
            fail_msg("row %d is not whole", i);
        if (cause == CAUSE_OWN)
            continue;
        assert_true(info->meaning[0] != '\0' && info->shows[0] != '\0');
        if (!cause_is_healthy(cause) && cause != CAUSE_TUNNEL && (!info->fixes[0] || !info->commands[0]))
            fail_msg("%s has no fix or no command", info->label);
        assert_string_equal(cause_label(cause), info->label);
    }
    assert_string_equal(cause_label(CAUSE_NONE), "");
    assert_string_equal(cause_label((enum cause)1000), "");
    assert_ptr_equal(cause_info((enum cause)1000), cause_info(CAUSE_NONE));
}

static void test_labels(void **state)
{
    (void)state;
    for (int i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++) {
        enum cause cause = CAUSE_NONE;
        assert_true(cause_from_label(cause_label((enum cause)i), &cause));
        assert_int_equal(cause, i);
    }
    enum cause cause = CAUSE_OWN;
    assert_false(cause_from_label("", &cause));
    assert_false(cause_from_label("gpu", &cause));
    assert_int_equal(cause, CAUSE_OWN);
}

/* A title is a line of a list; a template of the table fills in for a pod of which everything is known. */
static void test_templates(void **state)
{
    struct story story;
    struct text filled = {0};
    (void)state;
    story_begin(&story, true, 8000, 8200);
    for (int i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++) {
        const struct cause_info *info = cause_info((enum cause)i);
        assert_true(strlen(info->title) <= 80);
        assert_null(strchr(info->title, '\n'));
        for (int k = 0; k < CAUSE_COMMANDS_MAX && info->commands[k]; k++) {
            if (!command_fill(info->commands[k], story_pod(&story), &filled))
                fail_msg("%s: %s", info->label, info->commands[k]);
            assert_null(strstr(text_str(&filled), "{pod}"));
        }
        for (int k = 0; k < CAUSE_FIXES_MAX && info->fixes[k]; k++)
            assert_true(command_fill(info->fixes[k], story_pod(&story), &filled));
    }
    text_free(&filled);
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_templates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
