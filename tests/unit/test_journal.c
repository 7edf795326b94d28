/* The journal: what is appended comes back, whatever the rotation, the disk and the writer's death did meanwhile. */
#include "engine/journal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "engine/journal_files.h"
#include "engine/journal_runs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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
    if (mkdtemp(place->dir) == NULL)
        return -1;
    snprintf(place->file, sizeof place->file, "%s/recording.jsonl", place->dir);
    setenv("XDG_RUNTIME_DIR", place->dir, 1); /* where a journal goes on first that cannot stay */
    setenv("HOME", place->dir, 1);            /* what the user's own runs left there is none of our business */
    *state = place;
    return 0;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    (void)about;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int place_remove(void **state)
{
    struct place *place = *state;
    nftw(place->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
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
        if (fact.kind == FACT_POD)
            written = snprintf(out + used, size - used, "%spod%u=%s", gap, fact.pod, text_str(&fact.u.facts.name));
        else if (fact.kind == FACT_NOTE)
            written = snprintf(out + used, size - used, "%snote:%.23s", gap, text_str(&fact.u.note));
        else if (fact.kind == FACT_GONE)
            written = snprintf(out + used, size - used, "%sgone%u", gap, fact.pod);
        else
            written = snprintf(out + used, size - used, "%s%s", gap, fact_kind_name(fact.kind));
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
            if (i % 7 == 0)
                journal_flush(journal, &note);
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
            if (seed >> 30 == 0)
                append_pod(journal, i, id, "some-name");
            else if (seed >> 30 == 1)
                append_gone(journal, i, id);
            else
                append_note(journal, i, "what happens in between");
            if ((seed >> 8) % 8 == 0)
                flush_quietly(journal);
            if ((seed >> 12) % 16 == 0) {
                char *end = live + strlen(live);
                read_all(reader, end + (end > live ? 1 : 0), sizeof live / 2);
                if (end > live && end[1] != '\0')
                    *end = ' ';
            }
        }
        flush_quietly(journal);
        char *end = live + strlen(live);
        read_all(reader, end + 1, sizeof live / 2);
        if (end[1] != '\0')
            *end = ' ';
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
    for (int i = 0; i < 10; i++)
        append_pod(journal, 1 + i, (uint32_t)(1 + i % 4), i % 2 == 0 ? "even" : "odd");
    append_gone(journal, 50, 3);
    for (int i = 0; i < 500; i++)
        append_note(journal, 100 + i, "filling");
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
    for (uint32_t i = 1; i <= 40; i++)
        append_pod(journal, i, i, "a-pod-with-some-name");
    for (int i = 0; i < 5; i++)
        append_note(journal, 100 + i, "n");
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
    for (int i = 0; i < 60; i++)
        append_note(journal, 10 + i, "unseen");
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
    for (int i = 0; i < 20; i++)
        append_note(journal, 10 + i, "unseen");
    append_gone(journal, 50, 2);
    for (int i = 0; i < 20; i++)
        append_note(journal, 100 + i, "filling");
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
    for (int i = 0; i < 20; i++)
        append_note(journal, 10 + i, "n");
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

/* A planted link in the place of the next segment makes the journal go elsewhere, and the link's target is not touched. */
static void test_rotation_refuses_symlink(void **state)
{
    struct place *place = *state;
    char path[128];
    struct problem note = {0};
    struct journal *journal = create(place->dir, 300, 3);
    snprintf(path, sizeof path, "%s/journal-000002.jsonl", place->dir);
    assert_int_equal(symlink("elsewhere", path), 0);
    append_hello(journal);
    for (int i = 0; i < 20; i++)
        append_note(journal, i, "filling");
    assert_true(journal_flush(journal, &note));
    assert_non_null(strstr(note.text, "the journal goes on in"));
    assert_false(there_is(place->dir, "elsewhere"));
    journal_close(journal, true);
}

/* ---- disks that are full ---- */

/* The largest that any file of this process may be; 0: as before. */
static void limit_files(rlim_t most)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = most > 0 ? most : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_full_disk(void **state)
{
    struct place *place = *state;
    struct problem note = {0}, other = {0}, third = {0};
    char told[65536];
    struct journal *journal = create(place->dir, JOURNAL_SEGMENT_MAX, 2);
    assert_int_equal(journal_record(journal, place->file, &note), STATUS_OK);
    append_hello(journal);
    append_note(journal, 1, "kept");
    flush_quietly(journal);
    limit_files(4096);
    for (int i = 0; i < 200; i++)
        append_note(journal, 10 + i, "more than there is room for");
    bool first = journal_flush(journal, &note);
    bool second = journal_flush(journal, &other);
    append_note(journal, 1000, "after");
    bool more = journal_flush(journal, &third);
    limit_files(0);
    /* Once a file, and then never again. */
    assert_true(first);
    assert_true(second);
    assert_false(more);
    assert_non_null(strstr(note.text, "the journal in "));
    assert_non_null(strstr(note.text, strerror(EFBIG)));
    assert_non_null(strstr(note.text, "can go on nowhere else")); /* no file takes so much at once */
    assert_false(journal_goes_on(journal));
    assert_string_equal(journal_dir(journal), place->dir);
    assert_non_null(strstr(other.text, "the recording to "));
    /* What was written before can be read; the torn line at the end is nothing. */
    struct journal_reader *reader = open_reader(place->file);
    read_all(reader, told, sizeof told);
    assert_memory_equal(told, "hello note:kept note:more", 25);
    journal_reader_free(reader);
    journal_close(journal, true);
}

/* Follows the writer as the control socket would tell it to. */
static void follow(struct journal *journal, struct journal_reader *reader, char *dir, size_t size)
{
    struct problem problem = {0};
    if (strcmp(dir, journal_dir(journal)) != 0) {
        snprintf(dir, size, "%s", journal_dir(journal));
        assert_int_equal(journal_follow(reader, dir, &problem), STATUS_OK);
    }
}

/* Reads on behind what was told already. */
static void read_on(struct journal_reader *reader, char *told, size_t size)
{
    size_t used = strlen(told), gap = used > 0 ? 1 : 0;
    read_all(reader, told + used + gap, size - used - gap);
    if (gap > 0 && told[used + 1] != '\0')
        told[used] = ' ';
}

static void test_goes_on_elsewhere(void **state)
{
    struct place *place = *state;
    struct problem note = {0};
    struct stat info;
    char told[4096], dir[128], expected[4096] = "hello pod1=a";
    char run[128];
    snprintf(run, sizeof run, "%s/run", place->dir);
    assert_int_equal(mkdir(run, 0700), 0);
    struct journal *journal = create(run, JOURNAL_SEGMENT_MAX, 20);
    struct journal_reader *reader = open_reader(run);
    append_hello(journal);
    append_pod(journal, 1, 1, "a");
    flush_quietly(journal);
    limit_files(1000);
    int notes = 0;
    for (int i = 0; i < 60; i++) {
        char sentence[16];
        snprintf(sentence, sizeof sentence, "n%d", i);
        append_note(journal, 10 + i, sentence);
        snprintf(expected + strlen(expected), sizeof expected - strlen(expected), " note:n%d", i);
        if (i % 5 == 4)
            notes += journal_flush(journal, &note) ? 1 : 0;
    }
    limit_files(0);
    assert_int_equal(notes, 1); /* the limit is known where it goes on: there it rotates in time */
    assert_non_null(strstr(note.text, "the journal goes on in "));
    assert_non_null(strstr(note.text, journal_dir(journal)));
    assert_true(journal_goes_on(journal));
    snprintf(dir, sizeof dir, "%s", run);
    assert_int_equal(strncmp(journal_dir(journal), place->dir, strlen(place->dir)), 0);
    assert_int_equal(lstat(journal_dir(journal), &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);
    /* Who is not told stays where he is; who is told later misses nothing that is there. */
    told[0] = '\0';
    read_on(reader, told, sizeof told);
    assert_string_not_equal(told, expected);
    assert_memory_equal(told, expected, strlen(told));
    follow(journal, reader, dir, sizeof dir);
    read_on(reader, told, sizeof told);
    assert_string_equal(told, expected);
    /* And again from the beginning, through both. */
    assert_int_equal(journal_rewind(reader), STATUS_OK);
    read_all(reader, told, sizeof told);
    assert_string_equal(told, expected);
    journal_reader_free(reader);
    /* Who begins there has everybody. */
    reader = open_reader(dir);
    read_all(reader, told, sizeof told);
    assert_memory_equal(told, "hello pod1=a note:", 18);
    journal_reader_free(reader);
    journal_close(journal, false);
    assert_int_not_equal(lstat(dir, &info), 0);
    assert_int_not_equal(lstat(run, &info), 0);
}

/* Size of the newest segment. */
static off_t newest_size(const char *dir)
{
    char path[192], name[SEGMENT_NAME_SIZE];
    struct stat info = {.st_size = 0};
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    unsigned newest = 0;
    for (unsigned number; (number = segment_lowest(fd, newest)) != 0;)
        newest = number;
    close(fd);
    segment_name(name, newest);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(stat(path, &info), 0);
    return info.st_size;
}

/* One random fact, and the word for it behind `expected`. */
static void append_any(struct journal *journal, int64_t t, uint32_t seed, char *expected, size_t size)
{
    uint32_t id = 1 + (seed >> 20) % 5;
    size_t used = strlen(expected);
    if (seed >> 30 == 0) {
        append_pod(journal, t, id, "some-name");
        snprintf(expected + used, size - used, " pod%u=some-name", id);
    } else if (seed >> 30 == 1) {
        append_gone(journal, t, id);
        snprintf(expected + used, size - used, " gone%u", id);
    } else {
        append_note(journal, t, "what happens in between");
        snprintf(expected + used, size - used, " note:what happens in between");
    }
}

/* Wherever in a line the disk was full, and however far the reader was: it is told everything once, in order. */
static void test_nothing_is_lost_on_the_way(void **state)
{
    struct place *place = *state;
    uint32_t seed = 7;
    int moves = 0;
    for (int round = 0; round < 40; round++) {
        static char told[64 * 1024], expected[64 * 1024];
        char dir[128], run[128];
        struct problem note;
        int left = 3; /* after that it stops */
        snprintf(run, sizeof run, "%s/run-%d", place->dir, round);
        assert_int_equal(mkdir(run, 0700), 0);
        struct journal *journal = create(run, 2500 + 497 * (size_t)round, 1000);
        struct journal_reader *reader = open_reader(run);
        snprintf(dir, sizeof dir, "%s", run);
        append_hello(journal);
        snprintf(expected, sizeof expected, "hello");
        told[0] = '\0';
        for (int i = 0; i < 500; i++) {
            seed = seed * 1664525u + 1013904223u;
            append_any(journal, i, seed, expected, sizeof expected);
            if ((seed >> 8) % 64 == 0 && newest_size(dir) > 2000 && left > 0) {
                left--;
                limit_files((rlim_t)newest_size(dir) + (seed >> 16) % 100 + 1);
            }
            if ((seed >> 8) % 8 == 0) {
                moves += journal_flush(journal, &note) ? 1 : 0;
                follow(journal, reader, dir, sizeof dir);
            }
            limit_files(0);
            if ((seed >> 12) % 16 == 0)
                read_on(reader, told, sizeof told);
        }
        journal_flush(journal, &note);
        follow(journal, reader, dir, sizeof dir);
        read_on(reader, told, sizeof told);
        assert_string_equal(told, expected);
        assert_int_equal(journal_rewind(reader), STATUS_OK);
        read_all(reader, told, sizeof told);
        assert_string_equal(told, expected);
        journal_reader_free(reader);
        journal_close(journal, false);
    }
    assert_true(moves > 40);
}

/* On the very first write: then the hello itself is still pending. */
static void test_full_from_the_start(void **state)
{
    struct place *place = *state;
    struct problem note = {0};
    char told[512], dir[128], path[128];
    struct journal *journal = create(place->dir, JOURNAL_SEGMENT_MAX, 2);
    struct journal_reader *reader = open_reader(place->dir);
    snprintf(dir, sizeof dir, "%s", place->dir);
    snprintf(path, sizeof path, "%s/journal-000001.jsonl", place->dir);
    assert_int_equal(unlink(path), 0);
    append_hello(journal);
    append_pod(journal, 1, 1, "a");
    assert_true(journal_flush(journal, &note));
    follow(journal, reader, dir, sizeof dir);
    read_all(reader, told, sizeof told);
    assert_string_equal(told, "hello pod1=a");
    journal_reader_free(reader);
    reader = open_reader(dir);
    read_all(reader, told, sizeof told);
    assert_string_equal(told, "hello pod1=a");
    journal_reader_free(reader);
    journal_close(journal, false);
}

/* What was lost between two places is a gap, and who went away in it is gone. */
static void test_gap_on_the_way(void **state)
{
    struct place *place = *state;
    struct problem note = {0};
    char told[4096], dir[128], path[160];
    snprintf(dir, sizeof dir, "%s/run", place->dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    struct journal *journal = create(dir, 200, 100);
    struct journal_reader *reader = open_reader(dir);
    append_hello(journal);
    append_pod(journal, 1, 1, "stays");
    append_pod(journal, 2, 2, "goes");
    flush_quietly(journal);
    read_all(reader, told, sizeof told);
    append_note(journal, 3, "unseen, and more than a segment");
    append_gone(journal, 4, 2);
    append_note(journal, 5, "unseen, and more than a segment");
    append_note(journal, 6, "unseen, and more than a segment");
    flush_quietly(journal);
    for (unsigned number = 1; number < 20; number++) {
        snprintf(path, sizeof path, "%s/journal-%06u.jsonl", dir, number);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/lock", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
    append_note(journal, 7, "seen");
    assert_true(journal_flush(journal, &note));
    assert_non_null(strstr(note.text, "removed"));
    follow(journal, reader, dir, sizeof dir);
    read_all(reader, told, sizeof told);
    /* the segment it was reading is still there for it, the others are not */
    assert_string_equal(told, "note:unseen, and more than a note:this reader fell behind pod1=stays gone2 note:seen");
    journal_reader_free(reader);
    journal_close(journal, false);
}

static void test_refuge_is_elsewhere(void **state)
{
    struct place *place = *state;
    struct stat info;
    assert_int_equal(stat(place->dir, &info), 0);
    char *dir = run_make(PLACE_RUNTIME, NULL);
    assert_non_null(dir);
    assert_int_equal(strncmp(dir, place->dir, strlen(place->dir)), 0);
    mem_free(dir);
    assert_null(run_make(PLACE_RUNTIME, &info.st_dev)); /* the same device is full there too */
    setenv("XDG_RUNTIME_DIR", "relative", 1);
    assert_null(run_make(PLACE_RUNTIME, NULL));
    setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
    assert_null(run_make(PLACE_RUNTIME, NULL));
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
    assert_non_null(strstr(note.text, "the journal goes on in"));
    assert_false(journal_flush(journal, &note));
    append_note(journal, 2, "y"); /* the recording is none the wiser */
    flush_quietly(journal);
    struct journal_reader *reader = open_reader(place->file);
    read_all(reader, told, sizeof told);
    assert_string_equal(told, "hello note:x note:y");
    journal_reader_free(reader);
    reader = open_reader(journal_dir(journal));
    read_all(reader, told, sizeof told);
    assert_string_equal(told, "hello note:x note:y"); /* the hello is repeated there */
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
    for (int i = 0; i < 6; i++)
        append_note(journal, i, ",\"again\":true}");
    flush_quietly(journal);
    read_all(reader, told, sizeof told);
    int count = 0;
    for (const char *at = told; (at = strstr(at, "note:,\"again\":true}")) != NULL; at++)
        count++;
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
    assert_int_equal(journal_make_dir(&dir, &problem), STATUS_OK); /* in memory, then: any place will do */
    rmdir(dir);
    mem_free(dir);
    /* Nor is one used where others may write. */
    snprintf(prefix, sizeof prefix, "%s/state/probetop", place->dir);
    assert_int_equal(chmod(prefix, 0777), 0);
    snprintf(prefix, sizeof prefix, "%s/state", place->dir);
    setenv("XDG_STATE_HOME", prefix, 1);
    assert_int_equal(journal_make_dir(&dir, &problem), STATUS_OK);
    assert_null(strstr(dir, prefix));
    rmdir(dir);
    mem_free(dir);
}

/* ---- what runs leave behind ---- */

enum way { DIED, KEPT, OLD_VERSION, TOUCHED, LIVES };

/* A run in a fresh directory that was last written so many seconds ago. */
static char *leave_run(enum way way, int64_t age_s, struct journal **journal)
{
    struct problem problem = {0};
    struct clock clock;
    char path[256];
    char *dir = run_make(PLACE_STATE, NULL);
    assert_non_null(dir);
    assert_int_equal(journal_create(dir, JOURNAL_SEGMENT_MAX, 2, journal, &problem), STATUS_OK);
    append_hello(*journal);
    flush_quietly(*journal);
    if (way == KEPT)
        journal_keep(*journal);
    if (way != LIVES) {
        journal_close(*journal, true); /* the process that had the lock has let go of it */
        *journal = NULL;
    }
    snprintf(path, sizeof path, "%s/notes.txt", dir);
    if (way == TOUCHED)
        write_string(path, "what I saw");
    clock_start(&clock, 1);
    struct timespec times[2] = {{.tv_sec = clock.wall_zero / SECOND_US - age_s}};
    times[1] = times[0];
    static const char *const names[] = {"lock", "journal-000001.jsonl"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    }
    snprintf(path, sizeof path, "%s/lock", dir);
    if (way == OLD_VERSION)
        unlink(path);
    return dir;
}

static void test_leftovers_are_cleared_away(void **state)
{
    enum { DAY = 24 * 3600 };
    static const struct {
        enum way way;
        int64_t age_s;
        bool stays;
    } rows[] = {
        {DIED, 10, true},          {DIED, 20, true},        {DIED, 3 * DAY, true},   {DIED, 6 * DAY, true},
        {DIED, 8 * DAY, false},    {KEPT, 30 * DAY, true},  {LIVES, 30 * DAY, true}, {OLD_VERSION, 30 * DAY, true},
        {TOUCHED, 30 * DAY, true}, {DIED, 30 * DAY, false},
    };
    enum { ROWS = sizeof rows / sizeof rows[0] };
    struct place *place = *state;
    struct problem problem = {0};
    char *dirs[ROWS], *dir;
    struct journal *journals[ROWS];
    setenv("XDG_STATE_HOME", place->dir, 1);
    for (size_t i = 0; i < ROWS; i++)
        dirs[i] = leave_run(rows[i].way, rows[i].age_s, &journals[i]);
    assert_int_equal(journal_make_dir(&dir, &problem), STATUS_OK);
    assert_true(there_is(dir, "."));
    for (size_t i = 0; i < ROWS; i++) {
        if (there_is(dirs[i], "journal-000001.jsonl") != rows[i].stays)
            fail_msg("row %zu: %s", i, rows[i].stays ? "is gone" : "is still there");
        assert_int_equal(there_is(dirs[i], "."), rows[i].stays);
        journal_close(journals[i], false);
        mem_free(dirs[i]);
    }
    mem_free(dir);
}

static void test_the_newest_leftovers_stay(void **state)
{
    enum { RUNS = 9 };
    struct place *place = *state;
    struct problem problem = {0};
    char *dirs[RUNS], *dir, path[256];
    struct journal *journal;
    setenv("XDG_STATE_HOME", place->dir, 1);
    for (int i = 0; i < RUNS; i++)
        dirs[i] = leave_run(DIED, 100 * (i * 7 % RUNS), &journal);
    /* what only looks a bit like one */
    snprintf(path, sizeof path, "%s/probetop/run-something", place->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(journal_make_dir(&dir, &problem), STATUS_OK);
    for (int i = 0; i < RUNS; i++) {
        assert_int_equal(there_is(dirs[i], "."), i * 7 % RUNS < 5);
        mem_free(dirs[i]);
    }
    assert_true(there_is(path, "."));
    mem_free(dir);
}

static void test_runs_are_found(void **state)
{
    struct place *place = *state;
    struct journal *journal, *none;
    struct journal_run *runs;
    setenv("XDG_STATE_HOME", place->dir, 1);
    setenv("HOME", place->dir, 1);
    setenv("TMPDIR", place->dir, 1); /* the same as XDG_RUNTIME_DIR: nothing is told twice */
    char *old = leave_run(DIED, 300, &none), *kept = leave_run(KEPT, 200, &none),
         *live = leave_run(LIVES, 100, &journal);
    char *moved = run_make(PLACE_RUNTIME, NULL);
    struct journal *second = create(moved, JOURNAL_SEGMENT_MAX, 2);
    size_t count = journal_runs(&runs), found = 0;
    const struct journal_run *mine[4] = {NULL};
    for (size_t i = 0; i < count; i++)
        if (strncmp(runs[i].dir, place->dir, strlen(place->dir)) == 0 && found < 4)
            mine[found++] = &runs[i];
    assert_int_equal(found, 4);
    assert_string_equal(mine[0]->dir, moved);
    assert_int_equal(mine[0]->bytes, 0);
    assert_string_equal(mine[1]->dir, live);
    assert_string_equal(mine[2]->dir, kept);
    assert_string_equal(mine[3]->dir, old);
    assert_true(mine[0]->live && mine[1]->live && !mine[2]->live && !mine[3]->live);
    assert_true(!mine[1]->leftover && !mine[2]->leftover && mine[3]->leftover);
    assert_true(mine[1]->bytes > 20 && mine[1]->bytes < 200);
    assert_int_equal(mine[2]->written - mine[3]->written, 100 * (int64_t)SECOND_US);
    journal_runs_free(runs, count);
    journal_close(second, false);
    journal_close(journal, false);
    assert_false(there_is(live, "."));
    assert_true(there_is(kept, "."));
    mem_free(old);
    mem_free(kept);
    mem_free(live);
    mem_free(moved);
}

/* Whoever asked for a journal to be kept has it kept, wherever it went. */
static void test_kept_is_kept(void **state)
{
    struct place *place = *state;
    struct problem note = {0};
    char path[192], second[128];
    struct journal *journal = create(place->dir, JOURNAL_SEGMENT_MAX, 2);
    journal_keep(journal);
    append_hello(journal);
    flush_quietly(journal);
    snprintf(path, sizeof path, "%s/journal-000001.jsonl", place->dir);
    assert_int_equal(unlink(path), 0);
    append_note(journal, 1, "x");
    assert_true(journal_flush(journal, &note));
    snprintf(second, sizeof second, "%s", journal_dir(journal));
    journal_close(journal, false);
    assert_true(there_is(second, "journal-000002.jsonl"));
    assert_true(there_is(second, "keep"));
}

/* ---- directories of sockets alone ---- */

/* A directory as a killed run leaves it, with what is asked for in it; its lock is held when `held`. */
static int sockets_left(const struct place *place, const char *name, const char *file, bool locked, bool held)
{
    char path[256], inside[300];
    snprintf(path, sizeof path, "%s/%s", place->dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
    int dir_fd = open(path, O_RDONLY | O_DIRECTORY), lock = locked ? run_lock(dir_fd) : -1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.90s/k.sock", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    if (file != NULL) {
        snprintf(inside, sizeof inside, "%s/%s", path, file);
        close(open(inside, O_WRONLY | O_CREAT, 0600));
    }
    close(dir_fd);
    if (lock >= 0 && !held)
        close(lock);
    return held ? lock : -1;
}

static bool is_left(const struct place *place, const char *name)
{
    char path[256];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", place->dir, name);
    return lstat(path, &info) == 0;
}

/* The next that makes one removes what dead ones left, and nothing else. */
static void test_sockets_of_the_dead(void **state)
{
    const struct place *place = *state;
    char open_to_all[256], target[256], link[256];
    int lock, held = sockets_left(place, "probetop-living", NULL, true, true);
    sockets_left(place, "probetop-deadAA", NULL, true, false);
    sockets_left(place, "probetop-nolock", NULL, false, false); /* somebody makes it just now */
    sockets_left(place, "probetop-ownfil", "notes.txt", true, false);
    sockets_left(place, "probetop-wasrun", "journal-000001.jsonl", true, false); /* somebody may want to read that */
    sockets_left(place, "probetop-toolong", NULL, true, false);                  /* no name of ours */
    sockets_left(place, "probetop-public", NULL, true, false);
    snprintf(open_to_all, sizeof open_to_all, "%s/probetop-public", place->dir);
    chmod(open_to_all, 0755);
    sockets_left(place, "victim", NULL, true, false);
    snprintf(target, sizeof target, "%s/victim", place->dir);
    snprintf(link, sizeof link, "%s/probetop-symlnk", place->dir);
    assert_int_equal(symlink(target, link), 0);

    char *dir = run_make_for_sockets(place->dir, 107, &lock);
    assert_non_null(dir);
    assert_true(lock >= 0);
    assert_false(is_left(place, "probetop-deadAA"));
    static const char *const STAY[] = {"probetop-living",  "probetop-nolock", "probetop-ownfil", "probetop-wasrun",
                                       "probetop-toolong", "probetop-public", "victim/k.sock",   "probetop-symlnk"};
    for (size_t i = 0; i < sizeof STAY / sizeof STAY[0]; i++)
        assert_true(is_left(place, STAY[i]));
    /* Both are held: a third finds nothing to remove. When their holders die it does. */
    int third;
    char *other = run_make_for_sockets(place->dir, 107, &third);
    assert_non_null(other);
    assert_true(is_left(place, "probetop-living") && access(dir, F_OK) == 0);
    close(held);
    close(lock);
    int fourth;
    char *last = run_make_for_sockets(place->dir, 107, &fourth);
    assert_non_null(last);
    assert_false(is_left(place, "probetop-living") || access(dir, F_OK) == 0);
    assert_true(access(other, F_OK) == 0);
    close(third);
    close(fourth);
    mem_free(dir);
    mem_free(other);
    mem_free(last);
}

static void test_sockets_need_a_short_path(void **state)
{
    const struct place *place = *state;
    int lock;
    assert_null(run_make_for_sockets(place->dir, strlen(place->dir) + 15, &lock));
    assert_int_equal(errno, ENAMETOOLONG);
    assert_null(run_make_for_sockets("/nowhere/at/all", 107, &lock));
    char *dir = run_make_for_sockets(place->dir, strlen(place->dir) + 16, &lock);
    assert_non_null(dir);
    close(lock);
    mem_free(dir);
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
        PLACED(test_goes_on_elsewhere),
        PLACED(test_nothing_is_lost_on_the_way),
        PLACED(test_full_from_the_start),
        PLACED(test_gap_on_the_way),
        PLACED(test_refuge_is_elsewhere),
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
        PLACED(test_leftovers_are_cleared_away),
        PLACED(test_the_newest_leftovers_stay),
        PLACED(test_runs_are_found),
        PLACED(test_kept_is_kept),
        PLACED(test_sockets_of_the_dead),
        PLACED(test_sockets_need_a_short_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
