#include "kube/manifest.h"

#include "base/mem.h"
#include "base/yaml.h"
#include "kube/container.h"
#include "kube/discover.h"

#include <stdio.h>
#include <string.h>

enum { LIST_DEPTH_MAX = 4, WORKER_UNKNOWN = -1, LEADER = 0, WORKER = 1 };

/* A pod template on its way to facts. */
struct draft {
    const char *kind, *name, *ns;
    const char *part;          /* "leader"; NULL: the whole object */
    const struct json *origin; /* the template as written, or what stands for it: its line is the draft's */
    const struct json *labels, *annotations;
    const struct json *spec;          /* a pod's spec, as written or made */
    const struct json *containers[2]; /* as written: where the serving one is looked for */
    int worker;                       /* LEADER, WORKER or WORKER_UNKNOWN */
    bool partial;
};

static const char *member_string(const struct json *object, const char *key)
{
    const char *string = json_string(json_get(object, key));
    return string == NULL ? "" : string;
}

/* "a.b.c" below an object. */
static const struct json *member_at(const struct json *object, const char *path)
{
    while (*path != '\0' && object != NULL) {
        char key[64];
        size_t length = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)length, path);
        object = json_get(object, key);
        path += length + (path[length] == '.');
    }
    return object;
}

/* ---- what is told beside the pods ---- */

static void note_add(struct manifest *manifest, const struct json *where, const char *words)
{
    if (manifest->note_count == MANIFEST_NOTES_MAX)
        return;
    struct manifest_note *note = &manifest->notes[manifest->note_count++];
    note->line = yaml_file_key_line(manifest->yaml, where);
    text_set_str(&note->words, words, TEXT_LINE);
}

static void pass_over(struct manifest *manifest, const char *kind, const char *why)
{
    struct text words = {0};
    size_t i = 0;
    text_printf(&words, TEXT_NAME, "%s%s", kind, why);
    while (i < manifest->passed_count && !text_equal(&manifest->passed[i].kind, &words))
        i++;
    if (i < MANIFEST_PASSED_MAX) {
        text_move(&manifest->passed[i].kind, &words);
        manifest->passed[i].count++;
        manifest->passed_count = i == manifest->passed_count ? i + 1 : manifest->passed_count;
    }
    text_free(&words);
}

/* ---- templates ---- */

/* The first string below `value` that is a template; NULL: there is none. */
static const struct json *find_template(const struct json *value)
{
    const char *string = json_string(value);
    const struct json *found = string != NULL && strstr(string, "{{") != NULL ? value : NULL;
    for (const struct json *e = json_first(value); found == NULL && e != NULL; e = json_next(e))
        found = find_template(e);
    return found;
}

static void templates_note(struct manifest *manifest, struct manifest_pod *pod, const struct json *container)
{
    static const char *const probes[] = {
        [LANE_STARTUP] = "startupProbe", [LANE_LIVENESS] = "livenessProbe", [LANE_READINESS] = "readinessProbe"};
    static const char *const others[] = {"command", "args", "ports"};
    struct text words = {0};
    const struct json *found;
    for (int lane = LANE_STARTUP; lane <= LANE_READINESS; lane++) {
        found = find_template(json_get(container, probes[lane]));
        if (found == NULL)
            found = find_template(member_at(json_get(container, "extraConfig"), probes[lane]));
        if (found == NULL)
            continue;
        pod->templated[lane] = true;
        text_printf(&words, TEXT_LINE, "%s has a template in it, which is not resolved here: not looked at",
                    probes[lane]);
        note_add(manifest, found, text_str(&words));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        found = find_template(json_get(container, others[i]));
        if (found == NULL)
            continue;
        text_printf(&words, TEXT_LINE, "%s has a template in it, which is not resolved here: ports may be others",
                    others[i]);
        note_add(manifest, found, text_str(&words));
    }
    text_free(&words);
}

/* ---- a pod ---- */

/* The pod that the draft describes, as the API would tell it. */
static struct json *draft_pod(const struct draft *draft)
{
    struct json *pod = json_new_object(), *metadata = json_new_object();
    struct json *labels = json_is_object(draft->labels) ? json_copy(draft->labels) : json_new_object();
    if (draft->worker != WORKER_UNKNOWN)
        json_add(labels, "leaderworkerset.sigs.k8s.io/worker-index",
                 json_new_string(draft->worker == LEADER ? "0" : "1"));
    json_add(metadata, "name", json_new_string(draft->name));
    json_add(metadata, "namespace", json_new_string(draft->ns));
    json_add(metadata, "labels", labels);
    if (json_is_object(draft->annotations))
        json_add(metadata, "annotations", json_copy(draft->annotations));
    json_add(pod, "metadata", metadata);
    json_add(pod, "spec", json_is_object(draft->spec) ? json_copy(draft->spec) : json_new_object());
    return pod;
}

/* The serving container as it is written: by its name, or the only one where it has none. */
static const struct json *draft_container(const struct draft *draft, const char *name)
{
    for (size_t i = 0; i < sizeof draft->containers / sizeof draft->containers[0]; i++) {
        const struct json *found = json_is_object(draft->containers[i]) ? draft->containers[i] : NULL;
        for (const struct json *c = found == NULL ? json_first(draft->containers[i]) : NULL; c != NULL;
             c = json_next(c))
            if (found == NULL && strcmp(member_string(c, "name"), name) == 0)
                found = c;
        if (found != NULL)
            return found;
    }
    return draft->origin;
}

static void draft_what(const struct draft *draft, struct text *out)
{
    const char *name = draft->name, *part = draft->part;
    text_printf(out, TEXT_NAME, "%s%s%s%s%s", draft->kind, name[0] == '\0' ? "" : " ", name, part == NULL ? "" : ", ",
                part == NULL ? "" : part);
}

static void draft_add(struct manifest *manifest, const struct draft *draft)
{
    const struct clock clock = {0};
    struct discovery found;
    struct json *pod = draft_pod(draft);
    discover_pod(pod, false, &found);
    if (!found.is_ours || found.serving == NULL)
        pass_over(manifest, draft->kind, " without vLLM");
    else if (manifest->pod_count == MANIFEST_PODS_MAX)
        pass_over(manifest, draft->kind, " beyond the first 512");
    else {
        manifest->pods = mem_resize(manifest->pods, manifest->pod_count + 1, sizeof *manifest->pods);
        struct manifest_pod *out = &manifest->pods[manifest->pod_count++];
        *out = (struct manifest_pod){.container = draft_container(draft, found.serving), .partial = draft->partial};
        draft_what(draft, &out->what);
        pod_facts_from_json(pod, &found, &clock, 1, &out->facts);
        templates_note(manifest, out, out->container);
    }
    json_free(pod);
}

/* ---- kinds ---- */

/* A pod template: {metadata, spec}. */
static void template_add(struct manifest *manifest, struct draft draft, const struct json *template)
{
    if (!json_is_object(template)) {
        pass_over(manifest, draft.kind, " without a pod template");
        return;
    }
    draft.origin = template;
    draft.labels = member_at(template, "metadata.labels");
    draft.annotations = member_at(template, "metadata.annotations");
    draft.spec = json_get(template, "spec");
    draft.containers[0] = json_get(draft.spec, "containers");
    draft_add(manifest, &draft);
}

static void group_add(struct manifest *manifest, struct draft draft, const struct json *group)
{
    const struct json *leader = json_get(group, "leaderTemplate"), *worker = json_get(group, "workerTemplate");
    char part[128];
    const char *role = draft.part;
    if (json_is_object(leader)) {
        snprintf(part, sizeof part, "%s%sleader", role == NULL ? "" : role, role == NULL ? "" : " ");
        draft.part = part;
        draft.worker = LEADER;
        template_add(manifest, draft, leader);
        snprintf(part, sizeof part, "%s%sworker", role == NULL ? "" : role, role == NULL ? "" : " ");
    }
    draft.worker =
        json_is_object(leader) ? WORKER : LEADER; /* without a template of its own a leader is like the workers */
    template_add(manifest, draft, worker);
}

static void roles_add(struct manifest *manifest, struct draft draft, const struct json *roles)
{
    for (const struct json *role = json_first(roles); role != NULL; role = json_next(role)) {
        draft.part = json_string(json_get(role, "name"));
        group_add(manifest, draft, member_at(role, "spec.leaderWorkerTemplate"));
    }
}

/* A pod's spec without metadata of its own, below `spec`. */
static void spec_add(struct manifest *manifest, struct draft draft, const struct json *object, const struct json *spec)
{
    draft.origin = draft.spec = spec;
    draft.labels = member_at(object, "metadata.labels");
    draft.annotations = member_at(object, "metadata.annotations");
    draft.containers[0] = json_get(spec, "containers");
    draft_add(manifest, &draft);
}

/* KServe's predictor: containers of its own, or a model that a runtime's container serves (facts/vllm.md 4). */
static void predictor_add(struct manifest *manifest, struct draft draft, const struct json *object)
{
    const struct json *predictor = member_at(object, "spec.predictor"), *model = json_get(predictor, "model");
    draft.partial = true;
    if (!json_is_object(model)) {
        spec_add(manifest, draft, object, predictor);
        return;
    }
    struct json *made = json_new_object(), *containers = json_new_array(), *container = json_copy(model);
    if (json_get(container, "name") == NULL)
        json_add(container, "name", json_new_string("kserve-container"));
    json_add(containers, NULL, container);
    for (const struct json *c = json_first(json_get(predictor, "containers")); c != NULL; c = json_next(c))
        json_add(containers, NULL, json_copy(c));
    json_add(made, "containers", containers);
    draft.origin = draft.containers[0] = model;
    draft.labels = member_at(object, "metadata.labels");
    draft.spec = made;
    draft_add(manifest, &draft);
    json_free(made);
}

static void llm_add(struct manifest *manifest, struct draft draft, const struct json *object)
{
    const struct json *prefill = member_at(object, "spec.prefill.template");
    const struct json *decode = member_at(object, "spec.template");
    draft.partial = true;
    if (json_is_object(decode))
        spec_add(manifest, draft, object, decode);
    draft.part = "prefill";
    if (json_is_object(prefill))
        spec_add(manifest, draft, object, prefill);
    if (!json_is_object(decode) && !json_is_object(prefill))
        pass_over(manifest, draft.kind, " without containers of its own");
}

static void object_add(struct manifest *manifest, const struct json *object, int depth);

static bool kind_is_list(const char *kind)
{
    size_t length = strlen(kind);
    return length >= 4 && strcmp(kind + length - 4, "List") == 0;
}

/* Objects whose pods stand in a template at a path. */
static bool kind_add(struct manifest *manifest, struct draft draft, const struct json *object)
{
    static const struct {
        const char *kind, *path;
    } rows[] = {{"Pod", ""},
                {"PodTemplate", "template"},
                {"Deployment", "spec.template"},
                {"StatefulSet", "spec.template"},
                {"DaemonSet", "spec.template"},
                {"ReplicaSet", "spec.template"},
                {"ReplicationController", "spec.template"},
                {"Rollout", "spec.template"},
                {"Job", "spec.template"},
                {"CronJob", "spec.jobTemplate.spec.template"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(draft.kind, rows[i].kind) == 0) {
            template_add(manifest, draft, member_at(object, rows[i].path));
            return true;
        }
    return false;
}

static void object_add(struct manifest *manifest, const struct json *object, int depth)
{
    const struct json *metadata = json_get(object, "metadata");
    struct draft draft = {.kind = member_string(object, "kind"),
                          .name = member_string(metadata, "name"),
                          .ns = member_string(metadata, "namespace"),
                          .worker = WORKER_UNKNOWN};
    if (kind_is_list(draft.kind) && depth < LIST_DEPTH_MAX)
        for (const struct json *item = json_first(json_get(object, "items")); item != NULL; item = json_next(item))
            object_add(manifest, item, depth + 1);
    else if (strcmp(draft.kind, "LeaderWorkerSet") == 0)
        group_add(manifest, draft, member_at(object, "spec.leaderWorkerTemplate"));
    else if (strcmp(draft.kind, "DisaggregatedSet") == 0)
        roles_add(manifest, draft, member_at(object, "spec.roles"));
    else if (strcmp(draft.kind, "InferenceService") == 0)
        predictor_add(manifest, draft, object);
    else if (strcmp(draft.kind, "LLMInferenceService") == 0 || strcmp(draft.kind, "LLMInferenceServiceConfig") == 0)
        llm_add(manifest, draft, object);
    else if (strcmp(draft.kind, "ServingRuntime") == 0 || strcmp(draft.kind, "ClusterServingRuntime") == 0)
        spec_add(manifest, draft, object, json_get(object, "spec"));
    else if (!kind_add(manifest, draft, object))
        pass_over(manifest, draft.kind[0] == '\0' ? "a document without a kind" : draft.kind, "");
}

/* ---- values of the llm-d modelservice chart ---- */

/* The chart's own defaults (facts/vllm.md 4). */
enum { SERVICE_PORT = 8000, TARGET_PORT = 8200 };

static int32_t values_port(const struct json *port, int32_t usual)
{
    int64_t number = json_int(port, usual);
    return number >= 1 && number <= UINT16_MAX ? (int32_t)number : usual;
}

static struct json *argument(const char *flag, int32_t number)
{
    char word[64];
    snprintf(word, sizeof word, "%s=%d", flag, (int)number);
    return json_new_string(word);
}

/* The routing proxy that the chart puts in front of a decode pod; NULL: it is switched off. */
static struct json *values_proxy(const struct json *routing)
{
    const struct json *proxy = json_get(routing, "proxy");
    if (!json_bool(json_get(proxy, "enabled"), true))
        return NULL;
    struct json *container = json_new_object(), *args = json_new_array(), *ports = json_new_array(),
                *port = json_new_object();
    int32_t front = values_port(json_get(routing, "servicePort"), SERVICE_PORT);
    json_add(args, NULL, argument("--port", front));
    json_add(args, NULL, argument("--vllm-port", values_port(json_get(proxy, "targetPort"), TARGET_PORT)));
    json_add(
        args, NULL,
        json_new_string(json_bool(json_get(proxy, "secure"), false) ? "--secure-proxy=true" : "--secure-proxy=false"));
    json_add(port, "containerPort", json_new_number(front));
    json_add(ports, NULL, port);
    json_add(container, "name", json_new_string("routing-proxy"));
    json_add(container, "image", json_new_string(member_string(proxy, "image")));
    json_add(container, "args", args);
    json_add(container, "ports", ports);
    json_add(container, "restartPolicy", json_new_string("Always"));
    return container;
}

/* What the chart says to the server before the container's own arguments. */
static struct json *values_args(const struct json *container, const struct json *parallelism, bool serve, int32_t port)
{
    static const struct {
        const char *key, *flag;
    } sizes[] = {{"data", "--data-parallel-size"}, {"dataLocal", "--data-parallel-size-local"}};
    struct json *args = json_new_array();
    if (!serve)
        json_add(args, NULL, json_new_string("--model"));
    json_add(args, NULL, json_new_string("MODEL"));
    json_add(args, NULL, argument("--port", port));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int32_t size = values_port(json_get(parallelism, sizes[i].key), 1);
        if (size > 1)
            json_add(args, NULL, argument(sizes[i].flag, size));
    }
    for (const struct json *a = json_first(json_get(container, "args")); a != NULL; a = json_next(a))
        json_add(args, NULL, json_copy(a));
    return args;
}

/* The container that the chart makes of one in the values: extraConfig is part of it, the command comes from modelCommand. */
static struct json *values_container(const struct json *container, const struct json *parallelism, int32_t port)
{
    const char *command = member_string(container, "modelCommand");
    bool serve = strcmp(command, "vllmServe") == 0, image = strcmp(command, "imageDefault") == 0;
    const struct json *sources[] = {container, json_get(container, "extraConfig")};
    struct json *made = json_new_object();
    if (serve || image)
        json_add(made, "args", values_args(container, parallelism, serve, port));
    if (serve) {
        struct json *words = json_new_array();
        json_add(words, NULL, json_new_string("vllm"));
        json_add(words, NULL, json_new_string("serve"));
        json_add(made, "command", words);
    }
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
        for (const struct json *m = json_first(sources[i]); m != NULL && json_key(m) != NULL; m = json_next(m))
            if (json_get(made, json_key(m)) == NULL && !(image && strcmp(json_key(m), "command") == 0))
                json_add(made, json_key(m), json_copy(m));
    if (json_get(made, "name") == NULL)
        json_add(made, "name", json_new_string("vllm"));
    return made;
}

static void values_role(struct manifest *manifest, const struct json *values, const char *role)
{
    const struct json *part = json_get(values, role), *routing = json_get(values, "routing");
    const struct json *written = json_get(part, "containers"), *labels = member_at(values, "modelArtifacts.labels");
    bool decode = strcmp(role, "decode") == 0;
    if (!json_is_array(written))
        return;
    if (!json_bool(json_get(part, "create"), true)) {
        pass_over(manifest, role, " that is not created");
        return;
    }
    struct json *proxy = decode ? values_proxy(routing) : NULL, *inits = json_new_array(),
                *containers = json_new_array(), *spec = json_new_object();
    int32_t front = values_port(json_get(routing, "servicePort"), SERVICE_PORT);
    int32_t port = proxy == NULL ? front : values_port(member_at(routing, "proxy.targetPort"), TARGET_PORT);
    for (const struct json *c = json_first(written); c != NULL; c = json_next(c))
        json_add(containers, NULL, values_container(c, json_get(part, "parallelism"), port));
    for (const struct json *c = json_first(json_get(part, "initContainers")); c != NULL; c = json_next(c))
        json_add(inits, NULL, json_copy(c));
    if (proxy != NULL)
        json_add(inits, NULL, proxy);
    json_add(spec, "containers", containers);
    json_add(spec, "initContainers", inits);
    struct json *made = json_is_object(labels) ? json_copy(labels) : json_new_object();
    json_add(made, "llm-d.ai/role", json_new_string(role));
    struct draft draft = {.kind = "modelservice values",
                          .name = role,
                          .ns = "",
                          .origin = part,
                          .labels = made,
                          .spec = spec,
                          .containers = {written, json_first(written)},
                          .worker = WORKER_UNKNOWN};
    draft_add(manifest, &draft);
    json_free(made);
    json_free(spec);
}

static bool is_values(const struct json *document)
{
    return json_get(document, "kind") == NULL && (json_is_array(member_at(document, "decode.containers")) ||
                                                  json_is_array(member_at(document, "prefill.containers")));
}

static void document_add(struct manifest *manifest, const struct json *document)
{
    if (json_is_null(document)) /* nothing but comments: Helm leaves such */
        return;
    if (is_values(document)) {
        values_role(manifest, document, "decode");
        values_role(manifest, document, "prefill");
    } else if (json_is_array(document))
        for (const struct json *item = json_first(document); item != NULL; item = json_next(item))
            object_add(manifest, item, 1);
    else
        object_add(manifest, document, 0);
}

/* ---- the whole ---- */

enum status manifest_parse(const char *name, const char *bytes, size_t length, struct manifest **out,
                           struct problem *problem)
{
    struct yaml_file *yaml;
    *out = NULL;
    enum status status = yaml_file_parse(name, bytes, length, MANIFEST_BYTES_MAX, &yaml, problem);
    if (status != STATUS_OK)
        return status;
    *out = mem_new(sizeof **out);
    (*out)->yaml = yaml;
    for (size_t i = 0; i < yaml_file_count(yaml); i++)
        document_add(*out, yaml_file_document(yaml, i));
    return STATUS_OK;
}

void manifest_free(struct manifest *manifest)
{
    if (manifest == NULL)
        return;
    for (size_t i = 0; i < manifest->pod_count; i++) {
        text_free(&manifest->pods[i].what);
        pod_facts_free(&manifest->pods[i].facts);
    }
    for (size_t i = 0; i < manifest->note_count; i++)
        text_free(&manifest->notes[i].words);
    for (size_t i = 0; i < manifest->passed_count; i++)
        text_free(&manifest->passed[i].kind);
    mem_free(manifest->pods);
    yaml_file_free(manifest->yaml);
    mem_free(manifest);
}

uint32_t manifest_line(const struct manifest *manifest, const struct manifest_pod *pod, const char *field)
{
    const struct json *at = pod->container;
    while (*field != '\0') {
        char key[64];
        size_t length = strcspn(field, ".");
        snprintf(key, sizeof key, "%.*s", (int)length, field);
        const struct json *below = json_get(at, key);
        if (below == NULL && at == pod->container)
            below = json_get(json_get(at, "extraConfig"), key);
        if (below == NULL)
            break;
        at = below;
        field += length + (field[length] == '.');
    }
    return at == pod->container ? yaml_file_line(manifest->yaml, at) : yaml_file_key_line(manifest->yaml, at);
}
