#include "base/units.h"

#include <stddef.h>

const char *const vehicle_names[] = {NULL, "bike", "car", "van", "truck", NULL};
const char *const role_names[] = {NULL, "customer", "driver", "dispatcher", "admin", NULL};

_Static_assert(sizeof vehicle_names / sizeof vehicle_names[0] == VEHICLE_COUNT + 1, "all named");
_Static_assert(sizeof role_names / sizeof role_names[0] == ROLE_COUNT + 1, "all named");

const struct capacity vehicle_usual[VEHICLE_COUNT] = {
    [VEHICLE_BIKE] = {30, 120, 6},
    [VEHICLE_CAR] = {300, 800, 30},
    [VEHICLE_VAN] = {800, 8000, 200},
    [VEHICLE_TRUCK] = {8000, 40000, 1000},
};
