/* Pods for the fake API: each is the simulated fleet's own kubelet (sim/kubelet.h) over a real server on loopback (sim/server.h), told to the API as Kubernetes tells it. Real time. */
#ifndef PROBETOP_TEST_FAKE_PODS_H
#define PROBETOP_TEST_FAKE_PODS_H

#include "sim/vllm.h"
#include "tests/support/fake_api.h"

/* A probe of the kubelet; threshold 0: there is none. */
struct fake_probe {
    const char *path;
    int32_t delay, period, timeout, threshold;
};
struct fake_pod_options {
    const char *name, *workload; /* workload: of which Deployment; NULL: none */
    const char *ns;              /* NULL: llm-d */
    const char *
        unscheduled; /* why no node takes it, in the scheduler's words: Pending until fake_pod_schedule(); NULL: it is scheduled at once */
    const char *labels;    /* JSON members, or NULL: "app": "vllm" */
    const char *container; /* NULL: vllm */
    const char *image;     /* NULL: llm-d's */
    struct fake_probe startup, liveness, readiness;
    struct fake_probe sidecar_liveness, sidecar_readiness; /* of a native sidecar on port 8000, in front of 8200 */
    double loads;                                          /* seconds from each start to serving; negative: never */
};

struct fake_pods;
struct fake_pod;

/* The API's socket is made at `socket`. */
struct fake_pods *fake_pods_new(uv_loop_t *loop, const char *socket);
void fake_pods_free(struct fake_pods *pods);
struct fake_api *fake_pods_api(struct fake_pods *pods);

struct fake_pod *fake_pods_add(struct fake_pods *pods, const struct fake_pod_options *options);
void fake_pod_delete(struct fake_pod *pod); /* gone at once, its server too */
/* Its node is drained: it has been asked to go, ends its server at once and is gone after this. */
enum { FAKE_POD_GRACE_MS = 2000 };
void fake_pod_evict(struct fake_pod *pod);
void fake_pod_schedule(struct fake_pod *pod); /* there is room for it now */
void fake_pod_face(struct fake_pod *pod, enum vllm_face face);
void fake_pod_crash(struct fake_pod *pod, int32_t exit_code, const char *reason);
/* The sidecar refuses from now on, or answers again. What a kubelet makes of that is told by the one below. */
void fake_pod_sidecar_refuses(struct fake_pod *pod, bool refuses);
/* The kubelet's word on the sidecar; restarts above the present: it has been started again just now. */
void fake_pod_sidecar_is(struct fake_pod *pod, bool ready, int32_t restarts);
int32_t fake_pod_restarts(const struct fake_pod *pod);
bool fake_pod_ready(const struct fake_pod *pod);

#endif
