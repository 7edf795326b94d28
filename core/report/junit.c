#include "report/junit.h"

#include "base/clock.h"
#include "base/text.h"

#include <string.h>

enum { ISO_SIZE = 32 };

/* Characters that XML 1.0 has no way to write, escaped or not. */
static bool character_is_writable(uint32_t character)
{
    if (character < 0x20)
        return character == '\t' || character == '\n';
    return (character < 0xD800 || character > 0xDFFF) && character != 0xFFFE && character != 0xFFFF;
}

/* Text for an attribute or between tags. What cannot be written, and bytes that are no UTF-8, become '?'. */
static void put_escaped(struct buf *out, const char *words)
{
    struct glyph glyph;
    size_t length = words ? strlen(words) : 0, taken;
    for (size_t at = 0; at < length; at += taken) {
        taken = text_glyph(words + at, length - at, &glyph);
        if (taken == 0)
            return;
        bool writable = true;
        for (int i = 0; i < 3; i++)
            writable = writable && (glyph.codepoint[i] == 0 || character_is_writable(glyph.codepoint[i]));
        const char *name = words[at] == '&'    ? "&amp;"
                           : words[at] == '<'  ? "&lt;"
                           : words[at] == '>'  ? "&gt;"
                           : words[at] == '"'  ? "&quot;"
                           : words[at] == '\'' ? "&apos;"
                                               : NULL;
        if (name)
            buf_puts(out, name);
        else if (!writable || (glyph.codepoint[0] == '?' && words[at] != '?'))
            buf_putc(out, '?');
        else
            buf_append(out, words + at, taken);
    }
}

static void put_attribute(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, " %s=\"", name);
    put_escaped(out, value);
    buf_putc(out, '"');
}

static void put_seconds(struct buf *out, int64_t us)
{
    int64_t ms = us > 0 ? us / MILLISECOND_US : 0;
    buf_printf(out, " time=\"%lld.%03lld\"", (long long)(ms / 1000), (long long)(ms % 1000));
}

static void put_block(struct buf *out, const char *element, const char *words)
{
    if (!words || !words[0])
        return;
    buf_printf(out, "      <%s>", element);
    put_escaped(out, words);
    buf_printf(out, "</%s>\n", element);
}

static void put_outcome(struct buf *out, const struct junit_case *one)
{
    const char *element = one->outcome == JUNIT_FAILED ? "failure" : one->outcome == JUNIT_ERROR ? "error" : "skipped";
    if (one->outcome == JUNIT_PASSED)
        return;
    buf_printf(out, "      <%s", element);
    put_attribute(out, "message", one->message);
    if (one->outcome != JUNIT_SKIPPED) {
        put_attribute(out, "type", one->type);
        buf_putc(out, '>');
        put_escaped(out, one->detail);
        buf_printf(out, "</%s>\n", element);
    } else
        buf_puts(out, "/>\n");
}

static void put_case(struct buf *out, const struct junit_case *one)
{
    buf_puts(out, "    <testcase");
    put_attribute(out, "name", one->name);
    put_attribute(out, "classname", one->class_name);
    put_seconds(out, one->took);
    buf_puts(out, ">\n");
    put_outcome(out, one);
    put_block(out, "system-out", one->output);
    buf_puts(out, "    </testcase>\n");
}

static size_t count_of(const struct junit_suite *suite, enum junit_outcome outcome)
{
    size_t count = 0;
    for (size_t i = 0; i < suite->count; i++)
        count += suite->cases[i].outcome == outcome;
    return count;
}

void report_junit(const struct junit_suite *suite, struct buf *out)
{
    char iso[ISO_SIZE];
    buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite");
    put_attribute(out, "name", suite->name);
    buf_printf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\"", suite->count,
               count_of(suite, JUNIT_FAILED), count_of(suite, JUNIT_ERROR), count_of(suite, JUNIT_SKIPPED));
    put_seconds(out, suite->took);
    put_attribute(out, "timestamp", clock_format(suite->began, CLOCK_ISO_UTC, iso, sizeof iso));
    buf_puts(out, ">\n");
    for (size_t i = 0; i < suite->count; i++)
        put_case(out, &suite->cases[i]);
    buf_puts(out, "  </testsuite>\n</testsuites>\n");
}
