/* What can go wrong, as a code to branch on and a sentence to show.
 *
 * Functions that can fail return enum status. Where the caller will show the failure to a person, they also take a
 * `struct problem *`, which receives one sentence naming the place (file:line, flag, field) and what was expected.
 * A problem's text is always printable (it has been through `text`), never ends in a newline, and is empty on success.
 * `problem` may be NULL where a function says so; otherwise it must not be. */
#ifndef PROBETOP_STATUS_H
#define PROBETOP_STATUS_H

#define STATUS_TABLE(X)                                                                                                \
    X(STATUS_OK, "done")                                                                                               \
    X(STATUS_AGAIN, "nothing more for now")                                                                            \
    X(STATUS_END, "the end was reached")                                                                               \
    X(STATUS_BAD_INPUT, "the input is not what was expected")                                                          \
    X(STATUS_NOT_FOUND, "no such thing")                                                                               \
    X(STATUS_DENIED, "permission denied")                                                                              \
    X(STATUS_FULL, "no room left")                                                                                     \
    X(STATUS_IO, "the system refused to read or write")                                                                \
    X(STATUS_UNSUPPORTED, "this is not supported here")

enum status {
#define X(code, sentence) code,
    STATUS_TABLE(X)
#undef X
};

/* A short sentence without a full stop, for any code of the table. Static storage. */
const char *status_sentence(enum status status);

/* The status that stands for an errno value (EACCES and EPERM: DENIED, ENOENT: NOT_FOUND, ENOSPC, EDQUOT and EFBIG: FULL, others: IO). */
enum status status_from_errno(int error);

#define PROBLEM_MAX 512

struct problem {
    char text[PROBLEM_MAX];
};

/* Sets the sentence. What `format` brings in is cleaned to printable text and cut to fit. Returns `status`, so that
 * `return problem_set(problem, STATUS_BAD_INPUT, "...")` reads well. `problem` may be NULL. */
enum status problem_set(struct problem *problem, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
