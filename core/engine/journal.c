#include "engine/journal.h"

#include "base/buf.h"
#include "base/mem.h"
#include "engine/fact_json.h"
#include "engine/journal_files.h"
#include "engine/journal_runs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define uthash_malloc(size) mem_new(size)
#define uthash_free(memory, size) mem_free(memory)
#include <uthash.h>

enum {
    PENDING_MAX = 1024 * 1024, /* bytes kept back before a write is made without being asked for */
    PENDING_KEPT = 65536,      /* of memory between writes: a thousand new pods at once are no measure */
    DIRS_MAX = 4,
};

/* A file being written: the current segment, or the recording. */
struct sink {
    int fd; /* -1: none, or stopped */
    struct buf pending;
    struct problem note; /* why it was stopped, until it has been told; empty otherwise */
};

struct run_dir {
    char *path;
    int lock; /* held as long as there may be readers */
};

struct pod_line {
    uint32_t id;
    char *line;
    size_t length;
    UT_hash_handle hh;
};

struct journal {
    struct run_dir dirs[DIRS_MAX]; /* where it was, and last where it is: more than one when it had to move */
    size_t dir_count;
    int dir_fd; /* of the last one */
    bool kept;  /* the user asked for it */
    size_t segment_max;
    unsigned segments;
    unsigned segment;    /* number of the current one */
    size_t segment_size; /* bytes of it, written and pending */
    bool has_own_facts;  /* the current segment holds more than the repeated beginning */
    struct sink live, recording;
    char *recording_path; /* NULL: none */
    struct buf line;      /* the fact being appended */
    char *hello;
    size_t hello_length;
    struct pod_line *pods; /* in the order of their last change, so that their times do not decrease */
    struct problem note;   /* about a single fact; empty when there is none */
};

static void sink_init(struct sink *sink, int fd)
{
    *sink = (struct sink){.fd = fd};
    buf_init(&sink->pending, PENDING_MAX + FACT_LINE_MAX);
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void sink_close(struct sink *sink)
{
    close_if_open(sink->fd);
    sink->fd = -1;
}

static void sink_free(struct sink *sink)
{
    sink_close(sink);
    buf_free(&sink->pending);
}

/* Returns how many bytes were written; fewer than all with errno. */
static size_t file_write(int fd, const char *bytes, size_t length)
{
    size_t done = 0;
    while (done < length) {
        ssize_t written = write(fd, bytes + done, length - done);
        if (written < 0 && errno != EINTR)
            break;
        done += written > 0 ? (size_t)written : 0;
    }
    return done;
}

/* Writes what is pending. False, with errno, when that failed; then the lines that are not whole in the file are still pending.
 * A file that was removed would take all bytes and keep none of them: that is found out by its count of names, and is ENOENT. */
static bool sink_write(struct sink *sink)
{
    struct stat info;
    if (sink->fd < 0 || sink->pending.len == 0)
        return true;
    if (fstat(sink->fd, &info) == 0 && info.st_nlink == 0) {
        errno = ENOENT;
        return false;
    }
    size_t done = file_write(sink->fd, sink->pending.data, sink->pending.len);
    if (done < sink->pending.len) {
        while (done > 0 && sink->pending.data[done - 1] != '\n')
            done--;
        buf_drop(&sink->pending, done);
        return false;
    }
    if (sink->pending.cap > PENDING_KEPT)
        buf_free(&sink->pending);
    else
        buf_clear(&sink->pending);
    return true;
}

static const char *failure_words(int error)
{
    return error == ENOENT ? "its file was removed" : strerror(error);
}

static bool sink_take_note(struct sink *sink, struct problem *note)
{
    if (sink->note.text[0] == '\0')
        return false;
    *note = sink->note;
    sink->note.text[0] = '\0';
    return true;
}

enum status journal_create(const char *dir, size_t segment_max, int segments, struct journal **out,
                           struct problem *problem)
{
    struct stat info;
    char name[SEGMENT_NAME_SIZE];
    int fd = -1;
    *out = NULL;
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir_fd < 0)
        return problem_set(problem, status_from_errno(errno), "the journal's directory %s: %s", dir, strerror(errno));
    if (fstat(dir_fd, &info) != 0 || !journal_dir_is_private(&info, true)) {
        close(dir_fd);
        return problem_set(problem, STATUS_DENIED,
                           "the journal's directory %s: expected one of our own, with mode 0700", dir);
    }
    segment_name(name, 1);
    fd = journal_file_create(dir_fd, name);
    int lock = fd < 0 ? -1 : run_lock(dir_fd);
    if (lock < 0) {
        enum status status =
            problem_set(problem, status_from_errno(errno), "the journal %s/%s: %s", dir, name, strerror(errno));
        if (fd >= 0) {
            unlinkat(dir_fd, name, 0);
            close(fd);
        }
        close(dir_fd);
        return status;
    }
    struct journal *journal = mem_new(sizeof *journal);
    journal->dirs[journal->dir_count++] = (struct run_dir){mem_dup(dir), lock};
    journal->dir_fd = dir_fd;
    journal->segment_max = segment_max;
    journal->segments = segments > 1 ? (unsigned)segments : 1;
    journal->segment = 1;
    run_bound(dir_fd, &journal->segment_max, &journal->segments);
    sink_init(&journal->live, fd);
    sink_init(&journal->recording, -1);
    buf_init(&journal->line, SIZE_MAX);
    *out = journal;
    return STATUS_OK;
}

enum status journal_record(struct journal *journal, const char *path, struct problem *problem)
{
    int fd = journal_file_create(AT_FDCWD, path);
    if (fd < 0) {
        return problem_set(problem, status_from_errno(errno), "the recording %s: %s%s", path, strerror(errno),
                           errno == EEXIST ? "; a recording never overwrites" : "");
    }
    sink_free(&journal->recording);
    sink_init(&journal->recording, fd);
    mem_free(journal->recording_path);
    journal->recording_path = mem_dup(path);
    return STATUS_OK;
}

void journal_keep(struct journal *journal)
{
    journal->kept = true;
    run_keep(journal->dir_fd);
}

/* A line once more, marked. */
static void buf_add_again(struct buf *bytes, const char *line, size_t length)
{
    buf_append(bytes, line, length - strlen("}\n"));
    buf_puts(bytes, SEGMENT_AGAIN_MARK "\n");
}

/* Begins segment `number` in this directory with what a reader needs who starts there, and with what is pending. Returns its file; -1 with errno, and then there is none. */
static int segment_begin(struct journal *journal, int dir_fd, unsigned number)
{
    char name[SEGMENT_NAME_SIZE];
    struct buf bytes;
    const struct buf *pending = &journal->live.pending;
    segment_name(name, number);
    int fd = journal_file_create(dir_fd, name);
    if (fd < 0)
        return -1;
    buf_init(&bytes, SIZE_MAX);
    bool begun = journal->hello != NULL && (pending->len < journal->hello_length ||
                                            memcmp(pending->data, journal->hello, journal->hello_length) != 0);
    if (begun)
        buf_add_again(&bytes, journal->hello, journal->hello_length);
    for (struct pod_line *pod = begun ? journal->pods : NULL; pod != NULL; pod = pod->hh.next)
        buf_add_again(&bytes, pod->line, pod->length);
    buf_append(&bytes, buf_str(pending), pending->len);
    if (file_write(fd, buf_str(&bytes), bytes.len) < bytes.len) {
        int error = errno;
        close(fd);
        unlinkat(dir_fd, name, 0);
        errno = error;
        fd = -1;
    } else {
        journal->segment = number;
        journal->segment_size = bytes.len;
        journal->has_own_facts = pending->len > 0;
        buf_clear(&journal->live.pending);
    }
    buf_free(&bytes);
    return fd;
}

/* Goes on in this fresh directory, if it can be written. Takes the path over. */
static bool journal_settle(struct journal *journal, char *dir)
{
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int lock = dir_fd < 0 ? -1 : run_lock(dir_fd);
    int fd = lock < 0 ? -1 : segment_begin(journal, dir_fd, journal->segment + 1);
    if (fd < 0) {
        journal_remove_dir(dir);
        mem_free(dir);
        close_if_open(lock);
        close_if_open(dir_fd);
        return false;
    }
    close(journal->dir_fd);
    journal->dir_fd = dir_fd;
    journal->dirs[journal->dir_count++] = (struct run_dir){dir, lock};
    journal->live.fd = fd;
    run_bound(dir_fd, &journal->segment_max, &journal->segments);
    if (journal->kept)
        run_keep(dir_fd);
    return true;
}

/* A device that is full or broken is that for all of its directories. */
static bool device_is_spoilt(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EIO || error == EROFS;
}

/* The live journal is the screen's only way to the engine: where it cannot be written any more it goes on elsewhere, with nothing lost that was pending. */
static void journal_move(struct journal *journal, int error)
{
    struct sink *live = &journal->live;
    struct stat info;
    struct problem why;
    bool moved = false;
    char *from = mem_dup(journal_dir(journal));
    problem_set(&why, STATUS_IO, "%s", failure_words(error));
    const dev_t *avoid = device_is_spoilt(error) && fstat(journal->dir_fd, &info) == 0 ? &info.st_dev : NULL;
    sink_close(live);
    for (int place = PLACE_COUNT - 1; place >= PLACE_TEMPORARY && !moved && journal->dir_count < DIRS_MAX; place--) {
        char *dir = run_make((enum run_place)place, avoid);
        moved = dir != NULL && journal_settle(journal, dir);
    }
    if (moved) {
        problem_set(&live->note, STATUS_IO, "%s: the journal goes on in %s instead of %s", why.text,
                    journal_dir(journal), from);
    } else {
        problem_set(&live->note, STATUS_IO, "%s: the journal in %s stopped, and can go on nowhere else", why.text,
                    from);
        buf_free(&live->pending);
    }
    mem_free(from);
}

/* False when that failed: then the journal has moved, or stopped for good. */
static bool live_write(struct journal *journal)
{
    bool written = sink_write(&journal->live);
    if (!written)
        journal_move(journal, errno);
    return written;
}

static void recording_write(struct journal *journal)
{
    struct sink *recording = &journal->recording;
    if (!sink_write(recording)) {
        problem_set(&recording->note, STATUS_IO, "the recording to %s stopped: %s", journal->recording_path,
                    failure_words(errno));
        sink_close(recording);
        buf_free(&recording->pending);
    }
}

/* Begins the next segment, and removes the oldest. */
static void journal_rotate(struct journal *journal)
{
    char name[SEGMENT_NAME_SIZE];
    if (!live_write(journal))
        return;
    int fd = segment_begin(journal, journal->dir_fd, journal->segment + 1);
    if (fd < 0) {
        journal_move(journal, errno);
        return;
    }
    sink_close(&journal->live);
    journal->live.fd = fd;
    if (journal->segment > journal->segments) {
        segment_name(name, journal->segment - journal->segments);
        unlinkat(journal->dir_fd, name, 0);
    }
}

static void journal_forget_pod(struct journal *journal, uint32_t id)
{
    struct pod_line *pod;
    HASH_FIND(hh, journal->pods, &id, sizeof id, pod);
    if (pod != NULL) {
        HASH_DEL(journal->pods, pod);
        mem_free(pod->line);
        mem_free(pod);
    }
}

/* Keeps the line for the beginnings of later segments. Somebody who is gone is not remembered. */
static void journal_remember(struct journal *journal, const struct fact *fact)
{
    const struct buf *line = &journal->line;
    if (fact->kind == FACT_HELLO) {
        mem_free(journal->hello);
        journal->hello = mem_dup_n(line->data, line->len);
        journal->hello_length = line->len;
    } else if (fact->kind == FACT_POD || fact->kind == FACT_GONE) {
        journal_forget_pod(journal, fact->pod);
    }
    if (fact->kind == FACT_POD) {
        struct pod_line *pod = mem_new(sizeof *pod);
        pod->id = fact->pod;
        pod->line = mem_dup_n(line->data, line->len);
        pod->length = line->len;
        HASH_ADD(hh, journal->pods, id, sizeof pod->id, pod);
    }
}

void journal_append(struct journal *journal, const struct fact *fact)
{
    const struct buf *line = &journal->line;
    buf_clear(&journal->line);
    if (fact_encode(fact, &journal->line) != STATUS_OK) {
        problem_set(&journal->note, STATUS_FULL, "a fact of kind %s was too long for the journal and is left out",
                    fact_kind_name(fact->kind));
        return;
    }
    if (journal->recording.pending.len >= PENDING_MAX)
        recording_write(journal);
    if (journal->recording.fd >= 0)
        buf_append(&journal->recording.pending, line->data, line->len);
    if (journal->live.pending.len >= PENDING_MAX)
        live_write(journal);
    if (journal->live.fd >= 0 && journal->has_own_facts && journal->segment_size + line->len > journal->segment_max)
        journal_rotate(journal);
    if (journal->live.fd >= 0) {
        buf_append(&journal->live.pending, line->data, line->len);
        journal->segment_size += line->len;
        journal->has_own_facts = true;
    }
    journal_remember(journal, fact);
}

bool journal_flush(struct journal *journal, struct problem *note)
{
    live_write(journal);
    recording_write(journal);
    if (journal->note.text[0] != '\0') {
        *note = journal->note;
        journal->note.text[0] = '\0';
        return true;
    }
    return sink_take_note(&journal->live, note) || sink_take_note(&journal->recording, note);
}

void journal_close(struct journal *journal, bool keep)
{
    struct problem ignored;
    struct pod_line *pod, *next;
    if (journal == NULL)
        return;
    journal_flush(journal, &ignored);
    for (size_t i = 0; i < journal->dir_count; i++) {
        if (!keep && !journal->kept)
            journal_remove_dir(journal->dirs[i].path);
        close(journal->dirs[i].lock);
        mem_free(journal->dirs[i].path);
    }
    HASH_ITER(hh, journal->pods, pod, next)
    {
        HASH_DEL(journal->pods, pod);
        mem_free(pod->line);
        mem_free(pod);
    }
    sink_free(&journal->live);
    sink_free(&journal->recording);
    close(journal->dir_fd);
    buf_free(&journal->line);
    mem_free(journal->hello);
    mem_free(journal->recording_path);
    mem_free(journal);
}

const char *journal_dir(const struct journal *journal)
{
    return journal->dirs[journal->dir_count - 1].path;
}

bool journal_goes_on(const struct journal *journal)
{
    return journal->live.fd >= 0;
}
