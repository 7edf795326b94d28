#include "tunnel/gate.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>
#include <unistd.h>

enum { BACKLOG = 64, CONNECTIONS_MAX = 32, WORDS_MAX = 8, QUEUE_MAX = 1 << 20 };
enum { WORD_MS = 1000 }; /* whoever was to ask for a word has done so by then, or never will */

struct connection {
    struct gate *gate; /* NULL: closing */
    struct connection *next;
    uv_pipe_t pipe;
    struct forward *forward; /* NULL: waits for the session, or is over */
    bool over;               /* the pod's side has ended; what it sent is still on its way to our side */
    struct gate *origin;
};

struct kept_word {
    enum tunnel_word word;
    int64_t at; /* real µs */
};

struct gate {
    uv_loop_t *loop;
    int32_t port;
    char *path;
    struct carrier carrier; /* borrowed */
    uv_pipe_t listener;
    struct connection *connections;
    int connection_count;
    struct kept_word words[WORDS_MAX]; /* the oldest first */
    size_t word_count;
    int handles; /* still on the loop */
    bool freed;
    void (*done)(void *user);
    void *done_user;
};

static void handle_gone(struct gate *gate)
{
    gate->handles--;
    if (gate->freed && gate->handles == 0) {
        void (*done)(void *user) = gate->done;
        void *user = gate->done_user;
        mem_free(gate->path);
        mem_free(gate);
        if (done != NULL) {
            done(user);
        }
    }
}

/* ---- words ---- */

static void word_shift(struct gate *gate)
{
    gate->word_count--;
    memmove(gate->words, gate->words + 1, gate->word_count * sizeof gate->words[0]);
}

static void word_keep(struct gate *gate, enum tunnel_word word)
{
    if (gate->word_count == WORDS_MAX) {
        word_shift(gate);
    }
    gate->words[gate->word_count++] = (struct kept_word){word, clock_mono_us()};
}

static enum tunnel_word carrier_word(const struct gate *gate)
{
    return gate->carrier.ops != NULL ? gate->carrier.ops->word(gate->carrier.self) : TUNNEL_STARTING;
}

enum tunnel_word gate_word(struct gate *gate)
{
    int64_t oldest = clock_mono_us() - (int64_t)WORD_MS * MILLISECOND_US;
    while (gate->word_count > 0 && gate->words[0].at < oldest) {
        word_shift(gate);
    }
    if (gate->word_count > 0) {
        enum tunnel_word word = gate->words[0].word;
        word_shift(gate);
        return word;
    }
    return carrier_word(gate);
}

/* ---- connections ---- */

static void on_connection_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    handle_gone(connection->origin);
    mem_free(connection);
}

/* Takes it off the gate and closes it; what was written to it before is still delivered. */
static void connection_close(struct connection *connection)
{
    struct gate *gate = connection->gate;
    struct connection **at = &gate->connections;
    while (*at != connection) {
        at = &(*at)->next;
    }
    *at = connection->next;
    gate->connection_count--;
    connection->gate = NULL;
    if (connection->forward != NULL) {
        gate->carrier.ops->close(connection->forward);
        connection->forward = NULL;
    }
    uv_close((uv_handle_t *)&connection->pipe, on_connection_closed);
}

/* From the pod to libcurl. Whoever asks for more than it reads has lost interest. */
static void on_forward_data(void *user, const char *bytes, size_t length)
{
    struct connection *connection = user;
    uv_stream_t *stream = (uv_stream_t *)&connection->pipe;
    if (uv_stream_get_write_queue_size(stream) > QUEUE_MAX) {
        connection_close(connection);
    } else {
        carrier_write(stream, bytes, length);
    }
}

static void on_shut(uv_shutdown_t *request, int status)
{
    (void)status;
    struct connection *connection = request->data;
    mem_free(request);
    if (connection->gate != NULL) {
        connection_close(connection);
    }
}

static void on_forward_ended(void *user, enum tunnel_word word, const char *detail)
{
    (void)detail;
    struct connection *connection = user;
    connection->forward = NULL;
    connection->over = true;
    word_keep(connection->gate, word);
    uv_read_stop((uv_stream_t *)&connection->pipe);
    uv_shutdown_t *request = mem_new(sizeof *request);
    request->data = connection;
    /* What is still queued goes first. */
    if (uv_shutdown(request, (uv_stream_t *)&connection->pipe, on_shut) != 0) {
        mem_free(request);
        connection_close(connection);
    }
}

static const struct forward_ops forward_ops = {.data = on_forward_data, .ended = on_forward_ended};

/* From libcurl to the pod. libcurl never closes one half only: its end means that it wants nothing more. */
static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *room)
{
    struct connection *connection = stream->data;
    bool good = length >= 0;
    if (length > 0 && connection->forward != NULL) {
        good = connection->gate->carrier.ops->send(connection->forward, room->base, (size_t)length);
    }
    mem_free(room->base);
    if (!good && connection->gate != NULL) {
        connection_close(connection);
    }
}

/* Joins it to a forward, or ends it with the word why there can be none. While the session is being made it waits. */
static void connection_join(struct connection *connection)
{
    struct gate *gate = connection->gate;
    const struct carrier *carrier = &gate->carrier;
    enum tunnel_word word = carrier_word(gate);
    if (carrier->ops != NULL && carrier->ops->is_up(carrier->self)) {
        connection->forward = carrier->ops->open(carrier->self, gate->port, &forward_ops, connection);
        if (connection->forward != NULL &&
            uv_read_start((uv_stream_t *)&connection->pipe, carrier_alloc, on_read) == 0) {
            return;
        }
        word = TUNNEL_BACKOFF;
    }
    if (word != TUNNEL_STARTING) {
        word_keep(gate, word);
        connection_close(connection);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct gate *gate = listener->data;
    if (status != 0 || gate->freed) {
        return;
    }
    struct connection *connection = mem_new(sizeof *connection);
    uv_pipe_init(gate->loop, &connection->pipe, 0);
    connection->pipe.data = connection;
    connection->gate = connection->origin = gate;
    connection->next = gate->connections;
    gate->connections = connection;
    gate->connection_count++;
    gate->handles++;
    if (uv_accept(listener, (uv_stream_t *)&connection->pipe) != 0 || gate->connection_count > CONNECTIONS_MAX) {
        word_keep(gate, TUNNEL_BACKOFF);
        connection_close(connection);
    } else {
        connection_join(connection);
    }
}

/* ---- the gate ---- */

static void on_listener_closed(uv_handle_t *handle)
{
    handle_gone(handle->data);
}

struct gate *gate_new(uv_loop_t *loop, const char *path, int32_t port, const struct carrier *carrier,
                      struct problem *problem)
{
    if (strlen(path) > GATE_PATH_MAX) {
        problem_set(problem, STATUS_BAD_INPUT, "%s is too long for a unix socket: at most %d bytes", path,
                    GATE_PATH_MAX);
        return NULL;
    }
    struct gate *gate = mem_new(sizeof *gate);
    *gate = (struct gate){.loop = loop, .port = port, .path = mem_dup(path), .carrier = *carrier, .handles = 1};
    gate->listener.data = gate;
    uv_pipe_init(loop, &gate->listener, 0);
    unlink(path); /* what a killed run left there */
    int error = uv_pipe_bind(&gate->listener, path);
    if (error == 0) {
        error = uv_listen((uv_stream_t *)&gate->listener, BACKLOG, on_connection);
    }
    if (error != 0) {
        problem_set(problem, STATUS_IO, "no socket at %s: %s", path, uv_strerror(error));
        gate_free(gate, NULL, NULL);
        return NULL;
    }
    return gate;
}

const char *gate_path(const struct gate *gate)
{
    return gate->path;
}

int32_t gate_port(const struct gate *gate)
{
    return gate->port;
}

void gate_update(struct gate *gate)
{
    struct connection *next;
    for (struct connection *connection = gate->connections; connection != NULL; connection = next) {
        next = connection->next;
        if (connection->forward == NULL && !connection->over) {
            connection_join(connection);
        }
    }
}

void gate_attach(struct gate *gate, const struct carrier *carrier)
{
    struct connection *next;
    for (struct connection *connection = gate->connections; connection != NULL; connection = next) {
        next = connection->next;
        if (connection->forward != NULL && carrier->self != gate->carrier.self) {
            word_keep(gate, TUNNEL_POD_GONE);
            connection_close(connection);
        }
    }
    gate->carrier = *carrier;
    gate_update(gate);
}

void gate_free(struct gate *gate, void (*done)(void *user), void *user)
{
    gate->freed = true;
    gate->done = done;
    gate->done_user = user;
    while (gate->connections != NULL) {
        connection_close(gate->connections);
    }
    unlink(gate->path);
    uv_close((uv_handle_t *)&gate->listener, on_listener_closed);
}
