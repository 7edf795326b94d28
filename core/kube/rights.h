/* What probetop needs to be allowed in a cluster, and how to say that some of it is missing (facts/kube.md 3.4). Pure. */
#ifndef PROBETOP_RIGHTS_H
#define PROBETOP_RIGHTS_H

#include "base/buf.h"

/* The Role with everything it needs, as YAML on one line that `kubectl apply -f -` takes however it is wrapped. ns NULL: a ClusterRole. */
void rights_role(const char *ns, struct buf *out);
/* "the right to list pods", "the right to create pods/portforward" out of the API server's refusal, or `fallback` where it has other words. */
void rights_missing(const char *refusal, const char *fallback, struct buf *out);
/* The whole advice after a refusal: the Role, and how an administrator binds it to the user whom the refusal names. */
void rights_advice(const char *refusal, const char *ns, struct buf *out);

#endif
