#include "tunnel/portforward.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "tunnel/spdy.h"
#include "tunnel/websocket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ANSWER_MAX = 16 * 1024, OUT_MAX = 4 << 20, ERROR_TEXT_MAX = 1024 };
enum {
    START_MS = 10000, /* from connect to the first PING's answer */
    REST_MS =
        12000, /* nothing asked for so long: a PING; longer than the kubelet's usual period, so that where probes go nothing else needs to */
    LOST_MS = 10000, /* unanswered for so long: the way is dead */
    SILENT_MS = 500, /* unanswered for so long: nobody can tell whether the pod or the way is silent */
    PAUSE_FIRST_MS = 200,
    PAUSE_MOST_MS = 10000,
    STEADY_MS = 10000, /* up for so long: the next pause is a short one again */
    TOLD_MS = 30000,   /* a new round trip is told so often */
    LINGER_MS = 200,   /* the error text may come after the data stream's end */
    HOLD_MS = 20,      /* beside one and a half times what refusals took lately: one has come by then */
    HOLD_MOST_MS = 300,
    PORTS_MAX = 16,
    STREAM_CANCEL = 5 /* RST_STREAM's status */
};

enum state { IDLE, CONNECTING, UPGRADING, PROVING /* upgraded, the first PING is under way */, OPEN, PAUSING };

/* One connection to the proxy with what belongs to it. It outlives the session's interest in it until its handle is closed. */
struct link {
    struct portforward *owner; /* NULL: given up */
    struct portforward *session;
    struct link *older; /* replaced, but a forward still runs over it */
    struct forward *forwards;
    uv_pipe_t pipe;
    uv_connect_t connect;
    bool post;
    char key[25];      /* Sec-WebSocket-Key */
    struct buf answer; /* the upgrade's, up to the end of its body where it is a refusal */
    struct buf out;    /* what is to be written */
    struct buf spdy_out, payload;
    size_t unhurried; /* bytes at the start of spdy_out that may wait until there is more to say */
    struct spdy *spdy;
    struct websocket *websocket; /* NULL by POST */
};

struct forward {
    struct link *link;
    struct forward *next;
    int32_t port;
    uint32_t error_stream, data_stream;
    bool error_ended, data_ended, data_reset;
    bool holding; /* the request waits in `held`: see forward_open() */
    bool looked;  /* its moment is over, and what had come by then is being read */
    int64_t due;  /* real µs: when holding, or waiting for the rest of an end, is over; 0: neither, or not known yet */
    int64_t replied; /* real µs: when the far side had taken its data stream; 0: not yet */
    size_t sent;     /* bytes taken from our side */
    struct buf held, error;
    const struct forward_ops *ops;
    void *user;
};

struct portforward {
    struct portforward_options options; /* strings owned */
    enum state state;
    enum tunnel_word word;     /* as last told */
    struct link *link;         /* the one for new forwards, and older ones behind it */
    size_t forward_count;      /* over all links */
    int32_t served[PORTS_MAX]; /* ports that answered when they were last tried */
    size_t served_count;
    uv_timer_t timer, moment;
    int handles; /* still on the loop: the two timers, and links */
    bool stuck;  /* what is sent piles up */
    bool freed;
    void (*done)(void *user);
    void *done_user;
    /* a first "forbidden" after it had been up: an API server that begins says so before it knows its rules */
    bool doubted;
    bool post;                /* the next upgrade is a POST */
    enum tunnel_word refusal; /* of the GET that was tried before a POST */
    struct buf refusal_text;
    int pause_ms;
    int64_t opened_at, told_at; /* real µs */
    /* What the far end was asked last that it answers by itself: a PING, or a new data stream, which it replies to as it takes it, by the same worker that will take the request. */
    int64_t asked_at;      /* real µs */
    bool asking;           /* it is not answered yet */
    uint32_t asked_stream; /* 0: it was a PING */
    uint32_t ping_id, request_id;
    int64_t round_trip;
    uint64_t seed;
};

static void link_connect(struct portforward *session);
static void link_abandon(struct link *link);
static void link_lose(struct link *link, enum tunnel_word word, const char *detail);
static void link_flush(struct link *link);
static void session_lose(struct portforward *session, enum tunnel_word word, const char *detail);

/* ---- small things ---- */

static uint64_t seed_next(struct portforward *session)
{
    session->seed ^= session->seed << 13;
    session->seed ^= session->seed >> 7;
    session->seed ^= session->seed << 17;
    return session->seed;
}

static void word_tell(struct portforward *session, enum tunnel_word word, const char *detail)
{
    session->word = word;
    session->told_at = clock_mono_us();
    session->options.word(session->options.user, word, word == TUNNEL_UP ? session->round_trip : -1, detail);
}

static void timer_arm(struct portforward *session, int ms);

/* What a text says that came from the API server, the kubelet or the container runtime: substrings, since the wording differs between versions (facts/kube.md 3.1). */
static enum tunnel_word word_of_text(const char *text, enum tunnel_word otherwise)
{
    static const struct {
        const char *words;
        enum tunnel_word word;
    } rows[] = {
        {"connection refused", TUNNEL_REFUSED_IN_POD},
        {"network namespace for sandbox", TUNNEL_POD_GONE},
        {"failed to find sandbox", TUNNEL_POD_GONE},
        {"no such container", TUNNEL_POD_GONE},
        {"no such file or directory", TUNNEL_POD_GONE}, /* the network namespace's file */
        {"pod not found", TUNNEL_POD_GONE},
        {"pod does not exist", TUNNEL_POD_GONE},
        {"reset by peer", TUNNEL_UP}, /* the pod itself did that */
        {"broken pipe", TUNNEL_UP},
        {"use of closed network connection", TUNNEL_UP},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcasestr(text, rows[i].words) != NULL)
            return rows[i].word;
    return otherwise;
}

/* ---- which ports answer ---- */

static bool port_is_served(const struct portforward *session, int32_t port)
{
    for (size_t i = 0; i < session->served_count; i++)
        if (session->served[i] == port)
            return true;
    return false;
}

static void port_set_served(struct portforward *session, int32_t port, bool served)
{
    size_t at = 0;
    while (at < session->served_count && session->served[at] != port)
        at++;
    if (served && at == session->served_count && at < PORTS_MAX)
        session->served[session->served_count++] = port;
    else if (!served && at < session->served_count)
        session->served[at] = session->served[--session->served_count];
}

/* ---- forwards ---- */

static void forward_drop(struct forward *forward)
{
    struct link *link = forward->link;
    struct forward **at = &link->forwards;
    while (*at != forward)
        at = &(*at)->next;
    *at = forward->next;
    link->session->forward_count--;
    buf_free(&forward->error);
    buf_free(&forward->held);
    mem_free(forward);
    if (link->forwards == NULL && link->owner != NULL && link != link->session->link)
        link_abandon(link);
}

static void forward_finish(struct forward *forward, enum tunnel_word word, const char *detail)
{
    const struct forward_ops *ops = forward->ops;
    void *user = forward->user;
    char *kept = mem_dup(detail); /* it may be the forward's */
    forward_drop(forward);
    ops->ended(user, word, kept);
    mem_free(kept);
}

/* Tells the other side that nothing more comes from us, or its goroutine would wait for it as long as the session lasts. Where it has none, since it never connected, there is no hurry: it is told with the next thing that is sent. */
static void forward_let_go(struct forward *forward, bool unhurried)
{
    struct link *link = forward->link;
    bool nothing_else = link->spdy_out.len == link->unhurried;
    spdy_reset(link->spdy, forward->data_stream, STREAM_CANCEL);
    if (!forward->error_ended)
        spdy_reset(link->spdy, forward->error_stream, STREAM_CANCEL);
    if (!unhurried)
        link_flush(link);
    else if (nothing_else)
        link->unhurried = link->spdy_out.len;
}

/* The pod's side is over; the error stream says how. Where the text means that the pod is gone, the session is of no more use.
 *
 * Where a connection failed after we had sent data, one of the far side's five workers may wait for ever for somebody to take that data (spdystream; only newer servers reset the stream): whatever comes to that
 * worker from then on is stuck, a ping or another probe. So the session is made anew, while what runs over the old one may go on. */
static void forward_settle(struct forward *forward)
{
    struct portforward *session = forward->link->session;
    bool failed = forward->error.len > 0;
    enum tunnel_word word = failed ? word_of_text(buf_str(&forward->error), TUNNEL_BACKOFF) : TUNNEL_UP;
    bool taken = !forward->holding && forward->sent > 0;
    bool stuck = failed && taken && !forward->data_reset;
    port_set_served(session, forward->port, !failed);
    if (word == TUNNEL_POD_GONE) {
        session_lose(session, TUNNEL_POD_GONE, buf_str(&forward->error));
        return;
    }
    bool current = forward->link == session->link;
    forward_let_go(forward, failed && !taken);
    if (stuck && current && session->state == OPEN)
        link_connect(session);
    forward_finish(forward, word, buf_str(&forward->error));
}

static void forward_release(struct forward *forward)
{
    forward->holding = forward->looked = false;
    forward->due = 0;
    if (forward->held.len > 0) {
        spdy_send(forward->link->spdy, forward->data_stream, forward->held.data, forward->held.len, false);
        buf_free(&forward->held);
        link_flush(forward->link);
    }
}

/* The forward whose moment comes first. */
static struct forward *forward_next_due(const struct portforward *session)
{
    struct forward *first = NULL;
    for (const struct link *link = session->link; link != NULL; link = link->older) {
        for (struct forward *forward = link->forwards; forward != NULL; forward = forward->next)
            if (forward->due != 0 && (first == NULL || forward->due < first->due))
                first = forward;
    }
    return first;
}

static void on_moment(uv_timer_t *timer);

static void moment_arm(struct portforward *session)
{
    const struct forward *forward = forward_next_due(session);
    if (forward == NULL || session->freed) {
        uv_timer_stop(&session->moment);
    } else {
        int64_t left = forward->due - clock_mono_us();
        uv_timer_start(&session->moment, on_moment,
                       left > 0 ? (uint64_t)((left + MILLISECOND_US - 1) / MILLISECOND_US) : 0, 0);
    }
}

/* The loop looks at its timers before it reads: where we did not get to run for a while, the refusal may lie there. So a hold that is over is looked at once more after the next reading. */
static void on_moment(uv_timer_t *timer)
{
    struct portforward *session = timer->data;
    int64_t now = clock_mono_us();
    for (struct forward *forward = forward_next_due(session); forward != NULL && forward->due <= now;
         forward = forward_next_due(session)) {
        if (forward->data_ended || forward->error_ended) {
            forward_settle(forward);
        } else if (forward->looked) {
            forward_release(forward);
        } else {
            forward->looked = true;
            forward->due = now + MILLISECOND_US; /* a timer of no time would be looked at before the reading, too */
        }
    }
    moment_arm(session);
}

/* One of its streams has ended. When both have, it is over; when one has, the other gets a moment: the text and the end may come in either order. A pod that has closed only its sending half has
 * closed for our purposes, and an error text means that no more data comes. */
static void forward_progress(struct forward *forward)
{
    struct portforward *session = forward->link->session;
    if (forward->data_ended && forward->error_ended)
        forward_settle(forward);
    else if (forward->data_ended || forward->error.len > 0)
        forward->due = clock_mono_us() + (int64_t)LINGER_MS * MILLISECOND_US;
    moment_arm(session);
}

static struct forward *forward_of(const struct link *link, uint32_t stream)
{
    struct forward *forward = link->owner != NULL ? link->forwards : NULL;
    while (forward != NULL && forward->data_stream != stream && forward->error_stream != stream)
        forward = forward->next;
    return forward;
}

/* ---- what comes over SPDY; a forward that has been given up is not found, and what comes for it means nothing ---- */

static void stream_ended(struct link *link, uint32_t stream)
{
    struct forward *forward = forward_of(link, stream);
    if (forward != NULL) {
        *(stream == forward->data_stream ? &forward->data_ended : &forward->error_ended) = true;
        forward_progress(forward);
    }
}

/* The slowest of late counts: too short a hold costs a session, too long a one delays the first answer. */
static void pace_take(struct portforward_pace *pace, int64_t took)
{
    pace->refusal = took > pace->refusal ? took : pace->refusal - (pace->refusal - took) / 16;
}

static int64_t hold_us(const struct portforward *session)
{
    int64_t hold = HOLD_MS * (int64_t)MILLISECOND_US + session->options.pace->refusal * 3 / 2;
    int64_t most = HOLD_MOST_MS * (int64_t)MILLISECOND_US;
    return hold < most ? hold : most;
}

/* The far end has answered a PING (stream 0), or taken a stream. */
static void question_answered(struct link *link, uint32_t stream)
{
    struct portforward *session = link->owner;
    if (session == NULL || link != session->link || !session->asking || stream != session->asked_stream)
        return;
    int64_t now = clock_mono_us();
    session->round_trip = now - session->asked_at;
    session->asking = false;
    if (session->state == PROVING) {
        session->state = OPEN;
        session->opened_at = now;
        session->doubted = false;
        buf_clear(&session->refusal_text);
        timer_arm(session, REST_MS);
        session->stuck = false;
        word_tell(session, TUNNEL_UP, "");
    } else if (now - session->told_at > (int64_t)TOLD_MS * MILLISECOND_US) {
        word_tell(session, TUNNEL_UP, "");
    }
}

static void on_stream_reply(void *user, uint32_t stream, const struct spdy_header *headers, size_t count, bool fin)
{
    struct link *link = user;
    struct forward *forward = forward_of(link, stream);
    (void)headers;
    (void)count;
    if (forward != NULL && stream == forward->data_stream) {
        forward->replied = clock_mono_us();
        if (forward->holding) {
            forward->due = forward->replied + hold_us(link->session);
            moment_arm(link->session);
        }
    }
    question_answered(link, stream);
    if (fin)
        stream_ended(link, stream);
}

static void on_stream_data(void *user, uint32_t stream, const char *bytes, size_t length, bool fin)
{
    struct link *link = user;
    struct forward *forward = forward_of(link, stream);
    if (forward != NULL && stream == forward->error_stream) {
        if (length > 0 && forward->error.len == 0)
            pace_take(link->session->options.pace, forward->replied > 0 ? clock_mono_us() - forward->replied : 0);
        buf_append(&forward->error, bytes, length); /* cut at its maximum */
    } else if (forward != NULL && length > 0) {
        port_set_served(link->session, forward->port, true);
        if (forward->holding)
            forward_release(forward);
        forward->ops->data(forward->user, bytes, length); /* may close the forward */
    }
    if (fin)
        stream_ended(link, stream);
}

static void on_stream_reset(void *user, uint32_t stream, uint32_t status)
{
    (void)status;
    struct forward *forward = forward_of(user, stream);
    if (forward != NULL && forward->data_stream == stream)
        forward->data_reset = true;
    question_answered(user, stream);
    stream_ended(user, stream);
}

static void on_pong(void *user, uint32_t id)
{
    struct link *link = user;
    if (id == link->session->ping_id)
        question_answered(link, 0);
}

static void on_goaway(void *user, uint32_t status)
{
    (void)status;
    struct link *link = user;
    if (link->owner != NULL)
        link_lose(link, TUNNEL_API_LOST, "the session was ended by the other side");
}

static void on_stream_opened(void *user, uint32_t stream, const struct spdy_header *headers, size_t count, bool fin)
{
    (void)user; /* only servers are asked */
    (void)stream;
    (void)headers;
    (void)count;
    (void)fin;
}

static const struct spdy_ops stream_ops = {.opened = on_stream_opened,
                                           .reply = on_stream_reply,
                                           .data = on_stream_data,
                                           .reset = on_stream_reset,
                                           .ping = on_pong,
                                           .goaway = on_goaway};

/* ---- the connection ---- */

static void handle_gone(struct portforward *session)
{
    session->handles--;
    if (session->freed && session->handles == 0) {
        void (*done)(void *user) = session->done;
        void *user = session->done_user;
        mem_free(session);
        if (done != NULL)
            done(user);
    }
}

static void on_link_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;
    struct buf *bufs[] = {&link->answer, &link->out, &link->spdy_out, &link->payload};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
        buf_free(bufs[i]);
    spdy_free(link->spdy);
    websocket_free(link->websocket);
    handle_gone(link->session);
    mem_free(link);
}

static void link_abandon(struct link *link)
{
    struct link **at = &link->session->link;
    while (*at != link)
        at = &(*at)->older;
    *at = link->older;
    link->owner = NULL;
    uv_close((uv_handle_t *)&link->pipe, on_link_closed);
}

/* The connection broke. An older one takes only its own forwards along. */
static void link_lose(struct link *link, enum tunnel_word word, const char *detail)
{
    if (link == link->session->link) {
        session_lose(link->session, word, detail);
        return;
    }
    while (link->owner != NULL && link->forwards != NULL)
        forward_finish(link->forwards, word, detail);
}

/* Writes what has gathered. Almost always the kernel takes it at once. */
static void link_flush(struct link *link)
{
    if (link->websocket != NULL && link->spdy_out.len > 0) {
        websocket_send(link->websocket, link->spdy_out.data, link->spdy_out.len, &link->out);
        buf_clear(&link->spdy_out);
    }
    struct buf *out = link->websocket != NULL || link->spdy == NULL ? &link->out : &link->spdy_out;
    if (out->len == 0 || link->owner == NULL)
        return;
    uv_stream_t *stream = (uv_stream_t *)&link->pipe;
    bool stuck = out->truncated || uv_stream_get_write_queue_size(stream) > OUT_MAX;
    carrier_write(stream, out->data, out->len);
    buf_clear(out);
    link->unhurried = 0;
    if (stuck) {
        link->owner->stuck = true; /* later: nobody who sends expects to lose the session by it */
        timer_arm(link->owner, 0);
    }
}

/* Something has been put to the far end that it answers by itself. While one question is open no other is needed. */
static void question_put(struct portforward *session, uint32_t stream)
{
    session->asking = true;
    session->asked_stream = stream;
    session->asked_at = clock_mono_us();
}

static void ping_send(struct portforward *session)
{
    session->ping_id += 2;
    question_put(session, 0);
    spdy_ping(session->link->spdy, session->ping_id);
}

/* Bytes of the upgraded connection. */
static void link_receive(struct link *link, const char *bytes, size_t length)
{
    struct problem problem = {0};
    enum status status = STATUS_OK, ended = STATUS_OK;
    if (link->websocket != NULL) {
        buf_clear(&link->payload);
        ended = websocket_receive(link->websocket, bytes, length, &link->payload, &link->out, &problem);
        bytes = buf_str(&link->payload);
        length = link->payload.len;
    }
    if (length > 0) {
        struct problem spdy_problem = {0};
        status = spdy_receive(link->spdy, bytes, length, &spdy_problem);
        if (status != STATUS_OK)
            problem = spdy_problem;
    }
    if (link->owner == NULL)
        return;
    if (link->out.len > 0 || link->spdy_out.len > link->unhurried)
        link_flush(link);
    if (link->owner != NULL && (status != STATUS_OK || ended != STATUS_OK)) {
        enum tunnel_word word = word_of_text(problem.text, TUNNEL_API_LOST);
        link_lose(link, word == TUNNEL_POD_GONE ? word : TUNNEL_API_LOST, problem.text);
    }
}

/* ---- the upgrade ---- */

static void upgrade_send(struct link *link)
{
    const struct portforward *session = link->owner;
    buf_printf(&link->out,
               "%s /api/v1/namespaces/%s/pods/%s/portforward HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n",
               link->post ? "POST" : "GET", session->options.ns, session->options.name);
    if (link->post) {
        buf_puts(&link->out,
                 "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: portforward.k8s.io\r\nContent-Length: 0\r\n\r\n");
    } else {
        buf_printf(&link->out,
                   "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                   "%s\r\nSec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n\r\n",
                   link->key);
    }
    link_flush(link);
}

/* The value of a header line in an answer's head, with its length; NULL when there is none. */
static const char *answer_header(const char *head, const char *end, const char *name, size_t *length)
{
    size_t name_length = strlen(name);
    const char *line = strstr(head, "\r\n");
    while (line != NULL && line + 2 < end) {
        line += 2;
        const char *stop = strstr(line, "\r\n");
        if (strncasecmp(line, name, name_length) == 0 && line[name_length] == ':') {
            const char *value = line + name_length + 1;
            value += strspn(value, " \t");
            *length = stop > value ? (size_t)(stop - value) : 0;
            return value;
        }
        line = stop;
    }
    return NULL;
}

static bool answer_header_is(const char *head, const char *end, const char *name, const char *wanted)
{
    size_t length;
    const char *value = answer_header(head, end, name, &length);
    return value != NULL && length == strlen(wanted) && strncasecmp(value, wanted, length) == 0;
}

/* Whether the body of a refusal has come as far as it will. */
static bool answer_body_complete(const struct buf *answer, const char *body)
{
    size_t length, have = answer->len - (size_t)(body - answer->data);
    const char *value = answer_header(answer->data, body - 2, "Content-Length", &length);
    if (value != NULL)
        return have >= (size_t)strtoul(value, NULL, 10);
    if (answer_header(answer->data, body - 2, "Transfer-Encoding", &length) != NULL)
        return strstr(body, "\r\n0\r\n") != NULL || strncmp(body, "0\r\n", 3) == 0;
    return false;
}

/* What a refused upgrade means. `proxys_own`: the proxy's filter said it, not the API server. */
static enum tunnel_word refusal_word(int status, const char *body, struct buf *text, bool *proxys_own)
{
    const char *first = strchr(body, '{'), *last = strrchr(body, '}');
    struct json *document = NULL;
    if (first != NULL && last > first)
        json_parse(first, (size_t)(last - first) + 1, ANSWER_MAX, &document, NULL);
    const char *message = json_string(json_get(document, "message"));
    const char *reason = json_string(json_get(document, "reason"));
    buf_clear(text);
    if (message != NULL)
        buf_puts(text, message);
    else
        buf_printf(text, "HTTP %d %s", status, body);
    *proxys_own = document == NULL && status == 403;
    bool dialled = strstr(buf_str(text), "dial tcp") != NULL || strstr(buf_str(text), "dial unix") != NULL;
    enum tunnel_word word = TUNNEL_BACKOFF;
    if (status == 401 || status == 403)
        word = TUNNEL_FORBIDDEN;
    else if (status == 404 && reason != NULL && strcmp(reason, "NotFound") == 0)
        word = TUNNEL_POD_GONE;
    else if (status >= 500 && (dialled || status == 502 || status == 503 || status == 504))
        word = document != NULL ? TUNNEL_NODE_LOST : TUNNEL_API_LOST; /* by who says it: the API server or the proxy */
    else if (word_of_text(buf_str(text), TUNNEL_BACKOFF) == TUNNEL_POD_GONE)
        word = TUNNEL_POD_GONE;
    json_free(document);
    return word;
}

/* The POST got no further than to the proxy, or there is none for it yet: what the GET met is what is known. */
static void post_missed(struct portforward *session)
{
    bool refused = session->refusal_text.len > 0;
    session->post = session->options.by_post;
    session_lose(session, refused ? session->refusal : TUNNEL_API_LOST,
                 refused ? buf_str(&session->refusal_text) : "the proxy for older clusters is not to be reached");
}

static void upgrade_refused(struct link *link, int status, const char *body)
{
    struct portforward *session = link->owner;
    struct buf text;
    bool proxys_own;
    buf_init(&text, ERROR_TEXT_MAX);
    enum tunnel_word word = refusal_word(status, body, &text, &proxys_own);
    bool old_server = !link->post && (word == TUNNEL_BACKOFF || status == 403);
    if (old_server) {
        session->post = true;
        session->refusal = word;
        buf_clear(&session->refusal_text);
        buf_append(&session->refusal_text, buf_str(&text), text.len);
        link_abandon(link);
        link_connect(session);
    } else if (link->post && proxys_own) {
        post_missed(session);
    } else {
        bool doubt = word == TUNNEL_FORBIDDEN && session->opened_at > 0 && !session->doubted;
        session->doubted = session->doubted || doubt;
        session->post = session->options.by_post;
        session_lose(session, doubt ? TUNNEL_API_LOST : word, buf_str(&text));
    }
    buf_free(&text);
}

static void upgrade_accepted(struct link *link, const char *rest, size_t length)
{
    struct portforward *session = link->owner;
    link->spdy = spdy_new(false, &link->spdy_out, &stream_ops, link);
    if (!link->post)
        link->websocket = websocket_new(false, seed_next(session));
    session->state = PROVING;
    session->stuck = false;
    ping_send(session);
    link_flush(link);
    if (link->owner != NULL && length > 0)
        link_receive(link, rest, length);
}

/* The answer to the upgrade, as far as it has come. */
static void upgrade_receive(struct link *link, bool ended)
{
    struct buf *answer = &link->answer;
    const char *head_end = strstr(buf_str(answer), "\r\n\r\n");
    if (head_end == NULL) {
        if (answer->truncated || ended)
            link_lose(link, TUNNEL_API_LOST, "the proxy closed the connection without an answer");
        return;
    }
    const char *body = head_end + 4, *head = answer->data;
    int status = strncmp(head, "HTTP/1.", 7) == 0 && strlen(head) > 12 ? (int)strtol(head + 9, NULL, 10) : 0;
    char accept[29];
    websocket_accept_key(link->key, accept);
    if (status == 101) {
        bool right = link->post ||
                     (answer_header_is(head, head_end + 2, "Sec-WebSocket-Accept", accept) &&
                      answer_header_is(head, head_end + 2, "Sec-WebSocket-Protocol", "SPDY/3.1+portforward.k8s.io"));
        if (right)
            upgrade_accepted(link, body, answer->len - (size_t)(body - head));
        else
            upgrade_refused(link, 400, "the WebSocket was accepted wrongly");
    } else if (ended || answer->truncated || answer_body_complete(answer, body)) {
        upgrade_refused(link, status, body);
    }
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *room)
{
    struct link *link = stream->data;
    if (link->owner != NULL && length > 0 && link->spdy == NULL) {
        buf_append(&link->answer, room->base, (size_t)length);
        upgrade_receive(link, false);
    } else if (link->owner != NULL && length > 0) {
        link_receive(link, room->base, (size_t)length);
    } else if (link->owner != NULL && length < 0 && link->spdy == NULL) {
        upgrade_receive(link, true);
    } else if (link->owner != NULL && length < 0) {
        link_lose(link, TUNNEL_API_LOST, "the connection to the API server broke off");
    }
    mem_free(room->base);
}

static void on_connect(uv_connect_t *request, int status)
{
    struct link *link = request->data;
    struct portforward *session = link->owner;
    if (session == NULL)
        return;
    if (status != 0 || uv_read_start((uv_stream_t *)&link->pipe, carrier_alloc, on_read) != 0) {
        if (link->post)
            post_missed(session);
        else
            session_lose(session, TUNNEL_API_LOST, "the proxy is not to be reached");
        return;
    }
    session->state = UPGRADING;
    upgrade_send(link);
}

static void key_make(struct portforward *session, char key[25])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < 21; i++)
        key[i] = letters[seed_next(session) >> 20 & 63];
    memcpy(key + 21, "A==", 4); /* 16 bytes leave two bits to the last letter */
}

static void link_connect(struct portforward *session)
{
    struct link *link = mem_new(sizeof *link);
    link->owner = link->session = session;
    session->handles++;
    link->post = session->post;
    link->pipe.data = link;
    link->connect.data = link;
    key_make(session, link->key);
    buf_init(&link->answer, ANSWER_MAX);
    buf_init(&link->out, OUT_MAX);
    buf_init(&link->spdy_out, OUT_MAX);
    buf_init(&link->payload, CARRIER_READ_SIZE);
    uv_pipe_init(session->options.loop, &link->pipe, 0);
    link->older = session->link;
    session->link = link;
    session->state = CONNECTING;
    timer_arm(session, START_MS);
    uv_pipe_connect(&link->connect, &link->pipe, link->post ? session->options.post_proxy : session->options.proxy,
                    on_connect);
}

/* ---- the session ---- */

/* Over for now; what was under way learns why, and the next attempt is arranged. */
static void session_lose(struct portforward *session, enum tunnel_word word, const char *detail)
{
    struct problem kept = {0};
    int64_t now = clock_mono_us();
    bool steady = session->state == OPEN && now - session->opened_at > (int64_t)STEADY_MS * MILLISECOND_US;
    problem_set(&kept, STATUS_OK, "%s", detail); /* it may point into what is freed below */
    if (steady || session->pause_ms == 0)
        session->pause_ms = PAUSE_FIRST_MS;
    else
        session->pause_ms = session->pause_ms < PAUSE_MOST_MS / 2 ? 2 * session->pause_ms : PAUSE_MOST_MS;
    session->state = PAUSING;
    session->asking = false;
    /* Up to a quarter more, so that a hundred sessions that were lost together do not come back together. */
    timer_arm(session, session->pause_ms + (int)(seed_next(session) % (uint64_t)(session->pause_ms / 4)));
    session->word = word;
    while (session->link != NULL) {
        struct link *link = session->link;
        while (link->owner != NULL && link->forwards != NULL)
            forward_finish(link->forwards, word, kept.text);
        if (link->owner != NULL)
            link_abandon(link);
    }
    if (!session->freed)
        word_tell(session, word, kept.text);
}

/* While it is open: whether the far end still answers, asked where nothing else has asked for a while. Questions come and go without the timer being told: it looks again when the newest may be due. */
static void session_watch(struct portforward *session)
{
    int64_t quiet = clock_mono_us() - session->asked_at;
    if (session->stuck) {
        session_lose(session, TUNNEL_API_LOST, "nothing can be sent any more");
    } else if (session->asking && quiet >= (int64_t)LOST_MS * MILLISECOND_US) {
        session_lose(session, TUNNEL_API_LOST, "no answer for 10 s");
    } else if (session->asking || quiet < (int64_t)REST_MS * MILLISECOND_US) {
        int64_t wait = (session->asking ? LOST_MS : REST_MS) * (int64_t)MILLISECOND_US - quiet;
        timer_arm(session, (int)(wait / MILLISECOND_US) + 1);
    } else {
        ping_send(session);
        timer_arm(session, LOST_MS);
        link_flush(session->link);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct portforward *session = timer->data;
    switch (session->state) {
    case PAUSING:
        link_connect(session);
        if (session->told_at == 0)
            word_tell(session, TUNNEL_STARTING, "");
        break;
    case CONNECTING:
    case UPGRADING:
    case PROVING:
        session_lose(session, TUNNEL_API_LOST, "no answer for 10 s");
        break;
    case OPEN:
        session_watch(session);
        break;
    case IDLE:
        break;
    }
}

static void timer_arm(struct portforward *session, int ms)
{
    uv_timer_start(&session->timer, on_timer, (uint64_t)ms, 0);
}

struct portforward *portforward_new(const struct portforward_options *options)
{
    struct portforward *session = mem_new(sizeof *session);
    session->options = *options;
    session->options.proxy = mem_dup(options->proxy);
    session->options.post_proxy = mem_dup(options->post_proxy);
    session->options.ns = mem_dup(options->ns);
    session->options.name = mem_dup(options->name);
    session->seed = options->seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    session->post = options->by_post;
    session->round_trip = -1;
    session->ping_id = UINT32_MAX; /* the first is 1 */
    session->word = TUNNEL_STARTING;
    buf_init(&session->refusal_text, ERROR_TEXT_MAX);
    uv_timer_init(options->loop, &session->timer);
    uv_timer_init(options->loop, &session->moment);
    session->handles = 2;
    session->timer.data = session->moment.data = session;
    return session;
}

/* In a later turn of the loop, so that no word is told from within a call of whoever hears it. */
void portforward_start(struct portforward *session)
{
    if (session->state == IDLE || session->state == PAUSING) {
        session->state = PAUSING;
        timer_arm(session, session->told_at == 0 ? 0 : (int)(seed_next(session) % PAUSE_FIRST_MS));
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_gone(handle->data);
}

void portforward_free(struct portforward *session, void (*done)(void *user), void *user)
{
    session->freed = true;
    session->done = done;
    session->done_user = user;
    while (session->link != NULL) {
        struct link *link = session->link;
        while (link->owner != NULL && link->forwards != NULL)
            forward_drop(link->forwards);
        if (link->owner != NULL)
            link_abandon(link);
    }
    mem_free((char *)session->options.proxy);
    mem_free((char *)session->options.post_proxy);
    mem_free((char *)session->options.ns);
    mem_free((char *)session->options.name);
    buf_free(&session->refusal_text);
    uv_close((uv_handle_t *)&session->timer, on_timer_closed);
    uv_close((uv_handle_t *)&session->moment, on_timer_closed);
}

static bool session_is_up(const void *carrier)
{
    const struct portforward *session = carrier;
    return session->state == OPEN;
}

static enum tunnel_word session_word(const void *carrier)
{
    const struct portforward *session = carrier;
    if (session->state != OPEN)
        return session->word == TUNNEL_UP ? TUNNEL_STARTING : session->word;
    int64_t limit = (int64_t)SILENT_MS * MILLISECOND_US;
    if (limit < 3 * session->round_trip)
        limit = 3 * session->round_trip;
    bool silent = session->asking && clock_mono_us() - session->asked_at > limit;
    return silent ? TUNNEL_API_LOST : TUNNEL_UP;
}

bool portforward_wants_post(const struct portforward *session)
{
    return session->refusal_text.len > 0;
}

bool portforward_by_post(const struct portforward *session)
{
    return session->state == OPEN && session->link->post;
}

int64_t portforward_round_trip(const struct portforward *session)
{
    return session->round_trip;
}

/* ---- forwarded connections ---- */

/* As client-go does it: the error stream first, which we never write to, then the data stream; a number ties them together.
 *
 * Where the port did not answer when it was last tried, the request is held back until a refusal would have come: the far side has taken the streams, and as long has passed since as refusals took lately. A request that nobody takes costs the session (see forward_settle()), and
 * a pod that loads a model refuses for minutes. */
static struct forward *forward_open(void *carrier, int32_t port, const struct forward_ops *ops, void *user)
{
    struct portforward *session = carrier;
    if (session->state != OPEN || session->forward_count >= FORWARDS_MAX)
        return NULL;
    struct link *link = session->link;
    struct forward *forward = mem_new(sizeof *forward);
    char port_text[16], id[16];
    *forward = (struct forward){.link = link, .next = link->forwards, .port = port, .ops = ops, .user = user};
    buf_init(&forward->error, ERROR_TEXT_MAX);
    buf_init(&forward->held, FORWARD_SEND_MAX);
    snprintf(port_text, sizeof port_text, "%d", port);
    snprintf(id, sizeof id, "%u", ++session->request_id);
    struct spdy_header headers[] = {{"streamtype", "error"}, {"port", port_text}, {"requestid", id}};
    forward->error_stream = spdy_open(link->spdy, headers, 3, true);
    headers[0].value = "data";
    forward->data_stream = spdy_open(link->spdy, headers, 3, false);
    link->forwards = forward;
    session->forward_count++;
    forward->holding = !port_is_served(session, port);
    if (!session->asking)
        question_put(session, forward->data_stream);
    link_flush(link);
    return forward;
}

static bool forward_send(struct forward *forward, const char *bytes, size_t length)
{
    if (length > FORWARD_SEND_MAX - forward->sent)
        return false;
    forward->sent += length;
    if (forward->holding) {
        buf_append(&forward->held, bytes, length);
    } else if (!forward->data_ended) {
        spdy_send(forward->link->spdy, forward->data_stream, bytes, length, false);
        link_flush(forward->link);
    }
    return true;
}

/* The container runtime holds the end of the pod's connection back until ours comes (facts/kube.md 3.1). */
static void forward_finish_sending(struct forward *forward)
{
    if (forward->holding)
        forward_release(forward);
    spdy_send(forward->link->spdy, forward->data_stream, "", 0, true);
    link_flush(forward->link);
}

static void forward_close(struct forward *forward)
{
    struct portforward *session = forward->link->session;
    forward_let_go(forward, false);
    forward_drop(forward);
    moment_arm(session);
}

struct carrier portforward_carrier(struct portforward *session)
{
    static const struct carrier_ops ops = {.open = forward_open,
                                           .send = forward_send,
                                           .finish = forward_finish_sending,
                                           .close = forward_close,
                                           .is_up = session_is_up,
                                           .word = session_word};
    return (struct carrier){&ops, session};
}
