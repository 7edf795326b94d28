/* The user's own signatures, from a file in the configuration's format:
 *
 *   [bad-driver]                      the label: letters, digits, dashes; one of the built-in causes' labels joins that cause
 *   title = GPU driver too old on this node
 *   pattern = requirement error*cuda>=          as in model/signature.h; may stand several times
 *   where = logs                      logs, events, status or any (the default)
 *   confidence = certain              certain, likely (the default) or possible
 *   fix = Move the pod to a node with the newer driver.
 *   command = kubectl -n {ns} get pod {pod} -o wide
 */
#ifndef PROBETOP_SIGNATURES_CONF_H
#define PROBETOP_SIGNATURES_CONF_H

#include "base/conf.h"
#include "model/signature.h"

/* Reads the file into a zeroed `out`. Lines that cannot be used are told in `problems` with file:line and what was expected, and left out. STATUS_NOT_FOUND: there is no such file. */
enum status signatures_read(const char *path, struct signatures *out, struct conf_problems *problems);
void signatures_free(struct signatures *signatures);

#endif
