/* Lines offered to the signatures, the first line as a user's own pattern: matching is what a plain search says, the findings stay within their bounds, and what they quote is of the line. */
#include "model/signature.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* The contract of model/signature.h, as slow and simple as can be. `anywhere`: what stands before the match does not matter. */
static bool matches(const char *pattern, const char *line, bool anywhere)
{
    if (!*pattern)
        return true;
    if (*pattern == '*')
        return matches(pattern + 1, line, true);
    for (;; line++) {
        const char *at = pattern[0] == '\\' && pattern[1] == '*' ? pattern + 1 : pattern;
        if (*line && lower(*at) == lower(*line) && matches(at + 1, line + 1, false))
            return true;
        if (!anywhere || !*line)
            return false;
    }
}

static void line_take(struct findings *findings, const struct signatures *own, const char *line, size_t length)
{
    enum { SLOW_MAX = 48 };
    struct text text = {0};
    text_set(&text, line, length, TEXT_BODY);
    if (text.len <= SLOW_MAX)
        require(pattern_matches(own->own[0].pattern, text_str(&text)) ==
                matches(own->own[0].pattern, text_str(&text), true));
    const struct signature *signature = signature_find(own, text_str(&text), EVIDENCE_LOGS);
    require(!signature || pattern_matches(signature->pattern, text_str(&text)));
    const struct finding *finding = findings_offer(findings, own, &text, EVIDENCE_LOGS, false, 1, 1);
    require(!finding || (finding->count > 0 && finding->signature->cause != CAUSE_NONE));
    require(findings->count <= FINDINGS_MAX);
    text_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { PATTERN_MAX = 24 };
    const char *line = (const char *)data, *end = line + size;
    char pattern[PATTERN_MAX + 1] = "";
    struct signature mine = {
        .cause = CAUSE_OWN, .pattern = pattern, .where = WHERE_ANY, .confidence = CONFIDENCE_LIKELY, .label = "mine"};
    struct signatures own = {&mine, 1};
    struct findings findings = {0};
    for (int number = 0; line < end; number++) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t length = newline ? (size_t)(newline - line) : (size_t)(end - line);
        if (number == 0 && length <= PATTERN_MAX && !memchr(line, '\0', length))
            memcpy(pattern, line, length);
        else
            line_take(&findings, &own, line, length);
        line += length + (newline ? 1 : 0);
    }
    findings_free(&findings);
    return 0;
}
