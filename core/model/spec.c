/* Probe specifications: defaults, limits and setting by name (facts/kube.md 1.5). */
#include "model/spec.h"

#include "base/mem.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PORT_MAX = 65535, PORT_NAME_MAX = 15, PORT_DIGITS = 8 };

struct lane_words {
    const char *name, *help;
    char letter;
};

static const struct lane_words lane_table[LANE_COUNT] = {
#define X(id, lane, sign, words) [id] = {.name = (lane), .help = (words), .letter = (sign)},
    LANE_TABLE(X)
#undef X
};

const char *lane_name(enum lane_kind lane)
{
    return lane_table[lane].name;
}

char lane_letter(enum lane_kind lane)
{
    return lane_table[lane].letter;
}

const char *lane_help(enum lane_kind lane)
{
    return lane_table[lane].help;
}

const char *probe_action_name(enum probe_action action)
{
    switch (action) {
    case PROBE_HTTP_GET:
        return "httpGet";
    case PROBE_TCP_SOCKET:
        return "tcpSocket";
    case PROBE_GRPC:
        return "grpc";
    case PROBE_EXEC:
        return "exec";
    case PROBE_NONE:
    default:
        return "none";
    }
}

void probe_spec_defaults(struct probe_spec *spec)
{
    if (spec->timeout == 0) {
        spec->timeout = 1;
        spec->timeout_unset = true;
    }
    if (spec->period == 0)
        spec->period = 10;
    if (spec->success_threshold == 0)
        spec->success_threshold = 1;
    if (spec->failure_threshold == 0)
        spec->failure_threshold = 3;
    if (spec->action == PROBE_HTTP_GET && (spec->path == NULL || spec->path[0] == '\0')) {
        mem_free(spec->path);
        spec->path = mem_dup("/");
    }
}

/* Kubernetes' rule for port names: lower case letters, digits and single inner dashes, a letter among them, at most 15. */
static bool port_name_is_good(const char *name)
{
    const size_t length = strlen(name);
    bool letter = false;

    if (length == 0 || length > PORT_NAME_MAX || name[0] == '-' || name[length - 1] == '-')
        return false;
    for (size_t i = 0; i < length; i++) {
        const unsigned char c = (unsigned char)name[i];

        if (c >= 'a' && c <= 'z')
            letter = true;
        else if (!isdigit(c) && (c != '-' || name[i + 1] == '-'))
            return false;
    }
    return letter;
}

/* RFC 9110's token, which a header's name has to be. */
static bool header_name_is_good(const char *name, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && strchr("!#$%&'*+-.^_`|~", name[i]) == NULL)
            return false;
    return length > 0;
}

/* Whether the bytes can stand in a request without ending the line they stand in. */
static bool is_one_line(const char *string)
{
    for (; *string != '\0'; string++)
        if ((unsigned char)*string < ' ' || *string == 0x7f)
            return false;
    return true;
}

/* "livenessProbe", or a witness's plain name: where a field stands, for a sentence. */
static const char *lane_place(enum lane_kind lane, char *out, size_t size)
{
    snprintf(out, size, "%s%s", lane_name(lane_base(lane)), lane_is_kubelets(lane) ? "Probe" : "");
    return out;
}

static enum status target_check(const struct probe_spec *spec, const char *place, struct problem *problem)
{
    const char *action = probe_action_name(spec->action);

    if (spec->action == PROBE_EXEC)
        return STATUS_OK;
    if (spec->port_name != NULL && spec->action == PROBE_GRPC) {
        return problem_set(problem, STATUS_BAD_INPUT, "%s.grpc.port: must be a number, is \"%s\"", place,
                           spec->port_name);
    }
    if (spec->port_name != NULL && !port_name_is_good(spec->port_name)) {
        return problem_set(problem, STATUS_BAD_INPUT,
                           "%s.%s.port: a name must be at most %d lower case letters, digits and dashes, is \"%s\"",
                           place, action, PORT_NAME_MAX, spec->port_name);
    }
    if (spec->port < 0 || spec->port > PORT_MAX || (spec->port == 0 && spec->port_name == NULL)) {
        return problem_set(problem, STATUS_BAD_INPUT, "%s.%s.port: must be 1 to %d, is %" PRId32, place, action,
                           PORT_MAX, spec->port);
    }
    if (spec->action != PROBE_HTTP_GET)
        return STATUS_OK;
    if (spec->path == NULL || spec->path[0] == '\0')
        return problem_set(problem, STATUS_BAD_INPUT, "%s.httpGet.path: must not be empty", place);
    for (size_t i = 0; i < spec->header_count; i++) {
        const char *name = spec->headers[i].name;

        if (name == NULL || !header_name_is_good(name, strlen(name))) {
            return problem_set(problem, STATUS_BAD_INPUT, "%s.httpGet.httpHeaders[%zu].name: is not a header's name",
                               place, i);
        }
    }
    return STATUS_OK;
}

static enum status number_check(const char *place, const char *field, int32_t value, int32_t least,
                                struct problem *problem)
{
    if (value >= least)
        return STATUS_OK;
    return problem_set(problem, STATUS_BAD_INPUT, "%s.%s: must be at least %" PRId32 ", is %" PRId32, place, field,
                       least, value);
}

enum status probe_spec_check(const struct probe_spec *spec, enum lane_kind lane, struct problem *problem)
{
    const struct {
        const char *field;
        int32_t value, least;
    } numbers[] = {
        {"initialDelaySeconds", spec->initial_delay, 0},
        {"timeoutSeconds", spec->timeout, 1},
        {"periodSeconds", spec->period, 1},
        {"successThreshold", spec->success_threshold, 1},
        {"failureThreshold", spec->failure_threshold, 1},
    };
    enum status status = STATUS_OK;
    char place[32];

    lane_place(lane, place, sizeof place);
    if (problem != NULL)
        problem->text[0] = '\0';
    if (spec->action == PROBE_NONE)
        return STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < sizeof numbers / sizeof numbers[0]; i++)
        status = number_check(place, numbers[i].field, numbers[i].value, numbers[i].least, problem);
    if (status != STATUS_OK)
        return status;
    lane = lane_base(lane);
    if ((lane == LANE_STARTUP || lane == LANE_LIVENESS) && spec->success_threshold != 1) {
        return problem_set(problem, STATUS_BAD_INPUT, "%s.successThreshold: must be 1, is %" PRId32, place,
                           spec->success_threshold);
    }
    if (spec->termination_grace < 0) {
        return problem_set(problem, STATUS_BAD_INPUT,
                           "%s.terminationGracePeriodSeconds: must be at least 1 where it is set, is %" PRId32, place,
                           spec->termination_grace);
    }
    if (lane == LANE_READINESS && spec->termination_grace != 0) {
        return problem_set(problem, STATUS_BAD_INPUT,
                           "%s.terminationGracePeriodSeconds: must not be set, a readiness probe kills nothing", place);
    }
    return target_check(spec, place, problem);
}

/* Digits only, within the limits. */
static bool number_read(const char *value, int32_t least, int32_t most, int32_t *out)
{
    int64_t number = 0;

    if (*value == '\0')
        return false;
    for (; *value != '\0'; value++) {
        if (!isdigit((unsigned char)*value))
            return false;
        number = number * 10 + (*value - '0');
        if (number > most)
            return false;
    }
    if (number < least)
        return false;
    *out = (int32_t)number;
    return true;
}

static void string_replace(char **place, const char *value)
{
    char *copy = mem_dup(value); /* first: value may be what *place holds */

    mem_free(*place);
    *place = copy;
}

static enum status path_set(struct probe_spec *spec, const char *value, struct problem *problem)
{
    if (value[0] != '/' || !is_one_line(value) || strchr(value, ' ') != NULL) {
        return problem_set(problem, STATUS_BAD_INPUT,
                           "path: expected a path such as /v1/models, without spaces, got \"%s\"", value);
    }
    string_replace(&spec->path, value);
    return STATUS_OK;
}

static enum status port_set(struct probe_spec *spec, const char *value, struct problem *problem)
{
    int32_t port = 0;

    if (!number_read(value, 1, PORT_MAX, &port) && !port_name_is_good(value)) {
        return problem_set(problem, STATUS_BAD_INPUT, "port: expected 1 to %d or a port's name, got \"%s\"", PORT_MAX,
                           value);
    }
    spec->port = port;
    string_replace(&spec->port_name, port == 0 ? value : NULL);
    return STATUS_OK;
}

static enum status scheme_set(struct probe_spec *spec, const char *value, struct problem *problem)
{
    const bool https = strcmp(value, "HTTPS") == 0 || strcmp(value, "https") == 0;

    if (!https && strcmp(value, "HTTP") != 0 && strcmp(value, "http") != 0)
        return problem_set(problem, STATUS_BAD_INPUT, "scheme: expected HTTP or HTTPS, got \"%s\"", value);
    spec->https = https;
    return STATUS_OK;
}

static enum status host_set(struct probe_spec *spec, const char *value, struct problem *problem)
{
    if (value[0] == '\0' || !is_one_line(value) || strpbrk(value, " /?#@") != NULL)
        return problem_set(problem, STATUS_BAD_INPUT, "host: expected a host name or an address, got \"%s\"", value);
    string_replace(&spec->host, value);
    return STATUS_OK;
}

/* The value may be a secret: no sentence quotes it. */
static enum status header_add(struct probe_spec *spec, const char *value, struct problem *problem)
{
    const char *colon = strchr(value, ':');
    struct probe_header *header = NULL;

    if (colon == NULL || !header_name_is_good(value, (size_t)(colon - value)) || !is_one_line(colon))
        return problem_set(problem, STATUS_BAD_INPUT, "header: expected \"Name: value\" on one line");
    if (spec->header_count >= PROBE_HEADERS_MAX)
        return problem_set(problem, STATUS_FULL, "header: expected at most %d headers", PROBE_HEADERS_MAX);
    spec->headers = mem_resize(spec->headers, spec->header_count + 1, sizeof *spec->headers);
    header = &spec->headers[spec->header_count++];
    header->name = mem_dup_n(value, (size_t)(colon - value));
    header->value = mem_dup(colon + 1 + strspn(colon + 1, " "));
    return STATUS_OK;
}

static const struct {
    const char *field;
    enum status (*set)(struct probe_spec *spec, const char *value, struct problem *problem);
} http_fields[] = {
    {"path", path_set}, {"port", port_set}, {"scheme", scheme_set}, {"host", host_set}, {"header", header_add}};

static enum status seconds_set(struct probe_spec *spec, const char *field, const char *value, struct problem *problem)
{
    const struct {
        const char *field;
        int32_t *place;
        int32_t least, most;
    } numbers[] = {
        {"initialDelaySeconds", &spec->initial_delay, 0, PROBE_SECONDS_MAX},
        {"timeoutSeconds", &spec->timeout, 1, PROBE_SECONDS_MAX},
        {"periodSeconds", &spec->period, 1, PROBE_SECONDS_MAX},
        {"successThreshold", &spec->success_threshold, 1, PROBE_THRESHOLD_MAX},
        {"failureThreshold", &spec->failure_threshold, 1, PROBE_THRESHOLD_MAX},
        {"terminationGracePeriodSeconds", &spec->termination_grace, 1, PROBE_SECONDS_MAX},
    };

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(field, numbers[i].field) != 0)
            continue;
        if (!number_read(value, numbers[i].least, numbers[i].most, numbers[i].place)) {
            return problem_set(problem, STATUS_BAD_INPUT,
                               "%s: expected a whole number from %" PRId32 " to %" PRId32 ", got \"%s\"", field,
                               numbers[i].least, numbers[i].most, value);
        }
        if (numbers[i].place == &spec->timeout)
            spec->timeout_unset = false;
        return STATUS_OK;
    }
    return problem_set(problem, STATUS_NOT_FOUND,
                       "no probe field \"%s\"; expected path, port, scheme, host, header, initialDelaySeconds, "
                       "timeoutSeconds, periodSeconds, successThreshold, failureThreshold or "
                       "terminationGracePeriodSeconds",
                       field);
}

enum status probe_spec_set(struct probe_spec *spec, const char *field, const char *value, struct problem *problem)
{
    if (problem != NULL)
        problem->text[0] = '\0';
    for (size_t i = 0; i < sizeof http_fields / sizeof http_fields[0]; i++) {
        if (strcmp(field, http_fields[i].field) == 0) {
            const enum status status = http_fields[i].set(spec, value, problem);

            if (status == STATUS_OK && spec->action == PROBE_NONE)
                spec->action = PROBE_HTTP_GET; /* these fields are httpGet's */
            return status;
        }
    }
    return seconds_set(spec, field, value, problem);
}

void probe_spec_http(struct probe_spec *spec, const char *path, int32_t port)
{
    spec->action = PROBE_HTTP_GET;
    string_replace(&spec->path, path);
    string_replace(&spec->port_name, NULL);
    spec->port = port;
    probe_spec_defaults(spec);
}

void probe_spec_copy(struct probe_spec *to, const struct probe_spec *from)
{
    struct probe_spec copy = *from; /* made whole before `to` is freed: they may be one */

    copy.port_name = mem_dup(from->port_name);
    copy.path = mem_dup(from->path);
    copy.host = mem_dup(from->host);
    copy.headers = NULL;
    if (from->header_count > 0)
        copy.headers = mem_array(from->header_count, sizeof *copy.headers);
    for (size_t i = 0; i < from->header_count; i++) {
        copy.headers[i].name = mem_dup(from->headers[i].name);
        copy.headers[i].value = mem_dup(from->headers[i].value);
    }
    probe_spec_free(to);
    *to = copy;
}

void probe_spec_free(struct probe_spec *spec)
{
    for (size_t i = 0; i < spec->header_count; i++) {
        mem_free(spec->headers[i].name);
        mem_free(spec->headers[i].value);
    }
    mem_free(spec->headers);
    mem_free(spec->port_name);
    mem_free(spec->path);
    mem_free(spec->host);
    *spec = (struct probe_spec){0};
}

static bool string_equal(const char *a, const char *b)
{
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

bool probe_spec_same_target(const struct probe_spec *a, const struct probe_spec *b)
{
    /* Two names that lead to one port are one target; only where a name leads nowhere does the name itself tell. */
    const bool same_port = a->port == b->port && (a->port != 0 || string_equal(a->port_name, b->port_name));

    return a->action == b->action && a->https == b->https && same_port && string_equal(a->path, b->path) &&
           string_equal(a->host, b->host);
}

void probe_spec_describe(const struct probe_spec *spec, struct text *out)
{
    const char *host = spec->host == NULL ? "" : spec->host;
    char number[PORT_DIGITS + 4];
    const char *port = number;

    snprintf(number, sizeof number, "%" PRId32, spec->port);
    if (spec->port == 0 && spec->port_name != NULL)
        port = spec->port_name;
    switch (spec->action) {
    case PROBE_HTTP_GET:
        text_printf(out, TEXT_LINE, "GET %s%s:%s%s", spec->https ? "https://" : "", host, port,
                    spec->path == NULL ? "/" : spec->path);
        break;
    case PROBE_TCP_SOCKET:
        text_printf(out, TEXT_LINE, "TCP %s:%s", host, port);
        break;
    case PROBE_GRPC:
        text_printf(out, TEXT_LINE, "gRPC %s:%s", host, port);
        break;
    case PROBE_EXEC:
        text_set_str(out, "exec", TEXT_LINE);
        break;
    case PROBE_NONE:
    default:
        text_set_str(out, "no probe", TEXT_LINE);
        break;
    }
}

void probe_spec_recommended(struct probe_spec *spec, enum lane_kind lane, int32_t port)
{
    /* Witnesses keep the pace of the guide's lane that asks the same question. */
    static const struct {
        const char *path;
        int32_t initial_delay, timeout, period, failure_threshold;
    } rows[LANE_COUNT] = {
        [LANE_STARTUP] = {"/v1/models", 15, 5, 30, 60}, [LANE_LIVENESS] = {"/health", 0, 5, 10, 3},
        [LANE_READINESS] = {"/v1/models", 0, 2, 5, 3},  [LANE_HEALTH] = {"/health", 0, 5, 10, 3},
        [LANE_MODELS] = {"/v1/models", 0, 2, 5, 3},
    };

    lane = lane_base(lane);
    probe_spec_free(spec);
    spec->initial_delay = rows[lane].initial_delay;
    spec->timeout = rows[lane].timeout;
    spec->period = rows[lane].period;
    spec->failure_threshold = rows[lane].failure_threshold;
    probe_spec_http(spec, rows[lane].path, port);
}
