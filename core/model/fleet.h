/* The model: all pods, folded from facts by fleet_apply(), its only writer. The same facts give the same fleet, whoever folds them and however fast. */
#ifndef PROBETOP_FLEET_H
#define PROBETOP_FLEET_H

#include "model/pod.h"
#include "model/signature.h"

struct fleet_limits {
    uint32_t pods;          /* most pods kept; further ones are counted in pods_over and noted */
    uint32_t history_depth; /* marks a lane keeps */
    bool keep_texts;        /* keep logs, events, happenings, failures: readers do, the engine's own fleet does not */
    /* the user's own, which must outlive the fleet; NULL: the built-in ones only */
    const struct signatures *signatures;
};
struct fleet_limits fleet_limits_reader(void); /* 5000 pods, 256 marks, texts */
struct fleet_limits fleet_limits_engine(void); /* 5000 pods, no history, no texts */

enum { FLEET_NOTES_MAX = 32, FLEET_WORKLOADS_MAX = 256 };

struct note {
    int64_t t;
    struct text words;
};

struct fleet {
    struct fleet_limits limits;
    struct clock_numbers {
        int64_t mono_zero, wall_zero;
        double speed;
    } clock; /* from the hello; all 0 before */
    struct text title, source_name, program;
    int64_t t; /* of the newest fact */
    /* owned; in the order they were first seen; gone pods included until they are forgotten (10 min) */
    struct pod **pods;
    uint32_t count, capacity;
    uint64_t pods_over;
    uint32_t by_stage[STAGE_COUNT]; /* pods not gone */
    uint64_t probes;                /* ever */
    enum source_state source;
    int64_t source_since;
    struct text source_detail;
    struct workload_facts *workloads; /* owned; of those whose rollout was asked for, at most FLEET_WORKLOADS_MAX */
    uint32_t workload_count;
    struct note notes[FLEET_NOTES_MAX]; /* newest first */
    uint32_t note_count;
    bool ended;
    struct text end_reason;
    uint64_t version; /* changes with every fact that changed something */
    void *index;      /* private: id -> pod */
    /* Transitions for line mode, wait and the like; called within fleet_apply for each new happening of any pod. NULL: nobody. */
    void (*on_happening)(void *user, const struct pod *pod, const struct happening *happening);
    void *on_happening_user;
};

struct fleet *fleet_new(struct fleet_limits limits);
void fleet_free(struct fleet *fleet);
/* Folds one fact. Takes nothing over: the fact stays the caller's. Facts about unknown pods are counted as notes and otherwise ignored. */
void fleet_apply(struct fleet *fleet, const struct fact *fact);
/* For words out of files, which are no facts: offers a line to the signatures. `number`: where it stands in its file, from 1. */
void fleet_offer(struct fleet *fleet, uint32_t id, enum evidence_source source, int32_t number,
                 const struct text *line);
/* What was found in words of that source and has no line yet stands in this line of its file. */
void fleet_found_in(struct fleet *fleet, uint32_t id, enum evidence_source source, int32_t number);
/* So many lines of that source were left out before the next one. */
void fleet_skip(struct fleet *fleet, uint32_t id, enum evidence_source source, int32_t lines);
const struct pod *fleet_pod(const struct fleet *fleet, uint32_t id); /* NULL when unknown */
int64_t fleet_wall(const struct fleet *fleet, int64_t t);            /* Unix µs */

#endif
