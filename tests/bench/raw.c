/* bench-raw PORT PATH CONCURRENCY SECONDS [RATE]: the least a client can do: connect, write, read to the end, close, over and over, CONCURRENCY at a time (or RATE a second, started on
 * a 100 ms grid). Prints "probes CPU-microseconds wall-microseconds" of itself. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct probing {
    struct sockaddr_in address;
    char request[1024];
    size_t length;
    int poller, in_flight;
    int64_t done, failed;
};

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static void begin(struct probing *probing)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct linger linger = {.l_onoff = 1, .l_linger = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    if (connect(fd, (struct sockaddr *)&probing->address, sizeof probing->address) && errno != EINPROGRESS) {
        close(fd);
        probing->failed++;
        return;
    }
    struct epoll_event event = {.events = EPOLLOUT, .data.fd = fd};
    epoll_ctl(probing->poller, EPOLL_CTL_ADD, fd, &event);
    probing->in_flight++;
}

static void go_on(struct probing *probing, struct epoll_event *ready)
{
    int fd = ready->data.fd;
    if (ready->events & EPOLLOUT) {
        if (write(fd, probing->request, probing->length) == (ssize_t)probing->length) {
            struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
            epoll_ctl(probing->poller, EPOLL_CTL_MOD, fd, &event);
            return;
        }
        probing->failed++;
    } else {
        char reply[16384];
        ssize_t got = read(fd, reply, sizeof reply);
        if (got > 0)
            return;
        probing->done++;
    }
    close(fd);
    probing->in_flight--;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fputs("bench-raw PORT PATH CONCURRENCY SECONDS [RATE]\n", stderr);
        return 2;
    }
    long port = strtol(argv[1], NULL, 10), concurrency = strtol(argv[3], NULL, 10),
         rate = argc > 5 ? strtol(argv[5], NULL, 10) : 0;
    struct probing probing = {.address = {.sin_family = AF_INET,
                                          .sin_port = htons((uint16_t)port),
                                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    probing.length = (size_t)snprintf(probing.request, sizeof probing.request,
                                      "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%ld\r\nUser-Agent: "
                                      "kube-probe/1.34\r\nAccept: */*\r\nConnection: close\r\n\r\n",
                                      argv[2], port);
    probing.poller = epoll_create1(EPOLL_CLOEXEC);
    int64_t began = now_us(), end = began + strtol(argv[4], NULL, 10) * 1000000, next = began;
    for (int64_t now = began; now < end || probing.in_flight > 0; now = now_us()) {
        if (now > end + 5000000)
            break;
        if (now < end && rate == 0)
            while (probing.in_flight < concurrency)
                begin(&probing);
        if (now < end && rate > 0 && now >= next) {
            for (long i = 0; i < rate / 10; i++)
                begin(&probing);
            next += 100000;
        }
        struct epoll_event ready[256];
        int count = epoll_wait(probing.poller, ready, 256, rate > 0 && probing.in_flight == 0 ? 10 : 1);
        for (int i = 0; i < count; i++)
            go_on(&probing, &ready[i]);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%lld %lld %lld\n", (long long)probing.done,
           (long long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
               usage.ru_stime.tv_usec,
           (long long)(now_us() - began));
    return probing.failed > probing.done / 100;
}
