/* Files that kubectl wrote -> a fleet of one pod, folded from the same facts as a live one, so that the same hints speak. Pure but for memory: texts in, model out. */
#ifndef PROBETOP_KUBE_DIAGNOSIS_H
#define PROBETOP_KUBE_DIAGNOSIS_H

#include "base/status.h"
#include "model/fleet.h"

/* A file's bytes as they are; bytes NULL: it was not given. `name` is for messages. */
struct diagnosis_text {
    const char *name, *bytes;
    size_t length;
    /* Of a log that is longer than what is kept: at `gap_at` this much is missing. */
    size_t gap_at;
    int64_t gap_lines;
    uint64_t gap_bytes;
};
struct diagnosis_texts {
    struct diagnosis_text pod; /* kubectl get pod NAME -o json or -o yaml; a List with one pod in it too */
    /* kubectl get events, as a table, -o json or -o yaml; the Events part of describe too */
    struct diagnosis_text events;
    struct diagnosis_text describe; /* kubectl describe pod NAME; or kubectl get pods, or what else was copied */
    struct diagnosis_text logs, previous;
};
/* *out is the caller's to free. Whatever order things are given in, previous logs come before current ones. Lines that none of the parsers knows are offered to the signatures as they are. STATUS_BAD_INPUT with
 * file and place when --pod is no pod, or a file that must be JSON or YAML cannot be read as such; a log may be anything. Several pods in one file: an error that names them.
 *
 * What there is to say about the reading is in the fleet's notes. `now` of such a fleet is its `t`: the newest moment that the files tell of. What has no moment of its own has this one, which therefore is never claimed.
 * Where the files tell only ages, the fleet's clock has wall_zero 0: there are spans, but no dates. */
enum status diagnosis_fleet(const struct diagnosis_texts *texts, const struct signatures *own, struct fleet **out,
                            struct problem *problem);
/* The file that evidence of this source stands in; NULL: none of them. */
const char *diagnosis_file(const struct diagnosis_texts *texts, enum evidence_source source);

#endif
