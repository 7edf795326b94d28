/* kubectl as the bridge to the cluster: which program, with which flags, and the one `kubectl proxy` that carries everything (facts/kube.md 3.2). kubectl does all authentication.
 *
 * The proxy serves a unix socket in a private 0700 directory, never a TCP port, and lets through nothing but reading and port-forwarding: see kubectl_proxy_filters(). */
#ifndef PROBETOP_KUBECTL_H
#define PROBETOP_KUBECTL_H

#include "engine/child.h"

/* The flags that kubectl has, spelled and meant as there; NULL or empty: not given. Owned by whoever holds the struct (kubectl_flags_free). */
struct kubectl_flags {
    char *kubectl; /* --kubectl PATH: probetop's own */
    char *kubeconfig, *context, *cluster, *user, *as, *as_uid, *request_timeout, *ns;
    char **as_groups;
    size_t as_group_count;
};
void kubectl_flags_free(struct kubectl_flags *flags);

/* The absolute path of the kubectl to run: --kubectl, else the first in PATH. Refuses relative PATH entries, and a program that others than root and ourselves may write. */
enum status kubectl_find(const struct kubectl_flags *flags, char **out, struct problem *problem);

/* What a kubectl said on its standard error, any version from 1.20 to 1.33 and newer, matched case-insensitively by substring (facts/kube.md 3.1). */
#define KUBECTL_WORD_TABLE(X)                                                                                          \
    X(KUBECTL_OTHER, "other")                                                                                          \
    X(KUBECTL_REFUSED_IN_POD, "refused-in-pod")                                                                        \
    X(KUBECTL_RESET_IN_POD, "reset-in-pod")                                                                            \
    X(KUBECTL_SANDBOX_GONE, "sandbox-gone")                                                                            \
    X(KUBECTL_LOST_CONNECTION, "lost-connection")                                                                      \
    X(KUBECTL_POD_NOT_RUNNING, "pod-not-running")                                                                      \
    X(KUBECTL_POD_NOT_FOUND, "pod-not-found")                                                                          \
    X(KUBECTL_FORBIDDEN, "forbidden")                                                                                  \
    X(KUBECTL_UNAUTHORIZED, "unauthorized")                                                                            \
    X(KUBECTL_API_REFUSED, "api-refused")                                                                              \
    X(KUBECTL_API_TIMEOUT, "api-timeout")                                                                              \
    X(KUBECTL_NO_CONFIG, "no-config")                                                                                  \
    X(KUBECTL_NO_CONTEXT, "no-context")                                                                                \
    X(KUBECTL_PLUGIN_FAILED, "plugin-failed") /* an exec credential plugin */                                          \
    X(KUBECTL_LOCAL_PORT, "local-port")                                                                                \
    X(KUBECTL_NO_NAMED_PORT, "no-named-port")

enum kubectl_word {
#define X(id, name) id,
    KUBECTL_WORD_TABLE(X)
#undef X
        KUBECTL_WORD_COUNT
};
const char *kubectl_word_name(enum kubectl_word word);
enum kubectl_word kubectl_classify(const char *stderr_text, size_t length);

/* ---- the proxy ---- */

enum proxy_state {
    PROXY_STARTING,
    PROXY_UP,
    PROXY_DOWN /* ended or cannot start; tried again with growing pauses, 0.5 s to 30 s */
};

struct kubectl_proxy;
struct kubectl_proxy_options {
    uv_loop_t *loop;
    const struct kubectl_flags *flags; /* borrowed for the proxy's life */
    const char *kubectl;               /* absolute path; copied */
    const char *dir;                   /* private directory; the socket is DIR/k.sock (at most 107 bytes); copied */
    bool allow_post;                   /* older clusters need POST for a port-forward: see tunnel/portforward.h */
    void (*state)(void *user, enum proxy_state state, enum kubectl_word word,
                  const char *words); /* words: the child's last error line */
    void (*group)(void *group_user, pid_t group, bool alive);
    void *user, *group_user;
};
struct kubectl_proxy *kubectl_proxy_new(const struct kubectl_proxy_options *options);
const char *kubectl_proxy_socket(const struct kubectl_proxy *proxy);
/* Ends the child, removes the socket, then calls `done`; the proxy is freed after. */
void kubectl_proxy_free(struct kubectl_proxy *proxy, void (*done)(void *user), void *user);

/* The regular expressions given to --accept-paths, --reject-paths and --reject-methods. Pure, tested with POSIX regexes against what must and must not pass: GET of pods, their logs, events, namespaces' names are not needed, inferencepools, /version;
 * port-forward by GET upgrade (by POST only with allow_post); never exec, attach, eviction, binding, proxy except with podproxy, secrets, or any write. No commas within an expression: they separate. */
struct proxy_filters {
    const char *accept_paths, *reject_paths, *reject_methods;
};
struct proxy_filters kubectl_proxy_filters(bool allow_post, bool allow_podproxy);

/* Runs `kubectl config view --minify -o json` once and tells context and namespace ("default" when unset), or why not. For the title and the default namespace. `done` is called once. */
void kubectl_context(uv_loop_t *loop, const char *kubectl, const struct kubectl_flags *flags,
                     void (*done)(void *user, const char *context, const char *ns, enum kubectl_word word,
                                  const char *words),
                     void *user);

#endif
