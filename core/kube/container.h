/* What a container's entry in a pod's spec says, and moments, for discover.c, pod_json.c and event_json.c. Everything here is hostile and may be of any type. */
#ifndef PROBETOP_CONTAINER_H
#define PROBETOP_CONTAINER_H

#include "base/clock.h"
#include "base/json.h"

enum { COMMAND_WORD_MAX = 512 }; /* bytes of a word that matters; longer ones are cut */

/* The words of `command`, then of `args`. A string with blanks in it is a shell's (sh -c "..."): it is split at blanks, quotes and the shell's own marks, without any shell's finesse. */
struct command_words {
    const struct json *container;
    const struct json *element; /* the string under way; NULL: none yet */
    const char *at;
    bool in_args;
    char word[COMMAND_WORD_MAX];
};
void command_words_init(struct command_words *words, const struct json *container);
/* The next word, in words->word; false: there is none. */
bool command_words_next(struct command_words *words);

/* The value of --flag VALUE or --flag=VALUE, the first one, with $(NAME), $NAME and ${NAME} looked up in the container's own env. False: not there. `out` has COMMAND_WORD_MAX bytes. */
bool command_flag(const struct json *container, const char *flag, char *out);
bool command_has(const struct json *container, const char *word); /* the word itself or FLAG=... stands in it */
/* The same as a port; 0: not there, or no port. */
int32_t command_port(const struct json *container, const char *flag);

/* The container of that name among spec.containers and spec.initContainers; NULL: none. */
const struct json *container_find(const struct json *pod, const char *name);
/* A probe's or a service's port: a number, the name of one of the container's own ports, or a number written as a string (facts/kube.md 1.6); 0: none of them. */
int32_t container_port(const struct json *container, const struct json *port);
/* An init container that goes on running beside the others (facts/kube.md 1.9). */
bool container_is_native_sidecar(const struct json *container);
/* Whether what listens on `port` in it speaks TLS: by an httpGet probe of that port, else by its arguments. */
bool container_is_https(const struct json *container, int32_t port);

/* An RFC 3339 string as t. False: it is none, or one from before 1970, which is Go's zero time, or too late to be meant. */
bool json_moment(const struct json *value, const struct clock *clock, int64_t *t);

#endif
