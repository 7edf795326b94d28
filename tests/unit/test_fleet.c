/* The fold over all pods: limits, notes, forgetting, and that the same facts give the same fleet. */
#include "base/buf.h"
#include "base/mem.h"
#include "model/hints.h"
#include "tests/support/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void pod_told(struct fleet *fleet, uint32_t id, int64_t t)
{
    struct fact fact;
    fact_init(&fact, FACT_POD, id);
    fact.t = t;
    fact.u.facts.id = id;
    fact.u.facts.kubelet = true;
    fact.u.facts.phase = PHASE_PENDING;
    text_printf(&fact.u.facts.name, TEXT_NAME, "pod-%u", (unsigned)id);
    fleet_apply(fleet, &fact);
    fact_free(&fact);
}

static void simple(struct fleet *fleet, enum fact_kind kind, uint32_t id, int64_t t)
{
    struct fact fact;
    fact_init(&fact, kind, id);
    fact.t = t;
    if (kind == FACT_PROBE)
        sample_init(&fact.u.sample);
    fleet_apply(fleet, &fact);
    fact_free(&fact);
}

static void hello_source_end(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_new(fleet_limits_reader());
    struct fact fact;
    fact_init(&fact, FACT_HELLO, 0);
    fact.u.hello.wall_zero = 1000;
    fact.u.hello.speed = 2;
    text_set_str(&fact.u.hello.title, "demo", TEXT_NAME);
    fleet_apply(fleet, &fact);
    fact_free(&fact);
    assert_int_equal(fleet_wall(fleet, 5), 1005);
    assert_string_equal(text_str(&fleet->title), "demo");
    fact_init(&fact, FACT_SOURCE, 0);
    fact.t = 7;
    fact.u.source.state = SOURCE_LOST;
    fleet_apply(fleet, &fact);
    fact.t = 9;
    fleet_apply(fleet, &fact);
    fact_free(&fact);
    assert_int_equal(fleet->source, SOURCE_LOST);
    assert_int_equal(fleet->source_since, 7);
    fact_init(&fact, FACT_END, 0);
    text_set_str(&fact.u.end, "over", TEXT_LINE);
    fleet_apply(fleet, &fact);
    fact_free(&fact);
    assert_true(fleet->ended);
    assert_string_equal(text_str(&fleet->end_reason), "over");
    assert_int_equal(fleet->t, 9);
    fleet_free(fleet);
}

static void workloads_are_kept_by_name_and_bounded(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_new(fleet_limits_reader());
    for (int i = 0; i < 2 * FLEET_WORKLOADS_MAX; i++) {
        struct fact fact;
        fact_init(&fact, FACT_WORKLOAD, 0);
        text_printf(&fact.u.workload.name, TEXT_NAME, "deploy/decode-%d", i / 2);
        text_set_str(&fact.u.workload.ns, "llm-d", TEXT_NAME);
        fact.u.workload.updated = i % 2;
        fleet_apply(fleet, &fact);
        fact_free(&fact);
    }
    assert_int_equal(fleet->workload_count, FLEET_WORKLOADS_MAX);
    for (uint32_t i = 0; i < fleet->workload_count; i++)
        assert_int_equal(fleet->workloads[i].updated, 1); /* the newer word */
    struct fact fact;
    fact_init(&fact, FACT_WORKLOAD, 0);
    text_set_str(&fact.u.workload.name, "deploy/one-too-many", TEXT_NAME);
    fleet_apply(fleet, &fact);
    fact_free(&fact);
    assert_int_equal(fleet->workload_count, FLEET_WORKLOADS_MAX);
    fleet_free(fleet);
}

static void notes_are_newest_first_and_bounded(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_new(fleet_limits_reader());
    for (int i = 0; i < 100; i++) {
        struct fact fact;
        fact_init(&fact, FACT_NOTE, 0);
        text_printf(&fact.u.note, TEXT_LINE, "note %d", i);
        fleet_apply(fleet, &fact);
        fact_free(&fact);
    }
    assert_int_equal(fleet->note_count, FLEET_NOTES_MAX);
    assert_string_equal(text_str(&fleet->notes[0].words), "note 99");
    assert_string_equal(text_str(&fleet->notes[FLEET_NOTES_MAX - 1].words), "note 68");
    fleet_free(fleet);
}

static void unknown_pods_are_noted_sparingly(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_new(fleet_limits_reader());
    for (int i = 0; i < 1000; i++)
        simple(fleet, i % 2 ? FACT_PROBE : FACT_LOG, 77, i);
    simple(fleet, FACT_POD, 0, 1000);
    assert_int_equal(fleet->count, 0);
    assert_int_equal(fleet->note_count, 4); /* 1, 10, 100, 1000 */
    fleet_free(fleet);
}

static void pods_over_the_limit(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_new((struct fleet_limits){.pods = 3, .history_depth = 4, .keep_texts = true});
    for (uint32_t id = 1; id <= 5; id++)
        pod_told(fleet, id, id);
    assert_int_equal(fleet->count, 3);
    assert_int_equal(fleet->pods_over, 2);
    assert_non_null(fleet_pod(fleet, 3));
    assert_null(fleet_pod(fleet, 4));
    fleet_free(fleet);
}

static void gone_pods_are_forgotten_in_time(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_new(fleet_limits_reader());
    for (uint32_t id = 1; id <= 100; id++)
        pod_told(fleet, id, 1);
    assert_int_equal(fleet->by_stage[STAGE_PENDING], 100);
    simple(fleet, FACT_GONE, 50, SECONDS(10));
    simple(fleet, FACT_GONE, 50, SECONDS(11));
    simple(fleet, FACT_GONE, 60, SECONDS(20));
    assert_true(fleet_pod(fleet, 50)->gone);
    assert_int_equal(fleet_pod(fleet, 50)->gone_at, SECONDS(10));
    assert_int_equal(fleet->by_stage[STAGE_PENDING], 98);
    simple(fleet, FACT_NOTE, 0, SECONDS(609));
    assert_int_equal(fleet->count, 100);
    simple(fleet, FACT_NOTE, 0, SECONDS(610));
    assert_null(fleet_pod(fleet, 50));
    assert_non_null(fleet_pod(fleet, 60));
    assert_int_equal(fleet->count, 99);
    assert_string_equal(text_str(&fleet->pods[49]->facts.name), "pod-51"); /* the order stays */
    pod_told(fleet, 60, SECONDS(611));                                     /* back again: counts again */
    assert_int_equal(fleet->by_stage[STAGE_PENDING], 99);
    simple(fleet, FACT_NOTE, 0, SECONDS(2000));
    assert_int_equal(fleet->count, 99);
    fleet_free(fleet);
}

static void count_happening(void *user, const struct pod *pod, const struct happening *happening)
{
    assert_non_null(pod);
    assert_false(text_empty(&happening->words));
    ++*(int *)user;
}

static void listener_hears_each_happening(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s, true, 8000, 8000);
    int heard = 0;
    s.fleet->on_happening = count_happening;
    s.fleet->on_happening_user = &heard;
    uint32_t before = story_pod(&s)->happening_count;
    s.t = SECONDS(1);
    story_run(&s, 0);
    story_refused(&s, LANE_STARTUP);
    story_refused(&s, LANE_STARTUP);
    assert_int_equal(heard, 2); /* Running, and the first refusal */
    assert_int_equal(story_pod(&s)->happening_count, before + 2);
    story_end(&s);
}

/* ---- random facts ---- */

static uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33) % below;
}

static void draw_pod(uint64_t *seed, struct fact *fact)
{
    static const char *const reasons[] = {"", "CrashLoopBackOff", "ContainerCreating", "ErrImagePull", "odd"};
    struct pod_facts *facts = &fact->u.facts;
    facts->id = fact->pod;
    facts->kubelet = fact->pod % 3 != 0;
    facts->phase = (enum pod_phase)draw(seed, PHASE_FAILED + 1);
    facts->deleting = draw(seed, 20) == 0;
    facts->scheduled.status = (enum tri)draw(seed, 3);
    facts->ready.status = (enum tri)draw(seed, 3);
    facts->serving.ready = (enum tri)draw(seed, 3);
    facts->serving.started = (enum tri)draw(seed, 3);
    facts->serving.state = draw(seed, 3) ? CONTAINER_RUNNING : (enum container_state)draw(seed, 4);
    facts->serving.started_at = fact->t - SECONDS(draw(seed, 100));
    facts->serving.started_at_known = draw(seed, 2);
    facts->serving.restart_count = (int32_t)draw(seed, 4);
    facts->serving.last.known = draw(seed, 2);
    facts->serving.last.exit_code = (int32_t)draw(seed, 2) * 137;
    facts->serving.last.finished_at = fact->t;
    facts->serving_port = 8000;
    facts->vllm_port = draw(seed, 2) ? 8000 : 8200;
    text_set_str(&facts->serving.reason, reasons[draw(seed, 5)], TEXT_NAME);
    text_printf(&facts->serving.container_id, TEXT_NAME, "id-%u", (unsigned)draw(seed, 3));
    for (int i = 0; i < LANE_COUNT; i++)
        if (draw(seed, 6))
            probe_spec_recommended(&facts->probes[i], (enum lane_kind)i, draw(seed, 2) ? 8000 : 8200);
}

static void draw_fact(uint64_t *seed, int64_t t, struct fact *fact)
{
    static const char *const lines[] = {"INFO [x.py:1] Starting to load model m...",
                                        "Loading safetensors checkpoint shards:  25% Completed | 41/163 [02:40]",
                                        "INFO:     Application startup complete.",
                                        "INFO [x.py:1] vLLM API server version 0.10.0",
                                        "ERROR [x.py:1] torch.OutOfMemoryError: CUDA out of memory.",
                                        "\x1b[31m\xff nonsense"};
    static const enum fact_kind kinds[] = {FACT_PROBE, FACT_PROBE,  FACT_PROBE, FACT_LOG,
                                           FACT_EVENT, FACT_TUNNEL, FACT_POD,   FACT_GONE};
    enum fact_kind kind = kinds[draw(seed, 8)];
    kind = kind == FACT_GONE && draw(seed, 30) ? FACT_POD : kind;
    fact_init(fact, kind, 1 + draw(seed, 12));
    fact->t = t;
    switch (kind) {
    case FACT_POD:
        draw_pod(seed, fact);
        break;
    case FACT_PROBE:
        sample_init(&fact->u.sample);
        fact->u.sample.lane = (enum lane_kind)draw(seed, LANE_COUNT);
        fact->u.sample.outcome = (enum outcome)draw(seed, OUTCOME_COUNT);
        fact->u.sample.cause = (enum probe_cause)draw(seed, PROBE_CAUSE_COUNT);
        fact->u.sample.answerer = (enum answerer)draw(seed, ANSWERER_COUNT);
        fact->u.sample.status = draw(seed, 2) ? 200 : (int32_t)draw(seed, 600);
        fact->u.sample.sent = t - (int64_t)draw(seed, 1000000);
        fact->u.sample.total = (int64_t)draw(seed, 1000000) - 1;
        fact->u.sample.model_count = (int32_t)draw(seed, 2) - 1;
        if (draw(seed, 3) == 0)
            sample_add_model(&fact->u.sample);
        break;
    case FACT_LOG:
        text_set_str(&fact->u.log.line, lines[draw(seed, 6)], TEXT_LINE);
        fact->u.log.written = draw(seed, 2) ? -1 : t - (int64_t)draw(seed, 1000000);
        fact->u.log.previous = draw(seed, 8) == 0;
        fact->u.log.sidecar = draw(seed, 8) == 0;
        break;
    case FACT_EVENT:
        text_printf(&fact->u.event.uid, TEXT_NAME, "%u", (unsigned)draw(seed, 100));
        text_set_str(&fact->u.event.reason, draw(seed, 4) ? "Unhealthy" : "Killing", TEXT_NAME);
        text_set_str(&fact->u.event.message, "Container vllm failed startup probe, will be restarted", TEXT_LINE);
        fact->u.event.last = t - (int64_t)draw(seed, 100000000);
        break;
    case FACT_TUNNEL:
        fact->u.tunnel.word = (enum tunnel_word)draw(seed, TUNNEL_WORD_COUNT);
        break;
    default:
        break;
    }
}

/* All of a fleet that matters, as text. */
static void dump(const struct fleet *fleet, struct buf *out)
{
    for (uint32_t i = 0; i < fleet->count; i++) {
        const struct pod *pod = fleet->pods[i];
        struct hints hints;
        struct text command = {0};
        pod_hints(fleet, pod, fleet->t, &hints);
        hints_command(&hints, pod, fleet->t, &command);
        buf_printf(out, "%u %s|%s run %u spans %u sev %d|%s|%s|%s\n", (unsigned)pod->facts.id, stage_word(pod->stage),
                   text_str(&pod->reason), (unsigned)pod->run, (unsigned)pod->spans.count,
                   (int)pod_severity(pod, fleet->t), text_str(&hints.state), text_str(&hints.next), text_str(&command));
        for (uint32_t k = 0; k < hints.count; k++)
            buf_printf(out, " %s %d %s\n", text_str(&hints.list[k].label), (int)hints.list[k].confidence,
                       text_str(&hints.list[k].title));
        text_free(&command);
        hints_free(&hints);
        for (int lane = 0; lane < LANE_COUNT; lane++) {
            const struct lane *l = &pod->lanes[lane];
            buf_printf(out, " %d %d %d %lld", (int)l->streak, (int)l->streak_failing, (int)l->prober.stored,
                       (long long)history_percentile(&l->history, 99));
        }
        for (uint32_t back = 0; pod_happening(pod, back); back++) {
            buf_printf(out, "\n%lld %s", (long long)pod_happening(pod, back)->t,
                       text_str(&pod_happening(pod, back)->words));
        }
        buf_putc(out, '\n');
    }
}

/* What must hold whatever came. */
static void check_sound(const struct fleet *fleet)
{
    uint32_t by_stage[STAGE_COUNT] = {0};
    for (uint32_t i = 0; i < fleet->count; i++) {
        const struct pod *pod = fleet->pods[i];
        const struct span *now = spans_now(&pod->spans);
        by_stage[pod->stage] += !pod->gone;
        assert_non_null(now);
        assert_int_equal(now->stage, pod->stage);
        assert_int_equal(now->ended < 0, !pod->gone);
        assert_ptr_equal(fleet_pod(fleet, pod->facts.id), pod);
        assert_true(pod->failure_count <= POD_FAILURES_MAX);
        assert_true(pod->happening_count <= POD_HAPPENINGS_MAX);
    }
    assert_memory_equal(by_stage, fleet->by_stage, sizeof by_stage);
}

static void same_facts_same_fleet(void **state)
{
    (void)state;
    for (uint64_t round = 1; round <= 4; round++) {
        struct fleet *one = fleet_new(fleet_limits_reader()), *two = fleet_new(fleet_limits_reader());
        struct fleet *light = fleet_new(fleet_limits_engine());
        uint64_t seed = round;
        int64_t t = 0;
        for (int i = 0; i < 4000; i++) {
            struct fact fact;
            t += draw(&seed, 500000);
            draw_fact(&seed, t, &fact);
            fleet_apply(one, &fact);
            fleet_apply(light, &fact);
            if (i % 7 == 0) { /* a reader that looks in between changes nothing by looking */
                struct buf looked;
                buf_init(&looked, 1 << 20);
                dump(two, &looked);
                buf_free(&looked);
            }
            fleet_apply(two, &fact);
            const struct pod *full = fleet_pod(one, fact.pod), *slim = fleet_pod(light, fact.pod);
            for (int lane = 0; full && lane < LANE_COUNT;
                 lane++) /* what the engine sends is what readers think it sends */
                assert_int_equal(pod_gate(full, (enum lane_kind)lane, t), pod_gate(slim, (enum lane_kind)lane, t));
            fact_free(&fact);
            check_sound(one);
        }
        struct buf a, b;
        buf_init(&a, 1 << 22);
        buf_init(&b, 1 << 22);
        dump(one, &a);
        dump(two, &b);
        assert_false(a.truncated);
        assert_string_equal(buf_str(&a), buf_str(&b));
        assert_true(a.len > 1000);
        for (uint32_t i = 0; i < light->count; i++) {
            assert_null(light->pods[i]->happenings);
            assert_null(light->pods[i]->logs);
            assert_null(light->pods[i]->events);
            assert_null(light->pods[i]->lanes[0].history.marks);
        }
        buf_free(&a);
        buf_free(&b);
        fleet_free(one);
        fleet_free(two);
        fleet_free(light);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_source_end),
        cmocka_unit_test(workloads_are_kept_by_name_and_bounded),
        cmocka_unit_test(notes_are_newest_first_and_bounded),
        cmocka_unit_test(unknown_pods_are_noted_sparingly),
        cmocka_unit_test(pods_over_the_limit),
        cmocka_unit_test(gone_pods_are_forgotten_in_time),
        cmocka_unit_test(listener_hears_each_happening),
        cmocka_unit_test(same_facts_same_fleet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
