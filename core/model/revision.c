#include "model/revision.h"

#include "base/mem.h"

#include <string.h>

struct revision {
    const struct pod *one; /* of its pods */
    int64_t born;          /* t: of its oldest pod that is there */
};

/* Whether it stands in the API and will stay. */
static bool stays(const struct pod *pod)
{
    return !pod->gone && !pod->facts.deleting && pod->facts.phase != PHASE_FAILED;
}

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

/* Of the same workload, and of the same version of it; false: that is not known, or they are not. */
static bool same_revision(const struct pod *a, const struct pod *b)
{
    size_t length = replica_set_length(a);
    return length > 0 && replica_set_length(b) == length && same_workload(a, b) &&
           strncmp(text_str(&a->facts.name), text_str(&b->facts.name), length) == 0;
}

static struct revision *revision_find(const struct revisions *revisions, const struct pod *pod)
{
    for (size_t i = 0; i < revisions->count; i++)
        if (same_revision(revisions->list[i].one, pod))
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
    revisions->list[revisions->count++] = (struct revision){.one = pod, .born = pod->facts.created_at};
}

void revisions_take(struct revisions *revisions, const struct fleet *fleet)
{
    revisions->count = 0;
    for (uint32_t i = 0; i < fleet->count; i++) {
        const struct pod *pod = fleet->pods[i];
        if (stays(pod) && replica_set_length(pod) > 0)
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

struct revision_fate revision_fate(const struct fleet *fleet, const struct pod *pod)
{
    struct revision_fate fate = {.newest = false};
    bool known = replica_set_length(pod) > 0;
    int64_t born = pod->facts.created_at, newest_other = INT64_MIN;
    for (uint32_t i = 0; known && i < fleet->count; i++) {
        const struct pod *other = fleet->pods[i];
        if (!stays(other) || !same_workload(pod, other))
            continue;
        if (same_revision(pod, other)) {
            born = other->facts.created_at < born ? other->facts.created_at : born;
            fate.pods++;
            fate.ever_ready += other->ready_at >= 0;
        } else {
            newest_other = other->facts.created_at > newest_other ? other->facts.created_at : newest_other;
            fate.older_ready += other->stage == STAGE_READY;
        }
    }
    fate.newest = known && born > newest_other;
    return fate;
}
