/* Which pods of a Deployment are of which of its versions: by their names, which are their ReplicaSets' and a few letters. Of other workloads nothing is known. */
#ifndef PROBETOP_REVISION_H
#define PROBETOP_REVISION_H

#include "model/fleet.h"

/* The revisions of Deployments that have pods now. While a newer one has pods those of the others are on their way out, well or not: nobody waits for them. Zero-initialise. */
struct revision;
struct revisions {
    struct revision *list; /* owned; its texts are the fleet's: valid until that changes */
    size_t count, capacity;
};
void revisions_take(struct revisions *revisions, const struct fleet *fleet);
void revisions_free(struct revisions *revisions);
bool revision_is_old(const struct revisions *revisions, const struct pod *pod);

/* How the version that this pod is of does beside the ones before. */
struct revision_fate {
    uint32_t pods, ever_ready; /* of its own version, itself too */
    uint32_t older_ready;      /* pods of older versions that are Ready now */
    bool newest;               /* none is of a later version; false: it is no Deployment's */
};
struct revision_fate revision_fate(const struct fleet *fleet, const struct pod *pod);

#endif
