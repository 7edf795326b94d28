#include "probe/wire.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { PORT_DIGITS = 12, SEGMENT_SAFE = 1000 /* bytes that fit everywhere, "GET", "HTTP/1.1" and line ends on top */ };

void wire_init(struct wire *wire)
{
    struct buf *urls[] = {&wire->url, &wire->asked, &wire->host_name, &wire->dial_host};
    struct buf *lines[] = {&wire->host_line, &wire->referer_line, &wire->fields};
    *wire = (struct wire){0};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        buf_init(urls[i], WIRE_URL_MAX);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        buf_init(lines[i], WIRE_FIELDS_MAX + 16);
}

void wire_free(struct wire *wire)
{
    struct buf *all[] = {&wire->url,       &wire->asked,        &wire->host_name, &wire->dial_host,
                         &wire->host_line, &wire->referer_line, &wire->fields};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        buf_free(all[i]);
}

/* ---- the target ---- */

bool wire_is_control(char byte)
{
    return (unsigned char)byte < 0x20 || byte == 0x7f;
}

/* A header's value may hold tabs, as Go has it. */
static bool is_header_value(const char *string)
{
    for (; *string; string++)
        if (wire_is_control(*string) && *string != '\t')
            return false;
    return true;
}

static bool has_control(const char *string)
{
    for (; *string; string++)
        if (wire_is_control(*string))
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
static bool target_put(struct buf *target, const char *path)
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
    for (size_t i = 0; i < length; i++)
        if (is_path_byte(path[i]) && (parses || path[i] != '%'))
            buf_putc(target, path[i]);
        else
            buf_printf(target, "%%%02X", (unsigned)(unsigned char)path[i]);
    if (path[length] == '?') {
        size_t query = strcspn(path + length, "#");
        if (memchr(path + length, ' ', query))
            return false;
        buf_append(target, path + length, query);
    }
    return !target->truncated;
}

/* ---- hosts ---- */

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

/* ":8000". Four of them for each probe: printf() was felt. */
static void port_put(struct buf *out, int32_t port)
{
    char digits[PORT_DIGITS];
    size_t at = sizeof digits;
    uint32_t left = port > 0 ? (uint32_t)port : 0;
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    digits[--at] = ':';
    buf_append(out, digits + at, sizeof digits - at);
}

/* The host of "host:port" or "[v6]:port", without brackets, as Go's URL.Hostname() has it. */
static size_t host_name_of(const char **host_port)
{
    const char *end;
    if ((*host_port)[0] == '[') {
        ++*host_port;
        end = strchr(*host_port, ']');
    } else {
        end = strrchr(*host_port, ':');
    }
    return end ? (size_t)(end - *host_port) : strlen(*host_port);
}

bool wire_is_same_host(const struct wire *wire, const char *host)
{
    size_t length = host_name_of(&host);
    return length == wire->host_name.len && memcmp(host, buf_str(&wire->host_name), length) == 0;
}

/* ---- header lines ---- */

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
static void field_put(struct buf *fields, const char *name, const char *value)
{
    size_t length;
    value += strspn(value, " \t");
    for (length = strlen(value); length > 0 && strchr(" \t", value[length - 1]); length--)
        ;
    name_put(fields, name);
    buf_puts(fields, length > 0 ? ": " : ";");
    buf_append(fields, value, length);
    buf_putc(fields, '\0');
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

struct field {
    const char *name, *value;
};

/* The spec's headers sorted by name, with the kubelet's Accept where the spec has none (facts/kube.md 1.6). False: a name or value that cannot be sent. */
static bool headers_sort(const struct probe_spec *spec, const struct probe_header *accept, struct field *sorted,
                         size_t *count)
{
    bool no_accept = accept && !accept->value[0];
    *count = 0;
    if (!accept)
        sorted[(*count)++] = (struct field){"Accept", "*/*"};
    for (size_t i = 0; i < spec->header_count && i < PROBE_HEADERS_MAX; i++) {
        const struct probe_header *header = &spec->headers[i];
        if (header->value && (!is_token(header->name) || !is_header_value(header->value)))
            return false;
        if (!header_is_sent(header) || (no_accept && strcasecmp(header->name, "Accept") == 0))
            continue;
        size_t at = (*count)++;
        for (; at > 0 && strcasecmp(sorted[at - 1].name, header->name) > 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = (struct field){header->name, header->value};
    }
    return true;
}

/* User-Agent, then all others sorted by name, then what comes last. */
static bool fields_build(struct wire *wire, const struct probe_spec *spec, const char *user_agent)
{
    struct field sorted[PROBE_HEADERS_MAX + 1];
    const struct probe_header *agent = header_find(spec, "User-Agent"), *accept = header_find(spec, "Accept");
    size_t count;
    bool good = headers_sort(spec, accept, sorted, &count);
    buf_clear(&wire->fields);
    wire->sorted = count;
    if (!agent || agent->value[0]) {
        field_put(&wire->fields, "User-Agent", agent ? agent->value : user_agent);
        wire->sorted++;
    }
    for (size_t i = 0; i < count; i++)
        field_put(&wire->fields, sorted[i].name, sorted[i].value);
    static const char last[] = "Connection: close\0Accept:"; /* the second is libcurl's way of leaving it out */
    wire->last = accept && !accept->value[0] ? 2 : 1;
    buf_append(&wire->fields, last, wire->last == 2 ? sizeof last : strlen(last) + 1);
    return good && !wire->fields.truncated;
}

size_t wire_lines(const struct wire *wire, char **lines)
{
    size_t count = 0;
    char *field = wire->fields.data;
    bool referer = wire->referer_line.len > 0;
    lines[count++] = wire->host_line.data;
    for (size_t i = 0; i < wire->sorted + wire->last; i++) {
        bool agent = i == 0 && strncasecmp(field, "User-Agent", strlen("User-Agent")) == 0;
        if (referer && !agent && (i >= wire->sorted || strcasecmp(field, "Referer") > 0)) {
            lines[count++] = wire->referer_line.data;
            referer = false;
        }
        lines[count++] = field;
        field += strlen(field) + 1;
    }
    return count;
}

bool wire_is_one_segment(const struct wire *wire)
{
    size_t bytes = wire->url.len + wire->host_line.len + wire->fields.len + wire->referer_line.len;
    return !wire->https && bytes <= SEGMENT_SAFE;
}

static void line_set(struct buf *line, const char *name, const char *value)
{
    buf_clear(line);
    buf_puts(line, name);
    buf_puts(line, value);
}

/* The Host header: the spec's own, the kubelet's, or that of where we dial. Also says what host and port the URL has in the kubelet's eyes, which is what redirects are
 * compared with: through a tunnel that is not where we dial. */
static bool host_build(struct wire *wire, const struct probe_spec *spec, const char *host_header)
{
    const struct probe_header *custom = header_find(spec, "Host");
    struct buf *natural = &wire->asked; /* borrowed for the moment */
    buf_clear(natural);
    if (spec->host) {
        host_put(natural, spec->host);
        port_put(natural, wire->port);
    } else if (host_header) {
        buf_puts(natural, host_header);
    } else if (wire->is_unix) {
        buf_puts(natural, "localhost");
    } else {
        buf_append(natural, buf_str(&wire->dial_host), wire->dial_host.len);
        port_put(natural, wire->dial_port);
    }
    bool clean = !custom || !has_control(custom->value);
    wire->host_custom = custom && custom->value[0] && clean;
    line_set(&wire->host_line, "Host: ", wire->host_custom ? custom->value : buf_str(natural));
    buf_clear(&wire->host_name);
    const char *name = buf_str(natural);
    size_t length = host_name_of(&name);
    buf_append(&wire->host_name, name, length);
    return host_is_plain(buf_str(natural)) && clean;
}

/* ---- the whole ---- */

static void scheme_put(struct wire *wire, struct buf *url)
{
    buf_clear(url);
    buf_puts(url, wire->https ? "https://" : "http://");
}

/* What is dialled, up to the target. */
static void dialled_begin(struct wire *wire)
{
    scheme_put(wire, &wire->url);
    buf_puts(&wire->url, wire->is_unix ? "localhost" : buf_str(&wire->dial_host));
    port_put(&wire->url, wire->dial_port);
}

static bool address_take(struct wire *wire, const struct http_address *address)
{
    wire->is_unix = address->unix_path != NULL;
    wire->dial_port = address->port > 0 ? address->port : 80;
    buf_clear(&wire->dial_host);
    if (wire->is_unix)
        return address->unix_path[0] != '\0';
    if (!address->host || !host_is_plain(address->host))
        return false;
    host_put(&wire->dial_host, address->host);
    return true;
}

bool wire_build(struct wire *wire, const struct probe_spec *spec, const struct http_address *address,
                const char *host_header, const char *user_agent)
{
    bool good = address_take(wire, address);
    wire->https = spec->https;
    wire->port = spec->port > 0 ? spec->port : wire->dial_port;
    buf_clear(&wire->referer_line);
    good = host_build(wire, spec, host_header) && good;
    good = fields_build(wire, spec, user_agent) && good;
    const char *prefix = spec->https ? address->prefix_https : address->prefix;
    if (prefix != NULL)
        wire->https = false;
    dialled_begin(wire);
    if (prefix != NULL)
        buf_puts(&wire->url, prefix);
    size_t target = wire->url.len;
    good = target_put(&wire->url, spec->path) && good;
    scheme_put(wire, &wire->asked);
    host_put(&wire->asked, buf_str(&wire->host_name));
    port_put(&wire->asked, wire->port);
    buf_append(&wire->asked, buf_str(&wire->url) + target, wire->url.len - target);
    if (prefix != NULL) {
        line_set(&wire->host_line, "Host: ", "localhost");
        wire->host_custom = false;
        buf_clear(&wire->host_name); /* no Location is of the same host */
    }
    return good && !wire->url.truncated && !wire->asked.truncated;
}

/* Where the new URL is dialled. Through a tunnel only the port that was asked first is at hand. */
static bool redirect_dial(struct wire *wire, int32_t port)
{
    bool direct = !wire->is_unix && wire->dial_port == wire->port;
    if (direct)
        wire->dial_port = wire->port = port;
    return direct || port == wire->port;
}

bool wire_redirect(struct wire *wire, const struct wire_location *location)
{
    bool was_https = wire->https, good = redirect_dial(wire, location->port_number);
    wire->https = strcmp(location->scheme, "https") == 0;
    if (!was_https || wire->https)
        line_set(&wire->referer_line, "Referer: ", buf_str(&wire->asked));
    if (!location->relative || !wire->host_custom) {
        line_set(&wire->host_line, "Host: ", location->host);
        if (location->port[0]) {
            buf_putc(&wire->host_line, ':');
            buf_puts(&wire->host_line, location->port);
        }
        wire->host_custom = false;
    }
    dialled_begin(wire);
    buf_puts(&wire->url, location->path);
    if (location->query[0]) {
        buf_putc(&wire->url, '?');
        buf_puts(&wire->url, location->query);
    }
    buf_clear(&wire->asked);
    buf_puts(&wire->asked, location->whole);
    return good && !wire->url.truncated;
}
