/* Where the kubelet's word and what we see differ, and why that may be. A port-forward dials localhost inside of the pod, the kubelet the pod's address (facts/kube.md 3.1). Events are merged, counted up and held
 * back, so they tell what the kubelet saw and when it last did, never how often in a row (facts/kube.md 2.2); started and ready in the pod's status are its verdicts. */
#include "model/hints_live.h"

#include <stdio.h>
#include <string.h>

/* What the kubelet's own probe came to, by the words of its Unhealthy events (facts/kube.md 1.8). */
enum word { WORD_OTHER, WORD_REFUSED, WORD_NO_CONNECTION, WORD_TIMEOUT, WORD_STATUS, WORD_CLOSED };

static const struct pod_event *newest_event(const struct pod *pod, enum lane_kind kind, int64_t from)
{
    static const char *const begins[] = {
        [LANE_STARTUP] = "Startup probe ", [LANE_LIVENESS] = "Liveness probe ", [LANE_READINESS] = "Readiness probe "};
    for (uint32_t i = pod->event_count; i-- > 0;) {
        const struct pod_event *event = &pod->events[i];
        if (text_is(&event->reason, "Unhealthy") && event->last >= from &&
            text_equal(&event->container, &pod->facts.serving.name) &&
            strncmp(text_str(&event->message), begins[kind], strlen(begins[kind])) == 0)
            return event;
    }
    return NULL;
}

static enum word event_word(const struct pod_event *event)
{
    static const struct {
        const char *words;
        enum word word;
    } rows[] = {
        {"connection refused", WORD_REFUSED},
        {"i/o timeout", WORD_NO_CONNECTION},
        {"while waiting for connection", WORD_NO_CONNECTION},
        {"no route to host", WORD_NO_CONNECTION},
        {"deadline exceeded", WORD_TIMEOUT},
        {"Client.Timeout", WORD_TIMEOUT},
        {"statuscode: ", WORD_STATUS},
        {"EOF", WORD_CLOSED},
        {"reset by peer", WORD_CLOSED},
    };
    for (size_t i = 0; event && i < sizeof rows / sizeof rows[0]; i++)
        if (strstr(text_str(&event->message), rows[i].words))
            return rows[i].word;
    return WORD_OTHER;
}

/* ---- when it is a difference, and not just that one of us was first ---- */

/* By then the kubelet has asked too, and acted on what it got: two of its ticks, one answer, and a status that comes late. */
static int64_t settled_after(const struct probe_spec *spec, int32_t ticks)
{
    enum { LATE_SECONDS = 5 };
    return ((int64_t)spec->period * (ticks + 1) + spec->timeout + LATE_SECONDS) * SECOND_US;
}

static bool is_quoted(const struct hint *hint, const struct text *message)
{
    for (uint32_t i = 0; hint && i < hint->evidence_count; i++)
        if (strstr(text_str(&hint->evidence[i].words), text_str(message)))
            return true;
    return false;
}

void live_kubelet(struct hint *hint, const struct pod *pod, enum lane_kind kind)
{
    const struct pod_event *event = kind <= LANE_READINESS ? newest_event(pod, kind, pod->run_began) : NULL;
    if (event && !is_quoted(hint, &event->message) &&
        event->last >= pod->lanes[kind].streak_since - settled_after(&pod->facts.probes[kind], 0))
        hint_evidence(hint, EVIDENCE_KUBELET, 0, event->last, "%s", text_str(&event->message));
}

/* The lane that tells whether a probe of ours is answered now: its own, or of a startup probe that has succeeded, and so is not asked again, a witness of the same port. */
static const struct lane *lane_asked(const struct pod *pod, enum lane_kind kind)
{
    bool is_over = kind == LANE_STARTUP && pod->lanes[kind].prober.stored == VERDICT_SUCCESS;
    for (enum lane_kind witness = LANE_HEALTH; is_over && witness <= LANE_MODELS; witness++)
        if (pod->lanes[witness].present && pod->facts.probes[witness].port == pod->facts.probes[kind].port)
            return &pod->lanes[witness];
    return &pod->lanes[kind];
}

/* Our probes are answered well, and have been for so long that the kubelet's should be. */
static bool ours_is_well(const struct hint_maker *maker, enum lane_kind kind)
{
    const struct lane *lane = &maker->pod->lanes[kind], *asked = lane_asked(maker->pod, kind);
    int64_t settled = settled_after(&maker->pod->facts.probes[kind], 1);
    return lane->present && !lane->streak_failing && asked->streak >= 2 && !asked->streak_failing &&
           maker->now - lane->streak_since > settled && maker->now - asked->streak_since > settled &&
           maker->now - asked->last_at < settled;
}

/* The kubelet's verdict on this lane is failure, by its own status. */
static bool kubelet_says_no(const struct pod *pod, enum lane_kind kind)
{
    const struct container_facts *serving = &pod->facts.serving;
    if (kind == LANE_STARTUP)
        return serving->started == TRI_FALSE;
    return kind == LANE_READINESS && serving->started == TRI_TRUE && serving->ready == TRI_FALSE;
}

/* An event of a failed probe from well within the time in which ours were answered. */
static bool event_is_within(const struct hint_maker *maker, const struct pod_event *event, enum lane_kind kind,
                            int64_t fresh)
{
    const struct lane *lane = &maker->pod->lanes[kind];
    return event && event->last > lane->streak_since + settled_after(&maker->pod->facts.probes[kind], 1) &&
           maker->now - event->last < fresh;
}

bool live_kubelet_differs(const struct hint_maker *maker, enum lane_kind kind)
{
    enum { GRACE_SECONDS = 60 };
    const struct pod *pod = maker->pod;
    const struct lane *lane = &pod->lanes[kind];
    const struct probe_spec *spec = &pod->facts.probes[kind];
    const struct pod_event *event = newest_event(pod, kind, pod->run_began);
    int64_t grace = kind == LANE_LIVENESS ? GRACE_SECONDS * (int64_t)SECOND_US : 0; /* a killed container lives on */
    return pod->facts.kubelet && pod->facts.serving.ready == TRI_TRUE && lane->present && lane->streak_failing &&
           lane->streak >= spec->failure_threshold && (!event || event->last < lane->streak_since) &&
           maker->now - lane->streak_since > settled_after(spec, spec->failure_threshold) + grace;
}

bool live_kubelet_vouches(const struct hint_maker *maker)
{
    return live_kubelet_differs(maker, LANE_READINESS) || live_kubelet_differs(maker, LANE_LIVENESS);
}

/* ---- what may be behind it ---- */

static bool via_loopback(const struct pod *pod)
{
    return text_is(&pod->facts.via, "portforward") || text_is(&pod->facts.via, "kubectl");
}

/* The server's own word that it listens on loopback only. */
static const struct log_line *loopback_line(const struct pod *pod)
{
    static const char *const hosts[] = {
        "http://127.0.0.1:", "http://localhost:", "https://127.0.0.1:", "http://[::1]:"};
    for (uint32_t back = 0; back < pod->log_count; back++) {
        const struct log_line *line = pod_log(pod, back);
        const char *words = text_str(&line->line);
        bool listens = strstr(words, "running on ") || strstr(words, "API server");
        for (size_t i = 0; listens && line->run == pod->run && !line->sidecar && i < sizeof hosts / sizeof hosts[0];
             i++)
            if (strstr(words, hosts[i]))
                return line;
    }
    return NULL;
}

static void evidence_of_ours(const struct hint_maker *maker, struct hint *hint, enum lane_kind kind)
{
    const struct lane *lane = &maker->pod->lanes[kind];
    char age[LIVE_AGE_SIZE], took[LIVE_AGE_SIZE];
    struct text target = {0};
    probe_spec_describe(&maker->pod->facts.probes[kind], &target);
    hint_evidence(hint, EVIDENCE_PROBES, 0, lane->last_at, "%s %s is answered for %s, in %s, through %s",
                  lane_name(kind), text_str(&target), live_age(maker, lane->streak_since, age),
                  clock_latency(lane->last.total, took, sizeof took), text_str(&maker->pod->facts.via));
    text_free(&target);
}

static void evidence_of_kubelet(struct hint *hint, const struct pod *pod, enum lane_kind kind)
{
    const struct pod_event *event = newest_event(pod, kind, pod->run_began);
    if (kubelet_says_no(pod, kind)) {
        hint_evidence(hint, EVIDENCE_KUBELET, 0,
                      kind == LANE_READINESS && pod->facts.ready.since ? pod->facts.ready.since : INT64_MIN,
                      "the kubelet says %s", kind == LANE_STARTUP ? "not started" : "NotReady");
        /* After 25 events of a pod there is one in five minutes (facts/kube.md 2.2): an old word is its newest, and says how old it is. */
        if (event && !is_quoted(hint, &event->message))
            hint_evidence(hint, EVIDENCE_KUBELET, 0, event->last, "%s", text_str(&event->message));
    }
    live_kubelet(hint, pod, kind);
}

/* The kubelet's connection is refused where a forward's is taken: only loopback is listened on. */
static void refused_outside(struct hint_maker *maker, enum lane_kind kind)
{
    const struct pod *pod = maker->pod;
    int port = (int)pod->facts.probes[kind].port;
    const struct log_line *line = loopback_line(pod);
    bool loopback = via_loopback(pod);
    live_doubt(maker, CAUSE_WRONG_PORT);
    struct hint *hint = hint_add(maker, CAUSE_PROBE_BLOCKED,
                                 line       ? CONFIDENCE_CERTAIN
                                 : loopback ? CONFIDENCE_LIKELY
                                            : CONFIDENCE_POSSIBLE,
                                 WEIGHT_LIVE);
    if (loopback)
        hint_title(hint, TITLE_LIVE + WEIGHT_LIVE,
                   "port %d refuses the kubelet and answers us: the server listens on loopback only%s", port,
                   line ? "" : "?");
    evidence_of_kubelet(hint, pod, kind);
    evidence_of_ours(maker, hint, kind);
    if (line) {
        const char *start;
        size_t rest;
        line_sentence(text_str(&line->line), line->line.len, &start, &rest);
        hint_evidence(hint, EVIDENCE_LOGS, 0, line->t, "%.*s", (int)rest, start);
    }
    if (loopback)
        hint_fix(hint, "Start vLLM with --host 0.0.0.0: a forward reaches 127.0.0.1 in the pod, the kubelet asks the "
                       "pod's address.");
    hint_command(maker, hint, "{kubectl} exec {pod} -c {container} -- sh -c 'ss -ltn || cat /proc/net/tcp'");
    live_look_at_probe(maker, hint, kind);
}

/* Connections of the node's get nowhere, ours are made at once. */
static void kept_out(struct hint_maker *maker, enum lane_kind kind, enum confidence confidence, const char *what)
{
    enum word word = event_word(newest_event(maker->pod, kind, maker->pod->run_began));
    bool may_be_loopback = via_loopback(maker->pod) && (word == WORD_OTHER || word == WORD_REFUSED);
    struct hint *hint = hint_add(maker, CAUSE_PROBE_BLOCKED, confidence, WEIGHT_KUBELET);
    live_doubt(maker, CAUSE_PROBE_TIMEOUT);
    live_doubt(maker, CAUSE_WRONG_PORT);
    hint_title(hint, TITLE_LIVE + WEIGHT_KUBELET,
               "the kubelet's %s probe %s, ours is answered: %sNetworkPolicy, mesh or firewall?", lane_name(kind), what,
               may_be_loopback ? "loopback only, " : "");
    evidence_of_kubelet(hint, maker->pod, kind);
    evidence_of_ours(maker, hint, kind);
    hint_command(maker, hint, "{kubectl} get networkpolicies");
    live_look_at_probe(maker, hint, kind);
}

static bool is_quick(const struct pod *pod, enum lane_kind kind)
{
    int64_t slow = history_percentile(&pod->lanes[kind].history, 99);
    return slow >= 0 && slow < (int64_t)pod->facts.probes[kind].timeout * SECOND_US / 2;
}

/* It times out after timeoutSeconds. Where answers take most of that, so it is; else its connections get nowhere: it says the same of both. */
static void times_out(struct hint_maker *maker, enum lane_kind kind, bool says_no)
{
    const struct pod *pod = maker->pod;
    int64_t slow = history_percentile(&pod->lanes[kind].history, 99);
    char p99[LIVE_AGE_SIZE];
    if (is_quick(pod, kind)) {
        if (says_no)
            kept_out(maker, kind, CONFIDENCE_LIKELY, "times out");
        return;
    }
    struct hint *hint = hint_add(maker, CAUSE_PROBE_TIMEOUT, CONFIDENCE_LIKELY, WEIGHT_LIVE);
    hint_title(hint, TITLE_LIVE + WEIGHT_KUBELET,
               "the kubelet's %s probe times out after %d s, and answers take up to %s", lane_name(kind),
               (int)pod->facts.probes[kind].timeout, clock_latency(slow, p99, sizeof p99));
    evidence_of_kubelet(hint, pod, kind);
    hint_evidence(hint, EVIDENCE_PROBES, 0, pod->lanes[kind].last_at, "we measured a p99 of %s; timeoutSeconds is %d",
                  p99, (int)pod->facts.probes[kind].timeout);
    live_ask(maker, hint, kind);
}

static void rule_kubelet_fails(struct hint_maker *maker, enum lane_kind kind)
{
    const struct pod *pod = maker->pod;
    const struct pod_event *event = newest_event(pod, kind, pod->run_began);
    bool says_no = kubelet_says_no(pod, kind) && pod->lanes[kind].prober.stored == VERDICT_SUCCESS &&
                   maker->now - pod->stage_since > settled_after(&pod->facts.probes[kind], 1);
    int64_t fresh = (says_no ? 600 : 120) * (int64_t)SECOND_US;
    if (event_word(event) == WORD_TIMEOUT && !pod->lanes[kind].streak_failing && is_quick(pod, kind))
        live_doubt(maker, CAUSE_PROBE_TIMEOUT);
    if (!ours_is_well(maker, kind))
        return;
    /* A port that refuses it and takes a forward's connection says enough, also by a word from before we came: while its verdict is no, nothing has changed. */
    bool refused = says_no && event_word(event) == WORD_REFUSED && via_loopback(pod);
    if (!refused && !event_is_within(maker, event, kind, fresh)) {
        if (says_no)
            kept_out(maker, kind, CONFIDENCE_POSSIBLE, "fails");
        return;
    }
    switch (event_word(event)) {
    case WORD_REFUSED:
        refused_outside(maker, kind);
        break;
    case WORD_NO_CONNECTION:
        kept_out(maker, kind, says_no ? CONFIDENCE_LIKELY : CONFIDENCE_POSSIBLE, "gets no connection");
        break;
    case WORD_TIMEOUT:
        times_out(maker, kind, says_no);
        break;
    default:
        if (says_no)
            kept_out(maker, kind, CONFIDENCE_POSSIBLE, "gets another answer");
        break;
    }
}

/* ---- killed by the kubelet's word alone ---- */

/* Since when ours had been answered when the kubelet's probe ended that run; INT64_MAX: they were not. */
static int64_t answered_when_killed(const struct pod *pod)
{
    const struct history *history = &pod->lanes[pod->killed_by].history;
    int64_t since = INT64_MAX;
    for (uint32_t back = 0; back < history->count; back++) {
        const struct mark *mark = history_get(history, back);
        int64_t t = (int64_t)mark->at_ms * MILLISECOND_US;
        bool answered = mark->outcome == OUTCOME_OK || mark->outcome == OUTCOME_WARN;
        if (t < pod->killed_at - pod->killed_after || (t <= pod->killed_at && !answered))
            break;
        if (t <= pod->killed_at)
            since = t;
    }
    return since;
}

bool live_killed_apart(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    const struct probe_spec *spec = &pod->facts.probes[pod->killed_by];
    bool ended = pod->killed_run == pod->run && stage_is_broken(pod->stage);
    bool again = pod->killed_run + 1 == pod->run && maker->now - pod->killed_at < LIVE_RECENT_US;
    bool gets_in = pod->lanes[LANE_READINESS].present && pod->facts.serving.ready == TRI_TRUE;
    /* A probe of the kubelet's began after our first answer, and was over before the kill. */
    int64_t since = pod->killed_run != 0 ? answered_when_killed(pod) : INT64_MAX;
    if ((!ended && !again) || gets_in || since > pod->killed_at - (spec->period + spec->timeout) * SECOND_US)
        return false;
    const struct pod_event *event = newest_event(pod, pod->killed_by, pod->killed_at - pod->killed_after);
    bool loopback = event_word(event) == WORD_REFUSED && via_loopback(pod);
    char age[LIVE_AGE_SIZE];
    live_doubt(maker, CAUSE_PROBE_TIMEOUT);
    live_doubt(maker, CAUSE_WRONG_PORT);
    live_doubt(maker, CAUSE_STARTUP_BUDGET_EXCEEDED);
    struct hint *hint = hint_add(maker, CAUSE_PROBE_BLOCKED, CONFIDENCE_LIKELY, WEIGHT_KILLED);
    hint_title(hint, TITLE_LIVE + WEIGHT_KILLED, "the kubelet's %s probe killed it, ours was answered: %s",
               lane_name(pod->killed_by),
               loopback ? "the server listens on loopback only?" : "NetworkPolicy, mesh or firewall?");
    hint_evidence(hint, EVIDENCE_KUBELET, 0, pod->killed_at, "%s killed the container after %s",
                  lane_name(pod->killed_by), clock_age(pod->killed_after, age, sizeof age));
    if (event)
        hint_evidence(hint, EVIDENCE_KUBELET, 0, event->last, "%s", text_str(&event->message));
    hint_evidence(hint, EVIDENCE_PROBES, 0, since, "our %s had been answered for %s by then, through %s",
                  lane_name(pod->killed_by), clock_age(pod->killed_at - since, age, sizeof age),
                  text_str(&pod->facts.via));
    if (!loopback)
        hint_command(maker, hint, "{kubectl} get networkpolicies");
    live_look_at_probe(maker, hint, pod->killed_by);
    return true;
}

/* Ours fail, and have for so long that the kubelet's would have had their consequence, and it has said nothing of the kind. */
static void rule_ours_fail(struct hint_maker *maker, enum lane_kind kind)
{
    const struct pod *pod = maker->pod;
    const struct lane *lane = &pod->lanes[kind];
    char age[LIVE_AGE_SIZE];
    if (!live_kubelet_differs(maker, kind))
        return;
    struct hint *hint = hint_add(maker, CAUSE_TUNNEL, CONFIDENCE_LIKELY, WEIGHT_KUBELET);
    hint_title(hint, TITLE_LIVE + WEIGHT_KUBELET,
               "our %s probes fail for %s, the kubelet's do not: our way there, not the pod", lane_name(kind),
               live_age(maker, lane->streak_since, age));
    live_lane(hint, pod, kind);
    hint_evidence(hint, EVIDENCE_KUBELET, 0, pod->facts.ready.since ? pod->facts.ready.since : INT64_MIN,
                  "the kubelet says Ready, and no event tells of a failed %s probe", lane_name(kind));
    if (via_loopback(pod) && lane->streak_cause == PROBE_CAUSE_REFUSED)
        hint_fix(hint, "A forward asks localhost in the pod: where the server listens on the pod's address only, use "
                       "--via podproxy or --via direct.");
    else
        hint_fix(hint, "Try another way to the pod: --via podproxy, --via kubectl or --via direct.");
    live_look_at_probe(maker, hint, kind);
}

void hints_of_kubelet(struct hint_maker *maker)
{
    if (!maker->pod->facts.kubelet)
        return;
    for (enum lane_kind kind = LANE_STARTUP; kind <= LANE_READINESS; kind++) {
        rule_kubelet_fails(maker, kind);
        rule_ours_fail(maker, kind);
    }
}
