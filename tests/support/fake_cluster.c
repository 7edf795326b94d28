#include "tests/support/fake_cluster.h"

#include "base/clock.h"
#include "tests/support/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECONDS_MAX = 30, NAME_SIZE = 64 };

void fake_cluster_begin(struct fake_cluster *cluster)
{
    char bin[512];
    const char *built = getenv("PROBETOP_FAKE_KUBECTL");
    assert_non_null(built);
    run_directory(cluster->dir);
    snprintf(cluster->socket, sizeof cluster->socket, "%s/api.sock", cluster->dir);
    snprintf(bin, sizeof bin, "%.*s", (int)(strrchr(built, '/') - built), built);
    setenv("PATH", bin, 1);
    setenv("KUBECONFIG", cluster->socket, 1);
    setenv("TMPDIR", cluster->dir, 1);
    setenv("TZ", "UTC", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&cluster->loop);
    cluster->pods = fake_pods_new(&cluster->loop, cluster->socket);
}

void fake_cluster_end(struct fake_cluster *cluster)
{
    fake_pods_free(cluster->pods);
    assert_int_equal(uv_loop_close(&cluster->loop), 0);
    run_directory_remove(cluster->dir);
}

int fake_cluster_processes(const struct fake_cluster *cluster, const char *named, pid_t *last)
{
    char wanted[160], path[300], bytes[65536];
    int count = 0;
    const struct dirent *entry;
    DIR *proc = opendir("/proc");
    snprintf(wanted, sizeof wanted, "KUBECONFIG=%s", cluster->socket);
    while (proc && (entry = readdir(proc))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        snprintf(path, sizeof path, "/proc/%s/environ", entry->d_name);
        FILE *file = pid > 0 && pid != getpid() ? fopen(path, "r") : NULL;
        if (!file)
            continue;
        size_t got = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
        file = fopen(path, "r");
        char name[NAME_SIZE] = "";
        if (file && !fgets(name, sizeof name, file))
            name[0] = '\0';
        if (file)
            fclose(file);
        if (memmem(bytes, got, wanted, strlen(wanted)) && (!named || strncmp(name, named, strlen(named)) == 0)) {
            count++;
            if (last)
                *last = pid;
        }
    }
    if (proc)
        closedir(proc);
    return count;
}

static int count_left(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    const char *name = path + walk->base;
    (void)kind;
    bool own = strcmp(name, "api.sock") == 0;
    if ((S_ISSOCK(about->st_mode) && !own) || strncmp(name, "probetop-", 9) == 0) {
        if (walk->level > 0) {
            fprintf(stderr, "left behind: %s\n", path);
            return 1;
        }
    }
    return 0;
}

void fake_cluster_assert_nothing_left(struct fake_cluster *cluster)
{
    int64_t deadline = clock_mono_us() + SECONDS_MAX * (int64_t)SECOND_US;
    while (fake_cluster_processes(cluster, NULL, NULL) > 0 && clock_mono_us() < deadline)
        uv_run(&cluster->loop, UV_RUN_NOWAIT);
    assert_int_equal(fake_cluster_processes(cluster, NULL, NULL), 0);
    assert_int_equal(nftw(cluster->dir, count_left, 16, FTW_PHYS), 0);
}

int fake_cluster_starts(const struct fake_cluster *cluster, const char *word)
{
    char path[160], line[4096];
    int count = 0;
    snprintf(path, sizeof path, "%s.log", cluster->socket);
    FILE *log = fopen(path, "r");
    while (log && fgets(line, sizeof line, log))
        count += strstr(line, word) != NULL;
    if (log)
        fclose(log);
    return count;
}
