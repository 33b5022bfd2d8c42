/* The plan against what must hold of any plan, over random facts with seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/rng.h"
#include "dispatch/dispatch.h"

#include <stdio.h>
#include <string.h>

#define CROWD_MAX 20

static struct arena arena;

static struct dispatch_candidate one(const char *id, int64_t eta_s,
                                     enum dispatch_standing standing) {
    return (struct dispatch_candidate){.driver_id = str_from(id),
                                       .distance_m = eta_s * 10,
                                       .eta_s = standing == DISPATCH_BARRED ? -1 : eta_s,
                                       .standing = standing,
                                       .bar = STR("holds another offer")};
}

static void assert_str(struct str s, const char *want) {
    if (!str_is(s, want))
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(s), want);
}

static void test_nobody(void **state) {
    (void)state;
    assert_int_equal(dispatch_plan(NULL, 0, 3, &arena), 0);
}

static void test_soonest_first(void **state) {
    (void)state;
    struct dispatch_candidate c[] = {one("drv_C", 240, DISPATCH_FRESH),
                                     one("drv_B", 150, DISPATCH_FRESH),
                                     one("drv_A", 10, DISPATCH_BARRED)};
    assert_int_equal(dispatch_plan(c, 3, 1, &arena), 1);
    assert_str(c[0].driver_id, "drv_B");
    assert_true(c[0].chosen);
    assert_int_equal(c[0].rank, 1);
    assert_str(c[1].driver_id, "drv_C");
    assert_false(c[1].chosen);
    assert_str(c[1].reason, "farther: 240 s against 150 s");
    assert_str(c[2].reason, "holds another offer");
    assert_int_equal(c[2].rank, 0);
    assert_int_equal(c[2].score, 0);
}

static void test_ties_by_id(void **state) {
    (void)state;
    struct dispatch_candidate c[] = {one("drv_B", 60, DISPATCH_FRESH),
                                     one("drv_A", 60, DISPATCH_FRESH)};
    assert_int_equal(dispatch_plan(c, 2, 1, &arena), 1);
    assert_str(c[0].driver_id, "drv_A");
    assert_str(c[1].reason, "as far: 60 s, and the other stands before by id");
}

static void test_again_only_when_nobody_is_fresh(void **state) {
    (void)state;
    struct dispatch_candidate c[] = {one("drv_A", 5, DISPATCH_AGAIN),
                                     one("drv_B", 900, DISPATCH_FRESH)};
    assert_int_equal(dispatch_plan(c, 2, 2, &arena), 1);
    assert_str(c[0].driver_id, "drv_B");
    assert_str(c[1].reason, "gave no answer before; others are asked first");
    struct dispatch_candidate d[] = {one("drv_A", 5, DISPATCH_AGAIN),
                                     one("drv_B", 900, DISPATCH_BARRED)};
    assert_int_equal(dispatch_plan(d, 2, 2, &arena), 1);
    assert_str(d[0].reason, "asked again: nobody else is free");
}

static void test_nobody_wanted(void **state) {
    (void)state;
    struct dispatch_candidate c[] = {one("drv_A", 5, DISPATCH_FRESH)};
    assert_int_equal(dispatch_plan(c, 1, 0, &arena), 0);
    assert_str(c[0].reason, "nobody more is asked at the moment");
}

static void test_score(void **state) {
    (void)state;
    assert_int_equal(dispatch_score(0), DISPATCH_SCORE_MAX);
    assert_int_equal(dispatch_score(DISPATCH_SCORE_HALF_S), DISPATCH_SCORE_MAX / 2);
    for (int64_t s = 1; s < 20000; s++)
        assert_true(dispatch_score(s) <= dispatch_score(s - 1));
    assert_int_equal(dispatch_score(INT64_MAX), 0);
}

static void test_radius(void **state) {
    (void)state;
    assert_int_equal(dispatch_next_radius(1500, 12000), 3000);
    assert_int_equal(dispatch_next_radius(7000, 12000), 12000);
    assert_int_equal(dispatch_next_radius(12000, 12000), 12000);
}

/* The same set, whatever order it comes in, gives the same plan; and every plan keeps the rules. */
static void check_plan(uint64_t seed) {
    struct rng rng;
    rng_seed(&rng, seed);
    char ids[CROWD_MAX][16];
    struct dispatch_candidate c[CROWD_MAX], other[CROWD_MAX];
    int32_t count = (int32_t)rng_between(&rng, 1, CROWD_MAX), fresh = 0, again = 0;
    int32_t wave = (int32_t)rng_between(&rng, 0, 5);
    for (int32_t i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "drv_%02d", i);
        c[i] = one(ids[i], rng_between(&rng, 0, 40), (enum dispatch_standing)rng_below(&rng, 3));
        fresh += c[i].standing == DISPATCH_FRESH;
        again += c[i].standing == DISPATCH_AGAIN;
    }
    memcpy(other, c, sizeof c);
    for (int32_t i = count - 1; i > 0; i--) { /* shuffled */
        int32_t with = (int32_t)rng_below(&rng, (uint64_t)i + 1);
        struct dispatch_candidate kept = other[i];
        other[i] = other[with];
        other[with] = kept;
    }
    int32_t chosen = dispatch_plan(c, count, wave, &arena);
    int32_t may_be = fresh > 0 ? fresh : again;
    assert_int_equal(chosen, may_be < wave ? may_be : wave);
    assert_int_equal(dispatch_plan(other, count, wave, &arena), chosen);
    for (int32_t i = 0; i < count; i++) {
        assert_true(str_eq(c[i].driver_id, other[i].driver_id));
        assert_int_equal(c[i].chosen, i < chosen);
        assert_true(c[i].reason.len > 0);
        assert_false(c[i].chosen && c[i].standing == DISPATCH_BARRED);
        for (int32_t k = 0; k < i; k++) { /* nobody stands behind one whom he beats */
            if (c[k].standing == c[i].standing && c[i].standing != DISPATCH_BARRED) {
                assert_true(c[k].eta_s <= c[i].eta_s);
                assert_true(c[k].score >= c[i].score);
            }
        }
    }
}

static void test_any_crowd(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        check_plan(seed);
        arena_reset(&arena);
    }
}

int main(void) {
    arena_init(&arena, 4096);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_soonest_first),
        cmocka_unit_test(test_ties_by_id),
        cmocka_unit_test(test_again_only_when_nobody_is_fresh),
        cmocka_unit_test(test_nobody_wanted),
        cmocka_unit_test(test_score),
        cmocka_unit_test(test_radius),
        cmocka_unit_test(test_any_crowd),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
