/* Hints as text for people, JSON for programs (schema probetop.diagnosis/v1) and Markdown for tickets. Pure. */
#ifndef PROBETOP_REPORT_DIAGNOSIS_H
#define PROBETOP_REPORT_DIAGNOSIS_H

#include "base/buf.h"
#include "model/hints.h"

enum diagnosis_format { DIAGNOSIS_TEXT, DIAGNOSIS_JSON, DIAGNOSIS_MARKDOWN };

/* Appends the whole diagnosis of one pod. `ascii`: characters beyond ASCII are replaced (report_plain()). */
void report_diagnosis(const struct fleet *fleet, const struct pod *pod, const struct hints *hints, int64_t now,
                      enum diagnosis_format format, bool ascii, struct buf *out);
/* The "hints" array and "verdict" alone, as members of a JSON object under way (no braces): check's and wait's documents hold them too. */
void report_hints_json(const struct hints *hints, struct buf *out);
/* The hints' part of a Markdown text: a heading per hint, evidence, fixes, patch, commands in fences that nothing from outside can close. */
void report_hints_markdown(const struct fleet *fleet, const struct hints *hints, struct buf *out);

#endif
