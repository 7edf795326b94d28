/* Commands that are pasted into a shell do what they say, reach the same cluster, or are not shown at all. */
#include "model/command.h"
#include "tests/support/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void words_are_quoted(void **state)
{
    static const struct {
        const char *word, *quoted;
    } rows[] = {{"decode-0", "decode-0"},
                {"", "''"},
                {"a b", "'a b'"},
                {"$(rm -rf ~)", "'$(rm -rf ~)'"},
                {"it's", "'it'\\''s'"},
                {"a=b,c:d/e@f%g+h", "a=b,c:d/e@f%g+h"},
                {"x;y", "'x;y'"},
                {"*", "'*'"},
                {"`id`", "'`id`'"},
                {"~root", "'~root'"},
                {"caf\xc3\xa9", "'caf\xc3\xa9'"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out;
        buf_init(&out, COMMAND_BYTES_MAX);
        command_put_word(&out, rows[i].word);
        assert_string_equal(buf_str(&out), rows[i].quoted);
        buf_free(&out);
    }
}

static void fills(struct story *story, const char *template, const char *expected)
{
    struct text out = {0};
    story_tell(story);
    assert_int_equal(command_fill(template, story_pod(story), &out), expected != NULL);
    assert_string_equal(text_str(&out), expected ? expected : "");
    text_free(&out);
}

static void templates_are_filled_or_not_at_all(void **state)
{
    struct story s;
    (void)state;
    story_begin(&s, true, 8000, 8200);
    fills(&s, "{kubectl} logs {pod} -c {container}", "kubectl -n llm-d logs decode-0 -c vllm");
    fills(&s, "curl http://localhost:{port}{path} {vllm_port}", "curl http://localhost:8000/v1/models 8200");
    fills(&s, "jsonpath='{.status.phase}' {pod} {unclosed", "jsonpath='{.status.phase}' decode-0 {unclosed");
    fills(&s, "kubectl describe node {node}", NULL); /* not known */
    fills(&s, "kubectl rollout status {workload}", NULL);
    fills(&s, "{secret}", NULL); /* no such name */
    text_set_str(&s.facts.node, "gpu-1", TEXT_NAME);
    text_set_str(&s.facts.workload, "deploy/decode", TEXT_NAME);
    fills(&s, "{kubectl} describe node {node}; {workload} {ns}",
          "kubectl -n llm-d describe node gpu-1; deploy/decode llm-d");
    text_set_str(&s.facts.kubeconfig, "/k/my config", TEXT_NAME);
    text_set_str(&s.facts.context, "prod", TEXT_NAME);
    text_set_str(&s.facts.cluster, "east", TEXT_NAME);
    text_set_str(&s.facts.user, "admin", TEXT_NAME);
    text_set_str(&s.facts.as, "jane", TEXT_NAME);
    fills(&s, "{kubectl} get pods",
          "kubectl --kubeconfig='/k/my config' --context=prod --cluster=east --user=admin --as=jane -n llm-d get pods");
    story_end(&s);
}

/* A name that cannot be said exactly, or would be taken for an option, makes no command. */
static void hostile_names(void **state)
{
    static const char *const names[] = {"--token=x", "-n", "a\033[2J", "\xe2\x80\xaex", ""};
    struct story s;
    (void)state;
    story_begin(&s, true, 8000, 8000);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        text_set_str(&s.facts.name, names[i], TEXT_NAME);
        fills(&s, "{kubectl} logs {pod}", NULL);
    }
    char longest[2048];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    text_set_str(&s.facts.name, "x", TEXT_NAME);
    text_set_str(&s.facts.context, longest, sizeof longest);
    fills(&s, "{kubectl} logs {pod}", NULL); /* half a command is none */
    story_end(&s);
}

static void by_hand(void **state)
{
    static const struct {
        const char *address, *path;
        bool https;
        const char *expected;
    } rows[] = {
        {"127.0.0.1:8000", "/v1/models", false, "curl -sv --max-time 2 http://127.0.0.1:8000/v1/models"},
        {"[::1]:8000", "/health", false, "curl -sv --max-time 2 'http://[::1]:8000/health'"},
        {"gpu-1", "/x?a=1&b=2", true, "curl -svk --max-time 2 'https://gpu-1:8000/x?a=1&b=2'"},
        {"unix:/run/v.sock", "/health", false,
         "curl -sv --max-time 2 --unix-socket /run/v.sock http://localhost/health"},
        {"", "/health", false, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct story s;
        struct text out = {0};
        story_begin(&s, false, 8000, 8000);
        probe_spec_http(&s.facts.probes[LANE_READINESS], rows[i].path, 8000);
        s.facts.probes[LANE_READINESS].timeout = 2;
        s.facts.probes[LANE_READINESS].https = rows[i].https;
        text_set_str(&s.facts.address, rows[i].address, TEXT_NAME);
        story_tell(&s);
        assert_int_equal(command_curl(story_pod(&s), LANE_READINESS, &out), rows[i].expected != NULL);
        assert_string_equal(text_str(&out), rows[i].expected ? rows[i].expected : "");
        fills(&s, "{kubectl} logs {pod}", NULL); /* there is no cluster */
        text_free(&out);
        story_end(&s);
    }
    struct story s;
    struct text out = {0};
    story_begin(&s, true, 8000, 8000);
    assert_false(command_curl(story_pod(&s), LANE_READINESS, &out));
    story_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_quoted),
        cmocka_unit_test(templates_are_filled_or_not_at_all),
        cmocka_unit_test(hostile_names),
        cmocka_unit_test(by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
