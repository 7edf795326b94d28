#include "base/json.h"

#include "base/mem.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { JSON_DEPTH_MAX = 64, JSON_WRITE_DEPTH_MAX = 32 };

/* ---- reading: what cJSON lets pass and we do not ---- */

struct json_check {
    const unsigned char *input;
    size_t length, at;
    const char *expected; /* what should have stood at `at` */
};

/* The bytes of the UTF-8 sequence at `at`, which is not ASCII; 0 when it is not valid (RFC 3629: no overlong forms, no surrogates). */
static size_t json_utf8_length(const struct json_check *check)
{
    const unsigned char *byte = check->input + check->at;
    size_t left = check->length - check->at;
    size_t length = byte[0] >= 0xf0 ? 4 : byte[0] >= 0xe0 ? 3 : 2;
    if (byte[0] < 0xc2 || byte[0] > 0xf4 || left < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (byte[0] == 0xe0 && byte[1] < 0xa0) || (byte[0] == 0xf0 && byte[1] < 0x90);
    bool beyond = (byte[0] == 0xed && byte[1] > 0x9f) || (byte[0] == 0xf4 && byte[1] > 0x8f);
    return overlong || beyond ? 0 : length;
}

/* From the opening quote to behind the closing one. */
static bool json_check_string(struct json_check *check)
{
    check->at++;
    while (check->at < check->length) {
        unsigned char byte = check->input[check->at];
        if (byte == '"') {
            check->at++;
            return true;
        }
        if (byte < 0x20) {
            check->expected = "a string without raw control bytes";
            return false;
        }
        size_t step = byte == '\\' ? 2 : byte < 0x80 ? 1 : json_utf8_length(check);
        if (step == 0) {
            check->expected = "valid UTF-8";
            return false;
        }
        check->at += step;
    }
    check->at = check->length;
    check->expected = "the end of a string";
    return false;
}

/* Looks at strings, depth and stray bytes only; the grammar is cJSON's matter. Its recursion is bounded by this depth. */
static bool json_check_bytes(struct json_check *check)
{
    int depth = 0;
    while (check->at < check->length) {
        unsigned char byte = check->input[check->at];
        if (byte == '"') {
            if (!json_check_string(check))
                return false;
            continue;
        }
        bool blank = byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
        if (!blank && (byte < 0x20 || byte >= 0x7f)) {
            check->expected = "JSON";
            return false;
        }
        if (byte == '{' || byte == '[')
            depth++;
        else if (byte == '}' || byte == ']')
            depth--;
        if (depth > JSON_DEPTH_MAX) {
            check->expected = "at most 64 levels";
            return false;
        }
        check->at++;
    }
    return true;
}

static size_t json_skip_blank(const char *bytes, size_t length, size_t at)
{
    while (at < length && strchr(" \t\r\n", bytes[at]) != NULL && bytes[at] != '\0')
        at++;
    return at;
}

static void *json_allocate(size_t size)
{
    return mem_resize(NULL, size, 1);
}

/* Memory that is not to be had must not pass for bad JSON: that would be the sender's fault. cJSON keeps this for the whole process. */
static void json_set_up(void)
{
    cJSON_Hooks hooks = {.malloc_fn = json_allocate, .free_fn = mem_free};
    cJSON_InitHooks(&hooks);
}

enum status json_parse(const char *bytes, size_t length, size_t max_length, struct json **out, struct problem *problem)
{
    *out = NULL;
    if (length > max_length)
        return problem_set(problem, STATUS_BAD_INPUT, "%zu bytes of JSON; expected at most %zu", length, max_length);
    struct json_check check = {.input = (const unsigned char *)bytes, .length = length};
    if (!json_check_bytes(&check))
        return problem_set(problem, STATUS_BAD_INPUT, "byte %zu: expected %s", check.at + 1, check.expected);
    json_set_up();
    /* cJSON would skip a byte order mark and all bytes up to 0x20; the check above has refused both. */
    const char *end = bytes;
    cJSON *document = length == 0 ? NULL : cJSON_ParseWithLengthOpts(bytes, length, &end, 0);
    size_t at = (size_t)(end - bytes);
    if (document == NULL) {
        return problem_set(problem, STATUS_BAD_INPUT, "byte %zu: expected %s", at + 1,
                           at < length ? "JSON" : "more JSON");
    }
    at = json_skip_blank(bytes, length, at);
    if (at < length) {
        cJSON_Delete(document);
        return problem_set(problem, STATUS_BAD_INPUT, "byte %zu: expected nothing after the value", at + 1);
    }
    *out = (struct json *)document;
    return STATUS_OK;
}

/* ---- reading: accessors. A struct json is a cJSON under another name, so that nobody else needs its header. ---- */

static const cJSON *json_item(const struct json *value)
{
    return (const cJSON *)value;
}

static bool json_is_container(const struct json *value)
{
    return value != NULL && (json_item(value)->type & (cJSON_Array | cJSON_Object)) != 0;
}

void json_free(struct json *document)
{
    cJSON_Delete((cJSON *)document);
}

const struct json *json_get(const struct json *object, const char *key)
{
    const struct json *member = json_is_object(object) ? json_first(object) : NULL;
    while (member != NULL && strcmp(json_item(member)->string, key) != 0)
        member = json_next(member);
    return member;
}

size_t json_count(const struct json *array_or_object)
{
    size_t count = 0;
    for (const struct json *element = json_first(array_or_object); element != NULL; element = json_next(element))
        count++;
    return count;
}

const struct json *json_first(const struct json *array_or_object)
{
    return json_is_container(array_or_object) ? (const struct json *)json_item(array_or_object)->child : NULL;
}

const struct json *json_next(const struct json *element)
{
    return element == NULL ? NULL : (const struct json *)json_item(element)->next;
}

const char *json_key(const struct json *member)
{
    return member == NULL ? NULL : json_item(member)->string;
}

const char *json_string(const struct json *value)
{
    return cJSON_IsString(json_item(value)) ? json_item(value)->valuestring : NULL;
}

bool json_string_is(const struct json *value, const char *wanted)
{
    const char *string = json_string(value);
    return string && strcmp(string, wanted) == 0;
}

bool json_is_null(const struct json *value)
{
    return value == NULL || cJSON_IsNull(json_item(value));
}

bool json_is_object(const struct json *value)
{
    return cJSON_IsObject(json_item(value));
}

bool json_is_array(const struct json *value)
{
    return cJSON_IsArray(json_item(value));
}

bool json_is_number(const struct json *value)
{
    return cJSON_IsNumber(json_item(value));
}

int64_t json_int(const struct json *value, int64_t fallback)
{
    if (!json_is_number(value))
        return fallback;
    double number = json_item(value)->valuedouble;
    /* 2^63 itself is the first double beyond an int64_t. */
    bool fits = number >= -0x1p63 && number < 0x1p63 && number == trunc(number);
    return fits ? (int64_t)number : fallback;
}

double json_real(const struct json *value, double fallback)
{
    return json_is_number(value) && isfinite(json_item(value)->valuedouble) ? json_item(value)->valuedouble : fallback;
}

bool json_bool(const struct json *value, bool fallback)
{
    return cJSON_IsBool(json_item(value)) ? cJSON_IsTrue(json_item(value)) != 0 : fallback;
}

void json_text(const struct json *value, struct text *out, size_t max_cells)
{
    text_set_str(out, json_string(value), max_cells);
}

/* ---- building ---- */

/* cJSON gives NULL only where there is no memory, and that ends the process (json_set_up). */
struct json *json_new_object(void)
{
    json_set_up();
    return (struct json *)cJSON_CreateObject();
}

struct json *json_new_array(void)
{
    json_set_up();
    return (struct json *)cJSON_CreateArray();
}

struct json *json_new_null(void)
{
    json_set_up();
    return (struct json *)cJSON_CreateNull();
}

struct json *json_new_bool(bool value)
{
    json_set_up();
    return (struct json *)cJSON_CreateBool(value);
}

struct json *json_new_number(double value)
{
    json_set_up();
    return (struct json *)cJSON_CreateNumber(value);
}

struct json *json_new_string(const char *string)
{
    json_set_up();
    return (struct json *)cJSON_CreateString(string);
}

void json_add(struct json *container, const char *key, struct json *value)
{
    if (key == NULL)
        cJSON_AddItemToArray((cJSON *)container, (cJSON *)value);
    else
        cJSON_AddItemToObject((cJSON *)container, key, (cJSON *)value);
}

struct json *json_copy(const struct json *value)
{
    json_set_up();
    cJSON *copy = cJSON_Duplicate(json_item(value), 1);
    mem_free(copy->string);
    copy->string = NULL;
    return (struct json *)copy;
}

int json_depth(const struct json *value)
{
    int deepest = 0;
    for (const struct json *element = json_first(value); element != NULL; element = json_next(element)) {
        int depth = json_depth(element);
        deepest = depth > deepest ? depth : deepest;
    }
    return json_is_container(value) ? deepest + 1 : 0;
}

/* ---- writing ---- */

void json_writer_init(struct json_writer *writer, struct buf *out)
{
    *writer = (struct json_writer){.out = out};
}

/* The bytes that may stand in a string as they are. */
static size_t json_plain_run(const char *bytes, size_t length)
{
    size_t run = 0;
    while (run < length && bytes[run] >= 0x20 && bytes[run] <= 0x7e && bytes[run] != '"' && bytes[run] != '\\')
        run++;
    return run;
}

/* One character of UTF-8 as \uXXXX, a surrogate pair where needed; a byte that is none as U+FFFD. Returns the bytes taken. */
static size_t json_write_codepoint(struct buf *out, const char *bytes, size_t length)
{
    const unsigned char *byte = (const unsigned char *)bytes;
    struct json_check check = {.input = byte, .length = length};
    size_t taken = byte[0] < 0x80 ? 1 : json_utf8_length(&check);
    uint32_t codepoint = 0xfffd;
    if (taken == 1) {
        codepoint = byte[0];
    } else if (taken > 1) {
        codepoint = byte[0] & (0x7fu >> taken);
        for (size_t i = 1; i < taken; i++)
            codepoint = codepoint << 6 | (byte[i] & 0x3fu);
    }
    if (codepoint >= 0x10000) {
        buf_printf(out, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (codepoint >> 10)),
                   (unsigned)(0xdc00 | (codepoint & 0x3ff)));
    } else {
        buf_printf(out, "\\u%04x", (unsigned)codepoint);
    }
    return taken > 0 ? taken : 1;
}

static void json_write_string(struct buf *out, const char *bytes, size_t length)
{
    buf_putc(out, '"');
    for (size_t at = 0; at < length;) {
        size_t run = json_plain_run(bytes + at, length - at);
        if (run > 0) {
            buf_append(out, bytes + at, run);
            at += run;
        } else if (bytes[at] == '"' || bytes[at] == '\\') {
            buf_putc(out, '\\');
            buf_putc(out, bytes[at++]);
        } else if (bytes[at] == '\n') { /* of texts with several lines, which people read too */
            buf_puts(out, "\\n");
            at++;
        } else {
            at += json_write_codepoint(out, bytes + at, length - at);
        }
    }
    buf_putc(out, '"');
}

/* The comma and the key that stand before every value. */
static void json_begin_value(struct json_writer *writer, const char *key)
{
    uint32_t level = UINT32_C(1) << (writer->depth < JSON_WRITE_DEPTH_MAX ? writer->depth : JSON_WRITE_DEPTH_MAX - 1);
    if (writer->depth > 0 && (writer->has_member & level) != 0)
        buf_putc(writer->out, ',');
    writer->has_member |= level;
    if (key != NULL) {
        json_write_string(writer->out, key, strlen(key));
        buf_putc(writer->out, ':');
    }
}

static void json_open(struct json_writer *writer, const char *key, char bracket)
{
    json_begin_value(writer, key);
    buf_putc(writer->out, bracket);
    writer->depth++;
    if (writer->depth < JSON_WRITE_DEPTH_MAX)
        writer->has_member &= ~(UINT32_C(1) << writer->depth);
}

static void json_close(struct json_writer *writer, char bracket)
{
    writer->depth--;
    buf_putc(writer->out, bracket);
}

void json_open_object(struct json_writer *writer, const char *key)
{
    json_open(writer, key, '{');
}

void json_open_array(struct json_writer *writer, const char *key)
{
    json_open(writer, key, '[');
}

void json_close_object(struct json_writer *writer)
{
    json_close(writer, '}');
}

void json_close_array(struct json_writer *writer)
{
    json_close(writer, ']');
}

void json_put_bytes(struct json_writer *writer, const char *key, const char *bytes, size_t length)
{
    json_begin_value(writer, key);
    json_write_string(writer->out, bytes, length);
}

void json_put_string(struct json_writer *writer, const char *key, const char *string)
{
    if (string != NULL) {
        json_put_bytes(writer, key, string, strlen(string));
        return;
    }
    json_begin_value(writer, key);
    buf_puts(writer->out, "null");
}

void json_put_text(struct json_writer *writer, const char *key, const struct text *text)
{
    json_put_bytes(writer, key, text_str(text), text->len);
}

void json_put_int(struct json_writer *writer, const char *key, int64_t value)
{
    /* By hand, since this is most of what a journal's line is made of. */
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        digits[--at] = '-';
    json_begin_value(writer, key);
    buf_append(writer->out, digits + at, sizeof digits - at);
}

void json_put_real(struct json_writer *writer, const char *key, double value)
{
    double thousandths = round(value * 1000);
    if (!isfinite(value)) {
        json_put_string(writer, key, NULL);
        return;
    }
    if (fabs(thousandths) >= 0x1p63) {
        /* Beyond what integers hold there are no decimals left; %.0f has no decimal point to depend on the locale. */
        json_begin_value(writer, key);
        buf_printf(writer->out, "%.0f", value);
        return;
    }
    uint64_t magnitude = (uint64_t)fabs(thousandths);
    json_begin_value(writer, key);
    buf_printf(writer->out, "%s%" PRIu64, thousandths < 0 ? "-" : "", magnitude / 1000);
    unsigned decimals = (unsigned)(magnitude % 1000);
    if (decimals > 0) {
        char digits[8];
        int length = snprintf(digits, sizeof digits, ".%03u", decimals);
        while (digits[length - 1] == '0')
            length--;
        buf_append(writer->out, digits, (size_t)length);
    }
}

void json_put_bool(struct json_writer *writer, const char *key, bool value)
{
    json_begin_value(writer, key);
    buf_puts(writer->out, value ? "true" : "false");
}
