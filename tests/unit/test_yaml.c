/* YAML into trees: what scalars mean, what anchors and merge keys stand for, on which line everything stands, and that hostile files end in one sentence with a line. */
#include "base/yaml.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(literal) (literal), sizeof(literal) - 1

enum { LENGTH_MAX = 4 << 20 };

/* From a copy of exact length, so that reading past the end is seen. */
static enum status parse(const char *bytes, size_t length, struct yaml_file **out, struct problem *problem)
{
    char *copy = mem_resize(NULL, length, 1);
    if (length > 0)
        memcpy(copy, bytes, length);
    enum status status = yaml_file_parse("f.yaml", copy, length, LENGTH_MAX, out, problem);
    mem_free(copy);
    return status;
}

static struct yaml_file *parse_good(const char *string)
{
    struct yaml_file *file;
    struct problem problem = {""};
    enum status status = parse(string, strlen(string), &file, &problem);
    assert_string_equal(problem.text, "");
    assert_int_equal(status, STATUS_OK);
    return file;
}

/* A value as compact text, so that rows can say what comes out. */
static void show(const struct json *value, struct json_writer *writer, const char *key)
{
    if (json_is_object(value) || json_is_array(value)) {
        bool object = json_is_object(value);
        object ? json_open_object(writer, key) : json_open_array(writer, key);
        for (const struct json *e = json_first(value); e != NULL; e = json_next(e))
            show(e, writer, json_key(e));
        object ? json_close_object(writer) : json_close_array(writer);
    } else if (json_is_number(value))
        json_put_real(writer, key, json_real(value, -1));
    else if (json_string(value) != NULL || json_is_null(value))
        json_put_string(writer, key, json_string(value));
    else
        json_put_bool(writer, key, json_bool(value, false));
}

static void assert_shows(const struct json *value, const char *wanted)
{
    struct buf out;
    struct json_writer writer;
    buf_init(&out, 1 << 20);
    json_writer_init(&writer, &out);
    show(value, &writer, NULL);
    assert_string_equal(buf_str(&out), wanted);
    buf_free(&out);
}

static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"8000", "8000"},
        {"\"8000\"", "\"8000\""},
        {"'8000'", "\"8000\""},
        {"-3", "-3"},
        {"+12", "12"},
        {"0o17", "15"},
        {"0x1F", "31"},
        {"007", "7"},
        {".5", "0.5"},
        {"1.", "1"},
        {"0.9", "0.9"},
        {"1.5e2", "150"},
        {"15E-1", "1.5"},
        {"true", "true"},
        {"True", "true"},
        {"FALSE", "false"},
        {"yes", "\"yes\""},
        {"on", "\"on\""},
        {"~", "null"},
        {"null", "null"},
        {"Null", "null"},
        {"nUll", "\"nUll\""},
        {"''", "\"\""},
        {".inf", "\".inf\""},
        {".nan", "\".nan\""},
        {"1e999", "\"1e999\""},
        {"1_000", "\"1_000\""},
        {"1.2.3", "\"1.2.3\""},
        {"0x", "\"0x\""},
        {"0o8", "\"0o8\""},
        {"-", "[null]"},
        {"+", "\"+\""},
        {".", "\".\""},
        {"1e", "\"1e\""},
        {"2026-11-24", "\"2026-11-24\""},
        {"!!str 8000", "\"8000\""},
        {"!!int \"8000\"", "8000"},
        {"!!bool 'true'", "true"},
        {"!own 12", "\"12\""},
        {"|\n  one\n  two\n", "\"one\\ntwo\\n\""},
        {">-\n  one\n  two\n", "\"one two\""},
        {"{a: 1, b: [x, {}], c: }", "{\"a\":1,\"b\":[\"x\",{}],\"c\":null}"},
        {"a:\n- 1\n-\n  b: c\n", "{\"a\":[1,{\"b\":\"c\"}]}"},
        {"8000: x\n~: y\ntrue: z", "{\"8000\":\"x\",\"~\":\"y\",\"true\":\"z\"}"},
        {"{\"json\": [1, \"\\u00e4\", null]}", "{\"json\":[1,\"\\u00e4\",null]}"},
        {"\xef\xbb\xbf# comment\na: 1 # more\n", "{\"a\":1}"},
        {"a: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2}"},
        {"a: &x 1\nb: *x", "{\"a\":1,\"b\":1}"},
        {"a: &x {k: [1]}\nb: *x\nc: [*x, *x]", "{\"a\":{\"k\":[1]},\"b\":{\"k\":[1]},\"c\":[{\"k\":[1]},{\"k\":[1]}]}"},
        {"a: &x 1\nb: &x 2\nc: *x", "{\"a\":1,\"b\":2,\"c\":2}"},
        {"a: &x {k: 1, l: 2}\nb:\n  l: 3\n  <<: *x", "{\"a\":{\"k\":1,\"l\":2},\"b\":{\"l\":3,\"k\":1}}"},
        {"a:\n  <<: [{k: 1}, {k: 2, l: 3}]\n  m: 4", "{\"a\":{\"m\":4,\"k\":1,\"l\":3}}"},
        {"a:\n  \"<<\": 1", "{\"a\":{\"<<\":1}}"},
        {"a:\n  <<: &b {q: &q [1], r: 2}\n  q: 3\nc: *b\nd: *q",
         "{\"a\":{\"q\":3,\"r\":2},\"c\":{\"q\":[1],\"r\":2},\"d\":[1]}"},
        {"<<: {a: 1}\n<<: {b: 2}", "{\"a\":1,\"b\":2}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct yaml_file *file = parse_good(rows[i].in);
        assert_int_equal(yaml_file_count(file), 1);
        assert_shows(yaml_file_document(file, 0), rows[i].out);
        yaml_file_free(file);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        const char *says;
    } rows[] = {
        {BYTES("a: 1\nb: 2\na: 3"), "f.yaml:3: the key \"a\" is there already, on line 1"},
        {BYTES("a:\n  x: 1\n  x: 1"), "f.yaml:3: the key \"x\""},
        {BYTES("a:\n\tb: 1"), "f.yaml:2: not YAML: "},
        {BYTES("a:\n\tb: 1"), "not by tabs"},
        {BYTES("a: 1\nb: {{ .Values.x }}"), "f.yaml:2: a key must be a plain word or a string; is this a template"},
        {BYTES("{{- if .Values.x }}\na: 1"), "a template that is not rendered yet"},
        {BYTES("? [a]\n: b"), "f.yaml:1: a key must be"},
        {BYTES("a: &x 1\n*x : 2"), "f.yaml:2: a key must be"},
        {BYTES("&a [*a]"), "f.yaml:1: *a stands for something that it is itself a part of"},
        {BYTES("a: 1\nb: *x"), "f.yaml:2: *x stands for nothing"},
        {BYTES("a: &x 1\n---\nb: *x"), "f.yaml:3: *x stands for nothing"},
        {BYTES("a:\n  <<: 3"), "f.yaml:2: << takes a mapping"},
        {BYTES("a:\n  <<: [{b: 1}, 2]"), "f.yaml:2: << takes a mapping"},
        {BYTES("a: b: c"), "f.yaml:1: not YAML: mapping values are not allowed"},
        {BYTES("a: 1\nb: [1\n  2: 3\n c]"), "(while parsing a flow sequence from line 2 on)"},
        {BYTES("a: 1\nb: [1, 2"), "f.yaml:2: not YAML: did not find expected"},
        {BYTES("a: \"open"), "f.yaml:1: not YAML: "},
        {BYTES("a: 'x\n b"), "f.yaml:2: not YAML: "},
        {BYTES("a: ["), "f.yaml:1: not YAML: "},
        {BYTES("a: [\n"), "f.yaml:1: not YAML: "},
        {BYTES("a: \"\\q\""), "f.yaml:1: not YAML: "},
        {BYTES("- a\nb: 1"), "f.yaml:2: not YAML: "},
        {BYTES("a: 1\n\nb: \x01"), "f.yaml:3: no text that YAML allows: "},
        {BYTES("a: 1\nb: \0"), "f.yaml:2: no text that YAML allows: "},
        {BYTES("a: \xff\xfe"), "f.yaml:1: no text that YAML allows: "},
        {BYTES("\x7f"
               "ELF\x02\x01\x01"),
         "f.yaml:1: no text that YAML allows: "},
        {BYTES("a: \xc0\xaf"), "f.yaml:1: no text that YAML allows: "},
        {BYTES("a: \xed\xa0\x80"), "f.yaml:1: no text that YAML allows: "},
        {BYTES("%YAML 9.9\n---\na"), "f.yaml:1: not YAML: "},
        {BYTES("a: !x!y 1"), "f.yaml:1: not YAML: "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct yaml_file *file = (struct yaml_file *)1;
        struct problem problem = {""};
        assert_int_equal(parse(rows[i].bytes, rows[i].length, &file, &problem), STATUS_BAD_INPUT);
        assert_null(file);
        if (strstr(problem.text, rows[i].says) == NULL || strncmp(problem.text, "f.yaml:", 7) != 0)
            fail_msg("row %zu says \"%s\", not \"%s\"", i, problem.text, rows[i].says);
    }
    assert_int_equal(yaml_file_parse("f.yaml", "a: 1", 4, 3, &(struct yaml_file *){NULL}, NULL), STATUS_BAD_INPUT);
}

static void test_documents(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t count;
    } rows[] = {{"", 0},          {"# nothing\n", 0},          {"---\n", 1},        {"---\n---\n", 2},
                {"a\n---\nb", 2}, {"a: 1\n...\n---\nb: 2", 2}, {"--- {a: 1}\n", 1}, {"---\n# x\n---\na: 1\n", 2}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct yaml_file *file = parse_good(rows[i].in);
        assert_int_equal(yaml_file_count(file), rows[i].count);
        assert_null(yaml_file_document(file, rows[i].count));
        yaml_file_free(file);
    }
    struct yaml_file *file = parse_good("---\n# only this\n---\nb: 1\n");
    assert_true(json_is_null(yaml_file_document(file, 0)));
    assert_int_equal(json_int(json_get(yaml_file_document(file, 1), "b"), -1), 1);
    yaml_file_free(file);
    yaml_file_free(NULL);
}

static void test_lines(void **state)
{
    (void)state;
    struct yaml_file *file = parse_good("# first\n"
                                        "base: &base\n"
                                        "  port: 1\n"
                                        "  path: x\n"
                                        "\n"
                                        "use:\n"
                                        "  <<: *base\n"
                                        "  port:\n"
                                        "    8000\n"
                                        "list:\n"
                                        "- one\n"
                                        "- {two: 2}\n"
                                        "again: *base\n"
                                        "---\n"
                                        "late: 1\n");
    const struct json *document = yaml_file_document(file, 0), *use = json_get(document, "use"),
                      *list = json_get(document, "list"), *again = json_get(document, "again");
    const struct {
        const struct json *value;
        uint32_t key_line, line;
    } rows[] = {{document, 2, 2},
                {json_get(document, "base"), 2, 2}, /* its anchor is part of it */
                {use, 6, 7},
                {json_get(use, "port"), 8, 9},
                {json_get(use, "path"), 4, 4}, /* merged: where it is written */
                {list, 10, 11},
                {json_first(list), 11, 11},
                {json_get(json_next(json_first(list)), "two"), 12, 12},
                {again, 13, 2},
                {json_get(again, "path"), 4, 4},
                {json_get(yaml_file_document(file, 1), "late"), 15, 15},
                {NULL, 0, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(yaml_file_key_line(file, rows[i].value), rows[i].key_line);
        assert_int_equal(yaml_file_line(file, rows[i].value), rows[i].line);
    }
    yaml_file_free(file);
}

/* ---- what somebody might send to hurt ---- */

static void assert_bounded(const struct buf *input, const char *says)
{
    struct yaml_file *file;
    struct problem problem = {""};
    assert_false(input->truncated);
    assert_int_equal(parse(input->data, input->len, &file, &problem), STATUS_BAD_INPUT);
    if (strstr(problem.text, says) == NULL)
        fail_msg("\"%s\", not \"%s\"", problem.text, says);
}

static void repeat(struct buf *out, const char *string, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_puts(out, string);
}

/* Each level is nine of the one below. */
static void bomb(struct buf *out, bool merged)
{
    buf_puts(out, merged ? "a0: &a0 {k: v}\n" : "a0: &a0 [x]\n");
    for (int i = 1; i < 12; i++) {
        buf_printf(out, "a%d: &a%d %s", i, i, merged ? "{" : "[");
        for (int j = 0; j < 9; j++)
            merged ? buf_printf(out, "k%d: *a%d,", j, i - 1) : buf_printf(out, "*a%d,", i - 1);
        buf_puts(out, merged ? "}\n" : "]\n");
    }
}

static void test_bombs(void **state)
{
    (void)state;
    struct buf in;
    buf_init(&in, LENGTH_MAX);
    bomb(&in, false);
    assert_bounded(&in, "more than 262144 values, aliases resolved");
    buf_clear(&in);
    bomb(&in, true);
    buf_puts(&in, "b: {<<: *a11}\n");
    assert_bounded(&in, "more than 262144 values, aliases resolved");
    buf_clear(&in); /* few values, long ones */
    buf_puts(&in, "a: &a ");
    repeat(&in, "xxxxxxxxxxxxxxxx", 1 << 16);
    buf_puts(&in, "\nb: [*a");
    repeat(&in, ",*a", 100);
    buf_puts(&in, "]\n");
    assert_bounded(&in, "bytes of strings, aliases resolved");
    buf_clear(&in); /* merged over and over */
    buf_puts(&in, "a: &a {");
    for (int i = 0; i < 1000; i++)
        buf_printf(&in, "k%d: 1,", i);
    buf_puts(&in, "}\nb: {<<: [*a");
    repeat(&in, ",*a", 1000);
    buf_puts(&in, "]}\n");
    assert_bounded(&in, "more than 262144 values");
    buf_clear(&in); /* deep by aliases of what is deep */
    buf_puts(&in, "a: &a ");
    repeat(&in, "[", 40);
    repeat(&in, "]", 40);
    buf_puts(&in, "\nb: ");
    repeat(&in, "[", 40);
    buf_puts(&in, "*a");
    repeat(&in, "]", 40);
    assert_bounded(&in, "more than 64 levels, aliases resolved");
    buf_free(&in);
}

static void test_bounds(void **state)
{
    (void)state;
    struct buf in;
    buf_init(&in, LENGTH_MAX);
    repeat(&in, "[", 200000);
    assert_bounded(&in, "f.yaml:1: more than 64 levels");
    buf_clear(&in);
    repeat(&in, "{a: ", 100000);
    assert_bounded(&in, "f.yaml:1: more than 64 levels");
    buf_clear(&in);
    for (int i = 0; i < 100; i++)
        buf_printf(&in, "%*sa:\n", i, "");
    assert_bounded(&in, "more than 64 levels");
    buf_clear(&in);
    repeat(&in, "---\na\n", 1025);
    assert_bounded(&in, "f.yaml:2049: more than 1024 documents");
    buf_clear(&in);
    repeat(&in, "- &a x\n", 1025);
    assert_bounded(&in, "f.yaml:1025: more than 1024 anchors");
    buf_clear(&in);
    repeat(&in, "- x\n", 262145);
    assert_bounded(&in, "more than 262144 values");
    buf_free(&in);
}

/* What is big but honest is taken: a long line, many keys, as deep as allowed. */
static void test_big(void **state)
{
    (void)state;
    struct buf in;
    struct yaml_file *file;
    buf_init(&in, LENGTH_MAX);
    buf_puts(&in, "a: ");
    repeat(&in, "word ", 200000);
    buf_puts(&in, "\nb:\n");
    for (int i = 0; i < 20000; i++)
        buf_printf(&in, "  key%d: %d\n", i, i);
    buf_puts(&in, "c: ");
    repeat(&in, "[", 63);
    repeat(&in, "]", 63);
    assert_int_equal(parse(in.data, in.len, &file, NULL), STATUS_OK);
    const struct json *document = yaml_file_document(file, 0);
    assert_int_equal(strlen(json_string(json_get(document, "a"))), 5 * 200000 - 1);
    assert_int_equal(json_count(json_get(document, "b")), 20000);
    assert_int_equal(yaml_file_line(file, json_get(json_get(document, "b"), "key19999")), 20002);
    yaml_file_free(file);
    buf_free(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_refused), cmocka_unit_test(test_documents),
        cmocka_unit_test(test_lines),  cmocka_unit_test(test_bombs),   cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_big),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
