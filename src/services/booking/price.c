/* Nothing here can overflow: an amount is at most 10^8 and a quantity 10^9, a product over a
 * thousand 10^14; with all that a tariff may add a total stays below 10^17, and price_part() never
 * multiplies a whole amount. */
#include "services/booking/price.h"

#include "base/check.h"

static int64_t divide_half_up(int64_t value, int64_t by) {
    CHECK(value >= 0 && by > 0);
    return (value + by / 2) / by;
}

int64_t price_part(int64_t value, int64_t part, int64_t whole) {
    CHECK(value >= 0 && part >= 0 && whole > 0);
    return value / whole * part + divide_half_up(value % whole * part, whole);
}

static void add_item(struct price *p, int32_t code, int64_t quantity, int64_t amount) {
    CHECK(p->item_count < PRICE_ITEMS_MAX);
    p->items[p->item_count++] = (struct price_item){code, quantity, amount};
    p->total += amount;
    CHECK(p->total >= 0);
}

/* The taxes of P's total, and what they add to it. Their names and rates are there. */
static void add_taxes(struct price *p) {
    int64_t taxable = p->total, sum = 0, rates_bp = 0;
    for (int32_t i = 0; i < p->tax_count; i++)
        rates_bp += p->taxes[i].rate_bp;
    for (int32_t i = 0; i < p->tax_count; i++) {
        struct price_tax *tax = &p->taxes[i];
        tax->amount =
            price_part(taxable, tax->rate_bp, BASIS_POINTS + (p->taxes_included ? rates_bp : 0));
        sum += tax->amount;
    }
    if (!p->taxes_included && sum > 0)
        add_item(p, ITEM_TAX, I64_ABSENT, sum);
}

static void take_taxes(struct price *p, const struct pricing *in, struct arena *a) {
    CHECK(in->tax_count <= TAXES_MAX);
    if (in->tax_count > 0) /* else there is none to be kept */
        p->taxes = arena_array(a, struct price_tax, in->tax_count);
    p->tax_count = in->tax_count;
    p->taxes_included = in->taxes_included;
    for (int32_t i = 0; i < in->tax_count; i++)
        p->taxes[i] =
            (struct price_tax){.name = in->taxes[i].name, .rate_bp = in->taxes[i].rate_bp};
}

static void add_fare(struct price *p, const struct pricing *in) {
    const struct tariff *t = in->rate;
    add_item(p, ITEM_BASE, I64_ABSENT, t->base);
    add_item(p, ITEM_DISTANCE, in->distance_m, divide_half_up(t->per_km * in->distance_m, 1000));
    add_item(p, ITEM_TIME, in->duration_s, divide_half_up(t->per_minute * in->duration_s, 60));
    int64_t extra_stops = in->stop_count - STOPS_MIN;
    if (extra_stops > 0 && t->per_stop > 0)
        add_item(p, ITEM_STOPS, extra_stops, t->per_stop * extra_stops);
    if (p->total < t->minimum)
        add_item(p, ITEM_MINIMUM, I64_ABSENT, t->minimum - p->total);
}

static void add_percent(struct price *p, int32_t code, int64_t of, int64_t percent) {
    CHECK(percent >= 0 && percent <= TARIFF_PERCENT_MAX);
    if (percent > 0)
        add_item(p, code, percent, price_part(of, percent, 100));
}

static void add_promo(struct price *p, const struct pricing *in) {
    int64_t off = in->promo_amount;
    if (in->promo_percent > 0)
        off = price_part(p->total, in->promo_percent, 100);
    off = off < p->total ? off : p->total;
    if (off > 0)
        add_item(p, ITEM_PROMO, in->promo_percent > 0 ? in->promo_percent : I64_ABSENT, -off);
}

void price_compute(const struct pricing *in, struct arena *a, struct price *ret_price) {
    CHECK(in->distance_m >= 0 && in->distance_m <= PRICE_DISTANCE_M_MAX);
    CHECK(in->duration_s >= 0 && in->duration_s <= PRICE_DURATION_S_MAX);
    CHECK(in->stop_count >= STOPS_MIN && in->stop_count <= STOPS_MAX);
    CHECK(in->promo_percent >= 0 && in->promo_percent <= 100 && in->promo_amount >= 0);
    struct price p = {.currency = ret_price->currency,
                      .items = arena_array(a, struct price_item, PRICE_ITEMS_MAX)};
    take_taxes(&p, in, a);
    add_fare(&p, in);
    int64_t fare = p.total;
    if (in->time_code != ITEM_NONE)
        add_percent(&p, in->time_code, fare, in->time_percent);
    add_percent(&p, ITEM_SURGE, fare, in->surge_percent);
    add_promo(&p, in);
    add_taxes(&p);
    *ret_price = p;
}

void price_add(const struct price *old, int32_t code, int64_t quantity, int64_t amount,
               struct arena *a, struct price *ret_price) {
    CHECK(amount >= 0);
    struct price p = {.currency = old->currency,
                      .taxes_included = old->taxes_included,
                      .tax_count = old->tax_count,
                      .items = arena_array(a, struct price_item, PRICE_ITEMS_MAX)};
    if (old->tax_count > 0)
        p.taxes = arena_copy(a, old->taxes, (size_t)old->tax_count * sizeof(struct price_tax));
    bool added = false;
    for (int32_t i = 0; i < old->item_count; i++) {
        struct price_item item = old->items[i];
        if (item.code == ITEM_TAX)
            continue;
        if (item.code == code) { /* more of the same */
            quantity += item.quantity;
            amount += item.amount;
            continue;
        }
        if (item.code == ITEM_PROMO && !added) {
            add_item(&p, code, quantity, amount);
            added = true;
        }
        add_item(&p, item.code, item.quantity, item.amount);
    }
    if (!added)
        add_item(&p, code, quantity, amount);
    add_taxes(&p);
    *ret_price = p;
}

int64_t price_return(int64_t percent, int64_t per_km, int64_t per_minute, int64_t distance_m,
                     int64_t duration_s) {
    CHECK(percent >= 0 && percent <= TARIFF_PERCENT_MAX);
    CHECK(distance_m >= 0 && distance_m <= PRICE_DISTANCE_M_MAX);
    CHECK(duration_s >= 0 && duration_s <= PRICE_DURATION_S_MAX);
    int64_t way = divide_half_up(per_km * distance_m, 1000);
    return price_part(way + divide_half_up(per_minute * duration_s, 60), percent, 100);
}

void price_promo(const struct price *old, const struct discount *d, struct arena *a,
                 struct price *ret_price) {
    struct price p = {.currency = old->currency,
                      .taxes_included = old->taxes_included,
                      .tax_count = old->tax_count,
                      .items = arena_array(a, struct price_item, PRICE_ITEMS_MAX)};
    if (old->tax_count > 0)
        p.taxes = arena_copy(a, old->taxes, (size_t)old->tax_count * sizeof(struct price_tax));
    for (int32_t i = 0; i < old->item_count; i++) {
        struct price_item item = old->items[i];
        if (item.code != ITEM_TAX && item.code != ITEM_PROMO)
            add_item(&p, item.code, item.quantity, item.amount);
    }
    int64_t off = d->amount != I64_ABSENT ? d->amount : 0;
    if (d->percent != I64_ABSENT)
        off = price_part(p.total, d->percent, 100);
    if (d->percent != I64_ABSENT && d->cap != I64_ABSENT && off > d->cap)
        off = d->cap;
    off = off < p.total ? off : p.total;
    if (off > 0)
        add_item(&p, ITEM_PROMO, d->percent, -off);
    add_taxes(&p);
    *ret_price = p;
}

int64_t price_tax(const struct price *p) {
    int64_t sum = 0;
    for (int32_t i = 0; i < p->tax_count; i++)
        sum += p->taxes[i].amount;
    return sum;
}

int64_t price_discount(const struct price *p) {
    int64_t sum = 0;
    for (int32_t i = 0; i < p->item_count; i++)
        sum -= p->items[i].code == ITEM_PROMO ? p->items[i].amount : 0;
    return sum;
}

int64_t price_gross(const struct price *p) {
    return p->total - price_tax(p) + price_discount(p);
}

int64_t price_earning(int64_t gross, int64_t commission_bp) {
    CHECK(commission_bp >= 0 && commission_bp <= BASIS_POINTS);
    return price_part(gross, BASIS_POINTS - commission_bp, BASIS_POINTS);
}
