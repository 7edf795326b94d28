#include "kube/diagnosis.h"

#include "base/mem.h"
#include "base/yaml.h"
#include "kube/container.h"
#include "kube/describe.h"
#include "kube/discover.h"
#include "kube/stamp.h"

#include <stdlib.h>
#include <string.h>

enum { POD = 1, DOCUMENT_MAX = 64 << 20, NAMES_TOLD = 5, VOTES_MAX = 64 };
/* The newest moment of all, so far from 0 that nothing that came before is told as if it were before everything. */
static const int64_t NOW = INT64_C(1000) * 86400 * SECOND_US;

/* A JSON or YAML file. */
struct document {
    const char *name;
    struct json *json;      /* owned; NULL: it is YAML */
    struct yaml_file *yaml; /* owned */
};

struct work {
    const struct diagnosis_texts *texts;
    struct problem *problem;
    struct fleet *fleet;
    struct document pod_file, event_file;
    struct described described, events; /* events: the table that was given as such */
    const struct json *pod;             /* in one of them; NULL: nothing tells of it */
    struct clock clock;
    int64_t newest, oldest; /* Unix µs; 0: no file has a date */
    bool log_moments;       /* kubectl's own stand in the logs */
    /* What the programs wrote: the year to take, 0: they are not used; the moment that is t = 0; when the log and the previous one began. */
    int stamp_year;
    int64_t stamp_zero, log_began[2];
    struct pod_facts facts;
    bool name_is_guess;
    char *log_container; /* whose logs these are, where it is not the serving one; owned */
};

/* ---- documents ---- */

static void document_free(struct document *document)
{
    json_free(document->json);
    yaml_file_free(document->yaml);
    *document = (struct document){0};
}

static size_t document_count(const struct document *document)
{
    return document->json ? 1 : document->yaml ? yaml_file_count(document->yaml) : 0;
}

static const struct json *document_at(const struct document *document, size_t index)
{
    return document->json ? document->json : yaml_file_document(document->yaml, index);
}

/* Without the blanks and empty lines that it begins with. */
static struct slice text_begin(const struct diagnosis_text *text)
{
    struct slice left = {text->bytes, text->length};
    while (left.length > 0 && memchr(" \t\r\n", left.bytes[0], 4))
        left = slice_from(left, 1);
    return left;
}

static bool text_is_blank(const struct diagnosis_text *text)
{
    return !text->bytes || text_begin(text).length == 0;
}

static bool looks_like_json(const struct diagnosis_text *text)
{
    struct slice begin = text_begin(text);
    return slice_starts(begin, "{") || slice_starts(begin, "[");
}

/* What kubectl's -o yaml begins with. */
static bool looks_like_yaml(const struct diagnosis_text *text)
{
    struct slice left = {text->bytes, text->length}, line;
    while (slice_line(&left, &line))
        if (slice_trim(line).length > 0 && !slice_starts(line, "#"))
            return slice_starts(line, "apiVersion:") || slice_starts(line, "kind:") || slice_starts(line, "items:") ||
                   slice_is(slice_trim(line), "---");
    return false;
}

static enum status document_read(const struct diagnosis_text *text, struct document *out, struct problem *problem)
{
    struct problem why = {{0}};
    out->name = text->name;
    if (!looks_like_json(text))
        return yaml_file_parse(text->name, text->bytes, text->length, DOCUMENT_MAX, &out->yaml, problem);
    if (json_parse(text->bytes, text->length, DOCUMENT_MAX, &out->json, &why) == STATUS_OK)
        return STATUS_OK;
    return problem_set(problem, STATUS_BAD_INPUT, "%s: %s", text->name, why.text);
}

static bool string_is(const struct json *value, const char *wanted)
{
    const char *string = json_string(value);
    return string && strcmp(string, wanted) == 0;
}

static const char *name_of(const struct json *object)
{
    const char *name = json_string(json_get(json_get(object, "metadata"), "name"));
    return name ? name : "";
}

/* What of a document is of this kind: itself, or items of a list. The items of kubectl's own lists say what they are, those of the API's do not. */
struct objects {
    const struct document *document;
    const char *kind, *list;
    size_t at;
    const struct json *item;
};

static bool is_of_kind(const struct objects *objects, const struct json *object, const struct json *list)
{
    const struct json *kind = json_get(object, "kind");
    return json_is_object(object) && (string_is(kind, objects->kind) ||
                                      (json_is_null(kind) && list && string_is(json_get(list, "kind"), objects->list)));
}

static const struct json *objects_next(struct objects *objects)
{
    for (; objects->at < document_count(objects->document); objects->at++) {
        const struct json *top = document_at(objects->document, objects->at);
        const struct json *items = json_is_array(top) ? top : json_get(top, "items");
        if (is_of_kind(objects, top, NULL) && !objects->item) {
            objects->item = top;
            return top;
        }
        const struct json *item = objects->item == top ? NULL
                                  : objects->item      ? json_next(objects->item)
                                                       : json_first(items);
        for (; item; item = json_next(item))
            if (is_of_kind(objects, item, top)) {
                objects->item = item;
                return item;
            }
        objects->item = NULL;
    }
    return NULL;
}

static struct objects pods_in(const struct document *document)
{
    return (struct objects){.document = document, .kind = "Pod", .list = "PodList"};
}

static struct objects events_in(const struct document *document)
{
    return (struct objects){.document = document, .kind = "Event", .list = "EventList"};
}

/* ---- which pod ---- */

static enum status pods_are_several(struct work *work, const char *file, const char *const *names, size_t count)
{
    struct buf list;
    buf_init(&list, PROBLEM_MAX);
    for (size_t i = 0; i < count && i < NAMES_TOLD; i++)
        buf_printf(&list, "%s%s", i > 0 ? ", " : "", names[i]);
    if (count > NAMES_TOLD)
        buf_puts(&list, ", ...");
    enum status status =
        problem_set(work->problem, STATUS_BAD_INPUT, "%s: %zu pods, expected one: %s", file, count, buf_str(&list));
    buf_free(&list);
    return status;
}

/* The file's only pod. */
static enum status pod_from_document(struct work *work)
{
    struct objects objects = pods_in(&work->pod_file);
    const char *names[NAMES_TOLD], *file = work->pod_file.name;
    size_t count = 0;
    for (const struct json *pod; (pod = objects_next(&objects)); count++) {
        if (count < NAMES_TOLD)
            names[count] = name_of(pod);
        work->pod = pod;
    }
    if (count > 1)
        return pods_are_several(work, file, names, count);
    if (count == 1)
        return STATUS_OK;
    const struct json *top = document_at(&work->pod_file, 0);
    const char *kind = json_string(json_get(top, "kind"));
    bool listed = kind && json_is_array(json_get(top, "items"));
    return problem_set(work->problem, STATUS_BAD_INPUT,
                       "%s:1: expected a pod, as kubectl get pod NAME -o json or -o yaml writes it%s%s%s", file,
                       kind ? "; this is a " : "", kind ? kind : "", listed ? " without one" : "");
}

/* The pod of that name among those of a text; NULL. */
static const struct json *described_find(const struct described *described, const char *name)
{
    for (uint32_t i = 0; i < described->pod_count; i++)
        if (strcmp(name_of(described->pods[i]), name) == 0)
            return described->pods[i];
    return NULL;
}

/* Of a table's pods the one that somebody would ask about: the first that is not all ready. */
static const struct json *row_choose(const struct described *described)
{
    for (uint32_t i = described->pods_described; i < described->pod_count; i++) {
        const struct json *status = json_first(json_get(json_get(described->pods[i], "status"), "containerStatuses"));
        if (!json_bool(json_get(status, "ready"), false))
            return described->pods[i];
    }
    return described->pod_count > described->pods_described ? described->pods[described->pods_described] : NULL;
}

static enum status pod_from_describe(struct work *work)
{
    const struct described *described = &work->described;
    const char *names[DESCRIBED_PODS_MAX];
    size_t named = 0;
    for (uint32_t i = 0; i < described->pods_described; i++)
        if (name_of(described->pods[i])[0])
            names[named++] = name_of(described->pods[i]);
    if (named > 1)
        return pods_are_several(work, work->texts->describe.name, names, named);
    if (named == 1)
        work->pod = described_find(described, names[0]);
    else
        work->pod = described->pods_described > 0 ? described->pods[0] : row_choose(described);
    return STATUS_OK;
}

/* --describe may tell of the same pod as --pod, and of no other. */
static enum status descriptions_agree(struct work *work)
{
    const struct described *described = &work->described;
    const char *name = name_of(work->pod);
    for (uint32_t i = 0; i < described->pods_described; i++) {
        const char *other = name_of(described->pods[i]);
        if (other[0] && strcmp(other, name) != 0)
            return problem_set(work->problem, STATUS_BAD_INPUT, "%s is about pod %s, %s about %s",
                               work->texts->describe.name, other, work->texts->pod.name, name);
    }
    return STATUS_OK;
}

static enum status pod_find(struct work *work)
{
    const struct diagnosis_text *pod = &work->texts->pod, *describe = &work->texts->describe;
    if (pod->bytes) {
        enum status status = document_read(pod, &work->pod_file, work->problem);
        status = status == STATUS_OK ? pod_from_document(work) : status;
        return status == STATUS_OK ? descriptions_agree(work) : status;
    }
    if (describe->bytes && (looks_like_json(describe) || looks_like_yaml(describe))) {
        /* A pod in the wrong place is a pod; anything else is lines. */
        if (document_read(describe, &work->pod_file, NULL) == STATUS_OK && pod_from_document(work) == STATUS_OK) {
            described_free(&work->described);
            return STATUS_OK;
        }
        *work->problem = (struct problem){{0}};
        document_free(&work->pod_file);
    }
    return pod_from_describe(work);
}

/* ---- when ---- */

static void newest_take(struct work *work, int64_t wall)
{
    work->newest = wall > work->newest ? wall : work->newest;
    work->oldest = work->oldest == 0 || wall < work->oldest ? wall : work->oldest;
}

/* All moments below it. */
static void moments_walk(struct work *work, const struct json *value, int depth)
{
    enum { DEEPEST = 8 };
    int64_t wall;
    if (json_string(value) && clock_parse_rfc3339(json_string(value), &wall))
        newest_take(work, wall);
    for (const struct json *child = json_first(value); child && depth < DEEPEST; child = json_next(child))
        moments_walk(work, child, depth + 1);
}

static void moments_of_pod(struct work *work, const struct json *pod)
{
    const struct json *metadata = json_get(pod, "metadata");
    moments_walk(work, json_get(pod, "status"), 0);
    moments_walk(work, json_get(metadata, "creationTimestamp"), 0);
    for (const struct json *f = json_first(json_get(metadata, "managedFields")); f; f = json_next(f))
        moments_walk(work, json_get(f, "time"), 0);
}

/* A pod has dates, and a table of its events has ages: where both tell of the same moment, it says when they were written. */
static void moment_of_writing(struct work *work, const struct described *events, const char *reason,
                              const struct json *when)
{
    const char *moment = json_string(when);
    int64_t wall, age = -1;
    for (uint32_t i = 0; i < events->event_count; i++) {
        const struct told_event *event = &events->events[i];
        bool ours = text_empty(&event->object) || strstr(text_str(&event->object), name_of(work->pod));
        if (ours && text_is(&event->reason, reason) && event->age >= 0 && (age < 0 || event->age < age))
            age = event->age;
    }
    if (moment && age >= 0 && clock_parse_rfc3339(moment, &wall))
        newest_take(work, wall + age);
}

static void moments_of_ages(struct work *work, const struct described *events)
{
    const struct json *status = json_get(work->pod, "status");
    const struct json *state = json_get(json_first(json_get(status, "containerStatuses")), "state");
    moment_of_writing(work, events, "Scheduled", json_get(status, "startTime"));
    moment_of_writing(work, events, "Started", json_get(json_get(state, "running"), "startedAt"));
}

static void moments_of_log(struct work *work, const struct diagnosis_text *text)
{
    struct slice left = {text->bytes, text->length}, line, words;
    int64_t wall;
    while (slice_line(&left, &line))
        if (line_moment(line, &wall, &words)) {
            work->log_moments = true;
            newest_take(work, wall);
        }
}

/* The moments that the programs wrote themselves, where kubectl gave none. Beside other dates they count only if they fit: by a clock in another zone they do not. Without any, they are spans and no dates. */
static void stamps_find(struct work *work)
{
    enum { ANY_LEAP_YEAR = 2000, SLACK_SECONDS = 600 };
    const struct diagnosis_texts *texts = work->texts;
    struct slice logs = {texts->logs.bytes, texts->logs.length};
    struct slice previous = {texts->previous.bytes, texts->previous.length};
    struct stamps now, before;
    char moment[32] = "";
    bool dated = work->newest != 0;
    int year = ANY_LEAP_YEAR;
    const int64_t half_year = 183 * INT64_C(86400) * SECOND_US;
    if (dated)
        year = (int)strtol(clock_format(work->newest, CLOCK_ISO_UTC, moment, sizeof moment), NULL, 10);
    stamps_of(logs, year, &now);
    stamps_of(previous, year, &before);
    if (dated && now.any && now.first > work->newest + half_year) { /* they began before the turn of the year */
        year--;
        stamps_of(logs, year, &now);
        stamps_of(previous, year, &before);
    }
    if (!dated && (now.year || before.year)) { /* lines with a year and lines without may be mixed */
        year = now.year ? now.year : before.year;
        stamps_of(logs, year, &now);
        stamps_of(previous, year, &before);
    }
    int64_t newest = now.any ? now.newest : before.newest, slack = SLACK_SECONDS * (int64_t)SECOND_US;
    if ((!now.any && !before.any) || work->log_moments ||
        (dated && (newest > work->newest + slack || (work->oldest != 0 && newest < work->oldest))))
        return;
    work->stamp_year = year;
    work->log_began[0] = now.any ? now.first : newest;
    work->log_began[1] = before.any ? before.first : newest;
    if (dated)
        newest_take(work, newest);
    else
        work->stamp_zero = newest - NOW;
}

static void moments_find(struct work *work)
{
    struct objects events = events_in(&work->event_file);
    if (work->pod) {
        moments_of_pod(work, work->pod);
        moments_of_ages(work, &work->events);
        moments_of_ages(work, &work->described);
    }
    for (const struct json *event; (event = objects_next(&events));)
        for (const struct json *member = json_first(event); member; member = json_next(member))
            moments_walk(work, member, 0);
    moments_of_log(work, &work->texts->previous);
    moments_of_log(work, &work->texts->logs);
    stamps_find(work);
    work->clock.wall_zero = work->newest != 0 ? work->newest - NOW : 0;
    if (work->newest != 0)
        work->stamp_zero = work->clock.wall_zero;
}

/* ---- the pod ---- */

/* Where no file names the pod, it is the one that most warnings are about. */
struct votes {
    struct text name[VOTES_MAX];
    uint32_t weight[VOTES_MAX], count;
};

static void vote(struct votes *votes, const char *name, bool warning)
{
    uint32_t i = 0;
    while (i < votes->count && !text_is(&votes->name[i], name))
        i++;
    if (i == VOTES_MAX || name[0] == '\0')
        return;
    if (i == votes->count) {
        text_set_str(&votes->name[i], name, TEXT_NAME);
        votes->count++;
    }
    votes->weight[i] += warning ? VOTES_MAX : 1;
}

static void votes_of_table(struct votes *votes, const struct described *events)
{
    for (uint32_t i = 0; i < events->event_count; i++) {
        const char *object = text_str(&events->events[i].object);
        if (strncasecmp(object, "pod/", 4) == 0)
            vote(votes, object + 4, events->events[i].warning);
    }
}

static void votes_of_document(struct votes *votes, const struct document *document)
{
    struct objects objects = events_in(document);
    for (const struct json *event; (event = objects_next(&objects));) {
        const struct json *object = json_get(event, "involvedObject");
        const char *name = json_string(json_get(object, "name"));
        if (name && string_is(json_get(object, "kind"), "Pod"))
            vote(votes, name, string_is(json_get(event, "type"), "Warning"));
    }
}

static void name_from_events(struct work *work)
{
    struct votes votes = {0};
    uint32_t best = 0;
    votes_of_table(&votes, &work->events);
    votes_of_table(&votes, &work->described);
    votes_of_document(&votes, &work->event_file);
    for (uint32_t i = 1; i < votes.count; i++)
        best = votes.weight[i] > votes.weight[best] ? i : best;
    work->name_is_guess = votes.count > 1;
    if (votes.count > 0)
        text_move(&work->facts.name, &votes.name[best]);
    for (uint32_t i = 0; i < votes.count; i++)
        text_free(&votes.name[i]);
}

/* The init container that has not let the others begin: then it is the one whose log somebody asked for. */
static const char *init_at_work(const struct json *pod)
{
    const struct json *list = json_get(json_get(pod, "status"), "initContainerStatuses");
    for (const struct json *status = json_first(list); status; status = json_next(status)) {
        const struct json *end = json_get(json_get(status, "state"), "terminated");
        const char *name = json_string(json_get(status, "name"));
        bool over = json_is_object(end) && json_int(json_get(end, "exitCode"), 1) == 0;
        if (name && !over && !container_is_native_sidecar(container_find(pod, name)))
            return name;
    }
    return NULL;
}

/* How unwell a container is, by its status: 2 it fails, 1 it is not ready, 0 it is well, or nothing tells. */
static int unwellness(const struct json *status)
{
    const struct json *state = json_get(status, "state"), *end = json_get(state, "terminated");
    const char *waits = json_string(json_get(json_get(state, "waiting"), "reason"));
    bool ready = json_bool(json_get(status, "ready"), true);
    bool begins = waits && (strcmp(waits, "ContainerCreating") == 0 || strcmp(waits, "PodInitializing") == 0);
    if ((waits && !begins) || json_int(json_get(end, "exitCode"), 0) != 0)
        return 2;
    return ready ? 0 : json_int(json_get(status, "restartCount"), 0) > 0 ? 2 : 1;
}

/* What is asked about is the container that fails, where the one that serves does not: one of several vLLM, a proxy. */
static void container_choose(const struct json *pod, struct discovery *found)
{
    const struct json *list = json_get(json_get(pod, "status"), "containerStatuses");
    const char *failing = NULL;
    for (const struct json *status = json_first(list); status; status = json_next(status)) {
        const char *name = json_string(json_get(status, "name"));
        if (!name || unwellness(status) < 2)
            continue;
        if (found->serving && strcmp(name, found->serving) == 0)
            return;
        failing = failing || (found->sidecar && strcmp(name, found->sidecar) == 0) ? failing : name;
    }
    if (failing)
        discover_around(pod, failing, found);
}

static void facts_find(struct work *work)
{
    struct pod_facts *facts = &work->facts;
    struct discovery found = {0};
    if (work->pod) {
        discover_pod(work->pod, true, &found);
        container_choose(work->pod, &found);
        pod_facts_from_json(work->pod, &found, &work->clock, POD, facts);
    }
    if (text_empty(&facts->name))
        name_from_events(work);
    facts->id = POD;
    facts->kubelet = facts->serving.exists = true;
    if (strncmp(text_str(&facts->serving.reason), "Init:", 5) == 0)
        work->log_container = mem_dup(init_at_work(work->pod));
    else if (facts->serving.state == CONTAINER_UNKNOWN && work->texts->logs.bytes && facts->phase != PHASE_FAILED)
        facts->serving.state = CONTAINER_RUNNING; /* as far as is known: something wrote */
}

static void note_tell(struct work *work, const struct text *words)
{
    struct fact fact;
    fact_init(&fact, FACT_NOTE, 0);
    fact.t = NOW;
    text_copy(&fact.u.note, words);
    fleet_apply(work->fleet, &fact);
    fact_free(&fact);
}

static void hello_tell(struct work *work)
{
    struct fact fact;
    fact_init(&fact, FACT_HELLO, 0);
    fact.u.hello.version = 1;
    fact.u.hello.wall_zero = work->clock.wall_zero;
    fact.u.hello.speed = 1;
    text_set_str(&fact.u.hello.title, "files", TEXT_NAME);
    text_set_str(&fact.u.hello.source, "files", TEXT_NAME);
    fleet_apply(work->fleet, &fact);
    fact_free(&fact);
}

static void facts_tell(struct work *work, const struct pod_facts *facts)
{
    struct fact fact;
    fact_init(&fact, FACT_POD, POD);
    fact.t = NOW;
    pod_facts_copy(&fact.u.facts, facts);
    fleet_apply(work->fleet, &fact);
    fact_free(&fact);
}

/* A log of a run before: kubectl's word that there is none may have got into the file. */
static bool has_previous(const struct work *work)
{
    const struct diagnosis_text *previous = &work->texts->previous;
    return !text_is_blank(previous) && !slice_starts(text_begin(previous), "Error from server");
}

/* Where there is one, there was a run before: it is told of first. */
static void pod_tell(struct work *work)
{
    struct pod_facts *facts = &work->facts;
    if (has_previous(work)) {
        struct pod_facts before = {0};
        facts->serving.restart_count += facts->serving.restart_count == 0;
        pod_facts_copy(&before, facts);
        before.serving.restart_count--;
        text_free(&before.serving.container_id);
        facts_tell(work, &before);
        pod_facts_free(&before);
    }
    facts_tell(work, facts);
}

/* ---- logs ---- */

/* kubectl logs --prefix: "[pod/NAME/CONTAINER] words". */
static struct slice line_prefix(struct slice line, struct slice *container)
{
    const char *close = slice_starts(line, "[pod/") ? slice_find(line, "] ") : NULL;
    *container = (struct slice){"", 0};
    if (!close)
        return line;
    struct slice inside = slice_before(line, (size_t)(close - line.bytes));
    for (size_t at = inside.length; at > 0; at--)
        if (inside.bytes[at - 1] == '/') {
            *container = slice_from(inside, at);
            break;
        }
    return slice_from(line, inside.length + 2);
}

/* What a node's own file has before each line: "stderr F ", after the moment. */
static struct slice line_stream(struct slice line)
{
    struct slice left = line, stream = slice_word(&left), tag = slice_word(&left);
    bool is_stream = slice_is(stream, "stdout") || slice_is(stream, "stderr");
    if (!is_stream || !(slice_is(tag, "F") || slice_is(tag, "P")))
        return line;
    return slice_from(left, left.length > 0 ? 1 : 0);
}

/* When the line was written: by kubectl's word, by its own, or as the one before it (a traceback's lines have none). -1: not known. */
static int64_t line_written(const struct work *work, bool previous, struct slice *words, int64_t before)
{
    int64_t wall;
    int year;
    if (line_moment(*words, &wall, words)) {
        *words = line_stream(*words);
        return wall - work->clock.wall_zero;
    }
    if (work->stamp_year != 0 && line_stamp(*words, work->stamp_year, work->log_began[previous], &wall, &year))
        return wall - work->stamp_zero;
    return before;
}

/* Returns when it was written. */
static int64_t log_line_tell(struct work *work, struct slice line, bool previous, int64_t before)
{
    struct slice container, words = line_prefix(line, &container);
    const struct text *serving = &work->facts.serving.name;
    struct fact fact;
    fact_init(&fact, FACT_LOG, POD);
    fact.t = NOW;
    int64_t written = line_written(work, previous, &words, before);
    fact.u.log.written = written;
    fact.u.log.previous = previous;
    text_set(&fact.u.log.container, container.bytes, container.length, TEXT_NAME);
    if (container.length == 0)
        text_set_str(&fact.u.log.container, work->log_container ? work->log_container : text_str(serving), TEXT_NAME);
    else
        fact.u.log.sidecar =
            !work->log_container && !text_empty(serving) && !text_equal(&fact.u.log.container, serving);
    text_set(&fact.u.log.line, words.bytes, words.length, TEXT_BODY);
    fleet_apply(work->fleet, &fact);
    fact_free(&fact);
    return written;
}

static void gap_tell(struct work *work, const struct diagnosis_text *text, enum evidence_source source)
{
    enum { MEBIBYTE = 1 << 20 };
    struct text words = {0};
    int32_t lines = text->gap_lines > INT32_MAX / 2 ? INT32_MAX / 2 : (int32_t)text->gap_lines;
    text_printf(&words, TEXT_LINE, "%s: %.1f MiB (%d lines) in its middle were not looked at", text->name,
                (double)text->gap_bytes / MEBIBYTE, (int)lines);
    note_tell(work, &words);
    fleet_skip(work->fleet, POD, source, lines);
    text_free(&words);
}

/* One fact a line, an empty one too: by counting them a line is found again. */
static void log_tell(struct work *work, const struct diagnosis_text *text, bool previous)
{
    struct slice left = {text->bytes, text->length}, line;
    bool gap = text->gap_bytes > 0;
    int64_t written = work->stamp_year != 0 ? work->log_began[previous] - work->stamp_zero : -1;
    while (slice_line(&left, &line)) {
        written = log_line_tell(work, line, previous, written);
        if (gap && left.bytes >= text->bytes + text->gap_at) {
            gap = false;
            gap_tell(work, text, previous ? EVIDENCE_PREVIOUS : EVIDENCE_LOGS);
        }
    }
}

/* ---- events ---- */

/* Whether an event about this object is about our pod, or about what made it or where it runs. `name` is the pod's; empty: any will do. */
static bool object_concerns(const struct work *work, const char *kind, size_t kind_length, const char *object)
{
    const char *name = text_str(&work->facts.name), *node = text_str(&work->facts.node);
    bool is_pod = (kind_length == 3 && strncasecmp(kind, "pod", 3) == 0) || kind_length == 0;
    if (name[0] == '\0')
        return true;
    if (is_pod)
        return strcmp(object, name) == 0;
    return strncmp(name, object, strlen(object)) == 0 || strcmp(object, node) == 0;
}

static bool event_concerns(const struct work *work, const struct told_event *event)
{
    const char *object = text_str(&event->object), *slash = strchr(object, '/');
    return text_empty(&event->object) ||
           object_concerns(work, object, slash ? (size_t)(slash - object) : 0, slash ? slash + 1 : object);
}

static void told_event_tell(struct work *work, const struct told_event *event)
{
    struct fact fact;
    fact_init(&fact, FACT_EVENT, POD);
    fact.t = NOW;
    fact.u.event.warning = event->warning;
    fact.u.event.count = event->count;
    fact.u.event.last = event->age > 0 ? NOW - event->age : NOW;
    fact.u.event.first = event->first_age > 0 ? NOW - event->first_age : fact.u.event.last;
    text_copy(&fact.u.event.reason, &event->reason);
    text_copy(&fact.u.event.message, &event->message);
    text_copy(&fact.u.event.container, &event->container);
    fleet_apply(work->fleet, &fact);
    fleet_found_in(work->fleet, POD, EVIDENCE_EVENTS, event->line);
    fact_free(&fact);
}

/* Returns how many are about others. */
static uint32_t table_tell(struct work *work, const struct described *events)
{
    uint32_t others = 0;
    for (uint32_t i = 0; i < events->event_count; i++)
        if (event_concerns(work, &events->events[i]))
            told_event_tell(work, &events->events[i]);
        else
            others++;
    return others;
}

static uint32_t document_tell(struct work *work)
{
    struct objects objects = events_in(&work->event_file);
    uint32_t others = 0;
    for (const struct json *event; (event = objects_next(&objects));) {
        const struct json *object = json_get(event, "involvedObject");
        const char *name = json_string(json_get(object, "name")), *kind = json_string(json_get(object, "kind")), *uid;
        struct fact fact;
        if (!name || !kind || !object_concerns(work, kind, strlen(kind), name)) {
            others++;
            continue;
        }
        if (!event_from_json(event, &work->clock, &fact, &uid))
            continue;
        fact.pod = POD;
        fact.t = NOW;
        fleet_apply(work->fleet, &fact);
        fact_free(&fact);
    }
    return others;
}

static void lines_tell(struct work *work, const struct described *described, enum evidence_source source)
{
    struct text line = {0};
    for (uint32_t i = 0; i < described->rest_count; i++) {
        text_set(&line, described->rest[i].words.bytes, described->rest[i].words.length, TEXT_BODY);
        fleet_offer(work->fleet, POD, source, described->rest[i].number, &line);
    }
    text_free(&line);
}

static void events_tell(struct work *work)
{
    struct text words = {0};
    bool given = work->texts->events.bytes != NULL;
    uint32_t others = document_count(&work->event_file) > 0 ? document_tell(work)
                      : given                               ? table_tell(work, &work->events)
                                                            : table_tell(work, &work->described);
    if (others > 0 && work->name_is_guess) {
        text_printf(&words, TEXT_LINE,
                    "the events are about several pods; this is about %s, which has the most warnings: --pod or "
                    "--describe names another",
                    text_str(&work->facts.name));
        note_tell(work, &words);
    }
    lines_tell(work, &work->events, EVIDENCE_EVENTS);
    lines_tell(work, &work->described, EVIDENCE_DESCRIBE);
    uint32_t left_out = work->events.left_out + work->described.left_out;
    if (left_out > 0) {
        text_printf(&words, TEXT_LINE, "%u rows and lines were too many to be looked at", (unsigned)left_out);
        note_tell(work, &words);
    }
    text_free(&words);
}

/* ---- the whole ---- */

static enum status texts_read(struct work *work)
{
    const struct diagnosis_text *events = &work->texts->events, *describe = &work->texts->describe;
    if (describe->bytes)
        describe_read(describe->bytes, describe->length, &work->described);
    if (!events->bytes)
        return STATUS_OK;
    if (looks_like_json(events) || looks_like_yaml(events))
        return document_read(events, &work->event_file, work->problem);
    describe_read(events->bytes, events->length, &work->events);
    return STATUS_OK;
}

static enum status texts_check(const struct diagnosis_texts *texts, struct problem *problem)
{
    const struct diagnosis_text *const all[] = {&texts->pod, &texts->events, &texts->describe, &texts->logs,
                                                &texts->previous};
    bool any = false;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        any = any || !text_is_blank(all[i]);
    if (texts->pod.bytes && text_is_blank(&texts->pod))
        return problem_set(problem, STATUS_BAD_INPUT,
                           "%s: empty; expected a pod, as kubectl get pod NAME -o json or -o yaml writes it",
                           texts->pod.name);
    for (size_t i = 0; i < sizeof all / sizeof all[0] && !any; i++)
        if (all[i]->bytes)
            return problem_set(problem, STATUS_BAD_INPUT, "%s: empty; there is nothing to look at", all[i]->name);
    return any ? STATUS_OK : problem_set(problem, STATUS_BAD_INPUT, "no file was given");
}

static void fleet_make(struct work *work, const struct signatures *own)
{
    struct fleet_limits limits = fleet_limits_reader();
    limits.signatures = own;
    work->fleet = fleet_new(limits);
    moments_find(work);
    facts_find(work);
    hello_tell(work);
    pod_tell(work);
    if (has_previous(work))
        log_tell(work, &work->texts->previous, true);
    log_tell(work, &work->texts->logs, false);
    events_tell(work);
}

enum status diagnosis_fleet(const struct diagnosis_texts *texts, const struct signatures *own, struct fleet **out,
                            struct problem *problem)
{
    struct work work = {.texts = texts, .problem = problem, .clock = {.speed = 1}};
    enum status status = texts_check(texts, problem);
    *out = NULL;
    status = status == STATUS_OK ? texts_read(&work) : status;
    status = status == STATUS_OK ? pod_find(&work) : status;
    if (status == STATUS_OK)
        fleet_make(&work, own);
    *out = work.fleet;
    pod_facts_free(&work.facts);
    described_free(&work.described);
    described_free(&work.events);
    document_free(&work.pod_file);
    document_free(&work.event_file);
    mem_free(work.log_container);
    return status;
}

const char *diagnosis_file(const struct diagnosis_texts *texts, enum evidence_source source)
{
    const struct diagnosis_text *describe = &texts->describe;
    switch (source) {
    case EVIDENCE_LOGS:
        return texts->logs.name;
    case EVIDENCE_PREVIOUS:
        return texts->previous.name;
    case EVIDENCE_EVENTS:
        return texts->events.bytes ? texts->events.name : describe->name;
    case EVIDENCE_POD:
        return texts->pod.bytes ? texts->pod.name : describe->name;
    case EVIDENCE_DESCRIBE:
        return describe->name;
    default:
        return NULL;
    }
}
