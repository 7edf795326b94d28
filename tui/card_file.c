#include "tui/card_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FILE_NAME_MAX = 300, TRIES_MAX = 9 };

static int card_file_create(const char *name, char file[FILE_NAME_MAX])
{
    for (int try = 1;; try++) {
        if (try == 1)
            snprintf(file, FILE_NAME_MAX, "%s.md", name);
        else
            snprintf(file, FILE_NAME_MAX, "%s-%d.md", name, try);
        int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST || try == TRIES_MAX)
            return fd;
    }
}

enum status card_file_write(const char *name, const struct buf *card, struct problem *said)
{
    char file[FILE_NAME_MAX], dir[PATH_MAX];
    int fd = card_file_create(name, file);
    const char *where = getcwd(dir, sizeof dir) ? dir : ".";
    if (fd < 0)
        return problem_set(said, status_from_errno(errno), "the card cannot be written to %s: %s", where,
                           strerror(errno));
    bool whole = buf_write(card, fd);
    int error = errno;
    if (close(fd) != 0 || !whole) {
        error = whole ? errno : error;
        unlink(file); /* half a card helps nobody */
        return problem_set(said, status_from_errno(error), "the card cannot be written to %s: %s", where,
                           strerror(error));
    }
    problem_set(said, STATUS_OK, "the card is in %s/%s", strcmp(where, "/") == 0 ? "" : where, file);
    return STATUS_OK;
}
