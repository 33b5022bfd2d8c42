/* The service area: polygons with holes, from GeoJSON (RFC 7946): a Polygon or a MultiPolygon, bare
 * or as a Feature, or the features of a FeatureCollection together. A place in any of the polygons
 * is served. Read-only once it is made; any thread.
 */
#ifndef LORRY_BOOKING_AREA_H
#define LORRY_BOOKING_AREA_H

#include "geo/geo.h"
#include "services/booking/types.h"

#define AREA_POLYGONS_MAX 64
#define AREA_RINGS_MAX 256         /* of all polygons together */
#define AREA_POINTS_MAX 10000      /* of all rings together, in a file … */
#define AREA_DRAWN_POINTS_MAX 2000 /* … and of an area that is written over the API */
#define AREA_SHOWN_POINTS_MAX 400  /* of a boundary as it is shown */

struct area {
    const struct polygon *polygons;
    const struct box *boxes; /* of each */
    int32_t count;
};

/* V is at POINTER ("" for the root). STRICT, for what is drawn: few points, and no ring may meet
 * itself or another one of its polygon; a file's may, since the even-odd rule still gives each
 * place one answer. Outer rings come out counterclockwise, holes clockwise. ERR_INVALID: every
 * mistake is in *ERRORS, with the pointer of the ring or the position. The area lives in A; *RET is
 * untouched on failure. */
int area_read(struct json_value v, struct str pointer, bool strict, struct arena *a,
              struct area *ret, struct field_errors *errors);
/* Not STRICT, from a text. */
int area_parse(struct str geojson, struct arena *a, struct area *ret, struct field_errors *errors);
/* The same from a file. Failure: *RET_COMPLAINT (in A) is ready to print, one line a mistake. */
int area_load(const char *path, struct arena *a, struct area *ret, struct str *ret_complaint);

/* As a GeoJSON MultiPolygon. */
void area_write(struct jw *w, const struct area *area);
/* Nearly the same border with at most AREA_SHOWN_POINTS_MAX points, in A: to be drawn. */
struct area area_shown(const struct area *area, struct arena *a);

bool area_has(const struct area *area, struct point at);
/* The point of the area nearest to AT, which lies outside, and how far it is. It is in the area
 * where that is a metre wide there. */
double area_nearest_m(const struct area *area, struct point at, struct point *ret_nearest);

/* Adds an error for each stop that is not served, by "/stops/<i>": outside AREA or, when that is
 * NULL, farther than TRIP_MAX_M from another stop, in a straight line. */
void area_check(const struct area *area, int64_t trip_max_m, const struct place *stops,
                int32_t stop_count, struct arena *a, struct field_errors *errors);
/* The same of stop I alone, against the first OTHERS. */
void area_check_stop(const struct area *area, int64_t trip_max_m, const struct place *stops,
                     int32_t others, int32_t i, struct arena *a, struct field_errors *errors);

#endif
