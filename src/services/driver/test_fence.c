/* Geofences and arrival times as pure functions: what must hold of any noise, with seeds. */
#include "base/check.h"
#include "base/rng.h"
#include "base/test.h"
#include "services/driver/eta.h"
#include "services/driver/fence.h"

#include <math.h>
#include <stdlib.h>

#define S INT64_C(1000000)

static const struct fence_terms terms = {120, 240, FENCE_DWELL_US};

static void test_in_and_out(void **unused) {
    (void)unused;
    struct fence f = {0};
    assert_int_equal(fence_step(&f, &terms, 500, 10, 100 * S), FENCE_NOTHING);
    assert_int_equal(fence_step(&f, &terms, 100, 10, 110 * S), FENCE_NOTHING);
    assert_int_equal(fence_step(&f, &terms, 90, 10, 120 * S), FENCE_NOTHING);
    assert_int_equal(fence_step(&f, &terms, 20, 10, 130 * S), FENCE_REACHED);
    assert_true(f.inside && f.reached_us == 110 * S && f.left_us == 0);
    /* between the radii nothing happens, however long */
    for (int i = 0; i < 1000; i++)
        assert_int_equal(fence_step(&f, &terms, 121 + i % 110, 5, (140 + i) * S), FENCE_NOTHING);
    assert_int_equal(fence_step(&f, &terms, 260, 10, 2000 * S), FENCE_NOTHING);
    assert_int_equal(fence_step(&f, &terms, 400, 10, 2020 * S), FENCE_LEFT);
    assert_true(!f.inside && f.left_us == 2000 * S && f.reached_us == 110 * S);
}

static void test_says_nothing(void **unused) {
    (void)unused;
    struct fence f = {0};
    for (int i = 0; i < 100; i++) { /* anywhere; just across; of no use */
        assert_int_equal(fence_step(&f, &terms, 100, 40, (100 + i) * S), FENCE_NOTHING);
        assert_int_equal(fence_step(&f, &terms, 0, 5000, (100 + i) * S), FENCE_NOTHING);
        assert_int_equal(fence_step(&f, &terms, 121, 0, (100 + i) * S), FENCE_NOTHING);
    }
    /* he drives past: in for a moment only */
    assert_int_equal(fence_step(&f, &terms, 50, 10, 300 * S), FENCE_NOTHING);
    assert_int_equal(fence_step(&f, &terms, 130, 10, 310 * S), FENCE_NOTHING);
    assert_int_equal(fence_step(&f, &terms, 50, 10, 329 * S), FENCE_NOTHING);
    assert_int_equal(fence_step(&f, &terms, 300, 10, 400 * S), FENCE_NOTHING);
    assert_int_equal(f.reached_us, 0);
    /* a fix that says nothing does not break off a change */
    assert_int_equal(fence_step(&f, &terms, 50, -1, 500 * S), FENCE_NOTHING);
    assert_int_equal(fence_step(&f, &terms, 110, 90, 510 * S), FENCE_NOTHING);
    assert_int_equal(fence_step(&f, &terms, 50, -1, 520 * S), FENCE_REACHED);
}

/* Nearly normal, in metres, never farther than its accuracy. */
static double noise(struct rng *rng, double accuracy_m) {
    double sum = 0;
    for (int i = 0; i < 6; i++)
        sum += rng_unit(rng) - 0.5;
    return sum / 3 * accuracy_m;
}

/* Whatever the noise, he who really comes once and goes once is seen to come at most once and to go
 * at most once, in that order; and who stays well inside for long is seen. */
static void test_never_flaps(void **unused) {
    (void)unused;
    struct rng rng;
    int seen = 0;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        rng_seed(&rng, seed);
        struct fence f = {0};
        double stands_m = (double)rng_below(&rng, 260); /* also just at either border */
        double accuracy_m = 5 + (double)rng_below(&rng, 150);
        int64_t at_us = 1000 * S, stays_us = (int64_t)rng_below(&rng, 3600) * S;
        int reached = 0, left = 0;
        int64_t came_us = at_us + 60 * S, goes_us = came_us + stays_us, end_us = goes_us + 600 * S;
        while (at_us < end_us) {
            at_us += 1 * S + (int64_t)rng_below(&rng, 15) * S;
            double away_m = at_us < came_us   ? 40.0 * (double)(came_us - at_us) / S
                            : at_us > goes_us ? 10.0 * (double)(at_us - goes_us) / S
                                              : 0;
            double real_m = stands_m + away_m;
            double told_m = fabs(real_m + noise(&rng, accuracy_m));
            if (rng_below(&rng, 50) == 0) /* one that is nowhere near, and does not know it */
                told_m = (double)rng_below(&rng, 2000);
            enum fence_news news = fence_step(&f, &terms, told_m, accuracy_m, at_us);
            reached += news == FENCE_REACHED;
            left += news == FENCE_LEFT;
            assert_true(reached <= 1 && left <= reached);
            if (news == FENCE_REACHED)
                assert_true(f.reached_us >= came_us - 10 * S && f.reached_us <= at_us);
        }
        bool well_inside = stands_m + 2 * accuracy_m <= terms.enter_m && stays_us > 120 * S;
        assert_true(!well_inside || reached == 1);
        assert_true(reached == 0 || left == 1); /* in the end he is far away */
        seen += reached;
    }
    assert_true(seen > 50);
}

/* ---- arrival times ---- */

static void test_smoothed(void **unused) {
    (void)unused;
    assert_int_equal(eta_smoothed(0, 0, 500 * S, 100 * S), 500 * S);
    assert_int_equal(eta_smoothed(500 * S, 100 * S, 560 * S, 100 * S),
                     500 * S); /* no time passed */
    int64_t half = eta_smoothed(1000 * S, 100 * S, 1100 * S, 100 * S + ETA_TAU_US);
    assert_true(half > 1062 * S && half < 1064 * S);                                /* 1 - 1/e */
    assert_int_equal(eta_smoothed(1000 * S, 100 * S, 1400 * S, 110 * S), 1400 * S); /* a jump */
    /* the same whether looked at often or seldom */
    int64_t often = 1000 * S;
    for (int64_t i = 1; i <= 45; i++)
        often = eta_smoothed(often, (99 + i) * S, 1100 * S, (100 + i) * S);
    assert_true(llabs(often - half) < S);
}

/* With noise of a minute either way on each look, people are told rarely, and what they are told is
 * nearer to the truth than most looks were. */
static void test_shown_rarely(void **unused) {
    (void)unused;
    struct rng rng;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        rng_seed(&rng, seed);
        int64_t truth_us = 3000 * S, eta_us = 0, seen_us = 0;
        struct eta_shown shown = {0};
        int told = 0;
        for (int64_t at = 1000; at < 2800; at += 10) {
            int64_t raw_us = truth_us + ((int64_t)rng_below(&rng, 121) - 60) * S;
            eta_us = eta_smoothed(eta_us, seen_us, raw_us, at * S);
            seen_us = at * S;
            if (!eta_is_news(&shown, eta_us))
                continue;
            shown = eta_show(eta_us, at * S);
            told++;
            assert_true(shown.early_us % ETA_WINDOW_US == 0 && shown.late_us % ETA_WINDOW_US == 0);
            assert_true(shown.early_us <= eta_us - ETA_SPREAD_US &&
                        shown.late_us >= eta_us + ETA_SPREAD_US);
        }
        assert_true(told >= 1 && told <= 6);
        assert_true(llabs(shown.at_us - truth_us) <= 75 * S);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_and_out),   cmocka_unit_test(test_says_nothing),
        cmocka_unit_test(test_never_flaps),  cmocka_unit_test(test_smoothed),
        cmocka_unit_test(test_shown_rarely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
