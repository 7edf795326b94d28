#include "report/markdown.h"

#include <string.h>

/* What makes a list or a line of a paragraph's beginning: "- ", "+ ", "12. ", "===". */
static const char *put_beginning(const char *utf8, struct buf *out)
{
    const char *at = utf8 + strspn(utf8, "0123456789");
    bool number = at > utf8 && (*at == '.' || *at == ')') && (at[1] == ' ' || at[1] == '\0'); /* not 10.0.0.1 */
    if (!number && *utf8 != '-' && *utf8 != '+' && *utf8 != '=')
        return utf8;
    at = number ? at : utf8;
    buf_append(out, utf8, (size_t)(at - utf8));
    buf_putc(out, '\\');
    buf_putc(out, *at);
    return at + 1;
}

void markdown_words(const char *utf8, struct buf *out)
{
    static const char MARKUP[] = "\\`*_{}[]<>#|~&!$";
    utf8 = put_beginning(utf8, out);
    for (; *utf8; utf8++) {
        if (*utf8 == '@') { /* an escaped one would still call somebody */
            buf_puts(out, "`@`");
            continue;
        }
        if (strchr(MARKUP, *utf8))
            buf_putc(out, '\\');
        buf_putc(out, *utf8);
        if (strncmp(utf8, "://", 3) == 0) /* no link */
            buf_puts(out, "<!-- -->");
    }
}

/* The longest row of backticks in it. */
static size_t backticks(const char *utf8)
{
    size_t longest = 0, row = 0;
    for (; *utf8; utf8++) {
        row = *utf8 == '`' ? row + 1 : 0;
        longest = row > longest ? row : longest;
    }
    return longest;
}

static void put_many(struct buf *out, char byte, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_putc(out, byte);
}

void markdown_code(const char *utf8, struct buf *out)
{
    size_t row = backticks(utf8) + 1;
    /* A blank inside where a backtick would touch the row; renderers take it away. */
    bool apart = utf8[0] == '`' || (utf8[0] && utf8[strlen(utf8) - 1] == '`');
    put_many(out, '`', row);
    buf_puts(out, apart ? " " : "");
    buf_puts(out, utf8[0] ? utf8 : " ");
    buf_puts(out, apart ? " " : "");
    put_many(out, '`', row);
}

void markdown_block(const char *utf8, const char *language, struct buf *out)
{
    enum { SHORTEST = 3 };
    size_t row = backticks(utf8) + 1;
    row = row < SHORTEST ? SHORTEST : row;
    put_many(out, '`', row);
    buf_printf(out, "%s\n", language);
    while (*utf8) {
        size_t length = strcspn(utf8, "\n");
        buf_append(out, utf8, length);
        buf_putc(out, '\n');
        utf8 += length + (utf8[length] == '\n');
    }
    put_many(out, '`', row);
    buf_putc(out, '\n');
}
