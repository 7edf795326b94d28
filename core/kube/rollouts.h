/* How far the rollouts of the Deployments and StatefulSets that were asked for by name are: the API's own count of their pods, kept in view. For `wait`, since old pods are still Ready after an apply, until the controllers
 * have acted. LeaderWorkerSets are not looked at: they tell of no version that they have seen. */
#ifndef PROBETOP_ROLLOUTS_H
#define PROBETOP_ROLLOUTS_H

#include "kube/api.h"
#include "kube/select.h"

struct rollouts;
struct rollouts_options {
    uv_loop_t *loop;
    struct api *api;
    const struct kube_options *options; /* its targets; borrowed */
    /* First for each of them, then whenever one has come further; `workload` lives as long as the call. May free nothing. Of one that may not be looked at, or is not there, it is told that nothing is missing, and in its words why. */
    void (*told)(void *user, const struct workload_facts *workload);
    void *user;
};
/* NULL where none was asked for by name. ns NULL: in all namespaces. */
struct rollouts *rollouts_new(const struct rollouts_options *options, const char *ns);
void rollouts_retry(struct rollouts *rollouts); /* the API answers again */
void rollouts_free(struct rollouts *rollouts);

/* How a target's workload is named in facts: "deploy" or "sts"; NULL: of this kind no rollout is looked at. */
const char *rollout_type(enum target_kind kind);
/* What the status of a Deployment or StatefulSet says, as kubectl rollout status reads it; `type` is "deploy" or "sts". Pure; for tests. */
void rollout_take(const char *type, const struct json *object, struct workload_facts *out);

#endif
