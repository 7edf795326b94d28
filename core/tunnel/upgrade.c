#include "tunnel/upgrade.h"

#include "base/json.h"
#include "tunnel/websocket.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Substrings, since the wording differs between versions (facts/kube.md 3.1). */
enum tunnel_word upgrade_word_of(const char *text, enum tunnel_word otherwise)
{
    static const struct {
        const char *words;
        enum tunnel_word word;
    } rows[] = {
        {"connection refused", TUNNEL_REFUSED_IN_POD},
        {"network namespace for sandbox", TUNNEL_POD_GONE},
        {"failed to find sandbox", TUNNEL_POD_GONE},
        {"no such container", TUNNEL_POD_GONE},
        {"no such file or directory", TUNNEL_POD_GONE}, /* the network namespace's file */
        {"pod not found", TUNNEL_POD_GONE},
        {"pod does not exist", TUNNEL_POD_GONE},
        {"reset by peer", TUNNEL_UP}, /* the pod itself did that */
        {"broken pipe", TUNNEL_UP},
        {"use of closed network connection", TUNNEL_UP},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcasestr(text, rows[i].words) != NULL)
            return rows[i].word;
    return otherwise;
}

void upgrade_request(struct buf *out, const char *ns, const char *name, bool post, const char *key)
{
    buf_printf(out,
               "%s /api/v1/namespaces/%s/pods/%s/portforward HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n",
               post ? "POST" : "GET", ns, name);
    if (post)
        buf_puts(out,
                 "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: portforward.k8s.io\r\nContent-Length: 0\r\n\r\n");
    else
        buf_printf(out,
                   "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                   "%s\r\nSec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n\r\n",
                   key);
}

/* ---- the answer ---- */

/* The value of a header line in an answer's head, with its length; NULL when there is none. */
static const char *answer_header(const char *head, const char *end, const char *name, size_t *length)
{
    size_t name_length = strlen(name);
    const char *line = strstr(head, "\r\n");
    while (line != NULL && line + 2 < end) {
        line += 2;
        const char *stop = strstr(line, "\r\n");
        if (strncasecmp(line, name, name_length) == 0 && line[name_length] == ':') {
            const char *value = line + name_length + 1;
            value += strspn(value, " \t");
            *length = stop > value ? (size_t)(stop - value) : 0;
            return value;
        }
        line = stop;
    }
    return NULL;
}

static bool answer_header_is(const char *head, const char *end, const char *name, const char *wanted)
{
    size_t length;
    const char *value = answer_header(head, end, name, &length);
    return value != NULL && length == strlen(wanted) && strncasecmp(value, wanted, length) == 0;
}

/* Whether the body of a refusal has come as far as it will. */
static bool answer_body_complete(const struct buf *answer, const char *body)
{
    size_t length, have = answer->len - (size_t)(body - answer->data);
    const char *value = answer_header(answer->data, body - 2, "Content-Length", &length);
    if (value != NULL)
        return have >= (size_t)strtoul(value, NULL, 10);
    if (answer_header(answer->data, body - 2, "Transfer-Encoding", &length) != NULL)
        return strstr(body, "\r\n0\r\n") != NULL || strncmp(body, "0\r\n", 3) == 0;
    return false;
}

/* by_api: the API server's own words, or the kubelet's through it; else the proxy's. */
static enum tunnel_word word_of_refusal(int status, const char *reason, const char *text, bool by_api)
{
    bool dialled = strstr(text, "dial tcp") != NULL || strstr(text, "dial unix") != NULL;
    if (status == 401 || status == 403)
        return TUNNEL_FORBIDDEN;
    if (status == 404 && reason != NULL && strcmp(reason, "NotFound") == 0)
        return TUNNEL_POD_GONE;
    if (status >= 500 && (dialled || status == 502 || status == 503 || status == 504))
        return by_api ? TUNNEL_NODE_LOST : TUNNEL_API_LOST; /* whoever says so could not reach the next one */
    return upgrade_word_of(text, TUNNEL_BACKOFF) == TUNNEL_POD_GONE ? TUNNEL_POD_GONE : TUNNEL_BACKOFF;
}

static void refusal_read(int status, const char *body, struct upgrade_answer *out)
{
    const char *first = strchr(body, '{'), *last = strrchr(body, '}');
    struct json *document = NULL;
    if (first != NULL && last > first)
        json_parse(first, (size_t)(last - first) + 1, UPGRADE_ANSWER_MAX, &document, NULL);
    const char *message = json_string(json_get(document, "message"));
    if (message != NULL)
        problem_set(&out->text, STATUS_OK, "%s", message);
    else
        problem_set(&out->text, STATUS_OK, "HTTP %d %s", status, body);
    out->state = UPGRADE_REFUSED;
    out->status = status;
    out->proxys_own = document == NULL && status == 403;
    out->word = word_of_refusal(status, json_string(json_get(document, "reason")), out->text.text, document != NULL);
    json_free(document);
}

void upgrade_read(const struct buf *answer, bool ended, bool post, const char *key, struct upgrade_answer *out)
{
    const char *head = buf_str(answer), *head_end = strstr(head, "\r\n\r\n");
    *out = (struct upgrade_answer){.state = UPGRADE_UNDER_WAY};
    if (head_end == NULL) {
        if (answer->truncated || ended)
            out->state = UPGRADE_CUT;
        return;
    }
    const char *body = head_end + 4;
    int status = strncmp(head, "HTTP/1.", 7) == 0 && strlen(head) > 12 ? (int)strtol(head + 9, NULL, 10) : 0;
    char accept[29];
    websocket_accept_key(key, accept);
    if (status == 101) {
        bool right =
            post || (answer_header_is(head, head_end + 2, "Sec-WebSocket-Accept", accept) &&
                     answer_header_is(head, head_end + 2, "Sec-WebSocket-Protocol", "SPDY/3.1+portforward.k8s.io"));
        if (right)
            *out = (struct upgrade_answer){.state = UPGRADE_ACCEPTED, .rest = (size_t)(body - head)};
        else
            refusal_read(400, "the WebSocket was accepted wrongly", out);
    } else if (ended || answer->truncated || answer_body_complete(answer, body)) {
        refusal_read(status, body, out);
    }
}
