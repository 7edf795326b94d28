/* Status codes and the sentences that go with failures. */
#include "base/status.h"

#include "base/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_every_status_has_a_sentence(void **state)
{
    (void)state;
    static const enum status all[] = {
#define X(code, sentence) code,
        STATUS_TABLE(X)
#undef X
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const char *sentence = status_sentence(all[i]);
        assert_true(strlen(sentence) > 3);
        assert_true(sentence[strlen(sentence) - 1] != '.');
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(sentence, status_sentence(all[k]));
    }
    assert_int_equal(STATUS_OK, 0);
}

static void test_errno(void **state)
{
    (void)state;
    static const struct {
        int error;
        enum status status;
    } rows[] = {
        {EACCES, STATUS_DENIED}, {EPERM, STATUS_DENIED}, {ENOENT, STATUS_NOT_FOUND}, {ENOSPC, STATUS_FULL},
        {EDQUOT, STATUS_FULL},   {EFBIG, STATUS_FULL},   {EIO, STATUS_IO},           {EPIPE, STATUS_IO},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(status_from_errno(rows[i].error), rows[i].status);
}

static void test_problem_is_cleaned(void **state)
{
    (void)state;
    struct problem problem;
    assert_int_equal(problem_set(&problem, STATUS_DENIED, "%s:%d: bad \"%s\"", "a.ini", 7, "\x1b[2J\n"), STATUS_DENIED);
    assert_string_equal(problem.text, "a.ini:7: bad \"\\x1b[2J\\n\"");
    assert_int_equal(problem_set(NULL, STATUS_IO, "nobody reads this"), STATUS_IO);
    /* Its own old text may be among the arguments. */
    problem_set(&problem, STATUS_IO, "first");
    problem_set(&problem, STATUS_IO, "then %s", problem.text);
    assert_string_equal(problem.text, "then first");
}

static void test_problem_is_cut_at_a_character(void **state)
{
    (void)state;
    static const char *const fillers[] = {"a",   "\xc3\xa9", "\xe6\x97\xa5", "\xf0\x9f\x98\x80", "e\xcc\x81\xcc\x81",
                                          "\x01"};
    for (size_t i = 0; i < sizeof fillers / sizeof fillers[0]; i++) {
        for (size_t shift = 0; shift < 4; shift++) {
            char raw[4 * PROBLEM_MAX] = "";
            memset(raw, 'x', shift);
            while (strlen(raw) + 8 < sizeof raw)
                snprintf(raw + strlen(raw), sizeof raw - strlen(raw), "%s", fillers[i]);
            struct problem problem;
            problem_set(&problem, STATUS_IO, "%s", raw);
            size_t length = strlen(problem.text);
            assert_in_range(length, PROBLEM_MAX / 2, PROBLEM_MAX - 1);
            assert_string_equal(problem.text + length - 3, "\xe2\x80\xa6");
            struct text again = {0};
            text_set_str(&again, problem.text, PROBLEM_MAX);
            assert_string_equal(text_str(&again), problem.text); /* still clean */
            text_free(&again);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_status_has_a_sentence),
        cmocka_unit_test(test_errno),
        cmocka_unit_test(test_problem_is_cleaned),
        cmocka_unit_test(test_problem_is_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
