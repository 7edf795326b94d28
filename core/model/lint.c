/* What about a container's probes will hurt. Each rule says in numbers what happens, and what to write instead. */
#include "model/lint.h"

#include "model/hints_live.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Seconds. Without a measure: a model on its way through download, weights, compilation and graphs takes minutes (facts/vllm.md 2, 6); what is below TOO_SHORT will not do for any, what a startup probe would have to
 * allow is the guide's half an hour. BLIND is how long requests may go to a dead engine. */
enum { LOAD_USUAL = 600, LOAD_TOO_SHORT = 120, BUDGET_USUAL = 1800, BLIND_MAX = 60 };

struct linter {
    const struct pod_facts *facts;
    const struct lint_measured *measured;
    const struct probe_spec *startup, *liveness, *readiness;
    struct lint *out;
    struct probe_spec wanted[LANE_READINESS + 1]; /* what the rules make of each probe, all together */
    int32_t new_supervisor;                       /* port of one that is proposed; 0: none */
    bool readiness_told;                          /* that it asks /v1/models alone */
};

static const char *const rule_names[LINT_RULE_COUNT] = {
#define X(id, name) [id] = (name),
    LINT_TABLE(X)
#undef X
};

const char *lint_rule_name(enum lint_rule rule)
{
    return rule_names[rule];
}

struct lint_measured lint_measured_none(void)
{
    struct lint_measured measured = {.longest_load = -1};
    for (int lane = 0; lane < LANE_COUNT; lane++)
        measured.p99[lane] = -1;
    return measured;
}

/* ---- what was measured ---- */

enum { MEASURED_MIN = 20 }; /* answers, before a percentile of them means much */

/* The kubelet's own question, and ours where it is the same one: they have been asked for different times and with different timeouts. */
static int64_t p99_of(const struct pod *pod, enum lane_kind lane)
{
    static const enum lane_kind witnesses[] = {LANE_HEALTH, LANE_MODELS};
    const struct probe_spec *spec = &pod->facts.probes[lane];
    int64_t p99 = -1;
    if (pod->lanes[lane].present && pod->lanes[lane].history.count >= MEASURED_MIN)
        p99 = history_percentile(&pod->lanes[lane].history, 99);
    for (size_t i = 0; i < sizeof witnesses / sizeof witnesses[0]; i++) {
        const struct lane *witness = &pod->lanes[witnesses[i]];
        if (!witness->present || witness->history.count < MEASURED_MIN ||
            !probe_spec_same_target(spec, &pod->facts.probes[witnesses[i]]))
            continue;
        int64_t theirs = history_percentile(&witness->history, 99);
        p99 = theirs > p99 ? theirs : p99;
    }
    return p99;
}

struct lint_measured lint_measured_of(const struct fleet *fleet, const struct pod *pod)
{
    struct lint_measured measured = lint_measured_none();
    struct siblings siblings = siblings_of(fleet, pod);
    for (int lane = LANE_STARTUP; lane <= LANE_READINESS; lane++)
        measured.p99[lane] = p99_of(pod, (enum lane_kind)lane);
    measured.longest_load = pod->last_load_took;
    if (siblings.loaded > 0 && siblings.most > measured.longest_load)
        measured.longest_load = siblings.most;
    measured.serving_known = pod->loaded_at >= 0;
    for (int i = 0; i < 2; i++)
        measured.served[i] = pod->answered_by[i] != ANSWERER_NOBODY;
    return measured;
}

/* ---- what a probe asks ---- */

static bool asks_path(const struct probe_spec *spec, const char *path)
{
    size_t length = strlen(path);
    return spec->action == PROBE_HTTP_GET && spec->path != NULL && strncmp(spec->path, path, length) == 0 &&
           strchr("?/", spec->path[length]) != NULL && (spec->path[length] != '/' || spec->path[length + 1] == '\0');
}

static bool asks_health(const struct probe_spec *spec)
{
    return asks_path(spec, "/health") || asks_path(spec, "/ping");
}

static bool asks_models(const struct probe_spec *spec)
{
    return asks_path(spec, "/v1/models");
}

static bool is_within(int32_t port, int32_t first, int32_t ranks)
{
    return first > 0 && port >= first && port < first + (ranks > 1 ? ranks : 1);
}

/* A port that nothing was found for, or a host of its own, is not judged by what it asks. */
static bool is_judged(const struct probe_spec *spec)
{
    return spec->port > 0 && spec->host == NULL && !spec->unserved;
}

static bool has_sidecar(const struct pod_facts *facts)
{
    return facts->sidecar.exists && facts->serving_port != facts->vllm_port;
}

static bool asks_sidecar(const struct pod_facts *facts, const struct probe_spec *spec)
{
    return has_sidecar(facts) && is_judged(spec) && is_within(spec->port, facts->serving_port, facts->ranks);
}

static bool asks_supervisor(const struct pod_facts *facts, const struct probe_spec *spec)
{
    return is_judged(spec) && facts->supervisor_port > 0 && spec->port == facts->supervisor_port;
}

static bool asks_vllm(const struct pod_facts *facts, const struct probe_spec *spec)
{
    return is_judged(spec) && is_within(spec->port, facts->vllm_port, facts->ranks);
}

/* The sidecar answers /health by itself, and takes connections, whatever vLLM does (facts/vllm.md 1.4). */
static bool asks_only_sidecar(const struct pod_facts *facts, const struct probe_spec *spec)
{
    return asks_sidecar(facts, spec) && (spec->action == PROBE_TCP_SOCKET || asks_health(spec));
}

/* It sees that the engine has died. */
static bool asks_engine(const struct pod_facts *facts, const struct probe_spec *spec)
{
    return (asks_vllm(facts, spec) && asks_health(spec)) ||
           (asks_supervisor(facts, spec) && spec->action == PROBE_HTTP_GET);
}

/* It fails until the model is loaded: vLLM does not listen before (facts/vllm.md 1.1), and the sidecar says so. */
static bool fails_while_loading(const struct pod_facts *facts, const struct probe_spec *spec)
{
    bool sent = spec->action == PROBE_HTTP_GET || spec->action == PROBE_TCP_SOCKET;
    return sent && is_judged(spec) && !asks_only_sidecar(facts, spec);
}

/* llm-d's simulator listens at once and loads nothing (facts/vllm.md 5). */
static bool is_simulator(const struct pod_facts *facts)
{
    return strstr(text_str(&facts->serving.image), "inference-sim") != NULL;
}

/* The API server fills in what a manifest leaves out, so that a live pod's 1 s may be either. */
static bool is_live(const struct pod_facts *facts)
{
    return !text_empty(&facts->uid);
}

/* ---- times, in seconds ---- */

static int64_t run_of(const struct probe_spec *spec)
{
    return (int64_t)spec->failure_threshold * spec->period;
}

/* From when on, and until when, a container that never answers is killed (facts/kube.md 1.4). */
static int64_t kill_from(const struct probe_spec *spec)
{
    return spec->initial_delay + run_of(spec) - spec->period;
}

static int64_t kill_until(const struct probe_spec *spec)
{
    return spec->initial_delay + run_of(spec);
}

/* "(60 s, then 3 x 10 s)" */
static const char *sum_words(const struct probe_spec *spec, char *out, size_t size)
{
    if (spec->initial_delay > 0)
        snprintf(out, size, "%d s + %d x %d s", (int)spec->initial_delay, (int)spec->failure_threshold,
                 (int)spec->period);
    else
        snprintf(out, size, "%d x %d s", (int)spec->failure_threshold, (int)spec->period);
    return out;
}

/* "10:30 (30 s + 60 x 10 s)" */
static const char *budget_words(const struct probe_spec *spec, char *out, size_t size)
{
    char age[LIVE_AGE_SIZE], sum[2 * LIVE_AGE_SIZE];
    clock_age(kill_until(spec) * SECOND_US, age, sizeof age);
    snprintf(out, size, "%s (%s)", age, sum_words(spec, sum, sizeof sum));
    return out;
}

/* ---- what to write ---- */

/* Where vLLM itself is to be asked: the ranks' supervisor, else its own port. */
static void aim_at_engine(struct linter *linter, enum lane_kind lane)
{
    const struct pod_facts *facts = linter->facts;
    struct probe_spec *spec = &linter->wanted[lane];
    int32_t supervisor = linter->new_supervisor > 0 ? linter->new_supervisor : facts->supervisor_port;
    spec->https = facts->probes[LANE_HEALTH].https;
    probe_spec_http(spec, supervisor > 0 && lane == LANE_READINESS ? "/readyz" : "/health",
                    supervisor > 0 ? supervisor : facts->vllm_port);
}

/* The way that requests come. */
static void aim_at_front(struct linter *linter, enum lane_kind lane)
{
    struct probe_spec *spec = &linter->wanted[lane];
    spec->https = linter->facts->probes[LANE_MODELS].https;
    probe_spec_http(spec, "/v1/models", linter->facts->serving_port);
}

/* A probe as it is; one that the container lacks, with the guide's numbers (facts/readiness-probes-guide.md), a start-up asked for more often within the same half an hour. */
static void wanted_begin(struct linter *linter, enum lane_kind lane)
{
    const struct probe_spec *own = &linter->facts->probes[lane];
    struct probe_spec *spec = &linter->wanted[lane];
    if (own->action != PROBE_NONE) {
        probe_spec_copy(spec, own);
        return;
    }
    probe_spec_recommended(spec, lane, 1);
    spec->timeout = 5;
    if (lane == LANE_STARTUP) {
        spec->initial_delay = 0;
        spec->period = 10;
        spec->failure_threshold = BUDGET_USUAL / 10;
    }
    if (lane == LANE_READINESS && has_sidecar(linter->facts))
        aim_at_front(linter, lane);
    else
        aim_at_engine(linter, lane);
}

static void yaml_set(const struct linter *linter, struct lint_finding *finding)
{
    struct buf yaml;
    buf_init(&yaml, TEXT_BODY);
    if (finding->rule == LINT_RANK_UNPROBED && linter->new_supervisor > 0)
        buf_printf(
            &yaml,
            "args:  # two more, to vllm serve\n- --data-parallel-multi-port-external-lb\n"
            "- --data-parallel-supervisor-port=%d\nports:  # one more\n- name: supervisor\n  containerPort: %d\n",
            (int)linter->new_supervisor, (int)linter->new_supervisor);
    patch_spec(&yaml, &linter->wanted[finding->lane], finding->lane, &(struct probe_change){0});
    text_set_lines(&finding->yaml, buf_str(&yaml), yaml.len, TEXT_LINE);
    buf_free(&yaml);
}

/* ---- findings ---- */

/* NULL: there is no room. What to write is filled in last, from what all rules make of the lane's probe. `field` is below the lane's probe; NULL: the probe itself. */
__attribute__((format(printf, 6, 7))) static struct lint_finding *lint_add(struct linter *linter, enum lint_rule rule,
                                                                           bool serious, enum lane_kind lane,
                                                                           const char *field, const char *format, ...)
{
    struct lint *out = linter->out;
    char reason[TEXT_LINE];
    va_list arguments;
    uint32_t at = out->count;
    if (out->count == LINT_FINDINGS_MAX)
        return NULL;
    if (serious) /* before the others, behind the serious ones that are there */
        for (at = 0; at < out->count && out->list[at].serious;)
            at++;
    memmove(&out->list[at + 1], &out->list[at], (out->count - at) * sizeof out->list[0]);
    out->count++;
    out->list[at] = (struct lint_finding){.rule = rule, .serious = serious, .lane = lane};
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    text_set_str(&out->list[at].reason, reason, TEXT_LINE);
    text_printf(&out->list[at].field, TEXT_LINE, "%sProbe%s%s", lane_name(lane), field == NULL ? "" : ".",
                field == NULL ? "" : field);
    return &out->list[at];
}

/* The field of a probe's own action. */
static const char *action_field(const struct probe_spec *spec, const char *http, const char *tcp)
{
    return spec->action == PROBE_HTTP_GET ? http : spec->action == PROBE_TCP_SOCKET ? tcp : "grpc.port";
}

static const char *port_field(const struct probe_spec *spec)
{
    return action_field(spec, "httpGet.port", "tcpSocket.port");
}

/* ---- time to start ---- */

/* "; this workload's pods needed up to 5:50" or nothing. */
static const char *need_words(const struct linter *linter, char *out, size_t size)
{
    char age[LIVE_AGE_SIZE];
    out[0] = '\0';
    if (linter->measured->longest_load >= 0)
        snprintf(out, size, "; this workload's pods needed up to %s",
                 clock_age(linter->measured->longest_load, age, sizeof age));
    return out;
}

/* Twice what was needed, in this probe's steps; without a measure the guide's half an hour. */
static void wanted_budget(struct linter *linter)
{
    struct probe_spec *spec = &linter->wanted[LANE_STARTUP];
    int64_t load = linter->measured->longest_load;
    int64_t need = load < 0 ? BUDGET_USUAL : load * 2 / SECOND_US + 1;
    int64_t threshold = (need + spec->period - 1) / spec->period;
    spec->failure_threshold = threshold > PROBE_THRESHOLD_MAX ? PROBE_THRESHOLD_MAX : (int32_t)threshold;
}

/* Also where liveness cannot fail yet: other rules have it ask vLLM itself. */
static void rule_no_startup(struct linter *linter)
{
    const struct probe_spec *liveness = linter->liveness;
    char budget[LIVE_WORDS_SIZE], need[LIVE_WORDS_SIZE];
    int64_t load = linter->measured->longest_load;
    bool acts = liveness->action != PROBE_NONE && liveness->action != PROBE_GRPC && liveness->host == NULL;
    bool too_short = load >= 0 ? kill_from(liveness) * SECOND_US < load : kill_until(liveness) < LOAD_USUAL;
    if (linter->startup->action != PROBE_NONE || !acts || !too_short || (load < 0 && is_simulator(linter->facts)))
        return;
    wanted_budget(linter);
    lint_add(
        linter, LINT_NO_STARTUP_PROBE, true, LANE_STARTUP, NULL,
        "there is none, so livenessProbe counts from the start%s restarts the container after %s without an answer; "
        "vLLM answers nothing before the model is loaded, which takes minutes%s",
        fails_while_loading(linter->facts, liveness) ? " and" : ", and once it asks vLLM itself",
        budget_words(liveness, budget, sizeof budget), need_words(linter, need, sizeof need));
}

static void rule_budget(struct linter *linter)
{
    const struct probe_spec *startup = linter->startup;
    char budget[LIVE_WORDS_SIZE], need[LIVE_WORDS_SIZE];
    int64_t load = linter->measured->longest_load;
    bool loads = fails_while_loading(linter->facts, startup) && !is_simulator(linter->facts);
    bool too_short = load >= 0 ? kill_from(startup) * SECOND_US < load : loads && kill_until(startup) < LOAD_TOO_SHORT;
    if (startup->action == PROBE_NONE || !too_short)
        return;
    wanted_budget(linter);
    lint_add(linter, LINT_BUDGET_TOO_SHORT, true, LANE_STARTUP, "failureThreshold",
             "the container is killed when it has not answered after %s%s",
             budget_words(startup, budget, sizeof budget),
             load >= 0 ? need_words(linter, need, sizeof need)
                       : ", and begins again; vLLM answers nothing before the model is loaded, which takes minutes");
}

static void rule_liveness_models(struct linter *linter)
{
    char budget[LIVE_WORDS_SIZE];
    if (!asks_models(linter->liveness) || !is_judged(linter->liveness))
        return;
    aim_at_engine(linter, LANE_LIVENESS);
    if (linter->startup->action != PROBE_NONE)
        lint_add(
            linter, LINT_LIVENESS_MODELS, false, LANE_LIVENESS, "httpGet.path",
            "/v1/models is a list made once at the start: it stays 200 when the engine has died, so that this never "
            "restarts a dead one; /health on vLLM's own port tells");
    else
        lint_add(linter, LINT_LIVENESS_MODELS, true, LANE_LIVENESS, "httpGet.path",
                 "without a startupProbe this asks for the model while it is being loaded, and restarts the container "
                 "after %s; and once loaded it stays 200 when the engine has died",
                 budget_words(linter->liveness, budget, sizeof budget));
}

/* ---- timeouts ---- */

/* Two and a half times what was measured, at least what the guide has. */
static void wanted_timeout(struct linter *linter, enum lane_kind lane)
{
    enum { USUAL = 5 };
    int64_t p99 = linter->measured->p99[lane], wanted = p99 < 0 ? USUAL : p99 * 5 / 2 / SECOND_US + 1;
    wanted = wanted < USUAL ? USUAL : wanted > PROBE_SECONDS_MAX ? PROBE_SECONDS_MAX : wanted;
    linter->wanted[lane].timeout = (int32_t)wanted;
}

static void rule_timeout(struct linter *linter, enum lane_kind lane)
{
    const struct probe_spec *spec = &linter->facts->probes[lane];
    char latency[LIVE_AGE_SIZE],
        then[LIVE_WORDS_SIZE] = "an answer that takes longer costs the start-up one of its attempts";
    int64_t p99 = linter->measured->p99[lane], allowed = (int64_t)spec->timeout * SECOND_US;
    bool startup = lane == LANE_STARTUP, one = spec->timeout == 1 && is_live(linter->facts) && !startup;
    if (spec->action == PROBE_NONE || spec->action == PROBE_EXEC)
        return;
    if (!startup)
        snprintf(then, sizeof then, "%d late ones in a row %s", (int)spec->failure_threshold,
                 lane == LANE_LIVENESS ? "restart a server that is only busy"
                                       : "take a pod that is only busy out of rotation");
    if (p99 >= allowed && !startup) {
        wanted_timeout(linter, lane);
        lint_add(linter, LINT_TIMEOUT_BELOW_P99, true, lane, "timeoutSeconds",
                 "%d s, but 1 in 100 answers took %s or more, and %s", (int)spec->timeout,
                 clock_latency(p99, latency, sizeof latency), then);
    } else if ((spec->timeout_unset || one) && (p99 < 0 || p99 >= allowed / 5)) {
        wanted_timeout(linter, lane);
        lint_add(linter, LINT_TIMEOUT_UNSET, false, lane, "timeoutSeconds", "%s: %s%s",
                 spec->timeout_unset ? "not set, so 1 s" : "1 s, as where it is not set",
                 startup ? ""
                         : "vLLM's API server can answer later than that while it is busy with large requests, and ",
                 then);
    }
}

/* ---- ports ---- */

/* What listens where, for a person. */
static const char *listens_words(const struct pod_facts *facts, char *out, size_t size)
{
    if (has_sidecar(facts))
        snprintf(out, size, "the sidecar listens on %d, vLLM on %d", (int)facts->serving_port, (int)facts->vllm_port);
    else
        snprintf(out, size, "vLLM listens on %d", (int)facts->vllm_port);
    return out;
}

/* It was asked, nobody ever answered there, and somebody did on the other port. A sidecar answers before vLLM does. */
static bool is_mute(const struct linter *linter, const struct probe_spec *spec)
{
    const struct lint_measured *measured = linter->measured;
    if (!measured->serving_known || linter->facts->serving_port == linter->facts->vllm_port)
        return false;
    return spec->port == linter->facts->serving_port ? !measured->served[0] && measured->served[1]
                                                     : spec->port == linter->facts->vllm_port && !measured->served[1];
}

static bool port_is_wrong(const struct linter *linter, const struct probe_spec *spec)
{
    bool asks_port = spec->action != PROBE_NONE && spec->action != PROBE_EXEC;
    return asks_port && ((spec->port == 0 && spec->port_name != NULL) || spec->unserved || is_mute(linter, spec));
}

static void rule_unserved(struct linter *linter, enum lane_kind lane)
{
    const struct pod_facts *facts = linter->facts;
    const struct probe_spec *spec = &facts->probes[lane];
    struct text name = {0};
    char words[TEXT_LINE], listens[LIVE_WORDS_SIZE];
    if (!port_is_wrong(linter, spec))
        return;
    listens_words(facts, listens, sizeof listens);
    text_set_str(&name, spec->port_name, 63);
    if (spec->port == 0)
        snprintf(words, sizeof words, "no port of this container is named \"%.200s\", so that it can never be sent; %s",
                 text_str(&name), listens);
    else if (spec->port == facts->vllm_port)
        snprintf(words, sizeof words, "%s",
                 spec->unserved ? "the container lists its ports, and this one is not among them"
                                : "nobody has ever answered there");
    else
        snprintf(words, sizeof words, "%s on %d; %s",
                 spec->unserved ? "nothing in this pod listens" : "nobody has ever answered", (int)spec->port, listens);
    text_free(&name);
    if (lane == LANE_READINESS && has_sidecar(facts))
        aim_at_front(linter, lane);
    else if (lane == LANE_STARTUP && asks_models(spec))
        linter->wanted[lane].port = facts->vllm_port;
    else
        aim_at_engine(linter, lane);
    lint_add(linter, LINT_PORT_UNSERVED, true, lane, port_field(spec), "%s", words);
}

/* Liveness through the sidecar (facts/vllm.md 1.4). */
static void rule_sidecar(struct linter *linter)
{
    const struct pod_facts *facts = linter->facts;
    const struct probe_spec *liveness = linter->liveness;
    if (!asks_sidecar(facts, liveness))
        return;
    aim_at_engine(linter, LANE_LIVENESS);
    if (asks_only_sidecar(facts, liveness))
        lint_add(
            linter, LINT_LIVENESS_SIDECAR_HEALTH, true, LANE_LIVENESS, port_field(liveness),
            "the sidecar on %d answers this by itself, whatever vLLM behind it does: it can never fail; vLLM's own "
            "port is %d",
            (int)liveness->port, (int)facts->vllm_port);
    else
        lint_add(
            linter, LINT_PORT_SKIPS, false, LANE_LIVENESS, port_field(liveness),
            "this goes through the sidecar on %d: it restarts vLLM for the sidecar's failures, and a dead engine is "
            "seen on vLLM's own port %d only",
            (int)liveness->port, (int)facts->vllm_port);
}

/* Start-up and readiness that see the sidecar alone. */
static void rule_skips_vllm(struct linter *linter, enum lane_kind lane)
{
    const struct probe_spec *spec = &linter->facts->probes[lane];
    bool startup = lane == LANE_STARTUP;
    if (!asks_only_sidecar(linter->facts, spec))
        return;
    if (startup)
        aim_at_engine(linter, lane);
    else
        aim_at_front(linter, lane);
    lint_add(linter, LINT_PORT_SKIPS, true, lane, port_field(spec),
             "the sidecar on %d answers this by itself before vLLM is there: %s", (int)spec->port,
             startup ? "start-up is over at once, and liveness begins while the model loads"
                     : "the pod is Ready while the model loads, and requests fail");
}

/* Readiness that sees everything but the way in. Where it asks /health it sees more on vLLM's port than it would through the sidecar. */
static void rule_skips_sidecar(struct linter *linter)
{
    const struct pod_facts *facts = linter->facts;
    const struct probe_spec *readiness = linter->readiness;
    if (!has_sidecar(facts) || !asks_vllm(facts, readiness) || !asks_models(readiness) || linter->readiness_told ||
        facts->probes[LANE_SIDECAR_READINESS].action != PROBE_NONE)
        return;
    aim_at_front(linter, LANE_READINESS);
    lint_add(
        linter, LINT_PORT_SKIPS, false, LANE_READINESS, port_field(readiness),
        "requests come in through the sidecar on %d, and no readiness check goes that way: the pod is Ready with a "
        "sidecar that hangs; the same question through %d sees both",
        (int)facts->serving_port, (int)facts->serving_port);
}

/* ---- what readiness sees ---- */

static void rule_readiness_models(struct linter *linter)
{
    const struct pod_facts *facts = linter->facts;
    const struct probe_spec *liveness = linter->liveness;
    bool covered = asks_engine(facts, liveness);
    if (!asks_models(linter->readiness) || !is_judged(linter->readiness) ||
        (covered && run_of(liveness) + liveness->timeout <= BLIND_MAX))
        return;
    linter->readiness_told = true;
    struct lint_finding *finding = lint_add(
        linter, LINT_READINESS_MODELS_ALONE, !covered, LANE_READINESS, "httpGet.path",
        "/v1/models is a list made once at the start: it stays 200 when the engine has died, %s%s",
        covered ? "and livenessProbe takes long to see that: requests go to a dead engine for up to "
                : "and no livenessProbe asks vLLM's own /health: a dead engine whose process does not end stays in "
                  "rotation",
        covered ? clock_age((run_of(liveness) + liveness->timeout) * SECOND_US, (char[LIVE_AGE_SIZE]){0}, LIVE_AGE_SIZE)
                : "");
    /* Through the sidecar it sees the way in, which /health there does not: then liveness has to see the engine. */
    enum lane_kind lane = asks_sidecar(facts, linter->readiness) ? LANE_LIVENESS : LANE_READINESS;
    aim_at_engine(linter, lane);
    if (finding != NULL)
        finding->lane = lane;
}

static void rule_no_readiness(struct linter *linter)
{
    bool guarded = linter->startup->action != PROBE_NONE;
    if (linter->readiness->action == PROBE_NONE)
        lint_add(linter, LINT_NO_READINESS_PROBE, !guarded && !is_simulator(linter->facts), LANE_READINESS, NULL, "%s",
                 guarded
                     ? "there is none: once started the pod stays Ready, also while vLLM hangs or its engine is dead"
                     : "there is none: the pod is Ready as soon as its process runs, and requests fail for the minutes "
                       "in which the model loads");
}

enum { READINESS_PATIENT = 60 }; /* readiness should be quick, liveness need not be */

static bool gives_up_together(const struct probe_spec *liveness, const struct probe_spec *readiness)
{
    bool sent = liveness->action != PROBE_NONE && liveness->action != PROBE_EXEC;
    return sent && probe_spec_same_target(liveness, readiness) && run_of(liveness) <= run_of(readiness);
}

static void rule_identical(struct linter *linter)
{
    const struct probe_spec *liveness = linter->liveness, *readiness = linter->readiness;
    if (!gives_up_together(liveness, readiness))
        return;
    struct lint_finding *finding = lint_add(
        linter, LINT_LIVENESS_IS_READINESS, false, LANE_LIVENESS, "failureThreshold",
        "the same question as readinessProbe, and it gives up no later (%d x %d s against %d x %d s): a pod that "
        "is slow for so long is restarted, and loads again, instead of being left alone for a while",
        (int)liveness->failure_threshold, (int)liveness->period, (int)readiness->failure_threshold,
        (int)readiness->period);
    if (finding != NULL && run_of(readiness) > READINESS_PATIENT)
        finding->lane = LANE_READINESS;
}

/* What the rules make of liveness and readiness must not become the same either. Only what is to be written anyway is changed. */
static void wanted_apart(struct linter *linter)
{
    struct probe_spec *liveness = &linter->wanted[LANE_LIVENESS], *readiness = &linter->wanted[LANE_READINESS];
    bool written[LANE_COUNT] = {false};
    for (uint32_t i = 0; i < linter->out->count; i++)
        written[linter->out->list[i].lane] = true;
    if (linter->liveness->action == PROBE_NONE || !gives_up_together(liveness, readiness))
        return;
    if (written[LANE_LIVENESS] && (!written[LANE_READINESS] || run_of(readiness) <= READINESS_PATIENT)) {
        int64_t threshold = run_of(readiness) * 2 / liveness->period + 1;
        liveness->failure_threshold = threshold > PROBE_THRESHOLD_MAX ? PROBE_THRESHOLD_MAX : (int32_t)threshold;
    } else if (written[LANE_READINESS]) {
        int64_t half = run_of(liveness) > 1 ? run_of(liveness) / 2 : 1;
        if (readiness->period > half)
            readiness->period = (int32_t)half;
        half /= readiness->period;
        readiness->failure_threshold = half > PROBE_THRESHOLD_MAX ? PROBE_THRESHOLD_MAX : (int32_t)half;
    }
}

static void rule_exec(struct linter *linter, enum lane_kind lane)
{
    if (linter->facts->probes[lane].action != PROBE_EXEC)
        return;
    if (lane == LANE_READINESS && has_sidecar(linter->facts))
        aim_at_front(linter, lane);
    else
        aim_at_engine(linter, lane);
    if (linter->wanted[lane].timeout < 2)
        wanted_timeout(linter, lane);
    lint_add(linter, LINT_EXEC_PROBE, false, lane, "exec",
             "starts a process in the container for each check, which takes longest when the node is busy, and which "
             "nothing outside the node can repeat; vLLM has HTTP endpoints for this");
}

/* A probe of a kind asks one port; ranks with ports of their own need somebody who watches over them all (facts/vllm.md 1.3). */
static void rule_ranks(struct linter *linter)
{
    const struct pod_facts *facts = linter->facts;
    enum lane_kind lane = linter->readiness->action != PROBE_NONE ? LANE_READINESS : LANE_LIVENESS;
    const struct probe_spec *spec = &facts->probes[lane];
    bool supervised = facts->supervisor_port > 0;
    int32_t after = facts->vllm_port + facts->ranks;
    if (facts->ranks < 2 || (!asks_vllm(facts, spec) && !asks_sidecar(facts, spec)))
        return;
    linter->new_supervisor = supervised ? 0 : after;
    aim_at_engine(linter, lane);
    lint_add(linter, LINT_RANK_UNPROBED, !supervised, lane, port_field(spec),
             "%d data-parallel ranks serve on %d to %d, and this asks one of them: another that is dead stays in "
             "rotation; %s",
             (int)facts->ranks, (int)facts->vllm_port, (int)after - 1,
             supervised ? "the ranks' supervisor tells of all" : "vLLM's supervisor for them tells of all");
}

/* ---- all ---- */

void lint_pod(const struct pod_facts *facts, const struct lint_measured *measured, struct lint *out)
{
    struct linter linter = {.facts = facts,
                            .measured = measured,
                            .startup = &facts->probes[LANE_STARTUP],
                            .liveness = &facts->probes[LANE_LIVENESS],
                            .readiness = &facts->probes[LANE_READINESS],
                            .out = out};
    *out = (struct lint){0};
    if (!facts->kubelet || !facts->serving.exists || facts->role == ROLE_WORKER || facts->vllm_port == 0)
        return;
    for (int lane = LANE_STARTUP; lane <= LANE_READINESS; lane++)
        wanted_begin(&linter, (enum lane_kind)lane);
    rule_no_startup(&linter);
    rule_budget(&linter);
    rule_liveness_models(&linter);
    rule_sidecar(&linter);
    for (int lane = LANE_STARTUP; lane <= LANE_READINESS; lane++)
        rule_unserved(&linter, (enum lane_kind)lane);
    rule_no_readiness(&linter);
    rule_readiness_models(&linter);
    rule_skips_vllm(&linter, LANE_STARTUP);
    rule_skips_vllm(&linter, LANE_READINESS);
    rule_skips_sidecar(&linter);
    rule_ranks(&linter);
    rule_identical(&linter);
    for (int lane = LANE_STARTUP; lane <= LANE_READINESS; lane++) {
        rule_timeout(&linter, (enum lane_kind)lane);
        rule_exec(&linter, (enum lane_kind)lane);
    }
    wanted_apart(&linter);
    for (uint32_t i = 0; i < out->count; i++)
        yaml_set(&linter, &out->list[i]);
    for (int lane = LANE_STARTUP; lane <= LANE_READINESS; lane++)
        probe_spec_free(&linter.wanted[lane]);
}

void lint_free(struct lint *lint)
{
    for (uint32_t i = 0; i < lint->count; i++) {
        text_free(&lint->list[i].field);
        text_free(&lint->list[i].reason);
        text_free(&lint->list[i].yaml);
    }
    *lint = (struct lint){0};
}
