/* Units. Coordinates are int32 degrees × 10^7 ("e7", about 1 cm); money is int64 minor units. */
#ifndef LORRY_BASE_UNITS_H
#define LORRY_BASE_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#define E7 10000000

struct point {
    int32_t lat_e7, lng_e7;
};

static inline struct point point_of(double lat, double lng) {
    double la = lat * E7, ln = lng * E7;
    return (struct point){(int32_t)(la < 0 ? la - 0.5 : la + 0.5),
                          (int32_t)(ln < 0 ? ln - 0.5 : ln + 0.5)};
}
static inline double point_lat(struct point p) {
    return p.lat_e7 / (double)E7;
}
static inline double point_lng(struct point p) {
    return p.lng_e7 / (double)E7;
}

/* The vehicle classes, everywhere the same. 0 is absent. */
enum vehicle { VEHICLE_NONE, VEHICLE_BIKE, VEHICLE_CAR, VEHICLE_VAN, VEHICLE_TRUCK, VEHICLE_COUNT };
extern const char *const vehicle_names[]; /* [0] is NULL, ends with NULL */

/* What a vehicle takes: kilograms, litres, pieces. */
struct capacity {
    int64_t kg, l, items;
};
extern const struct capacity vehicle_usual[VEHICLE_COUNT]; /* as a rule, by class */

enum role { ROLE_NONE, ROLE_CUSTOMER, ROLE_DRIVER, ROLE_DISPATCHER, ROLE_ADMIN, ROLE_COUNT };
extern const char *const role_names[];

#endif
