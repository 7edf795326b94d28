/* Manifests -> what they make of pods: each pod template as the same facts that a live pod gives (discover.h), with the line of every field. Pure but for memory.
 *
 * Read are Pod, PodTemplate, Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Rollout, Job, CronJob, LeaderWorkerSet and DisaggregatedSet (leaders and workers), InferenceService, LLMInferenceService and
 * ServingRuntime (KServe), lists of them, many documents in a file, and values of the llm-d modelservice chart (facts/vllm.md 4), for which what the chart adds is added here: command, --port and the routing sidecar.
 * Everything else is passed over and counted. Templates are not resolved, and nothing is guessed in their place. */
#ifndef PROBETOP_KUBE_MANIFEST_H
#define PROBETOP_KUBE_MANIFEST_H

#include "base/status.h"
#include "model/facts.h"

#include <stddef.h>

enum { MANIFEST_BYTES_MAX = 8 * 1048576, MANIFEST_PODS_MAX = 512, MANIFEST_NOTES_MAX = 32, MANIFEST_PASSED_MAX = 32 };

struct json;
struct yaml_file;

struct manifest_pod {
    struct text what; /* "Deployment decode", "LeaderWorkerSet x, worker", "decode of modelservice values" */
    struct pod_facts facts;
    const struct json *container; /* of the manifest: the serving one, as it is written */
    /* a probe that is not here may come from elsewhere: KServe joins the container with a runtime's or a preset's, Knative adds readiness */
    bool partial;
    bool templated[LANE_COUNT]; /* some value of that probe is a template: nothing can be said of it */
};
/* What could not be looked at, and where. */
struct manifest_note {
    uint32_t line;
    struct text words;
};
struct manifest_passed {
    struct text kind; /* "Service", or "Deployment without vLLM" */
    uint32_t count;
};
struct manifest {
    struct yaml_file *yaml;
    struct manifest_pod *pods;
    size_t pod_count;
    struct manifest_note notes[MANIFEST_NOTES_MAX];
    size_t note_count;
    struct manifest_passed passed[MANIFEST_PASSED_MAX];
    size_t passed_count;
};

/* STATUS_BAD_INPUT with "name:line: ..." when it is no YAML. On success free *out; it may have no pods at all. */
enum status manifest_parse(const char *name, const char *bytes, size_t length, struct manifest **out,
                           struct problem *problem);
void manifest_free(struct manifest *manifest);
/* The line of a field below the pod's serving container ("livenessProbe.httpGet.port"), or of the nearest thing above it that is there. */
uint32_t manifest_line(const struct manifest *manifest, const struct manifest_pod *pod, const char *field);

#endif
