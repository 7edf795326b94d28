/* The real `probetop diagnose` on files and pipes as a shell gives them: what it exits with, what it says of input that is none, and that it needs no terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "tests/support/run.h"

struct place {
    char dir[64];
    struct run run;
};

static const char OOM[] =
    "INFO 11-24 06:20:00 [api_server.py:1] vLLM API server version 0.11.0\n"
    "\n"
    "(EngineCore_DP0 pid=33) ERROR 11-24 06:20:41 [core.py:7] torch.OutOfMemoryError: CUDA out of "
    "memory. Tried to allocate 2.00 GiB.\n";
static const char POD[] =
    "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"decode-0\",\"namespace\":\"llm-d\"},\"spec\":{"
    "\"containers\":[{\"name\":\"vllm\",\"image\":\"vllm/vllm-openai\"}]},\"status\":{\"phase\":"
    "\"Running\",\"containerStatuses\":[{\"name\":\"vllm\",\"restartCount\":2,\"state\":{"
    "\"waiting\":{\"reason\":\"CrashLoopBackOff\"}},\"lastState\":{\"terminated\":{\"exitCode\":1,"
    "\"reason\":\"Error\",\"finishedAt\":\"2026-11-24T06:20:50Z\"}}}]}}";

static void write_string(const struct place *place, const char *name, const char *string)
{
    run_directory_put(place->dir, name, string, strlen(string));
}

static int setup(void **state)
{
    struct place *place = mem_new(sizeof *place);
    assert_non_null(getenv("PROBETOP"));
    run_directory(place->dir);
    place->run.fd = -1;
    write_string(place, "oom.txt", OOM);
    write_string(place, "pod.json", POD);
    write_string(place, "empty.txt", "");
    write_string(place, "fine.txt",
                 "INFO 11-24 06:20:00 [api_server.py:1] vLLM API server version 0.11.0\n"
                 "INFO:     Application startup complete.\n");
    run_directory_put(place->dir, "wide.txt", "\xff\xfeI\0N\0", 6);
    run_directory_put(place->dir, "packed.gz", "\x1f\x8b\x08\0\0", 5);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    run_end(&place->run);
    run_directory_remove(place->dir);
    mem_free(place);
    return 0;
}

/* What a shell runs: "probetop" in it is the program. Returns its exit status; what it wrote is in place->run.out. */
static int shell(struct place *place, const char *script)
{
    char whole[4096];
    snprintf(whole, sizeof whole, "probetop() { \"$PROBETOP\" \"$@\"; }\n%s", script);
    run_end(&place->run);
    run_start(&place->run, (const char *const[]){"sh", "-c", whole, NULL}, place->dir, NULL);
    assert_true(run_wait_exit(&place->run));
    return run_code(&place->run);
}

static void assert_shell(struct place *place, const char *script, int code, const char *says)
{
    int got = shell(place, script);
    if (got != code || !strstr(buf_str(&place->run.out), says))
        fail_msg("%s: exit status %d, expected %d and \"%s\"; it said: %s", script, got, code, says,
                 buf_str(&place->run.out));
}

static void test_finds(void **state)
{
    static const char *const SCRIPTS[] = {
        "probetop diagnose --logs oom.txt",
        "probetop diagnose --logs=oom.txt 2>/dev/null",
        "cat oom.txt | probetop diagnose --logs -",
        "probetop diagnose --previous - <oom.txt",
        "probetop diagnose --pod pod.json --previous oom.txt --logs empty.txt",
        "probetop diagnose --describe oom.txt",
        "TERM= LANG=C probetop diagnose --logs oom.txt",
    };
    (void)state;
    for (size_t i = 0; i < sizeof SCRIPTS / sizeof SCRIPTS[0]; i++)
        assert_shell(*state, SCRIPTS[i], 1, "(certain, gpu-oom)");
}

static void test_quotes_the_line(void **state)
{
    assert_shell(*state, "probetop diagnose --logs oom.txt", 1, "  oom.txt:3");
    assert_shell(*state, "cat oom.txt | probetop diagnose --logs -", 1, "  standard input:3");
    assert_shell(*state, "probetop diagnose --pod pod.json --previous oom.txt", 1,
                 "kubectl -n llm-d logs decode-0 -c vllm --previous");
}

static void test_nothing_wrong(void **state)
{
    assert_shell(*state, "probetop diagnose --logs fine.txt", 0, "nothing wrong");
    assert_shell(*state, "probetop diagnose --logs fine.txt -o json", 0, "\"hints\":[],\"verdict\":\"healthy\"");
}

/* That a pod fails is found, also where nothing says of what. */
static void test_no_cause(void **state)
{
    assert_shell(*state, "echo 'decode-0 0/1 Error 3 5m' | probetop diagnose --describe -", 1, "no cause found");
    assert_shell(*state, "echo 'what is this' | probetop diagnose --logs -", 0, "no cause found");
}

static void test_forms(void **state)
{
    struct place *place = *state;
    struct json *document;
    assert_int_equal(shell(place, "probetop diagnose -o json --logs oom.txt"), 1);
    assert_int_equal(json_parse(buf_str(&place->run.out), place->run.out.len, place->run.out.len, &document, NULL),
                     STATUS_OK);
    const struct json *hint = json_first(json_get(document, "hints"));
    assert_string_equal(json_string(json_get(document, "schema")), "probetop.diagnosis/v1");
    assert_string_equal(json_string(json_get(hint, "cause")), "gpu-oom");
    assert_string_equal(json_string(json_get(hint, "confidence")), "certain");
    assert_int_equal(json_int(json_get(json_first(json_get(hint, "evidence")), "line"), 0), 3);
    assert_string_equal(json_string(json_get(json_first(json_get(hint, "evidence")), "source")), "logs");
    assert_true(json_count(json_get(hint, "fixes")) > 0);
    json_free(document);
    assert_shell(place, "probetop diagnose -o markdown --logs oom.txt", 1, "### ");
    assert_shell(place, "probetop diagnose -o yaml --logs oom.txt", 2, "text, json or markdown");
}

static void test_unusable(void **state)
{
    static const struct {
        const char *script, *says;
    } ROWS[] = {
        {"probetop diagnose", "--pod, --events, --describe, --logs and --previous"},
        {"probetop diagnose --logs nosuch.txt", "probetop: nosuch.txt: No such file or directory"},
        {"probetop diagnose --logs .", "probetop: .: Is a directory"},
        {"probetop diagnose --logs empty.txt", "probetop: empty.txt: empty"},
        {"probetop diagnose --logs - </dev/null", "probetop: standard input: empty"},
        {"probetop diagnose --pod empty.txt --logs oom.txt", "probetop: empty.txt: empty; expected a pod"},
        {"probetop diagnose --pod oom.txt", "probetop: oom.txt:"},
        {"echo '{\"kind\":\"Pod\"' | probetop diagnose --pod -", "probetop: standard input: "},
        {"probetop diagnose --events wide.txt --logs oom.txt", "wide.txt: UTF-16; convert it first"},
        {"probetop diagnose --logs packed.gz", "packed.gz: compressed; give it as: gzip -dc"},
        {"probetop diagnose --logs - --previous -", "cannot both be standard input"},
        {"probetop diagnose --logs oom.txt more", "more"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct place *place = *state;
        assert_shell(place, ROWS[i].script, 2, ROWS[i].says);
        char quiet[512];
        snprintf(quiet, sizeof quiet, "%s 2>/dev/null", ROWS[i].script);
        assert_int_equal(shell(place, quiet), 2);
        assert_int_equal(place->run.out.len, 0); /* all on standard error */
    }
}

/* Output that cannot be written is no success, and a reader who has seen enough ends it without noise. */
static void test_output_refused(void **state)
{
    assert_shell(*state, "probetop diagnose --logs oom.txt >/dev/full", 2, "No space left on device");
}

/* Of a log beyond all measure its beginning and its end are looked at, and lines keep their numbers. */
static void test_very_long_log(void **state)
{
    /* 40 MB in lines of 100 kB */
    assert_shell(
        *state,
        "{ head -c 40000000 /dev/zero | tr '\\0' x | fold -w 100000; echo; tail -n 1 oom.txt; } | probetop diagnose "
        "--logs - | tr '\\n' ' '; exit 0",
        0, "standard input:401");
    assert_true(strstr(buf_str(&((struct place *)*state)->run.out), "in its middle were not looked at") != NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_finds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quotes_the_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_cause, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unusable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_output_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_very_long_log, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
