/* Stands in for kubectl where there is none, and no cluster: KUBECONFIG names the unix socket of the test's own API (fake_api.h).
 *
 * `proxy --unix-socket=PATH` carries requests there, through the filters it is given, and says what the real one says when the API is not there; `config view` and `version` answer as the real ones do.
 * Each start is a line of KUBECONFIG.log. Where KUBECONFIG.fail exists, its text goes to standard error and that is all: a context that is not there. Where KUBECONFIG.plugin exists, its text is what comes of each
 * request: an exec plugin that fails. */
#include "base/buf.h"
#include "base/mem.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

enum { HEAD_MAX = 64 << 10, ROOM = 65536, BACKLOG = 128, FILTER_MAX = 4096, PRIVATE = 0077 };

struct kubectl {
    const char *api; /* the socket of the API */
    const char *accept_paths, *reject_paths, *reject_methods;
    uv_loop_t loop;
    uv_pipe_t listener;
    char room[ROOM];
};

/* One connection of a client, and the one to the API that carries it. */
struct relay {
    uv_pipe_t ends[2]; /* [0] the client, [1] the API */
    uv_connect_t connect;
    struct buf head; /* until the API is reached */
    int open;
    bool closing;
};

static void relay_closed(uv_handle_t *handle)
{
    struct relay *relay = handle->data;
    if (--relay->open == 0) {
        buf_free(&relay->head);
        mem_free(relay);
    }
}

static void relay_close(struct relay *relay)
{
    for (int i = 0; !relay->closing && i < 2; i++)
        uv_close((uv_handle_t *)&relay->ends[i], relay_closed);
    relay->closing = true;
}

struct write {
    uv_write_t write;
    struct relay *relay;
    bool last;
    char bytes[];
};

static void written(uv_write_t *write, int status)
{
    struct write *own = write->data;
    if (own->last && status == 0)
        relay_close(own->relay);
    mem_free(own);
}

static void relay_write(struct relay *relay, int end, const char *bytes, size_t length, bool last)
{
    struct write *write = mem_new(sizeof *write + length + 1);
    *write = (struct write){.relay = relay, .last = last};
    memcpy(write->bytes, bytes, length);
    write->write.data = write;
    uv_buf_t part = uv_buf_init(write->bytes, (unsigned)length);
    if (uv_write(&write->write, (uv_stream_t *)&relay->ends[end], &part, 1, written) != 0) {
        mem_free(write);
        relay_close(relay);
    }
}

static void relay_answer(struct relay *relay, const char *status, const char *words)
{
    char answer[1024];
    snprintf(
        answer, sizeof answer,
        "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
        status, strlen(words), words);
    relay_write(relay, 0, answer, strlen(answer), true);
}

/* ---- the filters ---- */

/* Whether one of the expressions, separated by commas, matches. */
static bool matches(const char *expressions, const char *text)
{
    char one[FILTER_MAX];
    bool found = false;
    while (*expressions && !found) {
        regex_t regex;
        size_t length = strcspn(expressions, ",");
        snprintf(one, sizeof one, "%.*s", (int)length, expressions);
        if (regcomp(&regex, one, REG_EXTENDED | REG_NOSUB) == 0) {
            found = regexec(&regex, text, 0, NULL, 0) == 0;
            regfree(&regex);
        }
        expressions += length + (expressions[length] == ',');
    }
    return found;
}

static bool passes(const struct kubectl *kubectl, const char *head)
{
    char method[16], path[4096];
    if (sscanf(head, "%15s %4095[^? ]", method, path) != 2)
        return false;
    return !matches(kubectl->reject_paths, path) && !matches(kubectl->reject_methods, method) &&
           matches(kubectl->accept_paths, path);
}

/* What stands in KUBECONFIG.name; false: there is no such file. */
static bool read_words(const struct kubectl *kubectl, const char *name, char *words, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s.%s", kubectl->api, name);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    words[fread(words, 1, size - 1, file)] = '\0';
    fclose(file);
    return true;
}

/* ---- carrying ---- */

static void room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct kubectl *kubectl = handle->loop->data;
    (void)suggested;
    *out = uv_buf_init(kubectl->room, sizeof kubectl->room);
}

static void carry(uv_stream_t *stream, ssize_t count, const uv_buf_t *bytes)
{
    struct relay *relay = stream->data;
    int from = stream == (uv_stream_t *)&relay->ends[0] ? 0 : 1;
    if (count < 0)
        relay_close(relay);
    else if (count > 0)
        relay_write(relay, !from, bytes->base, (size_t)count, false);
}

static void reached(uv_connect_t *connect, int status)
{
    struct relay *relay = connect->data;
    if (relay->closing)
        return;
    if (status != 0) {
        relay_answer(relay, "500 Internal Server Error", "dial tcp 127.0.0.1:6443: connect: connection refused\n");
        return;
    }
    relay_write(relay, 1, buf_str(&relay->head), relay->head.len, false);
    uv_read_start((uv_stream_t *)&relay->ends[0], room, carry);
    uv_read_start((uv_stream_t *)&relay->ends[1], room, carry);
}

static void head_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *bytes)
{
    struct relay *relay = stream->data;
    struct kubectl *kubectl = stream->loop->data;
    if (count < 0 || !buf_append(&relay->head, bytes->base, (size_t)count)) {
        relay_close(relay);
    } else if (strstr(buf_str(&relay->head), "\r\n\r\n")) {
        char words[512];
        uv_read_stop(stream);
        if (read_words(kubectl, "plugin", words, sizeof words)) {
            fprintf(stderr, "E1124 07:20:55.000000 1 proxy_server.go:147] Error while proxying request: %s\n", words);
            relay_answer(relay, "500 Internal Server Error", words);
        } else if (passes(kubectl, buf_str(&relay->head))) {
            uv_pipe_connect(&relay->connect, &relay->ends[1], kubectl->api, reached);
        } else {
            relay_answer(relay, "403 Forbidden", "Forbidden\n");
        }
    }
}

static void accepted(uv_stream_t *listener, int status)
{
    struct relay *relay;
    if (status != 0)
        return;
    relay = mem_new(sizeof *relay);
    relay->open = 2;
    relay->connect.data = relay;
    buf_init(&relay->head, HEAD_MAX);
    for (int i = 0; i < 2; i++) {
        uv_pipe_init(listener->loop, &relay->ends[i], 0);
        relay->ends[i].data = relay;
    }
    if (uv_accept(listener, (uv_stream_t *)&relay->ends[0]) != 0 ||
        uv_read_start((uv_stream_t *)&relay->ends[0], room, head_read) != 0)
        relay_close(relay);
}

static int proxy(struct kubectl *kubectl, const char *socket)
{
    uv_loop_init(&kubectl->loop);
    kubectl->loop.data = kubectl;
    uv_pipe_init(&kubectl->loop, &kubectl->listener, 0);
    unlink(socket);
    umask(PRIVATE);
    if (uv_pipe_bind(&kubectl->listener, socket) != 0 ||
        uv_listen((uv_stream_t *)&kubectl->listener, BACKLOG, accepted) != 0) {
        fprintf(stderr, "error: listen unix %s: bind: address already in use\n", socket);
        return 1;
    }
    printf("Starting to serve on %s\n", socket);
    fflush(stdout);
    return uv_run(&kubectl->loop, UV_RUN_DEFAULT);
}

/* ---- the command line ---- */

static void note_start(const struct kubectl *kubectl, char **argv)
{
    char path[512];
    snprintf(path, sizeof path, "%s.log", kubectl->api);
    FILE *log = fopen(path, "a");
    if (log) {
        for (char **word = argv + 1; *word; word++)
            fprintf(log, "%s%s", *word, word[1] ? " " : "\n");
        fclose(log);
    }
}

/* The value of --flag=VALUE or --flag VALUE. */
static const char *flag(char **argv, const char *name, const char *fallback)
{
    size_t length = strlen(name);
    for (char **word = argv + 1; *word; word++)
        if (strncmp(*word, name, length) == 0 && ((*word)[length] == '=' || (!(*word)[length] && word[1])))
            return (*word)[length] == '=' ? *word + length + 1 : word[1];
    return fallback;
}

static bool has_word(char **argv, const char *wanted)
{
    for (char **word = argv + 1; *word; word++)
        if (strcmp(*word, wanted) == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    static struct kubectl kubectl;
    (void)argc;
    kubectl.api = getenv("KUBECONFIG");
    if (!kubectl.api) {
        fputs("The connection to the server localhost:8080 was refused - did you specify the right host or port?\n",
              stderr);
        return 1;
    }
    note_start(&kubectl, argv);
    char words[4096];
    if (read_words(&kubectl, "fail", words, sizeof words)) {
        fputs(words, stderr);
        return 1;
    }
    if (has_word(argv, "config")) {
        puts("{\"kind\":\"Config\",\"apiVersion\":\"v1\",\"preferences\":{},\"clusters\":[{\"name\":\"fake\","
             "\"cluster\":{\"server\":"
             "\"https://"
             "127.0.0.1:6443\"}}],\"users\":[{\"name\":\"viewer\",\"user\":{}}],\"contexts\":[{\"name\":\"fake\","
             "\"context\":{\"cluster\":\"fake\",\"user\":\"viewer\",\"namespace\":\"llm-d\"}}],\"current-context\":"
             "\"fake\"}");
        return 0;
    }
    if (has_word(argv, "version")) {
        puts("{\"clientVersion\":{\"major\":\"1\",\"minor\":\"34\",\"gitVersion\":\"v1.34.4\"}}");
        return 0;
    }
    if (has_word(argv, "proxy")) {
        kubectl.accept_paths = flag(argv, "--accept-paths", "^.*");
        kubectl.reject_paths = flag(argv, "--reject-paths", "^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach");
        kubectl.reject_methods = flag(argv, "--reject-methods", "^$");
        return proxy(&kubectl, flag(argv, "--unix-socket", "k.sock"));
    }
    fputs("error: unknown command\n", stderr);
    return 1;
}
