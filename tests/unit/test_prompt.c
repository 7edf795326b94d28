#include "tui/keymap.h"
#include "tui/prompt.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void type(struct prompt *prompt, const char *keys)
{
    for (; *keys; keys++) {
        int key = *keys == '<'   ? KEY_LEFT_
                  : *keys == '>' ? KEY_RIGHT_
                  : *keys == '#' ? KEY_BACKSPACE_
                  : *keys == '~' ? KEY_DELETE_
                  : *keys == '[' ? KEY_HOME_
                  : *keys == ']' ? KEY_END_
                                 : *keys;
        assert_int_equal(prompt_key(prompt, key), PROMPT_CHANGED);
    }
}

static void edits(void **state)
{
    static const struct {
        const char *start, *keys, *value;
    } ROWS[] = {
        {"", "abc", "abc"},           {"abc", "#", "ab"},
        {"abc", "<#x", "axc"},        {"abc", "<<~", "ac"},
        {"abc", "[x]y", "xabcy"},     {"abc", "[#", "abc"},
        {"abc", "~", "abc"},          {"abc", "<<<<<<x>>>>>>y", "xabcy"},
        {"one two ", "\x17", "one "}, {"one two", "<\x15", "o"},
        {"h\xC3\xA9", "#", "h"},      {"", "##", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct prompt prompt;
        char value[4 * PROMPT_CHARACTERS_MAX + 1];
        prompt_open(&prompt, "/", ROWS[i].start);
        type(&prompt, ROWS[i].keys);
        assert_string_equal(prompt_value(&prompt, value, sizeof value), ROWS[i].value);
    }
}

static void ends(void **state)
{
    struct prompt prompt;
    (void)state;
    prompt_open(&prompt, "/", "x");
    assert_int_equal(prompt_key(&prompt, KEY_F1_), PROMPT_NOTHING);
    assert_int_equal(prompt_key(&prompt, 2), PROMPT_NOTHING);
    assert_true(prompt.open);
    assert_int_equal(prompt_key(&prompt, KEY_ENTER_), PROMPT_ACCEPTED);
    assert_false(prompt.open);
    prompt_open(&prompt, "/", "x");
    assert_int_equal(prompt_key(&prompt, KEY_ESCAPE_), PROMPT_CANCELLED);
    assert_false(prompt.open);
}

static void is_bounded(void **state)
{
    struct prompt prompt;
    char value[4 * PROMPT_CHARACTERS_MAX + 1];
    (void)state;
    prompt_open(&prompt, "/", "");
    for (int i = 0; i < 10 * PROMPT_CHARACTERS_MAX; i++)
        prompt_key(&prompt, 0x1F600);
    assert_int_equal(strlen(prompt_value(&prompt, value, sizeof value)), 4 * PROMPT_CHARACTERS_MAX);
}

/* What was typed is cleaned like everything from outside, and the cursor stays in sight. */
static void paints(void **state)
{
    static const struct {
        const char *value, *keys, *picture;
    } ROWS[] = {{"abc", "", " /abc\n"},
                {"a\xE2\x80\xAE"
                 "b",
                 "", " /a\\u{202e}b\n"},
                {"0123456789abcdefghijklmnop", "", " /abcdefghijklmnop\n"},
                {"0123456789abcdefghijklmnop", "[", " /0123456789abcdefgh\n"}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct prompt prompt;
        struct canvas canvas;
        struct buf out;
        int reversed = 0;
        canvas_init(&canvas, 20, 1, false);
        buf_init(&out, 4096);
        prompt_open(&prompt, "/", ROWS[i].value);
        type(&prompt, ROWS[i].keys);
        prompt_paint(&prompt, &canvas, 0);
        canvas_dump(&canvas, false, &out);
        assert_string_equal(buf_str(&out), ROWS[i].picture);
        for (int column = 0; column < 20; column++)
            reversed += canvas.cells[column].attributes == ATTR_REVERSE;
        assert_int_equal(reversed, 1);
        buf_free(&out);
        canvas_free(&canvas);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(edits), cmocka_unit_test(ends), cmocka_unit_test(is_bounded),
                                       cmocka_unit_test(paints)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
