/* As the crow flies, with what cities are like put on top. The router owns nothing but itself. */
#include "adapters/crow/crow.h"

#include "base/check.h"
#include "geo/geo.h"

#include <math.h>
#include <stdlib.h>

#define DETOUR_FACTOR 1.3

/* Door to door in a city, stops at lights included. Who names no vehicle is taken for a car. */
static const int32_t speed_kmh_default[VEHICLE_COUNT] = {
    [VEHICLE_NONE] = 32, [VEHICLE_BIKE] = 15,  [VEHICLE_CAR] = 32,
    [VEHICLE_VAN] = 29,  [VEHICLE_TRUCK] = 24,
};

struct crow {
    struct router router; /* first: a router is cast back to its crow */
    double detour_factor;
    double speed_mps[VEHICLE_COUNT];
};

struct sum {
    double distance_m, duration_s;
};

static void add_leg(const struct crow *c, struct point from, struct point to, enum vehicle vehicle,
                    struct sum *sum) {
    CHECK(vehicle >= 0 && vehicle < VEHICLE_COUNT);
    double distance_m = geo_distance_m(from, to) * c->detour_factor;
    sum->distance_m += distance_m;
    sum->duration_s += distance_m / c->speed_mps[vehicle];
}

static void crow_route(struct router *r, const struct point *stops, int32_t stop_count,
                       enum vehicle vehicle, bool with_line, struct arena *a,
                       struct route *ret_route) {
    CHECK(stop_count >= 2);
    struct sum sum = {0};
    for (int32_t i = 1; i < stop_count; i++)
        add_leg((const struct crow *)r, stops[i - 1], stops[i], vehicle, &sum);
    *ret_route = (struct route){.distance_m = llround(sum.distance_m),
                                .duration_s = llround(sum.duration_s),
                                .estimate = true};
    if (with_line) {
        ret_route->points = arena_copy(a, stops, (size_t)stop_count * sizeof *stops);
        ret_route->point_count = stop_count;
    }
}

static void crow_many_to_one(struct router *r, const struct point *from, int32_t count,
                             struct point to, enum vehicle vehicle, struct router_leg *ret_legs) {
    for (int32_t i = 0; i < count; i++) {
        struct sum sum = {0};
        add_leg((const struct crow *)r, from[i], to, vehicle, &sum);
        ret_legs[i] = (struct router_leg){llround(sum.distance_m), llround(sum.duration_s), true};
    }
}

static void crow_close(struct router *r) {
    free(r);
}

static const struct router_ops crow_ops = {
    .route = crow_route, .many_to_one = crow_many_to_one, .close = crow_close};

struct router *crow_new(const struct crow_options *o) {
    struct crow *c = xcalloc(1, sizeof *c);
    c->router.ops = &crow_ops;
    c->detour_factor = o && o->detour_factor != 0 ? o->detour_factor : DETOUR_FACTOR;
    CHECK(isfinite(c->detour_factor) && c->detour_factor >= 1);
    for (int v = 0; v < VEHICLE_COUNT; v++) {
        int32_t kmh = o && o->speed_kmh[v] ? o->speed_kmh[v] : speed_kmh_default[v];
        CHECK(kmh > 0);
        c->speed_mps[v] = kmh / 3.6;
    }
    return &c->router;
}
