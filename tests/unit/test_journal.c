/* The journal: what is appended comes back, whatever the rotation, the disk and the writer's death did meanwhile. */
#include "engine/journal.h"

#include "base/clock.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a directory for each test ---- */

struct place {
    char dir[64];
    char file[96];
};

static int place_make(void **state)
{
    struct place *place = mem_new(sizeof *place);
    snprintf(place->dir, sizeof place->dir, "/tmp/probetop-test-XXXXXX");
    if (mkdtemp(place->dir) == NULL) {
        return -1;
    }
    snprintf(place->file, sizeof place->file, "%s/recording.jsonl", place->dir);
    *state = place;
    return 0;
}

static int place_remove(void **state)
{
    struct place *place = *state;
    DIR *list = opendir(place->dir);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", place->dir, entry->d_name);
        unlink(path);
    }
    if (list != NULL) {
        closedir(list);
    }
    rmdir(place->dir);
    mem_free(place);
    return 0;
}

static bool there_is(const char *dir, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    struct stat info;
    return lstat(path, &info) == 0;
}

static void write_file(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void write_string(const char *path, const char *string)
{
    write_file(path, string, strlen(string));
}

/* ---- facts ---- */

static void append_hello(struct journal *journal)
{
    struct fact fact;
    fact_init(&fact, FACT_HELLO, 0);
    fact.u.hello.version = 1;
    fact.u.hello.speed = 1;
    text_set_str(&fact.u.hello.title, "test", TEXT_NAME);
    journal_append(journal, &fact);
    fact_free(&fact);
}

static void append_pod(struct journal *journal, int64_t t, uint32_t id, const char *name)
{
    struct fact fact;
    fact_init(&fact, FACT_POD, id);
    fact.t = t;
    text_set_str(&fact.u.facts.name, name, TEXT_NAME);
    journal_append(journal, &fact);
    fact_free(&fact);
}

static void append_gone(struct journal *journal, int64_t t, uint32_t id)
{
    struct fact fact;
    fact_init(&fact, FACT_GONE, id);
    fact.t = t;
    journal_append(journal, &fact);
}

static void append_note(struct journal *journal, int64_t t, const char *sentence)
{
    struct fact fact;
    fact_init(&fact, FACT_NOTE, 0);
    fact.t = t;
    text_set_str(&fact.u.note, sentence, TEXT_LINE);
    journal_append(journal, &fact);
    fact_free(&fact);
}

/* What a reader gives until it has nothing more, one short word a fact: "hello pod1=a note:x gone1". */
static void read_all(struct journal_reader *reader, char *out, size_t size)
{
    struct problem problem = {0};
    struct fact fact;
    size_t used = 0;
    int64_t t = INT64_MIN;
    out[0] = '\0';
    while (journal_next(reader, &fact, &problem) == STATUS_OK) {
        const char *gap = used > 0 ? " " : "";
        int written = 0;
        assert_true(fact.t >= t);
        t = fact.t;
        if (fact.kind == FACT_POD) {
            written = snprintf(out + used, size - used, "%spod%u=%s", gap, fact.pod, text_str(&fact.u.facts.name));
        } else if (fact.kind == FACT_NOTE) {
            written = snprintf(out + used, size - used, "%snote:%.23s", gap, text_str(&fact.u.note));
        } else if (fact.kind == FACT_GONE) {
            written = snprintf(out + used, size - used, "%sgone%u", gap, fact.pod);
        } else {
            written = snprintf(out + used, size - used, "%s%s", gap, fact_kind_name(fact.kind));
        }
        used += (size_t)written;
        assert_true(used < size);
        fact_free(&fact);
    }
}

static struct journal *create(const char *dir, size_t segment_max, int segments)
{
    struct journal *journal;
    struct problem problem = {0};
    assert_int_equal(journal_create(dir, segment_max, segments, &journal, &problem), STATUS_OK);
    assert_string_equal(problem.text, "");
    return journal;
}

static struct journal_reader *open_reader(const char *path)
{
    struct journal_reader *reader;
    struct problem problem = {0};
    enum status status = journal_open(path, &reader, &problem);
    assert_string_equal(problem.text, "");
    assert_int_equal(status, STATUS_OK);
    return reader;
}

static void flush_quietly(struct journal *journal)
{
    struct problem note = {0};
    assert_false(journal_flush(journal, &note));
}

/* ---- tests ---- */

static void test_round_trip(void **state)
{
    struct place *place = *state;
    char told[512];
    struct journal *journal = create(place->dir, JOURNAL_SEGMENT_MAX, JOURNAL_SEGMENTS);
    struct journal_reader *reader = open_reader(place->dir); /* before anything is written */
    struct problem problem = {0};
    struct fact fact;
    assert_int_equal(journal_next(reader, &fact, &problem), STATUS_AGAIN);
    append_hello(journal);
    append_pod(journal, 10, 1, "decode-a");
    read_all(reader, told, sizeof told);
    assert_string_equal(told, ""); /* buffered: nothing is there before the flush */
    flush_quietly(journal);
    read_all(reader, told, sizeof told);
    assert_string_equal(told, "hello pod1=decode-a");
    append_note(journal, 20, "x");
    append_gone(journal, 30, 1);
    flush_quietly(journal);
    read_all(reader, told, sizeof told);
    assert_string_equal(told, "note:x gone1");
    assert_int_equal(journal_rewind(reader), STATUS_OK);
    read_all(reader, told, sizeof told);
    assert_string_equal(told, "hello pod1=decode-a note:x gone1");
    assert_string_equal(journal_dir(journal), place->dir);
    journal_close(journal, true);
    journal_reader_free(reader);
    assert_true(there_is(place->dir, "journal-000001.jsonl"));
}

static void test_modes(void **state)
{
    struct place *place = *state;
    char path[128];
    struct stat info;
    mode_t old = umask(0);
    struct journal *journal = create(place->dir, JOURNAL_SEGMENT_MAX, JOURNAL_SEGMENTS);
    struct problem problem = {0};
    assert_int_equal(journal_record(journal, place->file, &problem), STATUS_OK);
    umask(old);
    snprintf(path, sizeof path, "%s/journal-000001.jsonl", place->dir);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(stat(place->file, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    journal_close(journal, true);
}

/* Whatever the rotation, a reader that keeps up folds the same. */
static void test_rotation_is_unseen(void **state)
{
    struct place *place = *state;
    char told[4096], expected[4096] = "hello pod1=a pod2=b";
    struct journal *journal = create(place->dir, 300, 3);
    struct journal_reader *reader = open_reader(place->dir);
    size_t used = 0;
    append_hello(journal);
    append_pod(journal, 1, 1, "a");
    append_pod(journal, 2, 2, "b");
    for (int i = 0; i < 40; i++) {
        char sentence[16];
        snprintf(sentence, sizeof sentence, "n%d", i);
        append_note(journal, 10 + i, sentence);
        snprintf(expected + strlen(expected), sizeof expected - strlen(expected), " note:n%d", i);
        flush_quietly(journal);
        if (i % 3 == 0) {
            char part[4096];
            read_all(reader, part, sizeof part);
            used += (size_t)snprintf(told + used, sizeof told - used, "%s%s", used > 0 ? " " : "", part);
        }
    }
    assert_string_equal(told, expected);
    assert_false(there_is(place->dir, "journal-000001.jsonl"));
    journal_close(journal, true);
    journal_reader_free(reader);
}

/* A writer in another process, segments of a few lines, and a reader at its heels: nothing is lost or told twice at the seams. */
static void test_concurrent_reader(void **state)
{
    struct place *place = *state;
    enum { FACTS = 5000, SEGMENTS = 10000 };
    struct journal *journal = create(place->dir, 400, SEGMENTS);
    struct journal_reader *reader = open_reader(place->dir);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct problem note;
        append_hello(journal);
        for (int i = 0; i < FACTS; i++) {
            append_pod(journal, i, 1 + (uint32_t)i % 3, "p");
            if (i % 7 == 0) {
                journal_flush(journal, &note);
            }
        }
        journal_flush(journal, &note);
        _exit(0);
    }
    int64_t deadline = clock_mono_us() + 60 * (int64_t)SECOND_US;
    int64_t told = 0;
    bool hello = false;
    while (told < FACTS && clock_mono_us() < deadline) {
        struct fact fact;
        struct problem problem = {0};
        enum status status = journal_next(reader, &fact, &problem);
        if (status == STATUS_AGAIN) {
            sched_yield();
            continue;
        }
        assert_int_equal(status, STATUS_OK);
        assert_int_equal(fact.kind, hello ? FACT_POD : FACT_HELLO);
        if (hello) {
            assert_true(fact.t == told);
            told++;
        }
        hello = true;
        fact_free(&fact);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(told, FACTS);
    journal_reader_free(reader);
    journal_close(journal, true);
}

/* A recording has no rotation: whoever follows the live journal, however often he looks, is told the same. */
static void test_same_as_the_recording(void **state)
{
    struct place *place = *state;
    uint32_t seed = 1;
    for (int round = 0; round < 20; round++) {
        static char live[256 * 1024], recorded[256 * 1024];
        struct problem problem = {0};
        struct journal *journal = create(place->dir, 100 + 97 * (size_t)round, 100000);
        struct journal_reader *reader = open_reader(place->dir);
        assert_int_equal(journal_record(journal, place->file, &problem), STATUS_OK);
        append_hello(journal);
        live[0] = '\0';
        for (int i = 0; i < 500; i++) {
            seed = seed * 1664525u + 1013904223u;
            uint32_t id = 1 + (seed >> 20) % 5;
            if (seed >> 30 == 0) {
                append_pod(journal, i, id, "some-name");
            } else if (seed >> 30 == 1) {
                append_gone(journal, i, id);
            } else {
                append_note(journal, i, "what happens in between");
            }
            if ((seed >> 8) % 8 == 0) {
                flush_quietly(journal);
            }
            if ((seed >> 12) % 16 == 0) {
                char *end = live + strlen(live);
                read_all(reader, end + (end > live ? 1 : 0), sizeof live / 2);
                if (end > live && end[1] != '\0') {
                    *end = ' ';
                }
            }
        }
        flush_quietly(journal);
        char *end = live + strlen(live);
        read_all(reader, end + 1, sizeof live / 2);
        if (end[1] != '\0') {
            *end = ' ';
        }
        journal_reader_free(reader);
        journal_close(journal, false);
        reader = open_reader(place->file);
        read_all(reader, recorded, sizeof recorded);
        journal_reader_free(reader);
        assert_string_equal(live, recorded);
        unlink(place->file);
    }
}

static void count_segments(const char *dir, int *count, off_t *largest)
{
    DIR *list = opendir(dir);
    assert_non_null(list);
    *count = 0;
    *largest = 0;
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        struct stat info;
        if (strncmp(entry->d_name, "journal-", 8) == 0 && fstatat(dirfd(list), entry->d_name, &info, 0) == 0) {
            (*count)++;
            *largest = info.st_size > *largest ? info.st_size : *largest;
        }
    }
    closedir(list);
}

static void test_rotation_is_bounded(void **state)
{
    struct place *place = *state;
    char told[8192];
    int count;
    off_t largest;
    struct journal *journal = create(place->dir, 1000, 3);
    append_hello(journal);
    for (int i = 0; i < 10; i++) {
        append_pod(journal, 1 + i, (uint32_t)(1 + i % 4), i % 2 == 0 ? "even" : "odd");
    }
    append_gone(journal, 50, 3);
    for (int i = 0; i < 500; i++) {
        append_note(journal, 100 + i, "filling");
    }
    flush_quietly(journal);
    count_segments(place->dir, &count, &largest);
    assert_int_equal(count, 3);
    assert_true(largest <= 1000);
    /* Who comes now starts in the middle and has everybody who is still there, in the order of their last change. */
    struct journal_reader *reader = open_reader(place->dir);
    read_all(reader, told, sizeof told);
    assert_memory_equal(told, "hello pod4=odd pod1=even pod2=odd note:filling note:",
                        strlen("hello pod4=odd pod1=even pod2=odd note:filling note:"));
    assert_null(strstr(told + 5, "hello"));
    assert_int_equal(journal_rewind(reader), STATUS_OK);
    char again[8192];
    read_all(reader, again, sizeof again);
    assert_string_equal(again, told);
    journal_reader_free(reader);
    journal_close(journal, true);
}

/* More pods than a segment has room for must not mean a segment a fact. */
static void test_beginning_larger_than_segment(void **state)
{
    struct place *place = *state;
    struct journal *journal = create(place->dir, 500, 2);
    append_hello(journal);
    for (uint32_t i = 1; i <= 40; i++) {
        append_pod(journal, i, i, "a-pod-with-some-name");
    }
    for (int i = 0; i < 5; i++) {
        append_note(journal, 100 + i, "n");
    }
    flush_quietly(journal);
    char told[8192];
    struct journal_reader *reader = open_reader(place->dir);
    read_all(reader, told, sizeof told);
    assert_non_null(strstr(told, "pod40=a-pod-with-some-name"));
    assert_non_null(strstr(told, "pod1=a-pod-with-some-name"));
    assert_non_null(strstr(told, "note:n"));
    journal_reader_free(reader);
    journal_close(journal, true);
}

static void test_reader_falls_behind(void **state)
{
    struct place *place = *state;
    char told[8192];
    struct journal *journal = create(place->dir, 400, 2);
    struct journal_reader *reader = open_reader(place->dir);
    append_hello(journal);
    append_pod(journal, 1, 1, "stays");
    append_pod(journal, 2, 2, "goes");
    append_note(journal, 3, "seen");
    flush_quietly(journal);
    read_all(reader, told, sizeof told);
    assert_string_equal(told, "hello pod1=stays pod2=goes note:seen");
    append_gone(journal, 4, 2);
    append_pod(journal, 5, 3, "comes");
    for (int i = 0; i < 60; i++) {
        append_note(journal, 10 + i, "unseen");
    }
    append_note(journal, 1000, "last");
    flush_quietly(journal);
    assert_false(there_is(place->dir, "journal-000001.jsonl"));
    read_all(reader, told, sizeof told);
    /* The rest of the removed segment is still read; then the gap is told, then who is there, and then who is not any more. */
    const char *gap = strstr(told, "note:this reader fell behind");
    assert_non_null(gap);
    const char *rest = "note:this reader fell behind pod1=stays pod3=comes ";
    assert_memory_equal(gap, rest, strlen(rest));
    assert_null(strstr(gap, "hello"));
    assert_string_equal(told + strlen(told) - strlen("note:last"), "note:last");
    assert_non_null(strstr(told, "gone2"));
    append_note(journal, 2000, "later");
    flush_quietly(journal);
    read_all(reader, told, sizeof told);
    assert_string_equal(told, "note:later");
    journal_reader_free(reader);
    journal_close(journal, true);
}

/* Who goes away in a segment the reader never saw is told to be gone. */
static void test_gone_inside_a_gap(void **state)
{
    struct place *place = *state;
    char told[8192];
    struct journal *journal = create(place->dir, 300, 1);
    struct journal_reader *reader = open_reader(place->dir);
    append_hello(journal);
    append_pod(journal, 1, 1, "stays");
    append_pod(journal, 2, 2, "goes");
    flush_quietly(journal);
    read_all(reader, told, sizeof told);
    for (int i = 0; i < 20; i++) {
        append_note(journal, 10 + i, "unseen");
    }
    append_gone(journal, 50, 2);
    for (int i = 0; i < 20; i++) {
        append_note(journal, 100 + i, "filling");
    }
    flush_quietly(journal);
    read_all(reader, told, sizeof told);
    const char *expected = "note:this reader fell behind pod1=stays gone2 note:filling";
    const char *gap = strstr(told, "note:this reader");
    assert_non_null(gap);
    assert_memory_equal(gap, expected, strlen(expected));
    journal_reader_free(reader);
    journal_close(journal, true);
}

static void test_recording(void **state)
{
    struct place *place = *state;
    char told[8192];
    struct problem problem = {0};
    struct journal *journal = create(place->dir, 300, 2);
    assert_int_equal(journal_record(journal, place->file, &problem), STATUS_OK);
    append_hello(journal);
    append_pod(journal, 1, 1, "a");
    for (int i = 0; i < 20; i++) {
        append_note(journal, 10 + i, "n");
    }
    journal_close(journal, false);
    assert_false(there_is(place->dir, "journal-000001.jsonl"));
    struct journal_reader *reader = open_reader(place->file);
    read_all(reader, told, sizeof told);
    assert_memory_equal(told, "hello pod1=a note:n note:n", 26);
    assert_int_equal(strlen(told), strlen("hello pod1=a") + 20 * strlen(" note:n"));
    journal_reader_free(reader);
}

static void test_recording_never_overwrites(void **state)
{
    struct place *place = *state;
    struct problem problem = {0};
    char link_path[128];
    struct journal *journal = create(place->dir, 300, 2);
    write_string(place->file, "mine");
    assert_int_not_equal(journal_record(journal, place->file, &problem), STATUS_OK);
    assert_non_null(strstr(problem.text, "never overwrites"));
    /* A symbolic link, dangling or not, is not followed. */
    snprintf(link_path, sizeof link_path, "%s/link", place->dir);
    assert_int_equal(symlink("target", link_path), 0);
    assert_int_not_equal(journal_record(journal, link_path, &problem), STATUS_OK);
    assert_false(there_is(place->dir, "target"));
    journal_close(journal, true);
    FILE *file = fopen(place->file, "re");
    char content[8] = "";
    assert_non_null(file);
    assert_int_equal(fread(content, 1, sizeof content - 1, file), 4);
    fclose(file);
    assert_string_equal(content, "mine");
}

static void test_create_refuses(void **state)
{
    struct place *place = *state;
    struct journal *journal;
    struct problem problem = {0};
    char path[128];
    assert_int_equal(journal_create("/nonexistent/dir", 300, 2, &journal, &problem), STATUS_NOT_FOUND);
    assert_null(journal);
    assert_int_equal(chmod(place->dir, 0755), 0);
    assert_int_equal(journal_create(place->dir, 300, 2, &journal, &problem), STATUS_DENIED);
    assert_non_null(strstr(problem.text, "0700"));
    assert_int_equal(chmod(place->dir, 0700), 0);
    snprintf(path, sizeof path, "%s/journal-000001.jsonl", place->dir);
    assert_int_equal(symlink("elsewhere", path), 0);
    assert_int_not_equal(journal_create(place->dir, 300, 2, &journal, &problem), STATUS_OK);
    assert_false(there_is(place->dir, "elsewhere"));
    snprintf(path, sizeof path, "%s-link", place->dir);
    assert_int_equal(symlink(place->dir, path), 0);
    assert_int_not_equal(journal_create(path, 300, 2, &journal, &problem), STATUS_OK);
    unlink(path);
}

/* A planted link in the place of the next segment stops the journal, and the link's target is not touched. */
static void test_rotation_refuses_symlink(void **state)
{
    struct place *place = *state;
    char path[128];
    struct problem note = {0};
    struct journal *journal = create(place->dir, 300, 3);
    snprintf(path, sizeof path, "%s/journal-000002.jsonl", place->dir);
    assert_int_equal(symlink("elsewhere", path), 0);
    append_hello(journal);
    for (int i = 0; i < 20; i++) {
        append_note(journal, i, "filling");
    }
    assert_true(journal_flush(journal, &note));
    assert_non_null(strstr(note.text, "stopped"));
    assert_false(there_is(place->dir, "elsewhere"));
    journal_close(journal, true);
}

static void test_full_disk(void **state)
{
    struct place *place = *state;
    struct problem note = {0};
    struct rlimit old, small;
    char told[65536];
    struct journal *journal = create(place->dir, JOURNAL_SEGMENT_MAX, 2);
    assert_int_equal(journal_record(journal, place->file, &note), STATUS_OK);
    append_hello(journal);
    append_note(journal, 1, "kept");
    flush_quietly(journal);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 4096;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 200; i++) {
        append_note(journal, 10 + i, "more than there is room for");
    }
    bool first = journal_flush(journal, &note);
    struct problem other = {0};
    bool second = journal_flush(journal, &other);
    struct problem third = {0};
    append_note(journal, 1000, "after");
    bool more = journal_flush(journal, &third);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
    /* Once a file, and then never again. */
    assert_true(first);
    assert_true(second);
    assert_false(more);
    assert_non_null(strstr(note.text, "the journal in "));
    assert_non_null(strstr(note.text, strerror(EFBIG)));
    assert_non_null(strstr(other.text, "the recording to "));
    /* What was written before can be read; the torn line at the end is nothing. */
    struct journal_reader *reader = open_reader(place->file);
    read_all(reader, told, sizeof told);
    assert_memory_equal(told, "hello note:kept note:more", 25);
    journal_reader_free(reader);
    journal_close(journal, true);
}

static void test_removed_under_the_writer(void **state)
{
    struct place *place = *state;
    struct problem note = {0};
    char path[128], told[512];
    struct journal *journal = create(place->dir, JOURNAL_SEGMENT_MAX, 2);
    assert_int_equal(journal_record(journal, place->file, &note), STATUS_OK);
    append_hello(journal);
    flush_quietly(journal);
    snprintf(path, sizeof path, "%s/journal-000001.jsonl", place->dir);
    assert_int_equal(unlink(path), 0);
    append_note(journal, 1, "x");
    assert_true(journal_flush(journal, &note));
    assert_non_null(strstr(note.text, "removed"));
    assert_false(journal_flush(journal, &note));
    append_note(journal, 2, "y"); /* the recording goes on */
    flush_quietly(journal);
    struct journal_reader *reader = open_reader(place->file);
    read_all(reader, told, sizeof told);
    assert_string_equal(told, "hello note:x note:y");
    journal_reader_free(reader);
    journal_close(journal, true);
}

#define HELLO "{\"k\":\"hello\",\"t\":0,\"version\":1,\"speed\":1}\n"
#define NOTE(word) "{\"k\":\"note\",\"t\":1,\"text\":\"" word "\"}\n"

static void test_what_is_no_journal(void **state)
{
    static const struct {
        const char *content;
        enum status status;
        const char *says;
    } rows[] = {
        {"", STATUS_BAD_INPUT, ":1: "},
        {"\n", STATUS_BAD_INPUT, ":1: "},
        {"hello world\n", STATUS_BAD_INPUT, "\"hello\""},
        {"{\"k\":\"hello\",\"t\":0,\"version\":1", STATUS_BAD_INPUT, ":1: "}, /* torn */
        {NOTE("first"), STATUS_BAD_INPUT, "first"},
        {"{\"k\":\"hello\",\"t\":0,\"version\":2}\n", STATUS_UNSUPPORTED, "version"},
        {"{\"k\":\"hello\",\"t\":0}\n", STATUS_UNSUPPORTED, "version"},
        {"{\"kind\":\"Pod\"}\n", STATUS_BAD_INPUT, ":1: "},
        {"\x1f\x8b\x08\x00\xff\n", STATUS_BAD_INPUT, ":1: "},
    };
    struct place *place = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct problem problem = {0};
        struct journal_reader *reader;
        write_string(place->file, rows[i].content);
        assert_int_equal(journal_open(place->file, &reader, &problem), rows[i].status);
        assert_null(reader);
        assert_non_null(strstr(problem.text, rows[i].says));
    }
    struct problem problem = {0};
    struct journal_reader *reader;
    assert_int_equal(journal_open("/nonexistent/file", &reader, &problem), STATUS_NOT_FOUND);
    assert_int_equal(journal_open(place->dir, &reader, &problem), STATUS_BAD_INPUT);
    assert_int_equal(journal_open("/dev/zero", &reader, &problem), STATUS_BAD_INPUT);
}

static void test_fifo_does_not_block(void **state)
{
    struct place *place = *state;
    struct problem problem = {0};
    struct journal_reader *reader;
    assert_int_equal(mkfifo(place->file, 0600), 0);
    assert_int_equal(journal_open(place->file, &reader, &problem), STATUS_BAD_INPUT);
}

static void test_broken_lines(void **state)
{
    struct place *place = *state;
    struct problem problem = {0};
    struct fact fact;
    write_string(place->file, HELLO "junk\n{\"k\":\"later-kind\",\"t\":1}\n" NOTE("a") "\n{\"k\":\"note\",\"t\":2");
    struct journal_reader *reader = open_reader(place->file);
    assert_int_equal(journal_next(reader, &fact, &problem), STATUS_OK);
    assert_int_equal(fact.kind, FACT_HELLO);
    fact_free(&fact);
    assert_int_equal(journal_next(reader, &fact, &problem), STATUS_BAD_INPUT);
    assert_non_null(strstr(problem.text, "recording.jsonl:2: "));
    assert_int_equal(journal_next(reader, &fact, &problem), STATUS_OK); /* the unknown kind is passed over */
    assert_string_equal(text_str(&fact.u.note), "a");
    fact_free(&fact);
    assert_int_equal(journal_next(reader, &fact, &problem), STATUS_BAD_INPUT);
    assert_non_null(strstr(problem.text, ":5: "));
    assert_int_equal(journal_next(reader, &fact, &problem), STATUS_AGAIN); /* torn: not an error */
    FILE *file = fopen(place->file, "ae");
    assert_non_null(file);
    fputs(",\"text\":\"whole now\"}\n", file);
    fclose(file);
    assert_int_equal(journal_next(reader, &fact, &problem), STATUS_OK);
    assert_string_equal(text_str(&fact.u.note), "whole now");
    fact_free(&fact);
    journal_reader_free(reader);
}

static void test_truncated_under_the_reader(void **state)
{
    struct place *place = *state;
    char told[512];
    struct fact fact;
    struct problem problem = {0};
    write_string(place->file, HELLO NOTE("a"));
    struct journal_reader *reader = open_reader(place->file);
    read_all(reader, told, sizeof told);
    assert_string_equal(told, "hello note:a");
    assert_int_equal(truncate(place->file, 10), 0);
    assert_int_equal(journal_next(reader, &fact, &problem), STATUS_AGAIN);
    assert_int_equal(journal_next(reader, &fact, &problem), STATUS_AGAIN);
    journal_reader_free(reader);
}

static void test_endless_line(void **state)
{
    struct place *place = *state;
    size_t length = 3 * 1024 * 1024;
    char *bytes = mem_new(length);
    struct problem problem = {0};
    struct fact fact;
    memset(bytes, 'x', length);
    memcpy(bytes, HELLO, strlen(HELLO));
    memcpy(bytes + length - strlen("\n" NOTE("a")), "\n" NOTE("a"), strlen("\n" NOTE("a")));
    write_file(place->file, bytes, length);
    mem_free(bytes);
    struct journal_reader *reader = open_reader(place->file);
    assert_int_equal(journal_next(reader, &fact, &problem), STATUS_OK);
    fact_free(&fact);
    assert_int_equal(journal_next(reader, &fact, &problem), STATUS_BAD_INPUT);
    assert_non_null(strstr(problem.text, ":2: "));
    assert_int_equal(journal_next(reader, &fact, &problem), STATUS_OK);
    assert_int_equal(fact.kind, FACT_NOTE);
    fact_free(&fact);
    journal_reader_free(reader);
}

/* A log line that looks like the mark of a repeated line is a fact like any other. */
static void test_mark_in_content(void **state)
{
    struct place *place = *state;
    char told[4096];
    struct journal *journal = create(place->dir, 200, 9);
    struct journal_reader *reader = open_reader(place->dir);
    append_hello(journal);
    for (int i = 0; i < 6; i++) {
        append_note(journal, i, ",\"again\":true}");
    }
    flush_quietly(journal);
    read_all(reader, told, sizeof told);
    int count = 0;
    for (const char *at = told; (at = strstr(at, "note:,\"again\":true}")) != NULL; at++) {
        count++;
    }
    assert_int_equal(count, 6);
    journal_reader_free(reader);
    journal_close(journal, true);
}

static void test_too_long_fact_is_told(void **state)
{
    struct place *place = *state;
    struct problem note = {0};
    struct fact fact;
    struct journal *journal = create(place->dir, JOURNAL_SEGMENT_MAX, 2);
    size_t length = 300 * 1024;
    char *bytes = mem_new(length);
    memset(bytes, 'y', length);
    append_hello(journal);
    fact_init(&fact, FACT_NOTE, 0);
    text_set(&fact.u.note, bytes, length, length);
    journal_append(journal, &fact);
    fact_free(&fact);
    mem_free(bytes);
    assert_true(journal_flush(journal, &note));
    assert_non_null(strstr(note.text, "too long"));
    append_note(journal, 5, "next");
    flush_quietly(journal);
    char told[128];
    struct journal_reader *reader = open_reader(place->dir);
    read_all(reader, told, sizeof told);
    assert_string_equal(told, "hello note:next");
    journal_reader_free(reader);
    journal_close(journal, true);
}

static void test_remove_dir(void **state)
{
    struct place *place = *state;
    char path[128];
    struct journal *journal = create(place->dir, JOURNAL_SEGMENT_MAX, 2);
    journal_close(journal, true);
    write_string(place->file, "mine");
    snprintf(path, sizeof path, "%s/journal-1.jsonl", place->dir);
    write_string(path, "no segment's name");
    journal_remove_dir(place->dir);
    assert_true(there_is(place->dir, "recording.jsonl"));
    assert_true(there_is(place->dir, "journal-1.jsonl"));
    assert_false(there_is(place->dir, "journal-000001.jsonl"));
    journal_remove_dir(place->dir); /* no journal's any more: nothing happens */
    assert_true(there_is(place->dir, "recording.jsonl"));
    unlink(path);
    unlink(place->file);
    journal_remove_dir(place->dir);
    assert_true(there_is(place->dir, "."));
    journal = create(place->dir, JOURNAL_SEGMENT_MAX, 2);
    journal_close(journal, false);
    assert_false(there_is(place->dir, "."));
    journal_remove_dir(place->dir);
}

static void test_make_dir(void **state)
{
    struct place *place = *state;
    char *dir;
    char prefix[128];
    struct problem problem = {0};
    struct stat info;
    snprintf(prefix, sizeof prefix, "%s/state", place->dir);
    setenv("XDG_STATE_HOME", prefix, 1);
    assert_int_equal(journal_make_dir(&dir, &problem), STATUS_OK);
    assert_memory_equal(dir, prefix, strlen(prefix));
    assert_non_null(strstr(dir, "/probetop/run-"));
    assert_int_equal(lstat(dir, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);
    char *second;
    assert_int_equal(journal_make_dir(&second, &problem), STATUS_OK);
    assert_string_not_equal(dir, second);
    struct journal *journal = create(dir, JOURNAL_SEGMENT_MAX, 2);
    journal_close(journal, false);
    assert_int_not_equal(lstat(dir, &info), 0);
    rmdir(second);
    mem_free(dir);
    mem_free(second);
    /* Neither can be written: a file stands in the way. */
    write_string(place->file, "x");
    setenv("XDG_STATE_HOME", place->file, 1);
    setenv("HOME", place->file, 1);
    setenv("TMPDIR", place->dir, 1);
    assert_int_equal(journal_make_dir(&dir, &problem), STATUS_OK);
    snprintf(prefix, sizeof prefix, "%s/probetop-", place->dir);
    assert_memory_equal(dir, prefix, strlen(prefix));
    rmdir(dir);
    mem_free(dir);
    setenv("TMPDIR", place->file, 1);
    assert_int_not_equal(journal_make_dir(&dir, &problem), STATUS_OK);
    assert_null(dir);
    assert_non_null(strstr(problem.text, "XDG_STATE_HOME"));
    /* Nor is one used where others may write. */
    snprintf(prefix, sizeof prefix, "%s/state/probetop", place->dir);
    assert_int_equal(chmod(prefix, 0777), 0);
    snprintf(prefix, sizeof prefix, "%s/state", place->dir);
    setenv("XDG_STATE_HOME", prefix, 1);
    assert_int_not_equal(journal_make_dir(&dir, &problem), STATUS_OK);
    snprintf(prefix, sizeof prefix, "%s/state/probetop", place->dir);
    rmdir(prefix);
    snprintf(prefix, sizeof prefix, "%s/state", place->dir);
    rmdir(prefix);
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, place_make, place_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACED(test_round_trip),
        PLACED(test_modes),
        PLACED(test_rotation_is_unseen),
        PLACED(test_concurrent_reader),
        PLACED(test_same_as_the_recording),
        PLACED(test_rotation_is_bounded),
        PLACED(test_beginning_larger_than_segment),
        PLACED(test_reader_falls_behind),
        PLACED(test_gone_inside_a_gap),
        PLACED(test_recording),
        PLACED(test_recording_never_overwrites),
        PLACED(test_create_refuses),
        PLACED(test_rotation_refuses_symlink),
        PLACED(test_full_disk),
        PLACED(test_removed_under_the_writer),
        PLACED(test_what_is_no_journal),
        PLACED(test_fifo_does_not_block),
        PLACED(test_broken_lines),
        PLACED(test_truncated_under_the_reader),
        PLACED(test_endless_line),
        PLACED(test_mark_in_content),
        PLACED(test_too_long_fact_is_told),
        PLACED(test_remove_dir),
        PLACED(test_make_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
