/* The terminal's clipboard, over SSH too: OSC 52, wrapped for what stands between us and the terminal. Pure: bytes out, nothing written.
 *
 * No answer comes back, so nobody can know that it arrived: terminals may ignore it, and tmux passes it on only with `set -s set-clipboard on` (its own default is not that) or `allow-passthrough on`. Whoever copies shows the text too. */
#ifndef PROBETOP_CLIPBOARD_H
#define PROBETOP_CLIPBOARD_H

#include "base/buf.h"

/* How the sequence gets to the terminal: bits. 0: the terminal cannot. */
enum clipboard_way {
    CLIPBOARD_PLAIN = 1,
    CLIPBOARD_TMUX = 2,  /* in a DCS that tmux passes on */
    CLIPBOARD_SCREEN = 4 /* in several, since GNU screen holds only short ones */
};
/* By $TERM, $TMUX and $STY; each may be NULL. Over SSH only TERM is left, and "screen" is what older tmuxes call themselves too. Where one runs in the other both variables are there, and
 * a GNU screen would show what is wrapped for tmux. */
int clipboard_way(const char *term, const char *tmux, const char *sty);
/* What can truly be said of a text that was sent that way: "copied", with the condition where there is one; "" with no way. */
const char *clipboard_words(int way);

enum {
    CLIPBOARD_TEXT_MAX = 74994 /* whose base64 the terminals with the least room for it still take */
};
/* Appends what puts the text on the clipboard. False, and nothing appended, when there is no way, nothing to copy, or too much of it. */
bool clipboard_sequence(int way, const char *bytes, size_t length, struct buf *out);

#endif
