/* bench-tunnels KUBECTL NAMESPACE POD PORT VIA COUNT PERIOD-MS SECONDS: COUNT tunnels to one pod, each probed every PERIOD-MS, for SECONDS after they have come up. Prints
 * "probes answered refused unknown cpu-ms anonymous-KB own-cpu-ms", of this process and of the kubectl processes that the tunnels need (for portforward the proxy, for kubectl the children); the last of this process
 * alone. */
#include "base/clock.h"
#include "base/mem.h"
#include "kube/kubectl.h"
#include "probe/http.h"
#include "tunnel/kube_tunnel.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { CHILDREN_ROOM = 4096 };

struct bench {
    uv_loop_t loop;
    struct kube_tunnel *tunnel;
    struct kubectl_proxy *proxy;
    struct http *http;
    struct probe_spec spec;
    enum via via;
    uint32_t count, next;
    pid_t children[CHILDREN_ROOM];
    size_t child_count;
    uv_timer_t tick;
    int64_t began, end;
    bool proxy_up, measuring;
    int64_t probes, answered, refused, unknown;
    double cpu_begin, own_begin;
    double looking;    /* ms of our own CPU that went into looking at memory, which is no tunnel's */
    int64_t anonymous; /* KB, the most that was seen */
};

static double self_cpu(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static double pid_cpu(pid_t pid)
{
    char path[64], line[1024] = "";
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        const char *at = fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
        if (at != NULL)
            sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
        fclose(file);
    }
    return (double)(user + system) * 1000 / (double)sysconf(_SC_CLK_TCK);
}

static int64_t pid_anonymous(const char *pid)
{
    char path[64], line[256];
    long value = 0;
    snprintf(path, sizeof path, "/proc/%s/smaps_rollup", pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL && sscanf(line, "Anonymous: %ld", &value) != 1) {
    }
    if (file != NULL)
        fclose(file);
    return value;
}

/* The children that count, now. */
static double children_cpu(const struct bench *bench)
{
    double sum = 0;
    for (size_t i = 0; i < bench->child_count; i++)
        sum += pid_cpu(bench->children[i]);
    return sum + self_cpu(RUSAGE_CHILDREN);
}

static void memory_look(struct bench *bench)
{
    double before = self_cpu(RUSAGE_SELF);
    int64_t sum = pid_anonymous("self");
    for (size_t i = 0; i < bench->child_count; i++) {
        char pid[32];
        snprintf(pid, sizeof pid, "%d", (int)bench->children[i]);
        sum += pid_anonymous(pid);
    }
    if (sum > bench->anonymous)
        bench->anonymous = sum;
    bench->looking += self_cpu(RUSAGE_SELF) - before;
}

static void on_group(void *user, pid_t group, bool alive)
{
    struct bench *bench = user;
    size_t at = 0;
    while (at < bench->child_count && bench->children[at] != group)
        at++;
    if (alive && bench->child_count < CHILDREN_ROOM)
        bench->children[bench->child_count++] = group;
    else if (!alive && at < bench->child_count)
        bench->children[at] = bench->children[--bench->child_count];
}

struct probe {
    struct bench *bench;
    uint32_t pod;
};

static void on_done(void *user, const struct http_result *result)
{
    struct probe *probe = user;
    struct bench *bench = probe->bench;
    enum tunnel_word word = kube_tunnel_ops.word((struct tunnel *)bench->tunnel, probe->pod, bench->spec.port);
    bench->probes++;
    bench->answered += result->status > 0;
    bench->refused += result->status == 0 && word == TUNNEL_REFUSED_IN_POD;
    bench->unknown += result->status == 0 && word != TUNNEL_REFUSED_IN_POD;
    mem_free(probe);
}

static void probe_send(struct bench *bench, uint32_t pod)
{
    struct http_address address = {0};
    if (kube_tunnel_ops.address((struct tunnel *)bench->tunnel, pod, bench->spec.port, &address) != STATUS_OK) {
        bench->probes += bench->measuring;
        bench->unknown += bench->measuring;
        return;
    }
    struct probe *probe = mem_new(sizeof *probe);
    *probe = (struct probe){bench, pod};
    http_get(bench->http, &bench->spec, &address, "10.0.0.1:8000", 5000000, on_done, probe);
}

static void on_freed(void *user)
{
    *(int *)user -= 1;
}

static void bench_finish(struct bench *bench)
{
    int left = 2;
    uv_close((uv_handle_t *)&bench->tick, NULL);
    double own = self_cpu(RUSAGE_SELF) - bench->looking;
    printf("%lld %lld %lld %lld %.0f %lld %.0f\n", (long long)bench->probes, (long long)bench->answered,
           (long long)bench->refused, (long long)bench->unknown, own + children_cpu(bench) - bench->cpu_begin,
           (long long)bench->anonymous, own - bench->own_begin);
    http_free(bench->http);
    kube_tunnel_stop(bench->tunnel, on_freed, &left);
    kubectl_proxy_free(bench->proxy, on_freed, &left);
}

/* One pod a tick, round and round: the probes lie evenly over the period. */
static void on_tick(uv_timer_t *timer)
{
    struct bench *bench = timer->data;
    int64_t now = clock_mono_us();
    if (!bench->proxy_up)
        return;
    probe_send(bench, bench->next % bench->count + 1);
    bench->next++;
    if (!bench->measuring && now >= bench->began) {
        bench->measuring = true;
        bench->probes = bench->answered = bench->refused = bench->unknown = 0;
        bench->own_begin = self_cpu(RUSAGE_SELF) - bench->looking;
        bench->cpu_begin = bench->own_begin + children_cpu(bench);
    }
    if (bench->measuring && bench->next % 50 == 0)
        memory_look(bench);
    if (now >= bench->end)
        bench_finish(bench);
}

static void on_proxy(void *user, enum proxy_state state, enum kubectl_word word, const char *words)
{
    struct bench *bench = user;
    (void)word;
    if (state == PROXY_DOWN)
        fprintf(stderr, "kubectl proxy: %s\n", words);
    bench->proxy_up = state == PROXY_UP;
    kube_tunnel_proxy(bench->tunnel, kubectl_proxy_socket(bench->proxy), bench->proxy_up);
}

int main(int argc, char **argv)
{
    if (argc < 9) {
        fputs("bench-tunnels KUBECTL NAMESPACE POD PORT VIA COUNT PERIOD-MS SECONDS\n", stderr);
        return 2;
    }
    struct bench bench = {.count = (uint32_t)strtoul(argv[6], NULL, 10)};
    struct kubectl_flags flags = {0};
    char dir[] = "/tmp/pt-bench-XXXXXX";
    if (bench.count == 0 || !via_from_name(argv[5], &bench.via) || mkdtemp(dir) == NULL)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&bench.loop);
    probe_spec_http(&bench.spec, "/v1/models", (int32_t)strtol(argv[4], NULL, 10));
    bench.http = http_new(&bench.loop, "kube-probe/1.34");
    bool by_children = bench.via == VIA_KUBECTL;
    bench.tunnel = kube_tunnel_new(&(struct kube_tunnel_options){.loop = &bench.loop,
                                                                 .via = bench.via,
                                                                 .dir = dir,
                                                                 .kubectl = argv[1],
                                                                 .flags = &flags,
                                                                 .group = by_children ? on_group : NULL,
                                                                 .group_user = &bench});
    bench.proxy = kubectl_proxy_new(&(struct kubectl_proxy_options){.loop = &bench.loop,
                                                                    .flags = &flags,
                                                                    .kubectl = argv[1],
                                                                    .dir = dir,
                                                                    .state = on_proxy,
                                                                    .group = by_children ? NULL : on_group,
                                                                    .user = &bench,
                                                                    .group_user = &bench});
    for (uint32_t pod = 1; pod <= bench.count; pod++)
        kube_tunnel_pod(bench.tunnel, pod, argv[2], argv[3], "uid", "10.0.0.1", true);
    long period = strtol(argv[7], NULL, 10);
    bench.began = clock_mono_us() + (5000 + 2 * period) * INT64_C(1000);
    bench.end = bench.began + strtol(argv[8], NULL, 10) * INT64_C(1000000);
    uv_timer_init(&bench.loop, &bench.tick);
    bench.tick.data = &bench;
    uint64_t every = (uint64_t)period / bench.count;
    uv_timer_start(&bench.tick, on_tick, 100, every > 0 ? every : 1);
    uv_run(&bench.loop, UV_RUN_DEFAULT);
    kube_tunnel_ops.free((struct tunnel *)bench.tunnel);
    uv_loop_close(&bench.loop);
    probe_spec_free(&bench.spec);
    return rmdir(dir) == 0 ? 0 : 1;
}
