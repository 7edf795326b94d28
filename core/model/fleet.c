#include "model/fleet.h"

#include "base/mem.h"
#include "model/pod_fold.h"

#include <stdio.h>
#include <string.h>

/* uthash takes its memory where everybody does. */
#define uthash_malloc(size) mem_new(size)
#define uthash_free(memory, size) mem_free(memory)
#include <uthash.h>

enum { SENTENCE_SIZE = 512 };
static const int64_t FORGET_AFTER_US = INT64_C(600) * 1000000;

struct entry {
    uint32_t id;
    struct pod *pod;
    UT_hash_handle hh;
};

/* What fleet->index really is. */
struct fleet_index {
    struct entry *by_id;
    struct entry *found;   /* last: facts about one pod come in a row, and each is looked up several times */
    uint32_t gone;         /* pods that wait to be forgotten */
    int64_t forget_at;     /* t of the first of them */
    uint64_t unknown_pods; /* facts about pods nobody told of */
};

struct fleet_limits fleet_limits_reader(void)
{
    return (struct fleet_limits){.pods = 5000, .history_depth = 256, .keep_texts = true};
}

struct fleet_limits fleet_limits_engine(void)
{
    return (struct fleet_limits){.pods = 5000, .history_depth = 0, .keep_texts = false};
}

struct fleet *fleet_new(struct fleet_limits limits)
{
    struct fleet *fleet = mem_new(sizeof *fleet);
    fleet->limits = limits;
    fleet->source = SOURCE_STARTING;
    fleet->index = mem_new(sizeof(struct fleet_index));
    return fleet;
}

void fleet_free(struct fleet *fleet)
{
    if (!fleet)
        return;
    struct fleet_index *index = fleet->index;
    struct entry *entry, *next;
    HASH_ITER(hh, index->by_id, entry, next)
    {
        HASH_DEL(index->by_id, entry);
        mem_free(entry);
    }
    mem_free(index);
    for (uint32_t i = 0; i < fleet->count; i++)
        pod_free(fleet->pods[i]);
    mem_free(fleet->pods);
    for (uint32_t i = 0; i < fleet->workload_count; i++)
        workload_facts_free(&fleet->workloads[i]);
    mem_free(fleet->workloads);
    for (int i = 0; i < FLEET_NOTES_MAX; i++)
        text_free(&fleet->notes[i].words);
    text_free(&fleet->title);
    text_free(&fleet->source_name);
    text_free(&fleet->program);
    text_free(&fleet->source_detail);
    text_free(&fleet->end_reason);
    mem_free(fleet);
}

static struct pod *fleet_find(const struct fleet *fleet, uint32_t id)
{
    struct fleet_index *index = fleet->index;
    struct entry *entry = index->found;
    if (!entry || entry->id != id) {
        HASH_FIND(hh, index->by_id, &id, sizeof id, entry);
        index->found = entry;
    }
    return entry ? entry->pod : NULL;
}

const struct pod *fleet_pod(const struct fleet *fleet, uint32_t id)
{
    return fleet_find(fleet, id);
}

int64_t fleet_wall(const struct fleet *fleet, int64_t t)
{
    return fleet->clock.wall_zero + t;
}

/* Newest first; the oldest falls off. */
static void fleet_note(struct fleet *fleet, int64_t t, const char *words)
{
    struct note last = fleet->notes[FLEET_NOTES_MAX - 1]; /* its memory is used again */
    memmove(&fleet->notes[1], &fleet->notes[0], (FLEET_NOTES_MAX - 1) * sizeof last);
    last.t = t;
    text_set_str(&last.words, words, TEXT_LINE);
    fleet->notes[0] = last;
    fleet->note_count += fleet->note_count < FLEET_NOTES_MAX;
}

static bool is_power_of_ten(uint64_t number)
{
    while (number >= 10 && number % 10 == 0)
        number /= 10;
    return number == 1;
}

/* Said at the first, the tenth, the hundredth, ...: a broken journal cannot flood the notes. */
static void fleet_note_counted(struct fleet *fleet, int64_t t, uint64_t count, const char *what)
{
    char words[SENTENCE_SIZE];
    if (is_power_of_ten(count)) {
        snprintf(words, sizeof words, "%llu %s%s", (unsigned long long)count, what, count == 1 ? "" : " so far");
        fleet_note(fleet, t, words);
    }
}

static struct pod *fleet_add(struct fleet *fleet, uint32_t id, int64_t t)
{
    struct fleet_index *index = fleet->index;
    if (fleet->count >= fleet->limits.pods) {
        fleet->pods_over++;
        fleet_note_counted(fleet, t, fleet->pods_over, "times a pod was told of beyond the limit and is not shown");
        return NULL;
    }
    if (fleet->count == fleet->capacity) {
        fleet->capacity = fleet->capacity ? fleet->capacity * 2 : 16;
        fleet->pods = mem_resize(fleet->pods, fleet->capacity, sizeof *fleet->pods);
    }
    struct pod *pod = pod_new(&fleet->limits, t);
    struct entry *entry = mem_new(sizeof *entry);
    entry->id = id;
    entry->pod = pod;
    HASH_ADD(hh, index->by_id, id, sizeof entry->id, entry);
    fleet->pods[fleet->count++] = pod;
    return pod;
}

/* Drops the pods that have been gone long enough. Runs only when one is due. */
static void fleet_forget(struct fleet *fleet, int64_t t)
{
    struct fleet_index *index = fleet->index;
    if (index->gone == 0 || t < index->forget_at)
        return;
    uint32_t kept = 0;
    index->gone = 0;
    index->forget_at = INT64_MAX;
    for (uint32_t i = 0; i < fleet->count; i++) {
        struct pod *pod = fleet->pods[i];
        int64_t due = pod->gone ? pod->gone_at + FORGET_AFTER_US : INT64_MAX;
        if (due <= t) {
            struct entry *entry = NULL;
            HASH_FIND(hh, index->by_id, &pod->facts.id, sizeof pod->facts.id, entry);
            HASH_DEL(index->by_id, entry);
            mem_free(entry);
            index->found = NULL;
            pod_free(pod);
            continue;
        }
        index->gone += pod->gone;
        index->forget_at = due < index->forget_at ? due : index->forget_at;
        fleet->pods[kept++] = pod;
    }
    fleet->count = kept;
}

static void fleet_take_gone(struct fold *fold)
{
    struct fleet_index *index = fold->fleet->index;
    if (fold->pod->gone)
        return;
    pod_take_gone(fold);
    if (index->gone++ == 0)
        index->forget_at = fold->t + FORGET_AFTER_US;
}

static void fleet_take_hello(struct fleet *fleet, const struct fact *fact)
{
    fleet->clock.mono_zero = fact->u.hello.mono_zero;
    fleet->clock.wall_zero = fact->u.hello.wall_zero;
    fleet->clock.speed = fact->u.hello.speed;
    text_copy(&fleet->title, &fact->u.hello.title);
    text_copy(&fleet->source_name, &fact->u.hello.source);
    text_copy(&fleet->program, &fact->u.hello.program);
}

/* Facts about one pod. */
static void fleet_take_pods(struct fleet *fleet, const struct fact *fact)
{
    struct fleet_index *index = fleet->index;
    struct pod *pod = fleet_find(fleet, fact->pod);
    if (!pod && fact->kind == FACT_POD && fact->pod != 0) {
        pod = fleet_add(fleet, fact->pod, fact->t);
        if (!pod)
            return;
    } else if (!pod) {
        index->unknown_pods++;
        fleet_note_counted(fleet, fact->t, index->unknown_pods,
                           "facts about pods that are not known (any more) were left out");
        return;
    }
    struct fold fold = {fleet, pod, fact->t};
    pod->version++;
    switch (fact->kind) {
    case FACT_POD:
        if (pod->gone) { /* it is back: nothing that is documented, but then it must count again */
            index->gone--;
            fleet->by_stage[pod->stage]++;
        }
        pod_take_facts(&fold, &fact->u.facts);
        pod->facts.id = fact->pod;
        break;
    case FACT_GONE:
        fleet_take_gone(&fold);
        break;
    case FACT_PROBE:
        pod_take_sample(&fold, &fact->u.sample);
        break;
    case FACT_LOG:
        pod_take_log(&fold, fact);
        break;
    case FACT_EVENT:
        pod_take_event(&fold, fact);
        break;
    default:
        pod_take_tunnel(&fold, fact);
        break;
    }
    pod_take_hints(&fold);
}

static void fleet_take_workload(struct fleet *fleet, const struct workload_facts *workload)
{
    uint32_t i = 0;
    while (i < fleet->workload_count && !(text_equal(&fleet->workloads[i].name, &workload->name) &&
                                          text_equal(&fleet->workloads[i].ns, &workload->ns)))
        i++;
    if (i == FLEET_WORKLOADS_MAX)
        return;
    if (i == fleet->workload_count) {
        fleet->workloads = mem_resize(fleet->workloads, i + 1, sizeof *fleet->workloads);
        memset(&fleet->workloads[i], 0, sizeof fleet->workloads[i]);
        fleet->workload_count++;
    }
    workload_facts_copy(&fleet->workloads[i], workload);
}

void fleet_apply(struct fleet *fleet, const struct fact *fact)
{
    fleet->t = fact->t > fleet->t ? fact->t : fleet->t;
    fleet->version++;
    switch (fact->kind) {
    case FACT_HELLO:
        fleet_take_hello(fleet, fact);
        break;
    case FACT_SOURCE:
        if (fact->u.source.state != fleet->source)
            fleet->source_since = fact->t;
        fleet->source = fact->u.source.state;
        text_copy(&fleet->source_detail, &fact->u.source.detail);
        break;
    case FACT_WORKLOAD:
        fleet_take_workload(fleet, &fact->u.workload);
        break;
    case FACT_NOTE:
        fleet_note(fleet, fact->t, text_str(&fact->u.note));
        break;
    case FACT_END:
        fleet->ended = true;
        text_copy(&fleet->end_reason, &fact->u.end);
        break;
    case FACT_POD:
    case FACT_GONE:
    case FACT_PROBE:
    case FACT_LOG:
    case FACT_EVENT:
    case FACT_TUNNEL:
        fleet_take_pods(fleet, fact);
        break;
    default:
        break;
    }
    fleet_forget(fleet, fact->t);
}

void fleet_found_in(struct fleet *fleet, uint32_t id, enum evidence_source source, int32_t number)
{
    struct pod *pod = fleet_find(fleet, id);
    for (uint32_t i = 0; pod && i < pod->findings.count; i++) {
        struct finding *finding = &pod->findings.list[i];
        if (finding->source == source && finding->line == 0)
            finding->line = number;
    }
}

void fleet_offer(struct fleet *fleet, uint32_t id, enum evidence_source source, int32_t number, const struct text *line)
{
    struct pod *pod = fleet_find(fleet, id);
    if (!pod)
        return;
    pod->findings.lines[source] = number - 1; /* counted up by the offer */
    findings_offer(&pod->findings, fleet->limits.signatures, line, source, false, 0, fleet->t);
    fleet_found_in(fleet, id, source, number);
    pod->version++;
    fleet->version++;
}

void fleet_skip(struct fleet *fleet, uint32_t id, enum evidence_source source, int32_t lines)
{
    struct pod *pod = fleet_find(fleet, id);
    if (pod)
        pod->findings.lines[source] += lines;
}
