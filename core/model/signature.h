/* Signatures: what a cause looks like in words. A table of data (signatures.c) and the user's own (engine/signatures_conf.h), and the findings that they make.
 *
 * A pattern is text that occurs, in any letter case, anywhere in the line; a '*' in it stands for anything in between, and \* for a star. No other character means anything else, so that no line from outside can
 * make matching slow: it is linear in the line times the pattern. Lines are matched as line_sentence() leaves them, and stems are matched, not sentences: wording drifts between versions. */
#ifndef PROBETOP_SIGNATURE_H
#define PROBETOP_SIGNATURE_H

#include "base/text.h"
#include "model/cause.h"

#include <stddef.h>
#include <stdint.h>

/* Where evidence comes from; the names are those of the diagnosis schema. */
#define EVIDENCE_TABLE(X)                                                                                              \
    X(EVIDENCE_LOGS, "logs")         /* this container run */                                                          \
    X(EVIDENCE_PREVIOUS, "previous") /* the one before */                                                              \
    X(EVIDENCE_EVENTS, "events")                                                                                       \
    X(EVIDENCE_POD, "pod")           /* status: conditions, waiting and termination reasons, exit codes */             \
    X(EVIDENCE_DESCRIBE, "describe") /* a line of kubectl describe (or another text) that is none of the others */     \
    X(EVIDENCE_PROBES, "probes")     /* our own probes: outcomes, who answered, latencies */                           \
    X(EVIDENCE_BUDGET, "budget")     /* the start-up budget against progress */                                        \
    X(EVIDENCE_SIBLINGS, "siblings") /* other pods of the same workload */                                             \
    X(EVIDENCE_KUBELET, "kubelet")   /* what the kubelet says against what we see */                                   \
    X(EVIDENCE_TUNNEL, "tunnel")

enum evidence_source {
#define X(id, name) id,
    EVIDENCE_TABLE(X)
#undef X
        EVIDENCE_SOURCE_COUNT
};
const char *evidence_source_name(enum evidence_source source);

/* Where a signature looks: bits of 1 << enum evidence_source. */
enum {
    WHERE_LOGS = 1 << EVIDENCE_LOGS | 1 << EVIDENCE_PREVIOUS,
    WHERE_EVENTS = 1 << EVIDENCE_EVENTS,
    WHERE_STATUS = 1 << EVIDENCE_POD,
    WHERE_ANY = WHERE_LOGS | WHERE_EVENTS | WHERE_STATUS | 1 << EVIDENCE_DESCRIBE,
    /* Log lines of level INFO and DEBUG too: they report no fault of themselves and are otherwise left out, and of those of level WARNING only what is certain is believed. The user's own signatures always see
     * them. */
    WHERE_CALM = 1 << EVIDENCE_SOURCE_COUNT,
    /* What only a start can fail of (cause_is_of_start()), and yet is told by the lines about one client's request. */
    WHERE_REQUEST = WHERE_CALM << 1
};

enum confidence { CONFIDENCE_NONE, CONFIDENCE_POSSIBLE, CONFIDENCE_LIKELY, CONFIDENCE_CERTAIN };
const char *confidence_name(enum confidence confidence); /* "", "possible", "likely", "certain" */
bool confidence_from_name(const char *name, enum confidence *confidence);

/* What a line shows that says something only together with others. */
enum clue {
    CLUE_NONE,
    CLUE_DEATH,          /* a wrapper: something failed for good, and the line does not say what */
    CLUE_START_FAILED,   /* the same, of a start */
    CLUE_WAITING,        /* something that comes when it is loaded is not there yet */
    CLUE_STOPPED,        /* told to end, from outside */
    CLUE_BY_HAND,        /* the same, by somebody at a keyboard: no kubelet sends SIGINT */
    CLUE_SERVED,         /* a request was answered */
    CLUE_ADAPTER_LOADED, /* names an adapter that was loaded */
    CLUE_ASLEEP,
    CLUE_AWAKE,
    CLUE_MODELS_LIST, /* an answer of /v1/models */
    CLUE_SHM_FRAME,   /* a traceback's frame that makes shared memory */
    CLUE_DOWNLOAD,    /* a download's bar */
    CLUE_STARTED,     /* the container was started */
    CLUE_SCHEDULED,
    CLUE_SCALING,  /* an autoscaler is adding a node for it */
    CLUE_NO_SCALE, /* it cannot */
    CLUE_ATTACHED,
    CLUE_PULLED,
    CLUE_SIGKILL,      /* an end by SIGKILL, as a number: out of memory, or a probe's verdict and the grace after it */
    CLUE_STARTUP_KILL, /* the kubelet's words on a verdict */
    CLUE_LIVENESS_KILL,
    CLUE_REMOVED,        /* and on an end that is no probe's doing: deleted, drained, evicted */
    CLUE_STARTUP_FAILED, /* and on a failed probe, whatever its answer */
    CLUE_LIVENESS_FAILED,
    CLUE_LIVENESS_REFUSED,
    CLUE_READINESS_REFUSED,
    CLUE_ERROR /* an exception that no other row knows */
};

struct signature {
    /* CAUSE_NONE: a line that is never a cause (wrappers, known harmless words): it stops the search */
    enum cause cause;
    const char *pattern;
    int where;
    enum confidence confidence;  /* of the cause when this line is all there is; NONE: it is a clue only */
    const char *title;           /* a headline that says more than the cause's own; NULL: the cause's */
    const char *fix;             /* what to do in this very case, before the cause's own; NULL: nothing else */
    const char *label, *command; /* the user's own only; NULL for built-in ones */
    enum clue clue;
    bool whole; /* the line is nothing else */
    bool vague; /* it names the cause and no more: any other line of the same cause is quoted before it */
};

/* The user's own, looked through before the built-in ones. Read by engine/signatures_conf.h; not owned by the model, and must outlive the fleet. */
struct signatures {
    struct signature *own;
    size_t own_count;
};
/* The built-in table. */
const struct signature *signatures_built_in(size_t *count);
/* The first signature, own ones first, that the cleaned line matches; NULL none. `own` may be NULL. */
const struct signature *signature_find(const struct signatures *own, const char *line, enum evidence_source source);
bool pattern_matches(const char *pattern, const char *line);

/* One signature's matches in one container run. */
struct finding {
    const struct signature *signature;
    enum evidence_source source;
    uint32_t run; /* container run, as in struct pod; 0 for what belongs to no run */
    int32_t line; /* of that source, from 1, of the first match; 0 unknown */
    bool deep;    /* it came from a worker or engine process: these say the cause, the API server's lines echo it */
    bool sidecar; /* another container's line */
    bool request; /* it is about one client's request */
    int64_t first, last; /* t */
    uint32_t count;
    uint32_t order; /* of the first match among all lines of the pod: what came first is the cause, the rest its echo */
    uint32_t last_order; /* of the newest match */
    struct text quote;   /* the first match, without prefixes */
};

/* Bounded: the first FINDINGS_MAX different ones of the two newest runs; older runs' are dropped when a run begins. Zero-initialise. */
enum { FINDINGS_MAX = 32 };
struct findings {
    struct finding *list; /* owned; most pods never have any, so it grows */
    uint32_t count, capacity, order;
    /* order of the newest line that moved the present run's start-up forward; whoever keeps progress sets it */
    uint32_t moved;
    uint32_t calm;    /* order of the newest log line of level INFO or DEBUG: who writes such is alive */
    uint32_t quiet;   /* the same of WARNING, too: it says nothing of death */
    uint32_t loud;    /* order of the newest log line that vLLM calls an ERROR or worse, and that is about no request */
    uint32_t asked;   /* the same of lines about one client's request: who gets such had come up */
    uint32_t request; /* bits of 1 << source, sidecars' above: the newest lines there are a request's traceback */
    int32_t lines[EVIDENCE_SOURCE_COUNT]; /* how many were offered */
};
void findings_free(struct findings *findings);
/* Offers one line, cleaned as text but with its prefixes. Several lines in one (joined by \n, as JSON wraps tracebacks) are looked at one by one. Returns the finding it made or counted up (good until the next is offered), NULL for none. */
const struct finding *findings_offer(struct findings *findings, const struct signatures *own, const struct text *line,
                                     enum evidence_source source, bool sidecar, uint32_t run, int64_t t);
/* Drops what belongs to runs before `oldest`. */
void findings_forget(struct findings *findings, uint32_t oldest);

#endif
