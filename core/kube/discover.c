#include "kube/discover.h"

#include "kube/container.h"

#include <stdlib.h>
#include <string.h>

/* ---- what containers and pods look like ---- */

enum looks { LOOKS_PLAIN, LOOKS_SERVING, LOOKS_SIDECAR, LOOKS_OTHER };

static bool starts_with(const char *string, const char *start)
{
    return strncmp(string, start, strlen(start)) == 0;
}

static bool has_any(const char *string, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strstr(string, *words) != NULL)
            return true;
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
    for (size_t i = 0; i < whole; i++)
        name = image[i] == '/' ? image + i + 1 : name;
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
    for (size_t i = 0; i < sizeof BUILDS / sizeof BUILDS[0]; i++)
        if (starts_with(image, BUILDS[i]))
            return true;
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
        if (after_vllm && strcmp(words.word, "serve") == 0)
            return "command has vllm serve";
        if (starts_with(words.word, "vllm.entrypoints."))
            return "command has vllm.entrypoints";
        if (strcmp(program, "llm-d-inference-sim") == 0)
            return "command has llm-d-inference-sim";
        after_vllm = strcmp(program, "vllm") == 0;
    }
    for (size_t i = 0; ARGUMENTS[i] != NULL; i++)
        if (command_has(container, ARGUMENTS[i]))
            return "arguments are vLLM's";
    return NULL;
}

static const char *container_name_sign(const char *name)
{
    if (strcmp(name, "vllm") == 0)
        return "container named vllm";
    if (starts_with(name, "modelserver"))
        return "container named modelserver";
    return starts_with(name, "vllm-") ? "container named vllm-..." : NULL;
}

static const char *probe_sign(const struct json *container)
{
    static const char *const PROBES[] = {"startupProbe", "readinessProbe", "livenessProbe"};
    for (size_t i = 0; i < sizeof PROBES / sizeof PROBES[0]; i++) {
        const char *path = member_string(json_get(json_get(container, PROBES[i]), "httpGet"), "path");
        if (strcmp(path, "/v1/models") == 0)
            return "probe asks /v1/models";
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
    if ((sign = command_sign(container)) != NULL)
        return (struct look){LOOKS_SERVING, sign, 5};
    if (is_routing_sidecar(container, image, name))
        return (struct look){LOOKS_SIDECAR, NULL, -1};
    if (is_something_else(image, name))
        return (struct look){LOOKS_OTHER, NULL, -2};
    if (image_serves(image))
        return (struct look){LOOKS_SERVING, "image is vLLM's", 4};
    if ((sign = container_name_sign(name)) != NULL)
        return (struct look){LOOKS_SERVING, sign, 3};
    if ((sign = probe_sign(container)) != NULL)
        return (struct look){LOOKS_SERVING, sign, 2};
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
    if (json_string(json_get(labels, "llm-d.ai/role")) != NULL)
        return "label llm-d.ai/role";
    if (strcmp(member_string(labels, "llm-d.ai/inference-serving"), "true") == 0)
        return "label llm-d.ai/inference-serving";
    if (strcmp(member_string(labels, "llm-d.ai/inferenceServing"), "true") == 0)
        return "label llm-d.ai/inferenceServing";
    if (json_string(json_get(labels, "llm-d.ai/engine-type")) != NULL)
        return "label llm-d.ai/engine-type";
    const char *component = member_string(labels, "app.kubernetes.io/component");
    return starts_with(component, "llminferenceservice-workload") ? "label of an LLMInferenceService's workload" : NULL;
}

/* One that others of the same release may have as well. */
static const char *weak_label_sign(const struct json *labels)
{
    for (const struct json *label = json_first(labels); label != NULL; label = json_next(label))
        if (json_key(label) != NULL && starts_with(json_key(label), "llm-d.ai/"))
            return "a label llm-d.ai/...";
    if (strcmp(member_string(labels, "app"), "vllm") == 0)
        return "label app=vllm";
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
        if (tcp && number > 0 && !port_is_aside(member_string(port, "name")))
            return number;
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
        if (port > 0)
            return port;
    }
    return 0;
}

/* Whether all that decides the port stands in the command: then no --port means vLLM's default, whatever a probe asks. */
static bool command_is_plain(const struct json *container)
{
    struct command_words words;
    command_words_init(&words, container);
    while (command_words_next(&words))
        if (strpbrk(words.word, "$@") != NULL || strstr(words.word, "{{") != NULL)
            return false;
    const char *sign = command_sign(container);
    return sign != NULL && strcmp(sign, "command has vllm serve") == 0 && !command_has(container, "--config");
}

enum { PORT_ALONE = 8000, PORT_BEHIND = 8200 };

/* vLLM's own port as a command says it, its own before the sidecar's: where it listens, even if every probe asks elsewhere. 0: none does. */
static int32_t port_told(const struct json *serving, const struct json *sidecar)
{
    int32_t port = command_port(serving, "--port");
    if (port == 0 && sidecar != NULL) {
        port = command_port(sidecar, "--vllm-port");
        port = port != 0 ? port : command_port(sidecar, "--model-server-port");
    }
    return port == 0 && command_is_plain(serving) ? PORT_ALONE : port;
}

/* Whose word counts for vLLM's own port: the commands', the probes', the ports'. */
static int32_t find_vllm_port(const struct json *serving, const struct json *sidecar, bool known)
{
    int32_t port = port_told(serving, sidecar);
    port = port != 0 ? port : port_probed(serving);
    port = port != 0 ? port : port_declared(serving);
    return port != 0 ? port : !known ? 0 : sidecar != NULL ? PORT_BEHIND : PORT_ALONE;
}

static int32_t find_sidecar_port(const struct json *sidecar)
{
    enum { USUAL = 8000 };
    int32_t port = command_port(sidecar, "--port");
    port = port != 0 ? port : port_declared(sidecar);
    port = port != 0 ? port : port_probed(sidecar);
    return port != 0 ? port : USUAL;
}

/* ---- data-parallel ranks (facts/vllm.md 1.3, 1.4, 4) ---- */

static int32_t command_count(const struct json *container, const char *flag)
{
    enum { RANKS_MAX = 1024 };
    char value[COMMAND_WORD_MAX], *end;
    if (container == NULL || !command_flag(container, flag, value))
        return 0;
    long count = strtol(value, &end, 10);
    return end != value && *end == '\0' && count > 0 && count <= RANKS_MAX ? (int32_t)count : 0;
}

/* Ranks behind one port are the server's own matter; those with ports of their own are the router's and the probes'. */
static int32_t find_ranks(const struct json *pod, const struct json *serving, const struct json *sidecar)
{
    const struct json *annotations = json_get(json_get(pod, "metadata"), "annotations");
    const char *active = json_string(json_get(annotations, "llm-d.ai/active-ports"));
    if (active == NULL)
        active = json_string(json_get(annotations, "inference.networking.k8s.io/active-ports"));
    int32_t ranks = command_count(sidecar, "--data-parallel-size");
    if (ranks == 0 && command_has(serving, "--data-parallel-multi-port-external-lb")) {
        ranks = command_count(serving, "--data-parallel-size-local");
        ranks = ranks != 0 ? ranks : command_count(serving, "--data-parallel-size");
    }
    for (ranks = ranks == 0 && active != NULL ? 1 : ranks; active != NULL && (active = strchr(active, ',')) != NULL;) {
        ranks++;
        active++;
    }
    return ranks > 1 ? ranks : 0;
}

static int32_t find_supervisor(const struct json *serving)
{
    enum { USUAL = 9256 };
    int32_t port = command_port(serving, "--data-parallel-supervisor-port");
    return port != 0 || !command_has(serving, "--data-parallel-multi-port-external-lb") ? port : USUAL;
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
    if (look.looks == LOOKS_SIDECAR && found->sidecar == NULL)
        found->sidecar = container;
    if (look.looks == LOOKS_SIDECAR || !may_serve)
        return;
    found->something_else = found->something_else || look.looks == LOOKS_OTHER;
    if (found->serving == NULL || look.weight > found->look.weight) {
        found->serving = container;
        found->look = look;
    }
}

static void find_containers(const struct json *pod, struct found *found)
{
    const struct json *spec = json_get(pod, "spec");
    for (const struct json *c = json_first(json_get(spec, "containers")); c != NULL; c = json_next(c))
        found_offer(found, c, true);
    for (const struct json *c = json_first(json_get(spec, "initContainers")); c != NULL; c = json_next(c))
        if (container_is_native_sidecar(c))
            found_offer(found, c, false);
}

static const char *pod_sign(const struct json *pod, const struct found *found)
{
    const char *sign = label_sign(pod_labels(pod));
    bool serves = found->look.looks == LOOKS_SERVING;
    if (sign != NULL && (serves || !found->something_else))
        return sign;
    if (serves)
        return found->look.sign;
    return found->something_else ? NULL : weak_label_sign(pod_labels(pod));
}

static enum role pod_role(const struct json *pod, const struct found *found, bool known)
{
    enum role role;
    const char *label = json_string(json_get(pod_labels(pod), "llm-d.ai/role"));
    if (label != NULL)
        return role_from_name(label, &role) ? role : ROLE_NONE;
    return !known ? ROLE_NONE : found->sidecar != NULL ? ROLE_DECODE : ROLE_STANDALONE;
}

static void discover_found(const struct json *pod, const struct found *found, bool asked, struct discovery *out)
{
    *out = (struct discovery){0};
    const char *sign = pod_sign(pod, found);
    bool known = sign != NULL;
    out->is_ours = known || asked;
    out->sign = asked ? "asked for" : sign;
    if (found->serving == NULL)
        return;
    out->serving = json_string(json_get(found->serving, "name"));
    out->sidecar = json_string(json_get(found->sidecar, "name"));
    if (is_portless_worker(pod, found->serving)) {
        out->role = ROLE_WORKER;
        return;
    }
    out->role = pod_role(pod, found, known);
    out->port_told = port_told(found->serving, found->sidecar) != 0;
    out->ranks = find_ranks(pod, found->serving, found->sidecar);
    out->supervisor_port = find_supervisor(found->serving);
    out->vllm_port = find_vllm_port(found->serving, found->sidecar, known);
    out->serving_port = found->sidecar != NULL ? find_sidecar_port(found->sidecar) : out->vllm_port;
}

void discover_pod(const struct json *pod, bool asked, struct discovery *out)
{
    struct found found = {0};
    find_containers(pod, &found);
    discover_found(pod, &found, asked, out);
}

void discover_around(const struct json *pod, const char *serving, struct discovery *out)
{
    struct found found = {0};
    find_containers(pod, &found);
    found.serving = container_find(pod, serving);
    discover_found(pod, &found, true, out);
}

/* Whether a container says that it listens there. *aside: under a name that tells what for, which is not serving. */
static bool container_declares(const struct json *container, int32_t port, bool *aside)
{
    for (const struct json *own = json_first(json_get(container, "ports")); own != NULL; own = json_next(own)) {
        if (container_port(container, json_get(own, "containerPort")) == port) {
            *aside = port_is_aside(member_string(own, "name"));
            return true;
        }
    }
    *aside = false;
    return command_port(container, "--port") == port;
}

/* Another container of the pod listens there: all share one network. */
static bool others_declare(const struct json *pod, const char *serving, int32_t port)
{
    static const char *const LISTS[] = {"containers", "initContainers"};
    bool aside;
    for (size_t i = 0; i < sizeof LISTS / sizeof LISTS[0]; i++) {
        const struct json *list = json_get(json_get(pod, "spec"), LISTS[i]);
        for (const struct json *c = json_first(list); c != NULL; c = json_next(c))
            if (strcmp(member_string(c, "name"), serving) != 0 && container_declares(c, port, &aside))
                return true;
    }
    return false;
}

bool discover_is_unserved(const struct json *pod, const struct discovery *discovery, int32_t port)
{
    const struct json *serving = container_find(pod, discovery->serving);
    int32_t more = discovery->ranks > 1 ? discovery->ranks - 1 : 0;
    bool vllm = port >= discovery->vllm_port && port <= discovery->vllm_port + more, aside;
    bool front = port >= discovery->serving_port && port <= discovery->serving_port + more;
    if (serving == NULL || port == discovery->supervisor_port || (front && discovery->sidecar != NULL) ||
        (vllm && discovery->port_told) || others_declare(pod, discovery->serving, port))
        return false;
    if (container_declares(serving, port, &aside))
        return discovery->port_told && !aside; /* it says so, and its command says otherwise */
    return discovery->port_told || port_declared(serving) != 0;
}
