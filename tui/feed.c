#include "tui/feed.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>

static const double SLOWEST = 0.125, FASTEST = 1024;
static const int64_t NEVER = INT64_MAX / 2;

struct feed {
    struct journal_reader *reader; /* owned */
    struct fleet *fleet;           /* owned */
    bool live, paused;
    bool begun;       /* the first fact has been read since the (re)start; first_t is known */
    bool lost;        /* live: nothing new comes into the journal any more */
    bool at_end;      /* replay: everything is folded */
    bool to_end;      /* replay: on the way to the end, time does not count */
    bool behind;      /* the last pump ran out of budget */
    struct fact next; /* read ahead and not due yet, when has_next */
    bool has_next;
    int64_t first_t;
    int64_t held;      /* t of the picture at base_mono, and as long as time stands */
    int64_t base_mono; /* replay: clock_mono_us() when `held` was right */
    double speed;      /* replay */
    struct fleet_limits limits;
    struct clock_numbers clock; /* the run's, kept while the journal is folded again */
    char problem[PROBLEM_MAX];
};

struct feed *feed_new(struct journal_reader *reader, bool live, double speed, const struct signatures *signatures)
{
    struct feed *feed = mem_new(sizeof *feed);
    feed->reader = reader;
    feed->live = live;
    feed->held = INT64_MIN;
    feed->limits = fleet_limits_reader();
    feed->limits.signatures = signatures;
    feed->fleet = fleet_new(feed->limits);
    feed_speed(feed, speed);
    return feed;
}

static void feed_drop_next(struct feed *feed)
{
    if (feed->has_next)
        fact_free(&feed->next);
    feed->has_next = false;
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    feed_drop_next(feed);
    fleet_free(feed->fleet);
    journal_reader_free(feed->reader);
    mem_free(feed);
}

/* ---- what time it is ---- */

/* Replay: where the playback stands. */
static int64_t feed_position(const struct feed *feed)
{
    if (feed->paused || !feed->begun)
        return feed->held;
    return feed->held + (int64_t)((double)(clock_mono_us() - feed->base_mono) * feed->speed);
}

/* Replay: makes `t` the position from here on. */
static void feed_place(struct feed *feed, int64_t t)
{
    feed->held = t;
    feed->base_mono = clock_mono_us();
}

/* The run's clock, from the numbers in its hello. */
static int64_t feed_live_now(const struct feed *feed)
{
    struct clock clock = {
        .mono_zero = feed->clock.mono_zero, .wall_zero = feed->clock.wall_zero, .speed = feed->clock.speed};
    int64_t now = clock.speed > 0 ? clock_now(&clock) : feed->fleet->t;
    return now > feed->fleet->t ? now : feed->fleet->t;
}

/* Nothing comes after what is folded. */
static bool feed_is_over(const struct feed *feed)
{
    return feed->fleet->ended || feed->lost;
}

int64_t feed_now(const struct feed *feed)
{
    if (!feed->begun)
        return feed->held == INT64_MIN ? 0 : feed->held;
    if (feed->live && feed->paused)
        return feed->held;
    if (feed_is_over(feed) || feed->at_end || feed->to_end)
        return feed->fleet->t; /* nothing comes after: a replay then shows what the live run showed */
    if (feed->live)
        return feed_live_now(feed);
    int64_t now = feed_position(feed);
    return feed->has_next && now > feed->next.t ? feed->next.t : now; /* not past what is not in the picture yet */
}

/* Facts up to here are due. */
static int64_t feed_limit(const struct feed *feed)
{
    if (feed->live)
        return feed->paused ? feed->held : INT64_MAX;
    return feed->to_end ? INT64_MAX : feed_position(feed);
}

/* ---- reading ---- */

/* STATUS_OK: feed->next is there. STATUS_BAD_INPUT: a line was no fact, go on. Otherwise: nothing more now. */
static enum status feed_read(struct feed *feed)
{
    struct problem problem = {""};
    if (feed->has_next)
        return STATUS_OK;
    enum status status = journal_next(feed->reader, &feed->next, &problem);
    feed->has_next = status == STATUS_OK;
    if (status == STATUS_UNSUPPORTED)
        return STATUS_BAD_INPUT; /* a kind that a later version writes: nothing is wrong */
    if (status == STATUS_BAD_INPUT || status == STATUS_IO)
        snprintf(feed->problem, sizeof feed->problem, "%s", problem.text);
    if (status != STATUS_OK || feed->begun)
        return status;
    feed->begun = true;
    feed->first_t = feed->next.t;
    if (feed->held < feed->first_t)
        feed_place(feed, feed->first_t);
    return status;
}

bool feed_pump(struct feed *feed, int budget)
{
    bool changed = false;
    enum status status = STATUS_OK;
    if (feed->at_end)
        return false;
    feed->behind = false;
    for (int read = 0; !feed->fleet->ended; read++) {
        if (read == budget) {
            feed->behind = true;
            return changed;
        }
        status = feed_read(feed);
        if (status == STATUS_BAD_INPUT)
            continue;
        if (status != STATUS_OK || feed->next.t > feed_limit(feed))
            break;
        fleet_apply(feed->fleet, &feed->next);
        if (feed->next.kind == FACT_HELLO)
            feed->clock = feed->fleet->clock;
        feed_drop_next(feed);
        changed = true;
    }
    if (!feed->live && (feed->fleet->ended || status != STATUS_OK)) {
        feed->at_end = true;
        feed->to_end = false;
        feed_place(feed, feed->fleet->t);
        changed = true;
    }
    return changed;
}

bool feed_behind(const struct feed *feed)
{
    return feed->behind;
}

const struct fleet *feed_fleet(const struct feed *feed)
{
    return feed->fleet;
}

int64_t feed_real_ms_until_next(const struct feed *feed)
{
    if (feed->live || feed->at_end)
        return NEVER;
    if (feed->behind || feed->to_end || !feed->has_next)
        return 0; /* the next pump tells */
    if (feed->paused)
        return NEVER;
    double wait = ceil((double)(feed->next.t - feed_position(feed)) / MILLISECOND_US / feed->speed);
    return wait > 0 ? (int64_t)wait : 0;
}

/* ---- playback ---- */

void feed_pause(struct feed *feed, bool paused)
{
    if (paused == feed->paused)
        return;
    if (paused || !feed->live)
        feed_place(feed, feed_now(feed));
    feed->paused = paused;
}

bool feed_paused(const struct feed *feed)
{
    return feed->paused;
}

void feed_speed(struct feed *feed, double speed)
{
    if (feed->begun && !feed->live)
        feed_place(feed, feed_now(feed));
    feed->speed = speed < SLOWEST ? SLOWEST : speed > FASTEST ? FASTEST : speed;
}

double feed_speed_now(const struct feed *feed)
{
    if (feed->live)
        return feed->clock.speed > 0 ? feed->clock.speed : 1;
    return feed->speed;
}

/* Folds anew when something later than `t` is in the picture already. */
static void feed_back_to(struct feed *feed, int64_t t)
{
    struct problem problem = {""};
    feed->at_end = false;
    if (feed->fleet->t <= t)
        return;
    if (journal_rewind(feed->reader) != STATUS_OK) {
        problem_set(&problem, STATUS_IO, "the journal cannot be read again from its beginning");
        snprintf(feed->problem, sizeof feed->problem, "%s", problem.text);
        return;
    }
    feed_drop_next(feed);
    fleet_free(feed->fleet);
    feed->fleet = fleet_new(feed->limits);
    feed->begun = false;
}

void feed_seek(struct feed *feed, int64_t t)
{
    if (feed->begun && t < feed->first_t)
        t = feed->first_t;
    if (feed->live) {
        int64_t now = feed_is_over(feed) ? feed->fleet->t : feed_live_now(feed);
        feed->paused = t < now;
        if (!feed->paused)
            return;
    } else if (t == INT64_MAX) {
        feed->to_end = !feed->at_end;
        return;
    }
    feed->to_end = false;
    feed_back_to(feed, t);
    feed_place(feed, t);
}

void feed_follow(struct feed *feed, const char *dir)
{
    struct problem problem = {""};
    if (journal_follow(feed->reader, dir, &problem) != STATUS_OK)
        snprintf(feed->problem, sizeof feed->problem, "%s", problem.text);
}

void feed_lose(struct feed *feed)
{
    feed->lost = true;
}

bool feed_is_live(const struct feed *feed)
{
    return feed->live;
}

bool feed_at_end(const struct feed *feed)
{
    return feed->live ? feed_is_over(feed) && !feed->paused : feed->at_end;
}

const char *feed_problem(const struct feed *feed)
{
    return feed->problem;
}
