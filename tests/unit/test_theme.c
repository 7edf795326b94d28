#include "base/mem.h"
#include "tui/theme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void dir_make(char *dir, size_t size)
{
    const char *base = getenv("TMPDIR");
    snprintf(dir, size, "%s/probetop-theme-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(dir));
}

static void file_write(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static const char *themes_dir(void)
{
    const char *dir = getenv("PROBETOP_THEMES");
    return dir ? dir : "themes";
}

/* Loads the text as a theme; returns how many problems there were, the first one in `problem`. */
static size_t load(const char *content, struct theme *theme, char *problem, size_t size)
{
    char dir[200], path[256];
    struct conf_problems problems = {0};
    dir_make(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/x.theme", dir);
    file_write(path, content);
    assert_int_equal(theme_load(path, NULL, theme, &problems), STATUS_OK);
    size_t count = problems.count;
    snprintf(problem, size, "%s", count ? problems.list[0].text : "");
    conf_problems_free(&problems);
    unlink(path);
    rmdir(dir);
    return count;
}

static void looks(void **state)
{
    static const struct {
        const char *value;
        int fg, bg, attributes; /* -1 default, 0x1000000 + rgb */
    } ROWS[] = {
        {"red", 1, -1, 0},
        {"bright-red bold", 9, -1, ATTR_BOLD},
        {"203", 203, -1, 0},
        {"#ff5555 on default bold", 0x1ff5555, -1, ATTR_BOLD},
        {"default on #102030", -1, 0x1102030, 0},
        {"on blue", -1, 4, 0},
        {"bold dim underline reverse italic", -1, -1, 31},
        {"reverse red on 255", 1, 255, ATTR_REVERSE},
        {"default", -1, -1, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct theme theme;
        char content[128], problem[512];
        snprintf(content, sizeof content, "[colours]\nbad = %s\n", ROWS[i].value);
        assert_int_equal(load(content, &theme, problem, sizeof problem), 0);
        const struct colour *colours[] = {&theme.style[STYLE_BAD].fg, &theme.style[STYLE_BAD].bg};
        const int wanted[] = {ROWS[i].fg, ROWS[i].bg};
        for (int c = 0; c < 2; c++) {
            int found = colours[c]->kind == COLOUR_DEFAULT ? -1
                        : colours[c]->kind == COLOUR_INDEX
                            ? colours[c]->index
                            : 0x1000000 | colours[c]->r << 16 | colours[c]->g << 8 | colours[c]->b;
            assert_int_equal(found, wanted[c]);
        }
        assert_int_equal(theme.style[STYLE_BAD].attributes, ROWS[i].attributes);
        assert_string_equal(theme.name, "x");
    }
}

/* One sentence each, with the place and what was expected; the other lines still count. */
static void mistakes(void **state)
{
    static const struct {
        const char *line, *says;
    } ROWS[] = {
        {"bad = rde", "x.theme:3: 'rde' is no colour or attribute; expected default, one of"},
        {"bad = 256", "'256' is no colour"},
        {"bad = #12345", "'#12345' is no colour"},
        {"bad = #12345g", "'#12345g' is no colour"},
        {"bad = red green", "'green' is a second foreground; expected 'on'"},
        {"bad = red on", "'on' ends the line; expected"},
        {"bad = on red on blue", "'on' stands here twice"},
        {"bad = red on bold", "'bold' is no colour; expected"},
        {"evil = red", "'evil' is no role; expected one of: text muted"},
        {"bad = \033[31m", "is no colour"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct theme theme;
        char content[256], problem[512];
        snprintf(content, sizeof content, "[colours]\nwarn = 99\n%s\nmuted = blue\n", ROWS[i].line);
        assert_int_equal(load(content, &theme, problem, sizeof problem), 1);
        assert_non_null(strstr(problem, ROWS[i].says));
        assert_null(strchr(problem, 033));
        assert_int_equal(theme.style[STYLE_WARN].fg.index, 99);
        assert_int_equal(theme.style[STYLE_MUTED].fg.index, 4);
        assert_int_equal(theme.style[STYLE_BAD].fg.index, 1); /* the default theme's */
    }
}

static void wrong_section(void **state)
{
    struct theme theme;
    char problem[512];
    (void)state;
    assert_int_equal(load("bad = blue\n", &theme, problem, sizeof problem), 1);
    assert_non_null(strstr(problem, "expected section [colours]"));
}

static void themes_equal(const struct theme *a, const struct theme *b)
{
    assert_string_equal(a->name, b->name);
    for (int i = 0; i < STYLE_COUNT; i++) {
        assert_int_equal(a->style[i].fg.kind, b->style[i].fg.kind);
        assert_int_equal(a->style[i].fg.index, b->style[i].fg.index);
        assert_int_equal(a->style[i].bg.kind, b->style[i].bg.kind);
        assert_int_equal(a->style[i].attributes, b->style[i].attributes);
    }
}

/* The files that are installed are without mistakes, and two of them are what is built in. */
static void shipped(void **state)
{
    static const char *const NAMES[] = {"default", "mono", "light", "high-contrast"};
    (void)state;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        char path[512];
        struct theme theme, own;
        struct conf_problems problems = {0};
        snprintf(path, sizeof path, "%s/%s.theme", themes_dir(), NAMES[i]);
        assert_int_equal(theme_load(path, NULL, &theme, &problems), STATUS_OK);
        assert_int_equal(problems.count, 0);
        assert_int_equal(theme.style[STYLE_TEXT].fg.kind, COLOUR_DEFAULT);
        assert_int_equal(theme.style[STYLE_TEXT].bg.kind, COLOUR_DEFAULT);
        if (i == 0)
            theme_default(&own);
        if (i == 1)
            theme_mono(&own);
        if (i < 2)
            themes_equal(&theme, &own);
        if (i == 1)
            for (int style = 0; style < STYLE_COUNT; style++)
                assert_int_equal(theme.style[style].fg.kind, COLOUR_DEFAULT);
    }
}

/* The user's folder comes before what is built in, that before what is installed. */
static void finds_by_name(void **state)
{
    char dir[200], path[400], themes[300];
    struct theme theme;
    struct conf_problems problems = {0};
    (void)state;
    dir_make(dir, sizeof dir);
    setenv("XDG_CONFIG_HOME", dir, 1);
    snprintf(path, sizeof path, "%s/probetop", dir);
    mkdir(path, 0700);
    snprintf(themes, sizeof themes, "%s/probetop/themes", dir);
    mkdir(themes, 0700);
    assert_int_equal(theme_load("mono", themes_dir(), &theme, &problems), STATUS_OK);
    assert_int_equal(theme_load("light", themes_dir(), &theme, &problems), STATUS_OK);
    assert_string_equal(theme.name, "light");
    assert_int_equal(theme_load("nosuch", themes_dir(), &theme, &problems), STATUS_NOT_FOUND);
    assert_int_equal(theme_load("", themes_dir(), &theme, &problems), STATUS_NOT_FOUND);
    snprintf(path, sizeof path, "%s/mine.theme", themes);
    file_write(path, "[colours]\nbad = 42\n");
    assert_int_equal(theme_load("mine", themes_dir(), &theme, &problems), STATUS_OK);
    assert_int_equal(theme.style[STYLE_BAD].fg.index, 42);
    char **names = theme_names(themes_dir());
    static const char *const EXPECTED[] = {"default", "mono", "high-contrast", "light", "mine"};
    for (int i = 0; i < 5; i++) {
        assert_string_equal(names[i], EXPECTED[i]);
        mem_free(names[i]);
    }
    assert_null(names[5]);
    mem_free(names);
    assert_int_equal(problems.count, 0);
    unlink(path);
    rmdir(themes);
    snprintf(path, sizeof path, "%s/probetop", dir);
    rmdir(path);
    rmdir(dir);
    unsetenv("XDG_CONFIG_HOME");
}

static void colours_come_down(void **state)
{
    static const struct {
        struct colour colour;
        int colours, expected;
    } ROWS[] = {
        {{COLOUR_DEFAULT, 0, 0, 0, 0}, 256, -1},
        {{COLOUR_INDEX, 1, 0, 0, 0}, 8, 1},
        {{COLOUR_INDEX, 9, 0, 0, 0}, 8, 1},
        {{COLOUR_INDEX, 9, 0, 0, 0}, 16, 9},
        {{COLOUR_INDEX, 203, 0, 0, 0}, 256, 203},
        {{COLOUR_INDEX, 203, 0, 0, 0}, 16, 9}, /* a light red */
        {{COLOUR_INDEX, 196, 0, 0, 0}, 8, 1},
        {{COLOUR_INDEX, 21, 0, 0, 0}, 8, 4},
        {{COLOUR_INDEX, 5, 0, 0, 0}, 1 << 24, 5},
        {{COLOUR_INDEX, 196, 0, 0, 0}, 1 << 24, 0xff0000},
        {{COLOUR_RGB, 0, 0x10, 0x20, 0x30}, 1 << 24, 0x102030},
        {{COLOUR_RGB, 0, 255, 0, 0}, 256, 196},
        {{COLOUR_RGB, 0, 255, 255, 255}, 256, 231},
        {{COLOUR_RGB, 0, 128, 128, 128}, 256, 244},
        {{COLOUR_RGB, 0, 255, 255, 255}, 16, 15},
        {{COLOUR_RGB, 0, 0, 0, 0}, 8, 0},
        {{COLOUR_RGB, 0, 255, 0, 0}, 2, -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        assert_int_equal(theme_colour_down(&ROWS[i].colour, ROWS[i].colours), ROWS[i].expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(looks),         cmocka_unit_test(mistakes),
                                       cmocka_unit_test(wrong_section), cmocka_unit_test(shipped),
                                       cmocka_unit_test(finds_by_name), cmocka_unit_test(colours_come_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
