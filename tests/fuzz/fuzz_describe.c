/* Files that kubectl might have written, to the report: whatever stands in them, lines are where they are said to be, moments are known or not claimed, and the report is text, JSON and Markdown without a byte that a terminal
 * would obey. Five files in one input, with a line "%" between them: pod, events, describe, logs, previous; an empty one was not given. */
#include "kube/describe.h"
#include "kube/diagnosis.h"
#include "report/diagnosis.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { REPORT_MAX = 4 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void describe_check(struct slice text)
{
    struct described described;
    int32_t line = 0;
    describe_read(text.bytes, text.length, &described);
    must(described.pods_described <= described.pod_count && described.pod_count <= DESCRIBED_PODS_MAX);
    must(described.event_count <= DESCRIBED_EVENTS_MAX && described.rest_count <= DESCRIBED_LINES_MAX);
    for (uint32_t i = 0; i < described.rest_count; i++) {
        const struct told_line *rest = &described.rest[i];
        must(rest->number > line && rest->words.bytes >= text.bytes &&
             rest->words.bytes + rest->words.length <= text.bytes + text.length);
        line = rest->number;
    }
    for (uint32_t i = 0; i < described.event_count; i++)
        must(described.events[i].count >= 1 && described.events[i].line >= 1 && described.events[i].age >= -1);
    described_free(&described);
}

static void report_check(const struct fleet *fleet, const struct hints *hints, enum diagnosis_format format)
{
    struct buf out;
    struct json *document;
    buf_init(&out, REPORT_MAX);
    report_diagnosis(fleet, fleet->pods[0], hints, NULL, format, format == DIAGNOSIS_TEXT, &out);
    must(!out.truncated && out.len > 0);
    for (size_t i = 0; i < out.len; i++) {
        unsigned char byte = (unsigned char)out.data[i];
        must(byte == '\n' || (byte >= 0x20 && byte != 0x7f && (byte < 0x80 || format == DIAGNOSIS_MARKDOWN)));
    }
    if (format == DIAGNOSIS_JSON) {
        must(json_parse(out.data, out.len, REPORT_MAX, &document, NULL) == STATUS_OK);
        json_free(document);
    }
    buf_free(&out);
}

static void hints_check(struct fleet *fleet)
{
    struct hints hints;
    pod_hints(fleet, fleet->pods[0], fleet->t, &hints);
    must(!text_empty(&hints.state));
    for (uint32_t i = 0; i < hints.count; i++) {
        must(hints.list[i].confidence > CONFIDENCE_NONE && !text_empty(&hints.list[i].title));
        must(i == 0 || hints.list[i].confidence <= hints.list[i - 1].confidence);
    }
    for (int format = DIAGNOSIS_TEXT; format <= DIAGNOSIS_MARKDOWN; format++)
        report_check(fleet, &hints, (enum diagnosis_format)format);
    hints_free(&hints);
}

/* The next file of the input. */
static struct diagnosis_text text_take(struct slice *left, const char *name)
{
    struct slice begin = *left, line;
    size_t length = 0;
    while (slice_line(left, &line) && !slice_is(line, "%"))
        length = begin.length - left->length;
    return (struct diagnosis_text){.name = name, .bytes = length > 0 ? begin.bytes : NULL, .length = length};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice left = {(const char *)data, size};
    struct diagnosis_texts texts;
    struct fleet *fleet;
    struct problem problem = {{0}};
    describe_check(left);
    texts.pod = text_take(&left, "pod");
    texts.events = text_take(&left, "events");
    texts.describe = text_take(&left, "describe");
    texts.logs = text_take(&left, "logs");
    texts.previous = text_take(&left, "previous");
    if (diagnosis_fleet(&texts, NULL, &fleet, &problem) != STATUS_OK) {
        must(fleet == NULL && problem.text[0] != '\0');
        return 0;
    }
    must(fleet->count == 1);
    hints_check(fleet);
    fleet_free(fleet);
    return 0;
}
