/* bench-server [N]: answers every request on 127.0.0.1 with 200 and a /v1/models body, then closes, as a server asked by a kubelet does. Prints its port. Ends with its
 * standard input. One epoll loop, nothing clever: both sides of each comparison talk to the same server. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char models[] = "{\"object\":\"list\",\"data\":[{\"id\":\"meta-llama/"
                             "Llama-3.1-8B-Instruct\",\"object\":\"model\",\"created\":1704321600,"
                             "\"owned_by\":\"vllm\",\"root\":\"meta-llama/"
                             "Llama-3.1-8B-Instruct\",\"parent\":null,\"max_model_len\":131072,\"permission\":[]}]}";

static void answer(int fd)
{
    char request[4096];
    ssize_t got = read(fd, request, sizeof request - 1);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0) {
        char head[256];
        bool health = memmem(request, (size_t)got, "/health", 7) != NULL;
        const char *body = health ? "" : models;
        int length = snprintf(head, sizeof head,
                              "HTTP/1.1 200 OK\r\nserver: uvicorn\r\ncontent-type: application/json\r\ncontent-length: "
                              "%zu\r\nconnection: close\r\n\r\n",
                              strlen(body));
        struct iovec_like {
            char bytes[1024];
        } out;
        int total = snprintf(out.bytes, sizeof out.bytes, "%.*s%s", length, head, body);
        if (write(fd, out.bytes, (size_t)total) < 0) {
            /* the client has gone: nothing to do about it */
        }
    }
    close(fd);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096) ||
        getsockname(listener, (struct sockaddr *)&address, &size)) {
        perror("bench-server");
        return 2;
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    event.data.fd = STDIN_FILENO;
    epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    for (;;) {
        struct epoll_event ready[256];
        int count = epoll_wait(poller, ready, 256, -1);
        for (int i = 0; i < count; i++) {
            if (ready[i].data.fd == STDIN_FILENO)
                return 0;
            if (ready[i].data.fd != listener) {
                answer(ready[i].data.fd);
                continue;
            }
            int client;
            while ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                struct epoll_event more = {.events = EPOLLIN, .data.fd = client};
                epoll_ctl(poller, EPOLL_CTL_ADD, client, &more);
            }
        }
    }
}
