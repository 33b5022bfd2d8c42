/* The names of areas and scopes. */
#include "runtime/area.h"

#include "base/check.h"

#include <stdio.h>

const char *const area_names[] = {NULL,    "account",       "bookings", "driving",
                                  "fleet", "notifications", "places",   "users",
                                  "audit", "reports",       NULL};
_Static_assert(COUNT_OF(area_names) == AREA_COUNT + 1, "each area has its name");
_Static_assert(2 * AREA_COUNT <= 32, "scopes are the bits of a uint32_t");

int32_t scope_names(uint32_t scopes, char ret_names[SCOPE_NAMES_MAX][SCOPE_TEXT_MAX]) {
    int32_t count = 0;
    for (int area = AREA_NONE + 1; area < AREA_COUNT; area++) {
        for (int writes = 0; writes < 2; writes++) {
            if ((scopes & SCOPE(area, writes)) != 0)
                snprintf(ret_names[count++], SCOPE_TEXT_MAX, "%s:%s", area_names[area],
                         writes ? "write" : "read");
        }
    }
    return count;
}

uint32_t scope_of(struct str name) {
    char text[SCOPE_NAMES_MAX][SCOPE_TEXT_MAX];
    for (int area = AREA_NONE + 1; area < AREA_COUNT; area++) {
        for (int writes = 0; writes < 2; writes++) {
            uint32_t bit = SCOPE(area, writes);
            if (scope_names(bit, text) == 1 && str_is(name, text[0]))
                return bit;
        }
    }
    return 0;
}
