/* What probetop itself lacks is never the pod's fault. Without descriptors or local ports the answer is unknown, counts for nothing, and watching goes on; without memory the half that needs it ends,
 * and the other gives the terminal back and says so. */
#include "base/clock.h"
#include "engine/journal.h"
#include "probe/classify.h"
#include "probe/http.h"
#include "tests/support/pty.h"
#include "tests/support/raw_server.h"
#include "tests/support/run.h"
#include "tests/support/unshare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BODY "{\"object\":\"list\",\"data\":[{\"id\":\"m\",\"owned_by\":\"vllm\",\"permission\":[]}]}"
#define REPLY "HTTP/1.1 200 OK\r\nServer: uvicorn\r\nConnection: close\r\n\r\n" BODY

enum { DEADLINE_US = 20 * SECOND_US, TIMEOUT_US = 5 * SECOND_US, FILLERS_MAX = 16, ROUNDS = 3 };

/* ---- no descriptor left ---- */

/* What a recording holds of one pod's probes. */
struct tally {
    int good, tool, other;
    bool good_after_tool;
    char other_words[128];
};

static void tally_take(struct tally *tally, const struct sample *sample)
{
    if (sample->outcome == OUTCOME_OK) {
        tally->good++;
        tally->good_after_tool = tally->tool > 0;
    } else if (sample->outcome == OUTCOME_UNKNOWN && sample->cause == PROBE_CAUSE_TOOL) {
        tally->tool++;
    } else {
        tally->other++;
        snprintf(tally->other_words, sizeof tally->other_words, "%s, %s", outcome_name(sample->outcome),
                 probe_cause_name(sample->cause));
    }
}

static struct tally tally_of(const char *path)
{
    struct tally tally = {0};
    struct journal_reader *reader;
    struct problem problem = {{0}};
    struct fact fact;
    if (journal_open(path, &reader, &problem) != STATUS_OK)
        return tally; /* not there yet */
    while (journal_next(reader, &fact, &problem) == STATUS_OK) {
        if (fact.kind == FACT_PROBE)
            tally_take(&tally, &fact.u.sample);
        fact_free(&fact);
    }
    journal_reader_free(reader);
    return tally;
}

struct watched {
    struct raw_server server;
    uv_loop_t loop;
    struct run run;
    char dir[64], recording[96];
};

/* Line mode over one healthy pod whose kubelet would act at the first failure. */
static void watched_start(struct watched *watched)
{
    char path[96];
    memset(watched, 0, sizeof *watched);
    uv_loop_init(&watched->loop);
    run_directory(watched->dir);
    watched->server.reply = REPLY;
    watched->server.length = strlen(REPLY);
    int32_t port = raw_listen(&watched->server, &watched->loop, "127.0.0.1");
    assert_true(port > 0);
    snprintf(path, sizeof path, "%s/conf", watched->dir);
    snprintf(watched->recording, sizeof watched->recording, "%s/run.jsonl", watched->dir);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(
        file,
        "[endpoint pod]\nurl = http://127.0.0.1:%d\nstartupProbe = off\nreadinessProbe.periodSeconds = 1\n"
        "readinessProbe.failureThreshold = 1\nlivenessProbe.periodSeconds = 1\nlivenessProbe.failureThreshold = 1\n",
        (int)port);
    fclose(file);
    run_start(
        &watched->run,
        (const char *const[]){getenv("PROBETOP"), "--lines", "--config", path, "--record", watched->recording, NULL},
        watched->dir, &watched->loop);
}

static void watched_end(struct watched *watched)
{
    run_end(&watched->run);
    raw_stop(&watched->server);
    uv_run(&watched->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&watched->loop), 0);
    run_directory_remove(watched->dir);
}

/* At least so many of each. */
static struct tally wait_for_tally(struct watched *watched, int good, int tool)
{
    int64_t until = clock_mono_us() + DEADLINE_US;
    struct tally tally;
    do {
        run_pump(&watched->run);
        tally = tally_of(watched->recording);
    } while ((tally.good < good || tally.tool < tool) && !watched->run.exited && clock_mono_us() < until);
    if (tally.good < good || tally.tool < tool)
        fail_msg("%d good and %d unknown probes; the program says: %s", tally.good, tally.tool,
                 buf_str(&watched->run.out));
    return tally;
}

static void no_descriptor_left(void **state)
{
    (void)state;
    if (!pty_has_program())
        skip();
    struct watched watched;
    struct rlimit before, none;
    watched_start(&watched);
    assert_true(run_wait_text(&watched.run, "pod became Ready"));
    assert_int_equal(prlimit(watched.run.pid, RLIMIT_NOFILE, NULL, &before), 0);
    none = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
    assert_int_equal(prlimit(watched.run.pid, RLIMIT_NOFILE, &none, NULL), 0);
    struct tally tally = wait_for_tally(&watched, 1, 2 * ROUNDS);
    assert_int_equal(prlimit(watched.run.pid, RLIMIT_NOFILE, &before, NULL), 0);
    tally = wait_for_tally(&watched, tally.good + 2 * ROUNDS, 1);
    assert_true(tally.good_after_tool);
    if (tally.other > 0)
        fail_msg("%d probes were told as the pod's: %s", tally.other, tally.other_words);
    assert_int_equal(kill(watched.run.pid, SIGINT), 0);
    assert_true(run_wait_exit(&watched.run));
    /* nothing has happened to the pod */
    assert_null(strstr(buf_str(&watched.run.out), "failed"));
    assert_null(strstr(buf_str(&watched.run.out), "fails"));
    const char *ready = strstr(buf_str(&watched.run.out), "pod became Ready");
    assert_null(strstr(ready + 1, "pod became"));
    watched_end(&watched);
}

/* ---- no memory left ---- */

static bool is_sanitized(void)
{
    const char *flags = getenv("PROBETOP_SANITIZED");
    bool sanitized = flags != NULL && flags[0] != '\0';
    if (sanitized)
        print_message("           the address sanitizer needs more address space than any limit leaves\n");
    return sanitized;
}

static bool is_restored(struct pty *pty, const void *user)
{
    (void)user;
    return pty_is_restored(pty);
}

/* The limit lies below what the half uses, so whatever it asks the system for next is refused; 30 pods that are loading make both halves grow all the time.
 * `side`: the terminal becomes so large a square besides; 0: it stays as it is. */
static void memory_end(bool screen, int side, const char *sentence)
{
    struct rlimit little;
    struct pty *pty =
        pty_start(&(struct pty_options){.arguments = (const char *const[]){"demo", "rollout", "--pods", "30", NULL}});
    if (!pty_wait_screen(pty)) {
        pty_print(pty);
        fail_msg("no screen");
    }
    pid_t half = screen ? pty->pid : pty_engine(pty);
    assert_true(half > 0);
    assert_int_equal(prlimit(half, RLIMIT_AS, NULL, &little), 0);
    little.rlim_cur = 1 << 20;
    assert_int_equal(prlimit(half, RLIMIT_AS, &little, NULL), 0);
    if (side > 0)
        pty_resize(pty, side, side);
    assert_true(pty_wait_exit(pty));
    assert_true(pty_wait_alone(pty));
    assert_true(WIFEXITED(pty->status));
    assert_int_equal(WEXITSTATUS(pty->status), 2);
    if (!pty_wait(pty, is_restored, NULL, PTY_WAIT_MS) || !pty_wait_text(pty, sentence)) {
        pty_print(pty);
        fail_msg("the terminal is not as it was, or nothing is said");
    }
    pty_free(pty);
}

static void no_memory_for_the_engine_half(void **state)
{
    (void)state;
    if (!pty_has_program() || is_sanitized())
        skip();
    memory_end(false, 0, "the engine half ended with exit status 2");
}

static void no_memory_for_the_screen_half(void **state)
{
    (void)state;
    if (!pty_has_program() || is_sanitized())
        skip();
    memory_end(true, 0, "the screen half has ended before its time");
}

static void no_memory_for_a_larger_terminal(void **state)
{
    (void)state;
    if (!pty_has_program() || is_sanitized())
        skip();
    memory_end(true, 1000, "the screen half has ended before its time");
}

/* ---- no local port left ---- */

/* A network of this process's own begins with its loopback down; nobody else uses its range of ports. */
static bool loopback_up(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool up = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0;
    request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
    up = up && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    if (fd >= 0)
        close(fd);
    return up;
}

struct asking {
    uv_loop_t loop;
    struct http *http;
    struct raw_server server;
    struct sample sample;
    int times;
};

static void on_done(void *user, const struct http_result *result)
{
    static const struct classify_question question = {
        .lane = LANE_READINESS, .action = PROBE_HTTP_GET, .path = "/", .tunnel = TUNNEL_UP, .expected_model = ""};
    struct asking *asking = user;
    asking->times++;
    classify(&question, result, 1, &asking->sample);
}

static void ask(struct asking *asking, int32_t port)
{
    struct http_address address = {.host = "127.0.0.1", .port = port};
    struct probe_spec spec = {0};
    int64_t until = clock_mono_us() + DEADLINE_US;
    probe_spec_http(&spec, "/", port);
    asking->times = 0;
    http_get(asking->http, &spec, &address, NULL, TIMEOUT_US, on_done, asking);
    while (asking->times == 0 && clock_mono_us() < until) {
        uv_run(&asking->loop,
               UV_RUN_NOWAIT); /* the end may come in the timers' turn, and a waiting loop would then wait on */
        poll(NULL, 0, 1);
    }
    assert_int_equal(asking->times, 1);
    probe_spec_free(&spec);
}

/* Connects until there is no port to do it from. Returns how many connections that took. */
static int fill(int32_t port, int *fds)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct linger at_once = {.l_onoff = 1}; /* a reset at close(), which leaves no port waiting */
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int count = 0; count < FILLERS_MAX; count++) {
        fds[count] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(fds[count], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        if (connect(fds[count], (struct sockaddr *)&address, sizeof address) != 0) {
            assert_int_equal(errno, EADDRNOTAVAIL);
            close(fds[count]);
            return count;
        }
    }
    fail_msg("there is always one more port");
    return 0;
}

static void no_local_port_left(void **state)
{
    (void)state;
    struct asking asking = {.server = {.reply = REPLY, .length = strlen(REPLY)}};
    int fds[FILLERS_MAX];
    if (!unshare_own(CLONE_NEWNET) || !loopback_up()) {
        print_message("           no network of our own: %s\n", strerror(errno));
        skip();
    }
    uv_loop_init(&asking.loop);
    asking.http = http_new(&asking.loop, "kube-probe/1.34");
    sample_init(&asking.sample);
    int32_t port = raw_listen(&asking.server, &asking.loop, "127.0.0.1");
    assert_true(port > 0);
    bool narrow = unshare_write("/proc/sys/net/ipv4/ip_local_port_range", port < 40000 ? "61000 61003" : "31000 31003");
    if (narrow) {
        int count = fill(port, fds);
        assert_true(count > 0);
        for (int i = 0; i < ROUNDS; i++) {
            ask(&asking, port);
            assert_int_equal(asking.sample.outcome, OUTCOME_UNKNOWN);
            assert_int_equal(asking.sample.cause, PROBE_CAUSE_TOOL);
            assert_false(text_empty(&asking.sample.detail));
        }
        while (count > 0)
            close(fds[--count]);
        ask(&asking, port);
        assert_int_equal(asking.sample.outcome, OUTCOME_OK);
    }
    sample_free(&asking.sample);
    http_free(asking.http);
    raw_stop(&asking.server);
    uv_run(&asking.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&asking.loop), 0);
    if (!narrow) {
        print_message("           the range of local ports is not to be changed even so\n");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_descriptor_left),
        cmocka_unit_test(no_memory_for_the_engine_half),
        cmocka_unit_test(no_memory_for_the_screen_half),
        cmocka_unit_test(no_memory_for_a_larger_terminal),
        cmocka_unit_test(no_local_port_left), /* the last: this process is in another network from there on */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
