/* The ways to the pods: what tunnels say of them, whose silence it is, and which rights are missing; see source_work.h. */
#include "kube/source_work.h"

#include "base/clock.h"

#include <string.h>

enum {
    PULSE_PACE_MS = 400,
    PULSE_SILENT_MS = 450,    /* with the pace, well within the shortest timeoutSeconds */
    TRIP_CHANGE_US = 1000,    /* of a tunnel's round trip, below which it is told only with something else */
    API_RECENT_US = SECOND_US /* an API server that has answered so lately is there */
};
static const char API_SILENT[] = "the API server does not answer";

/* ---- rights ---- */

static bool denial_is(const struct denial *denial, enum right right, const char *ns)
{
    return denial->right == right && strcmp(denial->ns, ns) == 0;
}

/* False: it has been told already, or too much has. */
static bool denial_add(struct source *source, enum right right, const char *ns)
{
    for (size_t i = 0; i < source->denial_count; i++)
        if (denial_is(&source->denials[i], right, ns))
            return false;
    if (source->denial_count == DENIALS_MAX)
        return false;
    source->denials[source->denial_count++] = (struct denial){right, mem_dup(ns)};
    return true;
}

/* Permitted now: should it be missing again, that is told again. */
void source_permitted(struct source *source, enum right right, const char *ns)
{
    for (size_t i = source->denial_count; i > 0; i--) {
        struct denial *denial = &source->denials[i - 1];
        if (denial_is(denial, right, ns)) {
            mem_free(denial->ns);
            *denial = source->denials[--source->denial_count];
        }
    }
}

/* A right that is missing for one thing, while the rest goes on. */
void source_denied(void *user, enum right right, const char *refusal)
{
    struct source *source = user;
    struct buf words;
    buf_init(&words, SOURCE_WORDS_MAX);
    rights_place(refusal, &words);
    bool is_new = denial_add(source, right, buf_str(&words));
    buf_clear(&words);
    if (!is_new) {
        buf_free(&words);
        return;
    }
    rights_denied(right, refusal, &words);
    if (source->role_told) {
        buf_puts(&words, ". The Role that was told before grants it too");
    } else {
        buf_puts(&words, ". ");
        rights_advice(refusal, source->options->all_namespaces ? NULL : source->ns, &source->rights, &words);
    }
    source->role_told = true;
    engine_note(source->engine, "%s", buf_str(&words));
    buf_free(&words);
}

/* ---- tunnels ---- */

/* How a person gets there: with which flags of kubectl, and what is dialled: a forward connects to localhost inside of the pod, the others to its address (facts/kube.md 3.1). */
void source_set_way(const struct source *source, struct pod_facts *facts)
{
    const char *via = kube_tunnel_via(source->tunnel, facts->id);
    bool forwards = strcmp(via, via_name(VIA_PORTFORWARD)) == 0 || strcmp(via, via_name(VIA_KUBECTL)) == 0;
    text_set_str(&facts->via, via, TEXT_NAME);
    text_set_str(&facts->context, source->options->flags.context, TEXT_LINE);
    text_set_str(&facts->kubeconfig, source->options->flags.kubeconfig, TEXT_LINE);
    text_set_str(&facts->cluster, source->options->flags.cluster, TEXT_LINE);
    text_set_str(&facts->user, source->options->flags.user, TEXT_LINE);
    text_set_str(&facts->as, source->options->flags.as, TEXT_LINE);
    if (facts->serving_port == 0 || (!forwards && text_empty(&facts->pod_ip))) {
        text_set_str(&facts->address, "", TEXT_LINE);
    } else if (forwards) {
        text_printf(&facts->address, TEXT_LINE, "localhost:%d in the pod", (int)facts->serving_port);
    } else {
        bool is_v6 = strchr(text_str(&facts->pod_ip), ':') != NULL;
        text_printf(&facts->address, TEXT_LINE, is_v6 ? "[%s]:%d" : "%s:%d", text_str(&facts->pod_ip),
                    (int)facts->serving_port);
    }
}

/* The way to a pod has changed: all that is known of it is told again. */
static void pod_tell_way(struct source *source, struct entry *entry, const char *why)
{
    const struct pod *pod = fleet_pod(engine_fleet(source->engine), entry->id);
    const char *via = kube_tunnel_via(source->tunnel, entry->id);
    struct fact fact;
    if (pod == NULL || is_same(entry->via, via))
        return;
    mem_replace(&entry->via, via);
    if (!is_same(source->way_told, via)) { /* for the first pod that goes another way: the others will follow */
        mem_replace(&source->way_told, via);
        engine_note(source->engine, "probes go another way now, by %s: %s", via, why);
    }
    fact_init(&fact, FACT_POD, entry->id);
    pod_facts_copy(&fact.u.facts, &pod->facts);
    source_set_way(source, &fact.u.facts);
    engine_emit(source->engine, &fact);
    fact_free(&fact);
}

/* Somebody waits for the cluster: is it the API server that is silent? */
static void on_wait(void *user)
{
    struct source *source = user;
    if (source->pulse != NULL && source->proxy_state == PROXY_UP && !source->stopping)
        pulse_ask(source->pulse, "/version", clock_mono_us());
}

/* Whatever else it says, it says something. */
static bool api_is_alive(enum api_end end, const char *words)
{
    (void)words;
    return end != API_UNREACHABLE && end != API_CUT;
}

static void on_pulse(void *user, bool silent, const char *why)
{
    struct source *source = user;
    if (source->stopping)
        return;
    mem_replace(&source->silent_words, silent ? why : NULL);
    kube_tunnel_silent(source->tunnel, silent);
    source_tell(source);
    engine_judge(source->engine);
}

static void on_word(void *user, uint32_t id, enum tunnel_word word, int64_t round_trip, const char *detail);

/* A probe that nobody answered is the first that tells; and one that somebody did shows that the way is there. */
void source_after(void *user, const struct fact *fact, const struct pod *pod)
{
    struct source *source = user;
    const struct entry *entry = fact->kind == FACT_PROBE ? source_entry(source, fact->pod) : NULL;
    (void)pod;
    if (entry == NULL)
        return;
    const struct sample *sample = &fact->u.sample;
    if (sample->cause == PROBE_CAUSE_API_LOST || sample->cause == PROBE_CAUSE_NODE_LOST ||
        cause_is_timeout(sample->cause))
        on_wait(source);
    bool was_lost = entry->word == TUNNEL_NODE_LOST || entry->word == TUNNEL_FORBIDDEN;
    if (sample->outcome != OUTCOME_UNKNOWN && was_lost)
        on_word(source, entry->id, TUNNEL_UP, -1, "");
    else if (sample->cause == PROBE_CAUSE_FORBIDDEN && entry->word == TUNNEL_UP) /* the pods' proxy's own answer */
        on_word(source, entry->id, TUNNEL_FORBIDDEN, -1, text_str(&sample->detail));
}

/* ---- whose silence it was ---- */

static void on_settled(void *user)
{
    struct source *source = user;
    if (!source->stopping)
        engine_judge(source->engine);
}

/* The API server is there as far as anybody knows: so its silence is not the reason. */
static bool api_is_there(const struct source *source)
{
    return source->proxy_state == PROXY_UP && source->silent_words == NULL && source->pods_end != API_UNREACHABLE;
}

/* The node's silence is its own only where the API server answers. */
static bool node_judge(struct source *source, const struct pod *pod, int64_t sent, enum tunnel_word *word,
                       const char **why)
{
    enum pulse_word node = nodes_ask(source->nodes, &pod->facts, sent), api = PULSE_ANSWERS;
    if (pulse_was_silent(source->pulse, sent))
        api = PULSE_SILENT;
    else if (node == PULSE_SILENT)
        api = pulse_ask(source->pulse, "/version", clock_mono_us() - API_RECENT_US);
    if (api != PULSE_SILENT && (node == PULSE_UNKNOWN || api == PULSE_UNKNOWN))
        return false;
    if (node == PULSE_SILENT && api == PULSE_ANSWERS) {
        buf_clear(&source->node_words);
        nodes_why(source->nodes, &pod->facts, &source->node_words);
        *word = TUNNEL_NODE_LOST;
        *why = buf_str(&source->node_words);
    } else if (api == PULSE_SILENT) {
        *word = TUNNEL_API_LOST;
        *why = API_SILENT;
    }
    return true;
}

/* Of a direct way the source knows nothing. A native session that is up has shown by its PING that the way is well (portforward.h), but perhaps only in the last moment: that is known of ways that were lost before. */
bool source_judge(void *user, uint32_t id, int64_t sent, enum tunnel_word *word, const char **why)
{
    struct source *source = user;
    const struct entry *entry = source_entry(source, id);
    const struct pod *pod = fleet_pod(engine_fleet(source->engine), id);
    bool direct = strcmp(kube_tunnel_via(source->tunnel, id), via_name(VIA_DIRECT)) == 0;
    if (entry == NULL || pod == NULL || direct || source->stopping || !api_is_there(source))
        return true;
    bool was_lost = nodes_was_silent(source->nodes, &pod->facts, sent) || pulse_was_silent(source->pulse, sent);
    if (*word == TUNNEL_UP && !was_lost && !kube_tunnel_is_deaf(source->tunnel, id))
        return true;
    if (*word == TUNNEL_API_LOST && entry->word == TUNNEL_NODE_LOST) {
        *word = TUNNEL_NODE_LOST;
        *why = entry->detail;
        return true;
    }
    on_wait(source); /* beside the node's question, so that neither waits for the other */
    bool known = node_judge(source, pod, sent, word, why);
    if (*word == TUNNEL_NODE_LOST)
        on_word(source, id, *word, -1, *why);
    return known;
}

static bool trip_has_changed(int64_t before, int64_t now)
{
    int64_t change = now > before ? now - before : before - now;
    return (before < 0) != (now < 0) || (change > TRIP_CHANGE_US && change > before / 4);
}

/* Why a tunnel is not permitted: for want of a right, or of credentials that are good. */
static void tunnel_denied(struct source *source, const char *detail)
{
    bool login = kubectl_classify(detail, strlen(detail)) == KUBECTL_UNAUTHORIZED;
    if (!login) {
        source_denied(source, source->rights.podproxy ? RIGHT_PODPROXY : RIGHT_FORWARD, detail);
    } else if (!source->tunnel_login) {
        source->tunnel_login = true;
        engine_note(source->engine,
                    "the cluster does not accept kubectl's credentials (%s), they may have expired; log "
                    "in again, probetop goes on by itself then",
                    detail);
    }
    source_login_look(source);
}

static void tunnel_permitted(struct source *source, uint32_t id)
{
    const struct pod *pod = fleet_pod(engine_fleet(source->engine), id);
    source->tunnel_login = false;
    enum right right = source->rights.podproxy ? RIGHT_PODPROXY : RIGHT_FORWARD;
    if (pod != NULL)
        source_permitted(source, right, text_str(&pod->facts.ns));
    source_permitted(source, right, "");
}

static void on_word(void *user, uint32_t id, enum tunnel_word word, int64_t round_trip, const char *detail)
{
    struct source *source = user;
    struct entry *entry = source_entry(source, id);
    struct fact fact;
    if (source->preflight != NULL && preflight_word(source->preflight, id, word, detail))
        return;
    if (entry == NULL || source->stopping)
        return;
    if (word == TUNNEL_REFUSED_IN_POD) {
        word = TUNNEL_UP; /* somebody in the pod refused: the tunnel got there */
        detail = "";
    }
    if (word == TUNNEL_API_LOST) {
        on_wait(source);
        source_judge(source, id, clock_mono_us(), &word, &detail); /* is it that, or the way from there to the node? */
    }
    pod_tell_way(source, entry, detail);
    bool came_up = word == TUNNEL_UP && (!entry->word_told || entry->word != TUNNEL_UP);
    if (entry->word_told && word == entry->word && is_same(entry->detail, detail) &&
        !trip_has_changed(entry->round_trip, round_trip))
        return;
    entry->word_told = true;
    entry->word = word;
    entry->round_trip = round_trip;
    mem_replace(&entry->detail, detail != NULL ? detail : "");
    fact_init(&fact, FACT_TUNNEL, id);
    fact.u.tunnel.word = word;
    fact.u.tunnel.round_trip = round_trip;
    text_set_str(&fact.u.tunnel.detail, entry->detail, TEXT_LINE);
    engine_emit(source->engine, &fact);
    fact_free(&fact);
    if (came_up)
        engine_probe_now(source->engine, id); /* what could not be sent until now is due */
    if (word == TUNNEL_FORBIDDEN)
        tunnel_denied(source, entry->detail);
    else if (word == TUNNEL_UP)
        tunnel_permitted(source, id);
}

/* ---- beginning and end ---- */

void source_ways_start(struct source *source)
{
    uv_loop_t *loop = engine_loop(source->engine);
    kube_tunnel_on_word(source->tunnel, on_word, source);
    kube_tunnel_on_wait(source->tunnel, on_wait, source);
    buf_init(&source->node_words, SOURCE_WORDS_MAX);
    source->pulse = pulse_new(&(struct pulse_options){.loop = loop,
                                                      .api = source->api,
                                                      .pace_ms = PULSE_PACE_MS,
                                                      .silent_ms = PULSE_SILENT_MS,
                                                      .is_alive = api_is_alive,
                                                      .changed = on_pulse,
                                                      .answered = on_settled,
                                                      .user = source});
    source->nodes = nodes_new(loop, source->api, on_settled, source);
}

void source_ways_stop(struct source *source)
{
    pulse_free(source->pulse);
    nodes_free(source->nodes);
    source->pulse = NULL;
    source->nodes = NULL;
}

void source_ways_free(struct source *source)
{
    for (size_t i = 0; i < source->denial_count; i++)
        mem_free(source->denials[i].ns);
    buf_free(&source->node_words);
    mem_free(source->silent_words);
    mem_free(source->way_told);
}
