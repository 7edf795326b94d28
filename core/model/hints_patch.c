/* YAML ready to be pasted into the manifest, with this pod's own path, ports and numbers. What came from outside is quoted, so that it cannot become anything but a value. */
#include "base/mem.h"
#include "model/hints_live.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* A value that YAML reads as the string that it is. */
static void put_value(struct buf *out, const char *value)
{
    bool plain = isalpha((unsigned char)value[0]) || value[0] == '/';
    for (const char *p = value; *p; p++)
        plain = plain && (isalnum((unsigned char)*p) || strchr("-_./", *p));
    if (plain) {
        buf_puts(out, value);
        return;
    }
    buf_putc(out, '\'');
    for (const char *p = value; *p; p++)
        buf_puts(out, *p == '\'' ? "''" : (char[]){*p, '\0'});
    buf_putc(out, '\'');
}

static void put_number(struct buf *out, const char *field, int32_t number, int32_t now, const char *said)
{
    if (number == 0 && now == 0)
        return;
    buf_printf(out, "  %s: %d", field, (int)(number != 0 ? number : now));
    if (number != 0 && said)
        buf_printf(out, "  # %s", said);
    buf_putc(out, '\n');
}

static void put_target(struct buf *out, const struct probe_spec *spec, const struct probe_change *change)
{
    struct text path = {0};
    text_set_str(&path, spec->path ? spec->path : "/", TEXT_LINE);
    buf_puts(out, "  httpGet:\n    path: ");
    put_value(out, text_str(&path));
    text_free(&path);
    if (change->port != 0)
        buf_printf(out, "\n    port: %d%s%s\n", (int)change->port, change->said ? "  # " : "",
                   change->said ? change->said : "");
    else
        buf_printf(out, "\n    port: %d\n", (int)spec->port);
    if (spec->https)
        buf_puts(out, "    scheme: HTTPS\n");
    if (spec->header_count > 0)
        buf_puts(out, "    # and its httpHeaders as they are\n");
}

void patch_probe(struct buf *out, const struct pod *pod, enum lane_kind lane, const struct probe_change *change)
{
    patch_spec(out, &pod->facts.probes[lane], lane, change);
}

void patch_spec(struct buf *out, const struct probe_spec *spec, enum lane_kind lane, const struct probe_change *change)
{
    const char *said = change->port == 0 ? change->said : NULL; /* it stands behind what it is about */
    buf_printf(out, "%sProbe:\n", lane_name(lane));
    if (spec->action == PROBE_HTTP_GET)
        put_target(out, spec, change);
    else
        buf_puts(out, "  # and what it asks as it is\n");
    put_number(out, "initialDelaySeconds", 0, spec->initial_delay, NULL);
    put_number(out, "periodSeconds", change->period, spec->period, change->failure_threshold == 0 ? said : NULL);
    put_number(out, "timeoutSeconds", change->timeout, spec->timeout, said);
    put_number(out, "failureThreshold", change->failure_threshold, spec->failure_threshold, said);
}

void patch_download(struct buf *out, const struct pod *pod)
{
    const char *container = text_str(&pod->facts.serving.name);
    buf_puts(out, out->len > 0 ? "# Or have" : "# Have");
    buf_puts(out, " the weights there before the server starts, on a volume that outlives the pod:\n"
                  "initContainers:\n- name: fetch-model\n  image: ");
    put_value(out, text_empty(&pod->facts.serving.image) ? "IMAGE" : text_str(&pod->facts.serving.image));
    buf_puts(out, "\n  command: [hf, download, ");
    put_value(out, text_empty(&pod->progress.model) ? "MODEL" : text_str(&pod->progress.model));
    buf_puts(out, "]\n  env:\n  - {name: HF_HOME, value: /models}\n"
                  "  volumeMounts:\n  - {name: models, mountPath: /models}\ncontainers:\n- name: ");
    put_value(out, container[0] ? container : "vllm");
    buf_puts(out, "  # and what else it has\n  env:\n  - {name: HF_HOME, value: /models}\n"
                  "  volumeMounts:\n  - {name: models, mountPath: /models}\n"
                  "volumes:\n- name: models\n  persistentVolumeClaim: {claimName: models}\n");
}

void hint_patch_port(struct hint *hint, const struct pod *pod, int32_t port, int32_t right)
{
    char said[LIVE_WORDS_SIZE];
    struct buf yaml;
    buf_init(&yaml, TEXT_BODY);
    snprintf(said, sizeof said, "was %d", (int)port);
    for (enum lane_kind lane = LANE_STARTUP; lane <= LANE_READINESS; lane++)
        if (pod->lanes[lane].present && pod->facts.probes[lane].port == port)
            patch_probe(&yaml, pod, lane, &(struct probe_change){.port = right, .said = said});
    hint_patch(hint, buf_str(&yaml));
    buf_free(&yaml);
}

/* ---- what a cause asks for, whatever the rules found ---- */

static void put_container(struct buf *out, const struct pod *pod)
{
    buf_puts(out, "containers:\n- name: ");
    put_value(out, text_empty(&pod->facts.serving.name) ? "vllm" : text_str(&pod->facts.serving.name));
    buf_puts(out, "  # and what else it has\n");
}

/* Probes of what lies below /v1, where the key is wanted, on /health of the same port. */
static void patch_keyless(struct buf *out, const struct pod *pod)
{
    for (enum lane_kind lane = LANE_STARTUP; lane <= LANE_READINESS; lane++) {
        struct probe_spec spec = {0};
        probe_spec_copy(&spec, &pod->facts.probes[lane]);
        if (spec.action == PROBE_HTTP_GET && spec.path && strncmp(spec.path, "/v1", 3) == 0) {
            mem_free(spec.path);
            spec.path = mem_dup("/health");
            patch_spec(out, &spec, lane, &(struct probe_change){0});
        }
        probe_spec_free(&spec);
    }
}

void hint_patch_cause(struct hint *hint, const struct pod *pod)
{
    struct buf yaml;
    buf_init(&yaml, TEXT_BODY);
    switch (hint->cause) {
    case CAUSE_SHM_TOO_SMALL:
        put_container(&yaml, pod);
        buf_puts(&yaml,
                 "  volumeMounts:\n  - {name: shm, mountPath: /dev/shm}\nvolumes:\n- name: shm\n"
                 "  emptyDir: {medium: Memory, sizeLimit: 16Gi}  # a guess; it counts as the container's memory\n");
        break;
    case CAUSE_NO_GPU:
        if (hint->particular)
            break; /* it has one, and cannot use it */
        put_container(&yaml, pod);
        buf_puts(&yaml, "  resources:\n    limits:\n      nvidia.com/gpu: 1  # as many as the tensor parallel size\n");
        break;
    case CAUSE_HOST_OOM:
        put_container(&yaml, pod);
        buf_puts(&yaml,
                 "  resources:\n    requests: {memory: 96Gi}  # a guess: what the weights weigh, and half as much "
                 "again\n    limits: {memory: 96Gi}\n");
        break;
    case CAUSE_DOWNLOAD_AUTH:
        put_container(&yaml, pod);
        buf_puts(&yaml,
                 "  env:\n  - name: HF_TOKEN\n    valueFrom:\n      secretKeyRef: {name: hf-token, key: token}  # "
                 "the Secret of yours that holds it\n");
        break;
    case CAUSE_DOWNLOAD_SLOW:
    case CAUSE_DOWNLOAD_NETWORK:
        patch_download(&yaml, pod);
        break;
    case CAUSE_API_KEY:
        patch_keyless(&yaml, pod);
        break;
    default:
        break;
    }
    if (yaml.len > 0 && text_empty(&hint->patch))
        hint_patch(hint, buf_str(&yaml));
    buf_free(&yaml);
}
