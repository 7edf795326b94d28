/* Rules over our own probes: what they came to, who answered, and how fast against what is allowed. Each looks for one thing, says how sure it is, and quotes what it saw. */
#include "model/hints_live.h"

#include <stdio.h>
#include <string.h>

/* ---- what the rules share ---- */

const char *live_age(const struct hint_maker *maker, int64_t since, char *out)
{
    /* What files give no moment of has that of the newest fact (kube/diagnosis.h). */
    if (since >= maker->now && text_is(&maker->fleet->source_name, "files")) {
        snprintf(out, LIVE_AGE_SIZE, "some time");
        return out;
    }
    return clock_age(maker->now > since ? maker->now - since : 0, out, LIVE_AGE_SIZE);
}

/* "readiness GET :8000/v1/models: connected, but no answer within timeoutSeconds; 4 in a row" */
static void lane_words(const struct pod *pod, enum lane_kind kind, struct text *out)
{
    const struct lane *lane = &pod->lanes[kind];
    char words[LIVE_WORDS_SIZE];
    struct text target = {0};
    probe_spec_describe(&pod->facts.probes[kind], &target);
    const char *sentence = lane->streak_cause == PROBE_CAUSE_STATUS
                               ? cause_words(lane->streak_cause, lane->streak_status, words, sizeof words)
                               : probe_cause_sentence(lane->streak_cause);
    text_printf(out, TEXT_LINE, "%s %s: %s; %d in a row", lane_name(kind), text_str(&target), sentence,
                (int)lane->streak);
    text_free(&target);
}

void live_lane(struct hint *hint, const struct pod *pod, enum lane_kind kind)
{
    const struct lane *lane = &pod->lanes[kind];
    struct text words = {0};
    if (!lane->present || lane->streak == 0)
        return;
    lane_words(pod, kind, &words);
    hint_evidence(hint, EVIDENCE_PROBES, 0, lane->streak_since, "%s", text_str(&words));
    text_free(&words);
}

static const enum lane_kind worst_first[] = {
    LANE_LIVENESS, LANE_READINESS,        LANE_STARTUP,           LANE_HEALTH,
    LANE_MODELS,   LANE_SIDECAR_LIVENESS, LANE_SIDECAR_READINESS, LANE_SIDECAR_STARTUP};

void live_failing(struct hint_maker *maker, struct hint *hint)
{
    for (size_t i = 0; i < sizeof worst_first / sizeof worst_first[0]; i++)
        if (pod_lane_fails(maker->pod, worst_first[i], maker->now))
            live_lane(hint, maker->pod, worst_first[i]);
}

void live_failing_why(struct hint_maker *maker)
{
    char age[LIVE_AGE_SIZE];
    struct text words = {0};
    for (size_t i = 0; maker->out->count == 0 && i < sizeof worst_first / sizeof worst_first[0]; i++) {
        enum lane_kind kind = worst_first[i];
        if (!pod_lane_fails(maker->pod, kind, maker->now))
            continue;
        lane_words(maker->pod, kind, &words);
        hints_why(maker, "%s, for %s", text_str(&words), live_age(maker, maker->pod->lanes[kind].streak_since, age));
    }
    text_free(&words);
}

/* What an error says of itself: "torch.OutOfMemoryError: CUDA out of memory ...", with or without a level before it. */
static bool line_names_error(const char *line)
{
    static const char *const marks[] = {"Error: ", "Exception: ", "error: "};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (strstr(line, marks[i]))
            return !line_is_wrapper(line);
    return false;
}

/* How good a line is as the words of a cause, 0 none: an error that names itself in a worker or engine process before one elsewhere, those before other ERROR lines
 * (corpus/README.md: the first specific error of a worker or engine is the cause, the API server's lines echo it). */
static int line_weight(const char *line)
{
    bool deep = strstr(line, "(EngineCore") || strstr(line, "(Worker") || strstr(line, "(VllmWorker");
    if (line_names_error(line))
        return deep ? 3 : 2;
    return line_is_error(line) && !line_is_wrapper(line) && !strstr(line, "  File \"") && !strstr(line, "   ") ? 1 : 0;
}

bool live_log(struct hint *hint, const struct pod *pod, uint32_t run)
{
    const struct log_line *best = NULL;
    int weight = 0;
    for (uint32_t back = 0; back < pod->log_count; back++) {
        const struct log_line *line = pod_log(pod, back);
        int this_weight = line->run == run && !line->sidecar ? line_weight(text_str(&line->line)) : 0;
        if (this_weight > 0 && this_weight >= weight) {
            best = line;
            weight = this_weight;
        }
    }
    if (!best)
        return false;
    const char *start;
    size_t rest;
    line_sentence(text_str(&best->line), best->line.len, &start, &rest);
    hint_evidence(hint, run == pod->run ? EVIDENCE_LOGS : EVIDENCE_PREVIOUS, 0, best->t, "%.*s", (int)rest, start);
    return true;
}

void live_ask(struct hint_maker *maker, struct hint *hint, enum lane_kind lane)
{
    const enum lane_kind order[] = {lane, LANE_LIVENESS, LANE_READINESS, LANE_STARTUP};
    struct text command = {0};
    bool asked = false;
    for (size_t i = 0; i < sizeof order / sizeof order[0] && !asked; i++) {
        asked = command_curl(maker->pod, order[i], &command);
        if (asked)
            hint_command(maker, hint, text_str(&command));
    }
    text_free(&command);
    hint_command(maker, hint, LOOK_AT_LOG);
}

void live_look_at_probe(struct hint_maker *maker, struct hint *hint, enum lane_kind lane)
{
    hint_command(maker, hint, LOOK_AT_POD);
    live_ask(maker, hint, lane);
}

void live_doubt(struct hint_maker *maker, enum cause cause)
{
    for (uint32_t i = 0; i < maker->out->count; i++) {
        struct hint *hint = &maker->out->list[i];
        if (hint->cause == cause) {
            hint->confidence = CONFIDENCE_POSSIBLE;
            hint->weight = 0;
        }
    }
}

bool live_is_starting(const struct pod *pod)
{
    bool logged = pod->progress.furthest > SUBSTAGE_NONE && pod->progress.furthest < SUBSTAGE_LISTENING;
    bool unasked =
        !pod->lanes[LANE_STARTUP].present && !pod->lanes[LANE_READINESS].present; /* Ready says nothing then */
    return pod->facts.kubelet && pod->facts.serving.state == CONTAINER_RUNNING && pod->loaded_at < 0 &&
           pod->api_up_at < 0 && (logged || unasked || pod->first_seen <= pod->run_began);
}

static bool is_loading(const struct pod *pod)
{
    return pod->stage >= STAGE_RUNNING && pod->stage <= STAGE_LOADED;
}

/* ---- was Ready ---- */

static void rule_tunnel(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    const char *detail = text_str(&pod->tunnel_detail);
    struct hint *hint = hint_add(maker, CAUSE_TUNNEL, CONFIDENCE_CERTAIN, 0);
    if (pod->tunnel == TUNNEL_NODE_LOST) {
        hint_title(hint, TITLE_LIVE, "the API server does not get to its node: nothing can be said of the pod");
        hint_command(maker, hint, LOOK_AT_NODE);
    }
    live_doubt(maker, CAUSE_PROBE_TIMEOUT); /* what events say of it is from before, and is not weighed any more */
    hint_evidence(hint, EVIDENCE_TUNNEL, 0, pod->tunnel_lost_at, "tunnel: %s%s%s", tunnel_word_name(pod->tunnel),
                  detail[0] ? ": " : "", detail);
}

static void rule_engine_dead(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    if (pod->stage != STAGE_DEGRADED || !pod->engine_dead)
        return;
    struct hint *hint = hint_add(maker, CAUSE_ENGINE_DEAD, CONFIDENCE_CERTAIN, WEIGHT_LIVE);
    hint_title(hint, TITLE_LIVE + WEIGHT_LIVE, "%s",
               pod->refused_now ? "the engine process died, and the API server has ended too"
                                : "the engine process died; its API server answers for moments more");
    live_log(hint, pod, pod->run);
    live_failing(maker, hint);
    for (enum lane_kind i = LANE_READINESS; i <= LANE_MODELS; i++) {
        const struct lane *lane = &pod->lanes[i];
        const char *path = pod->facts.probes[i].path;
        if (lane->present && lane->streak > 0 && !lane->streak_failing && path && strcmp(path, "/v1/models") == 0 &&
            lane->last_at > pod->stage_since)
            hint_evidence(hint, EVIDENCE_PROBES, 0, lane->last_at,
                          "/v1/models still answers: it does not ask the engine");
    }
    live_ask(maker, hint, LANE_HEALTH);
}

/* A hint that already says why this run's process may have ended. */
static bool log_says_why(const struct hint_maker *maker)
{
    for (uint32_t i = 0; i < maker->out->count; i++) {
        const struct hint *hint = &maker->out->list[i];
        if (hint->confidence >= CONFIDENCE_LIKELY && hint->evidence_count > 0 &&
            hint->evidence[0].source == EVIDENCE_LOGS)
            return true;
    }
    return false;
}

/* A probe that was sent after the pod had become Ready has failed: the ones before it were of a server that loaded. */
static bool failed_since_ready(const struct pod *pod)
{
    for (int i = 0; i <= LANE_MODELS; i++) {
        const struct lane *lane = &pod->lanes[i];
        if (lane->present && lane->streak > 0 && lane->streak_failing && lane->last_counted_sent > pod->ready_at)
            return true;
    }
    return false;
}

static void rule_process_gone(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    bool was_up = (pod->stage == STAGE_DEGRADED || pod->stage == STAGE_READY) && failed_since_ready(pod);
    if (!was_up || !pod->refused_now || pod->engine_dead || log_says_why(maker) || live_kubelet_vouches(maker) ||
        live_is_starting(pod))
        return;
    struct hint *hint =
        hint_add(maker, CAUSE_DIED_SILENTLY, pod->facts.kubelet ? CONFIDENCE_LIKELY : CONFIDENCE_CERTAIN, WEIGHT_LIVE);
    hint_title(hint, TITLE_LIVE + WEIGHT_LIVE, "nothing listens on the port any more: the process has ended%s",
               pod->facts.kubelet ? " or closed it" : "");
    live_log(hint, pod, pod->run);
    live_failing(maker, hint);
    live_ask(maker, hint, LANE_MODELS);
}

bool live_gets_no_answer(const struct lane *lane)
{
    return lane->present && lane->streak > 0 && lane->streak_failing && cause_is_timeout(lane->streak_cause);
}

bool live_hangs(const struct pod *pod)
{
    const struct lane *lanes = pod->lanes;
    return (live_gets_no_answer(&lanes[LANE_LIVENESS]) || live_gets_no_answer(&lanes[LANE_HEALTH])) &&
           (live_gets_no_answer(&lanes[LANE_READINESS]) || live_gets_no_answer(&lanes[LANE_MODELS]));
}

/* Since when nothing is answered on either path. */
static int64_t hangs_since(const struct pod *pod)
{
    int64_t since = INT64_MIN;
    for (int i = LANE_LIVENESS; i <= LANE_MODELS; i++)
        if (live_gets_no_answer(&pod->lanes[i]) && pod->lanes[i].streak_since > since)
            since = pod->lanes[i].streak_since;
    return since;
}

static void rule_hang(struct hint_maker *maker)
{
    enum { LASTS_SECONDS = 20 };
    const struct pod *pod = maker->pod;
    bool was_up = pod->stage == STAGE_DEGRADED || pod->stage == STAGE_READY;
    if ((!was_up && !is_loading(pod)) || pod->refused_now || !live_hangs(pod) || live_kubelet_vouches(maker))
        return;
    /* vLLM does not listen before it is loaded, so that one which takes connections does not just load. */
    bool lasts = maker->now - hangs_since(pod) >= LASTS_SECONDS * (int64_t)SECOND_US;
    struct hint *hint =
        hint_add(maker, CAUSE_SERVER_HANGS,
                 pod->stage == STAGE_DEGRADED || lasts ? CONFIDENCE_LIKELY : CONFIDENCE_POSSIBLE, WEIGHT_LIVE);
    live_doubt(maker, CAUSE_PROBE_TIMEOUT); /* more time would not help it */
    hint_title(hint, TITLE_LIVE + WEIGHT_LIVE, "vLLM's API server hangs: it takes connections and answers none");
    live_failing(maker, hint);
    int64_t silence = progress_silence(&pod->progress, maker->now);
    char age[LIVE_AGE_SIZE];
    if (silence >= 0)
        hint_evidence(hint, EVIDENCE_LOGS, 0, pod->progress.last_line, "no line for %s",
                      clock_age(silence, age, sizeof age));
    if (pod->lanes[LANE_LIVENESS].present && pod->lanes[LANE_LIVENESS].streak_failing) /* it sees to the restart */
        hint_fix(hint,
                 "Before the liveness probe has it restarted, see where it stands: py-spy dump on its processes.");
    live_ask(maker, hint, LANE_HEALTH);
}

/* ---- loads, or should have loaded ---- */

/* A lane that answers on another port than this one, or LANE_COUNT. */
static enum lane_kind lane_that_answers_elsewhere(const struct pod *pod, int32_t port)
{
    for (int i = 0; i <= LANE_MODELS; i++) {
        const struct lane *lane = &pod->lanes[i];
        if (lane->present && lane->streak > 0 && !lane->streak_failing && pod->facts.probes[i].port != port)
            return (enum lane_kind)i;
    }
    return LANE_COUNT;
}

static void wrong_port(struct hint_maker *maker, enum lane_kind kind, enum lane_kind other)
{
    const struct pod *pod = maker->pod;
    int32_t port = pod->facts.probes[kind].port, right = other != LANE_COUNT ? pod->facts.probes[other].port : 0;
    int64_t listens = pod->progress.entered[SUBSTAGE_LISTENING];
    bool refused = pod->lanes[kind].streak_cause == PROBE_CAUSE_REFUSED;
    struct hint *hint =
        hint_add(maker, CAUSE_WRONG_PORT, refused ? CONFIDENCE_CERTAIN : CONFIDENCE_LIKELY, WEIGHT_LIVE);
    hint_title(hint, TITLE_LIVE + WEIGHT_LIVE,
               refused ? "the %s probe asks port %d, where nothing listens"
                       : "the %s probe asks port %d for a path it does not have",
               lane_name(kind), (int)port);
    live_lane(hint, pod, kind);
    live_kubelet(hint, pod, kind);
    if (right != 0) {
        hint_evidence(hint, EVIDENCE_PROBES, 0, pod->lanes[other].last_at, "port %d answers", (int)right);
        hint_fix(hint, "Let the probe ask port %d, where vLLM listens, or start vLLM with --port %d.", (int)right,
                 (int)port);
    }
    if (listens != 0)
        hint_evidence(hint, EVIDENCE_LOGS, 0, listens, "application start-up complete");
    if (right == 0)
        right = pod->facts.vllm_port != port ? pod->facts.vllm_port : 0;
    if (right != 0)
        hint_patch_port(hint, pod, port, right);
    live_look_at_probe(maker, hint, kind);
}

static void rule_wrong_port(struct hint_maker *maker)
{
    enum { LISTENS_SINCE_SECONDS = 15 };
    const struct pod *pod = maker->pod;
    int64_t listens = pod->progress.entered[SUBSTAGE_LISTENING];
    if (!is_loading(pod))
        return;
    for (enum lane_kind kind = LANE_STARTUP; kind <= LANE_READINESS; kind++) {
        const struct lane *lane = &pod->lanes[kind];
        int32_t port = pod->facts.probes[kind].port;
        bool refused = lane->streak_cause == PROBE_CAUSE_REFUSED, missing = lane->streak_cause == PROBE_CAUSE_NOT_FOUND;
        if (!lane->present || lane->streak == 0 || !lane->streak_failing || (!refused && !missing))
            continue;
        bool after = listens != 0 && maker->now - listens > LISTENS_SINCE_SECONDS * (int64_t)SECOND_US &&
                     lane->last_counted_sent > listens + SECOND_US;
        enum lane_kind other = lane_that_answers_elsewhere(pod, port);
        bool elsewhere = other != LANE_COUNT && pod->facts.probes[other].port == pod->facts.vllm_port &&
                         pod->lanes[other].streak_since < lane->last_counted_sent;
        if (refused && !after && !elsewhere)
            continue;
        wrong_port(maker, kind, elsewhere ? other : LANE_COUNT);
        return;
    }
}

/* A kubelet's lane whose connections are taken and closed again, for long and not because the server still loads. A server that is spoken to in plain HTTP and wants TLS may do so. */
static bool lane_is_hung_up_on(const struct hint_maker *maker, enum lane_kind kind)
{
    enum { LASTS_SECONDS = 30 };
    const struct pod *pod = maker->pod;
    const struct lane *lane = &pod->lanes[kind];
    const struct probe_spec *spec = &pod->facts.probes[kind];
    int64_t since = lane->streak_since, listens = pod->progress.entered[SUBSTAGE_LISTENING];
    if (pod->progress.furthest != SUBSTAGE_NONE) { /* the log tells when answers are due */
        if (listens == 0)
            return false;
        since = listens > since ? listens : since;
    }
    return lane->present && spec->action == PROBE_HTTP_GET && !spec->https && lane->streak > 0 &&
           lane->streak_failing && lane->streak_cause == PROBE_CAUSE_EMPTY &&
           lane->last_counted_sent - since >= LASTS_SECONDS * (int64_t)SECOND_US;
}

static void rule_tls(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    for (enum lane_kind kind = LANE_STARTUP; kind <= LANE_READINESS; kind++) {
        const struct lane *lane = &pod->lanes[kind];
        bool fails = lane->present && lane->streak > 0 && lane->streak_failing;
        bool plain = fails && lane->streak_cause == PROBE_CAUSE_PLAIN_TO_TLS;
        bool tls = fails && lane->streak_cause == PROBE_CAUSE_TLS_TO_PLAIN;
        bool perhaps = is_loading(pod) && lane_is_hung_up_on(maker, kind);
        if (fails && lane->streak_cause == PROBE_CAUSE_NOT_HTTP)
            live_doubt(maker, CAUSE_SPEAKS_TLS); /* what came was no TLS either */
        if (!plain && !tls && !perhaps)
            continue;
        struct hint *hint =
            hint_add(maker, CAUSE_SPEAKS_TLS, perhaps ? CONFIDENCE_POSSIBLE : CONFIDENCE_CERTAIN, WEIGHT_LIVE);
        if (tls) {
            hint_title(hint, TITLE_LIVE + WEIGHT_LIVE, "the %s probe speaks TLS, the port plain HTTP", lane_name(kind));
            hint_fix(hint, "Set scheme: HTTP in the probe's httpGet, or give vLLM a certificate.");
        } else if (perhaps) {
            hint_title(hint, TITLE_LIVE + WEIGHT_LIVE,
                       "connections are taken and closed unanswered: perhaps it speaks TLS");
        }
        live_lane(hint, pod, kind);
        if (!tls)
            hint_evidence(hint, EVIDENCE_PROBES, 0, lane->last_at,
                          "the probe speaks plain HTTP; a server that wants TLS needs scheme: HTTPS there");
        live_look_at_probe(maker, hint, kind);
        return;
    }
}

/* ---- answers of the wrong kind ---- */

static void rule_wrong_answer(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    struct hint *hint;
    if (pod->unauthorized) {
        hint = hint_add(maker, CAUSE_API_KEY, CONFIDENCE_CERTAIN, WEIGHT_LIVE);
        hint_title(hint, TITLE_LIVE + WEIGHT_LIVE,
                   "the server wants an API key: /v1/models says 401, so probes of it fail");
    } else if (pod->wrong_model) {
        hint = hint_add(maker, CAUSE_MODEL_UNLOADED, CONFIDENCE_CERTAIN, WEIGHT_LIVE);
        hint_title(hint, TITLE_LIVE + WEIGHT_LIVE, "another model is served than expected");
        hint_evidence(hint, EVIDENCE_PROBES, 0, pod->lanes[LANE_MODELS].last_at, "expected %s, served: %s%s",
                      text_str(&pod->facts.expected_model),
                      pod->model_count > 0 ? text_str(&pod->models[0]) : "none known",
                      pod->model_count > 1 ? " and more" : "");
    } else if (pod->model_count == 0) {
        hint = hint_add(maker, CAUSE_MODEL_UNLOADED, CONFIDENCE_LIKELY, WEIGHT_LIVE);
        hint_title(hint, TITLE_LIVE + WEIGHT_LIVE, "/v1/models answers with an empty list: no model is served");
    } else {
        return;
    }
    live_failing(maker, hint);
    live_ask(maker, hint, LANE_MODELS);
}

void hints_of_live(struct hint_maker *maker)
{
    const struct pod *pod = maker->pod;
    if (pod->gone || pod->stage == STAGE_TERMINATING)
        return;
    if (pod->stage == STAGE_UNREACHABLE) { /* nothing that our probes came to before says anything now */
        rule_tunnel(maker);
        return;
    }
    hints_of_budget(maker);
    if (!is_loading(pod) && pod->stage != STAGE_READY && pod->stage != STAGE_DEGRADED)
        return; /* nothing runs: what was answered before is no answer now */
    rule_engine_dead(maker);
    rule_process_gone(maker);
    rule_hang(maker);
    hints_of_pace(maker);
    rule_wrong_port(maker);
    rule_tls(maker);
    rule_wrong_answer(maker);
    hints_of_kubelet(maker);
}
