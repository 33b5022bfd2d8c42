/* Rings as people draw them: which way, whether they meet themselves (against a twin that looks at
 * every pair in floating point), what is nearest, and the same with fewer points.
 */
#include "geo/rings.h"

#include "base/check.h"
#include "base/rng.h"
#include "base/test.h"

#include <math.h>
#include <stdlib.h>

#define POINTS_MAX 400

static struct point p(double lat, double lng) {
    return point_of(lat, lng);
}

static void test_way_round(void **state) {
    (void)state;
    struct point points[] = {{0, 0}, {0, E7}, {E7, E7}, {E7, 0}}; /* south, then east */
    struct ring r = {points, 4};
    assert_true(ring_twice_area(&r) > 0);
    assert_true(fabs(ring_twice_area(&r) - 2.0 * E7 * E7) < 1);
    ring_turn(points, 4);
    assert_true(ring_twice_area(&r) < 0);
    struct box b = ring_box(&r);
    assert_true(b.south_e7 == 0 && b.north_e7 == E7 && b.west_e7 == 0 && b.east_e7 == E7);
}

static bool meets(const struct point *points, int32_t count) {
    struct arena a;
    struct rings_meeting m;
    arena_init(&a, 4096);
    struct ring r = {points, count};
    bool found = rings_meet(&r, 1, &a, &m);
    arena_free(&a);
    return found;
}

static void test_meeting(void **state) {
    (void)state;
    struct point square[] = {p(0, 0), p(0, 1), p(1, 1), p(1, 0)};
    struct point bow[] = {p(0, 0), p(1, 1), p(0, 1), p(1, 0)};
    struct point spike[] = {p(0, 0), p(0, 1), p(1, 1), p(2, 1), p(1, 1), p(1, 0)};
    struct point back[] = {p(0, 0), p(0, 2), p(0, 1), p(1, 1)};
    struct point twice[] = {p(0, 0), p(0, 1), p(1, 1), p(0, 1), p(-1, 2), p(-1, 0)};
    struct point touch[] = {p(0, 0), p(0, 2), p(2, 2), p(0, 1), p(2, 0)};
    struct point straight[] = {p(0, 0), p(0, 1), p(0, 2), p(1, 1)};
    struct point same[] = {p(0, 0), p(0, 1), p(0, 1), p(1, 1)};
    assert_false(meets(square, 4));
    assert_true(meets(bow, 4));
    assert_true(meets(spike, 6));
    assert_true(meets(back, 4));
    assert_true(meets(twice, 6));
    assert_true(meets(touch, 5));
    assert_false(meets(straight, 4)); /* a point on the way is no fault */
    assert_true(meets(same, 4));
}

static void test_rings_apart(void **state) {
    (void)state;
    struct arena a;
    struct rings_meeting m;
    arena_init(&a, 4096);
    struct point outer[] = {p(0, 0), p(0, 4), p(4, 4), p(4, 0)};
    struct point hole[] = {p(1, 1), p(2, 1), p(2, 2), p(1, 2)};
    struct point across[] = {p(1, 1), p(2, 1), p(2, 5), p(1, 5)};
    struct ring good[] = {{outer, 4}, {hole, 4}}, bad[] = {{outer, 4}, {across, 4}};
    assert_false(rings_meet(good, 2, &a, &m));
    assert_true(rings_meet(bad, 2, &a, &m));
    assert_true(m.ring != m.other_ring);
    arena_free(&a);
}

/* ---- against a twin ---- */

static double cross(struct point a, struct point b, struct point c) {
    return ((double)b.lng_e7 - a.lng_e7) * ((double)c.lat_e7 - a.lat_e7) -
           ((double)b.lat_e7 - a.lat_e7) * ((double)c.lng_e7 - a.lng_e7);
}

static bool twin_crosses(const struct point *q, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        for (int32_t j = i + 1; j < n; j++) {
            struct point a = q[i], b = q[(i + 1) % n], c = q[j], d = q[(j + 1) % n];
            if (cross(a, b, c) * cross(a, b, d) < 0 && cross(c, d, a) * cross(c, d, b) < 0)
                return true;
        }
    }
    return false;
}

/* Points around a star: in order of their angle they never meet; two of them changed mostly do. */
static void star(struct rng *rng, struct point *ret, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        double angle = 2 * M_PI * i / n, far = 0.2 + (double)rng_below(rng, 1000) / 1000;
        ret[i] = p(57 + far * sin(angle), 12 + far * cos(angle));
    }
}

static void test_meeting_random(void **state) {
    (void)state;
    struct rng rng;
    struct point q[POINTS_MAX];
    int met = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        rng_seed(&rng, seed);
        int32_t n = 4 + (int32_t)rng_below(&rng, 60);
        star(&rng, q, n);
        assert_false(meets(q, n));
        int32_t i = (int32_t)rng_below(&rng, (uint64_t)n),
                j = (int32_t)rng_below(&rng, (uint64_t)n);
        struct point swap = q[i];
        q[i] = q[j];
        q[j] = swap;
        bool twin = twin_crosses(q, n), ours = meets(q, n);
        met += twin;
        if (twin != ours) /* doubles do not see an edge that only touches */
            assert_true(ours && !twin && i != j);
    }
    assert_true(met > 100);
}

static void test_nearest(void **state) {
    (void)state;
    struct point square[] = {p(57, 11), p(57, 12), p(58, 12), p(58, 11)}, near;
    struct ring r = {square, 4};
    double far_m = rings_nearest_m(&r, 1, p(56.9, 11.5), &near);
    assert_true(fabs(far_m - geo_distance_m(p(56.9, 11.5), near)) < 20);
    assert_true(fabs((double)near.lat_e7 / E7 - 57) < 1e-6);
    assert_true(fabs((double)near.lng_e7 / E7 - 11.5) < 1e-3);
    rings_nearest_m(&r, 1, p(59, 13), &near); /* a corner */
    assert_true(near.lat_e7 == square[2].lat_e7 && near.lng_e7 == square[2].lng_e7);
}

static void test_simplified(void **state) {
    (void)state;
    struct rng rng;
    struct arena a;
    struct point q[POINTS_MAX];
    for (uint64_t seed = 1; seed <= 50; seed++) {
        rng_seed(&rng, seed);
        arena_init(&a, 65536);
        int32_t n = 3 + (int32_t)rng_below(&rng, POINTS_MAX - 3);
        double tolerance_m = (double)rng_below(&rng, 5000);
        star(&rng, q, n);
        struct ring whole = {q, n}, less = ring_simplified(&whole, tolerance_m, &a);
        assert_true(less.count >= 1 && less.count <= n);
        assert_int_equal(ring_simplified(&whole, 0, &a).count, n);
        for (int32_t i = 0; i < n && less.count >= 2; i++) {
            struct point near;
            assert_true(rings_nearest_m(&less, 1, q[i], &near) <= tolerance_m * 1.05 + 1);
        }
        arena_free(&a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_way_round),   cmocka_unit_test(test_meeting),
        cmocka_unit_test(test_rings_apart), cmocka_unit_test(test_meeting_random),
        cmocka_unit_test(test_nearest),     cmocka_unit_test(test_simplified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
