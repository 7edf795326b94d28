#include "tests/support/fleet_fixture.h"
#include "tui/widget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const int64_t S = SECOND_US;

static void expect_row(const struct canvas *canvas, const char *picture)
{
    struct buf out;
    buf_init(&out, 1 << 16);
    canvas_dump(canvas, false, &out);
    assert_string_equal(buf_str(&out), picture);
    buf_free(&out);
}

static struct pod *pod_named(const struct fleet *fleet, const char *name)
{
    for (uint32_t i = 0; i < fleet->count; i++)
        if (text_is(&fleet->pods[i]->facts.name, name))
            return fleet->pods[i];
    fail_msg("no pod %s", name);
    return NULL;
}

static void moments_are_the_walls(void **state)
{
    struct fleet fleet = {.clock = {0, 7 * S + 300000, 1}}; /* the wall clock shows 7.3 s at t = 0 */
    static const struct {
        int64_t t, unit, floor;
    } ROWS[] = {{0, SECOND_US, -300000},           {700000, SECOND_US, 700000},        {699999, SECOND_US, -300000},
                {2700000, QUIET_STEP_US, 2700000}, {12699999, QUIET_STEP_US, 2700000}, {-8000000, SECOND_US, -8300000}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        assert_int_equal(widget_floor(&fleet, ROWS[i].t, ROWS[i].unit), ROWS[i].floor);
}

/* What the incident's pods are about to do, in all widths. */
static void next_in_words(void **state)
{
    static const struct {
        const char *pod;
        int width;
        const char *words;
    } ROWS[] = {
        {"decode-7f9c-x2k4q", 30, "liveness 2/3 → restart 8s"},
        {"decode-7f9c-x2k4q", 24, "2/3 → restart 8s"},
        {"decode-7f9c-x2k4q", 12, "restart 8s"},
        {"decode-7f9c-x2k4q", 8, "restart"},
        {"decode-7f9c-x2k4q", 4, "rest"},
        {"decode-7f9c-9hw2p", 35, "start-up 23:50 left, shards in 4:02"},
        {"decode-7f9c-9hw2p", 34, "23:50 left, shards in 4:02"},
        {"decode-7f9c-9hw2p", 20, "start-up 23:50 left"},
        {"decode-7f9c-9hw2p", 13, "23:50 left"},
        {"prefill-5d4-fghij", 30, "readiness 0.81s of 1s"},
        {"prefill-5d4-fghij", 14, "0.81s of 1s"},
        {"embed-0", 30, ""},
    };
    struct fixture fixture;
    (void)state;
    fixture_incident(&fixture, false);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct canvas canvas;
        struct next next;
        char picture[96];
        canvas_init(&canvas, 60, 1, false);
        widget_next(fixture.fleet, pod_named(fixture.fleet, ROWS[i].pod), fixture.t, &next);
        widget_next_paint(&next, &canvas, 0, 0, ROWS[i].width);
        snprintf(picture, sizeof picture, "%s\n", ROWS[i].words);
        expect_row(&canvas, picture);
        canvas_free(&canvas);
    }
    fixture_end(&fixture);
}

static void lanes_as_signs(void **state)
{
    static const struct {
        const char *pod, *signs;
        enum style styles[3];
    } ROWS[] = {
        {"decode-7f9c-x2k4q", "✓✗✓", {STYLE_TEXT, STYLE_BAD, STYLE_TEXT}},
        {"decode-7f9c-9hw2p", "✗··", {STYLE_TEXT, STYLE_MUTED, STYLE_MUTED}}, /* refused while loading is no alarm */
        {"embed-0", "–✓✓", {STYLE_MUTED, STYLE_TEXT, STYLE_TEXT}}};
    struct fixture fixture;
    (void)state;
    fixture_incident(&fixture, false);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char signs[32] = "";
        for (int lane = LANE_STARTUP; lane <= LANE_READINESS; lane++) {
            struct sign sign = widget_lane_sign(pod_named(fixture.fleet, ROWS[i].pod), (enum lane_kind)lane, fixture.t);
            size_t used = strlen(signs);
            snprintf(signs + used, sizeof signs - used, "%s", sign.glyph);
            assert_int_equal(sign.style, ROWS[i].styles[lane]);
        }
        assert_string_equal(signs, ROWS[i].signs);
    }
    fixture_end(&fixture);
}

/* Worse pods first, and a pod that has recovered keeps its place for a minute. */
static void ranks(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_incident(&fixture, false);
    const struct fleet *fleet = fixture.fleet;
    int sick = widget_rank(pod_named(fleet, "decode-7f9c-x2k4q"), fixture.t);
    int loading = widget_rank(pod_named(fleet, "decode-7f9c-9hw2p"), fixture.t);
    int well = widget_rank(pod_named(fleet, "decode-7f9c-pp0zt"), fixture.t);
    assert_true(sick > loading && loading > well);
    assert_true(widget_restless(pod_named(fleet, "decode-7f9c-9hw2p"), fixture.t));
    assert_false(widget_restless(pod_named(fleet, "embed-0"), fixture.t));
    assert_true(widget_needs_look(fleet, pod_named(fleet, "prefill-5d4-fghij"), fixture.t)); /* near its limit */
    assert_false(widget_needs_look(fleet, pod_named(fleet, "decode-7f9c-9hw2p"), fixture.t));
    struct pod *warned = fleet->pods[0]; /* one about which a hint stands */
    for (uint32_t i = 0; i < fleet->count && warned->stage != STAGE_RUNNING; i++)
        warned = fleet->pods[i];
    int calm = widget_rank(warned, fixture.t);
    warned->told[0] = (struct told_hint){.cause = CAUSE_WRONG_PORT, .confidence = CONFIDENCE_LIKELY, .told = true};
    assert_true(widget_needs_look(fleet, warned, fixture.t));
    assert_true(widget_rank(warned, fixture.t) > calm);
    warned->told[0].confidence = CONFIDENCE_POSSIBLE;
    assert_false(widget_needs_look(fleet, warned, fixture.t));
    warned->stage = STAGE_COMPLETED; /* the least of what is broken stands above one that serves again */
    struct pod *recovered = pod_named(fleet, "decode-7f9c-x2k4q");
    recovered->stage = STAGE_READY;
    recovered->lanes[LANE_LIVENESS].present = false;
    assert_true(widget_rank(warned, fixture.t) > widget_rank(recovered, fixture.t));
    assert_true(widget_rank(recovered, fixture.t) > loading);
    fixture_end(&fixture);

    const struct actor actor = {
        .name = "a", .by_hand = true, .loaded = 5, .dies = FIXTURE_NEVER, .millis = 4, .slow_from = FIXTURE_NEVER};
    fixture_begin(&fixture, "t", false);
    fixture_live(&fixture, &actor, 1, 0, 100);
    const struct pod *pod = fixture.fleet->pods[0];
    assert_int_equal(pod->stage, STAGE_READY);
    int before = widget_rank(pod, fixture.t);
    fixture.t += S;
    fixture_probe(&fixture, 1, LANE_READINESS, OUTCOME_FAIL, PROBE_CAUSE_STATUS, 503, 1000);
    fixture_probe(&fixture, 1, LANE_READINESS, OUTCOME_OK, PROBE_CAUSE_NONE, 200, 1000);
    assert_true(widget_rank(pod, fixture.t) > before);
    assert_true(widget_rank(pod, fixture.t + 59 * S) > before);
    assert_int_equal(widget_rank(pod, fixture.t + 62 * S), before);
    fixture_end(&fixture);
}

/* The newest of all pods, newest first; the start-up lines of logs and what was so at first sight are left out; what is to come at the moment shown is not told yet. */
static void lately_is_merged(void **state)
{
    struct fixture fixture;
    struct recent recent[8];
    (void)state;
    fixture_incident(&fixture, false);
    const struct fleet *fleet = fixture.fleet;
    const struct pod *const *pods = (const struct pod *const *)fleet->pods;
    int count = widget_recent(pods, fleet->count, fixture.t, recent, 8);
    assert_true(count >= 3);
    assert_non_null(strstr(text_str(&recent[0].happening->words), "engine-dead, certain"));
    assert_non_null(strstr(text_str(&recent[1].happening->words), "became Degraded"));
    for (int i = 0; i < count; i++) {
        const char *words = text_str(&recent[i].happening->words);
        assert_true(i == 0 || recent[i].happening->t <= recent[i - 1].happening->t);
        assert_null(strstr(words, "Starting to load"));
        assert_null(strstr(words, "is Ready"));
        assert_null(strstr(words, "Started container"));
        assert_null(strstr(words, "loading is expected here"));
    }
    int64_t newest = recent[0].happening->t;
    assert_int_equal(widget_recent(pods, fleet->count, fixture.t, recent, 1), 1);
    assert_int_equal(recent[0].happening->t, newest);
    int before = widget_recent(pods, fleet->count, newest - 1, recent, 8);
    assert_true(before < count);
    assert_true(before == 0 || recent[0].happening->t < newest);
    assert_int_equal(widget_recent(pods, 0, fixture.t, recent, 8), 0);
    fixture_end(&fixture);
}

/* The stage that a container's end or start leads to is not told beside it. */
static void lately_tells_once(void **state)
{
    struct happening list[] = {{.t = 10 * S, .kind = HAPPENED_KUBELET, .mood = 'x'},
                               {.t = 11 * S, .kind = HAPPENED_STAGE, .mood = 'x'},
                               {.t = 40 * S, .kind = HAPPENED_STAGE, .mood = 'x'},
                               {.t = 41 * S, .kind = HAPPENED_KUBELET, .mood = '!'},
                               {.t = 41 * S, .kind = HAPPENED_STAGE, .mood = ' '}};
    static const char *const WORDS[] = {"the container ended after 6s: Error, exit code 1", "became Backoff after 6s",
                                        "became Backoff: ImagePullBackOff",
                                        "the kubelet started the container again (restart 1)", "became Running"};
    enum { COUNT = sizeof list / sizeof *list };
    const struct pod pod = {.happenings = list, .happening_count = COUNT, .happening_capacity = COUNT};
    const struct pod *const pods[] = {&pod};
    struct recent recent[COUNT];
    (void)state;
    for (int i = 0; i < COUNT; i++)
        text_set_str(&list[i].words, WORDS[i], TEXT_LINE);
    assert_int_equal(widget_recent(pods, 1, 50 * S, recent, COUNT), 3);
    assert_ptr_equal(recent[0].happening, &list[3]);
    assert_ptr_equal(recent[1].happening, &list[2]); /* no container ended: it is the news */
    assert_ptr_equal(recent[2].happening, &list[0]);
    for (int i = 0; i < COUNT; i++)
        text_free(&list[i].words);
}

/* A pod whose container waits says when it is started again. */
static void starts_again_in_words(void **state)
{
    struct fleet *fleet = fleet_new(fleet_limits_reader());
    struct pod pod = {.facts = {.kubelet = true}, .stage = STAGE_BACKOFF};
    struct next next;
    (void)state;
    pod.facts.serving.state = CONTAINER_WAITING;
    pod.facts.serving.last = (struct termination){.known = true, .exit_code = 1, .finished_at = 10 * S};
    text_set_str(&pod.facts.serving.message, "back-off 40s restarting failed container=vllm", TEXT_LINE);
    widget_next(fleet, &pod, 20 * S, &next);
    assert_string_equal(next.forms[0], "starts again in 30s");
    assert_string_equal(next.forms[2], "in 30s"); /* where even "again" has no room: never half a number */
    widget_next(fleet, &pod, 51 * S, &next);
    assert_string_equal(next.forms[0], "starts again now");
    text_free(&pod.facts.serving.message);
    fleet_free(fleet);
}

/* From the verdict on until the container is gone: how long that may take. One that outlives its grace was not killed by the kubelet. */
static void being_killed_in_words(void **state)
{
    struct fleet *fleet = fleet_new(fleet_limits_reader());
    struct pod pod = {.facts = {.kubelet = true, .grace = 30},
                      .stage = STAGE_DEGRADED,
                      .run = 2,
                      .killed_run = 2,
                      .killed_by = LANE_LIVENESS,
                      .killed_at = 100 * S};
    struct next next;
    (void)state;
    pod.facts.serving.state = CONTAINER_RUNNING;
    widget_next(fleet, &pod, 102 * S, &next);
    assert_string_equal(next.forms[0], "being killed → restart within 28s");
    assert_int_equal(next.style, STYLE_BAD);
    assert_int_equal(pod_killed_until(&pod, 102 * S), 130 * S);
    assert_int_equal(pod_killed_until(&pod, 141 * S), -1);
    pod.facts.probes[LANE_LIVENESS].termination_grace = 5; /* the probe's own */
    assert_int_equal(pod_killed_until(&pod, 102 * S), 105 * S);
    pod.run = 3; /* it runs again */
    widget_next(fleet, &pod, 102 * S, &next);
    assert_int_equal(next.count, 0);
    fleet_free(fleet);
}

static void ages_of_quiet_pods_are_coarse(void **state)
{
    struct fixture fixture;
    char before[24], after[24];
    (void)state;
    fixture_incident(&fixture, false);
    const struct pod *quiet = pod_named(fixture.fleet, "embed-0"),
                     *sick = pod_named(fixture.fleet, "decode-7f9c-x2k4q");
    assert_int_equal(quiet->stage_since, quiet->facts.ready.since);
    for (int second = 502; second < 510; second++) { /* 14:03:22 to :29 */
        widget_age(fixture.fleet, quiet, 0, second * S, before, sizeof before);
        assert_string_equal(before, "8:20");
    }
    widget_age(fixture.fleet, quiet, 0, 510 * S, after, sizeof after);
    assert_string_equal(after, "8:30");
    widget_age(fixture.fleet, sick, sick->stage_since, 502 * S, before, sizeof before);
    widget_age(fixture.fleet, sick, sick->stage_since, 503 * S, after, sizeof after);
    assert_string_not_equal(before, after);
    assert_string_equal(widget_age(fixture.fleet, sick, 600 * S, 502 * S, after, sizeof after), "0s");
    fixture_end(&fixture);
}

static void beats(void **state)
{
    static const struct {
        enum outcome outcome;
        int64_t total;
        bool late;
        const char *utf8, *ascii;
    } ROWS[] = {
        {OUTCOME_OK, 1000, false, "▁", "1"},    {OUTCOME_OK, 125000, false, "▁", "1"},
        {OUTCOME_OK, 126000, false, "▂", "2"},  {OUTCOME_OK, 500000, false, "▄", "4"},
        {OUTCOME_OK, 990000, false, "█", "8"},  {OUTCOME_OK, 2000000, false, "█", "8"},
        {OUTCOME_FAIL, 1000, false, "✗", "X"},  {OUTCOME_ERRORED, 1000, false, "!", "!"},
        {OUTCOME_UNKNOWN, -1, false, "?", "?"}, {OUTCOME_OK, 900000, true, "·", "."},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        for (int ascii = 0; ascii < 2; ascii++) {
            struct lane lane = {.present = true};
            struct sample sample;
            struct canvas canvas;
            char picture[16];
            sample_init(&sample);
            sample.outcome = ROWS[i].outcome;
            sample.total = ROWS[i].total;
            sample.is_late = ROWS[i].late;
            history_init(&lane.history, 16);
            history_add(&lane.history, &sample, S, 1);
            canvas_init(&canvas, 4, 1, ascii);
            widget_beats(&canvas, 0, 0, 3, &lane); /* the newest at the right */
            snprintf(picture, sizeof picture, "  %s\n", ascii ? ROWS[i].ascii : ROWS[i].utf8);
            expect_row(&canvas, picture);
            canvas_free(&canvas);
            history_free(&lane.history);
        }
}

static void percentiles_up_to_a_moment(void **state)
{
    struct history history;
    struct sample sample;
    (void)state;
    history_init(&history, 128);
    assert_int_equal(widget_percentile(&history, 99, 0), -1);
    sample_init(&sample);
    for (int i = 1; i <= 100; i++) {
        sample.outcome = i % 10 == 0 ? OUTCOME_FAIL : OUTCOME_OK; /* refused: no status, does not count */
        sample.total = i * 1000;
        history_add(&history, &sample, i * S, 1);
    }
    assert_int_equal(widget_percentile(&history, 50, 100 * S), history_percentile(&history, 50));
    assert_int_equal(widget_percentile(&history, 99, 100 * S), history_percentile(&history, 99));
    assert_int_equal(widget_percentile(&history, 99, 9 * S), 9000);
    assert_int_equal(widget_percentile(&history, 50, 9 * S), 5000);
    assert_int_equal(widget_percentile(&history, 99, S / 2), -1);
    history_free(&history);
}

static void timeline(void **state)
{
    struct fleet fleet = {.clock = {0, 0, 1}};
    struct pod pod = {0};
    struct canvas canvas;
    (void)state;
    spans_enter(&pod.spans, STAGE_RUNNING, 21 * S, 1, false, "");
    spans_enter(&pod.spans, STAGE_READY, 45 * S, 1, false, "");
    spans_enter(&pod.spans, STAGE_DEGRADED, 62 * S, 1, false, "");
    spans_enter(&pod.spans, STAGE_READY, 63 * S, 1, false, "");
    spans_enter(&pod.spans, STAGE_RUNNING, 81 * S, 2, true, "");
    canvas_init(&canvas, 12, 1, false);
    widget_timeline(&canvas, 0, 0, 12, &fleet, &pod, 95 * S,
                    10 * S); /* cells begin at -20 s: nothing was known until 21 s */
    expect_row(&canvas, "    ░░░█▚█↻░\n");
    canvas_clear(&canvas);
    pod.gone = true;
    pod.gone_at = 71 * S;
    widget_timeline(&canvas, 0, 0, 12, &fleet, &pod, 95 * S, 10 * S);
    expect_row(&canvas, "    ░░░█▚█\n");
    pod.gone = false;
    canvas.ascii = true;
    canvas_clear(&canvas);
    widget_timeline(&canvas, 0, 0, 12, &fleet, &pod, 95 * S, 10 * S);
    expect_row(&canvas, "    :::#x#R:\n");
    canvas_free(&canvas);
    spans_free(&pod.spans);
}

/* The strip shifts once a cell, not once a second. */
static void timeline_shifts_once_a_cell(void **state)
{
    struct fleet fleet = {.clock = {0, 0, 1}};
    struct pod pod = {0};
    (void)state;
    spans_enter(&pod.spans, STAGE_RUNNING, 3 * S, 1, false, "");
    spans_enter(&pod.spans, STAGE_READY, 45 * S, 1, false, "");
    for (int second = 50; second < 60; second++) {
        struct canvas canvas;
        canvas_init(&canvas, 8, 1, false);
        widget_timeline(&canvas, 0, 0, 8, &fleet, &pod, second * S + 123456, 10 * S);
        expect_row(&canvas, "  ░░░░░█\n");
        canvas_free(&canvas);
    }
    spans_free(&pod.spans);
}

static void gantt(void **state)
{
    struct pod pod = {0};
    struct canvas canvas;
    const struct axis axis = {10 * S, 10 * S, 8};
    (void)state;
    spans_enter(&pod.spans, STAGE_CREATING, 2 * S, 1, false, "");
    spans_enter(&pod.spans, STAGE_RUNNING, 25 * S, 1, false, "");
    spans_enter(&pod.spans, STAGE_READY, 45 * S, 1, false, "");
    canvas_init(&canvas, 10, 3, false);
    assert_int_equal(widget_gantt(&canvas, 0, 1, &axis, &pod, STAGE_CREATING, 60 * S), 3);
    assert_int_equal(widget_gantt(&canvas, 1, 1, &axis, &pod, STAGE_RUNNING, 60 * S), 5);
    assert_int_equal(widget_gantt(&canvas, 2, 1, &axis, &pod, STAGE_READY, 600 * S), 9);
    assert_int_equal(widget_gantt(&canvas, 2, 1, &axis, &pod, STAGE_FAILED, 60 * S), -1);
    expect_row(&canvas, " ··\n  ░░░\n    █████\n");
    canvas_free(&canvas);
    spans_free(&pod.spans);
}

static void contains(void **state)
{
    static const struct {
        const char *text, *needle;
        bool found;
    } ROWS[] = {{"Decode-7f9c", "code", true},
                {"Decode-7f9c", "DECODE", true},
                {"abc", "abcd", false},
                {"abc", "", true},
                {"", "", true},
                {"", "a", false},
                {"aab", "ab", true}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct text text = {0}, needle = {0};
        text_set_str(&text, ROWS[i].text, TEXT_NAME);
        text_set_str(&needle, ROWS[i].needle, TEXT_NAME);
        assert_int_equal(widget_contains(&text, &needle), ROWS[i].found);
        text_free(&text);
        text_free(&needle);
    }
}

static void cells_have_words(void **state)
{
    char words[32];
    (void)state;
    assert_string_equal(widget_cell_words(10 * S, words, sizeof words), "10 s a cell");
    assert_string_equal(widget_cell_words(300 * S, words, sizeof words), "5 min a cell");
    assert_string_equal(widget_cell_words(3600 * S, words, sizeof words), "1 h a cell");
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {cmocka_unit_test(moments_are_the_walls),
                                       cmocka_unit_test(next_in_words),
                                       cmocka_unit_test(lanes_as_signs),
                                       cmocka_unit_test(ranks),
                                       cmocka_unit_test(lately_is_merged),
                                       cmocka_unit_test(lately_tells_once),
                                       cmocka_unit_test(starts_again_in_words),
                                       cmocka_unit_test(being_killed_in_words),
                                       cmocka_unit_test(ages_of_quiet_pods_are_coarse),
                                       cmocka_unit_test(beats),
                                       cmocka_unit_test(percentiles_up_to_a_moment),
                                       cmocka_unit_test(timeline),
                                       cmocka_unit_test(timeline_shifts_once_a_cell),
                                       cmocka_unit_test(gantt),
                                       cmocka_unit_test(contains),
                                       cmocka_unit_test(cells_have_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
