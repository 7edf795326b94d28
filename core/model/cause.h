/* The causes of trouble that a hint can name: one table. The labels of the first rows are those that incidents are filed under; the later rows are what only a live look can tell.
 *
 * A row's texts may hold {ns}, {pod}, {container}, {port}, {node}, {workload} and the like, which command_fill() (model/command.h) replaces. */
#ifndef PROBETOP_CAUSE_H
#define PROBETOP_CAUSE_H

#include <stdbool.h>

#define CAUSE_TABLE(X)                                                                                                 \
    X(CAUSE_NONE, "")                                                                                                  \
    X(CAUSE_IMAGE_PULL, "image-pull")                                                                                  \
    X(CAUSE_UNSCHEDULABLE_RESOURCES, "unschedulable-resources")                                                        \
    X(CAUSE_DOWNLOAD_SLOW, "download-slow")                                                                            \
    X(CAUSE_DOWNLOAD_AUTH, "download-auth")                                                                            \
    X(CAUSE_DOWNLOAD_NOT_FOUND, "download-not-found")                                                                  \
    X(CAUSE_DOWNLOAD_NETWORK, "download-network")                                                                      \
    X(CAUSE_DISK_FULL, "disk-full")                                                                                    \
    X(CAUSE_STARTUP_BUDGET_EXCEEDED, "startup-budget-exceeded")                                                        \
    X(CAUSE_WRONG_PORT, "wrong-port")                                                                                  \
    X(CAUSE_PROBE_TIMEOUT, "probe-timeout")                                                                            \
    X(CAUSE_GPU_OOM, "gpu-oom")                                                                                        \
    X(CAUSE_KV_CACHE_TOO_SMALL, "kv-cache-too-small")                                                                  \
    X(CAUSE_HOST_OOM, "host-oom")                                                                                      \
    X(CAUSE_SHM_TOO_SMALL, "shm-too-small")                                                                            \
    X(CAUSE_NO_GPU, "no-gpu")                                                                                          \
    X(CAUSE_CUDA_ERROR, "cuda-error")                                                                                  \
    X(CAUSE_NCCL_NETWORK, "nccl-network")                                                                              \
    X(CAUSE_ENGINE_DEAD, "engine-dead")                                                                                \
    X(CAUSE_WEIGHTS_CORRUPT, "weights-corrupt")                                                                        \
    X(CAUSE_CONFIG_ERROR, "config-error")                                                                              \
    X(CAUSE_PORT_IN_USE, "port-in-use")                                                                                \
    X(CAUSE_API_KEY, "api-key")                                                                                        \
    X(CAUSE_CRASH_SEGFAULT, "crash-segfault")                                                                          \
    X(CAUSE_MODEL_UNLOADED, "model-unloaded")                                                                          \
    X(CAUSE_HEALTHY_SLOW, "healthy-slow")   /* nothing wrong: still loading */                                         \
    X(CAUSE_HEALTHY, "healthy")             /* nothing wrong */                                                        \
    X(CAUSE_SERVER_HANGS, "server-hangs")   /* takes connections and answers none */                                   \
    X(CAUSE_PROBE_BLOCKED, "probe-blocked") /* we are let in, the kubelet is not: loopback only, or a NetworkPolicy */ \
    X(CAUSE_SPEAKS_TLS, "speaks-tls")                                                                                  \
    X(CAUSE_FLAPPING, "flapping")                                                                                      \
    X(CAUSE_DIED_SILENTLY, "died-silently") /* ended, and nothing that we have says why */                             \
    X(CAUSE_PROBE_KILLED, "probe-killed")   /* a liveness verdict ended it, and nothing says what was behind it */     \
    X(CAUSE_EVICTED, "evicted")                                                                                        \
    X(CAUSE_MOUNT, "mount-failed")                                                                                     \
    X(CAUSE_TUNNEL, "tunnel") /* not the pod's fault: nothing can be said of it */                                     \
    X(CAUSE_OWN, "own")       /* of the user's own signatures: the label is theirs */

enum cause {
#define X(id, label) id,
    CAUSE_TABLE(X)
#undef X
        CAUSE_COUNT
};

enum { CAUSE_FIXES_MAX = 4, CAUSE_COMMANDS_MAX = 3 };
struct cause_info {
    const char *label;
    const char *title;   /* one line, as a person would say it: "GPU memory ran out" */
    const char *meaning; /* what it is, in two or three sentences */
    const char *shows;   /* how it shows */
    /* Best first; NULL ends. The first gives way to what a rule worked out for the pod. */
    const char *fixes[CAUSE_FIXES_MAX];
    /* read-only ones that prove it first; those that would change something last */
    const char *commands[CAUSE_COMMANDS_MAX];
};
const struct cause_info *cause_info(enum cause cause); /* never NULL */
const char *cause_label(enum cause cause);
bool cause_from_label(const char *label, enum cause *cause);
/* healthy and healthy-slow say that nothing is wrong. */
bool cause_is_healthy(enum cause cause);
/* What a start fails of, and a server that has come up does not: it has its model and its configuration. */
bool cause_is_of_start(enum cause cause);

#endif
