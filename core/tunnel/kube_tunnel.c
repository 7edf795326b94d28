#include "tunnel/kube_tunnel.h"

#include "base/clock.h"
#include "base/mem.h"
#include "kube/api.h"
#include "tunnel/gate.h"
#include "tunnel/kubectl_forward.h"
#include "tunnel/portforward.h"

#include <string.h>

/* uthash takes its memory where everybody does. */
#define uthash_malloc(size) mem_new(size)
#define uthash_free(memory, size) mem_free(memory)
#include <uthash.h>

enum {
    STARTING_MOST = 16,     /* sessions that are made for the first time, at a time: a hundred at once are a burden */
    REFUSED_MOST = 3,       /* upgrades answered with something else, after which `auto` goes on to kubectl */
    CHILDREN_FAIL_MOST = 2, /* and to the pods' proxy after so many children that did not come up */
    ANSWER_MAX = 64 << 10,
    PATH_MAX_BYTES = 1024,
    CLOSE_HELD_US = 1000 * MILLISECOND_US,
    CLOSE_WAY_US = 100 * MILLISECOND_US /* at the least */
};

/* One port of a pod. What address() has given out of it lives until the pod is closed. */
struct door {
    struct reached *reached;
    struct door *next;
    int32_t port;
    struct gate *gate;             /* portforward and kubectl; NULL: none needed, or it could not be made */
    struct kubectl_forward *child; /* kubectl; NULL: none */
    char *prefix, *prefix_https;   /* podproxy */
};

/* Where a pod's session stands in the queue of those that are made for the first time. */
enum turn { NOT_ASKED, IN_QUEUE, BEING_MADE, MADE };

/* Whether the pods' proxy will do for a pod that `auto` finds no other way to. */
enum offer { NOT_TRIED, TRYING, NOT_ALLOWED };

/* A pod. */
struct reached {
    struct kube_tunnel *tunnel;
    uint32_t id;
    char *ns, *name, *uid, *ip;
    bool running;
    enum via via;
    struct portforward *session; /* NULL: none needed yet */
    enum turn turn;
    bool been_up;
    int refused; /* times in a row that the upgrade was answered with something else, or that no child came up */
    enum offer offer;
    uint64_t ticket;        /* of the question whether it will do; 0: not asked */
    enum tunnel_word fault; /* while TRYING: what is wrong with the other ways */
    char *fault_words;
    struct door *doors;
    UT_hash_handle hh;
};

struct kube_tunnel {
    struct kube_tunnel_options options; /* strings owned */
    char *proxy;                        /* path of its socket; NULL: it has never served */
    bool proxy_up;
    char *post_path; /* of the second proxy's socket */
    /* for clusters, and rights, that have a port-forward by POST only; NULL: not needed yet */
    struct kubectl_proxy *post_proxy;
    bool post_up, by_post;
    struct kubectl_proxy *pod_proxy; /* one that serves pods' proxies, for `auto`; NULL: not needed yet */
    char *pod_path;
    bool pod_up;
    struct http *http;
    struct api *pod_api;
    bool post_tried; /* it has come up, or failed to: only then is a refused GET the whole truth */
    tunnel_word_fn *word;
    void *word_user;
    void (*wait)(void *user);
    void *wait_user;
    bool silent; /* the API server */
    struct reached *pods;
    struct tunnel *direct; /* the addresses of pods that are reached directly */
    struct kubectl_crowd crowd;
    int making;  /* sessions */
    int closing; /* gates, sessions and children that are still on the loop */
    uint64_t sessions;
    struct portforward_pace pace;
    bool stopping;
    void (*stopped)(void *user);
    void *stopped_user;
};

static const char *const via_names[] = {"auto", "portforward", "kubectl", "podproxy", "direct"};

const char *via_name(enum via via)
{
    return (unsigned)via < sizeof via_names / sizeof via_names[0] ? via_names[via] : "?";
}

bool via_from_name(const char *name, enum via *via)
{
    for (size_t i = 0; i < sizeof via_names / sizeof via_names[0]; i++) {
        if (strcmp(name, via_names[i]) == 0) {
            *via = (enum via)i;
            return true;
        }
    }
    return false;
}

static struct reached *reached_find(const struct kube_tunnel *tunnel, uint32_t id)
{
    struct reached *reached;
    HASH_FIND(hh, tunnel->pods, &id, sizeof id, reached);
    return reached;
}

static void word_tell(const struct reached *reached, enum tunnel_word word, int64_t round_trip, const char *detail)
{
    const struct kube_tunnel *tunnel = reached->tunnel;
    if (tunnel->word != NULL && !tunnel->stopping)
        tunnel->word(tunnel->word_user, reached->id, word, round_trip, detail);
}

/* ---- what ends later than it is let go ---- */

static void on_closed(void *user)
{
    struct kube_tunnel *tunnel = user;
    tunnel->closing--;
    if (tunnel->closing == 0 && tunnel->stopped != NULL) {
        void (*stopped)(void *stopped_user) = tunnel->stopped;
        tunnel->stopped = NULL;
        stopped(tunnel->stopped_user);
    }
}

static void session_turn(struct reached *reached, enum turn turn);
static void offer_drop(struct reached *reached);

/* Everything that carries connections into the pod; its gates stay, and their paths with them. */
static void reached_disconnect(struct reached *reached)
{
    static const struct carrier none = {NULL, NULL};
    struct kube_tunnel *tunnel = reached->tunnel;
    for (struct door *door = reached->doors; door != NULL; door = door->next) {
        if (door->gate != NULL)
            gate_attach(door->gate, &none);
        if (door->child != NULL) {
            tunnel->closing++;
            kubectl_forward_free(door->child, on_closed, tunnel);
            door->child = NULL;
        }
    }
    if (reached->session != NULL) {
        session_turn(reached, NOT_ASKED);
        tunnel->closing++;
        portforward_free(reached->session, on_closed, tunnel);
        reached->session = NULL;
    }
    reached->been_up = false;
    reached->refused = 0;
    offer_drop(reached);
}

static void reached_free(struct reached *reached)
{
    struct kube_tunnel *tunnel = reached->tunnel;
    reached_disconnect(reached);
    while (reached->doors != NULL) {
        struct door *door = reached->doors;
        reached->doors = door->next;
        if (door->gate != NULL) {
            tunnel->closing++;
            gate_free(door->gate, on_closed, tunnel);
        }
        mem_free(door->prefix);
        mem_free(door->prefix_https);
        mem_free(door);
    }
    direct_ops.close_pod(tunnel->direct, reached->id);
    HASH_DEL(tunnel->pods, reached);
    char *strings[] = {reached->ns, reached->name, reached->uid, reached->ip, reached->fault_words};
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
        mem_free(strings[i]);
    mem_free(reached);
}

/* ---- the pods' proxy, for `auto` ---- */

static void prefix_make(struct door *door, const char *scheme, char **out);

/* Its socket, and whether it serves. */
static const char *podproxy_path(const struct kube_tunnel *tunnel, bool *is_up)
{
    bool chosen = tunnel->options.via == VIA_PODPROXY;
    *is_up = chosen ? tunnel->proxy_up : tunnel->pod_up;
    return chosen ? tunnel->proxy : tunnel->pod_path;
}

static void offer_drop(struct reached *reached)
{
    if (reached->ticket != 0) {
        api_cancel(reached->tunnel->pod_api, reached->ticket);
        reached->ticket = 0;
    }
    reached->offer = NOT_TRIED;
    mem_free(reached->fault_words);
    reached->fault_words = NULL;
}

/* It will not do: the fault of the other ways is what there is to say. */
static void offer_refuse(struct reached *reached, enum offer offer)
{
    char *words = reached->fault_words;
    reached->fault_words = NULL;
    offer_drop(reached);
    reached->offer = offer;
    word_tell(reached, reached->fault, -1, words != NULL ? words : "");
    mem_free(words);
}

static void offer_take(struct reached *reached)
{
    struct problem why = {0};
    problem_set(&why, STATUS_OK, "the pods' proxy of the API server instead: %s", reached->fault_words);
    reached_disconnect(reached);
    reached->via = VIA_PODPROXY;
    for (struct door *door = reached->doors; door != NULL; door = door->next) {
        prefix_make(door, "", &door->prefix);
        prefix_make(door, "https:", &door->prefix_https);
    }
    word_tell(reached, TUNNEL_UP, -1, why.text);
}

/* Whatever the pod, or the API server in its place, says: it was let through. */
static void on_offer_answer(void *user, enum api_end end, const char *words, const char *body, size_t length)
{
    struct reached *reached = user;
    (void)words;
    (void)body;
    (void)length;
    reached->ticket = 0;
    if (end == API_FORBIDDEN || end == API_UNAUTHORIZED)
        offer_refuse(reached, NOT_ALLOWED);
    else if (end == API_UNREACHABLE || end == API_CUT)
        offer_refuse(reached, NOT_TRIED); /* it is asked again with the next fault */
    else
        offer_take(reached);
}

static void offer_ask(struct reached *reached)
{
    struct buf path;
    if (reached->offer != TRYING || reached->ticket != 0 || reached->doors == NULL)
        return;
    buf_init(&path, PATH_MAX_BYTES);
    buf_printf(&path, "/api/v1/namespaces/%s/pods/%s:%d/proxy/health", reached->ns, reached->name,
               reached->doors->port);
    reached->ticket = api_get(reached->tunnel->pod_api, buf_str(&path), ANSWER_MAX, on_offer_answer, reached);
    buf_free(&path);
}

static void on_pod_proxy_state(void *user, enum proxy_state state, enum kubectl_word word, const char *words)
{
    struct kube_tunnel *tunnel = user;
    struct reached *reached, *next;
    bool was_up = tunnel->pod_up;
    (void)word; /* the first proxy has the same to say */
    tunnel->pod_up = state == PROXY_UP;
    HASH_ITER(hh, tunnel->pods, reached, next)
    {
        if (tunnel->stopping || state == PROXY_STARTING)
            break;
        if (reached->offer == TRYING && tunnel->pod_up)
            offer_ask(reached);
        else if (reached->offer == TRYING)
            offer_refuse(reached, NOT_TRIED);
        else if (reached->via == VIA_PODPROXY && reached->running && was_up != tunnel->pod_up)
            word_tell(reached, tunnel->pod_up ? TUNNEL_UP : TUNNEL_API_LOST, -1, tunnel->pod_up ? "" : words);
    }
}

static void pod_proxy_want(struct kube_tunnel *tunnel)
{
    if (tunnel->pod_proxy != NULL)
        return;
    struct kubectl_proxy_options options = {.loop = tunnel->options.loop,
                                            .flags = tunnel->options.flags,
                                            .kubectl = tunnel->options.kubectl,
                                            .dir = tunnel->options.dir,
                                            .allow_podproxy = true,
                                            .podproxy_alone = true,
                                            .state = on_pod_proxy_state,
                                            .group = tunnel->options.group,
                                            .user = tunnel,
                                            .group_user = tunnel->options.group_user};
    tunnel->http = http_new(tunnel->options.loop, "probetop/" PACKAGE_VERSION);
    if (tunnel->http != NULL) {
        tunnel->pod_proxy = kubectl_proxy_new(&options);
        tunnel->pod_api = api_new(tunnel->http, tunnel->pod_path);
    }
}

/* `auto` knows no other way to this pod than the pods' proxy, which needs a right of its own, and a kubectl proxy that lets more through than the first: it is asked for only here. False: that is no way either, so the fault may be told. */
static bool podproxy_offer(struct reached *reached, enum tunnel_word fault, const char *words)
{
    struct kube_tunnel *tunnel = reached->tunnel;
    if (tunnel->options.via != VIA_AUTO || reached->been_up || reached->offer == NOT_ALLOWED || tunnel->stopping)
        return false;
    if (reached->offer == TRYING)
        return true;
    pod_proxy_want(tunnel);
    if (tunnel->pod_proxy == NULL)
        return false;
    reached->offer = TRYING;
    reached->fault = fault;
    mem_replace(&reached->fault_words, words);
    if (tunnel->pod_up)
        offer_ask(reached);
    return true;
}

/* ---- native sessions ---- */

static void doors_update(struct reached *reached)
{
    for (struct door *door = reached->doors; door != NULL; door = door->next)
        if (door->gate != NULL)
            gate_update(door->gate);
}

/* Those that wait for their turn. */
static void sessions_start(struct kube_tunnel *tunnel)
{
    struct reached *reached, *next;
    HASH_ITER(hh, tunnel->pods, reached, next)
    {
        if (tunnel->making >= STARTING_MOST || !tunnel->proxy_up)
            break;
        if (reached->turn == IN_QUEUE) {
            session_turn(reached, BEING_MADE);
            portforward_start(reached->session);
        }
    }
}

static void session_turn(struct reached *reached, enum turn turn)
{
    reached->tunnel->making += (turn == BEING_MADE) - (reached->turn == BEING_MADE);
    reached->turn = turn;
}

static void doors_attach(struct reached *reached);

/* `auto`: where the API server answers the upgrade but never with what we can use, kubectl may know better. Rights that are missing for the one are missing for the other. */
static void reached_fall_back(struct reached *reached, const char *detail)
{
    struct problem why = {0};
    problem_set(&why, STATUS_OK, "kubectl port-forward instead: %s", detail);
    reached_disconnect(reached);
    reached->via = VIA_KUBECTL;
    doors_attach(reached);
    word_tell(reached, TUNNEL_STARTING, -1, why.text);
}

static void on_post_state(void *user, enum proxy_state state, enum kubectl_word word, const char *words)
{
    struct kube_tunnel *tunnel = user;
    struct reached *reached, *next;
    (void)word; /* the first proxy has the same to say, and the source tells it */
    (void)words;
    tunnel->post_up = state == PROXY_UP;
    tunnel->post_tried = tunnel->post_tried || state == PROXY_DOWN;
    HASH_ITER(hh, tunnel->pods, reached, next)
    {
        if (tunnel->post_up && !tunnel->stopping && reached->turn == MADE)
            portforward_start(reached->session);
    }
}

/* The GET of an upgrade was refused: by a server that is too old for it, or because the right is there for POST only (facts/kube.md 3.4). The first proxy lets no POST through. */
static void post_proxy_want(struct kube_tunnel *tunnel)
{
    if (tunnel->post_proxy != NULL || tunnel->stopping)
        return;
    struct kubectl_proxy_options options = {.loop = tunnel->options.loop,
                                            .flags = tunnel->options.flags,
                                            .kubectl = tunnel->options.kubectl,
                                            .dir = tunnel->options.dir,
                                            .allow_post = true,
                                            .state = on_post_state,
                                            .group = tunnel->options.group,
                                            .user = tunnel,
                                            .group_user = tunnel->options.group_user};
    tunnel->post_proxy = kubectl_proxy_new(&options);
}

static void on_session_word(void *user, enum tunnel_word word, int64_t round_trip, const char *detail)
{
    struct reached *reached = user;
    struct kube_tunnel *tunnel = reached->tunnel;
    if (word != TUNNEL_STARTING && reached->turn == BEING_MADE) {
        session_turn(reached, MADE);
        sessions_start(tunnel);
    }
    if (word == TUNNEL_UP) {
        reached->been_up = true;
        tunnel->by_post = portforward_by_post(reached->session);
    }
    bool half_known = word != TUNNEL_UP && portforward_wants_post(reached->session) && !tunnel->post_tried;
    if (half_known) {
        post_proxy_want(tunnel);
        tunnel->post_tried = tunnel->post_up; /* this one had it */
    }
    reached->refused = word == TUNNEL_BACKOFF && tunnel->post_up ? reached->refused + 1 : 0;
    if (tunnel->options.via == VIA_AUTO && !reached->been_up && reached->refused >= REFUSED_MOST) {
        reached_fall_back(reached, detail);
        return;
    }
    doors_update(reached);
    if (half_known && !tunnel->post_tried)
        return;
    if (word != TUNNEL_FORBIDDEN || !podproxy_offer(reached, word, detail))
        word_tell(reached, word, round_trip, detail);
}

static void session_make(struct reached *reached)
{
    struct kube_tunnel *tunnel = reached->tunnel;
    struct portforward_options options = {.loop = tunnel->options.loop,
                                          .proxy = tunnel->proxy,
                                          .post_proxy = tunnel->post_path,
                                          .ns = reached->ns,
                                          .name = reached->name,
                                          .by_post = tunnel->by_post,
                                          .seed = ++tunnel->sessions,
                                          .pace = &tunnel->pace,
                                          .word = on_session_word,
                                          .user = reached};
    reached->session = portforward_new(&options);
    reached->turn = IN_QUEUE;
    sessions_start(tunnel);
}

/* ---- doors ---- */

static void on_child_word(void *user, enum tunnel_word word, const char *detail)
{
    struct door *door = user;
    struct reached *reached = door->reached;
    if (word == TUNNEL_UP)
        reached->been_up = true;
    if (door->gate != NULL)
        gate_update(door->gate);
    reached->refused += word == TUNNEL_BACKOFF || word == TUNNEL_FORBIDDEN;
    bool in_vain = reached->refused >= CHILDREN_FAIL_MOST && (word == TUNNEL_BACKOFF || word == TUNNEL_FORBIDDEN);
    if (!in_vain || !podproxy_offer(reached, word, detail))
        word_tell(reached, word, -1, detail);
}

static void child_make(struct door *door)
{
    const struct reached *reached = door->reached;
    struct kube_tunnel *tunnel = reached->tunnel;
    struct kubectl_forward_options options = {.loop = tunnel->options.loop,
                                              .kubectl = tunnel->options.kubectl,
                                              .flags = tunnel->options.flags,
                                              .ns = reached->ns,
                                              .name = reached->name,
                                              .port = door->port,
                                              .crowd = &tunnel->crowd,
                                              .group = tunnel->options.group,
                                              .group_user = tunnel->options.group_user,
                                              .word = on_child_word,
                                              .user = door};
    door->child = kubectl_forward_new(&options);
}

/* Makes what is missing of the way that the pod uses now. */
static void door_attach(struct door *door)
{
    struct reached *reached = door->reached;
    struct carrier carrier = {NULL, NULL};
    if (!reached->running || reached->tunnel->stopping)
        return;
    if (reached->via == VIA_KUBECTL && door->child == NULL) {
        child_make(door);
        carrier = kubectl_forward_carrier(door->child);
    } else if (reached->via == VIA_PORTFORWARD && reached->tunnel->proxy != NULL) {
        if (reached->session == NULL)
            session_make(reached);
        carrier = portforward_carrier(reached->session);
    }
    if (carrier.ops != NULL && door->gate != NULL)
        gate_attach(door->gate, &carrier);
}

static void doors_attach(struct reached *reached)
{
    for (struct door *door = reached->doors; door != NULL; door = door->next)
        door_attach(door);
}

static void gate_make(struct door *door)
{
    static const struct carrier none = {NULL, NULL};
    const struct kube_tunnel *tunnel = door->reached->tunnel;
    struct problem problem = {0};
    struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    buf_printf(&path, "%s/%u.%d", tunnel->options.dir, door->reached->id, door->port);
    door->gate = gate_new(tunnel->options.loop, buf_str(&path), door->port, &none, &problem);
    buf_free(&path);
}

static void prefix_make(struct door *door, const char *scheme, char **out)
{
    struct buf prefix;
    buf_init(&prefix, PATH_MAX_BYTES);
    buf_printf(&prefix, "/api/v1/namespaces/%s/pods/%s%s:%d/proxy", door->reached->ns, scheme, door->reached->name,
               door->port);
    *out = mem_dup(buf_str(&prefix));
    buf_free(&prefix);
}

static struct door *door_find(struct reached *reached, int32_t port)
{
    struct door *door = reached->doors;
    while (door != NULL && door->port != port)
        door = door->next;
    return door;
}

static struct door *door_make(struct reached *reached, int32_t port)
{
    struct door *door = mem_new(sizeof *door);
    *door = (struct door){.reached = reached, .next = reached->doors, .port = port};
    reached->doors = door;
    if (reached->via == VIA_PODPROXY) {
        prefix_make(door, "", &door->prefix);
        prefix_make(door, "https:", &door->prefix_https);
    } else {
        gate_make(door);
        door_attach(door);
    }
    return door;
}

/* ---- tunnel_ops ---- */

static bool streams(struct tunnel *self, uint32_t id)
{
    const struct reached *reached = reached_find((struct kube_tunnel *)self, id);
    return reached == NULL || reached->via == VIA_PORTFORWARD || reached->via == VIA_KUBECTL;
}

/* How the way through this door is. */
static enum tunnel_word door_word(const struct door *door, bool *is_up)
{
    const struct reached *reached = door->reached;
    struct carrier carrier = {NULL, NULL};
    if (reached->via == VIA_KUBECTL && door->child != NULL)
        carrier = kubectl_forward_carrier(door->child);
    else if (reached->via == VIA_PORTFORWARD && reached->session != NULL)
        carrier = portforward_carrier(reached->session);
    *is_up = carrier.ops != NULL && carrier.ops->is_up(carrier.self);
    return carrier.ops != NULL ? carrier.ops->word(carrier.self) : TUNNEL_STARTING;
}

/* The container runtime keeps a forward for a second after the server has closed, unless our side ends too (facts/kube.md 3.1); then the end comes all the way: in this. */
static int64_t door_close_way(const struct door *door)
{
    const struct reached *reached = door->reached;
    int64_t way = reached->via == VIA_PORTFORWARD ? portforward_round_trip(reached->session) : -1;
    return way < CLOSE_WAY_US ? CLOSE_WAY_US : way;
}

/* By these ways nothing but somebody else's word tells whether it is the API server that is silent. */
static bool way_is_deaf(const struct reached *reached)
{
    return reached->via == VIA_PODPROXY || reached->via == VIA_KUBECTL;
}

static enum status door_address(const struct door *door, struct http_address *out)
{
    const struct reached *reached = door->reached;
    const struct kube_tunnel *tunnel = reached->tunnel;
    if (way_is_deaf(reached) && tunnel->silent)
        return STATUS_AGAIN;
    if (way_is_deaf(reached) && tunnel->wait != NULL)
        tunnel->wait(tunnel->wait_user);
    if (reached->via == VIA_PODPROXY) {
        bool serves;
        *out = (struct http_address){
            .unix_path = podproxy_path(tunnel, &serves), .prefix = door->prefix, .prefix_https = door->prefix_https};
        return serves ? STATUS_OK : STATUS_AGAIN;
    }
    bool is_up;
    enum tunnel_word word = door_word(door, &is_up);
    /* One that is made anew with nothing lost is there in a moment: the connection waits for it. */
    if (door->gate == NULL || !(is_up || (word == TUNNEL_STARTING && reached->been_up)))
        return STATUS_AGAIN;
    int64_t close_way = door_close_way(door);
    *out = (struct http_address){
        .unix_path = gate_path(door->gate), .close_late = CLOSE_HELD_US + close_way, .close_way = close_way};
    return STATUS_OK;
}

static enum status address(struct tunnel *self, uint32_t id, int32_t port, struct http_address *out)
{
    struct kube_tunnel *tunnel = (struct kube_tunnel *)self;
    struct reached *reached = reached_find(tunnel, id);
    if (reached == NULL || !reached->running || tunnel->stopping)
        return STATUS_AGAIN;
    if (reached->via == VIA_DIRECT) {
        direct_set(tunnel->direct, id, port, reached->ip, port, NULL);
        return direct_ops.address(tunnel->direct, id, port, out);
    }
    struct door *door = door_find(reached, port);
    return door_address(door != NULL ? door : door_make(reached, port), out);
}

static enum tunnel_word word(struct tunnel *self, uint32_t id, int32_t port)
{
    const struct kube_tunnel *tunnel = (struct kube_tunnel *)self;
    struct reached *reached = reached_find(tunnel, id);
    const struct door *door = reached != NULL ? door_find(reached, port) : NULL;
    bool is_up;
    if (reached != NULL && reached->running && way_is_deaf(reached) && tunnel->silent) {
        bool refused = door != NULL && door->gate != NULL && gate_word(door->gate) == TUNNEL_REFUSED_IN_POD;
        return refused ? TUNNEL_REFUSED_IN_POD : TUNNEL_API_LOST;
    }
    if (reached != NULL && reached->running && !streams(self, id)) {
        podproxy_path(tunnel, &is_up);
        return is_up || reached->via == VIA_DIRECT ? TUNNEL_UP : TUNNEL_API_LOST;
    }
    if (door == NULL)
        return TUNNEL_STARTING;
    return door->gate != NULL ? gate_word(door->gate) : door_word(door, &is_up);
}

static const char *said(struct tunnel *self, uint32_t id, int32_t port)
{
    struct reached *reached = reached_find((struct kube_tunnel *)self, id);
    const struct door *door = reached != NULL && streams(self, id) ? door_find(reached, port) : NULL;
    return door != NULL && door->gate != NULL ? gate_said(door->gate) : "";
}

static void close_pod(struct tunnel *self, uint32_t id)
{
    struct reached *reached = reached_find((struct kube_tunnel *)self, id);
    if (reached != NULL)
        reached_free(reached);
}

static void tunnel_free(struct tunnel *self)
{
    struct kube_tunnel *tunnel = (struct kube_tunnel *)self;
    if (tunnel == NULL)
        return;
    direct_ops.free(tunnel->direct);
    mem_free((char *)tunnel->options.dir);
    mem_free((char *)tunnel->options.kubectl);
    mem_free(tunnel->proxy);
    mem_free(tunnel->post_path);
    mem_free(tunnel->pod_path);
    mem_free(tunnel);
}

const struct tunnel_ops kube_tunnel_ops = {.name = "kube",
                                           .is_stream = true,
                                           .streams = streams,
                                           .address = address,
                                           .word = word,
                                           .said = said,
                                           .close_pod = close_pod,
                                           .free = tunnel_free};

/* ---- the tunnel ---- */

struct kube_tunnel *kube_tunnel_new(const struct kube_tunnel_options *options)
{
    struct kube_tunnel *tunnel = mem_new(sizeof *tunnel);
    tunnel->options = *options;
    tunnel->options.dir = mem_dup(options->dir);
    tunnel->options.kubectl = mem_dup(options->kubectl);
    tunnel->direct = direct_new();
    struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    buf_printf(&path, "%s/p.sock", options->dir);
    tunnel->post_path = mem_dup(buf_str(&path));
    buf_clear(&path);
    buf_printf(&path, "%s/d.sock", options->dir);
    tunnel->pod_path = mem_dup(buf_str(&path));
    buf_free(&path);
    return tunnel;
}

void kube_tunnel_on_word(struct kube_tunnel *tunnel, tunnel_word_fn *word_fn, void *user)
{
    tunnel->word = word_fn;
    tunnel->word_user = user;
}

void kube_tunnel_on_wait(struct kube_tunnel *tunnel, void (*wait)(void *user), void *user)
{
    tunnel->wait = wait;
    tunnel->wait_user = user;
}

void kube_tunnel_silent(struct kube_tunnel *tunnel, bool silent)
{
    struct reached *reached, *next;
    tunnel->silent = silent;
    HASH_ITER(hh, tunnel->pods, reached, next)
    {
        const struct door *door = reached->doors;
        bool is_up = reached->via == VIA_PODPROXY;
        if (!way_is_deaf(reached) || !reached->running || door == NULL)
            continue;
        enum tunnel_word now = is_up ? TUNNEL_UP : door_word(door, &is_up);
        if (silent)
            word_tell(reached, TUNNEL_API_LOST, -1, "the API server does not answer");
        else if (is_up)
            word_tell(reached, now, -1, "");
    }
}

static struct reached *reached_make(struct kube_tunnel *tunnel, uint32_t id)
{
    struct reached *reached = mem_new(sizeof *reached);
    reached->tunnel = tunnel;
    reached->id = id;
    reached->via = tunnel->options.via == VIA_AUTO ? VIA_PORTFORWARD : tunnel->options.via;
    HASH_ADD(hh, tunnel->pods, id, sizeof reached->id, reached);
    return reached;
}

static bool same(const char *a, const char *b)
{
    return a != NULL && strcmp(a, b) == 0;
}

void kube_tunnel_pod(struct kube_tunnel *tunnel, uint32_t pod, const char *ns, const char *name, const char *uid,
                     const char *ip, bool running)
{
    struct reached *reached = reached_find(tunnel, pod);
    if (reached == NULL)
        reached = reached_make(tunnel, pod);
    bool another = reached->name != NULL && !(same(reached->ns, ns) && same(reached->name, name) &&
                                              same(reached->uid, uid) && same(reached->ip, ip));
    if (another || (reached->running && !running))
        reached_disconnect(reached);
    mem_replace(&reached->ns, ns);
    mem_replace(&reached->name, name);
    mem_replace(&reached->uid, uid);
    mem_replace(&reached->ip, ip);
    bool begins = running && (another || !reached->running);
    reached->running = running;
    if (begins)
        doors_attach(reached);
    bool serves;
    podproxy_path(tunnel, &serves);
    if (begins && !streams((struct tunnel *)tunnel, pod) && (serves || reached->via == VIA_DIRECT))
        word_tell(reached, TUNNEL_UP, -1, "");
}

void kube_tunnel_proxy(struct kube_tunnel *tunnel, const char *socket_path, bool up)
{
    struct reached *reached, *next;
    if (tunnel->proxy == NULL || strcmp(tunnel->proxy, socket_path) != 0)
        mem_replace(&tunnel->proxy, socket_path);
    tunnel->proxy_up = up;
    HASH_ITER(hh, tunnel->pods, reached, next)
    {
        bool chosen = tunnel->options.via == VIA_PODPROXY;
        if (chosen && reached->running) {
            word_tell(reached, up ? TUNNEL_UP : TUNNEL_API_LOST, -1, up ? "" : "kubectl proxy has ended");
        } else if (reached->via == VIA_PORTFORWARD && up) {
            if (reached->session != NULL && reached->turn == MADE)
                portforward_start(reached->session);
            doors_attach(reached);
        }
    }
    sessions_start(tunnel);
}

const char *kube_tunnel_via(const struct kube_tunnel *tunnel, uint32_t pod)
{
    const struct reached *reached = reached_find(tunnel, pod);
    enum via first = tunnel->options.via == VIA_AUTO ? VIA_PORTFORWARD : tunnel->options.via;
    return via_name(reached != NULL ? reached->via : first);
}

bool kube_tunnel_is_deaf(const struct kube_tunnel *tunnel, uint32_t pod)
{
    const struct reached *reached = reached_find(tunnel, pod);
    return reached != NULL && way_is_deaf(reached);
}

void kube_tunnel_stop(struct kube_tunnel *tunnel, void (*done)(void *user), void *user)
{
    struct reached *reached, *next;
    tunnel->stopping = true;
    tunnel->stopped = done;
    tunnel->stopped_user = user;
    tunnel->closing++; /* so that `done` comes once, after all of them */
    HASH_ITER(hh, tunnel->pods, reached, next)
    {
        reached_free(reached);
    }
    if (tunnel->post_proxy != NULL) {
        tunnel->closing++;
        kubectl_proxy_free(tunnel->post_proxy, on_closed, tunnel);
        tunnel->post_proxy = NULL;
    }
    if (tunnel->pod_proxy != NULL) {
        api_free(tunnel->pod_api);
        http_free(tunnel->http);
        tunnel->closing++;
        kubectl_proxy_free(tunnel->pod_proxy, on_closed, tunnel);
        tunnel->pod_proxy = NULL;
    }
    on_closed(tunnel);
}
