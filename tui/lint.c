#include "tui/lint.h"

#include "base/buf.h"
#include "base/json.h"
#include "kube/manifest.h"
#include "model/lint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_CLEAN, EXIT_FOUND, EXIT_UNUSABLE, REPORT_MAX = 64 << 20 };

/* What is written at the end: findings on standard output, the rest on standard error. With -o json the findings are one value. */
struct report {
    struct buf out;
    struct json_writer writer;
    bool json;
    bool unusable;
    size_t found, pods;
};

/* ---- reading ---- */

static bool file_read(const char *path, const char *name, struct buf *bytes)
{
    bool standard = strcmp(path, "-") == 0;
    char part[4096];
    size_t taken;
    if (standard && isatty(STDIN_FILENO))
        fputs("probetop: reading from the terminal; Ctrl-D ends it\n", stderr);
    FILE *file = standard ? stdin : fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "probetop: %s: %s\n", name, strerror(errno));
        return false;
    }
    while (!bytes->truncated && (taken = fread(part, 1, sizeof part, file)) > 0)
        buf_append(bytes, part, taken);
    bool failed = ferror(file) != 0;
    int error = errno;
    if (!standard)
        fclose(file);
    if (failed)
        fprintf(stderr, "probetop: %s: %s\n", name, strerror(error));
    else if (bytes->truncated)
        fprintf(stderr, "probetop: %s: more than %d MiB\n", name, MANIFEST_BYTES_MAX >> 20);
    return !failed && !bytes->truncated;
}

/* ---- which findings stand ---- */

/* A file says less than a live pod: of what is a template nothing is known, and what is not there may come from elsewhere. */
static bool finding_stands(const struct manifest_pod *pod, const struct lint_finding *finding)
{
    if (pod->partial && finding->rule == LINT_NO_READINESS_PROBE)
        return false;
    for (int lane = LANE_STARTUP; lane <= LANE_READINESS; lane++) {
        char start[32];
        snprintf(start, sizeof start, "%sProbe", lane_name((enum lane_kind)lane));
        bool about = strncmp(text_str(&finding->field), start, strlen(start)) == 0;
        bool weighed = finding->rule == LINT_NO_STARTUP_PROBE || finding->rule == LINT_LIVENESS_IS_READINESS ||
                       finding->rule == LINT_READINESS_MODELS_ALONE;
        if (pod->templated[lane] && (about || weighed))
            return false;
    }
    return true;
}

/* ---- writing ---- */

static void yaml_put(struct buf *out, const struct text *yaml)
{
    for (const char *at = text_str(yaml); *at != '\0';) {
        size_t length = strcspn(at, "\n");
        buf_puts(out, "    ");
        buf_append(out, at, length);
        buf_putc(out, '\n');
        at += length + (at[length] == '\n');
    }
}

static void finding_text(struct report *report, const char *file, uint32_t line, const struct lint_finding *finding)
{
    buf_printf(&report->out, "%s:%u: %s: %s [%s]\n", file, (unsigned)line, text_str(&finding->field),
               text_str(&finding->reason), lint_rule_name(finding->rule));
}

static void finding_json(struct report *report, const char *file, uint32_t line, const struct manifest_pod *pod,
                         const struct lint_finding *finding)
{
    struct json_writer *writer = &report->writer;
    json_open_object(writer, NULL);
    json_put_string(writer, "file", file);
    json_put_int(writer, "line", line);
    json_put_text(writer, "object", &pod->what);
    json_put_text(writer, "namespace", &pod->facts.ns);
    json_put_text(writer, "container", &pod->facts.serving.name);
    json_put_string(writer, "rule", lint_rule_name(finding->rule));
    json_put_bool(writer, "serious", finding->serious);
    json_put_text(writer, "field", &finding->field);
    json_put_text(writer, "reason", &finding->reason);
    json_put_text(writer, "yaml", &finding->yaml);
    json_close_object(writer);
}

/* Findings by probe, each probe's followed by what to write: all of them have made one probe of it. */
static void pod_report(struct report *report, const char *file, const struct manifest *manifest,
                       const struct manifest_pod *pod, const struct lint *lint)
{
    for (int lane = LANE_STARTUP; lane <= LANE_READINESS; lane++) {
        const struct text *yaml = NULL;
        for (uint32_t i = 0; i < lint->count; i++) {
            const struct lint_finding *finding = &lint->list[i];
            if ((int)finding->lane != lane || !finding_stands(pod, finding))
                continue;
            uint32_t line = manifest_line(manifest, pod, text_str(&finding->field));
            report->found++;
            if (report->json)
                finding_json(report, file, line, pod, finding);
            else
                finding_text(report, file, line, finding);
            if (yaml == NULL || finding->yaml.len > yaml->len)
                yaml = &finding->yaml;
        }
        if (yaml != NULL && !report->json) {
            buf_printf(&report->out, "  write into container %s of %s:\n", text_str(&pod->facts.serving.name),
                       text_str(&pod->what));
            yaml_put(&report->out, yaml);
        }
    }
}

static void notes_report(const char *file, const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->note_count; i++)
        fprintf(stderr, "%s:%u: note: %s\n", file, (unsigned)manifest->notes[i].line,
                text_str(&manifest->notes[i].words));
    if (manifest->passed_count == 0)
        return;
    fprintf(stderr, "%s: note: passed over:", file);
    for (size_t i = 0; i < manifest->passed_count; i++)
        fprintf(stderr, "%s %u %s", i == 0 ? "" : ",", (unsigned)manifest->passed[i].count,
                text_str(&manifest->passed[i].kind));
    fputc('\n', stderr);
}

static void manifest_report(struct report *report, const char *file, const struct manifest *manifest)
{
    struct lint_measured measured = lint_measured_none();
    for (size_t i = 0; i < manifest->pod_count; i++) {
        struct lint lint;
        lint_pod(&manifest->pods[i].facts, &measured, &lint);
        pod_report(report, file, manifest, &manifest->pods[i], &lint);
        lint_free(&lint);
    }
    report->pods += manifest->pod_count;
    notes_report(file, manifest);
}

static void file_report(struct report *report, const char *path)
{
    struct text name = {0};
    struct buf bytes;
    struct manifest *manifest;
    struct problem problem = {""};
    text_set_str(&name, strcmp(path, "-") == 0 ? "standard input" : path, TEXT_LINE);
    buf_init(&bytes, MANIFEST_BYTES_MAX);
    if (!file_read(path, text_str(&name), &bytes))
        report->unusable = true;
    else if (manifest_parse(text_str(&name), buf_str(&bytes), bytes.len, &manifest, &problem) != STATUS_OK) {
        fprintf(stderr, "%s\n", problem.text);
        report->unusable = true;
    } else {
        manifest_report(report, text_str(&name), manifest);
        if (manifest->pod_count == 0) {
            fprintf(stderr,
                    "probetop: %s: nothing here serves a model with vLLM; expected a Pod, Deployment, StatefulSet, "
                    "LeaderWorkerSet, InferenceService, or values of the llm-d modelservice chart with containers\n",
                    text_str(&name));
            report->unusable = true;
        }
        manifest_free(manifest);
    }
    buf_free(&bytes);
    text_free(&name);
}

int lint_run(const struct options *options)
{
    struct report report = {.json = options->output == OUTPUT_JSON};
    buf_init(&report.out, REPORT_MAX);
    json_writer_init(&report.writer, &report.out);
    if (report.json) {
        json_open_object(&report.writer, NULL);
        json_put_string(&report.writer, "schema", "probetop.lint/v1");
        json_open_array(&report.writer, "findings");
    }
    for (int i = 0; i < options->lint.file_count; i++)
        file_report(&report, options->lint.files[i]);
    if (report.json) {
        json_close_array(&report.writer);
        json_put_int(&report.writer, "pods", (int64_t)report.pods);
        json_close_object(&report.writer);
        buf_putc(&report.out, '\n');
    }
    fwrite(buf_str(&report.out), 1, report.out.len, stdout);
    bool lost = report.out.truncated || fflush(stdout) != 0;
    if (lost)
        fprintf(stderr, "probetop: standard output: %s\n", report.out.truncated ? "more than 64 MiB" : strerror(errno));
    else if (!report.json && report.found == 0 && report.pods > 0)
        fprintf(stderr, "probetop: %zu pod template%s looked at: nothing to say\n", report.pods,
                report.pods == 1 ? "" : "s");
    buf_free(&report.out);
    return lost || report.unusable ? EXIT_UNUSABLE : report.found > 0 ? EXIT_FOUND : EXIT_CLEAN;
}
