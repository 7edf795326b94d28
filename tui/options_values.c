/* Numbers, times and near misses of the command line. */
#include "base/clock.h"
#include "base/mem.h"
#include "tui/options_table.h"
#include "tunnel/kube_tunnel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- near misses ---- */

enum { NEAREST_MAX = 32 };

/* Optimal string alignment: inserted, missing, wrong and swapped characters cost 1 each. Long words: just far away. */
static int word_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > NEAREST_MAX || b_length > NEAREST_MAX)
        return NEAREST_MAX;
    int cost[NEAREST_MAX + 1][NEAREST_MAX + 1];
    for (size_t i = 0; i <= a_length; i++)
        cost[i][0] = (int)i;
    for (size_t j = 0; j <= b_length; j++)
        cost[0][j] = (int)j;
    for (size_t i = 1; i <= a_length; i++) {
        for (size_t j = 1; j <= b_length; j++) {
            int best = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (cost[i - 1][j] + 1 < best)
                best = cost[i - 1][j] + 1;
            if (cost[i][j - 1] + 1 < best)
                best = cost[i][j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && cost[i - 2][j - 2] + 1 < best)
                best = cost[i - 2][j - 2] + 1;
            cost[i][j] = best;
        }
    }
    return cost[a_length][b_length];
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
    int distance = word_distance(nearest->wanted, candidate);
    int most = strlen(nearest->wanted) < 4 ? 1 : 2;
    if (distance <= most && (!nearest->best || distance < nearest->distance)) {
        nearest->best = candidate;
        nearest->distance = distance;
    }
}

void nearest_tell(const struct nearest *nearest, const char *prefix, struct buf *out)
{
    if (nearest->best)
        buf_printf(out, "; did you mean %s%s?", prefix, nearest->best);
}

/* ---- numbers and words ---- */

bool parse_real(const char *string, double lowest, double highest, double *out)
{
    char *end = NULL;
    double value = strtod(string, &end);
    if (end == string || *end != '\0' || !isfinite(value) || value < lowest || value > highest)
        return false;
    *out = value;
    return true;
}

bool parse_whole(const char *string, uint64_t lowest, uint64_t highest, uint64_t *out)
{
    uint64_t value = 0;
    if (string[0] == '\0')
        return false;
    for (const char *c = string; *c; c++) {
        if (*c < '0' || *c > '9' || value > (UINT64_MAX - 9) / 10)
            return false;
        value = value * 10 + (uint64_t)(*c - '0');
    }
    if (value < lowest || value > highest)
        return false;
    *out = value;
    return true;
}

bool parse_span(const char *string, int64_t *out)
{
    int64_t total = 0;
    const char *c = string;
    while (*c) {
        int64_t value = 0, unit = 1;
        if (*c < '0' || *c > '9')
            return false;
        for (; *c >= '0' && *c <= '9'; c++) {
            value = value * 10 + (*c - '0');
            if (value > 86400)
                return false;
        }
        if (*c == 'h')
            unit = 3600;
        else if (*c == 'm')
            unit = 60;
        else if (*c != 's' && *c != '\0')
            return false;
        if (*c)
            c++;
        total += value * unit;
    }
    if (total < 1 || total > 86400)
        return false;
    *out = total * SECOND_US;
    return true;
}

bool parse_yes(const char *string, bool *out)
{
    static const char *const YES[] = {"yes", "true", "on", "1"}, *const NO[] = {"no", "false", "off", "0"};
    for (size_t i = 0; i < sizeof YES / sizeof YES[0]; i++) {
        if (strcmp(string, YES[i]) == 0 || strcmp(string, NO[i]) == 0) {
            *out = strcmp(string, YES[i]) == 0;
            return true;
        }
    }
    return false;
}

bool parse_colour(const char *string, enum term_colour *out)
{
    static const char *const NAMES[] = {
        [TERM_COLOUR_AUTO] = "auto", [TERM_COLOUR_ALWAYS] = "always", [TERM_COLOUR_NEVER] = "never"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (strcmp(string, NAMES[i]) == 0) {
            *out = (enum term_colour)i;
            return true;
        }
    }
    return false;
}

void replace_string(char **slot, const char *string)
{
    char *copy = mem_dup(string);
    mem_free(*slot);
    *slot = copy;
}

bool is_via(const char *string)
{
    enum via via;
    return via_from_name(string, &via);
}
