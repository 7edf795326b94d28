/* One watch: list, watch from there, and again (facts/kube.md 3.2). */
#include "base/clock.h"
#include "base/mem.h"
#include "kube/api.h"
#include "kube/items.h"
#include "kube/select.h"

#include <string.h>

enum {
    PAGE_ITEMS = 250,
    PAGE_MAX = 64 << 20, /* bytes; pods are 10 to 20 KB, mostly managedFields */
    OBJECT_MAX = 4 << 20,
    SERVER_SECONDS = 300, /* asked of the server, so that load balancers and proxies see no connection grow old */
    IDLE_SECONDS = 150,   /* bookmarks come about once a minute */
    PAUSE_FIRST_MS = 200,
    PAUSE_MAX_MS = 10000,
    PAUSE_UNKNOWN_MS = 60000, /* of a kind of objects that the API server does not know: somebody may install it */
    QUERY_MAX = 16384
};
/* A watch that held as long as this has held: what ends it is a new story. */
enum { HELD_US = SECOND_US };

struct watch {
    struct api *api;
    uv_timer_t timer; /* the pause before the next try */
    char *collection, *query;
    const struct watch_ops *ops;
    void *user;
    uint64_t ticket;       /* of what is under way; 0: pausing */
    struct buf version;    /* resourceVersion to watch from; empty: to be listed */
    struct buf page;       /* "continue" of the list under way */
    size_t count;          /* of its objects so far */
    int failures;          /* in a row */
    int64_t listed, begun; /* CLOCK_MONOTONIC µs: of the last complete list, and when the watch was asked for */
    bool been_good;        /* it has watched before */
    /* its first "forbidden" since it watched was not told: an API server that begins says so before it knows its rules */
    bool doubted;
    bool told;          /* ops->state has been called */
    enum api_end state; /* what it was told last */
    bool closing;
};

static void watch_go(struct watch *watch);

static void state_tell(struct watch *watch, enum api_end end, const char *words)
{
    if (watch->closing || (watch->told && watch->state == end))
        return;
    watch->told = true;
    watch->state = end;
    watch->ops->state(watch->user, end, words);
}

static void on_pause_over(uv_timer_t *timer)
{
    watch_go(timer->data);
}

/* Doubles with each failure in a row; a fifth of it is left to chance, so that many watches do not come at once. */
static void watch_pause(struct watch *watch, int64_t most)
{
    int64_t pause = PAUSE_FIRST_MS;
    for (int i = 0; i < watch->failures && pause < most; i++)
        pause *= 2;
    pause = pause < most ? pause : most;
    pause -= clock_mono_us() % (pause / 5);
    watch->failures++;
    uv_timer_start(&watch->timer, on_pause_over, (uint64_t)pause, 0);
}

static void watch_failed(struct watch *watch, enum api_end end, const char *words)
{
    if (watch->closing)
        return;
    watch_pause(watch, end == API_NOT_FOUND ? PAUSE_UNKNOWN_MS : PAUSE_MAX_MS);
    bool doubt = end == API_FORBIDDEN && watch->been_good && !watch->doubted;
    watch->doubted = watch->doubted || doubt;
    if (!doubt)
        state_tell(watch, end, words);
}

/* ---- paths ---- */

static void path_begin(const struct watch *watch, struct buf *path)
{
    buf_init(path, QUERY_MAX);
    buf_printf(path, "%s?%s%s", watch->collection, watch->query, watch->query[0] ? "&" : "");
}

/* ---- lists ---- */

/* Tells the objects of one page. False: the answer is no list, or the watch was freed meanwhile. */
static bool page_tell(struct watch *watch, struct items_span *items)
{
    struct json *item;
    while (items_take(items, &item)) {
        if (!item)
            return true;
        watch->count++;
        watch->ops->object(watch->user, "ADDED", item);
        json_free(item);
        if (watch->closing)
            return false;
    }
    return false;
}

static void buf_set(struct buf *buf, const char *string)
{
    buf_clear(buf);
    buf_puts(buf, string ? string : "");
}

static void list_complete(struct watch *watch)
{
    watch->listed = clock_mono_us();
    watch->ops->listed(watch->user, watch->count);
    if (!watch->closing)
        watch_go(watch);
}

static void on_page(void *user, enum api_end end, const char *words, const char *body, size_t length)
{
    struct watch *watch = user;
    struct items_span metadata, items;
    struct json *meta = NULL;
    watch->ticket = 0;
    if (end != API_OK) {
        buf_clear(&watch->page); /* from its beginning: a list too old to be continued, or an API that was away */
        watch_failed(watch, end, words);
        return;
    }
    bool good = items_find(body, length, &metadata, &items) &&
                json_parse(metadata.bytes, metadata.length, OBJECT_MAX, &meta, NULL) == STATUS_OK;
    const char *version = json_string(json_get(meta, "resourceVersion"));
    if (good && version && page_tell(watch, &items)) {
        buf_set(&watch->page, json_string(json_get(meta, "continue")));
        if (watch->page.len == 0)
            buf_set(&watch->version, version);
    } else {
        good = false;
    }
    json_free(meta);
    if (watch->closing)
        return;
    if (!good || !version) {
        buf_clear(&watch->page);
        watch_failed(watch, API_BAD, "the answer to a list is not one");
    } else if (watch->page.len > 0) {
        watch_go(watch);
    } else {
        list_complete(watch);
    }
}

static void list_go(struct watch *watch)
{
    struct buf path;
    path_begin(watch, &path);
    buf_printf(&path, "limit=%d", PAGE_ITEMS);
    if (watch->page.len > 0) {
        buf_puts(&path, "&continue=");
        select_escape(buf_str(&watch->page), &path);
    } else {
        watch->count = 0;
    }
    watch->ticket = api_get(watch->api, buf_str(&path), PAGE_MAX, on_page, watch);
    buf_free(&path);
}

/* ---- watches ---- */

static void watch_ended(struct watch *watch, enum api_end end, const char *words)
{
    int64_t now = clock_mono_us();
    watch->ticket = 0;
    if (now - watch->begun >= HELD_US)
        watch->failures = 0;
    if (end == API_GONE || end == API_BAD)
        buf_clear(&watch->version);
    if (end == API_OK && now - watch->begun >= HELD_US)
        watch_go(watch); /* its time was over */
    else if (end == API_GONE && now - watch->listed >= HELD_US)
        watch_go(watch); /* as it happens; but a server that finds its own lists too old is not asked without a pause */
    else if (end == API_OK || (end == API_CUT && watch->failures == 0))
        watch_pause(watch, PAUSE_MAX_MS); /* a fault only if it cannot be resumed */
    else
        watch_failed(watch, end, words);
}

/* A line says that the watch under way is of no more use. */
static void watch_stop(struct watch *watch, enum api_end end, const char *words)
{
    api_cancel(watch->api, watch->ticket);
    watch_ended(watch, end, words);
}

static void error_line(struct watch *watch, const struct json *status)
{
    const char *message = json_string(json_get(status, "message"));
    bool gone = json_int(json_get(status, "code"), 0) == 410;
    watch_stop(watch, gone ? API_GONE : API_BAD, message ? message : "the watch told an error");
}

static void on_line(void *user, const char *line, size_t length)
{
    struct watch *watch = user;
    struct json *document;
    if (length == 0)
        return;
    json_parse(line, length, OBJECT_MAX, &document, NULL);
    const char *type = json_string(json_get(document, "type"));
    const struct json *object = json_get(document, "object");
    const char *version = json_string(json_get(json_get(object, "metadata"), "resourceVersion"));
    if (type && strcmp(type, "ERROR") == 0) {
        error_line(watch, object);
    } else if (!type || !version) {
        watch_stop(watch, API_BAD, "a line of the watch is not what was expected");
    } else {
        buf_set(&watch->version, version);
        if (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0 || strcmp(type, "DELETED") == 0)
            watch->ops->object(watch->user, type, object);
    }
    json_free(document);
}

static void on_open(void *user)
{
    struct watch *watch = user;
    watch->been_good = true;
    watch->doubted = false;
    state_tell(watch, API_OK, "");
}

static void on_end(void *user, enum api_end end, const char *words)
{
    watch_ended(user, end, words);
}

static void watch_stream(struct watch *watch)
{
    struct buf path;
    path_begin(watch, &path);
    buf_puts(&path, "watch=1&resourceVersion=");
    select_escape(buf_str(&watch->version), &path);
    buf_printf(&path, "&allowWatchBookmarks=true&timeoutSeconds=%d", SERVER_SECONDS);
    watch->begun = clock_mono_us();
    watch->ticket = api_stream(watch->api, buf_str(&path), IDLE_SECONDS, on_line, on_end, watch);
    api_on_open(watch->api, watch->ticket, on_open);
    buf_free(&path);
}

/* ---- the whole ---- */

static void watch_go(struct watch *watch)
{
    uv_timer_stop(&watch->timer);
    if (watch->version.len > 0)
        watch_stream(watch);
    else
        list_go(watch);
}

struct watch *watch_new(uv_loop_t *loop, struct api *api, const char *collection, const char *query,
                        const struct watch_ops *ops, void *user)
{
    struct watch *watch = mem_new(sizeof *watch);
    watch->api = api;
    watch->collection = mem_dup(collection);
    watch->query = mem_dup(query);
    watch->ops = ops;
    watch->user = user;
    buf_init(&watch->version, QUERY_MAX / 8);
    buf_init(&watch->page, QUERY_MAX / 4);
    uv_timer_init(loop, &watch->timer);
    watch->timer.data = watch;
    watch_go(watch);
    return watch;
}

void watch_retry(struct watch *watch)
{
    watch->failures = 0;
    if (watch->ticket == 0)
        watch_go(watch);
}

static void on_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    buf_free(&watch->version);
    buf_free(&watch->page);
    mem_free(watch->collection);
    mem_free(watch->query);
    mem_free(watch);
}

void watch_free(struct watch *watch)
{
    if (!watch)
        return;
    watch->closing = true;
    if (watch->ticket != 0)
        api_cancel(watch->api, watch->ticket);
    uv_close((uv_handle_t *)&watch->timer, on_closed);
}
