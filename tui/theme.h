/* Colours by role. A theme file gives each role a foreground, background and attributes; see themes/README.md. */
#ifndef PROBETOP_THEME_H
#define PROBETOP_THEME_H

#include "base/conf.h"

#include <stdbool.h>
#include <stdint.h>

/*     id             name in theme files   what it is for */
#define ROLE_STYLE_TABLE(X)                                                                                            \
    X(STYLE_TEXT, "text", "ordinary text: leave at the terminal's own colours")                                        \
    X(STYLE_MUTED, "muted", "labels, rules, things of no importance now")                                              \
    X(STYLE_STRONG, "strong", "headings, names that matter")                                                           \
    X(STYLE_OK, "ok", "good news, used sparingly")                                                                     \
    X(STYLE_WARN, "warn", "about to be broken, or waiting")                                                            \
    X(STYLE_BAD, "bad", "broken")                                                                                      \
    X(STYLE_UNKNOWN, "unknown", "not known: no tunnel, not sent")                                                      \
    X(STYLE_ACCENT, "accent", "links between panes, keys in the bottom line")                                          \
    X(STYLE_SELECTED, "selected", "the selected row")                                                                  \
    X(STYLE_HEADER, "header", "the first line of a screen")                                                            \
    X(STYLE_ESTIMATE, "estimate", "what is guessed or extrapolated")                                                   \
    X(STYLE_ESCAPED, "escaped", "outside bytes shown as escapes")

enum style {
#define X(id, name, help) id,
    ROLE_STYLE_TABLE(X)
#undef X
        STYLE_COUNT
};

enum { ATTR_BOLD = 1, ATTR_DIM = 2, ATTR_UNDERLINE = 4, ATTR_REVERSE = 8, ATTR_ITALIC = 16 };

/* A colour as a theme states it, to be brought down to what the terminal has. */
struct colour {
    enum { COLOUR_DEFAULT, COLOUR_INDEX, COLOUR_RGB } kind;
    uint8_t index; /* 0 to 255 */
    uint8_t r, g, b;
};

struct theme {
    char name[64];
    struct {
        struct colour fg, bg;
        uint8_t attributes;
    } style[STYLE_COUNT];
};

/* "default", built in: needs no file. */
void theme_default(struct theme *theme);
void theme_mono(struct theme *theme); /* attributes only: for NO_COLOR and terminals without colour */
/* By name (looked for in $XDG_CONFIG_HOME/probetop/themes, then the installed themes folder; `themes_dir` overrides the latter) or by path (contains '/'). Problems are file:line sentences; the rest still loads.
 * STATUS_NOT_FOUND when there is no such theme. */
enum status theme_load(const char *name, const char *themes_dir, struct theme *theme, struct conf_problems *problems);
/* Names of all themes that can be loaded, built-in first, sorted, NULL-terminated; free each and the list. */
char **theme_names(const char *themes_dir);
/* The nearest of the 256-colour palette, the 16 or the 8 for an RGB or higher index; -1 for the default colour. Pure. */
int theme_colour_down(const struct colour *colour, int colours);

#endif
