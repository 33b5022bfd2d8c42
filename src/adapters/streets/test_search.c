/* Ways against plain Dijkstra, and snaps against a look at every segment: on made-up cities by
 * seed, and on a real one, whose GeoJSON is where LORRY_TEST_STREETS says. */
#include "adapters/streets/search.h"
#include "adapters/streets/test_support.h"
#include "base/check.h"
#include "base/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- the oracle ---- */

struct oracle {
    const struct graph *g;
    uint32_t *first, *out; /* segments at each node */
    uint64_t *ms;
    struct heap heap;
};

static struct oracle oracle_new(const struct graph *g) {
    struct oracle o = {.g = g};
    o.first = calloc(g->counts.nodes + 2, sizeof *o.first);
    o.out = calloc(2 * (size_t)g->counts.segments, sizeof *o.out);
    o.ms = calloc(g->counts.nodes, sizeof *o.ms);
    for (uint32_t i = 0; i < g->counts.segments; i++) {
        o.first[g->segments[i].ends[0] + 2]++;
        o.first[g->segments[i].ends[1] + 2]++;
    }
    for (uint32_t i = 0; i < g->counts.nodes; i++)
        o.first[i + 2] += o.first[i + 1];
    for (uint32_t i = 0; i < g->counts.segments; i++) {
        o.out[o.first[g->segments[i].ends[0] + 1]++] = i;
        o.out[o.first[g->segments[i].ends[1] + 1]++] = i;
    }
    return o;
}

static void oracle_free(struct oracle *o) {
    free(o->first);
    free(o->out);
    free(o->ms);
    heap_free(&o->heap);
}

static void lower(struct oracle *o, uint32_t node, uint64_t ms) {
    if (ms >= o->ms[node])
        return;
    o->ms[node] = ms;
    heap_push(&o->heap, (uint32_t)ms, node);
}

static uint64_t part_ms(const struct segment *s, int direction, double part) {
    return cost_part(segment_cost(s, direction), part).ms[PROFILE_CAR];
}

/* Times from FROM to every node. */
static void oracle_from(struct oracle *o, const struct spot *from) {
    const struct segment *s = &o->g->segments[from->segment];
    for (uint32_t i = 0; i < o->g->counts.nodes; i++)
        o->ms[i] = UINT64_MAX;
    if (s->kmh[0])
        lower(o, s->ends[1], part_ms(s, 0, 1 - from->part));
    if (s->kmh[1])
        lower(o, s->ends[0], part_ms(s, 1, from->part));
    while (o->heap.count > 0) {
        uint32_t ms, node = heap_pop(&o->heap, &ms);
        if (ms > o->ms[node])
            continue;
        for (uint32_t i = o->first[node]; i < o->first[node + 1]; i++) {
            const struct segment *next = &o->g->segments[o->out[i]];
            int direction = next->ends[0] == node ? 0 : 1;
            if (next->kmh[direction])
                lower(o, next->ends[!direction], ms + part_ms(next, direction, 1));
        }
    }
}

static uint64_t oracle_ms(const struct oracle *o, const struct spot *from, const struct spot *to) {
    const struct segment *s = &o->g->segments[to->segment];
    uint64_t best = UINT64_MAX;
    for (int d = 0; d < 2; d++) {
        double part = d == 0 ? to->part : 1 - to->part;
        if (s->kmh[d] && o->ms[s->ends[d]] != UINT64_MAX &&
            o->ms[s->ends[d]] + part_ms(s, d, part) < best)
            best = o->ms[s->ends[d]] + part_ms(s, d, part);
        double ahead = d == 0 ? to->part - from->part : from->part - to->part;
        if (from->segment == to->segment && s->kmh[d] && ahead >= 0 && part_ms(s, d, ahead) < best)
            best = part_ms(s, d, ahead);
    }
    return best;
}

/* ---- ways ---- */

/* The segment that may be driven from node A to node B; fails if there is none. */
static struct cost drive(const struct oracle *o, uint32_t a, uint32_t b) {
    for (uint32_t i = o->first[a]; i < o->first[a + 1]; i++) {
        const struct segment *s = &o->g->segments[o->out[i]];
        int direction = s->ends[0] == a ? 0 : 1;
        if (s->ends[!direction] == b && s->kmh[direction])
            return segment_cost(s, direction);
    }
    fail_msg("no road from node %u to node %u", a, b);
    return (struct cost){0};
}

/* The way that SCRATCH's nodes describe is one that can be driven, and costs what it should. */
static void check_line(const struct oracle *o, const struct scratch *scratch,
                       const struct spot *from, const struct spot *to, const struct way_cost *way) {
    if (scratch->node_count == 0) {
        assert_int_equal(from->segment, to->segment);
        return;
    }
    const struct segment *a = &o->g->segments[from->segment], *b = &o->g->segments[to->segment];
    uint32_t first = scratch->nodes[0], last = scratch->nodes[scratch->node_count - 1];
    int out = first == a->ends[1] ? 0 : 1, in = last == b->ends[0] ? 0 : 1;
    assert_true(first == a->ends[!out] && a->kmh[out]);
    assert_true(last == b->ends[in] && b->kmh[in]);
    struct cost parts[2] = {cost_part(segment_cost(a, out), out == 0 ? 1 - from->part : from->part),
                            cost_part(segment_cost(b, in), in == 0 ? to->part : 1 - to->part)};
    struct way_cost sum = {0};
    for (int i = 0; i < 2; i++) {
        sum.cm += parts[i].cm;
        for (int p = 0; p < PROFILE_COUNT; p++)
            sum.ms[p] += parts[i].ms[p];
    }
    for (size_t i = 1; i < scratch->node_count; i++) {
        struct cost c = drive(o, scratch->nodes[i - 1], scratch->nodes[i]);
        sum.cm += c.cm;
        for (int p = 0; p < PROFILE_COUNT; p++)
            sum.ms[p] += c.ms[p];
    }
    assert_int_equal(sum.cm, way->cm);
    for (int p = 0; p < PROFILE_COUNT; p++)
        assert_int_equal(sum.ms[p], way->ms[p]);
}

static struct spot random_spot(const struct graph *g, struct rng *rng) {
    struct spot spot = {.segment = (uint32_t)rng_below(rng, g->counts.segments),
                        .part = rng_unit(rng)};
    if (rng_below(rng, 5) == 0)
        spot.part = (double)rng_below(rng, 2);
    return spot;
}

static int check_ways(const struct graph *g, struct rng *rng, int sources, int targets) {
    struct oracle o = oracle_new(g);
    struct scratch *scratch = scratch_new(g);
    int pairs = 0;
    for (int i = 0; i < sources; i++) {
        struct spot from = random_spot(g, rng);
        oracle_from(&o, &from);
        for (int j = 0; j < targets; j++, pairs++) {
            struct spot to = random_spot(g, rng);
            if (rng_below(rng, 6) == 0)
                to.segment = from.segment;
            if (rng_below(rng, 20) == 0)
                to = from;
            struct way_cost way, again;
            search_to(scratch, g, &to);
            assert_true(search_from(scratch, g, &from, &to, true, &way));
            uint64_t want = oracle_ms(&o, &from, &to);
            if (way.ms[PROFILE_CAR] != want)
                fail_msg("pair %d: %llu ms, not %llu", pairs,
                         (unsigned long long)way.ms[PROFILE_CAR], (unsigned long long)want);
            check_line(&o, scratch, &from, &to, &way);
            assert_true(search_from(scratch, g, &from, &to, false, &again));
            assert_memory_equal(&way, &again, sizeof way);
            assert_int_equal(scratch->node_count, 0);
        }
    }
    scratch_free(scratch);
    oracle_free(&o);
    return pairs;
}

/* ---- snaps ---- */

/* Metres from AT to segment S, by stepping along it: no formula shared with snap(). */
static double distance_to(const struct graph *g, const struct segment *s, struct point at) {
    double low = 0, high = 1;
    for (int i = 0; i < 60; i++) {
        double a = low + (high - low) / 3, b = high - (high - low) / 3;
        struct point pa = geo_toward(g->at[s->ends[0]], g->at[s->ends[1]], a),
                     pb = geo_toward(g->at[s->ends[0]], g->at[s->ends[1]], b);
        if (geo_distance_m(at, pa) < geo_distance_m(at, pb))
            high = b;
        else
            low = a;
    }
    return geo_distance_m(at, geo_toward(g->at[s->ends[0]], g->at[s->ends[1]], (low + high) / 2));
}

static void check_snaps(const struct graph *g, struct rng *rng, int points) {
    for (int i = 0; i < points; i++) {
        const struct segment *near = &g->segments[rng_below(rng, g->counts.segments)];
        double far_m = i % 3 == 0 ? 5 : i % 3 == 1 ? 150 : 2500;
        struct point at = geo_offset(g->at[near->ends[0]], far_m * (2 * rng_unit(rng) - 1),
                                     far_m * (2 * rng_unit(rng) - 1));
        bool named = rng_below(rng, 3) == 0;
        double radius_m = rng_below(rng, 2) ? STREETS_SNAP_M : 100 * rng_unit(rng), best = 1e9;
        for (uint32_t j = 0; j < g->counts.segments; j++) {
            const struct segment *s = &g->segments[j];
            /* No need to step along what is far off. */
            if ((named && s->name == NONE) ||
                geo_distance_m(at, g->at[s->ends[0]]) > best + s->cm / 100.0 + 1)
                continue;
            best = fmin(best, distance_to(g, s, at));
        }
        struct spot spot;
        bool found = snap(g, at, radius_m, named, &spot);
        if (fabs(best - radius_m) > 0.05 + best * 2e-3 && found != (best <= radius_m))
            fail_msg("point %d: found %d at %.3f m within %.3f m", i, found, best, radius_m);
        if (!found)
            continue;
        if (fabs(spot.off_m - best) > 0.03 + best * best * 1e-6)
            fail_msg("point %d: snapped at %.3f m, not %.3f m", i, spot.off_m, best);
        assert_true(geo_distance_m(at, spot.at) == spot.off_m);
        assert_true(spot.part >= 0 && spot.part <= 1 && spot.segment < g->counts.segments);
    }
}

/* ---- the cities ---- */

static void test_made_up_cities(void **state) {
    (void)state;
    static const struct point corners[] = {{577000000, 119000000},   /* Göteborg */
                                           {-168000000, 1799900000}, /* over the antimeridian */
                                           {-4000, -4000},           /* over the origin */
                                           {782000000, 156000000}};  /* Longyearbyen */
    const char *seeds = getenv("LORRY_TEST_SEEDS");
    uint64_t count = seeds ? strtoull(seeds, NULL, 10) : 40;
    struct temporary t;
    temporary_make(&t);
    for (uint64_t seed = 0; seed < count; seed++) {
        struct rng rng;
        rng_seed(&rng, seed);
        int columns = (int)rng_between(&rng, 3, 22), rows = (int)rng_between(&rng, 3, 22);
        struct str text = random_city(&rng, corners[seed % COUNT_OF(corners)], columns, rows);
        struct streets_info info;
        struct graph_file file;
        struct graph g;
        assert_int_equal(build_text(&t, text, &info), 0);
        assert_int_equal(graph_open(t.graph, &file, &g), 0);
        assert_int_equal(g.counts.nodes, info.nodes);
        for (uint32_t i = 0; i < g.counts.nodes; i++)
            assert_true(box_has(g.bounds, g.at[i]));
        check_ways(&g, &rng, 8, 12);
        check_snaps(&g, &rng, 12);
        graph_close(&file);
    }
    temporary_remove(&t);
}

/* Near a pole, where degrees of longitude are short, a map elsewhere is not searched through. That
 * took seconds here (and longer on a larger map); now it takes milliseconds. */
static void test_the_poles_are_far_off(void **state) {
    (void)state;
    struct temporary t;
    struct rng rng;
    struct streets_info info;
    struct graph_file file;
    struct graph g;
    struct spot spot;
    temporary_make(&t);
    rng_seed(&rng, 3);
    assert_int_equal(
        build_text(&t, random_city(&rng, (struct point){577000000, 119000000}, 22, 22), &info), 0);
    assert_int_equal(graph_open(t.graph, &file, &g), 0);
    static const struct point far[] = {
        {900000000, 0}, {900000000, 1800000000}, {-900000000, -700000000}, {899999999, 119000000}};
    clock_t begun = clock();
    for (size_t i = 0; i < 200000; i++)
        assert_false(snap(&g, far[i % COUNT_OF(far)], STREETS_SNAP_M, false, &spot));
    assert_true(clock() - begun < CLOCKS_PER_SEC);
    graph_close(&file);
    temporary_remove(&t);
}

static void test_real_city(void **state) {
    (void)state;
    const char *path = getenv("LORRY_TEST_STREETS");
    if (!path) {
        print_message("SKIP: LORRY_TEST_STREETS does not name the GeoJSON of a real city\n");
        skip();
        return;
    }
    struct temporary t;
    struct streets_info info;
    struct graph_file file;
    struct graph g;
    struct rng rng;
    temporary_make(&t);
    rng_seed(&rng, 57);
    assert_int_equal(streets_build(path, t.graph, &info), 0);
    assert_int_equal(graph_open(t.graph, &file, &g), 0);
    print_message("%d nodes, %d segments, %d names, %lld km, %u + %u arcs\n", info.nodes,
                  info.edges, info.names, (long long)info.length_m / 1000, g.counts.arcs[0],
                  g.counts.arcs[1]);
    int pairs = check_ways(&g, &rng, 40, 60);
    check_snaps(&g, &rng, 60);
    print_message("%d pairs as fast as Dijkstra finds them\n", pairs);
    graph_close(&file);
    temporary_remove(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_made_up_cities),
                                       cmocka_unit_test(test_the_poles_are_far_off),
                                       cmocka_unit_test(test_real_city)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
