#include "engine/endpoints.h"

#include "base/mem.h"
#include "engine/redact.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    MODELS_SECONDS = 5,
    /* A dead engine answers 503 for about 2 s before the process is gone (facts/vllm.md 2.1): only who asks every second sees why. */
    HEALTH_SECONDS = 1,
    WITNESS_TIMEOUT_SECONDS = 5,
    QUOTE_MAX = 80
};

/* ---- URLs ---- */

/* The scheme's length, 0 when it is none of the two. */
static size_t url_scheme(const char *url, struct endpoint_url *out)
{
    static const char http[] = "http://", https[] = "https://";
    out->https = strncasecmp(url, https, sizeof https - 1) == 0;
    if (out->https)
        return sizeof https - 1;
    return strncasecmp(url, http, sizeof http - 1) == 0 ? sizeof http - 1 : 0;
}

static bool port_parse(const char *digits, size_t length, int32_t *port)
{
    int32_t value = 0;
    if (length == 0 || length > 5)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        value = 10 * value + (digits[i] - '0');
    }
    *port = value;
    return value >= 1 && value <= 65535;
}

static bool host_is_good(const struct endpoint_url *url, bool bracketed)
{
    if (bracketed) {
        struct in6_addr address;
        return inet_pton(AF_INET6, url->host, &address) == 1;
    }
    if (url->host[0] == '\0')
        return false;
    for (const char *byte = url->host; *byte != '\0'; byte++)
        if (!isascii(*byte) || (!isalnum((unsigned char)*byte) && strchr("-._", *byte) == NULL))
            return false;
    return true;
}

/* HOST or HOST:PORT, an IPv6 host in brackets. */
static const char *authority_parse(const char *bytes, size_t length, struct endpoint_url *out)
{
    bool bracketed = length > 0 && bytes[0] == '[';
    const char *host = bracketed ? bytes + 1 : bytes;
    const char *end = memchr(bytes, bracketed ? ']' : ':', length);
    if (bracketed && end == NULL)
        return "the bracket of the IPv6 address is not closed";
    if (end == NULL)
        end = bytes + length;
    size_t host_length = (size_t)(end - host);
    if (host_length > ENDPOINT_HOST_MAX)
        return "the host's name is too long";
    memcpy(out->host, host, host_length);
    out->host[host_length] = '\0';
    if (!host_is_good(out, bracketed))
        return host_length == 0 ? "no host" : "not a host name or address (an IPv6 address goes into brackets)";
    const char *rest = bracketed ? end + 1 : end;
    size_t left = length - (size_t)(rest - bytes);
    out->port = out->https ? 443 : 80;
    if (left > 0 && (rest[0] != ':' || !port_parse(rest + 1, left - 1, &out->port)))
        return "the port is not a number from 1 to 65535";
    return NULL;
}

enum status endpoint_url_parse(const char *url, const char *what, struct endpoint_url *out, struct problem *problem)
{
    static const char expected[] = "expected http://HOST[:PORT] or https://HOST[:PORT]";
    size_t scheme = url_scheme(url, out);
    const char *wrong = NULL;
    const char *authority = url + scheme;
    size_t length = strcspn(authority, "/?#");
    if (scheme == 0) {
        wrong = strstr(url, "://") != NULL ? "unknown scheme" : "no scheme";
    } else if (memchr(authority, '@', length) != NULL) {
        return problem_set(problem, STATUS_BAD_INPUT,
                           "%s: a URL with a user or password in it; %s, and a header for credentials", what, expected);
    } else {
        wrong = authority_parse(authority, length, out);
    }
    const char *rest = authority + length;
    if (wrong == NULL && strchr(rest, '#') != NULL)
        wrong = "a fragment means nothing here";
    if (wrong == NULL && rest[0] != '\0' && strcmp(rest, "/") != 0)
        wrong = "a path or query belongs to a probe (readinessProbe.path)";
    if (wrong != NULL)
        return problem_set(problem, STATUS_BAD_INPUT, "%s \"%.*s\": %s; %s", what, QUOTE_MAX, url, wrong, expected);
    return STATUS_OK;
}

/* ---- the list ---- */

static void endpoint_free(struct endpoint *endpoint)
{
    mem_free(endpoint->name);
    mem_free(endpoint->url);
    mem_free(endpoint->vllm_url);
    mem_free(endpoint->unix_path);
    mem_free(endpoint->log_path);
    mem_free(endpoint->expected_model);
    for (size_t i = 0; i < endpoint->header_count; i++) {
        mem_free(endpoint->headers[i].name);
        mem_free(endpoint->headers[i].value);
    }
    mem_free(endpoint->headers);
    for (int lane = 0; lane < LANE_COUNT; lane++)
        probe_spec_free(&endpoint->probes[lane]);
    for (size_t i = 0; i < endpoint->setting_count; i++) {
        mem_free(endpoint->settings[i].field);
        mem_free(endpoint->settings[i].value);
    }
    mem_free(endpoint->settings);
    for (size_t i = 0; i < endpoint->secret_count; i++)
        mem_free(endpoint->secrets[i]);
    mem_free(endpoint->secrets);
}

void endpoints_free(struct endpoints *endpoints)
{
    for (size_t i = 0; i < endpoints->count; i++)
        endpoint_free(&endpoints->list[i]);
    mem_free(endpoints->list);
    *endpoints = (struct endpoints){0};
}

/* The newest first: each line of a section asks for the same one. */
static struct endpoint *endpoints_find(const struct endpoints *endpoints, const char *name)
{
    for (size_t i = endpoints->count; i > 0; i--)
        if (strcmp(endpoints->list[i - 1].name, name) == 0)
            return &endpoints->list[i - 1];
    return NULL;
}

static struct endpoint *endpoints_add(struct endpoints *endpoints, const char *name)
{
    endpoints->list = mem_resize(endpoints->list, endpoints->count + 1, sizeof *endpoints->list);
    struct endpoint *endpoint = &endpoints->list[endpoints->count];
    endpoints->count++;
    *endpoint = (struct endpoint){.name = mem_dup(name)};
    return endpoint;
}

enum status endpoints_add_argument(struct endpoints *endpoints, const char *argument, struct problem *problem)
{
    const char *equals = strchr(argument, '=');
    const char *scheme = strstr(argument, "://");
    bool named = equals != NULL && (scheme == NULL || equals < scheme);
    const char *url = named ? equals + 1 : argument;
    if (scheme == NULL || (named && equals == argument)) {
        return problem_set(problem, STATUS_BAD_INPUT,
                           "\"%.*s\": expected an endpoint as URL or NAME=URL, like http://127.0.0.1:8000", QUOTE_MAX,
                           argument);
    }
    struct endpoint_url parts;
    enum status status = endpoint_url_parse(url, "endpoint", &parts, problem);
    if (status != STATUS_OK)
        return status;
    char name[ENDPOINT_HOST_MAX + 16];
    snprintf(name, sizeof name, strchr(parts.host, ':') != NULL ? "[%s]:%d" : "%s:%d", parts.host, (int)parts.port);
    char *chosen = named ? mem_dup_n(argument, (size_t)(equals - argument)) : mem_dup(name);
    if (endpoints_find(endpoints, chosen) != NULL) {
        status = problem_set(problem, STATUS_BAD_INPUT,
                             "\"%.*s\": the name \"%.*s\" is taken; expected another one, as NAME=URL", QUOTE_MAX,
                             argument, QUOTE_MAX, chosen);
    } else {
        endpoints_add(endpoints, chosen)->url = mem_dup(url);
    }
    mem_free(chosen);
    return status;
}

/* ---- lines of the configuration file ---- */

static enum status string_set(char **where, const char *key, const char *value, struct problem *problem)
{
    if (value[0] == '\0')
        return problem_set(problem, STATUS_BAD_INPUT, "%s is empty; expected a value", key);
    if (*where != NULL)
        return problem_set(problem, STATUS_BAD_INPUT, "%s is given twice; expected once for each endpoint", key);
    *where = mem_dup(value);
    return STATUS_OK;
}

static enum status url_line(struct endpoint *endpoint, const char *key, const char *value, struct problem *problem)
{
    struct endpoint_url parts;
    enum status status = endpoint_url_parse(value, key, &parts, problem);
    char **where = strcmp(key, "vllm") == 0 ? &endpoint->vllm_url : &endpoint->url;
    return status == STATUS_OK ? string_set(where, key, value, problem) : status;
}

static enum status string_line(struct endpoint *endpoint, const char *key, const char *value, struct problem *problem)
{
    char **where = strcmp(key, "unix") == 0  ? &endpoint->unix_path
                   : strcmp(key, "log") == 0 ? &endpoint->log_path
                                             : &endpoint->expected_model;
    return string_set(where, key, value, problem);
}

static enum status role_line(struct endpoint *endpoint, const char *key, const char *value, struct problem *problem)
{
    if (role_from_name(value, &endpoint->role))
        return STATUS_OK;
    char names[PROBLEM_MAX / 2] = "";
    for (enum role role = ROLE_NONE + 1; role < ROLE_COUNT; role++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", used > 0 ? ", " : "", role_name(role));
    }
    return problem_set(problem, STATUS_BAD_INPUT, "%s \"%.*s\" is not known; expected one of %s", key, QUOTE_MAX, value,
                       names);
}

/* A variable's value is a secret: it must be long enough to be recognised wherever it comes back. */
static enum status variable_append(struct endpoint *endpoint, const char *name, struct buf *out,
                                   struct problem *problem)
{
    const char *value = getenv(name);
    if (value == NULL) {
        return problem_set(problem, STATUS_BAD_INPUT,
                           "the environment variable %s is not set; expected it to hold the header's value", name);
    }
    if (strlen(value) < REDACT_LENGTH_MIN) {
        return problem_set(
            problem, STATUS_BAD_INPUT,
            "the environment variable %s is shorter than %d characters: it could not be kept out of the journal; "
            "expected a longer one",
            name, REDACT_LENGTH_MIN);
    }
    endpoint->secrets = mem_resize(endpoint->secrets, endpoint->secret_count + 1, sizeof *endpoint->secrets);
    endpoint->secrets[endpoint->secret_count] = mem_dup(value);
    endpoint->secret_count++;
    buf_puts(out, value);
    return STATUS_OK;
}

/* Replaces each ${NAME} by the variable's value. */
static enum status variables_expand(struct endpoint *endpoint, const char *value, struct buf *out,
                                    struct problem *problem)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && *value != '\0') {
        if (value[0] != '$' || value[1] != '{') {
            buf_putc(out, *value);
            value++;
            continue;
        }
        size_t length = strspn(value + 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
        if (length == 0 || value[2 + length] != '}') {
            return problem_set(problem, STATUS_BAD_INPUT,
                               "header: expected ${NAME} with the name of an environment variable");
        }
        char *name = mem_dup_n(value + 2, length);
        status = variable_append(endpoint, name, out, problem);
        mem_free(name);
        value += length + 3;
    }
    return status;
}

/* A literal credential as short as that could not be recognised again either. */
static enum status header_check(const struct probe_header *header, struct problem *problem)
{
    const char *last = strrchr(header->value, ' ');
    if (strcasecmp(header->name, "Authorization") == 0 &&
        strlen(last != NULL ? last + 1 : header->value) < REDACT_LENGTH_MIN) {
        return problem_set(
            problem, STATUS_BAD_INPUT,
            "header Authorization: a credential shorter than %d characters could not be kept out of the journal; "
            "expected a longer one",
            REDACT_LENGTH_MIN);
    }
    return STATUS_OK;
}

/* "Name: value" with variables, onto the headers of this spec. */
static enum status header_set(struct endpoint *endpoint, struct probe_spec *spec, const char *value,
                              struct problem *problem)
{
    struct buf expanded;
    buf_init(&expanded, 2 * CONF_LINE_MAX);
    enum status status = variables_expand(endpoint, value, &expanded, problem);
    if (status == STATUS_OK && expanded.truncated)
        status = problem_set(problem, STATUS_FULL, "header: longer than %d bytes", 2 * CONF_LINE_MAX);
    if (status == STATUS_OK)
        status = probe_spec_set(spec, "header", buf_str(&expanded), problem);
    if (status == STATUS_OK) {
        struct probe_header *header = &spec->headers[spec->header_count - 1];
        status = header_check(header, problem);
        if (status != STATUS_OK) {
            mem_free(header->name);
            mem_free(header->value);
            spec->header_count--;
        }
    }
    buf_free(&expanded);
    return status;
}

static enum status header_line(struct endpoint *endpoint, const char *key, const char *value, struct problem *problem)
{
    (void)key;
    struct probe_spec holder = {.headers = endpoint->headers, .header_count = endpoint->header_count};
    enum status status = header_set(endpoint, &holder, value, problem);
    endpoint->headers = holder.headers;
    endpoint->header_count = holder.header_count;
    return status;
}

/* The configuration's word for a lane: "startupProbe", ..., "health", "models". */
static const char *lane_key(enum lane_kind lane)
{
    static const char *const keys[LANE_SERVING_COUNT] = {[LANE_STARTUP] = "startupProbe",
                                                         [LANE_LIVENESS] = "livenessProbe",
                                                         [LANE_READINESS] = "readinessProbe",
                                                         [LANE_HEALTH] = "health",
                                                         [LANE_MODELS] = "models"};
    return keys[lane];
}

static enum status field_line(struct endpoint *endpoint, enum lane_kind lane, const char *field, const char *value,
                              struct problem *problem)
{
    struct probe_spec trial = {0};
    probe_spec_recommended(&trial, lane, 1);
    struct buf expanded;
    buf_init(&expanded, 2 * CONF_LINE_MAX);
    bool is_header = strcmp(field, "header") == 0;
    enum status status =
        is_header ? header_set(endpoint, &trial, value, problem) : probe_spec_set(&trial, field, value, problem);
    if (status == STATUS_NOT_FOUND) {
        status = problem_set(problem, STATUS_BAD_INPUT,
                             "%s.%.*s is not known; expected a field of a Kubernetes probe, like %s.periodSeconds",
                             lane_key(lane), QUOTE_MAX, field, lane_key(lane));
    } else if (status == STATUS_OK && trial.port_name != NULL) {
        status = problem_set(problem, STATUS_BAD_INPUT, "%s.%s: expected a number: an endpoint has no named ports",
                             lane_key(lane), field);
    }
    if (status == STATUS_OK) {
        endpoint->settings = mem_resize(endpoint->settings, endpoint->setting_count + 1, sizeof *endpoint->settings);
        const struct probe_header *header = is_header ? &trial.headers[trial.header_count - 1] : NULL;
        if (is_header)
            buf_printf(&expanded, "%s: %s", header->name, header->value);
        endpoint->settings[endpoint->setting_count] =
            (struct endpoint_setting){lane, mem_dup(field), mem_dup(is_header ? buf_str(&expanded) : value)};
        endpoint->setting_count++;
    }
    buf_free(&expanded);
    probe_spec_free(&trial);
    return status;
}

/* "startupProbe = off", "startupProbe.FIELD = value", "health = off". STATUS_NOT_FOUND: the key is about no lane. */
static enum status lane_line(struct endpoint *endpoint, const char *key, const char *value, struct problem *problem)
{
    for (int kind = 0; kind < LANE_SERVING_COUNT; kind++) {
        enum lane_kind lane = (enum lane_kind)kind;
        size_t length = strlen(lane_key(lane));
        if (strncmp(key, lane_key(lane), length) != 0)
            continue;
        if (key[length] == '.' && lane_is_kubelets(lane))
            return field_line(endpoint, lane, key + length + 1, value, problem);
        if (key[length] == '\0' && strcmp(value, "off") != 0) {
            return problem_set(problem, STATUS_BAD_INPUT, "%s = \"%.*s\": expected off%s", key, QUOTE_MAX, value,
                               lane_is_kubelets(lane) ? ", or a field as in readinessProbe.periodSeconds = 5" : "");
        }
        if (key[length] == '\0') {
            endpoint->probe_off[lane] = true;
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}

/* The endpoint that a section is about; the section's first line makes it. */
static enum status section_endpoint(struct endpoints *endpoints, const char *section, struct endpoint **out,
                                    struct problem *problem)
{
    static const char word[] = "endpoint";
    const char *name = section + strlen(word);
    if (strncmp(section, word, strlen(word)) != 0 || !isspace((unsigned char)*name))
        return problem_set(problem, STATUS_BAD_INPUT, "section [%.*s]: expected [endpoint NAME]", QUOTE_MAX, section);
    name += strspn(name, " \t");
    if (*name == '\0')
        return problem_set(problem, STATUS_BAD_INPUT, "section [endpoint] has no name; expected [endpoint NAME]");
    *out = endpoints_find(endpoints, name);
    if (*out == NULL)
        *out = endpoints_add(endpoints, name);
    return STATUS_OK;
}

enum status endpoints_conf_line(struct endpoints *endpoints, const char *section, const char *key, const char *value,
                                struct problem *problem)
{
    static const struct {
        const char *key;
        enum status (*set)(struct endpoint *endpoint, const char *key, const char *value, struct problem *problem);
    } lines[] = {{"url", url_line},    {"vllm", url_line},     {"role", role_line},    {"unix", string_line},
                 {"log", string_line}, {"model", string_line}, {"header", header_line}};
    struct endpoint *endpoint = NULL;
    enum status status = section_endpoint(endpoints, section, &endpoint, problem);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (strcmp(key, lines[i].key) == 0)
            return lines[i].set(endpoint, key, value, problem);
    status = lane_line(endpoint, key, value, problem);
    if (status == STATUS_NOT_FOUND) {
        return problem_set(
            problem, STATUS_BAD_INPUT,
            "key \"%.*s\" is not known; expected url, vllm, role, unix, log, model, header, startupProbe, "
            "livenessProbe, readinessProbe (= off, or .FIELD), health or models (= off)",
            QUOTE_MAX, key);
    }
    return status;
}

/* ---- the whole ---- */

/* The port a lane asks by itself: the container's own, which is vLLM's (the probes stand in the vLLM container's spec); clients ask the serving port. */
static void lane_target(const struct endpoint *endpoint, enum lane_kind lane, struct endpoint_url *out)
{
    bool own = endpoint->vllm_url != NULL && lane != LANE_MODELS;
    struct problem problem;
    if (endpoint_url_parse(own ? endpoint->vllm_url : endpoint->url, "url", out, &problem) != STATUS_OK)
        *out = (struct endpoint_url){0};
}

void endpoint_spec(const struct endpoint *endpoint, enum lane_kind lane, struct probe_spec *out)
{
    probe_spec_free(out);
    if (endpoint->probe_off[lane] || lane_is_sidecars(lane))
        return;
    if (endpoint->probes[lane].action != PROBE_NONE) {
        probe_spec_copy(out, &endpoint->probes[lane]);
        return;
    }
    struct endpoint_url target;
    lane_target(endpoint, lane, &target);
    if (lane_is_kubelets(lane)) {
        probe_spec_recommended(out, lane, target.port);
    } else {
        probe_spec_http(out, lane == LANE_HEALTH ? "/health" : "/v1/models", target.port);
        out->period = lane == LANE_HEALTH ? HEALTH_SECONDS : MODELS_SECONDS;
        out->timeout = WITNESS_TIMEOUT_SECONDS;
    }
    out->https = target.https;
}

/* What is wrong with the endpoint as a whole; its specs are made on the way. */
static enum status endpoint_check(struct endpoint *endpoint, struct problem *problem)
{
    if (endpoint->url == NULL)
        return problem_set(problem, STATUS_BAD_INPUT, "has no url; expected url = http://HOST:PORT");
    struct endpoint_url serving, own;
    lane_target(endpoint, LANE_MODELS, &serving);
    lane_target(endpoint, LANE_HEALTH, &own);
    if (endpoint->vllm_url != NULL && serving.port == own.port) {
        return problem_set(
            problem, STATUS_BAD_INPUT,
            "url and vllm name the same port %d; expected the sidecar's port as url and vLLM's own as vllm",
            (int)own.port);
    }
    enum status status = STATUS_OK;
    for (int kind = 0; kind < LANE_SERVING_COUNT && status == STATUS_OK; kind++) {
        enum lane_kind lane = (enum lane_kind)kind;
        struct probe_spec spec = {0};
        endpoint_spec(endpoint, lane, &spec);
        for (size_t i = 0; i < endpoint->setting_count && spec.action != PROBE_NONE; i++) {
            const struct endpoint_setting *setting = &endpoint->settings[i];
            if (setting->lane == lane && status == STATUS_OK)
                status = probe_spec_set(&spec, setting->field, setting->value, problem);
        }
        status = status == STATUS_OK ? probe_spec_check(&spec, lane, problem) : status;
        probe_spec_free(&endpoint->probes[lane]);
        endpoint->probes[lane] = spec;
    }
    return status;
}

void endpoints_check(struct endpoints *endpoints, const char *path, struct conf_problems *problems)
{
    size_t kept = 0;
    for (size_t i = 0; i < endpoints->count; i++) {
        struct endpoint *endpoint = &endpoints->list[i];
        struct problem problem = {{0}};
        if (endpoint_check(endpoint, &problem) == STATUS_OK) {
            endpoints->list[kept] = *endpoint;
            kept++;
            continue;
        }
        conf_problems_add(problems, "%s: endpoint \"%.*s\" %s", path, QUOTE_MAX, endpoint->name, problem.text);
        endpoint_free(endpoint);
    }
    endpoints->count = kept;
}

/* ---- secrets ---- */

struct strings {
    char **list;
    size_t count;
};

static void strings_add(struct strings *strings, const char *string)
{
    for (size_t i = 0; i < strings->count; i++)
        if (strcmp(strings->list[i], string) == 0)
            return;
    if (strlen(string) >= REDACT_LENGTH_MIN) {
        strings->list = mem_resize(strings->list, strings->count + 1, sizeof *strings->list);
        strings->list[strings->count] = mem_dup(string);
        strings->count++;
    }
}

/* The whole value, what follows a scheme ("Bearer "), and what follows a name ("token="). */
static void headers_collect(const struct probe_header *headers, size_t count, struct strings *strings)
{
    for (size_t i = 0; i < count; i++) {
        const char *value = headers[i].value;
        if (value == NULL)
            continue;
        strings_add(strings, value);
        const char *space = strchr(value, ' ');
        const char *equals = strchr(value, '=');
        if (space != NULL)
            strings_add(strings, space + 1 + strspn(space + 1, " "));
        if (equals != NULL && equals[1] != '=')
            strings_add(strings, equals + 1);
    }
}

char **endpoints_secrets(const struct endpoints *endpoints, size_t *count)
{
    struct strings strings = {0};
    for (size_t i = 0; i < endpoints->count; i++) {
        const struct endpoint *endpoint = &endpoints->list[i];
        headers_collect(endpoint->headers, endpoint->header_count, &strings);
        for (int lane = 0; lane < LANE_COUNT; lane++)
            headers_collect(endpoint->probes[lane].headers, endpoint->probes[lane].header_count, &strings);
        for (size_t k = 0; k < endpoint->secret_count; k++)
            strings_add(&strings, endpoint->secrets[k]);
    }
    *count = strings.count;
    return strings.list;
}
