/* Whether somebody answers just now: the API server itself, or a node behind it (nodes.h). One small GET through the proxy, asked while somebody waits and never otherwise (facts/kube.md 3.1: an API server that is silent looks like a pod
 * that hangs, and kubectl says nothing for 30 s and more). */
#ifndef PROBETOP_PULSE_H
#define PROBETOP_PULSE_H

#include "kube/api.h"

enum pulse_word {
    PULSE_UNKNOWN, /* it is being found out */
    PULSE_ANSWERS,
    PULSE_SILENT /* now, or at any moment since then */
};

struct pulse_options {
    uv_loop_t *loop;
    struct api *api; /* borrowed */
    int pace_ms;     /* between two requests, at the least */
    int silent_ms; /* without an answer: it is silent; three times as long as the last answer took where that is more, to 3 s */
    bool (*is_alive)(enum api_end end,
                     const char *words); /* whether this end of a request is an answer of whoever is asked */
    /* It answers no more (why: a sentence, or ""), or again; from the loop, never from within a call. */
    void (*changed)(void *user, bool silent, const char *why);
    void (*answered)(
        void *user); /* likewise: what was asked last is answered; after `changed`. NULL: nobody wants to know */
    void *user;
};

struct pulse;
struct pulse *pulse_new(const struct pulse_options *options);
/* Somebody waits: whether it answers, by a question that was asked at `since` (real µs) or later. Where that is not known yet it is asked, `path` (copied), and what comes of it is told, silence within silent_ms and a pace; no more is asked
 * than the pace allows, however often this is called. While it is silent it is asked again and again, since nobody else may be waiting any more when it is back. */
enum pulse_word pulse_ask(struct pulse *pulse, const char *path, int64_t since);
/* Whether it is silent, or was at any moment since then: what waited for it meanwhile may have waited in vain. */
bool pulse_was_silent(const struct pulse *pulse, int64_t since);
void pulse_free(struct pulse *pulse); /* no callback comes any more. NULL is fine */

#endif
