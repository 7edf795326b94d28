/* How the rules make hints (hints_make.c). hints.c calls them and ranks; hints_found.c has those over log lines, events and statuses, hints_ended.c those over terminations, hints_live.c those over probes, budgets, siblings and the kubelet's word.
 * Nobody else includes this. */
#ifndef PROBETOP_HINTS_MAKE_H
#define PROBETOP_HINTS_MAKE_H

#include "model/hints.h"

struct hint_maker {
    const struct fleet *fleet;
    const struct pod *pod;
    int64_t now;
    struct hints *out;
};

/* The hint of that cause, new or there already. A second rule for the same cause strengthens it: the higher confidence and weight stay. NULL when the list is full of better ones. */
struct hint *hint_add(struct hint_maker *maker, enum cause cause, enum confidence confidence, int32_t weight);
/* The same under the user's own label. */
struct hint *hint_add_labelled(struct hint_maker *maker, enum cause cause, const char *label,
                               enum confidence confidence, int32_t weight);
/* Takes it out again: another rule knows better. Pointers to hints are not valid after that. */
void hint_drop(struct hint_maker *maker, enum cause cause);
/* The hint of that cause so far (of several labels, the first); NULL: none. */
struct hint *hint_find(const struct hint_maker *maker, enum cause cause);
/* The best of the hints so far, by what they will be ranked by; NULL: none. */
struct hint *hint_best(const struct hint_maker *maker);
/* A title that says more than the cause's own; the one with the highest weight stays. All of these do nothing for a NULL hint. */
void hint_title(struct hint *hint, int32_t weight, const char *format, ...) __attribute__((format(printf, 3, 4)));
void hint_evidence(struct hint *hint, enum evidence_source source, int32_t line, int64_t t, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Fixes and commands stand before the cause's own; for templates see command_fill(). */
void hint_fix(struct hint *hint, const char *format, ...) __attribute__((format(printf, 2, 3)));
void hint_command(struct hint_maker *maker, struct hint *hint, const char *template);
void hint_patch(struct hint *hint, const char *yaml);
/* What the cause itself asks for, where no rule said more: hints_patch.c */
void hint_patch_cause(struct hint *hint, const struct pod *pod);
/* "state", "why" and "next" of struct hints. */
void hints_state(struct hint_maker *maker, const char *format, ...) __attribute__((format(printf, 2, 3)));
void hints_why(struct hint_maker *maker, const char *format, ...) __attribute__((format(printf, 2, 3)));
void hints_next(struct hint_maker *maker, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Leaves it zeroed. */
void hint_free(struct hint *hint);

/* The rules; each file's one entry. */
void hints_of_findings(struct hint_maker *maker); /* hints_found.c */
/* How a run ended, exit codes, a death without a message: hints_ended.c */
void hints_of_termination(struct hint_maker *maker);
/* The first hint's cause; without one HEALTHY, HEALTHY_SLOW, or NONE when nothing can be said. Called when the hints are ranked. */
enum cause hints_verdict(struct hint_maker *maker); /* hints_ended.c */
void hints_of_live(struct hint_maker *maker);       /* hints_live.c */
void hints_of_state(struct hint_maker *maker);      /* hints_state.c: state, why, next */

#endif
