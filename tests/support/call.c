#include "tests/support/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { GOT_MAX = 1 << 20 };

static void on_data(void *user, const char *bytes, size_t length)
{
    buf_append(&((struct call *)user)->got, bytes, length);
}

static void on_ended(void *user, enum tunnel_word word, const char *detail)
{
    struct call *call = user;
    assert_false(call->ended);
    call->ended = true;
    call->word = word;
    snprintf(call->detail, sizeof call->detail, "%s", detail);
}

static const struct forward_ops ops = {.data = on_data, .ended = on_ended};

void call_begin(struct call *call, const struct carrier *carrier, int32_t port)
{
    memset(call, 0, sizeof *call);
    buf_init(&call->got, GOT_MAX);
    call->forward = carrier->ops->open(carrier->self, port, &ops, call);
    assert_non_null(call->forward);
    assert_true(carrier->ops->send(call->forward, "GET / HTTP/1.1\r\n\r\n", 18));
}

bool call_is_refused(const struct carrier *carrier, int32_t port)
{
    struct call call;
    return carrier->ops->open(carrier->self, port, &ops, &call) == NULL;
}
