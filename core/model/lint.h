/* Measured lint: what about a container's probes will hurt, by what is known of vLLM and llm-d (facts/readiness-probes-guide.md, facts/vllm.md, facts/kube.md), and by what was measured where something was. Pure. */
#ifndef PROBETOP_LINT_H
#define PROBETOP_LINT_H

#include "model/fleet.h"

/*     id                        name                      */
#define LINT_TABLE(X)                                                                                                  \
    X(LINT_NO_STARTUP_PROBE, "no-startup-probe")                                                                       \
    X(LINT_BUDGET_TOO_SHORT, "startup-budget-too-short")                                                               \
    X(LINT_TIMEOUT_UNSET, "timeout-unset")                                                                             \
    X(LINT_TIMEOUT_BELOW_P99, "timeout-below-p99")                                                                     \
    X(LINT_READINESS_MODELS_ALONE, "readiness-on-models-alone")                                                        \
    X(LINT_LIVENESS_SIDECAR_HEALTH, "liveness-on-sidecar-health")                                                      \
    X(LINT_PORT_UNSERVED, "probe-port-unserved")                                                                       \
    X(LINT_PORT_SKIPS, "probe-port-skips")                                                                             \
    X(LINT_LIVENESS_MODELS, "liveness-on-models")                                                                      \
    X(LINT_EXEC_PROBE, "exec-probe")                                                                                   \
    X(LINT_LIVENESS_IS_READINESS, "liveness-is-readiness")                                                             \
    X(LINT_RANK_UNPROBED, "data-parallel-rank-unprobed")                                                               \
    X(LINT_NO_READINESS_PROBE, "no-readiness-probe")

enum lint_rule {
#define X(id, name) id,
    LINT_TABLE(X)
#undef X
        LINT_RULE_COUNT
};
const char *lint_rule_name(enum lint_rule rule);

struct lint_finding {
    enum lint_rule rule;
    bool serious;        /* it will take a pod down or keep a dead one in rotation; otherwise it may bite */
    enum lane_kind lane; /* the probe that `yaml` is: what all findings make of it together */
    /* the field it is about, below the container: "livenessProbe.httpGet.port"; where none exists, the one to add */
    struct text field;
    struct text reason; /* one or two sentences with the numbers */
    struct text yaml;   /* what to write, several lines (text_set_lines) */
};
enum { LINT_FINDINGS_MAX = 16 };
struct lint {
    struct lint_finding list[LINT_FINDINGS_MAX]; /* serious ones first */
    uint32_t count;
};

/* What was measured; -1 or 0 where nothing was. All µs. */
struct lint_measured {
    int64_t p99[LANE_COUNT]; /* of answers; -1 unknown */
    int64_t longest_load;    /* of this workload's pods: siblings and earlier runs; -1 unknown */
    /* Whether anybody ever answered on the serving port / on vLLM's own in a run that has loaded; serving_known: there was such a run. */
    bool served[2], serving_known;
};
struct lint_measured lint_measured_none(void);
struct lint_measured lint_measured_of(const struct fleet *fleet, const struct pod *pod);
/* `out` is zeroed first; lint_free() it. Only the serving container's probes are looked at, and only where a kubelet acts on them: an endpoint given by hand has none. A worker without a port has none to have. */
void lint_pod(const struct pod_facts *facts, const struct lint_measured *measured, struct lint *out);
void lint_free(struct lint *lint);

#endif
