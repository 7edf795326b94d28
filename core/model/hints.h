/* Why, and what to do: the hints about a pod, best first, from all that the model knows of it. Pure: the same fleet and moment give the same hints.
 *
 * Each hint names one cause, quotes its evidence with source and time, and says how sure it is. Nothing is claimed that the model does not show; loading within the budget is no hint. */
#ifndef PROBETOP_HINTS_H
#define PROBETOP_HINTS_H

#include "model/fleet.h"
#include "model/signature.h"

enum { HINTS_MAX = 8, HINT_EVIDENCE_MAX = 5, HINT_FIXES_MAX = 4, HINT_COMMANDS_MAX = 3 };

struct evidence {
    enum evidence_source source;
    int32_t line; /* of the file or log, from 1; 0: none */
    int64_t t;    /* when; INT64_MIN: not known */
    struct text words;
};

struct hint {
    enum cause cause;
    struct text label; /* the cause's, or the user's own */
    enum confidence confidence;
    int32_t weight; /* what ranks: higher first; confidence before everything else */
    int32_t title_weight;
    struct text title; /* one line: what it is, in this pod's own numbers */
    struct evidence evidence[HINT_EVIDENCE_MAX];
    uint32_t evidence_count;
    struct text fixes[HINT_FIXES_MAX];
    uint32_t fix_count;
    bool particular;   /* its fixes are for this very line: the cause's general ones say nothing more */
    struct text patch; /* ready YAML to put into the manifest, several lines; empty: none */
    struct text commands[HINT_COMMANDS_MAX];
    uint32_t command_count;
};

struct hints {
    struct hint list[HINTS_MAX]; /* best first; one per cause and label */
    uint32_t count;
    /* what the pod is doing, in a sentence: "loading within its budget, for 1:40: shards 41/163"; never empty */
    struct text state;
    struct text why[3]; /* what belongs to `state` and is no hint: "Degraded until 2:10 ago, for 0:12" */
    uint32_t why_count;
    struct text next;   /* what the kubelet will do next; may be empty */
    enum cause verdict; /* the first hint's cause, or HEALTHY, HEALTHY_SLOW, or NONE when nothing can be said */
};
/* `out` is zeroed first; hints_free() it. */
void pod_hints(const struct fleet *fleet, const struct pod *pod, int64_t now, struct hints *out);
void hints_free(struct hints *hints);
/* What to run first: the first command of the first hint that has one, or a look at a pod that is not well where no hint has one. False, and *out empty: nothing to run. */
bool hints_command(const struct hints *hints, const struct pod *pod, int64_t now, struct text *out);
/* Evidence as one line: "logs, 12s ago: words"; from a file "logs:12: words". */
void evidence_words(const struct evidence *evidence, int64_t now, struct text *out);

#endif
