#include "tests/support/cluster.h"

#include "base/clock.h"
#include "tests/support/run.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARGUMENTS_MAX = 24, COMMAND_MAX = 1024, NAMESPACE_MAX = 256, START_SECONDS = 90, PART_MAX = 64 };

static int shell(const char *dir, const char *command)
{
    struct run run;
    run_start(&run, (const char *const[]){"sh", "-c", command, NULL}, dir, NULL);
    run_wait_exit(&run);
    int code = run_code(&run);
    if (code != 0)
        fprintf(stderr, "%s: %s\n", command, buf_str(&run.out));
    run_end(&run);
    return code;
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && value[0];
}

bool cluster_is_there(void)
{
    return is_set("KUBECONFIG") && is_set("PROBETOP_IMAGE_LOADER") && !is_set("PROBETOP_SANITIZED");
}

void cluster_environment(const char *dir)
{
    signal(SIGPIPE, SIG_IGN);
    setenv("TMPDIR", dir, 1);
    setenv("TZ", "UTC", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
}

bool cluster_has_pod_server(const char *dir)
{
    char command[COMMAND_MAX];
    if (!is_set("PROBETOP_POD_SERVER"))
        return false;
    snprintf(command, sizeof command, "HOME='%s' %s local/probetop-pod:1 '%s'", getenv("HOME"),
             getenv("PROBETOP_IMAGE_LOADER"), getenv("PROBETOP_POD_SERVER"));
    return shell(dir, command) == 0;
}

int cluster_kubectl(const char *dir, struct buf *out, const char *const *arguments)
{
    const char *all[ARGUMENTS_MAX] = {"kubectl"};
    struct run run;
    for (size_t i = 0; arguments[i] && i < ARGUMENTS_MAX - 2; i++)
        all[i + 1] = arguments[i];
    run_start(&run, all, dir, NULL);
    run_wait_exit(&run);
    int code = run_code(&run);
    if (out) {
        buf_clear(out);
        buf_append(out, buf_str(&run.out), run.out.len);
    }
    if (code != 0)
        fprintf(stderr, "kubectl %s %s: %s\n", arguments[0], arguments[1], buf_str(&run.out));
    run_end(&run);
    return code;
}

void cluster_apply(const char *dir, const char *yaml)
{
    char path[COMMAND_MAX];
    snprintf(path, sizeof path, "%s/apply.yaml", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(yaml, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(CLUSTER_KUBECTL(dir, NULL, "apply", "-f", path), 0);
}

void cluster_namespace(const char *dir, const char *ns)
{
    char yaml[NAMESPACE_MAX];
    snprintf(yaml, sizeof yaml, "{apiVersion: v1, kind: Namespace, metadata: {name: %s}}\n", ns);
    cluster_apply(dir, yaml);
}

void cluster_namespace_end(const char *dir, const char *ns)
{
    CLUSTER_KUBECTL(dir, NULL, "delete", "namespace", ns, "--wait=false");
    CLUSTER_KUBECTL(dir, NULL, "delete", "pods", "--all", "-n", ns, "--force", "--grace-period=0", "--wait=false");
}

bool cluster_has_control(void)
{
    return is_set("PROBETOP_CLUSTER_CONTROL");
}

int cluster_control(const char *dir, const char *words)
{
    char command[COMMAND_MAX];
    snprintf(command, sizeof command, "HOME='%s' %s %s", getenv("HOME"), getenv("PROBETOP_CLUSTER_CONTROL"), words);
    return shell(dir, command);
}

void cluster_start(const char *dir, const char *part)
{
    int64_t deadline = clock_mono_us() + START_SECONDS * (int64_t)SECOND_US;
    char words[PART_MAX];
    snprintf(words, sizeof words, "start %s", part);
    while (cluster_control(dir, words) != 0)
        if (clock_mono_us() > deadline)
            fail_msg("%s does not come back", part);
}

void cluster_api_restart(const char *dir)
{
    int64_t deadline = clock_mono_us() + START_SECONDS * (int64_t)SECOND_US;
    if (cluster_control(dir, "kill apiserver") != 0)
        fail_msg("the API server cannot be killed");
    /* One that is being killed may still hold its port, and then the next one ends at once: it is started until it answers. Starting one that runs does nothing. */
    do {
        if (clock_mono_us() > deadline)
            fail_msg("the API server does not come back");
        cluster_control(dir, "start apiserver");
    } while (CLUSTER_KUBECTL(dir, NULL, "get", "--raw", "/readyz") != 0);
}
