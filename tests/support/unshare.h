/* What a test makes its own, so that it can change it: its network, its mounts. */
#ifndef PROBETOP_TEST_UNSHARE_H
#define PROBETOP_TEST_UNSHARE_H

#include <stdbool.h>

/* `what`: CLONE_NEWNET, CLONE_NEWNS. This process has its own from here on: as root, or as anybody where the system lets them have a user namespace. False: it may not. */
bool unshare_own(int what);
/* Into a file that is there, of /proc and the like. */
bool unshare_write(const char *path, const char *string);

#endif
