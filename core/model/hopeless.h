/* Whether a pod can still get on by itself, or only when somebody does something: what makes waiting for it hopeless. Pure.
 *
 * It errs on the side of waiting: an autoscaler may bring a node, a registry or a hub may come back, a Secret may be created a moment later than the pod, and a first crash may be followed by a good start. */
#ifndef PROBETOP_HOPELESS_H
#define PROBETOP_HOPELESS_H

#include "model/hints.h"

enum prospect {
    PROSPECT_OPEN,
    PROSPECT_HOPELESS,
    PROSPECT_REPLACED /* it has ended for good, but its workload makes another in its place */
};
/* hints: what pod_hints() says of it now. *why, where it is hopeless: the hint that decides, or NULL when the pod's phase alone does. */
enum prospect pod_prospect(const struct pod *pod, const struct hints *hints, int64_t now, const struct hint **why);

#endif
