#include "tui/prompt.h"

#include "tui/keymap.h"

#include <string.h>

enum { CTRL_A = 1, CTRL_C = 3, CTRL_E = 5, CTRL_U = 0x15, CTRL_W = 0x17 };

static void prompt_insert(struct prompt *prompt, uint32_t codepoint)
{
    if (prompt->count == PROMPT_CHARACTERS_MAX)
        return;
    memmove(prompt->codepoints + prompt->cursor + 1, prompt->codepoints + prompt->cursor,
            sizeof *prompt->codepoints * (size_t)(prompt->count - prompt->cursor));
    prompt->codepoints[prompt->cursor++] = codepoint;
    prompt->count++;
}

static void prompt_remove(struct prompt *prompt, int from, int to)
{
    memmove(prompt->codepoints + from, prompt->codepoints + to,
            sizeof *prompt->codepoints * (size_t)(prompt->count - to));
    prompt->count -= to - from;
    prompt->cursor = from;
}

void prompt_open(struct prompt *prompt, const char *label, const char *value)
{
    memset(prompt, 0, sizeof *prompt);
    prompt->open = true;
    prompt->label = label;
    struct glyph glyph;
    size_t length = strlen(value);
    for (size_t used; (used = text_glyph(value, length, &glyph)) > 0; value += used, length -= used)
        for (int i = 0; i < 3 && glyph.codepoint[i] != 0; i++)
            prompt_insert(prompt, glyph.codepoint[i]);
}

static int word_start(const struct prompt *prompt)
{
    int at = prompt->cursor;
    while (at > 0 && prompt->codepoints[at - 1] == ' ')
        at--;
    while (at > 0 && prompt->codepoints[at - 1] != ' ')
        at--;
    return at;
}

enum prompt_step prompt_key(struct prompt *prompt, int key)
{
    int count = prompt->count;
    switch (key) {
    case KEY_ENTER_:
        prompt->open = false;
        return PROMPT_ACCEPTED;
    case KEY_ESCAPE_:
    case CTRL_C:
        prompt->open = false;
        return PROMPT_CANCELLED;
    case KEY_LEFT_:
        prompt->cursor -= prompt->cursor > 0;
        return PROMPT_CHANGED;
    case KEY_RIGHT_:
        prompt->cursor += prompt->cursor < count;
        return PROMPT_CHANGED;
    case KEY_HOME_:
    case CTRL_A:
        prompt->cursor = 0;
        return PROMPT_CHANGED;
    case KEY_END_:
    case CTRL_E:
        prompt->cursor = count;
        return PROMPT_CHANGED;
    case KEY_BACKSPACE_:
        if (prompt->cursor > 0)
            prompt_remove(prompt, prompt->cursor - 1, prompt->cursor);
        return PROMPT_CHANGED;
    case KEY_DELETE_:
        if (prompt->cursor < count)
            prompt_remove(prompt, prompt->cursor, prompt->cursor + 1);
        return PROMPT_CHANGED;
    case CTRL_U:
        prompt_remove(prompt, 0, prompt->cursor);
        return PROMPT_CHANGED;
    case CTRL_W:
        prompt_remove(prompt, word_start(prompt), prompt->cursor);
        return PROMPT_CHANGED;
    default:
        if (key < ' ' || key >= KEY_UP_)
            return PROMPT_NOTHING;
        prompt_insert(prompt, (uint32_t)key);
        return PROMPT_CHANGED;
    }
}

const char *prompt_value(const struct prompt *prompt, char *out, size_t size)
{
    size_t at = 0;
    for (int i = 0; i < prompt->count && at + 5 <= size; i++)
        at += codepoint_utf8(prompt->codepoints[i], out + at);
    out[at] = '\0';
    return out;
}

/* The end of what was typed stays in sight; the cursor is a reversed cell. */
void prompt_paint(const struct prompt *prompt, struct canvas *canvas, int row)
{
    int room = canvas->columns - (int)text_columns(prompt->label, strlen(prompt->label)) - 2;
    int first = prompt->cursor > room - 1 && room > 0 ? prompt->cursor - room + 1 : 0;
    int column = canvas_puts(canvas, row, 1, canvas->columns - 1, STYLE_ACCENT, prompt->label), at_cursor = column;
    for (int i = first; i < prompt->count; i++) {
        char bytes[5];
        struct text character = {0};
        text_set(&character, bytes, codepoint_utf8(prompt->codepoints[i], bytes), 12);
        if (i == prompt->cursor)
            at_cursor = column;
        column = canvas_text(canvas, row, column, canvas->columns - column, STYLE_TEXT, &character);
        text_free(&character);
    }
    if (prompt->cursor == prompt->count)
        at_cursor = column;
    if (row >= 0 && row < canvas->rows && at_cursor < canvas->columns)
        canvas->cells[row * canvas->columns + at_cursor].attributes |= ATTR_REVERSE;
}
