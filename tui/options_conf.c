/* The configuration file, and the files that it or the command line names: themes, signatures. */
#include "base/clock.h"
#include "base/mem.h"
#include "engine/signatures_conf.h"
#include "tui/options_table.h"
#include "tui/theme.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef PROBETOP_SYSCONF_DIR
#define PROBETOP_SYSCONF_DIR "/etc/probetop"
#endif

/* ---- themes ---- */

static enum status theme_unknown(const char *name, const char *themes_dir, struct problem *problem)
{
    struct buf words;
    struct nearest nearest = {.wanted = name};
    buf_init(&words, PROBLEM_MAX);
    char **names = theme_names(themes_dir);
    for (char **n = names; *n; n++)
        nearest_offer(&nearest, *n);
    nearest_tell(&nearest, "", &words);
    buf_puts(&words, nearest.best ? " There are: " : "; expected the path of a theme file, or one of: ");
    for (char **n = names; *n; n++)
        buf_printf(&words, "%s%s", n == names ? "" : ", ", *n);
    enum status status = problem_set(problem, STATUS_BAD_INPUT, "unknown theme \"%s\"%s", name, buf_str(&words));
    for (char **n = names; *n; n++)
        mem_free(*n);
    mem_free(names);
    buf_free(&words);
    return status;
}

static bool theme_exists(const char *name)
{
    struct theme theme;
    struct conf_problems later = {NULL, 0}; /* what is wrong inside of it is told when it is chosen */
    enum status status = theme_load(name, options_themes_dir(), &theme, &later);
    conf_problems_free(&later);
    return status != STATUS_NOT_FOUND;
}

enum status theme_choose(const struct found *found, struct options *out, struct problem *problem)
{
    struct theme theme;
    const char *environment = getenv("PROBETOP_THEME");
    if (found->given[FLAG_THEME])
        replace_string(&out->theme, found->value[FLAG_THEME]);
    else if (environment && environment[0] != '\0')
        replace_string(&out->theme, environment);
    if (!out->theme || theme_load(out->theme, options_themes_dir(), &theme, &out->problems) != STATUS_NOT_FOUND)
        return STATUS_OK;
    struct problem words = {""};
    theme_unknown(out->theme, options_themes_dir(), &words);
    replace_string(&out->theme, NULL);
    if (found->given[FLAG_THEME])
        return problem_set(problem, STATUS_BAD_INPUT, "%s", words.text);
    conf_problems_add(&out->problems, "%s", words.text);
    return STATUS_OK;
}

const char *options_themes_dir(void)
{
    const char *dir = getenv("PROBETOP_THEMES");
    return dir && dir[0] == '/' ? dir : NULL;
}

/* ---- the configuration file ---- */

struct reading {
    struct options *out;
    struct found *found;
};

static enum status setting_bad(const char *key, const char *value, const char *expected, struct problem *problem)
{
    return problem_set(problem, STATUS_BAD_INPUT, "%s = %s: expected %s", key, value, expected);
}

/* The configuration names a directory, since one file could be recorded to only once: each run gets a file of its own in it. */
static void setting_record(struct options *out, const char *dir)
{
    struct clock clock;
    struct buf path;
    char moment[32];
    clock_start(&clock, 1);
    clock_format(clock.wall_zero, CLOCK_ISO_UTC, moment, sizeof moment);
    for (char *c = moment; *c; c++)
        if (*c == ':')
            *c = '-';
    buf_init(&path, 4096);
    buf_printf(&path, "%s/probetop-%s-%ld.jsonl", dir, moment, (long)getpid());
    replace_string(&out->record_path, buf_str(&path));
    buf_free(&path);
}

static enum status setting_line(struct options *out, const char *key, const char *value, struct problem *problem)
{
    if (strcmp(key, "theme") == 0) {
        if (!theme_exists(value))
            return theme_unknown(value, options_themes_dir(), problem);
        replace_string(&out->theme, value);
        return STATUS_OK;
    }
    if (strcmp(key, "ascii") == 0) {
        out->ascii_given = parse_yes(value, &out->ascii);
        return out->ascii_given ? STATUS_OK : setting_bad(key, value, "yes or no", problem);
    }
    if (strcmp(key, "color") == 0)
        return parse_colour(value, &out->colour) ? STATUS_OK
                                                 : setting_bad(key, value, "auto, always or never", problem);
    if (strcmp(key, "record") == 0) {
        if (value[0] != '/')
            return setting_bad(key, value, "the absolute path of a directory", problem);
        setting_record(out, value);
        return STATUS_OK;
    }
    if (strcmp(key, "namespace") == 0 || strcmp(key, "context") == 0) {
        if (value[0] == '\0')
            return setting_bad(key, value, "a name", problem);
        replace_string(key[0] == 'n' ? &out->kube.flags.ns : &out->kube.flags.context, value);
        return STATUS_OK;
    }
    if (strcmp(key, "signatures") == 0) {
        if (value[0] != '/')
            return setting_bad(key, value, "the absolute path of a file", problem);
        replace_string(&out->signatures_path, value);
        return STATUS_OK;
    }
    if (strcmp(key, "via") == 0) {
        if (!is_via(value))
            return setting_bad(key, value, VIA_EXPECTED, problem);
        replace_string(&out->kube.via, value);
        return STATUS_OK;
    }
    return problem_set(
        problem, STATUS_BAD_INPUT,
        "unknown key \"%s\"; expected theme, ascii, color, record, namespace, context, via or signatures", key);
}

static enum status conf_line(void *user, const char *section, const char *key, const char *value, int line,
                             struct problem *problem)
{
    struct reading *reading = user;
    (void)line;
    if (strcmp(section, "probetop") == 0)
        return setting_line(reading->out, key, value, problem);
    if (strcmp(section, "keys") == 0)
        return keymap_bind(&reading->out->keymap, key, value, problem);
    if (strncmp(section, "endpoint ", 9) == 0) {
        if (!reading->found->wants_endpoints)
            return STATUS_OK;
        reading->found->has_sections = true;
        return endpoints_conf_line(&reading->out->endpoints, section, key, value, problem);
    }
    if (section[0] == '\0')
        return problem_set(problem, STATUS_BAD_INPUT, "\"%s\" stands before any section; expected [probetop] first",
                           key);
    return problem_set(problem, STATUS_BAD_INPUT,
                       "unknown section [%s]; expected [probetop], [keys] or [endpoint NAME]", section);
}

static enum status conf_file(const char *path, struct found *found, struct options *out)
{
    struct reading reading = {out, found};
    enum status status = conf_read(path, conf_line, &reading, &out->problems);
    if (status == STATUS_OK && found->wants_endpoints)
        endpoints_check(&out->endpoints, path, &out->problems);
    return status;
}

/* $XDG_CONFIG_HOME/probetop/NAME; a relative XDG path is ignored, as its specification says. False: there is no such place. */
static bool conf_own_path(struct buf *path, const char *name)
{
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (base && base[0] == '/')
        return buf_printf(path, "%s/probetop/%s", base, name);
    return home && home[0] == '/' && buf_printf(path, "%s/.config/probetop/%s", home, name);
}

enum status conf_all(struct found *found, struct options *out, struct problem *problem)
{
    const char *environment = getenv("PROBETOP_CONFIG");
    enum status status = STATUS_OK;
    struct buf path;
    buf_init(&path, 4096);
    conf_file(PROBETOP_SYSCONF_DIR "/probetop.conf", found, out);
    if (found->given[FLAG_CONFIG]) {
        if (conf_file(found->value[FLAG_CONFIG], found, out) != STATUS_OK) {
            const char *why = out->problems.count > 0 ? "cannot be read" : "is not there";
            status =
                problem_set(problem, STATUS_BAD_INPUT, "the configuration file %s %s", found->value[FLAG_CONFIG], why);
        }
    } else if (environment && environment[0] != '\0') {
        if (conf_file(environment, found, out) == STATUS_NOT_FOUND)
            conf_problems_add(&out->problems, "PROBETOP_CONFIG names %s, which is not there", environment);
    } else if (conf_own_path(&path, "probetop.conf")) {
        conf_file(buf_str(&path), found, out);
    }
    buf_free(&path);
    return status;
}

/* ---- signatures ---- */

enum status signatures_choose(const struct found *found, struct options *out, struct problem *problem)
{
    struct buf path;
    buf_init(&path, 4096);
    if (found->given[FLAG_SIGNATURES])
        replace_string(&out->signatures_path, found->value[FLAG_SIGNATURES]);
    bool usual = !out->signatures_path && conf_own_path(&path, "signatures.conf");
    const char *file = usual ? buf_str(&path) : out->signatures_path;
    enum status status = file ? signatures_read(file, &out->signatures, &out->problems) : STATUS_OK;
    if (status != STATUS_OK && found->given[FLAG_SIGNATURES])
        status = problem_set(problem, STATUS_BAD_INPUT, "the signature file %s %s", file,
                             status == STATUS_NOT_FOUND ? "is not there" : "cannot be read");
    else if (status == STATUS_NOT_FOUND && !usual)
        conf_problems_add(&out->problems, "signatures = %s: there is no such file", file);
    if (!found->given[FLAG_SIGNATURES])
        status = STATUS_OK; /* told beside the problems of the configuration */
    buf_free(&path);
    return status;
}
