#include "tunnel/websocket.h"

#include "base/mem.h"

#include <string.h>

enum { CONTINUATION = 0, BINARY = 2, CLOSE = 8, OP_PING = 9, OP_PONG = 10 };
enum { CONTROL_MAX = 125, HEAD_MAX = 14, FIN = 0x80, MASKED = 0x80 };

struct websocket {
    bool is_server;
    uint64_t seed;
    bool closed; /* a close frame has come, or nonsense: nothing is taken any more */
    bool close_sent;
    bool fragmented; /* a message has begun and not ended */
    unsigned char head[HEAD_MAX];
    size_t head_length; /* of it that has come */
    uint64_t left;      /* payload of the frame under way still to come */
    bool in_payload;
    size_t mask_at;            /* where in the mask the next payload byte stands */
    char control[CONTROL_MAX]; /* payload of a control frame, gathered */
    size_t control_length;
};

struct websocket *websocket_new(bool is_server, uint64_t seed)
{
    struct websocket *websocket = mem_new(sizeof *websocket);
    websocket->is_server = is_server;
    websocket->seed = seed | 1; /* xorshift stands still at 0 */
    return websocket;
}

void websocket_free(struct websocket *websocket)
{
    mem_free(websocket);
}

/* ---- sending ---- */

static void mask_make(struct websocket *websocket, unsigned char mask[4])
{
    websocket->seed ^= websocket->seed << 13;
    websocket->seed ^= websocket->seed >> 7;
    websocket->seed ^= websocket->seed << 17;
    for (int i = 0; i < 4; i++)
        mask[i] = (unsigned char)(websocket->seed >> (8 * i + 16));
}

static void frame_send(struct websocket *websocket, unsigned op, const char *bytes, size_t length, struct buf *out)
{
    unsigned char head[HEAD_MAX] = {(unsigned char)(FIN | op)};
    size_t at = 2;
    if (length < 126) {
        head[1] = (unsigned char)length;
    } else {
        int width = length <= 0xffff ? 2 : 8;
        head[1] = width == 2 ? 126 : 127;
        for (int i = width - 1; i >= 0; i--)
            head[at++] = (unsigned char)((uint64_t)length >> (8 * i));
    }
    if (websocket->is_server) {
        buf_append(out, (const char *)head, at);
        buf_append(out, bytes, length);
        return;
    }
    unsigned char mask[4];
    mask_make(websocket, mask);
    head[1] |= MASKED;
    memcpy(head + at, mask, sizeof mask);
    buf_append(out, (const char *)head, at + sizeof mask);
    size_t start = out->len;
    buf_append(out, bytes, length);
    for (size_t i = start; i < out->len; i++)
        out->data[i] = (char)((unsigned char)out->data[i] ^ mask[(i - start) % 4]);
}

void websocket_send(struct websocket *websocket, const char *bytes, size_t length, struct buf *out)
{
    frame_send(websocket, BINARY, bytes, length, out);
}

void websocket_close(struct websocket *websocket, uint16_t code, struct buf *out)
{
    char body[2] = {(char)(code >> 8), (char)code};
    if (!websocket->close_sent) {
        websocket->close_sent = true;
        frame_send(websocket, CLOSE, body, sizeof body, out);
    }
}

/* ---- receiving ---- */

static size_t head_need(const struct websocket *websocket)
{
    if (websocket->head_length < 2)
        return 2;
    unsigned length = websocket->head[1] & 0x7f;
    size_t need = length == 127 ? 10 : length == 126 ? 4 : 2;
    return need + ((websocket->head[1] & MASKED) != 0 ? 4 : 0);
}

static unsigned head_op(const struct websocket *websocket)
{
    return websocket->head[0] & 0x0f;
}

static bool is_control(const struct websocket *websocket)
{
    return head_op(websocket) >= CLOSE;
}

static uint64_t head_payload(const struct websocket *websocket)
{
    uint64_t length = websocket->head[1] & 0x7f;
    size_t width = length == 127 ? 8 : length == 126 ? 2 : 0;
    if (width > 0)
        length = 0;
    for (size_t i = 0; i < width; i++)
        length = length << 8 | websocket->head[2 + i];
    return length;
}

/* What the frame's two first bytes and its length may be (RFC 6455 5.2 to 5.5), and what of it this use has no place for: text. */
static const char *head_fault(const struct websocket *websocket)
{
    unsigned op = head_op(websocket);
    bool fin = (websocket->head[0] & FIN) != 0, masked = (websocket->head[1] & MASKED) != 0;
    if ((websocket->head[0] & 0x70) != 0)
        return "reserved bits are set";
    if (op != CONTINUATION && op != BINARY && op != CLOSE && op != OP_PING && op != OP_PONG)
        return op == 1 ? "a text frame" : "a frame of unknown kind";
    if (masked != websocket->is_server)
        return masked ? "a server's frame is masked" : "a client's frame is not masked";
    if (is_control(websocket) && (!fin || (websocket->head[1] & 0x7f) > CONTROL_MAX))
        return "a control frame that is too long or in pieces";
    if (!is_control(websocket) && (op == CONTINUATION) != websocket->fragmented)
        return op == CONTINUATION ? "a continuation of nothing" : "a message within a message";
    return head_payload(websocket) >> 63 != 0 ? "a length of more than 63 bits" : NULL;
}

static enum status head_receive(struct websocket *websocket, struct problem *problem)
{
    const char *fault = head_fault(websocket);
    if (fault != NULL)
        return problem_set(problem, STATUS_BAD_INPUT, "WebSocket: %s", fault);
    websocket->left = head_payload(websocket);
    websocket->in_payload = true;
    websocket->mask_at = 0;
    websocket->control_length = 0;
    if (!is_control(websocket))
        websocket->fragmented = (websocket->head[0] & FIN) == 0;
    return STATUS_OK;
}

/* A close frame: answered once, and its code and reason told. */
static enum status close_receive(struct websocket *websocket, struct buf *out, struct problem *problem)
{
    const unsigned char *body = (const unsigned char *)websocket->control;
    if (websocket->control_length < 2) {
        websocket_close(websocket, 1000, out);
        return problem_set(problem, STATUS_END, "WebSocket: closed by the other side");
    }
    unsigned code = (unsigned)body[0] << 8 | body[1];
    websocket_close(websocket, (uint16_t)code, out);
    return problem_set(problem, STATUS_END, "WebSocket: closed with code %u %.*s", code,
                       (int)websocket->control_length - 2, websocket->control + 2);
}

static enum status frame_complete(struct websocket *websocket, struct buf *out, struct problem *problem)
{
    websocket->in_payload = false;
    websocket->head_length = 0;
    if (head_op(websocket) == CLOSE)
        return close_receive(websocket, out, problem);
    if (head_op(websocket) == OP_PING && !websocket->close_sent)
        frame_send(websocket, OP_PONG, websocket->control, websocket->control_length, out);
    return STATUS_OK;
}

/* Takes payload bytes of the frame under way off their mask to where they belong. */
static enum status payload_receive(struct websocket *websocket, const char *bytes, size_t length, struct buf *payload,
                                   struct problem *problem)
{
    static const unsigned char no_mask[4] = {0};
    const unsigned char *mask = websocket->is_server ? websocket->head + head_need(websocket) - 4 : no_mask;
    char *to;
    if (is_control(websocket)) {
        to = websocket->control + websocket->control_length;
        memcpy(to, bytes, length); /* fits: head_fault() has seen to it */
        websocket->control_length += length;
    } else {
        size_t start = payload->len;
        if (!buf_append(payload, bytes, length))
            return problem_set(problem, STATUS_BAD_INPUT, "WebSocket: more payload than there is room for");
        to = payload->data + start;
    }
    for (size_t i = 0; websocket->is_server && i < length; i++)
        to[i] = (char)((unsigned char)to[i] ^ mask[(websocket->mask_at + i) % 4]);
    websocket->mask_at = (websocket->mask_at + length) % 4;
    websocket->left -= length;
    return STATUS_OK;
}

enum status websocket_receive(struct websocket *websocket, const char *bytes, size_t length, struct buf *payload,
                              struct buf *out, struct problem *problem)
{
    enum status status = STATUS_OK;
    if (websocket->closed)
        return problem_set(problem, STATUS_END, "WebSocket: closed");
    while (status == STATUS_OK && length > 0) {
        if (!websocket->in_payload) {
            websocket->head[websocket->head_length++] = (unsigned char)*bytes++;
            length--;
            if (websocket->head_length < head_need(websocket))
                continue;
            status = head_receive(websocket, problem);
        }
        if (status == STATUS_OK && websocket->left > 0) {
            size_t piece = websocket->left < length ? (size_t)websocket->left : length;
            status = payload_receive(websocket, bytes, piece, payload, problem);
            bytes += piece;
            length -= piece;
        }
        if (status == STATUS_OK && websocket->left == 0)
            status = frame_complete(websocket, out, problem);
    }
    websocket->closed = status != STATUS_OK;
    return status;
}

/* ---- the handshake's key ---- */

static uint32_t rotate(uint32_t word, int bits)
{
    return word << bits | word >> (32 - bits);
}

static void sha1_block(uint32_t state[5], const unsigned char *block)
{
    static const uint32_t constants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t words[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 16; i++) {
        const unsigned char *at = block + (size_t)i * 4;
        words[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    }
    for (int i = 16; i < 80; i++)
        words[i] = rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t mixed = i < 20 ? (b & c) | (~b & d) : i >= 40 && i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
        uint32_t next = rotate(a, 5) + mixed + e + constants[i / 20] + words[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

/* SHA-1 (RFC 3174) of at most 119 bytes: two blocks. The handshake asks for it; it protects nothing. */
static void sha1_short(const char *bytes, size_t length, unsigned char digest[20])
{
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    unsigned char blocks[128] = {0};
    size_t size = length < 56 ? 64 : 128;
    memcpy(blocks, bytes, length);
    blocks[length] = 0x80;
    blocks[size - 2] = (unsigned char)(length * 8 >> 8);
    blocks[size - 1] = (unsigned char)(length * 8);
    for (size_t at = 0; at < size; at += 64)
        sha1_block(state, blocks + at);
    for (int i = 0; i < 20; i++)
        digest[i] = (unsigned char)(state[i / 4] >> (24 - 8 * (i % 4)));
}

void websocket_accept_key(const char *key, char out[29])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char joined[24 + sizeof guid] = "";
    size_t length = strlen(key) < 24 ? strlen(key) : 24;
    unsigned char digest[21] = {0}; /* 20 bytes and one to fill the last group of three */
    memcpy(joined, key, length);
    memcpy(joined + length, guid, sizeof guid);
    sha1_short(joined, length + sizeof guid - 1, digest);
    for (size_t i = 0; i < 28; i++) {
        size_t bit = 6 * i, byte = bit / 8;
        unsigned pair = (unsigned)digest[byte] << 8 | (byte + 1 < sizeof digest ? digest[byte + 1] : 0U);
        out[i] = letters[pair >> (10 - bit % 8) & 0x3f];
    }
    out[27] = '=';
    out[28] = '\0';
}
