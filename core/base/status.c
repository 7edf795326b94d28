#include "base/status.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char ellipsis[] = "\xe2\x80\xa6";

const char *status_sentence(enum status status)
{
    switch (status) {
#define X(code, sentence)                                                                                              \
    case code:                                                                                                         \
        return sentence;
        STATUS_TABLE(X)
#undef X
    }
    return "an unknown status";
}

enum status status_from_errno(int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
        return STATUS_DENIED;
    case ENOENT:
        return STATUS_NOT_FOUND;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return STATUS_FULL;
    default:
        return STATUS_IO;
    }
}

/* Columns are not bytes: a sentence in another script can have fewer than PROBLEM_MAX columns and more than PROBLEM_MAX bytes. */
static void problem_store(struct problem *problem, const struct text *text)
{
    const char *string = text_str(text);
    size_t length = text->len;
    if (length < PROBLEM_MAX) {
        memcpy(problem->text, string, length + 1);
        return;
    }
    size_t kept = 0;
    struct glyph glyph;
    for (size_t taken; (taken = text_glyph(string + kept, length - kept, &glyph)) > 0; kept += taken)
        if (kept + taken + sizeof ellipsis > PROBLEM_MAX)
            break;
    memcpy(problem->text, string, kept);
    memcpy(problem->text + kept, ellipsis, sizeof ellipsis);
}

enum status problem_set(struct problem *problem, enum status status, const char *format, ...)
{
    if (problem == NULL)
        return status;
    /* Formatted in full before it touches `problem`: its old text may be among the arguments. */
    char raw[4 * PROBLEM_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    struct text text = {0};
    text_set_str(&text, length < 0 ? status_sentence(status) : raw, PROBLEM_MAX);
    problem_store(problem, &text);
    text_free(&text);
    return status;
}
