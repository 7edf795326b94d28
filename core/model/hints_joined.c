/* Rules over several findings together: what one line of a log or event says only beside another. */
#include "model/hints_look.h"

#include <string.h>

/* The name between the first quotes. */
static bool quoted_name(const char *words, char *out, size_t size)
{
    size_t begin = strcspn(words, "'\"");
    const char *name = words[begin] ? words + begin + 1 : words + begin;
    size_t length = strcspn(name, "'\"");
    if (length == 0 || length >= size || name[length] == '\0')
        return false;
    memcpy(out, name, length);
    out[length] = '\0';
    return true;
}

/* An adapter was loaded, and a later answer of /v1/models does not list it. */
static void adapter_is_missing(const struct look *look)
{
    char name[128];
    const struct finding *loaded = look_clue(look, CLUE_ADAPTER_LOADED, 0);
    const struct finding *list = look_clue(look, CLUE_MODELS_LIST, 0);
    if (!loaded || !list || !quoted_name(text_str(&loaded->quote), name, sizeof name) ||
        strstr(text_str(&list->quote), name))
        return;
    struct hint *hint = hint_add(look->maker, CAUSE_MODEL_UNLOADED, CONFIDENCE_LIKELY, WEIGHT_ROOT);
    hint_title(hint, WEIGHT_ROOT, "the adapter %s was loaded, and /v1/models does not list it", name);
    look_quote(look, hint, loaded);
    look_quote(look, hint, list);
}

/* Whether the run that a probe killed had come up: then the probe asked wrongly, and time was no matter. */
static bool killed_run_was_up(const struct look *look)
{
    const struct progress *previous = look->pod->previous;
    bool was = previous && previous->furthest == SUBSTAGE_LISTENING;
    return look->listening || was;
}

/* A probe that fails asks a port on which, by the pod's own spec, nothing listens. */
static void asks_nobodys_port(const struct look *look)
{
    static const struct {
        enum lane_kind lane;
        enum clue clues[2];
    } rows[] = {{LANE_STARTUP, {CLUE_STARTUP_KILL, CLUE_STARTUP_FAILED}},
                {LANE_LIVENESS, {CLUE_LIVENESS_KILL, CLUE_LIVENESS_REFUSED}},
                {LANE_READINESS, {CLUE_READINESS_REFUSED, CLUE_READINESS_REFUSED}}};
    const struct pod_facts *facts = &look->pod->facts;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct probe_spec *spec = &facts->probes[rows[i].lane];
        const struct finding *kill = look_clue(look, rows[i].clues[0], 1);
        const struct finding *failed = look_clue(look, rows[i].clues[1], 1);
        bool elsewhere = facts->vllm_port > 0 && facts->vllm_port != spec->port;
        if (!spec->unserved || !elsewhere || (!kill && !failed) || look->pod->stage == STAGE_READY)
            continue;
        struct hint *hint = hint_add(look->maker, CAUSE_WRONG_PORT, CONFIDENCE_LIKELY, WEIGHT_ROOT);
        hint_title(hint, WEIGHT_ROOT, "the %s probe asks port %d, where nothing in the pod listens: vLLM is on %d",
                   lane_name(rows[i].lane), (int)spec->port, (int)facts->vllm_port);
        look_quote(look, hint, kill ? kill : failed);
        hint_evidence(hint, EVIDENCE_POD, 0, INT64_MIN, "%sProbe asks %d; vLLM's port is %d", lane_name(rows[i].lane),
                      (int)spec->port, (int)facts->vllm_port);
        hint_patch_port(hint, look->pod, spec->port, facts->vllm_port);
        return;
    }
}

/* The kubelet's verdicts, by its own words, where no probes of ours say more. */
static void kubelet_killed(const struct look *look)
{
    const struct finding *startup = look_clue(look, CLUE_STARTUP_KILL, 1);
    const struct finding *liveness = look_clue(look, CLUE_LIVENESS_KILL, 1);
    const struct finding *refused = look_clue(look, CLUE_LIVENESS_REFUSED, 1);
    const struct finding *kill = startup ? startup : liveness;
    if (!kill || look->pod->stage == STAGE_READY || look->pod->loaded_at >= 0)
        return;
    bool asked_wrongly = look_has_cause(look, CAUSE_WRONG_PORT) || look_has_cause(look, CAUSE_API_KEY);
    bool other = asked_wrongly || look_has_cause(look, CAUSE_PROBE_TIMEOUT) || look_has_cause(look, CAUSE_ENGINE_DEAD);
    bool up = killed_run_was_up(look);
    enum cause cause = startup || refused ? CAUSE_STARTUP_BUDGET_EXCEEDED : CAUSE_PROBE_KILLED;
    enum confidence confidence = startup ? CONFIDENCE_CERTAIN : refused ? CONFIDENCE_LIKELY : CONFIDENCE_POSSIBLE;
    if (startup && (asked_wrongly || up))
        cause = CAUSE_WRONG_PORT;
    else if (other || (up && cause == CAUSE_STARTUP_BUDGET_EXCEEDED))
        cause = CAUSE_PROBE_KILLED;
    if (asked_wrongly && startup)
        return;
    if (cause == CAUSE_PROBE_KILLED)
        confidence = CONFIDENCE_POSSIBLE;
    else if (cause == CAUSE_WRONG_PORT || look_has_hint(look, CONFIDENCE_LIKELY))
        confidence = CONFIDENCE_LIKELY;
    struct hint *hint = hint_add(look->maker, cause, confidence, WEIGHT_VERDICT);
    if (cause == CAUSE_WRONG_PORT)
        hint_title(hint, WEIGHT_VERDICT, "killed by its start-up probe although vLLM was up: the probe asks in vain");
    else if (startup)
        hint_title(hint, WEIGHT_VERDICT, "killed by its start-up probe before loading was done");
    else if (refused)
        hint_title(hint, WEIGHT_VERDICT, "killed by its liveness probe while it still started");
    look_quote(look, hint, kill);
    if (refused && !startup)
        look_quote(look, hint, refused);
}

/* The port of the URL in an event's words; 0 none. */
static int32_t port_asked(const char *words)
{
    const char *url = strstr(words, "//"), *colon = url ? strchr(url, ':') : NULL;
    int32_t port = 0;
    for (const char *p = colon ? colon + 1 : ""; *p >= '0' && *p <= '9' && port < 65536; p++)
        port = port * 10 + (*p - '0');
    return port < 65536 ? port : 0;
}

/* Probes are refused although the log says that the server is up, or that it listens elsewhere. Where we probe ourselves, rules over probes know better. */
static void refused_though_up(const struct look *look)
{
    static const enum clue clues[] = {CLUE_READINESS_REFUSED, CLUE_LIVENESS_REFUSED, CLUE_STARTUP_FAILED};
    const struct finding *refused = NULL;
    int32_t listens = look->pod->progress.port, asked;
    for (size_t i = 0; i < sizeof clues / sizeof clues[0] && !refused; i++)
        refused = look_clue(look, clues[i], 0);
    if (!refused || !look->files || look->pod->stage == STAGE_READY ||
        !strstr(text_str(&refused->quote), "connection refused"))
        return;
    asked = port_asked(text_str(&refused->quote));
    bool elsewhere = asked != 0 && listens != 0 && asked != listens;
    if (!elsewhere && (!look->listening || look->dead || asked == listens))
        return;
    struct hint *hint = hint_add(look->maker, CAUSE_WRONG_PORT, CONFIDENCE_LIKELY, WEIGHT_ROOT);
    if (elsewhere)
        hint_title(hint, WEIGHT_ROOT, "a probe asks port %d, and vLLM listens on %d", (int)asked, (int)listens);
    else
        hint_title(hint, WEIGHT_ROOT, "a probe is refused although vLLM is up: it asks another port");
    look_quote(look, hint, refused);
    if (listens != 0)
        hint_evidence(hint, EVIDENCE_LOGS, 0, INT64_MIN, "vLLM's port is %d", (int)listens);
    if (elsewhere)
        hint_patch_port(hint, look->pod, asked, listens);
}

/* The scheduler has not found a node, and what it said of that is not here any more: events last an hour. */
static void not_scheduled(const struct look *look)
{
    const struct pod_facts *facts = &look->pod->facts;
    if (facts->scheduled.status != TRI_FALSE || !text_empty(&facts->node) || look_has_hint(look, CONFIDENCE_POSSIBLE))
        return;
    struct hint *hint = hint_add(look->maker, CAUSE_UNSCHEDULABLE_RESOURCES, CONFIDENCE_LIKELY, WEIGHT_ROOT);
    hint_title(hint, WEIGHT_ROOT, "no node has taken the pod, and no event is left that says why");
    hint_evidence(hint, EVIDENCE_POD, 0, INT64_MIN, "the condition PodScheduled is False");
}

void look_join(const struct look *look)
{
    adapter_is_missing(look);
    refused_though_up(look);
    asks_nobodys_port(look);
    kubelet_killed(look);
    not_scheduled(look);
}
