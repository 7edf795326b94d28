/* The real `kubectl proxy` with our filters before a real API server: what passes and what does not. Needs kubectl in PATH and KUBECONFIG with the rights of an administrator, so that only the filters can say 403; skips itself otherwise. Changes nothing. */
#include "base/buf.h"
#include "base/clock.h"
#include "kube/kubectl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    DEADLINE_MS = 30000,
    ANSWER_SECONDS = 15,
    REQUEST_MAX = 1024,
    SAID_MAX = 64 * 1024,
    BY_FILTER = 403,
    NOT_BY_FILTER = -403
};

struct stage {
    uv_loop_t loop;
    uv_timer_t deadline;
    char dir[64], kubeconfig[96];
    struct kubectl_flags flags;
    char *kubectl;
    struct kubectl_proxy *proxy;
    struct buf said;
    enum kubectl_word word, wanted; /* wanted: of which a telling as UP ends the waiting */
};

static void on_deadline(uv_timer_t *timer)
{
    struct stage *stage = timer->data;
    fail_msg("the proxy did not do as expected; it said:\n%s", buf_str(&stage->said));
}

static void on_state(void *user, enum proxy_state state, enum kubectl_word word, const char *words)
{
    struct stage *stage = user;
    buf_printf(&stage->said, "%d %s: %s\n", (int)state, kubectl_word_name(word), words);
    stage->word = word;
    if (state == PROXY_UP && word == stage->wanted)
        uv_stop(&stage->loop);
}

static int setup(void **state)
{
    static struct stage stage;
    struct problem problem = {""};
    memset(&stage, 0, sizeof stage);
    *state = &stage;
    if (!getenv("KUBECONFIG") || kubectl_find(&stage.flags, &stage.kubectl, &problem) != STATUS_OK)
        return 0;
    snprintf(stage.dir, sizeof stage.dir, "/tmp/probetop-proxy-XXXXXX");
    if (!mkdtemp(stage.dir))
        return -1;
    snprintf(stage.kubeconfig, sizeof stage.kubeconfig, "%s/config", stage.dir);
    buf_init(&stage.said, SAID_MAX);
    uv_loop_init(&stage.loop);
    uv_timer_init(&stage.loop, &stage.deadline);
    stage.deadline.data = &stage;
    uv_timer_start(&stage.deadline, on_deadline, DEADLINE_MS, 0);
    return 0;
}

static int teardown(void **state)
{
    struct stage *stage = *state;
    if (!stage->kubectl)
        return 0;
    if (stage->proxy)
        kubectl_proxy_free(stage->proxy, NULL, NULL);
    uv_close((uv_handle_t *)&stage->deadline, NULL);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    buf_free(&stage->said);
    free(stage->kubectl);
    unlink(stage->kubeconfig);
    /* the directory is empty again: the socket is gone */
    return rmdir(stage->dir) == 0 && uv_loop_close(&stage->loop) == 0 ? 0 : -1;
}

/* Until the proxy serves and says this. */
static void proxy_wait(struct stage *stage, enum kubectl_word word)
{
    stage->wanted = word;
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    assert_int_equal(stage->word, word);
}

static void proxy_begin(struct stage *stage, bool allow_post, bool allow_podproxy)
{
    struct kubectl_proxy_options options = {.loop = &stage->loop,
                                            .flags = &stage->flags,
                                            .kubectl = stage->kubectl,
                                            .dir = stage->dir,
                                            .allow_post = allow_post,
                                            .allow_podproxy = allow_podproxy,
                                            .state = on_state,
                                            .user = stage};
    stage->proxy = kubectl_proxy_new(&options);
    proxy_wait(stage, KUBECTL_OTHER);
}

/* One request over the socket; the status of its answer. */
static int ask(const struct stage *stage, const char *method, const char *path, const char *host)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = ANSWER_SECONDS};
    char request[REQUEST_MAX], answer[64];
    size_t have = 0;
    int status = -1, fd = socket(AF_UNIX, SOCK_STREAM, 0);
    const char *socket_path = kubectl_proxy_socket(stage->proxy);
    memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    int length = snprintf(request, sizeof request,
                          "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Type: application/json\r\n"
                          "Content-Length: 2\r\n\r\n{}",
                          method, path, host);
    assert_int_equal(send(fd, request, (size_t)length, MSG_NOSIGNAL), length);
    while (have < sizeof answer - 1) {
        ssize_t got = recv(fd, answer + have, sizeof answer - 1 - have, 0);
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    answer[have] = '\0';
    close(fd);
    if (sscanf(answer, "HTTP/1.1 %d", &status) != 1)
        print_error("%s %s: \"%s\"\n", method, path, answer);
    return status;
}

#define NS "/api/v1/namespaces/default"
#define NOBODY "/pods/no-such-pod"

static const struct {
    const char *path;
    int plain, posting; /* the status by the plain filters, and by those that let POST through */
} GETS[] = {
    {"/version", 200, BY_FILTER},
    {NS "/pods", 200, BY_FILTER},
    {NS "/pods?limit=1&labelSelector=a%3Db", 200, BY_FILTER},
    {"/api/v1/pods?limit=1", 200, BY_FILTER},
    {NS "/events?limit=1", 200, BY_FILTER},
    {NS NOBODY, 404, BY_FILTER},
    {NS NOBODY "/log?container=vllm&tailLines=1", 404, BY_FILTER},
    {NS NOBODY "/portforward", 404, 404},
    {"/apis/inference.networking.k8s.io/v1/namespaces/default/inferencepools", NOT_BY_FILTER, BY_FILTER},
    {"/", BY_FILTER, BY_FILTER},
    {"/api", BY_FILTER, BY_FILTER},
    {"/metrics", BY_FILTER, BY_FILTER},
    {"/api/v1/secrets", BY_FILTER, BY_FILTER},
    {NS "/secrets", BY_FILTER, BY_FILTER},
    {NS "/configmaps", BY_FILTER, BY_FILTER},
    {"/api/v1/nodes", BY_FILTER, BY_FILTER},
    {"/api/v1/namespaces", BY_FILTER, BY_FILTER},
    {NS NOBODY "/exec?command=id", BY_FILTER, BY_FILTER},
    {NS NOBODY "/attach", BY_FILTER, BY_FILTER},
    {NS NOBODY "/proxy/", BY_FILTER, BY_FILTER},
    {NS NOBODY "/status", BY_FILTER, BY_FILTER},
    {NS "%2fsecrets", BY_FILTER, BY_FILTER},
    {NS NOBODY "%2fexec", BY_FILTER, BY_FILTER},
    {NS "/pods%00", BY_FILTER, BY_FILTER},
    {NS "/pods%0a", BY_FILTER, BY_FILTER},
};

/* kubectl tidies such paths up by a redirection, before it filters; what it redirects to is filtered. Up to 1.29 it undoes the escapes before that. */
static const char *const UNTIDY[] = {NS "/pods/../secrets", NS "/pods/%2e%2e/secrets", NS "/pods/x%2f..%2f..%2fsecrets",
                                     NS "//secrets", "/api/v1/./secrets"};

static const char *const WRITES[] = {NS "/pods",
                                     NS NOBODY,
                                     NS NOBODY "/log",
                                     NS NOBODY "/exec",
                                     NS NOBODY "/attach",
                                     NS NOBODY "/eviction",
                                     NS NOBODY "/binding",
                                     NS NOBODY "/ephemeralcontainers",
                                     NS "/secrets",
                                     NS "/events",
                                     "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                                     "/version"};

static void filters_hold(struct stage *stage, bool allow_post)
{
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "CONNECTED"};
    for (size_t i = 0; i < sizeof GETS / sizeof *GETS; i++) {
        int expected = allow_post ? GETS[i].posting : GETS[i].plain;
        int status = ask(stage, "GET", GETS[i].path, "localhost");
        if (expected == NOT_BY_FILTER ? status == BY_FILTER : status != expected)
            fail_msg("GET %s: %d, not %d", GETS[i].path, status, expected);
        assert_int_equal(ask(stage, "GET", GETS[i].path, "evil.example"), BY_FILTER);
    }
    for (size_t i = 0; i < sizeof UNTIDY / sizeof *UNTIDY; i++)
        assert_in_range(ask(stage, "GET", UNTIDY[i], "localhost"), 301, BY_FILTER);
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        for (size_t i = 0; i < sizeof WRITES / sizeof *WRITES; i++)
            if (ask(stage, methods[m], WRITES[i], "localhost") != BY_FILTER)
                fail_msg("%s %s has passed", methods[m], WRITES[i]);
        bool passes = allow_post && strcmp(methods[m], "POST") == 0;
        int status = ask(stage, methods[m], NS NOBODY "/portforward", "localhost");
        assert_int_equal(status, passes ? 404 : BY_FILTER);
    }
}

static void nothing_but_reading_gets_through(void **state)
{
    struct stage *stage = *state;
    struct stat about;
    if (!stage->kubectl)
        skip();
    proxy_begin(stage, false, false);
    assert_int_equal(lstat(kubectl_proxy_socket(stage->proxy), &about), 0);
    assert_true(S_ISSOCK(about.st_mode));
    assert_int_equal(about.st_mode & 0777, 0600);
    filters_hold(stage, false);
}

static void posts_get_through_to_port_forwards_alone(void **state)
{
    struct stage *stage = *state;
    if (!stage->kubectl)
        skip();
    proxy_begin(stage, true, false);
    filters_hold(stage, true);
}

static void the_pods_proxy_is_let_through_where_it_was_asked_for(void **state)
{
    struct stage *stage = *state;
    if (!stage->kubectl)
        skip();
    proxy_begin(stage, false, true);
    assert_int_equal(ask(stage, "GET", NS "/pods/http:no-such-pod:8000/proxy/health", "localhost"), 404);
    assert_int_equal(ask(stage, "POST", NS "/pods/http:no-such-pod:8000/proxy/health", "localhost"), BY_FILTER);
    assert_int_equal(ask(stage, "GET", NS "/services/http:kubernetes:443/proxy/", "localhost"), BY_FILTER);
    assert_int_equal(ask(stage, "GET", NS "/pods", "localhost"), 200);
}

/* A kubeconfig whose credential plugin is this shell command. */
static void plugin_set(struct stage *stage, const char *command)
{
    FILE *file = fopen(stage->kubeconfig, "w");
    assert_non_null(file);
    fprintf(file,
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
            "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', insecure-skip-tls-verify: true}}]\n"
            "contexts: [{name: c, context: {cluster: c, user: u}}]\n"
            "users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: sh, args: [-c, "
            "'%s'], interactiveMode: IfAvailable}}}]\n",
            command);
    fclose(file);
    stage->flags.kubeconfig = stage->kubeconfig;
}

static void a_login_that_fails_is_said(void **state)
{
    struct stage *stage = *state;
    if (!stage->kubectl)
        skip();
    plugin_set(stage, "exit 7");
    proxy_begin(stage, false, false);
    assert_int_not_equal(ask(stage, "GET", "/version", "localhost"), 200);
    proxy_wait(stage, KUBECTL_PLUGIN_FAILED);
    assert_non_null(strstr(buf_str(&stage->said), "executable sh failed with exit code 7"));
}

/* A login that asks the person to do something elsewhere. It is not handed a terminal either, which the screen has. */
static void what_a_login_asks_for_is_told(void **state)
{
    struct stage *stage = *state;
    if (!stage->kubectl)
        skip();
    plugin_set(stage, "echo Open https://login.example/device >&2; exec 3</dev/tty && exit 8; exit 9");
    proxy_begin(stage, false, false);
    assert_int_not_equal(ask(stage, "GET", "/version", "localhost"), 200);
    proxy_wait(stage, KUBECTL_PLUGIN_FAILED);
    assert_non_null(strstr(buf_str(&stage->said), "1 other: Open https://login.example/device"));
    assert_null(strstr(buf_str(&stage->said), "exit code 8"));
}

static void a_context_that_does_not_exist_is_said(void **state)
{
    struct stage *stage = *state;
    char context[] = "no-such-context";
    if (!stage->kubectl)
        skip();
    stage->flags.context = context;
    struct kubectl_proxy_options options = {.loop = &stage->loop,
                                            .flags = &stage->flags,
                                            .kubectl = stage->kubectl,
                                            .dir = stage->dir,
                                            .state = on_state,
                                            .user = stage};
    stage->proxy = kubectl_proxy_new(&options);
    while (stage->word != KUBECTL_NO_CONTEXT)
        uv_run(&stage->loop, UV_RUN_ONCE);
    assert_non_null(strstr(buf_str(&stage->said), context));
}

static void on_context(void *user, const char *context, const char *ns, enum kubectl_word word, const char *words)
{
    struct stage *stage = user;
    buf_printf(&stage->said, "%s|%s|%s|%s", context ? context : "-", ns ? ns : "-", kubectl_word_name(word), words);
    uv_stop(&stage->loop);
}

static void the_context_is_told(void **state)
{
    struct stage *stage = *state;
    char context[] = "no-such-context";
    if (!stage->kubectl)
        skip();
    kubectl_context(&stage->loop, stage->kubectl, &stage->flags, on_context, stage);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    assert_null(strstr(buf_str(&stage->said), "-|-"));
    assert_non_null(strstr(buf_str(&stage->said), "|other|"));
    buf_clear(&stage->said);
    stage->flags.context = context;
    kubectl_context(&stage->loop, stage->kubectl, &stage->flags, on_context, stage);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    assert_non_null(strstr(buf_str(&stage->said), "-|-|no-context|"));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(nothing_but_reading_gets_through),
        T(posts_get_through_to_port_forwards_alone),
        T(the_pods_proxy_is_let_through_where_it_was_asked_for),
        T(a_login_that_fails_is_said),
        T(what_a_login_asks_for_is_told),
        T(a_context_that_does_not_exist_is_said),
        T(the_context_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
