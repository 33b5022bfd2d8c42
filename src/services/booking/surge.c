#include "services/booking/surge.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"

#include <stdlib.h>

#define PAGE 100
#define BOOKINGS_MAX 2000 /* looked at in one sample */
#define NOTHING_MILLI 50  /* what has faded to this is gone */
#define MILLI 1000

void surge_init(struct surge *s) {
    *s = (struct surge){0};
    CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
}

void surge_free(struct surge *s) {
    pthread_mutex_destroy(&s->lock);
}

static int32_t floor_div(int32_t value, int32_t by) {
    return value >= 0 ? value / by : -((by - 1 - value) / by);
}

/* The cell of AT, or NULL; behind the lock, or on the executor's thread. */
static struct surge_cell *find(struct surge *s, struct point at, int32_t vehicle) {
    int32_t lat = floor_div(at.lat_e7, SURGE_LAT_E7), lng = floor_div(at.lng_e7, SURGE_LNG_E7);
    for (int32_t i = 0; i < s->count; i++) {
        struct surge_cell *c = &s->cells[i];
        if (c->lat == lat && c->lng == lng && c->vehicle == vehicle)
            return c;
    }
    return NULL;
}

/* ---- a sample: counted on the side, then put in place ---- */

static void count_one(struct surge *next, const struct booking *b) {
    struct point at = place_point(&b->stops[0].place);
    struct surge_cell *c = find(next, at, b->vehicle);
    if (c == NULL && next->count < SURGE_CELLS_MAX) {
        c = &next->cells[next->count++];
        *c = (struct surge_cell){.lat = floor_div(at.lat_e7, SURGE_LAT_E7),
                                 .lng = floor_div(at.lng_e7, SURGE_LNG_E7),
                                 .vehicle = b->vehicle};
    }
    if (c != NULL) /* else there are more cells than a town has */
        c->asked++;
}

/* Counts those that Q names, with pages of its limit. *LEFT: how many more may be looked at. */
static int count_walk(struct surge *next, struct store *store, struct store_query *q,
                      struct json_parser *parser, int32_t *left) {
    struct arena ids, page;
    arena_init(&ids, 512);
    arena_init(&page, 65536);
    int32_t count = 0;
    int err;
    do {
        struct store_doc *docs;
        err = store->ops->list(store, q, &page, &docs, &count);
        for (int32_t i = 0; i < count && err == 0; i++) {
            void *state;
            err = aggregate_decode(&booking_aggregate, &docs[i], parser, &page, &state);
            const struct booking *b = err == 0 ? state : NULL;
            if (b != NULL && booking_is_searching(b->state))
                count_one(next, b);
        }
        if (err == 0 && count > 0)
            q->after = arena_str(&ids, docs[count - 1].id);
        *left -= count;
        arena_reset(&page);
    } while (err == 0 && count == q->limit && *left > 0);
    arena_free(&page);
    arena_free(&ids);
    return err;
}

/* What was booked since SINCE_US, the newest first; then what was before that, for later, and may
 * be looked for by now: the oldest first, for its time is the likeliest to have come. */
static int count_searching(struct surge *next, struct store *store, int64_t since_us) {
    struct arena a;
    struct rng zero = {{0}};
    struct json_parser *parser = json_parser_new();
    arena_init(&a, 512);
    rng_seed(&zero, 0); /* any id of that moment is a bound */
    const struct store_query open = {.collection = &booking_collection,
                                     .index = booking_collection.indexes[2],
                                     .key = STR(PHASE_OPEN),
                                     .until = id_new(&a, "bkg", since_us > 0 ? since_us : 0, &zero),
                                     .limit = PAGE};
    struct store_query lately = open, before = open;
    before.ascending = true;
    int32_t left = BOOKINGS_MAX;
    int err = count_walk(next, store, &lately, parser, &left);
    if (err == 0 && left > 0)
        err = count_walk(next, store, &before, parser, &left);
    arena_free(&a);
    json_parser_free(parser);
    return err;
}

/* Free drivers in the cell and those around it. */
static int64_t count_free(struct fleet *fleet, const struct surge_cell *c) {
    struct point south_west = {(c->lat - 1) * SURGE_LAT_E7, (c->lng - 1) * SURGE_LNG_E7};
    struct point north_east = {(c->lat + 2) * SURGE_LAT_E7, (c->lng + 2) * SURGE_LNG_E7};
    return fleet != NULL
               ? fleet->ops->count_free(fleet, south_west, north_east, (enum vehicle)c->vehicle)
               : 0;
}

static int64_t smooth(int64_t old, int64_t sample) {
    return old + (sample - old) / 4;
}

void surge_sample(struct surge *s, struct store *store, struct fleet *fleet, int64_t window_us,
                  int64_t now_us) {
    if (now_us < s->next_us)
        return;
    s->next_us = now_us + SURGE_EVERY_US;
    struct surge *next = xcalloc(1, sizeof(*next));
    next->count = s->count;
    for (int32_t i = 0; i < s->count; i++)
        next->cells[i] = s->cells[i];
    int err = count_searching(next, store, now_us - window_us);
    int32_t kept = 0;
    for (int32_t i = 0; i < next->count && err == 0; i++) {
        struct surge_cell c = next->cells[i];
        bool fresh = c.demand_milli == 0; /* how many are free there is known at once */
        int64_t supply_milli = count_free(fleet, &c) * MILLI;
        c.demand_milli = smooth(c.demand_milli, c.asked * MILLI);
        c.supply_milli = fresh ? supply_milli : smooth(c.supply_milli, supply_milli);
        c.asked = 0;
        if (c.demand_milli > NOTHING_MILLI)
            next->cells[kept++] = c;
    }
    if (err == 0) {
        pthread_mutex_lock(&s->lock);
        for (int32_t i = 0; i < kept; i++)
            s->cells[i] = next->cells[i];
        s->count = kept;
        pthread_mutex_unlock(&s->lock);
    }
    free(next);
}

void surge_clear(struct surge *s) {
    if (s->count == 0)
        return;
    pthread_mutex_lock(&s->lock);
    s->count = 0;
    pthread_mutex_unlock(&s->lock);
}

void surge_at(struct surge *s, struct point pickup, enum vehicle vehicle, int64_t *ret_demand_milli,
              int64_t *ret_supply_milli) {
    pthread_mutex_lock(&s->lock);
    const struct surge_cell *c = s->count > 0 ? find(s, pickup, (int32_t)vehicle) : NULL;
    *ret_demand_milli = c != NULL ? c->demand_milli : 0;
    *ret_supply_milli = c != NULL ? c->supply_milli : 0;
    pthread_mutex_unlock(&s->lock);
}
