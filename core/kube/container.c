#include "kube/container.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_MAX = 65535 };

/* ---- words of a command ---- */

void command_words_init(struct command_words *words, const struct json *container)
{
    *words = (struct command_words){.container = container};
}

/* Goes on to the next string of command or args. False: there is none. */
static bool words_element(struct command_words *words)
{
    const struct json *next = words->element != NULL
                                  ? json_next(words->element)
                                  : json_first(json_get(words->container, words->in_args ? "args" : "command"));
    if (next == NULL && !words->in_args) {
        words->in_args = true;
        next = json_first(json_get(words->container, "args"));
    }
    words->element = next;
    words->at = json_string(next);
    return next != NULL;
}

bool command_words_next(struct command_words *words)
{
    static const char BREAKS[] = " \t\r\n\"'`\\;&|<>";
    for (;;) {
        if (words->at != NULL) {
            words->at += strspn(words->at, BREAKS);
            size_t length = strcspn(words->at, BREAKS);
            if (length > 0) {
                size_t kept = length < sizeof words->word ? length : sizeof words->word - 1;
                memcpy(words->word, words->at, kept);
                words->word[kept] = '\0';
                words->at += length;
                return true;
            }
        }
        if (!words_element(words))
            return false;
    }
}

/* The value of the container's own env of that name; NULL: it has none, or one from elsewhere. */
static const char *env_value(const struct json *container, const char *name, size_t length)
{
    for (const struct json *env = json_first(json_get(container, "env")); env != NULL; env = json_next(env)) {
        const char *has = json_string(json_get(env, "name"));
        if (has != NULL && strlen(has) == length && strncmp(has, name, length) == 0)
            return json_string(json_get(env, "value"));
    }
    return NULL;
}

/* A value that is a variable as a whole becomes what the variable holds; ${NAME:-5} is 5 where nothing sets it. */
static void word_expand(const struct json *container, char *word)
{
    if (word[0] != '$')
        return;
    const char *name = word[1] == '(' || word[1] == '{' ? word + 2 : word + 1;
    size_t length = strcspn(name, "(){}:$/");
    const char *value = env_value(container, name, length);
    char fallback[COMMAND_WORD_MAX] = "";
    if (value == NULL && strncmp(name + length, ":-", 2) == 0) {
        snprintf(fallback, sizeof fallback, "%.*s", (int)strcspn(name + length + 2, "}"), name + length + 2);
        value = fallback;
    }
    if (value != NULL)
        snprintf(word, COMMAND_WORD_MAX, "%s", value);
}

bool command_flag(const struct json *container, const char *flag, char *out)
{
    struct command_words words;
    size_t length = strlen(flag);
    command_words_init(&words, container);
    while (command_words_next(&words)) {
        if (strncmp(words.word, flag, length) != 0 || (words.word[length] != '\0' && words.word[length] != '='))
            continue;
        if (words.word[length] == '=' && words.word[length + 1] != '\0') /* in --port="8000" the quote ends the word */
            snprintf(out, COMMAND_WORD_MAX, "%s", words.word + length + 1);
        else if (command_words_next(&words))
            snprintf(out, COMMAND_WORD_MAX, "%s", words.word);
        else
            return false;
        word_expand(container, out);
        return true;
    }
    return false;
}

bool command_has(const struct json *container, const char *word)
{
    struct command_words words;
    size_t length = strlen(word);
    command_words_init(&words, container);
    while (command_words_next(&words))
        if (strncmp(words.word, word, length) == 0 && (words.word[length] == '\0' || words.word[length] == '='))
            return true;
    return false;
}

/* ---- ports ---- */

static int32_t port_of_string(const char *string)
{
    char *end = NULL;
    long value = string[0] >= '0' && string[0] <= '9' ? strtol(string, &end, 10) : 0;
    return end != NULL && *end == '\0' && value >= 1 && value <= PORT_MAX ? (int32_t)value : 0;
}

int32_t command_port(const struct json *container, const char *flag)
{
    char value[COMMAND_WORD_MAX];
    return command_flag(container, flag, value) ? port_of_string(value) : 0;
}

static int32_t port_of_number(const struct json *number)
{
    int64_t value = json_int(number, 0);
    return value >= 1 && value <= PORT_MAX ? (int32_t)value : 0;
}

int32_t container_port(const struct json *container, const struct json *port)
{
    const char *name = json_string(port);
    if (name == NULL)
        return port_of_number(port);
    for (const struct json *own = json_first(json_get(container, "ports")); own != NULL; own = json_next(own)) {
        const char *own_name = json_string(json_get(own, "name"));
        if (own_name != NULL && strcmp(own_name, name) == 0)
            return port_of_number(json_get(own, "containerPort"));
    }
    return port_of_string(name);
}

/* ---- containers ---- */

const struct json *container_find(const struct json *pod, const char *name)
{
    static const char *const LISTS[] = {"containers", "initContainers"};
    const struct json *spec = json_get(pod, "spec");
    for (size_t i = 0; name != NULL && i < sizeof LISTS / sizeof LISTS[0]; i++) {
        for (const struct json *c = json_first(json_get(spec, LISTS[i])); c != NULL; c = json_next(c)) {
            const char *has = json_string(json_get(c, "name"));
            if (has != NULL && strcmp(has, name) == 0)
                return c;
        }
    }
    return NULL;
}

bool container_is_native_sidecar(const struct json *container)
{
    const char *policy = json_string(json_get(container, "restartPolicy"));
    return policy != NULL && strcmp(policy, "Always") == 0;
}

/* vLLM, the simulator and the sidecar each have flags of their own. The sidecar's default is TLS (facts/vllm.md 1.4), which only the real one has: told by its image. */
static bool command_is_https(const struct json *container)
{
    static const char *const FLAGS[] = {"--secure-serving", "--secure-proxy", "--self-signed-certs", "--ssl-certfile",
                                        "--ssl-keyfile"};
    char value[COMMAND_WORD_MAX];
    for (size_t i = 0; i < sizeof FLAGS / sizeof FLAGS[0]; i++) {
        if (command_has(container, FLAGS[i])) {
            return !command_flag(container, FLAGS[i], value) ||
                   (strcmp(value, "false") != 0 && strcmp(value, "0") != 0);
        }
    }
    const char *image = json_string(json_get(container, "image"));
    return image != NULL && strstr(image, "llm-d") != NULL && strstr(image, "sidecar") != NULL;
}

bool container_is_https(const struct json *container, int32_t port)
{
    static const char *const PROBES[] = {"readinessProbe", "livenessProbe", "startupProbe"};
    for (size_t i = 0; i < sizeof PROBES / sizeof PROBES[0]; i++) {
        const struct json *get = json_get(json_get(container, PROBES[i]), "httpGet");
        if (json_is_object(get) && container_port(container, json_get(get, "port")) == port) {
            const char *scheme = json_string(json_get(get, "scheme"));
            return scheme != NULL && strcmp(scheme, "HTTPS") == 0;
        }
    }
    return command_is_https(container);
}

bool json_moment(const struct json *value, const struct clock *clock, int64_t *t)
{
    /* Containers that never ran have started in 1970 by their runtime's word. The end is what a number of JSON holds, and with it a journal: the year 2255. */
    const int64_t end = INT64_C(1) << 53;
    int64_t wall;
    const char *string = json_string(value);
    if (string == NULL || !clock_parse_rfc3339(string, &wall) || wall <= 0 || wall >= end)
        return false;
    *t = wall - clock->wall_zero;
    return true;
}
