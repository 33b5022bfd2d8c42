/* Nothing here can overflow: an amount is at most 10^8, a quantity 10^9, so a product 10^17. */
#include "services/booking/price.h"

#include "base/check.h"

static int64_t divide_half_up(int64_t value, int64_t by) {
    CHECK(value >= 0 && by > 0);
    return (value + by / 2) / by;
}

static void add_item(struct price *p, int32_t code, int64_t quantity, int64_t amount) {
    CHECK(p->item_count < PRICE_ITEMS_MAX && amount >= 0);
    p->items[p->item_count++] = (struct price_item){code, quantity, amount};
    p->total += amount;
}

void price_compute(const struct tariff *t, int64_t distance_m, int64_t duration_s,
                   int32_t stop_count, struct arena *a, struct price *ret_price) {
    CHECK(distance_m >= 0 && distance_m <= PRICE_DISTANCE_M_MAX);
    CHECK(duration_s >= 0 && duration_s <= PRICE_DURATION_S_MAX);
    CHECK(stop_count >= STOPS_MIN && stop_count <= STOPS_MAX);
    struct price p = {.currency = ret_price->currency,
                      .items = arena_array(a, struct price_item, PRICE_ITEMS_MAX)};
    add_item(&p, ITEM_BASE, I64_ABSENT, t->base);
    add_item(&p, ITEM_DISTANCE, distance_m, divide_half_up(t->per_km * distance_m, 1000));
    add_item(&p, ITEM_TIME, duration_s, divide_half_up(t->per_minute * duration_s, 60));
    int64_t extra_stops = stop_count - STOPS_MIN;
    if (extra_stops > 0 && t->per_stop > 0)
        add_item(&p, ITEM_STOPS, extra_stops, t->per_stop * extra_stops);
    if (p.total < t->minimum)
        add_item(&p, ITEM_MINIMUM, I64_ABSENT, t->minimum - p.total);
    *ret_price = p;
}

int64_t price_earning(int64_t total, int32_t commission_percent) {
    CHECK(commission_percent >= 0 && commission_percent <= 100);
    return divide_half_up(total * (100 - commission_percent), 100);
}
