/* What an answer means: (transport, status, body, tunnel's word) -> one outcome, one cause, one sentence, and who answered. Pure and total: every combination
 * has its row, see tests/unit/test_classify.c. Rules: facts/kube.md 1.2.10, 1.6, 3.1; facts/vllm.md 1.2 to 1.4 and 1.8. */
#ifndef PROBETOP_CLASSIFY_H
#define PROBETOP_CLASSIFY_H

#include "model/fact.h"
#include "probe/http.h"

/* What classification needs to know about the question. */
struct classify_question {
    enum lane_kind lane;
    enum probe_action action;
    const char *path; /* of the spec; "" for tcpSocket */
    bool https;
    bool proxied;            /* the pods' proxy of the API server lies between, and kubectl's in front of that */
    bool tunnelled;          /* a stream tunnel lies between: an empty reply then needs the tunnel's word */
    enum tunnel_word tunnel; /* how the way is, by whatever way; TUNNEL_UP for direct */
    const char *said;        /* with that word, by the far side of the tunnel; hostile; "" or NULL nothing */
    bool behind_sidecar;     /* the asked port is the sidecar's */
    /* Who has shown to serve in this run: ANSWERER_VLLM (its /health was good, or its /v1/models says so), ANSWERER_SGLANG, or ANSWERER_NOBODY: not known yet. A Server header alone says only uvicorn,
     * which both have, and a 503 of /health that is a dead engine of vLLM's is the start of an SGLang that loads (facts/vllm.md 1.3). */
    enum answerer known;
    const char *expected_model; /* "" any */
};

/* Fills outcome, cause, answerer, status, times (times `speed`), redirects, detail, body (when not OK), models of `sample`. sample->lane etc. are set too; sent, late
 * and attempt are the caller's. */
void classify(const struct classify_question *question, const struct http_result *result, double speed,
              struct sample *sample);

/* A probe that was never sent: UNKNOWN with the tunnel's or our own reason. */
void classify_unsent(enum lane_kind lane, enum probe_action action, enum tunnel_word tunnel, struct sample *sample);

/* A probe that got no answer, and of which has become known since that the way was to blame: UNKNOWN, with `words` about that way. */
void classify_lost(enum tunnel_word tunnel, const char *words, struct sample *sample);

#endif
