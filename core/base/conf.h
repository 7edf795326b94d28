/* INI files (configuration, themes) with line numbers in every error; conf.c is the only user of inih.
 *
 * A broken line never spoils the rest: each problem becomes one sentence "PATH:LINE: what is wrong; what was expected" in the
 * list, and reading goes on. */
#ifndef PROBETOP_CONF_H
#define PROBETOP_CONF_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum { CONF_PROBLEMS_MAX = 64, CONF_FILE_MAX = 1 << 20, CONF_LINE_MAX = 4096 };

/* The problems of one or several files, in order. Free with conf_problems_free(). Past CONF_PROBLEMS_MAX only `count` goes on. */
struct conf_problems {
    struct problem *list;
    size_t count;
};
void conf_problems_add(struct conf_problems *problems, const char *format, ...) __attribute__((format(printf, 2, 3)));
void conf_problems_free(struct conf_problems *problems);

/* Called for each `key = value`, section "" before the first [section]. Returns STATUS_OK, or another status with `problem` saying what is wrong
 * with this line and what was expected; the reader adds the place in front. The strings live for the call only. */
typedef enum status conf_line_fn(void *user, const char *section, const char *key, const char *value, int line,
                                 struct problem *problem);

/* Reads a file. STATUS_OK when it could be read at all (problems or not), STATUS_NOT_FOUND when it is not there (nothing is added to problems), otherwise the
 * reason, also added to problems. */
enum status conf_read(const char *path, conf_line_fn *line, void *user, struct conf_problems *problems);

#endif
