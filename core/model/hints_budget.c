/* Time to start: the start-up budget against progress, against what the pod's siblings and its own earlier runs needed, and what a verdict of the kubelet's then did (facts/kube.md 1.3, 1.4). */
#include "model/hints_live.h"

#include <stdio.h>
#include <string.h>

/* ---- siblings ---- */

/* How long this pod needed from its container's start; -1 not known. Where it was not seen, the kubelet's own moments of a pod that never came and went tell when it became Ready. */
static int64_t load_of(const struct pod *pod, bool *by_ready)
{
    const struct container_facts *serving = &pod->facts.serving;
    int64_t since = pod->facts.ready.since;
    *by_ready = pod->last_load_took < 0;
    if (pod->last_load_took >= 0)
        return pod->last_load_took;
    bool quiet = pod->stage == STAGE_READY && pod->spans.count == 1 && pod->facts.ready.status == TRI_TRUE;
    return quiet && since != 0 && serving->started_at_known && since > serving->started_at ? since - serving->started_at
                                                                                           : -1;
}

static bool is_sibling(const struct pod *other, const struct pod *pod)
{
    return !other->gone && other->facts.role == pod->facts.role &&
           text_equal(&other->facts.workload, &pod->facts.workload) && text_equal(&other->facts.ns, &pod->facts.ns);
}

struct siblings siblings_of(const struct fleet *fleet, const struct pod *pod)
{
    struct siblings siblings = {.least = -1, .most = -1};
    if (text_empty(&pod->facts.workload))
        return siblings;
    for (uint32_t i = 0; i < fleet->count; i++) {
        const struct pod *other = fleet->pods[i];
        bool by_ready;
        if (other == pod || !is_sibling(other, pod))
            continue;
        siblings.others++;
        int64_t load = load_of(other, &by_ready);
        if (load < 0)
            continue;
        siblings.least = siblings.loaded == 0 || load < siblings.least ? load : siblings.least;
        siblings.most = load > siblings.most ? load : siblings.most;
        siblings.by_ready = siblings.by_ready || by_ready;
        siblings.loaded++;
    }
    return siblings;
}

int64_t siblings_rest(const struct fleet *fleet, const struct pod *pod)
{
    enum substage from = pod->progress.furthest;
    int64_t most = -1;
    if (from == SUBSTAGE_NONE || text_empty(&pod->facts.workload))
        return -1;
    for (uint32_t i = 0; i < fleet->count; i++) {
        const struct pod *other = fleet->pods[i];
        const int64_t *entered = other->progress.entered;
        if (other != pod && is_sibling(other, pod) && entered[from] != 0 &&
            entered[SUBSTAGE_LISTENING] > entered[from] && entered[SUBSTAGE_LISTENING] - entered[from] > most)
            most = entered[SUBSTAGE_LISTENING] - entered[from];
    }
    return most;
}

bool siblings_words(const struct siblings *siblings, const struct pod *pod, char *out, size_t size)
{
    char least[LIVE_AGE_SIZE], most[LIVE_AGE_SIZE], who[LIVE_WORDS_SIZE];
    if (siblings->loaded == 0)
        return false;
    if (siblings->loaded == 1)
        snprintf(who, sizeof who, siblings->others == 1 ? "the other one" : "one of the other %u",
                 (unsigned)siblings->others);
    else if (siblings->loaded == siblings->others)
        snprintf(who, sizeof who, "the other %u", (unsigned)siblings->others);
    else
        snprintf(who, sizeof who, "%u of the other %u", (unsigned)siblings->loaded, (unsigned)siblings->others);
    clock_age(siblings->least, least, sizeof least);
    clock_age(siblings->most, most, sizeof most);
    bool same = strcmp(least, most) == 0;
    snprintf(out, size, "%s of %.60s %s %s%s%s%s", who, text_str(&pod->facts.workload),
             siblings->by_ready ? "became Ready" : "loaded", siblings->by_ready ? "" : "in ", least, same ? "" : " to ",
             same ? "" : most);
    if (siblings->by_ready)
        snprintf(out + strlen(out), size - strlen(out), " after the start");
    return true;
}

/* ---- how much time it needs ---- */

/* How long the budget is: facts/kube.md 1.4. */
static int64_t budget_length(const struct pod *pod)
{
    const struct probe_spec *spec = &pod->facts.probes[LANE_STARTUP];
    return ((int64_t)spec->initial_delay + (int64_t)spec->failure_threshold * spec->period) * SECOND_US;
}

static int64_t longest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Seconds after the initial delay that give `load` half as much again. */
static int64_t seconds_for(const struct probe_spec *spec, int64_t load)
{
    return load / SECOND_US * 3 / 2 - spec->initial_delay;
}

static int32_t rounded_up(int64_t seconds, int32_t unit)
{
    int64_t count = unit > 0 && seconds > 0 ? (seconds + unit - 1) / unit : 0;
    return count > 0 && count < PROBE_THRESHOLD_MAX ? (int32_t)count : 0;
}

/* What to set so that a load of this length (-1 not known: as long again as the budget is) fits, as words and as YAML. */
static void more_time(struct hint_maker *maker, struct hint *hint, int64_t load, enum substage at)
{
    const struct pod *pod = maker->pod;
    const struct probe_spec *spec = &pod->facts.probes[LANE_STARTUP];
    char took[LIVE_AGE_SIZE], whole[LIVE_AGE_SIZE], said[LIVE_WORDS_SIZE];
    bool guess = load <= 0;
    int64_t seconds = seconds_for(spec, guess ? budget_length(pod) * 4 / 3 : load);
    int32_t threshold = rounded_up(seconds, spec->period), period = rounded_up(seconds, spec->failure_threshold);
    if (threshold <= spec->failure_threshold || period == 0 || !hint || !text_empty(&hint->patch))
        return; /* what was said first of this cause stands */
    clock_age(load, took, sizeof took);
    clock_age(((int64_t)spec->initial_delay + (int64_t)threshold * spec->period) * SECOND_US, whole, sizeof whole);
    if (guess)
        snprintf(said, sizeof said, "twice the time, as a guess");
    else
        snprintf(said, sizeof said, "a load of %s (an estimate) and half as much again", took);
    hint_fix(hint,
             "Set startupProbe.failureThreshold to %d instead of %d, or periodSeconds to %d instead of %d: %s in all, "
             "for %s.",
             (int)threshold, (int)spec->failure_threshold, (int)period, (int)spec->period, whole, said);
    bool downloads = at == SUBSTAGE_DOWNLOAD;
    if (downloads)
        hint_fix(hint, "Or download the model beforehand, by an init container or onto a persistent volume.");
    struct buf yaml;
    buf_init(&yaml, TEXT_BODY);
    snprintf(said, sizeof said, "was %d; or leave it and set periodSeconds: %d", (int)spec->failure_threshold,
             (int)period);
    patch_probe(&yaml, pod, LANE_STARTUP, &(struct probe_change){.failure_threshold = threshold, .said = said});
    if (downloads)
        patch_download(&yaml, pod);
    hint_patch(hint, buf_str(&yaml));
    buf_free(&yaml);
}

static void siblings_evidence(struct hint_maker *maker, struct hint *hint)
{
    const struct pod *pod = maker->pod;
    char words[LIVE_WORDS_SIZE * 2], age[LIVE_AGE_SIZE];
    struct siblings siblings = siblings_of(maker->fleet, pod);
    if (siblings_words(&siblings, pod, words, sizeof words))
        hint_evidence(hint, EVIDENCE_SIBLINGS, 0, INT64_MIN, "%s; this one is at %s", words,
                      live_age(maker, pod->run_began, age));
}

static void progress_evidence(struct hint *hint, const struct progress *progress, const char *what)
{
    int64_t t = progress->entered[progress->furthest];
    if (progress->furthest == SUBSTAGE_NONE)
        hint_evidence(hint, EVIDENCE_BUDGET, 0, INT64_MIN, "%s: no start-up line seen", what);
    else if (progress->total > 0)
        hint_evidence(hint, EVIDENCE_BUDGET, 0, progress->counted_at, "%s: %s %d/%d", what,
                      substage_word(progress->furthest), (int)progress->done, (int)progress->total);
    else
        hint_evidence(hint, EVIDENCE_BUDGET, 0, t, "%s: %s", what, substage_word(progress->furthest));
}

/* ---- while it loads ---- */

/* What the workload's pods are known to need, this one's earlier runs too; -1 nothing is known. */
static int64_t load_known(const struct hint_maker *maker)
{
    struct siblings siblings = siblings_of(maker->fleet, maker->pod);
    return longest(siblings.most, maker->pod->last_load_took);
}

/* Where the others needed so much from the present sub-stage on, this one will be done in time too. */
static bool siblings_promise(const struct hint_maker *maker, const struct budget *budget)
{
    const struct progress *progress = &maker->pod->progress;
    int64_t rest = siblings_rest(maker->fleet, maker->pod);
    int64_t done_at = progress->entered[progress->furthest] + rest * 5 / 4;
    return rest >= 0 && done_at > maker->now && done_at < budget->may_be_killed_from;
}

static void rule_budget(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    struct budget budget = pod_budget(pod, maker->now);
    if (!budget.applies || pod->stage == STAGE_LOADED || !pod_loading_is_seen(pod) ||
        pod->progress.furthest == SUBSTAGE_LISTENING)
        return; /* where it listens and the probe still fails, not time is short */
    int64_t done_at, known = load_known(maker);
    bool late = pod_in_time(pod, maker->now, &done_at) == TRI_FALSE;
    bool is_short = pod_budget_is_short(pod, &budget, maker->now) && !siblings_promise(maker, &budget);
    bool shorter = known >= budget_length(pod) && (done_at < 0 || late); /* nothing shows that this one is faster */
    if (!late && !is_short && !shorter && budget.left > 0)
        return;
    char length[LIVE_AGE_SIZE];
    enum confidence confidence =
        (budget.left <= 0 && !budget.guess) || late || shorter ? CONFIDENCE_LIKELY : CONFIDENCE_POSSIBLE;
    struct hint *hint = hint_add(maker, CAUSE_STARTUP_BUDGET_EXCEEDED, confidence, WEIGHT_LIVE);
    clock_age(budget_length(pod), length, sizeof length);
    if (budget.left <= 0)
        hint_title(hint, TITLE_LIVE + WEIGHT_LIVE, "the start-up budget is used up and loading is not done");
    else if (late)
        hint_title(hint, TITLE_LIVE + WEIGHT_LIVE, "loading will not be done within the start-up budget at this rate");
    else if (shorter)
        hint_title(hint, TITLE_LIVE + WEIGHT_LIVE, "the start-up budget of %s is shorter than loading took elsewhere",
                   length);
    else
        hint_title(hint, TITLE_LIVE + WEIGHT_LIVE,
                   "its start-up budget is nearly used up, and nothing shows that loading ends before");
    progress_evidence(hint, &pod->progress, "loading");
    if (budget.count > 0)
        hint_evidence(hint, EVIDENCE_BUDGET, 0, INT64_MIN, "startup: %d of %d failures", (int)budget.count,
                      (int)budget.threshold);
    siblings_evidence(maker, hint);
    more_time(maker, hint, longest(done_at >= 0 ? done_at - budget.start : -1, known), pod->progress.furthest);
    live_ask(maker, hint, LANE_STARTUP);
}

/* The startup probe that it should have. */
static void startup_probe_wanted(struct hint_maker *maker, struct hint *hint)
{
    const struct probe_spec *spec = &maker->pod->facts.probes[LANE_LIVENESS];
    int64_t seconds = longest(load_known(maker) / SECOND_US * 3 / 2, 30 * 60);
    hint_fix(hint, "Give it a startupProbe: until that succeeds, liveness waits.");
    struct buf yaml;
    buf_init(&yaml, TEXT_BODY);
    if (spec->action == PROBE_HTTP_GET)
        buf_printf(&yaml,
                   "startupProbe:\n  httpGet:\n    path: /v1/models\n    port: %d\n  periodSeconds: 10\n  "
                   "timeoutSeconds: 5\n  failureThreshold: %d\n",
                   (int)spec->port, (int)rounded_up(seconds, 10));
    hint_patch(hint, buf_str(&yaml));
    buf_free(&yaml);
}

/* Nothing holds the liveness probe back: it counts the refused connections of a server that loads. */
static void rule_no_startup_probe(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    const struct lane *liveness = &pod->lanes[LANE_LIVENESS];
    struct forecast coming = pod_forecast(pod, LANE_LIVENESS, maker->now);
    bool loads = pod->stage == STAGE_RUNNING || pod->stage == STAGE_API_UP || live_is_starting(pod);
    if (!loads || pod->lanes[LANE_STARTUP].present || coming.consequence != CONSEQUENCE_RESTART ||
        liveness->streak == 0 || cause_is_timeout(liveness->streak_cause) || !liveness->streak_failing ||
        !pod_loading_is_seen(pod))
        return;
    struct hint *hint = hint_add(maker, CAUSE_STARTUP_BUDGET_EXCEEDED, CONFIDENCE_LIKELY, WEIGHT_LIVE);
    hint_title(hint, TITLE_LIVE + WEIGHT_LIVE,
               "liveness counts failures while it loads: there is no startup probe to hold it back");
    live_lane(hint, pod, LANE_LIVENESS);
    progress_evidence(hint, &pod->progress, "loading");
    siblings_evidence(maker, hint);
    startup_probe_wanted(maker, hint);
    live_ask(maker, hint, LANE_LIVENESS);
}

/* Much slower than its siblings, and still fetching: the network, or the hub. */
static void rule_slower(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    int64_t took = maker->now - pod->run_began;
    if ((pod->stage != STAGE_RUNNING && pod->stage != STAGE_API_UP) || pod->loaded_at >= 0 ||
        pod->progress.furthest != SUBSTAGE_DOWNLOAD)
        return;
    struct siblings siblings = siblings_of(maker->fleet, pod);
    if (siblings.loaded < 2 || took < siblings.most * 3 / 2 + 60 * (int64_t)SECOND_US)
        return;
    struct hint *hint = hint_add(maker, CAUSE_DOWNLOAD_SLOW, CONFIDENCE_POSSIBLE, WEIGHT_LIVE);
    hint_title(hint, TITLE_LIVE + WEIGHT_LIVE, "it still downloads, where the others were loaded long ago");
    siblings_evidence(maker, hint);
    progress_evidence(hint, &pod->progress, "loading");
    struct buf yaml;
    buf_init(&yaml, TEXT_BODY);
    patch_download(&yaml, pod);
    hint_patch(hint, buf_str(&yaml));
    buf_free(&yaml);
    live_ask(maker, hint, LANE_STARTUP);
}

/* ---- after a verdict ---- */

/* Progress of the run that was killed. */
static const struct progress *killed_progress(const struct pod *pod)
{
    return pod->killed_run != pod->run && pod->facts.kubelet ? pod->previous : &pod->progress;
}

/* Whether the run that was killed had its server up, so that not the time was too short but the probe asked wrongly. */
static bool killed_while_up(const struct pod *pod)
{
    const struct progress *progress = killed_progress(pod);
    return progress && progress->furthest == SUBSTAGE_LISTENING &&
           progress->entered[SUBSTAGE_LISTENING] < pod->killed_at;
}

static bool killed_while_loading(const struct pod *pod)
{
    const struct progress *progress = killed_progress(pod);
    enum substage furthest = progress ? progress->furthest : SUBSTAGE_NONE;
    bool refused = pod->killed_cause == PROBE_CAUSE_REFUSED;
    bool loading = furthest == SUBSTAGE_NONE ? refused : furthest < SUBSTAGE_LISTENING;
    return pod->killed_by == LANE_STARTUP ||
           (loading && !pod->lanes[LANE_STARTUP].present && (refused || pod->killed_cause == PROBE_CAUSE_NONE));
}

static void killed_evidence(const struct hint_maker *maker, struct hint *hint)
{
    const struct pod *pod = maker->pod;
    char took[LIVE_AGE_SIZE], words[LIVE_WORDS_SIZE];
    hint_evidence(hint, EVIDENCE_KUBELET, 0, pod->killed_at, "%s killed the container after %s%s%s",
                  lane_name(pod->killed_by), clock_age(pod->killed_after, took, sizeof took),
                  pod->killed_cause == PROBE_CAUSE_NONE ? "" : ": ",
                  pod->killed_cause == PROBE_CAUSE_NONE
                      ? ""
                      : cause_words(pod->killed_cause, pod->killed_status, words, sizeof words));
}

static void killed_in_vain(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    const struct progress *before = killed_progress(pod);
    struct text target = {0};
    char took[LIVE_AGE_SIZE];
    struct hint *hint = hint_add(maker, CAUSE_WRONG_PORT, CONFIDENCE_LIKELY, WEIGHT_KILLED);
    hint_title(hint, TITLE_LIVE + WEIGHT_KILLED,
               "killed by its start-up probe although vLLM was up: it asks port %d in vain",
               (int)pod->facts.probes[LANE_STARTUP].port);
    killed_evidence(maker, hint);
    probe_spec_describe(&pod->facts.probes[LANE_STARTUP], &target);
    hint_evidence(hint, EVIDENCE_LOGS, 0, before->entered[SUBSTAGE_LISTENING],
                  "its application start-up had been complete for %s; the probe asks %s",
                  clock_age(pod->killed_at - before->entered[SUBSTAGE_LISTENING], took, sizeof took),
                  text_str(&target));
    text_free(&target);
    live_look_at_probe(maker, hint, LANE_STARTUP);
}

static void killed_too_early(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    const struct progress *before = killed_progress(pod);
    const struct probe_spec *spec = &pod->facts.probes[pod->killed_by];
    char budget[LIVE_AGE_SIZE];
    int64_t load = pod->killed_after * 2;
    struct hint *hint = hint_add(maker, CAUSE_STARTUP_BUDGET_EXCEEDED, CONFIDENCE_CERTAIN, WEIGHT_KILLED);
    if (pod->killed_by == LANE_STARTUP)
        hint_title(hint, TITLE_LIVE + WEIGHT_KILLED,
                   "killed by its start-up probe after %d failures: the budget of %s was too short for this load",
                   (int)spec->failure_threshold, clock_age(budget_length(pod), budget, sizeof budget));
    else
        hint_title(hint, TITLE_LIVE + WEIGHT_KILLED,
                   "killed by its liveness probe while it loaded: there is no startup probe to hold that back");
    killed_evidence(maker, hint);
    if (before && before->furthest != SUBSTAGE_NONE) {
        progress_evidence(hint, before, "it had come to");
        int64_t eta = progress_eta(before, before->counted_at);
        load = eta >= 0 ? pod->killed_after + eta : load;
    }
    siblings_evidence(maker, hint);
    if (pod->killed_by == LANE_STARTUP)
        more_time(maker, hint, longest(load, load_known(maker)), before ? before->furthest : SUBSTAGE_NONE);
    hint_command(maker, hint, LOOK_AT_PREVIOUS_LOG);
}

/* A liveness verdict on a server that had been up. */
static void killed_by_liveness(struct hint_maker *maker, bool engine_died)
{
    const struct pod *pod = maker->pod;
    const struct probe_spec *spec = &pod->facts.probes[pod->killed_by];
    char words[LIVE_WORDS_SIZE];
    struct hint *hint;
    if (engine_died) {
        hint = hint_add(maker, CAUSE_ENGINE_DEAD, CONFIDENCE_CERTAIN, WEIGHT_KILLED);
        hint_title(hint, TITLE_LIVE + WEIGHT_KILLED, "the engine died; the %s probe then restarted the container",
                   lane_name(pod->killed_by));
        live_log(hint, pod, pod->killed_run);
    } else if (cause_is_timeout(pod->killed_cause) && live_is_slow(pod, pod->killed_by)) {
        hint = hint_add(maker, CAUSE_PROBE_TIMEOUT, CONFIDENCE_LIKELY, WEIGHT_KILLED);
        hint_title(hint, TITLE_LIVE + WEIGHT_KILLED,
                   "the %s probe killed the container: its answers took longer than timeoutSeconds (%d)",
                   lane_name(pod->killed_by), (int)spec->timeout);
    } else if (cause_is_timeout(pod->killed_cause)) {
        live_doubt(maker, CAUSE_PROBE_TIMEOUT);
        hint = hint_add(maker, CAUSE_SERVER_HANGS, CONFIDENCE_LIKELY, WEIGHT_KILLED);
        hint_title(hint, TITLE_LIVE + WEIGHT_KILLED,
                   "it hung: the %s probe killed the container after %d failures (timeout)", lane_name(pod->killed_by),
                   (int)spec->failure_threshold);
    } else {
        hint = hint_add(maker, CAUSE_PROBE_KILLED, CONFIDENCE_LIKELY, WEIGHT_SYMPTOM);
        if (pod->killed_cause != PROBE_CAUSE_NONE)
            hint_title(hint, TITLE_LIVE + WEIGHT_KILLED, "the %s probe killed the container after %d failures (%s)",
                       lane_name(pod->killed_by), (int)spec->failure_threshold,
                       cause_words(pod->killed_cause, pod->killed_status, words, sizeof words));
        else
            hint_title(hint, TITLE_LIVE + WEIGHT_KILLED, "the %s probe killed the container",
                       lane_name(pod->killed_by));
    }
    killed_evidence(maker, hint);
    hint_command(maker, hint, LOOK_AT_PREVIOUS_LOG);
}

static void rule_killed(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    bool ended = pod->killed_run == pod->run &&
                 (pod->stage == STAGE_BACKOFF || pod->stage == STAGE_FAILED || pod->stage == STAGE_COMPLETED);
    bool startup = pod->killed_by == LANE_STARTUP;
    bool again = pod->killed_run + 1 == pod->run && (stage_is_loading(pod->stage) || live_is_starting(pod)) &&
                 (pod->loaded_at < 0 || (startup && killed_while_up(pod)));
    bool recent = maker->now - pod->killed_at < LIVE_RECENT_US;
    if (live_killed_apart(maker)) {
        hint_drop(maker, CAUSE_PROBE_KILLED);
        return;
    }
    if (pod->killed_run == 0 || (!ended && !(again && (startup || recent))) ||
        text_is(&pod->facts.serving.last.reason, "OOMKilled"))
        return;
    bool engine_died = ended ? pod->engine_dead : pod->engine_died_before;
    hint_drop(maker, CAUSE_PROBE_KILLED); /* by events alone: what follows is of the verdict itself */
    if (engine_died)
        killed_by_liveness(maker, true);
    else if (startup && killed_while_up(pod))
        killed_in_vain(maker);
    else if (killed_while_loading(pod))
        killed_too_early(maker);
    else
        killed_by_liveness(maker, false);
}

/* Where only the kubelet's or the log's words tell of the kill. */
static void rule_told_of_kill(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    const struct progress *before = pod->previous ? pod->previous : &pod->progress;
    for (uint32_t i = 0; i < maker->out->count; i++) {
        struct hint *hint = &maker->out->list[i];
        if (hint->cause != CAUSE_STARTUP_BUDGET_EXCEEDED || !text_empty(&hint->patch))
            continue;
        if (pod->lanes[LANE_STARTUP].present)
            more_time(maker, hint, load_known(maker), before->furthest);
        else if (pod->lanes[LANE_LIVENESS].present)
            startup_probe_wanted(maker, hint);
    }
}

void hints_of_budget(struct hint_maker *maker)
{
    rule_killed(maker);
    rule_budget(maker);
    rule_no_startup_probe(maker);
    rule_slower(maker);
    rule_told_of_kill(maker);
}
