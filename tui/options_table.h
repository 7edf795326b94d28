/* The tables of the command line, and what its files share: options.c (judging), options_table.c (the tables, help), options_conf.c (the configuration file), options_values.c (numbers, near misses).
 * Nobody else includes this. */
#ifndef PROBETOP_OPTIONS_TABLE_H
#define PROBETOP_OPTIONS_TABLE_H

#include "base/buf.h"
#include "tui/options.h"

/* Commands as bits, to say which flags go with which. */
enum {
    FOR_WATCH = 1 << COMMAND_WATCH,
    FOR_DEMO = 1 << COMMAND_DEMO | 1 << COMMAND_DEMO_LIST,
    FOR_CHECK = 1 << COMMAND_CHECK,
    FOR_REPLAY = 1 << COMMAND_REPLAY,
    FOR_DIAGNOSE = 1 << COMMAND_DIAGNOSE,
    FOR_LINT = 1 << COMMAND_LINT,
    FOR_WAIT = 1 << COMMAND_WAIT,
    FOR_SCREEN = FOR_WATCH | FOR_DEMO | FOR_REPLAY,
    FOR_RUN = FOR_WATCH | FOR_DEMO,
    FOR_PODS = FOR_WATCH | FOR_CHECK | FOR_WAIT,
    FOR_HINTS = FOR_SCREEN | FOR_CHECK | FOR_WAIT | FOR_DIAGNOSE,
    FOR_ALL = FOR_HINTS | FOR_LINT
};

/*     id                 long name       letter  value   goes with   help */
#define FLAG_TABLE(X)                                                                                                  \
    X(FLAG_NAMESPACE, "namespace", 'n', "NAME", FOR_PODS, "look in this namespace, not in the context's own")          \
    X(FLAG_ALL_NAMESPACES, "all-namespaces", 'A', "", FOR_PODS, "look in all namespaces")                              \
    X(FLAG_SELECTOR, "selector", 'l', "LABELS", FOR_PODS, "show the pods with these labels: app=vllm,tier!=test")      \
    X(FLAG_FIELD_SELECTOR, "field-selector", '\0', "FIELDS", FOR_PODS,                                                 \
      "show the pods with these fields: spec.nodeName=gpu-7")                                                          \
    X(FLAG_CONTEXT, "context", '\0', "NAME", FOR_PODS, "use this context of the kubeconfig")                           \
    X(FLAG_CLUSTER, "cluster", '\0', "NAME", FOR_PODS, "use this cluster of the kubeconfig")                           \
    X(FLAG_USER, "user", '\0', "NAME", FOR_PODS, "use this user of the kubeconfig")                                    \
    X(FLAG_KUBECONFIG, "kubeconfig", '\0', "FILE", FOR_PODS, "use this kubeconfig")                                    \
    X(FLAG_AS, "as", '\0', "USER", FOR_PODS, "act as this user")                                                       \
    X(FLAG_AS_GROUP, "as-group", '\0', "GROUP", FOR_PODS, "act as a member of this group; may be repeated")            \
    X(FLAG_AS_UID, "as-uid", '\0', "UID", FOR_PODS, "act as this UID")                                                 \
    X(FLAG_REQUEST_TIMEOUT, "request-timeout", '\0', "TIME", FOR_PODS, "give up on a single request after this long")  \
    X(FLAG_KUBECTL, "kubectl", '\0', "FILE", FOR_PODS, "run this kubectl, not the first in PATH")                      \
    X(FLAG_VIA, "via", '\0', "TUNNEL", FOR_PODS, "auto, portforward, kubectl, podproxy or direct")                     \
    X(FLAG_CONFIG, "config", '\0', "FILE", FOR_ALL, "read this configuration file instead of your own")                \
    X(FLAG_RECORD, "record", '\0', "FILE", FOR_RUN, "also write everything that happens to FILE, for replay")          \
    X(FLAG_THEME, "theme", '\0', "NAME", FOR_SCREEN, "colours: a theme's name, or the path of a theme file")           \
    X(FLAG_ASCII, "ascii", 'U', "", FOR_ALL, "use ASCII characters only")                                              \
    X(FLAG_NO_COLOR, "no-color", '\0', "", FOR_SCREEN, "the same as --color=never")                                    \
    X(FLAG_COLOR, "color", '\0', "WHEN", FOR_SCREEN, "auto, always or never")                                          \
    X(FLAG_LINES, "lines", '\0', "", FOR_SCREEN, "line mode: a sentence per transition instead of a screen")           \
    X(FLAG_KEEP_JOURNAL, "keep-journal", '\0', "", FOR_RUN, "leave the journal of this run behind at its end")         \
    X(FLAG_LIST, "list", '\0', "", FOR_DEMO, "tell the stories in a sentence each")                                    \
    X(FLAG_SPEED, "speed", '\0', "N", FOR_DEMO | FOR_REPLAY, "let time run N times as fast")                           \
    X(FLAG_SEED, "seed", '\0', "N", FOR_DEMO, "another telling of the same story (default 1)")                         \
    X(FLAG_PODS, "pods", '\0', "N", FOR_DEMO, "how many pods the story has")                                           \
    X(FLAG_OUTPUT, "output", 'o', "FORMAT", FOR_CHECK | FOR_WAIT | FOR_DIAGNOSE | FOR_LINT,                            \
      "check: table, wide, json, jsonl; diagnose: text, json, markdown; wait, lint: text, json")                       \
    X(FLAG_FOR, "for", '\0', "WHAT", FOR_CHECK | FOR_WAIT,                                                             \
      "check: watch for this long (30s, 2m), not one probe each; wait: running, api, loaded, ready or gone")           \
    X(FLAG_TIMEOUT, "timeout", '\0', "TIME", FOR_WAIT, "give up after this long (default 30m), with exit status 124")  \
    X(FLAG_ANY, "any", '\0', "", FOR_WAIT, "one pod is enough")                                                        \
    X(FLAG_HOW_MANY, "count", '\0', "N", FOR_WAIT, "so many pods are enough, and as many must be there")               \
    X(FLAG_REPORT, "report", '\0', "WHERE", FOR_WAIT, "github: annotations; FILE.xml: also write a JUnit report")      \
    X(FLAG_POD, "pod", '\0', "FILE", FOR_DIAGNOSE,                                                                     \
      "what kubectl get pod -o json (or yaml) printed; - is standard input")                                           \
    X(FLAG_EVENTS, "events", '\0', "FILE", FOR_DIAGNOSE, "what kubectl get events (or describe) printed")              \
    X(FLAG_DESCRIBE, "describe", '\0', "FILE", FOR_DIAGNOSE, "what kubectl describe pod printed")                      \
    X(FLAG_LOGS, "logs", '\0', "FILE", FOR_DIAGNOSE, "what kubectl logs printed")                                      \
    X(FLAG_PREVIOUS, "previous", '\0', "FILE", FOR_DIAGNOSE, "what kubectl logs --previous printed")                   \
    X(FLAG_SIGNATURES, "signatures", '\0', "FILE", FOR_HINTS,                                                          \
      "your own signatures of causes, beside the built-in ones")                                                       \
    X(FLAG_HELP, "help", 'h', "", FOR_ALL, "print this, or the help of the command that is named")                     \
    X(FLAG_VERSION, "version", '\0', "", FOR_ALL, "print the version")

enum flag_id {
#define X(id, name, letter, value, commands, help) id,
    FLAG_TABLE(X)
#undef X
        FLAG_COUNT
};

struct flag {
    const char *name;
    char letter;       /* '\0': none */
    const char *value; /* what stands for its value in the help; "" when it takes none */
    int commands;
    const char *help;
};
extern const struct flag FLAGS[FLAG_COUNT];

/*     word       command         usage                                             what it does */
#define WORD_TABLE(X)                                                                                                  \
    X("demo", COMMAND_DEMO, "[STORY]", "the dashboard over a simulated fleet: no cluster, no server needed")           \
    X("check", COMMAND_CHECK, "[TYPE/NAME ... | URL ...]",                                                             \
      "probe everything once, print it; exit 1 when one is unwell")                                                    \
    X("wait", COMMAND_WAIT, "--for=STATE [TYPE/NAME ... | URL ...]",                                                   \
      "wait until the pods are running, api, loaded, ready or gone; says why when they cannot be")                     \
    X("diagnose", COMMAND_DIAGNOSE, "[--pod F] [--events F] [--describe F] [--logs F] [--previous F]",                 \
      "causes, evidence and fixes from files that kubectl wrote; exit 1 when something is wrong")                      \
    X("lint", COMMAND_LINT, "FILE ...",                                                                                \
      "what about the probes in manifests or Helm values will hurt, and what to write")                                \
    X("record", COMMAND_WATCH, "FILE [demo STORY | TYPE/NAME ... | URL ...]", "the same as --record FILE")             \
    X("replay", COMMAND_REPLAY, "[FILE]",                                                                              \
      "show a recording or a run's journal; without FILE: say which journals there are")

struct word {
    const char *name;
    enum command command;
    const char *usage, *help;
};
enum {
#define X(name, command, usage, help) +1
    WORD_COUNT = 0 WORD_TABLE(X)
#undef X
};
extern const struct word WORDS[WORD_COUNT];
const struct word *word_find(const char *name); /* NULL: no such command */

/* What getopt_long() found, before any of it is judged. Values are argv's own. */
struct found {
    bool given[FLAG_COUNT];
    const char *value[FLAG_COUNT];
    char **words;
    int word_count;
    bool is_record;         /* "record FILE" came first */
    bool wants_endpoints;   /* the file's endpoints count: a watching command without targets or flags of a cluster */
    bool has_sections;      /* and it has some */
    const char **as_groups; /* of --as-group, which alone may be repeated; owned */
    size_t as_group_count;
};

/* ---- numbers and words ---- */

bool parse_real(const char *string, double lowest, double highest, double *out);
bool parse_whole(const char *string, uint64_t lowest, uint64_t highest, uint64_t *out);
/* "30s", "2m", "1h30m", "45" (seconds); from 1 s to a day. */
bool parse_span(const char *string, int64_t *out);
bool parse_yes(const char *string, bool *out);
bool parse_colour(const char *string, enum term_colour *out);
bool is_via(const char *string);
#define VIA_EXPECTED "auto, portforward, kubectl, podproxy or direct"
void replace_string(char **slot, const char *string);

/* The nearest of the candidates seen so far, for "did you mean". */
struct nearest {
    const char *wanted, *best;
    int distance;
};
void nearest_offer(struct nearest *nearest, const char *candidate);
/* Adds `; did you mean PREFIXx?` where something was near. */
void nearest_tell(const struct nearest *nearest, const char *prefix, struct buf *out);

/* ---- files ---- */

/* Reads the configuration files that count. STATUS_BAD_INPUT: the one named on the command line cannot be read. */
enum status conf_all(struct found *found, struct options *out, struct problem *problem);
/* A theme that was asked for on the command line must exist; one from the environment or the file that does not is a problem among others. */
enum status theme_choose(const struct found *found, struct options *out, struct problem *problem);
/* The user's own signatures: a file named on the command line must exist; the usual place may be empty. */
enum status signatures_choose(const struct found *found, struct options *out, struct problem *problem);

#endif
