/* Our end of a port-forward: for one port of a pod a listening unix socket in the private directory, for libcurl to connect to. Each connection becomes one forward of the pod's carrier; it waits while that is
 * starting. What happened to a connection is kept as a word before its end shows on our side, so that whoever sees the end can ask for it. */
#ifndef PROBETOP_GATE_H
#define PROBETOP_GATE_H

#include "tunnel/carrier.h"

enum { GATE_PATH_MAX = 107 }; /* bytes of a unix socket's path, without the NUL */

struct gate;
/* NULL when the socket cannot be made, with the reason in `problem`. The carrier is borrowed, may be none, and is replaced by gate_attach(). */
struct gate *gate_new(uv_loop_t *loop, const char *path, int32_t port, const struct carrier *carrier,
                      struct problem *problem);
const char *gate_path(const struct gate *gate); /* lives as long as the gate */
/* The word of the connection that ended first and was not asked about yet; where none is kept (the other side of the gate has ended it, by a time-out for instance), how the way to the pod is. */
enum tunnel_word gate_word(struct gate *gate);
/* The text that came with the word which gate_word() gave last, hostile until cleaned; "" none. Valid until gate_word() is called again. */
const char *gate_said(const struct gate *gate);
/* Another carrier: connections over the old one, which is still there, are ended. Then as gate_update(): its word has changed, and connections that wait go on or end with it. */
void gate_attach(struct gate *gate, const struct carrier *carrier);
void gate_update(struct gate *gate);
/* Ends connections and removes the socket; `done` comes from the loop when nothing is left on it. */
void gate_free(struct gate *gate, void (*done)(void *user), void *user);

#endif
