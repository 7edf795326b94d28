/* The simulated fleet: pods that walk through vLLM's real lifecycle (facts/vllm.md sections 1 to 3), told as stories. It is a source like a cluster is: it emits pod, log,
 * event and tunnel facts through the engine, and serves real HTTP on loopback for the probes to find. Kubernetes' side (statuses, events, restarts, back-off) is played by
 * the same pure prober that the dashboard uses, fed with what the simulated servers would answer.
 *
 * All times in a story are t of the engine's clock, so --speed makes the whole story faster, servers' delays included. The same seed gives the same story.
 * At its end the fleet stands still as it is; its servers go on answering until the source is stopped. */
#ifndef PROBETOP_SIM_H
#define PROBETOP_SIM_H

#include "engine/engine.h"

/*     name            minutes the story takes  sentence for `probetop demo --list` */
struct sim_story {
    const char *name;
    const char *sentence;
    int32_t seconds; /* t at which the story ends */
    int32_t default_pods;
    double default_speed;     /* fit for a stage */
    const char *right_answer; /* a label of model/cause.h; "" where there is no single one */
};
const struct sim_story *sim_stories(size_t *count);
const struct sim_story *sim_story_find(const char *name); /* NULL when unknown */

struct sim_options {
    const struct sim_story *story;
    uint64_t seed;
    int32_t pods; /* 0: the story's default; at most 2000 */
};

/* The source, and the tunnel it fills (borrowed, a direct_new()): hand both to the engine. */
extern const struct source_ops sim_ops;
void *sim_source_new(const struct sim_options *options, struct tunnel *direct);

#endif
