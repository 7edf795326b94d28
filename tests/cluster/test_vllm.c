/* probetop beside a real vLLM in a real pod, probed by a real kubelet: its start, its engine's death, and a start-up budget that is too short for it.
 *
 * Needs what test_cluster.c needs, and PROBETOP_VLLM: a command that prints, for `pod NAME FLAGS...`, a Pod that runs vLLM with these flags; the start-up probe of that has a failureThreshold of 150. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/hints.h"
#include "tests/support/cluster.h"
#include "tests/support/watcher.h"

#include <stdio.h>
#include <unistd.h>

/* Importing vLLM is work for a processor: on a busy one a start takes minutes. */
enum { START_SECONDS = 150, SECONDS_MAX = 60, TEXT_MAX = 1 << 16, SHORT_THRESHOLD = 7, NEAR_SECONDS = 2 };

struct place {
    bool skip;
    char dir[64], ns[64];
    struct watcher watcher;
};

static struct place *place_of(void **state)
{
    struct place *place = *state;
    if (place->skip)
        skip();
    return place;
}

static int group_setup(void **state)
{
    struct place *place = mem_new(sizeof *place);
    const char *vllm = getenv("PROBETOP_VLLM");
    *state = place;
    run_directory(place->dir);
    place->skip = !cluster_is_there() || !vllm || !vllm[0];
    if (place->skip) {
        print_message("needs a cluster, and PROBETOP_VLLM\n");
        return 0;
    }
    cluster_environment(place->dir);
    snprintf(place->ns, sizeof place->ns, "probetop-%d-vllm", (int)getpid());
    cluster_namespace(place->dir, place->ns);
    watcher_start(&place->watcher, place->dir, "all", NULL,
                  (const char *const[]){"-n", place->ns, "--via=portforward", NULL});
    return 0;
}

static int group_teardown(void **state)
{
    struct place *place = *state;
    if (!place->skip) {
        watcher_end(&place->watcher);
        cluster_namespace_end(place->dir, place->ns);
    }
    run_directory_remove(place->dir);
    mem_free(place);
    return 0;
}

/* `threshold`: of its start-up probe, every 2 s. */
static void start_vllm(const struct place *place, const char *name, int threshold)
{
    char command[1024];
    struct run run;
    snprintf(
        command, sizeof command,
        "HOME='%s' %s pod %s --enforce-eager | sed 's/\"failureThreshold\": 150/\"failureThreshold\": %d/' >%s.json "
        "&& kubectl apply -n %s -f %s.json",
        getenv("HOME"), getenv("PROBETOP_VLLM"), name, threshold, name, place->ns, name);
    run_start(&run, (const char *const[]){"sh", "-c", command, NULL}, place->dir, NULL);
    run_wait_exit(&run);
    if (run_code(&run) != 0)
        fail_msg("%s: %s", command, buf_str(&run.out));
    run_end(&run);
}

#define AWAIT(place, condition, user, seconds) assert_true(watcher_wait(&(place)->watcher, condition, user, seconds))

static bool is_ready(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->stage == STAGE_READY && pod->facts.ready.status == TRI_TRUE && pod->model_count == 1;
}

static bool was_started_again(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->facts.serving.restart_count >= 1 && pod->facts.serving.state == CONTAINER_RUNNING;
}

static bool is_gone(const struct watcher *watcher, const void *name)
{
    const struct pod *pod = watcher_pod(watcher, name);
    return pod && pod->gone;
}

static const struct span *span_of(const struct pod *pod, enum stage stage)
{
    for (uint32_t i = 0; i < pod->spans.count; i++)
        if (pod->spans.list[i].stage == stage)
            return &pod->spans.list[i];
    return NULL;
}

static bool log_has(const struct pod *pod, const char *words)
{
    for (uint32_t i = 0; i < pod->log_count; i++)
        if (strstr(text_str(&pod_log(pod, i)->line), words))
            return true;
    return false;
}

struct wanted {
    const char *name;
    enum cause cause;
};
static bool is_told(const struct watcher *watcher, const void *user)
{
    const struct wanted *wanted = user;
    const struct pod *pod = watcher_pod(watcher, wanted->name);
    struct hints hints;
    if (!pod)
        return false;
    pod_hints(watcher->fleet, pod, watcher_now(watcher), &hints);
    bool told = hints.count > 0 && hints.list[0].cause == wanted->cause;
    if (told)
        print_message("%s: %s\n", wanted->name, text_str(&hints.list[0].title));
    for (uint32_t i = 0; told && i < hints.list[0].evidence_count; i++)
        print_message("  %s\n", text_str(&hints.list[0].evidence[i].words));
    hints_free(&hints);
    return told;
}

/* Its start, and then its engine's death. */
static void test_start_and_death(void **state)
{
    static const char kill_engine[] = "for p in /proc/[0-9]*; do read -r name <$p/comm; "
                                      "case $name in VLLM::EngineCor*) kill -9 ${p#/proc/};; esac; done";
    struct place *place = place_of(state);
    start_vllm(place, "real-0", 150);
    AWAIT(place, is_ready, "real-0", START_SECONDS);
    const struct pod *pod = watcher_pod(&place->watcher, "real-0");
    const struct span *running = span_of(pod, STAGE_RUNNING);
    assert_non_null(running);
    assert_null(span_of(pod, STAGE_DEGRADED));
    assert_null(span_of(pod, STAGE_UNREACHABLE));
    assert_int_equal(pod->facts.serving.restart_count, 0);
    assert_true(pod->lanes[LANE_STARTUP].failed > 3); /* refused, as long as it loaded */
    assert_int_equal(pod->lanes[LANE_READINESS].last.answerer, ANSWERER_VLLM);
    assert_true(pod->loaded_at >= 0);
    assert_true(log_has(pod, "Starting to load model"));
    assert_true(log_has(pod, "Application startup complete"));
    /* Shortly before it was told what it did. */
    struct fleet *then =
        watcher_fleet_at(&place->watcher, fleet_wall(place->watcher.fleet, pod->ready_at) - 5 * SECOND_US);
    assert_int_equal(then->count, 1);
    print_message("five seconds before it was Ready: %s, %s\n", stage_word(then->pods[0]->stage),
                  text_str(&then->pods[0]->reason));
    assert_int_equal(then->pods[0]->stage, STAGE_RUNNING);
    assert_false(text_empty(&then->pods[0]->reason));
    fleet_free(then);

    assert_int_equal(
        CLUSTER_KUBECTL(place->dir, NULL, "exec", "-n", place->ns, "real-0", "--", "/bin/sh", "-c", kill_engine), 0);
    AWAIT(place, was_started_again, "real-0", SECONDS_MAX);
    AWAIT(place, is_told, (&(struct wanted){"real-0", CAUSE_ENGINE_DEAD}), SECONDS_MAX);
    pod = watcher_pod(&place->watcher, "real-0");
    assert_true(log_has(pod, "EngineDeadError"));
    assert_true(span_of(pod, STAGE_DEGRADED) || span_of(pod, STAGE_COMPLETED) || span_of(pod, STAGE_BACKOFF));
    assert_null(span_of(pod, STAGE_UNREACHABLE));
    assert_int_equal(CLUSTER_KUBECTL(place->dir, NULL, "delete", "pod", "-n", place->ns, "real-0", "--wait=false"), 0);
    AWAIT(place, is_gone, "real-0", SECONDS_MAX);
}

/* Its start-up probe gives up long before it has loaded. */
static void test_killed_by_startup(void **state)
{
    struct place *place = place_of(state);
    start_vllm(place, "short-0", SHORT_THRESHOLD);
    AWAIT(place, was_started_again, "short-0", 2 * SECONDS_MAX);
    const struct pod *pod = watcher_pod(&place->watcher, "short-0");
    assert_int_equal(pod->killed_by, LANE_STARTUP);
    /* NONE: the kubelet had it decided before our own last failure. */
    assert_true(pod->killed_cause == PROBE_CAUSE_REFUSED || pod->killed_cause == PROBE_CAUSE_NONE);
    struct fleet *then =
        watcher_fleet_at(&place->watcher, fleet_wall(place->watcher.fleet, pod->killed_at) - 6 * SECOND_US);
    assert_int_equal(then->pods[then->count - 1]->facts.serving.restart_count, 0);
    struct budget budget = pod_budget(then->pods[then->count - 1], pod->killed_at - 6 * SECOND_US);
    int64_t off = budget.deadline - pod->killed_at;
    fleet_free(then);
    print_message("its kill was foretold six seconds before it, %.2f s off\n", (double)off / SECOND_US);
    assert_true(budget.applies);
    assert_true(off < NEAR_SECONDS * SECOND_US && off > -NEAR_SECONDS * SECOND_US);
    AWAIT(place, is_told, (&(struct wanted){"short-0", CAUSE_STARTUP_BUDGET_EXCEEDED}), SECONDS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_start_and_death),
                                       cmocka_unit_test(test_killed_by_startup)};
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
