/* The gate for outside bytes: whatever comes in, only printable characters come out, of the width that is said. */
#include "base/text.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DOTS "\xe2\x80\xa6"
#define ACUTE "\xcc\x81"
#define WIDE "\xe6\x97\xa5" /* U+65E5, two columns */
#define TEN_ACUTES ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE

#define BYTES(literal) (literal), sizeof(literal) - 1

enum { PLAIN = 0, ESCAPED = 1, CUT = 2 };

static const struct {
    const char *bytes;
    size_t length;
    size_t max;
    const char *expected;
    uint32_t cells;
    int flags;
} rows[] = {
    /* nothing to do */
    {BYTES(""), 10, "", 0, PLAIN},
    {BYTES("plain"), 10, "plain", 5, PLAIN},
    {BYTES(" two  spaces "), 20, " two  spaces ", 13, PLAIN},
    {BYTES("back\\slash \\n"), 20, "back\\slash \\n", 13, PLAIN},
    {BYTES("caf\xc3\xa9"), 10, "caf\xc3\xa9", 4, PLAIN},
    {BYTES("\xce\xa9\xe2\x82\xac"), 10, "\xce\xa9\xe2\x82\xac", 2, PLAIN},
    {BYTES(WIDE WIDE), 10, WIDE WIDE, 4, PLAIN},
    {BYTES("\xf0\x9f\x98\x80!"), 10, "\xf0\x9f\x98\x80!", 3, PLAIN},
    {BYTES("\xea\xb0\x81"), 10, "\xea\xb0\x81", 2, PLAIN}, /* a Hangul syllable */
    /* escape sequences and other control bytes */
    {BYTES("\x1b[2J"), 20, "\\x1b[2J", 7, ESCAPED},
    {BYTES("\x1b]0;title\x07"), 40, "\\x1b]0;title\\x07", 16, ESCAPED},
    {BYTES("a\rb"), 20, "a\\rb", 4, ESCAPED},
    {BYTES("a\nb\tc"), 20, "a\\nb\\tc", 7, ESCAPED},
    {BYTES("a\0b"), 20, "a\\x00b", 6, ESCAPED},
    {BYTES("\0"), 20, "\\x00", 4, ESCAPED},
    {BYTES("\x7f\x08"), 20, "\\x7f\\x08", 8, ESCAPED},
    {BYTES("\xc2\x9b"
           "2J"),
     20, "\\u{9b}2J", 8, ESCAPED}, /* CSI in one character */
    {BYTES("\x9b"
           "2J"),
     20, "\\x9b2J", 6, ESCAPED}, /* and in one byte */
    {BYTES("\xc2\x85"), 20, "\\u{85}", 6, ESCAPED},
    /* what turns text around or cannot be seen */
    {BYTES("a\xe2\x80\xae"
           "b"),
     20, "a\\u{202e}b", 10, ESCAPED},
    {BYTES("\xe2\x81\xa6\xe2\x81\xa9"), 20, "\\u{2066}\\u{2069}", 16, ESCAPED},
    {BYTES("\xe2\x80\x8b"), 20, "\\u{200b}", 8, ESCAPED},
    {BYTES("\xe2\x80\x8d"), 20, "\\u{200d}", 8, ESCAPED},
    {BYTES("\xef\xbb\xbfx"), 20, "\\u{feff}x", 9, ESCAPED},
    {BYTES("\xc2\xad"), 20, "\\u{ad}", 6, ESCAPED},
    {BYTES("\xe3\x85\xa4"), 20, "\\u{3164}", 8, ESCAPED},
    {BYTES("\xe1\x85\x9f\xef\xbe\xa0"), 20, "\\u{115f}\\u{ffa0}", 16, ESCAPED},
    {BYTES("\xe2\xa0\x80"), 20, "\\u{2800}", 8, ESCAPED},
    {BYTES("a\xcd\x8f"), 20, "a\\u{34f}", 8, ESCAPED},
    {BYTES("a\xef\xb8\x8f"), 20, "a\\u{fe0f}", 9, ESCAPED},
    {BYTES("\xf3\xa0\x81\x81"), 20, "\\u{e0041}", 9, ESCAPED}, /* a tag character */
    {BYTES("\xee\x80\x80"), 20, "\\u{e000}", 8, ESCAPED},      /* private use */
    {BYTES("\xef\xbf\xbe"), 20, "\\u{fffe}", 8, ESCAPED},      /* no character */
    {BYTES("\xe2\x80\xa8\xe2\x80\xa9"), 20, "\\u{2028}\\u{2029}", 16, ESCAPED},
    /* no UTF-8 */
    {BYTES("\xff\xfe"), 20, "\\xff\\xfe", 8, ESCAPED},
    {BYTES("\xc0\xaf"), 20, "\\xc0\\xaf", 8, ESCAPED}, /* overlong "/" */
    {BYTES("\xe0\x80\xaf"), 20, "\\xe0\\x80\\xaf", 12, ESCAPED},
    {BYTES("\xed\xa0\x80"), 20, "\\xed\\xa0\\x80", 12, ESCAPED}, /* a lone surrogate */
    {BYTES("\xf4\x90\x80\x80"), 20, "\\xf4\\x90\\x80\\x80", 16, ESCAPED},
    {BYTES("x\xe6\x97"), 20, "x\\xe6\\x97", 9, ESCAPED}, /* broken off */
    {BYTES("\xe6\x97x"), 20, "\\xe6\\x97x", 9, ESCAPED},
    /* odd spaces */
    {BYTES("a\xc2\xa0"
           "b\xe3\x80\x80"
           "c"),
     20, "a b c", 5, PLAIN},
    {BYTES("\xe2\x80\x87\xe1\x9a\x80"), 20, "  ", 2, PLAIN},
    /* marks */
    {BYTES("e" ACUTE "x"), 20, "e" ACUTE "x", 2, PLAIN},
    {BYTES("e" TEN_ACUTES TEN_ACUTES TEN_ACUTES TEN_ACUTES TEN_ACUTES "x"), 20, "e" ACUTE ACUTE "x", 2, PLAIN},
    {BYTES(ACUTE "x"), 20, "\\u{301}x", 8, ESCAPED}, /* nothing to sit on */
    {BYTES("\x1b" ACUTE), 20, "\\x1b\\u{301}", 11, ESCAPED},
    {BYTES("\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8"), 20, "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8", 2, PLAIN}, /* jamo */
    /* cuts */
    {BYTES("1234567890"), 10, "1234567890", 10, PLAIN},
    {BYTES("12345678901"), 10, "123456789" DOTS, 10, CUT},
    {BYTES("ab"), 1, DOTS, 1, CUT},
    {BYTES("a"), 1, "a", 1, PLAIN},
    {BYTES("a"), 0, "", 0, CUT},
    {BYTES(WIDE), 1, DOTS, 1, CUT},
    {BYTES("abc" WIDE), 4, "abc" DOTS, 4, CUT},
    {BYTES("ab" WIDE "x"), 4, "ab" DOTS, 3, CUT}, /* half of a wide character is no place to cut at */
    {BYTES("ab" WIDE), 4, "ab" WIDE, 4, PLAIN},
    {BYTES("abc\x1b"), 5, "abc" DOTS, 4, CUT}, /* nor is the middle of an escape */
    {BYTES("abcd" ACUTE), 4, "abcd" ACUTE, 4, PLAIN},
    {BYTES("abcd" ACUTE "e"), 4, "abc" DOTS, 4, CUT},
    {BYTES("\x1b\x1b\x1b"), 9, "\\x1b\\x1b" DOTS, 9, ESCAPED | CUT},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text text = {0};
        text_set_str(&text, "what was there before", TEXT_LINE);
        /* A copy of exact length, so that reading past the end is seen. */
        char *bytes = mem_resize(NULL, rows[i].length, 1);
        memcpy(bytes, rows[i].bytes, rows[i].length);
        text_set(&text, bytes, rows[i].length, rows[i].max);
        mem_free(bytes);
        assert_string_equal(text_str(&text), rows[i].expected);
        assert_int_equal(text.len, strlen(rows[i].expected));
        assert_int_equal(text.cells, rows[i].cells);
        assert_int_equal(text.escaped, (rows[i].flags & ESCAPED) != 0);
        assert_int_equal(text.cut, (rows[i].flags & CUT) != 0);
        assert_int_equal(text_columns(text_str(&text), text.len), text.cells);
        text_free(&text);
        assert_true(text_empty(&text));
    }
}

/* A small generator of our own, so that a failure can be run again. */
static uint32_t random_next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

/* Pieces that hurt, one after the other at random. */
static size_t hostile_bytes(uint64_t *seed, char *out, size_t size)
{
    size_t length = 0;
    size_t pieces = random_next(seed) % 30;
    for (size_t i = 0; i < pieces; i++) {
        size_t row = random_next(seed) % (sizeof rows / sizeof rows[0]);
        if (random_next(seed) % 4 == 0 && length < size) {
            out[length++] = (char)random_next(seed);
        } else if (rows[row].length <= size - length) {
            memcpy(out + length, rows[row].bytes, rows[row].length);
            length += rows[row].length;
        }
    }
    return length;
}

static void check_clean(const struct text *text, size_t max)
{
    const char *string = text_str(text);
    assert_true(text->cells <= max);
    assert_int_equal(strlen(string), text->len);
    assert_int_equal(text_columns(string, text->len), text->cells);
    for (size_t i = 0; i < text->len; i++)
        assert_true((unsigned char)string[i] >= 0x20 && string[i] != 0x7f);
    /* Cleaning what is clean changes nothing. */
    struct text again = {0};
    text_set(&again, string, text->len, max);
    assert_true(text_equal(&again, text));
    assert_int_equal(again.cells, text->cells);
    assert_false(again.escaped);
    text_free(&again);
}

static void test_hostile_mixtures(void **state)
{
    (void)state;
    uint64_t seed = 1;
    struct text text = {0};
    for (int i = 0; i < 20000; i++) {
        char bytes[1024];
        size_t length = hostile_bytes(&seed, bytes, sizeof bytes);
        size_t max = random_next(&seed) % 60;
        text_set(&text, bytes, length, max);
        check_clean(&text, max);
        if (text.cut && max > 0)
            assert_string_equal(text_str(&text) + text.len - 3, DOTS);
    }
    text_free(&text);
}

/* The fast way and the slow way over ASCII agree, wherever the odd byte stands. */
static void test_ascii_positions(void **state)
{
    (void)state;
    static const char odd[] = {'\x1f', '\x7f', '\x80', '\xff', '\x00', ' ', '~'};
    struct text text = {0};
    for (size_t length = 1; length < 40; length++) {
        for (size_t at = 0; at < length; at++) {
            for (size_t k = 0; k < sizeof odd; k++) {
                char bytes[40];
                memset(bytes, 'x', length);
                bytes[at] = odd[k];
                text_set(&text, bytes, length, 100);
                bool printable = odd[k] == ' ' || odd[k] == '~';
                assert_int_equal(text.escaped, !printable);
                assert_int_equal(text.len, printable ? length : length + 3);
                assert_int_equal(text_str(&text)[at], printable ? odd[k] : '\\');
            }
        }
    }
    text_free(&text);
}

static void test_own_bytes(void **state)
{
    (void)state;
    struct text text = {0};
    text_set_str(&text, "ab\x1b", 10);
    text_set_str(&text, text_str(&text), 4);
    assert_string_equal(text_str(&text), "ab\\" DOTS);
    text_set(&text, text.bytes + 1, 1, 10);
    assert_string_equal(text_str(&text), "b");
    text_printf(&text, 10, "%s%s", text_str(&text), text_str(&text));
    assert_string_equal(text_str(&text), "bb");
    text_copy(&text, &text);
    text_move(&text, &text);
    assert_string_equal(text_str(&text), "bb");
    text_free(&text);
}

static void test_owning(void **state)
{
    (void)state;
    struct text a = {0}, b = {0}, empty = {0};
    text_set_str(&a, NULL, 10);
    assert_string_equal(text_str(&a), "");
    assert_true(text_equal(&a, &empty));
    assert_true(text_is(&a, ""));
    text_set_str(&a, "x\ty", 10);
    text_copy(&b, &a);
    assert_true(text_equal(&a, &b));
    assert_true(b.escaped);
    assert_ptr_not_equal(a.bytes, b.bytes);
    text_move(&b, &a);
    assert_true(text_empty(&a));
    assert_true(text_is(&b, "x\\ty"));
    assert_false(text_is(&b, "x"));
    assert_false(text_equal(&a, &b));
    text_copy(&b, &empty);
    assert_true(text_empty(&b));
    assert_null(b.bytes);
    text_free(&b);
}

static void test_printf(void **state)
{
    (void)state;
    struct text text = {0};
    char large[3000];
    memset(large, 'z', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    text_printf(&text, TEXT_BODY, "%d %s", 5, "\x1b");
    assert_string_equal(text_str(&text), "5 \\x1b");
    text_printf(&text, TEXT_BODY, "<%s>", large);
    assert_int_equal(text.cells, 3001);
    assert_int_equal(text_str(&text)[3000], '>');
    for (size_t length = 500; length < 520; length++) { /* around its own first buffer */
        text_printf(&text, TEXT_BODY, "%.*s", (int)length, large);
        assert_int_equal(text.len, length);
    }
    text_free(&text);
}

static void test_glyph(void **state)
{
    (void)state;
    static const struct {
        const char *utf8;
        struct glyph glyph;
    } glyphs[] = {
        {"a", {.codepoint = {'a'}, .columns = 1, .bytes = 1}},
        {"ab", {.codepoint = {'a'}, .columns = 1, .bytes = 1}},
        {"e" ACUTE ACUTE ACUTE, {.codepoint = {'e', 0x301, 0x301}, .columns = 1, .bytes = 5}},
        {WIDE "x", {.codepoint = {0x65e5}, .columns = 2, .bytes = 3}},
        {DOTS, {.codepoint = {0x2026}, .columns = 1, .bytes = 3}},
        {"\xff", {.codepoint = {'?'}, .columns = 1, .bytes = 1}},
        {"a\xff", {.codepoint = {'a'}, .columns = 1, .bytes = 1}},
        {"\xe6\x97", {.codepoint = {'?'}, .columns = 1, .bytes = 1}},
        {"\xe2\x94\x80", {.codepoint = {0x2500}, .columns = 1, .bytes = 3}}, /* our own lines and blocks */
        {"\xe2\x96\x88", {.codepoint = {0x2588}, .columns = 1, .bytes = 3}},
    };
    for (size_t i = 0; i < sizeof glyphs / sizeof glyphs[0]; i++) {
        struct glyph glyph;
        assert_int_equal(text_glyph(glyphs[i].utf8, strlen(glyphs[i].utf8), &glyph), glyphs[i].glyph.bytes);
        assert_int_equal(glyph.bytes, glyphs[i].glyph.bytes);
        assert_int_equal(glyph.columns, glyphs[i].glyph.columns);
        assert_memory_equal(glyph.codepoint, glyphs[i].glyph.codepoint, sizeof glyph.codepoint);
    }
    struct glyph glyph;
    assert_int_equal(text_glyph("a", 0, &glyph), 0);
}

static void test_middle(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t columns;
        bool ascii;
        const char *expected;
    } cuts[] = {
        {"decode-6d8f9c-abcde", 19, false, "decode-6d8f9c-abcde"},
        {"decode-6d8f9c-abcde", 18, false, "decode-6" DOTS "f9c-abcde"},
        {"decode-6d8f9c-abcde", 11, false, "decod" DOTS "abcde"},
        {"decode-6d8f9c-abcde", 11, true, "deco..abcde"},
        {"decode-6d8f9c-abcde", 3, false, "d" DOTS "e"},
        {"decode-6d8f9c-abcde", 3, true, "..e"},
        {"decode-6d8f9c-abcde", 2, true, ".."},
        {"decode-6d8f9c-abcde", 1, true, "."},
        {"decode-6d8f9c-abcde", 1, false, DOTS},
        {"decode-6d8f9c-abcde", 0, false, ""},
        {"", 5, false, ""},
        {WIDE WIDE WIDE, 6, false, WIDE WIDE WIDE},
        {WIDE WIDE WIDE, 5, false, WIDE DOTS WIDE},
        {WIDE WIDE WIDE, 4, false, DOTS WIDE},
    };
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        struct text text = {0};
        char out[128];
        text_set_str(&text, cuts[i].name, TEXT_NAME);
        assert_string_equal(text_middle(&text, cuts[i].columns, cuts[i].ascii, out, 4 * cuts[i].columns + 4),
                            cuts[i].expected);
        text_free(&text);
    }
}

/* The promised room is enough for anything, marks and all. */
static void test_middle_never_overflows(void **state)
{
    (void)state;
    uint64_t seed = 7;
    struct text text = {0};
    for (int i = 0; i < 5000; i++) {
        char bytes[1024];
        size_t length = hostile_bytes(&seed, bytes, sizeof bytes);
        size_t columns = random_next(&seed) % 40;
        bool ascii = random_next(&seed) % 2 == 0;
        size_t size = 4 * columns + 4;
        char *out = mem_new(size);
        text_set(&text, bytes, length, TEXT_LINE);
        text_middle(&text, columns, ascii, out, size);
        assert_true(strlen(out) < size);
        assert_true(text_columns(out, strlen(out)) <= columns);
        mem_free(out);
    }
    const char *heavy = "e\xf0\x9d\x85\xa7\xf0\x9d\x85\xa7"; /* a letter with two marks of four bytes */
    char many[9 * 20 + 1] = "";
    for (int i = 0; i < 20; i++)
        memcpy(many + 9 * i, heavy, 9);
    text_set(&text, many, 9 * 20, TEXT_LINE);
    char *out = mem_new(4 * 20 + 4);
    text_middle(&text, 20, false, out, 4 * 20 + 4);
    assert_int_equal(text.cells, 20);
    assert_int_equal(text_columns(out, strlen(out)), 20);
    text_middle(&text, 10, false, out, 4 * 10 + 4);
    assert_int_equal(text_columns(out, strlen(out)), 10);
    mem_free(out);
    text_free(&text);
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
        size_t cells;
    } blocks[] = {
        {"", "", 0},
        {"a: 1\n  b: 2\n", "a: 1\n  b: 2\n", 6},
        {"one\n\nthree", "one\n\nthree", 5},
        {"\n", "\n", 0},
        {"x\ty\r\nz\x1b[2J", "x\\ty\\r\nz\\x1b[2J", 8},
        {"longer than twelve\nno", "longer than\xe2\x80\xa6\nno", 12},
    };
    struct text text = {0};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        text_set_lines(&text, blocks[i].in, strlen(blocks[i].in), 12);
        assert_string_equal(text_str(&text), blocks[i].out);
        assert_int_equal(text.len, strlen(blocks[i].out));
        assert_int_equal(text.cells, blocks[i].cells);
    }
    text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_hostile_mixtures),
        cmocka_unit_test(test_ascii_positions),
        cmocka_unit_test(test_own_bytes),
        cmocka_unit_test(test_owning),
        cmocka_unit_test(test_printf),
        cmocka_unit_test(test_glyph),
        cmocka_unit_test(test_middle),
        cmocka_unit_test(test_middle_never_overflows),
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
