#include "tui/wait_rules.h"

#include "base/clock.h"

/* For whoever was let in before: credentials are renewed. */
static const int64_t DENIED_US = 10 * (int64_t)SECOND_US;
/* For a cluster that has never answered: it may be starting, but there may as well be none, or no way to it from here. */
static const int64_t NEVER_SEEN_US = 120 * (int64_t)SECOND_US;

bool wait_view_is_whole(const struct wait_view *view)
{
    if (!view->of_cluster)
        return view->known >= view->expected;
    return view->state == SOURCE_WATCHING || view->state == SOURCE_NONE_FOUND;
}

/* Those that have not come yet may get there, unless none of those that have come will. */
static bool is_hopeless(const struct wait_view *view, size_t wanted)
{
    size_t usable = view->present - view->hopeless;
    return view->hopeless > 0 && (usable == 0 || (view->present >= wanted && usable < wanted));
}

enum wait_verdict wait_decide(const struct wait_view *view)
{
    size_t wanted = view->wanted > 0 ? view->wanted : view->present;
    if (view->of_cluster && view->state == SOURCE_DENIED && (!view->stood || view->state_for >= DENIED_US))
        return WAIT_IS_DENIED;
    bool only_a_person = view->state == SOURCE_NO_CLUSTER || view->state == SOURCE_REFUSED;
    if (view->of_cluster && only_a_person && !view->stood)
        return WAIT_IS_BLIND;
    if (view->of_cluster && view->state == SOURCE_LOST && !view->stood && view->state_for >= NEVER_SEEN_US)
        return WAIT_IS_BLIND;
    if (!wait_view_is_whole(view))
        return WAIT_GOES_ON;
    if (view->gone_wanted)
        return view->present == 0 ? WAIT_IS_THERE : WAIT_GOES_ON;
    if (view->there > 0 && view->there >= wanted && !view->rolls)
        return WAIT_IS_THERE;
    return is_hopeless(view, wanted) ? WAIT_IS_HOPELESS : WAIT_GOES_ON;
}

bool workload_rolls(const struct workload_facts *workload, size_t wanted)
{
    size_t updated = (size_t)workload->updated, desired = (size_t)workload->desired;
    if (wanted == 0)
        return !workload_is_rolled_out(workload);
    return !workload->observed || updated < (wanted < desired ? wanted : desired);
}
