/* The forms of report_fleet(): report_table.c for people, report_json.c for programs. report.c calls them, nobody else includes this. */
#ifndef PROBETOP_REPORT_FORMS_H
#define PROBETOP_REPORT_FORMS_H

#include "report/report.h"

void report_table(const struct fleet *fleet, int64_t now, bool wide, bool ascii, struct buf *out);
void report_json(const struct fleet *fleet, int64_t now, struct buf *out);
void report_jsonl(const struct fleet *fleet, int64_t now, struct buf *out);

/* The kubelet's count or, where there is no kubelet, how often it would have restarted it. */
int32_t report_restarts(const struct pod *pod);
/* As for report_unhealthy(), of one pod. */
bool report_pod_unhealthy(const struct fleet *fleet, const struct pod *pod, int64_t now);
/* Whether a probe of this lane has ended yet. */
bool report_lane_answered(const struct lane *lane);

#endif
