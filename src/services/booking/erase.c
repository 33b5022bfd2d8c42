/* What becomes of the bookings of somebody who is erased: they stay, with what they cost and where
 * they went to about a kilometre, and say nothing of who that was. */
#include "services/booking/erase.h"

#include "base/check.h"
#include "base/err.h"
#include "services/booking/custody.h"
#include "services/booking/favourites.h"
#include "services/booking/import.h"
#include "services/booking/recurrence.h"
#include "services/booking/saved_places.h"
#include "services/booking/standing.h"

#include <string.h>

#define COARSE_E7 100000 /* 0.01 degrees: about a kilometre */

/* ---- who is engaged ---- */

static bool is_open(const void *state) {
    return !booking_is_final(((const struct booking *)state)->state);
}

/* Adds those under KEY of the index that are open. */
static int add_open(struct store *store, struct json_parser *parser, int index, struct str key,
                    struct arena *a, struct str ret_ids[ENGAGED_BOOKINGS_MAX], int32_t *count) {
    struct store_query q = {.collection = &booking_collection,
                            .index = booking_collection.indexes[index],
                            .key = key,
                            .limit = STORE_LIST_MAX};
    struct store_doc *docs;
    int32_t found;
    int err = store->ops->list(store, &q, a, &docs, &found);
    for (int32_t i = 0; i < found && err == 0 && *count < ENGAGED_BOOKINGS_MAX; i++) {
        void *state;
        if (aggregate_decode(&booking_aggregate, &docs[i], parser, a, &state) == 0 &&
            is_open(state))
            ret_ids[(*count)++] = docs[i].id;
    }
    return err;
}

int booking_engaged(struct store *store, struct json_parser *parser, struct str user_id,
                    struct arena *a, struct str ret_ids[ENGAGED_BOOKINGS_MAX], int32_t *ret_count) {
    *ret_count = 0;
    int err = add_open(store, parser, 0, booking_open_key(a, user_id), a, ret_ids, ret_count);
    struct str driver_id = id_with_prefix(a, user_id, "drv");
    if (err == 0)
        err = add_open(store, parser, 1, booking_open_key(a, driver_id), a, ret_ids, ret_count);
    if (err == 0) /* one that an older version wrote is among his newest (open.c) */
        err = add_open(store, parser, 1, driver_id, a, ret_ids, ret_count);
    return err;
}

/* ---- as a customer ---- */

static int32_t coarse(int32_t e7) {
    return e7 / COARSE_E7 * COARSE_E7;
}

/* That a stop was proven stays, and by which pictures; not who took the goods. */
static void erase_proof(struct stop_proof *p) {
    if (p != NULL)
        p->name = p->pin = p->secret = STR_NONE;
}

static void erase_stops(struct booking *b) {
    for (int32_t i = 0; i < b->stop_count; i++) {
        struct booking_stop *s = &b->stops[i];
        s->contact = NULL;
        s->note = STR_NONE;
        s->reason = STR_NONE;
        erase_proof(s->proof);
        if (s->cash != NULL)
            s->cash->reason = STR_NONE;
        s->place.address = STR_NONE;
        s->place.lat_e7 = coarse(s->place.lat_e7);
        s->place.lng_e7 = coarse(s->place.lng_e7);
    }
}

/* What people have typed. Of the goods remains what they weigh, and what they need. */
static void erase_words(struct booking *b, struct arena *a) {
    b->notes = b->reason = STR_NONE;
    for (int32_t i = 0; i < b->goods_count; i++)
        b->goods[i].name = STR("-"); /* there is always one */
    if (b->rating != NULL)
        b->rating->comment = STR_NONE;
    for (int32_t i = 0; i < b->timeline_count; i++) {
        struct timeline_entry *e = &b->timeline[i];
        struct str reason = e->reason, proof = e->proof, seal = custody_seal(e, a);
        if (e->type == ENTRY_CANCELLED || e->type == ENTRY_FAILED || e->type == ENTRY_STOP_FAILED ||
            e->type == ENTRY_PROGRESSED || e->type == ENTRY_COLLECTED ||
            e->type == ENTRY_STOPS_CHANGED || e->type == ENTRY_UNASSIGNED ||
            e->type == ENTRY_ASSIGN_WANTED)
            e->reason = STR_NONE;
        e->proof = STR_NONE;
        if (e->chain.p != NULL && (proof.p != NULL || reason.p != e->reason.p)) {
            e->seal = seal; /* the chain holds on; nothing can be tried against it */
            e->salt = STR_NONE;
        }
    }
}

static struct str text_of(const struct booking *b, struct arena *a) {
    return schema_text(&booking_schema, b, S_STORE, a);
}

/* It is written again only if that changes something. */
static enum eraser_verdict compared(const struct booking *b, struct str before, struct arena *a) {
    return str_eq(text_of(b, a), before) ? ERASE_KEEP : ERASE_WRITE;
}

static enum eraser_verdict judge_customer(void *state, struct str user_id, struct arena *a) {
    struct booking *b = state;
    if (!str_eq(b->customer_id, user_id))
        return ERASE_KEEP;
    struct str before = text_of(b, a);
    erase_stops(b);
    erase_words(b, a);
    return compared(b, before, a);
}

static struct str open_key(struct arena *a, struct str user_id) {
    return booking_open_key(a, user_id);
}

/* ---- as a driver ---- */

static struct str driver_key(struct arena *a, struct str user_id) {
    return id_with_prefix(a, user_id, "drv");
}

static struct str driving_key(struct arena *a, struct str user_id) {
    return booking_open_key(a, driver_key(a, user_id));
}

static enum eraser_verdict judge_driver(void *state, struct str user_id, struct arena *a) {
    struct booking *b = state;
    if (b->driver == NULL || !str_eq(b->driver->user_id, user_id))
        return ERASE_KEEP;
    struct str before = text_of(b, a);
    b->driver->name = b->driver->phone = b->driver->plate = STR_NONE;
    return compared(b, before, a);
}

/* A customer's own list goes; from those of others he goes as a driver. */
static enum eraser_verdict judge_favourites(void *state, struct str user_id, struct arena *a) {
    struct favourites *f = state;
    struct str driver_id = driver_key(a, user_id);
    int32_t kept = 0;
    if (str_eq(f->head.id, id_with_prefix(a, user_id, "fav")))
        return ERASE_REMOVE;
    for (int32_t i = 0; i < f->count; i++) {
        if (!str_eq(f->items[i].driver_id, driver_id))
            f->items[kept++] = f->items[i];
    }
    enum eraser_verdict v = kept < f->count ? ERASE_WRITE : ERASE_KEEP;
    f->count = kept;
    return v;
}

static const struct eraser_target targets[] = {
    {&booking_aggregate, 0, NULL, judge_customer},
    {&booking_aggregate, 0, open_key, judge_customer},
    {&booking_aggregate, 1, driver_key, judge_driver},
    {&quote_aggregate, -1, NULL, NULL}, /* there are those of an hour */
    {&favourites_aggregate, -1, NULL, judge_favourites},
    {&saved_places_aggregate, 0, NULL, NULL},
    {&import_aggregate, -1, NULL, NULL},
    {&recurrence_aggregate, 0, NULL, NULL},
    {&disabled_aggregate, -1, NULL, NULL},
    {&booking_aggregate, 1, driving_key, judge_driver},
};
const struct store_collection booking_erasure_collection = {.name = "booking_erasures"};
static const struct aggregate erasure_aggregate = {.collection = &booking_erasure_collection,
                                                   .schema = &erasure_schema};

/* What he has open: booked without him in the moment when he went, for else he could not go. */
struct left_open {
    struct str ids[ENGAGED_BOOKINGS_MAX];
    int32_t count;
};

static int load_erasure(struct command *cmd, struct store *store, int64_t now_us) {
    struct left_open *left = arena_new(cmd->arena, struct left_open);
    (void)now_us;
    cmd->facts = left;
    left->count = 0;
    return add_open(store, executor_parser(cmd->executor), 0, booking_open_key(cmd->arena, cmd->id),
                    cmd->arena, left->ids, &left->count);
}

static void decide_erasure(const struct command *cmd, const struct decide_ctx *ctx,
                           const void *state, struct decision *ret) {
    const struct left_open *left = cmd->facts;
    eraser_begin(cmd, ctx, state, ret);
    for (int32_t i = 0; i < left->count && state == NULL; i++)
        standing_ask(ret, cmd, ctx, left->ids[i], cmd->id);
}
static const struct command_type erasure_begin = {.name = "booking.erase",
                                                  .aggregate = &erasure_aggregate,
                                                  .load = load_erasure,
                                                  .decide = decide_erasure};
const struct eraser booking_eraser = {&erasure_aggregate, &erasure_begin, targets,
                                      COUNT_OF(targets)};

void booking_on_erased(struct event_turn *t, const void *data) {
    eraser_take(t, data, &erasure_begin);
}
