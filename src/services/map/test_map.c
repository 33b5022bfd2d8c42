/* The map's routes over a made-up atlas: what is handed through, and what is refused. */
#include "base/check.h"
#include "base/err.h"
#include "services/map/map_service.h"
#include "testing/house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- an atlas of one tile and one street ---- */

static void info(const struct atlas *t, struct atlas_info *ret_info) {
    (void)t;
    *ret_info = (struct atlas_info){.zoom_min = 8,
                                    .zoom_max = 15,
                                    .south_west = point_of(57.5, 11.5),
                                    .north_east = point_of(58, 12.5),
                                    .attribution = STR("© Somebody"),
                                    .version = 0xab};
}
static int tile(const struct atlas *t, int32_t z, int32_t x, int32_t y, struct arena *a,
                struct atlas_tile *ret_tile) {
    (void)t;
    (void)a;
    if (z == 22)
        return ERR_IO;
    if (z != 13 || x != 4368 || y != 2490)
        return ERR_NOT_FOUND;
    *ret_tile = (struct atlas_tile){STR("tile"), true};
    return 0;
}
static int32_t search(const struct atlas *t, struct str text, int32_t limit, struct arena *a,
                      struct atlas_place *ret_places) {
    (void)t;
    (void)a;
    if (str_is(text, "too early"))
        return ERR_BUSY;
    int32_t count = str_is(text, "många") ? limit : 1;
    for (int32_t i = 0; i < count; i++)
        ret_places[i] =
            (struct atlas_place){.label = STR("Kungsgatan"), .at = point_of(57.7, 11.96)};
    return count;
}
static int near(const struct atlas *t, struct point at, struct arena *a,
                struct atlas_place *ret_place) {
    (void)t;
    (void)a;
    if (at.lat_e7 < 0)
        return ERR_NOT_FOUND;
    *ret_place = (struct atlas_place){
        .label = STR("Kungsgatan"), .detail = STR("Korsgatan"), .at = at, .distance_m = 12};
    return 0;
}
static const struct atlas_ops ops = {info, tile, search, near, NULL};

struct fixture {
    struct house *house;
    struct atlas atlas;
    struct map_service *map;
};

static void open_with(struct fixture *f, struct atlas *atlas) {
    f->house = house_new(1);
    f->map = map_service_new(atlas);
    house_open(f->house, (struct service[]){map_service(f->map)}, 1);
}
static int setup(void **state) {
    static struct fixture f;
    f.atlas.ops = &ops;
    open_with(&f, &f.atlas);
    *state = &f;
    return 0;
}
static int teardown(void **state) {
    struct fixture *f = *state;
    house_free(f->house);
    map_service_free(f->map);
    return 0;
}

static struct house_answer get(struct fixture *f, enum role role, const char *path) {
    struct house_request r = {.method = "GET", .path = path};
    if (role != ROLE_NONE)
        r.who = house_who(f->house, role, "usr_01M850A1E7QCRB3XG104WRR17N");
    return house_call(f->house, &r);
}

static void assert_body(struct house_answer a, const char *text) {
    assert_int_equal(a.status, 200);
    assert_true(str_is(a.body, text));
}

static void test_the_map_and_its_tiles_are_for_everybody(void **state) {
    struct fixture *f = *state;
    assert_body(get(f, ROLE_NONE, "/v1/map"),
                "{\"tiles\":\"/v1/map/tiles/{z}/{x}/{y}?v=ab\",\"minzoom\":8,\"maxzoom\":15,"
                "\"bounds\":[11.5,57.5,12.5,58],\"attribution\":\"© Somebody\"}");
    struct house_answer a = get(f, ROLE_NONE, "/v1/map/tiles/13/4368/2490?v=ab");
    assert_body(a, "tile");
    assert_string_equal(a.response.content_type, "application/vnd.mapbox-vector-tile");
    assert_int_equal(get(f, ROLE_NONE, "/v1/map/tiles/13/0/0").status, 204);
    assert_int_equal(get(f, ROLE_NONE, "/v1/map/tiles/22/0/0").status, 503);
}

static void test_tiles_that_cannot_be(void **state) {
    struct fixture *f = *state;
    static const char *const paths[] = {"13/8192/0", "13/0/8192", "-1/0/0",
                                        "23/0/0",    "0/1/0",     "13/4368/2490.pbf",
                                        "1e1/0/0",   "13/ 1/0",   "99999999999999999999/0/0"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        char path[64];
        snprintf(path, sizeof path, "/v1/map/tiles/%s", paths[i]);
        assert_int_equal(get(f, ROLE_NONE, path).status, 404);
    }
}

static void test_places_are_for_whoever_is_signed_in(void **state) {
    struct fixture *f = *state;
    assert_int_equal(get(f, ROLE_NONE, "/v1/places?q=kung").status, 401);
    assert_int_equal(get(f, ROLE_NONE, "/v1/places/near?lat=57.7&lng=11.9").status, 401);
    assert_body(
        get(f, ROLE_CUSTOMER, "/v1/places?q=kung"),
        "{\"items\":[{\"label\":\"Kungsgatan\",\"detail\":null,\"lat\":57.7,\"lng\":11.96}]}");
    assert_body(get(f, ROLE_DRIVER, "/v1/places/near?lat=57.7&lng=11.9"),
                "{\"label\":\"Kungsgatan\",\"detail\":\"Korsgatan\",\"lat\":57.7,\"lng\":11.9,"
                "\"distance_m\":12}");
    assert_int_equal(get(f, ROLE_DRIVER, "/v1/places/near?lat=-57.7&lng=11.9").status, 404);
}

static void test_as_many_as_were_asked_for(void **state) {
    struct fixture *f = *state;
    struct house_answer a = get(f, ROLE_ADMIN, "/v1/places?q=m%C3%A5nga&limit=20");
    assert_int_equal(a.status, 200);
    size_t count = 0;
    for (size_t i = 0; i + 5 < a.body.len; i++)
        count += memcmp(a.body.p + i, "label", 5) == 0;
    assert_int_equal(count, 20);
    assert_int_equal(get(f, ROLE_ADMIN, "/v1/places?q=too%20early").status, 503);
}

static void test_bad_questions(void **state) {
    struct fixture *f = *state;
    static const char *const paths[] = {"/v1/places",
                                        "/v1/places?q=",
                                        "/v1/places?q=a&limit=0",
                                        "/v1/places?q=a&limit=21",
                                        "/v1/places?q=%FF",
                                        "/v1/places/near?lat=57",
                                        "/v1/places/near?lat=91&lng=0",
                                        "/v1/places/near?lat=nan&lng=0"};
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        assert_int_equal(get(f, ROLE_CUSTOMER, paths[i]).status, 422);
    char path[300] = "/v1/places?q=";
    memset(path + strlen(path), 'a', ATLAS_TEXT_MAX + 1);
    assert_int_equal(get(f, ROLE_CUSTOMER, path).status, 422);
}

static void test_a_server_without_a_map(void **state) {
    (void)state;
    struct fixture f;
    open_with(&f, NULL);
    static const char *const paths[] = {"/v1/map", "/v1/map/tiles/13/4368/2490", "/v1/places?q=a",
                                        "/v1/places/near?lat=57&lng=11"};
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        assert_int_equal(get(&f, ROLE_CUSTOMER, paths[i]).status, 404);
    house_free(f.house);
    map_service_free(f.map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_map_and_its_tiles_are_for_everybody, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_tiles_that_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places_are_for_whoever_is_signed_in, setup, teardown),
        cmocka_unit_test_setup_teardown(test_as_many_as_were_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_questions, setup, teardown),
        cmocka_unit_test(test_a_server_without_a_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
