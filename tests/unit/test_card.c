/* The incident card: that it has everything, and that nothing from outside is more than words in it. */
#include "base/clock.h"
#include "report/card.h"
#include "tests/support/fleet_fixture.h"
#include "tests/support/story.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { ROOM = 1 << 20 };

static void assert_has(const struct buf *card, const char *part)
{
    if (!strstr(buf_str(card), part))
        fail_msg("\"%s\" is not in:\n%s", part, buf_str(card));
}

static void assert_has_not(const struct buf *card, const char *part)
{
    if (strstr(buf_str(card), part))
        fail_msg("\"%s\" is in:\n%s", part, buf_str(card));
}

/* The pod that just lost its engine. */
static void incident(void **state)
{
    static const char *const PARTS[] = {
        "# decode-7f9c-x2k4q: Degraded\n\n**the engine process died; its API server",
        " for moments more** (certain)\n",
        "\nNext: the kubelet restarts the container in about 8s",
        "\nAs of 2",
        "\n## The pod\n\n| | |\n|---|---|\n| Stage | ",
        "| Stage | Degraded: engine dead, for 11s, since ",
        "| Pod | namespace llm-d",
        "| Container | vllm",
        "\n## Why, and what to do\n",
        "engine",
        "kubectl -n llm-d logs decode-7f9c-x2k4q",
        "\n## Probes, as they are in effect\n",
        "| startup | GET ",
        "| liveness | GET ",
        "fails at 3, succeeds at 1",
        "2 failed: engine dead since ",
        "\n## Last failing answer\n\n",
        "liveness, engine dead",
        "\n## Timeline (UTC)\n\n```\n",
        "  x stage    became Degraded after 2h13 of Ready: engine dead\n",
    };
    struct fixture fixture;
    struct buf card, name;
    (void)state;
    fixture_incident(&fixture, false);
    const struct pod *pod = fixture.fleet->pods[0];
    buf_init(&card, ROOM);
    buf_init(&name, ROOM);
    report_card(fixture.fleet, pod, fixture.t, &card);
    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++)
        assert_has(&card, PARTS[i]);
    report_card_name(fixture.fleet, pod, fixture.t, &name);
    char wanted[128], iso[32], *to = wanted;
    to += sprintf(to, "probetop-decode-7f9c-x2k4q-");
    clock_format(fleet_wall(fixture.fleet, fixture.t), CLOCK_ISO_UTC, iso, sizeof iso);
    for (const char *at = iso; *at; at++)
        if (*at != '-' && *at != ':')
            *to++ = *at;
    *to = '\0';
    assert_string_equal(buf_str(&name), wanted);
    buf_free(&card);
    buf_free(&name);
    fixture_end(&fixture);
}

/* The same words again and again give the same card: nothing in it depends on when it is asked for but the moment told. */
static void pure(void **state)
{
    struct fixture fixture;
    struct buf once, again;
    (void)state;
    fixture_incident(&fixture, false);
    buf_init(&once, ROOM);
    buf_init(&again, ROOM);
    const struct pod *pod = fixture.fleet->pods[0];
    for (uint32_t i = 0; i < fixture.fleet->count; i++)
        if (fixture.fleet->pods[i]->stage == STAGE_RUNNING)
            pod = fixture.fleet->pods[i];
    report_card(fixture.fleet, pod, fixture.t, &once);
    report_card(fixture.fleet, pod, fixture.t, &again);
    assert_string_equal(buf_str(&once), buf_str(&again));
    assert_has(&once, "Start-up budget");
    buf_free(&once);
    buf_free(&again);
    fixture_end(&fixture);
}

/* Fences in it that open and close in pairs, by CommonMark's rule: a row of backticks closes only one that is not longer. Every line outside of them is handed to `see`. */
static void lines_outside(const struct buf *card, void (*see)(const char *line, size_t length))
{
    size_t open = 0;
    for (const char *at = buf_str(card); *at;) {
        size_t length = strcspn(at, "\n"), ticks = strspn(at, "`");
        if (open == 0 && ticks >= 3)
            open = ticks;
        else if (open > 0 && ticks >= open && ticks == length)
            open = 0;
        else if (open == 0)
            see(at, length);
        at += length + (at[length] == '\n');
    }
    assert_int_equal(open, 0);
}

/* What a renderer would take for markup: the line without what is escaped and without code. */
static void markup_of(const char *line, char *out)
{
    while (*line) {
        size_t row = strspn(line, "`"), skip = 0;
        for (const char *close = line + row; row > 0 && skip == 0 && (close = strchr(close, '`')) != NULL;
             close += strspn(close, "`"))
            if (strspn(close, "`") == row)
                skip = (size_t)(close - line) + row;
        if (skip == 0 && *line == '\\' && line[1])
            skip = 2;
        if (skip == 0)
            *out++ = *line++;
        line += skip;
    }
    *out = '\0';
}

static void see_hostile(const char *line, size_t length)
{
    static const char *const NONE[] = {"# owned", "<script", "@team", "](", "\033", "```", "| y"};
    char copy[8192], markup[8192];
    assert_true(length < sizeof copy);
    snprintf(copy, sizeof copy, "%.*s", (int)length, line);
    markup_of(copy, markup);
    for (size_t i = 0; i < sizeof NONE / sizeof NONE[0]; i++)
        if (strstr(markup, NONE[i]))
            fail_msg("%s in: %s", NONE[i], copy);
}

static void hostile(void **state)
{
    static const char EVIL[] =
        "d\033[2J\n# owned\n```\n<script>alert(1)</script> @team [x](http://evil) | y ````` ~~~ ../../x";
    struct story story;
    struct buf card, name;
    (void)state;
    story_begin(&story, true, 8000, 8000);
    text_set_str(&story.facts.name, EVIL, TEXT_NAME);
    text_set_str(&story.facts.ns, EVIL, TEXT_NAME);
    text_set_str(&story.facts.node, EVIL, TEXT_NAME);
    text_set_str(&story.facts.serving.image, EVIL, TEXT_NAME);
    text_set_str(&story.facts.context, EVIL, TEXT_NAME);
    story_tell(&story);
    story_run(&story, 0);
    story_event(&story, "e", EVIL, EVIL, 1);
    story_log(&story, EVIL);
    struct fact fact;
    fact_init(&fact, FACT_PROBE, 1);
    fact.t = story.t;
    fact.u.sample.lane = LANE_STARTUP;
    fact.u.sample.outcome = OUTCOME_FAIL;
    fact.u.sample.cause = PROBE_CAUSE_STATUS;
    fact.u.sample.status = 500;
    fact.u.sample.sent = story.t;
    fact.u.sample.total = 1000;
    text_set_str(&fact.u.sample.body, EVIL, TEXT_BODY);
    text_set_str(&fact.u.sample.detail, EVIL, TEXT_LINE);
    fleet_apply(story.fleet, &fact);
    fact_free(&fact);
    buf_init(&card, ROOM);
    buf_init(&name, ROOM);
    report_card(story.fleet, story_pod(&story), story.t, &card);
    assert_has(&card, "status 500");
    assert_has_not(&card, "\033");
    lines_outside(&card, see_hostile);
    report_card_name(story.fleet, story_pod(&story), story.t, &name);
    assert_int_equal(strspn(buf_str(&name), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."),
                     name.len);
    assert_null(strstr(buf_str(&name), ".."));
    assert_true(name.len < 200);
    buf_free(&card);
    buf_free(&name);
    story_end(&story);
}

/* A pod of which next to nothing is known has a card too. */
static void unknown(void **state)
{
    struct story story;
    struct buf card;
    (void)state;
    story_begin(&story, false, 8000, 8000);
    buf_init(&card, ROOM);
    report_card(story.fleet, story_pod(&story), story.t, &card);
    assert_has(&card, "# decode-0: Unknown");
    assert_has(&card, "Nothing is known to be wrong.");
    assert_has_not(&card, "Last failing answer");
    buf_free(&card);
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(incident), cmocka_unit_test(pure), cmocka_unit_test(hostile),
                                       cmocka_unit_test(unknown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
