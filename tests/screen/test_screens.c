/* Whole screens as literal text: a journal and keys in, the picture out, compared with tests/screen/NAME.screen. With BLESS=1 in the environment the pictures are written anew (and journals that are
 * missing are made): read the difference before you commit it. */
#include "base/clock.h"
#include "engine/journal.h"
#include "tests/support/fleet_fixture.h"
#include "tui/app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* Keys: characters as they are, others as <Enter>, <Esc>, <Down>, <Tab>, <PageDown>, <End>. */
enum playback { LIVE, FROZEN, BACK, REPLAY, REPLAY_PAUSED, REPLAY_OVER };
struct scene {
    const char *name, *journal;
    int columns, rows;
    bool ascii, styles;
    const char *keys;
    enum playback playback;
};

static const struct scene SCENES[] = {
    {"incident-40x10", "incident", 40, 10, false, false, "", LIVE},
    {"incident-40x10-ascii", "incident", 40, 10, true, false, "", LIVE},
    {"incident-80x24", "incident", 80, 24, false, true, "", LIVE},
    {"incident-80x24-ascii", "incident", 80, 24, true, false, "", LIVE},
    {"incident-120x40", "incident", 120, 40, false, true, "", LIVE},
    {"incident-120x40-ascii", "incident", 120, 40, true, false, "", LIVE},
    {"incident-250x80", "incident", 250, 80, false, false, "", LIVE},
    {"incident-wide", "incident", 132, 24, false, false, "w", LIVE},
    {"incident-second", "incident", 120, 24, false, false, "j", LIVE},
    {"incident-filter", "incident", 120, 24, false, false, "/pre", LIVE},
    {"incident-filter-not", "incident", 120, 24, false, false, "/!decode<Enter>", LIVE},
    {"incident-filter-none", "incident", 80, 24, false, false, "/nosuch<Enter>", LIVE},
    {"incident-faults", "incident", 120, 24, false, false, "!", LIVE},
    {"incident-sort-name", "incident", 120, 24, false, false, "s", LIVE},
    {"incident-sort-inverted", "incident", 120, 24, false, false, "sI", LIVE},
    {"incident-zoom", "incident", 120, 24, false, false, "---", LIVE},
    {"incident-scrolled", "incident", 80, 14, false, false, "<End>", LIVE},
    {"pod-sick-40x10", "incident", 40, 10, false, false, "<Enter>", LIVE},
    {"pod-sick-80x24", "incident", 80, 24, false, false, "<Enter>", LIVE},
    {"pod-sick-80x24-ascii", "incident", 80, 24, true, false, "<Enter>", LIVE},
    {"pod-sick-120x40", "incident", 120, 40, false, true, "<Enter>", LIVE},
    {"pod-loading-80x24-end", "incident", 80, 24, false, false, "j<Enter>G", LIVE},
    {"pod-loading-120x40", "incident", 120, 40, false, true, "j<Enter>", LIVE},
    {"pod-loading-120x40-ascii", "incident", 120, 40, true, false, "j<Enter>", LIVE},
    {"pod-slow-250x80", "incident", 250, 80, false, false, "<Enter><Tab><Tab>", LIVE},
    {"pod-near-limit-120x40", "incident", 120, 40, false, true, "jjjj<Enter>", LIVE},
    {"pod-near-limit-80x24-ascii", "incident", 80, 24, true, false, "jjjj<Enter><PageDown>", LIVE},
    {"pod-sidecar-120x40", "sidecar", 120, 40, false, true, "j<Enter>", LIVE},
    {"pod-sidecar-80x24-ascii", "sidecar", 80, 24, true, false, "j<Enter>", LIVE},
    {"pod-refused-80x24-end", "sidecar", 80, 24, false, false, "<Enter>G", LIVE},
    {"logs-40x10", "incident", 40, 10, false, false, "jl", LIVE},
    {"logs-80x24", "incident", 80, 24, false, false, "jl", LIVE},
    {"logs-80x24-up", "incident", 80, 24, false, false, "jlkk", LIVE},
    {"logs-120x40-filter", "incident", 120, 40, false, false, "jl/LOADING<Enter>", LIVE},
    {"logs-none-80x24", "incident", 80, 24, false, false, "Gl", LIVE},
    {"events-80x24", "incident", 80, 24, false, false, "je", LIVE},
    {"events-120x40-ascii", "incident", 120, 40, true, false, "je", LIVE},
    {"help-40x10", "incident", 40, 10, false, false, "?", LIVE},
    {"help-80x24", "incident", 80, 24, false, false, "?", LIVE},
    {"help-120x40-end", "incident", 120, 40, false, false, "?G", LIVE},
    {"help-80x24-ascii-filter", "incident", 80, 24, true, false, "?/restart<Enter>", LIVE},
    {"copy-name-80x24", "incident", 80, 24, false, false, "jc", LIVE},
    {"copy-command-40x10", "incident", 40, 10, true, false, "C", LIVE},
    {"copy-command-80x24", "incident", 80, 24, false, true, "<Enter>C", LIVE},
    {"copy-command-none-80x24", "healthy", 80, 24, false, false, "C", LIVE},
    {"frozen-120x24", "healthy", 120, 24, false, true, "", FROZEN},
    {"frozen-40x10", "healthy", 40, 10, false, false, "", FROZEN},
    {"back-in-time-120x24", "incident", 120, 24, false, true, "", BACK},
    {"back-in-time-80x24", "incident", 80, 24, false, false, "<Enter>", BACK},
    {"back-before-40x10", "empty", 40, 10, false, false, "", BACK},
    {"replay-120x24", "healthy", 120, 24, false, false, "", REPLAY},
    {"replay-paused-80x24-ascii", "incident", 80, 24, true, false, "", REPLAY_PAUSED},
    {"replay-over-120x24", "incident", 120, 24, false, false, "", REPLAY_OVER},
    {"healthy-80x24", "healthy", 80, 24, false, true, "", LIVE},
    {"healthy-120x40", "healthy", 120, 40, false, true, "", LIVE},
    {"healthy-120x40-ascii", "healthy", 120, 40, true, false, "", LIVE},
    {"healthy-pod-120x40", "healthy", 120, 40, false, false, "<Enter>", LIVE},
    {"healthy-faults", "healthy", 80, 24, false, false, "!", LIVE},
    {"hostile-40x10", "hostile", 40, 10, false, false, "", LIVE},
    {"hostile-120x40", "hostile", 120, 40, false, true, "", LIVE},
    {"hostile-120x40-ascii", "hostile", 120, 40, true, false, "", LIVE},
    {"hostile-pod-80x24", "hostile", 80, 24, false, false, "<Enter>", LIVE},
    {"hostile-logs-80x24", "hostile", 80, 24, false, true, "l", LIVE},
    {"hostile-logs-80x24-ascii", "hostile", 80, 24, true, false, "l", LIVE},
    {"hostile-events-80x24", "hostile", 80, 24, false, false, "e", LIVE},
};
enum { SCENE_COUNT = sizeof SCENES / sizeof *SCENES, FILE_MAX = 16 << 20 };

static bool blessing(void)
{
    const char *bless = getenv("BLESS");
    return bless && *bless;
}

static const char *scene_path(const char *name, const char *ending, char *out, size_t size)
{
    const char *srcdir = getenv("srcdir");
    snprintf(out, size, "%s/tests/screen/%s.%s", srcdir ? srcdir : ".", name, ending);
    return out;
}

static void file_write(const char *path, const struct buf *content)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(buf_str(content), 1, content->len, file), content->len);
    assert_int_equal(fclose(file), 0);
}

static bool file_read(const char *path, struct buf *content)
{
    char block[65536];
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    for (size_t got; (got = fread(block, 1, sizeof block, file)) > 0;)
        buf_append(content, block, got);
    fclose(file);
    return true;
}

static void journal_make(const char *name, const char *path)
{
    static const struct {
        const char *name;
        void (*make)(struct fixture *, bool);
    } MAKERS[] = {{"incident", fixture_incident}, {"healthy", fixture_healthy}, {"hostile", fixture_hostile}};
    for (size_t i = 0; i < sizeof MAKERS / sizeof *MAKERS; i++) {
        struct fixture fixture;
        if (strcmp(name, MAKERS[i].name) != 0)
            continue;
        MAKERS[i].make(&fixture, true);
        file_write(path, &fixture.journal);
        fixture_end(&fixture);
    }
}

/* Folds a whole journal; *now becomes the first whole second after its last fact. */
static struct fleet *fleet_read(const char *name, int64_t *now)
{
    char path[512];
    struct stat there;
    struct journal_reader *reader;
    struct problem problem = {""};
    struct fact fact;
    scene_path(name, "jsonl", path, sizeof path);
    if (blessing() && stat(path, &there) != 0)
        journal_make(name, path);
    if (journal_open(path, &reader, &problem) != STATUS_OK)
        fail_msg("%s: %s", path, problem.text);
    struct fleet *fleet = fleet_new(fleet_limits_reader());
    for (enum status status;
         (status = journal_next(reader, &fact, &problem)) != STATUS_AGAIN && status != STATUS_END;) {
        if (status != STATUS_OK)
            fail_msg("%s: %s", path, problem.text);
        fleet_apply(fleet, &fact);
        fact_free(&fact);
    }
    journal_reader_free(reader);
    *now = (fleet->t / SECOND_US + 1) * SECOND_US;
    return fleet;
}

/* Takes the next key off `*keys`. */
static int next_key(const char **keys)
{
    static const struct {
        const char *name;
        int key;
    } NAMES[] = {{"<Enter>", KEY_ENTER_},        {"<Esc>", KEY_ESCAPE_}, {"<Down>", KEY_DOWN_}, {"<Tab>", KEY_TAB_},
                 {"<PageDown>", KEY_PAGE_DOWN_}, {"<End>", KEY_END_},    {"<Home>", KEY_HOME_}, {"<Up>", KEY_UP_},
                 {"<Left>", KEY_LEFT_},          {"<Right>", KEY_RIGHT_}};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        size_t length = strlen(NAMES[i].name);
        if (strncmp(*keys, NAMES[i].name, length) == 0) {
            *keys += length;
            return NAMES[i].key;
        }
    }
    return (unsigned char)*(*keys)++;
}

static struct app *app_make(bool ascii, enum playback playback, int64_t now)
{
    bool replay = playback >= REPLAY;
    struct app_options options = {.ascii = ascii, .replay = replay, .clipboard = "copied"};
    keymap_default(&options.keymap);
    struct app *app = app_new(&options);
    bool paused = playback == FROZEN || playback == BACK || playback == REPLAY_PAUSED;
    app_set_playback(app, paused, replay ? 8 : 1, playback == REPLAY_OVER, playback == BACK);
    if (playback == BACK)
        app_set_live(app, now + 130 * (int64_t)SECOND_US);
    return app;
}

static void scene_paint(const struct scene *scene, const struct fleet *fleet, int64_t now, struct canvas *canvas)
{
    struct app *app = app_make(scene->ascii, scene->playback, now);
    canvas_init(canvas, scene->columns, scene->rows, scene->ascii);
    app_paint(app, fleet, now, canvas);
    for (const char *keys = scene->keys; *keys;) {
        app_key(app, fleet, now, next_key(&keys));
        app_paint(app, fleet, now, canvas);
    }
    app_free(app);
}

/* Prints the lines that differ. */
static void difference_print(const char *name, const char *expected, const char *found)
{
    fprintf(stderr, "%s: - as it should be, + as it is\n", name);
    for (int line = 1; *expected || *found; line++) {
        size_t e = strcspn(expected, "\n"), f = strcspn(found, "\n");
        if (e != f || memcmp(expected, found, e) != 0)
            fprintf(stderr, "%3d - %.*s\n    + %.*s\n", line, (int)e, expected, (int)f, found);
        expected += e + (expected[e] == '\n');
        found += f + (found[f] == '\n');
    }
}

static void screens_are_as_blessed(void **state)
{
    int failed = 0;
    (void)state;
    for (int i = 0; i < SCENE_COUNT; i++) {
        const struct scene *scene = &SCENES[i];
        char path[512];
        int64_t now;
        struct canvas canvas;
        struct buf found, expected;
        struct fleet *fleet = fleet_read(scene->journal, &now);
        buf_init(&found, FILE_MAX);
        buf_init(&expected, FILE_MAX);
        scene_paint(scene, fleet, now, &canvas);
        canvas_dump(&canvas, scene->styles, &found);
        scene_path(scene->name, "screen", path, sizeof path);
        if (blessing())
            file_write(path, &found);
        bool there = file_read(path, &expected);
        if (!there || strcmp(buf_str(&expected), buf_str(&found)) != 0) {
            difference_print(scene->name, buf_str(&expected), buf_str(&found));
            failed++;
        }
        canvas_free(&canvas);
        buf_free(&found);
        buf_free(&expected);
        fleet_free(fleet);
    }
    assert_int_equal(failed, 0);
}

static bool canvas_equal(const struct canvas *a, const struct canvas *b)
{
    for (int i = 0; i < a->columns * a->rows; i++)
        if (!canvas_cell_equal(&a->cells[i], &b->cells[i]))
            return false;
    return true;
}

static bool printable(uint32_t codepoint)
{
    return codepoint >= 0x20 && (codepoint < 0x7F || codepoint > 0x9F) && codepoint != 0xAD && codepoint != 0xFEFF &&
           codepoint != 0x3164 && (codepoint < 0x200B || codepoint > 0x200F) &&
           (codepoint < 0x2028 || codepoint > 0x202E) && (codepoint < 0x2060 || codepoint > 0x206F);
}

/* Whatever names, bodies and lines hold, cells hold nothing that moves a cursor or turns a line round; and in ASCII nothing but ASCII. */
static void nothing_hostile_comes_through(void **state)
{
    (void)state;
    for (int i = 0; i < SCENE_COUNT; i++) {
        int64_t now;
        struct canvas canvas;
        struct fleet *fleet = fleet_read(SCENES[i].journal, &now);
        scene_paint(&SCENES[i], fleet, now, &canvas);
        for (int c = 0; c < canvas.columns * canvas.rows; c++) {
            const struct cell *cell = &canvas.cells[c];
            assert_true(cell->columns == 0 || printable(cell->codepoint[0]));
            for (int mark = 1; mark < 3; mark++)
                assert_true(cell->codepoint[mark] == 0 || printable(cell->codepoint[mark]));
            assert_true(!canvas.ascii || (cell->codepoint[0] < 0x7F && cell->columns == 1));
            assert_true(cell->columns != 2 || ((c + 1) % canvas.columns != 0 && cell[1].columns == 0));
        }
        canvas_free(&canvas);
        fleet_free(fleet);
    }
}

/* Nothing changes by time alone before app_next_change() says so; and looking twice changes nothing. */
static void time_alone_changes_nothing_early(void **state)
{
    static const char *const JOURNALS[] = {"incident", "healthy", "hostile"}, *const KEYS[] = {"", "<Enter>", "l", "?"};
    (void)state;
    for (size_t j = 0; j < 3; j++) {
        int64_t start;
        struct fleet *fleet = fleet_read(JOURNALS[j], &start);
        for (size_t k = 0; k < 4; k++) {
            struct app *app = app_make(false, LIVE, 0);
            struct canvas before, after;
            canvas_init(&before, 120, 40, false);
            canvas_init(&after, 120, 40, false);
            app_paint(app, fleet, start, &before);
            for (const char *keys = KEYS[k]; *keys;)
                app_key(app, fleet, start, next_key(&keys));
            int64_t now = start, slowest = 0;
            for (int step = 0; step < 40; step++) {
                app_paint(app, fleet, now, &before);
                int64_t next = app_next_change(app, fleet, now);
                assert_true(next > now);
                slowest = next - now > slowest ? next - now : slowest;
                app_paint(app, fleet, next - 1, &after);
                assert_true(canvas_equal(&before, &after));
                now = next;
            }
            if (j == 1) /* all is well: a picture in ten seconds */
                assert_int_equal(slowest, 10 * SECOND_US);
            canvas_free(&before);
            canvas_free(&after);
            app_free(app);
        }
        fleet_free(fleet);
    }
}

/* The row (from 0) in which the pod stands; -1: not in sight. */
static int row_of(const struct canvas *canvas, const char *name)
{
    struct buf out;
    buf_init(&out, FILE_MAX);
    canvas_dump(canvas, false, &out);
    const char *at = strstr(buf_str(&out), name);
    int row = at ? 0 : -1;
    for (const char *p = buf_str(&out); at && p < at; p++)
        row += *p == '\n';
    buf_free(&out);
    return row;
}

/* A demo that runs faster than life says so beside its clock; a replay tells its own speed. */
static void speed_is_told(void **state)
{
    static const struct {
        int columns;
        double speed;
        enum playback playback;
        const char *words;
    } ROWS[] = {{120, 7, LIVE, "7 times as fast  13:58"},
                {80, 7, LIVE, "7x  13:58"},
                {120, 1, LIVE, "probes/s  13:58"},
                {120, 7, REPLAY, "8x  13:58"}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        int64_t now;
        struct canvas canvas;
        struct fleet *fleet = fleet_read("healthy", &now);
        struct app *app = app_make(false, ROWS[i].playback, now);
        fleet->clock.speed = ROWS[i].speed;
        canvas_init(&canvas, ROWS[i].columns, 24, false);
        app_paint(app, fleet, now, &canvas);
        assert_int_equal(row_of(&canvas, ROWS[i].words), 0);
        canvas_free(&canvas);
        app_free(app);
        fleet_free(fleet);
    }
}

/* A pod that gets worse rises, but not while the user moves in the list, and not while it is scrolled. */
static void rows_do_not_jump(void **state)
{
    static const char SICK[] = "decode-7f9c-x2k4q ", LOADING[] = "decode-7f9c-9hw2p ";
    struct fixture fixture;
    struct canvas canvas;
    (void)state;
    for (int moved = 0; moved < 2; moved++) {
        struct app *app = app_make(false, LIVE, 0);
        canvas_init(&canvas, 120, 24, false);
        fixture_begin(&fixture, "t", false);
        fixture_incident_live(&fixture, 0, 489);
        app_paint(app, fixture.fleet, fixture.t, &canvas);
        int first = row_of(&canvas, LOADING);
        assert_int_equal(row_of(&canvas, SICK), first + 1);
        if (moved)
            app_key(app, fixture.fleet, fixture.t, 'j');
        fixture_incident_live(&fixture, 489, 492); /* the engine is found dead at 490 */
        app_paint(app, fixture.fleet, fixture.t, &canvas);
        assert_int_equal(row_of(&canvas, SICK), moved ? first + 1 : first);
        assert_int_equal(row_of(&canvas, "order held") >= 0, moved);
        fixture_incident_live(&fixture, 492, 495); /* six seconds after the key */
        app_paint(app, fixture.fleet, fixture.t, &canvas);
        assert_int_equal(row_of(&canvas, SICK), first);
        assert_int_equal(row_of(&canvas, "order held"), -1);
        canvas_resize(&canvas, 120, 10); /* so low that the list scrolls */
        app_key(app, fixture.fleet, fixture.t, 'G');
        app_paint(app, fixture.fleet, fixture.t, &canvas);
        int where = row_of(&canvas, " embed-0 ");
        fixture_incident_live(&fixture, 495, 502);
        app_paint(app, fixture.fleet, fixture.t, &canvas);
        assert_int_equal(row_of(&canvas, " embed-0 "), where);
        fixture_end(&fixture);
        canvas_free(&canvas);
        app_free(app);
    }
}

/* The first row is selected until the user chooses another; then that pod stays selected wherever it goes. Escape lets go of it. */
static void selection_stays_with_its_pod(void **state)
{
    struct fixture fixture;
    struct canvas canvas;
    (void)state;
    struct app *app = app_make(false, LIVE, 0);
    canvas_init(&canvas, 120, 24, false);
    fixture_begin(&fixture, "t", false);
    fixture_incident_live(&fixture, 0, 480);
    app_paint(app, fixture.fleet, fixture.t, &canvas);
    assert_int_equal(row_of(&canvas, ">◔ decode-7f9c-9hw2p"), 3);
    fixture_incident_live(&fixture, 480, 492);
    app_paint(app, fixture.fleet, fixture.t, &canvas);
    assert_int_equal(row_of(&canvas, ">✗↑decode-7f9c-x2k4q"), 3);
    app_key(app, fixture.fleet, fixture.t, 'j');
    app_paint(app, fixture.fleet, fixture.t, &canvas);
    assert_int_equal(row_of(&canvas, ">◔ decode-7f9c-9hw2p"), 4);
    app_key(app, fixture.fleet, fixture.t, 's'); /* by name it comes first */
    app_paint(app, fixture.fleet, fixture.t, &canvas);
    assert_int_equal(row_of(&canvas, ">◔ decode-7f9c-9hw2p"), 3);
    app_key(app, fixture.fleet, fixture.t, 'S');
    app_key(app, fixture.fleet, fixture.t, KEY_ESCAPE_);
    app_paint(app, fixture.fleet, fixture.t, &canvas);
    assert_int_equal(row_of(&canvas, ">✗↑decode-7f9c-x2k4q"), 3);
    fixture_end(&fixture);
    canvas_free(&canvas);
    app_free(app);
}

/* What keys lead to outside of the picture. */
static void keys_have_their_reactions(void **state)
{
    static const struct {
        const char *keys;
        int reactions; /* of the last key */
        enum feed_request request;
        int64_t seek;
        const char *control;
    } ROWS[] = {
        {"q", REACT_QUIT, FEED_NOTHING, 0, ""},
        {"Q", REACT_QUIT, FEED_NOTHING, 0, ""},
        {"<Enter>q", REACT_PAINT, FEED_NOTHING, 0, ""},
        {"<Enter>Q", REACT_QUIT, FEED_NOTHING, 0, ""},
        {"/Q", REACT_PAINT, FEED_NOTHING, 0, ""},
        {" ", REACT_FEED | REACT_PAINT, FEED_TOGGLE_PAUSE, 0, ""},
        {"}", REACT_FEED | REACT_PAINT, FEED_SEEK, INT64_MAX, ""},
        {"{", REACT_FEED | REACT_PAINT, FEED_SEEK, 0, ""},
        {"<Left>", REACT_FEED | REACT_PAINT, FEED_SEEK, (int64_t)402 * SECOND_US, ""},
        {"--<Right>", REACT_FEED | REACT_PAINT, FEED_SEEK, (int64_t)1102 * SECOND_US, ""},
        {"-----------<Left>", REACT_FEED | REACT_PAINT, FEED_SEEK, 0, ""},
        {"l", REACT_CONTROL | REACT_PAINT, FEED_NOTHING, 0, "logs 1"},
        {"j\x12", REACT_CONTROL | REACT_PAINT, FEED_NOTHING, 0, "probe 2"},
        {"\x1a", REACT_SUSPEND, FEED_NOTHING, 0, ""},
        {"\x0c", REACT_REDRAW | REACT_PAINT, FEED_NOTHING, 0, ""},
        {"]", REACT_NOTHING, FEED_NOTHING, 0, ""},
        {"t", REACT_NOTHING, FEED_NOTHING, 0, ""}, /* there is no list of themes here */
    };
    struct fixture fixture;
    (void)state;
    fixture_incident(&fixture, false);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct app *app = app_make(false, LIVE, 0);
        struct canvas canvas;
        int reactions = 0;
        int64_t seek;
        canvas_init(&canvas, 80, 24, false);
        app_paint(app, fixture.fleet, fixture.t, &canvas);
        for (const char *keys = ROWS[i].keys; *keys;)
            reactions = app_key(app, fixture.fleet, fixture.t, next_key(&keys));
        assert_int_equal(reactions, ROWS[i].reactions);
        assert_int_equal(app_feed_request(app, &seek), ROWS[i].request);
        if (ROWS[i].request == FEED_SEEK)
            assert_int_equal(seek, ROWS[i].seek);
        assert_string_equal(app_control_line(app), ROWS[i].control);
        canvas_free(&canvas);
        app_free(app);
    }
    fixture_end(&fixture);
}

/* No size and no view leads outside the canvas (the sanitizers watch), and what is painted does not depend on what stood there. */
static void every_size_can_be_painted(void **state)
{
    static const int SIDES[] = {1, 2, 3, 5, 7, 9, 10, 11, 12, 13, 19, 20, 21, 39, 40, 60, 79, 120, 300};
    static const char *const KEYS[] = {"", "<Enter>", "l", "e", "?", "/x", "w"};
    static const char *const JOURNALS[] = {"incident", "hostile"};
    (void)state;
    for (size_t j = 0; j < 2; j++) {
        int64_t now;
        struct fleet *fleet = fleet_read(JOURNALS[j], &now);
        for (size_t k = 0; k < sizeof KEYS / sizeof *KEYS; k++) {
            struct app *app = app_make(j == 1, LIVE, 0);
            struct canvas canvas;
            canvas_init(&canvas, 80, 24, j == 1);
            app_paint(app, fleet, now, &canvas);
            for (const char *keys = KEYS[k]; *keys;)
                app_key(app, fleet, now, next_key(&keys));
            for (size_t x = 0; x < sizeof SIDES / sizeof *SIDES; x++)
                for (size_t y = 0; y + 1 < sizeof SIDES / sizeof *SIDES; y++) {
                    canvas_resize(&canvas, SIDES[x], SIDES[y]);
                    app_paint(app, fleet, now, &canvas);
                }
            canvas_free(&canvas);
            app_free(app);
        }
        fleet_free(fleet);
    }
}

/* Any keys in any order at any size: nothing is left in a state that cannot be painted. */
static void any_keys_can_be_pressed(void **state)
{
    static const char *const JOURNALS[] = {"incident", "hostile"};
    enum { STEPS = 4000 };
    uint64_t chance = 20261124;
    (void)state;
    for (size_t j = 0; j < 2; j++) {
        int64_t now;
        struct fleet *fleet = fleet_read(JOURNALS[j], &now);
        struct app *app = app_make(j == 1, j == 1 ? REPLAY : LIVE, now);
        struct canvas canvas;
        canvas_init(&canvas, 80, 24, j == 1);
        for (int step = 0; step < STEPS; step++) {
            chance = chance * 6364136223846793005U + 1442695040888963407U;
            int roll = (int)(chance >> 33) & 0xFFFF;
            int key = roll % 3 == 0 ? KEY_UP_ + roll / 3 % (KEY_F1_ - KEY_UP_ + 1) : roll / 3 % 128;
            app_key(app, fleet, now, key);
            now += roll % 7 == 0 ? SECOND_US : 0;
            if (roll % 11 == 0)
                canvas_resize(&canvas, 1 + roll / 11 % 200, 1 + roll / 13 % 60);
            if (roll % 2)
                app_paint(app, fleet, now, &canvas);
        }
        canvas_free(&canvas);
        app_free(app);
        fleet_free(fleet);
    }
}

/* Without any pod, and with pods of which nothing is known. */
static void empty_fleets_can_be_painted(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct fleet *fleet = fleet_new(fleet_limits_reader());
        struct app *app = app_make(false, LIVE, 0);
        struct canvas canvas;
        struct fact fact;
        canvas_init(&canvas, 80, 24, false);
        if (kind > 0) {
            fact_init(&fact, FACT_POD, 1);
            fact.u.facts.id = 1;
            fleet_apply(fleet, &fact);
            fact_free(&fact);
        }
        if (kind > 1) {
            fact_init(&fact, FACT_GONE, 1);
            fleet_apply(fleet, &fact);
            fact_free(&fact);
        }
        for (const char *keys = "jk!!/a<Enter><Esc>l<Esc>e<Esc><Enter><Tab>GgsS?<Esc>wt"; *keys;) {
            app_paint(app, fleet, 0, &canvas);
            app_key(app, fleet, 0, next_key(&keys));
        }
        app_paint(app, fleet, 5 * SECOND_US, &canvas);
        canvas_free(&canvas);
        app_free(app);
        fleet_free(fleet);
    }
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(screens_are_as_blessed),
        cmocka_unit_test(nothing_hostile_comes_through),
        cmocka_unit_test(time_alone_changes_nothing_early),
        cmocka_unit_test(every_size_can_be_painted),
        cmocka_unit_test(empty_fleets_can_be_painted),
        cmocka_unit_test(speed_is_told),
        cmocka_unit_test(rows_do_not_jump),
        cmocka_unit_test(any_keys_can_be_pressed),
        cmocka_unit_test(selection_stays_with_its_pod),
        cmocka_unit_test(keys_have_their_reactions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
