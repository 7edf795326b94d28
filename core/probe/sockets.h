/* Watches sockets that somebody else opens and closes (libcurl) on the loop. */
#ifndef PROBETOP_SOCKETS_H
#define PROBETOP_SOCKETS_H

#include <stdbool.h>
#include <uv.h>

struct sockets;

/* A socket is ready. It may be forgotten, and others watched, meanwhile. */
typedef void sockets_ready_fn(void *user, int fd, bool error, bool in, bool out);
/* All that were ready at once have been told of. */
typedef void sockets_after_fn(void *user);

/* What is watched does not keep the loop alive where that can be had for nothing (Linux): whoever waits has a timer as well. NULL: no descriptor left. */
struct sockets *sockets_new(uv_loop_t *loop, sockets_ready_fn *ready, sockets_after_fn *after, void *user);
/* Nothing is called any more. What is still watched need not be forgotten before; its handles end within the next loop turns. NULL is fine. */
void sockets_free(struct sockets *sockets);

/* Waits for the socket to be readable, writable, or both, until told otherwise. `is_new`: not watched yet. A socket that cannot be watched is never ready. */
void sockets_watch(struct sockets *sockets, int fd, bool is_new, bool in, bool out);
/* To be called before the socket is closed; a socket that is not watched is fine. */
void sockets_forget(struct sockets *sockets, int fd);

#endif
