/* A real cluster as a test uses it: by kubectl, in namespaces of its own, and, where there is a way, with its parts taken away. */
#ifndef PROBETOP_TEST_CLUSTER_H
#define PROBETOP_TEST_CLUSTER_H

#include "base/buf.h"

#include <stdbool.h>

/* `dir` is everywhere the test's own directory. */

/* Whether there is one to be used: KUBECONFIG and PROBETOP_IMAGE_LOADER are set. The build with sanitizers is too slow for tests that measure moments beside a kubelet. */
bool cluster_is_there(void);
/* What the program and kubectl find: temporary files in `dir`, UTC, UTF-8; and a reader that is gone kills nobody. */
void cluster_environment(const char *dir);
/* Makes the image local/probetop-pod:1 of pod_server.c. False: that went wrong, and it is said how. */
bool cluster_has_pod_server(const char *dir);

/* kubectl's exit status; what it said goes to `out`, which may be NULL. */
int cluster_kubectl(const char *dir, struct buf *out, const char *const *arguments);
#define CLUSTER_KUBECTL(dir, out, ...) cluster_kubectl(dir, out, (const char *const[]){__VA_ARGS__, NULL})
/* It must work. */
void cluster_apply(const char *dir, const char *yaml);
void cluster_namespace(const char *dir, const char *ns);
/* With all that is in it, without waiting for that. */
void cluster_namespace_end(const char *dir, const char *ns);

/* PROBETOP_CLUSTER_CONTROL with these words ("kill apiserver"): its exit status. */
bool cluster_has_control(void);
int cluster_control(const char *dir, const char *words);
/* Starts a part that was killed; one that is still ending may hold what the next one needs, so it is started until that works. */
void cluster_start(const char *dir, const char *part);
/* Kills the API server and waits until another one answers. */
void cluster_api_restart(const char *dir);

#endif
