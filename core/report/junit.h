/* JUnit XML, as build servers read it: one suite, a case for each thing that was waited for. Pure. Whatever a name or a message holds stays text. */
#ifndef PROBETOP_REPORT_JUNIT_H
#define PROBETOP_REPORT_JUNIT_H

#include "base/buf.h"

#include <stdint.h>

enum junit_outcome { JUNIT_PASSED, JUNIT_FAILED, JUNIT_ERROR, JUNIT_SKIPPED };

/* All strings borrowed; NULL is "". */
struct junit_case {
    const char *name, *class_name;
    int64_t took; /* µs */
    enum junit_outcome outcome;
    const char *type;    /* of a failure or an error: a word for programs */
    const char *message; /* why it failed or was skipped, in a line */
    const char *detail;  /* the same at length, several lines */
    const char *output;  /* what was seen, several lines */
};
struct junit_suite {
    const char *name;
    int64_t began; /* Unix µs */
    int64_t took;  /* µs */
    const struct junit_case *cases;
    size_t count;
};
void report_junit(const struct junit_suite *suite, struct buf *out);

#endif
