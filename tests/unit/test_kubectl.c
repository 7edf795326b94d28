/* kubectl as seen from here: which program, what its words mean, what its proxy lets through, and the proxy's life with a script in kubectl's place. */
#include "base/buf.h"
#include "base/clock.h"
#include "kube/kubectl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { DEADLINE_MS = 20000, SAID_MAX = 64 * 1024, PATH_BYTES = 256 };

struct stage {
    uv_loop_t loop;
    uv_timer_t deadline;
    char dir[64], kubectl[PATH_BYTES]; /* where the script is */
    char *path;                        /* PATH as it was */
    struct kubectl_proxy *proxy;
    struct buf said; /* states and what goes with them, a line each */
    size_t calls, stop_after;
    uint64_t at[8]; /* uv_now() of the first states */
    pid_t group;
    bool done;
    enum proxy_state state;
    enum kubectl_word word;
};

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("it did not come in time");
}

static int setup(void **state)
{
    static struct stage stage;
    memset(&stage, 0, sizeof stage);
    snprintf(stage.dir, sizeof stage.dir, "/tmp/probetop-kubectl-XXXXXX");
    if (!mkdtemp(stage.dir))
        return -1;
    snprintf(stage.kubectl, sizeof stage.kubectl, "%s/kubectl", stage.dir);
    stage.path = strdup(getenv("PATH"));
    buf_init(&stage.said, SAID_MAX);
    uv_loop_init(&stage.loop);
    uv_timer_init(&stage.loop, &stage.deadline);
    uv_timer_start(&stage.deadline, on_deadline, DEADLINE_MS, 0);
    uv_unref((uv_handle_t *)&stage.deadline);
    *state = &stage;
    return 0;
}

static int teardown(void **state)
{
    struct stage *stage = *state;
    char command[PATH_BYTES];
    if (stage->proxy)
        kubectl_proxy_free(stage->proxy, NULL, NULL); /* a test failed on the way */
    uv_close((uv_handle_t *)&stage->deadline, NULL);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    buf_free(&stage->said);
    setenv("PATH", stage->path, 1);
    free(stage->path);
    snprintf(command, sizeof command, "rm -rf '%s'", stage->dir);
    return system(command) == 0 && uv_loop_close(&stage->loop) == 0 ? 0 : -1;
}

/* A script, 0755, in the stage's directory. */
static void script_write(const char *path, const char *body)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s\n", body);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0755), 0);
}

/* ---- which program ---- */

static char *in_dir(const struct stage *stage, const char *name, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/%s", stage->dir, name);
    return out;
}

static enum status find(const char *kubectl, char **out, struct problem *problem)
{
    char *name = kubectl ? strdup(kubectl) : NULL;
    struct kubectl_flags flags = {.kubectl = name};
    enum status status = kubectl_find(&flags, out, problem);
    free(name);
    return status;
}

static void found(const char *kubectl, const char *expected)
{
    struct problem problem = {""};
    char *out;
    if (find(kubectl, &out, &problem) != STATUS_OK)
        fail_msg("%s", problem.text);
    assert_string_equal(out, expected);
    free(out);
}

static void refused(const char *kubectl, enum status status, const char *words)
{
    struct problem problem = {""};
    char *out;
    assert_int_equal(find(kubectl, &out, &problem), status);
    assert_null(out);
    if (!strstr(problem.text, words))
        fail_msg("\"%s\" is not in: %s", words, problem.text);
    assert_non_null(strstr(problem.text, "--kubectl"));
}

static void the_first_in_path_is_run(void **state)
{
    struct stage *stage = *state;
    char first[PATH_BYTES], second[PATH_BYTES], path[3 * PATH_BYTES], program[2 * PATH_BYTES];
    mkdir(in_dir(stage, "first", first), 0755);
    mkdir(in_dir(stage, "second", second), 0755);
    snprintf(path, sizeof path, ".:bin::%s:%s", first, second);
    setenv("PATH", path, 1);
    refused(NULL, STATUS_NOT_FOUND, first);
    refused(NULL, STATUS_NOT_FOUND, second);
    refused(NULL, STATUS_NOT_FOUND, "passed over, since they are no absolute paths: ., bin");
    refused("kubectl-1.29", STATUS_NOT_FOUND, "kubectl-1.29");
    snprintf(program, sizeof program, "%s/kubectl", second);
    script_write(program, "");
    found(NULL, program);
    found("", program);
    found("kubectl", program);
    snprintf(program, sizeof program, "%s/kubectl", first);
    mkdir(program, 0755); /* no file */
    snprintf(program, sizeof program, "%s/kubectl", second);
    found(NULL, program);
    snprintf(program, sizeof program, "%s/kubectl", first);
    rmdir(program);
    script_write(program, "");
    found(NULL, program);
    assert_int_equal(chdir(second), 0); /* a relative entry is not looked at even where there is one */
    found(NULL, program);
    unsetenv("PATH");
    refused(NULL, STATUS_NOT_FOUND, "PATH is empty");
    assert_int_equal(chdir("/"), 0);
}

static void a_path_is_taken_as_it_is_and_made_absolute(void **state)
{
    struct stage *stage = *state;
    char here[PATH_BYTES], link[PATH_BYTES];
    script_write(stage->kubectl, "");
    found(stage->kubectl, stage->kubectl);
    assert_int_equal(chdir(stage->dir), 0);
    assert_non_null(getcwd(here, sizeof here));
    char expected[2 * PATH_BYTES];
    snprintf(expected, sizeof expected, "%s/./kubectl", here);
    found("./kubectl", expected);
    assert_int_equal(symlink(stage->kubectl, in_dir(stage, "k", link)), 0);
    found(link, link); /* a link keeps its name */
    refused("/nonexistent/kubectl", STATUS_NOT_FOUND, "/nonexistent/kubectl");
    refused("./nothing", STATUS_NOT_FOUND, "./nothing");
    refused(stage->dir, STATUS_NOT_FOUND, stage->dir);
    chmod(stage->kubectl, 0644);
    refused(stage->kubectl, STATUS_NOT_FOUND, stage->kubectl);
    assert_int_equal(chdir("/"), 0);
}

static void what_others_may_write_is_not_run(void **state)
{
    static const mode_t bad[] = {0757, 0775, 0777};
    struct stage *stage = *state;
    script_write(stage->kubectl, "");
    setenv("PATH", stage->dir, 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        chmod(stage->kubectl, bad[i]);
        refused(NULL, STATUS_DENIED, stage->kubectl);
        refused(stage->kubectl, STATUS_DENIED, "chmod go-w");
    }
    chmod(stage->kubectl, 0755);
    found(NULL, stage->kubectl);
    chmod(stage->dir, 0777); /* anybody may put another in its place */
    refused(NULL, STATUS_DENIED, stage->kubectl);
    chmod(stage->dir, 01777);
    found(NULL, stage->kubectl);
    if (geteuid() == 0 && chown(stage->kubectl, 12345, 0) == 0)
        refused(NULL, STATUS_DENIED, stage->kubectl);
}

/* ---- its arguments ---- */

static void arguments_are(const struct kubectl_flags *flags, const char *expected)
{
    static const char *const rest[] = {"config", "view", NULL};
    char **argv = kubectl_argv("/bin/kubectl", flags, rest), joined[512] = "";
    for (char **argument = argv; *argument; argument++) {
        size_t length = strlen(joined);
        snprintf(joined + length, sizeof joined - length, "%s%s", length ? "|" : "", *argument);
    }
    assert_string_equal(joined, expected);
    kubectl_argv_free(argv);
}

static void flags_are_passed_on_in_kubectls_spelling(void **state)
{
    char *groups[] = {"a", "b"};
    (void)state;
    arguments_are(&(struct kubectl_flags){0}, "/bin/kubectl|config|view");
    arguments_are(&(struct kubectl_flags){.context = "", .ns = "x"}, "/bin/kubectl|config|view");
    arguments_are(&(struct kubectl_flags){.kubectl = "k",
                                          .kubeconfig = "f",
                                          .context = "c",
                                          .cluster = "l",
                                          .user = "u",
                                          .as = "s",
                                          .as_uid = "7",
                                          .request_timeout = "5s",
                                          .ns = "n",
                                          .as_groups = groups,
                                          .as_group_count = 2},
                  "/bin/kubectl|config|view|--kubeconfig=f|--context=c|--cluster=l|--user=u|--as=s|--as-uid=7|"
                  "--request-timeout=5s|--as-group=a|--as-group=b");
}

/* ---- its words ---- */

#define SANDBOX "8d2f31c0a9b4e7"
#define REFUSED                                                                                                        \
    "error forwarding port 8000 to pod " SANDBOX ", uid : failed to execute portforward in network namespace "         \
    "\"/var/run/netns/cni-1\": failed to connect to localhost:8000 inside namespace \"" SANDBOX                        \
    "\", IPv4: dial tcp4 127.0.0.1:8000: connect: connection refused IPv6 dial tcp6: address localhost: no suitable "  \
    "address found"
#define REFUSED_ESCAPED                                                                                                \
    "error forwarding port 8000 to pod " SANDBOX ", uid : failed to execute portforward in network namespace "         \
    "\\\"/var/run/netns/cni-1\\\": failed to connect to localhost:8000 inside namespace \\\"" SANDBOX                  \
    "\\\", IPv4: dial tcp4 127.0.0.1:8000: connect: connection refused"

static const struct {
    const char *text;
    enum kubectl_word word;
} WORDS[] = {
    {"", KUBECTL_OTHER},
    {"Handling connection for 8000", KUBECTL_OTHER},
    {"error: unknown flag: --unix-sockets", KUBECTL_OTHER},
    /* refused in the pod: 1.20 to 1.30, 1.31 to 1.35, newer */
    {"E0309 12:00:01.000001    4242 portforward.go:400] an error occurred forwarding 40295 -> 8000: " REFUSED,
     KUBECTL_REFUSED_IN_POD},
    {"E0309 12:00:01.000001    4242 portforward.go:409] an error occurred forwarding 40295 -> 8000: " REFUSED
     "\nerror: lost connection to pod",
     KUBECTL_REFUSED_IN_POD},
    {"E0309 12:00:01.000001    4242 portforward.go:424] \"Unhandled Error\" err=\"an error occurred forwarding 40295 "
     "-> "
     "8000: " REFUSED_ESCAPED "\"\nerror: lost connection to pod",
     KUBECTL_REFUSED_IN_POD},
    {"E0309 12:00:01.000001    4242 portforward.go:431] \"An error occurred forwarding\" err=\"" REFUSED_ESCAPED
     "\" localPort=40295 remotePort=8000",
     KUBECTL_REFUSED_IN_POD},
    /* CRI-O and docker */
    {"an error occurred forwarding 40295 -> 8000: error forwarding port 8000 to pod " SANDBOX
     ", uid : exit status 1: 2021/03/09 12:00:01 socat[77] E connect(5, AF=2 127.0.0.1:8000, 16): Connection refused",
     KUBECTL_REFUSED_IN_POD},
    {"an error occurred forwarding 40295 -> 8000: error forwarding port 8000 to pod " SANDBOX
     ", uid : port forward into network namespace \"/var/run/netns/1\": failed to connect to localhost:8000 inside "
     "namespace " SANDBOX ": dial tcp [::1]:8000: connect: connection refused",
     KUBECTL_REFUSED_IN_POD},
    {"an error occurred forwarding 1 -> 2: error forwarding port 2 to pod x, uid : unable to do port forwarding: socat "
     "not found",
     KUBECTL_FORWARD_FAILED},
    {"E0309 12:00:01.000001    4242 portforward.go:409] an error occurred forwarding 40295 -> 8000: error forwarding "
     "port 8000 to pod " SANDBOX ", uid : failed to execute portforward in network namespace \"/n\": read tcp4 "
     "127.0.0.1:5->127.0.0.1:8000: read: connection reset by peer\nerror: lost connection to pod",
     KUBECTL_RESET_IN_POD},
    /* the sandbox: containerd new and old, CRI-O, docker */
    {"an error occurred forwarding 1 -> 8000: error forwarding port 8000 to pod " SANDBOX
     ", uid : network namespace for sandbox \"" SANDBOX "\" is closed",
     KUBECTL_SANDBOX_GONE},
    {"\"Unhandled Error\" err=\"an error occurred forwarding 1 -> 8000: error forwarding port 8000 to pod x, uid : "
     "failed "
     "to find sandbox \\\"x\\\" in store: not found\"",
     KUBECTL_SANDBOX_GONE},
    {"an error occurred forwarding 1 -> 2: error forwarding port 2 to pod x, uid : Error: No such container: x",
     KUBECTL_SANDBOX_GONE},
    {"an error occurred forwarding 1 -> 2: error forwarding port 2 to pod x, uid : could not find sandbox x",
     KUBECTL_SANDBOX_GONE},
    {"an error occurred forwarding 1 -> 2: error forwarding port 2 to pod x, uid : failed to execute portforward in "
     "network namespace \"/n\": failed to Statfs \"/proc/77/ns/net\": no such file or directory",
     KUBECTL_SANDBOX_GONE},
    {"an error occurred forwarding 1 -> 2: error forwarding port 2 to pod x, uid : container not running (x)",
     KUBECTL_SANDBOX_GONE},
    {"error: lost connection to pod", KUBECTL_LOST_CONNECTION},
    {"E0309 12:00:01.000001    4242 portforward.go:347] error creating error stream for port 40295 -> 8000: Timeout "
     "occurred",
     KUBECTL_API_TIMEOUT},
    {"E0309 12:00:01.000001    4242 portforward.go:362] \"Unhandled Error\" err=\"error creating error stream for port "
     "40295 -> 8000: Timeout occurred\"",
     KUBECTL_API_TIMEOUT},
    /* what nobody needs to know: our own end went away first, or another version serves */
    {"E1124 07:20:00.123456   12345 portforward.go:385] error copying from local connection to remote stream: read "
     "tcp4 "
     "127.0.0.1:40295->127.0.0.1:5000: read: connection reset by peer",
     KUBECTL_OTHER},
    {"WARNING: version difference between client (1.33) and server (1.26) exceeds the supported minor version skew of "
     "+/-1",
     KUBECTL_OTHER},
    /* pods */
    {"error: unable to forward port because pod is not running. Current status=Pending", KUBECTL_POD_NOT_RUNNING},
    {"error: error upgrading connection: pod p1 does not have a host assigned", KUBECTL_POD_NOT_RUNNING},
    {"Error from server (NotFound): pods \"x\" not found", KUBECTL_POD_NOT_FOUND},
    {"error: error upgrading connection: pods \"x\" not found", KUBECTL_POD_NOT_FOUND},
    {"error: error upgrading connection: unable to upgrade connection: pod not found (\"p1_default\")",
     KUBECTL_POD_NOT_FOUND},
    {"error: error upgrading connection: unable to upgrade connection: pod does not exist", KUBECTL_POD_NOT_FOUND},
    {"error: Pod 'p1' does not have a named port 'x'", KUBECTL_NO_NAMED_PORT},
    {"Unable to listen on port 8000: Listeners failed to create with the following errors: [unable to create listener: "
     "Error listen tcp4 127.0.0.1:8000: bind: address already in use]\nerror: unable to listen on any of the requested "
     "ports: [{8000 8000}]",
     KUBECTL_LOCAL_PORT},
    {"error: listen unix /run/x/k.sock: bind: address already in use", KUBECTL_LOCAL_PORT},
    /* rights */
    {"error: error upgrading connection: pods \"x\" is forbidden: User \"viewer\" cannot create resource "
     "\"pods/portforward\" in API group \"\" in the namespace \"default\"",
     KUBECTL_FORBIDDEN},
    {"Error from server (Forbidden): pods is forbidden: User \"nobody\" cannot list resource \"pods\" in API group "
     "\"\"",
     KUBECTL_FORBIDDEN},
    {"error: You must be logged in to the server (Unauthorized)", KUBECTL_UNAUTHORIZED},
    {"error: You must be logged in to the server (the server has asked for the client to provide credentials)",
     KUBECTL_UNAUTHORIZED},
    {"Unable to connect to the server: failed to refresh token: oauth2: cannot fetch token: 400 Bad Request",
     KUBECTL_UNAUTHORIZED},
    {"error: error upgrading connection: unable to upgrade connection: Forbidden", KUBECTL_FORBIDDEN},
    {"error: error upgrading connection: unable to upgrade streaming request: websocket: bad handshake (403 Forbidden)",
     KUBECTL_FORBIDDEN},
    {"error: unable to upgrade connection: Authorization error (user=kube-apiserver, verb=create, resource=nodes, "
     "subresource=proxy)",
     KUBECTL_NODE_UNREACHABLE},
    {"Please enter Username: error: EOF", KUBECTL_UNAUTHORIZED},
    /* credentials */
    {"Unable to connect to the server: getting credentials: exec: executable aws failed with exit code 255",
     KUBECTL_PLUGIN_FAILED},
    {"E1124 07:20:00.123456   12345 proxy_server.go:147] Error while proxying request: getting credentials: exec: "
     "executable false failed with exit code 1",
     KUBECTL_PLUGIN_FAILED},
    {"Unable to connect to the server: getting credentials: exec: executable gke-gcloud-auth-plugin not found\n\nIt "
     "looks "
     "like you are trying to use a client-go credential plugin that is not installed.",
     KUBECTL_PLUGIN_FAILED},
    {"Unable to connect to the server: getting credentials: decoding stdout: no kind \"ExecCredential\" is registered",
     KUBECTL_PLUGIN_FAILED},
    {"error: exec plugin: invalid apiVersion \"client.authentication.k8s.io/v1alpha1\"", KUBECTL_PLUGIN_FAILED},
    {"error: The gcp auth plugin has been removed.\nPlease use the \"gke-gcloud-auth-plugin\" instead.",
     KUBECTL_PLUGIN_FAILED},
    {"error: no Auth Provider found for name \"gcp\"", KUBECTL_PLUGIN_FAILED},
    /* the way there */
    {"The connection to the server 127.0.0.1:7443 was refused - did you specify the right host or port?",
     KUBECTL_API_REFUSED},
    {"E1124 07:20:00.123456   12345 memcache.go:265] \"Unhandled Error\" err=\"couldn't get current server API group "
     "list: Get \\\"https://127.0.0.1:7443/api?timeout=32s\\\": dial tcp 127.0.0.1:7443: connect: connection "
     "refused\"\n"
     "The connection to the server 127.0.0.1:7443 was refused - did you specify the right host or port?",
     KUBECTL_API_REFUSED},
    {"E1124 07:20:00.123456   12345 proxy_server.go:147] Error while proxying request: dial tcp 127.0.0.1:7443: "
     "connect: "
     "connection refused",
     KUBECTL_API_REFUSED},
    {"Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout", KUBECTL_API_TIMEOUT},
    {"Unable to connect to the server: net/http: TLS handshake timeout", KUBECTL_API_TIMEOUT},
    {"Unable to connect to the server: context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
     KUBECTL_API_TIMEOUT},
    {"Unable to connect to the server: dial tcp: lookup api.example on 10.0.0.2:53: no such host",
     KUBECTL_API_UNREACHABLE},
    {"Unable to connect to the server: dial tcp 10.0.0.1:6443: connect: no route to host", KUBECTL_API_UNREACHABLE},
    {"Unable to connect to the server: x509: certificate signed by unknown authority", KUBECTL_API_UNREACHABLE},
    {"Unable to connect to the server: tls: failed to verify certificate: x509: certificate has expired or is not yet "
     "valid",
     KUBECTL_API_UNREACHABLE},
    {"Unable to connect to the server: EOF", KUBECTL_API_UNREACHABLE},
    {"Error from server (ServiceUnavailable): the server is currently unable to handle the request",
     KUBECTL_API_UNREACHABLE},
    {"Error from server (TooManyRequests): the server has received too many requests and has asked us to try again "
     "later",
     KUBECTL_API_UNREACHABLE},
    {"Error from server: etcdserver: leader changed", KUBECTL_API_UNREACHABLE},
    {"Unable to connect to the server: proxyconnect tcp: EOF", KUBECTL_API_UNREACHABLE},
    {"Error from server (Timeout): the server was unable to return a response in the time allotted, but may still be "
     "processing requests (get pods)",
     KUBECTL_API_TIMEOUT},
    {"Unable to connect to the server: net/http: request canceled while waiting for connection (Client.Timeout "
     "exceeded "
     "while awaiting headers)",
     KUBECTL_API_TIMEOUT},
    {"error: error upgrading connection: error dialing backend: dial tcp 10.201.0.1:10250: connect: connection refused",
     KUBECTL_NODE_UNREACHABLE},
    {"error: error upgrading connection: error dialing backend: No agent available", KUBECTL_NODE_UNREACHABLE},
    {"error: error upgrading connection: read tcp 127.0.0.1:55288->127.0.0.1:7997: read: connection reset by peer",
     KUBECTL_API_UNREACHABLE},
    {"error: error upgrading connection: EOF", KUBECTL_API_UNREACHABLE},
    /* the configuration */
    {"The connection to the server localhost:8080 was refused - did you specify the right host or port?",
     KUBECTL_NO_CONFIG},
    {"error: current-context must exist in order to minify", KUBECTL_NO_CONFIG},
    {"error: invalid configuration: no configuration has been provided, try setting KUBERNETES_MASTER environment "
     "variable",
     KUBECTL_NO_CONFIG},
    {"error: Missing or incomplete configuration info.  Please point to an existing, complete config file:",
     KUBECTL_NO_CONFIG},
    {"error: stat /nonexistent: no such file or directory", KUBECTL_NO_CONFIG},
    {"error: error loading config file \"/home/x/.kube/config\": yaml: line 3: mapping values are not allowed in this "
     "context",
     KUBECTL_NO_CONFIG},
    {"error: open /home/x/.kube/config: permission denied", KUBECTL_NO_CONFIG},
    {"error: cannot locate user admin", KUBECTL_NO_CONFIG}, /* whom a context names, in no file of KUBECONFIG */
    {"error: unable to read client-cert /x/y.crt for admin due to open /x/y.crt: no such file or directory",
     KUBECTL_NO_CONFIG},
    {"error: context \"x\" does not exist", KUBECTL_NO_CONTEXT},
    {"error: no context exists with the name: \"x\"", KUBECTL_NO_CONTEXT},
    {"error: cannot locate context x", KUBECTL_NO_CONTEXT},
    {"Error in configuration: context was not found for specified context: x", KUBECTL_NO_CONTEXT},
    {"error: cluster \"x\" does not exist", KUBECTL_NO_CONTEXT},
    {"error: auth info \"x\" does not exist", KUBECTL_NO_CONTEXT},
};

static void every_versions_words_are_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        char shouted[2048];
        size_t length = strlen(WORDS[i].text);
        enum kubectl_word word = kubectl_classify(WORDS[i].text, length);
        if (word != WORDS[i].word)
            fail_msg("%s, not %s: %s", kubectl_word_name(word), kubectl_word_name(WORDS[i].word), WORDS[i].text);
        for (size_t at = 0; at < length; at++) {
            char byte = WORDS[i].text[at];
            shouted[at] = (char)(byte >= 'a' && byte <= 'z' ? byte - 'a' + 'A' : byte);
        }
        assert_int_equal(kubectl_classify(shouted, length), WORDS[i].word);
    }
    assert_int_equal(kubectl_classify("error: lost connection to pod", 20), KUBECTL_OTHER); /* no byte beyond is read */
    assert_string_equal(kubectl_word_name(KUBECTL_NO_NAMED_PORT), "no-named-port");
    assert_string_equal(kubectl_word_name(KUBECTL_WORD_COUNT), "other");
}

static void the_line_worth_showing_is_kept(void **state)
{
    static const struct {
        const char *lines[4], *text;
        enum kubectl_word word;
    } rows[] = {
        {{NULL}, "", KUBECTL_OTHER},
        {{"one", "two"}, "two", KUBECTL_OTHER},
        {{"Error: unknown flag: --x", "See 'kubectl proxy --help' for usage."}, "Error: unknown flag: --x", 0},
        {{"E1124 07:20:00.123456   12345 x.go:1] dial tcp 1.2.3.4:6443: i/o timeout", "error: something", "x"},
         "dial tcp 1.2.3.4:6443: i/o timeout",
         KUBECTL_API_TIMEOUT},
        {{"error: first", "error: second", ""}, "error: second", KUBECTL_OTHER},
        {{"E1124 no klog", "a\033[31m"}, "a\\x1b[31m", KUBECTL_OTHER},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kubectl_words words = {0};
        for (size_t l = 0; l < 4 && rows[i].lines[l]; l++)
            kubectl_words_take(&words, rows[i].lines[l], strlen(rows[i].lines[l]));
        assert_string_equal(text_str(&words.text), rows[i].text);
        assert_int_equal(words.word, rows[i].word);
        kubectl_words_free(&words);
        assert_string_equal(text_str(&words.text), "");
    }
}

/* ---- what the proxy lets through ---- */

/* As kubectl does it: the list is split at commas, and any part may match anywhere. */
static bool matches(const char *list, const char *text)
{
    char *copy = strdup(list), *rest = copy;
    bool found_one = false;
    for (char *part; (part = strsep(&rest, ",")) != NULL;) {
        regex_t regex;
        assert_int_equal(regcomp(&regex, part, REG_EXTENDED | REG_NOSUB), 0);
        found_one = regexec(&regex, text, 0, NULL, 0) == 0 || found_one;
        regfree(&regex);
    }
    free(copy);
    return found_one;
}

static bool lets_through(const struct proxy_filters *filters, const char *method, const char *path)
{
    return !matches(filters->reject_paths, path) && !matches(filters->reject_methods, method) &&
           matches(filters->accept_paths, path);
}

enum {
    GET = 1,
    POST = 2,
    PROXIED = 4
}; /* by which of the three sets of filters: the plain one, that for POST, that with the pods' proxy */

#define NS "/api/v1/namespaces/llm-d"
#define POOLS "/apis/inference.networking"
static const struct {
    const char *path;
    int passes;
} PATHS[] = {
    {"/version", GET | PROXIED},
    {"/api/v1/pods", GET | PROXIED},
    {"/api/v1/events", GET | PROXIED},
    {NS "/pods", GET | PROXIED},
    {NS "/events", GET | PROXIED},
    {NS "/pods/vllm-0", GET | PROXIED},
    {NS "/pods/a.b-c.9", GET | PROXIED},
    {NS "/pods/vllm-0/log", GET | PROXIED},
    {NS "/pods/vllm-0/portforward", GET | POST | PROXIED},
    {NS "/pods/log", GET | PROXIED}, /* a pod of that name */
    {NS "/pods/exec/portforward", GET | POST | PROXIED},
    {POOLS ".k8s.io/v1/namespaces/llm-d/inferencepools", GET | PROXIED},
    {POOLS ".k8s.io/v1/inferencepools", GET | PROXIED},
    {POOLS ".x-k8s.io/v1alpha2/namespaces/llm-d/inferencepools/pool", GET | PROXIED},
    {"/apis/apps/v1/deployments", GET | PROXIED},
    {"/apis/apps/v1/namespaces/llm-d/deployments", GET | PROXIED},
    {"/apis/apps/v1/namespaces/llm-d/statefulsets", GET | PROXIED},
    {NS "/pods/vllm-0:8000/proxy/health", PROXIED},
    {NS "/pods/http:vllm-0:8000/proxy/v1/models", PROXIED},
    {NS "/pods/https:vllm-0:8000/proxy/", PROXIED},
    {NS "/pods/vllm-0/proxy", PROXIED},
    {NS "/pods/vllm-0:8000/proxy/exec", PROXIED},
    /* never */
    {"", 0},
    {"/", 0},
    {"/api", 0},
    {"/api/v1", 0},
    {"/apis", 0},
    {"/version/", 0},
    {"/versions", 0},
    {"/x/version", 0},
    {"/metrics", 0},
    {"/logs/", 0},
    {"/openapi/v2", 0},
    {"/api/v1/secrets", 0},
    {"/api/v1/configmaps", 0},
    {"/api/v1/namespaces", 0},
    {NS, 0},
    {NS "/", 0},
    {NS "/secrets", 0},
    {NS "/secrets/pods", 0},
    {NS "/secrets/pods/x", 0},
    {NS "/configmaps", 0},
    {NS "/serviceaccounts/default/token", 0},
    {NS "/bindings", 0},
    {NS "/services/x/proxy", 0},
    {NS "/services/http:x:80/proxy/", 0},
    {NS "/events/x", 0},
    {NS "/pods/", 0},
    {NS "/pods//log", 0},
    {NS "/podtemplates", 0},
    {NS "/pods/vllm-0/exec", 0},
    {NS "/pods/vllm-0/attach", 0},
    {NS "/pods/vllm-0/eviction", 0},
    {NS "/pods/vllm-0/binding", 0},
    {NS "/pods/vllm-0/status", 0},
    {NS "/pods/vllm-0/resize", 0},
    {NS "/pods/vllm-0/ephemeralcontainers", 0},
    {NS "/pods/vllm-0/log/x", 0},
    {NS "/pods/vllm-0/portforward/x", 0},
    {NS "/pods/vllm-0/portforward/../exec", 0},
    {NS "/pods/vllm-0/portforward\n", 0},
    {NS "/pods/../secrets", 0},
    {NS "/pods/..", 0},
    {NS "/pods/./exec", 0},
    {NS "/pods/vllm-0/../../secrets", 0},
    {NS "/pods/VLLM", 0},
    {NS "/pods/a b", 0},
    {NS "/pods/a%2fexec", 0},
    {NS "/pods/http:vllm-0:8000/proxy/../../../secrets", 0},
    {NS "/pods/http:vllm-0:8000/proxy/..", 0},
    {NS "/pods/ftp:vllm-0:8000/proxy/", 0},
    {NS "/pods/http:vllm-0:8000/proxying", 0},
    {"/api/v1/namespaces/a/b/pods", 0},
    {"/api/v1/namespaces//pods", 0},
    {"/api/v1/nodes", 0},
    {"/api/v1/nodes/n1/proxy/run", 0},
    {"/api/v1/watch/pods", 0},
    {"/api/v1/proxy/namespaces/llm-d/pods/x", 0},
    {"/api/v2/pods", 0},
    {"/x/api/v1/pods", 0},
    {"/apis/apps/v1/namespaces/llm-d/deployments/decode", 0},
    {"/apis/apps/v1/namespaces/llm-d/deployments/decode/scale", 0},
    {"/apis/apps/v1/namespaces/llm-d/replicasets", 0},
    {"/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 0},
    {"/apis/rbac.authorization.k8s.io/v1/clusterroles", 0},
    {POOLS ".k8s.io/v1/namespaces/llm-d/inferencemodels", 0},
    {POOLS ".evil.k8s.io/v1/inferencepools", 0},
    {"/apis/inferencexnetworking.k8s.io/v1/inferencepools", 0},
    {POOLS ".k8s.io/v1/namespaces/llm-d/inferencepools/pool/status", 0},
};

static const char *const NEVER[] = {"PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get",  "post",
                                    "GE",  "G",     "P",      "PO",   "POS",     "GETS",  "POSTS",   "XGET", ""};

static void only_reading_and_port_forwards_get_through(void **state)
{
    static const struct {
        bool allow_post, allow_podproxy;
        int bit;
    } sets[] = {{false, false, GET}, {true, false, POST}, {true, true, POST}, {false, true, PROXIED}};
    (void)state;
    for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
        struct proxy_filters filters = kubectl_proxy_filters(sets[s].allow_post, sets[s].allow_podproxy);
        for (size_t i = 0; i < sizeof PATHS / sizeof *PATHS; i++) {
            bool expected = (PATHS[i].passes & sets[s].bit) != 0;
            if (lets_through(&filters, "GET", PATHS[i].path) != expected)
                fail_msg("set %zu: GET %s: must%s pass", s, PATHS[i].path, expected ? "" : " not");
            if (lets_through(&filters, "POST", PATHS[i].path) != (expected && sets[s].allow_post))
                fail_msg("set %zu: POST %s", s, PATHS[i].path);
            for (size_t m = 0; m < sizeof NEVER / sizeof *NEVER; m++)
                if (lets_through(&filters, NEVER[m], PATHS[i].path))
                    fail_msg("set %zu: %s %s", s, NEVER[m], PATHS[i].path);
        }
    }
}

/* ---- the proxy's life ---- */

static void on_state(void *user, enum proxy_state state, enum kubectl_word word, const char *words)
{
    static const char *const names[] = {"starting", "up", "down"};
    struct stage *stage = user;
    buf_printf(&stage->said, "%s %s: %s\n", names[state], kubectl_word_name(word), words);
    stage->state = state;
    stage->word = word;
    if (stage->calls < sizeof stage->at / sizeof stage->at[0])
        stage->at[stage->calls] = uv_now(&stage->loop);
    if (++stage->calls == stage->stop_after)
        uv_stop(&stage->loop);
}

static void on_group(void *user, pid_t group, bool alive)
{
    struct stage *stage = user;
    stage->group = alive ? group : 0;
}

static void on_done(void *user)
{
    struct stage *stage = user;
    stage->done = true;
}

static void proxy_begin(struct stage *stage, const char *dir, bool allow_post)
{
    static const struct kubectl_flags flags = {.context = "ctx"};
    struct kubectl_proxy_options options = {.loop = &stage->loop,
                                            .flags = &flags,
                                            .kubectl = stage->kubectl,
                                            .dir = dir,
                                            .allow_post = allow_post,
                                            .state = on_state,
                                            .group = on_group,
                                            .user = stage,
                                            .group_user = stage};
    stage->proxy = kubectl_proxy_new(&options);
    assert_int_equal(stage->calls, 0);
}

/* Until so many states have been told, since the beginning. */
static void states(struct stage *stage, size_t count)
{
    stage->stop_after = count;
    if (stage->calls < count)
        uv_run(&stage->loop, UV_RUN_DEFAULT);
    assert_true(stage->calls >= count);
}

static void proxy_end(struct stage *stage)
{
    kubectl_proxy_free(stage->proxy, on_done, stage);
    stage->proxy = NULL;
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    assert_true(stage->done);
    assert_int_equal(stage->group, 0);
}

static void it_serves_until_it_is_ended(void **state)
{
    struct stage *stage = *state;
    char socket_path[PATH_BYTES], told[PATH_BYTES];
    snprintf(socket_path, sizeof socket_path, "%s/k.sock", stage->dir);
    snprintf(told, sizeof told, "%s/told", stage->dir);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(stale, (struct sockaddr *)&address, sizeof address), 0);
    close(stale);
    script_write(stage->kubectl, "d=$(dirname $0); [ -e $d/k.sock ] && echo stale >&2 && exit 1\n"
                                 "printf '%s\\n' \"$@\" >$d/told; echo Starting to serve on $d/k.sock\n"
                                 "while :; do sleep 0.01; done");
    proxy_begin(stage, stage->dir, false);
    assert_string_equal(kubectl_proxy_socket(stage->proxy), socket_path);
    states(stage, 2);
    assert_string_equal(buf_str(&stage->said), "starting other: \nup other: \n");
    assert_true(stage->group > 0);
    FILE *file = fopen(told, "r");
    char first[PATH_BYTES] = "", second[PATH_BYTES] = "";
    assert_non_null(file);
    assert_non_null(fgets(first, sizeof first, file));
    assert_non_null(fgets(second, sizeof second, file));
    fclose(file);
    assert_string_equal(first, "proxy\n");
    assert_non_null(strstr(second, socket_path));
    proxy_end(stage);
    assert_int_equal(access(socket_path, F_OK), -1);
}

static void it_is_started_again_with_growing_pauses(void **state)
{
    struct stage *stage = *state;
    script_write(stage->kubectl, "echo 'error: context \"ctx\" does not exist' >&2; exit 1");
    proxy_begin(stage, stage->dir, false);
    states(stage, 5);
    static const char expected[] = "starting other: \n"
                                   "down no-context: error: context \"ctx\" does not exist\n"
                                   "starting other: \n"
                                   "down no-context: error: context \"ctx\" does not exist\n"
                                   "starting other: \n";
    /* Where its end comes within the loop's same turn, that is told too. */
    if (strncmp(buf_str(&stage->said), expected, strlen(expected)) != 0)
        fail_msg("it said: %s", buf_str(&stage->said));
    /* By the loop's own clock: on a virtual machine whose ticks are late it is not the precise one. */
    if (stage->at[2] - stage->at[1] < 500 || stage->at[4] - stage->at[3] < 1000)
        fail_msg("it paused for %llu ms, then for %llu ms", (unsigned long long)(stage->at[2] - stage->at[1]),
                 (unsigned long long)(stage->at[4] - stage->at[3]));
    proxy_end(stage);
}

static void it_comes_back_after_a_kill(void **state)
{
    struct stage *stage = *state;
    char configs[2 * PATH_BYTES];
    snprintf(configs, sizeof configs, "/nonexistent:%s/config", stage->dir);
    setenv("KUBECONFIG", configs, 1);
    script_write(stage->kubectl, "echo Starting to serve on x; while :; do sleep 0.01; done");
    proxy_begin(stage, stage->dir, true);
    assert_non_null(strstr(kubectl_proxy_socket(stage->proxy), "/p.sock"));
    states(stage, 2);
    pid_t before = stage->group;
    assert_int_equal(kill(stage->group, SIGKILL), 0);
    states(stage, 5);
    assert_non_null(strstr(buf_str(&stage->said), "down other: kubectl proxy was ended by signal 9"));
    assert_int_equal(stage->state, PROXY_UP);
    assert_int_not_equal(stage->group, before);
    before = stage->group;
    kubectl_proxy_refresh(stage->proxy); /* nobody has logged in since */
    uv_run(&stage->loop, UV_RUN_NOWAIT);
    assert_int_equal(stage->group, before);
    char config[PATH_BYTES];
    script_write(in_dir(stage, "config", config), "changed");
    kubectl_proxy_refresh(stage->proxy); /* another one, without a pause, and it was never down */
    buf_clear(&stage->said);
    states(stage, 6);
    assert_string_equal(buf_str(&stage->said), "up other: \n");
    assert_int_not_equal(stage->group, before);
    proxy_end(stage);
}

static void its_complaints_are_told_while_it_serves(void **state)
{
    struct stage *stage = *state;
    script_write(stage->kubectl,
                 "echo Starting to serve on x; sleep 0.05\n"
                 "for i in 1 2 3; do echo \"E1124 07:20:00.123456   12345 proxy_server.go:147] Error while proxying "
                 "request: getting credentials: exec: executable aws failed with exit code 255\" >&2; done\n"
                 "echo 'I1124 07:20:00.123456   12345 a.go:1] nothing of note' >&2\n"
                 "echo 'error: dial tcp 10.0.0.1:6443: i/o timeout' >&2; while :; do sleep 0.01; done");
    proxy_begin(stage, stage->dir, false);
    states(stage, 4);
    assert_string_equal(buf_str(&stage->said), "starting other: \nup other: \n"
                                               "up plugin-failed: Error while proxying request: getting credentials: "
                                               "exec: executable aws failed with exit code 255\n"
                                               "up api-timeout: error: dial tcp 10.0.0.1:6443: i/o timeout\n");
    proxy_end(stage);
}

/* A plugin that has somebody log in elsewhere. What is said at once is one speech; later there is another. */
static void what_speaks_to_the_person_is_told(void **state)
{
    struct stage *stage = *state;
    script_write(stage->kubectl, "echo 'Welcome.' >&2; sleep 0.05; echo Starting to serve on x; sleep 0.05\n"
                                 "printf 'Open\\n\\nhttps://login.example/device\\nand enter AB\\033CD\\n' >&2\n"
                                 "sleep 2.2; echo 'Enter EFGH' >&2; while :; do sleep 0.01; done");
    proxy_begin(stage, stage->dir, false);
    states(stage, 7);
    assert_string_equal(buf_str(&stage->said), "starting other: \n"
                                               "starting other: Welcome.\n"
                                               "up other: \n"
                                               "up other: Open\n"
                                               "up other: Open https://login.example/device\n"
                                               "up other: Open https://login.example/device and enter AB\\x1bCD\n"
                                               "up other: Enter EFGH\n");
    proxy_end(stage);
}

static void what_cannot_be_started_is_said(void **state)
{
    struct stage *stage = *state;
    char deep[160];
    proxy_begin(stage, stage->dir, false); /* no script there */
    states(stage, 1);
    assert_non_null(strstr(buf_str(&stage->said), "down other: cannot start /tmp/"));
    proxy_end(stage);
    buf_clear(&stage->said);
    stage->calls = 0;
    stage->done = false;
    memset(deep, 'd', sizeof deep);
    deep[0] = '/';
    deep[sizeof deep - 1] = '\0';
    proxy_begin(stage, deep, false);
    states(stage, 1);
    assert_non_null(strstr(buf_str(&stage->said), "longer than the 107 bytes"));
    proxy_end(stage);
}

/* ---- the context ---- */

static void on_context(void *user, const char *context, const char *ns, enum kubectl_word word, const char *words)
{
    struct stage *stage = user;
    buf_printf(&stage->said, "%s|%s|%s|%s", context ? context : "-", ns ? ns : "-", kubectl_word_name(word), words);
}

static void the_context_and_its_namespace_are_told(void **state)
{
    static const struct {
        const char *script, *ns, *said;
    } rows[] = {
        {"echo '{\"contexts\":[{\"name\":\"prod\",\"context\":{\"cluster\":\"c\",\"namespace\":\"llm-d\"}}],'; echo "
         "'\"current-context\":\"prod\"}'",
         NULL, "prod|llm-d|other|"},
        {"echo '{\"contexts\":[{\"name\":\"prod\",\"context\":{\"namespace\":\"llm-d\"}}]}'", "mine",
         "prod|mine|other|"},
        {"echo '{\"contexts\":[{\"name\":\"prod\",\"context\":{}}]}'", NULL, "prod|default|other|"},
        /* a script around it that has a word of its own */
        {"echo 'Production!'; echo >&2 'WARNING: all is logged'; echo '{'; echo ' \"contexts\": [{\"name\":\"a b\",'; "
         "echo ' "
         "\"context\":{}}]'; echo '}'; echo 'bye {'",
         NULL, "a b|default|other|"},
        {"echo 'Production!'; echo >&2 'WARNING: all is logged'", NULL,
         "-|-|other|kubectl config view: no answer that could be read (exit status 0)"},
        {"echo 'error: current-context must exist in order to minify' >&2; exit 1", NULL,
         "-|-|no-config|error: current-context must exist in order to minify"},
        {"echo 'error: cannot locate context x' >&2; exit 1", "mine", "-|-|no-context|error: cannot locate context x"},
        {"echo '{\"contexts\":null}'", NULL,
         "-|-|other|kubectl config view: no answer that could be read (exit status 0)"},
        {"echo nonsense; kill -9 $$", NULL,
         "-|-|other|kubectl config view: no answer that could be read (ended by signal 9)"},
    };
    struct stage *stage = *state;
    unsetenv("KUBERNETES_SERVICE_HOST");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char ns[16];
        struct kubectl_flags flags = {.ns = rows[i].ns ? ns : NULL};
        snprintf(ns, sizeof ns, "%s", rows[i].ns ? rows[i].ns : "");
        script_write(stage->kubectl, rows[i].script);
        buf_clear(&stage->said);
        kubectl_context(&stage->loop, stage->kubectl, &flags, on_context, stage);
        assert_string_equal(buf_str(&stage->said), "");
        uv_run(&stage->loop, UV_RUN_DEFAULT);
        assert_string_equal(buf_str(&stage->said), rows[i].said);
    }
    buf_clear(&stage->said);
    kubectl_context(&stage->loop, "/nonexistent/kubectl", &(struct kubectl_flags){0}, on_context, stage);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    assert_non_null(strstr(buf_str(&stage->said), "-|-|other|cannot start /nonexistent/kubectl: "));
}

static void test_end_words(void **state)
{
    char words[KUBECTL_END_SIZE];
    (void)state;
    assert_string_equal(kubectl_end_words("proxy", 0, SIGKILL, words), "kubectl proxy was ended by signal 9 (Killed)");
    assert_string_equal(kubectl_end_words("port-forward", 3, 0, words),
                        "kubectl port-forward ended with exit status 3");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_first_in_path_is_run),
        T(a_path_is_taken_as_it_is_and_made_absolute),
        T(what_others_may_write_is_not_run),
        cmocka_unit_test(test_end_words),
        cmocka_unit_test(flags_are_passed_on_in_kubectls_spelling),
        cmocka_unit_test(every_versions_words_are_understood),
        cmocka_unit_test(the_line_worth_showing_is_kept),
        cmocka_unit_test(only_reading_and_port_forwards_get_through),
        T(it_serves_until_it_is_ended),
        T(it_is_started_again_with_growing_pauses),
        T(it_comes_back_after_a_kill),
        T(its_complaints_are_told_while_it_serves),
        T(what_speaks_to_the_person_is_told),
        T(what_cannot_be_started_is_said),
        T(the_context_and_its_namespace_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
