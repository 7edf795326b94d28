/* When waiting is over: by table. */
#include "base/clock.h"
#include "model/revision.h"
#include "tui/wait_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define SECONDS(n) ((int64_t)(n)*SECOND_US)

static void counts(void **state)
{
    static const struct {
        size_t wanted, present, there, hopeless;
        enum wait_verdict verdict;
    } ROWS[] = {
        /* all there are */
        {0, 0, 0, 0, WAIT_GOES_ON},
        {0, 1, 0, 0, WAIT_GOES_ON},
        {0, 1, 1, 0, WAIT_IS_THERE},
        {0, 3, 2, 0, WAIT_GOES_ON},
        {0, 3, 3, 0, WAIT_IS_THERE},
        {0, 3, 2, 1, WAIT_IS_HOPELESS},
        {0, 3, 0, 3, WAIT_IS_HOPELESS},
        /* one is enough */
        {1, 3, 1, 2, WAIT_IS_THERE},
        {1, 3, 0, 2, WAIT_GOES_ON},
        {1, 3, 0, 3, WAIT_IS_HOPELESS},
        /* two, of which some are still to come */
        {2, 0, 0, 0, WAIT_GOES_ON},
        {2, 1, 1, 0, WAIT_GOES_ON},
        {2, 1, 0, 1, WAIT_IS_HOPELESS}, /* those to come are of the same kind */
        {2, 2, 1, 1, WAIT_IS_HOPELESS},
        {2, 3, 1, 1, WAIT_GOES_ON},
        {2, 3, 2, 1, WAIT_IS_THERE},
        {2, 5, 3, 0, WAIT_IS_THERE},
        {5, 2, 1, 1, WAIT_GOES_ON},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct wait_view view = {.wanted = ROWS[i].wanted,
                                 .of_cluster = true,
                                 .state = SOURCE_WATCHING,
                                 .stood = true,
                                 .present = ROWS[i].present,
                                 .there = ROWS[i].there,
                                 .hopeless = ROWS[i].hopeless};
        if (wait_decide(&view) != ROWS[i].verdict)
            fail_msg("row %zu: %d", i, (int)wait_decide(&view));
    }
}

static void sources(void **state)
{
    static const struct {
        bool gone_wanted;
        enum source_state source;
        int64_t state_for;
        bool stood;
        size_t present, there;
        enum wait_verdict verdict;
    } ROWS[] = {
        {false, SOURCE_STARTING, 0, false, 1, 1, WAIT_GOES_ON}, /* more pods may be told of */
        {false, SOURCE_WATCHING, 0, false, 1, 1, WAIT_IS_THERE},
        {false, SOURCE_NONE_FOUND, 0, false, 0, 0, WAIT_GOES_ON},
        {false, SOURCE_LOST, SECONDS(5), true, 1, 1, WAIT_GOES_ON}, /* nothing is known of now */
        {false, SOURCE_LOST, SECONDS(5000), true, 1, 0, WAIT_GOES_ON},
        {false, SOURCE_LOST, SECONDS(119), false, 0, 0, WAIT_GOES_ON},
        {false, SOURCE_LOST, SECONDS(120), false, 0, 0, WAIT_IS_BLIND},
        {false, SOURCE_NO_CLUSTER, 0, false, 0, 0, WAIT_IS_BLIND},
        {false, SOURCE_REFUSED, 0, false, 0, 0, WAIT_IS_BLIND},
        {false, SOURCE_NO_CLUSTER, SECONDS(5000), true, 1, 0, WAIT_GOES_ON}, /* somebody edits the kubeconfig */
        {false, SOURCE_DENIED, 0, false, 0, 0, WAIT_IS_DENIED},
        {false, SOURCE_DENIED, SECONDS(9), true, 1, 0, WAIT_GOES_ON},
        {false, SOURCE_DENIED, SECONDS(10), true, 1, 0, WAIT_IS_DENIED},
        {true, SOURCE_STARTING, 0, false, 0, 0, WAIT_GOES_ON},
        {true, SOURCE_NONE_FOUND, 0, false, 0, 0, WAIT_IS_THERE},
        {true, SOURCE_WATCHING, 0, true, 0, 0, WAIT_IS_THERE}, /* all that are left are gone */
        {true, SOURCE_WATCHING, 0, true, 1, 0, WAIT_GOES_ON},
        {true, SOURCE_LOST, 0, true, 0, 0, WAIT_GOES_ON},
        {true, SOURCE_DENIED, 0, false, 0, 0, WAIT_IS_DENIED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct wait_view view = {.gone_wanted = ROWS[i].gone_wanted,
                                 .of_cluster = true,
                                 .state = ROWS[i].source,
                                 .state_for = ROWS[i].state_for,
                                 .stood = ROWS[i].stood,
                                 .present = ROWS[i].present,
                                 .there = ROWS[i].there};
        if (wait_decide(&view) != ROWS[i].verdict)
            fail_msg("row %zu: %d", i, (int)wait_decide(&view));
    }
}

/* Enough pods are there, but some may be of an older version. */
static void rollouts(void **state)
{
    static const struct {
        bool observed;
        int32_t desired, updated, total;
        size_t wanted;
        bool rolls;
    } ROWS[] = {
        {true, 3, 3, 3, 0, false}, {false, 3, 3, 3, 0, true}, /* the numbers are of the version before */
        {false, 3, 3, 3, 1, true}, {true, 3, 2, 3, 0, true},  /* one more is to come */
        {true, 3, 3, 4, 0, true},                             /* one more is to go */
        {true, 3, 3, 4, 3, false}, {true, 3, 2, 3, 2, false}, {true, 3, 2, 3, 3, true},
        {true, 3, 0, 3, 1, true},  {true, 3, 3, 3, 5, false}, /* more than it makes: others have to be waited for */
        {true, 0, 0, 0, 0, false}, {true, 0, 0, 2, 0, true},
    };
    struct wait_view view = {.of_cluster = true, .state = SOURCE_WATCHING, .stood = true, .present = 3, .there = 3};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct workload_facts workload = {.observed = ROWS[i].observed,
                                          .desired = ROWS[i].desired,
                                          .updated = ROWS[i].updated,
                                          .total = ROWS[i].total};
        if (workload_rolls(&workload, ROWS[i].wanted) != ROWS[i].rolls)
            fail_msg("row %zu", i);
    }
    assert_int_equal(wait_decide(&view), WAIT_IS_THERE);
    view.rolls = true;
    assert_int_equal(wait_decide(&view), WAIT_GOES_ON);
    view.there = 0;
    view.hopeless = 3; /* what the rollout made will not do, whatever it still makes */
    assert_int_equal(wait_decide(&view), WAIT_IS_HOPELESS);
}

/* Endpoints have no source that stands: all of them must have been told of. */
static void endpoints(void **state)
{
    struct wait_view view = {.expected = 2, .known = 1, .present = 1, .there = 1};
    (void)state;
    assert_int_equal(wait_decide(&view), WAIT_GOES_ON);
    view.known = view.present = 2;
    assert_int_equal(wait_decide(&view), WAIT_GOES_ON);
    view.there = 2;
    assert_int_equal(wait_decide(&view), WAIT_IS_THERE);
    view.gone_wanted = true;
    assert_int_equal(wait_decide(&view), WAIT_GOES_ON);
    view.present = 0;
    assert_int_equal(wait_decide(&view), WAIT_IS_THERE);
}

/* ---- revisions ---- */

struct born {
    const char *name, *workload;
    int32_t created;
    bool deleting;
};

static struct fleet *fleet_of(const struct born *pods, size_t count)
{
    struct fleet *fleet = fleet_new(fleet_limits_reader());
    for (size_t i = 0; i < count; i++) {
        struct fact fact;
        fact_init(&fact, FACT_POD, (uint32_t)i + 1);
        struct pod_facts *facts = &fact.u.facts;
        facts->id = (uint32_t)i + 1;
        facts->kubelet = true;
        facts->created_at = SECONDS(pods[i].created);
        facts->deleting = pods[i].deleting;
        facts->phase = PHASE_RUNNING;
        text_set_str(&facts->name, pods[i].name, TEXT_NAME);
        text_set_str(&facts->workload, pods[i].workload, TEXT_NAME);
        fleet_apply(fleet, &fact);
        fact_free(&fact);
    }
    return fleet;
}

static void newest_revision(void **state)
{
    static const struct {
        struct born pods[5];
        bool old[5];
    } ROWS[] = {
        /* a rollout under way */
        {{{"a-111-x", "deploy/a", 1, false}, {"a-111-y", "deploy/a", 1, false}, {"a-222-x", "deploy/a", 9, false}},
         {true, true, false}},
        /* of the old revision a pod was made anew meanwhile: its oldest tells its age */
        {{{"a-111-x", "deploy/a", 1, false}, {"a-222-x", "deploy/a", 5, false}, {"a-111-z", "deploy/a", 9, false}},
         {true, false, true}},
        /* a rollback: what goes is no revision any more */
        {{{"a-222-x", "deploy/a", 5, true}, {"a-111-x", "deploy/a", 1, false}}, {false, false}},
        /* other workloads are others' */
        {{{"a-111-x", "deploy/a", 1, false}, {"b-222-x", "deploy/b", 9, false}}, {false, false}},
        /* pods that differ by their number alone */
        {{{"a-0", "sts/a", 1, false}, {"a-1", "sts/a", 9, false}, {"bare-1", "", 1, false}}, {false, false, false}},
        {{{"a-111-x", "deploy/a", 1, false}, {"a-111-y", "deploy/a", 9, false}}, {false, false}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        size_t count = 0;
        while (count < 5 && ROWS[i].pods[count].name)
            count++;
        struct revisions revisions = {0};
        struct fleet *fleet = fleet_of(ROWS[i].pods, count);
        for (int again = 0; again < 2; again++)
            revisions_take(&revisions, fleet);
        for (size_t n = 0; n < count; n++)
            if (revision_is_old(&revisions, fleet->pods[n]) != ROWS[i].old[n])
                fail_msg("row %zu, %s", i, ROWS[i].pods[n].name);
        revisions_free(&revisions);
        fleet_free(fleet);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts), cmocka_unit_test(sources), cmocka_unit_test(rollouts),
                                       cmocka_unit_test(endpoints), cmocka_unit_test(newest_revision)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
