#include "kube/nodes.h"

#include "base/mem.h"
#include "kube/kubectl.h"
#include "kube/select.h"

#include <string.h>

/* uthash takes its memory where everybody does. */
#define uthash_malloc(size) mem_new(size)
#define uthash_free(memory, size) mem_free(memory)
#include <uthash.h>

enum {
    PACE_MS = 1000,   /* no longer than the shortest timeoutSeconds: so a probe's end never waits for the pace */
    SILENT_MS = 1000, /* a kubelet on a busy node is slower than an API server */
    NODES_MAX = 256,  /* of whom something is remembered */
    PATH_MAX_BYTES = 2048
};

struct node {
    struct nodes *nodes;
    char *name;
    char *why; /* what was said of its silence; NULL nothing */
    struct pulse *pulse;
    UT_hash_handle hh;
};

struct nodes {
    uv_loop_t *loop;
    struct api *api;
    void (*settled)(void *user);
    void *user;
    struct node *all;  /* by name, in the order in which they came */
    uv_timer_t moment; /* tells in a turn of its own, so that whoever hears of it may ask */
};

static void on_moment(uv_timer_t *timer)
{
    struct nodes *nodes = timer->data;
    nodes->settled(nodes->user);
}

static void on_answered(void *user)
{
    struct node *node = user;
    uv_timer_start(&node->nodes->moment, on_moment, 0, 0);
}

static void on_changed(void *user, bool silent, const char *why)
{
    struct node *node = user;
    mem_free(node->why);
    const char *cause = strncmp(why, "Get \"", 5) == 0 ? strstr(why, "\": ") : NULL; /* not our own question again */
    why = cause != NULL ? cause + 3 : why;
    node->why = silent && why[0] != '\0' ? mem_dup(why) : NULL;
    on_answered(node);
}

/* The API server says itself that it did not get to the kubelet: `dial tcp 10.0.0.7:10250: connect: connection refused`, `error dialing backend`, `No agent available`. Whatever else it says, no fault of the way is known. */
static bool node_is_alive(enum api_end end, const char *words)
{
    if (end == API_UNREACHABLE || end == API_CUT)
        return false;
    if (end != API_BAD)
        return true;
    switch (kubectl_classify(words, strlen(words))) {
    case KUBECTL_NODE_UNREACHABLE:
    case KUBECTL_API_REFUSED:
    case KUBECTL_API_TIMEOUT:
    case KUBECTL_API_UNREACHABLE:
        return false;
    default:
        return strcasestr(words, "no agent available") == NULL;
    }
}

static void node_free(struct node *node)
{
    HASH_DEL(node->nodes->all, node);
    pulse_free(node->pulse);
    mem_free(node->name);
    mem_free(node->why);
    mem_free(node);
}

static struct node *node_find(const struct nodes *nodes, const struct pod_facts *facts)
{
    struct node *node;
    HASH_FIND_STR(nodes->all, text_str(&facts->node), node);
    return node;
}

static struct node *node_get(struct nodes *nodes, const struct pod_facts *facts)
{
    struct node *node = node_find(nodes, facts);
    if (node != NULL)
        return node;
    if (HASH_COUNT(nodes->all) >= NODES_MAX)
        node_free(nodes->all); /* the first that came; should it be silent still, that is found out anew */
    node = mem_new(sizeof *node);
    node->nodes = nodes;
    node->name = mem_dup(text_str(&facts->node));
    node->pulse = pulse_new(&(struct pulse_options){.loop = nodes->loop,
                                                    .api = nodes->api,
                                                    .pace_ms = PACE_MS,
                                                    .silent_ms = SILENT_MS,
                                                    .is_alive = node_is_alive,
                                                    .changed = on_changed,
                                                    .answered = on_answered,
                                                    .user = node});
    HASH_ADD_KEYPTR(hh, nodes->all, node->name, strlen(node->name), node);
    return node;
}

enum pulse_word nodes_ask(struct nodes *nodes, const struct pod_facts *facts, int64_t since)
{
    struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    select_collection(text_str(&facts->ns), "pods/", &path);
    select_escape(text_str(&facts->name), &path);
    buf_puts(&path, "/log?container=");
    select_escape(text_str(&facts->serving.name), &path);
    buf_puts(&path, "&tailLines=1&limitBytes=1");
    enum pulse_word word = pulse_ask(node_get(nodes, facts)->pulse, buf_str(&path), since);
    buf_free(&path);
    return word;
}

bool nodes_was_silent(const struct nodes *nodes, const struct pod_facts *facts, int64_t since)
{
    const struct node *node = node_find(nodes, facts);
    return node != NULL && pulse_was_silent(node->pulse, since);
}

void nodes_why(const struct nodes *nodes, const struct pod_facts *facts, struct buf *out)
{
    const struct node *node = node_find(nodes, facts);
    buf_printf(out, "node %s does not answer the API server", text_str(&facts->node));
    if (node != NULL && node->why != NULL)
        buf_printf(out, " (%s)", node->why);
}

struct nodes *nodes_new(uv_loop_t *loop, struct api *api, void (*settled)(void *user), void *user)
{
    struct nodes *nodes = mem_new(sizeof *nodes);
    *nodes = (struct nodes){.loop = loop, .api = api, .settled = settled, .user = user};
    uv_timer_init(loop, &nodes->moment);
    nodes->moment.data = nodes;
    return nodes;
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void nodes_free(struct nodes *nodes)
{
    struct node *node, *next;
    if (nodes == NULL)
        return;
    HASH_ITER(hh, nodes->all, node, next)
    {
        node_free(node);
    }
    uv_close((uv_handle_t *)&nodes->moment, on_closed);
}
