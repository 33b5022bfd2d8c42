/* Distances, bearings, boxes and polygons. Everything is a plain function of its arguments; what
 * the text forms need comes from the caller's arena.
 *
 * Longitudes are taken as differences wrapped to ±180°, so the antimeridian is a place like any
 * other. Polygons cast a ray northward along the point's own meridian, which makes the question
 * "which edges cross it" one of such differences too, in whole numbers and so without rounding.
 */
#include "geo/geo.h"

#include <math.h>

#define HALF_TURN_E7 (INT64_C(180) * E7)
#define FULL_TURN_E7 (INT64_C(360) * E7)
#define RAD_PER_E7 (M_PI / (double)HALF_TURN_E7)

static int64_t wrap(int64_t lng_e7) { /* into [-180°, 180°) */
    int64_t d = lng_e7 % FULL_TURN_E7;
    if (d < -HALF_TURN_E7)
        return d + FULL_TURN_E7;
    return d >= HALF_TURN_E7 ? d - FULL_TURN_E7 : d;
}

/* How far east of FROM is TO, by the shorter way. */
static int64_t east_e7(int32_t from_e7, int32_t to_e7) {
    return wrap((int64_t)to_e7 - from_e7);
}

/* As wrap, but 180° may keep its name. */
static int32_t lng_of(int64_t lng_e7) {
    return (int32_t)(lng_e7 == HALF_TURN_E7 ? lng_e7 : wrap(lng_e7));
}

static int32_t clamp_lat_e7(double lat_e7) {
    return (int32_t)fmax(-90.0 * E7, fmin(90.0 * E7, lat_e7));
}

double geo_distance_m(struct point a, struct point b) {
    double sin_lat = sin((double)((int64_t)b.lat_e7 - a.lat_e7) * RAD_PER_E7 / 2);
    double sin_lng = sin((double)((int64_t)b.lng_e7 - a.lng_e7) * RAD_PER_E7 / 2);
    double h = sin_lat * sin_lat +
               cos(a.lat_e7 * RAD_PER_E7) * cos(b.lat_e7 * RAD_PER_E7) * sin_lng * sin_lng;
    return 2 * GEO_RADIUS_M * asin(fmin(1, sqrt(h)));
}

int32_t geo_bearing_deg(struct point from, struct point to) {
    double lat1 = from.lat_e7 * RAD_PER_E7, lat2 = to.lat_e7 * RAD_PER_E7;
    double east = (double)east_e7(from.lng_e7, to.lng_e7) * RAD_PER_E7;
    double y = sin(east) * cos(lat2);
    double x = cos(lat1) * sin(lat2) - sin(lat1) * cos(lat2) * cos(east);
    int32_t deg = (int32_t)lround(atan2(y, x) * 180 / M_PI);
    return (deg + 360) % 360;
}

struct point geo_toward(struct point from, struct point to, double fraction) {
    double t = fmax(0, fmin(1, fraction));
    double north = (double)((int64_t)to.lat_e7 - from.lat_e7) * t;
    double east = (double)east_e7(from.lng_e7, to.lng_e7) * t;
    return (struct point){(int32_t)(from.lat_e7 + llround(north)),
                          lng_of(from.lng_e7 + llround(east))};
}

/* Where one comes to on the great circle that starts in the direction of (north, east). */
struct point geo_offset(struct point from, double north_m, double east_m) {
    double far_m = hypot(north_m, east_m);
    if (!(far_m > 0))
        return from;
    double angle = far_m / GEO_RADIUS_M, lat = from.lat_e7 * RAD_PER_E7;
    double ahead = north_m / far_m, aside = east_m / far_m;
    double sin_lat = sin(lat) * cos(angle) + cos(lat) * sin(angle) * ahead;
    /* asin loses half the digits near the poles; both legs of the triangle keep them. */
    double x = cos(lat) * cos(angle) - sin(lat) * sin(angle) * ahead, y = sin(angle) * aside;
    double to_lat = atan2(sin_lat, hypot(x, y)), east = atan2(y, x);
    return (struct point){clamp_lat_e7(round(to_lat / RAD_PER_E7)),
                          lng_of(from.lng_e7 + llround(east / RAD_PER_E7))};
}

double geo_off_line_m(struct point a, struct point b, struct point p, double *ret_fraction) {
    double metres = GEO_RADIUS_M * M_PI / 180 / E7;
    double narrow = cos(a.lat_e7 * RAD_PER_E7);
    double bx = remainder((double)b.lng_e7 - a.lng_e7, 360.0 * E7) * narrow * metres;
    double by = ((double)b.lat_e7 - a.lat_e7) * metres;
    double px = remainder((double)p.lng_e7 - a.lng_e7, 360.0 * E7) * narrow * metres;
    double py = ((double)p.lat_e7 - a.lat_e7) * metres;
    double length2 = bx * bx + by * by;
    double along = length2 > 0 ? (px * bx + py * by) / length2 : 0;
    along = along < 0 ? 0 : along > 1 ? 1 : along;
    *ret_fraction = along;
    return hypot(px - along * bx, py - along * by);
}

static bool lng_within(struct box b, int32_t lng_e7) {
    if (b.west_e7 <= b.east_e7)
        return lng_e7 >= b.west_e7 && lng_e7 <= b.east_e7;
    return lng_e7 >= b.west_e7 || lng_e7 <= b.east_e7;
}

bool box_has(struct box b, struct point p) {
    if (p.lat_e7 < b.south_e7 || p.lat_e7 > b.north_e7)
        return false;
    /* The meridian at 180° has two names. */
    bool two_names = p.lng_e7 == HALF_TURN_E7 || p.lng_e7 == -HALF_TURN_E7;
    return lng_within(b, p.lng_e7) || (two_names && lng_within(b, -p.lng_e7));
}

/* Does the edge from A to B cross the meridian of AT at AT's latitude or north of it? An edge goes
 * the shorter way round, save one of 360° that goes all the way. Where it touches the meridian with
 * an end only, the western side counts, so that two edges meeting there count as one or as none. */
static bool crosses_north(struct point a, struct point b, struct point at) {
    int64_t ax = east_e7(at.lng_e7, a.lng_e7), bx = east_e7(at.lng_e7, b.lng_e7);
    int64_t span = (int64_t)b.lng_e7 - a.lng_e7;
    if (span == FULL_TURN_E7 || span == -FULL_TURN_E7) {
        bx = ax + span;
        /* ax may be either end of a turn that passes the meridian once, wherever it starts. */
        if ((ax < 0) == (bx < 0)) {
            ax -= span;
            bx -= span;
        }
    } else if (bx - ax > HALF_TURN_E7 || ax - bx > HALF_TURN_E7) {
        return false; /* round the back */
    }
    if ((ax < 0) == (bx < 0))
        return false;
    __int128 ay = (int64_t)a.lat_e7 - at.lat_e7, by = (int64_t)b.lat_e7 - at.lat_e7;
    /* Latitude on the meridian: ay + (by - ay) * -ax / (bx - ax), its sign without the division. */
    __int128 north = ay * (bx - ax) - (by - ay) * ax;
    return bx > ax ? north >= 0 : north <= 0;
}

bool polygon_has(const struct polygon *p, struct point at) {
    bool inside = false;
    for (int32_t r = 0; r < p->count; r++) {
        const struct ring *ring = &p->rings[r];
        for (int32_t i = 0; i < ring->count; i++) {
            struct point next = ring->points[i + 1 < ring->count ? i + 1 : 0];
            inside ^= crosses_north(ring->points[i], next, at);
        }
    }
    return inside;
}
