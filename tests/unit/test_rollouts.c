/* How a workload's status is read: as kubectl rollout status reads it. */
#include "kube/rollouts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const struct {
    const char *type, *members; /* beside the metadata, whose generation is 4 */
    bool rolled_out;
    const char *words;
} ROWS[] = {
    {"deploy", "\"spec\":{\"replicas\":3},\"status\":{\"observedGeneration\":4,\"replicas\":3,\"updatedReplicas\":3}",
     true, "deploy/decode: all its pods (3) are of its newest version"},
    {"deploy", "\"spec\":{\"replicas\":3},\"status\":{\"observedGeneration\":3,\"replicas\":3,\"updatedReplicas\":3}",
     false, "deploy/decode: its controller has not seen its newest version yet"},
    {"deploy", "\"spec\":{\"replicas\":3}", false, "deploy/decode: its controller has not seen its newest version yet"},
    {"deploy", "\"spec\":{\"replicas\":3},\"status\":{\"observedGeneration\":4,\"replicas\":4,\"updatedReplicas\":1}",
     false, "deploy/decode: 1 of 3 pods are of its newest version"},
    {"deploy", "\"spec\":{\"replicas\":3},\"status\":{\"observedGeneration\":4,\"replicas\":3}", false,
     "deploy/decode: 0 of 3 pods are of its newest version"},
    {"deploy", "\"spec\":{\"replicas\":3},\"status\":{\"observedGeneration\":4,\"replicas\":4,\"updatedReplicas\":3}",
     false, "deploy/decode: 1 pod is of an older version"},
    {"deploy", "\"spec\":{},\"status\":{\"observedGeneration\":5,\"replicas\":1,\"updatedReplicas\":1}",
     true, /* 1 by default */
     "deploy/decode: all its pods (1) are of its newest version"},
    {"deploy", "\"spec\":{\"replicas\":-7},\"status\":{\"observedGeneration\":4,\"replicas\":99999999999}", false,
     "deploy/decode: 2147483647 pods are of an older version"}, /* hostile */
    {"sts",
     "\"spec\":{\"replicas\":3,\"updateStrategy\":{\"type\":\"RollingUpdate\"}},\"status\":{\"observedGeneration\":4,"
     "\"replicas\":3,"
     "\"updatedReplicas\":1,\"currentRevision\":\"a\",\"updateRevision\":\"b\"}",
     false, "sts/decode: 1 of 3 pods are of its newest version"},
    {"sts", /* as it stands between rollouts */
     "\"spec\":{\"replicas\":3,\"updateStrategy\":{\"type\":\"RollingUpdate\"}},\"status\":{\"observedGeneration\":4,"
     "\"replicas\":3,"
     "\"currentRevision\":\"a\",\"updateRevision\":\"a\"}",
     true, "sts/decode: all its pods (3) are of its newest version"},
    {"sts", /* two are kept at the version before */
     "\"spec\":{\"replicas\":3,\"updateStrategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"partition\":2}}},"
     "\"status\":"
     "{\"observedGeneration\":4,\"replicas\":3,\"updatedReplicas\":1,\"currentRevision\":\"a\",\"updateRevision\":"
     "\"b\"}",
     true, "sts/decode: all its pods (3) are of its newest version"},
    {"sts", /* which pods are replaced is left to people */
     "\"spec\":{\"replicas\":3,\"updateStrategy\":{\"type\":\"OnDelete\"}},\"status\":{\"observedGeneration\":4,"
     "\"replicas\":3,"
     "\"updatedReplicas\":0,\"currentRevision\":\"a\",\"updateRevision\":\"b\"}",
     true, "sts/decode: all its pods (3) are of its newest version"},
    {"sts", /* pods are still to come */
     "\"spec\":{\"replicas\":3,\"updateStrategy\":{\"type\":\"RollingUpdate\"}},\"status\":{\"observedGeneration\":4,"
     "\"replicas\":1,"
     "\"currentRevision\":\"a\",\"updateRevision\":\"a\"}",
     false, "sts/decode: 1 of 3 pods are of its newest version"},
};

static void statuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char document[1024];
        struct json *object;
        struct workload_facts facts;
        memset(&facts, 0, sizeof facts);
        snprintf(document, sizeof document,
                 "{\"metadata\":{\"name\":\"decode\",\"namespace\":\"llm-d\",\"generation\":4},%s}", ROWS[i].members);
        assert_int_equal(json_parse(document, strlen(document), sizeof document, &object, NULL), STATUS_OK);
        rollout_take(ROWS[i].type, object, &facts);
        assert_string_equal(text_str(&facts.words), ROWS[i].words);
        assert_string_equal(text_str(&facts.ns), "llm-d");
        assert_int_equal(workload_is_rolled_out(&facts), ROWS[i].rolled_out);
        workload_facts_free(&facts);
        json_free(object);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(statuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
