/* What a real vLLM printed when it failed (tests/data/vllm): its cause comes first, and is told by a line that a person would quote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "kube/diagnosis.h"
#include "model/hints.h"
#include "tests/support/pod_file.h"

/* File names; the cause stands before the first dot. */
static const char *const logs[] = {
    "api-key.probes",
    "config-error.adapter",
    "config-error.architecture",
    "config-error.choice",
    "config-error.flag",
    "config-error.json",
    "config-error.length",
    "config-error.quantization",
    "config-error.ranks",
    "config-error.tokenizer",
    "crash-segfault.engine",
    "download-auth.forbidden",
    "download-auth.gated-401",
    "download-auth.gated-403",
    "download-auth.token",
    "download-network.broken",
    "download-network.limited",
    "download-network.offline",
    "download-network.refused",
    "download-not-found.file",
    "download-not-found.path",
    "download-not-found.repository",
    "download-not-found.repository-401",
    "download-not-found.revision",
    "engine-dead.killed",
    "healthy.serving",
    "kv-cache-too-small.length",
    "port-in-use.bind",
    "startup-budget-exceeded.loading",
    "weights-corrupt.missing",
    "weights-corrupt.pointer",
    "weights-corrupt.truncated",
};

static void read_log(const char *name, struct buf *out)
{
    char file[96];
    snprintf(file, sizeof file, "vllm/%s.txt", name);
    data_file(file, out);
}

/* The first cause of a log of that name, or "healthy" when there is no hint; and what it quotes first. */
static void first_cause(const char *name, char *cause, size_t cause_size, char *words, size_t words_size)
{
    struct buf log;
    struct fleet *fleet;
    struct hints hints;
    struct problem problem = {{0}};
    read_log(name, &log);
    struct diagnosis_texts texts = {.logs = {.name = name, .bytes = log.data, .length = log.len}};
    assert_int_equal(diagnosis_fleet(&texts, NULL, &fleet, &problem), STATUS_OK);
    pod_hints(fleet, fleet->pods[0], fleet->t, &hints);
    const struct hint *first = hints.count > 0 ? &hints.list[0] : NULL;
    snprintf(cause, cause_size, "%s", first ? cause_label(first->cause) : cause_label(CAUSE_HEALTHY));
    snprintf(words, words_size, "%s",
             first && first->evidence_count > 0 ? text_str(&first->evidence[0].words) : "nothing");
    hints_free(&hints);
    fleet_free(fleet);
    buf_free(&log);
}

static void test_causes(void **state)
{
    int wrong = 0;
    (void)state;
    for (size_t i = 0; i < sizeof logs / sizeof logs[0]; i++) {
        char cause[64], words[256], expected[64];
        snprintf(expected, sizeof expected, "%.*s", (int)strcspn(logs[i], "."), logs[i]);
        first_cause(logs[i], cause, sizeof cause, words, sizeof words);
        if (strcmp(cause, expected) != 0) {
            print_error("%s: %s, by \"%s\"\n", logs[i], cause, words);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* The line of a traceback that is source code tells less than the exception itself. */
static void test_no_source_code_is_quoted(void **state)
{
    int wrong = 0;
    (void)state;
    for (size_t i = 0; i < sizeof logs / sizeof logs[0]; i++) {
        char cause[64], words[256];
        first_cause(logs[i], cause, sizeof cause, words, sizeof words);
        if (strncmp(words, "raise ", 6) == 0 || strncmp(words, "File \"", 6) == 0) {
            print_error("%s: \"%s\"\n", logs[i], words);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_causes),
        cmocka_unit_test(test_no_source_code_is_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
