/* Ids, random numbers and units. */
#include "base/id.h"
#include "base/test.h"
#include "base/timestamp.h"
#include "base/units.h"

#include <math.h>
#include <string.h>

#define NOW_US INT64_C(1790000000123456)

static void ids_are_valid_and_sort_by_time(void **state) {
    (void)state;
    struct arena a;
    struct rng rng;
    arena_init(&a, 4096);
    rng_seed(&rng, 7);
    struct str before = id_new(&a, "bkg", 0, &rng);
    for (int i = 1; i < 2000; i++) {
        int64_t now_us = (int64_t)i * i * 1234567;
        struct str id = id_new(&a, "bkg", now_us, &rng);
        assert_int_equal(id.len, 30);
        assert_true(id_valid(id, "bkg") && id_valid(id, NULL) && !id_valid(id, "drv"));
        assert_true(id_time_us(id) == now_us / US_PER_MS * US_PER_MS);
        assert_true(str_cmp(before, id) < 0);
        before = id;
    }
    arena_free(&a);
}

static void what_is_no_id(void **state) {
    (void)state;
    static const char *const invalid[] = {
        "",
        "bkg_",
        "bkg_01ARZ3NDEKTSV4RRFFQ69G5FA",   /* 25 */
        "bkg_01ARZ3NDEKTSV4RRFFQ69G5FAVX", /* 27 */
        "bkg_81ARZ3NDEKTSV4RRFFQ69G5FAV",  /* more than 128 bits */
        "bkg_01ARZ3NDEKTSV4RRFFQ69G5FAI",  /* not in the alphabet */
        "bkg_01ARZ3NDEKTSV4RRFFQ69G5FAL",
        "bkg_01ARZ3NDEKTSV4RRFFQ69G5FAO",
        "bkg_01ARZ3NDEKTSV4RRFFQ69G5FAU",
        "bkg_01arz3ndektsv4rrffq69g5fav", /* one id, one text */
        "bkg-01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "BKG_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "bk_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "bkgx_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "bkg_01ARZ3NDEKTSV4RRFFQ69G5F/V",
        "bkg_01ARZ3NDEKTSV4RRFFQ69G5F\xC3\xA4",
    };
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++)
        assert_false(id_valid(str_from(invalid[i]), "bkg"));
    assert_false(id_valid(STR_NONE, "bkg"));
    assert_false(id_valid(STR_NONE, NULL));
    assert_true(id_valid(STR("bkg_01ARZ3NDEKTSV4RRFFQ69G5FAV"), "bkg"));
    assert_true(id_valid(STR("bkg_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"), "bkg"));
    assert_true(id_time_us(STR("nothing")) == 0);
    assert_true(id_time_us(STR("x_01ARYZ6S41TSV4RRFFQ69G5FAV")) == INT64_C(1469918176385000));
}

static void ids_from_ids(void **state) {
    (void)state;
    struct arena a;
    struct rng rng;
    arena_init(&a, 4096);
    rng_seed(&rng, 8);
    struct str quote = id_new(&a, "qte", NOW_US, &rng);
    struct str booking = id_with_prefix(&a, quote, "bkg");
    assert_true(id_valid(booking, "bkg"));
    assert_true(str_eq(id_with_prefix(&a, booking, "qte"), quote));
    for (unsigned v = 0; v < 8; v++) {
        struct str variant = id_variant(&a, quote, v);
        assert_true(id_valid(variant, "qte"));
        assert_int_equal(id_variant_of(variant), v);
        assert_true(str_eq(str_sub(variant, 0, 29), str_sub(quote, 0, 29)));
        assert_true(str_eq(id_variant(&a, variant, id_variant_of(quote)), quote));
    }
    arena_free(&a);
}

static void random_numbers_by_the_book(void **state) {
    (void)state;
    /* The first outputs of the reference implementation from this state. */
    static const uint64_t wanted[] = {UINT64_C(11520), 0, UINT64_C(1509978240),
                                      UINT64_C(1215971899390074240)};
    struct rng r = {{1, 2, 3, 4}};
    for (int i = 0; i < 4; i++)
        assert_true(rng_next(&r) == wanted[i]);
    struct rng a, b;
    rng_seed(&a, 0);
    rng_seed(&b, 0);
    assert_true(a.s[0] == UINT64_C(0xe220a8397b1dcdaf)); /* splitmix64's first from 0 */
    assert_true(rng_next(&a) == rng_next(&b));
    rng_seed(&b, 1);
    assert_true(rng_next(&a) != rng_next(&b));
}

static void random_numbers_are_fair(void **state) {
    (void)state;
    enum { DRAWS = 100000, FACES = 7 };
    struct rng r;
    rng_seed(&r, 9);
    int faces[FACES] = {0};
    double sum = 0, exponential_sum = 0;
    for (int i = 0; i < DRAWS; i++) {
        uint64_t face = rng_below(&r, FACES);
        assert_true(face < FACES);
        faces[face]++;
        int64_t between = rng_between(&r, -3, 3);
        assert_true(between >= -3 && between <= 3);
        double unit = rng_unit(&r);
        assert_true(unit >= 0 && unit < 1);
        sum += unit;
        double wait = rng_exponential(&r, 5);
        assert_true(wait >= 0 && isfinite(wait));
        exponential_sum += wait;
    }
    for (int i = 0; i < FACES; i++)
        assert_in_range(faces[i], DRAWS / FACES - 600, DRAWS / FACES + 600);
    assert_true(fabs(sum / DRAWS - 0.5) < 0.01);
    assert_true(fabs(exponential_sum / DRAWS - 5) < 0.1);
    assert_int_equal(rng_below(&r, 1), 0);
    assert_true(rng_between(&r, 5, 5) == 5);
    rng_between(&r, INT64_MIN, INT64_MAX);
    /* A big n: modulo would favour the low third by two to one. */
    uint64_t n = UINT64_C(3) << 62;
    int low = 0;
    for (int i = 0; i < DRAWS; i++)
        low += rng_below(&r, n) < n / 3;
    assert_in_range(low, DRAWS / 3 - 1000, DRAWS / 3 + 1000);
    unsigned char bytes[20] = {0};
    rng_bytes(&r, bytes, 13);
    assert_memory_equal(bytes + 13, ((unsigned char[7]){0}), 7);
    rng_bytes(&r, bytes, 0);
}

static void points(void **state) {
    (void)state;
    struct point p = point_of(57.7089, -11.9746);
    assert_int_equal(p.lat_e7, 577089000);
    assert_int_equal(p.lng_e7, -119746000);
    assert_true(point_lat(p) == 57.7089 && point_lng(p) == -11.9746);
    assert_string_equal(vehicle_names[VEHICLE_TRUCK], "truck");
    assert_string_equal(role_names[ROLE_ADMIN], "admin");
    assert_null(vehicle_names[VEHICLE_COUNT]);
    assert_null(role_names[ROLE_COUNT]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_valid_and_sort_by_time),
        cmocka_unit_test(what_is_no_id),
        cmocka_unit_test(ids_from_ids),
        cmocka_unit_test(random_numbers_by_the_book),
        cmocka_unit_test(random_numbers_are_fair),
        cmocka_unit_test(points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
