#include "model/hints_make.h"

#include "model/command.h"
#include "model/revision.h"

#include <stdlib.h>
#include <string.h>

void hints_free(struct hints *hints)
{
    for (uint32_t i = 0; i < hints->count; i++)
        hint_free(&hints->list[i]);
    text_free(&hints->state);
    for (uint32_t i = 0; i < hints->why_count; i++)
        text_free(&hints->why[i]);
    text_free(&hints->next);
    memset(hints, 0, sizeof *hints);
}

/* What the table says of the cause goes behind what the rules said. */
static void hint_complete(struct hint_maker *maker, struct hint *hint)
{
    const struct cause_info *info = cause_info(hint->cause);
    struct text words = {0};
    hint_title(hint, 0, "%s", info->title);
    /* The table's first fix is the one that rules work out for this pod. */
    for (int i = hint->fix_count > 0 ? 1 : 0; !hint->particular && i < CAUSE_FIXES_MAX && info->fixes[i]; i++)
        if (command_fill(info->fixes[i], maker->pod, &words))
            hint_fix(hint, "%s", text_str(&words));
    for (int i = 0; i < CAUSE_COMMANDS_MAX && info->commands[i]; i++)
        hint_command(maker, hint, info->commands[i]);
    hint_patch_cause(hint, maker->pod);
    text_free(&words);
}

static int hint_compare(const void *a, const void *b)
{
    const struct hint *left = a, *right = b;
    if (left->confidence != right->confidence)
        return left->confidence > right->confidence ? -1 : 1;
    if (left->weight != right->weight)
        return left->weight > right->weight ? -1 : 1;
    return left->cause < right->cause ? -1 : left->cause > right->cause;
}

/* Where all pods of a Deployment's newest version fail and those of the one before still serve, the version is what they have in common, and going back is what brings the service up. Not where the cluster has no room or took the node
 * away: that is no version's doing. */
static void hint_rollout(struct hint_maker *maker)
{
    struct hint *first = maker->out->count > 0 ? &maker->out->list[0] : NULL;
    const struct pod *pod = maker->pod;
    if (!first || first->confidence < CONFIDENCE_LIKELY || first->cause == CAUSE_UNSCHEDULABLE_RESOURCES ||
        first->cause == CAUSE_EVICTED || first->cause == CAUSE_TUNNEL || pod->stage == STAGE_READY ||
        !pod_is_unwell(pod, maker->now))
        return;
    struct revision_fate fate = revision_fate(maker->fleet, pod);
    if (!fate.newest || fate.ever_ready > 0 || fate.older_ready == 0)
        return;
    hints_why(maker, "no pod of the Deployment's newest version has been Ready yet; %u of an older one still serve%s",
              (unsigned)fate.older_ready, fate.older_ready == 1 ? "s" : "");
    hint_fix(first, "Or go back to the version before, which still serves.");
    hint_command(maker, first, "{kubectl} rollout undo {workload}");
}

void pod_hints(const struct fleet *fleet, const struct pod *pod, int64_t now, struct hints *out)
{
    struct hint_maker maker = {fleet, pod, now, out};
    memset(out, 0, sizeof *out);
    hints_of_findings(&maker);
    hints_of_termination(&maker);
    hints_of_live(&maker);
    const struct hint *key = hint_find(&maker, CAUSE_API_KEY);
    if (key && key->confidence == CONFIDENCE_CERTAIN)
        hint_drop(&maker, CAUSE_WRONG_PORT); /* a 401 shows that the port is right */
    qsort(out->list, out->count, sizeof *out->list, hint_compare);
    for (uint32_t i = 0; i < out->count; i++)
        hint_complete(&maker, &out->list[i]);
    hint_rollout(&maker);
    hints_of_state(&maker);
    if (text_empty(&out->state))
        hints_state(&maker, "nothing is known of it yet");
    out->verdict = hints_verdict(&maker);
}
