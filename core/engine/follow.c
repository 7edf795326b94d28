#include "engine/follow.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 16 * 1024, CHUNKS_A_TURN = 4, PROBLEM_SENTENCE = 512 };

struct follow {
    uv_timer_t timer;
    uv_fs_event_t event;
    uv_loop_t *loop;
    char *path;
    follow_fn *fn;
    void *user;
    int fd; /* -1: not open */
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

static void follow_say(struct follow *follow, enum follow_word word, const char *bytes, size_t length)
{
    if (!follow->closing) {
        follow->fn(follow->user, word, bytes, length);
    }
}

static void follow_trouble(struct follow *follow, const char *why)
{
    if (follow->troubled) {
        return;
    }
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

/* Opens without waiting (a pipe would) and takes regular files only. */
static bool follow_open(struct follow *follow)
{
    int fd = open(follow->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat about;
    if (fd < 0 || fstat(fd, &about) != 0) {
        follow_trouble(follow, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    if (!S_ISREG(about.st_mode)) {
        follow_trouble(follow, "not a regular file");
        close(fd);
        return false;
    }
    follow->fd = fd;
    follow->device = about.st_dev;
    follow->inode = about.st_ino;
    follow->troubled = false;
    follow->offset = 0;
    if (follow->opened_once) {
        follow_say(follow, FOLLOW_NEW_FILE, "", 0);
    } else if (about.st_size > FOLLOW_BACKLOG_MAX) {
        /* one byte earlier, so that a line that begins exactly there is whole */
        follow->offset = about.st_size - FOLLOW_BACKLOG_MAX - 1;
        follow->skip_line = true;
    }
    follow->opened_once = true;
    follow->has_event = !follow->closing && uv_fs_event_start(&follow->event, on_event, follow->path, 0) == 0;
    return !follow->closing;
}

static void follow_end_line(struct follow *follow)
{
    if (!follow->skip_line && follow->line.len > 0) {
        follow_say(follow, FOLLOW_LINE, follow->line.data, follow->line.len);
    }
    follow->skip_line = false;
    buf_clear(&follow->line);
}

static void follow_bytes(struct follow *follow, const char *bytes, size_t length)
{
    size_t at = 0;
    while (at < length && !follow->closing) {
        size_t end = at;
        while (end < length && bytes[end] != '\n' && bytes[end] != '\r') {
            end++;
        }
        buf_append(&follow->line, bytes + at, end - at);
        if (end < length) {
            follow_end_line(follow);
        }
        at = end + 1;
    }
}

/* Reads what has come, a bounded part of it a turn. Returns true when there may be more. */
static bool follow_read(struct follow *follow)
{
    char chunk[CHUNK];
    for (int i = 0; i < CHUNKS_A_TURN && !follow->closing; i++) {
        ssize_t got = pread(follow->fd, chunk, sizeof chunk, follow->offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            follow_trouble(follow, strerror(errno));
            return false;
        }
        follow->troubled = false;
        follow->offset += got;
        follow_bytes(follow, chunk, (size_t)got);
        if (got < (ssize_t)sizeof chunk) {
            return false;
        }
    }
    return true;
}

/* All of the open file is read: is it still the one at `path`, and as long as it was? Returns true when there is another one to be read from its beginning. */
static bool follow_turned(struct follow *follow)
{
    struct stat open_file, named;
    if (fstat(follow->fd, &open_file) == 0 && open_file.st_size < follow->offset) {
        follow->offset = 0;
        buf_clear(&follow->line);
        follow->skip_line = false;
        follow_say(follow, FOLLOW_NEW_FILE, "", 0);
        return true;
    }
    if (stat(follow->path, &named) != 0) {
        return false; /* moved away, the next one is not there yet: the old one may still get its last lines */
    }
    if (named.st_dev == follow->device && named.st_ino == follow->inode) {
        return false;
    }
    follow_end_line(follow);
    follow_close_file(follow);
    return true;
}

static void follow_turn(struct follow *follow)
{
    bool more = false;
    if (!follow->closing && (follow->fd >= 0 || follow_open(follow))) {
        more = follow_read(follow);
        if (!more && !follow->caught_up) {
            follow->caught_up = true;
            follow_say(follow, FOLLOW_CAUGHT_UP, "", 0);
        }
        more = more || (!follow->closing && follow_turned(follow));
    }
    if (!follow->closing) {
        uv_timer_start(&follow->timer, on_timer, more ? 0 : FOLLOW_POLL_MS, 0);
    }
}

static void on_timer(uv_timer_t *timer)
{
    follow_turn(timer->data);
}

static void on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
    (void)name;
    (void)events;
    (void)status;
    struct follow *follow = event->data;
    follow_turn(follow);
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
    follow->timer.data = follow->event.data = follow;
    uv_timer_start(&follow->timer, on_timer, 0, 0);
    return follow;
}

static void on_closed(uv_handle_t *handle)
{
    struct follow *follow = handle->data;
    follow->handles--;
    if (follow->handles > 0) {
        return;
    }
    if (follow->closed != NULL) {
        follow->closed(follow->closed_user);
    }
    buf_free(&follow->line);
    mem_free(follow->path);
    mem_free(follow);
}

void follow_free(struct follow *follow, void (*closed)(void *user), void *user)
{
    follow->closing = true;
    follow_close_file(follow);
    follow->closed = closed;
    follow->closed_user = user;
    follow->handles = 2;
    uv_close((uv_handle_t *)&follow->timer, on_closed);
    uv_close((uv_handle_t *)&follow->event, on_closed);
}
