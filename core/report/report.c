#include "report/report_forms.h"

#include "base/clock.h"
#include "report/plain.h"

#include <string.h>

bool report_format_from_name(const char *name, enum report_format *format)
{
    static const char *const NAMES[] = {
        [REPORT_TABLE] = "table", [REPORT_WIDE] = "wide", [REPORT_JSON] = "json", [REPORT_JSONL] = "jsonl"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (strcmp(name, NAMES[i]) == 0) {
            *format = (enum report_format)i;
            return true;
        }
    }
    return false;
}

int32_t report_restarts(const struct pod *pod)
{
    return pod->facts.kubelet ? pod->facts.serving.restart_count : pod->kills;
}

bool report_lane_answered(const struct lane *lane)
{
    return lane->last.sent >= 0;
}

bool report_pod_unhealthy(const struct fleet *fleet, const struct pod *pod, int64_t now)
{
    if (pod_is_unwell(pod, now))
        return true;
    if (!stage_is_loading(pod->stage))
        return false;
    struct hints hints;
    pod_hints(fleet, pod, now, &hints);
    bool doomed = hints.count > 0 && hints.list[0].confidence >= CONFIDENCE_LIKELY;
    hints_free(&hints);
    return doomed;
}

bool report_unhealthy(const struct fleet *fleet, int64_t now)
{
    uint32_t present = 0;
    for (uint32_t i = 0; i < fleet->count; i++) {
        if (fleet->pods[i]->gone)
            continue;
        present++;
        if (report_pod_unhealthy(fleet, fleet->pods[i], now))
            return true;
    }
    return present == 0;
}

/* ---- hints ---- */

static void put_line(const char *label, const struct text *words, bool ascii, struct buf *out)
{
    if (text_empty(words))
        return;
    buf_printf(out, "  %-5s ", label);
    report_plain(text_str(words), ascii, out);
    buf_putc(out, '\n');
}

static void put_hint(const struct hint *hint, int64_t now, bool ascii, struct buf *out)
{
    struct text words = {0};
    report_plain(text_str(&hint->title), ascii, out);
    buf_printf(out, " (%s)\n", confidence_name(hint->confidence));
    for (uint32_t i = 0; i < hint->evidence_count; i++) {
        evidence_words(&hint->evidence[i], now, &words);
        put_line(i == 0 ? "why" : "", &words, ascii, out);
    }
    for (uint32_t i = 0; i < hint->fix_count; i++)
        put_line(i == 0 ? "fix" : "", &hint->fixes[i], ascii, out);
    text_free(&words);
}

void report_hints(const struct pod *pod, const struct hints *hints, int64_t now, bool ascii, struct buf *out)
{
    struct text words = {0};
    if (hints->count > 0) {
        put_hint(&hints->list[0], now, ascii, out);
    } else {
        report_plain(text_str(&hints->state), ascii, out);
        buf_putc(out, '\n');
    }
    for (uint32_t i = 1; i < hints->count; i++) {
        text_printf(&words, TEXT_LINE, "%s (%s)", text_str(&hints->list[i].title),
                    confidence_name(hints->list[i].confidence));
        put_line(i == 1 ? "also" : "", &words, ascii, out);
    }
    if (hints->count > 0)
        put_line("now", &hints->state, ascii, out);
    for (uint32_t i = 0; i < hints->why_count; i++)
        put_line(i == 0 && hints->count == 0 ? "why" : "", &hints->why[i], ascii, out);
    put_line("next", &hints->next, ascii, out);
    hints_command(hints, pod, now, &words);
    put_line("do", &words, ascii, out);
    text_free(&words);
}

/* ---- the whole fleet, and a sentence ---- */

void report_fleet(const struct fleet *fleet, int64_t now, enum report_format format, bool ascii, struct buf *out)
{
    if (format == REPORT_JSON)
        report_json(fleet, now, out);
    else if (format == REPORT_JSONL)
        report_jsonl(fleet, now, out);
    else
        report_table(fleet, now, format == REPORT_WIDE, ascii, out);
}

bool report_is_transition(const struct happening *happening)
{
    bool quoted = happening->kind == HAPPENED_EVENT || happening->kind == HAPPENED_LOG;
    return !quoted || happening->mood != ' ';
}

bool report_happening_command(const struct fleet *fleet, const struct pod *pod, const struct happening *happening,
                              struct text *out)
{
    struct hints hints;
    text_free(out);
    if (happening->kind != HAPPENED_HINT || happening->mood == ' ')
        return false;
    pod_hints(fleet, pod, happening->t, &hints);
    const struct text *label = &hints.list[0].label;
    bool is_first = hints.count > 0 && strncmp(text_str(&happening->words), text_str(label), label->len) == 0;
    bool has_command = is_first && hints_command(&hints, pod, happening->t, out);
    hints_free(&hints);
    return has_command;
}

void report_happening(const struct fleet *fleet, const struct pod *pod, const struct happening *happening,
                      struct buf *out)
{
    char clock[32];
    bool about_stage = happening->kind == HAPPENED_STAGE; /* its words go on from the name */
    bool quoted = happening->kind == HAPPENED_EVENT || happening->kind == HAPPENED_LOG;
    buf_printf(out, "%s %s%s ", clock_format(fleet_wall(fleet, happening->t), CLOCK_HMS, clock, sizeof clock),
               text_str(&pod->facts.name), about_stage ? "" : ":");
    if (quoted)
        buf_printf(out, "%s ", happening_name(happening->kind));
    buf_puts(out, text_str(&happening->words));
    struct text command = {0};
    if (report_happening_command(fleet, pod, happening, &command))
        buf_printf(out, "; do: %s", text_str(&command));
    text_free(&command);
}
