#include "kube/discover.h"

#include "kube/container.h"

#include <string.h>

/* ---- what containers and pods look like ---- */

enum looks { LOOKS_PLAIN, LOOKS_SERVING, LOOKS_SIDECAR, LOOKS_OTHER };

static bool starts_with(const char *string, const char *start)
{
    return strncmp(string, start, strlen(start)) == 0;
}

static bool has_any(const char *string, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strstr(string, *words) != NULL) {
            return true;
        }
    }
    return false;
}

static const char *member_string(const struct json *object, const char *key)
{
    const char *string = json_string(json_get(object, key));
    return string != NULL ? string : "";
}

/* The last part of the image's name, without tag and digest. "" when there is none. */
static void image_name(const struct json *container, char *out, size_t size)
{
    const char *image = member_string(container, "image");
    size_t whole = strcspn(image, "@");
    const char *name = image;
    for (size_t i = 0; i < whole; i++) {
        name = image[i] == '/' ? image + i + 1 : name;
    }
    size_t length = strcspn(name, ":@");
    length = length < size ? length : size - 1;
    memcpy(out, name, length);
    out[length] = '\0';
}

/* Those around vLLM that have its labels, or its name in theirs, and are not it. */
static bool is_something_else(const char *image, const char *name)
{
    static const char *const NAMES[] = {"epp",           "gateway", "endpoint-picker",  "istio-proxy",
                                        "linkerd-proxy", "envoy",   "router-container", NULL};
    static const char *const IMAGES[] = {"inference-scheduler",
                                         "endpoint-picker",
                                         "epp",
                                         "gateway",
                                         "envoy",
                                         "proxyv2",
                                         "nginx",
                                         "router",
                                         "benchmark",
                                         NULL};
    return has_any(image, IMAGES) || has_any(name, NAMES);
}

/* What serves a model, by its image alone: vLLM's own, llm-d's builds of it, its simulator. */
static bool image_serves(const char *image)
{
    static const char *const BUILDS[] = {"llm-d-cuda", "llm-d-xpu", "llm-d-aws", "llm-d-rocm", "llm-d-hpu",
                                         "llm-d-cpu",  "llm-d-tpu", "llm-d-gke", "llm-d-dev"};
    for (size_t i = 0; i < sizeof BUILDS / sizeof BUILDS[0]; i++) {
        if (starts_with(image, BUILDS[i])) {
            return true;
        }
    }
    return strstr(image, "vllm") != NULL || strstr(image, "inference-sim") != NULL || strcmp(image, "llm-d") == 0;
}

static bool is_routing_sidecar(const struct json *container, const char *image, const char *name)
{
    static const char *const NAMES[] = {"routing-proxy", "routing-sidecar", NULL};
    static const char *const IMAGES[] = {"routing-sidecar", "pd-sidecar", "disagg-sidecar", NULL};
    return has_any(name, NAMES) || has_any(image, IMAGES) || command_has(container, "--vllm-port") ||
           command_has(container, "--model-server-port");
}

/* "vllm serve", "/usr/bin/vllm serve", "python3 -m vllm.entrypoints.openai.api_server", also within a shell's string. */
static const char *command_sign(const struct json *container)
{
    static const char *const ARGUMENTS[] = {"--served-model-name", "--tensor-parallel-size", "--gpu-memory-utilization",
                                            "--max-num-seqs", NULL};
    struct command_words words;
    bool after_vllm = false;
    command_words_init(&words, container);
    while (command_words_next(&words)) {
        const char *slash = strrchr(words.word, '/');
        const char *program = slash != NULL ? slash + 1 : words.word;
        if (after_vllm && strcmp(words.word, "serve") == 0) {
            return "command has vllm serve";
        }
        if (starts_with(words.word, "vllm.entrypoints.")) {
            return "command has vllm.entrypoints";
        }
        if (strcmp(program, "llm-d-inference-sim") == 0) {
            return "command has llm-d-inference-sim";
        }
        after_vllm = strcmp(program, "vllm") == 0;
    }
    for (size_t i = 0; ARGUMENTS[i] != NULL; i++) {
        if (command_has(container, ARGUMENTS[i])) {
            return "arguments are vLLM's";
        }
    }
    return NULL;
}

static const char *container_name_sign(const char *name)
{
    if (strcmp(name, "vllm") == 0) {
        return "container named vllm";
    }
    if (starts_with(name, "modelserver")) {
        return "container named modelserver";
    }
    return starts_with(name, "vllm-") ? "container named vllm-..." : NULL;
}

static const char *probe_sign(const struct json *container)
{
    static const char *const PROBES[] = {"startupProbe", "readinessProbe", "livenessProbe"};
    for (size_t i = 0; i < sizeof PROBES / sizeof PROBES[0]; i++) {
        const char *path = member_string(json_get(json_get(container, PROBES[i]), "httpGet"), "path");
        if (strcmp(path, "/v1/models") == 0) {
            return "probe asks /v1/models";
        }
    }
    return NULL;
}

/* How one container looks, and by which sign it serves a model; `weight` orders the containers of a pod. */
struct look {
    enum looks looks;
    const char *sign;
    int weight;
};

static struct look container_look(const struct json *container)
{
    char image[128];
    const char *name = member_string(container, "name"), *sign;
    image_name(container, image, sizeof image);
    if ((sign = command_sign(container)) != NULL) {
        return (struct look){LOOKS_SERVING, sign, 5};
    }
    if (is_routing_sidecar(container, image, name)) {
        return (struct look){LOOKS_SIDECAR, NULL, -1};
    }
    if (is_something_else(image, name)) {
        return (struct look){LOOKS_OTHER, NULL, -2};
    }
    if (image_serves(image)) {
        return (struct look){LOOKS_SERVING, "image is vLLM's", 4};
    }
    if ((sign = container_name_sign(name)) != NULL) {
        return (struct look){LOOKS_SERVING, sign, 3};
    }
    if ((sign = probe_sign(container)) != NULL) {
        return (struct look){LOOKS_SERVING, sign, 2};
    }
    bool usual = strcmp(name, "main") == 0 || strcmp(name, "kserve-container") == 0;
    return (struct look){LOOKS_PLAIN, NULL, usual ? 1 : 0};
}

/* ---- labels ---- */

static const struct json *pod_labels(const struct json *pod)
{
    return json_get(json_get(pod, "metadata"), "labels");
}

/* A label that only pods serving a model have. */
static const char *label_sign(const struct json *labels)
{
    if (json_string(json_get(labels, "llm-d.ai/role")) != NULL) {
        return "label llm-d.ai/role";
    }
    if (strcmp(member_string(labels, "llm-d.ai/inference-serving"), "true") == 0) {
        return "label llm-d.ai/inference-serving";
    }
    if (strcmp(member_string(labels, "llm-d.ai/inferenceServing"), "true") == 0) {
        return "label llm-d.ai/inferenceServing";
    }
    if (json_string(json_get(labels, "llm-d.ai/engine-type")) != NULL) {
        return "label llm-d.ai/engine-type";
    }
    const char *component = member_string(labels, "app.kubernetes.io/component");
    return starts_with(component, "llminferenceservice-workload") ? "label of an LLMInferenceService's workload" : NULL;
}

/* One that others of the same release may have as well. */
static const char *weak_label_sign(const struct json *labels)
{
    for (const struct json *label = json_first(labels); label != NULL; label = json_next(label)) {
        if (json_key(label) != NULL && starts_with(json_key(label), "llm-d.ai/")) {
            return "a label llm-d.ai/...";
        }
    }
    if (strcmp(member_string(labels, "app"), "vllm") == 0) {
        return "label app=vllm";
    }
    bool named = strcmp(member_string(labels, "app.kubernetes.io/name"), "vllm") == 0;
    return named ? "label app.kubernetes.io/name=vllm" : NULL;
}

/* ---- ports ---- */

/* Ports of a model server that clients do not talk to. */
static bool port_is_aside(const char *name)
{
    static const char *const ASIDE[] = {"supervisor", "metrics", "nixl", "side-channel", "zmq",
                                        "rpc",        "admin",   "kv-",  "ray",          NULL};
    return has_any(name, ASIDE);
}

/* The first port the container says it has; 0: it says none. */
static int32_t port_declared(const struct json *container)
{
    for (const struct json *port = json_first(json_get(container, "ports")); port != NULL; port = json_next(port)) {
        const char *protocol = member_string(port, "protocol");
        bool tcp = protocol[0] == '\0' || strcmp(protocol, "TCP") == 0;
        int32_t number = container_port(container, json_get(port, "containerPort"));
        if (tcp && number > 0 && !port_is_aside(member_string(port, "name"))) {
            return number;
        }
    }
    return 0;
}

/* The port that its httpGet probes ask, but for those of a supervisor beside vLLM (facts/vllm.md 1.3); 0: none. */
static int32_t port_probed(const struct json *container)
{
    static const char *const PROBES[] = {"readinessProbe", "startupProbe", "livenessProbe"};
    for (size_t i = 0; i < sizeof PROBES / sizeof PROBES[0]; i++) {
        const struct json *get = json_get(json_get(container, PROBES[i]), "httpGet");
        const char *name = json_string(json_get(get, "port"));
        bool aside = (name != NULL && port_is_aside(name)) || strcmp(member_string(get, "path"), "/readyz") == 0;
        int32_t port = aside ? 0 : container_port(container, json_get(get, "port"));
        if (port > 0) {
            return port;
        }
    }
    return 0;
}

/* Whether all that decides the port stands in the command: then no --port means vLLM's default, whatever a probe asks. */
static bool command_is_plain(const struct json *container)
{
    struct command_words words;
    command_words_init(&words, container);
    while (command_words_next(&words)) {
        if (strchr(words.word, '$') != NULL || strchr(words.word, '@') != NULL) {
            return false;
        }
    }
    const char *sign = command_sign(container);
    return sign != NULL && strcmp(sign, "command has vllm serve") == 0 && !command_has(container, "--config");
}

/* Whose word counts for vLLM's own port: its arguments (where it listens, even if every probe asks elsewhere), the sidecar's, probes, ports. */
static int32_t find_vllm_port(const struct json *serving, const struct json *sidecar, bool known)
{
    enum { ALONE = 8000, BEHIND = 8200 };
    int32_t port = command_port(serving, "--port");
    if (port == 0 && sidecar != NULL) {
        port = command_port(sidecar, "--vllm-port");
        port = port != 0 ? port : command_port(sidecar, "--model-server-port");
    }
    if (port == 0 && command_is_plain(serving)) {
        return ALONE;
    }
    port = port != 0 ? port : port_probed(serving);
    port = port != 0 ? port : port_declared(serving);
    return port != 0 ? port : !known ? 0 : sidecar != NULL ? BEHIND : ALONE;
}

static int32_t find_sidecar_port(const struct json *sidecar)
{
    enum { USUAL = 8000 };
    int32_t port = command_port(sidecar, "--port");
    port = port != 0 ? port : port_declared(sidecar);
    port = port != 0 ? port : port_probed(sidecar);
    return port != 0 ? port : USUAL;
}

/* A node of a group whose leader serves for all: no port, no probe, nothing to ask (facts/vllm.md 1.3, 4). */
static bool is_portless_worker(const struct json *pod, const struct json *serving)
{
    const char *index = json_string(json_get(pod_labels(pod), "leaderworkerset.sigs.k8s.io/worker-index"));
    bool follows = index != NULL && strcmp(index, "0") != 0;
    bool mute = port_declared(serving) == 0 && port_probed(serving) == 0;
    return mute && (follows || (index == NULL && command_has(serving, "--headless")));
}

/* ---- the whole ---- */

struct found {
    const struct json *serving, *sidecar;
    struct look look;    /* of the serving one */
    bool something_else; /* there is a container that is known not to be vLLM */
};

static void found_offer(struct found *found, const struct json *container, bool may_serve)
{
    struct look look = container_look(container);
    if (look.looks == LOOKS_SIDECAR && found->sidecar == NULL) {
        found->sidecar = container;
    }
    if (look.looks == LOOKS_SIDECAR || !may_serve) {
        return;
    }
    found->something_else = found->something_else || look.looks == LOOKS_OTHER;
    if (found->serving == NULL || look.weight > found->look.weight) {
        found->serving = container;
        found->look = look;
    }
}

static void find_containers(const struct json *pod, struct found *found)
{
    const struct json *spec = json_get(pod, "spec");
    for (const struct json *c = json_first(json_get(spec, "containers")); c != NULL; c = json_next(c)) {
        found_offer(found, c, true);
    }
    for (const struct json *c = json_first(json_get(spec, "initContainers")); c != NULL; c = json_next(c)) {
        if (container_is_native_sidecar(c)) {
            found_offer(found, c, false);
        }
    }
}

static const char *pod_sign(const struct json *pod, const struct found *found)
{
    const char *sign = label_sign(pod_labels(pod));
    bool serves = found->look.looks == LOOKS_SERVING;
    if (sign != NULL && (serves || !found->something_else)) {
        return sign;
    }
    if (serves) {
        return found->look.sign;
    }
    return found->something_else ? NULL : weak_label_sign(pod_labels(pod));
}

static enum role pod_role(const struct json *pod, const struct found *found, bool known)
{
    enum role role;
    const char *label = json_string(json_get(pod_labels(pod), "llm-d.ai/role"));
    if (label != NULL) {
        return role_from_name(label, &role) ? role : ROLE_NONE;
    }
    return !known ? ROLE_NONE : found->sidecar != NULL ? ROLE_DECODE : ROLE_STANDALONE;
}

void discover_pod(const struct json *pod, bool asked, struct discovery *out)
{
    struct found found = {0};
    *out = (struct discovery){0};
    find_containers(pod, &found);
    const char *sign = pod_sign(pod, &found);
    bool known = sign != NULL;
    out->is_ours = known || asked;
    out->sign = asked ? "asked for" : sign;
    if (found.serving == NULL) {
        return;
    }
    out->serving = json_string(json_get(found.serving, "name"));
    out->sidecar = json_string(json_get(found.sidecar, "name"));
    if (is_portless_worker(pod, found.serving)) {
        out->role = ROLE_WORKER;
        return;
    }
    out->role = pod_role(pod, &found, known);
    out->vllm_port = find_vllm_port(found.serving, found.sidecar, known);
    out->serving_port = found.sidecar != NULL ? find_sidecar_port(found.sidecar) : out->vllm_port;
}
