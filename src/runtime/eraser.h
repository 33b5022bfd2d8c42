/* Erasing a person: what a service does with its documents of somebody whose account was erased
 * (EV_ACCOUNT_ERASED). Each keeps a list of what is under way, a document for each person, and goes
 * through its own collections a page at a time, so that nothing else waits; where it has got to is
 * written down, and a page that is done again does nothing. Several replicas may be at it at once.
 *
 * A second pass follows after ERASER_AGAIN_US, when no access token of his can be good any more and
 * no event of him be on its way: for what was written while the first one ran.
 */
#ifndef LORRY_RUNTIME_ERASER_H
#define LORRY_RUNTIME_ERASER_H

#include "events/events.h"
#include "runtime/service.h"

#define ERASER_AGAIN_US (INT64_C(3600) * 1000000) /* over any access TTL there may be */

struct erasure {
    struct aggregate_head head; /* id: the user's */
    int64_t since_us, next_us;
    int64_t target;    /* index of the one that is gone through */
    struct str cursor; /* absent: at its beginning */
    bool again;        /* it is the second pass */
};
extern const struct schema erasure_schema;

enum eraser_verdict { ERASE_KEEP, ERASE_WRITE, ERASE_REMOVE };
struct eraser_target {
    const struct aggregate *aggregate;
    /* Documents under a key of this index (its place in the collection); -1: all that name him. */
    int index;
    struct str (*key)(struct arena *a, struct str user_id); /* NULL: the user's id */
    /* What becomes of STATE, which it changes for ERASE_WRITE; NULL: it is removed. Must keep what
     * is clean already. */
    enum eraser_verdict (*judge)(void *state, struct str user_id, struct arena *a);
};
struct eraser {
    const struct aggregate *aggregate; /* of struct erasure, in a collection of the service's own */
    const struct command_type *begin;  /* .decide = eraser_begin on it */
    const struct eraser_target *targets;
    int32_t target_count;
};

/* For the service's begin command, and for its event handler to send it. */
void eraser_begin(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                  struct decision *ret);
void eraser_take(struct event_turn *t, const struct ev_erased *e, const struct command_type *begin);
/* For tick; *NEXT_US is the service's, 0 at first. What fails is tried again. */
void eraser_tick(const struct eraser *e, struct store *writer, int64_t *next_us, int64_t now_us);

#endif
