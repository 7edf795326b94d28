/* Pods and events of the cluster as facts: see source_work.h. */
#include "kube/source_work.h"

#include "kube/select.h"

#include <string.h>

enum {
    SECRETS_MAX = 32,
    MANY = 50,               /* pods; of more than these each is asked for its health less often */
    MANY_HEALTH_SECONDS = 10 /* as often as the recommended livenessProbe, which then covers it */
};

/* ---- pods ---- */

struct entry *source_entry(const struct source *source, uint32_t id)
{
    struct entry *entry;
    HASH_FIND(by_id, source->shown, &id, sizeof id, entry);
    return entry;
}

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
    mem_replace(&entry->sign, found->sign);
    fact_init(&fact, FACT_POD, entry->id);
    struct pod_facts *facts = &fact.u.facts;
    pod_facts_from_json(object, found, engine_clock(source->engine), entry->id, facts);
    facts_spare_witnesses(source, facts);
    source_set_way(source, facts);
    facts_hide_secrets(source, facts);
    mem_replace(&entry->via, text_str(&facts->via));
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

void source_pod(void *user, const char *type, const struct json *object)
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
        mem_replace(&entry->version, version);
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
void source_pods_listed(void *user, size_t count)
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

/* ---- events ---- */

void source_event(void *user, const char *type, const struct json *object)
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
        mem_replace(&source->orphan_uids[at], uid);
        source->orphans[at] = fact; /* with all it owns */
        return;
    }
    fact_free(&fact);
}

void source_pods_free(struct source *source)
{
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
}
