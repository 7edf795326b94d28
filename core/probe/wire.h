/* What a probe sends, to the letter of facts/kube.md 1.6: the target, the Host line, the other header lines in Go's order, and what a redirect makes of them. Pure: it knows no socket, no
 * clock and no library. http.c gives it to libcurl. */
#ifndef PROBETOP_WIRE_H
#define PROBETOP_WIRE_H

#include "base/buf.h"
#include "model/spec.h"

/* Where a request is really sent. Strings are the caller's; they are copied. */
struct http_address {
    const char *host; /* name or address to connect to; NULL with unix_path */
    int32_t port;
    const char *unix_path; /* connect here instead; NULL for TCP */
    /* In front of the path, for a proxy that finds the pod by it and is spoken to in plain HTTP under its own name, whatever the spec's scheme (there is one prefix for each); NULL: none.
     * Redirects are not followed then: their Locations are the proxy's. */
    const char *prefix, *prefix_https;
    /* real µs by which the way may pass on the end of a connection later than it happened; 0: at once. Where it is not 0: once we have sent our own end, the way passes the other's on within close_way, and goes on by
     * itself for half a second at least (facts/kube.md 3.1; core/tunnel/kube_tunnel.c). */
    int64_t close_late, close_way;
};

/* WIRE_URL_MAX and WIRE_FIELDS_MAX are bytes; WIRE_LINES_MAX: the spec's headers and Host, User-Agent, Accept, Referer, Connection and one that tells libcurl to leave Accept out. */
enum { WIRE_URL_MAX = 65536, WIRE_FIELDS_MAX = 65536, WIRE_LINES_MAX = PROBE_HEADERS_MAX + 6 };

/* A request as it is sent. Owns its bytes; used again and again without being freed between. */
struct wire {
    bool https;
    bool is_unix;         /* dialled over a unix socket: then dial_host is empty */
    struct buf url;       /* what is dialled */
    struct buf asked;     /* the URL as the kubelet would write it: what Locations are relative to, and the Referer */
    struct buf host_name; /* of the first URL as the kubelet would write it */
    struct buf dial_host; /* bracketed where IPv6 */
    int32_t dial_port, port; /* port: of the URL as the kubelet would write it */
    bool host_custom;        /* the spec has a Host header of its own */
    /* the header lines, each ended by a NUL */
    struct buf host_line, referer_line; /* referer_line: empty before the first redirect */
    struct buf fields;                  /* all others: `sorted` of them in order, then those that come last */
    size_t sorted, last;
};

void wire_init(struct wire *wire);
void wire_free(struct wire *wire);

/* Fills all of it for the first request of a probe. `host_header` is what the kubelet would send ("10.0.0.7:8000"), NULL: host:port of the address (or "localhost" over a unix socket).
 * False: nothing that could be sent comes of it (an unusable address, path, header or host). */
bool wire_build(struct wire *wire, const struct probe_spec *spec, const struct http_address *address,
                const char *host_header, const char *user_agent);

/* The header lines in the order of the wire, as libcurl wants them ("Name;" is a header without a value, "Accept:" one that is left out). They point into `wire` and are valid until it changes.
 * Returns how many of WIRE_LINES_MAX. */
size_t wire_lines(const struct wire *wire, char **lines);

/* The whole request leaves in one segment, so Nagle's algorithm has nothing to hold back and need not be switched off: one system call less for a probe. */
bool wire_is_one_segment(const struct wire *wire);

/* A Location, resolved against `asked`, in its parts: "" where it has none. */
struct wire_location {
    const char *scheme, *host;
    const char *port; /* as written */
    int32_t port_number;
    const char *path, *query;
    const char *whole; /* without a fragment */
    bool relative;     /* the Location itself named no scheme */
};

/* Go's client follows to the hostname that was asked first and to no other (facts/kube.md 1.2.10). */
bool wire_is_same_host(const struct wire *wire, const char *host);
/* Takes over an http or https URL and the headers that go with it (Go's rules: a Host of one's own survives relative redirects only; Referer is set unless https leads to http).
 * False: through a tunnel only the port that was asked first is at hand, and this is another. */
bool wire_redirect(struct wire *wire, const struct wire_location *location);

/* Whether a header line of an answer, or anything else, holds bytes that Go's client refuses. */
bool wire_is_control(char byte);

#endif
