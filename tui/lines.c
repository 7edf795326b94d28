#include "tui/lines.h"

#include "report/plain.h"
#include "tui/engine_half.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LINE_BYTES_MAX = 64 * 1024 };

struct lines {
    uv_loop_t loop;
    struct end_signals signals;
    struct engine *engine; /* NULL when reading a recording */
    struct fleet *fleet;   /* a reader's: the engine's own keeps no texts */
    struct buf line, plain;
    enum source_state told_source;
    bool ascii;
    bool stopping, mute; /* mute: standard output takes no more */
    int exit_code;
};

/* ---- what is printed ---- */

static void lines_stop(struct lines *lines, int exit_code);

/* One line, at once: whoever reads the other end of a pipe reads along. */
static void lines_put(struct lines *lines)
{
    if (lines->mute)
        return;
    buf_clear(&lines->plain);
    report_plain(buf_str(&lines->line), lines->ascii, &lines->plain);
    buf_putc(&lines->plain, '\n');
    fwrite(buf_str(&lines->plain), 1, lines->plain.len, stdout);
    if (fflush(stdout) != 0) {
        lines->mute = true;
        if (errno != EPIPE)
            fprintf(stderr, "probetop: standard output: %s\n", strerror(errno));
        lines_stop(lines, 2);
    }
}

static void on_happening(void *user, const struct pod *pod, const struct happening *happening)
{
    struct lines *lines = user;
    if (!report_is_transition(happening))
        return;
    buf_clear(&lines->line);
    report_happening(lines->fleet, pod, happening, &lines->line);
    lines_put(lines);
}

const struct text *lines_general_words(const struct fact *fact, enum source_state *told)
{
    switch (fact->kind) {
    case FACT_NOTE:
        return &fact->u.note;
    case FACT_WORKLOAD:
        return text_empty(&fact->u.workload.words) ? NULL : &fact->u.workload.words;
    case FACT_END:
        return &fact->u.end;
    case FACT_SOURCE:;
        enum source_state state = fact->u.source.state;
        bool known = state == *told && (state == SOURCE_STARTING || state == SOURCE_WATCHING);
        *told = state;
        return known || text_empty(&fact->u.source.detail) ? NULL : &fact->u.source.detail;
    default:
        return NULL;
    }
}

static void lines_general(struct lines *lines, const struct fact *fact)
{
    char clock[32];
    const struct text *words = lines_general_words(fact, &lines->told_source);
    if (!words)
        return;
    buf_clear(&lines->line);
    buf_printf(&lines->line, "%s %s", clock_format(fleet_wall(lines->fleet, fact->t), CLOCK_HMS, clock, sizeof clock),
               text_str(words));
    lines_put(lines);
}

static void on_fact(void *user, const struct fact *fact)
{
    struct lines *lines = user;
    fleet_apply(lines->fleet, fact);
    lines_general(lines, fact);
    if (fact->kind == FACT_END)
        lines_stop(lines, 0);
}

static void lines_init(struct lines *lines, const struct options *options)
{
    memset(lines, 0, sizeof *lines);
    lines->ascii = options->ascii;
    buf_init(&lines->line, LINE_BYTES_MAX);
    buf_init(&lines->plain, LINE_BYTES_MAX);
    struct fleet_limits limits = fleet_limits_reader();
    limits.signatures = &options->signatures;
    lines->fleet = fleet_new(limits);
    lines->fleet->on_happening = on_happening;
    lines->fleet->on_happening_user = lines;
}

static void lines_free(struct lines *lines)
{
    fleet_free(lines->fleet);
    buf_free(&lines->line);
    buf_free(&lines->plain);
}

/* ---- with an engine ---- */

static void on_stopped(void *user)
{
    struct lines *lines = user;
    end_signals_close(&lines->signals);
}

static void lines_stop(struct lines *lines, int exit_code)
{
    if (lines->stopping)
        return;
    lines->stopping = true;
    lines->exit_code = exit_code;
    if (lines->engine)
        engine_stop(lines->engine, on_stopped, lines);
}

static void on_signal(void *user, int number)
{
    lines_stop(user, 128 + number);
}

/* The journal is for whoever comes after a crash. Without a place for it line mode goes on, unless a recording was asked for, which it writes. */
static enum status lines_journal(const struct options *options, struct journal **journal)
{
    struct problem problem = {""};
    enum status status = engine_half_journal(options, journal, &problem);
    if (status == STATUS_OK)
        return STATUS_OK;
    fprintf(stderr, "probetop: %s\n", problem.text);
    return options->record_path ? status : STATUS_OK;
}

int lines_run(struct options *options)
{
    struct lines lines;
    struct journal *journal = NULL;
    struct problem problem = {""};
    struct cluster_way way;
    if (lines_journal(options, &journal) != STATUS_OK)
        return 2;
    if (cluster_way_find(options, journal, &way, &problem) != STATUS_OK) {
        fprintf(stderr, "probetop: %s\n", problem.text);
        if (journal)
            journal_close(journal, false);
        return 2;
    }
    lines_init(&lines, options);
    uv_loop_init(&lines.loop);
    end_signals_watch(&lines.signals, &lines.loop, on_signal, &lines);
    lines.engine = engine_half_engine(options, &way, &lines.loop, journal);
    engine_observe(lines.engine, on_fact, &lines);
    if (engine_start(lines.engine, &problem) != STATUS_OK) {
        fprintf(stderr, "probetop: %s\n", problem.text);
        lines_stop(&lines, 2);
    }
    uv_run(&lines.loop, UV_RUN_DEFAULT);
    engine_free(lines.engine);
    cluster_way_end(&way);
    if (journal)
        journal_close(journal, options->keep_journal);
    lines_free(&lines);
    uv_loop_close(&lines.loop);
    return lines.exit_code;
}

/* ---- from a recording ---- */

int lines_replay(const struct options *options)
{
    struct lines lines;
    struct journal_reader *reader = NULL;
    struct problem problem = {""};
    enum status status = journal_open(options->replay_path, &reader, &problem);
    if (status != STATUS_OK) {
        fprintf(stderr, "probetop: %s\n", problem.text);
        return 2;
    }
    lines_init(&lines, options);
    while (!lines.stopping) {
        struct fact fact;
        status = journal_next(reader, &fact, &problem);
        if (status == STATUS_OK) {
            on_fact(&lines, &fact);
            fact_free(&fact);
        } else if (status == STATUS_BAD_INPUT) {
            fprintf(stderr, "probetop: %s\n", problem.text);
        } else if (status != STATUS_UNSUPPORTED) {
            break;
        }
    }
    if (status == STATUS_IO) {
        fprintf(stderr, "probetop: %s\n", problem.text);
        lines_stop(&lines, 2);
    }
    journal_reader_free(reader);
    lines_free(&lines);
    return lines.exit_code;
}
