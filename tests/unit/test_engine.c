#include "base/mem.h"
#include "engine/engine.h"
#include "sim/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { DEADLINE_US = 20 * SECOND_US, SEEN_MAX = 8192, REQUEST_MAX = 1024 };

/* What of a fact a test looks at. */
struct seen {
    enum fact_kind kind;
    uint32_t pod;
    int64_t t;
    enum lane_kind lane;
    enum outcome outcome;
    enum probe_cause cause;
    int32_t status, attempt;
    int64_t sent, late, total;
    bool is_late;
    char words[256]; /* body, note, log line, end */
};

/* A backend whose answers the test sets. */
struct tunnel {
    bool down;
    enum tunnel_word word;
    int32_t port; /* on loopback, whatever port is asked */
    int closed, freed;
};

struct rig {
    uv_loop_t loop;
    struct engine *engine;
    struct engine_options options;
    struct server *server;
    struct tunnel tunnel;
    struct answer answer;
    const struct answer *health; /* of /health where that differs; NULL: it does not */
    char request[REQUEST_MAX];   /* the newest */
    int requests;
    struct seen *seen;
    size_t count;
    uint32_t pod;
    int source_stopped, source_freed, flushes;
    bool stopped;
    /* what the source says of probes that got no answer */
    bool judged;
    enum tunnel_word judgement, asked_word;
    int asked;
};

/* ---- the parts around the engine ---- */

static void on_request(void *user, const char *path, const char *request, struct answer *answer)
{
    struct rig *rig = user;
    snprintf(rig->request, sizeof rig->request, "%s", request);
    rig->requests++;
    *answer = rig->health != NULL && strcmp(path, "/health") == 0 ? *rig->health : rig->answer;
}

static enum status fake_address(struct tunnel *tunnel, uint32_t pod, int32_t port, struct http_address *out)
{
    (void)pod;
    (void)port;
    *out = (struct http_address){.host = "127.0.0.1", .port = tunnel->port};
    return tunnel->down ? STATUS_AGAIN : STATUS_OK;
}

static enum tunnel_word fake_word(struct tunnel *tunnel, uint32_t pod, int32_t port)
{
    (void)pod;
    (void)port;
    return tunnel->word;
}

static const char *fake_said(struct tunnel *tunnel, uint32_t pod, int32_t port)
{
    (void)tunnel;
    (void)pod;
    return port == 8000 ? "connect: connection refused" : "another port's";
}

static void fake_close_pod(struct tunnel *tunnel, uint32_t pod)
{
    (void)pod;
    tunnel->closed++;
}

static void fake_tunnel_free(struct tunnel *tunnel)
{
    tunnel->freed++;
}

static const struct tunnel_ops PLAIN = {.name = "fake",
                                        .is_stream = false,
                                        .address = fake_address,
                                        .word = fake_word,
                                        .close_pod = fake_close_pod,
                                        .free = fake_tunnel_free};
static const struct tunnel_ops STREAM = {.name = "fake",
                                         .is_stream = true,
                                         .address = fake_address,
                                         .word = fake_word,
                                         .said = fake_said,
                                         .close_pod = fake_close_pod,
                                         .free = fake_tunnel_free};

static enum status fake_start(void *source, struct engine *engine, struct problem *problem)
{
    (void)source;
    (void)engine;
    (void)problem;
    return STATUS_OK;
}

static void fake_stop(void *source)
{
    struct rig *rig = source;
    rig->source_stopped++;
    engine_source_stopped(rig->engine);
}

static void fake_source_free(void *source)
{
    struct rig *rig = source;
    assert_int_equal(rig->tunnel.freed, 0); /* it may use the tunnel until then */
    rig->source_freed++;
}

static const struct source_ops SOURCE = {
    .name = "fake", .start = fake_start, .stop = fake_stop, .free = fake_source_free};

static bool fake_judge(void *source, uint32_t pod, int64_t sent, enum tunnel_word *word, const char **why)
{
    struct rig *rig = source;
    assert_int_equal(pod, rig->pod);
    assert_true(sent <= clock_mono_us());
    rig->asked++;
    rig->asked_word = *word;
    if (!rig->judged)
        return false;
    *word = rig->judgement;
    *why = "node n1 is silent";
    return true;
}

static const struct source_ops JUDGE = {
    .name = "fake", .start = fake_start, .judge = fake_judge, .stop = fake_stop, .free = fake_source_free};

static void words_copy(struct seen *seen, const struct text *text)
{
    snprintf(seen->words, sizeof seen->words, "%.200s", text_str(text));
}

static void on_fact(void *user, const struct fact *fact)
{
    struct rig *rig = user;
    assert_true(rig->count < SEEN_MAX);
    struct seen *seen = &rig->seen[rig->count++];
    *seen = (struct seen){.kind = fact->kind, .pod = fact->pod, .t = fact->t};
    assert_true(rig->count < 2 || seen->t >= rig->seen[rig->count - 2].t);
    if (fact->kind == FACT_PROBE) {
        const struct sample *sample = &fact->u.sample;
        seen->lane = sample->lane;
        seen->outcome = sample->outcome;
        seen->cause = sample->cause;
        seen->status = sample->status;
        seen->attempt = sample->attempt;
        seen->sent = sample->sent;
        seen->late = sample->late;
        seen->total = sample->total;
        seen->is_late = sample->is_late;
        words_copy(seen, text_empty(&sample->body) ? &sample->detail : &sample->body);
    } else if (fact->kind == FACT_NOTE) {
        words_copy(seen, &fact->u.note);
    } else if (fact->kind == FACT_END) {
        words_copy(seen, &fact->u.end);
    } else if (fact->kind == FACT_LOG) {
        words_copy(seen, &fact->u.log.line);
    } else if (fact->kind == FACT_HELLO) {
        words_copy(seen, &fact->u.hello.title);
    }
}

static void on_flush(void *user)
{
    struct rig *rig = user;
    rig->flushes++;
}

/* ---- running ---- */

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

typedef bool condition_fn(const struct rig *rig);

static bool run_until(struct rig *rig, condition_fn *holds)
{
    int64_t deadline = clock_mono_us() + DEADLINE_US;
    uv_timer_t tick;
    uv_timer_init(&rig->loop, &tick);
    uv_timer_start(&tick, on_tick, 5, 5);
    bool met = holds(rig);
    while (!met && clock_mono_us() < deadline) {
        uv_run(&rig->loop, UV_RUN_ONCE);
        met = holds(rig);
    }
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&rig->loop, UV_RUN_NOWAIT);
    return met;
}

static struct rig *rig_new(double speed)
{
    struct rig *rig = mem_new(sizeof *rig);
    struct problem problem = {{0}};
    rig->seen = mem_array(SEEN_MAX, sizeof *rig->seen);
    assert_int_equal(uv_loop_init(&rig->loop), 0);
    assert_int_equal(server_new(&rig->loop, on_request, rig, &rig->server, &problem), STATUS_OK);
    assert_int_equal(server_listen(rig->server), STATUS_OK);
    rig->answer = (struct answer){.manner = MANNER_ANSWER, .status = 200, .headers = "", .body = "", .body_length = 0};
    rig->tunnel.word = TUNNEL_UP;
    rig->tunnel.port = server_port(rig->server);
    rig->options = (struct engine_options){.loop = &rig->loop,
                                           .title = "a test",
                                           .source_ops = &SOURCE,
                                           .source = rig,
                                           .tunnel_ops = &PLAIN,
                                           .tunnel = &rig->tunnel};
    clock_start(&rig->options.clock, speed);
    return rig;
}

static void rig_start(struct rig *rig)
{
    struct problem problem = {{0}};
    rig->engine = engine_new(&rig->options);
    engine_observe(rig->engine, on_fact, rig);
    engine_on_flush(rig->engine, on_flush, rig);
    assert_int_equal(engine_start(rig->engine, &problem), STATUS_OK);
    rig->pod = engine_new_pod_id(rig->engine);
}

static void on_stopped(void *user)
{
    struct rig *rig = user;
    rig->stopped = true;
}

static bool has_stopped(const struct rig *rig)
{
    return rig->stopped;
}

static void rig_free(struct rig *rig)
{
    engine_stop(rig->engine, on_stopped, rig);
    assert_true(run_until(rig, has_stopped));
    assert_int_equal(rig->source_stopped, 1);
    assert_int_equal(rig->source_freed, 1);
    assert_int_equal(rig->tunnel.freed, 1);
    engine_free(rig->engine);
    server_free(rig->server);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&rig->loop), 0); /* nothing of the engine is left on it */
    mem_free(rig->seen);
    mem_free(rig);
}

/* ---- pods ---- */

static void pod_init(const struct rig *rig, struct fact *fact)
{
    fact_init(fact, FACT_POD, rig->pod);
    struct pod_facts *facts = &fact->u.facts;
    facts->id = rig->pod;
    text_set_str(&facts->name, "decode-0", TEXT_NAME);
    facts->phase = PHASE_RUNNING;
    facts->serving.exists = true;
    facts->serving.state = CONTAINER_RUNNING;
    text_set_str(&facts->serving.container_id, "run-1", TEXT_NAME);
    facts->serving_port = facts->vllm_port = 8000;
}

static struct probe_spec *pod_lane(struct fact *fact, enum lane_kind lane, const char *path, int32_t period)
{
    struct probe_spec *spec = &fact->u.facts.probes[lane];
    probe_spec_http(spec, path, 8000);
    spec->period = period;
    return spec;
}

static void pod_tell(struct rig *rig, struct fact *fact)
{
    engine_emit(rig->engine, fact);
    fact_free(fact);
}

/* A started pod with one readiness lane. */
static void tell_ready_lane(struct rig *rig, int32_t period)
{
    struct fact fact;
    pod_init(rig, &fact);
    pod_lane(&fact, LANE_READINESS, "/v1/models", period);
    pod_tell(rig, &fact);
}

/* The n-th probe of the lane, from 0; NULL when there are fewer. */
static const struct seen *probe_get(const struct rig *rig, enum lane_kind lane, size_t n)
{
    for (size_t i = 0; i < rig->count; i++)
        if (rig->seen[i].kind == FACT_PROBE && rig->seen[i].lane == lane && n-- == 0)
            return &rig->seen[i];
    return NULL;
}

static size_t probe_count(const struct rig *rig, enum lane_kind lane)
{
    size_t count = 0;
    while (probe_get(rig, lane, count) != NULL)
        count++;
    return count;
}

static bool one_readiness(const struct rig *rig)
{
    return probe_count(rig, LANE_READINESS) >= 1;
}

static bool three_readiness(const struct rig *rig)
{
    return probe_count(rig, LANE_READINESS) >= 3;
}

static bool four_readiness(const struct rig *rig)
{
    return probe_count(rig, LANE_READINESS) >= 4;
}

static bool a_request_came(const struct rig *rig)
{
    return rig->requests > 0;
}

/* ---- tests ---- */

static void the_first_fact_is_the_hello_and_a_new_pod_is_probed_at_once(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1);
    rig_start(rig);
    tell_ready_lane(rig, 10);
    int64_t began = clock_now(engine_clock(rig->engine));
    assert_true(run_until(rig, one_readiness));
    assert_int_equal(rig->seen[0].kind, FACT_HELLO);
    assert_string_equal(rig->seen[0].words, "a test");
    const struct seen *probe = probe_get(rig, LANE_READINESS, 0);
    assert_int_equal(probe->outcome, OUTCOME_OK);
    assert_int_equal(probe->status, 200);
    assert_int_equal(probe->attempt, 1);
    assert_true(probe->sent >= began - MILLISECOND_US);
    assert_true(probe->sent <= probe->t);
    assert_true(probe->total >= 0 && probe->total <= probe->t - probe->sent + MILLISECOND_US);
    assert_non_null(strstr(rig->request, "User-Agent: kube-probe/"));
    assert_int_equal(engine_fleet(rig->engine)->count, 1);
    rig_free(rig);
}

static void ticks_keep_their_period_at_any_speed(void **state)
{
    (void)state;
    struct rig *rig = rig_new(20);
    rig_start(rig);
    tell_ready_lane(rig, 2);
    assert_true(run_until(rig, four_readiness));
    int64_t first = probe_get(rig, LANE_READINESS, 0)->sent, last = probe_get(rig, LANE_READINESS, 3)->sent;
    assert_true(last - first >= 3 * 2 * SECOND_US - SECOND_US); /* within the grid, no faster */
    rig_free(rig);
}

static void readiness_follows_the_startup_success_at_once(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1);
    rig_start(rig);
    struct fact fact;
    pod_init(rig, &fact);
    pod_lane(&fact, LANE_STARTUP, "/v1/models", 600);
    pod_lane(&fact, LANE_READINESS, "/v1/models", 600);
    pod_lane(&fact, LANE_LIVENESS, "/health", 600);
    pod_tell(rig, &fact);
    assert_true(run_until(rig, one_readiness));
    const struct seen *startup = probe_get(rig, LANE_STARTUP, 0), *readiness = probe_get(rig, LANE_READINESS, 0);
    assert_true(startup < readiness);
    assert_true(readiness->sent >= startup->t);
    assert_int_equal(probe_count(rig, LANE_LIVENESS), 0); /* it waits for its own tick */
    rig_free(rig);
}

static void an_errored_probe_is_sent_again_at_once_but_not_more_than_three_times(void **state)
{
    (void)state;
    struct rig *rig = rig_new(20);
    rig->answer =
        (struct answer){.manner = MANNER_HALF, .status = 200, .headers = "", .body = "0123456789", .body_length = 10};
    rig_start(rig);
    tell_ready_lane(rig, 60);
    assert_true(run_until(rig, four_readiness));
    for (int32_t i = 0; i < 3; i++) {
        const struct seen *probe = probe_get(rig, LANE_READINESS, (size_t)i);
        assert_int_equal(probe->outcome, OUTCOME_ERRORED);
        assert_int_equal(probe->attempt, i + 1);
        if (i > 0) /* late is counted from the attempt before it */
            assert_true(probe->late <= probe->sent - probe_get(rig, LANE_READINESS, (size_t)i - 1)->t);
    }
    assert_int_equal(probe_get(rig, LANE_READINESS, 3)->attempt, 1);
    int64_t tick = probe_get(rig, LANE_READINESS, 0)->sent;
    assert_true(probe_get(rig, LANE_READINESS, 2)->sent - tick < 40 * SECOND_US);
    assert_true(probe_get(rig, LANE_READINESS, 3)->sent - tick >= 58 * SECOND_US);
    rig_free(rig);
}

static void a_failure_is_not_sent_again(void **state)
{
    (void)state;
    struct rig *rig = rig_new(20);
    rig->answer.status = 500;
    rig_start(rig);
    tell_ready_lane(rig, 2);
    assert_true(run_until(rig, three_readiness));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(probe_get(rig, LANE_READINESS, i)->outcome, OUTCOME_FAIL);
        assert_int_equal(probe_get(rig, LANE_READINESS, i)->attempt, 1);
    }
    rig_free(rig);
}

static bool source_was_asked(const struct rig *rig)
{
    return rig->asked > 0;
}

/* A rig whose server never answers, up to the moment when the source is asked about the first probe. */
static struct rig *rig_of_silence(const struct tunnel_ops *ops)
{
    struct rig *rig = rig_new(20);
    rig->options.source_ops = &JUDGE;
    rig->options.tunnel_ops = ops;
    rig->answer.manner = MANNER_HANG;
    rig_start(rig);
    tell_ready_lane(rig, 1);
    assert_true(run_until(rig, source_was_asked));
    assert_int_equal(rig->asked_word, TUNNEL_UP);
    return rig;
}

static void silence_is_judged_when_it_is_known_whose_it_was(void **state)
{
    (void)state;
    static const struct {
        enum tunnel_word judgement;
        enum outcome outcome;
        enum probe_cause cause;
    } rows[] = {{TUNNEL_UP, OUTCOME_FAIL, PROBE_CAUSE_TIMEOUT_HEADERS},
                {TUNNEL_NODE_LOST, OUTCOME_UNKNOWN, PROBE_CAUSE_NODE_LOST},
                {TUNNEL_API_LOST, OUTCOME_UNKNOWN, PROBE_CAUSE_API_LOST}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig *rig = rig_of_silence(&STREAM);
        int requests = rig->requests;
        engine_judge(rig->engine); /* not known yet */
        assert_int_equal(probe_count(rig, LANE_READINESS), 0);
        assert_int_equal(rig->requests, requests); /* the lane waits */
        rig->judged = true;
        rig->judgement = rows[i].judgement;
        engine_judge(rig->engine);
        const struct seen *probe = probe_get(rig, LANE_READINESS, 0);
        assert_non_null(probe);
        assert_int_equal(probe->outcome, rows[i].outcome);
        assert_int_equal(probe->cause, rows[i].cause);
        assert_in_range(probe->total, SECOND_US / 2,
                        3 * SECOND_US); /* as long as it took, not as long as we thought about it */
        if (rows[i].judgement != TUNNEL_UP)
            assert_non_null(strstr(probe->words, "node n1 is silent"));
        assert_true(run_until(rig, three_readiness)); /* and it goes on */
        rig_free(rig);
    }
}

/* A tunnel that says itself that the API server is lost may know too little; of a probe that could not be sent nothing more is waited for. */
static void unsent_probes_are_judged_at_once(void **state)
{
    (void)state;
    for (int judged = 0; judged < 2; judged++) {
        struct rig *rig = rig_new(20);
        rig->options.source_ops = &JUDGE;
        rig->options.tunnel_ops = &STREAM;
        rig->tunnel.down = true;
        rig->tunnel.word = TUNNEL_API_LOST;
        rig->judged = judged;
        rig->judgement = TUNNEL_NODE_LOST;
        rig_start(rig);
        tell_ready_lane(rig, 1);
        assert_true(run_until(rig, three_readiness));
        assert_int_equal(rig->asked_word, TUNNEL_API_LOST);
        assert_int_equal(probe_get(rig, LANE_READINESS, 2)->cause,
                         judged ? PROBE_CAUSE_NODE_LOST : PROBE_CAUSE_API_LOST);
        rig_free(rig);
    }
}

/* What is held goes with its pod, and with the engine. */
static void held_probes_go_with_their_pod(void **state)
{
    (void)state;
    for (int gone = 0; gone < 2; gone++) {
        struct rig *rig = rig_of_silence(&STREAM);
        if (gone) {
            struct fact fact;
            fact_init(&fact, FACT_GONE, rig->pod);
            engine_emit(rig->engine, &fact);
            fact_free(&fact);
            rig->judged = true;
            engine_judge(rig->engine);
            assert_int_equal(probe_count(rig, LANE_READINESS), 0);
        }
        rig_free(rig);
    }
}

static void without_a_tunnel_every_tick_says_unknown(void **state)
{
    (void)state;
    static const struct {
        enum tunnel_word word;
        enum probe_cause cause;
    } rows[] = {{TUNNEL_API_LOST, PROBE_CAUSE_API_LOST},
                {TUNNEL_FORBIDDEN, PROBE_CAUSE_FORBIDDEN},
                {TUNNEL_STARTING, PROBE_CAUSE_TUNNEL_DOWN},
                {TUNNEL_BACKOFF, PROBE_CAUSE_TUNNEL_DOWN},
                {TUNNEL_POD_GONE, PROBE_CAUSE_POD_GONE}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig *rig = rig_new(20);
        rig->options.tunnel_ops = &STREAM;
        rig->tunnel.down = true;
        rig->tunnel.word = rows[i].word;
        rig_start(rig);
        tell_ready_lane(rig, 1);
        assert_true(run_until(rig, three_readiness));
        assert_int_equal(rig->requests, 0);
        for (size_t n = 0; n < 3; n++) {
            assert_int_equal(probe_get(rig, LANE_READINESS, n)->outcome, OUTCOME_UNKNOWN);
            assert_int_equal(probe_get(rig, LANE_READINESS, n)->cause, rows[i].cause);
        }
        rig->tunnel.down = false; /* and when it comes up, real answers follow */
        rig->tunnel.word = TUNNEL_UP;
        assert_true(run_until(rig, a_request_came));
        rig_free(rig);
    }
}

static void tell_exec(struct rig *rig, const char *container)
{
    struct fact fact;
    pod_init(rig, &fact);
    text_set_str(&fact.u.facts.serving.container_id, container, TEXT_NAME);
    pod_lane(&fact, LANE_READINESS, "/", 1)->action = PROBE_EXEC;
    pod_lane(&fact, LANE_HEALTH, "/health", 1);
    pod_tell(rig, &fact);
}

static bool three_health(const struct rig *rig)
{
    return probe_count(rig, LANE_HEALTH) >= 3;
}

static bool two_readiness(const struct rig *rig)
{
    return probe_count(rig, LANE_READINESS) >= 2;
}

static void what_cannot_be_sent_from_here_is_told_once_for_each_container_run(void **state)
{
    (void)state;
    struct rig *rig = rig_new(20);
    rig_start(rig);
    tell_exec(rig, "run-1");
    assert_true(run_until(rig, three_health));
    assert_int_equal(probe_count(rig, LANE_READINESS), 1);
    assert_int_equal(probe_get(rig, LANE_READINESS, 0)->outcome, OUTCOME_UNKNOWN);
    assert_int_equal(probe_get(rig, LANE_READINESS, 0)->cause, PROBE_CAUSE_NOT_REPRODUCIBLE);
    tell_exec(rig, "run-2");
    assert_true(run_until(rig, two_readiness));
    rig_free(rig);
}

static void a_host_of_its_own_cannot_be_asked_through_a_tunnel(void **state)
{
    (void)state;
    struct rig *rig = rig_new(20);
    rig->options.tunnel_ops = &STREAM;
    rig_start(rig);
    struct fact fact;
    pod_init(rig, &fact);
    pod_lane(&fact, LANE_READINESS, "/", 1)->host = mem_dup("127.0.0.1");
    pod_tell(rig, &fact);
    assert_true(run_until(rig, one_readiness));
    assert_int_equal(probe_get(rig, LANE_READINESS, 0)->cause, PROBE_CAUSE_NOT_REPRODUCIBLE);
    assert_int_equal(rig->requests, 0);
    rig_free(rig);
}

static void the_tunnels_word_decides_about_an_empty_reply(void **state)
{
    (void)state;
    struct rig *rig = rig_new(20);
    rig->options.tunnel_ops = &STREAM;
    rig->tunnel.word = TUNNEL_REFUSED_IN_POD;
    rig->answer.manner = MANNER_CLOSE;
    rig_start(rig);
    tell_ready_lane(rig, 1);
    assert_true(run_until(rig, one_readiness));
    assert_int_equal(probe_get(rig, LANE_READINESS, 0)->outcome, OUTCOME_FAIL);
    assert_int_equal(probe_get(rig, LANE_READINESS, 0)->cause, PROBE_CAUSE_REFUSED);
    assert_string_equal(probe_get(rig, LANE_READINESS, 0)->words, "tunnel refused-in-pod: connect: connection refused");
    rig_free(rig);
}

static void a_pod_that_is_gone_is_asked_nothing_more(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1);
    rig->answer.manner = MANNER_HANG;
    rig_start(rig);
    tell_ready_lane(rig, 1);
    assert_true(run_until(rig, a_request_came)); /* one is under way */
    struct fact fact;
    fact_init(&fact, FACT_GONE, rig->pod);
    engine_emit(rig->engine, &fact);
    fact_free(&fact);
    assert_int_equal(rig->tunnel.closed, 1);
    size_t before = rig->count;
    engine_probe_now(rig->engine, rig->pod);
    engine_probe_now(rig->engine, 0);
    for (int i = 0; i < 20; i++)
        uv_run(&rig->loop, UV_RUN_NOWAIT);
    assert_int_equal(rig->count, before);
    assert_int_equal(rig->requests, 1);
    rig_free(rig);
}

static void probe_now_is_an_extra_tick_of_every_lane(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1);
    rig_start(rig);
    tell_ready_lane(rig, 600);
    assert_true(run_until(rig, one_readiness));
    engine_probe_now(rig->engine, 0);
    assert_true(run_until(rig, two_readiness));
    engine_probe_now(rig->engine, rig->pod);
    assert_true(run_until(rig, three_readiness));
    rig_free(rig);
}

static void a_pod_fact_of_a_started_pod_that_is_not_ready_triggers_readiness(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1);
    rig->answer.status = 503;
    rig_start(rig);
    tell_ready_lane(rig, 600);
    assert_true(run_until(rig, one_readiness));
    tell_ready_lane(rig, 600);
    assert_true(run_until(rig, two_readiness));
    rig->answer.status = 200;
    tell_ready_lane(rig, 600);
    assert_true(run_until(rig, three_readiness));
    tell_ready_lane(rig, 600); /* ready now: nothing more than its ticks */
    for (int i = 0; i < 20; i++)
        uv_run(&rig->loop, UV_RUN_NOWAIT);
    assert_int_equal(probe_count(rig, LANE_READINESS), 3);
    rig_free(rig);
}

static bool a_second_request_came(const struct rig *rig)
{
    return rig->requests >= 2;
}

static void a_period_may_change_and_a_lane_may_go(void **state)
{
    (void)state;
    struct rig *rig = rig_new(20);
    rig_start(rig);
    tell_ready_lane(rig, 600);
    assert_true(run_until(rig, one_readiness));
    tell_ready_lane(rig, 1);
    assert_true(run_until(rig, three_readiness));
    struct fact fact;
    pod_init(rig, &fact);
    pod_lane(&fact, LANE_HEALTH, "/health", 1);
    pod_tell(rig, &fact);
    uv_run(&rig->loop, UV_RUN_NOWAIT);
    size_t before = probe_count(rig, LANE_READINESS);
    assert_true(run_until(rig, three_health));
    assert_true(probe_count(rig, LANE_READINESS) <= before + 1); /* at most the one under way */
    rig_free(rig);
}

/* ---- secrets ---- */

static char *const SECRETS[] = {"sk-top-secret-1"}; /* the whole header becomes one when it is set */

static void headers_are_sent_and_never_recorded(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1);
    static const char echo[] = "you sent Bearer sk-top-secret-1 and sk-top-";
    rig->answer = (struct answer){
        .manner = MANNER_ANSWER, .status = 500, .headers = "", .body = echo, .body_length = sizeof echo - 1};
    rig->options.secrets = (char **)(uintptr_t)SECRETS;
    rig->options.secret_count = 1;
    rig_start(rig);
    const struct probe_header header = {(char[]){"Authorization"}, (char[]){"Bearer sk-top-secret-1"}};
    engine_set_headers(rig->engine, rig->pod, &header, 1);
    struct fact fact;
    pod_init(rig, &fact);
    struct probe_spec *spec = pod_lane(&fact, LANE_READINESS, "/v1/models?key=sk-top-secret-1", 600);
    spec->headers = mem_array(2, sizeof *spec->headers);
    spec->headers[0].name = mem_dup("Authorization");
    spec->headers[1].name = mem_dup("X-Nobody-Knows");
    spec->header_count = 2;
    pod_tell(rig, &fact);
    assert_true(run_until(rig, one_readiness));
    assert_non_null(strstr(rig->request, "GET /v1/models?key=sk-top-secret-1 "));
    assert_non_null(strstr(rig->request, "Authorization: Bearer sk-top-secret-1\r\n"));
    assert_null(strstr(rig->request, "X-Nobody-Knows"));
    assert_string_equal(probe_get(rig, LANE_READINESS, 0)->words, "you sent [redacted] and [redacted]");
    const struct pod *pod = fleet_pod(engine_fleet(rig->engine), rig->pod);
    assert_string_equal(pod->facts.probes[LANE_READINESS].path, "/v1/models?key=[redacted]");
    engine_note(rig->engine, "hello %s", "sk-top-secret-1");
    assert_string_equal(rig->seen[rig->count - 1].words, "hello [redacted]");
    rig_free(rig);
}

/* ---- our own faults ---- */

static void on_block(uv_timer_t *timer)
{
    const struct rig *rig = timer->data;
    int64_t until = clock_mono_us() + (int64_t)(1500 * MILLISECOND_US / rig->options.clock.speed);
    while (clock_mono_us() < until) {
    }
    uv_close((uv_handle_t *)timer, NULL);
}

static void loop_block(struct rig *rig, uv_timer_t *block)
{
    uv_timer_init(&rig->loop, block);
    block->data = rig;
    uv_timer_start(block, on_block, 0, 0);
}

/* The probe may take 1 s, and our own loop stands still for 1.5 s meanwhile: nobody can say whether the pod would have answered. Likewise where a second is soon over. */
static void a_time_out_while_we_stood_still_is_not_the_pods(void **state)
{
    static const double speeds[] = {1, 32};
    (void)state;
    for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++) {
        struct rig *rig = rig_new(speeds[i]);
        rig->answer.manner = MANNER_HANG;
        rig_start(rig);
        tell_ready_lane(rig, 600);
        assert_true(run_until(rig, a_request_came));
        uv_timer_t block;
        loop_block(rig, &block);
        assert_true(run_until(rig, one_readiness));
        const struct seen *probe = probe_get(rig, LANE_READINESS, 0);
        assert_int_equal(probe->outcome, OUTCOME_UNKNOWN);
        assert_int_equal(probe->cause, PROBE_CAUSE_TOOL);
        assert_true(probe->is_late);
        rig_free(rig);
    }
}

/* A machine that is busy with other things makes us late too, now and then: some probe is not. */
static bool one_in_time(const struct rig *rig)
{
    const struct seen *probe;
    for (size_t n = 0; (probe = probe_get(rig, LANE_READINESS, n)) != NULL; n++)
        if (!probe->is_late && probe->late <= 250 * MILLISECOND_US)
            return true;
    return false;
}

static bool one_late(const struct rig *rig)
{
    const struct seen *probe;
    for (size_t n = 0; (probe = probe_get(rig, LANE_READINESS, n)) != NULL; n++)
        if (probe->is_late && probe->late > 250 * MILLISECOND_US && probe->outcome == OUTCOME_OK)
            return true;
    return false;
}

/* A missed tick fires as soon as the lane's own probe before it ends. */
static bool one_follows_at_once_in_time(const struct rig *rig)
{
    const struct seen *before = probe_get(rig, LANE_READINESS, 0), *probe;
    for (size_t n = 1; (probe = probe_get(rig, LANE_READINESS, n)) != NULL; n++) {
        if (!probe->is_late && probe->sent - before->t < 250 * MILLISECOND_US)
            return true;
        before = probe;
    }
    return false;
}

static void a_tick_that_we_missed_is_marked_late(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1);
    rig_start(rig);
    tell_ready_lane(rig, 1);
    assert_true(run_until(rig, one_in_time));
    size_t before = probe_count(rig, LANE_READINESS);
    uv_timer_t block;
    loop_block(rig, &block);
    assert_true(run_until(rig, one_late));
    assert_true(probe_count(rig, LANE_READINESS) > before);
    rig_free(rig);
}

static void a_slow_pods_own_missed_tick_is_not_our_lateness(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1);
    rig->answer.delay_us = 1400 * MILLISECOND_US;
    rig_start(rig);
    struct fact fact;
    pod_init(rig, &fact);
    pod_lane(&fact, LANE_READINESS, "/", 1)->timeout = 5;
    pod_tell(rig, &fact);
    assert_true(run_until(rig, one_follows_at_once_in_time));
    rig_free(rig);
}

/* ---- ends ---- */

static bool has_ended(const struct rig *rig)
{
    return rig->count > 0 && rig->seen[rig->count - 1].kind == FACT_END;
}

static void after_the_end_nothing_more_is_recorded(void **state)
{
    (void)state;
    struct rig *rig = rig_new(20);
    rig->answer.manner = MANNER_HANG;
    rig_start(rig);
    tell_ready_lane(rig, 1);
    assert_true(run_until(rig, a_request_came));
    engine_end(rig->engine, "the story is over");
    assert_true(has_ended(rig));
    assert_string_equal(rig->seen[rig->count - 1].words, "the story is over");
    engine_note(rig->engine, "too late");
    engine_probe_now(rig->engine, 0);
    for (int i = 0; i < 20; i++)
        uv_run(&rig->loop, UV_RUN_NOWAIT);
    assert_true(has_ended(rig));
    assert_false(a_second_request_came(rig));
    rig_free(rig);
}

static void it_stops_with_probes_under_way(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1);
    rig->answer.manner = MANNER_HANG;
    rig_start(rig);
    tell_ready_lane(rig, 1);
    assert_true(run_until(rig, a_request_came));
    size_t before = rig->count;
    engine_stop(rig->engine, on_stopped, rig);
    assert_int_equal(rig->source_freed, 0); /* never from within its own call */
    assert_true(run_until(rig, has_stopped));
    assert_int_equal(rig->count, before); /* what was given up says nothing about the pod */
    rig_free(rig);
}

/* ---- the journal ---- */

static bool flushed(const struct rig *rig)
{
    return rig->flushes > 0 && one_readiness(rig);
}

static size_t journal_read(const char *dir, enum fact_kind *kinds, size_t max)
{
    struct journal_reader *reader;
    struct problem problem = {{0}};
    size_t count = 0;
    assert_int_equal(journal_open(dir, &reader, &problem), STATUS_OK);
    struct fact fact;
    while (count < max && journal_next(reader, &fact, &problem) == STATUS_OK) {
        kinds[count++] = fact.kind;
        fact_free(&fact);
    }
    journal_reader_free(reader);
    return count;
}

static void facts_are_in_the_journal_when_readers_are_woken(void **state)
{
    (void)state;
    char dir[] = "/tmp/probetop-engine-XXXXXX";
    struct problem problem = {{0}};
    assert_non_null(mkdtemp(dir));
    struct rig *rig = rig_new(1);
    assert_int_equal(journal_create(dir, 1 << 20, 2, &rig->options.journal, &problem), STATUS_OK);
    rig_start(rig);
    assert_int_equal(rig->flushes, 0);
    tell_ready_lane(rig, 600);
    uv_run(&rig->loop, UV_RUN_NOWAIT);
    assert_int_equal(rig->flushes, 1); /* one for all facts of a turn */
    assert_true(run_until(rig, flushed));
    uv_run(&rig->loop, UV_RUN_NOWAIT);
    int flushes = rig->flushes;
    for (int i = 0; i < 5; i++)
        uv_run(&rig->loop, UV_RUN_NOWAIT);
    assert_int_equal(rig->flushes, flushes); /* nothing new: nobody is woken */
    enum fact_kind kinds[16];
    assert_int_equal(journal_read(dir, kinds, 16), 3);
    assert_int_equal(kinds[0], FACT_HELLO);
    assert_int_equal(kinds[1], FACT_POD);
    assert_int_equal(kinds[2], FACT_PROBE);
    struct journal *journal = rig->options.journal;
    rig_free(rig);
    journal_close(journal, false);
    rmdir(dir);
}

/* ---- who serves ---- */

#define UVICORN "Server: uvicorn\r\n"
#define LIST(owner) "{\"data\":[{\"id\":\"m\",\"owned_by\":\"" owner "\",\"permission\":[]}]}"

static const struct answer HEALTH_503 = {.status = 503, .headers = UVICORN, .body = ""};
static const struct answer HEALTH_200 = {.status = 200, .headers = UVICORN, .body = ""};

static void tell_witnesses(struct rig *rig, const char *models)
{
    struct fact fact;
    rig->health = &HEALTH_503;
    rig->answer = (struct answer){.status = 200, .headers = UVICORN, .body = models, .body_length = strlen(models)};
    rig_start(rig);
    pod_init(rig, &fact);
    pod_lane(&fact, LANE_HEALTH, "/health", 1);
    pod_lane(&fact, LANE_MODELS, "/v1/models", 2);
    pod_tell(rig, &fact);
}

static const struct seen *health_last(const struct rig *rig)
{
    size_t count = probe_count(rig, LANE_HEALTH);
    return count > 0 ? probe_get(rig, LANE_HEALTH, count - 1) : NULL;
}

static bool said_dead(const struct rig *rig)
{
    return health_last(rig) != NULL && health_last(rig)->cause == PROBE_CAUSE_ENGINE_DEAD;
}

static bool said_good(const struct rig *rig)
{
    return health_last(rig) != NULL && health_last(rig)->outcome == OUTCOME_OK;
}

static bool six_healths(const struct rig *rig)
{
    return probe_count(rig, LANE_HEALTH) >= 6;
}

static bool twelve_healths(const struct rig *rig)
{
    return probe_count(rig, LANE_HEALTH) >= 12;
}

static bool never_dead(const struct rig *rig)
{
    for (size_t i = 0; i < probe_count(rig, LANE_HEALTH); i++)
        if (probe_get(rig, LANE_HEALTH, i)->cause == PROBE_CAUSE_ENGINE_DEAD)
            return false;
    return !fleet_pod(engine_fleet(rig->engine), rig->pod)->engine_dead;
}

/* SGLang listens before its model is loaded: /health is 503 and /v1/models 200 (facts/vllm.md 1.3). No engine of vLLM's is dead there, neither then nor when it fails later. */
static void sglang_that_loads_is_no_dead_engine(void **state)
{
    (void)state;
    struct rig *rig = rig_new(20);
    tell_witnesses(rig, LIST("sglang"));
    assert_true(run_until(rig, six_healths));
    assert_true(never_dead(rig));
    assert_true(fleet_pod(engine_fleet(rig->engine), rig->pod)->loaded_at < 0);
    rig->health = &HEALTH_200;
    assert_true(run_until(rig, said_good));
    assert_true(fleet_pod(engine_fleet(rig->engine), rig->pod)->loaded_at >= 0);
    rig->health = &HEALTH_503;
    assert_true(run_until(rig, twelve_healths));
    assert_int_equal(health_last(rig)->cause, PROBE_CAUSE_STATUS);
    assert_true(never_dead(rig));
    rig_free(rig);
}

/* A vLLM whose engine had died before anybody watched: found as soon as its list says that it is vLLM. */
static void an_engine_dead_from_the_start_is_found(void **state)
{
    (void)state;
    struct rig *rig = rig_new(20);
    tell_witnesses(rig, LIST("vllm"));
    assert_true(run_until(rig, said_dead));
    assert_true(fleet_pod(engine_fleet(rig->engine), rig->pod)->engine_dead);
    rig_free(rig);
}

/* Nothing but /health is asked: what was good once and is 503 now is a dead engine. */
static void without_a_list_good_health_is_enough(void **state)
{
    (void)state;
    struct rig *rig = rig_new(20);
    struct fact fact;
    rig->health = &HEALTH_503;
    rig_start(rig);
    pod_init(rig, &fact);
    pod_lane(&fact, LANE_HEALTH, "/health", 1);
    pod_tell(rig, &fact);
    assert_true(run_until(rig, six_healths));
    assert_true(never_dead(rig));
    rig->health = &HEALTH_200;
    assert_true(run_until(rig, said_good));
    rig->health = &HEALTH_503;
    assert_true(run_until(rig, said_dead));
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_fact_is_the_hello_and_a_new_pod_is_probed_at_once),
        cmocka_unit_test(ticks_keep_their_period_at_any_speed),
        cmocka_unit_test(readiness_follows_the_startup_success_at_once),
        cmocka_unit_test(an_errored_probe_is_sent_again_at_once_but_not_more_than_three_times),
        cmocka_unit_test(a_failure_is_not_sent_again),
        cmocka_unit_test(silence_is_judged_when_it_is_known_whose_it_was),
        cmocka_unit_test(unsent_probes_are_judged_at_once),
        cmocka_unit_test(held_probes_go_with_their_pod),
        cmocka_unit_test(without_a_tunnel_every_tick_says_unknown),
        cmocka_unit_test(what_cannot_be_sent_from_here_is_told_once_for_each_container_run),
        cmocka_unit_test(a_host_of_its_own_cannot_be_asked_through_a_tunnel),
        cmocka_unit_test(the_tunnels_word_decides_about_an_empty_reply),
        cmocka_unit_test(a_pod_that_is_gone_is_asked_nothing_more),
        cmocka_unit_test(probe_now_is_an_extra_tick_of_every_lane),
        cmocka_unit_test(a_pod_fact_of_a_started_pod_that_is_not_ready_triggers_readiness),
        cmocka_unit_test(a_period_may_change_and_a_lane_may_go),
        cmocka_unit_test(headers_are_sent_and_never_recorded),
        cmocka_unit_test(a_time_out_while_we_stood_still_is_not_the_pods),
        cmocka_unit_test(a_tick_that_we_missed_is_marked_late),
        cmocka_unit_test(a_slow_pods_own_missed_tick_is_not_our_lateness),
        cmocka_unit_test(after_the_end_nothing_more_is_recorded),
        cmocka_unit_test(it_stops_with_probes_under_way),
        cmocka_unit_test(facts_are_in_the_journal_when_readers_are_woken),
        cmocka_unit_test(sglang_that_loads_is_no_dead_engine),
        cmocka_unit_test(an_engine_dead_from_the_start_is_found),
        cmocka_unit_test(without_a_list_good_health_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
