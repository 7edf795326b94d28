/* A collection kept in view whatever the API does meanwhile: every row about watches of facts/kube.md 3.2, and lists item by item. */
#include "base/clock.h"
#include "base/mem.h"
#include "kube/api.h"
#include "kube/items.h"
#include "tests/support/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEADLINE_MS = 20000, STEPS_MAX = 12 };

#define ITEM(name, version) "{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" version "\"}}"
#define LIST(version, items)                                                                                           \
    "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"" version "\"},\"items\":[" items "]}"
#define PAGE(token, items) "{\"metadata\":{\"resourceVersion\":\"7\",\"continue\":\"" token "\"},\"items\":[" items "]}"
#define LINE(type, name, version) "{\"type\":\"" type "\",\"object\":" ITEM(name, version) "}\n"
#define ERROR_LINE(code, message)                                                                                      \
    "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"metadata\":{},\"message\":\"" message "\",\"code\":" #code  \
    "}}\n"
#define STATUS(code, message) "{\"kind\":\"Status\",\"message\":\"" message "\",\"code\":" #code "}"

/* How the server goes on after `body`. */
enum step_end {
    WHOLE, /* an answer with its length */
    OPEN,  /* a stream that stays open */
    ENDS,  /* a stream that ends in good order */
    CUTS   /* a stream that breaks off */
};
struct step {
    const char *asked; /* what the target must have in it */
    int status;
    const char *body;
    enum step_end end;
};

enum { ACT_NOT, ACT_FREE_AT_OBJECT, ACT_FREE_AT_LISTED, ACT_FREE_AT_STATE };

struct stage {
    uv_loop_t loop;
    struct http *http;
    struct api *api;
    struct watch *watch;
    struct script script;
    char dir[64], path[96];
    struct step steps[STEPS_MAX];
    int next; /* step; beyond the last the server does not answer */
    struct script_connection *asking;
    int64_t times[STEPS_MAX]; /* of the requests, CLOCK_MONOTONIC µs */
    struct buf told;          /* all callbacks in a few characters each */
    char words[512];
    int act;
};

static void on_asked(void *user, struct script_connection *connection, const char *target)
{
    struct stage *stage = user;
    stage->asking = connection;
    if (stage->next == STEPS_MAX || !stage->steps[stage->next].asked)
        return;
    stage->times[stage->next] = clock_mono_us();
    const struct step *step = &stage->steps[stage->next++];
    if (!strstr(target, step->asked))
        fail_msg("request %d is %s, without %s", stage->next, target, step->asked);
    if (step->end == WHOLE) {
        script_answer(connection, step->status, step->body);
        return;
    }
    script_begin(connection, step->status);
    if (step->body[0])
        script_piece(connection, step->body);
    if (step->end == ENDS)
        script_end(connection);
    else if (step->end == CUTS)
        script_close(connection);
}

static void stage_free_watch(struct stage *stage)
{
    watch_free(stage->watch);
    stage->watch = NULL;
}

static void on_object(void *user, const char *type, const struct json *object)
{
    struct stage *stage = user;
    const struct json *metadata = json_get(object, "metadata");
    buf_printf(&stage->told, "%c%s ",
               type[0] == 'A'   ? '+'
               : type[0] == 'M' ? '~'
                                : '-',
               json_string(json_get(metadata, "name")));
    if (stage->act == ACT_FREE_AT_OBJECT)
        stage_free_watch(stage);
}

static void on_listed(void *user, size_t count)
{
    struct stage *stage = user;
    buf_printf(&stage->told, "[%zu] ", count);
    if (stage->act == ACT_FREE_AT_LISTED)
        stage_free_watch(stage);
}

static void on_state(void *user, enum api_end end, const char *words)
{
    static const char *const names[] = {[API_OK] = "ok",
                                        [API_CUT] = "cut",
                                        [API_UNREACHABLE] = "unreachable",
                                        [API_UNAUTHORIZED] = "unauthorized",
                                        [API_FORBIDDEN] = "forbidden",
                                        [API_NOT_FOUND] = "absent",
                                        [API_GONE] = "gone",
                                        [API_BAD] = "bad"};
    struct stage *stage = user;
    buf_printf(&stage->told, "%s ", names[end]);
    snprintf(stage->words, sizeof stage->words, "%s", words);
    if (stage->act == ACT_FREE_AT_STATE)
        stage_free_watch(stage);
}

static const struct watch_ops ops = {.object = on_object, .listed = on_listed, .state = on_state};

static int setup(void **state)
{
    struct stage *stage = mem_new(sizeof *stage);
    buf_init(&stage->told, 1 << 20);
    snprintf(stage->dir, sizeof stage->dir, "/tmp/test_watch.XXXXXX");
    if (!mkdtemp(stage->dir) || uv_loop_init(&stage->loop) != 0)
        return -1;
    snprintf(stage->path, sizeof stage->path, "%s/k.sock", stage->dir);
    stage->http = http_new(&stage->loop, "kube-probe/1.34");
    stage->api = api_new(stage->http, stage->path);
    *state = stage;
    return script_listen(&stage->script, &stage->loop, stage->path, on_asked, stage) ? 0 : -1;
}

static int teardown(void **state)
{
    struct stage *stage = *state;
    watch_free(stage->watch);
    api_free(stage->api);
    http_free(stage->http);
    script_stop(&stage->script);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    int left = uv_loop_close(&stage->loop);
    rmdir(stage->dir);
    buf_free(&stage->told);
    mem_free(stage);
    return left;
}

static void stage_steps(struct stage *stage, const struct step *steps, size_t count)
{
    assert_true(count <= STEPS_MAX);
    memset(stage->steps, 0, sizeof stage->steps);
    memcpy(stage->steps, steps, count * sizeof *steps);
    stage->next = 0;
    buf_clear(&stage->told);
}

static void stage_watch(struct stage *stage, const char *query)
{
    stage->watch = watch_new(&stage->loop, stage->api, "/api/v1/namespaces/x/pods", query, &ops, stage);
    assert_int_equal(stage->told.len, 0);
}

static void turn(struct stage *stage)
{
    uv_run(&stage->loop, UV_RUN_NOWAIT);
    usleep(200);
}

/* Runs the loop until all that has been told is this. */
static void expect(struct stage *stage, const char *told)
{
    int64_t until = clock_mono_us() + DEADLINE_MS * (int64_t)MILLISECOND_US;
    while (strcmp(buf_str(&stage->told), told) != 0 && clock_mono_us() < until)
        turn(stage);
    assert_string_equal(buf_str(&stage->told), told);
}

static void wait_for_requests(struct stage *stage, int count)
{
    int64_t until = clock_mono_us() + DEADLINE_MS * (int64_t)MILLISECOND_US;
    while (stage->script.asked < count && clock_mono_us() < until)
        turn(stage);
    assert_int_equal(stage->script.asked, count);
}

#define STEPS(stage, ...)                                                                                              \
    do {                                                                                                               \
        const struct step steps[] = {__VA_ARGS__};                                                                     \
        stage_steps(stage, steps, sizeof steps / sizeof steps[0]);                                                     \
    } while (0)

/* ---- what happens, and what is told ---- */

static const struct {
    const char *what;
    struct step steps[STEPS_MAX];
    const char *told;
} stories[] = {
    {"added, modified, deleted; bookmarks are not told",
     {{"limit=250", 200, LIST("5", ITEM("a", "3") "," ITEM("b", "4")), WHOLE},
      {"watch=1&resourceVersion=5&allowWatchBookmarks=true&timeoutSeconds=300", 200,
       LINE("MODIFIED", "a", "6") LINE("BOOKMARK", "", "8") LINE("ADDED", "c", "9") LINE("DELETED", "b", "10"), OPEN}},
     "+a +b [2] ok ~a +c -b "},
    {"nothing there", {{"limit=250", 200, LIST("5", ""), WHOLE}, {"watch=1", 200, "", OPEN}}, "[0] ok "},
    {"broken off: goes on from the last version, and is no fault",
     {{"limit=250", 200, LIST("5", ""), WHOLE},
      {"resourceVersion=5&", 200, LINE("ADDED", "a", "6") LINE("BOOKMARK", "", "77"), CUTS},
      {"resourceVersion=77&", 200, LINE("ADDED", "b", "78"), OPEN}},
     "[0] ok +a +b "},
    {"broken off twice: that is one",
     {{"limit=250", 200, LIST("5", ""), WHOLE},
      {"resourceVersion=5&", 200, "", CUTS},
      {"resourceVersion=5&", 200, "", CUTS},
      {"resourceVersion=5&", 200, LINE("ADDED", "b", "78"), OPEN}},
     "[0] ok cut ok +b "},
    {"half a line is no line",
     {{"limit=250", 200, LIST("5", ""), WHOLE},
      {"resourceVersion=5&", 200, LINE("ADDED", "a", "6") "{\"type\":\"ADDED\",\"obj", CUTS},
      {"resourceVersion=6&", 200, LINE("ADDED", "b", "78"), OPEN}},
     "[0] ok +a +b "},
    {"ended in good order at once: goes on, after a pause, and is no fault",
     {{"limit=250", 200, LIST("5", ""), WHOLE},
      {"resourceVersion=5&", 200, LINE("ADDED", "a", "6"), ENDS},
      {"resourceVersion=6&", 200, LINE("ADDED", "b", "7"), OPEN}},
     "[0] ok +a +b "},
    {"too old, by a line of the watch",
     {{"limit=250", 200, LIST("5", ITEM("a", "3")), WHOLE},
      {"resourceVersion=5&", 200, ERROR_LINE(410, "too old resource version: 5 (99)"), OPEN},
      {"limit=250", 200, LIST("100", ITEM("b", "98")), WHOLE},
      {"resourceVersion=100&", 200, "", OPEN}},
     "+a [1] ok gone +b [1] ok "},
    {"too old, by the status",
     {{"limit=250", 200, LIST("5", ITEM("a", "3")), WHOLE},
      {"resourceVersion=5&", 410, STATUS(410, "too old"), WHOLE},
      {"limit=250", 200, LIST("100", ITEM("b", "98")), WHOLE},
      {"resourceVersion=100&", 200, "", OPEN}},
     "+a [1] gone +b [1] ok "},
    {"too old amid the pages of a list: from its beginning",
     {{"limit=250", 200, PAGE("p2", ITEM("a", "1")), WHOLE},
      {"limit=250&continue=p2", 410, STATUS(410, "continue is too old"), WHOLE},
      {"limit=250", 200, LIST("9", ITEM("a", "1")), WHOLE},
      {"resourceVersion=9&", 200, "", OPEN}},
     "+a gone +a [1] ok "},
    {"another error line: listed again",
     {{"limit=250", 200, LIST("5", ""), WHOLE},
      {"resourceVersion=5&", 200, ERROR_LINE(500, "etcd is ill"), OPEN},
      {"limit=250", 200, LIST("6", ""), WHOLE},
      {"resourceVersion=6&", 200, "", OPEN}},
     "[0] ok bad [0] ok "},
    {"lines that are no lines of a watch: listed again",
     {{"limit=250", 200, LIST("5", ""), WHOLE},
      {"resourceVersion=5&", 200, "<html>\n", OPEN},
      {"limit=250", 200, LIST("6", ""), WHOLE},
      {"resourceVersion=6&", 200, "{\"type\":\"ADDED\",\"object\":{}}\n", OPEN},
      {"limit=250", 200, LIST("7", ""), WHOLE},
      {"resourceVersion=7&", 200, "\n" LINE("ADDED", "a", "8"), OPEN}},
     "[0] ok bad [0] ok bad [0] ok +a "},
    {"the API server goes and comes back",
     {{"limit=250", 200, LIST("5", ""), WHOLE},
      {"resourceVersion=5&", 200, "", CUTS},
      {"resourceVersion=5&", 500, "dial tcp 127.0.0.1:7443: connect: connection refused", WHOLE},
      {"resourceVersion=5&", 500, "dial tcp 127.0.0.1:7443: connect: connection refused", WHOLE},
      {"resourceVersion=5&", 200, LINE("ADDED", "a", "6"), OPEN}},
     "[0] ok unreachable ok +a "},
    {"no right to list, then it is given",
     {{"limit=250", 403, STATUS(403, "pods is forbidden"), WHOLE},
      {"limit=250", 200, LIST("5", ""), WHOLE},
      {"resourceVersion=5&", 200, "", OPEN}},
     "forbidden [0] ok "},
    {"no right to watch",
     {{"limit=250", 200, LIST("5", ITEM("a", "1")), WHOLE}, {"watch=1", 403, STATUS(403, "cannot watch"), WHOLE}},
     "+a [1] forbidden "},
    {"the token has expired",
     {{"limit=250", 200, LIST("5", ""), WHOLE},
      {"watch=1", 200, "", CUTS},
      {"watch=1", 401, STATUS(401, "Unauthorized"), WHOLE}},
     "[0] ok unauthorized "},
    {"no such kind of object", {{"limit=250", 404, "404 page not found", WHOLE}}, "absent "},
    {"lists that are none",
     {{"limit=250", 200, "<html>", WHOLE},
      {"limit=250", 200, "{\"metadata\":{},\"items\":[]}", WHOLE},
      {"limit=250", 200, LIST("5", ITEM("a", "1") ",{"), WHOLE},
      {"limit=250", 200, LIST("5", ITEM("a", "1")), WHOLE},
      {"resourceVersion=5&", 200, "", OPEN}},
     "bad +a [1] ok "},
};

static void test_stories(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
        void *fresh = NULL;
        assert_int_equal(setup(&fresh), 0);
        struct stage *stage = fresh;
        stage_steps(stage, stories[i].steps, STEPS_MAX);
        stage_watch(stage, "");
        int64_t until = clock_mono_us() + DEADLINE_MS * (int64_t)MILLISECOND_US;
        while (strcmp(buf_str(&stage->told), stories[i].told) != 0 && clock_mono_us() < until)
            turn(stage);
        if (strcmp(buf_str(&stage->told), stories[i].told) != 0)
            fail_msg("%s: told \"%s\", expected \"%s\"", stories[i].what, buf_str(&stage->told), stories[i].told);
        assert_int_equal(teardown(&fresh), 0);
    }
}

/* A page says where the next one begins; of what is escaped already nothing is escaped again. */
static void test_paths(void **state)
{
    struct stage *stage = *state;
    STEPS(stage,
          {"/api/v1/namespaces/x/pods?labelSelector=app%3Dvllm&fieldSelector=a&limit=250", 200,
           PAGE("ab/c+d=", ITEM("a", "1") "," ITEM("b", "2")), WHOLE},
          {"/api/v1/namespaces/x/pods?labelSelector=app%3Dvllm&fieldSelector=a&limit=250&continue=ab%2Fc%2Bd%3D", 200,
           LIST("7", ITEM("c", "3")), WHOLE},
          {"/api/v1/namespaces/x/pods?labelSelector=app%3Dvllm&fieldSelector=a&watch=1&resourceVersion=7&"
           "allowWatchBookmarks=true&timeoutSeconds=300",
           200, "", OPEN});
    stage_watch(stage, "labelSelector=app%3Dvllm&fieldSelector=a");
    expect(stage, "+a +b +c [3] ok ");
    assert_int_equal(api_requests(stage->api), 3);
    assert_int_equal(stage->script.accepted, 1);
}

static void hold(struct stage *stage)
{
    for (int64_t until = clock_mono_us() + SECOND_US + SECOND_US / 10; clock_mono_us() < until;)
        turn(stage);
}

/* A watch whose time was over is asked for anew at once, and nobody is told. So it is with one that has become too old after it had held. */
static void test_ends_after_having_held(void **state)
{
    enum { TRIES = 3, LIST_STEP = 2 + TRIES };
    struct stage *stage = *state;
    STEPS(stage, {"limit=250", 200, LIST("5", ""), WHOLE}, {"resourceVersion=5&", 200, "", OPEN},
          {"resourceVersion=9&", 200, "", OPEN}, {"resourceVersion=9&", 200, "", OPEN},
          {"resourceVersion=9&", 200, "", OPEN}, {"limit=250", 200, LIST("20", ITEM("a", "1")), WHOLE},
          {"resourceVersion=20&", 200, "", OPEN});
    stage_watch(stage, "");
    expect(stage, "[0] ok ");
    script_piece(stage->asking, LINE("BOOKMARK", "", "9"));
    bool at_once = false; /* several tries, for a machine that has much else to do */
    for (int i = 0; i < TRIES && !at_once; i++) {
        hold(stage);
        int64_t ended = clock_mono_us();
        script_end(stage->asking);
        wait_for_requests(stage, 3 + i);
        at_once = stage->times[2 + i] - ended < 150 * MILLISECOND_US; /* the shortest pause is 160 ms */
    }
    assert_true(at_once);
    stage->next = LIST_STEP;
    hold(stage);
    script_piece(stage->asking, ERROR_LINE(410, "too old"));
    expect(stage, "[0] ok +a [1] ");
}

/* 0.2 s, doubling, less up to a fifth; and at once when the proxy has come back. */
static void test_pauses(void **state)
{
    struct stage *stage = *state;
    STEPS(stage, {"limit=250", 500, "dial tcp", WHOLE}, {"limit=250", 500, "dial tcp", WHOLE},
          {"limit=250", 500, "dial tcp", WHOLE}, {"limit=250", 500, "dial tcp", WHOLE},
          {"limit=250", 200, LIST("5", ""), WHOLE}, {"watch=1", 200, "", OPEN});
    stage_watch(stage, "");
    wait_for_requests(stage, 4);
    for (int i = 0; i < 3; i++) {
        int64_t pause = stage->times[i + 1] - stage->times[i], whole = 200 * MILLISECOND_US << i;
        if (pause < whole * 78 / 100 || pause > whole + 500 * MILLISECOND_US)
            fail_msg("pause %d was %lld µs", i, (long long)pause);
    }
    int64_t until = clock_mono_us() + 100 * MILLISECOND_US;
    while (clock_mono_us() < until) /* the fourth refusal has been told */
        turn(stage);
    assert_string_equal(buf_str(&stage->told), "unreachable ");
    assert_non_null(strstr(stage->words, "dial tcp"));
    int64_t now = clock_mono_us();
    watch_retry(stage->watch);
    expect(stage, "unreachable [0] ok ");
    assert_true(stage->times[4] - now < 1000 * MILLISECOND_US); /* it would have been 1.28 s at the least */
    watch_retry(stage->watch);                                  /* nothing to be done */
    for (int i = 0; i < 50; i++)
        turn(stage);
    assert_int_equal(stage->script.asked, 6);
}

static void test_words(void **state)
{
    struct stage *stage = *state;
    STEPS(stage, {"limit=250", 403, STATUS(403, "User \\\"v\\\" cannot list resource \\\"pods\\\""), WHOLE});
    stage_watch(stage, "");
    expect(stage, "forbidden ");
    assert_string_equal(stage->words, "User \"v\" cannot list resource \"pods\"");
}

/* Each callback may free the watch, and hears nothing more. */
static void test_freed_within(void **state)
{
    static const char *const told[] = {
        [ACT_FREE_AT_OBJECT] = "+a ", [ACT_FREE_AT_LISTED] = "+a +b [2] ", [ACT_FREE_AT_STATE] = "+a +b [2] ok "};
    struct stage *stage = *state;
    for (stage->act = ACT_FREE_AT_OBJECT; stage->act <= ACT_FREE_AT_STATE; stage->act++) {
        STEPS(stage, {"limit=250", 200, LIST("5", ITEM("a", "3") "," ITEM("b", "4")), WHOLE},
              {"watch=1", 200, LINE("ADDED", "c", "9") LINE("ADDED", "d", "9"), OPEN});
        stage_watch(stage, "");
        expect(stage, told[stage->act]);
        for (int i = 0; i < 50; i++)
            turn(stage);
        assert_string_equal(buf_str(&stage->told), told[stage->act]);
        assert_null(stage->watch);
    }
    stage->act = ACT_NOT;
    STEPS(stage, {"limit=250", 200, LIST("5", ""), WHOLE},
          {"watch=1", 200, LINE("ADDED", "c", "9") LINE("ADDED", "d", "9"), OPEN});
    stage_watch(stage, "");
    expect(stage, "[0] ok +c +d ");
    stage->act = ACT_FREE_AT_OBJECT;
    script_piece(stage->asking, LINE("ADDED", "e", "9") LINE("ADDED", "f", "9"));
    expect(stage, "[0] ok +c +d +e ");
    for (int i = 0; i < 50; i++)
        turn(stage);
    assert_string_equal(buf_str(&stage->told), "[0] ok +c +d +e ");
}

/* ---- lists, item by item ---- */

static void test_items(void **state)
{
    static const struct {
        const char *bytes, *names; /* names: of the items; "?" at the end: then it is broken; NULL: no list at all */
    } rows[] = {
        {"{\"metadata\":{},\"items\":[]}", ""},
        {"{\"items\":[{\"n\":\"a\"},{\"n\":\"b\"}],\"metadata\":{\"x\":[1,2,{}]}}", "ab"},
        {" {\n \"kind\": \"L\",\n \"items\" : [ {\"n\": \"a\"} ,\n {\"n\":\"b\"}\n ] , \"z\" : -1.5e3 }\n", "ab"},
        {"{\"items\":null,\"x\":true}", ""},
        {"{}", ""},
        {"{\"items\":[{\"n\":\"a\"}],\"items\":[{\"n\":\"b\"}]}", "a"},
        {"{\"x\":{\"items\":[{\"n\":\"q\"}]},\"y\":\"\\\"items\\\":[\",\"items\":[{\"n\":\"a\"}]}", "a"},
        {"{\"items\":[{\"n\":\"a\",\"s\":\"]}\\\\\"},{\"n\":\"b\",\"s\":\"\\\"]\"}]}", "ab"},
        {"{\"items\":[{\"n\":\"a\"},{\"n\":}]}", "a?"},
        {"{\"items\":[{\"n\":\"a\"},1 2]}", "a--"},
        {"{\"items\":[{\"n\":\"\xff\"}]}", "?"},
        {"{\"items\":{}}", NULL},
        {"{\"items\":[{\"n\":\"a\"}", NULL},
        {"{\"items\":[{\"n\":\"a", NULL},
        {"{\"items\":[\"a\\", NULL},
        {"{\"items\"", NULL},
        {"{\"items\":", NULL},
        {"{]", NULL},
        {"[]", NULL},
        {"", NULL},
        {"<html>", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        /* In memory of just that length, so that a look beyond it is seen. */
        size_t length = strlen(rows[i].bytes);
        char *bytes = mem_new(length);
        memcpy(bytes, rows[i].bytes, length);
        struct items_span metadata, items;
        struct json *item;
        char names[32] = "";
        size_t count = 0;
        bool is_list = items_find(bytes, length, &metadata, &items), good = is_list;
        while (good && (good = items_take(&items, &item)) && item && count < sizeof names - 2) {
            const char *name = json_string(json_get(item, "n"));
            names[count++] = name ? name[0] : '-';
            json_free(item);
        }
        if (is_list && !good)
            names[count] = '?';
        if (is_list != (rows[i].names != NULL) || (is_list && strcmp(names, rows[i].names) != 0))
            fail_msg("row %zu: %s: \"%s\"", i, is_list ? "a list" : "no list", names);
        mem_free(bytes);
    }
}

/* A whole page of pods as fat as managedFields make them. */
static void test_big_page(void **state)
{
    struct stage *stage = *state;
    struct buf page;
    buf_init(&page, 16 << 20);
    buf_puts(&page, "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[");
    for (int i = 0; i < 250; i++) {
        buf_printf(&page, "%s{\"metadata\":{\"name\":\"x\",\"managedFields\":[", i > 0 ? "," : "");
        for (int j = 0; j < 400; j++)
            buf_printf(&page, "%s{\"k:{\\\"type\\\":\\\"Ready\\\"}\":{\"f:x\":{}}}", j > 0 ? "," : "");
        buf_puts(&page, "]}}");
    }
    buf_puts(&page, "]}");
    assert_true(page.len > 3 << 20);
    STEPS(stage, {"limit=250", 200, buf_str(&page), WHOLE}, {"watch=1", 200, "", OPEN});
    stage_watch(stage, "");
    int64_t until = clock_mono_us() + DEADLINE_MS * (int64_t)MILLISECOND_US;
    while (!strstr(buf_str(&stage->told), "[250] ok ") && clock_mono_us() < until)
        turn(stage);
    assert_int_equal(stage->told.len, strlen("[250] ok ") + 250 * strlen("+x "));
    buf_free(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories),
        cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ends_after_having_held, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pauses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_words, setup, teardown),
        cmocka_unit_test_setup_teardown(test_freed_within, setup, teardown),
        cmocka_unit_test(test_items),
        cmocka_unit_test_setup_teardown(test_big_page, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
