#include "kube/kubectl.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    PAUSE_FIRST_MS = 500,
    PAUSE_LONGEST_MS = 30000,
    START_MS = 15000,          /* from its start to "Starting to serve": it asks nobody for that */
    SPEAKING_MS = 300000,      /* unless it has something to say: some kubectls have the person log in first */
    SPEECH_US = 2 * SECOND_US, /* lines that come so soon one after the other are one speech */
    GRACE_MS = 500,
    STEADY_US = 10 * SECOND_US, /* up for so long, the next end is a new trouble: the pauses begin anew */
    REPEAT_US = 10 * SECOND_US, /* between two tellings of the same complaint */
    EXPRESSION_MAX = 4096
};

struct kubectl_proxy {
    struct kubectl_proxy_options options;
    char *kubectl, *socket;
    struct child *child;
    uv_timer_t timer; /* no child: the pause before the next; a child that does not serve yet: how long it may take */
    struct kubectl_words words;
    struct text speech;
    enum proxy_state state;
    enum kubectl_word told;
    int64_t up_at, told_at, spoke_at;
    uint64_t config; /* config_stamp() when the child was started */
    int pause_ms;
    bool late, patient, restarting, freeing;
    void (*done)(void *user);
    void *done_user;
};

static void proxy_tell(struct kubectl_proxy *proxy, enum proxy_state state)
{
    proxy->state = state;
    proxy->told = proxy->words.word;
    proxy->told_at = clock_mono_us();
    proxy->options.state(proxy->options.user, state, proxy->words.word, text_str(&proxy->words.text));
}

static void on_timer(uv_timer_t *timer);

static void proxy_down(struct kubectl_proxy *proxy)
{
    uv_update_time(
        proxy->options.loop); /* on a busy machine the loop's time is old by now, and the pause would be short */
    uv_timer_start(&proxy->timer, on_timer, (uint64_t)proxy->pause_ms, 0);
    proxy->pause_ms = 2 * proxy->pause_ms < PAUSE_LONGEST_MS ? 2 * proxy->pause_ms : PAUSE_LONGEST_MS;
    proxy_tell(proxy, PROXY_DOWN);
}

/* What an earlier one left behind. Nothing but a socket is removed. */
static void socket_remove(const char *path)
{
    struct stat about;
    if (lstat(path, &about) == 0 && S_ISSOCK(about.st_mode))
        unlink(path);
}

/* ---- the kubeconfig ---- */

static uint64_t file_stamp(const char *path, int length)
{
    struct stat about;
    char *name = mem_dup_n(path, (size_t)length);
    bool there = stat(name, &about) == 0;
    mem_free(name);
    return there ? (uint64_t)about.st_mtime * 31 + (uint64_t)about.st_size * 7 + (uint64_t)about.st_ino : 0;
}

/* Another number after a change of one of the files that kubectl reads. */
static uint64_t config_stamp(const struct kubectl_flags *flags)
{
    const char *list = getenv("KUBECONFIG"), *home = getenv("HOME");
    char usual[4096];
    uint64_t stamp = 0;
    if (flags->kubeconfig && flags->kubeconfig[0])
        return file_stamp(flags->kubeconfig, (int)strlen(flags->kubeconfig));
    if (!list || !list[0]) {
        snprintf(usual, sizeof usual, "%s/.kube/config", home ? home : "");
        list = usual;
    }
    for (size_t length; *list; list += length + (list[length] != '\0')) {
        length = strcspn(list, ":");
        stamp = stamp * 131 + file_stamp(list, (int)length);
    }
    return stamp;
}

/* ---- the child ---- */

static void proxy_up(struct kubectl_proxy *proxy)
{
    uv_timer_stop(&proxy->timer);
    chmod(proxy->socket, S_IRUSR | S_IWUSR); /* kubectl makes it for us alone too; the directory is private besides */
    proxy->up_at = clock_mono_us();
    kubectl_words_free(&proxy->words);
    text_free(&proxy->speech);
    proxy_tell(proxy, PROXY_UP);
}

/* A complaint while it serves: a request could not be carried out, and kubectl says why in its own words. */
static void proxy_complaint(struct kubectl_proxy *proxy, const char *line, size_t length)
{
    enum kubectl_word word = kubectl_classify(line, length);
    if (word == KUBECTL_OTHER || (word == proxy->told && clock_mono_us() - proxy->told_at < REPEAT_US))
        return;
    proxy_tell(proxy, PROXY_UP);
}

static void proxy_speech(struct kubectl_proxy *proxy, const char *line, size_t length)
{
    struct text said = {0};
    int64_t now = clock_mono_us();
    text_set(&said, line, length, TEXT_LINE);
    if (now - proxy->spoke_at < SPEECH_US && !text_empty(&proxy->speech))
        text_printf(&said, TEXT_LINE, "%s %.*s", text_str(&proxy->speech), (int)length, line);
    text_move(&proxy->speech, &said);
    proxy->spoke_at = now;
    proxy->options.state(proxy->options.user, proxy->state, KUBECTL_OTHER, text_str(&proxy->speech));
}

static void on_line(void *user, bool is_stderr, const char *line, size_t length)
{
    static const char serving[] = "Starting to serve on";
    struct kubectl_proxy *proxy = user;
    if (proxy->freeing || proxy->restarting)
        return;
    if (!is_stderr) {
        if (proxy->state == PROXY_STARTING && strncmp(line, serving, strlen(serving)) == 0)
            proxy_up(proxy);
        return;
    }
    kubectl_words_take(&proxy->words, line, length);
    if (kubectl_is_speech(line, length))
        proxy_speech(proxy, line, length);
    else if (proxy->state == PROXY_UP)
        proxy_complaint(proxy, line, length);
}

static void proxy_over(struct kubectl_proxy *proxy);

static void proxy_start(struct kubectl_proxy *proxy);

static void on_over(void *user, int exit_code, int signal)
{
    struct kubectl_proxy *proxy = user;
    char words[KUBECTL_END_SIZE];
    proxy->child = NULL;
    socket_remove(proxy->socket);
    if (proxy->freeing) {
        proxy_over(proxy);
        return;
    }
    if (proxy->restarting) {
        proxy_start(proxy);
        return;
    }
    if (proxy->state == PROXY_UP && clock_mono_us() - proxy->up_at >= STEADY_US)
        proxy->pause_ms = PAUSE_FIRST_MS;
    if (proxy->late)
        text_printf(&proxy->words.text, TEXT_LINE, "kubectl proxy did not begin to serve within %d s", START_MS / 1000);
    else if (text_empty(&proxy->words.text))
        text_set_str(&proxy->words.text, kubectl_end_words("proxy", exit_code, signal, words), TEXT_LINE);
    proxy_down(proxy);
}

/* Every flag that bears on what gets through is given, so that no file with preferences of the user's can open it. */
static char **proxy_argv(const struct kubectl_proxy *proxy)
{
    struct proxy_filters filters = kubectl_proxy_filters(proxy->options.allow_post, proxy->options.allow_podproxy);
    char at[EXPRESSION_MAX], paths[EXPRESSION_MAX], rejected[EXPRESSION_MAX], methods[EXPRESSION_MAX];
    snprintf(at, sizeof at, "--unix-socket=%s", proxy->socket);
    snprintf(paths, sizeof paths, "--accept-paths=%s", filters.accept_paths);
    snprintf(rejected, sizeof rejected, "--reject-paths=%s", filters.reject_paths);
    snprintf(methods, sizeof methods, "--reject-methods=%s", filters.reject_methods);
    const char *const rest[] = {"proxy", at,  "--disable-filter=false", "--accept-hosts=^localhost$", paths, rejected,
                                methods, NULL};
    return kubectl_argv(proxy->kubectl, proxy->options.flags, rest);
}

static bool proxy_spawn(struct kubectl_proxy *proxy, struct problem *problem)
{
    struct sockaddr_un address;
    if (strlen(proxy->socket) >= sizeof address.sun_path) {
        problem_set(problem, STATUS_BAD_INPUT,
                    "the path of the proxy's socket is longer than the %zu bytes there are: %s",
                    sizeof address.sun_path - 1, proxy->socket);
        return false;
    }
    char **argv = proxy_argv(proxy);
    struct child_options options = {.loop = proxy->options.loop,
                                    .path = proxy->kubectl,
                                    .argv = (const char *const *)argv,
                                    .line = on_line,
                                    .over = on_over,
                                    .group = proxy->options.group,
                                    .user = proxy,
                                    .group_user = proxy->options.group_user};
    socket_remove(proxy->socket);
    bool started = child_spawn(&options, &proxy->child, problem) == STATUS_OK;
    kubectl_argv_free(argv);
    return started;
}

static void proxy_start(struct kubectl_proxy *proxy)
{
    struct problem problem = {""};
    bool told = proxy->restarting;
    kubectl_words_free(&proxy->words);
    text_free(&proxy->speech);
    proxy->late = proxy->patient = proxy->restarting = false;
    proxy->config = config_stamp(proxy->options.flags);
    if (proxy_spawn(proxy, &problem)) {
        uv_timer_start(&proxy->timer, on_timer, START_MS, 0);
        proxy->state = PROXY_STARTING;
        if (!told)
            proxy_tell(proxy, PROXY_STARTING);
    } else {
        text_set_str(&proxy->words.text, problem.text, TEXT_LINE);
        proxy_down(proxy);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct kubectl_proxy *proxy = timer->data;
    if (!proxy->child) {
        proxy_start(proxy);
        return;
    }
    if (!proxy->patient && !text_empty(&proxy->speech)) {
        proxy->patient = true;
        uv_timer_start(timer, on_timer, SPEAKING_MS, 0);
        return;
    }
    proxy->late = true;
    child_end(proxy->child, GRACE_MS);
}

void kubectl_proxy_refresh(struct kubectl_proxy *proxy)
{
    if (proxy->restarting || proxy->freeing || config_stamp(proxy->options.flags) == proxy->config)
        return;
    if (proxy->state == PROXY_UP) {
        proxy->restarting = true;
        child_end(proxy->child, GRACE_MS);
    } else if (!proxy->child) { /* pausing: somebody has mended it */
        uv_timer_stop(&proxy->timer);
        proxy->pause_ms = PAUSE_FIRST_MS;
        proxy_start(proxy);
    }
}

/* ---- beginning and end ---- */

struct kubectl_proxy *kubectl_proxy_new(const struct kubectl_proxy_options *options)
{
    struct kubectl_proxy *proxy = mem_new(sizeof *proxy);
    size_t size = strlen(options->dir) + sizeof "/k.sock";
    proxy->options = *options;
    proxy->kubectl = mem_dup(options->kubectl);
    proxy->socket = mem_new(size);
    snprintf(proxy->socket, size, "%s/%c.sock", options->dir,
             options->allow_post       ? 'p'
             : options->podproxy_alone ? 'd'
                                       : 'k');
    proxy->pause_ms = PAUSE_FIRST_MS;
    uv_timer_init(options->loop, &proxy->timer);
    proxy->timer.data = proxy;
    uv_timer_start(&proxy->timer, on_timer, 0, 0); /* nothing is told before this returns */
    return proxy;
}

const char *kubectl_proxy_socket(const struct kubectl_proxy *proxy)
{
    return proxy->socket;
}

static void on_closed(uv_handle_t *handle)
{
    struct kubectl_proxy *proxy = handle->data;
    void (*done)(void *user) = proxy->done;
    void *user = proxy->done_user;
    kubectl_words_free(&proxy->words);
    text_free(&proxy->speech);
    mem_free(proxy->kubectl);
    mem_free(proxy->socket);
    mem_free(proxy);
    if (done)
        done(user);
}

static void proxy_over(struct kubectl_proxy *proxy)
{
    uv_close((uv_handle_t *)&proxy->timer, on_closed);
}

void kubectl_proxy_free(struct kubectl_proxy *proxy, void (*done)(void *user), void *user)
{
    proxy->freeing = true;
    proxy->done = done;
    proxy->done_user = user;
    uv_timer_stop(&proxy->timer);
    if (proxy->child)
        child_end(proxy->child, GRACE_MS);
    else
        proxy_over(proxy);
}
