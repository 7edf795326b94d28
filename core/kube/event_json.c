/* core/v1 events to facts. They are the kubelet's own words and never its count: see facts/kube.md 2.2. */
#include "kube/container.h"
#include "kube/discover.h"

#include <string.h>

/* "spec.containers{vllm}" and "spec.initContainers{vllm}" name a container; others are about the pod as a whole. */
static void container_of(const struct json *involved, struct text *out)
{
    const char *path = json_string(json_get(involved, "fieldPath"));
    const char *open = path != NULL ? strchr(path, '{') : NULL;
    const char *close = open != NULL ? strchr(open, '}') : NULL;
    if (close != NULL)
        text_set(out, open + 1, (size_t)(close - open - 1), TEXT_NAME);
}

static int32_t count_of(const struct json *event)
{
    int64_t count = json_int(json_get(event, "count"), 0);
    if (count < 1)
        count = json_int(json_get(json_get(event, "series"), "count"), 1);
    return count < 1 ? 1 : count > INT32_MAX ? INT32_MAX : (int32_t)count;
}

/* The newest and the oldest of the times it has. False: it has none. */
static bool times_of(const struct json *event, const struct clock *clock, int64_t *first, int64_t *last)
{
    const struct json *times[] = {json_get(event, "firstTimestamp"), json_get(event, "lastTimestamp"),
                                  json_get(event, "eventTime"), json_get(json_get(event, "series"), "lastObservedTime"),
                                  json_get(json_get(event, "metadata"), "creationTimestamp")};
    bool any = false;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        int64_t t;
        if (!json_moment(times[i], clock, &t))
            continue;
        *first = !any || t < *first ? t : *first;
        *last = !any || t > *last ? t : *last;
        any = true;
    }
    return any;
}

bool event_from_json(const struct json *event, const struct clock *clock, struct fact *out, const char **pod_uid)
{
    const struct json *involved = json_get(event, "involvedObject");
    const char *kind = json_string(json_get(involved, "kind")), *type = json_string(json_get(event, "type"));
    int64_t first = 0, last = 0;
    *pod_uid = json_string(json_get(involved, "uid"));
    if (kind == NULL || strcmp(kind, "Pod") != 0 || *pod_uid == NULL || !times_of(event, clock, &first, &last))
        return false;
    fact_init(out, FACT_EVENT, 0);
    out->t = last;
    out->u.event.first = first;
    out->u.event.last = last;
    out->u.event.count = count_of(event);
    out->u.event.warning = type != NULL && strcmp(type, "Warning") == 0;
    json_text(json_get(event, "reason"), &out->u.event.reason, TEXT_NAME);
    json_text(json_get(event, "message"), &out->u.event.message, TEXT_LINE);
    json_text(json_get(json_get(event, "metadata"), "uid"), &out->u.event.uid, TEXT_NAME);
    container_of(involved, &out->u.event.container);
    return true;
}
