/* kubectl as the bridge to the cluster: which program, with which flags, and the one `kubectl proxy` that carries everything (facts/kube.md 3.2). kubectl does all authentication.
 *
 * The proxy serves a unix socket in a private 0700 directory, never a TCP port, and lets through nothing but reading and port-forwarding: see kubectl_proxy_filters(). */
#ifndef PROBETOP_KUBECTL_H
#define PROBETOP_KUBECTL_H

#include "base/text.h"
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

/* The arguments of a kubectl: the program, `rest` (NULL-terminated), and the flags that say which cluster and as whom (not the namespace). NULL-terminated; free with kubectl_argv_free(). */
char **kubectl_argv(const char *kubectl, const struct kubectl_flags *flags, const char *const *rest);
void kubectl_argv_free(char **argv);

/* What a kubectl said on its standard error, any version from 1.20 to 1.33 and newer, matched case-insensitively by substring (facts/kube.md 3.1). */
#define KUBECTL_WORD_TABLE(X)                                                                                          \
    X(KUBECTL_OTHER, "other")                                                                                          \
    X(KUBECTL_REFUSED_IN_POD, "refused-in-pod")                                                                        \
    X(KUBECTL_RESET_IN_POD, "reset-in-pod")                                                                            \
    X(KUBECTL_SANDBOX_GONE, "sandbox-gone")                                                                            \
    X(KUBECTL_FORWARD_FAILED, "forward-failed") /* of one connection; nothing says that the pod did it */              \
    X(KUBECTL_LOST_CONNECTION, "lost-connection")                                                                      \
    X(KUBECTL_POD_NOT_RUNNING, "pod-not-running")                                                                      \
    X(KUBECTL_POD_NOT_FOUND, "pod-not-found")                                                                          \
    X(KUBECTL_FORBIDDEN, "forbidden")                                                                                  \
    X(KUBECTL_UNAUTHORIZED, "unauthorized")                                                                            \
    X(KUBECTL_API_REFUSED, "api-refused")                                                                              \
    X(KUBECTL_API_TIMEOUT, "api-timeout")                                                                              \
    X(KUBECTL_API_UNREACHABLE,                                                                                         \
      "api-unreachable") /* no name, no route, no trust, or no strength: nobody has answered */                        \
    X(KUBECTL_NODE_UNREACHABLE, "node-unreachable") /* the API server answers, the node's kubelet does not */          \
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
/* Lines of one child may be given together: what happened in the pod goes before the lost connection that follows from it. */
enum kubectl_word kubectl_classify(const char *stderr_text, size_t length);
/* What of a child's standard error is worth showing: the newest line that kubectl_classify() knows, else the newest that begins as an error, else the newest; without klog's prefix, printable. */
struct kubectl_words {
    struct text text;
    enum kubectl_word word;
    int rank; /* private */
};
void kubectl_words_take(struct kubectl_words *words, const char *line, size_t length);
/* Nothing that kubectl_classify() knows, no line of kubectl's log and no error: a credential plugin, or what is wrapped around kubectl, speaks to a person. */
bool kubectl_is_speech(const char *line, size_t length);
void kubectl_words_free(struct kubectl_words *words); /* leaves them empty, for the next child */

/* "kubectl proxy was ended by signal 9 (Killed)": of one that said nothing itself. what: its subcommand. Returns `out`. */
enum { KUBECTL_END_SIZE = 96 };
const char *kubectl_end_words(const char *what, int exit_code, int signal, char out[static KUBECTL_END_SIZE]);

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
    /* Older clusters need POST for a port-forward. A proxy's filters cannot join methods with paths, so that one which lets POST through serves port-forwards and nothing else: it is a second one, its socket is DIR/p.sock. */
    bool allow_post;
    bool allow_podproxy; /* --via podproxy */
    bool podproxy_alone; /* beside another that does not allow it: its socket is DIR/d.sock */
    /* words: the child's own about why, printable, "" when there is nothing to say. Once UP it is told again, still as UP, when the child complains: a credential plugin that fails is found out by the first request only.
     * STARTING and UP are also told again, with OTHER, when something speaks that is not kubectl's log: a plugin that wants a page to be opened, or a code to be entered there. */
    void (*state)(void *user, enum proxy_state state, enum kubectl_word word, const char *words);
    void (*group)(void *group_user, pid_t group, bool alive);
    void *user, *group_user;
};
struct kubectl_proxy *kubectl_proxy_new(const struct kubectl_proxy_options *options);
const char *kubectl_proxy_socket(const struct kubectl_proxy *proxy);
/* To be called now and then while the cluster does not accept the credentials, or no child will serve: where the kubeconfig has changed since the child read it, somebody has logged in again or mended it, and another
 * child takes its place without a word but UP. Otherwise nothing happens: sessions that were let in before may well go on. */
void kubectl_proxy_refresh(struct kubectl_proxy *proxy);
/* Ends the child, removes the socket, then calls `done`; the proxy is freed after. */
void kubectl_proxy_free(struct kubectl_proxy *proxy, void (*done)(void *user), void *user);

/* The regular expressions given to --accept-paths, --reject-paths and --reject-methods; a list's parts are separated by commas, so there is none within an expression. Pure, tested with POSIX regexes against what must and must not pass.
 * GET alone of pods, their logs, events, inferencepools and /version, and port-forward by GET upgrade; with allow_podproxy the pods' proxy too. With allow_post: port-forward alone, by GET and POST. Never exec, attach, eviction, binding, secrets or any write. */
struct proxy_filters {
    const char *accept_paths, *reject_paths, *reject_methods;
};
struct proxy_filters kubectl_proxy_filters(bool allow_post, bool allow_podproxy);

/* Runs `kubectl config view --minify -o json` once and tells context and namespace (flags->ns, else the context's own, else "default"); in a pod without a kubeconfig "in-cluster" and its service account's namespace. Otherwise context and ns are NULL,
 * and word and words say why. For the title and the default namespace. `done` is called once, within 10 s; its strings live as long as the call. flags must stay until then. */
void kubectl_context(uv_loop_t *loop, const char *kubectl, const struct kubectl_flags *flags,
                     void (*done)(void *user, const char *context, const char *ns, enum kubectl_word word,
                                  const char *words),
                     void *user);

#endif
