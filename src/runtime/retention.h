/* Retention of documents that end at a time of their own: their ids tell when they were begun, and
 * they may be needed for much longer than they are kept after their end. (Those that only have an
 * age go by store.prune_docs.)
 *
 * Of those that are old by their ids a page at a time is looked at, and what is over is removed. So
 * what is stored by older versions goes too, and what still lives is looked at again now and then.
 */
#ifndef LORRY_RUNTIME_RETENTION_H
#define LORRY_RUNTIME_RETENTION_H

#include "runtime/aggregate.h"

/* One collection's, on the executor's thread; all else 0 at first. */
struct retention {
    const struct aggregate *aggregate;
    /* Has STATE, which is old by its id, been over since before BEFORE_US? Pure. */
    bool (*over)(const void *state, int64_t before_us);
    int64_t next_us;
    char after[STORE_ID_MAX + 1]; /* how far this round has come */
};

/* For a service's tick: removes some of those whose ids are below BELOW_ID, and that are over since
 * before BEFORE_US. What could not be removed now is removed later. */
void retention_tick(struct retention *r, struct store *writer, struct str below_id,
                    int64_t before_us, int64_t now_us);

#endif
