/* Manifests as anybody might write them, to pods and what lint says of them: facts within what Kubernetes allows, findings that have a field, a reason and YAML that can be read, and lines that are there. */
#include "base/yaml.h"
#include "kube/manifest.h"
#include "model/lint.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void finding_check(const struct manifest *manifest, const struct manifest_pod *pod,
                          const struct lint_finding *finding)
{
    struct yaml_file *yaml;
    must(finding->rule < LINT_RULE_COUNT && finding->lane <= LANE_READINESS);
    must(!text_empty(&finding->field) && !text_empty(&finding->reason));
    must(manifest_line(manifest, pod, text_str(&finding->field)) > 0);
    must(yaml_file_parse("yaml", text_str(&finding->yaml), finding->yaml.len, 1 << 20, &yaml, NULL) == STATUS_OK);
    must(yaml_file_count(yaml) == 1);
    const struct json *document = yaml_file_document(yaml, 0);
    size_t probes = 0;
    for (const struct json *member = json_first(document); member != NULL; member = json_next(member))
        probes += strstr(json_key(member), "Probe") != NULL;
    must(probes == 1); /* nothing from the file has become a line of its own */
    yaml_file_free(yaml);
}

static void pod_check(const struct manifest *manifest, const struct manifest_pod *pod)
{
    struct lint_measured none = lint_measured_none(), some = lint_measured_none();
    struct lint lint;
    some.longest_load = INT64_C(1) << 53; /* as far as a journal tells */
    some.serving_known = true;
    for (int lane = 0; lane < LANE_COUNT; lane++)
        some.p99[lane] = UINT32_MAX;
    const struct lint_measured *const measured[] = {&none, &some};
    for (size_t m = 0; m < sizeof measured / sizeof measured[0]; m++) {
        lint_pod(&pod->facts, measured[m], &lint);
        for (uint32_t i = 0; i < lint.count; i++)
            finding_check(manifest, pod, &lint.list[i]);
        lint_free(&lint);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest *manifest;
    struct problem problem = {""};
    enum status status = manifest_parse("in", (const char *)data, size, &manifest, &problem);
    must((status == STATUS_OK) == (manifest != NULL) && (status == STATUS_OK) == (problem.text[0] == '\0'));
    for (size_t i = 0; manifest != NULL && i < manifest->pod_count; i++)
        pod_check(manifest, &manifest->pods[i]);
    manifest_free(manifest);
    return 0;
}
