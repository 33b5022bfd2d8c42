#include "adapters/crow/crow.h"

#include "base/rng.h"
#include "base/test.h"
#include "geo/geo.h"

#include <math.h>

static const struct point here = {577089000, 119746000};

static void test_one_kilometre(void **state) {
    (void)state;
    struct router *r = crow_new(NULL);
    struct point stops[] = {here, geo_offset(here, 600, 800)};
    struct arena a;
    arena_init(&a, 1024);
    struct route route;
    r->ops->route(r, stops, 2, VEHICLE_CAR, true, &a, &route);
    assert_int_equal(route.distance_m, 1300);
    assert_int_equal(route.duration_s, 146); /* 1,300 m at 32 km/h */
    assert_true(route.estimate);
    assert_int_equal(route.point_count, 2);
    assert_memory_equal(route.points, stops, sizeof stops);
    struct route bike;
    r->ops->route(r, stops, 2, VEHICLE_BIKE, false, NULL, &bike);
    assert_int_equal(bike.distance_m, 1300);
    assert_true(bike.duration_s > route.duration_s);
    assert_null(bike.points);
    assert_int_equal(bike.point_count, 0);
    arena_free(&a);
    r->ops->close(r);
}

static void test_options(void **state) {
    (void)state;
    struct crow_options o = {.detour_factor = 1, .speed_kmh = {[VEHICLE_TRUCK] = 36}};
    struct router *r = crow_new(&o);
    struct point stops[] = {here, geo_offset(here, 1000, 0), here};
    struct route route;
    r->ops->route(r, stops, 3, VEHICLE_TRUCK, false, NULL, &route);
    assert_int_equal(route.distance_m, 2000);
    assert_int_equal(route.duration_s, 200);
    r->ops->close(r);
}

/* Each leg of many is what a route between the two says; nobody moves for nothing. */
static void test_many_to_one(void **state) {
    (void)state;
    struct router *r = crow_new(NULL);
    struct rng rng;
    rng_seed(&rng, 3);
    struct point from[50];
    struct router_leg legs[50];
    for (int i = 0; i < 50; i++)
        from[i] = geo_offset(here, 9000 * rng_unit(&rng), -9000 * rng_unit(&rng));
    from[7] = here;
    r->ops->many_to_one(r, from, 50, here, VEHICLE_VAN, legs);
    for (int i = 0; i < 50; i++) {
        struct point stops[] = {from[i], here};
        struct route route;
        r->ops->route(r, stops, 2, VEHICLE_VAN, false, NULL, &route);
        assert_int_equal(legs[i].distance_m, route.distance_m);
        assert_int_equal(legs[i].duration_s, route.duration_s);
        assert_true(legs[i].estimate);
    }
    assert_int_equal(legs[7].distance_m, 0);
    assert_int_equal(legs[7].duration_s, 0);
    r->ops->close(r);
}

/* Back and forth between two ends of the world, as slowly as can be. */
static void test_the_longest_way(void **state) {
    (void)state;
    struct router *r = crow_new(NULL);
    struct point stops[20];
    for (int i = 0; i < 20; i++)
        stops[i] = point_of(0, i % 2 == 0 ? -90 : 90);
    for (int v = 0; v < VEHICLE_COUNT; v++) {
        struct route route;
        r->ops->route(r, stops, 20, (enum vehicle)v, false, NULL, &route);
        assert_in_range(route.distance_m, 400000000, ROUTER_DISTANCE_M_MAX);
        assert_in_range(route.duration_s, 1, ROUTER_DURATION_S_MAX);
    }
    r->ops->close(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_kilometre), cmocka_unit_test(test_options),
        cmocka_unit_test(test_many_to_one), cmocka_unit_test(test_the_longest_way)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
