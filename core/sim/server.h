/* A small HTTP server on the loop that can also misbehave; the simulated fleet and the fault tests use it, on loopback only, and the cluster tests' pods.
 *
 * Like vLLM it binds its port early and listens late: a bound port that does not listen refuses (facts/vllm.md 1.1). */
#ifndef PROBETOP_SIM_SERVER_H
#define PROBETOP_SIM_SERVER_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* How a request is answered. */
enum manner {
    MANNER_ANSWER,           /* status, headers, body */
    MANNER_BARE,             /* the same without Content-Length: its end is the connection's */
    MANNER_RESET,            /* RST without an answer */
    MANNER_CLOSE,            /* closed without an answer */
    MANNER_HANG,             /* nothing, until the client gives up */
    MANNER_DRIP,             /* the answer, one byte every 100 ms */
    MANNER_SHORT_BODY,       /* Content-Length says twice as much as comes */
    MANNER_LONG_LENGTH,      /* Content-Length says 1 TB, then closes after the body */
    MANNER_ENDLESS_BODY,     /* the body is repeated until 1 GB or the client leaves */
    MANNER_ENDLESS_HEADERS,  /* header lines without end */
    MANNER_ENDLESS_HEADER,   /* one header line without end */
    MANNER_ENDLESS_CONTINUE, /* "100 Continue" without end */
    MANNER_GARBAGE,          /* bytes that are not HTTP */
    MANNER_HALF              /* the headers and half of the body, then silence */
};

struct answer {
    enum manner manner;
    int32_t status;
    const char *headers; /* further header lines, each ending in CRLF; "" none */
    const char *body;    /* valid until the answer function is called again */
    size_t body_length;
    int64_t delay_us; /* real time before the answer begins */
};

struct server;
/* Decides the answer to GET `path`; `request` is the whole head as received. */
typedef void answer_fn(void *user, const char *path, const char *request, struct answer *answer);

/* Binds this IPv4 address without listening: refused until server_listen(). port 0: any free one. */
enum status server_new_at(uv_loop_t *loop, const char *host, int32_t port, answer_fn *answer, void *user,
                          struct server **out, struct problem *problem);
/* The same on 127.0.0.1 and a free port. */
enum status server_new(uv_loop_t *loop, answer_fn *answer, void *user, struct server **out, struct problem *problem);
int32_t server_port(const struct server *server);
enum status server_listen(struct server *server);
/* Stops listening, drops connections with RST (`abruptly`) or lets them finish, and keeps the port bound: refused again. */
void server_mute(struct server *server, bool abruptly);
void server_free(struct server *server); /* closes everything; handles end within the next loop turns */

#endif
