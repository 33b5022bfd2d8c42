/* GeoJSON to a polygon. What is refused: too many or too few points, coordinates that are none,
 * rings that are not closed or enclose nothing, holes that begin outside, edges around half the
 * world. A ring may cross itself: the even-odd rule still gives each point one answer.
 */
#include "services/booking/area.h"

#include "base/err.h"
#include "services/booking/tariff.h"

#include <math.h>
#include <stdlib.h>

struct reading {
    struct arena *a;
    struct field_errors *errors;
    struct point points[AREA_POINTS_MAX];
    int32_t point_count;
    struct ring rings[AREA_RINGS_MAX];
    int32_t ring_count;
};

/* A position is [lng, lat, maybe altitude]. */
static bool read_position(struct json_value v, struct point *ret) {
    double lng_lat[2];
    int n = 0;
    if (json_kind(v) != JSON_IS_ARRAY)
        return false;
    for (struct json_iter it = json_iter(v); json_next(&it); n++) {
        if (n < 2 && json_f64(it.value, &lng_lat[n]) < 0)
            return false;
    }
    if (n < 2 || fabs(lng_lat[0]) > 180 || fabs(lng_lat[1]) > 90)
        return false;
    *ret = point_of(lng_lat[1], lng_lat[0]);
    return true;
}

/* Twice the enclosed area, in e7 degrees squared; doubles are exact enough to tell it from none. */
static double twice_area(const struct ring *r) {
    double sum = 0;
    for (int32_t i = 0, j = r->count - 1; i < r->count; j = i++)
        sum += (double)r->points[j].lng_e7 * r->points[i].lat_e7 -
               (double)r->points[i].lng_e7 * r->points[j].lat_e7;
    return fabs(sum);
}

static void check_ring(struct reading *r, const struct ring *ring, int32_t written, bool closed) {
    struct str pointer = arena_printf(r->a, "/coordinates/%d", r->ring_count);
    if (written < 4) {
        field_errors_add(r->errors, r->a, pointer, "a ring has at least 4 positions");
        return;
    }
    if (!closed) {
        field_errors_add(r->errors, r->a, pointer, "a ring ends where it began");
        return;
    }
    for (int32_t i = 0, j = ring->count - 1; i < ring->count; j = i++) {
        if (llabs((long long)ring->points[i].lng_e7 - ring->points[j].lng_e7) > 180LL * E7)
            field_errors_add(r->errors, r->a, pointer,
                             "position %d: an edge may not span more than 180 degrees", i);
    }
    if (twice_area(ring) < 1)
        field_errors_add(r->errors, r->a, pointer, "encloses nothing");
    struct polygon outer = {r->rings, 1};
    if (r->ring_count > 0 && !polygon_has(&outer, ring->points[0]))
        field_errors_add(r->errors, r->a, pointer, "a hole lies inside the first ring");
}

static void read_ring(struct reading *r, struct json_value v) {
    struct point *points = r->points + r->point_count;
    int32_t n = 0;
    for (struct json_iter it = json_iter(v); json_next(&it); n++) {
        if (r->point_count + n == AREA_POINTS_MAX) {
            field_errors_add(r->errors, r->a, STR("/coordinates"), "more than %d positions",
                             AREA_POINTS_MAX);
            return;
        }
        points[n] = (struct point){0, 0};
        if (!read_position(it.value, &points[n]))
            field_errors_add(r->errors, r->a,
                             arena_printf(r->a, "/coordinates/%d/%d", r->ring_count, n),
                             "must be [longitude, latitude] in degrees");
    }
    bool closed = n > 1 && points[0].lat_e7 == points[n - 1].lat_e7 &&
                  points[0].lng_e7 == points[n - 1].lng_e7;
    struct ring ring = {points, closed ? n - 1 : n};
    if (r->errors->count == 0)
        check_ring(r, &ring, n, closed);
    r->point_count += ring.count;
    r->rings[r->ring_count++] = ring;
}

static bool type_is(struct json_value object, const char *type) {
    struct json_value v;
    return json_kind(object) == JSON_IS_OBJECT && json_get(object, "type", &v) &&
           json_kind(v) == JSON_IS_STRING && str_is(json_text(v), type);
}

/* The Polygon inside a Feature or a FeatureCollection of one. */
static struct json_value unwrap(struct json_value v) {
    struct json_value features;
    if (type_is(v, "FeatureCollection") && json_get(v, "features", &features)) {
        struct json_value first = v;
        int n = 0;
        for (struct json_iter it = json_iter(features); json_next(&it); n++)
            first = n == 0 ? it.value : first;
        if (n == 1)
            v = first;
    }
    struct json_value geometry;
    if (type_is(v, "Feature") && json_get(v, "geometry", &geometry))
        v = geometry;
    return v;
}

static void read_polygon(struct reading *r, struct json_value root) {
    struct json_value polygon = unwrap(root), coordinates;
    if (!type_is(polygon, "Polygon") || !json_get(polygon, "coordinates", &coordinates) ||
        json_kind(coordinates) != JSON_IS_ARRAY) {
        field_errors_add(r->errors, r->a, STR(""),
                         "must be a GeoJSON Polygon with coordinates (or one Feature of it)");
        return;
    }
    for (struct json_iter it = json_iter(coordinates); json_next(&it);) {
        if (r->ring_count == AREA_RINGS_MAX) {
            field_errors_add(r->errors, r->a, STR("/coordinates"), "more than %d rings",
                             AREA_RINGS_MAX);
            return;
        }
        read_ring(r, it.value);
    }
    if (r->ring_count == 0)
        field_errors_add(r->errors, r->a, STR("/coordinates"), "has no ring");
}

static struct box box_of(const struct ring *r) {
    struct box b = {INT32_MAX, INT32_MAX, INT32_MIN, INT32_MIN};
    for (int32_t i = 0; i < r->count; i++) {
        struct point p = r->points[i];
        b.south_e7 = p.lat_e7 < b.south_e7 ? p.lat_e7 : b.south_e7;
        b.north_e7 = p.lat_e7 > b.north_e7 ? p.lat_e7 : b.north_e7;
        b.west_e7 = p.lng_e7 < b.west_e7 ? p.lng_e7 : b.west_e7;
        b.east_e7 = p.lng_e7 > b.east_e7 ? p.lng_e7 : b.east_e7;
    }
    return b;
}

int area_parse(struct str geojson, struct arena *a, struct area *ret, struct field_errors *errors) {
    struct json_parser *parser = json_parser_new();
    struct reading *r = arena_new(a, struct reading);
    r->a = a;
    r->errors = errors;
    struct json_value root;
    if (json_parse(parser, geojson, &root) < 0) {
        int line = 0, column = 0;
        struct str what = STR_NONE;
        json_error_at(geojson, a, &line, &column, &what);
        field_errors_add(errors, a, STR(""), "is not JSON: line %d, column %d: %.*s", line, column,
                         STR_ARG(what));
    } else {
        read_polygon(r, root);
    }
    json_parser_free(parser);
    if (errors->count > 0)
        return ERR_INVALID;
    *ret = (struct area){.polygon = {r->rings, r->ring_count}, .box = box_of(&r->rings[0])};
    return 0;
}

int area_load(const char *path, struct arena *a, struct area *ret, struct str *ret_complaint) {
    struct str text;
    int err = booking_file_read(path, a, &text);
    if (err < 0) {
        *ret_complaint = arena_printf(a, "%s: %s", path, err_text(err));
        return err;
    }
    struct field_errors errors = {0};
    err = area_parse(text, a, ret, &errors);
    if (err < 0)
        *ret_complaint = booking_file_complaint(path, &errors, a);
    return err;
}

bool area_has(const struct area *area, struct point at) {
    return box_has(area->box, at) && polygon_has(&area->polygon, at);
}

void area_check(const struct area *area, int64_t trip_max_m, const struct place *stops,
                int32_t stop_count, struct arena *a, struct field_errors *errors) {
    for (int32_t i = 0; i < stop_count; i++) {
        struct point at = place_point(&stops[i]);
        struct str pointer = arena_printf(a, "/stops/%d", i);
        if (area != NULL) {
            if (!area_has(area, at))
                field_errors_add(errors, a, pointer, "lies outside the service area");
            continue;
        }
        for (int32_t j = 0; j < i; j++) {
            double apart_m = geo_distance_m(place_point(&stops[j]), at);
            if (apart_m > (double)trip_max_m) {
                field_errors_add(errors, a, pointer, "is %.0f km from stop %d; at most %lld km",
                                 apart_m / 1000, j, (long long)(trip_max_m / 1000));
                break;
            }
        }
    }
}
