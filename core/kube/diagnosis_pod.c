/* Which pod the files are about, and what is known of it. */
#include "kube/diagnosis_work.h"

#include "base/mem.h"
#include "kube/container.h"
#include "kube/discover.h"

#include <string.h>

enum { NAMES_TOLD = 5, VOTES_MAX = 64 };

static enum status pods_are_several(struct diagnosis *work, const char *file, const char *const *names, size_t count)
{
    struct buf list;
    buf_init(&list, PROBLEM_MAX);
    for (size_t i = 0; i < count && i < NAMES_TOLD; i++)
        buf_printf(&list, "%s%s", i > 0 ? ", " : "", names[i]);
    if (count > NAMES_TOLD)
        buf_puts(&list, ", ...");
    enum status status =
        problem_set(work->problem, STATUS_BAD_INPUT, "%s: %zu pods, expected one: %s", file, count, buf_str(&list));
    buf_free(&list);
    return status;
}

/* The file's only pod. */
static enum status pod_from_document(struct diagnosis *work)
{
    struct objects objects = objects_pods(&work->pod_file);
    const char *names[NAMES_TOLD], *file = work->pod_file.name;
    size_t count = 0;
    for (const struct json *pod; (pod = objects_next(&objects)); count++) {
        if (count < NAMES_TOLD)
            names[count] = object_name(pod);
        work->pod = pod;
    }
    if (count > 1)
        return pods_are_several(work, file, names, count);
    if (count == 1)
        return STATUS_OK;
    const struct json *top = document_at(&work->pod_file, 0);
    const char *kind = json_string(json_get(top, "kind"));
    bool listed = kind && json_is_array(json_get(top, "items"));
    return problem_set(work->problem, STATUS_BAD_INPUT,
                       "%s:1: expected a pod, as kubectl get pod NAME -o json or -o yaml writes it%s%s%s", file,
                       kind ? "; this is a " : "", kind ? kind : "", listed ? " without one" : "");
}

/* The pod of that name among those of a text; NULL. */
static const struct json *described_find(const struct described *described, const char *name)
{
    for (uint32_t i = 0; i < described->pod_count; i++)
        if (strcmp(object_name(described->pods[i]), name) == 0)
            return described->pods[i];
    return NULL;
}

/* Of a table's pods the one that somebody would ask about: the first that is not all ready. */
static const struct json *row_choose(const struct described *described)
{
    for (uint32_t i = described->pods_described; i < described->pod_count; i++) {
        const struct json *status = json_first(json_get(json_get(described->pods[i], "status"), "containerStatuses"));
        if (!json_bool(json_get(status, "ready"), false))
            return described->pods[i];
    }
    return described->pod_count > described->pods_described ? described->pods[described->pods_described] : NULL;
}

static enum status pod_from_describe(struct diagnosis *work)
{
    const struct described *described = &work->described;
    const char *names[DESCRIBED_PODS_MAX];
    size_t named = 0;
    for (uint32_t i = 0; i < described->pods_described; i++)
        if (object_name(described->pods[i])[0])
            names[named++] = object_name(described->pods[i]);
    if (named > 1)
        return pods_are_several(work, work->texts->describe.name, names, named);
    if (named == 1)
        work->pod = described_find(described, names[0]);
    else
        work->pod = described->pods_described > 0 ? described->pods[0] : row_choose(described);
    return STATUS_OK;
}

/* --describe may tell of the same pod as --pod, and of no other. */
static enum status descriptions_agree(struct diagnosis *work)
{
    const struct described *described = &work->described;
    const char *name = object_name(work->pod);
    for (uint32_t i = 0; i < described->pods_described; i++) {
        const char *other = object_name(described->pods[i]);
        if (other[0] && strcmp(other, name) != 0)
            return problem_set(work->problem, STATUS_BAD_INPUT, "%s is about pod %s, %s about %s",
                               work->texts->describe.name, other, work->texts->pod.name, name);
    }
    return STATUS_OK;
}

enum status diagnosis_find_pod(struct diagnosis *work)
{
    const struct diagnosis_text *pod = &work->texts->pod, *describe = &work->texts->describe;
    if (pod->bytes) {
        enum status status = document_read(pod, &work->pod_file, work->problem);
        status = status == STATUS_OK ? pod_from_document(work) : status;
        return status == STATUS_OK ? descriptions_agree(work) : status;
    }
    if (describe->bytes && (diagnosis_text_is_json(describe) || diagnosis_text_is_yaml(describe))) {
        /* A pod in the wrong place is a pod; anything else is lines. */
        if (document_read(describe, &work->pod_file, NULL) == STATUS_OK && pod_from_document(work) == STATUS_OK) {
            described_free(&work->described);
            return STATUS_OK;
        }
        *work->problem = (struct problem){{0}};
        document_free(&work->pod_file);
    }
    return pod_from_describe(work);
}

/* Where no file names the pod, it is the one that most warnings are about. */
struct votes {
    struct text name[VOTES_MAX];
    uint32_t weight[VOTES_MAX], count;
};

static void vote(struct votes *votes, const char *name, bool warning)
{
    uint32_t i = 0;
    while (i < votes->count && !text_is(&votes->name[i], name))
        i++;
    if (i == VOTES_MAX || name[0] == '\0')
        return;
    if (i == votes->count) {
        text_set_str(&votes->name[i], name, TEXT_NAME);
        votes->count++;
    }
    votes->weight[i] += warning ? VOTES_MAX : 1;
}

static void votes_of_table(struct votes *votes, const struct described *events)
{
    for (uint32_t i = 0; i < events->event_count; i++) {
        const char *object = text_str(&events->events[i].object);
        if (strncasecmp(object, "pod/", 4) == 0)
            vote(votes, object + 4, events->events[i].warning);
    }
}

static void votes_of_document(struct votes *votes, const struct document *document)
{
    struct objects objects = objects_events(document);
    for (const struct json *event; (event = objects_next(&objects));) {
        const struct json *object = json_get(event, "involvedObject");
        const char *name = json_string(json_get(object, "name"));
        if (name && json_string_is(json_get(object, "kind"), "Pod"))
            vote(votes, name, json_string_is(json_get(event, "type"), "Warning"));
    }
}

static void name_from_events(struct diagnosis *work)
{
    struct votes votes = {0};
    uint32_t best = 0;
    votes_of_table(&votes, &work->events);
    votes_of_table(&votes, &work->described);
    votes_of_document(&votes, &work->event_file);
    for (uint32_t i = 1; i < votes.count; i++)
        best = votes.weight[i] > votes.weight[best] ? i : best;
    work->name_is_guess = votes.count > 1;
    if (votes.count > 0)
        text_move(&work->facts.name, &votes.name[best]);
    for (uint32_t i = 0; i < votes.count; i++)
        text_free(&votes.name[i]);
}

/* The init container that has not let the others begin: then it is the one whose log somebody asked for. */
static const char *init_at_work(const struct json *pod)
{
    const struct json *list = json_get(json_get(pod, "status"), "initContainerStatuses");
    for (const struct json *status = json_first(list); status; status = json_next(status)) {
        const struct json *end = json_get(json_get(status, "state"), "terminated");
        const char *name = json_string(json_get(status, "name"));
        bool over = json_is_object(end) && json_int(json_get(end, "exitCode"), 1) == 0;
        if (name && !over && !container_is_native_sidecar(container_find(pod, name)))
            return name;
    }
    return NULL;
}

/* How unwell a container is, by its status: 2 it fails, 1 it is not ready, 0 it is well, or nothing tells. */
static int unwellness(const struct json *status)
{
    const struct json *state = json_get(status, "state"), *end = json_get(state, "terminated");
    const char *waits = json_string(json_get(json_get(state, "waiting"), "reason"));
    bool ready = json_bool(json_get(status, "ready"), true);
    bool begins = waits && (strcmp(waits, "ContainerCreating") == 0 || strcmp(waits, "PodInitializing") == 0);
    if ((waits && !begins) || json_int(json_get(end, "exitCode"), 0) != 0)
        return 2;
    return ready ? 0 : json_int(json_get(status, "restartCount"), 0) > 0 ? 2 : 1;
}

/* What is asked about is the container that fails, where the one that serves does not: one of several vLLM, a proxy. */
static void container_choose(const struct json *pod, struct discovery *found)
{
    const struct json *list = json_get(json_get(pod, "status"), "containerStatuses");
    const char *failing = NULL;
    for (const struct json *status = json_first(list); status; status = json_next(status)) {
        const char *name = json_string(json_get(status, "name"));
        if (!name || unwellness(status) < 2)
            continue;
        if (found->serving && strcmp(name, found->serving) == 0)
            return;
        failing = failing || (found->sidecar && strcmp(name, found->sidecar) == 0) ? failing : name;
    }
    if (failing)
        discover_around(pod, failing, found);
}

void diagnosis_find_facts(struct diagnosis *work)
{
    struct pod_facts *facts = &work->facts;
    struct discovery found = {0};
    if (work->pod) {
        discover_pod(work->pod, true, &found);
        container_choose(work->pod, &found);
        pod_facts_from_json(work->pod, &found, &work->clock, DIAGNOSIS_POD, facts);
    }
    if (text_empty(&facts->name))
        name_from_events(work);
    facts->id = DIAGNOSIS_POD;
    facts->kubelet = facts->serving.exists = true;
    if (strncmp(text_str(&facts->serving.reason), "Init:", 5) == 0)
        work->log_container = mem_dup(init_at_work(work->pod));
    else if (facts->serving.state == CONTAINER_UNKNOWN && work->texts->logs.bytes && facts->phase != PHASE_FAILED)
        facts->serving.state = CONTAINER_RUNNING; /* as far as is known: something wrote */
}
