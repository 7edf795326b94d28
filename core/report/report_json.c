#include "report/report_forms.h"

#include "base/clock.h"
#include "base/json.h"
#include "report/diagnosis.h"

#include <string.h>

static const char *const SCHEMA = "probetop.check/v1";

static const char *consequence_word(enum consequence consequence)
{
    static const char *const WORDS[] = {[CONSEQUENCE_NONE] = NULL,
                                        [CONSEQUENCE_RESTART] = "restart",
                                        [CONSEQUENCE_NOT_READY] = "not-ready",
                                        [CONSEQUENCE_READY] = "ready",
                                        [CONSEQUENCE_STARTED] = "started"};
    return WORDS[consequence];
}

static void put_text_or_null(struct json_writer *writer, const char *key, const struct text *text)
{
    if (text_empty(text))
        json_put_string(writer, key, NULL);
    else
        json_put_text(writer, key, text);
}

static void put_word_or_null(struct json_writer *writer, const char *key, const char *word)
{
    json_put_string(writer, key, word && word[0] ? word : NULL);
}

static void put_moment(struct json_writer *writer, const char *key, const struct fleet *fleet, int64_t t)
{
    char iso[32];
    json_put_string(writer, key, clock_format(fleet_wall(fleet, t), CLOCK_ISO_UTC, iso, sizeof iso));
}

static void put_milliseconds(struct json_writer *writer, const char *key, int64_t us)
{
    if (us < 0)
        json_put_string(writer, key, NULL);
    else
        json_put_real(writer, key, (double)us / MILLISECOND_US);
}

static void put_seconds(struct json_writer *writer, const char *key, int64_t us)
{
    json_put_real(writer, key, (double)us / SECOND_US);
}

/* The streak against its threshold; witnesses have a streak that leads nowhere. */
static void put_streak(struct json_writer *writer, const struct pod *pod, enum lane_kind kind, int64_t now)
{
    const struct lane *lane = &pod->lanes[kind];
    const struct probe_spec *spec = &pod->facts.probes[kind];
    struct forecast forecast = {.consequence = CONSEQUENCE_NONE};
    json_put_int(writer, "streak", lane->streak);
    if (lane_is_kubelets(kind)) {
        json_put_int(writer, "threshold", lane->streak_failing ? spec->failure_threshold : spec->success_threshold);
        forecast = pod_forecast(pod, kind, now);
    } else {
        json_put_string(writer, "threshold", NULL);
    }
    json_put_string(writer, "leads_to", consequence_word(forecast.consequence));
    if (forecast.consequence != CONSEQUENCE_NONE && forecast.at >= 0)
        put_seconds(writer, "leads_to_in_s", forecast.at > now ? forecast.at - now : 0);
    else
        json_put_string(writer, "leads_to_in_s", NULL);
}

static void put_lane(struct json_writer *writer, const struct pod *pod, enum lane_kind kind, int64_t now)
{
    const struct lane *lane = &pod->lanes[kind];
    bool answered = report_lane_answered(lane);
    json_open_object(writer, NULL);
    json_put_string(writer, "name", lane_name(kind));
    json_put_string(writer, "outcome", answered ? outcome_name(lane->last.outcome) : NULL);
    json_put_string(writer, "cause", answered ? probe_cause_name(lane->last.cause) : NULL);
    if (answered && lane->last.status > 0)
        json_put_int(writer, "status", lane->last.status);
    else
        json_put_string(writer, "status", NULL);
    put_streak(writer, pod, kind, now);
    put_milliseconds(writer, "p50_ms", history_percentile(&lane->history, 50));
    put_milliseconds(writer, "p99_ms", history_percentile(&lane->history, 99));
    json_put_string(writer, "answered_by",
                    answered && lane->last.answerer != ANSWERER_NOBODY ? answerer_name(lane->last.answerer) : NULL);
    json_close_object(writer);
}

static void put_budget(struct json_writer *writer, const struct fleet *fleet, const struct pod *pod, int64_t now)
{
    int64_t done_at = -1;
    struct budget budget = pod_budget(pod, now);
    if (!budget.applies) {
        json_put_string(writer, "budget", NULL);
        return;
    }
    enum tri in_time = pod_in_time(pod, now, &done_at);
    json_open_object(writer, "budget");
    put_seconds(writer, "used_s", budget.used);
    put_seconds(writer, "left_s", budget.left);
    put_moment(writer, "may_be_killed_from", fleet, budget.may_be_killed_from);
    put_moment(writer, "deadline", fleet, budget.deadline);
    json_put_int(writer, "failures", budget.count);
    json_put_int(writer, "threshold", budget.threshold);
    json_put_bool(writer, "guess", budget.guess);
    if (in_time == TRI_UNKNOWN)
        json_put_string(writer, "in_time", NULL);
    else
        json_put_bool(writer, "in_time", in_time == TRI_TRUE);
    json_close_object(writer);
}

static void put_hints_json(struct json_writer *writer, const struct fleet *fleet, const struct pod *pod, int64_t now)
{
    struct hints hints;
    struct text command = {0};
    pod_hints(fleet, pod, now, &hints);
    hints_command(&hints, pod, now, &command);
    put_text_or_null(writer, "state", &hints.state);
    json_open_array(writer, "why");
    for (uint32_t i = 0; i < hints.why_count; i++)
        json_put_text(writer, NULL, &hints.why[i]);
    json_close_array(writer);
    put_text_or_null(writer, "next", &hints.next);
    put_text_or_null(writer, "command", &command);
    report_hints_json(writer, fleet, &hints);
    text_free(&command);
    hints_free(&hints);
}

static void put_models(struct json_writer *writer, const struct pod *pod)
{
    if (pod->model_count < 0) {
        json_put_string(writer, "models", NULL);
        return;
    }
    json_open_array(writer, "models");
    for (int32_t i = 0; i < pod->model_count; i++)
        json_put_text(writer, NULL, &pod->models[i]);
    json_close_array(writer);
}

static void put_pod(struct json_writer *writer, const struct fleet *fleet, const struct pod *pod, int64_t now,
                    bool with_schema)
{
    json_open_object(writer, NULL);
    if (with_schema) {
        json_put_string(writer, "schema", SCHEMA);
        put_moment(writer, "time", fleet, now);
    }
    json_put_text(writer, "name", &pod->facts.name);
    put_text_or_null(writer, "namespace", &pod->facts.ns);
    put_word_or_null(writer, "role", role_name(pod->facts.role));
    put_text_or_null(writer, "address", &pod->facts.address);
    json_put_string(writer, "stage", stage_word(pod->stage));
    put_text_or_null(writer, "reason", &pod->reason);
    put_moment(writer, "since", fleet, pod->stage_since);
    json_put_bool(writer, "unhealthy", report_pod_unhealthy(fleet, pod, now));
    json_put_int(writer, "run", pod->run);
    json_put_int(writer, "restarts", report_restarts(pod));
    json_open_array(writer, "lanes");
    for (int l = 0; l < LANE_COUNT; l++)
        if (pod->lanes[l].present)
            put_lane(writer, pod, (enum lane_kind)l, now);
    json_close_array(writer);
    put_models(writer, pod);
    put_budget(writer, fleet, pod, now);
    put_hints_json(writer, fleet, pod, now);
    json_close_object(writer);
}

void report_json(const struct fleet *fleet, int64_t now, struct buf *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_put_string(&writer, "schema", SCHEMA);
    put_moment(&writer, "time", fleet, now);
    json_put_bool(&writer, "unhealthy", report_unhealthy(fleet, now));
    json_open_array(&writer, "pods");
    for (uint32_t i = 0; i < fleet->count; i++)
        if (!fleet->pods[i]->gone)
            put_pod(&writer, fleet, fleet->pods[i], now, false);
    json_close_array(&writer);
    json_close_object(&writer);
    buf_putc(out, '\n');
}

void report_jsonl(const struct fleet *fleet, int64_t now, struct buf *out)
{
    for (uint32_t i = 0; i < fleet->count; i++) {
        struct json_writer writer;
        if (fleet->pods[i]->gone)
            continue;
        json_writer_init(&writer, out);
        put_pod(&writer, fleet, fleet->pods[i], now, true);
        buf_putc(out, '\n');
    }
}
