/* core/kube/pulse.c: that the API server is silent is told within a second, once, and its return too; nobody asks while nobody waits. */
#include "base/clock.h"
#include "kube/pulse.h"
#include "tests/support/loop.h"
#include "tests/support/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEADLINE_MS = 10000, IN_TIME_US = 3000000 /* a second where nothing else runs */ };

struct stage {
    uv_loop_t loop;
    struct http *http;
    struct api *api;
    struct pulse *pulse;
    struct script script;
    char dir[64], path[96];
    bool hangs;
    int status, asked, answered;
    struct script_connection *asking;
    int told;
    bool silent;
    char why[256];
};

static void on_asked(void *user, struct script_connection *connection, const char *target)
{
    struct stage *stage = user;
    assert_string_equal(target, "/version");
    stage->asked++;
    stage->asking = connection;
    if (!stage->hangs)
        script_answer(connection, stage->status, "dial tcp 10.0.0.1:6443: connect: connection refused");
}

static void on_changed(void *user, bool silent, const char *why)
{
    struct stage *stage = user;
    stage->told++;
    stage->silent = silent;
    snprintf(stage->why, sizeof stage->why, "%s", why);
}

static void on_answered(void *user)
{
    struct stage *stage = user;
    stage->answered++;
}

static bool says_something(enum api_end end, const char *words)
{
    assert_non_null(words);
    return end != API_UNREACHABLE && end != API_CUT;
}

static enum pulse_word ask(struct stage *stage)
{
    return pulse_ask(stage->pulse, "/version", clock_mono_us());
}

static int setup(void **state)
{
    static struct stage stage;
    memset(&stage, 0, sizeof stage);
    uv_loop_init(&stage.loop);
    snprintf(stage.dir, sizeof stage.dir, "/tmp/pt-pulse-XXXXXX");
    assert_non_null(mkdtemp(stage.dir));
    snprintf(stage.path, sizeof stage.path, "%s/k.sock", stage.dir);
    stage.status = 200;
    assert_true(script_listen(&stage.script, &stage.loop, stage.path, on_asked, &stage));
    stage.http = http_new(&stage.loop, "test");
    stage.api = api_new(stage.http, stage.path);
    stage.pulse = pulse_new(&(struct pulse_options){.loop = &stage.loop,
                                                    .api = stage.api,
                                                    .pace_ms = 400,
                                                    .silent_ms = 450,
                                                    .is_alive = says_something,
                                                    .changed = on_changed,
                                                    .answered = on_answered,
                                                    .user = &stage});
    *state = &stage;
    return 0;
}

static int teardown(void **state)
{
    struct stage *stage = *state;
    pulse_free(stage->pulse);
    api_free(stage->api);
    http_free(stage->http);
    script_stop(&stage->script);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    unlink(stage->path);
    rmdir(stage->dir);
    return uv_loop_close(&stage->loop);
}

#define UNTIL(stage, condition) LOOP_UNTIL(&(stage)->loop, condition)

static void run_for(struct stage *stage, int64_t us)
{
    for (int64_t until = clock_mono_us() + us; clock_mono_us() < until; usleep(200))
        uv_run(&stage->loop, UV_RUN_NOWAIT);
}

static void test_asked_while_somebody_waits(void **state)
{
    struct stage *stage = *state;
    run_for(stage, 100000);
    assert_int_equal(stage->asked, 0);
    for (int64_t until = clock_mono_us() + SECOND_US; clock_mono_us() < until; usleep(1000)) {
        ask(stage);
        uv_run(&stage->loop, UV_RUN_NOWAIT);
    }
    assert_in_range(stage->asked, 2, 4);
    int before = stage->asked;
    run_for(stage, SECOND_US);
    assert_in_range(stage->asked, before, before + 1);
    assert_int_equal(stage->told, 0); /* it answers: nothing to tell */
}

static void test_silent_and_back(void **state)
{
    struct stage *stage = *state;
    ask(stage);
    UNTIL(stage, stage->asked == 1);
    stage->hangs = true;
    int64_t began = clock_mono_us();
    ask(stage); /* the pace holds it back */
    UNTIL(stage, stage->told == 1);
    assert_true(stage->silent && ask(stage) == PULSE_SILENT);
    assert_true(clock_mono_us() - began < IN_TIME_US);
    for (int i = 0; i < 100; i++)
        ask(stage);
    assert_int_equal(stage->asked, 2);
    stage->hangs = false;
    script_answer(stage->asking, 200, "{}");
    UNTIL(stage, stage->told == 2);
    assert_false(stage->silent);
}

/* A request that is never answered is given up, and the next one finds that it is back. */
static void test_back_by_another_request(void **state)
{
    struct stage *stage = *state;
    stage->hangs = true;
    ask(stage);
    UNTIL(stage, stage->told == 1);
    stage->hangs = false;
    UNTIL(stage, stage->told == 2);
    assert_int_equal(stage->asked, 2);
    assert_false(stage->silent);
}

static void test_words(void **state)
{
    static const struct {
        int status;
        bool alive;
    } rows[] = {{200, true}, {401, true}, {403, true}, {404, true}, {500, false}, {502, false}};
    struct stage *stage = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int before = stage->asked, told = stage->told;
        stage->status = rows[i].status;
        ask(stage);
        UNTIL(stage, stage->asked > before && (rows[i].alive || stage->told > told));
        run_for(stage, 50000);
        assert_int_equal(stage->silent, !rows[i].alive);
        if (!rows[i].alive && rows[i].status == 500)
            assert_non_null(strstr(stage->why, "connection refused"));
        stage->status = 200;
        UNTIL(stage, !stage->silent);
    }
}

static void test_freed_amid(void **state)
{
    struct stage *stage = *state;
    stage->hangs = true;
    ask(stage);
    UNTIL(stage, stage->asked == 1); /* teardown frees it now */
}

int main(void)
{
#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {ON_STAGE(test_asked_while_somebody_waits), ON_STAGE(test_silent_and_back),
                                       ON_STAGE(test_back_by_another_request), ON_STAGE(test_words),
                                       ON_STAGE(test_freed_amid)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
