/* What differs from the kubelet on purpose, because one thread serves all pods here:
 *   - no SO_LINGER of 1 s: the peer cannot see the difference, but close(), even of a non-blocking socket, would wait that long for a peer that does not answer (measured: 1.01 s) and
 *     hold up every other probe;
 *   - the headers of an answer may be 64 KiB, not 10 MiB. */
#include "probe/http.h"

#include "base/clock.h"
#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#ifdef __linux__
#include <sys/epoll.h>
#else
/* uthash takes its memory where everybody does. */
#define uthash_malloc(size) mem_new(size)
#define uthash_free(memory, size) mem_free(memory)
#include <uthash.h>
#endif

enum {
    URL_MAX = 65536,
    FIELD_MAX = 65536,                 /* bytes of all header lines sent */
    LINES_MAX = PROBE_HEADERS_MAX + 6, /* Host, User-Agent, Accept, Referer, Connection */
    RECEIVE_BUFFER = 4096,             /* libcurl's, for each transfer under way */
    SLOT_BITS = 20                     /* of a ticket: which request; the rest tells its uses apart */
};

/* Why one of our callbacks ended a transfer. */
enum stop { STOP_NOT, STOP_BODY_FULL, STOP_HEADERS_TOO_BIG, STOP_NOT_HTTP, STOP_BAD_HEADER, STOP_REDIRECT };

/* One probe, or an idle easy handle that waits for the next one. */
struct request {
    struct http *http;
    CURL *easy;
    struct request *next; /* in the idle or the failed list */
    uint64_t ticket;      /* 0: idle */
    uint32_t slot;
    http_done_fn *done;
    void *user;
    bool added; /* to the multi handle */

    /* what is sent */
    bool https, tcp_only;
    struct buf url;       /* what is dialled */
    struct buf asked;     /* the URL as the kubelet would write it: what Locations are relative to, and the Referer */
    struct buf host_name; /* of the first URL as the kubelet would write it */
    struct buf dial_host; /* bracketed where IPv6; empty with unix_path */
    struct buf unix_path; /* empty: TCP */
    int32_t dial_port, port; /* port: of the first URL as the kubelet would write it */
    struct buf host_line, referer_line, fields;
    size_t field_count;
    bool host_custom, no_accept;
    struct curl_slist lines[LINES_MAX]; /* over the bytes of the above, so that a probe needs no list of its own */
    int64_t deadline;                   /* CLOCK_MONOTONIC µs */

    /* what came */
    enum stop stop;
    bool connected; /* seen by the socket; libcurl 7.88 tells it of https only when the handshake is over too */
    bool status_seen, headers_done;
    size_t header_bytes;
    int32_t status;
    int socket_errno; /* of socket() */
    struct buf body, server, content_type, location;
    enum http_error own_error; /* with failed: what it ends with */
    const char *own_words;
    int64_t hops_us; /* of the redirects followed so far */
    int64_t started_mono;
    int32_t redirects;
    bool elsewhere;
    char words[CURL_ERROR_SIZE];
};

/* Linux has a cheaper way to watch sockets than uv_poll, see "watching sockets". */
#ifdef __linux__
struct watching {
    uv_poll_t poll; /* of the set as a whole */
    int set;        /* epoll's */
};
#else
struct watching {
    struct watch *all;
};

/* A socket of libcurl's that the loop watches. Closed by the loop some time after libcurl has closed the socket. */
struct watch {
    uv_poll_t poll;
    struct http *http;
    curl_socket_t fd;
    int events; /* what libcurl waits for */
    UT_hash_handle hh;
};
#endif

struct http {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer; /* libcurl's */
    uv_timer_t failed_timer;
    struct watching watching;
    char connecting, connected; /* only their addresses matter: what is known of a socket, as libcurl keeps it for us */
    char *user_agent;
    struct request **slots; /* owned */
    uint32_t slot_count, slot_capacity;
    uint64_t uses; /* makes tickets unique */
    struct request *idle, *failed;
    size_t in_flight;
    size_t handles; /* of the loop, not closed yet */
    bool freed;
};

const char *http_error_sentence(enum http_error error)
{
    static const char *const sentences[] = {
#define X(id, sentence) [id] = sentence,
        HTTP_ERROR_TABLE(X)
#undef X
    };
    return (unsigned)error < HTTP_ERROR_COUNT ? sentences[error] : "other";
}

/* ---- libcurl's codes ---- */

static enum http_error error_of_connect(int os_errno)
{
    switch (os_errno) {
    case ECONNREFUSED:
    case ENOENT: /* a unix socket that is not there yet: nothing listens */
        return HTTP_REFUSED;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
        return HTTP_UNREACHABLE;
    case ETIMEDOUT:
        return HTTP_TIMEOUT_CONNECT;
    case ECONNRESET:
        return HTTP_RESET;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL: /* no local port left */
    case EADDRINUSE:
    case EACCES: /* a local firewall, or a socket file that is not for us */
    case EPERM:
        return HTTP_NO_RESOURCES;
    default:
        return HTTP_CONNECT_FAILED;
    }
}

static enum http_error error_of_timeout(const struct http_reached *reached)
{
    if (!reached->connected)
        return reached->unresolved ? HTTP_RESOLVE : HTTP_TIMEOUT_CONNECT;
    if (reached->https && !reached->tls_done)
        return HTTP_TIMEOUT_TLS;
    return reached->headers_done ? HTTP_TIMEOUT_BODY : HTTP_TIMEOUT_HEADERS;
}

/* A TLS library that was answered in plain text takes the first bytes for a record and complains of its version or length. */
static bool words_mean_plain_server(const char *words)
{
    static const char *const signs[] = {"wrong version number", "packet length too long", "unknown protocol",
                                        "record layer failure", "unexpected TLS packet",  "invalid version"};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (strstr(words, signs[i]))
            return true;
    return false;
}

static bool is_tls_code(int code)
{
    switch (code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
        return true;
    default:
        return false;
    }
}

/* What a code means before anything finer is known. FTP's, mail's and the like cannot come and are HTTP_OTHER. */
static enum http_error error_of_code(int code)
{
    switch (code) {
    case CURLE_OK:
        return HTTP_OK;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
        return HTTP_RESOLVE;
    case CURLE_COULDNT_CONNECT:
        return HTTP_CONNECT_FAILED;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_TIMEOUT_HEADERS;
    case CURLE_GOT_NOTHING:
        return HTTP_EMPTY_REPLY;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        return HTTP_RESET;
    case CURLE_PARTIAL_FILE:
        return HTTP_BODY_SHORT;
    case CURLE_UNSUPPORTED_PROTOCOL: /* also: an answer without a status line */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_HTTP3:
    case CURLE_QUIC_CONNECT_ERROR:
        return HTTP_NOT_HTTP;
    case 100: /* CURLE_TOO_LARGE, newer than the libcurl we build with at the least */
        return HTTP_HEADERS_TOO_BIG;
    case CURLE_TOO_MANY_REDIRECTS:
        return HTTP_TOO_MANY_REDIRECTS;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_INTERFACE_FAILED:
    case CURLE_NO_CONNECTION_AVAILABLE:
    case CURLE_UNRECOVERABLE_POLL:
        return HTTP_NO_RESOURCES;
    case CURLE_URL_MALFORMAT:
    case CURLE_NOT_BUILT_IN:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
    case CURLE_SETOPT_OPTION_SYNTAX:
        return HTTP_BAD_REQUEST;
    case CURLE_ABORTED_BY_CALLBACK:
        return HTTP_CANCELLED;
    default:
        return is_tls_code(code) ? HTTP_TLS : HTTP_OTHER;
    }
}

enum http_error http_error_of_curl(int curl_code, const struct http_reached *reached)
{
    enum http_error error = error_of_code(curl_code);
    switch (error) {
    case HTTP_CONNECT_FAILED:
        return error_of_connect(reached->os_errno);
    case HTTP_TIMEOUT_HEADERS:
        return error_of_timeout(reached);
    case HTTP_TLS:
        return words_mean_plain_server(reached->words) ? HTTP_TLS_PLAIN_SERVER : HTTP_TLS;
    case HTTP_EMPTY_REPLY:
    case HTTP_RESET:
        /* Whatever breaks after the headers is a body that broke off: the kubelet throws that away, facts/kube.md 1.2.10. */
        return reached->headers_done ? HTTP_BODY_SHORT : error;
    case HTTP_NOT_HTTP:
        if (!reached->connected)
            return HTTP_BAD_REQUEST; /* never sent: our libcurl lacks something */
        return reached->headers_done ? HTTP_BODY_SHORT : error;
    case HTTP_NO_RESOURCES:
        /* libcurl 7.88 reports one endless header line as "out of memory". */
        return curl_code == CURLE_OUT_OF_MEMORY && reached->connected && !reached->headers_done ? HTTP_HEADERS_TOO_BIG
                                                                                                : error;
    default:
        return error;
    }
}

/* ---- the request's parts ---- */

static bool is_control(char byte)
{
    return (unsigned char)byte < 0x20 || byte == 0x7f;
}

static bool has_control(const char *string)
{
    for (; *string; string++)
        if (is_control(*string))
            return true;
    return false;
}

/* Bytes that Go leaves as they are in a path; '%' is looked at by the caller. */
static bool is_path_byte(char byte)
{
    return isalnum((unsigned char)byte) || (byte && strchr("-_.~!$&'()*+,;=:@[]/%", byte));
}

static bool escapes_are_good(const char *path, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (path[i] == '%' &&
            (i + 2 >= length || !isxdigit((unsigned char)path[i + 1]) || !isxdigit((unsigned char)path[i + 2])))
            return false;
    return true;
}

/* httpGet.path as it stands in the request line (facts/kube.md 1.6): parsed as a URL, so it may hold a query; a path that is no URL is escaped as a whole. False where nothing that
 * could be sent comes of it: control bytes, or a space in the query. */
static bool target_build(struct buf *target, const char *path)
{
    if (!path)
        path = "";
    if (has_control(path))
        return false;
    if (path[0] == '/' && path[1] == '/') /* parsed as //authority/path, and the authority is replaced */
        path += 2 + strcspn(path + 2, "/?#");
    size_t length = strcspn(path, "?#");
    bool parses = escapes_are_good(path, length);
    if (!parses)
        length = strlen(path);
    if (path[0] != '/')
        buf_putc(target, '/');
    for (size_t i = 0; i < length; i++) {
        if (is_path_byte(path[i]) && (parses || path[i] != '%'))
            buf_putc(target, path[i]);
        else
            buf_printf(target, "%%%02X", (unsigned)(unsigned char)path[i]);
    }
    if (path[length] == '?') {
        size_t query = strcspn(path + length, "#");
        if (memchr(path + length, ' ', query))
            return false;
        buf_append(target, path + length, query);
    }
    return !target->truncated;
}

/* A host that can stand in a URL without changing its meaning. */
static bool host_is_plain(const char *host)
{
    for (const char *byte = host; *byte; byte++)
        if (!isalnum((unsigned char)*byte) && !strchr(".-_:%[]", *byte))
            return false;
    return host[0] != '\0';
}

/* "10.0.0.7", "[fd00::7]"; a zone's percent sign is escaped. */
static void host_put(struct buf *out, const char *host)
{
    bool is_v6 = strchr(host, ':') && host[0] != '[';
    if (is_v6)
        buf_putc(out, '[');
    for (size_t length; *host; host += length + (host[length] == '%')) {
        length = strcspn(host, "%");
        buf_append(out, host, length);
        if (host[length] == '%')
            buf_puts(out, "%25");
    }
    if (is_v6)
        buf_putc(out, ']');
}

/* The host of "host:port" or "[v6]:port", without brackets, as Go's URL.Hostname() has it. */
static void host_name_put(struct buf *out, const char *host_port)
{
    const char *end;
    if (host_port[0] == '[') {
        host_port++;
        end = strchr(host_port, ']');
    } else {
        end = strrchr(host_port, ':');
    }
    buf_append(out, host_port, end ? (size_t)(end - host_port) : strlen(host_port));
}

static bool is_token(const char *name)
{
    for (const char *byte = name; *byte; byte++)
        if (!isalnum((unsigned char)*byte) && !strchr("!#$%&'*+-.^_`|~", *byte))
            return false;
    return name[0] != '\0';
}

/* Go's canonical form: x-api-key is sent as X-Api-Key. */
static void name_put(struct buf *out, const char *name)
{
    bool upper = true;
    for (; *name; name++) {
        buf_putc(out, (char)(upper ? toupper((unsigned char)*name) : tolower((unsigned char)*name)));
        upper = *name == '-';
    }
}

/* One header line as libcurl wants it: "Name;" is its way of writing a header without a value. */
static void field_put(struct request *request, const char *name, const char *value)
{
    struct buf *fields = &request->fields;
    size_t length;
    value += strspn(value, " \t");
    for (length = strlen(value); length > 0 && strchr(" \t", value[length - 1]); length--)
        ;
    name_put(fields, name);
    buf_puts(fields, length > 0 ? ": " : ";");
    buf_append(fields, value, length);
    buf_putc(fields, '\0');
    request->field_count++;
}

/* The first header of that name, or NULL. */
static const struct probe_header *header_find(const struct probe_spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->header_count; i++)
        if (spec->headers[i].value && strcasecmp(spec->headers[i].name, name) == 0)
            return &spec->headers[i];
    return NULL;
}

/* Headers that Go's client never takes from the user's list: it writes them itself, or leaves them out. */
static bool header_is_sent(const struct probe_header *header)
{
    static const char *const own[] = {"Host", "User-Agent", "Content-Length", "Transfer-Encoding", "Trailer"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strcasecmp(header->name, own[i]) == 0)
            return false;
    return header->value != NULL;
}

/* User-Agent, then all others sorted by name, with the kubelet's defaults for what the spec does not say (facts/kube.md 1.6). False: a name or value that cannot be sent. */
static bool fields_build(struct request *request, const struct probe_spec *spec)
{
    static char accept_name[] = "Accept", accept_any[] = "*/*";
    static const struct probe_header any = {.name = accept_name, .value = accept_any};
    const struct probe_header *sorted[PROBE_HEADERS_MAX + 1], *agent = header_find(spec, "User-Agent"),
                                                              *accept = header_find(spec, "Accept");
    size_t count = 0;
    buf_clear(&request->fields);
    request->field_count = 0;
    if (!agent || agent->value[0])
        field_put(request, "User-Agent", agent ? agent->value : request->http->user_agent);
    request->no_accept = accept && !accept->value[0];
    if (!accept)
        sorted[count++] = &any;
    for (size_t i = 0; i < spec->header_count && i < PROBE_HEADERS_MAX; i++) {
        const struct probe_header *header = &spec->headers[i];
        if (header->value && (!is_token(header->name) || has_control(header->value)))
            return false;
        if (!header_is_sent(header) || (request->no_accept && strcasecmp(header->name, "Accept") == 0))
            continue;
        size_t at = count++;
        for (; at > 0 && strcasecmp(sorted[at - 1]->name, header->name) > 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = header;
    }
    for (size_t i = 0; i < count; i++)
        field_put(request, sorted[i]->name, sorted[i]->value);
    return !request->fields.truncated;
}

/* Links the lines in the order of the wire. The list begins at lines[0], which libcurl has been told once and for all. */
static void lines_link(struct request *request)
{
    static char close[] = "Connection: close", no_accept[] = "Accept:"; /* libcurl's way of leaving it out */
    size_t count = 0;
    char *field = request->fields.data;
    bool referer = request->referer_line.len > 0;
    request->lines[count++].data = request->host_line.data;
    for (size_t i = 0; i < request->field_count; i++) {
        bool before = strncasecmp(field, "User-Agent", strlen("User-Agent")) != 0 || i > 0;
        if (referer && before && strcasecmp(field, "Referer") > 0) {
            request->lines[count++].data = request->referer_line.data;
            referer = false;
        }
        request->lines[count++].data = field;
        field += strlen(field) + 1;
    }
    if (referer)
        request->lines[count++].data = request->referer_line.data;
    request->lines[count++].data = close;
    if (request->no_accept)
        request->lines[count++].data = no_accept;
    for (size_t i = 0; i < count; i++)
        request->lines[i].next = i + 1 < count ? &request->lines[i + 1] : NULL;
}

static void host_line_set(struct request *request, const char *value)
{
    buf_clear(&request->host_line);
    buf_puts(&request->host_line, "Host: ");
    buf_puts(&request->host_line, value);
}

/* The Host header: the spec's own, the kubelet's, or that of where we dial. Also says what host and port the URL has in the kubelet's eyes, which is what redirects are
 * compared with: through a tunnel that is not where we dial. */
static bool host_build(struct request *request, const struct probe_spec *spec, const char *host_header)
{
    const struct probe_header *custom = header_find(spec, "Host");
    struct buf *natural = &request->asked; /* borrowed for the moment */
    buf_clear(natural);
    if (spec->host) {
        host_put(natural, spec->host);
        buf_printf(natural, ":%d", (int)request->port);
    } else if (host_header) {
        buf_puts(natural, host_header);
    } else if (request->unix_path.len > 0) {
        buf_puts(natural, "localhost");
    } else {
        buf_puts(natural, buf_str(&request->dial_host));
        buf_printf(natural, ":%d", (int)request->dial_port);
    }
    request->host_custom = custom && custom->value[0] && !has_control(custom->value);
    host_line_set(request, request->host_custom ? custom->value : buf_str(natural));
    buf_clear(&request->host_name);
    host_name_put(&request->host_name, buf_str(natural));
    return host_is_plain(buf_str(natural)) && (!custom || !has_control(custom->value));
}

static void urls_build(struct request *request, const char *target)
{
    const char *scheme = request->https ? "https" : "http";
    buf_clear(&request->url);
    buf_printf(&request->url, "%s://", scheme);
    buf_puts(&request->url, request->unix_path.len > 0 ? "localhost" : buf_str(&request->dial_host));
    buf_printf(&request->url, ":%d", (int)request->dial_port);
    buf_puts(&request->url, target);
}

/* Everything that is sent, from what the caller gave. False: it cannot be sent. */
static bool request_build(struct request *request, const struct probe_spec *spec, const char *host_header)
{
    struct buf target;
    buf_init(&target, URL_MAX / 2);
    request->https = spec->https;
    request->port = spec->port > 0 ? spec->port : request->dial_port;
    bool good = target_build(&target, spec->path);
    good = host_build(request, spec, host_header) && good;
    good = fields_build(request, spec) && good;
    buf_clear(&request->referer_line);
    urls_build(request, buf_str(&target));
    buf_clear(&request->asked);
    buf_printf(&request->asked, "%s://", request->https ? "https" : "http");
    host_put(&request->asked, buf_str(&request->host_name));
    buf_printf(&request->asked, ":%d", (int)request->port);
    buf_puts(&request->asked, buf_str(&target));
    buf_free(&target);
    return good && !request->url.truncated && !request->asked.truncated;
}

/* ---- what libcurl calls during a transfer ---- */

static curl_socket_t on_open(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct request *request = user;
    (void)purpose;
#ifdef SOCK_CLOEXEC /* children must not inherit it, not even for a moment */
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
#else
    int fd = socket(address->family, address->socktype, address->protocol);
    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
#endif
    if (fd < 0)
        request->socket_errno = errno;
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* If the line is this header, stores its value (the first one wins, as in Go) and returns true. */
static bool header_take(struct buf *value, const char *name, const char *line, size_t length)
{
    size_t name_length = strlen(name);
    if (length <= name_length || line[name_length] != ':' || strncasecmp(line, name, name_length) != 0)
        return false;
    line += name_length + 1;
    length -= name_length + 1;
    for (; length > 0 && strchr(" \t", line[0]); line++)
        length--;
    for (; length > 0 && line[length - 1] && strchr(" \t\r\n", line[length - 1]); length--)
        ;
    if (value->len == 0)
        buf_append(value, line, length);
    return true;
}

static void headers_begin(struct request *request, const char *line, size_t length)
{
    const char *space = memchr(line, ' ', length);
    request->status_seen = true;
    request->status = 0;
    for (size_t i = space ? (size_t)(space - line) + 1 : length; i < length && isdigit((unsigned char)line[i]); i++)
        request->status = request->status < 1000 ? request->status * 10 + (line[i] - '0') : request->status;
    buf_clear(&request->server);
    buf_clear(&request->content_type);
    buf_clear(&request->location);
}

static bool status_is_interim(int32_t status)
{
    return status >= 100 && status < 200 && status != 101;
}

/* Redirects that Go's client follows: these five, with a Location. */
static bool is_redirect(const struct request *request)
{
    int32_t status = request->status;
    return (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) &&
           request->location.len > 0;
}

/* Go's client refuses an answer with control bytes in a header. */
static bool header_is_clean(const char *line, size_t length)
{
    for (; length > 0 && (line[length - 1] == '\r' || line[length - 1] == '\n'); length--)
        ;
    for (size_t i = 0; i < length; i++)
        if (is_control(line[i]) && line[i] != '\t')
            return false;
    return true;
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
    struct request *request = user;
    size_t length = size * count;
    request->header_bytes += length;
    if (request->header_bytes > HTTP_HEADERS_MAX) {
        request->stop = STOP_HEADERS_TOO_BIG;
        return 0;
    }
    if (request->headers_done) /* trailers */
        return length;
    if (!header_is_clean(line, length)) {
        request->stop = STOP_BAD_HEADER;
        return 0;
    }
    if (length >= 5 && strncmp(line, "HTTP/", 5) == 0) {
        headers_begin(request, line, length);
    } else if (line[0] != '\r' && line[0] != '\n') {
        if (!header_take(&request->server, "Server", line, length) &&
            !header_take(&request->content_type, "Content-Type", line, length))
            header_take(&request->location, "Location", line, length);
    } else if (!status_is_interim(request->status)) {
        request->headers_done = true;
        if (is_redirect(request)) {
            request->stop = STOP_REDIRECT; /* its body is of no interest: no reason to wait for it */
            return 0;
        }
    }
    return length;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
    struct request *request = user;
    size_t length = size * count;
    bool fits = buf_append(&request->body, bytes, length);
    if (!request->status_seen) { /* allowed through by HTTP09_ALLOWED so that we see what came instead of HTTP */
        request->stop = STOP_NOT_HTTP;
        return 0;
    }
    if (fits && request->body.len < HTTP_BODY_MAX)
        return length;
    request->stop = STOP_BODY_FULL;
    return 0;
}

/* ---- a transfer's end ---- */

static bool request_send(struct request *request);

static int64_t moment(struct request *request, CURLINFO info)
{
    curl_off_t us = 0;
    curl_easy_getinfo(request->easy, info, &us);
    return us > 0 ? (int64_t)us + request->hops_us : -1;
}

static void request_idle(struct request *request)
{
    struct http *http = request->http;
    request->next = http->idle;
    http->idle = request;
}

static void request_finish(struct request *request, enum http_error error, const char *words)
{
    struct http *http = request->http;
    struct http_result result = {.error = error,
                                 .status = status_is_interim(request->status) ? 0 : request->status,
                                 .dns = -1,
                                 .connect = -1,
                                 .tls = -1,
                                 .first_byte = -1,
                                 .total = clock_mono_us() - request->started_mono,
                                 .started_mono = request->started_mono,
                                 .redirects = request->redirects,
                                 .redirect_elsewhere = request->elsewhere,
                                 .body = buf_str(&request->body),
                                 .body_length = request->body.len,
                                 .body_cut = request->body.truncated,
                                 .server = buf_str(&request->server),
                                 .content_type = buf_str(&request->content_type),
                                 .location = buf_str(&request->location),
                                 .detail = error == HTTP_OK ? "" : words};
    if (request->added) {
        result.dns = moment(request, CURLINFO_NAMELOOKUP_TIME_T);
        result.connect = moment(request, CURLINFO_CONNECT_TIME_T);
        result.tls = moment(request, CURLINFO_APPCONNECT_TIME_T);
        if (request->header_bytes > 0 || request->body.len > 0) /* libcurl also takes an EOF for the first byte */
            result.first_byte = moment(request, CURLINFO_STARTTRANSFER_TIME_T);
        if (error != HTTP_CANCELLED && moment(request, CURLINFO_TOTAL_TIME_T) > 0)
            result.total = moment(request, CURLINFO_TOTAL_TIME_T);
        curl_multi_remove_handle(http->multi, request->easy);
        request->added = false;
    }
    if (request->tcp_only) {
        curl_easy_setopt(request->easy, CURLOPT_CONNECT_ONLY, 0L);
        result.first_byte = -1;
    }
    request->ticket = 0;
    http->in_flight--;
    request->done(request->user, &result);
    request_idle(request);
}

static void on_failed_timer(uv_timer_t *timer)
{
    struct http *http = timer->data;
    while (http->failed) {
        struct request *request = http->failed;
        http->failed = request->next;
        request_finish(request, request->own_error, request->own_words);
    }
}

/* Ends the request from the loop, because `done` must not run before the caller has the ticket. */
static void request_fail_later(struct request *request, enum http_error error, const char *words)
{
    struct http *http = request->http;
    request->own_error = error;
    request->own_words = words;
    request->next = http->failed;
    http->failed = request;
    uv_timer_start(&http->failed_timer, on_failed_timer, 0, 0);
}

/* ---- redirects ---- */

/* One part of a URL, "" where it has none. */
static void part_put(struct buf *out, CURLU *url, CURLUPart part, const char *before)
{
    char *value = NULL;
    if (curl_url_get(url, part, &value, 0) == CURLUE_OK && value) {
        buf_puts(out, before);
        buf_puts(out, value);
    }
    curl_free(value);
}

/* Where the new URL is dialled. Through a tunnel only the port that was asked first is at hand. */
static bool redirect_dial(struct request *request, int32_t port)
{
    bool direct = request->unix_path.len == 0 && request->dial_port == request->port;
    if (direct)
        request->dial_port = request->port = port;
    return direct || port == request->port;
}

/* Takes over the resolved URL and the headers that go with it (Go's rules: a Host of one's own survives relative redirects only; Referer is set unless https leads to http). */
static bool redirect_take(struct request *request, CURLU *url, const char *scheme, bool relative)
{
    struct buf part;
    char *port = NULL;
    bool was_https = request->https, good = false;
    buf_init(&part, URL_MAX);
    request->https = strcmp(scheme, "https") == 0;
    if (curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
        good = redirect_dial(request, (int32_t)strtol(port, NULL, 10));
    curl_free(port);
    if (!was_https || request->https) {
        buf_clear(&request->referer_line);
        buf_puts(&request->referer_line, "Referer: ");
        buf_puts(&request->referer_line, buf_str(&request->asked));
    }
    if (!relative || !request->host_custom) {
        part_put(&part, url, CURLUPART_HOST, "");
        part_put(&part, url, CURLUPART_PORT, ":");
        host_line_set(request, buf_str(&part));
        request->host_custom = false;
    }
    buf_clear(&part);
    part_put(&part, url, CURLUPART_PATH, "");
    part_put(&part, url, CURLUPART_QUERY, "?");
    urls_build(request, buf_str(&part));
    curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
    buf_clear(&request->asked);
    part_put(&request->asked, url, CURLUPART_URL, "");
    buf_free(&part);
    return good;
}

/* What becomes of a redirect that has come: HTTP_OK and `*follow`, or an end. */
static enum http_error redirect_judge(struct request *request, CURLU *url, bool *follow, const char **words)
{
    const char *location = buf_str(&request->location);
    const unsigned flags = CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE;
    struct buf host, scheme;
    enum http_error error = HTTP_OK;
    bool relative = location[strcspn(location, ":/?#")] != ':';
    buf_init(&host, URL_MAX);
    buf_init(&scheme, URL_MAX);
    if (curl_url_set(url, CURLUPART_URL, buf_str(&request->asked), CURLU_URLENCODE) != CURLUE_OK ||
        curl_url_set(url, CURLUPART_URL, location, flags) != CURLUE_OK) {
        /* Go fails at a Location it cannot parse. What has a scheme but no host (file:///etc/passwd, mailto:) parses for Go, and its host is another one. */
        request->elsewhere = !relative && location[strcspn(location, ":") + 1] != '/';
        error = request->elsewhere ? HTTP_OK : HTTP_NOT_HTTP;
        *words = "the Location of the redirect is no URL";
    } else {
        part_put(&host, url, CURLUPART_HOST, "");
        part_put(&scheme, url, CURLUPART_SCHEME, "");
        struct buf name;
        buf_init(&name, URL_MAX);
        host_name_put(&name, buf_str(&host));
        if (strcmp(buf_str(&name), buf_str(&request->host_name)) != 0) {
            request->elsewhere = true;
        } else if (request->redirects + 1 >= HTTP_REQUESTS_MAX) {
            error = HTTP_TOO_MANY_REDIRECTS;
            *words = http_error_sentence(error);
        } else if (strcmp(buf_str(&scheme), "http") != 0 && strcmp(buf_str(&scheme), "https") != 0) {
            error = HTTP_NOT_HTTP; /* Go: unsupported protocol scheme */
            *words = "redirected to a scheme that is not HTTP";
        } else if (redirect_take(request, url, buf_str(&scheme), relative)) {
            *follow = true;
        } else {
            error = HTTP_BAD_REQUEST;
            *words = "redirected to another port, where the tunnel does not lead";
        }
        buf_free(&name);
    }
    buf_free(&host);
    buf_free(&scheme);
    return error;
}

static void request_redirected(struct request *request)
{
    CURLU *url = curl_url();
    bool follow = false;
    const char *words = "";
    enum http_error error = url ? redirect_judge(request, url, &follow, &words) : HTTP_NO_RESOURCES;
    curl_url_cleanup(url);
    if (follow) {
        request->hops_us = clock_mono_us() - request->started_mono;
        request->redirects++;
        curl_multi_remove_handle(request->http->multi, request->easy);
        request->added = false;
        if (request_send(request))
            return;
        error = HTTP_NO_RESOURCES;
        words = "libcurl did not take the request";
    }
    request_finish(request, error, words);
}

/* libcurl has ended the transfer. */
static void request_ended(struct request *request, CURLcode code)
{
    long os_errno = 0;
    curl_easy_getinfo(request->easy, CURLINFO_OS_ERRNO, &os_errno);
    bool unresolved = request->unix_path.len == 0 && moment(request, CURLINFO_NAMELOOKUP_TIME_T) < 0;
    struct http_reached reached = {.https = request->https,
                                   .unresolved = unresolved,
                                   .connected = request->connected || moment(request, CURLINFO_CONNECT_TIME_T) > 0,
                                   .tls_done = moment(request, CURLINFO_APPCONNECT_TIME_T) > 0,
                                   .headers_done = request->headers_done,
                                   .os_errno = request->socket_errno ? request->socket_errno : (int)os_errno,
                                   .words = request->words};
    enum http_error error = http_error_of_curl((int)code, &reached);
    const char *words = request->words[0] ? request->words : curl_easy_strerror(code);
    if (request->socket_errno)
        words = strerror(request->socket_errno);
    switch (request->stop) {
    case STOP_REDIRECT:
        request_redirected(request);
        return;
    case STOP_BODY_FULL:
        error = HTTP_OK;
        break;
    case STOP_HEADERS_TOO_BIG:
        error = HTTP_HEADERS_TOO_BIG;
        words = "more than 64 KiB of headers";
        break;
    case STOP_NOT_HTTP:
        error = HTTP_NOT_HTTP;
        words = "the answer has no status line";
        break;
    case STOP_BAD_HEADER:
        error = HTTP_NOT_HTTP;
        words = "control bytes in a header of the answer";
        break;
    case STOP_NOT:
        /* libcurl is content with headers that break off; Go is not. */
        if (error == HTTP_OK && !request->headers_done && !request->tcp_only) {
            error = HTTP_EMPTY_REPLY;
            words = "closed amid the headers";
        }
        break;
    }
    request_finish(request, error, words);
}

/* ---- between libcurl and the loop ---- */

static struct request *request_of(CURL *easy)
{
    char *request = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &request);
    return (struct request *)(void *)request;
}

static void messages_read(struct http *http)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(http->multi, &left));) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result; /* the message dies with the handle's removal */
        request_ended(request_of(message->easy_handle), code);
    }
}

/* libcurl finds an error itself, in its own words and after what had still come before it, when it reads and writes. */
static void socket_ready(struct http *http, curl_socket_t fd, bool error, bool in, bool out)
{
    int running, flags = error ? CURL_CSELECT_IN | CURL_CSELECT_OUT : 0;
    flags |= (in ? CURL_CSELECT_IN : 0) | (out ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(http->multi, fd, flags, &running);
}

static void on_timer(uv_timer_t *timer)
{
    struct http *http = timer->data;
    int running;
    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    messages_read(http);
}

static int on_timer_wanted(CURLM *multi, long milliseconds, void *user)
{
    struct http *http = user;
    (void)multi;
    if (milliseconds < 0)
        uv_timer_stop(&http->timer);
    else
        uv_timer_start(&http->timer, on_timer, (uint64_t)milliseconds, 0);
    return 0;
}

static void watching_end(struct http *http);

static void handle_closed(struct http *http)
{
    if (--http->handles > 0 || !http->freed)
        return;
    watching_end(http);
    mem_free(http->slots);
    mem_free(http->user_agent);
    mem_free(http);
}

static void on_handle_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

/* ---- watching sockets ----
 * uv_poll costs seven calls of epoll_ctl and a handle to be closed for every connection, a fifth of what a probe costs in all. An epoll set of our own, which the loop watches as one
 * descriptor, needs three. Elsewhere uv_poll will do. */
#ifdef __linux__

enum { READY_MAX = 64 };

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct http *http = poll->data;
    struct epoll_event ready[READY_MAX];
    (void)status;
    (void)events;
    int count = epoll_wait(http->watching.set, ready, READY_MAX, 0);
    for (int i = 0; i < count; i++)
        socket_ready(http, ready[i].data.fd, ready[i].events & (EPOLLERR | EPOLLHUP), ready[i].events & EPOLLIN,
                     ready[i].events & EPOLLOUT);
    messages_read(http);
}

static bool watching_begin(struct http *http)
{
    struct watching *watching = &http->watching;
    watching->set = epoll_create1(EPOLL_CLOEXEC);
    if (watching->set < 0)
        return false;
    if (uv_poll_init(http->loop, &watching->poll, watching->set) != 0) {
        close(watching->set);
        watching->set = -1;
        return false;
    }
    watching->poll.data = http;
    http->handles++;
    uv_unref((uv_handle_t *)&watching->poll); /* what is under way keeps the loop alive by its timer */
    uv_poll_start(&watching->poll, UV_READABLE, on_ready);
    return true;
}

static void watching_stop(struct http *http)
{
    if (http->watching.set >= 0)
        uv_close((uv_handle_t *)&http->watching.poll, on_handle_closed);
}

static void watching_end(struct http *http)
{
    if (http->watching.set >= 0)
        close(http->watching.set);
}

static void watch_set(struct http *http, curl_socket_t fd, int what, bool known)
{
    struct epoll_event event = {.data.fd = fd,
                                .events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
                                          (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0)};
    epoll_ctl(http->watching.set, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
}

static void watch_end(struct http *http, curl_socket_t fd)
{
    epoll_ctl(http->watching.set, EPOLL_CTL_DEL, fd, NULL);
}

#else

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct http *http = watch->http;
    if (status < 0) /* libuv stops watching at POLLERR; there may still be something to read before it */
        uv_poll_start(poll, watch->events, on_ready);
    socket_ready(http, watch->fd, status < 0, events & UV_READABLE, events & UV_WRITABLE);
    messages_read(http);
}

static bool watching_begin(struct http *http)
{
    (void)http;
    return true;
}

static void watching_stop(struct http *http)
{
    (void)http;
}

static void watching_end(struct http *http)
{
    (void)http;
}

static void watch_set(struct http *http, curl_socket_t fd, int what, bool known)
{
    struct watch *watch;
    HASH_FIND_INT(http->watching.all, &fd, watch);
    if (!watch) {
        watch = mem_new(sizeof *watch);
        watch->http = http;
        watch->fd = fd;
        if (known || uv_poll_init_socket(http->loop, &watch->poll, fd) != 0) {
            mem_free(watch);
            return;
        }
        watch->poll.data = watch;
        http->handles++;
        HASH_ADD_INT(http->watching.all, fd, watch);
    }
    watch->events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    uv_poll_start(&watch->poll, watch->events, on_ready);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    struct http *http = watch->http;
    mem_free(watch);
    handle_closed(http);
}

static void watch_end(struct http *http, curl_socket_t fd)
{
    struct watch *watch;
    HASH_FIND_INT(http->watching.all, &fd, watch);
    if (watch) {
        HASH_DEL(http->watching.all, watch);
        uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
    }
}

#endif

/* What libcurl wants to know of a socket. Never fails in its eyes: that would end all transfers for good; a socket that cannot be watched lets its probe time out. */
static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
    struct http *http = user;
    if (what == CURL_POLL_REMOVE) {
        watch_end(http, fd);
        return 0;
    }
    watch_set(http, fd, what, known != NULL);
    bool connecting = !(what & CURL_POLL_IN); /* a socket that is being connected is waited for to be writable only */
    if (known == &http->connecting && !connecting)
        request_of(easy)->connected = true;
    if (!known || (known == &http->connecting && !connecting))
        curl_multi_assign(http->multi, fd, connecting ? &http->connecting : &http->connected);
    return 0;
}

/* ---- requests ---- */

/* What never changes from one probe to the next (facts/kube.md 1.6). */
static void easy_set_up(struct request *request)
{
    CURL *easy = request->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *)request);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->words);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, request);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, &request->lines[0]);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 1L); /* see on_body() */
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL); /* nothing is verified: do not read the system's certificates */
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a name server that hangs must not hold up the loop */
#endif
}

static struct request *request_new(struct http *http)
{
    struct request *request = mem_new(sizeof *request);
    request->http = http;
    request->slot = http->slot_count;
    struct buf *urls[] = {&request->url, &request->asked, &request->host_name, &request->dial_host,
                          &request->unix_path};
    struct buf *lines[] = {&request->host_line, &request->referer_line, &request->fields,
                           &request->server,    &request->content_type, &request->location};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        buf_init(urls[i], URL_MAX);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        buf_init(lines[i], FIELD_MAX + 16);
    buf_init(&request->body, HTTP_BODY_MAX);
    if (http->slot_count == http->slot_capacity) {
        http->slot_capacity = http->slot_capacity * 2 + 16;
        http->slots = mem_resize(http->slots, http->slot_capacity, sizeof *http->slots);
    }
    http->slots[http->slot_count++] = request;
    return request;
}

static void request_delete(struct request *request)
{
    struct buf *all[] = {&request->url,       &request->asked,        &request->host_name,    &request->dial_host,
                         &request->unix_path, &request->host_line,    &request->referer_line, &request->fields,
                         &request->server,    &request->content_type, &request->location,     &request->body};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        buf_free(all[i]);
    curl_easy_cleanup(request->easy);
    mem_free(request);
}

/* One hop. What is left of the time limit covers it and all that follow. */
static bool request_send(struct request *request)
{
    CURL *easy = request->easy;
    int64_t left = request->deadline - clock_mono_us();
    request->stop = STOP_NOT;
    request->connected = request->status_seen = request->headers_done = false;
    request->header_bytes = 0;
    request->status = 0;
    request->socket_errno = 0;
    request->words[0] = '\0';
    buf_clear(&request->body);
    buf_clear(&request->server);
    buf_clear(&request->content_type);
    buf_clear(&request->location);
    lines_link(request);
    curl_easy_setopt(easy, CURLOPT_URL, buf_str(&request->url));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(left > 0 ? (left + MILLISECOND_US - 1) / MILLISECOND_US : 1));
    request->added = curl_multi_add_handle(request->http->multi, easy) == CURLM_OK;
    return request->added;
}

/* A request with everything but what is to be sent. Should libcurl have no easy handle for us, everything else takes the NULL and request_send() fails. */
static struct request *request_take(struct http *http, const struct http_address *address, int64_t timeout_us,
                                    http_done_fn *done, void *user)
{
    struct request *request = http->idle ? http->idle : request_new(http);
    if (request == http->idle)
        http->idle = request->next;
    if (!request->easy && (request->easy = curl_easy_init()) != NULL)
        easy_set_up(request);
    request->ticket = ++http->uses << SLOT_BITS | (request->slot + 1);
    request->done = done;
    request->user = user;
    request->started_mono = clock_mono_us();
    request->deadline = request->started_mono + timeout_us;
    request->hops_us = 0;
    request->redirects = 0;
    request->status = 0;
    request->elsewhere = request->tcp_only = request->added = false;
    buf_clear(&request->dial_host);
    if (address->host && !address->unix_path)
        host_put(&request->dial_host, address->host);
    request->dial_port = address->port > 0 ? address->port : 80;
    const char *unix_path = address->unix_path ? address->unix_path : "";
    if (strcmp(buf_str(&request->unix_path), unix_path) != 0) {
        buf_clear(&request->unix_path);
        buf_puts(&request->unix_path, unix_path);
        curl_easy_setopt(request->easy, CURLOPT_UNIX_SOCKET_PATH, unix_path[0] ? unix_path : NULL);
    }
    http->in_flight++;
    return request;
}

static bool address_is_usable(const struct http_address *address)
{
    return address->unix_path ? address->unix_path[0] != '\0' : address->host && host_is_plain(address->host);
}

uint64_t http_get(struct http *http, const struct probe_spec *spec, const struct http_address *address,
                  const char *host_header, int64_t timeout_us, http_done_fn *done, void *user)
{
    struct request *request = request_take(http, address, timeout_us, done, user);
    if (!address_is_usable(address) || !request_build(request, spec, host_header))
        request_fail_later(request, HTTP_BAD_REQUEST, "unusable address, path or header");
    else if (!request_send(request))
        request_fail_later(request, HTTP_NO_RESOURCES, "libcurl did not take the request");
    return request->ticket;
}

uint64_t http_tcp_connect(struct http *http, const struct http_address *address, int64_t timeout_us, http_done_fn *done,
                          void *user)
{
    struct request *request = request_take(http, address, timeout_us, done, user);
    struct probe_spec spec = {0};
    request->tcp_only = true;
    if (!address_is_usable(address) || !request_build(request, &spec, NULL)) {
        request_fail_later(request, HTTP_BAD_REQUEST, "unusable address");
        return request->ticket;
    }
    curl_easy_setopt(request->easy, CURLOPT_CONNECT_ONLY, 1L);
    if (!request_send(request))
        request_fail_later(request, HTTP_NO_RESOURCES, "libcurl did not take the request");
    return request->ticket;
}

void http_cancel(struct http *http, uint64_t ticket)
{
    uint64_t slot = ticket & ((UINT64_C(1) << SLOT_BITS) - 1);
    struct request *request = slot > 0 && slot <= http->slot_count ? http->slots[slot - 1] : NULL;
    if (!request || request->ticket != ticket)
        return;
    for (struct request **at = &http->failed; *at; at = &(*at)->next) {
        if (*at == request) {
            *at = request->next;
            break;
        }
    }
    request_finish(request, HTTP_CANCELLED, http_error_sentence(HTTP_CANCELLED));
}

size_t http_in_flight(const struct http *http)
{
    return http->in_flight;
}

struct http *http_new(uv_loop_t *loop, const char *user_agent)
{
    CURLM *multi = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_multi_init() : NULL;
    if (!multi)
        return NULL;
    struct http *http = mem_new(sizeof *http);
    http->loop = loop;
    http->multi = multi;
    http->user_agent = mem_dup(user_agent);
    uv_timer_init(loop, &http->timer);
    uv_timer_init(loop, &http->failed_timer);
    http->timer.data = http->failed_timer.data = http;
    http->handles = 2;
    if (!watching_begin(http)) {
        http_free(http);
        return NULL;
    }
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http);
    return http;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    for (uint32_t i = 0; i < http->slot_count; i++)
        if (http->slots[i]->ticket)
            http_cancel(http, http->slots[i]->ticket);
    for (uint32_t i = 0; i < http->slot_count; i++)
        request_delete(http->slots[i]);
    curl_multi_cleanup(http->multi);
    http->slot_count = 0;
    http->freed = true;
    uv_close((uv_handle_t *)&http->timer, on_handle_closed);
    uv_close((uv_handle_t *)&http->failed_timer, on_handle_closed);
    watching_stop(http);
}
