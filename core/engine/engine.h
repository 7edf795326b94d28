/* The engine: owns the loop, the schedule and the tunnels; takes facts from a source, sends the probes that are due, and records what happened. It draws no conclusions
 * (its own fleet, folded from its own facts, only tells it which lanes may send) and never touches the terminal.
 *
 * Order inside one turn of the loop: replies, timers, what is due, and last the journal's flush and the wake-up of readers. */
#ifndef PROBETOP_ENGINE_H
#define PROBETOP_ENGINE_H

#include "base/clock.h"
#include "engine/journal.h"
#include "model/fleet.h"
#include "tunnel/tunnel.h"

#include <uv.h>

struct engine;

/* Where pods come from. One source per engine. All calls from the loop. */
struct source_ops {
    const char *name; /* "endpoints", "simulated", "kubernetes" */
    enum status (*start)(void *source, struct engine *engine, struct problem *problem);
    /* A control line the engine does not know itself (see control.h). May be NULL. */
    void (*control)(void *source, const char *line);
    /* Called after every fact the engine has applied, for sources that act on verdicts (endpoints: an emulated restart). May be NULL. */
    void (*after)(void *source, const struct fact *fact, const struct pod *pod);
    /* Nobody answered a probe of this pod that was sent at `sent` (real µs). *word: what the tunnel says of its way, TUNNEL_UP or TUNNEL_API_LOST; a source that knows whose silence it was puts a better word there, and in *why a sentence, borrowed for
     * the moment. TUNNEL_UP: the pod's; any other counts for nobody. False: that is being found out; the probe, and its lane, wait until engine_judge() is called. NULL: the tunnel's word is all there is. */
    bool (*judge)(void *source, uint32_t pod, int64_t sent, enum tunnel_word *word, const char **why);
    /* Ends everything the source has running on the loop, then calls engine_source_stopped(). */
    void (*stop)(void *source);
    void (*free)(void *source);
};

struct engine_options {
    uv_loop_t *loop;
    struct clock clock;      /* started by the caller */
    struct journal *journal; /* NULL: none (check, wait) */
    const char *title;       /* for the hello */
    const char *user_agent;  /* NULL: kube-probe/1.34 */
    const struct source_ops *source_ops;
    void *source; /* owned by the engine from engine_new() on */
    const struct tunnel_ops *tunnel_ops;
    struct tunnel *tunnel; /* owned likewise */
    /* copied: header values, tokens; never allowed into a fact's texts (each is replaced by "[redacted]") */
    char **secrets;
    size_t secret_count;
};

struct engine *engine_new(const struct engine_options *options);
enum status engine_start(struct engine *engine, struct problem *problem); /* records the hello, starts the source */
/* Begins the orderly end: source, tunnels and probes are ended, then `done` is called and nothing of the engine is left on the loop. */
void engine_stop(struct engine *engine, void (*done)(void *user), void *user);
void engine_free(struct engine *engine); /* after done */

/* Observers see each fact right after it was applied, in order. Used by commands without a screen. */
void engine_observe(struct engine *engine, void (*fn)(void *user, const struct fact *fact), void *user);
/* Called after each flush of the journal that wrote something: wakes readers. */
void engine_on_flush(struct engine *engine, void (*fn)(void *user), void *user);

/* ---- for sources and tunnels ---- */
/* Stamps t, redacts secrets, applies to the engine's own fleet, updates the schedule, appends to the journal, tells observers. Takes nothing over. */
void engine_emit(struct engine *engine, struct fact *fact);
void engine_note(struct engine *engine, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The source has nothing more to tell: records FACT_END. */
void engine_end(struct engine *engine, const char *reason);
void engine_source_stopped(struct engine *engine);
/* More is known of whose silence it was: source_ops.judge is asked again about the probes that wait for that. From the loop, not from within judge. */
void engine_judge(struct engine *engine);
/* What is watched has become known only now: the hello is told again with it. */
void engine_retitle(struct engine *engine, const char *title);
uv_loop_t *engine_loop(struct engine *engine);
const struct clock *engine_clock(const struct engine *engine);
const struct fleet *engine_fleet(const struct engine *engine);
uint32_t engine_new_pod_id(struct engine *engine);
/* Headers really sent on a lane of a pod, where the spec in the facts has names only. Copied. */
void engine_set_headers(struct engine *engine, uint32_t pod, const struct probe_header *headers, size_t count);
/* Probe now: an extra tick of every lane of this pod (0: of all pods). */
void engine_probe_now(struct engine *engine, uint32_t pod);

#endif
