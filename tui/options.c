#include "tui/options.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tunnel/kube_tunnel.h"
#include "tui/theme.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef PROBETOP_SYSCONF_DIR
#define PROBETOP_SYSCONF_DIR "/etc/probetop"
#endif

/* Commands as bits, to say which flags go with which. */
enum {
    FOR_WATCH = 1 << COMMAND_WATCH,
    FOR_DEMO = 1 << COMMAND_DEMO | 1 << COMMAND_DEMO_LIST,
    FOR_CHECK = 1 << COMMAND_CHECK,
    FOR_REPLAY = 1 << COMMAND_REPLAY,
    FOR_SCREEN = FOR_WATCH | FOR_DEMO | FOR_REPLAY,
    FOR_RUN = FOR_WATCH | FOR_DEMO,
    FOR_PODS = FOR_WATCH | FOR_CHECK,
    FOR_ALL = FOR_SCREEN | FOR_CHECK
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
    X(FLAG_OUTPUT, "output", 'o', "FORMAT", FOR_CHECK, "table, wide, json or jsonl (default table)")                   \
    X(FLAG_FOR, "for", '\0', "TIME", FOR_CHECK, "watch for this long (30s, 2m) before printing, not one probe each")   \
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
static const struct flag FLAGS[FLAG_COUNT] = {
#define X(id, name, letter, value, commands, help) [id] = {name, letter, value, commands, help},
    FLAG_TABLE(X)
#undef X
};

/*     word       command         usage                                             what it does */
#define WORD_TABLE(X)                                                                                                  \
    X("demo", COMMAND_DEMO, "[STORY]", "the dashboard over a simulated fleet: no cluster, no server needed")           \
    X("check", COMMAND_CHECK, "[TYPE/NAME ... | URL ...]",                                                             \
      "probe everything once, print it; exit 1 when one is unwell")                                                    \
    X("record", COMMAND_WATCH, "FILE [demo STORY | TYPE/NAME ... | URL ...]", "the same as --record FILE")             \
    X("replay", COMMAND_REPLAY, "[FILE]",                                                                              \
      "show a recording or a run's journal; without FILE: say which journals there are")

struct word {
    const char *name;
    enum command command;
    const char *usage, *help;
};
static const struct word WORDS[] = {
#define X(name, command, usage, help) {name, command, usage, help},
    WORD_TABLE(X)
#undef X
};
enum { WORD_COUNT = sizeof WORDS / sizeof WORDS[0] };

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

/* ---- near misses ---- */

enum { NEAREST_MAX = 32 };

/* Optimal string alignment: inserted, missing, wrong and swapped characters cost 1 each. Long words: just far away. */
static int word_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > NEAREST_MAX || b_length > NEAREST_MAX)
        return NEAREST_MAX;
    int cost[NEAREST_MAX + 1][NEAREST_MAX + 1];
    for (size_t i = 0; i <= a_length; i++)
        cost[i][0] = (int)i;
    for (size_t j = 0; j <= b_length; j++)
        cost[0][j] = (int)j;
    for (size_t i = 1; i <= a_length; i++) {
        for (size_t j = 1; j <= b_length; j++) {
            int best = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (cost[i - 1][j] + 1 < best)
                best = cost[i - 1][j] + 1;
            if (cost[i][j - 1] + 1 < best)
                best = cost[i][j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && cost[i - 2][j - 2] + 1 < best)
                best = cost[i - 2][j - 2] + 1;
            cost[i][j] = best;
        }
    }
    return cost[a_length][b_length];
}

/* The nearest of the candidates seen so far. */
struct nearest {
    const char *wanted, *best;
    int distance;
};

static void nearest_offer(struct nearest *nearest, const char *candidate)
{
    int distance = word_distance(nearest->wanted, candidate);
    int most = strlen(nearest->wanted) < 4 ? 1 : 2;
    if (distance <= most && (!nearest->best || distance < nearest->distance)) {
        nearest->best = candidate;
        nearest->distance = distance;
    }
}

/* Adds `; did you mean PREFIXx?` where something was near. */
static void nearest_tell(const struct nearest *nearest, const char *prefix, struct buf *out)
{
    if (nearest->best)
        buf_printf(out, "; did you mean %s%s?", prefix, nearest->best);
}

/* ---- numbers and words ---- */

static bool parse_real(const char *string, double lowest, double highest, double *out)
{
    char *end = NULL;
    double value = strtod(string, &end);
    if (end == string || *end != '\0' || !isfinite(value) || value < lowest || value > highest)
        return false;
    *out = value;
    return true;
}

static bool parse_whole(const char *string, uint64_t lowest, uint64_t highest, uint64_t *out)
{
    uint64_t value = 0;
    if (string[0] == '\0')
        return false;
    for (const char *c = string; *c; c++) {
        if (*c < '0' || *c > '9' || value > (UINT64_MAX - 9) / 10)
            return false;
        value = value * 10 + (uint64_t)(*c - '0');
    }
    if (value < lowest || value > highest)
        return false;
    *out = value;
    return true;
}

/* "30s", "2m", "1h30m", "45" (seconds); from 1 s to a day. */
static bool parse_span(const char *string, int64_t *out)
{
    int64_t total = 0;
    const char *c = string;
    while (*c) {
        int64_t value = 0, unit = 1;
        if (*c < '0' || *c > '9')
            return false;
        for (; *c >= '0' && *c <= '9'; c++) {
            value = value * 10 + (*c - '0');
            if (value > 86400)
                return false;
        }
        if (*c == 'h')
            unit = 3600;
        else if (*c == 'm')
            unit = 60;
        else if (*c != 's' && *c != '\0')
            return false;
        if (*c)
            c++;
        total += value * unit;
    }
    if (total < 1 || total > 86400)
        return false;
    *out = total * SECOND_US;
    return true;
}

static bool parse_yes(const char *string, bool *out)
{
    static const char *const YES[] = {"yes", "true", "on", "1"}, *const NO[] = {"no", "false", "off", "0"};
    for (size_t i = 0; i < sizeof YES / sizeof YES[0]; i++) {
        if (strcmp(string, YES[i]) == 0 || strcmp(string, NO[i]) == 0) {
            *out = strcmp(string, YES[i]) == 0;
            return true;
        }
    }
    return false;
}

static bool parse_colour(const char *string, enum term_colour *out)
{
    static const char *const NAMES[] = {
        [TERM_COLOUR_AUTO] = "auto", [TERM_COLOUR_ALWAYS] = "always", [TERM_COLOUR_NEVER] = "never"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (strcmp(string, NAMES[i]) == 0) {
            *out = (enum term_colour)i;
            return true;
        }
    }
    return false;
}

static void replace_string(char **slot, const char *string)
{
    char *copy = mem_dup(string);
    mem_free(*slot);
    *slot = copy;
}

static bool is_via(const char *string)
{
    enum via via;
    return via_from_name(string, &via);
}
#define VIA_EXPECTED "auto, portforward, kubectl, podproxy or direct"

/* ---- flags ---- */

enum { FLAG_CODE = 256 }; /* getopt's codes of long flags begin here */

static enum flag_id flag_of_code(int code)
{
    if (code >= FLAG_CODE && code < FLAG_CODE + FLAG_COUNT)
        return (enum flag_id)(code - FLAG_CODE);
    for (int id = 0; id < FLAG_COUNT; id++)
        if (code != '\0' && FLAGS[id].letter == code)
            return (enum flag_id)id;
    return FLAG_COUNT;
}

static enum status flag_unknown(const char *written, struct problem *problem)
{
    struct buf name, words;
    buf_init(&name, 128);
    buf_init(&words, PROBLEM_MAX);
    buf_append(&name, written, strcspn(written, "="));
    struct nearest nearest = {.wanted = buf_str(&name) + 2};
    for (int id = 0; id < FLAG_COUNT; id++)
        nearest_offer(&nearest, FLAGS[id].name);
    nearest_tell(&nearest, "--", &words);
    if (!nearest.best)
        buf_puts(&words, "; probetop --help lists them");
    enum status status = problem_set(problem, STATUS_BAD_INPUT, "unknown flag %s%s", buf_str(&name), buf_str(&words));
    buf_free(&words);
    buf_free(&name);
    return status;
}

/* getopt_long() said '?' or ':'. */
static enum status flag_refuse(int answer, char **argv, struct problem *problem)
{
    enum flag_id id = flag_of_code(optopt);
    if (answer == ':' && id != FLAG_COUNT)
        return problem_set(problem, STATUS_BAD_INPUT, "--%s needs a value: --%s=%s, %s", FLAGS[id].name, FLAGS[id].name,
                           FLAGS[id].value, FLAGS[id].help);
    if (id != FLAG_COUNT && optopt >= FLAG_CODE)
        return problem_set(problem, STATUS_BAD_INPUT, "--%s takes no value", FLAGS[id].name);
    if (optopt != 0)
        return problem_set(problem, STATUS_BAD_INPUT, "unknown flag -%c; probetop --help lists them", optopt);
    return flag_unknown(argv[optind - 1], problem);
}

static enum status flags_find(int argc, char **argv, struct found *found, struct problem *problem)
{
    struct option table[FLAG_COUNT + 1] = {{NULL, 0, NULL, 0}};
    char letters[2 * FLAG_COUNT + 2] = ":";
    size_t length = 1;
    for (int id = 0; id < FLAG_COUNT; id++) {
        bool has_value = FLAGS[id].value[0] != '\0';
        table[id] = (struct option){FLAGS[id].name, has_value ? required_argument : no_argument, NULL, FLAG_CODE + id};
        if (FLAGS[id].letter) {
            letters[length++] = FLAGS[id].letter;
            if (has_value)
                letters[length++] = ':';
        }
    }
    letters[length] = '\0';
    optind = 0; /* begin anew, also for a second command line in one process */
    opterr = 0;
    int answer;
    while ((answer = getopt_long(argc, argv, letters, table, NULL)) != -1) {
        bool wants_words = found->given[FLAG_HELP] || found->given[FLAG_VERSION];
        if (answer == '?' || answer == ':') {
            if (wants_words)
                continue; /* what comes after --help cannot spoil it */
            return flag_refuse(answer, argv, problem);
        }
        enum flag_id id = flag_of_code(answer);
        found->given[id] = true;
        found->value[id] = optarg;
        if (id == FLAG_AS_GROUP) {
            found->as_groups = mem_resize(found->as_groups, found->as_group_count + 1, sizeof *found->as_groups);
            found->as_groups[found->as_group_count++] = optarg;
        }
    }
    found->words = argv + optind;
    found->word_count = argc - optind;
    return STATUS_OK;
}

/* A flag that does nothing for this command was meant for another one. */
static enum status flags_fit(const struct found *found, enum command command, struct problem *problem)
{
    for (int id = 0; id < FLAG_COUNT; id++) {
        if (!found->given[id] || FLAGS[id].commands & 1 << command)
            continue;
        const char *fits = "the dashboard";
        for (int i = WORD_COUNT - 1; i >= 0 && !(FLAGS[id].commands & FOR_WATCH); i--)
            if (FLAGS[id].commands & 1 << WORDS[i].command)
                fits = WORDS[i].name;
        return problem_set(problem, STATUS_BAD_INPUT, "--%s does nothing here; it goes with %s%s", FLAGS[id].name,
                           strcmp(fits, "the dashboard") == 0 ? "" : "probetop ", fits);
    }
    return STATUS_OK;
}

static enum status flag_bad(enum flag_id id, const char *value, const char *expected, struct problem *problem)
{
    return problem_set(problem, STATUS_BAD_INPUT, "--%s=%s: expected %s", FLAGS[id].name, value, expected);
}

static enum status flags_numbers(const struct found *found, struct options *out, struct problem *problem)
{
    uint64_t whole = 0;
    const char *value = found->value[FLAG_SPEED];
    if (found->given[FLAG_SPEED] && !parse_real(value, 0.125, 1024, &out->speed))
        return flag_bad(FLAG_SPEED, value, "a number from 0.125 to 1024", problem);
    value = found->value[FLAG_SEED];
    if (found->given[FLAG_SEED] && !parse_whole(value, 0, UINT64_MAX / 16, &out->sim.seed))
        return flag_bad(FLAG_SEED, value, "a whole number", problem);
    value = found->value[FLAG_PODS];
    if (found->given[FLAG_PODS]) {
        if (!parse_whole(value, 1, 2000, &whole))
            return flag_bad(FLAG_PODS, value, "a whole number from 1 to 2000", problem);
        out->sim.pods = (int32_t)whole;
    }
    value = found->value[FLAG_FOR];
    if (found->given[FLAG_FOR] && !parse_span(value, &out->check_for_us))
        return flag_bad(FLAG_FOR, value, "a time from 1s to 24h such as 30s, 2m or 1h30m", problem);
    value = found->value[FLAG_OUTPUT];
    if (found->given[FLAG_OUTPUT] && !report_format_from_name(value, &out->format))
        return flag_bad(FLAG_OUTPUT, value, "table, wide, json or jsonl", problem);
    return STATUS_OK;
}

/* ---- the cluster ---- */

/* The first flag that is about a cluster; FLAG_COUNT: none is given. */
static enum flag_id flag_of_cluster(const struct found *found)
{
    for (int id = FLAG_NAMESPACE; id <= FLAG_VIA; id++)
        if (found->given[id])
            return (enum flag_id)id;
    return FLAG_COUNT;
}

/* kubectl's own rules for what goes together, and one kind of target at a time. */
static enum status cluster_fits(const struct found *found, const struct options *out, struct problem *problem)
{
    const struct kube_options *kube = &out->kube;
    enum flag_id flag = flag_of_cluster(found);
    bool by_label = found->given[FLAG_SELECTOR] || found->given[FLAG_FIELD_SELECTOR];
    if (out->endpoints.count > 0 && kube->target_count > 0)
        return problem_set(problem, STATUS_BAD_INPUT,
                           "servers given by URL and pods of a cluster do not go together: \"%s\" and a target such as "
                           "pod/%s. Run probetop once for each",
                           out->endpoints.list[0].name, kube->targets[0].name);
    if (out->endpoints.count > 0 && flag != FLAG_COUNT)
        return problem_set(problem, STATUS_BAD_INPUT,
                           "--%s is about a cluster and does not go with a server given by URL, \"%s\"",
                           FLAGS[flag].name, out->endpoints.list[0].name);
    if (kube->target_count > 0 && by_label)
        return problem_set(problem, STATUS_BAD_INPUT,
                           "--%s chooses pods by itself and does not go with a target by name",
                           FLAGS[found->given[FLAG_SELECTOR] ? FLAG_SELECTOR : FLAG_FIELD_SELECTOR].name);
    if (kube->target_count > 0 && found->given[FLAG_ALL_NAMESPACES])
        return problem_set(problem, STATUS_BAD_INPUT,
                           "--all-namespaces does not go with a target by name, which is one namespace's; expected "
                           "--namespace=NAME");
    if (found->given[FLAG_VIA] && !is_via(found->value[FLAG_VIA]))
        return flag_bad(FLAG_VIA, found->value[FLAG_VIA], VIA_EXPECTED, problem);
    return STATUS_OK;
}

/* As in kubectl an empty value is as good as none, and --all-namespaces wins over --namespace. */
static void cluster_flags(const struct found *found, struct options *out)
{
    struct kube_options *kube = &out->kube;
    const struct {
        enum flag_id id;
        char **where;
    } ROWS[] = {
        {FLAG_NAMESPACE, &kube->flags.ns},
        {FLAG_SELECTOR, &kube->selector},
        {FLAG_FIELD_SELECTOR, &kube->field_selector},
        {FLAG_CONTEXT, &kube->flags.context},
        {FLAG_CLUSTER, &kube->flags.cluster},
        {FLAG_USER, &kube->flags.user},
        {FLAG_KUBECONFIG, &kube->flags.kubeconfig},
        {FLAG_AS, &kube->flags.as},
        {FLAG_AS_UID, &kube->flags.as_uid},
        {FLAG_REQUEST_TIMEOUT, &kube->flags.request_timeout},
        {FLAG_KUBECTL, &kube->flags.kubectl},
        {FLAG_VIA, &kube->via},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const char *value = found->value[ROWS[i].id];
        if (value && value[0] != '\0')
            replace_string(ROWS[i].where, value);
    }
    kube->all_namespaces = found->given[FLAG_ALL_NAMESPACES];
    kube->flags.as_groups = mem_array(found->as_group_count, sizeof *kube->flags.as_groups);
    for (size_t i = 0; i < found->as_group_count; i++)
        if (found->as_groups[i][0] != '\0')
            kube->flags.as_groups[kube->flags.as_group_count++] = mem_dup(found->as_groups[i]);
    if (!kube->via)
        kube->via = mem_dup("auto");
}

/* Flags over environment over file. NO_COLOR asks for no colour wherever nobody asked for some (no-color.org). */
static enum status flags_looks(const struct found *found, struct options *out, struct problem *problem)
{
    const char *no_color = getenv("NO_COLOR");
    if (found->given[FLAG_COLOR] && !parse_colour(found->value[FLAG_COLOR], &out->colour))
        return flag_bad(FLAG_COLOR, found->value[FLAG_COLOR], "auto, always or never", problem);
    if (out->colour == TERM_COLOUR_AUTO && no_color && no_color[0] != '\0')
        out->colour = TERM_COLOUR_NEVER;
    if (found->given[FLAG_NO_COLOR])
        out->colour = TERM_COLOUR_NEVER;
    if (found->given[FLAG_ASCII])
        out->ascii = out->ascii_given = true;
    out->lines = found->given[FLAG_LINES];
    out->keep_journal = found->given[FLAG_KEEP_JOURNAL];
    return STATUS_OK;
}

static enum status theme_unknown(const char *name, const char *themes_dir, struct problem *problem)
{
    struct buf words;
    struct nearest nearest = {.wanted = name};
    buf_init(&words, PROBLEM_MAX);
    char **names = theme_names(themes_dir);
    for (char **n = names; *n; n++)
        nearest_offer(&nearest, *n);
    nearest_tell(&nearest, "", &words);
    buf_puts(&words, nearest.best ? " There are: " : "; expected the path of a theme file, or one of: ");
    for (char **n = names; *n; n++) {
        buf_printf(&words, "%s%s", n == names ? "" : ", ", *n);
    }
    enum status status = problem_set(problem, STATUS_BAD_INPUT, "unknown theme \"%s\"%s", name, buf_str(&words));
    for (char **n = names; *n; n++)
        mem_free(*n);
    mem_free(names);
    buf_free(&words);
    return status;
}

static bool theme_exists(const char *name)
{
    struct theme theme;
    struct conf_problems later = {NULL, 0}; /* what is wrong inside of it is told when it is chosen */
    enum status status = theme_load(name, options_themes_dir(), &theme, &later);
    conf_problems_free(&later);
    return status != STATUS_NOT_FOUND;
}

/* A theme that was asked for on the command line must exist; one from the environment or the file that does not is a problem among others. */
static enum status theme_choose(const struct found *found, struct options *out, struct problem *problem)
{
    struct theme theme;
    const char *environment = getenv("PROBETOP_THEME");
    if (found->given[FLAG_THEME])
        replace_string(&out->theme, found->value[FLAG_THEME]);
    else if (environment && environment[0] != '\0')
        replace_string(&out->theme, environment);
    if (!out->theme || theme_load(out->theme, options_themes_dir(), &theme, &out->problems) != STATUS_NOT_FOUND)
        return STATUS_OK;
    struct problem words = {""};
    theme_unknown(out->theme, options_themes_dir(), &words);
    replace_string(&out->theme, NULL);
    if (found->given[FLAG_THEME])
        return problem_set(problem, STATUS_BAD_INPUT, "%s", words.text);
    conf_problems_add(&out->problems, "%s", words.text);
    return STATUS_OK;
}

const char *options_themes_dir(void)
{
    const char *dir = getenv("PROBETOP_THEMES");
    return dir && dir[0] == '/' ? dir : NULL;
}

/* ---- words ---- */

static bool is_target(const char *word)
{
    return strpbrk(word, ":/=") != NULL;
}

static const struct word *word_find(const char *name)
{
    for (size_t i = 0; i < WORD_COUNT; i++)
        if (strcmp(WORDS[i].name, name) == 0)
            return &WORDS[i];
    return NULL;
}

static enum status word_unknown(const char *written, struct problem *problem)
{
    struct nearest nearest = {.wanted = written};
    struct buf words;
    buf_init(&words, PROBLEM_MAX);
    for (size_t i = 0; i < WORD_COUNT; i++)
        nearest_offer(&nearest, WORDS[i].name);
    nearest_tell(&nearest, "", &words);
    buf_puts(&words, nearest.best ? " Expected" : "; expected");
    buf_puts(&words, " demo, check, record, replay, or a target such as pod/NAME or http://127.0.0.1:8000");
    enum status status = problem_set(problem, STATUS_BAD_INPUT, "unknown command \"%s\"%s", written, buf_str(&words));
    buf_free(&words);
    return status;
}

static enum status words_too_many(const struct found *found, int most, struct problem *problem)
{
    return problem_set(problem, STATUS_BAD_INPUT, "\"%s\" is one argument too many", found->words[most]);
}

static void words_drop(struct found *found)
{
    found->words++;
    found->word_count--;
}

/* Takes the commands off the front of the words and says which one it is. */
static enum status words_command(struct found *found, struct options *out, struct problem *problem)
{
    const struct word *word = found->word_count > 0 ? word_find(found->words[0]) : NULL;
    out->command = COMMAND_WATCH;
    if (word && strcmp(word->name, "record") == 0) {
        out->help_topic = word->name;
        if (found->word_count < 2 && !found->given[FLAG_HELP])
            return problem_set(problem, STATUS_BAD_INPUT, "record needs the name of a file to write: %s %s", "record",
                               word->usage);
        words_drop(found);
        if (found->given[FLAG_HELP])
            return STATUS_OK;
        replace_string(&out->record_path, found->words[0]);
        found->is_record = true;
        words_drop(found);
        word = found->word_count > 0 ? word_find(found->words[0]) : NULL;
        if (word && word->command != COMMAND_DEMO)
            return problem_set(problem, STATUS_BAD_INPUT, "record goes with demo or with targets, not with %s",
                               word->name);
    }
    if (word) {
        out->command = word->command;
        out->help_topic = word->name;
        words_drop(found);
    } else if (found->word_count > 0 && !is_target(found->words[0])) {
        return word_unknown(found->words[0], problem);
    }
    return STATUS_OK;
}

static enum status story_unknown(const char *name, struct problem *problem)
{
    size_t count = 0;
    const struct sim_story *stories = sim_stories(&count);
    struct nearest nearest = {.wanted = name};
    struct buf words;
    buf_init(&words, PROBLEM_MAX);
    for (size_t i = 0; i < count; i++)
        nearest_offer(&nearest, stories[i].name);
    nearest_tell(&nearest, "", &words);
    buf_puts(&words, nearest.best ? " The stories are" : "; the stories are");
    for (size_t i = 0; i < count; i++)
        buf_printf(&words, "%s %s", i == 0 ? "" : ",", stories[i].name);
    enum status status = problem_set(problem, STATUS_BAD_INPUT, "unknown story \"%s\"%s", name, buf_str(&words));
    buf_free(&words);
    return status;
}

static enum status words_demo(const struct found *found, struct options *out, struct problem *problem)
{
    size_t count = 0;
    if (found->word_count > 1)
        return words_too_many(found, 1, problem);
    if (found->given[FLAG_LIST]) {
        out->command = COMMAND_DEMO_LIST;
        return STATUS_OK;
    }
    out->sim.seed = 1;
    out->sim.story = found->word_count == 1 ? sim_story_find(found->words[0]) : sim_story_find("rollout");
    if (!out->sim.story && found->word_count == 1)
        return story_unknown(found->words[0], problem);
    if (!out->sim.story)
        out->sim.story = &sim_stories(&count)[0];
    return STATUS_OK;
}

static enum status words_replay(const struct found *found, struct options *out, struct problem *problem)
{
    if (found->word_count > 1)
        return words_too_many(found, 1, problem);
    if (found->word_count == 1)
        replace_string(&out->replay_path, found->words[0]);
    out->speed = 1;
    return STATUS_OK;
}

/* TYPE/NAME, which no URL and no NAME=URL looks like. */
static bool is_kube_target(const char *word)
{
    const char *slash = strchr(word, '/');
    return slash && slash != word && !strpbrk(word, ":=");
}

static enum status words_kube_target(struct kube_options *kube, const char *word, struct problem *problem)
{
    struct kube_target target;
    enum status status = kube_target_parse(word, &target, problem);
    if (status != STATUS_OK)
        return status;
    kube->targets = mem_resize(kube->targets, kube->target_count + 1, sizeof *kube->targets);
    kube->targets[kube->target_count++] = target;
    return STATUS_OK;
}

static enum status words_rest(struct found *found, struct options *out, struct problem *problem)
{
    if (out->command == COMMAND_DEMO)
        return words_demo(found, out, problem);
    if (out->command == COMMAND_REPLAY)
        return words_replay(found, out, problem);
    for (int i = 0; i < found->word_count; i++) {
        const char *word = found->words[i];
        enum status status = is_kube_target(word) ? words_kube_target(&out->kube, word, problem)
                                                  : endpoints_add_argument(&out->endpoints, word, problem);
        if (status != STATUS_OK)
            return status;
    }
    found->wants_endpoints = found->word_count == 0 && flag_of_cluster(found) == FLAG_COUNT;
    return cluster_fits(found, out, problem);
}

/* ---- the configuration file ---- */

struct reading {
    struct options *out;
    struct found *found;
};

static enum status setting_bad(const char *key, const char *value, const char *expected, struct problem *problem)
{
    return problem_set(problem, STATUS_BAD_INPUT, "%s = %s: expected %s", key, value, expected);
}

/* The configuration names a directory, since one file could be recorded to only once: each run gets a file of its own in it. */
static void setting_record(struct options *out, const char *dir)
{
    struct clock clock;
    struct buf path;
    char moment[32];
    clock_start(&clock, 1);
    clock_format(clock.wall_zero, CLOCK_ISO_UTC, moment, sizeof moment);
    for (char *c = moment; *c; c++)
        if (*c == ':')
            *c = '-';
    buf_init(&path, 4096);
    buf_printf(&path, "%s/probetop-%s-%ld.jsonl", dir, moment, (long)getpid());
    replace_string(&out->record_path, buf_str(&path));
    buf_free(&path);
}

static enum status setting_line(struct options *out, const char *key, const char *value, struct problem *problem)
{
    if (strcmp(key, "theme") == 0) {
        if (!theme_exists(value))
            return theme_unknown(value, options_themes_dir(), problem);
        replace_string(&out->theme, value);
        return STATUS_OK;
    }
    if (strcmp(key, "ascii") == 0) {
        out->ascii_given = parse_yes(value, &out->ascii);
        return out->ascii_given ? STATUS_OK : setting_bad(key, value, "yes or no", problem);
    }
    if (strcmp(key, "color") == 0)
        return parse_colour(value, &out->colour) ? STATUS_OK
                                                 : setting_bad(key, value, "auto, always or never", problem);
    if (strcmp(key, "record") == 0) {
        if (value[0] != '/')
            return setting_bad(key, value, "the absolute path of a directory", problem);
        setting_record(out, value);
        return STATUS_OK;
    }
    if (strcmp(key, "namespace") == 0 || strcmp(key, "context") == 0) {
        if (value[0] == '\0')
            return setting_bad(key, value, "a name", problem);
        replace_string(key[0] == 'n' ? &out->kube.flags.ns : &out->kube.flags.context, value);
        return STATUS_OK;
    }
    if (strcmp(key, "via") == 0) {
        if (!is_via(value))
            return setting_bad(key, value, VIA_EXPECTED, problem);
        replace_string(&out->kube.via, value);
        return STATUS_OK;
    }
    return problem_set(problem, STATUS_BAD_INPUT,
                       "unknown key \"%s\"; expected theme, ascii, color, record, namespace, context or via", key);
}

static enum status conf_line(void *user, const char *section, const char *key, const char *value, int line,
                             struct problem *problem)
{
    struct reading *reading = user;
    (void)line;
    if (strcmp(section, "probetop") == 0)
        return setting_line(reading->out, key, value, problem);
    if (strcmp(section, "keys") == 0)
        return keymap_bind(&reading->out->keymap, key, value, problem);
    if (strncmp(section, "endpoint ", 9) == 0) {
        if (!reading->found->wants_endpoints)
            return STATUS_OK;
        reading->found->has_sections = true;
        return endpoints_conf_line(&reading->out->endpoints, section, key, value, problem);
    }
    if (section[0] == '\0')
        return problem_set(problem, STATUS_BAD_INPUT, "\"%s\" stands before any section; expected [probetop] first",
                           key);
    return problem_set(problem, STATUS_BAD_INPUT,
                       "unknown section [%s]; expected [probetop], [keys] or [endpoint NAME]", section);
}

static enum status conf_file(const char *path, struct found *found, struct options *out)
{
    struct reading reading = {out, found};
    enum status status = conf_read(path, conf_line, &reading, &out->problems);
    if (status == STATUS_OK && found->wants_endpoints)
        endpoints_check(&out->endpoints, path, &out->problems);
    return status;
}

/* $XDG_CONFIG_HOME/probetop/probetop.conf; a relative XDG path is ignored, as its specification says. False: there is no such place. */
static bool conf_own_path(struct buf *path)
{
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (base && base[0] == '/')
        return buf_printf(path, "%s/probetop/probetop.conf", base);
    return home && home[0] == '/' && buf_printf(path, "%s/.config/probetop/probetop.conf", home);
}

static enum status conf_all(struct found *found, struct options *out, struct problem *problem)
{
    const char *environment = getenv("PROBETOP_CONFIG");
    enum status status = STATUS_OK;
    struct buf path;
    buf_init(&path, 4096);
    conf_file(PROBETOP_SYSCONF_DIR "/probetop.conf", found, out);
    if (found->given[FLAG_CONFIG]) {
        if (conf_file(found->value[FLAG_CONFIG], found, out) != STATUS_OK) {
            const char *why = out->problems.count > 0 ? "cannot be read" : "is not there";
            status =
                problem_set(problem, STATUS_BAD_INPUT, "the configuration file %s %s", found->value[FLAG_CONFIG], why);
        }
    } else if (environment && environment[0] != '\0') {
        if (conf_file(environment, found, out) == STATUS_NOT_FOUND)
            conf_problems_add(&out->problems, "PROBETOP_CONFIG names %s, which is not there", environment);
    } else if (conf_own_path(&path)) {
        conf_file(buf_str(&path), found, out);
    }
    buf_free(&path);
    return status;
}

/* ---- all of it ---- */

static enum status record_choose(const struct found *found, struct options *out, struct problem *problem)
{
    if (found->is_record && found->given[FLAG_RECORD])
        return problem_set(problem, STATUS_BAD_INPUT, "record FILE and --record say the same thing twice");
    if (found->given[FLAG_RECORD])
        replace_string(&out->record_path, found->value[FLAG_RECORD]);
    return STATUS_OK;
}

static enum status options_judge(struct found *found, struct options *out, struct problem *problem)
{
    enum status status = words_rest(found, out, problem);
    if (status == STATUS_OK)
        status = flags_fit(found, out->command, problem);
    if (status == STATUS_OK)
        status = flags_numbers(found, out, problem);
    if (status != STATUS_OK || out->command == COMMAND_DEMO_LIST)
        return status;
    char *record_word = out->record_path; /* "record FILE" wins over the configuration */
    out->record_path = NULL;
    status = conf_all(found, out, problem);
    if (record_word) {
        mem_free(out->record_path);
        out->record_path = record_word;
    }
    if (status == STATUS_OK)
        status = record_choose(found, out, problem);
    if (status == STATUS_OK)
        status = flags_looks(found, out, problem);
    if (status == STATUS_OK)
        status = theme_choose(found, out, problem);
    if (status == STATUS_OK && found->has_sections && out->endpoints.count == 0)
        status =
            problem_set(problem, STATUS_BAD_INPUT, "no [endpoint NAME] section of the configuration can be used: %s",
                        out->problems.count > 0 ? out->problems.list[0].text : "they are empty");
    cluster_flags(found, out);
    out->use_kube = FOR_PODS & 1 << out->command && out->endpoints.count == 0;
    return status;
}

enum status options_parse(int argc, char **argv, struct options *out, struct problem *problem)
{
    struct found found = {.words = NULL};
    memset(out, 0, sizeof *out);
    keymap_default(&out->keymap);
    enum status status = flags_find(argc, argv, &found, problem);
    if (status == STATUS_OK && found.given[FLAG_VERSION]) {
        out->command = COMMAND_VERSION;
    } else if (status == STATUS_OK) {
        status = words_command(&found, out, problem);
        if (found.given[FLAG_HELP]) {
            out->command = COMMAND_HELP;
            status = STATUS_OK;
        } else if (status == STATUS_OK) {
            status = options_judge(&found, out, problem);
        }
    }
    mem_free(found.as_groups);
    return status;
}

void options_free(struct options *options)
{
    endpoints_free(&options->endpoints);
    kube_options_free(&options->kube);
    mem_free(options->record_path);
    mem_free(options->replay_path);
    mem_free(options->theme);
    conf_problems_free(&options->problems);
    memset(options, 0, sizeof *options);
}

/* ---- help ---- */

static void help_flag(enum flag_id id, struct buf *out)
{
    const struct flag *flag = &FLAGS[id];
    char letter[8] = "    ";
    struct buf name;
    if (flag->letter) {
        letter[0] = '-';
        letter[1] = flag->letter;
        letter[2] = ',';
    }
    buf_init(&name, 64);
    buf_printf(&name, "--%s%s%s", flag->name, flag->value[0] ? "=" : "", flag->value);
    buf_printf(out, "  %s%-23s  %s\n", letter, buf_str(&name), flag->help);
    buf_free(&name);
}

static void help_flags(int commands, struct buf *out)
{
    buf_puts(out, "\nFlags (anywhere on the line; -- ends them):\n");
    for (int id = 0; id < FLAG_COUNT; id++)
        if (FLAGS[id].commands & commands)
            help_flag((enum flag_id)id, out);
}

static void help_general(struct buf *out)
{
    buf_puts(out, "Usage: probetop [FLAGS] [TYPE/NAME ... | NAME=URL | URL ...]\n"
                  "Probes vLLM and llm-d pods as the kubelet does and shows live where each one stands, what\n"
                  "happens next, why, and what to do. Without a target: the pods of the present context and\n"
                  "namespace that look like vLLM's or llm-d's. TYPE is pod, deploy, sts, lws or pool.\n\nCommands:\n");
    for (size_t i = 0; i < WORD_COUNT; i++)
        buf_printf(out, "  probetop %s %s\n      %s\n", WORDS[i].name, WORDS[i].usage, WORDS[i].help);
    help_flags(FOR_ALL, out);
    buf_puts(out,
             "\nExamples:\n"
             "  probetop\n"
             "  probetop -n llm-d -l llm-d.ai/role=decode\n"
             "  probetop --context prod deploy/decode sts/prefill\n"
             "  probetop demo\n"
             "  probetop http://127.0.0.1:8000 decode-0=http://10.0.0.7:8200\n"
             "  probetop check -o json http://127.0.0.1:8000\n"
             "  probetop record /tmp/incident.jsonl http://127.0.0.1:8000\n"
             "  probetop replay /tmp/incident.jsonl\n"
             "\nWithout a terminal it runs in line mode by itself. Inside, ? explains keys, signs and words.\n"
             "\nFiles: " PROBETOP_SYSCONF_DIR
             "/probetop.conf, then $XDG_CONFIG_HOME/probetop/probetop.conf (~/.config).\n"
             "Environment: PROBETOP_CONFIG, PROBETOP_THEME, PROBETOP_THEMES, KUBECONFIG, NO_COLOR, TERM, LC_ALL, TZ.\n"
             "Exit status: 0 fine, 1 something is unwell (check), 2 usage or operation, 128+N ended by signal N.\n");
}

void options_help(const char *topic, struct buf *out)
{
    const struct word *word = topic ? word_find(topic) : NULL;
    if (!word) {
        help_general(out);
        return;
    }
    buf_printf(out, "Usage: probetop %s [FLAGS] %s\n%s\n", word->name, word->usage, word->help);
    help_flags(strcmp(word->name, "record") == 0 ? FOR_RUN : 1 << word->command, out);
}
