/* All of test_http over uv_poll, as it is where there is no epoll. */
#define SOCKETS_PORTABLE
#include "probe/sockets.c"
#include "tests/unit/test_http.c"
