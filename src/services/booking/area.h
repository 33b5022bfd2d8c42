/* The service area: a GeoJSON Polygon with holes (RFC 7946), bare, as a Feature, or as the one
 * Feature of a FeatureCollection. Read-only after start; any thread.
 */
#ifndef LORRY_BOOKING_AREA_H
#define LORRY_BOOKING_AREA_H

#include "geo/geo.h"
#include "services/booking/types.h"

#define AREA_RINGS_MAX 64
#define AREA_POINTS_MAX 10000 /* of all rings together */

struct area {
    struct polygon polygon;
    struct box box;
};

/* ERR_INVALID: every mistake is in *ERRORS. The area lives in A; *RET is untouched on failure. */
int area_parse(struct str geojson, struct arena *a, struct area *ret, struct field_errors *errors);
/* The same from a file. Failure: *RET_COMPLAINT (in A) is ready to print, one line a mistake. */
int area_load(const char *path, struct arena *a, struct area *ret, struct str *ret_complaint);

bool area_has(const struct area *area, struct point at);

/* Adds an error for each stop that is not served, by "/stops/<i>": outside AREA or, when that is
 * NULL, farther than TRIP_MAX_M from another stop, in a straight line. */
void area_check(const struct area *area, int64_t trip_max_m, const struct place *stops,
                int32_t stop_count, struct arena *a, struct field_errors *errors);

#endif
