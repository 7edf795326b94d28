#include "engine/journal.h"

#include "base/mem.h"
#include "engine/fact_json.h"
#include "engine/journal_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define uthash_malloc(size) mem_new(size)
#define uthash_free(memory, size) mem_free(memory)
#include <uthash.h>

enum { READ_SIZE = 256 * 1024, OPEN_ATTEMPTS = 16 };

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

struct reader_place {
    char *path;
    int dir_fd; /* -1: a single file */
};

struct journal_reader {
    struct reader_place *places; /* one, and one more for each move of the writer that was told */
    size_t place_count, place;   /* place: the one being read */
    int fd;                      /* what is being read */
    unsigned segment;            /* its number */
    int next_fd; /* the segment after it, once there is one: then the present one does not grow any more */
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

static const char *reader_path(const struct journal_reader *reader)
{
    return reader->places[reader->place].path;
}

/* -1: it reads a single file. */
static int reader_dir(const struct journal_reader *reader)
{
    return reader->places[reader->place].dir_fd;
}

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
    if (reader->fd >= 0)
        close(reader->fd);
    if (reader->next_fd >= 0)
        close(reader->next_fd);
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
    if (reader_dir(reader) >= 0) {
        name[0] = '/';
        segment_name(name + 1, reader->segment);
    }
    return problem_set(problem, status, "%s%s:%lld: %s", reader_path(reader), name, (long long)line, sentence);
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
    if (count < 0)
        return STATUS_IO;
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
        if (status != STATUS_OK)
            return status;
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
static int segment_open_lowest(int dir_fd, unsigned above, unsigned *segment)
{
    char name[SEGMENT_NAME_SIZE];
    int fd = -1;
    errno = ENOENT;
    for (int attempt = 0; attempt < OPEN_ATTEMPTS && fd < 0 && errno == ENOENT; attempt++) {
        *segment = segment_lowest(dir_fd, above);
        if (*segment == 0) {
            errno = ENOENT;
            return -1;
        }
        segment_name(name, *segment);
        fd = journal_file_open(dir_fd, name, O_NOFOLLOW);
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
    reader->next_fd = journal_file_open(reader_dir(reader), name, O_NOFOLLOW);
    if (reader->next_fd < 0 && errno == ENOENT && fstat(reader->fd, &info) == 0 && info.st_nlink == 0)
        reader->next_fd = segment_open_lowest(reader_dir(reader), reader->segment, &reader->next_segment);
    if (reader->next_fd >= 0)
        return STATUS_OK;
    return errno == ENOENT ? STATUS_AGAIN
                           : problem_set(problem, STATUS_IO, "%s/%s: %s", reader_path(reader), name, strerror(errno));
}

/* Moves on to the segment that was found. A number that was passed over is a gap. */
static void reader_switch(struct journal_reader *reader, bool gap)
{
    int fd = reader->next_fd;
    reader->next_fd = -1;
    gap = gap || reader->next_segment > reader->segment + 1;
    reader_begin(reader, fd, reader->next_segment);
    reader->repeated = gap ? REPEATED_CONFIRM : REPEATED_KNOWN;
    reader->note_due = gap;
    for (struct known_pod *pod = reader->known; gap && pod != NULL; pod = pod->hh.next)
        pod->confirmed = false;
}

/* Follows the writer into the next directory. The first segment there has the number after the last one here, or that of one that was begun here in vain. AGAIN: there is no such directory. */
static enum status reader_move(struct journal_reader *reader, bool gap, struct problem *problem)
{
    if (reader->place + 1 >= reader->place_count)
        return STATUS_AGAIN;
    const struct reader_place *next = &reader->places[reader->place + 1];
    int fd = segment_open_lowest(next->dir_fd, 0, &reader->next_segment);
    if (fd < 0)
        return problem_set(problem, STATUS_IO, "%s: %s", next->path, strerror(errno));
    if (reader->next_fd >= 0)
        close(reader->next_fd);
    reader->next_fd = fd;
    reader->place++;
    reader_switch(reader, gap);
    return STATUS_OK;
}

/* At the end of what there is. OK: there may be more now. */
static enum status reader_advance(struct journal_reader *reader, struct problem *problem)
{
    if (reader_dir(reader) < 0)
        return STATUS_AGAIN;
    if (reader->next_fd < 0) {
        /* The writer may have added to the present one before it began the next: read to its end once more, then move on. */
        enum status status = reader_find_next(reader, problem);
        if (status == STATUS_OK)
            return status;
        enum status moved = reader_move(reader, status != STATUS_AGAIN, problem);
        return moved == STATUS_AGAIN ? status : moved;
    }
    reader_switch(reader, false);
    return STATUS_OK;
}

/* Keeps who is there; a pod's facts are told once more after a gap. */
static void reader_note_pod(struct journal_reader *reader, const struct fact *fact)
{
    struct known_pod *pod;
    if (reader_dir(reader) < 0 || (fact->kind != FACT_POD && fact->kind != FACT_GONE))
        return;
    HASH_FIND(hh, reader->known, &fact->pod, sizeof fact->pod, pod);
    if (fact->kind == FACT_GONE && pod != NULL) {
        HASH_DEL(reader->known, pod);
        mem_free(pod);
    } else if (fact->kind == FACT_POD && pod == NULL) {
        pod = mem_new(sizeof *pod);
        pod->id = fact->pod;
        HASH_ADD(hh, reader->known, id, sizeof pod->id, pod);
    }
    if (fact->kind == FACT_POD)
        pod->confirmed = true;
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
    if (reader->repeated != REPEATED_CONFIRM || repeated_line)
        return false;
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
    if (status == STATUS_UNSUPPORTED)
        return STATUS_AGAIN;
    if (status != STATUS_OK)
        return reader_complain(reader, reader->line, problem, status, inner.text);
    if (repeated_line && reader->repeated == REPEATED_CONFIRM && fact->kind == FACT_HELLO) {
        fact_free(fact);
        return STATUS_AGAIN;
    }
    /* what is repeated after a gap is older than what was read last, and what was pending at a move is older than what is repeated before it */
    if (reader_dir(reader) >= 0 && fact->t < reader->last_t)
        fact->t = reader->last_t;
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
        length > SEGMENT_AGAIN_MARK_LENGTH &&
        memcmp(line + length - 1 - SEGMENT_AGAIN_MARK_LENGTH, SEGMENT_AGAIN_MARK, SEGMENT_AGAIN_MARK_LENGTH) == 0;
    if (reader_tell_gap(reader, fact, repeated_line))
        return STATUS_OK;
    reader_take(reader, length);
    if (repeated_line && reader->repeated == REPEATED_KNOWN)
        return STATUS_AGAIN;
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
            if (status != STATUS_AGAIN)
                return status;
            continue;
        }
        if (status == STATUS_IO) {
            reader_complain(reader, reader->line + 1, problem, status, strerror(errno));
            status = reader_move(reader, true, NULL);
            if (status != STATUS_OK)
                return STATUS_IO;
            continue;
        }
        status = reader_advance(reader, problem);
        if (status != STATUS_OK)
            return status;
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
    if (status == STATUS_AGAIN && reader_dir(reader) >= 0)
        return STATUS_OK;
    if (status == STATUS_IO)
        return reader_complain(reader, 1, problem, status, strerror(errno));
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
    int fd = -1;
    for (size_t i = 0; i < reader->place_count && fd < 0; i++) {
        reader->place = i;
        fd = reader_dir(reader) >= 0 ? segment_open_lowest(reader_dir(reader), 0, &segment)
                                     : journal_file_open(AT_FDCWD, reader_path(reader), 0);
    }
    if (fd >= 0) {
        reader_begin(reader, fd, segment);
        return STATUS_OK;
    }
    if (reader_dir(reader) >= 0 && errno == ENOENT) {
        return problem_set(problem, STATUS_BAD_INPUT, "%s: no journal in this directory; expected journal-000001.jsonl",
                           reader_path(reader));
    }
    return errno == EINVAL
               ? problem_set(problem, STATUS_BAD_INPUT, "%s: expected a file or a journal's directory",
                             reader_path(reader))
               : problem_set(problem, status_from_errno(errno), "%s: %s", reader_path(reader), strerror(errno));
}

static void reader_add_place(struct journal_reader *reader, const char *path, int dir_fd)
{
    reader->places = mem_resize(reader->places, reader->place_count + 1, sizeof *reader->places);
    reader->places[reader->place_count++] = (struct reader_place){mem_dup(path), dir_fd};
}

enum status journal_open(const char *path, struct journal_reader **out, struct problem *problem)
{
    struct journal_reader *reader = mem_new(sizeof *reader);
    reader->fd = -1;
    reader->next_fd = -1;
    reader_add_place(reader, path, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    enum status status = reader_open_first(reader, problem);
    if (status == STATUS_OK)
        status = reader_check_head(reader, problem);
    if (status != STATUS_OK) {
        journal_reader_free(reader);
        reader = NULL;
    }
    *out = reader;
    return status;
}

enum status journal_follow(struct journal_reader *reader, const char *dir, struct problem *problem)
{
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir_fd < 0)
        return problem_set(problem, status_from_errno(errno), "the journal goes on in %s: %s", dir, strerror(errno));
    reader_add_place(reader, dir, dir_fd);
    return STATUS_OK;
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
    if (reader == NULL)
        return;
    reader_close_files(reader);
    reader_forget_known(reader);
    for (size_t i = 0; i < reader->place_count; i++) {
        if (reader->places[i].dir_fd >= 0)
            close(reader->places[i].dir_fd);
        mem_free(reader->places[i].path);
    }
    mem_free(reader->places);
    mem_free(reader->held);
    mem_free(reader);
}
