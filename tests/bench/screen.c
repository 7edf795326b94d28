/* bench-screen SECONDS WARM-UP COLUMNS ROWS -- PROGRAM [ARGUMENT...]: runs the program under a pseudo-terminal and reports, after the warm-up,
 *   first=MS            from start to the first complete frame (the moment the output first pauses for 5 ms after 500 bytes)
 *   frames=N bytes=N    frames (bursts of output 15 ms apart) and their bytes, within SECONDS
 *   rss=KB pss=KB       of the program and its children, at the end: resident, and with what is shared divided by its sharers
 *   anon=KB             of that, what is in no file
 *   cpu=MS              CPU time of all of them within SECONDS
 * The program is ended by the key Q. */
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

struct weight {
    long rss, pss, anonymous; /* KB */
    long ticks;               /* of CPU */
};

/* Adds up the memory of a process and its CPU ticks; then its children. */
static void weigh(long pid, struct weight *weight)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "Rss:", 4) == 0)
            weight->rss += strtol(line + 4, NULL, 10);
        else if (strncmp(line, "Pss:", 4) == 0)
            weight->pss += strtol(line + 4, NULL, 10);
        else if (strncmp(line, "Anonymous:", 10) == 0)
            weight->anonymous += strtol(line + 10, NULL, 10);
    if (file)
        fclose(file);
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    file = fopen(path, "re");
    if (file && fgets(line, sizeof line, file)) {
        char *field = strrchr(line, ')');
        for (int i = 0; field && i < 12; i++)
            field = strchr(field + 1, ' ');
        if (field) {
            weight->ticks += strtol(field, &field, 10);
            weight->ticks += strtol(field, NULL, 10);
        }
    }
    if (file)
        fclose(file);
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", pid, pid);
    file = fopen(path, "re");
    long child;
    while (file && fscanf(file, "%ld", &child) == 1)
        weigh(child, weight);
    if (file)
        fclose(file);
}

int main(int argc, char **argv)
{
    if (argc < 7 || strcmp(argv[5], "--") != 0) {
        fputs("bench-screen SECONDS WARM-UP COLUMNS ROWS -- PROGRAM [ARGUMENT...]\n", stderr);
        return 2;
    }
    struct winsize size = {.ws_col = (unsigned short)strtol(argv[3], NULL, 10),
                           .ws_row = (unsigned short)strtol(argv[4], NULL, 10)};
    int master;
    int64_t began = now_us();
    pid_t pid = forkpty(&master, NULL, NULL, &size);
    if (pid == 0) {
        execvp(argv[6], argv + 6);
        _exit(127);
    }
    int64_t warm = began + strtol(argv[2], NULL, 10) * 1000000, end = warm + strtol(argv[1], NULL, 10) * 1000000;
    int64_t first = -1, last = began, frames = 0, bytes = 0, seen = 0, largest = 0, this_frame = 0;
    struct weight before = {0}, after = {0};
    bool warmed = false;
    for (int64_t now = began; now < end; now = now_us()) {
        if (!warmed && now >= warm) {
            weigh(pid, &before);
            warmed = true;
        }
        struct pollfd ready = {.fd = master, .events = POLLIN};
        poll(&ready, 1, 2);
        now = now_us();
        if (first < 0 && seen > 500 && now - last > 5000)
            first = last - began;
        char chunk[65536];
        ssize_t got = ready.revents & POLLIN ? read(master, chunk, sizeof chunk) : 0;
        if (ready.revents & POLLHUP && got <= 0)
            break;
        if (got > 0) {
            if (warmed) {
                if (now - last > 15000 || frames == 0) {
                    frames++;
                    this_frame = 0;
                }
                this_frame += got;
                largest = this_frame > largest ? this_frame : largest;
                bytes += got;
            }
            seen += got;
            last = now;
        }
    }
    weigh(pid, &after);
    printf("first=%.1f frames=%lld bytes=%lld largest=%lld rss=%ld pss=%ld anon=%ld cpu=%ld\n", (double)first / 1000,
           (long long)frames, (long long)bytes, (long long)largest, after.rss, after.pss, after.anonymous,
           (after.ticks - before.ticks) * 1000 / sysconf(_SC_CLK_TCK));
    fflush(stdout);
    if (write(master, "Q", 1) != 1)
        kill(pid, SIGTERM);
    for (int i = 0; i < 500 && waitpid(pid, NULL, WNOHANG) == 0; i++) {
        char chunk[65536];
        struct pollfd ready = {.fd = master, .events = POLLIN};
        if (poll(&ready, 1, 10) > 0 && read(master, chunk, sizeof chunk) < 0)
            break;
    }
    return 0;
}
