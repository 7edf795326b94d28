#include "kube/describe.h"

#include "base/mem.h"
#include "kube/describe_draft.h"

#include <string.h>

/* ---- what stands before a colon ---- */

/* Whose a key is: a pod's (at the line's beginning), a container's, or a state's (both further in; pieces may be copied without what is around them). */
#define KEY_TABLE(X)                                                                                                   \
    X(KEY_NONE, "")                                                                                                    \
    X(KEY_NAME, "Name")                                                                                                \
    X(KEY_NAMESPACE, "Namespace")                                                                                      \
    X(KEY_NODE, "Node")                                                                                                \
    X(KEY_START_TIME, "Start Time")                                                                                    \
    X(KEY_LABELS, "Labels")                                                                                            \
    X(KEY_STATUS, "Status")                                                                                            \
    X(KEY_IP, "IP")                                                                                                    \
    X(KEY_CONTROLLED_BY, "Controlled By")                                                                              \
    X(KEY_INIT_CONTAINERS, "Init Containers")                                                                          \
    X(KEY_CONTAINERS, "Containers")                                                                                    \
    X(KEY_CONDITIONS, "Conditions")                                                                                    \
    X(KEY_EVENTS, "Events")                                                                                            \
    X(KEY_PRIORITY, "Priority")                                                                                        \
    X(KEY_PRIORITY_CLASS, "Priority Class Name")                                                                       \
    X(KEY_RUNTIME_CLASS, "Runtime Class Name")                                                                         \
    X(KEY_SERVICE_ACCOUNT, "Service Account")                                                                          \
    X(KEY_ANNOTATIONS, "Annotations")                                                                                  \
    X(KEY_SECCOMP, "SeccompProfile")                                                                                   \
    X(KEY_SECURITY, "Security Context")                                                                                \
    X(KEY_IPS, "IPs")                                                                                                  \
    X(KEY_NOMINATED, "NominatedNodeName")                                                                              \
    X(KEY_GRACE, "Termination Grace Period")                                                                           \
    X(KEY_READINESS_GATES, "Readiness Gates")                                                                          \
    X(KEY_VOLUMES, "Volumes")                                                                                          \
    X(KEY_QOS, "QoS Class")                                                                                            \
    X(KEY_NODE_SELECTORS, "Node-Selectors")                                                                            \
    X(KEY_TOLERATIONS, "Tolerations")                                                                                  \
    X(KEY_TOPOLOGY, "Topology Spread Constraints")                                                                     \
    X(KEY_RESOURCE_CLAIMS, "Resource Claims")                                                                          \
    X(KEY_EPHEMERAL, "Ephemeral Containers")                                                                           \
    X(KEY_OF_CONTAINER, "")                                                                                            \
    X(KEY_CONTAINER_ID, "Container ID")                                                                                \
    X(KEY_IMAGE, "Image")                                                                                              \
    X(KEY_IMAGE_ID, "Image ID")                                                                                        \
    X(KEY_PORT, "Port")                                                                                                \
    X(KEY_PORTS, "Ports")                                                                                              \
    X(KEY_HOST_PORT, "Host Port")                                                                                      \
    X(KEY_HOST_PORTS, "Host Ports")                                                                                    \
    X(KEY_COMMAND, "Command")                                                                                          \
    X(KEY_ARGS, "Args")                                                                                                \
    X(KEY_STATE, "State")                                                                                              \
    X(KEY_LAST_STATE, "Last State")                                                                                    \
    X(KEY_READY, "Ready")                                                                                              \
    X(KEY_RESTART_COUNT, "Restart Count")                                                                              \
    X(KEY_RESTART_POLICY, "Restart Policy")                                                                            \
    X(KEY_LIMITS, "Limits")                                                                                            \
    X(KEY_REQUESTS, "Requests")                                                                                        \
    X(KEY_LIVENESS, "Liveness")                                                                                        \
    X(KEY_READINESS, "Readiness")                                                                                      \
    X(KEY_STARTUP, "Startup")                                                                                          \
    X(KEY_ENVIRONMENT_FROM, "Environment Variables from")                                                              \
    X(KEY_ENVIRONMENT, "Environment")                                                                                  \
    X(KEY_MOUNTS, "Mounts")                                                                                            \
    X(KEY_DEVICES, "Devices")                                                                                          \
    X(KEY_OF_STATE, "")                                                                                                \
    X(KEY_REASON, "Reason")                                                                                            \
    X(KEY_MESSAGE, "Message")                                                                                          \
    X(KEY_EXIT_CODE, "Exit Code")                                                                                      \
    X(KEY_SIGNAL, "Signal")                                                                                            \
    X(KEY_STARTED, "Started")                                                                                          \
    X(KEY_FINISHED, "Finished")

enum key {
#define X(id, words) id,
    KEY_TABLE(X)
#undef X
        KEY_COUNT
};

/* The key that the line begins with, looked for from `first` on, and what stands behind its colon. */
static enum key key_take(struct slice line, enum key first, struct slice *value)
{
    static const char *const WORDS[] = {
#define X(id, words) words,
        KEY_TABLE(X)
#undef X
    };
    struct slice trimmed = slice_trim(line);
    for (int key = (int)first; key < KEY_COUNT; key++) {
        size_t length = strlen(WORDS[key]);
        if (length == 0 || !slice_starts(trimmed, WORDS[key]) || trimmed.length <= length ||
            trimmed.bytes[length] != ':')
            continue;
        struct slice rest = slice_from(trimmed, length + 1);
        if (rest.length > 0 && rest.bytes[0] != ' ' && rest.bytes[0] != '\t')
            continue;
        *value = slice_trim(rest);
        return (enum key)key;
    }
    return KEY_NONE;
}

/* ---- reading ---- */

struct reader {
    struct described *out;
    struct table_columns columns;
    struct draft_pod pod;
    struct draft_container *container; /* under way; NULL */
    struct draft_state *state;         /* of it, under way; NULL */
    size_t state_indent;
    enum key section; /* of the pod; NONE: no description is under way */
    enum key block;   /* of the container: its further lines are COMMAND, ARGS, ENVIRONMENT, MOUNTS ... */
    size_t block_indent;
    bool in_message; /* lines that follow may belong to a state's message */
    bool in_events;  /* the line before was an event, or more of its message */
    int more;        /* lines of the newest event's message */
    int32_t number;
};

static void rest_add(struct reader *reader, struct slice line)
{
    struct described *out = reader->out;
    reader->columns.count = 0; /* here a table has ended */
    if (slice_trim(line).length == 0)
        return;
    if (out->rest_count == DESCRIBED_LINES_MAX) {
        out->left_out++;
        return;
    }
    if ((out->rest_count & (out->rest_count - 1)) == 0)
        out->rest = mem_resize(out->rest, out->rest_count ? 2 * (size_t)out->rest_count : 1, sizeof *out->rest);
    out->rest[out->rest_count++] = (struct told_line){reader->number, line};
}

static void pod_add(struct described *out, struct json *pod, bool described)
{
    if (!pod || out->pod_count == DESCRIBED_PODS_MAX) {
        out->left_out++;
        json_free(pod);
        return;
    }
    if (!out->pods)
        out->pods = mem_array(DESCRIBED_PODS_MAX, sizeof *out->pods);
    if (described) { /* before those of tables */
        memmove(&out->pods[out->pods_described + 1], &out->pods[out->pods_described],
                (out->pod_count - out->pods_described) * sizeof *out->pods);
        out->pods[out->pods_described++] = pod;
        out->pod_count++;
    } else {
        out->pods[out->pod_count++] = pod;
    }
}

/* What was read of the pod under way is all that is told of it. */
static void pod_end(struct reader *reader)
{
    const struct draft_pod *pod = &reader->pod;
    /* What has a name and a namespace alone is a Deployment, a Service or the like. */
    if (pod->container_count > 0 || pod->status.length > 0 || pod->node.length > 0)
        pod_add(reader->out, draft_json(pod), true);
    draft_free(&reader->pod);
    reader->container = NULL;
    reader->state = NULL;
    reader->section = reader->block = KEY_NONE;
    reader->in_message = false;
}

static void container_begin(struct reader *reader, struct slice name, bool init)
{
    struct draft_pod *pod = &reader->pod;
    reader->state = NULL;
    reader->block = KEY_NONE;
    reader->in_message = false;
    if (!pod->containers)
        pod->containers = mem_array(DRAFT_CONTAINERS_MAX, sizeof *pod->containers);
    /* One too many takes the place of the last. */
    uint32_t at = pod->container_count < DRAFT_CONTAINERS_MAX ? pod->container_count++ : DRAFT_CONTAINERS_MAX - 1;
    reader->container = &pod->containers[at];
    reader->container->name = name;
    reader->container->init = init;
}

static bool is_none(struct slice value)
{
    return value.length == 0 || slice_is(value, "<none>") || slice_is(value, "<unset>");
}

static void set(struct slice *field, struct slice value)
{
    if (!is_none(value))
        *field = value;
}

/* ---- a pod's own lines ---- */

static void label_add(struct reader *reader, struct slice value)
{
    if (!is_none(value) && slice_find(value, "="))
        draft_add(&reader->pod.labels, value);
}

static void pod_key(struct reader *reader, enum key key, struct slice value)
{
    struct draft_pod *pod = &reader->pod;
    struct slice *fields[KEY_COUNT] = {
        [KEY_NAMESPACE] = &pod->ns,  [KEY_NODE] = &pod->node,      [KEY_START_TIME] = &pod->start,
        [KEY_STATUS] = &pod->status, [KEY_IP] = &pod->ip,          [KEY_CONTROLLED_BY] = &pod->owner,
        [KEY_REASON] = &pod->reason, [KEY_MESSAGE] = &pod->message};
    reader->section = key;
    reader->container = NULL;
    reader->state = NULL;
    reader->in_message = false;
    if (fields[key])
        set(fields[key], value);
    else if (key == KEY_LABELS)
        label_add(reader, value);
}

/* Whether the next lines say that this one begins a pod's description: "Name:" alone is in many texts. */
static bool pod_begins(enum key key, struct slice next)
{
    struct slice value;
    return key == KEY_NAME && key_take(next, KEY_NAMESPACE, &value) == KEY_NAMESPACE;
}

/* ---- a container's lines ---- */

static void state_begin(struct reader *reader, struct draft_state *state, struct slice value, size_t indent)
{
    *state = (struct draft_state){.word = value};
    reader->state = state;
    reader->state_indent = indent;
    reader->block = KEY_NONE;
}

static void state_key(struct reader *reader, enum key key, struct slice value)
{
    struct draft_state *state = reader->state;
    struct slice *fields[KEY_COUNT] = {
        [KEY_REASON] = &state->reason, [KEY_MESSAGE] = &state->message, [KEY_EXIT_CODE] = &state->exit_code,
        [KEY_SIGNAL] = &state->signal, [KEY_STARTED] = &state->started, [KEY_FINISHED] = &state->finished};
    reader->in_message = key == KEY_MESSAGE;
    if (fields[key] && !fields[key]->bytes)
        set(fields[key], value);
}

static void container_key(struct reader *reader, enum key key, struct slice value, size_t indent)
{
    struct draft_container *container = reader->container;
    struct slice *fields[KEY_COUNT] = {[KEY_CONTAINER_ID] = &container->id,
                                       [KEY_IMAGE] = &container->image,
                                       [KEY_PORT] = &container->ports,
                                       [KEY_PORTS] = &container->ports,
                                       [KEY_READY] = &container->ready,
                                       [KEY_RESTART_COUNT] = &container->restarts,
                                       [KEY_RESTART_POLICY] = &container->restart_policy,
                                       [KEY_LIVENESS] = &container->probe[DRAFT_LIVENESS],
                                       [KEY_READINESS] = &container->probe[DRAFT_READINESS],
                                       [KEY_STARTUP] = &container->probe[DRAFT_STARTUP]};
    reader->in_message = false;
    if (key == KEY_STATE) {
        state_begin(reader, &container->state, value, indent);
        return;
    }
    if (key == KEY_LAST_STATE) {
        state_begin(reader, &container->last, value, indent);
        return;
    }
    reader->state = NULL;
    reader->block = key;
    reader->block_indent = indent;
    if (fields[key])
        set(fields[key], value);
}

/* A line further in than the key that opened the block. */
static bool block_line(struct reader *reader, struct slice line)
{
    struct draft_container *container = reader->container;
    if (!container || reader->block == KEY_NONE || slice_indent(line) <= reader->block_indent)
        return false;
    if (reader->block == KEY_COMMAND)
        draft_add(&container->command, slice_trim(line));
    else if (reader->block == KEY_ARGS)
        draft_add(&container->arguments, slice_trim(line));
    else if (reader->block == KEY_ENVIRONMENT)
        draft_add(&container->environment, slice_trim(line));
    return true;
}

/* "  vllm:" below Containers. */
static bool container_begins(const struct reader *reader, struct slice line, struct slice *name)
{
    enum { DEEPEST = 2 };
    struct slice trimmed = slice_trim(line);
    bool among = reader->section == KEY_CONTAINERS || reader->section == KEY_INIT_CONTAINERS;
    if (!among || slice_indent(line) == 0 || slice_indent(line) > DEEPEST || trimmed.length < 2 ||
        trimmed.bytes[trimmed.length - 1] != ':' || slice_find(trimmed, " "))
        return false;
    *name = slice_before(trimmed, trimmed.length - 1);
    return true;
}

/* A piece of a container's description, copied without what was around it, says something only a description says. */
static bool piece_is_clear(enum key key, struct slice value)
{
    if (key == KEY_STATE || key == KEY_LAST_STATE)
        return slice_is(value, "Waiting") || slice_is(value, "Running") || slice_is(value, "Terminated");
    if (key == KEY_LIVENESS || key == KEY_READINESS || key == KEY_STARTUP)
        return slice_starts(value, "http-get ") || slice_starts(value, "tcp-socket ") || slice_starts(value, "exec ") ||
               slice_starts(value, "grpc ");
    int64_t number;
    return key == KEY_RESTART_COUNT && slice_number(value, &number);
}

/* Lines of containers and their states. False: it is none. */
static bool container_line(struct reader *reader, struct slice line)
{
    struct slice value, name;
    size_t indent = slice_indent(line);
    if (container_begins(reader, line, &name)) {
        container_begin(reader, name, reader->section == KEY_INIT_CONTAINERS);
        return true;
    }
    if (block_line(reader, line))
        return true;
    enum key key = key_take(line, KEY_OF_CONTAINER, &value);
    if (key > KEY_OF_STATE && reader->state && indent > reader->state_indent) {
        state_key(reader, key, value);
        return true;
    }
    if (key == KEY_NONE || key > KEY_OF_STATE)
        return false;
    if (!reader->container && !piece_is_clear(key, value))
        return false;
    if (reader->container && reader->section != KEY_NONE && indent == 0)
        return false;
    if (!reader->container)
        container_begin(reader, (struct slice){"", 0}, false);
    container_key(reader, key, value, indent);
    return true;
}

/* ---- events and pods ---- */

static void event_add(struct reader *reader, struct told_event *event)
{
    struct described *out = reader->out;
    reader->in_events = true;
    reader->more = 0;
    if (out->event_count == DESCRIBED_EVENTS_MAX) {
        out->left_out++;
        told_event_free(event);
        return;
    }
    if ((out->event_count & (out->event_count - 1)) == 0)
        out->events = mem_resize(out->events, out->event_count ? 2 * (size_t)out->event_count : 1, sizeof *out->events);
    event->line = reader->number;
    out->events[out->event_count++] = *event;
}

/* "  ----     ------ " below the titles. */
static bool is_rule(struct slice line)
{
    struct slice trimmed = slice_trim(line);
    for (size_t i = 0; i < trimmed.length; i++)
        if (trimmed.bytes[i] != '-' && trimmed.bytes[i] != ' ')
            return false;
    return trimmed.length > 0;
}

static bool table_line(struct reader *reader, struct slice line)
{
    enum { MORE_MAX = 8 };
    struct told_event event;
    struct told_pod pod;
    if (table_header(&reader->columns, line)) {
        if (reader->section != KEY_NONE && reader->section != KEY_EVENTS)
            pod_end(reader);
        reader->in_events = false;
        return true;
    }
    if (table_event(&reader->columns, line, &event)) {
        event_add(reader, &event);
        return true;
    }
    if (reader->section == KEY_NONE && table_pod(&reader->columns, line, &pod)) {
        pod_add(reader->out, table_pod_json(&pod), false);
        return true;
    }
    if (reader->in_events && reader->out->event_count > 0 && reader->more < MORE_MAX) {
        reader->more++;
        told_event_add(&reader->out->events[reader->out->event_count - 1], line);
        return true;
    }
    return false;
}

/* ---- lines ---- */

/* Lines below a pod's key that nobody needs: annotations, volumes, addresses. */
static bool section_line(struct reader *reader, struct slice line)
{
    if (reader->section == KEY_NONE || slice_indent(line) == 0)
        return false;
    if (reader->section == KEY_LABELS)
        label_add(reader, slice_trim(line));
    else if (reader->section == KEY_CONDITIONS)
        draft_add(&reader->pod.conditions, slice_trim(line));
    return reader->section != KEY_EVENTS;
}

static bool pod_line(struct reader *reader, struct slice line, struct slice next)
{
    struct slice value = {"", 0};
    enum key key = slice_indent(line) == 0 ? key_take(line, KEY_NONE, &value) : KEY_NONE;
    if (pod_begins(key, next)) {
        pod_end(reader);
        reader->section = KEY_NAME;
        reader->in_events = false;
        reader->pod.name = value;
        return true;
    }
    bool of_pod = key < KEY_OF_CONTAINER || key == KEY_REASON || key == KEY_MESSAGE;
    if (reader->section == KEY_NONE || key == KEY_NONE || key == KEY_NAME || !of_pod ||
        (reader->in_message && (key == KEY_REASON || key == KEY_MESSAGE)))
        return false;
    pod_key(reader, key, value);
    return true;
}

static void read_line(struct reader *reader, struct slice line, struct slice next)
{
    if (slice_trim(line).length == 0) {
        reader->in_events = false;
        return;
    }
    if (pod_line(reader, line, next))
        return;
    bool in_pod = reader->section != KEY_NONE && reader->section != KEY_EVENTS;
    if (is_rule(line) && !reader->in_message)
        return;
    if (!in_pod && slice_is(slice_trim(line), "Events:"))
        return;
    if ((!in_pod && table_line(reader, line)) || container_line(reader, line))
        return;
    if (reader->in_message) { /* its further lines stand at the very beginning */
        rest_add(reader, line);
        return;
    }
    if (section_line(reader, line) || (in_pod && table_line(reader, line)))
        return;
    if (in_pod) /* other words end a description */
        pod_end(reader);
    rest_add(reader, line);
}

void describe_read(const char *bytes, size_t length, struct described *out)
{
    struct reader reader = {.out = out};
    struct slice left = {bytes, length}, line, ahead, next;
    *out = (struct described){0};
    while (slice_line(&left, &line)) {
        reader.number++;
        ahead = left;
        if (!slice_line(&ahead, &next))
            next = (struct slice){"", 0};
        read_line(&reader, line, next);
    }
    pod_end(&reader);
}

void described_free(struct described *described)
{
    for (uint32_t i = 0; i < described->pod_count; i++)
        json_free(described->pods[i]);
    for (uint32_t i = 0; i < described->event_count; i++)
        told_event_free(&described->events[i]);
    mem_free(described->pods);
    mem_free(described->events);
    mem_free(described->rest);
    *described = (struct described){0};
}
