#include "engine/follow.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024, PROBLEM_SENTENCE = 512 };

/* One look at the file. The file system may keep a call waiting for as long as it likes (a server that is gone, under a log directory), so a thread of its own makes the calls, and the loop goes on. Not libuv's threads: those are
 * waited for at the end of the program. Whoever lets go last frees it. */
struct look {
    pthread_mutex_t lock;
    struct follow *follow; /* whom to tell; under `lock`; NULL: given up */
    bool over;             /* under `lock`: the thread is done with it */
    /* asked */
    char *path;
    off_t backlog; /* of a file that is opened: at most so much of its end; -1: all */
    /* asked and answered */
    int fd; /* -1: to be opened; then: could not be */
    off_t offset;
    bool skip; /* reading begins in the middle of a line */
    /* answered */
    int error;       /* errno of what failed; 0 nothing */
    const char *why; /* in other words; NULL: by `error` */
    bool opened, at_end, has_open_file, has_named;
    struct stat about, open_file, named; /* as it was opened; after reading: the open one, and the one at `path` */
    size_t length;
    char bytes[CHUNK];
};

struct follow {
    uv_timer_t timer;
    uv_fs_event_t event;
    uv_async_t async; /* a look is over */
    uv_loop_t *loop;
    char *path;
    follow_fn *fn;
    void *user;
    struct look *look; /* under way; NULL: none */
    bool look_again;   /* something has changed meanwhile */
    int fd;            /* -1: not open; while a look is under way it is that one's */
    dev_t device;
    ino_t inode;
    off_t offset;    /* of the next byte to read */
    struct buf line; /* the line begun */
    bool skip_line;  /* reading began in the middle of a line: its rest is nothing */
    bool opened_once;
    bool caught_up; /* told */
    bool troubled;  /* FOLLOW_PROBLEM is told */
    bool has_event; /* the event handle watches `path` */
    bool closing;
    int handles; /* still to be closed */
    void (*closed)(void *user);
    void *closed_user;
};

static void on_timer(uv_timer_t *timer);
static void on_event(uv_fs_event_t *event, const char *name, int events, int status);

/* ---- on the thread: nothing here touches the follow, or allocates ---- */

static void look_fail(struct look *look, const char *why)
{
    look->error = errno;
    look->why = why;
}

/* Opens without waiting (a pipe would) and takes regular files only. */
static bool look_open(struct look *look)
{
    int fd = open(look->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &look->about) != 0) {
        look_fail(look, NULL);
    } else if (!S_ISREG(look->about.st_mode)) {
        look_fail(look, "not a regular file");
    } else {
        look->fd = fd;
        look->opened = true;
        look->offset = 0;
        if (look->backlog >= 0 && look->about.st_size > look->backlog) {
            /* one byte earlier, so that a line that begins exactly there is whole */
            look->offset = look->about.st_size - look->backlog - 1;
            look->skip = true;
        }
        return true;
    }
    if (fd >= 0)
        close(fd);
    return false;
}

static void look_read(struct look *look)
{
    while (look->length < CHUNK && !look->at_end) {
        ssize_t got = pread(look->fd, look->bytes + look->length, CHUNK - look->length, look->offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            look_fail(look, NULL);
            return;
        }
        look->at_end = got == 0;
        look->length += (size_t)got;
        look->offset += got;
    }
    if (look->at_end) { /* is it still the one at `path`, and as long as it was? */
        look->has_open_file = fstat(look->fd, &look->open_file) == 0;
        look->has_named = stat(look->path, &look->named) == 0;
    }
}

static void look_free(struct look *look)
{
    if (look->fd >= 0)
        close(look->fd);
    pthread_mutex_destroy(&look->lock);
    mem_free(look->path);
    mem_free(look);
}

static void *look_run(void *user)
{
    struct look *look = user;
    if (look->fd >= 0 || look_open(look))
        look_read(look);
    pthread_mutex_lock(&look->lock);
    bool given_up = look->follow == NULL;
    look->over = true;
    if (!given_up)
        uv_async_send(&look->follow->async);
    pthread_mutex_unlock(&look->lock);
    if (given_up)
        look_free(look);
    return NULL;
}

/* ---- on the loop ---- */

static void follow_say(struct follow *follow, enum follow_word word, const char *bytes, size_t length)
{
    if (!follow->closing)
        follow->fn(follow->user, word, bytes, length);
}

static void follow_trouble(struct follow *follow, const char *why)
{
    if (follow->troubled)
        return;
    follow->troubled = true;
    char sentence[PROBLEM_SENTENCE];
    snprintf(sentence, sizeof sentence, "log file %.300s: %s", follow->path, why);
    follow_say(follow, FOLLOW_PROBLEM, sentence, strlen(sentence));
}

static void follow_close_file(struct follow *follow)
{
    if (follow->fd >= 0) {
        close(follow->fd);
        follow->fd = -1;
    }
    if (follow->has_event) {
        uv_fs_event_stop(&follow->event);
        follow->has_event = false;
    }
    buf_clear(&follow->line);
    follow->skip_line = false;
}

static void follow_end_line(struct follow *follow)
{
    if (!follow->skip_line && follow->line.len > 0)
        follow_say(follow, FOLLOW_LINE, follow->line.data, follow->line.len);
    follow->skip_line = false;
    buf_clear(&follow->line);
}

static void follow_bytes(struct follow *follow, const char *bytes, size_t length)
{
    size_t at = 0;
    while (at < length && !follow->closing) {
        size_t end = at;
        while (end < length && bytes[end] != '\n' && bytes[end] != '\r')
            end++;
        buf_append(&follow->line, bytes + at, end - at);
        if (end < length)
            follow_end_line(follow);
        at = end + 1;
    }
}

static void follow_opened(struct follow *follow, const struct look *look)
{
    follow->device = look->about.st_dev;
    follow->inode = look->about.st_ino;
    follow->troubled = false;
    follow->skip_line = look->skip;
    if (follow->opened_once)
        follow_say(follow, FOLLOW_NEW_FILE, "", 0);
    follow->opened_once = true;
    follow->has_event = !follow->closing && uv_fs_event_start(&follow->event, on_event, follow->path, 0) == 0;
}

/* All of the open file is read. Returns true when there is another one to be read from its beginning. */
static bool follow_turned(struct follow *follow, const struct look *look)
{
    if (look->has_open_file && look->open_file.st_size < follow->offset) {
        follow->offset = 0;
        buf_clear(&follow->line);
        follow->skip_line = false;
        follow_say(follow, FOLLOW_NEW_FILE, "", 0);
        return true;
    }
    if (!look->has_named)
        return false; /* moved away, the next one is not there yet: the old one may still get its last lines */
    if (look->named.st_dev == follow->device && look->named.st_ino == follow->inode)
        return false;
    follow_end_line(follow);
    follow_close_file(follow);
    return true;
}

/* What has come. Returns true when there may be more. */
static bool follow_take(struct follow *follow, const struct look *look)
{
    if (look->opened)
        follow_opened(follow, look);
    follow_bytes(follow, look->bytes, look->length);
    if (look->error != 0 || look->why != NULL) {
        follow_trouble(follow, look->why != NULL ? look->why : strerror(look->error));
        return false;
    }
    follow->troubled = false;
    if (!look->at_end)
        return true;
    if (!follow->caught_up) {
        follow->caught_up = true;
        follow_say(follow, FOLLOW_CAUGHT_UP, "", 0);
    }
    return !follow->closing && follow_turned(follow, look);
}

static void follow_rearm(struct follow *follow, bool more)
{
    if (!follow->closing)
        uv_timer_start(&follow->timer, on_timer, more ? 0 : FOLLOW_POLL_MS, 0);
}

static void on_look_over(uv_async_t *async)
{
    struct follow *follow = async->data;
    struct look *look = follow->look;
    if (look == NULL)
        return;
    pthread_mutex_lock(&look->lock);
    bool over = look->over;
    pthread_mutex_unlock(&look->lock);
    if (!over)
        return;
    follow->look = NULL;
    follow->fd = look->fd;
    follow->offset = look->offset;
    look->fd = -1;
    bool more = follow_take(follow, look) || follow->look_again;
    follow->look_again = false;
    look_free(look);
    if (follow->closing)
        follow_close_file(follow); /* let go of by whom it was told */
    follow_rearm(follow, more);
}

/* With all signals blocked, so that they stay the main thread's. */
static bool thread_begin(struct look *look)
{
    sigset_t all, before;
    pthread_attr_t detached;
    pthread_t thread;
    sigfillset(&all);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool begun = pthread_create(&thread, &detached, look_run, look) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
    return begun;
}

static void follow_look(struct follow *follow)
{
    if (follow->look != NULL) {
        follow->look_again = true;
        return;
    }
    struct look *look = mem_new(sizeof *look);
    pthread_mutex_init(&look->lock, NULL);
    look->follow = follow;
    look->path = mem_dup(follow->path);
    look->backlog = follow->opened_once ? -1 : FOLLOW_BACKLOG_MAX;
    look->fd = follow->fd;
    look->offset = follow->offset;
    if (thread_begin(look)) {
        follow->look = look;
        follow->fd = -1;
    } else {
        look->fd = -1;
        look_free(look);
        follow_trouble(follow, "no thread is left to read it with");
        follow_rearm(follow, false);
    }
}

static void on_timer(uv_timer_t *timer)
{
    follow_look(timer->data);
}

static void on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
    (void)name;
    (void)events;
    (void)status;
    struct follow *follow = event->data;
    follow_look(follow);
}

struct follow *follow_new(uv_loop_t *loop, const char *path, follow_fn *fn, void *user)
{
    struct follow *follow = mem_new(sizeof *follow);
    follow->loop = loop;
    follow->path = mem_dup(path);
    follow->fn = fn;
    follow->user = user;
    follow->fd = -1;
    buf_init(&follow->line, FOLLOW_LINE_MAX);
    uv_timer_init(loop, &follow->timer);
    uv_fs_event_init(loop, &follow->event);
    uv_async_init(loop, &follow->async, on_look_over);
    follow->timer.data = follow->event.data = follow->async.data = follow;
    uv_timer_start(&follow->timer, on_timer, 0, 0);
    return follow;
}
static void on_closed(uv_handle_t *handle)
{
    struct follow *follow = handle->data;
    follow->handles--;
    if (follow->handles > 0)
        return;
    if (follow->closed != NULL)
        follow->closed(follow->closed_user);
    buf_free(&follow->line);
    mem_free(follow->path);
    mem_free(follow);
}

/* A look that hangs ends by itself some time, or with the program. */
static void look_let_go(struct follow *follow)
{
    struct look *look = follow->look;
    if (look == NULL)
        return;
    follow->look = NULL;
    pthread_mutex_lock(&look->lock);
    bool over = look->over;
    look->follow = NULL;
    pthread_mutex_unlock(&look->lock);
    if (over)
        look_free(look);
}

void follow_free(struct follow *follow, void (*closed)(void *user), void *user)
{
    follow->closing = true;
    look_let_go(follow);
    follow_close_file(follow);
    follow->closed = closed;
    follow->closed_user = user;
    follow->handles = 3;
    uv_close((uv_handle_t *)&follow->async, on_closed);
    uv_close((uv_handle_t *)&follow->timer, on_closed);
    uv_close((uv_handle_t *)&follow->event, on_closed);
}
