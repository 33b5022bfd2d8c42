/* Four reads, answered on the network thread. */
#include "services/map/map_service.h"

#include "base/check.h"
#include "base/err.h"
#include "runtime/problem.h"

#include <stdlib.h>

#define PLACES_DEFAULT 6
#define COORDINATE_MAX 180.0
/* A day: tiles are asked for by the version in their address, so that a new map is seen at once. */
#define TILES_KEPT STR("public, max-age=86400")

struct map_service {
    struct atlas *atlas;
};

static struct atlas *atlas_of(struct call *c) {
    struct atlas *atlas = ((struct map_service *)c->service)->atlas;
    if (atlas == NULL)
        call_problem(c, PROBLEM_NOT_FOUND,
                     "this server has no map: it was started without streets");
    return atlas;
}

static void get_map(struct call *c) {
    const struct atlas *atlas = atlas_of(c);
    struct atlas_info info;
    struct buf out;
    struct jw w;
    if (atlas == NULL)
        return;
    atlas->ops->info(atlas, &info);
    buf_init(&out, &c->arena, 512);
    jw_init(&w, &out);
    jw_object(&w);
    jw_kv_str(&w, "tiles",
              arena_printf(&c->arena, "/v1/map/tiles/{z}/{x}/{y}?v=%llx",
                           (unsigned long long)info.version));
    jw_kv_i64(&w, "minzoom", info.zoom_min);
    jw_kv_i64(&w, "maxzoom", info.zoom_max);
    jw_key(&w, "bounds");
    jw_array(&w);
    jw_deg7(&w, info.south_west.lng_e7);
    jw_deg7(&w, info.south_west.lat_e7);
    jw_deg7(&w, info.north_east.lng_e7);
    jw_deg7(&w, info.north_east.lat_e7);
    jw_end(&w);
    jw_kv_str(&w, "attribution", info.attribution);
    jw_end(&w);
    response_header(&c->response, "Cache-Control", STR("public, max-age=60"));
    call_json(c, 200, buf_str(&out));
}

/* Z, X and Y of the address. False: replied. */
static bool tile_address(struct call *c, int64_t zxy[3]) {
    for (int i = 0; i < 3; i++) {
        int64_t max = i == 0 ? ATLAS_ZOOM_MAX : (INT64_C(1) << zxy[0]) - 1;
        if (str_to_i64(c->params[i], &zxy[i]) < 0 || zxy[i] < 0 || zxy[i] > max) {
            call_problem(c, PROBLEM_NOT_FOUND, "there is no such tile");
            return false;
        }
    }
    return true;
}

static void get_tile(struct call *c) {
    const struct atlas *atlas = atlas_of(c);
    struct atlas_tile tile;
    int64_t zxy[3] = {0};
    if (atlas == NULL || !tile_address(c, zxy))
        return;
    int err = atlas->ops->tile(atlas, (int32_t)zxy[0], (int32_t)zxy[1], (int32_t)zxy[2], &c->arena,
                               &tile);
    if (err == 0 || err == ERR_NOT_FOUND)
        response_header(&c->response, "Cache-Control", TILES_KEPT);
    if (err == ERR_NOT_FOUND) {
        call_empty(c, 204); /* nothing to draw is no fault */
        return;
    }
    if (err < 0) {
        call_error(c, err);
        return;
    }
    c->response.content_type = "application/vnd.mapbox-vector-tile";
    if (tile.gzip)
        response_header(&c->response, "Content-Encoding", STR("gzip"));
    call_json(c, 200, tile.bytes);
}

static void write_place(struct jw *w, const struct atlas_place *p) {
    jw_kv_str(w, "label", p->label);
    jw_key(w, "detail");
    if (p->detail.p != NULL)
        jw_str(w, p->detail);
    else
        jw_null(w);
    jw_key(w, "lat");
    jw_deg7(w, p->at.lat_e7);
    jw_key(w, "lng");
    jw_deg7(w, p->at.lng_e7);
}

static void list_places(struct call *c) {
    const struct atlas *atlas = atlas_of(c);
    struct atlas_place places[ATLAS_PLACES_MAX];
    int64_t limit = PLACES_DEFAULT;
    if (atlas == NULL || !call_query_i64(c, "limit", 1, ATLAS_PLACES_MAX, &limit))
        return;
    struct str q = call_query(c, "q");
    if (q.len == 0 || q.len > ATLAS_TEXT_MAX || !str_is_utf8(q, NULL)) {
        call_problem(c, PROBLEM_BAD_PARAMETER,
                     "q must be what the place's name begins with, 1 to "
                     "%d bytes of UTF-8",
                     ATLAS_TEXT_MAX);
        return;
    }
    int32_t count = atlas->ops->search(atlas, q, (int32_t)limit, &c->arena, places);
    if (count < 0) {
        call_error(c, count);
        return;
    }
    struct buf out;
    struct jw w;
    buf_init(&out, &c->arena, 1024);
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "items");
    jw_array(&w);
    for (int32_t i = 0; i < count; i++) {
        jw_object(&w);
        write_place(&w, &places[i]);
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
    call_json(c, 200, buf_str(&out));
}

static void near_place(struct call *c) {
    const struct atlas *atlas = atlas_of(c);
    struct atlas_place place;
    double lat, lng;
    if (atlas == NULL || !call_query_f64(c, "lat", true, -90, 90, &lat) ||
        !call_query_f64(c, "lng", true, -COORDINATE_MAX, COORDINATE_MAX, &lng))
        return;
    if (atlas->ops->near(atlas, point_of(lat, lng), &c->arena, &place) < 0) {
        call_problem(c, PROBLEM_NOT_FOUND, "nothing with a name is near");
        return;
    }
    struct buf out;
    struct jw w;
    buf_init(&out, &c->arena, 256);
    jw_init(&w, &out);
    jw_object(&w);
    write_place(&w, &place);
    jw_kv_i64(&w, "distance_m", place.distance_m);
    jw_end(&w);
    call_json(c, 200, buf_str(&out));
}

static const struct route_entry routes[] = {
    {"GET", "/v1/map", ROLES_PUBLIC, get_map, NULL, 0, "getMap"},
    {"GET", "/v1/map/tiles/{z}/{x}/{y}", ROLES_PUBLIC, get_tile, NULL, 0, "getTile"},
    {"GET", "/v1/places", ROLES_ANY, list_places, NULL, 0, "listPlaces", .area = AREA_PLACES},
    {"GET", "/v1/places/near", ROLES_ANY, near_place, NULL, 0, "getPlaceNear", .area = AREA_PLACES},
};
static const struct store_collection *const collections[] = {NULL};
static const struct service_def def = {
    .name = "map", .routes = routes, .route_count = COUNT_OF(routes), .collections = collections};

struct map_service *map_service_new(struct atlas *atlas) {
    struct map_service *s = xcalloc(1, sizeof(*s));
    s->atlas = atlas;
    return s;
}

struct map_service *map_service_free(struct map_service *s) {
    free(s);
    return NULL;
}

struct service map_service(struct map_service *s) {
    return (struct service){.def = &def, .self = s};
}
