#include "tui/diagnose.h"

#include "base/mem.h"
#include "kube/diagnosis.h"
#include "report/diagnosis.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    EXIT_FINE,
    EXIT_FOUND,
    EXIT_UNUSABLE,
    READ_AT_ONCE = 1 << 16,
    FILE_MAX = 64 << 20,
    HEAD_MAX = 8 << 20, /* of a log, whose beginning says what was started, and whose end why it ended */
    TAIL_MAX = 24 << 20,
    REPORT_MAX = 1 << 20
};

/* ---- reading ---- */

struct input {
    const char *path; /* as it was given; NULL: it was not */
    const char *name; /* for messages */
    struct buf bytes;
};

static enum status input_says(struct problem *problem, const struct input *input, const char *words)
{
    return problem_set(problem, STATUS_BAD_INPUT, "%s: %s", input->name, words);
}

/* What no text begins with. */
static enum status input_is_text(struct input *input, struct problem *problem)
{
    const char *at = buf_str(&input->bytes);
    size_t length = input->bytes.len;
    if (length >= 2 && (memcmp(at, "\xff\xfe", 2) == 0 || memcmp(at, "\xfe\xff", 2) == 0))
        return input_says(problem, input, "UTF-16; convert it first: iconv -f UTF-16 -t UTF-8 FILE");
    if (length >= 2 && memcmp(at, "\x1f\x8b", 2) == 0)
        return input_says(problem, input, "compressed; give it as: gzip -dc FILE | probetop diagnose --logs -");
    if (length >= 4 && memcmp(at, "\x28\xb5\x2f\xfd", 4) == 0)
        return input_says(problem, input, "compressed; give it as: zstd -dc FILE | probetop diagnose --logs -");
    if (length >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
        buf_drop(&input->bytes, 3);
    return STATUS_OK;
}

static int64_t newlines(const char *bytes, size_t length)
{
    int64_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += bytes[i] == '\n';
    return count;
}

/* Makes room in a log that is longer than what is kept: what follows its beginning goes, and the lines that went are counted. */
static void middle_drop(struct input *input, struct diagnosis_text *told)
{
    struct buf *bytes = &input->bytes;
    size_t over = bytes->len - HEAD_MAX - TAIL_MAX;
    char *from = bytes->data + HEAD_MAX;
    told->gap_at = HEAD_MAX;
    told->gap_lines += newlines(from, over);
    told->gap_bytes += over;
    memmove(from, from + over, TAIL_MAX);
    buf_cut(bytes, HEAD_MAX + TAIL_MAX);
}

static enum status stream_read(FILE *file, bool log, struct input *input, struct diagnosis_text *told,
                               struct problem *problem)
{
    char *part = mem_new(READ_AT_ONCE);
    size_t taken;
    while (!input->bytes.truncated && (taken = fread(part, 1, READ_AT_ONCE, file)) > 0) {
        buf_append(&input->bytes, part, taken);
        if (log && input->bytes.len > FILE_MAX - READ_AT_ONCE)
            middle_drop(input, told);
    }
    mem_free(part);
    if (ferror(file))
        return problem_set(problem, STATUS_BAD_INPUT, "%s: %s", input->name, strerror(errno));
    if (input->bytes.truncated)
        return problem_set(problem, STATUS_BAD_INPUT, "%s: more than %d MiB", input->name, FILE_MAX >> 20);
    if (log && input->bytes.len > HEAD_MAX + TAIL_MAX)
        middle_drop(input, told);
    return input_is_text(input, problem);
}

static enum status input_read(struct input *input, bool log, struct diagnosis_text *told, struct problem *problem)
{
    bool standard = input->path && strcmp(input->path, "-") == 0;
    if (!input->path)
        return STATUS_OK;
    buf_init(&input->bytes, FILE_MAX);
    input->name = standard ? "standard input" : input->path;
    if (standard && isatty(STDIN_FILENO))
        fputs("probetop: reading from the terminal; Ctrl-D ends it\n", stderr);
    FILE *file = standard ? stdin : fopen(input->path, "rb");
    if (!file)
        return problem_set(problem, STATUS_BAD_INPUT, "%s: %s", input->name, strerror(errno));
    enum status status = stream_read(file, log, input, told, problem);
    if (!standard)
        fclose(file);
    const struct diagnosis_text read = {input->name,  buf_str(&input->bytes), input->bytes.len,
                                        told->gap_at, told->gap_lines,        told->gap_bytes};
    *told = read;
    return status;
}

/* ---- telling ---- */

static int write_out(const struct buf *report)
{
    if (fwrite(buf_str(report), 1, report->len, stdout) == report->len && fflush(stdout) == 0)
        return EXIT_FINE;
    fprintf(stderr, "probetop: cannot write: %s\n", strerror(errno));
    return EXIT_UNUSABLE;
}

static int fleet_tell(const struct options *options, const struct diagnosis_texts *texts, const struct fleet *fleet)
{
    static const enum diagnosis_format FORMATS[] = {
        [OUTPUT_TEXT] = DIAGNOSIS_TEXT, [OUTPUT_JSON] = DIAGNOSIS_JSON, [OUTPUT_MARKDOWN] = DIAGNOSIS_MARKDOWN};
    const char *files[EVIDENCE_SOURCE_COUNT];
    const struct pod *pod = fleet->pods[0];
    struct hints hints;
    struct buf report;
    for (int i = 0; i < EVIDENCE_SOURCE_COUNT; i++)
        files[i] = diagnosis_file(texts, (enum evidence_source)i);
    pod_hints(fleet, pod, fleet->t, &hints);
    buf_init(&report, REPORT_MAX);
    report_diagnosis(fleet, pod, &hints, files, FORMATS[options->output], options->ascii, &report);
    int code = write_out(&report);
    bool caused = hints.count > 0 && !cause_is_healthy(hints.verdict);
    if (code == EXIT_FINE && (caused || stage_is_broken(pod->stage))) /* it failed, of whatever */
        code = EXIT_FOUND;
    hints_free(&hints);
    buf_free(&report);
    return code;
}

int diagnose_run(const struct options *options)
{
    const struct diagnose_options *given = &options->diagnose;
    struct diagnosis_texts texts = {0};
    struct input inputs[] = {{.path = given->pod},
                             {.path = given->events},
                             {.path = given->describe},
                             {.path = given->logs},
                             {.path = given->previous}};
    struct diagnosis_text *const to[] = {&texts.pod, &texts.events, &texts.describe, &texts.logs, &texts.previous};
    enum { COUNT = sizeof inputs / sizeof inputs[0] };
    struct problem problem = {{0}};
    struct fleet *fleet = NULL;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < COUNT && status == STATUS_OK; i++)
        status = input_read(&inputs[i], to[i] == &texts.logs || to[i] == &texts.previous, to[i], &problem);
    if (status == STATUS_OK)
        status = diagnosis_fleet(&texts, &options->signatures, &fleet, &problem);
    int code = EXIT_UNUSABLE;
    if (status == STATUS_OK)
        code = fleet_tell(options, &texts, fleet);
    else
        fprintf(stderr, "probetop: %s\n", problem.text);
    fleet_free(fleet);
    for (size_t i = 0; i < COUNT; i++)
        buf_free(&inputs[i].bytes);
    return code;
}
