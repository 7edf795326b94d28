/* uv_poll costs seven calls of epoll_ctl and a handle to be closed for every connection, a fifth of what a probe costs in all. An epoll set of our own, which the loop watches as one
 * descriptor, needs two: closing a socket takes it out of the set. Elsewhere uv_poll will do; SOCKETS_PORTABLE asks for it on Linux too, so that it is tested. */
#include "probe/sockets.h"

#include "base/mem.h"

#if defined(__linux__) && !defined(SOCKETS_PORTABLE)

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { READY_MAX = 64, FDS_FIRST = 64 };

struct sockets {
    uv_poll_t poll; /* of the set as a whole */
    int set;        /* epoll's */
    sockets_ready_fn *ready;
    sockets_after_fn *after;
    void *user;
    bool *watched; /* by descriptor; what is in the set and not watched was forgotten and is still open */
    int capacity;
};

static bool is_watched(const struct sockets *sockets, int fd)
{
    return fd < sockets->capacity && sockets->watched[fd];
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct sockets *sockets = poll->data;
    struct epoll_event ready[READY_MAX];
    (void)status;
    (void)events;
    int count = epoll_wait(sockets->set, ready, READY_MAX, 0);
    bool told = false;
    for (int i = 0; i < count; i++) {
        int fd = ready[i].data.fd;
        if (!is_watched(sockets, fd)) {
            epoll_ctl(sockets->set, EPOLL_CTL_DEL, fd, NULL);
            continue;
        }
        told = true;
        sockets->ready(sockets->user, fd, ready[i].events & (EPOLLERR | EPOLLHUP), ready[i].events & EPOLLIN,
                       ready[i].events & EPOLLOUT);
    }
    if (told)
        sockets->after(sockets->user);
}

struct sockets *sockets_new(uv_loop_t *loop, sockets_ready_fn *ready, sockets_after_fn *after, void *user)
{
    struct sockets *sockets = mem_new(sizeof *sockets);
    *sockets = (struct sockets){.set = epoll_create1(EPOLL_CLOEXEC), .ready = ready, .after = after, .user = user};
    if (sockets->set < 0 || uv_poll_init(loop, &sockets->poll, sockets->set) != 0) {
        if (sockets->set >= 0)
            close(sockets->set);
        mem_free(sockets);
        return NULL;
    }
    sockets->poll.data = sockets;
    uv_unref((uv_handle_t *)&sockets->poll);
    uv_poll_start(&sockets->poll, UV_READABLE, on_ready);
    return sockets;
}

static void on_closed(uv_handle_t *handle)
{
    struct sockets *sockets = handle->data;
    close(sockets->set);
    mem_free(sockets->watched);
    mem_free(sockets);
}

void sockets_free(struct sockets *sockets)
{
    if (sockets)
        uv_close((uv_handle_t *)&sockets->poll, on_closed);
}

static void sockets_mark(struct sockets *sockets, int fd)
{
    if (fd >= sockets->capacity) {
        int capacity = fd < FDS_FIRST ? FDS_FIRST : 2 * fd;
        sockets->watched = mem_resize(sockets->watched, (size_t)capacity, sizeof *sockets->watched);
        memset(sockets->watched + sockets->capacity, 0, (size_t)(capacity - sockets->capacity));
        sockets->capacity = capacity;
    }
    sockets->watched[fd] = true;
}

void sockets_watch(struct sockets *sockets, int fd, bool is_new, bool in, bool out)
{
    struct epoll_event event = {.data.fd = fd, .events = (in ? (uint32_t)EPOLLIN : 0) | (out ? (uint32_t)EPOLLOUT : 0)};
    sockets_mark(sockets, fd);
    if (epoll_ctl(sockets->set, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) != 0 && is_new && errno == EEXIST)
        epoll_ctl(sockets->set, EPOLL_CTL_MOD, fd, &event); /* forgotten, still open, and wanted again */
}

/* The set keeps it: closing it, which mostly comes next, takes it out as well, and should it stay open and become ready, on_ready() does. */
void sockets_forget(struct sockets *sockets, int fd)
{
    if (is_watched(sockets, fd))
        sockets->watched[fd] = false;
}

#else

/* uthash takes its memory where everybody does. */
#define uthash_malloc(size) mem_new(size)
#define uthash_free(memory, size) mem_free(memory)
#include <uthash.h>

/* A socket. Its handle is closed by the loop some time after the socket itself. */
struct watch {
    uv_poll_t poll;
    struct sockets *sockets;
    int fd;
    int events; /* what is waited for */
    UT_hash_handle hh;
};

struct sockets {
    uv_loop_t *loop;
    sockets_ready_fn *ready;
    sockets_after_fn *after;
    void *user;
    struct watch *all;
    size_t handles; /* not closed yet */
    bool freed;
};

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct sockets *sockets = watch->sockets;
    if (status < 0) /* libuv stops watching at POLLERR; there may still be something to read before it */
        uv_poll_start(poll, watch->events, on_ready);
    sockets->ready(sockets->user, watch->fd, status < 0, events & UV_READABLE, events & UV_WRITABLE);
    sockets->after(sockets->user);
}

struct sockets *sockets_new(uv_loop_t *loop, sockets_ready_fn *ready, sockets_after_fn *after, void *user)
{
    struct sockets *sockets = mem_new(sizeof *sockets);
    *sockets = (struct sockets){.loop = loop, .ready = ready, .after = after, .user = user};
    return sockets;
}

static void sockets_end(struct sockets *sockets)
{
    if (sockets->freed && sockets->handles == 0)
        mem_free(sockets);
}

static void on_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    struct sockets *sockets = watch->sockets;
    mem_free(watch);
    sockets->handles--;
    sockets_end(sockets);
}

static void watch_close(struct watch *watch)
{
    HASH_DEL(watch->sockets->all, watch);
    uv_close((uv_handle_t *)&watch->poll, on_closed);
}

void sockets_free(struct sockets *sockets)
{
    struct watch *watch, *next;
    if (!sockets)
        return;
    HASH_ITER(hh, sockets->all, watch, next)
    {
        watch_close(watch);
    }
    sockets->freed = true;
    sockets_end(sockets);
}

static struct watch *watch_new(struct sockets *sockets, int fd)
{
    struct watch *watch = mem_new(sizeof *watch);
    watch->sockets = sockets;
    watch->fd = fd;
    if (uv_poll_init_socket(sockets->loop, &watch->poll, fd) != 0) {
        mem_free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    sockets->handles++;
    HASH_ADD_INT(sockets->all, fd, watch);
    return watch;
}

void sockets_watch(struct sockets *sockets, int fd, bool is_new, bool in, bool out)
{
    struct watch *watch = NULL;
    if (is_new)
        watch = watch_new(sockets, fd);
    else
        HASH_FIND_INT(sockets->all, &fd, watch);
    if (!watch)
        return;
    watch->events = (in ? UV_READABLE : 0) | (out ? UV_WRITABLE : 0);
    uv_poll_start(&watch->poll, watch->events, on_ready);
}

void sockets_forget(struct sockets *sockets, int fd)
{
    struct watch *watch;
    HASH_FIND_INT(sockets->all, &fd, watch);
    if (watch)
        watch_close(watch);
}

#endif
