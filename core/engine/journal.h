/* The journal: an append-only file of facts in a private directory, and the only way from the engine to a screen.
 *
 * Live journal: DIR/journal-000001.jsonl, -000002, ... Each segment is at most segment_max bytes, at most `segments` exist; the oldest is removed. Every segment begins with the hello, and from the second
 * on with the newest `pod` fact of every pod, so that a reader that begins there has everybody. Directory 0700, files 0600, made with O_EXCL and O_NOFOLLOW. A recording is one file that the user named; no rotation.
 * A write that fails (full disk, removed directory) stops a recording with one note; watching goes on. The live journal is the screen's only way to the engine, so it moves instead: it goes on with the next segment in a
 * fresh private directory in the first of $XDG_RUNTIME_DIR, /dev/shm and $TMPDIR (or /tmp) that takes the first write and is not on the device that is full. Where a directory is memory, 8 MiB are its bound.
 *
 * A torn last line (the writer was killed) is not an error: the reader stops before it. */
#ifndef PROBETOP_JOURNAL_H
#define PROBETOP_JOURNAL_H

#include "base/status.h"
#include "model/fact.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JOURNAL_SEGMENT_MAX = 16 * 1024 * 1024, JOURNAL_SEGMENTS = 4 };

/* ---- writing ---- */
struct journal;

/* Clears away what is left of runs that died (all but the newest 5 in each place, and what is older than 7 days), and makes a fresh private directory for this run below $XDG_STATE_HOME/probetop (or ~/.local/state/probetop; where neither can be written, in $TMPDIR or /tmp, then /dev/shm, then $XDG_RUNTIME_DIR) and returns its path (free it). */
enum status journal_make_dir(char **dir, struct problem *problem);
enum status journal_create(const char *dir, size_t segment_max, int segments, struct journal **out,
                           struct problem *problem);
/* Also write everything to this file from here on. It must not exist yet: a recording never overwrites. Call before the first append. */
enum status journal_record(struct journal *journal, const char *path, struct problem *problem);
/* The user asked for this journal: it stays at the end, and is never cleared away. */
void journal_keep(struct journal *journal);
/* Buffers the fact; journal_flush() writes. Facts of kind hello and pod are also remembered for the beginnings of later segments. */
void journal_append(struct journal *journal, const struct fact *fact);
/* One write per file. Returns true and fills `note` when something just went wrong that the user must hear of once ("the recording to X stopped: No space left on device"). */
bool journal_flush(struct journal *journal, struct problem *note);
/* keep: leave the directory (all of them, when it moved) for later reading; otherwise its files and itself are removed. A recording always stays. */
void journal_close(struct journal *journal, bool keep);
const char *journal_dir(const struct journal *journal); /* where it is now: changes when it moves */
bool journal_goes_on(const struct journal *journal);    /* false: it could not be written anywhere any more */
/* Removes a journal's directory, its segments and the sockets beside them: for the half that outlives the writer. Removes nothing that does not look like a journal's. */
void journal_remove_dir(const char *dir);

/* ---- what there is ---- */
struct journal_run {
    char *dir;
    int64_t written; /* Unix time in µs of the last write */
    uint64_t bytes;
    bool live;     /* its writer is still there */
    bool leftover; /* its writer died, and nobody asked for it to be kept */
};
/* The journals of this user's runs that can be found, the newest first. */
size_t journal_runs(struct journal_run **runs);
void journal_runs_free(struct journal_run *runs, size_t count);

/* ---- reading ---- */
struct journal_reader;
/* path: a recording, or a live journal's directory (follows from segment to segment). STATUS_BAD_INPUT when it is no journal, with the line and what was expected. */
enum status journal_open(const char *path, struct journal_reader **out, struct problem *problem);
/* The next fact, to be freed by the caller. STATUS_AGAIN: no complete line there now (a live journal may get one later). STATUS_BAD_INPUT: a broken line, described in
 * `problem` with its number; reading can go on. STATUS_IO. A gap (the reader fell behind rotation) comes as a FACT_NOTE. */
enum status journal_next(struct journal_reader *reader, struct fact *fact, struct problem *problem);
enum status journal_rewind(struct journal_reader *reader); /* through all directories */
/* The live journal has moved to this directory: what is left where it was is read first, then that. Nothing is told twice, and what is missing between the two is told as a gap. */
enum status journal_follow(struct journal_reader *reader, const char *dir, struct problem *problem);
void journal_reader_free(struct journal_reader *reader);

#endif
