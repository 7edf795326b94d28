#include "base/mem.h"
#include "engine/redact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static char *const SECRETS[] = {"Bearer sk-1234567890abcdef", "sk-1234567890abcdef", "pa\"ss/wo\\rd", "t\xc3\xb6k en&x",
                                "abc"};
enum { SECRET_COUNT = sizeof SECRETS / sizeof *SECRETS };

struct row {
    const char *in, *out;
    bool tail;
};

static void check_rows(const struct redact *redact, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct text text = {0};
        text_set_str(&text, rows[i].in, TEXT_BODY);
        redact_text(redact, &text, rows[i].tail);
        assert_string_equal(text_str(&text), rows[i].out);
        text_free(&text);
    }
}

static void secrets_are_replaced_wherever_they_stand(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", "", true},
        {"nothing here", "nothing here", true},
        {"sk-1234567890abcdef", "[redacted]", false},
        {"a sk-1234567890abcdef b", "a [redacted] b", false},
        {"sk-1234567890abcdefsk-1234567890abcdef", "[redacted][redacted]", false},
        {"you sent Bearer sk-1234567890abcdef!", "you sent [redacted]!", false},
        {"bearer sk-1234567890abcdef", "bearer [redacted]", false},
        {"{\"k\":\"pa\\\"ss/wo\\\\rd\"}", "{\"k\":\"[redacted]\"}", false},
        {"{\"k\":\"pa\\\"ss\\/wo\\\\rd\"}", "{\"k\":\"[redacted]\"}", false},
        {"?p=pa%22ss%2Fwo%5Crd&", "?p=[redacted]&", false},
        {"t\xc3\xb6k en&x", "[redacted]", false},
        {"?t=t%C3%B6k%20en%26x", "?t=[redacted]", false},
        {"abc is too short to be one", "abc is too short to be one", true},
    };
    struct redact *redact = redact_new(SECRETS, SECRET_COUNT);
    check_rows(redact, rows, sizeof rows / sizeof *rows);
    redact_free(redact);
}

static void the_beginning_of_a_secret_at_a_cut_end_goes_too(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"key: sk-1", "key: [redacted]", true},
        {"key: sk-1", "key: sk-1", false},
        {"key: sk-", "key: sk-", true}, /* three bytes tell nothing */
        {"key: Bearer sk-12", "key: [redacted]", true},
        {"sk-1234567890abcdef sk-12345", "[redacted] [redacted]", true},
        {"sk-1234567890abcdeX", "sk-1234567890abcdeX", true},
        {"Bear", "[redacted]", true},
    };
    struct redact *redact = redact_new(SECRETS, SECRET_COUNT);
    check_rows(redact, rows, sizeof rows / sizeof *rows);
    redact_free(redact);
}

static void a_text_cut_within_a_secret_keeps_nothing_of_it(void **state)
{
    (void)state;
    struct redact *redact = redact_new(SECRETS, SECRET_COUNT);
    for (size_t cells = 9; cells < 40; cells++) {
        struct text text = {0};
        text_set_str(&text, "token=>> sk-1234567890abcdef <<", cells);
        bool cut = text.cut;
        redact_text(redact, &text, false);
        assert_null(strstr(text_str(&text), "sk-1"));
        assert_int_equal(text.cut, cut);
        text_free(&text);
    }
    redact_free(redact);
}

static void marks_of_the_text_stay(void **state)
{
    (void)state;
    struct redact *redact = redact_new(SECRETS, SECRET_COUNT);
    struct text text = {0};
    text_set_str(&text, "\x1b[31m sk-1234567890abcdef", TEXT_LINE);
    redact_text(redact, &text, false);
    assert_string_equal(text_str(&text), "\\x1b[31m [redacted]");
    assert_true(text.escaped);
    assert_false(text.cut);
    text_free(&text);
    redact_free(redact);
}

static void a_secret_with_odd_bytes_is_known_as_it_is_shown(void **state)
{
    (void)state;
    char *const odd[] = {"x\x01y\xffz-token"};
    struct redact *redact = redact_new(odd, 1);
    struct text text = {0};
    text_set_str(&text, "<x\x01y\xffz-token>", TEXT_LINE);
    redact_text(redact, &text, false);
    assert_string_equal(text_str(&text), "<[redacted]>");
    text_free(&text);
    redact_free(redact);
}

static void of_two_that_begin_alike_the_longer_one_goes(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        char *const alike[] = {order == 0 ? SECRETS[1] : (char[]){"sk-1234"},
                               order == 0 ? (char[]){"sk-1234"} : SECRETS[1]};
        struct redact *redact = redact_new(alike, 2);
        static const struct row rows[] = {{"sk-1234567890abcdef", "[redacted]", false},
                                          {"sk-12345", "[redacted]5", false}};
        check_rows(redact, rows, 2);
        redact_free(redact);
    }
}

static void bodies_lose_a_beginning_at_their_end_and_other_texts_do_not(void **state)
{
    (void)state;
    struct redact *redact = redact_new(SECRETS, SECRET_COUNT);
    struct fact fact;
    fact_init(&fact, FACT_PROBE, 1);
    text_set_str(&fact.u.sample.body, "key: sk-12345", TEXT_BODY);
    text_set_str(&fact.u.sample.detail, "port: sk-12345", TEXT_LINE);
    redact_fact(redact, &fact);
    assert_string_equal(text_str(&fact.u.sample.body), "key: [redacted]");
    assert_string_equal(text_str(&fact.u.sample.detail), "port: sk-12345");
    fact_free(&fact);
    redact_free(redact);
}

/* Every text of every kind of fact is set to a secret; afterwards not one of them may hold it. */
enum { TEXTS_MAX = 40 };

static size_t fact_texts(struct fact *fact, struct text **out)
{
    struct pod_facts *facts = &fact->u.facts;
    struct container_facts *serving = &facts->serving, *sidecar = &facts->sidecar;
    struct text *const hello[] = {&fact->u.hello.title};
    struct text *const pod[] = {&facts->name,
                                &facts->ns,
                                &facts->uid,
                                &facts->node,
                                &facts->pod_ip,
                                &facts->workload,
                                &facts->phase_reason,
                                &facts->phase_message,
                                &facts->expected_model,
                                &facts->via,
                                &facts->context,
                                &facts->kubeconfig,
                                &facts->cluster,
                                &facts->user,
                                &facts->as,
                                &facts->address,
                                &facts->scheduled.reason,
                                &facts->scheduled.message,
                                &facts->initialized.reason,
                                &facts->initialized.message,
                                &facts->containers_ready.reason,
                                &facts->containers_ready.message,
                                &facts->ready.reason,
                                &facts->ready.message,
                                &serving->name,
                                &serving->image,
                                &serving->container_id,
                                &serving->reason,
                                &serving->message,
                                &serving->last.reason,
                                &serving->last.message,
                                &sidecar->name,
                                &sidecar->image,
                                &sidecar->container_id,
                                &sidecar->reason,
                                &sidecar->message,
                                &sidecar->last.reason,
                                &sidecar->last.message};
    struct sample *sample = &fact->u.sample;
    bool has_models = fact->kind == FACT_PROBE;
    struct text *const probe[] = {&sample->detail, &sample->body, has_models ? &sample->models[0] : NULL,
                                  has_models ? &sample->models[SAMPLE_MODELS_MAX - 1] : NULL};
    struct text *const log[] = {&fact->u.log.container, &fact->u.log.line};
    struct text *const event[] = {&fact->u.event.reason, &fact->u.event.message, &fact->u.event.container,
                                  &fact->u.event.uid};
    struct text *const tunnel[] = {&fact->u.tunnel.detail}, *const source[] = {&fact->u.source.detail};
    struct text *const note[] = {&fact->u.note}, *const end[] = {&fact->u.end};
    struct list {
        struct text *const *texts;
        size_t count;
    };
#define LIST(texts)                                                                                                    \
    {                                                                                                                  \
        texts, sizeof texts / sizeof *texts                                                                            \
    }
    const struct list lists[FACT_KIND_COUNT] = {
        [FACT_HELLO] = LIST(hello),   [FACT_POD] = LIST(pod),     [FACT_PROBE] = LIST(probe),
        [FACT_LOG] = LIST(log),       [FACT_EVENT] = LIST(event), [FACT_TUNNEL] = LIST(tunnel),
        [FACT_SOURCE] = LIST(source), [FACT_NOTE] = LIST(note),   [FACT_END] = LIST(end)};
#undef LIST
    for (size_t i = 0; i < lists[fact->kind].count; i++)
        out[i] = lists[fact->kind].texts[i];
    return lists[fact->kind].count;
}

static void no_text_of_any_fact_is_forgotten(void **state)
{
    (void)state;
    struct redact *redact = redact_new(SECRETS, SECRET_COUNT);
    for (enum fact_kind kind = 0; kind < FACT_KIND_COUNT; kind++) {
        struct fact fact;
        fact_init(&fact, kind, 1);
        for (int i = 0; kind == FACT_PROBE && i < SAMPLE_MODELS_MAX; i++)
            sample_add_model(&fact.u.sample);
        struct text *texts[TEXTS_MAX];
        size_t count = fact_texts(&fact, texts);
        for (size_t i = 0; i < count; i++)
            text_set_str(texts[i], "<sk-1234567890abcdef>", TEXT_LINE);
        redact_fact(redact, &fact);
        for (size_t i = 0; i < count; i++)
            assert_string_equal(text_str(texts[i]), "<[redacted]>");
        fact_free(&fact);
    }
    redact_free(redact);
}

static void specs_lose_secrets_but_keep_header_values(void **state)
{
    (void)state;
    struct redact *redact = redact_new(SECRETS, SECRET_COUNT);
    struct fact fact;
    fact_init(&fact, FACT_POD, 1);
    struct probe_spec *spec = &fact.u.facts.probes[LANE_READINESS];
    probe_spec_http(spec, "/v1/models?key=sk-1234567890abcdef", 8000);
    assert_int_equal(probe_spec_set(spec, "header", "Authorization: Bearer sk-1234567890abcdef", NULL), STATUS_OK);
    redact_add(redact, "no\xc2\xa0"
                       "break"); /* shown otherwise than it is: strings hold it as it is */
    spec->host = mem_dup("h-no\xc2\xa0"
                         "break");
    redact_fact(redact, &fact);
    assert_string_equal(spec->path, "/v1/models?key=[redacted]");
    assert_string_equal(spec->host, "h-[redacted]");
    assert_string_equal(spec->headers[0].value, "Bearer sk-1234567890abcdef");
    fact_free(&fact);
    redact_free(redact);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_replaced_wherever_they_stand),
        cmocka_unit_test(the_beginning_of_a_secret_at_a_cut_end_goes_too),
        cmocka_unit_test(a_text_cut_within_a_secret_keeps_nothing_of_it),
        cmocka_unit_test(marks_of_the_text_stay),
        cmocka_unit_test(a_secret_with_odd_bytes_is_known_as_it_is_shown),
        cmocka_unit_test(of_two_that_begin_alike_the_longer_one_goes),
        cmocka_unit_test(bodies_lose_a_beginning_at_their_end_and_other_texts_do_not),
        cmocka_unit_test(no_text_of_any_fact_is_forgotten),
        cmocka_unit_test(specs_lose_secrets_but_keep_header_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
