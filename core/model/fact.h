/* Everything that can happen, as the engine records it and readers fold it. A fact says what was seen; it never says what it means.
 *
 * `t` is µs of the run's clock (base/clock.h). Facts of one journal have non-decreasing t. How facts are written down: engine/fact_json.h. */
#ifndef PROBETOP_FACT_H
#define PROBETOP_FACT_H

#include "base/text.h"
#include "model/facts.h"
#include "model/sample.h"

/*     id             name in the journal   what it carries */
#define FACT_TABLE(X)                                                                                                  \
    X(FACT_HELLO, "hello")       /* first line: clock, what is watched */                                              \
    X(FACT_POD, "pod")           /* all that is known of a pod now; replaces what was known */                         \
    X(FACT_GONE, "gone")         /* the pod is no longer there */                                                      \
    X(FACT_PROBE, "probe")       /* a probe ended */                                                                   \
    X(FACT_LOG, "log")           /* a line of a container's log */                                                     \
    X(FACT_EVENT, "event")       /* a Kubernetes event about a pod, new or counted up */                               \
    X(FACT_TUNNEL, "tunnel")     /* the tunnel to a pod changed state */                                               \
    X(FACT_SOURCE, "source")     /* where pods come from changed state */                                              \
    X(FACT_WORKLOAD, "workload") /* how far the rollout of a Deployment or StatefulSet is */                           \
    X(FACT_NOTE, "note")         /* the engine has something to say: a limit reached, a recording stopped */           \
    X(FACT_END, "end")           /* nothing more will come: the story or the recording is over */

enum fact_kind {
#define X(id, name) id,
    FACT_TABLE(X)
#undef X
        FACT_KIND_COUNT
};

/* Where the tunnel to a pod stands (design: never blame the pod for it). */
#define TUNNEL_WORD_TABLE(X)                                                                                           \
    X(TUNNEL_STARTING, "starting")                                                                                     \
    X(TUNNEL_UP, "up")                                                                                                 \
    X(TUNNEL_REFUSED_IN_POD, "refused-in-pod") /* the tunnel is fine: the port in the pod refused */                   \
    X(TUNNEL_POD_GONE, "pod-gone")                                                                                     \
    X(TUNNEL_API_LOST, "api-lost")                                                                                     \
    X(TUNNEL_NODE_LOST, "node-lost") /* the API server answers, but does not get to the pod's node */                  \
    X(TUNNEL_FORBIDDEN, "forbidden")                                                                                   \
    X(TUNNEL_BACKOFF, "backoff")

enum tunnel_word {
#define X(id, name) id,
    TUNNEL_WORD_TABLE(X)
#undef X
        TUNNEL_WORD_COUNT
};
const char *tunnel_word_name(enum tunnel_word word);

enum source_state {
    SOURCE_STARTING,
    SOURCE_WATCHING,
    SOURCE_NONE_FOUND,
    SOURCE_LOST,
    SOURCE_DENIED,
    SOURCE_NO_CLUSTER, /* kubectl leads to none: no kubeconfig that can be read, no such context. Only a person mends that */
    SOURCE_REFUSED, /* the API server cannot do what was asked for: a selector that it cannot read */
    SOURCE_STATE_COUNT
};
const char *source_state_name(enum source_state state);

struct fact {
    int64_t t;
    enum fact_kind kind;
    uint32_t pod; /* whom it is about; 0: nobody in particular */
    union {
        struct {
            int32_t version; /* of the journal's format, 1 */
            int64_t mono_zero, wall_zero;
            double speed;
            struct text title;   /* "prod-west/llm-d", "endpoints", "demo: rollout" */
            struct text source;  /* "kubernetes", "endpoints", "simulated" */
            struct text program; /* "probetop 0.1.0" */
        } hello;
        struct pod_facts facts; /* FACT_POD; facts.id == pod */
        struct sample sample;   /* FACT_PROBE */
        struct {
            struct text container, line;
            bool previous;   /* of the container's previous run */
            bool sidecar;    /* not the serving container's */
            int64_t written; /* t when it was written, by the log's own timestamp; -1: not known, use the fact's t */
        } log;
        struct {
            struct text reason, message, container, uid; /* uid: of the event, to tell a count-up from a new one */
            bool warning;
            int32_t count;
            int64_t first, last; /* t */
        } event;
        struct {
            enum tunnel_word word;
            int64_t round_trip; /* µs; -1 unknown */
            struct text detail;
        } tunnel;
        struct {
            enum source_state state;
            struct text detail;
        } source;
        struct workload_facts workload;
        struct text note; /* FACT_NOTE */
        struct text end;  /* FACT_END: why, in a sentence */
    } u;
};

/* A zeroed fact of this kind; sample facts start as sample_init() makes them. */
void fact_init(struct fact *fact, enum fact_kind kind, uint32_t pod);
void fact_free(struct fact *fact);
const char *fact_kind_name(enum fact_kind kind);

#endif
