#include "model/facts.h"

#include <string.h>

static const char *const role_names[ROLE_COUNT] = {
#define X(id, name) [id] = name,
    ROLE_TABLE(X)
#undef X
};

const char *role_name(enum role role)
{
    return (unsigned)role < ROLE_COUNT ? role_names[role] : "";
}

bool role_from_name(const char *name, enum role *role)
{
    for (int i = 0; name != NULL && i < ROLE_COUNT; i++) {
        if (strcmp(role_names[i], name) == 0) {
            *role = (enum role)i;
            return true;
        }
    }
    return false;
}

const char *pod_phase_name(enum pod_phase phase)
{
    switch (phase) {
    case PHASE_UNKNOWN:
        break;
    case PHASE_PENDING:
        return "Pending";
    case PHASE_RUNNING:
        return "Running";
    case PHASE_SUCCEEDED:
        return "Succeeded";
    case PHASE_FAILED:
        return "Failed";
    }
    return "Unknown";
}

/* A copy of a text into memory that holds nothing yet, or a bitwise copy of another's. */
static void text_copy_fresh(struct text *to, const struct text *from)
{
    *to = (struct text){0};
    text_copy(to, from);
}

static void condition_copy_fresh(struct condition *to, const struct condition *from)
{
    text_copy_fresh(&to->reason, &from->reason);
    text_copy_fresh(&to->message, &from->message);
}

static void condition_free(struct condition *condition)
{
    text_free(&condition->reason);
    text_free(&condition->message);
}

static void container_copy_fresh(struct container_facts *to, const struct container_facts *from)
{
    text_copy_fresh(&to->name, &from->name);
    text_copy_fresh(&to->image, &from->image);
    text_copy_fresh(&to->container_id, &from->container_id);
    text_copy_fresh(&to->reason, &from->reason);
    text_copy_fresh(&to->message, &from->message);
    text_copy_fresh(&to->last.reason, &from->last.reason);
    text_copy_fresh(&to->last.message, &from->last.message);
}

static void container_free(struct container_facts *container)
{
    text_free(&container->name);
    text_free(&container->image);
    text_free(&container->container_id);
    text_free(&container->reason);
    text_free(&container->message);
    text_free(&container->last.reason);
    text_free(&container->last.message);
}

void pod_facts_copy(struct pod_facts *to, const struct pod_facts *from)
{
    if (to == from)
        return;
    pod_facts_free(to);
    *to = *from; /* the plain fields; everything owned follows */
    text_copy_fresh(&to->name, &from->name);
    text_copy_fresh(&to->ns, &from->ns);
    text_copy_fresh(&to->uid, &from->uid);
    text_copy_fresh(&to->node, &from->node);
    text_copy_fresh(&to->pod_ip, &from->pod_ip);
    text_copy_fresh(&to->workload, &from->workload);
    text_copy_fresh(&to->phase_reason, &from->phase_reason);
    text_copy_fresh(&to->phase_message, &from->phase_message);
    condition_copy_fresh(&to->scheduled, &from->scheduled);
    condition_copy_fresh(&to->initialized, &from->initialized);
    condition_copy_fresh(&to->containers_ready, &from->containers_ready);
    condition_copy_fresh(&to->ready, &from->ready);
    container_copy_fresh(&to->serving, &from->serving);
    container_copy_fresh(&to->sidecar, &from->sidecar);
    for (int i = 0; i < LANE_COUNT; i++) {
        to->probes[i] = (struct probe_spec){0};
        probe_spec_copy(&to->probes[i], &from->probes[i]);
    }
    text_copy_fresh(&to->expected_model, &from->expected_model);
    text_copy_fresh(&to->via, &from->via);
    text_copy_fresh(&to->context, &from->context);
    text_copy_fresh(&to->kubeconfig, &from->kubeconfig);
    text_copy_fresh(&to->cluster, &from->cluster);
    text_copy_fresh(&to->user, &from->user);
    text_copy_fresh(&to->as, &from->as);
    text_copy_fresh(&to->address, &from->address);
}

void pod_facts_free(struct pod_facts *facts)
{
    text_free(&facts->name);
    text_free(&facts->ns);
    text_free(&facts->uid);
    text_free(&facts->node);
    text_free(&facts->pod_ip);
    text_free(&facts->workload);
    text_free(&facts->phase_reason);
    text_free(&facts->phase_message);
    condition_free(&facts->scheduled);
    condition_free(&facts->initialized);
    condition_free(&facts->containers_ready);
    condition_free(&facts->ready);
    container_free(&facts->serving);
    container_free(&facts->sidecar);
    for (int i = 0; i < LANE_COUNT; i++)
        probe_spec_free(&facts->probes[i]);
    text_free(&facts->expected_model);
    text_free(&facts->via);
    text_free(&facts->context);
    text_free(&facts->kubeconfig);
    text_free(&facts->cluster);
    text_free(&facts->user);
    text_free(&facts->as);
    text_free(&facts->address);
    *facts = (struct pod_facts){0};
}

bool workload_is_rolled_out(const struct workload_facts *workload)
{
    return workload->observed && workload->updated >= workload->desired && workload->total <= workload->updated;
}

void workload_facts_copy(struct workload_facts *to, const struct workload_facts *from)
{
    text_copy(&to->name, &from->name);
    text_copy(&to->ns, &from->ns);
    text_copy(&to->words, &from->words);
    to->observed = from->observed;
    to->desired = from->desired;
    to->updated = from->updated;
    to->total = from->total;
}

void workload_facts_free(struct workload_facts *workload)
{
    text_free(&workload->name);
    text_free(&workload->ns);
    text_free(&workload->words);
}
