#include "tui/hint_lines.h"

#include "base/clock.h"
#include "base/mem.h"

struct hint_told {
    uint32_t pod;
    int64_t looked_at;
    uint64_t causes; /* since it was last well, as bits */
};
_Static_assert((int)CAUSE_COUNT <= 64, "a bit for each cause");

enum { LOOK_US = SECOND_US };

void hint_lines_free(struct hint_lines *lines)
{
    mem_free(lines->list);
    *lines = (struct hint_lines){.list = NULL};
}

/* The list is in the order of the pods' numbers, in which they come. */
static struct hint_told *told_of(struct hint_lines *lines, uint32_t pod)
{
    uint32_t low = 0, high = lines->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (lines->list[middle].pod < pod)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < lines->count && lines->list[low].pod == pod)
        return &lines->list[low];
    if (lines->count == lines->capacity) {
        lines->capacity = lines->capacity ? 2 * lines->capacity : 16;
        lines->list = mem_resize(lines->list, lines->capacity, sizeof *lines->list);
    }
    for (uint32_t at = lines->count++; at > low; at--)
        lines->list[at] = lines->list[at - 1];
    lines->list[low] = (struct hint_told){.pod = pod, .looked_at = INT64_MIN};
    return &lines->list[low];
}

static bool told_take(struct hint_told *told, const struct pod *pod, const struct hints *hints)
{
    const struct hint *first = hints->count > 0 ? &hints->list[0] : NULL;
    if (!first && pod->stage == STAGE_READY)
        told->causes = 0;
    if (!first || first->confidence < CONFIDENCE_LIKELY || told->causes >> first->cause & 1)
        return false;
    told->causes |= UINT64_C(1) << first->cause;
    return true;
}

bool hint_lines_take(struct hint_lines *lines, const struct fleet *fleet, const struct fact *fact, struct text *words)
{
    const struct pod *pod = fact->pod != 0 ? fleet_pod(fleet, fact->pod) : NULL;
    struct hint_told *told = pod && !pod->gone ? told_of(lines, fact->pod) : NULL;
    if (!told || (told->looked_at != INT64_MIN && fact->t - told->looked_at < LOOK_US))
        return false;
    struct hints hints;
    struct text command = {0};
    told->looked_at = fact->t;
    pod_hints(fleet, pod, fact->t, &hints);
    bool is_new = told_take(told, pod, &hints);
    if (is_new) {
        bool has_command = hints_command(&hints, pod, fact->t, &command);
        text_printf(words, TEXT_LINE * 2, "%s (%s)%s%s", text_str(&hints.list[0].title),
                    confidence_name(hints.list[0].confidence), has_command ? "; do: " : "", text_str(&command));
    }
    text_free(&command);
    hints_free(&hints);
    return is_new;
}
