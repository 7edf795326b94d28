#include "base/mem.h"
#include "tunnel/tunnel.h"

#include <string.h>

/* uthash takes its memory where everybody does. */
#define uthash_malloc(size) mem_new(size)
#define uthash_free(memory, size) mem_free(memory)
#include <uthash.h>

struct port_key {
    uint32_t pod;
    int32_t port;
};

/* Where the connections for one container port go. A replaced address is kept with its strings until the pod is closed, because requests under way may hold them. */
struct route {
    struct port_key key;
    char *host, *unix_path; /* owned; one of them is NULL */
    int32_t port;
    struct route *older;
    UT_hash_handle hh;
};

struct tunnel {
    struct route *routes;
};

struct tunnel *direct_new(void)
{
    return mem_new(sizeof(struct tunnel));
}

static void route_free(struct route *route)
{
    while (route) {
        struct route *older = route->older;
        mem_free(route->host);
        mem_free(route->unix_path);
        mem_free(route);
        route = older;
    }
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

void direct_set(struct tunnel *direct, uint32_t pod, int32_t container_port, const char *host, int32_t port,
                const char *unix_path)
{
    struct port_key key = {.pod = pod, .port = container_port};
    struct route *old, *route;
    HASH_FIND(hh, direct->routes, &key, sizeof key, old);
    if (old && same(old->host, host) && same(old->unix_path, unix_path) && old->port == port)
        return;
    route = mem_new(sizeof *route);
    route->key = key;
    route->host = mem_dup(host);
    route->unix_path = mem_dup(unix_path);
    route->port = port;
    if (old)
        HASH_DEL(direct->routes, old);
    route->older = old;
    HASH_ADD(hh, direct->routes, key, sizeof route->key, route);
}

static enum status direct_address(struct tunnel *tunnel, uint32_t pod, int32_t container_port, struct http_address *out)
{
    struct port_key key = {.pod = pod, .port = container_port};
    struct route *route;
    HASH_FIND(hh, tunnel->routes, &key, sizeof key, route);
    if (!route)
        return STATUS_NOT_FOUND;
    *out = (struct http_address){.host = route->host, .port = route->port, .unix_path = route->unix_path};
    return STATUS_OK;
}

static enum tunnel_word direct_word(struct tunnel *tunnel, uint32_t pod, int32_t container_port)
{
    (void)tunnel;
    (void)pod;
    (void)container_port;
    return TUNNEL_UP;
}

static void direct_close_pod(struct tunnel *tunnel, uint32_t pod)
{
    struct route *route, *next;
    HASH_ITER(hh, tunnel->routes, route, next)
    {
        if (route->key.pod == pod) {
            HASH_DEL(tunnel->routes, route);
            route_free(route);
        }
    }
}

static void direct_free(struct tunnel *tunnel)
{
    struct route *route, *next;
    if (!tunnel)
        return;
    HASH_ITER(hh, tunnel->routes, route, next)
    {
        HASH_DEL(tunnel->routes, route);
        route_free(route);
    }
    mem_free(tunnel);
}

const struct tunnel_ops direct_ops = {.name = "direct",
                                      .is_stream = false,
                                      .address = direct_address,
                                      .word = direct_word,
                                      .close_pod = direct_close_pod,
                                      .free = direct_free};
