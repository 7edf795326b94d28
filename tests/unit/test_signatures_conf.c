/* The user's own signatures: what a file gives, and what is said of one that does not fit. */
#include "engine/signatures_conf.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct read {
    char path[64];
    struct signatures signatures;
    struct conf_problems problems;
};

static void read_string(struct read *read, const char *content)
{
    memset(read, 0, sizeof *read);
    snprintf(read->path, sizeof read->path, "/tmp/probetop-signatures-XXXXXX");
    int fd = mkstemp(read->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (int)strlen(content));
    close(fd);
    assert_int_equal(signatures_read(read->path, &read->signatures, &read->problems), STATUS_OK);
}

static void read_end(struct read *read)
{
    unlink(read->path);
    signatures_free(&read->signatures);
    assert_null(read->signatures.own);
    conf_problems_free(&read->problems);
}

static void test_whole(void **state)
{
    struct read read;
    (void)state;
    read_string(&read, "[old-driver]\n"
                       "pattern = requirement error*cuda>=\n"
                       "title = GPU driver too old on this node\n"
                       "confidence = certain\n"
                       "where = logs\n"
                       "fix = Move the pod.\n"
                       "command = kubectl -n {ns} get pod {pod} -o wide\n"
                       "pattern = driver of yesteryear\n"
                       "[gpu-oom]\n"
                       "pattern = the card is full\n");
    assert_int_equal(read.problems.count, 0);
    assert_int_equal(read.signatures.own_count, 3);
    const struct signature *own = read.signatures.own;
    assert_int_equal(own[0].cause, CAUSE_OWN);
    assert_string_equal(own[0].label, "old-driver");
    assert_string_equal(own[0].pattern, "requirement error*cuda>=");
    assert_string_equal(own[1].pattern, "driver of yesteryear");
    assert_string_equal(own[1].title, "GPU driver too old on this node");
    assert_string_equal(own[1].fix, "Move the pod.");
    assert_string_equal(own[1].command, "kubectl -n {ns} get pod {pod} -o wide");
    assert_int_equal(own[1].where, WHERE_LOGS);
    assert_int_equal(own[1].confidence, CONFIDENCE_CERTAIN);
    assert_int_equal(own[2].cause, CAUSE_GPU_OOM); /* a built-in label joins that cause */
    assert_int_equal(own[2].where, WHERE_ANY);
    assert_int_equal(own[2].confidence, CONFIDENCE_LIKELY);
    assert_null(own[2].title);
    assert_ptr_equal(signature_find(&read.signatures, "oh: THE CARD IS FULL again", EVIDENCE_EVENTS), &own[2]);
    assert_ptr_equal(signature_find(&read.signatures, "nvidia: requirement error: cuda>=12.4", EVIDENCE_LOGS), &own[0]);
    assert_ptr_not_equal(signature_find(&read.signatures, "requirement error: cuda>=12.4", EVIDENCE_EVENTS), &own[0]);
    read_end(&read);
}

static void test_problems(void **state)
{
    static const struct {
        const char *content;
        int line;
        const char *says;
        size_t left;
    } rows[] = {
        {"[a]\npattern = x y\nwhere = everywhere\n", 3, "expected logs, events, status or any", 1},
        {"[a]\npattern = x y\nconfidence = sure\n", 3, "expected certain, likely or possible", 1},
        {"[a]\npattern = x y\nregex = x.y\n", 3, "unknown key \"regex\"", 1},
        {"[a]\npattern = * *\npattern = x y\n", 2, "matches every line", 1},
        {"[a]\npattern =\npattern = x y\n", 2, "matches every line", 1},
        {"[a]\npattern = x y\ntitle = t\ntitle = u\n", 4, "a second time", 1},
        {"[a]\npattern = x y\nfix =\n", 3, "fix is empty", 1},
        {"[a b]\npattern = x y\n", 2, "letters, digits and dashes", 0},
        {"pattern = x y\n", 1, "letters, digits and dashes", 0},
        {"[healthy]\npattern = x y\n", 2, "nothing is wrong", 0},
        {"[a]\ntitle = no words to look for\n[b]\npattern = x y\n", 2, "[a] has no pattern", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct read read;
        char place[96];
        read_string(&read, rows[i].content);
        snprintf(place, sizeof place, "%s:%d: ", read.path, rows[i].line);
        assert_int_equal(read.problems.count, 1);
        const char *text = read.problems.list[0].text;
        if (strncmp(text, place, strlen(place)) != 0 || !strstr(text, rows[i].says) || !strstr(text, "expected"))
            fail_msg("expected \"%s... %s\", got \"%s\"", place, rows[i].says, text);
        assert_int_equal(read.signatures.own_count, rows[i].left);
        read_end(&read);
    }
}

static void test_bounds(void **state)
{
    struct read read;
    struct buf content;
    (void)state;
    buf_init(&content, 1 << 18);
    for (int i = 0; i < 300; i++)
        buf_printf(&content, "[s%d]\npattern = words %d\n", i, i);
    buf_puts(&content, "[s1]\n");
    for (int i = 0; i < 40; i++)
        buf_printf(&content, "pattern = more %d\n", i);
    read_string(&read, buf_str(&content));
    assert_int_equal(read.signatures.own_count, 256 + 31);
    assert_int_equal(read.problems.count, 44 + 9);
    read_end(&read);
    buf_free(&content);
}

static void test_none(void **state)
{
    struct signatures signatures = {0};
    struct conf_problems problems = {0};
    (void)state;
    assert_int_equal(signatures_read("/nowhere/signatures.conf", &signatures, &problems), STATUS_NOT_FOUND);
    assert_int_equal(problems.count, 0);
    assert_int_equal(signatures.own_count, 0);
    signatures_free(&signatures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
