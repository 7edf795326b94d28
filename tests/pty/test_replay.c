/* A recording, replayed to its end, shows what the live run showed at its end: the same signs in the same colours, in every view. */
#include "tests/support/pty.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <vterm.h>

enum { ROWS = 40, COLUMNS = 120, QUIET_MS = 700, SETTLE_MAX = 200, PICTURE_MAX = 1 << 20 };

/* Every cell with its look, as bytes that can be compared. */
static void picture_take(struct pty *pty, struct buf *out)
{
    buf_clear(out);
    for (int row = 0; row < pty->rows; row++) {
        for (int column = 0; column < pty->columns; column++) {
            VTermScreenCell cell;
            vterm_screen_get_cell(pty->screen, (VTermPos){.row = row, .col = column}, &cell);
            vterm_screen_convert_color_to_rgb(pty->screen, &cell.fg);
            vterm_screen_convert_color_to_rgb(pty->screen, &cell.bg);
            buf_printf(out, "%d,%d %x/%d b%d u%d r%d %d.%d.%d %d.%d.%d\n", row, column,
                       cell.chars[0] != 0 ? (unsigned)cell.chars[0] : ' ', cell.width, cell.attrs.bold,
                       cell.attrs.underline, cell.attrs.reverse, cell.fg.rgb.red, cell.fg.rgb.green, cell.fg.rgb.blue,
                       cell.bg.rgb.red, cell.bg.rgb.green, cell.bg.rgb.blue);
        }
    }
}

/* Waits until nothing has been written for a while: the end of a story or a recording stands still. */
static void settle(struct pty *pty)
{
    for (int i = 0; i < SETTLE_MAX; i++)
        if (pty_pump(pty, QUIET_MS, true) == 0)
            return;
    pty_print(pty);
    fail_msg("the picture does not come to rest");
}

struct pictures {
    struct buf fleet, pod, events;
};

static void pictures_take(struct pty *pty, struct pictures *pictures)
{
    struct buf *all[] = {&pictures->fleet, &pictures->pod, &pictures->events};
    static const char *const keys[] = {"", "\r", "e"};
    for (size_t i = 0; i < 3; i++) {
        buf_init(all[i], PICTURE_MAX);
        pty_keys(pty, keys[i]);
        settle(pty);
        picture_take(pty, all[i]);
    }
}

static void pictures_free(struct pictures *pictures)
{
    buf_free(&pictures->fleet);
    buf_free(&pictures->pod);
    buf_free(&pictures->events);
}

/* The first place where two pictures differ, and the whole row there. The bottom line is left out: its keys are those that do something, and a replay has others. */
static void assert_same_picture(const char *view, const struct buf *live, const struct buf *replayed)
{
    char end[32];
    snprintf(end, sizeof end, "\n%d,0 ", ROWS - 1);
    const char *a = buf_str(live), *b = buf_str(replayed);
    size_t length = (size_t)(strstr(a, end) - a);
    assert_true(length > 0 && length < live->len);
    if (strncmp(a, b, length) != 0) {
        size_t at = 0;
        while (a[at] == b[at])
            at++;
        while (at > 0 && a[at - 1] != '\n')
            at--;
        fail_msg("%s view: live %.*s, replayed %.*s", view, (int)strcspn(a + at, "\n"), a + at,
                 (int)strcspn(b + at, "\n"), b + at);
    }
}

static void story_ends_alike(const char *story)
{
    static const char over[] = "  over  "; /* the header's word */
    char recording[] = "/tmp/probetop-replay-XXXXXX";
    assert_non_null(mkdtemp(recording));
    char file[64];
    snprintf(file, sizeof file, "%s/r.jsonl", recording);
    const char *const live[] = {"demo", story, "--speed", "60", "--record", file, NULL};
    struct pty *pty = pty_start(&(struct pty_options){.arguments = live, .rows = ROWS, .columns = COLUMNS});
    struct pictures shown, again;
    assert_true(pty_wait_text(pty, over));
    pictures_take(pty, &shown);
    pty_keys(pty, "Q");
    assert_true(pty_wait_exit(pty));
    pty_free(pty);

    const char *const replay[] = {"replay", file, "--speed", "1000", NULL};
    pty = pty_start(&(struct pty_options){.arguments = replay, .rows = ROWS, .columns = COLUMNS});
    assert_true(pty_wait_text(pty, over));
    pictures_take(pty, &again);
    pty_keys(pty, "Q");
    assert_true(pty_wait_exit(pty));
    pty_free(pty);

    assert_same_picture("fleet", &shown.fleet, &again.fleet);
    assert_same_picture("pod", &shown.pod, &again.pod);
    assert_same_picture("events", &shown.events, &again.events);
    pictures_free(&shown);
    pictures_free(&again);
    unlink(file);
    rmdir(recording);
}

static void a_dead_engine_ends_alike(void **state)
{
    (void)state;
    story_ends_alike("engine-dead");
}

static void flapping_ends_alike(void **state)
{
    (void)state;
    story_ends_alike("flapping");
}

int main(void)
{
    if (!pty_has_program()) {
        puts("1..0 # SKIP PROBETOP does not name the program");
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_dead_engine_ends_alike),
                                       cmocka_unit_test(flapping_ends_alike)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
