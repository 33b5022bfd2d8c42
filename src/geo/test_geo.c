/* What must hold of distances, directions, boxes, lines and areas, for random places with seeds. */
#include "geo/geo.h"

#include "base/check.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HALF_ROUND_M (M_PI * GEO_RADIUS_M)
#define LAT_MOST (INT64_C(90) * E7)
#define LNG_MOST (INT64_C(180) * E7)

static struct rng rng;

static int setup(void **state) {
    (void)state;
    rng_seed(&rng, 20261123);
    return 0;
}

static struct point anywhere(void) {
    struct point p = {(int32_t)rng_between(&rng, -LAT_MOST, LAT_MOST),
                      (int32_t)rng_between(&rng, -LNG_MOST, LNG_MOST)};
    switch (rng_below(&rng, 8)) {
    case 0:
        p.lng_e7 = rng_below(&rng, 2) ? 180 * E7 : -180 * E7;
        break;
    case 1:
        p.lat_e7 = rng_below(&rng, 2) ? 90 * E7 : -90 * E7;
        break;
    case 2:
        p.lat_e7 = 90 * E7 - (int32_t)rng_below(&rng, 100000);
        break;
    default:
        break;
    }
    return p;
}

static double between(double low, double high) {
    return low + rng_unit(&rng) * (high - low);
}

static void assert_near(double got, double want, double by) {
    if (!(fabs(got - want) <= by))
        fail_msg("got %.9g, wanted %.9g ± %.3g", got, want, by);
}

/* The angle between two vectors: another way to the same distance, good at all ranges. */
static double distance_twin(struct point a, struct point b) {
    const double rad = M_PI / (180.0 * E7);
    double v[2][3], cross[3], dot = 0;
    struct point p[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        v[i][0] = cos(p[i].lat_e7 * rad) * cos(p[i].lng_e7 * rad);
        v[i][1] = cos(p[i].lat_e7 * rad) * sin(p[i].lng_e7 * rad);
        v[i][2] = sin(p[i].lat_e7 * rad);
    }
    for (int i = 0; i < 3; i++) {
        cross[i] = v[0][(i + 1) % 3] * v[1][(i + 2) % 3] - v[0][(i + 2) % 3] * v[1][(i + 1) % 3];
        dot += v[0][i] * v[1][i];
    }
    double sine = sqrt(cross[0] * cross[0] + cross[1] * cross[1] + cross[2] * cross[2]);
    return GEO_RADIUS_M * atan2(sine, dot);
}

static void test_distance(void **state) {
    (void)state;
    /* One degree along a meridian, half way round, and Göteborg to Stockholm. */
    assert_near(geo_distance_m((struct point){0, 0}, (struct point){E7, 0}), 111195.080, 0.001);
    assert_near(geo_distance_m((struct point){0, -90 * E7}, (struct point){0, 90 * E7}),
                HALF_ROUND_M, 0.5);
    assert_near(geo_distance_m(point_of(57.7089, 11.9746), point_of(59.3293, 18.0686)), 397000,
                1000);
    for (int i = 0; i < 20000; i++) {
        struct point a = anywhere(), b = anywhere(), c = anywhere();
        if (i % 2)
            b = geo_offset(a, between(-2000, 2000), between(-2000, 2000));
        double ab = geo_distance_m(a, b);
        assert_near(ab, distance_twin(a, b), 0.2 + 1e-9 * ab);
        assert_true(ab == geo_distance_m(b, a));
        assert_true(geo_distance_m(a, a) == 0);
        assert_true(ab <= HALF_ROUND_M + 0.001);
        assert_true(geo_distance_m(a, c) <= ab + geo_distance_m(b, c) + 0.2);
    }
    struct point west = {10, -180 * E7}, east = {10, 180 * E7};
    assert_near(geo_distance_m(west, east), 0, 1e-6);
}

static void test_bearing(void **state) {
    (void)state;
    struct point here = {577089000, 119746000};
    assert_int_equal(geo_bearing_deg(here, (struct point){577089000, 119746000}), 0);
    assert_int_equal(geo_bearing_deg(here, geo_offset(here, 100, 0)), 0);
    assert_int_equal(geo_bearing_deg(here, geo_offset(here, 0, 100)), 90);
    assert_int_equal(geo_bearing_deg(here, geo_offset(here, -100, 0)), 180);
    assert_int_equal(geo_bearing_deg(here, geo_offset(here, 0, -100)), 270);
    assert_int_equal(geo_bearing_deg((struct point){0, 1799999000}, (struct point){0, -1799999000}),
                     90);
    for (int i = 0; i < 5000; i++) {
        struct point from = anywhere();
        int32_t deg = geo_bearing_deg(from, anywhere());
        assert_in_range(deg, 0, 359);
        if (abs(from.lat_e7) > 89 * E7)
            continue;
        double way = between(0, 2 * M_PI), far_m = between(50, 50000);
        struct point to = geo_offset(from, far_m * cos(way), far_m * sin(way));
        double off = fabs(geo_bearing_deg(from, to) - way * 180 / M_PI);
        assert_true(off < 1 || off > 359);
    }
}

static void test_offset(void **state) {
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct point from = anywhere();
        double far_m = i % 3 ? between(0, 20000) : between(0, HALF_ROUND_M - 1);
        double way = between(0, 2 * M_PI);
        struct point to = geo_offset(from, far_m * cos(way), far_m * sin(way));
        assert_in_range(to.lat_e7 + 90 * E7, 0, 180 * E7);
        assert_true(to.lng_e7 >= -180 * E7 && to.lng_e7 <= 180 * E7);
        assert_near(geo_distance_m(from, to), far_m, 0.3);
    }
    struct point here = {12, 34};
    struct point same = geo_offset(here, 0, 0);
    assert_memory_equal(&same, &here, sizeof here);
}

static void test_toward(void **state) {
    (void)state;
    struct point a = {10 * E7, 1799990000}, b = {10 * E7 + 1000, -1799990000};
    struct point middle = geo_toward(a, b, 0.5);
    assert_int_equal(middle.lat_e7, 10 * E7 + 500);
    assert_int_equal(labs(middle.lng_e7), 180 * E7);
    struct point end = geo_toward(a, b, 7), start = geo_toward(a, b, -1);
    assert_memory_equal(&end, &b, sizeof b);
    assert_memory_equal(&start, &a, sizeof a);
    for (int i = 0; i < 2000; i++) {
        struct point from = {(int32_t)rng_between(&rng, -60 * (int64_t)E7, 60 * (int64_t)E7),
                             (int32_t)rng_between(&rng, -LNG_MOST, LNG_MOST)};
        struct point to = geo_offset(from, between(-900, 900), between(-900, 900));
        double t = rng_unit(&rng), whole_m = geo_distance_m(from, to);
        struct point on = geo_toward(from, to, t);
        assert_near(geo_distance_m(from, on), t * whole_m, 0.2);
        assert_near(geo_distance_m(on, to), (1 - t) * whole_m, 0.2);
    }
}

static void test_box(void **state) {
    (void)state;
    struct box fiji = {-20 * E7, 1770000000, -15 * E7, -1780000000};
    assert_true(box_has(fiji, (struct point){-18 * E7, 1785000000}));
    assert_true(box_has(fiji, (struct point){-18 * E7, 180 * E7}));
    assert_true(box_has(fiji, (struct point){-18 * E7, -180 * E7}));
    assert_true(box_has(fiji, (struct point){-18 * E7, -1785000000}));
    assert_false(box_has(fiji, (struct point){-18 * E7, 0}));
    assert_false(box_has(fiji, (struct point){-14 * E7, 1785000000}));
    struct box up_to = {-E7, 1700000000, E7, 180 * E7};
    assert_true(box_has(up_to, (struct point){0, -180 * E7})); /* the same meridian */
    assert_false(box_has(up_to, (struct point){0, -1799999999}));
}

static void test_polyline(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 4096);
    struct point known[] = {point_of(38.5, -120.2), point_of(40.7, -120.95),
                            point_of(43.252, -126.453)};
    assert_str(polyline_encode(known, 3, &a), "_izlhA~rlgdF_{geC~ywl@_kwzCn`{nI");
    assert_str(polyline_encode(NULL, 0, &a), "");
    for (int i = 0; i < 500; i++) {
        struct point points[50], *back = NULL;
        int32_t count = (int32_t)rng_between(&rng, 0, 50), back_count = -1;
        for (int32_t j = 0; j < count; j++)
            points[j] = j % 2 || i % 2 ? anywhere() : geo_offset(points[j ? j - 1 : 0], 7, -3);
        struct str text = polyline_encode(points, count, &a);
        assert_int_equal(polyline_decode(text, &a, &back, &back_count), 0);
        assert_int_equal(back_count, count);
        for (int32_t j = 0; j < count; j++) {
            assert_true(abs(back[j].lat_e7 - points[j].lat_e7) <= 5);
            assert_true(abs(back[j].lng_e7 - points[j].lng_e7) <= 5);
        }
        arena_reset(&a);
    }
    arena_free(&a);
}

static void test_polyline_hostile(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 4096);
    static const char *const bad[] = {
        "_",     "_izlhA",           "~rlgdF_",        " ",       "\x7f\x7f",
        "??\n?", "~~~~~~~~~~~~~~~~", "_izlhA~rlgdF_i", "_sdnpF?", "?_gahkV",
        "ÿÿ"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct point *points = NULL;
        int32_t count = -1;
        if (polyline_decode(str_from(bad[i]), &a, &points, &count) != ERR_INVALID)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_null(points);
        assert_int_equal(count, -1);
    }
    for (int i = 0; i < 20000; i++) { /* any bytes: an error or points on the globe */
        char text[24];
        size_t len = rng_below(&rng, sizeof text);
        rng_bytes(&rng, text, len);
        for (size_t j = 0; j < len && i % 2; j++)
            text[j] = (char)(63 + (unsigned char)text[j] % 64);
        struct point *points;
        int32_t count;
        if (polyline_decode((struct str){text, len}, &a, &points, &count) == 0) {
            for (int32_t j = 0; j < count; j++)
                assert_true(abs(points[j].lat_e7) <= 90 * E7 && abs(points[j].lng_e7) <= 180 * E7);
        }
        arena_reset(&a);
    }
    arena_free(&a);
}

/* Winding by crossing an eastward ray, in floating point: another ray, another arithmetic. */
static bool polygon_twin(const struct polygon *p, struct point at) {
    bool inside = false;
    for (int32_t r = 0; r < p->count; r++) {
        for (int32_t i = 0, n = p->rings[r].count; i < n; i++) {
            struct point a = p->rings[r].points[i], b = p->rings[r].points[(i + 1) % n];
            if ((a.lat_e7 > at.lat_e7) == (b.lat_e7 > at.lat_e7))
                continue;
            double t = ((double)at.lat_e7 - a.lat_e7) / ((double)b.lat_e7 - a.lat_e7);
            inside ^= at.lng_e7 < a.lng_e7 + t * ((double)b.lng_e7 - a.lng_e7);
        }
    }
    return inside;
}

static void test_polygon(void **state) {
    (void)state;
    struct point outer[] = {{0, 0}, {0, 100}, {100, 100}, {100, 0}};
    struct point hole[] = {{40, 40}, {40, 60}, {60, 60}, {60, 40}, {40, 40}};
    struct ring rings[] = {{outer, 4}, {hole, 5}};
    struct polygon p = {rings, 2};
    assert_true(polygon_has(&p, (struct point){20, 50}));
    assert_true(polygon_has(&p, (struct point){50, 20}));
    assert_false(polygon_has(&p, (struct point){50, 50}));
    assert_false(polygon_has(&p, (struct point){101, 50}));
    assert_false(polygon_has(&p, (struct point){-1, 50}));
    assert_false(polygon_has(&(struct polygon){NULL, 0}, (struct point){0, 0}));
    for (int i = 0; i < 3000; i++) { /* stars with random spikes, some with self-crossings */
        struct point star[12];
        int32_t count = (int32_t)rng_between(&rng, 0, 12);
        for (int32_t j = 0; j < count; j++)
            star[j] = (struct point){
                577000000 + (int32_t)rng_between(&rng, -60, 60) * (i % 2 ? 1000 : 1),
                119000000 + (int32_t)rng_between(&rng, -60, 60) * (i % 2 ? 1000 : 1)};
        struct ring ring = {star, count};
        struct polygon one = {&ring, 1};
        for (int j = 0; j < 20; j++) { /* half units: never on a corner's meridian or parallel */
            struct point at = {577000000 + (int32_t)rng_between(&rng, -70000, 70000),
                               119000000 + (int32_t)rng_between(&rng, -70000, 70000)};
            if (i % 2 && at.lat_e7 % 1000 && at.lng_e7 % 1000)
                assert_int_equal(polygon_has(&one, at), polygon_twin(&one, at));
        }
    }
}

static void test_polygon_round_the_globe(void **state) {
    (void)state;
    struct point taveuni[] = {{-17 * E7, 1790000000},
                              {-17 * E7, -1790000000},
                              {-16 * E7, -1790000000},
                              {-16 * E7, 1790000000}};
    struct ring ring = {taveuni, 4};
    struct polygon p = {&ring, 1};
    assert_true(polygon_has(&p, (struct point){-165000000, 1795000000}));
    assert_true(polygon_has(&p, (struct point){-165000000, -1795000000}));
    assert_true(polygon_has(&p, (struct point){-165000000, 180 * E7}));
    assert_true(polygon_has(&p, (struct point){-165000000, -180 * E7}));
    assert_false(polygon_has(&p, (struct point){-165000000, 0}));
    assert_false(polygon_has(&p, (struct point){-155000000, 1795000000}));
    struct point all[] = {{-90 * E7, -180 * E7},
                          {-90 * E7, 180 * E7},
                          {90 * E7, 180 * E7},
                          {90 * E7, -180 * E7},
                          {-90 * E7, -180 * E7}};
    struct ring whole = {all, 5};
    struct polygon world = {&whole, 1};
    for (int i = 0; i < 1000; i++) {
        struct point at = anywhere();
        if (abs(at.lat_e7) < 90 * E7 && abs(at.lng_e7) < 180 * E7)
            assert_true(polygon_has(&world, at));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_distance),
                                       cmocka_unit_test(test_bearing),
                                       cmocka_unit_test(test_offset),
                                       cmocka_unit_test(test_toward),
                                       cmocka_unit_test(test_box),
                                       cmocka_unit_test(test_polyline),
                                       cmocka_unit_test(test_polyline_hostile),
                                       cmocka_unit_test(test_polygon),
                                       cmocka_unit_test(test_polygon_round_the_globe)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
