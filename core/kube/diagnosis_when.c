/* When things were: the newest moment that the files tell of is now; ages count back from it. */
#include "kube/diagnosis_work.h"

#include "kube/stamp.h"

#include <stdlib.h>
#include <string.h>

static void newest_take(struct diagnosis *work, int64_t wall)
{
    work->newest = wall > work->newest ? wall : work->newest;
    work->oldest = work->oldest == 0 || wall < work->oldest ? wall : work->oldest;
}

/* All moments below it. */
static void moments_walk(struct diagnosis *work, const struct json *value, int depth)
{
    enum { DEEPEST = 8 };
    int64_t wall;
    if (json_string(value) && clock_parse_rfc3339(json_string(value), &wall))
        newest_take(work, wall);
    for (const struct json *child = json_first(value); child && depth < DEEPEST; child = json_next(child))
        moments_walk(work, child, depth + 1);
}

static void moments_of_pod(struct diagnosis *work, const struct json *pod)
{
    const struct json *metadata = json_get(pod, "metadata");
    moments_walk(work, json_get(pod, "status"), 0);
    moments_walk(work, json_get(metadata, "creationTimestamp"), 0);
    for (const struct json *f = json_first(json_get(metadata, "managedFields")); f; f = json_next(f))
        moments_walk(work, json_get(f, "time"), 0);
}

/* A pod has dates, and a table of its events has ages: where both tell of the same moment, it says when they were written. */
static void moment_of_writing(struct diagnosis *work, const struct described *events, const char *reason,
                              const struct json *when)
{
    const char *moment = json_string(when);
    int64_t wall, age = -1;
    for (uint32_t i = 0; i < events->event_count; i++) {
        const struct told_event *event = &events->events[i];
        bool ours = text_empty(&event->object) || strstr(text_str(&event->object), object_name(work->pod));
        if (ours && text_is(&event->reason, reason) && event->age >= 0 && (age < 0 || event->age < age))
            age = event->age;
    }
    if (moment && age >= 0 && clock_parse_rfc3339(moment, &wall))
        newest_take(work, wall + age);
}

static void moments_of_ages(struct diagnosis *work, const struct described *events)
{
    const struct json *status = json_get(work->pod, "status");
    const struct json *state = json_get(json_first(json_get(status, "containerStatuses")), "state");
    moment_of_writing(work, events, "Scheduled", json_get(status, "startTime"));
    moment_of_writing(work, events, "Started", json_get(json_get(state, "running"), "startedAt"));
}

static void moments_of_log(struct diagnosis *work, const struct diagnosis_text *text)
{
    struct slice left = {text->bytes, text->length}, line, words;
    int64_t wall;
    while (slice_line(&left, &line))
        if (line_moment(line, &wall, &words)) {
            work->log_moments = true;
            newest_take(work, wall);
        }
}

/* The moments that the programs wrote themselves, where kubectl gave none. Beside other dates they count only if they fit: by a clock in another zone they do not. Without any, they are spans and no dates. */
static void stamps_find(struct diagnosis *work)
{
    enum { ANY_LEAP_YEAR = 2000, SLACK_SECONDS = 600 };
    const struct diagnosis_texts *texts = work->texts;
    struct slice logs = {texts->logs.bytes, texts->logs.length};
    struct slice previous = {texts->previous.bytes, texts->previous.length};
    struct stamps now, before;
    char moment[32] = "";
    bool dated = work->newest != 0;
    int year = ANY_LEAP_YEAR;
    const int64_t half_year = 183 * INT64_C(86400) * SECOND_US;
    if (dated)
        year = (int)strtol(clock_format(work->newest, CLOCK_ISO_UTC, moment, sizeof moment), NULL, 10);
    stamps_of(logs, year, &now);
    stamps_of(previous, year, &before);
    if (dated && now.any && now.first > work->newest + half_year) { /* they began before the turn of the year */
        year--;
        stamps_of(logs, year, &now);
        stamps_of(previous, year, &before);
    }
    if (!dated && (now.year || before.year)) { /* lines with a year and lines without may be mixed */
        year = now.year ? now.year : before.year;
        stamps_of(logs, year, &now);
        stamps_of(previous, year, &before);
    }
    int64_t newest = now.any ? now.newest : before.newest, slack = SLACK_SECONDS * (int64_t)SECOND_US;
    if ((!now.any && !before.any) || work->log_moments ||
        (dated && (newest > work->newest + slack || (work->oldest != 0 && newest < work->oldest))))
        return;
    work->stamp_year = year;
    work->log_began[0] = now.any ? now.first : newest;
    work->log_began[1] = before.any ? before.first : newest;
    if (dated)
        newest_take(work, newest);
    else
        work->stamp_zero = newest - DIAGNOSIS_NOW;
}

void diagnosis_find_moments(struct diagnosis *work)
{
    struct objects events = objects_events(&work->event_file);
    if (work->pod) {
        moments_of_pod(work, work->pod);
        moments_of_ages(work, &work->events);
        moments_of_ages(work, &work->described);
    }
    for (const struct json *event; (event = objects_next(&events));)
        for (const struct json *member = json_first(event); member; member = json_next(member))
            moments_walk(work, member, 0);
    moments_of_log(work, &work->texts->previous);
    moments_of_log(work, &work->texts->logs);
    stamps_find(work);
    work->clock.wall_zero = work->newest != 0 ? work->newest - DIAGNOSIS_NOW : 0;
    if (work->newest != 0)
        work->stamp_zero = work->clock.wall_zero;
}
