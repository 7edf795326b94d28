/* What `wait` says: sentences or JSON lines while it waits, the end with its reasons, annotations for GitHub and the JUnit report. wait.c decides, nobody else includes this. */
#ifndef PROBETOP_WAIT_TELL_H
#define PROBETOP_WAIT_TELL_H

#include "model/hopeless.h"
#include "tui/options.h"

/* Where a pod stands against what it is waited for. */
enum waited_state {
    WAITED_ON_THE_WAY,
    WAITED_THERE,
    WAITED_HOPELESS,
    WAITED_NOT_COUNTED, /* it is being deleted, or its workload makes another in its place */
    WAITED_GONE
};

/* A pod, from the moment it was first seen to the end of the wait: longer than the fleet may keep it. */
struct waited {
    uint32_t id;
    enum waited_state state;
    struct text name, ns, workload;
    int64_t first_seen, there_at; /* t; -1 not there */
    struct buf lines;             /* what was told of it, for the JUnit report */
    /* Its prospect, and when and over which of the pod's versions it was judged. */
    enum prospect prospect;
    int64_t judged_at; /* t; -1 never */
    uint64_t judged_version;
};

enum wait_end { WAIT_END_THERE, WAIT_END_HOPELESS, WAIT_END_TIMEOUT, WAIT_END_STOPPED, WAIT_END_FAILED };

struct wait_tell {
    const struct options *options;
    const struct fleet *fleet;
    struct buf line, plain;
    bool mute; /* standard output takes no more */
};
void wait_tell_init(struct wait_tell *tell, const struct options *options, const struct fleet *fleet);
void wait_tell_free(struct wait_tell *tell);

/* False: standard output takes no more. */
bool wait_tell_happening(struct wait_tell *tell, const struct pod *pod, const struct happening *happening,
                         struct waited *waited);
/* What concerns no pod in particular. `kind`: a word for programs, "source" or "note". */
bool wait_tell_general(struct wait_tell *tell, const char *kind, const struct text *words, int64_t t);

/* How it ended, and all that is known of why. */
struct wait_outcome {
    enum wait_end end;
    int exit_code;
    int64_t now; /* t */
    const struct waited *list;
    size_t count;
    size_t there, present;      /* pods that count */
    const struct text *rolling; /* of a rollout that is not done: how far it is; NULL: none */
    const char *words;          /* of WAIT_END_FAILED and WAIT_END_STOPPED: a sentence */
};
void wait_tell_end(struct wait_tell *tell, const struct wait_outcome *outcome);
/* The JUnit document. */
void wait_tell_junit(struct wait_tell *tell, const struct wait_outcome *outcome, struct buf *out);

#endif
