/* A pod as its description tells it, between the reader of lines (describe.c) and the writer of JSON (describe_json.c). Nobody else includes this. Slices point into the text; one without bytes was not told. */
#ifndef PROBETOP_DESCRIBE_DRAFT_H
#define PROBETOP_DESCRIBE_DRAFT_H

#include "base/json.h"
#include "kube/table.h"

enum { DRAFT_CONTAINERS_MAX = 32, DRAFT_LIST_MAX = 256 };

struct draft_list {
    struct slice *item; /* owned */
    uint32_t count;
};
void draft_add(struct draft_list *list, struct slice item);

struct draft_state {
    struct slice word, reason, message, exit_code, signal, started, finished;
};
enum draft_probe { DRAFT_LIVENESS, DRAFT_READINESS, DRAFT_STARTUP, DRAFT_PROBES };
struct draft_container {
    bool init;
    struct slice name, id, image, ports, restart_policy, restarts, ready, probe[DRAFT_PROBES];
    struct draft_state state, last;
    struct draft_list command, arguments, environment;
};
struct draft_pod {
    struct slice name, ns, node, start, status, reason, message, ip, owner;
    struct draft_list labels, conditions;
    struct draft_container *containers; /* DRAFT_CONTAINERS_MAX of them; owned */
    uint32_t container_count;
};
void draft_free(struct draft_pod *pod); /* leaves an empty one */
/* NULL where even that is too much to be read. */
struct json *draft_json(const struct draft_pod *pod);
struct json *table_pod_json(const struct told_pod *pod);

#endif
