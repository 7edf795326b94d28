/* The items of a list as the API writes it, one by one: a page of 250 pods is 5 MB, which nobody needs as one tree. */
#ifndef PROBETOP_ITEMS_H
#define PROBETOP_ITEMS_H

#include "base/json.h"

/* Where one value stands in bytes that somebody else keeps. */
struct items_span {
    const char *bytes;
    size_t length;
};

/* Finds the values of a list's "metadata" and "items". False: it is no object that has an "items" array (null and absent are an empty one), or it does not end. */
bool items_find(const char *bytes, size_t length, struct items_span *metadata, struct items_span *items);
/* Takes the first element from what is left of an array. *item is NULL when there is none; else free it with json_free(). False: it is not JSON. */
bool items_take(struct items_span *items, struct json **item);

#endif
