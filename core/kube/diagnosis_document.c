#include "kube/diagnosis_work.h"

#include <string.h>

enum { DOCUMENT_MAX = 64 << 20 };

void document_free(struct document *document)
{
    json_free(document->json);
    yaml_file_free(document->yaml);
    *document = (struct document){0};
}

size_t document_count(const struct document *document)
{
    return document->json ? 1 : document->yaml ? yaml_file_count(document->yaml) : 0;
}

const struct json *document_at(const struct document *document, size_t index)
{
    return document->json ? document->json : yaml_file_document(document->yaml, index);
}

struct slice diagnosis_text_begin(const struct diagnosis_text *text)
{
    struct slice left = {text->bytes, text->length};
    while (left.length > 0 && memchr(" \t\r\n", left.bytes[0], 4))
        left = slice_from(left, 1);
    return left;
}

bool diagnosis_text_is_blank(const struct diagnosis_text *text)
{
    return !text->bytes || diagnosis_text_begin(text).length == 0;
}

bool diagnosis_text_is_json(const struct diagnosis_text *text)
{
    struct slice begin = diagnosis_text_begin(text);
    return slice_starts(begin, "{") || slice_starts(begin, "[");
}

bool diagnosis_text_is_yaml(const struct diagnosis_text *text)
{
    struct slice left = {text->bytes, text->length}, line;
    while (slice_line(&left, &line))
        if (slice_trim(line).length > 0 && !slice_starts(line, "#"))
            return slice_starts(line, "apiVersion:") || slice_starts(line, "kind:") || slice_starts(line, "items:") ||
                   slice_is(slice_trim(line), "---");
    return false;
}

enum status document_read(const struct diagnosis_text *text, struct document *out, struct problem *problem)
{
    struct problem why = {{0}};
    out->name = text->name;
    if (!diagnosis_text_is_json(text))
        return yaml_file_parse(text->name, text->bytes, text->length, DOCUMENT_MAX, &out->yaml, problem);
    if (json_parse(text->bytes, text->length, DOCUMENT_MAX, &out->json, &why) == STATUS_OK)
        return STATUS_OK;
    return problem_set(problem, STATUS_BAD_INPUT, "%s: %s", text->name, why.text);
}

const char *object_name(const struct json *object)
{
    const char *name = json_string(json_get(json_get(object, "metadata"), "name"));
    return name ? name : "";
}

static bool is_of_kind(const struct objects *objects, const struct json *object, const struct json *list)
{
    const struct json *kind = json_get(object, "kind");
    return json_is_object(object) &&
           (json_string_is(kind, objects->kind) ||
            (json_is_null(kind) && list && json_string_is(json_get(list, "kind"), objects->list)));
}

const struct json *objects_next(struct objects *objects)
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

struct objects objects_pods(const struct document *document)
{
    return (struct objects){.document = document, .kind = "Pod", .list = "PodList"};
}

struct objects objects_events(const struct document *document)
{
    return (struct objects){.document = document, .kind = "Event", .list = "EventList"};
}
