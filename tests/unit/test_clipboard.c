/* Sequences for the clipboard, literally, and who gets which. */
#include "tui/clipboard.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { ROOM = 1 << 20 };

static void ways(void **state)
{
    static const struct {
        const char *term, *tmux, *sty;
        int way;
    } ROWS[] = {
        {"xterm-256color", NULL, NULL, CLIPBOARD_PLAIN},
        {"xterm", "", "", CLIPBOARD_PLAIN},
        {"foot", NULL, NULL, CLIPBOARD_PLAIN},
        {"tmux-256color", "/tmp/tmux-0/default,1,0", NULL, CLIPBOARD_TMUX | CLIPBOARD_PLAIN},
        {"tmux-256color", NULL, NULL, CLIPBOARD_TMUX | CLIPBOARD_PLAIN},
        {"screen-256color", "/tmp/tmux-0/default,1,0", NULL, CLIPBOARD_TMUX | CLIPBOARD_PLAIN},
        {"screen.xterm-256color", NULL, "1234.pts-0.host", CLIPBOARD_SCREEN},
        {"screen", NULL, NULL, CLIPBOARD_SCREEN | CLIPBOARD_PLAIN},
        /* one in the other: which is the inner one is not known, unless tmux says its name */
        {"screen", "/tmp/tmux-0/default,1,0", "1234.pts-0.host", CLIPBOARD_SCREEN | CLIPBOARD_PLAIN},
        {"tmux-256color", "/tmp/tmux-0/default,1,0", "1234.pts-0.host", CLIPBOARD_TMUX | CLIPBOARD_PLAIN},
        {"dumb", NULL, NULL, 0},
        {"dumb", "/tmp/tmux-0/default,1,0", NULL, 0},
        {"linux", NULL, NULL, 0},
        {"vt100", NULL, NULL, 0},
        {"vt220", NULL, NULL, 0},
        {"", NULL, NULL, 0},
        {NULL, "/tmp/tmux-0/default,1,0", NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        assert_int_equal(clipboard_way(ROWS[i].term, ROWS[i].tmux, ROWS[i].sty), ROWS[i].way);
    assert_string_equal(clipboard_words(0), "");
    assert_string_equal(clipboard_words(CLIPBOARD_PLAIN), "copied");
    assert_non_null(strstr(clipboard_words(CLIPBOARD_TMUX | CLIPBOARD_PLAIN), "set-clipboard on"));
}

static void sequences(void **state)
{
    static const struct {
        int way;
        const char *text, *bytes;
    } ROWS[] = {
        {CLIPBOARD_PLAIN, "decode-0", "\033]52;c;ZGVjb2RlLTA=\a"},
        {CLIPBOARD_PLAIN, "a", "\033]52;c;YQ==\a"},
        {CLIPBOARD_PLAIN, "abc", "\033]52;c;YWJj\a"},
        {CLIPBOARD_PLAIN, "\xC3\xBF\xFB\xFF", "\033]52;c;w7/7/w==\a"},
        {CLIPBOARD_TMUX, "decode-0", "\033Ptmux;\033\033]52;c;ZGVjb2RlLTA=\a\033\\"},
        {CLIPBOARD_SCREEN, "decode-0", "\033P\033]52;c;ZGVjb2RlLTA=\a\033\\"},
        {CLIPBOARD_TMUX | CLIPBOARD_PLAIN, "a", "\033Ptmux;\033\033]52;c;YQ==\a\033\\\033]52;c;YQ==\a"},
        /* What would end the sequence early is only letters and digits by then. */
        {CLIPBOARD_PLAIN, "\a\033\\\033]0;owned\a", "\033]52;c;BxtcG10wO293bmVkBw==\a"},
    };
    struct buf out;
    (void)state;
    buf_init(&out, ROOM);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        buf_clear(&out);
        assert_true(clipboard_sequence(ROWS[i].way, ROWS[i].text, strlen(ROWS[i].text), &out));
        assert_string_equal(buf_str(&out), ROWS[i].bytes);
    }
    buf_free(&out);
}

/* Each piece is short enough for GNU screen, and together they are the plain sequence. */
static void screen_in_pieces(void **state)
{
    static char text[CLIPBOARD_TEXT_MAX + 1];
    struct buf plain, pieces, joined;
    (void)state;
    buf_init(&plain, ROOM);
    buf_init(&pieces, ROOM);
    buf_init(&joined, ROOM);
    memset(text, 'x', sizeof text);
    assert_true(clipboard_sequence(CLIPBOARD_PLAIN, text, 1000, &plain));
    assert_true(clipboard_sequence(CLIPBOARD_SCREEN, text, 1000, &pieces));
    for (const char *at = buf_str(&pieces); *at;) {
        const char *end = strstr(at, "\033\\");
        assert_non_null(end);
        assert_memory_equal(at, "\033P", 2);
        assert_in_range(end - at, 3, 254);
        buf_append(&joined, at + 2, (size_t)(end - at - 2));
        at = end + 2;
    }
    assert_string_equal(buf_str(&joined), buf_str(&plain));
    buf_free(&plain);
    buf_free(&pieces);
    buf_free(&joined);
}

static void bounds(void **state)
{
    static char text[CLIPBOARD_TEXT_MAX + 1];
    struct buf out;
    (void)state;
    buf_init(&out, ROOM);
    memset(text, 'x', sizeof text);
    assert_false(clipboard_sequence(0, "a", 1, &out));
    assert_false(clipboard_sequence(CLIPBOARD_PLAIN, "", 0, &out));
    assert_false(clipboard_sequence(CLIPBOARD_PLAIN, text, sizeof text, &out));
    assert_int_equal(out.len, 0);
    assert_true(clipboard_sequence(CLIPBOARD_PLAIN, text, CLIPBOARD_TEXT_MAX, &out));
    assert_int_equal(out.len, 7 + CLIPBOARD_TEXT_MAX / 3 * 4 + 1);
    assert_true(out.len <= 100000); /* what the terminals with the least room take */
    assert_false(out.truncated);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ways), cmocka_unit_test(sequences),
                                       cmocka_unit_test(screen_in_pieces), cmocka_unit_test(bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
