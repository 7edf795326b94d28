#include "kube/standing.h"

#include <string.h>

static void place_put(const struct standing *standing, struct buf *words)
{
    if (standing->context[0] != '\0')
        buf_printf(words, "context %s, ", standing->context);
    if (standing->ns != NULL)
        buf_printf(words, "namespace %s", standing->ns);
    else
        buf_puts(words, "all namespaces");
}

static void quote_put(const char *said, struct buf *words)
{
    if (said[0] != '\0')
        buf_printf(words, " (%s)", said);
}

/* It may be what the person is to do: a page to open, a code to enter there. */
static void speech_put(const struct standing *standing, struct buf *words)
{
    if (standing->word == KUBECTL_OTHER && standing->words[0] != '\0')
        buf_printf(words, "; kubectl says: %s", standing->words);
}

static bool config_is_unreadable(const char *said)
{
    return strstr(said, "loading config file") != NULL || strstr(said, "permission denied") != NULL ||
           strstr(said, "unable to read") != NULL || strstr(said, "cannot locate") != NULL;
}

#define PLUGIN_FAILED                                                                                                  \
    "kubectl's credential plugin failed; log in as you do for kubectl, probetop goes on by itself then"

/* kubectl itself: never the cluster's fault, and never a pod's. */
static void kubectl_put(const struct standing *standing, struct buf *words)
{
    switch (standing->word) {
    case KUBECTL_NO_CONFIG:
        buf_puts(
            words,
            config_is_unreadable(standing->words)
                ? "kubectl cannot read its kubeconfig, or what that names; mend it, probetop goes on by itself then"
                : "kubectl knows of no cluster; set KUBECONFIG, or give --kubeconfig FILE");
        break;
    case KUBECTL_NO_CONTEXT:
        buf_puts(words,
                 "kubectl has no such context; kubectl config get-contexts lists them, --context NAME chooses one");
        break;
    case KUBECTL_PLUGIN_FAILED:
        buf_puts(words, PLUGIN_FAILED);
        break;
    case KUBECTL_UNAUTHORIZED:
        buf_puts(words,
                 "the cluster does not accept kubectl's credentials; log in again, probetop goes on by itself then");
        break;
    default:
        if (standing->proxy != PROXY_DOWN) {
            buf_puts(words, "kubectl does not say which cluster is meant; nothing is known of the pods until it does");
            break;
        }
        buf_puts(words,
                 "kubectl proxy is not running and is started again by itself; nothing is known of the pods meanwhile");
        break;
    }
    quote_put(standing->words, words);
}

static enum source_state trouble_put(const struct standing *standing, struct buf *words)
{
    switch (standing->pods) {
    case API_FORBIDDEN:
        rights_missing(standing->pods_words, "list pods", words);
        buf_puts(words, " is missing in ");
        place_put(standing, words);
        buf_puts(words, ". ");
        rights_advice(standing->pods_words, standing->ns, &standing->rights, words);
        return SOURCE_DENIED;
    case API_UNAUTHORIZED:
        if (kubectl_classify(standing->pods_words, strlen(standing->pods_words)) == KUBECTL_PLUGIN_FAILED) {
            buf_puts(words, PLUGIN_FAILED); /* the cluster was not even asked */
            break;
        }
        buf_puts(words, "the cluster does not accept kubectl's credentials (401), they may have expired; log in again, "
                        "probetop goes "
                        "on by itself then");
        return SOURCE_DENIED;
    case API_UNREACHABLE:
        if (standing->word == KUBECTL_PLUGIN_FAILED) {
            kubectl_put(standing, words); /* the proxy has no credentials to ask with */
            return SOURCE_LOST;
        }
        buf_puts(words,
                 "the API server cannot be reached; the pods may be fine, nothing is known of them until it is back");
        break;
    case API_NOT_FOUND:
        buf_puts(words, "the API server does not know what was asked for");
        break;
    case API_INVALID:
        buf_puts(words, "the API server cannot do what was asked for; see -l and --field-selector");
        quote_put(standing->pods_words, words);
        return SOURCE_REFUSED;
    default:
        buf_printf(words, "pods cannot be listed: %s", api_end_sentence(standing->pods));
        break;
    }
    quote_put(standing->pods_words, words);
    speech_put(standing, words);
    return standing->pods == API_UNAUTHORIZED ? SOURCE_DENIED : SOURCE_LOST;
}

static void none_put(const struct standing *standing, struct buf *words)
{
    buf_puts(words, "looked in ");
    place_put(standing, words);
    if (standing->pools != NULL && standing->pools[0] != '\0') {
        buf_printf(words, ": %s; probetop goes on looking", standing->pools);
    } else if (standing->asked) {
        buf_puts(words, ": no pod is what was asked for");
    } else if (standing->seen == 0) {
        buf_puts(words, ": there are no pods; -n NAMESPACE or -A looks elsewhere");
    } else {
        buf_printf(words, " at %zu pod%s: none looks like vLLM or llm-d", standing->seen,
                   standing->seen == 1 ? "" : "s");
        quote_put(standing->looks, words);
        buf_puts(words, "; -l app=NAME or pod/NAME shows any, -n NAMESPACE or -A looks elsewhere");
    }
}

enum source_state standing_tell(const struct standing *standing, struct buf *words)
{
    buf_clear(words);
    if (standing->no_context || standing->proxy == PROXY_DOWN) {
        kubectl_put(standing, words);
        return standing->word == KUBECTL_NO_CONFIG || standing->word == KUBECTL_NO_CONTEXT ? SOURCE_NO_CLUSTER
                                                                                           : SOURCE_LOST;
    }
    if (standing->pods != API_OK)
        return trouble_put(standing, words);
    if (standing->silent) {
        buf_puts(words, "the API server does not answer; the pods may be fine, what is shown of them is from before");
        quote_put(standing->silent_words, words);
        return SOURCE_LOST;
    }
    if (standing->proxy == PROXY_STARTING || !standing->listed) {
        buf_puts(words, "asking ");
        place_put(standing, words);
        speech_put(standing, words);
        return SOURCE_STARTING;
    }
    if (standing->ours == 0) {
        none_put(standing, words);
        return SOURCE_NONE_FOUND;
    }
    buf_printf(words, "%zu of %zu pods in ", standing->ours, standing->seen);
    place_put(standing, words);
    if (standing->signs[0] != '\0' && !standing->asked)
        buf_printf(words, ", by %s", standing->signs);
    if (standing->pools != NULL && standing->pools[0] != '\0')
        buf_printf(words, "; %s", standing->pools);
    return SOURCE_WATCHING;
}
