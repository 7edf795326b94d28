#include "report/card.h"

#include "base/clock.h"
#include "report/diagnosis.h"
#include "report/markdown.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ISO_SIZE = 32, AGE_SIZE = 16, WORDS_MAX = 8 * 1024, BLOCK_MAX = 512 * 1024, NAME_CHARACTERS = 100 };

struct card {
    const struct fleet *fleet;
    const struct pod *pod;
    int64_t now;
    struct buf words; /* of the part under way */
    struct buf *out;
};

static const char *moment(const struct card *card, int64_t t, char iso[ISO_SIZE])
{
    return clock_format(fleet_wall(card->fleet, t), CLOCK_ISO_UTC, iso, ISO_SIZE);
}

/* ---- what it is ---- */

/* A row of a table of two columns from card->words; none when they are empty. */
static void put_row(struct card *card, const char *label)
{
    if (card->words.len > 0) {
        buf_printf(card->out, "| %s | ", label);
        markdown_words(buf_str(&card->words), card->out);
        buf_puts(card->out, " |\n");
    }
    buf_clear(&card->words);
}

/* "words TEXT" after a comma where something stands before. */
static void add_part(struct card *card, const char *words, const struct text *text)
{
    if (text_empty(text))
        return;
    buf_printf(&card->words, "%s%s%s", card->words.len > 0 ? ", " : "", words, text_str(text));
}

static void row_stage(struct card *card)
{
    const struct pod *pod = card->pod;
    char age[AGE_SIZE], iso[ISO_SIZE];
    buf_printf(&card->words, "%s%s%s, for %s, since %s", stage_word(pod->stage), text_empty(&pod->reason) ? "" : ": ",
               text_str(&pod->reason), clock_age(card->now - pod->stage_since, age, sizeof age),
               moment(card, pod->stage_since, iso));
    put_row(card, "Stage");
}

static void row_container(struct card *card, const char *label, const struct container_facts *container)
{
    char iso[ISO_SIZE];
    if (!container->exists)
        return;
    add_part(card, "", &container->name);
    add_part(card, "image ", &container->image);
    if (card->pod->facts.kubelet)
        buf_printf(&card->words, "%srestarts %d", card->words.len > 0 ? ", " : "", (int)container->restart_count);
    if (container->state == CONTAINER_RUNNING && container->started_at_known)
        buf_printf(&card->words, ", running since %s", moment(card, container->started_at, iso));
    add_part(card, "state ", &container->reason);
    add_part(card, "", &container->message);
    put_row(card, label);
}

static void row_last_end(struct card *card)
{
    const struct termination *end = &card->pod->facts.serving.last;
    char iso[ISO_SIZE];
    if (!end->known)
        return;
    buf_printf(&card->words, "exit code %d", (int)end->exit_code);
    if (end->signal != 0)
        buf_printf(&card->words, ", signal %d", (int)end->signal);
    add_part(card, "", &end->reason);
    if (end->finished_at != 0)
        buf_printf(&card->words, ", at %s", moment(card, end->finished_at, iso));
    add_part(card, "", &end->message);
    put_row(card, "Last end");
}

static void row_where(struct card *card)
{
    const struct pod_facts *facts = &card->pod->facts;
    add_part(card, "namespace ", &facts->ns);
    add_part(card, "of ", &facts->workload);
    if (facts->role != ROLE_NONE)
        buf_printf(&card->words, "%srole %s", card->words.len > 0 ? ", " : "", role_name(facts->role));
    add_part(card, "on node ", &facts->node);
    add_part(card, "IP ", &facts->pod_ip);
    add_part(card, "UID ", &facts->uid);
    put_row(card, "Pod");
    add_part(card, "context ", &facts->context);
    add_part(card, "cluster ", &facts->cluster);
    add_part(card, "user ", &facts->user);
    add_part(card, "as ", &facts->as);
    add_part(card, "kubeconfig ", &facts->kubeconfig);
    put_row(card, "Asked with");
    add_part(card, "", &facts->address);
    add_part(card, "by ", &facts->via);
    if (card->words.len > 0 && facts->kubelet)
        buf_printf(&card->words, ", tunnel %s", tunnel_word_name(card->pod->tunnel));
    add_part(card, "", &card->pod->tunnel_detail);
    put_row(card, "Reached");
}

static void row_versions(struct card *card)
{
    const struct pod *pod = card->pod;
    add_part(card, "version ", &pod->progress.version);
    add_part(card, "loads ", &pod->progress.model);
    for (int32_t i = 0; i < pod->model_count; i++)
        add_part(card, i == 0 ? "serves " : "", &pod->models[i]);
    add_part(card, "expected ", &pod->facts.expected_model);
    put_row(card, "vLLM");
    add_part(card, "", &card->fleet->program);
    add_part(card, "watching ", &card->fleet->title);
    put_row(card, "Seen by");
}

static void put_pod(struct card *card)
{
    buf_puts(card->out, "\n## The pod\n\n| | |\n|---|---|\n");
    row_stage(card);
    row_where(card);
    row_container(card, "Container", &card->pod->facts.serving);
    row_container(card, "Sidecar", &card->pod->facts.sidecar);
    row_last_end(card);
    row_versions(card);
}

/* ---- why ---- */

static void put_paragraph(struct card *card, const char *label, const struct text *words)
{
    if (text_empty(words))
        return;
    buf_printf(card->out, "\n%s", label);
    markdown_words(text_str(words), card->out);
    buf_putc(card->out, '\n');
}

/* What somebody who is shown only the first lines must know: which pod, what is wrong with it, and what comes next. */
static void put_head(struct card *card, const struct hints *hints)
{
    char iso[ISO_SIZE];
    buf_puts(card->out, "# ");
    markdown_words(text_str(&card->pod->facts.name), card->out);
    buf_printf(card->out, ": %s\n", card->pod->gone ? "gone" : stage_word(card->pod->stage));
    if (hints->count > 0) {
        buf_puts(card->out, "\n**");
        markdown_words(text_str(&hints->list[0].title), card->out);
        buf_printf(card->out, "** (%s)\n", confidence_name(hints->list[0].confidence));
    }
    put_paragraph(card, "Now: ", &hints->state);
    for (uint32_t i = 0; i < hints->why_count; i++)
        put_paragraph(card, "", &hints->why[i]);
    put_paragraph(card, "Next: ", &hints->next);
    buf_printf(card->out, "\nAs of %s.\n", moment(card, card->now, iso));
}

static void put_why(struct card *card, const struct hints *hints)
{
    buf_puts(card->out, "\n## Why, and what to do\n");
    if (hints->count == 0)
        buf_puts(card->out, "\nNothing is known to be wrong.\n");
    report_hints_markdown(card->fleet, hints, card->out);
}

/* ---- probes ---- */

static void put_cell(struct card *card)
{
    buf_puts(card->out, " | ");
    markdown_words(buf_str(&card->words), card->out);
    buf_clear(&card->words);
}

static void cell_setting(struct card *card, enum lane_kind kind)
{
    struct text request = {0};
    const struct probe_spec *spec = &card->pod->facts.probes[kind];
    probe_spec_describe(spec, &request);
    buf_puts(&card->words, text_str(&request));
    text_free(&request);
    put_cell(card);
    buf_printf(&card->words, "after %ds, every %ds, timeout %ds", (int)spec->initial_delay, (int)spec->period,
               (int)spec->timeout);
    if (lane_is_kubelets(kind))
        buf_printf(&card->words, ", fails at %d, succeeds at %d", (int)spec->failure_threshold,
                   (int)spec->success_threshold);
    put_cell(card);
}

static void cell_streak(struct card *card, const struct lane *lane)
{
    char words[ISO_SIZE], iso[ISO_SIZE];
    if (lane->streak > 0)
        buf_printf(&card->words, "%d %s%s%s since %s", (int)lane->streak, lane->streak_failing ? "failed" : "good",
                   lane->streak_failing ? ": " : "",
                   lane->streak_failing ? cause_words(lane->streak_cause, lane->streak_status, words, sizeof words)
                                        : "",
                   moment(card, lane->streak_since, iso));
    put_cell(card);
}

static void cell_last(struct card *card, const struct lane *lane)
{
    char iso[ISO_SIZE], latency[AGE_SIZE];
    if (lane->last.sent >= 0) {
        buf_puts(&card->words, outcome_name(lane->last.outcome));
        if (lane->last.status > 0)
            buf_printf(&card->words, " %d", (int)lane->last.status);
        buf_printf(&card->words, " at %s", moment(card, lane->last_at, iso));
        if (lane->last.total >= 0)
            buf_printf(&card->words, " in %s", clock_latency(lane->last.total, latency, sizeof latency));
        if (lane->last.answerer != ANSWERER_NOBODY)
            buf_printf(&card->words, " from %s", answerer_name(lane->last.answerer));
    }
    put_cell(card);
}

static void cell_counts(struct card *card, const struct lane *lane)
{
    char p50[AGE_SIZE], p99[AGE_SIZE];
    buf_printf(&card->words, "%" PRIu64 " good, %" PRIu64 " failed, %" PRIu64 " not counted", lane->ok, lane->failed,
               lane->errored + lane->unknown);
    put_cell(card);
    int64_t slow = history_percentile(&lane->history, 99);
    if (slow >= 0)
        buf_printf(&card->words, "%s, %s", clock_latency(history_percentile(&lane->history, 50), p50, sizeof p50),
                   clock_latency(slow, p99, sizeof p99));
    put_cell(card);
}

static void put_budget(struct card *card)
{
    struct budget budget = pod_budget(card->pod, card->now);
    char used[AGE_SIZE], left[AGE_SIZE], iso[ISO_SIZE];
    if (!budget.applies)
        return;
    bool overdue = budget.left < 0;
    buf_printf(card->out, "\nStart-up budget%s: %d of %d failures, %s used, %s %s, over at %s.\n",
               budget.guess ? " (a guess: the start is not known)" : "", (int)budget.count, (int)budget.threshold,
               clock_age(budget.used, used, sizeof used),
               clock_age(overdue ? -budget.left : budget.left, left, sizeof left), overdue ? "overdue" : "left",
               moment(card, budget.deadline, iso));
}

static void put_probes(struct card *card)
{
    buf_puts(card->out,
             "\n## Probes, as they are in effect\n\n"
             "| probe | request | times | streak | last | counts | p50, p99 |\n|---|---|---|---|---|---|---|\n");
    for (int l = 0; l < LANE_COUNT; l++) {
        const struct lane *lane = &card->pod->lanes[l];
        if (!lane->present)
            continue;
        buf_printf(card->out, "| %s%s", lane_name((enum lane_kind)l),
                   lane_is_kubelets((enum lane_kind)l) ? "" : " (our own)");
        cell_setting(card, (enum lane_kind)l);
        cell_streak(card, lane);
        cell_last(card, lane);
        cell_counts(card, lane);
        buf_puts(card->out, " |\n");
    }
    put_budget(card);
}

static void put_failure(struct card *card)
{
    const struct failure *failure = &card->pod->failures[0];
    char iso[ISO_SIZE], words[ISO_SIZE];
    if (card->pod->failure_count == 0)
        return;
    buf_printf(card->out, "\n## Last failing answer\n\n%s, %s, %s", moment(card, failure->t, iso),
               lane_name(failure->lane), cause_words(failure->cause, failure->status, words, sizeof words));
    if (failure->status > 0 && failure->cause != PROBE_CAUSE_STATUS)
        buf_printf(card->out, ", status %d", (int)failure->status);
    buf_puts(card->out, ".\n");
    put_paragraph(card, "", &failure->detail);
    if (text_empty(&failure->body))
        return;
    buf_putc(card->out, '\n');
    markdown_block(text_str(&failure->body), "", card->out);
}

/* ---- what happened ---- */

static void put_timeline(struct card *card)
{
    struct buf lines;
    char iso[ISO_SIZE];
    buf_init(&lines, BLOCK_MAX);
    for (uint32_t back = card->pod->happening_count; back > 0; back--) {
        const struct happening *happening = pod_happening(card->pod, back - 1);
        buf_printf(&lines, "%s  %c %-8s %s\n", moment(card, happening->t, iso), happening->mood,
                   happening_name(happening->kind), text_str(&happening->words));
    }
    buf_puts(card->out, "\n## Timeline (UTC)\n\n");
    markdown_block(buf_str(&lines), "", card->out);
    buf_free(&lines);
}

void report_card(const struct fleet *fleet, const struct pod *pod, int64_t now, struct buf *out)
{
    struct card card = {.fleet = fleet, .pod = pod, .now = now, .out = out};
    buf_init(&card.words, WORDS_MAX);
    struct hints hints;
    pod_hints(fleet, pod, now, &hints);
    put_head(&card, &hints);
    put_why(&card, &hints);
    hints_free(&hints);
    put_pod(&card);
    put_probes(&card);
    put_failure(&card);
    put_timeline(&card);
    buf_free(&card.words);
}

void report_card_name(const struct fleet *fleet, const struct pod *pod, int64_t now, struct buf *out)
{
    char iso[ISO_SIZE];
    const char *name = text_str(&pod->facts.name);
    buf_puts(out, "probetop-");
    for (int i = 0; name[i] && i < NAME_CHARACTERS; i++) {
        bool plain = isalnum((unsigned char)name[i]) || name[i] == '-' || name[i] == '_' ||
                     (name[i] == '.' && i > 0 && name[i - 1] != '.');
        buf_putc(out, plain && (unsigned char)name[i] < 0x80 ? name[i] : '_');
    }
    clock_format(fleet_wall(fleet, now), CLOCK_ISO_UTC, iso, sizeof iso);
    buf_putc(out, '-');
    for (const char *at = iso; *at; at++) /* without what some file systems do not take */
        if (*at != ':' && *at != '-')
            buf_putc(out, *at);
}
