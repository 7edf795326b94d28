/* Commands for the person to copy: to be pasted into a shell, so names that a shell would read otherwise are quoted. Nothing here runs anything. */
#ifndef PROBETOP_COMMAND_H
#define PROBETOP_COMMAND_H

#include "base/buf.h"
#include "model/pod.h"

enum { COMMAND_BYTES_MAX = 1024 };
/* A word of a shell's command line, quoted where it must be. */
void command_put_word(struct buf *out, const char *word);
/* The template with {kubectl} ("kubectl --context=... -n llm-d": with the flags the user gave probetop: kubeconfig, context, cluster, user, as), {ns}, {pod}, {container}, {port} (where clients talk to), {vllm_port} (vLLM's own), {path} (that the readiness probe asks, or
 * another one), {node}, {workload}, {sidecar} (its name) filled in; other braces stay. False, and *out empty, when something that the template needs is not known: no half command is ever shown. {kubectl} is not known where there is
 * no kubelet. */
bool command_fill(const char *template, const struct pod *pod, struct text *out);
/* The same question by hand: curl against an endpoint given by hand, false where there is none. */
bool command_curl(const struct pod *pod, enum lane_kind lane, struct text *out);

#endif
