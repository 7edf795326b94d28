#include "tui/check.h"

#include "base/mem.h"
#include "tui/engine_half.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { REPORT_BYTES_MAX = 64 * 1024 * 1024, SPARE_MS = 2000 };

struct check {
    uv_loop_t loop;
    uv_timer_t look; /* looks at what has come, outside of the engine's own calls */
    uv_timer_t end;
    struct engine *engine;
    struct fleet *fleet;
    bool once; /* until each has answered, instead of for a time */
    bool stopping;
    size_t expected; /* pods */
    uint8_t *asked;  /* per pod id up to `expected`: lanes that were hurried on already, as bits */
    int64_t now;     /* t of the report */
};

static void on_stopped(void *user)
{
    struct check *check = user;
    uv_close((uv_handle_t *)&check->look, NULL);
    uv_close((uv_handle_t *)&check->end, NULL);
}

static void check_stop(struct check *check)
{
    if (check->stopping)
        return;
    check->stopping = true;
    check->now = clock_now(engine_clock(check->engine));
    engine_stop(check->engine, on_stopped, check);
}

/* Lanes of this pod that may send and have not answered yet, as bits. */
static unsigned pod_owes(const struct pod *pod, int64_t now)
{
    unsigned owes = 0;
    for (int l = 0; l < LANE_COUNT; l++)
        if (pod->lanes[l].present && pod->lanes[l].last.sent < 0 && pod_gate(pod, (enum lane_kind)l, now) == GATE_SEND)
            owes |= 1U << l;
    return owes;
}

/* A lane that opened late (after the startup probe) is probed at once, not at its own next tick: nobody waits ten seconds for a look. */
static void on_look(uv_timer_t *timer)
{
    struct check *check = timer->data;
    int64_t now = clock_now(engine_clock(check->engine));
    bool done = check->fleet->count >= check->expected;
    if (check->stopping)
        return;
    for (uint32_t i = 0; i < check->fleet->count; i++) {
        const struct pod *pod = check->fleet->pods[i];
        unsigned owes = pod_owes(pod, now);
        done = done && owes == 0;
        if (i < check->expected && (owes & ~(unsigned)check->asked[i])) {
            check->asked[i] = (uint8_t)(check->asked[i] | owes);
            engine_probe_now(check->engine, pod->facts.id);
        }
    }
    if (done)
        check_stop(check);
}

static void on_fact(void *user, const struct fact *fact)
{
    struct check *check = user;
    fleet_apply(check->fleet, fact);
    if (check->once && !check->stopping)
        uv_timer_start(&check->look, on_look, 0, 0);
}

static void on_end(uv_timer_t *timer)
{
    check_stop(timer->data);
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

int check_run(struct options *options)
{
    struct check check = {.once = options->check_for_us == 0, .expected = options->endpoints.count};
    struct problem problem = {""};
    uint64_t longest = check_longest_ms(options);
    uv_loop_init(&check.loop);
    uv_timer_init(&check.loop, &check.look);
    uv_timer_init(&check.loop, &check.end);
    check.look.data = check.end.data = &check;
    check.asked = mem_array(check.expected, sizeof *check.asked);
    check.fleet = fleet_new(fleet_limits_reader());
    check.engine = engine_half_engine(options, &check.loop, NULL);
    engine_observe(check.engine, on_fact, &check);
    enum status status = engine_start(check.engine, &problem);
    if (status == STATUS_OK)
        uv_timer_start(&check.end, on_end, longest, 0);
    else
        check_stop(&check);
    uv_run(&check.loop, UV_RUN_DEFAULT);
    if (status != STATUS_OK)
        fprintf(stderr, "probetop: %s\n", problem.text);
    int code = status == STATUS_OK ? check_print(&check, options) : 2;
    engine_free(check.engine);
    fleet_free(check.fleet);
    mem_free(check.asked);
    uv_loop_close(&check.loop);
    return code;
}
