#include "kube/preflight.h"

#include "base/mem.h"
#include "kube/select.h"

#include <string.h>

/* A name that nobody gives a pod, and that says to readers of audit logs what it was for. */
static const char NOBODY[] = "probetop-asks-what-it-may";

enum { PATH_MAX_BYTES = 1024, ANSWER_MAX = 1 << 16 };

/* What is learnt by one request each. */
enum question { ASK_LOGS, ASK_PODPROXY, QUESTIONS };

struct preflight {
    struct preflight_options options;
    char *ns, *pod;
    struct asked {
        struct preflight *preflight;
        enum right right;
        uint64_t ticket;
        bool wanted; /* and not known yet */
    } asked[QUESTIONS];
    uv_timer_t timer; /* ends the tunnel's try when nobody is within it */
    bool forwards, forwarding;
};

static void on_answer(void *user, enum api_end end, const char *words, const char *body, size_t length)
{
    struct asked *asked = user;
    const struct preflight_options *options = &asked->preflight->options;
    (void)body;
    (void)length;
    asked->ticket = 0;
    if (end == API_UNREACHABLE || end == API_UNAUTHORIZED || end == API_CUT)
        return; /* nobody has answered: it stays wanted */
    asked->wanted = false;
    if (end == API_FORBIDDEN)
        options->denied(options->user, asked->right, words);
}

static void question_ask(struct preflight *preflight, enum question question)
{
    struct asked *asked = &preflight->asked[question];
    struct buf path;
    if (!asked->wanted || asked->ticket != 0)
        return;
    buf_init(&path, PATH_MAX_BYTES);
    select_collection(preflight->ns, "pods/", &path);
    select_escape(question == ASK_LOGS ? preflight->pod : NOBODY, &path);
    buf_puts(&path, question == ASK_LOGS ? "/log?tailLines=1&limitBytes=1" : ":1/proxy/");
    asked->ticket = api_get(preflight->options.api, buf_str(&path), ANSWER_MAX, on_answer, asked);
    buf_free(&path);
}

/* A port-forward may be permitted by GET, by POST, or by both, and which is needed depends on the server: so it is tried as for a pod. */
static void forward_ask(struct preflight *preflight)
{
    struct tunnel *tunnel = (struct tunnel *)preflight->options.tunnel;
    struct http_address address = {0};
    if (!preflight->forwards || preflight->forwarding)
        return;
    preflight->forwarding = true;
    kube_tunnel_pod(preflight->options.tunnel, PREFLIGHT_POD, preflight->ns, preflight->pod, NOBODY, "", true);
    kube_tunnel_ops.address(tunnel, PREFLIGHT_POD, 1, &address);
}

static void on_timer(uv_timer_t *timer)
{
    struct preflight *preflight = timer->data;
    kube_tunnel_ops.close_pod((struct tunnel *)preflight->options.tunnel, PREFLIGHT_POD);
}

void preflight_word(struct preflight *preflight, enum tunnel_word word, const char *detail)
{
    bool login = word == TUNNEL_FORBIDDEN && kubectl_classify(detail, strlen(detail)) == KUBECTL_UNAUTHORIZED;
    if (!preflight->forwards || login || word == TUNNEL_STARTING || word == TUNNEL_API_LOST)
        return; /* nothing is known yet; it is tried again by itself */
    preflight->forwards = false;
    uv_timer_start(&preflight->timer, on_timer, 0, 0);
    if (word == TUNNEL_FORBIDDEN)
        preflight->options.denied(preflight->options.user, RIGHT_FORWARD, detail);
}

void preflight_go(struct preflight *preflight)
{
    for (int question = 0; question < QUESTIONS; question++)
        question_ask(preflight, (enum question)question);
    forward_ask(preflight);
}

struct preflight *preflight_new(const struct preflight_options *options)
{
    static const enum right rights[QUESTIONS] = {[ASK_LOGS] = RIGHT_LOGS, [ASK_PODPROXY] = RIGHT_PODPROXY};
    struct preflight *preflight = mem_new(sizeof *preflight);
    preflight->options = *options;
    preflight->ns = mem_dup(options->ns);
    preflight->pod = mem_dup(options->pod != NULL ? options->pod : NOBODY);
    for (int question = 0; question < QUESTIONS; question++)
        preflight->asked[question] = (struct asked){.preflight = preflight, .right = rights[question]};
    preflight->asked[ASK_LOGS].wanted = true;
    preflight->asked[ASK_PODPROXY].wanted = options->via == VIA_PODPROXY;
    preflight->forwards = options->via == VIA_PORTFORWARD || options->via == VIA_AUTO;
    uv_timer_init(options->loop, &preflight->timer);
    preflight->timer.data = preflight;
    preflight_go(preflight);
    return preflight;
}

static void on_closed(uv_handle_t *handle)
{
    struct preflight *preflight = handle->data;
    mem_free(preflight->ns);
    mem_free(preflight->pod);
    mem_free(preflight);
}

void preflight_free(struct preflight *preflight)
{
    if (preflight == NULL)
        return;
    for (int question = 0; question < QUESTIONS; question++)
        if (preflight->asked[question].ticket != 0)
            api_cancel(preflight->options.api, preflight->asked[question].ticket);
    uv_close((uv_handle_t *)&preflight->timer, on_closed);
}
