/* Bookings, as the oracle sees them. The legal moves stand here a second time, written from the
 * API's words and not from the service's table, so that one mistake is not in both.
 */
#include "sim/oracle.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

#define BIT(state) (1u << BOOKING_##state)

static const unsigned legal[BOOKING_STATE_COUNT] = {
    [BOOKING_NONE] = BIT(SCHEDULED) | BIT(REQUESTED) | BIT(CANCELLED), /* one too many */
    [BOOKING_SCHEDULED] = BIT(SCHEDULED) | BIT(REQUESTED) | BIT(EXPIRED) | BIT(CANCELLED),
    [BOOKING_REQUESTED] =
        BIT(REQUESTED) | BIT(OFFERED) | BIT(ASSIGNED) | BIT(EXPIRED) | BIT(CANCELLED),
    [BOOKING_OFFERED] =
        BIT(OFFERED) | BIT(REQUESTED) | BIT(ASSIGNED) | BIT(EXPIRED) | BIT(CANCELLED),
    [BOOKING_ASSIGNED] = BIT(ASSIGNED) | BIT(ARRIVED_PICKUP) | BIT(CANCELLED) | BIT(REQUESTED),
    [BOOKING_ARRIVED_PICKUP] = BIT(ARRIVED_PICKUP) | BIT(PICKED_UP) | BIT(FAILED) | BIT(CANCELLED) |
                               BIT(ASSIGNED) | BIT(REQUESTED),
    [BOOKING_PICKED_UP] = BIT(PICKED_UP) | BIT(ARRIVED_DROPOFF) | BIT(CANCELLED),
    [BOOKING_ARRIVED_DROPOFF] = BIT(ARRIVED_DROPOFF) | BIT(PICKED_UP) | BIT(DELIVERED) |
                                BIT(FAILED) | BIT(CANCELLED) | BIT(RETURNING),
    [BOOKING_RETURNING] = BIT(RETURNING) | BIT(ARRIVED_RETURN) | BIT(CANCELLED),
    [BOOKING_ARRIVED_RETURN] = BIT(ARRIVED_RETURN) | BIT(RETURNED) | BIT(CANCELLED),
    [BOOKING_DELIVERED] = BIT(DELIVERED),
    [BOOKING_CANCELLED] = BIT(CANCELLED),
    [BOOKING_EXPIRED] = BIT(EXPIRED),
    [BOOKING_FAILED] = BIT(FAILED),
    [BOOKING_RETURNED] = BIT(RETURNED),
};

static int32_t state_named(struct str name) {
    for (int32_t i = 1; booking_state_names[i] != NULL; i++) {
        if (str_is(name, booking_state_names[i]))
            return i;
    }
    return BOOKING_NONE;
}

static void copy_id(char out[ID_TEXT_MAX], struct str id) {
    snprintf(out, ID_TEXT_MAX, "%.*s", STR_ARG(id));
}

static int64_t time_of(struct json_value v, const char *key) {
    int64_t at_us = 0;
    struct str text = sim_json_str(v, key);
    if (text.p != NULL)
        timestamp_parse(text, &at_us);
    return at_us;
}

static bool active(int32_t state) {
    return state >= BOOKING_ASSIGNED && state < BOOKING_DELIVERED;
}

static struct shadow_booking *booking_new(struct oracle *o, struct str id) {
    struct shadow_booking *b = arena_new(&o->sim->arena, struct shadow_booking);
    copy_id(b->id, id);
    map_put(&o->bookings, str_from(b->id), b);
    b->next = o->first_booking;
    o->first_booking = b;
    o->open_bookings++;
    return b;
}

static void read_offers(struct json_value root, struct shadow_booking *b) {
    struct json_value offers, driver;
    b->offer_count = 0;
    if (!json_get(root, "offers", &offers))
        return;
    for (struct json_iter it = json_iter(offers); json_next(&it);) {
        CHECK(b->offer_count < SHADOW_OFFERS_MAX);
        struct shadow_offer *offer = &b->offers[b->offer_count++];
        struct json_value wanted;
        copy_id(offer->id, sim_json_str(it.value, "id"));
        offer->expires_at_us = time_of(it.value, "expires_at");
        offer->wanted = json_get(it.value, "wanted", &wanted) && json_bool(wanted);
        if (json_get(it.value, "driver", &driver))
            copy_id(offer->driver_id, sim_json_str(driver, "id"));
    }
}

/* ---- what may not happen ---- */

static bool holds(const struct shadow_booking *b, const char *driver_id) {
    if (active(b->state) && strcmp(b->driver_id, driver_id) == 0)
        return true;
    for (int32_t i = 0; i < b->offer_count; i++) {
        if (!b->offers[i].wanted && strcmp(b->offers[i].driver_id, driver_id) == 0)
            return true;
    }
    return false;
}

/* Is B what D has, or has next? */
static bool is_claimed(const struct shadow_driver *d, const struct shadow_booking *b) {
    return (d->claimed && strcmp(d->booking_id, b->id) == 0) ||
           (d->has_next && strcmp(d->next_booking, b->id) == 0);
}

/* A driver whom B asks or has is claimed for B; and no other booking asks or has him, but for the
 * one that he carries while this one comes next. */
static void check_alone(struct oracle *o, const struct shadow_booking *b, const char *driver_id) {
    const struct shadow_driver *d = shadow_driver(o, str_from(driver_id));
    int32_t others = 0;
    for (const struct shadow_booking *other = o->first_booking; other != NULL;
         other = other->next) {
        if (other == b || !holds(other, driver_id))
            continue;
        SIM_EXPECT(o->sim, d->has_next && is_claimed(d, b) && is_claimed(d, other) && ++others == 1,
                   "a driver has one booking or offer at a time, and one next",
                   "%s has both %s and %s", driver_id, b->id, other->id);
    }
    SIM_EXPECT(o->sim, b->weight_g <= d->capacity_kg * 1000, "who is asked can carry it",
               "%s weighs %lld g, and %s carries %lld kg", b->id, (long long)b->weight_g, driver_id,
               (long long)d->capacity_kg);
    SIM_EXPECT(o->sim, is_claimed(d, b), "a driver is claimed before he is asked",
               "%s asks or has %s, who is claimed for %s", b->id, driver_id,
               d->claimed ? d->booking_id : "nothing");
}

/* Who is at work on B is at work on nothing else. */
static void check_one_job(struct oracle *o, const struct shadow_booking *b) {
    for (const struct shadow_booking *other = o->first_booking; other != NULL;
         other = other->next) {
        bool at_work = other->state > BOOKING_ASSIGNED && other->state < BOOKING_DELIVERED;
        SIM_EXPECT(o->sim, other == b || !at_work || strcmp(other->driver_id, b->driver_id) != 0,
                   "nobody is on two jobs at once", "%s is at work on %s and on %s", b->driver_id,
                   b->id, other->id);
    }
}

static bool before_pickup(int32_t state) {
    return state == BOOKING_ASSIGNED || state == BOOKING_ARRIVED_PICKUP;
}

/* Does CHANGE tell that OLD's driver has it no more? */
static bool told_lost(struct oracle *o, const struct shadow_booking *old,
                      const struct store_change *change) {
    for (int32_t i = 0; i < change->event_count; i++) {
        struct json_value event, offer;
        if (str_is(change->events[i].type, EV_BOOKING_UNASSIGNED) &&
            json_parse(o->parser, change->events[i].data, &event) == 0 &&
            json_get(event, "offer", &offer) &&
            str_is(sim_json_str(offer, "driver_id"), old->driver_id))
            return true;
    }
    return false;
}

static void check_drivers(struct oracle *o, const struct shadow_booking *old,
                          const struct shadow_booking *b, const struct store_change *change) {
    for (int32_t i = 0; i < b->offer_count; i++) {
        if (!b->offers[i].wanted && !holds(old, b->offers[i].driver_id))
            check_alone(o, b, b->offers[i].driver_id);
    }
    if (active(b->state) && strcmp(old->driver_id, b->driver_id) != 0)
        check_alone(o, b, b->driver_id);
    if (active(b->state) && b->state > BOOKING_ASSIGNED && old->state == BOOKING_ASSIGNED)
        check_one_job(o, b);
    bool searching = b->state == BOOKING_REQUESTED || b->state == BOOKING_OFFERED;
    for (int32_t i = 0; i < b->offer_count; i++)
        SIM_EXPECT(o->sim, searching || (b->offers[i].wanted && before_pickup(b->state)),
                   "who has a driver asks nobody else", "%s is %s and has %s open", b->id,
                   booking_state_names[b->state], b->offers[i].id);
    if (old->driver_id[0] != 0 && strcmp(old->driver_id, b->driver_id) != 0)
        SIM_EXPECT(o->sim, before_pickup(old->state) && told_lost(o, old, change),
                   "a driver loses a booking before the pickup, and is told",
                   "%s went from %s to %s as it was %s", b->id, old->driver_id, b->driver_id,
                   booking_state_names[old->state]);
}

/* Who accepted had an open offer that had not run out. */
static void check_assigned(struct oracle *o, const struct shadow_booking *old,
                           const struct shadow_booking *b, const struct store_change *change) {
    struct json_value event;
    if (json_parse(o->parser, change->events[0].data, &event) < 0 ||
        !str_is(sim_json_str(event, "actor_kind"), "driver"))
        return; /* given by staff, or by the claim that staff waited for */
    for (int32_t i = 0; i < old->offer_count; i++) {
        const struct shadow_offer *offer = &old->offers[i];
        if (strcmp(offer->id, b->offer_id) != 0)
            continue;
        SIM_EXPECT(o->sim, change->at_us < offer->expires_at_us, "an offer ends when it is over",
                   "%s was accepted by %s %lld us after it had run out", offer->id, b->driver_id,
                   (long long)(change->at_us - offer->expires_at_us));
        return;
    }
    sim_fail(o->sim, "only an open offer is accepted", "%s has taken %s by %s, which was not open",
             b->driver_id, b->id, b->offer_id);
}

static void check_cancelled(struct oracle *o, const struct shadow_booking *old,
                            const struct store_change *change) {
    struct json_value event;
    bool late = old->state >= BOOKING_PICKED_UP;
    if (!late || json_parse(o->parser, change->events[0].data, &event) < 0)
        return;
    struct str who = sim_json_str(event, "actor_kind");
    SIM_EXPECT(o->sim, !str_is(who, "customer"), "goods on their way are not cancelled",
               "%s was cancelled by its customer when it was %s", old->id,
               booking_state_names[old->state]);
}

static void check_delivered(struct oracle *o, const struct shadow_booking *b,
                            struct json_value root) {
    struct json_value stops;
    if (!json_get(root, "stops", &stops))
        return;
    for (struct json_iter it = json_iter(stops); json_next(&it);)
        SIM_EXPECT(o->sim, str_is(sim_json_str(it.value, "state"), "done"),
                   "delivered means all stops are done", "%s has a stop that is not", b->id);
}

/* Of each stop's goods: handed over, or in the vehicle until they are where they came from. */
static void check_goods(struct oracle *o, const struct shadow_booking *old,
                        const struct shadow_booking *b, struct json_value root) {
    struct json_value stops, v;
    int32_t failed = 0, back = 0, undone = 0;
    if (!json_get(root, "stops", &stops))
        return;
    for (struct json_iter it = json_iter(stops); json_next(&it);) {
        struct str state = sim_json_str(it.value, "state");
        bool is_back = json_get(it.value, "back", &v) && json_bool(v);
        failed += str_is(state, "failed");
        back += is_back;
        undone += !str_is(state, "done") && !str_is(state, "failed");
    }
    bool way_back = b->state == BOOKING_RETURNING || b->state == BOOKING_ARRIVED_RETURN ||
                    b->state == BOOKING_RETURNED;
    SIM_EXPECT(o->sim,
               b->state != BOOKING_FAILED || old->state == BOOKING_ARRIVED_PICKUP ||
                   old->state == BOOKING_FAILED || !b->returns,
               "goods are delivered, brought back, or never were picked up",
               "%s failed as it was %s, and nothing goes back", b->id,
               booking_state_names[old->state]);
    SIM_EXPECT(o->sim, !way_back || (b->returns && failed > 0 && back == 1),
               "what goes back could not be delivered", "%s: %d failed, %d ways back", b->id,
               failed, back);
    SIM_EXPECT(o->sim, b->state != BOOKING_RETURNED || undone == 0,
               "returned means that all stops are over", "%s has %d left", b->id, undone);
}

/* A change of state tells the world, with the version and state that came of it. */
static void check_events(struct oracle *o, struct shadow_booking *b,
                         const struct store_change *change) {
    SIM_EXPECT(o->sim, change->event_count > 0, "a change tells the world",
               "%s went to version %lld without an event", b->id, (long long)b->version);
    bool first = true;
    for (int32_t i = 0; i < change->event_count; i++) {
        struct json_value event, view;
        if (str_is(change->events[i].type, EV_AUDIT_RECORDED))
            continue; /* audit.c looks after it */
        if (str_is(str_sub(change->events[i].type, 0, 6), "promo."))
            continue; /* of another matter */
        if (str_starts(change->events[i].type, "file."))
            continue; /* of a picture that it lets go */
        if (str_is(change->events[i].type, EV_STANDING_ASKED))
            continue; /* whether there still is somebody whom it is for */
        if (json_parse(o->parser, change->events[i].data, &event) < 0)
            continue;
        bool fits = sim_json_i64(event, "version") == b->version &&
                    state_named(sim_json_str(event, "state")) == b->state;
        SIM_EXPECT(o->sim, fits, "an event tells what was decided",
                   "%.*s of %s is not of version %lld", STR_ARG(change->events[i].type), b->id,
                   (long long)b->version);
        struct json_value again;
        bool shown = json_get(event, "view", &view) && json_kind(view) == JSON_IS_OBJECT;
        bool holds = str_is(change->events[i].type, EV_BOOKING_CLAIM_HOLDS);
        bool inner = holds || str_is(change->events[i].type, EV_BOOKING_COUNTED); /* of services */
        bool repeats = json_get(event, "again", &again) && json_bool(again);
        SIM_EXPECT(o->sim, shown == !inner && (inner || repeats == !first),
                   "each version is shown once", "event %d of %s, version %lld", i, b->id,
                   (long long)b->version);
        SIM_EXPECT(o->sim, !holds || change->event_count == 1,
                   "an answer to a claim is nothing else", "%s, version %lld", b->id,
                   (long long)b->version);
        if (holds)
            oracle_unseen(o, b);
        first = false;
        oracle_promised(o, &change->events[i], b);
        if (shown)
            oracle_webhook_due(o, &change->events[i]);
    }
}

/* ---- a commit ---- */

static struct str tariff_doc(struct oracle *o, const struct shadow_booking *b) {
    return arena_printf(&o->sim->arena, "trf_%0*lld", ULID_TEXT_LEN, (long long)b->tariff);
}

/* The items add up, and taxes, the driver's part and the house's are of the total. */
static void read_price(struct oracle *o, struct json_value root, struct shadow_booking *b) {
    struct json_value price, items, terms;
    int64_t sum = 0;
    if (!json_get(root, "price", &price) || !json_get(price, "items", &items) ||
        !json_get(root, "terms", &terms)) {
        sim_fail(o->sim, "a booking has a price", "%s has none", b->id);
        return;
    }
    b->total = sim_json_i64(price, "total");
    b->tariff = sim_json_i64(terms, "tariff_version");
    b->returns = b->tariff > 0 && sim_json_i64(terms, "return_percent") != I64_ABSENT;
    b->discount = 0;
    for (struct json_iter it = json_iter(items); json_next(&it);) {
        int64_t amount = sim_json_i64(it.value, "amount");
        sum += amount;
        b->discount -= str_is(sim_json_str(it.value, "code"), "promo") ? amount : 0;
    }
    SIM_EXPECT(o->sim, sum == b->total && b->total >= 0, "the items of a price add up",
               "%s costs %lld, its items are %lld", b->id, (long long)b->total, (long long)sum);
    SIM_EXPECT(o->sim, b->earning >= 0 && b->earning <= b->total + b->discount,
               "nobody earns more than is paid", "%s costs %lld, its driver gets %lld", b->id,
               (long long)b->total, (long long)b->earning);
    SIM_EXPECT(o->sim, b->tariff == 1 || shadow_version(o, "tariffs", tariff_doc(o, b)) == 1,
               "a price is of a tariff that there is", "%s is of version %lld", b->id,
               (long long)b->tariff);
}

/* What was booked is what is paid, whatever becomes of the tariffs; only waiting, and the way back,
 * add to it.
 */
static void check_price(struct oracle *o, const struct shadow_booking *old,
                        const struct shadow_booking *b) {
    bool left = old->state == BOOKING_ARRIVED_PICKUP || old->state == BOOKING_ARRIVED_DROPOFF ||
                old->state == BOOKING_ARRIVED_RETURN;
    bool same = old->total == b->total && old->earning == b->earning;
    bool more = left && b->total > old->total && b->earning >= old->earning;
    bool moved = old->state == BOOKING_SCHEDULED && b->pickup_from_us != old->pickup_from_us;
    bool other_way = b->stops_revision != old->stops_revision; /* oracle_stops.c looks after it */
    SIM_EXPECT(o->sim,
               old->state == BOOKING_NONE || moved ||
                   (old->tariff == b->tariff && (same || more || other_way)),
               "a booking keeps its price", "%s went from %lld (version %lld) to %lld (%lld)",
               b->id, (long long)old->total, (long long)old->tariff, (long long)b->total,
               (long long)b->tariff);
}

struct books {
    int64_t sum, charged, fees, earned, cash_taken, cash_held;
};

static struct books read_ledger(struct json_value root) {
    struct books k = {0};
    struct json_value lines;
    if (!json_get(root, "ledger", &lines))
        return k;
    for (struct json_iter it = json_iter(lines); json_next(&it);) {
        int64_t amount = sim_json_i64(it.value, "amount");
        struct str code = sim_json_str(it.value, "code");
        bool drivers = str_is(sim_json_str(it.value, "account"), "driver");
        k.sum += amount;
        k.charged -= str_is(code, "charge") ? amount : 0;
        k.fees -= str_is(code, "fee") ? amount : 0;
        k.earned += str_is(code, "earning") ? amount : 0;
        k.cash_taken += str_is(code, "cash") && !drivers ? amount : 0;
        k.cash_held -= str_is(code, "cash") && drivers ? amount : 0;
    }
    return k;
}

/* What its driver has said that he took for the trip, at whatever stop was the last then.
 * *RET_LAST: he said it at the one that is the last now. */
static int64_t fares_said(struct json_value root, bool *ret_last) {
    struct json_value stops, cash;
    int64_t fares = 0;
    *ret_last = false;
    if (!json_get(root, "stops", &stops))
        return 0;
    for (struct json_iter it = json_iter(stops); json_next(&it);) {
        *ret_last = json_get(it.value, "cash", &cash) && json_kind(cash) == JSON_IS_OBJECT &&
                    sim_json_i64(cash, "collected") != I64_ABSENT;
        fares += *ret_last ? sim_json_i64(cash, "fare") : 0;
    }
    return fares;
}

/* The books of a booking balance, and say what its price and its end say. */
static void check_ledger(struct oracle *o, struct json_value root, struct shadow_booking *b) {
    struct books k = read_ledger(root);
    bool delivered = b->state == BOOKING_DELIVERED || b->state == BOOKING_RETURNED;
    bool cash = str_is(sim_json_str(root, "payment"), "cash");
    int64_t fee = b->state == BOOKING_CANCELLED ? sim_json_i64(root, "cancel_fee") : 0;
    SIM_EXPECT(o->sim, k.sum == 0, "the sum of ledgers is zero", "%s is off by %lld", b->id,
               (long long)k.sum);
    SIM_EXPECT(o->sim, k.charged == (delivered ? b->total : 0) && k.fees == fee,
               "what is charged is the price", "%s costs %lld, charged are %lld and %lld", b->id,
               (long long)b->total, (long long)k.charged, (long long)k.fees);
    bool at_last;
    int64_t said = fares_said(root, &at_last);
    int64_t taken = delivered && cash && !at_last ? b->total : said;
    SIM_EXPECT(o->sim,
               k.cash_taken == k.cash_held && k.cash_taken == taken &&
                   (!delivered || taken <= b->total) && (cash || taken == 0),
               "cash is owed by who took it", "%s: %lld taken, %lld held, %lld said", b->id,
               (long long)k.cash_taken, (long long)k.cash_held, (long long)taken);
    SIM_EXPECT(o->sim,
               k.earned <= k.charged + k.fees + (delivered ? b->discount : 0) &&
                   (!delivered || k.earned == b->earning),
               "nobody earns more than is paid", "%s: %lld earned", b->id, (long long)k.earned);
    b->earned = k.earned;
}

static int64_t weight_of(struct json_value root) {
    struct json_value goods;
    int64_t sum_g = 0;
    if (!json_get(root, "goods", &goods))
        return 0;
    for (struct json_iter it = json_iter(goods); json_next(&it);) {
        int64_t count = sim_json_i64(it.value, "count");
        sum_g += sim_json_i64(it.value, "weight_g") * (count != I64_ABSENT ? count : 1);
    }
    return sum_g;
}

static void read_booking(struct oracle *o, struct json_value root,
                         const struct store_change *change, struct shadow_booking *b) {
    struct json_value driver, window, promo;
    b->version = change->expected_version + 1;
    b->state = state_named(sim_json_str(root, "state"));
    b->earning = sim_json_i64(root, "earning");
    b->weight_g = weight_of(root);
    read_price(o, root, b);
    b->search_until_us = time_of(root, "search_until");
    b->pickup_from_us = b->pickup_to_us = 0;
    if (json_get(root, "pickup_window", &window) && json_kind(window) == JSON_IS_OBJECT) {
        b->pickup_from_us = time_of(window, "from");
        b->pickup_to_us = time_of(window, "to");
    }
    copy_id(b->customer_id, sim_json_str(root, "customer_id"));
    if (json_get(root, "driver", &driver) && json_kind(driver) == JSON_IS_OBJECT) {
        copy_id(b->driver_id, sim_json_str(driver, "id"));
        copy_id(b->driver_user_id, sim_json_str(driver, "user_id"));
        copy_id(b->offer_id, sim_json_str(driver, "offer_id"));
    } else {
        b->driver_id[0] = b->driver_user_id[0] = b->offer_id[0] = 0;
    }
    b->promo[0] = 0;
    if (json_get(root, "promo", &promo) && json_kind(promo) == JSON_IS_OBJECT)
        snprintf(b->promo, sizeof(b->promo), "prm_%.*s", STR_ARG(sim_json_str(promo, "code")));
    SIM_EXPECT(o->sim, (b->promo[0] != 0) == (b->discount > 0), "a discount is a promo code's",
               "%s has %lld by %s", b->id, (long long)b->discount, b->promo);
    read_offers(root, b);
}

static void count_end(struct oracle *o, const struct shadow_booking *b) {
    struct sim_result *r = o->sim->result;
    o->open_bookings--;
    r->bookings++;
    r->delivered += b->state == BOOKING_DELIVERED;
    r->cancelled += b->state == BOOKING_CANCELLED;
    r->expired += b->state == BOOKING_EXPIRED;
    r->not_deliverable += b->state == BOOKING_FAILED;
    r->returned += b->state == BOOKING_RETURNED;
    if (b->driver_id[0] != 0)
        shadow_driver(o, str_from(b->driver_id))->earned += b->earned;
}

/* Nobody is looked for before it is time, and nobody after the window's end. */
static void check_window(struct oracle *o, const struct shadow_booking *old,
                         const struct shadow_booking *b, const struct store_change *change) {
    const struct sim_profile *p = &o->sim->profile;
    int64_t lead_us = p->schedule_lead_max_s * US_PER_S;
    if (b->pickup_from_us == 0)
        return;
    bool searches = b->state == BOOKING_REQUESTED && old->state <= BOOKING_SCHEDULED;
    o->sim->result->early += searches && old->state == BOOKING_SCHEDULED &&
                             change->at_us < b->pickup_from_us - p->schedule_lead_s * US_PER_S;
    SIM_EXPECT(o->sim, !searches || change->at_us >= b->pickup_from_us - lead_us,
               "what is scheduled waits for its time", "%s is looked after %lld us too soon", b->id,
               (long long)(b->pickup_from_us - lead_us - change->at_us));
    SIM_EXPECT(o->sim, b->search_until_us >= b->pickup_to_us,
               "a search for later lasts until its window's end", "that of %s does not", b->id);
    SIM_EXPECT(o->sim, b->state != BOOKING_EXPIRED || change->at_us >= b->pickup_to_us,
               "nothing expires before its window's end", "%s did", b->id);
}

/* Whose booking it is as of this version: he is to be told of it, and no other driver. */
static void note_driver(struct oracle *o, struct shadow_booking *b) {
    struct arena *a = &o->sim->arena;
    if (b->version >= b->driver_cap) {
        int64_t cap = b->version * 2 + 16;
        const char **more = arena_array(a, const char *, cap);
        for (int64_t i = 0; i < b->driver_cap; i++)
            more[i] = b->driver_at[i];
        b->driver_at = more;
        b->driver_cap = cap;
    }
    bool has = b->driver_user_id[0] != 0;
    b->driver_at[b->version] = has ? arena_printf(a, "%s", b->driver_user_id).p : NULL;
}

void oracle_booking(struct oracle *o, const struct store_change *change) {
    struct json_value root;
    if (json_parse(o->parser, change->state, &root) < 0) {
        sim_fail(o->sim, "documents are JSON", "%.*s", STR_ARG(change->id));
        return;
    }
    struct shadow_booking *b = shadow_booking(o, change->id);
    if (b == NULL)
        b = booking_new(o, change->id);
    struct shadow_booking old = *b;
    read_booking(o, root, change, b);
    oracle_counted(o, root, b);
    check_ledger(o, root, b); /* the parser's, until it reads the events */
    oracle_cash_booking(root, b);
    oracle_proofs(o, root, b);
    oracle_custody(o, root, b);
    oracle_stops(o, &old, b, root);
    if (old.state == BOOKING_NONE) {
        oracle_imported(o, root, b);
        oracle_recurred(o, root, b);
    }
    if (b->state == BOOKING_DELIVERED && old.state != BOOKING_DELIVERED)
        check_delivered(o, b, root);
    check_goods(o, &old, b, root);
    sim_trace(o->sim, "booking", -1, change->id,
              str_from(b->state != BOOKING_NONE ? booking_state_names[b->state] : "?"), b->version,
              b->offer_count);
    SIM_EXPECT(o->sim, (legal[old.state] & (1u << b->state)) != 0, "only legal moves",
               "%s went from %s to %s", b->id,
               old.state != BOOKING_NONE ? booking_state_names[old.state] : "nothing",
               b->state != BOOKING_NONE ? booking_state_names[b->state] : "nothing");
    if (old.state == BOOKING_NONE)
        oracle_promo_taken(o, b);
    check_events(o, b, change);
    check_price(o, &old, b);
    check_window(o, &old, b, change);
    check_drivers(o, &old, b, change);
    note_driver(o, b);
    b->losses += old.driver_id[0] != 0 && strcmp(old.driver_id, b->driver_id) != 0;
    if (active(b->state) && strcmp(old.driver_id, b->driver_id) != 0)
        check_assigned(o, &old, b, change);
    if (b->state == BOOKING_CANCELLED && old.state != BOOKING_CANCELLED)
        check_cancelled(o, &old, change);
    if (b->state >= BOOKING_DELIVERED && old.state < BOOKING_DELIVERED)
        count_end(o, b);
}
