/* The model as text, for commands and pipes: table and wide for people, json and jsonl for programs. Pure: fleet in, bytes out. */
#ifndef PROBETOP_REPORT_H
#define PROBETOP_REPORT_H

#include "base/buf.h"
#include "model/hints.h"

enum report_format { REPORT_TABLE, REPORT_WIDE, REPORT_JSON, REPORT_JSONL };
bool report_format_from_name(const char *name, enum report_format *format);

/* Appends the report. json: one document {"schema":"probetop.check/v1","time":...,"pods":[...]}; jsonl: one such pod object a line, each with the schema. */
void report_fleet(const struct fleet *fleet, int64_t now, enum report_format format, bool ascii, struct buf *out);
/* Whether anything is unhealthy (exit code 1): a pod that is neither Ready (or loaded, where no verdict on Ready exists) nor loading within its budget, or one that
 * loads while a hint that is likely or certain says why it will not be done, as between two crashes; no pods at all. Where no kubelet vouches for a container, an endpoint that only refuses is unhealthy:
 * nothing says that anything is loading there. */
bool report_unhealthy(const struct fleet *fleet, int64_t now);
/* One sentence for line mode: "14:02:51 decode-0 became Ready after 5:50" without a newline. Told at once, a hint that has come brings its command with it: "...; do: kubectl ...". */
void report_happening(const struct fleet *fleet, const struct pod *pod, const struct happening *happening,
                      struct buf *out);
/* The command beside a hint that has just come, while it is the pod's first. False, and *out empty, for every other happening. */
bool report_happening_command(const struct fleet *fleet, const struct pod *pod, const struct happening *happening,
                              struct text *out);
/* What a pod's hints say, in lines: the first's title (or, with none, what the pod is doing), why, what comes next and what to run; the other hints in a line each. */
void report_hints(const struct pod *pod, const struct hints *hints, int64_t now, bool ascii, struct buf *out);
/* Whether line mode tells it: events and log lines that are the course of things are no transitions. */
bool report_is_transition(const struct happening *happening);

#endif
