#include "kube/select.h"

#include "base/mem.h"

#include <string.h>

enum { POOL_LABELS_MAX = 64 };

void select_escape(const char *string, struct buf *out)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *string != '\0'; string++)
        if (strchr(plain, *string) != NULL)
            buf_putc(out, *string);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*string);
}

void select_collection_of(const char *api, const char *ns, const char *resource, struct buf *out)
{
    buf_printf(out, "%s/", api);
    if (ns != NULL) {
        buf_puts(out, "namespaces/");
        select_escape(ns, out);
        buf_putc(out, '/');
    }
    buf_puts(out, resource);
}

void select_collection(const char *ns, const char *resource, struct buf *out)
{
    select_collection_of("/api/v1", ns, resource, out);
}

void select_named(const char *name, struct buf *out)
{
    buf_puts(out, "fieldSelector=metadata.name%3D");
    select_escape(name, out);
}

bool select_is_asked(const struct kube_options *options)
{
    return options->target_count > 0 || options->selector != NULL || options->field_selector != NULL;
}

static void query_add(const char *key, const char *value, struct buf *out)
{
    buf_printf(out, "%s%s=", out->len > 0 ? "&" : "", key);
    select_escape(value, out);
}

void select_query(const struct kube_options *options, struct buf *out)
{
    const struct kube_target *only = options->target_count == 1 ? &options->targets[0] : NULL;
    if (options->selector != NULL)
        query_add("labelSelector", options->selector, out);
    if (options->field_selector != NULL) {
        query_add("fieldSelector", options->field_selector, out);
    } else if (only != NULL && only->kind == TARGET_POD) {
        /* one pod alone may be all that somebody has a right to see, and it spares the API server the others */
        buf_puts(out, out->len > 0 ? "&" : "");
        select_named(only->name, out);
    }
}

bool select_has(const struct kube_options *options, const struct pool *pools, const struct json *pod)
{
    const struct json *labels = json_get(json_get(pod, "metadata"), "labels");
    size_t pool = 0;
    for (size_t i = 0; i < options->target_count; i++) {
        const struct kube_target *target = &options->targets[i];
        if (target->kind != TARGET_POOL) {
            if (kube_target_has(target, pod))
                return true;
            continue;
        }
        const struct pool *candidate = &pools[pool++];
        bool has = candidate->label_count > 0;
        for (size_t k = 0; k + 1 < candidate->label_count && has; k += 2) {
            const char *value = json_string(json_get(labels, candidate->labels[k]));
            has = value != NULL && strcmp(value, candidate->labels[k + 1]) == 0;
        }
        if (has)
            return true;
    }
    return options->target_count == 0;
}

int pool_path(const char *ns, int attempt, struct buf *out)
{
    static const char *const apis[] = {"/apis/inference.networking.k8s.io/v1",
                                       "/apis/inference.networking.x-k8s.io/v1alpha2"};
    if (attempt < 0 || attempt >= (int)(sizeof apis / sizeof *apis))
        return -1;
    select_collection_of(apis[attempt], ns, "inferencepools", out);
    return 0;
}

/* v1 has spec.selector.matchLabels, what was before has the labels in spec.selector itself. */
bool pool_take(struct pool *pool, const struct json *object)
{
    const struct json *selector = json_get(json_get(object, "spec"), "selector");
    const struct json *match = json_get(selector, "matchLabels");
    const struct json *labels = json_is_object(match) ? match : selector;
    size_t count = json_is_object(labels) ? json_count(labels) : 0;
    const char *name = pool->name;
    pool_free(pool);
    *pool = (struct pool){.name = name};
    if (count == 0 || count > POOL_LABELS_MAX)
        return false;
    pool->labels = mem_array(2 * count, sizeof *pool->labels);
    for (const struct json *label = json_first(labels); label != NULL; label = json_next(label)) {
        const char *value = json_string(label);
        pool->labels[pool->label_count++] = mem_dup(json_key(label));
        pool->labels[pool->label_count++] = mem_dup(value != NULL ? value : "");
    }
    return true;
}

void pool_free(struct pool *pool)
{
    for (size_t i = 0; i < pool->label_count; i++)
        mem_free(pool->labels[i]);
    mem_free(pool->labels);
    *pool = (struct pool){0};
}

void kube_options_free(struct kube_options *options)
{
    kubectl_flags_free(&options->flags);
    mem_free(options->selector);
    mem_free(options->field_selector);
    for (size_t i = 0; i < options->target_count; i++)
        mem_free(options->targets[i].name);
    mem_free(options->targets);
    mem_free(options->via);
    *options = (struct kube_options){0};
}
