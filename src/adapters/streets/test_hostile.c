/* Files that nobody should have written: GeoJSON and graphs. An error each time, never a crash, and
 * of a graph that was damaged always ERR_CORRUPT. */
#include "adapters/crow/crow.h"
#include "adapters/streets/build.h"
#include "adapters/streets/test_support.h"
#include "base/check.h"
#include "base/err.h"
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct point here = {577000000, 119000000};

#define COLLECTION(features) "{\"type\":\"FeatureCollection\",\"features\":" features "}"
#define FEATURE(properties, geometry)                                                              \
    "{\"type\":\"Feature\",\"properties\":" properties ",\"geometry\":" geometry "}"
#define ROAD(coordinates)                                                                          \
    COLLECTION("[" FEATURE("{\"highway\":\"residential\"}",                                        \
                           "{\"type\":\"LineString\",\"coordinates\":" coordinates "}") "]")

static void test_bad_geojson(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "nul",
        "[]",
        "7",
        "\"FeatureCollection\"",
        "{}",
        "{\"type\":\"FeatureCollection\"}",
        "{\"type\":7,\"features\":[]}",
        "{\"type\":\"Feature\",\"features\":[]}",
        COLLECTION("{}"),
        COLLECTION("[]"), /* no road */
        COLLECTION("[7]"),
        COLLECTION("[null]"),
        COLLECTION("[{}]"),
        COLLECTION("[{\"type\":\"Feature\"}]"),
        COLLECTION("[" FEATURE("7", "{\"type\":\"LineString\",\"coordinates\":[[0,0],[1,1]]}") "]"),
        COLLECTION(
            "[" FEATURE("[]", "{\"type\":\"LineString\",\"coordinates\":[[0,0],[1,1]]}") "]"),
        COLLECTION("[" FEATURE("null", "7") "]"),
        COLLECTION("[" FEATURE("null", "null") "]"), /* no road */
        COLLECTION("[" FEATURE("null", "{\"type\":7}") "]"),
        COLLECTION("[" FEATURE("null", "{\"type\":\"LineString\"}") "]"),
        COLLECTION("[" FEATURE("{\"highway\":\"footway\"}",
                               "{\"type\":\"LineString\",\"coordinates\":[[0,0],[1,1]]}") "]"),
        COLLECTION("[" FEATURE("{\"highway\":7}",
                               "{\"type\":\"LineString\",\"coordinates\":[[0,0],[1,1]]}") "]"),
        ROAD("7"),
        ROAD("null"),
        ROAD("{}"),
        ROAD("[]"),
        ROAD("[[0,0]]"),
        ROAD("[0,0]"),
        ROAD("[[0,0],[0]]"),
        ROAD("[[0,0],[]]"),
        ROAD("[[0,0],[\"0\",0.001]]"),
        ROAD("[[0,0],[null,0.001]]"),
        ROAD("[[0,0],[0,NaN]]"),
        ROAD("[[0,0],[0,1e999]]"),
        ROAD("[[0,0],[0,90.1]]"),
        ROAD("[[0,0],[-180.0001,0]]"),
        ROAD("[[0,0],[0,18446744073709551615]]"),
        ROAD("[[0,0],[0,-1e308]]"),
        ROAD("[[0,0],[0,0.001]"),
        ROAD("[[0,0],[0,0]]"),           /* comes to nothing */
        ROAD("[[0,0],[50,50]]"),         /* half a continent without a bend */
        ROAD("[[[[[[0,0]]]]],[0,0.1]]"), /* nested */
        COLLECTION("[" FEATURE("{\"highway\":\"primary\",\"oneway\":\"yes\"}",
                               "{\"type\":\"LineString\",\"coordinates\":[[0,0],[0,0.001]]}") "]"),
    };
    struct temporary t;
    temporary_make(&t);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        write_text(t.geojson, str_from(bad[i]));
        int err = streets_build(t.geojson, t.graph, NULL);
        if (err != ERR_INVALID)
            fail_msg("%s: %d", bad[i], err);
    }
    write_text(t.geojson, STR(ROAD("[[0,0],[0,0.001]]"))); /* so much for the macros */
    assert_int_equal(streets_build(t.geojson, t.graph, NULL), 0);
    temporary_remove(&t);
}

/* Odd tags are no errors: they say nothing. */
static void test_odd_tags(void **state) {
    (void)state;
    static const char *const odd[] = {"\"maxspeed\":\"\"",
                                      "\"maxspeed\":\"fast\"",
                                      "\"maxspeed\":[]",
                                      "\"maxspeed\":-5",
                                      "\"maxspeed\":1e300",
                                      "\"maxspeed\":\"99999999999\"",
                                      "\"maxspeed\":\"50;30\"",
                                      "\"maxspeed\":\"SE:urban\"",
                                      "\"oneway\":{}",
                                      "\"oneway\":7",
                                      "\"oneway\":null",
                                      "\"oneway\":\"maybe\"",
                                      "\"name\":7",
                                      "\"name\":\"\"",
                                      "\"name\":[\"a\"]",
                                      "\"access\":7",
                                      "\"service\":true",
                                      "\"maxspeed\":\"0\""};
    struct temporary t;
    temporary_make(&t);
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        struct buf b;
        char tags[200];
        struct streets_info info;
        struct point road[2] = {here, geo_offset(here, 100, 0)};
        snprintf(tags, sizeof tags, "\"highway\":\"residential\",%s", odd[i]);
        city_begin(&b);
        city_line(&b, road, 2, tags);
        city_end(&b);
        if (build_text(&t, buf_str(&b), &info) != 0)
            fail_msg("%s was refused", odd[i]);
        assert_int_equal(info.names, 0);
    }
    temporary_remove(&t);
}

static void shuffle_bytes(struct rng *rng, char *p, size_t len) {
    static const char likely[] = "[]{},:\"0919.eE-+\\tnf \x80\xff";
    for (int64_t n = rng_between(rng, 1, 4); n > 0; n--) {
        size_t at = rng_below(rng, len);
        if (rng_below(rng, 3) == 0) { /* a piece from elsewhere */
            size_t from = rng_below(rng, len), most = len - (from > at ? from : at);
            memmove(p + at, p + from, rng_below(rng, most < 40 ? most + 1 : 40));
        } else {
            p[at] = rng_below(rng, 2) ? likely[rng_below(rng, sizeof likely - 1)]
                                      : (char)rng_below(rng, 256);
        }
    }
}

/* All of a build but the file: that would only wait for the disk. */
static int build_nowhere(struct json_parser *parser, struct str text) {
    struct json_value root;
    struct roads roads;
    struct network network;
    struct hierarchy hierarchy;
    int err = json_parse(parser, text, &root);
    if (err)
        return err;
    err = roads_read(root, &roads);
    if (err)
        return err;
    err = network_build(&roads, &network);
    roads_free(&roads);
    if (err)
        return err;
    err = hierarchy_build(&network, &hierarchy);
    network_free(&network);
    if (!err)
        hierarchy_free(&hierarchy);
    return err;
}

static void test_mangled_geojson(void **state) {
    (void)state;
    struct rng rng;
    struct json_parser *parser = json_parser_new();
    const char *seeds = getenv("LORRY_TEST_SEEDS");
    uint64_t count = seeds ? strtoull(seeds, NULL, 10) : 1000;
    int built = 0;
    for (uint64_t seed = 0; seed < count; seed++) {
        rng_seed(&rng, seed);
        struct str text = random_city(&rng, here, 3, 2);
        shuffle_bytes(&rng, (char *)text.p, text.len);
        int err = build_nowhere(parser, text);
        free((char *)text.p);
        if (err != 0 && err != ERR_INVALID)
            fail_msg("seed %llu: %d", (unsigned long long)seed, err);
        built += err == 0;
    }
    assert_true(built > 0); /* a digit here or there */
    json_parser_free(parser);
}

/* ---- graphs ---- */

static struct str small_graph(struct temporary *t, uint64_t seed) {
    struct rng rng;
    rng_seed(&rng, seed);
    assert_int_equal(build_text(t, random_city(&rng, here, 4, 4), NULL), 0);
    return read_text(t->graph);
}

static void test_damaged_graph(void **state) {
    (void)state;
    struct temporary t;
    struct rng rng;
    struct graph g;
    rng_seed(&rng, 4);
    temporary_make(&t);
    struct str whole = small_graph(&t, 4);
    char *copy = xmalloc(whole.len + 1);
    for (size_t len = 0; len < whole.len; len += len < 800 ? 1 : 1 + rng_below(&rng, 40)) {
        char *cut = xmalloc(len + 1); /* its own, so that a read beyond it shows */
        memcpy(cut, whole.p, len);
        assert_int_equal(graph_read(cut, len, &g), ERR_CORRUPT);
        free(cut);
    }
    memcpy(copy, whole.p, whole.len);
    for (int i = 0; i < 6000; i++) {
        size_t at = i < 1000 ? (size_t)i : rng_below(&rng, whole.len);
        copy[at] = (char)(copy[at] ^ (1 << rng_below(&rng, 8)));
        assert_int_equal(graph_read(copy, whole.len, &g), ERR_CORRUPT);
        copy[at] = whole.p[at];
    }
    copy[whole.len] = 0;
    assert_int_equal(graph_read(copy, whole.len + 1, &g), ERR_CORRUPT);
    assert_int_equal(graph_read(copy, whole.len, &g), 0);
    memset(copy, 0, whole.len);
    assert_int_equal(graph_read(copy, whole.len, &g), ERR_CORRUPT);
    free(copy);
    free((char *)whole.p);
    temporary_remove(&t);
}

/* The same from a file. */
static void test_damaged_file(void **state) {
    (void)state;
    struct temporary t;
    struct router *crow = crow_new(NULL);
    struct streets *s = NULL;
    temporary_make(&t);
    struct str whole = small_graph(&t, 4);
    write_text(t.graph, str_sub(whole, 0, whole.len - 1));
    assert_int_equal(streets_open(t.graph, crow, &s), ERR_CORRUPT);
    write_text(t.graph, STR(""));
    assert_int_equal(streets_open(t.graph, crow, &s), ERR_CORRUPT);
    ((char *)whole.p)[whole.len / 2]++;
    write_text(t.graph, whole);
    assert_int_equal(streets_open(t.graph, crow, &s), ERR_CORRUPT);
    assert_null(s);
    free((char *)whole.p);
    crow->ops->close(crow);
    temporary_remove(&t);
}

static void use(struct streets *s, struct rng *rng) {
    struct arena a;
    struct route r;
    struct router_leg legs[3];
    struct streets_info info;
    arena_init(&a, 4096);
    struct router *router = streets_router(s);
    streets_info(s, &info);
    for (int i = 0; i < 6; i++) {
        struct point stops[3] = {streets_random_point(s, rng, NULL),
                                 geo_offset(here, 400 * rng_unit(rng), 400 * rng_unit(rng)),
                                 streets_random_point(s, rng, NULL)};
        router->ops->route(router, stops, 3, VEHICLE_CAR, true, &a, &r);
        router->ops->many_to_one(router, stops, 3, stops[1], VEHICLE_BIKE, legs);
        streets_name_near(s, stops[i % 3], 500);
    }
    arena_free(&a);
}

/* A file whose hash is right, with anything in it: what is opened can be used. */
static void test_graph_by_another(void **state) {
    (void)state;
    struct temporary t;
    struct router *crow = crow_new(NULL);
    temporary_make(&t);
    struct str whole = small_graph(&t, 5);
    char *copy = xmalloc(whole.len);
    size_t hash_at = whole.len - sizeof(uint64_t);
    int opened = 0;
    const char *seeds = getenv("LORRY_TEST_SEEDS");
    uint64_t count = seeds ? strtoull(seeds, NULL, 10) : 2500;
    for (uint64_t seed = 0; seed < count; seed++) {
        struct rng rng;
        struct streets *s;
        rng_seed(&rng, seed);
        memcpy(copy, whole.p, whole.len);
        for (uint64_t n = rng_below(&rng, 3) + 1; n > 0; n--) {
            size_t at = rng_below(&rng, rng_below(&rng, 3) ? hash_at : 400) / 4 * 4;
            uint32_t value;
            memcpy(&value, copy + at, sizeof value);
            switch (rng_below(&rng, 4)) {
            case 0:
                value = (uint32_t)rng_next(&rng);
                break;
            case 1:
                value ^= UINT32_C(1) << rng_below(&rng, 32);
                break;
            default:
                value += (uint32_t)rng_between(&rng, -3, 3);
                break;
            }
            memcpy(copy + at, &value, sizeof value);
        }
        uint64_t hash = str_hash((struct str){copy, hash_at}, GRAPH_HASH_SEED);
        memcpy(copy + hash_at, &hash, sizeof hash);
        struct graph g;
        int err = graph_read(copy, whole.len, &g);
        if (err) {
            assert_int_equal(err, ERR_CORRUPT);
            continue;
        }
        opened++;
        write_text(t.graph, (struct str){copy, whole.len});
        assert_int_equal(streets_open(t.graph, crow, &s), 0);
        use(s, &rng);
        streets_close(s);
    }
    assert_true(opened > 0); /* a coordinate or a cost may be anything */
    free(copy);
    free((char *)whole.p);
    crow->ops->close(crow);
    temporary_remove(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_geojson),     cmocka_unit_test(test_odd_tags),
        cmocka_unit_test(test_mangled_geojson), cmocka_unit_test(test_damaged_graph),
        cmocka_unit_test(test_damaged_file),    cmocka_unit_test(test_graph_by_another)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
