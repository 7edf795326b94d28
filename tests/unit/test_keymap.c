#include "tui/keymap.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void default_keys(void **state)
{
    static const struct {
        int key, where;
        enum action action;
    } ROWS[] = {
        {'j', IN_FLEET, ACTION_DOWN},
        {KEY_UP_, IN_TEXT, ACTION_UP},
        {KEY_ENTER_, IN_FLEET, ACTION_OPEN},
        {KEY_ENTER_, IN_POD, ACTION_NONE},
        {KEY_TAB_, IN_POD, ACTION_NEXT_POD},
        {KEY_TAB_, IN_FLEET, ACTION_NONE},
        {4, IN_ALL, ACTION_HALF_DOWN},
        {3, IN_POD, ACTION_QUIT},
        {26, IN_FLEET, ACTION_SUSPEND},
        {' ', IN_FLEET, ACTION_FREEZE},
        {KEY_F1_, IN_TEXT, ACTION_HELP},
        {'+', IN_POD, ACTION_ZOOM_IN},
        {'=', IN_POD, ACTION_ZOOM_IN},
        {']', IN_FLEET, ACTION_NONE},
        {']', IN_FLEET | IN_REPLAY, ACTION_FASTER},
        {'/', IN_TEXT, ACTION_FILTER},
        {KEY_NONE, IN_FLEET, ACTION_NONE},
        {0x2713, IN_FLEET, ACTION_NONE},
    };
    struct keymap keymap;
    (void)state;
    keymap_default(&keymap);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        assert_int_equal(keymap_action(&keymap, ROWS[i].key, ROWS[i].where), ROWS[i].action);
}

/* The table itself: each action has a key, a name, a help, and no key means two things in one place. */
static void table_is_sound(void **state)
{
    struct keymap keymap;
    (void)state;
    keymap_default(&keymap);
    for (int a = 0; a < ACTION_COUNT; a++) {
        assert_true(keymap.keys[a][0] != KEY_NONE);
        assert_true(strlen(action_help((enum action)a)) > 0);
        for (int i = 0; i < KEYMAP_KEYS_MAX && keymap.keys[a][i] != KEY_NONE; i++)
            for (int bit = IN_FLEET; bit <= IN_TEXT; bit <<= 1)
                if (action_where((enum action)a) & bit)
                    assert_int_equal(keymap_action(&keymap, keymap.keys[a][i], bit | IN_REPLAY), a);
    }
}

static void binds(void **state)
{
    static const struct {
        const char *action, *keys;
        int key;
        enum action leads_to;
    } ROWS[] = {
        {"down", "n", 'n', ACTION_DOWN},         {"down", "n", 'j', ACTION_NONE}, /* replaced */
        {"freeze", "Comma", ',', ACTION_FREEZE}, {"open", " F5 , Enter ", KEY_F1_ + 4, ACTION_OPEN},
        {"help", "\xC3\xA9", 0xE9, ACTION_HELP}, {"open", "^M", KEY_ENTER_, ACTION_OPEN},
        {"redraw", "^l", 12, ACTION_REDRAW},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct keymap keymap;
        struct problem problem;
        keymap_default(&keymap);
        assert_int_equal(keymap_bind(&keymap, ROWS[i].action, ROWS[i].keys, &problem), STATUS_OK);
        assert_int_equal(keymap_action(&keymap, ROWS[i].key, IN_FLEET), ROWS[i].leads_to);
    }
}

static void mistakes_are_told(void **state)
{
    static const struct {
        const char *action, *keys, *says;
    } ROWS[] = {
        {"fly", "x", "'fly' is no action; expected one of: up down"},
        {"down", "Hyper", "'Hyper' is no key; expected"},
        {"down", "", "'' is no key"},
        {"down", "n,,o", "'' is no key"},
        {"down", "^", ""}, /* a character like others */
        {"down", "F13", "'F13' is no key"},
        {"down", "\033", "is no key"},
        {"down", "x,y,v,b,n", "more than 4 keys"},
        {"down", "k", "key k of 'down' already means 'up'"},
        {"logs", "^R", "already means 'probe-now'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct keymap keymap, before;
        struct problem problem = {""};
        keymap_default(&keymap);
        before = keymap;
        enum status status = keymap_bind(&keymap, ROWS[i].action, ROWS[i].keys, &problem);
        assert_int_equal(status, *ROWS[i].says ? STATUS_BAD_INPUT : STATUS_OK);
        assert_non_null(strstr(problem.text, ROWS[i].says));
        if (status != STATUS_OK)
            assert_memory_equal(&keymap, &before, sizeof keymap);
    }
}

static void keys_have_names(void **state)
{
    static const struct {
        int key;
        bool ascii;
        const char *name;
    } ROWS[] = {
        {'k', false, "k"},          {KEY_ENTER_, false, "↵"},  {KEY_ENTER_, true, "Enter"}, {21, false, "^U"},
        {KEY_LEFT_, false, "←"},    {KEY_LEFT_, true, "Left"}, {' ', false, "Space"},       {KEY_F1_ + 11, true, "F12"},
        {KEY_ESCAPE_, true, "Esc"}, {0xE9, false, "é"},        {KEY_NONE, true, "-"},
    };
    char name[16];
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        assert_string_equal(keymap_key_name(ROWS[i].key, ROWS[i].ascii, name, sizeof name), ROWS[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(default_keys), cmocka_unit_test(table_is_sound),
                                       cmocka_unit_test(binds), cmocka_unit_test(mistakes_are_told),
                                       cmocka_unit_test(keys_have_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
