#include "kube/rights.h"

#include <string.h>

void rights_role(const char *ns, const struct rights_wanted *wanted, struct buf *out)
{
    buf_printf(out, "{apiVersion: rbac.authorization.k8s.io/v1, kind: %sRole, metadata: {name: probetop",
               ns != NULL ? "" : "Cluster");
    if (ns != NULL)
        buf_printf(out, ", namespace: %s", ns);
    buf_puts(out, "}, rules: [{apiGroups: [\"\"], resources: [pods, events], verbs: [get, list, watch]}, "
                  "{apiGroups: [\"\"], resources: [pods/log], verbs: [get]}, ");
    buf_puts(out, wanted->podproxy ? "{apiGroups: [\"\"], resources: [pods/proxy], verbs: [get]}"
                                   : "{apiGroups: [\"\"], resources: [pods/portforward], verbs: [get, create]}");
    if (wanted->pools) {
        buf_puts(out, ", {apiGroups: [inference.networking.k8s.io, inference.networking.x-k8s.io], "
                      "resources: [inferencepools], verbs: [get, list, watch]}");
    }
    buf_puts(out, "]}");
}

/* What stands between `before` and the next `after`. */
static const char *between(const char *words, const char *before, char after, size_t *length)
{
    const char *begin = strstr(words, before);
    const char *end = begin != NULL ? strchr(begin + strlen(before), after) : NULL;
    if (end == NULL)
        return NULL;
    begin += strlen(before);
    *length = (size_t)(end - begin);
    return begin;
}

void rights_missing(const char *refusal, const char *fallback, struct buf *out)
{
    /* pods is forbidden: User "viewer" cannot list resource "pods" in API group "" in the namespace "x" */
    size_t verb_length = 0, resource_length = 0;
    const char *verb = between(refusal, "cannot ", ' ', &verb_length);
    const char *resource = between(refusal, "resource \"", '"', &resource_length);
    if (verb != NULL && resource != NULL)
        buf_printf(out, "the right to %.*s %.*s", (int)verb_length, verb, (int)resource_length, resource);
    else
        buf_printf(out, "the right to %s", fallback);
}

static const char *namespace_of(const char *refusal, size_t *length)
{
    return between(refusal, "in the namespace \"", '"', length);
}

void rights_place(const char *refusal, struct buf *out)
{
    size_t length = 0;
    const char *ns = namespace_of(refusal, &length);
    if (ns != NULL)
        buf_append(out, ns, length);
}

void rights_advice(const char *refusal, const char *ns, const struct rights_wanted *wanted, struct buf *out)
{
    size_t length = 0;
    const char *user = between(refusal, "User \"", '"', &length);
    buf_puts(out, "An administrator can grant all of it: kubectl apply -f - with ");
    rights_role(ns, wanted, out);
    buf_printf(out, " and kubectl create %srolebinding probetop --%srole=probetop --user=", ns != NULL ? "" : "cluster",
               ns != NULL ? "" : "cluster");
    if (user != NULL)
        buf_append(out, user, length);
    else
        buf_puts(out, "USER");
    if (ns != NULL)
        buf_printf(out, " -n %s", ns);
}

void rights_denied(enum right right, const char *refusal, struct buf *out)
{
    static const struct {
        const char *right, *without;
    } rows[RIGHT_COUNT] = {
        [RIGHT_EVENTS] = {"list events", "what the kubelet says is not shown"},
        [RIGHT_LOGS] = {"get pods/log", "logs cannot be read and how far a start-up is cannot be told"},
        [RIGHT_FORWARD] = {"create pods/portforward", "no probe gets to the pods"},
        [RIGHT_PODPROXY] = {"get pods/proxy", "no probe gets to the pods"},
        [RIGHT_POOLS] = {"list inferencepools", "nobody knows which pods the pool has"}};
    rights_missing(refusal, rows[right].right, out);
    buf_puts(out, " is missing");
    size_t length = 0;
    const char *ns = namespace_of(refusal, &length);
    if (ns != NULL)
        buf_printf(out, " in the namespace %.*s", (int)length, ns);
    buf_printf(out, ", so %s", rows[right].without);
}
