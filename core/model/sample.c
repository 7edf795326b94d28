#include "model/sample.h"

#include <string.h>

/* Linear: the tables are short and names are read in decoders only. */
static bool name_find(const char *const *names, int count, const char *name, int *found)
{
    for (int i = 0; name != NULL && i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            *found = i;
            return true;
        }
    }
    return false;
}

static const char *const outcome_names[OUTCOME_COUNT] = {
#define X(id, name) [id] = name,
    OUTCOME_TABLE(X)
#undef X
};

static const char *const probe_cause_names[PROBE_CAUSE_COUNT] = {
#define X(id, name, whose, sentence) [id] = name,
    PROBE_CAUSE_TABLE(X)
#undef X
};

static const char *const answerer_names[ANSWERER_COUNT] = {
#define X(id, name) [id] = name,
    ANSWERER_TABLE(X)
#undef X
};

const char *outcome_name(enum outcome outcome)
{
    return (unsigned)outcome < OUTCOME_COUNT ? outcome_names[outcome] : "unknown";
}

bool outcome_from_name(const char *name, enum outcome *outcome)
{
    int found;
    if (!name_find(outcome_names, OUTCOME_COUNT, name, &found))
        return false;
    *outcome = (enum outcome)found;
    return true;
}

const char *probe_cause_name(enum probe_cause cause)
{
    return (unsigned)cause < PROBE_CAUSE_COUNT ? probe_cause_names[cause] : "none";
}

const char *probe_cause_sentence(enum probe_cause cause)
{
    static const char *const sentences[PROBE_CAUSE_COUNT] = {
#define X(id, name, whose, sentence) [id] = sentence,
        PROBE_CAUSE_TABLE(X)
#undef X
    };
    return (unsigned)cause < PROBE_CAUSE_COUNT ? sentences[cause] : "";
}

char probe_cause_whose(enum probe_cause cause)
{
    static const char whose_is[PROBE_CAUSE_COUNT] = {
#define X(id, name, whose, sentence) [id] = whose,
        PROBE_CAUSE_TABLE(X)
#undef X
    };
    return (unsigned)cause < PROBE_CAUSE_COUNT ? whose_is[cause] : 'o';
}

bool probe_cause_from_name(const char *name, enum probe_cause *cause)
{
    int found;
    if (!name_find(probe_cause_names, PROBE_CAUSE_COUNT, name, &found))
        return false;
    *cause = (enum probe_cause)found;
    return true;
}

const char *answerer_name(enum answerer answerer)
{
    return (unsigned)answerer < ANSWERER_COUNT ? answerer_names[answerer] : "nobody";
}

bool answerer_from_name(const char *name, enum answerer *answerer)
{
    int found;
    if (!name_find(answerer_names, ANSWERER_COUNT, name, &found))
        return false;
    *answerer = (enum answerer)found;
    return true;
}

void sample_init(struct sample *sample)
{
    *sample = (struct sample){
        .outcome = OUTCOME_UNKNOWN,
        .sent = -1,
        .dns = -1,
        .connect = -1,
        .tls = -1,
        .first_byte = -1,
        .total = -1,
        .tunnel = -1,
        .late = -1,
        .model_count = -1,
    };
}

void sample_free(struct sample *sample)
{
    text_free(&sample->detail);
    text_free(&sample->body);
    for (int i = 0; i < SAMPLE_MODELS_MAX; i++)
        text_free(&sample->models[i]);
    sample_init(sample);
}

void sample_copy(struct sample *to, const struct sample *from)
{
    if (to == from)
        return;
    sample_free(to);
    *to = *from;
    /* The texts still belong to `from`: each gets memory of its own. */
    to->detail = (struct text){0};
    to->body = (struct text){0};
    text_copy(&to->detail, &from->detail);
    text_copy(&to->body, &from->body);
    for (int i = 0; i < SAMPLE_MODELS_MAX; i++) {
        to->models[i] = (struct text){0};
        text_copy(&to->models[i], &from->models[i]);
    }
}
