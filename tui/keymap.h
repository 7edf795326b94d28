/* One table: key, action, help. The bottom line and the help view are made from it, and the configuration's [keys] section changes it by action name. */
#ifndef PROBETOP_KEYMAP_H
#define PROBETOP_KEYMAP_H

#include "base/conf.h"

#include <stdbool.h>

/* Keys beyond characters, as term_key() gives them (above all Unicode code points). */
enum key {
    KEY_NONE = -1,
    KEY_UP_ = 0x200000,
    KEY_DOWN_,
    KEY_LEFT_,
    KEY_RIGHT_,
    KEY_PAGE_UP_,
    KEY_PAGE_DOWN_,
    KEY_HOME_,
    KEY_END_,
    KEY_ENTER_,
    KEY_ESCAPE_,
    KEY_BACKSPACE_,
    KEY_DELETE_,
    KEY_TAB_,
    KEY_BACKTAB_,
    KEY_F1_
};

/* Where an action does something. */
enum {
    IN_FLEET = 1,
    IN_POD = 2,
    IN_TEXT = 4 /* logs, events, help: scrolling text */,
    IN_ALL = 7,
    IN_REPLAY = 8 /* only when replaying */
};

/*     id                 name             default keys          where                  in the bottom line ("" not)  help */
#define ACTION_TABLE(X)                                                                                                \
    X(ACTION_UP, "up", "k,Up", IN_ALL, "", "one line up")                                                              \
    X(ACTION_DOWN, "down", "j,Down", IN_ALL, "", "one line down")                                                      \
    X(ACTION_HALF_UP, "half-page-up", "^U", IN_ALL, "", "half a page up")                                              \
    X(ACTION_HALF_DOWN, "half-page-down", "^D", IN_ALL, "", "half a page down")                                        \
    X(ACTION_PAGE_UP, "page-up", "PageUp,^B", IN_ALL, "", "a page up")                                                 \
    X(ACTION_PAGE_DOWN, "page-down", "PageDown,^F", IN_ALL, "", "a page down")                                         \
    X(ACTION_FIRST, "first", "g,Home", IN_ALL, "", "to the first line")                                                \
    X(ACTION_LAST, "last", "G,End", IN_ALL, "", "to the last line")                                                    \
    X(ACTION_OPEN, "open", "Enter", IN_FLEET, "pod", "open the selected pod")                                          \
    X(ACTION_NEXT_POD, "next-pod", "Tab,J", IN_POD, "next", "the next pod")                                            \
    X(ACTION_PREVIOUS_POD, "previous-pod", "BackTab,K", IN_POD, "", "the previous pod")                                \
    X(ACTION_BACK, "back", "Escape,q", IN_ALL, "back", "back to where you came from; on the fleet view q quits")       \
    X(ACTION_LOGS, "logs", "l", IN_FLEET | IN_POD, "logs", "log lines of the selected pod")                            \
    X(ACTION_EVENTS, "events", "e", IN_FLEET | IN_POD, "events",                                                       \
      "everything that happened to the selected pod, in order")                                                        \
    X(ACTION_FILTER, "filter", "/", IN_FLEET | IN_TEXT, "filter",                                                      \
      "show only what contains a text; /!text what does not")                                                          \
    X(ACTION_FAULTS, "faults", "!", IN_FLEET, "faults", "show only pods that need a look")                             \
    X(ACTION_SORT, "sort", "s,>", IN_FLEET, "sort", "sort by the next column")                                         \
    X(ACTION_SORT_BACK, "sort-back", "S,<", IN_FLEET, "", "sort by the previous column")                               \
    X(ACTION_INVERT, "invert", "I", IN_FLEET, "", "invert the order")                                                  \
    X(ACTION_EARLIER, "earlier", "Left", IN_ALL, "time", "back in time by ten cells of the timeline")                  \
    X(ACTION_LATER, "later", "Right", IN_ALL, "", "forward in time by ten cells")                                      \
    X(ACTION_TIME_FIRST, "time-first", "{", IN_ALL, "", "to the beginning of what is recorded")                        \
    X(ACTION_NOW, "now", "}", IN_ALL, "", "to now (or the end of the recording)")                                      \
    X(ACTION_ZOOM_IN, "zoom-in", "+,=", IN_ALL, "", "timeline: less time in a cell")                                   \
    X(ACTION_ZOOM_OUT, "zoom-out", "-", IN_ALL, "", "timeline: more time in a cell")                                   \
    X(ACTION_FREEZE, "freeze", "Space,z", IN_ALL, "freeze",                                                            \
      "hold the picture (replay: pause); what happens meanwhile is not lost")                                          \
    X(ACTION_FASTER, "faster", "]", IN_ALL | IN_REPLAY, "faster", "replay: twice as fast")                             \
    X(ACTION_SLOWER, "slower", "[", IN_ALL | IN_REPLAY, "slower", "replay: half as fast")                              \
    X(ACTION_PROBE_NOW, "probe-now", "^R", IN_FLEET | IN_POD, "", "probe the selected pod at once")                    \
    X(ACTION_COPY_NAME, "copy-name", "c", IN_FLEET | IN_POD, "",                                                       \
      "copy the selected pod's name to the clipboard, by OSC 52; tmux needs set-clipboard on")                         \
    X(ACTION_COPY_COMMAND, "copy-command", "C", IN_FLEET | IN_POD, "copy",                                             \
      "copy the first command that is shown for the selected pod")                                                     \
    X(ACTION_CARD, "card", "X", IN_FLEET | IN_POD, "card",                                                             \
      "write all about the selected pod to a file here, as Markdown: the incident card")                               \
    X(ACTION_WIDE, "wide", "w", IN_FLEET, "", "all columns / fewer columns")                                           \
    X(ACTION_THEME, "theme", "t", IN_ALL, "", "the next theme")                                                        \
    X(ACTION_REDRAW, "redraw", "^L", IN_ALL, "", "paint the screen anew")                                              \
    X(ACTION_SUSPEND, "suspend", "^Z", IN_ALL, "", "back to the shell; fg comes back, probing goes on meanwhile")      \
    X(ACTION_HELP, "help", "?,h,F1", IN_ALL, "help", "keys, signs and words explained")                                \
    X(ACTION_QUIT, "quit", "Q,^C", IN_ALL, "quit", "quit at once")

enum action {
    ACTION_NONE = -1,
#define X(id, name, keys, where, label, help) id,
    ACTION_TABLE(X)
#undef X
        ACTION_COUNT
};

enum { KEYMAP_KEYS_MAX = 4 };
struct keymap {
    int keys[ACTION_COUNT][KEYMAP_KEYS_MAX]; /* KEY_NONE where fewer */
};
void keymap_default(struct keymap *keymap);
/* `keys` as in the table ("k,Up", "^U", "Space"); replaces the action's keys. Errors say what was expected. A key given to two actions in one place is an error that names the other. */
enum status keymap_bind(struct keymap *keymap, const char *action, const char *keys, struct problem *problem);
enum action keymap_action(const struct keymap *keymap, int key,
                          int where); /* where: one IN_ bit, plus IN_REPLAY when replaying */
const char *keymap_key_name(int key, bool ascii, char *out, size_t size);
const char *action_label(enum action action); /* for the bottom line; "" */
const char *action_help(enum action action);
int action_where(enum action action);

#endif
