#include "tunnel/portforward.h"

#include "base/clock.h"
#include "base/mem.h"
#include "tunnel/spdy_link.h"

#include <stdio.h>
#include <string.h>

enum { ERROR_TEXT_MAX = 1024 };
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

enum state { IDLE, CONNECTING, PROVING /* upgraded, the first PING is under way */, OPEN, PAUSING };

/* A link with what runs over it. It outlives the session's interest in it until nothing of the link is left. */
struct line {
    struct portforward *session;
    struct line *older; /* replaced, but a forward still runs over it */
    struct forward *forwards;
    struct spdy_link *link;
    bool given_up; /* no more the session's */
    bool stuck;    /* what is sent piles up */
    bool post;
};

struct forward {
    struct line *line;
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
    struct line *line;         /* the one for new forwards, and older ones behind it */
    size_t forward_count;      /* over all lines */
    int32_t served[PORTS_MAX]; /* ports that answered when they were last tried */
    size_t served_count;
    uv_timer_t timer, moment;
    int handles; /* still on the loop: the two timers, and lines */
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

static void line_make(struct portforward *session);
static void line_give_up(struct line *line);
static void on_lost(void *user, enum tunnel_word word, const char *detail);
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
    struct line *line = forward->line;
    struct forward **at = &line->forwards;
    while (*at != forward)
        at = &(*at)->next;
    *at = forward->next;
    line->session->forward_count--;
    buf_free(&forward->error);
    buf_free(&forward->held);
    mem_free(forward);
    if (line->forwards == NULL && !line->given_up && line != line->session->line)
        line_give_up(line);
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
    struct spdy_link *link = forward->line->link;
    spdy_link_reset(link, forward->data_stream, STREAM_CANCEL);
    if (!forward->error_ended)
        spdy_link_reset(link, forward->error_stream, STREAM_CANCEL);
    if (!unhurried)
        spdy_link_flush(link);
}

/* The pod's side is over; the error stream says how. Where the text means that the pod is gone, the session is of no more use.
 *
 * Where a connection failed after we had sent data, one of the far side's five workers may wait for ever for somebody to take that data (spdystream; only newer servers reset the stream): whatever comes to that
 * worker from then on is stuck, a ping or another probe. So the session is made anew, while what runs over the old one may go on. */
static void forward_settle(struct forward *forward)
{
    struct portforward *session = forward->line->session;
    bool failed = forward->error.len > 0;
    enum tunnel_word word = failed ? upgrade_word_of(buf_str(&forward->error), TUNNEL_BACKOFF) : TUNNEL_UP;
    bool taken = !forward->holding && forward->sent > 0;
    bool stuck = failed && taken && !forward->data_reset;
    port_set_served(session, forward->port, !failed);
    if (word == TUNNEL_POD_GONE) {
        session_lose(session, TUNNEL_POD_GONE, buf_str(&forward->error));
        return;
    }
    bool current = forward->line == session->line;
    forward_let_go(forward, failed && !taken);
    if (stuck && current && session->state == OPEN)
        line_make(session);
    forward_finish(forward, word, buf_str(&forward->error));
}

static void stream_send(const struct forward *forward, const char *bytes, size_t length, bool fin)
{
    struct spdy_link *link = forward->line->link;
    spdy_send(spdy_link_spdy(link), forward->data_stream, bytes, length, fin);
    spdy_link_flush(link);
}

static void forward_release(struct forward *forward)
{
    forward->holding = forward->looked = false;
    forward->due = 0;
    if (forward->held.len > 0) {
        stream_send(forward, forward->held.data, forward->held.len, false);
        buf_free(&forward->held);
    }
}

/* The forward whose moment comes first. */
static struct forward *forward_next_due(const struct portforward *session)
{
    struct forward *first = NULL;
    for (const struct line *line = session->line; line != NULL; line = line->older) {
        for (struct forward *forward = line->forwards; forward != NULL; forward = forward->next)
            if (forward->due != 0 && (first == NULL || forward->due < first->due))
                first = forward;
    }
    return first;
}

static struct line *line_stuck(const struct portforward *session)
{
    struct line *line = session->line;
    while (line != NULL && !line->stuck)
        line = line->older;
    return line;
}

static void on_moment(uv_timer_t *timer);

static void moment_arm(struct portforward *session)
{
    const struct forward *forward = forward_next_due(session);
    if (session->freed) {
        uv_timer_stop(&session->moment);
    } else if (line_stuck(session) != NULL) {
        uv_timer_start(&session->moment, on_moment, 0, 0);
    } else if (forward == NULL) {
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
    for (struct line *line = line_stuck(session); line != NULL; line = line_stuck(session))
        on_lost(line, TUNNEL_API_LOST, "nothing can be sent any more");
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
    struct portforward *session = forward->line->session;
    if (forward->data_ended && forward->error_ended)
        forward_settle(forward);
    else if (forward->data_ended || forward->error.len > 0)
        forward->due = clock_mono_us() + (int64_t)LINGER_MS * MILLISECOND_US;
    moment_arm(session);
}

static struct forward *forward_of(const struct line *line, uint32_t stream)
{
    struct forward *forward = line->forwards;
    while (forward != NULL && forward->data_stream != stream && forward->error_stream != stream)
        forward = forward->next;
    return forward;
}

/* ---- what comes over SPDY; a forward that has been given up is not found, and what comes for it means nothing ---- */

static void stream_ended(struct line *line, uint32_t stream)
{
    struct forward *forward = forward_of(line, stream);
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
static void question_answered(const struct line *line, uint32_t stream)
{
    struct portforward *session = line->session;
    if (line != session->line || !session->asking || stream != session->asked_stream)
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
        word_tell(session, TUNNEL_UP, "");
    } else if (now - session->told_at > (int64_t)TOLD_MS * MILLISECOND_US) {
        word_tell(session, TUNNEL_UP, "");
    }
}

static void on_stream_reply(void *user, uint32_t stream, bool fin)
{
    struct line *line = user;
    struct forward *forward = forward_of(line, stream);
    if (forward != NULL && stream == forward->data_stream) {
        forward->replied = clock_mono_us();
        if (forward->holding) {
            forward->due = forward->replied + hold_us(line->session);
            moment_arm(line->session);
        }
    }
    question_answered(line, stream);
    if (fin)
        stream_ended(line, stream);
}

static void on_stream_data(void *user, uint32_t stream, const char *bytes, size_t length, bool fin)
{
    struct line *line = user;
    struct forward *forward = forward_of(line, stream);
    if (forward != NULL && stream == forward->error_stream) {
        if (length > 0 && forward->error.len == 0)
            pace_take(line->session->options.pace, forward->replied > 0 ? clock_mono_us() - forward->replied : 0);
        buf_append(&forward->error, bytes, length); /* cut at its maximum */
    } else if (forward != NULL && length > 0) {
        port_set_served(line->session, forward->port, true);
        if (forward->holding)
            forward_release(forward);
        forward->ops->data(forward->user, bytes, length); /* may close the forward */
    }
    if (fin)
        stream_ended(line, stream);
}

static void on_stream_reset(void *user, uint32_t stream)
{
    struct forward *forward = forward_of(user, stream);
    if (forward != NULL && forward->data_stream == stream)
        forward->data_reset = true;
    question_answered(user, stream);
    stream_ended(user, stream);
}

static void on_pong(void *user, uint32_t id)
{
    const struct line *line = user;
    if (id == line->session->ping_id)
        question_answered(line, 0);
}

/* ---- lines ---- */

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

static void on_line_closed(void *user)
{
    struct line *line = user;
    handle_gone(line->session);
    mem_free(line);
}

static void line_give_up(struct line *line)
{
    struct line **at = &line->session->line;
    while (*at != line)
        at = &(*at)->older;
    *at = line->older;
    line->given_up = true;
    spdy_link_close(line->link, on_line_closed, line);
}

/* An older one takes only its own forwards along. */
static void on_lost(void *user, enum tunnel_word word, const char *detail)
{
    struct line *line = user;
    if (line == line->session->line) {
        session_lose(line->session, word, detail);
        return;
    }
    while (!line->given_up && line->forwards != NULL)
        forward_finish(line->forwards, word, detail);
}

/* Later: nobody who sends expects to lose the session by it. */
static void on_stuck(void *user)
{
    struct line *line = user;
    line->stuck = true;
    moment_arm(line->session);
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
    spdy_ping(spdy_link_spdy(session->line->link), session->ping_id);
    spdy_link_flush(session->line->link);
}

static void on_accepted(void *user)
{
    const struct line *line = user;
    struct portforward *session = line->session;
    session->state = PROVING;
    ping_send(session);
}

/* The POST got no further than to the proxy, or there is none for it yet: what the GET met is what is known. */
static void post_missed(struct portforward *session)
{
    bool refused = session->refusal_text.len > 0;
    session->post = session->options.by_post;
    session_lose(session, refused ? session->refusal : TUNNEL_API_LOST,
                 refused ? buf_str(&session->refusal_text) : "the proxy for older clusters is not to be reached");
}

static void on_unreachable(void *user)
{
    const struct line *line = user;
    if (line->post)
        post_missed(line->session);
    else
        session_lose(line->session, TUNNEL_API_LOST, "the proxy is not to be reached");
}

static void on_refused(void *user, const struct upgrade_answer *answer)
{
    struct line *line = user;
    struct portforward *session = line->session;
    bool old_server = !line->post && (answer->word == TUNNEL_BACKOFF || answer->status == 403);
    if (old_server) {
        session->post = true;
        session->refusal = answer->word;
        buf_clear(&session->refusal_text);
        buf_puts(&session->refusal_text, answer->text.text);
        line_give_up(line);
        line_make(session);
    } else if (line->post && answer->proxys_own) {
        post_missed(session);
    } else {
        bool doubt = answer->word == TUNNEL_FORBIDDEN && session->opened_at > 0 && !session->doubted;
        session->doubted = session->doubted || doubt;
        session->post = session->options.by_post;
        session_lose(session, doubt ? TUNNEL_API_LOST : answer->word, answer->text.text);
    }
}

static void line_make(struct portforward *session)
{
    static const struct spdy_link_ops ops = {.unreachable = on_unreachable,
                                             .accepted = on_accepted,
                                             .refused = on_refused,
                                             .lost = on_lost,
                                             .stuck = on_stuck,
                                             .reply = on_stream_reply,
                                             .data = on_stream_data,
                                             .reset = on_stream_reset,
                                             .pong = on_pong};
    struct line *line = mem_new(sizeof *line);
    *line = (struct line){.session = session, .older = session->line, .post = session->post};
    session->handles++;
    session->line = line;
    session->state = CONNECTING;
    timer_arm(session, START_MS);
    line->link = spdy_link_new(
        &(struct spdy_link_options){.loop = session->options.loop,
                                    .socket = line->post ? session->options.post_proxy : session->options.proxy,
                                    .ns = session->options.ns,
                                    .name = session->options.name,
                                    .post = line->post,
                                    .seed = seed_next(session),
                                    .ops = &ops,
                                    .user = line});
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
    while (session->line != NULL) {
        struct line *line = session->line;
        while (!line->given_up && line->forwards != NULL)
            forward_finish(line->forwards, word, kept.text);
        if (!line->given_up)
            line_give_up(line);
    }
    if (!session->freed)
        word_tell(session, word, kept.text);
}

/* While it is open: whether the far end still answers, asked where nothing else has asked for a while. Questions come and go without the timer being told: it looks again when the newest may be due. */
static void session_watch(struct portforward *session)
{
    int64_t quiet = clock_mono_us() - session->asked_at;
    if (session->asking && quiet >= (int64_t)LOST_MS * MILLISECOND_US) {
        session_lose(session, TUNNEL_API_LOST, "no answer for 10 s");
    } else if (session->asking || quiet < (int64_t)REST_MS * MILLISECOND_US) {
        int64_t wait = (session->asking ? LOST_MS : REST_MS) * (int64_t)MILLISECOND_US - quiet;
        timer_arm(session, (int)(wait / MILLISECOND_US) + 1);
    } else {
        ping_send(session);
        timer_arm(session, LOST_MS);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct portforward *session = timer->data;
    switch (session->state) {
    case PAUSING:
        line_make(session);
        if (session->told_at == 0)
            word_tell(session, TUNNEL_STARTING, "");
        break;
    case CONNECTING:
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
    while (session->line != NULL) {
        struct line *line = session->line;
        while (!line->given_up && line->forwards != NULL)
            forward_drop(line->forwards);
        if (!line->given_up)
            line_give_up(line);
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
    return session->state == OPEN && session->line->post;
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
    struct line *line = session->line;
    struct spdy *spdy = spdy_link_spdy(line->link);
    struct forward *forward = mem_new(sizeof *forward);
    char port_text[16], id[16];
    *forward = (struct forward){.line = line, .next = line->forwards, .port = port, .ops = ops, .user = user};
    buf_init(&forward->error, ERROR_TEXT_MAX);
    buf_init(&forward->held, FORWARD_SEND_MAX);
    snprintf(port_text, sizeof port_text, "%d", port);
    snprintf(id, sizeof id, "%u", ++session->request_id);
    struct spdy_header headers[] = {{"streamtype", "error"}, {"port", port_text}, {"requestid", id}};
    forward->error_stream = spdy_open(spdy, headers, 3, true);
    headers[0].value = "data";
    forward->data_stream = spdy_open(spdy, headers, 3, false);
    line->forwards = forward;
    session->forward_count++;
    forward->holding = !port_is_served(session, port);
    if (!session->asking)
        question_put(session, forward->data_stream);
    spdy_link_flush(line->link);
    return forward;
}

static bool forward_send(struct forward *forward, const char *bytes, size_t length)
{
    if (length > FORWARD_SEND_MAX - forward->sent)
        return false;
    forward->sent += length;
    if (forward->holding)
        buf_append(&forward->held, bytes, length);
    else if (!forward->data_ended)
        stream_send(forward, bytes, length, false);
    return true;
}

/* The container runtime holds the end of the pod's connection back until ours comes (facts/kube.md 3.1). */
static void forward_finish_sending(struct forward *forward)
{
    if (forward->holding)
        forward_release(forward);
    stream_send(forward, "", 0, true);
}

static void forward_close(struct forward *forward)
{
    struct portforward *session = forward->line->session;
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
