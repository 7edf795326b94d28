#include "kube/rollouts.h"

#include "base/mem.h"

#include <string.h>

enum { PATH_MAX_BYTES = 1024 };
static const char NOT_THERE[] = "there is none of that name";
static const char NOT_PERMITTED[] = "whether it is rolled out cannot be told, and pods of an older version may be "
                                    "counted: the right to list it is missing";

/* One workload that was asked for. */
struct rollout {
    struct rollouts *rollouts;
    const struct kube_target *target;
    const char *type; /* as targets are spelled */
    struct watch *watch;
    bool counted; /* within the list under way */
    struct text told_ns, told;
};

struct rollouts {
    struct rollouts_options options;
    char *ns;
    size_t count;
    struct rollout *list;
};

/* ---- reading ---- */

const char *rollout_type(enum target_kind kind)
{
    return kind == TARGET_DEPLOYMENT ? "deploy" : kind == TARGET_STATEFULSET ? "sts" : NULL;
}

static int32_t number(const struct json *object, const char *key, int64_t fallback)
{
    int64_t value = json_int(json_get(object, key), fallback);
    return value < 0 ? 0 : value > INT32_MAX ? INT32_MAX : (int32_t)value;
}

static const char *plural(int32_t count)
{
    return count == 1 ? " is" : "s are";
}

static void rollout_say(struct workload_facts *out)
{
    const char *name = text_str(&out->name);
    int32_t old = out->total - out->updated;
    if (!out->observed)
        text_printf(&out->words, TEXT_LINE, "%s: its controller has not seen its newest version yet", name);
    else if (workload_is_rolled_out(out))
        text_printf(&out->words, TEXT_LINE, "%s: all its pods (%d) are of its newest version", name, (int)out->total);
    else if (out->updated < out->desired)
        text_printf(&out->words, TEXT_LINE, "%s: %d of %d pod%s of its newest version", name, (int)out->updated,
                    (int)out->desired, plural(out->desired));
    else
        text_printf(&out->words, TEXT_LINE, "%s: %d pod%s of an older version", name, (int)old, plural(old));
}

/* Pods below the partition keep the older version on purpose, and OnDelete leaves it to people which pods are replaced. */
static void stateful_take(const struct json *object, struct workload_facts *out)
{
    const struct json *strategy = json_get(json_get(object, "spec"), "updateStrategy");
    const struct json *rolling = json_get(strategy, "rollingUpdate"), *status = json_get(object, "status");
    int32_t kept = number(rolling, "partition", 0);
    const char *now = json_string(json_get(status, "currentRevision"));
    bool is_new =
        now && json_string_is(json_get(status, "updateRevision"), now); /* then updatedReplicas may be left out */
    if (json_string_is(json_get(strategy, "type"), "OnDelete") || is_new)
        out->updated = out->total;
    kept = kept < out->total ? kept : out->total;
    out->updated = out->updated + kept < out->total ? out->updated + kept : out->total;
}

void rollout_take(const char *type, const struct json *object, struct workload_facts *out)
{
    const struct json *metadata = json_get(object, "metadata"), *status = json_get(object, "status");
    struct text name = {0};
    json_text(json_get(metadata, "name"), &name, TEXT_NAME);
    json_text(json_get(metadata, "namespace"), &out->ns, TEXT_NAME);
    text_printf(&out->name, TEXT_NAME, "%s/%s", type, text_str(&name));
    text_free(&name);
    out->observed =
        json_int(json_get(status, "observedGeneration"), 0) >= json_int(json_get(metadata, "generation"), 0);
    out->desired = number(json_get(object, "spec"), "replicas", 1);
    out->total = number(status, "replicas", 0);
    out->updated = number(status, "updatedReplicas", 0);
    if (json_is_object(json_get(json_get(object, "spec"), "updateStrategy")))
        stateful_take(object, out);
    rollout_say(out);
}

/* ---- keeping in view ---- */

/* The status changes with every pod that comes up, and what matters of it does not. */
static void rollout_tell(struct rollout *rollout, const struct workload_facts *facts)
{
    const struct rollouts_options *options = &rollout->rollouts->options;
    if (text_equal(&rollout->told_ns, &facts->ns) && text_equal(&rollout->told, &facts->words))
        return;
    text_copy(&rollout->told_ns, &facts->ns);
    text_copy(&rollout->told, &facts->words);
    options->told(options->user, facts);
}

/* One that is not there, or that nobody may look at, waits for nothing. ns "": in none of all namespaces. */
static void rollout_tell_nothing(struct rollout *rollout, const char *ns, const char *why)
{
    struct workload_facts facts;
    memset(&facts, 0, sizeof facts);
    text_printf(&facts.name, TEXT_NAME, "%s/%s", rollout->type, rollout->target->name);
    text_set_str(&facts.ns, ns, TEXT_NAME);
    text_printf(&facts.words, TEXT_LINE, "%s: %s", text_str(&facts.name), why);
    facts.observed = true;
    rollout_tell(rollout, &facts);
    workload_facts_free(&facts);
}

static const char *own_namespace(const struct rollout *rollout)
{
    return rollout->rollouts->ns ? rollout->rollouts->ns : "";
}

static void on_object(void *user, const char *type, const struct json *object)
{
    struct rollout *rollout = user;
    struct workload_facts facts;
    memset(&facts, 0, sizeof facts);
    rollout->counted = true;
    rollout_take(rollout->type, object, &facts);
    if (strcmp(type, "DELETED") == 0)
        rollout_tell_nothing(rollout, text_str(&facts.ns), NOT_THERE);
    else
        rollout_tell(rollout, &facts);
    workload_facts_free(&facts);
}

static void on_listed(void *user, size_t count)
{
    struct rollout *rollout = user;
    (void)count;
    if (!rollout->counted)
        rollout_tell_nothing(rollout, own_namespace(rollout), NOT_THERE);
    rollout->counted = false;
}

static void on_state(void *user, enum api_end end, const char *words)
{
    struct rollout *rollout = user;
    (void)words;
    if (end == API_FORBIDDEN)
        rollout_tell_nothing(rollout, own_namespace(rollout), NOT_PERMITTED);
}

static const struct watch_ops rollout_ops = {.object = on_object, .listed = on_listed, .state = on_state};

static void rollout_begin(struct rollouts *rollouts, const struct kube_target *target)
{
    struct rollout *rollout = &rollouts->list[rollouts->count++];
    struct buf path, query;
    *rollout = (struct rollout){.rollouts = rollouts, .target = target, .type = rollout_type(target->kind)};
    buf_init(&path, PATH_MAX_BYTES);
    buf_init(&query, PATH_MAX_BYTES);
    select_collection_of("/apis/apps/v1", rollouts->ns,
                         target->kind == TARGET_STATEFULSET ? "statefulsets" : "deployments", &path);
    select_named(target->name, &query);
    rollout->watch = watch_new(rollouts->options.loop, rollouts->options.api, buf_str(&path), buf_str(&query),
                               &rollout_ops, rollout);
    buf_free(&path);
    buf_free(&query);
}

struct rollouts *rollouts_new(const struct rollouts_options *options, const char *ns)
{
    const struct kube_options *asked = options->options;
    struct rollouts *rollouts = mem_new(sizeof *rollouts);
    rollouts->options = *options;
    rollouts->ns = mem_dup(ns);
    rollouts->list = mem_array(asked->target_count, sizeof *rollouts->list);
    for (size_t i = 0; i < asked->target_count; i++)
        if (rollout_type(asked->targets[i].kind))
            rollout_begin(rollouts, &asked->targets[i]);
    if (rollouts->count > 0)
        return rollouts;
    rollouts_free(rollouts);
    return NULL;
}

void rollouts_retry(struct rollouts *rollouts)
{
    for (size_t i = 0; rollouts && i < rollouts->count; i++)
        watch_retry(rollouts->list[i].watch);
}

void rollouts_free(struct rollouts *rollouts)
{
    if (!rollouts)
        return;
    for (size_t i = 0; i < rollouts->count; i++) {
        watch_free(rollouts->list[i].watch);
        text_free(&rollouts->list[i].told_ns);
        text_free(&rollouts->list[i].told);
    }
    mem_free(rollouts->list);
    mem_free(rollouts->ns);
    mem_free(rollouts);
}
