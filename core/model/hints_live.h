/* What the rules over probes, budgets, siblings and the kubelet's word share. Their files, hints_state.c and lint.c include this, nobody else. */
#ifndef PROBETOP_HINTS_LIVE_H
#define PROBETOP_HINTS_LIVE_H

#include "base/buf.h"
#include "base/clock.h"
#include "model/command.h"
#include "model/hints_make.h"

#define LOOK_AT_SIDECAR "{kubectl} logs {pod} -c {sidecar} --previous --tail=200"
#define LOOK_AT_LOG "{kubectl} logs {pod} -c {container} --tail=200"
#define LOOK_AT_PREVIOUS_LOG "{kubectl} logs {pod} -c {container} --previous --tail=200"
#define LOOK_AT_POD "{kubectl} describe pod {pod}"
#define LOOK_AT_NODE "{kubectl} describe node {node}"

enum { LIVE_AGE_SIZE = 32, LIVE_WORDS_SIZE = 128 };
/* How long an ended run, or a fall, stays worth telling. */
#define LIVE_RECENT_US (600 * (int64_t)SECOND_US)

/* Ranks among equally sure hints: what is behind something before what only follows from it, and both behind what the log says of itself (hints_found.c): that is nearer to the cause. Our titles have this pod's
 * own numbers in them, and so go before those of a line. */
enum { WEIGHT_SYMPTOM = 10, WEIGHT_KUBELET = 20, WEIGHT_LIVE = 30, WEIGHT_KILLED = 40, TITLE_LIVE = 10000 };

const char *live_age(const struct hint_maker *maker, int64_t since, char *out); /* out: LIVE_AGE_SIZE */

/* The lane's streak of failures: "readiness GET :8000/v1/models: connected, but no answer within timeoutSeconds; 4 in a row". Nothing where it has none. */
void live_lane(struct hint *hint, const struct pod *pod, enum lane_kind lane);
/* The same for every lane that fails now, worst consequence first. */
void live_failing(struct hint_maker *maker, struct hint *hint);
/* live_failing() as the state's own why, where no hint quotes them. */
void live_failing_why(struct hint_maker *maker);
/* What the log of that run says of itself: the signatures' first specific finding, else the line that most looks like a cause. False: nothing. */
bool live_log(struct hint *hint, const struct pod *pod, uint32_t run);
/* The kubelet's newest word on that probe in this run, quoted from its event. Nothing where there is none. */
void live_kubelet(struct hint *hint, const struct pod *pod, enum lane_kind lane);
/* The same of liveness or readiness: it answers the kubelet, whatever we get. */
bool live_kubelet_vouches(const struct hint_maker *maker);
/* Our probes fail, and have for so long that the kubelet's own would have had their consequence, but it goes on to say Ready: then it is not the pod that our failures tell of. */
bool live_kubelet_differs(const struct hint_maker *maker, enum lane_kind lane);
/* The kubelet's probe ended this run or the one before although ours was answered: the hint that says so. False: it was not so. */
bool live_killed_apart(struct hint_maker *maker);
/* The same question by hand: curl where there is no kubelet, else a look at the log. */
void live_ask(struct hint_maker *maker, struct hint *hint, enum lane_kind lane);
/* A look at the probe itself, or the same question by hand. */
void live_look_at_probe(struct hint_maker *maker, struct hint *hint, enum lane_kind lane);

/* A hint that only the words of others speak for, and that what we measured speaks against, is no more than possible. */
void live_doubt(struct hint_maker *maker, enum cause cause);
/* Its answers take, or took, much of what they are allowed; not measured: false. */
bool live_is_slow(const struct pod *pod, enum lane_kind lane);
/* It has not answered yet in this run, of which the beginning was seen: it starts, whatever a kubelet says that has no probe to ask with. */
bool live_is_starting(const struct pod *pod);
/* Its newest results are timeouts. */
bool live_gets_no_answer(const struct lane *lane);
/* The API server takes connections and answers none, on more than one path: not one slow handler but all of it. */
bool live_hangs(const struct pod *pod);

/* ---- budgets (hints_budget.c) ---- */

/* What the other pods of the workload needed from their container's start until they were loaded. */
struct siblings {
    uint32_t others, loaded; /* pods that are there; those of which it is known */
    bool by_ready;           /* not seen: how long after its start each became Ready, by the kubelet's word */
    int64_t least, most;     /* µs */
};
struct siblings siblings_of(const struct fleet *fleet, const struct pod *pod);
/* The most that one of them needed from the sub-stage on in which this pod is now, until it listened; -1 not known. */
int64_t siblings_rest(const struct fleet *fleet, const struct pod *pod);
/* "the other 5 of deploy/decode loaded in 4:10 to 6:02". False: nothing is known. */
bool siblings_words(const struct siblings *siblings, const struct pod *pod, char *out, size_t size);

void hints_of_budget(struct hint_maker *maker);
void hints_of_pace(struct hint_maker *maker);    /* hints_pace.c: timeouts, comes and goes */
void hints_of_kubelet(struct hint_maker *maker); /* hints_kubelet.c: where the kubelet's word and our probes differ */

/* ---- YAML (hints_patch.c) ---- */

/* The probe as it should be, ready to be pasted below the container: its own target and numbers with what is not 0 changed. `said` stands behind the changed line as a comment. */
struct probe_change {
    int32_t port, timeout, period, failure_threshold;
    const char *said;
};
void patch_probe(struct buf *out, const struct pod *pod, enum lane_kind lane, const struct probe_change *change);
/* The same of any probe, the pod's or not. */
void patch_spec(struct buf *out, const struct probe_spec *spec, enum lane_kind lane, const struct probe_change *change);
/* All the pod's probes of `port` asking `right` instead, as the hint's patch. */
void hint_patch_port(struct hint *hint, const struct pod *pod, int32_t port, int32_t right);
/* An init container that fetches the model onto a volume before the server starts. */
void patch_download(struct buf *out, const struct pod *pod);

#endif
