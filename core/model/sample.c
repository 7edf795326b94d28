#include "model/sample.h"

#include "base/mem.h"

#include <string.h>

const char *outcome_name(enum outcome outcome)
{
    static const char *const names[OUTCOME_COUNT] = {
#define X(id, name) [id] = name,
        OUTCOME_TABLE(X)
#undef X
    };
    return (unsigned)outcome < OUTCOME_COUNT ? names[outcome] : "unknown";
}

const char *probe_cause_name(enum probe_cause cause)
{
    static const char *const names[PROBE_CAUSE_COUNT] = {
#define X(id, name, whose, sentence) [id] = name,
        PROBE_CAUSE_TABLE(X)
#undef X
    };
    return (unsigned)cause < PROBE_CAUSE_COUNT ? names[cause] : "none";
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

const char *answerer_name(enum answerer answerer)
{
    static const char *const names[ANSWERER_COUNT] = {
#define X(id, name) [id] = name,
        ANSWERER_TABLE(X)
#undef X
    };
    return (unsigned)answerer < ANSWERER_COUNT ? names[answerer] : "nobody";
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

void models_free(struct text **models, int32_t *count)
{
    for (int32_t i = 0; *models && i < *count; i++)
        text_free(&(*models)[i]);
    mem_free(*models);
    *models = NULL;
    *count = -1;
}

void models_copy(struct text **models, int32_t *count, const struct text *from, int32_t from_count)
{
    models_free(models, count);
    *count = from_count;
    if (from_count <= 0)
        return;
    *models = mem_array((size_t)from_count, sizeof **models);
    for (int32_t i = 0; i < from_count; i++)
        text_copy(&(*models)[i], &from[i]);
}

struct text *sample_add_model(struct sample *sample)
{
    size_t count = sample->model_count > 0 ? (size_t)sample->model_count : 0;
    sample->models = mem_resize(sample->models, count + 1, sizeof *sample->models);
    sample->models[count] = (struct text){0};
    sample->model_count = (int32_t)count + 1;
    return &sample->models[count];
}

void sample_free(struct sample *sample)
{
    text_free(&sample->detail);
    text_free(&sample->body);
    models_free(&sample->models, &sample->model_count);
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
    to->models = NULL;
    models_copy(&to->models, &to->model_count, from->models, from->model_count);
}
