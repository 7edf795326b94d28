/* TYPE/NAME arguments: reading them, and whether a pod belongs to one. */
#include "base/mem.h"
#include "kube/discover.h"

#include <string.h>
#include <strings.h>

enum { NAME_MAX_BYTES = 253, QUOTE_MAX = 80 };

/* As kubectl takes them: plural, singular or short, with the group behind a dot where one likes; case does not count. */
static const struct type_word {
    const char *word;
    enum target_kind kind;
} TYPE_WORDS[] = {
    {"pod", TARGET_POD},
    {"pods", TARGET_POD},
    {"po", TARGET_POD},
    {"deployment", TARGET_DEPLOYMENT},
    {"deployments", TARGET_DEPLOYMENT},
    {"deploy", TARGET_DEPLOYMENT},
    {"statefulset", TARGET_STATEFULSET},
    {"statefulsets", TARGET_STATEFULSET},
    {"sts", TARGET_STATEFULSET},
    {"leaderworkerset", TARGET_LWS},
    {"leaderworkersets", TARGET_LWS},
    {"lws", TARGET_LWS},
    {"inferencepool", TARGET_POOL},
    {"inferencepools", TARGET_POOL},
    {"infpool", TARGET_POOL},
    {"pool", TARGET_POOL},
};

/* The groups a type may be given with, each perhaps after a version ("deployments.v1.apps"). */
static const char *const GROUPS[] = {[TARGET_POD] = "",
                                     [TARGET_DEPLOYMENT] = "apps",
                                     [TARGET_STATEFULSET] = "apps",
                                     [TARGET_LWS] = "leaderworkerset.x-k8s.io",
                                     [TARGET_POOL] = "inference.networking."};

static bool group_fits(const char *group, enum target_kind kind)
{
    const char *rest = strchr(group, '.');
    bool versioned = group[0] == 'v' && group[1] >= '1' && group[1] <= '9';
    const char *after = versioned ? (rest != NULL ? rest + 1 : "") : group;
    /* Pools stand in two groups, of which the older one is still met. */
    return kind == TARGET_POOL ? strcasecmp(after, "inference.networking.k8s.io") == 0 ||
                                     strcasecmp(after, "inference.networking.x-k8s.io") == 0
                               : strcasecmp(after, GROUPS[kind]) == 0;
}

static bool kind_find(const char *type, size_t length, enum target_kind *kind)
{
    char word[64];
    if (length >= sizeof word)
        return false;
    memcpy(word, type, length);
    word[length] = '\0';
    char *group = strchr(word, '.');
    if (group != NULL)
        *group++ = '\0';
    for (size_t i = 0; i < sizeof TYPE_WORDS / sizeof TYPE_WORDS[0]; i++) {
        if (strcasecmp(TYPE_WORDS[i].word, word) == 0) {
            *kind = TYPE_WORDS[i].kind;
            return group == NULL || group_fits(group, *kind);
        }
    }
    return false;
}

/* RFC 1123's subdomain: lower case letters, digits, inner dashes and dots. */
static bool name_is_good(const char *name)
{
    size_t length = strlen(name);
    char before = '.';
    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        bool inner = (c == '-' && before != '.') || (c == '.' && before != '.' && before != '-');
        if (!plain && !inner)
            return false;
        before = c;
    }
    return length > 0 && length <= NAME_MAX_BYTES && before != '-' && before != '.';
}

enum status kube_target_parse(const char *argument, struct kube_target *out, struct problem *problem)
{
    const char *slash = strchr(argument, '/');
    size_t length = slash != NULL ? (size_t)(slash - argument) : 0;
    *out = (struct kube_target){0};
    if (slash == NULL || !kind_find(argument, length, &out->kind)) {
        return problem_set(problem, STATUS_BAD_INPUT,
                           "\"%.*s\": expected pod/NAME, deploy/NAME, sts/NAME, lws/NAME or pool/NAME", QUOTE_MAX,
                           argument);
    }
    if (!name_is_good(slash + 1)) {
        return problem_set(problem, STATUS_BAD_INPUT,
                           "\"%.*s\": expected a name of lower case letters, digits, dashes and dots after the slash",
                           QUOTE_MAX, argument);
    }
    out->name = mem_dup(slash + 1);
    return STATUS_OK;
}

/* ---- owners ---- */

static const char *pod_label(const struct json *pod, const char *key)
{
    return json_string(json_get(json_get(json_get(pod, "metadata"), "labels"), key));
}

/* The owner that controls it, else the first one there is; NULL: nobody. */
static const struct json *pod_owner(const struct json *pod)
{
    const struct json *first = json_first(json_get(json_get(pod, "metadata"), "ownerReferences"));
    for (const struct json *owner = first; owner != NULL; owner = json_next(owner))
        if (json_bool(json_get(owner, "controller"), false))
            return owner;
    return first;
}

/* The length of a ReplicaSet's name without its Deployment's hash; 0: it is nobody's Deployment's. */
static size_t deployment_length(const struct json *pod, const char *replica_set)
{
    const char *hash = pod_label(pod, "pod-template-hash");
    size_t length = strlen(replica_set), tail = hash != NULL ? strlen(hash) : 0;
    bool ends = tail > 0 && length > tail + 1 && replica_set[length - tail - 1] == '-' &&
                strcmp(replica_set + length - tail, hash) == 0;
    return ends ? length - tail - 1 : 0;
}

void pod_workload(const struct json *pod, struct text *out)
{
    const char *lws = pod_label(pod, "leaderworkerset.sigs.k8s.io/name");
    const struct json *owner = pod_owner(pod);
    const char *kind = json_string(json_get(owner, "kind")), *name = json_string(json_get(owner, "name"));
    text_free(out);
    if (lws != NULL) {
        /* Its pods are owned by StatefulSets that it makes: one of leaders, and one of workers for each leader. */
        text_printf(out, TEXT_NAME, "lws/%s", lws);
        return;
    }
    if (kind == NULL || name == NULL)
        return;
    size_t deployment = strcmp(kind, "ReplicaSet") == 0 ? deployment_length(pod, name) : 0;
    if (deployment > 0) {
        text_printf(out, TEXT_NAME, "deploy/%.*s", (int)deployment, name);
        return;
    }
    static const char *const SHORT[][2] = {
        {"ReplicaSet", "rs"}, {"StatefulSet", "sts"}, {"DaemonSet", "ds"}, {"Job", "job"}, {"Deployment", "deploy"}};
    for (size_t i = 0; i < sizeof SHORT / sizeof SHORT[0]; i++)
        kind = strcmp(kind, SHORT[i][0]) == 0 ? SHORT[i][1] : kind;
    text_printf(out, TEXT_NAME, "%s/%s", kind, name);
}

bool kube_target_has(const struct kube_target *target, const struct json *pod)
{
    const char *own = json_string(json_get(json_get(pod, "metadata"), "name"));
    const char *lws = pod_label(pod, "leaderworkerset.sigs.k8s.io/name");
    const struct json *owner = pod_owner(pod);
    const char *kind = json_string(json_get(owner, "kind")), *name = json_string(json_get(owner, "name"));
    size_t length = strlen(target->name);
    switch (target->kind) {
    case TARGET_POD:
        return own != NULL && strcmp(own, target->name) == 0;
    case TARGET_LWS:
        return lws != NULL && strcmp(lws, target->name) == 0;
    case TARGET_STATEFULSET:
        return kind != NULL && name != NULL && strcmp(kind, "StatefulSet") == 0 && strcmp(name, target->name) == 0;
    case TARGET_DEPLOYMENT:
        return kind != NULL && name != NULL && strcmp(kind, "ReplicaSet") == 0 &&
               deployment_length(pod, name) == length && strncmp(name, target->name, length) == 0;
    case TARGET_POOL:
        break;
    }
    return false;
}
