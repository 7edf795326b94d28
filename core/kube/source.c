#include "kube/source.h"

#include "base/clock.h"
#include "base/mem.h"
#include "kube/api.h"
#include "kube/logs.h"
#include "kube/nodes.h"
#include "kube/pools.h"
#include "kube/preflight.h"
#include "kube/pulse.h"
#include "kube/rights.h"
#include "kube/rollouts.h"
#include "kube/select.h"
#include "kube/standing.h"
#include "tunnel/kube_tunnel.h"

#include <stdlib.h>
#include <string.h>

/* uthash takes its memory where everybody does. */
#define uthash_malloc(size) mem_new(size)
#define uthash_free(memory, size) mem_free(memory)
#include <uthash.h>

enum {
    WORDS_MAX = 2048,
    LOGIN_LOOK_MS = 2000,
    ORPHANS = 64, /* events that came before their pods */
    DENIALS_MAX = 32,
    SECRETS_MAX = 32,
    PULSE_PACE_MS = 400,
    PULSE_SILENT_MS = 450, /* with the pace, well within the shortest timeoutSeconds */
    LOOKS_MAX = 5,
    SIGNS_MAX = 4,
    MANY = 50,                /* pods; of more than these each is asked for its health less often */
    MANY_HEALTH_SECONDS = 10, /* as often as the recommended livenessProbe, which then covers it */
    TRIP_CHANGE_US = 1000     /* of a tunnel's round trip, below which it is told only with something else */
};

enum { API_RECENT_US = SECOND_US }; /* an API server that has answered so lately is there */
static const char API_SILENT[] = "the API server does not answer";

struct source;

/* A right that is missing in a namespace, "" in all of them. */
struct denial {
    enum right right;
    char *ns;
};

/* A pod of the cluster that the selection brought, ours or not. */
struct entry {
    char *uid;
    uint32_t id;   /* 0: not shown */
    uint64_t seen; /* number of the object that brought it last */
    char *version; /* its resourceVersion */
    char *looks;   /* of one that is not ours: its image's name */
    char *sign;    /* of one that is ours */
    enum tunnel_word word;
    int64_t round_trip;
    bool word_told;
    char *detail, *via;
    UT_hash_handle hh;    /* by uid */
    UT_hash_handle by_id; /* those that are shown */
};

struct source {
    struct engine *engine;
    struct kube_options *options; /* owned */
    char *kubectl, *dir;
    struct kube_tunnel *tunnel;
    void (*group)(void *user, pid_t group, bool alive);
    void *group_user;

    struct http *http;
    struct api *api;
    struct kubectl_proxy *proxy;
    struct watch *pods, *events;
    struct logs *logs;
    struct pulse *pulse;
    struct nodes *nodes;
    struct preflight *preflight;
    struct pools *pools;
    struct rollouts *rollouts;
    uv_timer_t login_timer, stop_timer;
    int timers;

    char *context, *ns; /* ns: where to look; NULL: not known yet, or in all */
    bool context_pending, stopping;
    enum proxy_state proxy_state;
    enum kubectl_word word;
    char *words;
    bool no_context;
    enum api_end pods_end, events_end;
    char *pods_words;
    char *way_told;        /* the newest way other than the first that was told of; NULL: none */
    char *silent_words;    /* NULL: the API server answers */
    struct buf node_words; /* what kube_judge() said last */
    bool listed;
    struct rights_wanted rights;
    bool role_told;
    struct denial denials[DENIALS_MAX]; /* told, and not permitted since */
    size_t denial_count;
    bool tunnel_login; /* a tunnel was refused for want of good credentials */

    struct entry *entries, *shown;
    uint64_t sequence; /* of objects of pods */
    size_t ours;
    struct fact orphans[ORPHANS]; /* a ring of events */
    char *orphan_uids[ORPHANS];
    size_t orphan_next;
    enum source_state told_state;
    char *told_words;
};

static void replace(char **slot, const char *string)
{
    char *copy = mem_dup(string);
    mem_free(*slot);
    *slot = copy;
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* ---- where it stands ---- */

/* Words that stand in a list once each, with how often where that is asked for. */
static void tally_put(const struct source *source, bool of_signs, int most, struct buf *out)
{
    const char *words[LOOKS_MAX];
    int counts[LOOKS_MAX], kinds = 0, more = 0;
    for (const struct entry *entry = source->entries; entry != NULL; entry = entry->hh.next) {
        const char *word = of_signs ? (entry->id != 0 ? entry->sign : NULL) : (entry->id == 0 ? entry->looks : NULL);
        int at = 0;
        while (word != NULL && at < kinds && strcmp(words[at], word) != 0)
            at++;
        if (word == NULL)
            continue;
        if (at == kinds && kinds == most) {
            more++;
            continue;
        }
        if (at == kinds) {
            words[kinds] = word;
            counts[kinds++] = 0;
        }
        counts[at]++;
    }
    for (int i = 0; i < kinds; i++) {
        buf_printf(out, "%s%s", i > 0 ? ", " : "", words[i]);
        if (of_signs && kinds > 1)
            buf_printf(out, " (%d)", counts[i]);
    }
    if (more > 0)
        buf_puts(out, ", ...");
}

static void source_tell(struct source *source)
{
    struct buf signs, looks, pools, words;
    struct fact fact;
    buf_init(&signs, WORDS_MAX);
    buf_init(&pools, WORDS_MAX);
    buf_init(&looks, WORDS_MAX);
    buf_init(&words, WORDS_MAX);
    tally_put(source, true, SIGNS_MAX, &signs);
    tally_put(source, false, LOOKS_MAX, &looks);
    pools_trouble(source->pools, &pools);
    struct standing standing = {.context = source->context != NULL ? source->context : "",
                                .ns = source->options->all_namespaces ? NULL
                                      : source->ns != NULL            ? source->ns
                                                                      : "",
                                .no_context = source->no_context,
                                .proxy = source->proxy_state,
                                .word = source->word,
                                .words = source->words != NULL ? source->words : "",
                                .pods = source->pods_end,
                                .pods_words = source->pods_words != NULL ? source->pods_words : "",
                                .silent = source->silent_words != NULL,
                                .silent_words = source->silent_words != NULL ? source->silent_words : "",
                                .listed = source->listed,
                                .asked = select_is_asked(source->options),
                                .seen = HASH_COUNT(source->entries),
                                .ours = source->ours,
                                .rights = source->rights,
                                .pools = buf_str(&pools),
                                .signs = buf_str(&signs),
                                .looks = buf_str(&looks)};
    enum source_state state = standing_tell(&standing, &words);
    if (source->told_words == NULL || state != source->told_state || !is_same(source->told_words, buf_str(&words))) {
        source->told_state = state;
        replace(&source->told_words, buf_str(&words));
        fact_init(&fact, FACT_SOURCE, 0);
        fact.u.source.state = state;
        text_set(&fact.u.source.detail, buf_str(&words), words.len, TEXT_LINE);
        engine_emit(source->engine, &fact);
        fact_free(&fact);
    }
    buf_free(&signs);
    buf_free(&looks);
    buf_free(&pools);
    buf_free(&words);
}

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
static void denial_drop(struct source *source, enum right right, const char *ns)
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
static void on_denied(void *user, enum right right, const char *refusal)
{
    struct source *source = user;
    struct buf words;
    buf_init(&words, WORDS_MAX);
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

static void on_logs_denied(void *user, const char *words)
{
    on_denied(user, RIGHT_LOGS, words);
}

static void on_pools_denied(void *user, const char *words)
{
    on_denied(user, RIGHT_POOLS, words);
}

/* ---- tunnels ---- */

static struct entry *entry_shown(const struct source *source, uint32_t id)
{
    struct entry *entry;
    HASH_FIND(by_id, source->shown, &id, sizeof id, entry);
    return entry;
}

/* How a person gets there: with which flags of kubectl, and what is dialled: a forward connects to localhost inside of the pod, the others to its address (facts/kube.md 3.1). */
static void facts_set_way(const struct source *source, struct pod_facts *facts)
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
    replace(&entry->via, via);
    if (!is_same(source->way_told, via)) { /* for the first pod that goes another way: the others will follow */
        replace(&source->way_told, via);
        engine_note(source->engine, "probes go another way now, by %s: %s", via, why);
    }
    fact_init(&fact, FACT_POD, entry->id);
    pod_facts_copy(&fact.u.facts, &pod->facts);
    facts_set_way(source, &fact.u.facts);
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
    replace(&source->silent_words, silent ? why : NULL);
    kube_tunnel_silent(source->tunnel, silent);
    source_tell(source);
    engine_judge(source->engine);
}

static void on_word(void *user, uint32_t id, enum tunnel_word word, int64_t round_trip, const char *detail);

/* A probe that nobody answered is the first that tells; and one that somebody did shows that the way is there. */
static void kube_after(void *user, const struct fact *fact, const struct pod *pod)
{
    struct source *source = user;
    const struct entry *entry = fact->kind == FACT_PROBE ? entry_shown(source, fact->pod) : NULL;
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
    if (node == PULSE_SILENT)
        api = pulse_ask(source->pulse, "/version", clock_mono_us() - API_RECENT_US);
    if (node == PULSE_UNKNOWN || api == PULSE_UNKNOWN)
        return false;
    if (node == PULSE_SILENT && api == PULSE_ANSWERS) {
        buf_clear(&source->node_words);
        nodes_why(source->nodes, &pod->facts, &source->node_words);
        *word = TUNNEL_NODE_LOST;
        *why = buf_str(&source->node_words);
    } else if (node == PULSE_SILENT) {
        *word = TUNNEL_API_LOST;
        *why = API_SILENT;
    }
    return true;
}

/* Of a direct way the source knows nothing, and a native session that is up has shown by its PING that the way is well (portforward.h). */
static bool kube_judge(void *user, uint32_t id, int64_t sent, enum tunnel_word *word, const char **why)
{
    struct source *source = user;
    const struct entry *entry = entry_shown(source, id);
    const struct pod *pod = fleet_pod(engine_fleet(source->engine), id);
    bool deaf = kube_tunnel_is_deaf(source->tunnel, id);
    if (entry == NULL || pod == NULL || source->stopping || !api_is_there(source) || (*word == TUNNEL_UP && !deaf))
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

static void login_look(struct source *source);

/* Why a tunnel is not permitted: for want of a right, or of credentials that are good. */
static void tunnel_denied(struct source *source, const char *detail)
{
    bool login = kubectl_classify(detail, strlen(detail)) == KUBECTL_UNAUTHORIZED;
    if (!login) {
        on_denied(source, source->rights.podproxy ? RIGHT_PODPROXY : RIGHT_FORWARD, detail);
    } else if (!source->tunnel_login) {
        source->tunnel_login = true;
        engine_note(source->engine,
                    "the cluster does not accept kubectl's credentials (%s), they may have expired; log "
                    "in again, probetop goes on by itself then",
                    detail);
    }
    login_look(source);
}

static void tunnel_permitted(struct source *source, uint32_t id)
{
    const struct pod *pod = fleet_pod(engine_fleet(source->engine), id);
    source->tunnel_login = false;
    enum right right = source->rights.podproxy ? RIGHT_PODPROXY : RIGHT_FORWARD;
    if (pod != NULL)
        denial_drop(source, right, text_str(&pod->facts.ns));
    denial_drop(source, right, "");
}

static void on_word(void *user, uint32_t id, enum tunnel_word word, int64_t round_trip, const char *detail)
{
    struct source *source = user;
    struct entry *entry = entry_shown(source, id);
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
        kube_judge(source, id, clock_mono_us(), &word, &detail); /* is it that, or the way from there to the node? */
    }
    pod_tell_way(source, entry, detail);
    bool came_up = word == TUNNEL_UP && (!entry->word_told || entry->word != TUNNEL_UP);
    if (entry->word_told && word == entry->word && is_same(entry->detail, detail) &&
        !trip_has_changed(entry->round_trip, round_trip))
        return;
    entry->word_told = true;
    entry->word = word;
    entry->round_trip = round_trip;
    replace(&entry->detail, detail != NULL ? detail : "");
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

/* ---- pods ---- */

static void entry_free(struct source *source, struct entry *entry)
{
    HASH_DEL(source->entries, entry);
    mem_free(entry->uid);
    mem_free(entry->version);
    mem_free(entry->looks);
    mem_free(entry->sign);
    mem_free(entry->detail);
    mem_free(entry->via);
    mem_free(entry);
}

/* It is gone, or is not what was asked for any more. */
static void pod_hide(struct source *source, struct entry *entry)
{
    struct fact fact;
    if (entry->id == 0)
        return;
    fact_init(&fact, FACT_GONE, entry->id);
    HASH_DELETE(by_id, source->shown, entry);
    source->ours--;
    logs_gone(source->logs, entry->id);
    engine_emit(source->engine, &fact);
    fact_free(&fact);
    entry->id = 0;
}

static void pod_gone(struct source *source, struct entry *entry)
{
    pod_hide(source, entry);
    entry_free(source, entry);
}

/* What somebody sees who looks at the pod: the last part of its first image's name. */
static void entry_look(struct entry *entry, const struct json *pod)
{
    const struct json *container = json_first(json_get(json_get(pod, "spec"), "containers"));
    const char *image = json_string(json_get(container, "image"));
    const char *slash = image != NULL ? strrchr(image, '/') : NULL;
    image = slash != NULL ? slash + 1 : image != NULL ? image : "?";
    mem_free(entry->looks);
    entry->looks = mem_dup_n(image, strcspn(image, ":@"));
}

/* With many pods the health witness asks less often: pod_json.c has set it up as for few. */
static void facts_spare_witnesses(const struct source *source, struct pod_facts *facts)
{
    if (source->ours > MANY && facts->probes[LANE_HEALTH].action != PROBE_NONE)
        facts->probes[LANE_HEALTH].period = MANY_HEALTH_SECONDS;
}

/* Headers of probes whose values nobody is to read: by their names, since others hold ordinary words that stand everywhere. */
static bool header_is_secret(const char *name)
{
    static const char *const parts[] = {"auth", "cookie", "token", "secret", "key", "password"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcasestr(name, parts[i]) != NULL)
            return true;
    return false;
}

/* What is sent in them may come back in bodies and logs: it never gets into a fact. */
static void facts_hide_secrets(const struct source *source, const struct pod_facts *facts)
{
    struct probe_header secrets[SECRETS_MAX];
    size_t count = 0;
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        const struct probe_spec *spec = &facts->probes[lane];
        for (size_t i = 0; i < spec->header_count && count < SECRETS_MAX; i++)
            if (spec->headers[i].value != NULL && header_is_secret(spec->headers[i].name))
                secrets[count++] = spec->headers[i];
    }
    if (count > 0)
        engine_set_headers(source->engine, facts->id, secrets, count);
}

static void orphans_adopt(struct source *source, const struct entry *entry)
{
    for (size_t i = 0; i < ORPHANS; i++) {
        size_t at = (source->orphan_next + i) % ORPHANS; /* the oldest first */
        if (is_same(source->orphan_uids[at], entry->uid)) {
            source->orphans[at].pod = entry->id;
            engine_emit(source->engine, &source->orphans[at]);
            mem_free(source->orphan_uids[at]);
            source->orphan_uids[at] = NULL;
            fact_free(&source->orphans[at]);
        }
    }
}

static void pod_tell(struct source *source, struct entry *entry, const struct json *object,
                     const struct discovery *found)
{
    struct fact fact;
    bool is_new = entry->id == 0;
    if (is_new) {
        entry->id = engine_new_pod_id(source->engine);
        HASH_ADD(by_id, source->shown, id, sizeof entry->id, entry);
        source->ours++;
    }
    replace(&entry->sign, found->sign);
    fact_init(&fact, FACT_POD, entry->id);
    struct pod_facts *facts = &fact.u.facts;
    pod_facts_from_json(object, found, engine_clock(source->engine), entry->id, facts);
    facts_spare_witnesses(source, facts);
    facts_set_way(source, facts);
    facts_hide_secrets(source, facts);
    replace(&entry->via, text_str(&facts->via));
    struct pod_facts *told = mem_new(sizeof *told);
    pod_facts_copy(told, facts);
    engine_emit(source->engine, &fact);
    fact_free(&fact);
    const struct json *metadata = json_get(object, "metadata");
    const char *ns = json_string(json_get(metadata, "namespace")), *name = json_string(json_get(metadata, "name"));
    const char *ip = json_string(json_get(json_get(object, "status"), "podIP"));
    /* A native sidecar runs, and is probed, while the pod is still Pending; kubectl port-forward will not have that. */
    bool early = told->sidecar.state == CONTAINER_RUNNING && !text_is(&told->via, "kubectl");
    bool running =
        (told->phase == PHASE_RUNNING || (told->phase == PHASE_PENDING && early)) && ip != NULL && ip[0] != '\0';
    kube_tunnel_pod(source->tunnel, entry->id, ns != NULL ? ns : "", name != NULL ? name : "", entry->uid,
                    ip != NULL ? ip : "", running);
    logs_pod(source->logs, told);
    pod_facts_free(told);
    mem_free(told);
    if (is_new)
        orphans_adopt(source, entry);
    if (is_new && source->preflight != NULL)
        preflight_look(source->preflight, ns != NULL ? ns : "");
}

static struct entry *entry_get(struct source *source, const char *uid)
{
    struct entry *entry;
    HASH_FIND_STR(source->entries, uid, entry);
    if (entry == NULL) {
        entry = mem_new(sizeof *entry);
        entry->uid = mem_dup(uid);
        entry->round_trip = -1;
        HASH_ADD_KEYPTR(hh, source->entries, entry->uid, strlen(entry->uid), entry);
    }
    return entry;
}

static void on_pod(void *user, const char *type, const struct json *object)
{
    struct source *source = user;
    const struct json *metadata = json_get(object, "metadata");
    const char *uid = json_string(json_get(metadata, "uid"));
    const char *version = json_string(json_get(metadata, "resourceVersion"));
    struct entry *entry;
    source->sequence++;
    if (uid == NULL)
        return;
    if (strcmp(type, "DELETED") == 0) {
        HASH_FIND_STR(source->entries, uid, entry);
        if (entry != NULL)
            pod_gone(source, entry);
    } else {
        entry = entry_get(source, uid);
        entry->seen = source->sequence;
        if (version != NULL && is_same(entry->version, version))
            return; /* listed again, and nothing has changed */
        replace(&entry->version, version);
        bool asked = select_is_asked(source->options),
             has = select_has(source->options, pools_list(source->pools), object);
        struct discovery found = {0};
        discover_pod(object, asked && has, &found);
        if (has && (found.is_ours || entry->id != 0)) {
            pod_tell(source, entry, object, &found);
        } else if (!has || entry->id == 0) {
            pod_hide(source, entry);
            entry_look(entry, object);
        }
    }
    if (source->listed)
        source_tell(source);
}

/* A list is complete. Its objects were the last ones that came, since no watch runs meanwhile: whoever was not among them is gone. */
static void on_pods_listed(void *user, size_t count)
{
    struct source *source = user;
    struct entry *entry, *next;
    uint64_t since = source->sequence > count ? source->sequence - count : 0;
    HASH_ITER(hh, source->entries, entry, next)
    {
        if (entry->seen <= since)
            pod_gone(source, entry);
    }
    source->listed = true;
    source->pods_end = API_OK;
    source_tell(source);
}

static void context_ask(struct source *source);

/* Looks whether somebody has logged in again, or mended the kubeconfig. */
static void on_login_timer(uv_timer_t *timer)
{
    struct source *source = timer->data;
    kubectl_proxy_refresh(source->proxy);
    if (source->no_context && source->proxy_state == PROXY_UP)
        context_ask(source);
}

static void login_look(struct source *source)
{
    if (source->pods_end == API_UNAUTHORIZED || source->proxy_state == PROXY_DOWN || source->no_context ||
        source->tunnel_login)
        uv_timer_start(&source->login_timer, on_login_timer, LOGIN_LOOK_MS, LOGIN_LOOK_MS);
    else
        uv_timer_stop(&source->login_timer);
}

static void on_pods_state(void *user, enum api_end end, const char *words)
{
    struct source *source = user;
    source->pods_end = end == API_CUT || end == API_GONE ? API_OK : end; /* those two are the course of things */
    login_look(source);
    if (end == API_OK && source->preflight != NULL)
        preflight_go(source->preflight);
    replace(&source->pods_words, words);
    if (end == API_OK && source->word == KUBECTL_OTHER)
        replace(&source->words, ""); /* the person has done what it wanted */
    if (end == API_OK)
        logs_retry(source->logs);
    source_tell(source);
}

/* ---- events ---- */

static void on_event(void *user, const char *type, const struct json *object)
{
    struct source *source = user;
    struct entry *entry = NULL;
    struct fact fact;
    const char *uid = NULL;
    if (strcmp(type, "DELETED") == 0 || !event_from_json(object, engine_clock(source->engine), &fact, &uid))
        return; /* events are forgotten by the cluster after an hour; what happened has happened */
    if (uid != NULL)
        HASH_FIND_STR(source->entries, uid, entry);
    if (entry != NULL && entry->id != 0) {
        fact.pod = entry->id;
        engine_emit(source->engine, &fact);
    } else if (entry == NULL && uid != NULL) {
        size_t at = source->orphan_next++ % ORPHANS;
        if (source->orphan_uids[at] != NULL)
            fact_free(&source->orphans[at]);
        replace(&source->orphan_uids[at], uid);
        source->orphans[at] = fact; /* with all it owns */
        return;
    }
    fact_free(&fact);
}

/* Events that are no longer listed have happened all the same. */
static void on_events_listed(void *user, size_t count)
{
    (void)user;
    (void)count;
}

static void on_events_state(void *user, enum api_end end, const char *words)
{
    struct source *source = user;
    if (end == API_FORBIDDEN && source->events_end != API_FORBIDDEN)
        on_denied(source, RIGHT_EVENTS, words);
    if (end == API_OK)
        denial_drop(source, RIGHT_EVENTS, source->options->all_namespaces ? "" : source->ns);
    if (end == API_OK || end == API_FORBIDDEN)
        source->events_end = end;
}

/* ---- beginning to watch ---- */

static void watches_start(struct source *source)
{
    static const struct watch_ops pod_ops = {.object = on_pod, .listed = on_pods_listed, .state = on_pods_state};
    static const struct watch_ops event_ops = {
        .object = on_event, .listed = on_events_listed, .state = on_events_state};
    const char *ns = source->options->all_namespaces ? NULL : source->ns;
    struct buf collection, query;
    buf_init(&collection, WORDS_MAX);
    buf_init(&query, 2 * WORDS_MAX);
    select_collection(ns, "pods", &collection);
    select_query(source->options, &query);
    source->pods =
        watch_new(engine_loop(source->engine), source->api, buf_str(&collection), buf_str(&query), &pod_ops, source);
    buf_clear(&collection);
    select_collection(ns, "events", &collection);
    source->events = watch_new(engine_loop(source->engine), source->api, buf_str(&collection),
                               "fieldSelector=involvedObject.kind%3DPod", &event_ops, source);
    buf_free(&collection);
    buf_free(&query);
}

/* What the pools select has changed: every pod is looked at anew. */
static void on_pools(void *user)
{
    struct source *source = user;
    for (struct entry *entry = source->entries; entry != NULL; entry = entry->hh.next)
        replace(&entry->version, NULL);
    watch_free(source->pods);
    watch_free(source->events);
    source->pods = source->events = NULL;
    watches_start(source);
    source_tell(source);
}

/* Where all namespaces are looked at, those are asked for in which pods are seen: see pod_tell(). */
static void preflight_start(struct source *source)
{
    const struct kube_options *options = source->options;
    bool one = options->target_count == 1 && options->targets[0].kind == TARGET_POD;
    enum via via = VIA_AUTO;
    if (source->preflight != NULL)
        return;
    via_from_name(options->via != NULL ? options->via : "", &via);
    source->preflight = preflight_new(&(struct preflight_options){.loop = engine_loop(source->engine),
                                                                  .api = source->api,
                                                                  .tunnel = source->tunnel,
                                                                  .pod = one ? options->targets[0].name : NULL,
                                                                  .via = via,
                                                                  .denied = on_denied,
                                                                  .user = source});
    if (!options->all_namespaces)
        preflight_look(source->preflight, source->ns);
}

static void on_rollout(void *user, const struct workload_facts *workload)
{
    struct source *source = user;
    struct fact fact;
    fact_init(&fact, FACT_WORKLOAD, 0);
    workload_facts_copy(&fact.u.workload, workload);
    engine_emit(source->engine, &fact);
    fact_free(&fact);
}

static void rollouts_start(struct source *source)
{
    if (source->options->rollouts && source->rollouts == NULL)
        source->rollouts = rollouts_new(&(struct rollouts_options){.loop = engine_loop(source->engine),
                                                                   .api = source->api,
                                                                   .options = source->options,
                                                                   .told = on_rollout,
                                                                   .user = source},
                                        source->options->all_namespaces ? NULL : source->ns);
}

/* As soon as the proxy serves and it is known where to look. */
static void source_look(struct source *source)
{
    bool knows = (source->options->all_namespaces && source->pools == NULL) || source->ns != NULL;
    if (source->stopping || source->proxy_state != PROXY_UP || !knows || source->pods != NULL)
        return;
    pools_look(source->pools, source->ns);
    rollouts_start(source);
    if (source->pools == NULL)
        watches_start(source);
    preflight_start(source);
}

static void on_proxy(void *user, enum proxy_state state, enum kubectl_word word, const char *words)
{
    struct source *source = user;
    enum proxy_state before = source->proxy_state;
    if (source->stopping)
        return;
    if (state == PROXY_STARTING && before == PROXY_DOWN)
        return; /* another try: it is down until it serves */
    source->proxy_state = state;
    if (source->no_context && state == PROXY_UP)
        context_ask(source); /* the configuration has been mended */
    login_look(source);
    if (!source->no_context) {
        source->word = word;
        replace(&source->words, words);
    }
    if (source->proxy != NULL && state != before && state != PROXY_STARTING)
        kube_tunnel_proxy(source->tunnel, kubectl_proxy_socket(source->proxy), state == PROXY_UP);
    bool may_ask = before != PROXY_UP || (word == KUBECTL_OTHER && words[0] == '\0' &&
                                          source->pods_end == API_UNAUTHORIZED); /* another login */
    if (state == PROXY_UP && may_ask) {
        source_look(source);
        pools_retry(source->pools);
        rollouts_retry(source->rollouts);
        if (source->pods != NULL) {
            watch_retry(source->pods);
            watch_retry(source->events);
            logs_retry(source->logs);
        }
    }
    source_tell(source);
}

static void source_retitle(struct source *source)
{
    struct buf title;
    buf_init(&title, WORDS_MAX);
    buf_printf(&title, "%s/%s", source->context != NULL ? source->context : "",
               source->options->all_namespaces ? "all namespaces" : source->ns);
    engine_retitle(source->engine, buf_str(&title));
    buf_free(&title);
}

static void on_stop_timer(uv_timer_t *timer);

static void on_context(void *user, const char *context, const char *ns, enum kubectl_word word, const char *words)
{
    struct source *source = user;
    source->context_pending = false;
    if (source->stopping) {
        uv_timer_start(&source->stop_timer, on_stop_timer, 0, 0); /* that one goes on, whichever of them comes first */
        return;
    }
    source->no_context = context == NULL;
    if (source->no_context) {
        source->word = word;
        replace(&source->words, words);
    } else {
        replace(&source->context, context);
        if (source->ns == NULL)
            replace(&source->ns, ns != NULL && ns[0] != '\0' ? ns : "default");
        source_retitle(source);
    }
    login_look(source);
    source_look(source);
    source_tell(source);
}

static void context_ask(struct source *source)
{
    if (!source->context_pending) {
        source->context_pending = true;
        kubectl_context(engine_loop(source->engine), source->kubectl, &source->options->flags, on_context, source);
    }
}

static enum status kube_start(void *user, struct engine *engine, struct problem *problem)
{
    struct source *source = user;
    uv_loop_t *loop = engine_loop(engine);
    source->engine = engine;
    source->http = http_new(loop, "probetop/" PACKAGE_VERSION);
    if (source->http == NULL)
        return problem_set(problem, STATUS_UNSUPPORTED, "libcurl cannot start");
    uv_timer_init(loop, &source->login_timer);
    uv_timer_init(loop, &source->stop_timer);
    source->login_timer.data = source->stop_timer.data = source;
    source->timers = 2;
    kube_tunnel_on_word(source->tunnel, on_word, source);
    kube_tunnel_on_wait(source->tunnel, on_wait, source);
    struct kubectl_proxy_options proxy = {.loop = loop,
                                          .flags = &source->options->flags,
                                          .kubectl = source->kubectl,
                                          .dir = source->dir,
                                          .allow_podproxy = is_same(source->options->via, via_name(VIA_PODPROXY)),
                                          .state = on_proxy,
                                          .group = source->group,
                                          .user = source,
                                          .group_user = source->group_user};
    source_tell(source);
    source->proxy = kubectl_proxy_new(&proxy);
    source->api = api_new(source->http, kubectl_proxy_socket(source->proxy));
    source->pulse = pulse_new(&(struct pulse_options){.loop = loop,
                                                      .api = source->api,
                                                      .pace_ms = PULSE_PACE_MS,
                                                      .silent_ms = PULSE_SILENT_MS,
                                                      .is_alive = api_is_alive,
                                                      .changed = on_pulse,
                                                      .answered = on_settled,
                                                      .user = source});
    source->nodes = nodes_new(loop, source->api, on_settled, source);
    source->pools = pools_new(&(struct pools_options){.loop = loop,
                                                      .api = source->api,
                                                      .options = source->options,
                                                      .changed = on_pools,
                                                      .denied = on_pools_denied,
                                                      .user = source});
    source->rights = (struct rights_wanted){.pools = source->pools != NULL,
                                            .podproxy = is_same(source->options->via, via_name(VIA_PODPROXY))};
    source->logs = logs_new(
        &(struct logs_options){.engine = engine, .api = source->api, .denied = on_logs_denied, .user = source});
    context_ask(source);
    return STATUS_OK;
}

/* "logs 12": somebody looks at them. */
static void kube_control(void *user, const char *line)
{
    struct source *source = user;
    if (strncmp(line, "logs ", 5) == 0)
        logs_ask(source->logs, (uint32_t)strtoul(line + 5, NULL, 10));
}

/* ---- the end ---- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct source *source = handle->data;
    source->timers--;
    if (source->timers == 0)
        engine_source_stopped(source->engine);
}

static void on_proxy_over(void *user)
{
    struct source *source = user;
    source->proxy = NULL;
    uv_close((uv_handle_t *)&source->login_timer, on_timer_closed);
    uv_close((uv_handle_t *)&source->stop_timer, on_timer_closed);
}

static void on_tunnel_over(void *user)
{
    struct source *source = user;
    kubectl_proxy_free(source->proxy, on_proxy_over, source);
}

static void stop_go_on(struct source *source)
{
    logs_free(source->logs);
    watch_free(source->pods);
    watch_free(source->events);
    pulse_free(source->pulse);
    nodes_free(source->nodes);
    source->pulse = NULL;
    pools_free(source->pools);
    rollouts_free(source->rollouts);
    preflight_free(source->preflight);
    source->pools = NULL;
    source->rollouts = NULL;
    source->preflight = NULL;
    api_free(source->api);
    http_free(source->http);
    kube_tunnel_stop(source->tunnel, on_tunnel_over, source);
}

static void on_stop_timer(uv_timer_t *timer)
{
    struct source *source = timer->data;
    if (!source->context_pending)
        stop_go_on(source);
}

/* May be called from within an answer of the API that is being told: what is told from is not taken away before the next turn. */
static void kube_stop(void *user)
{
    struct source *source = user;
    source->stopping = true;
    if (source->timers == 0) { /* it never started */
        engine_source_stopped(source->engine);
        return;
    }
    uv_timer_stop(&source->login_timer);
    uv_timer_start(&source->stop_timer, on_stop_timer, 0, 0);
}

static void kube_source_free(void *user)
{
    struct source *source = user;
    struct entry *entry, *next;
    HASH_CLEAR(by_id, source->shown);
    HASH_ITER(hh, source->entries, entry, next)
    {
        entry_free(source, entry);
    }
    for (size_t i = 0; i < ORPHANS; i++) {
        if (source->orphan_uids[i] != NULL) {
            fact_free(&source->orphans[i]);
            mem_free(source->orphan_uids[i]);
        }
    }
    mem_free(source->kubectl);
    mem_free(source->dir);
    mem_free(source->context);
    mem_free(source->ns);
    for (size_t i = 0; i < source->denial_count; i++)
        mem_free(source->denials[i].ns);
    mem_free(source->words);
    mem_free(source->pods_words);
    mem_free(source->silent_words);
    buf_free(&source->node_words);
    mem_free(source->way_told);
    mem_free(source->told_words);
    kube_options_free(source->options);
    mem_free(source->options);
    mem_free(source);
}

const struct source_ops kube_ops = {.name = "kubernetes",
                                    .start = kube_start,
                                    .control = kube_control,
                                    .after = kube_after,
                                    .judge = kube_judge,
                                    .stop = kube_stop,
                                    .free = kube_source_free};

void *kube_source_new(struct kube_options *options, const char *kubectl, const char *dir, struct kube_tunnel *tunnel,
                      void (*group)(void *user, pid_t group, bool alive), void *group_user)
{
    struct source *source = mem_new(sizeof *source);
    source->options = options;
    source->kubectl = mem_dup(kubectl);
    source->dir = mem_dup(dir);
    source->tunnel = tunnel;
    source->group = group;
    source->group_user = group_user;
    source->ns = mem_dup(source->options->flags.ns);
    source->pods_end = API_OK;
    buf_init(&source->node_words, WORDS_MAX);
    return source;
}
