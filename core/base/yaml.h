/* YAML in; yaml.c is the only user of libyaml, which has taken the shorter names.
 *
 * What is read becomes the trees that json.h reads, with YAML's core schema: a quoted "8000" is a string, a plain 8000 a number (decimal, 0o17, 0xff), true, false,
 * null, ~ and nothing are what they say; everything else is a string, .inf and .nan too, which JSON has no numbers for. Tags other than the core schema's are
 * passed over. Anchors, aliases and merge keys (<<) are resolved; keys are taken as they are written. A key that is there twice, or that is no
 * scalar, is refused. Everything is bounded: what aliases stand for counts as often as it is used. */
#ifndef PROBETOP_YAML_H
#define PROBETOP_YAML_H

#include "base/json.h"

enum {
    YAML_DOCUMENTS_MAX = 1024,
    YAML_DEPTH_MAX = 64,           /* as JSON */
    YAML_NODES_MAX = 256 * 1024,   /* of all documents, aliases resolved */
    YAML_BYTES_MAX = 64 * 1048576, /* of all strings and keys, aliases resolved */
    YAML_ANCHORS_MAX = 1024,       /* of a document */
};

struct yaml_file; /* a file's documents */

/* `name` is the file's, for messages: every problem is "name:line: what was expected". On success free *out with yaml_file_free(); otherwise it is NULL.
 * No document at all is no error. */
enum status yaml_file_parse(const char *name, const char *bytes, size_t length, size_t max_length,
                            struct yaml_file **out, struct problem *problem);
void yaml_file_free(struct yaml_file *yaml);

size_t yaml_file_count(const struct yaml_file *yaml);
/* NULL beyond. A document without anything in it is null. */
const struct json *yaml_file_document(const struct yaml_file *yaml, size_t index);
/* The line a value begins on, from 1; of what an alias stands for, where that is written. 0 for what is not of this file. */
uint32_t yaml_file_line(const struct yaml_file *yaml, const struct json *value);
/* The line of the key that an object's member stands behind (for what came by a merge key: where it is written); the value's own where there is no key. */
uint32_t yaml_file_key_line(const struct yaml_file *yaml, const struct json *value);

#endif
