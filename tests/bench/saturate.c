/* bench-saturate PORT CONCURRENCY SECONDS: probetop's own probe (probe/http and probe/classify), as many a second as go. Prints like bench-raw. */
#include "model/sample.h"
#include "probe/classify.h"
#include "probe/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

struct probing {
    struct http *http;
    struct probe_spec spec;
    struct http_address address;
    int64_t end, done, failed;
};

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static void ended(void *user, const struct http_result *result)
{
    struct probing *probing = user;
    struct classify_question question = {.lane = LANE_READINESS,
                                         .action = PROBE_HTTP_GET,
                                         .path = "/v1/models",
                                         .tunnel = TUNNEL_UP,
                                         .expected_model = ""};
    struct sample sample;
    sample_init(&sample);
    classify(&question, result, 1, &sample);
    probing->done++;
    probing->failed += sample.outcome != OUTCOME_OK;
    sample_free(&sample);
    if (now_us() < probing->end)
        http_get(probing->http, &probing->spec, &probing->address, NULL, 5000000, ended, probing);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fputs("bench-saturate PORT CONCURRENCY SECONDS\n", stderr);
        return 2;
    }
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct probing probing = {.address = {.host = "127.0.0.1", .port = (int32_t)strtol(argv[1], NULL, 10)}};
    probe_spec_http(&probing.spec, "/v1/models", probing.address.port);
    probing.http = http_new(&loop, "kube-probe/1.34");
    int64_t began = now_us();
    probing.end = began + strtol(argv[3], NULL, 10) * 1000000;
    for (long i = strtol(argv[2], NULL, 10); i > 0; i--)
        http_get(probing.http, &probing.spec, &probing.address, NULL, 5000000, ended, &probing);
    while (http_in_flight(probing.http) > 0)
        uv_run(&loop, UV_RUN_ONCE);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%lld %lld %lld\n", (long long)probing.done,
           (long long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
               usage.ru_stime.tv_usec,
           (long long)(now_us() - began));
    http_free(probing.http);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    probe_spec_free(&probing.spec);
    return probing.failed > probing.done / 100;
}
