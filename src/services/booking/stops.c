/* What may be wanted of a booking's stops, and what it costs then: stops.h. Pure. */
#include "services/booking/stops.h"

#include "base/check.h"
#include "services/booking/price.h"

#include <stddef.h>

/* ---- bodies ---- */

#define AT(type, member) .offset = offsetof(struct type, member)
#define COUNT_AT(type, member) .count_offset = offsetof(struct type, member)
static const struct schema_field wish_fields[] = {
    {"index", S_I64, S_IN, AT(stop_wish, index), .min = 0, .max = STOPS_MAX - 1},
    {"lat", S_DEG7, S_IN, AT(stop_wish, lat_e7), .min = -90, .max = 90},
    {"lng", S_DEG7, S_IN, AT(stop_wish, lng_e7), .min = -180, .max = 180},
    {"address", S_LINE, S_IN, AT(stop_wish, address), .min = 1, .max = ADDRESS_CHARS_MAX},
    {"contact", S_OBJECT_PTR, S_IN, AT(stop_wish, more.contact), .sub = &contact_body_schema},
    {"note", S_STR, S_IN, AT(stop_wish, more.note), .min = 0, .max = STOP_NOTE_CHARS_MAX},
    {"proof", S_STR_LIST, S_IN, AT(stop_wish, more.proof), COUNT_AT(stop_wish, more.proof_count),
     .min = 1, .max = PROOF_KIND_COUNT - 1},
    {"collect", S_OBJECT_PTR, S_IN, AT(stop_wish, more.collect), .sub = &collect_body_schema},
};
static const struct schema wish_schema = STRICT_SCHEMA(struct stop_wish, "StopWish", wish_fields);

#define STOPS                                                                                      \
    {                                                                                              \
        "stops", S_LIST, S_IN | S_REQUIRED, AT(stops_body, stops),                                 \
            COUNT_AT(stops_body, stop_count), .min = STOPS_MIN, .max = STOPS_MAX,                  \
                                              .sub = &wish_schema                                  \
    }
#define REVISION                                                                                   \
    {                                                                                              \
        "stops_revision", S_I64, S_IN | S_REQUIRED, AT(stops_body, revision),                      \
            .min = 0, .max = STOPS_CHANGES_MAX                                                     \
    }
static const struct schema_field body_fields[] = {
    STOPS,
    REVISION,
    {"total", S_I64, S_IN, AT(stops_body, total), .min = 0, .max = INT64_MAX},
    {"version", S_I64, S_IN, AT(stops_body, version), .min = 1, .max = INT64_MAX},
    {"reason", S_STR, S_IN, AT(stops_body, reason), .min = 1, .max = REASON_CHARS_MAX},
};
const struct schema stops_body_schema =
    STRICT_SCHEMA(struct stops_body, "StopsRequest", body_fields);
static const struct schema_field preview_fields[] = {STOPS, REVISION};
const struct schema stops_preview_schema =
    STRICT_SCHEMA(struct stops_body, "StopsPreviewRequest", preview_fields);

/* ---- what is wanted ---- */

int32_t stops_fixed(const struct booking *b) {
    int32_t n = 1; /* the pickup */
    while (n < b->stop_count && b->stops[n].state != STOP_PENDING)
        n++;
    return n;
}

static struct str pointer(struct arena *a, int32_t i, const char *member) {
    return arena_printf(a, "/stops/%d%s", i, member);
}

static struct point wished_point(const struct booking *b, const struct stop_wish *w) {
    return w->index == I64_ABSENT ? (struct point){w->lat_e7, w->lng_e7}
                                  : place_point(&b->stops[w->index].place);
}

static bool all_one_place(const struct booking *b, const struct stops_body *body) {
    for (int32_t i = 1; i < body->stop_count; i++) {
        struct point at = wished_point(b, &body->stops[i]);
        if (at.lat_e7 != b->stops[0].place.lat_e7 || at.lng_e7 != b->stops[0].place.lng_e7)
            return false;
    }
    return true;
}

/* What is wrong with one stop of the list. */
static void check_wish(const struct booking *b, const struct stop_wish *w, int32_t i,
                       struct arena *a, struct field_errors *errors) {
    const struct collect_body *collect = w->more.collect;
    if (w->index >= b->stop_count)
        field_errors_add(errors, a, pointer(a, i, "/index"), "there is no such stop");
    if (collect != NULL && collect->currency.p != NULL &&
        !str_eq(collect->currency, b->price.currency))
        field_errors_add(errors, a, pointer(a, i, "/collect/currency"), "must be %.*s",
                         STR_ARG(b->price.currency));
}

void stops_check(const struct booking *b, const struct stops_body *body, struct arena *a,
                 struct field_errors *errors) {
    int32_t fixed = stops_fixed(b);
    bool stands = booking_is_at_stop(b->state);
    for (int32_t i = 0; i < body->stop_count; i++)
        check_wish(b, &body->stops[i], i, a, errors);
    for (int32_t i = 0; i < fixed; i++) {
        const char *is = i == 0 ? "the pickup" : stop_state_names[b->stops[i].state];
        if (i < body->stop_count && body->stops[i].index != i)
            field_errors_add(errors, a, pointer(a, i, ""), "must be stop %d, which is %s", i, is);
    }
    if (body->stop_count < fixed || (body->stop_count == fixed && !stands))
        field_errors_add(errors, a, STR("/stops"),
                         "must have stops 0 to %d, which stay, and one to go to after them",
                         fixed - 1);
    if (errors->count == 0 && all_one_place(b, body))
        field_errors_add(errors, a, STR("/stops"), "are all at the same place");
}

bool stops_same(const struct booking *b, const struct stops_body *body) {
    bool same = body->stop_count == b->stop_count;
    for (int32_t i = 0; i < body->stop_count; i++)
        same = same && body->stops[i].index == i;
    return same;
}

void stops_places(const struct booking *b, const struct stops_body *body, struct place *ret) {
    for (int32_t i = 0; i < body->stop_count; i++) {
        const struct stop_wish *w = &body->stops[i];
        CHECK(w->index < b->stop_count);
        ret[i] = w->index == I64_ABSENT ? (struct place){w->lat_e7, w->lng_e7, w->address}
                                        : b->stops[w->index].place;
    }
}

/* ---- what it costs ---- */

/* The first item of P whose code is FROM to TO, or NULL. */
static const struct price_item *item_of(const struct price *p, int32_t from, int32_t to) {
    for (int32_t i = 0; i < p->item_count; i++) {
        if (p->items[i].code >= from && p->items[i].code <= to)
            return &p->items[i];
    }
    return NULL;
}

/* What P has of CODE beside the fare. */
static void keep_item(const struct price *from, int32_t code, struct arena *a, struct price *to) {
    const struct price_item *item = item_of(from, code, code);
    if (item != NULL)
        price_add(to, code, item->quantity, item->amount, a, to);
}

void stops_price(const struct booking *b, const struct tariff *rate, int64_t distance_m,
                 int64_t duration_s, int32_t stop_count, struct arena *a, struct price *ret) {
    const struct price *old = &b->price;
    const struct price_item *time = item_of(old, ITEM_NIGHT, ITEM_HOLIDAY);
    const struct price_item *surge = item_of(old, ITEM_SURGE, ITEM_SURGE);
    struct tax taxes[TAXES_MAX];
    CHECK(old->tax_count <= TAXES_MAX);
    for (int32_t i = 0; i < old->tax_count; i++)
        taxes[i] = (struct tax){old->taxes[i].name, old->taxes[i].rate_bp};
    const struct pricing in = {.rate = rate,
                               .distance_m = distance_m,
                               .duration_s = duration_s,
                               .stop_count = stop_count,
                               .time_code = time != NULL ? time->code : ITEM_NONE,
                               .time_percent = time != NULL ? time->quantity : 0,
                               .surge_percent = surge != NULL ? surge->quantity : 0,
                               .taxes = taxes,
                               .tax_count = old->tax_count,
                               .taxes_included = old->taxes_included};
    struct price p = {.currency = old->currency};
    price_compute(&in, a, &p);
    /* What was promised holds for the other way, too, if that is not too cheap for it. */
    if (b->promo != NULL && (b->promo->minimum == I64_ABSENT || p.total >= b->promo->minimum))
        price_promo(&p, b->promo, a, &p);
    keep_item(old, ITEM_WAITING, a, &p);
    *ret = p;
}

const struct price *stops_agreed(const struct booking *b, unsigned hats, const struct price *p) {
    bool on_board = b->stops[0].state == STOP_DONE;
    bool by_customer = (hats & HAT_CUSTOMER) != 0;
    return on_board && by_customer && price_gross(p) < price_gross(&b->price) ? &b->price : p;
}
