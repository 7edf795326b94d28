#include "engine/signatures_conf.h"

#include "base/mem.h"

#include <ctype.h>
#include <string.h>

enum { SECTIONS_MAX = 256, PATTERNS_MAX = 32 };

/* One section under way: its keys come in any order, so its signatures are made when all is read. */
struct section {
    char *label, *title, *fix, *command; /* owned */
    char *patterns[PATTERNS_MAX];        /* owned */
    size_t pattern_count;
    int where;
    enum confidence confidence;
    int line; /* of its first key */
};

struct reader {
    struct section *list;
    size_t count;
};

static void section_free(struct section *section)
{
    mem_free(section->label);
    mem_free(section->title);
    mem_free(section->fix);
    mem_free(section->command);
    for (size_t i = 0; i < section->pattern_count; i++)
        mem_free(section->patterns[i]);
}

static enum status label_check(const char *label, struct problem *problem)
{
    enum cause cause;
    bool good = label[0] != '\0';
    for (const char *p = label; *p; p++)
        good = good && (isalnum((unsigned char)*p) || *p == '-');
    if (!good)
        return problem_set(problem, STATUS_BAD_INPUT,
                           "the label \"%s\" is not usable; expected a section [label] of letters, digits and dashes",
                           label);
    if (cause_from_label(label, &cause) && cause_is_healthy(cause))
        return problem_set(problem, STATUS_BAD_INPUT, "the label \"%s\" says that nothing is wrong; expected a cause",
                           label);
    return STATUS_OK;
}

/* The section of that label, begun where it is new. */
static enum status section_find(struct reader *reader, const char *label, int line, struct section **out,
                                struct problem *problem)
{
    for (size_t i = 0; i < reader->count; i++) {
        if (strcmp(reader->list[i].label, label) == 0) {
            *out = &reader->list[i];
            return STATUS_OK;
        }
    }
    enum status status = label_check(label, problem);
    if (status != STATUS_OK)
        return status;
    if (reader->count == SECTIONS_MAX)
        return problem_set(problem, STATUS_BAD_INPUT, "too many labels; expected at most %d", SECTIONS_MAX);
    reader->list = mem_resize(reader->list, reader->count + 1, sizeof *reader->list);
    *out = &reader->list[reader->count++];
    **out =
        (struct section){.label = mem_dup(label), .where = WHERE_ANY, .confidence = CONFIDENCE_LIKELY, .line = line};
    return STATUS_OK;
}

static enum status pattern_add(struct section *section, const char *value, struct problem *problem)
{
    if (value[strspn(value, "* ")] == '\0')
        return problem_set(problem, STATUS_BAD_INPUT,
                           "the pattern \"%s\" matches every line; expected words, with * for anything in between",
                           value);
    if (section->pattern_count == PATTERNS_MAX)
        return problem_set(problem, STATUS_BAD_INPUT, "too many patterns; expected at most %d under one label",
                           PATTERNS_MAX);
    section->patterns[section->pattern_count++] = mem_dup(value);
    return STATUS_OK;
}

static enum status where_set(struct section *section, const char *value, struct problem *problem)
{
    static const struct {
        const char *name;
        int where;
    } rows[] = {{"logs", WHERE_LOGS}, {"events", WHERE_EVENTS}, {"status", WHERE_STATUS}, {"any", WHERE_ANY}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].name, value) == 0) {
            section->where = rows[i].where;
            return STATUS_OK;
        }
    }
    return problem_set(problem, STATUS_BAD_INPUT, "where is \"%s\"; expected logs, events, status or any", value);
}

static enum status text_set_once(char **to, const char *key, const char *value, struct problem *problem)
{
    if (*to)
        return problem_set(problem, STATUS_BAD_INPUT, "%s stands there a second time; expected one under a label", key);
    if (value[0] == '\0')
        return problem_set(problem, STATUS_BAD_INPUT, "%s is empty; expected words", key);
    *to = mem_dup(value);
    return STATUS_OK;
}

static enum status take_line(void *user, const char *label, const char *key, const char *value, int line,
                             struct problem *problem)
{
    struct section *section = NULL;
    enum status status = section_find(user, label, line, &section, problem);
    if (status != STATUS_OK)
        return status;
    if (strcmp(key, "pattern") == 0)
        return pattern_add(section, value, problem);
    if (strcmp(key, "where") == 0)
        return where_set(section, value, problem);
    if (strcmp(key, "title") == 0)
        return text_set_once(&section->title, key, value, problem);
    if (strcmp(key, "fix") == 0)
        return text_set_once(&section->fix, key, value, problem);
    if (strcmp(key, "command") == 0)
        return text_set_once(&section->command, key, value, problem);
    if (strcmp(key, "confidence") == 0)
        return confidence_from_name(value, &section->confidence)
                   ? STATUS_OK
                   : problem_set(problem, STATUS_BAD_INPUT,
                                 "confidence is \"%s\"; expected certain, likely or possible", value);
    return problem_set(problem, STATUS_BAD_INPUT,
                       "unknown key \"%s\"; expected title, pattern, where, confidence, fix or command", key);
}

/* One signature for each pattern, each with words of its own. */
static void section_make(const struct section *section, struct signatures *out)
{
    enum cause cause = CAUSE_OWN;
    cause_from_label(section->label, &cause);
    for (size_t i = 0; i < section->pattern_count; i++) {
        out->own = mem_resize(out->own, out->own_count + 1, sizeof *out->own);
        out->own[out->own_count++] = (struct signature){.cause = cause,
                                                        .pattern = mem_dup(section->patterns[i]),
                                                        .where = section->where,
                                                        .confidence = section->confidence,
                                                        .title = mem_dup(section->title),
                                                        .label = mem_dup(section->label),
                                                        .fix = mem_dup(section->fix),
                                                        .command = mem_dup(section->command)};
    }
}

enum status signatures_read(const char *path, struct signatures *out, struct conf_problems *problems)
{
    struct reader reader = {0};
    enum status status = conf_read(path, take_line, &reader, problems);
    for (size_t i = 0; i < reader.count; i++) {
        struct section *section = &reader.list[i];
        if (section->pattern_count == 0)
            conf_problems_add(problems, "%s:%d: [%s] has no pattern; expected at least one \"pattern = words\"", path,
                              section->line, section->label);
        section_make(section, out);
        section_free(section);
    }
    mem_free(reader.list);
    return status;
}

void signatures_free(struct signatures *signatures)
{
    for (size_t i = 0; i < signatures->own_count; i++) {
        struct signature *own = &signatures->own[i];
        mem_free((char *)own->pattern);
        mem_free((char *)own->title);
        mem_free((char *)own->label);
        mem_free((char *)own->fix);
        mem_free((char *)own->command);
    }
    mem_free(signatures->own);
    *signatures = (struct signatures){0};
}
