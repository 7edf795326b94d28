#include "model/fact.h"

#include <string.h>

const char *fact_kind_name(enum fact_kind kind)
{
    static const char *const names[FACT_KIND_COUNT] = {
#define X(id, name) [id] = name,
        FACT_TABLE(X)
#undef X
    };
    return (unsigned)kind < FACT_KIND_COUNT ? names[kind] : "unknown";
}

const char *tunnel_word_name(enum tunnel_word word)
{
    static const char *const names[TUNNEL_WORD_COUNT] = {
#define X(id, name) [id] = name,
        TUNNEL_WORD_TABLE(X)
#undef X
    };
    return (unsigned)word < TUNNEL_WORD_COUNT ? names[word] : "unknown";
}

const char *source_state_name(enum source_state state)
{
    static const char *const names[SOURCE_STATE_COUNT] = {
        [SOURCE_STARTING] = "starting", [SOURCE_WATCHING] = "watching", [SOURCE_NONE_FOUND] = "none-found",
        [SOURCE_LOST] = "lost",         [SOURCE_DENIED] = "denied",     [SOURCE_NO_CLUSTER] = "no-cluster",
        [SOURCE_REFUSED] = "refused",
    };
    return (unsigned)state < SOURCE_STATE_COUNT ? names[state] : "unknown";
}

void fact_init(struct fact *fact, enum fact_kind kind, uint32_t pod)
{
    memset(fact, 0, sizeof *fact);
    fact->kind = kind;
    fact->pod = pod;
    if (kind == FACT_PROBE)
        sample_init(&fact->u.sample);
    else if (kind == FACT_POD)
        fact->u.facts.id = pod;
    else if (kind == FACT_LOG)
        fact->u.log.written = -1;
    else if (kind == FACT_TUNNEL)
        fact->u.tunnel.round_trip = -1;
}

void fact_free(struct fact *fact)
{
    switch (fact->kind) {
    case FACT_HELLO:
        text_free(&fact->u.hello.title);
        text_free(&fact->u.hello.source);
        text_free(&fact->u.hello.program);
        break;
    case FACT_POD:
        pod_facts_free(&fact->u.facts);
        break;
    case FACT_PROBE:
        sample_free(&fact->u.sample);
        break;
    case FACT_LOG:
        text_free(&fact->u.log.container);
        text_free(&fact->u.log.line);
        break;
    case FACT_EVENT:
        text_free(&fact->u.event.reason);
        text_free(&fact->u.event.message);
        text_free(&fact->u.event.container);
        text_free(&fact->u.event.uid);
        break;
    case FACT_TUNNEL:
        text_free(&fact->u.tunnel.detail);
        break;
    case FACT_SOURCE:
        text_free(&fact->u.source.detail);
        break;
    case FACT_WORKLOAD:
        workload_facts_free(&fact->u.workload);
        break;
    case FACT_NOTE:
        text_free(&fact->u.note);
        break;
    case FACT_END:
        text_free(&fact->u.end);
        break;
    case FACT_GONE:
    case FACT_KIND_COUNT:
        break;
    }
}
