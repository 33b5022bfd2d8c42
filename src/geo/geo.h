/* Pure geography on a sphere of mean earth radius 6 371 008.8 m (IUGG R1). Distances in metres. */
#ifndef LORRY_GEO_GEO_H
#define LORRY_GEO_GEO_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/units.h"

#define GEO_RADIUS_M 6371008.8

struct box {
    int32_t south_e7, west_e7, north_e7, east_e7; /* west > east: crosses the antimeridian */
};

double geo_distance_m(struct point a, struct point b);       /* haversine */
int32_t geo_bearing_deg(struct point from, struct point to); /* initial, 0..359 */
/* On the straight line, the shorter way round; short spans. FRACTION is clamped to 0..1. */
struct point geo_toward(struct point from, struct point to, double fraction);
/* As far away as (north, east) is long, setting out in that direction on a great circle. */
struct point geo_offset(struct point from, double north_m, double east_m);
/* From P to the straight line from A to B, on a plane that touches the sphere at A: short spans.
 * *RET_FRACTION: where on it the nearest point is, 0 (A) to 1 (B). */
double geo_off_line_m(struct point a, struct point b, struct point p, double *ret_fraction);
bool box_has(struct box b, struct point p);

/* Encoded polyline, precision 6
 * (developers.google.com/maps/documentation/utilities/polylinealgorithm). */
struct str polyline_encode(const struct point *points, int32_t count, struct arena *a);
int polyline_decode(struct str text, struct arena *a, struct point **ret_points,
                    int32_t *ret_count); /* ERR_INVALID */

/* A polygon of one outer ring and holes; rings need not repeat their first point. An edge takes the
 * shorter way round the globe, so a ring may cross the antimeridian; one of exactly 360° goes all
 * the way round. */
struct ring {
    const struct point *points;
    int32_t count;
};
struct polygon {
    const struct ring *rings; /* [0] is the outer one */
    int32_t count;
};
bool polygon_has(const struct polygon *p,
                 struct point at); /* even-odd; the border may fall either way */

#endif
