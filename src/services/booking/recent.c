/* The bookings of a stretch of time, for what is only thought of: a tariff, a service area. They
 * are read from the store on a network thread, so it is bounded: RECENT_MAX of them, the newest;
 * the answer says from when on they are, and whether these are all.
 */
#include "base/timestamp.h"
#include "services/booking/internal.h"

#define RECENT_MAX 2000
#define RECENT_PAGE 100
#define RECENT_DAYS 7
#define RECENT_DAYS_MAX 31

bool recent_span(struct call *c, struct recent *r) {
    r->to_us = c->now_us;
    if (!call_query_time(c, "to", &r->to_us))
        return false;
    r->from_us = r->to_us - RECENT_DAYS * US_PER_DAY;
    if (!call_query_time(c, "from", &r->from_us))
        return false;
    if (r->from_us < 0 || r->from_us > r->to_us ||
        r->to_us - r->from_us > RECENT_DAYS_MAX * US_PER_DAY) {
        call_problem(c, PROBLEM_BAD_PARAMETER, "from must be 0 to %d days before to",
                     RECENT_DAYS_MAX);
        return false;
    }
    return true;
}

/* Page by page, each in memory of its own. */
int recent_walk(struct call *c, struct recent *r, recent_fn *each, void *arg) {
    struct store *reader = c->worker->reader;
    struct rng zero = {{0}};
    struct arena page;
    int32_t count = 0;
    int err = 0;
    rng_seed(&zero, 0); /* any id of that moment is a bound */
    struct store_query q = {.collection = &booking_collection,
                            .after = id_new(&c->arena, "bkg", r->to_us + US_PER_MS, &zero),
                            .until = id_new(&c->arena, "bkg", r->from_us, &zero),
                            .limit = RECENT_PAGE};
    arena_init(&page, 65536);
    do {
        struct store_doc *docs;
        err = reader->ops->list(reader, &q, &page, &docs, &count);
        for (int32_t i = 0; i < count && err == 0 && r->bookings < RECENT_MAX; i++) {
            void *state;
            err = aggregate_decode(&booking_aggregate, &docs[i], c->worker->parser, &page, &state);
            if (err < 0)
                break;
            r->bookings++;
            r->oldest_us = ((const struct booking *)state)->created_at_us;
            each(state, &page, arg);
        }
        if (err == 0 && count > 0)
            q.after = arena_str(&c->arena, docs[count - 1].id);
        arena_reset(&page);
    } while (err == 0 && count == q.limit && r->bookings < RECENT_MAX);
    r->complete = err == 0 && count < q.limit;
    arena_free(&page);
    return err;
}

void recent_write(struct jw *w, const struct recent *r) {
    jw_kv_time(w, "from", r->complete ? r->from_us : r->oldest_us);
    jw_kv_time(w, "to", r->to_us);
    jw_key(w, "complete");
    jw_bool(w, r->complete);
    jw_kv_i64(w, "bookings", r->bookings);
}
