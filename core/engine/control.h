/* The control socket between a screen and the engine: short lines, both ways, over a socket pair (or later a unix socket). Neither side ever waits for the other: writes that would block are
 * dropped where they only wake ("journal") or are said again later, and end the connection elsewhere.
 *
 * screen -> engine:  "probe POD" (0: all), "logs POD", "quit", "terminal HEX" (bytes that restore this terminal, see guard.h)
 * engine -> screen:  "journal" (something new is in it), "moved DIR" (it goes on there), "lost" (it goes on nowhere: nothing new will come), "bye REASON" (an orderly end follows),
 *                    "groups PGID ..." (all process groups of children there are now: see guard.h) */
#ifndef PROBETOP_CONTROL_H
#define PROBETOP_CONTROL_H

#include "base/status.h"

#include <stdbool.h>
#include <uv.h>

enum { CONTROL_LINE_MAX = 8192 };

struct control; /* one end, on a uv loop */
/* line: called per complete line without its newline; NULL line: the other side is gone (called once, last). */
typedef void control_line_fn(void *user, const char *line);
struct control *control_new(uv_loop_t *loop, int fd, control_line_fn *line, void *user); /* takes fd over */
void control_send(struct control *control, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Like send, but dropped when the socket is full. Returns whether it was taken. */
bool control_wake(struct control *control, const char *line);
void control_free(struct control *control);

#endif
