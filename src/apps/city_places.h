/* Where simulated people are: on the roads of a graph, or around a centre without one. */
#ifndef LORRY_APPS_CITY_PLACES_H
#define LORRY_APPS_CITY_PLACES_H

#include "adapters/streets/streets.h"
#include "base/rng.h"

struct city_places {
    const struct streets *streets; /* NULL: around the centre */
    struct point centre;
    double radius_m;
};
#define CITY_CENTRE_LAT 57.7001 /* Göteborg */
#define CITY_CENTRE_LNG 11.9668
#define CITY_TIMEZONE "Europe/Stockholm"

/* For struct city_options: ARG is a struct city_places. */
struct point city_place(void *arg, struct rng *rng, struct str *ret_name);

#endif
