#include "engine/journal.h"

#include "base/buf.h"
#include "base/mem.h"
#include "engine/fact_json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define uthash_malloc(size) mem_new(size)
#define uthash_free(memory, size) mem_free(memory)
#include <uthash.h>

enum {
    JOURNAL_VERSION = 1,
    SEGMENT_NAME_SIZE = 32, /* "journal-000001.jsonl" */
    SEGMENT_NUMBER_MAX = 99999999,
    PENDING_MAX = 1024 * 1024, /* bytes kept back before a write is made without being asked for */
    READ_SIZE = 256 * 1024,
    OPEN_ATTEMPTS = 16,
};

/* Ends the lines that stand at a segment's beginning for those who start there. The quotes make it something that no string's content can look like. */
static const char again_mark[] = ",\"again\":true}";
enum { AGAIN_MARK_LENGTH = sizeof again_mark - 1 };

/* ---- segments in their directory ---- */

static void segment_name(char *name, unsigned number)
{
    snprintf(name, SEGMENT_NAME_SIZE, "journal-%06u.jsonl", number);
}

/* The number in a segment's name, 0 when it is not the name of one. */
static unsigned segment_number(const char *name)
{
    static const char prefix[] = "journal-";
    char same[SEGMENT_NAME_SIZE];
    unsigned number = 0;
    if (strncmp(name, prefix, sizeof prefix - 1) != 0) {
        return 0;
    }
    for (const char *digit = name + sizeof prefix - 1; *digit >= '0' && *digit <= '9'; digit++) {
        number = number * 10 + (unsigned)(*digit - '0');
        if (number > SEGMENT_NUMBER_MAX) {
            return 0;
        }
    }
    segment_name(same, number);
    return strcmp(same, name) == 0 ? number : 0;
}

/* The directory's entries; the caller ends it with closedir(). NULL when it cannot be read. */
static DIR *dir_list(int dir_fd)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (list == NULL && fd >= 0) {
        close(fd);
    }
    return list;
}

/* The lowest number of a segment that is there and above `above`; 0 when there is none. */
static unsigned segment_lowest(int dir_fd, unsigned above)
{
    unsigned lowest = 0;
    DIR *list = dir_list(dir_fd);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        unsigned number = segment_number(entry->d_name);
        if (number > above && (lowest == 0 || number < lowest)) {
            lowest = number;
        }
    }
    if (list != NULL) {
        closedir(list);
    }
    return lowest;
}

static int file_create(int dir_fd, const char *name)
{
    return openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* For reading; regular files only, since a pipe of that name could block. */
static int file_open(int dir_fd, const char *name, int flags)
{
    struct stat info;
    int fd = openat(dir_fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags);
    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

static char *string_join(const char *left, char between, const char *right)
{
    size_t size = strlen(left) + strlen(right) + 2;
    char *joined = mem_array(size, 1);
    snprintf(joined, size, "%s%c%s", left, between, right);
    return joined;
}

/* ---- the directory of a run ---- */

/* Makes the directory and those above it that are missing, all for the user alone. */
static bool dir_make_all(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made) {
            return false;
        }
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* Ours, a real directory, and nobody else may write in it (or look, where `secret`). */
static bool dir_is_private(const struct stat *info, bool secret)
{
    return S_ISDIR(info->st_mode) && info->st_uid == geteuid() && (info->st_mode & (secret ? 077 : 022)) == 0;
}

/* A fresh directory of ours below `base`/probetop. NULL with errno when that is not to be had. */
static char *dir_in_state(const char *base, const char *below)
{
    struct stat info;
    char *parent = string_join(base, '/', below);
    bool usable = dir_make_all(parent) && lstat(parent, &info) == 0;
    if (usable && !dir_is_private(&info, false)) {
        usable = false;
        errno = EACCES;
    }
    char *dir = usable ? string_join(parent, '/', "run-XXXXXX") : NULL;
    mem_free(parent);
    if (dir != NULL && mkdtemp(dir) == NULL) {
        mem_free(dir);
        dir = NULL;
    }
    return dir;
}

enum status journal_make_dir(char **dir, struct problem *problem)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    const char *temporary = getenv("TMPDIR");
    *dir = NULL;
    if (state != NULL && state[0] == '/') {
        *dir = dir_in_state(state, "probetop");
    }
    if (*dir == NULL && home != NULL && home[0] == '/') {
        *dir = dir_in_state(home, ".local/state/probetop");
    }
    if (*dir == NULL) {
        *dir = string_join(temporary != NULL && temporary[0] == '/' ? temporary : "/tmp", '/', "probetop-XXXXXX");
        if (mkdtemp(*dir) == NULL) {
            enum status status = problem_set(problem, status_from_errno(errno),
                                             "no directory for the journal: %s: %s; set XDG_STATE_HOME or TMPDIR to a "
                                             "directory that can be written",
                                             *dir, strerror(errno));
            mem_free(*dir);
            *dir = NULL;
            return status;
        }
    }
    return STATUS_OK;
}

void journal_remove_dir(const char *dir)
{
    struct stat info;
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir_fd < 0) {
        return;
    }
    bool ours = fstat(dir_fd, &info) == 0 && dir_is_private(&info, true) && segment_lowest(dir_fd, 0) != 0;
    DIR *list = ours ? dir_list(dir_fd) : NULL;
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        if (segment_number(entry->d_name) != 0) {
            unlinkat(dir_fd, entry->d_name, 0);
        }
    }
    if (list != NULL) {
        closedir(list);
    }
    close(dir_fd);
    if (ours) {
        rmdir(dir); /* stays when somebody else's files are in it */
    }
}

/* ---- writing ---- */

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
    sink_add(sink, again_mark, AGAIN_MARK_LENGTH);
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
    if (fstat(dir_fd, &info) != 0 || !dir_is_private(&info, true)) {
        close(dir_fd);
        return problem_set(problem, STATUS_DENIED,
                           "the journal's directory %s: expected one of our own, with mode 0700", dir);
    }
    segment_name(name, 1);
    fd = file_create(dir_fd, name);
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
    sink_init(&journal->live, fd, string_join("the journal in", ' ', dir));
    sink_init(&journal->recording, -1, NULL);
    buf_init(&journal->line, SIZE_MAX);
    *out = journal;
    return STATUS_OK;
}

enum status journal_record(struct journal *journal, const char *path, struct problem *problem)
{
    int fd = file_create(AT_FDCWD, path);
    if (fd < 0) {
        return problem_set(problem, status_from_errno(errno), "the recording %s: %s%s", path, strerror(errno),
                           errno == EEXIST ? "; a recording never overwrites" : "");
    }
    sink_free(&journal->recording);
    sink_init(&journal->recording, fd, string_join("the recording to", ' ', path));
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
    int fd = file_create(journal->dir_fd, name);
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

/* ---- reading ---- */

/* A pod the reader has told of; after a gap those not told again are gone. */
struct known_pod {
    uint32_t id;
    bool confirmed;
    UT_hash_handle hh;
};

/* What the lines at a segment's beginning that repeat earlier ones mean to this reader. */
enum repeated {
    REPEATED_NEW,     /* it starts here: they are news */
    REPEATED_KNOWN,   /* it came through the segment before: it has them */
    REPEATED_CONFIRM, /* it missed segments: they say who is still there */
};

struct journal_reader {
    char *path;
    int dir_fd;       /* -1: a single file */
    int fd;           /* what is being read */
    unsigned segment; /* its number */
    int next_fd;      /* the segment after it, once there is one: then the present one does not grow any more */
    unsigned next_segment;
    char *held;
    size_t cap, start, end; /* bytes[start..end) is read and not yet told */
    size_t scanned;         /* bytes[start..scanned) has no newline */
    bool too_long;          /* the beginning of the present line was thrown away */
    int64_t line;           /* of the line last told, from 1 */
    int64_t last_t;
    enum repeated repeated;
    bool note_due; /* a gap has to be told */
    struct known_pod *known;
};

static void reader_forget_known(struct journal_reader *reader)
{
    struct known_pod *pod, *next;
    HASH_ITER(hh, reader->known, pod, next)
    {
        HASH_DEL(reader->known, pod);
        mem_free(pod);
    }
}

static void reader_close_files(struct journal_reader *reader)
{
    if (reader->fd >= 0) {
        close(reader->fd);
    }
    if (reader->next_fd >= 0) {
        close(reader->next_fd);
    }
    reader->fd = -1;
    reader->next_fd = -1;
}

/* Goes on at the beginning of this file. */
static void reader_begin(struct journal_reader *reader, int fd, unsigned segment)
{
    reader_close_files(reader);
    reader->fd = fd;
    reader->segment = segment;
    reader->start = reader->end = reader->scanned = 0;
    reader->too_long = false;
    reader->line = 0;
}

/* The place of line `line` in front of what is wrong there. */
static enum status reader_complain(const struct journal_reader *reader, int64_t line, struct problem *problem,
                                   enum status status, const char *sentence)
{
    char name[SEGMENT_NAME_SIZE] = "";
    if (reader->dir_fd >= 0) {
        name[0] = '/';
        segment_name(name + 1, reader->segment);
    }
    return problem_set(problem, status, "%s%s:%lld: %s", reader->path, name, (long long)line, sentence);
}

/* Reads more bytes behind those there are. AGAIN at the end of the file. */
static enum status reader_fill(struct journal_reader *reader)
{
    if (reader->start > 0) {
        memmove(reader->held, reader->held + reader->start, reader->end - reader->start);
        reader->scanned -= reader->start;
        reader->end -= reader->start;
        reader->start = 0;
    }
    if (reader->cap - reader->end < READ_SIZE) {
        reader->cap = reader->end + READ_SIZE;
        reader->held = mem_resize(reader->held, reader->cap, 1);
    }
    ssize_t count;
    do {
        count = read(reader->fd, reader->held + reader->end, reader->cap - reader->end);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        return STATUS_IO;
    }
    reader->end += (size_t)count;
    return count > 0 ? STATUS_OK : STATUS_AGAIN;
}

/* The next complete line, with its newline, not yet taken: *line points to it. A line beyond all measure comes as its last part, with too_long set. */
static enum status reader_peek(struct journal_reader *reader, const char **line, size_t *length)
{
    for (;;) {
        size_t unscanned = reader->end - reader->scanned;
        const char *newline = unscanned == 0 ? NULL : memchr(reader->held + reader->scanned, '\n', unscanned);
        if (newline != NULL) {
            *line = reader->held + reader->start;
            *length = (size_t)(newline - *line) + 1;
            reader->scanned = reader->start; /* found again by who peeks again */
            return STATUS_OK;
        }
        reader->scanned = reader->end;
        if (reader->end - reader->start > FACT_LINE_MAX) {
            reader->too_long = true;
            reader->start = reader->end;
        }
        enum status status = reader_fill(reader);
        if (status != STATUS_OK) {
            return status;
        }
    }
}

static void reader_take(struct journal_reader *reader, size_t length)
{
    reader->start += length;
    reader->scanned = reader->start;
    reader->too_long = false;
    reader->line++;
}

/* Opens the lowest segment above `above`. It may be removed between being seen and being opened; then there is another. */
static int reader_open_lowest(struct journal_reader *reader, unsigned above, unsigned *segment)
{
    char name[SEGMENT_NAME_SIZE];
    int fd = -1;
    errno = ENOENT;
    for (int attempt = 0; attempt < OPEN_ATTEMPTS && fd < 0 && errno == ENOENT; attempt++) {
        *segment = segment_lowest(reader->dir_fd, above);
        if (*segment == 0) {
            errno = ENOENT;
            return -1;
        }
        segment_name(name, *segment);
        fd = file_open(reader->dir_fd, name, O_NOFOLLOW);
    }
    return fd;
}

/* Looks whether there is a later segment. OK: next_fd is there; AGAIN: no. The search of the directory is left for the case that the present segment is
 * removed: only then can the one after it be removed too. */
static enum status reader_find_next(struct journal_reader *reader, struct problem *problem)
{
    struct stat info;
    char name[SEGMENT_NAME_SIZE];
    reader->next_segment = reader->segment + 1;
    segment_name(name, reader->next_segment);
    reader->next_fd = file_open(reader->dir_fd, name, O_NOFOLLOW);
    if (reader->next_fd < 0 && errno == ENOENT && fstat(reader->fd, &info) == 0 && info.st_nlink == 0) {
        reader->next_fd = reader_open_lowest(reader, reader->segment, &reader->next_segment);
    }
    if (reader->next_fd >= 0) {
        return STATUS_OK;
    }
    return errno == ENOENT ? STATUS_AGAIN
                           : problem_set(problem, STATUS_IO, "%s/%s: %s", reader->path, name, strerror(errno));
}

/* Moves on to the segment that was found. */
static void reader_switch(struct journal_reader *reader)
{
    bool gap = reader->next_segment != reader->segment + 1;
    int fd = reader->next_fd;
    reader->next_fd = -1;
    reader_begin(reader, fd, reader->next_segment);
    reader->repeated = gap ? REPEATED_CONFIRM : REPEATED_KNOWN;
    reader->note_due = gap;
    for (struct known_pod *pod = reader->known; gap && pod != NULL; pod = pod->hh.next) {
        pod->confirmed = false;
    }
}

/* At the end of what there is. OK: there may be more now. */
static enum status reader_advance(struct journal_reader *reader, struct problem *problem)
{
    if (reader->dir_fd < 0) {
        return STATUS_AGAIN;
    }
    if (reader->next_fd < 0) {
        /* The writer may have added to the present one before it began the next: read to its end once more, then move on. */
        return reader_find_next(reader, problem);
    }
    reader_switch(reader);
    return STATUS_OK;
}

/* Keeps who is there; a pod's facts are told once more after a gap. */
static void reader_note_pod(struct journal_reader *reader, const struct fact *fact)
{
    struct known_pod *pod;
    if (reader->dir_fd < 0 || (fact->kind != FACT_POD && fact->kind != FACT_GONE)) {
        return;
    }
    HASH_FIND(hh, reader->known, &fact->pod, sizeof fact->pod, pod);
    if (fact->kind == FACT_GONE && pod != NULL) {
        HASH_DEL(reader->known, pod);
        mem_free(pod);
    } else if (fact->kind == FACT_POD && pod == NULL) {
        pod = mem_new(sizeof *pod);
        pod->id = fact->pod;
        HASH_ADD(hh, reader->known, id, sizeof pod->id, pod);
    }
    if (fact->kind == FACT_POD) {
        pod->confirmed = true;
    }
}

/* What a reader has to be told that stands in no line: the gap itself, and after it who went away meanwhile. */
static bool reader_tell_gap(struct journal_reader *reader, struct fact *fact, bool repeated_line)
{
    if (reader->note_due) {
        reader->note_due = false;
        fact_init(fact, FACT_NOTE, 0);
        fact->t = reader->last_t;
        text_set_str(&fact->u.note, "this reader fell behind the journal: what happened in between is not known here",
                     TEXT_LINE);
        return true;
    }
    if (reader->repeated != REPEATED_CONFIRM || repeated_line) {
        return false;
    }
    for (struct known_pod *pod = reader->known; pod != NULL; pod = pod->hh.next) {
        if (!pod->confirmed) {
            fact_init(fact, FACT_GONE, pod->id);
            fact->t = reader->last_t;
            reader_note_pod(reader, fact);
            return true;
        }
    }
    reader->repeated = REPEATED_KNOWN;
    return false;
}

/* Decodes a line that was taken. AGAIN: nothing to tell, go on with the next. */
static enum status reader_decode(struct journal_reader *reader, const char *line, size_t length, bool repeated_line,
                                 struct fact *fact, struct problem *problem)
{
    struct problem inner = {0};
    enum status status = fact_decode(line, length, fact, &inner);
    if (status == STATUS_UNSUPPORTED) {
        return STATUS_AGAIN;
    }
    if (status != STATUS_OK) {
        return reader_complain(reader, reader->line, problem, status, inner.text);
    }
    if (repeated_line && reader->repeated == REPEATED_CONFIRM) {
        if (fact->kind == FACT_HELLO) {
            fact_free(fact);
            return STATUS_AGAIN;
        }
        fact->t = fact->t > reader->last_t ? fact->t : reader->last_t;
    }
    reader->last_t = fact->t;
    reader_note_pod(reader, fact);
    return STATUS_OK;
}

/* One line, or what is to be told before it. AGAIN: neither, yet there may be another line. */
static enum status reader_step(struct journal_reader *reader, const char *line, size_t length, struct fact *fact,
                               struct problem *problem)
{
    if (reader->too_long) {
        reader_take(reader, length);
        return reader_complain(reader, reader->line, problem, STATUS_BAD_INPUT, "the line is too long");
    }
    bool repeated_line =
        length > AGAIN_MARK_LENGTH && memcmp(line + length - 1 - AGAIN_MARK_LENGTH, again_mark, AGAIN_MARK_LENGTH) == 0;
    if (reader_tell_gap(reader, fact, repeated_line)) {
        return STATUS_OK;
    }
    reader_take(reader, length);
    if (repeated_line && reader->repeated == REPEATED_KNOWN) {
        return STATUS_AGAIN;
    }
    return reader_decode(reader, line, length, repeated_line, fact, problem);
}

enum status journal_next(struct journal_reader *reader, struct fact *fact, struct problem *problem)
{
    for (;;) {
        const char *line;
        size_t length;
        enum status status = reader_peek(reader, &line, &length);
        if (status == STATUS_OK) {
            status = reader_step(reader, line, length, fact, problem);
            if (status != STATUS_AGAIN) {
                return status;
            }
            continue;
        }
        if (status == STATUS_IO) {
            return reader_complain(reader, reader->line + 1, problem, status, strerror(errno));
        }
        status = reader_advance(reader, problem);
        if (status != STATUS_OK) {
            return status;
        }
    }
}

/* The first line says that it is a journal, and of which format. A live journal's may not be written yet. */
static enum status reader_check_head(struct journal_reader *reader, struct problem *problem)
{
    const char *line;
    size_t length;
    struct fact fact;
    struct problem inner = {0};
    enum status status = reader_peek(reader, &line, &length);
    if (status == STATUS_AGAIN && reader->dir_fd >= 0) {
        return STATUS_OK;
    }
    if (status == STATUS_IO) {
        return reader_complain(reader, 1, problem, status, strerror(errno));
    }
    if (status != STATUS_OK || reader->too_long || fact_decode(line, length, &fact, &inner) != STATUS_OK) {
        return reader_complain(reader, 1, problem, STATUS_BAD_INPUT,
                               "no journal of probetop; expected a line of JSON of the kind \"hello\"");
    }
    enum fact_kind kind = fact.kind;
    int32_t version = kind == FACT_HELLO ? fact.u.hello.version : 0;
    fact_free(&fact);
    if (kind != FACT_HELLO) {
        return reader_complain(reader, 1, problem, STATUS_BAD_INPUT,
                               "no journal of probetop from its beginning on; expected the kind \"hello\" first");
    }
    return version == JOURNAL_VERSION
               ? STATUS_OK
               : reader_complain(reader, 1, problem, STATUS_UNSUPPORTED, "another version's journal; expected 1");
}

/* Opens the file, or the oldest segment. */
static enum status reader_open_first(struct journal_reader *reader, struct problem *problem)
{
    unsigned segment = 0;
    int fd = reader->dir_fd >= 0 ? reader_open_lowest(reader, 0, &segment) : file_open(AT_FDCWD, reader->path, 0);
    if (fd >= 0) {
        reader_begin(reader, fd, segment);
        return STATUS_OK;
    }
    if (reader->dir_fd >= 0 && errno == ENOENT) {
        return problem_set(problem, STATUS_BAD_INPUT, "%s: no journal in this directory; expected journal-000001.jsonl",
                           reader->path);
    }
    return errno == EINVAL
               ? problem_set(problem, STATUS_BAD_INPUT, "%s: expected a file or a journal's directory", reader->path)
               : problem_set(problem, status_from_errno(errno), "%s: %s", reader->path, strerror(errno));
}

enum status journal_open(const char *path, struct journal_reader **out, struct problem *problem)
{
    struct journal_reader *reader = mem_new(sizeof *reader);
    reader->path = mem_dup(path);
    reader->fd = -1;
    reader->next_fd = -1;
    reader->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status status = reader_open_first(reader, problem);
    if (status == STATUS_OK) {
        status = reader_check_head(reader, problem);
    }
    if (status != STATUS_OK) {
        journal_reader_free(reader);
        reader = NULL;
    }
    *out = reader;
    return status;
}

enum status journal_rewind(struct journal_reader *reader)
{
    enum status status = reader_open_first(reader, NULL);
    if (status == STATUS_OK) {
        reader_forget_known(reader);
        reader->repeated = REPEATED_NEW;
        reader->note_due = false;
        reader->last_t = 0;
    }
    return status;
}

void journal_reader_free(struct journal_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    reader_close_files(reader);
    reader_forget_known(reader);
    if (reader->dir_fd >= 0) {
        close(reader->dir_fd);
    }
    mem_free(reader->held);
    mem_free(reader->path);
    mem_free(reader);
}
