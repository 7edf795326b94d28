/* From argv to options: which flags are given, whether they fit the command, what the words after them mean. */
#include "tui/options_table.h"

#include "base/clock.h"
#include "base/mem.h"
#include "engine/signatures_conf.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

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
        struct buf fits;
        buf_init(&fits, PROBLEM_MAX);
        if (FLAGS[id].commands & FOR_WATCH)
            buf_puts(&fits, "the dashboard");
        for (size_t i = 0; i < WORD_COUNT && !(FLAGS[id].commands & FOR_WATCH); i++)
            if (FLAGS[id].commands & 1 << WORDS[i].command)
                buf_printf(&fits, "%s%s", fits.len > 0 ? ", " : "probetop ", WORDS[i].name);
        problem_set(problem, STATUS_BAD_INPUT, "--%s does nothing here; it goes with %s", FLAGS[id].name,
                    buf_str(&fits));
        buf_free(&fits);
        return STATUS_BAD_INPUT;
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
    return STATUS_OK;
}

/* ---- what each command has of its own ---- */

static enum status output_choose(const struct found *found, struct options *out, struct problem *problem)
{
    static const char *const NAMES[] = {[OUTPUT_TEXT] = "text", [OUTPUT_JSON] = "json", [OUTPUT_MARKDOWN] = "markdown"};
    const char *value = found->value[FLAG_OUTPUT];
    bool is_diagnose = out->command == COMMAND_DIAGNOSE;
    if (!found->given[FLAG_OUTPUT])
        return STATUS_OK;
    if (out->command == COMMAND_CHECK)
        return report_format_from_name(value, &out->format)
                   ? STATUS_OK
                   : flag_bad(FLAG_OUTPUT, value, "table, wide, json or jsonl", problem);
    for (int i = OUTPUT_TEXT; i <= (is_diagnose ? OUTPUT_MARKDOWN : OUTPUT_JSON); i++) {
        if (strcmp(value, NAMES[i]) == 0) {
            out->output = (enum output)i;
            return STATUS_OK;
        }
    }
    return flag_bad(FLAG_OUTPUT, value, is_diagnose ? "text, json or markdown" : "text or json", problem);
}

static enum status flags_check(const struct found *found, struct options *out, struct problem *problem)
{
    const char *value = found->value[FLAG_FOR];
    if (found->given[FLAG_FOR] && !parse_span(value, &out->check_for_us))
        return flag_bad(FLAG_FOR, value, "a time from 1s to 24h such as 30s, 2m or 1h30m", problem);
    return STATUS_OK;
}

static enum status flags_diagnose(const struct found *found, struct options *out, struct problem *problem)
{
    const struct {
        enum flag_id id;
        const char **where;
    } ROWS[] = {{FLAG_POD, &out->diagnose.pod},
                {FLAG_EVENTS, &out->diagnose.events},
                {FLAG_DESCRIBE, &out->diagnose.describe},
                {FLAG_LOGS, &out->diagnose.logs},
                {FLAG_PREVIOUS, &out->diagnose.previous}};
    int given = 0;
    const char *standard_input = NULL;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const char *value = found->value[ROWS[i].id];
        if (!found->given[ROWS[i].id])
            continue;
        if (value[0] == '\0')
            return flag_bad(ROWS[i].id, value, "the name of a file, or - for standard input", problem);
        if (strcmp(value, "-") == 0 && standard_input)
            return problem_set(problem, STATUS_BAD_INPUT, "--%s and --%s cannot both be standard input", standard_input,
                               FLAGS[ROWS[i].id].name);
        if (strcmp(value, "-") == 0)
            standard_input = FLAGS[ROWS[i].id].name;
        *ROWS[i].where = value;
        given++;
    }
    if (given == 0)
        return problem_set(
            problem, STATUS_BAD_INPUT,
            "diagnose needs at least one of --pod, --events, --describe, --logs and --previous, each with a "
            "file that kubectl wrote or -: kubectl logs POD --previous | probetop diagnose --logs -");
    return STATUS_OK;
}

const char *wait_goal_name(enum wait_goal goal)
{
    static const char *const NAMES[WAIT_GOAL_COUNT] = {"running", "api", "loaded", "ready", "gone"};
    return NAMES[goal];
}

static enum status flags_wait(const struct found *found, struct options *out, struct problem *problem)
{
    static const char GOALS[] = "running, api, loaded, ready or gone";
    const char *value = found->value[FLAG_FOR], *github = getenv("GITHUB_ACTIONS");
    uint64_t whole = 0;
    int goal = 0;
    if (!found->given[FLAG_FOR])
        return problem_set(problem, STATUS_BAD_INPUT, "wait needs --for=STATE: %s", GOALS);
    while (goal < WAIT_GOAL_COUNT && strcmp(value, wait_goal_name((enum wait_goal)goal)) != 0)
        goal++;
    if (goal == WAIT_GOAL_COUNT)
        return flag_bad(FLAG_FOR, value, GOALS, problem);
    out->wait.goal = (enum wait_goal)goal;
    out->wait.timeout_us = 1800 * (int64_t)SECOND_US;
    value = found->value[FLAG_TIMEOUT];
    if (found->given[FLAG_TIMEOUT] && !parse_span(value, &out->wait.timeout_us))
        return flag_bad(FLAG_TIMEOUT, value, "a time from 1s to 24h such as 90s, 30m or 1h30m", problem);
    if (found->given[FLAG_ANY] && found->given[FLAG_HOW_MANY])
        return problem_set(problem, STATUS_BAD_INPUT,
                           "--any and --count say how many pods are enough; give one of them");
    if (goal == WAIT_GONE && (found->given[FLAG_ANY] || found->given[FLAG_HOW_MANY]))
        return problem_set(problem, STATUS_BAD_INPUT, "--for=gone waits until no pod is left; --%s does not go with it",
                           found->given[FLAG_ANY] ? "any" : "count");
    value = found->value[FLAG_HOW_MANY];
    if (found->given[FLAG_HOW_MANY] && !parse_whole(value, 1, 5000, &whole))
        return flag_bad(FLAG_HOW_MANY, value, "a whole number from 1 to 5000", problem);
    out->wait.count = found->given[FLAG_ANY] ? 1 : (int32_t)whole;
    value = found->value[FLAG_REPORT];
    out->wait.github = github && strcmp(github, "true") == 0;
    if (found->given[FLAG_REPORT] && strcmp(value, "github") == 0)
        out->wait.github = true;
    else if (found->given[FLAG_REPORT] && (strlen(value) < 5 || strcmp(value + strlen(value) - 4, ".xml") != 0))
        return flag_bad(FLAG_REPORT, value, "github, or the name of a file that ends in .xml", problem);
    else
        out->wait.report = value;
    return STATUS_OK;
}

static enum status words_lint(const struct found *found, struct options *out, struct problem *problem)
{
    if (found->word_count == 0)
        return problem_set(problem, STATUS_BAD_INPUT,
                           "lint needs files to look at, manifests or Helm values, or - for standard input");
    out->lint.files = found->words;
    out->lint.file_count = found->word_count;
    return STATUS_OK;
}

static enum status flags_own(const struct found *found, struct options *out, struct problem *problem)
{
    enum status status = output_choose(found, out, problem);
    if (status != STATUS_OK)
        return status;
    switch (out->command) {
    case COMMAND_CHECK:
        return flags_check(found, out, problem);
    case COMMAND_DIAGNOSE:
        return flags_diagnose(found, out, problem);
    case COMMAND_WAIT:
        return flags_wait(found, out, problem);
    default:
        return STATUS_OK;
    }
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

/* ---- words ---- */

static bool is_target(const char *word)
{
    return strpbrk(word, ":/=") != NULL;
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
    buf_puts(
        &words,
        " demo, check, wait, diagnose, lint, record, replay, or a target such as pod/NAME or http://127.0.0.1:8000");
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
    if (found->word_count > 0 && strcmp(found->words[0], "help") == 0) { /* as other programs have it */
        found->given[FLAG_HELP] = true;
        words_drop(found);
    }
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
    if (out->command == COMMAND_LINT)
        return words_lint(found, out, problem);
    if (out->command == COMMAND_DIAGNOSE)
        return found->word_count > 0 ? words_too_many(found, 0, problem) : STATUS_OK;
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
    if (status == STATUS_OK)
        status = flags_own(found, out, problem);
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
    if (status == STATUS_OK)
        status = signatures_choose(found, out, problem);
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
    mem_free(options->signatures_path);
    signatures_free(&options->signatures);
    conf_problems_free(&options->problems);
    memset(options, 0, sizeof *options);
}
