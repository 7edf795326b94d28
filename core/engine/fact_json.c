#include "engine/fact_json.h"

#include "base/json.h"
#include "base/mem.h"

#include <stddef.h>
#include <string.h>

/* One table row a field, read by the encoder and by the decoder: what one writes the other cannot forget. A field at its fallback is not written, which keeps a
 * probe's line near 150 bytes. */

enum field_type {
    FIELD_INT32,
    FIELD_INT64,
    FIELD_BOOL,
    FIELD_TRI,     /* true, false, or not there */
    FIELD_REAL,    /* three decimals, at least 0 */
    FIELD_NAME,    /* an enum, by its name */
    FIELD_TEXT,    /* a string, or [string, flags] when it was escaped ("e") or cut ("c"), see below */
    FIELD_STRING,  /* char *, owned */
    FIELD_OBJECT,  /* a struct of its own */
    FIELD_HEADERS, /* of a struct probe_spec: the names */
    FIELD_MODELS,  /* of a struct sample */
};

struct shape;

struct field {
    const char *key;
    enum field_type type;
    size_t offset;
    int64_t fallback, min, max; /* of integers and names */
    const char *(*name)(int value);
    const struct shape *shape;
};

struct shape {
    const struct field *fields;
    size_t count;
};

/* Decoded numbers are kept where every integer is a double of its own (what JSON can carry) and where differences cannot overflow. */
#define MOMENT_MAX (INT64_C(1) << 53)

/* Left free in every line, so that the journal can add a mark to it (journal.c). */
enum { LINE_SPARE = 64 };

#define SHAPE(list)                                                                                                    \
    {                                                                                                                  \
        .fields = (list), .count = sizeof(list) / sizeof(list)[0]                                                      \
    }
#define MOMENT(where, member, k, otherwise)                                                                            \
    {                                                                                                                  \
        .key = (k), .type = FIELD_INT64, .offset = offsetof(where, member), .fallback = (otherwise),                   \
        .min = -MOMENT_MAX, .max = MOMENT_MAX                                                                          \
    }
#define NUMBER(where, member, k, otherwise, least, most)                                                               \
    {                                                                                                                  \
        .key = (k), .type = FIELD_INT32, .offset = offsetof(where, member), .fallback = (otherwise), .min = (least),   \
        .max = (most)                                                                                                  \
    }
#define NAME(where, member, k, otherwise, function, values)                                                            \
    {                                                                                                                  \
        .key = (k), .type = FIELD_NAME, .offset = offsetof(where, member), .fallback = (otherwise), .max = (values)-1, \
        .name = (function)                                                                                             \
    }
#define PLAIN(where, member, k, kind)                                                                                  \
    {                                                                                                                  \
        .key = (k), .type = (kind), .offset = offsetof(where, member)                                                  \
    }
#define OBJECT(where, member, k, inner)                                                                                \
    {                                                                                                                  \
        .key = (k), .type = FIELD_OBJECT, .offset = offsetof(where, member), .shape = &(inner)                         \
    }
#define TEXT(where, member, k) PLAIN(where, member, k, FIELD_TEXT)
#define BOOL(where, member, k) PLAIN(where, member, k, FIELD_BOOL)

/* Names that are always written, so that a line says what it is about, have a fallback no value has. */
enum { ALWAYS = -1 };

/* One signature for the names of all enums. */
#define NAME_FUNCTION(enum_name)                                                                                       \
    static const char *name_of_##enum_name(int value)                                                                  \
    {                                                                                                                  \
        return enum_name##_name((enum enum_name)value);                                                                \
    }

static const char *container_state_name(enum container_state state)
{
    static const char *const names[] = {
        [CONTAINER_UNKNOWN] = "unknown",
        [CONTAINER_WAITING] = "waiting",
        [CONTAINER_RUNNING] = "running",
        [CONTAINER_TERMINATED] = "terminated",
    };
    return names[state];
}

static const char *lane_kind_name(enum lane_kind lane)
{
    return lane_name(lane);
}

NAME_FUNCTION(lane_kind)
NAME_FUNCTION(outcome)
NAME_FUNCTION(probe_cause)
NAME_FUNCTION(answerer)
NAME_FUNCTION(role)
NAME_FUNCTION(pod_phase)
NAME_FUNCTION(container_state)
NAME_FUNCTION(probe_action)
NAME_FUNCTION(tunnel_word)
NAME_FUNCTION(source_state)

/* ---- the tables ---- */

static const struct field sample_fields[] = {
    NAME(struct sample, lane, "lane", ALWAYS, name_of_lane_kind, LANE_COUNT),
    NAME(struct sample, outcome, "out", ALWAYS, name_of_outcome, OUTCOME_COUNT),
    NAME(struct sample, cause, "cause", PROBE_CAUSE_NONE, name_of_probe_cause, PROBE_CAUSE_COUNT),
    NAME(struct sample, answerer, "who", ANSWERER_NOBODY, name_of_answerer, ANSWERER_COUNT),
    NUMBER(struct sample, status, "status", 0, 0, INT32_MAX),
    NUMBER(struct sample, attempt, "try", 0, 0, INT32_MAX),
    MOMENT(struct sample, sent, "sent", -1),
    MOMENT(struct sample, dns, "dns", -1),
    MOMENT(struct sample, connect, "conn", -1),
    MOMENT(struct sample, tls, "tls", -1),
    MOMENT(struct sample, first_byte, "first", -1),
    MOMENT(struct sample, total, "total", -1),
    MOMENT(struct sample, tunnel, "tunnel", -1),
    MOMENT(struct sample, late, "late", -1),
    BOOL(struct sample, is_late, "behind"),
    NUMBER(struct sample, redirects, "redirects", 0, 0, INT32_MAX),
    TEXT(struct sample, detail, "detail"),
    TEXT(struct sample, body, "body"),
    {.key = "models", .type = FIELD_MODELS},
};

static const struct field spec_fields[] = {
    NAME(struct probe_spec, action, "action", PROBE_NONE, name_of_probe_action, PROBE_EXEC + 1),
    NUMBER(struct probe_spec, initial_delay, "delay", 0, 0, PROBE_SECONDS_MAX),
    NUMBER(struct probe_spec, timeout, "timeout", 0, 0, PROBE_SECONDS_MAX),
    NUMBER(struct probe_spec, period, "period", 0, 0, PROBE_SECONDS_MAX),
    NUMBER(struct probe_spec, success_threshold, "success", 0, 0, PROBE_THRESHOLD_MAX),
    NUMBER(struct probe_spec, failure_threshold, "failure", 0, 0, PROBE_THRESHOLD_MAX),
    NUMBER(struct probe_spec, termination_grace, "grace", 0, 0, INT32_MAX),
    NUMBER(struct probe_spec, port, "port", 0, 0, UINT16_MAX),
    BOOL(struct probe_spec, https, "https"),
    PLAIN(struct probe_spec, port_name, "port_name", FIELD_STRING),
    PLAIN(struct probe_spec, path, "path", FIELD_STRING),
    PLAIN(struct probe_spec, host, "host", FIELD_STRING),
    {.key = "headers", .type = FIELD_HEADERS},
    BOOL(struct probe_spec, unserved, "unserved"),
    BOOL(struct probe_spec, timeout_unset, "timeout_unset"),
};
static const struct shape spec_shape = SHAPE(spec_fields);

static const struct field condition_fields[] = {
    PLAIN(struct condition, status, "is", FIELD_TRI),
    MOMENT(struct condition, since, "since", 0),
    TEXT(struct condition, reason, "reason"),
    TEXT(struct condition, message, "message"),
};
static const struct shape condition_shape = SHAPE(condition_fields);

static const struct field termination_fields[] = {
    BOOL(struct termination, known, "known"),
    NUMBER(struct termination, exit_code, "exit", 0, INT32_MIN, INT32_MAX),
    NUMBER(struct termination, signal, "signal", 0, INT32_MIN, INT32_MAX),
    TEXT(struct termination, reason, "reason"),
    TEXT(struct termination, message, "message"),
    MOMENT(struct termination, started_at, "started_at", 0),
    MOMENT(struct termination, finished_at, "finished_at", 0),
};
static const struct shape termination_shape = SHAPE(termination_fields);

static const struct field container_fields[] = {
    BOOL(struct container_facts, exists, "exists"),
    TEXT(struct container_facts, name, "name"),
    TEXT(struct container_facts, image, "image"),
    TEXT(struct container_facts, container_id, "id"),
    NAME(struct container_facts, state, "state", CONTAINER_UNKNOWN, name_of_container_state, CONTAINER_TERMINATED + 1),
    TEXT(struct container_facts, reason, "reason"),
    TEXT(struct container_facts, message, "message"),
    MOMENT(struct container_facts, started_at, "started_at", 0),
    BOOL(struct container_facts, started_at_known, "started_at_known"),
    OBJECT(struct container_facts, last, "last", termination_shape),
    NUMBER(struct container_facts, restart_count, "restarts", 0, 0, INT32_MAX),
    PLAIN(struct container_facts, started, "started", FIELD_TRI),
    PLAIN(struct container_facts, ready, "ready", FIELD_TRI),
};
static const struct shape container_shape = SHAPE(container_fields);

static const struct field pod_fields[] = {
    TEXT(struct pod_facts, name, "name"),
    TEXT(struct pod_facts, ns, "ns"),
    TEXT(struct pod_facts, uid, "uid"),
    TEXT(struct pod_facts, node, "node"),
    TEXT(struct pod_facts, pod_ip, "ip"),
    TEXT(struct pod_facts, workload, "workload"),
    NAME(struct pod_facts, phase, "phase", PHASE_UNKNOWN, name_of_pod_phase, PHASE_FAILED + 1),
    TEXT(struct pod_facts, phase_reason, "phase_reason"),
    TEXT(struct pod_facts, phase_message, "phase_message"),
    NAME(struct pod_facts, role, "role", ROLE_NONE, name_of_role, ROLE_COUNT),
    BOOL(struct pod_facts, kubelet, "kubelet"),
    BOOL(struct pod_facts, never_restart, "never_restart"),
    BOOL(struct pod_facts, deleting, "deleting"),
    MOMENT(struct pod_facts, created_at, "created_at", 0),
    MOMENT(struct pod_facts, deletion_at, "deletion_at", 0),
    NUMBER(struct pod_facts, grace, "grace", 0, 0, INT32_MAX),
    OBJECT(struct pod_facts, scheduled, "scheduled", condition_shape),
    OBJECT(struct pod_facts, initialized, "initialized", condition_shape),
    OBJECT(struct pod_facts, containers_ready, "containers_ready", condition_shape),
    OBJECT(struct pod_facts, ready, "ready", condition_shape),
    OBJECT(struct pod_facts, serving, "serving", container_shape),
    OBJECT(struct pod_facts, sidecar, "sidecar", container_shape),
    OBJECT(struct pod_facts, probes[LANE_STARTUP], "startup", spec_shape),
    OBJECT(struct pod_facts, probes[LANE_LIVENESS], "liveness", spec_shape),
    OBJECT(struct pod_facts, probes[LANE_READINESS], "readiness", spec_shape),
    OBJECT(struct pod_facts, probes[LANE_HEALTH], "health", spec_shape),
    OBJECT(struct pod_facts, probes[LANE_MODELS], "models", spec_shape),
    OBJECT(struct pod_facts, probes[LANE_SIDECAR_STARTUP], "sidecar-startup", spec_shape),
    OBJECT(struct pod_facts, probes[LANE_SIDECAR_LIVENESS], "sidecar-liveness", spec_shape),
    OBJECT(struct pod_facts, probes[LANE_SIDECAR_READINESS], "sidecar-readiness", spec_shape),
    NUMBER(struct pod_facts, serving_port, "serving_port", 0, 0, UINT16_MAX),
    NUMBER(struct pod_facts, vllm_port, "vllm_port", 0, 0, UINT16_MAX),
    NUMBER(struct pod_facts, ranks, "ranks", 0, 0, UINT16_MAX),
    NUMBER(struct pod_facts, supervisor_port, "supervisor_port", 0, 0, UINT16_MAX),
    TEXT(struct pod_facts, expected_model, "expected_model"),
    TEXT(struct pod_facts, via, "via"),
    TEXT(struct pod_facts, context, "context"),
    TEXT(struct pod_facts, kubeconfig, "kubeconfig"),
    TEXT(struct pod_facts, cluster, "cluster"),
    TEXT(struct pod_facts, user, "user"),
    TEXT(struct pod_facts, as, "as"),
    TEXT(struct pod_facts, address, "address"),
};

/* The largest of the tables: shape_read() keeps a bit for each field. */
_Static_assert(sizeof pod_fields / sizeof pod_fields[0] <= 64, "a bit for each field");

static const struct field hello_fields[] = {
    NUMBER(struct fact, u.hello.version, "version", 0, 0, INT32_MAX),
    MOMENT(struct fact, u.hello.mono_zero, "mono_zero", 0),
    MOMENT(struct fact, u.hello.wall_zero, "wall_zero", 0),
    PLAIN(struct fact, u.hello.speed, "speed", FIELD_REAL),
    TEXT(struct fact, u.hello.title, "title"),
    TEXT(struct fact, u.hello.source, "source"),
    TEXT(struct fact, u.hello.program, "program"),
};

static const struct field log_fields[] = {
    TEXT(struct fact, u.log.container, "container"),   TEXT(struct fact, u.log.line, "line"),
    BOOL(struct fact, u.log.previous, "previous"),     BOOL(struct fact, u.log.sidecar, "sidecar"),
    MOMENT(struct fact, u.log.written, "written", -1),
};

static const struct field event_fields[] = {
    TEXT(struct fact, u.event.reason, "reason"),       TEXT(struct fact, u.event.message, "message"),
    TEXT(struct fact, u.event.container, "container"), TEXT(struct fact, u.event.uid, "uid"),
    BOOL(struct fact, u.event.warning, "warning"),     NUMBER(struct fact, u.event.count, "count", 0, 0, INT32_MAX),
    MOMENT(struct fact, u.event.first, "first", 0),    MOMENT(struct fact, u.event.last, "last", 0),
};

static const struct field tunnel_fields[] = {
    NAME(struct fact, u.tunnel.word, "word", ALWAYS, name_of_tunnel_word, TUNNEL_WORD_COUNT),
    MOMENT(struct fact, u.tunnel.round_trip, "round_trip", -1),
    TEXT(struct fact, u.tunnel.detail, "detail"),
};

static const struct field source_fields[] = {
    NAME(struct fact, u.source.state, "state", ALWAYS, name_of_source_state, SOURCE_STATE_COUNT),
    TEXT(struct fact, u.source.detail, "detail"),
};

static const struct field workload_fields[] = {
    TEXT(struct workload_facts, name, "name"),
    TEXT(struct workload_facts, ns, "ns"),
    BOOL(struct workload_facts, observed, "observed"),
    NUMBER(struct workload_facts, desired, "desired", 0, 0, INT32_MAX),
    NUMBER(struct workload_facts, updated, "updated", 0, 0, INT32_MAX),
    NUMBER(struct workload_facts, total, "total", 0, 0, INT32_MAX),
    TEXT(struct workload_facts, words, "words"),
};

static const struct field note_fields[] = {TEXT(struct fact, u.note, "text")};
static const struct field end_fields[] = {TEXT(struct fact, u.end, "text")};

/* What a fact of a kind carries, and where in struct fact the offsets count from. */
struct kind {
    struct shape shape;
    size_t offset;
};

static const struct kind kinds[FACT_KIND_COUNT] = {
    [FACT_HELLO] = {SHAPE(hello_fields), 0},
    [FACT_POD] = {SHAPE(pod_fields), offsetof(struct fact, u.facts)},
    [FACT_PROBE] = {SHAPE(sample_fields), offsetof(struct fact, u.sample)},
    [FACT_LOG] = {SHAPE(log_fields), 0},
    [FACT_EVENT] = {SHAPE(event_fields), 0},
    [FACT_TUNNEL] = {SHAPE(tunnel_fields), 0},
    [FACT_SOURCE] = {SHAPE(source_fields), 0},
    [FACT_WORKLOAD] = {SHAPE(workload_fields), offsetof(struct fact, u.workload)},
    [FACT_NOTE] = {SHAPE(note_fields), 0},
    [FACT_END] = {SHAPE(end_fields), 0},
};

/* ---- encoding ---- */

static bool shape_is_default(const struct shape *shape, const void *base);

/* The value of a field of one of the integer types; enums are ints by size. */
static int64_t field_int(const struct field *field, const void *at)
{
    if (field->type == FIELD_INT64)
        return *(const int64_t *)at;
    int32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static bool field_is_default(const struct field *field, const void *base)
{
    const void *at = (const char *)base + field->offset;
    switch (field->type) {
    case FIELD_INT32:
    case FIELD_INT64:
    case FIELD_NAME:
    case FIELD_TRI:
        return field_int(field, at) == field->fallback;
    case FIELD_BOOL:
        return !*(const bool *)at;
    case FIELD_REAL:
        return *(const double *)at <= 0;
    case FIELD_TEXT:
        return text_empty(at);
    case FIELD_STRING:
        return *(char *const *)at == NULL;
    case FIELD_OBJECT:
        return shape_is_default(field->shape, at);
    case FIELD_HEADERS:
        return ((const struct probe_spec *)at)->header_count == 0;
    case FIELD_MODELS:
        return ((const struct sample *)at)->model_count < 0;
    }
    return true;
}

static bool shape_is_default(const struct shape *shape, const void *base)
{
    for (size_t i = 0; i < shape->count; i++)
        if (!field_is_default(&shape->fields[i], base))
            return false;
    return true;
}

/* The flags would be lost on the way, since cleaning what is clean already changes nothing. */
static void text_write(struct json_writer *writer, const char *key, const struct text *text)
{
    if (!text->escaped && !text->cut) {
        json_put_text(writer, key, text);
        return;
    }
    json_open_array(writer, key);
    json_put_text(writer, NULL, text);
    json_put_string(writer, NULL, !text->cut ? "e" : !text->escaped ? "c" : "ec");
    json_close_array(writer);
}

/* The names only: a value may be a token. */
static void headers_write(struct json_writer *writer, const char *key, const struct probe_spec *spec)
{
    json_open_array(writer, key);
    for (size_t i = 0; i < spec->header_count; i++)
        json_put_string(writer, NULL, spec->headers[i].name != NULL ? spec->headers[i].name : "");
    json_close_array(writer);
}

static void models_write(struct json_writer *writer, const char *key, const struct sample *sample)
{
    json_open_array(writer, key);
    for (int i = 0; i < sample->model_count; i++)
        text_write(writer, NULL, &sample->models[i]);
    json_close_array(writer);
}

static void shape_write(struct json_writer *writer, const struct shape *shape, const void *base);

static void field_write(struct json_writer *writer, const struct field *field, const void *at)
{
    switch (field->type) {
    case FIELD_INT32:
    case FIELD_INT64:
        json_put_int(writer, field->key, field_int(field, at));
        break;
    case FIELD_NAME:
        json_put_string(writer, field->key, field->name((int)field_int(field, at)));
        break;
    case FIELD_TRI:
        json_put_bool(writer, field->key, field_int(field, at) == TRI_TRUE);
        break;
    case FIELD_BOOL:
        json_put_bool(writer, field->key, true);
        break;
    case FIELD_REAL:
        json_put_real(writer, field->key, *(const double *)at);
        break;
    case FIELD_TEXT:
        text_write(writer, field->key, at);
        break;
    case FIELD_STRING:
        json_put_string(writer, field->key, *(char *const *)at);
        break;
    case FIELD_OBJECT:
        json_open_object(writer, field->key);
        shape_write(writer, field->shape, at);
        json_close_object(writer);
        break;
    case FIELD_HEADERS:
        headers_write(writer, field->key, at);
        break;
    case FIELD_MODELS:
        models_write(writer, field->key, at);
        break;
    }
}

static void shape_write(struct json_writer *writer, const struct shape *shape, const void *base)
{
    for (size_t i = 0; i < shape->count; i++) {
        const struct field *field = &shape->fields[i];
        if (!field_is_default(field, base))
            field_write(writer, field, (const char *)base + field->offset);
    }
}

enum status fact_encode(const struct fact *fact, struct buf *out)
{
    const struct kind *kind = &kinds[fact->kind];
    size_t start = out->len;
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_put_string(&writer, "k", fact_kind_name(fact->kind));
    json_put_int(&writer, "t", fact->t);
    if (fact->pod != 0)
        json_put_int(&writer, "pod", fact->pod);
    shape_write(&writer, &kind->shape, (const char *)fact + kind->offset);
    json_close_object(&writer);
    if (!buf_putc(out, '\n') || out->len - start > FACT_LINE_MAX - LINE_SPARE) {
        buf_cut(out, start);
        return STATUS_FULL;
    }
    return STATUS_OK;
}

/* ---- decoding ---- */

static enum status shape_read(const struct shape *shape, const struct json *object, void *base,
                              struct problem *problem);

static enum status text_read(const struct json *value, struct text *text)
{
    const struct json *string = json_is_array(value) ? json_first(value) : value;
    if (json_string(string) == NULL)
        return STATUS_BAD_INPUT;
    json_text(string, text, TEXT_BODY);
    const char *flags = json_is_array(value) ? json_string(json_next(string)) : NULL;
    if (flags != NULL && !text_empty(text)) {
        text->escaped = text->escaped || strchr(flags, 'e') != NULL;
        text->cut = text->cut || strchr(flags, 'c') != NULL;
    }
    return STATUS_OK;
}

static enum status headers_read(const struct json *array, struct probe_spec *spec)
{
    size_t count = json_count(array);
    if (!json_is_array(array) || count > PROBE_HEADERS_MAX)
        return STATUS_BAD_INPUT;
    spec->headers = count > 0 ? mem_array(count, sizeof *spec->headers) : NULL;
    for (const struct json *name = json_first(array); name != NULL; name = json_next(name)) {
        if (json_string(name) == NULL)
            return STATUS_BAD_INPUT;
        spec->headers[spec->header_count++].name = mem_dup(json_string(name));
    }
    return STATUS_OK;
}

static enum status models_read(const struct json *array, struct sample *sample)
{
    if (!json_is_array(array) || json_count(array) > SAMPLE_MODELS_MAX)
        return STATUS_BAD_INPUT;
    sample->model_count = 0;
    for (const struct json *model = json_first(array); model != NULL; model = json_next(model))
        if (text_read(model, sample_add_model(sample)) != STATUS_OK)
            return STATUS_BAD_INPUT;
    return STATUS_OK;
}

static enum status int_read(const struct field *field, const struct json *value, void *at)
{
    /* Below every min, so that what is no whole number is out of range as well. */
    int64_t number = json_int(value, INT64_MIN);
    if (number < field->min || number > field->max)
        return STATUS_BAD_INPUT;
    if (field->type == FIELD_INT64)
        *(int64_t *)at = number;
    else
        *(int32_t *)at = (int32_t)number;
    return STATUS_OK;
}

static enum status name_read(const struct field *field, const struct json *value, void *at)
{
    const char *name = json_string(value);
    for (int i = 0; name != NULL && i <= field->max; i++) {
        if (strcmp(field->name(i), name) == 0) {
            memcpy(at, &i, sizeof i);
            return STATUS_OK;
        }
    }
    return STATUS_BAD_INPUT;
}

static enum status bool_read(const struct field *field, const struct json *value, void *at)
{
    bool is = json_bool(value, false);
    if (!is && json_bool(value, true))
        return STATUS_BAD_INPUT; /* neither */
    if (field->type == FIELD_TRI)
        *(enum tri *)at = is ? TRI_TRUE : TRI_FALSE;
    else
        *(bool *)at = is;
    return STATUS_OK;
}

static enum status real_read(const struct json *value, double *at)
{
    double real = json_real(value, -1);
    *at = real >= 0 ? real : 0;
    return real >= 0 ? STATUS_OK : STATUS_BAD_INPUT;
}

static enum status string_read(const struct json *value, char **at)
{
    *at = mem_dup(json_string(value));
    return *at != NULL ? STATUS_OK : STATUS_BAD_INPUT;
}

static enum status field_read(const struct field *field, const struct json *value, void *at, struct problem *problem)
{
    enum status status = STATUS_BAD_INPUT;
    switch (field->type) {
    case FIELD_INT32:
    case FIELD_INT64:
        status = int_read(field, value, at);
        break;
    case FIELD_NAME:
        status = name_read(field, value, at);
        break;
    case FIELD_BOOL:
    case FIELD_TRI:
        status = bool_read(field, value, at);
        break;
    case FIELD_REAL:
        status = real_read(value, at);
        break;
    case FIELD_TEXT:
        status = text_read(value, at);
        break;
    case FIELD_STRING:
        status = string_read(value, at);
        break;
    case FIELD_OBJECT:
        return shape_read(field->shape, value, at, problem);
    case FIELD_HEADERS:
        status = headers_read(value, at);
        break;
    case FIELD_MODELS:
        status = models_read(value, at);
        break;
    }
    if (status != STATUS_OK)
        problem_set(problem, status, "\"%s\": not a value this key can have", field->key);
    return status;
}

/* The index of the field with this key, `count` when there is none. Looked for from `guess` on: members mostly come in the table's order. */
static size_t field_find(const struct shape *shape, const char *key, size_t guess)
{
    for (size_t i = 0; i < shape->count; i++) {
        size_t index = guess + i < shape->count ? guess + i : guess + i - shape->count;
        if (shape->fields[index].key[0] == key[0] && strcmp(shape->fields[index].key, key) == 0)
            return index;
    }
    return shape->count;
}

/* `base` holds the fallbacks already. Of members with the same key the first counts. */
static enum status shape_read(const struct shape *shape, const struct json *object, void *base, struct problem *problem)
{
    uint64_t seen = 0;
    size_t guess = 0;
    if (!json_is_object(object))
        return problem_set(problem, STATUS_BAD_INPUT, "expected an object");
    for (const struct json *member = json_first(object); member != NULL; member = json_next(member)) {
        size_t index = field_find(shape, json_key(member), guess);
        if (index == shape->count || (seen >> index & 1) != 0)
            continue;
        seen |= UINT64_C(1) << index;
        guess = index + 1;
        const struct field *field = &shape->fields[index];
        enum status status = field_read(field, member, (char *)base + field->offset, problem);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* What readers rely on and the ranges of the tables do not say: nobody divides by a period of 0. */
static enum status pod_check(const struct fact *fact, struct problem *problem)
{
    if (fact->pod == 0)
        return problem_set(problem, STATUS_BAD_INPUT, "\"pod\": expected a number above 0");
    for (int i = 0; i < LANE_COUNT; i++) {
        const struct probe_spec *spec = &fact->u.facts.probes[i];
        if (spec->action != PROBE_NONE &&
            (spec->timeout < 1 || spec->period < 1 || spec->success_threshold < 1 || spec->failure_threshold < 1)) {
            return problem_set(problem, STATUS_BAD_INPUT,
                               "\"%s\": expected timeout, period, success and failure above 0",
                               lane_name((enum lane_kind)i));
        }
    }
    return STATUS_OK;
}

/* Kind, time and pod; the fact is initialised only when that went well. */
static enum status head_read(const struct json *line, struct fact *fact, struct problem *problem)
{
    const char *name = json_string(json_get(line, "k"));
    int64_t t = json_int(json_get(line, "t"), INT64_MIN);
    int64_t pod = json_int(json_get(line, "pod"), 0);
    int kind = 0;
    if (name == NULL)
        return problem_set(problem, STATUS_BAD_INPUT, "expected an object with \"k\", the kind of fact");
    while (kind < FACT_KIND_COUNT && strcmp(fact_kind_name((enum fact_kind)kind), name) != 0)
        kind++;
    if (kind == FACT_KIND_COUNT)
        return problem_set(problem, STATUS_UNSUPPORTED, "\"%s\" is no known kind of fact", name);
    if (t < -MOMENT_MAX || t > MOMENT_MAX)
        return problem_set(problem, STATUS_BAD_INPUT, "\"t\": expected a whole number of microseconds");
    if (pod < 0 || pod > UINT32_MAX)
        return problem_set(problem, STATUS_BAD_INPUT, "\"pod\": expected a number from 0 to 4294967295");
    fact_init(fact, (enum fact_kind)kind, (uint32_t)pod);
    fact->t = t;
    return STATUS_OK;
}

enum status fact_decode(const char *line, size_t length, struct fact *fact, struct problem *problem)
{
    struct json *document;
    enum status status = json_parse(line, length, FACT_LINE_MAX, &document, problem);
    if (status != STATUS_OK)
        return status;
    status = head_read(document, fact, problem);
    if (status == STATUS_OK) {
        const struct kind *kind = &kinds[fact->kind];
        status = shape_read(&kind->shape, document, (char *)fact + kind->offset, problem);
        if (status == STATUS_OK && fact->kind == FACT_POD)
            status = pod_check(fact, problem);
        if (status != STATUS_OK)
            fact_free(fact);
    }
    json_free(document);
    return status;
}
