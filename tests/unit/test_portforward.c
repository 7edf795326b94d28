/* core/tunnel/portforward.c and gate.c against a far side in the same process: what stands behind `kubectl proxy`, played with the server's half of spdy.c and websocket.c. */
#include "base/clock.h"
#include "base/mem.h"
#include "tests/support/call.h"
#include "tests/support/loop.h"
#include "tunnel/gate.h"
#include "tunnel/portforward.h"
#include "tunnel/spdy.h"
#include "tunnel/websocket.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PLENTY = 1 << 20, STREAMS_MAX = 512, DEADLINE_S = 10 };
/* How ports behave. */
enum {
    SERVES = 8000,
    REFUSES = 9000,
    REFUSES_LATE_TEXT = 9001,
    REFUSES_SLOWLY = 9090, /* after SLOW_MS */
    SLOW_MS = 80,
    CLOSES = 8001,
    SILENT = 8002,
    HALF = 8003,
    HELD = 8005, /* has answered and closed, which shows when our side ends */
    GONE = 8004
};
static const char refused_text[] = "error forwarding port 9000 to pod x: failed to connect to localhost:9000: "
                                   "dial tcp4 127.0.0.1:9000: connect: connection refused";

/* ---- the far side ---- */

struct far {
    uv_loop_t *loop;
    uv_pipe_t listener;
    char path[64];
    const char *get_answer, *post_answer; /* refusals; NULL: accepted */
    bool mute;                            /* pings are not answered */
    bool refuses;                         /* SERVES does not, for now */
    bool resets;                          /* newer servers reset the data stream of a connection that failed */
    int upgrades, gets, posts, open;
    int messages;    /* times that something came after an upgrade */
    size_t unwanted; /* bytes that came for ports that refuse: they would block a worker of the real thing */
    size_t big;
    struct peer *last, *slow_peer;
    uint32_t slow_stream;
    uv_timer_t slow;
};

struct peer {
    struct far *far;
    uv_pipe_t pipe;
    struct buf request, out, spdy_out, payload;
    struct spdy *spdy;
    struct websocket *websocket;
    int ports[STREAMS_MAX];
    bool is_data[STREAMS_MAX];
};

static void peer_flush(struct peer *peer)
{
    if (peer->websocket != NULL && peer->spdy_out.len > 0) {
        websocket_send(peer->websocket, peer->spdy_out.data, peer->spdy_out.len, &peer->out);
        buf_clear(&peer->spdy_out);
    }
    struct buf *out = peer->spdy != NULL && peer->websocket == NULL ? &peer->spdy_out : &peer->out;
    if (out->len > 0 && !uv_is_closing((uv_handle_t *)&peer->pipe)) {
        carrier_write((uv_stream_t *)&peer->pipe, out->data, out->len);
        buf_clear(out);
    }
}

static void peer_fail(struct peer *peer, uint32_t error, uint32_t data, const char *text)
{
    int port = peer->ports[data];
    if (port == REFUSES_LATE_TEXT) {
        spdy_send(peer->spdy, data, "", 0, true);
        peer_flush(peer);
    }
    spdy_send(peer->spdy, error, text, strlen(text), true);
    if (peer->far->resets)
        spdy_reset(peer->spdy, data, 5);
    else if (port != REFUSES_LATE_TEXT)
        spdy_send(peer->spdy, data, "", 0, true);
}

static void on_slow(uv_timer_t *timer)
{
    struct far *far = timer->data;
    peer_fail(far->slow_peer, far->slow_stream - 2, far->slow_stream, refused_text);
    peer_flush(far->slow_peer);
}

static void on_opened(void *user, uint32_t stream, const struct spdy_header *headers, size_t count, bool fin)
{
    struct peer *peer = user;
    assert_int_equal(count, 3);
    assert_string_equal(headers[0].name, "streamtype");
    assert_true(stream < STREAMS_MAX);
    peer->is_data[stream] = strcmp(headers[0].value, "data") == 0;
    assert_true(peer->is_data[stream] != fin);
    peer->ports[stream] = (int)strtol(headers[1].value, NULL, 10);
    spdy_reply(peer->spdy, stream, NULL, 0, false);
    if (!peer->is_data[stream])
        return;
    int port = peer->ports[stream];
    if (port == REFUSES || port == REFUSES_LATE_TEXT || (port == SERVES && peer->far->refuses)) {
        peer_fail(peer, stream - 2, stream, refused_text);
    } else if (port == REFUSES_SLOWLY) {
        peer->far->slow_peer = peer;
        peer->far->slow_stream = stream;
        uv_timer_start(&peer->far->slow, on_slow, SLOW_MS, 0);
    } else if (port == GONE) {
        peer_fail(peer, stream - 2, stream, "network namespace for sandbox \"1\" is closed");
    }
}

static void on_data(void *user, uint32_t stream, const char *bytes, size_t length, bool fin)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct peer *peer = user;
    (void)bytes;
    if (fin && peer->ports[stream] == HELD) {
        spdy_send(peer->spdy, stream - 2, "", 0, true);
        spdy_send(peer->spdy, stream, "", 0, true);
    }
    if (length == 0)
        return;
    switch (peer->ports[stream]) {
    case SERVES:
        if (peer->far->refuses) {
            peer->far->unwanted += length;
            break;
        }
        spdy_send(peer->spdy, stream, answer, sizeof answer - 1, false);
        if (peer->far->big > 0) {
            char *more = mem_new(peer->far->big);
            spdy_send(peer->spdy, stream, more, peer->far->big, false);
            mem_free(more);
        }
        spdy_send(peer->spdy, stream - 2, "", 0, true);
        spdy_send(peer->spdy, stream, "", 0, true);
        break;
    case HELD:
        spdy_send(peer->spdy, stream, answer, sizeof answer - 1, false);
        break;
    case HALF:
        spdy_send(peer->spdy, stream, answer, 20, false);
        spdy_send(peer->spdy, stream - 2, "", 0, true);
        spdy_send(peer->spdy, stream, "", 0, true);
        break;
    case CLOSES:
        spdy_send(peer->spdy, stream - 2, "", 0, true);
        spdy_send(peer->spdy, stream, "", 0, true);
        break;
    case SILENT:
        break;
    default:
        peer->far->unwanted += length;
    }
}

static void on_nothing(void *user, uint32_t stream, const struct spdy_header *headers, size_t count, bool fin)
{
    (void)user;
    (void)stream;
    (void)headers;
    (void)count;
    (void)fin;
}

static void on_number(void *user, uint32_t a)
{
    (void)user;
    (void)a;
}

static void on_reset(void *user, uint32_t a, uint32_t b)
{
    (void)user;
    (void)a;
    (void)b;
}

static const struct spdy_ops far_ops = {on_opened, on_nothing, on_data, on_reset, on_number, on_number};

static void on_peer_closed(uv_handle_t *handle)
{
    struct peer *peer = handle->data;
    peer->far->open--;
    if (peer->far->last == peer)
        peer->far->last = NULL;
    buf_free(&peer->request);
    buf_free(&peer->out);
    buf_free(&peer->spdy_out);
    buf_free(&peer->payload);
    spdy_free(peer->spdy);
    websocket_free(peer->websocket);
    mem_free(peer);
}

static void peer_close(struct peer *peer)
{
    if (!uv_is_closing((uv_handle_t *)&peer->pipe))
        uv_close((uv_handle_t *)&peer->pipe, on_peer_closed);
}

static void peer_upgrade(struct peer *peer)
{
    struct far *far = peer->far;
    const char *request = buf_str(&peer->request);
    bool post = strncmp(request, "POST ", 5) == 0;
    assert_non_null(strstr(request, " /api/v1/namespaces/ns/pods/web/portforward HTTP/1.1\r\nHost: localhost\r\n"));
    *(post ? &far->posts : &far->gets) += 1;
    const char *refusal = post ? far->post_answer : far->get_answer;
    if (refusal != NULL) {
        buf_puts(&peer->out, refusal);
        peer_flush(peer);
        if (strstr(refusal, "Content-Length") == NULL)
            peer_close(peer);
        return;
    }
    far->upgrades++;
    if (post) {
        assert_non_null(strstr(request, "X-Stream-Protocol-Version: portforward.k8s.io\r\n"));
        buf_puts(&peer->out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\n\r\n");
    } else {
        char key[25] = "", accept[29];
        const char *at = strstr(request, "Sec-WebSocket-Key: ");
        assert_non_null(at);
        memcpy(key, at + 19, 24);
        websocket_accept_key(key, accept);
        buf_printf(&peer->out,
                   "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: %s\r\nSec-WebSocket-Protocol: "
                   "SPDY/3.1+portforward.k8s.io\r\n\r\n",
                   accept);
    }
    peer_flush(peer);
    peer->spdy = spdy_new(true, &peer->spdy_out, &far_ops, peer);
    peer->websocket = post ? NULL : websocket_new(true, 1);
}

static void peer_take(struct peer *peer, const char *bytes, size_t length)
{
    if (peer->spdy == NULL) {
        buf_append(&peer->request, bytes, length);
        if (strstr(buf_str(&peer->request), "\r\n\r\n") != NULL)
            peer_upgrade(peer);
        return;
    }
    peer->far->messages++;
    if (peer->far->mute)
        return;
    if (peer->websocket != NULL) {
        buf_clear(&peer->payload);
        websocket_receive(peer->websocket, bytes, length, &peer->payload, &peer->out, NULL);
        bytes = buf_str(&peer->payload);
        length = peer->payload.len;
    }
    assert_int_equal(spdy_receive(peer->spdy, bytes, length, NULL), STATUS_OK);
    peer_flush(peer);
}

static void on_peer_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *room)
{
    struct peer *peer = stream->data;
    if (length > 0)
        peer_take(peer, room->base, (size_t)length);
    else if (length < 0)
        peer_close(peer);
    mem_free(room->base);
}

static void on_peer(uv_stream_t *listener, int status)
{
    struct far *far = listener->data;
    struct peer *peer = mem_new(sizeof *peer);
    assert_int_equal(status, 0);
    peer->far = far;
    peer->pipe.data = peer;
    buf_init(&peer->request, 8192);
    buf_init(&peer->out, 2 * PLENTY);
    buf_init(&peer->spdy_out, 2 * PLENTY);
    buf_init(&peer->payload, PLENTY);
    uv_pipe_init(far->loop, &peer->pipe, 0);
    far->open++;
    far->last = peer;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&peer->pipe), 0);
    uv_read_start((uv_stream_t *)&peer->pipe, carrier_alloc, on_peer_read);
}

/* ---- our side ---- */

struct world {
    uv_loop_t loop;
    char dir[32];
    struct far far;
    struct portforward *session;
    struct portforward_pace pace;
    struct gate *gate;
    struct carrier carrier;
    enum tunnel_word word;
    int words;
    int64_t round_trip;
    char detail[512];
    bool freed;
};

static void on_word(void *user, enum tunnel_word word, int64_t round_trip, const char *detail)
{
    struct world *world = user;
    world->word = word;
    world->words++;
    world->round_trip = round_trip;
    snprintf(world->detail, sizeof world->detail, "%s", detail);
    if (world->gate != NULL)
        gate_update(world->gate);
}

static void world_begin(struct world *world)
{
    memset(world, 0, sizeof *world);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    snprintf(world->dir, sizeof world->dir, "/tmp/pt-pf-XXXXXX");
    assert_non_null(mkdtemp(world->dir));
    struct far *far = &world->far;
    far->loop = &world->loop;
    snprintf(far->path, sizeof far->path, "%s/k.sock", world->dir);
    uv_pipe_init(&world->loop, &far->listener, 0);
    far->listener.data = far->slow.data = far;
    uv_timer_init(&world->loop, &far->slow);
    assert_int_equal(uv_pipe_bind(&far->listener, far->path), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&far->listener, 8, on_peer), 0);
    world->session = portforward_new(&(struct portforward_options){.loop = &world->loop,
                                                                   .proxy = far->path,
                                                                   .post_proxy = far->path,
                                                                   .ns = "ns",
                                                                   .name = "web",
                                                                   .seed = 1,
                                                                   .pace = &world->pace,
                                                                   .word = on_word,
                                                                   .user = world});
    world->carrier = portforward_carrier(world->session);
}

/* Runs the loop until the condition holds; fails when it does not within the deadline. */
#define UNTIL(world, condition) LOOP_UNTIL(&(world)->loop, condition)

/* What has been written is read. */
static void turns(struct world *world, int count)
{
    for (int i = 0; i < count; i++)
        uv_run(&world->loop, UV_RUN_NOWAIT);
}

static void on_freed(void *user)
{
    *(bool *)user = true;
}

static void world_end(struct world *world)
{
    bool gate_freed = world->gate == NULL;
    if (world->gate != NULL)
        gate_free(world->gate, on_freed, &gate_freed);
    portforward_free(world->session, on_freed, &world->freed);
    UNTIL(world, world->freed && gate_freed);
    uv_close((uv_handle_t *)&world->far.listener, NULL);
    uv_close((uv_handle_t *)&world->far.slow, NULL);
    UNTIL(world, world->far.open == 0);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    unlink(world->far.path);
    assert_int_equal(rmdir(world->dir), 0);
}

/* One connection from its beginning to its end. */
static void expect_call(struct world *world, int32_t port, enum tunnel_word word, const char *got, const char *detail)
{
    struct call call;
    call_begin(&call, &world->carrier, port);
    UNTIL(world, call.ended);
    assert_string_equal(tunnel_word_name(call.word), tunnel_word_name(word));
    assert_int_equal(strncmp(buf_str(&call.got), got, strlen(got)), 0);
    assert_int_equal(call.got.len > 0, got[0] != '\0');
    assert_non_null(strstr(call.detail, detail));
    buf_free(&call.got);
}

static void session_up(struct world *world)
{
    portforward_start(world->session);
    UNTIL(world, world->carrier.ops->is_up(world->carrier.self));
    assert_int_equal(world->word, TUNNEL_UP);
    assert_true(world->round_trip >= 0);
}

/* ---- tests ---- */

static void test_served(void **state)
{
    (void)state;
    for (int post = 0; post < 2; post++) {
        struct world world;
        world_begin(&world);
        world.far.get_answer = post ? "HTTP/1.1 400 Bad Request\r\nContent-Length: 34\r\n\r\n"
                                      "query parameter \"port\" is required"
                                    : NULL;
        session_up(&world);
        assert_int_equal(portforward_by_post(world.session), post == 1);
        for (int i = 0; i < 5; i++)
            expect_call(&world, SERVES, TUNNEL_UP, "HTTP/1.1 200 OK", "");
        expect_call(&world, CLOSES, TUNNEL_UP, "", "");
        expect_call(&world, HALF, TUNNEL_UP, "HTTP/1.1 200 OK\r\nCon", "");
        assert_int_equal(world.far.gets, 1);
        assert_int_equal(world.far.posts, post);
        assert_int_equal(world.far.upgrades, 1);
        world_end(&world);
    }
}

/* A pod that loads refuses for minutes: one session carries all of it, and no request is sent that nobody takes. */
static void test_refused_survives(void **state)
{
    (void)state;
    struct world world;
    world_begin(&world);
    session_up(&world);
    for (int i = 0; i < 20; i++)
        expect_call(&world, REFUSES, TUNNEL_REFUSED_IN_POD, "", "connection refused");
    expect_call(&world, REFUSES_LATE_TEXT, TUNNEL_REFUSED_IN_POD, "", "connection refused");
    expect_call(&world, SERVES, TUNNEL_UP, "HTTP/1.1 200 OK", "");
    assert_int_equal(world.far.unwanted, 0);
    assert_int_equal(world.far.upgrades, 1);
    world_end(&world);
}

/* A refused probe costs one message: the far side's reply to the streams shows that the way is well, so nothing else is asked, and that the streams are done with is said with the next ones. */
static void test_refused_cheaply(void **state)
{
    (void)state;
    struct world world;
    world_begin(&world);
    session_up(&world);
    int before = world.far.messages;
    for (int i = 0; i < 20; i++) {
        expect_call(&world, REFUSES, TUNNEL_REFUSED_IN_POD, "", "connection refused");
        turns(&world, 3);
    }
    assert_int_equal(world.far.messages - before, 20);
    /* where the pod's side of a connection may still wait for us, it is told at once */
    expect_call(&world, CLOSES, TUNNEL_UP, "", "");
    before = world.far.messages;
    UNTIL(&world, world.far.messages > before);
    world_end(&world);
}

/* Where we do not get to run for a while, the refusal is there when a hold is over: it is read first. */
static void test_refused_while_away(void **state)
{
    (void)state;
    struct world world;
    struct call call;
    world_begin(&world);
    session_up(&world);
    call_begin(&call, &world.carrier, REFUSES_SLOWLY);
    int64_t back = clock_mono_us() + 2 * SLOW_MS * (int64_t)MILLISECOND_US;
    UNTIL(&world, uv_is_active((uv_handle_t *)&world.far.slow));
    turns(&world, 3); /* for the reply, from which a hold counts */
    while (clock_mono_us() < back) {
    }
    UNTIL(&world, call.ended);
    assert_int_equal(call.word, TUNNEL_REFUSED_IN_POD);
    assert_int_equal(world.far.unwanted, 0);
    assert_int_equal(world.far.upgrades, 1);
    buf_free(&call.got);
    world_end(&world);
}

/* On a busy machine a refusal takes longer than the way does. One session is lost to that, and from then on, in every session of the cluster, requests are held back for longer. */
static void test_refused_slowly(void **state)
{
    (void)state;
    struct world world;
    world_begin(&world);
    session_up(&world);
    expect_call(&world, REFUSES_SLOWLY, TUNNEL_REFUSED_IN_POD, "", "connection refused");
    assert_int_equal(world.far.unwanted, 18);
    assert_true(world.pace.refusal >= (SLOW_MS - 10) * (int64_t)MILLISECOND_US);
    UNTIL(&world, world.far.upgrades == 2 && world.carrier.ops->is_up(world.carrier.self));
    for (int i = 0; i < 5; i++)
        expect_call(&world, REFUSES_SLOWLY, TUNNEL_REFUSED_IN_POD, "", "connection refused");
    assert_int_equal(world.far.unwanted, 18);
    assert_int_equal(world.far.upgrades, 2);
    /* quick ones bring it down again, slowly */
    for (int i = 0; i < 50; i++)
        expect_call(&world, REFUSES, TUNNEL_REFUSED_IN_POD, "", "connection refused");
    assert_true(world.pace.refusal < SLOW_MS * (int64_t)MILLISECOND_US / 2);
    assert_int_equal(world.far.upgrades, 2);
    world_end(&world);
}

/* A pod that answered and then refuses is sent a request that nobody takes: an old server's worker hangs on it, so the session is made anew; what else runs over it goes on. */
static void test_refused_after_served(void **state)
{
    (void)state;
    for (int resets = 0; resets < 2; resets++) {
        struct world world;
        struct call silent;
        world_begin(&world);
        world.far.resets = resets == 1;
        session_up(&world);
        expect_call(&world, SERVES, TUNNEL_UP, "HTTP/1.1 200 OK", "");
        call_begin(&silent, &world.carrier, SILENT);
        world.far.refuses = true;
        expect_call(&world, SERVES, TUNNEL_REFUSED_IN_POD, "", "connection refused");
        UNTIL(&world, world.carrier.ops->is_up(world.carrier.self));
        assert_int_equal(world.far.unwanted, 18);
        assert_int_equal(world.far.upgrades, resets ? 1 : 2);
        assert_false(silent.ended);
        world.far.refuses = false;
        expect_call(&world, SERVES, TUNNEL_UP, "HTTP/1.1 200 OK", "");
        assert_int_equal(world.far.open, resets ? 1 : 2);
        world.carrier.ops->close(silent.forward);
        UNTIL(&world, world.far.open == 1);
        buf_free(&silent.got);
        world_end(&world);
    }
}

static void test_pod_gone(void **state)
{
    (void)state;
    struct world world;
    world_begin(&world);
    session_up(&world);
    expect_call(&world, GONE, TUNNEL_POD_GONE, "", "network namespace");
    assert_int_equal(world.word, TUNNEL_POD_GONE);
    UNTIL(&world, world.word == TUNNEL_UP); /* it looks again, with a pause */
    assert_int_equal(world.far.upgrades, 2);
    world_end(&world);
}

static void test_session_lost(void **state)
{
    (void)state;
    struct world world;
    struct call call;
    world_begin(&world);
    session_up(&world);
    call_begin(&call, &world.carrier, SILENT);
    peer_close(world.far.last);
    UNTIL(&world, call.ended);
    assert_int_equal(call.word, TUNNEL_API_LOST);
    assert_int_equal(world.word, TUNNEL_API_LOST);
    assert_int_equal(world.carrier.ops->word(world.carrier.self), TUNNEL_API_LOST);
    assert_true(call_is_refused(&world.carrier, SERVES));
    UNTIL(&world, world.word == TUNNEL_UP);
    expect_call(&world, SERVES, TUNNEL_UP, "HTTP/1.1 200 OK", "");
    buf_free(&call.got);
    world_end(&world);
}

/* The far side takes nothing any more: what piles up is bounded, and the session is lost for it. */
static void test_stuck(void **state)
{
    enum { CALLS = 40, PIECE = 200 * 1024 };
    (void)state;
    struct world world;
    struct call calls[CALLS];
    world_begin(&world);
    session_up(&world);
    expect_call(&world, SERVES, TUNNEL_UP, "HTTP/1.1 200 OK", "");
    char *piece = mem_new(PIECE);
    uv_stream_t *deaf = (uv_stream_t *)&world.far.last->pipe;
    uv_read_stop(deaf);
    for (int i = 0; i < CALLS; i++) {
        call_begin(&calls[i], &world.carrier, SERVES);
        assert_true(world.carrier.ops->send(calls[i].forward, piece, PIECE));
    }
    mem_free(piece);
    assert_int_equal(world.word, TUNNEL_UP); /* not from within a call */
    UNTIL(&world, world.word == TUNNEL_API_LOST);
    assert_string_equal(world.detail, "nothing can be sent any more");
    uv_read_start(deaf, carrier_alloc, on_peer_read); /* so that it sees our end */
    for (int i = 0; i < CALLS; i++) {
        assert_true(calls[i].ended);
        assert_int_equal(calls[i].word, TUNNEL_API_LOST);
        buf_free(&calls[i].got);
    }
    UNTIL(&world, world.word == TUNNEL_UP);
    expect_call(&world, SERVES, TUNNEL_UP, "HTTP/1.1 200 OK", "");
    world_end(&world);
}

/* The way is dead and nobody says so: silence is not laid at the pod's door. */
static void test_silent_way(void **state)
{
    (void)state;
    struct world world;
    struct call call;
    world_begin(&world);
    session_up(&world);
    expect_call(&world, SERVES, TUNNEL_UP, "HTTP/1.1 200 OK", "");
    world.far.mute = true;
    call_begin(&call, &world.carrier, SERVES);
    assert_int_equal(world.carrier.ops->word(world.carrier.self), TUNNEL_UP);
    UNTIL(&world, world.carrier.ops->word(world.carrier.self) == TUNNEL_API_LOST);
    assert_false(call.ended);
    world.carrier.ops->close(call.forward);
    buf_free(&call.got);
    world_end(&world);
}

#define STATUS_ANSWER(code, reason, message)                                                                           \
    "HTTP/1.1 " code " X\r\nContent-Type: application/json\r\n\r\n{\"kind\":\"Status\",\"apiVersion\":\"v1\","         \
    "\"status\":\"Failure\",\"message\":\"" message "\",\"reason\":\"" reason "\"}"

static void test_upgrade_refused(void **state)
{
    (void)state;
    static const char filter[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nForbidden";
    static const struct {
        const char *get, *post;
        enum tunnel_word word;
        const char *detail;
        int posts;
    } rows[] = {
        {STATUS_ANSWER("403", "Forbidden", "pods \\\"web\\\" is forbidden: User cannot create pods/portforward"),
         filter, TUNNEL_FORBIDDEN, "cannot create pods/portforward", 1},
        {STATUS_ANSWER("403", "Forbidden", "cannot get"), STATUS_ANSWER("403", "Forbidden", "cannot create"),
         TUNNEL_FORBIDDEN, "cannot create", 1},
        {STATUS_ANSWER("401", "Unauthorized", "Unauthorized"), filter, TUNNEL_FORBIDDEN, "Unauthorized", 0},
        {STATUS_ANSWER("404", "NotFound", "pods \\\"web\\\" not found"), filter, TUNNEL_POD_GONE, "not found", 0},
        {"HTTP/1.1 500 X\r\nContent-Length: 54\r\n\r\ndial tcp 127.0.0.1:7443: connect: connection refused\r\n", filter,
         TUNNEL_API_LOST, "dial tcp", 0},
        {"HTTP/1.1 500 X\r\nContent-Length: 53\r\n\r\nerror dialing backend: dial tcp 127.0.0.1:7443: refused", filter,
         TUNNEL_API_LOST, "dial tcp", 0}, /* the proxy's words, of the API server */
        {STATUS_ANSWER("500", "InternalError",
                       "error dialing backend: dial tcp 10.0.0.7:10250: connect: connection refused"),
         filter, TUNNEL_NODE_LOST, "10250", 0}, /* the API server's, of the kubelet */
        {"HTTP/1.1 502 X\r\n\r\n", filter, TUNNEL_API_LOST, "502", 0},
        {"HTTP/1.1 400 X\r\nContent-Length: 3\r\n\r\nold", filter, TUNNEL_BACKOFF, "old", 1},
        {"HTTP/1.1 400 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nold\r\n0\r\n\r\n", filter, TUNNEL_BACKOFF, "old", 1},
        {"garbage\r\n\r\n", filter, TUNNEL_BACKOFF, "HTTP 0", 1},
        {"", filter, TUNNEL_API_LOST, "without an answer", 0},
        {"HTTP/1.1 101 X\r\nSec-WebSocket-Accept: wrong\r\n\r\n", filter, TUNNEL_BACKOFF, "accepted wrongly", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world world;
        world_begin(&world);
        world.far.get_answer = rows[i].get;
        world.far.post_answer = rows[i].post;
        portforward_start(world.session);
        UNTIL(&world, world.words >= 2); /* starting, and the outcome */
        assert_string_equal(tunnel_word_name(world.word), tunnel_word_name(rows[i].word));
        if (strstr(world.detail, rows[i].detail) == NULL)
            fail_msg("row %zu: '%s' does not say '%s'", i, world.detail, rows[i].detail);
        assert_int_equal(world.far.posts, rows[i].posts);
        /* the right is given, the server comes back: it recovers by itself */
        world.far.get_answer = NULL;
        UNTIL(&world, world.word == TUNNEL_UP);
        world_end(&world);
    }
}

static void test_no_proxy(void **state)
{
    (void)state;
    struct world world;
    world_begin(&world);
    unlink(world.far.path);
    portforward_start(world.session);
    UNTIL(&world, world.words >= 2);
    assert_int_equal(world.word, TUNNEL_API_LOST);
    UNTIL(&world, world.words >= 4); /* it goes on trying */
    world_end(&world);
}

/* ---- the gate ---- */

struct caller {
    uv_pipe_t pipe;
    uv_connect_t connect;
    struct buf got;
    bool ended, closed;
    enum tunnel_word word; /* of the gate, asked when the end was seen */
    struct gate *gate;
};

static void on_caller_closed(uv_handle_t *handle)
{
    ((struct caller *)handle->data)->closed = true;
}

static void on_caller_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *room)
{
    struct caller *caller = stream->data;
    if (length > 0) {
        buf_append(&caller->got, room->base, (size_t)length);
    } else if (length < 0) {
        caller->ended = true;
        caller->word = gate_word(caller->gate);
    }
    mem_free(room->base);
}

static void on_caller_connected(uv_connect_t *request, int status)
{
    struct caller *caller = request->data;
    assert_int_equal(status, 0);
    carrier_write((uv_stream_t *)&caller->pipe, "GET / HTTP/1.1\r\n\r\n", 18);
    uv_read_start((uv_stream_t *)&caller->pipe, carrier_alloc, on_caller_read);
}

static void caller_begin(struct world *world, struct caller *caller)
{
    memset(caller, 0, sizeof *caller);
    buf_init(&caller->got, PLENTY);
    caller->gate = world->gate;
    caller->pipe.data = caller->connect.data = caller;
    uv_pipe_init(&world->loop, &caller->pipe, 0);
    uv_pipe_connect(&caller->connect, &caller->pipe, gate_path(world->gate), on_caller_connected);
}

static void caller_end(struct world *world, struct caller *caller)
{
    uv_close((uv_handle_t *)&caller->pipe, on_caller_closed);
    UNTIL(world, caller->closed);
    buf_free(&caller->got);
}

static void gate_begin(struct world *world, int32_t port)
{
    char path[64];
    snprintf(path, sizeof path, "%s/1.%d", world->dir, port);
    world->gate = gate_new(&world->loop, path, port, &world->carrier, NULL);
    assert_non_null(world->gate);
}

static void expect_caller(struct world *world, enum tunnel_word word, const char *got)
{
    struct caller caller;
    caller_begin(world, &caller);
    UNTIL(world, caller.ended);
    assert_string_equal(tunnel_word_name(caller.word), tunnel_word_name(word));
    assert_int_equal(strncmp(buf_str(&caller.got), got, strlen(got)), 0);
    assert_int_equal(caller.got.len > 0, got[0] != '\0');
    caller_end(world, &caller);
}

/* The word is there when the end shows, and asked for once. */
static void test_gate_words(void **state)
{
    static const struct {
        int32_t port;
        enum tunnel_word word;
        const char *got, *said;
    } rows[] = {{SERVES, TUNNEL_UP, "HTTP/1.1 200", NULL},
                {REFUSES, TUNNEL_REFUSED_IN_POD, "", "connection refused"},
                {REFUSES_LATE_TEXT, TUNNEL_REFUSED_IN_POD, "", "connection refused"},
                {CLOSES, TUNNEL_UP, "", NULL},
                {GONE, TUNNEL_POD_GONE, "", "network namespace for sandbox"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world world;
        world_begin(&world);
        session_up(&world);
        gate_begin(&world, rows[i].port);
        expect_caller(&world, rows[i].word, rows[i].got);
        if (rows[i].said)
            assert_non_null(strstr(gate_said(world.gate), rows[i].said));
        else
            assert_string_equal(gate_said(world.gate), "");
        UNTIL(&world, world.word == TUNNEL_UP);
        assert_int_equal(gate_word(world.gate), TUNNEL_UP);
        assert_string_equal(gate_said(world.gate), "");
        world_end(&world);
    }
}

/* A connection that comes while the session is being made waits for it; one that comes while it is lost does not. */
static void test_gate_waits(void **state)
{
    (void)state;
    struct world world;
    struct caller caller;
    world_begin(&world);
    gate_begin(&world, SERVES);
    caller_begin(&world, &caller);
    portforward_start(world.session);
    UNTIL(&world, caller.got.len > 0);
    assert_int_equal(world.far.upgrades, 1);
    caller_end(&world, &caller);
    world.far.get_answer = "HTTP/1.1 502 X\r\n\r\n";
    peer_close(world.far.last);
    UNTIL(&world, world.word == TUNNEL_API_LOST);
    expect_caller(&world, TUNNEL_API_LOST, "");
    world_end(&world);
}

static void on_caller_shut(uv_shutdown_t *request, int status)
{
    (void)request;
    assert_int_equal(status, 0);
}

/* Whoever ends its sending half still gets what comes, and the word; the far side hears of that end. */
static void test_gate_half_closed(void **state)
{
    (void)state;
    struct world world;
    struct caller caller, other;
    uv_shutdown_t shut;
    world_begin(&world);
    session_up(&world);
    gate_begin(&world, HELD);
    for (int i = 0; i < 40; i++) { /* more than there may be at a time: none is left behind */
        caller_begin(&world, &caller);
        UNTIL(&world, caller.got.len > 0);
        assert_false(caller.ended);
        assert_int_equal(uv_shutdown(&shut, (uv_stream_t *)&caller.pipe, on_caller_shut), 0);
        UNTIL(&world, caller.ended);
        assert_string_equal(tunnel_word_name(caller.word), tunnel_word_name(TUNNEL_UP));
        caller_end(&world, &caller);
    }
    /* one that goes away altogether takes its word along, and gives its place back */
    world.far.mute = true;
    for (int i = 0; i < 40; i++) {
        caller_begin(&world, &caller);
        turns(&world, 3);
        assert_int_equal(uv_shutdown(&shut, (uv_stream_t *)&caller.pipe, on_caller_shut), 0);
        turns(&world, 3);
        caller_end(&world, &caller);
    }
    world.far.mute = false;
    caller_begin(&world, &caller);
    UNTIL(&world, caller.got.len > 0);
    caller_begin(&world, &other);
    UNTIL(&world, other.got.len > 0);
    caller_end(&world, &caller);
    caller_end(&world, &other);
    world_end(&world);
}

/* Whoever asks and goes away without reading leaves nothing behind; a body without end stops at a bound. */
static void test_gate_caller_leaves(void **state)
{
    (void)state;
    struct world world;
    struct caller caller;
    world_begin(&world);
    world.far.big = PLENTY;
    session_up(&world);
    gate_begin(&world, SERVES);
    for (int i = 0; i < 3; i++) {
        caller_begin(&world, &caller);
        UNTIL(&world, caller.got.len > 0);
        caller_end(&world, &caller);
    }
    expect_caller(&world, TUNNEL_UP, "HTTP/1.1 200");
    world_end(&world);
}

static void test_gate_path_too_long(void **state)
{
    (void)state;
    struct world world;
    struct problem problem = {0};
    char path[GATE_PATH_MAX + 2];
    world_begin(&world);
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_null(gate_new(&world.loop, path, SERVES, &world.carrier, &problem));
    assert_non_null(strstr(problem.text, "too long"));
    snprintf(path, sizeof path, "%s/not/there", world.dir);
    assert_null(gate_new(&world.loop, path, SERVES, &world.carrier, &problem));
    assert_non_null(strstr(problem.text, "no socket at"));
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_served),
        cmocka_unit_test(test_refused_survives),
        cmocka_unit_test(test_refused_cheaply),
        cmocka_unit_test(test_refused_while_away),
        cmocka_unit_test(test_refused_slowly),
        cmocka_unit_test(test_refused_after_served),
        cmocka_unit_test(test_pod_gone),
        cmocka_unit_test(test_session_lost),
        cmocka_unit_test(test_stuck),
        cmocka_unit_test(test_silent_way),
        cmocka_unit_test(test_upgrade_refused),
        cmocka_unit_test(test_no_proxy),
        cmocka_unit_test(test_gate_words),
        cmocka_unit_test(test_gate_waits),
        cmocka_unit_test(test_gate_half_closed),
        cmocka_unit_test(test_gate_caller_leaves),
        cmocka_unit_test(test_gate_path_too_long),
    };
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
