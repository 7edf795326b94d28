/* Memory: zeroed, checked for overflow, and an end with a message when there is none. */
#include "base/mem.h"

#include <sys/wait.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Under AddressSanitizer a size beyond all measure ends the process, unless told otherwise. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void test_zeroed(void **state)
{
    (void)state;
    unsigned char *bytes = mem_array(100, 10);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(bytes[i], 0);
    bytes = mem_resize(bytes, 2000, 1);
    assert_int_equal(bytes[999], 0);
    mem_free(bytes);
    mem_free(mem_new(0));
    mem_free(mem_array(0, 8));
    mem_free(mem_resize(NULL, 0, 0));
    mem_free(NULL);
}

static void test_dup(void **state)
{
    (void)state;
    assert_null(mem_dup(NULL));
    char *copy = mem_dup("abc");
    assert_string_equal(copy, "abc");
    mem_free(copy);
    copy = mem_dup_n("a\0bcdef", 4);
    assert_memory_equal(copy, "a\0bc\0", 5);
    mem_free(copy);
    copy = mem_dup_n(NULL, 0);
    assert_string_equal(copy, "");
    mem_free(copy);
}

static void ask_too_much(int row)
{
    switch (row) {
    case 0:
        mem_free(mem_array(SIZE_MAX / 2, 3));
        break;
    case 1:
        mem_free(mem_resize(NULL, SIZE_MAX, 2));
        break;
    case 2:
        mem_free(mem_new(SIZE_MAX / 4));
        break;
    default:
        mem_free(mem_resize(NULL, SIZE_MAX / 4, 1));
        break;
    }
}

static void test_exhaustion_ends_the_process(void **state)
{
    (void)state;
    for (int row = 0; row < 4; row++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            dup2(ends[1], STDERR_FILENO);
            ask_too_much(row);
            _exit(0);
        }
        close(ends[1]);
        char said[65536] = "";
        size_t used = 0;
        for (ssize_t count; (count = read(ends[0], said + used, sizeof said - 1 - used)) > 0;)
            used += (size_t)count;
        close(ends[0]);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 2);
        assert_non_null(strstr(said, "probetop: out of memory\n"));
    }
}

#ifdef __GLIBC__
/* KB of files in memory, as the kernel counts them for us. */
static long resident_files(void)
{
    char line[128];
    long kilobytes = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && kilobytes < 0 && fgets(line, sizeof line, file))
        if (strncmp(line, "RssFile:", 8) == 0)
            kilobytes = strtol(line + 8, NULL, 10);
    if (file)
        fclose(file);
    return kilobytes;
}

/* What was written to stays, what is only read comes again. */
static void test_shed(void **state)
{
    static char written[] = "before";
    static const char *const relocated[] = {"a", "b"}; /* pointers that were made when the program was linked */
    (void)state;
    memcpy(written, "after!", sizeof written);
    char *owned = mem_dup("owned");
    long before = resident_files();
    mem_shed();
    long after = resident_files();
    assert_string_equal(written, "after!");
    assert_string_equal(owned, "owned");
    assert_string_equal(relocated[1], "b");
    assert_true(before > 0 && after < before);
    mem_free(owned);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeroed),
        cmocka_unit_test(test_dup),
        cmocka_unit_test(test_exhaustion_ends_the_process),
#ifdef __GLIBC__
        cmocka_unit_test(test_shed),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
