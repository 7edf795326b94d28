/* What the simulated vLLM and sidecar answer and log, against facts/vllm.md 1.2, 1.4 and 2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/progress.h"
#include "sim/vllm.h"

static struct vllm vllm_of(enum vllm_face face)
{
    return (struct vllm){.model = "meta-llama/Llama-3.3-70B-Instruct",
                         .max_model_len = 32768,
                         .shards = 30,
                         .tensor_parallel = 4,
                         .port = 8200,
                         .face = face,
                         .slow_from = 2500,
                         .slow_to = 2500,
                         .download_took = 130.25,
                         .weights_took = 78.5};
}

/* ---- HTTP by phase ---- */

static const struct {
    enum vllm_face face;
    bool behind;
    const char *path;
    enum manner manner;
    int32_t status;
    const char *server; /* part of the headers; NULL: no Server header */
    const char *body;   /* part of it; "" empty */
} ANSWERS[] = {
    {FACE_SERVING, false, "/health", MANNER_ANSWER, 200, "Server: uvicorn", ""},
    {FACE_SERVING, false, "/ping", MANNER_ANSWER, 200, "Server: uvicorn", ""},
    {FACE_SERVING, false, "/v1/models", MANNER_ANSWER, 200, "Server: uvicorn", "\"owned_by\":\"vllm\""},
    {FACE_SERVING, false, "/readyz", MANNER_ANSWER, 404, "Server: uvicorn", "{\"detail\":\"Not Found\"}"},
    {FACE_ENGINE_DEAD, false, "/health", MANNER_ANSWER, 503, "Server: uvicorn", ""},
    {FACE_ENGINE_DEAD, false, "/v1/models", MANNER_ANSWER, 200, "Server: uvicorn", "\"object\":\"list\""},
    {FACE_BLOCKED, false, "/health", MANNER_HANG, 200, "Server: uvicorn", ""},
    {FACE_LOADING, true, "/health", MANNER_ANSWER, 200, NULL, ""},
    {FACE_LOADING, true, "/v1/models", MANNER_ANSWER, 503, NULL, "The decode node is not ready."},
    {FACE_LOADING, true, "/anything", MANNER_ANSWER, 503, NULL, "\"code\":503"},
    {FACE_SERVING, true, "/health", MANNER_ANSWER, 200, NULL, ""},
    {FACE_SERVING, true, "/v1/models", MANNER_ANSWER, 200, "Server: uvicorn", "\"max_model_len\":32768"},
    {FACE_ENGINE_DEAD, true, "/health", MANNER_ANSWER, 200, NULL, ""},
    {FACE_BLOCKED, true, "/health", MANNER_ANSWER, 200, NULL, ""},
    {FACE_BLOCKED, true, "/v1/models", MANNER_HANG, 200, "Server: uvicorn", "vllm"},
    {FACE_FROZEN, true, "/health", MANNER_HANG, 200, "Server: uvicorn", ""},
    {FACE_CIRCLE, false, "/v1/models", MANNER_ANSWER, 302, NULL, ""},
    {FACE_ODD_BODY, false, "/health", MANNER_ANSWER, 503, NULL, "\033[2J"},
    {FACE_LONG_LENGTH, false, "/health", MANNER_LONG_LENGTH, 200, NULL, "\033[2J"},
};

static void answers_by_phase(void **state)
{
    struct buf body;

    (void)state;
    buf_init(&body, 2 << 20);
    for (size_t i = 0; i < sizeof ANSWERS / sizeof ANSWERS[0]; i++) {
        const struct vllm vllm = vllm_of(ANSWERS[i].face);
        struct dice dice = {7};
        struct answer answer;

        vllm_answer(&vllm, ANSWERS[i].behind, ANSWERS[i].path, 0, 0, &dice, &body, &answer);
        assert_int_equal(answer.manner, ANSWERS[i].manner);
        assert_int_equal(answer.status, ANSWERS[i].status);
        if (ANSWERS[i].server == NULL)
            assert_null(strstr(answer.headers, "Server:"));
        else
            assert_non_null(strstr(answer.headers, ANSWERS[i].server));
        if (ANSWERS[i].body[0] == '\0')
            assert_int_equal(answer.body_length, 0);
        else
            assert_non_null(memmem(answer.body, answer.body_length, ANSWERS[i].body, strlen(ANSWERS[i].body)));
    }
    buf_free(&body);
}

static void the_sidecars_503_is_the_real_ones_length(void **state)
{
    const struct vllm vllm = vllm_of(FACE_LOADING);
    struct dice dice = {7};
    struct answer answer;
    struct buf body;

    (void)state;
    buf_init(&body, 4096);
    vllm_answer(&vllm, true, "/v1/models", 0, 0, &dice, &body, &answer);
    assert_int_equal(answer.body_length, 195); /* facts/vllm.md 1.4 */
    assert_non_null(strstr(answer.headers, "Content-Type: text/plain"));
    buf_free(&body);
}

/* created is now and the permission's id another one at every call: no hash of the body tells a restart (facts/vllm.md 1.2). */
static void cards_differ_at_every_call(void **state)
{
    const struct vllm vllm = vllm_of(FACE_SERVING);
    struct dice dice = {7};
    struct answer answer;
    struct buf body;
    char *first;

    (void)state;
    buf_init(&body, 4096);
    vllm_answer(&vllm, false, "/v1/models", 0, (int64_t)1794000000 * SECOND_US, &dice, &body, &answer);
    first = mem_dup(answer.body);
    struct json *list = NULL;

    assert_int_equal(json_parse(answer.body, answer.body_length, 4096, &list, NULL), STATUS_OK);
    const struct json *card = json_first(json_get(list, "data"));

    assert_string_equal(json_string(json_get(card, "id")), vllm.model);
    assert_string_equal(json_string(json_get(card, "root")), vllm.model);
    assert_true(json_is_null(json_get(card, "parent")));
    assert_int_equal(json_int(json_get(card, "created"), 0), 1794000000);
    assert_int_equal(json_int(json_get(card, "max_model_len"), 0), 32768);
    json_free(list);
    vllm_answer(&vllm, false, "/v1/models", 0, (int64_t)1794000000 * SECOND_US, &dice, &body, &answer);
    assert_string_not_equal(first, answer.body);
    mem_free(first);
    buf_free(&body);
}

static void a_big_body_is_a_megabyte_and_bounded(void **state)
{
    const struct vllm vllm = vllm_of(FACE_BIG_BODY);
    struct dice dice = {7};
    struct answer answer;
    struct buf body;

    (void)state;
    buf_init(&body, 2 << 20);
    vllm_answer(&vllm, false, "/health", 0, 0, &dice, &body, &answer);
    assert_in_range(answer.body_length, 1000000, 1100000);
    buf_free(&body);
}

static void latencies_follow_the_load(void **state)
{
    struct vllm vllm = vllm_of(FACE_SERVING);
    struct dice dice = {7};
    struct answer answer;
    struct buf body;

    (void)state;
    buf_init(&body, 4096);
    vllm.slow_to = 900000;
    vllm.slow_begins = 0;
    vllm.slow_ends = 100 * SECOND_US;
    for (int i = 0; i < 200; i++) {
        vllm_answer(&vllm, false, "/health", 0, 0, &dice, &body, &answer);
        assert_in_range(answer.delay_us, 1000, 10000); /* now and then three times as long */
        vllm_answer(&vllm, false, "/health", 50 * SECOND_US, 0, &dice, &body, &answer);
        assert_in_range(answer.delay_us, 330000, 570000);
        vllm_answer(&vllm, false, "/health", 101 * SECOND_US, 0, &dice, &body, &answer);
        assert_in_range(answer.delay_us, 670000, 1130000);
    }
    assert_false(vllm_is_steady(&vllm));
    vllm.slow_to = 2500;
    assert_true(vllm_is_steady(&vllm));
    buf_free(&body);
}

/* ---- logs ---- */

static void a_line_is_written_as_vllm_writes_it(void **state)
{
    static const struct {
        enum vllm_chapter chapter;
        size_t index;
        const char *line;
    } rows[] = {
        {CHAPTER_BOOT, 0, "INFO 11-24 14:03:22 [__init__.py:220] Automatically detected platform cuda."},
        {CHAPTER_BOOT, 8, "(APIServer pid=1) INFO 11-24 14:03:22 [model.py:1678] Using max model len 32768"},
        {CHAPTER_LOAD, 0,
         "(Worker_TP0 pid=402) INFO 11-24 14:03:22 [gpu_model_runner.py:4162] Starting to load model "
         "meta-llama/Llama-3.3-70B-Instruct..."},
        {CHAPTER_DOWNLOAD, 0,
         "(Worker_TP0 pid=402) INFO 11-24 14:03:22 [weight_utils.py:459] Time spent downloading weights "
         "for meta-llama/Llama-3.3-70B-Instruct: 130.250000 seconds"},
        {CHAPTER_SHARDS, 0,
         "(Worker_TP0 pid=402) Loading safetensors checkpoint shards:   0% Completed | 0/30 [00:00<?, ?it/s]"},
        {CHAPTER_SHARDS, 15,
         "(Worker_TP0 pid=402) Loading safetensors checkpoint shards:  50% Completed | 15/30 [00:30<00:30,  2.00s/it]"},
        {CHAPTER_SHARDS, 30,
         "(Worker_TP0 pid=402) Loading safetensors checkpoint shards: 100% Completed | 30/30 [01:00<00:00,  2.00s/it]"},
        {CHAPTER_GRAPHS, 9,
         "(Worker_TP0 pid=402) Capturing CUDA graphs (decode, FULL): 100%|##########| 35/35 [00:30<00:00,  0.86s/it]"},
        {CHAPTER_TERMINATED, 5, "(APIServer pid=1) KeyboardInterrupt: terminated"},
    };
    const struct vllm vllm = vllm_of(FACE_LOADING);
    struct buf line;

    (void)state;
    buf_init(&line, 4096);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        /* 2026-11-24T14:03:22Z */
        vllm_line(&vllm, rows[i].chapter, rows[i].index, 60, (int64_t)1795529002 * SECOND_US, &line);
        assert_string_equal(buf_str(&line), rows[i].line);
    }
    buf_free(&line);
}

static void every_chapter_has_lines_in_order(void **state)
{
    const struct vllm vllm = vllm_of(FACE_LOADING);
    struct buf line;

    (void)state;
    buf_init(&line, 4096);
    for (enum vllm_chapter chapter = 0; chapter < CHAPTER_COUNT; chapter++) {
        double before = 0;

        assert_true(vllm_lines(&vllm, chapter) > 0);
        for (size_t i = 0; i < vllm_lines(&vllm, chapter); i++) {
            const double at = vllm_line_at(&vllm, chapter, i);

            assert_true(at >= before && at <= 1);
            before = at;
            vllm_line(&vllm, chapter, i, 60, 0, &line);
            assert_null(strstr(buf_str(&line), "{model}"));
            assert_null(strstr(buf_str(&line), "{iso}"));
            assert_false(line.truncated);
        }
    }
    buf_free(&line);
}

/* The reader of start-up lines must find its way through a whole start: that is what they are for. */
static void progress_understands_a_whole_start(void **state)
{
    static const struct {
        enum vllm_chapter chapter;
        enum substage reached;
    } rows[] = {
        {CHAPTER_BOOT, SUBSTAGE_CONFIG},     {CHAPTER_ENGINE, SUBSTAGE_DISTRIBUTED},
        {CHAPTER_LOAD, SUBSTAGE_DOWNLOAD},   {CHAPTER_DOWNLOAD, SUBSTAGE_DOWNLOAD},
        {CHAPTER_SHARDS, SUBSTAGE_SHARDS},   {CHAPTER_WEIGHTS, SUBSTAGE_WEIGHTS},
        {CHAPTER_COMPILE, SUBSTAGE_COMPILE}, {CHAPTER_KV_CACHE, SUBSTAGE_KV_CACHE},
        {CHAPTER_GRAPHS, SUBSTAGE_GRAPHS},   {CHAPTER_APP, SUBSTAGE_LISTENING},
    };
    const struct vllm vllm = vllm_of(FACE_LOADING);
    struct progress progress = {0};
    struct buf line;
    int64_t t = 0;

    (void)state;
    buf_init(&line, 4096);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t k = 0; k < vllm_lines(&vllm, rows[i].chapter); k++) {
            t += SECOND_US;
            vllm_line(&vllm, rows[i].chapter, k, 60, t, &line);
            (void)progress_line(&progress, buf_str(&line), line.len, t);
        }
        assert_int_equal(progress.furthest, rows[i].reached);
    }
    assert_string_equal(text_str(&progress.version), "0.24.0");
    assert_string_equal(text_str(&progress.model), vllm.model);
    assert_true(progress.download_seconds > 130.2 && progress.download_seconds < 130.3);
    assert_true(progress.weights_seconds > 78.4 && progress.weights_seconds < 78.6);
    progress_free(&progress);
    buf_free(&line);
}

static void dice_repeat_and_stay_in_range(void **state)
{
    struct dice a = {42}, b = {42}, c = {43};
    bool differs = false;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        const int64_t roll = dice_between(&a, -3, 5);

        assert_int_equal(roll, dice_between(&b, -3, 5));
        assert_true(roll >= -3 && roll <= 5);
        differs = differs || roll != dice_between(&c, -3, 5);
        const double spread = dice_spread(&a, 100, 0.1);

        assert_true(spread >= 90 && spread <= 110);
        (void)dice_spread(&b, 100, 0.1);
    }
    assert_true(differs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_by_phase),
        cmocka_unit_test(the_sidecars_503_is_the_real_ones_length),
        cmocka_unit_test(cards_differ_at_every_call),
        cmocka_unit_test(a_big_body_is_a_megabyte_and_bounded),
        cmocka_unit_test(latencies_follow_the_load),
        cmocka_unit_test(a_line_is_written_as_vllm_writes_it),
        cmocka_unit_test(every_chapter_has_lines_in_order),
        cmocka_unit_test(progress_understands_a_whole_start),
        cmocka_unit_test(dice_repeat_and_stay_in_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
