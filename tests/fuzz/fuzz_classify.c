/* classify() over any answer: what holds for every answer holds for this one, and only clean text comes out. The first line of the input says what was asked and what came of it, in letters (see below); the second is the
 * Server header, the third the Location; the rest is the body. */
#include "base/mem.h"
#include "probe/classify.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LETTERS = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* The next line as a string of its own, and what is left of the input. */
static char *line_take(const char **data, size_t *size)
{
    const char *newline = memchr(*data, '\n', *size);
    size_t length = newline != NULL ? (size_t)(newline - *data) : *size;
    size_t taken = newline != NULL ? length + 1 : length;
    char *line = mem_dup_n(*data, length);
    *data += taken;
    *size -= taken;
    return line;
}

static void text_check(const struct text *text)
{
    const char *string = text_str(text);
    for (size_t i = 0; i < text->len; i++)
        require((unsigned char)string[i] >= 0x20 && string[i] != 0x7f);
}

static void sample_check(const struct classify_question *question, const struct http_result *result,
                         const struct sample *sample)
{
    require(sample->outcome < OUTCOME_COUNT && sample->cause < PROBE_CAUSE_COUNT && sample->answerer < ANSWERER_COUNT);
    /* unknown exactly where the cause is not the pod's: facts/kube.md 1.2.10 */
    require((sample->outcome == OUTCOME_UNKNOWN) == (probe_cause_whose(sample->cause) != 'p'));
    bool success = sample->outcome == OUTCOME_OK || sample->outcome == OUTCOME_WARN;
    if (lane_is_kubelets(question->lane) && question->action == PROBE_HTTP_GET && sample->outcome != OUTCOME_UNKNOWN)
        require(success == (result->error == HTTP_OK && result->status >= 200 && result->status < 400));
    require(sample->model_count >= -1 && sample->model_count <= SAMPLE_MODELS_MAX);
    for (int i = 0; i < sample->model_count; i++)
        text_check(&sample->models[i]);
    text_check(&sample->detail);
    text_check(&sample->body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int32_t statuses[] = {200, 503, 404, 502, 401, 307, 500, 204, 100, 599};
    static const char *const paths[] = {"/v1/models", "/health", "/", ""};
    const char *rest = (const char *)data;
    unsigned char letters[LETTERS] = {0};
    size_t left = size;
    char *said = line_take(&rest, &left), *server = line_take(&rest, &left), *location = line_take(&rest, &left);
    for (size_t i = 0; i < LETTERS && said[i] != '\0'; i++)
        letters[i] = (unsigned char)(said[i] - 'a');
    left = left < HTTP_BODY_MAX ? left : HTTP_BODY_MAX;
    char *body = mem_dup_n(rest, left);
    struct classify_question question = {
        .lane = (enum lane_kind)(letters[0] % LANE_COUNT),
        .action = letters[1] % 4 == 1 ? PROBE_TCP_SOCKET : PROBE_HTTP_GET,
        .path = paths[letters[1] % 4],
        .https = letters[2] & 1,
        .tunnelled = letters[2] & 2,
        .behind_sidecar = letters[2] & 4,
        .tunnel = TUNNEL_UP,
        .expected_model = letters[2] & 8 ? "llama" : "",
    };
    struct http_result result = {
        .error = (enum http_error)(letters[3] % HTTP_ERROR_COUNT),
        .status = statuses[letters[4] % (sizeof statuses / sizeof *statuses)],
        .dns = -1,
        .connect = 10,
        .tls = -1,
        .first_byte = 20,
        .total = 30,
        .redirect_elsewhere = letters[5] & 1,
        .body_cut = letters[5] & 2,
        .body = body,
        .body_length = left,
        .server = server,
        .content_type = server,
        .location = location,
        .detail = location,
    };
    struct sample sample;
    sample_init(&sample);
    classify(&question, &result, 1, &sample);
    sample_check(&question, &result, &sample);
    sample_free(&sample);
    mem_free(body);
    mem_free(location);
    mem_free(server);
    mem_free(said);
    return 0;
}
