/* The arithmetic of facts/kube.md 1.4. */
#include "model/forecast.h"

#include "base/clock.h"

/* A span of time in which something is to happen, and the moment it is expected at. */
struct window {
    int64_t from, to, at; /* t; at -1: unknown */
};

/* A spec's numbers as µs. Kubernetes itself has no upper limits; ours keep every product below far inside 64 bits. */
struct pace {
    int64_t delay, period, timeout;
};

static int64_t micros(int32_t seconds)
{
    return (int64_t)(seconds > PROBE_SECONDS_MAX ? PROBE_SECONDS_MAX : seconds) * SECOND_US;
}

static struct pace pace_of(const struct probe_spec *spec, const struct container_view *view)
{
    const struct pace pace = {
        /* A start that is not known cannot be waited for: the gate takes the delay as over, so no budget has it (1.2.8). */
        .delay = view->started_at_known ? micros(spec->initial_delay) : 0,
        .period = micros(spec->period < 1 ? 1 : spec->period),
        .timeout = micros(spec->timeout),
    };

    return pace;
}

static int64_t largest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int32_t threshold_limit(int32_t threshold)
{
    return threshold > PROBE_THRESHOLD_MAX ? PROBE_THRESHOLD_MAX : threshold;
}

/* When the last of `missing` probes comes, counted from the one really sent. Ticks are fixed, so a slow answer delays only the last (1.4), unless it outlasts the period. Ticks that
 * have gone by without a probe that counted (no tunnel, errored) push the moment on: the streak waits for probes, not for time. */
static struct window window_after(const struct pace *pace, int32_t missing, int64_t last_sent, int64_t last_total,
                                  int64_t now)
{
    const int64_t took = last_total < 0 ? 0 : last_total > pace->timeout ? pace->timeout : last_total;
    const int64_t lost = largest(0, now - pace->timeout - last_sent) / pace->period;
    const int64_t base = last_sent + (missing > 0 ? lost * pace->period : 0);
    const struct window window = {
        .from = base + missing * pace->period,
        .to = base + missing * largest(pace->period, pace->timeout) + pace->timeout,
        .at = base + missing * largest(pace->period, took) + took,
    };

    return window;
}

/* The start-up probe's window, `missing` failures before the end. Before the first counted probe of this container only the arithmetic is known: the first tick falls somewhere in the
 * period after the delay. After it the probes tell; but where they fall behind what the arithmetic allows, the kubelet must have counted failures that we did not see (we came
 * late, or had no tunnel), and the arithmetic is right again. */
static struct window startup_window(const struct pace *pace, int32_t missing, int32_t threshold, int64_t start,
                                    bool start_known, int64_t last_sent, int64_t last_total, int64_t now)
{
    const bool sent = last_sent >= 0 && (!start_known || last_sent >= start) && missing < threshold;
    const int32_t left = sent ? threshold : missing;
    const int64_t first = start + pace->delay;
    const struct window arithmetic = {
        .from = first + (left - 1) * pace->period,
        .to = first + left * pace->period,
        .at = first + left * pace->period,
    };
    struct window followed;

    if (!sent)
        return arithmetic;
    followed = window_after(pace, missing, last_sent, last_total, now);
    return start_known && followed.from > arithmetic.to + SECOND_US ? arithmetic : followed;
}

/* What the streak of this lane leads to when it reaches its threshold, and how far it is. CONSEQUENCE_NONE where nothing would change. */
static enum consequence streak_leads_to(const struct prober *prober, int32_t *count, int32_t *threshold)
{
    const bool failing = prober->last == VERDICT_FAILURE;

    *count = prober->last == VERDICT_UNKNOWN ? 0 : prober->result_run;
    *threshold = threshold_limit(failing ? prober->failure_threshold : prober->success_threshold);
    /* A complete streak has had its effect, or (a restart since) is that of a container that is gone. */
    if (*count < 1 || *count >= *threshold)
        return CONSEQUENCE_NONE;
    if (prober->lane == LANE_READINESS) {
        if (prober->stored == prober->last)
            return CONSEQUENCE_NONE;
        return failing ? CONSEQUENCE_NOT_READY : CONSEQUENCE_READY;
    }
    if (failing)
        return CONSEQUENCE_RESTART;
    return prober->lane == LANE_STARTUP ? CONSEQUENCE_STARTED : CONSEQUENCE_NONE;
}

struct forecast forecast_streak(const struct prober *prober, const struct probe_spec *spec,
                                const struct container_view *view, int64_t last_sent, int64_t last_total, int64_t now)
{
    const struct pace pace = pace_of(spec, view);
    struct forecast forecast = {.at = -1, .earliest = -1, .latest = -1};
    struct window window = {-1, -1, -1};
    int32_t missing = 0;

    forecast.consequence = streak_leads_to(prober, &forecast.count, &forecast.threshold);
    if (forecast.consequence == CONSEQUENCE_NONE || prober_gate(prober, view, now) != GATE_SEND)
        return (struct forecast){.at = -1, .earliest = -1, .latest = -1};
    missing = forecast.threshold - forecast.count;
    if (prober->lane == LANE_STARTUP && view->started_at_known)
        window = startup_window(&pace, missing, forecast.threshold, view->started_at, true, last_sent, last_total, now);
    else if (last_sent >= 0)
        window = window_after(&pace, missing, last_sent, last_total, now);
    else /* the next tick is at most a period away */
        window = (struct window){now + (missing - 1) * pace.period, now + missing * pace.period + pace.timeout, -1};
    forecast.at = window.at;
    forecast.earliest = window.from;
    forecast.latest = window.to;
    if (forecast.consequence == CONSEQUENCE_READY && now < forecast.earliest)
        forecast.earliest = now; /* a container that is not ready is probed between its ticks too (1.1) */
    forecast.guess = prober->lane == LANE_STARTUP && !view->started_at_known;
    return forecast;
}

struct budget budget_of(const struct prober *startup, const struct probe_spec *spec, const struct container_view *view,
                        int64_t first_seen, int64_t last_sent, int64_t last_total, int64_t now)
{
    const struct pace pace = pace_of(spec, view);
    const bool decided = startup->on_hold && startup->stored == VERDICT_FAILURE;
    const int32_t threshold = threshold_limit(startup->failure_threshold);
    struct budget budget = {0};
    struct window window;

    if (spec->action == PROBE_NONE || !view->running || view->started || view->deleting)
        return budget;
    budget.applies = true;
    budget.guess = !view->started_at_known;
    budget.start = view->started_at_known ? view->started_at : first_seen;
    budget.threshold = threshold;
    budget.count =
        decided ? threshold : prober_failures(startup); /* the decision has set the streak back to 0 (1.2.12) */
    window = startup_window(&pace, threshold - budget.count, threshold, budget.start, view->started_at_known, last_sent,
                            last_total, now);
    budget.may_be_killed_from = window.from;
    budget.deadline = window.at;
    budget.used = now - budget.start;
    budget.left = budget.deadline - now;
    return budget;
}
