#include "tui/theme.h"

#include "base/mem.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const ROLE_NAMES[STYLE_COUNT] = {
#define X(id, name, help) name,
    ROLE_STYLE_TABLE(X)
#undef X
};

static const char *const COLOUR_NAMES[16] = {
    "black",       "red",          "green",      "yellow",       "blue",          "magenta",     "cyan",
    "white",       "bright-black", "bright-red", "bright-green", "bright-yellow", "bright-blue", "bright-magenta",
    "bright-cyan", "bright-white"};

static const struct {
    const char *name;
    uint8_t bit;
} ATTRIBUTES[] = {{"bold", ATTR_BOLD},
                  {"dim", ATTR_DIM},
                  {"underline", ATTR_UNDERLINE},
                  {"reverse", ATTR_REVERSE},
                  {"italic", ATTR_ITALIC}};

static void theme_blank(struct theme *theme, const char *name)
{
    memset(theme, 0, sizeof *theme); /* every colour COLOUR_DEFAULT, no attribute */
    snprintf(theme->name, sizeof theme->name, "%s", name);
}

static void theme_role(struct theme *theme, enum style style, int index, int attributes)
{
    if (index >= 0)
        theme->style[style].fg = (struct colour){COLOUR_INDEX, (uint8_t)index, 0, 0, 0};
    theme->style[style].attributes = (uint8_t)attributes;
}

/* The same as themes/default.theme. Only the terminal's own background, and of its 16 colours only those that show on light and dark alike. */
void theme_default(struct theme *theme)
{
    theme_blank(theme, "default");
    theme_role(theme, STYLE_MUTED, -1, ATTR_DIM);
    theme_role(theme, STYLE_STRONG, -1, ATTR_BOLD);
    theme_role(theme, STYLE_WARN, 3, 0);
    theme_role(theme, STYLE_BAD, 1, ATTR_BOLD);
    theme_role(theme, STYLE_UNKNOWN, -1, ATTR_DIM);
    theme_role(theme, STYLE_ACCENT, 6, 0);
    theme_role(theme, STYLE_SELECTED, -1, ATTR_BOLD);
    theme_role(theme, STYLE_HEADER, -1, ATTR_BOLD);
    theme_role(theme, STYLE_ESTIMATE, -1, ATTR_ITALIC);
    theme_role(theme, STYLE_ESCAPED, 5, 0);
}

/* The same as themes/mono.theme. */
void theme_mono(struct theme *theme)
{
    theme_blank(theme, "mono");
    theme_role(theme, STYLE_MUTED, -1, ATTR_DIM);
    theme_role(theme, STYLE_STRONG, -1, ATTR_BOLD);
    theme_role(theme, STYLE_WARN, -1, ATTR_UNDERLINE);
    theme_role(theme, STYLE_BAD, -1, ATTR_BOLD | ATTR_REVERSE);
    theme_role(theme, STYLE_UNKNOWN, -1, ATTR_DIM);
    theme_role(theme, STYLE_ACCENT, -1, ATTR_BOLD);
    theme_role(theme, STYLE_SELECTED, -1, ATTR_BOLD);
    theme_role(theme, STYLE_HEADER, -1, ATTR_BOLD);
    theme_role(theme, STYLE_ESTIMATE, -1, ATTR_ITALIC);
    theme_role(theme, STYLE_ESCAPED, -1, ATTR_UNDERLINE);
}

static bool number_parse(const char *word, int most, int *out)
{
    char *end;
    long number = strtol(word, &end, 10);
    if (!isdigit((unsigned char)*word) || *end != '\0' || number > most)
        return false;
    *out = (int)number;
    return true;
}

static bool rgb_parse(const char *word, struct colour *out)
{
    if (word[0] != '#' || strlen(word) != 7 || strspn(word + 1, "0123456789abcdefABCDEF") != 6)
        return false;
    unsigned long rgb = strtoul(word + 1, NULL, 16);
    *out = (struct colour){COLOUR_RGB, 0, (uint8_t)(rgb >> 16), (uint8_t)(rgb >> 8), (uint8_t)rgb};
    return true;
}

static bool colour_parse(const char *word, struct colour *out)
{
    int index;
    *out = (struct colour){COLOUR_DEFAULT, 0, 0, 0, 0};
    if (strcmp(word, "default") == 0 || rgb_parse(word, out))
        return true;
    if (number_parse(word, 255, &index)) {
        *out = (struct colour){COLOUR_INDEX, (uint8_t)index, 0, 0, 0};
        return true;
    }
    for (uint8_t i = 0; i < 16; i++)
        if (strcmp(word, COLOUR_NAMES[i]) == 0) {
            *out = (struct colour){COLOUR_INDEX, i, 0, 0, 0};
            return true;
        }
    return false;
}

static uint8_t attribute_parse(const char *word)
{
    for (size_t i = 0; i < sizeof ATTRIBUTES / sizeof *ATTRIBUTES; i++)
        if (strcmp(word, ATTRIBUTES[i].name) == 0)
            return ATTRIBUTES[i].bit;
    return 0;
}

/* What has been read of "FG on BG ATTRIBUTES" so far. */
struct look {
    struct colour fg, bg;
    uint8_t attributes;
    bool have_fg, have_bg, after_on;
};

static enum status look_word(struct look *look, const char *word, struct problem *problem)
{
    struct colour colour;
    uint8_t attribute = attribute_parse(word);
    if (strcmp(word, "on") == 0) {
        if (look->after_on || look->have_bg)
            return problem_set(problem, STATUS_BAD_INPUT,
                               "'on' stands here twice; expected one background after one 'on'");
        look->after_on = true;
        return STATUS_OK;
    }
    if (attribute != 0 && !look->after_on) {
        look->attributes |= attribute;
        return STATUS_OK;
    }
    if (!colour_parse(word, &colour))
        return problem_set(problem, STATUS_BAD_INPUT,
                           "'%s' is no colour%s; expected default, one of the 16 colour names (red, bright-red, ...), "
                           "0 to 255, #rrggbb%s",
                           word, look->after_on ? "" : " or attribute",
                           look->after_on ? "" : ", on, bold, dim, underline, reverse or italic");
    if (!look->after_on && look->have_fg)
        return problem_set(problem, STATUS_BAD_INPUT,
                           "'%s' is a second foreground; expected 'on' before a background colour", word);
    if (look->after_on)
        look->bg = colour;
    else
        look->fg = colour;
    look->have_bg |= look->after_on;
    look->have_fg |= !look->after_on;
    look->after_on = false;
    return STATUS_OK;
}

static enum status look_parse(const char *value, struct look *look, struct problem *problem)
{
    char word[32];
    memset(look, 0, sizeof *look);
    while (*(value += strspn(value, " \t")) != '\0') {
        size_t length = strcspn(value, " \t");
        snprintf(word, sizeof word, "%.*s", (int)(length < sizeof word ? length : sizeof word - 1), value);
        enum status status = look_word(look, word, problem);
        if (status != STATUS_OK)
            return status;
        value += length;
    }
    if (look->after_on)
        return problem_set(problem, STATUS_BAD_INPUT, "'on' ends the line; expected a background colour after it");
    return STATUS_OK;
}

static enum status theme_line(void *user, const char *section, const char *key, const char *value, int line,
                              struct problem *problem)
{
    struct theme *theme = user;
    struct look look;
    (void)line;
    if (strcmp(section, "colours") != 0)
        return problem_set(problem, STATUS_BAD_INPUT, "'%s' stands in section [%s]; expected section [colours]", key,
                           section);
    for (int i = 0; i < STYLE_COUNT; i++) {
        if (strcmp(key, ROLE_NAMES[i]) != 0)
            continue;
        enum status status = look_parse(value, &look, problem);
        if (status != STATUS_OK)
            return status;
        theme->style[i].fg = look.fg;
        theme->style[i].bg = look.bg;
        theme->style[i].attributes = look.attributes;
        return STATUS_OK;
    }
#define X(id, name, help) " " name
    return problem_set(problem, STATUS_BAD_INPUT, "'%s' is no role; expected one of:" ROLE_STYLE_TABLE(X), key);
#undef X
}

/* ---- where themes are ---- */

enum { PATH_LENGTH_MAX = 4096 };

/* The user's own themes folder; false where none can be told. */
static bool user_dir(char *out, size_t size)
{
    const char *base = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int length = 0;
    if (base && base[0] == '/') /* a relative one is to be ignored */
        length = snprintf(out, size, "%s/probetop/themes", base);
    else if (home && home[0] == '/')
        length = snprintf(out, size, "%s/.config/probetop/themes", home);
    return length > 0 && (size_t)length < size;
}

static const char *installed_dir(const char *themes_dir)
{
#ifdef PROBETOP_THEMES_DIR
    return themes_dir ? themes_dir : PROBETOP_THEMES_DIR;
#else
    return themes_dir ? themes_dir : "/usr/local/share/probetop/themes";
#endif
}

static bool builtin(const char *name, struct theme *theme)
{
    if (strcmp(name, "default") == 0)
        theme_default(theme);
    else if (strcmp(name, "mono") == 0)
        theme_mono(theme);
    else
        return false;
    return true;
}

static enum status theme_read(const char *path, struct theme *theme, struct conf_problems *problems)
{
    struct theme read;
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    theme_default(&read); /* what a file does not name stays as in the default theme */
    snprintf(read.name, sizeof read.name, "%.*s", dot && dot > base ? (int)(dot - base) : (int)strlen(base), base);
    enum status status = conf_read(path, theme_line, &read, problems);
    if (status == STATUS_OK)
        *theme = read;
    return status;
}

enum status theme_load(const char *name, const char *themes_dir, struct theme *theme, struct conf_problems *problems)
{
    char path[PATH_LENGTH_MAX], dir[PATH_LENGTH_MAX - 256];
    enum status status = STATUS_NOT_FOUND;
    if (strchr(name, '/'))
        return theme_read(name, theme, problems);
    if (strlen(name) > 200)
        return STATUS_NOT_FOUND;
    if (user_dir(dir, sizeof dir)) {
        snprintf(path, sizeof path, "%s/%s.theme", dir, name);
        status = theme_read(path, theme, problems);
    }
    if (status == STATUS_NOT_FOUND && builtin(name, theme))
        return STATUS_OK;
    if (status == STATUS_NOT_FOUND) {
        snprintf(path, sizeof path, "%s/%s.theme", installed_dir(themes_dir), name);
        status = theme_read(path, theme, problems);
    }
    return status;
}

/* ---- the list of names ---- */

struct names {
    char **list;
    size_t count;
};

static void names_add(struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->list[i], name) == 0)
            return;
    names->list = mem_resize(names->list, names->count + 2, sizeof *names->list);
    names->list[names->count++] = mem_dup(name);
    names->list[names->count] = NULL;
}

static void names_add_dir(struct names *names, const char *dir)
{
    DIR *open = opendir(dir);
    if (!open)
        return;
    for (struct dirent *entry; (entry = readdir(open)) != NULL && names->count < 200;) {
        size_t length = strlen(entry->d_name);
        if (length <= 6 || length > 60 || strcmp(entry->d_name + length - 6, ".theme") != 0)
            continue;
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)(length - 6), entry->d_name);
        names_add(names, name);
    }
    closedir(open);
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **theme_names(const char *themes_dir)
{
    struct names names = {NULL, 0};
    char dir[PATH_LENGTH_MAX];
    names_add(&names, "default");
    names_add(&names, "mono");
    if (user_dir(dir, sizeof dir))
        names_add_dir(&names, dir);
    names_add_dir(&names, installed_dir(themes_dir));
    qsort(names.list + 2, names.count - 2, sizeof *names.list, name_compare);
    return names.list;
}

/* ---- colours ---- */

/* The usual values of the 16 colours: only for finding the nearest; a terminal may show them otherwise. */
static const uint8_t PALETTE[16][3] = {{0, 0, 0},       {205, 0, 0},   {0, 205, 0},   {205, 205, 0},
                                       {0, 0, 238},     {205, 0, 205}, {0, 205, 205}, {229, 229, 229},
                                       {127, 127, 127}, {255, 0, 0},   {0, 255, 0},   {255, 255, 0},
                                       {92, 92, 255},   {255, 0, 255}, {0, 255, 255}, {255, 255, 255}};
static const uint8_t CUBE[6] = {0, 95, 135, 175, 215, 255};

static void index_rgb(int index, int rgb[3])
{
    for (int i = 0; i < 3; i++)
        if (index < 16)
            rgb[i] = PALETTE[index][i];
        else if (index < 232)
            rgb[i] = CUBE[(index - 16) / (i == 0 ? 36 : i == 1 ? 6 : 1) % 6];
        else
            rgb[i] = 8 + 10 * (index - 232);
}

static int nearest(const int rgb[3], int from, int to)
{
    int best = from, best_distance = INT32_MAX;
    for (int index = from; index < to; index++) {
        int other[3], distance = 0;
        index_rgb(index, other);
        for (int i = 0; i < 3; i++)
            distance += (rgb[i] - other[i]) * (rgb[i] - other[i]);
        if (distance < best_distance) {
            best_distance = distance;
            best = index;
        }
    }
    return best;
}

int theme_colour_down(const struct colour *colour, int colours)
{
    int rgb[3] = {colour->r, colour->g, colour->b};
    if (colour->kind == COLOUR_DEFAULT || colours < 8)
        return -1;
    if (colour->kind == COLOUR_INDEX) {
        if (colour->index < (colours > 256 ? 8 : colours))
            return colour->index;
        if (colours == 8 && colour->index < 16) /* bright red is red */
            return colour->index - 8;
        index_rgb(colour->index, rgb);
    }
    if (colours > 256) /* terminals that take RGB directly count their colours so */
        return rgb[0] << 16 | rgb[1] << 8 | rgb[2];
    if (colours == 256) /* not the first 16: nobody knows how they look */
        return nearest(rgb, 16, 256);
    return nearest(rgb, 0, colours >= 16 ? 16 : 8);
}
