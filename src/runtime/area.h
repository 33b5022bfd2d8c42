/* Areas: named sets of routes. Each route names its own in its table, and a scope is an area with
 * "read" (GET) or "write" (all else): "bookings:read". Who has scopes may do what they name of all
 * that his role may; a route without an area is none of theirs.
 */
#ifndef LORRY_RUNTIME_AREA_H
#define LORRY_RUNTIME_AREA_H

#include "base/str.h"

enum scope_area {
    AREA_NONE,    /* for people who are signed in, and for the public */
    AREA_ACCOUNT, /* one's own account: for people, never for keys */
    AREA_BOOKINGS,
    AREA_DRIVING, /* a driver's own work */
    AREA_FLEET,
    AREA_NOTIFICATIONS,
    AREA_PLACES,
    AREA_USERS,
    AREA_AUDIT,
    AREA_REPORTS,
    AREA_COUNT
};
extern const char *const area_names[]; /* [0] is NULL, ends with NULL */

#define SCOPE(area, writes) (1u << (2 * (unsigned)(area) + ((writes) ? 1u : 0u)))
#define SCOPES_ACCOUNT (SCOPE(AREA_ACCOUNT, false) | SCOPE(AREA_ACCOUNT, true))
#define SCOPE_NAMES_MAX (2 * AREA_COUNT)
#define SCOPE_TEXT_MAX 32

/* "bookings:read" → its bit; 0: there is no such scope. */
uint32_t scope_of(struct str name);
/* The names of SCOPES' bits, in order; returns how many. */
int32_t scope_names(uint32_t scopes, char ret_names[SCOPE_NAMES_MAX][SCOPE_TEXT_MAX]);

#endif
