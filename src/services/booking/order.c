#include "services/booking/order.h"

#include "base/check.h"
#include "base/err.h"
#include "base/id.h"
#include "services/booking/schedule.h"
#include "services/booking/standing.h"

#include <stddef.h>

#define AT(type, member) .flags = S_IN | S_STORE, .offset = offsetof(struct type, member)
#define MUST(type, member)                                                                         \
    .flags = S_IN | S_STORE | S_REQUIRED, .offset = offsetof(struct type, member)

static const struct schema_field contact_fields[] = {
    {"name", S_LINE, AT(contact, name), .min = 1, .max = 100},
    {"phone", S_LINE, AT(contact, phone), .min = 3, .max = 32},
};
static const struct schema contact_schema =
    STRICT_SCHEMA(struct contact, "OrderContact", contact_fields);

static const struct schema_field stop_fields[] = {
    {"lat", S_DEG7, MUST(order_stop, place.lat_e7), .min = -90, .max = 90},
    {"lng", S_DEG7, MUST(order_stop, place.lng_e7), .min = -180, .max = 180},
    {"address", S_LINE, AT(order_stop, place.address), .min = 1, .max = ADDRESS_CHARS_MAX},
    {"contact", S_OBJECT_PTR, AT(order_stop, contact), .sub = &contact_schema},
    {"note", S_STR, AT(order_stop, note), .min = 0, .max = STOP_NOTE_CHARS_MAX},
};
const struct schema order_stop_schema = STRICT_SCHEMA(struct order_stop, "OrderStop", stop_fields);

static const struct schema_field window_fields[] = {
    {"from", S_TIME, MUST(window, from_us)},
    {"to", S_TIME, MUST(window, to_us)},
};
static const struct schema window_schema = SCHEMA(struct window, "ImportWindow", window_fields);

static const struct schema_field order_fields[] = {
    {"stops", S_LIST, MUST(order, stops), .count_offset = offsetof(struct order, stop_count),
     .min = STOPS_MIN, .max = STOPS_MAX, .sub = &order_stop_schema},
    {"vehicle", S_ENUM, MUST(order, vehicle), .names = vehicle_names, .hint = "vehicle class"},
    {"pickup_window", S_OBJECT_PTR, AT(order, pickup_window), .sub = &window_schema},
    {"goods", S_LIST, AT(order, goods), .count_offset = offsetof(struct order, goods_count),
     .min = 0, .max = GOODS_MAX, .sub = &goods_schema},
    {"payment", S_ENUM, AT(order, payment), .names = payment_names, .hint = "way to pay"},
    {"notes", S_STR, AT(order, notes), .min = 0, .max = NOTES_CHARS_MAX},
    {"reference", S_LINE, AT(order, reference), .min = 1, .max = 60},
};
const struct schema order_schema = SCHEMA(struct order, "ImportRow", order_fields);

void order_check(const struct booking_service *s, const struct order *o, int64_t now_us,
                 struct arena *a, struct field_errors *errors) {
    schedule_check(s, o->pickup_window, now_us, "/pickup_window", a, errors);
    goods_check(o->goods, o->goods_count, a, errors);
}

struct quote_set *order_price(struct booking_service *s, const struct order *o,
                              const struct order_owner *owner, int64_t now_us, struct arena *a,
                              struct field_errors *errors) {
    struct quote_body body = {.stops = arena_array(a, struct place, o->stop_count),
                              .stop_count = o->stop_count,
                              .vehicle = o->vehicle,
                              .pickup_window = o->pickup_window,
                              .goods = o->goods,
                              .goods_count = o->goods_count};
    for (int32_t i = 0; i < o->stop_count; i++)
        body.stops[i] = o->stops[i].place;
    struct quote_set *set =
        quote_alone(&(struct quote_ask){s, &body, owner->customer_id, now_us, a}, errors);
    if (set == NULL)
        return NULL;
    CHECK(set->quote_count == 1);
    set->made_by = owner->made_by;
    set->role = owner->role;
    set->notes = o->notes;
    set->payment = o->payment;
    set->contacts = arena_array(a, struct contact_of, o->stop_count);
    set->contact_count = o->stop_count;
    for (int32_t i = 0; i < o->stop_count; i++)
        set->contacts[i] = (struct contact_of){o->stops[i].contact, o->stops[i].note};
    return set;
}

struct str order_booking_id(struct str made_by, int64_t number, int64_t at_us, struct arena *a) {
    struct rng rng;
    rng_seed(&rng, str_hash(made_by, (uint64_t)number));
    return id_variant(a, id_new(a, "bkg", at_us, &rng), 0);
}

void order_send(struct decision *d, const struct command *cmd, const struct decide_ctx *ctx,
                struct str booking_id, const struct quote_set *set) {
    decision_event(d, cmd, ctx, EV_BOOKING_ORDERED, booking_id, &quote_set_schema, set);
}

int order_room(struct booking_service *s, struct store *store, struct str user_id, int32_t role,
               int32_t max, int32_t *ret_room) {
    int32_t bound = s->o.open_bookings_max, open = 0;
    *ret_room = max;
    if (bound < 0 || role != ROLE_CUSTOMER)
        return 0;
    int err = open_count(store, user_id, bound, &open);
    if (err == 0 && bound - open < max)
        *ret_room = bound - open;
    return err;
}

/* ---- the booking of it ---- */

struct order_args {
    const struct quote_set *set;
};

static int load_order(struct command *cmd, struct store *store, int64_t now_us) {
    const struct booking_service *s = cmd->service;
    const struct order_args *args = cmd->args;
    static const struct create_body plain;
    struct create_facts *facts = cmd->facts;
    enum standing standing;
    (void)now_us;
    if (facts == NULL) {
        cmd->facts = facts = arena_new(cmd->arena, struct create_facts);
        booking_secret(s, facts);
        facts->set = args->set;
        facts->stops = proof_secrets(s, &plain, STOPS_MAX, cmd->arena);
    }
    int err = standing_of(store, executor_parser(cmd->executor), args->set->customer_id, cmd->arena,
                          &standing, NULL);
    facts->erased = standing == STANDING_ERASED;
    if (err == 0 && !facts->erased && args->set->role == ROLE_CUSTOMER)
        err = open_reserve(cmd, store, args->set->customer_id);
    return err;
}

/* The system's, for its customer. */
static void decide_order(const struct command *cmd, const struct decide_ctx *ctx, const void *state,
                         struct decision *ret) {
    static const struct create_body plain;
    const struct create_facts *facts = cmd->facts;
    if (state != NULL || facts->erased)
        return; /* it came before; or there is nobody whom it could be for */
    struct edit e;
    edit_begin(&e, cmd, ctx, NULL);
    booking_fill(&e, &plain, facts, &facts->set->quotes[0]);
    if (facts->too_many) { /* others were opened since it was ordered */
        e.event_count = 0; /* so that nobody looks for a driver */
        booking_call_off(&e, open_words(cmd->service, ctx->arena));
    }
    edit_commit(&e, ret);
    standing_ask(ret, cmd, ctx, cmd->id, facts->set->customer_id);
}

static void order_applied(const struct command *cmd, const struct decision *d, const void *state) {
    open_release(cmd);
    booking_applied(cmd, d, state);
}

static const struct command_type booking_order = {.name = "booking.order",
                                                  .aggregate = &booking_aggregate,
                                                  .load = load_order,
                                                  .decide = decide_order,
                                                  .applied = order_applied,
                                                  .undone = open_release};

/* What a broker holds may be anything. */
static bool sound(const struct quote_set *set) {
    return id_valid(set->customer_id, "usr") && id_valid(set->made_by, NULL) &&
           set->stop_count >= STOPS_MIN && set->stop_count <= STOPS_MAX && set->quote_count == 1 &&
           set->quotes[0].vehicle > VEHICLE_NONE && set->quotes[0].vehicle < VEHICLE_COUNT;
}

void on_ordered(struct event_turn *t, const void *data) {
    const struct quote_set *set = data;
    if (!id_valid(t->event->key, "bkg") || !sound(set))
        return;
    struct order_args *args = arena_new(t->arena, struct order_args);
    args->set = arena_copy(t->arena, set, sizeof(*set));
    event_command(t, &booking_order, arena_str(t->arena, t->event->key), args);
}
