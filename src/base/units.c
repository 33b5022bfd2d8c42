#include "base/units.h"

#include <stddef.h>

const char *const vehicle_names[] = {NULL, "bike", "car", "van", "truck", NULL};
const char *const role_names[] = {NULL, "customer", "driver", "dispatcher", "admin", NULL};

_Static_assert(sizeof vehicle_names / sizeof vehicle_names[0] == VEHICLE_COUNT + 1, "all named");
_Static_assert(sizeof role_names / sizeof role_names[0] == ROLE_COUNT + 1, "all named");
