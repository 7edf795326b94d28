#include "kube/table.h"

#include <ctype.h>
#include <string.h>

/* ---- words ---- */

/* What a unit is in seconds; 0: it is none. */
static int64_t unit_seconds(char unit)
{
    enum { MINUTE = 60, HOUR = 3600, DAY = 86400, YEAR = 365 * DAY };
    return unit == 's' ? 1 : unit == 'm' ? MINUTE : unit == 'h' ? HOUR : unit == 'd' ? DAY : unit == 'y' ? YEAR : 0;
}

bool kubectl_age(struct slice slice, int64_t *us)
{
    enum { SECOND = 1000000, DIGITS_MAX = 6 };
    int64_t seconds = 0;
    if (slice.length == 0)
        return false;
    for (size_t at = 0; at < slice.length;) {
        size_t digits = 0;
        int64_t number;
        while (at + digits < slice.length && isdigit((unsigned char)slice.bytes[at + digits]))
            digits++;
        int64_t unit = at + digits < slice.length ? unit_seconds(slice.bytes[at + digits]) : 0;
        if (digits > DIGITS_MAX || unit == 0 || !slice_number(slice_before(slice_from(slice, at), digits), &number))
            return false;
        seconds += number * unit;
        at += digits + 1;
    }
    *us = seconds * SECOND;
    return true;
}

/* An age, or that there is none. */
static bool age_take(struct slice word, int64_t *age)
{
    *age = -1;
    return kubectl_age(word, age) || slice_is(word, "<unknown>") || slice_is(word, "<invalid>") ||
           slice_is(word, "<none>");
}

/* Takes "(x3 over 27m)" from the front of what is left. */
static void repeats_take(struct slice *left, struct told_event *out)
{
    struct slice rest = *left, count = slice_word(&rest);
    int64_t times, age;
    if (!slice_starts(count, "(x") || !slice_number(slice_from(count, 2), &times))
        return;
    struct slice over = slice_word(&rest), since = slice_word(&rest);
    if (!slice_is(over, "over") || since.length == 0 || since.bytes[since.length - 1] != ')')
        return;
    out->count = times < 1 ? 1 : times > INT32_MAX ? INT32_MAX : (int32_t)times;
    out->first_age = kubectl_age(slice_before(since, since.length - 1), &age) ? age : -1;
    *left = rest;
}

static bool type_take(struct slice word, bool *warning)
{
    *warning = slice_is(word, "Warning");
    return *warning || slice_is(word, "Normal");
}

/* "FailedScheduling": one word of letters, the first a capital. */
static bool is_reason(struct slice word)
{
    enum { LONGEST = 64 };
    if (word.length < 2 || word.length > LONGEST || !isupper((unsigned char)word.bytes[0]))
        return false;
    for (size_t i = 0; i < word.length; i++)
        if (!isalnum((unsigned char)word.bytes[i]))
            return false;
    return true;
}

/* ---- headers ---- */

static void column_add(struct table_columns *columns, struct slice title, size_t at)
{
    char *to = columns->column[columns->count].title;
    size_t length = 0;
    for (size_t i = 0; i < title.length && length + 1 < sizeof columns->column[0].title; i++)
        if (title.bytes[i] != ' ' && title.bytes[i] != '-')
            to[length++] = (char)tolower((unsigned char)title.bytes[i]);
    to[length] = '\0';
    columns->column[columns->count++].at = at;
}

static int column_find(const struct table_columns *columns, const char *title)
{
    for (int i = 0; i < columns->count; i++)
        if (strcmp(columns->column[i].title, title) == 0)
            return i;
    return -1;
}

/* The length of a title: up to two blanks in a row, for "LAST SEEN" is one. */
static size_t title_length(struct slice slice)
{
    size_t length = 0;
    while (length < slice.length && slice.bytes[length] != '\t' &&
           !(slice.bytes[length] == ' ' && (length + 1 == slice.length || slice.bytes[length + 1] == ' ')))
        length++;
    return length;
}

bool table_header(struct table_columns *columns, struct slice line)
{
    struct table_columns found = {0};
    for (size_t at = slice_indent(line); at < line.length && found.count < TABLE_COLUMNS_MAX;) {
        struct slice rest = slice_from(line, at);
        size_t length = title_length(rest);
        column_add(&found, slice_before(rest, length), at);
        at += length + slice_indent(slice_from(rest, length));
    }
    bool of_events = column_find(&found, "reason") >= 0 && column_find(&found, "type") >= 0;
    bool of_pods = column_find(&found, "name") >= 0 && column_find(&found, "ready") >= 0;
    /* Where the blanks were lost, the titles are words like others. */
    struct slice words = line, first = slice_word(&words), second = slice_word(&words), third = slice_word(&words);
    bool squeezed = slice_is(first, "NAME") && slice_is(second, "READY") && slice_is(third, "STATUS");
    if (!of_events && !of_pods && !squeezed)
        return false;
    *columns = of_events || of_pods ? found : (struct table_columns){0};
    return true;
}

/* The cell below that title; false: there is none, or the row does not keep to its columns. */
static bool cell_take(const struct table_columns *columns, struct slice line, const char *title, struct slice *cell)
{
    int index = column_find(columns, title);
    *cell = (struct slice){"", 0};
    if (index < 0)
        return false;
    size_t at = columns->column[index].at;
    size_t end = index + 1 < columns->count ? columns->column[index + 1].at : line.length;
    if (at > line.length || (at > 0 && at < line.length && line.bytes[at - 1] != ' ' && line.bytes[at - 1] != '\t'))
        return false;
    *cell = slice_trim(slice_before(slice_from(line, at), end > at ? end - at : 0));
    return true;
}

/* ---- events ---- */

static void event_words(struct told_event *out, struct slice reason, struct slice object, struct slice message)
{
    text_set(&out->reason, reason.bytes, reason.length, TEXT_NAME);
    text_set(&out->object, object.bytes, object.length, TEXT_NAME);
    message = slice_trim(message);
    text_set(&out->message, message.bytes, message.length, TEXT_LINE);
}

/* "spec.containers{vllm}" */
static void event_container(struct told_event *out, struct slice path)
{
    const char *open = slice_find(path, "{"), *close = slice_find(path, "}");
    if (open && close && close > open)
        text_set(&out->container, open + 1, (size_t)(close - open - 1), TEXT_NAME);
}

/* By the header's columns. */
static bool event_by_columns(const struct table_columns *columns, struct slice line, struct told_event *out)
{
    struct slice type, reason, age = {"", 0}, object, message, path, first;
    int64_t count;
    if (!cell_take(columns, line, "type", &type) || !type_take(type, &out->warning) ||
        !cell_take(columns, line, "reason", &reason) || !is_reason(reason) ||
        !cell_take(columns, line, "message", &message))
        return false;
    if (!cell_take(columns, line, "age", &age))
        cell_take(columns, line, "lastseen", &age);
    struct slice word = slice_word(&age);
    if (word.length > 0 && !age_take(word, &out->age))
        return false;
    out->first_age = out->age;
    repeats_take(&age, out);
    if (cell_take(columns, line, "firstseen", &first))
        age_take(first, &out->first_age);
    if (cell_take(columns, line, "count", &first) && slice_number(first, &count) && count > 0)
        out->count = count > INT32_MAX ? INT32_MAX : (int32_t)count;
    if (!cell_take(columns, line, "subobject", &path))
        cell_take(columns, line, "subobjectpath", &path);
    cell_take(columns, line, "object", &object);
    event_words(out, reason, object, message);
    event_container(out, path);
    return true;
}

/* Takes who told the event, where that is how the rest begins: "kubelet", "kubelet, node-1", "default-scheduler". */
static void teller_take(struct slice *left)
{
    struct slice rest = *left, word = slice_word(&rest);
    if (word.length == 0 || !islower((unsigned char)word.bytes[0]))
        return;
    if (word.bytes[word.length - 1] == ',')
        slice_word(&rest);
    *left = rest;
}

/* By what the words look like: "Warning Failed 6s (x2 over 1m) kubelet words" or "6s Warning Failed pod/x words", the namespace before it or not. */
static bool event_by_words(struct slice line, struct told_event *out)
{
    struct slice left = line, word = slice_word(&left), object = {"", 0}, before = left;
    bool type_first = type_take(word, &out->warning);
    if (!type_first && !age_take(word, &out->age) && !age_take(slice_word(&left), &out->age))
        return false;
    if (!type_first) {
        repeats_take(&left, out);
        if (!type_take(slice_word(&left), &out->warning))
            return false;
    } else {
        left = before;
    }
    struct slice reason = slice_word(&left);
    if (!is_reason(reason))
        return false;
    before = left;
    if (!type_first)
        object = slice_word(&left);
    else if (!age_take(slice_word(&left), &out->age))
        left = before;
    if (out->first_age < 0)
        out->first_age = out->age;
    if (type_first) {
        repeats_take(&left, out);
        teller_take(&left);
    }
    event_words(out, reason, object, left);
    return true;
}

/* The kubelet's own sentence without anything around it. */
static bool event_alone(struct slice line, struct told_event *out)
{
    static const char *const PROBES[] = {"Startup probe ", "Liveness probe ", "Readiness probe "};
    struct slice words = slice_trim(line);
    for (size_t i = 0; i < sizeof PROBES / sizeof PROBES[0]; i++) {
        struct slice rest = slice_from(words, strlen(PROBES[i]));
        if (slice_starts(words, PROBES[i]) && (slice_starts(rest, "failed") || slice_starts(rest, "errored"))) {
            out->warning = true;
            event_words(out, slice_of("Unhealthy"), slice_of(""), words);
            return true;
        }
    }
    return false;
}

static void event_clear(struct told_event *event)
{
    *event = (struct told_event){.count = 1, .age = -1, .first_age = -1};
}

bool table_event(const struct table_columns *columns, struct slice line, struct told_event *out)
{
    event_clear(out);
    if (event_by_columns(columns, line, out))
        return true;
    event_clear(out);
    if (event_by_words(line, out))
        return true;
    event_clear(out);
    return event_alone(line, out);
}

void told_event_add(struct told_event *event, struct slice line)
{
    struct text more = {0};
    line = slice_trim(line);
    text_set(&more, line.bytes, line.length, TEXT_LINE);
    text_printf(&event->message, TEXT_LINE, "%s %s", text_str(&event->message), text_str(&more));
    text_free(&more);
}

void told_event_free(struct told_event *event)
{
    text_free(&event->reason);
    text_free(&event->message);
    text_free(&event->object);
    text_free(&event->container);
}

/* ---- pods ---- */

/* "1/2" */
static bool ready_take(struct slice word, struct told_pod *out)
{
    const char *slash = slice_find(word, "/");
    size_t before = slash ? (size_t)(slash - word.bytes) : 0;
    return slash && slice_number(slice_before(word, before), &out->ready) &&
           slice_number(slice_from(word, before + 1), &out->containers);
}

/* What stands below STATUS; more words do, but where no header says what a row is, these make it a pod's. */
static bool status_is_known(struct slice status)
{
    static const char *const WORDS[] = {"Running",     "Pending",      "CrashLoopBackOff", "Error",
                                        "Completed",   "OOMKilled",    "Evicted",          "Unknown",
                                        "Terminating", "ErrImagePull", "ImagePullBackOff", "ContainerCreating",
                                        "NotReady"};
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
        if (slice_is(status, WORDS[i]))
            return true;
    return slice_starts(status, "Init:");
}

bool table_pod(const struct table_columns *columns, struct slice line, struct told_pod *out)
{
    enum { CONTAINERS_MAX = 64 };
    struct slice left = line, first = slice_word(&left), second = slice_word(&left);
    *out = (struct told_pod){.restarts = -1, .name = first, .ns = {"", 0}};
    if (!ready_take(second, out)) {
        out->ns = first;
        out->name = second;
        if (!ready_take(slice_word(&left), out))
            return false;
    }
    if (slice_starts(out->name, "pod/"))
        out->name = slice_from(out->name, strlen("pod/"));
    out->status = slice_word(&left);
    if (!slice_number(slice_word(&left), &out->restarts))
        out->restarts = -1;
    bool below = column_find(columns, "ready") >= 0 || status_is_known(out->status);
    return out->name.length > 0 && out->containers <= CONTAINERS_MAX && out->ready <= out->containers &&
           out->status.length > 0 && isalpha((unsigned char)out->status.bytes[0]) && below;
}
