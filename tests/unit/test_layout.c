#include "tui/layout.h"

#include <stdbool.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { COLUMNS_MAX = 300, ROWS_MAX = 100 };

/* Inside the screen, left to right, no overlap. */
static void places_are_sound(const struct place *places, int count, int columns)
{
    int end = 0;
    for (int i = 0; i < count; i++) {
        if (places[i].width == 0)
            continue;
        assert_true(places[i].width > 0);
        assert_true(places[i].column >= end);
        end = places[i].column + places[i].width;
        assert_true(end <= columns);
    }
}

static void panes_are_sound(const struct fleet_layout *layout, int rows)
{
    int top = layout->rule ? 2 : rows > 1 ? 1 : 0;
    if (layout->heads >= 0)
        assert_int_equal(layout->heads, top++);
    assert_true(layout->list.rows >= 0 && layout->hints.rows >= 0);
    if (layout->list.rows > 0)
        assert_true(layout->list.row >= top);
    int end = layout->list.row + layout->list.rows;
    if (layout->hints.rows > 0) {
        assert_true(layout->hints.row >= end);
        end = layout->hints.row + layout->hints.rows;
    }
    if (layout->lately.rows > 0) {
        assert_int_equal(layout->lately.row, end);
        assert_true(layout->lately.rows >= 4 && layout->hints.rows >= 7);
        end = layout->lately.row + layout->lately.rows;
        assert_int_equal(end, layout->bottom);
    }
    if (layout->list.rows > 0)
        assert_true(end <= (layout->bottom >= 0 ? layout->bottom : rows));
}

static void fleet_at_every_size(void **state)
{
    static const int PODS[] = {0, 1, 6, 40, 5000}, NAMES[] = {0, 7, 17, 63, 253};
    (void)state;
    for (int columns = 1; columns <= COLUMNS_MAX; columns++)
        for (int rows = 1; rows <= ROWS_MAX; rows++)
            for (int variant = 0; variant < 10; variant++) {
                bool wide = variant & 1;
                int pods = PODS[variant / 2], name = NAMES[(variant + columns) % 5];
                struct fleet_layout layout = layout_fleet(columns, rows, wide, true, pods, name);
                places_are_sound(layout.place, FLEET_COLUMN_COUNT, columns);
                panes_are_sound(&layout, rows);
                if (columns < 40 || rows < 10)
                    continue;
                /* what is promised from 40x10 up */
                assert_true(layout.place[FLEET_NAME].width >= (name < 10 ? 10 : name < 14 ? name : 14));
                assert_true(layout.place[FLEET_STAGE].width >= 8);
                assert_true(layout.place[FLEET_NEXT].width >= 12);
                assert_true(layout.list.rows >= 1);
                assert_true(pods == 0 || layout.hints.rows >= 2);
                assert_true(layout.list.rows >= (pods < 4 ? pods : 4));
                assert_int_equal(layout.bottom, rows - 1);
            }
}

/* Columns leave in the stated order: whoever leaves later is there whenever one that leaves earlier is. */
static void columns_leave_in_order(void **state)
{
    static const enum fleet_column LEAVING[] = {FLEET_P50,      FLEET_ROLE,     FLEET_P99, FLEET_LANES,
                                                FLEET_TIMELINE, FLEET_RESTARTS, FLEET_FOR};
    enum { COUNT = sizeof LEAVING / sizeof *LEAVING };
    (void)state;
    for (int columns = 40; columns <= COLUMNS_MAX; columns++)
        for (int wide = 0; wide < 2; wide++) {
            struct fleet_layout layout = layout_fleet(columns, 24, wide, true, 6, 17);
            for (int i = wide ? 0 : 1; i + 1 < COUNT; i++)
                if (layout.place[LEAVING[i]].width > 0)
                    assert_true(layout.place[LEAVING[i + 1]].width > 0);
            if (layout.place[FLEET_P99].width > 0) /* it leaves before the timeline shrinks */
                assert_true(layout.place[FLEET_TIMELINE].width >= 16);
            if (layout.place[FLEET_TIMELINE].width > 0)
                assert_true(layout.place[FLEET_TIMELINE].width >= TIMELINE_CELLS_MIN);
        }
}

static void what_known_sizes_show(void **state)
{
    static const struct {
        int columns;
        bool wide, p50, role, lanes, timeline;
    } ROWS[] = {{40, false, false, false, false, false}, {80, false, false, false, false, true},
                {100, false, false, false, true, true},  {120, false, false, true, true, true},
                {120, true, true, true, true, true},     {132, true, true, true, true, true},
                {250, false, false, true, true, true},   {250, true, true, true, true, true}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct fleet_layout layout = layout_fleet(ROWS[i].columns, 24, ROWS[i].wide, true, 6, 17);
        assert_int_equal(layout.place[FLEET_P50].width > 0, ROWS[i].p50);
        assert_int_equal(layout.place[FLEET_ROLE].width > 0, ROWS[i].role);
        assert_int_equal(layout.place[FLEET_LANES].width > 0, ROWS[i].lanes);
        assert_int_equal(layout.place[FLEET_TIMELINE].width > 0, ROWS[i].timeline);
        assert_int_equal(layout.place[FLEET_RESTARTS].width > 0, ROWS[i].timeline); /* also in 80 columns */
        layout = layout_fleet(ROWS[i].columns, 24, ROWS[i].wide, false, 6, 17);
        assert_int_equal(layout.place[FLEET_ROLE].width, 0); /* all the same: no news */
    }
}

/* Short names leave their room to the stage, where the reason stands; long ones do not lose theirs to it. */
static void stage_takes_what_names_do_not_need(void **state)
{
    static const struct {
        int columns, name_cells, name, stage;
    } ROWS[] = {{120, 6, 10, 31}, {120, 10, 10, 31}, {120, 14, 14, 27}, {140, 6, 10, 34}, {140, 17, 17, 34}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct fleet_layout layout = layout_fleet(ROWS[i].columns, 24, false, true, 6, ROWS[i].name_cells);
        assert_int_equal(layout.place[FLEET_NAME].width, ROWS[i].name);
        assert_int_equal(layout.place[FLEET_STAGE].width, ROWS[i].stage);
    }
}

/* What happened to all pods is shown only where rows are left over, and never makes the list shorter. */
static void lately_takes_what_is_left(void **state)
{
    static const struct {
        int columns, rows, pods, lately;
    } ROWS[] = {{40, 10, 6, 0}, {80, 24, 6, 5}, {80, 24, 8, 4}, {80, 24, 9, 0}, {120, 40, 6, 17}, {120, 40, 30, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct fleet_layout layout = layout_fleet(ROWS[i].columns, ROWS[i].rows, false, true, ROWS[i].pods, 17);
        assert_int_equal(layout.lately.rows, ROWS[i].lately);
        assert_true(ROWS[i].lately == 0 || layout.list.rows == ROWS[i].pods);
    }
}

static void lanes_and_pages_at_every_size(void **state)
{
    (void)state;
    for (int columns = 1; columns <= COLUMNS_MAX; columns++) {
        struct lane_layout lanes = layout_lanes(columns);
        places_are_sound(lanes.place, LANE_COLUMN_COUNT, columns);
        if (columns >= 40) {
            assert_true(lanes.place[LANE_COLUMN_NAME].width >= 9);
            assert_true(lanes.place[LANE_COLUMN_STREAK].width >= 14);
            assert_true(lanes.place[LANE_COLUMN_BEATS].width >= 12);
        }
        for (int rows = 1; rows <= ROWS_MAX; rows++) {
            struct page_layout page = layout_page(columns, rows);
            assert_true(page.body.rows >= 0);
            assert_true(page.body.rows == 0 || page.body.row + page.body.rows <= rows - 1);
            assert_true(rows < 10 || page.body.rows >= 8);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fleet_at_every_size),       cmocka_unit_test(columns_leave_in_order),
        cmocka_unit_test(what_known_sizes_show),     cmocka_unit_test(stage_takes_what_names_do_not_need),
        cmocka_unit_test(lately_takes_what_is_left), cmocka_unit_test(lanes_and_pages_at_every_size)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
