/* The HTTP upgrade that a port-forward begins with, and what the texts of those on the way to the pod mean (facts/kube.md 3.1, 3.4 and 4). Pure. */
#ifndef PROBETOP_UPGRADE_H
#define PROBETOP_UPGRADE_H

#include "base/buf.h"
#include "base/status.h"
#include "model/fact.h"

enum {
    UPGRADE_KEY_SIZE = 25,
    UPGRADE_ANSWER_MAX = 16 * 1024
}; /* bytes: of a key with its NUL, of an answer that is understood */

/* Appends the request: a WebSocket by GET, whose key goes to Sec-WebSocket-Key, or by POST SPDY/3.1 itself. */
void upgrade_request(struct buf *out, const char *ns, const char *name, bool post, const char *key);

enum upgrade_state {
    UPGRADE_UNDER_WAY,
    UPGRADE_ACCEPTED,
    UPGRADE_REFUSED,
    UPGRADE_CUT /* it ended before it said anything */
};
struct upgrade_answer {
    enum upgrade_state state;
    size_t rest; /* accepted: where in the answer the other protocol begins */
    /* refused: */
    int status;            /* HTTP's; 0: none that can be read */
    enum tunnel_word word; /* what that means for the way to the pod */
    bool proxys_own;       /* the proxy's filter said it, not the API server */
    struct problem text;   /* whoever refused, in its own words */
};

/* Reads an answer as far as it has come; `ended`: no more of it comes. */
void upgrade_read(const struct buf *answer, bool ended, bool post, const char *key, struct upgrade_answer *out);

/* What a text means that came from the API server, the kubelet or the container runtime; `otherwise` where it says nothing that is known. */
enum tunnel_word upgrade_word_of(const char *text, enum tunnel_word otherwise);

#endif
