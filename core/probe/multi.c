#include "probe/multi.h"

#include "base/clock.h"
#include "base/mem.h"
#include "probe/sockets.h"

#include <curl/curl.h>

struct multi {
    CURLM *curl;
    uv_timer_t timer; /* libcurl's */
    struct sockets *sockets;
    struct transfer *news;
    char connecting, connected; /* only their addresses matter: what is known of a socket, as libcurl keeps it for us */
};

static struct transfer *transfer_of(CURL *easy)
{
    char *transfer = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    return (struct transfer *)(void *)transfer;
}

static void messages_read(struct multi *multi)
{
    while (multi->news) {
        struct transfer *transfer = multi->news;
        multi->news = transfer->next_news;
        transfer->has_news = false;
        transfer->news(transfer);
    }
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(multi->curl, &left));) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result; /* the message dies with the handle's removal */
        struct transfer *transfer = transfer_of(message->easy_handle);
        transfer->ended(transfer, (int)code);
    }
}

/* libcurl finds an error itself, in its own words and after what had still come before it, when it reads and writes. */
static void on_socket_ready(void *user, int fd, bool error, bool in, bool out)
{
    struct multi *multi = user;
    int running, flags = error ? CURL_CSELECT_IN | CURL_CSELECT_OUT : 0;
    flags |= (in ? CURL_CSELECT_IN : 0) | (out ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(multi->curl, fd, flags, &running);
}

static void on_sockets_told(void *user)
{
    messages_read(user);
}

static void on_timer(uv_timer_t *timer)
{
    struct multi *multi = timer->data;
    int running;
    curl_multi_socket_action(multi->curl, CURL_SOCKET_TIMEOUT, 0, &running);
    messages_read(multi);
}

static int on_timer_wanted(CURLM *curl, long milliseconds, void *user)
{
    struct multi *multi = user;
    (void)curl;
    if (milliseconds < 0)
        uv_timer_stop(&multi->timer);
    else
        uv_timer_start(&multi->timer, on_timer, (uint64_t)milliseconds, 0);
    return 0;
}

/* What libcurl wants to know of a socket. Never fails in its eyes: that would end all transfers for good; a socket that cannot be watched lets its transfer time out. */
static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
    struct multi *multi = user;
    if (what == CURL_POLL_REMOVE) {
        sockets_forget(multi->sockets, fd);
        return 0;
    }
    sockets_watch(multi->sockets, fd, !known, what & CURL_POLL_IN, what & CURL_POLL_OUT);
    bool connecting = !(what & CURL_POLL_IN); /* a socket that is being connected is waited for to be writable only */
    if (known == &multi->connecting && !connecting)
        transfer_of(easy)->connected_mono = clock_mono_us();
    if (!known || (known == &multi->connecting && !connecting))
        curl_multi_assign(multi->curl, fd, connecting ? &multi->connecting : &multi->connected);
    return 0;
}

void multi_adopt(struct transfer *transfer, void *easy)
{
    transfer->easy = easy;
    curl_easy_setopt((CURL *)easy, CURLOPT_PRIVATE, (char *)transfer);
}

bool multi_add(struct multi *multi, struct transfer *transfer)
{
    transfer->connected_mono = 0;
    return curl_multi_add_handle(multi->curl, transfer->easy) == CURLM_OK;
}

void multi_remove(struct multi *multi, struct transfer *transfer)
{
    curl_multi_remove_handle(multi->curl, transfer->easy);
    if (!transfer->has_news)
        return;
    transfer->has_news = false;
    for (struct transfer **at = &multi->news; *at; at = &(*at)->next_news) {
        if (*at == transfer) {
            *at = transfer->next_news;
            break;
        }
    }
}

void multi_news(struct multi *multi, struct transfer *transfer)
{
    if (transfer->has_news)
        return;
    transfer->has_news = true;
    struct transfer **at = &multi->news;
    while (*at)
        at = &(*at)->next_news;
    transfer->next_news = NULL;
    *at = transfer;
}

struct multi *multi_new(uv_loop_t *loop)
{
    CURLM *curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_multi_init() : NULL;
    if (!curl)
        return NULL;
    struct multi *multi = mem_new(sizeof *multi);
    multi->curl = curl;
    multi->sockets = sockets_new(loop, on_socket_ready, on_sockets_told, multi);
    if (!multi->sockets) {
        curl_multi_cleanup(curl);
        mem_free(multi);
        return NULL;
    }
    uv_timer_init(loop, &multi->timer);
    multi->timer.data = multi;
    curl_multi_setopt(curl, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
    curl_multi_setopt(curl, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(curl, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    curl_multi_setopt(curl, CURLMOPT_TIMERDATA, multi);
    return multi;
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void multi_free(struct multi *multi)
{
    if (!multi)
        return;
    curl_multi_cleanup(multi->curl); /* forgets the sockets of connections that were kept for later */
    sockets_free(multi->sockets);
    uv_close((uv_handle_t *)&multi->timer, on_closed);
}
