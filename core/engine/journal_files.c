#include "engine/journal_files.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SEGMENT_NUMBER_MAX = 99999999 };

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
    if (strncmp(name, prefix, sizeof prefix - 1) != 0)
        return 0;
    for (const char *digit = name + sizeof prefix - 1; *digit >= '0' && *digit <= '9'; digit++) {
        number = number * 10 + (unsigned)(*digit - '0');
        if (number > SEGMENT_NUMBER_MAX)
            return 0;
    }
    segment_name(same, number);
    return strcmp(same, name) == 0 ? number : 0;
}

DIR *journal_dir_list(int dir_fd)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (list == NULL && fd >= 0)
        close(fd);
    return list;
}

unsigned segment_lowest(int dir_fd, unsigned above)
{
    unsigned lowest = 0;
    DIR *list = journal_dir_list(dir_fd);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        unsigned number = segment_number(entry->d_name);
        if (number > above && (lowest == 0 || number < lowest))
            lowest = number;
    }
    if (list != NULL)
        closedir(list);
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
    if (fd < 0)
        return -1;
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

bool journal_dir_is_private(const struct stat *info, bool secret)
{
    return S_ISDIR(info->st_mode) && info->st_uid == geteuid() && (info->st_mode & (secret ? 077 : 022)) == 0;
}
