/* What a real kubelet decided (tests/data/kubelet-traces) against what our prober decides from the same answers. PROBETOP_TRACES names another folder. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "model/prober.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { TRACES = 24, VERDICTS_LEAST = 122, FILE_MAX = 1 << 20, REQUESTS_MAX = 512, STATUSES_MAX = 64, CHANGES_MAX = 64 };
enum { DAY_SECONDS = 86400, RUNS_MAX = 2, LANES = 3 };
enum {
    TOLERANCE_US = 1500 * MILLISECOND_US,
    KILL_GRACE_US = 2 * SECOND_US,   /* the least a killed container is given (1.3); the traces' own is 1 s */
    API_LAG_US = 50 * MILLISECOND_US /* a status stands in the API a little after the kubelet's workers know it */
};

enum what { STARTED, READY, NOT_READY, KILLED };

/* A verdict: ours, or the kubelet's as the status shows it. */
struct change {
    int64_t t;
    int64_t run; /* restarts so far: which container */
    enum what what;
    bool matched;
};

struct changes {
    struct change list[CHANGES_MAX];
    size_t count;
};

struct request {
    int64_t sent, ended; /* µs since midnight; ended: when the kubelet had its answer or gave up */
    enum lane_kind lane;
    enum outcome outcome;
    int run; /* which of the recorded runs' servers logged it */
};

struct status_seen {
    int64_t t, restarts, since;
    bool running, started, ready;
};

struct run {
    int64_t boot, restarts, since;
    int64_t seen;       /* when the kubelet knew of the container */
    int64_t started_at; /* when our startup lane succeeded; -1 */
};

struct trace {
    struct probe_spec specs[LANES];
    struct request requests[REQUESTS_MAX];
    size_t request_count;
    struct status_seen statuses[STATUSES_MAX];
    size_t status_count;
    struct run runs[RUNS_MAX];
    int run_count;
    struct changes ours, kubelets;
};

static const char *const what_names[] = {
    [STARTED] = "started", [READY] = "ready", [NOT_READY] = "unready", [KILLED] = "kill"};

static const struct {
    const char *field, *log_name;
} lanes[LANES] = {[LANE_STARTUP] = {"startupProbe", "startup"},
                  [LANE_LIVENESS] = {"livenessProbe", "live"},
                  [LANE_READINESS] = {"readinessProbe", "ready"}};

/* --- reading ---------------------------------------------------------------------------------------------------- */

static struct json *file_parse(const char *path)
{
    struct json *document = NULL;
    struct problem problem;
    struct buf bytes;
    char chunk[4096];
    size_t got = 0;
    FILE *file = fopen(path, "r");

    if (file == NULL)
        fail_msg("cannot read %s", path);
    buf_init(&bytes, FILE_MAX);
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
        assert_true(buf_append(&bytes, chunk, got));
    (void)fclose(file);
    if (json_parse(buf_str(&bytes), bytes.len, FILE_MAX, &document, &problem) != STATUS_OK)
        fail_msg("%s: %s", path, problem.text);
    buf_free(&bytes);
    return document;
}

/* Unix seconds to µs since midnight: no trace crosses it. */
static int64_t moment(const struct json *seconds)
{
    const double value = json_real(seconds, 0);
    const int64_t whole = (int64_t)value;

    return whole % DAY_SECONDS * SECOND_US + (int64_t)((value - (double)whole) * SECOND_US);
}

/* "2026-11-23T19:48:52Z" */
static int64_t clock_of_day(const char *iso)
{
    int hour = 0, minute = 0, second = 0;

    if (iso == NULL || sscanf(iso, "%*d-%*d-%*dT%d:%d:%dZ", &hour, &minute, &second) != 3)
        return -1;
    return (int64_t)(hour * 3600 + minute * 60 + second) * SECOND_US;
}

static void specs_read(struct trace *trace, const struct json *probes)
{
    for (int lane = 0; lane < LANES; lane++) {
        const struct json *probe = json_get(probes, lanes[lane].field);
        struct probe_spec *spec = &trace->specs[lane];
        struct problem problem;

        if (json_is_null(probe))
            continue;
        spec->initial_delay = (int32_t)json_int(json_get(probe, "initialDelaySeconds"), 0);
        spec->timeout = (int32_t)json_int(json_get(probe, "timeoutSeconds"), 0);
        spec->period = (int32_t)json_int(json_get(probe, "periodSeconds"), 0);
        spec->success_threshold = (int32_t)json_int(json_get(probe, "successThreshold"), 0);
        spec->failure_threshold = (int32_t)json_int(json_get(probe, "failureThreshold"), 0);
        probe_spec_http(spec, json_string(json_get(json_get(probe, "httpGet"), "path")), 8000);
        assert_int_equal(probe_spec_check(spec, (enum lane_kind)lane, &problem), STATUS_OK);
    }
}

static void statuses_read(struct trace *trace, const struct json *list)
{
    for (const struct json *entry = json_first(list); entry != NULL; entry = json_next(entry)) {
        const char *state = json_string(json_get(entry, "state"));

        assert_true(trace->status_count < STATUSES_MAX);
        trace->statuses[trace->status_count++] = (struct status_seen){
            .t = moment(json_get(entry, "t")),
            .restarts = json_int(json_get(entry, "restarts"), -1),
            .since = clock_of_day(json_string(json_get(entry, "running_since"))),
            .running = state != NULL && strcmp(state, "running") == 0,
            .started = json_bool(json_get(entry, "started"), false),
            .ready = json_bool(json_get(entry, "ready"), false),
        };
    }
}

/* What the kubelet made of the server's doing, and when it knew. False: nothing of the kubelet's. */
static bool request_read(const struct trace *trace, const struct json *entry, struct request *request)
{
    const char *lane = json_string(json_get(entry, "lane"));
    const char *act = json_string(json_get(entry, "act"));
    int64_t timeout = 0, took = 0;
    int which = 0;

    while (which < LANES && (lane == NULL || strcmp(lane, lanes[which].log_name) != 0))
        which++;
    if (which == LANES || act == NULL || strcmp(act, "gone") == 0)
        return false;
    assert_int_equal(trace->specs[which].action, PROBE_HTTP_GET);
    request->lane = (enum lane_kind)which;
    request->sent = moment(json_get(entry, "t"));
    request->ended = moment(json_get(entry, "end"));
    request->outcome = strcmp(act, "ok") == 0 || strcmp(act, "302") == 0 ? OUTCOME_OK : OUTCOME_FAIL;
    if (strncmp(act, "slow", 4) == 0) {
        timeout = (int64_t)trace->specs[which].timeout * SECOND_US;
        took = (int64_t)(strtod(act + 4, NULL) * SECOND_US);
        request->outcome = took < timeout ? OUTCOME_OK : OUTCOME_FAIL;
        request->ended = request->sent + (took < timeout ? took : timeout);
    }
    return true;
}

static int by_sent(const void *a, const void *b)
{
    const struct request *left = a, *right = b;

    return (left->sent > right->sent) - (left->sent < right->sent);
}

/* Which container the server that booted then was, and when the kubelet knew of it. */
static void run_identify(const struct trace *trace, struct run *run)
{
    for (size_t i = 0; i < trace->status_count; i++) {
        const struct status_seen *status = &trace->statuses[i];

        if (status->running && status->since <= run->boot && status->restarts > run->restarts) {
            run->restarts = status->restarts;
            run->since = status->since;
            run->seen = status->t - API_LAG_US;
            if (i > 0 && run->seen <= trace->statuses[i - 1].t) /* then it still knew the old one */
                run->seen = trace->statuses[i - 1].t + 1;
        }
    }
    assert_true(run->restarts >= 0);
    if (run->restarts == 0)
        run->seen = run->boot; /* nobody probes a first container before knowing of it (1.2.3) */
}

static void run_read(struct trace *trace, const struct json *log)
{
    struct run *run = &trace->runs[trace->run_count];
    const struct json *entry = json_first(log);

    if (entry == NULL)
        return;
    *run = (struct run){.boot = moment(json_get(entry, "boot")), .restarts = -1, .started_at = -1};
    run_identify(trace, run);
    for (entry = json_next(entry); entry != NULL; entry = json_next(entry)) {
        struct request *request = &trace->requests[trace->request_count];

        assert_true(trace->request_count < REQUESTS_MAX);
        if (request_read(trace, entry, request)) {
            request->run = trace->run_count;
            trace->request_count++;
        }
    }
    trace->run_count++;
}

static void trace_read(struct trace *trace, const char *path)
{
    struct json *document = file_parse(path);

    specs_read(trace, json_get(document, "probes"));
    statuses_read(trace, json_get(document, "status"));
    run_read(trace, json_get(document, "previous_run"));
    run_read(trace, json_get(document, "last_run"));
    qsort(trace->requests, trace->request_count, sizeof trace->requests[0], by_sent);
    json_free(document);
}

/* --- the kubelet's verdicts ------------------------------------------------------------------------------------- */

static void change_add(struct changes *changes, int64_t t, int64_t run, enum what what)
{
    assert_true(changes->count < CHANGES_MAX);
    changes->list[changes->count++] = (struct change){.t = t, .run = run, .what = what};
}

/* A change of the status has a recorded reason when an answer in its lane came shortly before. The server logs nothing while it is being ended, see the traces' README. */
static bool is_derivable(const struct trace *trace, enum lane_kind lane, int64_t t)
{
    for (size_t i = 0; i < trace->request_count; i++) {
        const struct request *request = &trace->requests[i];

        if (request->lane == lane && request->ended <= t + API_LAG_US && request->ended >= t - TOLERANCE_US)
            return true;
    }
    return false;
}

static void kubelets_verdicts_of(struct trace *trace, const struct run *run)
{
    const bool asks_startup = trace->specs[LANE_STARTUP].action != PROBE_NONE;
    const bool asks_readiness = trace->specs[LANE_READINESS].action != PROBE_NONE;
    bool started = false, ready = false;

    for (size_t i = 0; i < trace->status_count; i++) {
        const struct status_seen *status = &trace->statuses[i];

        if (status->t < run->seen)
            continue;
        if (!status->running || status->restarts != run->restarts) {
            change_add(&trace->kubelets, status->t, run->restarts, KILLED); /* the servers never end by themselves */
            return;
        }
        if (asks_startup && status->started != started && is_derivable(trace, LANE_STARTUP, status->t))
            change_add(&trace->kubelets, status->t, run->restarts, STARTED);
        if (asks_readiness && status->ready != ready && is_derivable(trace, LANE_READINESS, status->t))
            change_add(&trace->kubelets, status->t, run->restarts, status->ready ? READY : NOT_READY);
        started = status->started;
        ready = status->ready;
    }
}

/* --- ours ------------------------------------------------------------------------------------------------------- */

/* The container as the kubelet knew it at a moment; for the time before the first recorded run, the one before that. */
static struct container_view view_at(const struct trace *trace, enum lane_kind lane, int64_t t)
{
    const bool has_startup = trace->specs[LANE_STARTUP].action != PROBE_NONE;
    const struct run *run = NULL;

    for (int i = 0; i < trace->run_count && trace->runs[i].seen <= t; i++)
        run = &trace->runs[i];
    if (run == NULL) {
        return (struct container_view){
            .run = (uint64_t)trace->runs[0].restarts, .running = true, .started = lane != LANE_STARTUP};
    }
    return (struct container_view){
        .run = (uint64_t)run->restarts + 1,
        .running = true,
        .started_at = run->since,
        .started_at_known = true,
        .started = !has_startup || (run->started_at >= 0 && run->started_at <= t),
    };
}

static void step_note(struct trace *trace, const struct prober *prober, enum prober_step step, int64_t t)
{
    const int64_t restarts = (int64_t)prober->run - 1;

    if (step == PROBER_KILL) {
        change_add(&trace->ours, t, restarts, KILLED);
    } else if (step == PROBER_CHANGED && prober->lane == LANE_READINESS) {
        change_add(&trace->ours, t, restarts, prober->stored == VERDICT_SUCCESS ? READY : NOT_READY);
    } else if (step == PROBER_CHANGED) {
        change_add(&trace->ours, t, restarts, STARTED);
        for (int i = 0; i < trace->run_count; i++)
            if (trace->runs[i].restarts == restarts)
                trace->runs[i].started_at = t;
    }
}

/* The container before the first recorded run: its verdicts cannot be compared, its streaks live on. */
static bool is_unrecorded(const struct trace *trace, const struct container_view *view)
{
    return view->run <= (uint64_t)trace->runs[0].restarts;
}

/* A worker sees the container when it sends, and its answer is that container's (1.2.3, 1.2.4). Returns how many requests our gate would not have sent. */
static int lane_fold(struct trace *trace, enum lane_kind lane)
{
    struct prober prober;
    int withheld = 0;

    prober_init(&prober, lane, &trace->specs[lane]);
    for (size_t i = 0; i < trace->request_count; i++) {
        const struct request *request = &trace->requests[i];
        const struct container_view view = view_at(trace, lane, request->sent);
        const bool to_old = view.run != (uint64_t)trace->runs[request->run].restarts + 1;
        enum prober_step step = PROBER_NOTHING;

        if (request->lane != lane)
            continue;
        (void)prober_observe(&prober, &view);
        if (!to_old && prober_gate(&prober, &view, request->sent) != GATE_SEND) {
            print_message("  %s request at %.3f: our gate says: %s\n", lane_name(lane),
                          (double)request->sent / SECOND_US, gate_sentence(prober_gate(&prober, &view, request->sent)));
            withheld++;
        }
        step = prober_result(&prober, request->outcome);
        if (!is_unrecorded(trace, &view))
            step_note(trace, &prober, step, request->ended);
    }
    return withheld;
}

/* --- comparing -------------------------------------------------------------------------------------------------- */

static bool is_same(const struct change *ours, const struct change *kubelets)
{
    const int64_t later = kubelets->t - ours->t;

    if (ours->run != kubelets->run || ours->what != kubelets->what)
        return false;
    if (ours->what == KILLED) /* the status changes when the container is gone */
        return later >= KILL_GRACE_US - SECOND_US && later <= KILL_GRACE_US + TOLERANCE_US;
    return later >= -TOLERANCE_US && later <= TOLERANCE_US;
}

static void change_print(const char *whose, const struct change *change)
{
    print_message("  %s alone: %s at %.3f, container %" PRId64 "\n", whose, what_names[change->what],
                  (double)change->t / SECOND_US, change->run);
}

/* Pairs them up; returns the pairs and adds what is left over to *alone. */
static int changes_compare(struct changes *ours, struct changes *kubelets, int *alone)
{
    int pairs = 0;

    for (size_t i = 0; i < ours->count; i++) {
        size_t j = 0;

        while (j < kubelets->count && (kubelets->list[j].matched || !is_same(&ours->list[i], &kubelets->list[j])))
            j++;
        if (j < kubelets->count) {
            kubelets->list[j].matched = true;
            pairs++;
        } else {
            change_print("ours", &ours->list[i]);
            (*alone)++;
        }
    }
    for (size_t j = 0; j < kubelets->count; j++) {
        if (!kubelets->list[j].matched) {
            change_print("the kubelet's", &kubelets->list[j]);
            (*alone)++;
        }
    }
    return pairs;
}

static void decides_as_the_kubelet_did(void **state)
{
    const char *folder = getenv("PROBETOP_TRACES");
    const char *source = getenv("srcdir");
    int pairs = 0, alone = 0, withheld = 0;
    size_t requests = 0;

    (void)state;
    for (int i = 0; i < TRACES; i++) {
        struct trace trace = {.run_count = 0};
        char path[1024];

        if (folder != NULL)
            snprintf(path, sizeof path, "%s/t101-%d.json", folder, i);
        else
            snprintf(path, sizeof path, "%s/tests/data/kubelet-traces/t101-%d.json", source == NULL ? "." : source, i);
        trace_read(&trace, path);
        for (int run = 0; run < trace.run_count; run++)
            kubelets_verdicts_of(&trace, &trace.runs[run]);
        for (int lane = 0; lane < LANES; lane++) { /* startup first: it says when the others may begin */
            withheld += lane_fold(&trace, (enum lane_kind)lane);
            probe_spec_free(&trace.specs[lane]);
        }
        requests += trace.request_count;
        pairs += changes_compare(&trace.ours, &trace.kubelets, &alone);
        if (alone + withheld > 0)
            print_message("^ t101-%d\n", i);
    }
    print_message(
        "%d verdicts compared from %zu probes of a real kubelet, %d differ, %d probes our gate would not send\n",
        pairs + alone, requests, alone, withheld);
    assert_int_equal(alone, 0);
    assert_int_equal(withheld, 0);
    assert_true(pairs >= VERDICTS_LEAST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(decides_as_the_kubelet_did)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
