#include "tui/app.h"

#include "base/mem.h"
#include "report/card.h"
#include "tui/prompt.h"
#include "tui/widget.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    DEPTH_MAX = 8,
    CELLS_A_STEP = 10,
    CONTROL_WORDS_MAX = 64,
    MESSAGE_MAX = 2048, /* a command that was copied is shown whole */
    MESSAGE_ROWS = 8,
    CARD_MAX = 2 * 1024 * 1024,
    CARD_NAME_MAX = 256
};

static const int64_t NOTE_SHOWN_US = (int64_t)20 * SECOND_US;

/* Seconds in a timeline cell, by zoom step. */
static const int32_t ZOOM[] = {1, 2, 5, 10, 30, 60, 300, 600, 3600};
enum { ZOOM_STEPS = sizeof ZOOM / sizeof *ZOOM, ZOOM_FIRST = 3 };

struct app {
    struct app_options options;
    struct view_state state;
    struct {
        const struct view_ops *ops;
        int scroll;
    } stack[DEPTH_MAX];
    int depth; /* views on the stack; the last one is shown */
    int zoom;
    struct prompt prompt;
    struct text filter_before; /* what cancelling the prompt brings back */
    bool filter_before_not;
    struct theme theme;
    char theme_name[64];
    char message[MESSAGE_MAX];
    char control[CONTROL_WORDS_MAX];
    struct text copied;
    struct buf card, card_name;
    enum feed_request request;
    int64_t seek_to, live_now;
};

struct app *app_new(const struct app_options *options)
{
    struct app *app = mem_new(sizeof *app);
    app->options = *options;
    app->zoom = ZOOM_FIRST;
    app->live_now = -1;
    app->stack[0].ops = &view_fleet;
    app->depth = 1;
    app->state.ascii = options->ascii;
    app->state.replay = options->replay;
    app->state.speed = 1;
    app->state.moved_at = -1;
    app->state.cell_us = (int64_t)ZOOM[app->zoom] * SECOND_US;
    app->state.keymap = &app->options.keymap;
    app->state.message = app->message;
    buf_init(&app->card, CARD_MAX);
    buf_init(&app->card_name, CARD_NAME_MAX);
    struct conf_problems problems = {0}; /* whoever chose the theme has told of them already */
    snprintf(app->theme_name, sizeof app->theme_name, "%s", options->theme ? options->theme : "default");
    if (theme_load(options->theme ? options->theme : "default", options->themes_dir, &app->theme, &problems) !=
        STATUS_OK)
        theme_default(&app->theme);
    conf_problems_free(&problems);
    return app;
}

void app_free(struct app *app)
{
    if (!app)
        return;
    text_free(&app->state.filter);
    text_free(&app->state.text_filter);
    text_free(&app->filter_before);
    text_free(&app->copied);
    buf_free(&app->card);
    buf_free(&app->card_name);
    mem_free(app->state.order);
    mem_free(app);
}

const struct theme *app_theme(const struct app *app)
{
    return &app->theme;
}

const char *app_control_line(struct app *app)
{
    return app->control;
}

const struct text *app_copied(const struct app *app)
{
    return &app->copied;
}

const struct buf *app_card(const struct app *app, const char **name)
{
    *name = buf_str(&app->card_name);
    return &app->card;
}

enum feed_request app_feed_request(struct app *app, int64_t *seek_to)
{
    enum feed_request request = app->request;
    *seek_to = app->seek_to;
    app->request = FEED_NOTHING;
    return request;
}

void app_set_playback(struct app *app, bool paused, double speed, bool at_end, bool back_in_time)
{
    app->state.paused = paused;
    app->state.speed = speed;
    app->state.at_end = at_end;
    app->state.back_in_time = back_in_time;
}

void app_set_live(struct app *app, int64_t live_now)
{
    app->live_now = live_now;
}

void app_message(struct app *app, const char *sentence)
{
    snprintf(app->message, sizeof app->message, "%s", sentence);
}

/* ---- keys ---- */

static const struct view_ops *app_top(const struct app *app)
{
    return app->stack[app->depth - 1].ops;
}

static void app_view_begins(struct app *app, int scroll)
{
    app->state.scroll = scroll;
    app->state.anchor = 0;
    text_free(&app->state.text_filter);
    app->state.text_filter_not = false;
}

static int app_push(struct app *app, const struct view_ops *ops)
{
    if (app->depth == DEPTH_MAX || app_top(app) == ops)
        return REACT_NOTHING;
    app->stack[app->depth - 1].scroll = app->state.scroll;
    app->stack[app->depth++].ops = ops;
    app_view_begins(app, 0);
    return REACT_PAINT;
}

/* Back by one view. On the fleet view Escape takes filters and the choice of a pod back, and q quits. */
static int app_back(struct app *app, int key)
{
    struct view_state *state = &app->state;
    if (app->depth > 1) {
        if (!text_empty(&state->text_filter) && key == KEY_ESCAPE_) {
            app_view_begins(app, 0);
            return REACT_PAINT;
        }
        app->depth--;
        app_view_begins(app, app->stack[app->depth - 1].scroll);
        return REACT_PAINT;
    }
    if (key != KEY_ESCAPE_)
        return REACT_QUIT;
    if (!text_empty(&state->filter) || state->faults_only) {
        text_free(&state->filter);
        state->filter_not = state->faults_only = false;
    } else
        state->chosen = false;
    state->moved_at = -1;
    state->order_count = 0;
    state->top = 0;
    return REACT_PAINT;
}

static int app_request(struct app *app, enum feed_request request, int64_t seek_to)
{
    app->request = request;
    app->seek_to = seek_to;
    return REACT_FEED | REACT_PAINT;
}

static int app_zoom(struct app *app, int by)
{
    int zoom = app->zoom + by;
    if (zoom < 0 || zoom >= ZOOM_STEPS)
        return REACT_NOTHING;
    app->zoom = zoom;
    app->state.cell_us = (int64_t)ZOOM[zoom] * SECOND_US;
    return REACT_PAINT;
}

static int app_next_theme(struct app *app)
{
    char **names = app->options.theme_names;
    struct conf_problems problems = {0};
    size_t at = 0, count = 0;
    char words[128];
    for (; names && names[count]; count++)
        if (strcmp(names[count], app->theme_name) == 0)
            at = count + 1;
    if (count == 0)
        return REACT_NOTHING;
    const char *name = names[at % count];
    snprintf(app->theme_name, sizeof app->theme_name, "%s", name);
    enum status status = theme_load(name, app->options.themes_dir, &app->theme, &problems);
    if (problems.count > 0)
        app_message(app, problems.list[0].text);
    else {
        snprintf(words, sizeof words, "theme %.64s%s", name, status == STATUS_OK ? "" : " cannot be read");
        app_message(app, words);
    }
    conf_problems_free(&problems);
    return REACT_THEME | REACT_PAINT;
}

static int app_control(struct app *app, const char *word)
{
    if (app->state.selected == 0)
        return REACT_NOTHING;
    snprintf(app->control, sizeof app->control, "%s %" PRIu32, word, app->state.selected);
    return app->options.replay ? REACT_NOTHING : REACT_CONTROL;
}

/* Nobody can know that it arrived: so it is shown too, to be selected by hand. */
static int app_copy(struct app *app, const char *what, const struct text *words)
{
    char sentence[MESSAGE_MAX];
    const char *done = app->options.clipboard;
    text_copy(&app->copied, words);
    snprintf(sentence, sizeof sentence, "%s %s: %s", *done ? done : "no clipboard here, select", what, text_str(words));
    app_message(app, sentence);
    return REACT_PAINT | (*done ? REACT_COPY : REACT_NOTHING);
}

/* The one that is shown beside "do". */
static int app_copy_command(struct app *app, const struct fleet *fleet, const struct pod *pod, int64_t now)
{
    struct hints hints;
    struct text command = {0};
    int64_t moment = widget_moment(fleet, pod, widget_floor(fleet, now, SECOND_US));
    int reactions = REACT_PAINT;
    pod_hints(fleet, pod, moment, &hints);
    if (hints_command(&hints, pod, moment, &command))
        reactions = app_copy(app, "the command", &command);
    else
        app_message(app, "no command is shown for this pod: there is nothing to copy");
    text_free(&command);
    hints_free(&hints);
    return reactions;
}

/* What is done with the selected pod's words. */
static int app_take(struct app *app, const struct fleet *fleet, int64_t now, enum action action)
{
    const struct pod *pod = fleet_pod(fleet, app->state.selected);
    if (!pod)
        return REACT_NOTHING;
    if (action == ACTION_COPY_NAME)
        return app_copy(app, "the pod's name", &pod->facts.name);
    if (action == ACTION_COPY_COMMAND)
        return app_copy_command(app, fleet, pod, now);
    buf_clear(&app->card);
    buf_clear(&app->card_name);
    report_card(fleet, pod, now, &app->card);
    report_card_name(fleet, pod, now, &app->card_name);
    return REACT_CARD | REACT_PAINT;
}

static struct text *app_filter(struct app *app, bool * * not )
{
    bool fleet = app_top(app)->where == IN_FLEET;
    *not = fleet ? &app->state.filter_not : &app->state.text_filter_not;
    return fleet ? &app->state.filter : &app->state.text_filter;
}

static int app_open_filter(struct app *app)
{
    bool * not ;
    const struct text *filter = app_filter(app, &not );
    struct text value = {0};
    text_copy(&app->filter_before, filter);
    app->filter_before_not = *not ;
    text_printf(&value, TEXT_NAME, "%s%s", *not ? "!" : "", text_str(filter));
    prompt_open(&app->prompt, "/", text_str(&value));
    text_free(&value);
    return REACT_PAINT;
}

/* Filters as you type. */
static int app_prompt_key(struct app *app, int key)
{
    char value[4 * PROMPT_CHARACTERS_MAX + 1];
    bool * not ;
    struct text *filter = app_filter(app, &not );
    enum prompt_step step = prompt_key(&app->prompt, key);
    if (step == PROMPT_NOTHING)
        return REACT_NOTHING;
    if (step == PROMPT_CANCELLED) {
        text_copy(filter, &app->filter_before);
        *not = app->filter_before_not;
    } else {
        const char *typed = prompt_value(&app->prompt, value, sizeof value);
        *not = typed[0] == '!';
        text_set_str(filter, typed + (*not ? 1 : 0), TEXT_NAME);
    }
    app->state.order_count = 0;
    app->state.top = 0;
    app->state.scroll = 0;
    return REACT_PAINT;
}

/* A key whose consequence may not be seen: in the columns that are shown, or at once. */
static int app_say(struct app *app, enum action action, const struct fleet *fleet, int reactions)
{
    char words[MESSAGE_MAX] = "";
    const struct pod *pod = fleet_pod(fleet, app->state.selected);
    if (action == ACTION_SORT || action == ACTION_SORT_BACK || action == ACTION_INVERT)
        view_fleet_order_words(&app->state, words, sizeof words);
    else if (action == ACTION_WIDE)
        snprintf(words, sizeof words, "%s", app->state.wide ? "all columns that fit" : "fewer columns");
    else if (action == ACTION_PROBE_NOW && reactions & REACT_CONTROL && pod)
        snprintf(words, sizeof words, "probes go out to %s now", text_str(&pod->facts.name));
    if (reactions != REACT_NOTHING && words[0])
        app_message(app, words);
    return reactions | (words[0] ? REACT_PAINT : REACT_NOTHING);
}

/* What means the same in every view; REACT_NOTHING for what is the view's own. */
static int app_act(struct app *app, const struct fleet *fleet, int64_t now, enum action action, int key)
{
    struct view_state *state = &app->state;
    switch (action) {
    case ACTION_OPEN:
        return state->selected ? app_push(app, &view_pod) : REACT_NOTHING;
    case ACTION_BACK:
        return app_back(app, key);
    case ACTION_LOGS:
        return state->selected ? app_push(app, &view_logs) | app_control(app, "logs") : REACT_NOTHING;
    case ACTION_EVENTS:
        return state->selected ? app_push(app, &view_events) : REACT_NOTHING;
    case ACTION_HELP:
        return app_push(app, &view_help);
    case ACTION_FILTER:
        return app_open_filter(app);
    case ACTION_EARLIER:
        return app_request(app, FEED_SEEK,
                           now - CELLS_A_STEP * state->cell_us < 0 ? 0 : now - CELLS_A_STEP * state->cell_us);
    case ACTION_LATER:
        return app_request(app, FEED_SEEK, now + CELLS_A_STEP * state->cell_us);
    case ACTION_TIME_FIRST:
        return app_request(app, FEED_SEEK, 0);
    case ACTION_NOW:
        return app_request(app, FEED_SEEK, INT64_MAX);
    case ACTION_ZOOM_IN:
        return app_zoom(app, -1);
    case ACTION_ZOOM_OUT:
        return app_zoom(app, 1);
    case ACTION_FREEZE:
        return app_request(app, FEED_TOGGLE_PAUSE, 0);
    case ACTION_FASTER:
        return app_request(app, FEED_FASTER, 0);
    case ACTION_SLOWER:
        return app_request(app, FEED_SLOWER, 0);
    case ACTION_PROBE_NOW:
        return app_say(app, action, fleet, app_control(app, "probe"));
    case ACTION_COPY_NAME:
    case ACTION_COPY_COMMAND:
    case ACTION_CARD:
        return app_take(app, fleet, now, action);
    case ACTION_THEME:
        return app_next_theme(app);
    case ACTION_REDRAW:
        return REACT_REDRAW | REACT_PAINT;
    case ACTION_SUSPEND:
        return REACT_SUSPEND;
    case ACTION_QUIT:
        return REACT_QUIT;
    default:
        return app_say(app, action, fleet, app_top(app)->act(state, fleet, now, action));
    }
}

int app_key(struct app *app, const struct fleet *fleet, int64_t now, int key)
{
    int cleared = app->message[0] ? REACT_PAINT : REACT_NOTHING;
    app->message[0] = '\0';
    if (app->prompt.open)
        return app_prompt_key(app, key) | cleared;
    int where = app_top(app)->where | (app->options.replay ? IN_REPLAY : 0);
    enum action action = keymap_action(&app->options.keymap, key, where);
    return action == ACTION_NONE ? cleared : app_act(app, fleet, now, action, key) | cleared;
}

/* ---- painting ---- */

static bool fleet_restless(const struct fleet *fleet, int64_t now)
{
    for (uint32_t i = 0; i < fleet->count; i++)
        if (widget_restless(fleet->pods[i], now))
            return true;
    return false;
}

/* What stands at the right of the first line: what moment is shown and how it moves. */
static void status_words(const struct app *app, const struct fleet *fleet, int64_t now, char *out, size_t size)
{
    const struct view_state *state = &app->state;
    char clock[32] = "", ago[24] = "", speed[32] = "";
    if (fleet->clock.wall_zero != 0)
        clock_format(fleet_wall(fleet, now), state->restless ? CLOCK_HMS : CLOCK_HM, clock, sizeof clock);
    if (state->back_in_time) {
        char span[16];
        if (app->live_now >= 0 && app->live_now >= now)
            snprintf(ago, sizeof ago, ", %s ago", clock_age(app->live_now - now, span, sizeof span));
        snprintf(out, size, "at %s%s", clock, ago);
        return;
    }
    if (state->replay)
        snprintf(speed, sizeof speed, "▶ %gx  ", state->speed);
    else if (fleet->clock.speed > 0 && fleet->clock.speed != 1) /* else the clock's jumps are not understood */
        snprintf(speed, sizeof speed, state->columns >= 100 ? "%g times as fast  " : "%gx  ", fleet->clock.speed);
    const char *word = state->paused                   ? (state->replay ? "paused  " : "FROZEN  ")
                       : state->at_end || fleet->ended ? "over  "
                                                       : speed;
    snprintf(out, size, "%s%s", word, clock);
}

/* The key that the bottom line names for an action. */
static int shown_key(const struct app *app, enum action action)
{
    const struct keymap *keymap = &app->options.keymap;
    if (action == ACTION_QUIT && app->depth == 1 && keymap_action(keymap, 'q', IN_FLEET) == ACTION_BACK)
        return 'q';
    return keymap->keys[action][0];
}

static bool action_useful(const struct app *app, enum action action)
{
    const struct view_state *state = &app->state;
    int where = action_where(action);
    bool plays = app->options.replay && !state->at_end;
    if (!(where & app_top(app)->where) || ((where & IN_REPLAY) && !plays) || !*action_label(action) ||
        shown_key(app, action) == KEY_NONE)
        return false;
    switch (action) {
    case ACTION_OPEN:
    case ACTION_LOGS:
    case ACTION_EVENTS:
    case ACTION_COPY_COMMAND:
    case ACTION_CARD:
        return state->selected != 0;
    case ACTION_NEXT_POD:
    case ACTION_SORT:
        return state->order_count > 1;
    case ACTION_BACK:
        return app->depth > 1 || !text_empty(&state->filter) || state->faults_only;
    case ACTION_HELP:
        return app_top(app) != &view_help;
    default:
        return true;
    }
}

/* "←→ time": the other direction's key stands beside. */
static const char *hint_key(const struct app *app, enum action action, char *out, size_t size)
{
    keymap_key_name(shown_key(app, action), app->state.ascii, out, size);
    int other = app->options.keymap.keys[ACTION_LATER][0];
    size_t used = strlen(out);
    if (action == ACTION_EARLIER && other != KEY_NONE && !app->state.ascii)
        keymap_key_name(other, false, out + used, size - used);
    return out;
}

static int hint_columns(const struct app *app, enum action action)
{
    char key[32];
    hint_key(app, action, key, sizeof key);
    return (int)(text_columns(key, strlen(key)) + 1 + strlen(action_label(action)) + 3);
}

/* The keys that do something here, as many as fit; how to get help and out is never left away for others. */
static void paint_keys(const struct app *app, struct canvas *canvas, int row)
{
    int room = canvas->columns, column = 1;
    for (int action = ACTION_HELP; action <= ACTION_QUIT; action++)
        if (action_useful(app, (enum action)action))
            room -= hint_columns(app, (enum action)action);
    for (int action = 0; action < ACTION_COUNT; action++) {
        char key[32];
        enum action hint = (enum action)action;
        bool last = hint == ACTION_HELP || hint == ACTION_QUIT;
        int width = hint_columns(app, hint);
        if (!action_useful(app, hint) || (!last && column + width > room) ||
            (last && column + width - 3 > canvas->columns))
            continue;
        column = canvas_puts(canvas, row, column, canvas->columns - column, STYLE_ACCENT,
                             hint_key(app, hint, key, sizeof key));
        column = canvas_puts(canvas, row, column + 1, canvas->columns - column, STYLE_MUTED, action_label(hint));
        column += canvas->columns >= 60 ? 3 : 2;
    }
}

/* In as many of the lowest rows as it takes, so that a command, or a Role to be applied, can be selected whole. */
static void paint_words(const struct text *words, struct canvas *canvas)
{
    int width = canvas->columns - 2, most = canvas->rows / 2 < MESSAGE_ROWS ? canvas->rows / 2 : MESSAGE_ROWS;
    int rows = canvas_wrap(canvas, canvas->rows, 1, width, most > 1 ? most : 1, STYLE_WARN, words);
    for (int row = canvas->rows - rows; row < canvas->rows; row++)
        canvas_fill(canvas, row, 0, canvas->columns, STYLE_TEXT, " ");
    canvas_wrap(canvas, canvas->rows - rows, 1, width, rows, STYLE_WARN, words);
}

static void paint_message(const struct app *app, struct canvas *canvas)
{
    struct text words = {0};
    text_set_str(&words, app->message, MESSAGE_MAX);
    paint_words(&words, canvas);
    text_free(&words);
}

static void paint_bottom(const struct app *app, const struct fleet *fleet, int64_t now, struct canvas *canvas)
{
    int row = canvas->rows - 1;
    if (canvas->rows < 2)
        return;
    canvas_fill(canvas, row, 0, canvas->columns, STYLE_TEXT, " ");
    const struct note *note = fleet->note_count > 0 ? &fleet->notes[0] : NULL;
    if (app->prompt.open)
        prompt_paint(&app->prompt, canvas, row);
    else if (app->message[0])
        paint_message(app, canvas);
    else if (note && now - note->t < NOTE_SHOWN_US)
        paint_words(&note->words, canvas);
    else if (fleet->source >= SOURCE_LOST && fleet->count > 0)
        paint_words(&fleet->source_detail, canvas);
    else
        paint_keys(app, canvas, row);
}

void app_paint(struct app *app, const struct fleet *fleet, int64_t now, struct canvas *canvas)
{
    struct view_state *state = &app->state;
    char words[80];
    now = widget_floor(fleet, now, SECOND_US); /* everything that ticks does so at one moment */
    state->columns = canvas->columns;
    state->rows = canvas->rows;
    bool plays = state->replay && !state->at_end; /* a replay that is over looks as the live run did at its end */
    state->restless = state->paused || plays || state->back_in_time || fleet_restless(fleet, now);
    status_words(app, fleet, now, words, sizeof words);
    int width = (int)text_columns(words, strlen(words)) + (state->ascii ? 1 : 0);
    bool shown = width > 0 && canvas->columns >= 40 && (canvas->columns >= 60 || state->paused || state->back_in_time);
    state->header_columns = canvas->columns - 1 - (shown ? width + 2 : 0);
    canvas_clear(canvas);
    app_top(app)->paint(state, fleet, now, canvas);
    if (shown) {
        canvas_fill(canvas, 0, state->header_columns, width + 3, STYLE_TEXT, " ");
        canvas_right(canvas, 0, canvas->columns - 1 - width, width,
                     state->paused || state->back_in_time ? STYLE_WARN : STYLE_TEXT, words);
    }
    paint_bottom(app, fleet, now, canvas);
}

int64_t app_next_change(const struct app *app, const struct fleet *fleet, int64_t now)
{
    const struct view_state *state = &app->state;
    if (state->paused || (state->replay && state->at_end))
        return INT64_MAX / 2;
    bool restless = fleet_restless(fleet, widget_floor(fleet, now, SECOND_US));
    int64_t step = restless || state->replay ? SECOND_US : QUIET_STEP_US;
    if (app_top(app)->where != IN_TEXT && state->cell_us < step)
        step = state->cell_us;
    int64_t next = widget_floor(fleet, now, step) + step;
    int64_t note_ends = fleet->note_count > 0 ? fleet->notes[0].t + NOTE_SHOWN_US : 0;
    note_ends = widget_floor(fleet, note_ends, SECOND_US) + SECOND_US;
    return note_ends > now && note_ends < next ? note_ends : next;
}
