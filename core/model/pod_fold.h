/* How fleet.c and the pod's own files share the writing of a pod. Nobody else includes this. */
#ifndef PROBETOP_POD_FOLD_H
#define PROBETOP_POD_FOLD_H

#include "model/fleet.h"

/* One fact being folded into one pod. */
struct fold {
    struct fleet *fleet;
    struct pod *pod;
    int64_t t; /* the fact's */
};

struct pod *pod_new(const struct fleet_limits *limits, int64_t t);
void pod_free(struct pod *pod);

/* What each kind of fact does to its pod. */
void pod_take_facts(struct fold *fold, const struct pod_facts *facts);
void pod_take_gone(struct fold *fold);
void pod_take_sample(struct fold *fold, const struct sample *sample);
void pod_take_log(struct fold *fold, const struct fact *fact);
void pod_take_event(struct fold *fold, const struct fact *fact);
void pod_take_tunnel(struct fold *fold, const struct fact *fact);
/* After each of them: what hints have come and gone, for the timeline (hints_told.c). */
void pod_take_hints(struct fold *fold);

/* Adds to the merged timeline, in the order of when things happened, and tells the fleet's listener. Nothing where the fleet keeps no texts. */
void pod_happened(struct fold *fold, int64_t t, enum happening_kind kind, char mood, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Works out the stage anew and enters it. */
void pod_restage(struct fold *fold, bool restart);
/* What the stage is by all that is known; `reason` gets a few words (size at least 160). */
enum stage pod_stage_of(const struct pod *pod, char *reason, size_t size);
bool pod_is_ready(const struct pod *pod);

#endif
