/* Every story is played from beginning to end, many times as fast, through the real engine and real sockets, all of them at once on one loop; then each is asked whether it told
 * what it is there to teach. What the kubelet decides does not depend on real time, so it is exact; what the dashboard's own probes saw is only asked for roughly, and in a time that passes only while this process
 * runs: a second of a story is 20 ms. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sim/sim.h"
#include "tests/support/pace.h"

enum { PODS = 120, PLAYS_MAX = 16, DEADLINE_MS = 60000 };

/* What was seen of a pod. */
struct seen {
    uint32_t stages; /* bits */
    int32_t restarts, unready;
    enum tri ready;
    int64_t ready_at, started_at;
    struct text name;
    struct termination last;
    bool engine_dead, terminated, complete, oom, died, killed_startup, killed_liveness, backed_off, refused_8000,
        shards_163;
};

struct all;

/* One story being played. */
struct play {
    struct all *all;
    const char *story;
    double speed;
    int32_t pods;
    uint64_t seed;
    struct engine *engine;
    struct seen seen[PODS + 1]; /* by pod id */
    int64_t first_pod;          /* t; -1 none */
    uint32_t count;             /* pods */
    uint64_t notes;
    bool breaks; /* stopped at its first log line, from within that fact */
    bool ended, done;
};

struct all {
    uv_loop_t loop;
    uv_timer_t deadline;
    struct pace pace;
    struct play plays[PLAYS_MAX];
    int count, running;
    bool late;
};

/* ---- watching ---- */

static void seen_log(struct seen *seen, const char *line)
{
    seen->terminated |= strstr(line, "KeyboardInterrupt: terminated") != NULL;
    seen->complete |= strstr(line, "Application startup complete.") != NULL;
    seen->oom |= strstr(line, "torch.OutOfMemoryError: CUDA out of memory") != NULL;
    seen->died |= strstr(line, "EngineCore encountered a fatal error.") != NULL;
    seen->shards_163 |= strstr(line, "100% Completed | 163/163") != NULL;
}

static void seen_event(struct seen *seen, const struct fact *fact)
{
    const char *message = text_str(&fact->u.event.message);

    seen->killed_startup |= strstr(message, "Container vllm failed startup probe, will be restarted") != NULL;
    seen->killed_liveness |= strstr(message, "Container vllm failed liveness probe, will be restarted") != NULL;
    seen->backed_off |= strstr(message, "Back-off restarting failed container vllm") != NULL;
    seen->refused_8000 |= strstr(message, ":8000: connect: connection refused") != NULL;
}

static void seen_pod(struct seen *seen, const struct fact *fact)
{
    const struct pod_facts *facts = &fact->u.facts;

    if (seen->ready == TRI_TRUE && facts->ready.status == TRI_FALSE)
        seen->unready++;
    else if (seen->ready != TRI_TRUE && facts->ready.status == TRI_TRUE)
        seen->ready_at = fact->t;
    seen->ready = facts->ready.status;
    seen->restarts = facts->serving.restart_count;
    seen->started_at = facts->serving.started_at;
    seen->last.known = facts->serving.last.known;
    seen->last.exit_code = facts->serving.last.exit_code;
    text_copy(&seen->last.reason, &facts->serving.last.reason);
    text_copy(&seen->name, &facts->name);
}

static void play_done(void *user)
{
    struct play *play = user;

    play->done = true;
    if (--play->all->running == 0) {
        uv_close((uv_handle_t *)&play->all->deadline, NULL);
        pace_end(&play->all->pace);
    }
}

static void play_fact(void *user, const struct fact *fact)
{
    struct play *play = user;
    const struct pod *pod = fleet_pod(engine_fleet(play->engine), fact->pod);

    if (pod != NULL && fact->pod <= PODS) {
        struct seen *seen = &play->seen[fact->pod];

        seen->stages |= 1u << pod->stage;
        seen->engine_dead |= pod->engine_dead;
        if (fact->kind == FACT_LOG) {
            seen_log(seen, text_str(&fact->u.log.line));
        } else if (fact->kind == FACT_EVENT) {
            seen_event(seen, fact);
        } else if (fact->kind == FACT_POD) {
            play->count = fact->pod > play->count ? fact->pod : play->count;
            play->first_pod = play->first_pod < 0 ? fact->t : play->first_pod;
            seen_pod(seen, fact);
        }
    }
    play->notes += fact->kind == FACT_NOTE;
    if (fact->kind == FACT_END || (play->breaks && fact->kind == FACT_LOG)) {
        play->ended = fact->kind == FACT_END;
        engine_stop(play->engine, play_done, play);
    }
}

static void deadline_over(uv_timer_t *timer)
{
    struct all *all = timer->data;

    all->late = true;
    uv_stop(&all->loop);
}

/* ---- playing ---- */

static const struct {
    const char *story;
    double speed;
    int32_t pods;
    uint64_t seed;
} PLAYED[] = {
    {"rollout", 50, 0, 1},    {"cold-start", 50, 0, 1},    {"slow-download", 50, 0, 1}, {"wrong-port", 50, 0, 1},
    {"gpu-oom", 50, 0, 1},    {"gpu-oom", 40, 0, 1},       {"gpu-oom", 50, 0, 2},       {"engine-dead", 33, 0, 1},
    {"hang", 50, 0, 1},       {"probe-timeout", 50, 0, 1}, {"flapping", 40, 0, 1},      {"hostile", 25, 0, 1},
    {"thousand", 40, 100, 1}, {"rollout", 50, 0, 3},
};
enum {
    ROLLOUT,
    COLD_START,
    SLOW_DOWNLOAD,
    WRONG_PORT,
    GPU_OOM,
    GPU_OOM_AGAIN,
    GPU_OOM_OTHER,
    ENGINE_DEAD,
    HANG,
    PROBE_TIMEOUT,
    FLAPPING,
    HOSTILE,
    THOUSAND,
    BROKEN_OFF,
    PLAYED_COUNT
};

static void play_begin(struct play *play)
{
    const struct sim_options options = {.story = sim_story_find(play->story), .seed = play->seed, .pods = play->pods};
    struct engine_options engine = {
        .loop = &play->all->loop, .title = play->story, .source_ops = &sim_ops, .tunnel_ops = &direct_ops};
    struct problem problem = {0};

    assert_non_null(options.story);
    play->first_pod = -1;
    clock_start(&engine.clock, play->speed);
    engine.tunnel = direct_new();
    engine.source = sim_source_new(&options, engine.tunnel);
    play->engine = engine_new(&engine);
    engine_observe(play->engine, play_fact, play);
    assert_int_equal(engine_start(play->engine, &problem), STATUS_OK);
}

static int play_all(void **state)
{
    struct all *all = mem_new(sizeof *all);

    *state = all;
    uv_loop_init(&all->loop);
    pace_begin(&all->pace, &all->loop);
    uv_timer_init(&all->loop, &all->deadline);
    all->deadline.data = all;
    uv_timer_start(&all->deadline, deadline_over, DEADLINE_MS, 0);
    all->count = all->running = PLAYED_COUNT;
    for (int i = 0; i < all->count; i++) {
        all->plays[i] = (struct play){.all = all,
                                      .story = PLAYED[i].story,
                                      .speed = PLAYED[i].speed,
                                      .pods = PLAYED[i].pods,
                                      .seed = PLAYED[i].seed};
        all->plays[i].breaks = i == BROKEN_OFF;
        play_begin(&all->plays[i]);
    }
    uv_run(&all->loop, UV_RUN_DEFAULT);
    return all->late ? -1 : 0;
}

static int free_all(void **state)
{
    struct all *all = *state;
    for (int i = 0; i < all->count; i++) {
        engine_free(all->plays[i].engine);
        for (int k = 0; k <= PODS; k++) {
            text_free(&all->plays[i].seen[k].name);
            text_free(&all->plays[i].seen[k].last.reason);
        }
    }
    const int left = uv_loop_close(&all->loop); /* nothing may be left on it */

    mem_free(all);
    return left;
}

static bool was(const struct seen *seen, enum stage stage)
{
    return (seen->stages & 1u << stage) != 0;
}

/* ---- the list ---- */

static void the_list_is_fit_to_be_shown(void **state)
{
    size_t count = 0;
    const struct sim_story *stories = sim_stories(&count);

    (void)state;
    assert_int_equal(count, 11);
    assert_string_equal(stories[0].name, "rollout"); /* the default */
    for (size_t i = 0; i < count; i++) {
        const double real = stories[i].seconds / stories[i].default_speed;

        assert_ptr_equal(sim_story_find(stories[i].name), &stories[i]);
        assert_true(real >= 60 && real <= 180);
        assert_true(strlen(stories[i].sentence) > 30 && strlen(stories[i].sentence) < 120);
        assert_int_equal(stories[i].sentence[strlen(stories[i].sentence) - 1], '.');
        assert_true(stories[i].default_pods > 0 && stories[i].default_pods <= 2000);
        assert_non_null(stories[i].right_answer);
    }
    assert_null(sim_story_find("no such story"));
    assert_null(sim_story_find(""));
}

static void all_end_and_begin_at_once(void **state)
{
    struct all *all = *state;
    for (int i = 0; i < all->count; i++) {
        const struct play *play = &all->plays[i];
        const struct sim_story *story = sim_story_find(play->story);

        assert_true(play->done);
        assert_int_equal(play->ended, i != BROKEN_OFF);
        assert_int_equal(play->notes, 0);
        assert_int_equal(play->count, play->pods > 0 ? play->pods : story->default_pods);
        assert_in_range(play->first_pod, 0, (int64_t)(2 * story->default_speed * SECOND_US));
    }
}

/* ---- story by story ---- */

static void rollout_ends_with_all_ready(void **state)
{
    struct all *all = *state;
    const struct play *play = &all->plays[ROLLOUT];
    int64_t last = 0;
    int slow = 0;

    for (int i = 1; i <= 6; i++) {
        const struct seen *seen = &play->seen[i];

        assert_int_equal(seen->ready, TRI_TRUE);
        assert_int_equal(seen->restarts, 0);
        assert_int_equal(seen->unready, 0);
        assert_true(was(seen, STAGE_PENDING) && was(seen, STAGE_CREATING) && was(seen, STAGE_READY));
        assert_true(seen->complete);
        if (seen->ready_at > last) {
            last = seen->ready_at;
            slow = i;
        }
    }
    assert_int_equal(slow, 2);
    for (int i = 1; i <= 3; i++) { /* decode: the sidecar answers before */
        assert_true(was(&play->seen[i], STAGE_API_UP));
        assert_true(i == slow || play->seen[i].ready_at < last - (int64_t)100 * SECOND_US);
    }
    assert_true(was(&play->seen[4], STAGE_RUNNING));
    assert_false(was(&play->seen[4], STAGE_API_UP));
    assert_true(last < (int64_t)615 * SECOND_US);
}

static void cold_start_climbs_the_whole_ladder(void **state)
{
    struct all *all = *state;
    const struct seen *seen = &all->plays[COLD_START].seen[1];

    assert_true(was(seen, STAGE_PENDING) && was(seen, STAGE_CREATING) && was(seen, STAGE_API_UP) &&
                was(seen, STAGE_READY));
    assert_true(seen->shards_163);
    assert_int_equal(seen->restarts, 0);
    assert_int_equal(seen->ready, TRI_TRUE);
    assert_true(seen->ready_at > (int64_t)300 * SECOND_US);
}

static void slow_download_is_killed_by_its_budget(void **state)
{
    struct all *all = *state;
    const struct seen *killed = &all->plays[SLOW_DOWNLOAD].seen[1], *other = &all->plays[SLOW_DOWNLOAD].seen[2];

    assert_true(killed->killed_startup && killed->terminated);
    assert_true(killed->restarts >= 1);
    assert_int_equal(killed->last.exit_code, 143);
    assert_int_equal(killed->ready, TRI_FALSE);
    assert_false(killed->complete || killed->backed_off);
    assert_int_equal(other->restarts, 0);
    assert_int_equal(other->ready, TRI_TRUE);
}

static void wrong_port_is_killed_while_it_works(void **state)
{
    struct all *all = *state;
    const struct seen *seen = &all->plays[WRONG_PORT].seen[1];

    assert_true(seen->complete && seen->killed_startup && seen->refused_8000);
    assert_true(seen->restarts >= 1);
    assert_false(was(seen, STAGE_READY));
    assert_int_equal(seen->ready, TRI_FALSE);
}

static void gpu_oom_ends_in_back_off(void **state)
{
    struct all *all = *state;
    const struct play *play = &all->plays[GPU_OOM];
    const struct seen *seen = &play->seen[2];

    assert_true(seen->oom && seen->backed_off && was(seen, STAGE_BACKOFF));
    assert_true(seen->restarts >= 3);
    assert_int_equal(seen->last.exit_code, 1);
    assert_string_equal(text_str(&seen->last.reason), "Error");
    assert_false(seen->killed_startup);
    assert_int_equal(play->seen[1].ready, TRI_TRUE);
    assert_int_equal(play->seen[3].ready, TRI_TRUE);
}

static void engine_dead_is_mended_by_exit_and_by_liveness(void **state)
{
    struct all *all = *state;
    const struct play *play = &all->plays[ENGINE_DEAD];

    for (int i = 1; i <= 4; i++) {
        const struct seen *seen = &play->seen[i];
        const bool dies = i == 1 || i == 3;

        assert_int_equal(seen->ready, TRI_TRUE);
        assert_int_equal(seen->restarts, dies);
        assert_int_equal(seen->died, dies);
        assert_int_equal(seen->complete, dies);
    }
    assert_true(play->seen[1].killed_liveness && play->seen[1].engine_dead && was(&play->seen[1], STAGE_DEGRADED));
    assert_false(play->seen[3].killed_liveness);
    assert_int_equal(play->seen[3].last.exit_code, 0);
    assert_string_equal(text_str(&play->seen[3].last.reason), "Completed");
}

static void hang_is_killed_by_liveness(void **state)
{
    struct all *all = *state;
    const struct play *play = &all->plays[HANG];

    for (int i = 1; i <= 3; i++) {
        const struct seen *seen = &play->seen[i];

        assert_int_equal(seen->ready, TRI_TRUE);
        assert_int_equal(seen->killed_liveness, i != 2);
        assert_int_equal(seen->restarts, i != 2);
        assert_false(seen->terminated); /* it did not hear the SIGTERM */
        assert_true(i == 2 || seen->last.exit_code == 137);
        assert_true(i == 2 || was(seen, STAGE_DEGRADED));
    }
}

static void readiness_flaps_and_nothing_is_restarted(void **state)
{
    struct all *all = *state;
    static const int flapping[] = {PROBE_TIMEOUT, FLAPPING};

    for (size_t i = 0; i < sizeof flapping / sizeof flapping[0]; i++) {
        const struct play *play = &all->plays[flapping[i]];

        assert_true(play->seen[1].unready >= 2);
        for (int k = 1; k <= 3; k++) {
            assert_int_equal(play->seen[k].restarts, 0);
            assert_true(k == 1 || play->seen[k].unready == 0);
        }
    }
}

static void hostile_words_become_printable(void **state)
{
    struct all *all = *state;
    const struct play *play = &all->plays[HOSTILE];

    for (uint32_t i = 1; i <= play->count; i++) {
        assert_int_equal(play->seen[i].restarts, 0);
        for (const char *c = text_str(&play->seen[i].name); *c != '\0'; c++)
            assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
    }
}

static void a_thousand_are_mostly_ready(void **state)
{
    struct all *all = *state;
    const struct play *play = &all->plays[THOUSAND];
    int ready = 0, oom = 0, flapped = 0, loaded = 0;

    for (uint32_t i = 1; i <= play->count; i++) {
        ready += play->seen[i].ready == TRI_TRUE;
        oom += play->seen[i].oom;
        flapped += play->seen[i].unready > 0 && !play->seen[i].oom;
        loaded += play->seen[i].complete;
    }
    assert_true(ready >= 92);
    assert_int_equal(oom, 2);
    assert_int_equal(flapped, 2);
    assert_true(loaded >= 2);
}

/* The same seed is the same story, at whatever speed; another seed is another. */
static void a_seed_repeats_the_story(void **state)
{
    struct all *all = *state;
    const struct play *one = &all->plays[GPU_OOM], *again = &all->plays[GPU_OOM_AGAIN],
                      *other = &all->plays[GPU_OOM_OTHER];

    for (int i = 1; i <= 3; i++) {
        assert_string_equal(text_str(&one->seen[i].name), text_str(&again->seen[i].name));
        assert_int_equal(one->seen[i].started_at, again->seen[i].started_at);
        assert_int_equal(one->seen[i].restarts, again->seen[i].restarts);
        assert_string_not_equal(text_str(&one->seen[i].name), text_str(&other->seen[i].name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_is_fit_to_be_shown),
        cmocka_unit_test(all_end_and_begin_at_once),
        cmocka_unit_test(rollout_ends_with_all_ready),
        cmocka_unit_test(cold_start_climbs_the_whole_ladder),
        cmocka_unit_test(slow_download_is_killed_by_its_budget),
        cmocka_unit_test(wrong_port_is_killed_while_it_works),
        cmocka_unit_test(gpu_oom_ends_in_back_off),
        cmocka_unit_test(engine_dead_is_mended_by_exit_and_by_liveness),
        cmocka_unit_test(hang_is_killed_by_liveness),
        cmocka_unit_test(readiness_flaps_and_nothing_is_restarted),
        cmocka_unit_test(hostile_words_become_printable),
        cmocka_unit_test(a_thousand_are_mostly_ready),
        cmocka_unit_test(a_seed_repeats_the_story),
    };

    signal(SIGPIPE, SIG_IGN); /* as main() does: servers that flood write to clients that have left */
    return cmocka_run_group_tests(tests, play_all, free_all);
}
