#include "tui/canvas.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CANVAS_SIDE_MAX = 4096, CANVAS_WORDS_MAX = 2048 };

/* What our own signs become on a terminal without UTF-8. Signs of stages and timeline cells have their stand-ins in model/stage.h. */
static const struct {
    uint32_t codepoint;
    const char *ascii;
} STAND_INS[] = {
    {0x2026, ".."},                   /* … */
    {0x2013, "-"},                    /* – */
    {0x2014, "-"},                    /* — */
    {0x2192, "->"},                   /* → */
    {0x2190, "<-"},                   /* ← */
    {0x2191, "^"},                    /* ↑ */
    {0x2193, "v"},                    /* ↓ */
    {0x2195, "%"},                    /* ↕ */
    {0x21B5, "Enter"}, {0x21BB, "R"}, /* ↻ */
    {0x2713, "+"},                    /* ✓ */
    {0x2717, "X"},                    /* ✗ */
    {0x00B7, "."},                    /* · */
    {0x00D7, "x"},                    /* × */
    {0x00B5, "u"},                    /* µ */
    {0x2500, "-"},                    /* ─ */
    {0x2504, "-"},                    /* ┄ */
    {0x250A, "|"},                    /* ┊ */
    {0x25B6, ">>"},                   /* ▶ */
    {0x25CB, "o"},                    /* ○ */
    {0x25D4, "~"},                    /* ◔ */
    {0x25D1, "a"},                    /* ◑ */
    {0x25D5, "m"},                    /* ◕ */
    {0x25CF, "*"},                    /* ● */
    {0x25BD, "v"},                    /* ▽ */
    {0x2581, "1"},                    /* ▁ to █: eighths */
    {0x2582, "2"},     {0x2583, "3"}, {0x2584, "4"}, {0x2585, "5"}, {0x2586, "6"}, {0x2587, "7"}, {0x2588, "8"},
};

void canvas_init(struct canvas *canvas, int columns, int rows, bool ascii)
{
    memset(canvas, 0, sizeof *canvas);
    canvas->ascii = ascii;
    canvas_resize(canvas, columns, rows);
}

void canvas_resize(struct canvas *canvas, int columns, int rows)
{
    columns = columns < 1 ? 1 : columns > CANVAS_SIDE_MAX ? CANVAS_SIDE_MAX : columns;
    rows = rows < 1 ? 1 : rows > CANVAS_SIDE_MAX ? CANVAS_SIDE_MAX : rows;
    if (columns != canvas->columns || rows != canvas->rows) {
        mem_free(canvas->cells);
        canvas->cells = mem_array((size_t)columns * (size_t)rows, sizeof *canvas->cells);
        canvas->columns = columns;
        canvas->rows = rows;
    }
    canvas_clear(canvas);
}

void canvas_free(struct canvas *canvas)
{
    mem_free(canvas->cells);
    memset(canvas, 0, sizeof *canvas);
}

static void cell_blank(struct cell *cell, enum style style)
{
    memset(cell, 0, sizeof *cell);
    cell->codepoint[0] = ' ';
    cell->columns = 1;
    cell->style = (uint8_t)style;
}

void canvas_clear(struct canvas *canvas)
{
    for (int i = 0; i < canvas->columns * canvas->rows; i++)
        cell_blank(&canvas->cells[i], STYLE_TEXT);
}

static struct cell *cell_at(struct canvas *canvas, int row, int column)
{
    if (row < 0 || row >= canvas->rows || column < 0 || column >= canvas->columns)
        return NULL;
    return &canvas->cells[row * canvas->columns + column];
}

/* Where something is being written: from `column` up to, not including, `end`. */
struct brush {
    struct canvas *canvas;
    int row, column, end;
    enum style style;
};

static struct brush brush_at(struct canvas *canvas, int row, int column, int limit, enum style style)
{
    struct brush brush = {canvas, row, column, column + (limit < 0 ? 0 : limit), style};
    if (limit > canvas->columns - column)
        brush.end = canvas->columns;
    return brush;
}

/* Overwriting one half of a wide character leaves no other half behind. */
static void brush_split(struct brush *brush, int column)
{
    struct cell *cell = cell_at(brush->canvas, brush->row, column);
    if (!cell)
        return;
    struct cell *other = NULL;
    if (cell->columns == 0)
        other = cell_at(brush->canvas, brush->row, column - 1);
    else if (cell->columns == 2)
        other = cell_at(brush->canvas, brush->row, column + 1);
    if (other)
        cell_blank(other, other->style);
}

/* False when the glyph did not fit. */
static bool brush_glyph(struct brush *brush, const struct glyph *glyph)
{
    if (brush->column >= brush->end)
        return false;
    bool fits = brush->column + glyph->columns <= brush->end;
    for (int i = 0; i < (fits ? glyph->columns : 1); i++) {
        struct cell *cell = cell_at(brush->canvas, brush->row, brush->column + i);
        if (!cell)
            continue;
        brush_split(brush, brush->column + i);
        cell_blank(cell, brush->style);
        if (!fits)
            continue;
        if (i == 0)
            memcpy(cell->codepoint, glyph->codepoint, sizeof cell->codepoint);
        else
            cell->codepoint[0] = 0;
        cell->columns = i == 0 ? glyph->columns : 0;
    }
    brush->column += fits ? glyph->columns : 1;
    return fits;
}

/* What stands for a glyph on this canvas: itself (NULL), or ASCII. */
static const char *glyph_ascii(const struct canvas *canvas, const struct glyph *glyph)
{
    if (!canvas->ascii || (glyph->codepoint[0] < 0x80 && glyph->codepoint[1] == 0))
        return NULL;
    for (size_t i = 0; i < sizeof STAND_INS / sizeof *STAND_INS; i++)
        if (STAND_INS[i].codepoint == glyph->codepoint[0])
            return STAND_INS[i].ascii;
    return glyph->columns == 2 ? "??" : "?";
}

static int glyph_columns(const struct canvas *canvas, const struct glyph *glyph)
{
    const char *ascii = glyph_ascii(canvas, glyph);
    return ascii ? (int)strlen(ascii) : glyph->columns;
}

static bool brush_put(struct brush *brush, const struct glyph *glyph)
{
    const char *ascii = glyph_ascii(brush->canvas, glyph);
    if (!ascii)
        return brush_glyph(brush, glyph);
    bool fits = true;
    for (; *ascii && fits; ascii++)
        fits = brush_glyph(brush, &(struct glyph){{(uint32_t)*ascii, 0, 0}, 1, 1});
    return fits;
}

static void brush_string(struct brush *brush, const char *utf8, size_t length)
{
    struct glyph glyph;
    for (size_t used; (used = text_glyph(utf8, length, &glyph)) > 0; utf8 += used, length -= used)
        if (!brush_put(brush, &glyph))
            return;
}

static int string_columns(const struct canvas *canvas, const char *utf8, size_t length)
{
    int columns = 0;
    struct glyph glyph;
    for (size_t used; (used = text_glyph(utf8, length, &glyph)) > 0; utf8 += used, length -= used)
        columns += glyph_columns(canvas, &glyph);
    return columns;
}

int canvas_puts(struct canvas *canvas, int row, int column, int limit, enum style style, const char *utf8)
{
    struct brush brush = brush_at(canvas, row, column, limit, style);
    brush_string(&brush, utf8, strlen(utf8));
    return brush.column;
}

int canvas_printf(struct canvas *canvas, int row, int column, int limit, enum style style, const char *format, ...)
{
    char words[CANVAS_WORDS_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    return canvas_puts(canvas, row, column, limit, style, words);
}

/* Bytes of the escape that text_set() made at `at` ("\x1b", "\u{202E}", "\n"); 0 when there is none. */
static size_t escape_length(const char *at, size_t length)
{
    if (length < 2 || at[0] != '\\')
        return 0;
    if (at[1] == 'n' || at[1] == 'r' || at[1] == 't')
        return 2;
    if (at[1] == 'x' && length >= 4 && isxdigit((unsigned char)at[2]) && isxdigit((unsigned char)at[3]))
        return 4;
    if (at[1] != 'u' || length < 4 || at[2] != '{')
        return 0;
    size_t i = 3;
    while (i < length && isxdigit((unsigned char)at[i]))
        i++;
    return i > 3 && i < length && at[i] == '}' ? i + 1 : 0;
}

/* Paints up to `columns` of outside text; escapes get their own style. */
static void brush_outside(struct brush *brush, const char *bytes, size_t length, bool escaped, int columns)
{
    const enum style style = brush->style;
    size_t escape_left = 0;
    struct glyph glyph;
    for (size_t used; (used = text_glyph(bytes, length, &glyph)) > 0; bytes += used, length -= used) {
        columns -= glyph_columns(brush->canvas, &glyph);
        if (columns < 0)
            break;
        if (escaped && escape_left == 0)
            escape_left = escape_length(bytes, length);
        brush->style = escape_left > 0 ? STYLE_ESCAPED : style;
        escape_left -= escape_left >= used ? used : escape_left;
        if (!brush_put(brush, &glyph))
            break;
    }
    brush->style = style;
}

int canvas_text(struct canvas *canvas, int row, int column, int limit, enum style style, const struct text *text)
{
    struct brush brush = brush_at(canvas, row, column, limit, style);
    const char *bytes = text_str(text);
    int room = brush.end - brush.column;
    int columns = string_columns(canvas, bytes, text->len);
    if (columns <= room) {
        brush_outside(&brush, bytes, text->len, text->escaped, columns);
        return brush.column;
    }
    brush_outside(&brush, bytes, text->len, text->escaped, room - (canvas->ascii ? 2 : 1));
    brush_string(&brush, "…", sizeof "…" - 1);
    return brush.column;
}

/* Bytes of `bytes` that fit into `width` columns, broken after the last blank among them if there is one. */
static size_t wrap_point(const struct canvas *canvas, const char *bytes, size_t length, int width)
{
    size_t at = 0, blank = 0;
    int columns = 0;
    struct glyph glyph;
    for (size_t used; (used = text_glyph(bytes + at, length - at, &glyph)) > 0; at += used) {
        columns += glyph_columns(canvas, &glyph);
        if (columns > width)
            break;
        if (bytes[at] == ' ')
            blank = at + 1;
    }
    return at >= length ? length : blank > 0 ? blank : at;
}

int canvas_wrap(struct canvas *canvas, int row, int column, int width, int rows, enum style style,
                const struct text *text)
{
    const char *bytes = text_str(text);
    size_t left = text->len;
    int taken = 0;
    while (taken < rows - 1 && left > 0 && string_columns(canvas, bytes, left) > width) {
        size_t used = wrap_point(canvas, bytes, left, width);
        if (used == 0) /* a wide character in a single column */
            break;
        struct brush brush = brush_at(canvas, row + taken, column, width, style);
        brush_outside(&brush, bytes, used, text->escaped, width);
        bytes += used;
        left -= used;
        taken++;
    }
    const struct text rest = {(char *)bytes, (uint32_t)left, 0, text->escaped, text->cut};
    canvas_text(canvas, row + taken, column, width, style, &rest);
    return taken + 1;
}

enum { RANDOM_TAIL = 5, HASH_LEAST = 5, HASH_MOST = 10 };

/* Bytes of the workload's name in a ReplicaSet's pod's name WORKLOAD-HASH-TAIL; 0 where it does not look like one. Both are made of these letters (apimachinery's util/rand). */
static size_t workload_length(const char *name, size_t length)
{
    static const char LETTERS[] = "bcdfghjklmnpqrstvwxz2456789";
    if (length < RANDOM_TAIL + HASH_LEAST + 3 || name[length - RANDOM_TAIL - 1] != '-' ||
        strspn(name + length - RANDOM_TAIL, LETTERS) != RANDOM_TAIL)
        return 0;
    size_t hash = length - RANDOM_TAIL - 1;
    while (hash > 0 && name[hash - 1] != '-')
        hash--;
    size_t letters = strspn(name + hash, LETTERS);
    bool is_hash = letters >= HASH_LEAST && letters <= HASH_MOST && hash + letters + RANDOM_TAIL + 1 == length;
    return is_hash && hash > 1 ? hash - 1 : 0;
}

/* Fills `out`: the name in `columns`, fewer than it has. What tells pods apart is the workload's name, whose end may be all that differs, and the tail; as much of the hash as there is room for. */
static void name_cut(const struct text *name, size_t columns, bool ascii, char *out, size_t size)
{
    enum { WORKLOAD_LEAST = 5 };
    const char *bytes = text_str(name);
    const char *mark = ascii ? ".." : "…";
    size_t workload = workload_length(bytes, name->len), taken = RANDOM_TAIL + (ascii ? 2 : 1);
    if (workload == 0 || columns < taken + WORKLOAD_LEAST) {
        text_middle(name, columns, ascii, out, size);
        return;
    }
    struct text head = {0};
    char cut[4 * TEXT_NAME + 4];
    size_t room = columns - taken;
    text_set(&head, bytes, workload < room ? room : workload, TEXT_NAME);
    text_middle(&head, room, ascii, cut, sizeof cut);
    snprintf(out, size, "%s%s%s", cut, mark, bytes + name->len - RANDOM_TAIL);
    text_free(&head);
}

int canvas_name(struct canvas *canvas, int row, int column, int limit, enum style style, const struct text *text)
{
    char cut[8 * TEXT_NAME];
    int room = limit > TEXT_NAME ? TEXT_NAME : limit;
    if (room <= 0)
        return column;
    struct brush brush = brush_at(canvas, row, column, limit, style);
    if (text->cells > (uint32_t)room)
        name_cut(text, (size_t)room, canvas->ascii, cut, sizeof cut);
    else
        text_middle(text, (size_t)room, canvas->ascii, cut, sizeof cut);
    brush_outside(&brush, cut, strlen(cut), text->escaped, room);
    return brush.column;
}

void canvas_right(struct canvas *canvas, int row, int column, int width, enum style style, const char *utf8)
{
    int columns = string_columns(canvas, utf8, strlen(utf8));
    int blank = columns < width ? width - columns : 0;
    canvas_puts(canvas, row, column + blank, width - blank, style, utf8);
}

void canvas_fill(struct canvas *canvas, int row, int column, int width, enum style style, const char *glyph)
{
    struct brush brush = brush_at(canvas, row, column, width, style);
    struct glyph one;
    if (text_glyph(glyph, strlen(glyph), &one) == 0)
        return;
    while (brush.column < brush.end && brush_put(&brush, &one)) {
    }
}

void canvas_row_style(struct canvas *canvas, int row, enum style style)
{
    for (int column = 0; column < canvas->columns; column++) {
        struct cell *cell = cell_at(canvas, row, column);
        if (cell)
            cell->over = (uint8_t)style;
    }
}

bool canvas_cell_equal(const struct cell *a, const struct cell *b)
{
    return memcmp(a->codepoint, b->codepoint, sizeof a->codepoint) == 0 && a->columns == b->columns &&
           a->style == b->style && a->attributes == b->attributes && a->over == b->over;
}

size_t codepoint_utf8(uint32_t codepoint, char out[5])
{
    static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
    size_t more = codepoint < 0x80 ? 0 : codepoint < 0x800 ? 1 : codepoint < 0x10000 ? 2 : 3;
    for (size_t i = more; i > 0; i--, codepoint >>= 6)
        out[i] = (char)(0x80 | (codepoint & 0x3F));
    out[0] = (char)(lead[more] | codepoint);
    out[more + 1] = '\0';
    return more + 1;
}

static char style_letter(const struct cell *cell)
{
    static const char letters[STYLE_COUNT] = {
        [STYLE_TEXT] = '.',     [STYLE_MUTED] = 'm',  [STYLE_STRONG] = 's',   [STYLE_OK] = 'o',
        [STYLE_WARN] = 'w',     [STYLE_BAD] = 'b',    [STYLE_UNKNOWN] = 'u',  [STYLE_ACCENT] = 'a',
        [STYLE_SELECTED] = 's', [STYLE_HEADER] = 'h', [STYLE_ESTIMATE] = 'e', [STYLE_ESCAPED] = 'x'};
    char letter = cell->style < STYLE_COUNT ? letters[cell->style] : '!';
    if (cell->over == STYLE_TEXT)
        return letter;
    return letter == '.' ? ':' : (char)toupper((unsigned char)letter);
}

/* The last column + 1 that shows something. */
static int row_end(const struct canvas *canvas, int row, bool styles)
{
    int end = canvas->columns;
    for (; end > 0; end--) {
        const struct cell *cell = &canvas->cells[row * canvas->columns + end - 1];
        bool blank = cell->codepoint[0] == ' ' && cell->codepoint[1] == 0;
        if (!blank || (styles && (cell->style != STYLE_TEXT || cell->over != STYLE_TEXT)))
            break;
    }
    return end;
}

void canvas_dump(const struct canvas *canvas, bool styles, struct buf *out)
{
    char bytes[5];
    for (int block = 0; block < (styles ? 2 : 1); block++) {
        for (int row = 0; row < canvas->rows; row++) {
            int end = row_end(canvas, row, block == 1);
            for (int column = 0; column < end; column++) {
                const struct cell *cell = &canvas->cells[row * canvas->columns + column];
                if (block == 1)
                    buf_putc(out, style_letter(cell));
                for (int i = 0; block == 0 && i < 3 && cell->codepoint[i] != 0; i++)
                    buf_append(out, bytes, codepoint_utf8(cell->codepoint[i], bytes));
            }
            buf_putc(out, '\n');
        }
    }
}
