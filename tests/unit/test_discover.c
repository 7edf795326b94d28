/* Which pods are ours, by which sign, and what of them is asked: every shape of deployment that facts/vllm.md 4 knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kube/container.h"
#include "kube/discover.h"
#include "tests/support/pod_file.h"

static const char *or_none(const char *string)
{
    return string != NULL ? string : "-";
}

static void test_deployments(void **state)
{
    static const struct {
        const char *file, *sign, *serving, *sidecar;
        enum role role;
        int32_t serving_port, vllm_port;
    } ROWS[] = {
        {"recipe-prefill", "label llm-d.ai/role", "modelserver", "-", ROLE_PREFILL, 8000, 8000},
        {"recipe-decode", "label llm-d.ai/role", "modelserver", "routing-proxy", ROLE_DECODE, 8000, 8200},
        {"multi-host-leader", "label llm-d.ai/role", "modelserver-leader", "-", ROLE_DECODE, 8000, 8000},
        {"multi-host-worker", "label llm-d.ai/role", "modelserver-worker", "-", ROLE_WORKER, 0, 0},
        {"wide-ep-prefill", "label llm-d.ai/role", "vllm", "-", ROLE_PREFILL, 8000, 8000},
        {"wide-ep-decode", "label llm-d.ai/role", "vllm", "routing-proxy", ROLE_DECODE, 8000, 8200},
        {"wide-ep-older-decode", "label llm-d.ai/role", "vllm-worker", "routing-proxy", ROLE_DECODE, 8000, 8200},
        {"ms-sim-decode", "label llm-d.ai/role", "vllm", "routing-proxy", ROLE_DECODE, 8000, 8200},
        {"modelservice-decode", "label llm-d.ai/role", "vllm", "routing-proxy", ROLE_DECODE, 8000, 8200},
        {"modelservice-prefill", "label llm-d.ai/role", "vllm", "-", ROLE_PREFILL, 8000, 8000},
        {"router-dev-decode", "label llm-d.ai/role", "vllm", "routing-sidecar", ROLE_DECODE, 8000, 8200},
        {"gpu-deployment", "command has vllm.entrypoints", "vllm", "-", ROLE_STANDALONE, 8000, 8000},
        {"kserve-decode", "label llm-d.ai/role", "main", "llm-d-routing-sidecar", ROLE_DECODE, 8000, 8001},
        {"kserve-single", "label of an LLMInferenceService's workload", "main", "-", ROLE_STANDALONE, 8000, 8000},
        {"standalone", "command has vllm serve", "server", "-", ROLE_STANDALONE, 8000, 8000},
        {"shell-port", "command has vllm serve", "server", "-", ROLE_STANDALONE, 9000, 9000},
        /* vLLM's own default is where it listens, whatever its ports and probes say. */
        {"wrong-port", "command has vllm serve", "vllm", "-", ROLE_STANDALONE, 8000, 8000},
        {"other-probes", "image is vLLM's", "vllm", "-", ROLE_STANDALONE, 50051, 50051},
        {"headers", "image is vLLM's", "vllm", "-", ROLE_STANDALONE, 8000, 8000},
        {"real-decode", "label llm-d.ai/role", "vllm", "routing-proxy", ROLE_DECODE, 8000, 8200},
        {"real-crash", "container named vllm", "vllm", "-", ROLE_STANDALONE, 8000, 8000},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct json *pod = pod_file(ROWS[i].file);
        struct discovery found;
        discover_pod(pod, false, &found);
        if (!found.is_ours || strcmp(or_none(found.sign), ROWS[i].sign) != 0 ||
            strcmp(or_none(found.serving), ROWS[i].serving) != 0 ||
            strcmp(or_none(found.sidecar), ROWS[i].sidecar) != 0 || found.role != ROWS[i].role ||
            found.serving_port != ROWS[i].serving_port || found.vllm_port != ROWS[i].vllm_port) {
            fail_msg("%s: ours %d, by \"%s\", %s, %s, role \"%s\", %d, %d", ROWS[i].file, found.is_ours,
                     or_none(found.sign), or_none(found.serving), or_none(found.sidecar), role_name(found.role),
                     (int)found.serving_port, (int)found.vllm_port);
        }
        json_free(pod);
    }
}

static void test_others(void **state)
{
    static const char *const FILES[] = {"nginx", "epp", "gateway"};
    (void)state;
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        struct json *pod = pod_file(FILES[i]);
        struct discovery found;
        discover_pod(pod, false, &found);
        if (found.is_ours || found.sign != NULL)
            fail_msg("%s is taken for ours: %s", FILES[i], or_none(found.sign));
        discover_pod(pod, true, &found);
        assert_true(found.is_ours);
        assert_string_equal(found.sign, "asked for");
        assert_non_null(found.serving);
        assert_int_equal(found.role, ROLE_NONE);
        json_free(pod);
    }
    struct json *web = pod_file("nginx");
    struct discovery found;
    discover_pod(web, true, &found);
    assert_int_equal(found.serving_port, 80);
    json_free(web);
}

/* ---- single signs ---- */

static struct json *json_of(const char *text)
{
    struct json *document;
    struct problem problem = {""};
    if (json_parse(text, strlen(text), 1 << 20, &document, &problem) != STATUS_OK)
        fail_msg("%s: %s", text, problem.text);
    return document;
}

static void test_signs(void **state)
{
    static const struct {
        const char *pod, *sign; /* "-": not ours */
    } ROWS[] = {
        {"{'metadata':{'labels':{'app':'vllm'}},'spec':{'containers':[{'name':'c','image':'x'}]}}", "label app=vllm"},
        {"{'metadata':{'labels':{'app':'vllm'}},'spec':{'containers':[{'name':'c','image':'vllm-router:1'}]}}", "-"},
        {"{'metadata':{'labels':{'app.kubernetes.io/name':'vllm'}},'spec':{'containers':[{'name':'c'}]}}",
         "label app.kubernetes.io/name=vllm"},
        {"{'metadata':{'labels':{'llm-d.ai/model':'m'}},'spec':{'containers':[{'name':'c'}]}}", "a label llm-d.ai/..."},
        {"{'metadata':{'labels':{'llm-d.ai/inference-serving':'true'}},'spec':{'containers':[{'name':'c'}]}}",
         "label llm-d.ai/inference-serving"},
        {"{'metadata':{'labels':{'llm-d.ai/inference-serving':'false'}},'spec':{'containers':[{'name':'c'}]}}",
         "a label llm-d.ai/..."},
        {"{'metadata':{'labels':{'llm-d.ai/engine-type':'sglang'}},'spec':{'containers':[{'name':'c'}]}}",
         "label llm-d.ai/engine-type"},
        {"{'spec':{'containers':[{'name':'modelserver','image':'x'}]}}", "container named modelserver"},
        {"{'spec':{'containers':[{'name':'c','image':'r:5000/a/vllm-openai@sha256:00'}]}}", "image is vLLM's"},
        {"{'spec':{'containers':[{'name':'c','image':'vllm.example/nothing:1'}]}}", "-"},
        {"{'spec':{'containers':[{'name':'c','args':['--served-model-name=x']}]}}", "arguments are vLLM's"},
        {"{'spec':{'containers':[{'name':'c','args':['serve','vllm']}]}}", "-"},
        {"{'spec':{'containers':[{'name':'c','args':['/opt/vllm','serve']}]}}", "command has vllm serve"},
        {"{'spec':{'containers':[{'name':'c','livenessProbe':{'httpGet':{'path':'/v1/models','port':1}}}]}}",
         "probe asks /v1/models"},
        {"{'spec':{'containers':[{'name':'c','livenessProbe':{'httpGet':{'path':'/health','port':1}}}]}}", "-"},
        {"{'spec':{'containers':[{'name':'c','image':'x','args':['--model','m','--port','1']}]}}", "-"},
        {"{'spec':{'initContainers':[{'name':'vllm','image':'vllm'}],'containers':[{'name':'c','image':'x'}]}}", "-"},
        {"{}", "-"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char *text = mem_dup(ROWS[i].pod);
        for (char *c = text; *c != '\0'; c++)
            *c = *c == '\'' ? '"' : *c;
        struct json *pod = json_of(text);
        struct discovery found;
        discover_pod(pod, false, &found);
        if (strcmp(or_none(found.sign), ROWS[i].sign) != 0 || found.is_ours != (found.sign != NULL))
            fail_msg("%s: \"%s\"", ROWS[i].pod, or_none(found.sign));
        json_free(pod);
        mem_free(text);
    }
}

/* ---- arguments ---- */

static void test_command(void **state)
{
    static const struct {
        const char *container;
        int32_t port;
    } ROWS[] = {
        {"{'args':['--port','8200']}", 8200},
        {"{'args':['--port=8200']}", 8200},
        {"{'command':['sh','-c','exec vllm serve m --port 8200 2>&1 | tee /log']}", 8200},
        {"{'command':['sh','-c','exec vllm serve m \\\\\\n --port=8200\\n']}", 8200},
        {"{'command':['sh','-c','vllm serve m --port \\\"8200\\\";sleep 1']}", 8200},
        {"{'command':['x','--port','1'],'args':['--port','2']}", 1},
        {"{'command':['x'],'args':['--portal','1','--port','2']}", 2},
        {"{'args':['--port','$(P)'],'env':[{'name':'P','value':'7000'}]}", 7000},
        {"{'args':['--port=${P}'],'env':[{'name':'PP','value':'1'},{'name':'P','value':'7000'}]}", 7000},
        {"{'args':['--port','$P'],'env':[{'name':'P','valueFrom':{'fieldRef':{}}}]}", 0},
        {"{'command':['sh','-c','vllm serve --port ${P:-7001}']}", 7001},
        {"{'args':['--port','$((8000+1))']}", 0},
        {"{'args':['--port']}", 0},
        {"{'args':['--port','0']}", 0},
        {"{'args':['--port','65536']}", 0},
        {"{'args':['--port','99999999999999999999']}", 0},
        {"{'args':['--port','-1']}", 0},
        {"{'args':['--port','80a']}", 0},
        {"{'args':'--port 80'}", 0},
        {"{'args':{'a':'--port','b':'80'}}", 80}, /* an object in an array's place: members are as good as elements */
        {"{'args':[1,null,[],'--port',{},'80']}", 80},
        {"[]", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char *text = mem_dup(ROWS[i].container);
        for (char *c = text; *c != '\0'; c++)
            *c = *c == '\'' ? '"' : *c;
        struct json *container = json_of(text);
        int32_t port = command_port(container, "--port");
        if (port != ROWS[i].port)
            fail_msg("%s: %d", ROWS[i].container, (int)port);
        json_free(container);
        mem_free(text);
    }
}

/* ---- targets ---- */

static void test_target_parse(void **state)
{
    static const struct {
        const char *argument, *name; /* NULL: refused */
        enum target_kind kind;
    } ROWS[] = {
        {"pod/x", "x", TARGET_POD},
        {"po/x-1.y", "x-1.y", TARGET_POD},
        {"Pods/x", "x", TARGET_POD},
        {"deploy/x", "x", TARGET_DEPLOYMENT},
        {"deployments/x", "x", TARGET_DEPLOYMENT},
        {"deployment.apps/x", "x", TARGET_DEPLOYMENT},
        {"deployments.v1.apps/x", "x", TARGET_DEPLOYMENT},
        {"sts/x", "x", TARGET_STATEFULSET},
        {"statefulset.apps/x", "x", TARGET_STATEFULSET},
        {"lws/x", "x", TARGET_LWS},
        {"leaderworkersets.leaderworkerset.x-k8s.io/x", "x", TARGET_LWS},
        {"pool/x", "x", TARGET_POOL},
        {"inferencepool/x", "x", TARGET_POOL},
        {"inferencepools.inference.networking.k8s.io/x", "x", TARGET_POOL},
        {"inferencepool.inference.networking.x-k8s.io/x", "x", TARGET_POOL},
        {"inferencepools.v1alpha2.inference.networking.x-k8s.io/x", "x", TARGET_POOL},
        {"deployment.extensions/x", NULL, TARGET_POD},
        {"rs/x", NULL, TARGET_POD},
        {"pod/", NULL, TARGET_POD},
        {"pod/X", NULL, TARGET_POD},
        {"pod/-x", NULL, TARGET_POD},
        {"pod/x-", NULL, TARGET_POD},
        {"pod/x..y", NULL, TARGET_POD},
        {"pod/x/y", NULL, TARGET_POD},
        {"pod/../../secrets", NULL, TARGET_POD},
        {"pod/x?y", NULL, TARGET_POD},
        {"/x", NULL, TARGET_POD},
        {"pod", NULL, TARGET_POD},
        {"", NULL, TARGET_POD},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct kube_target target;
        struct problem problem = {""};
        enum status status = kube_target_parse(ROWS[i].argument, &target, &problem);
        bool well = ROWS[i].name != NULL;
        if ((status == STATUS_OK) != well ||
            (well && (target.kind != ROWS[i].kind || strcmp(target.name, ROWS[i].name) != 0)) ||
            (!well && (strstr(problem.text, "expected") == NULL || target.name != NULL))) {
            fail_msg("\"%s\": %d, %d, %s, %s", ROWS[i].argument, (int)status, (int)target.kind, or_none(target.name),
                     problem.text);
        }
        mem_free(target.name);
    }
    char longest[300] = "pod/";
    struct kube_target target;
    struct problem problem;
    memset(longest + 4, 'a', 254);
    assert_int_equal(kube_target_parse(longest, &target, &problem), STATUS_BAD_INPUT);
    longest[4 + 253] = '\0';
    assert_int_equal(kube_target_parse(longest, &target, &problem), STATUS_OK);
    mem_free(target.name);
}

static void test_owners(void **state)
{
    static const struct {
        const char *file, *workload, *has, *has_not;
    } ROWS[] = {
        {"recipe-decode", "deploy/ms-pd-decode", "deploy/ms-pd-decode", "deploy/ms-pd"},
        {"recipe-prefill", "deploy/ms-pd-prefill", "pod/ms-pd-prefill-6d4b75cb6d-x2x9k", "pod/ms-pd-prefill"},
        {"multi-host-leader", "lws/decode", "lws/decode", "lws/decode-0"},
        {"multi-host-worker", "lws/decode", "lws/decode", "deploy/decode"},
        {"standalone", "sts/vllm", "sts/vllm", "deploy/vllm"},
        {"shell-port", "", "pod/shell-0", "sts/shell"},
        {"real-decode", "deploy/decode", "deploy/decode", "pool/decode"},
        {"nginx", "deploy/web", "deploy/web", "sts/web"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct json *pod = pod_file(ROWS[i].file);
        struct text workload = {0};
        struct kube_target has, has_not;
        struct problem problem = {""};
        pod_workload(pod, &workload);
        assert_string_equal(text_str(&workload), ROWS[i].workload);
        assert_int_equal(kube_target_parse(ROWS[i].has, &has, &problem), STATUS_OK);
        assert_int_equal(kube_target_parse(ROWS[i].has_not, &has_not, &problem), STATUS_OK);
        if (!kube_target_has(&has, pod) || kube_target_has(&has_not, pod)) {
            fail_msg("%s: %s %d, %s %d", ROWS[i].file, ROWS[i].has, kube_target_has(&has, pod), ROWS[i].has_not,
                     kube_target_has(&has_not, pod));
        }
        mem_free(has.name);
        mem_free(has_not.name);
        text_free(&workload);
        json_free(pod);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deployments), cmocka_unit_test(test_others),       cmocka_unit_test(test_signs),
        cmocka_unit_test(test_command),     cmocka_unit_test(test_target_parse), cmocka_unit_test(test_owners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
