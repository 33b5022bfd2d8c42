/* What every store adapter may take for granted of its callers, checked in one place so that all
 * adapters refuse the same mistakes. A mistake here is a bug in Lorry, never bad input.
 */
#ifndef LORRY_PORTS_STORE_CHECK_H
#define LORRY_PORTS_STORE_CHECK_H

#include "base/check.h"
#include "ports/store.h"

static inline int store_index_count(const struct store_collection *c) {
    int n = 0;
    while (n < STORE_KEYS_MAX && c->indexes[n])
        n++;
    return n;
}

/* The place of the index NAME among C's, in the order of `keys`. */
static inline int store_index_of(const struct store_collection *c, const char *name) {
    for (int i = 0; i < store_index_count(c); i++)
        if (str_is(str_from(name), c->indexes[i]))
            return i;
    UNREACHABLE();
}

static inline void store_change_check(const struct store_change *c) {
    CHECK(c->collection && c->id.p && c->id.len >= 1 && c->id.len <= STORE_ID_MAX);
    CHECK(c->expected_version >= 0);
    CHECK(!c->collection->daily || (c->expected_version == 0 && !c->remove && c->id.len >= 16));
    CHECK(c->remove || c->state.p);
    CHECK(c->event_count >= 0 && c->event_count <= STORE_EVENTS_MAX);
    CHECK(c->wake_at_us == 0 || (c->wake_at_us > 0 && c->collection->timers));
    for (int32_t i = 0; i < c->event_count; i++)
        CHECK(c->events[i].id.p && c->events[i].type.p && c->events[i].key.p &&
              c->events[i].data.p);
    CHECK(!c->answer || c->answer->key.p);
}

static inline void store_batch_check(const struct store_change *changes, int32_t count,
                                     int32_t remove_count) {
    CHECK(count >= 0 && count <= STORE_BATCH_MAX && remove_count >= 0);
    for (int32_t i = 0; i < count; i++)
        store_change_check(&changes[i]);
}

static inline void store_query_check(const struct store_query *q) {
    CHECK(q->collection && q->limit >= 1 && q->limit <= STORE_LIST_MAX);
    CHECK(!q->index || q->key.p);
}

/* When the dedupe key of C was committed, as far as the change itself can tell; 0: it cannot. */
static inline int64_t store_change_at(const struct store_change *c) {
    if (c->at_us)
        return c->at_us;
    if (c->answer && c->answer->at_us)
        return c->answer->at_us;
    return c->event_count ? c->events[0].at_us : 0;
}

#endif
