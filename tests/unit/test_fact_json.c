/* Facts as lines: everything comes back, nothing secret goes out, nothing hostile comes in. */
#include "engine/fact_json.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void encode(const struct fact *fact, struct buf *out)
{
    buf_init(out, 2 * FACT_LINE_MAX);
    assert_int_equal(fact_encode(fact, out), STATUS_OK);
    assert_int_equal(strlen(out->data), out->len);
    assert_ptr_equal(strchr(out->data, '\n'), out->data + out->len - 1); /* one line */
}

/* The fact's line is this one, and reading it and writing it again gives the same. Frees the fact. */
static void assert_line(struct fact *fact, const char *expected)
{
    struct buf first, second;
    struct fact decoded;
    struct problem problem = {0};
    encode(fact, &first);
    if (expected != NULL) {
        first.data[first.len - 1] = '\0';
        assert_string_equal(first.data, expected);
        first.data[first.len - 1] = '\n';
    }
    enum status status = fact_decode(first.data, first.len, &decoded, &problem);
    assert_string_equal(problem.text, "");
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(decoded.kind, fact->kind);
    assert_int_equal(decoded.pod, fact->pod);
    assert_true(decoded.t == fact->t);
    encode(&decoded, &second);
    assert_string_equal(second.data, first.data);
    buf_free(&first);
    buf_free(&second);
    fact_free(&decoded);
    fact_free(fact);
}

static void set(struct text *text, const char *string)
{
    text_set_str(text, string, TEXT_BODY);
}

/* ---- each kind in full: every field set, to a value of its own ---- */

static void test_small_kinds(void **state)
{
    (void)state;
    struct fact fact;
    fact_init(&fact, FACT_HELLO, 0);
    fact.u.hello.version = 1;
    fact.u.hello.mono_zero = INT64_C(123456789012345);
    fact.u.hello.wall_zero = INT64_C(1795701802000001);
    fact.u.hello.speed = 2.5;
    set(&fact.u.hello.title, "prod-west/llm-d");
    set(&fact.u.hello.source, "kubernetes");
    set(&fact.u.hello.program, "probetop 0.1.0");
    assert_line(&fact,
                "{\"k\":\"hello\",\"t\":0,\"version\":1,\"mono_zero\":123456789012345,\"wall_zero\":1795701802000001,"
                "\"speed\":2.5,\"title\":\"prod-west/llm-d\",\"source\":\"kubernetes\","
                "\"program\":\"probetop 0.1.0\"}");
    fact_init(&fact, FACT_GONE, UINT32_MAX);
    fact.t = 5;
    assert_line(&fact, "{\"k\":\"gone\",\"t\":5,\"pod\":4294967295}");
    fact_init(&fact, FACT_LOG, 2);
    fact.t = 6;
    set(&fact.u.log.container, "vllm");
    set(&fact.u.log.line, "INFO \"q\" \xe2\x82\xac");
    fact.u.log.previous = true;
    fact.u.log.sidecar = true;
    fact.u.log.written = -7;
    assert_line(&fact, "{\"k\":\"log\",\"t\":6,\"pod\":2,\"container\":\"vllm\",\"line\":\"INFO \\\"q\\\" \\u20ac\","
                       "\"previous\":true,\"sidecar\":true,\"written\":-7}");
    fact_init(&fact, FACT_EVENT, 2);
    set(&fact.u.event.reason, "Unhealthy");
    set(&fact.u.event.message, "Readiness probe failed");
    set(&fact.u.event.container, "vllm");
    set(&fact.u.event.uid, "u-1");
    fact.u.event.warning = true;
    fact.u.event.count = 3;
    fact.u.event.first = -10;
    fact.u.event.last = 20;
    assert_line(&fact,
                "{\"k\":\"event\",\"t\":0,\"pod\":2,\"reason\":\"Unhealthy\",\"message\":\"Readiness probe failed\","
                "\"container\":\"vllm\",\"uid\":\"u-1\",\"warning\":true,\"count\":3,\"first\":-10,\"last\":20}");
    fact_init(&fact, FACT_TUNNEL, 2);
    fact.u.tunnel.word = TUNNEL_REFUSED_IN_POD;
    fact.u.tunnel.round_trip = 12000;
    set(&fact.u.tunnel.detail, "d");
    assert_line(
        &fact,
        "{\"k\":\"tunnel\",\"t\":0,\"pod\":2,\"word\":\"refused-in-pod\",\"round_trip\":12000,\"detail\":\"d\"}");
    fact_init(&fact, FACT_SOURCE, 0);
    fact.u.source.state = SOURCE_DENIED;
    set(&fact.u.source.detail, "d");
    assert_line(&fact, "{\"k\":\"source\",\"t\":0,\"state\":\"denied\",\"detail\":\"d\"}");
    fact_init(&fact, FACT_WORKLOAD, 0);
    fact.u.workload.observed = true;
    fact.u.workload.desired = 8;
    fact.u.workload.updated = 3;
    fact.u.workload.total = 10;
    set(&fact.u.workload.name, "deploy/decode");
    set(&fact.u.workload.ns, "llm-d");
    set(&fact.u.workload.words, "w");
    assert_line(
        &fact,
        "{\"k\":\"workload\",\"t\":0,\"name\":\"deploy/decode\",\"ns\":\"llm-d\",\"observed\":true,\"desired\":8,"
        "\"updated\":3,\"total\":10,\"words\":\"w\"}");
    fact_init(&fact, FACT_NOTE, 0);
    set(&fact.u.note, "n");
    assert_line(&fact, "{\"k\":\"note\",\"t\":0,\"text\":\"n\"}");
    fact_init(&fact, FACT_END, 0);
    set(&fact.u.end, "e");
    assert_line(&fact, "{\"k\":\"end\",\"t\":0,\"text\":\"e\"}");
}

static void test_probe(void **state)
{
    (void)state;
    struct fact fact;
    fact_init(&fact, FACT_PROBE, 3);
    fact.t = 1000;
    fact.u.sample = (struct sample){.lane = LANE_READINESS,
                                    .outcome = OUTCOME_FAIL,
                                    .cause = PROBE_CAUSE_STATUS,
                                    .answerer = ANSWERER_SIDECAR,
                                    .status = 503,
                                    .attempt = 2,
                                    .sent = 900,
                                    .dns = 1,
                                    .connect = 2,
                                    .tls = 3,
                                    .first_byte = 4,
                                    .total = 5,
                                    .tunnel = 6,
                                    .late = 7,
                                    .is_late = true,
                                    .redirects = 8,
                                    .model_count = -1};
    set(&fact.u.sample.detail, "detail");
    set(&fact.u.sample.body, "body");
    set(sample_add_model(&fact.u.sample), "a/b");
    set(sample_add_model(&fact.u.sample), "c\x1b");
    assert_line(&fact,
                "{\"k\":\"probe\",\"t\":1000,\"pod\":3,\"lane\":\"readiness\",\"out\":\"fail\",\"cause\":\"status\","
                "\"who\":\"sidecar\",\"status\":503,\"try\":2,\"sent\":900,\"dns\":1,\"conn\":2,\"tls\":3,"
                "\"first\":4,\"total\":5,\"tunnel\":6,\"late\":7,\"behind\":true,\"redirects\":8,"
                "\"detail\":\"detail\",\"body\":\"body\",\"models\":[\"a/b\",[\"c\\\\x1b\",\"e\"]]}");
    /* What is not known is not there, and comes back as not known. */
    fact_init(&fact, FACT_PROBE, 3);
    assert_line(&fact, "{\"k\":\"probe\",\"t\":0,\"pod\":3,\"lane\":\"startup\",\"out\":\"unknown\"}");
    struct problem problem = {0};
    const char *line = "{\"k\":\"probe\",\"t\":0,\"pod\":3}";
    assert_int_equal(fact_decode(line, strlen(line), &fact, &problem), STATUS_OK);
    assert_true(fact.u.sample.dns == -1 && fact.u.sample.connect == -1 && fact.u.sample.tls == -1);
    assert_true(fact.u.sample.first_byte == -1 && fact.u.sample.total == -1 && fact.u.sample.tunnel == -1);
    assert_int_equal(fact.u.sample.model_count, -1);
    fact_free(&fact);
    /* An empty list of models is something else than no list. */
    fact_init(&fact, FACT_PROBE, 3);
    fact.u.sample.model_count = 0;
    assert_line(&fact, "{\"k\":\"probe\",\"t\":0,\"pod\":3,\"lane\":\"startup\",\"out\":\"unknown\",\"models\":[]}");
}

static void fill_container(struct container_facts *container)
{
    set(&container->name, "n");
    set(&container->image, "im");
    set(&container->container_id, "cid");
    container->state = CONTAINER_TERMINATED;
    set(&container->reason, "r");
    set(&container->message, "m");
    container->started_at = -1;
    container->started_at_known = true;
    container->last =
        (struct termination){.known = true, .exit_code = 137, .signal = 9, .started_at = -3, .finished_at = -2};
    set(&container->last.reason, "lr");
    set(&container->last.message, "lm");
    container->restart_count = 4;
    container->started = TRI_TRUE;
    container->ready = TRI_FALSE;
    container->exists = true;
}

static const char container_line[] =
    "{\"exists\":true,\"name\":\"n\",\"image\":\"im\",\"id\":\"cid\",\"state\":\"terminated\",\"reason\":\"r\","
    "\"message\":\"m\",\"started_at\":-1,\"started_at_known\":true,\"last\":{\"known\":true,\"exit\":137,\"signal\":9,"
    "\"reason\":\"lr\",\"message\":\"lm\",\"started_at\":-3,\"finished_at\":-2},\"restarts\":4,\"started\":true,"
    "\"ready\":false}";

static void fill_spec(struct probe_spec *spec)
{
    *spec = (struct probe_spec){.action = PROBE_HTTP_GET,
                                .initial_delay = 1,
                                .timeout = 2,
                                .period = 3,
                                .success_threshold = 4,
                                .failure_threshold = 5,
                                .termination_grace = 6,
                                .port = 7,
                                .https = true,
                                .port_name = mem_dup("http"),
                                .path = mem_dup("/p?q=\"\xc3\xa9\x01"),
                                .host = mem_dup("h"),
                                .header_count = 2,
                                .timeout_unset = true};
    spec->headers = mem_array(2, sizeof *spec->headers);
    spec->headers[0] = (struct probe_header){.name = mem_dup("Authorization"), .value = mem_dup("Bearer sk-secret")};
    spec->headers[1] = (struct probe_header){.name = mem_dup("X"), .value = mem_dup("sk-other")};
}

static const char spec_line[] =
    "{\"action\":\"httpGet\",\"delay\":1,\"timeout\":2,\"period\":3,\"success\":4,\"failure\":5,\"grace\":6,\"port\":7,"
    "\"https\":true,\"port_name\":\"http\",\"path\":\"/p?q=\\\"\\u00e9\\u0001\",\"host\":\"h\","
    "\"headers\":[\"Authorization\",\"X\"],\"timeout_unset\":true}";

static void fill_condition(struct condition *condition, const char *reason)
{
    condition->status = TRI_FALSE;
    condition->since = 9;
    set(&condition->reason, reason);
    set(&condition->message, "m");
}

static void fill_pod(struct pod_facts *pod)
{
    set(&pod->name, "name");
    set(&pod->ns, "ns");
    set(&pod->uid, "uid");
    set(&pod->node, "node");
    set(&pod->pod_ip, "10.0.0.1");
    set(&pod->workload, "deploy/decode");
    set(&pod->phase_reason, "Evicted");
    set(&pod->phase_message, "disk");
    pod->role = ROLE_DECODE;
    pod->phase = PHASE_FAILED;
    pod->kubelet = pod->never_restart = pod->deleting = true;
    pod->created_at = -100;
    pod->deletion_at = 200;
    pod->grace = 30;
    fill_condition(&pod->scheduled, "s");
    fill_condition(&pod->initialized, "i");
    fill_condition(&pod->containers_ready, "c");
    fill_condition(&pod->ready, "r");
    fill_container(&pod->serving);
    fill_container(&pod->sidecar);
    for (int i = 0; i < LANE_COUNT; i++)
        fill_spec(&pod->probes[i]);
    pod->serving_port = 8000;
    pod->vllm_port = 8200;
    set(&pod->expected_model, "model");
    set(&pod->via, "portforward");
    set(&pod->context, "prod");
    set(&pod->kubeconfig, "/k/config");
    set(&pod->cluster, "east");
    set(&pod->user, "admin");
    set(&pod->as, "jane");
    set(&pod->address, "10.0.0.1:8000");
}

static void test_pod(void **state)
{
    (void)state;
    struct fact fact;
    struct buf expected;
    buf_init(&expected, 64 * 1024);
    buf_puts(&expected,
             "{\"k\":\"pod\",\"t\":0,\"pod\":4,\"name\":\"name\",\"ns\":\"ns\",\"uid\":\"uid\",\"node\":\"node\","
             "\"ip\":\"10.0.0.1\",\"workload\":\"deploy/decode\",\"phase\":\"Failed\","
             "\"phase_reason\":\"Evicted\",\"phase_message\":\"disk\",\"role\":\"decode\",\"kubelet\":true,"
             "\"never_restart\":true,\"deleting\":true,\"created_at\":-100,\"deletion_at\":200,\"grace\":30");
    static const char *const conditions[] = {"scheduled", "initialized", "containers_ready", "ready"};
    for (size_t i = 0; i < 4; i++) {
        buf_printf(&expected, ",\"%s\":{\"is\":false,\"since\":9,\"reason\":\"%c\",\"message\":\"m\"}", conditions[i],
                   conditions[i][0]);
    }
    buf_printf(&expected, ",\"serving\":%s,\"sidecar\":%s", container_line, container_line);
    for (int i = 0; i < LANE_COUNT; i++)
        buf_printf(&expected, ",\"%s\":%s", lane_name((enum lane_kind)i), spec_line);
    buf_puts(&expected,
             ",\"serving_port\":8000,\"vllm_port\":8200,\"expected_model\":\"model\",\"via\":\"portforward\","
             "\"context\":\"prod\",\"kubeconfig\":\"/k/"
             "config\",\"cluster\":\"east\",\"user\":\"admin\",\"as\":\"jane\",\"address\":\"10.0.0.1:8000\"}");
    fact_init(&fact, FACT_POD, 4);
    fill_pod(&fact.u.facts);
    assert_line(&fact, buf_str(&expected));
    buf_free(&expected);
    fact_init(&fact, FACT_POD, 4); /* nothing known */
    assert_line(&fact, "{\"k\":\"pod\",\"t\":0,\"pod\":4}");
}

static void test_header_values_stay(void **state)
{
    (void)state;
    struct fact fact, decoded;
    struct buf line;
    struct problem problem = {0};
    fact_init(&fact, FACT_POD, 4);
    fill_pod(&fact.u.facts);
    encode(&fact, &line);
    assert_null(strstr(line.data, "secret"));
    assert_null(strstr(line.data, "Bearer"));
    assert_null(strstr(line.data, "sk-"));
    assert_int_equal(fact_decode(line.data, line.len, &decoded, &problem), STATUS_OK);
    const struct probe_spec *spec = &decoded.u.facts.probes[LANE_READINESS];
    assert_int_equal(spec->header_count, 2);
    assert_string_equal(spec->headers[0].name, "Authorization");
    assert_null(spec->headers[0].value);
    assert_int_equal(decoded.u.facts.id, 4);
    fact_free(&decoded);
    fact_free(&fact);
    buf_free(&line);
}

static void test_text_flags(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t max;
    } rows[] = {
        {"plain", 10}, {"a\x1b", 10}, {"too long a text", 8}, {"\x1b\x1b\x1b", 8}, {"e\xcc\x81\xf0\x9f\x98\x80", 9}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fact fact, decoded;
        struct buf line;
        struct problem problem = {0};
        fact_init(&fact, FACT_NOTE, 0);
        text_set_str(&fact.u.note, rows[i].bytes, rows[i].max);
        encode(&fact, &line);
        assert_int_equal(fact_decode(line.data, line.len, &decoded, &problem), STATUS_OK);
        assert_true(text_equal(&decoded.u.note, &fact.u.note));
        assert_int_equal(decoded.u.note.escaped, fact.u.note.escaped);
        assert_int_equal(decoded.u.note.cut, fact.u.note.cut);
        assert_int_equal(decoded.u.note.cells, fact.u.note.cells);
        fact_free(&decoded);
        fact_free(&fact);
        buf_free(&line);
    }
}

/* ---- random facts ---- */

static uint32_t random_next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

static int random_below(uint64_t *seed, int bound)
{
    return (int)(random_next(seed) % (uint32_t)bound);
}

static bool random_bool(uint64_t *seed)
{
    return random_below(seed, 2) == 1;
}

static int64_t random_moment(uint64_t *seed)
{
    int64_t value = (int64_t)random_next(seed) << 22 | random_next(seed) % (1 << 22);
    return random_below(seed, 3) == 0 ? -1 : random_bool(seed) ? value : -value;
}

static void random_text(uint64_t *seed, struct text *text)
{
    char bytes[64];
    size_t length = (size_t)random_below(seed, (int)sizeof bytes);
    for (size_t i = 0; i < length; i++)
        bytes[i] = random_below(seed, 3) == 0 ? (char)random_next(seed) : (char)(' ' + random_below(seed, 95));
    text_set(text, bytes, random_below(seed, 3) == 0 ? 0 : length, (size_t)random_below(seed, 40) + 20);
}

static char *random_string(uint64_t *seed)
{
    static const char *const strings[] = {NULL,        "", "/v1/models", "http", "a\"b\\c", "\xc3\xa9\xf0\x9f\x98\x80",
                                          "x\x1fy\x7f"};
    return mem_dup(strings[random_below(seed, (int)(sizeof strings / sizeof strings[0]))]);
}

static void random_spec(uint64_t *seed, struct probe_spec *spec)
{
    *spec = (struct probe_spec){.action = (enum probe_action)random_below(seed, PROBE_EXEC + 1),
                                .initial_delay = random_below(seed, PROBE_SECONDS_MAX + 1),
                                .timeout = 1 + random_below(seed, 100),
                                .period = 1 + random_below(seed, 100),
                                .success_threshold = 1 + random_below(seed, 3),
                                .failure_threshold = 1 + random_below(seed, PROBE_THRESHOLD_MAX),
                                .termination_grace = random_below(seed, 2),
                                .port = random_below(seed, 65536),
                                .https = random_bool(seed),
                                .port_name = random_string(seed),
                                .path = random_string(seed),
                                .host = random_string(seed),
                                .header_count = (size_t)random_below(seed, PROBE_HEADERS_MAX + 1),
                                .timeout_unset = random_bool(seed)};
    if (spec->header_count > 0)
        spec->headers = mem_array(spec->header_count, sizeof *spec->headers);
    for (size_t i = 0; i < spec->header_count; i++) {
        spec->headers[i].name = mem_dup("X-Name");
        spec->headers[i].value = random_string(seed);
    }
}

static void random_condition(uint64_t *seed, struct condition *condition)
{
    condition->status = (enum tri)random_below(seed, 3);
    condition->since = random_moment(seed);
    random_text(seed, &condition->reason);
    random_text(seed, &condition->message);
}

static void random_container(uint64_t *seed, struct container_facts *container)
{
    random_text(seed, &container->name);
    random_text(seed, &container->image);
    random_text(seed, &container->container_id);
    container->state = (enum container_state)random_below(seed, CONTAINER_TERMINATED + 1);
    random_text(seed, &container->reason);
    random_text(seed, &container->message);
    container->started_at = random_moment(seed);
    container->started_at_known = random_bool(seed);
    container->last.known = random_bool(seed);
    container->last.exit_code = random_below(seed, 256) - 128;
    container->last.signal = random_below(seed, 65);
    random_text(seed, &container->last.reason);
    random_text(seed, &container->last.message);
    container->last.started_at = random_moment(seed);
    container->last.finished_at = random_moment(seed);
    container->restart_count = random_below(seed, INT32_MAX);
    container->started = (enum tri)random_below(seed, 3);
    container->ready = (enum tri)random_below(seed, 3);
    container->exists = random_bool(seed);
}

static void random_pod(uint64_t *seed, struct pod_facts *pod)
{
    struct text *const texts[] = {&pod->name,           &pod->ns,       &pod->uid,          &pod->node,
                                  &pod->pod_ip,         &pod->workload, &pod->phase_reason, &pod->phase_message,
                                  &pod->expected_model, &pod->via,      &pod->context,      &pod->kubeconfig,
                                  &pod->cluster,        &pod->user,     &pod->as,           &pod->address};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        random_text(seed, texts[i]);
    pod->role = (enum role)random_below(seed, ROLE_COUNT);
    pod->phase = (enum pod_phase)random_below(seed, PHASE_FAILED + 1);
    pod->kubelet = random_bool(seed);
    pod->never_restart = random_bool(seed);
    pod->deleting = random_bool(seed);
    pod->created_at = random_moment(seed);
    pod->deletion_at = random_moment(seed);
    pod->grace = random_below(seed, 100);
    random_condition(seed, &pod->scheduled);
    random_condition(seed, &pod->initialized);
    random_condition(seed, &pod->containers_ready);
    random_condition(seed, &pod->ready);
    random_container(seed, &pod->serving);
    random_container(seed, &pod->sidecar);
    for (int i = 0; i < LANE_COUNT; i++)
        random_spec(seed, &pod->probes[i]);
    pod->serving_port = random_below(seed, 65536);
    pod->vllm_port = random_below(seed, 65536);
}

static void random_sample(uint64_t *seed, struct sample *sample)
{
    sample->lane = (enum lane_kind)random_below(seed, LANE_COUNT);
    sample->outcome = (enum outcome)random_below(seed, OUTCOME_COUNT);
    sample->cause = (enum probe_cause)random_below(seed, PROBE_CAUSE_COUNT);
    sample->answerer = (enum answerer)random_below(seed, ANSWERER_COUNT);
    sample->status = random_below(seed, 600);
    sample->attempt = random_below(seed, 4);
    int64_t *const moments[] = {&sample->sent,       &sample->dns,   &sample->connect, &sample->tls,
                                &sample->first_byte, &sample->total, &sample->tunnel,  &sample->late};
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++)
        *moments[i] = random_moment(seed);
    sample->is_late = random_bool(seed);
    sample->redirects = random_below(seed, 11);
    random_text(seed, &sample->detail);
    random_text(seed, &sample->body);
    int count = random_below(seed, SAMPLE_MODELS_MAX + 2) - 1;
    sample->model_count = count < 0 ? -1 : 0;
    for (int i = 0; i < count; i++)
        random_text(seed, sample_add_model(sample));
}

static void random_others(uint64_t *seed, struct fact *fact)
{
    if (fact->kind == FACT_HELLO) {
        fact->u.hello.version = random_below(seed, 3);
        fact->u.hello.mono_zero = random_moment(seed);
        fact->u.hello.wall_zero = random_moment(seed);
        fact->u.hello.speed = random_below(seed, 100000) / 1000.0;
        random_text(seed, &fact->u.hello.title);
        random_text(seed, &fact->u.hello.source);
        random_text(seed, &fact->u.hello.program);
    } else if (fact->kind == FACT_LOG) {
        random_text(seed, &fact->u.log.container);
        random_text(seed, &fact->u.log.line);
        fact->u.log.previous = random_bool(seed);
        fact->u.log.sidecar = random_bool(seed);
        fact->u.log.written = random_moment(seed);
    } else if (fact->kind == FACT_EVENT) {
        random_text(seed, &fact->u.event.reason);
        random_text(seed, &fact->u.event.message);
        random_text(seed, &fact->u.event.container);
        random_text(seed, &fact->u.event.uid);
        fact->u.event.warning = random_bool(seed);
        fact->u.event.count = random_below(seed, 1000);
        fact->u.event.first = random_moment(seed);
        fact->u.event.last = random_moment(seed);
    } else if (fact->kind == FACT_TUNNEL) {
        fact->u.tunnel.word = (enum tunnel_word)random_below(seed, TUNNEL_WORD_COUNT);
        fact->u.tunnel.round_trip = random_moment(seed);
        random_text(seed, &fact->u.tunnel.detail);
    } else if (fact->kind == FACT_SOURCE) {
        fact->u.source.state = (enum source_state)random_below(seed, SOURCE_STATE_COUNT);
        random_text(seed, &fact->u.source.detail);
    } else if (fact->kind == FACT_WORKLOAD) {
        random_text(seed, &fact->u.workload.name);
        random_text(seed, &fact->u.workload.ns);
        random_text(seed, &fact->u.workload.words);
        fact->u.workload.observed = random_bool(seed);
        fact->u.workload.desired = random_below(seed, 1000);
        fact->u.workload.updated = random_below(seed, 1000);
        fact->u.workload.total = random_below(seed, 1000);
    } else if (fact->kind == FACT_NOTE) {
        random_text(seed, &fact->u.note);
    } else if (fact->kind == FACT_END) {
        random_text(seed, &fact->u.end);
    }
}

static void test_random_facts(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (int i = 0; i < 5000; i++) {
        struct fact fact;
        fact_init(&fact, (enum fact_kind)(i % FACT_KIND_COUNT), 1 + random_next(&seed) % 1000);
        fact.t = random_moment(&seed);
        if (fact.kind == FACT_POD)
            random_pod(&seed, &fact.u.facts);
        else if (fact.kind == FACT_PROBE)
            random_sample(&seed, &fact.u.sample);
        else
            random_others(&seed, &fact);
        assert_line(&fact, NULL);
    }
}

/* ---- what others may have written ---- */

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum status status;
    } rows[] = {
        {"", STATUS_BAD_INPUT},
        {"null", STATUS_BAD_INPUT},
        {"[]", STATUS_BAD_INPUT},
        {"{}", STATUS_BAD_INPUT},
        {"{\"k\":1,\"t\":0}", STATUS_BAD_INPUT},
        {"{\"k\":\"note\"}", STATUS_BAD_INPUT},
        {"{\"k\":\"note\",\"t\":\"0\"}", STATUS_BAD_INPUT},
        {"{\"k\":\"note\",\"t\":1e300}", STATUS_BAD_INPUT},
        {"{\"k\":\"note\",\"t\":0.5}", STATUS_BAD_INPUT},
        {"{\"k\":\"note\",\"t\":0,\"pod\":-1}", STATUS_BAD_INPUT},
        {"{\"k\":\"note\",\"t\":0,\"pod\":4294967296}", STATUS_BAD_INPUT},
        {"{\"k\":\"note\",\"t\":0,\"text\":5}", STATUS_BAD_INPUT},
        {"{\"k\":\"note\",\"t\":0,\"text\":[]}", STATUS_BAD_INPUT},
        {"{\"k\":\"note\",\"t\":0} {}", STATUS_BAD_INPUT},
        {"{\"k\":\"novelty\",\"t\":0}", STATUS_UNSUPPORTED},
        {"{\"k\":\"pod\",\"t\":0}", STATUS_BAD_INPUT},
        {"{\"k\":\"pod\",\"t\":0,\"pod\":1,\"serving\":[]}", STATUS_BAD_INPUT},
        {"{\"k\":\"pod\",\"t\":0,\"pod\":1,\"serving\":{\"name\":\"x\",\"ready\":1}}", STATUS_BAD_INPUT},
        {"{\"k\":\"pod\",\"t\":0,\"pod\":1,\"startup\":{\"action\":\"httpGet\",\"timeout\":1,\"success\":1,\"failure\":"
         "1}}",
         STATUS_BAD_INPUT},
        {"{\"k\":\"pod\",\"t\":0,\"pod\":1,\"startup\":{\"period\":604801}}", STATUS_BAD_INPUT},
        {"{\"k\":\"pod\",\"t\":0,\"pod\":1,\"startup\":{\"path\":5}}", STATUS_BAD_INPUT},
        {"{\"k\":\"pod\",\"t\":0,\"pod\":1,\"startup\":{\"headers\":[\"a\",5]}}", STATUS_BAD_INPUT},
        {"{\"k\":\"pod\",\"t\":0,\"pod\":1,\"startup\":{\"headers\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}}",
         STATUS_BAD_INPUT},
        {"{\"k\":\"pod\",\"t\":0,\"pod\":1,\"serving_port\":65536}", STATUS_BAD_INPUT},
        {"{\"k\":\"pod\",\"t\":0,\"pod\":1,\"role\":\"king\"}", STATUS_BAD_INPUT},
        {"{\"k\":\"probe\",\"t\":0,\"lane\":\"none\"}", STATUS_BAD_INPUT},
        {"{\"k\":\"probe\",\"t\":0,\"lane\":0}", STATUS_BAD_INPUT},
        {"{\"k\":\"probe\",\"t\":0,\"status\":-1}", STATUS_BAD_INPUT},
        {"{\"k\":\"probe\",\"t\":0,\"status\":2147483648}", STATUS_BAD_INPUT},
        {"{\"k\":\"probe\",\"t\":0,\"total\":9007199254740994}", STATUS_BAD_INPUT},
        {"{\"k\":\"probe\",\"t\":0,\"detail\":\"d\",\"models\":[\"a\",\"b\",5]}", STATUS_BAD_INPUT},
        {"{\"k\":\"probe\",\"t\":0,\"models\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}", STATUS_BAD_INPUT},
        {"{\"k\":\"hello\",\"t\":0,\"speed\":-1}", STATUS_BAD_INPUT},
        {"{\"k\":\"hello\",\"t\":0,\"speed\":1e999}", STATUS_BAD_INPUT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fact fact;
        struct problem problem = {0};
        assert_int_equal(fact_decode(rows[i].line, strlen(rows[i].line), &fact, &problem), rows[i].status);
        assert_true(problem.text[0] != '\0');
        assert_int_equal(fact_decode(rows[i].line, strlen(rows[i].line), &fact, NULL), rows[i].status);
    }
}

static void test_hostile_but_whole(void **state)
{
    (void)state;
    struct fact fact;
    struct problem problem = {0};
    /* Unknown keys are passed over, of equal keys the first counts, raw escapes are cleaned, the order does not matter. */
    const char *line = "{\"future\":{\"x\":[1]},\"text\":\"\\u001b[2J\",\"text\":\"second\",\"t\":7,\"k\":\"note\"}\n";
    assert_int_equal(fact_decode(line, strlen(line), &fact, &problem), STATUS_OK);
    assert_string_equal(text_str(&fact.u.note), "\\x1b[2J");
    assert_true(fact.u.note.escaped);
    assert_true(fact.t == 7);
    fact_free(&fact);
    line = "{\"k\":\"pod\",\"t\":0,\"pod\":9,\"startup\":{\"path\":\"/a\",\"path\":\"/"
           "b\",\"headers\":[\"a\"],\"headers\":[\"b\"]}}";
    assert_int_equal(fact_decode(line, strlen(line), &fact, &problem), STATUS_OK);
    assert_string_equal(fact.u.facts.probes[LANE_STARTUP].path, "/a");
    assert_int_equal(fact.u.facts.probes[LANE_STARTUP].header_count, 1);
    fact_free(&fact);
}

static void test_line_limits(void **state)
{
    (void)state;
    struct fact fact;
    struct buf out;
    size_t length = FACT_LINE_MAX + 100;
    char *bytes = mem_new(length);
    memset(bytes, 'x', length);
    fact_init(&fact, FACT_NOTE, 0);
    text_set(&fact.u.note, bytes, length, length);
    buf_init(&out, 4 * FACT_LINE_MAX);
    buf_puts(&out, "before");
    assert_int_equal(fact_encode(&fact, &out), STATUS_FULL);
    assert_string_equal(buf_str(&out), "before");
    text_set_str(&fact.u.note, "short", TEXT_LINE);
    assert_int_equal(fact_encode(&fact, &out), STATUS_OK);
    buf_free(&out);
    /* No half line in a buffer that is full. */
    buf_init(&out, 30);
    buf_puts(&out, "before");
    assert_int_equal(fact_encode(&fact, &out), STATUS_FULL);
    assert_string_equal(buf_str(&out), "before");
    buf_free(&out);
    fact_free(&fact);
    mem_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_kinds), cmocka_unit_test(test_probe),
        cmocka_unit_test(test_pod),         cmocka_unit_test(test_header_values_stay),
        cmocka_unit_test(test_text_flags),  cmocka_unit_test(test_random_facts),
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_hostile_but_whole),
        cmocka_unit_test(test_line_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
