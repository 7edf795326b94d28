/* What the files say, told to the model as facts, in the order in which it came about. */
#include "kube/diagnosis_work.h"

#include "kube/discover.h"
#include "kube/stamp.h"

#include <string.h>

static void note_tell(struct diagnosis *work, const struct text *words)
{
    struct fact fact;
    fact_init(&fact, FACT_NOTE, 0);
    fact.t = DIAGNOSIS_NOW;
    text_copy(&fact.u.note, words);
    fleet_apply(work->fleet, &fact);
    fact_free(&fact);
}

static void hello_tell(struct diagnosis *work)
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

static void facts_tell(struct diagnosis *work, const struct pod_facts *facts)
{
    struct fact fact;
    fact_init(&fact, FACT_POD, DIAGNOSIS_POD);
    fact.t = DIAGNOSIS_NOW;
    pod_facts_copy(&fact.u.facts, facts);
    fleet_apply(work->fleet, &fact);
    fact_free(&fact);
}

/* A log of a run before: kubectl's word that there is none may have got into the file. */
static bool has_previous(const struct diagnosis *work)
{
    const struct diagnosis_text *previous = &work->texts->previous;
    return !diagnosis_text_is_blank(previous) && !slice_starts(diagnosis_text_begin(previous), "Error from server");
}

/* Where there is one, there was a run before: it is told of first. */
static void pod_tell(struct diagnosis *work)
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
static int64_t line_written(const struct diagnosis *work, bool previous, struct slice *words, int64_t before)
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
static int64_t log_line_tell(struct diagnosis *work, struct slice line, bool previous, int64_t before)
{
    struct slice container, words = line_prefix(line, &container);
    const struct text *serving = &work->facts.serving.name;
    struct fact fact;
    fact_init(&fact, FACT_LOG, DIAGNOSIS_POD);
    fact.t = DIAGNOSIS_NOW;
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

static void gap_tell(struct diagnosis *work, const struct diagnosis_text *text, enum evidence_source source)
{
    enum { MEBIBYTE = 1 << 20 };
    struct text words = {0};
    int32_t lines = text->gap_lines > INT32_MAX / 2 ? INT32_MAX / 2 : (int32_t)text->gap_lines;
    text_printf(&words, TEXT_LINE, "%s: %.1f MiB (%d lines) in its middle were not looked at", text->name,
                (double)text->gap_bytes / MEBIBYTE, (int)lines);
    note_tell(work, &words);
    fleet_skip(work->fleet, DIAGNOSIS_POD, source, lines);
    text_free(&words);
}

/* One fact a line, an empty one too: by counting them a line is found again. */
static void log_tell(struct diagnosis *work, const struct diagnosis_text *text, bool previous)
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

/* Whether an event about this object is about our pod, or about what made it or where it runs. `name` is the pod's; empty: any will do. */
static bool object_concerns(const struct diagnosis *work, const char *kind, size_t kind_length, const char *object)
{
    const char *name = text_str(&work->facts.name), *node = text_str(&work->facts.node);
    bool is_pod = (kind_length == 3 && strncasecmp(kind, "pod", 3) == 0) || kind_length == 0;
    if (name[0] == '\0')
        return true;
    if (is_pod)
        return strcmp(object, name) == 0;
    return strncmp(name, object, strlen(object)) == 0 || strcmp(object, node) == 0;
}

static bool event_concerns(const struct diagnosis *work, const struct told_event *event)
{
    const char *object = text_str(&event->object), *slash = strchr(object, '/');
    return text_empty(&event->object) ||
           object_concerns(work, object, slash ? (size_t)(slash - object) : 0, slash ? slash + 1 : object);
}

static void told_event_tell(struct diagnosis *work, const struct told_event *event)
{
    struct fact fact;
    fact_init(&fact, FACT_EVENT, DIAGNOSIS_POD);
    fact.t = DIAGNOSIS_NOW;
    fact.u.event.warning = event->warning;
    fact.u.event.count = event->count;
    fact.u.event.last = event->age > 0 ? DIAGNOSIS_NOW - event->age : DIAGNOSIS_NOW;
    fact.u.event.first = event->first_age > 0 ? DIAGNOSIS_NOW - event->first_age : fact.u.event.last;
    text_copy(&fact.u.event.reason, &event->reason);
    text_copy(&fact.u.event.message, &event->message);
    text_copy(&fact.u.event.container, &event->container);
    fleet_apply(work->fleet, &fact);
    fleet_found_in(work->fleet, DIAGNOSIS_POD, EVIDENCE_EVENTS, event->line);
    fact_free(&fact);
}

/* Returns how many are about others. */
static uint32_t table_tell(struct diagnosis *work, const struct described *events)
{
    uint32_t others = 0;
    for (uint32_t i = 0; i < events->event_count; i++)
        if (event_concerns(work, &events->events[i]))
            told_event_tell(work, &events->events[i]);
        else
            others++;
    return others;
}

static uint32_t document_tell(struct diagnosis *work)
{
    struct objects objects = objects_events(&work->event_file);
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
        fact.pod = DIAGNOSIS_POD;
        fact.t = DIAGNOSIS_NOW;
        fleet_apply(work->fleet, &fact);
        fact_free(&fact);
    }
    return others;
}

static void lines_tell(struct diagnosis *work, const struct described *described, enum evidence_source source)
{
    struct text line = {0};
    for (uint32_t i = 0; i < described->rest_count; i++) {
        text_set(&line, described->rest[i].words.bytes, described->rest[i].words.length, TEXT_BODY);
        fleet_offer(work->fleet, DIAGNOSIS_POD, source, described->rest[i].number, &line);
    }
    text_free(&line);
}

static void events_tell(struct diagnosis *work)
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

void diagnosis_tell(struct diagnosis *work)
{
    hello_tell(work);
    pod_tell(work);
    if (has_previous(work))
        log_tell(work, &work->texts->previous, true);
    log_tell(work, &work->texts->logs, false);
    events_tell(work);
}
