/* conf_read() over anything, with the sections of the configuration file behind it: every problem names the file and a line that is in it, and what is read out can be checked and freed. */
#include "base/conf.h"
#include "engine/endpoints.h"
#include "tests/fuzz/file.h"
#include "tui/keymap.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
    struct keymap keymap;
    struct endpoints endpoints;
    int line;
};

static enum status on_line(void *user, const char *section, const char *key, const char *value, int line,
                           struct problem *problem)
{
    struct reading *reading = user;
    if (line < reading->line || strchr(key, '\n') != NULL || strchr(value, '\n') != NULL)
        abort();
    reading->line = line;
    if (strcmp(section, "keys") == 0)
        return keymap_bind(&reading->keymap, key, value, problem);
    if (strncmp(section, "endpoint ", 9) == 0)
        return endpoints_conf_line(&reading->endpoints, section, key, value, problem);
    return problem_set(problem, STATUS_BAD_INPUT, "[%s] %s = %s", section, key, value);
}

static void problems_check(const struct conf_problems *problems, const char *path, int lines)
{
    for (size_t i = 0; i < problems->count && i < CONF_PROBLEMS_MAX; i++) {
        const char *text = problems->list[i].text;
        if (strncmp(text, path, strlen(path)) != 0)
            abort();
        if (text[strlen(path)] == ':' && strtol(text + strlen(path) + 1, NULL, 10) > lines)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[FUZZ_PATH_MAX];
    int lines = 1;
    struct reading reading = {.line = 0};
    struct conf_problems problems = {0};
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    fuzz_file(data, size, path);
    keymap_default(&reading.keymap);
    enum status status = conf_read(path, on_line, &reading, &problems);
    unlink(path);
    if ((status == STATUS_OK) != (size <= CONF_FILE_MAX))
        abort();
    problems_check(&problems, path, lines);
    endpoints_check(&reading.endpoints, path, &problems);
    for (size_t i = 0; i < reading.endpoints.count; i++) {
        struct endpoint_url url;
        if (endpoint_url_parse(reading.endpoints.list[i].url, "url", &url, NULL) != STATUS_OK)
            abort(); /* checked, and yet without a usable URL */
    }
    conf_problems_free(&problems);
    endpoints_free(&reading.endpoints);
    return 0;
}
