/* Hints as text for people, JSON for programs (schema probetop.diagnosis/v1) and Markdown for tickets. Pure. */
#ifndef PROBETOP_REPORT_DIAGNOSIS_H
#define PROBETOP_REPORT_DIAGNOSIS_H

#include "base/buf.h"
#include "base/json.h"
#include "model/hints.h"

enum diagnosis_format { DIAGNOSIS_TEXT, DIAGNOSIS_JSON, DIAGNOSIS_MARKDOWN };

/* Appends the whole diagnosis of one pod. `ascii`: characters beyond ASCII are replaced (report_plain()). `files`: the name of the file that each source of evidence stands in, EVIDENCE_SOURCE_COUNT of them, each may be NULL:
 * then the source's own name is told. */
void report_diagnosis(const struct fleet *fleet, const struct pod *pod, const struct hints *hints,
                      const char *const *files, enum diagnosis_format format, bool ascii, struct buf *out);
/* The "hints" array and "verdict" alone, as members of a JSON object under way (no braces): check's and wait's documents hold them too. */
void report_hints_json(struct json_writer *writer, const struct fleet *fleet, const struct hints *hints);
/* The hints' part of a Markdown text: a heading per hint, evidence, fixes, patch, commands in fences that nothing from outside can close. */
void report_hints_markdown(const struct fleet *fleet, const struct hints *hints, struct buf *out);

#endif
