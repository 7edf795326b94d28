#include "tui/check.h"

#include "base/mem.h"
#include "tui/engine_half.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    REPORT_BYTES_MAX = 64 * 1024 * 1024,
    SPARE_MS = 2000,
    SETTLE_MS = 500,
    LOST_MS = 3000 /* for a cluster to come back */
};

struct check {
    uv_loop_t loop;
    uv_timer_t look; /* looks at what has come, outside of the engine's own calls */
    uv_timer_t end;
    struct end_signals signals;
    int signal; /* by which it was asked for its end; 0: none */
    struct engine *engine;
    struct fleet *fleet;
    bool once; /* until each has answered, instead of for a time */
    bool stopping;
    bool of_cluster; /* the source says how many pods there are, and when it has told all */
    size_t expected; /* pods */
    uint8_t *asked;  /* per pod: lanes that were hurried on already, as bits */
    size_t asked_count;
    uint64_t longest_ms;
    int64_t settled_at; /* t when each had answered; -1: not yet */
    int64_t now;        /* t of the report */
};

static void on_stopped(void *user)
{
    struct check *check = user;
    uv_close((uv_handle_t *)&check->look, NULL);
    uv_close((uv_handle_t *)&check->end, NULL);
    end_signals_close(&check->signals);
}

static void check_stop(struct check *check)
{
    if (check->stopping)
        return;
    check->stopping = true;
    check->now = clock_now(engine_clock(check->engine));
    engine_stop(check->engine, on_stopped, check);
}

static void on_signal(void *user, int number)
{
    struct check *check = user;
    if (!check->stopping)
        check->signal = number;
    check_stop(check);
}

/* One that was due before its tunnel was up is asked again when it is. */
static bool lane_has_answered(const struct pod *pod, const struct lane *lane)
{
    bool unsent = lane->last.outcome == OUTCOME_UNKNOWN && lane->last.cause == PROBE_CAUSE_TUNNEL_DOWN;
    return lane->last.sent >= 0 && !(unsent && (pod->tunnel == TUNNEL_STARTING || pod->tunnel == TUNNEL_UP));
}

/* Lanes of this pod that may send and have not answered yet, as bits. */
static unsigned pod_owes(const struct pod *pod, int64_t now)
{
    unsigned owes = 0;
    for (int l = 0; l < LANE_COUNT; l++)
        if (pod->lanes[l].present && !lane_has_answered(pod, &pod->lanes[l]) &&
            pod_gate(pod, (enum lane_kind)l, now) == GATE_SEND)
            owes |= 1U << l;
    return owes;
}

/* A cluster's pods are all told of when the source stands. One that is lost may come back before the time is up. */
static bool check_knows_all(const struct check *check)
{
    if (!check->of_cluster)
        return check->fleet->count >= check->expected;
    return check->fleet->source != SOURCE_STARTING && check->fleet->source != SOURCE_LOST;
}

static void check_room_for_asked(struct check *check)
{
    if (check->asked_count >= check->fleet->count)
        return;
    size_t count = (size_t)check->fleet->count * 2;
    check->asked = mem_resize(check->asked, count, sizeof *check->asked);
    memset(check->asked + check->asked_count, 0, count - check->asked_count);
    check->asked_count = count;
}

/* Why a pod of a cluster is not Ready stands in its events and its log, which come beside the probes. */
static int64_t check_settle_us(const struct check *check)
{
    const struct fleet *fleet = check->fleet;
    return check->of_cluster && fleet->by_stage[STAGE_READY] < fleet->count ? SETTLE_MS * MILLISECOND_US : 0;
}

/* A lane that opened late (after the startup probe) is probed at once, not at its own next tick: nobody waits ten seconds for a look. */
static void on_look(uv_timer_t *timer)
{
    struct check *check = timer->data;
    int64_t now = clock_now(engine_clock(check->engine));
    bool done = check_knows_all(check);
    if (check->stopping)
        return;
    check_room_for_asked(check);
    for (uint32_t i = 0; i < check->fleet->count; i++) {
        const struct pod *pod = check->fleet->pods[i];
        unsigned owes = pod_owes(pod, now);
        done = done && owes == 0;
        if ((owes & ~(unsigned)check->asked[i])) {
            check->asked[i] = (uint8_t)(check->asked[i] | owes);
            engine_probe_now(check->engine, pod->facts.id);
        }
    }
    if (done && check->settled_at < 0)
        check->settled_at = now;
    int64_t rest = done ? check->settled_at + check_settle_us(check) - now : 0;
    if (rest > 0)
        uv_timer_start(&check->look, on_look, (uint64_t)(rest / MILLISECOND_US) + 1, 0);
    else if (done)
        check_stop(check);
}

static void on_end(uv_timer_t *timer)
{
    check_stop(timer->data);
}

static void on_fact(void *user, const struct fact *fact)
{
    struct check *check = user;
    fleet_apply(check->fleet, fact);
    if (fact->kind == FACT_NOTE)
        fprintf(stderr, "probetop: %s\n", text_str(&fact->u.note));
    if (fact->kind == FACT_SOURCE && !check->stopping)
        uv_timer_start(&check->end, on_end, check->fleet->source == SOURCE_LOST ? LOST_MS : check->longest_ms, 0);
    if (check->once && !check->stopping)
        uv_timer_start(&check->look, on_look, 0, 0);
}

/* At the latest: two rounds (startup, then the others) of the longest timeout. */
static uint64_t check_longest_ms(const struct options *options)
{
    int32_t longest = 10;
    if (options->check_for_us > 0)
        return (uint64_t)(options->check_for_us / MILLISECOND_US);
    for (size_t i = 0; i < options->endpoints.count; i++)
        for (int l = 0; l < LANE_COUNT; l++)
            if (options->endpoints.list[i].probes[l].timeout > longest)
                longest = options->endpoints.list[i].probes[l].timeout;
    return (uint64_t)longest * 2 * 1000 + SPARE_MS;
}

static int check_print(const struct check *check, const struct options *options)
{
    struct buf out;
    buf_init(&out, REPORT_BYTES_MAX);
    report_fleet(check->fleet, check->now, options->format, options->ascii, &out);
    fwrite(buf_str(&out), 1, out.len, stdout);
    buf_free(&out);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "probetop: standard output: %s\n", strerror(errno));
        return 2;
    }
    return report_unhealthy(check->fleet, check->now) ? 1 : 0;
}

/* 2: nothing can be said of a cluster that could not be asked, or of pods that are not there. */
static int check_end(const struct check *check, const struct options *options)
{
    if (check->signal)
        return 128 + check->signal;
    int code = check_print(check, options);
    if (check->of_cluster && check->fleet->source != SOURCE_WATCHING) {
        fprintf(stderr, "probetop: %s\n", text_str(&check->fleet->source_detail));
        return 2;
    }
    return code;
}

int check_run(struct options *options)
{
    struct check check = {.once = options->check_for_us == 0,
                          .of_cluster = options->use_kube,
                          .expected = options->endpoints.count,
                          .settled_at = -1};
    struct problem problem = {""};
    struct cluster_way way;
    if (cluster_way_find(options, NULL, &way, &problem) != STATUS_OK) {
        fprintf(stderr, "probetop: %s\n", problem.text);
        return 2;
    }
    check.longest_ms = check_longest_ms(options);
    uv_loop_init(&check.loop);
    uv_timer_init(&check.loop, &check.look);
    uv_timer_init(&check.loop, &check.end);
    check.look.data = check.end.data = &check;
    end_signals_watch(&check.signals, &check.loop, on_signal, &check);
    struct fleet_limits limits = fleet_limits_reader();
    limits.signatures = &options->signatures;
    check.fleet = fleet_new(limits);
    check.engine = engine_half_engine(options, &way, &check.loop, NULL);
    engine_observe(check.engine, on_fact, &check);
    enum status status = engine_start(check.engine, &problem);
    if (status == STATUS_OK)
        uv_timer_start(&check.end, on_end, check.longest_ms, 0);
    else
        check_stop(&check);
    uv_run(&check.loop, UV_RUN_DEFAULT);
    if (status != STATUS_OK)
        fprintf(stderr, "probetop: %s\n", problem.text);
    int code = status == STATUS_OK ? check_end(&check, options) : 2;
    engine_free(check.engine);
    cluster_way_end(&way);
    fleet_free(check.fleet);
    mem_free(check.asked);
    uv_loop_close(&check.loop);
    return code;
}
