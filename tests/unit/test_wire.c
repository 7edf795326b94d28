/* What a probe sends, row by row against facts/kube.md 1.6 and Go's rules for redirects; without a socket. That libcurl sends it so is test_http's. */
#include "base/mem.h"
#include "probe/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define AGENT "User-Agent: kube-probe/1.34\n"

static const struct http_address HERE = {.host = "127.0.0.1", .port = 41000};

static void headers_set(struct probe_spec *spec, const char *const *pairs)
{
    for (; pairs[0]; pairs += 2) {
        spec->headers = mem_resize(spec->headers, spec->header_count + 1, sizeof *spec->headers);
        spec->headers[spec->header_count++] =
            (struct probe_header){.name = mem_dup(pairs[0]), .value = mem_dup(pairs[1])};
    }
}

static bool build(struct wire *wire, const char *path, const char *const *pairs, const struct http_address *address,
                  const char *host_header)
{
    struct probe_spec spec = {0};
    probe_spec_http(&spec, path, 8000);
    mem_free(spec.path);
    spec.path = mem_dup(path);
    if (pairs)
        headers_set(&spec, pairs);
    bool built = wire_build(wire, &spec, address, host_header, "kube-probe/1.34");
    probe_spec_free(&spec);
    return built;
}

/* All lines, a newline after each. */
static void lines_join(const struct wire *wire, struct buf *out)
{
    char *lines[WIRE_LINES_MAX];
    size_t count = wire_lines(wire, lines);
    assert_in_range(count, 2, WIRE_LINES_MAX);
    buf_clear(out);
    for (size_t i = 0; i < count; i++) {
        buf_puts(out, lines[i]);
        buf_putc(out, '\n');
    }
}

static int setup(void **state)
{
    static struct wire wire;
    wire_init(&wire);
    *state = &wire;
    return 0;
}

static int teardown(void **state)
{
    wire_free(*state);
    return 0;
}

/* httpGet.path and the target it makes. */
static void test_targets(void **state)
{
    static const struct {
        const char *path, *target; /* NULL: refused */
    } rows[] = {
        {"/health", "/health"},
        {"", "/"},
        {NULL, "/"},
        {"v1/models", "/v1/models"},
        {"?a=b", "/?a=b"},
        {"/a/../b/./c", "/a/../b/./c"},
        {"/a b", "/a%20b"},
        {"/a%20b", "/a%20b"},
        {"/100%", "/100%25"},
        {"/%zz?a=b#c", "/%25zz%3Fa=b%23c"},
        {"/a#frag", "/a"},
        {"/a?b#frag", "/a?b"},
        {"//evil.test/x", "/x"},
        {"//evil.test", "/"},
        {"/\xc3\xa4", "/%C3%A4"},
        {"/a\"<>\\^`{|}", "/a%22%3C%3E%5C%5E%60%7B%7C%7D"},
        {"/user@host:9/x", "/user@host:9/x"},
        {"/a?x=[1]&y=@", "/a?x=[1]&y=@"},
        {"/a?b c", NULL},
        {"/a\r\nX: y", NULL},
        {"/a\x7f", NULL},
        {"/a\tb", NULL},
    };
    struct wire *wire = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char url[256], asked[256];
        bool built = build(wire, rows[i].path, NULL, &HERE, "10.0.0.7:8000");
        snprintf(url, sizeof url, "http://127.0.0.1:41000%s", rows[i].target ? rows[i].target : "");
        snprintf(asked, sizeof asked, "http://10.0.0.7:8000%s", rows[i].target ? rows[i].target : "");
        if (built != (rows[i].target != NULL) ||
            (built && (strcmp(buf_str(&wire->url), url) != 0 || strcmp(buf_str(&wire->asked), asked) != 0)))
            fail_msg("path \"%s\": %d, %s, %s", rows[i].path, built, buf_str(&wire->url), buf_str(&wire->asked));
    }
}

static void test_fields(void **state)
{
    static const struct {
        const char *pairs[9];
        const char *lines; /* after Host; NULL: refused */
    } rows[] = {
        {{NULL}, AGENT "Accept: */*\nConnection: close\n"},
        {{"Accept", "", NULL}, AGENT "Connection: close\nAccept:\n"},
        {{"Accept", "text/plain", NULL}, AGENT "Accept: text/plain\nConnection: close\n"},
        {{"ACCEPT", "a", "accept", "b", NULL}, AGENT "Accept: a\nAccept: b\nConnection: close\n"},
        {{"User-Agent", "me", NULL}, "User-Agent: me\nAccept: */*\nConnection: close\n"},
        {{"User-Agent", "", NULL}, "Accept: */*\nConnection: close\n"},
        {{"User-Agent", "", "Accept", "", NULL}, "Connection: close\nAccept:\n"},
        {{"authorization", "Bearer x", "X-b", "2", "a-1", " 1 ", NULL},
         AGENT "A-1: 1\nAccept: */*\nAuthorization: Bearer x\nX-B: 2\nConnection: close\n"},
        {{"X-Empty", "", NULL}, AGENT "Accept: */*\nX-Empty;\nConnection: close\n"},
        {{"X-Blank", " \t ", NULL}, AGENT "Accept: */*\nX-Blank;\nConnection: close\n"},
        {{"X-Twice", "1", "X-Twice", "2", NULL}, AGENT "Accept: */*\nX-Twice: 1\nX-Twice: 2\nConnection: close\n"},
        {{"Content-Length", "7", "Transfer-Encoding", "chunked", "Trailer", "x", NULL},
         AGENT "Accept: */*\nConnection: close\n"},
        {{"X-Unknown-Value", NULL, NULL}, AGENT "Accept: */*\nConnection: close\n"},
        {{"Bad Name", "1", NULL}, NULL},
        {{"", "1", NULL}, NULL},
        {{"X-Smuggle", "1\r\nX-Other: 2", NULL}, NULL},
        {{"Host", "a\r\nX-Other: 2", NULL}, NULL},
    };
    struct wire *wire = *state;
    struct buf joined;
    buf_init(&joined, 4096);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char expected[512];
        assert_int_equal(build(wire, "/", rows[i].pairs, &HERE, "h:1"), rows[i].lines != NULL);
        if (!rows[i].lines)
            continue;
        snprintf(expected, sizeof expected, "Host: h:1\n%s", rows[i].lines);
        lines_join(wire, &joined);
        assert_string_equal(buf_str(&joined), expected);
    }
    buf_free(&joined);
}

/* As many headers as a spec may have, all of them in the way of a Referer and of "Accept:": the lines still fit. */
static void test_most_lines(void **state)
{
    const char *pairs[2 * PROBE_HEADERS_MAX + 3];
    char names[PROBE_HEADERS_MAX][8];
    struct wire *wire = *state;
    char *lines[WIRE_LINES_MAX];
    for (int i = 0; i < PROBE_HEADERS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "X-%c", 'z' - i);
        pairs[2 * i] = names[i];
        pairs[2 * i + 1] = "1";
    }
    pairs[2 * PROBE_HEADERS_MAX] = NULL;
    assert_true(build(wire, "/", pairs, &HERE, "h:1"));
    buf_puts(&wire->referer_line, "Referer: x");
    assert_int_equal(wire_lines(wire, lines), WIRE_LINES_MAX - 1);
    assert_string_equal(lines[2], "Accept: */*");
    assert_string_equal(lines[3], "Referer: x");
    assert_string_equal(lines[4], "X-K: 1");
    assert_string_equal(lines[WIRE_LINES_MAX - 2], "Connection: close");
}

static void test_hosts(void **state)
{
    static const struct http_address six = {.host = "fd00::7", .port = 9}, zone = {.host = "fe80::1%eth0", .port = 9},
                                     named = {.host = "pod.test"}, file = {.unix_path = "/run/p", .port = 9};
    static const struct {
        const struct http_address *address;
        const char *spec_host, *custom, *host_header;
        const char *line, *name, *url; /* NULL: refused */
    } rows[] = {
        {&HERE, NULL, NULL, "10.0.0.7:8000", "Host: 10.0.0.7:8000", "10.0.0.7", "http://127.0.0.1:41000/"},
        {&HERE, NULL, NULL, "[fd00::7]:8000", "Host: [fd00::7]:8000", "fd00::7", "http://127.0.0.1:41000/"},
        {&HERE, NULL, NULL, NULL, "Host: 127.0.0.1:41000", "127.0.0.1", "http://127.0.0.1:41000/"},
        {&HERE, "example.test", NULL, NULL, "Host: example.test:8000", "example.test", "http://127.0.0.1:41000/"},
        {&HERE, "fd00::1", NULL, NULL, "Host: [fd00::1]:8000", "fd00::1", "http://127.0.0.1:41000/"},
        {&HERE, NULL, "other.test", "10.0.0.7:8000", "Host: other.test", "10.0.0.7", "http://127.0.0.1:41000/"},
        {&HERE, NULL, "", "10.0.0.7:8000", "Host: 10.0.0.7:8000", "10.0.0.7", "http://127.0.0.1:41000/"},
        {&HERE, NULL, "a\r\nb", "10.0.0.7:8000", NULL, NULL, NULL},
        {&HERE, NULL, NULL, "10.0.0.7:8000\r\nX: y", NULL, NULL, NULL},
        {&HERE, NULL, NULL, "", NULL, NULL, NULL},
        {&six, NULL, NULL, NULL, "Host: [fd00::7]:9", "fd00::7", "http://[fd00::7]:9/"},
        {&zone, NULL, NULL, NULL, "Host: [fe80::1%25eth0]:9", "fe80::1%25eth0", "http://[fe80::1%25eth0]:9/"},
        {&named, NULL, NULL, NULL, "Host: pod.test:80", "pod.test", "http://pod.test:80/"},
        {&file, NULL, NULL, NULL, "Host: localhost", "localhost", "http://localhost:9/"},
        {&file, NULL, NULL, "10.0.0.7:8000", "Host: 10.0.0.7:8000", "10.0.0.7", "http://localhost:9/"},
    };
    struct wire *wire = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct probe_spec spec = {0};
        probe_spec_http(&spec, "/", 8000);
        spec.host = mem_dup(rows[i].spec_host);
        if (rows[i].custom)
            headers_set(&spec, (const char *const[]){"host", rows[i].custom, NULL});
        bool built = wire_build(wire, &spec, rows[i].address, rows[i].host_header, "a");
        probe_spec_free(&spec);
        assert_int_equal(built, rows[i].line != NULL);
        if (!built)
            continue;
        assert_string_equal(buf_str(&wire->host_line), rows[i].line);
        assert_string_equal(buf_str(&wire->host_name), rows[i].name);
        assert_string_equal(buf_str(&wire->url), rows[i].url);
        char name[64]; /* as it stands in a URL */
        snprintf(name, sizeof name, strchr(rows[i].name, ':') ? "[%s]" : "%s", rows[i].name);
        assert_true(wire_is_same_host(wire, name));
        assert_false(wire_is_same_host(wire, "example.invalid"));
        assert_false(wire_is_same_host(wire, ""));
    }
}

static void test_unusable_addresses(void **state)
{
    static const struct http_address rows[] = {{.host = NULL, .port = 1},  {.host = "", .port = 1},
                                               {.host = "a b", .port = 1}, {.host = "a@b", .port = 1},
                                               {.host = "a/b", .port = 1}, {.unix_path = ""}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_false(build(*state, "/", NULL, &rows[i], NULL));
}

/* More than is ever sent is refused, not cut. */
static void test_too_long(void **state)
{
    static char path[WIRE_URL_MAX + 2], value[WIRE_FIELDS_MAX];
    struct wire *wire = *state;
    memset(path, 'a', sizeof path - 1);
    path[0] = '/';
    memset(value, 'a', sizeof value - 1);
    assert_false(build(wire, path, NULL, &HERE, NULL));
    assert_false(build(wire, "/", (const char *const[]){"X-A", value, "X-B", value, NULL}, &HERE, NULL));
    assert_true(build(wire, "/", NULL, &HERE, NULL)); /* and the next is none the worse for it */
}

static void test_one_segment(void **state)
{
    static char value[1200];
    struct wire *wire = *state;
    memset(value, 'a', sizeof value - 1);
    assert_true(build(wire, "/v1/models", NULL, &HERE, "10.0.0.7:8000"));
    assert_true(wire_is_one_segment(wire));
    wire->https = true; /* a handshake is several */
    assert_false(wire_is_one_segment(wire));
    assert_true(build(wire, "/", (const char *const[]){"X-A", value, NULL}, &HERE, NULL));
    assert_false(wire_is_one_segment(wire));
}

/* ---- redirects ---- */

struct hop {
    bool https, custom; /* the request before: by TLS; with a Host of its own */
    int32_t dial_port;  /* of the request before; the port in the kubelet's eyes is 8000 */
    struct wire_location to;
    bool good;
    const char *url, *host_line, *referer, *asked; /* afterwards */
};

/* Through a proxy that finds the pod by a path: its own name, plain HTTP, no redirect followed. */
static void test_prefix(void **state)
{
    static const struct http_address proxy = {
        .unix_path = "/tmp/k.sock", .prefix = "/pods/web:8000/proxy", .prefix_https = "/pods/https:web:8000/proxy"};
    struct wire *wire = *state;
    struct buf lines;
    buf_init(&lines, WIRE_FIELDS_MAX);
    for (int https = 0; https < 2; https++) {
        struct probe_spec spec = {0};
        probe_spec_http(&spec, "/v1/models?a=b", 8000);
        headers_set(&spec, (const char *const[]){"Host", "mine", NULL});
        spec.https = https == 1;
        assert_true(wire_build(wire, &spec, &proxy, "10.0.0.7:8000", "kube-probe/1.34"));
        assert_false(wire->https);
        assert_string_equal(buf_str(&wire->url), https ? "http://localhost:80/pods/https:web:8000/proxy/v1/models?a=b"
                                                       : "http://localhost:80/pods/web:8000/proxy/v1/models?a=b");
        lines_join(wire, &lines);
        assert_string_equal(buf_str(&lines), "Host: localhost\n" AGENT "Accept: */*\nConnection: close\n");
        assert_false(wire_is_same_host(wire, "10.0.0.7"));
        assert_false(wire_is_same_host(wire, "localhost"));
        probe_spec_free(&spec);
    }
    buf_free(&lines);
}

static void test_redirects(void **state)
{
    static const struct hop rows[] = {
        /* directly: wherever the Location says */
        {false,
         false,
         8000,
         {"http", "10.0.0.7", "8000", 8000, "/b", "c=d", "http://10.0.0.7:8000/b?c=d", true},
         true,
         "http://127.0.0.1:8000/b?c=d",
         "Host: 10.0.0.7:8000",
         "Referer: http://10.0.0.7:8000/a",
         "http://10.0.0.7:8000/b?c=d"},
        {false,
         false,
         8000,
         {"http", "10.0.0.7", "", 80, "/", "", "http://10.0.0.7/", false},
         true,
         "http://127.0.0.1:80/",
         "Host: 10.0.0.7",
         "Referer: http://10.0.0.7:8000/a",
         "http://10.0.0.7/"},
        {false,
         false,
         8000,
         {"https", "10.0.0.7", "", 443, "/", "", "https://10.0.0.7/", false},
         true,
         "https://127.0.0.1:443/",
         "Host: 10.0.0.7",
         "Referer: http://10.0.0.7:8000/a",
         "https://10.0.0.7/"},
        /* a Host of one's own survives relative redirects only */
        {false,
         true,
         8000,
         {"http", "10.0.0.7", "8000", 8000, "/b", "", "http://10.0.0.7:8000/b", true},
         true,
         "http://127.0.0.1:8000/b",
         "Host: mine.test",
         "Referer: http://10.0.0.7:8000/a",
         "http://10.0.0.7:8000/b"},
        {false,
         true,
         8000,
         {"http", "10.0.0.7", "8000", 8000, "/b", "", "http://10.0.0.7:8000/b", false},
         true,
         "http://127.0.0.1:8000/b",
         "Host: 10.0.0.7:8000",
         "Referer: http://10.0.0.7:8000/a",
         "http://10.0.0.7:8000/b"},
        /* https to http sets no Referer, https to https does */
        {true,
         false,
         8000,
         {"http", "10.0.0.7", "8000", 8000, "/b", "", "http://10.0.0.7:8000/b", false},
         true,
         "http://127.0.0.1:8000/b",
         "Host: 10.0.0.7:8000",
         "",
         "http://10.0.0.7:8000/b"},
        {true,
         false,
         8000,
         {"https", "10.0.0.7", "8000", 8000, "/b", "", "https://10.0.0.7:8000/b", false},
         true,
         "https://127.0.0.1:8000/b",
         "Host: 10.0.0.7:8000",
         "Referer: https://10.0.0.7:8000/a",
         "https://10.0.0.7:8000/b"},
        /* through a tunnel: the port that was asked, and no other */
        {false,
         false,
         41000,
         {"http", "10.0.0.7", "8000", 8000, "/b", "", "http://10.0.0.7:8000/b", true},
         true,
         "http://127.0.0.1:41000/b",
         "Host: 10.0.0.7:8000",
         "Referer: http://10.0.0.7:8000/a",
         "http://10.0.0.7:8000/b"},
        {false,
         false,
         41000,
         {"http", "10.0.0.7", "8001", 8001, "/b", "", "http://10.0.0.7:8001/b", false},
         false,
         NULL,
         NULL,
         NULL,
         NULL},
        {false,
         false,
         41000,
         {"http", "10.0.0.7", "41000", 41000, "/b", "", "http://10.0.0.7:41000/b", false},
         false,
         NULL,
         NULL,
         NULL,
         NULL},
    };
    struct wire *wire = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct hop *row = &rows[i];
        struct http_address address = {.host = "127.0.0.1", .port = row->dial_port};
        struct probe_spec spec = {0};
        probe_spec_http(&spec, "/a", 8000);
        spec.https = row->https;
        if (row->custom)
            headers_set(&spec, (const char *const[]){"Host", "mine.test", NULL});
        assert_true(wire_build(wire, &spec, &address, "10.0.0.7:8000", "a"));
        probe_spec_free(&spec);
        assert_true(wire_is_same_host(wire, row->to.host));
        assert_int_equal(wire_redirect(wire, &row->to), row->good);
        if (!row->good)
            continue;
        assert_string_equal(buf_str(&wire->url), row->url);
        assert_string_equal(buf_str(&wire->host_line), row->host_line);
        assert_string_equal(buf_str(&wire->referer_line), row->referer);
        assert_string_equal(buf_str(&wire->asked), row->asked);
    }
}

/* The Referer goes where Go sorts it: after User-Agent, among the others, before Connection. */
static void test_referer_is_sorted(void **state)
{
    static const struct {
        const char *pairs[7], *lines;
    } rows[] = {
        {{"X-Key", "k", "A-1", "1", NULL},
         "Host: h\n" AGENT "A-1: 1\nAccept: */*\nReferer: http://h/\nX-Key: k\nConnection: close\n"},
        {{"A-1", "1", NULL}, "Host: h\n" AGENT "A-1: 1\nAccept: */*\nReferer: http://h/\nConnection: close\n"},
        {{"User-Agent", "", "Accept", "", NULL}, "Host: h\nReferer: http://h/\nConnection: close\nAccept:\n"},
        {{"User-Agent", "z", "Accept", "", NULL},
         "Host: h\nUser-Agent: z\nReferer: http://h/\nConnection: close\nAccept:\n"},
    };
    struct wire *wire = *state;
    struct buf joined;
    buf_init(&joined, 4096);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(build(wire, "/", rows[i].pairs, &HERE, "h"));
        buf_puts(&wire->referer_line, "Referer: http://h/");
        lines_join(wire, &joined);
        assert_string_equal(buf_str(&joined), rows[i].lines);
    }
    buf_free(&joined);
}

#define WITH_WIRE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WIRE(test_targets),     WITH_WIRE(test_fields),
        WITH_WIRE(test_most_lines),  WITH_WIRE(test_hosts),
        WITH_WIRE(test_too_long),    WITH_WIRE(test_unusable_addresses),
        WITH_WIRE(test_redirects),   WITH_WIRE(test_referer_is_sorted),
        WITH_WIRE(test_one_segment), WITH_WIRE(test_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
