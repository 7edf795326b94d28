#include "tests/support/fake_api.h"

#include "base/clock.h"
#include "base/mem.h"
#include "tunnel/spdy.h"
#include "tunnel/websocket.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    HEAD_MAX = 64 << 10,
    OBJECT_MAX = 1 << 20,
    ANSWER_MAX = 64 << 20,
    LOG_MAX = 4 << 20,
    REQUESTS_MAX = 8 << 20,
    SELECTOR_MAX = 1024,
    NAME_SIZE = 256,
    BACKLOG = 128,
    ROOM = 65536,
    DENIED_MAX = 8,
    SPDY_SEED = 7
};

/* ---- what it holds ---- */

struct object {
    enum fake_kind kind;
    char *ns, *name, *metadata, *members, *uid;
    uint64_t version;
    char *text; /* compact JSON */
    struct json *json;
};
struct change {
    uint64_t version;
    enum fake_kind kind;
    const char *type;
    char *text;
    struct json *json;
};
struct log {
    char ns[NAME_SIZE], pod[NAME_SIZE], container[NAME_SIZE];
    struct buf now, before;
};

struct fake_api {
    uv_loop_t *loop;
    char *socket;
    struct fake_api_options options;
    uv_pipe_t *listener; /* NULL while it is down */
    struct connection *connections;
    struct object *objects;
    size_t object_count;
    struct change *changes;
    size_t change_count;
    struct log **logs;
    size_t log_count;
    uint64_t version, oldest; /* watches from before `oldest` are too late */
    bool expired, old_server, frozen, no_forwards, knows_pools;
    unsigned hold;
    char *swallowed; /* a node's name */
    char *denied[DENIED_MAX];
    size_t denied_count;
    struct buf requests;
    char room[ROOM];
};

static const char *const KIND_NAMES[FAKE_KINDS] = {"Pod", "Event", "InferencePool", "Deployment", "StatefulSet"};

enum use { USE_HTTP, USE_WATCH, USE_LOG, USE_FORWARD, USE_RELAY, USE_SWALLOWED };

struct pair;
struct connection {
    uv_pipe_t pipe;
    struct fake_api *api;
    struct connection *previous, *next;
    struct buf in;
    enum use use;
    struct buf stalled; /* what would have been written while the API is frozen */
    /* a request to a pod */
    uv_tcp_t *relay; /* NULL: none is open */
    uv_connect_t reach;
    struct buf asked;
    /* a watch */
    enum fake_kind kind;
    char ns[NAME_SIZE], labels[SELECTOR_MAX], fields[SELECTOR_MAX];
    size_t change_at;
    bool bookmarks;
    /* a followed log */
    struct log *log;
    size_t log_at;
    char pod[NAME_SIZE]; /* where it leads to, by way of its node; "": nowhere but to the API */
    /* a port-forward */
    struct websocket *websocket; /* NULL: plain SPDY */
    struct spdy *spdy;
    struct buf frames, payload;
    struct pair *pairs;
};

/* One connection into the pod: the streams of one request. */
struct pair {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_timer_t hold;
    struct connection *connection; /* NULL once that has gone */
    struct pair *next;
    char request[NAME_SIZE];
    int32_t port;
    uint32_t error, data;
    bool open;                    /* tcp and hold are handles */
    bool pod_ended, client_ended; /* each its sending half */
};

/* ---- writing ---- */

struct write {
    uv_write_t write;
    char bytes[];
};

static void write_done(uv_write_t *write, int status)
{
    (void)status;
    mem_free(write->data);
}

static void stream_write(uv_stream_t *stream, const char *bytes, size_t length)
{
    struct write *write = mem_new(sizeof *write + length + 1);
    memcpy(write->bytes, bytes, length);
    write->write.data = write;
    uv_buf_t part = uv_buf_init(write->bytes, (unsigned)length);
    if (uv_is_closing((uv_handle_t *)stream) || uv_write(&write->write, stream, &part, 1, write_done) != 0)
        mem_free(write);
}

static bool is_swallowed(const struct connection *connection);

static void connection_write(struct connection *connection, const char *bytes, size_t length)
{
    if (is_swallowed(connection))
        buf_append(&connection->stalled, bytes, length);
    else
        stream_write((uv_stream_t *)&connection->pipe, bytes, length);
}

static void connection_chunk(struct connection *connection, const char *bytes, size_t length)
{
    char head[32];
    snprintf(head, sizeof head, "%zx\r\n", length);
    connection_write(connection, head, strlen(head));
    connection_write(connection, bytes, length);
    connection_write(connection, "\r\n", 2);
}

static const char *reason_of(int code)
{
    return code == 200   ? "OK"
           : code == 401 ? "Unauthorized"
           : code == 403 ? "Forbidden"
           : code == 404 ? "NotFound"
           : code == 410 ? "Expired"
                         : "BadRequest";
}

static void answer(struct connection *connection, int code, const char *type, const char *body, size_t length)
{
    char head[256];
    snprintf(head, sizeof head,
             "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nCache-Control: no-cache, private\r\nContent-Length: %zu\r\n\r\n",
             code, reason_of(code), type, length);
    connection_write(connection, head, strlen(head));
    connection_write(connection, body, length);
}

static void status_text(struct buf *out, int code, const char *message)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_put_string(&writer, "kind", "Status");
    json_put_string(&writer, "apiVersion", "v1");
    json_open_object(&writer, "metadata");
    json_close_object(&writer);
    json_put_string(&writer, "status", "Failure");
    json_put_string(&writer, "message", message);
    json_put_string(&writer, "reason", reason_of(code));
    json_put_int(&writer, "code", code);
    json_close_object(&writer);
}

static void answer_status(struct connection *connection, int code, const char *message)
{
    struct buf out;
    buf_init(&out, OBJECT_MAX);
    status_text(&out, code, message);
    answer(connection, code, "application/json", out.data, out.len);
    buf_free(&out);
}

/* ---- connections ---- */

static void pair_freed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void pair_closed(uv_handle_t *handle)
{
    struct pair *pair = handle->data;
    uv_close((uv_handle_t *)&pair->hold, pair_freed);
}

static void pair_close(struct pair *pair)
{
    if (pair->connection) {
        struct pair **at = &pair->connection->pairs;
        while (*at != pair)
            at = &(*at)->next;
        *at = pair->next;
        pair->connection = NULL;
    }
    if (!pair->open)
        mem_free(pair);
    else if (!uv_is_closing((uv_handle_t *)&pair->tcp))
        uv_close((uv_handle_t *)&pair->tcp, pair_closed);
}

static void connection_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    buf_free(&connection->in);
    buf_free(&connection->frames);
    buf_free(&connection->payload);
    buf_free(&connection->stalled);
    buf_free(&connection->asked);
    websocket_free(connection->websocket);
    spdy_free(connection->spdy);
    mem_free(connection);
}

static void relay_closed(uv_handle_t *handle)
{
    mem_free(handle);
}

static void connection_close(struct connection *connection)
{
    if (uv_is_closing((uv_handle_t *)&connection->pipe))
        return;
    while (connection->pairs)
        pair_close(connection->pairs);
    if (connection->relay) {
        connection->relay->data = NULL;
        uv_close((uv_handle_t *)connection->relay, relay_closed);
        connection->relay = NULL;
    }
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        connection->api->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    uv_close((uv_handle_t *)&connection->pipe, connection_closed);
}

/* ---- selecting ---- */

/* a.b.c of an object; keys with dots in them do not occur in field selectors. */
static const struct json *json_path(const struct json *object, const char *path)
{
    char part[NAME_SIZE];
    while (*path) {
        size_t length = strcspn(path, ".");
        snprintf(part, sizeof part, "%.*s", (int)length, path);
        object = json_get(object, part);
        path += length + (path[length] == '.');
    }
    return object;
}

/* KEY=VALUE, KEY==VALUE, KEY!=VALUE or KEY. */
static bool term_fits(const struct json *object, bool labels, const char *term)
{
    char key[NAME_SIZE];
    size_t length = strcspn(term, "!=");
    bool differs = term[length] == '!';
    const char *value = term + length + strspn(term + length, "!=");
    snprintf(key, sizeof key, "%.*s", (int)length, term);
    const char *has =
        json_string(labels ? json_get(json_path(object, "metadata.labels"), key) : json_path(object, key));
    if (!term[length])
        return has != NULL;
    return (has && strcmp(has, value) == 0) != differs;
}

static bool selector_fits(const struct json *object, bool labels, const char *selector)
{
    char term[SELECTOR_MAX];
    while (*selector) {
        size_t length = strcspn(selector, ",");
        snprintf(term, sizeof term, "%.*s", (int)length, selector);
        if (!term_fits(object, labels, term))
            return false;
        selector += length + (selector[length] == ',');
    }
    return true;
}

static bool wanted(const struct connection *connection, enum fake_kind kind, const struct json *object)
{
    const char *ns = json_string(json_path(object, "metadata.namespace"));
    return kind == connection->kind && (!connection->ns[0] || (ns && strcmp(ns, connection->ns) == 0)) &&
           selector_fits(object, true, connection->labels) && selector_fits(object, false, connection->fields);
}

/* ---- watching ---- */

static void watch_line(struct connection *connection, const char *type, const char *object)
{
    struct buf line;
    buf_init(&line, 2 * OBJECT_MAX);
    buf_printf(&line, "{\"type\":\"%s\",\"object\":", type);
    buf_puts(&line, object);
    buf_puts(&line, "}\n");
    connection_chunk(connection, line.data, line.len);
    buf_free(&line);
}

static void watch_send(struct connection *connection)
{
    struct fake_api *api = connection->api;
    for (; connection->change_at < api->change_count; connection->change_at++) {
        const struct change *change = &api->changes[connection->change_at];
        if (wanted(connection, change->kind, change->json))
            watch_line(connection, change->type, change->text);
    }
}

static void watches_send(struct fake_api *api)
{
    for (struct connection *connection = api->connections; connection; connection = connection->next)
        if (connection->use == USE_WATCH)
            watch_send(connection);
}

static void stream_head(struct connection *connection, const char *type)
{
    char head[256];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n", type);
    connection_write(connection, head, strlen(head));
}

static void watch_gone(struct connection *connection)
{
    struct buf status;
    buf_init(&status, OBJECT_MAX);
    status_text(&status, 410, "too old resource version");
    watch_line(connection, "ERROR", buf_str(&status));
    connection_write(connection, "0\r\n\r\n", 5);
    connection->use = USE_HTTP;
    buf_free(&status);
}

static void watch_begin(struct connection *connection, uint64_t from)
{
    struct fake_api *api = connection->api;
    stream_head(connection, "application/json");
    if (from < api->oldest) {
        watch_gone(connection);
        return;
    }
    connection->use = USE_WATCH;
    connection->change_at = 0;
    while (connection->change_at < api->change_count && api->changes[connection->change_at].version <= from)
        connection->change_at++;
    watch_send(connection);
}

/* ---- objects ---- */

static void object_free(struct object *object)
{
    mem_free(object->ns);
    mem_free(object->name);
    mem_free(object->uid);
    mem_free(object->metadata);
    mem_free(object->members);
    mem_free(object->text);
    json_free(object->json);
}

static struct json *parse(const char *text)
{
    struct json *json;
    struct problem problem = {""};
    if (json_parse(text, strlen(text), OBJECT_MAX, &json, &problem) != STATUS_OK) {
        fprintf(stderr, "fake_api: %s in %s\n", problem.text, text);
        abort();
    }
    return json;
}

/* Gives the object a new version, and tells the watches. */
static void object_change(struct fake_api *api, struct object *object, const char *type)
{
    struct buf text;
    buf_init(&text, OBJECT_MAX);
    object->version = ++api->version;
    buf_printf(&text, "{\"kind\":\"%s\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\",",
               KIND_NAMES[object->kind], object->name, object->ns);
    buf_printf(&text, "\"uid\":\"%s\",\"resourceVersion\":\"%" PRIu64 "\"", object->uid, object->version);
    buf_puts(&text, object->metadata);
    buf_puts(&text, "}");
    buf_puts(&text, object->members);
    buf_puts(&text, "}");
    mem_free(object->text);
    json_free(object->json);
    object->text = mem_dup(buf_str(&text));
    object->json = parse(object->text);
    buf_free(&text);
    api->changes = mem_resize(api->changes, api->change_count + 1, sizeof *api->changes);
    api->changes[api->change_count++] = (struct change){.version = object->version,
                                                        .kind = object->kind,
                                                        .type = type,
                                                        .text = mem_dup(object->text),
                                                        .json = parse(object->text)};
    watches_send(api);
}

static struct object *object_find(struct fake_api *api, enum fake_kind kind, const char *ns, const char *name)
{
    for (size_t i = 0; i < api->object_count; i++) {
        struct object *object = &api->objects[i];
        if (object->kind == kind && strcmp(object->ns, ns) == 0 && strcmp(object->name, name) == 0)
            return object;
    }
    return NULL;
}

/* Nobody on the other side takes or says anything. */
static bool is_swallowed(const struct connection *connection)
{
    struct fake_api *api = connection->api;
    const struct object *pod = object_find(api, FAKE_PODS, connection->ns, connection->pod);
    const char *node = pod ? json_string(json_path(pod->json, "spec.nodeName")) : NULL;
    return api->frozen || (api->swallowed && node && strcmp(node, api->swallowed) == 0);
}

void fake_api_put(struct fake_api *api, enum fake_kind kind, const char *ns, const char *name, const char *uid,
                  const char *metadata, const char *members)
{
    struct object *object = object_find(api, kind, ns, name);
    bool is_new = !object;
    api->knows_pools = api->knows_pools || kind == FAKE_POOLS;
    if (is_new) {
        api->objects = mem_resize(api->objects, api->object_count + 1, sizeof *api->objects);
        object = &api->objects[api->object_count++];
        *object = (struct object){.kind = kind, .ns = mem_dup(ns), .name = mem_dup(name)};
    }
    mem_free(object->uid);
    mem_free(object->metadata);
    mem_free(object->members);
    object->uid = mem_dup(uid);
    object->metadata = mem_dup(metadata);
    object->members = mem_dup(members);
    object_change(api, object, is_new ? "ADDED" : "MODIFIED");
}

void fake_api_delete(struct fake_api *api, enum fake_kind kind, const char *ns, const char *name)
{
    struct object *object = object_find(api, kind, ns, name);
    if (!object)
        return;
    object_change(api, object, "DELETED");
    object_free(object);
    *object = api->objects[--api->object_count];
}

/* ---- requests ---- */

struct request {
    char method[16], path[2048], query[4096], verb[16], resource[64];
    char ns[NAME_SIZE], name[NAME_SIZE], subresource[64];
    const char *head; /* as it came */
};

static int hex(char digit)
{
    return digit >= '0' && digit <= '9'                 ? digit - '0'
           : (digit | 32) >= 'a' && (digit | 32) <= 'f' ? (digit | 32) - 'a' + 10
                                                        : -1;
}

static void unescape(const char *from, size_t length, char *out, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < length && at + 1 < size; i++) {
        if (from[i] == '%' && i + 2 < length && hex(from[i + 1]) >= 0 && hex(from[i + 2]) >= 0) {
            out[at++] = (char)(hex(from[i + 1]) * 16 + hex(from[i + 2]));
            i += 2;
        } else {
            out[at++] = from[i] == '+' ? ' ' : from[i];
        }
    }
    out[at] = '\0';
}

static bool query_get(const struct request *request, const char *key, char *out, size_t size)
{
    out[0] = '\0';
    for (const char *at = request->query; *at; at += strcspn(at, "&"), at += *at == '&') {
        size_t length = strcspn(at, "&"), name = strcspn(at, "=&");
        if (strlen(key) == name && strncmp(at, key, name) == 0) {
            unescape(at + name + (name < length), length - name - (name < length), out, size);
            return true;
        }
    }
    return false;
}

static bool query_true(const struct request *request, const char *key)
{
    char value[16];
    return query_get(request, key, value, sizeof value) && (strcmp(value, "1") == 0 || strcmp(value, "true") == 0);
}

static bool header_has(const struct request *request, const char *name, const char *part, char *out, size_t size)
{
    for (const char *line = strstr(request->head, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
        size_t length = strlen(name);
        if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':') {
            const char *value = line + 3 + length + strspn(line + 3 + length, " ");
            char text[1024];
            size_t taken = strcspn(value, "\r");
            snprintf(text, sizeof text, "%.*s", (int)taken, value);
            if (out && taken < size)
                memcpy(out, text, taken + 1);
            return !part || strcasestr(text, part) != NULL;
        }
    }
    return false;
}

#define POOLS_API "/apis/inference.networking.k8s.io/v1/"

/* Of an object's resource; FAKE_KINDS: of none that there is. */
static enum fake_kind kind_of(const struct fake_api *api, const char *resource)
{
    return strcmp(resource, "pods") == 0                                 ? FAKE_PODS
           : strcmp(resource, "events") == 0                             ? FAKE_EVENTS
           : strcmp(resource, "deployments") == 0                        ? FAKE_DEPLOYMENTS
           : strcmp(resource, "statefulsets") == 0                       ? FAKE_STATEFULSETS
           : strcmp(resource, "inferencepools") == 0 && api->knows_pools ? FAKE_POOLS
                                                                         : FAKE_KINDS;
}

/* Takes "/api/v1[/namespaces/NS]/RESOURCE[/NAME[/SUBRESOURCE]]" apart, or the same of POOLS_API. False when it is no such path. */
static bool request_split(struct request *request)
{
    char *parts[8] = {0}, path[2048], *save = NULL;
    size_t count = 0;
    snprintf(path, sizeof path, "%s", request->path);
    for (char *part = strtok_r(path, "/", &save); part && count < 8; part = strtok_r(NULL, "/", &save))
        parts[count++] = part;
    size_t at = strncmp(request->path, "/api/v1/", 8) == 0                     ? 2
                : strncmp(request->path, "/apis/apps/v1/", 14) == 0            ? 3
                : strncmp(request->path, POOLS_API, sizeof POOLS_API - 1) == 0 ? 3
                                                                               : SIZE_MAX;
    if (count <= at)
        return false;
    if (strcmp(parts[at], "namespaces") == 0 && count > at + 2) {
        snprintf(request->ns, sizeof request->ns, "%s", parts[at + 1]);
        at += 2;
    }
    snprintf(request->resource, sizeof request->resource, "%s", parts[at]);
    if (count > at + 1)
        unescape(parts[at + 1], strlen(parts[at + 1]), request->name, sizeof request->name);
    if (count > at + 2)
        snprintf(request->subresource, sizeof request->subresource, "%s", parts[at + 2]);
    return true;
}

static void request_verb(struct request *request)
{
    const char *verb = strcmp(request->method, "POST") == 0 ? "create"
                       : request->name[0]                   ? "get"
                       : query_true(request, "watch")       ? "watch"
                                                            : "list";
    snprintf(request->verb, sizeof request->verb, "%s", verb);
}

/* The answer of RBAC, in its words. */
static bool denied(struct connection *connection, const struct request *request)
{
    struct fake_api *api = connection->api;
    char right[256], there[512 + NAME_SIZE], resource[129], words[1024], scope[NAME_SIZE + 64];
    snprintf(resource, sizeof resource, "%s%s%s", request->resource, request->subresource[0] ? "/" : "",
             request->subresource);
    snprintf(right, sizeof right, "%s %s", request->verb, resource);
    snprintf(there, sizeof there, "%s in %s", right, request->ns);
    for (size_t i = 0; i < api->denied_count; i++) {
        if (strcmp(api->denied[i], right) == 0 || strcmp(api->denied[i], there) == 0) {
            snprintf(scope, sizeof scope, request->ns[0] ? "in the namespace \"%s\"" : "at the cluster scope",
                     request->ns);
            snprintf(words, sizeof words,
                     "%s%s%s%s is forbidden: User \"viewer\" cannot %s resource \"%s\" in API group \"\" %s",
                     request->resource, request->name[0] ? " \"" : "", request->name, request->name[0] ? "\"" : "",
                     request->verb, resource, scope);
            answer_status(connection, 403, words);
            return true;
        }
    }
    return false;
}

static void answer_list(struct connection *connection, const struct request *request)
{
    struct fake_api *api = connection->api;
    char limit[32], from[32];
    struct buf items, out;
    query_get(request, "limit", limit, sizeof limit);
    query_get(request, "continue", from, sizeof from);
    size_t most = limit[0] ? strtoul(limit, NULL, 10) : SIZE_MAX, count = 0, i = strtoul(from, NULL, 10);
    buf_init(&items, ANSWER_MAX);
    buf_init(&out, ANSWER_MAX);
    for (; i < api->object_count && count < most; i++) {
        const struct object *object = &api->objects[i];
        if (wanted(connection, object->kind, object->json)) {
            buf_puts(&items, count++ ? "," : "");
            buf_puts(&items, object->text);
        }
    }
    buf_printf(&out, "{\"kind\":\"%sList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"%" PRIu64 "\"",
               KIND_NAMES[connection->kind], api->version);
    if (i < api->object_count)
        buf_printf(&out, ",\"continue\":\"%zu\",\"remainingItemCount\":%zu", i, api->object_count - i);
    buf_puts(&out, "},\"items\":[");
    buf_append(&out, buf_str(&items), items.len);
    buf_puts(&out, "]}\n");
    answer(connection, 200, "application/json", out.data, out.len);
    buf_free(&items);
    buf_free(&out);
}

static void answer_collection(struct connection *connection, const struct request *request)
{
    char version[32];
    connection->kind = kind_of(connection->api, request->resource);
    snprintf(connection->ns, sizeof connection->ns, "%s", request->ns);
    query_get(request, "labelSelector", connection->labels, sizeof connection->labels);
    query_get(request, "fieldSelector", connection->fields, sizeof connection->fields);
    connection->bookmarks = query_true(request, "allowWatchBookmarks");
    if (!query_true(request, "watch")) {
        answer_list(connection, request);
        return;
    }
    query_get(request, "resourceVersion", version, sizeof version);
    watch_begin(connection, strtoull(version, NULL, 10));
}

/* ---- logs ---- */

static struct log *log_find(struct fake_api *api, const char *ns, const char *pod, const char *container)
{
    for (size_t i = 0; i < api->log_count; i++) {
        struct log *log = api->logs[i];
        if (strcmp(log->ns, ns) == 0 && strcmp(log->pod, pod) == 0 &&
            (!container[0] || strcmp(log->container, container) == 0))
            return log;
    }
    struct log *log = mem_new(sizeof *log);
    snprintf(log->ns, sizeof log->ns, "%s", ns);
    snprintf(log->pod, sizeof log->pod, "%s", pod);
    snprintf(log->container, sizeof log->container, "%s", container);
    buf_init(&log->now, LOG_MAX);
    buf_init(&log->before, LOG_MAX);
    api->logs = mem_resize(api->logs, api->log_count + 1, sizeof(struct log *));
    return api->logs[api->log_count++] = log;
}

static void logs_send(struct fake_api *api)
{
    for (struct connection *connection = api->connections; connection; connection = connection->next) {
        if (connection->use == USE_LOG && connection->log_at < connection->log->now.len) {
            connection_chunk(connection, connection->log->now.data + connection->log_at,
                             connection->log->now.len - connection->log_at);
            connection->log_at = connection->log->now.len;
        }
    }
}

void fake_api_log(struct fake_api *api, const char *ns, const char *pod, const char *container, const char *line)
{
    struct log *log = log_find(api, ns, pod, container);
    struct clock clock;
    char moment[32];
    clock_start(&clock, 1);
    clock_format(clock.wall_zero, CLOCK_ISO_UTC, moment, sizeof moment);
    size_t length = strlen(moment);
    buf_printf(&log->now, "%.*s.%06dZ %s\n", (int)(length - 1), moment, (int)(clock.wall_zero % SECOND_US), line);
    logs_send(api);
}

/* Ends what is streamed of it in good order. */
static void log_streams_end(struct fake_api *api, const struct log *log)
{
    for (struct connection *connection = api->connections; connection; connection = connection->next) {
        if (connection->use == USE_LOG && connection->log == log) {
            connection_write(connection, "0\r\n\r\n", 5);
            connection->use = USE_HTTP;
        }
    }
}

void fake_api_log_turn(struct fake_api *api, const char *ns, const char *pod, const char *container)
{
    struct log *log = log_find(api, ns, pod, container);
    log_streams_end(api, log);
    buf_free(&log->before);
    log->before = log->now;
    buf_init(&log->now, LOG_MAX);
}

/* What was written since then, without timestamps when none were asked for. since "": all. */
static void log_copy(const struct buf *log, bool timestamps, const char *since, struct buf *out)
{
    const char *at = buf_str(log), *end = at + log->len;
    size_t compared = strcspn(since, "Z");
    while (at < end) {
        const char *line = timestamps ? at : (const char *)memchr(at, ' ', (size_t)(end - at)) + 1;
        const char *next = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
        if (strncmp(at, since, compared) >= 0)
            buf_append(out, line, (size_t)(next - line));
        at = next;
    }
}

static void answer_log(struct connection *connection, const struct request *request)
{
    struct fake_api *api = connection->api;
    char container[NAME_SIZE], since[64];
    struct buf out;
    query_get(request, "sinceTime", since, sizeof since);
    query_get(request, "container", container, sizeof container);
    struct log *log = log_find(api, request->ns, request->name, container);
    bool previous = query_true(request, "previous"), timestamps = query_true(request, "timestamps");
    if (previous && log->before.len == 0) {
        answer_status(connection, 400, "previous terminated container \"vllm\" in pod not found");
        return;
    }
    buf_init(&out, LOG_MAX);
    log_copy(previous ? &log->before : &log->now, timestamps, since, &out);
    if (query_true(request, "follow") && !previous) {
        stream_head(connection, "text/plain");
        if (out.len > 0)
            connection_chunk(connection, out.data, out.len);
        connection->use = USE_LOG;
        connection->log = log;
        connection->log_at = log->now.len;
    } else {
        answer(connection, 200, "text/plain", buf_str(&out), out.len);
    }
    buf_free(&out);
}

/* ---- port-forward ---- */

static void frames_flush(struct connection *connection)
{
    struct buf out;
    if (connection->frames.len == 0)
        return;
    buf_init(&out, ANSWER_MAX);
    if (connection->websocket)
        websocket_send(connection->websocket, connection->frames.data, connection->frames.len, &out);
    else
        buf_append(&out, connection->frames.data, connection->frames.len);
    buf_clear(&connection->frames);
    connection_write(connection, out.data, out.len);
    buf_free(&out);
}

/* Both streams end; `words`: on the error stream before. */
static void pair_end(struct pair *pair, const char *words)
{
    struct connection *connection = pair->connection;
    if (connection) {
        spdy_send(connection->spdy, pair->error, words, strlen(words), true);
        spdy_send(connection->spdy, pair->data, "", 0, true);
        frames_flush(connection);
    }
    pair_close(pair);
}

static void pair_fail(struct pair *pair, const char *why)
{
    char words[1024];
    snprintf(
        words, sizeof words,
        "error forwarding port %d to pod 6f1c5d, uid : failed to execute portforward in network namespace "
        "\"/var/run/netns/cni-6f1c5d\": failed to connect to localhost:%d inside namespace \"6f1c5d\", IPv4: dial tcp4 "
        "127.0.0.1:%d: connect: %s IPv6 dial tcp6: address localhost: no suitable address found ",
        (int)pair->port, (int)pair->port, (int)pair->port, why);
    pair_end(pair, words);
}

static void room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct fake_api *api = handle->loop->data;
    (void)suggested;
    *out = uv_buf_init(api->room, sizeof api->room);
}

static void pair_held(uv_timer_t *timer)
{
    struct pair *pair = timer->data;
    if (pair->connection)
        pair_end(pair, "");
}

static void pair_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *bytes)
{
    struct pair *pair = stream->data;
    if (count < 0) {
        if (count == UV_EOF && pair->connection) {
            pair->pod_ended = true;
            uv_timer_start(&pair->hold, pair_held, pair->client_ended ? 0 : pair->connection->api->hold, 0);
        } else if (count != UV_EOF) {
            char words[512];
            snprintf(words, sizeof words,
                     "error forwarding port %d to pod 6f1c5d, uid : failed to execute portforward in network namespace "
                     "\"/var/run/netns/cni-6f1c5d\": read tcp4 127.0.0.1:47512->127.0.0.1:%d: read: connection reset "
                     "by peer",
                     (int)pair->port, (int)pair->port);
            pair_end(pair, words);
        }
    } else if (count > 0 && pair->connection) {
        spdy_send(pair->connection->spdy, pair->data, bytes->base, (size_t)count, false);
        frames_flush(pair->connection);
    }
}

static void pair_connected(uv_connect_t *connect, int status)
{
    struct pair *pair = connect->data;
    if (status == UV_ECANCELED)
        return;
    if (status != 0)
        pair_fail(pair, status == UV_ECONNREFUSED ? "connection refused" : uv_strerror(status));
    else if (uv_read_start((uv_stream_t *)&pair->tcp, room, pair_read) != 0)
        pair_end(pair, "");
}

static void pair_begin(struct pair *pair)
{
    struct connection *connection = pair->connection;
    struct fake_api *api = connection->api;
    struct sockaddr_in address;
    int32_t port = api->options.port(api->options.user, connection->ns, connection->pod, pair->port);
    if (port < 0) {
        pair_end(pair,
                 "error forwarding port 8000 to pod 6f1c5d, uid : network namespace for sandbox \"6f1c5d\" is closed");
        return;
    }
    if (port == 0) { /* nothing has ever been bound there */
        pair_fail(pair, "connection refused");
        return;
    }
    uv_ip4_addr("127.0.0.1", port, &address);
    uv_tcp_init(api->loop, &pair->tcp);
    pair->open = true;
    uv_timer_init(api->loop, &pair->hold);
    pair->tcp.data = pair->connect.data = pair->hold.data = pair;
    int error = uv_tcp_connect(&pair->connect, &pair->tcp, (struct sockaddr *)&address, pair_connected);
    if (error != 0)
        pair_fail(pair, uv_strerror(error));
}

static const char *spdy_value(const struct spdy_header *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(headers[i].name, name) == 0)
            return headers[i].value;
    return "";
}

static void forward_opened(void *user, uint32_t stream, const struct spdy_header *headers, size_t count, bool fin)
{
    struct connection *connection = user;
    const char *request = spdy_value(headers, count, "requestid");
    struct pair *pair = connection->pairs;
    (void)fin;
    while (pair && strcmp(pair->request, request) != 0)
        pair = pair->next;
    if (!pair) {
        pair = mem_new(sizeof *pair);
        pair->connection = connection;
        pair->next = connection->pairs;
        pair->port = (int32_t)strtol(spdy_value(headers, count, "port"), NULL, 10);
        snprintf(pair->request, sizeof pair->request, "%s", request);
        connection->pairs = pair;
    }
    spdy_reply(connection->spdy, stream, NULL, 0, false);
    if (strcmp(spdy_value(headers, count, "streamtype"), "error") == 0)
        pair->error = stream;
    else
        pair->data = stream;
    if (pair->error && pair->data)
        pair_begin(pair);
}

static struct pair *pair_of(struct connection *connection, uint32_t stream)
{
    struct pair *pair = connection->pairs;
    while (pair && pair->data != stream)
        pair = pair->next;
    return pair;
}

static void forward_data(void *user, uint32_t stream, const char *bytes, size_t length, bool fin)
{
    struct pair *pair = pair_of(user, stream);
    if (!pair || !pair->open)
        return;
    if (length > 0)
        stream_write((uv_stream_t *)&pair->tcp, bytes, length);
    if (fin) {
        pair->client_ended = true;
        if (pair->pod_ended || pair->connection->api->hold > 0)
            uv_timer_start(&pair->hold, pair_held, pair->pod_ended ? 0 : pair->connection->api->hold, 0);
    }
}

static void forward_reset(void *user, uint32_t stream, uint32_t status)
{
    struct pair *pair = pair_of(user, stream);
    (void)status;
    if (pair)
        pair_close(pair);
}

static void forward_reply(void *user, uint32_t stream, const struct spdy_header *headers, size_t count, bool fin)
{
    (void)user, (void)stream, (void)headers, (void)count, (void)fin;
}

static void forward_number(void *user, uint32_t number)
{
    (void)user, (void)number;
}

static const struct spdy_ops FORWARD = {.opened = forward_opened,
                                        .reply = forward_reply,
                                        .data = forward_data,
                                        .reset = forward_reset,
                                        .ping = forward_number,
                                        .goaway = forward_number};

static void forward_take(struct connection *connection)
{
    struct buf out;
    struct problem problem = {""};
    enum status status = STATUS_OK;
    buf_init(&out, ANSWER_MAX);
    if (connection->websocket) {
        status = websocket_receive(connection->websocket, buf_str(&connection->in), connection->in.len,
                                   &connection->payload, &out, &problem);
    } else {
        buf_append(&connection->payload, buf_str(&connection->in), connection->in.len);
    }
    buf_clear(&connection->in);
    if (out.len > 0)
        connection_write(connection, out.data, out.len);
    buf_free(&out);
    if (connection->payload.len > 0 &&
        spdy_receive(connection->spdy, connection->payload.data, connection->payload.len, &problem) != STATUS_OK)
        status = STATUS_BAD_INPUT;
    buf_clear(&connection->payload);
    frames_flush(connection);
    if (status == STATUS_BAD_INPUT)
        fprintf(stderr, "fake_api: %s\n", problem.text);
    if (status != STATUS_OK)
        connection_close(connection);
}

static void answer_forward(struct connection *connection, const struct request *request)
{
    char key[128], head[512];
    bool is_websocket = header_has(request, "Upgrade", "websocket", NULL, 0);
    if (connection->api->no_forwards) {
        answer_status(connection, 500, "the streaming endpoint is switched off here");
        return;
    }
    if (!is_websocket && !header_has(request, "Upgrade", "SPDY/3.1", NULL, 0)) {
        answer_status(connection, 400, "Upgrade request required");
        return;
    }
    if (is_websocket && (connection->api->old_server ||
                         !header_has(request, "Sec-WebSocket-Protocol", "SPDY/3.1+portforward.k8s.io", NULL, 0) ||
                         !header_has(request, "Sec-WebSocket-Key", NULL, key, sizeof key))) {
        answer_status(connection, 400, "query parameter \"port\" is required");
        return;
    }
    if (is_websocket) {
        char accept[29];
        websocket_accept_key(key, accept);
        snprintf(head, sizeof head,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n\r\n",
                 accept);
        connection->websocket = websocket_new(true, SPDY_SEED);
    } else {
        snprintf(head, sizeof head,
                 "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
                 "X-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n");
    }
    connection_write(connection, head, strlen(head));
    connection->use = USE_FORWARD;
    connection->spdy = spdy_new(true, &connection->frames, &FORWARD, connection);
}

/* ---- one request ---- */

/* ---- a pod's proxy ---- */

static void relay_fail(struct connection *connection, const char *why)
{
    char words[256];
    snprintf(words, sizeof words, "error trying to reach service: dial tcp 10.244.0.7:8000: connect: %s", why);
    answer_status(connection, 503, words);
    connection->use = USE_HTTP;
}

static void relay_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *bytes)
{
    struct connection *connection = stream->data;
    if (connection && count < 0)
        connection_close(connection); /* after what was written: the answers say Connection: close */
    else if (connection && count > 0)
        connection_write(connection, bytes->base, (size_t)count);
}

static void relay_connected(uv_connect_t *connect, int status)
{
    uv_stream_t *stream = connect->handle;
    struct connection *connection = stream->data;
    if (!connection)
        return;
    if (status != 0) {
        relay_fail(connection, status == UV_ECONNREFUSED ? "connection refused" : uv_strerror(status));
    } else {
        stream_write(stream, buf_str(&connection->asked), connection->asked.len);
        uv_read_start(stream, room, relay_read);
    }
}

/* GET .../pods/[http:]NAME:PORT/proxy/PATH, to the pod as the API server would dial it. */
static void answer_proxy(struct connection *connection, const struct request *request, int32_t container_port)
{
    struct fake_api *api = connection->api;
    struct sockaddr_in address;
    const char *path = strstr(request->path, "/proxy");
    int32_t port = api->options.port(api->options.user, request->ns, request->name, container_port);
    if (port <= 0) {
        relay_fail(connection, "connection refused");
        return;
    }
    buf_init(&connection->asked, HEAD_MAX);
    buf_printf(&connection->asked, "GET %s HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n",
               path + strlen("/proxy"));
    connection->use = USE_RELAY;
    connection->relay = mem_new(sizeof *connection->relay);
    uv_ip4_addr("127.0.0.1", port, &address);
    uv_tcp_init(api->loop, connection->relay);
    connection->relay->data = connection;
    if (uv_tcp_connect(&connection->reach, connection->relay, (struct sockaddr *)&address, relay_connected) != 0)
        relay_fail(connection, "no route to host");
}

static void answer_object(struct connection *connection, struct request *request)
{
    int32_t proxied = 0;
    char *colon = strrchr(request->name, ':');
    if (colon && strcmp(request->subresource, "proxy") == 0) {
        proxied = (int32_t)strtol(colon + 1, NULL, 10);
        *colon = '\0';
    }
    const struct object *object =
        object_find(connection->api, kind_of(connection->api, request->resource), request->ns, request->name);
    if (!object) {
        char words[512];
        snprintf(words, sizeof words, "%s \"%s\" not found", request->resource, request->name);
        answer_status(connection, 404, words);
        return;
    }
    if (request->subresource[0]) {
        snprintf(connection->ns, sizeof connection->ns, "%s", request->ns);
        snprintf(connection->pod, sizeof connection->pod, "%s", request->name);
    }
    if (is_swallowed(connection))
        connection->use = USE_SWALLOWED;
    else if (proxied > 0)
        answer_proxy(connection, request, proxied);
    else if (strcmp(request->subresource, "log") == 0)
        answer_log(connection, request);
    else if (strcmp(request->subresource, "portforward") == 0)
        answer_forward(connection, request);
    else
        answer(connection, 200, "application/json", object->text, strlen(object->text));
}

static void request_serve(struct connection *connection, struct request *request)
{
    static const char version[] = "{\"major\":\"1\",\"minor\":\"34\",\"gitVersion\":\"v1.34.4\"}";
    struct fake_api *api = connection->api;
    bool known = request_split(request);
    request_verb(request);
    buf_printf(&api->requests, "%s %s?%s\n", request->method, request->path, request->query);
    if (api->expired) {
        answer_status(connection, 401, "Unauthorized");
    } else if (strcmp(request->path, "/version") == 0) {
        answer(connection, 200, "application/json", version, sizeof version - 1);
    } else if (!known || kind_of(api, request->resource) == FAKE_KINDS) {
        answer_status(connection, 404, "the server could not find the requested resource");
    } else if (!denied(connection, request)) {
        if (request->name[0])
            answer_object(connection, request);
        else
            answer_collection(connection, request);
    }
}

/* The next request, once its head has come whole. */
static bool request_take(struct connection *connection)
{
    const char *head = buf_str(&connection->in), *end = strstr(head, "\r\n\r\n");
    struct request request = {.head = head};
    char target[4096];
    if (!end || connection->use != USE_HTTP)
        return false;
    if (sscanf(head, "%15s %4095s", request.method, target) != 2) {
        connection_close(connection);
        return false;
    }
    char *query = strchr(target, '?');
    snprintf(request.path, sizeof request.path, "%.*s", (int)strcspn(target, "?"), target);
    snprintf(request.query, sizeof request.query, "%s", query ? query + 1 : "");
    size_t length = (size_t)(end - head) + 4;
    char *copy = mem_dup_n(head, length);
    buf_drop(&connection->in, length);
    request.head = copy;
    request_serve(connection, &request);
    mem_free(copy);
    return !uv_is_closing((uv_handle_t *)&connection->pipe);
}

static void connection_go_on(struct connection *connection);

static void connection_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *bytes)
{
    struct connection *connection = stream->data;
    if (count < 0) {
        connection_close(connection);
        return;
    }
    buf_append(&connection->in, bytes->base, (size_t)count);
    if (!is_swallowed(connection))
        connection_go_on(connection);
}

static void connection_go_on(struct connection *connection)
{
    while (request_take(connection)) {
    }
    if (connection->use == USE_FORWARD && connection->in.len > 0 && !uv_is_closing((uv_handle_t *)&connection->pipe))
        forward_take(connection);
}

static void accepted(uv_stream_t *listener, int status)
{
    struct fake_api *api = listener->data;
    if (status != 0)
        return;
    struct connection *connection = mem_new(sizeof *connection);
    connection->api = api;
    connection->pipe.data = connection;
    buf_init(&connection->in, HEAD_MAX + ROOM);
    buf_init(&connection->stalled, ANSWER_MAX);
    buf_init(&connection->frames, ANSWER_MAX);
    buf_init(&connection->payload, ANSWER_MAX);
    connection->next = api->connections;
    if (connection->next)
        connection->next->previous = connection;
    api->connections = connection;
    uv_pipe_init(api->loop, &connection->pipe, 0);
    connection->pipe.data = connection;
    if (uv_accept(listener, (uv_stream_t *)&connection->pipe) != 0 ||
        uv_read_start((uv_stream_t *)&connection->pipe, room, connection_read) != 0)
        connection_close(connection);
}

/* ---- its life, and what goes wrong in it ---- */

static void listener_closed(uv_handle_t *handle)
{
    mem_free(handle);
}

static void connections_close(struct fake_api *api, bool all)
{
    struct connection *next;
    for (struct connection *connection = api->connections; connection; connection = next) {
        next = connection->next;
        if (all || connection->use == USE_FORWARD)
            connection_close(connection);
    }
}

void fake_api_down(struct fake_api *api, bool down)
{
    if (down == !api->listener)
        return;
    if (down) {
        uv_close((uv_handle_t *)api->listener, listener_closed);
        api->listener = NULL;
        connections_close(api, true);
        return;
    }
    api->listener = mem_new(sizeof *api->listener);
    unlink(api->socket);
    uv_pipe_init(api->loop, api->listener, 0);
    api->listener->data = api;
    if (uv_pipe_bind(api->listener, api->socket) != 0 ||
        uv_listen((uv_stream_t *)api->listener, BACKLOG, accepted) != 0) {
        fprintf(stderr, "fake_api: cannot listen on %s\n", api->socket);
        abort();
    }
}

struct fake_api *fake_api_new(const struct fake_api_options *options)
{
    struct fake_api *api = mem_new(sizeof *api);
    api->options = *options;
    api->loop = options->loop;
    api->loop->data = api; /* for the one piece of memory that all reads use */
    api->socket = mem_dup(options->socket);
    api->version = 1000;
    buf_init(&api->requests, REQUESTS_MAX);
    fake_api_down(api, false);
    return api;
}

static void fake_api_release(uv_handle_t *handle)
{
    struct fake_api *api = handle->data;
    mem_free(handle);
    for (size_t i = 0; i < api->object_count; i++)
        object_free(&api->objects[i]);
    for (size_t i = 0; i < api->change_count; i++) {
        mem_free(api->changes[i].text);
        json_free(api->changes[i].json);
    }
    for (size_t i = 0; i < api->log_count; i++) {
        buf_free(&api->logs[i]->now);
        buf_free(&api->logs[i]->before);
        mem_free(api->logs[i]);
    }
    fake_api_deny(api, NULL);
    mem_free(api->objects);
    mem_free(api->changes);
    mem_free(api->logs);
    mem_free(api->socket);
    mem_free(api->swallowed);
    buf_free(&api->requests);
    mem_free(api);
}

void fake_api_free(struct fake_api *api)
{
    fake_api_down(api, true);
    unlink(api->socket);
    /* Goes when the loop has closed what was open before it. */
    uv_timer_t *last = mem_new(sizeof *last);
    uv_timer_init(api->loop, last);
    last->data = api;
    uv_close((uv_handle_t *)last, fake_api_release);
}

void fake_api_expire(struct fake_api *api, bool expired)
{
    api->expired = expired;
    if (expired)
        connections_close(api, true);
}

void fake_api_deny(struct fake_api *api, const char *right)
{
    if (right && api->denied_count < DENIED_MAX)
        api->denied[api->denied_count++] = mem_dup(right);
    while (!right && api->denied_count > 0)
        mem_free(api->denied[--api->denied_count]);
}

void fake_api_forget(struct fake_api *api)
{
    api->oldest = ++api->version;
    for (struct connection *connection = api->connections; connection; connection = connection->next)
        if (connection->use == USE_WATCH)
            watch_gone(connection);
}

void fake_api_end_watches(struct fake_api *api, bool abruptly)
{
    struct connection *next;
    for (struct connection *connection = api->connections; connection; connection = next) {
        next = connection->next;
        if (connection->use == USE_WATCH && abruptly) {
            connection_write(connection, "40\r\n{\"type\":\"MODI", 18);
            connection_close(connection);
        } else if (connection->use == USE_WATCH) {
            connection_write(connection, "0\r\n\r\n", 5);
            connection->use = USE_HTTP;
        }
    }
}

void fake_api_bookmark(struct fake_api *api)
{
    char object[256];
    for (struct connection *connection = api->connections; connection; connection = connection->next) {
        if (connection->use == USE_WATCH && connection->bookmarks) {
            snprintf(object, sizeof object,
                     "{\"kind\":\"%s\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"%" PRIu64
                     "\",\"creationTimestamp\":null}}",
                     KIND_NAMES[connection->kind], api->version);
            watch_line(connection, "BOOKMARK", object);
        }
    }
}

void fake_api_old_server(struct fake_api *api, bool old)
{
    api->old_server = old;
}

/* What was held back, on all connections that are free to go on now. */
static void connections_release(struct fake_api *api)
{
    struct connection *next;
    for (struct connection *connection = api->connections; connection; connection = next) {
        next = connection->next;
        if (is_swallowed(connection))
            continue;
        struct buf stalled = connection->stalled;
        buf_init(&connection->stalled, ANSWER_MAX);
        if (stalled.len > 0)
            connection_write(connection, stalled.data, stalled.len);
        buf_free(&stalled);
        connection_go_on(connection);
    }
}

void fake_api_freeze(struct fake_api *api, bool frozen)
{
    api->frozen = frozen;
    connections_release(api);
}

void fake_api_swallow(struct fake_api *api, const char *node)
{
    mem_free(api->swallowed);
    api->swallowed = mem_dup(node);
    connections_release(api);
}

void fake_api_no_forwards(struct fake_api *api, bool none)
{
    api->no_forwards = none;
}

void fake_api_hold(struct fake_api *api, unsigned milliseconds)
{
    api->hold = milliseconds;
}

void fake_api_cut_forwards(struct fake_api *api)
{
    connections_close(api, false);
}

size_t fake_api_requests(const struct fake_api *api, const char *part)
{
    size_t count = 0;
    for (const char *line = buf_str(&api->requests); *line; line += strcspn(line, "\n") + 1) {
        size_t length = strcspn(line, "\n");
        count += memmem(line, length, part, strlen(part)) != NULL;
    }
    return count;
}

size_t fake_api_forwards(const struct fake_api *api)
{
    size_t count = 0;
    for (const struct connection *connection = api->connections; connection; connection = connection->next)
        count += connection->use == USE_FORWARD;
    return count;
}

const char *fake_api_request_log(const struct fake_api *api)
{
    return buf_str(&api->requests);
}
