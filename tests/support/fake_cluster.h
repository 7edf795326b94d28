/* A cluster that is not there, and this process's environment so that the program finds it: the stand-in for kubectl in PATH, the API of fake_pods.h behind it, a directory of the test's own for everything else. */
#ifndef PROBETOP_TEST_FAKE_CLUSTER_H
#define PROBETOP_TEST_FAKE_CLUSTER_H

#include "tests/support/fake_pods.h"

struct fake_cluster {
    char dir[64], socket[96]; /* the API's; KUBECONFIG names it */
    uv_loop_t loop;
    struct fake_pods *pods;
};
void fake_cluster_begin(struct fake_cluster *cluster);
void fake_cluster_end(struct fake_cluster *cluster); /* whatever runs over it has ended */

/* Processes other than this one that have this test's KUBECONFIG. `named`: whose name begins so; NULL any. Fills in the last one. */
int fake_cluster_processes(const struct fake_cluster *cluster, const char *named, pid_t *last);
/* Nothing is left of what ran: no process, no socket, no directory. */
void fake_cluster_assert_nothing_left(struct fake_cluster *cluster);
/* How often kubectl was started with this word. */
int fake_cluster_starts(const struct fake_cluster *cluster, const char *word);

#endif
