/* Transfers of libcurl, many at a time, on a uv loop (curl_multi_socket_action). What they send and what comes is their owners' matter: probe/http.c and probe/stream.c. */
#ifndef PROBETOP_MULTI_H
#define PROBETOP_MULTI_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct multi;

/* One easy handle as the multi handle knows it; part of its owner's struct. */
struct transfer {
    void *easy; /* a CURL; multi_adopt() makes it this transfer's */
    /* libcurl has ended it; it is to be removed then. Called outside of libcurl: anything may be started and ended meanwhile. */
    void (*ended)(struct transfer *transfer, int curl_code);
    /* After multi_news(): for whatever must not be done within libcurl's own callbacks. */
    void (*news)(struct transfer *transfer);
    struct transfer *next_news;
    bool has_news;
    /* CLOCK_MONOTONIC µs, seen by the socket: libcurl 7.88 tells it of https only when the handshake is over too; 0: not yet */
    int64_t connected_mono;
};

struct multi *multi_new(uv_loop_t *loop); /* NULL: no libcurl or no descriptor left */
/* All transfers have been removed. Its handles end within the next loop turns. NULL is fine. */
void multi_free(struct multi *multi);

void multi_adopt(struct transfer *transfer, void *easy);
bool multi_add(struct multi *multi, struct transfer *transfer);
void multi_remove(struct multi *multi, struct transfer *transfer);
/* From one of libcurl's callbacks: transfer->news() is called as soon as libcurl has returned, and before any end is told. */
void multi_news(struct multi *multi, struct transfer *transfer);

#endif
