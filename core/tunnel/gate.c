#include "tunnel/gate.h"

#include "base/mem.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 64, CONNECTIONS_MAX = 32, QUEUE_MAX = 1 << 20 };

struct connection {
    struct gate *gate; /* NULL: closing */
    struct connection *next;
    uv_pipe_t pipe;
    struct forward *forward; /* NULL: waits for the carrier, or is over */
    bool finished;           /* libcurl has ended its sending half */
    bool over;               /* the pod's side has ended; our side has not closed yet */
    enum tunnel_word word;   /* once it is over: how it ended */
    char *said;              /* then: the text that came with it; NULL none */
    uint64_t ended;          /* the how-many-th end that was; 0: not over, or the word has been asked for */
    struct gate *origin;
};

struct gate {
    uv_loop_t *loop;
    int32_t port;
    char *path;
    struct carrier carrier; /* borrowed */
    uv_pipe_t listener;
    struct connection *connections;
    int connection_count;
    uint64_t ends; /* so far */
    char *said;    /* with the word that was asked for last; NULL: none */
    int handles;   /* still on the loop */
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
        mem_free(gate->said);
        mem_free(gate);
        if (done != NULL)
            done(user);
    }
}

/* ---- words ---- */

static enum tunnel_word carrier_word(const struct gate *gate)
{
    return gate->carrier.ops != NULL ? gate->carrier.ops->word(gate->carrier.self) : TUNNEL_STARTING;
}

static void connection_close(struct connection *connection);
static bool connection_is_spent(const struct connection *connection);

/* Whoever sees the end of a connection asks before the loop shows us that it has closed its own: so a word lives as long as the connection. */
enum tunnel_word gate_word(struct gate *gate)
{
    struct connection *first = NULL;
    for (struct connection *connection = gate->connections; connection != NULL; connection = connection->next)
        if (connection->ended != 0 && (first == NULL || connection->ended < first->ended))
            first = connection;
    mem_free(gate->said);
    gate->said = NULL;
    if (first == NULL)
        return carrier_word(gate);
    enum tunnel_word word = first->word;
    first->ended = 0;
    gate->said = first->said;
    first->said = NULL;
    if (connection_is_spent(first))
        connection_close(first);
    return word;
}

const char *gate_said(const struct gate *gate)
{
    return gate->said != NULL ? gate->said : "";
}

/* ---- connections ---- */

static void on_connection_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    handle_gone(connection->origin);
    mem_free(connection->said);
    mem_free(connection);
}

/* Takes it off the gate and closes it; what was written to it before is still delivered. */
static void connection_close(struct connection *connection)
{
    struct gate *gate = connection->gate;
    struct connection **at = &gate->connections;
    while (*at != connection)
        at = &(*at)->next;
    *at = connection->next;
    gate->connection_count--;
    connection->gate = NULL;
    if (connection->forward != NULL) {
        gate->carrier.ops->close(connection->forward);
        connection->forward = NULL;
    }
    uv_close((uv_handle_t *)&connection->pipe, on_connection_closed);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *room);

/* From the pod to libcurl. Whoever asks for more than it reads has lost interest. */
static void on_forward_data(void *user, const char *bytes, size_t length)
{
    struct connection *connection = user;
    uv_stream_t *stream = (uv_stream_t *)&connection->pipe;
    if (uv_stream_get_write_queue_size(stream) > QUEUE_MAX)
        connection_close(connection);
    else
        carrier_write(stream, bytes, length);
}

static void on_shut(uv_shutdown_t *request, int status)
{
    struct connection *connection = request->data;
    mem_free(request);
    if (status != 0 && connection->gate != NULL)
        connection_close(connection);
}

/* The end shows on our side after all that is queued. Closed it is when the other side has closed too: closing before everything it sent has been read would look like a reset that the pod never made. */
static void connection_end(struct connection *connection, enum tunnel_word word)
{
    uv_stream_t *stream = (uv_stream_t *)&connection->pipe;
    uv_shutdown_t *request = mem_new(sizeof *request);
    connection->over = true;
    connection->word = word;
    connection->ended = ++connection->gate->ends;
    request->data = connection;
    if (uv_shutdown(request, stream, on_shut) != 0) {
        mem_free(request);
        connection_close(connection);
    } else if (!connection->finished && !uv_is_active((uv_handle_t *)stream) &&
               uv_read_start(stream, carrier_alloc, on_read) != 0) {
        connection_close(connection);
    }
}

/* Whether libcurl has closed its socket, and not only its sending half (core/probe/http.c). To be asked before our side has ended too. */
static bool connection_is_dead(const struct connection *connection)
{
    struct pollfd look = {.fd = -1};
    uv_fileno((const uv_handle_t *)&connection->pipe, &look.fd);
    return poll(&look, 1, 0) < 0 || (look.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

/* One that ended its sending half cannot show us by that that it has closed. Where the pod's side has ended too, and that has gone all the way, it needs us no more. */
static bool connection_is_spent(const struct connection *connection)
{
    const uv_stream_t *stream = (const uv_stream_t *)&connection->pipe;
    if (!connection->finished)
        return false;
    return connection->over ? uv_stream_get_write_queue_size(stream) == 0 : connection_is_dead(connection);
}

static void on_forward_ended(void *user, enum tunnel_word word, const char *detail)
{
    struct connection *connection = user;
    connection->forward = NULL;
    if (connection_is_spent(connection)) { /* nobody will ask */
        connection_close(connection);
        return;
    }
    connection->said = detail[0] != '\0' ? mem_dup(detail) : NULL;
    connection_end(connection, word);
}

static const struct forward_ops forward_ops = {.data = on_forward_data, .ended = on_forward_ended};

/* From libcurl to the pod. After its end has come nothing is read any more: that it has closed is then seen when it asks for the word, when the pod's side ends, or when the next connection comes. */
static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *room)
{
    struct connection *connection = stream->data;
    const struct carrier *carrier = connection->gate != NULL ? &connection->gate->carrier : NULL;
    bool good = length >= 0;
    if (length > 0 && connection->forward != NULL) {
        good = carrier->ops->send(connection->forward, room->base, (size_t)length);
    } else if (length == UV_EOF && connection->forward != NULL && !connection_is_dead(connection)) {
        good = connection->finished = true;
        carrier->ops->finish(connection->forward);
    }
    mem_free(room->base);
    if (!good && connection->gate != NULL)
        connection_close(connection);
}

static void gate_sweep(struct gate *gate)
{
    struct connection *next;
    for (struct connection *connection = gate->connections; connection != NULL; connection = next) {
        next = connection->next;
        if (connection_is_spent(connection))
            connection_close(connection);
    }
}

/* Joins it to a forward, or ends it with the word why there can be none. While the carrier is starting it waits. */
static void connection_join(struct connection *connection)
{
    struct gate *gate = connection->gate;
    const struct carrier *carrier = &gate->carrier;
    enum tunnel_word word = carrier_word(gate);
    if (carrier->ops != NULL && carrier->ops->is_up(carrier->self)) {
        connection->forward = carrier->ops->open(carrier->self, gate->port, &forward_ops, connection);
        if (connection->forward != NULL && uv_read_start((uv_stream_t *)&connection->pipe, carrier_alloc, on_read) == 0)
            return;
        word = TUNNEL_BACKOFF;
    }
    if (word != TUNNEL_STARTING)
        connection_end(connection, word);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct gate *gate = listener->data;
    if (status != 0 || gate->freed)
        return;
    gate_sweep(gate);
    struct connection *connection = mem_new(sizeof *connection);
    uv_pipe_init(gate->loop, &connection->pipe, 0);
    connection->pipe.data = connection;
    connection->gate = connection->origin = gate;
    connection->next = gate->connections;
    gate->connections = connection;
    gate->connection_count++;
    gate->handles++;
    if (uv_accept(listener, (uv_stream_t *)&connection->pipe) != 0 || gate->connection_count > CONNECTIONS_MAX)
        connection_close(connection);
    else
        connection_join(connection);
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
    if (error == 0)
        error = uv_listen((uv_stream_t *)&gate->listener, BACKLOG, on_connection);
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

void gate_update(struct gate *gate)
{
    struct connection *next;
    for (struct connection *connection = gate->connections; connection != NULL; connection = next) {
        next = connection->next;
        if (connection->forward == NULL && !connection->over)
            connection_join(connection);
    }
}

void gate_attach(struct gate *gate, const struct carrier *carrier)
{
    struct connection *next;
    for (struct connection *connection = gate->connections; connection != NULL; connection = next) {
        next = connection->next;
        if (connection->forward != NULL && carrier->self != gate->carrier.self) {
            gate->carrier.ops->close(connection->forward);
            connection->forward = NULL;
            connection_end(connection, TUNNEL_POD_GONE);
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
    while (gate->connections != NULL)
        connection_close(gate->connections);
    unlink(gate->path);
    uv_close((uv_handle_t *)&gate->listener, on_listener_closed);
}
