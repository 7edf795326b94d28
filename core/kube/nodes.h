/* Whose silence it was when a probe got no answer: the pod's, or that of the way from the API server to the pod's node, which may be black while the API server itself is well (a kubelet that stands still, a node that went away, a dead konnectivity
 * tunnel). The native session has its PING for that; kubectl's children and the pods' proxy have nothing (facts/kube.md 3.1).
 *
 * The question is one byte of the log of the pod that was silent: GET pods/NAME/log?tailLines=1&limitBytes=1, which the API server asks of the node's kubelet, by the way that port-forwards and logs take. It is asked after a probe that got no answer and
 * never otherwise, at most once a second for each node, however many pods are silent there; while a node is silent, about once in five seconds until it is back.
 *
 * What an answer proves: API server, node, kubelet and its container runtime are there and joined, so that it is the pod that does not answer. What it does not: the pods' proxy goes from the API server to the pod's own address, beside the
 * kubelet; where the pods' network alone is broken, a pod is taken to hang. What no answer proves: nothing about the pod, whichever way was taken. Without the right to logs (403), or where the API server answers by itself (a pod that is gone), nothing is
 * learnt, and the pod is taken to hang, as by a person with no more at hand. */
#ifndef PROBETOP_NODES_H
#define PROBETOP_NODES_H

#include "kube/pulse.h"
#include "model/facts.h"

struct nodes;
/* settled: of some node more is known than before; from the loop, never from within a call. `api` is borrowed. */
struct nodes *nodes_new(uv_loop_t *loop, struct api *api, void (*settled)(void *user), void *user);
/* Whether this pod's node has answered the API server at `since` (real µs) or later; see pulse_ask(). */
enum pulse_word nodes_ask(struct nodes *nodes, const struct pod_facts *facts, int64_t since);
/* Likewise, by what is known without asking. */
bool nodes_was_silent(const struct nodes *nodes, const struct pod_facts *facts, int64_t since);
/* "node n1 does not answer the API server", and why where somebody said it. */
void nodes_why(const struct nodes *nodes, const struct pod_facts *facts, struct buf *out);
void nodes_free(struct nodes *nodes); /* NULL is fine */

#endif
