/* Reading the API through the proxy's unix socket: single answers, and streams of lines (watches, followed logs). Over probe/http's streaming; no libcurl here. */
#ifndef PROBETOP_API_H
#define PROBETOP_API_H

#include "base/json.h"
#include "probe/http.h"

/* How a request ended, reduced to what callers branch on. */
enum api_end {
    API_OK,  /* 200; for streams: the server ended it in good order: resume */
    API_CUT, /* a stream broke off: resume after a pause */
    API_UNREACHABLE, /* no proxy, or the proxy says in its own words that the API server cannot be reached (500 with dial tcp ...) */
    API_UNAUTHORIZED, /* 401 */
    API_FORBIDDEN,    /* 403; `words` is the Status message, which names verb and resource */
    API_NOT_FOUND,    /* 404 */
    API_GONE,         /* 410, or an ERROR line with code 410: list again */
    API_INVALID,      /* 400 or 422: it cannot do what was asked for; `words` says why. Asked again it says so again */
    API_BAD           /* anything else; also a 403 of the proxy's own filters, which is nobody's lack of a right */
};
const char *api_end_sentence(enum api_end end);

struct api;
struct api *api_new(struct http *http, const char *socket_path); /* socket_path copied */
void api_free(struct api *api);                                  /* cancels what is under way, without callbacks */

/* Callbacks come from the loop and may start and cancel anything, api_free() included. `words` is never NULL, hostile, and "" for API_OK. body: "" unless API_OK. */
typedef void api_answer_fn(void *user, enum api_end end, const char *words, const char *body, size_t length);
typedef void api_line_fn(void *user, const char *line, size_t length);
typedef void api_end_fn(void *user, enum api_end end, const char *words);

/* GET path ("/api/v1/namespaces/x/pods?limit=100"); the body is at most max_body bytes (more: API_BAD). Tickets are never 0. */
uint64_t api_get(struct api *api, const char *path, size_t max_body, api_answer_fn *answer, void *user);
/* The same, told line by line as it comes; a line is at most 4 MiB (longer: cut, and `line` gets what fits). idle_seconds without a byte: API_CUT. */
uint64_t api_stream(struct api *api, const char *path, int idle_seconds, api_line_fn *line, api_end_fn *end,
                    void *user);
/* opened: the server has said 200, so all is well though no line may come for a long time. Before the loop runs again. */
void api_on_open(struct api *api, uint64_t ticket, void (*opened)(void *user));
void api_cancel(struct api *api, uint64_t ticket); /* no callback comes any more */
uint64_t api_requests(const struct api *api);      /* ever sent: for the cost of being a guest */

/* ---- list and watch of one collection ---- */

/* Keeps a collection in view: lists in pages, watches with bookmarks from there, resumes where a watch ended, lists again on 410, pauses 0.2 s doubling to 10 s after failures, to a minute where the API server knows no such objects. */
struct watch;
/* Any of them may free the watch. */
struct watch_ops {
    void (*object)(void *user, const char *type,
                   const struct json *object); /* "ADDED", "MODIFIED", "DELETED"; those of a list come as ADDED */
    void (*listed)(void *user, size_t count);  /* a list is complete: what it did not have is gone */
    void (*state)(void *user, enum api_end end,
                  const char *words); /* API_OK: watching; else why not, once per change */
};
/* collection: "/api/v1/namespaces/x/pods"; query: "labelSelector=...&fieldSelector=..." already escaped, may be "". */
struct watch *watch_new(uv_loop_t *loop, struct api *api, const char *collection, const char *query,
                        const struct watch_ops *ops, void *user);
void watch_retry(struct watch *watch); /* now, whatever pause is running: the proxy has come back */
void watch_free(struct watch *watch);

#endif
