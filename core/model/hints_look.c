#include "model/hints_look.h"

#include <string.h>

bool finding_is_log(const struct finding *finding)
{
    return finding->source == EVIDENCE_LOGS || finding->source == EVIDENCE_PREVIOUS;
}

uint32_t finding_runs_ago(const struct pod *pod, const struct finding *finding)
{
    if (finding->run == 0)
        return finding->source == EVIDENCE_PREVIOUS ? 1 : 0;
    return finding->run < pod->run ? pod->run - finding->run : 0;
}

const struct finding *look_clue(const struct look *look, enum clue clue, uint32_t runs)
{
    const struct finding *found = NULL;
    for (uint32_t i = 0; i < look->findings->count; i++) {
        const struct finding *finding = &look->findings->list[i];
        if (finding->signature->clue == clue && !finding->sidecar && finding_runs_ago(look->pod, finding) <= runs &&
            (!found || finding->last_order > found->last_order))
            found = finding;
    }
    return found;
}

bool finding_came_after(const struct finding *later, const struct finding *sooner)
{
    if (!later)
        return false;
    return later->last != sooner->last ? later->last > sooner->last : later->last_order > sooner->last_order;
}

bool look_is_last(const struct look *look, const struct finding *finding)
{
    return finding && finding_is_log(finding) && finding->last_order > look->findings->moved;
}

static bool log_is_dead(const struct look *look)
{
    const struct finding *stopped = look_clue(look, CLUE_STOPPED, 0), *death = look_clue(look, CLUE_DEATH, 0);
    bool goes_on = death && look->findings->calm > death->last_order; /* a traceback that somebody survived */
    bool backs_off =
        look->bare && death && !finding_is_log(death) && !finding_came_after(look_clue(look, CLUE_STARTED, 0), death);
    return backs_off || (look_is_last(look, death) && !goes_on) ||
           look_is_last(look, look_clue(look, CLUE_START_FAILED, 0)) || (stopped && finding_is_log(stopped)) ||
           look->pod->progress.shutting_down;
}

/* The engine's or API server's own words that it died in service. */
static bool engine_is_told_dead(const struct look *look)
{
    for (uint32_t i = 0; i < look->findings->count; i++) {
        const struct finding *finding = &look->findings->list[i];
        if (finding->signature->cause == CAUSE_ENGINE_DEAD && finding_is_log(finding) &&
            finding_runs_ago(look->pod, finding) == 0)
            return true;
    }
    return false;
}

void look_begin(struct look *look, struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    const struct container_facts *serving = &pod->facts.serving;
    memset(look, 0, sizeof *look);
    look->maker = maker;
    look->pod = pod;
    look->findings = &pod->findings;
    look->now = maker->now;
    look->files = text_is(&maker->fleet->source_name, "files");
    look->bare = look->files && !serving->started_at_known &&
                 (serving->state == CONTAINER_RUNNING || serving->state == CONTAINER_UNKNOWN);
    look->ended = pod->stage == STAGE_BACKOFF || pod->stage == STAGE_FAILED || pod->stage == STAGE_COMPLETED;
    look->dead = look->ended || log_is_dead(look);
    look->listening = pod->progress.furthest == SUBSTAGE_LISTENING || pod->loaded_at >= 0;
    look->served = look->listening || look_clue(look, CLUE_SERVED, 0) || look->findings->asked > 0 ||
                   (engine_is_told_dead(look) && !look_clue(look, CLUE_START_FAILED, 1));
}

bool look_has_hint(const struct look *look, enum confidence at_least)
{
    const struct hints *hints = look->maker->out;
    for (uint32_t i = 0; i < hints->count; i++)
        if (hints->list[i].confidence >= at_least)
            return true;
    return false;
}

bool look_has_cause(const struct look *look, enum cause cause)
{
    return hint_find(look->maker, cause) != NULL;
}

void look_quote(const struct look *look, struct hint *hint, const struct finding *finding)
{
    bool older = finding->source == EVIDENCE_LOGS && finding_runs_ago(look->pod, finding) > 0;
    hint_evidence(hint, older ? EVIDENCE_PREVIOUS : finding->source, finding->line, finding->first, "%s",
                  text_str(&finding->quote));
}
