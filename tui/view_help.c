/* Keys as they are bound now, signs, stages, lanes, colours and words; and what the engine had to say. */
#include "tui/scroller.h"
#include "tui/widget.h"

#include <stdio.h>
#include <string.h>

/* One row of the help: a heading, or a sign or key with its meaning. */
struct help_line {
    enum style style;
    char lead[64];
    const char *words;
    const struct text *text; /* instead of words */
};

enum { HELP_LINES_MAX = 192, LEAD_WIDTH = 18 };

struct help_page {
    const struct view_state *state;
    struct help_line lines[HELP_LINES_MAX];
    int count;
};

static struct help_line *help_add(struct help_page *page, enum style style, const char *lead, const char *words)
{
    struct help_line *line = &page->lines[page->count < HELP_LINES_MAX - 1 ? page->count++ : page->count];
    *line = (struct help_line){.style = style, .words = words};
    snprintf(line->lead, sizeof line->lead, "%s", lead);
    return line;
}

static void help_heading(struct help_page *page, const char *words)
{
    help_add(page, STYLE_TEXT, "", "");
    help_add(page, STYLE_STRONG, "", words);
}

static void help_keys(struct help_page *page)
{
    const struct view_state *state = page->state;
    for (int action = 0; action < ACTION_COUNT; action++) {
        char lead[64] = "", key[16];
        if ((action_where((enum action)action) & IN_REPLAY) && !state->replay)
            continue;
        for (int i = 0; i < KEYMAP_KEYS_MAX && state->keymap->keys[action][i] != KEY_NONE; i++) {
            size_t used = strlen(lead);
            keymap_key_name(state->keymap->keys[action][i], state->ascii, key, sizeof key);
            snprintf(lead + used, sizeof lead - used, "%s%s", used ? " " : "", key);
        }
        help_add(page, STYLE_ACCENT, lead, action_help((enum action)action));
    }
}

static void help_stages(struct help_page *page)
{
    help_heading(page, "STAGES: sign, cell of the timeline, word");
    for (int i = 0; i < STAGE_COUNT; i++) {
        enum stage stage = (enum stage)i;
        char lead[64];
        snprintf(lead, sizeof lead, "%s %s %s", stage_glyph(stage, page->state->ascii),
                 stage_cell(stage, page->state->ascii), stage_word(stage));
        help_add(page, stage_is_broken(stage) ? STYLE_BAD : STYLE_TEXT, lead, stage_help(stage));
    }
    help_add(page, STYLE_WARN, "  ↻", "in the timeline: the container was restarted");
}

static void help_columns(struct help_page *page)
{
    help_heading(page, "COLUMNS");
    help_add(page, STYLE_TEXT, "FOR", "how long it has been in this stage");
    help_add(page, STYLE_TEXT, "↻", "how often the container was restarted");
    help_add(page, STYLE_TEXT, "S L R", "the signs of the three probes: see LANES");
    help_add(page, STYLE_TEXT, "NEXT", "what the kubelet does next if nothing changes, and when");
    help_add(page, STYLE_TEXT, "P50 P99",
             "50 and 99 of 100 answers of the probe that decides about traffic took up to this");
    help_add(page, STYLE_TEXT, "10 s a cell", "the timeline: the worst stage within each cell, now at the right");
}

/* What stands behind the stage while a log tells how far loading is. */
static void help_loading(struct help_page *page)
{
    static const struct {
        const char *word, *help;
    } ROWS[] = {
#define X(id, word, help) {word, help},
        SUBSTAGE_TABLE(X)
#undef X
    };
    help_heading(page, "LOADING: how far start-up is, by the log");
    for (int i = SUBSTAGE_PYTHON; i < SUBSTAGE_COUNT; i++)
        help_add(page, STYLE_TEXT, ROWS[i].word, ROWS[i].help);
}

static void help_lanes(struct help_page *page)
{
    help_heading(page, "LANES: what is asked of a pod again and again");
    for (int i = 0; i < LANE_SERVING_COUNT; i++) {
        char lead[24];
        snprintf(lead, sizeof lead, "%c %s", lane_letter((enum lane_kind)i), lane_name((enum lane_kind)i));
        help_add(page, STYLE_TEXT, lead, lane_help((enum lane_kind)i));
    }
    help_add(page, STYLE_TEXT, "✓", "the last answer counts as success");
    help_add(page, STYLE_BAD, "✗", "the last answer counts as failure");
    help_add(page, STYLE_MUTED, "·",
             "sends nothing now: waits for start-up, for the container or for initialDelaySeconds");
    help_add(page, STYLE_MUTED, "–", "the pod has no such probe");
    help_add(page, STYLE_WARN, "!", "the probe broke on the way; the kubelet throws such an answer away");
    help_add(page, STYLE_UNKNOWN, "?", "not known: no tunnel, or our own fault; never counted against the pod");
    help_add(page, STYLE_TEXT, "▁ to █", "what answers took of timeoutSeconds (time/limit): an eighth, to all of it");
}

static void help_words(struct help_page *page)
{
    help_heading(page, "WORDS");
    help_add(page, STYLE_TEXT, "2/3 → restart",
             "2 of 3 failures in a row; the third makes the kubelet restart the container");
    help_add(page, STYLE_TEXT, "would restart", "no kubelet is known here: what one would do with these probes");
    help_add(page, STYLE_TEXT, "start-up 11:30",
             "what is left of the startup probe's budget before the container is killed");
    help_add(page, STYLE_TEXT, "done in 4:20", "an estimate from the log's counts at the rate seen so far");
    help_add(page, STYLE_TEXT, "shards in 4:02",
             "an estimate for this part of loading; how long the rest takes is not known");
    help_add(page, STYLE_TEXT, "too slow", "at this rate loading will not be done before the budget is over");
    help_add(page, STYLE_TEXT, "starts again", "the kubelet's back-off after a crash, by its own words");
    help_add(page, STYLE_TEXT, "LATELY", "what happened to the pods of the list: ✗ bad, ! needs a look, ✓ good");
    help_add(page, STYLE_TEXT, "7x", "this simulated fleet runs 7 times as fast as life");
    help_add(page, STYLE_TEXT, "~", "a guess: when the container started is not known");
    help_add(page, STYLE_TEXT, "0.81s of 1s", "99 of 100 answers took up to 0.81 s, and timeoutSeconds is 1");
    help_add(page, STYLE_TEXT, "–", "not known; never 0");
    help_add(page, STYLE_ACCENT, "↑", "before a name: this pod has just got worse");
    help_add(page, STYLE_BAD, "!",
             "before a name: a hint says what is wrong, though the stage does not show it; (2!): so many of those that "
             "load");
    help_add(page, STYLE_ACCENT, "POD↓",
             "above a column: sorted by it, not the worst first; s goes on, after the last to the worst first");
    help_add(page, STYLE_MUTED, "↕ order held",
             "you moved in the list, so rows stay; some would stand elsewhere by now");
    help_add(page, STYLE_TEXT, "certain",
             "the evidence leaves no other cause; likely: others are rare; possible: look further");
}

static int help_item(void *user, int index, struct canvas *canvas, int row)
{
    const struct help_page *page = user;
    const struct help_line *line = &page->lines[index];
    int column = 1, end = canvas->columns - 1;
    if (line->lead[0]) {
        canvas_puts(canvas, row, column + 1, LEAD_WIDTH - 1, line->style, line->lead);
        column += LEAD_WIDTH + 1;
    }
    struct text words = {0};
    if (!line->text)
        text_set_str(&words, line->words, TEXT_LINE);
    int width = end - column;
    int rows = canvas_wrap(canvas, row, column, width > 1 ? width : 1, 8, line->lead[0] ? STYLE_TEXT : line->style,
                           line->text ? line->text : &words);
    text_free(&words);
    return rows;
}

static void help_fill(struct help_page *page, const struct fleet *fleet)
{
    help_add(page, STYLE_STRONG, "", "KEYS");
    help_keys(page);
    help_columns(page);
    help_stages(page);
    help_loading(page);
    help_lanes(page);
    help_words(page);
    if (fleet->note_count == 0)
        return;
    help_heading(page, "WHAT PROBETOP ITSELF HAS TO SAY, newest first");
    for (uint32_t i = 0; i < fleet->note_count; i++) {
        char time[32];
        clock_format(fleet_wall(fleet, fleet->notes[i].t), CLOCK_HMS, time, sizeof time);
        help_add(page, STYLE_WARN, time, "")->text = &fleet->notes[i].words;
    }
}

/* Takes out what the filter does not let through; headings go with it. */
static void help_filter(struct help_page *page)
{
    int kept = 0;
    for (int i = 0; i < page->count && !text_empty(&page->state->text_filter); i++) {
        struct text words = {0};
        text_printf(&words, TEXT_LINE, "%s %s", page->lines[i].lead,
                    page->lines[i].text ? text_str(page->lines[i].text) : page->lines[i].words);
        if (page->lines[i].lead[0] && scroller_matches(page->state, &words))
            page->lines[kept++] = page->lines[i];
        text_free(&words);
    }
    if (!text_empty(&page->state->text_filter))
        page->count = kept;
}

static void paint(struct view_state *state, const struct fleet *fleet, int64_t now, struct canvas *canvas)
{
    struct help_page page = {.state = state};
    struct text title = {0};
    (void)now;
    help_fill(&page, fleet);
    help_filter(&page);
    const struct scroller scroller = {.item = help_item, .user = &page, .count = page.count, .empty = ""};
    scroller_paint(&scroller, state, canvas);
    text_set_str(&title, "probetop", TEXT_NAME);
    scroller_head(state, canvas, &title, "help");
    text_free(&title);
}

static int act(struct view_state *state, const struct fleet *fleet, int64_t now, enum action action)
{
    (void)fleet;
    (void)now;
    return scroller_act(state, action, false);
}

const struct view_ops view_help = {"help", IN_TEXT, paint, act};
