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

static const struct dispatch_weights *const weights = &dispatch_weights_standard;

static struct dispatch_candidate one(const char *id, int64_t eta_s,
                                     enum dispatch_standing standing) {
    return (struct dispatch_candidate){
        .driver_id = str_from(id),
        .distance_m = eta_s * 10,
        .value = {[PART_ETA] = standing == DISPATCH_BARRED ? -1 : eta_s},
        .standing = standing,
        .bar = standing == DISPATCH_BARRED ? REASON_HOLDS_OFFER : REASON_NONE};
}

static void assert_str(struct str s, const char *want) {
    if (!str_is(s, want))
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(s), want);
}

static void test_nobody(void **state) {
    (void)state;
    assert_int_equal(dispatch_plan(weights, NULL, 0, 3, &arena), 0);
}

static void test_soonest_first(void **state) {
    (void)state;
    struct dispatch_candidate c[] = {one("drv_C", 240, DISPATCH_FRESH),
                                     one("drv_B", 150, DISPATCH_FRESH),
                                     one("drv_A", 10, DISPATCH_BARRED)};
    assert_int_equal(dispatch_plan(weights, c, 3, 1, &arena), 1);
    assert_str(c[0].driver_id, "drv_B");
    assert_true(c[0].chosen);
    assert_int_equal(c[0].rank, 1);
    assert_str(c[1].driver_id, "drv_C");
    assert_false(c[1].chosen);
    assert_str(c[1].words, "farther: 240 s against 150 s");
    assert_str(c[2].words, "holds another offer");
    assert_int_equal(c[2].rank, 0);
    assert_int_equal(c[2].score, 0);
}

static void test_ties_by_id(void **state) {
    (void)state;
    struct dispatch_candidate c[] = {one("drv_B", 60, DISPATCH_FRESH),
                                     one("drv_A", 60, DISPATCH_FRESH)};
    assert_int_equal(dispatch_plan(weights, c, 2, 1, &arena), 1);
    assert_str(c[0].driver_id, "drv_A");
    assert_str(c[1].words, "equal, and the other stands before by id");
}

static void test_again_only_when_nobody_is_fresh(void **state) {
    (void)state;
    struct dispatch_candidate c[] = {one("drv_A", 5, DISPATCH_AGAIN),
                                     one("drv_B", 900, DISPATCH_FRESH)};
    assert_int_equal(dispatch_plan(weights, c, 2, 2, &arena), 1);
    assert_str(c[0].driver_id, "drv_B");
    assert_str(c[1].words, "gave no answer before; others are asked first");
    struct dispatch_candidate d[] = {one("drv_A", 5, DISPATCH_AGAIN),
                                     one("drv_B", 900, DISPATCH_BARRED)};
    assert_int_equal(dispatch_plan(weights, d, 2, 2, &arena), 1);
    assert_str(d[0].words, "asked again: nobody else is free");
}

static void test_nobody_wanted(void **state) {
    (void)state;
    struct dispatch_candidate c[] = {one("drv_A", 5, DISPATCH_FRESH)};
    assert_int_equal(dispatch_plan(weights, c, 1, 0, &arena), 0);
    assert_str(c[0].words, "nobody more is asked at the moment");
}

static void test_score(void **state) {
    (void)state;
    assert_int_equal(dispatch_score(0), DISPATCH_SCORE_MAX);
    assert_int_equal(dispatch_score(DISPATCH_SCORE_HALF), DISPATCH_SCORE_MAX / 2);
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

/* ---- the parts ---- */

/* Two who are as far; B is the better in PART. */
static void check_part(int part, int64_t a_value, int64_t b_value, enum dispatch_reason reason,
                       const char *words) {
    struct dispatch_candidate c[] = {one("drv_A", 100, DISPATCH_FRESH),
                                     one("drv_B", 100, DISPATCH_FRESH)};
    c[0].value[part] = a_value;
    c[1].value[part] = b_value;
    assert_int_equal(dispatch_plan(weights, c, 2, 1, &arena), 1);
    assert_str(c[0].driver_id, "drv_B");
    assert_int_equal(c[0].points[part], 0);
    int64_t by = a_value > b_value ? a_value - b_value : b_value - a_value;
    assert_int_equal(c[1].points[part], weights->of[part] * by);
    assert_int_equal(c[1].cost, 1000 + weights->of[part] * by);
    assert_int_equal(c[1].reason, reason);
    assert_str(c[1].words, words);
    struct dispatch_weights none = *weights;
    none.of[part] = 0; /* then it does not count, and the id decides */
    assert_int_equal(dispatch_plan(&none, c, 2, 1, &arena), 1);
    assert_str(c[0].driver_id, "drv_A");
    assert_int_equal(c[1].reason, REASON_TIE);
}

static void test_parts(void **state) {
    (void)state;
    check_part(PART_RATING, 410, 480, REASON_RATED_LOWER, "rated lower: 4.10 against 4.80");
    check_part(PART_JOBS, 205, 5, REASON_MORE_JOBS, "had more jobs lately: 2.05 against 0.05");
    check_part(PART_IDLE, 3, 12, REASON_LESS_IDLE,
               "has waited for less long: 3 min against 12 min");
    check_part(PART_ACCEPTANCE, 60, 90, REASON_TAKES_FEWER,
               "takes fewer offers: 60 % against 90 %");
    check_part(PART_CLASS, 1, 0, REASON_BIGGER_CLASS, "drives a bigger vehicle than is needed");
}

/* A little farther, but for so much better: and the one who is sooner is told what it was. */
static void test_parts_against_each_other(void **state) {
    (void)state;
    struct dispatch_candidate c[] = {one("drv_A", 60, DISPATCH_FRESH),
                                     one("drv_B", 75, DISPATCH_FRESH)};
    c[0].value[PART_RATING] = 400;
    c[1].value[PART_RATING] = 500; /* worth 30 s */
    assert_int_equal(dispatch_plan(weights, c, 2, 1, &arena), 1);
    assert_str(c[0].driver_id, "drv_B");
    assert_int_equal(c[0].reason, REASON_BEST);
    assert_int_equal(c[0].cost, 750);
    assert_int_equal(c[1].cost, 600 + 300);
    assert_int_equal(c[1].reason, REASON_RATED_LOWER);
    c[0].value[PART_JOBS] = 400; /* and now he has had four jobs more: worth 80 s */
    assert_int_equal(dispatch_plan(weights, c, 2, 1, &arena), 1);
    assert_str(c[0].driver_id, "drv_A");
    assert_int_equal(c[1].reason, REASON_MORE_JOBS);
}

static void test_favourites(void **state) {
    (void)state;
    struct dispatch_candidate c[] = {one("drv_A", 5, DISPATCH_FRESH),
                                     one("drv_B", 900, DISPATCH_FRESH)};
    c[1].favourite = true;
    assert_int_equal(dispatch_plan(weights, c, 2, 2, &arena), 1);
    assert_str(c[0].driver_id, "drv_B");
    assert_int_equal(c[0].reason, REASON_FAVOURITE);
    assert_int_equal(c[1].reason, REASON_NOT_FAVOURITE);
    struct dispatch_candidate d[] = {one("drv_A", 5, DISPATCH_FRESH),
                                     one("drv_B", 900, DISPATCH_BARRED)};
    d[1].favourite = true;
    d[1].bar = REASON_BEING_ASKED; /* while he thinks nobody else is asked */
    assert_int_equal(dispatch_plan(weights, d, 2, 2, &arena), 0);
    assert_int_equal(d[0].reason, REASON_NOT_FAVOURITE);
    d[1].bar = REASON_DECLINED;
    assert_int_equal(dispatch_plan(weights, d, 2, 2, &arena), 1);
    assert_int_equal(d[0].reason, REASON_SOONEST);
}

static void test_names(void **state) {
    (void)state;
    int32_t n = 1;
    while (dispatch_reason_names[n] != NULL)
        n++;
    assert_int_equal(n, REASON_COUNT);
    for (int32_t i = 1; i < n; i++)
        assert_true(dispatch_reason_words((enum dispatch_reason)i).len > 0);
    for (n = 1; dispatch_part_names[n] != NULL;)
        n++;
    assert_int_equal(n, DISPATCH_PARTS);
}

/* ---- what the values are made of ---- */

static void test_merits(void **state) {
    (void)state;
    assert_int_equal(dispatch_rating_x100(0, 0), 450);
    assert_int_equal(dispatch_rating_x100(1, 1), 391); /* one bad one alone is no verdict */
    assert_int_equal(dispatch_rating_x100(500, 100), 497);
    assert_int_equal(dispatch_acceptance_percent(0, 0), 80);
    assert_int_equal(dispatch_acceptance_percent(90, 0), 98);
    assert_int_equal(dispatch_acceptance_percent(0, 90), 8);
    const int64_t s = 1000000, half = 3600;
    assert_int_equal(dispatch_load_milli(1000, 0, 0, half), 1000);
    assert_int_equal(dispatch_load_milli(1000, 0, half * s, half), 500);
    assert_int_equal(dispatch_load_milli(1000, 0, half / 2 * s, half), 750);
    assert_int_equal(dispatch_load_milli(1000, 0, 3 * half * s, half), 125);
    assert_int_equal(dispatch_load_milli(1000, 0, INT64_MAX / 2, half), 0);
    assert_int_equal(dispatch_load_milli(1000, 5 * s, 0, half), 1000);
    for (int64_t at = 1, last = 4000; at < 12 * half; at += 7) { /* never grows by itself */
        int64_t load = dispatch_load_milli(4000, 0, at * s, half);
        assert_true(load <= last);
        last = load;
    }
}

/* ---- against a twin ---- */

/* The cost by the book, one part after the other, each against everybody. */
static int64_t twin_cost(const struct dispatch_weights *w, const struct dispatch_candidate *c,
                         int32_t count, int32_t i) {
    static const int sign[DISPATCH_PARTS] = {0, 1, -1, 1, -1, -1, 1};
    int64_t cost = w->of[PART_ETA] * c[i].value[PART_ETA];
    for (int part = PART_ETA + 1; part < DISPATCH_PARTS; part++) {
        int64_t most = 0;
        for (int32_t n = 0; n < count; n++) {
            int64_t by = (c[i].value[part] - c[n].value[part]) * sign[part];
            if (c[n].standing != DISPATCH_BARRED && by > most)
                most = by;
        }
        cost += w->of[part] * most;
    }
    return cost;
}

/* Does B go before A? By the rules of dispatch.h, asked for one pair. */
static bool twin_beats(const struct dispatch_weights *w, const struct dispatch_candidate *c,
                       int32_t count, int32_t b, int32_t a) {
    if (c[a].standing != c[b].standing)
        return c[b].standing < c[a].standing;
    if (c[a].standing == DISPATCH_BARRED)
        return c[b].distance_m != c[a].distance_m ? c[b].distance_m < c[a].distance_m
                                                  : str_cmp(c[b].driver_id, c[a].driver_id) < 0;
    if (c[a].favourite != c[b].favourite)
        return c[b].favourite;
    int64_t of_a = twin_cost(w, c, count, a), of_b = twin_cost(w, c, count, b);
    return of_a != of_b ? of_b < of_a : str_cmp(c[b].driver_id, c[a].driver_id) < 0;
}

/* Its place is the number of those who beat it. */
static void twin_sort(const struct dispatch_weights *w, const struct dispatch_candidate *c,
                      int32_t count, int32_t ret_place[CROWD_MAX]) {
    for (int32_t a = 0; a < count; a++) {
        ret_place[a] = 0;
        for (int32_t b = 0; b < count; b++)
            ret_place[a] += b != a && twin_beats(w, c, count, b, a);
    }
}

static void draw(struct rng *rng, char ids[CROWD_MAX][16], int32_t count,
                 struct dispatch_candidate *c) {
    for (int32_t i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "drv_%02d", i);
        c[i] = one(ids[i], rng_between(rng, 0, 40), (enum dispatch_standing)rng_below(rng, 3));
        c[i].value[PART_RATING] = rng_between(rng, 400, 410);
        c[i].value[PART_JOBS] = rng_between(rng, 0, 30);
        c[i].value[PART_IDLE] = rng_between(rng, 0, 5);
        c[i].value[PART_ACCEPTANCE] = rng_between(rng, 80, 90);
        c[i].value[PART_CLASS] = (int64_t)rng_below(rng, 2);
        c[i].favourite = rng_below(rng, 8) == 0;
        c[i].tag = i;
    }
}

static void shuffle(struct rng *rng, struct dispatch_candidate *c, int32_t count) {
    for (int32_t i = count - 1; i > 0; i--) {
        int32_t with = (int32_t)rng_below(rng, (uint64_t)i + 1);
        struct dispatch_candidate kept = c[i];
        c[i] = c[with];
        c[with] = kept;
    }
}

static int32_t count_of(const struct dispatch_candidate *c, int32_t count,
                        enum dispatch_standing standing, bool favourites) {
    int32_t n = 0;
    for (int32_t i = 0; i < count; i++)
        n += c[i].standing == standing && (!favourites || c[i].favourite);
    return n;
}

/* The same set, whatever order it comes in, gives the same plan, which is the twin's. */
static void check_plan(uint64_t seed) {
    struct rng rng;
    rng_seed(&rng, seed);
    char ids[CROWD_MAX][16];
    struct dispatch_candidate facts[CROWD_MAX] = {{.tag = 0}}, c[CROWD_MAX], other[CROWD_MAX];
    int32_t place[CROWD_MAX], count = (int32_t)rng_between(&rng, 1, CROWD_MAX);
    int32_t wave = (int32_t)rng_between(&rng, 0, 5);
    struct dispatch_weights w = {{0}};
    for (int part = PART_ETA; part < DISPATCH_PARTS; part++)
        w.of[part] = rng_between(&rng, 0, 20);
    draw(&rng, ids, count, facts);
    memcpy(c, facts, sizeof c);
    memcpy(other, facts, sizeof c);
    shuffle(&rng, other, count);
    int32_t fresh = count_of(facts, count, DISPATCH_FRESH, false);
    int32_t loved = count_of(facts, count, DISPATCH_FRESH, true);
    int32_t may_be = loved > 0   ? loved
                     : fresh > 0 ? fresh
                                 : count_of(facts, count, DISPATCH_AGAIN, false);
    int32_t chosen = dispatch_plan(&w, c, count, wave, &arena);
    assert_int_equal(chosen, may_be < wave ? may_be : wave);
    assert_int_equal(dispatch_plan(&w, other, count, wave, &arena), chosen);
    twin_sort(&w, facts, count, place);
    for (int32_t i = 0; i < count; i++) {
        assert_int_equal(place[c[i].tag], i);
        assert_true(str_eq(c[i].driver_id, other[i].driver_id));
        assert_true(str_eq(c[i].words, other[i].words));
        assert_int_equal(c[i].chosen, i < chosen);
        assert_true(c[i].reason != REASON_NONE && c[i].words.len > 0);
        bool barred = c[i].standing == DISPATCH_BARRED;
        assert_false(c[i].chosen && barred);
        assert_int_equal(c[i].cost, barred ? 0 : twin_cost(&w, facts, count, c[i].tag));
        assert_int_equal(c[i].score, barred ? 0 : dispatch_score(c[i].cost));
    }
}

/* Whoever else is there, of two the same one goes first. */
static void check_pairs(uint64_t seed) {
    struct rng rng;
    rng_seed(&rng, seed);
    char ids[CROWD_MAX][16];
    struct dispatch_candidate c[CROWD_MAX];
    draw(&rng, ids, CROWD_MAX, c);
    dispatch_plan(weights, c, CROWD_MAX, 1, &arena);
    for (int32_t i = 0; i + 1 < CROWD_MAX; i++) {
        struct dispatch_candidate two[] = {c[i + 1], c[i]};
        dispatch_plan(weights, two, 2, 1, &arena);
        assert_true(str_eq(two[0].driver_id, c[i].driver_id));
    }
}

static void test_any_crowd(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        check_plan(seed);
        check_pairs(seed);
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
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_parts_against_each_other),
        cmocka_unit_test(test_favourites),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_merits),
        cmocka_unit_test(test_any_crowd),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
