/* What is said where nothing is known of the pods: whose fault it is, and what to do. */
#include "kube/rights.h"
#include "kube/standing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char REFUSAL[] =
    "pods is forbidden: User \"eve\" cannot list resource \"pods\" in API group \"\" in the namespace \"llm\"";

struct row {
    struct standing standing;
    enum source_state state;
    const char *says[4]; /* all of these */
    const char *not_says;
};

#define PLACE .context = "prod", .ns = "llm"

static const struct row ROWS[] = {
    {{PLACE, .proxy = PROXY_STARTING}, SOURCE_STARTING, {"asking context prod, namespace llm"}, NULL},
    {{PLACE, .proxy = PROXY_UP}, SOURCE_STARTING, {"asking"}, NULL},
    {{PLACE, .proxy = PROXY_UP, .listed = true, .seen = 5, .ours = 3, .signs = "label app"},
     SOURCE_WATCHING,
     {"3 of 5 pods in context prod, namespace llm", "by label app"},
     NULL},
    {{PLACE, .proxy = PROXY_UP, .listed = true, .seen = 12, .looks = "nginx, redis"},
     SOURCE_NONE_FOUND,
     {"looked in context prod, namespace llm at 12 pods", "none looks like vLLM", "(nginx, redis)", "-l app=NAME"},
     NULL},
    {{PLACE, .proxy = PROXY_UP, .listed = true, .seen = 1, .looks = "nginx"}, SOURCE_NONE_FOUND, {"at 1 pod:"}, NULL},
    {{PLACE, .proxy = PROXY_UP, .listed = true}, SOURCE_NONE_FOUND, {"there are no pods", "-A"}, NULL},
    {{PLACE, .proxy = PROXY_UP, .listed = true, .asked = true, .seen = 9},
     SOURCE_NONE_FOUND,
     {"no pod is what was asked for"},
     "looks like"},
    {{PLACE, .proxy = PROXY_DOWN, .listed = true, .ours = 3},
     SOURCE_LOST,
     {"kubectl proxy is not running", "started again by itself", "nothing is known of the pods"},
     "API server"},
    {{.context = "", .ns = "", .no_context = true, .word = KUBECTL_NO_CONFIG, .words = "error: x"},
     SOURCE_NO_CLUSTER,
     {"kubectl knows of no cluster", "--kubeconfig", "(error: x)"},
     "pod"},
    {{.context = "",
      .ns = "",
      .no_context = true,
      .word = KUBECTL_NO_CONFIG,
      .words = "error: error loading config file \"x\": yaml: line 3"},
     SOURCE_NO_CLUSTER,
     {"cannot read its kubeconfig", "mend", "line 3"},
     "no cluster"},
    {{.context = "",
      .ns = "",
      .no_context = true,
      .word = KUBECTL_NO_CONFIG,
      .words = "error: open /home/x/.kube/config: permission denied"},
     SOURCE_NO_CLUSTER,
     {"cannot read its kubeconfig", "permission denied"},
     "no cluster"},
    {{.context = "", .ns = "", .no_context = true, .word = KUBECTL_NO_CONFIG, .words = "error: cannot locate user x"},
     SOURCE_NO_CLUSTER,
     {"cannot read its kubeconfig, or what that names", "user x"},
     "no cluster"},
    {{PLACE, .proxy = PROXY_DOWN, .word = KUBECTL_NO_CONTEXT},
     SOURCE_NO_CLUSTER,
     {"no such context", "get-contexts"},
     "pods"},
    {{PLACE, .proxy = PROXY_DOWN, .word = KUBECTL_PLUGIN_FAILED},
     SOURCE_LOST,
     {"credential plugin failed", "log in"},
     "pods"},
    {{.context = "prod",
      .ns = "llm",
      .words = "exec: not found",
      .pods_words = "HTTP 500",
      .proxy = PROXY_UP,
      .word = KUBECTL_PLUGIN_FAILED,
      .pods = API_UNREACHABLE},
     SOURCE_LOST,
     {"credential plugin failed", "(exec: not found)"},
     "API server cannot be reached"},
    {{.context = "prod",
      .ns = "llm",
      .pods_words = "dial tcp",
      .proxy = PROXY_UP,
      .listed = true,
      .ours = 3,
      .pods = API_UNREACHABLE},
     SOURCE_LOST,
     {"the API server cannot be reached", "the pods may be fine", "(dial tcp)"},
     "kubectl proxy"},
    {{.context = "prod",
      .ns = "llm",
      .words = "Open https://login.example/device",
      .pods_words = "kubectl proxy: timeout while awaiting headers",
      .proxy = PROXY_UP,
      .pods = API_UNREACHABLE},
     SOURCE_LOST,
     {"the API server cannot be reached", "(kubectl proxy: timeout while awaiting headers)",
      "; kubectl says: Open https://login.example/device"},
     "plugin"},
    {{.context = "prod", .ns = "llm", .words = "Open https://login.example/device", .proxy = PROXY_UP},
     SOURCE_STARTING,
     {"asking context prod, namespace llm; kubectl says: Open https://login.example/device"},
     NULL},
    {{.context = "", .ns = "", .words = "no answer", .no_context = true, .proxy = PROXY_UP},
     SOURCE_LOST,
     {"kubectl does not say which cluster is meant", "(no answer)"},
     "kubectl proxy"},
    {{PLACE, .proxy = PROXY_UP, .listed = true, .ours = 3, .silent = true, .silent_words = "EOF"},
     SOURCE_LOST,
     {"the API server does not answer", "the pods may be fine", "(EOF)"},
     "kubectl proxy"},
    {{PLACE, .proxy = PROXY_UP, .pods = API_INVALID, .pods_words = "unable to parse requirement: found 'b'"},
     SOURCE_REFUSED,
     {"the API server cannot do what was asked for; see -l", "(unable to parse requirement: found 'b')"},
     "tried again"},
    {{PLACE, .proxy = PROXY_DOWN, .silent = true}, SOURCE_LOST, {"kubectl proxy is not running"}, "does not answer"},
    {{.context = "prod",
      .ns = "llm",
      .proxy = PROXY_UP,
      .pods = API_UNAUTHORIZED,
      .pods_words = "HTTP 500: getting credentials: exec: executable aws failed with exit code 255"},
     SOURCE_DENIED,
     {"credential plugin failed", "log in", "executable aws failed"},
     "does not accept"},
    {{PLACE, .proxy = PROXY_UP, .pods = API_UNAUTHORIZED}, SOURCE_DENIED, {"(401)", "log in again"}, "Role"},
    {{.context = "prod", .ns = "llm", .pods_words = REFUSAL, .proxy = PROXY_UP, .pods = API_FORBIDDEN},
     SOURCE_DENIED,
     {"the right to list pods is missing in context prod, namespace llm", "kind: Role", "namespace: llm",
      "--user=eve -n llm"},
     NULL},
    {{.context = "prod", .ns = NULL, .pods_words = REFUSAL, .proxy = PROXY_UP, .pods = API_FORBIDDEN},
     SOURCE_DENIED,
     {"all namespaces", "kind: ClusterRole", "create clusterrolebinding probetop --clusterrole=probetop"},
     "namespace:"},
};

/* Strings that a row does not name are empty. */
static struct standing standing_of(const struct row *row)
{
    struct standing standing = row->standing;
    standing.words = standing.words ? standing.words : "";
    standing.pods_words = standing.pods_words ? standing.pods_words : "";
    standing.silent_words = standing.silent_words ? standing.silent_words : "";
    standing.signs = standing.signs ? standing.signs : "";
    standing.looks = standing.looks ? standing.looks : "";
    return standing;
}

static void test_words(void **state)
{
    struct buf words;
    (void)state;
    buf_init(&words, 4096);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct standing standing = standing_of(&ROWS[i]);
        enum source_state told = standing_tell(&standing, &words);
        if (told != ROWS[i].state)
            fail_msg("row %zu: state %s for \"%s\"", i, source_state_name(told), buf_str(&words));
        for (size_t k = 0; k < 4 && ROWS[i].says[k]; k++)
            if (!strstr(buf_str(&words), ROWS[i].says[k]))
                fail_msg("row %zu: \"%s\" does not say \"%s\"", i, buf_str(&words), ROWS[i].says[k]);
        if (ROWS[i].not_says && strstr(buf_str(&words), ROWS[i].not_says))
            fail_msg("row %zu: \"%s\" says \"%s\"", i, buf_str(&words), ROWS[i].not_says);
    }
    buf_free(&words);
}

/* All of it, the Role included, must survive the length of a fact's text. */
static void test_denial_fits(void **state)
{
    struct buf words;
    (void)state;
    buf_init(&words, 4096);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct standing standing = standing_of(&ROWS[i]);
        standing_tell(&standing, &words);
        assert_true(words.len < TEXT_LINE);
    }
    buf_free(&words);
}

static void test_missing(void **state)
{
    static const struct {
        const char *refusal, *words;
    } MISSING[] = {{"pods \"x\" is forbidden: User \"a\" cannot get resource \"pods/log\" in API group \"\" in the "
                    "namespace \"n\"",
                    "the right to get pods/log"},
                   {"pods \"x\" is forbidden: User \"a\" cannot create resource \"pods/portforward\" in API group \"\" "
                    "in the namespace \"n\"",
                    "the right to create pods/portforward"},
                   {"error: forbidden", "the right to do it"},
                   {"cannot ", "the right to do it"},
                   {"", "the right to do it"}};
    (void)state;
    for (size_t i = 0; i < sizeof MISSING / sizeof MISSING[0]; i++) {
        struct buf out;
        buf_init(&out, 256);
        rights_missing(MISSING[i].refusal, "do it", &out);
        assert_string_equal(buf_str(&out), MISSING[i].words);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words), cmocka_unit_test(test_denial_fits),
                                       cmocka_unit_test(test_missing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
