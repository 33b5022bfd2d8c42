/* The router port: how far and how long by road. Any thread; scratch memory is the adapter's own.
 *
 * Adapters: crow (great circle × detour factor and class speed: always answers, marked estimate),
 * streets (a road graph; falls back to crow off the map or when unroutable).
 */
#ifndef LORRY_PORTS_ROUTER_H
#define LORRY_PORTS_ROUTER_H

#include "base/arena.h"
#include "base/units.h"

#include <stdint.h>

/* What no route passes, of 20 stops anywhere on the globe and by the slowest class. */
#define ROUTER_DISTANCE_M_MAX INT64_C(1000000000)
#define ROUTER_DURATION_S_MAX INT64_C(1000000000)

struct route {
    int64_t distance_m, duration_s;
    struct point
        *points; /* the line to draw, first to last; in the caller's arena; NULL if not asked */
    int32_t point_count;
    bool estimate; /* not by road */
};
struct router_leg {
    int64_t distance_m, duration_s;
    bool estimate;
};

struct router;
struct router_ops {
    /* Through STOPS in order (2..20). Always answers. WITH_LINE: fill points. */
    void (*route)(struct router *r, const struct point *stops, int32_t stop_count,
                  enum vehicle vehicle, bool with_line, struct arena *a, struct route *ret_route);
    /* From each of FROM to the one TO: RET_LEGS[i]. */
    void (*many_to_one)(struct router *r, const struct point *from, int32_t count, struct point to,
                        enum vehicle vehicle, struct router_leg *ret_legs);
    void (*close)(struct router *r);
};
struct router {
    const struct router_ops *ops;
};

#endif
