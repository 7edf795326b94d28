/* What the rules over findings share (hints_found.c, hints_joined.c, hints_ended.c): the pod as its logs, events and status tell of it, and questions about its findings. Nobody else includes this. */
#ifndef PROBETOP_HINTS_LOOK_H
#define PROBETOP_HINTS_LOOK_H

#include "model/hints_live.h"

/* Ranks among equally sure hints: what can be behind others before what others can be behind of. Rules over probes weigh less: see hints_live.h. */
enum {
    WEIGHT_NOTHING = 0,
    WEIGHT_DEEP = 500, /* on top of another: the line that says most precisely what it was */
    WEIGHT_ENGINE = 1000,
    WEIGHT_VERDICT = 1500, /* what a probe decided */
    WEIGHT_RANKS = 2000,   /* ranks that lose each other: one of them may have died of something else */
    WEIGHT_ROOT = 3000
};

/* The pod with what the rules keep asking for. */
struct look {
    struct hint_maker *maker;
    const struct pod *pod;
    const struct findings *findings;
    int64_t now;
    bool files;     /* no probes of ours tell anything */
    bool bare;      /* of files, and nothing tells of the container's state: it may be dead */
    bool ended;     /* the present run has ended, by the container's state */
    bool dead;      /* that, or the log shows it */
    bool listening; /* the present run's log came to its end of start-up, or it was loaded */
    bool served;    /* the log shows that it had come up, if not in its start-up lines */
    /* It is dead, and nothing else says why: what start-up seemed to survive may yet be it, for outputs interleave. */
    bool desperate;
};

void look_begin(struct look *look, struct hint_maker *maker);
bool finding_is_log(const struct finding *finding);
/* How many runs of the container ago; what belongs to no run is of now. */
uint32_t finding_runs_ago(const struct pod *pod, const struct finding *finding);
/* The newest finding of this clue in the serving container, at most so many runs ago; NULL: none. */
const struct finding *look_clue(const struct look *look, enum clue clue, uint32_t runs);
/* A NULL `later` never came. */
bool finding_came_after(const struct finding *later, const struct finding *sooner);
/* It is of a log, and its last words came after all progress. NULL: no. */
bool look_is_last(const struct look *look, const struct finding *finding);
/* Whether a rule has made a hint so sure; one of that cause. */
bool look_has_hint(const struct look *look, enum confidence at_least);
bool look_has_cause(const struct look *look, enum cause cause);
/* The finding's line as evidence, with where and when it was. */
void look_quote(const struct look *look, struct hint *hint, const struct finding *finding);

/* The rules' entries beside those of hints_make.h. */
void look_join(const struct look *look); /* hints_joined.c */

#endif
