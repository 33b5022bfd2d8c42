/* GeoJSON to polygons. What is refused: too many or too few points, coordinates that are none,
 * rings that are not closed or enclose nothing, holes that begin outside, edges around half the
 * world; of what is drawn also rings that meet themselves or each other.
 */
#include "services/booking/area.h"

#include "base/err.h"
#include "geo/rings.h"
#include "services/booking/tariff.h"

#include <math.h>
#include <stdlib.h>

struct reading {
    struct arena *a;
    struct field_errors *errors;
    bool strict;
    struct point points[AREA_POINTS_MAX];
    int32_t point_count;
    struct ring rings[AREA_RINGS_MAX];
    int32_t ring_count;
    struct polygon polygons[AREA_POLYGONS_MAX];
    struct box boxes[AREA_POLYGONS_MAX];
    int32_t polygon_count;
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

/* RING is the INDEXth of its polygon, whose first one is FIRST. */
static void check_ring(struct reading *r, const struct ring *ring, struct str pointer,
                       int32_t written, bool closed, const struct ring *first) {
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
    if (fabs(ring_twice_area(ring)) < 1)
        field_errors_add(r->errors, r->a, pointer, "encloses nothing");
    struct polygon outer = {first, 1};
    if (ring != first && !polygon_has(&outer, ring->points[0]))
        field_errors_add(r->errors, r->a, pointer, "a hole lies inside the first ring");
}

/* POINTER is the ring's. Adds it to the rings; what is wrong is told. */
static void read_ring(struct reading *r, struct json_value v, struct str pointer,
                      const struct ring *first) {
    struct point *points = r->points + r->point_count;
    int32_t n = 0, max = r->strict ? AREA_DRAWN_POINTS_MAX : AREA_POINTS_MAX;
    for (struct json_iter it = json_iter(v); json_next(&it); n++) {
        if (r->point_count + n == max) {
            field_errors_add(r->errors, r->a, pointer, "more than %d positions in all", max);
            return;
        }
        points[n] = (struct point){0, 0};
        if (!read_position(it.value, &points[n]))
            field_errors_add(r->errors, r->a, arena_printf(r->a, "%.*s/%d", STR_ARG(pointer), n),
                             "must be [longitude, latitude] in degrees");
    }
    bool closed = n > 1 && points[0].lat_e7 == points[n - 1].lat_e7 &&
                  points[0].lng_e7 == points[n - 1].lng_e7;
    struct ring *ring = &r->rings[r->ring_count];
    *ring = (struct ring){points, closed ? n - 1 : n};
    bool outer = first == NULL;
    if (r->errors->count == 0)
        check_ring(r, ring, pointer, n, closed, outer ? ring : first);
    if (r->errors->count == 0 && (ring_twice_area(ring) > 0) != outer)
        ring_turn(points, ring->count);
    r->point_count += ring->count;
    r->ring_count++;
}

/* Rings as they were drawn: a ring may have been turned, so positions are told by their place. */
static void check_meeting(struct reading *r, const struct polygon *p, struct str pointer) {
    struct rings_meeting m;
    if (!r->strict || r->errors->count > 0 || !rings_meet(p->rings, p->count, r->a, &m))
        return;
    struct point at = p->rings[m.ring].points[m.edge];
    struct point other = p->rings[m.other_ring].points[m.other_edge];
    const char *what = m.ring == m.other_ring ? "itself" : "another ring";
    field_errors_add(r->errors, r->a, arena_printf(r->a, "%.*s/%d", STR_ARG(pointer), m.ring),
                     "meets %s: the edges at [%.6f, %.6f] and [%.6f, %.6f]", what,
                     (double)at.lng_e7 / E7, (double)at.lat_e7 / E7, (double)other.lng_e7 / E7,
                     (double)other.lat_e7 / E7);
}

static void read_polygon(struct reading *r, struct json_value coordinates, struct str pointer) {
    int32_t first = r->ring_count, index = 0;
    if (json_kind(coordinates) != JSON_IS_ARRAY || json_count(coordinates) == 0) {
        field_errors_add(r->errors, r->a, pointer, "has no ring");
        return;
    }
    if (r->polygon_count == AREA_POLYGONS_MAX) {
        field_errors_add(r->errors, r->a, pointer, "more than %d polygons", AREA_POLYGONS_MAX);
        return;
    }
    for (struct json_iter it = json_iter(coordinates); json_next(&it); index++) {
        struct str at = arena_printf(r->a, "%.*s/%d", STR_ARG(pointer), index);
        if (r->ring_count == AREA_RINGS_MAX) {
            field_errors_add(r->errors, r->a, at, "more than %d rings in all", AREA_RINGS_MAX);
            return;
        }
        int32_t before = r->errors->count;
        read_ring(r, it.value, at, index > 0 ? &r->rings[first] : NULL);
        if (r->errors->count > before + SCHEMA_ERRORS_MAX / 2 || r->ring_count == first)
            return;
    }
    struct polygon *p = &r->polygons[r->polygon_count];
    *p = (struct polygon){&r->rings[first], r->ring_count - first};
    check_meeting(r, p, pointer);
    r->boxes[r->polygon_count++] = ring_box(&p->rings[0]);
}

static bool type_is(struct json_value object, const char *type) {
    struct json_value v;
    return json_kind(object) == JSON_IS_OBJECT && json_get(object, "type", &v) &&
           json_kind(v) == JSON_IS_STRING && str_is(json_text(v), type);
}

static void read_geometry(struct reading *r, struct json_value v, struct str pointer) {
    struct json_value coordinates;
    bool several = type_is(v, "MultiPolygon");
    if ((!several && !type_is(v, "Polygon")) || !json_get(v, "coordinates", &coordinates) ||
        json_kind(coordinates) != JSON_IS_ARRAY) {
        field_errors_add(r->errors, r->a, pointer,
                         "must be a GeoJSON Polygon or MultiPolygon with coordinates");
        return;
    }
    struct str at = arena_printf(r->a, "%.*s/coordinates", STR_ARG(pointer));
    if (!several) {
        read_polygon(r, coordinates, at);
        return;
    }
    int32_t index = 0;
    for (struct json_iter it = json_iter(coordinates);
         json_next(&it) && index <= AREA_POLYGONS_MAX && r->errors->more == 0; index++)
        read_polygon(r, it.value, arena_printf(r->a, "%.*s/%d", STR_ARG(at), index));
}

static void read_feature(struct reading *r, struct json_value v, struct str pointer) {
    struct json_value geometry;
    if (type_is(v, "Feature") && json_get(v, "geometry", &geometry))
        read_geometry(r, geometry, arena_printf(r->a, "%.*s/geometry", STR_ARG(pointer)));
    else
        read_geometry(r, v, pointer);
}

static void read_root(struct reading *r, struct json_value v, struct str pointer) {
    struct json_value features;
    if (!type_is(v, "FeatureCollection") || !json_get(v, "features", &features)) {
        read_feature(r, v, pointer);
    } else {
        int32_t index = 0;
        for (struct json_iter it = json_iter(features);
             json_next(&it) && index <= AREA_POLYGONS_MAX && r->errors->more == 0; index++)
            read_feature(r, it.value,
                         arena_printf(r->a, "%.*s/features/%d", STR_ARG(pointer), index));
    }
    if (r->polygon_count == 0 && r->errors->count == 0)
        field_errors_add(r->errors, r->a, pointer, "has no polygon");
}

int area_read(struct json_value v, struct str pointer, bool strict, struct arena *a,
              struct area *ret, struct field_errors *errors) {
    struct reading *r = arena_new(a, struct reading);
    struct field_errors found = {0};
    r->a = a;
    r->errors = &found;
    r->strict = strict;
    read_root(r, v, pointer);
    for (int i = 0; i < found.count; i++)
        field_errors_add(errors, a, found.items[i].pointer, "%.*s", STR_ARG(found.items[i].detail));
    if (found.count > 0)
        return ERR_INVALID;
    *ret = (struct area){r->polygons, r->boxes, r->polygon_count};
    return 0;
}

int area_parse(struct str geojson, struct arena *a, struct area *ret, struct field_errors *errors) {
    struct json_parser *parser = json_parser_new();
    struct json_value root;
    int err = json_parse(parser, geojson, &root);
    if (err < 0) {
        int line = 0, column = 0;
        struct str what = STR_NONE;
        json_error_at(geojson, a, &line, &column, &what);
        field_errors_add(errors, a, STR(""), "is not JSON: line %d, column %d: %.*s", line, column,
                         STR_ARG(what));
    } else {
        err = area_read(root, STR(""), false, a, ret, errors);
    }
    json_parser_free(parser);
    return err < 0 ? ERR_INVALID : 0;
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
