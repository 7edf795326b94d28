/* The prober against a second, deliberately simple judge. The judge keeps no state: it has the whole list of what happened to a worker and answers each question by looking back through it,
 * in the words of facts/kube.md 1.2. Both see the same random lives; PROBETOP_SEED=N makes other ones. */
#include "base/clock.h"
#include "model/prober.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { LIVES = 100000, EVENTS_MAX = 40, RUNS = 4 };
static const uint64_t usual_seed = 20261124;

/* Something that happened to the worker, and what the prober said to it. */
struct event {
    bool is_result; /* a probe ended; otherwise the container was looked at */
    enum outcome outcome;
    struct container_view view;
    int64_t now;
    bool said_changed;
    enum prober_step said_step;
    enum verdict said_stored;
    enum gate said_gate;
    int32_t said_failures, said_successes;
};

/* What the judge makes of an event, given those before it. */
struct ruling {
    bool ignored;           /* the worker had ended, or was on hold (for results) */
    bool new_container;     /* rule 4 */
    bool ends;              /* rules 2, 6, 7: nothing after it matters */
    bool counts;            /* rule 10 */
    enum verdict verdict;   /* of a result that counts */
    int32_t streak;         /* as long as it is before rule 12 sets it back */
    bool decides;           /* rule 12: on hold from here */
    bool stores;            /* the kubelet's stored result is set here ... */
    enum verdict stored_as; /* ... to this */
};

struct life {
    uint64_t dice;
    enum lane_kind lane;
    struct probe_spec spec;
    struct event events[EVENTS_MAX];
    struct ruling rulings[EVENTS_MAX];
    int count;
};

/* --- the judge -------------------------------------------------------------------------------------------------- */

static bool was_over(const struct life *life, int before)
{
    for (int i = 0; i < before; i++)
        if (life->rulings[i].ends)
            return true;
    return false;
}

/* On hold: there was a decision, and no new container since. */
static bool was_on_hold(const struct life *life, int before)
{
    for (int i = before - 1; i >= 0 && !life->rulings[i].new_container; i--)
        if (life->rulings[i].decides)
            return true;
    return false;
}

static uint64_t container_before(const struct life *life, int before)
{
    for (int i = before - 1; i >= 0; i--)
        if (!life->events[i].is_result && life->events[i].view.run != 0)
            return life->events[i].view.run;
    return 0;
}

/* The results in a row that ended with this one, counting from the last decision on. */
static int32_t streak_at(const struct life *life, int at)
{
    int32_t streak = 1;

    for (int i = at - 1; i >= 0; i--) {
        const struct ruling *earlier = &life->rulings[i];

        if (earlier->decides || (earlier->counts && earlier->verdict != life->rulings[at].verdict))
            break;
        streak += earlier->counts;
    }
    return streak;
}

static void rule_on_result(struct life *life, int at)
{
    const enum outcome outcome = life->events[at].outcome;
    struct ruling *ruling = &life->rulings[at];

    ruling->ignored = was_over(life, at) || was_on_hold(life, at);
    ruling->counts = !ruling->ignored && outcome != OUTCOME_UNKNOWN && outcome != OUTCOME_ERRORED;
    if (!ruling->counts)
        return;
    ruling->verdict = outcome == OUTCOME_FAIL ? VERDICT_FAILURE : VERDICT_SUCCESS;
    ruling->streak = streak_at(life, at);
    ruling->stores = ruling->streak >=
                     (ruling->verdict == VERDICT_FAILURE ? life->spec.failure_threshold : life->spec.success_threshold);
    ruling->stored_as = ruling->verdict;
    ruling->decides = ruling->stores && (life->lane == LANE_STARTUP ||
                                         (life->lane == LANE_LIVENESS && ruling->verdict == VERDICT_FAILURE));
}

static void rule_on_look(struct life *life, int at)
{
    static const enum verdict at_first[] = {
        [LANE_STARTUP] = VERDICT_UNKNOWN, [LANE_LIVENESS] = VERDICT_SUCCESS, [LANE_READINESS] = VERDICT_FAILURE};
    const struct container_view *view = &life->events[at].view;
    struct ruling *ruling = &life->rulings[at];
    const bool held = was_on_hold(life, at);

    ruling->ignored = was_over(life, at);
    if (ruling->ignored)
        return;
    if (view->pod_over) {
        ruling->ends = true;
        return;
    }
    if (view->run == 0)
        return;
    ruling->new_container = view->run != container_before(life, at);
    if (held && !ruling->new_container)
        return;
    if (!view->running) {
        ruling->stores = true;
        ruling->stored_as = VERDICT_FAILURE;
        ruling->ends = view->terminated && view->never_restart;
    } else if (view->deleting && life->lane != LANE_READINESS) {
        ruling->stores = true;
        ruling->stored_as = VERDICT_SUCCESS;
        ruling->ends = true;
    } else if (ruling->new_container) {
        ruling->stores = true;
        ruling->stored_as = at_first[life->lane];
    }
}

static enum verdict stored_after(const struct life *life, int at)
{
    for (int i = at; i >= 0; i--)
        if (life->rulings[i].stores)
            return life->rulings[i].stored_as;
    return VERDICT_UNKNOWN;
}

static int32_t streak_after(const struct life *life, int at, enum verdict verdict)
{
    for (int i = at; i >= 0; i--)
        if (life->rulings[i].counts)
            return life->rulings[i].verdict == verdict && !life->rulings[i].decides ? life->rulings[i].streak : 0;
    return 0;
}

/* An errored probe is sent again unless it was the third attempt of its tick. */
static bool wants_retry(const struct life *life, int at)
{
    int errored = 0;

    for (int i = at; i >= 0 && !life->rulings[i].new_container; i--) {
        if (life->events[i].is_result && life->events[i].outcome != OUTCOME_ERRORED)
            break;
        errored += life->events[i].is_result;
    }
    return errored % 3 != 0;
}

static enum prober_step step_at(const struct life *life, int at)
{
    const struct ruling *ruling = &life->rulings[at];

    if (ruling->ignored)
        return PROBER_NOTHING;
    if (life->events[at].outcome == OUTCOME_ERRORED)
        return wants_retry(life, at) ? PROBER_RETRY : PROBER_NOTHING;
    if (ruling->decides && ruling->verdict == VERDICT_FAILURE)
        return PROBER_KILL;
    return stored_after(life, at) != stored_after(life, at - 1) ? PROBER_CHANGED : PROBER_NOTHING;
}

static bool delay_is_over(const struct life *life, const struct event *event)
{
    const int64_t since = event->now - event->view.started_at;

    if (!event->view.started_at_known)
        return true;
    return life->spec.initial_delay == 0 ? since > -SECOND_US : since >= (int64_t)life->spec.initial_delay * SECOND_US;
}

static enum gate gate_after(const struct life *life, int at)
{
    const struct container_view *view = &life->events[at].view;

    if (was_over(life, at + 1))
        return GATE_STOPPED;
    if (view->run == 0)
        return GATE_NO_CONTAINER;
    if (was_on_hold(life, at + 1))
        return GATE_ON_HOLD;
    if (!view->running)
        return GATE_NOT_RUNNING;
    if (!delay_is_over(life, &life->events[at]))
        return GATE_INITIAL_DELAY;
    if (life->lane == LANE_STARTUP)
        return view->started ? GATE_STARTED : GATE_SEND;
    return view->started ? GATE_SEND : GATE_WAITS_FOR_STARTUP;
}

/* --- random lives ----------------------------------------------------------------------------------------------- */

/* 0 to below - 1 (xorshift64*). */
static int dice(struct life *life, int below)
{
    life->dice ^= life->dice >> 12;
    life->dice ^= life->dice << 25;
    life->dice ^= life->dice >> 27;
    return (int)((life->dice * UINT64_C(2685821657736338717) >> 33) % (uint64_t)below);
}

static void change_view(struct life *life, struct container_view *view, int64_t now)
{
    switch (dice(life, 12)) {
    case 0: /* restart, or the first container */
    case 1:
        view->run = 1 + (uint64_t)dice(life, RUNS);
        view->running = true;
        view->terminated = false;
        view->started_at = now - dice(life, 2 * SECOND_US);
        view->started_at_known = dice(life, 8) != 0;
        break;
    case 2:
        view->running = false;
        view->terminated = dice(life, 2) != 0;
        break;
    case 3:
        view->run = dice(life, 4) == 0 ? 0 : view->run;
        break;
    case 4:
        view->deleting = dice(life, 4) == 0 || view->deleting;
        break;
    case 5:
        view->pod_over = dice(life, 6) == 0;
        break;
    case 6: /* the same container runs on */
        view->running = view->run != 0;
        view->terminated = false;
        break;
    default:
        view->started = !view->started;
        break;
    }
}

static enum outcome random_outcome(struct life *life, bool mostly_failing)
{
    static const enum outcome others[] = {OUTCOME_OK,      OUTCOME_WARN,    OUTCOME_FAIL,
                                          OUTCOME_ERRORED, OUTCOME_ERRORED, OUTCOME_UNKNOWN};

    if (dice(life, 3) != 0)
        return mostly_failing ? OUTCOME_FAIL : OUTCOME_OK;
    return others[dice(life, sizeof others / sizeof others[0])];
}

static void life_begin(struct life *life, uint64_t seed)
{
    life->dice = seed;
    life->lane = (enum lane_kind)dice(life, 3);
    life->spec = (struct probe_spec){.action = PROBE_HTTP_GET, .timeout = 1, .period = 1};
    life->spec.initial_delay = dice(life, 4);
    life->spec.failure_threshold = 1 + dice(life, 4);
    life->spec.success_threshold = life->lane == LANE_READINESS ? 1 + dice(life, 3) : 1;
    life->count = 8 + dice(life, EVENTS_MAX - 8);
}

/* Lets the prober live through it and writes down what it says. */
static void life_live(struct life *life)
{
    struct prober prober;
    struct container_view view = {.never_restart = dice(life, 6) == 0};
    int64_t now = INT64_C(1000000000);

    prober_init(&prober, life->lane, &life->spec);
    for (int i = 0; i < life->count; i++) {
        struct event *event = &life->events[i];
        const bool asked = prober_gate(&prober, &view, now) == GATE_SEND;

        *event = (struct event){.is_result = dice(life, asked ? 8 : 3) != 0};
        event->is_result = asked ? event->is_result : dice(life, 8) == 0; /* now and then an answer nobody waits for */
        now += dice(life, 3 * SECOND_US / 2);
        if (event->is_result) {
            event->outcome = random_outcome(life, i / 8 % 2 == 0);
            event->said_step = prober_result(&prober, event->outcome);
        } else {
            change_view(life, &view, now);
            event->said_changed = prober_observe(&prober, &view);
        }
        event->view = view;
        event->now = now;
        event->said_stored = prober.stored;
        event->said_gate = prober_gate(&prober, &view, now);
        event->said_failures = prober_failures(&prober);
        event->said_successes = prober_successes(&prober);
    }
}

/* NULL when prober and judge agree on everything; otherwise what they differ in, at event *at. */
static const char *life_judge(struct life *life, int *at)
{
    for (int i = 0; i < life->count; i++) {
        const struct event *event = &life->events[i];

        *at = i;
        life->rulings[i] = (struct ruling){0};
        if (event->is_result) {
            rule_on_result(life, i);
            if (event->said_step != step_at(life, i))
                return "step";
        } else {
            rule_on_look(life, i);
            if (event->said_changed != (stored_after(life, i) != stored_after(life, i - 1)))
                return "changed";
        }
        if (event->said_stored != stored_after(life, i))
            return "stored result";
        if (event->said_failures != streak_after(life, i, VERDICT_FAILURE) ||
            event->said_successes != streak_after(life, i, VERDICT_SUCCESS))
            return "streak";
        if (event->said_gate != gate_after(life, i))
            return "gate";
    }
    return NULL;
}

static void life_print(const struct life *life, int last)
{
    print_message("%s, delay %" PRId32 ", thresholds %" PRId32 "/%" PRId32 "\n", lane_name(life->lane),
                  life->spec.initial_delay, life->spec.success_threshold, life->spec.failure_threshold);
    for (int i = 0; i <= last; i++) {
        const struct event *event = &life->events[i];
        const struct container_view *view = &event->view;

        if (event->is_result) {
            print_message("%2d  probe %s", i, outcome_name(event->outcome));
        } else {
            print_message("%2d  run %" PRIu64 "%s%s%s%s%s%s", i, view->run, view->running ? " running" : "",
                          view->terminated ? " terminated" : "", view->never_restart ? " never-restart" : "",
                          view->pod_over ? " pod-over" : "", view->deleting ? " deleting" : "",
                          view->started ? " started" : "");
        }
        print_message("  -> step %d stored %s failures %" PRId32 " successes %" PRId32 " %s\n", (int)event->said_step,
                      verdict_name(event->said_stored), event->said_failures, event->said_successes,
                      gate_sentence(event->said_gate));
    }
}

static void agrees_with_the_judge(void **state)
{
    const char *wish = getenv("PROBETOP_SEED");
    const uint64_t seed = wish == NULL ? usual_seed : strtoull(wish, NULL, 10);
    uint64_t kills = 0, changes = 0, sent = 0;
    struct life life;

    (void)state;
    print_message("%d random lives, PROBETOP_SEED=%" PRIu64 "\n", LIVES, seed);
    for (int i = 0; i < LIVES; i++) {
        int at = 0;
        const char *difference = NULL;

        life_begin(&life, (seed * UINT64_C(0xd1342543de82ef95) ^ (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15)) | 1);
        life_live(&life);
        difference = life_judge(&life, &at);
        if (difference != NULL) {
            life_print(&life, at);
            fail_msg("life %d of seed %" PRIu64 ": %s differs at event %d", i, seed, difference, at);
        }
        for (int j = 0; j < life.count; j++) {
            kills += life.events[j].said_step == PROBER_KILL;
            changes += life.events[j].said_step == PROBER_CHANGED;
            sent += life.rulings[j].counts;
        }
    }
    print_message("%" PRIu64 " probes counted, %" PRIu64 " kills, %" PRIu64 " other changes\n", sent, kills, changes);
    assert_true(sent > 3 * LIVES && kills > LIVES / 4 && changes > LIVES / 4); /* the lives are worth comparing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_the_judge)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
