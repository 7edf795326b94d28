/* Whether the API server answers just now: GET /version through the proxy, asked while somebody waits for the cluster and never otherwise (facts/kube.md 3.1: an API server that is silent looks like a pod that hangs, and kubectl says
 * nothing for 30 s and more). */
#ifndef PROBETOP_PULSE_H
#define PROBETOP_PULSE_H

#include "kube/api.h"

struct pulse;
/* changed: it answers no more (why: a sentence), or again; from the loop, never from within a call. `api` is borrowed. */
struct pulse *pulse_new(uv_loop_t *loop, struct api *api, void (*changed)(void *user, bool silent, const char *why),
                        void *user);
/* Somebody waits: if it is silent that is told within a second. At most about two requests a second, however often this is called. */
void pulse_ask(struct pulse *pulse);
bool pulse_is_silent(const struct pulse *pulse);
void pulse_free(struct pulse *pulse); /* no callback comes any more. NULL is fine */

#endif
