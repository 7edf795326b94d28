#include "kube/pools.h"

#include "base/mem.h"

#include <string.h>

enum { APIS = 2, /* as many as pool_path() knows */ PATH_MAX_BYTES = 1024, WORDS_MAX = 1 << 16 };

/* What one API says of one pool. Both are asked at once: a cluster that has the newer one may have this pool in the older all the same. */
struct pool_view {
    struct pools *pools;
    struct watch *watch;
    struct pool pool;
    bool there;   /* the object is */
    bool counted; /* within the list under way */
    bool settled; /* it is known whether it is */
    bool unknown; /* the API server does not know such objects */
    char *denied; /* its words; NULL: it was not */
};

struct pools {
    struct pools_options options;
    char *ns;
    size_t count;
    struct pool *list;       /* what was told of each, strings borrowed from its view */
    struct pool_view *views; /* APIS of each */
    char *told;              /* the selection as words; NULL: not told yet */
};

/* Why it is not known whether there is such a pool: by the one API it was not found, and the other may not be asked. */
static const char *pool_denied(const struct pools *pools, size_t at)
{
    const struct pool_view *views = &pools->views[at * APIS];
    if (!pools->list[at].missing)
        return NULL;
    return views[0].denied ? views[0].denied : views[1].denied;
}

/* All that matters of it, so that what comes again is no change. */
static char *selection_words(const struct pools *pools)
{
    struct buf words;
    buf_init(&words, WORDS_MAX);
    for (size_t i = 0; i < pools->count; i++) {
        const struct pool *pool = &pools->list[i];
        buf_puts(&words, pool_denied(pools, i) ? "?" : pool->missing ? "-" : "+");
        for (size_t k = 0; k < pool->label_count; k++)
            buf_printf(&words, "%s\n", pool->labels[k]);
    }
    char *copy = mem_dup(buf_str(&words));
    buf_free(&words);
    return copy;
}

static void pools_tell(struct pools *pools)
{
    for (size_t i = 0; i < pools->count; i++) {
        const struct pool_view *views = &pools->views[i * APIS];
        const char *name = pools->list[i].name;
        pools->list[i] = (struct pool){.name = name, .missing = true};
        for (size_t k = APIS; k > 0; k--)
            if (views[k - 1].there)
                pools->list[i] = views[k - 1].pool;
    }
    char *words = selection_words(pools);
    bool changed = pools_known(pools) && (pools->told == NULL || strcmp(pools->told, words) != 0);
    if (!changed) {
        mem_free(words);
        return;
    }
    mem_free(pools->told);
    pools->told = words;
    for (size_t i = 0; i < pools->count; i++)
        if (pool_denied(pools, i))
            pools->options.denied(pools->options.user, pool_denied(pools, i));
    pools->options.changed(pools->options.user);
}

static void on_object(void *user, const char *type, const struct json *object)
{
    struct pool_view *view = user;
    view->there = strcmp(type, "DELETED") != 0;
    view->counted = true;
    if (view->there)
        pool_take(&view->pool, object);
    if (view->settled)
        pools_tell(view->pools);
}

static void on_listed(void *user, size_t count)
{
    struct pool_view *view = user;
    (void)count;
    mem_free(view->denied);
    view->denied = NULL;
    view->there = view->counted;
    view->counted = false;
    view->settled = true;
    view->unknown = false;
    pools_tell(view->pools);
}

static void on_state(void *user, enum api_end end, const char *words)
{
    struct pool_view *view = user;
    if (end != API_NOT_FOUND && end != API_FORBIDDEN)
        return;
    view->unknown = end == API_NOT_FOUND;
    mem_free(view->denied);
    view->denied = end == API_FORBIDDEN ? mem_dup(words) : NULL;
    view->there = false;
    view->settled = true;
    pools_tell(view->pools);
}

static const struct watch_ops view_ops = {.object = on_object, .listed = on_listed, .state = on_state};

struct pools *pools_new(const struct pools_options *options)
{
    const struct kube_options *asked = options->options;
    struct pools *pools = mem_new(sizeof *pools);
    pools->options = *options;
    pools->list = mem_array(asked->target_count, sizeof *pools->list);
    for (size_t i = 0; i < asked->target_count; i++)
        if (asked->targets[i].kind == TARGET_POOL)
            pools->list[pools->count++].name = asked->targets[i].name;
    if (pools->count == 0) {
        pools_free(pools);
        return NULL;
    }
    pools->views = mem_array(pools->count * APIS, sizeof *pools->views);
    return pools;
}

void pools_look(struct pools *pools, const char *ns)
{
    struct buf path, query;
    if (pools == NULL || pools->ns != NULL)
        return;
    pools->ns = mem_dup(ns);
    buf_init(&path, PATH_MAX_BYTES);
    buf_init(&query, PATH_MAX_BYTES);
    for (size_t i = 0; i < pools->count * APIS; i++) {
        struct pool_view *view = &pools->views[i];
        const char *name = pools->list[i / APIS].name;
        view->pools = pools;
        view->pool.name = name;
        buf_clear(&path);
        buf_clear(&query);
        pool_path(ns, (int)(i % APIS), &path);
        select_named(name, &query);
        view->watch =
            watch_new(pools->options.loop, pools->options.api, buf_str(&path), buf_str(&query), &view_ops, view);
    }
    buf_free(&path);
    buf_free(&query);
}

void pools_retry(struct pools *pools)
{
    for (size_t i = 0; pools != NULL && pools->ns != NULL && i < pools->count * APIS; i++)
        watch_retry(pools->views[i].watch);
}

bool pools_known(const struct pools *pools)
{
    for (size_t i = 0; pools != NULL && i < pools->count * APIS; i++)
        if (!pools->views[i].settled)
            return false;
    return true;
}

const struct pool *pools_list(const struct pools *pools)
{
    return pools != NULL ? pools->list : NULL;
}

void pools_trouble(const struct pools *pools, struct buf *out)
{
    for (size_t i = 0; pools != NULL && pools_known(pools) && i < pools->count; i++) {
        const struct pool *pool = &pools->list[i];
        const struct pool_view *views = &pools->views[i * APIS];
        bool unknown = views[0].unknown && views[1].unknown;
        if (!pool->missing && pool->label_count > 0)
            continue;
        buf_puts(out, out->len > 0 ? "; " : "");
        if (pool_denied(pools, i))
            buf_printf(out, "nobody may say which pods the pool %s has", pool->name);
        else if (unknown)
            buf_printf(out, "the cluster knows no InferencePools, so there is no pool %s", pool->name);
        else if (pool->missing)
            buf_printf(out, "there is no InferencePool %s in the namespace %s", pool->name, pools->ns);
        else
            buf_printf(out, "the InferencePool %s selects nothing", pool->name);
    }
}

void pools_free(struct pools *pools)
{
    if (pools == NULL)
        return;
    for (size_t i = 0; pools->views != NULL && i < pools->count * APIS; i++) {
        watch_free(pools->views[i].watch);
        pool_free(&pools->views[i].pool);
        mem_free(pools->views[i].denied);
    }
    mem_free(pools->views);
    mem_free(pools->list);
    mem_free(pools->ns);
    mem_free(pools->told);
    mem_free(pools);
}
