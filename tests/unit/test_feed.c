/* A feed: live, held, back in time, and replayed; each picture is the fold of the journal up to a moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "engine/fact_json.h"
#include "report/report.h"
#include "tui/feed.h"

#include <stdio.h>
#include <unistd.h>

static const int64_t S = SECOND_US;
enum { DEADLINE_S = 20, PLENTY = 1000 };

struct place {
    char dir[64], recording[128];
    struct journal *journal;
};

static int setup(void **state)
{
    struct place *place = mem_new(sizeof *place);
    struct problem problem = {""};
    char run[128];
    snprintf(place->dir, sizeof place->dir, "/tmp/probetop-feed-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    snprintf(place->recording, sizeof place->recording, "%s/recording.jsonl", place->dir);
    setenv("XDG_STATE_HOME", place->dir, 1);
    setenv("HOME", place->dir, 1);
    char *made = NULL;
    assert_int_equal(journal_make_dir(&made, &problem), STATUS_OK);
    snprintf(run, sizeof run, "%s", made);
    mem_free(made);
    assert_int_equal(journal_create(run, JOURNAL_SEGMENT_MAX, JOURNAL_SEGMENTS, &place->journal, &problem), STATUS_OK);
    assert_int_equal(journal_record(place->journal, place->recording, &problem), STATUS_OK);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    char folder[128];
    journal_close(place->journal, false);
    unlink(place->recording);
    snprintf(folder, sizeof folder, "%s/probetop", place->dir);
    rmdir(folder);
    assert_int_equal(rmdir(place->dir), 0); /* nothing is left behind */
    mem_free(place);
    return 0;
}

/* ---- facts ---- */

static void append(struct place *place, struct fact *fact, int64_t t)
{
    struct problem problem = {""};
    fact->t = t;
    journal_append(place->journal, fact);
    assert_false(journal_flush(place->journal, &problem));
    fact_free(fact);
}

/* A run that began 100 s ago. */
static void append_hello(struct place *place)
{
    struct fact fact;
    fact_init(&fact, FACT_HELLO, 0);
    fact.u.hello.version = 1;
    fact.u.hello.mono_zero = clock_mono_us() - 100 * S;
    fact.u.hello.wall_zero = 1760000000 * S;
    fact.u.hello.speed = 1;
    append(place, &fact, 0);
}

static void append_pod(struct place *place, int64_t t)
{
    struct fact fact;
    fact_init(&fact, FACT_POD, 1);
    fact.u.facts.id = 1;
    text_set_str(&fact.u.facts.name, "decode-0", TEXT_NAME);
    fact.u.facts.serving.exists = true;
    fact.u.facts.serving.state = CONTAINER_RUNNING;
    probe_spec_recommended(&fact.u.facts.probes[LANE_READINESS], LANE_READINESS, 8000);
    append(place, &fact, t);
}

static void append_probe(struct place *place, int64_t t, enum outcome outcome)
{
    struct fact fact;
    fact_init(&fact, FACT_PROBE, 1);
    fact.u.sample.lane = LANE_READINESS;
    fact.u.sample.outcome = outcome;
    fact.u.sample.cause = outcome == OUTCOME_OK ? PROBE_CAUSE_NONE : PROBE_CAUSE_STATUS;
    fact.u.sample.status = outcome == OUTCOME_OK ? 200 : 500;
    fact.u.sample.sent = t - 3000;
    fact.u.sample.total = 3000;
    append(place, &fact, t);
}

static void append_end(struct place *place, int64_t t)
{
    struct fact fact;
    fact_init(&fact, FACT_END, 0);
    text_set_str(&fact.u.end, "the story is over", TEXT_LINE);
    append(place, &fact, t);
}

/* Probes at 2, 3, 4 and 5 s; the end at 6 s. */
static void append_story(struct place *place)
{
    append_hello(place);
    append_pod(place, 1 * S);
    for (int64_t t = 2; t <= 5; t++)
        append_probe(place, t * S, t == 4 ? OUTCOME_FAIL : OUTCOME_OK);
    append_end(place, 6 * S);
}

static struct feed *feed_open(const char *path, bool live, double speed)
{
    struct journal_reader *reader = NULL;
    struct problem problem = {""};
    if (journal_open(path, &reader, &problem) != STATUS_OK)
        fail_msg("%s", problem.text);
    return feed_new(reader, live, speed, NULL);
}

static void pump_all(struct feed *feed)
{
    int turns = 0;
    do
        feed_pump(feed, PLENTY);
    while (feed_behind(feed) && turns++ < 100);
    assert_false(feed_behind(feed));
}

static uint64_t probes(const struct feed *feed)
{
    return feed_fleet(feed)->probes;
}

/* ---- replay ---- */

static void test_replay_seeks(void **state)
{
    struct place *place = *state;
    append_story(place);
    struct feed *feed = feed_open(place->recording, false, 1);
    feed_pause(feed, true);
    pump_all(feed);
    assert_int_equal(feed_now(feed), 0);
    assert_int_equal(feed_fleet(feed)->count, 0);
    static const struct {
        int64_t to_ms, now_ms;
        uint64_t probes;
    } ROWS[] = {{2500, 2500, 1}, {4000, 4000, 3}, {1500, 1500, 0}, {3999, 3999, 2}, {-5000, 0, 0}, {5999, 5999, 4}};
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        feed_seek(feed, ROWS[i].to_ms * MILLISECOND_US);
        pump_all(feed);
        assert_int_equal(feed_now(feed), ROWS[i].now_ms * MILLISECOND_US);
        assert_int_equal(probes(feed), ROWS[i].probes);
        assert_false(feed_at_end(feed));
        assert_true(feed_real_ms_until_next(feed) > 1000000); /* held: nothing is ever due */
    }
    feed_seek(feed, INT64_MAX);
    pump_all(feed);
    assert_true(feed_at_end(feed));
    assert_int_equal(feed_now(feed), 6 * S);
    feed_seek(feed, 2 * S);
    assert_false(feed_at_end(feed));
    pump_all(feed);
    assert_int_equal(probes(feed), 1);
    assert_string_equal(feed_problem(feed), "");
    feed_free(feed);
}

static void test_replay_runs_to_its_end(void **state)
{
    struct place *place = *state;
    append_story(place);
    struct feed *feed = feed_open(place->recording, false, 512);
    int64_t deadline = clock_mono_us() + DEADLINE_S * S, last = 0;
    while (!feed_at_end(feed)) {
        assert_true(clock_mono_us() < deadline);
        feed_pump(feed, PLENTY);
        assert_true(feed_now(feed) >= last);
        assert_true(feed_now(feed) <= 6 * S || !feed_at_end(feed));
        last = feed_now(feed);
    }
    assert_int_equal(feed_now(feed), 6 * S);
    assert_int_equal(probes(feed), 4);
    assert_false(feed_pump(feed, PLENTY));
    feed_free(feed);
}

static void test_replay_says_when_the_next_is_due(void **state)
{
    struct place *place = *state;
    append_story(place);
    struct feed *feed = feed_open(place->recording, false, 0.125);
    pump_all(feed);
    int64_t wait = feed_real_ms_until_next(feed); /* the pod, 1 s of t away: 8 real seconds */
    assert_in_range(wait, 7000, 8000);
    feed_speed(feed, 1);
    assert_in_range(feed_real_ms_until_next(feed), 800, 1000);
    feed_speed(feed, 1e9);
    assert_true(feed_speed_now(feed) == 1024);
    feed_speed(feed, 0);
    assert_true(feed_speed_now(feed) == 0.125);
    feed_free(feed);
}

static void test_budget(void **state)
{
    struct place *place = *state;
    append_story(place);
    struct feed *feed = feed_open(place->recording, false, 1);
    feed_seek(feed, INT64_MAX);
    int turns = 0;
    do {
        feed_pump(feed, 2);
        turns++;
    } while (feed_behind(feed) && turns < 100);
    assert_in_range(turns, 3, 5);
    assert_true(feed_at_end(feed));
    feed_free(feed);
}

/* ---- live ---- */

static void test_live_follows(void **state)
{
    struct place *place = *state;
    append_hello(place);
    append_pod(place, 1 * S);
    struct feed *feed = feed_open(journal_dir(place->journal), true, 1);
    assert_true(feed_pump(feed, PLENTY));
    assert_false(feed_pump(feed, PLENTY));
    assert_in_range(feed_now(feed), 100 * S, 100 * S + DEADLINE_S * S);
    append_probe(place, 2 * S, OUTCOME_OK);
    assert_true(feed_pump(feed, PLENTY));
    assert_int_equal(probes(feed), 1);
    assert_false(feed_at_end(feed));
    append_end(place, 101 * S);
    assert_true(feed_pump(feed, PLENTY));
    assert_true(feed_at_end(feed));
    assert_int_equal(feed_now(feed), 101 * S);
    feed_free(feed);
}

static void test_live_held(void **state)
{
    struct place *place = *state;
    append_hello(place);
    append_pod(place, 1 * S);
    struct feed *feed = feed_open(journal_dir(place->journal), true, 1);
    pump_all(feed);
    feed_pause(feed, true);
    int64_t held = feed_now(feed);
    append_probe(place, held + S, OUTCOME_OK);
    assert_false(feed_pump(feed, PLENTY));
    assert_int_equal(feed_now(feed), held);
    assert_int_equal(probes(feed), 0);
    feed_pause(feed, false);
    assert_true(feed_pump(feed, PLENTY));
    assert_int_equal(probes(feed), 1);
    assert_true(feed_now(feed) >= held + S);
    feed_free(feed);
}

static void test_live_back_in_time(void **state)
{
    struct place *place = *state;
    append_hello(place);
    append_pod(place, 1 * S);
    for (int64_t t = 2; t <= 5; t++)
        append_probe(place, t * S, OUTCOME_OK);
    struct feed *feed = feed_open(journal_dir(place->journal), true, 1);
    pump_all(feed);
    assert_int_equal(probes(feed), 4);
    feed_seek(feed, 3 * S);
    pump_all(feed);
    assert_true(feed_paused(feed));
    assert_int_equal(feed_now(feed), 3 * S);
    assert_int_equal(probes(feed), 2);
    feed_seek(feed, INT64_MAX);
    pump_all(feed);
    assert_false(feed_paused(feed));
    assert_int_equal(probes(feed), 4);
    assert_true(feed_now(feed) >= 100 * S);
    feed_free(feed);
}

/* The journal has to move: the picture goes on with what happened meanwhile. */
static void test_live_moves(void **state)
{
    struct place *place = *state;
    struct problem note = {""};
    char path[192];
    append_hello(place);
    append_pod(place, 1 * S);
    append_probe(place, 2 * S, OUTCOME_OK);
    struct feed *feed = feed_open(journal_dir(place->journal), true, 1);
    pump_all(feed);
    setenv("XDG_RUNTIME_DIR", place->dir, 1);
    snprintf(path, sizeof path, "%s/journal-000001.jsonl", journal_dir(place->journal));
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/lock", journal_dir(place->journal));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(journal_dir(place->journal)), 0);
    struct fact fact;
    fact_init(&fact, FACT_NOTE, 0);
    fact.t = 3 * S;
    journal_append(place->journal, &fact);
    assert_true(journal_flush(place->journal, &note));
    append_probe(place, 4 * S, OUTCOME_OK);
    assert_false(feed_pump(feed, PLENTY)); /* nobody has told it yet */
    feed_follow(feed, journal_dir(place->journal));
    assert_true(feed_pump(feed, PLENTY));
    assert_string_equal(feed_problem(feed), "");
    assert_int_equal(probes(feed), 2);
    assert_int_equal(feed_fleet(feed)->count, 1);
    append_probe(place, 5 * S, OUTCOME_OK);
    pump_all(feed);
    assert_int_equal(probes(feed), 3);
    feed_follow(feed, "/nonexistent");
    assert_non_null(strstr(feed_problem(feed), "/nonexistent"));
    feed_free(feed);
}

/* The journal has stopped for good: what is in it is still shown, and then time stands. */
static void test_live_lost(void **state)
{
    struct place *place = *state;
    append_hello(place);
    append_pod(place, 1 * S);
    append_probe(place, 2 * S, OUTCOME_OK);
    struct feed *feed = feed_open(journal_dir(place->journal), true, 1);
    feed_lose(feed);
    pump_all(feed);
    assert_int_equal(probes(feed), 1);
    assert_true(feed_at_end(feed));
    assert_int_equal(feed_now(feed), 2 * S);
    feed_seek(feed, 1 * S); /* the past is still there */
    pump_all(feed);
    assert_int_equal(feed_now(feed), 1 * S);
    assert_int_equal(probes(feed), 0);
    feed_seek(feed, INT64_MAX);
    pump_all(feed);
    assert_int_equal(feed_now(feed), 2 * S);
    feed_free(feed);
}

/* ---- both ---- */

static void report(struct feed *feed, struct buf *out)
{
    report_fleet(feed_fleet(feed), feed_now(feed), REPORT_JSON, false, out);
}

/* A recording ends where the live run ended, to the byte; what comes after the end counts for neither. */
static void test_same_end(void **state)
{
    struct place *place = *state;
    struct buf live_report, replay_report;
    buf_init(&live_report, 1 << 20);
    buf_init(&replay_report, 1 << 20);
    append_story(place);
    append_probe(place, 7 * S, OUTCOME_FAIL);
    struct feed *live = feed_open(journal_dir(place->journal), true, 1);
    struct feed *replay = feed_open(place->recording, false, 1);
    pump_all(live);
    feed_seek(replay, INT64_MAX);
    pump_all(replay);
    assert_int_equal(feed_now(live), 6 * S);
    report(live, &live_report);
    report(replay, &replay_report);
    assert_non_null(strstr(buf_str(&live_report), "decode-0"));
    assert_string_equal(buf_str(&live_report), buf_str(&replay_report));
    feed_free(live);
    feed_free(replay);
    buf_free(&live_report);
    buf_free(&replay_report);
}

static void copy_with_broken_line_3(const char *from, const char *to)
{
    char line[65536];
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    assert_non_null(in);
    assert_non_null(out);
    for (int number = 1; fgets(line, sizeof line, in); number++) {
        if (number == 3)
            fputs("{\"kind\":nonsense\n", out);
        fputs(line, out);
    }
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* A broken line is told with its number, and what follows it is read. */
static void test_broken_line(void **state)
{
    struct place *place = *state;
    char broken[128];
    append_story(place);
    snprintf(broken, sizeof broken, "%s/broken.jsonl", place->dir);
    copy_with_broken_line_3(place->recording, broken);
    struct feed *feed = feed_open(broken, false, 1);
    feed_seek(feed, INT64_MAX);
    pump_all(feed);
    assert_true(feed_at_end(feed));
    assert_int_equal(probes(feed), 4);
    if (!strstr(feed_problem(feed), ":3: "))
        fail_msg("\"%s\" does not name line 3", feed_problem(feed));
    feed_free(feed);
    unlink(broken);
}

int main(void)
{
#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_PLACE(test_replay_seeks),
        WITH_PLACE(test_replay_runs_to_its_end),
        WITH_PLACE(test_replay_says_when_the_next_is_due),
        WITH_PLACE(test_budget),
        WITH_PLACE(test_live_follows),
        WITH_PLACE(test_live_held),
        WITH_PLACE(test_live_back_in_time),
        WITH_PLACE(test_live_moves),
        WITH_PLACE(test_live_lost),
        WITH_PLACE(test_same_end),
        WITH_PLACE(test_broken_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
