/* Rules over how a run ended: exit codes, a death without a message, a log that breaks off; and the verdict where no rule said anything. */
#include "base/clock.h"
#include "model/hints_look.h"

#include <stdio.h>
#include <string.h>

/* A server that had come up was told to end, and all that is known of it is a log that shows no more than that: an update, a drain, somebody. By hand it is so in a start, too. */
static bool was_let_go(const struct look *look)
{
    const struct finding *stopped = look_clue(look, CLUE_STOPPED, 0);
    bool told = look->pod->progress.shutting_down || (stopped && stopped->source == EVIDENCE_LOGS);
    return !look_clue(look, CLUE_START_FAILED, 0) &&
           (look_clue(look, CLUE_BY_HAND, 0) || (look->bare && look->served && told));
}

static void stopped_from_outside(const struct look *look, const struct progress *progress, uint32_t runs)
{
    const struct finding *stopped = look_clue(look, CLUE_STOPPED, runs);
    bool loading = progress->furthest > SUBSTAGE_NONE && progress->furthest < SUBSTAGE_LISTENING;
    if ((!progress->shutting_down && !(stopped && finding_runs_ago(look->pod, stopped) == runs)) ||
        look_has_hint(look, CONFIDENCE_LIKELY) || look->pod->stage == STAGE_READY || was_let_go(look))
        return;
    struct hint *hint = hint_add(look->maker, loading ? CAUSE_STARTUP_BUDGET_EXCEEDED : CAUSE_PROBE_KILLED,
                                 loading ? CONFIDENCE_LIKELY : CONFIDENCE_POSSIBLE, WEIGHT_VERDICT);
    if (loading) {
        hint_title(hint, WEIGHT_VERDICT, "told to end while it loaded, and no error before: a probe killed it");
        hint_evidence(hint, runs == 0 ? EVIDENCE_LOGS : EVIDENCE_PREVIOUS, 0, progress->entered[progress->furthest],
                      "it had come to: %s", substage_word(progress->furthest));
    } else {
        hint_title(hint, WEIGHT_VERDICT, "told to end from outside, and no error before: a probe, or somebody");
    }
    if (stopped)
        look_quote(look, hint, stopped);
}

/* A log that breaks off between the weights and the end of graph capture, where memory is at its highest, and says nothing. */
static void died_while_measuring(const struct look *look, const struct finding *death)
{
    enum substage at = look->pod->progress.furthest;
    if (at < SUBSTAGE_WEIGHTS || at == SUBSTAGE_COMPILE || at > SUBSTAGE_GRAPHS)
        return;
    struct hint *hint = hint_add(look->maker, CAUSE_GPU_OOM, CONFIDENCE_POSSIBLE, WEIGHT_ENGINE);
    hint_title(hint, WEIGHT_ENGINE, "died without a message where GPU memory is at its highest: after %s",
               substage_word(at));
    look_quote(look, hint, death);
}

/* It is started again and again, no log tells why, and its startup probe was refused until then: that may be what ends it. */
static void restarted_while_refused(const struct look *look, const struct finding *death)
{
    const struct finding *failed = look_clue(look, CLUE_STARTUP_FAILED, 0);
    if (!failed || finding_is_log(death))
        return;
    struct hint *hint = hint_add(look->maker, CAUSE_STARTUP_BUDGET_EXCEEDED, CONFIDENCE_POSSIBLE, WEIGHT_VERDICT);
    hint_title(hint, WEIGHT_VERDICT,
               "started again and again with its startup probe refused: a budget that is too short, or a crash");
    look_quote(look, hint, failed);
    look_quote(look, hint, death);
}

static void died_silently(const struct look *look)
{
    const struct finding *death = look_clue(look, CLUE_START_FAILED, look->bare ? 1 : 0);
    death = death ? death : look_clue(look, CLUE_DEATH, look->bare ? 1 : 0);
    const struct finding *stopped = look_clue(look, CLUE_STOPPED, 0);
    if (!look->dead || !death || look_has_hint(look, CONFIDENCE_POSSIBLE) || look->pod->stage == STAGE_READY)
        return;
    if (stopped && death->order > stopped->order && was_let_go(look))
        return; /* its workers are ended on its way down */
    died_while_measuring(look, death);
    restarted_while_refused(look, death);
    struct hint *hint = hint_add(look->maker, CAUSE_DIED_SILENTLY, CONFIDENCE_POSSIBLE, WEIGHT_NOTHING);
    look_quote(look, hint, death);
}

/* A download under way at the end of a log, where nothing tells how long it has gone on. */
static void still_downloads(const struct look *look)
{
    const struct finding *bar = look_clue(look, CLUE_DOWNLOAD, 0);
    const struct progress *progress = &look->pod->progress;
    bool silent = progress->furthest == SUBSTAGE_DOWNLOAD && text_str(&progress->model)[0] != '/';
    if (!look->bare || look->dead || look->listening || look_has_hint(look, CONFIDENCE_POSSIBLE) ||
        progress->furthest > SUBSTAGE_DOWNLOAD || (!bar && !silent))
        return;
    struct hint *hint = hint_add(look->maker, CAUSE_DOWNLOAD_SLOW, CONFIDENCE_POSSIBLE, WEIGHT_VERDICT);
    if (bar) {
        look_quote(look, hint, bar);
    } else {
        hint_title(hint, WEIGHT_VERDICT,
                   "the log ends where the weights are looked for: vLLM prints nothing while it downloads");
        hint_evidence(hint, EVIDENCE_LOGS, 0, progress->last_line, "%s", text_str(&progress->last_text));
    }
}

/* What an exit code or signal means by itself; false: nothing in particular. */
static bool exit_means(const struct termination *end, enum cause *cause, enum confidence *confidence)
{
    static const struct {
        int32_t code;
        enum cause cause;
        enum confidence confidence;
    } rows[] = {{0, CAUSE_ENGINE_DEAD, CONFIDENCE_LIKELY},
                {128 + 9, CAUSE_HOST_OOM, CONFIDENCE_LIKELY},
                {128 + 11, CAUSE_CRASH_SEGFAULT, CONFIDENCE_CERTAIN},
                {128 + 6, CAUSE_CRASH_SEGFAULT, CONFIDENCE_LIKELY},
                {128 + 4, CAUSE_CRASH_SEGFAULT, CONFIDENCE_LIKELY},
                {128 + 7, CAUSE_SHM_TOO_SMALL, CONFIDENCE_LIKELY},
                {128 + 15, CAUSE_PROBE_KILLED, CONFIDENCE_POSSIBLE},
                {128 + 2, CAUSE_PROBE_KILLED, CONFIDENCE_POSSIBLE},
                {126, CAUSE_CONFIG_ERROR, CONFIDENCE_LIKELY},
                {127, CAUSE_CONFIG_ERROR, CONFIDENCE_LIKELY},
                {128, CAUSE_CONFIG_ERROR, CONFIDENCE_LIKELY}};
    int32_t code = end->exit_code == 0 && end->signal > 0 ? 128 + end->signal : end->exit_code;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].code == code) {
            *cause = rows[i].cause;
            *confidence = rows[i].confidence;
            return true;
        }
    }
    return false;
}

static void exit_quote(struct hint *hint, const struct termination *end)
{
    char lived[64], words[128] = "";
    if (end->finished_at != 0 && end->started_at != 0 && end->finished_at >= end->started_at)
        snprintf(words, sizeof words, ", after %s", clock_age(end->finished_at - end->started_at, lived, sizeof lived));
    hint_evidence(hint, EVIDENCE_POD, 0, end->finished_at != 0 ? end->finished_at : INT64_MIN, "exit code %d%s%s%s",
                  (int)end->exit_code, text_empty(&end->reason) ? "" : ", ", text_str(&end->reason), words);
}

/* Whether the run lasted just as long as its start-up budget, with the grace after it, and then was ended by a signal or in order: the startup probe's verdict, though no event is here that says so. Of memory the kubelet
 * says OOMKilled, not Error (facts/kube.md 2.1). */
static bool lived_its_budget(const struct look *look, const struct termination *end)
{
    enum { SLACK_SECONDS = 2 };
    const struct probe_spec *spec = &look->pod->facts.probes[LANE_STARTUP];
    bool told = end->exit_code == 0 || end->exit_code == 128 + 9 || end->exit_code == 128 + 15;
    if (spec->action == PROBE_NONE || !told || look->served || end->started_at == 0 || end->finished_at == 0)
        return false;
    int64_t lived = (end->finished_at - end->started_at) / SECOND_US;
    int64_t soonest = (int64_t)spec->initial_delay + (int64_t)(spec->failure_threshold - 1) * spec->period;
    int64_t latest = soonest + 2 * (int64_t)spec->period + spec->timeout + look->pod->facts.grace;
    return lived >= soonest - SLACK_SECONDS && lived <= latest + SLACK_SECONDS;
}

/* A run that ended by itself, or was ended by the kernel: a probe's verdict has its own rules. */
static void ended_tell(const struct look *look, const struct termination *end)
{
    enum cause cause;
    enum confidence confidence;
    struct hint *best = hint_best(look->maker);
    if (text_is(&end->reason, "OOMKilled")) {
        struct hint *hint = hint_add(look->maker, CAUSE_HOST_OOM, CONFIDENCE_CERTAIN, WEIGHT_ROOT + WEIGHT_DEEP);
        hint_title(hint, WEIGHT_ROOT + WEIGHT_DEEP,
                   "out of host memory: the container went beyond its memory limit and was killed");
        exit_quote(hint, end);
        return;
    }
    if (best && best->confidence >= CONFIDENCE_LIKELY) {
        exit_quote(best, end);
        return;
    }
    if (lived_its_budget(look, end)) {
        struct hint *hint = hint_add(look->maker, CAUSE_STARTUP_BUDGET_EXCEEDED, CONFIDENCE_LIKELY, WEIGHT_VERDICT);
        hint_title(hint, WEIGHT_VERDICT, "it lived just as long as its start-up budget: its startup probe killed it");
        exit_quote(hint, end);
        return;
    }
    if (exit_means(end, &cause, &confidence)) {
        struct hint *hint = hint_add(look->maker, cause, confidence, WEIGHT_ENGINE);
        if (cause == CAUSE_HOST_OOM)
            hint_title(hint, WEIGHT_ENGINE,
                       "killed with SIGKILL (exit code 137): out of memory, or not ended within its grace");
        else if (end->exit_code == 0)
            hint_title(hint, WEIGHT_ENGINE, "vLLM ended by itself with exit code 0: so it does when its engine dies");
        exit_quote(hint, end);
        return;
    }
    if (best) {
        exit_quote(best, end);
        return;
    }
    struct hint *hint = hint_add(look->maker, CAUSE_DIED_SILENTLY, CONFIDENCE_LIKELY, WEIGHT_NOTHING);
    hint_title(hint, WEIGHT_NOTHING, "the container ended with exit code %d, and no line of its log says why",
               (int)end->exit_code);
    exit_quote(hint, end);
}

/* The kubelet ended the container because the pod had to go, and has started it no more: how it ended says nothing. */
static bool was_removed(const struct look *look)
{
    const struct finding *removed = look_clue(look, CLUE_REMOVED, 0), *started = look_clue(look, CLUE_STARTED, 0);
    return removed && (!started || finding_came_after(removed, started));
}

void hints_of_termination(struct hint_maker *maker)
{
    struct look look;
    const struct pod *pod = maker->pod;
    const struct container_facts *serving = &pod->facts.serving;
    const struct termination *end = &serving->last;
    look_begin(&look, maker);
    if (pod->gone || pod->facts.deleting || pod->stage == STAGE_READY || was_removed(&look))
        return;
    uint32_t run = look.ended ? pod->run : pod->run - 1;
    bool again = !look.ended && stage_is_loading(pod->stage) && pod->loaded_at < 0 &&
                 (look.bare || (end->finished_at != 0 && look.now - end->finished_at < LIVE_RECENT_US));
    bool cannot_start = pod->stage == STAGE_BACKOFF && serving->state == CONTAINER_WAITING &&
                        !text_is(&serving->reason, "CrashLoopBackOff");
    bool killed = pod->killed_run != 0 && pod->killed_run == run;
    if (end->known && (look.ended || again) && !cannot_start && !killed)
        ended_tell(&look, end);
    if (!end->known || look.bare) {
        stopped_from_outside(&look, &pod->progress, 0);
        if (pod->previous && look.bare)
            stopped_from_outside(&look, pod->previous, 1);
        died_silently(&look);
        still_downloads(&look);
    }
}

/* Whether the log shows a model that is loaded, and nothing left to do but the engine's own last steps. */
static bool log_is_through(const struct look *look)
{
    const struct progress *progress = &look->pod->progress;
    bool counting = progress->furthest == SUBSTAGE_GRAPHS && progress->done < progress->total;
    bool warming = progress->furthest == SUBSTAGE_WARM_UP;
    return look_clue(look, CLUE_SERVED, 0) || look->findings->asked > 0 ||
           (progress->furthest >= SUBSTAGE_KV_CACHE && !counting && !warming);
}

/* An ERROR line that no signature knows, with no progress after it: nothing good can be said either. */
static bool log_has_unknown_error(const struct look *look)
{
    const struct finding *error = look_clue(look, CLUE_ERROR, 0);
    return look->dead || (look_is_last(look, error) && error->last_order > look->findings->calm) ||
           look->findings->loud > look->findings->quiet;
}

/* Loading, as far as anything shows it. */
static bool pod_loads(const struct look *look)
{
    const struct pod *pod = look->pod;
    bool started = look->bare && (look_clue(look, CLUE_STARTED, 0) || look_clue(look, CLUE_WAITING, 0) ||
                                  look_clue(look, CLUE_STARTUP_FAILED, 0) || look_clue(look, CLUE_SCHEDULED, 0));
    bool runs = stage_is_loading(pod->stage) && pod->facts.serving.state == CONTAINER_RUNNING;
    bool talks = pod->progress.furthest != SUBSTAGE_NONE || look->findings->quiet > 0;
    return started || (look->files && pod->stage == STAGE_CREATING) || look_clue(look, CLUE_SCALING, 0) ||
           (runs && (!look->bare || talks));
}

enum cause hints_verdict(struct hint_maker *maker)
{
    struct look look;
    const struct pod *pod = maker->pod;
    look_begin(&look, maker);
    if (maker->out->count > 0)
        return maker->out->list[0].cause;
    if (pod->gone || pod->facts.deleting)
        return CAUSE_NONE;
    if (pod->stage == STAGE_READY || pod->stage == STAGE_LOADED)
        return CAUSE_HEALTHY;
    if (look.bare && was_let_go(&look))
        return CAUSE_HEALTHY;
    if (look.ended || (look.bare && log_has_unknown_error(&look)))
        return CAUSE_NONE;
    if (log_is_through(&look))
        return CAUSE_HEALTHY;
    return pod_loads(&look) ? CAUSE_HEALTHY_SLOW : CAUSE_NONE;
}
