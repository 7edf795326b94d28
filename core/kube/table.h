/* The tables that kubectl prints, and rows of them that were copied out of somewhere: events and pods. Columns are found by the header's titles where there is one above and the row keeps to them, else by what words look
 * like. Pure. */
#ifndef PROBETOP_TABLE_H
#define PROBETOP_TABLE_H

#include "base/text.h"
#include "kube/slice.h"

/* "2m11s", "5d3h", "<unknown>" (false); in µs. */
bool kubectl_age(struct slice slice, int64_t *us);

enum { TABLE_COLUMNS_MAX = 16 };
/* Where the columns of the table under way begin. */
struct table_columns {
    int count;
    struct {
        char title[16]; /* in lower case, without blanks: "lastseen" */
        size_t at;
    } column[TABLE_COLUMNS_MAX];
};
/* Takes the line for a header of events or pods, and remembers it. False: it is none. */
bool table_header(struct table_columns *columns, struct slice line);

struct told_event {
    bool warning;
    int32_t count;     /* at least 1 */
    int64_t age;       /* µs from its newest time to when the table was written; -1: not told */
    int64_t first_age; /* the same of its first; -1 */
    int32_t line;      /* of the text, from 1 */
    struct text reason, message, object, container; /* object: "pod/decode-0"; empty: not told */
};
/* A row of events, or one kubelet's sentence on a probe alone. `out` is zeroed first; free it with told_event_free(). False: it is none. */
bool table_event(const struct table_columns *columns, struct slice line, struct told_event *out);
/* A further line of its message. */
void told_event_add(struct told_event *event, struct slice line);
void told_event_free(struct told_event *event);

struct told_pod {
    struct slice ns, name, status; /* ns: empty where it was not told */
    int64_t ready, containers, restarts;
};
/* A row of kubectl get pods. False: it is none. */
bool table_pod(const struct table_columns *columns, struct slice line, struct told_pod *out);

#endif
