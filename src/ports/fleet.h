/* The fleet port: what other services may ask of where drivers are. Approximate and of now; nothing
 * is decided by it but what is shown, and whether a search for later begins early. Any thread.
 *
 * Adapters: the driver service's own index (all in one), none (another process's; answers
 * ERR_UNAVAILABLE).
 */
#ifndef LORRY_PORTS_FLEET_H
#define LORRY_PORTS_FLEET_H

#include "base/arena.h"
#include "base/units.h"
#include "json/reader.h"

#include <stdint.h>

struct fleet_position {
    struct point at;
    int32_t bearing_deg; /* 0..359, -1 unknown */
    int32_t speed_cmps;  /* cm/s, -1 unknown */
    int64_t at_us;
};
#define FLEET_STOPS_MAX 21
struct fleet_eta {
    int64_t at_us, early_us, late_us; /* 0: not known */
};
struct fleet_etas {
    int32_t stop_count;
    struct fleet_eta stops[FLEET_STOPS_MAX]; /* those behind him are not known any more */
};
struct store;
struct fleet;
struct fleet_ops {
    /* The newest position of a driver on duty. ERR_NOT_FOUND, ERR_UNAVAILABLE. */
    int (*position)(struct fleet *f, struct str driver_id, struct fleet_position *ret);
    /* The nearest free driver of that class, by straight line. ERR_NOT_FOUND, ERR_UNAVAILABLE. */
    int (*nearest_free)(struct fleet *f, struct point to, enum vehicle vehicle,
                        struct fleet_position *ret);
    /* Free drivers of that class between two corners; FLEET_COUNT_MAX stands for that many or more.
     * 0 where nobody knows. */
    int64_t (*count_free)(struct fleet *f, struct point south_west, struct point north_east,
                          enum vehicle vehicle);
    /* Optional (NULL): when the driver of a booking that is under way will be at its stops,
     * smoothed, as it is shown. READER and P are the caller's own. ERR_NOT_FOUND, or the store's
     * errors. */
    int (*etas)(struct fleet *f, struct store *reader, struct json_parser *p, struct str booking_id,
                struct arena *a, struct fleet_etas *ret);
};
#define FLEET_COUNT_MAX 100
struct fleet {
    const struct fleet_ops *ops;
};

#endif
