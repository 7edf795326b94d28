/* What the parts of the source (source.h) share: source.c begins and ends it, watches, and tells where it stands; source_pods.c makes facts of pods and events; source_ways.c has the ways to the pods: what tunnels say, whose silence it is, which
 * rights are missing. Nobody else includes this. */
#ifndef PROBETOP_KUBE_SOURCE_WORK_H
#define PROBETOP_KUBE_SOURCE_WORK_H

#include "base/mem.h"
#include "kube/api.h"
#include "kube/logs.h"
#include "kube/nodes.h"
#include "kube/pools.h"
#include "kube/preflight.h"
#include "kube/rollouts.h"
#include "kube/source.h"
#include "tunnel/kube_tunnel.h"

/* uthash takes its memory where everybody does. */
#define uthash_malloc(size) mem_new(size)
#define uthash_free(memory, size) mem_free(memory)
#include <string.h>
#include <uthash.h>

enum {
    SOURCE_WORDS_MAX = 2048,
    ORPHANS = 64, /* events that came before their pods */
    DENIALS_MAX = 32
};

/* A right that is missing in a namespace, "" in all of them. */
struct denial {
    enum right right;
    char *ns;
};

/* A pod of the cluster that the selection brought, ours or not. */
struct entry {
    char *uid;
    uint32_t id;   /* 0: not shown */
    uint64_t seen; /* number of the object that brought it last */
    char *version; /* its resourceVersion */
    char *looks;   /* of one that is not ours: its image's name */
    char *sign;    /* of one that is ours */
    enum tunnel_word word;
    int64_t round_trip;
    bool word_told;
    char *detail, *via;
    UT_hash_handle hh;    /* by uid */
    UT_hash_handle by_id; /* those that are shown */
};

struct source {
    struct engine *engine;
    struct kube_options *options; /* owned */
    char *kubectl, *dir;
    struct kube_tunnel *tunnel;
    void (*group)(void *user, pid_t group, bool alive);
    void *group_user;

    struct http *http;
    struct api *api;
    struct kubectl_proxy *proxy;
    struct watch *pods, *events;
    struct logs *logs;
    struct pulse *pulse;
    struct nodes *nodes;
    struct preflight *preflight;
    struct pools *pools;
    struct rollouts *rollouts;
    uv_timer_t login_timer, stop_timer;
    int timers;

    char *context, *ns; /* ns: where to look; NULL: not known yet, or in all */
    bool context_pending, stopping;
    enum proxy_state proxy_state;
    enum kubectl_word word;
    char *words;
    bool no_context;
    enum api_end pods_end, events_end;
    char *pods_words;
    char *way_told;        /* the newest way other than the first that was told of; NULL: none */
    char *silent_words;    /* NULL: the API server answers */
    struct buf node_words; /* what kube_judge() said last */
    bool listed;
    struct rights_wanted rights;
    bool role_told;
    struct denial denials[DENIALS_MAX]; /* told, and not permitted since */
    size_t denial_count;
    bool tunnel_login; /* a tunnel was refused for want of good credentials */

    struct entry *entries, *shown;
    uint64_t sequence; /* of objects of pods */
    size_t ours;
    struct fact orphans[ORPHANS]; /* a ring of events */
    char *orphan_uids[ORPHANS];
    size_t orphan_next;
    enum source_state told_state;
    char *told_words;
};

/* NULL is the same as NULL. */
static inline bool is_same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* ---- source.c ---- */

/* Tells where it stands, where that has changed. */
void source_tell(struct source *source);
/* Looks for another login, as long as one is needed. */
void source_login_look(struct source *source);

/* ---- source_pods.c ---- */

/* Callbacks of watches; `user` is the source. */
void source_pod(void *user, const char *type, const struct json *object);
void source_pods_listed(void *user, size_t count);
void source_event(void *user, const char *type, const struct json *object);
/* NULL: no such pod is shown. */
struct entry *source_entry(const struct source *source, uint32_t id);
void source_pods_free(struct source *source);

/* ---- source_ways.c ---- */

void source_ways_start(struct source *source);
void source_ways_stop(struct source *source);
void source_ways_free(struct source *source);
/* How a person gets to the pod, for its facts. */
void source_set_way(const struct source *source, struct pod_facts *facts);
/* A right that is missing for one thing, while the rest goes on; told once for each namespace, until source_permitted(). */
void source_denied(void *user, enum right right, const char *refusal);
void source_permitted(struct source *source, enum right right, const char *ns);
/* source_ops.after and source_ops.judge */
void source_after(void *user, const struct fact *fact, const struct pod *pod);
bool source_judge(void *user, uint32_t id, int64_t sent, enum tunnel_word *word, const char **why);

#endif
