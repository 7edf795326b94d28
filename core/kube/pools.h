/* InferencePools that were asked for, kept in view: a pool has its pods by labels, which only the API knows and which may change. */
#ifndef PROBETOP_POOLS_H
#define PROBETOP_POOLS_H

#include "kube/api.h"
#include "kube/select.h"

struct pools;
struct pools_options {
    uv_loop_t *loop;
    struct api *api;
    const struct kube_options *options; /* its targets; borrowed */
    /* Of all of them it is known now what they select, or that they are not there; and again whenever that changes. May free nothing. */
    void (*changed)(void *user);
    void (*denied)(void *user, const char *words);
    void *user;
};
/* NULL where no pool was asked for. */
struct pools *pools_new(const struct pools_options *options);
/* From here on, in this namespace. Once. */
void pools_look(struct pools *pools, const char *ns);
void pools_retry(struct pools *pools);       /* the API answers again */
bool pools_known(const struct pools *pools); /* NULL: yes */
/* For select_has(); NULL: none. */
const struct pool *pools_list(const struct pools *pools);
/* What is wrong, as words: "there is no InferencePool x in the namespace y". Nothing is appended where all is well. */
void pools_trouble(const struct pools *pools, struct buf *out);
void pools_free(struct pools *pools);

#endif
