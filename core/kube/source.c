#include "kube/source_work.h"

#include "kube/rights.h"
#include "kube/select.h"
#include "kube/standing.h"

#include <stdlib.h>
#include <string.h>

enum { LOGIN_LOOK_MS = 2000, LOOKS_MAX = 5, SIGNS_MAX = 4 };

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

void source_tell(struct source *source)
{
    struct buf signs, looks, pools, words;
    struct fact fact;
    buf_init(&signs, SOURCE_WORDS_MAX);
    buf_init(&pools, SOURCE_WORDS_MAX);
    buf_init(&looks, SOURCE_WORDS_MAX);
    buf_init(&words, SOURCE_WORDS_MAX);
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
        mem_replace(&source->told_words, buf_str(&words));
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

static void context_ask(struct source *source);

/* Looks whether somebody has logged in again, or mended the kubeconfig. */
static void on_login_timer(uv_timer_t *timer)
{
    struct source *source = timer->data;
    kubectl_proxy_refresh(source->proxy);
    if (source->no_context && source->proxy_state == PROXY_UP)
        context_ask(source);
}

void source_login_look(struct source *source)
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
    source_login_look(source);
    if (end == API_OK && source->preflight != NULL)
        preflight_go(source->preflight);
    mem_replace(&source->pods_words, words);
    if (end == API_OK && source->word == KUBECTL_OTHER)
        mem_replace(&source->words, ""); /* the person has done what it wanted */
    if (end == API_OK)
        logs_retry(source->logs);
    source_tell(source);
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
        source_denied(source, RIGHT_EVENTS, words);
    if (end == API_OK)
        source_permitted(source, RIGHT_EVENTS, source->options->all_namespaces ? "" : source->ns);
    if (end == API_OK || end == API_FORBIDDEN)
        source->events_end = end;
}

/* ---- beginning to watch ---- */

static void on_logs_denied(void *user, const char *words)
{
    source_denied(user, RIGHT_LOGS, words);
}

static void on_pools_denied(void *user, const char *words)
{
    source_denied(user, RIGHT_POOLS, words);
}

static void watches_start(struct source *source)
{
    static const struct watch_ops pod_ops = {
        .object = source_pod, .listed = source_pods_listed, .state = on_pods_state};
    static const struct watch_ops event_ops = {
        .object = source_event, .listed = on_events_listed, .state = on_events_state};
    const char *ns = source->options->all_namespaces ? NULL : source->ns;
    struct buf collection, query;
    buf_init(&collection, SOURCE_WORDS_MAX);
    buf_init(&query, 2 * SOURCE_WORDS_MAX);
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
        mem_replace(&entry->version, NULL);
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
                                                                  .denied = source_denied,
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
    source_login_look(source);
    if (!source->no_context) {
        source->word = word;
        mem_replace(&source->words, words);
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
    buf_init(&title, SOURCE_WORDS_MAX);
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
        mem_replace(&source->words, words);
    } else {
        mem_replace(&source->context, context);
        if (source->ns == NULL)
            mem_replace(&source->ns, ns != NULL && ns[0] != '\0' ? ns : "default");
        source_retitle(source);
    }
    source_login_look(source);
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
    source_ways_start(source);
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
    source_ways_stop(source);
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
    source_pods_free(source);
    source_ways_free(source);
    mem_free(source->kubectl);
    mem_free(source->dir);
    mem_free(source->context);
    mem_free(source->ns);
    mem_free(source->words);
    mem_free(source->pods_words);
    mem_free(source->told_words);
    kube_options_free(source->options);
    mem_free(source->options);
    mem_free(source);
}

const struct source_ops kube_ops = {.name = "kubernetes",
                                    .start = kube_start,
                                    .control = kube_control,
                                    .after = source_after,
                                    .judge = source_judge,
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
    return source;
}
