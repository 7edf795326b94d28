#include "tui/wait_tell.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "report/diagnosis.h"
#include "report/junit.h"
#include "report/plain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    LINE_BYTES_MAX = 64 * 1024 * 1024, /* the last JSON line holds every pod */
    EXPLAINED_MAX = 20,                /* pods that are explained at length where people read */
    ANNOTATIONS_MAX = 10,              /* GitHub shows no more of one step */
    CLOCK_SIZE = 32,
    AGE_SIZE = 16
};

static const char SCHEMA[] = "probetop.wait/v1";

/* "3 of 3 pods are ..." */
static const char *goal_words(enum wait_goal goal)
{
    static const char *const WORDS[WAIT_GOAL_COUNT] = {
        [WAIT_RUNNING] = "running",
        [WAIT_API] = "up with an API server",
        [WAIT_LOADED] = "loaded with a model",
        [WAIT_READY] = "ready",
        [WAIT_GONE] = "gone",
    };
    return WORDS[goal];
}

void wait_tell_init(struct wait_tell *tell, const struct options *options, const struct fleet *fleet)
{
    *tell = (struct wait_tell){.options = options, .fleet = fleet};
    buf_init(&tell->line, LINE_BYTES_MAX);
    buf_init(&tell->plain, LINE_BYTES_MAX);
}

void wait_tell_free(struct wait_tell *tell)
{
    buf_free(&tell->line);
    buf_free(&tell->plain);
}

/* ---- lines ---- */

static bool is_json(const struct wait_tell *tell)
{
    return tell->options->output == OUTPUT_JSON;
}

/* Workflow commands of the old kind count anywhere in a line, so whoever writes a log line could give one. */
static void put_without_commands(const char *words, struct buf *out)
{
    static const char COMMAND[] = "##[";
    for (const char *found; (found = strstr(words, COMMAND)) != NULL; words = found + strlen(COMMAND)) {
        buf_append(out, words, (size_t)(found - words));
        buf_puts(out, "# #[");
    }
    buf_puts(out, words);
}

/* Writes what is in tell->line, and a line's end. At once: whoever reads the other end of a pipe reads along. */
static bool line_write(struct wait_tell *tell, FILE *to)
{
    buf_clear(&tell->plain);
    if (is_json(tell) && to == stdout)
        buf_append(&tell->plain, buf_str(&tell->line), tell->line.len);
    else
        report_plain(buf_str(&tell->line), tell->options->ascii, &tell->plain);
    if (tell->options->wait.github) {
        buf_clear(&tell->line);
        put_without_commands(buf_str(&tell->plain), &tell->line);
        buf_clear(&tell->plain);
        buf_append(&tell->plain, buf_str(&tell->line), tell->line.len);
    }
    buf_putc(&tell->plain, '\n');
    if (to == stdout && tell->mute)
        return false;
    fwrite(buf_str(&tell->plain), 1, tell->plain.len, to);
    if (fflush(to) == 0 || to != stdout)
        return !tell->mute;
    tell->mute = true;
    if (errno != EPIPE)
        fprintf(stderr, "probetop: standard output: %s\n", strerror(errno));
    return false;
}

static void json_begin(struct wait_tell *tell, struct json_writer *writer, const char *type, int64_t t)
{
    char iso[CLOCK_SIZE];
    buf_clear(&tell->line);
    json_writer_init(writer, &tell->line);
    json_open_object(writer, NULL);
    json_put_string(writer, "schema", SCHEMA);
    json_put_string(writer, "type", type);
    json_put_string(writer, "time", clock_format(fleet_wall(tell->fleet, t), CLOCK_ISO_UTC, iso, sizeof iso));
}

static void put_text_or_null(struct json_writer *writer, const char *key, const struct text *text)
{
    if (text_empty(text))
        json_put_string(writer, key, NULL);
    else
        json_put_text(writer, key, text);
}

static void keep_line(struct waited *waited, const struct buf *line)
{
    buf_append(&waited->lines, buf_str(line), line->len);
    buf_putc(&waited->lines, '\n');
}

bool wait_tell_happening(struct wait_tell *tell, const struct pod *pod, const struct happening *happening,
                         struct waited *waited)
{
    struct json_writer writer;
    struct text command = {0};
    buf_clear(&tell->line);
    report_happening(tell->fleet, pod, happening, &tell->line);
    if (tell->options->wait.report)
        keep_line(waited, &tell->line);
    if (!is_json(tell))
        return line_write(tell, stdout);
    report_happening_command(tell->fleet, pod, happening, &command);
    json_begin(tell, &writer, "transition", happening->t);
    json_put_text(&writer, "pod", &pod->facts.name);
    put_text_or_null(&writer, "namespace", &pod->facts.ns);
    json_put_string(&writer, "kind", happening_name(happening->kind));
    json_put_string(&writer, "stage", stage_word(pod->stage));
    json_put_text(&writer, "words", &happening->words);
    put_text_or_null(&writer, "command", &command);
    json_close_object(&writer);
    text_free(&command);
    return line_write(tell, stdout);
}

bool wait_tell_general(struct wait_tell *tell, const char *kind, const struct text *words, int64_t t)
{
    char clock[CLOCK_SIZE];
    struct json_writer writer;
    if (is_json(tell)) {
        json_begin(tell, &writer, kind, t);
        json_put_text(&writer, "words", words);
        json_close_object(&writer);
        return line_write(tell, stdout);
    }
    buf_clear(&tell->line);
    buf_printf(&tell->line, "%s %s", clock_format(fleet_wall(tell->fleet, t), CLOCK_HMS, clock, sizeof clock),
               text_str(words));
    return line_write(tell, stdout);
}

/* ---- a pod that is not there, and why ---- */

/* All of it; free it. The pod may be gone: then there is nothing. */
struct account {
    const struct pod *pod;
    const struct waited *waited;
    struct hints hints;
};

static void account_of(const struct wait_tell *tell, const struct waited *waited, int64_t now, struct account *out)
{
    *out = (struct account){.pod = fleet_pod(tell->fleet, waited->id), .waited = waited};
    if (out->pod)
        pod_hints(tell->fleet, out->pod, now, &out->hints);
}

/* "decode-0 will not be ready by itself: GPU memory ran out (certain)", of those under way where they stand; and below it why, in lines. */
static void put_account(const struct wait_tell *tell, const struct account *account, int64_t now, struct buf *out)
{
    const struct pod *pod = account->pod;
    char age[AGE_SIZE];
    buf_puts(out, text_str(&account->waited->name));
    if (!pod) {
        buf_putc(out, '\n');
        return;
    }
    if (account->waited->state == WAITED_HOPELESS)
        buf_printf(out, " will not be %s by itself: ", goal_words(tell->options->wait.goal));
    else
        buf_printf(out, " is %s%s%s for %s: ", stage_word(pod->stage), text_empty(&pod->reason) ? "" : ", ",
                   text_str(&pod->reason), clock_age(now - pod->stage_since, age, sizeof age));
    report_hints(pod, &account->hints, now, false, out);
}

/* ---- the end, for people ---- */

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* The whole of it in a sentence. */
static void put_result(const struct wait_tell *tell, const struct wait_outcome *outcome, struct buf *out)
{
    char age[AGE_SIZE];
    const char *goal = goal_words(tell->options->wait.goal);
    size_t wanted = tell->options->wait.count > 0 ? (size_t)tell->options->wait.count : outcome->present;
    clock_age(outcome->now, age, sizeof age);
    if (outcome->end == WAIT_END_STOPPED || outcome->end == WAIT_END_FAILED) {
        buf_puts(out, outcome->words);
    } else if (outcome->end == WAIT_END_HOPELESS) {
        buf_printf(out, "waiting is hopeless, after %s", age);
        if (outcome->words)
            buf_printf(out, ": %s", outcome->words);
    } else if (tell->options->wait.goal == WAIT_GONE) {
        if (outcome->end == WAIT_END_TIMEOUT)
            buf_printf(out, "timeout: after %s %zu pod%s still there", age, outcome->present,
                       outcome->present == 1 ? " is" : "s are");
        else
            buf_printf(out, "%s, after %s", outcome->count > 0 ? "all pods are gone" : "there are no pods", age);
    } else if (outcome->present == 0) {
        buf_printf(out, "timeout: no pod came within %s", age);
    } else {
        buf_printf(out, "%s%zu of %zu pod%s %s %s after %s", outcome->end == WAIT_END_TIMEOUT ? "timeout: " : "",
                   outcome->there, wanted, plural(wanted), wanted == 1 ? "is" : "are", goal, age);
        if (outcome->end == WAIT_END_TIMEOUT && outcome->rolling)
            buf_printf(out, "; %s", text_str(outcome->rolling));
    }
}

/* Whom the end explains: the hopeless ones where that is why it ended, else all that are missing. */
static bool is_explained(const struct wait_outcome *outcome, const struct waited *waited)
{
    if (outcome->end == WAIT_END_HOPELESS)
        return waited->state == WAITED_HOPELESS;
    return outcome->end == WAIT_END_TIMEOUT && (waited->state == WAITED_HOPELESS || waited->state == WAITED_ON_THE_WAY);
}

/* Several lines in a buf, each written as one. */
static void lines_write(struct wait_tell *tell, const struct buf *lines, FILE *to)
{
    for (const char *at = buf_str(lines), *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        buf_clear(&tell->line);
        buf_append(&tell->line, at, (size_t)(end - at));
        line_write(tell, to);
    }
}

static void tell_people(struct wait_tell *tell, const struct wait_outcome *outcome, FILE *to)
{
    char clock[CLOCK_SIZE];
    struct buf words;
    size_t told = 0, left = 0;
    buf_init(&words, LINE_BYTES_MAX);
    buf_printf(&words, "%s ", clock_format(fleet_wall(tell->fleet, outcome->now), CLOCK_HMS, clock, sizeof clock));
    put_result(tell, outcome, &words);
    buf_putc(&words, '\n');
    for (size_t i = 0; i < outcome->count; i++) {
        struct account account;
        if (!is_explained(outcome, &outcome->list[i]))
            continue;
        if (told == EXPLAINED_MAX) {
            left++;
            continue;
        }
        told++;
        account_of(tell, &outcome->list[i], outcome->now, &account);
        put_account(tell, &account, outcome->now, &words);
        hints_free(&account.hints);
    }
    if (left > 0)
        buf_printf(&words, "and %zu more\n", left);
    lines_write(tell, &words, to);
    buf_free(&words);
}

/* ---- GitHub ---- */

/* Workflow commands: facts in GitHub's own escaping, without which a line's end or a colon would end the value. */
static void put_github(struct buf *out, const char *words, bool property)
{
    for (; *words; words++) {
        bool escaped =
            *words == '%' || *words == '\r' || *words == '\n' || (property && (*words == ':' || *words == ','));
        if (escaped)
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*words);
        else
            buf_putc(out, *words);
    }
}

static void annotate(struct wait_tell *tell, const char *level, const char *title, const char *words, FILE *to)
{
    buf_clear(&tell->line);
    buf_printf(&tell->line, "::%s title=", level);
    put_github(&tell->line, title, true);
    buf_puts(&tell->line, "::");
    put_github(&tell->line, words, false);
    line_write(tell, to);
}

static void annotate_pod(struct wait_tell *tell, const struct account *account, int64_t now, FILE *to)
{
    struct buf title, words;
    buf_init(&title, TEXT_LINE * 4);
    buf_init(&words, TEXT_BODY * 4);
    buf_printf(&title, "probetop: %s", text_str(&account->waited->name));
    put_account(tell, account, now, &words);
    annotate(tell, "error", buf_str(&title), buf_str(&words), to);
    buf_free(&words);
    buf_free(&title);
}

static void tell_github(struct wait_tell *tell, const struct wait_outcome *outcome, FILE *to)
{
    struct buf words;
    size_t told = 0;
    buf_init(&words, TEXT_BODY);
    put_result(tell, outcome, &words);
    annotate(tell, outcome->end == WAIT_END_THERE ? "notice" : "error", "probetop wait", buf_str(&words), to);
    for (size_t i = 0; i < outcome->count && told + 1 < ANNOTATIONS_MAX; i++) {
        struct account account;
        if (!is_explained(outcome, &outcome->list[i]))
            continue;
        told++;
        account_of(tell, &outcome->list[i], outcome->now, &account);
        annotate_pod(tell, &account, outcome->now, to);
        hints_free(&account.hints);
    }
    buf_free(&words);
}

/* ---- JSON ---- */

static const char *state_word(enum waited_state state)
{
    static const char *const WORDS[] = {[WAITED_ON_THE_WAY] = "on-the-way",
                                        [WAITED_THERE] = "there",
                                        [WAITED_HOPELESS] = "hopeless",
                                        [WAITED_NOT_COUNTED] = "not-counted",
                                        [WAITED_GONE] = "gone"};
    return WORDS[state];
}

static const char *end_word(enum wait_end end)
{
    static const char *const WORDS[] = {[WAIT_END_THERE] = "there",
                                        [WAIT_END_HOPELESS] = "hopeless",
                                        [WAIT_END_TIMEOUT] = "timeout",
                                        [WAIT_END_STOPPED] = "stopped",
                                        [WAIT_END_FAILED] = "failed"};
    return WORDS[end];
}

static void put_seconds_or_null(struct json_writer *writer, const char *key, int64_t us)
{
    if (us < 0)
        json_put_string(writer, key, NULL);
    else
        json_put_real(writer, key, (double)us / SECOND_US);
}

static void put_pod(struct wait_tell *tell, struct json_writer *writer, const struct waited *waited, int64_t now)
{
    struct account account;
    account_of(tell, waited, now, &account);
    const struct pod *pod = account.pod;
    json_open_object(writer, NULL);
    json_put_text(writer, "name", &waited->name);
    put_text_or_null(writer, "namespace", &waited->ns);
    put_text_or_null(writer, "workload", &waited->workload);
    json_put_string(writer, "state", state_word(waited->state));
    put_seconds_or_null(writer, "there_after_s", waited->there_at);
    json_put_string(writer, "stage", pod ? stage_word(pod->stage) : NULL);
    put_text_or_null(writer, "reason", pod ? &pod->reason : &(struct text){0});
    put_seconds_or_null(writer, "stage_for_s", pod ? now - pod->stage_since : -1);
    put_text_or_null(writer, "words", &account.hints.state);
    report_hints_json(writer, tell->fleet, &account.hints);
    json_close_object(writer);
    hints_free(&account.hints);
}

static void tell_json(struct wait_tell *tell, const struct wait_outcome *outcome)
{
    struct json_writer writer;
    struct buf words;
    buf_init(&words, TEXT_BODY);
    put_result(tell, outcome, &words);
    json_begin(tell, &writer, "result", outcome->now);
    json_put_string(&writer, "for", wait_goal_name(tell->options->wait.goal));
    json_put_string(&writer, "result", end_word(outcome->end));
    json_put_int(&writer, "exit", outcome->exit_code);
    put_seconds_or_null(&writer, "waited_s", outcome->now);
    json_put_int(&writer, "there", (int64_t)outcome->there);
    json_put_int(&writer, "present", (int64_t)outcome->present);
    json_put_string(&writer, "words", buf_str(&words));
    json_open_array(&writer, "pods");
    for (size_t i = 0; i < outcome->count; i++)
        put_pod(tell, &writer, &outcome->list[i], outcome->now);
    json_close_array(&writer);
    json_close_object(&writer);
    line_write(tell, stdout);
    buf_free(&words);
}

void wait_tell_end(struct wait_tell *tell, const struct wait_outcome *outcome)
{
    bool well = outcome->end == WAIT_END_THERE;
    if (is_json(tell))
        tell_json(tell, outcome);
    if (!is_json(tell) || !well)
        tell_people(tell, outcome, well ? stdout : stderr);
    if (tell->options->wait.github)
        tell_github(tell, outcome, is_json(tell) ? stderr : stdout);
}

/* ---- JUnit ---- */

/* What a case borrows from. */
struct case_words {
    struct buf class_name, message, detail;
    const char *type;
};

static void case_fail(const struct wait_tell *tell, const struct wait_outcome *outcome, const struct waited *waited,
                      struct case_words *words)
{
    struct account account;
    account_of(tell, waited, outcome->now, &account);
    put_account(tell, &account, outcome->now, &words->detail);
    buf_append(&words->message, buf_str(&words->detail), strcspn(buf_str(&words->detail), "\n"));
    words->type = account.hints.count > 0            ? cause_label(account.hints.list[0].cause)
                  : waited->state == WAITED_HOPELESS ? "hopeless"
                                                     : "timeout";
    hints_free(&account.hints);
}

static enum junit_outcome case_outcome(const struct wait_tell *tell, const struct wait_outcome *outcome,
                                       const struct waited *waited)
{
    bool gone_wanted = tell->options->wait.goal == WAIT_GONE;
    if (waited->state == WAITED_THERE || (waited->state == WAITED_GONE && gone_wanted))
        return JUNIT_PASSED;
    if (waited->state == WAITED_HOPELESS || (waited->state == WAITED_ON_THE_WAY && outcome->end == WAIT_END_TIMEOUT))
        return JUNIT_FAILED;
    return JUNIT_SKIPPED;
}

static void case_of(const struct wait_tell *tell, const struct wait_outcome *outcome, const struct waited *waited,
                    struct case_words *words, struct junit_case *out)
{
    bool there = waited->there_at >= 0;
    out->outcome = case_outcome(tell, outcome, waited);
    out->took = (there ? waited->there_at : outcome->now) - (waited->first_seen > 0 ? waited->first_seen : 0);
    if (out->outcome == JUNIT_FAILED)
        case_fail(tell, outcome, waited, words);
    else if (out->outcome == JUNIT_SKIPPED)
        buf_puts(&words->message, waited->state == WAITED_ON_THE_WAY
                                      ? "still on its way when the wait ended"
                                      : "not waited for: gone, being deleted, or replaced by its workload");
    buf_printf(&words->class_name, "%s%s%s", text_str(&waited->ns),
               text_empty(&waited->ns) || text_empty(&waited->workload) ? "" : ".", text_str(&waited->workload));
    out->name = text_str(&waited->name);
    out->class_name = words->class_name.len > 0 ? buf_str(&words->class_name) : "pods";
    out->type = words->type;
    out->message = buf_str(&words->message);
    out->detail = buf_str(&words->detail);
    out->output = buf_str(&waited->lines);
}

/* The wait as a whole, where no pod can stand for it: none came, or it could not be done. */
static void case_of_all(const struct wait_tell *tell, const struct wait_outcome *outcome, struct case_words *words,
                        struct junit_case *out)
{
    put_result(tell, outcome, &words->message);
    *out = (struct junit_case){.name = "wait",
                               .class_name = "pods",
                               .took = outcome->now,
                               .outcome = outcome->end == WAIT_END_THERE ? JUNIT_PASSED
                                          : outcome->end == WAIT_END_FAILED || outcome->end == WAIT_END_STOPPED
                                              ? JUNIT_ERROR
                                              : JUNIT_FAILED,
                               .type = end_word(outcome->end),
                               .message = buf_str(&words->message),
                               .detail = buf_str(&words->message)};
}

void wait_tell_junit(struct wait_tell *tell, const struct wait_outcome *outcome, struct buf *out)
{
    char name[64];
    size_t count = outcome->count + 1;
    struct junit_case *cases = mem_array(count, sizeof *cases);
    struct case_words *words = mem_array(count, sizeof *words);
    for (size_t i = 0; i < count; i++) {
        buf_init(&words[i].class_name, TEXT_BODY);
        buf_init(&words[i].message, TEXT_BODY * 4);
        buf_init(&words[i].detail, TEXT_BODY * 8);
        if (i < outcome->count)
            case_of(tell, outcome, &outcome->list[i], &words[i], &cases[i]);
        else
            case_of_all(tell, outcome, &words[i], &cases[i]);
    }
    snprintf(name, sizeof name, "probetop wait --for=%s", wait_goal_name(tell->options->wait.goal));
    struct junit_suite suite = {
        .name = name, .began = fleet_wall(tell->fleet, 0), .took = outcome->now, .cases = cases, .count = count};
    report_junit(&suite, out);
    for (size_t i = 0; i < count; i++) {
        buf_free(&words[i].class_name);
        buf_free(&words[i].message);
        buf_free(&words[i].detail);
    }
    mem_free(words);
    mem_free(cases);
}
