#include "geo/fleet_bench.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/rng.h"
#include "geo/fleet_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TOWNS 300

const char *const fleet_spread_names[] = {"city", "country", "street", NULL};

static const struct point centre = {577089000, 119746000};

/* Of this thread on a core: what others do with the machine meanwhile does not count. */
static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double between(struct rng *rng, double low, double high) {
    return low + rng_unit(rng) * (high - low);
}

static struct point somewhere(enum fleet_spread spread, const struct point *towns,
                              struct rng *rng) {
    switch (spread) {
    case FLEET_STREET: {
        double along_m = between(rng, -500, 500);
        return geo_offset(centre, along_m * 0.6 + between(rng, -4, 4), along_m * 0.8);
    }
    case FLEET_COUNTRY: { /* the first towns are the largest, and the largest the widest */
        double share = rng_unit(rng) * rng_unit(rng) * rng_unit(rng);
        double wide_m = 1000 + 15000 * (1 - share);
        return geo_offset(towns[(size_t)(share * TOWNS)], between(rng, -wide_m, wide_m),
                          between(rng, -wide_m, wide_m));
    }
    default:
        return geo_offset(centre, between(rng, -10000, 10000), between(rng, -10000, 10000));
    }
}

static struct fleet_item item_of(int32_t i, struct point at) {
    struct fleet_item item = {.at = at, .free = i % 4 != 0, .bearing_deg = -1, .at_us = i + 1};
    item.vehicle = (uint8_t)(VEHICLE_BIKE + i % (VEHICLE_COUNT - 1));
    snprintf(item.key, sizeof item.key, "drv_%08d", i);
    return item;
}

static double measure_nearest(const struct fleet_bench *b, const struct fleet_index *x,
                              const struct point *at, double *ret_found_mean) {
    struct fleet_hit *hits = xmalloc((size_t)b->k * sizeof *hits);
    int64_t found = 0;
    double start_s = cpu_s();
    for (int32_t i = 0; i < b->queries; i++)
        found += fleet_index_nearest(x, at[i % b->drivers], b->radius_m, NULL, b->k, hits);
    double took_s = cpu_s() - start_s;
    free(hits);
    *ret_found_mean = (double)found / b->queries;
    return b->queries / took_s;
}

static double measure_moves(const struct fleet_bench *b, struct fleet_index *x, struct point *at,
                            struct rng *rng) {
    struct point *next = xmalloc((size_t)b->moves * sizeof *next);
    for (int32_t i = 0; i < b->moves; i++) {
        struct point *from = &at[i % b->drivers];
        next[i] = *from = geo_offset(*from, between(rng, -50, 50), between(rng, -50, 50));
    }
    double start_s = cpu_s();
    for (int32_t i = 0; i < b->moves; i++) {
        struct fleet_item item = item_of(i % b->drivers, next[i]);
        fleet_index_put(x, &item);
    }
    double took_s = cpu_s() - start_s;
    free(next);
    return b->moves / took_s;
}

void fleet_bench_run(const struct fleet_bench *b, struct fleet_bench_result *ret_result) {
    CHECK(b->drivers > 0 && b->queries > 0 && b->moves > 0 && b->k > 0);
    struct rng rng;
    rng_seed(&rng, b->seed);
    struct point towns[TOWNS];
    for (int i = 0; i < TOWNS; i++)
        towns[i] = geo_offset(centre, between(&rng, 0, 1500000), between(&rng, -300000, 300000));
    struct point *at = xmalloc((size_t)b->drivers * sizeof *at);
    struct fleet_index *x = fleet_index_new();
    for (int32_t i = 0; i < b->drivers; i++) {
        at[i] = somewhere(b->spread, towns, &rng);
        struct fleet_item item = item_of(i, at[i]);
        fleet_index_put(x, &item);
    }
    for (int32_t i = b->drivers - 1; i > 0; i--) { /* ask in another order than they came */
        int32_t j = (int32_t)rng_below(&rng, (uint64_t)i + 1);
        struct point swap = at[i];
        at[i] = at[j];
        at[j] = swap;
    }
    struct fleet_bench_result r;
    r.nearest_per_s = measure_nearest(b, x, at, &r.found_mean);
    r.moves_per_s = measure_moves(b, x, at, &rng);
    fleet_index_free(x);
    free(at);
    *ret_result = r;
}
