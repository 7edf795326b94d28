/* What each fact does to its pod. */
#include "model/pod_fold.h"

#include "base/clock.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { AGE_SIZE = 32, WORDS_SIZE = 2048, ERRORS_TOLD_MAX = 20, FIRST_RING = 8 };

struct pod *pod_new(const struct fleet_limits *limits, int64_t t)
{
    struct pod *pod = mem_new(sizeof *pod);
    pod->first_seen = pod->run_began = pod->run_from = t;
    pod->gone_at = pod->api_up_at = pod->loaded_at = pod->ready_at = pod->last_load_took = -1;
    pod->engine_back_at = -1;
    pod->model_count = -1;
    pod->tunnel_since = t;
    pod->tunnel_round_trip = -1;
    for (int i = 0; i < LANE_COUNT; i++) {
        struct lane *lane = &pod->lanes[i];
        history_init(&lane->history, limits->history_depth);
        sample_init(&lane->last);
        lane->last.lane = (enum lane_kind)i;
        lane->last.sent = lane->last_at = lane->last_counted_sent = -1;
    }
    return pod;
}

static void event_free(struct pod_event *event)
{
    text_free(&event->uid);
    text_free(&event->reason);
    text_free(&event->message);
    text_free(&event->container);
}

static void rings_free(struct pod *pod)
{
    for (uint32_t i = 0; i < pod->happening_capacity; i++)
        text_free(&pod->happenings[i].words);
    for (uint32_t i = 0; i < pod->log_capacity; i++)
        text_free(&pod->logs[i].line);
    for (uint32_t i = 0; i < pod->event_count; i++)
        event_free(&pod->events[i]);
    for (int i = 0; i < POD_FAILURES_MAX; i++) {
        text_free(&pod->failures[i].detail);
        text_free(&pod->failures[i].body);
    }
    mem_free(pod->happenings);
    mem_free(pod->logs);
    mem_free(pod->events);
}

void pod_free(struct pod *pod)
{
    if (!pod)
        return;
    pod_facts_free(&pod->facts);
    for (int i = 0; i < LANE_COUNT; i++) {
        history_free(&pod->lanes[i].history);
        sample_free(&pod->lanes[i].last);
    }
    progress_free(&pod->progress);
    if (pod->previous) {
        progress_free(pod->previous);
        mem_free(pod->previous);
    }
    models_free(&pod->models, &pod->model_count);
    rings_free(pod);
    findings_free(&pod->findings);
    spans_free(&pod->spans);
    text_free(&pod->reason);
    text_free(&pod->run_id);
    text_free(&pod->tunnel_detail);
    mem_free(pod);
}

/* ---- the merged timeline ---- */

/* A ring's array grown to hold one more, oldest first again. Returns the new array; *capacity at most `most`. */
static void *ring_grow(void *ring, size_t size, uint32_t *first, uint32_t count, uint32_t *capacity, uint32_t most)
{
    uint32_t grown = *capacity ? *capacity * 2 : FIRST_RING;
    grown = grown > most ? most : grown;
    char *now = mem_array(grown, size);
    for (uint32_t i = 0; i < count; i++)
        memcpy(now + i * size, (char *)ring + (size_t)((*first + i) % *capacity) * size, size);
    mem_free(ring);
    *first = 0;
    *capacity = grown;
    return now;
}

static struct happening *happening_at(struct pod *pod, uint32_t index)
{
    return &pod->happenings[(pod->happening_first + index) % pod->happening_capacity];
}

/* A place for something that happened at t: behind everything that happened before or at t. */
static struct happening *happening_push(struct pod *pod, int64_t t)
{
    if (pod->happening_count == pod->happening_capacity && pod->happening_capacity < POD_HAPPENINGS_MAX) {
        pod->happenings = ring_grow(pod->happenings, sizeof *pod->happenings, &pod->happening_first,
                                    pod->happening_count, &pod->happening_capacity, POD_HAPPENINGS_MAX);
    }
    if (pod->happening_count == POD_HAPPENINGS_MAX) {
        if (t < happening_at(pod, 0)->t)
            return NULL; /* older than all that is kept */
        pod->happening_first = (pod->happening_first + 1) % pod->happening_capacity;
        pod->happening_count--;
    }
    uint32_t index = pod->happening_count++;
    struct happening spare = *happening_at(pod, index);
    while (index > 0 && happening_at(pod, index - 1)->t > t) {
        *happening_at(pod, index) = *happening_at(pod, index - 1);
        index--;
    }
    *happening_at(pod, index) = spare; /* its text's memory is used again */
    return happening_at(pod, index);
}

void pod_happened(struct fold *fold, int64_t t, enum happening_kind kind, char mood, const char *format, ...)
{
    if (!fold->fleet->limits.keep_texts)
        return;
    char words[WORDS_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    struct happening *happening = happening_push(fold->pod, t > fold->t ? fold->t : t);
    if (!happening)
        return;
    happening->t = t > fold->t ? fold->t : t;
    happening->kind = kind;
    happening->mood = mood;
    text_set_str(&happening->words, words, TEXT_LINE);
    if (fold->fleet->on_happening)
        fold->fleet->on_happening(fold->fleet->on_happening_user, fold->pod, happening);
}

/* ---- what the signatures look at ---- */

/* Offers words to the signatures. `run` as in struct finding. */
static void finding_offer(struct fold *fold, const struct text *words, enum evidence_source source, bool sidecar,
                          uint32_t run, int64_t t)
{
    findings_offer(&fold->pod->findings, fold->fleet->limits.signatures, words, source, sidecar, run, t);
}

/* "Reason: message", as one line; nothing where there is no reason. */
static void words_offer(struct fold *fold, const struct text *reason, const struct text *message,
                        enum evidence_source source, uint32_t run, int64_t t)
{
    struct text words = {0};
    if (!text_empty(reason) || !text_empty(message)) {
        bool both = !text_empty(reason) && !text_empty(message);
        text_printf(&words, TEXT_BODY, "%s%s%s", text_str(reason), both ? ": " : "", text_str(message));
        finding_offer(fold, &words, source, false, run, t);
    }
    text_free(&words);
}

/* What of these facts is words that were not there before. */
struct news {
    bool waiting, ended, phase, scheduled;
};

static bool texts_differ(const struct text *a, const struct text *b, const struct text *c, const struct text *d)
{
    return !text_equal(a, b) || !text_equal(c, d);
}

static struct news facts_compare(const struct pod_facts *old, const struct pod_facts *now)
{
    const struct container_facts *before = &old->serving, *after = &now->serving;
    return (struct news){
        .waiting = after->state == CONTAINER_WAITING &&
                   texts_differ(&before->reason, &after->reason, &before->message, &after->message),
        .ended = after->last.known && (texts_differ(&before->last.reason, &after->last.reason, &before->last.message,
                                                    &after->last.message) ||
                                       before->last.finished_at != after->last.finished_at),
        .phase = texts_differ(&old->phase_reason, &now->phase_reason, &old->phase_message, &now->phase_message),
        .scheduled =
            now->scheduled.status == TRI_FALSE && texts_differ(&old->scheduled.reason, &now->scheduled.reason,
                                                               &old->scheduled.message, &now->scheduled.message)};
}

static void facts_offer(struct fold *fold, struct news news)
{
    const struct pod *pod = fold->pod;
    const struct container_facts *serving = &pod->facts.serving;
    uint32_t ended = serving->state == CONTAINER_RUNNING && pod->run > 0 ? pod->run - 1 : pod->run;
    if (!fold->fleet->limits.keep_texts)
        return;
    if (news.waiting)
        words_offer(fold, &serving->reason, &serving->message, EVIDENCE_POD, pod->run, fold->t);
    if (news.ended) {
        int64_t t = serving->last.finished_at != 0 ? serving->last.finished_at : fold->t;
        words_offer(fold, &serving->last.reason, &serving->last.message, EVIDENCE_POD, ended, t);
    }
    if (news.phase)
        words_offer(fold, &pod->facts.phase_reason, &pod->facts.phase_message, EVIDENCE_POD, pod->run, fold->t);
    if (news.scheduled)
        words_offer(fold, &pod->facts.scheduled.reason, &pod->facts.scheduled.message, EVIDENCE_POD, pod->run, fold->t);
}

/* ---- pod facts ---- */

/* The old run's progress becomes the previous one. */
static void progress_renew(struct pod *pod)
{
    if (!pod->previous)
        pod->previous = mem_new(sizeof *pod->previous);
    progress_free(pod->previous);
    *pod->previous = pod->progress;
    memset(&pod->progress, 0, sizeof pod->progress);
}

/* Whether these facts show another container run. restartCount and container ID usually change together; where they come apart, one run is not counted twice. */
static bool run_is_new(struct pod *pod, const struct container_facts *serving)
{
    bool other_id = !text_empty(&serving->container_id) && !text_equal(&serving->container_id, &pod->run_id);
    if (serving->restart_count > pod->run_restarts) {
        pod->run_restarts = serving->restart_count;
        pod->run_id_old = !other_id; /* still the old one's: the new ID is to come */
        if (other_id)
            text_copy(&pod->run_id, &serving->container_id);
        return true;
    }
    if (!other_id)
        return false;
    bool is_new = !text_empty(&pod->run_id) && !pod->run_id_old;
    pod->run_id_old = false;
    text_copy(&pod->run_id, &serving->container_id);
    return is_new;
}

/* What these lanes had counted was about the container before. */
static void lanes_renew(struct pod *pod, int from, int to, bool streaks_stay)
{
    for (int i = from; i < to; i++) {
        struct lane *lane = &pod->lanes[i];
        if (!streaks_stay) {
            lane->streak = 0;
            lane->streak_failing = lane->told = false;
        }
        lane->last_counted_sent = -1;
    }
}

static void run_begin(struct fold *fold)
{
    struct pod *pod = fold->pod;
    bool emulated = !pod->facts.kubelet; /* the process goes on: what its log told stays true */
    pod->run++;
    findings_forget(&pod->findings, pod->run - 1);
    if (!emulated && !pod->progress_ahead)
        progress_renew(pod);
    pod->fallen = emulated && pod->stage == STAGE_DEGRADED;
    pod->progress_ahead = false;
    pod->errors_told = 0;
    pod->expected_told = false;
    pod->seen_loading = false;
    pod->api_up_at = pod->loaded_at = pod->ready_at = -1;
    const struct container_facts *serving = &pod->facts.serving;
    bool it_answered =
        pod->engine_back_at >= 0 && serving->started_at_known && pod->engine_back_at >= serving->started_at;
    pod->engine_died_before = pod->engine_dead || it_answered; /* this run has, before it was told of */
    pod->engine_back_at = -1;
    pod->api_and_loaded_together = pod->engine_dead = pod->wrong_model = pod->unauthorized = false;
    pod->is_simulator = false;
    pod->refused_now = pod->refused_now && pod->fallen;
    pod->answered_by[0] = pod->answered_by[1] = ANSWERER_NOBODY;
    models_free(&pod->models, &pod->model_count);
    lanes_renew(pod, LANE_STARTUP, LANE_SERVING_COUNT, pod->fallen);
}

/* The sidecar's runs are its own: nothing of the serving container changes with them. */
static void sidecar_run_take(struct pod *pod, const struct container_facts *now)
{
    const struct container_facts *before = &pod->facts.sidecar;
    bool other = !text_empty(&before->container_id) && !text_empty(&now->container_id) &&
                 !text_equal(&before->container_id, &now->container_id);
    if (pod->sidecar_run == 0) {
        pod->sidecar_run = 1;
    } else if (now->restart_count > before->restart_count || other) {
        pod->sidecar_run++;
        lanes_renew(pod, LANE_SIDECAR_STARTUP, LANE_COUNT, false);
    }
}

/* The moment this run began: the kubelet's word, or when we first saw it. */
static void run_time(struct fold *fold, bool is_new)
{
    struct pod *pod = fold->pod;
    const struct container_facts *serving = &pod->facts.serving;
    bool running = serving->state == CONTAINER_RUNNING;
    if (running && serving->started_at_known) {
        pod->run_began = pod->run_from = serving->started_at;
        pod->run_guess = false;
    } else if (is_new || (running && !pod->run_running)) {
        pod->run_began = pod->run_from = fold->t;
        pod->run_guess = true;
    }
    pod->seen_loading = pod->seen_loading || !running;
    pod->run_running = running;
}

static const struct container_facts *lane_container(const struct pod *pod, enum lane_kind lane)
{
    return lane_is_sidecars(lane) ? &pod->facts.sidecar : &pod->facts.serving;
}

static void lanes_take_specs(struct pod *pod)
{
    for (int i = 0; i < LANE_COUNT; i++) {
        struct lane *lane = &pod->lanes[i];
        const struct probe_spec *spec = &pod->facts.probes[i];
        bool was_present = lane->present;
        lane->present = spec->action != PROBE_NONE;
        if (!lane->present || !lane_is_kubelets((enum lane_kind)i))
            continue;
        if (!was_present)
            prober_init(&lane->prober, (enum lane_kind)i, spec);
        lane->prober.initial_delay = spec->initial_delay;
        lane->prober.success_threshold = spec->success_threshold;
        lane->prober.failure_threshold = spec->failure_threshold;
    }
}

static void lanes_observe(struct pod *pod, bool first)
{
    for (int i = 0; i < LANE_COUNT; i++) {
        struct lane *lane = &pod->lanes[i];
        enum lane_kind kind = (enum lane_kind)i, base = lane_base(kind);
        if (!lane->present || !lane_is_kubelets(kind))
            continue;
        const struct container_facts *container = lane_container(pod, kind);
        struct container_view view = pod_lane_view(pod, kind);
        prober_observe(&lane->prober, &view);
        /* We came late: the kubelet's own results are known by what it says of the container. */
        bool told = base == LANE_READINESS ? container->ready == TRI_TRUE
                                           : base == LANE_STARTUP && container->started == TRI_TRUE;
        if (first && pod->facts.kubelet && told && view.running)
            lane->prober.stored = VERDICT_SUCCESS;
    }
}

/* A termination that these facts tell and the ones before did not. */
static void termination_happened(struct fold *fold, const struct container_facts *container, const char *what,
                                 const struct termination *old, bool restarted)
{
    const struct termination *end = &container->last;
    char age[AGE_SIZE], lived[AGE_SIZE * 2] = "";
    bool same = old->known && old->finished_at == end->finished_at && old->started_at == end->started_at &&
                old->exit_code == end->exit_code && text_equal(&old->reason, &end->reason);
    if (end->known && !same) {
        if (end->finished_at != 0 && end->started_at != 0 && end->finished_at >= end->started_at)
            snprintf(lived, sizeof lived, " after %s", clock_age(end->finished_at - end->started_at, age, sizeof age));
        pod_happened(fold, end->finished_at != 0 ? end->finished_at : fold->t, HAPPENED_KUBELET,
                     fold->pod->facts.deleting ? ' ' : 'x', "the %s ended%s: %s%sexit code %d", what, lived,
                     text_str(&end->reason), text_empty(&end->reason) ? "" : ", ", (int)end->exit_code);
    }
    if (restarted && fold->pod->facts.kubelet) {
        pod_happened(fold, fold->t, HAPPENED_KUBELET, '!', "the kubelet started the %s again (restart %d)", what,
                     (int)container->restart_count);
    } else if (restarted) {
        pod_happened(fold, fold->t, HAPPENED_KUBELET, '!',
                     "counted as a new container from here, as after a kubelet's restart");
    }
}

/* The end that was known, with a reason of its own: the facts are about to be replaced. */
static struct termination termination_take(struct container_facts *container)
{
    struct termination end = container->last;
    end.reason = end.message = (struct text){0};
    text_move(&end.reason, &container->last.reason);
    return end;
}

void pod_take_facts(struct fold *fold, const struct pod_facts *facts)
{
    struct pod *pod = fold->pod;
    bool first = pod->run == 0;
    struct news news = facts_compare(&pod->facts, facts);
    struct termination before = termination_take(&pod->facts.serving),
                       sidecar_before = termination_take(&pod->facts.sidecar);
    uint32_t sidecar_run = pod->sidecar_run;
    bool is_new = run_is_new(pod, &facts->serving);
    sidecar_run_take(pod, &facts->sidecar);
    pod_facts_copy(&pod->facts, facts);
    bool back = pod->gone;
    pod->gone = false;
    if (first)
        pod->run = facts->kubelet && facts->serving.restart_count > 0 ? 2 : 1;
    else if (is_new)
        run_begin(fold);
    run_time(fold, first || is_new);
    lanes_take_specs(pod);
    lanes_observe(pod, first);
    if (facts->kubelet)
        pod->kills = facts->serving.restart_count;
    facts_offer(fold, news);
    if (!first) {
        termination_happened(fold, &pod->facts.serving, "container", &before, is_new);
        termination_happened(fold, &pod->facts.sidecar, "sidecar", &sidecar_before, pod->sidecar_run != sidecar_run);
    }
    text_free(&before.reason);
    text_free(&sidecar_before.reason);
    if (back)
        spans_enter(&pod->spans, pod->stage, fold->t, pod->run, false, "is back");
    pod_restage(fold, is_new && !first);
}

void pod_take_gone(struct fold *fold)
{
    struct pod *pod = fold->pod;
    if (pod->gone)
        return;
    pod->gone = true;
    pod->gone_at = fold->t;
    fold->fleet->by_stage[pod->stage]--;
    if (pod->spans.count)
        pod->spans.list[pod->spans.count - 1].ended = fold->t;
    pod_happened(fold, fold->t, HAPPENED_STAGE, ' ', "is gone");
}

/* ---- tunnels and events ---- */

void pod_take_tunnel(struct fold *fold, const struct fact *fact)
{
    struct pod *pod = fold->pod;
    enum tunnel_word before = pod->tunnel, now = fact->u.tunnel.word;
    bool was_down = pod->tunnel_down;
    pod->tunnel_round_trip = fact->u.tunnel.round_trip;
    text_copy(&pod->tunnel_detail, &fact->u.tunnel.detail);
    pod->tunnel = now;
    if (now == before)
        return;
    char age[AGE_SIZE];
    int64_t lasted = fold->t - pod->tunnel_since;
    pod->tunnel_since = fold->t;
    bool is_up = now == TUNNEL_UP || now == TUNNEL_REFUSED_IN_POD;
    pod->tunnel_down = now == TUNNEL_STARTING ? was_down : !is_up;
    pod->tunnel_ever_up = pod->tunnel_ever_up || is_up;
    if (pod->tunnel_down && !was_down)
        pod->tunnel_lost_at = fold->t;
    if (pod->tunnel_down && now != TUNNEL_STARTING) {
        const char *detail = text_str(&pod->tunnel_detail);
        pod_happened(fold, fold->t, HAPPENED_TUNNEL, '!', "tunnel %s%s%s", tunnel_word_name(now), detail[0] ? ": " : "",
                     detail);
    } else if (was_down && !pod->tunnel_down) {
        pod_happened(fold, fold->t, HAPPENED_TUNNEL, '+', "tunnel up again after %s",
                     clock_age(lasted, age, sizeof age));
    }
    pod_restage(fold, false);
}

/* The place of the event with this uid, or of a new one. */
static struct pod_event *event_place(struct pod *pod, const struct text *uid, bool *is_new)
{
    struct pod_event found = {0};
    uint32_t index = pod->event_count;
    for (uint32_t i = 0; i < pod->event_count && index == pod->event_count; i++)
        index = !text_empty(uid) && text_equal(&pod->events[i].uid, uid) ? i : index;
    *is_new = index == pod->event_count;
    if (!*is_new || pod->event_count == POD_EVENTS_MAX) {
        index = *is_new ? 0 : index; /* no room: the oldest goes */
        found = pod->events[index];
        memmove(&pod->events[index], &pod->events[index + 1], (pod->event_count - index - 1) * sizeof *pod->events);
        pod->event_count--;
        if (*is_new)
            event_free(&found);
    } else if (pod->event_count == 0 ||
               (pod->event_count >= FIRST_RING && (pod->event_count & (pod->event_count - 1)) == 0)) {
        pod->events =
            mem_resize(pod->events, pod->event_count ? 2 * (size_t)pod->event_count : FIRST_RING, sizeof *pod->events);
    }
    pod->events[pod->event_count] = found;
    return &pod->events[pod->event_count++];
}

/* Keeps the events oldest first by `last`: the newest one, just put at the end, sinks to its place. */
static void events_sort_last(struct pod *pod)
{
    for (uint32_t i = pod->event_count - 1; i > 0 && pod->events[i - 1].last > pod->events[i].last; i--) {
        struct pod_event later = pod->events[i - 1];
        pod->events[i - 1] = pod->events[i];
        pod->events[i] = later;
    }
}

static void kill_remember(struct pod *pod, enum lane_kind lane, uint32_t run, int64_t began, int64_t t)
{
    pod->killed_by = lane;
    pod->killed_run = run;
    pod->killed_at = t;
    pod->killed_after = t > began ? t - began : 0;
    pod->killed_cause = PROBE_CAUSE_NONE;
    pod->killed_status = 0;
}

/* An event's whole seconds, and what may pass until it is told: later ones say nothing about when the kubelet's tick was. */
enum { EVENT_FRESH_US = 2 * SECOND_US };

static bool event_is_of(const struct fact *fact, enum lane_kind lane, const char *begins)
{
    static const char *const names[] = {[LANE_STARTUP] = "Startup", [LANE_LIVENESS] = "Liveness"};
    const char *message = text_str(&fact->u.event.message);
    size_t length = strlen(names[lane]);
    return strncmp(message, names[lane], length) == 0 && strncmp(message + length, begins, strlen(begins)) == 0;
}

static int64_t lane_run_began(const struct pod *pod, enum lane_kind lane)
{
    return lane_is_sidecars(lane) ? pod->facts.sidecar.started_at : pod->run_began;
}

/* An Unhealthy event that comes at once tells when the kubelet's own worker ticked, and by its count how far it is (facts/kube.md 2.2: as long as events come at all). */
static void kubelets_failure_take(struct pod *pod, const struct fact *fact, int32_t more)
{
    for (enum lane_kind kind = 0; kind < LANE_COUNT; kind++) {
        struct lane *lane = &pod->lanes[kind];
        const struct probe_spec *spec = &pod->facts.probes[kind];
        bool kills = lane_is_kubelets(kind) && lane_base(kind) <= LANE_LIVENESS;
        bool fits = kills && lane->present && text_is(&fact->u.event.reason, "Unhealthy") &&
                    event_is_of(fact, lane_base(kind), " probe failed");
        uint32_t run = lane_is_sidecars(kind) ? pod->sidecar_run : pod->run;
        if (!fits || more < 1 || fact->t - fact->u.event.last > EVENT_FRESH_US ||
            fact->u.event.last < lane_run_began(pod, kind) ||
            !text_equal(&fact->u.event.container, &lane_container(pod, kind)->name))
            continue;
        int64_t row = (spec->period + (int64_t)spec->timeout) * SECOND_US + SECOND_US / 2;
        bool goes_on = lane->kubelet_run == run && fact->t - lane->kubelet_failed_at <= row;
        lane->kubelet_failures = goes_on ? lane->kubelet_failures + more : 1;
        lane->kubelet_failed_at = fact->t;
        lane->kubelet_run = run;
    }
}

/* The kubelet's own word that a probe ended a run (facts/kube.md 1.8); LANE_COUNT: it is nothing like that, or another container's. */
static enum lane_kind event_kills_by(const struct pod *pod, const struct fact *fact)
{
    const char *message = text_str(&fact->u.event.message);
    const struct text *container = &fact->u.event.container;
    enum lane_kind base = strstr(message, "failed startup probe")    ? LANE_STARTUP
                          : strstr(message, "failed liveness probe") ? LANE_LIVENESS
                                                                     : LANE_COUNT;
    if (!text_is(&fact->u.event.reason, "Killing") || base == LANE_COUNT)
        return LANE_COUNT;
    if (text_empty(container) || text_equal(container, &pod->facts.serving.name))
        return base;
    return pod->facts.sidecar.exists && text_equal(container, &pod->facts.sidecar.name)
               ? base - LANE_STARTUP + LANE_SIDECAR_STARTUP
               : LANE_COUNT;
}

/* What the kubelet says of the sidecar's probes and restarts is no word on vLLM. */
static bool event_is_sidecars_own(const struct pod *pod, const struct fact *fact)
{
    static const char *const reasons[] = {"Unhealthy", "Killing", "BackOff"};
    if (text_empty(&fact->u.event.container) ||
        !text_equal(&fact->u.event.container, &lane_container(pod, LANE_SIDECAR_LIVENESS)->name))
        return false;
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (text_is(&fact->u.event.reason, reasons[i]))
            return true;
    return false;
}

/* Which run of the serving container the kubelet's word ended. It may come after that run's end: its stamp, of whole seconds, tells. */
static void kill_take(struct pod *pod, enum lane_kind killer, int64_t t)
{
    const struct termination *end = &pod->facts.serving.last;
    bool before = pod->run > 1 && (t < pod->run_began || (t == pod->run_began && end->known && end->finished_at >= t));
    uint32_t run = before ? pod->run - 1 : pod->run;
    bool fits = !before || (end->known && t >= end->started_at && t <= end->finished_at);
    if (fits && pod->killed_run < run)
        kill_remember(pod, killer, run, before ? end->started_at : pod->run_began, t);
}

void pod_take_event(struct fold *fold, const struct fact *fact)
{
    struct pod *pod = fold->pod;
    const char *message = text_str(&fact->u.event.message);
    enum lane_kind killer = event_kills_by(pod, fact);
    /* Within the second of the run's start it may be about the run before. */
    int64_t from = killer != LANE_COUNT && lane_is_sidecars(killer) ? pod->facts.sidecar.started_at : pod->run_from;
    if (killer != LANE_COUNT && pod->lanes[killer].present && fact->u.event.last > from &&
        !pod->lanes[killer].prober.on_hold)
        prober_decided(&pod->lanes[killer].prober);
    if (!fold->fleet->limits.keep_texts)
        return;
    bool is_new;
    struct pod_event *event = event_place(pod, &fact->u.event.uid, &is_new);
    bool counted_up = !is_new && fact->u.event.count > event->count;
    kubelets_failure_take(pod, fact, is_new ? 1 : fact->u.event.count - event->count);
    event->first = fact->u.event.first;
    event->last = fact->u.event.last;
    event->count = fact->u.event.count;
    event->warning = fact->u.event.warning;
    text_copy(&event->uid, &fact->u.event.uid);
    text_copy(&event->reason, &fact->u.event.reason);
    text_copy(&event->message, &fact->u.event.message);
    text_copy(&event->container, &fact->u.event.container);
    events_sort_last(pod);
    if ((is_new || counted_up) && !event_is_sidecars_own(pod, fact)) {
        bool before = !pod->run_guess && fact->u.event.last < pod->run_began;
        words_offer(fold, &fact->u.event.reason, &fact->u.event.message, EVIDENCE_EVENTS,
                    before ? pod->run - 1 : pod->run, fact->u.event.last);
    }
    if (is_new) {
        /* A failing startup probe is how a kubelet says that a container is not done loading. */
        bool expected = text_is(&fact->u.event.reason, "Unhealthy") && strncmp(message, "Startup probe", 13) == 0;
        pod_happened(fold, fact->u.event.last, HAPPENED_EVENT, fact->u.event.warning && !expected ? '!' : ' ', "%s: %s",
                     text_str(&fact->u.event.reason), message);
    }
    if (killer != LANE_COUNT && !lane_is_sidecars(killer))
        kill_take(pod, killer, fact->u.event.last);
}

/* ---- log lines ---- */

/* The length of the level's name that the line begins with; 0: it begins with none. */
static size_t level_length(const char *at, size_t left, size_t from)
{
    static const char *const levels[] = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};
    for (size_t i = from; i < sizeof levels / sizeof levels[0]; i++) {
        size_t length = strlen(levels[i]);
        if (left > length && memcmp(at, levels[i], length) == 0 && !isalnum((unsigned char)at[length]))
            return length;
    }
    return 0;
}

bool line_is_error(const char *line)
{
    enum { FIRST_BAD = 3 };
    const char *start;
    size_t rest;
    progress_strip(line, strlen(line), &start, &rest);
    return level_length(start, rest, FIRST_BAD) > 0;
}

/* Skips what has this shape, '0' standing for any digit; `at` when it has another. */
static const char *skip_shape(const char *at, const char *end, const char *shape)
{
    const char *p = at;
    for (; *shape && p < end && (*shape == '0' ? isdigit((unsigned char)*p) != 0 : *shape == *p); p++)
        shape++;
    return *shape ? at : p;
}

static const char *skip_spaces(const char *at, const char *end)
{
    while (at < end && *at == ' ')
        at++;
    return at;
}

/* How many bytes come before one of these. */
static size_t length_before(const char *at, const char *end, const char *stops)
{
    size_t length = 0;
    while (at + length < end && !strchr(stops, at[length]))
        length++;
    return length;
}

void line_sentence(const char *line, size_t length, const char **start, size_t *rest)
{
    progress_strip(line, length, start, rest);
    const char *end = *start + *rest, *at = *start + level_length(*start, *rest, 0);
    if (at == *start)
        return;
    at = skip_spaces(skip_shape(at, end, ":"), end);     /* uvicorn: "INFO:     words" */
    at = skip_shape(at, end, "00-00 00:00:00 ");         /* vLLM: "INFO 11-24 06:20:00 [core.py:123] words" */
    const char *tag = at + length_before(at, end, " ]"); /* V0: "core.py:123] words" */
    bool bare = tag < end && *tag == ']' && memmem(at, (size_t)(tag - at), ".py:", strlen(".py:"));
    const char *close = at < end && *at == '[' ? memchr(at, ']', (size_t)(end - at)) : bare ? tag : NULL;
    at = close ? close + 1 : at;
    at += close && at < end && *at == ' ';
    if (at < end) {
        *start = at;
        *rest = (size_t)(end - at);
    }
}

bool line_is_wrapper(const char *line)
{
    static const char *const stems[] = {"Engine core initialization failed",
                                        "Failed core proc",
                                        "EngineCore failed to start",
                                        "WorkerProc failed to start",
                                        "WorkerProc initialization failed",
                                        "failed during engine core initialization",
                                        "See stack trace",
                                        "See root cause above",
                                        "EngineDeadError",
                                        "MQLLMEngine is already dead",
                                        "Parent process exited",
                                        "WorkerProc shutting down",
                                        "Background loop has errored already",
                                        "EngineCore encountered",
                                        "output_handler failed",
                                        "Traceback (most recent call last)"};
    for (size_t i = 0; i < sizeof stems / sizeof stems[0]; i++)
        if (strstr(line, stems[i]))
            return true;
    return false;
}

static void log_keep(struct pod *pod, const struct fact *fact, int64_t t)
{
    if (pod->log_count == pod->log_capacity && pod->log_capacity < POD_LOGS_MAX) {
        pod->logs =
            ring_grow(pod->logs, sizeof *pod->logs, &pod->log_first, pod->log_count, &pod->log_capacity, POD_LOGS_MAX);
    }
    if (pod->log_count == POD_LOGS_MAX) {
        pod->log_first = (pod->log_first + 1) % pod->log_capacity;
        pod->log_count--;
    }
    struct log_line *line = &pod->logs[(pod->log_first + pod->log_count++) % pod->log_capacity];
    line->t = t;
    line->previous = fact->u.log.previous;
    line->sidecar = fact->u.log.sidecar;
    line->run = fact->u.log.previous && pod->run > 0 ? pod->run - 1 : pod->run;
    text_copy(&line->line, &fact->u.log.line);
}

/* Feeds the line to the run it belongs to. Returns true when the present run's sub-stage is another now. */
static bool log_progress(struct fold *fold, const struct fact *fact, int64_t t)
{
    struct pod *pod = fold->pod;
    const struct text *line = &fact->u.log.line;
    if (fact->u.log.previous) {
        if (!pod->previous)
            pod->previous = mem_new(sizeof *pod->previous);
        progress_line(pod->previous, text_str(line), line->len, t);
        return false;
    }
    bool later = pod->progress.last_line == 0 || t >= pod->progress.last_line;
    if (later && progress_begins_anew(&pod->progress, text_str(line), line->len)) {
        progress_renew(pod);
        pod->progress_ahead = pod->facts.kubelet;
        if (!pod->facts.kubelet) { /* an endpoint's process lives again */
            pod->reborn = pod->seen_loading = pod->run_guess = true;
            pod->fallen = pod->refused_now = pod->engine_dead = pod->expected_told = false;
            pod->ready_at = pod->loaded_at = pod->api_up_at = -1;
            pod->run_began = t;
        }
    }
    enum substage before = pod->progress.furthest;
    bool changed = progress_line(&pod->progress, text_str(line), line->len, t);
    if (changed && !pod->progress.shutting_down)
        pod->findings.moved = pod->findings.order;
    return pod->progress.furthest != before;
}

void pod_take_log(struct fold *fold, const struct fact *fact)
{
    struct pod *pod = fold->pod;
    if (!fold->fleet->limits.keep_texts)
        return;
    int64_t t = fact->u.log.written != -1 && fact->u.log.written <= fold->t ? fact->u.log.written : fold->t;
    const char *line = text_str(&fact->u.log.line);
    const char *start;
    size_t rest;
    log_keep(pod, fact, t);
    finding_offer(fold, &fact->u.log.line, fact->u.log.previous ? EVIDENCE_PREVIOUS : EVIDENCE_LOGS,
                  fact->u.log.sidecar, fact->u.log.previous && pod->run > 0 ? pod->run - 1 : pod->run, t);
    if (fact->u.log.sidecar)
        return;
    bool moved = log_progress(fold, fact, t);
    line_sentence(line, fact->u.log.line.len, &start, &rest);
    if (line_is_error(line)) {
        bool indented = start[0] == ' ' || start[0] == '\t'; /* the code that a traceback shows */
        if (pod->errors_told < ERRORS_TOLD_MAX && !indented && !line_is_wrapper(line)) {
            pod->errors_told++;
            pod_happened(fold, t, HAPPENED_LOG, 'x', "%s%.*s", fact->u.log.previous ? "previous run: " : "", (int)rest,
                         start);
        }
    } else if (moved) {
        pod_happened(fold, t, HAPPENED_LOG, ' ', "%.*s", (int)rest, start);
    }
    pod_restage(fold, false);
}
