/* core/tunnel/kubectl_forward.c with a script in kubectl's place: what it says, when it ends, and what that means for the connections over it. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tests/support/call.h"
#include "tests/support/loop.h"
#include "tunnel/kubectl_forward.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { DEADLINE_S = 20, PLENTY = 4096 };

/* Each start is a line of `log`. It says what comes through the pipe `go`, and ends; where there is a file `stays` it does not, as kubectl before 1.23. */
static const char script[] = "#!/bin/sh\n"
                             "cd \"${0%/*}\" || exit 9\n"
                             "echo \"$*\" >>log\n"
                             "[ ! -e banner ] || { cat banner >&2; sleep 0.2; }\n"
                             "[ ! -e fails ] || { cat fails >&2; exit 1; }\n"
                             "echo \"Forwarding from 127.0.0.1:$(cat port) -> 8000\"\n"
                             "echo 'Forwarding from [::1]:1 -> 8000'\n"
                             "read -r text <go\n"
                             "printf '%s\\n' \"$text\" >&2\n"
                             "[ ! -e stays ] || exec sleep 60\n"
                             "echo 'error: lost connection to pod' >&2\n"
                             "exit 1\n";

struct world {
    uv_loop_t loop;
    char dir[32];
    uv_tcp_t server; /* stands for the child's listening socket */
    int accepted, open;
    const char *answer; /* to a request; NULL: closed without one */
    struct kubectl_flags flags;
    struct kubectl_crowd crowd;
    struct kubectl_forward *forward;
    struct carrier carrier;
    enum tunnel_word word;
    int ups, words, groups;
    char detail[512];
    bool freed;
};

struct accepted {
    uv_tcp_t tcp;
    struct world *world;
};

#define UNTIL(world, condition) LOOP_UNTIL(&(world)->loop, condition)

static void on_accepted_closed(uv_handle_t *handle)
{
    struct accepted *accepted = handle->data;
    accepted->world->open--;
    mem_free(accepted);
}

static void on_accepted_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *room)
{
    struct accepted *accepted = stream->data;
    if (length > 0 && accepted->world->answer != NULL)
        carrier_write(stream, accepted->world->answer, strlen(accepted->world->answer));
    if (length != 0)
        uv_close((uv_handle_t *)stream, on_accepted_closed);
    mem_free(room->base);
}

static void on_accept(uv_stream_t *listener, int status)
{
    struct world *world = listener->data;
    struct accepted *accepted = mem_new(sizeof *accepted);
    assert_int_equal(status, 0);
    accepted->world = world;
    accepted->tcp.data = accepted;
    uv_tcp_init(&world->loop, &accepted->tcp);
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&accepted->tcp), 0);
    world->accepted++;
    world->open++;
    uv_read_start((uv_stream_t *)&accepted->tcp, carrier_alloc, on_accepted_read);
}

static void path_of(const struct world *world, const char *name, char out[64])
{
    snprintf(out, 64, "%s/%s", world->dir, name);
}

static void file_write(const struct world *world, const char *name, const char *text)
{
    char path[64];
    path_of(world, name, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int starts(const struct world *world)
{
    char path[64], line[PLENTY];
    int count = 0;
    path_of(world, "log", path);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        assert_string_equal(line, "--namespace ns port-forward --address 127.0.0.1 pod/web :8000\n");
        count++;
    }
    if (file != NULL)
        fclose(file);
    return count;
}

/* Lets the child that waits say something and end. */
static void child_says(const struct world *world, const char *text)
{
    char path[64];
    path_of(world, "go", path);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    dprintf(fd, "%s\n", text);
    close(fd);
}

static void on_word(void *user, enum tunnel_word word, const char *detail)
{
    struct world *world = user;
    world->word = word;
    world->words++;
    world->ups += word == TUNNEL_UP;
    snprintf(world->detail, sizeof world->detail, "%s", detail);
}

static void on_group(void *user, pid_t group, bool alive)
{
    assert_true(group > 0);
    ((struct world *)user)->groups += alive ? 1 : -1;
}

static void world_begin(struct world *world, const char *fails)
{
    char path[64], port[16];
    struct sockaddr_in address;
    int length = sizeof address;
    memset(world, 0, sizeof *world);
    uv_loop_init(&world->loop);
    snprintf(world->dir, sizeof world->dir, "/tmp/pt-kf-XXXXXX");
    assert_non_null(mkdtemp(world->dir));
    uv_tcp_init(&world->loop, &world->server);
    world->server.data = world;
    uv_ip4_addr("127.0.0.1", 0, &address);
    assert_int_equal(uv_tcp_bind(&world->server, (const struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&world->server, 8, on_accept), 0);
    uv_tcp_getsockname(&world->server, (struct sockaddr *)&address, &length);
    snprintf(port, sizeof port, "%d", ntohs(address.sin_port));
    file_write(world, "port", port);
    if (fails != NULL)
        file_write(world, "fails", fails);
    path_of(world, "go", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    file_write(world, "kubectl", script);
    path_of(world, "kubectl", path);
    assert_int_equal(chmod(path, 0700), 0);
    world->forward = kubectl_forward_new(&(struct kubectl_forward_options){.loop = &world->loop,
                                                                           .kubectl = path,
                                                                           .flags = &world->flags,
                                                                           .ns = "ns",
                                                                           .name = "web",
                                                                           .port = 8000,
                                                                           .crowd = &world->crowd,
                                                                           .group = on_group,
                                                                           .group_user = world,
                                                                           .word = on_word,
                                                                           .user = world});
    world->carrier = kubectl_forward_carrier(world->forward);
}

static void on_freed(void *user)
{
    *(bool *)user = true;
}

static void world_end(struct world *world)
{
    static const char *const names[] = {"port", "fails", "go", "kubectl", "log", "stays", "banner"};
    kubectl_forward_free(world->forward, on_freed, &world->freed);
    UNTIL(world, world->freed);
    assert_int_equal(world->groups, 0);
    assert_int_equal(world->crowd.running, 0);
    assert_int_equal(world->crowd.starting, 0);
    UNTIL(world, world->open == 0);
    uv_close((uv_handle_t *)&world->server, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[64];
        path_of(world, names[i], path);
        unlink(path);
    }
    assert_int_equal(rmdir(world->dir), 0);
}

static void test_served(void **state)
{
    struct world world;
    struct call call;
    (void)state;
    world_begin(&world, NULL);
    UNTIL(&world, world.word == TUNNEL_UP);
    world.answer = "HTTP/1.1 200 OK\r\n\r\n";
    for (int i = 0; i < 3; i++) {
        call_begin(&call, &world.carrier, 8000);
        UNTIL(&world, call.ended);
        assert_int_equal(call.word, TUNNEL_UP);
        assert_string_equal(buf_str(&call.got), "HTTP/1.1 200 OK\r\n\r\n");
        buf_free(&call.got);
    }
    assert_int_equal(starts(&world), 1);
    world_end(&world);
}

/* The reason comes after the end; the child ends by it, and the next one is started. */
static void test_refused(void **state)
{
    struct world world;
    struct call call;
    (void)state;
    world_begin(&world, NULL);
    for (int i = 1; i <= 3; i++) {
        UNTIL(&world, world.ups == i);
        call_begin(&call, &world.carrier, 8000);
        UNTIL(&world, world.accepted == i && world.open == 0);
        assert_false(call.ended);
        child_says(&world, "E1 portforward.go:409] an error occurred forwarding 1 -> 8000: failed to connect to "
                           "localhost:8000: dial tcp4 127.0.0.1:8000: connect: connection refused");
        UNTIL(&world, call.ended);
        assert_int_equal(call.word, TUNNEL_REFUSED_IN_POD);
        UNTIL(&world, world.word == TUNNEL_REFUSED_IN_POD);
        /* a new connection would wait for the next child: nothing is lost */
        assert_int_equal(world.carrier.ops->word(world.carrier.self), TUNNEL_STARTING);
        buf_free(&call.got);
    }
    UNTIL(&world, world.ups == 4);
    assert_int_equal(starts(&world), 4);
    world_end(&world);
}

/* An old kubectl does not end by it, but would hang after a few: it is ended, and what it said is about that one connection alone. */
static void test_refused_and_stays(void **state)
{
    static const struct {
        const char *says;
        enum tunnel_word call, carrier;
    } rows[] = {
        {"E1 portforward.go:400] an error occurred forwarding 1 -> 8000: error forwarding port 8000 to pod x, uid : "
         "dial "
         "tcp4 127.0.0.1:8000: connect: connection refused",
         TUNNEL_REFUSED_IN_POD, TUNNEL_STARTING},
        {"E1 portforward.go:400] an error occurred forwarding 1 -> 8000: error forwarding port 8000 to pod x, uid : "
         "read "
         "tcp4 127.0.0.1:1->127.0.0.1:8000: read: connection reset by peer",
         TUNNEL_UP, TUNNEL_STARTING},
        {"E1 portforward.go:400] an error occurred forwarding 1 -> 8000: error forwarding port 8000 to pod x, uid : "
         "socat "
         "not found",
         TUNNEL_BACKOFF, TUNNEL_BACKOFF},
        {"E1 portforward.go:347] error creating error stream for port 1 -> 8000: Timeout occurred", TUNNEL_API_LOST,
         TUNNEL_API_LOST},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world world;
        struct call call;
        world_begin(&world, NULL);
        file_write(&world, "stays", "");
        UNTIL(&world, world.ups == 1);
        call_begin(&call, &world.carrier, 8000);
        child_says(&world, rows[i].says);
        UNTIL(&world, call.ended);
        assert_int_equal(call.word, rows[i].call);
        UNTIL(&world, world.carrier.ops->word(world.carrier.self) == rows[i].carrier);
        assert_true(call_is_refused(&world.carrier, 8000));
        buf_free(&call.got);
        UNTIL(&world, world.ups == 2);
        assert_int_equal(starts(&world), 2);
        world.answer = "HTTP/1.1 200 OK\r\n\r\n";
        call_begin(&call, &world.carrier, 8000);
        UNTIL(&world, call.ended);
        assert_int_equal(call.word, TUNNEL_UP);
        assert_string_equal(buf_str(&call.got), "HTTP/1.1 200 OK\r\n\r\n");
        buf_free(&call.got);
        world_end(&world);
    }
}

/* What is said on the way up, by a script around kubectl say, has nothing to do with how a connection ends later. */
static void test_banner(void **state)
{
    struct world world;
    struct call call;
    (void)state;
    world_begin(&world, NULL);
    file_write(&world, "banner", "note: dial tcp 10.0.0.1:443: i/o timeout, by the other way\n");
    UNTIL(&world, world.ups == 1);
    call_begin(&call, &world.carrier, 8000);
    UNTIL(&world, world.accepted == 1 && world.open == 0);
    child_says(&world, "E1 portforward.go:409] an error occurred forwarding 1 -> 8000: failed to connect to "
                       "localhost:8000: dial tcp4 127.0.0.1:8000: connect: connection refused");
    UNTIL(&world, call.ended);
    assert_int_equal(call.word, TUNNEL_REFUSED_IN_POD);
    buf_free(&call.got);
    world_end(&world);
}

/* The pod closed without an answer: kubectl says nothing, and after a moment that is what it was. */
static void test_closed(void **state)
{
    struct world world;
    struct call call;
    (void)state;
    world_begin(&world, NULL);
    UNTIL(&world, world.word == TUNNEL_UP);
    call_begin(&call, &world.carrier, 8000);
    UNTIL(&world, call.ended);
    assert_int_equal(call.word, TUNNEL_UP);
    buf_free(&call.got);
    world_end(&world);
}

static void test_lost(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, NULL);
    UNTIL(&world, world.word == TUNNEL_UP);
    child_says(&world, "");
    UNTIL(&world, world.words == 2);
    assert_int_equal(world.word, TUNNEL_API_LOST);
    assert_int_equal(world.carrier.ops->word(world.carrier.self), TUNNEL_API_LOST);
    UNTIL(&world, world.word == TUNNEL_UP); /* with a pause */
    assert_int_equal(starts(&world), 2);
    world_end(&world);
}

static void test_does_not_start(void **state)
{
    static const struct {
        const char *says;
        enum tunnel_word word;
    } rows[] = {
        {"error: error upgrading connection: pods \"web\" is forbidden: User \"x\" cannot create resource\n",
         TUNNEL_FORBIDDEN},
        {"Error from server (NotFound): pods \"web\" not found\n", TUNNEL_POD_GONE},
        {"The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?\n",
         TUNNEL_API_LOST},
        {"error: unable to forward port because pod is not running. Current status=Pending\n", TUNNEL_BACKOFF},
        {"", TUNNEL_BACKOFF},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world world;
        world_begin(&world, rows[i].says);
        UNTIL(&world, world.words == 2); /* it is tried again, and told again */
        assert_string_equal(tunnel_word_name(world.word), tunnel_word_name(rows[i].word));
        assert_true(call_is_refused(&world.carrier, 8000));
        world_end(&world);
    }
}

/* Others are starting: this one waits for its turn. */
static void test_crowd(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, NULL);
    world.crowd.starting = CHILDREN_STARTING_MAX;
    int64_t until = clock_mono_us() + 300 * MILLISECOND_US;
    UNTIL(&world, clock_mono_us() > until);
    assert_int_equal(starts(&world), 0);
    world.crowd.starting = 0;
    UNTIL(&world, world.word == TUNNEL_UP);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_served),         cmocka_unit_test(test_refused), cmocka_unit_test(test_refused_and_stays),
        cmocka_unit_test(test_banner),         cmocka_unit_test(test_closed),  cmocka_unit_test(test_lost),
        cmocka_unit_test(test_does_not_start), cmocka_unit_test(test_crowd),
    };
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
