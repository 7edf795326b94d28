#include "kube/diagnosis_work.h"

#include "base/mem.h"

#include <string.h>

static enum status texts_read(struct diagnosis *work)
{
    const struct diagnosis_text *events = &work->texts->events, *describe = &work->texts->describe;
    if (describe->bytes)
        describe_read(describe->bytes, describe->length, &work->described);
    if (!events->bytes)
        return STATUS_OK;
    if (diagnosis_text_is_json(events) || diagnosis_text_is_yaml(events))
        return document_read(events, &work->event_file, work->problem);
    describe_read(events->bytes, events->length, &work->events);
    return STATUS_OK;
}

static enum status texts_check(const struct diagnosis_texts *texts, struct problem *problem)
{
    const struct diagnosis_text *const all[] = {&texts->pod, &texts->events, &texts->describe, &texts->logs,
                                                &texts->previous};
    bool any = false;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        any = any || !diagnosis_text_is_blank(all[i]);
    if (texts->pod.bytes && diagnosis_text_is_blank(&texts->pod))
        return problem_set(problem, STATUS_BAD_INPUT,
                           "%s: empty; expected a pod, as kubectl get pod NAME -o json or -o yaml writes it",
                           texts->pod.name);
    for (size_t i = 0; i < sizeof all / sizeof all[0] && !any; i++)
        if (all[i]->bytes)
            return problem_set(problem, STATUS_BAD_INPUT, "%s: empty; there is nothing to look at", all[i]->name);
    return any ? STATUS_OK : problem_set(problem, STATUS_BAD_INPUT, "no file was given");
}

static void fleet_make(struct diagnosis *work, const struct signatures *own)
{
    struct fleet_limits limits = fleet_limits_reader();
    limits.signatures = own;
    work->fleet = fleet_new(limits);
    diagnosis_find_moments(work);
    diagnosis_find_facts(work);
    diagnosis_tell(work);
}

enum status diagnosis_fleet(const struct diagnosis_texts *texts, const struct signatures *own, struct fleet **out,
                            struct problem *problem)
{
    struct diagnosis work = {.texts = texts, .problem = problem, .clock = {.speed = 1}};
    enum status status = texts_check(texts, problem);
    *out = NULL;
    status = status == STATUS_OK ? texts_read(&work) : status;
    status = status == STATUS_OK ? diagnosis_find_pod(&work) : status;
    if (status == STATUS_OK)
        fleet_make(&work, own);
    *out = work.fleet;
    pod_facts_free(&work.facts);
    described_free(&work.described);
    described_free(&work.events);
    document_free(&work.pod_file);
    document_free(&work.event_file);
    mem_free(work.log_container);
    return status;
}

const char *diagnosis_file(const struct diagnosis_texts *texts, enum evidence_source source)
{
    const struct diagnosis_text *describe = &texts->describe;
    switch (source) {
    case EVIDENCE_LOGS:
        return texts->logs.name;
    case EVIDENCE_PREVIOUS:
        return texts->previous.name;
    case EVIDENCE_EVENTS:
        return texts->events.bytes ? texts->events.name : describe->name;
    case EVIDENCE_POD:
        return texts->pod.bytes ? texts->pod.name : describe->name;
    case EVIDENCE_DESCRIBE:
        return describe->name;
    default:
        return NULL;
    }
}
