#include "tui/screen.h"

#include "base/mem.h"
#include "engine/control.h"
#include "tui/app.h"
#include "tui/card_file.h"
#include "tui/clipboard.h"
#include "tui/feed.h"
#include "tui/term.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int SIGNALS[] = {SIGTSTP, SIGWINCH, SIGCONT, SIGTERM, SIGINT, SIGHUP};
enum {
    SIGNAL_COUNT = sizeof SIGNALS / sizeof SIGNALS[0],
    SIGNAL_TSTP = 0, /* its place in the list */
    FRAME_MS = 100,  /* at most ten frames a second */
    FACTS_A_PUMP = 4000 /* between two looks at the keyboard */,
    FAREWELL_MS = 3000, /* how long the engine half may take to end */
    RESTORE_MAX = 1024
};
static const int64_t NEVER = INT64_MAX / 2;

struct screen {
    uv_loop_t loop;
    uv_poll_t keys;
    uv_timer_t frame, bound;
    uv_signal_t signals[SIGNAL_COUNT];
    const struct options *options;
    const char *journal;
    char *moved;       /* where it went on last; NULL: it did not move */
    struct term *term; /* NULL once it is given back */
    struct app *app;
    struct feed *feed;
    struct control *control; /* NULL in a replay, and when the engine half has gone */
    struct canvas canvas;
    char **themes;
    int clipboard;      /* how the terminal's is reached: bits of enum clipboard_way */
    bool dirty;         /* the picture may have changed */
    bool fresh;         /* there is something new in the journal */
    bool back_in_time;  /* live, but the user went to an earlier moment */
    int64_t repaint_at; /* t at which the picture changes by time alone */
    int64_t painted_at; /* clock_mono_us() */
    bool leaving, hung_up, engine_died;
    int exit_code;
    struct guard_groups groups;     /* of the engine half's children, to be ended when it cannot */
    char bye[PROBLEM_MAX];          /* why the engine half ends, in its own words */
    char told_problem[PROBLEM_MAX]; /* the feed's newest that the user has been shown */
};

/* ---- frames ---- */

static void on_frame(uv_timer_t *timer);

static bool time_stands(const struct screen *screen)
{
    return feed_paused(screen->feed) || feed_at_end(screen->feed);
}

static int64_t since_paint_ms(const struct screen *screen)
{
    return (clock_mono_us() - screen->painted_at) / MILLISECOND_US;
}

static int64_t repaint_wait_ms(const struct screen *screen)
{
    if (time_stands(screen) || screen->repaint_at >= NEVER)
        return NEVER;
    int64_t span = screen->repaint_at - feed_now(screen->feed);
    double wait = ceil((double)span / MILLISECOND_US / feed_speed_now(screen->feed));
    return wait > 0 ? (int64_t)wait : 0;
}

/* Sets the timer for the next thing to do; none when there is nothing: then not a byte is written and nothing wakes up. */
static void screen_arm(struct screen *screen)
{
    int64_t wait = screen->dirty || screen->fresh ? 0 : feed_real_ms_until_next(screen->feed);
    int64_t repaint = repaint_wait_ms(screen);
    int64_t since = since_paint_ms(screen);
    if (screen->leaving)
        return;
    wait = repaint < wait ? repaint : wait;
    if (wait < FRAME_MS - since)
        wait = FRAME_MS - since;
    if (feed_behind(screen->feed))
        wait = 0;
    if (wait >= NEVER)
        uv_timer_stop(&screen->frame);
    else
        uv_timer_start(&screen->frame, on_frame, (uint64_t)wait, 0);
}

static void screen_paint(struct screen *screen)
{
    const struct fleet *fleet = feed_fleet(screen->feed);
    int64_t now = feed_now(screen->feed);
    app_set_playback(screen->app, feed_paused(screen->feed), feed_speed_now(screen->feed), feed_at_end(screen->feed),
                     screen->back_in_time);
    struct clock live = {fleet->clock.mono_zero, fleet->clock.wall_zero, fleet->clock.speed, 0};
    app_set_live(screen->app, screen->back_in_time ? clock_now(&live) : -1);
    app_paint(screen->app, fleet, now, &screen->canvas);
    term_show(screen->term, &screen->canvas);
    screen->repaint_at = app_next_change(screen->app, fleet, now);
    screen->painted_at = clock_mono_us();
    screen->dirty = false;
}

static void tell_feed_problem(struct screen *screen)
{
    const char *problem = feed_problem(screen->feed);
    if (strcmp(problem, screen->told_problem) == 0)
        return;
    snprintf(screen->told_problem, sizeof screen->told_problem, "%s", problem);
    app_message(screen->app, problem);
    screen->dirty = true;
}

static void on_frame(uv_timer_t *timer)
{
    struct screen *screen = timer->data;
    if (screen->leaving)
        return;
    screen->fresh = false;
    if (feed_pump(screen->feed, FACTS_A_PUMP))
        screen->dirty = true;
    if (!time_stands(screen) && feed_now(screen->feed) >= screen->repaint_at)
        screen->dirty = true;
    tell_feed_problem(screen);
    uv_update_time(&screen->loop);
    if (screen->dirty && since_paint_ms(screen) >= FRAME_MS)
        screen_paint(screen);
    screen_arm(screen);
}

static void screen_fit(struct screen *screen)
{
    canvas_resize(&screen->canvas, term_columns(screen->term), term_rows(screen->term));
    screen->dirty = true;
}

/* ---- leaving ---- */

static void close_handle(uv_handle_t *handle, void *user)
{
    (void)user;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void screen_over(struct screen *screen)
{
    struct control *control = screen->control;
    screen->control = NULL;
    if (control)
        control_free(control);
    close_handle((uv_handle_t *)&screen->keys, NULL);
    close_handle((uv_handle_t *)&screen->frame, NULL);
    close_handle((uv_handle_t *)&screen->bound, NULL);
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        close_handle((uv_handle_t *)&screen->signals[i], NULL);
}

static void on_bound(uv_timer_t *timer)
{
    screen_over(timer->data);
}

/* Gives the terminal back at once, then waits for the engine half to end in good order, but not for ever. Where the terminal itself has gone the engine half is told nothing:
 * it sees this half go, and keeps the journal. */
static void screen_leave(struct screen *screen, int exit_code)
{
    if (screen->leaving)
        return;
    screen->leaving = true;
    screen->exit_code = exit_code;
    term_close(screen->term);
    screen->term = NULL;
    uv_poll_stop(&screen->keys);
    uv_timer_stop(&screen->frame);
    if (!screen->control || screen->hung_up) {
        screen_over(screen);
        return;
    }
    control_send(screen->control, "quit");
    uv_timer_start(&screen->bound, on_bound, FAREWELL_MS, 0);
}

/* ---- the engine half ---- */

static void screen_hear_of_journal(struct screen *screen, const char *line)
{
    if (strncmp(line, "moved ", 6) == 0) {
        mem_free(screen->moved);
        screen->moved = mem_dup(line + 6);
        feed_follow(screen->feed, screen->moved);
    } else if (strcmp(line, "lost") == 0) {
        feed_lose(screen->feed);
        app_message(screen->app, "the journal can be written nowhere any more: the picture stands still");
        screen->dirty = true;
    } else if (strcmp(line, "journal") != 0) {
        return;
    }
    screen->fresh = true;
    screen_arm(screen);
}

static void on_line(void *user, const char *line)
{
    struct screen *screen = user;
    if (line && guard_groups_read(&screen->groups, line))
        return;
    if (!line) {
        screen->engine_died = !screen->leaving;
        screen_leave(screen, 2);
        screen_over(screen);
    } else if (strncmp(line, "bye ", 4) == 0) {
        snprintf(screen->bye, sizeof screen->bye, "%s", line + 4);
    } else if (!screen->leaving) {
        screen_hear_of_journal(screen, line);
    }
}

/* What gives this terminal back, for when this half cannot do it any more. */
static void tell_restore_bytes(struct screen *screen)
{
    struct buf bytes, hex;
    buf_init(&bytes, RESTORE_MAX);
    buf_init(&hex, (size_t)2 * RESTORE_MAX);
    term_restore_bytes(screen->term, &bytes);
    for (size_t i = 0; i < bytes.len; i++)
        buf_printf(&hex, "%02x", (unsigned)(unsigned char)bytes.data[i]);
    control_send(screen->control, "terminal %s", buf_str(&hex));
    buf_free(&hex);
    buf_free(&bytes);
}

/* ---- keys ---- */

static void screen_feed(struct screen *screen)
{
    int64_t to = 0;
    struct feed *feed = screen->feed;
    switch (app_feed_request(screen->app, &to)) {
    case FEED_TOGGLE_PAUSE:
        feed_pause(feed, !feed_paused(feed));
        break;
    case FEED_SEEK:
        feed_seek(feed, to);
        screen->back_in_time = feed_is_live(feed) && feed_paused(feed);
        break;
    case FEED_FASTER:
        feed_speed(feed, feed_speed_now(feed) * 2);
        break;
    case FEED_SLOWER:
        feed_speed(feed, feed_speed_now(feed) / 2);
        break;
    case FEED_NOTHING:
        break;
    }
    screen->back_in_time = screen->back_in_time && feed_paused(feed);
    screen->fresh = screen->dirty = true;
}

/* Stops the whole process group, as the terminal's driver would: a script that started us stops with us. Where nobody could wake us again the system does not stop us. */
static void screen_suspend(struct screen *screen)
{
    term_suspend(screen->term);
    uv_signal_stop(&screen->signals[SIGNAL_TSTP]);
    kill(0, SIGTSTP);
    term_resume(screen->term);
    screen_fit(screen);
}

/* ---- copying ---- */

static void screen_copy(struct screen *screen)
{
    struct buf bytes;
    const struct text *copied = app_copied(screen->app);
    buf_init(&bytes, (size_t)8 * CLIPBOARD_TEXT_MAX);
    if (clipboard_sequence(screen->clipboard, text_str(copied), copied->len, &bytes))
        term_send(screen->term, buf_str(&bytes), bytes.len);
    buf_free(&bytes);
}

static void screen_write_card(struct screen *screen)
{
    const char *name;
    struct problem said = {""};
    const struct buf *card = app_card(screen->app, &name);
    card_file_write(name, card, &said);
    app_message(screen->app, said.text);
}

static void on_signal(uv_signal_t *signal, int number);

static void screen_react(struct screen *screen, int reactions)
{
    if (reactions & REACT_QUIT) {
        screen_leave(screen, 0);
        return;
    }
    if (reactions & REACT_CONTROL && screen->control)
        control_send(screen->control, "%s", app_control_line(screen->app));
    if (reactions & REACT_THEME)
        term_theme(screen->term, app_theme(screen->app));
    if (reactions & REACT_REDRAW)
        term_redraw(screen->term);
    if (reactions & REACT_FEED)
        screen_feed(screen);
    if (reactions & REACT_COPY)
        screen_copy(screen);
    if (reactions & REACT_CARD)
        screen_write_card(screen);
    if (reactions & REACT_SUSPEND) {
        screen_suspend(screen);
        uv_signal_start(&screen->signals[SIGNAL_TSTP], on_signal, SIGTSTP);
    }
    if (reactions)
        screen->dirty = true;
}

static void screen_hang_up(struct screen *screen)
{
    screen->hung_up = true;
    screen_leave(screen, 128 + SIGHUP);
}

static void on_keys(uv_poll_t *poll, int status, int events)
{
    struct screen *screen = poll->data;
    int key;
    (void)events;
    while (!screen->leaving && (key = term_key(screen->term)) != KEY_NONE)
        screen_react(screen, app_key(screen->app, feed_fleet(screen->feed), feed_now(screen->feed), key));
    if (screen->leaving)
        return;
    if (status < 0 || term_gone(screen->term))
        screen_hang_up(screen);
    else
        screen_arm(screen);
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct screen *screen = signal->data;
    if (screen->leaving)
        return;
    switch (number) {
    case SIGHUP:
        screen_hang_up(screen);
        return;
    case SIGTERM:
    case SIGINT:
        screen_leave(screen, 128 + number);
        return;
    case SIGWINCH:
        term_resized(screen->term);
        screen_fit(screen);
        break;
    case SIGCONT:
        term_resume(
            /* it may have been stopped by a signal that cannot be caught, and the shell had the terminal since */
            screen->term);
        screen_fit(screen);
        break;
    default:
        screen_react(screen, REACT_SUSPEND);
        break;
    }
    screen_arm(screen);
}

/* ---- beginning and end ---- */

static void screen_watch(struct screen *screen)
{
    int flags = fcntl(STDIN_FILENO, F_GETFL);
    uv_timer_init(&screen->loop, &screen->frame);
    uv_timer_init(&screen->loop, &screen->bound);
    uv_poll_init(&screen->loop, &screen->keys, STDIN_FILENO);
    fcntl(STDIN_FILENO, F_SETFL, flags); /* libuv made it non-blocking; it is the shell's and our output's as well */
    screen->frame.data = screen->bound.data = screen->keys.data = screen;
    uv_poll_start(&screen->keys, UV_READABLE, on_keys);
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        uv_signal_init(&screen->loop, &screen->signals[i]);
        screen->signals[i].data = screen;
        uv_signal_start(&screen->signals[i], on_signal, SIGNALS[i]);
    }
}

static void screen_new_app(struct screen *screen)
{
    const struct options *options = screen->options;
    screen->themes = theme_names(options_themes_dir());
    screen->clipboard = clipboard_way(getenv("TERM"), getenv("TMUX"), getenv("STY"));
    struct app_options app = {.ascii = options->ascii,
                              .replay = !feed_is_live(screen->feed),
                              .keymap = options->keymap,
                              .theme_names = screen->themes,
                              .theme = options->theme ? options->theme : "default",
                              .themes_dir = options_themes_dir(),
                              .clipboard = clipboard_words(screen->clipboard)};
    screen->app = app_new(&app);
    if (options->problems.count > 0)
        app_message(screen->app, options->problems.list[0].text);
}

/* What the user must still hear, now that the terminal is the shell's again. */
static int screen_epilogue(struct screen *screen, const struct guard *guard)
{
    char words[128];
    int ended = guard ? guard_reap(guard, words, sizeof words) : 0;
    size_t left = guard_groups_end(&screen->groups); /* in an orderly end the engine half has ended them itself */
    if (screen->engine_died && screen->bye[0]) {
        fprintf(stderr, "probetop: %s\n", screen->bye);
    } else if (screen->engine_died || (ended != 0 && !screen->hung_up)) {
        const char *last = screen->moved ? screen->moved : screen->journal;
        fprintf(stderr,
                "probetop: the engine half %s. What it had recorded is in %s%s%s; to look at it: probetop replay %s\n",
                words, screen->journal, screen->moved ? " and then " : "", screen->moved ? screen->moved : "", last);
        if (left > 0)
            fprintf(stderr, "probetop: it left %zu kubectl process%s, ended now\n", left, left > 1 ? "es" : "");
        return 2;
    }
    return screen->exit_code;
}

static void screen_free(struct screen *screen)
{
    app_free(screen->app);
    feed_free(screen->feed);
    canvas_free(&screen->canvas);
    mem_free(screen->moved);
    for (char **name = screen->themes; name && *name; name++)
        mem_free(*name);
    mem_free(screen->themes);
    uv_loop_close(&screen->loop);
}

static enum status screen_open(struct screen *screen, bool live, struct problem *problem)
{
    struct journal_reader *reader = NULL;
    enum status status = journal_open(screen->journal, &reader, problem);
    if (status != STATUS_OK)
        return status;
    status = term_open(screen->options->colour, &screen->term, problem);
    if (status != STATUS_OK) {
        journal_reader_free(reader);
        return status;
    }
    screen->feed =
        feed_new(reader, live, screen->options->speed > 0 ? screen->options->speed : 1, &screen->options->signatures);
    screen_new_app(screen);
    term_theme(screen->term, app_theme(screen->app));
    canvas_init(&screen->canvas, term_columns(screen->term), term_rows(screen->term), screen->options->ascii);
    return STATUS_OK;
}

int screen_run(const struct options *options, struct guard *guard, const char *journal)
{
    struct screen screen = {.options = options, .journal = journal};
    struct problem problem = {""};
    if (screen_open(&screen, guard != NULL, &problem) != STATUS_OK) {
        fprintf(stderr, "probetop: %s\n", problem.text);
        return 2;
    }
    uv_loop_init(&screen.loop);
    screen_watch(&screen);
    if (guard) {
        screen.control = control_new(&screen.loop, guard->fd, on_line, &screen);
        guard->fd = -1;
        tell_restore_bytes(&screen);
    }
    feed_pump(screen.feed, FACTS_A_PUMP);
    screen_paint(&screen);
    screen.fresh = true;
    screen_arm(&screen);
    uv_run(&screen.loop, UV_RUN_DEFAULT);
    int code = screen_epilogue(&screen, guard);
    screen_free(&screen);
    return code;
}
