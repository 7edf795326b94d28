#include "base/yaml.h"

#include "base/mem.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* uthash takes its memory where everybody does. */
#define uthash_malloc(size) mem_new(size)
#define uthash_free(memory, size) mem_free(memory)
#include <uthash.h>

#define YAML_TAG(name) "tag:yaml.org,2002:" name

/* Where a value stands. */
struct yaml_place {
    const struct json *value; /* the key of the table */
    uint32_t line, key_line;
    UT_hash_handle hh;
};

struct yaml_file {
    struct json **documents;
    size_t count;
    struct yaml_place *places;
};

/* What an alias may stand for; `value` is NULL while it is still being read. */
struct yaml_anchor {
    char *name;
    const struct json *value;
};

struct yaml_reader {
    yaml_parser_t parser;
    struct yaml_file *yaml;
    const char *name, *input;
    size_t length;
    struct yaml_anchor *anchors;
    size_t anchor_count;
    struct json *spent;            /* of this document: what has been merged, which anchors may still name */
    size_t node_count, byte_count; /* so far, aliases resolved */
    enum status status;
    struct problem *problem;
};

/* A member of a mapping that is being read. */
struct yaml_entry {
    char *key;
    struct json *value;
    size_t order;
    uint32_t line;
    bool merged, dropped;
};
struct yaml_entries {
    struct yaml_entry *list;
    size_t count, capacity;
};

static struct json *yaml_value(struct yaml_reader *reader, const yaml_event_t *event, int depth, uint32_t key_line);

/* ---- problems ---- */

static void yaml_line_bytes(const struct yaml_reader *reader, size_t line, const char **start, size_t *length)
{
    const char *at = reader->input, *end = reader->input + reader->length, *newline;
    for (size_t i = 1; i < line && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL; i++)
        at = newline + 1;
    newline = at == end ? NULL : memchr(at, '\n', (size_t)(end - at));
    *start = at;
    *length = (size_t)((newline == NULL ? end : newline) - at);
}

/* What people get wrong most often, where the line shows it; "" otherwise. */
static const char *yaml_guess(const struct yaml_reader *reader, size_t line)
{
    const char *start;
    size_t length, blank = 0;
    if (reader->length == 0)
        return "";
    yaml_line_bytes(reader, line, &start, &length);
    for (size_t i = 0; i + 1 < length; i++)
        if (start[i] == '{' && start[i + 1] == '{')
            return "; is this a template that is not rendered yet? (helm template ...)";
    while (blank < length && start[blank] == ' ')
        blank++;
    return blank < length && start[blank] == '\t' ? "; YAML is indented by spaces, not by tabs" : "";
}

/* The first problem is the one that is told. */
__attribute__((format(printf, 3, 4))) static void yaml_fail(struct yaml_reader *reader, size_t line, const char *format,
                                                            ...)
{
    char sentence[PROBLEM_MAX];
    va_list arguments;
    if (reader->status != STATUS_OK)
        return;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    reader->status = problem_set(reader->problem, STATUS_BAD_INPUT, "%s:%zu: %s%s", reader->name, line, sentence,
                                 yaml_guess(reader, line));
}

/* libyaml says of a file that ends too early that the line behind its last one is wrong. */
static size_t yaml_line_within(const struct yaml_reader *reader, size_t line)
{
    size_t lines = reader->length > 0 && reader->input[reader->length - 1] != '\n';
    for (size_t i = 0; i < reader->length; i++)
        lines += reader->input[i] == '\n';
    return line > lines && lines > 0 ? lines : line;
}

static void yaml_fail_syntax(struct yaml_reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    const char *problem = parser->problem == NULL ? "something else was expected" : parser->problem;
    size_t line = yaml_line_within(reader, parser->problem_mark.line + 1);
    if (parser->error == YAML_MEMORY_ERROR)
        mem_exhausted();
    if (parser->error == YAML_READER_ERROR) {
        line = 1;
        for (size_t i = 0; i < parser->problem_offset && i < reader->length; i++)
            line += reader->input[i] == '\n';
        yaml_fail(reader, line, "no text that YAML allows: %s", problem);
    } else if (parser->context != NULL && parser->context_mark.line + 1 != line)
        yaml_fail(reader, line, "not YAML: %s (%s from line %zu on)", problem, parser->context,
                  parser->context_mark.line + 1);
    else
        yaml_fail(reader, line, "not YAML: %s", problem);
}

/* The next event; false after a problem, and then there is nothing to delete. */
static bool yaml_next(struct yaml_reader *reader, yaml_event_t *event)
{
    if (reader->status != STATUS_OK)
        return false;
    if (yaml_parser_parse(&reader->parser, event))
        return true;
    yaml_fail_syntax(reader);
    return false;
}

static uint32_t yaml_event_line(const yaml_event_t *event)
{
    return event->start_mark.line < UINT32_MAX ? (uint32_t)event->start_mark.line + 1 : UINT32_MAX;
}

/* ---- places and bounds ---- */

static void yaml_place_add(struct yaml_reader *reader, const struct json *value, uint32_t line, uint32_t key_line)
{
    struct yaml_place *place = mem_new(sizeof *place);
    *place = (struct yaml_place){.value = value, .line = line, .key_line = key_line == 0 ? line : key_line};
    HASH_ADD_PTR(reader->yaml->places, value, place);
}

static struct yaml_place *yaml_place_of(const struct yaml_file *yaml, const struct json *value)
{
    struct yaml_place *place = NULL;
    HASH_FIND_PTR(yaml->places, &value, place);
    return place;
}

/* A value that is not wanted after all, with the places of everything in it. */
static void yaml_places_drop(struct yaml_reader *reader, const struct json *value)
{
    struct yaml_place *place = yaml_place_of(reader->yaml, value);
    if (place != NULL) {
        HASH_DEL(reader->yaml->places, place);
        mem_free(place);
    }
    for (const struct json *element = json_first(value); element != NULL; element = json_next(element))
        yaml_places_drop(reader, element);
}

/* A copy's places are the original's, but for the key it stands behind. */
static void yaml_places_copy(struct yaml_reader *reader, const struct json *copy, const struct json *from,
                             uint32_t key_line)
{
    const struct yaml_place *place = yaml_place_of(reader->yaml, from);
    yaml_place_add(reader, copy, place->line, key_line == 0 ? place->key_line : key_line);
    from = json_first(from);
    for (copy = json_first(copy); copy != NULL; copy = json_next(copy), from = json_next(from))
        yaml_places_copy(reader, copy, from, 0);
}

/* Counts what is to be made; false when it is too much. */
static bool yaml_afford(struct yaml_reader *reader, uint32_t line, size_t nodes, size_t bytes)
{
    reader->node_count += nodes;
    reader->byte_count += bytes;
    if (reader->node_count > YAML_NODES_MAX)
        yaml_fail(reader, line, "more than %d values, aliases resolved", YAML_NODES_MAX);
    else if (reader->byte_count > YAML_BYTES_MAX)
        yaml_fail(reader, line, "more than %d bytes of strings, aliases resolved", YAML_BYTES_MAX);
    return reader->status == STATUS_OK;
}

static void yaml_weigh(const struct json *value, size_t *nodes, size_t *bytes)
{
    const char *string = json_string(value), *key = json_key(value);
    (*nodes)++;
    *bytes += (string == NULL ? 0 : strlen(string)) + (key == NULL ? 0 : strlen(key));
    for (const struct json *element = json_first(value); element != NULL; element = json_next(element))
        yaml_weigh(element, nodes, bytes);
}

static bool yaml_afford_copy(struct yaml_reader *reader, uint32_t line, const struct json *value)
{
    size_t nodes = 0, bytes = 0;
    yaml_weigh(value, &nodes, &bytes);
    return yaml_afford(reader, line, nodes, bytes);
}

/* ---- scalars ---- */

static bool yaml_is_one_of(const char *string, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(string, words[i]) == 0)
            return true;
    return false;
}

/* The digits at *at in `base`, taken into *value; how many there were. */
static int yaml_digits(const char **at, int base, double *value)
{
    int count = 0;
    for (;; (*at)++, count++) {
        int digit = **at >= '0' && **at <= '9'   ? **at - '0'
                    : **at >= 'a' && **at <= 'f' ? **at - 'a' + 10
                    : **at >= 'A' && **at <= 'F' ? **at - 'A' + 10
                                                 : 16;
        if (digit >= base)
            return count;
        *value = *value * base + digit;
    }
}

/* By hand, since strtod() reads what the locale says. */
static bool yaml_number(const char *string, double *number)
{
    const char *at = string;
    int sign = 1;
    *number = 0;
    if (string[0] == '0' && (string[1] == 'o' || string[1] == 'x')) {
        at += 2;
        return yaml_digits(&at, string[1] == 'o' ? 8 : 16, number) > 0 && *at == '\0' && isfinite(*number);
    }
    if (*at == '-' || *at == '+')
        sign = *at++ == '-' ? -1 : 1;
    int whole = yaml_digits(&at, 10, number), decimals = 0;
    if (*at == '.') {
        at++;
        decimals = yaml_digits(&at, 10, number);
    }
    if (whole + decimals == 0)
        return false;
    double exponent = 0;
    if (*at == 'e' || *at == 'E') {
        at++;
        int exponent_sign = *at == '-' ? -1 : 1;
        if (*at == '-' || *at == '+')
            at++;
        if (yaml_digits(&at, 10, &exponent) == 0)
            return false;
        exponent *= exponent_sign;
    }
    exponent -= decimals;
    *number = sign * (exponent < 0 ? *number / pow(10, -exponent) : *number * pow(10, exponent));
    return *at == '\0' && isfinite(*number);
}

/* What a plain scalar means in the core schema. */
static struct json *yaml_resolve(const char *string)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"}, *const trues[] = {"true", "True", "TRUE"},
                             *const falses[] = {"false", "False", "FALSE"};
    double number;
    if (yaml_is_one_of(string, nulls, sizeof nulls / sizeof *nulls))
        return json_new_null();
    if (yaml_is_one_of(string, trues, sizeof trues / sizeof *trues))
        return json_new_bool(true);
    if (yaml_is_one_of(string, falses, sizeof falses / sizeof *falses))
        return json_new_bool(false);
    return yaml_number(string, &number) ? json_new_number(number) : json_new_string(string);
}

static struct json *yaml_scalar(struct yaml_reader *reader, const yaml_event_t *event)
{
    static const char *const resolved[] = {YAML_TAG("null"), YAML_TAG("bool"), YAML_TAG("int"), YAML_TAG("float")};
    const char *string = (const char *)event->data.scalar.value, *tag = (const char *)event->data.scalar.tag;
    if (!yaml_afford(reader, yaml_event_line(event), 1, event->data.scalar.length))
        return NULL;
    bool by_tag = tag != NULL && yaml_is_one_of(tag, resolved, sizeof resolved / sizeof *resolved);
    return event->data.scalar.plain_implicit || by_tag ? yaml_resolve(string) : json_new_string(string);
}

/* ---- anchors ---- */

static const char *yaml_event_anchor(const yaml_event_t *event)
{
    const yaml_char_t *anchor = event->type == YAML_SCALAR_EVENT           ? event->data.scalar.anchor
                                : event->type == YAML_MAPPING_START_EVENT  ? event->data.mapping_start.anchor
                                : event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.anchor
                                : event->type == YAML_ALIAS_EVENT          ? event->data.alias.anchor
                                                                           : NULL;
    return (const char *)anchor;
}

/* The newest of that name; anchors may be set again. */
static struct yaml_anchor *yaml_anchor_find(struct yaml_reader *reader, const char *name)
{
    for (size_t i = reader->anchor_count; i > 0; i--)
        if (strcmp(reader->anchors[i - 1].name, name) == 0)
            return &reader->anchors[i - 1];
    return NULL;
}

/* The index of a new anchor. */
static size_t yaml_anchor_add(struct yaml_reader *reader, const char *name, uint32_t line)
{
    if (reader->anchor_count == YAML_ANCHORS_MAX)
        yaml_fail(reader, line, "more than %d anchors", YAML_ANCHORS_MAX);
    else {
        reader->anchors = mem_resize(reader->anchors, reader->anchor_count + 1, sizeof *reader->anchors);
        reader->anchors[reader->anchor_count++] = (struct yaml_anchor){.name = mem_dup(name)};
    }
    return reader->anchor_count - 1;
}

static void yaml_anchors_clear(struct yaml_reader *reader)
{
    for (size_t i = 0; i < reader->anchor_count; i++)
        mem_free(reader->anchors[i].name);
    reader->anchor_count = 0;
}

static struct json *yaml_alias(struct yaml_reader *reader, const yaml_event_t *event, int depth, uint32_t key_line)
{
    const char *name = yaml_event_anchor(event);
    uint32_t line = yaml_event_line(event);
    const struct yaml_anchor *anchor = yaml_anchor_find(reader, name);
    if (anchor == NULL)
        yaml_fail(reader, line, "*%s stands for nothing: there is no &%s before it", name, name);
    else if (anchor->value == NULL)
        yaml_fail(reader, line, "*%s stands for something that it is itself a part of", name);
    else if (depth + json_depth(anchor->value) > YAML_DEPTH_MAX)
        yaml_fail(reader, line, "more than %d levels, aliases resolved", YAML_DEPTH_MAX);
    else if (yaml_afford_copy(reader, line, anchor->value)) {
        struct json *copy = json_copy(anchor->value);
        yaml_places_copy(reader, copy, anchor->value, key_line);
        return copy;
    }
    return NULL;
}

/* ---- mappings and sequences ---- */

static void yaml_entry_add(struct yaml_entries *entries, struct yaml_entry entry)
{
    if (entries->count == entries->capacity) {
        entries->capacity = entries->capacity == 0 ? 8 : 2 * entries->capacity;
        entries->list = mem_resize(entries->list, entries->capacity, sizeof *entries->list);
    }
    entry.order = entries->count;
    entries->list[entries->count++] = entry;
}

/* Copies of the members of what stands behind a merge key. */
static void yaml_merge(struct yaml_reader *reader, struct yaml_entries *entries, const struct json *from, uint32_t line)
{
    bool is_list = json_is_array(from);
    if (!is_list && !json_is_object(from))
        yaml_fail(reader, line, "<< takes a mapping, or a list of mappings");
    for (const struct json *member = json_first(from); member != NULL; member = json_next(member)) {
        if (is_list)
            yaml_merge(reader, entries, member, line);
        else if (yaml_afford_copy(reader, line, member)) {
            struct json *copy = json_copy(member);
            yaml_places_copy(reader, copy, member, 0);
            yaml_entry_add(entries, (struct yaml_entry){.key = mem_dup(json_key(member)),
                                                        .value = copy,
                                                        .line = yaml_place_of(reader->yaml, copy)->key_line,
                                                        .merged = true});
        }
        if (reader->status != STATUS_OK)
            return;
    }
}

static int yaml_entry_compare(const void *left, const void *right)
{
    const struct yaml_entry *a = left, *b = right;
    int order = strcmp(a->key, b->key);
    return order != 0 ? order : a->order < b->order ? -1 : 1;
}

static int yaml_entry_compare_order(const void *left, const void *right)
{
    const struct yaml_entry *a = left, *b = right;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* What is written here goes before what is merged, and of that the first; twice written is a mistake. What is merged stands behind what is written, so by order. */
static void yaml_entries_settle(struct yaml_reader *reader, struct yaml_entries *entries)
{
    if (entries->count < 2)
        return;
    qsort(entries->list, entries->count, sizeof *entries->list, yaml_entry_compare);
    for (size_t i = 1; i < entries->count; i++) {
        const struct yaml_entry *before = &entries->list[i - 1];
        struct yaml_entry *entry = &entries->list[i];
        if (strcmp(before->key, entry->key) != 0)
            continue;
        if (!entry->merged)
            yaml_fail(reader, entry->line, "the key \"%s\" is there already, on line %u", entry->key,
                      (unsigned)before->line);
        entry->dropped = true;
    }
    qsort(entries->list, entries->count, sizeof *entries->list, yaml_entry_compare_order);
}

/* The entries become `object`'s members; after a problem they just end. */
static void yaml_entries_move(struct yaml_reader *reader, struct yaml_entries *entries, struct json *object)
{
    for (size_t i = 0; i < entries->count; i++) {
        struct yaml_entry *entry = &entries->list[i];
        if (!entry->dropped && reader->status == STATUS_OK)
            json_add(object, entry->key, entry->value);
        else {
            yaml_places_drop(reader, entry->value);
            json_free(entry->value);
        }
        mem_free(entry->key);
    }
    mem_free(entries->list);
}

/* The value behind the key that `key` is, into the entries or, where it is a merge key, into the list of what is to be merged. */
static void yaml_member(struct yaml_reader *reader, const yaml_event_t *key, int depth, struct yaml_entries *entries,
                        struct json *merges)
{
    yaml_event_t event;
    uint32_t line = yaml_event_line(key);
    const char *name = (const char *)key->data.scalar.value, *tag = (const char *)key->data.scalar.tag;
    if (key->type != YAML_SCALAR_EVENT) {
        yaml_fail(reader, line, "a key must be a plain word or a string");
        return;
    }
    bool merge = strcmp(name, "<<") == 0 &&
                 (key->data.scalar.plain_implicit || (tag != NULL && strcmp(tag, YAML_TAG("merge")) == 0));
    if (!yaml_afford(reader, line, 0, key->data.scalar.length) || !yaml_next(reader, &event))
        return;
    struct json *value = yaml_value(reader, &event, depth + 1, line);
    yaml_event_delete(&event);
    if (value == NULL)
        return;
    if (merge)
        json_add(merges, NULL, value);
    else
        yaml_entry_add(entries, (struct yaml_entry){.key = mem_dup(name), .value = value, .line = line});
}

static struct json *yaml_mapping(struct yaml_reader *reader, int depth)
{
    struct yaml_entries entries = {0};
    struct json *merges = json_new_array(), *object = json_new_object();
    yaml_event_t event;
    bool more = true;
    while (more && yaml_next(reader, &event)) {
        more = event.type != YAML_MAPPING_END_EVENT;
        if (more)
            yaml_member(reader, &event, depth, &entries, merges);
        yaml_event_delete(&event);
    }
    for (const struct json *merge = json_first(merges); merge != NULL; merge = json_next(merge))
        yaml_merge(reader, &entries, merge, yaml_file_key_line(reader->yaml, merge));
    json_add(reader->spent, NULL, merges);
    yaml_entries_settle(reader, &entries);
    yaml_entries_move(reader, &entries, object);
    return object;
}

static struct json *yaml_sequence(struct yaml_reader *reader, int depth)
{
    struct json *array = json_new_array();
    yaml_event_t event;
    bool more = true;
    while (more && yaml_next(reader, &event)) {
        more = event.type != YAML_SEQUENCE_END_EVENT;
        struct json *element = more ? yaml_value(reader, &event, depth + 1, 0) : NULL;
        if (element != NULL)
            json_add(array, NULL, element);
        yaml_event_delete(&event);
    }
    return array;
}

/* The value that begins with `event`; NULL after a problem. `depth` counts what it is within. */
static struct json *yaml_value(struct yaml_reader *reader, const yaml_event_t *event, int depth, uint32_t key_line)
{
    const char *anchor = yaml_event_anchor(event);
    uint32_t line = yaml_event_line(event);
    size_t index = 0;
    if (event->type == YAML_ALIAS_EVENT)
        return yaml_alias(reader, event, depth, key_line);
    if (anchor != NULL)
        index = yaml_anchor_add(reader, anchor, line);
    bool is_scalar = event->type == YAML_SCALAR_EVENT;
    if (!is_scalar && depth >= YAML_DEPTH_MAX)
        yaml_fail(reader, line, "more than %d levels", YAML_DEPTH_MAX);
    if (reader->status != STATUS_OK || (!is_scalar && !yaml_afford(reader, line, 1, 0)))
        return NULL;
    struct json *value = is_scalar                                  ? yaml_scalar(reader, event)
                         : event->type == YAML_SEQUENCE_START_EVENT ? yaml_sequence(reader, depth)
                                                                    : yaml_mapping(reader, depth);
    if (value != NULL)
        yaml_place_add(reader, value, line, key_line);
    if (value != NULL && anchor != NULL)
        reader->anchors[index].value = value;
    return value;
}

/* ---- files ---- */

static void yaml_document_read(struct yaml_reader *reader, uint32_t line)
{
    struct yaml_file *yaml = reader->yaml;
    yaml_event_t event;
    if (yaml->count == YAML_DOCUMENTS_MAX)
        yaml_fail(reader, line, "more than %d documents", YAML_DOCUMENTS_MAX);
    if (!yaml_next(reader, &event))
        return;
    reader->spent = json_new_array();
    struct json *document = yaml_value(reader, &event, 0, 0);
    yaml_event_delete(&event);
    yaml_anchors_clear(reader);
    yaml_places_drop(reader, reader->spent);
    json_free(reader->spent);
    if (document == NULL)
        return;
    yaml->documents = mem_resize(yaml->documents, yaml->count + 1, sizeof *yaml->documents);
    yaml->documents[yaml->count++] = document;
}

enum status yaml_file_parse(const char *name, const char *bytes, size_t length, size_t max_length,
                            struct yaml_file **out, struct problem *problem)
{
    struct yaml_reader reader = {.name = name, .input = bytes, .length = length, .problem = problem};
    yaml_event_t event;
    bool more = true;
    *out = NULL;
    if (length > max_length)
        return problem_set(problem, STATUS_BAD_INPUT, "%s: %zu bytes; expected at most %zu", name, length, max_length);
    if (!yaml_parser_initialize(&reader.parser))
        mem_exhausted();
    reader.yaml = mem_new(sizeof *reader.yaml);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)(length == 0 ? "" : bytes), length);
    while (more && yaml_next(&reader, &event)) {
        more = event.type != YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT)
            yaml_document_read(&reader, yaml_event_line(&event));
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&reader.parser);
    yaml_anchors_clear(&reader);
    mem_free(reader.anchors);
    if (reader.status == STATUS_OK)
        *out = reader.yaml;
    else
        yaml_file_free(reader.yaml);
    return reader.status;
}

void yaml_file_free(struct yaml_file *yaml)
{
    struct yaml_place *place, *next;
    if (yaml == NULL)
        return;
    for (size_t i = 0; i < yaml->count; i++)
        json_free(yaml->documents[i]);
    HASH_ITER(hh, yaml->places, place, next)
    {
        HASH_DEL(yaml->places, place);
        mem_free(place);
    }
    mem_free(yaml->documents);
    mem_free(yaml);
}

size_t yaml_file_count(const struct yaml_file *yaml)
{
    return yaml->count;
}

const struct json *yaml_file_document(const struct yaml_file *yaml, size_t index)
{
    return index < yaml->count ? yaml->documents[index] : NULL;
}

uint32_t yaml_file_line(const struct yaml_file *yaml, const struct json *value)
{
    const struct yaml_place *place = yaml_place_of(yaml, value);
    return place == NULL ? 0 : place->line;
}

uint32_t yaml_file_key_line(const struct yaml_file *yaml, const struct json *value)
{
    const struct yaml_place *place = yaml_place_of(yaml, value);
    return place == NULL ? 0 : place->key_line;
}
