/* What is asked of the service area, and how it is shown. */
#include "services/booking/area.h"

#include "base/check.h"
#include "geo/rings.h"

#include <math.h>

#define SHOWN_TOLERANCE_M 5.0 /* of a boundary as it is shown; doubled until it is small enough */
#define INSIDE_M 1.0          /* how far inside the border the nearest point is looked for */

bool area_has(const struct area *area, struct point at) {
    for (int32_t i = 0; i < area->count; i++) {
        if (box_has(area->boxes[i], at) && polygon_has(&area->polygons[i], at))
            return true;
    }
    return false;
}

double area_nearest_m(const struct area *area, struct point at, struct point *ret_nearest) {
    static const double around[8][2] = {{1, 0},   {0, 1},    {-1, 0},   {0, -1},
                                        {.7, .7}, {.7, -.7}, {-.7, .7}, {-.7, -.7}};
    double best_m = HUGE_VAL;
    struct point border = at;
    for (int32_t i = 0; i < area->count; i++) {
        struct point p;
        double off_m = rings_nearest_m(area->polygons[i].rings, area->polygons[i].count, at, &p);
        if (off_m < best_m) {
            best_m = off_m;
            border = p;
        }
    }
    *ret_nearest = border;
    for (size_t i = 0; i < COUNT_OF(around) && !area_has(area, *ret_nearest); i++)
        *ret_nearest = geo_offset(border, around[i][0] * INSIDE_M, around[i][1] * INSIDE_M);
    if (!area_has(area, *ret_nearest))
        *ret_nearest = border;
    return best_m;
}

void area_check_stop(const struct area *area, int64_t trip_max_m, const struct place *stops,
                     int32_t others, int32_t i, struct arena *a, struct field_errors *errors) {
    struct point at = place_point(&stops[i]);
    struct str pointer = arena_printf(a, "/stops/%d", i);
    if (area != NULL) {
        if (!area_has(area, at))
            field_errors_add(errors, a, pointer, "lies outside the service area");
        return;
    }
    for (int32_t j = 0; j < others; j++) {
        double apart_m = geo_distance_m(place_point(&stops[j]), at);
        if (apart_m > (double)trip_max_m) {
            field_errors_add(errors, a, pointer, "is %.0f km from stop %d; at most %lld km",
                             apart_m / 1000, j, (long long)(trip_max_m / 1000));
            return;
        }
    }
}

void area_check(const struct area *area, int64_t trip_max_m, const struct place *stops,
                int32_t stop_count, struct arena *a, struct field_errors *errors) {
    for (int32_t i = 0; i < stop_count; i++)
        area_check_stop(area, trip_max_m, stops, i, i, a, errors);
}

/* ---- as it is shown ---- */

static void write_position(struct jw *w, struct point p) {
    jw_array(w);
    jw_deg7(w, p.lng_e7);
    jw_deg7(w, p.lat_e7);
    jw_end(w);
}

static void write_ring(struct jw *w, const struct ring *r) {
    jw_array(w);
    for (int32_t i = 0; i < r->count; i++)
        write_position(w, r->points[i]);
    write_position(w, r->points[0]);
    jw_end(w);
}

void area_write(struct jw *w, const struct area *area) {
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, "MultiPolygon");
    jw_key(w, "coordinates");
    jw_array(w);
    for (int32_t i = 0; i < area->count; i++) {
        jw_array(w);
        for (int32_t r = 0; r < area->polygons[i].count; r++)
            write_ring(w, &area->polygons[i].rings[r]);
        jw_end(w);
    }
    jw_end(w);
    jw_end(w);
}

static int32_t points_of(const struct area *area) {
    int32_t n = 0;
    for (int32_t i = 0; i < area->count; i++) {
        for (int32_t r = 0; r < area->polygons[i].count; r++)
            n += area->polygons[i].rings[r].count;
    }
    return n;
}

/* Rings that come to nothing are left out, and polygons whose outer one does. */
static struct area simplified(const struct area *area, double tolerance_m, struct arena *a) {
    struct polygon *polygons = arena_array(a, struct polygon, area->count);
    struct box *boxes = arena_array(a, struct box, area->count);
    int32_t count = 0;
    for (int32_t i = 0; i < area->count; i++) {
        const struct polygon *p = &area->polygons[i];
        struct ring *rings = arena_array(a, struct ring, p->count);
        int32_t ring_count = 0;
        for (int32_t r = 0; r < p->count; r++) {
            struct ring ring = ring_simplified(&p->rings[r], tolerance_m, a);
            if (ring.count >= 3)
                rings[ring_count++] = ring;
            else if (r == 0)
                break;
        }
        if (ring_count == 0)
            continue;
        polygons[count] = (struct polygon){rings, ring_count};
        boxes[count++] = ring_box(&rings[0]);
    }
    return (struct area){polygons, boxes, count};
}

struct area area_shown(const struct area *area, struct arena *a) {
    struct area shown = *area;
    double tolerance_m = SHOWN_TOLERANCE_M;
    while (points_of(&shown) > AREA_SHOWN_POINTS_MAX) {
        shown = simplified(area, tolerance_m, a);
        tolerance_m *= 2;
    }
    return shown;
}
