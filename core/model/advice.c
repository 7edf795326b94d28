/* What the person on call is told. Each rule below looks at the model for one thing, says how sure it is, and quotes what it saw with how long ago that was; the first that applies speaks.
 * Nothing is claimed that the model does not show. */
#include "model/pod.h"

#include "base/buf.h"
#include "base/clock.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { AGE_SIZE = 32, WORDS_SIZE = 64, COMMAND_MAX = 1024, QUOTE_CELLS = 160 };
static const int64_t RECENT_US =
    INT64_C(600) * SECOND_US; /* how long an ended run stays worth telling once the next one runs */

static const char CERTAIN[] = "certain", LIKELY[] = "likely", POSSIBLE[] = "possible";

/* The pod, the moment, and what is being said. */
struct speech {
    const struct pod *pod;
    int64_t now;
    struct advice *out;
};

void advice_free(struct advice *advice)
{
    text_free(&advice->headline);
    for (int i = 0; i < ADVICE_WHY_MAX; i++) {
        text_free(&advice->why[i]);
    }
    text_free(&advice->next);
    text_free(&advice->command);
    memset(advice, 0, sizeof *advice);
}

__attribute__((format(printf, 2, 0))) static void set_words(struct text *to, const char *format, va_list arguments)
{
    char words[TEXT_LINE * 2];
    vsnprintf(words, sizeof words, format, arguments);
    text_set_str(to, words, TEXT_LINE);
}

__attribute__((format(printf, 3, 4))) static bool speech_say(struct speech *speech, const char *confidence,
                                                             const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set_words(&speech->out->headline, format, arguments);
    va_end(arguments);
    speech->out->confidence = confidence;
    speech->out->nothing_wrong = confidence[0] == '\0';
    return true;
}

__attribute__((format(printf, 2, 3))) static void speech_why(struct speech *speech, const char *format, ...)
{
    if (speech->out->why_count == ADVICE_WHY_MAX) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    set_words(&speech->out->why[speech->out->why_count++], format, arguments);
    va_end(arguments);
}

__attribute__((format(printf, 2, 3))) static void speech_next(struct speech *speech, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set_words(&speech->out->next, format, arguments);
    va_end(arguments);
}

/* ---- commands: to be pasted into a shell, so names that a shell would read otherwise are quoted ---- */

static void put_word(struct buf *out, const char *word)
{
    bool plain = word[0] != '\0';
    for (const char *p = word; *p; p++) {
        plain = plain && (isalnum((unsigned char)*p) || strchr("-_./:@%+=,", *p));
    }
    if (plain) {
        buf_puts(out, word);
        return;
    }
    buf_putc(out, '\'');
    for (const char *p = word; *p; p++) {
        if (*p == '\'') {
            buf_puts(out, "'\\''");
        } else {
            buf_putc(out, *p);
        }
    }
    buf_putc(out, '\'');
}

static void put_flag(struct buf *out, const char *flag, const struct text *value)
{
    if (!text_empty(value)) {
        buf_puts(out, flag);
        put_word(out, text_str(value));
        buf_putc(out, ' ');
    }
}

static void put_kubectl(struct buf *out, const struct pod *pod, const char *verb)
{
    buf_puts(out, "kubectl ");
    put_flag(out, "--kubeconfig=", &pod->facts.kubeconfig);
    put_flag(out, "--context=", &pod->facts.context);
    put_flag(out, "-n ", &pod->facts.ns);
    buf_puts(out, verb);
    buf_putc(out, ' ');
    put_word(out, text_str(&pod->facts.name));
}

static void put_curl(struct buf *out, const struct pod *pod, enum lane_kind lane)
{
    const struct probe_spec *spec = &pod->facts.probes[lane];
    const char *address = text_str(&pod->facts.address);
    char url[COMMAND_MAX / 2];
    bool is_unix = strncmp(address, "unix:", 5) == 0;
    const char *path = spec->path ? spec->path : "/";
    buf_printf(out, "curl -sv%s --max-time %d ", spec->https ? "k" : "", (int)(spec->timeout > 0 ? spec->timeout : 1));
    if (is_unix) {
        buf_puts(out, "--unix-socket ");
        put_word(out, address + 5);
        buf_putc(out, ' ');
        address = "localhost";
    }
    const char *colon = strrchr(address, ':');
    size_t host = !is_unix && colon && !strchr(colon, ']') ? (size_t)(colon - address) : strlen(address);
    if (is_unix || spec->port == 0) {
        snprintf(url, sizeof url, "%s://%s%s", spec->https ? "https" : "http", address, path);
    } else {
        snprintf(url, sizeof url, "%s://%.*s:%d%s", spec->https ? "https" : "http", (int)host, address, (int)spec->port,
                 path);
    }
    put_word(out, url);
}

/* Runs a question against the lane by hand, or looks at the log where there is a cluster. */
static void command(struct speech *speech, bool previous, enum lane_kind lane)
{
    const struct pod *pod = speech->pod;
    struct buf out;
    buf_init(&out, COMMAND_MAX);
    if (pod->facts.kubelet) {
        put_kubectl(&out, pod, "logs");
        if (!text_empty(&pod->facts.serving.name)) {
            buf_puts(&out, " -c ");
            put_word(&out, text_str(&pod->facts.serving.name));
        }
        buf_puts(&out, previous ? " --previous | tail -50" : " --tail=200");
    } else if (pod->facts.probes[lane].action == PROBE_HTTP_GET && !text_empty(&pod->facts.address)) {
        put_curl(&out, pod, lane);
    }
    text_set_str(&speech->out->command, buf_str(&out), COMMAND_MAX);
    buf_free(&out);
}

static void command_describe(struct speech *speech)
{
    if (speech->pod->facts.kubelet) {
        struct buf out;
        buf_init(&out, COMMAND_MAX);
        put_kubectl(&out, speech->pod, "describe pod");
        text_set_str(&speech->out->command, buf_str(&out), COMMAND_MAX);
        buf_free(&out);
    }
}

/* Where what is asked for is wrong: a look at the probe itself, or the same question by hand. */
static void command_of_probe(struct speech *speech, enum lane_kind lane)
{
    if (speech->pod->facts.kubelet) {
        command_describe(speech);
    } else {
        command(speech, false, lane);
    }
}

/* ---- evidence ---- */

static const char *age_of(const struct speech *speech, int64_t since, char *out)
{
    return clock_age(speech->now > since ? speech->now - since : 0, out, AGE_SIZE);
}

/* "readiness GET :8000/v1/models: connected, but no answer within timeoutSeconds; 4 in a row, for 42s" */
static void why_lane(struct speech *speech, enum lane_kind kind)
{
    const struct lane *lane = &speech->pod->lanes[kind];
    if (!lane->present || lane->streak == 0) {
        return;
    }
    char age[AGE_SIZE], words[WORDS_SIZE];
    struct text target = {0};
    probe_spec_describe(&speech->pod->facts.probes[kind], &target);
    const char *sentence = lane->streak_cause == PROBE_CAUSE_STATUS
                               ? cause_words(lane->streak_cause, lane->streak_status, words, sizeof words)
                               : probe_cause_sentence(lane->streak_cause);
    speech_why(speech, "%s %s: %s; %d in a row, for %s", lane_name(kind), text_str(&target), sentence,
               (int)lane->streak, age_of(speech, lane->streak_since, age));
    text_free(&target);
}

/* The newest failing lanes, worst consequence first. */
static void why_failing(struct speech *speech)
{
    static const enum lane_kind order[] = {LANE_LIVENESS, LANE_READINESS, LANE_STARTUP, LANE_HEALTH, LANE_MODELS};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (pod_lane_fails(speech->pod, order[i], speech->now)) {
            why_lane(speech, order[i]);
        }
    }
}

/* What an error says of itself: "torch.OutOfMemoryError: CUDA out of memory ...", with or without a level before it. */
static bool line_names_error(const char *line)
{
    static const char *const marks[] = {"Error: ", "Exception: ", "error: "};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (strstr(line, marks[i])) {
            return !line_is_wrapper(line);
        }
    }
    return false;
}

/* How good a line is as the words of a cause, 0 none: an error that names itself in a worker or engine process before one elsewhere, those before other ERROR lines
 * (corpus/README.md: the first specific error of a worker or engine is the cause, the API server's lines echo it). */
static int line_weight(const char *line)
{
    bool deep = strstr(line, "(EngineCore") || strstr(line, "(Worker") || strstr(line, "(VllmWorker");
    if (line_names_error(line)) {
        return deep ? 3 : 2;
    }
    return line_is_error(line) && !line_is_wrapper(line) && !strstr(line, "  File \"") && !strstr(line, "   ") ? 1 : 0;
}

/* The line that most likely says why this run ended, or NULL. The first of the best kind. */
static const struct log_line *cause_line(const struct pod *pod, uint32_t run)
{
    const struct log_line *best = NULL;
    int weight = 0;
    for (uint32_t back = 0; back < pod->log_count; back++) {
        const struct log_line *line = pod_log(pod, back);
        if (line->run != run || line->sidecar) {
            continue;
        }
        int this_weight = line_weight(text_str(&line->line));
        if (this_weight > 0 && this_weight >= weight) {
            best = line;
            weight = this_weight;
        }
    }
    return best;
}

static void why_line(struct speech *speech, const struct log_line *line)
{
    char age[AGE_SIZE];
    const char *start;
    size_t rest;
    if (!line) {
        return;
    }
    line_sentence(text_str(&line->line), line->line.len, &start, &rest);
    struct text quote = {0};
    text_set(&quote, start, rest, QUOTE_CELLS);
    speech_why(speech, "log, %s ago: %s", age_of(speech, line->t, age), text_str(&quote));
    text_free(&quote);
}

/* The newest event with one of these reasons ("" ends the list). */
static bool why_event(struct speech *speech, const char *const *reasons)
{
    const struct pod *pod = speech->pod;
    char age[AGE_SIZE];
    for (uint32_t i = pod->event_count; i-- > 0;) {
        const struct pod_event *event = &pod->events[i];
        for (size_t k = 0; reasons[k]; k++) {
            if (text_is(&event->reason, reasons[k])) {
                speech_why(speech, "event, %s ago: %s: %s", age_of(speech, event->last, age), reasons[k],
                           text_str(&event->message));
                return true;
            }
        }
    }
    return false;
}

/* ---- what comes next ---- */

static const char *subject(const struct pod *pod)
{
    return pod->facts.kubelet ? "the kubelet" : "a kubelet would";
}

/* "shards 41/163, 25 %, silent for 2:40" */
static const char *progress_words(const struct speech *speech, char *out, size_t size)
{
    const struct progress *progress = &speech->pod->progress;
    char age[AGE_SIZE];
    int length;
    if (progress->furthest == SUBSTAGE_NONE) {
        snprintf(out, size, "no start-up line seen");
        return out;
    }
    if (progress->total > 0) {
        length = snprintf(out, size, "%s %d/%d", substage_word(progress->furthest), (int)progress->done,
                          (int)progress->total);
    } else {
        length = snprintf(out, size, "%s", substage_word(progress->furthest));
    }
    int64_t silence = progress_silence(progress, speech->now);
    if (silence >= 60 * (int64_t)SECOND_US && length > 0 && (size_t)length < size) {
        snprintf(out + length, size - (size_t)length, ", no line for %s", clock_age(silence, age, sizeof age));
    }
    return out;
}

static void next_of_budget(struct speech *speech, const struct budget *budget)
{
    char left[AGE_SIZE], done[AGE_SIZE];
    int64_t done_at;
    enum tri in_time = pod_in_time(speech->pod, speech->now, &done_at);
    const char *guess = budget->guess ? "about " : "";
    if (budget->left <= 0) {
        speech_next(speech, "start-up budget used up: %s%s the container at any moment", subject(speech->pod),
                    speech->pod->facts.kubelet ? " kills" : " kill");
        return;
    }
    clock_age(budget->left, left, sizeof left);
    clock_age(done_at > speech->now ? done_at - speech->now : 0, done, sizeof done);
    enum substage counted = pod_in_time_of(speech->pod);
    if (done_at < speech->now + SECOND_US) { /* not known, or nothing is left to do */
        speech_next(speech, "start-up budget: %s%s left", guess, left);
    } else if (in_time == TRI_UNKNOWN) {
        speech_next(speech, "start-up budget: %s%s left; %s done in about %s at this rate, then more is to come", guess,
                    left, substage_word(counted), done);
    } else {
        speech_next(speech, "start-up budget: %s%s left, %s done in about %s at this rate%s", guess, left,
                    counted == SUBSTAGE_NONE ? "loading" : substage_word(counted), done,
                    in_time == TRI_TRUE ? "" : ": too late");
    }
}

/* The consequence that is running up, in a sentence; nothing where none is. */
static void next_of_pod(struct speech *speech)
{
    const struct pod *pod = speech->pod;
    enum lane_kind lane;
    char when[AGE_SIZE * 2], age[AGE_SIZE], load[AGE_SIZE * 2] = "";
    struct forecast coming = pod_next(pod, speech->now, &lane);
    struct budget budget = pod_budget(pod, speech->now);
    if (budget.applies && (coming.consequence == CONSEQUENCE_NONE || lane == LANE_STARTUP)) {
        next_of_budget(speech, &budget);
        return;
    }
    int64_t at = coming.at >= 0 ? coming.at : coming.latest;
    snprintf(when, sizeof when, at > speech->now ? "in about %s" : "at any moment",
             clock_age(at - speech->now, age, sizeof age));
    bool kubelet = pod->facts.kubelet;
    if (coming.consequence == CONSEQUENCE_RESTART) {
        if (pod->last_load_took >= 0) {
            snprintf(load, sizeof load, "; loading took %s last time", clock_age(pod->last_load_took, age, sizeof age));
        }
        speech_next(speech, "%s %s the container %s (%s failure %d of %d)%s", subject(pod),
                    pod->facts.never_restart ? (kubelet ? "ends" : "end") : (kubelet ? "restarts" : "restart"), when,
                    lane_name(lane), (int)coming.count, (int)coming.threshold, load);
    } else if (coming.consequence == CONSEQUENCE_NOT_READY) {
        speech_next(speech, "NotReady %s (readiness failure %d of %d)%s", when, (int)coming.count,
                    (int)coming.threshold, kubelet ? "" : " for a kubelet");
    } else if (coming.consequence == CONSEQUENCE_READY) {
        speech_next(speech, "Ready %s", when);
    }
}

/* ---- rules, in the order in which they speak ---- */

static bool advise_gone(struct speech *speech)
{
    char age[AGE_SIZE];
    if (!speech->pod->gone) {
        return false;
    }
    return speech_say(speech, "", "the pod is no longer there, since %s", age_of(speech, speech->pod->gone_at, age));
}

static bool advise_unreachable(struct speech *speech)
{
    const struct pod *pod = speech->pod;
    char age[AGE_SIZE];
    if (pod->stage != STAGE_UNREACHABLE) {
        return false;
    }
    speech_say(speech, CERTAIN, "no tunnel to the pod: nothing here is the pod's fault, and nothing can be said of it");
    const char *detail = text_str(&pod->tunnel_detail);
    speech_why(speech, "tunnel: %s for %s%s%s", tunnel_word_name(pod->tunnel), age_of(speech, pod->tunnel_lost_at, age),
               detail[0] ? ": " : "", detail);
    if (pod->facts.kubelet && pod->facts.serving.ready != TRI_UNKNOWN) {
        speech_why(speech, "the kubelet says %s", pod->facts.serving.ready == TRI_TRUE ? "Ready" : "NotReady");
    }
    speech_next(speech, "the tunnel is tried again by itself");
    command_describe(speech);
    return true;
}

static bool advise_leaving(struct speech *speech)
{
    const struct pod *pod = speech->pod;
    char age[AGE_SIZE];
    if (pod->stage != STAGE_TERMINATING) {
        return false;
    }
    speech_say(speech, "", "the pod is being deleted, for %s", age_of(speech, pod->stage_since, age));
    speech_next(speech, "it has %d s of grace; liveness and startup are not asked any more", (int)pod->facts.grace);
    return true;
}

static bool advise_pending(struct speech *speech)
{
    static const char *const unscheduled[] = {"FailedScheduling", NULL};
    static const char *const making[] = {"FailedMount", "FailedAttachVolume", "Failed", "FailedCreatePodSandBox", NULL};
    const struct pod *pod = speech->pod;
    char age[AGE_SIZE];
    if (pod->stage == STAGE_PENDING) {
        bool refused = pod->facts.scheduled.status == TRI_FALSE;
        speech_say(speech, refused ? CERTAIN : "", "%s, for %s", refused ? "no node takes the pod" : "waits for a node",
                   age_of(speech, pod->stage_since, age));
        if (!why_event(speech, unscheduled) && !text_empty(&pod->facts.scheduled.message)) {
            speech_why(speech, "PodScheduled: %s", text_str(&pod->facts.scheduled.message));
        }
        command_describe(speech);
        return true;
    }
    if (pod->stage != STAGE_CREATING) {
        return false;
    }
    speech_say(speech, "", "the container is being made, for %s", age_of(speech, pod->stage_since, age));
    if (why_event(speech, making)) {
        speech_say(speech, LIKELY, "the container cannot be made yet");
        command_describe(speech);
    }
    return true;
}

/* How long the start-up budget is: facts/kube.md 1.4. */
static int64_t budget_length(const struct pod *pod)
{
    const struct probe_spec *spec = &pod->facts.probes[LANE_STARTUP];
    return ((int64_t)spec->initial_delay + (int64_t)spec->failure_threshold * spec->period) * SECOND_US;
}

/* Whether the run that was killed had its server up, so that not the time was too short but the probe asked wrongly. */
static bool killed_while_up(const struct pod *pod)
{
    bool previous = pod->killed_run != pod->run && pod->facts.kubelet;
    const struct progress *progress = previous ? pod->previous : &pod->progress;
    return progress && progress->furthest == SUBSTAGE_LISTENING &&
           progress->entered[SUBSTAGE_LISTENING] < pod->killed_at;
}

/* A probe killed the container: which, and what was behind it. */
static bool say_killed(struct speech *speech, bool engine_died)
{
    const struct pod *pod = speech->pod;
    const struct probe_spec *spec = &pod->facts.probes[pod->killed_by];
    char budget[AGE_SIZE], words[WORDS_SIZE];
    if (engine_died) {
        return speech_say(speech, CERTAIN, "the engine died; the %s probe then restarted the container",
                          lane_name(pod->killed_by));
    }
    if (pod->killed_by == LANE_STARTUP && killed_while_up(pod)) {
        return speech_say(speech, LIKELY, "killed by its start-up probe although vLLM was up: it asks port %d in vain",
                          (int)spec->port);
    }
    if (pod->killed_by == LANE_STARTUP) {
        return speech_say(
            speech, CERTAIN,
            "killed by its start-up probe after %d failures: the budget of %s was too short for this load",
            (int)spec->failure_threshold, clock_age(budget_length(pod), budget, sizeof budget));
    }
    if (pod->killed_cause == PROBE_CAUSE_NONE) {
        return speech_say(speech, CERTAIN, "the %s probe killed the container", lane_name(pod->killed_by));
    }
    return speech_say(speech, CERTAIN, "the %s probe killed the container after %d failures (%s)",
                      lane_name(pod->killed_by), (int)spec->failure_threshold,
                      cause_words(pod->killed_cause, pod->killed_status, words, sizeof words));
}

/* How a run ended, from its exit code and the verdict before it; `end` is known. */
static bool say_ended(struct speech *speech, const struct termination *end, bool killed, bool engine_died)
{
    if (text_is(&end->reason, "OOMKilled")) {
        return speech_say(speech, CERTAIN,
                          "out of host memory: the container went beyond its memory limit and was killed");
    }
    if (killed) {
        return say_killed(speech, engine_died);
    }
    if (engine_died) {
        return speech_say(speech, CERTAIN, "the engine died, and its API server then ended (exit code %d)",
                          (int)end->exit_code);
    }
    switch (end->exit_code) {
    case 0:
        return speech_say(speech, LIKELY, "vLLM ended by itself with exit code 0: so it does when its engine dies");
    case 137:
        return speech_say(speech, LIKELY,
                          "killed with SIGKILL (exit code 137): out of memory, or not ended within its grace");
    case 143:
    case 130:
        return speech_say(speech, LIKELY, "ended on a signal (exit code %d): a probe's kill, or somebody's",
                          (int)end->exit_code);
    case 139:
        return speech_say(speech, CERTAIN, "crashed with a segmentation fault (exit code 139)");
    case 135:
        return speech_say(speech, LIKELY, "crashed with a bus error (exit code 135): often /dev/shm is too small");
    default:
        return speech_say(speech, CERTAIN, "the container ended with exit code %d", (int)end->exit_code);
    }
}

/* The quoted line makes the headline more exact where it is one that can only mean one thing. */
static void say_of_line(struct speech *speech, const struct log_line *line)
{
    const char *words = line ? text_str(&line->line) : "";
    if (strstr(words, "CUDA out of memory") || strstr(words, "CUDA error: out of memory")) {
        speech_say(speech, CERTAIN, "out of GPU memory");
    } else if (strstr(words, "less than desired GPU memory utilization")) {
        speech_say(speech, CERTAIN, "the GPU's memory is already in use by something else");
    } else if (strstr(words, "No available memory for the cache blocks") ||
               strstr(words, "larger than the available KV cache memory")) {
        speech_say(speech, CERTAIN, "the KV cache does not fit: the model's length needs more GPU memory than is left");
    }
}

/* The ended run's evidence and the command to see more of it. */
static void tell_ended(struct speech *speech, uint32_t run, bool killed)
{
    const struct pod *pod = speech->pod;
    const struct termination *end = &pod->facts.serving.last;
    bool engine_died = run == pod->run ? pod->engine_dead : pod->engine_died_before;
    const struct log_line *line = killed && !engine_died ? NULL : cause_line(pod, run);
    char age[AGE_SIZE], lived[AGE_SIZE], when[AGE_SIZE * 3] = "";
    say_ended(speech, end, killed, engine_died);
    if (!text_is(&end->reason, "OOMKilled") && !killed) {
        say_of_line(speech, line);
    }
    why_line(speech, line);
    if (end->finished_at != 0 && end->started_at != 0) {
        snprintf(when, sizeof when, ", %s ago after %s", age_of(speech, end->finished_at, age),
                 clock_age(end->finished_at - end->started_at, lived, sizeof lived));
    } else if (end->finished_at != 0) {
        snprintf(when, sizeof when, ", %s ago", age_of(speech, end->finished_at, age));
    }
    speech_why(speech, "exit code %d%s%s%s", (int)end->exit_code, text_empty(&end->reason) ? "" : ", ",
               text_str(&end->reason), when);
    if (!line && !killed && !text_is(&end->reason, "OOMKilled")) {
        speech_why(speech, "no line of the log names a cause: look at the exit code and the memory");
    }
}

static void next_start(struct speech *speech)
{
    const struct pod *pod = speech->pod;
    char age[AGE_SIZE];
    int64_t at = pod_starts_again_at(pod);
    if (at > speech->now) {
        speech_next(speech, "the kubelet starts the container again in about %s, after its back-off",
                    clock_age(at - speech->now, age, sizeof age));
    } else if (at >= 0) {
        speech_next(speech, "the kubelet starts the container again at any moment");
    } else if (pod->stage == STAGE_BACKOFF || (pod->stage == STAGE_COMPLETED && pod->facts.phase == PHASE_RUNNING)) {
        speech_next(speech, "the kubelet starts the container again after its back-off (10 s, doubling to 5 minutes)");
    }
}

static bool advise_ended(struct speech *speech)
{
    static const char *const images[] = {"Failed", "BackOff", "ErrImagePull", "InspectFailed", NULL};
    const struct pod *pod = speech->pod;
    const struct container_facts *serving = &pod->facts.serving;
    if (pod->stage != STAGE_BACKOFF && pod->stage != STAGE_FAILED && pod->stage != STAGE_COMPLETED) {
        return false;
    }
    bool crash_loop = serving->state == CONTAINER_TERMINATED || text_is(&serving->reason, "CrashLoopBackOff");
    if (serving->last.known && (crash_loop || pod->stage != STAGE_BACKOFF)) {
        tell_ended(speech, pod->run, pod->killed_run == pod->run && pod->killed_run != 0);
        next_start(speech);
        command(speech, serving->state == CONTAINER_WAITING, LANE_STARTUP);
        return true;
    }
    speech_say(speech, CERTAIN, "the container cannot be started: %s", text_str(&pod->reason));
    why_event(speech, images);
    if (!text_empty(&serving->message)) {
        speech_why(speech, "%s: %s", text_str(&serving->reason), text_str(&serving->message));
    }
    command_describe(speech);
    return true;
}

static bool advise_engine_dead(struct speech *speech)
{
    const struct pod *pod = speech->pod;
    if (pod->stage != STAGE_DEGRADED || !pod->engine_dead) {
        return false;
    }
    if (pod->refused_now) {
        speech_say(speech, CERTAIN, "the engine process died, and the API server has ended too");
    } else {
        speech_say(speech, CERTAIN, "the engine process died; its API server answers for moments more");
    }
    why_line(speech, cause_line(pod, pod->run));
    why_failing(speech);
    const struct lane *models = &pod->lanes[LANE_MODELS];
    if (models->present && models->streak > 0 && !models->streak_failing) {
        speech_why(speech, "/v1/models still answers: it does not ask the engine");
    }
    next_of_pod(speech);
    command(speech, false, LANE_HEALTH);
    return true;
}

static bool advise_process_gone(struct speech *speech)
{
    const struct pod *pod = speech->pod;
    if (pod->stage != STAGE_DEGRADED || !pod->refused_now) {
        return false;
    }
    speech_say(speech, pod->facts.kubelet ? LIKELY : CERTAIN,
               "nothing listens on the port any more: the process has ended%s",
               pod->facts.kubelet ? " or closed it" : "");
    why_line(speech, cause_line(pod, pod->run));
    why_failing(speech);
    next_of_pod(speech);
    command(speech, false, LANE_MODELS);
    return true;
}

static bool advise_hang(struct speech *speech)
{
    const struct pod *pod = speech->pod;
    if (pod->stage != STAGE_DEGRADED || !text_is(&pod->reason, "hangs")) {
        return false;
    }
    speech_say(speech, LIKELY, "the API server hangs: it takes connections and answers none");
    why_failing(speech);
    int64_t silence = progress_silence(&pod->progress, speech->now);
    char age[AGE_SIZE];
    if (silence >= 0) {
        speech_why(speech, "log: no line for %s", clock_age(silence, age, sizeof age));
    }
    next_of_pod(speech);
    command(speech, false, LANE_HEALTH);
    return true;
}

/* A kubelet's probe that runs into its own limit while the server is alive otherwise. */
static bool advise_slow_probe(struct speech *speech)
{
    enum { FEW = 5 };
    const struct pod *pod = speech->pod;
    char p99[AGE_SIZE], limit[AGE_SIZE];
    if (pod->stage != STAGE_READY && pod->stage != STAGE_DEGRADED) {
        return false;
    }
    for (int i = LANE_LIVENESS; i <= LANE_READINESS; i++) {
        const struct lane *lane = &pod->lanes[i];
        int64_t allowed = (int64_t)pod->facts.probes[i].timeout * SECOND_US;
        int64_t slow = history_percentile(&lane->history, 99);
        bool fails = lane->present && lane->streak_failing && cause_is_timeout(lane->streak_cause);
        bool near = lane->present && lane->history.count >= FEW && slow >= allowed * 4 / 5;
        if (!fails && !near) {
            continue;
        }
        if (fails && slow >= 0 && slow < allowed / 4) {
            speech_say(speech, LIKELY,
                       "%s runs into its timeoutSeconds of %d, where answers came quickly: it stands still",
                       lane_name((enum lane_kind)i), (int)pod->facts.probes[i].timeout);
        } else {
            speech_say(speech, LIKELY, "%s %s its timeoutSeconds of %d: the server is slow, not dead",
                       lane_name((enum lane_kind)i), fails ? "runs into" : "comes close to",
                       (int)pod->facts.probes[i].timeout);
        }
        if (fails) {
            why_lane(speech, (enum lane_kind)i);
        }
        if (slow >= 0) {
            speech_why(speech, "%s: 99 %% of its answers came within %s of the %s allowed",
                       lane_name((enum lane_kind)i), clock_latency(slow, p99, sizeof p99),
                       clock_latency(allowed, limit, sizeof limit));
        }
        next_of_pod(speech);
        if (text_empty(&speech->out->next)) {
            speech_next(speech, "a higher timeoutSeconds gives it room");
        }
        command(speech, false, (enum lane_kind)i);
        return true;
    }
    return false;
}

static bool advise_degraded(struct speech *speech)
{
    const struct pod *pod = speech->pod;
    if (pod->stage != STAGE_DEGRADED) {
        return false;
    }
    speech_say(speech, CERTAIN, "was Ready and is not any more: %s", text_str(&pod->reason));
    why_failing(speech);
    if (pod->failure_count > 0 && !text_empty(&pod->failures[0].body)) {
        struct text quote = {0};
        text_set(&quote, text_str(&pod->failures[0].body), pod->failures[0].body.len, QUOTE_CELLS);
        speech_why(speech, "it said: %s", text_str(&quote));
        text_free(&quote);
    }
    next_of_pod(speech);
    command(speech, false, LANE_READINESS);
    return true;
}

/* A lane that answers on another port than this one, or LANE_COUNT. */
static enum lane_kind lane_that_answers_elsewhere(const struct pod *pod, int32_t port)
{
    for (int i = 0; i < LANE_COUNT; i++) {
        const struct lane *lane = &pod->lanes[i];
        if (lane->present && lane->streak > 0 && !lane->streak_failing && pod->facts.probes[i].port != port) {
            return (enum lane_kind)i;
        }
    }
    return LANE_COUNT;
}

static bool advise_wrong_port(struct speech *speech)
{
    enum { LISTENS_SINCE_SECONDS = 15 };
    const struct pod *pod = speech->pod;
    int64_t listens = pod->progress.entered[SUBSTAGE_LISTENING];
    if (pod->stage < STAGE_RUNNING || pod->stage > STAGE_LOADED) {
        return false;
    }
    for (int i = LANE_STARTUP; i <= LANE_READINESS; i++) {
        const struct lane *lane = &pod->lanes[i];
        int32_t port = pod->facts.probes[i].port;
        bool refused = lane->streak_cause == PROBE_CAUSE_REFUSED, missing = lane->streak_cause == PROBE_CAUSE_NOT_FOUND;
        if (!lane->present || !lane->streak_failing || (!refused && !missing)) {
            continue;
        }
        bool after = listens != 0 && speech->now - listens > LISTENS_SINCE_SECONDS * (int64_t)SECOND_US &&
                     lane->last_counted_sent > listens + SECOND_US;
        enum lane_kind other = lane_that_answers_elsewhere(pod, port);
        bool elsewhere = other != LANE_COUNT && pod->facts.probes[other].port == pod->facts.vllm_port &&
                         pod->lanes[other].streak_since < lane->last_counted_sent;
        if (refused && !after && !elsewhere) {
            continue;
        }
        speech_say(speech, refused ? CERTAIN : LIKELY,
                   refused ? "the %s probe asks port %d, where nothing listens"
                           : "the %s probe asks port %d for a path it does not have",
                   lane_name((enum lane_kind)i), (int)port);
        why_lane(speech, (enum lane_kind)i);
        if (elsewhere) {
            speech_why(speech, "port %d answers", (int)pod->facts.probes[other].port);
        }
        char age[AGE_SIZE];
        if (listens != 0) {
            speech_why(speech, "log, %s ago: application start-up complete", age_of(speech, listens, age));
        }
        next_of_pod(speech);
        command_of_probe(speech, (enum lane_kind)i);
        return true;
    }
    return false;
}

/* A kubelet's lane whose connections are taken and closed again, for long and not because the server still loads. A server that is spoken to in plain HTTP and wants TLS may do so. */
static bool lane_is_hung_up_on(const struct speech *speech, enum lane_kind kind)
{
    enum { LASTS_SECONDS = 30 };
    const struct pod *pod = speech->pod;
    const struct lane *lane = &pod->lanes[kind];
    const struct probe_spec *spec = &pod->facts.probes[kind];
    int64_t since = lane->streak_since, listens = pod->progress.entered[SUBSTAGE_LISTENING];
    if (pod->progress.furthest != SUBSTAGE_NONE) { /* the log tells when answers are due */
        if (listens == 0) {
            return false;
        }
        since = listens > since ? listens : since;
    }
    return lane->present && spec->action == PROBE_HTTP_GET && !spec->https && lane->streak > 0 &&
           lane->streak_failing && lane->streak_cause == PROBE_CAUSE_EMPTY &&
           lane->last_counted_sent - since >= LASTS_SECONDS * (int64_t)SECOND_US;
}

static bool advise_speaks_tls(struct speech *speech)
{
    const struct pod *pod = speech->pod;
    if (pod->stage < STAGE_RUNNING || pod->stage > STAGE_LOADED) {
        return false;
    }
    for (int i = LANE_STARTUP; i <= LANE_READINESS; i++) {
        if (lane_is_hung_up_on(speech, (enum lane_kind)i)) {
            speech_say(speech, POSSIBLE, "connections are taken and closed unanswered: perhaps it speaks TLS");
            why_lane(speech, (enum lane_kind)i);
            speech_why(speech, "the probe speaks plain HTTP; a server that wants TLS needs scheme: HTTPS there");
            next_of_pod(speech);
            command_of_probe(speech, (enum lane_kind)i);
            return true;
        }
    }
    return false;
}

static bool advise_answers_wrong(struct speech *speech)
{
    const struct pod *pod = speech->pod;
    if (pod->unauthorized) {
        speech_say(speech, CERTAIN, "the server wants an API key: /v1/models says 401, so probes of it fail");
    } else if (pod->wrong_model) {
        speech_say(speech, CERTAIN, "another model is served than expected");
        speech_why(speech, "expected %s, served: %s%s", text_str(&pod->facts.expected_model), text_str(&pod->models[0]),
                   pod->model_count > 1 ? " and more" : "");
    } else if (pod->model_count == 0 && pod->stage != STAGE_READY) {
        speech_say(speech, LIKELY, "/v1/models answers with an empty list: no model is served");
    } else {
        return false;
    }
    why_failing(speech);
    next_of_pod(speech);
    if (pod->unauthorized && text_empty(&speech->out->next)) {
        speech_next(speech, "probe /health instead, which needs no key, or give the probe an Authorization header");
    }
    command(speech, false, LANE_MODELS);
    return true;
}

/* failureThreshold that would have given the whole load half as much again, by what is known of its length; 0 when nothing is. */
static int32_t threshold_for(const struct pod *pod, int64_t load)
{
    const struct probe_spec *spec = &pod->facts.probes[LANE_STARTUP];
    if (spec->period <= 0 || load <= 0) {
        return 0;
    }
    int64_t seconds = load / SECOND_US * 3 / 2 - spec->initial_delay;
    int64_t threshold = (seconds + spec->period - 1) / spec->period;
    return threshold > 0 && threshold < PROBE_THRESHOLD_MAX ? (int32_t)threshold : 0;
}

/* The run before was killed by a probe while it loaded; this one will be too. */
static bool advise_killed_before(struct speech *speech)
{
    const struct pod *pod = speech->pod;
    char took[AGE_SIZE], age[AGE_SIZE];
    bool applies = pod->killed_run != 0 && pod->killed_run + 1 == pod->run && pod->killed_by == LANE_STARTUP &&
                   stage_is_loading(pod->stage) && pod->loaded_at < 0;
    if (!applies) {
        return false;
    }
    const struct progress *before = pod->facts.kubelet ? pod->previous : &pod->progress;
    say_killed(speech, false);
    speech_why(speech, "killed %s ago, after %s", age_of(speech, pod->killed_at, age),
               clock_age(pod->killed_after, took, sizeof took));
    if (killed_while_up(pod)) {
        struct text target = {0};
        probe_spec_describe(&pod->facts.probes[LANE_STARTUP], &target);
        speech_why(speech, "its application start-up had been complete for %s; the probe asks %s",
                   clock_age(pod->killed_at - before->entered[SUBSTAGE_LISTENING], took, sizeof took),
                   text_str(&target));
        text_free(&target);
        next_of_pod(speech);
        command_of_probe(speech, LANE_STARTUP);
        return true;
    }
    int64_t load = pod->killed_after * 2;
    if (before && before->furthest != SUBSTAGE_NONE) {
        speech_why(speech, "it had come to: %s", substage_word(before->furthest));
        int64_t eta = progress_eta(before, before->counted_at);
        load = eta >= 0 ? pod->killed_after + eta : load;
    }
    next_of_pod(speech);
    int32_t threshold = threshold_for(pod, load);
    if (threshold > 0) {
        speech_why(speech, "startupProbe.failureThreshold %d instead of %d would give it time (an estimate)",
                   (int)threshold, (int)pod->facts.probes[LANE_STARTUP].failure_threshold);
    }
    command(speech, true, LANE_STARTUP);
    return true;
}

/* The run before crashed not long ago, and the next one is loading. */
static bool advise_crashed_before(struct speech *speech)
{
    const struct pod *pod = speech->pod;
    const struct termination *end = &pod->facts.serving.last;
    bool applies = stage_is_loading(pod->stage) && pod->facts.serving.state == CONTAINER_RUNNING && end->known &&
                   end->finished_at != 0 && speech->now - end->finished_at < RECENT_US;
    if (!applies) {
        return false;
    }
    char words[WORDS_SIZE * 2];
    bool killed = pod->killed_run != 0 && pod->killed_run + 1 == pod->run;
    tell_ended(speech, pod->run > 0 ? pod->run - 1 : 0, killed);
    speech_why(speech, "now it loads again: %s", progress_words(speech, words, sizeof words));
    next_of_pod(speech);
    command(speech, true, LANE_STARTUP);
    return true;
}

static bool advise_budget(struct speech *speech)
{
    const struct pod *pod = speech->pod;
    struct budget budget = pod_budget(pod, speech->now);
    char words[WORDS_SIZE * 2];
    int64_t done_at;
    bool late = pod_in_time(pod, speech->now, &done_at) == TRI_FALSE;
    bool is_short = pod->stage != STAGE_LOADED && pod_budget_is_short(pod, &budget, speech->now);
    if (!budget.applies || (!late && !is_short && budget.left > 0)) {
        return false;
    }
    if (budget.left > 0 && !late) {
        speech_say(speech, POSSIBLE,
                   "its start-up budget is nearly used up, and nothing shows that loading ends before");
    } else if (budget.left <= 0) {
        speech_say(speech, budget.guess ? POSSIBLE : LIKELY, "the start-up budget is used up and loading is not done");
    } else {
        speech_say(speech, LIKELY, "loading will not be done within the start-up budget at this rate");
    }
    speech_why(speech, "loading: %s", progress_words(speech, words, sizeof words));
    speech_why(speech, "startup: %d of %d failures", (int)budget.count, (int)budget.threshold);
    int32_t threshold = threshold_for(pod, done_at >= 0 ? done_at - budget.start : 0);
    if (threshold > 0) {
        speech_why(speech, "startupProbe.failureThreshold %d instead of %d would give it time (an estimate)",
                   (int)threshold, (int)budget.threshold);
    }
    next_of_budget(speech, &budget);
    command(speech, false, LANE_STARTUP);
    return true;
}

/* An endpoint of which nothing but silence, a refusal or a stranger's answer has been seen. */
static bool advise_silent(struct speech *speech)
{
    const struct pod *pod = speech->pod;
    bool stranger = pod->answered_by[0] != ANSWERER_NOBODY || pod->answered_by[1] != ANSWERER_NOBODY;
    char age[AGE_SIZE];
    speech_say(speech, POSSIBLE, "%s answers at %s, and nothing shows that anything is loading there",
               stranger ? "no server of models" : "nothing", text_str(&pod->facts.address));
    why_failing(speech);
    if (pod->progress.last_line == 0) {
        speech_why(speech, "loading for %s, or not there: its log would tell", age_of(speech, pod->run_began, age));
    }
    next_of_pod(speech);
    command(speech, false, LANE_MODELS);
    return true;
}

static bool advise_loading(struct speech *speech)
{
    const struct pod *pod = speech->pod;
    char words[WORDS_SIZE * 2], age[AGE_SIZE];
    struct budget budget = pod_budget(pod, speech->now);
    if (pod->stage < STAGE_RUNNING || pod->stage > STAGE_LOADED) {
        return false;
    }
    if (!pod_loading_is_seen(pod)) {
        return advise_silent(speech);
    }
    if (pod->stage == STAGE_LOADED) {
        speech_say(speech, "", "nothing wrong: the model is loaded, for %s; Ready follows when the probes say so",
                   age_of(speech, pod->loaded_at, age));
        why_failing(speech);
    } else if (pod->is_simulator) {
        speech_say(speech, "", "nothing wrong: a simulator answers, it has no model to load");
    } else {
        speech_say(speech, "", "nothing wrong: loading%s, for %s: %s", budget.applies ? " within its budget" : "",
                   age_of(speech, pod->run_began, age), progress_words(speech, words, sizeof words));
    }
    if (pod->progress.furthest == SUBSTAGE_DOWNLOAD && pod->loaded_at < 0) {
        speech_why(speech, "vLLM prints nothing while it downloads: silence is no fault here");
    }
    next_of_pod(speech);
    return true;
}

static bool span_is_recent_fall(const struct speech *speech, const struct span *span)
{
    return span->stage == STAGE_DEGRADED && span->ended >= 0 && speech->now - span->ended < RECENT_US;
}

static uint32_t times_degraded(const struct speech *speech)
{
    const struct spans *spans = &speech->pod->spans;
    uint32_t times = 0;
    for (uint32_t i = 0; i < spans->count; i++) {
        times += span_is_recent_fall(speech, &spans->list[i]);
    }
    return times;
}

/* The last time that it was not well, if that is not long ago and in this run. */
static void why_degraded(struct speech *speech)
{
    const struct spans *spans = &speech->pod->spans;
    char age[AGE_SIZE], lasted[AGE_SIZE];
    for (uint32_t i = spans->count; i-- > 0;) {
        const struct span *span = &spans->list[i];
        if (span->run == speech->pod->run && span_is_recent_fall(speech, span)) {
            speech_why(speech, "Degraded until %s ago, for %s%s%s", age_of(speech, span->ended, age),
                       clock_age(span->ended - span->began, lasted, sizeof lasted), text_empty(&span->why) ? "" : ": ",
                       text_str(&span->why));
            return;
        }
    }
}

/* How the run before ended, if that is not long ago. */
static void why_restarted(struct speech *speech)
{
    const struct pod *pod = speech->pod;
    const struct termination *end = &pod->facts.serving.last;
    char age[AGE_SIZE], words[WORDS_SIZE];
    if (!end->known || end->finished_at == 0 || speech->now - end->finished_at >= RECENT_US) {
        return;
    }
    age_of(speech, end->finished_at, age);
    if (pod->killed_run == 0 || pod->killed_run + 1 != pod->run) {
        speech_why(speech, "its last run ended %s ago: exit code %d%s%s", age, (int)end->exit_code,
                   text_empty(&end->reason) ? "" : ", ", text_str(&end->reason));
    } else if (pod->engine_died_before) {
        speech_why(speech, "its last run ended %s ago: the engine died, %s killed it", age, lane_name(pod->killed_by));
    } else {
        speech_why(speech, "its last run ended %s ago: %s killed it%s%s", age, lane_name(pod->killed_by),
                   pod->killed_cause == PROBE_CAUSE_NONE ? "" : ": ",
                   pod->killed_cause == PROBE_CAUSE_NONE
                       ? ""
                       : cause_words(pod->killed_cause, pod->killed_status, words, sizeof words));
    }
}

static bool advise_ready(struct speech *speech)
{
    enum { OFTEN = 2 };
    const struct pod *pod = speech->pod;
    char age[AGE_SIZE];
    if (pod->stage != STAGE_READY) {
        return false;
    }
    enum lane_kind lane;
    struct forecast coming = pod_next(pod, speech->now, &lane);
    bool threatened = coming.consequence == CONSEQUENCE_RESTART || coming.consequence == CONSEQUENCE_NOT_READY;
    bool witness = false;
    for (int i = LANE_HEALTH; i < LANE_COUNT; i++) {
        witness = witness || (pod_lane_fails(pod, (enum lane_kind)i, speech->now) && pod->lanes[i].streak >= 2);
    }
    if (threatened || witness) {
        speech_say(speech, pod->refused_now ? LIKELY : POSSIBLE, "still Ready, but %s",
                   pod->refused_now ? "nothing listens on the port any more"
                   : threatened     ? "its probes have begun to fail"
                                    : "our own witness fails");
        why_failing(speech);
        next_of_pod(speech);
        command(speech, false, threatened ? lane : LANE_HEALTH);
        return true;
    }
    uint32_t fell = times_degraded(speech);
    if (fell >= OFTEN) {
        speech_say(speech, CERTAIN, "Ready for %s, but it comes and goes: Degraded %d times in the last 10 minutes",
                   age_of(speech, pod->stage_since, age), (int)fell);
    } else {
        speech_say(speech, "", "nothing wrong: Ready for %s", age_of(speech, pod->stage_since, age));
    }
    why_restarted(speech);
    why_degraded(speech);
    if (fell >= OFTEN) {
        command(speech, false, LANE_READINESS);
    }
    return true;
}

void pod_advice(const struct pod *pod, int64_t now, struct advice *out)
{
    static bool (*const rules[])(struct speech *) = {
        advise_gone,        advise_unreachable,  advise_leaving,       advise_pending,       advise_ended,
        advise_engine_dead, advise_process_gone, advise_hang,          advise_slow_probe,    advise_degraded,
        advise_wrong_port,  advise_speaks_tls,   advise_answers_wrong, advise_killed_before, advise_crashed_before,
        advise_budget,      advise_loading,      advise_ready};
    struct speech speech = {pod, now, out};
    memset(out, 0, sizeof *out);
    out->confidence = "";
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i](&speech)) {
            return;
        }
    }
    speech_say(&speech, "", "nothing is known of it yet");
}
