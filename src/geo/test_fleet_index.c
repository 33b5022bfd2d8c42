/* The fleet index against a twin that looks at everybody. */
#include "geo/fleet_index.h"

#include "base/check.h"
#include "base/rng.h"
#include "base/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CROWD_MAX 400
#define LAT_MOST (INT64_C(90) * E7)
#define LNG_MOST (INT64_C(180) * E7)

struct twin {
    struct fleet_item items[CROWD_MAX];
    int32_t count;
};

static struct fleet_item driver(int number, struct point at) {
    struct fleet_item item = {.at = at, .vehicle = VEHICLE_CAR, .free = true, .at_us = 1};
    snprintf(item.key, sizeof item.key, "drv_%05d", number);
    return item;
}

static struct twin *twin_new(void) {
    return calloc(1, sizeof(struct twin));
}

static void twin_put(struct twin *t, const struct fleet_item *item) {
    int32_t i = 0;
    while (i < t->count && strcmp(t->items[i].key, item->key) != 0)
        i++;
    CHECK(i < CROWD_MAX);
    t->items[i] = *item;
    t->count += i == t->count;
}

static bool twin_remove(struct twin *t, const char *key) {
    for (int32_t i = 0; i < t->count; i++) {
        if (strcmp(t->items[i].key, key) == 0) {
            t->items[i] = t->items[--t->count];
            return true;
        }
    }
    return false;
}

static bool passes(const struct fleet_item *item, const struct fleet_filter *f) {
    return (f->vehicles == 0 || (f->vehicles >> item->vehicle & 1)) &&
           (!f->free_only || item->free) &&
           (f->newer_than_us == 0 || item->at_us > f->newer_than_us);
}

static int by_distance(const void *left, const void *right) {
    const struct fleet_hit *a = left, *b = right;
    if (a->distance_m != b->distance_m)
        return a->distance_m < b->distance_m ? -1 : 1;
    return strcmp(a->item->key, b->item->key);
}

static int32_t twin_nearest(const struct twin *t, struct point at, double radius_m,
                            const struct fleet_filter *f, struct fleet_hit *hits) {
    int32_t n = 0;
    for (int32_t i = 0; i < t->count; i++) {
        double distance_m = geo_distance_m(at, t->items[i].at);
        if (distance_m <= radius_m && passes(&t->items[i], f))
            hits[n++] = (struct fleet_hit){&t->items[i], distance_m};
    }
    qsort(hits, (size_t)n, sizeof *hits, by_distance);
    return n;
}

/* ---- where a crowd stands ---- */

enum scene { CITY, WORLD, STREET, SPOT, SOUTH_POLE, NORTH_POLE, ANTIMERIDIAN, LATTICE, SCENES };

static int32_t clamp(int64_t v, int64_t most) {
    return (int32_t)(v < -most ? -most : v > most ? most : v);
}

static struct point random_point(struct rng *r, enum scene scene) {
    switch (scene) {
    case CITY:
        return (struct point){(int32_t)rng_between(r, 576000000, 578000000),
                              (int32_t)rng_between(r, 118000000, 121000000)};
    case STREET: {
        int32_t along = (int32_t)rng_between(r, 0, 90000);
        return (struct point){577000000 + along, 119000000 + 2 * along};
    }
    case SPOT:
        return (struct point){-338000000, 1512000000};
    case SOUTH_POLE:
    case NORTH_POLE: {
        int32_t lat = 90 * E7 - (int32_t)rng_below(r, 300000);
        return (struct point){scene == NORTH_POLE ? lat : -lat,
                              (int32_t)rng_between(r, -LNG_MOST, LNG_MOST)};
    }
    case ANTIMERIDIAN: {
        int64_t lng = 180 * (int64_t)E7 + rng_between(r, -2000000, 2000000);
        return (struct point){(int32_t)rng_between(r, -180000000, -178000000),
                              (int32_t)(lng > 180 * (int64_t)E7 ? lng - 360 * (int64_t)E7 : lng)};
    }
    case LATTICE: /* few places, so many ties */
        return (struct point){(int32_t)rng_between(r, -3, 3), (int32_t)rng_between(r, -3, 3)};
    default:
        return (struct point){(int32_t)rng_between(r, -LAT_MOST, LAT_MOST),
                              (int32_t)rng_between(r, -LNG_MOST, LNG_MOST)};
    }
}

static struct point query_point(struct rng *r, enum scene scene, const struct twin *t) {
    struct point p = random_point(r, scene);
    switch (rng_below(r, 6)) {
    case 0: /* where somebody is */
        return t->count ? t->items[rng_below(r, (uint64_t)t->count)].at : p;
    case 1: /* on the other side of the globe */
        return (struct point){-p.lat_e7, p.lng_e7 > 0 ? p.lng_e7 - 180 * E7 : p.lng_e7 + 180 * E7};
    case 2:
        return (struct point){clamp((int64_t)p.lat_e7 + rng_between(r, -99999, 99999), LAT_MOST),
                              rng_below(r, 2) ? 180 * E7 : -180 * E7};
    case 3:
        return (struct point){rng_below(r, 2) ? 90 * E7 : -90 * E7, p.lng_e7};
    default:
        return p;
    }
}

static double random_radius(struct rng *r) {
    static const double radii_m[] = {0, 0.02, 1, 30, 250, 1000, 10000, 300000, 1e7, 2.1e7, 1e300};
    return radii_m[rng_below(r, COUNT_OF(radii_m))];
}

static struct fleet_filter random_filter(struct rng *r) {
    struct fleet_filter f = {0};
    if (rng_below(r, 2))
        f.vehicles = (uint32_t)rng_below(r, 32);
    f.free_only = rng_below(r, 2);
    if (rng_below(r, 3) == 0)
        f.newer_than_us = rng_between(r, 1, 100);
    return f;
}

static void change(struct rng *r, enum scene scene, struct fleet_index *x, struct twin *t,
                   int people) {
    struct fleet_item item = driver((int)rng_below(r, (uint64_t)people), random_point(r, scene));
    if (rng_below(r, 4) == 0) {
        assert_int_equal(fleet_index_remove(x, str_from(item.key)), twin_remove(t, item.key));
        assert_null(fleet_index_get(x, str_from(item.key)));
        return;
    }
    item.vehicle = (uint8_t)rng_below(r, VEHICLE_COUNT);
    item.free = rng_below(r, 2);
    item.at_us = rng_between(r, 1, 100);
    const struct fleet_item *put = fleet_index_put(x, &item);
    assert_ptr_equal(put, fleet_index_get(x, str_from(item.key)));
    assert_string_equal(put->key, item.key);
    twin_put(t, &item);
}

static void compare_nearest(uint64_t seed, struct rng *r, enum scene scene,
                            const struct fleet_index *x, const struct twin *t) {
    static struct fleet_hit want[CROWD_MAX], got[CROWD_MAX];
    struct point at = query_point(r, scene, t);
    double radius_m = random_radius(r);
    struct fleet_filter f = random_filter(r);
    int32_t k = rng_below(r, 3) ? (int32_t)rng_between(r, 1, 12) : CROWD_MAX;
    int32_t all = twin_nearest(t, at, radius_m, &f, want), expected = all < k ? all : k;
    int32_t n = fleet_index_nearest(x, at, radius_m, &f, k, got);
    if (n != expected)
        fail_msg("seed %llu scene %d: %d hits, not %d", (unsigned long long)seed, scene, n,
                 expected);
    for (int32_t i = 0; i < n; i++) {
        if (strcmp(got[i].item->key, want[i].item->key) != 0 ||
            got[i].distance_m != want[i].distance_m)
            fail_msg("seed %llu scene %d: hit %d is %s at %.9f, not %s at %.9f",
                     (unsigned long long)seed, scene, i, got[i].item->key, got[i].distance_m,
                     want[i].item->key, want[i].distance_m);
    }
}

static struct box random_box(struct rng *r, enum scene scene) {
    if (rng_below(r, 3) == 0) {
        struct point centre = random_point(r, scene);
        double half_m = random_radius(r);
        struct point low = geo_offset(centre, -half_m, -half_m);
        struct point high = geo_offset(centre, half_m, half_m);
        return (struct box){low.lat_e7, low.lng_e7, high.lat_e7, high.lng_e7};
    }
    struct point a = random_point(r, scene), b = random_point(r, scene);
    struct box box = {a.lat_e7, a.lng_e7, b.lat_e7, b.lng_e7};
    if (rng_below(r, 8) == 0)
        box.east_e7 = rng_below(r, 2) ? 180 * E7 : -180 * E7;
    if (rng_below(r, 8) == 0)
        box.west_e7 = rng_below(r, 2) ? 180 * E7 : -180 * E7;
    if (box.south_e7 > box.north_e7 && rng_below(r, 8)) {
        box.south_e7 = b.lat_e7;
        box.north_e7 = a.lat_e7;
    }
    return box;
}

static void compare_box(uint64_t seed, struct rng *r, enum scene scene, const struct fleet_index *x,
                        const struct twin *t) {
    static const struct fleet_item *got[CROWD_MAX];
    struct box box = random_box(r, scene);
    struct fleet_filter f = random_filter(r);
    int32_t expected = 0;
    for (int32_t i = 0; i < t->count; i++)
        expected += passes(&t->items[i], &f) && box_has(box, t->items[i].at);
    int32_t max = rng_below(r, 4) ? CROWD_MAX : (int32_t)rng_below(r, 5);
    int32_t n = fleet_index_box(x, box, &f, max, got);
    if (n != (expected < max ? expected : max))
        fail_msg("seed %llu scene %d: %d in the box, not %d of %d", (unsigned long long)seed, scene,
                 n, expected, max);
    for (int32_t i = 0; i < n; i++) {
        assert_true(box_has(box, got[i]->at) && passes(got[i], &f));
        for (int32_t j = 0; j < i; j++)
            assert_ptr_not_equal(got[i], got[j]);
    }
}

static void one_seed(uint64_t seed) {
    struct rng r;
    rng_seed(&r, seed);
    enum scene scene = (enum scene)(seed % SCENES);
    struct fleet_index *x = fleet_index_new();
    struct twin *t = twin_new();
    int people = (int)rng_between(&r, 1, CROWD_MAX);
    for (int step = 0; step < 12; step++) {
        int64_t changes = rng_between(&r, 0, 2 * (int64_t)people);
        for (int64_t i = 0; i < changes; i++)
            change(&r, scene, x, t, people);
        assert_int_equal(fleet_index_count(x), t->count);
        for (int i = 0; i < 3; i++) {
            compare_nearest(seed, &r, scene, x, t);
            compare_box(seed, &r, scene, x, t);
        }
    }
    fleet_index_free(x);
    free(t);
}

static void test_twin(void **state) {
    (void)state;
    const char *seeds = getenv("LORRY_TEST_SEEDS");
    uint64_t count = seeds ? strtoull(seeds, NULL, 10) : 400;
    for (uint64_t seed = 0; seed < count; seed++)
        one_seed(seed);
}

static void test_empty(void **state) {
    (void)state;
    struct fleet_index *x = fleet_index_new();
    struct fleet_hit hits[3];
    const struct fleet_item *items[3];
    struct point here = {0, 0};
    assert_int_equal(fleet_index_nearest(x, here, 1e9, NULL, 3, hits), 0);
    assert_int_equal(
        fleet_index_box(x, (struct box){-90 * E7, -180 * E7, 90 * E7, 180 * E7}, NULL, 3, items),
        0);
    assert_false(fleet_index_remove(x, STR("drv_1")));
    struct fleet_item item = driver(1, here);
    fleet_index_put(x, &item);
    assert_int_equal(fleet_index_nearest(x, here, 1e9, NULL, 0, hits), 0);
    assert_int_equal(fleet_index_nearest(x, here, -1, NULL, 3, hits), 0);
    assert_int_equal(fleet_index_nearest(x, here, (double)NAN, NULL, 3, hits), 0);
    assert_int_equal(fleet_index_nearest(x, here, 0, NULL, 3, hits), 1);
    fleet_index_free(x);
    assert_null(fleet_index_free(NULL));
}

/* More on one spot than any leaf holds, who then all drive away. */
static void test_crowd_on_a_spot(void **state) {
    (void)state;
    struct fleet_index *x = fleet_index_new();
    const int crowd = 5000;
    struct point spot = {577000000, 119000000};
    for (int i = crowd; i-- > 0;) {
        struct fleet_item item = driver(i, spot);
        fleet_index_put(x, &item);
    }
    struct fleet_hit hits[10];
    assert_int_equal(fleet_index_nearest(x, spot, 250, NULL, 10, hits), 10);
    for (int i = 0; i < 10; i++)
        assert_string_equal(hits[i].item->key, driver(i, spot).key);
    for (int i = 0; i < crowd; i++) {
        struct fleet_item item = driver(i, geo_offset(spot, i, 0));
        fleet_index_put(x, &item);
    }
    assert_int_equal(fleet_index_nearest(x, geo_offset(spot, 4000, 0), 2.5, NULL, 10, hits), 5);
    assert_string_equal(hits[0].item->key, driver(4000, spot).key);
    for (int i = 0; i < crowd; i++)
        assert_true(fleet_index_remove(x, str_from(driver(i, spot).key)));
    assert_int_equal(fleet_index_count(x), 0);
    assert_int_equal(fleet_index_nearest(x, spot, 1e9, NULL, 10, hits), 0);
    fleet_index_free(x);
}

/* The pointer that put gives stays good while the driver moves, and shows where he is now. */
static void test_items_stay(void **state) {
    (void)state;
    struct fleet_index *x = fleet_index_new();
    const struct fleet_item *first = NULL;
    for (int i = 0; i < 1000; i++) {
        struct fleet_item item = driver(i, geo_offset((struct point){0, 0}, i, -i));
        const struct fleet_item *put = fleet_index_put(x, &item);
        first = first ? first : put;
    }
    struct fleet_item moved = driver(0, (struct point){10 * E7, 10 * E7});
    assert_ptr_equal(fleet_index_put(x, &moved), first);
    assert_int_equal(first->at.lat_e7, 10 * E7);
    assert_ptr_equal(fleet_index_put(x, first), first); /* its own item put again */
    fleet_index_free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty), cmocka_unit_test(test_crowd_on_a_spot),
        cmocka_unit_test(test_items_stay), cmocka_unit_test(test_twin)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
