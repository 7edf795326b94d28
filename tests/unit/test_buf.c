/* Buffers never hold more than they were told, and say so. */
#include "base/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_empty(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 10);
    assert_string_equal(buf_str(&buf), "");
    buf_drop(&buf, 5);
    buf_cut(&buf, 0);
    buf_clear(&buf);
    assert_true(buf_append(&buf, NULL, 0));
    assert_true(buf_puts(&buf, ""));
    assert_string_equal(buf_str(&buf), "");
    assert_false(buf.truncated);
    buf_free(&buf);
    assert_int_equal(buf.max, 10);
}

static void test_bound(void **state)
{
    (void)state;
    static const struct {
        size_t max;
        const char *first, *second, *expected;
        bool truncated;
    } rows[] = {
        {10, "hello", "world", "helloworld", false},
        {9, "hello", "world", "helloworl", true},
        {5, "hello", "world", "hello", true},
        {0, "hello", "world", "", true},
        {0, "", "", "", false},
        {SIZE_MAX, "a", "b", "ab", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf puts, print;
        buf_init(&puts, rows[i].max);
        buf_init(&print, rows[i].max);
        buf_puts(&puts, rows[i].first);
        bool last = buf_puts(&puts, rows[i].second);
        bool printed = buf_printf(&print, "%s%s", rows[i].first, rows[i].second);
        assert_string_equal(buf_str(&puts), rows[i].expected);
        assert_string_equal(buf_str(&print), rows[i].expected);
        assert_int_equal(puts.len, strlen(rows[i].expected));
        assert_int_equal(print.len, puts.len);
        assert_int_equal(puts.truncated, rows[i].truncated);
        assert_int_equal(print.truncated, rows[i].truncated);
        assert_int_equal(printed, !rows[i].truncated);
        assert_true(last || rows[i].truncated);
        buf_clear(&puts);
        assert_false(puts.truncated);
        assert_string_equal(buf_str(&puts), "");
        buf_free(&puts);
        buf_free(&print);
    }
}

static void test_grows_to_the_bound_only(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_true(buf_putc(&buf, (char)('a' + i % 26)));
        assert_int_equal(strlen(buf_str(&buf)), (size_t)i + 1);
    }
    assert_false(buf_putc(&buf, 'x'));
    assert_true(buf.truncated);
    assert_int_equal(buf.len, 1000);
    assert_true(buf.cap <= 1001);
    buf_free(&buf);
}

static void test_drop_and_cut(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    buf_append(&buf, "a\0bcdef", 7);
    assert_int_equal(buf.len, 7);
    buf_drop(&buf, 2);
    assert_string_equal(buf_str(&buf), "bcdef");
    buf_cut(&buf, 3);
    assert_string_equal(buf_str(&buf), "bcd");
    buf_cut(&buf, 30);
    assert_string_equal(buf_str(&buf), "bcd");
    buf_drop(&buf, 100);
    assert_string_equal(buf_str(&buf), "");
    assert_int_equal(buf.len, 0);
    buf_free(&buf);
}

static void test_write(void **state)
{
    (void)state;
    struct buf buf;
    char got[16] = "";
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    buf_init(&buf, 10);
    assert_true(buf_write(&buf, ends[1])); /* nothing */
    buf_puts(&buf, "words");
    assert_true(buf_write(&buf, ends[1]));
    assert_int_equal(read(ends[0], got, sizeof got), 5);
    assert_string_equal(got, "words");
    close(ends[0]);
    close(ends[1]);
    assert_false(buf_write(&buf, ends[1]));
    assert_int_equal(errno, EBADF);
    buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_grows_to_the_bound_only),
        cmocka_unit_test(test_drop_and_cut),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
