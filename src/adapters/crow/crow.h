/* The crow router: great circle × detour factor, at the class's speed in a city. Always an
 * estimate. Keeps no state between calls, so any thread may ask at any time.
 */
#ifndef LORRY_ADAPTERS_CROW_CROW_H
#define LORRY_ADAPTERS_CROW_CROW_H

#include "ports/router.h"

struct crow_options {
    double detour_factor;             /* 0: 1.3, the ratio of road to straight line in cities */
    int32_t speed_kmh[VEHICLE_COUNT]; /* 0: the default of the class */
};
struct router *crow_new(const struct crow_options *o); /* NULL: defaults */

#endif
