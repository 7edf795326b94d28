/* Probe specifications as Kubernetes has them: fields, defaults, limits (facts/kube.md 1.5). Times are whole seconds. */
#ifndef PROBETOP_SPEC_H
#define PROBETOP_SPEC_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The lanes of a pod: what is asked of it again and again. The first three are the kubelet's of the serving container, as the pod's spec says; the next two are our own
 * witnesses, which count nothing for anybody: GET /health on vLLM's own port and GET /v1/models on the serving port. The last three are the kubelet's of the sidecar in front of it (facts/kube.md 1.9): they
 * restart that one alone, and its readiness counts into the pod's. */
/*     id              name         letter  help */
#define LANE_TABLE(X)                                                                                                  \
    X(LANE_STARTUP, "startup", 'S',                                                                                    \
      "startupProbe: holds the other two back until it succeeds; too many failures restart")                           \
    X(LANE_LIVENESS, "liveness", 'L', "livenessProbe: failureThreshold failures in a row restart the container")       \
    X(LANE_READINESS, "readiness", 'R', "readinessProbe: decides whether the pod gets traffic")                        \
    X(LANE_HEALTH, "health", 'h', "our own witness: GET /health on vLLM's own port")                                   \
    X(LANE_MODELS, "models", 'm', "our own witness: GET /v1/models on the serving port")                               \
    X(LANE_SIDECAR_STARTUP, "sidecar-startup", 's',                                                                    \
      "the sidecar's startupProbe: a native sidecar holds the other containers back until it succeeds")                \
    X(LANE_SIDECAR_LIVENESS, "sidecar-liveness", 'l', "the sidecar's livenessProbe: restarts the sidecar alone")       \
    X(LANE_SIDECAR_READINESS, "sidecar-readiness", 'r', "the sidecar's readinessProbe: counts into the pod's Ready")

enum lane_kind {
#define X(id, name, letter, help) id,
    LANE_TABLE(X)
#undef X
        LANE_COUNT
};
enum { LANE_SERVING_COUNT = LANE_SIDECAR_STARTUP }; /* lanes below are about the serving container */
const char *lane_name(enum lane_kind lane);
char lane_letter(enum lane_kind lane);
const char *lane_help(enum lane_kind lane);
static inline bool lane_is_kubelets(enum lane_kind lane)
{
    return lane <= LANE_READINESS || lane >= LANE_SIDECAR_STARTUP;
}
static inline bool lane_is_sidecars(enum lane_kind lane)
{
    return lane >= LANE_SIDECAR_STARTUP && lane <= LANE_SIDECAR_READINESS;
}
/* Which of the kubelet's three kinds a lane is; a witness is itself. */
static inline enum lane_kind lane_base(enum lane_kind lane)
{
    return lane_is_sidecars(lane) ? lane - LANE_SIDECAR_STARTUP + LANE_STARTUP : lane;
}

enum probe_action { PROBE_NONE, PROBE_HTTP_GET, PROBE_TCP_SOCKET, PROBE_GRPC, PROBE_EXEC };
const char *probe_action_name(enum probe_action action); /* "httpGet", ... */

/* A header of httpGet. The value may be a secret: it stays in the engine's memory and is never written to a journal (a decoded fact has value NULL). */
struct probe_header {
    char *name;  /* owned */
    char *value; /* owned; NULL where only the name is known */
};

enum { PROBE_HEADERS_MAX = 16, PROBE_SECONDS_MAX = 86400 * 7, PROBE_THRESHOLD_MAX = 100000 };

/* Owns its strings. Zero-initialised it is "no probe". */
struct probe_spec {
    enum probe_action action;
    int32_t initial_delay;     /* initialDelaySeconds, >= 0 */
    int32_t timeout;           /* timeoutSeconds, >= 1 */
    int32_t period;            /* periodSeconds, >= 1 */
    int32_t success_threshold; /* successThreshold, >= 1; 1 for startup and liveness */
    int32_t failure_threshold; /* failureThreshold, >= 1 */
    int32_t termination_grace; /* terminationGracePeriodSeconds of the probe; 0: the pod's */
    int32_t port;              /* containerPort; 0 where port_name could not be resolved */
    bool https;                /* httpGet.scheme */
    char *port_name;           /* as written, where the spec names a port; NULL otherwise */
    /* httpGet.path, with its query; NULL unless PROBE_HTTP_GET. Hostile when it comes from a pod: clean it before it is drawn */
    char *path;
    char *host; /* httpGet.host; NULL: the pod's IP */
    struct probe_header *headers;
    size_t header_count;
    bool unserved;      /* by what the pod's spec says, nothing listens on that port */
    bool timeout_unset; /* the manifest did not say timeoutSeconds (known for files and endpoints only) */
};

/* Fills every field that is 0 with the kubelet's default: timeout 1, period 10, thresholds 1 and 3, path "/". */
void probe_spec_defaults(struct probe_spec *spec);
/* What Kubernetes itself would refuse, as one sentence naming the field ("livenessProbe.successThreshold: must be 1, is 2"). Call after the defaults. */
enum status probe_spec_check(const struct probe_spec *spec, enum lane_kind lane, struct problem *problem);
/* Sets one field by its Kubernetes name ("path", "port", "scheme", "host", "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold",
 * "terminationGracePeriodSeconds", "header": "Name: value"). Other names: STATUS_NOT_FOUND. The sentence says what was expected. */
enum status probe_spec_set(struct probe_spec *spec, const char *field, const char *value, struct problem *problem);
void probe_spec_http(struct probe_spec *spec, const char *path, int32_t port); /* makes it an httpGet with defaults */
void probe_spec_copy(struct probe_spec *to, const struct probe_spec *from);    /* deep; frees what `to` held */
void probe_spec_free(struct probe_spec *spec);
bool probe_spec_same_target(const struct probe_spec *a,
                            const struct probe_spec *b); /* same action, scheme, port, path and host */
/* "GET :8200/v1/models" cleaned, for a person. */
void probe_spec_describe(const struct probe_spec *spec, struct text *out);

/* The guide's recommended probes (facts/readiness-probes-guide.md): used for endpoints given by hand. startup /v1/models 15+30x60 timeout 5, liveness /health
 * 10x3 timeout 5, readiness /v1/models 5x3 timeout 2; all on `port`. initial_delay is kept, see container_view.started_at_known. */
void probe_spec_recommended(struct probe_spec *spec, enum lane_kind lane, int32_t port);

#endif
