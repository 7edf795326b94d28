/* An HTTP server on a unix socket whose answers a test writes byte by byte, at once or later: what `kubectl proxy` is to probetop. Connections are kept for the next request. */
#ifndef PROBETOP_TESTS_SCRIPT_H
#define PROBETOP_TESTS_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

enum { SCRIPT_HEAD_MAX = 16384 };

struct script_connection {
    uv_pipe_t pipe;
    struct script *script;
    struct script_connection *next;
    char head[SCRIPT_HEAD_MAX]; /* of the request being read or answered */
    size_t head_length;
};

/* A request has come whole; target is its path and query. */
typedef void script_ask_fn(void *user, struct script_connection *connection, const char *target);

struct script {
    uv_pipe_t listener;
    uv_loop_t *loop;
    script_ask_fn *ask;
    void *user;
    struct script_connection *open;
    int accepted, asked;
    char last[SCRIPT_HEAD_MAX]; /* head of the last request */
};

bool script_listen(struct script *script, uv_loop_t *loop, const char *path, script_ask_fn *ask, void *user);
void script_stop(struct script *script); /* closes everything; the loop finishes it */

void script_send(struct script_connection *connection, const char *bytes, size_t length);
void script_puts(struct script_connection *connection, const char *string);
/* A whole answer with a Content-Length. */
void script_answer(struct script_connection *connection, int status, const char *body);
/* An answer that goes on: its head, then pieces, then its good end. */
void script_begin(struct script_connection *connection, int status);
void script_piece(struct script_connection *connection, const char *string);
void script_end(struct script_connection *connection);
void script_close(struct script_connection *connection); /* abruptly */

#endif
