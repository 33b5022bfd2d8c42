/* What the router and its friends promise, on small networks where every answer is known. */
#include "adapters/crow/crow.h"
#include "adapters/streets/test_support.h"
#include "base/check.h"
#include "base/err.h"
#include "base/test.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASKERS 4
#define QUESTIONS 300

static const struct point here = {577000000, 119000000};

struct town {
    struct temporary files;
    struct streets_info info;
    struct router *crow, *router;
    struct streets *streets;
    struct arena arena;
};

static void town_open(struct town *t, struct str geojson) {
    temporary_make(&t->files);
    arena_init(&t->arena, 4096);
    t->crow = crow_new(NULL);
    assert_int_equal(build_text(&t->files, geojson, &t->info), 0);
    assert_int_equal(streets_open(t->files.graph, t->crow, &t->streets), 0);
    t->router = streets_router(t->streets);
}

static void town_close(struct town *t) {
    t->router->ops->close(t->router); /* does nothing */
    streets_close(t->streets);
    t->crow->ops->close(t->crow);
    arena_free(&t->arena);
    temporary_remove(&t->files);
}

static struct point at(double north_m, double east_m) {
    return geo_offset(here, north_m, east_m);
}

static struct route ask(struct town *t, struct point from, struct point to, enum vehicle vehicle) {
    struct point stops[2] = {from, to};
    struct route r;
    t->router->ops->route(t->router, stops, 2, vehicle, true, &t->arena, &r);
    return r;
}

static void assert_near(int64_t got, int64_t want, int64_t by) {
    if (llabs(got - want) > by)
        fail_msg("got %lld, wanted %lld ± %lld", (long long)got, (long long)want, (long long)by);
}

static double line_m(const struct route *r) {
    double m = 0;
    for (int32_t i = 1; i < r->point_count; i++)
        m += geo_distance_m(r->points[i - 1], r->points[i]);
    return m;
}

/* A square 1 km a side, one way clockwise, from the north-west corner. */
static void add_square(struct buf *b, const char *tags) {
    struct point ring[5] = {at(0, 0), at(0, 1000), at(-1000, 1000), at(-1000, 0), at(0, 0)};
    city_line(b, ring, 5, tags);
}

static void test_one_way_round(void **state) {
    (void)state;
    struct town t;
    struct buf b;
    city_begin(&b);
    add_square(&b, "\"highway\":\"tertiary\",\"maxspeed\":\"50\",\"oneway\":\"yes\"");
    city_end(&b);
    town_open(&t, buf_str(&b));
    assert_int_equal(t.info.nodes, 4);
    assert_int_equal(t.info.edges, 4);
    assert_near(t.info.length_m, 4000, 1);
    struct route r = ask(&t, at(0, 200), at(0, 700), VEHICLE_CAR); /* along one side */
    assert_near(r.distance_m, 500, 1);
    assert_near(r.duration_s, 45, 1); /* four fifths of 50 km/h */
    assert_false(r.estimate);
    r = ask(&t, at(0, 700), at(0, 200), VEHICLE_CAR); /* back: the whole way round */
    assert_near(r.distance_m, 3500, 3);
    assert_near(r.duration_s, 315, 2);
    assert_near((int64_t)line_m(&r), r.distance_m, 2);
    assert_int_equal(r.point_count, 6); /* two stops, four corners */
    r = ask(&t, at(-500, 1000), at(-500, 0), VEHICLE_CAR);
    assert_near(r.distance_m, 2000, 3);
    r = ask(&t, at(0, 300), at(0, 300), VEHICLE_CAR);
    assert_int_equal(r.distance_m, 0);
    assert_int_equal(r.duration_s, 0);
    town_close(&t);
}

static void test_against_the_line(void **state) {
    (void)state;
    static const char *const tags[] = {"\"highway\":\"tertiary\",\"oneway\":\"-1\"",
                                       "\"highway\":\"tertiary\",\"oneway\":-1",
                                       "\"highway\":\"tertiary\",\"oneway\":\"reverse\""};
    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        struct town t;
        struct buf b;
        city_begin(&b);
        add_square(&b, tags[i]);
        city_end(&b);
        town_open(&t, buf_str(&b));
        assert_near(ask(&t, at(0, 700), at(0, 200), VEHICLE_CAR).distance_m, 500, 1);
        assert_near(ask(&t, at(0, 200), at(0, 700), VEHICLE_CAR).distance_m, 3500, 3);
        town_close(&t);
    }
}

static void test_implied_one_way(void **state) {
    (void)state;
    static const struct {
        const char *tags;
        int64_t back_m;
    } cases[] = {
        {"\"highway\":\"tertiary\",\"junction\":\"roundabout\"", 3500},
        {"\"highway\":\"motorway\"", 3500},
        {"\"highway\":\"motorway\",\"oneway\":\"no\"", 500},
        {"\"highway\":\"motorway_link\"", 500},
        {"\"highway\":\"residential\",\"oneway\":true", 3500},
        {"\"highway\":\"residential\",\"oneway\":\"no\"", 500},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct town t;
        struct buf b;
        city_begin(&b);
        add_square(&b, cases[i].tags);
        city_end(&b);
        town_open(&t, buf_str(&b));
        assert_near(ask(&t, at(0, 700), at(0, 200), VEHICLE_CAR).distance_m, cases[i].back_m, 3);
        town_close(&t);
    }
}

/* Fast and far beats slow and near; each class takes its own time on the same way. */
static void test_fastest(void **state) {
    (void)state;
    struct town t;
    struct buf b;
    city_begin(&b);
    struct point slow[2] = {at(0, 0), at(0, 2000)};
    struct point fast[4] = {at(0, 0), at(300, 200), at(300, 1800), at(0, 2000)};
    city_line(&b, slow, 2, "\"highway\":\"living_street\",\"name\":\"Lugna gatan\"");
    city_line(&b, fast, 4, "\"highway\":\"trunk\",\"maxspeed\":\"100\",\"name\":\"Leden\"");
    city_end(&b);
    town_open(&t, buf_str(&b));
    struct route car = ask(&t, at(0, 0), at(0, 2000), VEHICLE_CAR);
    struct route van = ask(&t, at(0, 0), at(0, 2000), VEHICLE_VAN);
    struct route bike = ask(&t, at(0, 0), at(0, 2000), VEHICLE_BIKE);
    struct route truck = ask(&t, at(0, 0), at(0, 2000), VEHICLE_TRUCK);
    int64_t m = llround(2 * hypot(300, 200) + 1600);
    assert_near(car.distance_m, m, 1);
    assert_near(car.duration_s, llround((double)m / 80 * 3.6), 1);
    assert_int_equal(van.duration_s, car.duration_s);
    assert_near(bike.duration_s, llround((double)m / 18 * 3.6), 1);
    assert_near(truck.duration_s, llround((double)m / 80 * 3.6 * 7 / 6), 1);
    assert_int_equal(bike.distance_m, car.distance_m);
    assert_near((int64_t)line_m(&car), car.distance_m, 2);
    struct route part = ask(&t, at(0, 100), at(0, 1900), VEHICLE_CAR); /* 10 km/h all along it */
    assert_near(part.distance_m, 100 + m + 100, 3);                    /* is slower than round */
    part = ask(&t, at(0, 900), at(0, 1100), VEHICLE_CAR);
    assert_near(part.distance_m, 200, 1);
    assert_near(part.duration_s, 72, 1);
    town_close(&t);
}

/* Ways that lie on one another are one road, open as either is, as fast as the faster is. */
static void test_on_one_another(void **state) {
    (void)state;
    struct town t;
    struct buf b;
    city_begin(&b);
    struct point east[2] = {at(0, 0), at(0, 1000)}, west[2] = {at(0, 1000), at(0, 0)};
    city_line(&b, east, 2, "\"highway\":\"residential\",\"maxspeed\":\"50\",\"oneway\":\"yes\"");
    city_line(&b, west, 2, "\"highway\":\"residential\",\"maxspeed\":\"25\",\"oneway\":\"yes\"");
    city_line(&b, east, 2, "\"highway\":\"service\",\"maxspeed\":\"20\",\"name\":\"Gården\"");
    city_end(&b);
    town_open(&t, buf_str(&b));
    assert_int_equal(t.info.edges, 1);
    assert_near(ask(&t, at(0, 0), at(0, 1000), VEHICLE_CAR).duration_s, 90, 1);  /* 40 km/h */
    assert_near(ask(&t, at(0, 1000), at(0, 0), VEHICLE_CAR).duration_s, 180, 1); /* 20 km/h */
    assert_str(streets_name_near(t.streets, at(0, 500), 10), "Gården");
    town_close(&t);
}

static void test_stops_in_order(void **state) {
    (void)state;
    struct town t;
    struct buf b;
    city_begin(&b);
    add_square(&b, "\"highway\":\"tertiary\",\"oneway\":\"yes\"");
    city_end(&b);
    town_open(&t, buf_str(&b));
    struct point stops[4] = {at(0, 200), at(-500, 1000), at(0, 700), at(0, 700)};
    struct route r, plain;
    t.router->ops->route(t.router, stops, 4, VEHICLE_VAN, true, &t.arena, &r);
    assert_near(r.distance_m, 1300 + 3200, 5);
    assert_near((int64_t)line_m(&r), r.distance_m, 3);
    struct point first = r.points[0], last = r.points[r.point_count - 1];
    assert_memory_equal(&first, &stops[0], sizeof first);
    assert_memory_equal(&last, &stops[3], sizeof last);
    for (int32_t i = 1; i < r.point_count; i++)
        assert_memory_not_equal(&r.points[i - 1], &r.points[i], sizeof first);
    t.router->ops->route(t.router, stops, 4, VEHICLE_VAN, false, NULL, &plain);
    assert_int_equal(plain.distance_m, r.distance_m);
    assert_int_equal(plain.duration_s, r.duration_s);
    assert_null(plain.points);
    town_close(&t);
}

static void test_off_the_road(void **state) {
    (void)state;
    struct town t;
    struct buf b;
    city_begin(&b);
    struct point road[2] = {at(0, 0), at(0, 3000)};
    city_line(&b, road, 2, "\"highway\":\"residential\",\"maxspeed\":\"45\""); /* 36 km/h */
    city_end(&b);
    town_open(&t, buf_str(&b));
    struct route r = ask(&t, at(100, 500), at(-200, 1500), VEHICLE_CAR);
    assert_near(r.distance_m, 100 + 1000 + 200, 2);
    assert_near(r.duration_s, 36 + 100 + 72, 2); /* to the road and from it at 10 km/h */
    assert_near((int64_t)line_m(&r), r.distance_m, 3);
    assert_false(r.estimate);
    r = ask(&t, at(900, 500), at(900, 1000), VEHICLE_CAR); /* nearer to each other than to it */
    assert_near(r.distance_m, 500, 1);
    assert_int_equal(r.point_count, 2);
    r = ask(&t, at(1100, 500), at(0, 1500), VEHICLE_CAR); /* too far off */
    assert_true(r.estimate);
    struct point stops[2] = {at(1100, 500), at(0, 1500)};
    struct route crow;
    t.crow->ops->route(t.crow, stops, 2, VEHICLE_CAR, false, NULL, &crow);
    assert_int_equal(r.distance_m, crow.distance_m);
    assert_int_equal(r.duration_s, crow.duration_s);
    assert_int_equal(r.point_count, 2);
    struct point far[2] = {{-338000000, 1512000000}, {900000000, -1800000000}};
    for (int i = 0; i < 2; i++) {
        assert_true(ask(&t, far[i], at(0, 100), VEHICLE_BIKE).estimate);
        assert_true(ask(&t, at(0, 100), far[i], VEHICLE_TRUCK).estimate);
        assert_null(streets_name_near(t.streets, far[i], 1e12).p);
    }
    town_close(&t);
}

/* An island, a dead end that one cannot leave, a private drive: nothing snaps to them. */
static void test_what_is_left_out(void **state) {
    (void)state;
    static const char *const shut[] = {
        "\"highway\":\"footway\"",
        "\"highway\":\"residential\",\"access\":\"private\"",
        "\"highway\":\"residential\",\"motor_vehicle\":\"no\"",
        "\"highway\":\"residential\",\"oneway\":\"yes\"",
        "\"highway\":\"service\",\"service\":\"emergency_access\"",
        "\"highway\":\"pedestrian\",\"area\":\"yes\"",
        "\"highway\":\"construction\"",
        "\"building\":\"yes\"",
    };
    static const char *const open[] = {
        "\"highway\":\"residential\"",
        "\"highway\":\"service\",\"access\":\"no\",\"motorcar\":\"yes\"",
        "\"highway\":\"residential\",\"access\":\"destination\"",
        "\"highway\":\"service\",\"service\":\"parking_aisle\"",
    };
    for (size_t i = 0; i < COUNT_OF(shut) + COUNT_OF(open); i++) {
        bool is_open = i >= COUNT_OF(shut);
        struct town t;
        struct buf b;
        city_begin(&b);
        add_square(&b, "\"highway\":\"residential\",\"name\":\"Torget\"");
        struct point side[2] = {at(0, 1000), at(0, 1500)};
        city_line(&b, side, 2, is_open ? open[i - COUNT_OF(shut)] : shut[i]);
        struct point island[2] = {at(500, 0), at(500, 1000)};
        city_line(&b, island, 2, "\"highway\":\"residential\",\"name\":\"Utsikten\"");
        city_end(&b);
        town_open(&t, buf_str(&b));
        assert_int_equal(t.info.edges, is_open ? 5 : 4);
        struct route r = ask(&t, at(490, 500), at(-500, 0), VEHICLE_CAR);
        assert_near(r.distance_m, 490 + 500 + 500, 5);
        assert_str(streets_name_near(t.streets, at(490, 500), 1000), "Torget");
        assert_null(streets_name_near(t.streets, at(490, 500), 480).p);
        assert_int_equal(t.info.names, 1);
        town_close(&t);
    }
}

static void test_names(void **state) {
    (void)state;
    struct town t;
    struct buf b;
    city_begin(&b);
    add_square(&b, "\"highway\":\"residential\",\"name\":\"\\u00c5gatan \\\"1\\\"\"");
    struct point lane[2] = {at(0, 500), at(-1000, 500)};
    city_line(&b, lane, 2, "\"highway\":\"service\"");
    city_end(&b);
    town_open(&t, buf_str(&b));
    assert_str(streets_name_near(t.streets, at(-10, 500), 50), "Ågatan \"1\"");
    assert_null(streets_name_near(t.streets, at(-500, 500), 400).p); /* the lane has none */
    assert_null(streets_name_near(t.streets, at(-10, 500), -1).p);
    assert_null(streets_name_near(t.streets, at(-10, 500), (double)NAN).p);
    struct rng one, two;
    rng_seed(&one, 5);
    rng_seed(&two, 5);
    for (int i = 0; i < 200; i++) {
        struct str name, again;
        struct point p = streets_random_point(t.streets, &one, &name),
                     q = streets_random_point(t.streets, &two, &again);
        assert_memory_equal(&p, &q, sizeof p);
        assert_str(name, "Ågatan \"1\""); /* nobody lives on a service road */
        assert_true(str_eq(name, again));
        assert_true(str_eq(streets_name_near(t.streets, p, 0.1), name));
        struct route r = ask(&t, p, q, VEHICLE_BIKE);
        assert_int_equal(r.distance_m, 0);
        assert_false(r.estimate);
    }
    town_close(&t);
}

/* Points come as often to a road as it is long. */
static void test_random_points_spread(void **state) {
    (void)state;
    struct town t;
    struct buf b;
    city_begin(&b);
    struct point roads[2][2] = {{at(0, 0), at(0, 3000)}, {at(0, 0), at(1000, 0)}};
    city_line(&b, roads[0], 2, "\"highway\":\"residential\",\"name\":\"Lång\"");
    city_line(&b, roads[1], 2, "\"highway\":\"residential\",\"name\":\"Kort\"");
    city_end(&b);
    town_open(&t, buf_str(&b));
    struct rng rng;
    rng_seed(&rng, 9);
    int on_long = 0, far_half = 0;
    for (int i = 0; i < 4000; i++) {
        struct str name;
        struct point p = streets_random_point(t.streets, &rng, &name);
        on_long += str_is(name, "Lång");
        far_half += str_is(name, "Lång") && geo_distance_m(p, here) > 1500;
    }
    assert_near(on_long, 3000, 150);
    assert_near(far_half, 1500, 150);
    town_close(&t);
}

static void test_bare_lines(void **state) {
    (void)state;
    struct town t;
    struct buf b;
    city_begin(&b);
    struct point road[3] = {at(0, 0), at(0, 900), at(900, 900)};
    city_line(&b, road, 3, "");
    city_end(&b);
    town_open(&t, buf_str(&b));
    assert_int_equal(t.info.edges, 2);
    assert_int_equal(t.info.names, 0);
    assert_string_equal(t.info.attribution, "");
    struct route r = ask(&t, at(900, 900), at(0, 0), VEHICLE_CAR);
    assert_near(r.distance_m, 1800, 1);
    assert_near(r.duration_s, 216, 1); /* 30 km/h */
    town_close(&t);
}

static void test_attribution(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"\"copyright\":\"The data included in this document is from www.openstreetmap.org.\",",
         "© OpenStreetMap contributors, ODbL"},
        {"\"copyright\":\"© Lantmäteriet\",", "© Lantmäteriet"},
        {"\"copyright\":7,", ""},
        {"", ""}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct town t;
        struct buf b;
        buf_init(&b, NULL, 4096);
        buf_printf(&b,
                   "{\"type\":\"FeatureCollection\",%s\"features\":[{\"type\":\"Feature\","
                   "\"properties\":null,\"geometry\":{\"type\":\"MultiLineString\",\"coordinates\":"
                   "[[[0,0],[0.01,0]],[[0.01,0],[0.01,0.01,99]]]}}]}",
                   cases[i][0]);
        town_open(&t, buf_str(&b));
        struct streets_info info;
        streets_info(t.streets, &info);
        assert_memory_equal(&info, &t.info, sizeof info);
        assert_string_equal(info.attribution, cases[i][1]);
        assert_int_equal(info.edges, 2);
        assert_int_equal(info.bounds.north_e7, 100000);
        assert_int_equal(info.bounds.west_e7, 0);
        town_close(&t);
    }
}

static void test_over_the_antimeridian(void **state) {
    (void)state;
    struct town t;
    struct buf b;
    city_begin(&b);
    struct point road[4] = {{-168000000, 1799900000},
                            {-168000000, 180 * E7},
                            {-168000000, -180 * E7}, /* the same place */
                            {-168000000, -1799900000}};
    city_line(&b, road, 4, "\"highway\":\"residential\",\"name\":\"Waiyevo\"");
    city_end(&b);
    town_open(&t, buf_str(&b));
    assert_int_equal(t.info.edges, 2);
    assert_int_equal(t.info.bounds.west_e7, 1799900000);
    assert_int_equal(t.info.bounds.east_e7, -1799900000);
    struct route r = ask(&t, road[0], road[3], VEHICLE_CAR);
    assert_false(r.estimate);
    assert_near(r.distance_m, (int64_t)geo_distance_m(road[0], road[3]), 1);
    assert_str(streets_name_near(t.streets, geo_offset(road[1], 50, 60), 100), "Waiyevo");
    assert_str(streets_name_near(t.streets, geo_offset(road[1], 50, -60), 100), "Waiyevo");
    town_close(&t);
}

static void test_many_to_one(void **state) {
    (void)state;
    struct town t;
    struct rng rng;
    rng_seed(&rng, 11);
    town_open(&t, random_city(&rng, here, 20, 20));
    struct point from[60];
    struct router_leg legs[60];
    for (int i = 0; i < 60; i++)
        from[i] = at(1800 * rng_unit(&rng), 1800 * rng_unit(&rng));
    from[9] = at(90000, 0);
    from[10] = from[11];
    for (int v = VEHICLE_BIKE; v < VEHICLE_COUNT; v++) {
        struct point to = streets_random_point(t.streets, &rng, NULL);
        t.router->ops->many_to_one(t.router, from, 60, to, (enum vehicle)v, legs);
        for (int i = 0; i < 60; i++) {
            struct route r = ask(&t, from[i], to, (enum vehicle)v);
            assert_int_equal(legs[i].distance_m, r.distance_m);
            assert_int_equal(legs[i].duration_s, r.duration_s);
            assert_int_equal(legs[i].estimate, i == 9);
        }
        t.router->ops->many_to_one(t.router, from, 60, from[9], (enum vehicle)v, legs);
        for (int i = 0; i < 60; i++)
            assert_true(legs[i].estimate);
        t.router->ops->many_to_one(t.router, from, 0, to, (enum vehicle)v, NULL);
    }
    town_close(&t);
}

/* ---- several threads ---- */

struct asker {
    struct town *town;
    pthread_t thread;
    int64_t sum;
};

static void *ask_all(void *arg) {
    struct asker *asker = arg;
    struct rng rng;
    struct arena arena;
    arena_init(&arena, 4096);
    rng_seed(&rng, 21); /* all ask the same */
    for (int i = 0; i < QUESTIONS; i++) {
        struct point stops[2] = {streets_random_point(asker->town->streets, &rng, NULL),
                                 streets_random_point(asker->town->streets, &rng, NULL)};
        struct router *router = asker->town->router;
        struct route r;
        struct router_leg legs[2];
        router->ops->route(router, stops, 2, VEHICLE_CAR, true, &arena, &r);
        router->ops->many_to_one(router, stops, 2, stops[0], VEHICLE_TRUCK, legs);
        asker->sum += r.distance_m + r.point_count + legs[1].duration_s;
        arena_reset(&arena);
    }
    arena_free(&arena);
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    struct town t;
    struct rng rng;
    rng_seed(&rng, 12);
    town_open(&t, random_city(&rng, here, 18, 12));
    struct asker alone = {.town = &t}, askers[ASKERS];
    ask_all(&alone);
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){.town = &t};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_all, &askers[i]), 0);
    }
    for (int i = 0; i < ASKERS; i++) {
        pthread_join(askers[i].thread, NULL);
        assert_int_equal(askers[i].sum, alone.sum);
    }
    town_close(&t);
}

/* ---- files ---- */

static void test_files(void **state) {
    (void)state;
    struct temporary t;
    struct streets *s = NULL;
    struct router *crow = crow_new(NULL);
    temporary_make(&t);
    assert_int_equal(streets_build(t.geojson, t.graph, NULL), ERR_NOT_FOUND);
    assert_int_equal(streets_open(t.graph, crow, &s), ERR_NOT_FOUND);
    assert_int_equal(streets_build(t.folder, t.graph, NULL), ERR_IO);
    assert_int_equal(streets_open(t.folder, crow, &s), ERR_IO);
    struct rng rng;
    rng_seed(&rng, 1);
    write_text(t.geojson, STR("{}"));
    assert_int_equal(streets_build(t.geojson, t.graph, NULL), ERR_INVALID);
    assert_int_equal(access(t.graph, F_OK), -1); /* nothing half done */
    struct str text = random_city(&rng, here, 4, 4);
    write_text(t.geojson, text);
    free((char *)text.p);
    assert_int_equal(streets_build(t.geojson, "/nowhere/at/all", NULL), ERR_IO);
    assert_int_equal(streets_build(t.geojson, t.folder, NULL), ERR_IO);
    assert_int_equal(streets_build(t.geojson, t.graph, NULL), 0);
    assert_int_equal(streets_open(t.graph, crow, &s), 0);
    /* Built anew under an open one, and even away: who has it open keeps it. */
    assert_int_equal(streets_build(t.geojson, t.graph, NULL), 0);
    assert_int_equal(unlink(t.graph), 0);
    streets_random_point(s, &rng, NULL);
    streets_close(s);
    streets_close(NULL);
    crow->ops->close(crow);
    temporary_remove(&t);
}

/* The same text gives the same file, byte for byte. */
static void test_builds_alike(void **state) {
    (void)state;
    struct temporary t;
    struct rng rng;
    struct str files[2];
    temporary_make(&t);
    for (int i = 0; i < 2; i++) {
        rng_seed(&rng, 77);
        assert_int_equal(build_text(&t, random_city(&rng, here, 10, 10), NULL), 0);
        files[i] = read_text(t.graph);
    }
    assert_true(str_eq(files[0], files[1]));
    free((char *)files[0].p);
    free((char *)files[1].p);
    temporary_remove(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_way_round),
                                       cmocka_unit_test(test_against_the_line),
                                       cmocka_unit_test(test_implied_one_way),
                                       cmocka_unit_test(test_fastest),
                                       cmocka_unit_test(test_on_one_another),
                                       cmocka_unit_test(test_stops_in_order),
                                       cmocka_unit_test(test_off_the_road),
                                       cmocka_unit_test(test_what_is_left_out),
                                       cmocka_unit_test(test_names),
                                       cmocka_unit_test(test_random_points_spread),
                                       cmocka_unit_test(test_bare_lines),
                                       cmocka_unit_test(test_attribution),
                                       cmocka_unit_test(test_over_the_antimeridian),
                                       cmocka_unit_test(test_many_to_one),
                                       cmocka_unit_test(test_threads),
                                       cmocka_unit_test(test_files),
                                       cmocka_unit_test(test_builds_alike)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
