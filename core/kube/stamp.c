#include "kube/stamp.h"

#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool line_moment(struct slice line, int64_t *wall, struct slice *words)
{
    enum { SHORTEST = 20, LONGEST = 36 };
    char moment[LONGEST + 1];
    struct slice left = line, word = slice_word(&left);
    if (word.length < SHORTEST || word.length > LONGEST || word.bytes != line.bytes)
        return false;
    memcpy(moment, word.bytes, word.length);
    moment[word.length] = '\0';
    if (!clock_parse_rfc3339(moment, wall))
        return false;
    *words = slice_from(left, left.length > 0 ? 1 : 0);
    return true;
}

/* '0' stands for any digit, ' ' for a blank or a T. */
static bool has_shape(struct slice slice, const char *shape)
{
    if (slice.length < strlen(shape))
        return false;
    for (size_t i = 0; shape[i]; i++) {
        char byte = slice.bytes[i];
        bool fits = shape[i] == '0'   ? isdigit((unsigned char)byte) != 0
                    : shape[i] == ' ' ? byte == ' ' || byte == 'T'
                                      : byte == shape[i];
        if (!fits)
            return false;
    }
    return true;
}

/* "11-24 06:20:00" of that year. */
static bool stamp_parse(const char *bytes, int year, int64_t *wall)
{
    char moment[32];
    snprintf(moment, sizeof moment, "%04d-%.5sT%.8sZ", year, bytes, bytes + strlen("00-00 "));
    return clock_parse_rfc3339(moment, wall);
}

bool line_stamp(struct slice line, int year, int64_t after, int64_t *wall, int *year_found)
{
    enum { FURTHEST = 64, YEAR_LENGTH = 5, HALF_A_YEAR = 183 * 86400 };
    for (size_t at = 0; at < line.length && at < FURTHEST; at++) {
        struct slice rest = slice_from(line, at);
        bool dated = has_shape(rest, "0000-00-00 00:00:00");
        if (!dated && !has_shape(rest, "00-00 00:00:00"))
            continue;
        *year_found = dated ? (int)strtol(rest.bytes, NULL, 10) : 0;
        if (dated)
            return stamp_parse(rest.bytes + YEAR_LENGTH, *year_found, wall);
        bool parsed = stamp_parse(rest.bytes, year, wall);
        bool before = parsed && after != 0 && *wall + HALF_A_YEAR * (int64_t)SECOND_US < after;
        return before ? stamp_parse(rest.bytes, year + 1, wall) : parsed;
    }
    return false;
}

void stamps_of(struct slice log, int year, struct stamps *out)
{
    struct slice left = log, line;
    *out = (struct stamps){0};
    while (slice_line(&left, &line)) {
        int64_t wall;
        int found;
        if (!line_stamp(line, year, out->first, &wall, &found))
            continue;
        out->first = out->any ? out->first : wall;
        out->newest = out->any && out->newest > wall ? out->newest : wall;
        out->year = out->year ? out->year : found;
        out->any = true;
    }
}
