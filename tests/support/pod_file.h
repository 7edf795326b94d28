/* The pods of tests/data/pods. */
#ifndef PROBETOP_POD_FILE_H
#define PROBETOP_POD_FILE_H

#include "base/json.h"

/* The document tests/data/pods/NAME.json; free it with json_free(). Ends the program when there is none. */
struct json *pod_file(const char *name);

#endif
