#include "probe/classify.h"

#include "base/json.h"

#include <string.h>
#include <strings.h>

/* An answer with its body understood as far as it can be. */
struct answer_view {
    const struct classify_question *question;
    const struct http_result *result;
    struct json *document;     /* owned; NULL: not JSON */
    const struct json *models; /* the array of /v1/models; NULL: the answer is no list of models */
    bool whole;                /* nothing of the body is missing */
};

struct ruling {
    enum outcome outcome;
    enum probe_cause cause;
};

/* ---- the body ---- */

/* How many bytes of a JSON object that was cut off hold whole elements of the first array in it; 0: none. The array must be a member of the outermost object. */
static size_t whole_elements(const char *body, size_t length)
{
    size_t whole = 0;
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        if (in_string) {
            if (body[i] == '\\')
                i++;
            else if (body[i] == '"')
                in_string = false;
        } else if (body[i] == '"') {
            in_string = true;
        } else if (body[i] == '{' || body[i] == '[') {
            depth++;
        } else if (body[i] == '}' || body[i] == ']') {
            depth--;
            if (depth == 2)
                whole = i + 1;
        }
    }
    return whole;
}

/* A long list of models (20 adapters do it) is cut at 10 KiB like every body: what is whole of it is kept. And "\u0000", at which the JSON library would end a string as if nothing came
 * after, is made visible instead. */
static bool body_needs_mending(const struct http_result *result)
{
    return result->body_cut || memmem(result->body, result->body_length, "\\u0000", 6);
}

static void body_mend(const struct http_result *result, struct buf *out)
{
    size_t length = result->body_cut ? whole_elements(result->body, result->body_length) : result->body_length;
    for (size_t i = 0; i < length; i++) {
        bool escape = result->body[i] == '\\' && i + 1 < length;
        if (escape && length - i >= 6 && memcmp(result->body + i, "\\u0000", 6) == 0)
            buf_putc(out, '\\');
        buf_putc(out, result->body[i]);
        if (escape)
            buf_putc(out, result->body[++i]);
    }
    if (result->body_cut)
        buf_puts(out, "]}");
}

static bool path_is(const char *path, const char *wanted)
{
    size_t length = strcspn(path, "?#");
    return length == strlen(wanted) && memcmp(path, wanted, length) == 0;
}

static void view_open(struct answer_view *view, const struct classify_question *question,
                      const struct http_result *result)
{
    *view = (struct answer_view){.question = question, .result = result, .whole = !result->body_cut};
    if (result->status == 0 || result->body_length == 0 || !memchr(result->body, '{', result->body_length))
        return;
    if (body_needs_mending(result)) {
        struct buf mended;
        buf_init(&mended, HTTP_BODY_MAX * 2 + 2);
        body_mend(result, &mended);
        json_parse(buf_str(&mended), mended.len, mended.max, &view->document, NULL);
        buf_free(&mended);
    } else {
        json_parse(result->body, result->body_length, HTTP_BODY_MAX, &view->document, NULL);
    }
    const struct json *data = json_get(view->document, "data");
    if (path_is(question->path, "/v1/models") && result->status == 200 && json_is_array(data))
        view->models = data;
}

static void view_close(struct answer_view *view)
{
    json_free(view->document);
}

/* A string member, "" where there is none. */
static const char *view_string(const struct answer_view *view, const char *key)
{
    const char *string = json_string(json_get(view->document, key));
    return string ? string : "";
}

static bool has_words(const char *string, const char *words)
{
    return strcasestr(string, words) != NULL;
}

static bool body_has(const struct http_result *result, const char *words)
{
    return memmem(result->body, result->body_length, words, strlen(words)) != NULL;
}

/* The error's sentence, in any of the shapes that vLLM, its sidecar, FastAPI and the API server use. */
static const char *view_message(const struct answer_view *view)
{
    const struct json *error = json_get(view->document, "error");
    const char *nested = json_string(json_get(error, "message"));
    if (nested)
        return nested;
    if (json_string(error))
        return json_string(error);
    return view_string(view, "message")[0] ? view_string(view, "message") : view_string(view, "detail");
}

/* The API server's own object, when a proxy of the cluster lies on the way (facts/kube.md 3.2). Through a stream tunnel only the pod itself can have sent it, so there it means nothing. */
static bool is_api_status(const struct answer_view *view)
{
    return !view->question->tunnelled && view->result->status >= 400 &&
           strcmp(view_string(view, "kind"), "Status") == 0 && strcmp(view_string(view, "apiVersion"), "v1") == 0;
}

/* The sidecar's errors (facts/vllm.md 1.4). */
static bool is_sidecar_error(const struct answer_view *view, const char *type)
{
    return strcmp(view_string(view, "object"), "error") == 0 && strcmp(view_string(view, "type"), type) == 0;
}

/* kubectl's proxy speaks for itself when it does not reach the API server: 500 or 502, in plain text, without a server's name (facts/kube.md 3.2). */
static bool is_proxys_own(const struct answer_view *view)
{
    static const char *const words[] = {"dial tcp",         "dial unix",          "EOF",
                                        "connection reset", "connection lost",    "i/o timeout",
                                        "http2: ",          "TLS handshake",      "deadline exceeded",
                                        "no such host",     "getting credentials"};
    const struct http_result *result = view->result;
    if (!view->question->proxied || (result->status != 500 && result->status != 502) || result->server[0] ||
        strncmp(result->content_type, "text/plain", 10) != 0)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (body_has(result, words[i]))
            return true;
    return false;
}

static bool is_health_path(const char *path)
{
    return path_is(path, "/health") || path_is(path, "/ping");
}

/* ---- who answered ---- */

static enum answerer answerer_by_owner(const struct answer_view *view)
{
    const struct json *first = json_first(view->models);
    const char *owner = json_string(json_get(first, "owned_by"));
    if (!owner)
        return ANSWERER_NOBODY;
    if (strcasecmp(owner, "sglang") == 0)
        return ANSWERER_SGLANG;
    if (strcmp(owner, "vllm-frontend-rs") == 0)
        return ANSWERER_VLLM;
    if (strcmp(owner, "vllm") != 0)
        return ANSWERER_OTHER;
    /* The simulator says so too, but its cards have no permission (facts/vllm.md section 5). */
    bool uvicorn = has_words(view->result->server, "uvicorn");
    return uvicorn || json_get(first, "permission") ? ANSWERER_VLLM : ANSWERER_SIMULATOR;
}

static bool answered_by_sidecar(const struct answer_view *view)
{
    const struct http_result *result = view->result;
    if (is_sidecar_error(view, "ServiceUnavailable") || is_sidecar_error(view, "BadGateway"))
        return true;
    /* Its own /health, and the 502 of the old one, come bare. */
    bool bare = result->server[0] == '\0' && result->body_length == 0;
    bool own = path_is(view->question->path, "/health") && result->status == 200;
    return view->question->behind_sidecar && bare && (own || result->status == 502);
}

/* By the signs of facts/vllm.md 1.2 to 1.4, the surest first. */
static enum answerer answerer_of(const struct answer_view *view)
{
    const struct http_result *result = view->result;
    const char *path = view->question->path;
    if (result->status == 0)
        return ANSWERER_NOBODY;
    if (is_api_status(view))
        return ANSWERER_API_SERVER;
    if (is_proxys_own(view))
        return ANSWERER_NOBODY;
    if (has_words(result->server, "fasthttp"))
        return ANSWERER_SIMULATOR;
    if (answered_by_sidecar(view))
        return ANSWERER_SIDECAR;
    enum answerer owner = answerer_by_owner(view);
    if (owner != ANSWERER_NOBODY)
        return owner;
    /* vLLM's API port has no such paths: it would say 404. */
    bool supervisor_path = path_is(path, "/readyz") || path_is(path, "/ready");
    if (supervisor_path && (result->status == 200 || result->status == 503))
        return ANSWERER_DP_SUPERVISOR;
    if (!has_words(result->server, "uvicorn"))
        return ANSWERER_OTHER;
    return view->question->known == ANSWERER_SGLANG ? ANSWERER_SGLANG : ANSWERER_VLLM;
}

/* ---- no answer ---- */

/* What the tunnel's word alone says. */
static struct ruling ruling_of_word(enum tunnel_word word)
{
    switch (word) {
    case TUNNEL_REFUSED_IN_POD:
        return (struct ruling){OUTCOME_FAIL, PROBE_CAUSE_REFUSED};
    case TUNNEL_POD_GONE:
        return (struct ruling){OUTCOME_UNKNOWN, PROBE_CAUSE_POD_GONE};
    case TUNNEL_API_LOST:
        return (struct ruling){OUTCOME_UNKNOWN, PROBE_CAUSE_API_LOST};
    case TUNNEL_NODE_LOST:
        return (struct ruling){OUTCOME_UNKNOWN, PROBE_CAUSE_NODE_LOST};
    case TUNNEL_FORBIDDEN:
        return (struct ruling){OUTCOME_UNKNOWN, PROBE_CAUSE_FORBIDDEN};
    default:
        return (struct ruling){OUTCOME_UNKNOWN, PROBE_CAUSE_TUNNEL_DOWN};
    }
}

/* How far a failed transfer came decides whose word counts. */
enum reach {
    REACH_OURS,    /* nothing was sent */
    REACH_CONNECT, /* of a tunnel, this is our end of it: it says nothing about the pod */
    REACH_SILENCE, /* connected; whether the pod or the tunnel was silent only the tunnel can tell (facts/kube.md 3.1) */
    REACH_ANSWER   /* the pod itself has sent something */
};

static const struct {
    enum outcome outcome;
    enum probe_cause cause;
    enum reach reach;
} transport_rows[HTTP_ERROR_COUNT] = {
    [HTTP_OK] = {OUTCOME_OK, PROBE_CAUSE_NONE, REACH_ANSWER},
    [HTTP_REFUSED] = {OUTCOME_FAIL, PROBE_CAUSE_REFUSED, REACH_CONNECT},
    [HTTP_UNREACHABLE] = {OUTCOME_UNKNOWN, PROBE_CAUSE_UNREACHABLE, REACH_CONNECT},
    [HTTP_RESOLVE] = {OUTCOME_UNKNOWN, PROBE_CAUSE_RESOLVE, REACH_CONNECT},
    [HTTP_CONNECT_FAILED] = {OUTCOME_UNKNOWN, PROBE_CAUSE_UNREACHABLE, REACH_CONNECT},
    [HTTP_TIMEOUT_CONNECT] = {OUTCOME_FAIL, PROBE_CAUSE_TIMEOUT_CONNECT, REACH_CONNECT},
    [HTTP_TIMEOUT_TLS] = {OUTCOME_FAIL, PROBE_CAUSE_TIMEOUT_TLS, REACH_SILENCE},
    [HTTP_TIMEOUT_HEADERS] = {OUTCOME_FAIL, PROBE_CAUSE_TIMEOUT_HEADERS, REACH_SILENCE},
    /* The kubelet throws away what breaks off after the headers (facts/kube.md 1.2.10). */
    [HTTP_TIMEOUT_BODY] = {OUTCOME_ERRORED, PROBE_CAUSE_TIMEOUT_BODY, REACH_SILENCE},
    [HTTP_EMPTY_REPLY] = {OUTCOME_FAIL, PROBE_CAUSE_EMPTY, REACH_SILENCE},
    [HTTP_RESET] = {OUTCOME_FAIL, PROBE_CAUSE_RESET, REACH_SILENCE},
    [HTTP_BODY_SHORT] = {OUTCOME_ERRORED, PROBE_CAUSE_BODY_SHORT, REACH_SILENCE},
    [HTTP_HEADERS_TOO_BIG] = {OUTCOME_FAIL, PROBE_CAUSE_HEADERS_TOO_BIG, REACH_ANSWER},
    [HTTP_NOT_HTTP] = {OUTCOME_FAIL, PROBE_CAUSE_NOT_HTTP, REACH_ANSWER},
    [HTTP_TLS] = {OUTCOME_FAIL, PROBE_CAUSE_TLS, REACH_SILENCE},
    [HTTP_TLS_PLAIN_SERVER] = {OUTCOME_FAIL, PROBE_CAUSE_TLS_TO_PLAIN, REACH_ANSWER},
    [HTTP_TOO_MANY_REDIRECTS] = {OUTCOME_FAIL, PROBE_CAUSE_REDIRECT_LOOP, REACH_ANSWER},
    [HTTP_NO_RESOURCES] = {OUTCOME_UNKNOWN, PROBE_CAUSE_TOOL, REACH_OURS},
    [HTTP_BAD_REQUEST] = {OUTCOME_UNKNOWN, PROBE_CAUSE_TOOL, REACH_OURS},
    [HTTP_CANCELLED] = {OUTCOME_UNKNOWN, PROBE_CAUSE_TOOL, REACH_OURS},
    [HTTP_OTHER] = {OUTCOME_UNKNOWN, PROBE_CAUSE_TOOL, REACH_OURS},
};

/* A TLS server that is sent plain text answers with an alert record (or not at all). */
static bool is_tls_alert(const struct http_result *result)
{
    return result->body_length >= 2 && result->body[0] == 0x15 && result->body[1] == 0x03;
}

static const char *said_of(const struct answer_view *view)
{
    return view->question->tunnelled && view->question->said ? view->question->said : "";
}

static struct ruling rule_transport(const struct answer_view *view)
{
    const struct classify_question *question = view->question;
    enum http_error error = (unsigned)view->result->error < HTTP_ERROR_COUNT ? view->result->error : HTTP_OTHER;
    struct ruling row = {transport_rows[error].outcome, transport_rows[error].cause};
    enum reach reach = transport_rows[error].reach;
    bool errored = row.outcome == OUTCOME_ERRORED;
    if (error == HTTP_NOT_HTTP && is_tls_alert(view->result))
        row.cause = PROBE_CAUSE_PLAIN_TO_TLS;
    if (error == HTTP_EMPTY_REPLY && has_words(said_of(view), "reset by peer")) /* a stream has only one kind of end */
        row.cause = PROBE_CAUSE_RESET;
    if (reach == REACH_OURS || reach == REACH_ANSWER || !(question->tunnelled || question->proxied))
        return row;
    if (reach == REACH_CONNECT || (question->proxied && error != HTTP_TIMEOUT_HEADERS && error != HTTP_TIMEOUT_BODY)) {
        /* The forwarder of an earlier, refused connection may be gone: that was the pod's, this is not. */
        bool lost = question->tunnel != TUNNEL_UP && question->tunnel != TUNNEL_REFUSED_IN_POD;
        return ruling_of_word(lost ? question->tunnel : TUNNEL_STARTING);
    }
    /* A refusal that is told of after an answer had begun belongs to another connection. */
    bool silent = question->tunnel == TUNNEL_UP || (errored && question->tunnel == TUNNEL_REFUSED_IN_POD);
    return silent ? row : ruling_of_word(question->tunnel);
}

/* tcpSocket. Through a stream tunnel a connect always succeeds at our end and proves nothing; only a refusal is told. */
static struct ruling rule_tcp(const struct answer_view *view)
{
    const struct classify_question *question = view->question;
    if (view->result->error != HTTP_OK)
        return rule_transport(view);
    if (!question->tunnelled)
        return (struct ruling){OUTCOME_OK, PROBE_CAUSE_NONE};
    if (question->tunnel != TUNNEL_UP)
        return ruling_of_word(question->tunnel);
    return (struct ruling){OUTCOME_UNKNOWN, PROBE_CAUSE_NOT_REPRODUCIBLE};
}

/* ---- an answer ---- */

/* The API server speaks for the pod when it says what happened as it dialled the pod, else for itself. */
static struct ruling rule_api_status(const struct answer_view *view)
{
    static const struct {
        const char *words;
        struct ruling ruling;
    } rows[] = {
        {"connection refused", {OUTCOME_FAIL, PROBE_CAUSE_REFUSED}},
        {"connection reset", {OUTCOME_FAIL, PROBE_CAUSE_RESET}},
        {"no route to host", {OUTCOME_UNKNOWN, PROBE_CAUSE_UNREACHABLE}},
        {"i/o timeout", {OUTCOME_FAIL, PROBE_CAUSE_TIMEOUT_CONNECT}},
        {"EOF", {OUTCOME_FAIL, PROBE_CAUSE_EMPTY}},
    };
    const char *message = view_string(view, "message");
    if (has_words(message, "error trying to reach service"))
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
            if (strstr(message, rows[i].words))
                return rows[i].ruling;
    if (view->result->status == 401 || view->result->status == 403)
        return (struct ruling){OUTCOME_UNKNOWN, PROBE_CAUSE_FORBIDDEN};
    if (view->result->status == 404)
        return (struct ruling){OUTCOME_UNKNOWN, PROBE_CAUSE_POD_GONE};
    return (struct ruling){OUTCOME_UNKNOWN, PROBE_CAUSE_API_LOST};
}

/* 503 and its kin have several meanings (facts/vllm.md 1.8.5). */
static enum probe_cause cause_of_5xx(const struct answer_view *view)
{
    const struct classify_question *question = view->question;
    const struct http_result *result = view->result;
    bool bare = result->body_length == 0;
    if (is_sidecar_error(view, "BadGateway"))
        return PROBE_CAUSE_SIDECAR_BAD_GATEWAY;
    if (is_sidecar_error(view, "ServiceUnavailable") || (result->status == 502 && bare && question->behind_sidecar))
        return PROBE_CAUSE_SIDECAR_NOT_READY; /* new, and old sidecars */
    if (result->status == 503 && has_words(view_message(view), "currently scaling"))
        return PROBE_CAUSE_SCALING;
    /* 500 is how 0.9.2 to 0.10 said it; only their Server header tells that from any other broken server. */
    bool dead = result->status == 503 || (result->status == 500 && has_words(result->server, "uvicorn"));
    if (dead && bare && question->known == ANSWERER_VLLM && is_health_path(question->path) && !question->behind_sidecar)
        return PROBE_CAUSE_ENGINE_DEAD;
    return PROBE_CAUSE_STATUS;
}

static enum probe_cause cause_of_status(const struct answer_view *view)
{
    const struct http_result *result = view->result;
    switch (result->status) {
    case 0: /* an answer without a status: cannot come */
        return PROBE_CAUSE_NOT_HTTP;
    case 400: /* Go's and nginx's words */
        return body_has(result, "HTTP request to an HTTPS server") ||
                       body_has(result, "plain HTTP request was sent to HTTPS port")
                   ? PROBE_CAUSE_PLAIN_TO_TLS
                   : PROBE_CAUSE_STATUS;
    case 401:
        return PROBE_CAUSE_UNAUTHORIZED;
    case 404:
        return PROBE_CAUSE_NOT_FOUND;
    default:
        return result->status >= 500 ? cause_of_5xx(view) : PROBE_CAUSE_STATUS;
    }
}

/* Stores the ids, as many as a sample holds. Returns whether the expected one is among all of them; true when any will do. */
static bool models_take(const struct answer_view *view, struct sample *sample)
{
    const char *expected = view->question->expected_model;
    bool found = expected[0] == '\0';
    sample->model_count = 0;
    for (const struct json *card = json_first(view->models); card; card = json_next(card)) {
        struct text id = {0};
        json_text(json_get(card, "id"), &id, TEXT_NAME);
        found = found || text_is(&id, expected);
        if (!text_empty(&id) && sample->model_count < SAMPLE_MODELS_MAX)
            text_move(sample_add_model(sample), &id);
        text_free(&id);
    }
    return found;
}

/* 200 to 399: the kubelet is content, whatever the body. What the body lacks is noted as a cause beside the success. */
static struct ruling rule_success(const struct answer_view *view, struct sample *sample)
{
    const struct http_result *result = view->result;
    if (result->redirect_elsewhere)
        return (struct ruling){OUTCOME_WARN, PROBE_CAUSE_REDIRECT_ELSEWHERE};
    if (result->status >= 300)
        return (struct ruling){OUTCOME_WARN, PROBE_CAUSE_REDIRECT_UNFOLLOWED};
    if (!view->models)
        return (struct ruling){OUTCOME_OK, PROBE_CAUSE_NONE};
    bool found = models_take(view, sample);
    if (sample->model_count == 0 && view->whole)
        return (struct ruling){OUTCOME_OK, PROBE_CAUSE_NO_MODEL};
    if (!found && view->whole) /* it may be in what was cut off */
        return (struct ruling){OUTCOME_OK, PROBE_CAUSE_WRONG_MODEL};
    return (struct ruling){OUTCOME_OK, PROBE_CAUSE_NONE};
}

/* Our witness of /v1/models asks more than the kubelet does: is a model served? It counts for nobody, so it may say no where the kubelet says yes: an answer that lists no model is a failure,
 * another model than expected a warning. And 401 means that the model is loaded and a key is wanted, which is no failure (facts/vllm.md 1.8.2, 1.8.5). */
static struct ruling rule_models_witness(const struct answer_view *view, struct ruling ruling)
{
    if (ruling.cause == PROBE_CAUSE_UNAUTHORIZED || ruling.cause == PROBE_CAUSE_WRONG_MODEL)
        ruling.outcome = OUTCOME_WARN;
    if (ruling.outcome == OUTCOME_OK && (ruling.cause == PROBE_CAUSE_NO_MODEL || (!view->models && view->whole)))
        ruling = (struct ruling){OUTCOME_FAIL, PROBE_CAUSE_NO_MODEL};
    return ruling;
}

static struct ruling rule_answer(const struct answer_view *view, struct sample *sample)
{
    int32_t status = view->result->status;
    struct ruling ruling = {OUTCOME_FAIL, PROBE_CAUSE_NONE};
    if (is_api_status(view))
        ruling = rule_api_status(view);
    else if (is_proxys_own(view))
        return (struct ruling){OUTCOME_UNKNOWN, PROBE_CAUSE_API_LOST};
    else if (status >= 200 && status < 400)
        ruling = rule_success(view, sample);
    else
        ruling.cause = cause_of_status(view);
    return view->question->lane == LANE_MODELS ? rule_models_witness(view, ruling) : ruling;
}

/* ---- the sample ---- */

static int64_t scaled(int64_t us, double speed)
{
    return us < 0 ? -1 : (int64_t)((double)us * speed);
}

static void sample_take_times(struct sample *sample, const struct http_result *result, double speed)
{
    sample->dns = scaled(result->dns, speed);
    sample->connect = scaled(result->connect, speed);
    sample->tls = scaled(result->tls, speed);
    sample->first_byte = scaled(result->first_byte, speed);
    sample->total = scaled(result->total, speed);
}

/* One line of what the transport or the server said; the sentence of the cause stands beside it, so it is not repeated. */
static void sample_take_detail(struct sample *sample, const struct answer_view *view)
{
    const struct http_result *result = view->result;
    struct text *detail = &sample->detail;
    text_free(detail);
    if (sample->cause == PROBE_CAUSE_NOT_REPRODUCIBLE) {
        text_set_str(detail, "through a tunnel a connect alone proves nothing", TEXT_LINE);
    } else if (result->error != HTTP_OK && (view->question->tunnelled || view->question->proxied) &&
               view->question->tunnel != TUNNEL_UP) {
        text_printf(detail, TEXT_LINE, "tunnel %s: %s", tunnel_word_name(view->question->tunnel),
                    said_of(view)[0] ? said_of(view) : result->detail);
    } else if (result->error != HTTP_OK && said_of(view)[0]) {
        text_set_str(detail, said_of(view), TEXT_LINE);
    } else if (result->error != HTTP_OK) {
        text_set_str(detail, result->detail[0] ? result->detail : http_error_sentence(result->error), TEXT_LINE);
    } else if (result->location[0]) {
        text_printf(detail, TEXT_LINE, "%d to %s", (int)result->status, result->location);
    } else if (sample->cause == PROBE_CAUSE_NO_MODEL && sample->outcome == OUTCOME_FAIL) {
        text_set_str(detail, view->models ? "the list is empty" : "the answer is no list of models", TEXT_LINE);
    } else if (view->models || view->question->action == PROBE_TCP_SOCKET) {
        /* the models themselves are shown */
    } else if (sample->outcome != OUTCOME_OK && view_message(view)[0]) {
        text_printf(detail, TEXT_LINE, "%d: %s", (int)result->status, view_message(view));
    } else if (sample->outcome != OUTCOME_OK) { /* the kubelet's words in its events */
        text_printf(detail, TEXT_LINE, "HTTP probe failed with statuscode: %d", (int)result->status);
    }
}

void classify(const struct classify_question *question, const struct http_result *result, double speed,
              struct sample *sample)
{
    struct answer_view view;
    struct ruling ruling;
    view_open(&view, question, result);
    sample->lane = question->lane;
    sample->status = result->status;
    sample->redirects = result->redirects;
    models_free(&sample->models, &sample->model_count);
    sample_take_times(sample, result, speed);
    if (question->action == PROBE_TCP_SOCKET)
        ruling = rule_tcp(&view);
    else if (result->error != HTTP_OK)
        ruling = rule_transport(&view);
    else
        ruling = rule_answer(&view, sample);
    sample->outcome = ruling.outcome;
    sample->cause = ruling.cause;
    sample->answerer = answerer_of(&view);
    sample_take_detail(sample, &view);
    text_free(&sample->body);
    if (sample->outcome != OUTCOME_OK) {
        /* One byte more than is kept, so that the cut shows. */
        size_t length = result->body_length > SAMPLE_BODY_MAX ? SAMPLE_BODY_MAX + 1 : result->body_length;
        text_set(&sample->body, result->body, length, TEXT_BODY);
    }
    view_close(&view);
}

void classify_unsent(enum lane_kind lane, enum probe_action action, enum tunnel_word tunnel, struct sample *sample)
{
    bool possible = action == PROBE_HTTP_GET || action == PROBE_TCP_SOCKET;
    sample->lane = lane;
    sample->outcome = OUTCOME_UNKNOWN;
    if (!possible)
        sample->cause = PROBE_CAUSE_NOT_REPRODUCIBLE;
    else if (tunnel == TUNNEL_UP)
        sample->cause = PROBE_CAUSE_TOOL;
    else if (tunnel == TUNNEL_REFUSED_IN_POD) /* of the connection before: this one has none yet */
        sample->cause = PROBE_CAUSE_TUNNEL_DOWN;
    else
        sample->cause = ruling_of_word(tunnel).cause;
    if (possible && tunnel != TUNNEL_UP)
        text_printf(&sample->detail, TEXT_LINE, "tunnel %s", tunnel_word_name(tunnel));
}

void classify_lost(enum tunnel_word tunnel, const char *words, struct sample *sample)
{
    struct ruling ruling = ruling_of_word(tunnel);
    sample->outcome = ruling.outcome;
    sample->cause = ruling.cause;
    text_printf(&sample->detail, TEXT_LINE, "tunnel %s: %s", tunnel_word_name(tunnel), words);
}
