#include "tui/wait_rules.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

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
    if (view->of_cluster && view->state == SOURCE_NO_CLUSTER && !view->stood)
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

/* ---- revisions ---- */

struct revision {
    const struct pod *one; /* of its pods */
    size_t length;         /* of what their names have in common: the ReplicaSet's */
    int64_t born;          /* t: of its oldest pod that is there */
};

/* "decode-7cc97c9c95" of "decode-7cc97c9c95-tt9lq"; 0: it is no Deployment's pod. */
static size_t replica_set_length(const struct pod *pod)
{
    const char *name = text_str(&pod->facts.name), *tail = strrchr(name, '-');
    bool of_deployment = strncmp(text_str(&pod->facts.workload), "deploy/", 7) == 0;
    return of_deployment && tail ? (size_t)(tail - name) : 0;
}

static bool same_workload(const struct pod *a, const struct pod *b)
{
    return text_equal(&a->facts.workload, &b->facts.workload) && text_equal(&a->facts.ns, &b->facts.ns);
}

static bool is_of(const struct revision *revision, const struct pod *pod, size_t length)
{
    return revision->length == length && same_workload(revision->one, pod) &&
           strncmp(text_str(&revision->one->facts.name), text_str(&pod->facts.name), length) == 0;
}

static struct revision *revision_find(const struct revisions *revisions, const struct pod *pod)
{
    size_t length = replica_set_length(pod);
    for (size_t i = 0; length > 0 && i < revisions->count; i++)
        if (is_of(&revisions->list[i], pod, length))
            return &revisions->list[i];
    return NULL;
}

static void revision_take(struct revisions *revisions, const struct pod *pod)
{
    struct revision *revision = revision_find(revisions, pod);
    if (revision) {
        revision->born = pod->facts.created_at < revision->born ? pod->facts.created_at : revision->born;
        return;
    }
    if (revisions->count == revisions->capacity) {
        revisions->capacity = revisions->capacity ? 2 * revisions->capacity : 8;
        revisions->list = mem_resize(revisions->list, revisions->capacity, sizeof *revisions->list);
    }
    revisions->list[revisions->count++] =
        (struct revision){.one = pod, .length = replica_set_length(pod), .born = pod->facts.created_at};
}

void revisions_take(struct revisions *revisions, const struct fleet *fleet)
{
    revisions->count = 0;
    for (uint32_t i = 0; i < fleet->count; i++) {
        const struct pod *pod = fleet->pods[i];
        bool stays = !pod->gone && !pod->facts.deleting && pod->facts.phase != PHASE_FAILED;
        if (stays && replica_set_length(pod) > 0)
            revision_take(revisions, pod);
    }
}

void revisions_free(struct revisions *revisions)
{
    mem_free(revisions->list);
    *revisions = (struct revisions){.list = NULL};
}

bool revision_is_old(const struct revisions *revisions, const struct pod *pod)
{
    const struct revision *own = revision_find(revisions, pod);
    for (size_t i = 0; own && i < revisions->count; i++)
        if (same_workload(revisions->list[i].one, pod) && revisions->list[i].born > own->born)
            return true;
    return false;
}
