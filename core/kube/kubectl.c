#include "kube/kubectl.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CONFIG_MAX = 1024 * 1024,
    CONFIG_MS = 10000, /* a kubeconfig on a slow network drive */
    GRACE_MS = 500,
    PLACES_MAX = 400, /* bytes of PATH that a message quotes */
    PREFIX_MAX = 128, /* of a klog line */
    SERVICE_NAME_MAX = 253
};

static const char IN_CLUSTER_NAMESPACE[] = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

void kubectl_flags_free(struct kubectl_flags *flags)
{
    mem_free(flags->kubectl);
    mem_free(flags->kubeconfig);
    mem_free(flags->context);
    mem_free(flags->cluster);
    mem_free(flags->user);
    mem_free(flags->as);
    mem_free(flags->as_uid);
    mem_free(flags->request_timeout);
    mem_free(flags->ns);
    for (size_t i = 0; i < flags->as_group_count; i++)
        mem_free(flags->as_groups[i]);
    mem_free(flags->as_groups);
    *flags = (struct kubectl_flags){0};
}

static bool given(const char *flag)
{
    return flag && flag[0];
}

/* ---- finding it ---- */

static bool others_may_write(const struct stat *about)
{
    return (about->st_mode & (S_IWGRP | S_IWOTH)) != 0 || (about->st_uid != 0 && about->st_uid != geteuid());
}

/* In such a directory anybody may put another file in the place of this one. */
static bool others_may_replace(const char *path)
{
    struct stat about;
    char *dir = mem_dup(path);
    *strrchr(dir, '/') = '\0';
    bool open = stat(dir[0] ? dir : "/", &about) == 0 && (about.st_mode & S_IWOTH) && !(about.st_mode & S_ISVTX);
    mem_free(dir);
    return open;
}

static bool is_program(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode) && access(path, X_OK) == 0;
}

static enum status kubectl_trust(const char *path, struct problem *problem)
{
    struct stat about;
    if (stat(path, &about) != 0 || others_may_write(&about) || others_may_replace(path))
        return problem_set(
            problem, STATUS_DENIED,
            "%s may be written by others than root and you, so it is not run with your credentials: take "
            "that right away (chmod go-w) or name another with --kubectl PATH",
            path);
    return STATUS_OK;
}

/* An explicit path, made absolute. The name is kept where it is a link: some programs tell by it what they are to do. */
static enum status find_path(const char *path, char **out, struct problem *problem)
{
    char here[4096] = "";
    struct buf full;
    if (path[0] != '/' && !getcwd(here, sizeof here))
        return problem_set(problem, status_from_errno(errno), "--kubectl %s: where we are cannot be told: %s", path,
                           strerror(errno));
    buf_init(&full, sizeof here + strlen(path) + 1);
    buf_printf(&full, "%s%s%s", here, here[0] ? "/" : "", path);
    enum status status =
        is_program(buf_str(&full))
            ? kubectl_trust(buf_str(&full), problem)
            : problem_set(problem, STATUS_NOT_FOUND, "--kubectl %s: there is no program of that name", path);
    *out = status == STATUS_OK ? mem_dup(buf_str(&full)) : NULL;
    buf_free(&full);
    return status;
}

static enum status not_found(const char *name, const struct buf *looked, const struct buf *passed_over,
                             struct problem *problem)
{
    return problem_set(
        problem, STATUS_NOT_FOUND, "no %s found: install it, or name one with --kubectl PATH; looked in %s%s%s%s", name,
        looked->len > 0 ? buf_str(looked) : "no directory (PATH is empty)", looked->truncated ? " ..." : "",
        passed_over->len > 0 ? "; passed over, since they are no absolute paths: " : "", buf_str(passed_over));
}

/* Walks PATH. Entries that are relative lead wherever somebody stands, so nothing is run from there. */
static enum status find_name(const char *name, char **out, struct problem *problem)
{
    const char *path = getenv("PATH"), *end;
    struct buf looked, passed_over;
    enum status status = STATUS_AGAIN;
    buf_init(&looked, PLACES_MAX);
    buf_init(&passed_over, PLACES_MAX / 4);
    for (const char *entry = path ? path : ""; *entry && status == STATUS_AGAIN; entry = *end ? end + 1 : end) {
        end = entry + strcspn(entry, ":");
        int length = (int)(end - entry);
        struct buf *list = entry[0] == '/' ? &looked : &passed_over;
        buf_printf(list, "%s%.*s", list->len > 0 ? ", " : "", length ? length : 1, length ? entry : ".");
        if (entry[0] != '/')
            continue;
        char *program = mem_new((size_t)length + strlen(name) + 2);
        snprintf(program, (size_t)length + strlen(name) + 2, "%.*s/%s", length, entry, name);
        if (is_program(program)) {
            status = kubectl_trust(program, problem);
            *out = status == STATUS_OK ? mem_dup(program) : NULL;
        }
        mem_free(program);
    }
    if (status == STATUS_AGAIN)
        status = not_found(name, &looked, &passed_over, problem);
    buf_free(&looked);
    buf_free(&passed_over);
    return status;
}

enum status kubectl_find(const struct kubectl_flags *flags, char **out, struct problem *problem)
{
    const char *name = given(flags->kubectl) ? flags->kubectl : "kubectl";
    *out = NULL;
    return strchr(name, '/') ? find_path(name, out, problem) : find_name(name, out, problem);
}

/* ---- its arguments ---- */

struct arguments {
    char **list;
    size_t count, room;
};

static void argument_add(struct arguments *arguments, const char *flag, const char *value)
{
    size_t size = strlen(flag) + strlen(value) + 1;
    if (arguments->count + 1 >= arguments->room) {
        arguments->room = 2 * arguments->room + 16;
        arguments->list = mem_resize(arguments->list, arguments->room, sizeof *arguments->list);
    }
    arguments->list[arguments->count] = mem_new(size);
    snprintf(arguments->list[arguments->count++], size, "%s%s", flag, value);
    arguments->list[arguments->count] = NULL;
}

char **kubectl_argv(const char *kubectl, const struct kubectl_flags *flags, const char *const *rest)
{
    struct arguments arguments = {0};
    const struct {
        const char *flag, *value;
    } known[] = {
        {"--kubeconfig=", flags->kubeconfig},
        {"--context=", flags->context},
        {"--cluster=", flags->cluster},
        {"--user=", flags->user},
        {"--as=", flags->as},
        {"--as-uid=", flags->as_uid},
        {"--request-timeout=", flags->request_timeout},
    };
    argument_add(&arguments, "", kubectl);
    for (; *rest; rest++)
        argument_add(&arguments, "", *rest);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (given(known[i].value))
            argument_add(&arguments, known[i].flag, known[i].value);
    for (size_t i = 0; i < flags->as_group_count; i++)
        argument_add(&arguments, "--as-group=", flags->as_groups[i]);
    return arguments.list;
}

void kubectl_argv_free(char **argv)
{
    for (char **argument = argv; argv && *argument; argument++)
        mem_free(*argument);
    mem_free(argv);
}

/* ---- what it says ---- */

const char *kubectl_word_name(enum kubectl_word word)
{
    static const char *const names[] = {
#define X(id, name) name,
        KUBECTL_WORD_TABLE(X)
#undef X
    };
    return word < KUBECTL_WORD_COUNT ? names[word] : names[KUBECTL_OTHER];
}

/* The first row whose parts are both in the text decides: what is more special, or nearer to the cause, stands first (facts/kube.md 3.1). Without quotes, since newer versions escape them. */
static const struct signature {
    enum kubectl_word word;
    const char *part, *other; /* in small letters */
} SIGNATURES[] = {
    /* credential plugins, and those that went with 1.26 */
    {KUBECTL_PLUGIN_FAILED, "getting credentials: ", NULL},
    {KUBECTL_PLUGIN_FAILED, "exec plugin", NULL},
    {KUBECTL_PLUGIN_FAILED, "no auth provider found", NULL},
    {KUBECTL_PLUGIN_FAILED, "auth plugin has been removed", NULL},
    {KUBECTL_PLUGIN_FAILED, "cannot construct google default token source", NULL},
    /* inside the pod: containerd, CRI-O, docker's socat */
    {KUBECTL_REFUSED_IN_POD, "forwarding", "connect: connection refused"},
    {KUBECTL_REFUSED_IN_POD, "error forwarding port", "connection refused"},
    {KUBECTL_RESET_IN_POD, "error forwarding port", "connection reset by peer"},
    {KUBECTL_RESET_IN_POD, "error forwarding port", "broken pipe"},
    {KUBECTL_SANDBOX_GONE, "network namespace for sandbox", "is closed"},
    {KUBECTL_SANDBOX_GONE, "failed to find sandbox", NULL},
    {KUBECTL_SANDBOX_GONE, "could not find sandbox", NULL},
    {KUBECTL_SANDBOX_GONE, "could not find pod sandbox", NULL},
    {KUBECTL_SANDBOX_GONE, "podsandbox with id", "not found"},
    {KUBECTL_SANDBOX_GONE, "sandbox container", "is not running"},
    {KUBECTL_SANDBOX_GONE, "network namespace", "no such file or directory"},
    {KUBECTL_SANDBOX_GONE, "no such container", NULL},
    {KUBECTL_SANDBOX_GONE, "error forwarding port", "container not running"},
    {KUBECTL_FORWARD_FAILED, "error forwarding port", NULL},
    {KUBECTL_FORWARD_FAILED, "unable to do port forwarding", NULL},
    /* before there was a tunnel */
    {KUBECTL_LOCAL_PORT, "unable to listen on any of the requested ports", NULL},
    {KUBECTL_LOCAL_PORT, "address already in use", NULL},
    {KUBECTL_NO_NAMED_PORT, "does not have a named port", NULL},
    {KUBECTL_POD_NOT_RUNNING, "pod is not running", NULL},
    {KUBECTL_POD_NOT_RUNNING, "does not have a host assigned", NULL},
    {KUBECTL_NODE_UNREACHABLE, "error dialing backend", NULL},
    {KUBECTL_NODE_UNREACHABLE, "authorization error (user=", NULL}, /* the kubelet's, of the API server */
    {KUBECTL_FORBIDDEN, "is forbidden: ", NULL},
    {KUBECTL_FORBIDDEN, "(forbidden)", NULL},
    {KUBECTL_FORBIDDEN, "forbidden: user", NULL},
    {KUBECTL_FORBIDDEN, "unable to upgrade connection: forbidden", NULL},
    {KUBECTL_FORBIDDEN, "bad handshake", "403 forbidden"},
    {KUBECTL_UNAUTHORIZED, "you must be logged in to the server", NULL},
    {KUBECTL_UNAUTHORIZED, "has asked for the client to provide credentials", NULL},
    {KUBECTL_UNAUTHORIZED, "failed to refresh token", NULL},
    {KUBECTL_UNAUTHORIZED, "no valid id-token", NULL},
    {KUBECTL_UNAUTHORIZED, "unauthorized", NULL},
    {KUBECTL_UNAUTHORIZED, "please enter username", NULL}, /* and nobody is there to do it */
    {KUBECTL_POD_NOT_FOUND, "(notfound): pods ", NULL},
    {KUBECTL_POD_NOT_FOUND, "pods ", "not found"},
    {KUBECTL_POD_NOT_FOUND, "unable to upgrade connection: pod ", "not found"},
    {KUBECTL_POD_NOT_FOUND, "unable to upgrade connection: pod does not exist", NULL},
    /* the configuration; without one kubectl tries its own machine's port 8080 */
    {KUBECTL_NO_CONTEXT, "no context exists with the name", NULL},
    {KUBECTL_NO_CONTEXT, "context was not found for specified context", NULL},
    {KUBECTL_NO_CONTEXT, "cannot locate context", NULL},
    {KUBECTL_NO_CONTEXT, "error: context ", "does not exist"},
    {KUBECTL_NO_CONTEXT, "error: cluster ", "does not exist"},
    {KUBECTL_NO_CONTEXT, "error: auth info ", "does not exist"},
    {KUBECTL_NO_CONFIG, "no configuration has been provided", NULL},
    {KUBECTL_NO_CONFIG, "current-context must exist", NULL},
    {KUBECTL_NO_CONFIG, "missing or incomplete configuration", NULL},
    {KUBECTL_NO_CONFIG, "error loading config file", NULL},
    {KUBECTL_NO_CONFIG, "invalid configuration", NULL},
    {KUBECTL_NO_CONFIG, "error: stat ", "no such file or directory"},
    {KUBECTL_NO_CONFIG, "error: open ", "permission denied"},
    {KUBECTL_NO_CONFIG, "cannot locate user", NULL},
    {KUBECTL_NO_CONFIG, "cannot locate cluster", NULL},
    {KUBECTL_NO_CONFIG, "unable to read client-", NULL},
    {KUBECTL_NO_CONFIG, "unable to read certificate-authority", NULL},
    {KUBECTL_NO_CONFIG, "connection to the server localhost:8080 was refused", NULL},
    {KUBECTL_NO_CONFIG, "http://localhost:8080/api", "connection refused"},
    /* the way to the API server */
    {KUBECTL_API_REFUSED, "the connection to the server", "was refused"},
    {KUBECTL_API_REFUSED, "connect: connection refused", NULL},
    {KUBECTL_API_TIMEOUT, "timeout occur", NULL}, /* "occured" in 1.20 */
    {KUBECTL_API_TIMEOUT, "i/o timeout", NULL},
    {KUBECTL_API_TIMEOUT, "tls handshake timeout", NULL},
    {KUBECTL_API_TIMEOUT, "context deadline exceeded", NULL},
    {KUBECTL_API_TIMEOUT, "client.timeout", NULL},
    {KUBECTL_API_TIMEOUT, "connect: connection timed out", NULL},
    {KUBECTL_API_TIMEOUT, "request canceled while waiting for connection", NULL},
    {KUBECTL_API_TIMEOUT, "unable to return a response in the time allotted", NULL},
    {KUBECTL_API_TIMEOUT, "request timed out", NULL},
    {KUBECTL_API_UNREACHABLE, "(serviceunavailable)", NULL},
    {KUBECTL_API_UNREACHABLE, "(toomanyrequests)", NULL},
    {KUBECTL_API_UNREACHABLE, "etcdserver: ", NULL},
    {KUBECTL_API_UNREACHABLE, "no such host", NULL},
    {KUBECTL_API_UNREACHABLE, "server misbehaving", NULL},
    {KUBECTL_API_UNREACHABLE, "no route to host", NULL},
    {KUBECTL_API_UNREACHABLE, "network is unreachable", NULL},
    {KUBECTL_API_UNREACHABLE, "x509: ", NULL},
    {KUBECTL_API_UNREACHABLE, "proxyconnect tcp", NULL},
    {KUBECTL_API_UNREACHABLE, "unable to connect to the server", NULL},
    {KUBECTL_API_UNREACHABLE, "error upgrading connection", "connection reset by peer"},
    {KUBECTL_API_UNREACHABLE, "error upgrading connection", ": eof"},
    {KUBECTL_FORWARD_FAILED, "an error occurred forwarding", NULL},
    {KUBECTL_FORWARD_FAILED, "error creating error stream", NULL},
    {KUBECTL_FORWARD_FAILED, "error creating forwarding stream", NULL},
    {KUBECTL_FORWARD_FAILED, "error reading from error stream", NULL},
    {KUBECTL_LOST_CONNECTION, "lost connection to pod", NULL},
};

static bool text_has(const char *text, size_t length, const char *part)
{
    size_t size = strlen(part);
    for (size_t at = 0; at + size <= length; at++) {
        size_t same = 0;
        while (same < size && tolower((unsigned char)text[at + same]) == part[same])
            same++;
        if (same == size)
            return true;
    }
    return false;
}

/* The row's number; that of no row when none fits. */
static size_t signature_find(const char *text, size_t length)
{
    const size_t count = sizeof SIGNATURES / sizeof *SIGNATURES;
    for (size_t i = 0; i < count; i++)
        if (text_has(text, length, SIGNATURES[i].part) &&
            (!SIGNATURES[i].other || text_has(text, length, SIGNATURES[i].other)))
            return i;
    return count;
}

enum kubectl_word kubectl_classify(const char *stderr_text, size_t length)
{
    size_t row = signature_find(stderr_text, length);
    return row < sizeof SIGNATURES / sizeof *SIGNATURES ? SIGNATURES[row].word : KUBECTL_OTHER;
}

/* Bytes of "E1124 07:20:00.123456   12345 proxy_server.go:147] ". */
static size_t klog_prefix(const char *line, size_t length)
{
    if (length < 6 || !strchr("IWEF", line[0]) || line[0] == '\0')
        return 0;
    for (int i = 1; i <= 4; i++)
        if (!isdigit((unsigned char)line[i]))
            return 0;
    for (size_t i = 5; i + 1 < length && i < PREFIX_MAX; i++)
        if (line[i] == ']' && line[i + 1] == ' ')
            return i + 2;
    return 0;
}

static bool is_error(const char *line, size_t length)
{
    return length > 5 && text_has(line, 5, "error");
}

bool kubectl_is_speech(const char *line, size_t length)
{
    return length > 0 && klog_prefix(line, length) == 0 && !is_error(line, length) &&
           kubectl_classify(line, length) == KUBECTL_OTHER;
}

void kubectl_words_take(struct kubectl_words *words, const char *line, size_t length)
{
    enum { LAST, ERROR, KNOWN };
    enum kubectl_word word = kubectl_classify(line, length);
    size_t prefix = klog_prefix(line, length);
    int rank = word != KUBECTL_OTHER ? KNOWN : (prefix > 0 && line[0] == 'E') || is_error(line, length) ? ERROR : LAST;
    if (length == prefix || rank < words->rank)
        return;
    words->rank = rank;
    words->word = word;
    text_set(&words->text, line + prefix, length - prefix, TEXT_LINE);
}

void kubectl_words_free(struct kubectl_words *words)
{
    text_free(&words->text);
    *words = (struct kubectl_words){0};
}

const char *kubectl_end_words(const char *what, int exit_code, int signal, char out[static KUBECTL_END_SIZE])
{
    if (signal)
        snprintf(out, KUBECTL_END_SIZE, "kubectl %s was ended by signal %d (%s)", what, signal, strsignal(signal));
    else
        snprintf(out, KUBECTL_END_SIZE, "kubectl %s ended with exit status %d", what, exit_code);
    return out;
}

/* ---- what the proxy lets through ---- */

#define NAME "[a-z0-9][a-z0-9.-]*"
#define PODS "^/api/v1/namespaces/" NAME "/pods/"
#define READ                                                                                                           \
    "^/version$,^/api/v1/(namespaces/" NAME "/)?(pods|events)$," PODS NAME "(/log|/portforward)?$,"                    \
    "^/apis/inference[.]networking[.](x-)?k8s[.]io/v1[a-z0-9]*/(namespaces/" NAME "/)?inferencepools(/" NAME ")?$,"    \
    "^/apis/apps/v1/(namespaces/" NAME "/)?(deployments|statefulsets)$"
#define POD_PROXY PODS "(https?:)?" NAME "(:[0-9]+)?/proxy(/|$)"
/* Not let through as it is; said once more, since this list overrides kubectl's own. */
#define REJECTED                                                                                                       \
    "/[.][.]?(/|$),^/api/v1/namespaces/[^/]*/(pods/[^/]*/"                                                             \
    "(attach|binding|ephemeralcontainers|eviction|exec|resize|status)|secrets|bindings)(/|$),^/api/v1/secrets"
/* All but "GET", and all but "GET" and "POST": there is no "not" in such expressions. */
#define NOT_GET "^($|[^G]|G($|[^E])|GE($|[^T])|GET.)"
#define NOT_GET_OR_POST "^($|[^GP]|G($|[^E])|GE($|[^T])|GET.|P($|[^O])|PO($|[^S])|POS($|[^T])|POST.)"

struct proxy_filters kubectl_proxy_filters(bool allow_post, bool allow_podproxy)
{
    if (allow_post)
        return (struct proxy_filters){PODS NAME "/portforward$", REJECTED, NOT_GET_OR_POST};
    return (struct proxy_filters){allow_podproxy ? READ "," POD_PROXY : READ, REJECTED, NOT_GET};
}

/* ---- which context ---- */

struct question {
    const char *ns; /* -n */
    void (*done)(void *user, const char *context, const char *ns, enum kubectl_word word, const char *words);
    void *user;
    struct buf answer;
    struct kubectl_words words;
    struct child *child;
    uv_timer_t bound; /* also how a child that could not be started is told: after kubectl_context() has returned */
    bool explicit;    /* --kubeconfig or --context was given */
    bool complete;    /* the answer's last line has come */
};

static void question_closed(uv_handle_t *handle)
{
    struct question *question = handle->data;
    buf_free(&question->answer);
    kubectl_words_free(&question->words);
    mem_free(question);
}

static void question_tell(struct question *question, const char *context, const char *ns)
{
    bool known = context != NULL;
    question->done(question->user, context, ns, known ? KUBECTL_OTHER : question->words.word,
                   known ? "" : text_str(&question->words.text));
    uv_close((uv_handle_t *)&question->bound, question_closed);
}

/* kubectl takes the service account of the pod it runs in where there is no kubeconfig. Returns whether that is so here. */
static bool in_cluster(const struct question *question, char *ns, size_t size)
{
    if (question->words.word != KUBECTL_NO_CONFIG || question->explicit || !getenv("KUBERNETES_SERVICE_HOST"))
        return false;
    int fd = open(IN_CLUSTER_NAMESPACE, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, ns, size - 1);
    if (fd >= 0)
        close(fd);
    ns[got > 0 ? got : 0] = '\0';
    ns[strcspn(ns, "\n")] = '\0';
    return ns[0] != '\0';
}

static void question_over(void *user, int exit_code, int signal)
{
    struct question *question = user;
    struct json *config = NULL;
    char own[SERVICE_NAME_MAX + 1];
    question->child = NULL;
    if (exit_code == 0 && signal == 0)
        json_parse(buf_str(&question->answer), question->answer.len, CONFIG_MAX, &config, NULL);
    const struct json *entry = json_first(json_get(config, "contexts"));
    const char *context = json_string(json_get(entry, "name"));
    const char *ns = json_string(json_get(json_get(entry, "context"), "namespace"));
    if (!context && in_cluster(question, own, sizeof own)) {
        context = "in-cluster";
        ns = own;
    }
    if (!context && (text_empty(&question->words.text) || (exit_code == 0 && signal == 0)))
        text_printf(&question->words.text, TEXT_LINE, "kubectl config view: no answer that could be read (%s %d)",
                    signal ? "ended by signal" : "exit status", signal ? signal : exit_code);
    question_tell(question, context, !context ? NULL : given(question->ns) ? question->ns : given(ns) ? ns : "default");
    json_free(config);
}

static void question_line(void *user, bool is_stderr, const char *line, size_t length)
{
    struct question *question = user;
    if (is_stderr) {
        kubectl_words_take(&question->words, line, length);
        return;
    }
    /* kubectl prints one object, its braces at the margin; what is wrapped around it may print before that and after. */
    if (question->complete || (question->answer.len == 0 && (length == 0 || line[0] != '{')))
        return;
    buf_append(&question->answer, line, length);
    buf_putc(&question->answer, '\n');
    question->complete = length == 1 && line[0] == '}';
}

static void question_bound(uv_timer_t *timer)
{
    struct question *question = timer->data;
    if (question->child)
        child_end(question->child, GRACE_MS);
    else
        question_tell(question, NULL, NULL);
}

void kubectl_context(uv_loop_t *loop, const char *kubectl, const struct kubectl_flags *flags,
                     void (*done)(void *user, const char *context, const char *ns, enum kubectl_word word,
                                  const char *words),
                     void *user)
{
    static const char *const rest[] = {"config", "view", "--minify", "-o", "json", NULL};
    struct question *question = mem_new(sizeof *question);
    struct problem problem = {""};
    question->ns = flags->ns;
    question->done = done;
    question->user = user;
    question->explicit = given(flags->kubeconfig) || given(flags->context);
    buf_init(&question->answer, CONFIG_MAX);
    uv_timer_init(loop, &question->bound);
    question->bound.data = question;
    char **argv = kubectl_argv(kubectl, flags, rest);
    struct child_options options = {.loop = loop,
                                    .path = kubectl,
                                    .argv = (const char *const *)argv,
                                    .line = question_line,
                                    .over = question_over,
                                    .user = question};
    bool started = child_spawn(&options, &question->child, &problem) == STATUS_OK;
    if (!started)
        text_set_str(&question->words.text, problem.text, TEXT_LINE);
    uv_timer_start(&question->bound, question_bound, started ? CONFIG_MS : 0, 0);
    kubectl_argv_free(argv);
}
