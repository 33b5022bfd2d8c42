/* The assignment against a twin that tries them all, over random costs with seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/rng.h"
#include "dispatch/assign.h"

#include <stdio.h>

#define SIDE_MAX 7 /* of what the twin can try */

static struct arena arena;

/* The best of all ways to give rows from ROW on what is not TAKEN. */
struct best {
    int32_t pairs;
    int64_t cost;
};
static bool better(struct best a, struct best b) {
    return a.pairs != b.pairs ? a.pairs > b.pairs : a.cost < b.cost;
}
static struct best twin(const int64_t *cost, int32_t rows, int32_t columns, int32_t row,
                        unsigned taken) {
    if (row == rows)
        return (struct best){0, 0};
    struct best best = twin(cost, rows, columns, row + 1, taken); /* this one gets none */
    for (int32_t c = 0; c < columns; c++) {
        int64_t here = cost[row * columns + c];
        if (here == ASSIGN_NEVER || (taken & (1u << c)) != 0)
            continue;
        struct best with = twin(cost, rows, columns, row + 1, taken | (1u << c));
        with.pairs++;
        with.cost += here;
        if (better(with, best))
            best = with;
    }
    return best;
}

/* What COLUMN makes of it; every pair is one that may be, and nobody is in two. */
static struct best sum(const int64_t *cost, int32_t rows, int32_t columns, const int32_t *column) {
    struct best b = {0, 0};
    for (int32_t r = 0; r < rows; r++) {
        if (column[r] < 0)
            continue;
        assert_in_range(column[r], 0, columns - 1);
        assert_true(cost[r * columns + column[r]] != ASSIGN_NEVER);
        for (int32_t other = 0; other < r; other++)
            assert_int_not_equal(column[other], column[r]);
        b.pairs++;
        b.cost += cost[r * columns + column[r]];
    }
    return b;
}

static void check(uint64_t seed) {
    struct rng rng;
    rng_seed(&rng, seed);
    int32_t rows = (int32_t)rng_between(&rng, 1, SIDE_MAX), column[SIDE_MAX];
    int32_t columns = (int32_t)rng_between(&rng, 1, SIDE_MAX);
    int64_t cost[SIDE_MAX * SIDE_MAX], most = seed % 3 == 0 ? 3 : ASSIGN_COST_MAX;
    uint64_t sparse = rng_below(&rng, 4);
    for (int32_t i = 0; i < rows * columns; i++)
        cost[i] = rng_below(&rng, 4) < sparse ? ASSIGN_NEVER : rng_between(&rng, 0, most);
    struct best want = twin(cost, rows, columns, 0, 0);
    int32_t pairs = assign_solve(cost, rows, columns, &arena, column);
    struct best got = sum(cost, rows, columns, column);
    assert_int_equal(pairs, got.pairs);
    assert_int_equal(got.pairs, want.pairs);
    assert_int_equal(got.cost, want.cost);
    pairs = assign_greedily(cost, rows, columns, &arena, column);
    got = sum(cost, rows, columns, column);
    assert_int_equal(pairs, got.pairs);
    assert_false(better(got, want));
}

static void test_against_all_ways(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        check(seed);
        arena_reset(&arena);
    }
}

static void test_edges(void **state) {
    (void)state;
    int32_t column[2] = {7, 7};
    assert_int_equal(assign_solve(NULL, 0, 5, &arena, column), 0);
    assert_int_equal(assign_solve(NULL, 2, 0, &arena, column), 0);
    assert_int_equal(column[0], -1);
    const int64_t never[] = {ASSIGN_NEVER, ASSIGN_NEVER};
    assert_int_equal(assign_solve(never, 2, 1, &arena, column), 0);
    assert_int_equal(column[1], -1);
    /* the nearest for the first would cost the second more than it saves the first */
    const int64_t two[] = {10, 20, 11, 90};
    assert_int_equal(assign_solve(two, 2, 2, &arena, column), 2);
    assert_int_equal(column[0], 1);
    assert_int_equal(column[1], 0);
    assert_int_equal(assign_greedily(two, 2, 2, &arena, column), 2);
    assert_int_equal(column[0], 0);
}

/* As large as it may be, with the dearest costs: nothing overflows. */
static void test_largest(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 7);
    int64_t *cost = arena_array(&arena, int64_t, ASSIGN_SIDE_MAX * ASSIGN_SIDE_MAX);
    int32_t *column = arena_array(&arena, int32_t, ASSIGN_SIDE_MAX);
    for (int32_t i = 0; i < ASSIGN_SIDE_MAX * ASSIGN_SIDE_MAX; i++)
        cost[i] =
            rng_below(&rng, 3) == 0 ? ASSIGN_NEVER : ASSIGN_COST_MAX - (int64_t)rng_below(&rng, 9);
    assert_int_equal(assign_solve(cost, ASSIGN_SIDE_MAX, ASSIGN_SIDE_MAX, &arena, column),
                     ASSIGN_SIDE_MAX);
    sum(cost, ASSIGN_SIDE_MAX, ASSIGN_SIDE_MAX, column);
}

int main(void) {
    arena_init(&arena, 65536);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_all_ways),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_largest),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
