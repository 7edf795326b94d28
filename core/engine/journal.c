#include "engine/journal.h"

#include "base/buf.h"
#include "base/mem.h"
#include "engine/fact_json.h"
#include "engine/journal_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define uthash_malloc(size) mem_new(size)
#define uthash_free(memory, size) mem_free(memory)
#include <uthash.h>

enum { PENDING_MAX = 1024 * 1024 }; /* bytes kept back before a write is made without being asked for */

/* A file being written: the current segment, or the recording. */
struct sink {
    int fd; /* -1: none, or stopped */
    struct buf pending;
    size_t size;         /* written and pending */
    char *what;          /* what it is, for the note: "the recording to X" */
    struct problem note; /* why it was stopped, until it has been told; empty otherwise */
};

struct pod_line {
    uint32_t id;
    char *line;
    size_t length;
    UT_hash_handle hh;
};

struct journal {
    char *dir;
    int dir_fd;
    size_t segment_max;
    unsigned segments;
    unsigned segment;   /* number of the current one */
    bool has_own_facts; /* the current segment holds more than the repeated beginning */
    struct sink live, recording;
    struct buf line; /* the fact being appended */
    char *hello;
    size_t hello_length;
    struct pod_line *pods; /* in the order of their last change, so that their times do not decrease */
    struct problem note;   /* about a single fact; empty when there is none */
};

static void sink_init(struct sink *sink, int fd, char *what)
{
    *sink = (struct sink){.fd = fd, .what = what};
    buf_init(&sink->pending, PENDING_MAX + FACT_LINE_MAX);
}

static void sink_stop(struct sink *sink, const char *reason)
{
    close(sink->fd);
    sink->fd = -1;
    buf_free(&sink->pending);
    problem_set(&sink->note, STATUS_IO, "%s stopped: %s", sink->what, reason);
}

static void sink_free(struct sink *sink)
{
    if (sink->fd >= 0) {
        close(sink->fd);
    }
    buf_free(&sink->pending);
    mem_free(sink->what);
}

/* A file that was removed would take all bytes and keep none of them: that is found out by its count of names. */
static void sink_write(struct sink *sink)
{
    struct stat info;
    size_t done = 0;
    if (sink->fd < 0 || sink->pending.len == 0) {
        return;
    }
    if (fstat(sink->fd, &info) == 0 && info.st_nlink == 0) {
        sink_stop(sink, "its file was removed");
        return;
    }
    while (done < sink->pending.len) {
        ssize_t written = write(sink->fd, sink->pending.data + done, sink->pending.len - done);
        if (written < 0 && errno != EINTR) {
            sink_stop(sink, strerror(errno));
            return;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    buf_clear(&sink->pending);
}

static void sink_add(struct sink *sink, const char *bytes, size_t length)
{
    if (sink->pending.len >= PENDING_MAX) {
        sink_write(sink);
    }
    if (sink->fd >= 0) {
        buf_append(&sink->pending, bytes, length);
        sink->size += length;
    }
}

/* A line once more, marked. */
static void sink_add_again(struct sink *sink, const char *line, size_t length)
{
    sink_add(sink, line, length - strlen("}\n"));
    sink_add(sink, SEGMENT_AGAIN_MARK, SEGMENT_AGAIN_MARK_LENGTH);
    sink_add(sink, "\n", 1);
}

static bool sink_take_note(struct sink *sink, struct problem *note)
{
    if (sink->note.text[0] == '\0') {
        return false;
    }
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
    if (dir_fd < 0) {
        return problem_set(problem, status_from_errno(errno), "the journal's directory %s: %s", dir, strerror(errno));
    }
    if (fstat(dir_fd, &info) != 0 || !journal_dir_is_private(&info, true)) {
        close(dir_fd);
        return problem_set(problem, STATUS_DENIED,
                           "the journal's directory %s: expected one of our own, with mode 0700", dir);
    }
    segment_name(name, 1);
    fd = journal_file_create(dir_fd, name);
    if (fd < 0) {
        enum status status =
            problem_set(problem, status_from_errno(errno), "the journal %s/%s: %s", dir, name, strerror(errno));
        close(dir_fd);
        return status;
    }
    struct journal *journal = mem_new(sizeof *journal);
    journal->dir = mem_dup(dir);
    journal->dir_fd = dir_fd;
    journal->segment_max = segment_max;
    journal->segments = segments > 1 ? (unsigned)segments : 1;
    journal->segment = 1;
    sink_init(&journal->live, fd, journal_join("the journal in", ' ', dir));
    sink_init(&journal->recording, -1, NULL);
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
    sink_init(&journal->recording, fd, journal_join("the recording to", ' ', path));
    return STATUS_OK;
}

/* Begins the next segment with what a reader needs who starts there, and removes the oldest. */
static void journal_rotate(struct journal *journal)
{
    char name[SEGMENT_NAME_SIZE];
    struct sink *live = &journal->live;
    sink_write(live);
    if (live->fd < 0) {
        return;
    }
    segment_name(name, journal->segment + 1);
    int fd = journal_file_create(journal->dir_fd, name);
    if (fd < 0) {
        sink_stop(live, strerror(errno));
        return;
    }
    close(live->fd);
    live->fd = fd;
    live->size = 0;
    journal->segment++;
    journal->has_own_facts = false;
    if (journal->hello != NULL) {
        sink_add_again(live, journal->hello, journal->hello_length);
    }
    struct pod_line *pod, *next;
    HASH_ITER(hh, journal->pods, pod, next)
    {
        sink_add_again(live, pod->line, pod->length);
    }
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
    struct sink *live = &journal->live;
    buf_clear(&journal->line);
    if (fact_encode(fact, &journal->line) != STATUS_OK) {
        problem_set(&journal->note, STATUS_FULL, "a fact of kind %s was too long for the journal and is left out",
                    fact_kind_name(fact->kind));
        return;
    }
    sink_add(&journal->recording, journal->line.data, journal->line.len);
    if (live->fd >= 0 && journal->has_own_facts && live->size + journal->line.len > journal->segment_max) {
        journal_rotate(journal);
    }
    sink_add(live, journal->line.data, journal->line.len);
    journal->has_own_facts = true;
    journal_remember(journal, fact);
}

bool journal_flush(struct journal *journal, struct problem *note)
{
    sink_write(&journal->live);
    sink_write(&journal->recording);
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
    if (journal == NULL) {
        return;
    }
    journal_flush(journal, &ignored);
    if (!keep) {
        journal_remove_dir(journal->dir);
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
    mem_free(journal->dir);
    mem_free(journal);
}

const char *journal_dir(const struct journal *journal)
{
    return journal->dir;
}
