/* When waiting is over: by table. */
#include "base/clock.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts), cmocka_unit_test(sources),
                                       cmocka_unit_test(endpoints)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
