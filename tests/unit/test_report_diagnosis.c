/* Hints as text, JSON and Markdown: the literal output of one of each, and that nothing in them breaks out, whatever it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "report/diagnosis.h"
#include "report/markdown.h"

static const int64_t S = SECOND_US;
static const int64_t WALL = 1795500000; /* 2026-11-24T06:00:00Z */
enum { OUTPUT_MAX = 1 << 20 };

struct scene {
    struct fleet *fleet;
    struct hints hints;
    const char *files[EVIDENCE_SOURCE_COUNT];
};

static void set(struct text *text, const char *words)
{
    text_set_str(text, words, TEXT_LINE);
}

static void add_evidence(struct hint *hint, enum evidence_source source, int32_t line, int64_t t, const char *words)
{
    struct evidence *evidence = &hint->evidence[hint->evidence_count++];
    *evidence = (struct evidence){.source = source, .line = line, .t = t};
    set(&evidence->words, words);
}

static struct hint *add_hint(struct scene *scene, enum cause cause, enum confidence confidence, const char *title)
{
    struct hint *hint = &scene->hints.list[scene->hints.count++];
    hint->cause = cause;
    hint->confidence = confidence;
    set(&hint->label, cause_label(cause));
    set(&hint->title, title);
    return hint;
}

/* A pod of files, an hour after t = 0. */
static void scene_begin(struct scene *scene, bool dated)
{
    struct fact fact;
    *scene = (struct scene){.fleet = fleet_new(fleet_limits_reader())};
    fact_init(&fact, FACT_HELLO, 0);
    fact.u.hello.wall_zero = dated ? WALL * S : 0;
    set(&fact.u.hello.source, "files");
    fleet_apply(scene->fleet, &fact);
    fact_free(&fact);
    fact_init(&fact, FACT_POD, 1);
    fact.t = 3600 * S;
    set(&fact.u.facts.name, "decode-0");
    set(&fact.u.facts.ns, "llm-d");
    set(&fact.u.facts.serving.name, "vllm");
    fleet_apply(scene->fleet, &fact);
    fact_free(&fact);
    scene->files[EVIDENCE_PREVIOUS] = "previous.txt";
    scene->files[EVIDENCE_POD] = "pod.json";
    set(&scene->hints.state, "the container ended with exit code 1");
}

static void scene_oom(struct scene *scene)
{
    struct hint *hint = add_hint(scene, CAUSE_GPU_OOM, CONFIDENCE_CERTAIN, "GPU memory ran out");
    add_evidence(hint, EVIDENCE_PREVIOUS, 12, 3590 * S,
                 "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 22.06 GiB.");
    add_evidence(hint, EVIDENCE_POD, 0, 3600 * S, "exit code 1");
    set(&hint->fixes[hint->fix_count++], "Lower --gpu-memory-utilization.");
    text_set_lines(&hint->patch, "args:\n- --max-model-len=4096\n", 28, TEXT_LINE);
    set(&hint->commands[hint->command_count++], "kubectl -n llm-d logs decode-0 -c vllm --previous --tail=200");
    add_hint(scene, CAUSE_ENGINE_DEAD, CONFIDENCE_POSSIBLE, "the engine died");
    scene->hints.verdict = CAUSE_GPU_OOM;
    set(&scene->hints.next, "the kubelet starts it again");
}

static void scene_end(struct scene *scene)
{
    hints_free(&scene->hints);
    fleet_free(scene->fleet);
}

static void report(struct scene *scene, enum diagnosis_format format, bool ascii, struct buf *out)
{
    buf_init(out, OUTPUT_MAX);
    report_diagnosis(scene->fleet, scene->fleet->pods[0], &scene->hints, scene->files, format, ascii, out);
}

static void assert_report(struct scene *scene, enum diagnosis_format format, const char *expected)
{
    struct buf out;
    report(scene, format, true, &out);
    assert_string_equal(buf_str(&out), expected);
    buf_free(&out);
}

/* ---- literally ---- */

static void test_text(void **state)
{
    struct scene scene;
    (void)state;
    scene_begin(&scene, true);
    scene_oom(&scene);
    assert_report(&scene, DIAGNOSIS_TEXT,
                  "GPU memory ran out (certain, gpu-oom)\n"
                  "pod decode-0 in llm-d, as of 2026-11-24T07:00:00Z: the container ended with exit\n"
                  "code 1\n"
                  "next: the kubelet starts it again\n"
                  "\n"
                  "why\n"
                  "  previous.txt:12, 2026-11-24T06:59:50Z:\n"
                  "    torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU\n"
                  "    0 has 22.06 GiB.\n"
                  "  pod.json: exit code 1\n"
                  "fix\n"
                  "  - Lower --gpu-memory-utilization.\n"
                  "patch\n"
                  "  args:\n"
                  "  - --max-model-len=4096\n"
                  "run\n"
                  "  kubectl -n llm-d logs decode-0 -c vllm --previous --tail=200\n"
                  "\n"
                  "then: the engine died (possible, engine-dead)\n");
    scene_end(&scene);
}

/* Where no file has a date, spans are all that is told. */
static void test_text_without_dates(void **state)
{
    struct scene scene;
    (void)state;
    scene_begin(&scene, false);
    struct hint *hint = add_hint(&scene, CAUSE_WRONG_PORT, CONFIDENCE_LIKELY, "the probe asks in vain");
    add_evidence(hint, EVIDENCE_EVENTS, 3, 3540 * S, "refused");
    add_evidence(hint, EVIDENCE_LOGS, 7, 3590 * S, "one");
    add_evidence(hint, EVIDENCE_LOGS, 8, INT64_MIN, "two");
    scene.hints.verdict = CAUSE_WRONG_PORT;
    assert_report(&scene, DIAGNOSIS_TEXT,
                  "the probe asks in vain (likely, wrong-port)\n"
                  "pod decode-0 in llm-d: the container ended with exit code 1\n"
                  "\n"
                  "why\n"
                  "  events line 3, 1:00 ago: refused\n"
                  "  logs line 7, 10s before the end: one\n"
                  "  logs line 8: two\n");
    scene_end(&scene);
}

static void test_text_nothing_wrong(void **state)
{
    static const struct {
        enum cause verdict;
        const char *state, *expected;
    } ROWS[] = {
        {CAUSE_HEALTHY, "nothing wrong: Ready for 5:00", "pod decode-0 in llm-d: nothing wrong: Ready for 5:00\n"},
        {CAUSE_HEALTHY, "by its log, start-up is complete",
         "nothing wrong\npod decode-0 in llm-d: by its log, start-up is complete\n"},
        {CAUSE_HEALTHY_SLOW, "by its log, start-up has come to: download",
         "nothing wrong: still loading\npod decode-0 in llm-d: by its log, start-up has come to: download\n"},
        {CAUSE_NONE, "its log has no start-up line",
         "no cause found\n"
         "pod decode-0 in llm-d: its log has no start-up line\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct scene scene;
        scene_begin(&scene, false);
        scene.hints.verdict = ROWS[i].verdict;
        set(&scene.hints.state, ROWS[i].state);
        assert_report(&scene, DIAGNOSIS_TEXT, ROWS[i].expected);
        scene_end(&scene);
    }
}

static void test_json(void **state)
{
    struct scene scene;
    (void)state;
    scene_begin(&scene, true);
    scene_oom(&scene);
    assert_report(
        &scene, DIAGNOSIS_JSON,
        "{\"schema\":\"probetop.diagnosis/"
        "v1\",\"pod\":\"decode-0\",\"namespace\":\"llm-d\",\"container\":\"vllm\",\"as_of\":\"2026-11-24T07:00:00Z\","
        "\"hints\":[{\"cause\":\"gpu-oom\",\"confidence\":\"certain\",\"title\":\"GPU memory ran out\",\"evidence\":["
        "{\"source\":\"previous\",\"line\":12,\"time\":\"2026-11-24T06:59:50Z\",\"text\":\"torch.OutOfMemoryError: "
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 22.06 GiB.\"},"
        "{\"source\":\"pod\",\"line\":null,\"time\":null,\"text\":\"exit code 1\"}],"
        "\"fixes\":[\"Lower --gpu-memory-utilization.\"],"
        "\"patch\":\"args:\\n- --max-model-len=4096\","
        "\"commands\":[\"kubectl -n llm-d logs decode-0 -c vllm --previous --tail=200\"]},"
        "{\"cause\":\"engine-dead\",\"confidence\":\"possible\",\"title\":\"the engine died\",\"evidence\":[],"
        "\"fixes\":[],\"patch\":null,\"commands\":[]}],\"verdict\":\"gpu-oom\","
        "\"state\":\"the container ended with exit code 1\",\"why\":[],\"next\":\"the kubelet starts it again\","
        "\"notes\":[]}\n");
    scene_end(&scene);
}

static void test_json_verdicts(void **state)
{
    static const struct {
        enum cause verdict;
        const char *expected;
    } ROWS[] = {{CAUSE_NONE, "{\"hints\":[],\"verdict\":null}"},
                {CAUSE_HEALTHY, "{\"hints\":[],\"verdict\":\"healthy\"}"},
                {CAUSE_HEALTHY_SLOW, "{\"hints\":[],\"verdict\":\"healthy-slow\"}"}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct scene scene;
        struct json_writer writer;
        struct buf out;
        scene_begin(&scene, true);
        scene.hints.verdict = ROWS[i].verdict;
        buf_init(&out, OUTPUT_MAX);
        json_writer_init(&writer, &out);
        json_open_object(&writer, NULL);
        report_hints_json(&writer, scene.fleet, &scene.hints);
        json_close_object(&writer);
        assert_string_equal(buf_str(&out), ROWS[i].expected);
        buf_free(&out);
        scene_end(&scene);
    }
}

static void test_markdown(void **state)
{
    struct scene scene;
    (void)state;
    scene_begin(&scene, true);
    scene_oom(&scene);
    assert_report(&scene, DIAGNOSIS_MARKDOWN,
                  "## `decode-0`: GPU memory ran out\n"
                  "\n"
                  "As of 2026-11-24T07:00:00Z: the container ended with exit code 1\n"
                  "\n"
                  "Next: the kubelet starts it again\n"
                  "\n"
                  "### GPU memory ran out (certain, `gpu-oom`)\n"
                  "\n"
                  "- previous.txt:12, 2026-11-24T06:59:50Z: `torch.OutOfMemoryError: CUDA out of memory. Tried to "
                  "allocate 2.00 GiB. GPU 0 has 22.06 GiB.`\n"
                  "- pod.json: `exit code 1`\n"
                  "\n"
                  "Fix:\n"
                  "\n"
                  "- Lower --gpu-memory-utilization.\n"
                  "\n"
                  "```yaml\n"
                  "args:\n"
                  "- --max-model-len=4096\n"
                  "```\n"
                  "\n"
                  "```sh\n"
                  "kubectl -n llm-d logs decode-0 -c vllm --previous --tail=200\n"
                  "```\n"
                  "\n"
                  "### the engine died (possible, `engine-dead`)\n"
                  "\n");
    scene_end(&scene);
}

/* ---- whatever it says ---- */

static const char *const HOSTILE[] = {
    "```\n# heading\n<script>alert(1)</script>",
    "`````` [link](http://evil) ![i](x) @somebody #12",
    "\x1b]0;title\x07\x1b[2J\xff\xfe\r\nname\t| a | b |",
    "1. list\n- item\n+ plus\n=== \n***bold*** _it_ ~~no~~ $x$ &amp;",
    "\xe2\x80\xae right to left \xf0\x9f\x92\xa5",
};

static void scene_hostile(struct scene *scene, const char *words)
{
    struct hint *hint = add_hint(scene, CAUSE_OWN, CONFIDENCE_LIKELY, words);
    set(&hint->label, words);
    add_evidence(hint, EVIDENCE_PREVIOUS, 1, 3590 * S, words);
    set(&hint->fixes[hint->fix_count++], words);
    text_set_lines(&hint->patch, words, strlen(words), TEXT_LINE);
    set(&hint->commands[hint->command_count++], words);
    set(&scene->hints.state, words);
    set(&scene->hints.why[scene->hints.why_count++], words);
    set(&scene->hints.next, words);
    scene->hints.verdict = CAUSE_OWN;
    scene->files[EVIDENCE_PREVIOUS] = words;
}

static void assert_drawable(const struct buf *out, bool ascii)
{
    for (size_t i = 0; i < out->len; i++) {
        unsigned char byte = (unsigned char)out->data[i];
        assert_true(byte == '\n' || (byte >= 0x20 && byte != 0x7f));
        assert_true(!ascii || byte < 0x80);
    }
}

static void test_hostile(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof HOSTILE / sizeof HOSTILE[0]; i++) {
        for (int format = DIAGNOSIS_TEXT; format <= DIAGNOSIS_MARKDOWN; format++) {
            struct scene scene;
            struct buf out;
            struct json *document;
            scene_begin(&scene, true);
            scene_hostile(&scene, HOSTILE[i]);
            report(&scene, (enum diagnosis_format)format, format == DIAGNOSIS_TEXT, &out);
            assert_drawable(&out, format != DIAGNOSIS_MARKDOWN);
            if (format == DIAGNOSIS_JSON) {
                assert_int_equal(json_parse(buf_str(&out), out.len, OUTPUT_MAX, &document, NULL), STATUS_OK);
                json_free(document);
            }
            buf_free(&out);
            scene_end(&scene);
        }
    }
}

/* No row of backticks within is as long as the one around. */
static void test_markdown_pieces(void **state)
{
    static const struct {
        const char *words, *code, *block, *text;
    } ROWS[] = {
        {"plain", "`plain`", "```sh\nplain\n```\n", "plain"},
        {"a `b` c", "``a `b` c``", "```sh\na `b` c\n```\n", "a \\`b\\` c"},
        {"```", "```` ``` ````", "````sh\n```\n````\n", "\\`\\`\\`"},
        {"", "` `", "```sh\n```\n", ""},
        {"- a", "`- a`", "```sh\n- a\n```\n", "\\- a"},
        {"12. a", "`12. a`", "```sh\n12. a\n```\n", "12\\. a"},
        {"12 a", "`12 a`", "```sh\n12 a\n```\n", "12 a"},
        {"127.0.0.1 a", "`127.0.0.1 a`", "```sh\n127.0.0.1 a\n```\n", "127.0.0.1 a"},
        {"12.", "`12.`", "```sh\n12.\n```\n", "12\\."},
        {"<b>@x</b> #1", "`<b>@x</b> #1`", "```sh\n<b>@x</b> #1\n```\n", "\\<b\\>`@`x\\</b\\> \\#1"},
        {"http://x", "`http://x`", "```sh\nhttp://x\n```\n", "http:<!-- -->//x"},
        {"a\nb\n", "`a\nb\n`", "```sh\na\nb\n```\n", "a\nb\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct buf out;
        buf_init(&out, OUTPUT_MAX);
        markdown_code(ROWS[i].words, &out);
        assert_string_equal(buf_str(&out), ROWS[i].code);
        buf_clear(&out);
        markdown_block(ROWS[i].words, "sh", &out);
        assert_string_equal(buf_str(&out), ROWS[i].block);
        buf_clear(&out);
        markdown_words(ROWS[i].words, &out);
        assert_string_equal(buf_str(&out), ROWS[i].text);
        buf_free(&out);
    }
}

/* Lines end before the 81st column, unless a word or a command is longer. */
static void test_width(void **state)
{
    struct scene scene;
    struct buf out;
    (void)state;
    scene_begin(&scene, true);
    scene_oom(&scene);
    for (int i = 0; i < 60; i++)
        text_printf(&scene.hints.state, TEXT_LINE, "%s word%d", text_str(&scene.hints.state), i);
    report(&scene, DIAGNOSIS_TEXT, false, &out);
    for (const char *at = buf_str(&out); *at;) {
        size_t length = strcspn(at, "\n");
        assert_true(text_columns(at, length) <= 80);
        at += length + (at[length] == '\n');
    }
    buf_free(&out);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_text_without_dates),
        cmocka_unit_test(test_text_nothing_wrong),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_verdicts),
        cmocka_unit_test(test_markdown),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_markdown_pieces),
        cmocka_unit_test(test_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
