/* The disk under the live journal is full, for real: a small file system of memory, mounted where nobody else sees it. The dashboard goes on, or says that it cannot. */
#include "base/clock.h"
#include "tests/support/pty.h"
#include "tests/support/unshare.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char dir[64];
    char state[96], run[96]; /* the small file system; where the journal may go on */
    char state_variable[128], run_variable[128], temporary_variable[128];
};

static int group_setup(void **state)
{
    static bool able;
    able = pty_has_program() && unshare_own(CLONE_NEWNS) && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    if (!able)
        print_message("           no program, or no mounts of our own: %s\n", strerror(errno));
    *state = &able;
    return 0;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    (void)about;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void place_make(struct place *place)
{
    snprintf(place->dir, sizeof place->dir, "/tmp/probetop-disk-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    snprintf(place->state, sizeof place->state, "%s/state", place->dir);
    snprintf(place->run, sizeof place->run, "%s/run", place->dir);
    assert_int_equal(mkdir(place->state, 0700), 0);
    assert_int_equal(mkdir(place->run, 0700), 0);
    assert_int_equal(mount("none", place->state, "tmpfs", 0, "size=256k,mode=0700"), 0);
    snprintf(place->state_variable, sizeof place->state_variable, "XDG_STATE_HOME=%s", place->state);
    snprintf(place->run_variable, sizeof place->run_variable, "XDG_RUNTIME_DIR=%s", place->run);
    snprintf(place->temporary_variable, sizeof place->temporary_variable, "TMPDIR=%s", place->state);
}

static void place_remove(struct place *place)
{
    umount2(place->state, MNT_DETACH);
    nftw(place->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Takes all the room there is. */
static void fill(const struct place *place)
{
    char path[128];
    static const char bytes[4096] = "x";
    snprintf(path, sizeof path, "%s/filler", place->state);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, bytes, sizeof bytes) > 0) {
    }
    assert_int_equal(errno, ENOSPC);
    close(fd);
}

static int entries(const char *path)
{
    int count = 0;
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    if (dir != NULL)
        closedir(dir);
    return count;
}

static struct pty *watch(const struct place *place, const char *speed)
{
    const char *const environment[] = {place->state_variable, place->run_variable, place->temporary_variable, NULL};
    const char *const arguments[] = {"demo", "hang", speed, NULL};
    struct pty *pty = pty_start(
        &(struct pty_options){.arguments = arguments, .environment = environment, .rows = 120, .columns = 120});
    if (!pty_wait_screen(pty) || !pty_wait_text(pty, "demo: hang")) {
        pty_print(pty);
        fail_msg("no screen");
    }
    return pty;
}

static void expect_text(struct pty *pty, const char *text)
{
    if (!pty_wait_text(pty, text)) {
        pty_print(pty);
        fail_msg("never on the screen: %s", text);
    }
}

static bool has_left_screen(struct pty *pty, const void *user)
{
    (void)user;
    return !pty->alternate;
}

static void quit(struct pty *pty)
{
    pty_keys(pty, "Q");
    assert_true(pty_wait_exit(pty));
    assert_true(WIFEXITED(pty->status));
    assert_int_equal(WEXITSTATUS(pty->status), 0);
    assert_true(pty_wait_alone(pty));
    assert_true(pty_wait(pty, has_left_screen, NULL, PTY_WAIT_MS));
}

/* The story is seen to its end, though the disk was full from its beginning on; and at a normal end nothing is left in either place. */
static void the_watching_goes_on(void **state)
{
    struct place place = {0};
    char below[128];
    if (!*(const bool *)*state)
        skip();
    place_make(&place);
    struct pty *pty = watch(&place, "--speed=64");
    fill(&place);
    pty_keys(pty, "?");
    expect_text(pty, "the journal goes on in");
    assert_int_equal(entries(place.run), 1);
    pty_keys(pty, "\x1b");
    expect_text(pty, "probes/s  over");
    expect_text(pty, "3 Ready");
    quit(pty);
    assert_int_equal(entries(place.run), 0);
    snprintf(below, sizeof below, "%s/probetop", place.state);
    assert_int_equal(entries(below), 0);
    pty_free(pty);
    place_remove(&place);
}

/* Whoever is left alone with the shell hears of both places. */
static void both_places_are_named(void **state)
{
    struct place place = {0};
    if (!*(const bool *)*state)
        skip();
    place_make(&place);
    struct pty *pty = watch(&place, "--speed=64");
    fill(&place);
    pty_keys(pty, "?");
    expect_text(pty, "the journal goes on in");
    assert_int_equal(kill(pty_engine(pty), SIGKILL), 0);
    assert_true(pty_wait_exit(pty));
    assert_true(pty_wait_raw(pty, " and then "));
    assert_int_equal(WEXITSTATUS(pty->status), 2);
    assert_int_equal(entries(place.run), 1);
    pty_free(pty);
    place_remove(&place);
}

/* No other place serves: the last word is on the screen, time stands there, and it can be left as ever. */
static void there_is_no_other_place(void **state)
{
    struct place place = {0};
    char below[128];
    if (!*(const bool *)*state)
        skip();
    place_make(&place);
    assert_int_equal(mount("none", place.run, "tmpfs", MS_RDONLY, "size=4k"), 0);
    if (mount("none", "/dev/shm", "tmpfs", MS_RDONLY, "size=4k") != 0)
        skip();
    struct pty *pty = watch(&place, "--speed=16");
    fill(&place);
    expect_text(pty, "the picture stands still");
    expect_text(pty, "probes/s  over");
    pty_keys(pty, "?"); /* it still answers */
    expect_text(pty, "one line up");
    quit(pty);
    snprintf(below, sizeof below, "%s/probetop", place.state);
    assert_int_equal(entries(below), 0);
    pty_free(pty);
    umount2("/dev/shm", MNT_DETACH);
    umount2(place.run, MNT_DETACH);
    place_remove(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_watching_goes_on),
        cmocka_unit_test(both_places_are_named),
        cmocka_unit_test(there_is_no_other_place),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
