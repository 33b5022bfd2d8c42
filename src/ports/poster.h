/* The poster port: one HTTP POST to somebody else's server, and what it answered. Like the mailer
 * it keeps nothing and may post twice.
 *
 * Adapters: curl, sim.
 */
#ifndef LORRY_PORTS_POSTER_H
#define LORRY_PORTS_POSTER_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define POST_BODY_MAX ((size_t)256 * 1024)
#define POST_HEADERS_MAX 8
#define POST_ANSWER_MAX ((size_t)64 * 1024) /* bytes of an answer that are read */
#define POST_EXCERPT_MAX 500
#define POST_DETAIL_MAX 240

struct post {
    struct str url, body; /* JSON */
    struct {
        struct str name, value;
    } headers[POST_HEADERS_MAX];
    int32_t header_count;
    bool trusted; /* the operator's own receiver: it may be a private one, and http:// */
};
struct post_outcome {
    int32_t status;                     /* of the answer; 0: there was none */
    int32_t latency_ms;                 /* from send to the outcome */
    char detail[POST_DETAIL_MAX];       /* why there was none; "" otherwise */
    char excerpt[POST_EXCERPT_MAX + 1]; /* the answer's beginning, as printable UTF-8 */
};
/* On any thread, once; not after close. */
typedef void (*post_done_fn)(void *arg, const struct post_outcome *outcome);

struct poster;
struct poster_ops {
    /* Copies POST; never waits. ERR_FULL: as many are under way as may be, and DONE will not be
     * called. Any thread. */
    int (*send)(struct poster *p, const struct post *post, post_done_fn done, void *arg);
    /* What is under way gets its outcome first. */
    void (*close)(struct poster *p);
};
struct poster {
    const struct poster_ops *ops;
    int32_t under_way_max; /* posts at once … */
    int32_t each_max;      /* … and of them to one receiver */
};

#endif
