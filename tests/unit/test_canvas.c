#include "tui/canvas.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void expect(const struct canvas *canvas, bool styles, const char *picture)
{
    struct buf out;
    buf_init(&out, 1 << 16);
    canvas_dump(canvas, styles, &out);
    assert_string_equal(buf_str(&out), picture);
    buf_free(&out);
}

static void text_of(struct text *text, const char *bytes)
{
    text_set_str(text, bytes, TEXT_LINE);
}

static void puts_clips(void **state)
{
    static const struct {
        int row, column, limit, after;
        const char *words, *picture;
    } ROWS[] = {
        {0, 0, 10, 2, "ab", "ab\n\n"},
        {1, 2, 10, 4, "ab", "\n  ab\n"},
        {0, 4, 10, 6, "abcd", "    ab\n\n"}, /* the edge */
        {0, 0, 3, 3, "abcd", "abc\n\n"},     /* the limit */
        {0, -2, 10, 2, "abcd", "cd\n\n"},    /* left of it */
        {5, 0, 10, 4, "abcd", "\n\n"},       /* below it */
        {-1, 0, 10, 4, "abcd", "\n\n"},      /* above it */
        {0, 9, 10, 9, "abcd", "\n\n"},       /* right of it */
        {0, 0, 0, 0, "abcd", "\n\n"},
        {0, 0, -3, 0, "abcd", "\n\n"},
        {0, 4, 10, 6, "\xE6\xBC\xA2x", "    漢\n\n"},
        {0, 5, 10, 6, "\xE6\xBC\xA2x", "\n\n"}, /* half of it: a blank */
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct canvas canvas;
        canvas_init(&canvas, 6, 2, false);
        int after = canvas_puts(&canvas, ROWS[i].row, ROWS[i].column, ROWS[i].limit, STYLE_TEXT, ROWS[i].words);
        assert_int_equal(after, ROWS[i].after);
        expect(&canvas, false, ROWS[i].picture);
        canvas_free(&canvas);
    }
}

static void text_is_cut(void **state)
{
    static const struct {
        bool ascii;
        int limit;
        const char *bytes, *picture;
    } ROWS[] = {
        {false, 6, "abcdef", "abcdef\n"},
        {false, 5, "abcdef", "abcd…\n"},
        {false, 1, "abcdef", "…\n"},
        {true, 5, "abcdef", "abc..\n"},
        {true, 8,
         "a\xE2\x86\x92"
         "b\xC3\xA9",
         "a->b?\n"}, /* our own sign, and somebody's letter */
        {true, 8, "\xE6\xBC\xA2+", "??+\n"},
        {false, 4, "\xE6\xBC\xA2\xE6\xBC\xA2\xE6\xBC\xA2", "漢…\n"}, /* half a character is none */
        {false, 12, "a\033[31mb", "a\\x1b[31mb\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct canvas canvas;
        struct text text = {0};
        canvas_init(&canvas, 16, 1, ROWS[i].ascii);
        text_of(&text, ROWS[i].bytes);
        canvas_text(&canvas, 0, 0, ROWS[i].limit, STYLE_TEXT, &text);
        expect(&canvas, false, ROWS[i].picture);
        text_free(&text);
        canvas_free(&canvas);
    }
}

static void escapes_have_their_style(void **state)
{
    struct canvas canvas;
    struct text text = {0};
    (void)state;
    canvas_init(&canvas, 20, 1, false);
    text_of(&text, "a\033b\n\xE2\x80\xAE"
                   "c");
    canvas_text(&canvas, 0, 0, 20, STYLE_TEXT, &text);
    expect(&canvas, true, "a\\x1bb\\n\\u{202e}c\n.xxxx.xxxxxxxxxx.\n");
    canvas_clear(&canvas);
    text_of(&text, "C:\\x41"); /* nothing was escaped: a backslash is a backslash */
    canvas_text(&canvas, 0, 0, 20, STYLE_TEXT, &text);
    expect(&canvas, true, "C:\\x41\n......\n");
    text_free(&text);
    canvas_free(&canvas);
}

static void wide_halves_go_together(void **state)
{
    struct canvas canvas;
    (void)state;
    canvas_init(&canvas, 6, 1, false);
    canvas_puts(&canvas, 0, 0, 6, STYLE_TEXT, "漢漢漢");
    canvas_puts(&canvas, 0, 1, 1, STYLE_TEXT, "x"); /* onto a right half */
    canvas_puts(&canvas, 0, 4, 1, STYLE_TEXT, "y"); /* onto a left half */
    expect(&canvas, false, " x漢y\n");
    canvas_free(&canvas);
}

static void wraps_between_words(void **state)
{
    struct canvas canvas;
    struct text text = {0};
    (void)state;
    canvas_init(&canvas, 12, 4, false);
    text_of(&text, "one two three fourfivesixseven eight");
    assert_int_equal(canvas_wrap(&canvas, 0, 1, 10, 4, STYLE_TEXT, &text), 4);
    expect(&canvas, false, " one two\n three\n fourfivesi\n xseven ei…\n");
    canvas_clear(&canvas);
    assert_int_equal(canvas_wrap(&canvas, 0, 1, 10, 1, STYLE_TEXT, &text), 1);
    expect(&canvas, false, " one two t…\n\n\n\n");
    assert_int_equal(canvas_wrap(&canvas, -9, 1, 10, 9, STYLE_TEXT, &text), 5); /* measuring */
    text_of(&text, "");
    assert_int_equal(canvas_wrap(&canvas, 0, 1, 10, 4, STYLE_TEXT, &text), 1);
    text_free(&text);
    canvas_free(&canvas);
}

static void aligns_fills_and_lays_over(void **state)
{
    struct canvas canvas;
    struct text name = {0};
    (void)state;
    canvas_init(&canvas, 16, 3, false);
    canvas_right(&canvas, 0, 2, 6, STYLE_BAD, "9ms");
    canvas_right(&canvas, 0, 8, 2, STYLE_WARN, "long");
    canvas_fill(&canvas, 1, 1, 4, STYLE_MUTED, "─");
    text_of(&name, "decode-7f9c-x2k4q");
    canvas_name(&canvas, 2, 0, 11, STYLE_STRONG, &name);
    canvas_row_style(&canvas, 1, STYLE_SELECTED);
    expect(&canvas, true,
           "     9mslo\n ────\ndecod…x2k4q\n"
           ".....bbbww\n:MMMM:::::::::::\nsssssssssss\n");
    text_free(&name);
    canvas_free(&canvas);
}

/* The end of the workload's name and the pod's own end stay, and as much of the hash between them as there is room for. */
static void names_keep_what_tells_pods_apart(void **state)
{
    static const struct {
        const char *name;
        int width;
        bool ascii;
        const char *cut;
    } ROWS[] = {{"decode-79867f946d-s9wf2", 23, false, "decode-79867f946d-s9wf2"},
                {"decode-79867f946d-s9wf2", 17, false, "decode-7986…s9wf2"},
                {"decode-79867f946d-s9wf2", 12, false, "decode…s9wf2"},
                {"decode-79867f946d-s9wf2", 17, true, "decode-798..s9wf2"},
                {"decode-llama-3-70b-a-79867f946d-s9wf2", 17, false, "decod…70b-a…s9wf2"},
                {"decode-llama-3-70b-a-79867f946d-s9wf2", 10, false, "deco…s9wf2"},
                {"some-other-pods-name-0", 11, false, "some-…ame-0"},
                {"a-statefulset-of-79867f946d-s9wf", 12, false, "a-sta…d-s9wf"}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct canvas canvas;
        struct text name = {0};
        char picture[96];
        canvas_init(&canvas, 40, 1, ROWS[i].ascii);
        text_of(&name, ROWS[i].name);
        canvas_name(&canvas, 0, 0, ROWS[i].width, STYLE_TEXT, &name);
        snprintf(picture, sizeof picture, "%s\n", ROWS[i].cut);
        expect(&canvas, false, picture);
        text_free(&name);
        canvas_free(&canvas);
    }
}

static void encodes(void **state)
{
    char bytes[5];
    (void)state;
    assert_int_equal(codepoint_utf8('a', bytes), 1);
    assert_int_equal(codepoint_utf8(0x7F, bytes), 1);
    assert_int_equal(codepoint_utf8(0xE9, bytes), 2);
    assert_string_equal(bytes, "é");
    assert_int_equal(codepoint_utf8(0x2713, bytes), 3);
    assert_string_equal(bytes, "✓");
    assert_int_equal(codepoint_utf8(0x1F600, bytes), 4);
    assert_string_equal(bytes, "\xF0\x9F\x98\x80");
}

static void sizes_are_bounded(void **state)
{
    struct canvas canvas;
    (void)state;
    canvas_init(&canvas, 0, -5, false);
    assert_int_equal(canvas.columns * canvas.rows, 1);
    canvas_resize(&canvas, 1 << 30, 1);
    assert_true(canvas.columns <= 4096);
    canvas_free(&canvas);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_clips),
        cmocka_unit_test(text_is_cut),
        cmocka_unit_test(escapes_have_their_style),
        cmocka_unit_test(wide_halves_go_together),
        cmocka_unit_test(wraps_between_words),
        cmocka_unit_test(aligns_fills_and_lays_over),
        cmocka_unit_test(names_keep_what_tells_pods_apart),
        cmocka_unit_test(encodes),
        cmocka_unit_test(sizes_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
