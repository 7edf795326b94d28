/* Drafts of pods as the JSON that the API would have given of them. */
#include "base/mem.h"
#include "kube/describe_draft.h"

#include <string.h>

enum { JSON_MAX = 4 << 20 };

void draft_add(struct draft_list *list, struct slice item)
{
    if (list->count == DRAFT_LIST_MAX)
        return;
    if (!list->item)
        list->item = mem_array(DRAFT_LIST_MAX, sizeof *list->item);
    list->item[list->count++] = item;
}

void draft_free(struct draft_pod *pod)
{
    for (uint32_t i = 0; i < pod->container_count; i++) {
        mem_free(pod->containers[i].command.item);
        mem_free(pod->containers[i].arguments.item);
        mem_free(pod->containers[i].environment.item);
    }
    mem_free(pod->containers);
    mem_free(pod->labels.item);
    mem_free(pod->conditions.item);
    *pod = (struct draft_pod){0};
}

/* ---- values ---- */

static void put(struct json_writer *writer, const char *key, struct slice value)
{
    if (value.length > 0)
        json_put_bytes(writer, key, value.bytes, value.length);
}

static void put_number(struct json_writer *writer, const char *key, struct slice value)
{
    int64_t number;
    bool negative = slice_starts(value, "-");
    if (slice_number(slice_from(value, negative ? 1 : 0), &number))
        json_put_int(writer, key, negative ? -number : number);
}

/* "Tue, 24 Nov 2026 06:00:00 +0000" as RFC 3339 has it; other words are left out. */
static void put_moment(struct json_writer *writer, const char *key, struct slice value)
{
    static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    enum { LETTERS = 3, OFFSET = 5 };
    struct slice left = value;
    struct buf moment;
    int64_t day_number;
    slice_word(&left);
    struct slice day = slice_word(&left), month = slice_word(&left), year = slice_word(&left), time = slice_word(&left),
                 offset = slice_word(&left);
    const char *name =
        month.length == LETTERS
            ? slice_find(slice_of(MONTHS), (char[]){month.bytes[0], month.bytes[1], month.bytes[2], '\0'})
            : NULL;
    if (!name || !slice_number(day, &day_number) || offset.length != OFFSET)
        return;
    buf_init(&moment, 64);
    buf_printf(&moment, "%.*s-%02d-%02dT%.*s%.3s:%.2s", (int)year.length, year.bytes,
               (int)((name - MONTHS) / LETTERS) + 1, (int)day_number, (int)time.length, time.bytes, offset.bytes,
               offset.bytes + 3);
    json_put_string(writer, key, buf_str(&moment));
    buf_free(&moment);
}

/* ---- the spec ---- */

/* "8000/TCP, 5557/TCP", "8000/TCP (http)" */
static void put_ports(struct json_writer *writer, const struct draft_container *container, struct slice named)
{
    struct slice left = container->ports;
    int64_t number;
    bool alone = !slice_find(container->ports, ",");
    json_open_array(writer, "ports");
    for (struct slice word = slice_word(&left); word.length > 0; word = slice_word(&left)) {
        const char *slash = slice_find(word, "/");
        struct slice ahead = left, name = slice_word(&ahead);
        if (!slash || !slice_number(slice_before(word, (size_t)(slash - word.bytes)), &number))
            continue;
        bool named_here = slice_starts(name, "(") && name.length > 2;
        json_open_object(writer, NULL);
        json_put_int(writer, "containerPort", number);
        if (named_here)
            json_put_bytes(writer, "name", name.bytes + 1, strcspn(name.bytes + 1, "), "));
        else if (alone) /* what a probe calls a port can be no other */
            put(writer, "name", named);
        json_close_object(writer);
    }
    json_close_array(writer);
}

/* The value of "timeout=1s", "#failure=3" as a number. */
static void put_setting(struct json_writer *writer, const char *key, struct slice probe, const char *name)
{
    struct slice left = probe;
    for (struct slice word = slice_word(&left); word.length > 0; word = slice_word(&left)) {
        struct slice value = slice_from(word, strlen(name));
        if (!slice_starts(word, name))
            continue;
        if (value.length > 0 && value.bytes[value.length - 1] == 's')
            value.length--;
        put_number(writer, key, value);
        return;
    }
}

/* "http://:8000/health", "https://10.0.0.1:http/v1/models", "/health" */
struct target {
    struct slice host, port, path;
    bool https;
};
static struct target target_of(struct slice url)
{
    struct target target = {.host = {"", 0}, .port = {"", 0}, .https = slice_starts(url, "https://")};
    const char *after = slice_find(url, "://");
    struct slice rest = after ? slice_from(url, (size_t)(after - url.bytes) + 3) : url;
    const char *slash = slice_find(rest, "/");
    struct slice authority = slash ? slice_before(rest, (size_t)(slash - rest.bytes)) : rest;
    target.path = slice_from(rest, authority.length);
    for (size_t i = authority.length; i > 0; i--) /* the last colon: an IPv6 address has its own */
        if (authority.bytes[i - 1] == ':') {
            target.host = slice_before(authority, i - 1);
            target.port = slice_from(authority, i);
            break;
        }
    return target;
}

static void put_port(struct json_writer *writer, struct slice port)
{
    int64_t number;
    if (slice_number(port, &number))
        json_put_int(writer, "port", number);
    else
        put(writer, "port", port);
}

static void put_action(struct json_writer *writer, struct slice action, struct slice what)
{
    struct target target = target_of(what);
    bool http = slice_is(action, "http-get");
    if (!http && !slice_is(action, "tcp-socket") && !slice_is(action, "grpc")) {
        json_open_object(writer, "exec");
        json_close_object(writer);
        return;
    }
    json_open_object(writer, http ? "httpGet" : slice_is(action, "grpc") ? "grpc" : "tcpSocket");
    put_port(writer, target.port);
    if (http) {
        put(writer, "path", target.path);
        json_put_string(writer, "scheme", target.https ? "HTTPS" : "HTTP");
        put(writer, "host", target.host);
    }
    json_close_object(writer);
}

static void put_probe(struct json_writer *writer, const char *key, struct slice probe)
{
    struct slice left = probe, action = slice_word(&left), what = slice_word(&left);
    if (action.length == 0)
        return;
    json_open_object(writer, key);
    put_action(writer, action, what);
    put_setting(writer, "initialDelaySeconds", probe, "delay=");
    put_setting(writer, "timeoutSeconds", probe, "timeout=");
    put_setting(writer, "periodSeconds", probe, "period=");
    put_setting(writer, "successThreshold", probe, "#success=");
    put_setting(writer, "failureThreshold", probe, "#failure=");
    json_close_object(writer);
}

/* What a probe calls its port; empty where it has a number. */
static struct slice port_name(const struct draft_container *container)
{
    int64_t number;
    for (int i = 0; i < DRAFT_PROBES; i++) {
        struct slice left = container->probe[i];
        slice_word(&left);
        struct target target = target_of(slice_word(&left));
        if (target.port.length > 0 && !slice_number(target.port, &number))
            return target.port;
    }
    return (struct slice){"", 0};
}

static void put_words(struct json_writer *writer, const char *key, const struct draft_list *list)
{
    json_open_array(writer, key);
    for (uint32_t i = 0; i < list->count; i++)
        json_put_bytes(writer, NULL, list->item[i].bytes, list->item[i].length);
    json_close_array(writer);
}

/* "PORT:  8000"; values that are told as being elsewhere begin with '<'. */
static void put_environment(struct json_writer *writer, const struct draft_list *list)
{
    json_open_array(writer, "env");
    for (uint32_t i = 0; i < list->count; i++) {
        const char *colon = slice_find(list->item[i], ":");
        size_t length = colon ? (size_t)(colon - list->item[i].bytes) : 0;
        struct slice value = slice_trim(slice_from(list->item[i], length + 1));
        if (length == 0 || slice_starts(value, "<"))
            continue;
        json_open_object(writer, NULL);
        put(writer, "name", slice_before(list->item[i], length));
        json_put_bytes(writer, "value", value.length ? value.bytes : "", value.length);
        json_close_object(writer);
    }
    json_close_array(writer);
}

/* An init container that runs beside the others: it says so, or it runs and is ready, which others that run are not. */
static bool is_beside(const struct draft_container *container)
{
    return slice_is(container->restart_policy, "Always") ||
           (slice_is(container->state.word, "Running") && slice_is(container->ready, "True"));
}

static void put_spec_container(struct json_writer *writer, const struct draft_container *container)
{
    json_open_object(writer, NULL);
    json_put_bytes(writer, "name", container->name.bytes, container->name.length);
    put(writer, "image", container->image);
    if (container->init && is_beside(container))
        json_put_string(writer, "restartPolicy", "Always");
    put_ports(writer, container, port_name(container));
    put_words(writer, "command", &container->command);
    put_words(writer, "args", &container->arguments);
    put_environment(writer, &container->environment);
    put_probe(writer, "livenessProbe", container->probe[DRAFT_LIVENESS]);
    put_probe(writer, "readinessProbe", container->probe[DRAFT_READINESS]);
    put_probe(writer, "startupProbe", container->probe[DRAFT_STARTUP]);
    json_close_object(writer);
}

/* ---- the status ---- */

static void put_state(struct json_writer *writer, const char *key, const struct draft_state *state)
{
    const char *word = slice_is(state->word, "Waiting")      ? "waiting"
                       : slice_is(state->word, "Running")    ? "running"
                       : slice_is(state->word, "Terminated") ? "terminated"
                                                             : NULL;
    if (!word)
        return;
    json_open_object(writer, key);
    json_open_object(writer, word);
    put(writer, "reason", state->reason);
    put(writer, "message", state->message);
    put_number(writer, "exitCode", state->exit_code);
    put_number(writer, "signal", state->signal);
    put_moment(writer, "startedAt", state->started);
    put_moment(writer, "finishedAt", state->finished);
    json_close_object(writer);
    json_close_object(writer);
}

static void put_bool(struct json_writer *writer, const char *key, struct slice value)
{
    if (slice_is(value, "True") || slice_is(value, "False"))
        json_put_bool(writer, key, slice_is(value, "True"));
}

static void put_status_container(struct json_writer *writer, const struct draft_container *container)
{
    json_open_object(writer, NULL);
    json_put_bytes(writer, "name", container->name.bytes, container->name.length);
    put(writer, "containerID", container->id);
    put_number(writer, "restartCount", container->restarts);
    put_bool(writer, "ready", container->ready);
    put_state(writer, "state", &container->state);
    put_state(writer, "lastState", &container->last);
    json_close_object(writer);
}

static void put_containers(struct json_writer *writer, const char *key, const struct draft_pod *pod, bool init,
                           void (*put_one)(struct json_writer *, const struct draft_container *))
{
    json_open_array(writer, key);
    for (uint32_t i = 0; i < pod->container_count; i++)
        if (pod->containers[i].init == init)
            put_one(writer, &pod->containers[i]);
    json_close_array(writer);
}

static void put_conditions(struct json_writer *writer, const struct draft_pod *pod)
{
    json_open_array(writer, "conditions");
    for (uint32_t i = 0; i < pod->conditions.count; i++) {
        struct slice left = pod->conditions.item[i], type = slice_word(&left), status = slice_word(&left);
        json_open_object(writer, NULL);
        put(writer, "type", type);
        put(writer, "status", status);
        json_close_object(writer);
    }
    json_close_array(writer);
}

static void put_metadata(struct json_writer *writer, const struct draft_pod *pod)
{
    const char *slash = slice_find(pod->owner, "/");
    size_t kind = slash ? (size_t)(slash - pod->owner.bytes) : 0;
    json_open_object(writer, "metadata");
    json_put_bytes(writer, "name", pod->name.length ? pod->name.bytes : "", pod->name.length);
    put(writer, "namespace", pod->ns);
    if (slice_starts(pod->status, "Terminating"))
        json_put_string(writer, "deletionTimestamp", "");
    json_open_object(writer, "labels");
    for (uint32_t i = 0; i < pod->labels.count; i++) {
        struct slice label = pod->labels.item[i];
        size_t length = (size_t)(slice_find(label, "=") - label.bytes);
        struct buf key;
        buf_init(&key, 512);
        buf_append(&key, label.bytes, length);
        json_put_bytes(writer, buf_str(&key), label.bytes + length + 1, label.length - length - 1);
        buf_free(&key);
    }
    json_close_object(writer);
    if (slash) {
        json_open_array(writer, "ownerReferences");
        json_open_object(writer, NULL);
        put(writer, "kind", slice_before(pod->owner, kind));
        put(writer, "name", slice_from(pod->owner, kind + 1));
        json_put_bool(writer, "controller", true);
        json_close_object(writer);
        json_close_array(writer);
    }
    json_close_object(writer);
}

static void put_status(struct json_writer *writer, const struct draft_pod *pod)
{
    json_open_object(writer, "status");
    put(writer, "phase", pod->status);
    put(writer, "reason", pod->reason);
    put(writer, "message", pod->message);
    put(writer, "podIP", pod->ip);
    put_moment(writer, "startTime", pod->start);
    put_conditions(writer, pod);
    put_containers(writer, "containerStatuses", pod, false, put_status_container);
    put_containers(writer, "initContainerStatuses", pod, true, put_status_container);
    json_close_object(writer);
}

static struct json *parsed(struct buf *bytes)
{
    struct json *pod = NULL;
    json_parse(buf_str(bytes), bytes->len, JSON_MAX, &pod, NULL);
    buf_free(bytes);
    return pod;
}

struct json *draft_json(const struct draft_pod *pod)
{
    struct json_writer writer;
    struct buf bytes;
    const char *slash = slice_find(pod->node, "/");
    struct slice node = slash ? slice_before(pod->node, (size_t)(slash - pod->node.bytes)) : pod->node;
    buf_init(&bytes, JSON_MAX);
    json_writer_init(&writer, &bytes);
    json_open_object(&writer, NULL);
    json_put_string(&writer, "kind", "Pod");
    put_metadata(&writer, pod);
    json_open_object(&writer, "spec");
    put(&writer, "nodeName", node);
    put_containers(&writer, "containers", pod, false, put_spec_container);
    put_containers(&writer, "initContainers", pod, true, put_spec_container);
    json_close_object(&writer);
    put_status(&writer, pod);
    json_close_object(&writer);
    return parsed(&bytes);
}

/* ---- rows of kubectl get pods ---- */

/* The state of the container that the STATUS column speaks of. Its exit code it does not tell, so that "Error" is a reason and no termination. */
static void put_row_state(struct json_writer *writer, struct slice status)
{
    bool runs = slice_is(status, "Running") || slice_is(status, "Terminating") || slice_is(status, "NotReady");
    if (slice_is(status, "Pending") || slice_is(status, "Unknown") || slice_is(status, "Evicted"))
        return;
    json_open_object(writer, "state");
    if (slice_is(status, "OOMKilled") || slice_is(status, "Completed")) {
        json_open_object(writer, "terminated");
        json_put_int(writer, "exitCode", slice_is(status, "OOMKilled") ? 137 : 0);
    } else {
        json_open_object(writer, runs ? "running" : "waiting");
    }
    if (!runs)
        put(writer, "reason", status);
    json_close_object(writer);
    json_close_object(writer);
}

static const char *row_phase(struct slice status)
{
    static const char *const PENDING[] = {"Pending",      "ContainerCreating", "ImagePullBackOff",
                                          "ErrImagePull", "PodInitializing",   "CreateContainerConfigError"};
    for (size_t i = 0; i < sizeof PENDING / sizeof PENDING[0]; i++)
        if (slice_is(status, PENDING[i]))
            return "Pending";
    return slice_starts(status, "Init:")   ? "Pending"
           : slice_is(status, "Completed") ? "Succeeded"
           : slice_is(status, "Evicted")   ? "Failed"
           : slice_is(status, "Unknown")   ? "Unknown"
                                           : "Running";
}

struct json *table_pod_json(const struct told_pod *pod)
{
    struct json_writer writer;
    struct buf bytes;
    bool ready = pod->containers > 0 && pod->ready == pod->containers;
    buf_init(&bytes, JSON_MAX);
    json_writer_init(&writer, &bytes);
    json_open_object(&writer, NULL);
    json_open_object(&writer, "metadata");
    put(&writer, "name", pod->name);
    put(&writer, "namespace", pod->ns);
    if (slice_is(pod->status, "Terminating"))
        json_put_string(&writer, "deletionTimestamp", "");
    json_close_object(&writer);
    json_open_object(&writer, "spec");
    json_open_array(&writer, "containers");
    json_open_object(&writer, NULL);
    json_put_string(&writer, "name", "");
    json_close_object(&writer);
    json_close_array(&writer);
    json_close_object(&writer);
    json_open_object(&writer, "status");
    json_put_string(&writer, "phase", row_phase(pod->status));
    if (slice_is(pod->status, "Evicted"))
        put(&writer, "reason", pod->status);
    json_open_array(&writer, "conditions");
    json_open_object(&writer, NULL);
    json_put_string(&writer, "type", "Ready");
    json_put_string(&writer, "status", ready ? "True" : "False");
    json_close_object(&writer);
    json_close_array(&writer);
    json_open_array(&writer, "containerStatuses");
    json_open_object(&writer, NULL);
    json_put_string(&writer, "name", "");
    json_put_int(&writer, "restartCount", pod->restarts > 0 ? pod->restarts : 0);
    json_put_bool(&writer, "ready", ready);
    put_row_state(&writer, pod->status);
    json_close_object(&writer);
    json_close_array(&writer);
    json_close_object(&writer);
    json_close_object(&writer);
    return parsed(&bytes);
}
