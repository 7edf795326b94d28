/* One connection over a carrier (tunnel/carrier.h), from its beginning to its end. */
#ifndef PROBETOP_TEST_CALL_H
#define PROBETOP_TEST_CALL_H

#include "base/buf.h"
#include "tunnel/carrier.h"

struct call {
    struct forward *forward;
    struct buf got;
    bool ended;
    enum tunnel_word word;
    char detail[512];
};
/* Opens it, which must work, and sends a request. buf_free(&call->got) in the end. */
void call_begin(struct call *call, const struct carrier *carrier, int32_t port);
/* True: none can be opened now. One that could is left behind, so that this is for asserting only. */
bool call_is_refused(const struct carrier *carrier, int32_t port);

#endif
