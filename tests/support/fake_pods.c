#include "tests/support/fake_pods.h"

#include "base/clock.h"
#include "base/mem.h"
#include "sim/kubelet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TURN_MS = 20,
    PORT = 8000,
    BEHIND = 8200, /* vLLM's own port behind a sidecar */
    BODY_MAX = 1 << 20,
    JSON_MAX = 1 << 18,
    DYING_US = 100 * MILLISECOND_US,
    LATENCY_US = 2 * MILLISECOND_US,
    CODE_TERMINATED = 143,
    SHARDS = 10
};

struct fake_pod {
    struct fake_pods *pods;
    struct fake_pod *next;
    struct kubelet kubelet;
    struct vllm vllm;
    struct server *server;
    struct server *sidecar; /* NULL: there is none */
    struct dice dice;
    uint64_t number;
    char *labels, *workload;
    double loads;
    int64_t serves_at, dies_at, leaves_at; /* t; -1: not */
    bool told;                             /* the API knows it */
};

struct fake_pods {
    uv_loop_t *loop;
    uv_timer_t timer;
    struct clock clock;
    struct fake_api *api;
    struct fake_pod *first;
    struct buf body;
    uint64_t seed;
};

static int64_t now_of(const struct fake_pods *pods)
{
    return clock_now(&pods->clock);
}

/* ---- as JSON ---- */

static void put_moment(struct json_writer *writer, const char *key, const struct fake_pods *pods, int64_t t)
{
    char moment[32];
    json_put_string(writer, key, clock_format(pods->clock.wall_zero + t, CLOCK_ISO_UTC, moment, sizeof moment));
}

static void put_probe(struct json_writer *writer, const char *key, const struct probe_spec *spec)
{
    if (spec->action == PROBE_NONE)
        return;
    json_open_object(writer, key);
    json_open_object(writer, "httpGet");
    json_put_string(writer, "path", spec->path);
    json_put_int(writer, "port", spec->port);
    json_put_string(writer, "scheme", "HTTP");
    json_close_object(writer);
    json_put_int(writer, "initialDelaySeconds", spec->initial_delay);
    json_put_int(writer, "timeoutSeconds", spec->timeout);
    json_put_int(writer, "periodSeconds", spec->period);
    json_put_int(writer, "successThreshold", spec->success_threshold);
    json_put_int(writer, "failureThreshold", spec->failure_threshold);
    json_close_object(writer);
}

static void put_port(struct json_writer *writer, int32_t port)
{
    json_open_array(writer, "ports");
    json_open_object(writer, NULL);
    json_put_string(writer, "name", "http");
    json_put_int(writer, "containerPort", port);
    json_put_string(writer, "protocol", "TCP");
    json_close_object(writer);
    json_close_array(writer);
}

static void put_sidecar_spec(struct json_writer *writer, const struct pod_facts *facts)
{
    if (!facts->sidecar.exists)
        return;
    json_open_array(writer, "initContainers");
    json_open_object(writer, NULL);
    json_put_text(writer, "name", &facts->sidecar.name);
    json_put_text(writer, "image", &facts->sidecar.image);
    json_put_string(writer, "restartPolicy", "Always");
    json_open_array(writer, "args");
    json_put_string(writer, NULL, "--port=8000");
    json_put_string(writer, NULL, "--vllm-port=8200");
    json_close_array(writer);
    put_port(writer, facts->serving_port);
    put_probe(writer, "livenessProbe", &facts->probes[LANE_SIDECAR_LIVENESS]);
    put_probe(writer, "readinessProbe", &facts->probes[LANE_SIDECAR_READINESS]);
    json_close_object(writer);
    json_close_array(writer);
}

static void put_spec(struct json_writer *writer, const struct pod_facts *facts)
{
    json_open_object(writer, "spec");
    if (!text_empty(&facts->node))
        json_put_text(writer, "nodeName", &facts->node);
    json_put_string(writer, "restartPolicy", "Always");
    json_put_int(writer, "terminationGracePeriodSeconds", facts->grace);
    put_sidecar_spec(writer, facts);
    json_open_array(writer, "containers");
    json_open_object(writer, NULL);
    json_put_text(writer, "name", &facts->serving.name);
    json_put_text(writer, "image", &facts->serving.image);
    put_port(writer, facts->vllm_port);
    put_probe(writer, "startupProbe", &facts->probes[LANE_STARTUP]);
    put_probe(writer, "livenessProbe", &facts->probes[LANE_LIVENESS]);
    put_probe(writer, "readinessProbe", &facts->probes[LANE_READINESS]);
    json_close_object(writer);
    json_close_array(writer);
    json_close_object(writer);
}

static void put_condition(struct json_writer *writer, const char *type, const struct condition *condition,
                          const struct fake_pods *pods)
{
    if (condition->status == TRI_UNKNOWN)
        return;
    json_open_object(writer, NULL);
    json_put_string(writer, "type", type);
    json_put_string(writer, "status", condition->status == TRI_TRUE ? "True" : "False");
    if (!text_empty(&condition->reason)) {
        json_put_text(writer, "reason", &condition->reason);
        json_put_text(writer, "message", &condition->message);
    }
    put_moment(writer, "lastTransitionTime", pods, condition->since);
    json_close_object(writer);
}

static void put_termination(struct json_writer *writer, const struct termination *end, const struct fake_pods *pods)
{
    json_open_object(writer, "terminated");
    json_put_int(writer, "exitCode", end->exit_code);
    json_put_text(writer, "reason", &end->reason);
    put_moment(writer, "startedAt", pods, end->started_at);
    put_moment(writer, "finishedAt", pods, end->finished_at);
    json_close_object(writer);
}

static void put_container(struct json_writer *writer, const struct container_facts *container,
                          const struct fake_pods *pods)
{
    json_open_object(writer, NULL);
    json_put_text(writer, "name", &container->name);
    json_put_text(writer, "image", &container->image);
    json_put_text(writer, "containerID", &container->container_id);
    json_put_int(writer, "restartCount", container->restart_count);
    json_put_bool(writer, "started", container->started == TRI_TRUE);
    json_put_bool(writer, "ready", container->ready == TRI_TRUE);
    json_open_object(writer, "state");
    if (container->state == CONTAINER_RUNNING) {
        json_open_object(writer, "running");
        put_moment(writer, "startedAt", pods, container->started_at);
        json_close_object(writer);
    } else if (container->state == CONTAINER_TERMINATED) {
        put_termination(writer, &container->last, pods);
    } else {
        json_open_object(writer, "waiting");
        json_put_text(writer, "reason", &container->reason);
        json_put_text(writer, "message", &container->message);
        json_close_object(writer);
    }
    json_close_object(writer);
    json_open_object(writer, "lastState");
    if (container->last.known && container->state != CONTAINER_TERMINATED)
        put_termination(writer, &container->last, pods);
    json_close_object(writer);
    json_close_object(writer);
}

/* Why it has to go. */
static void put_disruption(struct json_writer *writer, const struct pod_facts *facts, const struct fake_pods *pods)
{
    struct condition disruption = {.status = TRI_TRUE, .since = facts->deletion_at - (int64_t)facts->grace * SECOND_US};
    text_copy(&disruption.reason, &facts->phase_reason);
    text_copy(&disruption.message, &facts->phase_message);
    put_condition(writer, "DisruptionTarget", &disruption, pods);
    text_free(&disruption.reason);
    text_free(&disruption.message);
}

static void put_status(struct json_writer *writer, const struct pod_facts *facts, const struct fake_pods *pods)
{
    json_open_object(writer, "status");
    json_put_string(writer, "phase", pod_phase_name(facts->phase));
    json_put_text(writer, "podIP", &facts->pod_ip);
    json_open_array(writer, "conditions");
    put_condition(writer, "PodScheduled", &facts->scheduled, pods);
    put_condition(writer, "Initialized", &facts->initialized, pods);
    put_condition(writer, "ContainersReady", &facts->containers_ready, pods);
    put_condition(writer, "Ready", &facts->ready, pods);
    if (facts->deleting)
        put_disruption(writer, facts, pods);
    json_close_array(writer);
    if (facts->sidecar.exists) {
        json_open_array(writer, "initContainerStatuses");
        put_container(writer, &facts->sidecar, pods);
        json_close_array(writer);
    }
    if (facts->serving.state != CONTAINER_UNKNOWN) {
        json_open_array(writer, "containerStatuses");
        put_container(writer, &facts->serving, pods);
        json_close_array(writer);
    }
    json_close_object(writer);
}

/* An object's members, with a comma before them instead of braces around them. */
static void tell_api(const struct fake_pod *pod, enum fake_kind kind, const char *name, const char *uid,
                     struct buf *metadata, struct buf *members)
{
    metadata->data[0] = members->data[0] = ',';
    buf_cut(metadata, metadata->len - 1);
    buf_cut(members, members->len - 1);
    fake_api_put(pod->pods->api, kind, text_str(&pod->kubelet.facts.ns), name, uid, buf_str(metadata),
                 buf_str(members));
    buf_free(metadata);
    buf_free(members);
}

static void tell_pod(void *user)
{
    struct fake_pod *pod = user;
    const struct pod_facts *facts = &pod->kubelet.facts;
    struct buf metadata, members;
    struct json_writer writer;
    buf_init(&metadata, JSON_MAX);
    buf_init(&members, JSON_MAX);
    json_writer_init(&writer, &metadata);
    json_open_object(&writer, NULL);
    put_moment(&writer, "creationTimestamp", pod->pods, facts->created_at);
    if (facts->deleting) {
        put_moment(&writer, "deletionTimestamp", pod->pods, facts->deletion_at);
        json_put_int(&writer, "deletionGracePeriodSeconds", facts->grace);
    }
    if (pod->workload) {
        char set[256];
        snprintf(set, sizeof set, "%s-6d5b8f", pod->workload);
        json_open_array(&writer, "ownerReferences");
        json_open_object(&writer, NULL);
        json_put_string(&writer, "apiVersion", "apps/v1");
        json_put_string(&writer, "kind", "ReplicaSet");
        json_put_string(&writer, "name", set);
        json_put_bool(&writer, "controller", true);
        json_close_object(&writer);
        json_close_array(&writer);
    }
    json_close_object(&writer);
    buf_cut(&metadata, metadata.len - 1);
    buf_printf(&metadata, ",\"labels\":{%s%s}}", pod->labels ? pod->labels : "\"app\":\"vllm\"",
               pod->workload ? ",\"pod-template-hash\":\"6d5b8f\"" : "");
    json_writer_init(&writer, &members);
    json_open_object(&writer, NULL);
    put_spec(&writer, facts);
    put_status(&writer, facts, pod->pods);
    json_close_object(&writer);
    tell_api(pod, FAKE_PODS, text_str(&facts->name), text_str(&facts->uid), &metadata, &members);
    pod->told = true;
}

static void tell_event(void *user, const struct kubelet_event *event)
{
    struct fake_pod *pod = user;
    const struct pod_facts *facts = &pod->kubelet.facts;
    char name[512], uid[64], path[300];
    struct buf metadata, members;
    struct json_writer writer;
    buf_init(&metadata, JSON_MAX);
    buf_init(&members, JSON_MAX);
    snprintf(uid, sizeof uid, "%016" PRIx64, event->uid);
    snprintf(name, sizeof name, "%s.%s", text_str(&facts->name), uid);
    snprintf(path, sizeof path, "spec.containers{%s}", text_str(&facts->serving.name));
    json_writer_init(&writer, &metadata);
    json_open_object(&writer, NULL);
    put_moment(&writer, "creationTimestamp", pod->pods, event->first);
    json_close_object(&writer);
    json_writer_init(&writer, &members);
    json_open_object(&writer, NULL);
    json_open_object(&writer, "involvedObject");
    json_put_string(&writer, "kind", "Pod");
    json_put_text(&writer, "namespace", &facts->ns);
    json_put_text(&writer, "name", &facts->name);
    json_put_text(&writer, "uid", &facts->uid);
    if (event->of_container)
        json_put_string(&writer, "fieldPath", path);
    json_close_object(&writer);
    json_put_string(&writer, "reason", event->reason);
    json_put_text(&writer, "message", &event->message);
    json_put_string(&writer, "type", event->warning ? "Warning" : "Normal");
    json_put_int(&writer, "count", event->count);
    put_moment(&writer, "firstTimestamp", pod->pods, event->first);
    put_moment(&writer, "lastTimestamp", pod->pods, event->last);
    json_put_string(&writer, "eventTime", NULL);
    json_close_object(&writer);
    tell_api(pod, FAKE_EVENTS, name, uid, &metadata, &members);
}

/* ---- the kubelet's hands ---- */

static bool look(void *user, const struct probe_spec *spec, int64_t t, struct answer *answer, bool *steady)
{
    struct fake_pod *pod = user;
    *steady = vllm_is_steady(&pod->vllm);
    if (!vllm_listens(&pod->vllm))
        return false;
    vllm_answer(&pod->vllm, false, spec->path, t, pod->pods->clock.wall_zero + t, &pod->dice, &pod->pods->body, answer);
    return true;
}

static void face_set(struct fake_pod *pod, enum vllm_face face, int64_t t)
{
    pod->vllm.face = face;
    if (!vllm_listens(&pod->vllm)) {
        server_mute(pod->server, true);
    } else if (server_listen(pod->server) != STATUS_OK) {
        fprintf(stderr, "fake_pods: a port cannot be opened\n");
        abort();
    }
    kubelet_wake(&pod->kubelet, t);
}

static void say(struct fake_pod *pod, enum vllm_chapter chapter)
{
    struct buf line;
    const struct pod_facts *facts = &pod->kubelet.facts;
    for (size_t i = 0; i < vllm_lines(&pod->vllm, chapter); i++) {
        buf_init(&line, JSON_MAX);
        vllm_line(&pod->vllm, chapter, i, pod->loads, pod->pods->clock.wall_zero + now_of(pod->pods), &line);
        fake_api_log(pod->pods->api, text_str(&facts->ns), text_str(&facts->name), text_str(&facts->serving.name),
                     buf_str(&line));
        buf_free(&line);
    }
}

static void start(void *user, int64_t t)
{
    struct fake_pod *pod = user;
    const struct pod_facts *facts = &pod->kubelet.facts;
    if (!text_empty(&facts->serving.container_id))
        fake_api_log_turn(pod->pods->api, text_str(&facts->ns), text_str(&facts->name), text_str(&facts->serving.name));
    face_set(pod, FACE_LOADING, t);
    kubelet_start(&pod->kubelet, t);
    pod->serves_at = pod->loads < 0 ? -1 : t + (int64_t)(pod->loads * SECOND_US);
    say(pod, CHAPTER_BOOT);
    say(pod, CHAPTER_LOAD);
}

static void kill_container(void *user, int64_t t)
{
    struct fake_pod *pod = user;
    pod->dies_at = t + DYING_US;
    pod->serves_at = -1;
}

static const struct kubelet_hands HANDS = {
    .look = look, .changed = tell_pod, .event = tell_event, .kill = kill_container, .start = start};

/* ---- what happens by itself ---- */

static void pod_turn(struct fake_pod *pod, int64_t now)
{
    kubelet_run(&pod->kubelet, now);
    if (pod->serves_at >= 0 && pod->serves_at <= now) {
        pod->serves_at = -1;
        say(pod, CHAPTER_APP);
        face_set(pod, FACE_SERVING, now);
    }
    if (pod->dies_at >= 0 && pod->dies_at <= now) {
        pod->dies_at = -1;
        face_set(pod, FACE_LOADING, now);
        kubelet_exit(&pod->kubelet, now, CODE_TERMINATED, "Error");
    }
}

static void turn(uv_timer_t *timer)
{
    struct fake_pods *pods = timer->data;
    struct fake_pod *next;
    for (struct fake_pod *pod = pods->first; pod; pod = next) {
        next = pod->next;
        if (pod->leaves_at >= 0 && pod->leaves_at <= now_of(pods))
            fake_pod_delete(pod);
        else
            pod_turn(pod, now_of(pods));
    }
}

static int32_t port_of(void *user, const char *ns, const char *name, int32_t container_port)
{
    const struct fake_pods *pods = user;
    for (const struct fake_pod *pod = pods->first; pod; pod = pod->next) {
        const struct pod_facts *facts = &pod->kubelet.facts;
        if (text_is(&facts->ns, ns) && text_is(&facts->name, name)) {
            return container_port == facts->vllm_port                      ? server_port(pod->server)
                   : pod->sidecar && container_port == facts->serving_port ? server_port(pod->sidecar)
                                                                           : 0;
        }
    }
    return FAKE_PORT_SANDBOX_GONE;
}

/* ---- their lives ---- */

static void answer(void *user, const char *path, const char *request, struct answer *out)
{
    struct fake_pod *pod = user;
    int64_t now = now_of(pod->pods);
    (void)request;
    vllm_answer(&pod->vllm, false, path, now, pod->pods->clock.wall_zero + now, &pod->dice, &pod->pods->body, out);
}

static void sidecar_answer(void *user, const char *path, const char *request, struct answer *out)
{
    struct fake_pod *pod = user;
    int64_t now = now_of(pod->pods);
    (void)request;
    vllm_answer(&pod->vllm, true, path, now, pod->pods->clock.wall_zero + now, &pod->dice, &pod->pods->body, out);
}

struct fake_pods *fake_pods_new(uv_loop_t *loop, const char *socket)
{
    struct fake_pods *pods = mem_new(sizeof *pods);
    pods->loop = loop;
    clock_start(&pods->clock, 1);
    buf_init(&pods->body, BODY_MAX);
    pods->api = fake_api_new(&(struct fake_api_options){.loop = loop, .socket = socket, .port = port_of, .user = pods});
    uv_timer_init(loop, &pods->timer);
    pods->timer.data = pods;
    uv_timer_start(&pods->timer, turn, TURN_MS, TURN_MS);
    return pods;
}

struct fake_api *fake_pods_api(struct fake_pods *pods)
{
    return pods->api;
}

static void probe_fill(struct probe_spec *spec, const struct fake_probe *probe, int32_t port)
{
    if (probe->threshold > 0) {
        probe_spec_http(spec, probe->path, port);
        spec->initial_delay = probe->delay;
        spec->period = probe->period;
        spec->timeout = probe->timeout;
        spec->failure_threshold = probe->threshold;
    }
}

/* It is there, started and ready, before all else. */
static void sidecar_make(struct fake_pod *pod, const struct fake_pod_options *options, struct pod_facts *facts)
{
    struct problem problem = {""};
    struct container_facts *sidecar = &facts->sidecar;
    if (options->sidecar_liveness.threshold == 0 && options->sidecar_readiness.threshold == 0)
        return;
    if (server_new(pod->pods->loop, sidecar_answer, pod, &pod->sidecar, &problem) != STATUS_OK ||
        server_listen(pod->sidecar) != STATUS_OK) {
        fprintf(stderr, "fake_pods: %s\n", problem.text);
        abort();
    }
    facts->vllm_port = BEHIND;
    sidecar->exists = true;
    text_set_str(&sidecar->name, "routing-proxy", TEXT_NAME);
    text_set_str(&sidecar->image, "ghcr.io/llm-d/llm-d-routing-sidecar:v0.4.0", TEXT_NAME);
    text_set_str(&sidecar->container_id, "containerd://proxy-0", TEXT_NAME);
    sidecar->state = CONTAINER_RUNNING;
    sidecar->started_at = now_of(pod->pods);
    sidecar->started = sidecar->ready = TRI_TRUE;
    probe_fill(&facts->probes[LANE_SIDECAR_LIVENESS], &options->sidecar_liveness, facts->serving_port);
    probe_fill(&facts->probes[LANE_SIDECAR_READINESS], &options->sidecar_readiness, facts->serving_port);
}

static void unschedulable(struct fake_pod *pod, const char *why, int64_t now)
{
    struct condition *scheduled = &pod->kubelet.facts.scheduled;
    scheduled->status = TRI_FALSE;
    scheduled->since = now;
    text_set_str(&scheduled->reason, "Unschedulable", TEXT_NAME);
    text_set_str(&scheduled->message, why, TEXT_LINE);
    tell_pod(pod);
    kubelet_say(&pod->kubelet, now, true, "FailedScheduling", why);
}

struct fake_pod *fake_pods_add(struct fake_pods *pods, const struct fake_pod_options *options)
{
    struct fake_pod *pod = mem_new(sizeof *pod);
    struct pod_facts facts = {.kubelet = true, .grace = 30, .serving_port = PORT, .vllm_port = PORT};
    struct problem problem = {""};
    int64_t now = now_of(pods);
    pod->pods = pods;
    pod->loads = options->loads;
    pod->labels = mem_dup(options->labels);
    pod->workload = mem_dup(options->workload);
    pod->serves_at = pod->dies_at = pod->leaves_at = -1;
    pod->dice.state = pod->number = ++pods->seed;
    pod->vllm = (struct vllm){.model = "Qwen/Qwen3-0.6B",
                              .max_model_len = 4096,
                              .shards = SHARDS,
                              .tensor_parallel = 1,
                              .port = PORT,
                              .slow_from = LATENCY_US,
                              .slow_to = LATENCY_US};
    if (server_new(pods->loop, answer, pod, &pod->server, &problem) != STATUS_OK) {
        fprintf(stderr, "fake_pods: %s\n", problem.text);
        abort();
    }
    text_set_str(&facts.name, options->name, TEXT_NAME);
    text_set_str(&facts.ns, options->ns ? options->ns : "llm-d", TEXT_NAME);
    text_printf(&facts.uid, TEXT_NAME, "00000000-0000-4000-a000-%012" PRIx64, pods->seed);
    facts.serving.exists = true;
    text_set_str(&facts.serving.name, options->container ? options->container : "vllm", TEXT_NAME);
    text_set_str(&facts.serving.image, options->image ? options->image : "ghcr.io/llm-d/llm-d:v0.4.0", TEXT_NAME);
    sidecar_make(pod, options, &facts);
    pod->vllm.port = facts.vllm_port;
    probe_fill(&facts.probes[LANE_STARTUP], &options->startup, facts.vllm_port);
    probe_fill(&facts.probes[LANE_LIVENESS], &options->liveness, facts.vllm_port);
    probe_fill(&facts.probes[LANE_READINESS], &options->readiness, facts.vllm_port);
    pod->next = pods->first;
    pods->first = pod;
    kubelet_init(&pod->kubelet, &facts, &HANDS, pod, pods->seed);
    kubelet_created(&pod->kubelet, now);
    if (options->unscheduled)
        unschedulable(pod, options->unscheduled, now);
    else
        fake_pod_schedule(pod);
    return pod;
}

void fake_pod_schedule(struct fake_pod *pod)
{
    struct pod_facts *facts = &pod->kubelet.facts;
    int64_t now = now_of(pod->pods);
    text_printf(&facts->node, TEXT_NAME, "gpu-%02d", (int)(pod->number % 8));
    text_printf(&facts->pod_ip, TEXT_NAME, "10.244.0.%d", (int)(pod->number % 250 + 2));
    kubelet_scheduled(&pod->kubelet, now);
    kubelet_pulled(&pod->kubelet, now, 0);
    start(pod, now);
}

void fake_pod_evict(struct fake_pod *pod)
{
    struct pod_facts *facts = &pod->kubelet.facts;
    int64_t now = now_of(pod->pods);
    facts->deleting = true;
    facts->grace = FAKE_POD_GRACE_MS / 1000;
    facts->deletion_at = now + (int64_t)facts->grace * SECOND_US;
    pod->leaves_at = now + FAKE_POD_GRACE_MS * (int64_t)MILLISECOND_US;
    text_set_str(&facts->phase_reason, "EvictionByEvictionAPI", TEXT_NAME);
    text_set_str(&facts->phase_message, "Eviction API: evicting", TEXT_LINE);
    pod->serves_at = -1;
    face_set(pod, FACE_LOADING, now);
    tell_pod(pod);
    kubelet_say(&pod->kubelet, now, false, "Killing", "Stopping container vllm");
}

static void pod_free(struct fake_pod *pod)
{
    server_free(pod->server);
    if (pod->sidecar)
        server_free(pod->sidecar);
    kubelet_free(&pod->kubelet);
    mem_free(pod->labels);
    mem_free(pod->workload);
    mem_free(pod);
}

void fake_pod_delete(struct fake_pod *pod)
{
    struct fake_pod **at = &pod->pods->first;
    while (*at != pod)
        at = &(*at)->next;
    *at = pod->next;
    fake_api_delete(pod->pods->api, FAKE_PODS, text_str(&pod->kubelet.facts.ns), text_str(&pod->kubelet.facts.name));
    pod_free(pod);
}

void fake_pods_free(struct fake_pods *pods)
{
    while (pods->first) {
        struct fake_pod *pod = pods->first;
        pods->first = pod->next;
        pod_free(pod);
    }
    fake_api_free(pods->api);
    uv_close((uv_handle_t *)&pods->timer, NULL);
    uv_run(pods->loop, UV_RUN_DEFAULT);
    buf_free(&pods->body);
    mem_free(pods);
}

void fake_pod_face(struct fake_pod *pod, enum vllm_face face)
{
    pod->serves_at = -1;
    face_set(pod, face, now_of(pod->pods));
}

void fake_pod_crash(struct fake_pod *pod, int32_t exit_code, const char *reason)
{
    int64_t now = now_of(pod->pods);
    pod->serves_at = pod->dies_at = -1;
    face_set(pod, FACE_LOADING, now);
    kubelet_exit(&pod->kubelet, now, exit_code, reason);
}

void fake_pod_sidecar_refuses(struct fake_pod *pod, bool refuses)
{
    if (refuses)
        server_mute(pod->sidecar, true);
    else if (server_listen(pod->sidecar) != STATUS_OK)
        abort();
}

void fake_pod_sidecar_is(struct fake_pod *pod, bool ready, int32_t restarts)
{
    struct pod_facts *facts = &pod->kubelet.facts;
    struct container_facts *sidecar = &facts->sidecar;
    int64_t now = now_of(pod->pods);
    if (restarts > sidecar->restart_count) {
        sidecar->last.known = true;
        sidecar->last.exit_code = CODE_TERMINATED;
        sidecar->last.started_at = sidecar->started_at;
        sidecar->last.finished_at = sidecar->started_at = now;
        text_set_str(&sidecar->last.reason, "Error", TEXT_NAME);
        text_printf(&sidecar->container_id, TEXT_NAME, "containerd://proxy-%d", (int)restarts);
        sidecar->restart_count = restarts;
    }
    sidecar->ready = ready ? TRI_TRUE : TRI_FALSE;
    if (ready != (facts->ready.status == TRI_TRUE))
        facts->ready.since = now;
    facts->ready.status = facts->containers_ready.status = ready ? TRI_TRUE : TRI_FALSE;
    tell_pod(pod);
}

int32_t fake_pod_restarts(const struct fake_pod *pod)
{
    return pod->kubelet.facts.serving.restart_count;
}

bool fake_pod_ready(const struct fake_pod *pod)
{
    return pod->kubelet.facts.ready.status == TRI_TRUE;
}
