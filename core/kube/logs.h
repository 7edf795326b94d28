/* Logs of the serving containers of pods that are not Ready: followed, a few dozen at once, with the last lines of the run before after a restart (facts/kube.md 3, facts/vllm.md 3). They are what tells how far a start-up is. */
#ifndef PROBETOP_LOGS_H
#define PROBETOP_LOGS_H

#include "engine/engine.h"
#include "kube/api.h"

enum {
    LOGS_AT_ONCE = 32, /* further pods wait until one of these is Ready */
    LOGS_TAIL = 400,   /* lines that were there before we came */
    LOGS_PREVIOUS_TAIL = 80,
    LOGS_AFTER_READY_S = 10,
    LOGS_ASKED_S = 600 /* how long a log that somebody looked at is followed whatever the pod does */
};

struct logs;
struct logs_options {
    struct engine *engine;
    struct api *api; /* borrowed */
    /* Reading logs is not permitted in a namespace: told once for each, and again only when it had been permitted since. */
    void (*denied)(void *user, const char *words);
    void *user;
};
struct logs *logs_new(const struct logs_options *options);
void logs_free(struct logs *logs);
/* What is known of a pod now; at every change of it. */
void logs_pod(struct logs *logs, const struct pod_facts *facts);
void logs_gone(struct logs *logs, uint32_t pod);
/* Somebody looks at this pod's log. */
void logs_ask(struct logs *logs, uint32_t pod);
/* The API is there again: whatever pause is running is over. */
void logs_retry(struct logs *logs);

#endif
