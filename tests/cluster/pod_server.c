/* What runs in the cluster tests' pods: a server of models that does what its arguments say, one after the other, with the simulated fleet's own answers and log lines.
 *
 * pod_server [--host ADDRESS] [--port N] [--deaf] [--walled] ACT...
 * ACT is WORD:SECONDS (then the next act) or WORD (for ever): `load` refuses and writes a start's log, `refuse` refuses in silence, `ok` serves, `dead` is a server whose engine died, `hang` accepts and says nothing,
 * `reset` and `close` end connections unanswered, `bare` answers without saying how much comes, `error` answers 503 to everything, `slow` answers after 0.95 to 1.05 s; `exit`
 * ends with exit status 1.
 * It says on standard output what it does. A SIGTERM ends it at once, unless it is deaf. Walled, it serves on loopback alone, and who connects to the port on the pod's own address gets no answer at all, as behind a
 * NetworkPolicy. */
#include "base/buf.h"
#include "base/clock.h"
#include "sim/vllm.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BODY_MAX = 1 << 20,
    LINE_BYTES_MAX = 4096,
    PORT = 8000,
    SIGNALS = 2,
    SHARDS = 20,
    PER_CENT = 100,
    MARGIN_US = 20000,
    SLOW_LEAST_US = 950000,
    SLOW_MOST_US = 1050000,
    WALL_CONNECTIONS = 4
};

struct pod {
    uv_loop_t loop;
    uv_timer_t timer;
    uv_signal_t signals[SIGNALS];
    struct clock clock;
    struct dice dice;
    struct vllm vllm;
    struct server *server;
    struct buf body;
    char **acts; /* the next one; NULL at the end */
    bool is_error, is_slow, deaf, walled;
    /* The log that is being written. */
    size_t chapter, line;
    int64_t start_took, chapter_began, chapter_took, act_ends; /* µs of t; act_ends INT64_MAX: never */
};

/* A start's chapters, each with its share of the time in per cent. */
static const struct {
    enum vllm_chapter chapter;
    int32_t share;
} START[] = {{CHAPTER_BOOT, 15},   {CHAPTER_ENGINE, 10}, {CHAPTER_LOAD, 5},     {CHAPTER_CACHED, 2},
             {CHAPTER_SHARDS, 40}, {CHAPTER_WEIGHTS, 3}, {CHAPTER_COMPILE, 12}, {CHAPTER_KV_CACHE, 5},
             {CHAPTER_GRAPHS, 5},  {CHAPTER_APP, 3}};
enum { START_CHAPTERS = sizeof START / sizeof START[0] };

static void say(const char *words)
{
    printf("pod_server: %s\n", words);
    fflush(stdout);
}

static void answer(void *user, const char *path, const char *request, struct answer *out)
{
    struct pod *pod = user;
    (void)request;
    int64_t now = clock_now(&pod->clock);
    vllm_answer(&pod->vllm, false, path, now, pod->clock.wall_zero + now, &pod->dice, &pod->body, out);
    if (pod->is_error)
        *out = (struct answer){.status = 503, .headers = "Server: uvicorn\r\n", .body = "", .delay_us = 0};
    if (pod->is_slow)
        out->delay_us = dice_between(&pod->dice, SLOW_LEAST_US, SLOW_MOST_US);
}

/* ---- the log of a start ---- */

static void chapter_begin(struct pod *pod, size_t chapter, int64_t now)
{
    pod->chapter = chapter;
    pod->line = 0;
    pod->chapter_began = now;
    pod->chapter_took = chapter < START_CHAPTERS ? pod->start_took * START[chapter].share / PER_CENT : 0;
}

/* Writes the lines that are due; returns when the next one is. */
static int64_t log_write(struct pod *pod, int64_t now)
{
    while (pod->chapter < START_CHAPTERS) {
        enum vllm_chapter chapter = START[pod->chapter].chapter;
        while (pod->line < vllm_lines(&pod->vllm, chapter)) {
            double at = vllm_line_at(&pod->vllm, chapter, pod->line);
            int64_t due = pod->chapter_began + (int64_t)((double)pod->chapter_took * at);
            if (due > now)
                return due;
            struct buf line;
            buf_init(&line, LINE_BYTES_MAX);
            vllm_line(&pod->vllm, chapter, pod->line++, (double)pod->chapter_took / SECOND_US,
                      pod->clock.wall_zero + now, &line);
            puts(buf_str(&line));
            fflush(stdout);
            buf_free(&line);
        }
        chapter_begin(pod, pod->chapter + 1, pod->chapter_began + pod->chapter_took);
    }
    return INT64_MAX;
}

/* ---- acts ---- */

static const struct {
    const char *word;
    enum vllm_face face;
} WORDS[] = {{"load", FACE_LOADING},  {"refuse", FACE_LOADING}, {"ok", FACE_SERVING},  {"dead", FACE_ENGINE_DEAD},
             {"hang", FACE_FROZEN},   {"reset", FACE_RESET},    {"close", FACE_CLOSE}, {"bare", FACE_BARE},
             {"error", FACE_SERVING}, {"slow", FACE_SERVING}};

static void face_set(struct pod *pod, const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        if (strlen(WORDS[i].word) == length && strncmp(word, WORDS[i].word, length) == 0) {
            pod->vllm.face = WORDS[i].face;
            pod->is_error = strcmp(WORDS[i].word, "error") == 0;
            pod->is_slow = strcmp(WORDS[i].word, "slow") == 0;
            if (!vllm_listens(&pod->vllm)) {
                server_mute(pod->server, true);
            } else if (server_listen(pod->server) != STATUS_OK) {
                say("cannot listen");
                exit(2);
            }
            return;
        }
    }
    fprintf(stderr, "pod_server: unknown act %s\n", word);
    exit(2);
}

static void act_next(struct pod *pod, int64_t now)
{
    const char *act = *pod->acts;
    if (!act) {
        pod->act_ends = INT64_MAX;
        return;
    }
    pod->acts++;
    say(act);
    if (strcmp(act, "exit") == 0)
        exit(1);
    size_t length = strcspn(act, ":");
    double seconds = act[length] ? strtod(act + length + 1, NULL) : 0;
    face_set(pod, act, length);
    pod->act_ends = act[length] ? now + (int64_t)(seconds * SECOND_US) : INT64_MAX;
    pod->start_took = (int64_t)(seconds * (SECOND_US - MARGIN_US));
    chapter_begin(pod, strncmp(act, "load", length) == 0 ? 0 : START_CHAPTERS, now);
}

static void turn(uv_timer_t *timer)
{
    struct pod *pod = timer->data;
    int64_t now = clock_now(&pod->clock);
    while (pod->act_ends <= now)
        act_next(pod, now);
    int64_t next = log_write(pod, now);
    next = next < pod->act_ends ? next : pod->act_ends;
    if (next != INT64_MAX)
        uv_timer_start(timer, turn, (uint64_t)clock_real_ms_until(&pod->clock, next), 0);
}

static void signalled(uv_signal_t *handle, int number)
{
    const struct pod *pod = handle->data;
    say(number == SIGTERM ? "SIGTERM" : "SIGINT");
    if (!pod->deaf)
        exit(0);
}

/* ---- the wall ---- */

/* A queue of connections that is full and that nobody takes any from: the kernel drops what else comes (tcp(7), listen(2)). */
static bool wall_raise(const uv_interface_address_t *own, int32_t port)
{
    struct sockaddr_in address = own->address.address4;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_port = htons((uint16_t)port);
    if (bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 0) != 0)
        return false;
    for (int i = 0; i < WALL_CONNECTIONS; i++)
        connect(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), (const struct sockaddr *)&address,
                sizeof address);
    return true;
}

/* On the pod's own address. */
static void wall_begin(int32_t port)
{
    uv_interface_address_t *list = NULL;
    int count = 0;
    bool raised = false;
    uv_interface_addresses(&list, &count);
    for (int i = 0; i < count; i++)
        if (!list[i].is_internal && list[i].address.address4.sin_family == AF_INET)
            raised = wall_raise(&list[i], port);
    uv_free_interface_addresses(list, count);
    if (!raised) {
        fprintf(stderr, "pod_server: no wall\n");
        exit(2);
    }
}

/* ---- main ---- */

static int usage(void)
{
    fputs("usage: pod_server [--host ADDRESS] [--port N] [--deaf] [--walled] ACT...\n", stderr);
    return 2;
}

/* Returns the number of the first act; 0: there is none. */
static int options_read(struct pod *pod, const char **host, int argc, char **argv)
{
    int at = 1;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++)
        if (strcmp(argv[at], "--deaf") == 0)
            pod->deaf = true;
        else if (strcmp(argv[at], "--walled") == 0)
            pod->walled = true;
        else if (at + 1 < argc && strcmp(argv[at], "--host") == 0)
            *host = argv[++at];
        else if (at + 1 < argc && strcmp(argv[at], "--port") == 0)
            pod->vllm.port = (int32_t)strtol(argv[++at], NULL, 10);
        else
            return 0;
    return at < argc ? at : 0;
}

int main(int argc, char **argv)
{
    static const int NUMBERS[SIGNALS] = {SIGTERM, SIGINT};
    struct pod pod = {.vllm = {.model = "Qwen/Qwen3-0.6B",
                               .max_model_len = 4096,
                               .shards = SHARDS,
                               .tensor_parallel = 1,
                               .port = PORT,
                               .slow_from = 2 * MILLISECOND_US,
                               .slow_to = 2 * MILLISECOND_US}};
    const char *host = "0.0.0.0";
    struct problem problem = {""};
    int at = options_read(&pod, &host, argc, argv);
    if (at == 0)
        return usage();
    if (pod.walled) {
        host = "127.0.0.1";
        wall_begin(pod.vllm.port);
    }
    pod.acts = argv + at;
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&pod.loop);
    clock_start(&pod.clock, 1);
    buf_init(&pod.body, BODY_MAX);
    if (server_new_at(&pod.loop, host, pod.vllm.port, answer, &pod, &pod.server, &problem) != STATUS_OK) {
        fprintf(stderr, "pod_server: %s\n", problem.text);
        return 2;
    }
    for (int i = 0; i < SIGNALS; i++) {
        uv_signal_init(&pod.loop, &pod.signals[i]);
        pod.signals[i].data = &pod;
        uv_signal_start(&pod.signals[i], signalled, NUMBERS[i]);
    }
    uv_timer_init(&pod.loop, &pod.timer);
    pod.timer.data = &pod;
    turn(&pod.timer);
    return uv_run(&pod.loop, UV_RUN_DEFAULT);
}
