/* The model as text: tables for people, JSON for programs, and when the whole counts as unwell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "report/report.h"

#include <stdio.h>

static const int64_t S = SECOND_US;
static const int64_t WALL = 1760000000; /* 2025-10-09T08:53:20Z */

/* ---- a fleet made of facts ---- */

static struct fleet *fleet_begin(void)
{
    struct fleet *fleet = fleet_new(fleet_limits_reader());
    struct fact fact;
    fact_init(&fact, FACT_HELLO, 0);
    fact.u.hello.version = 1;
    fact.u.hello.wall_zero = WALL * S;
    fact.u.hello.speed = 1;
    fleet_apply(fleet, &fact);
    fact_free(&fact);
    return fleet;
}

/* An endpoint given by hand, as the endpoints' source tells it. */
static void add_container(struct fleet *fleet, uint32_t id, const char *name, int64_t t, int64_t started_at)
{
    struct fact fact;
    fact_init(&fact, FACT_POD, id);
    fact.t = t;
    struct pod_facts *facts = &fact.u.facts;
    facts->id = id;
    text_set_str(&facts->name, name, TEXT_NAME);
    text_set_str(&facts->address, "127.0.0.1:8000", TEXT_NAME);
    facts->role = id == 1 ? ROLE_DECODE : ROLE_NONE;
    facts->phase = PHASE_RUNNING;
    facts->serving.exists = true;
    facts->serving.state = CONTAINER_RUNNING;
    facts->serving.started_at = started_at;
    facts->serving.started_at_known = started_at != 0;
    text_set_str(&facts->serving.container_id, "run-1", TEXT_NAME);
    facts->serving_port = facts->vllm_port = 8000;
    for (int lane = LANE_STARTUP; lane <= LANE_READINESS; lane++)
        probe_spec_recommended(&facts->probes[lane], (enum lane_kind)lane, 8000);
    fleet_apply(fleet, &fact);
    fact_free(&fact);
}

static void add_endpoint(struct fleet *fleet, uint32_t id, const char *name, int64_t t)
{
    add_container(fleet, id, name, t, 0);
}

static void add_probe(struct fleet *fleet, uint32_t id, enum lane_kind lane, enum probe_cause cause, int64_t t)
{
    struct fact fact;
    fact_init(&fact, FACT_PROBE, id);
    fact.t = t;
    struct sample *sample = &fact.u.sample;
    sample->lane = lane;
    sample->cause = cause;
    sample->outcome = cause == PROBE_CAUSE_NONE ? OUTCOME_OK : OUTCOME_FAIL;
    sample->attempt = 1;
    sample->sent = t - 3000;
    if (cause == PROBE_CAUSE_NONE) {
        sample->status = 200;
        sample->answerer = ANSWERER_VLLM;
        sample->total = 3000;
        if (lane != LANE_LIVENESS)
            text_set_str(sample_add_model(sample), "meta/\xc3\xa9lan\x1b[2J", TEXT_LINE);
    }
    fleet_apply(fleet, &fact);
    fact_free(&fact);
}

static void make_ready(struct fleet *fleet, uint32_t id, int64_t t)
{
    add_probe(fleet, id, LANE_STARTUP, PROBE_CAUSE_NONE, t);
    add_probe(fleet, id, LANE_LIVENESS, PROBE_CAUSE_NONE, t + S);
    add_probe(fleet, id, LANE_READINESS, PROBE_CAUSE_NONE, t + S);
}

/* decode-0 is well, refusing-1 refuses. */
static struct fleet *fleet_of_two(void)
{
    struct fleet *fleet = fleet_begin();
    add_endpoint(fleet, 1, "decode-0", 1 * S);
    add_endpoint(fleet, 2, "refusing-1", 1 * S);
    make_ready(fleet, 1, 2 * S);
    add_probe(fleet, 2, LANE_STARTUP, PROBE_CAUSE_REFUSED, 3 * S);
    return fleet;
}

static void assert_holds(const char *whole, const char *part)
{
    if (!strstr(whole, part))
        fail_msg("\"%s\" is not in:\n%s", part, whole);
}

/* ---- formats ---- */

static void test_format_names(void **state)
{
    enum report_format format = REPORT_TABLE;
    (void)state;
    assert_true(report_format_from_name("jsonl", &format));
    assert_int_equal(format, REPORT_JSONL);
    assert_false(report_format_from_name("yaml", &format));
    assert_false(report_format_from_name("", &format));
    assert_int_equal(format, REPORT_JSONL);
}

static void test_table(void **state)
{
    struct fleet *fleet = fleet_of_two();
    struct buf out;
    (void)state;
    buf_init(&out, 1 << 16);
    report_fleet(fleet, 10 * S, REPORT_TABLE, false, &out);
    const char *table = buf_str(&out), *worst = strstr(table, "refusing-1"), *well = strstr(table, "decode-0");
    assert_holds(table, "  POD         ROLE    STAGE");
    assert_non_null(worst);
    assert_non_null(well);
    assert_true(worst < well); /* worst first */
    assert_holds(well, "decode  Ready");
    assert_holds(well, "\u2713  \u2713  \u2713");
    assert_holds(well, "3ms");
    assert_holds(worst, "\u2717  \u00b7  \u00b7"); /* liveness and readiness wait for startup: nothing sent yet */
    assert_holds(worst, "start-up 1/60");
    assert_holds(table,
                 "refusing-1: nothing answers at 127.0.0.1:8000, and nothing shows that anything is loading there\n");
    assert_null(strstr(table, "decode-0: "));
    assert_null(strstr(table, " \n"));
    assert_null(strstr(table, "ADDRESS"));
    buf_clear(&out);
    report_fleet(fleet, 10 * S, REPORT_WIDE, false, &out);
    assert_holds(buf_str(&out), "ADDRESS");
    assert_holds(buf_str(&out), "127.0.0.1:8000");
    assert_holds(buf_str(&out), "meta/\xc3\xa9lan\\x1b[2J");
    buf_free(&out);
    fleet_free(fleet);
}

static void test_ascii(void **state)
{
    struct fleet *fleet = fleet_of_two();
    struct buf out;
    (void)state;
    buf_init(&out, 1 << 16);
    report_fleet(fleet, 10 * S, REPORT_WIDE, true, &out);
    for (size_t i = 0; i < out.len; i++)
        assert_true((out.data[i] >= ' ' && out.data[i] < 0x7f) || out.data[i] == '\n');
    assert_holds(buf_str(&out), "meta/?lan");
    assert_holds(buf_str(&out), "+  +  +");
    buf_free(&out);
    fleet_free(fleet);
}

static struct json *parse(const struct buf *out)
{
    struct json *document = NULL;
    struct problem problem = {""};
    if (json_parse(out->data, out->len, 1 << 20, &document, &problem) != STATUS_OK)
        fail_msg("%s: %s", problem.text, buf_str(out));
    return document;
}

static const struct json *lane_named(const struct json *pod, const char *name)
{
    const struct json *lane = json_first(json_get(pod, "lanes"));
    while (lane && strcmp(json_string(json_get(lane, "name")), name) != 0)
        lane = json_next(lane);
    assert_non_null(lane);
    return lane;
}

static void assert_well_pod(const struct json *pod)
{
    const struct json *readiness = lane_named(pod, "readiness");
    assert_string_equal(json_string(json_get(pod, "name")), "decode-0");
    assert_string_equal(json_string(json_get(pod, "role")), "decode");
    assert_string_equal(json_string(json_get(pod, "stage")), "Ready");
    assert_string_equal(json_string(json_get(pod, "since")), "2025-10-09T08:53:23Z");
    assert_true(json_is_null(json_get(pod, "namespace")));
    assert_true(json_is_null(json_get(pod, "budget")));
    assert_int_equal(json_int(json_get(pod, "restarts"), -1), 0);
    assert_false(json_bool(json_get(pod, "unhealthy"), true));
    assert_string_equal(json_string(json_get(readiness, "outcome")), "ok");
    assert_string_equal(json_string(json_get(readiness, "answered_by")), "vLLM");
    assert_int_equal(json_int(json_get(readiness, "status"), -1), 200);
    assert_int_equal(json_int(json_get(readiness, "streak"), -1), 1);
    assert_true(json_real(json_get(readiness, "p99_ms"), -1) == 3.0);
    assert_string_equal(json_string(json_first(json_get(pod, "models"))), "meta/\xc3\xa9lan\\x1b[2J");
}

static void assert_refusing_pod(const struct json *pod)
{
    const struct json *startup = lane_named(pod, "startup"), *liveness = lane_named(pod, "liveness");
    const struct json *budget = json_get(pod, "budget");
    assert_true(json_bool(json_get(pod, "unhealthy"), false));
    assert_true(json_is_null(json_get(pod, "role")));
    assert_true(json_is_null(json_get(pod, "models")));
    assert_string_equal(json_string(json_get(startup, "outcome")), "fail");
    assert_string_equal(json_string(json_get(startup, "cause")), "refused");
    assert_true(json_is_null(json_get(startup, "status")));
    assert_true(json_is_null(json_get(startup, "p50_ms")));
    assert_int_equal(json_int(json_get(startup, "threshold"), -1), 60);
    assert_string_equal(json_string(json_get(startup, "leads_to")), "restart");
    assert_true(json_is_null(json_get(liveness, "outcome")));
    assert_true(json_is_null(json_get(liveness, "cause")));
    assert_true(json_bool(json_get(budget, "guess"), false));
    assert_int_equal(json_int(json_get(budget, "failures"), -1), 1);
    assert_true(json_is_array(json_get(pod, "why")));
    assert_true(json_is_array(json_get(pod, "hints")));
    assert_non_null(strstr(json_string(json_get(pod, "state")), "nothing shows that anything is loading there"));
    assert_non_null(strstr(json_string(json_get(pod, "command")), "curl -sv"));
}

static void test_json(void **state)
{
    struct fleet *fleet = fleet_of_two();
    struct buf out;
    (void)state;
    buf_init(&out, 1 << 16);
    report_fleet(fleet, 10 * S, REPORT_JSON, false, &out);
    for (size_t i = 0; i < out.len; i++)
        assert_true(out.data[i] > 0); /* ASCII alone */
    struct json *document = parse(&out);
    const struct json *first = json_first(json_get(document, "pods"));
    assert_string_equal(json_string(json_get(document, "schema")), "probetop.check/v1");
    assert_string_equal(json_string(json_get(document, "time")), "2025-10-09T08:53:30Z");
    assert_true(json_bool(json_get(document, "unhealthy"), false));
    assert_int_equal(json_count(json_get(document, "pods")), 2);
    assert_well_pod(first);
    assert_refusing_pod(json_next(first));
    json_free(document);
    buf_free(&out);
    fleet_free(fleet);
}

static void test_jsonl(void **state)
{
    struct fleet *fleet = fleet_of_two();
    struct buf out, line;
    int lines = 0;
    (void)state;
    buf_init(&out, 1 << 16);
    report_fleet(fleet, 10 * S, REPORT_JSONL, false, &out);
    for (const char *at = buf_str(&out); *at; lines++) {
        size_t length = strcspn(at, "\n");
        buf_init(&line, 1 << 16);
        buf_append(&line, at, length);
        struct json *document = parse(&line);
        assert_string_equal(json_string(json_get(document, "schema")), "probetop.check/v1");
        assert_non_null(json_string(json_get(document, "name")));
        json_free(document);
        buf_free(&line);
        at += length + 1;
    }
    assert_int_equal(lines, 2);
    buf_free(&out);
    fleet_free(fleet);
}

/* ---- whether anything is unwell ---- */

enum story { NOBODY, WELL, REFUSING, SILENT, LOADING, OVERDUE, GONE, DEAD, CRASHED, STORY_COUNT };

/* It loads again, and its last run ran out of memory. */
static void add_crashed(struct fleet *fleet)
{
    struct fact fact;
    fact_init(&fact, FACT_POD, 1);
    fact.t = 3 * S;
    struct pod_facts *facts = &fact.u.facts;
    pod_facts_copy(facts, &fleet_pod(fleet, 1)->facts);
    facts->kubelet = true;
    facts->serving.restart_count = 1;
    text_set_str(&facts->serving.container_id, "run-2", TEXT_NAME);
    facts->serving.last.known = true;
    facts->serving.last.exit_code = 137;
    facts->serving.last.finished_at = 2 * S;
    text_set_str(&facts->serving.last.reason, "OOMKilled", TEXT_NAME);
    fleet_apply(fleet, &fact);
    fact_free(&fact);
}

static struct fleet *fleet_telling(enum story story)
{
    struct fleet *fleet = fleet_begin();
    struct fact fact;
    if (story == NOBODY)
        return fleet;
    add_container(fleet, 1, "decode-0", 1 * S, story == OVERDUE ? -7200 * S : 0);
    if (story == WELL || story == DEAD)
        make_ready(fleet, 1, 2 * S);
    if (story == CRASHED)
        add_crashed(fleet);
    if (story == REFUSING || story == LOADING || story == CRASHED)
        add_probe(fleet, 1, LANE_STARTUP, PROBE_CAUSE_REFUSED, 3 * S);
    if (story == LOADING || story == OVERDUE || story == CRASHED) {
        fact_init(&fact, FACT_LOG, 1);
        fact.t = 4 * S;
        fact.u.log.written = -1;
        text_set_str(&fact.u.log.line, "Loading safetensors checkpoint shards:  25% Completed | 41/163", TEXT_LINE);
        fleet_apply(fleet, &fact);
        fact_free(&fact);
    }
    for (int i = 0; story == DEAD && i < 3; i++)
        add_probe(fleet, 1, LANE_READINESS, PROBE_CAUSE_ENGINE_DEAD, (5 + i) * S);
    if (story == GONE) {
        fact_init(&fact, FACT_GONE, 1);
        fact.t = 5 * S;
        fleet_apply(fleet, &fact);
        fact_free(&fact);
    }
    return fleet;
}

static void test_unhealthy(void **state)
{
    static const struct {
        enum story story;
        int64_t now;
        bool unhealthy;
    } ROWS[] = {
        {NOBODY, 10, true},  {WELL, 10, false}, {REFUSING, 10, true}, {SILENT, 10, true},  {LOADING, 10, false},
        {OVERDUE, 10, true}, {GONE, 10, true},  {DEAD, 10, true},     {CRASHED, 10, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct fleet *fleet = fleet_telling(ROWS[i].story);
        if (report_unhealthy(fleet, ROWS[i].now * S) != ROWS[i].unhealthy)
            fail_msg("story %d: expected %s", (int)ROWS[i].story, ROWS[i].unhealthy ? "unwell" : "well");
        fleet_free(fleet);
    }
}

/* ---- line mode's sentences ---- */

static struct buf told;
static const struct fleet *teller;

static void on_happening(void *user, const struct pod *pod, const struct happening *happening)
{
    (void)user;
    report_happening(teller, pod, happening, &told);
    buf_putc(&told, '\n');
}

static void test_sentences(void **state)
{
    (void)state;
    setenv("TZ", "UTC", 1);
    struct fleet *fleet = fleet_begin();
    buf_init(&told, 1 << 16);
    teller = fleet;
    fleet->on_happening = on_happening;
    add_endpoint(fleet, 1, "decode-0", 1 * S);
    add_probe(fleet, 1, LANE_STARTUP, PROBE_CAUSE_REFUSED, 2 * S);
    make_ready(fleet, 1, 352 * S);
    assert_holds(buf_str(&told), "08:53:22 decode-0: startup: ");
    assert_holds(buf_str(&told), "08:59:13 decode-0 became Ready after 5:5");
    assert_null(strstr(buf_str(&told), "\n\n"));
    buf_free(&told);
    fleet_free(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format_names), cmocka_unit_test(test_table), cmocka_unit_test(test_ascii),
        cmocka_unit_test(test_json),         cmocka_unit_test(test_jsonl), cmocka_unit_test(test_unhealthy),
        cmocka_unit_test(test_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
