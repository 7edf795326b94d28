#include "tui/keymap.h"

#include "base/text.h"
#include "tui/canvas.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *keys, *label, *help;
    int where;
} ACTIONS[ACTION_COUNT] = {
#define X(id, name, keys, where, label, help) {name, keys, label, help, where},
    ACTION_TABLE(X)
#undef X
};

/* name: in the table and in configurations; shown: in the bottom line and the help; "" the name. */
static const struct {
    int key;
    const char *name, *shown, *ascii;
} KEYS[] = {{KEY_UP_, "Up", "↑", ""},
            {KEY_DOWN_, "Down", "↓", ""},
            {KEY_LEFT_, "Left", "←", "Left"},
            {KEY_RIGHT_, "Right", "→", "Right"},
            {KEY_PAGE_UP_, "PageUp", "PgUp", "PgUp"},
            {KEY_PAGE_DOWN_, "PageDown", "PgDn", "PgDn"},
            {KEY_HOME_, "Home", "", ""},
            {KEY_END_, "End", "", ""},
            {KEY_ENTER_, "Enter", "↵", ""},
            {KEY_ESCAPE_, "Escape", "Esc", "Esc"},
            {KEY_BACKSPACE_, "Backspace", "", ""},
            {KEY_DELETE_, "Delete", "Del", "Del"},
            {KEY_TAB_, "Tab", "", ""},
            {KEY_BACKTAB_, "BackTab", "", ""},
            {' ', "Space", "", ""},
            {',', "Comma", ",", ","}};

enum { KEYS_COUNT = sizeof KEYS / sizeof *KEYS, FUNCTION_KEYS = 12 };

static int key_function(const char *name)
{
    if (name[0] != 'F' || !isdigit((unsigned char)name[1]) || strlen(name) > 3)
        return KEY_NONE;
    char *end;
    long number = strtol(name + 1, &end, 10);
    return *end == '\0' && number >= 1 && number <= FUNCTION_KEYS ? KEY_F1_ + (int)number - 1 : KEY_NONE;
}

/* Some control characters are what a named key sends. */
static int key_control(char letter)
{
    int code = toupper((unsigned char)letter) & 0x1F;
    if (code == '\r' || code == '\n')
        return KEY_ENTER_;
    return code == '\t' ? KEY_TAB_ : code == 0x1B ? KEY_ESCAPE_ : code == 0x08 ? KEY_BACKSPACE_ : code;
}

static int key_parse(const char *name)
{
    for (int i = 0; i < KEYS_COUNT; i++)
        if (strcmp(name, KEYS[i].name) == 0)
            return KEYS[i].key;
    int function = key_function(name);
    if (function != KEY_NONE)
        return function;
    if (name[0] == '^' && strlen(name) == 2 && (isalpha((unsigned char)name[1]) || strchr("[\\]_", name[1])))
        return key_control(name[1]);
    struct glyph glyph;
    if (text_glyph(name, strlen(name), &glyph) == strlen(name) && glyph.codepoint[0] > ' ' && glyph.codepoint[1] == 0)
        return (int)glyph.codepoint[0];
    return KEY_NONE;
}

/* Fills `keys` from "k,Up". */
static enum status keys_parse(const char *words, int keys[KEYMAP_KEYS_MAX], struct problem *problem)
{
    int count = 0;
    for (int i = 0; i < KEYMAP_KEYS_MAX; i++)
        keys[i] = KEY_NONE;
    for (;;) {
        char word[32];
        words += strspn(words, " ");
        size_t length = strcspn(words, ","), trimmed = length;
        while (trimmed > 0 && words[trimmed - 1] == ' ')
            trimmed--;
        snprintf(word, sizeof word, "%.*s", (int)(trimmed < sizeof word ? trimmed : sizeof word - 1), words);
        int key = key_parse(word);
        if (key == KEY_NONE)
            return problem_set(
                problem, STATUS_BAD_INPUT,
                "'%s' is no key; expected a character, ^A to ^Z, F1 to F12, Up, Down, Left, Right, PageUp, "
                "PageDown, Home, End, Enter, Escape, Backspace, Delete, Tab, BackTab, Space or Comma",
                word);
        if (count == KEYMAP_KEYS_MAX)
            return problem_set(problem, STATUS_BAD_INPUT, "more than %d keys; expected at most that many",
                               (int)KEYMAP_KEYS_MAX);
        keys[count++] = key;
        if (words[length] == '\0')
            return STATUS_OK;
        words += length + 1;
    }
}

void keymap_default(struct keymap *keymap)
{
    for (int i = 0; i < ACTION_COUNT; i++) {
        struct problem problem;
        keys_parse(ACTIONS[i].keys, keymap->keys[i], &problem);
    }
}

static bool keymap_has(const struct keymap *keymap, int action, int key)
{
    for (int i = 0; i < KEYMAP_KEYS_MAX; i++)
        if (key != KEY_NONE && keymap->keys[action][i] == key)
            return true;
    return false;
}

enum status keymap_bind(struct keymap *keymap, const char *action, const char *keys, struct problem *problem)
{
    int wanted[KEYMAP_KEYS_MAX], found = 0;
    while (found < ACTION_COUNT && strcmp(action, ACTIONS[found].name) != 0)
        found++;
    if (found == ACTION_COUNT)
#define X(id, name, keys_, where, label, help) " " name
        return problem_set(problem, STATUS_BAD_INPUT, "'%s' is no action; expected one of:" ACTION_TABLE(X), action);
#undef X
    enum status status = keys_parse(keys, wanted, problem);
    if (status != STATUS_OK)
        return status;
    for (int other = 0; other < ACTION_COUNT; other++) {
        if (other == found || (ACTIONS[other].where & ACTIONS[found].where & IN_ALL) == 0)
            continue;
        for (int i = 0; i < KEYMAP_KEYS_MAX; i++) {
            char name[16];
            if (keymap_has(keymap, other, wanted[i]))
                return problem_set(
                    problem, STATUS_BAD_INPUT,
                    "key %s of '%s' already means '%s'; expected a key that is free, or '%s' moved first",
                    keymap_key_name(wanted[i], true, name, sizeof name), action, ACTIONS[other].name,
                    ACTIONS[other].name);
        }
    }
    memcpy(keymap->keys[found], wanted, sizeof wanted);
    return STATUS_OK;
}

enum action keymap_action(const struct keymap *keymap, int key, int where)
{
    for (int action = 0; action < ACTION_COUNT; action++) {
        bool replay_only = (ACTIONS[action].where & IN_REPLAY) != 0;
        if ((ACTIONS[action].where & where & IN_ALL) != 0 && (!replay_only || (where & IN_REPLAY) != 0) &&
            keymap_has(keymap, action, key))
            return (enum action)action;
    }
    return ACTION_NONE;
}

const char *keymap_key_name(int key, bool ascii, char *out, size_t size)
{
    for (int i = 0; i < KEYS_COUNT; i++) {
        const char *shown = ascii ? KEYS[i].ascii : KEYS[i].shown;
        if (key == KEYS[i].key) {
            snprintf(out, size, "%s", *shown ? shown : KEYS[i].name);
            return out;
        }
    }
    char bytes[5] = "";
    if (key >= KEY_F1_ && key < KEY_F1_ + FUNCTION_KEYS)
        snprintf(out, size, "F%d", key - KEY_F1_ + 1);
    else if (key >= 0 && key < ' ')
        snprintf(out, size, "^%c", key + '@');
    else if (key > 0 && key < KEY_UP_) {
        codepoint_utf8((uint32_t)key, bytes);
        snprintf(out, size, "%s", bytes);
    } else
        snprintf(out, size, "-");
    return out;
}

const char *action_label(enum action action)
{
    return ACTIONS[action].label;
}

const char *action_help(enum action action)
{
    return ACTIONS[action].help;
}

int action_where(enum action action)
{
    return ACTIONS[action].where;
}
