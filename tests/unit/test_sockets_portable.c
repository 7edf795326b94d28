/* What sockets.c does where there is no epoll: it stands before the library's own. */
#define SOCKETS_PORTABLE
#define on_ready sockets_on_ready
#include "probe/sockets.c"
#undef on_ready
#include "tests/unit/test_sockets.c"
