/* accuracy DIR: how often the first hint, and one of the first three, is the cause that an incident is filed under. DIR holds a folder for each incident: case.json, and logs.txt, previous.txt, events.txt,
 * describe.txt, pod.json as far as they are there. Scored are those whose label is sure enough (confidence high or medium) and whose texts hold it (basis log or title). */
#include "base/json.h"
#include "base/mem.h"
#include "kube/diagnosis.h"
#include "model/hints.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 1024, FILE_BYTES_MAX = 16 << 20, TOP = 3 };

struct score {
    int incidents, scored, first, top, healthy, alarms;
};

static bool file_read(const char *folder, const char *name, struct buf *out)
{
    char path[PATH_SIZE], part[4096];
    size_t taken;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    buf_init(out, FILE_BYTES_MAX);
    if (!file)
        return false;
    while ((taken = fread(part, 1, sizeof part, file)) > 0)
        buf_append(out, part, taken);
    fclose(file);
    return true;
}

/* Which of the hints names the cause, from 1; 0 none. A verdict without a hint is the first. */
static int place_of(const struct hints *hints, const char *label)
{
    if (hints->count == 0)
        return strcmp(cause_label(hints->verdict), label) == 0;
    for (uint32_t i = 0; i < hints->count && i < TOP; i++)
        if (text_is(&hints->list[i].label, label))
            return (int)i + 1;
    return 0;
}

static void incident_print(const char *what, const char *id, const char *wanted, const struct hints *hints)
{
    printf("  %s %s: %s, said:", what, id, wanted);
    if (hints->count == 0)
        printf(" %s", hints->verdict == CAUSE_NONE ? "nothing" : cause_label(hints->verdict));
    for (uint32_t i = 0; i < hints->count && i < TOP; i++)
        printf(" %s (%s)", text_str(&hints->list[i].label), confidence_name(hints->list[i].confidence));
    printf("\n");
}

static void incident_score(struct score *score, const char *id, const char *wanted, const struct hints *hints)
{
    bool well = strcmp(wanted, "healthy") == 0 || strcmp(wanted, "healthy-slow") == 0;
    int place = place_of(hints, wanted);
    bool alarm = well && hints->count > 0 && !cause_is_healthy(hints->verdict);
    score->scored++;
    score->first += place == 1;
    score->top += place > 0;
    score->healthy += well;
    score->alarms += alarm;
    if (alarm)
        incident_print("false alarm", id, wanted, hints);
    else if (place != 1)
        incident_print(place > 0 ? "not first  " : "missed     ", id, wanted, hints);
}

static bool is_scored(const struct json *about)
{
    const char *confidence = json_string(json_get(about, "confidence")), *basis = json_string(json_get(about, "basis"));
    return confidence && basis && (strcmp(confidence, "high") == 0 || strcmp(confidence, "medium") == 0) &&
           (strcmp(basis, "log") == 0 || strcmp(basis, "title") == 0);
}

static void texts_diagnose(const char *folder, const char *id, const char *wanted, struct score *score)
{
    static const char *const names[] = {"pod.json", "events.txt", "describe.txt", "logs.txt", "previous.txt"};
    struct buf bytes[sizeof names / sizeof names[0]];
    struct diagnosis_texts texts = {0};
    struct diagnosis_text *const places[] = {&texts.pod, &texts.events, &texts.describe, &texts.logs, &texts.previous};
    struct problem problem = {{0}};
    struct fleet *fleet;
    struct hints hints = {0};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (file_read(folder, names[i], &bytes[i]))
            *places[i] = (struct diagnosis_text){.name = names[i], .bytes = buf_str(&bytes[i]), .length = bytes[i].len};
    if (diagnosis_fleet(&texts, NULL, &fleet, &problem) == STATUS_OK)
        pod_hints(fleet, fleet->pods[0], fleet->t, &hints);
    else
        printf("  %s: %s\n", id, problem.text);
    incident_score(score, id, wanted, &hints);
    hints_free(&hints);
    fleet_free(fleet);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        buf_free(&bytes[i]);
}

static void incident_take(const char *corpus, const char *id, struct score *score)
{
    char folder[PATH_SIZE];
    struct buf bytes;
    struct json *about = NULL;
    snprintf(folder, sizeof folder, "%s/%s", corpus, id);
    if (file_read(folder, "case.json", &bytes) &&
        json_parse(buf_str(&bytes), bytes.len, FILE_BYTES_MAX, &about, NULL) == STATUS_OK) {
        const char *wanted = json_string(json_first(json_get(about, "cause")));
        score->incidents++;
        if (wanted && is_scored(about))
            texts_diagnose(folder, id, wanted, score);
    }
    json_free(about);
    buf_free(&bytes);
}

static double percent(int part, int whole)
{
    return whole > 0 ? 100.0 * part / whole : 0;
}

int main(int argc, char **argv)
{
    struct dirent **entries;
    struct score score = {0};
    int count = argc == 2 ? scandir(argv[1], &entries, NULL, alphasort) : -1;
    if (count < 0) {
        fprintf(stderr, "accuracy DIR: the folder of incidents%s\n", argc == 2 ? " cannot be read" : "");
        return 2;
    }
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.')
            incident_take(argv[1], entries[i]->d_name, &score);
        free(entries[i]); /* scandir's own memory */
    }
    free(entries);
    printf("%d incidents, %d scored: top-1 %d (%.1f %%), top-3 %d (%.1f %%); false alarms %d of %d that are well\n",
           score.incidents, score.scored, score.first, percent(score.first, score.scored), score.top,
           percent(score.top, score.scored), score.alarms, score.healthy);
    return 0;
}
