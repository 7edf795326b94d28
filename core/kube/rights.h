/* What probetop needs to be allowed in a cluster, and how to say that some of it is missing (facts/kube.md 3.4). Pure. */
#ifndef PROBETOP_RIGHTS_H
#define PROBETOP_RIGHTS_H

#include "base/buf.h"

/* Rights without which the rest goes on. Without listing and watching pods nothing does: see standing.h. */
enum right { RIGHT_EVENTS, RIGHT_LOGS, RIGHT_FORWARD, RIGHT_PODPROXY, RIGHT_POOLS, RIGHT_COUNT };

/* What is asked for beyond what everybody needs. */
struct rights_wanted {
    bool pools;    /* pool/NAME */
    bool podproxy; /* --via podproxy: instead of port-forwards */
};

/* The Role with everything that is needed, as YAML on one line that `kubectl apply -f -` takes however it is wrapped. ns NULL: a ClusterRole. */
void rights_role(const char *ns, const struct rights_wanted *wanted, struct buf *out);
/* "the right to list pods", "the right to create pods/portforward" out of the API server's refusal, or `fallback` where it has other words. */
void rights_missing(const char *refusal, const char *fallback, struct buf *out);
/* The whole advice after a refusal: the Role, and how an administrator binds it to the user whom the refusal names. */
void rights_advice(const char *refusal, const char *ns, const struct rights_wanted *wanted, struct buf *out);
/* The namespace that the refusal names; "" none, so the whole cluster is meant. */
void rights_place(const char *refusal, struct buf *out);
/* "the right to get pods/log is missing in the namespace x, so ...". */
void rights_denied(enum right right, const char *refusal, struct buf *out);

#endif
