#include "tui/clipboard.h"

#include <string.h>

enum { SCREEN_CHUNK = 240 }; /* GNU screen drops a DCS of more than 256 bytes in its oldest versions */

static bool begins(const char *string, const char *with)
{
    return strncmp(string, with, strlen(with)) == 0;
}

int clipboard_way(const char *term, const char *tmux, const char *sty)
{
    static const char *const CANNOT[] = {"dumb", "linux", "vt52", "vt1", "vt2", "ansi", "sun", "cons25", "emacs"};
    if (!term || !*term)
        return 0;
    for (size_t i = 0; i < sizeof CANNOT / sizeof CANNOT[0]; i++)
        if (begins(term, CANNOT[i]))
            return 0;
    bool in_tmux = tmux && *tmux, in_screen = sty && *sty;
    if (begins(term, "tmux") || (in_tmux && !in_screen))
        return CLIPBOARD_TMUX | CLIPBOARD_PLAIN;
    if (in_screen && !in_tmux)
        return CLIPBOARD_SCREEN;
    return begins(term, "screen") ? CLIPBOARD_SCREEN | CLIPBOARD_PLAIN : CLIPBOARD_PLAIN;
}

const char *clipboard_words(int way)
{
    return way == 0 ? "" : way & CLIPBOARD_TMUX ? "copied (if tmux has set-clipboard on)" : "copied";
}

static void base64_append(const char *bytes, size_t length, struct buf *out)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t at = 0; at < length; at += 3) {
        size_t taken = length - at < 3 ? length - at : 3;
        unsigned group = 0;
        for (size_t i = 0; i < 3; i++)
            group = group << 8 | (i < taken ? (unsigned char)bytes[at + i] : 0);
        for (size_t i = 0; i < 4; i++)
            buf_putc(out, i <= taken ? DIGITS[group >> (18 - 6 * i) & 63] : '=');
    }
}

/* Ended by BEL, which more terminals know as an end than ST, and which cannot end the DCS around it. */
static void osc52(const char *bytes, size_t length, struct buf *out)
{
    buf_puts(out, "\033]52;c;");
    base64_append(bytes, length, out);
    buf_putc(out, '\a');
}

/* tmux takes each escape character within as a doubled one. */
static void put_for_tmux(const struct buf *sequence, struct buf *out)
{
    buf_puts(out, "\033Ptmux;");
    for (size_t i = 0; i < sequence->len; i++) {
        if (sequence->data[i] == '\033')
            buf_putc(out, '\033');
        buf_putc(out, sequence->data[i]);
    }
    buf_puts(out, "\033\\");
}

static void put_for_screen(const struct buf *sequence, struct buf *out)
{
    for (size_t at = 0; at < sequence->len; at += SCREEN_CHUNK) {
        size_t left = sequence->len - at;
        buf_puts(out, "\033P");
        buf_append(out, sequence->data + at, left < SCREEN_CHUNK ? left : SCREEN_CHUNK);
        buf_puts(out, "\033\\");
    }
}

bool clipboard_sequence(int way, const char *bytes, size_t length, struct buf *out)
{
    struct buf sequence;
    if (way == 0 || length == 0 || length > CLIPBOARD_TEXT_MAX)
        return false;
    buf_init(&sequence, (size_t)2 * CLIPBOARD_TEXT_MAX);
    osc52(bytes, length, &sequence);
    if (way & CLIPBOARD_TMUX)
        put_for_tmux(&sequence, out);
    if (way & CLIPBOARD_SCREEN)
        put_for_screen(&sequence, out);
    if (way & CLIPBOARD_PLAIN)
        buf_append(out, sequence.data, sequence.len);
    buf_free(&sequence);
    return true;
}
