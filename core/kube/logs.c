#include "kube/logs.h"

#include "base/mem.h"
#include "kube/select.h"

#include <string.h>

/* uthash takes its memory where everybody does. */
#define uthash_malloc(size) mem_new(size)
#define uthash_free(memory, size) mem_free(memory)
#include <uthash.h>

enum {
    TURN_MS = 500,
    PAUSE_S = 1, /* after an end, doubling */
    PAUSE_MAX_S = 16,
    DENIED_PAUSE_S = 60,
    QUIET_S = 3600, /* a server that downloads says nothing for long */
    STAMP_MAX = 40,
    LINES_A_SECOND_MAX = 500
};
static const int64_t NEVER = INT64_MIN;

/* What is read now. */
enum reading { READING_NOTHING, READING_PREVIOUS, READING_LAST, READING_ON };

/* What is permitted is so by namespace. */
struct ground {
    char *ns;
    size_t followers;
    bool denied;    /* told */
    bool been_good; /* one was read since the last telling that none may be */
    bool doubted;   /* a first "forbidden" since then: an API server that begins says so before it knows its rules */
    int64_t denied_until;
    UT_hash_handle hh;
};

struct follower {
    struct logs *logs;
    struct ground *ground;
    uint32_t pod;
    char *name, *container, *run_id;
    int32_t restarts;
    bool running, ready, ended; /* ended: the container's run is over */
    bool was_read;              /* what this run has said so far was read to its end */
    bool previous_wanted;
    enum reading reading;
    uint64_t ticket;
    int64_t ready_at, retry_at, asked_until; /* µs of CLOCK_MONOTONIC */
    int pause;                               /* seconds */
    int64_t last, skip_to; /* wall µs of the newest line told, and up to which the present reading brings known ones */
    int64_t second_began;
    int32_t lines_in_second, lines_dropped;
    UT_hash_handle hh;
};

struct logs {
    struct logs_options options;
    struct follower *followers; /* by pod */
    struct ground *grounds;     /* by namespace: those that have followers */
    size_t open;
    uv_timer_t timer;
    bool turning, crowd_told;
};

struct logs *logs_new(const struct logs_options *options)
{
    struct logs *logs = mem_new(sizeof *logs);
    logs->options = *options;
    uv_timer_init(engine_loop(options->engine), &logs->timer);
    logs->timer.data = logs;
    return logs;
}

static void reading_close(struct follower *follower)
{
    if (follower->ticket != 0) {
        api_cancel(follower->logs->options.api, follower->ticket);
        follower->ticket = 0;
        follower->logs->open--;
    }
    follower->reading = READING_NOTHING;
}

static struct ground *ground_get(struct logs *logs, const char *ns)
{
    struct ground *ground;
    HASH_FIND_STR(logs->grounds, ns, ground);
    if (ground == NULL) {
        ground = mem_new(sizeof *ground);
        ground->ns = mem_dup(ns);
        HASH_ADD_KEYPTR(hh, logs->grounds, ground->ns, strlen(ground->ns), ground);
    }
    ground->followers++;
    return ground;
}

static void ground_leave(struct logs *logs, struct ground *ground)
{
    if (--ground->followers > 0)
        return;
    HASH_DEL(logs->grounds, ground);
    mem_free(ground->ns);
    mem_free(ground);
}

static void follower_free(struct follower *follower)
{
    reading_close(follower);
    ground_leave(follower->logs, follower->ground);
    HASH_DEL(follower->logs->followers, follower);
    mem_free(follower->name);
    mem_free(follower->container);
    mem_free(follower->run_id);
    mem_free(follower);
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void logs_free(struct logs *logs)
{
    struct follower *follower, *next;
    if (logs == NULL)
        return;
    HASH_ITER(hh, logs->followers, follower, next)
    {
        follower_free(follower);
    }
    uv_close((uv_handle_t *)&logs->timer, on_closed);
}

/* ---- lines ---- */

/* Whether another line may be told of in this second. What was left out is told with its number when lines are taken again. */
static bool follower_has_room(struct follower *follower)
{
    int64_t now = clock_mono_us();
    if (now - follower->second_began >= SECOND_US) {
        if (follower->lines_dropped > 0) {
            engine_note(follower->logs->options.engine, "%s: %d log lines left out: more than %d came in a second",
                        follower->name, (int)follower->lines_dropped, LINES_A_SECOND_MAX);
        }
        follower->second_began = now;
        follower->lines_in_second = follower->lines_dropped = 0;
    }
    if (follower->lines_in_second >= LINES_A_SECOND_MAX) {
        follower->lines_dropped++;
        return false;
    }
    follower->lines_in_second++;
    return true;
}

/* "2026-11-24T07:16:17.123456789Z the line": the moment, and how many bytes it takes with its blank; 0: none is there. */
static size_t line_moment(const char *line, size_t length, int64_t *wall)
{
    char stamp[STAMP_MAX];
    const char *blank = memchr(line, ' ', length < sizeof stamp ? length : sizeof stamp);
    size_t size = blank != NULL ? (size_t)(blank - line) : length;
    if (size >= sizeof stamp)
        return 0;
    memcpy(stamp, line, size);
    stamp[size] = '\0';
    if (!clock_parse_rfc3339(stamp, wall))
        return 0;
    return blank != NULL ? size + 1 : size;
}

static void on_line(void *user, const char *line, size_t length)
{
    struct follower *follower = user;
    struct engine *engine = follower->logs->options.engine;
    int64_t wall = 0;
    size_t stamp = line_moment(line, length, &wall);
    bool known = stamp > 0 && wall <= follower->skip_to;
    if (known || !follower_has_room(follower))
        return;
    follower->pause = 0;
    follower->ground->denied = follower->ground->doubted = false;
    follower->ground->been_good = true;
    struct fact fact;
    fact_init(&fact, FACT_LOG, follower->pod);
    text_set(&fact.u.log.line, line + stamp, length - stamp, TEXT_LINE);
    text_set_str(&fact.u.log.container, follower->container, TEXT_NAME);
    fact.u.log.previous = follower->reading == READING_PREVIOUS;
    if (stamp > 0) {
        fact.u.log.written = wall - engine_clock(engine)->wall_zero;
        follower->last = wall > follower->last ? wall : follower->last;
    }
    engine_emit(engine, &fact);
    fact_free(&fact);
}

/* ---- reading ---- */

static void follower_pause(struct follower *follower)
{
    follower->pause = follower->pause == 0 ? PAUSE_S : 2 * follower->pause;
    if (follower->pause > PAUSE_MAX_S)
        follower->pause = PAUSE_MAX_S;
    follower->retry_at = clock_mono_us() + (int64_t)follower->pause * SECOND_US;
}

static void on_end(void *user, enum api_end end, const char *words)
{
    struct follower *follower = user;
    struct logs *logs = follower->logs;
    struct ground *ground = follower->ground;
    enum reading reading = follower->reading;
    follower->ticket = 0;
    follower->reading = READING_NOTHING;
    logs->open--;
    follower_pause(follower);
    if (reading == READING_PREVIOUS) {
        /* what is not there any more is not asked for again */
        follower->previous_wanted = end != API_OK && end != API_NOT_FOUND && end != API_INVALID && end != API_BAD;
        follower->skip_to = follower->last = NEVER;
        follower->retry_at = follower->previous_wanted ? follower->retry_at : 0;
    } else if (end == API_OK) {
        follower->was_read = true;
    }
    if (end == API_FORBIDDEN && ground->been_good && !ground->doubted) {
        ground->doubted = true;
    } else if (end == API_FORBIDDEN) {
        ground->been_good = false;
        ground->denied_until = clock_mono_us() + (int64_t)DENIED_PAUSE_S * SECOND_US;
        if (!ground->denied) {
            ground->denied = true;
            logs->options.denied(logs->options.user, words);
        }
    }
}

static void reading_open(struct follower *follower, enum reading reading)
{
    struct logs *logs = follower->logs;
    struct buf path;
    char since[40];
    buf_init(&path, 4096);
    select_collection(follower->ground->ns, "pods/", &path);
    select_escape(follower->name, &path);
    buf_puts(&path, "/log?container=");
    select_escape(follower->container, &path);
    buf_printf(&path, "&timestamps=true&tailLines=%d", reading == READING_PREVIOUS ? LOGS_PREVIOUS_TAIL : LOGS_TAIL);
    if (reading == READING_PREVIOUS)
        buf_puts(&path, "&previous=true");
    else if (reading == READING_ON)
        buf_puts(&path, "&follow=true");
    if (follower->last != NEVER) {
        buf_puts(&path, "&sinceTime=");
        select_escape(clock_format(follower->last, CLOCK_ISO_UTC, since, sizeof since), &path);
    }
    follower->skip_to = follower->last;
    follower->was_read = false;
    follower->reading = reading;
    follower->ticket = api_stream(logs->options.api, buf_str(&path), QUIET_S, on_line, on_end, follower);
    logs->open++;
    buf_free(&path);
}

/* Its log is wanted: it is on its way to Ready, or fell from there, or somebody looks. */
static bool follower_is_wanted(const struct follower *follower, int64_t now)
{
    if (follower->run_id == NULL)
        return false; /* no container has run yet */
    return !follower->ready || now < follower->ready_at + (int64_t)LOGS_AFTER_READY_S * SECOND_US ||
           now < follower->asked_until;
}

/* Whether it could be read further. */
static bool follower_has_more(const struct follower *follower)
{
    return follower->previous_wanted || follower->running || (follower->ended && !follower->was_read);
}

static void follower_turn(struct follower *follower, int64_t now)
{
    struct logs *logs = follower->logs;
    if (!follower_is_wanted(follower, now)) {
        reading_close(follower);
        return;
    }
    if (follower->ticket != 0 || !follower_has_more(follower) || now < follower->retry_at ||
        now < follower->ground->denied_until)
        return;
    if (logs->open >= LOGS_AT_ONCE) {
        if (!logs->crowd_told) {
            logs->crowd_told = true;
            engine_note(logs->options.engine, "the logs of %d pods are followed at once; others wait for their turn",
                        LOGS_AT_ONCE);
        }
        return;
    }
    reading_open(follower, follower->previous_wanted ? READING_PREVIOUS
                           : follower->running       ? READING_ON
                                                     : READING_LAST);
}

static void logs_turn(struct logs *logs);

static void on_turn(uv_timer_t *timer)
{
    logs_turn(timer->data);
}

/* The timer runs only while there is something that waits for a moment. */
static void logs_turn(struct logs *logs)
{
    struct follower *follower, *next;
    int64_t now = clock_mono_us();
    bool busy = false;
    HASH_ITER(hh, logs->followers, follower, next)
    {
        follower_turn(follower, now);
        busy = busy || (follower_is_wanted(follower, now) && (follower->ticket != 0 || follower_has_more(follower)));
    }
    if (busy && !logs->turning)
        uv_timer_start(&logs->timer, on_turn, TURN_MS, TURN_MS);
    else if (!busy)
        uv_timer_stop(&logs->timer);
    logs->turning = busy;
}

/* ---- pods ---- */

static struct follower *follower_get(struct logs *logs, const struct pod_facts *facts)
{
    struct follower *follower;
    HASH_FIND(hh, logs->followers, &facts->id, sizeof facts->id, follower);
    if (follower == NULL) {
        follower = mem_new(sizeof *follower);
        follower->logs = logs;
        follower->pod = facts->id;
        follower->ground = ground_get(logs, text_str(&facts->ns));
        follower->name = mem_dup(text_str(&facts->name));
        follower->container = mem_dup(text_str(&facts->serving.name));
        follower->restarts = -1;
        follower->last = follower->skip_to = NEVER;
        HASH_ADD(hh, logs->followers, pod, sizeof follower->pod, follower);
    }
    return follower;
}

/* Another run of the container: what the one before said last is read first, unless it was read to its end. */
static void follower_new_run(struct follower *follower, const struct container_facts *container)
{
    bool first = follower->run_id == NULL;
    bool was_read = follower->was_read && follower->reading == READING_NOTHING;
    reading_close(follower);
    mem_free(follower->run_id);
    follower->run_id = mem_dup(text_str(&container->container_id));
    follower->restarts = container->restart_count;
    follower->previous_wanted =
        container->restart_count > 0 && container->state == CONTAINER_RUNNING && (first || !was_read);
    follower->was_read = false;
    follower->retry_at = 0;
    follower->pause = 0;
    if (!follower->previous_wanted)
        follower->last = NEVER;
}

void logs_pod(struct logs *logs, const struct pod_facts *facts)
{
    const struct container_facts *container = &facts->serving;
    if (!container->exists || text_empty(&container->name))
        return;
    struct follower *follower = follower_get(logs, facts);
    bool ready = container->ready == TRI_TRUE;
    bool has_run = !text_empty(&container->container_id);
    if (ready && !follower->ready) {
        /* one that was Ready when we came is of no interest */
        follower->ready_at = follower->run_id != NULL ? clock_mono_us() : -(int64_t)LOGS_AFTER_READY_S * SECOND_US;
    }
    if (has_run && (follower->run_id == NULL || !text_is(&container->container_id, follower->run_id)))
        follower_new_run(follower, container);
    if (container->state != CONTAINER_RUNNING && follower->running) {
        follower->retry_at = 0; /* what it said last is there at once */
        follower->pause = 0;
    }
    follower->ready = ready;
    follower->running = container->state == CONTAINER_RUNNING;
    follower->ended = !follower->running && has_run;
    logs_turn(logs);
}

void logs_gone(struct logs *logs, uint32_t pod)
{
    struct follower *follower;
    HASH_FIND(hh, logs->followers, &pod, sizeof pod, follower);
    if (follower != NULL) {
        follower_free(follower);
        logs_turn(logs);
    }
}

void logs_ask(struct logs *logs, uint32_t pod)
{
    struct follower *follower;
    HASH_FIND(hh, logs->followers, &pod, sizeof pod, follower);
    if (follower != NULL) {
        follower->asked_until = clock_mono_us() + (int64_t)LOGS_ASKED_S * SECOND_US;
        logs_turn(logs);
    }
}

void logs_retry(struct logs *logs)
{
    struct follower *follower, *next;
    HASH_ITER(hh, logs->followers, follower, next)
    {
        follower->retry_at = 0;
    }
    logs_turn(logs);
}
