/* What is known of a pod from outside of it: its spec and status as Kubernetes tells them, or the little that is known of an endpoint given by hand. */
#ifndef PROBETOP_FACTS_H
#define PROBETOP_FACTS_H

#include "model/spec.h"

/* A thing that may be true, false or not known. */
enum tri { TRI_UNKNOWN, TRI_FALSE, TRI_TRUE };

#define ROLE_TABLE(X)                                                                                                  \
    X(ROLE_NONE, "")                                                                                                   \
    X(ROLE_PREFILL, "prefill")                                                                                         \
    X(ROLE_DECODE, "decode")                                                                                           \
    X(ROLE_ENCODE, "encode")                                                                                           \
    X(ROLE_PREFILL_DECODE, "prefill-decode")                                                                           \
    X(ROLE_ENCODE_PREFILL, "encode-prefill")                                                                           \
    X(ROLE_ENCODE_DECODE, "encode-decode")                                                                             \
    X(ROLE_ENCODE_PREFILL_DECODE, "encode-prefill-decode")                                                             \
    X(ROLE_BOTH, "both")                                                                                               \
    X(ROLE_STANDALONE, "standalone")                                                                                   \
    X(ROLE_WORKER, "worker")

enum role {
#define X(id, name) id,
    ROLE_TABLE(X)
#undef X
        ROLE_COUNT
};
const char *role_name(enum role role);
bool role_from_name(const char *name, enum role *role); /* also accepts "" */

enum container_state { CONTAINER_UNKNOWN, CONTAINER_WAITING, CONTAINER_RUNNING, CONTAINER_TERMINATED };

struct termination {
    bool known;
    int32_t exit_code, signal;
    struct text reason, message;     /* "OOMKilled", "Error", "Completed" */
    int64_t started_at, finished_at; /* t in µs; may be negative (before our start); 0 unknown */
};

/* The serving container (or a native sidecar), from containerStatuses and spec. Moments are t in µs, rounded by Kubernetes to whole seconds, negative when before our own start. */
struct container_facts {
    struct text name, image, container_id;
    enum container_state state;
    struct text reason, message; /* of the waiting or terminated state */
    int64_t started_at;          /* of the running state */
    /* false for endpoints given by hand: initialDelaySeconds then does not apply and budgets are guesses */
    bool started_at_known;
    struct termination last; /* how the run now shown ended (terminated), or the one before it (lastState) */
    int32_t restart_count;
    enum tri started, ready; /* the kubelet's words; TRI_UNKNOWN where there is no kubelet */
    bool exists;             /* this container is there at all (the sidecar slot is often empty) */
};

enum pod_phase { PHASE_UNKNOWN, PHASE_PENDING, PHASE_RUNNING, PHASE_SUCCEEDED, PHASE_FAILED };
const char *pod_phase_name(enum pod_phase phase);

struct condition {
    enum tri status;
    int64_t since; /* lastTransitionTime as t; 0 unknown */
    struct text reason, message;
};

/* Owns everything. Copy with pod_facts_copy(), free with pod_facts_free(). Zero-initialised it is a pod nothing is known of. */
/* How far a Deployment or StatefulSet has brought its pods to its newest version, by its status; the API counts them (facts/kube.md 2). */
struct workload_facts {
    struct text name, ns; /* "deploy/decode", as in pod_facts.workload */
    bool observed;        /* its controller has seen the newest version; before that the numbers are of an older one */
    int32_t desired, updated,
        total;         /* pods it wants, has of the newest version, has at all; all 0 of one that is not there */
    struct text words; /* the same as a sentence: "deploy/decode: 3 of 8 pods are of its newest version" */
};
/* Nothing of an older version is left, and nothing of the newest is missing. How well its pods are is another matter. */
bool workload_is_rolled_out(const struct workload_facts *workload);
void workload_facts_copy(struct workload_facts *to, const struct workload_facts *from);
void workload_facts_free(struct workload_facts *workload);

struct pod_facts {
    uint32_t id; /* given by the source, never reused within a run; 0 is no pod */
    struct text name, ns, uid, node, pod_ip,
        workload; /* workload: the owner's "deploy/decode", the slot that outlives the pod; may be empty */
    struct text phase_reason,
        phase_message; /* status.reason: Evicted, ...; else that of the condition DisruptionTarget */
    enum role role;
    enum pod_phase phase;
    /* there is a kubelet whose verdicts we are told. False for endpoints given by hand: ours are then what a kubelet would decide */
    bool kubelet;
    bool never_restart; /* restartPolicy: Never */
    bool deleting;      /* metadata.deletionTimestamp is set */
    int64_t created_at, deletion_at;
    int32_t grace; /* terminationGracePeriodSeconds, 30 when unset */
    struct condition scheduled, initialized, containers_ready, ready;
    struct container_facts serving, sidecar;
    struct probe_spec probes
        [LANE_COUNT]; /* of the serving container; witnesses filled in by the source (PROBE_NONE: not to be asked) */
    int32_t serving_port; /* where clients (and the router) talk to; the sidecar's where there is one */
    int32_t vllm_port;    /* vLLM's own */
    int32_t ranks;        /* data-parallel ranks in this pod with ports of their own, from vllm_port on; 0 or 1: none */
    int32_t supervisor_port;         /* of the one who watches over the ranks (facts/vllm.md 1.3); 0: there is none */
    struct text expected_model;      /* empty: any */
    struct text via;                 /* how probes get there: "direct", "portforward", ... */
    struct text context, kubeconfig; /* for kubectl commands: as they were given by the user; empty: kubectl's own */
    struct text cluster, user, as;   /* likewise */
    struct text address;             /* what is dialled, for a person: "127.0.0.1:8000", "unix:/run/vllm.sock" */
};
void pod_facts_copy(struct pod_facts *to, const struct pod_facts *from);
void pod_facts_free(struct pod_facts *facts);

#endif
