#include "base/conf.h"

#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Debian's inih lets these be set while running; the original fixes them when it is compiled and has no such variables. Weak, so that both will do: lines
 * are then as long as that library allows. */
extern bool ini_use_stack __attribute__((weak));
extern int ini_max_line __attribute__((weak));
extern int ini_initial_alloc __attribute__((weak));

/* inih cuts section names at its own MAX_SECTION without a word. */
enum { CONF_SECTION_MAX = 49 };

struct conf_reader {
    FILE *file;
    const char *path;
    conf_line_fn *fn;
    void *user;
    struct conf_problems *problems;
    size_t bytes; /* read so far */
    int line;     /* number of the line now being read */
    bool waiting; /* the line is to come back as key and value */
    bool too_big;
    int error; /* errno of a failed read; 0: none */
};

void conf_problems_add(struct conf_problems *problems, const char *format, ...)
{
    char sentence[2 * PROBLEM_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    if (problems->count < CONF_PROBLEMS_MAX) {
        problems->list = mem_resize(problems->list, problems->count + 1, sizeof *problems->list);
        problem_set(&problems->list[problems->count], STATUS_BAD_INPUT, "%s", length < 0 ? "" : sentence);
    }
    problems->count++;
}

void conf_problems_free(struct conf_problems *problems)
{
    mem_free(problems->list);
    *problems = (struct conf_problems){0};
}

static void conf_complain(struct conf_reader *reader, const char *sentence)
{
    conf_problems_add(reader->problems, "%s:%d: %s", reader->path, reader->line, sentence);
}

/* inih tells of the first bad line only, and by its return value. A line that was handed over as key and value and of which the handler
 * never heard is one. */
static void conf_check_previous(struct conf_reader *reader)
{
    if (reader->waiting) {
        conf_complain(reader, "no \"key = value\"; expected that, a [section] or a comment (#)");
        reader->waiting = false;
    }
}

/* Reads one whole line into `out` without its end, however long; what does not fit is dropped. Returns false at the end of the file. */
static bool conf_get_line(struct conf_reader *reader, char *out, size_t size, size_t *length)
{
    int byte = EOF;
    *length = 0;
    while (reader->bytes < CONF_FILE_MAX && (byte = fgetc(reader->file)) != EOF) {
        reader->bytes++;
        if (byte == '\n')
            return true;
        if (*length < size)
            out[*length] = (char)byte;
        (*length)++;
    }
    if (ferror(reader->file))
        reader->error = errno;
    if (reader->bytes >= CONF_FILE_MAX && fgetc(reader->file) != EOF) {
        reader->too_big = true;
        return false;
    }
    return *length > 0;
}

/* What is wrong with a line that inih would take, or take wrongly; NULL when nothing is. */
static const char *conf_line_fault(const char *line, size_t length)
{
    if (memchr(line, '\0', length) != NULL)
        return "the line has a NUL in it; expected text";
    if (line[0] != '[')
        return NULL;
    const char *end = memchr(line, ']', length);
    if (end == NULL)
        return "the section has no end; expected [section]";
    if (memchr(line, ';', (size_t)(end - line)) != NULL)
        return "the section's name has a \";\" in it, which begins a comment; expected [section]";
    return end - line - 1 > CONF_SECTION_MAX ? "the section's name is too long; expected at most 49 bytes" : NULL;
}

/* inih's source of lines. Each call gives exactly one line of the file: bad ones as an empty line, so that the count stays right. Leading blanks are
 * taken off, because inih would take an indented line for more of the value before it. */
static char *conf_next_line(char *out, int size, void *stream)
{
    struct conf_reader *reader = stream;
    char raw[CONF_LINE_MAX + 1];
    size_t longest = size - 3 < CONF_LINE_MAX ? (size_t)(size - 3) : CONF_LINE_MAX;
    size_t length;
    conf_check_previous(reader);
    reader->line++;
    if (!conf_get_line(reader, raw, CONF_LINE_MAX, &length))
        return NULL;
    size_t kept = length < CONF_LINE_MAX ? length : CONF_LINE_MAX;
    size_t start = 0;
    raw[kept] = '\0';
    if (reader->line == 1 && strncmp(raw, "\xef\xbb\xbf", 3) == 0)
        start = 3;
    while (start < kept && isspace((unsigned char)raw[start]))
        start++;
    const char *line = raw + start;
    const char *fault = length > longest ? NULL : conf_line_fault(line, length - start);
    if (length > longest) {
        conf_problems_add(reader->problems, "%s:%d: the line is too long; expected at most %zu bytes", reader->path,
                          reader->line, longest);
        line = "";
    } else if (fault != NULL) {
        conf_complain(reader, fault);
        line = "";
    }
    reader->waiting = line[0] != '\0' && strchr("[;#", line[0]) == NULL;
    snprintf(out, (size_t)size, "%s\n", line);
    return out;
}

static int conf_handle(void *user, const char *section, const char *key, const char *value)
{
    struct conf_reader *reader = user;
    struct problem problem = {0};
    reader->waiting = false;
    if (key[0] == '\0')
        conf_complain(reader, "no key before the \"=\"; expected \"key = value\"");
    else if (reader->fn(reader->user, section, key, value, reader->line, &problem) != STATUS_OK)
        conf_complain(reader, problem.text);
    return 1;
}

static enum status conf_cannot_read(const char *path, int error, struct conf_problems *problems)
{
    conf_problems_add(problems, "%s: cannot be read: %s", path, strerror(error));
    return status_from_errno(error);
}

/* The library's own default of 200 bytes a line is too short for commands and patterns. */
static void conf_allow_long_lines(void)
{
    if (&ini_use_stack != NULL && &ini_max_line != NULL && &ini_initial_alloc != NULL) {
        ini_use_stack = false;
        ini_max_line = CONF_LINE_MAX + 3;
        ini_initial_alloc = CONF_LINE_MAX + 3;
    }
}

enum status conf_read(const char *path, conf_line_fn *line, void *user, struct conf_problems *problems)
{
    struct conf_reader reader = {.path = path, .fn = line, .user = user, .problems = problems};
    reader.file = fopen(path, "re");
    if (reader.file == NULL)
        return errno == ENOENT ? STATUS_NOT_FOUND : conf_cannot_read(path, errno, problems);
    conf_allow_long_lines();
    int result = ini_parse_stream(conf_next_line, &reader, conf_handle, &reader);
    conf_check_previous(&reader);
    enum status status = STATUS_OK;
    if (reader.error != 0) {
        status = conf_cannot_read(path, reader.error, problems);
    } else if (reader.too_big) {
        conf_complain(&reader, "the file is too big; expected at most 1 MiB");
        status = STATUS_FULL;
    } else if (result == -2) {
        status = conf_cannot_read(path, ENOMEM, problems);
    }
    fclose(reader.file);
    return status;
}
