/* For the tests of the booking service: a router without roads and a fleet of one. */
#ifndef LORRY_BOOKING_TEST_FAKES_H
#define LORRY_BOOKING_TEST_FAKES_H

#include "base/err.h"
#include "geo/geo.h"
#include "ports/fleet.h"
#include "ports/router.h"

#include <math.h>

#define FAKE_SPEED_MPS 10

struct fake_router {
    struct router router;
    int routes, legs; /* how often it was asked */
};

static inline void fake_route(struct router *r, const struct point *stops, int32_t stop_count,
                              enum vehicle vehicle, bool with_line, struct arena *a,
                              struct route *ret_route) {
    (void)vehicle;
    ((struct fake_router *)r)->routes++;
    double m = 0;
    for (int32_t i = 1; i < stop_count; i++)
        m += geo_distance_m(stops[i - 1], stops[i]);
    *ret_route = (struct route){
        .distance_m = llround(m), .duration_s = llround(m / FAKE_SPEED_MPS), .estimate = true};
    if (with_line) {
        ret_route->points = arena_copy(a, stops, sizeof(*stops) * (size_t)stop_count);
        ret_route->point_count = stop_count;
    }
}

static inline void fake_many_to_one(struct router *r, const struct point *from, int32_t count,
                                    struct point to, enum vehicle vehicle,
                                    struct router_leg *ret_legs) {
    (void)vehicle;
    ((struct fake_router *)r)->legs++;
    for (int32_t i = 0; i < count; i++) {
        double m = geo_distance_m(from[i], to);
        ret_legs[i] = (struct router_leg){llround(m), llround(m / FAKE_SPEED_MPS), true};
    }
}

static const struct router_ops fake_router_ops = {fake_route, fake_many_to_one, NULL};

struct fake_fleet {
    struct fleet fleet;
    bool free, on_duty;
    int64_t free_count; /* in any box */
    struct fleet_position position;
};

static inline int fake_position(struct fleet *f, struct str driver_id, struct fleet_position *ret) {
    (void)driver_id;
    const struct fake_fleet *fake = (const struct fake_fleet *)f;
    if (!fake->on_duty)
        return ERR_NOT_FOUND;
    *ret = fake->position;
    return 0;
}

static inline int fake_nearest(struct fleet *f, struct point to, enum vehicle vehicle,
                               struct fleet_position *ret) {
    (void)to;
    const struct fake_fleet *fake = (const struct fake_fleet *)f;
    if (!fake->free || vehicle != VEHICLE_VAN)
        return ERR_NOT_FOUND;
    *ret = fake->position;
    return 0;
}

static inline int64_t fake_count(struct fleet *f, struct point south_west, struct point north_east,
                                 enum vehicle vehicle) {
    (void)south_west;
    (void)north_east;
    (void)vehicle;
    return ((const struct fake_fleet *)f)->free_count;
}

static const struct fleet_ops fake_fleet_ops = {fake_position, fake_nearest, fake_count, NULL};

#endif
