/* The source for endpoints given by hand: on the command line, or in the configuration file. No kubelet is there, so the verdicts are what a kubelet would decide: the source
 * watches the lanes and, where a kubelet would kill the container, begins a new emulated run (a new pod fact with a new container_id and `kills` words), as a kubelet would. */
#ifndef PROBETOP_ENDPOINTS_H
#define PROBETOP_ENDPOINTS_H

#include "base/conf.h"
#include "engine/engine.h"

/* "livenessProbe.periodSeconds = 20", kept until the whole of the endpoint is known. */
struct endpoint_setting {
    enum lane_kind lane;
    char *field, *value;
};

/* One endpoint as configured. Owned strings. */
struct endpoint {
    char *name;      /* unique; default: host:port of the URL */
    char *url;       /* http(s)://HOST[:PORT][/]: vLLM's own port, or the sidecar's when vllm_url is given too */
    char *vllm_url;  /* NULL: url is vLLM's own port */
    char *unix_path; /* connect here instead of the URL's host; NULL */
    char *log_path;  /* file to follow for sub-stages; NULL. Followed across truncation and rotation */
    char *expected_model;
    enum role role;
    struct probe_header *headers; /* values already resolved from the environment */
    size_t header_count;
    struct probe_spec probes[LANE_COUNT]; /* action PROBE_NONE and `probe_off` false: the recommended spec */
    bool probe_off[LANE_COUNT];
    struct endpoint_setting *settings; /* private to endpoints_conf.c */
    size_t setting_count;
    char **secrets; /* values of the variables in its headers */
    size_t secret_count;
};

/* A URL as endpoints take it, in its parts. */
enum { ENDPOINT_HOST_MAX = 253 };
struct endpoint_url {
    bool https;
    char host[ENDPOINT_HOST_MAX + 1]; /* an IPv6 address without its brackets */
    int32_t port;
};
/* http(s)://HOST[:PORT][/] and nothing else. `what` is named in the problem ("url", "vllm"). */
enum status endpoint_url_parse(const char *url, const char *what, struct endpoint_url *out, struct problem *problem);

struct endpoints {
    struct endpoint *list;
    size_t count;
};
void endpoints_free(struct endpoints *endpoints);

/* "URL" or "NAME=URL". STATUS_BAD_INPUT with a sentence that quotes the argument and says what was expected: unknown scheme, no host, port not 1 to 65535, userinfo (use a header), fragment, duplicate name. */
enum status endpoints_add_argument(struct endpoints *endpoints, const char *argument, struct problem *problem);
/* A line of the configuration file in a section "endpoint NAME". Keys: url, vllm, role, unix, log, model, header (Name: value, with ${VAR} taken from the environment; repeatable), startupProbe, livenessProbe,
 * readinessProbe, health, models (= off), and startupProbe.FIELD with the fields of probe_spec_set(). Unknown keys and unset variables are errors that name what was expected. */
enum status endpoints_conf_line(struct endpoints *endpoints, const char *section, const char *key, const char *value,
                                struct problem *problem);
/* After the last line: every endpoint has a URL, names are unique, specs pass probe_spec_check(). Broken ones are removed with one sentence each. */
void endpoints_check(struct endpoints *endpoints, const char *path, struct conf_problems *problems);
/* The spec of one lane, as it is really sent but for the headers that hold for the whole endpoint: the witnesses' own, the configured or the recommended one. `out` is zeroed or a spec. */
void endpoint_spec(const struct endpoint *endpoint, enum lane_kind lane, struct probe_spec *out);
/* All header values and tokens in them, for engine_options.secrets. Owned by the caller (free each and the list). */
char **endpoints_secrets(const struct endpoints *endpoints, size_t *count);

extern const struct source_ops endpoints_ops;
/* The source over these (taken over), reaching them through `direct` (borrowed). */
void *endpoints_source_new(struct endpoints *endpoints, struct tunnel *direct);

#endif
