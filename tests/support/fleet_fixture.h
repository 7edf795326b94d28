/* Fleets for tests of the screen: actors that live a life by the second, written as facts and folded as any others. No socket, no clock, no chance. */
#ifndef PROBETOP_TEST_FLEET_FIXTURE_H
#define PROBETOP_TEST_FLEET_FIXTURE_H

#include "base/buf.h"
#include "model/fleet.h"

enum { FIXTURE_NEVER = 1 << 30 };

/* One pod's life. Moments in seconds of the run, negative: before it. */
struct actor {
    const char *name;
    enum role role;
    bool sidecar;    /* llm-d's, on 8000, with vLLM on 8200 behind it; otherwise vLLM itself on 8000 */
    bool no_startup; /* has no startup probe */
    bool by_hand;    /* an endpoint given by hand: no kubelet */
    int32_t created, started, loaded, dies; /* dies: the engine; the API server lives on */
    int32_t restarts;
    int32_t millis;                 /* what its probes take */
    int32_t slow_from, slow_millis; /* from here on they take so long */
    int32_t shards_from;            /* from here on the log counts shards: one in two seconds, of 163 */
};

struct fixture {
    struct fleet *fleet;
    struct buf journal; /* the same as lines, when asked for */
    bool write;
    int64_t t;
};

void fixture_begin(struct fixture *fixture, const char *title, bool write);
void fixture_end(struct fixture *fixture);
/* Folds a fact (and writes it), and frees it. Its t is made the fixture's. */
void fixture_fact(struct fixture *fixture, struct fact *fact);
void fixture_pod(struct fixture *fixture, uint32_t id, const struct actor *actor, int32_t second);
void fixture_probe(struct fixture *fixture, uint32_t id, enum lane_kind lane, enum outcome outcome,
                   enum probe_cause cause, int32_t status, int64_t took);
void fixture_log(struct fixture *fixture, uint32_t id, const char *line);
void fixture_event(struct fixture *fixture, uint32_t id, const char *reason, const char *message, bool warning);
/* Lets all actors (ids from 1) live from second `from` up to, not including, `to`. */
void fixture_live(struct fixture *fixture, const struct actor *actors, uint32_t count, int32_t from, int32_t to);

/* The incident of the sketches: one engine just died, one pod loads, four are well. Ends at 14:03:22. */
void fixture_incident(struct fixture *fixture, bool write);
void fixture_incident_live(struct fixture *fixture, int32_t from, int32_t to); /* the same, in parts */
void fixture_healthy(struct fixture *fixture, bool write);
void fixture_hostile(struct fixture *fixture, bool write); /* names, reasons and lines that try to break the screen */

#endif
