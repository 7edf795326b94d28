/* Pod JSON to facts: every field may be missing or of a wrong type, and is then not known. */
#include "base/mem.h"
#include "kube/container.h"
#include "kube/discover.h"

#include <string.h>

enum { WITNESS_SECONDS = 5, GRACE_SECONDS = 30 };

/* ---- small values ---- */

static int32_t int_within(const struct json *value, int32_t lowest, int32_t highest, int32_t fallback)
{
    int64_t number = json_int(value, fallback);
    return number < lowest ? lowest : number > highest ? highest : (int32_t)number;
}

static enum tri tri_of(const struct json *value)
{
    bool known = json_bool(value, false) == json_bool(value, true);
    return !known ? TRI_UNKNOWN : json_bool(value, false) ? TRI_TRUE : TRI_FALSE;
}

static int64_t moment_of(const struct json *value, const struct clock *clock)
{
    int64_t t;
    return json_moment(value, clock, &t) ? t : 0;
}

/* ---- probes ---- */

static void headers_of(const struct json *headers, struct probe_spec *out)
{
    size_t count = json_is_array(headers) ? json_count(headers) : 0;
    count = count < PROBE_HEADERS_MAX ? count : PROBE_HEADERS_MAX;
    out->headers = count > 0 ? mem_array(count, sizeof *out->headers) : NULL;
    for (const struct json *h = json_first(headers); h != NULL && out->header_count < count; h = json_next(h)) {
        const char *name = json_string(json_get(h, "name")), *value = json_string(json_get(h, "value"));
        if (name != NULL)
            out->headers[out->header_count++] = (struct probe_header){mem_dup(name), mem_dup(value ? value : "")};
    }
}

static void port_of(const struct json *container, const struct json *port, struct probe_spec *out)
{
    out->port = container_port(container, port);
    out->port_name = mem_dup(json_string(port));
}

static void action_of(const struct json *container, const struct json *probe, struct probe_spec *out)
{
    const struct json *get = json_get(probe, "httpGet"), *tcp = json_get(probe, "tcpSocket"),
                      *grpc = json_get(probe, "grpc");
    const char *host = json_string(json_get(json_is_object(get) ? get : tcp, "host"));
    if (json_is_object(get)) {
        out->action = PROBE_HTTP_GET;
        port_of(container, json_get(get, "port"), out);
        out->path = mem_dup(json_string(json_get(get, "path")));
        out->https = json_string_is(json_get(get, "scheme"), "HTTPS");
        headers_of(json_get(get, "httpHeaders"), out);
    } else if (json_is_object(tcp)) {
        out->action = PROBE_TCP_SOCKET;
        port_of(container, json_get(tcp, "port"), out);
    } else if (json_is_object(grpc)) {
        out->action = PROBE_GRPC;
        port_of(container, json_get(grpc, "port"), out);
    } else if (json_is_object(json_get(probe, "exec"))) {
        out->action = PROBE_EXEC;
    }
    out->host = host != NULL && host[0] != '\0' ? mem_dup(host) : NULL;
}

static void probe_of(const struct json *container, const char *key, struct probe_spec *out)
{
    const struct json *probe = json_get(container, key);
    action_of(container, probe, out);
    if (out->action == PROBE_NONE)
        return;
    out->initial_delay = int_within(json_get(probe, "initialDelaySeconds"), 0, PROBE_SECONDS_MAX, 0);
    out->timeout = int_within(json_get(probe, "timeoutSeconds"), 0, PROBE_SECONDS_MAX, 0);
    out->period = int_within(json_get(probe, "periodSeconds"), 0, PROBE_SECONDS_MAX, 0);
    out->success_threshold = int_within(json_get(probe, "successThreshold"), 0, PROBE_THRESHOLD_MAX, 0);
    out->failure_threshold = int_within(json_get(probe, "failureThreshold"), 0, PROBE_THRESHOLD_MAX, 0);
    out->termination_grace = int_within(json_get(probe, "terminationGracePeriodSeconds"), 0, PROBE_SECONDS_MAX, 0);
    probe_spec_defaults(out);
}

static void witness_of(const struct json *container, const char *path, int32_t port, struct probe_spec *out)
{
    if (port <= 0)
        return;
    probe_spec_http(out, path, port);
    out->period = out->timeout = WITNESS_SECONDS;
    out->timeout_unset = false;
    out->https = container_is_https(container, port);
}

static void probes_of(const struct json *pod, const struct discovery *discovery, struct pod_facts *out)
{
    const struct json *serving = container_find(pod, discovery->serving);
    const struct json *front = discovery->sidecar != NULL ? container_find(pod, discovery->sidecar) : serving;
    probe_of(serving, "startupProbe", &out->probes[LANE_STARTUP]);
    probe_of(serving, "livenessProbe", &out->probes[LANE_LIVENESS]);
    probe_of(serving, "readinessProbe", &out->probes[LANE_READINESS]);
    if (discovery->sidecar != NULL) {
        probe_of(front, "startupProbe", &out->probes[LANE_SIDECAR_STARTUP]);
        probe_of(front, "livenessProbe", &out->probes[LANE_SIDECAR_LIVENESS]);
        probe_of(front, "readinessProbe", &out->probes[LANE_SIDECAR_READINESS]);
    }
    for (int lane = LANE_STARTUP; lane <= LANE_READINESS; lane++) {
        struct probe_spec *probe = &out->probes[lane];
        probe->unserved = probe->port > 0 && probe->host == NULL && discover_is_unserved(pod, discovery, probe->port);
    }
    witness_of(serving, "/health", discovery->vllm_port, &out->probes[LANE_HEALTH]);
    witness_of(front, "/v1/models", discovery->serving_port, &out->probes[LANE_MODELS]);
}

/* ---- containers ---- */

static void termination_of(const struct json *end, const struct clock *clock, struct termination *out)
{
    if (!json_is_object(end))
        return;
    out->known = true;
    out->exit_code = int_within(json_get(end, "exitCode"), INT32_MIN, INT32_MAX, 0);
    out->signal = int_within(json_get(end, "signal"), 0, INT32_MAX, 0);
    out->started_at = moment_of(json_get(end, "startedAt"), clock);
    out->finished_at = moment_of(json_get(end, "finishedAt"), clock);
    json_text(json_get(end, "reason"), &out->reason, TEXT_NAME);
    /* Where nothing else was written there it is the end of the log (terminationMessagePolicy): the cause may stand anywhere in it. */
    json_text(json_get(end, "message"), &out->message, TEXT_BODY);
}

static void state_of(const struct json *state, const struct clock *clock, struct container_facts *out)
{
    const struct json *waiting = json_get(state, "waiting"), *running = json_get(state, "running"),
                      *terminated = json_get(state, "terminated");
    if (json_is_object(running)) {
        out->state = CONTAINER_RUNNING;
        out->started_at_known = json_moment(json_get(running, "startedAt"), clock, &out->started_at);
    } else if (json_is_object(terminated)) {
        out->state = CONTAINER_TERMINATED;
        termination_of(terminated, clock, &out->last);
    } else if (json_is_object(waiting)) {
        out->state = CONTAINER_WAITING;
    }
    const struct json *told = out->state == CONTAINER_TERMINATED ? terminated : waiting;
    json_text(json_get(told, "reason"), &out->reason, TEXT_NAME);
    json_text(json_get(told, "message"), &out->message, TEXT_LINE);
}

static const struct json *status_find(const struct json *pod, const char *name)
{
    static const char *const LISTS[] = {"containerStatuses", "initContainerStatuses"};
    for (size_t i = 0; i < sizeof LISTS / sizeof LISTS[0]; i++) {
        const struct json *list = json_get(json_get(pod, "status"), LISTS[i]);
        for (const struct json *status = json_first(list); status != NULL; status = json_next(status))
            if (json_string_is(json_get(status, "name"), name))
                return status;
    }
    return NULL;
}

static void container_of(const struct json *pod, const char *name, const struct clock *clock,
                         struct container_facts *out)
{
    if (name == NULL)
        return;
    const struct json *status = status_find(pod, name);
    out->exists = true;
    text_set_str(&out->name, name, TEXT_NAME);
    json_text(json_get(container_find(pod, name), "image"), &out->image, TEXT_NAME);
    json_text(json_get(status, "containerID"), &out->container_id, TEXT_NAME);
    out->restart_count = int_within(json_get(status, "restartCount"), 0, INT32_MAX, 0);
    out->started = tri_of(json_get(status, "started"));
    out->ready = tri_of(json_get(status, "ready"));
    state_of(json_get(status, "state"), clock, out);
    if (!out->last.known)
        termination_of(json_get(json_get(status, "lastState"), "terminated"), clock, &out->last);
}

/* ---- what an init container holds back ---- */

/* Whether this init container lets the next one begin: it ended well, or is a sidecar that has started (facts/kube.md 1.9). */
static bool init_is_over(const struct json *pod, const struct json *status)
{
    const struct json *state = json_get(status, "state"), *end = json_get(state, "terminated");
    if (container_is_native_sidecar(container_find(pod, json_string(json_get(status, "name")))))
        return json_is_object(json_get(state, "running")) && tri_of(json_get(status, "started")) == TRI_TRUE;
    return json_is_object(end) && json_int(json_get(end, "exitCode"), 1) == 0;
}

/* As kubectl get says it, "Init:1/2" or "Init:CrashLoopBackOff", and which one it is. */
static void init_words(const struct json *pod, const struct json *status, size_t before, struct container_facts *out)
{
    struct container_facts init = {0};
    struct clock any = {0};
    size_t all = json_count(json_get(json_get(pod, "spec"), "initContainers"));
    json_text(json_get(status, "name"), &init.name, TEXT_NAME);
    state_of(json_get(status, "state"), &any, &init);
    const char *name = text_str(&init.name), *reason = text_str(&init.reason), *message = text_str(&init.message);
    bool failed = init.state == CONTAINER_TERMINATED ||
                  (init.state == CONTAINER_WAITING && reason[0] != '\0' && !text_is(&init.reason, "PodInitializing") &&
                   !text_is(&init.reason, "ContainerCreating"));
    if (failed)
        text_printf(&out->reason, TEXT_NAME, "Init:%s", reason[0] != '\0' ? reason : "Error");
    else
        text_printf(&out->reason, TEXT_NAME, "Init:%zu/%zu", before, all);
    if (init.state == CONTAINER_TERMINATED) {
        text_printf(&out->message, TEXT_LINE, "init container %s ended with exit code %d", name,
                    (int)init.last.exit_code);
    } else {
        const char *does = init.state == CONTAINER_RUNNING ? "is not done" : "has not begun";
        text_printf(&out->message, TEXT_LINE, "init container %s%s%s", name, message[0] != '\0' ? ": " : " ",
                    message[0] != '\0' ? message : does);
    }
    text_free(&init.name);
    text_free(&init.reason);
    text_free(&init.message);
    text_free(&init.last.reason);
    text_free(&init.last.message);
}

/* Where the serving container waits for nothing but its turn, the init container under way is what there is to say. */
static void waits_for_init(const struct json *pod, struct container_facts *out)
{
    bool mute =
        out->state == CONTAINER_UNKNOWN ||
        (out->state == CONTAINER_WAITING && (text_empty(&out->reason) || text_is(&out->reason, "PodInitializing")));
    const struct json *list = json_get(json_get(pod, "status"), "initContainerStatuses");
    size_t before = 0;
    for (const struct json *status = json_first(list); mute && status != NULL; status = json_next(status)) {
        if (!init_is_over(pod, status)) {
            init_words(pod, status, before, out);
            return;
        }
        before++;
    }
}

/* ---- the pod ---- */

static void condition_of(const struct json *pod, const char *type, const struct clock *clock, struct condition *out)
{
    const struct json *list = json_get(json_get(pod, "status"), "conditions");
    for (const struct json *condition = json_first(list); condition != NULL; condition = json_next(condition)) {
        if (!json_string_is(json_get(condition, "type"), type))
            continue;
        const struct json *status = json_get(condition, "status");
        out->status = json_string_is(status, "True") ? TRI_TRUE : json_string_is(status, "False") ? TRI_FALSE : TRI_UNKNOWN;
        out->since = moment_of(json_get(condition, "lastTransitionTime"), clock);
        json_text(json_get(condition, "reason"), &out->reason, TEXT_NAME);
        json_text(json_get(condition, "message"), &out->message, TEXT_LINE);
        return;
    }
}

/* Why it is made to go: a drain evicts pods, and says so in a condition alone. */
static void disruption_of(const struct json *pod, const struct clock *clock, struct pod_facts *out)
{
    struct condition disruption = {0};
    condition_of(pod, "DisruptionTarget", clock, &disruption);
    if (disruption.status == TRI_TRUE) {
        text_copy(&out->phase_reason, &disruption.reason);
        text_copy(&out->phase_message, &disruption.message);
    }
    text_free(&disruption.reason);
    text_free(&disruption.message);
}

static void status_of(const struct json *pod, const struct clock *clock, struct pod_facts *out)
{
    const struct json *status = json_get(pod, "status");
    for (int phase = PHASE_UNKNOWN; phase <= PHASE_FAILED; phase++)
        if (json_string_is(json_get(status, "phase"), pod_phase_name((enum pod_phase)phase)))
            out->phase = (enum pod_phase)phase;
    json_text(json_get(status, "reason"), &out->phase_reason, TEXT_NAME);
    json_text(json_get(status, "message"), &out->phase_message, TEXT_LINE);
    json_text(json_get(status, "podIP"), &out->pod_ip, TEXT_NAME);
    condition_of(pod, "PodScheduled", clock, &out->scheduled);
    condition_of(pod, "Initialized", clock, &out->initialized);
    condition_of(pod, "ContainersReady", clock, &out->containers_ready);
    condition_of(pod, "Ready", clock, &out->ready);
    if (text_empty(&out->phase_reason))
        disruption_of(pod, clock, out);
}

static void metadata_of(const struct json *pod, const struct clock *clock, struct pod_facts *out)
{
    const struct json *metadata = json_get(pod, "metadata");
    json_text(json_get(metadata, "name"), &out->name, TEXT_NAME);
    json_text(json_get(metadata, "namespace"), &out->ns, TEXT_NAME);
    json_text(json_get(metadata, "uid"), &out->uid, TEXT_NAME);
    out->created_at = moment_of(json_get(metadata, "creationTimestamp"), clock);
    out->deleting = json_string(json_get(metadata, "deletionTimestamp")) != NULL;
    out->deletion_at = moment_of(json_get(metadata, "deletionTimestamp"), clock);
    /* What the deletion grants may be less than the spec does: kubectl delete --grace-period. */
    const struct json *spec = json_get(pod, "spec"), *granted = json_get(metadata, "deletionGracePeriodSeconds");
    int32_t own = int_within(json_get(spec, "terminationGracePeriodSeconds"), 0, PROBE_SECONDS_MAX, GRACE_SECONDS);
    out->grace = out->deleting ? int_within(granted, 0, PROBE_SECONDS_MAX, own) : own;
    json_text(json_get(spec, "nodeName"), &out->node, TEXT_NAME);
    out->never_restart = json_string_is(json_get(spec, "restartPolicy"), "Never");
    pod_workload(pod, &out->workload);
}

void pod_facts_from_json(const struct json *pod, const struct discovery *discovery, const struct clock *clock,
                         uint32_t id, struct pod_facts *out)
{
    out->id = id;
    out->kubelet = true;
    out->role = discovery->role;
    out->serving_port = discovery->serving_port;
    out->vllm_port = discovery->vllm_port;
    out->ranks = discovery->ranks;
    out->supervisor_port = discovery->supervisor_port;
    metadata_of(pod, clock, out);
    status_of(pod, clock, out);
    container_of(pod, discovery->serving, clock, &out->serving);
    container_of(pod, discovery->sidecar, clock, &out->sidecar);
    waits_for_init(pod, &out->serving);
    probes_of(pod, discovery, out);
}
