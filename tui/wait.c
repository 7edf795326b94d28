#include "tui/wait.h"

#include "base/mem.h"
#include "kube/rollouts.h"
#include "model/revision.h"
#include "tui/engine_half.h"
#include "tui/lines.h"
#include "tui/wait_rules.h"
#include "tui/wait_tell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    LOOK_MS = 50,         /* from a fact to the look at what it changed: many come at once */
    LOOK_AGAIN_MS = 1000, /* some things are a matter of time alone */
    KEPT_BYTES_MAX = 32 * 1024,
    REPORT_BYTES_MAX = 256 * 1024 * 1024, /* more than KEPT_BYTES_MAX of as many pods as a fleet has */
    EXIT_FAILED = 2,
    EXIT_HOPELESS = 3,
    EXIT_TIMEOUT = 124
};

struct wait {
    uv_loop_t loop;
    uv_timer_t look, end;
    struct end_signals signals;
    struct engine *engine;
    struct fleet *fleet;
    const struct options *options;
    struct wait_tell tell;
    struct waited *list; /* in the order in which they were first seen */
    size_t count, capacity, cursor;
    enum source_state told_source;
    struct revisions revisions;
    struct text *workloads; /* the Deployments and StatefulSets that were asked for, as facts name them */
    size_t workload_count;
    bool stopping;
    bool stood; /* the source has told all pods once */
    size_t expected;
    int report; /* the JUnit file; -1 */
    struct wait_outcome outcome;
    char words[PROBLEM_MAX]; /* of how it ended */
};

/* ---- the pods waited for ---- */

/* The pods come in the order in which they stand in the list, so that the next is usually the one after the last found. */
static struct waited *waited_find(struct wait *wait, uint32_t id)
{
    for (size_t tried = 0; tried < wait->count; tried++) {
        size_t at = (wait->cursor + tried) % wait->count;
        if (wait->list[at].id == id) {
            wait->cursor = at + 1;
            return &wait->list[at];
        }
    }
    return NULL;
}

static struct waited *waited_of(struct wait *wait, const struct pod *pod)
{
    struct waited *waited = waited_find(wait, pod->facts.id);
    if (waited)
        return waited;
    if (wait->count == wait->capacity) {
        wait->capacity = wait->capacity ? wait->capacity * 2 : 16;
        wait->list = mem_resize(wait->list, wait->capacity, sizeof *wait->list);
    }
    waited = &wait->list[wait->count++];
    *waited = (struct waited){.id = pod->facts.id, .first_seen = pod->first_seen, .there_at = -1, .judged_at = -1};
    text_copy(&waited->name, &pod->facts.name);
    text_copy(&waited->ns, &pod->facts.ns);
    text_copy(&waited->workload, &pod->facts.workload);
    buf_init(&waited->lines, KEPT_BYTES_MAX);
    return waited;
}

static void waited_free(struct wait *wait)
{
    for (size_t i = 0; i < wait->count; i++) {
        text_free(&wait->list[i].name);
        text_free(&wait->list[i].ns);
        text_free(&wait->list[i].workload);
        buf_free(&wait->list[i].lines);
    }
    mem_free(wait->list);
}

/* ---- where a pod stands ---- */

/* Nothing listens any more where an endpoint is still asked: it is as gone as an endpoint can be. */
static bool endpoint_is_gone(const struct pod *pod, int64_t now)
{
    bool asked = false;
    for (int l = 0; l < LANE_COUNT; l++) {
        const struct sample *last = &pod->lanes[l].last;
        if (!pod->lanes[l].present || last->sent < 0 || pod_gate(pod, (enum lane_kind)l, now) != GATE_SEND)
            continue;
        asked = true;
        if (last->cause != PROBE_CAUSE_REFUSED && last->cause != PROBE_CAUSE_UNREACHABLE)
            return false;
    }
    return asked;
}

/* The kubelet's word holds where no tunnel of ours gets to the pod. */
static bool kubelet_calls_ready(const struct pod *pod)
{
    return pod->facts.kubelet && pod->facts.serving.state == CONTAINER_RUNNING &&
           pod->facts.serving.ready == TRI_TRUE && pod->facts.ready.status != TRI_FALSE;
}

static bool pod_runs(const struct pod *pod)
{
    if (pod->facts.kubelet)
        return pod->facts.serving.state == CONTAINER_RUNNING && pod->facts.phase == PHASE_RUNNING;
    return pod->stage >= STAGE_RUNNING && pod->stage <= STAGE_READY && pod_loading_is_seen(pod);
}

static bool pod_is_there(const struct pod *pod, enum wait_goal goal)
{
    bool hidden = pod->stage == STAGE_UNREACHABLE;
    switch (goal) {
    case WAIT_RUNNING:
        return pod_runs(pod);
    case WAIT_API:
        return (pod->stage >= STAGE_API_UP && pod->stage <= STAGE_READY) || (hidden && kubelet_calls_ready(pod));
    case WAIT_LOADED:
        return ((pod->stage == STAGE_LOADED || pod->stage == STAGE_READY) && !pod->wrong_model) ||
               (hidden && kubelet_calls_ready(pod));
    case WAIT_READY:
        return (pod->stage == STAGE_READY && !pod->wrong_model) || (hidden && kubelet_calls_ready(pod));
    default:
        return false;
    }
}

/* Hints cost where there are many pods: they are asked for again when something has changed, or a second has passed. */
static enum prospect prospect_of(const struct wait *wait, const struct pod *pod, struct waited *waited, int64_t now)
{
    struct hints hints;
    const struct hint *why;
    bool is_old = waited->judged_at < 0 || now - waited->judged_at >= SECOND_US;
    if (!is_old && waited->judged_version == pod->version)
        return waited->prospect;
    pod_hints(wait->fleet, pod, now, &hints);
    waited->prospect = pod_prospect(pod, &hints, now, &why);
    waited->judged_at = now;
    waited->judged_version = pod->version;
    hints_free(&hints);
    return waited->prospect;
}

static enum waited_state state_of(const struct wait *wait, const struct pod *pod, struct waited *waited, int64_t now)
{
    enum wait_goal goal = wait->options->wait.goal;
    if (pod->gone || (goal == WAIT_GONE && !pod->facts.kubelet && endpoint_is_gone(pod, now)))
        return WAITED_GONE;
    if (goal == WAIT_GONE)
        return WAITED_ON_THE_WAY;
    if (pod->facts.deleting || revision_is_old(&wait->revisions, pod))
        return WAITED_NOT_COUNTED;
    if (pod_is_there(pod, goal))
        return WAITED_THERE;
    switch (prospect_of(wait, pod, waited, now)) {
    case PROSPECT_HOPELESS:
        return WAITED_HOPELESS;
    case PROSPECT_REPLACED:
        return WAITED_NOT_COUNTED;
    default:
        return WAITED_ON_THE_WAY;
    }
}

/* ---- the end ---- */

static void on_stopped(void *user)
{
    struct wait *wait = user;
    uv_close((uv_handle_t *)&wait->look, NULL);
    uv_close((uv_handle_t *)&wait->end, NULL);
    end_signals_close(&wait->signals);
}

/* What is told is told now: what comes while everything is being ended is no news of the pods. */
static void wait_stop(struct wait *wait, enum wait_end end, int exit_code, const char *words)
{
    if (wait->stopping)
        return;
    wait->stopping = true;
    wait->outcome.end = end;
    wait->outcome.exit_code = exit_code;
    if (words)
        snprintf(wait->words, sizeof wait->words, "%s", words);
    wait->outcome.words = words ? wait->words : NULL;
    wait->outcome.now = clock_now(engine_clock(wait->engine));
    wait->outcome.list = wait->list;
    wait->outcome.count = wait->count;
    uv_timer_stop(&wait->look);
    uv_timer_stop(&wait->end);
    wait_tell_end(&wait->tell, &wait->outcome);
    engine_stop(wait->engine, on_stopped, wait);
}

static void on_signal(void *user, int number)
{
    char words[64];
    snprintf(words, sizeof words, "ended by signal %d (%s)", number, strsignal(number));
    wait_stop(user, WAIT_END_STOPPED, 128 + number, words);
}

/* ---- judging ---- */

static void pods_judge(struct wait *wait, int64_t now, size_t *hopeless)
{
    wait->outcome.there = wait->outcome.present = *hopeless = 0;
    revisions_take(&wait->revisions, wait->fleet);
    for (uint32_t i = 0; i < wait->fleet->count; i++) {
        const struct pod *pod = wait->fleet->pods[i];
        struct waited *waited = waited_of(wait, pod);
        waited->state = state_of(wait, pod, waited, now);
        bool there = waited->state == WAITED_THERE;
        waited->there_at = !there ? -1 : waited->there_at >= 0 ? waited->there_at : now;
        wait->outcome.there += there;
        *hopeless += waited->state == WAITED_HOPELESS;
        wait->outcome.present += waited->state <= WAITED_HOPELESS;
    }
}

/* Not told of yet: it may be rolling. *words: how far it is, where that is told. */
static bool workload_is_rolling(const struct wait *wait, const struct text *name, const struct text **words)
{
    bool told = false;
    for (uint32_t i = 0; i < wait->fleet->workload_count; i++) {
        const struct workload_facts *workload = &wait->fleet->workloads[i];
        if (!text_equal(&workload->name, name))
            continue;
        told = true;
        if (workload_rolls(workload, (size_t)wait->options->wait.count)) {
            *words = &workload->words;
            return true;
        }
    }
    return !told;
}

static bool rollouts_judge(struct wait *wait)
{
    wait->outcome.rolling = NULL;
    for (size_t i = 0; i < wait->workload_count; i++)
        if (workload_is_rolling(wait, &wait->workloads[i], &wait->outcome.rolling))
            return true;
    return false;
}

static struct wait_view view_of(struct wait *wait, size_t hopeless, int64_t now)
{
    const struct fleet *fleet = wait->fleet;
    return (struct wait_view){.gone_wanted = wait->options->wait.goal == WAIT_GONE,
                              .wanted = (size_t)wait->options->wait.count,
                              .of_cluster = wait->options->use_kube,
                              .expected = wait->expected,
                              .known = fleet->count,
                              .state = fleet->source,
                              .state_for = now - fleet->source_since,
                              .stood = wait->stood,
                              .rolls = rollouts_judge(wait),
                              .present = wait->outcome.present,
                              .there = wait->outcome.there,
                              .hopeless = hopeless};
}

static void wait_judge(struct wait *wait)
{
    int64_t now = clock_now(engine_clock(wait->engine));
    size_t hopeless;
    pods_judge(wait, now, &hopeless);
    struct wait_view view = view_of(wait, hopeless, now);
    wait->stood = wait->stood || wait_view_is_whole(&view);
    switch (wait_decide(&view)) {
    case WAIT_IS_THERE:
        wait_stop(wait, WAIT_END_THERE, 0, NULL);
        break;
    case WAIT_IS_HOPELESS:
        wait_stop(wait, WAIT_END_HOPELESS, EXIT_HOPELESS, NULL);
        break;
    case WAIT_IS_DENIED:
        wait_stop(wait, WAIT_END_HOPELESS, EXIT_HOPELESS, text_str(&wait->fleet->source_detail));
        break;
    case WAIT_IS_BLIND:
        wait_stop(wait, WAIT_END_FAILED, EXIT_FAILED, text_str(&wait->fleet->source_detail));
        break;
    case WAIT_GOES_ON:
        break;
    }
}

static void on_look(uv_timer_t *timer)
{
    struct wait *wait = timer->data;
    wait_judge(wait);
    if (!wait->stopping)
        uv_timer_start(timer, on_look, LOOK_AGAIN_MS, 0);
}

static void on_end(uv_timer_t *timer)
{
    struct wait *wait = timer->data;
    wait_judge(wait);
    wait_stop(wait, WAIT_END_TIMEOUT, EXIT_TIMEOUT, NULL);
}

/* ---- what comes in ---- */

static void wait_goes_on(struct wait *wait, bool goes_on)
{
    if (!goes_on)
        wait_stop(wait, WAIT_END_FAILED, EXIT_FAILED, "standard output takes no more");
}

static void on_happening(void *user, const struct pod *pod, const struct happening *happening)
{
    struct wait *wait = user;
    if (wait->stopping || happening->t < 0 || !report_is_transition(happening))
        return;
    wait_goes_on(wait, wait_tell_happening(&wait->tell, pod, happening, waited_of(wait, pod)));
}

static void on_fact(void *user, const struct fact *fact)
{
    struct wait *wait = user;
    if (wait->stopping)
        return;
    fleet_apply(wait->fleet, fact);
    const struct text *words = lines_general_words(fact, &wait->told_source);
    if (words)
        wait_goes_on(wait, wait_tell_general(&wait->tell, fact_kind_name(fact->kind), words, fact->t));
    if (!wait->stopping && uv_timer_get_due_in(&wait->look) > LOOK_MS)
        uv_timer_start(&wait->look, on_look, LOOK_MS, 0);
}

/* ---- beginning and end ---- */

/* Opened at the beginning, so that nobody waits half an hour to be told that it cannot be written. */
static enum status report_open(struct wait *wait)
{
    const char *path = wait->options->wait.report;
    wait->report = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;
    if (!path || wait->report >= 0)
        return STATUS_OK;
    fprintf(stderr, "probetop: %s: %s\n", path, strerror(errno));
    return status_from_errno(errno);
}

static void report_write(struct wait *wait)
{
    struct buf out;
    if (wait->report < 0)
        return;
    buf_init(&out, REPORT_BYTES_MAX);
    wait_tell_junit(&wait->tell, &wait->outcome, &out);
    bool whole = buf_write(&out, wait->report);
    if (close(wait->report) != 0 || !whole) {
        fprintf(stderr, "probetop: %s: %s\n", wait->options->wait.report, strerror(errno));
        wait->outcome.exit_code = wait->outcome.exit_code == 0 ? 2 : wait->outcome.exit_code;
    }
    buf_free(&out);
}

/* The options' own targets go to the source. */
static void workloads_take(struct wait *wait, struct options *options)
{
    struct kube_options *kube = &options->kube;
    kube->rollouts = options->wait.goal != WAIT_GONE;
    wait->workloads = mem_array(kube->target_count, sizeof *wait->workloads);
    for (size_t i = 0; kube->rollouts && i < kube->target_count; i++) {
        const char *type = rollout_type(kube->targets[i].kind);
        if (type)
            text_printf(&wait->workloads[wait->workload_count++], TEXT_NAME, "%s/%s", type, kube->targets[i].name);
    }
}

static void workloads_free(struct wait *wait)
{
    for (size_t i = 0; i < wait->workload_count; i++)
        text_free(&wait->workloads[i]);
    mem_free(wait->workloads);
}

static void wait_begin(struct wait *wait, struct options *options, const struct cluster_way *way)
{
    struct problem problem = {""};
    uv_loop_init(&wait->loop);
    uv_timer_init(&wait->loop, &wait->look);
    uv_timer_init(&wait->loop, &wait->end);
    wait->look.data = wait->end.data = wait;
    end_signals_watch(&wait->signals, &wait->loop, on_signal, wait);
    struct fleet_limits limits = fleet_limits_reader();
    limits.signatures = &options->signatures;
    wait->fleet = fleet_new(limits);
    wait->fleet->on_happening = on_happening;
    wait->fleet->on_happening_user = wait;
    wait_tell_init(&wait->tell, options, wait->fleet);
    workloads_take(wait, options);
    wait->engine = engine_half_engine(options, way, &wait->loop, NULL);
    engine_observe(wait->engine, on_fact, wait);
    if (engine_start(wait->engine, &problem) == STATUS_OK) {
        uv_update_time(&wait->loop);
        uv_timer_start(&wait->look, on_look, LOOK_MS, 0);
        uv_timer_start(&wait->end, on_end, (uint64_t)(options->wait.timeout_us / MILLISECOND_US), 0);
    } else
        wait_stop(wait, WAIT_END_FAILED, EXIT_FAILED, problem.text);
}

int wait_run(struct options *options)
{
    struct wait wait = {.options = options, .expected = options->endpoints.count};
    struct problem problem = {""};
    struct cluster_way way;
    if (report_open(&wait) != STATUS_OK)
        return 2;
    if (cluster_way_find(options, NULL, &way, &problem) != STATUS_OK) {
        fprintf(stderr, "probetop: %s\n", problem.text);
        return 2;
    }
    wait_begin(&wait, options, &way);
    uv_run(&wait.loop, UV_RUN_DEFAULT);
    report_write(&wait);
    engine_free(wait.engine);
    cluster_way_end(&way);
    revisions_free(&wait.revisions);
    wait_tell_free(&wait.tell);
    fleet_free(wait.fleet);
    waited_free(&wait);
    workloads_free(&wait);
    uv_loop_close(&wait.loop);
    return wait.outcome.exit_code;
}
