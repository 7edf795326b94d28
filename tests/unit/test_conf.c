/* INI files: every bad line has its number, and spoils nothing but itself. */
#include "base/conf.h"

#include "base/buf.h"
#include "base/mem.h"

#include <sys/stat.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct place {
    char path[64];
    struct buf seen; /* "[section]key=value@line;" for each line told of */
    struct conf_problems problems;
};

static int place_make(void **state)
{
    struct place *place = mem_new(sizeof *place);
    snprintf(place->path, sizeof place->path, "/tmp/probetop-conf-XXXXXX");
    int fd = mkstemp(place->path);
    if (fd < 0)
        return -1;
    close(fd);
    buf_init(&place->seen, 64 * 1024);
    *state = place;
    return 0;
}

static int place_remove(void **state)
{
    struct place *place = *state;
    unlink(place->path);
    buf_free(&place->seen);
    conf_problems_free(&place->problems);
    mem_free(place);
    return 0;
}

static enum status on_line(void *user, const char *section, const char *key, const char *value, int line,
                           struct problem *problem)
{
    struct place *place = user;
    if (strcmp(key, "bad") == 0)
        return problem_set(problem, STATUS_BAD_INPUT, "bad is \"%s\"; expected nothing", value);
    buf_printf(&place->seen, "[%s]%s=%s@%d;", section, key, value, line);
    return STATUS_OK;
}

static enum status read_bytes(struct place *place, const char *bytes, size_t length)
{
    FILE *file = fopen(place->path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    return conf_read(place->path, on_line, place, &place->problems);
}

static enum status read_string(struct place *place, const char *string)
{
    return read_bytes(place, string, strlen(string));
}

/* Problem `index` is about this line of the file and says this. */
static void assert_problem(const struct place *place, size_t index, int line, const char *says)
{
    char prefix[128];
    assert_true(index < place->problems.count);
    const char *text = place->problems.list[index].text;
    snprintf(prefix, sizeof prefix, "%s:%d: ", place->path, line);
    assert_memory_equal(text, prefix, strlen(prefix));
    assert_non_null(strstr(text, says));
    assert_non_null(strstr(text, "expected"));
}

static void test_good(void **state)
{
    static const struct {
        const char *content, *seen;
    } rows[] = {
        {"", ""},
        {"\n\n# a comment\n; another\n", ""},
        {"a=1", "[]a=1@1;"},
        {"a = 1 2  \n\n[s]\nb=\n", "[]a=1 2@1;[s]b=@4;"},
        {"a=1\r\n[s]\r\nb=2\r\n", "[]a=1@1;[s]b=2@3;"},
        {"\xef\xbb\xbf"
         "a=1\n",
         "[]a=1@1;"},
        {"a=1\n  b=2\n\tc=3\n", "[]a=1@1;[]b=2@2;[]c=3@3;"}, /* indented lines are lines of their own */
        {"  [s]\n  b=2\n", "[s]b=2@2;"},
        {"colour=#ff8800\n", "[]colour=#ff8800@1;"},
        {"a=x=y\n", "[]a=x=y@1;"},
        {"a=\xc3\xa9\n", "[]a=\xc3\xa9@1;"},
    };
    struct place *place = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_clear(&place->seen);
        assert_int_equal(read_string(place, rows[i].content), STATUS_OK);
        assert_string_equal(buf_str(&place->seen), rows[i].seen);
        assert_int_equal(place->problems.count, 0);
    }
}

static void test_each_bad_line_is_told(void **state)
{
    struct place *place = *state;
    assert_int_equal(read_string(place, "a=1\njunk\nbad=\x1b[2J\n[open\nb=2\n=5\n[s]\nmore junk\n"), STATUS_OK);
    assert_string_equal(buf_str(&place->seen), "[]a=1@1;[]b=2@5;");
    assert_int_equal(place->problems.count, 5);
    assert_problem(place, 0, 2, "key = value");
    assert_problem(place, 1, 3, "bad is \"\\x1b[2J\"");
    assert_problem(place, 2, 4, "no end");
    assert_problem(place, 3, 6, "no key");
    assert_problem(place, 4, 8, "key = value");
}

static void test_long_lines(void **state)
{
    struct place *place = *state;
    static const struct {
        int length;
        bool fits;
    } rows[] = {{199, true}, {200, true}, {CONF_LINE_MAX, true}, {CONF_LINE_MAX + 1, false}, {100000, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf content;
        buf_init(&content, 200000);
        buf_printf(&content, "a=1\nlong=%0*d\nb=2\n", rows[i].length - 5, 7);
        buf_clear(&place->seen);
        conf_problems_free(&place->problems);
        assert_int_equal(read_bytes(place, content.data, content.len), STATUS_OK);
        assert_non_null(strstr(buf_str(&place->seen), "[]a=1@1;"));
        assert_non_null(strstr(buf_str(&place->seen), "[]b=2@3;"));
        assert_int_equal(strstr(buf_str(&place->seen), "7@2;") != NULL, rows[i].fits);
        assert_int_equal(place->problems.count, rows[i].fits ? 0 : 1);
        if (!rows[i].fits)
            assert_problem(place, 0, 2, "too long");
        else
            assert_int_equal(place->seen.len, (size_t)rows[i].length + strlen("[]a=1@1;[]@2;[]b=2@3;"));
        buf_free(&content);
    }
}

static void test_nul_and_long_section(void **state)
{
    struct place *place = *state;
    static const char content[] = "a=1\nb=\0x\n[aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee]\nc=2\n[a ;b]\n";
    assert_int_equal(read_bytes(place, content, sizeof content - 1), STATUS_OK);
    assert_problem(place, 0, 2, "NUL");
    assert_problem(place, 1, 3, "too long");
    assert_problem(place, 2, 5, "comment");
    assert_int_equal(place->problems.count, 3);
}

static void test_many_problems(void **state)
{
    struct place *place = *state;
    struct buf content;
    buf_init(&content, 64 * 1024);
    for (int i = 0; i < 3 * CONF_PROBLEMS_MAX; i++)
        buf_puts(&content, "junk\n");
    buf_puts(&content, "a=1\n");
    assert_int_equal(read_bytes(place, content.data, content.len), STATUS_OK);
    assert_int_equal(place->problems.count, 3 * CONF_PROBLEMS_MAX);
    assert_problem(place, CONF_PROBLEMS_MAX - 1, CONF_PROBLEMS_MAX, "key");
    assert_non_null(strstr(buf_str(&place->seen), "[]a=1@193;"));
    buf_free(&content);
}

static void test_big_file(void **state)
{
    struct place *place = *state;
    struct buf content;
    buf_init(&content, CONF_FILE_MAX + 100);
    while (content.len < CONF_FILE_MAX)
        buf_puts(&content, "# a comment, many times over, is no harm but too much of it\n");
    assert_int_equal(read_bytes(place, content.data, CONF_FILE_MAX), STATUS_OK);
    assert_int_equal(place->problems.count, 0);
    assert_int_equal(read_bytes(place, content.data, CONF_FILE_MAX + 1), STATUS_FULL);
    assert_int_equal(place->problems.count, 1);
    assert_non_null(strstr(place->problems.list[0].text, "too big"));
    buf_free(&content);
}

static void test_no_file(void **state)
{
    struct place *place = *state;
    unlink(place->path);
    assert_int_equal(conf_read(place->path, on_line, place, &place->problems), STATUS_NOT_FOUND);
    assert_int_equal(place->problems.count, 0);
    assert_int_equal(conf_read("/tmp", on_line, place, &place->problems), STATUS_IO);
    assert_int_equal(place->problems.count, 1);
    assert_non_null(strstr(place->problems.list[0].text, "/tmp: "));
    if (geteuid() != 0) {
        assert_int_equal(read_string(place, "a=1"), STATUS_OK);
        assert_int_equal(chmod(place->path, 0), 0);
        assert_int_equal(conf_read(place->path, on_line, place, &place->problems), STATUS_DENIED);
        assert_problem(place, 2, 5, "comment");
        assert_int_equal(place->problems.count, 3);
    }
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, place_make, place_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACED(test_good),          PLACED(test_each_bad_line_is_told),
        PLACED(test_long_lines),    PLACED(test_nul_and_long_section),
        PLACED(test_many_problems), PLACED(test_big_file),
        PLACED(test_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
