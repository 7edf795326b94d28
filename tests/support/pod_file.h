/* The files of tests/data. All of these end the program when there is no such file. */
#ifndef PROBETOP_POD_FILE_H
#define PROBETOP_POD_FILE_H

#include "base/json.h"

/* tests/data/NAME; free it with buf_free(). */
void data_file(const char *name, struct buf *out);
/* The same as a document; free it with json_free(). */
struct json *data_json(const char *name);
/* tests/data/pods/NAME.json */
struct json *pod_file(const char *name);

#endif
