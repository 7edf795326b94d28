#include "tests/support/fake_api_work.h"

#include "base/clock.h"
#include "base/mem.h"
#include "tunnel/spdy.h"
#include "tunnel/websocket.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const KIND_NAMES[FAKE_KINDS] = {"Pod", "Event", "InferencePool", "Deployment", "StatefulSet"};

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

void stream_write(uv_stream_t *stream, const char *bytes, size_t length)
{
    struct write *write = mem_new(sizeof *write + length + 1);
    memcpy(write->bytes, bytes, length);
    write->write.data = write;
    uv_buf_t part = uv_buf_init(write->bytes, (unsigned)length);
    if (uv_is_closing((uv_handle_t *)stream) || uv_write(&write->write, stream, &part, 1, write_done) != 0)
        mem_free(write);
}

static bool is_swallowed(const struct connection *connection);

void connection_write(struct connection *connection, const char *bytes, size_t length)
{
    if (is_swallowed(connection))
        buf_append(&connection->stalled, bytes, length);
    else
        stream_write((uv_stream_t *)&connection->pipe, bytes, length);
}

void connection_chunk(struct connection *connection, const char *bytes, size_t length)
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

void answer(struct connection *connection, int code, const char *type, const char *body, size_t length)
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

void answer_status(struct connection *connection, int code, const char *message)
{
    struct buf out;
    buf_init(&out, OBJECT_MAX);
    status_text(&out, code, message);
    answer(connection, code, "application/json", out.data, out.len);
    buf_free(&out);
}

/* ---- connections ---- */

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
    mem_free(handle); /* the handle is what a relay begins with */
}

void connection_close(struct connection *connection)
{
    if (uv_is_closing((uv_handle_t *)&connection->pipe))
        return;
    while (connection->pairs)
        pair_close(connection->pairs);
    if (connection->relay) {
        connection->relay->tcp.data = NULL;
        uv_close((uv_handle_t *)&connection->relay->tcp, relay_closed);
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

void stream_head(struct connection *connection, const char *type)
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

bool query_get(const struct request *request, const char *key, char *out, size_t size)
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

bool query_true(const struct request *request, const char *key)
{
    char value[16];
    return query_get(request, key, value, sizeof value) && (strcmp(value, "1") == 0 || strcmp(value, "true") == 0);
}

bool header_has(const struct request *request, const char *name, const char *part, char *out, size_t size)
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
