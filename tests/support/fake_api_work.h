/* What the two parts of the fake API (fake_api.h) share: fake_api.c has objects, lists, watches and requests, fake_api_pods.c what lies behind it: logs, port-forwards and the pods' proxy. Nobody else includes this. */
#ifndef PROBETOP_TEST_FAKE_API_WORK_H
#define PROBETOP_TEST_FAKE_API_WORK_H

#include "tests/support/fake_api.h"

enum {
    HEAD_MAX = 64 << 10,
    OBJECT_MAX = 1 << 20,
    ANSWER_MAX = 64 << 20,
    LOG_MAX = 4 << 20,
    REQUESTS_MAX = 8 << 20,
    SELECTOR_MAX = 1024,
    NAME_SIZE = 256,
    BACKLOG = 128,
    ROOM = 65536,
    DENIED_MAX = 8,
    SPDY_SEED = 7
};

struct object {
    enum fake_kind kind;
    char *ns, *name, *metadata, *members, *uid;
    uint64_t version;
    char *text; /* compact JSON */
    struct json *json;
};
struct change {
    uint64_t version;
    enum fake_kind kind;
    const char *type;
    char *text;
    struct json *json;
};
struct log {
    char ns[NAME_SIZE], pod[NAME_SIZE], container[NAME_SIZE];
    struct buf now, before;
};

struct fake_api {
    uv_loop_t *loop;
    char *socket;
    struct fake_api_options options;
    uv_pipe_t *listener; /* NULL while it is down */
    struct connection *connections;
    struct object *objects;
    size_t object_count;
    struct change *changes;
    size_t change_count;
    struct log **logs;
    size_t log_count;
    uint64_t version, oldest; /* watches from before `oldest` are too late */
    bool expired, old_server, frozen, no_forwards, knows_pools;
    unsigned hold;
    char *swallowed; /* a node's name */
    char *denied[DENIED_MAX];
    size_t denied_count;
    struct buf requests;
    char room[ROOM];
};

enum use { USE_HTTP, USE_WATCH, USE_LOG, USE_FORWARD, USE_RELAY, USE_SWALLOWED };

/* A way to a pod's port. It outlives its connection by the turn in which its closing is told. */
struct relay {
    uv_tcp_t tcp; /* its data: the connection; NULL: that is over */
    uv_connect_t connect;
};

struct pair;
struct connection {
    uv_pipe_t pipe;
    struct fake_api *api;
    struct connection *previous, *next;
    struct buf in;
    enum use use;
    struct buf stalled; /* what would have been written while the API is frozen */
    /* a request to a pod */
    struct relay *relay; /* NULL: none is open */
    struct buf asked;
    /* a watch */
    enum fake_kind kind;
    char ns[NAME_SIZE], labels[SELECTOR_MAX], fields[SELECTOR_MAX];
    size_t change_at;
    bool bookmarks;
    /* a followed log */
    struct log *log;
    size_t log_at;
    char pod[NAME_SIZE]; /* where it leads to, by way of its node; "": nowhere but to the API */
    /* a port-forward */
    struct websocket *websocket; /* NULL: plain SPDY */
    struct spdy *spdy;
    struct buf frames, payload;
    struct pair *pairs;
};

/* One connection into the pod: the streams of one request. */
struct pair {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_timer_t hold;
    struct connection *connection; /* NULL once that has gone */
    struct pair *next;
    char request[NAME_SIZE];
    int32_t port;
    uint32_t error, data;
    bool open;                    /* tcp and hold are handles */
    bool pod_ended, client_ended; /* each its sending half */
};

struct request {
    char method[16], path[2048], query[4096], verb[16], resource[64];
    char ns[NAME_SIZE], name[NAME_SIZE], subresource[64];
    const char *head; /* as it came */
};

/* ---- fake_api.c ---- */

void stream_write(uv_stream_t *stream, const char *bytes, size_t length);
void connection_write(struct connection *connection, const char *bytes, size_t length);
void connection_chunk(struct connection *connection, const char *bytes, size_t length);
void connection_close(struct connection *connection);
void stream_head(struct connection *connection, const char *type);
void answer(struct connection *connection, int code, const char *type, const char *body, size_t length);
void answer_status(struct connection *connection, int code, const char *message);
bool query_get(const struct request *request, const char *key, char *out, size_t size);
bool query_true(const struct request *request, const char *key);
bool header_has(const struct request *request, const char *name, const char *part, char *out, size_t size);

/* ---- fake_api_pods.c ---- */

void answer_log(struct connection *connection, const struct request *request);
void answer_forward(struct connection *connection, const struct request *request);
void answer_proxy(struct connection *connection, const struct request *request, int32_t container_port);
/* What has come on a forward's connection. */
void forward_take(struct connection *connection);
void pair_close(struct pair *pair);
/* For uv_read_start(): one piece of memory for all reads. */
void room(uv_handle_t *handle, size_t suggested, uv_buf_t *out);

#endif
