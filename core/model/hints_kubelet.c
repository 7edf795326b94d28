/* Where the kubelet's word and what we see differ, and why that may be. A port-forward dials localhost inside of the pod, the kubelet the pod's address (facts/kube.md 3.1); events are counted up and merged, so
 * they tell what the kubelet saw and when it last did, never how often in a row (facts/kube.md 2.2). */
#include "model/hints_live.h"

void hints_of_kubelet(struct hint_maker *maker)
{
    (void)maker;
}
