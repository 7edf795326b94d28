#include "tests/support/unshare.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool unshare_write(const char *path, const char *string)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, string, strlen(string)) == (ssize_t)strlen(string);
    if (fd >= 0)
        close(fd);
    return written;
}

bool unshare_own(int what)
{
    char map[64];
    unsigned uid = (unsigned)geteuid(), gid = (unsigned)getegid();
    if (unshare(what) == 0)
        return true;
    if (unshare(CLONE_NEWUSER | what) != 0)
        return false;
    snprintf(map, sizeof map, "%u %u 1", uid, uid);
    unshare_write("/proc/self/setgroups", "deny");
    if (!unshare_write("/proc/self/uid_map", map))
        return false;
    snprintf(map, sizeof map, "%u %u 1", gid, gid);
    unshare_write("/proc/self/gid_map", map);
    return true;
}
