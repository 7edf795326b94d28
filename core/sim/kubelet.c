/* Rules by number are those of facts/kube.md. */
#include "sim/kubelet.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

enum {
    EVENT_BURST = 25,            /* 2.2: what the recorder lets through at once ... */
    EVENT_REFILL_SECONDS = 300,  /* ... and then one each five minutes */
    BACK_OFF_FIRST_SECONDS = 10, /* 1.3 */
    BACK_OFF_MOST_SECONDS = 300,
    BACK_OFF_SAID_SECONDS = 15, /* how often the kubelet says that it still waits */
    SYNC_MS = 900               /* what passes between an exit and what the kubelet does about it */
};

static int64_t seconds(int64_t count)
{
    return count * SECOND_US;
}

/* Kubernetes tells moments in whole seconds. */
static int64_t whole(int64_t t)
{
    const int64_t rest = t % SECOND_US;

    return t - (rest < 0 ? rest + SECOND_US : rest);
}

/* ---- events ---- */

static bool token_take(struct kubelet *kubelet, int64_t t, bool warning)
{
    const double more = (double)(t - kubelet->tokens_at) / (double)seconds(EVENT_REFILL_SECONDS);

    kubelet->tokens_at = t;
    for (int i = 0; i < 2; i++) {
        kubelet->tokens[i] += more;
        if (kubelet->tokens[i] > EVENT_BURST)
            kubelet->tokens[i] = EVENT_BURST;
    }
    if (kubelet->tokens[warning] < 1)
        return false;
    kubelet->tokens[warning] -= 1;
    return true;
}

static struct kubelet_event *event_slot(struct kubelet *kubelet, const char *reason, const struct text *message)
{
    for (uint32_t i = 0; i < KUBELET_EVENTS_MAX; i++) {
        struct kubelet_event *event = &kubelet->events[i];

        if (event->count > 0 && strcmp(event->reason, reason) == 0 && text_equal(&event->message, message))
            return event;
    }
    struct kubelet_event *event = &kubelet->events[kubelet->event_next++ % KUBELET_EVENTS_MAX];

    event->count = 0;
    event->reason = reason;
    event->uid = dice_roll(&kubelet->dice);
    text_copy(&event->message, message);
    return event;
}

/* The same words again are the same event, counted up; the recorder holds back what is too much while the count goes on (2.2). Takes `message`. */
static void event_record(struct kubelet *kubelet, int64_t t, bool warning, bool of_container, const char *reason,
                         struct text *message)
{
    struct kubelet_event *event = event_slot(kubelet, reason, message);

    text_free(message);
    event->warning = warning;
    event->of_container = of_container;
    event->last = whole(t);
    if (event->count++ == 0)
        event->first = event->last;
    if (token_take(kubelet, t, warning))
        kubelet->hands->event(kubelet->user, event);
}

#define EVENT(kubelet, t, warning, of_container, reason, ...)                                                          \
    do {                                                                                                               \
        struct text message_ = {0};                                                                                    \
        text_printf(&message_, TEXT_LINE, __VA_ARGS__);                                                                \
        event_record(kubelet, t, warning, of_container, reason, &message_);                                            \
    } while (0)

void kubelet_say(struct kubelet *kubelet, int64_t t, bool warning, const char *reason, const char *message)
{
    EVENT(kubelet, t, warning, false, reason, "%s", message);
}

/* ---- what a probe comes to ---- */

static int64_t timeout_words(const struct probe_spec *spec, const char *url, struct text *words)
{
    text_printf(words, TEXT_LINE,
                "Get \"%s\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)", url);
    return seconds(spec->timeout);
}

/* An answer with a status, as the kubelet's client sees it (1.6). */
static void judge_status(const char *url, const struct answer *answer, enum outcome *outcome, struct text *words)
{
    const bool redirect = answer->status >= 300 && answer->status < 400;

    if (redirect && strstr(answer->headers, "Location: /") != NULL) {
        *outcome = OUTCOME_FAIL;
        text_printf(words, TEXT_LINE, "Get \"%s\": stopped after 10 redirects", url);
    } else if (redirect) {
        *outcome = OUTCOME_WARN;
        text_set_str(words, "Probe terminated redirects, Response body: ", TEXT_LINE);
    } else if (answer->status >= 200 && answer->status < 400) {
        *outcome = OUTCOME_OK;
    } else {
        *outcome = OUTCOME_FAIL;
        text_printf(words, TEXT_LINE, "HTTP probe failed with statuscode: %d", (int)answer->status);
    }
}

/* Servers that misbehave. Returns how long it takes. */
static int64_t judge_manner(const struct probe_spec *spec, const char *url, const char *peer,
                            const struct answer *answer, enum outcome *outcome, struct text *words)
{
    *outcome = OUTCOME_FAIL;
    switch (answer->manner) {
    case MANNER_RESET:
        text_printf(words, TEXT_LINE, "Get \"%s\": read tcp 10.244.3.1:51824->%s: read: connection reset by peer", url,
                    peer);
        break;
    case MANNER_CLOSE:
        text_printf(words, TEXT_LINE, "Get \"%s\": EOF", url);
        break;
    case MANNER_GARBAGE:
        text_printf(words, TEXT_LINE,
                    "Get \"%s\": net/http: HTTP/1.x transport connection broken: malformed HTTP response", url);
        break;
    case MANNER_ENDLESS_HEADERS:
    case MANNER_ENDLESS_HEADER:
        text_printf(
            words, TEXT_LINE,
            "Get \"%s\": net/http: HTTP/1.x transport connection broken: net/http: server response headers exceeded "
            "10485760 bytes; aborted",
            url);
        break;
    case MANNER_SHORT_BODY:
    case MANNER_LONG_LENGTH:
        *outcome = OUTCOME_ERRORED; /* 1.2.10: the headers came, the body broke off */
        text_set_str(words, "unexpected EOF", TEXT_LINE);
        break;
    case MANNER_HALF:
        *outcome = OUTCOME_ERRORED;
        text_set_str(words, "context deadline exceeded (Client.Timeout or context cancellation while reading body)",
                     TEXT_LINE);
        return seconds(spec->timeout);
    case MANNER_ENDLESS_BODY: /* 10 KiB are enough for the kubelet */
        judge_status(url, answer, outcome, words);
        break;
    case MANNER_BARE:
    case MANNER_ANSWER:
    case MANNER_HANG:
    case MANNER_DRIP:
    default:
        return timeout_words(spec, url, words);
    }
    return answer->delay_us;
}

int64_t kubelet_judge(const struct probe_spec *spec, const char *host, bool listens, const struct answer *answer,
                      enum outcome *outcome, struct text *words)
{
    struct text url = {0}, peer = {0};
    int64_t took = 300;

    text_printf(&peer, TEXT_LINE, "%s:%d", host, (int)spec->port);
    text_printf(&url, TEXT_LINE, "http://%s%s", text_str(&peer), spec->path == NULL ? "/" : spec->path);
    text_free(words);
    if (!listens) {
        *outcome = OUTCOME_FAIL;
        text_printf(words, TEXT_LINE, "Get \"%s\": dial tcp %s: connect: connection refused", text_str(&url),
                    text_str(&peer));
    } else if (answer->delay_us >= seconds(spec->timeout)) {
        *outcome = OUTCOME_FAIL;
        took = timeout_words(spec, text_str(&url), words);
    } else if (answer->manner == MANNER_ANSWER || answer->manner == MANNER_BARE) {
        judge_status(text_str(&url), answer, outcome, words);
        took = answer->delay_us;
    } else {
        took = judge_manner(spec, text_str(&url), text_str(&peer), answer, outcome, words);
    }
    text_free(&url);
    text_free(&peer);
    return took;
}

/* ---- the status ---- */

static void condition_set(struct condition *condition, bool status, int64_t t, const char *reason, const char *message)
{
    const enum tri now = status ? TRI_TRUE : TRI_FALSE;

    if (condition->status != now) {
        condition->status = now;
        condition->since = whole(t);
    }
    text_set_str(&condition->reason, reason, TEXT_NAME);
    text_set_str(&condition->message, message, TEXT_LINE);
}

static void ready_set(struct kubelet *kubelet, bool ready, int64_t t)
{
    struct pod_facts *facts = &kubelet->facts;
    struct text message = {0};

    facts->serving.ready = ready ? TRI_TRUE : TRI_FALSE;
    if (!ready)
        text_printf(&message, TEXT_LINE, "containers with unready status: [%s]", text_str(&facts->serving.name));
    condition_set(&facts->containers_ready, ready, t, ready ? "" : "ContainersNotReady", text_str(&message));
    condition_set(&facts->ready, ready, t, ready ? "" : "ContainersNotReady", text_str(&message));
    text_free(&message);
}

static void changed(struct kubelet *kubelet)
{
    kubelet->hands->changed(kubelet->user);
}

static void container_id_set(struct kubelet *kubelet, struct container_facts *container)
{
    text_printf(&container->container_id, TEXT_NAME,
                "containerd://%016" PRIx64 "%016" PRIx64 "%016" PRIx64 "%016" PRIx64, dice_roll(&kubelet->dice),
                dice_roll(&kubelet->dice), dice_roll(&kubelet->dice), dice_roll(&kubelet->dice));
}

static void container_waits(struct container_facts *container, const char *reason, const char *message)
{
    container->state = CONTAINER_WAITING;
    text_set_str(&container->reason, reason, TEXT_NAME);
    text_set_str(&container->message, message, TEXT_LINE);
}

static void container_runs(struct container_facts *container, int64_t since)
{
    container->state = CONTAINER_RUNNING;
    text_free(&container->reason);
    text_free(&container->message);
    container->started_at = whole(since);
    container->started_at_known = true;
}

/* ---- the probe workers ---- */

static const struct probe_spec *spec_of(const struct kubelet *kubelet, const struct kubelet_lane *lane)
{
    return &kubelet->facts.probes[lane->prober.lane];
}

/* The first tick after t: phase + n * period (1.1). */
static int64_t tick_after(const struct kubelet *kubelet, const struct kubelet_lane *lane, int64_t t)
{
    const int64_t period = seconds(spec_of(kubelet, lane)->period);
    const int64_t since = t - lane->phase;

    return since < 0 ? lane->phase : lane->phase + (since / period + 1) * period;
}

static void lane_wake(struct kubelet *kubelet, struct kubelet_lane *lane, int64_t t)
{
    if (lane->next == INT64_MAX && spec_of(kubelet, lane)->action != PROBE_NONE)
        lane->next = tick_after(kubelet, lane, t);
}

static void lane_send(struct kubelet *kubelet, struct kubelet_lane *lane, int64_t t)
{
    const struct probe_spec *spec = spec_of(kubelet, lane);
    struct answer answer = {.manner = MANNER_HANG};
    const bool listens = kubelet->hands->look(kubelet->user, spec, t, &answer, &lane->steady);

    lane->ends =
        t + kubelet_judge(spec, text_str(&kubelet->facts.pod_ip), listens, &answer, &lane->outcome, &lane->words);
}

static void lane_tick(struct kubelet *kubelet, struct kubelet_lane *lane, int64_t t)
{
    if (lane->ends >= 0) { /* 1.1: the tick that is missed fires as soon as the probe ends, further ones are dropped */
        lane->next = lane->ends;
        return;
    }
    const struct container_view view = container_view_of(&kubelet->facts, false);

    (void)prober_observe(&lane->prober, &view);
    lane->next = tick_after(kubelet, lane, t);
    switch (prober_gate(&lane->prober, &view, t)) {
    case GATE_SEND:
        lane_send(kubelet, lane, t);
        break;
    case GATE_INITIAL_DELAY:
        break;
    default:
        lane->next = INT64_MAX; /* nothing can be asked until the container changes, which wakes it */
        break;
    }
}

static const char *lane_title(enum lane_kind lane)
{
    static const char *const titles[] = {"Startup", "Liveness", "Readiness"};

    return titles[lane];
}

/* What the kubelet says of a probe (1.8). */
static void lane_event(struct kubelet *kubelet, const struct kubelet_lane *lane, int64_t t)
{
    const char *title = lane_title(lane->prober.lane);

    switch (lane->outcome) {
    case OUTCOME_FAIL:
        EVENT(kubelet, t, true, true, "Unhealthy", "%s probe failed: %s", title, text_str(&lane->words));
        break;
    case OUTCOME_ERRORED:
        EVENT(kubelet, t, true, true, "Unhealthy", "%s probe errored and resulted in failure state: %s", title,
              text_str(&lane->words));
        break;
    case OUTCOME_WARN:
        EVENT(kubelet, t, true, true, "ProbeWarning", "%s probe warning: %s", title, text_str(&lane->words));
        break;
    default:
        break;
    }
}

/* A result was stored that is another than before: started, ready, not ready. */
static void lane_changed(struct kubelet *kubelet, const struct kubelet_lane *lane, int64_t t)
{
    struct kubelet_lane *readiness = &kubelet->lanes[LANE_READINESS];

    if (lane->prober.lane == LANE_STARTUP) {
        kubelet->facts.serving.started = TRI_TRUE;
        lane_wake(kubelet, &kubelet->lanes[LANE_LIVENESS], t);
        if (spec_of(kubelet, readiness)->action == PROBE_NONE) {
            ready_set(kubelet, true, t);
        } else { /* 1.1: asked at once, and its ticks counted from there */
            readiness->phase = t;
            readiness->next = t;
        }
    } else if (lane->prober.lane == LANE_READINESS) {
        ready_set(kubelet, lane->prober.stored == VERDICT_SUCCESS, t);
    } else {
        return; /* liveness back at success changes no status */
    }
    changed(kubelet);
}

static void lane_end(struct kubelet *kubelet, struct kubelet_lane *lane, int64_t t)
{
    const enum prober_step step = prober_result(&lane->prober, lane->outcome);

    lane->ends = -1;
    if (step == PROBER_RETRY) {
        lane_send(kubelet, lane, t);
        return;
    }
    lane_event(kubelet, lane, t);
    if (step == PROBER_CHANGED) {
        lane_changed(kubelet, lane, t);
    } else if (step == PROBER_KILL && !kubelet->killing) {
        kubelet->killing = true;
        EVENT(kubelet, t, false, true, "Killing", "Container %s failed %s probe, will be restarted",
              text_str(&kubelet->facts.serving.name), lane_name(lane->prober.lane));
        kubelet->hands->kill(kubelet->user, t);
    }
    /* Asking on would change nothing as long as the servers answer the same: a thousand calm pods cost nothing. */
    if (lane->steady && lane->outcome == OUTCOME_OK && lane->prober.stored == VERDICT_SUCCESS)
        lane->next = INT64_MAX;
}

/* ---- a pod's way ---- */

void kubelet_init(struct kubelet *kubelet, struct pod_facts *facts, const struct kubelet_hands *hands, void *user,
                  uint64_t seed)
{
    *kubelet = (struct kubelet){
        .facts = *facts, .hands = hands, .user = user, .dice = {seed}, .restart_due = -1, .waits_due = -1};
    *facts = (struct pod_facts){0};
    kubelet->facts.kubelet = true;
    kubelet->tokens[0] = kubelet->tokens[1] = EVENT_BURST;
    for (enum lane_kind lane = LANE_STARTUP; lane <= LANE_READINESS; lane++) {
        prober_init(&kubelet->lanes[lane].prober, lane, &kubelet->facts.probes[lane]);
        kubelet->lanes[lane].next = INT64_MAX;
        kubelet->lanes[lane].ends = -1;
    }
}

void kubelet_free(struct kubelet *kubelet)
{
    pod_facts_free(&kubelet->facts);
    for (enum lane_kind lane = LANE_STARTUP; lane <= LANE_READINESS; lane++)
        text_free(&kubelet->lanes[lane].words);
    for (uint32_t i = 0; i < KUBELET_EVENTS_MAX; i++)
        text_free(&kubelet->events[i].message);
}

void kubelet_created(struct kubelet *kubelet, int64_t t)
{
    kubelet->facts.phase = PHASE_PENDING;
    kubelet->facts.created_at = whole(t);
    kubelet->tokens_at = t;
    changed(kubelet);
}

void kubelet_unschedulable(struct kubelet *kubelet, int64_t t)
{
    static const char message[] = "0/12 nodes are available: 12 Insufficient nvidia.com/gpu. preemption: 0/12 nodes "
                                  "are available: 12 No preemption "
                                  "victims found for incoming pod.";

    condition_set(&kubelet->facts.scheduled, false, t, "Unschedulable", message);
    EVENT(kubelet, t, true, false, "FailedScheduling", "%s", message);
    changed(kubelet);
}

void kubelet_scheduled(struct kubelet *kubelet, int64_t t)
{
    struct pod_facts *facts = &kubelet->facts;

    condition_set(&facts->scheduled, true, t, "", "");
    condition_set(&facts->initialized, !facts->sidecar.exists, t,
                  facts->sidecar.exists ? "ContainersNotInitialized" : "", "");
    container_waits(&facts->serving, facts->sidecar.exists ? "PodInitializing" : "ContainerCreating", "");
    if (facts->sidecar.exists)
        container_waits(&facts->sidecar, "PodInitializing", "");
    ready_set(kubelet, false, t);
    for (enum lane_kind lane = LANE_STARTUP; lane <= LANE_READINESS; lane++)
        kubelet->lanes[lane].phase = t + dice_between(&kubelet->dice, 0, SECOND_US - 1); /* 1.1: from admission */
    EVENT(kubelet, t, false, false, "Scheduled", "Successfully assigned %s/%s to %s", text_str(&facts->ns),
          text_str(&facts->name), text_str(&facts->node));
    changed(kubelet);
}

void kubelet_pulling(struct kubelet *kubelet, int64_t t)
{
    EVENT(kubelet, t, false, true, "Pulling", "Pulling image \"%s\"", text_str(&kubelet->facts.serving.image));
}

void kubelet_pulled(struct kubelet *kubelet, int64_t t, int64_t took)
{
    struct pod_facts *facts = &kubelet->facts;
    const char *image = text_str(&facts->serving.image);
    const int64_t tenths = took / (100 * MILLISECOND_US);

    if (facts->sidecar.exists) {
        container_id_set(kubelet, &facts->sidecar);
        container_runs(&facts->sidecar, t);
        facts->sidecar.started = facts->sidecar.ready = TRI_TRUE; /* it has no probes of its own */
        condition_set(&facts->initialized, true, t, "", "");
        EVENT(kubelet, t, false, false, "Started", "Started container %s", text_str(&facts->sidecar.name));
        changed(kubelet);
    }
    if (took > 0) {
        EVENT(kubelet, t, false, true, "Pulled",
              "Successfully pulled image \"%s\" in %d.%ds (%d.%ds including waiting). Image size: 9418273511 bytes.",
              image, (int)(tenths / 10), (int)(tenths % 10), (int)(tenths / 10), (int)(tenths % 10));
    } else {
        EVENT(kubelet, t, false, true, "Pulled", "Container image \"%s\" already present on machine", image);
    }
}

/* The serving container as it is right after its process began. */
static void serving_begins(struct kubelet *kubelet, int64_t t)
{
    struct pod_facts *facts = &kubelet->facts;
    const bool at_once = facts->probes[LANE_STARTUP].action == PROBE_NONE; /* 1.2.9 */

    kubelet->killing = false;
    kubelet->restart_due = kubelet->waits_due = -1;
    facts->phase = PHASE_RUNNING;
    container_id_set(kubelet, &facts->serving);
    container_runs(&facts->serving, t);
    facts->serving.started = at_once ? TRI_TRUE : TRI_FALSE;
    ready_set(kubelet, at_once && facts->probes[LANE_READINESS].action == PROBE_NONE, t);
    for (enum lane_kind lane = LANE_STARTUP; lane <= LANE_READINESS; lane++) {
        kubelet->lanes[lane].ends = -1;
        lane_wake(kubelet, &kubelet->lanes[lane], t);
    }
}

void kubelet_start(struct kubelet *kubelet, int64_t t)
{
    struct container_facts *serving = &kubelet->facts.serving;

    if (!text_empty(&serving->container_id)) {
        serving->restart_count++;
        EVENT(kubelet, t, false, true, "Pulled", "Container image \"%s\" already present on machine",
              text_str(&serving->image));
    }
    serving_begins(kubelet, t);
    EVENT(kubelet, t, false, true, "Created", "Created container: %s", text_str(&serving->name));
    EVENT(kubelet, t, false, true, "Started", "Started container %s", text_str(&serving->name));
    changed(kubelet);
}

void kubelet_adopt(struct kubelet *kubelet, int64_t t, int64_t age)
{
    struct pod_facts *facts = &kubelet->facts;
    const int64_t began = t - age;

    facts->created_at = whole(began - seconds(70));
    kubelet->tokens_at = t;
    condition_set(&facts->scheduled, true, facts->created_at, "", "");
    condition_set(&facts->initialized, true, facts->created_at, "", "");
    if (facts->sidecar.exists) {
        container_id_set(kubelet, &facts->sidecar);
        container_runs(&facts->sidecar, began - seconds(2));
        facts->sidecar.started = facts->sidecar.ready = TRI_TRUE;
    }
    serving_begins(kubelet, began);
    facts->serving.started = TRI_TRUE;
    ready_set(kubelet, true, began + seconds(320));
    const struct container_view view = container_view_of(facts, false);

    for (enum lane_kind lane = LANE_STARTUP; lane <= LANE_READINESS; lane++) {
        struct kubelet_lane *each = &kubelet->lanes[lane];

        (void)prober_observe(&each->prober, &view);
        (void)prober_result(&each->prober, OUTCOME_OK);
        if (each->next != INT64_MAX) {
            each->phase = t + dice_between(&kubelet->dice, 0, seconds(spec_of(kubelet, each)->period) - 1);
            each->next = each->phase;
        }
    }
    changed(kubelet);
}

/* When the container may run again: at once after a probe's kill or a first crash, later when it crashed before (1.3). */
static void restart_plan(struct kubelet *kubelet, int64_t t)
{
    const bool forgotten = t - kubelet->backed_at > seconds(2 * BACK_OFF_MOST_SECONDS);
    int64_t wait = 0;

    if (kubelet->back_off == 0 || forgotten) {
        kubelet->back_off = seconds(BACK_OFF_FIRST_SECONDS);
    } else if (!kubelet->killing) {
        wait = kubelet->back_off;
        kubelet->back_off *= 2;
        if (kubelet->back_off > seconds(BACK_OFF_MOST_SECONDS))
            kubelet->back_off = seconds(BACK_OFF_MOST_SECONDS);
        kubelet->waits_due = t + SYNC_MS * MILLISECOND_US;
    }
    kubelet->waits = wait;
    kubelet->restart_due = t + wait + SYNC_MS * MILLISECOND_US;
    kubelet->backed_at = kubelet->restart_due;
}

void kubelet_exit(struct kubelet *kubelet, int64_t t, int32_t exit_code, const char *reason)
{
    struct container_facts *serving = &kubelet->facts.serving;

    serving->state = CONTAINER_TERMINATED;
    text_set_str(&serving->reason, reason, TEXT_NAME);
    text_free(&serving->message);
    serving->last.known = true;
    serving->last.exit_code = exit_code;
    text_set_str(&serving->last.reason, reason, TEXT_NAME);
    serving->last.started_at = serving->started_at;
    serving->last.finished_at = whole(t);
    serving->started = TRI_FALSE;
    ready_set(kubelet, false, t);
    for (enum lane_kind lane = LANE_STARTUP; lane <= LANE_READINESS; lane++)
        kubelet->lanes[lane].ends = -1;
    if (!kubelet->killing) /* after its own kill the kubelet tells of the next container only, all in one */
        changed(kubelet);
    restart_plan(kubelet, t);
}

/* CrashLoopBackOff: said when it begins, and again while it lasts. */
static void back_off_tell(struct kubelet *kubelet, int64_t t)
{
    struct pod_facts *facts = &kubelet->facts;
    struct text place = {0}, message = {0};

    text_printf(&place, TEXT_LINE, "%s_%s(%s)", text_str(&facts->name), text_str(&facts->ns), text_str(&facts->uid));
    EVENT(kubelet, t, true, true, "BackOff", "Back-off restarting failed container %s in pod %s",
          text_str(&facts->serving.name), text_str(&place));
    if (facts->serving.state != CONTAINER_WAITING) {
        text_printf(&message, TEXT_LINE, "back-off %ds restarting failed container=%s pod=%s",
                    (int)(kubelet->waits / SECOND_US), text_str(&facts->serving.name), text_str(&place));
        container_waits(&facts->serving, "CrashLoopBackOff", text_str(&message));
        changed(kubelet);
    }
    kubelet->waits_due = t + seconds(BACK_OFF_SAID_SECONDS);
    text_free(&place);
    text_free(&message);
}

/* ---- what is due ---- */

static int64_t sooner(int64_t a, int64_t b)
{
    return b >= 0 && b < a ? b : a;
}

int64_t kubelet_next(const struct kubelet *kubelet)
{
    int64_t next = sooner(sooner(INT64_MAX, kubelet->restart_due), kubelet->waits_due);

    for (enum lane_kind lane = LANE_STARTUP; lane <= LANE_READINESS; lane++)
        next = sooner(sooner(next, kubelet->lanes[lane].next), kubelet->lanes[lane].ends);
    return next;
}

/* Does one thing that is due at exactly t. */
static void run_one(struct kubelet *kubelet, int64_t t)
{
    if (kubelet->restart_due == t) { /* before waits_due: a back-off that is over is not told any more */
        kubelet->restart_due = kubelet->waits_due = -1;
        kubelet->hands->start(kubelet->user, t);
        return;
    }
    if (kubelet->waits_due == t) {
        back_off_tell(kubelet, t);
        return;
    }
    for (enum lane_kind lane = LANE_STARTUP; lane <= LANE_READINESS; lane++) {
        struct kubelet_lane *each = &kubelet->lanes[lane];

        if (each->ends == t) {
            lane_end(kubelet, each, t);
            return;
        }
        if (each->next == t) {
            lane_tick(kubelet, each, t);
            return;
        }
    }
}

void kubelet_run(struct kubelet *kubelet, int64_t now)
{
    for (int64_t t = kubelet_next(kubelet); t <= now; t = kubelet_next(kubelet))
        run_one(kubelet, t);
}

void kubelet_wake(struct kubelet *kubelet, int64_t now)
{
    for (enum lane_kind lane = LANE_STARTUP; lane <= LANE_READINESS; lane++) {
        kubelet->lanes[lane].steady = false;
        lane_wake(kubelet, &kubelet->lanes[lane], now);
    }
}
