/* The schemas of what is kept, its indexes and its wake-ups. */
#include "services/booking/types.h"

#include <stddef.h>

const char *const payment_names[] = {NULL, "cash", "card", "invoice", NULL};
const char *const stop_state_names[] = {NULL, "pending", "arrived", "done", "failed", NULL};
const char *const item_code_names[] = {NULL,      "base",   "distance", "time",    "stops",
                                       "minimum", "night",  "weekend",  "holiday", "surge",
                                       "waiting", "return", "promo",    "tax",     NULL};
const char *const item_unit_names[] = {
    [ITEM_DISTANCE] = "m", [ITEM_TIME] = "s",    [ITEM_STOPS] = "stop",   [ITEM_NIGHT] = "%",
    [ITEM_WEEKEND] = "%",  [ITEM_HOLIDAY] = "%", [ITEM_SURGE] = "%",      [ITEM_WAITING] = "min",
    [ITEM_RETURN] = "m",   [ITEM_PROMO] = "%",   [ITEM_CODE_COUNT] = NULL};
const char *const ledger_account_names[] = {NULL,  "customer", "driver", "house",
                                            "tax", "promo",    NULL};
const char *const ledger_code_names[] = {NULL,       "charge", "earning", "commission", "tax",
                                         "discount", "cash",   "fee",     "collected",  NULL};
const char *const proof_kind_names[] = {"none", "pin", "photo", "signature", "name", NULL};
const char *const close_reason_names[] = {
    NULL,         "declined",   "timed_out", "withdrawn", "accepted_elsewhere",
    "unassigned", "reassigned", "released",  "changed",   NULL};
const char *const entry_type_names[] = {
    NULL,
    EV_BOOKING_REQUESTED,
    EV_BOOKING_OFFERED,
    EV_BOOKING_OFFER_CLOSED,
    EV_BOOKING_ASSIGN_WANTED,
    EV_BOOKING_ASSIGNED,
    EV_BOOKING_PROGRESSED,
    EV_BOOKING_DELIVERED,
    EV_BOOKING_CANCELLED,
    EV_BOOKING_EXPIRED,
    EV_BOOKING_FAILED,
    EV_BOOKING_RATED,
    EV_BOOKING_SCHEDULED,
    EV_BOOKING_RESCHEDULED,
    EV_BOOKING_REMINDED,
    EV_BOOKING_UNASSIGNED,
    EV_BOOKING_PROOF,
    EV_BOOKING_PIN_REFUSED,
    EV_BOOKING_REACHED,
    EV_BOOKING_LEFT,
    EV_BOOKING_STOP_FAILED,
    EV_BOOKING_RETURNED,
    EV_BOOKING_COLLECTED,
    EV_BOOKING_STOPS_CHANGED,
    EV_BOOKING_NOTE_CHANGED,
    EV_BOOKING_DRIVER_FREE,
    NULL,
};

const char *entry_actor(const struct timeline_entry *t) {
    if (t->actor_kind != ROLE_NONE)
        return role_names[t->actor_kind];
    return t->type == ENTRY_RATED ? "link" : "system"; /* the system rates nobody */
}

#define AT(type, member) .flags = S_STORE, .offset = offsetof(struct type, member)
#define COUNT_AT(type, member) .count_offset = offsetof(struct type, member)
#define HEAD_FIELDS(prefix)                                                                        \
    {"id", S_ID, S_OUT, offsetof(struct aggregate_head, id), .hint = (prefix)}, {                  \
        "version", S_I64, S_OUT, offsetof(struct aggregate_head, version)                          \
    }

static const struct schema_field place_fields[] = {
    {"lat", S_DEG7, AT(place, lat_e7), .min = -90, .max = 90},
    {"lng", S_DEG7, AT(place, lng_e7), .min = -180, .max = 180},
    {"address", S_STR, AT(place, address)},
};
static const struct schema place_schema = SCHEMA(struct place, "Place", place_fields);

static const struct schema_field item_fields[] = {
    {"code", S_ENUM, AT(price_item, code), .names = item_code_names},
    {"quantity", S_I64, AT(price_item, quantity)},
    {"amount", S_I64, AT(price_item, amount)},
};
static const struct schema item_schema = SCHEMA(struct price_item, "PriceItem", item_fields);

static const struct schema_field tax_fields[] = {
    {"name", S_STR, AT(price_tax, name)},
    {"rate_bp", S_I64, AT(price_tax, rate_bp)},
    {"amount", S_I64, AT(price_tax, amount)},
};
static const struct schema tax_schema = SCHEMA(struct price_tax, "StoredPriceTax", tax_fields);

static const struct schema_field price_fields[] = {
    {"currency", S_STR, AT(price, currency)},
    {"total", S_I64, AT(price, total)},
    {"items", S_LIST, AT(price, items), COUNT_AT(price, item_count), .sub = &item_schema,
     .max = PRICE_ITEMS_MAX},
    {"taxes", S_LIST, AT(price, taxes), COUNT_AT(price, tax_count), .sub = &tax_schema,
     .max = TAXES_MAX},
    {"taxes_included", S_BOOL, AT(price, taxes_included)},
};
static const struct schema price_schema = SCHEMA(struct price, "Price", price_fields);

static const struct schema_field terms_fields[] = {
    {"tariff_version", S_I64, AT(terms, tariff_version)},
    {"zone", S_STR, AT(terms, zone)},
    {"commission_bp", S_I64, AT(terms, commission_bp)},
    {"waiting_free_minutes", S_I64, AT(terms, waiting_free_minutes)},
    {"waiting_per_minute", S_I64, AT(terms, waiting_per_minute)},
    {"cancel_free_minutes", S_I64, AT(terms, cancel_free_minutes)},
    {"cancel_assigned_percent", S_I64, AT(terms, cancel_assigned_percent)},
    {"cancel_arrived_percent", S_I64, AT(terms, cancel_arrived_percent)},
    {"cancel_late_minutes", S_I64, AT(terms, cancel_late_minutes)},
    {"cancel_late_percent", S_I64, AT(terms, cancel_late_percent)},
    {"return_percent", S_I64, AT(terms, return_percent)},
    {"return_per_km", S_I64, AT(terms, return_per_km)},
    {"return_per_minute", S_I64, AT(terms, return_per_minute)},
};
static const struct schema terms_schema = SCHEMA(struct terms, "StoredTerms", terms_fields);

static const struct schema_field window_fields[] = {
    {"from", S_TIME, AT(window, from_us)},
    {"to", S_TIME, AT(window, to_us)},
};
static const struct schema window_schema =
    SCHEMA(struct window, "StoredPickupWindow", window_fields);

static const struct schema_field discount_fields[] = {
    {"code", S_STR, AT(discount, code)},       {"percent", S_I64, AT(discount, percent)},
    {"amount", S_I64, AT(discount, amount)},   {"cap", S_I64, AT(discount, cap)},
    {"minimum", S_I64, AT(discount, minimum)},
};
static const struct schema discount_schema =
    SCHEMA(struct discount, "StoredDiscount", discount_fields);

static const struct schema_field capacity_fields[] = {
    {"kg", S_I64, AT(capacity, kg)},
    {"l", S_I64, AT(capacity, l)},
};
static const struct schema capacity_schema =
    SCHEMA(struct capacity, "StoredCapacity", capacity_fields);

static const struct schema_field quote_fields[] = {
    {"vehicle", S_ENUM, AT(quote, vehicle), .names = vehicle_names},
    {"estimate", S_BOOL, AT(quote, estimate)},
    {"distance_m", S_I64, AT(quote, distance_m)},
    {"duration_s", S_I64, AT(quote, duration_s)},
    {"pickup_eta_s", S_I64, AT(quote, pickup_eta_s)},
    {"price", S_OBJECT, AT(quote, price), .sub = &price_schema},
    {"terms", S_OBJECT, AT(quote, terms), .sub = &terms_schema},
    {"capacity", S_OBJECT, AT(quote, capacity), .sub = &capacity_schema},
};
static const struct schema quote_schema = SCHEMA(struct quote, "StoredQuote", quote_fields);

static const struct schema_field contact_fields[] = {
    {"name", S_STR, AT(contact, name)},
    {"phone", S_STR, AT(contact, phone)},
};
static const struct schema contact_schema = SCHEMA(struct contact, "StoredContact", contact_fields);

static const struct schema_field contact_of_fields[] = {
    {"contact", S_OBJECT_PTR, AT(contact_of, contact), .sub = &contact_schema},
    {"note", S_STR, AT(contact_of, note)},
};
static const struct schema contact_of_schema =
    SCHEMA(struct contact_of, "StoredContactOf", contact_of_fields);

static const struct schema_field quote_set_fields[] = {
    HEAD_FIELDS("qte"),
    {"customer_id", S_ID, AT(quote_set, customer_id), .hint = "usr"},
    {"created_at", S_TIME, AT(quote_set, created_at_us)},
    {"expires_at", S_TIME, AT(quote_set, expires_at_us)},
    {"stops", S_LIST, AT(quote_set, stops), COUNT_AT(quote_set, stop_count), .sub = &place_schema,
     .max = STOPS_MAX},
    {"quotes", S_LIST, AT(quote_set, quotes), COUNT_AT(quote_set, quote_count),
     .sub = &quote_schema, .max = VEHICLE_COUNT},
    {"pickup_window", S_OBJECT_PTR, AT(quote_set, pickup_window), .sub = &window_schema},
    {"promo", S_OBJECT_PTR, AT(quote_set, promo), .sub = &discount_schema},
    {"again_of", S_ID, AT(quote_set, again_of), .hint = "bkg"},
    {"contacts", S_LIST, AT(quote_set, contacts), COUNT_AT(quote_set, contact_count),
     .sub = &contact_of_schema, .max = STOPS_MAX},
    {"notes", S_STR, AT(quote_set, notes)},
    {"payment", S_ENUM, AT(quote_set, payment), .names = payment_names},
    {"goods", S_LIST, AT(quote_set, goods), COUNT_AT(quote_set, goods_count), .sub = &goods_schema,
     .max = GOODS_MAX},
    {"made_by", S_ID, AT(quote_set, made_by)},
    {"role", S_ENUM, AT(quote_set, role), .names = role_names},
};
const struct schema quote_set_schema = SCHEMA(struct quote_set, "StoredQuoteSet", quote_set_fields);

static const struct schema_field proof_file_fields[] = {
    {"id", S_ID, AT(proof_file, id), .hint = "fil"},
    {"sha256", S_STR, AT(proof_file, sha256)},
};
static const struct schema proof_file_schema =
    SCHEMA(struct proof_file, "StoredProofFile", proof_file_fields);

static const struct schema_field proof_fields[] = {
    {"required", S_I64, AT(stop_proof, required)},
    {"given", S_I64, AT(stop_proof, given)},
    {"pin", S_STR, AT(stop_proof, pin)},
    {"secret", S_STR, AT(stop_proof, secret)},
    {"tries", S_I64, AT(stop_proof, tries)},
    {"pause_until", S_TIME, AT(stop_proof, pause_until_us)},
    {"changes", S_I64, AT(stop_proof, changes)},
    {"name", S_STR, AT(stop_proof, name)},
    {"photo", S_OBJECT, AT(stop_proof, photo), .sub = &proof_file_schema},
    {"signature", S_OBJECT, AT(stop_proof, signature), .sub = &proof_file_schema},
    {"at", S_TIME, AT(stop_proof, at_us)},
};
static const struct schema proof_schema = SCHEMA(struct stop_proof, "StoredProof", proof_fields);

static const struct schema_field cash_fields[] = {
    {"asked", S_I64, AT(stop_cash, asked)},       {"collected", S_I64, AT(stop_cash, collected)},
    {"fare", S_I64, AT(stop_cash, fare)},         {"changes", S_I64, AT(stop_cash, changes)},
    {"at", S_TIME, AT(stop_cash, at_us)},         {"reason", S_STR, AT(stop_cash, reason)},
    {"fare_due", S_I64, AT(stop_cash, fare_due)},
};
static const struct schema cash_schema = SCHEMA(struct stop_cash, "StoredStopCash", cash_fields);

static const struct schema_field stop_fields[] = {
    {"place", S_OBJECT, AT(booking_stop, place), .sub = &place_schema},
    {"contact", S_OBJECT_PTR, AT(booking_stop, contact), .sub = &contact_schema},
    {"note", S_STR, AT(booking_stop, note)},
    {"state", S_ENUM, AT(booking_stop, state), .names = stop_state_names},
    {"back", S_BOOL, AT(booking_stop, back)},
    {"reason", S_STR, AT(booking_stop, reason)},
    {"proof", S_OBJECT_PTR, AT(booking_stop, proof), .sub = &proof_schema},
    {"cash", S_OBJECT_PTR, AT(booking_stop, cash), .sub = &cash_schema},
    {"reached_at", S_TIME, AT(booking_stop, reached_at_us)},
    {"left_at", S_TIME, AT(booking_stop, left_at_us)},
    {"since", S_I64, AT(booking_stop, since)},
};
static const struct schema stop_schema = SCHEMA(struct booking_stop, "StoredStop", stop_fields);

static const struct schema_field driver_fields[] = {
    {"id", S_ID, AT(booking_driver, id), .hint = "drv"},
    {"user_id", S_ID, AT(booking_driver, user_id), .hint = "usr"},
    {"name", S_STR, AT(booking_driver, name)},
    {"phone", S_STR, AT(booking_driver, phone)},
    {"plate", S_STR, AT(booking_driver, plate)},
    {"rating", S_F64, AT(booking_driver, rating)},
    {"offer_id", S_ID, AT(booking_driver, offer_id), .hint = "ofr"},
    {"free_at", S_TIME, AT(booking_driver, free_at_us)},
};
static const struct schema driver_schema =
    SCHEMA(struct booking_driver, "StoredBookingDriver", driver_fields);

static const struct schema_field offer_fields[] = {
    {"id", S_ID, AT(booking_offer, id), .hint = "ofr"},
    {"driver", S_OBJECT, AT(booking_offer, driver), .sub = &driver_schema},
    {"expires_at", S_TIME, AT(booking_offer, expires_at_us)},
    {"pickup_distance_m", S_I64, AT(booking_offer, pickup_distance_m)},
    {"pickup_eta_s", S_I64, AT(booking_offer, pickup_eta_s)},
    {"wanted", S_BOOL, AT(booking_offer, wanted)},
    {"reason", S_STR, AT(booking_offer, reason)},
    {"by_id", S_STR, AT(booking_offer, by_id)},
    {"by_key", S_STR, AT(booking_offer, by_key)},
    {"by_role", S_ENUM, AT(booking_offer, by_role), .names = role_names},
};
static const struct schema offer_schema = SCHEMA(struct booking_offer, "StoredOffer", offer_fields);

static const struct schema_field closed_fields[] = {
    {"id", S_ID, AT(closed_offer, id), .hint = "ofr"},
    {"driver_id", S_ID, AT(closed_offer, driver_id), .hint = "drv"},
    {"reason", S_ENUM, AT(closed_offer, reason), .names = close_reason_names},
};
static const struct schema closed_schema =
    SCHEMA(struct closed_offer, "StoredClosedOffer", closed_fields);

static const struct schema_field entry_fields[] = {
    {"at", S_TIME, AT(timeline_entry, at_us)},
    {"type", S_ENUM, AT(timeline_entry, type), .names = entry_type_names},
    {"state", S_ENUM, AT(timeline_entry, state), .names = booking_state_names},
    {"actor_kind", S_ENUM, AT(timeline_entry, actor_kind), .names = role_names},
    {"actor_id", S_STR, AT(timeline_entry, actor_id)},
    {"stop", S_I64, AT(timeline_entry, stop)},
    {"stars", S_I64, AT(timeline_entry, stars)},
    {"amount", S_I64, AT(timeline_entry, amount)},
    {"reason", S_STR, AT(timeline_entry, reason)},
    {"driver_id", S_STR, AT(timeline_entry, driver_id)},
    {"offer_id", S_STR, AT(timeline_entry, offer_id)},
    {"proof", S_RAW, AT(timeline_entry, proof)},
    {"from", S_RAW, AT(timeline_entry, from)},
    {"salt", S_STR, AT(timeline_entry, salt)},
    {"seal", S_STR, AT(timeline_entry, seal)},
    {"chain", S_STR, AT(timeline_entry, chain)},
};
static const struct schema entry_schema =
    SCHEMA(struct timeline_entry, "StoredTimelineEntry", entry_fields);

static const struct schema_field ledger_fields[] = {
    {"at", S_TIME, AT(ledger_line, at_us)},
    {"account", S_ENUM, AT(ledger_line, account), .names = ledger_account_names},
    {"code", S_ENUM, AT(ledger_line, code), .names = ledger_code_names},
    {"amount", S_I64, AT(ledger_line, amount)},
};
static const struct schema ledger_schema =
    SCHEMA(struct ledger_line, "StoredLedgerLine", ledger_fields);

static const struct schema_field rating_fields[] = {
    {"stars", S_I64, AT(rating, stars)},
    {"comment", S_STR, AT(rating, comment)},
};
static const struct schema rating_schema = SCHEMA(struct rating, "StoredRating", rating_fields);

static const struct schema_field booking_fields[] = {
    HEAD_FIELDS("bkg"),
    {"code", S_STR, AT(booking, code)},
    {"customer_id", S_ID, AT(booking, customer_id), .hint = "usr"},
    {"state", S_ENUM, AT(booking, state), .names = booking_state_names},
    {"vehicle", S_ENUM, AT(booking, vehicle), .names = vehicle_names},
    {"payment", S_ENUM, AT(booking, payment), .names = payment_names},
    {"estimate", S_BOOL, AT(booking, estimate)},
    {"stops", S_LIST, AT(booking, stops), COUNT_AT(booking, stop_count), .sub = &stop_schema,
     .max = TRIP_STOPS_MAX},
    {"goods", S_LIST, AT(booking, goods), COUNT_AT(booking, goods_count), .sub = &goods_schema,
     .max = GOODS_MAX},
    {"price", S_OBJECT, AT(booking, price), .sub = &price_schema},
    {"distance_m", S_I64, AT(booking, distance_m)},
    {"duration_s", S_I64, AT(booking, duration_s)},
    {"earning", S_I64, AT(booking, earning)},
    {"promo", S_OBJECT_PTR, AT(booking, promo), .sub = &discount_schema},
    {"terms", S_OBJECT, AT(booking, terms), .sub = &terms_schema},
    {"notes", S_STR, AT(booking, notes), .max = NOTES_CHARS_MAX},
    {"driver", S_OBJECT_PTR, AT(booking, driver), .sub = &driver_schema},
    {"offers", S_LIST, AT(booking, offers), COUNT_AT(booking, offer_count), .sub = &offer_schema,
     .max = OFFERS_MAX},
    {"closed", S_LIST, AT(booking, closed), COUNT_AT(booking, closed_count), .sub = &closed_schema,
     .max = CLOSED_MAX},
    {"timeline", S_LIST, AT(booking, timeline), COUNT_AT(booking, timeline_count),
     .sub = &entry_schema, .max = TIMELINE_MAX},
    {"ledger", S_LIST, AT(booking, ledger), COUNT_AT(booking, ledger_count), .sub = &ledger_schema,
     .max = LEDGER_MAX},
    {"cancel_fee", S_I64, AT(booking, cancel_fee)},
    {"rating", S_OBJECT_PTR, AT(booking, rating), .sub = &rating_schema},
    {"reason", S_STR, AT(booking, reason)},
    {"secret", S_STR, AT(booking, secret)},
    {"created_at", S_TIME, AT(booking, created_at_us)},
    {"updated_at", S_TIME, AT(booking, updated_at_us)},
    {"search_until", S_TIME, AT(booking, search_until_us)},
    {"ended_at", S_TIME, AT(booking, ended_at_us)},
    {"pickup_window", S_OBJECT_PTR, AT(booking, pickup_window), .sub = &window_schema},
    {"dispatch_at", S_TIME, AT(booking, dispatch_at_us)},
    {"favourites", S_STR_LIST, AT(booking, favourites), COUNT_AT(booking, favourite_count),
     .max = FAVOURITES_MAX},
    {"remind_at", S_TIME, AT(booking, remind_at_us)},
    {"pickup_due", S_TIME, AT(booking, pickup_due_us)},
    {"held", S_BOOL, AT(booking, held)},
    {"made_by", S_ID, AT(booking, made_by)},
    {"stops_revision", S_I64, AT(booking, stops_revision)},
    {"fee_total", S_I64, AT(booking, fee_total)},
    {"fee_moved", S_I64, AT(booking, fee_moved)},
};
const struct schema booking_schema = SCHEMA(struct booking, "StoredBooking", booking_fields);

/* ---- collections ---- */

const struct store_collection quote_collection = {.name = "quotes"};
const struct store_collection booking_collection = {
    .name = "bookings",
    .indexes = {"customer_id", "driver_id", "phase"},
    .timers = true,
};

struct str booking_open_key(struct arena *a, struct str own_id) {
    return arena_printf(a, "%.*s/" PHASE_OPEN, STR_ARG(own_id));
}

static void booking_keys(const void *state, struct arena *a, struct str ret_keys[STORE_KEYS_MAX]) {
    const struct booking *b = state;
    bool final = booking_is_final(b->state);
    ret_keys[0] = final ? b->customer_id : booking_open_key(a, b->customer_id);
    ret_keys[1] = b->driver == NULL ? STR_NONE
                  : final           ? b->driver->id
                                    : booking_open_key(a, b->driver->id);
    ret_keys[2] = str_from(final ? booking_state_names[b->state] : PHASE_OPEN);
}

/* While nobody has it: the beginning of the search, its end, or that of the first offer that runs
 * out; and that of a dispatcher's wish to give it to another. */
static int64_t booking_wake_at(const void *state) {
    const struct booking *b = state;
    if (b->state == BOOKING_SCHEDULED) {
        bool remind = b->remind_at_us != 0 && b->remind_at_us < b->dispatch_at_us;
        return remind ? b->remind_at_us : b->dispatch_at_us;
    }
    if (!booking_is_searching(b->state) && b->offer_count == 0)
        return 0;
    int64_t at_us = booking_is_searching(b->state) ? b->search_until_us : INT64_MAX;
    for (int32_t i = 0; i < b->offer_count; i++) {
        if (b->offers[i].expires_at_us < at_us)
            at_us = b->offers[i].expires_at_us;
    }
    return at_us;
}

const struct aggregate quote_aggregate = {&quote_collection, &quote_set_schema, NULL, NULL};
const struct aggregate booking_aggregate = {&booking_collection, &booking_schema, booking_keys,
                                            booking_wake_at};

int32_t booking_next_stop(const struct booking *b) {
    int32_t i = 0;
    while (i < b->stop_count && b->stops[i].state >= STOP_DONE)
        i++;
    return i;
}

int32_t booking_trip_stops(const struct booking *b) {
    int32_t i = b->stop_count;
    while (i > 0 && b->stops[i - 1].back)
        i--;
    return i;
}

bool booking_owes_return(const struct booking *b) {
    bool owed = false;
    for (int32_t i = 1; i < b->stop_count; i++)
        owed |= b->stops[i].state == STOP_FAILED;
    return owed && booking_returns(b);
}

int64_t booking_proof_missing(const struct booking *b, int32_t i) {
    const struct stop_proof *p = b->stops[i].proof;
    return p != NULL ? p->required & ~p->given : 0;
}

int32_t booking_suggested(const struct booking *b) {
    int32_t next = booking_next_stop(b);
    if (next == b->stop_count || booking_waits(b))
        return BOOKING_NONE;
    const struct booking_stop *s = &b->stops[next];
    bool reached = s->reached_at_us != 0, left = s->left_at_us != 0;
    switch (b->state) {
    case BOOKING_ASSIGNED:
        return reached && !left ? BOOKING_ARRIVED_PICKUP : BOOKING_NONE;
    case BOOKING_ARRIVED_PICKUP:
        return left && booking_proof_missing(b, next) == 0 ? BOOKING_PICKED_UP : BOOKING_NONE;
    case BOOKING_PICKED_UP:
        return reached && !left ? BOOKING_ARRIVED_DROPOFF : BOOKING_NONE;
    case BOOKING_ARRIVED_DROPOFF:
        return left && booking_proof_missing(b, next) == 0 ? BOOKING_DELIVERED : BOOKING_NONE;
    case BOOKING_RETURNING:
        return reached && !left ? BOOKING_ARRIVED_RETURN : BOOKING_NONE;
    case BOOKING_ARRIVED_RETURN:
        return left && booking_proof_missing(b, next) == 0 ? BOOKING_RETURNED : BOOKING_NONE;
    default:
        return BOOKING_NONE;
    }
}

int32_t booking_offer_index(const struct booking *b, struct str id) {
    for (int32_t i = 0; i < b->offer_count; i++) {
        if (str_eq(b->offers[i].id, id))
            return i;
    }
    return -1;
}

const struct closed_offer *booking_closed(const struct booking *b, struct str id) {
    for (int32_t i = 0; i < b->closed_count; i++) {
        if (str_eq(b->closed[i].id, id))
            return &b->closed[i];
    }
    return NULL;
}
