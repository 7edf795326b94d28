#include "sim/server.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HEAD_MAX = 16384,          /* of a request; a longer one is answered by a reset */
    BACKLOG = 128,             /* connections waiting to be accepted */
    ROOM = 2048,               /* bytes read at once */
    PIECE_MAX = 65536,         /* endless answers are written in pieces of this size */
    FLOOD_MAX = 1 << 30,       /* "without end" is 1 GiB: loops stay bounded */
    DRIP_MS = 100,             /* between two bytes of MANNER_DRIP */
    ANSWER_MAX = 1 << 24,      /* bytes of one answer */
    TERABYTE_POWER = 40,       /* MANNER_LONG_LENGTH claims two to the power of this */
    HANDLES_PER_CONNECTION = 2 /* socket and timer */
};

/* One server. Lives until server_free() and the last of its connections and listeners have been closed by the loop. */
struct server {
    uv_loop_t *loop;
    answer_fn *answer;
    void *user;
    struct listener *listener;  /* NULL while muted */
    int held;                   /* bound, does not listen: keeps the port ours; -1 while listening */
    struct sockaddr_in address; /* with the port that it got */
    struct connection *connections;
    size_t references; /* listeners and connections not closed yet, and 1 for the owner */
    char room[ROOM];
};

struct listener {
    uv_tcp_t tcp;
    struct server *server;
};

struct connection {
    uv_tcp_t tcp;
    uv_timer_t timer; /* the answer's delay, then the drips */
    uv_write_t write; /* at most one under way */
    struct server *server;
    struct connection *previous, *next;
    struct buf head;  /* of the request */
    struct buf start; /* all that is sent of an answer that ends */
    struct buf piece; /* sent again and again after `start`; empty for an answer that ends */
    size_t dripped;   /* bytes of `start` */
    int64_t flooded;  /* bytes sent of `piece` */
    enum manner manner;
    int handles; /* not closed yet */
    bool asked;  /* the head is complete: whatever comes now is ignored */
};

/* ---- the port ---- */

/* A bound socket that does not listen. SO_REUSEPORT lets the next socket of the same user take the port over before this one gives it up, so that nobody
 * else can get it in between. -1 with errno on failure. */
static int socket_bind(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    int one = 1;
    bool bound = fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
                 setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
                 setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0 &&
                 bind(fd, (const struct sockaddr *)address, sizeof *address) == 0;
    if (bound)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void server_unreference(struct server *server)
{
    if (--server->references == 0)
        mem_free(server);
}

enum status server_new_at(uv_loop_t *loop, const char *host, int32_t port, answer_fn *answer, void *user,
                          struct server **out, struct problem *problem)
{
    *out = NULL;
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    if (port < 0 || port > UINT16_MAX || uv_ip4_addr(host, port, &address) != 0)
        return problem_set(problem, STATUS_BAD_INPUT, "%s:%d is no address to serve on", host, (int)port);
    int fd = socket_bind(&address);
    if (fd < 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return problem_set(problem, status_from_errno(error), "no port on %s for a simulated server: %s", host,
                           strerror(error));
    }
    struct server *server = mem_new(sizeof *server);
    *server =
        (struct server){.loop = loop, .answer = answer, .user = user, .held = fd, .address = address, .references = 1};
    *out = server;
    return STATUS_OK;
}

enum status server_new(uv_loop_t *loop, answer_fn *answer, void *user, struct server **out, struct problem *problem)
{
    return server_new_at(loop, "127.0.0.1", 0, answer, user, out, problem);
}

int32_t server_port(const struct server *server)
{
    return ntohs(server->address.sin_port);
}

/* ---- connections ---- */

static void connection_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    if (--connection->handles > 0)
        return;
    struct server *server = connection->server;
    buf_free(&connection->head);
    buf_free(&connection->start);
    buf_free(&connection->piece);
    mem_free(connection);
    server_unreference(server);
}

static void connection_close(struct connection *connection, bool abruptly)
{
    if (uv_is_closing((uv_handle_t *)&connection->tcp))
        return;
    struct server *server = connection->server;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    uv_close((uv_handle_t *)&connection->timer, connection_closed);
    if (!abruptly || uv_tcp_close_reset(&connection->tcp, connection_closed) != 0)
        uv_close((uv_handle_t *)&connection->tcp, connection_closed);
}

/* Ends the answer: the client sees EOF. The connection itself goes when the client has closed too, so that nothing it still sends turns the EOF into a reset. */
static void connection_finish(struct connection *connection)
{
    int fd = -1;
    if (uv_fileno((uv_handle_t *)&connection->tcp, &fd) != 0 || shutdown(fd, SHUT_WR) != 0)
        connection_close(connection, false);
}

static void connection_written(uv_write_t *write, int status);

static void connection_write(struct connection *connection, const char *bytes, size_t length)
{
    uv_buf_t part = uv_buf_init((char *)bytes, (unsigned)length);
    if (uv_write(&connection->write, (uv_stream_t *)&connection->tcp, &part, 1, connection_written) != 0)
        connection_close(connection, true);
}

/* The start is out, or one more piece of what has no end. */
static void connection_written(uv_write_t *write, int status)
{
    struct connection *connection = write->data;
    struct buf *piece = &connection->piece;
    if (uv_is_closing((uv_handle_t *)&connection->tcp))
        return;
    if (status != 0 || connection->flooded > FLOOD_MAX) {
        connection_close(connection, true);
    } else if (piece->len > 0) {
        connection->flooded += (int64_t)piece->len;
        connection_write(connection, piece->data, piece->len);
    } else if (connection->manner == MANNER_DRIP && connection->dripped < connection->start.len) {
        /* the timer sends the next byte */
    } else if (connection->manner != MANNER_HALF) {
        connection_finish(connection);
    }
}

static void connection_drip(uv_timer_t *timer)
{
    struct connection *connection = timer->data;
    if (connection->dripped == connection->start.len)
        uv_timer_stop(timer);
    else if (uv_stream_get_write_queue_size((uv_stream_t *)&connection->tcp) == 0) /* the last one is out */
        connection_write(connection, connection->start.data + connection->dripped++, 1);
}

/* Begins to send what connection_prepare() has laid ready. */
static void connection_begin(struct connection *connection)
{
    if (connection->manner == MANNER_RESET)
        connection_close(connection, true);
    else if (connection->manner == MANNER_CLOSE)
        connection_finish(connection);
    else if (connection->manner == MANNER_DRIP)
        uv_timer_start(&connection->timer, connection_drip, DRIP_MS, DRIP_MS);
    else if (connection->manner != MANNER_HANG)
        connection_write(connection, buf_str(&connection->start), connection->start.len);
}

static void connection_delay_over(uv_timer_t *timer)
{
    connection_begin(timer->data);
}

/* ---- answers ---- */

/* Only the words that are answered by vLLM, its sidecar or a redirect; the client goes by the number. */
static const char *status_word(int32_t status)
{
    static const struct {
        int32_t status;
        const char *word;
    } words[] = {{200, "OK"},          {301, "Moved Permanently"},  {302, "Found"},     {304, "Not Modified"},
                 {400, "Bad Request"}, {401, "Unauthorized"},       {404, "Not Found"}, {500, "Internal Server Error"},
                 {502, "Bad Gateway"}, {503, "Service Unavailable"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (words[i].status == status)
            return words[i].word;
    return "Status";
}

/* Content-Length as this manner tells it, true or not. */
static long long length_claimed(const struct answer *answer)
{
    if (answer->manner == MANNER_SHORT_BODY)
        return (long long)answer->body_length * 2 + 1;
    if (answer->manner == MANNER_LONG_LENGTH)
        return 1LL << TERABYTE_POWER;
    return (long long)answer->body_length;
}

static void start_head(struct buf *start, const struct answer *answer)
{
    buf_printf(start, "HTTP/1.1 %d %s\r\n", (int)answer->status, status_word(answer->status));
    if (answer->headers) /* may hold bytes that no format should see */
        buf_puts(start, answer->headers);
    if (answer->manner != MANNER_ENDLESS_BODY && answer->manner != MANNER_BARE)
        buf_printf(start, "Content-Length: %lld\r\n", length_claimed(answer));
    buf_puts(start, "Connection: close\r\n\r\n");
}

static void piece_fill(struct buf *piece, const char *bytes, size_t length)
{
    if (length == 0 || length > PIECE_MAX) {
        bytes = "endless ";
        length = strlen(bytes);
    }
    while (piece->len + length <= PIECE_MAX)
        buf_append(piece, bytes, length);
}

/* Copies all of the answer that will be sent into `start` and, for what has no end, `piece`. */
static void connection_prepare(struct connection *connection, const struct answer *answer)
{
    /* A window title, a clear screen, a NUL, invalid UTF-8: what must never reach a terminal. */
    static const char garbage[] = "\x1b]0;owned\x07\x1b[2J\0\xff\xfe garbage, not HTTP\r\n";
    static const char more[] = "X-More: and more\r\n", again[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct buf *start = &connection->start;
    connection->manner = answer->manner;
    if (answer->manner == MANNER_GARBAGE) {
        buf_append(start, garbage, sizeof garbage - 1);
    } else if (answer->manner == MANNER_ENDLESS_CONTINUE) {
        buf_puts(start, again);
        piece_fill(&connection->piece, again, sizeof again - 1);
    } else if (answer->manner == MANNER_ENDLESS_HEADERS) {
        buf_puts(start, "HTTP/1.1 200 OK\r\n");
        piece_fill(&connection->piece, more, sizeof more - 1);
    } else if (answer->manner == MANNER_ENDLESS_HEADER) {
        buf_puts(start, "HTTP/1.1 200 OK\r\nX-More: ");
        piece_fill(&connection->piece, "", 0);
    } else {
        start_head(start, answer);
        if (answer->manner == MANNER_ENDLESS_BODY)
            piece_fill(&connection->piece, answer->body, answer->body_length);
        else
            buf_append(start, answer->body,
                       answer->manner == MANNER_HALF ? answer->body_length / 2 : answer->body_length);
    }
}

/* ---- requests ---- */

/* The request target of "GET target HTTP/1.1"; false when this is no such line. */
static bool head_path(const struct buf *head, struct buf *path)
{
    const char *line = buf_str(head);
    const char *start = strchr(line, ' ');
    size_t length = start ? strcspn(start + 1, " \r\n") : 0;
    return start && strncmp(start + 1 + length, " HTTP/1.", strlen(" HTTP/1.")) == 0 &&
           buf_append(path, start + 1, length);
}

/* What Python's and Go's servers say to bytes that are no request (a TLS greeting, say). */
static void answer_bad_request(struct answer *answer)
{
    static const char words[] = "Invalid HTTP request received.";
    *answer = (struct answer){.status = 400, .headers = "", .body = words, .body_length = sizeof words - 1};
}

static void connection_ask(struct connection *connection)
{
    struct server *server = connection->server;
    struct answer answer = {.status = 200, .headers = "", .body = ""};
    struct buf path;
    buf_init(&path, HEAD_MAX);
    if (head_path(&connection->head, &path))
        server->answer(server->user, buf_str(&path), buf_str(&connection->head), &answer);
    else
        answer_bad_request(&answer);
    buf_free(&path);
    connection->asked = true;
    connection_prepare(connection, &answer);
    if (answer.delay_us > 0)
        uv_timer_start(&connection->timer, connection_delay_over, (uint64_t)(answer.delay_us + 999) / 1000, 0);
    else
        connection_begin(connection);
}

/* One piece of memory for all reads: what comes is copied out at once. */
static void connection_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    struct connection *connection = handle->data;
    (void)suggested;
    *room = uv_buf_init(connection->server->room, sizeof connection->server->room);
}

static void connection_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *room)
{
    struct connection *connection = stream->data;
    if (count < 0) { /* the client has closed: wants no answer, or has had it */
        connection_close(connection, false);
        return;
    }
    if (connection->asked || count == 0)
        return;
    bool fits = buf_append(&connection->head, room->base, (size_t)count);
    const char *head = buf_str(&connection->head);
    /* No method begins with a byte below 'A': do not wait for the end of such a head. */
    if (head[0] < 'A' || strstr(head, "\r\n\r\n"))
        connection_ask(connection);
    else if (!fits)
        connection_close(connection, true);
}

static void server_accept(uv_stream_t *stream, int status)
{
    struct listener *listener = stream->data;
    struct server *server = listener->server;
    if (status != 0)
        return; /* out of descriptors, say: libuv has dropped the connection and goes on */
    struct connection *connection = mem_new(sizeof *connection);
    connection->server = server;
    connection->handles = HANDLES_PER_CONNECTION;
    connection->next = server->connections;
    if (connection->next)
        connection->next->previous = connection;
    server->connections = connection;
    server->references++;
    buf_init(&connection->head, HEAD_MAX);
    buf_init(&connection->start, ANSWER_MAX);
    buf_init(&connection->piece, PIECE_MAX);
    uv_tcp_init(server->loop, &connection->tcp);
    uv_timer_init(server->loop, &connection->timer);
    connection->tcp.data = connection->timer.data = connection->write.data = connection;
    if (uv_accept(stream, (uv_stream_t *)&connection->tcp) != 0 ||
        uv_read_start((uv_stream_t *)&connection->tcp, connection_room, connection_read) != 0)
        connection_close(connection, true);
}

/* ---- listening ---- */

static void listener_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    server_unreference(listener->server);
    mem_free(listener);
}

enum status server_listen(struct server *server)
{
    if (server->listener)
        return STATUS_OK;
    struct listener *listener = mem_new(sizeof *listener);
    listener->server = server;
    listener->tcp.data = listener;
    server->references++;
    uv_tcp_init(server->loop, &listener->tcp);
    listener->tcp.data = listener;
    int error = uv_tcp_open(&listener->tcp, server->held);
    if (error == 0) {
        server->held = -1; /* the handle's now */
        error = uv_listen((uv_stream_t *)&listener->tcp, BACKLOG, server_accept);
    }
    if (error == 0) {
        server->listener = listener;
        return STATUS_OK;
    }
    if (server->held < 0)
        server->held = socket_bind(&server->address);
    uv_close((uv_handle_t *)&listener->tcp, listener_closed);
    return status_from_errno(-error);
}

void server_mute(struct server *server, bool abruptly)
{
    if (server->listener) {
        server->held = socket_bind(&server->address);
        uv_close((uv_handle_t *)&server->listener->tcp, listener_closed);
        server->listener = NULL;
    }
    while (abruptly && server->connections)
        connection_close(server->connections, true);
}

void server_free(struct server *server)
{
    if (!server)
        return;
    server_mute(server, true);
    if (server->held >= 0)
        close(server->held);
    server_unreference(server);
}
