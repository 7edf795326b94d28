/* What the parts of the reading of kubectl's files share: diagnosis.c reads them, diagnosis_document.c knows lists and documents, diagnosis_pod.c finds the pod, diagnosis_when.c the moments, diagnosis_tell.c tells it all to the
 * model. Nobody else includes this. */
#ifndef PROBETOP_DIAGNOSIS_WORK_H
#define PROBETOP_DIAGNOSIS_WORK_H

#include "base/clock.h"
#include "base/yaml.h"
#include "kube/describe.h"
#include "kube/diagnosis.h"

enum { DIAGNOSIS_POD = 1 };
/* The newest moment of all, in the model's time: so far from 0 that nothing that came before is told as if it were before everything. */
#define DIAGNOSIS_NOW (INT64_C(1000) * 86400 * SECOND_US)

/* A JSON or YAML file. */
struct document {
    const char *name;
    struct json *json;      /* owned; NULL: it is YAML */
    struct yaml_file *yaml; /* owned */
};

/* One reading, from the files to the model. */
struct diagnosis {
    const struct diagnosis_texts *texts;
    struct problem *problem;
    struct fleet *fleet;
    struct document pod_file, event_file;
    struct described described, events; /* events: the table that was given as such */
    const struct json *pod;             /* in one of them; NULL: nothing tells of it */
    struct clock clock;
    int64_t newest, oldest; /* Unix µs; 0: no file has a date */
    bool log_moments;       /* kubectl's own stand in the logs */
    /* What the programs wrote: the year to take, 0: they are not used; the moment that is t = 0; when the log and the previous one began. */
    int stamp_year;
    int64_t stamp_zero, log_began[2];
    struct pod_facts facts;
    bool name_is_guess;
    char *log_container; /* whose logs these are, where it is not the serving one; owned */
};

/* ---- documents ---- */

/* The text without the blanks and empty lines that it begins with. */
struct slice diagnosis_text_begin(const struct diagnosis_text *text);
/* A text that was not given is blank. */
bool diagnosis_text_is_blank(const struct diagnosis_text *text);
/* By how it begins: as kubectl's -o json or -o yaml does. */
bool diagnosis_text_is_json(const struct diagnosis_text *text);
bool diagnosis_text_is_yaml(const struct diagnosis_text *text);
/* JSON or YAML. STATUS_BAD_INPUT with file and place in `problem`. */
enum status document_read(const struct diagnosis_text *text, struct document *out, struct problem *problem);
/* A zeroed document is an empty one. */
void document_free(struct document *document);
size_t document_count(const struct document *document);
const struct json *document_at(const struct document *document, size_t index);

/* What of a document is of this kind: itself, or items of a list. The items of kubectl's own lists say what they are, those of the API's do not. */
struct objects {
    const struct document *document;
    const char *kind, *list;
    size_t at;
    const struct json *item;
};
struct objects objects_pods(const struct document *document);
struct objects objects_events(const struct document *document);
/* The next; NULL: no more. */
const struct json *objects_next(struct objects *objects);
/* metadata.name; "" without one. */
const char *object_name(const struct json *object);

/* ---- the steps, in this order ---- */

/* `pod`, from --pod or --describe. Several pods, or two files about different ones: STATUS_BAD_INPUT that names them. */
enum status diagnosis_find_pod(struct diagnosis *work);
/* `clock`, and whether the programs' own moments count. */
void diagnosis_find_moments(struct diagnosis *work);
/* `facts`: with the name from the events where nothing else has one. */
void diagnosis_find_facts(struct diagnosis *work);
/* All of it into `fleet`. */
void diagnosis_tell(struct diagnosis *work);

#endif
