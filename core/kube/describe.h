/* What kubectl prints for people: kubectl describe pod, the tables of events and pods, pieces of these, and whatever was copied beside them. Pure, bounded, and any bytes will do.
 *
 * A description becomes the JSON that the API would have given, as far as it says so, so that discover_pod() and pod_facts_from_json() read both. What nobody knows here is kept as lines, for the signatures. */
#ifndef PROBETOP_DESCRIBE_H
#define PROBETOP_DESCRIBE_H

#include "base/json.h"
#include "kube/table.h"

enum { DESCRIBED_PODS_MAX = 64, DESCRIBED_EVENTS_MAX = 4096, DESCRIBED_LINES_MAX = 65536 };

struct told_line {
    int32_t number; /* from 1 */
    struct slice words;
};
struct described {
    /* of descriptions first, then rows of tables; each has metadata.name, which may be empty for a piece */
    struct json **pods;
    uint32_t pod_count, pods_described; /* the first `pods_described` are of descriptions */
    struct told_event *events;          /* in the order of the text */
    uint32_t event_count;
    struct told_line *rest; /* lines that are neither; point into the text */
    uint32_t rest_count;
    uint32_t left_out; /* pods, events and lines beyond the limits */
};
/* `out` is zeroed first; free it with described_free(). The text must outlive it. */
void describe_read(const char *bytes, size_t length, struct described *out);
void described_free(struct described *described);

#endif
