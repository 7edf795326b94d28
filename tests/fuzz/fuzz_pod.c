/* Pods and events as an API server might give them: facts come out that a journal can carry and whose numbers are within what Kubernetes allows, and asking for a pod changes nothing but whether it is shown. */
#include "engine/fact_json.h"
#include "kube/discover.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_MAX = 65535 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void spec_check(const struct probe_spec *spec)
{
    must(spec->port >= 0 && spec->port <= PORT_MAX && spec->header_count <= PROBE_HEADERS_MAX);
    must(spec->action == PROBE_NONE || (spec->period >= 1 && spec->timeout >= 1 && spec->failure_threshold >= 1 &&
                                        spec->success_threshold >= 1 && spec->initial_delay >= 0));
    must(spec->action != PROBE_HTTP_GET || spec->path != NULL);
}

static void journal_check(const struct fact *fact)
{
    struct fact again;
    struct problem problem = {0};
    struct buf line;
    buf_init(&line, 2 * FACT_LINE_MAX);
    if (fact_encode(fact, &line) == STATUS_OK) {
        must(fact_decode(line.data, line.len, &again, &problem) == STATUS_OK);
        fact_free(&again);
    }
    buf_free(&line);
}

static void pod_check(const struct json *pod, const struct clock *clock)
{
    struct discovery asked, found;
    struct fact fact;
    discover_pod(pod, true, &asked);
    discover_pod(pod, false, &found);
    must(asked.is_ours && found.is_ours == (found.sign != NULL));
    must(asked.serving == found.serving && asked.vllm_port == found.vllm_port &&
         asked.serving_port == found.serving_port && asked.role == found.role);
    must(asked.serving_port >= 0 && asked.serving_port <= PORT_MAX && asked.vllm_port >= 0 &&
         asked.vllm_port <= PORT_MAX);
    fact_init(&fact, FACT_POD, 1);
    pod_facts_from_json(pod, &asked, clock, 1, &fact.u.facts);
    must(fact.u.facts.grace >= 0 && fact.u.facts.serving.restart_count >= 0);
    must(fact.u.facts.serving.exists == (asked.serving != NULL));
    for (int lane = 0; lane < LANE_COUNT; lane++)
        spec_check(&fact.u.facts.probes[lane]);
    journal_check(&fact);
    fact_free(&fact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct clock clock = {.wall_zero = 1795500000 * (int64_t)SECOND_US};
    struct json *document;
    struct fact fact;
    const char *uid = NULL;
    if (json_parse((const char *)data, size, size + 1, &document, NULL) != STATUS_OK)
        return 0;
    pod_check(document, &clock);
    if (event_from_json(document, &clock, &fact, &uid)) {
        must(uid != NULL && fact.u.event.count >= 1 && fact.u.event.first <= fact.u.event.last);
        journal_check(&fact);
        fact_free(&fact);
    }
    json_free(document);
    return 0;
}
