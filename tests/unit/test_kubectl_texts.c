/* What real kubectls printed (tests/data/kubectl-texts/README.md), case by case, as kubectl.c classifies it: to a port-forward the first line that means something counts, for a proxy and a question all of them together. */
#include "kube/kubectl.h"
#include "tests/support/pod_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static const struct row {
    const char *name;
    enum kubectl_word word;
    const char *quoted; /* in what is shown of it */
} CASES[] = {
    {"forward/answers", KUBECTL_OTHER, ""},
    {"forward/closed", KUBECTL_OTHER, ""},
    {"forward/gives-up", KUBECTL_OTHER, ""},
    {"forward/refused", KUBECTL_REFUSED_IN_POD, "connection refused"},
    {"forward/refused-spdy", KUBECTL_REFUSED_IN_POD, "connection refused"},
    {"forward/refused-websocket", KUBECTL_REFUSED_IN_POD, "connection refused"},
    {"forward/reset", KUBECTL_RESET_IN_POD, "reset by peer"},
    {"forward/pod-deleted", KUBECTL_SANDBOX_GONE, "is closed"},
    {"forward/pod-pending", KUBECTL_POD_NOT_RUNNING, "Current status=Pending"},
    {"forward/pod-over", KUBECTL_POD_NOT_RUNNING, "Current status=Failed"},
    {"forward/pod-missing", KUBECTL_POD_NOT_FOUND, "not found"},
    {"forward/named-port", KUBECTL_NO_NAMED_PORT, "named port"},
    {"forward/port-in-use", KUBECTL_LOCAL_PORT, "address already in use"},
    {"forward/no-right-to-see", KUBECTL_FORBIDDEN, "cannot get resource"},
    {"forward/no-right-to-forward", KUBECTL_FORBIDDEN, "pods/portforward"},
    {"forward/api-lost", KUBECTL_LOST_CONNECTION, "lost connection to pod"},
    {"forward/api-silent", KUBECTL_API_TIMEOUT, "Timeout occur"},
    {"forward/token", KUBECTL_UNAUTHORIZED, "You must be logged in"},
    {"config/token", KUBECTL_OTHER, ""},
    {"proxy/token", KUBECTL_OTHER, ""}, /* the API server's 401 says it */
    {"*/nobody-there", KUBECTL_API_REFUSED, "127.0.0.1:1"},
    {"*/no-name", KUBECTL_API_UNREACHABLE, "no such host"},
    {"*/untrusted", KUBECTL_API_UNREACHABLE, "x509"},
    {"*/plugin-fails", KUBECTL_PLUGIN_FAILED, "executable false failed"},
    {"*/plugin-missing", KUBECTL_PLUGIN_FAILED, "no-such-plugin not found"},
    {"*/plugin-old", KUBECTL_PLUGIN_FAILED, "client.authentication.k8s.io/v1alpha1"},
    {"*/plugin-silent", KUBECTL_PLUGIN_FAILED, "client.authentication.k8s.io/v1beta1"},
    {"*/plugin-asks", KUBECTL_PLUGIN_FAILED, "exec plugin"},
    {"*/provider", KUBECTL_PLUGIN_FAILED, "o"},
    {"*/client-key", KUBECTL_NO_CONFIG, "unable to read client-"},
    {"*/broken", KUBECTL_NO_CONFIG, "error loading config file"},
    {"config/empty", KUBECTL_NO_CONFIG, "current-context must exist"},
    {"forward/empty", KUBECTL_NO_CONFIG, "localhost:8080"},
    {"proxy/empty", KUBECTL_API_REFUSED, "127.0.0.1:8080"}, /* it tries there; config/ has said why */
    {"config/no-context", KUBECTL_NO_CONFIG, "current-context must exist"},
    {"forward/no-context", KUBECTL_NO_CONFIG, "localhost:8080"},
    {"proxy/no-context", KUBECTL_API_REFUSED, "127.0.0.1:8080"},
    {"config/no-config-at-all", KUBECTL_NO_CONFIG, "current-context must exist"},
    {"forward/no-config-at-all", KUBECTL_NO_CONFIG, "localhost:8080"},
    {"proxy/no-config-at-all", KUBECTL_OTHER, ""}, /* nothing was asked of it */
    {"config/nonexistent", KUBECTL_NO_CONFIG, "current-context must exist"},
    {"forward/nonexistent", KUBECTL_NO_CONFIG, "no such file"},
    {"proxy/nonexistent", KUBECTL_NO_CONFIG, "no such file"},
    {"*/wrong-context", KUBECTL_NO_CONTEXT, "no-such-context"},
    {"*/wrong-cluster", KUBECTL_NO_CONTEXT, "no-such-cluster"},
    {"*/wrong-user", KUBECTL_NO_CONTEXT, "no-such-user"},
};
enum { CASES_COUNT = sizeof CASES / sizeof CASES[0], NAME_SIZE = 64 };

static const struct row *row_of(const char *name)
{
    for (size_t i = 0; i < CASES_COUNT; i++) {
        const char *row = CASES[i].name;
        bool any = row[0] == '*' && strchr(name, '/') && strcmp(row + 1, strchr(name, '/')) == 0;
        if (any || strcmp(row, name) == 0)
            return &CASES[i];
    }
    fail_msg("%s: what should that mean?", name);
    return NULL;
}

/* One case while its lines are read. */
struct told {
    char name[NAME_SIZE];
    enum kubectl_word first;
    struct text first_line;
    struct kubectl_words words;
    bool serves;      /* the line that says so has come */
    bool said_config; /* a question that was answered */
};

static void told_line(struct told *told, const char *line, size_t length)
{
    const char *text = line + 2;
    size_t size = length - 2;
    if (line[0] == '2') {
        if (told->first == KUBECTL_OTHER && (told->first = kubectl_classify(text, size)) != KUBECTL_OTHER)
            text_set(&told->first_line, text, size, TEXT_LINE);
        kubectl_words_take(&told->words, text, size);
        return;
    }
    told->serves |= size > 20 && (strncmp(text, "Starting to serve on", 20) == 0 ||
                                  strncmp(text, "Forwarding from 127.0.0.1:40295 -> 8000", 39) == 0);
    told->said_config |= text[0] == '{';
}

static void told_end(const struct told *told, const char *version, const char *status)
{
    const struct row *row = row_of(told->name);
    bool forward = strncmp(told->name, "forward/", 8) == 0, config = strncmp(told->name, "config/", 7) == 0;
    enum kubectl_word word = forward ? told->first : told->words.word;
    const char *shown = text_str(forward ? &told->first_line : &told->words.text);
    if (config && strcmp(status, "0") == 0) {
        assert_true(told->said_config); /* whatever else is wrong */
        assert_int_equal(word, KUBECTL_OTHER);
        return;
    }
    if (word != row->word)
        fail_msg("%s %s: %s, not %s", version, told->name, kubectl_word_name(word), kubectl_word_name(row->word));
    if (!strstr(shown, row->quoted))
        fail_msg("%s %s: no \"%s\" in \"%s\"", version, told->name, row->quoted, shown);
    if (!config && strcmp(status, "up") == 0)
        assert_true(told->serves);
    if (word == KUBECTL_OTHER)
        assert_string_equal(text_str(&told->words.text), "");
}

static void all_are_understood(void **state)
{
    const char *version = *state;
    struct buf bytes;
    struct told told = {.name = ""};
    char path[NAME_SIZE], status[16];
    size_t cases = 0;
    snprintf(path, sizeof path, "kubectl-texts/%s.txt", version);
    data_file(path, &bytes);
    for (const char *line = buf_str(&bytes), *end; (end = strchr(line, '\n')); line = end + 1) {
        size_t length = (size_t)(end - line);
        if (sscanf(line, "=== %63s", told.name) == 1) {
            told.first = KUBECTL_OTHER;
            told.serves = told.said_config = false;
        } else if (sscanf(line, "= %15s", status) == 1) {
            told_end(&told, version, status);
            kubectl_words_free(&told.words);
            text_free(&told.first_line);
            cases++;
        } else if (length > 2 && told.name[0]) {
            told_line(&told, line, length);
        }
    }
    assert_int_equal(cases, 74);
    buf_free(&bytes);
}

int main(void)
{
    static char versions[][8] = {"1.20", "1.27", "1.33", "1.36"};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(all_are_understood, versions[0]),
        cmocka_unit_test_prestate(all_are_understood, versions[1]),
        cmocka_unit_test_prestate(all_are_understood, versions[2]),
        cmocka_unit_test_prestate(all_are_understood, versions[3]),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
