/* JSON in and out; json.c is the only user of cJSON.
 *
 * Reading is stricter than cJSON: invalid UTF-8, raw control bytes in strings, anything after the value, nesting beyond 64 and input beyond the
 * given size are refused. Duplicate keys: the first wins. Keys are compared exactly. All accessors take NULL and wrong types and then give the fallback, so
 * that json_string(json_get(json_get(pod, "status"), "phase")) needs no checks between. A string with a NUL (\u0000) in it ends there (cJSON). */
#ifndef PROBETOP_JSON_H
#define PROBETOP_JSON_H

#include "base/buf.h"
#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json; /* a value inside a parsed document */

/* Parses one value. On success *out is the document (free it with json_free); otherwise it is NULL and `problem` (may be NULL) says what
 * was wrong at which byte. */
enum status json_parse(const char *bytes, size_t length, size_t max_length, struct json **out, struct problem *problem);
void json_free(struct json *document);

const struct json *json_get(const struct json *object, const char *key);
size_t json_count(const struct json *array_or_object);
const struct json *json_first(const struct json *array_or_object); /* NULL when empty */
const struct json *json_next(const struct json *element);
const char *json_key(const struct json *member); /* of an object's member; NULL in an array */
/* NULL unless a string; owned by the document; hostile until cleaned. */
const char *json_string(const struct json *value);
bool json_string_is(const struct json *value, const char *wanted);
bool json_is_null(const struct json *value); /* absent or null */
bool json_is_object(const struct json *value);
bool json_is_array(const struct json *value);
bool json_is_number(const struct json *value);
int64_t json_int(const struct json *value, int64_t fallback);
double json_real(const struct json *value, double fallback);
bool json_bool(const struct json *value, bool fallback);
void json_text(const struct json *value, struct text *out, size_t max_cells); /* a string, cleaned; else empty */

/* Building, for readers of other notations. What is added belongs to its container, which was built so too. */
struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *json_new_null(void);
struct json *json_new_bool(bool value);
struct json *json_new_number(double value);
struct json *json_new_string(const char *string);
void json_add(struct json *container, const char *key, struct json *value); /* `key` is NULL in an array */
struct json *json_copy(const struct json *value);                           /* the same without its key */
int json_depth(const struct json *value); /* levels of arrays and objects, 0 for a scalar */

/* Writing: appends to a buf, ASCII only (everything else as \uXXXX), commas put in by itself. `key` is NULL inside arrays and at the top. Numbers
 * are written in the C locale whatever LC_NUMERIC says. Nesting up to 32. */
struct json_writer {
    struct buf *out;
    uint32_t has_member; /* one bit a level */
    int depth;
};
void json_writer_init(struct json_writer *writer, struct buf *out);
void json_open_object(struct json_writer *writer, const char *key);
void json_open_array(struct json_writer *writer, const char *key);
void json_close_object(struct json_writer *writer);
void json_close_array(struct json_writer *writer);
void json_put_string(struct json_writer *writer, const char *key, const char *string); /* NULL gives null */
void json_put_bytes(struct json_writer *writer, const char *key, const char *bytes, size_t length);
void json_put_text(struct json_writer *writer, const char *key, const struct text *text);
void json_put_int(struct json_writer *writer, const char *key, int64_t value);
void json_put_real(struct json_writer *writer, const char *key, double value); /* at most 3 decimals */
void json_put_bool(struct json_writer *writer, const char *key, bool value);

#endif
