#include "engine/journal_files.h"

#include "base/mem.h"
#include "engine/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/magic.h>
#include <sys/vfs.h>
#endif

enum {
    SEGMENT_NUMBER_MAX = 99999999,
    MEMORY_SEGMENT_MAX = 4 * 1024 * 1024,
    MEMORY_MAX = 2 * MEMORY_SEGMENT_MAX /* all segments of a run, where they take the machine's memory */
};

/* ---- segments in their directory ---- */

void segment_name(char *name, unsigned number)
{
    snprintf(name, SEGMENT_NAME_SIZE, "journal-%06u.jsonl", number);
}

unsigned segment_number(const char *name)
{
    static const char prefix[] = "journal-";
    char same[SEGMENT_NAME_SIZE];
    unsigned number = 0;
    if (strncmp(name, prefix, sizeof prefix - 1) != 0) {
        return 0;
    }
    for (const char *digit = name + sizeof prefix - 1; *digit >= '0' && *digit <= '9'; digit++) {
        number = number * 10 + (unsigned)(*digit - '0');
        if (number > SEGMENT_NUMBER_MAX) {
            return 0;
        }
    }
    segment_name(same, number);
    return strcmp(same, name) == 0 ? number : 0;
}

DIR *journal_dir_list(int dir_fd)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (list == NULL && fd >= 0) {
        close(fd);
    }
    return list;
}

unsigned segment_lowest(int dir_fd, unsigned above)
{
    unsigned lowest = 0;
    DIR *list = journal_dir_list(dir_fd);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        unsigned number = segment_number(entry->d_name);
        if (number > above && (lowest == 0 || number < lowest)) {
            lowest = number;
        }
    }
    if (list != NULL) {
        closedir(list);
    }
    return lowest;
}

int journal_file_create(int dir_fd, const char *name)
{
    return openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

int journal_file_open(int dir_fd, const char *name, int flags)
{
    struct stat info;
    int fd = openat(dir_fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags);
    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

char *journal_join(const char *left, char between, const char *right)
{
    size_t size = strlen(left) + strlen(right) + 2;
    char *joined = mem_array(size, 1);
    snprintf(joined, size, "%s%c%s", left, between, right);
    return joined;
}

/* ---- the directory of a run ---- */

/* Makes the directory and those above it that are missing, all for the user alone. */
static bool dir_make_all(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made) {
            return false;
        }
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

bool journal_dir_is_private(const struct stat *info, bool secret)
{
    return S_ISDIR(info->st_mode) && info->st_uid == geteuid() && (info->st_mode & (secret ? 077 : 022)) == 0;
}

/* A fresh directory of ours below `base`/probetop. NULL with errno when that is not to be had. */
static char *dir_in_state(const char *base, const char *below)
{
    struct stat info;
    char *parent = journal_join(base, '/', below);
    bool usable = dir_make_all(parent) && lstat(parent, &info) == 0;
    if (usable && !journal_dir_is_private(&info, false)) {
        usable = false;
        errno = EACCES;
    }
    char *dir = usable ? journal_join(parent, '/', "run-XXXXXX") : NULL;
    mem_free(parent);
    if (dir != NULL && mkdtemp(dir) == NULL) {
        mem_free(dir);
        dir = NULL;
    }
    return dir;
}

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

void journal_dir_bound(int dir_fd, size_t *segment_max, unsigned *segments)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < *segment_max) {
        *segment_max = (size_t)limit.rlim_cur;
    }
    if (!dir_is_memory(dir_fd)) {
        return;
    }
    if (*segment_max > MEMORY_SEGMENT_MAX) {
        *segment_max = MEMORY_SEGMENT_MAX;
    }
    if (*segment_max > 0 && *segments > MEMORY_MAX / *segment_max) {
        *segments = (unsigned)(MEMORY_MAX / *segment_max);
    }
}

/* The directory of a place; NULL when there is none. Its path goes over the control socket as one line. */
static const char *refuge_base(int place)
{
    static const char *const NAMES[JOURNAL_REFUGES] = {"XDG_RUNTIME_DIR", NULL, "TMPDIR"};
    static const char *const OTHERWISE[JOURNAL_REFUGES] = {NULL, "/dev/shm", "/tmp"};
    const char *given = NAMES[place] != NULL ? getenv(NAMES[place]) : NULL;
    return given != NULL && given[0] == '/' && strchr(given, '\n') == NULL ? given : OTHERWISE[place];
}

char *journal_refuge_make(int place, const dev_t *avoid)
{
    struct stat info;
    const char *base = refuge_base(place);
    errno = ENOENT;
    if (base == NULL || stat(base, &info) != 0) {
        return NULL;
    }
    if (avoid != NULL && info.st_dev == *avoid) {
        errno = ENOSPC;
        return NULL;
    }
    char *dir = journal_join(base, '/', "probetop-XXXXXX");
    if (mkdtemp(dir) == NULL) {
        mem_free(dir);
        return NULL;
    }
    return dir;
}

enum status journal_make_dir(char **dir, struct problem *problem)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    *dir = NULL;
    if (state != NULL && state[0] == '/') {
        *dir = dir_in_state(state, "probetop");
    }
    if (*dir == NULL && home != NULL && home[0] == '/') {
        *dir = dir_in_state(home, ".local/state/probetop");
    }
    for (int place = JOURNAL_REFUGES; *dir == NULL && place-- > 0;) {
        *dir = journal_refuge_make(place, NULL);
    }
    return *dir != NULL ? STATUS_OK
                        : problem_set(problem, STATUS_DENIED,
                                      "no directory for the journal can be made anywhere; set XDG_STATE_HOME or TMPDIR "
                                      "to a directory that can be written");
}

void journal_remove_dir(const char *dir)
{
    struct stat info;
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir_fd < 0) {
        return;
    }
    bool ours = fstat(dir_fd, &info) == 0 && journal_dir_is_private(&info, true) && segment_lowest(dir_fd, 0) != 0;
    DIR *list = ours ? journal_dir_list(dir_fd) : NULL;
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        if (segment_number(entry->d_name) != 0) {
            unlinkat(dir_fd, entry->d_name, 0);
        }
    }
    if (list != NULL) {
        closedir(list);
    }
    close(dir_fd);
    if (ours) {
        rmdir(dir); /* stays when somebody else's files are in it */
    }
}
