/* Hints as lines: each cause once, until the pod was well; and only what is likely at least. */
#include "base/clock.h"
#include "tests/support/story.h"
#include "tui/hint_lines.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const char OOM[] =
    "(EngineCore_DP0 pid=99) ERROR 11-24 06:20:00 [core.py:708] torch.OutOfMemoryError: CUDA out of "
    "memory. Tried to allocate 2.00 GiB.";

/* What the newest fact about the pod leads to. */
static bool take(struct hint_lines *lines, const struct story *story, struct text *words)
{
    struct fact fact;
    fact_init(&fact, FACT_POD, 1);
    fact.t = story->t;
    bool taken = hint_lines_take(lines, story->fleet, &fact, words);
    fact_free(&fact);
    return taken;
}

static void crash(struct story *story, int32_t restarts)
{
    struct container_facts *serving = &story->facts.serving;
    story->t += SECONDS(30);
    story_log(story, OOM);
    serving->last = (struct termination){
        .known = true, .exit_code = 1, .started_at = story->t - SECONDS(30), .finished_at = story->t};
    serving->state = CONTAINER_TERMINATED;
    serving->restart_count = restarts;
    story_tell(story);
}

static void ready(struct story *story)
{
    story_models(story, LANE_STARTUP, ANSWERER_VLLM);
    story_word(story, true, true);
    story_models(story, LANE_READINESS, ANSWERER_VLLM);
    story->t += SECONDS(4000); /* what ended before is no matter any more */
    story_models(story, LANE_READINESS, ANSWERER_VLLM);
}

static void once_until_well(void **state)
{
    struct story story;
    struct hint_lines lines = {0};
    struct text words = {0};
    (void)state;
    story_begin(&story, true, 8000, 8000);
    story.t = SECONDS(1);
    story_run(&story, 0);
    assert_false(take(&lines, &story, &words));
    crash(&story, 0);
    assert_true(take(&lines, &story, &words));
    assert_memory_equal(text_str(&words), "GPU memory ran out (certain); do: kubectl -n llm-d ", 51);
    story.t += SECONDS(2);
    assert_false(take(&lines, &story, &words));
    story_run(&story, 1);
    story.t += SECONDS(2);
    assert_false(take(&lines, &story, &words));
    crash(&story, 1);
    story.t += SECONDS(2);
    assert_false(take(&lines, &story, &words)); /* the same again */
    story_run(&story, 2);
    ready(&story);
    assert_false(take(&lines, &story, &words));
    crash(&story, 2);
    story.t += SECONDS(2);
    assert_true(take(&lines, &story, &words)); /* it was well in between */
    text_free(&words);
    hint_lines_free(&lines);
    story_end(&story);
}

/* Facts about nobody, and about pods that are not there, are no reason to look. */
static void nobody(void **state)
{
    struct story story;
    struct hint_lines lines = {0};
    struct text words = {0};
    struct fact fact;
    (void)state;
    story_begin(&story, true, 8000, 8000);
    fact_init(&fact, FACT_NOTE, 0);
    assert_false(hint_lines_take(&lines, story.fleet, &fact, &words));
    fact_init(&fact, FACT_POD, 7);
    assert_false(hint_lines_take(&lines, story.fleet, &fact, &words));
    assert_int_equal(lines.count, 0);
    hint_lines_free(&lines);
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(once_until_well), cmocka_unit_test(nobody)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
