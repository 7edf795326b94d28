/* One HTTP GET over a unix socket whose answer may be long or endless, told as it comes: what `kubectl proxy` gives (facts/kube.md 3.2). Connections are kept for the next one.
 *
 * Nothing is followed, decompressed or judged. All callbacks come from the loop, outside of libcurl: they may start and cancel streams and probes, their own too. */
#ifndef PROBETOP_STREAM_H
#define PROBETOP_STREAM_H

#include "probe/http.h"
#include "probe/multi.h"

struct streams;

struct stream_options {
    const char *unix_path;
    const char *target; /* "/api/v1/pods?watch=1", as it goes out: already escaped. All strings are copied. */
    const char *user_agent;
    int64_t answer_us; /* until the headers have come: real time */
    int64_t idle_us;   /* then, without a byte */
};

/* First with length 0 when the headers have come, then with every piece of the body. */
typedef void stream_data_fn(void *user, int32_t status, const char *bytes, size_t length);
/* Once, at the end. status 0: none came. words: libcurl's own, "" at a good end; hostile. */
typedef void stream_done_fn(void *user, enum http_error error, int32_t status, const char *words);

struct streams *streams_new(uv_loop_t *loop, struct multi *multi);
void streams_free(struct streams *streams); /* ends what is under way without callbacks; not from a callback */

/* A ticket, never 0; no callback comes before this has returned. */
uint64_t stream_start(struct streams *streams, const struct stream_options *options, stream_data_fn *data,
                      stream_done_fn *done, void *user);
void stream_cancel(struct streams *streams,
                   uint64_t ticket); /* no callback comes any more; an old ticket does nothing */

#endif
