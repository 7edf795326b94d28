/* Every story is played at speed through the real engine, a reader's fleet folds its facts, and at each fact the hints about that pod are asked for: the right one must stand first soon after its fault, and nothing
 * may be cried before. Time passes only while this process runs: a second of a story is 50 ms. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/hints.h"
#include "sim/sim.h"
#include "tests/support/pace.h"

enum { PODS = 120, TURNS = 400, DEADLINE_MS = 90000 };

/* The first hint of a pod was another from here on. */
struct turn {
    int64_t t;
    uint32_t pod;
    enum cause cause; /* CAUSE_NONE: no hint */
    enum confidence confidence;
};

struct play {
    const char *story;
    double speed;
    int32_t pods;
    struct engine *engine;
    struct fleet *fleet;
    struct turn turns[TURNS], now[PODS + 1];
    int turn_count;
    struct all *all;
};

#define PLAYS(X)                                                                                                       \
    X(ROLLOUT, "rollout", 20, 0)                                                                                       \
    X(COLD_START, "cold-start", 20, 0)                                                                                 \
    X(SLOW_DOWNLOAD, "slow-download", 20, 0)                                                                           \
    X(WRONG_PORT, "wrong-port", 20, 0)                                                                                 \
    X(GPU_OOM, "gpu-oom", 20, 0)                                                                                       \
    X(ENGINE_DEAD, "engine-dead", 20, 0)                                                                               \
    X(HANG, "hang", 20, 0)                                                                                             \
    X(PROBE_TIMEOUT, "probe-timeout", 20, 0)                                                                           \
    X(FLAPPING, "flapping", 20, 0)                                                                                     \
    X(HOSTILE, "hostile", 20, 0)                                                                                       \
    X(THOUSAND, "thousand", 20, 100)
enum {
#define X(id, story, speed, pods) id,
    PLAYS(X)
#undef X
        PLAY_COUNT
};

struct all {
    uv_loop_t loop;
    uv_timer_t deadline;
    struct pace pace;
    struct play plays[PLAY_COUNT];
    int running;
    bool late;
};

static void play_done(void *user)
{
    struct play *play = user;
    if (--play->all->running == 0) {
        uv_close((uv_handle_t *)&play->all->deadline, NULL);
        pace_end(&play->all->pace);
    }
}

static void turn_take(struct play *play, uint32_t id)
{
    const struct pod *pod = fleet_pod(play->fleet, id);
    struct hints hints;
    if (!pod || id > PODS)
        return;
    pod_hints(play->fleet, pod, play->fleet->t, &hints);
    struct turn turn = {.t = play->fleet->t, .pod = id};
    if (hints.count > 0) {
        turn.cause = hints.list[0].cause;
        turn.confidence = hints.list[0].confidence;
    }
    struct turn *now = &play->now[id];
    if (turn.cause != now->cause || turn.confidence != now->confidence) {
        if (getenv("HINTS_TRACE"))
            fprintf(stderr, "%-14s %6.1f pod %-3u %-24s %-9s %s | %s\n", play->story, (double)turn.t / 1e6,
                    (unsigned)id, cause_label(turn.cause), confidence_name(turn.confidence), stage_word(pod->stage),
                    text_str(hints.count > 0 ? &hints.list[0].title : &hints.state));
        if (play->turn_count < TURNS)
            play->turns[play->turn_count++] = turn;
        *now = turn;
    }
    hints_free(&hints);
}

static void play_fact(void *user, const struct fact *fact)
{
    struct play *play = user;
    fleet_apply(play->fleet, fact);
    if (fact->pod != 0)
        turn_take(play, fact->pod);
    if (fact->kind == FACT_END)
        engine_stop(play->engine, play_done, play);
}

static void deadline_over(uv_timer_t *timer)
{
    struct all *all = timer->data;
    all->late = true;
    uv_stop(&all->loop);
}

static void play_begin(struct play *play)
{
    const struct sim_options options = {.story = sim_story_find(play->story), .seed = 1, .pods = play->pods};
    struct engine_options engine = {
        .loop = &play->all->loop, .title = play->story, .source_ops = &sim_ops, .tunnel_ops = &direct_ops};
    struct problem problem = {0};
    assert_non_null(options.story);
    clock_start(&engine.clock, play->speed);
    engine.tunnel = direct_new();
    engine.source = sim_source_new(&options, engine.tunnel);
    play->fleet = fleet_new(fleet_limits_reader());
    play->engine = engine_new(&engine);
    engine_observe(play->engine, play_fact, play);
    assert_int_equal(engine_start(play->engine, &problem), STATUS_OK);
}

static int play_all(void **state)
{
    static const struct {
        const char *story;
        double speed;
        int32_t pods;
    } rows[] = {
#define X(id, story, speed, pods) {story, speed, pods},
        PLAYS(X)
#undef X
    };
    struct all *all = mem_new(sizeof *all);
    *state = all;
    uv_loop_init(&all->loop);
    pace_begin(&all->pace, &all->loop);
    uv_timer_init(&all->loop, &all->deadline);
    all->deadline.data = all;
    uv_timer_start(&all->deadline, deadline_over, DEADLINE_MS, 0);
    all->running = PLAY_COUNT;
    for (int i = 0; i < PLAY_COUNT; i++) {
        struct play *play = &all->plays[i];
        play->all = all;
        play->story = rows[i].story;
        play->speed = rows[i].speed;
        play->pods = rows[i].pods;
        play_begin(play);
    }
    uv_run(&all->loop, UV_RUN_DEFAULT);
    return all->late ? -1 : 0;
}

static int free_all(void **state)
{
    struct all *all = *state;
    for (int i = 0; i < PLAY_COUNT; i++) {
        engine_free(all->plays[i].engine);
        fleet_free(all->plays[i].fleet);
    }
    const int left = uv_loop_close(&all->loop);
    mem_free(all);
    return left;
}

/* ---- what must have been said ---- */

/* Until when the turn lasted. */
static int64_t turn_end(const struct play *play, int index)
{
    for (int i = index + 1; i < play->turn_count; i++)
        if (play->turns[i].pod == play->turns[index].pod)
            return play->turns[i].t;
    return play->fleet->t;
}

static const double MOMENT_SECONDS = 8;

static bool is_said(enum cause cause, const enum cause *causes)
{
    for (int i = 0; causes[i] != CAUSE_NONE; i++)
        if (causes[i] == cause)
            return true;
    return false;
}

/* What a slow machine makes of any server, when the story runs so many times as fast. */
static bool is_of_the_machine(enum cause cause)
{
    return cause == CAUSE_PROBE_TIMEOUT || cause == CAUSE_FLAPPING || cause == CAUSE_SERVER_HANGS;
}

/* No hint but these stood first for longer than a moment before `until` (seconds). */
static void nothing_else(const struct play *play, uint32_t pod, double until, const enum cause *causes)
{
    for (int i = 0; i < play->turn_count; i++) {
        const struct turn *turn = &play->turns[i];
        double lasted = (double)(turn_end(play, i) - turn->t) / 1e6;
        if ((pod == 0 || turn->pod == pod) && turn->cause != CAUSE_NONE && lasted > MOMENT_SECONDS &&
            (double)turn->t / 1e6 < until && !is_said(turn->cause, causes) && !is_of_the_machine(turn->cause))
            fail_msg("%s: %s stood %.1f s from %.1f s on for pod %u", play->story, cause_label(turn->cause), lasted,
                     (double)turn->t / 1e6, (unsigned)turn->pod);
    }
}

/* The cause stood first, so surely at least, at some time between `from` and `by` (seconds) and for longer than a moment; returns its turn. */
static const struct turn *said_by(const struct play *play, uint32_t pod, enum cause cause, enum confidence confidence,
                                  double from, double by)
{
    for (int i = 0; i < play->turn_count; i++) {
        const struct turn *turn = &play->turns[i];
        double began = (double)turn->t / 1e6, ended = (double)turn_end(play, i) / 1e6;
        if (turn->pod == pod && turn->cause == cause && turn->confidence >= confidence && began < by && ended > from &&
            ended - began > MOMENT_SECONDS / 2)
            return turn;
    }
    fail_msg("%s: no %s between %.0f s and %.0f s for pod %u", play->story, cause_label(cause), from, by,
             (unsigned)pod);
    return NULL;
}

static const enum cause NOTHING[] = {CAUSE_NONE};

/* A person who looks so many seconds after the fault reads the right answer; nothing wrong was said before. Moments are those of the scripts (sim/stories.c). */
static void right_answers(void **state)
{
    static const struct {
        int play;
        uint32_t pod;
        enum cause cause;
        enum confidence confidence;
        double fault, by;
        bool lasts; /* to the story's end */
    } rows[] = {
        {SLOW_DOWNLOAD, 1, CAUSE_STARTUP_BUDGET_EXCEEDED, CONFIDENCE_POSSIBLE, 205, 240,
         true}, /* four fifths are used */
        {SLOW_DOWNLOAD, 1, CAUSE_STARTUP_BUDGET_EXCEEDED, CONFIDENCE_CERTAIN, 255, 270, true}, /* killed */
        {WRONG_PORT, 1, CAUSE_WRONG_PORT, CONFIDENCE_CERTAIN, 120, 165, true},
        {WRONG_PORT, 1, CAUSE_WRONG_PORT, CONFIDENCE_LIKELY, 190, 215, true},
        {GPU_OOM, 2, CAUSE_GPU_OOM, CONFIDENCE_CERTAIN, 40, 65, true},
        {ENGINE_DEAD, 1, CAUSE_ENGINE_DEAD, CONFIDENCE_CERTAIN, 38, 60, false},
        {ENGINE_DEAD, 3, CAUSE_ENGINE_DEAD, CONFIDENCE_LIKELY, 50, 75, false},
        {HANG, 1, CAUSE_SERVER_HANGS, CONFIDENCE_LIKELY, 55, 95, false},
        {HANG, 3, CAUSE_SERVER_HANGS, CONFIDENCE_LIKELY, 28, 70, false},
        {PROBE_TIMEOUT, 1, CAUSE_PROBE_TIMEOUT, CONFIDENCE_LIKELY, 60, 130, true},
        {FLAPPING, 1, CAUSE_FLAPPING, CONFIDENCE_LIKELY, 60, 170, true},
        {THOUSAND, 65, CAUSE_GPU_OOM, CONFIDENCE_CERTAIN, 40, 75, true},
        {THOUSAND, 98, CAUSE_GPU_OOM, CONFIDENCE_CERTAIN, 50, 85, true},
    };
    struct all *all = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct play *play = &all->plays[rows[i].play];
        const enum cause right[] = {rows[i].cause, CAUSE_NONE};
        said_by(play, rows[i].pod, rows[i].cause, rows[i].confidence, rows[i].fault, rows[i].by);
        nothing_else(play, rows[i].pod, 1e9, right);
        if (rows[i].lasts)
            assert_string_equal(cause_label(play->now[rows[i].pod].cause), cause_label(rows[i].cause));
        else
            assert_true(play->now[rows[i].pod].cause == CAUSE_NONE || is_of_the_machine(play->now[rows[i].pod].cause));
    }
}

/* Pods to which nothing happens: in the healthy stories all of them, in the others those beside the sick ones. */
static void nothing_is_cried(void **state)
{
    static const struct {
        int play;
        uint32_t pod; /* 0: all */
    } rows[] = {{ROLLOUT, 0},       {COLD_START, 0},    {SLOW_DOWNLOAD, 2}, {GPU_OOM, 1},
                {GPU_OOM, 3},       {ENGINE_DEAD, 2},   {ENGINE_DEAD, 4},   {HANG, 2},
                {PROBE_TIMEOUT, 3}, {PROBE_TIMEOUT, 2}, {FLAPPING, 2},      {FLAPPING, 3}};
    static const enum cause thousand[] = {CAUSE_GPU_OOM, CAUSE_NONE};
    struct all *all = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        nothing_else(&all->plays[rows[i].play], rows[i].pod, 1e9, NOTHING);
    nothing_else(&all->plays[THOUSAND], 0, 1e9, thousand);
}

/* What the list of stories says is the right answer is a cause, and the one that stood there. */
static void answers_have_labels(void **state)
{
    struct all *all = *state;
    for (int i = 0; i < PLAY_COUNT; i++) {
        const struct play *play = &all->plays[i];
        const char *answer = sim_story_find(play->story)->right_answer;
        enum cause cause;
        bool found = false;
        if (answer[0] == '\0')
            continue;
        assert_true(cause_from_label(answer, &cause));
        for (int k = 0; k < play->turn_count; k++)
            found = found || play->turns[k].cause == cause;
        assert_int_equal(found, !cause_is_healthy(cause));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(right_answers), cmocka_unit_test(nothing_is_cried),
                                       cmocka_unit_test(answers_have_labels)};
    signal(SIGPIPE, SIG_IGN); /* as main() does */
    return cmocka_run_group_tests(tests, play_all, free_all);
}
