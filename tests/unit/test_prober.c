/* The prober against facts/kube.md 1.2 and 1.3, rule by rule. Each row is a worker's life as a string of doings, and what it says to each of them. */
#include "base/clock.h"
#include "model/prober.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* Doings (each answers with one letter, but for those that only prepare):
 *   1 to 9  container of that ID runs, started just now (in whole seconds)   . unchanged  c stored result changed
 *   0 T W   no container known; it has terminated; it waits                  . c
 *   P D     the pod is over; the pod is being deleted                        . c
 *   o w f e u  a probe is OK, WARN, FAIL, ERRORED, UNKNOWN                   . nothing  r retry  c changed  K kill
 *   ?       would a tick send?                                               S sends  C no container  R not running  H on hold  X stopped
 *                                                                            I initial delay  G waits for startup  D startup is done
 *   preparing: S s  started, not started   N  restartPolicy Never   +  a second passes   h  half a second passes   k  the start is not known */
struct row {
    const char *name;
    enum lane_kind lane;
    int32_t delay, successes_needed, failures_allowed;
    const char *doings, *answers;
    enum verdict stored;
    int32_t failures, successes;
    bool on_hold;
};

#define S LANE_STARTUP
#define L LANE_LIVENESS
#define R LANE_READINESS

#define ROW_COUNT (sizeof rows / sizeof rows[0])
static const struct row rows[] = {
    {"1.2.1 nothing is known of the pod: skip", L, 0, 1, 3, "?", "C", VERDICT_UNKNOWN, 0, 0, false},
    {"1.2.2 pod over: the worker ends", R, 0, 1, 3, "1P?", "c.X", VERDICT_FAILURE, 0, 0, false},
    {"1.2.2 pod over: no result counts any more", R, 0, 1, 3, "1SoPf?", "cc..X", VERDICT_SUCCESS, 0, 1, false},
    {"1.2.2 pod over before a container was seen", S, 0, 1, 3, "P1?", "..X", VERDICT_UNKNOWN, 0, 0, false},
    {"1.2.3 no container ID: skip, the old result stays", R, 0, 1, 3, "1So0?", "cc.C", VERDICT_SUCCESS, 0, 1, false},
    {"1.2.4 first result of startup is Unknown", S, 0, 1, 3, "1?", ".S", VERDICT_UNKNOWN, 0, 0, false},
    {"1.2.4 first result of liveness is Success", L, 0, 1, 3, "1S?", "cS", VERDICT_SUCCESS, 0, 0, false},
    {"1.2.4 first result of readiness is Failure", R, 0, 1, 3, "1S?", "cS", VERDICT_FAILURE, 0, 0, false},
    {"1.2.4 new container: readiness is Failure again", R, 0, 1, 3, "1So2", "ccc", VERDICT_FAILURE, 0, 1, false},
    {"1.2.4 new container: liveness is Success again", L, 0, 1, 1, "1Sf2", "cKc", VERDICT_SUCCESS, 0, 0, false},
    {"1.2.4 new container: startup is Unknown again", S, 0, 1, 3, "1o2?", ".ccS", VERDICT_UNKNOWN, 0, 0, false},
    {"1.2.4 new container ends the hold", L, 0, 1, 1, "1Sf?2?", "cKHcS", VERDICT_SUCCESS, 0, 0, false},
    {"1.2.4 the same container again changes nothing", R, 0, 1, 3, "1So1?", "cc.S", VERDICT_SUCCESS, 0, 1, false},
    {"1.2.5 on hold: skip", S, 0, 1, 2, "1ff?", "..KH", VERDICT_FAILURE, 0, 0, true},
    {"1.2.5 on hold comes before not running", S, 0, 1, 1, "1oT?", ".c.H", VERDICT_SUCCESS, 0, 0, true},
    {"1.2.5 on hold comes before deletion", L, 0, 1, 1, "1SfD?", "cK.H", VERDICT_FAILURE, 0, 0, true},
    {"1.2.5 a late answer while on hold counts nothing", L, 0, 1, 2, "1Sfff", "c.K.", VERDICT_FAILURE, 0, 0, true},
    {"1.2.6 not running is Failure", R, 0, 1, 3, "1SoT?", "cccR", VERDICT_FAILURE, 0, 1, false},
    {"1.2.6 waiting is not running either", L, 0, 1, 3, "1W?", "ccR", VERDICT_FAILURE, 0, 0, false},
    {"1.2.6 terminated under restartPolicy Never: the end", L, 0, 1, 3, "1NT?2?", "ccX.X", VERDICT_FAILURE, 0, 0,
     false},
    {"1.2.6 waiting under restartPolicy Never goes on", L, 0, 1, 3, "1NW?2S?", "ccRcS", VERDICT_SUCCESS, 0, 0, false},
    {"1.2.6 running again under another ID goes on", R, 0, 1, 3, "1T2S?", "c..S", VERDICT_FAILURE, 0, 0, false},
    {"1.2.7 deletion: liveness is Success and stops", L, 0, 1, 3, "1SffD?f", "c...X.", VERDICT_SUCCESS, 2, 0, false},
    {"1.2.7 deletion: startup is Success and stops", S, 0, 1, 3, "1fD?2?", "..cX.X", VERDICT_SUCCESS, 1, 0, false},
    {"1.2.7 deletion: readiness goes on", R, 0, 1, 2, "1SoD?ff", "cc.S.c", VERDICT_FAILURE, 2, 0, false},
    {"1.2.7 not running comes before deletion", L, 0, 1, 3, "1TD?", "cc.R", VERDICT_FAILURE, 0, 0, false},
    {"1.2.8 initial delay: skip", S, 3, 1, 3, "1?++?", ".II", VERDICT_UNKNOWN, 0, 0, false},
    {"1.2.8 whole seconds: 2.9 s after startedAt is 2", S, 3, 1, 3, "1++?", ".I", VERDICT_UNKNOWN, 0, 0, false},
    {"1.2.8 startedAt is truncated: open 2.5 s after the start", S, 3, 1, 3, "1++h?", ".S", VERDICT_UNKNOWN, 0, 0,
     false},
    {"1.2.8 the delay counts from the start for liveness too", L, 2, 1, 3, "1++S?", "cS", VERDICT_SUCCESS, 0, 0, false},
    {"1.2.8 the delay of a new container counts anew", R, 2, 1, 3, "1S++?2?", "cS.I", VERDICT_FAILURE, 0, 0, false},
    {"1.2.8 start not known: the delay is over", S, 9, 1, 3, "1k?", ".S", VERDICT_UNKNOWN, 0, 0, false},
    {"1.2.8 comes before the gate", R, 3, 1, 3, "1?", "cI", VERDICT_FAILURE, 0, 0, false},
    {"1.2.9 started: startup skips", S, 0, 1, 3, "1S?", ".D", VERDICT_UNKNOWN, 0, 0, false},
    {"1.2.9 not started: liveness skips", L, 0, 1, 3, "1?", "cG", VERDICT_SUCCESS, 0, 0, false},
    {"1.2.9 not started: readiness skips", R, 0, 1, 3, "1?S?s?", "cGSG", VERDICT_FAILURE, 0, 0, false},
    {"1.2.10 errored: three attempts, then thrown away", R, 0, 1, 3, "1Seee", "crr.", VERDICT_FAILURE, 0, 0, false},
    {"1.2.10 errored: each tick has three attempts", R, 0, 1, 3, "1Seeeeee", "crr.rr.", VERDICT_FAILURE, 0, 0, false},
    {"1.2.10 errored: an answer at the second attempt counts", R, 0, 1, 3, "1Seoee", "crcrr", VERDICT_SUCCESS, 0, 1,
     false},
    {"1.2.10 errored neither counts nor resets", L, 0, 1, 3, "1Sffeeef", "c..rr.K", VERDICT_FAILURE, 0, 0, true},
    {"1.2.10 unknown neither counts nor resets", L, 0, 1, 3, "1Sffuuf", "c....K", VERDICT_FAILURE, 0, 0, true},
    {"1.2.10 unknown ends the tick's attempts", R, 0, 1, 3, "1Seeueee", "crr.rr.", VERDICT_FAILURE, 0, 0, false},
    {"1.2.10 a new container begins with three attempts", R, 0, 1, 3, "1See2eee", "crr.rr.", VERDICT_FAILURE, 0, 0,
     false},
    {"1.2.10 warn is success", R, 0, 1, 3, "1Sw", "cc", VERDICT_SUCCESS, 0, 1, false},
    {"1.2.11 below failureThreshold nothing changes", R, 0, 1, 3, "1Soff", "cc..", VERDICT_SUCCESS, 2, 0, false},
    {"1.2.11 at failureThreshold it does", R, 0, 1, 3, "1Sofff", "cc..c", VERDICT_FAILURE, 3, 0, false},
    {"1.2.11 beyond it the count goes on", R, 0, 1, 3, "1Soffff", "cc..c.", VERDICT_FAILURE, 4, 0, false},
    {"1.2.11 a success between begins anew", L, 0, 1, 3, "1Sffoffof", "c.......", VERDICT_SUCCESS, 1, 0, false},
    {"1.2.11 a warning between begins anew", L, 0, 1, 3, "1Sffwff", "c.....", VERDICT_SUCCESS, 2, 0, false},
    {"1.2.11 below successThreshold nothing changes", R, 0, 3, 3, "1Soo", "c..", VERDICT_FAILURE, 0, 2, false},
    {"1.2.11 at successThreshold it does", R, 0, 3, 3, "1Sooo", "c..c", VERDICT_SUCCESS, 0, 3, false},
    {"1.2.11 a failure between successes begins anew", R, 0, 3, 3, "1Soofooo", "c.....c", VERDICT_SUCCESS, 0, 3, false},
    {"1.2.11 threshold 1 decides at once", R, 0, 1, 1, "1Sofof", "ccccc", VERDICT_FAILURE, 1, 0, false},
    {"1.2.12 startup success: on hold, count 0", S, 0, 1, 3, "1ffo", "...c", VERDICT_SUCCESS, 0, 0, true},
    {"1.2.12 startup failure: on hold, count 0", S, 0, 1, 2, "1ff", "..K", VERDICT_FAILURE, 0, 0, true},
    {"1.2.12 liveness failure: on hold, count 0", L, 0, 1, 2, "1Sff", "c.K", VERDICT_FAILURE, 0, 0, true},
    {"1.2.12 after it failures count from one", L, 0, 1, 2, "1Sff2Sff", "c.Kc.K", VERDICT_FAILURE, 0, 0, true},
    {"1.2.12 liveness success is no hold", L, 0, 1, 2, "1Soo?", "c..S", VERDICT_SUCCESS, 0, 2, false},
    {"1.2.12 readiness is never on hold", R, 0, 1, 2, "1Soff?oo", "cc.cSc.", VERDICT_SUCCESS, 0, 2, false},
    {"1.2.12 restart for another reason: liveness streak lives on", L, 0, 1, 3, "1SffT2Sf", "c..ccK", VERDICT_FAILURE,
     0, 0, true},
    {"1.2.12 restart for another reason: startup streak lives on", S, 0, 1, 3, "1ffT2f", "...ccK", VERDICT_FAILURE, 0,
     0, true},
    {"1.2.12 restart for another reason: readiness streak lives on", R, 0, 3, 3, "1SooT2o", "c....c", VERDICT_SUCCESS,
     0, 3, false},
    {"1.3 startup success: started", S, 0, 1, 60, "1fffo", "....c", VERDICT_SUCCESS, 0, 0, true},
    {"1.3 startup failure: killed", S, 0, 1, 4, "1ffff", "....K", VERDICT_FAILURE, 0, 0, true},
    {"1.3 liveness failure: killed", L, 0, 1, 3, "1Sofff", "c...K", VERDICT_FAILURE, 0, 0, true},
    {"1.3 liveness failure: readiness runs through the grace period", R, 0, 1, 1, "1SoD?fT?", "cc.Sc.R",
     VERDICT_FAILURE, 1, 0, false},
    {"1.3 readiness failure: not ready, nothing killed", R, 0, 1, 3, "1Sofff?", "cc..cS", VERDICT_FAILURE, 3, 0, false},
    {"1.3 readiness success: ready", R, 0, 2, 3, "1Soo?", "c.cS", VERDICT_SUCCESS, 0, 2, false},
    {"1.3 restart: readiness is Failure until probed", R, 0, 1, 3, "1SoTs2?S?o", "ccc.GSc", VERDICT_SUCCESS, 0, 2,
     false},
    {"1.3 restart: startup runs again from zero", S, 0, 1, 2, "1ff2?ff", "..KcS.K", VERDICT_FAILURE, 0, 0, true},
};

struct life {
    struct prober prober;
    struct container_view view;
    int64_t now;
};

static char gate_letter(enum gate gate)
{
    static const char letters[] = {
        [GATE_SEND] = 'S',    [GATE_NO_CONTAINER] = 'C',  [GATE_NOT_RUNNING] = 'R',       [GATE_ON_HOLD] = 'H',
        [GATE_STOPPED] = 'X', [GATE_INITIAL_DELAY] = 'I', [GATE_WAITS_FOR_STARTUP] = 'G', [GATE_STARTED] = 'D'};

    return letters[gate];
}

static char step_letter(enum prober_step step)
{
    static const char letters[] = {
        [PROBER_NOTHING] = '.', [PROBER_RETRY] = 'r', [PROBER_CHANGED] = 'c', [PROBER_KILL] = 'K'};

    return letters[step];
}

/* Doings that only prepare. */
static bool life_prepare(struct life *life, char doing)
{
    switch (doing) {
    case 'S':
    case 's':
        life->view.started = doing == 'S';
        return true;
    case 'N':
        life->view.never_restart = true;
        return true;
    case 'k':
        life->view.started_at_known = false;
        return true;
    case '+':
        life->now += SECOND_US;
        return true;
    case 'h':
        life->now += SECOND_US / 2;
        return true;
    default:
        return false;
    }
}

static bool life_see(struct life *life, char doing)
{
    struct container_view *view = &life->view;

    switch (doing) {
    case '0':
        view->run = 0;
        view->running = false;
        break;
    case 'T':
    case 'W':
        view->running = false;
        view->terminated = doing == 'T';
        break;
    case 'P':
        view->pod_over = true;
        break;
    case 'D':
        view->deleting = true;
        break;
    default:
        assert_in_range(doing, '1', '9');
        view->run = (uint64_t)(doing - '0');
        view->running = true;
        view->terminated = false;
        view->started_at = life->now / SECOND_US * SECOND_US;
        view->started_at_known = true;
        break;
    }
    return prober_observe(&life->prober, view);
}

static char life_do(struct life *life, char doing)
{
    static const char outcomes[] = {[OUTCOME_UNKNOWN] = 'u',
                                    [OUTCOME_OK] = 'o',
                                    [OUTCOME_WARN] = 'w',
                                    [OUTCOME_FAIL] = 'f',
                                    [OUTCOME_ERRORED] = 'e'};
    const char *outcome = memchr(outcomes, doing, sizeof outcomes);

    if (doing == '?')
        return gate_letter(prober_gate(&life->prober, &life->view, life->now));
    if (outcome != NULL)
        return step_letter(prober_result(&life->prober, (enum outcome)(outcome - outcomes)));
    return life_see(life, doing) ? 'c' : '.';
}

static void row_holds(void **state)
{
    const struct row *row = *state;
    const struct probe_spec spec = {.action = PROBE_HTTP_GET,
                                    .initial_delay = row->delay,
                                    .success_threshold = row->successes_needed,
                                    .failure_threshold = row->failures_allowed};
    struct life life = {.now = INT64_C(100900000)};
    char answers[64] = "";
    size_t count = 0;

    prober_init(&life.prober, row->lane, &spec);
    for (const char *doing = row->doings; *doing != '\0'; doing++) {
        if (!life_prepare(&life, *doing)) {
            assert_true(count + 1 < sizeof answers);
            answers[count++] = life_do(&life, *doing);
        }
    }
    assert_string_equal(answers, row->answers);
    assert_string_equal(verdict_name(life.prober.stored), verdict_name(row->stored));
    assert_int_equal(prober_failures(&life.prober), row->failures);
    assert_int_equal(prober_successes(&life.prober), row->successes);
    assert_int_equal(life.prober.on_hold, row->on_hold);
}

/* What a result in one lane opens in the others, by way of status.started (1.3, first rows). */
static void startup_opens_the_others(void **state)
{
    struct pod_facts facts = {.kubelet = false};
    struct prober startup, readiness;
    struct container_view view;
    const struct probe_spec spec = {.action = PROBE_HTTP_GET, .success_threshold = 1, .failure_threshold = 3};

    (void)state;
    facts.probes[LANE_STARTUP].action = PROBE_HTTP_GET;
    facts.serving.state = CONTAINER_RUNNING;
    text_set_str(&facts.serving.container_id, "containerd://1", TEXT_NAME);
    prober_init(&startup, LANE_STARTUP, &spec);
    prober_init(&readiness, LANE_READINESS, &spec);
    view = container_view_of(&facts, startup.stored == VERDICT_SUCCESS);
    (void)prober_observe(&startup, &view);
    (void)prober_observe(&readiness, &view);
    assert_int_equal(prober_gate(&startup, &view, 0), GATE_SEND);
    assert_int_equal(prober_gate(&readiness, &view, 0), GATE_WAITS_FOR_STARTUP);
    assert_int_equal(prober_result(&startup, OUTCOME_OK), PROBER_CHANGED);
    view = container_view_of(&facts, startup.stored == VERDICT_SUCCESS);
    assert_int_equal(prober_gate(&readiness, &view, 0), GATE_SEND);
    assert_int_equal(prober_gate(&startup, &view, 0), GATE_ON_HOLD);
    text_free(&facts.serving.container_id);
}

static void view_tells_containers_apart(void **state)
{
    struct pod_facts facts = {.kubelet = true};
    uint64_t first = 0;

    (void)state;
    assert_true(container_view_of(&facts, false).run == 0);
    text_set_str(&facts.serving.container_id, "containerd://1", TEXT_NAME);
    first = container_view_of(&facts, false).run;
    assert_true(first != 0);
    assert_true(container_view_of(&facts, true).run == first);
    text_set_str(&facts.serving.container_id, "containerd://2", TEXT_NAME);
    assert_true(container_view_of(&facts, false).run != first);
    text_free(&facts.serving.container_id);
}

/* 1.2.9: whose word `started` is. */
static void view_started(void **state)
{
    static const struct {
        bool kubelet, has_startup, own_success;
        enum tri word;
        enum container_state container;
        bool started;
    } cases[] = {
        {true, true, true, TRI_FALSE, CONTAINER_RUNNING, false},
        {true, true, true, TRI_UNKNOWN, CONTAINER_RUNNING, false},
        {true, true, false, TRI_TRUE, CONTAINER_RUNNING, true},
        {true, false, false, TRI_FALSE, CONTAINER_WAITING, false},
        {false, true, false, TRI_UNKNOWN, CONTAINER_RUNNING, false},
        {false, true, true, TRI_UNKNOWN, CONTAINER_RUNNING, true},
        {false, false, false, TRI_UNKNOWN, CONTAINER_RUNNING, true},
        {false, false, true, TRI_UNKNOWN, CONTAINER_TERMINATED, false},
        {false, true, true, TRI_UNKNOWN, CONTAINER_WAITING, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pod_facts facts = {.kubelet = cases[i].kubelet};
        struct container_view view;

        facts.serving.started = cases[i].word;
        facts.serving.state = cases[i].container;
        facts.probes[LANE_STARTUP].action = cases[i].has_startup ? PROBE_HTTP_GET : PROBE_NONE;
        view = container_view_of(&facts, cases[i].own_success);
        assert_int_equal(view.started, cases[i].started);
        assert_int_equal(view.running, cases[i].container == CONTAINER_RUNNING);
        assert_int_equal(view.terminated, cases[i].container == CONTAINER_TERMINATED);
    }
}

static void view_of_the_pod(void **state)
{
    struct pod_facts facts = {.never_restart = true, .deleting = true, .phase = PHASE_FAILED};
    struct container_view view;

    (void)state;
    facts.serving.started_at = -5 * SECOND_US;
    facts.serving.started_at_known = true;
    view = container_view_of(&facts, false);
    assert_true(view.never_restart && view.deleting && view.pod_over && view.started_at_known);
    assert_true(view.started_at == -5 * SECOND_US);
    facts.phase = PHASE_SUCCEEDED;
    assert_true(container_view_of(&facts, false).pod_over);
    facts.phase = PHASE_RUNNING;
    assert_false(container_view_of(&facts, false).pod_over);
}

/* The same results under other settings: the prober keeps nothing but what is in it. */
static void other_settings_other_verdict(void **state)
{
    static const enum outcome recorded[] = {OUTCOME_OK, OUTCOME_FAIL, OUTCOME_FAIL, OUTCOME_FAIL, OUTCOME_OK};
    const struct container_view view = {.run = 1, .running = true, .started = true};
    int kills[3] = {0};

    (void)state;
    for (int32_t threshold = 2; threshold <= 4; threshold++) {
        const struct probe_spec spec = {
            .action = PROBE_HTTP_GET, .success_threshold = 1, .failure_threshold = threshold};
        struct prober prober;

        prober_init(&prober, LANE_LIVENESS, &spec);
        (void)prober_observe(&prober, &view);
        for (size_t i = 0; i < sizeof recorded / sizeof recorded[0]; i++)
            kills[threshold - 2] += prober_result(&prober, recorded[i]) == PROBER_KILL;
    }
    assert_int_equal(kills[0], 1);
    assert_int_equal(kills[1], 1);
    assert_int_equal(kills[2], 0);
}

static void sentences(void **state)
{
    (void)state;
    assert_string_equal(gate_sentence(GATE_WAITS_FOR_STARTUP), "waits for startup");
    for (int gate = GATE_SEND; gate <= GATE_COVERED; gate++)
        assert_true(gate_sentence((enum gate)gate)[0] != '\0');
    assert_string_equal(verdict_name(VERDICT_FAILURE), "failure");
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(startup_opens_the_others),
        cmocka_unit_test(view_tells_containers_apart),
        cmocka_unit_test(view_started),
        cmocka_unit_test(view_of_the_pod),
        cmocka_unit_test(other_settings_other_verdict),
        cmocka_unit_test(sentences),
    };
    struct CMUnitTest tests[ROW_COUNT];
    int failed = 0;

    for (size_t i = 0; i < ROW_COUNT; i++) {
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = row_holds, .initial_state = (void *)(uintptr_t)&rows[i]};
    }
    failed += cmocka_run_group_tests_name("prober rules", tests, NULL, NULL);
    failed += cmocka_run_group_tests_name("prober", others, NULL, NULL);
    return failed;
}
