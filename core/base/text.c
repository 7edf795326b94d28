#include "base/text.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

static const char ellipsis[] = "\xe2\x80\xa6";

enum {
    TEXT_MARKS = 2,       /* combining marks kept on one character */
    TEXT_ESCAPE_MAX = 16, /* "\u{10ffff}" and a NUL */
    TEXT_NO_BASE = -1,    /* nothing there that a mark could sit on */
};

/* Characters are of three kinds: those that take columns, those that sit on the one before, and those never to be drawn. */
enum text_class { TEXT_DRAWN, TEXT_SPACE, TEXT_MARK, TEXT_HIDDEN };

static bool text_is_blank_symbol(int32_t codepoint)
{
    /* Symbols that have no ink though their category says nothing of it: the empty braille pattern, the musical null note head. */
    return codepoint == 0x2800 || codepoint == 0x1d159;
}

/* Medial vowels and final consonants of Hangul: letters by category, but terminals join them to the syllable before. */
static bool text_is_joining_jamo(int32_t codepoint)
{
    return (codepoint >= 0x1160 && codepoint <= 0x11ff) || (codepoint >= 0xd7b0 && codepoint <= 0xd7ff);
}

static enum text_class text_classify(int32_t codepoint, uint8_t *columns)
{
    const utf8proc_property_t *property = utf8proc_get_property(codepoint);
    *columns = 0;
    if (property->ignorable || text_is_blank_symbol(codepoint))
        return TEXT_HIDDEN;
    switch (property->category) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return TEXT_HIDDEN;
    case UTF8PROC_CATEGORY_ZS:
        *columns = 1;
        return TEXT_SPACE;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
        return TEXT_MARK;
    default:
        break;
    }
    if (text_is_joining_jamo(codepoint))
        return TEXT_MARK;
    /* Spacing marks have no width of their own in utf8proc's table, and one column on terminals. */
    *columns = utf8proc_charwidth(codepoint) == 2 ? 2 : 1;
    return TEXT_DRAWN;
}

/* ---- cleaning ---- */

/* A text in the making. What is put into it is never taken apart: a cut falls between units. */
struct text_maker {
    char *bytes;
    size_t len, cap;
    size_t cells, max_cells;
    size_t keep_len, keep_cells; /* the longest part after which an ellipsis still fits */
    int marks;                   /* on the last character, or TEXT_NO_BASE */
    bool escaped, cut;
};

static void text_make_room(struct text_maker *maker, size_t more)
{
    size_t needed = maker->len + more + sizeof ellipsis;
    if (needed > maker->cap) {
        maker->cap = needed + needed / 2;
        maker->bytes = mem_resize(maker->bytes, maker->cap, 1);
    }
}

/* Returns false, having marked the text as cut, when the unit has no room any more. */
static bool text_put(struct text_maker *maker, const char *bytes, size_t length, size_t cells)
{
    if (cells > maker->max_cells - maker->cells) {
        maker->cut = true;
        return false;
    }
    text_make_room(maker, length);
    memcpy(maker->bytes + maker->len, bytes, length);
    maker->len += length;
    maker->cells += cells;
    if (maker->cells < maker->max_cells) {
        maker->keep_len = maker->len;
        maker->keep_cells = maker->cells;
    }
    return true;
}

/* How many bytes at the beginning are printable ASCII. Eight at a time: nearly all that ever comes is nothing else. */
static size_t text_ascii_run(const char *bytes, size_t length)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint64_t tops = 0x8080808080808080u;
    size_t run = 0;
    for (; length - run >= sizeof(uint64_t); run += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, bytes + run, sizeof word);
        if (((word | (word - 0x20 * ones) | (word + ones)) & tops) != 0)
            break; /* some byte is above 0x7f, below 0x20, or 0x7f */
    }
    while (run < length && bytes[run] >= 0x20 && bytes[run] <= 0x7e)
        run++;
    return run;
}

/* Every character of the run is a unit of its own; the run is put at once all the same. */
static bool text_put_ascii(struct text_maker *maker, const char *bytes, size_t length)
{
    size_t room = maker->max_cells - maker->cells;
    size_t fits = length < room ? length : room;
    if (fits > 1)
        text_put(maker, bytes, fits - 1, fits - 1);
    if (fits > 0) {
        text_put(maker, bytes + fits - 1, 1, 1);
        maker->marks = 0;
    }
    maker->cut = fits < length;
    return !maker->cut;
}

static bool text_put_escape(struct text_maker *maker, const char *escape, int length)
{
    maker->marks = TEXT_NO_BASE;
    bool put = text_put(maker, escape, (size_t)length, (size_t)length);
    maker->escaped = maker->escaped || put;
    return put;
}

static bool text_put_byte(struct text_maker *maker, unsigned char byte)
{
    char escape[TEXT_ESCAPE_MAX];
    switch (byte) {
    case '\n':
        return text_put_escape(maker, "\\n", 2);
    case '\r':
        return text_put_escape(maker, "\\r", 2);
    case '\t':
        return text_put_escape(maker, "\\t", 2);
    default:
        return text_put_escape(maker, escape, snprintf(escape, sizeof escape, "\\x%02x", byte));
    }
}

static bool text_put_codepoint(struct text_maker *maker, int32_t codepoint, const char *bytes, size_t length)
{
    char escape[TEXT_ESCAPE_MAX];
    uint8_t columns;
    enum text_class class = text_classify(codepoint, &columns);
    if (class == TEXT_HIDDEN || (class == TEXT_MARK && maker->marks == TEXT_NO_BASE))
        return text_put_escape(maker, escape, snprintf(escape, sizeof escape, "\\u{%x}", (unsigned)codepoint));
    if (class == TEXT_MARK) {
        maker->marks++;
        return maker->marks > TEXT_MARKS || text_put(maker, bytes, length, 0);
    }
    maker->marks = 0;
    if (class == TEXT_SPACE)
        return text_put(maker, " ", 1, 1);
    return text_put(maker, bytes, length, columns);
}

/* Puts what begins at `bytes` and says how much of it that was. Returns false when there is no room for it. */
static bool text_put_next(struct text_maker *maker, const char *bytes, size_t length, size_t *taken)
{
    *taken = text_ascii_run(bytes, length);
    if (*taken > 0)
        return text_put_ascii(maker, bytes, *taken);
    *taken = 1;
    unsigned char byte = (unsigned char)bytes[0];
    if (byte < 0x80)
        return text_put_byte(maker, byte);
    int32_t codepoint;
    utf8proc_ssize_t size =
        utf8proc_iterate((const utf8proc_uint8_t *)bytes, length < 4 ? (utf8proc_ssize_t)length : 4, &codepoint);
    if (size < 1)
        return text_put_byte(maker, byte);
    *taken = (size_t)size;
    return text_put_codepoint(maker, codepoint, bytes, *taken);
}

void text_set(struct text *text, const char *bytes, size_t length, size_t max_cells)
{
    struct text made = {0};
    if (max_cells > UINT32_MAX / 16)
        max_cells = UINT32_MAX / 16;
    if (length > 0 && length <= max_cells && text_ascii_run(bytes, length) == length) {
        made = (struct text){.bytes = mem_dup_n(bytes, length), .len = (uint32_t)length, .cells = (uint32_t)length};
    } else if (length > 0) {
        struct text_maker maker = {.max_cells = max_cells, .marks = TEXT_NO_BASE};
        text_make_room(&maker, length < max_cells ? length : max_cells);
        size_t taken;
        for (size_t at = 0; at < length && text_put_next(&maker, bytes + at, length - at, &taken); at += taken) {
        }
        if (maker.cut && max_cells > 0) {
            memcpy(maker.bytes + maker.keep_len, ellipsis, sizeof ellipsis - 1);
            maker.len = maker.keep_len + sizeof ellipsis - 1;
            maker.cells = maker.keep_cells + 1;
        }
        maker.bytes[maker.len] = '\0';
        made = (struct text){.bytes = maker.bytes,
                             .len = (uint32_t)maker.len,
                             .cells = (uint32_t)maker.cells,
                             .escaped = maker.escaped,
                             .cut = maker.cut};
    }
    /* Freed last: `bytes` may be the text's own. */
    mem_free(text->bytes);
    *text = made;
}

void text_set_str(struct text *text, const char *string, size_t max_cells)
{
    text_set(text, string, string == NULL ? 0 : strlen(string), max_cells);
}

void text_printf(struct text *text, size_t max_cells, const char *format, ...)
{
    char small[512];
    char *large = NULL;
    va_list arguments;
    va_list again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof small) {
        large = mem_array((size_t)length + 1, 1);
        length = vsnprintf(large, (size_t)length + 1, format, again);
    }
    va_end(again);
    text_set(text, large != NULL ? large : small, length < 0 ? 0 : (size_t)length, max_cells);
    mem_free(large);
}

void text_set_lines(struct text *text, const char *bytes, size_t length, size_t max_cells)
{
    struct text made = {0}, line = {0};
    for (size_t at = 0, end; at < length; at = end + 1) {
        const char *newline = memchr(bytes + at, '\n', length - at);
        end = newline == NULL ? length : (size_t)(newline - bytes);
        text_set(&line, bytes + at, end - at, max_cells);
        made.bytes = mem_resize(made.bytes, (size_t)made.len + line.len + 2, 1);
        memcpy(made.bytes + made.len, text_str(&line), line.len);
        made.len += line.len;
        if (newline != NULL)
            made.bytes[made.len++] = '\n';
        made.bytes[made.len] = '\0';
        made.cells = line.cells > made.cells ? line.cells : made.cells;
        made.escaped = made.escaped || line.escaped;
        made.cut = made.cut || line.cut;
    }
    text_free(&line);
    mem_free(text->bytes);
    *text = made;
}

void text_copy(struct text *to, const struct text *from)
{
    if (to == from)
        return;
    mem_free(to->bytes);
    *to = *from;
    if (from->bytes != NULL)
        to->bytes = mem_dup_n(from->bytes, from->len);
}

void text_move(struct text *to, struct text *from)
{
    if (to == from)
        return;
    mem_free(to->bytes);
    *to = *from;
    *from = (struct text){0};
}

void text_free(struct text *text)
{
    mem_free(text->bytes);
    *text = (struct text){0};
}

/* ---- asking ---- */

const char *text_str(const struct text *text)
{
    return text->bytes == NULL ? "" : text->bytes;
}

bool text_empty(const struct text *text)
{
    return text->len == 0;
}

bool text_equal(const struct text *a, const struct text *b)
{
    return a->len == b->len && memcmp(text_str(a), text_str(b), a->len) == 0;
}

bool text_is(const struct text *text, const char *string)
{
    return strcmp(text_str(text), string) == 0;
}

/* ---- walking ---- */

static size_t text_decode(const char *utf8, size_t length, uint32_t *codepoint)
{
    int32_t decoded;
    utf8proc_ssize_t size =
        utf8proc_iterate((const utf8proc_uint8_t *)utf8, length < 4 ? (utf8proc_ssize_t)length : 4, &decoded);
    if (size < 1) {
        *codepoint = '?';
        return 1;
    }
    *codepoint = (uint32_t)decoded;
    return (size_t)size;
}

size_t text_glyph(const char *utf8, size_t length, struct glyph *glyph)
{
    *glyph = (struct glyph){.columns = 1};
    if (length == 0)
        return 0;
    size_t taken;
    if ((unsigned char)utf8[0] < 0x80) {
        glyph->codepoint[0] = (unsigned char)utf8[0];
        taken = 1;
    } else {
        taken = text_decode(utf8, length, &glyph->codepoint[0]);
        uint8_t columns;
        text_classify((int32_t)glyph->codepoint[0], &columns);
        glyph->columns = columns == 2 ? 2 : 1;
    }
    for (size_t mark = 1; mark <= TEXT_MARKS && taken < length && (unsigned char)utf8[taken] >= 0x80; mark++) {
        uint32_t codepoint;
        uint8_t columns;
        size_t more = text_decode(utf8 + taken, length - taken, &codepoint);
        if (text_classify((int32_t)codepoint, &columns) != TEXT_MARK)
            break;
        glyph->codepoint[mark] = codepoint;
        taken += more;
    }
    glyph->bytes = (uint8_t)taken;
    return taken;
}

size_t text_columns(const char *utf8, size_t length)
{
    size_t columns = 0;
    struct glyph glyph;
    for (size_t at = 0, taken; (taken = text_glyph(utf8 + at, length - at, &glyph)) > 0; at += taken)
        columns += glyph.columns;
    return columns;
}

/* ---- cutting in the middle ---- */

/* The first glyphs of at most `columns` columns: their bytes. */
static size_t text_head(const char *utf8, size_t length, size_t columns)
{
    size_t at = 0;
    struct glyph glyph;
    for (size_t taken; (taken = text_glyph(utf8 + at, length - at, &glyph)) > 0 && glyph.columns <= columns;
         at += taken)
        columns -= glyph.columns;
    return at;
}

/* Where the last glyphs of at most `columns` columns begin; `all` is the columns of the whole. */
static size_t text_tail(const char *utf8, size_t length, size_t all, size_t columns)
{
    size_t at = 0;
    struct glyph glyph;
    for (size_t taken; all > columns && (taken = text_glyph(utf8 + at, length - at, &glyph)) > 0; at += taken)
        all -= glyph.columns;
    return at;
}

/* Copies glyphs, without their marks where `bare`: a column then takes 4 bytes at most. Returns the bytes written. */
static size_t text_copy_glyphs(char *out, const char *utf8, size_t length, bool bare)
{
    if (!bare) {
        memcpy(out, utf8, length);
        return length;
    }
    size_t written = 0;
    struct glyph glyph;
    for (size_t at = 0, taken; (taken = text_glyph(utf8 + at, length - at, &glyph)) > 0; at += taken) {
        uint32_t codepoint;
        size_t base = text_decode(utf8 + at, length - at, &codepoint);
        memcpy(out + written, utf8 + at, base);
        written += base;
    }
    return written;
}

const char *text_middle(const struct text *text, size_t columns, bool ascii, char *out, size_t size)
{
    const char *utf8 = text_str(text);
    const char *mark = ascii ? ".." : ellipsis;
    size_t mark_columns = ascii ? 2 : 1;
    bool bare = text->len + sizeof ellipsis > size;
    size_t written;
    if (text->cells <= columns) {
        written = text_copy_glyphs(out, utf8, text->len, bare);
    } else if (columns <= mark_columns) {
        written = columns == mark_columns ? strlen(mark) : columns;
        memcpy(out, mark, written);
    } else {
        size_t tail_columns = (columns - mark_columns + 1) / 2;
        size_t head = text_head(utf8, text->len, columns - mark_columns - tail_columns);
        size_t tail = text_tail(utf8, text->len, text->cells, tail_columns);
        written = text_copy_glyphs(out, utf8, head, bare);
        memcpy(out + written, mark, strlen(mark));
        written += strlen(mark);
        written += text_copy_glyphs(out + written, utf8 + tail, text->len - tail, bare);
    }
    out[written] = '\0';
    return out;
}
