#include "report/plain.h"

#include "base/text.h"

#include <string.h>

void report_plain(const char *utf8, bool ascii, struct buf *out)
{
    struct glyph glyph;
    size_t length = strlen(utf8), taken;
    if (!ascii) {
        buf_puts(out, utf8);
        return;
    }
    for (size_t at = 0; (taken = text_glyph(utf8 + at, length - at, &glyph)) > 0; at += taken)
        if (glyph.codepoint[0] == 0x2013)
            buf_putc(out, '-');
        else
            buf_putc(out, glyph.codepoint[0] < 0x80 ? (char)glyph.codepoint[0] : '?');
}
