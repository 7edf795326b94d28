/* A recording from anybody: opened, read to its end, folded into a fleet and reported. Told twice it is the same, and what is printed of it is printable. */
#include "base/buf.h"
#include "engine/journal.h"
#include "model/fleet.h"
#include "report/report.h"
#include "tests/fuzz/file.h"

#include <string.h>

enum { REPORT_MAX = 64 * 1024 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The fleet at the end of it; the number of facts is returned. */
static int fold(struct journal_reader *reader, struct fleet *fleet)
{
    int count = 0;
    enum status status;
    do {
        struct fact fact;
        struct problem problem = {""};
        status = journal_next(reader, &fact, &problem);
        if (status == STATUS_OK) {
            fleet_apply(fleet, &fact);
            fact_free(&fact);
            count++;
        } else if (status == STATUS_BAD_INPUT && problem.text[0] == '\0') {
            abort();
        }
    } while (status == STATUS_OK || status == STATUS_BAD_INPUT);
    return count;
}

static void report_check(const struct fleet *fleet)
{
    static const enum report_format formats[] = {REPORT_WIDE, REPORT_JSON};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct buf out;
        buf_init(&out, REPORT_MAX);
        report_fleet(fleet, fleet->t, formats[i], false, &out);
        for (size_t at = 0; at < out.len; at++)
            if (((unsigned char)out.data[at] < 0x20 && out.data[at] != '\n') || out.data[at] == 0x7f)
                abort();
        buf_free(&out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[FUZZ_PATH_MAX];
    struct journal_reader *reader;
    struct problem problem = {""};
    fuzz_file(data, size, path);
    enum status status = journal_open(path, &reader, &problem);
    if ((status == STATUS_OK) != (problem.text[0] == '\0'))
        abort();
    if (status == STATUS_OK) {
        struct fleet *first = fleet_new(fleet_limits_reader()), *second = fleet_new(fleet_limits_reader());
        int count = fold(reader, first);
        if (journal_rewind(reader) != STATUS_OK || fold(reader, second) != count || first->count != second->count ||
            first->t != second->t)
            abort();
        report_check(first);
        fleet_free(first);
        fleet_free(second);
        journal_reader_free(reader);
    }
    unlink(path);
    return 0;
}
