#include "apps/city_places.h"

#include <math.h>

struct point city_place(void *arg, struct rng *rng, struct str *ret_name) {
    const struct city_places *places = arg;
    *ret_name = STR_NONE;
    if (places->streets != NULL)
        return streets_random_point(places->streets, rng, ret_name);
    double distance_m = places->radius_m * sqrt(rng_unit(rng));
    double angle = rng_unit(rng) * 6.283185307179586;
    return geo_offset(places->centre, distance_m * cos(angle), distance_m * sin(angle));
}
