/* Commands that a person pastes into a shell. Every name in them came from outside: it is quoted where a shell would read it otherwise, and what cannot be said exactly (a name with characters that had to be
 * escaped, one that was cut, one that would be taken for an option) makes no command at all. */
#include "model/command.h"

#include <ctype.h>
#include <string.h>

void command_put_word(struct buf *out, const char *word)
{
    bool plain = word[0] != '\0';
    for (const char *p = word; *p; p++)
        plain = plain && (isalnum((unsigned char)*p) || strchr("-_./:@%+=,", *p));
    if (plain) {
        buf_puts(out, word);
        return;
    }
    buf_putc(out, '\'');
    for (const char *p = word; *p; p++)
        if (*p == '\'')
            buf_puts(out, "'\\''");
        else
            buf_putc(out, *p);
    buf_putc(out, '\'');
}

static void put_flag(struct buf *out, const char *flag, const struct text *value)
{
    if (text_empty(value))
        return;
    buf_puts(out, flag);
    command_put_word(out, text_str(value));
}

/* "kubectl" and the flags that say which cluster, as whom and in which namespace. */
static void put_kubectl(struct buf *out, const struct pod_facts *facts)
{
    buf_puts(out, "kubectl");
    put_flag(out, " --kubeconfig=", &facts->kubeconfig);
    put_flag(out, " --context=", &facts->context);
    put_flag(out, " --cluster=", &facts->cluster);
    put_flag(out, " --user=", &facts->user);
    put_flag(out, " --as=", &facts->as);
    put_flag(out, " -n ", &facts->ns);
}

/* ---- templates ---- */

/* A name as a word of its own. False when it is not known, or not to be said exactly. */
static bool put_name(struct buf *out, const struct text *name)
{
    const char *word = text_str(name);
    if (text_empty(name) || name->escaped || name->cut || word[0] == '-')
        return false;
    command_put_word(out, word);
    return true;
}

static bool put_port(struct buf *out, int32_t port)
{
    if (port <= 0)
        return false;
    buf_printf(out, "%d", (int)port);
    return true;
}

/* Where probes ask: readiness before liveness before startup before our own witnesses. */
static bool put_path(struct buf *out, const struct pod_facts *facts)
{
    static const enum lane_kind order[] = {LANE_READINESS, LANE_LIVENESS, LANE_STARTUP, LANE_HEALTH, LANE_MODELS};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        const struct probe_spec *spec = &facts->probes[order[i]];
        if (spec->action == PROBE_HTTP_GET && spec->path && spec->path[0] == '/') {
            command_put_word(out, spec->path);
            return true;
        }
    }
    return false;
}

/* Whose log tells: that of the init container that fails, where the others wait for it (kube/pod_json.c says which). */
static bool put_container(struct buf *out, const struct pod_facts *facts)
{
    static const char BEFORE[] = "init container ";
    const char *message = text_str(&facts->serving.message);
    struct text name = {0};
    if (strncmp(text_str(&facts->serving.reason), "Init:", strlen("Init:")) != 0 ||
        strncmp(message, BEFORE, strlen(BEFORE)) != 0)
        return put_name(out, &facts->serving.name);
    text_set(&name, message + strlen(BEFORE), strcspn(message + strlen(BEFORE), " :"), TEXT_NAME);
    bool known = put_name(out, &name);
    text_free(&name);
    return known;
}

static bool put_value(struct buf *out, const struct pod_facts *facts, const char *name, size_t length)
{
    const struct {
        const char *name;
        const struct text *value;
    } names[] = {{"ns", &facts->ns},
                 {"pod", &facts->name},
                 {"node", &facts->node},
                 {"workload", &facts->workload},
                 {"sidecar", &facts->sidecar.name}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i].name) == length && memcmp(names[i].name, name, length) == 0)
            return put_name(out, names[i].value);
    if (length == 7 && memcmp(name, "kubectl", length) == 0) {
        put_kubectl(out, facts);
        return facts->kubelet;
    }
    if (length == 9 && memcmp(name, "container", length) == 0)
        return put_container(out, facts);
    if (length == 4 && memcmp(name, "port", length) == 0)
        return put_port(out, facts->serving_port);
    if (length == 9 && memcmp(name, "vllm_port", length) == 0)
        return put_port(out, facts->vllm_port ? facts->vllm_port : facts->serving_port);
    return length == 4 && memcmp(name, "path", length) == 0 && put_path(out, facts);
}

/* {word} of lower-case letters and '_' is a name to fill in; any other brace is one of the command's own ("jsonpath={.status}"). */
static size_t placeholder(const char *at)
{
    size_t length = 0;
    if (*at != '{')
        return 0;
    while (islower((unsigned char)at[1 + length]) || at[1 + length] == '_')
        length++;
    return at[1 + length] == '}' ? length : 0;
}

/* Moves what was written out, if it is whole. */
static bool finish(struct buf *buf, bool known, struct text *out)
{
    known = known && !buf->truncated && buf->len > 0;
    text_set_str(out, known ? buf_str(buf) : "", COMMAND_BYTES_MAX);
    buf_free(buf);
    return known;
}

bool command_fill(const char *template, const struct pod *pod, struct text *out)
{
    struct buf buf;
    bool known = true;
    buf_init(&buf, COMMAND_BYTES_MAX);
    for (const char *at = template; *at && known; at++) {
        size_t length = placeholder(at);
        if (length == 0) {
            buf_putc(&buf, *at);
        } else {
            known = put_value(&buf, &pod->facts, at + 1, length);
            at += length + 1;
        }
    }
    return finish(&buf, known, out);
}

/* ---- by hand ---- */

static void put_url(struct buf *out, const struct probe_spec *spec, const char *address, bool is_unix)
{
    struct buf url;
    const char *colon = strrchr(address, ':');
    const char *path = spec->path ? spec->path : "/";
    size_t host = !is_unix && colon && !strchr(colon, ']') ? (size_t)(colon - address) : strlen(address);
    buf_init(&url, COMMAND_BYTES_MAX);
    buf_puts(&url, spec->https ? "https://" : "http://");
    if (is_unix || spec->port == 0)
        buf_puts(&url, address);
    else
        buf_printf(&url, "%.*s:%d", (int)host, address, (int)spec->port);
    buf_puts(&url, path);
    command_put_word(out, buf_str(&url));
    buf_free(&url);
}

bool command_curl(const struct pod *pod, enum lane_kind lane, struct text *out)
{
    const struct probe_spec *spec = &pod->facts.probes[lane];
    const char *address = text_str(&pod->facts.address);
    bool is_unix = strncmp(address, "unix:", 5) == 0;
    bool there = !pod->facts.kubelet && spec->action == PROBE_HTTP_GET && address[0] != '\0';
    struct buf buf;
    buf_init(&buf, COMMAND_BYTES_MAX);
    if (there) {
        buf_printf(&buf, "curl -sv%s --max-time %d ", spec->https ? "k" : "",
                   (int)(spec->timeout > 0 ? spec->timeout : 1));
        if (is_unix) {
            buf_puts(&buf, "--unix-socket ");
            command_put_word(&buf, address + 5);
            buf_putc(&buf, ' ');
        }
        put_url(&buf, spec, is_unix ? "localhost" : address, is_unix);
    }
    return finish(&buf, there, out);
}
