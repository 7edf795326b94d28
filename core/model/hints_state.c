/* What the pod is doing, in a sentence; what belongs to that and is no hint; and what the kubelet will do next. */
#include "model/hints_live.h"

#include <stdio.h>
#include <string.h>

static const char *subject(const struct pod *pod)
{
    return pod->facts.kubelet ? "the kubelet" : "a kubelet would";
}

/* "shards 41/163, 25 %, no line for 2:40" */
static const char *progress_words(const struct hint_maker *maker, char *out, size_t size)
{
    const struct progress *progress = &maker->pod->progress;
    char age[LIVE_AGE_SIZE];
    struct buf words;
    if (progress->furthest == SUBSTAGE_NONE) {
        snprintf(out, size, "no start-up line seen");
        return out;
    }
    buf_init(&words, size - 1);
    buf_puts(&words, substage_word(progress->furthest));
    if (progress->total > 0)
        buf_printf(&words, " %d/%d", (int)progress->done, (int)progress->total);
    if (progress_percent(progress) >= 0)
        buf_printf(&words, ", %d %%", (int)progress_percent(progress));
    int64_t silence = progress_silence(progress, maker->now);
    if (silence >= 60 * (int64_t)SECOND_US)
        buf_printf(&words, ", no line for %s", clock_age(silence, age, sizeof age));
    snprintf(out, size, "%s", buf_str(&words));
    buf_free(&words);
    return out;
}

/* ---- what comes next ---- */

static void next_of_budget(struct hint_maker *maker, const struct budget *budget)
{
    char left[LIVE_AGE_SIZE], done[LIVE_AGE_SIZE];
    int64_t done_at, now = maker->now;
    const struct pod *pod = maker->pod;
    enum tri in_time = pod_in_time(pod, now, &done_at);
    const char *guess = budget->guess ? "about " : "";
    if (budget->left <= 0) {
        hints_next(maker, "start-up budget used up: %s%s the container at any moment", subject(pod),
                   pod->facts.kubelet ? " kills" : " kill");
        return;
    }
    clock_age(budget->left, left, sizeof left);
    clock_age(done_at > now ? done_at - now : 0, done, sizeof done);
    enum substage counted = pod_in_time_of(pod);
    const char *what = counted == SUBSTAGE_NONE ? "loading" : substage_word(counted);
    if (done_at < now + SECOND_US) /* not known, or nothing is left to do */
        hints_next(maker, "start-up budget: %s%s left", guess, left);
    else if (in_time == TRI_UNKNOWN)
        hints_next(maker, "start-up budget: %s%s left; %s done in about %s at this rate, then more is to come", guess,
                   left, what, done);
    else
        hints_next(maker, "start-up budget: %s%s left, %s done in about %s at this rate%s", guess, left, what, done,
                   in_time == TRI_TRUE ? "" : ": too late");
}

static void next_restart(struct hint_maker *maker, const struct forecast *coming, enum lane_kind lane, const char *when)
{
    const struct pod *pod = maker->pod;
    bool kubelet = pod->facts.kubelet;
    const char *does = pod->facts.never_restart ? (kubelet ? "ends" : "end") : (kubelet ? "restarts" : "restart");
    char age[LIVE_AGE_SIZE], load[LIVE_AGE_SIZE * 2] = "";
    if (pod->last_load_took >= 0)
        snprintf(load, sizeof load, "; loading took %s last time", clock_age(pod->last_load_took, age, sizeof age));
    hints_next(maker, "%s %s the container %s (%s failure %d of %d)%s", subject(pod), does, when, lane_name(lane),
               (int)coming->count, (int)coming->threshold, load);
}

/* The consequence that is running up; nothing where none is. */
static void next_of_pod(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    enum lane_kind lane;
    char when[LIVE_AGE_SIZE * 2], age[LIVE_AGE_SIZE];
    struct forecast coming = pod_next(pod, maker->now, &lane);
    struct budget budget = pod_budget(pod, maker->now);
    int64_t killed = pod_killed_until(pod, maker->now);
    if (killed >= 0) {
        hints_next(maker, "the kubelet ends the container: it may take %s more to stop, then it is killed%s",
                   clock_age(killed > maker->now ? killed - maker->now : 0, age, sizeof age),
                   pod->facts.never_restart ? "" : "; it is started again after that");
        return;
    }
    if (budget.applies && (coming.consequence == CONSEQUENCE_NONE || lane == LANE_STARTUP)) {
        next_of_budget(maker, &budget);
        return;
    }
    int64_t at = coming.at >= 0 ? coming.at : coming.latest;
    snprintf(when, sizeof when, at > maker->now ? "in about %s" : "at any moment",
             clock_age(at - maker->now, age, sizeof age));
    if (coming.consequence == CONSEQUENCE_RESTART)
        next_restart(maker, &coming, lane, when);
    else if (coming.consequence == CONSEQUENCE_NOT_READY)
        hints_next(maker, "NotReady %s (readiness failure %d of %d)%s", when, (int)coming.count, (int)coming.threshold,
                   pod->facts.kubelet ? "" : " for a kubelet");
    else if (coming.consequence == CONSEQUENCE_READY)
        hints_next(maker, "Ready %s", when);
}

static void next_start(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    char age[LIVE_AGE_SIZE];
    int64_t at = pod_starts_again_at(pod);
    if (at > maker->now)
        hints_next(maker, "the kubelet starts the container again in about %s, after its back-off",
                   clock_age(at - maker->now, age, sizeof age));
    else if (at >= 0)
        hints_next(maker, "the kubelet starts the container again at any moment");
    else if (pod->stage == STAGE_BACKOFF || (pod->stage == STAGE_COMPLETED && pod->facts.phase == PHASE_RUNNING))
        hints_next(maker, "the kubelet starts the container again after its back-off (10 s, doubling to 5 minutes)");
}

/* ---- what was before ---- */

static bool span_is_recent_fall(const struct hint_maker *maker, const struct span *span)
{
    return span->stage == STAGE_DEGRADED && span->ended >= 0 && maker->now - span->ended < LIVE_RECENT_US;
}

/* The last time that it was not well, if that is not long ago and in this run. */
static void why_degraded(struct hint_maker *maker)
{
    const struct spans *spans = &maker->pod->spans;
    char age[LIVE_AGE_SIZE], lasted[LIVE_AGE_SIZE];
    for (uint32_t i = spans->count; i-- > 0;) {
        const struct span *span = &spans->list[i];
        if (span->run == maker->pod->run && span_is_recent_fall(maker, span)) {
            hints_why(maker, "Degraded until %s ago, for %s%s%s", live_age(maker, span->ended, age),
                      clock_age(span->ended - span->began, lasted, sizeof lasted), text_empty(&span->why) ? "" : ": ",
                      text_str(&span->why));
            return;
        }
    }
}

/* How the run before ended, if that is not long ago. */
static void why_restarted(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    const struct termination *end = &pod->facts.serving.last;
    char age[LIVE_AGE_SIZE], words[LIVE_WORDS_SIZE];
    if (!end->known || end->finished_at == 0 || maker->now - end->finished_at >= LIVE_RECENT_US)
        return;
    live_age(maker, end->finished_at, age);
    if (pod->killed_run == 0 || pod->killed_run + 1 != pod->run)
        hints_why(maker, "its last run ended %s ago: exit code %d%s%s", age, (int)end->exit_code,
                  text_empty(&end->reason) ? "" : ", ", text_str(&end->reason));
    else if (pod->engine_died_before)
        hints_why(maker, "its last run ended %s ago: the engine died, %s killed it", age, lane_name(pod->killed_by));
    else
        hints_why(maker, "its last run ended %s ago: %s killed it%s%s", age, lane_name(pod->killed_by),
                  pod->killed_cause == PROBE_CAUSE_NONE ? "" : ": ",
                  pod->killed_cause == PROBE_CAUSE_NONE
                      ? ""
                      : cause_words(pod->killed_cause, pod->killed_status, words, sizeof words));
}

/* ---- stages ---- */

static void state_unreachable(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    if (pod->tunnel == TUNNEL_NODE_LOST)
        hints_state(maker, "the API server does not get to its node: nothing here is the pod's fault, and nothing can "
                           "be said of it");
    else
        hints_state(maker, "no tunnel to the pod: nothing here is the pod's fault, and nothing can be said of it");
    if (pod->facts.kubelet && pod->facts.serving.ready != TRI_UNKNOWN)
        hints_why(maker, "the kubelet says %s", pod->facts.serving.ready == TRI_TRUE ? "Ready" : "NotReady");
    hints_next(maker, "the tunnel is tried again by itself");
}

/* The newest event that is no part of a pod's normal way. */
static void why_warning(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    char age[LIVE_AGE_SIZE];
    if (maker->out->count > 0)
        return; /* the hints quote what matters */
    for (uint32_t i = pod->event_count; i-- > 0;) {
        if (pod->events[i].warning) {
            hints_why(maker, "event, %s ago: %s: %s", live_age(maker, pod->events[i].last, age),
                      text_str(&pod->events[i].reason), text_str(&pod->events[i].message));
            return;
        }
    }
}

static void state_before_start(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    char age[LIVE_AGE_SIZE];
    live_age(maker, pod->stage_since, age);
    if (pod->stage == STAGE_PENDING)
        hints_state(maker, "%s, for %s",
                    pod->facts.scheduled.status == TRI_FALSE ? "no node takes the pod" : "waits for a node", age);
    else
        hints_state(maker, "the container is being made, for %s", age);
    why_warning(maker);
}

static void state_ended(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    const struct container_facts *serving = &pod->facts.serving;
    const struct termination *end = &serving->last;
    char age[LIVE_AGE_SIZE], lived[LIVE_AGE_SIZE], when[LIVE_AGE_SIZE * 3] = "";
    bool crash_loop = serving->state == CONTAINER_TERMINATED || text_is(&serving->reason, "CrashLoopBackOff");
    if (!end->known || (!crash_loop && pod->stage == STAGE_BACKOFF)) {
        bool init =
            strncmp(text_str(&serving->reason), "Init:", strlen("Init:")) == 0 && !text_empty(&serving->message);
        hints_state(maker, "the container cannot be started: %s%s%s", text_str(&pod->reason), init ? ", " : "",
                    init ? text_str(&serving->message) : "");
        why_warning(maker);
        return;
    }
    if (end->finished_at != 0 && end->started_at != 0)
        snprintf(when, sizeof when, ", %s ago after %s", live_age(maker, end->finished_at, age),
                 clock_age(end->finished_at - end->started_at, lived, sizeof lived));
    else if (end->finished_at != 0)
        snprintf(when, sizeof when, ", %s ago", live_age(maker, end->finished_at, age));
    hints_state(maker, "the container ended with exit code %d%s%s%s", (int)end->exit_code,
                text_empty(&end->reason) ? "" : ", ", text_str(&end->reason), when);
    next_start(maker);
}

/* An endpoint of which nothing but silence, a refusal or a stranger's answer has been seen. */
static void state_silent(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    bool stranger = pod->answered_by[0] != ANSWERER_NOBODY || pod->answered_by[1] != ANSWERER_NOBODY;
    char age[LIVE_AGE_SIZE];
    hints_state(maker, "%s answers at %s, and nothing shows that anything is loading there",
                stranger ? "no server of models" : "nothing", text_str(&pod->facts.address));
    live_failing_why(maker);
    if (pod->progress.last_line == 0)
        hints_why(maker, "loading for %s, or not there: its log would tell", live_age(maker, pod->run_began, age));
    next_of_pod(maker);
}

/* The sidecar alone keeps the pod out: how it ended, and how often. */
static void why_sidecar(struct hint_maker *maker)
{
    const struct container_facts *sidecar = &maker->pod->facts.sidecar;
    char age[LIVE_AGE_SIZE], when[LIVE_AGE_SIZE * 2] = "";
    if (sidecar->last.finished_at != 0)
        snprintf(when, sizeof when, ", %s ago", live_age(maker, sidecar->last.finished_at, age));
    hints_why(maker, "its sidecar %s ended with exit code %d%s%s%s%s, after %d restart%s", text_str(&sidecar->name),
              (int)sidecar->last.exit_code, text_empty(&sidecar->last.reason) ? "" : ", ",
              text_str(&sidecar->last.reason), when,
              text_is(&sidecar->reason, "CrashLoopBackOff") ? " (CrashLoopBackOff)" : "", (int)sidecar->restart_count,
              sidecar->restart_count == 1 ? "" : "s");
}

static void state_loading(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    char words[LIVE_WORDS_SIZE * 2], age[LIVE_AGE_SIZE];
    const char *well = maker->out->count == 0 ? "nothing wrong: " : "";
    struct budget budget = pod_budget(pod, maker->now);
    if (!pod_loading_is_seen(pod)) {
        state_silent(maker);
        return;
    }
    if (pod_sidecar_is_down(pod)) {
        hints_state(maker, "vLLM is ready, its sidecar %s is not", text_str(&pod->facts.sidecar.name));
        why_sidecar(maker);
        return;
    }
    if (pod->stage == STAGE_LOADED)
        hints_state(maker, "%sthe model is loaded, for %s; Ready follows when the probes say so", well,
                    live_age(maker, pod->loaded_at, age));
    else if (pod->is_simulator)
        hints_state(maker, "%sa simulator answers, it has no model to load", well);
    else
        hints_state(maker, "%sloading%s%s, for %s: %s", well, pod->run > 1 && well[0] == '\0' ? " again" : "",
                    budget.applies && !hint_find(maker, CAUSE_STARTUP_BUDGET_EXCEEDED) ? " within its budget" : "",
                    live_age(maker, pod->run_began, age), progress_words(maker, words, sizeof words));
    if (pod->stage == STAGE_LOADED)
        live_failing_why(maker);
    else if (pod->progress.furthest == SUBSTAGE_DOWNLOAD && maker->out->count == 0)
        hints_why(maker, "vLLM prints nothing while it downloads: silence is no fault here");
    struct siblings siblings = siblings_of(maker->fleet, pod);
    if (pod->stage != STAGE_LOADED && siblings_words(&siblings, pod, words, sizeof words))
        hints_why(maker, "%s", words);
    next_of_pod(maker);
}

static void state_degraded(struct hint_maker *maker)
{
    enum { QUOTE_CELLS = 160 };
    const struct pod *pod = maker->pod;
    char age[LIVE_AGE_SIZE];
    hints_state(maker, "was Ready and is not any more: %s, for %s", text_str(&pod->reason),
                live_age(maker, pod->stage_since, age));
    if (pod_sidecar_is_down(pod)) {
        why_sidecar(maker);
        return;
    }
    if (pod_is_out_with_its_node(pod))
        hints_why(maker, "its containers are ready: Kubernetes sends it nothing because of its node %s",
                  text_str(&pod->facts.node));
    if (maker->out->count == 0) {
        live_failing_why(maker);
        if (pod->failure_count > 0 && !text_empty(&pod->failures[0].body)) {
            struct text quote = {0};
            text_set(&quote, text_str(&pod->failures[0].body), pod->failures[0].body.len, QUOTE_CELLS);
            hints_why(maker, "it said: %s", text_str(&quote));
            text_free(&quote);
        }
    }
    next_of_pod(maker);
}

/* The sidecar's own probes fail: what the kubelet will do about it, and to whom (facts/kube.md 1.9). */
static bool sidecar_is_threatened(struct hint_maker *maker)
{
    static const enum lane_kind order[] = {LANE_SIDECAR_READINESS, LANE_SIDECAR_LIVENESS};
    char when[LIVE_AGE_SIZE];
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        struct forecast coming = pod_forecast(maker->pod, order[i], maker->now);
        bool restart = coming.consequence == CONSEQUENCE_RESTART;
        if (!restart && coming.consequence != CONSEQUENCE_NOT_READY)
            continue;
        hints_state(maker, "still Ready, but the probes of its sidecar %s have begun to fail",
                    text_str(&maker->pod->facts.sidecar.name));
        clock_age(coming.at > maker->now ? coming.at - maker->now : 0, when, sizeof when);
        hints_next(maker, "%s in about %s (its %s failure %d of %d)",
                   restart ? "the kubelet restarts the sidecar alone" : "the pod is NotReady", when,
                   lane_name(lane_base(order[i])), (int)coming.count, (int)coming.threshold);
        return true;
    }
    return false;
}

static void state_ready(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    enum lane_kind lane;
    char age[LIVE_AGE_SIZE];
    struct forecast coming = pod_next(pod, maker->now, &lane);
    bool threatened = coming.consequence == CONSEQUENCE_RESTART || coming.consequence == CONSEQUENCE_NOT_READY;
    bool witness = false;
    for (int i = LANE_HEALTH; i <= LANE_MODELS; i++)
        witness = witness || (pod_lane_fails(pod, (enum lane_kind)i, maker->now) && pod->lanes[i].streak >= 2 &&
                              pod->lanes[i].last_counted_sent > pod->ready_at);
    if (live_is_starting(pod) && !pod->lanes[LANE_READINESS].present) {
        hints_state(maker, "called Ready while it still starts, for %s: no readiness probe holds it back",
                    live_age(maker, pod->run_began, age));
        live_failing_why(maker);
        next_of_pod(maker);
        return;
    }
    if (threatened || witness) {
        hints_state(maker, "still Ready, but %s",
                    live_kubelet_vouches(maker) ? "by the kubelet's word only: our own probes fail"
                    : pod->refused_now          ? "nothing listens on the port any more"
                    : threatened                ? "its probes have begun to fail"
                                                : "our own witness fails");
        live_failing_why(maker);
        next_of_pod(maker);
        return;
    }
    if (sidecar_is_threatened(maker))
        return;
    hints_state(maker, "%sReady for %s", maker->out->count == 0 ? "nothing wrong: " : "",
                live_age(maker, pod->stage_since, age));
    why_restarted(maker);
    why_degraded(maker);
}

/* Of files, where a log is all that tells of the container. */
static bool state_of_log(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    const struct progress *progress = &pod->progress;
    char words[LIVE_WORDS_SIZE], age[LIVE_AGE_SIZE], took[LIVE_AGE_SIZE * 2] = "";
    int64_t first = progress->last_line;
    bool bare = text_is(&maker->fleet->source_name, "files") && pod->facts.serving.state == CONTAINER_RUNNING &&
                !pod->facts.serving.started_at_known && pod->facts.serving.ready == TRI_UNKNOWN;
    if (!bare)
        return false;
    for (int i = SUBSTAGE_NONE + 1; i < SUBSTAGE_COUNT; i++)
        first = progress->entered[i] != 0 && progress->entered[i] < first ? progress->entered[i] : first;
    if (progress->last_line > first)
        snprintf(took, sizeof took, ", at least %s after its beginning", /* a line without a stamp has the last one's */
                 clock_age(progress->last_line - first, age, sizeof age));
    if (progress->shutting_down && maker->out->count == 0)
        hints_state(maker, "by its log, it was told to end, and ended in order");
    else if (progress->furthest == SUBSTAGE_NONE)
        hints_state(maker, "its log has no start-up line");
    else if (progress->furthest == SUBSTAGE_LISTENING)
        hints_state(maker, "by its log, start-up is complete");
    else
        hints_state(maker, "by its log, start-up has come to: %s%s", progress_words(maker, words, sizeof words), took);
    return true;
}

void hints_of_state(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    char age[LIVE_AGE_SIZE];
    if (state_of_log(maker))
        return;
    if (pod->gone) {
        hints_state(maker, "the pod is no longer there, since %s", live_age(maker, pod->gone_at, age));
        return;
    }
    switch (pod->stage) {
    case STAGE_UNREACHABLE:
        state_unreachable(maker);
        break;
    case STAGE_TERMINATING:
        hints_state(maker, "the pod is being deleted, for %s", live_age(maker, pod->stage_since, age));
        hints_next(maker, "it has %d s of grace; liveness and startup are not asked any more", (int)pod->facts.grace);
        break;
    case STAGE_PENDING:
    case STAGE_CREATING:
        state_before_start(maker);
        break;
    case STAGE_BACKOFF:
    case STAGE_FAILED:
    case STAGE_COMPLETED:
        state_ended(maker);
        break;
    case STAGE_DEGRADED:
        state_degraded(maker);
        break;
    case STAGE_RUNNING:
    case STAGE_API_UP:
    case STAGE_LOADED:
        state_loading(maker);
        break;
    case STAGE_READY:
        state_ready(maker);
        break;
    default:
        hints_state(maker, text_is(&maker->fleet->source_name, "files") ? "no file tells its state"
                                                                        : "nothing is known of it yet");
        break;
    }
}

bool hints_command(const struct hints *hints, const struct pod *pod, int64_t now, struct text *out)
{
    text_set_str(out, "", TEXT_LINE);
    for (uint32_t i = 0; i < hints->count; i++) {
        if (hints->list[i].command_count > 0) {
            text_copy(out, &hints->list[i].commands[0]);
            return true;
        }
    }
    if (!pod->gone && pod->stage == STAGE_DEGRADED && pod_is_out_with_its_node(pod))
        return command_fill(LOOK_AT_NODE, pod, out);
    if (!pod->gone && pod_sidecar_is_down(pod))
        return command_fill(LOOK_AT_SIDECAR, pod, out);
    bool fails = hints->count > 0 || pod_is_unwell(pod, now);
    for (int i = 0; i <= LANE_MODELS && pod->stage == STAGE_READY; i++)
        fails = fails || pod_lane_fails(pod, (enum lane_kind)i, now);
    static const enum lane_kind order[] = {LANE_MODELS, LANE_READINESS, LANE_STARTUP, LANE_LIVENESS, LANE_HEALTH};
    for (size_t i = 0; fails && !pod->gone && i < sizeof order / sizeof order[0]; i++)
        if (command_curl(pod, order[i], out))
            return true;
    return fails && !pod->gone && (command_fill(pod->stage >= STAGE_RUNNING ? LOOK_AT_LOG : LOOK_AT_POD, pod, out));
}

void evidence_words(const struct evidence *evidence, int64_t now, struct text *out)
{
    const char *source = evidence_source_name(evidence->source), *words = text_str(&evidence->words);
    char age[LIVE_AGE_SIZE];
    if (evidence->t != INT64_MIN)
        text_printf(out, TEXT_LINE, "%s, %s ago: %s", source,
                    clock_age(now > evidence->t ? now - evidence->t : 0, age, sizeof age), words);
    else if (evidence->line > 0)
        text_printf(out, TEXT_LINE, "%s:%d: %s", source, (int)evidence->line, words);
    else
        text_printf(out, TEXT_LINE, "%s: %s", source, words);
}
