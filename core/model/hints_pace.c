/* How fast it answers against what it is allowed, and how steadily. */
#include "model/hints_live.h"

#include <stdio.h>
#include <string.h>

/* ---- timeoutSeconds against what was measured ---- */

/* How slow a lane is against its limit. */
struct slowness {
    int64_t allowed, p99; /* µs; p99 -1: nothing was measured */
    bool fails;           /* its newest results are timeouts */
    bool near;            /* answers come close to the limit */
    bool quick;           /* answers, when they come, come in less than a quarter of it */
};

static struct slowness slowness_of(const struct pod *pod, enum lane_kind kind)
{
    enum { FEW = 5 };
    const struct lane *lane = &pod->lanes[kind];
    struct slowness slow = {.allowed = (int64_t)pod->facts.probes[kind].timeout * SECOND_US, .p99 = -1};
    if (!lane->present)
        return slow;
    slow.p99 = history_percentile(&lane->history, 99);
    slow.fails = live_gets_no_answer(lane);
    slow.near = lane->history.count >= FEW && slow.p99 >= slow.allowed * 4 / 5;
    slow.quick = slow.p99 >= 0 && slow.p99 < slow.allowed / 4;
    return slow;
}

bool live_is_slow(const struct pod *pod, enum lane_kind kind)
{
    struct slowness slow = slowness_of(pod, kind);
    return slow.p99 >= slow.allowed / 2;
}

static int32_t timeout_wanted(const struct slowness *slow)
{
    int64_t wanted = slow->p99 > slow->allowed ? slow->p99 : slow->allowed;
    wanted = wanted * 5 / 2 / SECOND_US + 1;
    return wanted < 5 ? 5 : (int32_t)wanted;
}

static void patch_timeout(struct hint *hint, const struct pod *pod, enum lane_kind kind, const struct slowness *slow)
{
    char said[LIVE_WORDS_SIZE];
    struct buf yaml;
    buf_init(&yaml, TEXT_BODY);
    snprintf(said, sizeof said, "was %d", (int)pod->facts.probes[kind].timeout);
    patch_probe(&yaml, pod, kind, &(struct probe_change){.timeout = timeout_wanted(slow), .said = said});
    hint_patch(hint, buf_str(&yaml));
    buf_free(&yaml);
}

static bool timed_out_lately(const struct hint_maker *maker, enum lane_kind kind)
{
    const struct pod *pod = maker->pod;
    for (int32_t i = 0; i < pod->failure_count; i++) {
        const struct failure *failure = &pod->failures[i];
        if (failure->lane == kind && cause_is_timeout(failure->cause) && maker->now - failure->t < LIVE_RECENT_US)
            return true;
    }
    return false;
}

static void slow_probe(struct hint_maker *maker, enum lane_kind kind, const struct slowness *slow)
{
    const struct pod *pod = maker->pod;
    const char *name = lane_name(kind);
    int timeout = (int)pod->facts.probes[kind].timeout;
    char p99[LIVE_AGE_SIZE], limit[LIVE_AGE_SIZE];
    bool stands_still = slow->fails && slow->quick;
    /* Answers that creep up to the limit and then go beyond it leave no doubt. */
    bool beyond = slow->near && (slow->fails || timed_out_lately(maker, kind));
    enum confidence confidence = stands_still ? CONFIDENCE_POSSIBLE : beyond ? CONFIDENCE_CERTAIN : CONFIDENCE_LIKELY;
    struct hint *hint = hint_add(maker, CAUSE_PROBE_TIMEOUT, confidence, stands_still ? WEIGHT_SYMPTOM : WEIGHT_LIVE);
    if (stands_still) {
        live_doubt(maker, CAUSE_PROBE_TIMEOUT); /* whatever events say: more time would not help it */
        hint_title(hint, TITLE_LIVE + WEIGHT_SYMPTOM,
                   "%s runs into its timeoutSeconds of %d, where answers came quickly: it stands still", name, timeout);
    } else {
        hint_title(hint, TITLE_LIVE + WEIGHT_LIVE, "%s %s its timeoutSeconds of %d: the server is slow, not dead", name,
                   slow->fails ? "runs into" : "comes close to", timeout);
    }
    if (slow->fails)
        live_lane(hint, pod, kind);
    live_kubelet(hint, pod, kind);
    if (slow->p99 >= 0)
        hint_evidence(hint, EVIDENCE_PROBES, 0, pod->lanes[kind].last_at,
                      "%s: 99 %% of its answers came within %s of the %s allowed", name,
                      clock_latency(slow->p99, p99, sizeof p99), clock_latency(slow->allowed, limit, sizeof limit));
    if (!stands_still) {
        hint_fix(hint, "Set %sProbe.timeoutSeconds to %d.", name, (int)timeout_wanted(slow));
        patch_timeout(hint, pod, kind, slow);
    }
    live_ask(maker, hint, kind);
}

/* A kubelet's probe that runs into its own limit while the server is alive otherwise. */
static void rule_slow_probe(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    if ((pod->stage != STAGE_READY && pod->stage != STAGE_DEGRADED) || live_hangs(pod) || live_kubelet_vouches(maker))
        return;
    for (enum lane_kind kind = LANE_LIVENESS; kind <= LANE_READINESS; kind++) {
        struct slowness slow = slowness_of(pod, kind);
        if (slow.fails || slow.near)
            slow_probe(maker, kind, &slow);
    }
}

/* ---- comes and goes ---- */

/* How often a lane failed and recovered in the last ten minutes of this run. */
struct stumbles {
    uint32_t times, longest; /* the most failures in a row */
    int64_t first;           /* t */
};

static struct stumbles stumbles_of(const struct hint_maker *maker, enum lane_kind kind)
{
    const struct pod *pod = maker->pod;
    const struct history *history = &pod->lanes[kind].history;
    struct stumbles stumbles = {0};
    uint32_t row = 0;
    bool recovered = pod->lanes[kind].present && !pod->lanes[kind].streak_failing;
    for (uint32_t back = 0; back < history->count; back++) {
        const struct mark *mark = history_get(history, back);
        int64_t t = (int64_t)mark->at_ms * 1000;
        if (t < maker->now - LIVE_RECENT_US || t < pod->ready_at)
            break;
        if (mark->outcome == OUTCOME_FAIL) {
            stumbles.times += row == 0 && recovered;
            stumbles.first = t;
            stumbles.longest = ++row > stumbles.longest ? row : stumbles.longest;
        } else if (mark->outcome == OUTCOME_OK || mark->outcome == OUTCOME_WARN) {
            row = 0;
            recovered = true;
        }
    }
    return stumbles;
}

/* It was taken out of service, or just not, again and again. */
static void rule_flapping(struct hint_maker *maker)
{
    enum { FALLS = 2, STUMBLES = 3 };
    const struct pod *pod = maker->pod;
    const struct spans *spans = &pod->spans;
    const struct span *newest = NULL;
    struct stumbles stumbles = stumbles_of(maker, LANE_READINESS);
    char age[LIVE_AGE_SIZE];
    uint32_t falls = 0;
    bool was_down = false; /* and has not been seen well since */
    if (pod->stage != STAGE_READY && pod->stage != STAGE_DEGRADED)
        return;
    for (uint32_t i = 0; i < spans->count; i++) {
        const struct span *span = &spans->list[i];
        int64_t ended = span->ended >= 0 ? span->ended : maker->now;
        if (span->stage == STAGE_UNREACHABLE || (span->stage == STAGE_DEGRADED && text_is(&span->why, WHY_NODE)))
            continue; /* neither is a fall of the pod's, nor a recovery */
        if (span->stage == STAGE_DEGRADED && span->run == pod->run && maker->now - ended < LIVE_RECENT_US) {
            falls += !was_down;
            newest = span;
        }
        was_down = span->stage == STAGE_DEGRADED;
    }
    if (falls < FALLS && stumbles.times < STUMBLES)
        return;
    struct hint *hint = hint_add(maker, CAUSE_FLAPPING, falls < FALLS ? CONFIDENCE_LIKELY : CONFIDENCE_CERTAIN,
                                 falls < FALLS ? WEIGHT_LIVE + 1 : WEIGHT_SYMPTOM);
    if (falls < FALLS)
        hint_title(hint, TITLE_LIVE + WEIGHT_SYMPTOM,
                   "it comes and goes: readiness failed %d times within %s and recovered each time",
                   (int)stumbles.times, live_age(maker, stumbles.first, age));
    else
        hint_title(hint, TITLE_LIVE + WEIGHT_SYMPTOM, "it comes and goes: Degraded %d times in the last 10 minutes",
                   (int)falls);
    if (newest)
        hint_evidence(hint, EVIDENCE_PROBES, 0, newest->began, "Degraded for %s%s%s",
                      clock_age((newest->ended >= 0 ? newest->ended : maker->now) - newest->began, age, sizeof age),
                      text_empty(&newest->why) ? "" : ": ", text_str(&newest->why));
    if (stumbles.times > 0)
        hint_evidence(hint, EVIDENCE_PROBES, 0, stumbles.first,
                      "readiness failed %d time%s and recovered, with up to %d failures in a row (of %d)",
                      (int)stumbles.times, stumbles.times == 1 ? "" : "s", (int)stumbles.longest,
                      (int)pod->facts.probes[LANE_READINESS].failure_threshold);
    if (newest && strncmp(text_str(&newest->why), "sidecar ", strlen("sidecar ")) == 0) {
        hint_fix(hint, "Look at the sidecar: vLLM's own container was ready meanwhile.");
        hint_command(maker, hint, "{kubectl} logs {pod} -c {sidecar} --tail=200");
    }
    live_ask(maker, hint, LANE_READINESS);
}

void hints_of_pace(struct hint_maker *maker)
{
    rule_slow_probe(maker);
    rule_flapping(maker);
}
