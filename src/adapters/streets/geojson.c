/* A GeoJSON FeatureCollection (RFC 7946) to the lines of its roads. What is no road is passed over
 * unread; of what is one, everything is checked, since the file is whatever somebody has put there.
 */
#include "adapters/streets/build.h"
#include "base/check.h"
#include "base/err.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POINTS_MAX ((size_t)STREETS_SEGMENTS_MAX)
#define NAME_BYTES_MAX 200 /* of one street; a longer one goes without */

void room_for(void *items, size_t *room, size_t count, size_t more, size_t item_bytes) {
    if (count + more <= *room)
        return;
    while (*room < count + more)
        *room = *room ? 2 * *room : 64;
    void *array; /* a pointer of whatever type */
    memcpy(&array, items, sizeof array);
    array = xrealloc(array, *room * item_bytes);
    memcpy(items, &array, sizeof array);
}

static bool member(struct json_value object, const char *key, enum json_kind kind,
                   struct json_value *ret_value) {
    return json_kind(object) == JSON_IS_OBJECT && json_get(object, key, ret_value) &&
           json_kind(*ret_value) == kind;
}

static bool member_is(struct json_value object, const char *key, const char *text) {
    struct json_value v;
    return member(object, key, JSON_IS_STRING, &v) && str_is(json_text(v), text);
}

static int read_position(struct json_value v, struct point *ret_point) {
    if (json_kind(v) != JSON_IS_ARRAY)
        return ERR_INVALID;
    double lng, lat;
    struct json_iter it = json_iter(v);
    if (!json_next(&it) || json_f64(it.value, &lng) || !json_next(&it) || json_f64(it.value, &lat))
        return ERR_INVALID;
    if (!(lat >= -90 && lat <= 90 && lng >= -180 && lng <= 180))
        return ERR_INVALID;
    *ret_point = point_of(lat, lng); /* a third number, the height, says nothing about the way */
    return 0;
}

static uint32_t name_id(struct roads *r, struct str name) {
    if (name.len == 0 || name.len > NAME_BYTES_MAX)
        return NONE;
    void *known = map_get(&r->name_ids, name);
    if (known)
        return (uint32_t)((uintptr_t)known - 1);
    room_for(&r->names, &r->name_room, r->name_count, 1, sizeof *r->names);
    r->names[r->name_count++] = name;
    map_put(&r->name_ids, name, (void *)(uintptr_t)r->name_count);
    return (uint32_t)(r->name_count - 1);
}

static int read_line(struct roads *r, struct json_value coordinates, const struct road *road) {
    struct way way = {.first = (uint32_t)r->point_count,
                      .name = name_id(r, road->name),
                      .kmh = {road->kmh[0], road->kmh[1]},
                      .class = (uint8_t)road->class,
                      .meets_customers = road->meets_customers};
    if (json_kind(coordinates) != JSON_IS_ARRAY)
        return ERR_INVALID;
    for (struct json_iter it = json_iter(coordinates); json_next(&it); way.count++) {
        if (r->point_count == POINTS_MAX)
            return ERR_LIMIT;
        room_for(&r->points, &r->point_room, r->point_count, 1, sizeof *r->points);
        int err = read_position(it.value, &r->points[r->point_count]);
        if (err)
            return err;
        r->point_count++;
    }
    if (way.count < 2)
        return ERR_INVALID;
    room_for(&r->ways, &r->way_room, r->way_count, 1, sizeof *r->ways);
    r->ways[r->way_count++] = way;
    return 0;
}

static int read_feature(struct roads *r, struct json_value feature, bool bare) {
    struct json_value geometry, properties = feature, coordinates;
    if (!member_is(feature, "type", "Feature") || !json_get(feature, "geometry", &geometry))
        return ERR_INVALID;
    if (json_kind(geometry) == JSON_IS_NULL) /* a feature without a place */
        return 0;
    if (!member(geometry, "type", JSON_IS_STRING, &coordinates))
        return ERR_INVALID;
    bool line = member_is(geometry, "type", "LineString"),
         lines = member_is(geometry, "type", "MultiLineString");
    struct road road;
    if (!json_get(feature, "properties", &properties) ||
        (json_kind(properties) != JSON_IS_OBJECT && json_kind(properties) != JSON_IS_NULL))
        return ERR_INVALID;
    if ((!line && !lines) || !road_of_tags(properties, bare, &road))
        return 0;
    if (!member(geometry, "coordinates", JSON_IS_ARRAY, &coordinates))
        return ERR_INVALID;
    if (line)
        return read_line(r, coordinates, &road);
    for (struct json_iter it = json_iter(coordinates); json_next(&it);) {
        int err = read_line(r, it.value, &road);
        if (err)
            return err;
    }
    return 0;
}

/* What must be shown: OSM's own words where it is OSM's data, else what the file says. */
static void read_attribution(struct roads *r, struct json_value root) {
    struct json_value v;
    struct str text = STR("");
    if (member(root, "copyright", JSON_IS_STRING, &v) ||
        member(root, "attribution", JSON_IS_STRING, &v))
        text = json_text(v);
    if (text.p == NULL || text.len == 0)
        return;
    if (memmem(text.p, text.len, "openstreetmap", 13) ||
        memmem(text.p, text.len, "OpenStreetMap", 13))
        text = STR("© OpenStreetMap contributors, ODbL");
    size_t len = text.len < sizeof r->attribution ? text.len : sizeof r->attribution - 1;
    while (len > 0 && len < text.len && ((unsigned char)text.p[len] & 0xC0) == 0x80)
        len--; /* not in the middle of a character */
    memcpy(r->attribution, text.p, len);
    for (size_t i = 0; i < len; i++) { /* U+0000 is valid JSON */
        if (r->attribution[i] == '\0')
            r->attribution[i] = ' ';
    }
}

/* Has no feature a highway tag? */
static bool is_bare(struct json_value features) {
    for (struct json_iter it = json_iter(features); json_next(&it);) {
        struct json_value properties, highway;
        if (member(it.value, "properties", JSON_IS_OBJECT, &properties) &&
            json_get(properties, "highway", &highway))
            return false;
    }
    return true;
}

int roads_read(struct json_value root, struct roads *ret_roads) {
    struct json_value features;
    if (!member_is(root, "type", "FeatureCollection") ||
        !member(root, "features", JSON_IS_ARRAY, &features))
        return ERR_INVALID;
    struct roads r = {0};
    map_init(&r.name_ids);
    bool bare = is_bare(features);
    int err = 0;
    for (struct json_iter it = json_iter(features); !err && json_next(&it);)
        err = read_feature(&r, it.value, bare);
    if (!err && r.way_count == 0)
        err = ERR_INVALID;
    if (err) {
        roads_free(&r);
        return err;
    }
    read_attribution(&r, root);
    *ret_roads = r;
    return 0;
}

void roads_free(struct roads *r) {
    free(r->points);
    free(r->ways);
    free(r->names);
    map_free(&r->name_ids);
    *r = (struct roads){0};
}
