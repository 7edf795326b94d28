/* What is asked of the API so that the wanted pods come, and which of those that come are meant. Pure. */
#ifndef PROBETOP_SELECT_H
#define PROBETOP_SELECT_H

#include "base/buf.h"
#include "kube/source.h"

/* An InferencePool that was asked for: it has its pods by labels, which only the API knows. */
struct pool {
    const char *name; /* borrowed from the target */
    char **labels;    /* key, value, key, value ... */
    size_t label_count;
    bool missing;
};
/* Where pools are listed, the newest API first; -1: no more of them. Appends to `out`. */
int pool_path(const char *ns, int attempt, struct buf *out);
/* Takes the selector of an InferencePool object of any of these APIs. False when it selects nothing. */
bool pool_take(struct pool *pool, const struct json *object);
void pool_free(struct pool *pool);

/* Whether the person chose pods at all; else they are chosen by their signs. */
bool select_is_asked(const struct kube_options *options);
/* The query part for listing and watching the pods, escaped; may stay empty. */
void select_query(const struct kube_options *options, struct buf *out);
/* "/api/v1/namespaces/NS/pods", or without the namespace: of all. */
void select_collection(const char *ns, const char *resource, struct buf *out);
/* The same of another API: "/apis/apps/v1". */
void select_collection_of(const char *api, const char *ns, const char *resource, struct buf *out);
/* The query part for the one object of that name. */
void select_named(const char *name, struct buf *out);
/* Whether one of the targets has this pod; without targets every pod. pools: one for each target that is one, in their order. */
bool select_has(const struct kube_options *options, const struct pool *pools, const struct json *pod);
/* Appends the bytes as they stand in a query or in one segment of a path. */
void select_escape(const char *string, struct buf *out);

#endif
