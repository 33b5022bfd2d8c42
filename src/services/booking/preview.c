/* POST /v1/tariffs/preview: what the bookings of a stretch of time would have cost by a tariff that
 * is only thought of. Bookings are read from the store, newest first, and reckoned again: their
 * way, their stops and the time at which they were made are kept in them. So are a promo's
 * discount, the percentage of a surge and what waiting and a way back cost, which the tariff at
 * hand is not asked about.
 */
#include "base/check.h"
#include "services/booking/internal.h"

struct class_sum {
    int64_t bookings, not_offered, old_total, new_total;
};
struct preview {
    struct tariff_version version;
    struct class_sum classes[VEHICLE_COUNT];
};

/* What came to an agreed price on the way. */
static const int32_t on_the_way[] = {ITEM_WAITING, ITEM_RETURN};

static const struct price_item *item_of(const struct price *p, int32_t code) {
    for (int32_t i = 0; i < p->item_count; i++) {
        if (p->items[i].code == code)
            return &p->items[i];
    }
    return NULL;
}

/* B's price by the tariff of P. False: it would not have been on offer. */
static bool price_again(const struct preview *p, const struct booking *b, struct arena *a,
                        int64_t *ret_total) {
    const struct tariffs *t = p->version.t;
    const struct price_item *surge = item_of(&b->price, ITEM_SURGE);
    struct price price = {.currency = t->currency};
    struct str zone;
    struct pricing in = {
        .rate = tariffs_rate(t, (enum vehicle)b->vehicle, place_point(&b->stops[0].place), &zone),
        .distance_m = b->distance_m,
        .duration_s = b->duration_s,
        .stop_count = booking_trip_stops(b),
        .surge_percent = surge != NULL ? surge->quantity : 0,
        .promo_amount = price_discount(&b->price),
        .taxes = t->taxes,
        .tax_count = t->tax_count,
        .taxes_included = t->taxes_included};
    if (in.rate == NULL)
        return false;
    in.time_code = tariffs_time(t, &p->version.zone, b->created_at_us, &in.time_percent);
    price_compute(&in, a, &price);
    for (size_t i = 0; i < COUNT_OF(on_the_way); i++) {
        const struct price_item *more = item_of(&b->price, on_the_way[i]);
        if (more != NULL)
            price_add(&price, more->code, more->quantity, more->amount, a, &price);
    }
    *ret_total = price.total;
    return true;
}

static void count_booking(const struct booking *b, struct arena *a, void *arg) {
    struct preview *p = arg;
    struct class_sum *sum = &p->classes[b->vehicle];
    int64_t total;
    if (!price_again(p, b, a, &total)) {
        sum->not_offered++;
        return;
    }
    sum->bookings++;
    sum->old_total += b->price.total;
    sum->new_total += total;
}

static void write_sum(struct jw *w, int64_t old_total, int64_t new_total) {
    jw_kv_i64(w, "old", old_total);
    jw_kv_i64(w, "new", new_total);
}

static struct str preview_json(const struct preview *p, const struct recent *r, struct arena *a) {
    struct buf out;
    struct jw w;
    int64_t old_total = 0, new_total = 0;
    buf_init(&out, a, 1024);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "currency", p->version.t->currency);
    recent_write(&w, r);
    jw_key(&w, "classes");
    jw_array(&w);
    for (int32_t v = VEHICLE_NONE + 1; v < VEHICLE_COUNT; v++) {
        const struct class_sum *sum = &p->classes[v];
        if (sum->bookings + sum->not_offered == 0)
            continue;
        jw_object(&w);
        jw_key(&w, "vehicle");
        jw_cstr(&w, vehicle_names[v]);
        jw_kv_i64(&w, "bookings", sum->bookings);
        jw_kv_i64(&w, "not_offered", sum->not_offered);
        write_sum(&w, sum->old_total, sum->new_total);
        jw_end(&w);
        old_total += sum->old_total;
        new_total += sum->new_total;
    }
    jw_end(&w);
    write_sum(&w, old_total, new_total);
    jw_end(&w);
    return buf_str(&out);
}

static bool same_currency(struct call *c, const struct tariffs *t) {
    struct booking_service *s = c->service;
    if (str_eq(t->currency, s->o.tariffs->currency))
        return true;
    struct field_errors errors = {0};
    field_errors_add(&errors, &c->arena, STR("/currency"), "this house reckons in %.*s",
                     STR_ARG(s->o.tariffs->currency));
    call_invalid(c, &errors);
    return false;
}

void handle_preview(struct call *c) {
    struct tariffs *t = c->body;
    struct recent r = {0};
    if (!recent_span(c, &r) || !same_currency(c, t))
        return;
    struct preview p = {.version = {t, zone_utc}};
    tariffs_fill(t, &c->arena);
    if (t->timezone.p != NULL) /* it has been looked for already */
        zone_load(ZONE_DIR, t->timezone, &c->arena, &p.version.zone);
    int err = recent_walk(c, &r, count_booking, &p);
    if (err < 0) {
        call_error(c, err);
        return;
    }
    call_json(c, 200, preview_json(&p, &r, &c->arena));
}
