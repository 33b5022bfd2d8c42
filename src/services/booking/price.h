/* The price of a trip: pure integer arithmetic on minor units. Any thread.
 *
 *   base                                        once
 *   distance   per_km × metres / 1000           rounded half up to the minor unit
 *   time       per_minute × seconds / 60        rounded half up to the minor unit
 *   stops      per_stop × (stops − 2)           what the first pickup and dropoff do not cover
 *   minimum    what is missing to the minimum   only when it lifts the price
 *   night, weekend, holiday                     a percentage of the sum so far, rounded half up;
 *                                               where several hold, the highest alone (of equal
 *                                               ones holiday, then weekend)
 *   surge      a percentage of the same sum     rounded half up
 *   waiting    per_minute × minutes begun beyond the free ones
 *   return     a percentage of what the way back is worth: per_km × metres / 1000 plus
 *              per_minute × seconds / 60, each rounded half up; rounded half up
 *   promo      negative, at most all of that    rounded half up
 *   tax        of what is left, rate by rate    each rounded half up; one item for all of them
 *
 * Items of nothing are left out, but for base, distance and time. The total is the sum of the
 * items, and never below zero. Taxes that the amounts include are no item: each is
 * total × rate / (1 + all rates), rounded half up, and said beside the price.
 *
 * What the driver's part is taken from (gross) is the total without taxes and without the promo's
 * discount, which the house bears. His part is gross × (1 − commission), rounded half up; the
 * commission is the rest, so that the two are the gross to the last unit.
 */
#ifndef LORRY_BOOKING_PRICE_H
#define LORRY_BOOKING_PRICE_H

#include "ports/router.h"
#include "services/booking/types.h"

#define TARIFF_AMOUNT_MAX INT64_C(100000000) /* minor units: a million of most currencies */
#define TARIFF_PERCENT_MAX 400               /* what a time or a surge may add */
#define PRICE_DISTANCE_M_MAX ROUTER_DISTANCE_M_MAX
#define PRICE_DURATION_S_MAX ROUTER_DURATION_S_MAX
#define PRICE_WAITING_MIN_MAX INT64_C(43200) /* 30 days */
#define BASIS_POINTS 10000                   /* are the whole */

/* What one class costs. Amounts are minor units, 0..TARIFF_AMOUNT_MAX. */
struct tariff {
    int32_t vehicle; /* enum vehicle */
    struct str zone; /* of a trip that begins in it; absent: of all others */
    int64_t base, per_km, per_minute, minimum, per_stop;
    int64_t waiting_per_minute, waiting_free_minutes; /* at each stop */
    int64_t capacity_kg, capacity_l; /* what a vehicle of the class takes; 0 or I64_ABSENT: the
                                        usual (goods.h) */
};
struct tax {
    struct str name;
    int64_t rate_bp; /* basis points */
};

/* All that the price of a trip follows from. */
struct pricing {
    const struct tariff *rate;
    int64_t distance_m, duration_s; /* at most the maxima above */
    int32_t stop_count;             /* STOPS_MIN..STOPS_MAX */
    int32_t time_code;              /* ITEM_NIGHT, ITEM_WEEKEND, ITEM_HOLIDAY; ITEM_NONE */
    int64_t time_percent, surge_percent;
    int64_t promo_percent, promo_amount; /* one of them, or neither */
    const struct tax *taxes; /* at most TAXES_MAX; their names live as long as the price */
    int32_t tax_count;
    bool taxes_included;
};

/* Items and taxes in A. RET_PRICE->currency is the caller's. */
void price_compute(const struct pricing *in, struct arena *a, struct price *ret_price);
/* OLD with AMOUNT (≥ 0) more under CODE, QUANTITY of its unit, before promo and tax; the taxes are
 * those of OLD, reckoned anew. In A. */
void price_add(const struct price *old, int32_t code, int64_t quantity, int64_t amount,
               struct arena *a, struct price *ret_price);

/* What the way back costs: PERCENT of PER_KM and PER_MINUTE over it. */
int64_t price_return(int64_t percent, int64_t per_km, int64_t per_minute, int64_t distance_m,
                     int64_t duration_s);

/* OLD with what D takes off (in place of what it has of a promo), never below zero; the taxes are
 * those of OLD, reckoned anew. In A. */
void price_promo(const struct price *old, const struct discount *d, struct arena *a,
                 struct price *ret_price);

int64_t price_tax(const struct price *p);      /* all taxes, included or on top */
int64_t price_discount(const struct price *p); /* of a promo, ≥ 0 */
int64_t price_gross(const struct price *p);    /* what driver and house share */
/* The driver's part of GROSS when the house keeps COMMISSION_BP. */
int64_t price_earning(int64_t gross, int64_t commission_bp);
/* VALUE × PART / WHOLE, rounded half up; exact, and no more overflows than the result does. */
int64_t price_part(int64_t value, int64_t part, int64_t whole);

#endif
