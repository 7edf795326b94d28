#include "engine/journal_runs.h"

#include "base/clock.h"
#include "base/mem.h"
#include "engine/journal.h"
#include "engine/journal_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/magic.h>
#include <sys/vfs.h>
#endif

enum {
    MEMORY_SEGMENT_MAX = 4 * 1024 * 1024,
    MEMORY_MAX = 2 * MEMORY_SEGMENT_MAX, /* all segments of a run, where they take the machine's memory */
    LEFTOVERS_MAX = 5,                   /* of runs that died, in one place */
    LEFTOVER_AGE_S = 7 * 24 * 3600,
    RANDOM_LENGTH = 6 /* of mkdtemp() */
};

static const char lock_name[] = "lock", keep_name[] = "keep";

/* ---- where ---- */

static const char *environment_path(const char *name)
{
    const char *path = getenv(name);
    /* it goes over the control socket as one line */
    return path != NULL && path[0] == '/' && strchr(path, '\n') == NULL ? path : NULL;
}

/* The directory that holds the directories of runs; to be freed. NULL when there is no such place. */
static char *place_parent(enum run_place place)
{
    static const char *const NAMES[PLACE_COUNT] = {"XDG_STATE_HOME", "HOME", "TMPDIR", NULL, "XDG_RUNTIME_DIR"};
    static const char *const BELOW[PLACE_COUNT] = {"probetop", ".local/state/probetop", NULL, NULL, NULL};
    static const char *const OTHERWISE[PLACE_COUNT] = {NULL, NULL, "/tmp", "/dev/shm", NULL};
    const char *base = NAMES[place] != NULL ? environment_path(NAMES[place]) : NULL;
    if (base == NULL)
        return mem_dup(OTHERWISE[place]);
    return BELOW[place] != NULL ? journal_join(base, '/', BELOW[place]) : mem_dup(base);
}

/* Below a directory of our own the name need not say whose it is. */
static bool place_is_ours(enum run_place place)
{
    return place == PLACE_STATE || place == PLACE_HOME;
}

static const char *place_prefix(enum run_place place)
{
    return place_is_ours(place) ? "run-" : "probetop-";
}

/* Makes the directory and those above it that are missing, all for the user alone. */
static bool dir_make_all(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made)
            return false;
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* Our own places are made where they are missing; in others we are guests. */
static bool place_prepare(enum run_place place, char *parent, struct stat *info)
{
    if (!place_is_ours(place))
        return stat(parent, info) == 0;
    if (!dir_make_all(parent) || lstat(parent, info) != 0)
        return false;
    errno = EACCES;
    return journal_dir_is_private(info, false);
}

char *run_make(enum run_place place, const dev_t *avoid)
{
    struct stat info;
    char *parent = place_parent(place), *dir = NULL;
    errno = ENOENT;
    bool usable = parent != NULL && place_prepare(place, parent, &info);
    if (usable && avoid != NULL && info.st_dev == *avoid) {
        errno = ENOSPC;
        usable = false;
    }
    if (usable) {
        char *start = journal_join(parent, '/', place_prefix(place));
        dir = journal_join(start, 'X', "XXXXX");
        mem_free(start);
    }
    mem_free(parent);
    if (dir != NULL && mkdtemp(dir) == NULL) {
        mem_free(dir);
        dir = NULL;
    }
    return dir;
}

/* ---- a run under way ---- */

static bool dir_is_memory(int dir_fd)
{
#ifdef __linux__
    struct statfs info;
    return fstatfs(dir_fd, &info) == 0 &&
           ((unsigned long)info.f_type == TMPFS_MAGIC || (unsigned long)info.f_type == RAMFS_MAGIC);
#else
    (void)dir_fd;
    return false;
#endif
}

void run_bound(int dir_fd, size_t *segment_max, unsigned *segments)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < *segment_max)
        *segment_max = (size_t)limit.rlim_cur;
    if (!dir_is_memory(dir_fd))
        return;
    if (*segment_max > MEMORY_SEGMENT_MAX)
        *segment_max = MEMORY_SEGMENT_MAX;
    if (*segment_max > 0 && *segments > MEMORY_MAX / *segment_max)
        *segments = (unsigned)(MEMORY_MAX / *segment_max);
}

int run_lock(int dir_fd)
{
    int fd = journal_file_create(dir_fd, lock_name);
    /* Where locks are not to be had nobody else gets one either, and what cannot be locked is never cleared away. */
    while (fd >= 0 && flock(fd, LOCK_EX) != 0 && errno == EINTR) {
    }
    return fd;
}

void run_keep(int dir_fd)
{
    int fd = journal_file_create(dir_fd, keep_name);
    if (fd >= 0)
        close(fd);
}

/* ---- what runs have left ---- */

/* Its lock, held; -1 when somebody else holds it, or there is none. `how`: LOCK_SH to look, LOCK_EX to clear away. */
static int lock_take(int dir_fd, int how)
{
    struct stat info;
    int fd = openat(dir_fd, lock_name, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || flock(fd, how | LOCK_NB) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool lock_is_there(int dir_fd)
{
    struct stat info;
    return fstatat(dir_fd, lock_name, &info, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Opens a directory of ours that looks like a run's; -1 otherwise. */
static int run_open(const char *dir)
{
    struct stat info;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, &info) != 0 || !journal_dir_is_private(&info, true) ||
                    (segment_lowest(fd, 0) == 0 && !lock_is_there(fd)))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* kubectl's proxy and the tunnels have their sockets beside the journal; a run that was killed leaves them there. */
static bool entry_is_socket(int dir_fd, const char *name)
{
    struct stat info;
    return fstatat(dir_fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(info.st_mode);
}

/* A directory in which somebody put a file of their own is nobody's leftover. */
static void run_look(int dir_fd, struct journal_run *run)
{
    struct stat info;
    bool plain = true;
    DIR *list = journal_dir_list(dir_fd);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        const char *name = entry->d_name;
        bool segment = segment_number(name) != 0;
        if (fstatat(dir_fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && (segment || strcmp(name, lock_name) == 0)) {
            int64_t written = (int64_t)info.st_mtime * SECOND_US;
            run->written = written > run->written ? written : run->written;
            run->bytes += (uint64_t)info.st_size;
        } else if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !entry_is_socket(dir_fd, name)) {
            plain = false;
        }
    }
    if (list != NULL)
        closedir(list);
    int lock = lock_take(dir_fd, LOCK_SH);
    run->live = lock < 0 && lock_is_there(dir_fd);
    run->leftover = lock >= 0 && plain;
    if (lock >= 0)
        close(lock);
}

/* "run-a1B2c3", with the place's own beginning. */
static bool name_is_of_run(enum run_place place, const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t prefix = strlen(place_prefix(place));
    return strncmp(name, place_prefix(place), prefix) == 0 && strlen(name) == prefix + RANDOM_LENGTH &&
           strspn(name + prefix, letters) == RANDOM_LENGTH;
}

struct run_list {
    struct journal_run *runs;
    size_t count;
};

/* Takes the path over. Two places may be the same. */
static void list_add(struct run_list *list, char *dir)
{
    int fd = run_open(dir);
    bool known = fd < 0;
    for (size_t i = 0; i < list->count && !known; i++)
        known = strcmp(list->runs[i].dir, dir) == 0;
    if (known) {
        mem_free(dir);
    } else {
        list->runs = mem_resize(list->runs, list->count + 1, sizeof *list->runs);
        list->runs[list->count] = (struct journal_run){.dir = dir};
        run_look(fd, &list->runs[list->count++]);
    }
    if (fd >= 0)
        close(fd);
}

static void list_add_place(struct run_list *list, enum run_place place)
{
    char *parent = place_parent(place);
    DIR *entries = parent != NULL ? opendir(parent) : NULL;
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;)
        if (name_is_of_run(place, entry->d_name))
            list_add(list, journal_join(parent, '/', entry->d_name));
    if (entries != NULL)
        closedir(entries);
    mem_free(parent);
}

static int newer_first(const void *left, const void *right)
{
    const struct journal_run *a = left, *b = right;
    return a->written != b->written ? (a->written < b->written ? 1 : -1) : strcmp(a->dir, b->dir);
}

static void list_sort(struct run_list *list)
{
    if (list->count > 0)
        qsort(list->runs, list->count, sizeof *list->runs, newer_first);
}

size_t journal_runs(struct journal_run **runs)
{
    struct run_list list = {0};
    for (int place = 0; place < PLACE_COUNT; place++)
        list_add_place(&list, (enum run_place)place);
    list_sort(&list);
    *runs = list.runs;
    return list.count;
}

void journal_runs_free(struct journal_run *runs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mem_free(runs[i].dir);
    mem_free(runs);
}

/* ---- clearing away ---- */

void journal_remove_dir(const char *dir)
{
    int dir_fd = run_open(dir);
    DIR *list = dir_fd >= 0 ? journal_dir_list(dir_fd) : NULL;
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;)
        if (segment_number(entry->d_name) != 0 || entry_is_socket(dir_fd, entry->d_name))
            unlinkat(dir_fd, entry->d_name, 0);
    if (list != NULL)
        closedir(list);
    if (dir_fd >= 0) {
        unlinkat(dir_fd, keep_name, 0);
        unlinkat(dir_fd, lock_name, 0);
        close(dir_fd);
        rmdir(dir); /* stays when somebody else's files are in it */
    }
}

/* Two that clear away at the same time do not meet: one of them gets the lock. */
static void run_clear(const char *dir)
{
    int dir_fd = run_open(dir);
    int lock = dir_fd >= 0 ? lock_take(dir_fd, LOCK_EX) : -1;
    if (lock >= 0) {
        journal_remove_dir(dir);
        close(lock);
    }
    if (dir_fd >= 0)
        close(dir_fd);
}

/* ---- directories of sockets alone ---- */

/* Nothing but sockets and the lock: no journal that somebody may want to read, and nobody's own files. */
static bool run_has_only_sockets(int dir_fd)
{
    bool only = true;
    DIR *list = journal_dir_list(dir_fd);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        const char *name = entry->d_name;
        only = only && (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, lock_name) == 0 ||
                        entry_is_socket(dir_fd, name));
    }
    if (list != NULL)
        closedir(list);
    return only && list != NULL;
}

static void sockets_clear(const char *dir)
{
    int dir_fd = run_open(dir);
    int lock = dir_fd >= 0 && run_has_only_sockets(dir_fd) ? lock_take(dir_fd, LOCK_EX) : -1;
    if (lock >= 0) {
        journal_remove_dir(dir);
        close(lock);
    }
    if (dir_fd >= 0)
        close(dir_fd);
}

static void sockets_clear_all(const char *parent)
{
    DIR *entries = opendir(parent);
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        if (name_is_of_run(PLACE_TEMPORARY, entry->d_name)) {
            char *dir = journal_join(parent, '/', entry->d_name);
            sockets_clear(dir);
            mem_free(dir);
        }
    }
    if (entries != NULL)
        closedir(entries);
}

/* Whoever clears away may take the lock between its making and our holding it; then the directory is gone. */
static int sockets_lock(const char *dir)
{
    struct stat info;
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int lock = dir_fd >= 0 ? run_lock(dir_fd) : -1;
    if (lock >= 0 && (fstat(lock, &info) != 0 || info.st_nlink == 0)) {
        close(lock);
        lock = -1;
        errno = ENOENT;
    }
    if (dir_fd >= 0)
        close(dir_fd);
    return lock;
}

static char *sockets_dir_make(const char *parent, size_t path_max, int *lock)
{
    char *start = journal_join(parent, '/', place_prefix(PLACE_TEMPORARY));
    char *dir = journal_join(start, 'X', "XXXXX");
    mem_free(start);
    errno = ENAMETOOLONG;
    bool made = strlen(dir) <= path_max && mkdtemp(dir) != NULL;
    *lock = made ? sockets_lock(dir) : -1;
    if (*lock >= 0)
        return dir;
    int error = errno;
    if (made)
        rmdir(dir);
    mem_free(dir);
    errno = error;
    return NULL;
}

char *run_make_for_sockets(const char *parent, size_t path_max, int *lock)
{
    enum { TRIES = 3 };
    char *dir = NULL;
    sockets_clear_all(parent);
    for (int i = 0; i < TRIES && dir == NULL; i++)
        dir = sockets_dir_make(parent, path_max, lock);
    return dir;
}

/* What killed runs left in a place stays for reading, but neither for ever nor without number. */
static void place_clear(enum run_place place)
{
    struct run_list list = {0};
    struct clock clock;
    size_t leftovers = 0;
    clock_start(&clock, 1);
    list_add_place(&list, place);
    list_sort(&list);
    for (size_t i = 0; i < list.count; i++) {
        const struct journal_run *run = &list.runs[i];
        leftovers += run->leftover ? 1 : 0;
        if (run->leftover &&
            (leftovers > LEFTOVERS_MAX || clock.wall_zero - run->written > (int64_t)LEFTOVER_AGE_S * SECOND_US))
            run_clear(run->dir);
    }
    journal_runs_free(list.runs, list.count);
}

enum status journal_make_dir(char **dir, struct problem *problem)
{
    static const enum run_place cleared[] = {PLACE_STATE, PLACE_HOME, PLACE_MEMORY, PLACE_RUNTIME};
    *dir = NULL;
    for (int place = 0; place < PLACE_COUNT && *dir == NULL; place++)
        *dir = run_make((enum run_place)place, NULL);
    if (*dir == NULL) {
        return problem_set(problem, STATUS_DENIED,
                           "no directory for the journal can be made anywhere; set XDG_STATE_HOME or TMPDIR to a "
                           "directory that can be written");
    }
    /* not in /tmp, which may be large and has others to clear it */
    for (size_t i = 0; i < sizeof cleared / sizeof *cleared; i++)
        place_clear(cleared[i]);
    return STATUS_OK;
}
