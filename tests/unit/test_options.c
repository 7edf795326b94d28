/* The command line and the configuration file: what is accepted, and the sentence for everything that is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tui/options.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORDS_MAX = 16 };

struct place {
    char dir[64];
    char file[160]; /* the user's configuration file */
};

static int setup(void **state)
{
    struct place *place = mem_new(sizeof *place);
    char folder[128];
    snprintf(place->dir, sizeof place->dir, "/tmp/probetop-options-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    snprintf(folder, sizeof folder, "%s/probetop", place->dir);
    assert_int_equal(mkdir(folder, 0700), 0);
    snprintf(place->file, sizeof place->file, "%s/probetop.conf", folder);
    setenv("XDG_CONFIG_HOME", place->dir, 1);
    unsetenv("PROBETOP_CONFIG");
    unsetenv("PROBETOP_THEME");
    unsetenv("NO_COLOR");
    unsetenv("POSIXLY_CORRECT");
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    char folder[128];
    unlink(place->file);
    snprintf(folder, sizeof folder, "%s/probetop", place->dir);
    rmdir(folder);
    rmdir(place->dir);
    mem_free(place);
    return 0;
}

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    assert_int_equal(fclose(file), 0);
}

/* Splits at single blanks; no quoting needed here. */
static enum status parse(const char *line, struct options *out, struct problem *problem)
{
    static char words[512]; /* argv's words outlive the call, as they do in a program */
    char *argv[WORDS_MAX + 1] = {NULL};
    snprintf(words, sizeof words, "%s", line);
    static char name[] = "probetop";
    int argc = 1;
    argv[0] = name;
    for (char *word = words; *word && argc < WORDS_MAX;) {
        argv[argc++] = word;
        word += strcspn(word, " ");
        if (*word)
            *word++ = '\0';
    }
    return options_parse(argc, argv, out, problem);
}

static void assert_says(const char *sentence, const char *part)
{
    if (!strstr(sentence, part))
        fail_msg("\"%s\" does not say \"%s\"", sentence, part);
}

/* ---- what is refused ---- */

static void test_refused(void **state)
{
    static const struct {
        const char *line, *says[3];
    } ROWS[] = {
        {"--them=mono http://127.0.0.1:1 --thene", {"unknown flag --thene", "did you mean --theme?"}},
        {"--zzzzzzzz", {"unknown flag --zzzzzzzz", "--help"}},
        {"--ascii=yes demo", {"--ascii takes no value"}},
        {"demo --seed", {"--seed needs a value", "--seed=N"}},
        {"check -o", {"--output needs a value"}},
        {"-x demo", {"unknown flag -x"}},
        {"demo --speed 0", {"--speed=0", "0.125 to 1024"}},
        {"demo --speed nan", {"--speed=nan"}},
        {"demo --speed 2x", {"--speed=2x"}},
        {"demo --pods 0", {"--pods=0", "1 to 2000"}},
        {"demo --pods 2001", {"--pods=2001"}},
        {"demo --pods -1", {"--pods=-1"}},
        {"demo --seed 99999999999999999999999", {"--seed"}},
        {"demo rolout", {"unknown story \"rolout\"", "did you mean rollout?", "cold-start"}},
        {"demo nosuchstory", {"unknown story \"nosuchstory\"", "rollout", "hostile"}},
        {"demo rollout extra", {"\"extra\" is one argument too many"}},
        {"chekc", {"unknown command \"chekc\"", "did you mean check?", "http://127.0.0.1:8000"}},
        {"watch http://127.0.0.1:1",
         {"unknown command \"watch\"", "expected demo, check, wait, diagnose, lint, record, replay"}},
        {"replay a b", {"\"b\" is one argument too many"}},
        {"record", {"record needs the name of a file"}},
        {"record f check http://127.0.0.1:1", {"not with check"}},
        {"record f --record g demo", {"twice"}},
        {"record f replay x", {"not with replay"}},
        {"check --for 5 --speed 3 http://127.0.0.1:1", {"--speed does nothing here", "probetop demo"}},
        {"demo --output json", {"--output does nothing here", "probetop check, wait, diagnose, lint"}},
        {"demo --for 3s", {"--for does nothing here"}},
        {"http://127.0.0.1:1 --list", {"--list does nothing here"}},
        {"check --for 0 http://127.0.0.1:1", {"--for=0", "30s"}},
        {"check --for 3x http://127.0.0.1:1", {"--for=3x"}},
        {"check --for 90000000000000h http://127.0.0.1:1", {"--for="}},
        {"check -o yaml http://127.0.0.1:1", {"--output=yaml", "table, wide, json or jsonl"}},
        {"--color=sometimes demo", {"--color=sometimes", "auto, always or never"}},
        {"--theme=nosuch demo", {"unknown theme \"nosuch\"", "default"}},
        {"--theme=mnoo demo", {"unknown theme \"mnoo\"", "did you mean mono?"}},
        {"--config /nowhere/at/all demo", {"/nowhere/at/all", "is not there"}},
        {"pod/x http://127.0.0.1:1", {"do not go together", "127.0.0.1:1", "pod/x"}},
        {"a=http://127.0.0.1:1 lws/x", {"do not go together", "\"a\""}},
        {"-n x http://127.0.0.1:1", {"--namespace is about a cluster", "127.0.0.1:1"}},
        {"http://127.0.0.1:1 --via=direct", {"--via is about a cluster"}},
        {"-l a=b pod/x", {"--selector chooses pods", "by name"}},
        {"sts/x --field-selector a=b", {"--field-selector chooses pods", "by name"}},
        {"-A pod/x", {"--all-namespaces does not go with", "--namespace=NAME"}},
        {"--via tcp", {"--via=tcp", "auto, portforward, kubectl, podproxy or direct"}},
        {"rs/x", {"\"rs/x\"", "expected pod/NAME, deploy/NAME"}},
        {"pod/X", {"\"pod/X\"", "lower case"}},
        {"podx", {"unknown command \"podx\"", "pod/NAME"}},
        {"demo -n x", {"--namespace does nothing here", "the dashboard"}},
        {"replay f --context=x", {"--context does nothing here"}},
        {"-n", {"--namespace needs a value"}},
        {"ftp://127.0.0.1:1", {"ftp://127.0.0.1:1"}},
        {"http://127.0.0.1:99999", {"99999"}},
        {"http://", {"http://"}},
        {"http://127.0.0.1:0", {"http://127.0.0.1:0"}},
        {"a=http://127.0.0.1:1 a=http://127.0.0.1:2", {"\"a\""}},
        {"http://user:secret@127.0.0.1:1", {"header"}},
        {"http://127.0.0.1:1#part", {"#part"}},
        {"wait pod/x", {"wait needs --for=STATE", "running, api, loaded, ready or gone"}},
        {"wait --for=redy pod/x", {"--for=redy", "running, api, loaded, ready or gone"}},
        {"wait --for=ready --timeout=0 pod/x", {"--timeout=0", "90s"}},
        {"wait --for=ready --any --count=2", {"--any and --count"}},
        {"wait --for=ready --count=0", {"--count=0", "1 to 5000"}},
        {"wait --for=gone --any", {"--any does not go with it"}},
        {"wait --for=ready --report=junit", {"--report=junit", "github", ".xml"}},
        {"wait --for=ready -o markdown", {"--output=markdown", "text or json"}},
        {"check --timeout=3s http://127.0.0.1:1", {"--timeout does nothing here", "probetop wait"}},
        {"diagnose", {"at least one of --pod, --events, --describe, --logs and --previous"}},
        {"diagnose file.txt", {"\"file.txt\" is one argument too many"}},
        {"diagnose --logs= --pod p", {"--logs=", "standard input"}},
        {"diagnose --logs - --pod -", {"cannot both be standard input"}},
        {"diagnose --logs f -o table", {"--output=table", "text, json or markdown"}},
        {"diagnose --logs f --signatures /nowhere/s", {"/nowhere/s", "is not there"}},
        {"diagnose --logs f -n x", {"--namespace does nothing here"}},
        {"lint", {"lint needs files"}},
        {"lint f -o markdown", {"--output=markdown", "text or json"}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct options options;
        struct problem problem = {""};
        enum status status = parse(ROWS[i].line, &options, &problem);
        if (status != STATUS_BAD_INPUT)
            fail_msg("\"%s\" was not refused", ROWS[i].line);
        for (int s = 0; s < 3 && ROWS[i].says[s]; s++)
            assert_says(problem.text, ROWS[i].says[s]);
        options_free(&options);
    }
}

/* ---- what is understood ---- */

static void parse_well(const char *line, struct options *options)
{
    struct problem problem = {""};
    if (parse(line, options, &problem) != STATUS_OK)
        fail_msg("\"%s\": %s", line, problem.text);
}

static void test_commands(void **state)
{
    static const struct {
        const char *line;
        enum command command;
    } ROWS[] = {
        {"demo", COMMAND_DEMO},
        {"demo --list", COMMAND_DEMO_LIST},
        {"--list demo hang", COMMAND_DEMO_LIST},
        {"check http://127.0.0.1:1", COMMAND_CHECK},
        {"http://127.0.0.1:1", COMMAND_WATCH},
        {"record f demo", COMMAND_DEMO},
        {"record f a=http://127.0.0.1:1", COMMAND_WATCH},
        {"replay f", COMMAND_REPLAY},
        {"replay", COMMAND_REPLAY},
        {"--help", COMMAND_HELP},
        {"demo --help --nonsense", COMMAND_HELP},
        {"record --help", COMMAND_HELP},
        {"-h", COMMAND_HELP},
        {"--version", COMMAND_VERSION},
        {"-- demo", COMMAND_DEMO},
        {"", COMMAND_WATCH},
        {"pod/x deploy/y", COMMAND_WATCH},
        {"check pool/x", COMMAND_CHECK},
        {"record f sts/x", COMMAND_WATCH},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct options options;
        parse_well(ROWS[i].line, &options);
        if (options.command != ROWS[i].command)
            fail_msg("\"%s\" is command %d", ROWS[i].line, (int)options.command);
        options_free(&options);
    }
}

static void test_values(void **state)
{
    struct options options;
    (void)state;
    parse_well("demo gpu-oom --speed 2.5 --seed 7 --pods 12 -U --no-color --lines --keep-journal --record /tmp/r",
               &options);
    assert_string_equal(options.sim.story->name, "gpu-oom");
    assert_true(options.speed == 2.5);
    assert_int_equal(options.sim.seed, 7);
    assert_int_equal(options.sim.pods, 12);
    assert_true(options.ascii && options.ascii_given && options.lines && options.keep_journal);
    assert_int_equal(options.colour, TERM_COLOUR_NEVER);
    assert_string_equal(options.record_path, "/tmp/r");
    options_free(&options);

    parse_well("http://127.0.0.1:8000 decode-0=http://127.0.0.1:8200", &options);
    assert_int_equal(options.endpoints.count, 2);
    assert_string_equal(options.endpoints.list[1].name, "decode-0");
    assert_false(options.ascii_given);
    options_free(&options);

    parse_well("check http://127.0.0.1:1 --for=1m30s -ojsonl", &options);
    assert_int_equal(options.check_for_us, 90 * (int64_t)SECOND_US);
    assert_int_equal(options.format, REPORT_JSONL);
    options_free(&options);

    parse_well("demo", &options);
    assert_string_equal(options.sim.story->name, "rollout");
    assert_int_equal(options.sim.pods, 0);
    assert_true(options.speed == 0);
    assert_null(options.record_path);
    options_free(&options);
}

/* ---- the cluster ---- */

static void test_wait(void **state)
{
    struct options options;
    (void)state;
    unsetenv("GITHUB_ACTIONS");
    parse_well("wait --for=ready", &options);
    assert_int_equal(options.command, COMMAND_WAIT);
    assert_true(options.use_kube);
    assert_int_equal(options.wait.goal, WAIT_READY);
    assert_int_equal(options.wait.timeout_us, 1800 * (int64_t)SECOND_US);
    assert_int_equal(options.wait.count, 0);
    assert_null(options.wait.report);
    assert_false(options.wait.github);
    options_free(&options);
    parse_well("wait --for gone --timeout 90s -n llm-d deploy/decode --report r.xml -o json", &options);
    assert_int_equal(options.wait.goal, WAIT_GONE);
    assert_int_equal(options.wait.timeout_us, 90 * (int64_t)SECOND_US);
    assert_string_equal(options.wait.report, "r.xml");
    assert_int_equal(options.output, OUTPUT_JSON);
    assert_int_equal(options.kube.target_count, 1);
    options_free(&options);
    parse_well("wait --for loaded --any --report github http://127.0.0.1:1", &options);
    assert_int_equal(options.wait.count, 1);
    assert_true(options.wait.github);
    assert_null(options.wait.report);
    assert_false(options.use_kube);
    options_free(&options);
    setenv("GITHUB_ACTIONS", "true", 1);
    parse_well("wait --for api --count 12 http://127.0.0.1:1", &options);
    assert_int_equal(options.wait.count, 12);
    assert_true(options.wait.github);
    unsetenv("GITHUB_ACTIONS");
    options_free(&options);
}

static void test_files(void **state)
{
    struct options options;
    (void)state;
    parse_well("diagnose --logs - --previous p.txt -o markdown", &options);
    assert_int_equal(options.command, COMMAND_DIAGNOSE);
    assert_false(options.use_kube);
    assert_string_equal(options.diagnose.logs, "-");
    assert_string_equal(options.diagnose.previous, "p.txt");
    assert_null(options.diagnose.pod);
    assert_int_equal(options.output, OUTPUT_MARKDOWN);
    options_free(&options);
    parse_well("lint a.yaml - -o json", &options);
    assert_int_equal(options.command, COMMAND_LINT);
    assert_int_equal(options.lint.file_count, 2);
    assert_string_equal(options.lint.files[0], "a.yaml");
    assert_string_equal(options.lint.files[1], "-");
    assert_int_equal(options.output, OUTPUT_JSON);
    options_free(&options);
}

static void test_cluster(void **state)
{
    struct options options;
    (void)state;
    parse_well("", &options);
    assert_true(options.use_kube);
    assert_null(options.kube.flags.ns);
    assert_null(options.kube.flags.context);
    assert_string_equal(options.kube.via, "auto");
    assert_int_equal(options.kube.target_count, 0);
    assert_false(options.kube.all_namespaces);
    options_free(&options);

    parse_well("check -nprod -l app=vllm,tier!=test --field-selector spec.nodeName=gpu-7 --context c --cluster d",
               &options);
    const struct kube_options *kube = &options.kube;
    assert_true(options.use_kube);
    assert_string_equal(kube->flags.ns, "prod");
    assert_string_equal(kube->selector, "app=vllm,tier!=test");
    assert_string_equal(kube->field_selector, "spec.nodeName=gpu-7");
    assert_string_equal(kube->flags.context, "c");
    assert_string_equal(kube->flags.cluster, "d");
    options_free(&options);

    parse_well("--user u --kubeconfig /k --as me --as-uid=7 --as-group=a --as-group b --request-timeout 5s", &options);
    assert_string_equal(kube->flags.user, "u");
    assert_string_equal(kube->flags.kubeconfig, "/k");
    assert_string_equal(kube->flags.as, "me");
    assert_string_equal(kube->flags.as_uid, "7");
    assert_int_equal(kube->flags.as_group_count, 2);
    assert_string_equal(kube->flags.as_groups[0], "a");
    assert_string_equal(kube->flags.as_groups[1], "b");
    assert_string_equal(kube->flags.request_timeout, "5s");
    options_free(&options);

    parse_well("pod/a deployment.apps/b --via direct --kubectl=/opt/kubectl lws/c pool/d", &options);
    assert_int_equal(kube->target_count, 4);
    assert_int_equal(kube->targets[1].kind, TARGET_DEPLOYMENT);
    assert_string_equal(kube->targets[1].name, "b");
    assert_int_equal(kube->targets[3].kind, TARGET_POOL);
    assert_string_equal(kube->via, "direct");
    assert_string_equal(kube->flags.kubectl, "/opt/kubectl");
    options_free(&options);

    /* As in kubectl: an empty value is none, and of two the last one counts. */
    parse_well("-A --context= -n x -n y", &options);
    assert_true(kube->all_namespaces);
    assert_null(kube->flags.context);
    assert_string_equal(kube->flags.ns, "y");
    options_free(&options);

    parse_well("http://127.0.0.1:1", &options);
    assert_false(options.use_kube);
    options_free(&options);
    parse_well("demo", &options);
    assert_false(options.use_kube);
    options_free(&options);
}

static void test_cluster_configuration(void **state)
{
    struct place *place = *state;
    struct options options;
    write_file(place->file, "[probetop]\nnamespace = llm-d\ncontext = prod\nvia = kubectl\n"
                            "[endpoint here]\nurl = http://127.0.0.1:1\n");
    parse_well("", &options);
    assert_int_equal(options.problems.count, 0);
    assert_false(options.use_kube);
    assert_int_equal(options.endpoints.count, 1);
    options_free(&options);

    parse_well("deploy/x", &options);
    assert_true(options.use_kube);
    assert_int_equal(options.endpoints.count, 0);
    assert_string_equal(options.kube.flags.ns, "llm-d");
    assert_string_equal(options.kube.flags.context, "prod");
    assert_string_equal(options.kube.via, "kubectl");
    options_free(&options);

    parse_well("-n other --context=test --via=podproxy", &options);
    assert_true(options.use_kube);
    assert_string_equal(options.kube.flags.ns, "other");
    assert_string_equal(options.kube.flags.context, "test");
    assert_string_equal(options.kube.via, "podproxy");
    options_free(&options);

    write_file(place->file, "[probetop]\nvia = tcp\nnamespace =\n");
    parse_well("", &options);
    assert_true(options.use_kube);
    assert_int_equal(options.problems.count, 2);
    assert_says(options.problems.list[0].text, "via = tcp: expected auto");
    assert_string_equal(options.kube.via, "auto");
    options_free(&options);
}

/* ---- the configuration file ---- */

static const char CONFIGURATION[] = "[probetop]\n"
                                    "theme = mono\n"
                                    "ascii = yes\n"
                                    "color = always\n"
                                    "record = /tmp/recordings\n"
                                    "[keys]\n"
                                    "wide = W\n"
                                    "[endpoint decode-0]\n"
                                    "url = http://127.0.0.1:8200\n"
                                    "role = decode\n";

static void test_configuration(void **state)
{
    struct place *place = *state;
    struct options options;
    write_file(place->file, CONFIGURATION);
    parse_well("", &options);
    assert_int_equal(options.problems.count, 0);
    assert_string_equal(options.theme, "mono");
    assert_true(options.ascii && options.ascii_given);
    assert_int_equal(options.colour, TERM_COLOUR_ALWAYS);
    assert_int_equal(strncmp(options.record_path, "/tmp/recordings/probetop-2", 26), 0);
    assert_int_equal(keymap_action(&options.keymap, 'W', IN_FLEET), ACTION_WIDE);
    assert_int_equal(keymap_action(&options.keymap, 'w', IN_FLEET), ACTION_NONE);
    assert_int_equal(options.endpoints.count, 1);
    assert_string_equal(options.endpoints.list[0].name, "decode-0");
    assert_int_equal(options.endpoints.list[0].role, ROLE_DECODE);
    options_free(&options);

    parse_well("other=http://127.0.0.1:1 --record f --color=never --theme default", &options);
    assert_int_equal(options.endpoints.count, 1);
    assert_string_equal(options.endpoints.list[0].name, "other");
    assert_string_equal(options.record_path, "f");
    assert_string_equal(options.theme, "default");
    assert_int_equal(options.colour, TERM_COLOUR_NEVER);
    options_free(&options);
}

/* Each broken line is told with its place and what was expected, and the lines around it count. */
static void test_broken_configuration(void **state)
{
    struct place *place = *state;
    struct options options;
    static const char *const SAYS[][2] = {
        {":1: ", "before any section"}, {":3: ", "colour"},
        {":4: ", "yes or no"},          {":5: ", "always or never"},
        {":6: ", "absolute path"},      {":9: ", "frobnicate"},
        {":12: ", "[nonsense]"},        {":16: ", "unknown theme \"nosuch\""},
    };
    write_file(place->file, "theme = mono\n"
                            "[probetop]\n"
                            "colour = never\n"
                            "ascii = perhaps\n"
                            "color = green\n"
                            "record = somewhere\n"
                            "theme = mono\n"
                            "[keys]\n"
                            "frobnicate = x\n"
                            "wide = W\n"
                            "[nonsense]\n"
                            "a = b\n"
                            "[endpoint here]\n"
                            "url = http://127.0.0.1:8200\n"
                            "[probetop]\n"
                            "theme = nosuch\n");
    parse_well("", &options);
    assert_int_equal(options.problems.count, sizeof SAYS / sizeof SAYS[0]);
    for (size_t i = 0; i < options.problems.count; i++) {
        assert_says(options.problems.list[i].text, place->file);
        assert_says(options.problems.list[i].text, SAYS[i][0]);
        assert_says(options.problems.list[i].text, SAYS[i][1]);
    }
    assert_string_equal(options.theme, "mono");
    assert_int_equal(keymap_action(&options.keymap, 'W', IN_FLEET), ACTION_WIDE);
    assert_int_equal(options.endpoints.count, 1);
    options_free(&options);
}

static void test_broken_endpoints(void **state)
{
    struct place *place = *state;
    struct options options;
    struct problem problem = {""};
    write_file(place->file, "[endpoint a]\nurl = nonsense\n[endpoint b]\nrole = decode\n");
    assert_int_equal(parse("", &options, &problem), STATUS_BAD_INPUT);
    assert_says(problem.text, "no [endpoint NAME] section of the configuration can be used: ");
    assert_says(problem.text, place->file);
    assert_true(options.problems.count >= 2);
    options_free(&options);

    parse_well("demo", &options); /* they are not asked for there */
    assert_int_equal(options.problems.count, 0);
    assert_int_equal(options.endpoints.count, 0);
    options_free(&options);
}

static void test_environment(void **state)
{
    struct place *place = *state;
    struct options options;
    char other[128];
    setenv("NO_COLOR", "1", 1);
    setenv("PROBETOP_THEME", "mono", 1);
    parse_well("demo", &options);
    assert_int_equal(options.colour, TERM_COLOUR_NEVER);
    assert_string_equal(options.theme, "mono");
    options_free(&options);
    parse_well("demo --color=always --theme=default", &options);
    assert_int_equal(options.colour, TERM_COLOUR_ALWAYS);
    assert_string_equal(options.theme, "default");
    options_free(&options);

    setenv("NO_COLOR", "", 1); /* empty: as if unset */
    setenv("PROBETOP_THEME", "nosuch", 1);
    parse_well("demo", &options);
    assert_int_equal(options.colour, TERM_COLOUR_AUTO);
    assert_null(options.theme);
    assert_int_equal(options.problems.count, 1);
    assert_says(options.problems.list[0].text, "unknown theme \"nosuch\"");
    options_free(&options);
    unsetenv("PROBETOP_THEME");
    unsetenv("NO_COLOR");

    snprintf(other, sizeof other, "%s/other.conf", place->dir);
    write_file(place->file, "[probetop]\ntheme = mono\n");
    write_file(other, "[probetop]\nascii = yes\n");
    setenv("PROBETOP_CONFIG", other, 1);
    parse_well("demo", &options);
    assert_true(options.ascii);
    assert_null(options.theme);
    options_free(&options);
    unlink(other);
    parse_well("demo", &options);
    assert_int_equal(options.problems.count, 1);
    assert_says(options.problems.list[0].text, "PROBETOP_CONFIG");
    options_free(&options);
    unsetenv("PROBETOP_CONFIG");

    setenv("XDG_CONFIG_HOME", "relative/path", 1);
    setenv("HOME", "/nowhere/at/all", 1);
    parse_well("demo", &options);
    assert_null(options.theme);
    options_free(&options);
}

static void test_help(void **state)
{
    static const char *const SAYS[] = {"probetop demo [STORY]", "--namespace=NAME", "-A, --all-namespaces",
                                       "TYPE is pod, deploy",   "--theme=NAME",     "-U, --ascii",
                                       "-o, --output=FORMAT",   "Exit status"};
    struct buf out;
    (void)state;
    buf_init(&out, 1 << 16);
    options_help(NULL, &out);
    for (size_t i = 0; i < sizeof SAYS / sizeof SAYS[0]; i++)
        assert_says(buf_str(&out), SAYS[i]);
    buf_clear(&out);
    options_help("demo", &out);
    assert_says(buf_str(&out), "--pods");
    assert_null(strstr(buf_str(&out), "--output"));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_commands, setup, teardown),
        cmocka_unit_test_setup_teardown(test_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cluster, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cluster_configuration, setup, teardown),
        cmocka_unit_test_setup_teardown(test_configuration, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_configuration, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_endpoints, setup, teardown),
        cmocka_unit_test_setup_teardown(test_environment, setup, teardown),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
