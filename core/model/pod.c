/* What readers ask a pod: all pure, nothing here changes one. */
#include "model/pod.h"

#include "base/clock.h"

#include <string.h>

const char *happening_name(enum happening_kind kind)
{
    static const char *const names[HAPPENED_KIND_COUNT] = {
        [HAPPENED_STAGE] = "stage", [HAPPENED_PROBE] = "probe", [HAPPENED_KUBELET] = "kubelet",
        [HAPPENED_EVENT] = "event", [HAPPENED_LOG] = "log",     [HAPPENED_TUNNEL] = "tunnel",
        [HAPPENED_HINT] = "hint"};
    return (unsigned)kind < HAPPENED_KIND_COUNT ? names[kind] : "";
}

const struct happening *pod_happening(const struct pod *pod, uint32_t back)
{
    if (back >= pod->happening_count)
        return NULL;
    uint32_t index = pod->happening_first + pod->happening_count - 1 - back;
    return &pod->happenings[index % pod->happening_capacity];
}

const struct log_line *pod_log(const struct pod *pod, uint32_t back)
{
    if (back >= pod->log_count)
        return NULL;
    return &pod->logs[(pod->log_first + pod->log_count - 1 - back) % pod->log_capacity];
}

struct container_view pod_view(const struct pod *pod)
{
    const struct lane *startup = &pod->lanes[LANE_STARTUP];
    bool started = startup->present && startup->prober.stored == VERDICT_SUCCESS;
    struct container_view view = container_view_of(&pod->facts, started);
    if (view.run == 0 && !pod->facts.kubelet)
        view.run = pod->run; /* an endpoint has no container, and no need of an ID */
    return view;
}

struct container_view pod_lane_view(const struct pod *pod, enum lane_kind lane)
{
    return lane_is_sidecars(lane) ? sidecar_view_of(&pod->facts) : pod_view(pod);
}

/* Whether a kubelet's lane asks the same often enough, so that the witness need not. */
static bool witness_is_covered(const struct pod *pod, enum lane_kind witness, int64_t now)
{
    for (int i = LANE_STARTUP; i <= LANE_READINESS; i++) {
        const struct probe_spec *spec = &pod->facts.probes[i], *own = &pod->facts.probes[witness];
        if (pod->lanes[i].present && spec->period <= own->period && probe_spec_same_target(spec, own) &&
            pod_gate(pod, (enum lane_kind)i, now) == GATE_SEND)
            return true;
    }
    return false;
}

enum gate pod_gate(const struct pod *pod, enum lane_kind lane, int64_t now)
{
    if ((unsigned)lane >= LANE_COUNT || pod->gone || !pod->lanes[lane].present)
        return GATE_STOPPED;
    struct container_view view = pod_lane_view(pod, lane);
    if (lane_is_kubelets(lane))
        return prober_gate(&pod->lanes[lane].prober, &view, now);
    if (view.pod_over)
        return GATE_STOPPED;
    if (!view.running)
        return view.run == 0 ? GATE_NO_CONTAINER : GATE_NOT_RUNNING;
    return witness_is_covered(pod, lane, now) ? GATE_COVERED : GATE_SEND;
}

/* What the kubelet's own events tell of its streak is nearer to what it will do than what our probes, at other moments than its, make of it. False: they tell nothing just now. */
static bool kubelet_foretells(const struct pod *pod, enum lane_kind kind, const struct container_view *view,
                              int64_t now, struct forecast *forecast)
{
    const struct lane *lane = &pod->lanes[kind];
    const struct probe_spec *spec = &pod->facts.probes[kind];
    int64_t period = spec->period * (int64_t)SECOND_US, timeout = spec->timeout * (int64_t)SECOND_US;
    enum lane_kind base = lane_base(kind);
    bool asks = view->running && !view->deleting && view->started == (base == LANE_LIVENESS);
    if (base > LANE_LIVENESS || !asks || lane->kubelet_run != (lane_is_sidecars(kind) ? pod->sidecar_run : pod->run) ||
        lane->kubelet_failures >= spec->failure_threshold ||
        now - lane->kubelet_failed_at > period + timeout + SECOND_US / 2)
        return false;
    int64_t at = lane->kubelet_failed_at + (spec->failure_threshold - lane->kubelet_failures) * period;
    *forecast = (struct forecast){.consequence = CONSEQUENCE_RESTART,
                                  .count = lane->kubelet_failures,
                                  .threshold = spec->failure_threshold,
                                  .at = at,
                                  .earliest = at,
                                  .latest = at + timeout};
    return true;
}

struct forecast pod_forecast(const struct pod *pod, enum lane_kind lane, int64_t now)
{
    struct forecast forecast = {.consequence = CONSEQUENCE_NONE, .at = -1, .earliest = -1, .latest = -1};
    if (!lane_is_kubelets(lane) || pod->gone || !pod->lanes[lane].present)
        return forecast;
    const struct lane *l = &pod->lanes[lane];
    struct container_view view = pod_lane_view(pod, lane);
    if (!kubelet_foretells(pod, lane, &view, now, &forecast)) {
        forecast =
            forecast_streak(&l->prober, &pod->facts.probes[lane], &view, l->last_counted_sent, l->last.total, now);
    }
    return forecast;
}

struct forecast pod_next(const struct pod *pod, int64_t now, enum lane_kind *lane)
{
    /* In the enum's order: what ends a container before what takes its traffic, that before what is good. */
    static const enum consequence order[] = {CONSEQUENCE_RESTART, CONSEQUENCE_NOT_READY, CONSEQUENCE_READY,
                                             CONSEQUENCE_STARTED};
    struct forecast lanes[LANE_READINESS + 1];
    for (int i = LANE_STARTUP; i <= LANE_READINESS; i++)
        lanes[i] = pod_forecast(pod, (enum lane_kind)i, now);
    for (size_t c = 0; c < sizeof order / sizeof order[0]; c++) {
        int best = -1;
        for (int i = LANE_STARTUP; i <= LANE_READINESS; i++) {
            bool sooner = best < 0 || (lanes[i].at >= 0 && (lanes[best].at < 0 || lanes[i].at < lanes[best].at));
            best = lanes[i].consequence == order[c] && sooner ? i : best;
        }
        if (best >= 0) {
            *lane = (enum lane_kind)best;
            return lanes[best];
        }
    }
    *lane = LANE_STARTUP;
    return (struct forecast){.consequence = CONSEQUENCE_NONE, .at = -1, .earliest = -1, .latest = -1};
}

struct budget pod_budget(const struct pod *pod, int64_t now)
{
    const struct lane *startup = &pod->lanes[LANE_STARTUP];
    if (!startup->present || pod->gone)
        return (struct budget){0};
    struct container_view view = pod_view(pod);
    struct budget budget = budget_of(&startup->prober, &pod->facts.probes[LANE_STARTUP], &view, pod->run_began,
                                     startup->last_counted_sent, startup->last.total, now);
    struct forecast told;
    bool decided = startup->prober.on_hold;
    if (budget.applies && !decided && kubelet_foretells(pod, LANE_STARTUP, &view, now, &told)) {
        budget.count = told.count;
        budget.may_be_killed_from = told.earliest;
        budget.deadline = told.at;
        budget.left = told.at - now;
    }
    return budget;
}

bool pod_lane_fails(const struct pod *pod, enum lane_kind lane, int64_t now)
{
    const struct lane *l = &pod->lanes[lane];
    if (!l->present || l->streak == 0 || !l->streak_failing)
        return false;
    enum gate gate = pod_gate(pod, lane, now);
    return gate == GATE_SEND || (gate == GATE_ON_HOLD && l->prober.stored == VERDICT_FAILURE);
}

bool pod_loading_is_seen(const struct pod *pod)
{
    if (pod->facts.kubelet || pod->progress.furthest != SUBSTAGE_NONE || pod->loaded_at >= 0)
        return true;
    for (int i = 0; i < 2; i++) {
        enum answerer answerer = pod->answered_by[i];
        if (answerer != ANSWERER_NOBODY && answerer != ANSWERER_OTHER && answerer != ANSWERER_API_SERVER)
            return true;
    }
    return false;
}

bool pod_sidecar_is_down(const struct pod *pod)
{
    const struct container_facts *sidecar = &pod->facts.sidecar;
    return pod->facts.kubelet && sidecar->exists && pod->facts.serving.ready == TRI_TRUE &&
           sidecar->ready == TRI_FALSE && sidecar->state != CONTAINER_RUNNING && sidecar->last.known;
}

bool pod_is_unwell(const struct pod *pod, int64_t now)
{
    if (pod_sidecar_is_down(pod))
        return true;
    if (pod->stage == STAGE_READY || (pod->stage == STAGE_LOADED && !pod->facts.kubelet))
        return false;
    if (!stage_is_loading(pod->stage) || !pod_loading_is_seen(pod))
        return true;
    struct budget budget = pod_budget(pod, now);
    return budget.applies && budget.left < 0;
}

/* "1m20s", as the kubelet prints its back-off, in µs; -1 when it is nothing like that. */
static int64_t read_duration(const char *words)
{
    enum { HOURS = 3600, MINUTES = 60, MOST = 100000 };
    int64_t seconds = 0;
    const char *p = words;
    for (; *p >= '0' && *p <= '9';) {
        int64_t number = 0;
        for (; *p >= '0' && *p <= '9'; p++)
            number = number < MOST ? number * 10 + (*p - '0') : MOST;
        seconds += *p == 'h' ? number * HOURS : *p == 'm' ? number * MINUTES : *p == 's' ? number : MOST;
        p += *p != '\0';
    }
    return p > words && seconds < MOST ? seconds * SECOND_US : -1;
}

int64_t pod_killed_until(const struct pod *pod, int64_t now)
{
    enum { LATE_SECONDS = 10 };
    if (!pod->facts.kubelet || pod->gone || pod->facts.deleting || pod->killed_run == 0 ||
        pod->killed_run != pod->run || pod->facts.serving.state != CONTAINER_RUNNING)
        return -1;
    int32_t own = pod->facts.probes[pod->killed_by].termination_grace;
    int64_t until = pod->killed_at + (own > 0 ? own : pod->facts.grace) * (int64_t)SECOND_US;
    return now <= until + LATE_SECONDS * (int64_t)SECOND_US ? until : -1;
}

int64_t pod_starts_again_at(const struct pod *pod)
{
    static const char begins[] = "back-off ";
    const struct container_facts *serving = &pod->facts.serving;
    const char *words = text_str(&serving->message);
    if (pod->stage != STAGE_BACKOFF || serving->state != CONTAINER_WAITING || !serving->last.known ||
        serving->last.finished_at == 0 || strncmp(words, begins, sizeof begins - 1) != 0)
        return -1;
    int64_t back_off = read_duration(words + sizeof begins - 1);
    return back_off < 0 ? -1 : serving->last.finished_at + back_off;
}

/* How long the run before took from its `from` on until it listened; -1 when it never got there. */
static int64_t previous_rest(const struct pod *pod, enum substage from)
{
    const struct progress *previous = pod->previous;
    if (!previous || previous->entered[SUBSTAGE_LISTENING] == 0)
        return -1;
    for (int i = (int)from; i < SUBSTAGE_LISTENING; i++)
        if (previous->entered[i] != 0 && previous->entered[i] <= previous->entered[SUBSTAGE_LISTENING])
            return previous->entered[SUBSTAGE_LISTENING] - previous->entered[i];
    return 0;
}

enum substage pod_in_time_of(const struct pod *pod)
{
    enum substage furthest = pod->progress.furthest;
    bool counted = furthest == SUBSTAGE_SHARDS || furthest == SUBSTAGE_GRAPHS;
    return pod->loaded_at < 0 && counted && previous_rest(pod, (enum substage)(furthest + 1)) < 0 ? furthest
                                                                                                  : SUBSTAGE_NONE;
}

/* The moment loading, or the sub-stage that pod_in_time_of() names, is expected to be done, -1 unknown. */
static int64_t expected_done(const struct pod *pod, int64_t now)
{
    const struct progress *progress = &pod->progress;
    if (pod->loaded_at >= 0)
        return pod->loaded_at;
    if (progress->furthest == SUBSTAGE_LISTENING)
        return progress->entered[SUBSTAGE_LISTENING];
    int64_t eta = progress_eta(progress, now);
    if (eta >= 0 && (progress->furthest == SUBSTAGE_SHARDS || progress->furthest == SUBSTAGE_GRAPHS)) {
        int64_t rest = previous_rest(pod, (enum substage)(progress->furthest + 1));
        return now + eta + (rest > 0 ? rest : 0);
    }
    int64_t rest = progress->furthest > SUBSTAGE_NONE ? previous_rest(pod, progress->furthest) : -1;
    if (rest < 0)
        return -1;
    int64_t done = progress->entered[progress->furthest] + rest;
    return done > now ? done : -1; /* slower than last time: nothing is known any more */
}

enum tri pod_in_time(const struct pod *pod, int64_t now, int64_t *done_at)
{
    struct budget budget = pod_budget(pod, now);
    int64_t done = expected_done(pod, now);
    if (done_at)
        *done_at = done;
    if (done < 0 || !budget.applies)
        return TRI_UNKNOWN;
    if (done > budget.may_be_killed_from)
        return TRI_FALSE;
    return pod_in_time_of(pod) == SUBSTAGE_NONE ? TRI_TRUE : TRI_UNKNOWN;
}

bool pod_budget_is_short(const struct pod *pod, const struct budget *budget, int64_t now)
{
    enum { SHARE = 5 };
    int64_t done_at;
    bool in_time = pod_in_time(pod, now, &done_at) == TRI_TRUE && done_at > now;
    return budget->applies && !in_time && budget->left < (budget->used + budget->left) / SHARE;
}

static int32_t most(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

bool pod_is_warned(const struct pod *pod)
{
    for (int i = 0; i < POD_TOLD_MAX; i++)
        if (pod->told[i].told && pod->told[i].confidence >= CONFIDENCE_LIKELY)
            return true;
    return false;
}

int32_t pod_severity(const struct pod *pod, int64_t now)
{
    enum {
        SHORT_OF_TIME = 560,
        MAYBE_SHORT = 520,
        WITNESS_FAILS = 450,
        SOON_RESTART = 500,
        SOON_NOT_READY = 400,
        WARNED = 440
    };
    if (pod->gone)
        return 0;
    int32_t severity = stage_rank(pod->stage) * 100;
    enum lane_kind lane;
    struct forecast next = pod_next(pod, now, &lane);
    int32_t share = next.threshold > 0 ? (int32_t)((int64_t)next.count * 99 / next.threshold) : 0;
    if (next.consequence == CONSEQUENCE_RESTART && lane == LANE_LIVENESS)
        severity = severity >= SOON_RESTART + 100 ? severity + share : SOON_RESTART + share;
    else if (next.consequence == CONSEQUENCE_NOT_READY)
        severity = most(severity, SOON_NOT_READY + share);
    struct budget budget = pod_budget(pod, now);
    if (budget.applies) {
        bool late = budget.left <= 0 || pod_in_time(pod, now, NULL) == TRI_FALSE;
        bool little = budget.left < (budget.used + budget.left) / 5;
        severity = late ? most(severity, SHORT_OF_TIME) : little ? most(severity, MAYBE_SHORT) : severity;
    }
    for (int i = LANE_HEALTH; i < LANE_SERVING_COUNT && pod->stage == STAGE_READY; i++)
        if (pod_lane_fails(pod, (enum lane_kind)i, now) && pod->lanes[i].streak >= 2)
            severity = most(severity, WITNESS_FAILS);
    if (stage_is_loading(pod->stage) && pod_is_warned(pod)) /* one that gets traffic is not that bad */
        severity = most(severity, WARNED);
    return severity + (pod->stage == STAGE_READY && pod->wrong_model ? 50 : 0);
}
