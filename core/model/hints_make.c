#include "model/hints_make.h"

#include "model/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WORDS_SIZE = TEXT_LINE * 2 };

void hint_free(struct hint *hint)
{
    text_free(&hint->label);
    text_free(&hint->title);
    for (uint32_t i = 0; i < hint->evidence_count; i++)
        text_free(&hint->evidence[i].words);
    for (uint32_t i = 0; i < hint->fix_count; i++)
        text_free(&hint->fixes[i]);
    text_free(&hint->patch);
    for (uint32_t i = 0; i < hint->command_count; i++)
        text_free(&hint->commands[i]);
    memset(hint, 0, sizeof *hint);
}

__attribute__((format(printf, 3, 0))) static void words_set(struct text *to, size_t cells, const char *format,
                                                            va_list arguments)
{
    char words[WORDS_SIZE];
    vsnprintf(words, sizeof words, format, arguments);
    text_set_str(to, words, cells);
}

/* Whether a hint so sure and weighty ranks behind `other`. */
static bool ranks_behind(enum confidence confidence, int32_t weight, const struct hint *other)
{
    return confidence != other->confidence ? confidence < other->confidence : weight < other->weight;
}

/* A place for a new hint; NULL when all are taken by better ones. */
static struct hint *hint_place(struct hints *hints, enum confidence confidence, int32_t weight)
{
    if (hints->count < HINTS_MAX)
        return &hints->list[hints->count++];
    struct hint *worst = &hints->list[0];
    for (uint32_t i = 1; i < hints->count; i++)
        worst = ranks_behind(hints->list[i].confidence, hints->list[i].weight, worst) ? &hints->list[i] : worst;
    if (ranks_behind(confidence, weight, worst))
        return NULL;
    hint_free(worst);
    return worst;
}

struct hint *hint_add_labelled(struct hint_maker *maker, enum cause cause, const char *label,
                               enum confidence confidence, int32_t weight)
{
    struct hints *hints = maker->out;
    struct hint *hint = NULL;
    for (uint32_t i = 0; i < hints->count && !hint; i++)
        hint = hints->list[i].cause == cause && text_is(&hints->list[i].label, label) ? &hints->list[i] : NULL;
    if (!hint) {
        hint = hint_place(hints, confidence, weight);
        if (!hint)
            return NULL;
        hint->cause = cause;
        text_set_str(&hint->label, label, TEXT_NAME);
    }
    hint->confidence = confidence > hint->confidence ? confidence : hint->confidence;
    hint->weight = weight > hint->weight ? weight : hint->weight;
    return hint;
}

struct hint *hint_add(struct hint_maker *maker, enum cause cause, enum confidence confidence, int32_t weight)
{
    return hint_add_labelled(maker, cause, cause_label(cause), confidence, weight);
}

void hint_title(struct hint *hint, int32_t weight, const char *format, ...)
{
    if (!hint || (!text_empty(&hint->title) && weight <= hint->title_weight))
        return;
    va_list arguments;
    va_start(arguments, format);
    words_set(&hint->title, TEXT_LINE, format, arguments);
    va_end(arguments);
    hint->title_weight = weight;
}

void hint_evidence(struct hint *hint, enum evidence_source source, int32_t line, int64_t t, const char *format, ...)
{
    if (!hint || hint->evidence_count == HINT_EVIDENCE_MAX)
        return;
    struct evidence *evidence = &hint->evidence[hint->evidence_count];
    va_list arguments;
    va_start(arguments, format);
    words_set(&evidence->words, TEXT_LINE, format, arguments);
    va_end(arguments);
    for (uint32_t i = 0; i < hint->evidence_count; i++) {
        if (text_equal(&hint->evidence[i].words, &evidence->words)) {
            text_free(&evidence->words); /* said already */
            return;
        }
    }
    evidence->source = source;
    evidence->line = line;
    evidence->t = t;
    hint->evidence_count++;
}

static bool texts_have(const struct text *list, uint32_t count, const struct text *words)
{
    for (uint32_t i = 0; i < count; i++)
        if (text_equal(&list[i], words))
            return true;
    return false;
}

/* Takes over `words`, or frees them when they are there already, or there is no room. */
static void texts_add(struct text *list, uint32_t *count, uint32_t most, struct text *words)
{
    if (*count < most && !text_empty(words) && !texts_have(list, *count, words))
        text_move(&list[(*count)++], words);
    text_free(words);
}

void hint_fix(struct hint *hint, const char *format, ...)
{
    if (!hint)
        return;
    struct text words = {0};
    va_list arguments;
    va_start(arguments, format);
    words_set(&words, TEXT_LINE, format, arguments);
    va_end(arguments);
    texts_add(hint->fixes, &hint->fix_count, HINT_FIXES_MAX, &words);
}

struct hint *hint_find(const struct hint_maker *maker, enum cause cause)
{
    struct hints *hints = maker->out;
    for (uint32_t i = 0; i < hints->count; i++)
        if (hints->list[i].cause == cause)
            return &hints->list[i];
    return NULL;
}

struct hint *hint_best(const struct hint_maker *maker)
{
    struct hints *hints = maker->out;
    struct hint *best = NULL;
    for (uint32_t i = 0; i < hints->count; i++)
        if (!best || ranks_behind(best->confidence, best->weight, &hints->list[i]))
            best = &hints->list[i];
    return best;
}

void hint_drop(struct hint_maker *maker, enum cause cause)
{
    struct hints *hints = maker->out;
    for (uint32_t i = 0; i < hints->count;) {
        if (hints->list[i].cause != cause) {
            i++;
            continue;
        }
        hint_free(&hints->list[i]);
        hints->list[i] = hints->list[--hints->count];
        memset(&hints->list[hints->count], 0, sizeof hints->list[0]);
    }
}

/* Nothing can be run in a container that does not run. */
static bool can_run(const struct pod *pod, const char *template)
{
    enum container_state state = pod->facts.serving.state;
    return !strstr(template, " exec ") || (state != CONTAINER_WAITING && state != CONTAINER_TERMINATED);
}

void hint_command(struct hint_maker *maker, struct hint *hint, const char *template)
{
    struct text command = {0};
    if (hint && can_run(maker->pod, template) && command_fill(template, maker->pod, &command))
        texts_add(hint->commands, &hint->command_count, HINT_COMMANDS_MAX, &command);
    text_free(&command);
}

void hint_patch(struct hint *hint, const char *yaml)
{
    if (hint)
        text_set_lines(&hint->patch, yaml, strlen(yaml), TEXT_LINE);
}

void hints_state(struct hint_maker *maker, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    words_set(&maker->out->state, TEXT_LINE, format, arguments);
    va_end(arguments);
}

void hints_why(struct hint_maker *maker, const char *format, ...)
{
    struct hints *out = maker->out;
    if (out->why_count == sizeof out->why / sizeof out->why[0])
        return;
    va_list arguments;
    va_start(arguments, format);
    words_set(&out->why[out->why_count++], TEXT_LINE, format, arguments);
    va_end(arguments);
}

void hints_next(struct hint_maker *maker, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    words_set(&maker->out->next, TEXT_LINE, format, arguments);
    va_end(arguments);
}
