/* One pod's story for tests of the model: facts are told in a line each and folded at once. */
#ifndef PROBETOP_TESTS_STORY_H
#define PROBETOP_TESTS_STORY_H

#include "model/fleet.h"

#define SECONDS(n) ((int64_t)(n)*1000000)

struct story {
    struct fleet *fleet;
    struct pod_facts facts; /* change, then story_tell() */
    int64_t t;              /* of the next fact */
};

/* A pod with id 1, "decode-0" in "llm-d", the guide's recommended probes (startup and readiness GET /v1/models, liveness GET /health), both witnesses, nothing running.
 * With a kubelet it is scheduled and waits as ContainerCreating. Without, it is an endpoint that runs. The sidecar is there when the ports differ. Told at t = 0. */
void story_begin(struct story *story, bool kubelet, int32_t serving_port, int32_t vllm_port);
void story_end(struct story *story);
const struct pod *story_pod(const struct story *story);

void story_tell(struct story *story);
/* A container begins to run now: a new container ID, restartCount as given. */
void story_run(struct story *story, int32_t restart_count);
/* The kubelet's words started and ready. */
void story_word(struct story *story, bool started, bool ready);

/* One probe, answered 1 ms after it was sent. */
void story_probe(struct story *story, enum lane_kind lane, enum outcome outcome, enum probe_cause cause, int32_t status,
                 enum answerer answerer);
void story_refused(struct story *story, enum lane_kind lane);
void story_timeout(struct story *story, enum lane_kind lane);
void story_models(struct story *story, enum lane_kind lane, enum answerer answerer); /* 200 with one model "m" */
void story_health(struct story *story, enum lane_kind lane, enum answerer answerer); /* 200, empty */

void story_log(struct story *story, const char *line);
void story_event(struct story *story, const char *uid, const char *reason, const char *message, int32_t count);
void story_tunnel(struct story *story, enum tunnel_word word);

/* How many happenings hold these words. */
int story_happened(const struct story *story, const char *words);

#endif
