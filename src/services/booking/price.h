/* The price of a trip: pure integer arithmetic on minor units. Any thread.
 *
 *   base                                        once
 *   distance   per_km × metres / 1000           rounded half up to the minor unit
 *   time       per_minute × seconds / 60        rounded half up to the minor unit
 *   stops      per_stop × (stops − 2)           what the first pickup and dropoff do not cover
 *   minimum    what is missing to the minimum   only when it lifts the price
 *
 * Items of nothing are left out, but for base, distance and time. The total is the sum of the
 * items.
 */
#ifndef LORRY_BOOKING_PRICE_H
#define LORRY_BOOKING_PRICE_H

#include "ports/router.h"
#include "services/booking/types.h"

#define TARIFF_AMOUNT_MAX INT64_C(100000000) /* minor units: a million of most currencies */
#define PRICE_DISTANCE_M_MAX ROUTER_DISTANCE_M_MAX
#define PRICE_DURATION_S_MAX ROUTER_DURATION_S_MAX

struct tariff {
    int32_t vehicle; /* enum vehicle; VEHICLE_NONE: this class is not on offer */
    int64_t base, per_km, per_minute, minimum, per_stop; /* minor units, 0..TARIFF_AMOUNT_MAX */
};

/* Items in A. DISTANCE_M and DURATION_S at most the maxima above, STOP_COUNT STOPS_MIN..STOPS_MAX.
 * RET_PRICE->currency is the caller's. */
void price_compute(const struct tariff *t, int64_t distance_m, int64_t duration_s,
                   int32_t stop_count, struct arena *a, struct price *ret_price);

/* The driver's part of TOTAL when the house keeps COMMISSION_PERCENT: rounded half up. */
int64_t price_earning(int64_t total, int32_t commission_percent);

#endif
