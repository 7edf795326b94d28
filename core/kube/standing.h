/* Where the source stands, and how to say it: whose fault it is that nothing is known, and what to do about it. Pure. */
#ifndef PROBETOP_STANDING_H
#define PROBETOP_STANDING_H

#include "base/buf.h"
#include "kube/api.h"
#include "kube/kubectl.h"
#include "kube/rights.h"
#include "model/fact.h"

/* All strings borrowed, none NULL but `ns`. */
struct standing {
    const char *context; /* "" not known yet */
    const char *ns;      /* NULL: all namespaces */
    bool no_context;     /* kubectl could not say which cluster is meant: `word`, `words` */
    enum proxy_state proxy;
    enum kubectl_word word; /* of the proxy's end, or of kubectl's failure */
    const char
        *words; /* with OTHER, while it starts or serves: what it, or its credential plugin, says to the person */
    enum api_end pods; /* how listing and watching of pods goes */
    const char *pods_words;
    bool silent; /* the API server does not answer just now: `silent_words` */
    const char *silent_words;
    bool listed; /* a whole list has come */
    bool asked;  /* the person chose the pods: nothing was looked for */
    struct rights_wanted rights;
    size_t seen, ours; /* pods */
    const char *signs; /* "label llm-d.ai/role (3)": by what ours were found */
    const char *looks; /* "nginx, redis": what the others look like */
    const char *pools; /* what is wrong with the pools that were asked for; NULL or "": nothing */
};
enum source_state standing_tell(const struct standing *standing, struct buf *words);

#endif
