#include "engine/redact.h"

#include "base/buf.h"
#include "base/mem.h"

#include <string.h>

/* One spelling of a secret. */
struct needle {
    char *bytes;
    size_t length;
};

struct redact {
    struct needle *needles; /* the longest first, so that a secret within a secret never spoils the longer one */
    size_t count;
};

static const char REDACTED[] = "[redacted]";
enum { ELLIPSIS_LENGTH = 3 }; /* a cut text ends in U+2026 */

static void needle_add(struct redact *redact, const char *bytes, size_t length)
{
    if (length < REDACT_LENGTH_MIN)
        return;
    size_t at = 0;
    while (at < redact->count && redact->needles[at].length >= length) {
        if (redact->needles[at].length == length && memcmp(redact->needles[at].bytes, bytes, length) == 0)
            return;
        at++;
    }
    redact->needles = mem_resize(redact->needles, redact->count + 1, sizeof *redact->needles);
    memmove(redact->needles + at + 1, redact->needles + at, (redact->count - at) * sizeof *redact->needles);
    redact->needles[at] = (struct needle){mem_dup_n(bytes, length), length};
    redact->count++;
}

/* As a JSON writer escapes it; `slashes`: some escape the slash too. */
static void needle_add_json(struct redact *redact, const char *secret, bool slashes)
{
    struct buf escaped;
    buf_init(&escaped, 2 * strlen(secret));
    for (const char *byte = secret; *byte != '\0'; byte++) {
        if (*byte == '"' || *byte == '\\' || (slashes && *byte == '/'))
            buf_putc(&escaped, '\\');
        buf_putc(&escaped, *byte);
    }
    needle_add(redact, buf_str(&escaped), escaped.len);
    buf_free(&escaped);
}

static void needle_add_url(struct redact *redact, const char *secret)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    struct buf escaped;
    buf_init(&escaped, 3 * strlen(secret));
    for (const char *byte = secret; *byte != '\0'; byte++)
        if (strchr(plain, *byte) != NULL)
            buf_putc(&escaped, *byte);
        else
            buf_printf(&escaped, "%%%02X", (unsigned)(unsigned char)*byte);
    needle_add(redact, buf_str(&escaped), escaped.len);
    buf_free(&escaped);
}

void redact_add(struct redact *redact, const char *secret)
{
    if (strlen(secret) < REDACT_LENGTH_MIN)
        return;
    struct text shown = {0};
    text_set_str(&shown, secret, 4 * strlen(secret) + 8 * TEXT_LINE);
    needle_add(redact, text_str(&shown), shown.len);
    text_free(&shown);
    needle_add(redact, secret, strlen(secret));
    needle_add_json(redact, secret, false);
    needle_add_json(redact, secret, true);
    needle_add_url(redact, secret);
}

struct redact *redact_new(char *const *secrets, size_t count)
{
    struct redact *redact = mem_new(sizeof *redact);
    for (size_t i = 0; i < count; i++)
        redact_add(redact, secrets[i]);
    return redact;
}

void redact_free(struct redact *redact)
{
    if (redact == NULL)
        return;
    for (size_t i = 0; i < redact->count; i++)
        mem_free(redact->needles[i].bytes);
    mem_free(redact->needles);
    mem_free(redact);
}

/* The secret that begins at `bytes`, or NULL. */
static const struct needle *needle_at(const struct redact *redact, const char *bytes, size_t rest)
{
    for (size_t i = 0; i < redact->count; i++) {
        const struct needle *needle = &redact->needles[i];
        if (needle->length <= rest && needle->bytes[0] == bytes[0] && memcmp(needle->bytes, bytes, needle->length) == 0)
            return needle;
    }
    return NULL;
}

/* How many of the last bytes are the beginning of a secret; 0 when too few to tell. */
static size_t tail_length(const struct redact *redact, const char *bytes, size_t length)
{
    size_t longest = 0;
    for (size_t i = 0; i < redact->count; i++) {
        const struct needle *needle = &redact->needles[i];
        size_t most = needle->length - 1 < length ? needle->length - 1 : length;
        for (size_t take = most; take >= REDACT_LENGTH_MIN && take > longest; take--)
            if (memcmp(bytes + length - take, needle->bytes, take) == 0)
                longest = take;
    }
    return longest;
}

/* Writes `bytes` without secrets into `out`. Returns whether there was one. */
static bool redact_bytes(const struct redact *redact, const char *bytes, size_t length, bool tail, struct buf *out)
{
    bool found = false;
    size_t cut = tail ? tail_length(redact, bytes, length) : 0;
    size_t at = 0;
    while (at < length) {
        const struct needle *needle = needle_at(redact, bytes + at, length - at);
        if (needle == NULL && at < length - cut) {
            buf_putc(out, bytes[at]);
            at++;
        } else {
            found = true;
            buf_puts(out, REDACTED);
            at = needle != NULL ? at + needle->length : length;
        }
    }
    return found;
}

static bool has_secret(const struct redact *redact, const char *bytes, size_t length, bool tail)
{
    for (size_t i = 0; i < redact->count; i++)
        if (memmem(bytes, length, redact->needles[i].bytes, redact->needles[i].length) != NULL)
            return true;
    return tail && tail_length(redact, bytes, length) > 0;
}

void redact_text(const struct redact *redact, struct text *text, bool tail)
{
    if (redact->count == 0 || text->len == 0)
        return;
    size_t mark = text->cut && text->len >= ELLIPSIS_LENGTH ? ELLIPSIS_LENGTH : 0;
    size_t length = text->len - mark;
    if (!has_secret(redact, text_str(text), length, tail || text->cut))
        return;
    bool escaped = text->escaped, cut = text->cut;
    size_t limit = text->cells > TEXT_LINE ? TEXT_BODY : TEXT_LINE;
    struct buf clean;
    buf_init(&clean, (size_t)text->len * sizeof REDACTED);
    redact_bytes(redact, text_str(text), length, tail || text->cut, &clean);
    buf_append(&clean, text_str(text) + length, mark);
    text_set(text, buf_str(&clean), clean.len, limit);
    text->escaped = escaped;
    text->cut = cut || text->cut;
    buf_free(&clean);
}

/* A string that stands in a spec. */
static void redact_string(const struct redact *redact, char **string)
{
    if (*string == NULL || !has_secret(redact, *string, strlen(*string), false))
        return;
    struct buf clean;
    buf_init(&clean, strlen(*string) * sizeof REDACTED);
    redact_bytes(redact, *string, strlen(*string), false, &clean);
    mem_free(*string);
    *string = mem_dup(buf_str(&clean));
    buf_free(&clean);
}

static void redact_container(const struct redact *redact, struct container_facts *container)
{
    struct text *const texts[] = {&container->name,        &container->image,   &container->container_id,
                                  &container->reason,      &container->message, &container->last.reason,
                                  &container->last.message};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        redact_text(redact, texts[i], false);
}

static void redact_pod(const struct redact *redact, struct pod_facts *facts)
{
    struct text *const texts[] = {&facts->name,           &facts->ns,       &facts->uid,          &facts->node,
                                  &facts->pod_ip,         &facts->workload, &facts->phase_reason, &facts->phase_message,
                                  &facts->expected_model, &facts->via,      &facts->context,      &facts->kubeconfig,
                                  &facts->cluster,        &facts->user,     &facts->as,           &facts->address};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        redact_text(redact, texts[i], false);
    struct condition *const conditions[] = {&facts->scheduled, &facts->initialized, &facts->containers_ready,
                                            &facts->ready};
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
        redact_text(redact, &conditions[i]->reason, false);
        redact_text(redact, &conditions[i]->message, false);
    }
    redact_container(redact, &facts->serving);
    redact_container(redact, &facts->sidecar);
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        struct probe_spec *spec = &facts->probes[lane];
        redact_string(redact, &spec->port_name);
        redact_string(redact, &spec->path);
        redact_string(redact, &spec->host);
        for (size_t i = 0; i < spec->header_count; i++)
            redact_string(redact, &spec->headers[i].name);
    }
}

static void redact_sample(const struct redact *redact, struct sample *sample)
{
    redact_text(redact, &sample->detail, false);
    redact_text(redact, &sample->body, true);
    for (int32_t i = 0; i < sample->model_count; i++)
        redact_text(redact, &sample->models[i], false);
}

static void redact_event(const struct redact *redact, struct fact *fact)
{
    redact_text(redact, &fact->u.event.reason, false);
    redact_text(redact, &fact->u.event.message, false);
    redact_text(redact, &fact->u.event.container, false);
    redact_text(redact, &fact->u.event.uid, false);
}

void redact_fact(const struct redact *redact, struct fact *fact)
{
    if (redact->count == 0)
        return;
    switch (fact->kind) {
    case FACT_HELLO:
        redact_text(redact, &fact->u.hello.title, false);
        break;
    case FACT_POD:
        redact_pod(redact, &fact->u.facts);
        break;
    case FACT_PROBE:
        redact_sample(redact, &fact->u.sample);
        break;
    case FACT_LOG:
        redact_text(redact, &fact->u.log.container, false);
        redact_text(redact, &fact->u.log.line, false);
        break;
    case FACT_EVENT:
        redact_event(redact, fact);
        break;
    case FACT_TUNNEL:
        redact_text(redact, &fact->u.tunnel.detail, false);
        break;
    case FACT_SOURCE:
        redact_text(redact, &fact->u.source.detail, false);
        break;
    case FACT_WORKLOAD:
        redact_text(redact, &fact->u.workload.words, false);
        break;
    case FACT_NOTE:
        redact_text(redact, &fact->u.note, false);
        break;
    case FACT_END:
        redact_text(redact, &fact->u.end, false);
        break;
    case FACT_GONE:
    case FACT_KIND_COUNT:
        break;
    }
}
