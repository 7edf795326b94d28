#include "kube/preflight.h"

#include "base/mem.h"
#include "kube/select.h"

#include <string.h>

/* A name that nobody gives a pod, and that says to readers of audit logs what it was for. */
static const char NOBODY[] = "probetop-asks-what-it-may";

enum { PATH_MAX_BYTES = 1024, ANSWER_MAX = 1 << 16 };

/* What is learnt by one request each. */
enum question { ASK_LOGS, ASK_PODPROXY, QUESTIONS };

struct asked {
    struct preflight *preflight;
    enum right right;
    uint64_t ticket;
    bool wanted; /* and not known yet */
};

/* How far the tunnel's try is. */
enum try { TRY_NONE, TRY_WANTED, TRY_UNDER_WAY, TRY_OVER };

struct place {
    char *ns;
    struct asked asked[QUESTIONS];
    enum try forward;
};

struct preflight {
    struct preflight_options options;
    char *pod;
    struct place places[PREFLIGHT_PLACES];
    size_t count;
    uv_timer_t timer; /* ends the tunnel's tries when nobody is within them */
};

static uint32_t pod_of(const struct preflight *preflight, const struct place *place)
{
    return (uint32_t)(PREFLIGHT_PODS + (place - preflight->places));
}

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

static void question_ask(struct preflight *preflight, struct place *place, enum question question)
{
    struct asked *asked = &place->asked[question];
    struct buf path;
    if (!asked->wanted || asked->ticket != 0)
        return;
    buf_init(&path, PATH_MAX_BYTES);
    select_collection(place->ns, "pods/", &path);
    select_escape(question == ASK_LOGS ? preflight->pod : NOBODY, &path);
    buf_puts(&path, question == ASK_LOGS ? "/log?tailLines=1&limitBytes=1" : ":1/proxy/");
    asked->ticket = api_get(preflight->options.api, buf_str(&path), ANSWER_MAX, on_answer, asked);
    buf_free(&path);
}

/* A port-forward may be permitted by GET, by POST, or by both, and which is needed depends on the server: so it is tried as for a pod. */
static void forward_ask(struct preflight *preflight, struct place *place)
{
    struct kube_tunnel *tunnel = preflight->options.tunnel;
    struct http_address address = {0};
    uint32_t pod = pod_of(preflight, place);
    if (place->forward != TRY_WANTED)
        return;
    place->forward = TRY_UNDER_WAY;
    kube_tunnel_pod(tunnel, pod, place->ns, preflight->pod, NOBODY, "", true);
    kube_tunnel_ops.address((struct tunnel *)tunnel, pod, 1, &address);
}

static void on_timer(uv_timer_t *timer)
{
    struct preflight *preflight = timer->data;
    for (size_t i = 0; i < preflight->count; i++) {
        struct place *place = &preflight->places[i];
        if (place->forward != TRY_OVER)
            continue;
        kube_tunnel_ops.close_pod((struct tunnel *)preflight->options.tunnel, pod_of(preflight, place));
        place->forward = TRY_NONE;
    }
}

bool preflight_word(struct preflight *preflight, uint32_t pod, enum tunnel_word word, const char *detail)
{
    bool login = word == TUNNEL_FORBIDDEN && kubectl_classify(detail, strlen(detail)) == KUBECTL_UNAUTHORIZED;
    if (pod < PREFLIGHT_PODS || pod >= PREFLIGHT_PODS + preflight->count)
        return false;
    struct place *place = &preflight->places[pod - PREFLIGHT_PODS];
    if (place->forward != TRY_UNDER_WAY || login || word == TUNNEL_STARTING || word == TUNNEL_API_LOST)
        return true; /* nothing is known yet; it is tried again by itself */
    place->forward = TRY_OVER;
    uv_timer_start(&preflight->timer, on_timer, 0, 0);
    if (word == TUNNEL_FORBIDDEN)
        preflight->options.denied(preflight->options.user, RIGHT_FORWARD, detail);
    return true;
}

static void place_go(struct preflight *preflight, struct place *place)
{
    for (int question = 0; question < QUESTIONS; question++)
        question_ask(preflight, place, (enum question)question);
    forward_ask(preflight, place);
}

void preflight_go(struct preflight *preflight)
{
    for (size_t i = 0; i < preflight->count; i++)
        place_go(preflight, &preflight->places[i]);
}

void preflight_look(struct preflight *preflight, const char *ns)
{
    static const enum right rights[QUESTIONS] = {[ASK_LOGS] = RIGHT_LOGS, [ASK_PODPROXY] = RIGHT_PODPROXY};
    enum via via = preflight->options.via;
    for (size_t i = 0; i < preflight->count; i++)
        if (strcmp(preflight->places[i].ns, ns) == 0)
            return;
    if (preflight->count == PREFLIGHT_PLACES)
        return;
    struct place *place = &preflight->places[preflight->count++];
    place->ns = mem_dup(ns);
    for (int question = 0; question < QUESTIONS; question++)
        place->asked[question] = (struct asked){.preflight = preflight, .right = rights[question]};
    place->asked[ASK_LOGS].wanted = true;
    place->asked[ASK_PODPROXY].wanted = via == VIA_PODPROXY;
    place->forward = via == VIA_PORTFORWARD || via == VIA_AUTO ? TRY_WANTED : TRY_NONE;
    place_go(preflight, place);
}

struct preflight *preflight_new(const struct preflight_options *options)
{
    struct preflight *preflight = mem_new(sizeof *preflight);
    preflight->options = *options;
    preflight->pod = mem_dup(options->pod != NULL ? options->pod : NOBODY);
    uv_timer_init(options->loop, &preflight->timer);
    preflight->timer.data = preflight;
    return preflight;
}

static void on_closed(uv_handle_t *handle)
{
    struct preflight *preflight = handle->data;
    for (size_t i = 0; i < preflight->count; i++)
        mem_free(preflight->places[i].ns);
    mem_free(preflight->pod);
    mem_free(preflight);
}

void preflight_free(struct preflight *preflight)
{
    if (preflight == NULL)
        return;
    for (size_t i = 0; i < preflight->count * QUESTIONS; i++) {
        const struct asked *asked = &preflight->places[i / QUESTIONS].asked[i % QUESTIONS];
        if (asked->ticket != 0)
            api_cancel(preflight->options.api, asked->ticket);
    }
    uv_close((uv_handle_t *)&preflight->timer, on_closed);
}
