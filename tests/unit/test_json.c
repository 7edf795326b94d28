/* JSON: stricter than the library on the way in, plain ASCII in the C locale on the way out. */
#include "base/json.h"

#include "base/mem.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(literal) (literal), sizeof(literal) - 1

/* From a copy of exact length, so that reading past the end is seen. */
static enum status parse(const char *bytes, size_t length, struct json **out, struct problem *problem)
{
    char *copy = mem_resize(NULL, length, 1);
    if (length > 0)
        memcpy(copy, bytes, length);
    enum status status = json_parse(copy, length, 1000000, out, problem);
    mem_free(copy);
    return status;
}

static struct json *parse_good(const char *string)
{
    struct json *document;
    struct problem problem = {0};
    enum status status = parse(string, strlen(string), &document, &problem);
    assert_string_equal(problem.text, "");
    assert_int_equal(status, STATUS_OK);
    return document;
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        const char *says;
    } rows[] = {
        {BYTES(""), "byte 1"},
        {BYTES("   "), "byte"},
        {BYTES("{"), "byte"},
        {BYTES("[1,]"), "byte 4"},
        {BYTES("{\"a\"}"), "byte"},
        {BYTES("{a:1}"), "byte"},
        {BYTES("tru"), "byte"},
        {BYTES("nulL"), "byte"},
        {BYTES("1 2"), "byte 3: expected nothing after the value"},
        {BYTES("{}x"), "byte 3: expected nothing"},
        {BYTES("{}\0"), "byte 3"},
        {BYTES("\0{}"), "byte 1"},
        {BYTES("\x01{}"), "byte 1"},
        {BYTES("{}\x0c"), "byte 3"},
        {BYTES("\xef\xbb\xbf{}"), "byte 1"},
        {BYTES("\"a\nb\""), "byte 3: expected a string without raw control bytes"},
        {BYTES("\"a\0b\""), "byte 3: expected a string"},
        {BYTES("\"\x1b[2J\""), "byte 2"},
        {BYTES("\"open"), "byte 6: expected the end of a string"},
        {BYTES("\"\\"), "expected the end of a string"},
        {BYTES("\"\\\""), "expected the end of a string"},
        {BYTES("\"\\x41\""), "byte"},
        {BYTES("\"\\u12\""), "byte"},
        {BYTES("\"\\ud800\""), "byte"}, /* half of a pair */
        {BYTES("\"\xff\""), "byte 2: expected valid UTF-8"},
        {BYTES("\"\xc0\xaf\""), "byte 2: expected valid UTF-8"},
        {BYTES("\"\xc1\x81\""), "byte 2: expected valid UTF-8"},
        {BYTES("\"\xe0\x80\xaf\""), "byte 2: expected valid UTF-8"},
        {BYTES("\"\xf0\x80\x80\xaf\""), "byte 2: expected valid UTF-8"},
        {BYTES("\"\xed\xa0\x80\""), "byte 2: expected valid UTF-8"},
        {BYTES("\"\xf4\x90\x80\x80\""), "byte 2: expected valid UTF-8"},
        {BYTES("\"\xf8\x88\x80\x80\x80\""), "byte 2: expected valid UTF-8"},
        {BYTES("\"\xe6\x97\""), "byte 2: expected valid UTF-8"},
        {BYTES("\"\xe6\x97"), "byte 2: expected valid UTF-8"},
        {BYTES("\"\x80\""), "byte 2: expected valid UTF-8"},
        {BYTES("{\"\xff\":1}"), "byte 3: expected valid UTF-8"},
        {BYTES("'a'"), "byte 1"},
        {BYTES("NaN"), "byte 1"},
        {BYTES("// x\n1"), "byte 1"},
        {BYTES("]"), "byte 1"},
        {BYTES("[}"), "byte"},
        {BYTES("<html>"), "byte 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct json *document;
        struct problem problem = {0};
        assert_int_equal(parse(rows[i].bytes, rows[i].length, &document, &problem), STATUS_BAD_INPUT);
        assert_null(document);
        assert_non_null(strstr(problem.text, rows[i].says));
        assert_int_equal(parse(rows[i].bytes, rows[i].length, &document, NULL), STATUS_BAD_INPUT);
    }
}

static void test_bounds(void **state)
{
    (void)state;
    static const struct {
        int depth;
        enum status status;
    } rows[] = {{1, STATUS_OK}, {64, STATUS_OK}, {65, STATUS_BAD_INPUT}, {5000, STATUS_BAD_INPUT}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t depth = (size_t)rows[i].depth;
        char *bytes = mem_new(2 * depth + 1);
        struct json *document;
        memset(bytes, '[', depth);
        memset(bytes + depth, ']', depth);
        assert_int_equal(parse(bytes, 2 * depth, &document, NULL), rows[i].status);
        json_free(document);
        mem_free(bytes);
    }
    struct json *document;
    struct problem problem;
    assert_int_equal(json_parse("[1]", 3, 2, &document, &problem), STATUS_BAD_INPUT);
    assert_non_null(strstr(problem.text, "at most 2"));
    assert_int_equal(json_parse("[1]", 3, 3, &document, &problem), STATUS_OK);
    json_free(document);
}

static void test_reading(void **state)
{
    (void)state;
    struct json *document =
        parse_good(" {\"a\":{\"b\":[1,-2.5,\"x\\u00e9\\n\",true,null]},\"A\":7,\"a\":8,\"z\":\"y\\u0000w\"}\r\n");
    const struct json *list = json_get(json_get(document, "a"), "b"); /* the first of two with that key */
    assert_int_equal(json_count(document), 4);
    assert_int_equal(json_count(list), 5);
    assert_true(json_is_array(list));
    assert_true(json_is_object(document));
    assert_int_equal(json_int(json_get(document, "A"), 0), 7); /* keys are compared exactly */
    assert_string_equal(json_string(json_get(document, "z")), "y");
    const struct json *element = json_first(list);
    assert_int_equal(json_int(element, 0), 1);
    assert_null(json_key(element));
    element = json_next(element);
    assert_true(json_real(element, 0) == -2.5);
    assert_int_equal(json_int(element, 99), 99); /* no whole number */
    element = json_next(element);
    assert_string_equal(json_string(element), "x\xc3\xa9\n");
    struct text text = {0};
    json_text(element, &text, 10);
    assert_string_equal(text_str(&text), "x\xc3\xa9\\n");
    element = json_next(element);
    assert_true(json_bool(element, false));
    json_text(element, &text, 10);
    assert_true(text_empty(&text));
    element = json_next(element);
    assert_true(json_is_null(element));
    assert_null(json_next(element));
    assert_string_equal(json_key(json_first(document)), "a");
    json_free(document);
    text_free(&text);
}

static void test_nothing_gives_the_fallback(void **state)
{
    (void)state;
    struct json *document = parse_good("{\"s\":\"5\",\"n\":5,\"o\":{},\"f\":false}");
    const struct json *values[] = {NULL, json_get(document, "missing"), json_get(json_get(document, "s"), "x"),
                                   json_get(json_get(json_get(document, "o"), "x"), "y")};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_null(json_get(values[i], "k"));
        assert_int_equal(json_count(values[i]), 0);
        assert_null(json_first(values[i]));
        assert_null(json_next(values[i]));
        assert_null(json_key(values[i]));
        assert_null(json_string(values[i]));
        assert_true(json_is_null(values[i]));
        assert_false(json_is_object(values[i]));
        assert_false(json_is_array(values[i]));
        assert_false(json_is_number(values[i]));
        assert_int_equal(json_int(values[i], 3), 3);
        assert_true(json_real(values[i], 0.5) == 0.5);
        assert_true(json_bool(values[i], true));
    }
    assert_null(json_string(json_get(document, "n")));
    assert_int_equal(json_int(json_get(document, "s"), -1), -1);
    assert_null(json_first(json_get(document, "s")));
    assert_false(json_bool(json_get(document, "f"), true));
    assert_true(json_bool(json_get(document, "n"), true));
    assert_false(json_bool(json_get(document, "n"), false));
    json_free(document);
    json_free(NULL);
}

static void test_numbers_in(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int64_t whole; /* fallback -7 */
        double real;
    } rows[] = {
        {"0", 0, 0},
        {"-1", -1, -1},
        {"2147483648", INT64_C(2147483648), 2147483648.0},
        {"9007199254740992", INT64_C(9007199254740992), 9007199254740992.0},
        {"-9007199254740992", INT64_C(-9007199254740992), -9007199254740992.0},
        {"1e3", 1000, 1000},
        {"1.5", -7, 1.5},
        {"1e300", -7, 1e300},
        {"-1e300", -7, -1e300},
        {"9223372036854775808", -7, 9223372036854775808.0},
        {"1e999", -7, -7}, /* beyond a double: no number at all */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct json *document = parse_good(rows[i].json);
        assert_true(json_is_number(document));
        assert_true(json_int(document, -7) == rows[i].whole);
        assert_true(json_real(document, -7) == rows[i].real);
        json_free(document);
    }
}

static void write_sample(struct buf *out)
{
    struct json_writer writer;
    struct text text = {0};
    json_writer_init(&writer, out);
    text_set_str(&text, "t\xc3\xa9", 10);
    json_open_object(&writer, NULL);
    json_put_int(&writer, "min", INT64_MIN);
    json_put_int(&writer, "max", INT64_MAX);
    json_put_int(&writer, "zero", 0);
    json_open_array(&writer, "reals");
    static const double reals[] = {0,    0.5, -0.25,    1.0005, 0.0004, -0.0004, 1234567.891, 1e15,
                                   1e22, NAN, INFINITY, -3,     0.1,    0.999,   0.9999,      60};
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++)
        json_put_real(&writer, NULL, reals[i]);
    json_close_array(&writer);
    json_open_object(&writer, "empty");
    json_close_object(&writer);
    json_put_string(&writer, "q\"k", "a\"b\\c\n\x01\x7f");
    json_put_string(&writer, "none", NULL);
    json_put_bytes(&writer, "bytes", "\xf0\x9f\x98\x80\xff\0x\xed\xa0\x80", 10);
    json_put_text(&writer, "text", &text);
    json_open_array(&writer, "nested");
    json_open_array(&writer, NULL);
    json_close_array(&writer);
    json_open_object(&writer, NULL);
    json_put_bool(&writer, "yes", true);
    json_put_bool(&writer, "no", false);
    json_close_object(&writer);
    json_close_array(&writer);
    json_close_object(&writer);
    text_free(&text);
}

static const char expected_sample[] =
    "{\"min\":-9223372036854775808,\"max\":9223372036854775807,\"zero\":0,"
    "\"reals\":[0,0.5,-0.25,1.001,0,0,1234567.891,1000000000000000,10000000000000000000000,null,null,-3,0.1,0.999,1,60]"
    ","
    "\"empty\":{},\"q\\\"k\":\"a\\\"b\\\\c\\n\\u0001\\u007f\",\"none\":null,"
    "\"bytes\":\"\\ud83d\\ude00\\ufffd\\u0000x\\ufffd\\ufffd\\ufffd\",\"text\":\"t\\u00e9\","
    "\"nested\":[[],{\"yes\":true,\"no\":false}]}";

static void test_writing(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 10000);
    write_sample(&out);
    assert_string_equal(buf_str(&out), expected_sample);
    struct json *document = parse_good(buf_str(&out));
    assert_string_equal(json_string(json_get(document, "q\"k")), "a\"b\\c\n\x01\x7f");
    assert_string_equal(json_string(json_get(document, "text")), "t\xc3\xa9");
    json_free(document);
    buf_free(&out);
}

static void test_decimal_comma(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8", "nl_NL.UTF-8"};
    const char *set = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && set == NULL; i++)
        set = setlocale(LC_ALL, names[i]);
    if (set == NULL)
        skip(); /* no such locale on this machine */
    struct buf out;
    buf_init(&out, 10000);
    write_sample(&out);
    struct json *document = parse_good("[2.5,1e-1,-0.125]");
    setlocale(LC_ALL, "C");
    assert_string_equal(buf_str(&out), expected_sample);
    assert_true(json_real(json_first(document), 0) == 2.5);
    assert_true(json_real(json_next(json_first(document)), 0) == 0.1);
    json_free(document);
    buf_free(&out);
}

static void test_deep_writing(void **state)
{
    (void)state;
    struct buf out;
    struct json_writer writer;
    buf_init(&out, 1000);
    json_writer_init(&writer, &out);
    for (int i = 0; i < 32; i++) {
        json_open_array(&writer, NULL);
        if (i < 31)
            json_put_int(&writer, NULL, i);
    }
    for (int i = 0; i < 32; i++) {
        json_close_array(&writer);
        if (i < 31)
            json_put_int(&writer, NULL, i);
    }
    struct json *document = parse_good(buf_str(&out));
    assert_int_equal(json_count(document), 3);
    json_free(document);
    buf_free(&out);
}

static void test_full_buffer_is_seen(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 20);
    write_sample(&out);
    assert_true(out.truncated);
    assert_int_equal(out.len, 20);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_nothing_gives_the_fallback),
        cmocka_unit_test(test_numbers_in),
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_decimal_comma),
        cmocka_unit_test(test_deep_writing),
        cmocka_unit_test(test_full_buffer_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
