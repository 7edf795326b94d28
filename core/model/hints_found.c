#include "model/hints_make.h"

void hints_of_findings(struct hint_maker *maker)
{
    const struct findings *findings = &maker->pod->findings;
    for (uint32_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->list[i];
        struct hint *hint = hint_add(maker, finding->signature->cause, finding->signature->confidence, 0);
        hint_evidence(hint, finding->source, finding->line, finding->first, "%s", text_str(&finding->quote));
    }
}

void hints_of_termination(struct hint_maker *maker)
{
    (void)maker;
}

enum cause pod_verdict(const struct pod *pod)
{
    return pod->stage == STAGE_READY ? CAUSE_HEALTHY : CAUSE_NONE;
}
