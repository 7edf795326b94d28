/* One connection to the far side of a port-forward through the socket of `kubectl proxy`: the upgrade, then SPDY/3.1, in a WebSocket's binary frames or, by POST, bare (facts/kube.md 4). It knows streams and their
 * bytes, not what they are for, and it does not come back: who wants another connection makes another link.
 *
 * All callbacks come from the loop, or from within spdy_link_flush(), and none after spdy_link_close(). Bytes from the far side are hostile; a peer that breaks the rules of HTTP, WebSocket or SPDY is a link that is lost. */
#ifndef PROBETOP_SPDY_LINK_H
#define PROBETOP_SPDY_LINK_H

#include "tunnel/spdy.h"
#include "tunnel/upgrade.h"

#include <uv.h>

struct spdy_link_ops {
    void (*unreachable)(void *user);                                  /* nobody takes connections at the socket */
    void (*accepted)(void *user);                                     /* upgraded: streams may be opened */
    void (*refused)(void *user, const struct upgrade_answer *answer); /* answered, but not upgraded */
    void (*lost)(void *user, enum tunnel_word word,
                 const char *detail); /* over, whatever it was doing; detail is hostile until cleaned */
    void (*stuck)(void *user);        /* what is sent piles up; from within spdy_link_flush() */
    /* What the far side says of streams, as in spdy.h. */
    void (*reply)(void *user, uint32_t stream, bool fin);
    void (*data)(void *user, uint32_t stream, const char *bytes, size_t length, bool fin);
    void (*reset)(void *user, uint32_t stream);
    void (*pong)(void *user, uint32_t id);
};

struct spdy_link_options {
    uv_loop_t *loop;
    const char *socket;    /* path; borrowed for the call */
    const char *ns, *name; /* the pod; borrowed until the link is accepted, refused or closed */
    bool post;
    uint64_t seed; /* for keys and masks, which hide nothing here */
    const struct spdy_link_ops *ops;
    void *user;
};

struct spdy_link;
struct spdy_link *spdy_link_new(const struct spdy_link_options *options); /* connects */
/* Gives it up. `closed` is called from the loop when nothing is left of it. */
void spdy_link_close(struct spdy_link *link, void (*closed)(void *user), void *user);
/* Where frames are put (spdy_open(), spdy_send(), ...) before spdy_link_flush() sends them. Only once it is accepted. */
struct spdy *spdy_link_spdy(struct spdy_link *link);
/* Sends what has been put there. Almost always the kernel takes it at once. */
void spdy_link_flush(struct spdy_link *link);
/* Puts an RST_STREAM there that may wait until there is something else to send. */
void spdy_link_reset(struct spdy_link *link, uint32_t stream, uint32_t status);

#endif
