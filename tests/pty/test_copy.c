/* The real program: what c, C and X do to the terminal and the disk. A recording is played to its end, so that the picture stands and each key's bytes are its own. */
#include "tests/support/pty.h"
#include "tests/support/run.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { TEXT_MAX = 4096, CARD_MAX = 1 << 20 };

struct scene {
    char dir[64], before[PATH_MAX]; /* the directory it runs in, and the test's own */
    char incident[PATH_MAX], hostile[PATH_MAX];
    struct pty *pty;
};

static void recording(const char *name, char out[PATH_MAX])
{
    char path[PATH_MAX / 2];
    const char *srcdir = getenv("srcdir");
    snprintf(path, sizeof path, "%s/tests/screen/%s.jsonl", srcdir ? srcdir : ".", name);
    if (!realpath(path, out))
        fail_msg("%s: %s", path, strerror(errno));
}

static int setup(void **state)
{
    static struct scene scene;
    assert_true(pty_has_program());
    recording("incident", scene.incident);
    recording("hostile", scene.hostile);
    assert_non_null(getcwd(scene.before, sizeof scene.before));
    run_directory(scene.dir);
    assert_int_equal(chdir(scene.dir), 0);
    scene.pty = NULL;
    *state = &scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    if (scene->pty)
        pty_free(scene->pty);
    assert_int_equal(chdir(scene->before), 0);
    run_directory_remove(scene->dir);
    return 0;
}

static struct pty *play(struct scene *scene, const char *path, const char *const *environment)
{
    const char *const arguments[] = {"replay", path, NULL};
    if (scene->pty)
        pty_free(scene->pty);
    scene->pty = pty_start(&(struct pty_options){.arguments = arguments, .environment = environment, .columns = 100});
    assert_true(pty_wait_text(scene->pty, " pods")); /* not every terminal has another screen */
    pty_keys(scene->pty, "}");
    assert_true(pty_wait_text(scene->pty, "over  "));
    return scene->pty;
}

/* ---- what came over the wire ---- */

static void base64_take(const char *digits, size_t length, char *out)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned group = 0, bits = 0;
    for (size_t i = 0; i < length && digits[i] != '='; i++) {
        const char *digit = strchr(DIGITS, digits[i]);
        assert_true(digit && *digit);
        group = group << 6 | (unsigned)(digit - DIGITS);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *out++ = (char)(group >> bits & 0xFF);
        }
    }
    *out = '\0';
}

/* Presses the key, waits for the words, and takes what went to the clipboard meanwhile. False: nothing did. */
static bool press_and_take(struct pty *pty, const char *key, const char *words, char out[TEXT_MAX])
{
    static const char BEGIN[] = "\033]52;c;";
    buf_clear(&pty->raw);
    pty_keys(pty, key);
    if (!pty_wait_text(pty, words)) {
        pty_print(pty);
        fail_msg("\"%s\" is not shown", words);
    }
    const char *bytes = buf_str(&pty->raw), *end;
    const char *found = memmem(bytes, pty->raw.len, BEGIN, strlen(BEGIN));
    if (!found)
        return false;
    found += strlen(BEGIN);
    end = strchr(found, '\a');
    assert_non_null(end);
    assert_true(end - found < TEXT_MAX);
    base64_take(found, (size_t)(end - found), out);
    return true;
}

/* ---- copying ---- */

static void copies(void **state)
{
    char text[TEXT_MAX], before[PTY_ROW_MAX], after[PTY_ROW_MAX];
    struct pty *pty = play(*state, ((struct scene *)*state)->incident, NULL);
    pty_row(pty, 3, before);
    assert_true(press_and_take(pty, "c", "copied the pod's name: decode-7f9c-x2k4q", text));
    assert_string_equal(text, "decode-7f9c-x2k4q");
    assert_true(press_and_take(pty, "C", "copied the command: kubectl -n llm-d", text));
    assert_memory_equal(text, "kubectl -n llm-d ", 17);
    assert_non_null(strstr(text, "decode-7f9c-x2k4q"));
    assert_true(press_and_take(pty, "jc", "copied the pod's name: decode-7f9c-9hw2p", text));
    assert_string_equal(text, "decode-7f9c-9hw2p");
    /* The same in the pod view; and the picture is as if nothing had been sent. */
    pty_keys(pty, "\r");
    assert_true(pty_wait_text(pty, "STAGES"));
    assert_true(press_and_take(pty, "c", "copied the pod's name: decode-7f9c-9hw2p", text));
    assert_string_equal(text, "decode-7f9c-9hw2p");
    pty_keys(pty, "\033");
    assert_true(pty_wait_no_text(pty, "STAGES"));
    assert_string_equal(pty_row(pty, 3, after) + 1, before + 1); /* but for the mark of the selected row */
    pty_keys(pty, "Q");
    assert_true(pty_wait_exit(pty));
    assert_true(pty_is_restored(pty));
}

static void through_multiplexers(void **state)
{
    static const struct {
        const char *environment[3], *bytes, *words;
    } ROWS[] = {
        {{"TERM=tmux-256color", "TMUX=/tmp/tmux-0/default,1,0", NULL},
         "\033Ptmux;\033\033]52;c;ZGVjb2RlLTdmOWMteDJrNHE=\a\033\\",
         "copied (if tmux has set-clipboard on) the pod's name: decode-7f9c-x2k4q"},
        {{"TERM=screen", "STY=1.pts-0.host", NULL},
         "\033P\033]52;c;ZGVjb2RlLTdmOWMteDJrNHE=\a\033\\",
         "copied the pod's name: decode-7f9c-x2k4q"},
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct pty *pty = play(scene, scene->incident, ROWS[i].environment);
        buf_clear(&pty->raw);
        pty_keys(pty, "c");
        assert_true(pty_wait_raw(pty, ROWS[i].bytes));
        assert_true(pty_wait_text(pty, ROWS[i].words));
    }
}

static void terminal_without(void **state)
{
    char text[TEXT_MAX];
    struct scene *scene = *state;
    struct pty *pty = play(scene, scene->incident, (const char *const[]){"TERM=linux", NULL});
    assert_false(press_and_take(pty, "c", "no clipboard here, select the pod's name: decode-7f9c-x2k4q", text));
}

/* ---- the card ---- */

/* The only file whose name is this long and ends so; the count of all. */
static int cards(const char *ending, char *out, size_t size)
{
    int count = 0;
    const struct dirent *entry;
    DIR *dir = opendir(".");
    while (dir && (entry = readdir(dir))) {
        size_t length = strlen(entry->d_name), tail = strlen(ending);
        if (entry->d_name[0] == '.')
            continue;
        count++;
        assert_memory_equal(entry->d_name, "probetop-", 9);
        if (length > tail && strcmp(entry->d_name + length - tail, ending) == 0)
            snprintf(out, size, "%s", entry->d_name);
    }
    if (dir)
        closedir(dir);
    return count;
}

static void card_read(const char *path, struct buf *out)
{
    char bytes[4096];
    struct stat info;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    buf_init(out, CARD_MAX);
    for (size_t got; (got = fread(bytes, 1, sizeof bytes, file)) > 0;)
        buf_append(out, bytes, got);
    fclose(file);
}

static void card(void **state)
{
    char name[256] = "", second[256] = "", words[512];
    struct buf first, again;
    struct scene *scene = *state;
    struct pty *pty = play(scene, scene->incident, NULL);
    pty_keys(pty, "X");
    snprintf(words, sizeof words, "the card is in %s/", scene->dir);
    assert_true(pty_wait_text(pty, words));
    assert_int_equal(cards("Z.md", name, sizeof name), 1);
    assert_memory_equal(name, "probetop-decode-7f9c-x2k4q-2", 28);
    card_read(name, &first);
    assert_non_null(strstr(buf_str(&first), "# decode-7f9c-x2k4q: Degraded\n"));
    assert_non_null(strstr(buf_str(&first), "## Timeline (UTC)"));
    /* The same moment again: nothing is overwritten. */
    assert_int_equal(chmod(name, 0644), 0);
    pty_keys(pty, "\fX");
    assert_true(pty_wait_text(pty, "-2.md"));
    assert_int_equal(cards("-2.md", second, sizeof second), 2);
    card_read(second, &again);
    assert_string_equal(buf_str(&first), buf_str(&again));
    buf_free(&first);
    buf_free(&again);
}

static void card_nowhere(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(mkdir("gone", 0700), 0);
    assert_int_equal(chdir("gone"), 0);
    assert_int_equal(rmdir("../gone"), 0);
    struct pty *pty = play(scene, scene->incident, NULL);
    pty_keys(pty, "X");
    assert_true(pty_wait_text(pty, "the card cannot be written to"));
    assert_true(pty_wait_text(pty, "No such file or directory"));
    pty_keys(pty, "Q");
    assert_true(pty_wait_exit(pty));
}

/* ---- names that would be commands ---- */

static void hostile(void **state)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    char text[TEXT_MAX], name[256] = "";
    struct scene *scene = *state;
    struct pty *pty = play(scene, scene->hostile, NULL);
    for (int pod = 0; pod < 4; pod++) {
        struct buf content;
        assert_true(press_and_take(pty, pod > 0 ? "jc" : "c", "copied the pod's name:", text));
        for (const char *at = text; *at; at++)
            assert_true((unsigned char)*at >= ' ' && *at != 0x7F);
        pty_keys(pty, "X");
        assert_true(pty_wait_text(pty, "the card is in"));
        assert_int_equal(cards("Z.md", name, sizeof name), 1);
        assert_int_equal(strspn(name, PLAIN), strlen(name));
        card_read(name, &content);
        for (size_t i = 0; i < content.len; i++)
            assert_true((unsigned char)content.data[i] >= ' ' || content.data[i] == '\n');
        buf_free(&content);
        assert_int_equal(unlink(name), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(copies, setup, teardown),
                                       cmocka_unit_test_setup_teardown(through_multiplexers, setup, teardown),
                                       cmocka_unit_test_setup_teardown(terminal_without, setup, teardown),
                                       cmocka_unit_test_setup_teardown(card, setup, teardown),
                                       cmocka_unit_test_setup_teardown(card_nowhere, setup, teardown),
                                       cmocka_unit_test_setup_teardown(hostile, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
