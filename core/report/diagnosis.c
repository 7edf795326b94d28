#include "report/diagnosis.h"

#include "base/clock.h"
#include "report/markdown.h"
#include "report/plain.h"

#include <stdio.h>
#include <string.h>

static const char *const SCHEMA = "probetop.diagnosis/v1", *const NOTHING_WRONG = "nothing wrong";

enum { COLUMNS = 80, WORDS_MAX = 8192, SHOWN_IN_FULL = 3, MOMENT_SIZE = 32, WHEN_SIZE = 64 };

struct view {
    const struct fleet *fleet;
    const struct pod *pod;
    const struct hints *hints;
    const char *const *files; /* NULL: none */
    bool ascii;
    struct buf *out;
};

/* ---- what all forms need ---- */

/* Where files give no moment, what they tell of has that of the newest fact, which is never claimed (kube/diagnosis.h); and where they give only ages there are no dates. */
static bool moment_is_known(const struct fleet *fleet, int64_t t)
{
    return t != INT64_MIN && !(text_is(&fleet->source_name, "files") && t >= fleet->t);
}

static bool has_dates(const struct fleet *fleet)
{
    return fleet->clock.wall_zero != 0;
}

/* The newest moment that anything tells of. */
static const char *as_of(const struct fleet *fleet, char *out)
{
    return clock_format(fleet_wall(fleet, fleet->t), CLOCK_ISO_UTC, out, MOMENT_SIZE);
}

/* ", 2026-11-24T06:00:00Z", ", 2:11 ago" or nothing. */
static const char *when(const struct fleet *fleet, const struct evidence *evidence, char *out)
{
    bool logs = evidence->source == EVIDENCE_LOGS || evidence->source == EVIDENCE_PREVIOUS;
    int64_t t = evidence->t;
    char moment[32];
    out[0] = '\0';
    if (!moment_is_known(fleet, t))
        return out;
    if (has_dates(fleet))
        snprintf(out, WHEN_SIZE, ", %s", clock_format(fleet_wall(fleet, t), CLOCK_ISO_UTC, moment, sizeof moment));
    else
        snprintf(out, WHEN_SIZE, ", %s %s", clock_age(fleet->t - t, moment, sizeof moment),
                 logs ? "before the end" : "ago");
    return out;
}

/* "previous.txt:12, 2026-11-24T06:00:00Z" */
static void put_place(const struct fleet *fleet, const char *const *files, const struct evidence *evidence,
                      struct buf *out)
{
    char moment[WHEN_SIZE];
    struct text name = {0};
    bool in_file = files && files[evidence->source];
    text_set_str(&name, in_file ? files[evidence->source] : evidence_source_name(evidence->source), TEXT_NAME);
    buf_puts(out, text_str(&name));
    if (evidence->line > 0)
        buf_printf(out, in_file ? ":%d" : " line %d", (int)evidence->line);
    buf_puts(out, when(fleet, evidence, moment));
    text_free(&name);
}

/* What to say where no hint says it. */
static const char *verdict_words(const struct hints *hints)
{
    return hints->verdict == CAUSE_HEALTHY        ? NOTHING_WRONG
           : hints->verdict == CAUSE_HEALTHY_SLOW ? "nothing wrong: still loading"
                                                  : "no cause found";
}

/* ---- text ---- */

/* Words broken at blanks to fit the line; what has no blank stays whole, for it may be a path. `begin` stands before the first line, as many blanks before the others. */
static void put_wrapped(const struct view *view, const char *begin, const char *words)
{
    size_t indent = text_columns(begin, strlen(begin)), column = indent;
    bool first = true;
    report_plain(begin, view->ascii, view->out);
    while (*words) {
        size_t length = strcspn(words, " "), columns = text_columns(words, length);
        char word[WORDS_MAX];
        if (!first && column + 1 + columns > COLUMNS) {
            buf_printf(view->out, "\n%*s", (int)indent, "");
            column = indent;
            first = true;
        }
        if (!first)
            buf_putc(view->out, ' ');
        column += columns + !first;
        snprintf(word, sizeof word, "%.*s", (int)length, words);
        report_plain(word, view->ascii, view->out);
        words += length + strspn(words + length, " ");
        first = false;
    }
    buf_putc(view->out, '\n');
}

/* On one line where it fits. */
static void put_evidence(const struct view *view, const struct evidence *evidence)
{
    struct buf place;
    const char *words = text_str(&evidence->words);
    buf_init(&place, WORDS_MAX);
    buf_puts(&place, "  ");
    put_place(view->fleet, view->files, evidence, &place);
    buf_puts(&place, ": ");
    size_t columns = text_columns(buf_str(&place), place.len) + evidence->words.cells;
    if (columns > COLUMNS) {
        buf_cut(&place, place.len - 1);
        report_plain(buf_str(&place), view->ascii, view->out);
        buf_putc(view->out, '\n');
        put_wrapped(view, "    ", words);
    } else {
        buf_puts(&place, words);
        report_plain(buf_str(&place), view->ascii, view->out);
        buf_putc(view->out, '\n');
    }
    buf_free(&place);
}

static void put_lines(const struct view *view, const char *lines)
{
    while (*lines) {
        size_t length = strcspn(lines, "\n");
        char line[WORDS_MAX];
        snprintf(line, sizeof line, "%.*s", (int)length, lines);
        buf_puts(view->out, line[0] ? "  " : "");
        report_plain(line, view->ascii, view->out);
        buf_putc(view->out, '\n');
        lines += length + (lines[length] == '\n');
    }
}

static void put_hint(const struct view *view, const struct hint *hint)
{
    if (hint->evidence_count > 0)
        buf_puts(view->out, "why\n");
    for (uint32_t i = 0; i < hint->evidence_count; i++)
        put_evidence(view, &hint->evidence[i]);
    if (hint->fix_count > 0)
        buf_puts(view->out, "fix\n");
    for (uint32_t i = 0; i < hint->fix_count; i++)
        put_wrapped(view, "  - ", text_str(&hint->fixes[i]));
    if (!text_empty(&hint->patch))
        buf_puts(view->out, "patch\n");
    put_lines(view, text_str(&hint->patch));
    if (hint->command_count > 0)
        buf_puts(view->out, "run\n");
    for (uint32_t i = 0; i < hint->command_count; i++) {
        buf_puts(view->out, "  ");
        report_plain(text_str(&hint->commands[i]), view->ascii, view->out);
        buf_putc(view->out, '\n');
    }
}

/* "also possible: the budget is too short (likely, startup-budget-exceeded)" */
static void put_headline(const struct view *view, const char *before, const struct hint *hint)
{
    struct buf words;
    buf_init(&words, WORDS_MAX);
    buf_printf(&words, "%s (%s, %s)", text_str(&hint->title), confidence_name(hint->confidence),
               text_str(&hint->label));
    put_wrapped(view, before, buf_str(&words));
    buf_free(&words);
}

/* Nothing is known of how it stands: then below a hint there is nothing to say of it. */
static bool state_is_unknown(const struct pod *pod)
{
    const struct container_facts *serving = &pod->facts.serving;
    bool told = serving->started_at_known || serving->ready != TRI_UNKNOWN || pod->progress.furthest != SUBSTAGE_NONE;
    return pod->stage == STAGE_UNKNOWN || (pod->stage == STAGE_RUNNING && !told);
}

/* Whose it is and how it stands, below the headline. */
static void put_state(const struct view *view)
{
    struct buf words;
    if (view->hints->count > 0 && text_empty(&view->pod->facts.name) && state_is_unknown(view->pod))
        return;
    buf_init(&words, WORDS_MAX);
    char moment[MOMENT_SIZE];
    if (!text_empty(&view->pod->facts.name))
        buf_printf(&words, "pod %s%s%s", text_str(&view->pod->facts.name),
                   text_empty(&view->pod->facts.ns) ? "" : " in ", text_str(&view->pod->facts.ns));
    if (has_dates(view->fleet))
        buf_printf(&words, "%sas of %s", words.len > 0 ? ", " : "", as_of(view->fleet, moment));
    buf_puts(&words, words.len > 0 ? ": " : "");
    buf_puts(&words, text_str(&view->hints->state));
    put_wrapped(view, "", buf_str(&words));
    for (uint32_t i = 0; i < view->hints->why_count; i++)
        put_wrapped(view, "", text_str(&view->hints->why[i]));
    if (!text_empty(&view->hints->next))
        put_wrapped(view, "next: ", text_str(&view->hints->next));
    buf_free(&words);
}

static void put_notes(const struct view *view)
{
    if (view->fleet->note_count > 0)
        buf_putc(view->out, '\n');
    for (uint32_t i = view->fleet->note_count; i > 0; i--)
        put_wrapped(view, "note: ", text_str(&view->fleet->notes[i - 1].words));
}

/* Of files that do not say whose they are: what else would help. */
static void put_wanted(const struct view *view)
{
    if (!text_empty(&view->pod->facts.name) || view->hints->count == 0)
        return;
    buf_putc(view->out, '\n');
    put_wrapped(view, "note: ",
                "with --pod FILE (kubectl get pod NAME -o yaml) there are commands to copy, and exit codes count too");
}

static void report_text(const struct view *view)
{
    const struct hints *hints = view->hints;
    if (hints->count > 0)
        put_headline(view, "", &hints->list[0]);
    else if (strncmp(text_str(&hints->state), NOTHING_WRONG, strlen(NOTHING_WRONG)) != 0)
        put_wrapped(view, "", verdict_words(hints));
    put_state(view);
    for (uint32_t i = 0; i < hints->count; i++) {
        buf_putc(view->out, '\n');
        if (i > 0)
            put_headline(view, i < SHOWN_IN_FULL ? "then: " : "and: ", &hints->list[i]);
        if (i < SHOWN_IN_FULL)
            put_hint(view, &hints->list[i]);
    }
    put_wanted(view);
    put_notes(view);
}

/* ---- JSON ---- */

static void put_text_or_null(struct json_writer *writer, const char *key, const struct text *text)
{
    json_put_string(writer, key, text_empty(text) ? NULL : text_str(text));
}

static void put_texts(struct json_writer *writer, const char *key, const struct text *list, uint32_t count)
{
    json_open_array(writer, key);
    for (uint32_t i = 0; i < count; i++)
        json_put_text(writer, NULL, &list[i]);
    json_close_array(writer);
}

static void put_evidence_json(struct json_writer *writer, const struct fleet *fleet, const struct evidence *evidence)
{
    char moment[32];
    bool dated = moment_is_known(fleet, evidence->t) && has_dates(fleet);
    json_open_object(writer, NULL);
    json_put_string(writer, "source", evidence_source_name(evidence->source));
    if (evidence->line > 0)
        json_put_int(writer, "line", evidence->line);
    else
        json_put_string(writer, "line", NULL);
    json_put_string(writer, "time",
                    dated ? clock_format(fleet_wall(fleet, evidence->t), CLOCK_ISO_UTC, moment, sizeof moment) : NULL);
    json_put_text(writer, "text", &evidence->words);
    json_close_object(writer);
}

static void put_hint_json(struct json_writer *writer, const struct fleet *fleet, const struct hint *hint)
{
    json_open_object(writer, NULL);
    json_put_text(writer, "cause", &hint->label);
    json_put_string(writer, "confidence", confidence_name(hint->confidence));
    json_put_text(writer, "title", &hint->title);
    json_open_array(writer, "evidence");
    for (uint32_t i = 0; i < hint->evidence_count; i++)
        put_evidence_json(writer, fleet, &hint->evidence[i]);
    json_close_array(writer);
    put_texts(writer, "fixes", hint->fixes, hint->fix_count);
    put_text_or_null(writer, "patch", &hint->patch);
    put_texts(writer, "commands", hint->commands, hint->command_count);
    json_close_object(writer);
}

void report_hints_json(struct json_writer *writer, const struct fleet *fleet, const struct hints *hints)
{
    const char *verdict = cause_label(hints->verdict);
    json_open_array(writer, "hints");
    for (uint32_t i = 0; i < hints->count; i++)
        put_hint_json(writer, fleet, &hints->list[i]);
    json_close_array(writer);
    json_put_string(writer, "verdict",
                    hints->count > 0 ? text_str(&hints->list[0].label)
                    : verdict[0]     ? verdict
                                     : NULL);
}

static void report_json(const struct view *view)
{
    struct json_writer writer;
    const struct fleet *fleet = view->fleet;
    char moment[MOMENT_SIZE];
    json_writer_init(&writer, view->out);
    json_open_object(&writer, NULL);
    json_put_string(&writer, "schema", SCHEMA);
    put_text_or_null(&writer, "pod", &view->pod->facts.name);
    put_text_or_null(&writer, "namespace", &view->pod->facts.ns);
    put_text_or_null(&writer, "container", &view->pod->facts.serving.name);
    json_put_string(&writer, "as_of", has_dates(fleet) ? as_of(fleet, moment) : NULL);
    report_hints_json(&writer, fleet, view->hints);
    json_put_text(&writer, "state", &view->hints->state);
    put_texts(&writer, "why", view->hints->why, view->hints->why_count);
    put_text_or_null(&writer, "next", &view->hints->next);
    json_open_array(&writer, "notes");
    for (uint32_t i = fleet->note_count; i > 0; i--)
        json_put_text(&writer, NULL, &fleet->notes[i - 1].words);
    json_close_array(&writer);
    json_close_object(&writer);
    buf_putc(view->out, '\n');
}

/* ---- Markdown ---- */

static void markdown_hint(const struct fleet *fleet, const char *const *files, const struct hint *hint, struct buf *out)
{
    struct buf place;
    buf_init(&place, WORDS_MAX);
    buf_puts(out, "\n### ");
    markdown_words(text_str(&hint->title), out);
    buf_printf(out, " (%s, ", confidence_name(hint->confidence));
    markdown_code(text_str(&hint->label), out);
    buf_puts(out, ")\n\n");
    for (uint32_t i = 0; i < hint->evidence_count; i++) {
        buf_clear(&place);
        put_place(fleet, files, &hint->evidence[i], &place);
        buf_puts(out, "- ");
        markdown_words(buf_str(&place), out);
        buf_puts(out, ": ");
        markdown_code(text_str(&hint->evidence[i].words), out);
        buf_putc(out, '\n');
    }
    if (hint->fix_count > 0)
        buf_puts(out, "\nFix:\n\n");
    for (uint32_t i = 0; i < hint->fix_count; i++) {
        buf_puts(out, "- ");
        markdown_words(text_str(&hint->fixes[i]), out);
        buf_putc(out, '\n');
    }
    if (!text_empty(&hint->patch)) {
        buf_putc(out, '\n');
        markdown_block(text_str(&hint->patch), "yaml", out);
    }
    buf_clear(&place);
    for (uint32_t i = 0; i < hint->command_count; i++)
        buf_printf(&place, "%s\n", text_str(&hint->commands[i]));
    if (hint->command_count > 0) {
        buf_putc(out, '\n');
        markdown_block(buf_str(&place), "sh", out);
    }
    buf_free(&place);
}

void report_hints_markdown(const struct fleet *fleet, const struct hints *hints, struct buf *out)
{
    for (uint32_t i = 0; i < hints->count; i++)
        markdown_hint(fleet, NULL, &hints->list[i], out);
}

static void report_markdown(const struct view *view)
{
    const struct hints *hints = view->hints;
    const char *headline = hints->count > 0 ? text_str(&hints->list[0].title) : verdict_words(hints);
    char moment[MOMENT_SIZE];
    buf_puts(view->out, "## ");
    if (!text_empty(&view->pod->facts.name)) {
        markdown_code(text_str(&view->pod->facts.name), view->out);
        buf_puts(view->out, ": ");
    }
    markdown_words(headline, view->out);
    buf_puts(view->out, "\n\n");
    if (has_dates(view->fleet))
        buf_printf(view->out, "As of %s: ", as_of(view->fleet, moment));
    markdown_words(text_str(&hints->state), view->out);
    buf_putc(view->out, '\n');
    for (uint32_t i = 0; i < hints->why_count; i++) {
        buf_puts(view->out, "\n");
        markdown_words(text_str(&hints->why[i]), view->out);
        buf_putc(view->out, '\n');
    }
    if (!text_empty(&hints->next)) {
        buf_puts(view->out, "\nNext: ");
        markdown_words(text_str(&hints->next), view->out);
        buf_putc(view->out, '\n');
    }
    for (uint32_t i = 0; i < hints->count; i++)
        markdown_hint(view->fleet, view->files, &hints->list[i], view->out);
    for (uint32_t i = view->fleet->note_count; i > 0; i--) {
        buf_puts(view->out, i == view->fleet->note_count ? "\n- Note: " : "- Note: ");
        markdown_words(text_str(&view->fleet->notes[i - 1].words), view->out);
        buf_putc(view->out, '\n');
    }
}

void report_diagnosis(const struct fleet *fleet, const struct pod *pod, const struct hints *hints,
                      const char *const *files, enum diagnosis_format format, bool ascii, struct buf *out)
{
    struct view view = {fleet, pod, hints, files, ascii, out};
    if (format == DIAGNOSIS_JSON)
        report_json(&view);
    else if (format == DIAGNOSIS_MARKDOWN)
        report_markdown(&view);
    else
        report_text(&view);
}
