#include "tunnel/kubectl_forward.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAUSE_FIRST_MS = 500,
    PAUSE_MOST_MS = 30000,
    REPLACE_MS = 300, /* after a refusal: the next probe is a second away at least */
    CROWDED_MS = 100, /* too many others are starting: look again */
    START_MS = 15000, /* exec credential plugins may take their time */
    LINGER_MS = 200,  /* the reason may come on standard error so long after the end */
    GRACE_MS = 1000,
    CONNECTIONS_MAX = 16,
    ARGUMENT_MAX = 1024
};

struct forward {
    struct kubectl_forward *owner; /* NULL: closing */
    struct kubectl_forward *parent;
    struct forward *next;
    uv_tcp_t tcp;
    uv_connect_t connect;
    bool connected, ended, answered;
    int64_t due; /* real µs: when its end is told at last, once it has ended */
    size_t sent;
    struct buf held; /* until it is connected */
    const struct forward_ops *ops;
    void *user;
};

struct kubectl_forward {
    struct kubectl_forward_options options;       /* strings owned */
    enum { PAUSING, STARTING, UP, ENDING } state; /* ENDING: it is of no more use, and has been told to end */
    struct child *child;                          /* NULL: none */
    enum kubectl_word said;                       /* by this child; the first that means something */
    struct kubectl_words words;                   /* its line, else what is best shown of all */
    enum tunnel_word fault; /* why there is none while pausing or ending; STARTING: nothing is wrong */
    int local_port;
    int pause_ms;
    struct forward *forwards;
    int count;
    uv_timer_t timer, moment;
    int handles; /* timers, connections and the child that are still there */
    bool freed;
    void (*done)(void *user);
    void *done_user;
};

enum tunnel_word kubectl_forward_word_of(enum kubectl_word word)
{
    switch (word) {
    case KUBECTL_REFUSED_IN_POD:
        return TUNNEL_REFUSED_IN_POD;
    case KUBECTL_RESET_IN_POD:
        return TUNNEL_UP; /* the pod itself did that */
    case KUBECTL_SANDBOX_GONE:
    case KUBECTL_POD_NOT_FOUND:
        return TUNNEL_POD_GONE;
    case KUBECTL_FORBIDDEN:
    case KUBECTL_UNAUTHORIZED:
        return TUNNEL_FORBIDDEN;
    case KUBECTL_LOST_CONNECTION:
    case KUBECTL_API_REFUSED:
    case KUBECTL_API_TIMEOUT:
    case KUBECTL_API_UNREACHABLE:
        return TUNNEL_API_LOST;
    case KUBECTL_NODE_UNREACHABLE:
        return TUNNEL_NODE_LOST;
    default:
        return TUNNEL_BACKOFF;
    }
}

static void handle_gone(struct kubectl_forward *forward)
{
    forward->handles--;
    if (forward->freed && forward->handles == 0) {
        void (*done)(void *user) = forward->done;
        void *user = forward->done_user;
        mem_free((char *)forward->options.kubectl);
        mem_free((char *)forward->options.ns);
        mem_free((char *)forward->options.name);
        kubectl_words_free(&forward->words);
        mem_free(forward);
        if (done != NULL)
            done(user);
    }
}

/* ---- forwards ---- */

static void on_forward_closed(uv_handle_t *handle)
{
    struct forward *connection = handle->data;
    buf_free(&connection->held);
    handle_gone(connection->parent);
    mem_free(connection);
}

static void forward_close(struct forward *connection)
{
    struct kubectl_forward *owner = connection->owner;
    struct forward **at = &owner->forwards;
    while (*at != connection)
        at = &(*at)->next;
    *at = connection->next;
    owner->count--;
    connection->owner = NULL;
    uv_close((uv_handle_t *)&connection->tcp, on_forward_closed);
}

static void forward_finish(struct forward *connection, enum tunnel_word word)
{
    const struct forward_ops *ops = connection->ops;
    void *user = connection->user;
    /* What was said before, and for another reason, is not about this one. */
    bool about = connection->owner->said != KUBECTL_OTHER && !connection->answered;
    char *kept = mem_dup(about ? text_str(&connection->owner->words.text) : "");
    forward_close(connection);
    ops->ended(user, word, kept);
    mem_free(kept);
}

/* Tells the ends that wait for a reason: all of them where one has come, else those that have waited long enough. */
static void forwards_settle(struct kubectl_forward *forward, bool reason)
{
    enum tunnel_word word = reason ? kubectl_forward_word_of(forward->said) : TUNNEL_UP;
    int64_t now = clock_mono_us();
    struct forward *connection = forward->forwards;
    while (connection != NULL) {
        bool over = connection->ended && (reason || connection->due <= now);
        if (over)
            forward_finish(connection, word);
        connection = over ? forward->forwards : connection->next; /* a finish may take others along */
    }
}

static void on_moment(uv_timer_t *timer)
{
    struct kubectl_forward *forward = timer->data;
    forwards_settle(forward, false);
    for (const struct forward *connection = forward->forwards; connection != NULL; connection = connection->next)
        if (connection->ended && !forward->freed)
            uv_timer_start(timer, on_moment, LINGER_MS / 4, 0);
}

/* An answer that has begun says enough by itself. */
static void forward_ended(struct forward *connection)
{
    struct kubectl_forward *owner = connection->owner;
    uv_read_stop((uv_stream_t *)&connection->tcp);
    connection->ended = true;
    connection->due = clock_mono_us() + (int64_t)LINGER_MS * MILLISECOND_US;
    if (connection->answered)
        forward_finish(connection, TUNNEL_UP);
    else if (owner->said != KUBECTL_OTHER)
        forwards_settle(owner, true);
    else
        uv_timer_start(&owner->moment, on_moment, LINGER_MS, 0);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *room)
{
    struct forward *connection = stream->data;
    if (connection->owner != NULL && length > 0) {
        connection->answered = true;
        connection->ops->data(connection->user, room->base, (size_t)length);
    } else if (connection->owner != NULL && length < 0) {
        forward_ended(connection);
    }
    mem_free(room->base);
}

static void on_connect(uv_connect_t *request, int status)
{
    struct forward *connection = request->data;
    uv_stream_t *stream = (uv_stream_t *)&connection->tcp;
    if (connection->owner == NULL)
        return;
    if (status != 0 || uv_read_start(stream, carrier_alloc, on_read) != 0) {
        forward_ended(connection);
        return;
    }
    connection->connected = true;
    if (connection->held.len > 0) {
        carrier_write(stream, connection->held.data, connection->held.len);
        buf_free(&connection->held);
    }
}

static struct forward *forward_open(void *carrier, int32_t port, const struct forward_ops *ops, void *user)
{
    struct kubectl_forward *forward = carrier;
    struct sockaddr_in address;
    if (forward->state != UP || forward->count >= CONNECTIONS_MAX || port != forward->options.port ||
        uv_ip4_addr("127.0.0.1", forward->local_port, &address) != 0)
        return NULL;
    struct forward *connection = mem_new(sizeof *connection);
    *connection =
        (struct forward){.owner = forward, .parent = forward, .next = forward->forwards, .ops = ops, .user = user};
    buf_init(&connection->held, FORWARD_SEND_MAX);
    connection->tcp.data = connection->connect.data = connection;
    uv_tcp_init(forward->options.loop, &connection->tcp);
    forward->handles++;
    forward->count++;
    forward->forwards = connection;
    if (uv_tcp_connect(&connection->connect, &connection->tcp, (const struct sockaddr *)&address, on_connect) != 0) {
        forward_close(connection);
        return NULL;
    }
    return connection;
}

static void on_shut(uv_shutdown_t *request, int status)
{
    (void)status; /* a failure shows on the reading side */
    mem_free(request);
}

static void forward_finish_sending(struct forward *connection)
{
    uv_shutdown_t *request = mem_new(sizeof *request);
    if (uv_shutdown(request, (uv_stream_t *)&connection->tcp, on_shut) != 0) /* not connected yet, or no more */
        mem_free(request);
}

static bool forward_send(struct forward *connection, const char *bytes, size_t length)
{
    if (length > FORWARD_SEND_MAX - connection->sent)
        return false;
    connection->sent += length;
    if (!connection->connected)
        buf_append(&connection->held, bytes, length);
    else if (!connection->ended)
        carrier_write((uv_stream_t *)&connection->tcp, bytes, length);
    return true;
}

/* ---- the child ---- */

static void child_start(struct kubectl_forward *forward);

static void on_timer(uv_timer_t *timer)
{
    struct kubectl_forward *forward = timer->data;
    if (forward->state == PAUSING) {
        child_start(forward);
    } else if (forward->state == STARTING) {
        text_set_str(&forward->words.text, "kubectl port-forward does not come up", TEXT_LINE);
        child_end(forward->child, GRACE_MS); /* the rest when it is over */
    }
}

static void pause_begin(struct kubectl_forward *forward, int ms)
{
    forward->state = PAUSING;
    uv_timer_start(&forward->timer, on_timer, (uint64_t)ms, 0);
}

/* "Forwarding from 127.0.0.1:40295 -> 8000" (facts/kube.md 3.1): printed when the way is open. */
static int local_port_of(const char *line, size_t length)
{
    static const char begin[] = "Forwarding from 127.0.0.1:";
    size_t prefix = sizeof begin - 1;
    if (length <= prefix || memcmp(line, begin, prefix) != 0)
        return 0;
    long port = 0;
    for (size_t i = prefix; i < length && line[i] >= '0' && line[i] <= '9' && port < 100000; i++)
        port = port * 10 + (line[i] - '0');
    return port < 65536 ? (int)port : 0;
}

static void child_came_up(struct kubectl_forward *forward, int port)
{
    forward->state = UP;
    forward->local_port = port;
    forward->pause_ms = 0;
    forward->said = KUBECTL_OTHER; /* whatever was said on the way */
    kubectl_words_free(&forward->words);
    forward->options.crowd->starting--;
    uv_timer_stop(&forward->timer);
    forward->options.word(forward->options.user, TUNNEL_UP, "");
}

/* Another child takes its place soon, and nobody needs to know. */
static bool is_by_pod(enum kubectl_word said)
{
    return said == KUBECTL_REFUSED_IN_POD || said == KUBECTL_RESET_IN_POD;
}

/* Since 1.23 a kubectl ends by itself after such words. An older one stays, and carries nothing any more after a few refusals: what hangs then is kubectl, not the pod. */
static void child_spent(struct kubectl_forward *forward)
{
    forward->state = ENDING;
    forward->fault = is_by_pod(forward->said) ? TUNNEL_STARTING : kubectl_forward_word_of(forward->said);
    child_end(forward->child, GRACE_MS);
}

static void on_line(void *user, bool is_stderr, const char *line, size_t length)
{
    struct kubectl_forward *forward = user;
    int port = is_stderr ? 0 : local_port_of(line, length);
    if (forward->freed)
        return;
    if (port > 0 && forward->state == STARTING)
        child_came_up(forward, port);
    if (!is_stderr || forward->said != KUBECTL_OTHER)
        return;
    kubectl_words_take(&forward->words, line, length);
    forward->said = forward->words.word;
    if (forward->said == KUBECTL_OTHER)
        return;
    forwards_settle(forward, true);
    if (!forward->freed && forward->state == UP)
        child_spent(forward);
}

/* Why there is no child any more, and when the next one is tried. */
static void child_gone(struct kubectl_forward *forward)
{
    bool by_pod = is_by_pod(forward->said);
    enum tunnel_word word = kubectl_forward_word_of(forward->said);
    if (by_pod) {
        forward->fault = TUNNEL_STARTING;
        pause_begin(forward, REPLACE_MS);
    } else {
        forward->fault = word;
        forward->pause_ms = forward->pause_ms == 0                  ? PAUSE_FIRST_MS
                            : forward->pause_ms < PAUSE_MOST_MS / 2 ? 2 * forward->pause_ms
                                                                    : PAUSE_MOST_MS;
        pause_begin(forward, forward->pause_ms);
    }
    while (forward->forwards != NULL && !forward->freed)
        forward_finish(forward->forwards, word);
    if (!forward->freed)
        forward->options.word(forward->options.user, by_pod ? TUNNEL_REFUSED_IN_POD : word,
                              text_str(&forward->words.text));
}

static void on_over(void *user, int exit_code, int signal)
{
    struct kubectl_forward *forward = user;
    char words[KUBECTL_END_SIZE];
    if (text_empty(&forward->words.text))
        text_set_str(&forward->words.text, kubectl_end_words("port-forward", exit_code, signal, words), TEXT_LINE);
    forward->child = NULL;
    forward->options.crowd->running--;
    if (forward->state == STARTING)
        forward->options.crowd->starting--;
    if (!forward->freed)
        child_gone(forward);
    handle_gone(forward);
}

static void child_start(struct kubectl_forward *forward)
{
    struct kubectl_crowd *crowd = forward->options.crowd;
    if (crowd->starting >= CHILDREN_STARTING_MAX || crowd->running >= CHILDREN_MAX) {
        pause_begin(forward, CROWDED_MS);
        return;
    }
    char port[16];
    snprintf(port, sizeof port, ":%d", forward->options.port);
    struct buf pod;
    buf_init(&pod, ARGUMENT_MAX);
    buf_printf(&pod, "pod/%s", forward->options.name);
    const char *rest[] = {"--namespace", forward->options.ns, "port-forward", "--address",
                          "127.0.0.1",   buf_str(&pod),       port,           NULL};
    char **argv = kubectl_argv(forward->options.kubectl, forward->options.flags, rest);
    struct child_options child = {.loop = forward->options.loop,
                                  .path = forward->options.kubectl,
                                  .argv = (const char *const *)argv,
                                  .line = on_line,
                                  .over = on_over,
                                  .group = forward->options.group,
                                  .user = forward,
                                  .group_user = forward->options.group_user};
    struct problem problem = {0};
    forward->said = KUBECTL_OTHER;
    kubectl_words_free(&forward->words);
    if (child_spawn(&child, &forward->child, &problem) == STATUS_OK) {
        forward->state = STARTING;
        forward->handles++;
        crowd->starting++;
        crowd->running++;
        uv_timer_start(&forward->timer, on_timer, START_MS, 0);
    } else {
        text_set_str(&forward->words.text, problem.text, TEXT_LINE);
        child_gone(forward);
    }
    kubectl_argv_free(argv);
    buf_free(&pod);
}

struct kubectl_forward *kubectl_forward_new(const struct kubectl_forward_options *options)
{
    struct kubectl_forward *forward = mem_new(sizeof *forward);
    forward->options = *options;
    forward->options.kubectl = mem_dup(options->kubectl);
    forward->options.ns = mem_dup(options->ns);
    forward->options.name = mem_dup(options->name);
    forward->fault = TUNNEL_STARTING;
    uv_timer_init(options->loop, &forward->timer);
    uv_timer_init(options->loop, &forward->moment);
    forward->timer.data = forward->moment.data = forward;
    forward->handles = 2;
    pause_begin(forward, 0);
    return forward;
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_gone(handle->data);
}

void kubectl_forward_free(struct kubectl_forward *forward, void (*done)(void *user), void *user)
{
    forward->freed = true;
    forward->done = done;
    forward->done_user = user;
    while (forward->forwards != NULL)
        forward_close(forward->forwards);
    if (forward->child != NULL)
        child_end(forward->child, GRACE_MS);
    uv_close((uv_handle_t *)&forward->timer, on_timer_closed);
    uv_close((uv_handle_t *)&forward->moment, on_timer_closed);
}

static bool carrier_is_up(const void *carrier)
{
    const struct kubectl_forward *forward = carrier;
    return forward->state == UP;
}

static enum tunnel_word carrier_word(const void *carrier)
{
    const struct kubectl_forward *forward = carrier;
    return forward->state == UP ? TUNNEL_UP : forward->fault;
}

struct carrier kubectl_forward_carrier(struct kubectl_forward *forward)
{
    static const struct carrier_ops ops = {.open = forward_open,
                                           .send = forward_send,
                                           .finish = forward_finish_sending,
                                           .close = forward_close,
                                           .is_up = carrier_is_up,
                                           .word = carrier_word};
    return (struct carrier){&ops, forward};
}
