/* Which pods are vLLM's or llm-d's, and what of them is to be probed. Pure: pod JSON in, answers out (facts/vllm.md 1.4 to 1.6, 4; facts/kube.md 1.9, 2.1). */
#ifndef PROBETOP_DISCOVER_H
#define PROBETOP_DISCOVER_H

#include "base/clock.h"
#include "base/json.h"
#include "model/fact.h"

/* What the person asked for: TYPE/NAME arguments. */
enum target_kind { TARGET_POD, TARGET_DEPLOYMENT, TARGET_STATEFULSET, TARGET_LWS, TARGET_POOL };
struct kube_target {
    enum target_kind kind;
    char *name;
};
/* "pod/x", "pods/x", "po/x", "deploy/x", "deployment.apps/x", "sts/x", "lws/x", "pool/x", "inferencepool/x" ... as kubectl reads them. STATUS_BAD_INPUT names what was expected; names must be RFC 1123. */
enum status kube_target_parse(const char *argument, struct kube_target *out, struct problem *problem);
/* Whether the pod belongs to it (owner references; a ReplicaSet's name less its pod-template-hash; LWS label). Pools are matched by their selector: see kube/source.c. */
bool kube_target_has(const struct kube_target *target, const struct json *pod);
/* The slot that outlives the pod: "deploy/decode", "sts/x", "lws/x", "rs/x", "job/x"; empty when nobody owns it. */
void pod_workload(const struct json *pod, struct text *out);

struct discovery {
    bool is_ours;
    /* by which sign, as words: "label llm-d.ai/role", "container named vllm", "command has vllm serve", ... */
    const char *sign;
    const char *serving; /* name of the serving container, in the JSON; NULL none */
    /* of the routing sidecar (init container with restartPolicy Always, or container); NULL none */
    const char *sidecar;
    enum role role;
    bool port_told;                  /* vLLM's own port stands in its command, or in the sidecar's */
    int32_t ranks;                   /* data-parallel ranks with ports of their own, from vllm_port on; 0: none */
    int32_t supervisor_port;         /* of the one who watches over them; 0: nobody */
    int32_t serving_port, vllm_port; /* 0: none (LWS worker: shown, not probed, not blamed) */
};
/* The containers and ports are the best guess also of a pod that is not ours: one that was, and has lost its labels, stays what it was. asked: a selector or target chose the pod, so it is shown whatever its signs; then is_ours is true and sign says "asked for". */
void discover_pod(const struct json *pod, bool asked, struct discovery *out);
/* The same as if the container of this name were the serving one: where another than that is what somebody asks about. The pod was asked for. */
void discover_around(const struct json *pod, const char *serving, struct discovery *out);

/* Whether nothing in the pod listens on this port of its serving container's probes, by what its spec says. */
bool discover_is_unserved(const struct json *pod, const struct discovery *discovery, int32_t port);

/* Pod JSON to facts, into a zeroed `out` (all of facts/kube.md 2.1 that struct pod_facts has). Moments by the clock. `id` is the caller's. Named ports are resolved in that container's own ports (1.6); what cannot be sent from outside (exec, grpc) keeps its action. */
void pod_facts_from_json(const struct json *pod, const struct discovery *discovery, const struct clock *clock,
                         uint32_t id, struct pod_facts *out);
/* A core/v1 event to FACT_EVENT (2.2): t of the newest of its four times; false when it is about no pod. *pod_uid is set (hostile). The caller sets fact->pod. */
bool event_from_json(const struct json *event, const struct clock *clock, struct fact *out, const char **pod_uid);

#endif
